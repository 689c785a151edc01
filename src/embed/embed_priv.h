/*
 * embed_priv: what the files of embed/ share: the integer form of a layer, the
 * steps that each set of kernels has, and the opened model.
 *
 * Integer form. An activation x of a token is low + scale * q, q in 0..127; a
 * weight of an output channel is scale * w, w in -63..63. So
 *
 *   sum x w = token_scale * channel_scale * sum q w
 *           + low * channel_scale * sum w
 *
 * and the second term's factor is known when the model is packed. Two products
 * are at most 2 * 127 * 63 = 16,002, so four of them fit 16 bits; whatever the
 * order they are added in, sums are the same to the bit.
 *
 * The steps in floating point are the same to the bit too: all are written
 * over 16 lanes (body_priv.h) with explicit fused multiply-adds, and sums over
 * a row have one order.
 */
#ifndef EMBED_EMBED_PRIV_H
#define EMBED_EMBED_PRIV_H

#include <assert.h>
#include <float.h>

#include "base/seg.h"
#include "embed/embed.h"
#include "text/wordpiece.h"

#define LANES 16
#define STRIP 64
#define GROUP 4 /* input channels side by side, as dot products take them */
#define STRIP_BYTES ((size_t)STRIP * GROUP) /* of a group of a strip */
#define PANEL_BYTES ((size_t)LANES * GROUP)
/* Sizes of a model's rows are multiples of this, so that kernels have no
 * edges but that of tokens. */
#define ROW_STEP 64
#define DEPTH_STEP 16 /* of a head */
#define DEPTH_MAX 256
#define WEIGHT_MAX 63
#define ACTIVATION_MAX 127
#define ALIGN_BYTES 64

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "stored numbers are read in place");

/* ---- what the kernels work on ---- */

/* weight [out / 64][in / 4][64][4]: strips of 64 output channels, 4 input
 * channels of each together. */
struct linear {
    const int8_t *weight;
    const float *scale, *correction, *bias; /* [out]; correction: scale sum w */
    uint32_t in, out;
};

#define STRIP_PANELS (STRIP / LANES)

/* Where the weights of a panel begin; the address of those behind the last,
 * too, where nothing may lie. */
static inline size_t panel_offset(const struct linear *l, size_t panel)
{
    return panel / STRIP_PANELS * STRIP * l->in +
           panel % STRIP_PANELS * PANEL_BYTES;
}
static inline uintptr_t panel_address(const struct linear *l, size_t panel)
{
    return (uintptr_t)l->weight + panel_offset(l, panel);
}
static inline const int8_t *panel_weight(const struct linear *l, size_t panel)
{
    return l->weight + panel_offset(l, panel);
}

/* x * (0.5 + t P(t^2)), t being x within +-limit; or x where positive. */
#define ACTIVATION_TERMS 7
struct activation {
    bool relu;
    float limit, terms[ACTIVATION_TERMS];
};

/* Tokens in integer form. */
struct tokens {
    uint8_t *q;         /* [rows, n] */
    float *scale, *low; /* [rows] */
};

enum linear_end {
    LINEAR_STORE,    /* out = y */
    LINEAR_ACTIVATE, /* out = activation(y) * smooth */
    LINEAR_ADD       /* out += y */
};
struct linear_job {
    const struct linear *linear;
    struct tokens in;
    uint32_t rows;
    enum linear_end end;
    /* A strip of 64 channels of a row lies together; from row to row and from
     * strip to strip it is so far. */
    float *out;
    size_t row_stride, strip_stride;
    const struct activation *activation;
    const float *smooth; /* [linear->out] */
};

struct norm_job {
    float *x; /* [rows, n], in place */
    uint32_t rows, n;
    float eps;
    const float *gamma, *beta; /* [n] */
    const float *smooth;       /* [n]; NULL: no integer form is wanted */
    struct tokens out;         /* of x * smooth */
};

/* One head of one text. */
struct attend_job {
    const float *query, *key, *value; /* rows `stride` apart */
    size_t stride;
    uint32_t n, depth;
    float *out; /* rows `out_stride` apart */
    size_t out_stride;
    void *scratch; /* attend_bytes(n, depth), aligned */
};

/* Attention's integers. Queries and keys of a head are q / QUERY_MOST and
 * k / WEIGHT_MAX of the largest, values v / VALUE_MAX of their channel's
 * largest. */
#define QUERY_ZERO 64 /* queries are put upon it, as sums want them unsigned */
#define QUERY_MOST 63
#define VALUE_MAX 127
#define ATTEND_ROWS_MAX 8 /* scored together */

/* Sizes of what attention keeps of a text of n tokens. */
static inline size_t attend_keys(size_t n, size_t depth)
{
    return (n + STRIP - 1) / STRIP * STRIP * depth;
}
static inline size_t attend_padded(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}
static inline size_t attend_bytes(size_t n, size_t depth)
{
    size_t padded = attend_padded(n);

    return attend_keys(n, depth) + padded * sizeof(float) /* bases */
           + padded * depth                               /* queries */
           + padded * depth * sizeof(int16_t)             /* values */
           + padded * ATTEND_ROWS_MAX * sizeof(float);    /* scores */
}

struct embed_kernels {
    const char *name;
    void (*linear)(const struct linear_job *job);
    void (*norm)(const struct norm_job *job);
    void (*quantise)(const float *x, uint32_t rows, uint32_t n,
                     const struct tokens *out);
    void (*attend)(const struct attend_job *job);
    /* x = word * scale + position */
    void (*embed)(const int8_t *word, float scale, const float *position,
                  uint32_t n, float *x);
    void (*mean)(const float *x, uint32_t rows, uint32_t n, float *out);
    float (*dot)(const float *a, const float *b, uint32_t n);
};

/* NULL: this processor lacks what they need. */
const struct embed_kernels *embed_kernels_scalar(void);
const struct embed_kernels *embed_kernels_avx2(void);
const struct embed_kernels *embed_kernels_avxvnni(void);
const struct embed_kernels *embed_kernels_avx512(void);
const struct embed_kernels *embed_kernels_amx(void);
const struct embed_kernels *embed_kernels_neon(void);

/* The best there are, or those KNOWD_KERNELS names. */
const struct embed_kernels *embed_kernels_pick(void);
/* All that run here, the reference last; how many. */
#define EMBED_KERNELS_MAX 8
size_t embed_kernels_all(const struct embed_kernels *all[EMBED_KERNELS_MAX]);

/* ---- the opened model ---- */

struct norm {
    const float *gamma, *beta;
};
struct layer {
    struct linear qkv, attention_out, up, down;
    struct norm attention_norm, out_norm;
    /* What their inputs are multiplied by; that of attention_out stands in the
     * weights of the values. */
    const float *qkv_smooth, *up_smooth, *down_smooth;
};
struct model {
    struct seg *seg;
    struct model_info info;
    struct bert_shape shape; /* types: 1, added into the positions */
    struct vocab *vocab;
    bool lowercase, strip_accents, ideographs_apart;
    const int8_t *words;      /* [vocab, hidden] */
    const float *word_scales; /* [vocab] */
    const float *positions;   /* [positions, hidden] */
    struct norm embedding_norm;
    struct layer layers[BERT_LAYERS_MAX];
    const float *dense, *dense_bias; /* [dims, hidden], [dims]; NULL: none */
    bool has_dense, dense_tanh;
};

/* The same over bytes that stay the caller's, sums ignored: for fuzzing. */
rc model_open_bytes(str bytes, struct model **m, struct err *e) MUST_CHECK;

/* How many floats a layer has beside its weights, and its weights. */
static inline size_t layer_floats(size_t hidden, size_t inner)
{
    return 2 * hidden    /* what qkv's and up's inputs are smoothed by */
           + inner       /* down's */
           + 9 * hidden  /* qkv: scale, correction, bias */
           + 6 * hidden  /* attention_out, down */
           + 3 * inner   /* up */
           + 4 * hidden; /* norms */
}
static inline size_t layer_weights(size_t hidden, size_t inner)
{
    return 4 * hidden * hidden + 2 * hidden * inner;
}

#define INFO_BYTES 128
#define FORM_VERSION 1
#define STRING_BYTES_MAX 1024 /* name, licence, prefixes */
enum info_flag {
    INFO_LOWERCASE = 1u << 0,
    INFO_STRIP_ACCENTS = 1u << 1,
    INFO_IDEOGRAPHS_APART = 1u << 2,
    INFO_DENSE = 1u << 3,
    INFO_DENSE_TANH = 1u << 4
};

/* Token ids, special ones among them, to vectors: what embed_texts does behind
 * the tokenizer. ids of all texts one after the other. */
rc embed_ids(struct embedder *x, const uint32_t *ids, const uint32_t *lengths,
             size_t n, float *out, struct err *e) MUST_CHECK;

/* ---- the reference ---- */

/* What each channel of an input was: the largest absolute value, and the sum
 * of squares over all tokens. */
struct bert_seen {
    float *most, *square; /* [channels] */
};
struct bert_ranges {
    struct bert_seen qkv, attention_out, up; /* [hidden] */
    struct bert_seen down;                   /* [intermediate] */
};
/* bert_embed that widens the ranges of each layer by what it sees. */
rc bert_embed_watched(const struct bert *b, const uint32_t *ids, size_t n,
                      const struct bert_ranges *ranges, float *out,
                      struct err *e) MUST_CHECK;

#endif
