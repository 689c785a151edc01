/*
 * bert: the weights of a sentence embedder of the BERT family, in fp32, as the
 * readers of model files hand them over (folder.c, onnx.c), the reference
 * computes with them (reference.c), and the packer makes the integer form of
 * them (pack.c).
 *
 * Owns:    arrays borrow the mapped file or live in the reader's arena.
 * Shapes:  weights [out, in] row-major, as a linear layer of PyTorch has them.
 */
#ifndef EMBED_BERT_H
#define EMBED_BERT_H

#include "base/arena.h"
#include "base/err.h"

#define BERT_LAYERS_MAX 48
#define BERT_HIDDEN_MAX 2048
#define BERT_INTERMEDIATE_MAX 8192
#define BERT_POSITIONS_MAX 8192
#define BERT_TYPES_MAX 16
#define BERT_DIMS_MAX 4096

enum bert_activation { BERT_GELU, BERT_GELU_TANH, BERT_RELU };
enum bert_pooling { POOL_MEAN, POOL_CLS };

struct bert_shape {
    uint32_t vocab, hidden, layers, heads, intermediate;
    uint32_t positions, types; /* rows of those tables */
    uint32_t tokens_max;       /* of one text, special ones counted */
    uint32_t dims;             /* of the vector: hidden, or the dense layer's */
    float norm_eps;
    enum bert_activation activation;
    enum bert_pooling pooling;
};

struct bert_linear {
    const float *weight, *bias; /* [out, in], [out]; bias NULL: none */
};
struct bert_norm {
    const float *weight, *bias; /* [hidden] */
};
struct bert_layer {
    struct bert_linear query, key, value, attention_out; /* hidden, hidden */
    struct bert_norm attention_norm;
    struct bert_linear up;   /* intermediate, hidden */
    struct bert_linear down; /* hidden, intermediate */
    struct bert_norm out_norm;
};
struct bert {
    struct bert_shape shape;
    const float *words, *positions,
        *types; /* [vocab|positions|types, hidden] */
    struct bert_norm embedding_norm;
    struct bert_layer layers[BERT_LAYERS_MAX];
    struct bert_linear dense; /* dims, hidden; weight NULL: none */
    bool dense_tanh;
    /* The vocabulary: tokens by id, and how text is normalised. */
    const str *tokens; /* [shape.vocab]; an empty one has no text */
    bool lowercase, strip_accents, ideographs_apart;
    str query_prefix, passage_prefix; /* put before a text */
    str name, license;                /* empty: not said */
};

/* Every shape within its bounds and consistent, every number finite: what both
 * the reference and the packer rely on. RC_FORMAT names the tensor, RC_LIMIT
 * the size. names: what their file calls the tensors, in the order of
 * bert_tensor_at (bert_priv.h). */
rc bert_check(const struct bert *b, const str *names, struct err *e) MUST_CHECK;

/* The plain forward pass: vectors of unit length. ids hold the special tokens
 * and are at most tokens_max. */
rc bert_embed(const struct bert *b, const uint32_t *ids, size_t n, float *out,
              struct err *e) MUST_CHECK;

#endif
