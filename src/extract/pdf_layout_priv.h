/* What the files of pdf_layout share: the lines of all pages. */
#ifndef EXTRACT_PDF_LAYOUT_PRIV_H
#define EXTRACT_PDF_LAYOUT_PRIV_H

#include "extract/pdf_layout.h"
#include "extract/pdf_pages.h"
#include "extract/writer.h"

/* Lines kept of one document: bounds what hostile input makes of memory. */
#define LAYOUT_LINES_MAX ((size_t)1 << 20)

enum line_role {
    ROLE_BODY,
    ROLE_RUNNING, /* a head or foot that comes again */
    ROLE_NUMBER,  /* the number of the page */
    ROLE_MARKER,  /* the mark of a list item that stands beside it */
};

struct line {
    int32_t box[4];
    int32_t height; /* of its font */
    int32_t pitch;  /* of one that may be typed in a fixed pitch; or 0 */
    uint32_t page;  /* index of its page */
    uint32_t words_n;
    uint32_t chars;       /* code points, no spaces */
    uint32_t marker;      /* line of its mark + 1; 0: none */
    const uint8_t *words; /* in the part */
    unsigned role : 3;
    unsigned breaks : 3;
    unsigned level : 3;   /* of a heading, 1 to 6 */
    unsigned goes_on : 1; /* the heading of the line before */
    unsigned upright : 1;
    unsigned sure : 1; /* of the pitch */
    unsigned code : 1;
    unsigned from_picture : 1;
};

struct page {
    uint32_t number; /* from 1 */
    int32_t width, height;
    uint32_t first, lines_n;
    unsigned confidence;
};

struct layout {
    struct doc *d;
    struct arena *out, *tmp;
    struct line *lines;
    size_t lines_n, lines_cap;
    struct page *pages;
    size_t pages_n, pages_cap;
    struct cur outline;
    str title;           /* as the file says */
    int32_t body_height; /* of most of the text */
    const uint8_t *end;  /* of the parts */
    struct buf scratch, scratch2;
    bool full; /* lines were left out */
};

/* ---- words of a line ---- */

struct words {
    struct cur c;
    uint32_t left;
};
struct words line_words(const struct layout *l, const struct line *line);
bool words_next(struct words *w, struct pdf_word *word);
/* Whether there is a space before a word with this gap. */
bool gap_is_space(const struct line *line, int32_t gap);
/* The line's text with one space where there is one; valid until the next use
 * of the buffer. */
str line_text(const struct layout *l, const struct line *line, struct buf *to);
/* Letters and digits only, in lower case; to compare. Appends. */
void put_key(struct buf *to, str s);

/* ---- passes, in this order ---- */

void find_pitch(const struct layout *l, struct line *line);
void order_columns(struct layout *l);
void find_running(struct layout *l);
void find_markers(struct layout *l);
void find_headings(struct layout *l);
void find_code(struct layout *l);
rc write_flow(struct layout *l, struct err *e) MUST_CHECK;

/* A mark of a list item: its kind. */
enum marker { MARKER_NONE, MARKER_BULLET, MARKER_NUMBER };
enum marker marker_of(str word);

#endif
