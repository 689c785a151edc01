/* Words of pages: made, written, read; and the readers of programs' output. */
#include "extract/pdf_pages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "extract/pdf_bbox.h"
#include "extract/pdf_jobs.h"
#include "extract/pdf_outline.h"

#define PT PDF_UNIT

static struct buf form;
static struct pdf_range range;

static int begin(void **state)
{
    (void)state;
    form = (struct buf){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_close(&form);
    return 0;
}

static void finish(struct pdf_maker *m)
{
    assert_int_equal(pdf_maker_end(m, false, NULL), RC_OK);
    pdf_maker_close(m);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
}

static void word(struct pdf_maker *m, int32_t x0, int32_t y0, int32_t x1,
                 int32_t y1, str text)
{
    pdf_maker_word(m, (int32_t[]){x0 * PT, y0 * PT, x1 * PT, y1 * PT}, text);
}

static struct pdf_page page_of(void)
{
    struct pdf_page p;

    assert_true(pdf_page_read(&range.at, &p));
    return p;
}

static struct pdf_line line_of(const int32_t before[4])
{
    struct pdf_line l;

    assert_true(pdf_line_read(&range.at, &l, before));
    return l;
}

static struct pdf_word word_of(void)
{
    struct pdf_word w;

    assert_true(pdf_word_read(&range.at, &w));
    return w;
}

static void what_is_made_is_read(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);
    struct pdf_line l;
    struct pdf_word w;

    (void)state;
    pdf_maker_about(m, STR("A title"), STR("2024"), STR(""));
    pdf_maker_page(m, 600 * PT, 800 * PT);
    word(m, 10, 20, 40, 30, STR("one"));
    word(m, 45, 18, 70, 30, STR("three"));
    pdf_maker_break(m, PDF_LINE);
    word(m, 10, 32, 30, 42, STR("four"));
    pdf_maker_page_end(m);
    pdf_maker_page(m, 600 * PT, 800 * PT);
    pdf_maker_page_end(m);
    finish(m);
    assert_int_equal(range.pages_n, 2);
    assert_true(str_eq(range.title, STR("A title")));
    assert_true(str_eq(range.created, STR("2024")));
    assert_int_equal(range.empty_n, 1);
    assert_int_equal(range.empty[0].page, 1);
    assert_int_equal(range.empty[0].height, 800);
    assert_int_equal(page_of().lines_n, 2);
    l = line_of((const int32_t[4]){0});
    assert_int_equal(l.breaks, PDF_LINE | PDF_BLOCK | PDF_FLOW);
    assert_int_equal(l.words_n, 2);
    assert_memory_equal(l.box,
                        ((int32_t[]){10 * PT, 18 * PT, 70 * PT, 30 * PT}), 16);
    assert_int_equal(l.height, 12 * PT); /* of the longer word */
    assert_false(l.upright);
    w = word_of();
    assert_true(str_eq(w.text, STR("one")));
    assert_int_equal(w.gap, 0);
    w = word_of();
    assert_int_equal(w.gap, 5 * PT);
    assert_int_equal(w.extent, 25 * PT);
    l = line_of(l.box);
    assert_int_equal(l.breaks, PDF_LINE);
    assert_int_equal(l.box[1], 32 * PT);
}

static void words_nobody_sees_are_counted(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);
    struct pdf_page p;

    (void)state;
    pdf_maker_page(m, 600 * PT, 800 * PT);
    word(m, 900, 20, 940, 30, STR("right"));
    word(m, 10, -40, 40, -30, STR("above"));
    pdf_maker_word(m, (int32_t[]){0, 0, PDF_PLACE_MAX + 1, 9}, STR("far"));
    pdf_maker_word(m, (int32_t[]){0, 0, 90, PT / 2}, STR("tiny"));
    word(m, 590, 20, 640, 30, STR("edge"));
    word(m, 10, 20, 40, 30, STR("a b")); /* is no word */
    word(m, 10, 20, 40, 30, STR(""));
    pdf_maker_page_end(m);
    finish(m);
    p = page_of();
    assert_int_equal(p.off_page.count, 3);
    assert_true(str_eq(p.off_page.sample, STR("right")));
    assert_int_equal(p.tiny.count, 1);
    assert_int_equal(p.lines_n, 1);
    assert_int_equal(line_of((const int32_t[4]){0}).words_n, 1);
    assert_true(str_eq(word_of().text, STR("edge")));
}

static void a_turned_page_is_as_wide_as_it_is_high(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);
    struct pdf_page p;

    (void)state;
    pdf_maker_page(m, 600 * PT, 800 * PT);
    word(m, 10, 20, 40, 30, STR("left"));
    word(m, 700, 20, 740, 30, STR("right"));
    pdf_maker_page_end(m);
    finish(m);
    p = page_of();
    assert_int_equal(p.width, 800 * PT);
    assert_int_equal(p.off_page.count, 0);
}

static void text_that_runs_upwards_has_its_gaps(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);
    struct pdf_line l;

    (void)state;
    pdf_maker_page(m, 600 * PT, 800 * PT);
    word(m, 30, 560, 40, 590, STR("Printed"));
    word(m, 30, 520, 40, 556, STR("sideways"));
    pdf_maker_page_end(m);
    finish(m);
    (void)page_of();
    l = line_of((const int32_t[4]){0});
    assert_true(l.upright);
    assert_int_equal(l.height, 10 * PT);
    assert_int_equal(word_of().gap, 0);
    assert_int_equal(word_of().gap, 4 * PT);
}

static void text_upside_down_has_its_gaps(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);

    (void)state;
    pdf_maker_page(m, 600 * PT, 800 * PT);
    word(m, 300, 20, 340, 30, STR("upside"));
    word(m, 260, 20, 297, 30, STR("down"));
    pdf_maker_page_end(m);
    finish(m);
    (void)page_of();
    assert_false(line_of((const int32_t[4]){0}).upright);
    assert_int_equal(word_of().gap, 0);
    assert_int_equal(word_of().gap, 3 * PT);
}

static void numbers_become_units(void **state)
{
    (void)state;
    assert_int_equal(pdf_units(STR("1.000000"), false), PT);
    assert_int_equal(pdf_units(STR("1.01"), false), PT);
    assert_int_equal(pdf_units(STR("1.01"), true), PT + 1);
    assert_int_equal(pdf_units(STR("-1.01"), true), -PT);
    assert_int_equal(pdf_units(STR("-1.01"), false), -PT - 1);
    assert_int_equal(pdf_units(STR("0.000000"), true), 0);
    assert_int_equal(pdf_units(STR("1000000"), true), PDF_PLACE_MAX);
    assert_int_equal(pdf_units(STR("1000001"), true), PDF_PLACE_MAX + 1);
    assert_int_equal(pdf_units(STR("99999999999999999999"), true),
                     PDF_PLACE_MAX + 1);
    assert_int_equal(pdf_units(STR("nan"), true), PDF_PLACE_MAX + 1);
    assert_int_equal(pdf_units(STR(""), true), PDF_PLACE_MAX + 1);
    assert_int_equal(pdf_units(STR("1e9"), true), PDF_PLACE_MAX + 1);
}

/* ---- pdftotext ---- */

#define HEAD                                                           \
    "<html><head><title>T &amp; U</title><meta name=\"CreationDate\" " \
    "content=\"2024-01-31T12:00:00Z\"/></head><body><doc>"
#define PAGE "<page width=\"612.000000\" height=\"792.000000\">"
#define WORD(text) \
    "<word xMin=\"90.5\" yMin=\"50\" xMax=\"120\" yMax=\"60\">" text "</word>"
#define LINE(words) "<flow><block><line>" words "</line></block></flow>"

static void read_bbox(str xml)
{
    struct pdf_output *o;

    buf_close(&form);
    o = pdf_bbox_open(&form);
    pdf_output_put(o, xml);
    assert_int_equal(pdf_output_end(o, NULL), RC_OK);
    pdf_output_close(o);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
}

static void boxes_of_words_are_read(void **state)
{
    (void)state;
    read_bbox(
        STR(HEAD PAGE LINE(WORD("a&lt;b")) "</page></doc></body></html>"));
    assert_false(range.cut);
    assert_int_equal(range.pages_n, 1);
    assert_true(str_eq(range.title, STR("T & U")));
    assert_true(str_eq(range.created, STR("2024-01-31T12:00:00Z")));
    assert_int_equal(page_of().lines_n, 1);
    assert_int_equal(line_of((const int32_t[4]){0}).box[0], 90 * PT + PT / 2);
    assert_true(str_eq(word_of().text, STR("a<b")));
}

static void what_is_cut_gives_its_whole_pages(void **state)
{
    (void)state;
    read_bbox(STR(HEAD PAGE LINE(WORD("a")) "</page>" PAGE LINE(WORD("b"))));
    assert_true(range.cut);
    assert_int_equal(range.pages_n, 1);
    read_bbox(STR(HEAD PAGE LINE(WORD("a")) "</page></doc></page>" PAGE));
    assert_true(range.cut);
    assert_int_equal(range.pages_n, 1);
    read_bbox(STR(""));
    assert_int_equal(range.pages_n, 0);
}

static void what_is_no_text_is_dropped(void **state)
{
    (void)state;
    read_bbox(STR(HEAD PAGE LINE(
        WORD("a\x01\xff\xed\xa0\x80z\xef\xbf\xbf") WORD("\x03")
            WORD("\xc3\xa4\xf0\x9f\x98\x80 x")) "</page></doc></body>"
                                                "</html>"));
    assert_int_equal(range.pages_n, 1);
    (void)page_of();
    assert_int_equal(line_of((const int32_t[4]){0}).words_n, 3);
    assert_true(str_eq(word_of().text, STR("az")));
    assert_true(str_eq(word_of().text, STR("\xc3\xa4\xf0\x9f\x98\x80")));
    assert_true(str_eq(word_of().text, STR("x")));
}

static void no_entities_are_defined(void **state)
{
    (void)state;
    read_bbox(STR("<!DOCTYPE a [<!ENTITY b \"ccccc\">]>" HEAD PAGE LINE(
        WORD("&b;")) "</page></doc></body></html>"));
    (void)page_of();
    (void)line_of((const int32_t[4]){0});
    assert_true(str_eq(word_of().text, STR("&b;")));
}

static void a_tag_without_end_is_given_up(void **state)
{
    struct pdf_output *o = pdf_bbox_open(&form);
    static char block[64 * KIB];

    (void)state;
    memset(block, 'a', sizeof block);
    pdf_output_put(o, STR(HEAD PAGE "<word xMin=\""));
    for (unsigned i = 0; i < 10000; i++) /* 625 MiB, were it kept */
        pdf_output_put(o, (str){block, sizeof block});
    assert_int_equal(pdf_output_end(o, NULL), RC_OK);
    pdf_output_close(o);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
    assert_true(range.cut);
}

static void a_range_is_cut_at_its_limits(void **state)
{
    struct pdf_maker *m = pdf_maker_open(&form);
    static char text[1000];

    (void)state;
    memset(text, 'a', sizeof text);
    for (unsigned i = 0; i < PDF_RANGE_PAGES_MAX + 5; i++) {
        pdf_maker_page(m, 600 * PT, 800 * PT);
        for (unsigned k = 0; k < 100; k++)
            word(m, 10, 20, 40, 30, (str){text, sizeof text});
        pdf_maker_page_end(m);
    }
    finish(m);
    assert_true(range.full);
    assert_true(range.pages_n < PDF_RANGE_PAGES_MAX);
    assert_true(form.n <= PDF_RANGE_BYTES_MAX + 64 * KIB);
}

/* ---- pdftohtml ---- */

static void an_outline_is_read(void **state)
{
    struct pdf_output *o = pdf_outline_open(&form);
    struct pdf_item item;
    struct cur c;

    (void)state;
    pdf_output_put(
        o, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?><pdf2xml>"
               "<page number=\"1\"><text>no <b>item</b></text></page><outline>"
               "<item page=\"3\"> One </item><outline><item page=\"4\">Two"
               "</item><item page=\"0\">nowhere</item><item page=\"5\"></item>"
               "</outline><item page=\"6\">Three</item></outline></pdf2xml>"));
    assert_int_equal(pdf_output_end(o, NULL), RC_OK);
    pdf_output_close(o);
    c = pdf_outline_read(buf_str(&form));
    assert_true(pdf_item_read(&c, &item));
    assert_true(str_eq(item.title, STR("One")) && item.page == 3 &&
                item.depth == 1);
    assert_true(pdf_item_read(&c, &item));
    assert_true(str_eq(item.title, STR("Two")) && item.depth == 2);
    assert_true(pdf_item_read(&c, &item));
    assert_true(str_eq(item.title, STR("Three")) && item.depth == 1);
    assert_false(pdf_item_read(&c, &item));
    assert_false(c.bad);
}

/* ---- the file itself ---- */

/* Of bytes behind so many blanks. */
static uint64_t files_in(int blanks, const char *bytes)
{
    struct arena *a = arena_open();
    struct job_in in = job_in_of(arena_fmt(a, "%*s%s", blanks, "", bytes));
    struct cur c;

    buf_close(&form);
    assert_int_equal(pdf_files_work(&in, NULL, a, &form, NULL), RC_OK);
    c = cur_of(buf_str(&form));
    arena_close(a);
    return cur_varint(&c);
}

static void files_in_the_file_are_counted(void **state)
{
    (void)state;
    assert_int_equal(files_in(0, "<</Type /EmbeddedFile /Length 3>>"), 1);
    assert_int_equal(files_in(9, "<</Type\r\n/EmbeddedFile>><<"
                                 "/Type/EmbeddedFile/Length 5>>"),
                     2);
    assert_int_equal(files_in(0, "<</EmbeddedFiles 5 0 R>>"), 0);
    assert_int_equal(files_in(0, "<</Type/EmbeddedFiles>>"), 0);
    assert_int_equal(files_in(0, "(say /EmbeddedFile )"), 0);
    assert_int_equal(files_in(0, "/Type /EmbeddedFile"), 0); /* and then? */
    for (int blanks = 64 * (int)KIB - 100; blanks < 64 * (int)KIB + 10;
         blanks++)
        assert_int_equal(files_in(blanks, "<</Type /EmbeddedFile >>"), 1);
}

/* ---- tesseract ---- */
static void ocr_becomes_a_page_in_points(void **state)
{
    struct pdf_page p;
    struct pdf_line l;

    (void)state;
    assert_int_equal(
        pdf_tsv_read(
            STR("level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\t"
                "left\ttop\twidth\theight\tconf\ttext\n"
                "1\t1\t0\t0\t0\t0\t0\t0\t2550\t3300\t-1\t\n"
                "2\t1\t1\t0\t0\t0\t300\t300\t600\t50\t-1\t\n"
                "3\t1\t1\t1\t0\t0\t300\t300\t600\t50\t-1\t\n"
                "4\t1\t1\t1\t1\t0\t300\t300\t600\t50\t-1\t\n"
                "5\t1\t1\t1\t1\t1\t300\t300\t150\t50\t96.57\tWords\n"
                "5\t1\t1\t1\t1\t2\t500\t300\t150\t50\t90\there\n"
                "5\t1\t1\t1\t1\t3\t700\t300\t10\t5\t3.5\t~\n"
                "5\t1\t1\t1\t1\t4\tx\t300\t10\t5\t90\tbroken\n"),
            300, &form, NULL),
        RC_OK);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
    assert_int_equal(range.pages_n, 1);
    p = page_of();
    assert_int_equal(p.width, 612 * PT);
    assert_int_equal(p.confidence, (96 * 5 + 90 * 4) / 9);
    l = line_of((const int32_t[4]){0});
    assert_int_equal(l.words_n, 2);
    assert_int_equal(l.box[0], 72 * PT);
    assert_int_equal(l.box[3], 84 * PT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_made_is_read, begin, end),
        cmocka_unit_test_setup_teardown(words_nobody_sees_are_counted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_turned_page_is_as_wide_as_it_is_high,
                                        begin, end),
        cmocka_unit_test_setup_teardown(text_that_runs_upwards_has_its_gaps,
                                        begin, end),
        cmocka_unit_test_setup_teardown(text_upside_down_has_its_gaps, begin,
                                        end),
        cmocka_unit_test(numbers_become_units),
        cmocka_unit_test_setup_teardown(boxes_of_words_are_read, begin, end),
        cmocka_unit_test_setup_teardown(what_is_cut_gives_its_whole_pages,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_text_is_dropped, begin, end),
        cmocka_unit_test_setup_teardown(no_entities_are_defined, begin, end),
        cmocka_unit_test_setup_teardown(a_tag_without_end_is_given_up, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_range_is_cut_at_its_limits, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_outline_is_read, begin, end),
        cmocka_unit_test_setup_teardown(files_in_the_file_are_counted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(ocr_becomes_a_page_in_points, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
