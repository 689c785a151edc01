#include "extract/pdf_bbox.h"

#include <expat.h>
#include <stdlib.h>

#include "base/mem.h"
#include "extract/pdf_outline.h"
#include "extract/pdf_pages.h"
#include "text/utf8.h"

/* expat keeps a token until it is whole, and scans it anew with each piece:
 * this much may be waiting. */
#define TOKEN_BYTES_MAX ((XML_Index)MIB)
#define DEPTH_MAX 1000
#define TEXT_CUT (8 * KIB) /* of one word or title */
#define BLOCK_BYTES (64 * KIB)

struct pdf_output {
    XML_Parser xml;
    struct buf *to;
    struct pdf_maker *maker; /* of bbox; NULL: an outline is read */
    bool over;               /* the rest is ignored */
    bool whole;              /* the last element has ended */
    char kept[4];            /* the start of a sign that goes on */
    size_t kept_n;
    XML_Index fed;
    char block[BLOCK_BYTES]; /* cleaned, for expat */
    size_t block_n;
    unsigned depth;
    /* The text of the element that is open. */
    char text[TEXT_CUT];
    size_t text_n;
    bool in_text;
    /* bbox */
    int32_t box[4];
    char title[TEXT_CUT];
    size_t title_n;
    char dates[2][64];
    size_t dates_n[2];
    /* outline */
    unsigned outlines; /* how deep */
    uint32_t page;
    size_t items_n;
};

/* ---- expat ---- */

static str attribute(const XML_Char **atts, const char *name)
{
    for (size_t i = 0; atts[i] != NULL; i += 2) {
        if (strcmp(atts[i], name) == 0)
            return str_of(atts[i + 1]);
    }
    return STR_NONE;
}

static void stop(struct pdf_output *o)
{
    o->over = true;
    (void)XML_StopParser(o->xml, XML_FALSE);
}

static void XMLCALL on_entity(void *user, const XML_Char *name, int parameter,
                              const XML_Char *value, int value_n,
                              const XML_Char *base, const XML_Char *system,
                              const XML_Char *public, const XML_Char *notation)
{
    (void)name;
    (void)parameter;
    (void)value;
    (void)value_n;
    (void)base;
    (void)system;
    (void)public;
    (void)notation;
    stop(user);
}

static void XMLCALL on_text(void *user, const XML_Char *s, int n)
{
    struct pdf_output *o = user;
    str text = str_sub((str){s, (size_t)n}, 0, TEXT_CUT - o->text_n);

    if (!o->in_text || text.n == 0)
        return;
    memcpy(o->text + o->text_n, text.p, text.n);
    o->text_n += text.n;
}

static void text_begin(struct pdf_output *o)
{
    o->in_text = true;
    o->text_n = 0;
}

/* Without a sign that was cut. */
static str text_end(struct pdf_output *o)
{
    str s = {o->text, o->text_n};

    o->in_text = false;
    return str_sub(s, 0, utf8_valid_prefix(s));
}

static bool goes_deeper(struct pdf_output *o)
{
    if (++o->depth > DEPTH_MAX)
        stop(o);
    return !o->over;
}

/* ---- bbox ---- */

static size_t copy(char *to, size_t n_max, str s)
{
    s = str_sub(s, 0, utf8_valid_prefix(str_sub(s, 0, n_max)));
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    return s.n;
}

static void box_read(const XML_Char **atts, int32_t box[4])
{
    static const char *const NAMES[] = {"xMin", "yMin", "xMax", "yMax"};

    for (size_t k = 0; k < 4; k++)
        box[k] = pdf_units(attribute(atts, NAMES[k]), k >= 2);
}

static void meta_read(struct pdf_output *o, const XML_Char **atts)
{
    str name = attribute(atts, "name");
    size_t i = str_eq(name, STR("CreationDate")) ? 0
               : str_eq(name, STR("ModDate"))    ? 1
                                                 : 2;

    if (i < 2)
        o->dates_n[i] =
            copy(o->dates[i], sizeof o->dates[i], attribute(atts, "content"));
}

static void XMLCALL bbox_start(void *user, const XML_Char *name,
                               const XML_Char **atts)
{
    struct pdf_output *o = user;

    if (!goes_deeper(o))
        return;
    if (strcmp(name, "word") == 0) {
        box_read(atts, o->box);
        text_begin(o);
    } else if (strcmp(name, "line") == 0) {
        pdf_maker_break(o->maker, PDF_LINE);
    } else if (strcmp(name, "block") == 0) {
        pdf_maker_break(o->maker, PDF_BLOCK);
    } else if (strcmp(name, "flow") == 0) {
        pdf_maker_break(o->maker, PDF_FLOW);
    } else if (strcmp(name, "page") == 0) {
        pdf_maker_page(o->maker, pdf_units(attribute(atts, "width"), true),
                       pdf_units(attribute(atts, "height"), true));
    } else if (strcmp(name, "title") == 0) {
        text_begin(o);
    } else if (strcmp(name, "meta") == 0) {
        meta_read(o, atts);
    }
}

/* White space is no part of a word, and one of it alone is none. */
static void word_end(struct pdf_output *o)
{
    str s = text_end(o), word;

    for (size_t at = 0, end; at < s.n; at = end) {
        for (end = at;
             end < s.n && (unsigned char)s.p[end] > ' ' && s.p[end] != 0x7f;
             end++)
            ;
        word = str_sub(s, at, end - at);
        if (word.n > 0)
            pdf_maker_word(o->maker, o->box, word);
        end++;
    }
}

static void XMLCALL bbox_end(void *user, const XML_Char *name)
{
    struct pdf_output *o = user;

    o->depth--;
    if (strcmp(name, "word") == 0)
        word_end(o);
    else if (strcmp(name, "page") == 0)
        pdf_maker_page_end(o->maker);
    else if (strcmp(name, "title") == 0)
        o->title_n = copy(o->title, sizeof o->title, text_end(o));
    if (o->depth == 0)
        o->whole = true;
}

/* ---- outline ---- */

static void XMLCALL outline_start(void *user, const XML_Char *name,
                                  const XML_Char **atts)
{
    struct pdf_output *o = user;
    uint64_t page;

    if (!goes_deeper(o))
        return;
    if (strcmp(name, "outline") == 0) {
        o->outlines++;
    } else if (strcmp(name, "item") == 0) {
        o->page = str_to_u64(attribute(atts, "page"), UINT32_MAX, &page)
                      ? (uint32_t)page
                      : 0;
        text_begin(o);
    }
}

static void XMLCALL outline_end(void *user, const XML_Char *name)
{
    struct pdf_output *o = user;

    o->depth--;
    if (strcmp(name, "outline") == 0 && o->outlines > 0)
        o->outlines--;
    if (strcmp(name, "item") != 0 || !o->in_text)
        return;
    if (o->items_n >= PDF_OUTLINE_ITEMS_MAX ||
        o->to->n >= PDF_OUTLINE_BYTES_MAX) {
        stop(o);
        return;
    }
    o->items_n++;
    pdf_outline_put(o->to, &(struct pdf_item){.depth = o->outlines,
                                              .page = o->page,
                                              .title = text_end(o)});
}

/* ---- bytes ---- */

static struct pdf_output *output_open(struct buf *to,
                                      XML_StartElementHandler start,
                                      XML_EndElementHandler end)
{
    struct pdf_output *o = mem_alloc(sizeof *o);

    o->to = to;
    o->xml = XML_ParserCreate("UTF-8");
    if (o->xml == NULL) {
        o->over = true;
        return o;
    }
    XML_SetUserData(o->xml, o);
    XML_SetElementHandler(o->xml, start, end);
    XML_SetCharacterDataHandler(o->xml, on_text);
    XML_SetEntityDeclHandler(o->xml, on_entity);
    return o;
}

struct pdf_output *pdf_bbox_open(struct buf *to)
{
    struct pdf_output *o = output_open(to, bbox_start, bbox_end);

    o->maker = pdf_maker_open(to);
    return o;
}

struct pdf_output *pdf_outline_open(struct buf *to)
{
    struct pdf_output *o = output_open(to, outline_start, outline_end);

    pdf_outline_begin(to);
    return o;
}

static void flush(struct pdf_output *o)
{
    if (o->over || o->block_n == 0)
        return;
    if (XML_Parse(o->xml, o->block, (int)o->block_n, 0) != XML_STATUS_OK)
        o->over = true;
    o->fed += (XML_Index)o->block_n;
    o->block_n = 0;
    if (!o->over && o->fed - XML_GetCurrentByteIndex(o->xml) > TOKEN_BYTES_MAX)
        o->over = true;
}

/* What XML may not hold: poppler writes control characters as they are. */
static bool is_text(str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at];

    if (c < 0x20)
        return c == '\n' || c == '\t';
    /* U+FFFE and U+FFFF */
    return !(c == 0xef && (unsigned char)s.p[at + 1] == 0xbf &&
             (unsigned char)s.p[at + 2] >= 0xbe);
}

static size_t sign_bytes(unsigned char lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static void put_clean(struct pdf_output *o, str s)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        n = sign_bytes((unsigned char)s.p[i]);
        if (!is_text(s, i))
            continue;
        if (o->block_n + n > BLOCK_BYTES)
            flush(o);
        if (o->over)
            return;
        memcpy(o->block + o->block_n, s.p + i, n);
        o->block_n += n;
    }
}

/* Whether s, at most 3 bytes, may be the start of a sign. */
static bool may_go_on(str s)
{
    unsigned char lead = (unsigned char)s.p[0];

    if (lead < 0xc2 || lead > 0xf4 || s.n >= sign_bytes(lead))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

/* What is valid of s goes on; returns what may be the start of a sign. */
static str put_valid(struct pdf_output *o, str s)
{
    while (s.n > 0 && !o->over) {
        size_t n = utf8_valid_prefix(s);

        put_clean(o, str_sub(s, 0, n));
        s = str_sub(s, n, s.n);
        if (s.n > 0 && s.n < 4 && may_go_on(s))
            return s;
        s = str_sub(s, 1, s.n); /* a byte that means nothing */
    }
    return STR_NONE;
}

void pdf_output_put(struct pdf_output *o, str bytes)
{
    char joint[8];

    /* A sign in two pieces: with as much of the second as it can need. */
    while (o->kept_n > 0 && bytes.n > 0 && !o->over) {
        str rest;
        size_t had = o->kept_n;

        memcpy(joint, o->kept, had);
        joint[had] = bytes.p[0];
        bytes = str_sub(bytes, 1, bytes.n);
        o->kept_n = 0;
        rest = put_valid(o, (str){joint, had + 1});
        if (rest.n > 0)
            memcpy(o->kept, rest.p, rest.n);
        o->kept_n = rest.n;
    }
    if (bytes.n > 0 && !o->over) {
        str rest = put_valid(o, bytes);

        if (rest.n > 0)
            memcpy(o->kept, rest.p, rest.n);
        o->kept_n = rest.n;
    }
}

rc pdf_output_end(struct pdf_output *o, struct err *e)
{
    flush(o);
    if (o->maker == NULL) {
        pdf_outline_end(o->to);
        return buf_end(o->to, e);
    }
    pdf_maker_about(o->maker, (str){o->title, o->title_n},
                    (str){o->dates[0], o->dates_n[0]},
                    (str){o->dates[1], o->dates_n[1]});
    return pdf_maker_end(o->maker, !o->whole, e);
}

void pdf_output_close(struct pdf_output *o)
{
    if (o == NULL)
        return;
    if (o->xml != NULL)
        XML_ParserFree(o->xml);
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
