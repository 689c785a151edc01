#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "url_stricter.h"

#define CASES "build/urls/urltestdata.json"

static struct arena *arena;

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

/* ---- the Web Platform's cases ---- */

static unsigned unit_at(str s, size_t i)
{
    unsigned v = 0;

    if (!str_eq(str_sub(s, i, 2), STR("\\u")) || i + 6 > s.n)
        return 0;
    for (size_t k = 2; k < 6; k++)
        v = v << 4 | (unsigned)str_hex_digit(s.p[i + k]);
    return v;
}

/* Halves of surrogate pairs mean U+FFFD to a URL, and nothing to jansson. */
static str without_halves(str s)
{
    struct buf to = {0};
    str done;

    for (size_t i = 0; i < s.n; i++) {
        unsigned v = unit_at(s, i), next = unit_at(s, i + 6);

        if (v >= 0xd800 && v < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
            buf_put(&to, str_sub(s, i, 12));
            i += 11;
        } else if (v >= 0xd800 && v < 0xe000) {
            buf_put(&to, STR("\\ufffd"));
            i += 5;
        } else if (s.p[i] == '\\') {
            buf_put(&to, str_sub(s, i, 2));
            i++;
        } else {
            buf_put_char(&to, s.p[i]);
        }
    }
    done = arena_str(arena, buf_str(&to));
    buf_close(&to);
    return done;
}

static str member(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return v == NULL ? STR_NONE
                     : (str){json_string_value(v), json_string_length(v)};
}

static bool agrees(const json_t *c, const struct url *u)
{
    str port = u->port == (u->https ? 443 : 80)
                   ? STR_NONE
                   : arena_fmt(arena, "%u", u->port);
    str query = u->query.n == 0
                    ? STR_NONE
                    : arena_fmt(arena, "?" STR_FMT, STR_ARG(u->query));
    str fragment = u->fragment.n == 0
                       ? STR_NONE
                       : arena_fmt(arena, "#" STR_FMT, STR_ARG(u->fragment));

    return str_eq(member(c, "href"), url_text(u, arena)) &&
           str_eq(member(c, "hostname"), u->host) &&
           str_eq(member(c, "port"), port) &&
           str_eq(member(c, "username"), u->user) &&
           str_eq(member(c, "password"), u->password) &&
           str_eq(member(c, "pathname"), u->path) &&
           str_eq(member(c, "search"), query) &&
           str_eq(member(c, "hash"), fragment);
}

static bool is_web(const json_t *c)
{
    str protocol = member(c, "protocol");

    return str_eq(protocol, STR("http:")) || str_eq(protocol, STR("https:"));
}

static const struct stricter *stricter_of(str input)
{
    for (size_t i = 0; i < NELEMS(STRICTER); i++) {
        if (str_eq(input, str_of(STRICTER[i].input)))
            return &STRICTER[i];
    }
    return NULL;
}

struct tally {
    bool used[NELEMS(STRICTER)];
    size_t same, refused, other_schemes, stricter, wrong;
};

static void judge(const json_t *c, struct tally *t)
{
    str input = member(c, "input"), from = member(c, "base");
    struct url base, u;
    struct err e = {.code = RC_OK};
    bool based =
        from.n > 0 && url_parse(from, NULL, arena, &base, NULL) == RC_OK;
    rc code = url_parse(input, based ? &base : NULL, arena, &u, &e);

    if (code == RC_OK && is_web(c) && agrees(c, &u))
        t->same++;
    else if (code != RC_OK && json_is_true(json_object_get(c, "failure")))
        t->refused++;
    else if (code != RC_OK && !is_web(c))
        t->other_schemes++;
    else if (code != RC_OK && stricter_of(input) != NULL) {
        t->stricter++;
        t->used[stricter_of(input) - STRICTER] = true;
    } else {
        t->wrong++;
        print_message(
            "WRONG %s '" STR_FMT "' on '" STR_FMT "': got " STR_FMT
            ", want " STR_FMT "\n",
            rc_name(code), STR_ARG(input), STR_ARG(from),
            STR_ARG(code == RC_OK ? url_text(&u, arena) : str_of(e.text)),
            STR_ARG(member(c, "href")));
    }
}

static void the_web_platforms_cases_are_answered(void **state)
{
    struct tally t = {0};
    json_error_t why;
    json_t *cases, *c;
    size_t i;
    str text;

    (void)state;
    if (file_read(CASES, 4 * MIB, arena, &text, NULL) != RC_OK) {
        print_message("SKIPPED: no " CASES ", see scripts/url-cases.sh\n");
        skip();
    }
    text = without_halves(text);
    cases = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &why);
    assert_non_null(cases);
    json_array_foreach(cases, i, c)
    {
        if (json_is_object(c))
            judge(c, &t);
    }
    json_decref(cases);
    print_message("%zu the same, %zu refused as they must be, %zu of other "
                  "schemes refused, %zu stricter, %zu wrong\n",
                  t.same, t.refused, t.other_schemes, t.stricter, t.wrong);
    assert_int_equal(t.wrong, 0);
    for (i = 0; i < NELEMS(STRICTER); i++)
        assert_true(t.used[i]);
}

/* ---- our own ---- */

static rc parse(const char *text, struct url *u)
{
    return url_parse(str_of(text), NULL, arena, u, NULL);
}

static void every_spelling_of_an_ipv4_address_is_it(void **state)
{
    static const char *const HOSTS[] = {
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "0x7F.0x0.0x0.0x1",
        "127.0.0.1.",
        "127.0x1",
        "%31%32%37.0.0.1",
        "127%2e0%2E0%2e1",
        "00000177.0.0.1",
        "0x00000000000000007f.1",
        "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", /* full width */
        "\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1", /* circled */
        "127\343\200\2020\357\274\2160\357\275\2411", /* full stops */
        "%EF%BC%91%EF%BC%92%EF%BC%97.1",
        "12\302\2557.0.0.1", /* a soft hyphen */
        "\xf0\x9d\x9f\x8f\xf0\x9d\x9f\x90\xf0\x9d\x9f\x95.0.0.1"}; /* bold */
    struct url u;

    (void)state;
    for (size_t i = 0; i < NELEMS(HOSTS); i++) {
        str text = arena_fmt(arena, "http://%s:80/", HOSTS[i]);

        assert_int_equal(parse(text.p, &u), RC_OK);
        assert_int_equal(u.kind, URL_IPV4);
        assert_true(str_eq(u.host, STR("127.0.0.1")));
        assert_true(u.addr.n == 4 && u.addr.b[0] == 127 && u.addr.b[3] == 1);
    }
}

static void what_only_looks_like_an_address_is_refused(void **state)
{
    static const char *const BAD[] = {"256.0.0.1",
                                      "1.2.3.4.5",
                                      "4294967296",
                                      "0x100000000",
                                      "1.2.3.08",
                                      "1..2",

                                      "a.b.0x1",
                                      "foo.09",

                                      "[127.0.0.1]",
                                      "[::1",
                                      "::1",
                                      "[::1]x",
                                      "[::g]",
                                      "[1::2::3]",
                                      "[0:0:0:0:0:0:0:1:2]",
                                      "[fe80::1%eth0]",
                                      "[]",
                                      "a b",
                                      "a%00b",
                                      "a%",
                                      "a%2fb",
                                      "a<b",
                                      "a^b",
                                      "a|b",
                                      "xn--",
                                      "xn--a",
                                      "\xff",
                                      "%ff",
                                      "a%0ab",
                                      ""};
    struct url u;

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++) {
        str text = arena_fmt(arena, "http://%s", BAD[i]);

        if (parse(text.p, &u) != RC_INVALID)
            fail_msg("%s is taken", text.p);
    }
    for (size_t i = 0; i < NELEMS(STRICTER_TOO); i++)
        assert_int_equal(parse(STRICTER_TOO[i].input, &u), RC_INVALID);
}

static void parts_are_kept_apart(void **state)
{
    struct url u;

    (void)state;
    assert_int_equal(
        parse(" HTTPS://us%65r:p@ss@Ex\tample.COM:0443/a/./b/../c?q='#f ", &u),
        RC_OK);
    assert_true(u.https && u.port == 443 && u.kind == URL_DOMAIN);
    assert_true(str_eq(u.host, STR("example.com")));
    assert_true(str_eq(u.user, STR("us%65r")));
    assert_true(str_eq(u.password, STR("p%40ss")));
    assert_true(str_eq(u.path, STR("/a/c")));
    assert_true(str_eq(u.query, STR("q=%27")));
    assert_true(str_eq(u.fragment, STR("f")));
    assert_true(str_eq(url_text(&u, arena),
                       STR("https://us%65r:p%40ss@example.com/a/c?q=%27#f")));
    assert_true(
        str_eq(url_target(&u, arena), STR("https://example.com/a/c?q=%27")));
}

static void what_is_relative_is_resolved(void **state)
{
    static const struct {
        const char *base, *text, *to; /* NULL: refused */
    } ROWS[] = {
        {"https://a.b/c/d?e#f", "/g", "https://a.b/g"},
        {"https://a.b/c/d?e#f", "g?h=i", "https://a.b/c/g?h=i"},
        {"https://a.b/c/d?e#f", "", "https://a.b/c/d?e"},
        {"https://a.b/c/d?e#f", "#x", "https://a.b/c/d?e#x"},
        {"https://a.b/c/d?e#f", "?x", "https://a.b/c/d?x"},
        {"https://a.b/c/d/", "../../../x", "https://a.b/x"},
        {"https://a.b/c/d/", "%2e%2E/x", "https://a.b/c/x"},
        {"https://a.b/c/d/", "..", "https://a.b/c/"},
        {"https://a.b/c", "//x.y/z", "https://x.y/z"},
        {"https://a.b/c", "\\\\x.y\\z", "https://x.y/z"},
        {"https://a.b/c", "/\\x.y", "https://x.y/"},
        {"https://a.b/c", "http:x", "http://x/"},
        {"https://a.b/c", "https:x", "https://a.b/x"},
        {"http://u:p@a.b:81/c", "d", "http://u:p@a.b:81/d"},
        {"https://a.b/c", "javascript:alert(1)", NULL},
        {"https://a.b/c", "file:///etc/passwd", NULL},
        {"https://a.b/c", "data:text/html,x", NULL},
        {"https://a.b/c", "//", NULL},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        struct url base, u;
        rc code;

        assert_int_equal(parse(ROWS[i].base, &base), RC_OK);
        code = url_parse(str_of(ROWS[i].text), &base, arena, &u, NULL);
        assert_int_equal(code == RC_OK, ROWS[i].to != NULL);
        if (code == RC_OK)
            assert_string_equal(url_text(&u, arena).p, ROWS[i].to);
    }
}

static void urls_of_one_source_have_one_normal_form(void **state)
{
    static const struct {
        const char *text, *normal;
    } ROWS[] = {
        {"HTTP://Example.COM:80/", "http://example.com"},
        {"http://example.com", "http://example.com"},
        {"http://example.com#x", "http://example.com"},
        {"http://example.com/?b=2&a=1#x", "http://example.com?b=2&a=1"},
        {"http://example.com/a/", "http://example.com/a/"},
        {"http://example.com/%7euser/%e4%2f",
         "http://example.com/~user/%E4%2F"},
        {"https://example.com:80/a?%41=%c3%a9",
         "https://example.com:80/a?A=%C3%A9"},
        {"https://example.com/%zz%4", "https://example.com/%zz%4"},
        {"https://b\xc3\xbc"
         "cher.example/",
         "https://xn--bcher-kva.example"},
        {"http://a/%3%37%%41%4%5a%2", "http://a/%3%37%%41%4Z%2"},
        {"http://0x7f.1/", "http://127.0.0.1"},
        {"http://[2A00::0:1]:80/x", "http://[2a00::1]/x"},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        struct url u;
        str normal;

        assert_int_equal(parse(ROWS[i].text, &u), RC_OK);
        normal = url_normal(&u, arena);
        assert_string_equal(normal.p, ROWS[i].normal);
        assert_int_equal(url_parse(normal, NULL, arena, &u, NULL), RC_OK);
        assert_true(str_eq(url_normal(&u, arena), normal));
    }
}

static void refusals_are_told_apart(void **state)
{
    static const char *const SCHEMES[] = {"file:///etc/passwd",
                                          "gopher://a/",
                                          "dict://a/",
                                          "ftp://a/",
                                          "ldap://a",
                                          "data:,x",
                                          "jar:http://a!/",
                                          "unix:/run/x",
                                          "javascript:x",
                                          "httpx://a",
                                          "ws://a/",
                                          "about:blank",
                                          "view-source:http://a/"};
    struct url u;
    struct err e;
    str longest = {arena_alloc(arena, URL_BYTES_MAX + 1), URL_BYTES_MAX + 1};

    (void)state;
    for (size_t i = 0; i < NELEMS(SCHEMES); i++)
        assert_int_equal(parse(SCHEMES[i], &u), RC_UNSUPPORTED);
    assert_int_equal(url_parse(longest, NULL, arena, &u, &e), RC_LIMIT);
    assert_int_equal(parse("example.com", &u), RC_INVALID);
    assert_int_equal(parse("", &u), RC_INVALID);
    assert_int_equal(parse("http://a:65536/", &u), RC_INVALID);
    assert_int_equal(parse("http://a:8x/", &u), RC_INVALID);
    assert_int_equal(parse("http://a:-1/", &u), RC_INVALID);
    assert_int_equal(parse("http://u@/", &u), RC_INVALID);
    assert_int_equal(url_parse_given(STR("http://u:p@a/"), arena, &u, &e),
                     RC_INVALID);
    assert_non_null(strstr(e.text, "password"));
    assert_int_equal(url_parse_given(STR("http://a@b@c/"), arena, &u, &e),
                     RC_INVALID);
    assert_int_equal(url_parse_given(STR("http://@a/"), arena, &u, &e), RC_OK);
    assert_int_equal(url_parse_given(STR("http://a/@b"), arena, &u, &e), RC_OK);
}

static void a_refusal_is_one_line_of_ascii(void **state)
{
    static const char *const TEXTS[] = {
        "http://a%0ab/", "http://\xe2\x98\x83\x1b[2J/", "\xff\x07\nx",
        "http://a:\xc3\xa9/", "http://%1b%ff/"};
    struct url u;
    struct err e;

    (void)state;
    for (size_t i = 0; i < NELEMS(TEXTS); i++) {
        assert_int_equal(url_parse(str_of(TEXTS[i]), NULL, arena, &u, &e),
                         RC_INVALID);
        for (const char *c = e.text; *c != '\0'; c++)
            assert_in_range(*c, ' ', '~');
    }
}

static void origins_differ_in_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } ROWS[] = {
        {"http://a/x", "http://A:80/y?z", true},
        {"http://a/", "https://a/", false},
        {"http://a/", "http://a:81/", false},
        {"http://a/", "http://a.b/", false},
        {"http://127.1/", "http://2130706433/", true},
    };
    struct url a, b;

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        assert_int_equal(parse(ROWS[i].a, &a), RC_OK);
        assert_int_equal(parse(ROWS[i].b, &b), RC_OK);
        assert_int_equal(url_same_origin(&a, &b), ROWS[i].same);
    }
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_web_platforms_cases_are_answered),
        TEST(every_spelling_of_an_ipv4_address_is_it),
        TEST(what_only_looks_like_an_address_is_refused),
        TEST(parts_are_kept_apart),
        TEST(what_is_relative_is_resolved),
        TEST(urls_of_one_source_have_one_normal_form),
        TEST(refusals_are_told_apart),
        TEST(a_refusal_is_one_line_of_ascii),
        TEST(origins_differ_in_scheme_host_and_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
