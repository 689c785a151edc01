/*
 * lex: the inverted index: rows (one a chunk) found by their words.
 *
 * A row has two fields: context (title and headings) and body. Both go into
 * one posting list a term with tf = body + LEX_CONTEXT_WEIGHT * context (the
 * simple BM25F of Robertson, Zaragoza and Taylor 2004 with one shared b), one
 * byte a row for its weighted length (norm), positions for phrases. A heading
 * that begins in the row counts in the context once more and is, whole, a term
 * of its own, which a query of the same words asks for. Lists are
 * blocks of 128 rows with a few (max tf, min norm) each, so that whole blocks
 * are skipped (block-max MaxScore: Ding and Suel 2011; Mallia et al. 2019).
 * Top lists equal exhaustive BM25 to the bit (lex_search_exhaustive pins it).
 *
 * Score:   idf = ln(1 + (N - df + 0.5) / (df + 0.5)) with N and df summed over
 *          all segments searched; tf part = tf (k1+1) / (tf + k1 (1-b + b L/A)).
 * Owns:    a reader borrows its seg.
 * Threads: a builder belongs to one thread; readers are shared by any number.
 * Source:  docs/index.md; BM25: Robertson and Zaragoza 2009, section 3.4.
 */
#ifndef LEX_LEX_H
#define LEX_LEX_H

#include <stdatomic.h>

#include "base/limits.h"
#include "base/seg.h"
#include "base/top.h"
#include "text/analyse.h"

#define LEX_K1 1.2
#define LEX_B 0.75
#define LEX_CONTEXT_WEIGHT 2  /* by trial, docs/index.md */
#define LEX_LISTING_STRETCH 8 /* how many times as long a listing counts */

/* ---- writing ---- */

#define LEX_ROWS_MAX ((uint32_t)1 << 24) /* of one segment */

struct lex_builder;
/* NULL: an analyser of its own. Else that one is used until the end, and its
 * memos are the builder's: one whose cache is warm saves stemming. */
struct lex_builder *lex_builder_open(struct analyser *shared);
void lex_builder_close(struct lex_builder *b); /* NULL is fine */
struct lex_row {
    str context;       /* title and headings it stands under */
    str title;         /* if the document begins here: a heading, but its words
                          don't count again */
    const str *begins; /* [begins_n]: headings that begin in it */
    size_t begins_n;
    str body;
    bool listing; /* names what stands elsewhere: weighs less */
};
/* Adds the next row (0, 1, 2 …); texts are valid UTF-8 and not kept. What goes
 * wrong (memory, more than LEX_ROWS_MAX rows) sticks: writing says it. */
void lex_builder_add(struct lex_builder *b, const struct lex_row *row);
uint32_t lex_builder_rows(const struct lex_builder *b);
size_t lex_builder_bytes(const struct lex_builder *b); /* memory held */
/* Writes the sections of the rows added so far. */
rc lex_builder_write(struct lex_builder *b, struct seg_writer *w,
                     struct err *e) MUST_CHECK;

/* ---- reading ---- */

struct lex;
/* Checks the bounds inside its sections, so that no later read leaves them. */
rc lex_open(const struct seg *s, struct lex **x, struct err *e) MUST_CHECK;
void lex_close(struct lex *x); /* NULL is fine */
uint32_t lex_rows(const struct lex *x);
uint64_t lex_terms(const struct lex *x);

/* Decodes every list and position (lex_open checks only what keeps reads
 * inside): for deep checks. RC_CORRUPT says what is damaged. */
rc lex_check(const struct lex *x, struct err *e) MUST_CHECK;

#define LEX_ROW_DROP UINT32_MAX
/* One index out of several: to[i][row] is the new number of a row of from[i],
 * or LEX_ROW_DROP; new numbers are 0 … rows-1, each used once, and ascend
 * within each input. Streams: memory is O(longest list + dictionary). */
rc lex_merge(const struct lex *const *from, const uint32_t *const *to,
             size_t from_n, uint32_t rows, struct seg_writer *w,
             struct err *e) MUST_CHECK;

/* ---- asking ---- */

struct lex_term {
    str term;       /* as the analyser gives it, or a whole heading's */
    str word;       /* as the user wrote it; of that one "heading: " before */
    uint32_t times; /* in the query */
};
struct lex_phrase { /* "in quotes": its terms must stand in this order */
    uint32_t terms[QUERY_TERMS_MAX]; /* indexes into lex_query.terms */
    size_t n;
};
struct lex_query {
    struct lex_term terms[QUERY_TERMS_MAX]; /* distinct */
    size_t terms_n;
    struct lex_phrase *phrases;
    size_t phrases_n;
};
/* Distinct terms in order of appearance; stop words are left out when more
 * than two words are there and something else remains; past QUERY_TERMS_MAX
 * the rest is ignored. Then all its words as one heading. Texts live in
 * `out`. */
void lex_query_parse(struct analyser *a, str text, struct arena *out,
                     struct lex_query *q);

/* Statistics of all segments a query is asked of; zero it, add each. */
struct lex_stats {
    uint64_t rows;
    uint64_t length; /* sum of the rows' weighted lengths */
    uint64_t df[QUERY_TERMS_MAX];
};
void lex_stats_add(struct lex_stats *st, const struct lex *x,
                   const struct lex_query *q);

/* Bit row % 64 of word row / 64 set: the row may be found. Words are atomic
 * because a delete clears bits while searches run. */
typedef const _Atomic uint64_t *lex_filter;

/* Adds what this segment has to the top. filter NULL: every row. */
void lex_search(const struct lex *x, const struct lex_query *q,
                const struct lex_stats *st, lex_filter filter, uint32_t segment,
                struct top *top, struct arena *tmp);
/* The oracle: scores every row of every list. */
void lex_search_exhaustive(const struct lex *x, const struct lex_query *q,
                           const struct lex_stats *st, lex_filter filter,
                           uint32_t segment, struct top *top,
                           struct arena *tmp);
/* What each term of the query adds to this row's score (0: not in it). The
 * sum, added in term order as floats, is the score of lex_search. */
void lex_explain(const struct lex *x, const struct lex_query *q,
                 const struct lex_stats *st, uint32_t row,
                 float parts[QUERY_TERMS_MAX]);
/* The scores of some rows, ascending; 0 where no term is in it. */
void lex_scores(const struct lex *x, const struct lex_query *q,
                const struct lex_stats *st, const uint32_t *rows, size_t n,
                float *scores, struct arena *tmp);

#endif
