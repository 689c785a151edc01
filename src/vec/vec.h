/*
 * vec: files of vectors, and the nearest of them.
 *
 * A file is written once (a base/seg container, drawn in docs/formats.md):
 * rows in the order they were given, each with a key, an int8 form with its
 * scale, the high halves of that form with what bounds the rest, and a code of
 * one bit a dimension (random rotation, the file's mean removed) with what an
 * unbiased estimate of the inner product needs. Files know nothing of
 * documents: a caller keeps a list of places, one a row of its own, in any
 * order; runs of rows that follow each other are read fastest.
 *
 * Owns:    a reader owns its mapping.
 * Shapes:  vectors [n, dims] row-major fp32, of unit length; keys 16 bytes.
 * Errors:  RC_CORRUPT      damaged, or of other dimensions or another model
 *          RC_UNSUPPORTED  a newer format
 *          RC_INVALID      a vector that is none, files of two models
 *          RC_LIMIT        more than VEC_ROWS_MAX rows
 * Threads: a file is shared by any; a writer, query and top belong to one.
 * Source:  docs/vectors.md; Gao and Long 2024 (RaBitQ) for the estimate.
 */
#ifndef VEC_VEC_H
#define VEC_VEC_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/seg.h"
#include "base/top.h"

#define VEC_DIMS_MAX 4096
#define VEC_ROWS_MAX ((uint32_t)1 << 26) /* of one file */
#define VEC_VALUE_MAX 1.0001F            /* what unit length lets a value be */

/* Of (model and integer form, embedded text). */
struct vec_key {
    uint8_t b[16];
};

/* ---- files ---- */

struct vec_file;
/* Durable when it returns. Keys in any order; of equal ones the first row
 * stays. identity: of the model that made the rows. */
rc vec_write(const char *path, const sha256 *identity, uint32_t dims,
             const struct vec_key *keys, const float *rows, size_t n,
             struct err *e) MUST_CHECK;
/* Those rows of the files that keep says yes to (NULL: all), each key once, of
 * the later file, in the order of files and rows; the int8 form is carried
 * over unchanged. Holds keys, not rows, in memory. */
typedef bool vec_keep(void *arg, const struct vec_key *key);
struct vec_merge_opts {
    vec_keep *keep;
    void *arg;                 /* keep's */
    const atomic_bool *cancel; /* once true: RC_CANCELLED; NULL: never */
};
rc vec_merge(const char *path, struct vec_file *const *files, size_t n,
             struct vec_merge_opts o, struct err *e) MUST_CHECK;
/* identity NULL, dims 0: of any model. */
rc vec_open(const char *path, const sha256 *identity, uint32_t dims,
            struct vec_file **f, struct err *e) MUST_CHECK;
void vec_close(struct vec_file *f); /* NULL is fine */
uint32_t vec_rows(const struct vec_file *f);
uint64_t vec_bytes(const struct vec_file *f);
/* Its container, for a seg_verifier; the file's own. */
const struct seg *vec_seg(const struct vec_file *f);
bool vec_find(const struct vec_file *f, const struct vec_key *key,
              uint32_t *row);
/* The key of a row. */
struct vec_key vec_key_at(const struct vec_file *f, uint32_t row);

/* ---- search ---- */

#define VEC_NONE UINT32_MAX
/* Where a caller's row has its vector. */
struct vec_place {
    uint32_t file; /* index in the list given to the search; VEC_NONE: none */
    uint32_t row;
};

struct vec_query;
struct vec_query *vec_query_open(const float *vector, uint32_t dims,
                                 struct arena *out);
/* Inner product of the query with a stored row, by its int8 form: the number
 * all searches rank by. */
float vec_similarity(const struct vec_query *q, const struct vec_file *f,
                     uint32_t row);

/* The same for n places; 0 where there is none. */
void vec_scores(const struct vec_query *q, struct vec_file *const *files,
                const struct vec_place *places, size_t n, float *out);

/* Bit row % 64 of word row / 64 set: the row may be found. Words are atomic
 * because a delete clears bits while searches run. */
typedef const _Atomic uint64_t *vec_filter;

struct vec_rows_of {                /* a segment of the caller's */
    const struct vec_place *places; /* [rows] */
    vec_filter live;                /* NULL: all */
    uint32_t rows, segment;
};
/* Exactly the best of all rows by their int8 form, most of which are left out
 * by a bound: the oracle, and what small bases use. */
void vec_scan(const struct vec_query *q, struct vec_file *const *files,
              const struct vec_rows_of *in, struct top *top);
/* Estimates by codes for all segments, then the int8 form of the best
 * `rescored` of them: what large bases use. */
void vec_search(const struct vec_query *q, struct vec_file *const *files,
                const struct vec_rows_of *in, size_t in_n, uint32_t rescored,
                struct top *top, struct arena *tmp);

/* "avx512vnni", "avx2", "scalar" */
const char *vec_kernels(void);

#endif
