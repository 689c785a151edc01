/*
 * onnx: the weights of a BERT in an ONNX file.
 *
 * Only initialisers, Constant nodes and how nodes hang together are read; the
 * graph is never run. A linear layer's weight is found through its MatMul or
 * Gemm and the named bias added to it, since exports turn it and give it a
 * name of their own ("onnx::MatMul_123"); it then has the name it has in
 * PyTorch. Names may have a prefix, which is taken off.
 *
 * Owns:    names and tensors live in the tensors' arena; bytes borrow `file`.
 * Errors:  RC_FORMAT       not such a file, cut (the tensor is named whose
 *                          numbers are), or a tensor's shape and bytes disagree
 *          RC_LIMIT        more nodes or tensors than the limits
 *          RC_UNSUPPORTED  weights in another file, or a graph that computes
 *                          with integers or fused operators
 * Threads: pure.
 * Source:  the field numbers of onnx.proto (IR version 10); the encoding of
 *          protocol buffers.
 */
#ifndef EMBED_ONNX_PRIV_H
#define EMBED_ONNX_PRIV_H

#include "embed/bert.h"
#include "embed/tensor_priv.h"

#define ONNX_NODES_MAX 65536

/* What the graph tells that a config.json else would. */
struct onnx_facts {
    uint32_t heads; /* 0: not found, as in the next */
    float norm_eps;
    bool activation_found;
    enum bert_activation activation;
};

rc onnx_read(str file, struct tensors *ts, struct onnx_facts *facts,
             struct err *e) MUST_CHECK;

/* The name under which a model's first tensor stands, without its last part:
 * "bert." of "bert.embeddings.word_embeddings.weight". RC_FORMAT: there is
 * none, or there are two. */
rc tensors_prefix(const struct tensors *ts, str *prefix,
                  struct err *e) MUST_CHECK;

/* ---- between the two files ---- */

#define ONNX_INPUTS_MAX 4 /* that are looked at */

struct onnx_node {
    str op, name, domain, out;
    str in[ONNX_INPUTS_MAX];
    size_t in_n; /* may be more */
    int64_t trans_b, trans_a;
    float epsilon, alpha, beta;
    bool has_epsilon;
    str approximate;
};
struct onnx_ints { /* of a small tensor of int64 */
    int64_t v[ONNX_INPUTS_MAX];
    size_t n;
};
struct onnx_graph {
    str file; /* all of it */
    struct tensors *ts;
    struct onnx_node *nodes;
    size_t nodes_n, nodes_cap;
};
rc onnx_parse(str file, struct onnx_graph *g, struct err *e) MUST_CHECK;
/* false: not a tensor of at most ONNX_INPUTS_MAX numbers of int64. */
bool onnx_ints_of(const struct tensor *t, struct onnx_ints *ints);

#endif
