/*
 * pdf_pages: the words of a range of pages with their places, in a compact
 * form between the process that reads a program's output and the one that
 * makes a document of it (docs/formats.md, "pages of a PDF file").
 *
 * pdf_maker takes words page by page, drops those nobody can see and writes
 * the form; pdf_range_* read it and believe nothing.
 *
 * Units:   PDF_UNIT to a point; boxes x0, y0, x1, y1 from the page's top left.
 * Errors:  RC_FORMAT  the bytes are not the form
 * Threads: one at a time.
 * Cost:    a page of 500 words takes about 5 KB.
 */
#ifndef EXTRACT_PDF_PAGES_H
#define EXTRACT_PDF_PAGES_H

#include "doc/doc.h"

#define PDF_UNIT 32
#define PDF_PLACE_MAX 32000000 /* a million points */
#define PDF_RANGE_PAGES_MAX 200
/* A range with more is cut, and says so. */
#define PDF_RANGE_BYTES_MAX (8 * MIB)
#define PDF_PAGE_WORDS_MAX 50000
#define PDF_WORD_BYTES_MAX (4 * KIB)
#define PDF_OUTLINE_ITEMS_MAX 20000
#define PDF_OUTLINE_TITLE_BYTES_MAX 400
#define PDF_OUTLINE_BYTES_MAX (1 * MIB)

/* ---- making ---- */

struct pdf_maker;
/* Writes at most PDF_RANGE_BYTES_MAX and little more; `to` is empty. */
struct pdf_maker *pdf_maker_open(struct buf *to);
void pdf_maker_close(struct pdf_maker *m); /* NULL is fine */
/* Begins a page of this size; past PDF_RANGE_PAGES_MAX it is left out. */
void pdf_maker_page(struct pdf_maker *m, int32_t width, int32_t height);
/* The page was read from a picture, with this confidence, 1 to 100. */
void pdf_maker_read_from_picture(struct pdf_maker *m, unsigned confidence);
/* The next word begins a line; and a block; and a flow. */
enum pdf_break { PDF_LINE = 1, PDF_BLOCK = 2, PDF_FLOW = 4 };
void pdf_maker_break(struct pdf_maker *m, unsigned breaks);
void pdf_maker_word(struct pdf_maker *m, const int32_t box[4], str text);
/* Ends the page; a page that is not ended is left out. */
void pdf_maker_page_end(struct pdf_maker *m);
/* Writes the range; `cut`: what was read ended too soon. */
rc pdf_maker_end(struct pdf_maker *m, bool cut, struct err *e) MUST_CHECK;
/* A decimal number of points in millionths; PDF_MICROS_NONE: no number, or
 * beyond what a page can be. */
#define PDF_MICROS_NONE INT64_MAX
int64_t pdf_micros(str number);
int64_t pdf_micros_add(int64_t a, int64_t b);
/* In units, rounded down or up; PDF_PLACE_MAX + 1 for PDF_MICROS_NONE. */
int32_t pdf_units(int64_t micros, bool up);

/* ---- reading ---- */

struct pdf_range {
    bool cut;  /* ended too soon */
    bool full; /* more was there than fits */
    unsigned pages_n;
    /* Pages without words: index from 0, size in points. */
    unsigned empty_n;
    struct pdf_empty {
        unsigned page;
        uint32_t width, height;
    } empty[PDF_RANGE_PAGES_MAX];
    struct cur at; /* the first page */
};
rc pdf_range_read(str bytes, struct pdf_range *r, struct err *e) MUST_CHECK;

/* Words of a page that were left out. */
struct pdf_dropped {
    uint32_t count;
    str sample;
};
struct pdf_page {
    int32_t width, height;
    unsigned confidence; /* 0: no picture was read */
    struct pdf_dropped off_page, tiny;
    uint32_t lines_n;
};
struct pdf_line {
    int32_t box[4];
    int32_t height;  /* of its font, ascent and descent */
    unsigned breaks; /* enum pdf_break */
    bool upright;    /* its words follow each other along y */
    uint32_t words_n;
};
struct pdf_word {
    int32_t gap;    /* from the end of the one before, along the line */
    int32_t extent; /* along the line */
    str text;       /* valid UTF-8 without white space, not empty */
};
/* Each false where the bytes are damaged; the caller asks for as many as there
 * are. Texts borrow the bytes. */
bool pdf_page_read(struct cur *c, struct pdf_page *p);
bool pdf_line_read(struct cur *c, struct pdf_line *l, const int32_t before[4]);
bool pdf_word_read(struct cur *c, struct pdf_word *w);
/* The word once more, of bytes that gave it before: nothing is looked at. */
void pdf_word_again(struct cur *c, struct pdf_word *w);

#endif
