/*
 * vec_priv: what the files of vec/ share: a file as it lies mapped (drawn in
 * docs/formats.md), kernels, and the small steps over them.
 *
 * Bounds:  vec_open holds every size, row and key order against the file's
 *          bytes; afterwards a row below `rows` is all a read needs.
 */
#ifndef VEC_VEC_PRIV_H
#define VEC_VEC_PRIV_H

#include <assert.h>

#include "base/seg.h"
#include "vec/vec.h"

#define VEC_VERSION 1
#define GROUP 64 /* dimensions are filled up to a multiple of it by zeros */
#define PLANES 4 /* bits of a query's dimension against codes */

static inline uint32_t padded(uint32_t dims)
{
    return (dims + GROUP - 1) / GROUP * GROUP;
}

/* ---- files ---- */

struct vec_info { /* section VECI */
    uint32_t version, dims, rows, zero;
    sha256 identity;
};
static_assert(sizeof(struct vec_info) == 48, "on disk, see docs/formats.md");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "stored numbers are read in place");

struct vec_file {
    struct seg *seg;
    uint32_t dims, rows;
    uint32_t width;             /* padded(dims) */
    const sha256 *identity;     /* as the file says it */
    const struct vec_key *keys; /* [rows] */
    const uint32_t *order;      /* [rows]: rows by ascending key */
    const uint32_t *fan;        /* [2^fan_bits + 1]: into order */
    unsigned fan_bits;
    const int8_t *values; /* [rows, width] */
    const float *scales;  /* [rows] */
    /* Both NULL in a file of a program before they were. */
    const uint8_t *halves; /* [rows, width / 2] */
    const float *rests;    /* [rows] */
    const float *mean;     /* [width], rotated */
    const uint8_t *codes;  /* [rows, code_bytes(width)] */
};

/* The first bytes of a key as a number: its order is that of the keys. */
static inline uint64_t key_head(const struct vec_key *key)
{
    uint64_t v;

    memcpy(&v, key->b, sizeof v);
    return __builtin_bswap64(v);
}

/* Fan of a file of so many rows: a bucket holds eight on average. */
static inline unsigned fan_bits_of(uint32_t rows)
{
    unsigned bits = 0;

    while (rows >> bits > 8)
        bits++;
    return bits;
}
static inline uint32_t fan_of(uint64_t head, unsigned bits)
{
    return bits == 0 ? 0 : (uint32_t)(head >> (64 - bits));
}

/* Owns s from now on, whatever it returns. identity NULL, dims 0: any. */
rc vec_open_seg(struct seg *s, const sha256 *identity, uint32_t dims,
                struct vec_file **f, struct err *e) MUST_CHECK;

/* ---- halves (halves.c): docs/vectors.md has the symbols ---- */

/* The high halves of a row's values; what they leave out, in the values' own
 * measure. */
float halves_of(const int8_t *values, uint32_t dims, uint32_t width,
                uint8_t *halves);

/* ---- codes (codes.c): docs/vectors.md has the symbols ---- */

static_assert(sizeof(struct vec_key) == 16 && sizeof(float) == 4,
              "on disk, see docs/formats.md");

/* One row's record: bits [width], then these, then zeros to 16 bytes. */
struct code_terms {
    float along; /* <r, c> */
    float step;  /* |r|^2 / |Rr|_1 */
    float lean;  /* step * (bits set - bits clear) */
};
static inline uint32_t code_bytes(uint32_t width)
{
    return (width / 8 + (uint32_t)sizeof(struct code_terms) + 15) / 16 * 16;
}
/* In place; tmp [width]. */
void vec_rotate(float *v, uint32_t width, float *tmp);
/* v [width]: a row, rotated, which is overwritten. */
void vec_encode(float *v, const float *mean, uint32_t width, uint8_t *code);

/* ---- queries ---- */

/* A query in whole numbers, and the two bytes of each: 256 high + low. */
struct vec_ints {
    const int16_t *values; /* [width] */
    const int8_t *high;    /* [width] */
    const uint8_t *low;    /* [width] */
    int32_t high_sum, sum; /* of high; of values */
};
void ints_init(struct vec_ints *q, const int16_t *values, uint32_t width,
               struct arena *out);

struct vec_query {
    const struct vec_kernels *kernels;
    uint32_t dims, width;
    float scale;  /* of values */
    float length; /* of the whole numbers, times scale */
    struct vec_ints ints;
    const float *rotated; /* [width] */
};

/* A query against the codes of one file. */
struct code_query {
    const uint64_t *planes; /* [PLANES, width / 64] */
    float base;             /* <c, q> */
    float low, delta;       /* a dimension is low + delta * its number */
    int32_t sum;            /* of the numbers */
};
void code_query_init(struct code_query *c, const struct vec_query *q,
                     const struct vec_file *f, struct arena *out);
static inline float code_estimate(const struct code_query *c,
                                  const struct code_terms *t, uint32_t sum)
{
    return c->base + t->along + t->lean * c->low +
           t->step * (c->delta * (float)(2 * (int32_t)sum - c->sum));
}

/* The one formula of all scores by the int8 form. */
static inline float int8_score(const struct vec_query *q, float scale,
                               int32_t dot)
{
    return (float)dot * (q->scale * scale);
}

/* ---- what a processor's instruction set may do faster ---- */

struct vec_kernels {
    const char *name;
    /* out[i] = inner product of row rows[i] of values [, width] and q */
    void (*dots)(const int8_t *values, uint32_t width, const uint32_t *rows,
                 size_t n, const struct vec_ints *q, int32_t *out);
    /* out[i] = inner product of the numbers, 0 to 15, in row rows[i] of halves
     * [, width / 2] and q: the low half of byte i has number i, its high half
     * number width / 2 + i */
    void (*halves)(const uint8_t *halves, uint32_t width, const uint32_t *rows,
                   size_t n, const struct vec_ints *q, int32_t *out);
    /* out[i] = sum over planes p of 2^p times the bits that code rows[i] and
     * plane p have in common */
    void (*sums)(const uint8_t *codes, uint32_t width, const uint32_t *rows,
                 size_t n, const uint64_t *planes, uint32_t *out);
};
/* Where stream k of a batch of n rows is at step i, when each takes the next
 * `steps` of them; the last ones stay at the end. */
static inline size_t stream_at(size_t k, size_t i, size_t steps, size_t n)
{
    size_t at = k * steps + i;

    return at < n ? at : n - 1;
}
/* Whether a batch's row so many behind another lies where the processor, which
 * reads ahead by itself, would not get: only then is asking for it worth its
 * price, a third of a row's work in the cache. */
static inline bool rows_part(uint32_t row, uint32_t later, uint32_t behind)
{
    return later - row > 4 * behind;
}
extern const struct vec_kernels vec_kernels_scalar;
const struct vec_kernels *vec_kernels_avx2(void); /* NULL: not here */
const struct vec_kernels *vec_kernels_avx512(void);
const struct vec_kernels *vec_kernels_pick(void);

/* ---- walking a segment of the caller's, a batch at a time ---- */

#define BATCH_ROWS 256

struct batch {
    uint32_t file;
    size_t n;
    uint32_t rows[BATCH_ROWS]; /* in the file */
    uint32_t at[BATCH_ROWS];   /* the caller's */
};
/* Fills the next batch with rows of one file from *at on; false: none left. */
bool batch_next(const struct vec_rows_of *in, uint32_t *at, struct batch *b);
/* The int8 form's scores of a batch's rows. */
void batch_scores(const struct vec_query *q, const struct vec_file *f,
                  const uint32_t *rows, size_t n, float *out);

/* Few of many numbers reach a floor: asked of sixteen at a time. Where the
 * first from i on does; n: none. */
static inline size_t first_reaching(const float *v, size_t i, size_t n,
                                    float floor)
{
    for (; n - i >= 16; i += 16) {
        int any = 0;

        for (size_t k = 0; k < 16; k++)
            any |= v[i + k] >= floor;
        if (any != 0)
            break;
    }
    while (i < n && !(v[i] >= floor))
        i++;
    return i;
}
/* Leaves out rows that by their halves can't reach floor. */
void batch_sieve(struct batch *b, const struct vec_query *q,
                 const struct vec_file *f, float floor);
void batch_put(const struct batch *b, const float *scores, uint32_t segment,
               struct top *top);
/* Places are the caller's: one that lies outside must stop the program. */
static inline bool rows_within(const struct vec_file *f, const uint32_t *rows,
                               size_t n)
{
    uint32_t max = 0;

    for (size_t i = 0; i < n; i++)
        max = rows[i] > max ? rows[i] : max;
    return n == 0 || max < f->rows;
}

#endif
