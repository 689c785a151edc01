/*
 * flow: where the text of an Office document goes: into the block being
 * written, or aside (a note, a text box) to be written once that block has
 * ended; or nowhere, which is flagged. What a paragraph is follows from the
 * role its style has, what a table is from how it stands.
 *
 * Owns:    texts set aside live in `out` or in buffers, until flow_close.
 * Errors:  past TEXT_BYTES_MAX of texts set aside the writer is full.
 * Threads: one at a time.
 */
#ifndef EXTRACT_FLOW_H
#define EXTRACT_FLOW_H

#include "extract/writer.h"

/* A note in a box in a note …; deeper ones belong to the innermost. */
#define FLOW_ASIDES_MAX 4
#define FLOW_TABLES_MAX 64 /* open at a time; deeper ones are as the last */
#define FLOW_LEVELS 9      /* of headings and of lists, in all formats */
#define FLOW_SPAN_MAX 64   /* columns of one cell */

enum role {
    ROLE_UNSET,
    ROLE_PLAIN,
    ROLE_TITLE,
    ROLE_HEADING,
    ROLE_CONTENTS, /* a line of the table of contents */
    ROLE_CODE,
    ROLE_QUOTE
};
/* By the name of a style: those the formats have for them whatever language
 * the program speaks, and those of LibreOffice and pandoc. ROLE_UNSET: the name
 * says nothing. */
enum role role_of_name(str name, unsigned *heading);
/* "heading 3" of any case: 3; 0: it is no name of a heading. */
unsigned role_heading(str name);

struct flow_later {
    uint32_t note; /* its number; 0: it has none */
    str text;
};

struct flow_table {
    bool begun, row_open;
    bool real; /* written as a table: not one in another, not a frame */
    unsigned columns;
};

struct flow {
    struct writer *w;
    struct buf asides[FLOW_ASIDES_MAX];
    size_t asides_n;          /* open ones, those too deep included */
    size_t aside_bytes;       /* of all that were ever set aside */
    struct flow_later *later; /* waits for the end of the block */
    size_t later_n, later_cap;
    uint32_t notes; /* numbered so far */
    struct flow_table tables[FLOW_TABLES_MAX];
    size_t tables_n;
    bool in_real; /* one of them is real */
    bool code;    /* the block written last is code and may go on */
};

void flow_open(struct flow *f, struct writer *w);
void flow_close(struct flow *f);

/* ---- text ---- */

/* Into the innermost aside, or the block. */
void flow_text(struct flow *f, str s);
void flow_break(struct flow *f);
/* Left out, and why. White space leaves no trace. */
void flow_drop(struct flow *f, enum doc_flag_kind why, str s);

/* ---- paragraphs ---- */

#define FLOW_NO_ITEM (WRITER_BULLET - 1)

struct flow_para {
    enum role role;
    unsigned heading; /* of ROLE_HEADING, from 1 */
    unsigned level;   /* of an item, from 1 */
    uint32_t number;  /* of an item; FLOW_NO_ITEM: it is none */
};

/* Text begins: a block of its own, or a new line in an aside or a cell. */
void flow_para(struct flow *f, const struct flow_para *p);
/* A paragraph of this role is over; `open`: flow_para was called for it. */
void flow_para_end(struct flow *f, enum role role, bool open);

/* ---- tables ---- */

/* Whether text now comes into a cell or aside, not into blocks. */
bool flow_is_inline(const struct flow *f);
void flow_table(struct flow *f);
void flow_columns(struct flow *f, unsigned n);
void flow_row(struct flow *f);
/* The next cell of the row, behind so many empty ones. */
void flow_cell(struct flow *f, unsigned before);
void flow_cells(struct flow *f, unsigned n); /* empty ones */
void flow_row_end(struct flow *f);
void flow_table_end(struct flow *f);

/* ---- asides ---- */

void flow_aside(struct flow *f);
/* Ends the innermost one; its text, in `out` (empty for one too deep). */
str flow_aside_end(struct flow *f);
/* To be written as a paragraph once the block is over; note 0: it has no
 * number. */
void flow_later(struct flow *f, uint32_t note, str text);
/* The mark of a note in the text: "[^3]". */
void flow_note_mark(struct flow *f, uint32_t note);
/* The end of the document, or of a chapter: nothing is open any more. */
void flow_end(struct flow *f);

#endif
