#include "extract/pdf_table.h"

#include "base/mem.h"
#include "extract/pdf_pages.h"
#include "extract/pdf_tags.h"

/* A longer row holds no word. */
#define ROW_BYTES_MAX ((size_t)64 * KIB)
#define PIXELS_MAX 1000000
/* Words tesseract believes in less are specks and lines more often than text.*/
#define CONFIDENCE_MIN 20

/* Both write the same columns, but for what stands in the second to fourth
 * place below the page: par, block, line with pdftotext, block, par, line with
 * tesseract. Behind them comes the text. */
enum {
    LEVEL,
    PAGE,
    GROUPS, /* three */
    WORD = 5,
    LEFT,
    TOP,
    WIDTH,
    HEIGHT,
    CONFIDENCE,
    CELLS,
};
enum level { LEVEL_PAGE = 1, LEVEL_BLOCK, LEVEL_PAR, LEVEL_LINE, LEVEL_WORD };

struct pdf_table {
    struct pdf_maker *maker;
    struct buf rest; /* of a row that goes on */
    bool skips;      /* its start was too long to be kept */
    bool in_page;
    struct buf text; /* of a word that had to be cleaned */
    /* pdftotext */
    uint64_t flow;
    /* tesseract */
    unsigned dpi;
    uint64_t confidence, words; /* of the page; words weigh by their bytes */
};

struct row {
    str cells[CELLS];
    uint64_t level;
    str text;
};

/* False: it is the head, or none. */
static bool row_read(str s, struct row *r)
{
    for (size_t i = 0; i < CELLS; i++)
        if (!str_cut(s, '\t', &r->cells[i], &s))
            return false;
    r->text = s;
    return str_to_u64(r->cells[LEVEL], LEVEL_WORD, &r->level);
}

static void page_end(struct pdf_table *t)
{
    if (!t->in_page)
        return;
    /* A page that was read and holds nothing is one that was read, too. */
    if (t->dpi > 0)
        pdf_maker_read_from_picture(
            t->maker, t->words == 0 ? 1 : (unsigned)(t->confidence / t->words));
    pdf_maker_page_end(t->maker);
    t->in_page = false;
}

static void page_begin(struct pdf_table *t, int32_t width, int32_t height)
{
    page_end(t);
    pdf_maker_page(t->maker, width, height);
    t->in_page = true;
    t->confidence = t->words = 0;
    t->flow = UINT64_MAX;
}

/* ---- pdftotext ---- */

/* White space is no part of a word, and one of it alone is none. */
static void words_put(struct pdf_table *t, const int32_t box[4], str s)
{
    for (size_t at = 0, end; at < s.n; at = end + 1) {
        for (end = at;
             end < s.n && (unsigned char)s.p[end] > ' ' && s.p[end] != 0x7f;
             end++)
            ;
        if (end > at)
            pdf_maker_word(t->maker, box, str_sub(s, at, end - at));
    }
}

static void points_word(struct pdf_table *t, const struct row *r)
{
    int64_t left = pdf_micros(r->cells[LEFT]);
    int64_t top = pdf_micros(r->cells[TOP]);
    int32_t box[4] = {
        pdf_units(left, false), pdf_units(top, false),
        pdf_units(pdf_micros_add(left, pdf_micros(r->cells[WIDTH])), true),
        pdf_units(pdf_micros_add(top, pdf_micros(r->cells[HEIGHT])), true)};

    words_put(t, box, pdf_text(r->text, &t->text));
}

/* A row of level 3 begins a block, whose flow stands in the next cell. */
static void points_block(struct pdf_table *t, const struct row *r)
{
    uint64_t flow;

    pdf_maker_break(t->maker, PDF_BLOCK);
    if (!str_to_u64(r->cells[GROUPS], UINT32_MAX, &flow) || flow == t->flow)
        return;
    pdf_maker_break(t->maker, PDF_FLOW);
    t->flow = flow;
}

static void points_row(struct pdf_table *t, const struct row *r)
{
    switch (r->level) {
    case LEVEL_PAGE:
        page_begin(t, pdf_units(pdf_micros(r->cells[WIDTH]), true),
                   pdf_units(pdf_micros(r->cells[HEIGHT]), true));
        break;
    case LEVEL_PAR:
        points_block(t, r);
        break;
    case LEVEL_LINE:
        pdf_maker_break(t->maker, PDF_LINE);
        break;
    case LEVEL_WORD:
        points_word(t, r);
        break;
    default:
        break;
    }
}

/* ---- tesseract ---- */

static int32_t pixels(const struct pdf_table *t, uint64_t n)
{
    uint64_t units = (n * 72 * PDF_UNIT + t->dpi / 2) / t->dpi;

    return units > PDF_PLACE_MAX ? PDF_PLACE_MAX + 1 : (int32_t)units;
}

/* Confidence may have a fraction and be -1. */
static bool pixels_read(const struct row *r, uint64_t v[CELLS])
{
    for (size_t i = 0; i < CELLS; i++) {
        str cell = r->cells[i];

        if (i == CONFIDENCE)
            cell = str_sub(cell, 0, str_find_char(cell, '.'));
        if (i == CONFIDENCE && str_starts(cell, STR("-")))
            v[i] = 0;
        else if (!str_to_u64(cell, PIXELS_MAX, &v[i]))
            return false;
    }
    return true;
}

static void pixels_word(struct pdf_table *t, const uint64_t v[CELLS], str text)
{
    int32_t box[4] = {pixels(t, v[LEFT]), pixels(t, v[TOP]),
                      pixels(t, v[LEFT] + v[WIDTH]),
                      pixels(t, v[TOP] + v[HEIGHT])};
    uint64_t confidence = v[CONFIDENCE] > 100 ? 100 : v[CONFIDENCE];

    text = str_trim(pdf_text(text, &t->text));
    if (confidence < CONFIDENCE_MIN || text.n == 0 ||
        str_find_char(text, ' ') < text.n)
        return;
    t->confidence += confidence * text.n;
    t->words += text.n;
    pdf_maker_word(t->maker, box, text);
}

static void pixels_row(struct pdf_table *t, const struct row *r)
{
    uint64_t v[CELLS];

    if (!pixels_read(r, v))
        return;
    switch (r->level) {
    case LEVEL_PAGE:
        page_begin(t, pixels(t, v[WIDTH]), pixels(t, v[HEIGHT]));
        break;
    case LEVEL_BLOCK:
        pdf_maker_break(t->maker, PDF_FLOW | PDF_BLOCK | PDF_LINE);
        break;
    case LEVEL_PAR:
        pdf_maker_break(t->maker, PDF_BLOCK | PDF_LINE);
        break;
    case LEVEL_LINE:
        pdf_maker_break(t->maker, PDF_LINE);
        break;
    case LEVEL_WORD:
        pixels_word(t, v, r->text);
        break;
    default:
        break;
    }
}

/* ---- rows ---- */

static void row_take(struct pdf_table *t, str s)
{
    struct row r;

    if (t->skips) {
        t->skips = false;
        return;
    }
    if (!row_read(s, &r))
        return;
    if (t->dpi == 0)
        points_row(t, &r);
    else
        pixels_row(t, &r);
}

static void rest_keep(struct pdf_table *t, str s)
{
    if (t->skips)
        return;
    if (t->rest.n + s.n > ROW_BYTES_MAX) {
        t->skips = true;
        buf_clear(&t->rest);
        return;
    }
    buf_put(&t->rest, s);
}

struct pdf_table *pdf_table_open(unsigned dpi, struct buf *to)
{
    struct pdf_table *t = mem_alloc(sizeof *t);

    t->maker = pdf_maker_open(to);
    t->dpi = dpi;
    return t;
}

void pdf_table_put(struct pdf_table *t, str bytes)
{
    while (bytes.n > 0) {
        size_t n = str_find_char(bytes, '\n');
        str s = str_sub(bytes, 0, n);

        if (n == bytes.n) {
            rest_keep(t, s);
            return;
        }
        if (t->rest.n > 0) {
            rest_keep(t, s);
            s = buf_str(&t->rest);
        }
        row_take(t, s);
        buf_clear(&t->rest);
        bytes = str_sub(bytes, n + 1, bytes.n);
    }
}

rc pdf_table_end(struct pdf_table *t, struct err *e)
{
    page_end(t);
    return pdf_maker_end(t->maker, t->rest.n > 0 || t->skips, e);
}

void pdf_table_close(struct pdf_table *t)
{
    if (t == NULL)
        return;
    buf_close(&t->rest);
    buf_close(&t->text);
    pdf_maker_close(t->maker);
    mem_free(t);
}
