/* What poppler's programs and tesseract write, lies included, and the forms
 * made of it: whatever they hold, the join gives a document that keeps what
 * doc.h promises. The first byte says what the rest is. */
#include <stdint.h>

#include "extract/pdf_about.h"
#include "extract/pdf_fonts.h"
#include "extract/pdf_html.h"
#include "extract/pdf_jobs.h"
#include "extract/pdf_layout.h"
#include "extract/pdf_pages.h"
#include "extract/pdf_table.h"

static struct arena *a;
static struct buf made, parts;

static void check_layout(str s)
{
    struct doc d;
    const char *why;

    if (pdf_layout(s, a, &d, NULL) == RC_OK)
        ASSERT(doc_check(&d, &why));
}

/* What a reader of ours made is never damaged. */
static void check_range(str range)
{
    struct pdf_range r;
    struct pdf_page p;
    struct pdf_line l;
    struct pdf_word w;
    struct doc d;

    ASSERT(pdf_range_read(range, &r, NULL) == RC_OK);
    for (unsigned i = 0; i < r.pages_n; i++) {
        int32_t box[4] = {0};

        ASSERT(pdf_page_read(&r.at, &p));
        for (uint32_t k = 0; k < p.lines_n; k++) {
            ASSERT(pdf_line_read(&r.at, &l, box));
            memcpy(box, l.box, sizeof box);
            for (uint32_t n = 0; n < l.words_n; n++)
                ASSERT(pdf_word_read(&r.at, &w));
        }
    }
    buf_clear(&parts);
    pdf_part_put(&parts, PDF_PART_RANGE, 1, range);
    ASSERT(pdf_layout(buf_str(&parts), a, &d, NULL) == RC_OK);
    check_layout(buf_str(&parts));
}

/* In pieces of the size the second byte says. */
static void read_table(unsigned dpi, str s)
{
    struct pdf_table *t = pdf_table_open(dpi, &made);
    size_t n = s.n > 0 ? 1 + (uint8_t)s.p[0] : 1;

    for (size_t at = 1; at < s.n; at += n)
        pdf_table_put(t, str_sub(s, at, n));
    ASSERT(pdf_table_end(t, NULL) == RC_OK);
    pdf_table_close(t);
}

static void read_outline(str s)
{
    struct pdf_html *h = pdf_html_open(&made);
    size_t n = s.n > 0 ? 1 + (uint8_t)s.p[0] : 1;

    for (size_t at = 1; at < s.n; at += n)
        pdf_html_put(h, str_sub(s, at, n));
    ASSERT(pdf_html_end(h, NULL) == RC_OK);
    pdf_html_close(h);
}

static void read_about(str s)
{
    struct pdf_about about;

    ASSERT(pdf_about_make(s, &made, NULL) == RC_OK);
    ASSERT(pdf_about_read(buf_str(&made), &about));
    (void)pdf_about_read(s, &about);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str s = {(const char *)data + 1, size - 1};
    struct job_params p = {.dpi = 300};
    struct arena_mark m;
    struct job_in in;

    if (size == 0)
        return 0;
    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    buf_clear(&made);
    buf_clear(&parts);
    switch (data[0] % 7) {
    case 0:
        read_table(0, s);
        check_range(buf_str(&made));
        break;
    case 1: /* an outline of a page that is there */
        read_outline(s);
        pdf_part_put(&parts, PDF_PART_OUTLINE, 0, buf_str(&made));
        check_layout(buf_str(&parts));
        break;
    case 2:
        read_table(300, s);
        check_range(buf_str(&made));
        break;
    case 3:
        check_layout(s);
        break;
    case 4:
        in = job_in_of(s);
        ASSERT(pdf_ink_work(&in, &p, a, &made, NULL) == RC_OK);
        break;
    case 5:
        read_about(s);
        pdf_part_put(&parts, PDF_PART_ABOUT, 0, buf_str(&made));
        check_layout(buf_str(&parts));
        break;
    case 6:
        ASSERT(pdf_fonts_update(s, &made, NULL) == RC_OK);
        break;
    default:
        break;
    }
    arena_rewind(a, m);
    return 0;
}
