#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "extract/extract.h"
#include "extract/md_mask.h"

static int open_arena(void **state)
{
    *state = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    arena_close(*state);
    return 0;
}

static struct doc extract(struct arena *a, str bytes, const char *name)
{
    struct doc d;
    struct err e;
    const char *why;

    assert_int_equal(extract_bytes(bytes,
                                   (struct said){.filename = str_of(name)}, a,
                                   &d, &e),
                     RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s: %s", name, why);
    return d;
}

static void empty_and_blank_files_say_so(void **state)
{
    struct doc d = extract(*state, STR(""), "a.txt");

    assert_int_equal(d.outcome, EXTRACT_MALFORMED);
    assert_true(str_eq(d.note, STR("The file is empty")));
    d = extract(*state, STR(" \n\r\n\t\n"), "a.md");
    assert_int_equal(d.outcome, EXTRACT_MALFORMED);
    assert_true(str_eq(d.note, STR("The file holds no text")));
    assert_int_equal(d.text.n, 0);
    d = extract(*state, STR("---\ntitle: only front matter\n---\n"), "a.md");
    assert_int_equal(d.outcome, EXTRACT_MALFORMED);
}

static void binary_called_txt_is_refused(void **state)
{
    struct doc d = extract(*state, STR("\1\2\3\0\0\0\xff\xfe\xfd"), "a.txt");

    assert_int_equal(d.outcome, EXTRACT_MALFORMED);
    assert_true(str_eq(d.note, STR("The file is binary, not text")));
}

static void known_formats_without_a_reader_are_named(void **state)
{
    struct doc d = extract(*state, STR("%PDF-1.7\nstuff"), "a.txt");

    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_true(str_eq(d.note, STR("This is a PDF file, which is not read")));
    assert_true(str_eq(d.mime, STR("application/pdf")));
}

static void broken_utf8_is_read_with_a_note(void **state)
{
    struct doc d =
        extract(*state, STR("ééééééé broken \xe2\x82 here"), "a.txt");

    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(d.note.n > 0);
    assert_true(str_eq(d.text, STR("ééééééé broken \xef\xbf\xbd here")));
}

static void too_long_a_text_is_refused(void **state)
{
    struct buf b = {0};
    struct doc d;
    char *p = buf_reserve(&b, TEXT_BYTES_MAX + 1);

    memset(p, 'x', TEXT_BYTES_MAX + 1);
    b.n = TEXT_BYTES_MAX + 1;
    d = extract(*state, buf_str(&b), "a.txt");
    assert_int_equal(d.outcome, EXTRACT_LIMIT);
    assert_true(d.note.n > 0);
    b.n--;
    d = extract(*state, buf_str(&b), "a.md");
    assert_int_equal(d.outcome, EXTRACT_OK);
    assert_int_equal(d.blocks_n, 1);
    buf_close(&b);
}

static void the_name_only_breaks_ties(void **state)
{
    static const struct {
        const char *name, *text;
        bool markdown;
    } CASES[] = {
        {"a.md", "just text", true},
        {"A.MARKDOWN", "just text", true},
        {"a.txt", "just text", false},
        {"", "# Title\n\nand text", true},
        {"a.txt", "# Title\n\nand text", true},
        {"a.txt", "# comment\nvalue\n", false},
        {"", "see [this](http://x) and\n\n- that\n", true},
        {"", "a\n\n| a | b |\n|---|---|\n| 1 | **2** |\n", true},
        {"a.py", "# Title\n\nprint(1)\n", false},
        {"notes v1.2", "# Title\n\nand text", true},
        {"no.dots in name", "# Title\n\nand text", true},
        {"", "- a\n- b\n", false},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(*state, str_of(CASES[i].text), CASES[i].name);

        assert_int_equal(d.outcome, EXTRACT_OK);
        if (str_eq(d.mime, STR("text/markdown")) != CASES[i].markdown)
            fail_msg("%s: %s", CASES[i].name, CASES[i].text);
    }
}

static struct doc extract_typed(struct arena *a, str bytes, const char *type)
{
    struct doc d;
    const char *why;

    assert_int_equal(
        extract_bytes(bytes, (struct said){.type = str_of(type)}, a, &d, NULL),
        RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s: %s", type, why);
    return d;
}

static void the_type_tells_markdown_from_text(void **state)
{
    str text = STR("just text");

    assert_true(str_eq(extract_typed(*state, text, "text/markdown").mime,
                       STR("text/markdown")));
    assert_true(
        str_eq(extract_typed(*state, text, "text/markdown; charset=utf-8").mime,
               STR("text/markdown")));
    assert_true(str_eq(extract_typed(*state, text, "text/plain").mime,
                       STR("text/plain")));
}

static void the_type_says_what_set_a_text_is_in(void **state)
{
    static const struct {
        const char *type;
        str bytes;
        const char *text, *note;
        enum extract_outcome outcome;
    } CASES[] = {
        {"text/plain; charset=koi8-r", STR_INIT("\xcd\xc9\xd2"), "мир", "",
         EXTRACT_OK},
        {"text/plain; charset=windows-1251", STR_INIT("\xec\xe8\xf0"), "мир",
         "", EXTRACT_OK},
        {"text/plain; charset=iso-8859-1", STR_INIT("caf\xe9"), "café", "",
         EXTRACT_OK},
        {"text/plain; charset=utf-16be",
         STR_INIT("\x04\x3c\x04\x38\x04\x40\x04\x3c\x04\x38\x04\x40"), "мирмир",
         "", EXTRACT_OK},
        {"text/plain; charset=koi8-r", STR_INIT("\xef\xbb\xbf\xc3\xa9"), "é",
         "", EXTRACT_OK},
        {"text/plain; charset=moon", STR_INIT("caf\xe9"), "café",
         "The text is not UTF-8 and was read as Windows-1252", EXTRACT_OK},
        {"text/plain; charset=utf-8", STR_INIT("caf\xe9"), "café",
         "The text is not UTF-8 and was read as Windows-1252", EXTRACT_OK},
        {"text/plain; charset=EUC-JP", STR_INIT("\xc6\xfc\xcb\xdc"), "ÆüËÜ",
         "The text is said to be in the character set EUC-JP, which is not "
         "read; some of it may be wrong",
         EXTRACT_PARTIAL},
        {"text/plain; charset=EUC-JP", STR_INIT("日本"), "日本", "",
         EXTRACT_OK},
        {"text/plain; charset=Shift_JIS",
         STR_INIT("\x83\x8f\x83\x90\x83\x8d\x83\x81"), "",
         "The file is said to be in the character set Shift_JIS, which is not "
         "read",
         EXTRACT_UNSUPPORTED},
        {"text/plain; charset=koi8-r", STR_INIT("\1\2\3\0\0\0\xff\xfe\xfd"), "",
         "The file is binary, not text", EXTRACT_MALFORMED},
        {"text/plain; charset=utf-16", STR_INIT("\1\0\2\0\3\0\0\0\xff\xff"), "",
         "The file is binary, not text", EXTRACT_MALFORMED},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract_typed(*state, CASES[i].bytes, CASES[i].type);

        if (!str_eq(d.text, str_of(CASES[i].text)) ||
            !str_eq(d.note, str_of(CASES[i].note)) ||
            d.outcome != CASES[i].outcome)
            fail_msg("%s: \"" STR_FMT "\", " STR_FMT, CASES[i].type,
                     STR_ARG(d.text), STR_ARG(d.note));
    }
}

static void titles_come_from_front_matter_or_the_first_heading(void **state)
{
    static const struct {
        const char *text, *title;
    } CASES[] = {
        {"no heading", ""},
        {"## Two\n\n# One *bold*\n\n# Other", "One bold"},
        {"---\ntitle: Front\n---\n# One", "Front"},
        {"---\ntitle: 'Quoted: it'\n...\n# One", "Quoted: it"},
        {"---\ntags: x\n---\n# One", "One"},
        {"---\ntitle: |\n  block\n---\n# One", "One"},
        {"---\ntitle: unclosed\n# One", "One"},
        {"---\n\ntitle: a rule above\n\n---\n\n# One", "One"},
        {"#  \n\n# \tOne\ttwo  #", "One two"},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(*state, str_of(CASES[i].text), "a.md");

        if (!str_eq(d.title, str_of(CASES[i].title)))
            fail_msg("%s gives " STR_FMT, CASES[i].text, STR_ARG(d.title));
    }
}

static void front_matter_is_in_no_block(void **state)
{
    struct doc d =
        extract(*state, STR("---\ntitle: x\n---\n\nBody.\n"), "a.md");

    assert_int_equal(d.blocks_n, 1);
    assert_true(str_eq(
        str_sub(d.text, d.blocks[0].start, d.blocks[0].end - d.blocks[0].start),
        STR("Body.")));
}

/* Text of more than one piece must give the same blocks as the same text in
 * small parts. */
static void pieces_join_without_a_seam(void **state)
{
    static const char PART[] =
        "# H\n\nText of a\nparagraph.\n\n- item\n\n  in item\n- other\n\n"
        "> quote\n> more\n\n```\n# code\n\n- code\n```\n\n"
        "before\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<div>\n# html\n</div>\n\n";
    struct buf b = {0};
    struct doc one, all;
    size_t n = 20000;

    one = extract(*state, str_of(PART), "a.md");
    for (size_t i = 0; i < n; i++)
        buf_put(&b, str_of(PART));
    all = extract(*state, buf_str(&b), "a.md");
    assert_int_equal(all.blocks_n, one.blocks_n * n);
    for (size_t i = 0; i < all.blocks_n; i++) {
        const struct block *p = &one.blocks[i % one.blocks_n],
                           *q = &all.blocks[i];

        assert_int_equal(p->kind, q->kind);
        assert_int_equal(p->level, q->level);
        assert_int_equal(p->start + i / one.blocks_n * strlen(PART), q->start);
        assert_int_equal(p->end - p->start, q->end - q->start);
    }
    buf_close(&b);
}

static str repeat(struct buf *b, const char *head, const char *unit,
                  const char *tail, size_t bytes)
{
    buf_clear(b);
    buf_put(b, str_of(head));
    while (b->n < bytes)
        buf_put(b, str_of(unit));
    buf_put(b, str_of(tail));
    return buf_str(b);
}

static void large_fences_and_tables_stay_whole(void **state)
{
    struct buf b = {0};
    struct doc d;

    d = extract(*state,
                repeat(&b, "a\n\n````\n", "# code\n\n```\n", "````\n\n# End\n",
                       2 * MIB),
                "a.md");
    assert_int_equal(d.blocks_n, 3);
    assert_int_equal(d.blocks[1].kind, BLOCK_CODE);
    assert_int_equal(d.blocks[2].kind, BLOCK_HEADING);
    d = extract(*state,
                repeat(&b, "|a|b|\n|-|-|\n", "|cell one|cell two|\n",
                       "\n# End\n", 2 * MIB),
                "a.md");
    for (size_t i = 0; i + 1 < d.blocks_n; i++)
        assert_int_equal(d.blocks[i].kind, BLOCK_TABLE_ROW);
    assert_int_equal(d.blocks[d.blocks_n - 1].kind, BLOCK_HEADING);
    buf_close(&b);
}

/* The patterns that cost cmark quadratic time or a node a byte, and what would
 * nest without end: time grows with size. */
static void hostile_markdown_takes_linear_time(void **state)
{
    static const struct {
        const char *head, *unit, *tail;
    } PATTERNS[] = {
        {"", ">", "a"},
        {"", "> ", "a"},
        {"", "- ", "a"},
        {"", "1. ", "a"},
        {"", "*a **a ", ""},
        {"", "*a_ ", ""},
        {"", "a**b", "c* c"},
        {"", "_", ""},
        {"", "[", "a"},
        {"", "[a](", ""},
        {"", "![[]()", ""},
        {"", "[a](<b", ""},
        {"", "a]", ""},
        {"", "<!--", ""},
        {"", "<?", ""},
        {"", "<![CDATA[", ""},
        {"", "<!A ", ""},
        {"", "a <!-- ", ""},
        {"a\n", "    <!--\n", ""},
        {"", "<a\n", ""},
        {"", "a\n<a x=\"\n", ""},
        {"", "&", ""},
        {"", "\\", ""},
        {"", "`a``b", ""},
        {"a\n", "|-|-\n", ""},
        {"a\n", ":-:\n", ""},
        {"", "|a|\n|-|\n", ""},
        {"|a|b|\n|-|-|\n", "|\n", ""},
        {"", "\t", "a"},
        {"", "\n", "a"},
        {"", "\r", "a"},
        {"", ">\n", "a"},
        {"", "-\n", "a"},
        {"", "- a\n", ""},
        {"", "a\n\n", ""},
        {"", "# a\n", ""},
        {"", "a\n=\n", ""},
        {"", "```\n", ""},
        {"", "[a]: b\n", ""},
        {"> > > > > > > > a\n", "b\n", ""},
        {"- - - - - - - - - - - - - - - - a\n", "\n", "b"},
        {"", "www.a.b ", ""},
        {"", "a@b.c", ""},
        {"", "~~a ", ""},
        {"", "[^1]: a\n", "[^1]"},
        {"---\na: b\n", "c: d\n", ""},
    };
    struct arena *a = *state;
    struct buf b = {0};

    for (size_t i = 0; i < NELEMS(PATTERNS); i++) {
        str text = repeat(&b, PATTERNS[i].head, PATTERNS[i].unit,
                          PATTERNS[i].tail, 512 * KIB);
        struct arena_mark mark = arena_mark(a);
        clock_t start = clock();
        double s;

        (void)extract(a, text, "a.md");
        s = (double)(clock() - start) / CLOCKS_PER_SEC;
        /* Release builds take at most 0.3 s, sanitizers ten times that; a
         * quadratic pattern takes minutes. */
        if (s > 8)
            fail_msg("%s takes %.1f s", PATTERNS[i].unit, s);
        arena_rewind(a, mark);
    }
    buf_close(&b);
}

static void deep_lists_stop_at_the_prefix(void **state)
{
    struct buf b = {0};
    struct doc d;

    for (size_t i = 0; i < 800; i++)
        buf_fmt(&b, "%*s- a\n", (int)(2 * i), "");
    d = extract(*state, buf_str(&b), "a.md");
    assert_true(d.blocks_n >= MD_PREFIX_BYTES_MAX / 2);
    for (size_t i = 0; i < d.blocks_n; i++)
        assert_true(d.blocks[i].level <= MD_PREFIX_BYTES_MAX);
    buf_close(&b);
}

static void a_masked_line_is_blank_when_the_line_is(void **state)
{
    static const char *const LINES[] = {
        "",     "   ",      "\t\t",   "a",         "> ",        ">",
        "- ",   "-",        "***",    "* * *",     "``` x ` y", "    code",
        "|-|-", "\\|a|\\|", "<div>",  "</script>", "1. a",      "1234567890. a",
        "# h",  "&amp;",    "`` ` ``"};
    struct md_mask m = {0};
    struct buf b = {0};
    char wide[400];

    (void)state;
    for (size_t i = 0; i < NELEMS(LINES); i++) {
        buf_clear(&b);
        md_mask_line(&m, str_of(LINES[i]), &b);
        assert_int_equal(str_blank(buf_str(&b)), str_blank(str_of(LINES[i])));
        assert_int_equal(str_find_char(buf_str(&b), '\n'), b.n - 1);
    }
    memset(wide, ' ', sizeof wide);
    for (size_t at = 90; at < 120; at++) {
        wide[at] = '>';
        buf_clear(&b);
        md_mask_line(&m, (str){wide, sizeof wide}, &b);
        assert_false(str_blank(buf_str(&b)));
        buf_clear(&b);
        md_mask_line(&m, (str){wide, at}, &b);
        assert_true(str_blank(buf_str(&b)));
        wide[at] = ' ';
    }
    buf_close(&b);
}

static void pictures_of_markdown_are_counted(void **state)
{
    static const struct {
        const char *text;
        unsigned images;
    } CASES[] = {
        {"# A\n\n![one](a.png) and ![two][ref]\n", 2},
        {"# A\n\n[![badge](a.svg)](https://a.org)\n", 1},
        {"# A\n\n![a [b] c](d) ![e ![f](g)](h)\n", 2},
        {"# A\n\n<img src=a> <IMG\nsrc=b> <imgx> <img\n", 2},
        {"# A\n\n![not] (a) !\\[b](c) \\![d](e) ![f\n", 0},
        {"# A\n\n`![code](a)` ``![c`](b)`` ![d](e)\n", 1},
        {"# A\n\none ` tick ![a](b)\n", 1},
        {"# A\n\n```\n![code](a)\n```\n\n    ![code](b)\n", 0},
        {"| a | b |\n|---|---|\n| ![x](y) | - ![z](z) |\n", 2},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(*state, str_of(CASES[i].text), "a.md");

        if (d.images != CASES[i].images)
            fail_msg("%u in %s", d.images, CASES[i].text);
    }
    assert_int_equal(extract(*state, STR("![a](b) as it is"), "a.txt").images,
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_and_blank_files_say_so),
        cmocka_unit_test(binary_called_txt_is_refused),
        cmocka_unit_test(known_formats_without_a_reader_are_named),
        cmocka_unit_test(broken_utf8_is_read_with_a_note),
        cmocka_unit_test(too_long_a_text_is_refused),
        cmocka_unit_test(the_name_only_breaks_ties),
        cmocka_unit_test(the_type_tells_markdown_from_text),
        cmocka_unit_test(the_type_says_what_set_a_text_is_in),
        cmocka_unit_test(titles_come_from_front_matter_or_the_first_heading),
        cmocka_unit_test(front_matter_is_in_no_block),
        cmocka_unit_test(pieces_join_without_a_seam),
        cmocka_unit_test(large_fences_and_tables_stay_whole),
        cmocka_unit_test(hostile_markdown_takes_linear_time),
        cmocka_unit_test(deep_lists_stop_at_the_prefix),
        cmocka_unit_test(a_masked_line_is_blank_when_the_line_is),
        cmocka_unit_test(pictures_of_markdown_are_counted),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
