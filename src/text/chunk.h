/*
 * chunk: cut a document into pieces that fit the embedder, structure first.
 *
 * A chunk is one contiguous range of the normalised text. It never crosses a
 * heading of level 1 or 2 unless both sides are tiny, prefers to end at block
 * ends, then sentence ends, then white space; a word, table row or code line
 * is broken only where one alone is over the budget. What remains of a
 * section is balanced over its chunks instead of leaving a stub.
 *
 * Owns:    chunks live in `out`; heading texts borrow doc.text.
 * Units:   budgets in tokens by chunk_tokens (docs/chunking.md gives the rule
 *          and how far it is from WordPiece); offsets as in doc.h.
 * Errors:  RC_LIMIT  more than CHUNKS_MAX pieces
 * Threads: pure.
 * Cost:    O(text).
 */
#ifndef TEXT_CHUNK_H
#define TEXT_CHUNK_H

#include "doc/doc.h"

#define CHUNKER_VERSION 1
#define CHUNK_HEADING_TOKENS_MAX 48
#define CHUNK_TOKENS_MIN 96 /* less leaves no room beside title and headings */

struct chunk {
    uint64_t start, end, start_cp, end_cp; /* in doc.text; end exclusive */
    uint32_t tokens;                       /* of the text alone */
    uint32_t heading; /* innermost heading block above its start, or
                          HEADING_NONE (doc_heading_path gives the path;
                          a chunk that begins with its heading names that) */
    uint32_t page;
    float box[4]; /* union of its lines on its first page */
};

/* Tokens of a text as a model's own tokenizer counts them. Of text that is cut
 * at white space the counts of the pieces must add up. */
struct chunk_counter {
    uint32_t (*tokens)(void *arg, str text);
    void *arg;
};

struct chunk_opts {
    uint32_t tokens_max;     /* 128, 256 or 384; title and headings count in */
    uint32_t overlap_tokens; /* 0: none; the next chunk starts this much back,
                                at a sentence where there is one */
    str title;
    const struct chunk_counter *counter; /* NULL: chunk_tokens' rule */
};

struct chunks {
    struct chunk *v;
    size_t n;
    uint64_t tokens; /* of all texts */
};

/* Tokens of a text by the documented rule: where no model counts. */
uint32_t chunk_tokens(str text);
rc chunk_split(const struct doc *d, const struct chunk_opts *o,
               struct arena *out, struct chunks *res, struct err *e) MUST_CHECK;
/* "Title > Heading > Heading" cut to CHUNK_HEADING_TOKENS_MAX tokens: what is
 * indexed before a chunk's text. */
str chunk_context(const struct doc *d, const struct chunk *c, str title,
                  const struct chunk_counter *counter, struct arena *out);
/* The same of a path that was kept: at most HEADING_DEPTH_MAX headings,
 * outermost first. */
str chunk_context_of(str title, const str *headings, size_t n,
                     const struct chunk_counter *counter, struct arena *out);

#endif
