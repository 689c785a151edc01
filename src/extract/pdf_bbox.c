#include "extract/pdf_bbox.h"

#include "base/mem.h"
#include "extract/pdf_outline.h"
#include "extract/pdf_pages.h"
#include "extract/pdf_tags.h"
#include "text/utf8.h"

#define OUTLINE_DEPTH_MAX 1000
#define ABOUT_BYTES_MAX (4 * KIB)

/* The element whose text comes next. */
enum open { OPEN_NONE, OPEN_WORD, OPEN_TITLE, OPEN_ITEM };

struct pdf_output {
    struct pdf_tags tags;
    struct buf *to;
    struct buf text; /* of the element that is open */
    enum open open;
    /* bbox */
    struct pdf_maker *maker; /* NULL: an outline is read */
    bool whole;              /* the last element has ended */
    int32_t box[4];          /* of the word that is open */
    struct buf title, dates[2];
    /* outline */
    unsigned outlines; /* how deep */
    uint32_t page;
    size_t items_n;
};

/* ---- bbox ---- */

static void box_read(str attributes, int32_t box[4])
{
    static const str NAMES[] = {STR_INIT("xMin"), STR_INIT("yMin"),
                                STR_INIT("xMax"), STR_INIT("yMax")};

    for (size_t k = 0; k < 4; k++)
        box[k] = pdf_units(pdf_tag_value(&attributes, NAMES[k]), k >= 2);
}

static void page_begin(struct pdf_output *o, str attributes)
{
    int32_t width = pdf_units(pdf_tag_value(&attributes, STR("width")), true);

    pdf_maker_page(o->maker, width,
                   pdf_units(pdf_tag_value(&attributes, STR("height")), true));
}

static void keep(struct buf *to, str text)
{
    buf_clear(to);
    buf_put(to, str_sub(text, 0, ABOUT_BYTES_MAX));
}

static void meta_read(struct pdf_output *o, str attributes)
{
    str name = pdf_tag_value(&attributes, STR("name"));
    str content = pdf_tag_value(&attributes, STR("content"));

    if (str_eq(name, STR("CreationDate")))
        keep(&o->dates[0], pdf_tag_text(content, &o->text));
    else if (str_eq(name, STR("ModDate")))
        keep(&o->dates[1], pdf_tag_text(content, &o->text));
}

/* White space is no part of a word, and one of it alone is none. */
static void words_put(struct pdf_output *o, str s)
{
    for (size_t at = 0, end; at < s.n; at = end + 1) {
        for (end = at;
             end < s.n && (unsigned char)s.p[end] > ' ' && s.p[end] != 0x7f;
             end++)
            ;
        if (end > at)
            pdf_maker_word(o->maker, o->box, str_sub(s, at, end - at));
    }
}

static bool bbox_take(void *user, const struct pdf_tag *tag)
{
    struct pdf_output *o = user;
    enum open open = o->open;

    o->open = OPEN_NONE;
    if (str_eq(tag->name, STR("word"))) {
        box_read(tag->attributes, o->box);
        o->open = OPEN_WORD;
    } else if (str_eq(tag->name, STR("/word"))) {
        if (open == OPEN_WORD)
            words_put(o, pdf_tag_text(tag->before, &o->text));
    } else if (str_eq(tag->name, STR("line"))) {
        pdf_maker_break(o->maker, PDF_LINE);
    } else if (str_eq(tag->name, STR("block"))) {
        pdf_maker_break(o->maker, PDF_BLOCK);
    } else if (str_eq(tag->name, STR("flow"))) {
        pdf_maker_break(o->maker, PDF_FLOW);
    } else if (str_eq(tag->name, STR("page"))) {
        page_begin(o, tag->attributes);
    } else if (str_eq(tag->name, STR("/page"))) {
        pdf_maker_page_end(o->maker);
    } else if (str_eq(tag->name, STR("title"))) {
        o->open = OPEN_TITLE;
    } else if (str_eq(tag->name, STR("/title"))) {
        if (open == OPEN_TITLE)
            keep(&o->title, pdf_tag_text(tag->before, &o->text));
    } else if (str_eq(tag->name, STR("meta"))) {
        meta_read(o, tag->attributes);
    } else if (str_eq(tag->name, STR("/html"))) {
        o->whole = true;
        return false;
    }
    return true;
}

/* ---- outline ---- */

static void item_begin(struct pdf_output *o, str attributes)
{
    uint64_t page;

    o->page =
        str_to_u64(pdf_tag_value(&attributes, STR("page")), UINT32_MAX, &page)
            ? (uint32_t)page
            : 0;
    o->open = OPEN_ITEM;
}

static bool item_end(struct pdf_output *o, str title)
{
    if (o->items_n >= PDF_OUTLINE_ITEMS_MAX ||
        o->to->n >= PDF_OUTLINE_BYTES_MAX)
        return false;
    o->items_n++;
    pdf_outline_put(o->to, &(struct pdf_item){.depth = o->outlines,
                                              .page = o->page,
                                              .title = title});
    return true;
}

static bool outline_take(void *user, const struct pdf_tag *tag)
{
    struct pdf_output *o = user;
    enum open open = o->open;

    o->open = OPEN_NONE;
    if (str_eq(tag->name, STR("item")))
        item_begin(o, tag->attributes);
    else if (str_eq(tag->name, STR("/item")) && open == OPEN_ITEM)
        return item_end(o, pdf_tag_text(tag->before, &o->text));
    else if (str_eq(tag->name, STR("outline")))
        return ++o->outlines <= OUTLINE_DEPTH_MAX;
    else if (str_eq(tag->name, STR("/outline")) && o->outlines > 0)
        o->outlines--;
    return true;
}

/* ---- bytes ---- */

static struct pdf_output *output_open(struct buf *to, pdf_tag_take *take)
{
    struct pdf_output *o = mem_alloc(sizeof *o);

    o->to = to;
    o->tags.take = take;
    o->tags.user = o;
    return o;
}

struct pdf_output *pdf_bbox_open(struct buf *to)
{
    struct pdf_output *o = output_open(to, bbox_take);

    o->maker = pdf_maker_open(to);
    return o;
}

struct pdf_output *pdf_outline_open(struct buf *to)
{
    struct pdf_output *o = output_open(to, outline_take);

    pdf_outline_begin(to);
    return o;
}

void pdf_output_put(struct pdf_output *o, str bytes)
{
    pdf_tags_put(&o->tags, bytes);
}

rc pdf_output_end(struct pdf_output *o, struct err *e)
{
    if (o->maker == NULL) {
        pdf_outline_end(o->to);
        return buf_end(o->to, e);
    }
    pdf_maker_about(o->maker, buf_str(&o->title), buf_str(&o->dates[0]),
                    buf_str(&o->dates[1]));
    return pdf_maker_end(o->maker, !o->whole, e);
}

void pdf_output_close(struct pdf_output *o)
{
    if (o == NULL)
        return;
    pdf_tags_close(&o->tags);
    buf_close(&o->text);
    buf_close(&o->title);
    buf_close(&o->dates[0]);
    buf_close(&o->dates[1]);
    pdf_maker_close(o->maker);
    mem_free(o);
}

/* ---- tesseract ---- */

enum {
    TSV_LEVEL,
    TSV_PAGE,
    TSV_BLOCK,
    TSV_PAR,
    TSV_LINE,
    TSV_WORD,
    TSV_LEFT,
    TSV_TOP,
    TSV_WIDTH,
    TSV_HEIGHT,
    TSV_CONF,
    TSV_NUMBERS,
};
#define TSV_LEVEL_PAGE 1
#define TSV_LEVEL_BLOCK 2
#define TSV_LEVEL_PAR 3
#define TSV_LEVEL_LINE 4
#define TSV_LEVEL_WORD 5
#define PIXELS_MAX 1000000
/* Words tesseract believes in less are specks and lines more often than text.*/
#define CONFIDENCE_MIN 20

struct tsv {
    struct pdf_maker *maker;
    unsigned dpi;
    bool in_page;
    uint64_t confidence, words; /* of the page; words weigh by their bytes */
};

/* Numbers of a row; false: it is the head, or none. The last may have a
 * fraction and be -1. */
static bool row_read(str row, uint64_t v[TSV_NUMBERS], str *text)
{
    str cell;

    for (size_t i = 0; i < TSV_NUMBERS; i++) {
        if (!str_cut(row, '\t', &cell, &row))
            return false;
        if (i == TSV_CONF)
            cell = str_sub(cell, 0, str_find_char(cell, '.'));
        if (i == TSV_CONF && str_starts(cell, STR("-")))
            v[i] = 0;
        else if (!str_to_u64(cell, PIXELS_MAX, &v[i]))
            return false;
    }
    *text = str_trim(row);
    return true;
}

static int32_t pixels(const struct tsv *t, uint64_t n)
{
    uint64_t units = (n * 72 * PDF_UNIT + t->dpi / 2) / t->dpi;

    return units > PDF_PLACE_MAX ? PDF_PLACE_MAX + 1 : (int32_t)units;
}

static void tsv_page_end(struct tsv *t)
{
    if (!t->in_page)
        return;
    /* A page that was read and holds nothing is one that was read, too. */
    pdf_maker_read_from_picture(
        t->maker, t->words == 0 ? 1 : (unsigned)(t->confidence / t->words));
    pdf_maker_page_end(t->maker);
    t->in_page = false;
}

static void tsv_word(struct tsv *t, const uint64_t v[TSV_NUMBERS], str text)
{
    int32_t box[4] = {pixels(t, v[TSV_LEFT]), pixels(t, v[TSV_TOP]),
                      pixels(t, v[TSV_LEFT] + v[TSV_WIDTH]),
                      pixels(t, v[TSV_TOP] + v[TSV_HEIGHT])};
    uint64_t confidence = v[TSV_CONF] > 100 ? 100 : v[TSV_CONF];

    if (confidence < CONFIDENCE_MIN || str_blank(text) ||
        utf8_valid_prefix(text) != text.n || str_find_char(text, ' ') < text.n)
        return;
    t->confidence += confidence * text.n;
    t->words += text.n;
    pdf_maker_word(t->maker, box, text);
}

static void tsv_row(struct tsv *t, const uint64_t v[TSV_NUMBERS], str text)
{
    switch (v[TSV_LEVEL]) {
    case TSV_LEVEL_PAGE:
        tsv_page_end(t);
        pdf_maker_page(t->maker, pixels(t, v[TSV_WIDTH]),
                       pixels(t, v[TSV_HEIGHT]));
        t->in_page = true;
        t->confidence = t->words = 0;
        break;
    case TSV_LEVEL_BLOCK:
        pdf_maker_break(t->maker, PDF_FLOW | PDF_BLOCK | PDF_LINE);
        break;
    case TSV_LEVEL_PAR:
        pdf_maker_break(t->maker, PDF_BLOCK | PDF_LINE);
        break;
    case TSV_LEVEL_LINE:
        pdf_maker_break(t->maker, PDF_LINE);
        break;
    case TSV_LEVEL_WORD:
        tsv_word(t, v, text);
        break;
    default:
        break;
    }
}

rc pdf_tsv_read(str tsv, unsigned dpi, struct buf *to, struct err *e)
{
    struct tsv t = {.maker = pdf_maker_open(to), .dpi = dpi == 0 ? 72 : dpi};
    rc code;

    while (tsv.n > 0) {
        uint64_t v[TSV_NUMBERS];
        str row, text;

        (void)str_cut(tsv, '\n', &row, &tsv);
        if (row_read(row, v, &text))
            tsv_row(&t, v, text);
    }
    tsv_page_end(&t);
    code = pdf_maker_end(t.maker, false, e);
    pdf_maker_close(t.maker);
    return code;
}
