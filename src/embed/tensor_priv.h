/*
 * tensor: the numbers of a file of weights: named, bounded, and as floats.
 *
 * Owns:    a struct tensors and names given to it live in its arena; bytes
 *          borrow the mapped file. Converted numbers live in a struct held.
 * Shapes:  row-major; `turned` says that a linear layer's weight stands as
 *          [in, out] and is wanted as [out, in].
 * Errors:  RC_FORMAT  the name is taken, or a shape and its bytes disagree
 *          RC_LIMIT   more than TENSORS_MAX
 *          RC_NOMEM   no memory for the converted numbers
 * Threads: one at a time.
 */
#ifndef EMBED_TENSOR_PRIV_H
#define EMBED_TENSOR_PRIV_H

#include "base/arena.h"
#include "base/map.h"

#define TENSORS_MAX 16384
#define TENSOR_DIMS_MAX 4 /* of those that are looked at */
#define TENSOR_NAME_BYTES_MAX 256

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_OTHER };

struct tensor {
    str name;
    str kind; /* the type, as the file names it */
    enum tensor_type type;
    size_t dims_n; /* may be more than are kept: then nobody wants it */
    uint64_t dims[TENSOR_DIMS_MAX];
    str bytes; /* little endian */
    bool turned;
};

struct tensors {
    struct arena *arena;
    struct tensor *v;
    size_t n, cap;
    struct map *names;
};
void tensors_open(struct tensors *ts, struct arena *arena);
void tensors_close(struct tensors *ts); /* a zeroed one is fine */
rc tensors_add(struct tensors *ts, const struct tensor *t,
               struct err *e) MUST_CHECK;
/* The same, in place of one that has the name. */
rc tensors_put(struct tensors *ts, const struct tensor *t,
               struct err *e) MUST_CHECK;
/* NULL: there is none. Good until the next one is added. */
const struct tensor *tensors_find(const struct tensors *ts, str name);

/* Memory of input's size, freed together. */
struct held {
    void **v;
    size_t n, cap;
};
void *held_take(struct held *h, size_t n) MUST_CHECK; /* NULL: no memory */
void held_close(struct held *h);                      /* zeroed is fine */

/* What a tensor has to be: [rows, cols], or [rows] where cols is 0. */
struct tensor_want {
    size_t rows, cols;
};
rc tensor_floats(const struct tensor *t, struct tensor_want want,
                 struct held *h, const float **to, struct err *e) MUST_CHECK;

float half_to_float(uint16_t half);

#endif
