#include "net/robots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"

static struct arena *arena;
static struct robots r;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static void parse(const char *text)
{
    robots_parse(str_of(text), STR("knowd"), arena, &r);
}

static bool allows(const char *path)
{
    return robots_allow(&r, str_of(path));
}

static void the_longest_match_decides(void **state)
{
    (void)state;
    parse("User-Agent: knowd\nAllow: /example/page/\nDisallow: /example/page/"
          "disallowed.gif\nDisallow: /p\nAllow: /page\nAllow: /same\n"
          "Disallow: /same\nDisallow: /other\nAllow: /other\n");
    assert_true(allows("/example/page/x"));
    assert_false(allows("/example/page/disallowed.gif"));
    assert_false(allows("/people"));
    assert_true(allows("/pages"));
    assert_true(allows("/same"));
    assert_true(allows("/other"));
    assert_true(allows("/"));
    assert_true(allows("/robots.txt"));
}

static void patterns_have_stars_and_ends(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } ROWS[] = {
        {"/", "/anything", true},
        {"/fish", "/fish.html", true},
        {"/fish", "/Fish", false},
        {"/fish*", "/fish/salmon", true},
        {"/fish/", "/fish", false},
        {"/*.php", "/folder/any.php?x", true},
        {"/*.php", "/windows.PHP", false},
        {"/*.php$", "/a.php", true},
        {"/*.php$", "/a.php?x", false},
        {"/*.php$", "/a.php.php", true},
        {"/fish*.php", "/fishheads/catfish.php?x", true},
        {"/a*b*c$", "/a-b-c-b-c", true},
        {"/a*b*c$", "/a-b-c-b", false},
        {"/a*b*b", "/a-b-", false},
        {"/a*ab$", "/aab", true},
        {"/a*ab$", "/ab", false},
        {"*", "/x", true},
        {"*x", "/yx", true},
        {"**x**", "/yxz", true},
        {"/$", "/", true},
        {"/$", "/x", false},
        {"$", "/", false},
        {"/a$b", "/a$b", true},
        {"/a*$", "/abc", true},
        {"/*aaaaaaaab", "/aaaaaaaaaaaaaaaaaaaaaaa", false},
        {"x", "/x", false},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        parse(
            arena_fmt(arena, "user-agent: *\ndisallow: %s", ROWS[i].pattern).p);
        if (allows(ROWS[i].path) == ROWS[i].matches)
            fail_msg("%s on %s", ROWS[i].pattern, ROWS[i].path);
    }
}

static void encodings_are_compared_by_what_they_mean(void **state)
{
    (void)state;
    parse("user-agent: *\ndisallow: /foo/bar?baz=https://foo.bar\n"
          "disallow: /b\xc3\xa4r\ndisallow: /%75nder\ndisallow: /s%6Ca%2fsh\n"
          "disallow: /star%2A\n");
    assert_false(allows("/foo/bar?baz=https://foo.bar"));
    assert_false(allows("/b%C3%A4r"));
    assert_false(allows("/b%c3%a4r"));
    assert_false(allows("/under"));
    assert_false(allows("/sla%2Fsh"));
    assert_true(allows("/sla/sh"));
    assert_true(allows("/starfish"));
}

static void the_group_for_whom_it_is_counts(void **state)
{
    static const char TEXT[] =
        "\xef\xbb\xbfuser-agent: *\r\ndisallow: /all\r\n\r\n"
        "User-agent: other\nUSER-AGENT: KnowD/2.0 (x)\n"
        "sitemap: https://a.test/s.xml\n\nDisallow: /one # not two\n"
        "crawl-delay: 2.5\n"
        "user-agent: third\ndisallow: /third\n"
        "user-agent: knowd\rdisallow: /joined\r";

    (void)state;
    parse(TEXT);
    assert_true(allows("/all"));
    assert_false(allows("/one"));
    assert_true(allows("/third"));
    assert_false(allows("/joined"));
    assert_int_equal(r.delay_ms, 2500);
    assert_int_equal(r.sitemaps_n, 1);
    assert_true(str_eq(r.sitemaps[0], STR("https://a.test/s.xml")));
    robots_parse(str_of(TEXT), STR("nobody"), arena, &r);
    assert_false(allows("/all"));
    assert_true(allows("/one"));
    assert_int_equal(r.delay_ms, 0);
    assert_int_equal(r.sitemaps_n, 1);
    /* A token is compared whole. */
    robots_parse(str_of(TEXT), STR("know"), arena, &r);
    assert_true(allows("/one"));
    /* A group of our own that says nothing allows all. */
    parse("user-agent: *\ndisallow: /\nuser-agent: knowd\ndisallow:\n");
    assert_true(allows("/x"));
}

static void odd_lines_are_skipped(void **state)
{
    static const struct {
        const char *text;
        unsigned ms;
    } DELAYS[] = {{"1", 1000},
                  {"0.5", 500},
                  {".5", 500},
                  {"x", 0},
                  {"-1", 0},
                  {"1.x", 0},
                  {"99999", ROBOTS_DELAY_MS_MAX},
                  {"999999999999999999999", 0},
                  {"", 0}};

    (void)state;
    parse("disallow: /before\n<html>\n: x\nuser-agent\nuser-agent : * \n"
          "Disallow /no-colon\n disallow\t:\t/x\t# y\nallow:\n");
    assert_true(allows("/before"));
    assert_true(allows("/no-colon"));
    assert_false(allows("/x"));
    parse("");
    assert_true(allows("/"));
    for (size_t i = 0; i < NELEMS(DELAYS); i++) {
        parse(arena_fmt(arena, "user-agent: *\ncrawl-delay: %s", DELAYS[i].text)
                  .p);
        assert_int_equal(r.delay_ms, DELAYS[i].ms);
    }
}

static void the_first_500_kib_are_read(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_put(&b, STR("user-agent: *\n"));
    while (b.n < ((size_t)500 << 10) - 100)
        buf_put(&b, STR("# nothing here\n"));
    buf_put(&b, STR("disallow: /last\n"));
    while (b.n < ROBOTS_BYTES_MAX)
        buf_put(&b, STR("# nothing here\n"));
    buf_put(&b, STR("disallow: /past\n"));
    robots_parse(buf_str(&b), STR("knowd"), arena, &r);
    buf_close(&b);
    assert_false(allows("/last"));
    assert_true(allows("/past"));
}

static void a_status_decides_where_there_is_no_file(void **state)
{
    static const struct {
        unsigned status;
        bool allows;
    } ROWS[] = {{0, false},   {204, true},  {301, false}, {400, true},
                {401, true},  {403, true},  {404, true},  {410, true},
                {429, false}, {500, false}, {503, false}, {599, false}};
    str body = STR("user-agent: *\ndisallow: /x\n");

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        robots_of_answer(ROWS[i].status, STR_NONE, STR("knowd"), arena, &r);
        assert_int_equal(allows("/x"), ROWS[i].allows);
        assert_true(allows("/robots.txt"));
    }
    robots_of_answer(200, body, STR("knowd"), arena, &r);
    assert_false(allows("/x"));
    robots_of_answer(404, body, STR("knowd"), arena, &r);
    assert_true(allows("/x"));
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_match_decides),
        TEST(patterns_have_stars_and_ends),
        TEST(encodings_are_compared_by_what_they_mean),
        TEST(the_group_for_whom_it_is_counts),
        TEST(odd_lines_are_skipped),
        TEST(the_first_500_kib_are_read),
        TEST(a_status_decides_where_there_is_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
