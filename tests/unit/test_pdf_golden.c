/* What pdftotext, pdfinfo and pdftohtml said of three documents, to a document, against
 * the listing NAME.expected (tests/golden/pdf/make.py made the inputs). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "extract/pdf_about.h"
#include "extract/pdf_html.h"
#include "extract/pdf_layout.h"
#include "extract/pdf_table.h"

#define DIR_PATH "tests/golden/pdf"

/* In pieces of a size that cuts tags and signs. */
static void part_of(struct arena *a, const char *path, enum pdf_part kind,
                    struct buf *parts)
{
    struct pdf_table *t;
    struct pdf_html *h;
    struct buf made = {0};
    str s;

    assert_int_equal(file_read(path, MIB, a, &s, NULL), RC_OK);
    if (kind == PDF_PART_ABOUT) {
        assert_int_equal(pdf_about_make(s, &made, NULL), RC_OK);
    } else if (kind == PDF_PART_OUTLINE) {
        h = pdf_html_open(&made);
        for (size_t at = 0; at < s.n; at += 61)
            pdf_html_put(h, str_sub(s, at, 61));
        assert_int_equal(pdf_html_end(h, NULL), RC_OK);
        pdf_html_close(h);
    } else {
        t = pdf_table_open(0, &made);
        for (size_t at = 0; at < s.n; at += 61)
            pdf_table_put(t, str_sub(s, at, 61));
        assert_int_equal(pdf_table_end(t, NULL), RC_OK);
        pdf_table_close(t);
    }
    pdf_part_put(parts, kind, 1, buf_str(&made));
    buf_close(&made);
}

static void list_doc(const struct doc *d, struct buf *to)
{
    buf_fmt(to,
            "title: " STR_FMT "\ncreated: " STR_FMT "\nmodified: " STR_FMT
            "\npages: %u\n",
            STR_ARG(d->title), STR_ARG(d->created), STR_ARG(d->modified),
            d->pages);
    for (size_t i = 0; i < d->flags_n; i++) {
        const struct doc_flag *f = &d->flags[i];

        buf_fmt(to, "%s: %u%s from page %u: " STR_FMT "\n",
                DOC_FLAG_NAMES[f->kind], f->count,
                f->dropped ? " left out" : "", f->page, STR_ARG(f->sample));
    }
    buf_fmt(to, "\n" STR_FMT "\n", STR_ARG(d->text));
    for (size_t i = 0; i < d->lines_n; i++) {
        const struct doc_line *l = &d->lines[i];

        buf_fmt(to, "%u %.2f %.2f %.2f %.2f |" STR_FMT "|\n", l->page,
                (double)l->box[0], (double)l->box[1], (double)l->box[2],
                (double)l->box[3],
                STR_ARG(str_sub(d->text, l->start, l->end - l->start)));
    }
}

static void compare_one(const char *name)
{
    struct arena *a = arena_open();
    const char *golden = getenv("GOLDEN"), *why;
    str base = arena_fmt(a, DIR_PATH "/%s", name), want;
    str expected = arena_fmt(a, STR_FMT ".expected", STR_ARG(base));
    struct buf parts = {0}, got = {0};
    struct doc d;

    part_of(a, arena_fmt(a, STR_FMT ".outline", STR_ARG(base)).p,
            PDF_PART_OUTLINE, &parts);
    part_of(a, arena_fmt(a, STR_FMT ".about", STR_ARG(base)).p, PDF_PART_ABOUT,
            &parts);
    part_of(a, arena_fmt(a, STR_FMT ".tsv", STR_ARG(base)).p, PDF_PART_RANGE,
            &parts);
    assert_int_equal(pdf_layout(buf_str(&parts), a, &d, NULL), RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s: %s", name, why);
    list_doc(&d, &got);
    if (golden != NULL && str_eq(str_of(golden), STR("write"))) {
        assert_int_equal(
            file_write_atomic(expected.p, buf_str(&got), 0644, NULL), RC_OK);
    } else {
        assert_int_equal(file_read(expected.p, MIB, a, &want, NULL), RC_OK);
        if (!str_eq(want, buf_str(&got)))
            fail_msg("%s differs; got:\n" STR_FMT, expected.p,
                     STR_ARG(buf_str(&got)));
    }
    buf_close(&parts);
    buf_close(&got);
    arena_close(a);
}

static void a_book_has_chapters_code_and_lists(void **state)
{
    (void)state;
    compare_one("book");
}

static void columns_are_read_one_after_the_other(void **state)
{
    (void)state;
    compare_one("columns");
}

static void words_nobody_sees_are_left_out(void **state)
{
    (void)state;
    compare_one("hidden");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_book_has_chapters_code_and_lists),
        cmocka_unit_test(columns_are_read_one_after_the_other),
        cmocka_unit_test(words_nobody_sees_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
