/*
 * lex_priv: what the files of lex/ share: the stored form of lists and
 * dictionary (drawn in docs/formats.md), and the small steps over it.
 *
 * Bounds:  lex_open checks the dictionary and every list's frame (where blocks
 *          begin, their last rows and widths), so reading a frame needs no
 *          test. What blocks hold is tested as it is decoded: one comparison a
 *          block. Nothing reads more than LEX_SLACK bytes past what it decodes.
 */
#ifndef LEX_LEX_PRIV_H
#define LEX_LEX_PRIV_H

#include <assert.h>

#include "lex/lex.h"

#define LEX_VERSION 2
#define LEX_SLACK 32 /* a vector load may read this far past its data */
#define LEX_BITS_MAX 24
#define BLOCK_ROWS 128
#define META_BYTES 24
#define PEAKS 5
#define DICT_BLOCK_TERMS 16
#define INFO_BYTES 40
#define ROW_TOKENS_MAX ((uint32_t)1 << 20) /* words past this aren't indexed */
#define TF_MAX (((uint32_t)1 << LEX_BITS_MAX) - 1)

/* ---- numbers: little endian, unaligned ---- */

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "stored numbers are read in place");

/* LEB128 of at most 5 bytes; false: past the end or over 32 bits. */
static inline bool varint_get(const uint8_t **p, const uint8_t *end,
                              uint32_t *v)
{
    uint32_t x = 0;

    if (*p < end && **p < 0x80) { /* most */
        *v = *(*p)++;
        return true;
    }
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t b;

        if (*p == end)
            return false;
        b = *(*p)++;
        x |= (uint32_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *v = x;
            return shift < 28 || b < 0x10;
        }
    }
    return false;
}

/* At most 5 bytes; returns the end. */
static inline uint8_t *varint_put(uint8_t *p, uint32_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* One byte for a length: exact to 31, then 16 steps an octave, to 2^19;
 * rounded down. A larger norm never means a shorter row. */
uint8_t norm_of(uint32_t length);
uint32_t norm_length(uint8_t norm);

/* ---- packed numbers: n values of `bits` bits each, low bits first ---- */

static inline size_t packed_bytes(size_t n, unsigned bits)
{
    return (n * bits + 7) / 8;
}
unsigned bits_for(uint32_t max); /* 0 for 0 */
/* Writes packed_bytes; returns the end. */
uint8_t *pack(uint8_t *to, const uint32_t *v, size_t n, unsigned bits);
/* Value i; bits 0 … LEX_BITS_MAX; reads up to 3 bytes past it. */
static inline uint32_t packed_get(const uint8_t *p, size_t i, unsigned bits)
{
    size_t at = i * bits;

    return load_u32(p + at / 8) >> at % 8 & (((uint32_t)1 << bits) - 1);
}

/* What a processor's instruction set may do faster, over one block. */
struct kernels {
    const char *name;
    /* rows[i] = rows[i - 1] + 1 + gap i, with rows[-1] = before */
    void (*rows)(const uint8_t *p, unsigned bits, uint32_t before,
                 uint32_t rows[BLOCK_ROWS]);
    /* v[i] = value i + 1 */
    void (*counts)(const uint8_t *p, unsigned bits, uint32_t v[BLOCK_ROWS]);
    /* scores[i] = weight tf[i] / (tf[i] + damp[norms[rows[i]]]), i < n; norms
     * may be read LEX_SLACK past its end, scores are written to a multiple of
     * 8 and for those rows[i] must be valid too. */
    void (*scores)(const uint32_t *rows, const uint32_t *tf, size_t n,
                   const uint8_t *norms, const float damp[256], float weight,
                   float *scores);
};
extern const struct kernels kernels_ref;
const struct kernels *kernels_avx2(void); /* NULL: not this processor */
const struct kernels *kernels_pick(void);

/* ---- one term's list in memory, as writer and merge know it ---- */

struct postings {
    /* [n]: row, weighted count, occurrences in the context */
    uint32_t *row, *tf, *ctx;
    /* [pos_n]: of each row its first position, then gap - 1 */
    uint32_t *pos;
    size_t n, cap, pos_n, pos_cap;
};
rc postings_room(struct postings *l, size_t n, size_t pos_n,
                 struct err *e) MUST_CHECK; /* for so many more */
void postings_close(struct postings *l);

/* Occurrences of a term in a row: each has a position. */
static inline uint32_t occurrences(uint32_t tf, uint32_t ctx)
{
    return tf - (LEX_CONTEXT_WEIGHT - 1) * ctx;
}
static inline bool occurrences_sound(uint32_t tf, uint32_t ctx)
{
    return tf > 0 && tf <= TF_MAX && (uint64_t)LEX_CONTEXT_WEIGHT * ctx <= tf;
}

/* ---- the term of a whole heading (heading.c) ---- */

#define HEADING_SIGN '=' /* begins no term of the analyser's */

/* Where the heading begins without the number before it ("2.1", "Chapter 3:");
 * 0: it has none, or is nothing else. */
size_t heading_bare(str heading);

/* HEADING_SIGN and the terms of all its words, stop words too, with spaces
 * between: as many of the first as fit. Zero it, add each; n is 0 without. */
struct heading_term {
    char bytes[TERM_BYTES_MAX];
    size_t n;
    bool full;
};
void heading_term_add(struct heading_term *h, str term);

/* ---- writing (write.c): terms in ascending order, then the end ---- */

struct lex_out;
rc lex_out_open(struct seg_writer *w, const uint8_t *norms, uint32_t rows,
                struct lex_out **o, struct err *e) MUST_CHECK;
rc lex_out_term(struct lex_out *o, str term, const struct postings *l,
                struct err *e) MUST_CHECK;
/* The same of a term that one row has: the list as it is stored, one posting
 * of the plain form. */
rc lex_out_record(struct lex_out *o, str term, str record,
                  struct err *e) MUST_CHECK;
rc lex_out_end(struct lex_out *o, struct err *e) MUST_CHECK;
void lex_out_close(struct lex_out *o);

/* ---- reading ---- */

struct lex {
    const struct kernels *kernels;
    uint32_t rows;
    uint64_t terms, length;
    const uint8_t *norms; /* [rows] and slack */
    const uint8_t *post;  /* lists and slack */
    uint64_t post_bytes;  /* without the slack */
    const uint8_t *dict, *dict_end;
    const uint8_t *dict_blocks; /* u32 [dict_blocks_n]: offsets in dict */
    size_t dict_blocks_n;
};

/* A term's list where it lies. df < BLOCK_ROWS: one block of varints, no
 * frame; else a frame of blocks_n metas first. */
struct list {
    const uint8_t *p;
    uint32_t bytes, df, blocks_n;
};

/* Every posting of a block is below one of its peaks: tf not more (255: any)
 * and norm not less. Unused ones have tf 0. From them follows the block's
 * highest score, whatever the statistics are. */
struct peak {
    uint8_t tf, norm;
};

struct block_meta {
    uint32_t last, data, posn;
    uint8_t row_bits, tf_bits, ctx_bits;
    struct peak peaks[PEAKS];
};

static inline struct block_meta block_meta(const struct list *l, size_t block)
{
    const uint8_t *p = l->p + block * META_BYTES;
    uint32_t w = load_u32(p);
    struct block_meta m = {
        .last = w & 0xffffff,
        .row_bits = (uint8_t)(w >> 24),
        .data = load_u32(p + 4),
        .posn = load_u32(p + 8),
        .tf_bits = p[12],
        .ctx_bits = p[13],
    };

    memcpy(m.peaks, p + 14, sizeof m.peaks);
    return m;
}
static inline uint32_t block_last(const struct list *l, size_t block)
{
    return load_u32(l->p + block * META_BYTES) & 0xffffff;
}
static inline struct peak block_peak(const struct list *l, size_t block,
                                     size_t i)
{
    const uint8_t *p = l->p + block * META_BYTES + 14 + 2 * i;

    return (struct peak){p[0], p[1]};
}
static inline bool list_framed(const struct list *l)
{
    return l->df >= BLOCK_ROWS;
}
static inline size_t block_rows(const struct list *l, size_t block)
{
    size_t left = l->df - block * BLOCK_ROWS;

    return left < BLOCK_ROWS ? left : BLOCK_ROWS;
}

/* Walks the dictionary in order. Zero it, set x. */
struct dict_walk {
    const struct lex *x;
    size_t block, in_block;
    const uint8_t *p;
    uint64_t post; /* offset of the next list */
    uint8_t term[TERM_BYTES_MAX];
    size_t term_n;
    struct list list;
};
bool dict_walk_next(struct dict_walk *d);
bool dict_find(const struct lex *x, str term, struct list *l);

/* The frame of a list is sound (lex_open asks once). */
bool list_sound(const struct lex *x, const struct list *l);
/* Of a packed block (one with BLOCK_ROWS rows); false: damaged. */
bool block_rows_read(const struct lex *x, const struct list *l, size_t block,
                     uint32_t rows[BLOCK_ROWS]);
void block_tf_read(const struct lex *x, const struct list *l, size_t block,
                   uint32_t tf[BLOCK_ROWS]);

/* A block decoded whole. */
struct block {
    size_t n;
    bool plain; /* varints; else packed */
    const uint8_t *posn, *posn_end;
    uint32_t rows[BLOCK_ROWS], tf[BLOCK_ROWS], ctx[BLOCK_ROWS];
};
bool block_read(const struct lex *x, const struct list *l, size_t block,
                struct block *b); /* false: damaged */
size_t block_occurrences(const struct block *b, size_t from, size_t to);
/* Positions of its row number i, at most max of them, ascending. Returns how
 * many; 0: damaged. */
size_t block_positions(const struct block *b, size_t i, uint32_t *positions,
                       size_t max);
/* Appends the whole list. RC_CORRUPT: damaged. */
rc list_read(const struct lex *x, const struct list *l, struct postings *to,
             struct err *e) MUST_CHECK;

/* ---- scoring (score.c) ---- */

struct scorer {
    float damp[256]; /* k1 (1 - b + b length / average length) by norm */
};
void scorer_init(struct scorer *s, const struct lex_stats *st);
/* idf (k1 + 1) times; 0: no row has the term. */
float term_weight(const struct lex_stats *st, const struct lex_query *q,
                  size_t term);
static inline float score_of(float weight, uint32_t tf, float damp)
{
    return weight * (float)tf / ((float)tf + damp);
}

static inline bool filter_has(lex_filter filter, uint32_t row)
{
    return filter == NULL ||
           (atomic_load_explicit(&filter[row / 64], memory_order_relaxed) >>
                row % 64 &
            1) != 0;
}

/* A reader of one list, moving forward within a search. */
struct cursor {
    const struct lex *x;
    const struct scorer *scorer;
    struct list list;
    size_t term; /* index in the query */
    float weight;
    float bound;           /* no row of the block it stands at scores more */
    size_t block;          /* where the search stands: seeks begin here */
    size_t loaded;         /* the block in rows[]; SIZE_MAX: none */
    size_t n;              /* rows in it; 0: damaged */
    bool scored;           /* scores[] belong to it */
    uint32_t before, last; /* rows of it lie in (before, last] */
    uint32_t rows[BLOCK_ROWS], tf[BLOCK_ROWS];
    float scores[BLOCK_ROWS];
};
/* false: the segment doesn't have the term. */
bool cursor_open(struct cursor *c, const struct lex *x,
                 const struct lex_query *q, const struct lex_stats *st,
                 const struct scorer *scorer, size_t term);
/* The cursors of the query's terms that this segment has, in term order. */
size_t cursors_open(const struct lex *x, const struct lex_query *q,
                    const struct lex_stats *st, const struct scorer *scorer,
                    struct cursor *cursors);
/* Last row of the block; and what no row in it exceeds. */
uint32_t cursor_block_last(const struct cursor *c, size_t block);
float cursor_block_bound(const struct cursor *c, size_t block);
/* The first block from c->block on that ends at or behind the row; blocks_n:
 * none. */
size_t cursor_block_with(const struct cursor *c, uint32_t row);
void cursor_load(struct cursor *c, size_t block); /* rows and counts */
void cursor_score(struct cursor *c);              /* of the loaded block */
/* The first place in the loaded block at or behind the row; c->n: none. */
size_t cursor_lower(const struct cursor *c, uint32_t row);
/* Whether the row (not before c->block) is in the list; *i: its place in the
 * block then loaded. */
bool cursor_find(struct cursor *c, uint32_t row, size_t *i);
/* The score of a row: its terms' parts added in term order, as everywhere. */
float cursors_score(struct cursor *cursors, size_t n, uint32_t row);

/* ---- phrases (phrase.c) ---- */

bool phrases_fit(const struct lex *x, const struct lex_query *q,
                 struct cursor *cursors, size_t n, uint32_t row,
                 struct arena *tmp);

#endif
