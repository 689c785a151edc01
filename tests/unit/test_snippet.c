#include "cli/snippet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/print.h"

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

static void check_snippet(const struct snippet *s, enum snippet_marking marking,
                          const char *want)
{
    str got = snippet_text(s, marking, 2, arena);

    if (!str_eq(got, str_of(want)))
        fail_msg("%.*s, not %s", STR_ARG(got), want);
}

static void matches_are_marked_in_three_ways(void **state)
{
    const struct snippet_mark marks[] = {{2, 4}, {5, 6}};
    struct snippet s = {.text = STR("é cats \xf0\x9f\x90\xb1"),
                        .marks = marks,
                        .marks_n = 2,
                        .columns = 40,
                        .lines = 2};

    (void)state;
    check_snippet(&s, SNIPPET_PLAIN, "  é cats \xf0\x9f\x90\xb1\n");
    check_snippet(&s, SNIPPET_BRACKETS, "  é [ca]t[s] \xf0\x9f\x90\xb1\n");
    check_snippet(&s, SNIPPET_COLOURS,
                  "  é \033[1;33mca\033[0mt\033[1;33ms\033[0m "
                  "\xf0\x9f\x90\xb1\n");
}

static void white_space_and_controls_are_folded(void **state)
{
    struct snippet s = {.text = STR("\n a\t\tb\033[31m\r\n\xc2\x9b"
                                    "c\xe2\x80\xae "),
                        .columns = 40,
                        .lines = 2};

    (void)state;
    check_snippet(&s, SNIPPET_PLAIN, "  a b [31m c\n");
}

static void long_text_shows_where_the_matches_are(void **state)
{
    static char text[4000];
    struct snippet_mark marks[] = {{10, 13}, {3000, 3003}, {3010, 3013}};
    struct snippet s = {.text = {text, sizeof text},
                        .marks = marks,
                        .marks_n = 3,
                        .columns = 60,
                        .lines = 2};
    str got;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 10 == 9 ? ' ' : (char)('a' + i % 10);
    got = snippet_text(&s, SNIPPET_BRACKETS, 0, arena);
    assert_true(str_starts(got, STR("… ")));
    assert_true(str_ends(got, STR(" …\n")));
    assert_true(str_find(got, STR("[abc]defghi [abc]")) < got.n);
}

static void a_word_longer_than_the_line_is_cut(void **state)
{
    static char text[200];
    struct snippet s = {.text = {text, sizeof text}, .columns = 42, .lines = 3};
    str got;

    (void)state;
    memset(text, 'x', sizeof text);
    got = snippet_text(&s, SNIPPET_PLAIN, 0, arena);
    assert_int_equal(str_find_char(got, '\n'), 40);
}

static void nothing_gives_nothing(void **state)
{
    struct snippet s = {.columns = 40, .lines = 3};

    (void)state;
    check_snippet(&s, SNIPPET_BRACKETS, "");
}

/* What a document holds must not reach a terminal as commands. */
static void control_characters_become_blanks(void **state)
{
    (void)state;
    assert_true(str_eq(
        clean_text(arena,
                   STR("a\033]0;x\a\x7f\xc2\x85\xe2\x81\xa6é\xe2\x82\xac")),
        STR("a ]0;x    é\xe2\x82\xac")));
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(matches_are_marked_in_three_ways),
        TEST(white_space_and_controls_are_folded),
        TEST(long_text_shows_where_the_matches_are),
        TEST(a_word_longer_than_the_line_is_cut),
        TEST(nothing_gives_nothing),
        TEST(control_characters_become_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
