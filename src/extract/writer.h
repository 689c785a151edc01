/*
 * writer: builds the normalised text of a document block by block, for formats
 * that aren't text themselves (HTML, PDF, Office).
 *
 * Text comes in runs; white space runs are one space, except in code. What is
 * written is Markdown by its blocks ("## ", "- ", "> ", fences, "| a | b |");
 * marks inside a run are left as they are, but a `|` in a table's cell is
 * escaped. Control characters are dropped; bidi and zero-width tricks are
 * dropped and flagged.
 *
 * Owns:    its buffer, until writer_end or writer_close; the doc's arrays and
 *          text live in `out`.
 * Errors:  past TEXT_BYTES_MAX, BLOCKS_KEPT_MAX or LINES_MAX it writes no
 *          more and says so by writer_full; writer_end makes the outcome
 *          `partial` then.
 * Threads: one at a time.
 */
#ifndef EXTRACT_WRITER_H
#define EXTRACT_WRITER_H

#include "doc/doc.h"

#define WRITER_BULLET UINT32_MAX
#define WRITER_ITEM_LEVELS 16 /* deeper items aren't indented any deeper */

struct writer_block {
    enum block_kind kind;
    unsigned level;
    size_t start, end;
};

struct writer {
    struct doc *d;
    struct arena *out;
    struct buf text;
    struct writer_block *blocks;
    size_t blocks_n, blocks_cap;
    size_t lines_cap;
    uint32_t page; /* where what comes stands; 0: nowhere */
    float box[4];
    size_t line_start;
    bool in_block, space, full;
    bool blank;      /* the open block has no sign yet */
    bool table_head; /* the row being written is a table's first */
    unsigned cells;
    /* What the mark of the last item at each level takes; 0: none yet. */
    unsigned item_widths[WRITER_ITEM_LEVELS];
};

void writer_open(struct writer *w, struct doc *d, struct arena *out);
/* Begins a block; the one before ends. A table's rows follow one another; the
 * first row after another kind of block is its head, and so is one after
 * writer_table. `level`: a heading's 1 to 6, a list item's depth from 1; else
 * 0. A block without text leaves nothing behind, nor does a row of empty
 * cells. */
void writer_block(struct writer *w, enum block_kind kind, unsigned level);
/* A list's item: "12. " with its number, "- " with WRITER_BULLET. */
void writer_item(struct writer *w, unsigned level, uint32_t number);
/* Valid UTF-8. Without an open block it is a paragraph's. */
void writer_text(struct writer *w, str s);
/* A line break in the block: kept in code, a space elsewhere. */
void writer_break(struct writer *w);
/* The next cell of a table's row. */
void writer_cell(struct writer *w);
/* The next row begins another table. */
void writer_table(struct writer *w);
/* What comes stands on this page in this box, until the next call; page 0:
 * nowhere. One call a line of the page. */
void writer_place(struct writer *w, uint32_t page, const float box[4]);
/* Ends the open block, so that text without writer_block begins a paragraph.*/
void writer_break_block(struct writer *w);
bool writer_full(const struct writer *w);
/* Bytes written so far. */
size_t writer_bytes(const struct writer *w);
/* Fills text, blocks and lines. */
rc writer_end(struct writer *w, struct err *e) MUST_CHECK;
void writer_close(struct writer *w); /* after writer_end too */

#endif
