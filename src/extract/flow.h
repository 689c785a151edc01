/*
 * flow: where the text of an Office document goes: into the block being
 * written, or aside (a note, a text box) to be written once that block has
 * ended; or nowhere, which is flagged.
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

struct flow_later {
    uint32_t note; /* its number; 0: it has none */
    str text;
};

struct flow {
    struct writer *w;
    struct buf asides[FLOW_ASIDES_MAX];
    size_t asides_n;          /* open ones, those too deep included */
    size_t aside_bytes;       /* of all that were ever set aside */
    struct flow_later *later; /* waits for the end of the block */
    size_t later_n, later_cap;
    uint32_t notes; /* numbered so far */
};

void flow_open(struct flow *f, struct writer *w);
void flow_close(struct flow *f);

/* Into the innermost aside, or the block. */
void flow_text(struct flow *f, str s);
void flow_break(struct flow *f);
/* Left out, and why. White space leaves no trace. */
void flow_drop(struct flow *f, enum doc_flag_kind why, str s);

void flow_aside(struct flow *f);
/* Ends the innermost one; its text, in `out` (empty for one too deep). */
str flow_aside_end(struct flow *f);
/* To be written as a paragraph when flow_flush is called; note 0: it has no
 * number. */
void flow_later(struct flow *f, uint32_t note, str text);
/* The mark of a note in the text: "[^3]". */
void flow_note_mark(struct flow *f, uint32_t note);
/* The block is over: writes what waits. Not while an aside is open. */
void flow_flush(struct flow *f);

#endif
