#include "text/summary.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "text/utf8.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

/* Blocks parted by blank lines, their kind by their first sign: # a heading,
 * | a row, - or a digit an item, > a quote, ` code, else a paragraph. */
static enum block_kind kind_of(str s)
{
    switch (s.p[0]) {
    case '#':
        return BLOCK_HEADING;
    case '|':
        return BLOCK_TABLE_ROW;
    case '-':
    case '1':
        return BLOCK_LIST_ITEM;
    case '>':
        return BLOCK_QUOTE;
    case '`':
        return BLOCK_CODE;
    default:
        return BLOCK_PARAGRAPH;
    }
}

static struct doc doc_of(str text)
{
    struct doc d = {.text = text, .text_cp = utf8_count(text)};
    size_t cap = 0;

    for (size_t at = 0; at < text.n;) {
        str rest = str_sub(text, at, text.n);
        size_t n = str_find(rest, STR("\n\n"));
        struct block b = {.start = at, .end = at + n, .heading = HEADING_NONE};

        b.kind = kind_of(rest);
        ARENA_PUSH(arena, d.blocks, d.blocks_n, cap, b);
        at += n + 2;
    }
    return d;
}

static str summary_of(const char *text)
{
    struct doc d = doc_of(str_of(text));

    return summary_make(&d, arena);
}

static void assert_summary(const char *text, const char *want)
{
    str got = summary_of(text);

    if (!str_eq(got, str_of(want)))
        fail_msg("got \"" STR_FMT "\"", STR_ARG(got));
}

static bool holds(str s, const char *part)
{
    return str_find(s, str_of(part)) < s.n;
}

static size_t count(str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static void an_english_text_gives_what_it_is_about(void **state)
{
    str s = summary_of(
        "# The water pump\n\n"
        "The pump lifts water from the well to the tank. Lunch is served at "
        "noon in the garden. The valve of the pump must be open while the pump "
        "lifts water.\n\n"
        "## Care\n\n"
        "A pump without water runs hot, so check the water in the tank each "
        "week. The paint is green.\n\n"
        "The valve of the pump and the tank are cleaned once a year.\n");

    (void)state;
    assert_true(s.n > 0 && utf8_count(s) <= SUMMARY_CHARS_MAX);
    assert_true(holds(s, "pump lifts water"));
    assert_false(holds(s, "Lunch") || holds(s, "green") || holds(s, "#"));
    assert_int_equal(count(s, '.'), 3);
    /* in the order of the text */
    assert_true(str_find(s, STR("lifts water")) <
                    str_find(s, STR("each week")) ||
                !holds(s, "each week"));
}

static void a_german_text_is_cut_at_its_sentences(void **state)
{
    str s = summary_of(
        "# Wartung\n\n"
        "Die Pumpe hebt das Wasser, z. B. aus dem Brunnen, in den Tank. Am "
        "3. Mai wird gefeiert. Der Tank der Pumpe fasst ca. 2.000 Liter "
        "Wasser. Dr. Grün isst gern Äpfel.\n\n"
        "Ohne Wasser wird die Pumpe heiß, der Tank bzw. der Brunnen ist zu "
        "prüfen.\n");

    (void)state;
    assert_true(holds(s, "z. B. aus dem Brunnen, in den Tank."));
    assert_true(holds(s, "ca. 2.000 Liter Wasser."));
    assert_true(holds(s, "bzw. der Brunnen ist zu prüfen."));
    assert_false(holds(s, "gefeiert"));
}

static void a_japanese_text_is_cut_at_its_sentences(void **state)
{
    str s = summary_of(
        "# ポンプ\n\nポンプは井戸から水をくみ上げます。昼食は正午です。"
        "ポンプの弁は水をくみ上げる間は開けておきます。\n\n"
        "水がないとポンプは熱くなります！庭は緑です。"
        "ポンプと弁は毎年掃除します。\n");

    (void)state;
    if (!str_eq(s, STR("ポンプは井戸から水をくみ上げます。 "
                       "ポンプの弁は水をくみ上げる間は開けておきます。 "
                       "水がないとポンプは熱くなります！")))
        fail_msg("got \"" STR_FMT "\"", STR_ARG(s));
}

static void without_a_sentence_there_is_none(void **state)
{
    (void)state;
    assert_summary("", "");
    assert_summary("```\nint main(void)\nreturn a longer thing here;\n```\n",
                   "");
    assert_summary("# A heading with many words in it\n\n| a b c | d e f |\n",
                   "");
    assert_summary("Two words.\n\nAnd two! Yes?\n", "");
    assert_summary("12 34 56 78 90\n", "");
    assert_summary("<div align=\"center\">a b c d</div>\n", "");
}

static void one_sentence_is_its_own_summary(void **state)
{
    (void)state;
    assert_summary("Hello to you all.\n", "Hello to you all.");
    assert_summary("It is what it is.\n", "It is what it is.");
    assert_summary("# Title\n\nhello to you all\n\n```\nx = 1\n```\n",
                   "hello to you all");
}

static void marks_are_left_out(void **state)
{
    (void)state;
    assert_summary("- [x] The **pump** lifts `water` from\n  the "
                   "[well](https://a.org/b.c).[^1]\n",
                   "The pump lifts water from the well.");
    assert_summary("> > The *pump* lifts\n> water \\* here.\n",
                   "The pump lifts water * here.");
    assert_summary("12. The pump_a lifts 2 * 3 litres.\n",
                   "The pump_a lifts 2 * 3 litres.");
    assert_summary("![A pump](a.png) lifts the water.\n"
                   "[ref]: https://a.org/\n",
                   "A pump lifts the water.");
}

static void numbers_and_short_forms_end_no_sentence(void **state)
{
    static const char *const WHOLE[] = {
        "Version 3.14 came out, e.g. for Mr. Smith and J. R. Jones.",
        "See Fig. 3 and sec. 4 of the U.S. report by Dr. Grey.",
        "The site example.org was down for 2.5 hours, i.e. too long.",
        "He said \"Stop!\" and went home at once.",
        "Wait ... what is it that he means?",
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(WHOLE); i++)
        assert_summary(WHOLE[i], WHOLE[i]);
    assert_summary("The red pump runs. Is the red pump old? Buy the red pump! "
                   "A blue tank leaks.",
                   "The red pump runs. Is the red pump old? Buy the red pump!");
}

static void what_was_said_is_not_said_again(void **state)
{
    (void)state;
    assert_summary("The pump lifts water.\n\nThe pump lifts water.\n\n"
                   "The pumps lift the water.\n\nThe tank holds water too.\n",
                   "The pump lifts water. The tank holds water too.");
}

static void a_summary_has_its_bound(void **state)
{
    struct buf b = {0};
    struct doc d;
    str s;

    (void)state;
    /* sentences of 149 characters: two fit */
    for (unsigned i = 0; i < 5; i++) {
        buf_fmt(&b, "Number%u", i);
        for (unsigned k = 0; k < 28; k++)
            buf_fmt(&b, " %c%c%02u", 'a' + (int)i, 'x', k);
        buf_put(&b, STR("o. "));
    }
    d = doc_of(buf_str(&b));
    s = summary_make(&d, arena);
    assert_int_equal(count(s, '.'), 2);
    assert_true(utf8_count(s) <= SUMMARY_CHARS_MAX);
    /* one that is too long alone */
    buf_clear(&b);
    for (unsigned i = 0; i < 200; i++)
        buf_put(&b, STR("wörter "));
    d = doc_of(buf_str(&b));
    s = summary_make(&d, arena);
    assert_true(str_ends(s, STR("wörter…")));
    assert_true(utf8_count(s) <= SUMMARY_CHARS_MAX &&
                utf8_count(s) > SUMMARY_CHARS_MAX - 10);
    buf_clear(&b);
    for (unsigned i = 0; i < 500; i++)
        buf_put(&b, STR("水"));
    d = doc_of(buf_str(&b));
    s = summary_make(&d, arena);
    assert_int_equal(utf8_count(s), SUMMARY_CHARS_MAX);
    buf_close(&b);
}

/* Behind the bound nothing is looked at; each time it is the same. */
static void a_megabyte_is_read_by_its_start(void **state)
{
    struct buf b = {0};
    struct doc d;
    str first, s;

    (void)state;
    for (unsigned i = 0; b.n < MIB; i++)
        buf_fmt(&b, "The pump number %u lifts %u litres of %s a day.%s", i,
                i % 7, b.n < 250 * KIB ? "water" : "mud",
                i % 9 == 0 ? "\n\n" : " ");
    d = doc_of(buf_str(&b));
    first = summary_make(&d, arena);
    assert_true(holds(first, "water") && !holds(first, "mud"));
    for (unsigned i = 0; i < 3; i++) {
        s = summary_make(&d, arena);
        assert_true(str_eq(s, first));
    }
    /* one block, and sentences that never end or always do */
    for (unsigned kind = 0; kind < 4; kind++) {
        static const char *const PARTS[] = {"[*_`](", "a. ", "अ ब। ", "ab "};

        buf_clear(&b);
        while (b.n < MIB)
            buf_put(&b, str_of(PARTS[kind]));
        d = doc_of(buf_str(&b));
        assert_true(utf8_count(summary_make(&d, arena)) <= SUMMARY_CHARS_MAX);
    }
    buf_close(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(an_english_text_gives_what_it_is_about),
        T(a_german_text_is_cut_at_its_sentences),
        T(a_japanese_text_is_cut_at_its_sentences),
        T(without_a_sentence_there_is_none),
        T(one_sentence_is_its_own_summary),
        T(marks_are_left_out),
        T(numbers_and_short_forms_end_no_sentence),
        T(what_was_said_is_not_said_again),
        T(a_summary_has_its_bound),
        T(a_megabyte_is_read_by_its_start),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
