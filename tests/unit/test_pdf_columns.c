/* Columns whose paragraphs stand in rows, as poppler gives them: row by row. */
#include "extract/pdf_layout.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "extract/pdf_pages.h"

#define PT PDF_UNIT
#define LINE_PT 12 /* from line to line */
#define TYPE_PT 10

/* Rows of pieces of text, each of them named by a letter: "a b / c d". */
struct grid {
    unsigned rows, columns;
    unsigned lines;     /* of a piece */
    unsigned width, at; /* of a piece, and from one column to the next */
    unsigned gap;       /* between rows */
    unsigned short_by;  /* each line but the last ends so much sooner */
};

static void word(struct pdf_maker *m, unsigned x, unsigned y, unsigned width,
                 str text)
{
    const int32_t box[4] = {(int32_t)x * PT, (int32_t)y * PT,
                            (int32_t)(x + width) * PT,
                            (int32_t)(y + TYPE_PT) * PT};

    pdf_maker_word(m, box, text);
}

/* Ends with a full stop, so that each piece is a paragraph. */
static void piece(struct pdf_maker *m, const struct grid *g, unsigned x,
                  unsigned y, char name)
{
    pdf_maker_break(m, PDF_FLOW | PDF_BLOCK);
    for (unsigned i = 0; i < g->lines; i++, y += LINE_PT) {
        bool last = i + 1 == g->lines;

        pdf_maker_break(m, PDF_LINE);
        if (i == 0)
            word(m, x, y, 5, (str){&name, 1});
        else
            word(m, x, y, 5, STR("so"));
        word(m, x + 8, y, g->width - 8 - (i == 1 ? 0 : g->short_by),
             last ? STR("filler.") : STR("filler"));
    }
}

/* The names in the order the document has them. */
static void assert_order(const struct grid *g, const char *order)
{
    struct buf form = {0}, parts = {0}, names = {0};
    struct pdf_maker *m = pdf_maker_open(&form);
    struct arena *a = arena_open();
    unsigned height = g->lines * LINE_PT - LINE_PT + TYPE_PT + g->gap;
    struct doc d;
    char name = 'a';

    pdf_maker_page(m, 1000 * PT, 1000 * PT);
    for (unsigned row = 0; row < g->rows; row++) {
        for (unsigned column = 0; column < g->columns; column++)
            piece(m, g, 50 + column * g->at, 50 + row * height, name++);
    }
    pdf_maker_page_end(m);
    assert_int_equal(pdf_maker_end(m, false, NULL), RC_OK);
    pdf_maker_close(m);
    pdf_part_put(&parts, PDF_PART_RANGE, 1, buf_str(&form));
    assert_int_equal(pdf_layout(buf_str(&parts), a, &d, NULL), RC_OK);
    for (size_t i = 0; i < d.text.n; i++) {
        if ((i == 0 || d.text.p[i - 1] <= ' ') && i + 1 < d.text.n &&
            d.text.p[i + 1] == ' ')
            buf_put_char(&names, d.text.p[i]);
    }
    buf_put_char(&names, '\0');
    assert_string_equal(names.p, order);
    buf_close(&form);
    buf_close(&parts);
    buf_close(&names);
    arena_close(a);
}

/* Two columns of three paragraphs of four lines each. */
static const struct grid PROSE = {
    .rows = 3, .columns = 2, .lines = 4, .width = 200, .at = 220, .gap = 12};

static void prose_is_read_column_by_column(void **state)
{
    struct grid g = PROSE;

    (void)state;
    assert_order(&g, "acebdf");
    g.columns = 3;
    assert_order(&g, "adgbehcfi");
    g.rows = 1;
    assert_order(&g, "abc");
}

static void rows_that_stand_apart_stay_rows(void **state)
{
    struct grid g = PROSE;

    (void)state;
    g.gap = 40;
    assert_order(&g, "abcdef");
}

static void a_table_stays_in_rows(void **state)
{
    struct grid g = PROSE;

    (void)state;
    g.lines = 2; /* cells of a line or two */
    assert_order(&g, "abcdef");
    g = PROSE;
    g.width = 80; /* narrow ones */
    assert_order(&g, "abcdef");
    g = PROSE;
    g.short_by = 100; /* lines that were not filled */
    assert_order(&g, "abcdef");
    g = PROSE;
    g.columns = 5; /* more than prose has */
    g.at = 150;
    g.width = 140;
    assert_order(&g, "abcdefghijklmno");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prose_is_read_column_by_column),
        cmocka_unit_test(rows_that_stand_apart_stay_rows),
        cmocka_unit_test(a_table_stays_in_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
