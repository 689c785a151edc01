/* Words of pages: made, written, read; and the readers of programs' output. */
#include "extract/pdf_pages.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "extract/pdf_about.h"
#include "extract/pdf_html.h"
#include "extract/pdf_jobs.h"
#include "extract/pdf_outline.h"
#include "extract/pdf_table.h"

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

static int32_t units(const char *number, bool up)
{
    return pdf_units(pdf_micros(str_of(number)), up);
}

static void numbers_become_units(void **state)
{
    (void)state;
    assert_int_equal(units("1.000000", false), PT);
    assert_int_equal(units("1.01", false), PT);
    assert_int_equal(units("1.01", true), PT + 1);
    assert_int_equal(units("-1.01", true), -PT);
    assert_int_equal(units("-1.01", false), -PT - 1);
    assert_int_equal(units("0.000000", true), 0);
    assert_int_equal(units("1000000", true), PDF_PLACE_MAX);
    assert_int_equal(units("1000001", true), PDF_PLACE_MAX + 1);
    assert_int_equal(units("99999999999999999999", true), PDF_PLACE_MAX + 1);
    assert_int_equal(units("nan", true), PDF_PLACE_MAX + 1);
    assert_int_equal(units("", true), PDF_PLACE_MAX + 1);
    assert_int_equal(units("1e9", true), PDF_PLACE_MAX + 1);
    assert_true(pdf_micros_add(pdf_micros(STR("1.5")),
                               pdf_micros(STR("0.25"))) == 1750000);
    assert_true(pdf_micros_add(pdf_micros(STR("999999")),
                               pdf_micros(STR("2"))) == PDF_MICROS_NONE);
    assert_true(pdf_micros_add(PDF_MICROS_NONE, 1) == PDF_MICROS_NONE);
}

/* ---- pdftotext ---- */

#define HEAD                                                               \
    "level\tpage_num\tpar_num\tblock_num\tline_num\tword_num\tleft\ttop\t" \
    "width\theight\tconf\ttext\n"
#define PAGE                                                             \
    "1\t1\t0\t0\t0\t0\t0.000000\t0.000000\t612.000000\t792.000000\t-1\t" \
    "###PAGE###\n"
#define BLOCK(flow) \
    "3\t1\t" flow "\t0\t0\t0\t90.5\t50.0\t29.5\t10.0\t-1\t###FLOW###\n"
#define LINE "4\t1\t0\t0\t0\t0\t90.5\t50.0\t29.5\t10.0\t-1\t###LINE###\n"
#define WORD(text) \
    "5\t1\t0\t0\t0\t0\t90.50\t50.00\t29.50\t10.00\t100\t" text "\n"

static void read_table(unsigned dpi, str rows)
{
    struct pdf_table *t;

    buf_close(&form);
    t = pdf_table_open(dpi, &form);
    pdf_table_put(t, rows);
    assert_int_equal(pdf_table_end(t, NULL), RC_OK);
    pdf_table_close(t);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
}

static void boxes_of_words_are_read(void **state)
{
    struct pdf_line l;

    (void)state;
    read_table(0, STR(HEAD PAGE BLOCK("0") LINE WORD("a<b&amp;") LINE WORD("c")
                          BLOCK("0") LINE WORD("d") BLOCK("1") LINE WORD("e")));
    assert_false(range.cut);
    assert_int_equal(range.pages_n, 1);
    assert_int_equal(page_of().lines_n, 4);
    l = line_of((const int32_t[4]){0});
    assert_memory_equal(
        l.box, ((int32_t[]){90 * PT + PT / 2, 50 * PT, 120 * PT, 60 * PT}), 16);
    assert_int_equal(l.breaks, PDF_LINE | PDF_BLOCK | PDF_FLOW);
    assert_true(str_eq(word_of().text, STR("a<b&amp;")));
    l = line_of(l.box);
    assert_int_equal(l.breaks, PDF_LINE);
    (void)word_of();
    l = line_of(l.box);
    assert_int_equal(l.breaks, PDF_LINE | PDF_BLOCK);
    (void)word_of();
    l = line_of(l.box);
    assert_int_equal(l.breaks, PDF_LINE | PDF_BLOCK | PDF_FLOW);
}

static void what_is_cut_gives_its_whole_rows(void **state)
{
    (void)state;
    read_table(0, STR(HEAD PAGE BLOCK("0") LINE WORD("a") PAGE BLOCK("0")
                          LINE WORD("b") "5\t1\t0\t0"));
    assert_true(range.cut);
    assert_int_equal(range.pages_n, 2);
    (void)page_of();
    (void)line_of((const int32_t[4]){0});
    (void)word_of();
    assert_int_equal(page_of().lines_n, 1);
    read_table(0, STR(""));
    assert_int_equal(range.pages_n, 0);
    read_table(0, STR(HEAD));
    assert_int_equal(range.pages_n, 0);
}

static void what_is_no_text_is_dropped(void **state)
{
    (void)state;
    read_table(0, STR(HEAD PAGE BLOCK("0")
                          LINE WORD("a\x01\xff\xed\xa0\x80z\xef\xbf\xbf")
                              WORD("\x03") WORD("\xc3\xa4\xf0\x9f\x98\x80 x\ty")
                                  WORD("\n5\tno row") "5\tnor this\n"));
    assert_int_equal(range.pages_n, 1);
    (void)page_of();
    assert_int_equal(line_of((const int32_t[4]){0}).words_n, 4);
    assert_true(str_eq(word_of().text, STR("az")));
    assert_true(str_eq(word_of().text, STR("\xc3\xa4\xf0\x9f\x98\x80")));
    assert_true(str_eq(word_of().text, STR("x")));
    assert_true(str_eq(word_of().text, STR("y")));
}

static void a_row_without_end_is_given_up(void **state)
{
    struct pdf_table *t = pdf_table_open(0, &form);
    static char block[64 * KIB];

    (void)state;
    memset(block, 'a', sizeof block);
    pdf_table_put(t, STR(HEAD PAGE BLOCK("0") LINE "5\t1\t"));
    for (unsigned i = 0; i < 10000; i++) /* 625 MiB, were it kept */
        pdf_table_put(t, (str){block, sizeof block});
    pdf_table_put(t, STR("\n" WORD("b") "5"));
    assert_int_equal(pdf_table_end(t, NULL), RC_OK);
    pdf_table_close(t);
    assert_int_equal(pdf_range_read(buf_str(&form), &range, NULL), RC_OK);
    assert_true(range.cut);
    (void)page_of();
    (void)line_of((const int32_t[4]){0});
    assert_true(str_eq(word_of().text, STR("b")));
}

/* ---- pdfinfo ---- */

static void title_and_dates_are_read(void **state)
{
    struct pdf_about about;
    struct buf cut = {0};

    (void)state;
    assert_int_equal(
        pdf_about_make(STR("Titles:          no\n"
                           "Title:           T & \x02U\xff  \n"
                           "CreationDate:    2024-01-31T12:00:00Z\n"
                           "Title:           another\n"),
                       &form, NULL),
        RC_OK);
    assert_true(pdf_about_read(buf_str(&form), &about));
    assert_true(str_eq(about.title, STR("T & U")));
    assert_true(str_eq(about.created, STR("2024-01-31T12:00:00Z")));
    assert_int_equal(about.modified.n, 0);
    for (size_t n = 0; n < form.n; n++)
        assert_false(pdf_about_read(str_sub(buf_str(&form), 0, n), &about));
    assert_int_equal(pdf_about_make(STR(""), &cut, NULL), RC_OK);
    assert_true(pdf_about_read(buf_str(&cut), &about));
    assert_int_equal(about.title.n, 0);
    buf_close(&cut);
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
    struct pdf_html *h = pdf_html_open(&form);
    struct pdf_item item;
    struct cur c;

    (void)state;
    pdf_html_put(
        h, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?><pdf2xml>"
               "<page number=\"1\"><text>no <b>item</b></text></page><outline>"
               "<item page=\"3\"> One </item><outline><item page=\"4\">Two"
               "</item><item page=\"0\">nowhere</item><item page=\"5\"></item>"
               "</outline><item page=\"6\">Three</item></outline></pdf2xml>"));
    assert_int_equal(pdf_html_end(h, NULL), RC_OK);
    pdf_html_close(h);
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
    read_table(300,
               STR("level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\t"
                   "left\ttop\twidth\theight\tconf\ttext\n"
                   "1\t1\t0\t0\t0\t0\t0\t0\t2550\t3300\t-1\t\n"
                   "2\t1\t1\t0\t0\t0\t300\t300\t600\t50\t-1\t\n"
                   "3\t1\t1\t1\t0\t0\t300\t300\t600\t50\t-1\t\n"
                   "4\t1\t1\t1\t1\t0\t300\t300\t600\t50\t-1\t\n"
                   "5\t1\t1\t1\t1\t1\t300\t300\t150\t50\t96.57\tWords\n"
                   "5\t1\t1\t1\t1\t2\t500\t300\t150\t50\t90\there\n"
                   "5\t1\t1\t1\t1\t3\t700\t300\t10\t5\t3.5\t~\n"
                   "5\t1\t1\t1\t1\t4\tx\t300\t10\t5\t90\tbroken\n"));
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
        cmocka_unit_test_setup_teardown(what_is_cut_gives_its_whole_rows, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_no_text_is_dropped, begin, end),
        cmocka_unit_test_setup_teardown(a_row_without_end_is_given_up, begin,
                                        end),
        cmocka_unit_test_setup_teardown(title_and_dates_are_read, begin, end),
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
