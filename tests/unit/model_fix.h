/* A tiny model as a Hugging Face folder or an ONNX file, with one thing wrong
 * in it where a test says so. Numbers are small and differ by tensor and place:
 * see model_number. */
#ifndef MODEL_FIX_H
#define MODEL_FIX_H

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "embed/bert_priv.h"

#define MODEL_DISTILBERT(layers)                                       \
    "{\"model_type\": \"distilbert\", \"vocab_size\": 10, \"dim\": 8," \
    " \"n_layers\": " layers ", \"n_heads\": 2, \"hidden_dim\": 12,"   \
    " \"activation\": \"gelu\", \"max_position_embeddings\": 16}"
#ifndef MODEL_SHAPE /* a test may want another */
#define MODEL_SHAPE                                                            \
    {                                                                          \
        .vocab = 10, .hidden = 8, .layers = 2, .heads = 2, .intermediate = 12, \
        .positions = 16, .types = 2, .tokens_max = 16, .dims = 8,              \
        .norm_eps = 1e-12f                                                     \
    }
#define MODEL_CONFIG                                                     \
    "{\"model_type\": \"bert\", \"vocab_size\": 10, \"hidden_size\": 8," \
    " \"num_hidden_layers\": 2, \"num_attention_heads\": 2,"             \
    " \"intermediate_size\": 12, \"max_position_embeddings\": 16,"       \
    " \"type_vocab_size\": 2, \"hidden_act\": \"gelu\","                 \
    " \"layer_norm_eps\": 1e-12"
#endif
#define MODEL_VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n##c\nde\n,\n一\n"
#define MODEL_MODULES                                                       \
    "[{\"path\": \"\", \"type\": \"sentence_transformers.models."           \
    "Transformer\"}, {\"path\": \"1_Pooling\", \"type\": \"sentence_transf" \
    "ormers.models.Pooling\"}, {\"path\": \"2_Normalize\", \"type\": \"sen" \
    "tence_transformers.models.Normalize\"}]"
#define MODEL_POOLING \
    "{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true}"

/* What the weights are made like. */
struct model_weights {
    const char *prefix, *kind; /* NULL: "", "F32" */
    const char *left_out;      /* this tensor's name: missing */
    const char *turned;        /* has its dimensions swapped */
    const char *not_finite;
    const char *added;   /* one more tensor of 4 numbers */
    bool old_norms;      /* gamma and beta */
    bool distilbert;     /* its names */
    size_t bytes_cut;    /* from the end */
    size_t header_shift; /* white space behind the header */
};

/* No two rows alike, or all texts would have one vector. */
static inline float model_number(const char *name, size_t i)
{
    uint32_t mixed = (uint32_t)(strlen(name) * 7919 + i) * 0x9e3779b1u;

    mixed = (mixed ^ mixed >> 15) * 0x85ebca6bu;
    mixed ^= mixed >> 13;
    return (float)(mixed >> 26) / 64.0f - 0.5f; /* exact as F16 */
}

static inline uint16_t model_half(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    if (isnan(v))
        return 0x7e00;
    if (v == 0)
        return 0;
    return (uint16_t)((bits >> 31) << 15 | ((bits >> 23 & 255) - 112) << 10 |
                      (bits >> 13 & 1023));
}

static inline bool model_is(const char *name, const char *other)
{
    return other != NULL && strcmp(name, other) == 0;
}

static inline void model_put_number(struct buf *to, str kind, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    if (str_eq(kind, STR("F32")))
        buf_put_u32(to, bits);
    else if (str_eq(kind, STR("F16")))
        buf_put_u16(to, model_half(v));
    else
        buf_put_u16(to, (uint16_t)(bits >> 16));
}

/* One entry of the header, and its bytes. */
static inline void model_put_tensor(struct buf *header, struct buf *data,
                                    const struct model_weights *w,
                                    const struct bert_tensor *t)
{
    str kind = w->kind == NULL ? STR("F32") : str_of(w->kind);
    str name = str_of(t->name), end = STR("");
    size_t n = t->rows * (t->cols == 0 ? 1 : t->cols), from = data->n;
    size_t rows = t->rows, cols = t->cols;

    for (size_t i = 0; i < n; i++)
        model_put_number(data, kind,
                         model_is(t->name, w->not_finite) && i == n / 2
                             ? NAN
                             : model_number(t->name, i));
    if (model_is(t->name, w->turned)) {
        rows = t->cols;
        cols = t->rows;
    }
    if (w->old_norms && str_ends(name, STR("LayerNorm.weight")))
        end = STR("gamma");
    else if (w->old_norms && str_ends(name, STR("LayerNorm.bias")))
        end = STR("beta");
    if (end.n > 0)
        name.n -= str_eq(end, STR("gamma")) ? strlen("weight") : strlen("bias");
    buf_fmt(header,
            "%s\"%s" STR_FMT STR_FMT "\": {\"dtype\": \"" STR_FMT "\", ",
            header->n > 1 ? ", " : "", w->prefix == NULL ? "" : w->prefix,
            STR_ARG(name), STR_ARG(end), STR_ARG(kind));
    if (cols == 0)
        buf_fmt(header, "\"shape\": [%zu], ", rows);
    else
        buf_fmt(header, "\"shape\": [%zu, %zu], ", rows, cols);
    buf_fmt(header, "\"data_offsets\": [%zu, %zu]}", from, data->n);
}

static inline void model_safetensors(const struct model_weights *w,
                                     struct buf *to)
{
    static const struct bert_shape SHAPE = MODEL_SHAPE;
    struct buf header = {0}, data = {0};
    struct bert_tensor t;

    buf_put(&header, STR("{"));
    for (size_t i = 0; bert_tensor_at(
             &SHAPE, w->distilbert ? NAMES_DISTILBERT : NAMES_BERT, i, &t);
         i++) {
        if (t.name[0] != '\0' && !model_is(t.name, w->left_out))
            model_put_tensor(&header, &data, w, &t);
    }
    if (w->added != NULL) {
        t = (struct bert_tensor){.rows = 4};
        (void)snprintf(t.name, sizeof t.name, "%s", w->added);
        model_put_tensor(&header, &data, w, &t);
    }
    buf_put(&header, STR("}"));
    for (size_t i = 0; i < w->header_shift; i++)
        buf_put(&header, STR(" "));
    buf_put_u64(to, header.n);
    buf_put(to, buf_str(&header));
    buf_put(to, buf_str(&data));
    to->n -= w->bytes_cut;
    buf_close(&header);
    buf_close(&data);
}

/* ---- a folder ---- */

static inline void model_write(const char *dir, const char *name, str text)
{
    char path[600];
    struct err e;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    *strrchr(path, '/') = '\0';
    ASSERT(file_mkdirs(path, 0700, &e) == RC_OK);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    ASSERT(file_write_atomic(path, text, 0600, &e) == RC_OK);
}

static inline void model_write_weights(const char *dir, const char *name,
                                       const struct model_weights *w)
{
    struct buf b = {0};

    model_safetensors(w, &b);
    model_write(dir, name, buf_str(&b));
    buf_close(&b);
}

/* A whole folder that is fine. */
static inline void model_folder(const char *dir)
{
    model_write(dir, "config.json", STR(MODEL_CONFIG "}"));
    model_write(dir, "vocab.txt", STR(MODEL_VOCAB));
    model_write(dir, "modules.json", STR(MODEL_MODULES));
    model_write(dir, "1_Pooling/config.json", STR(MODEL_POOLING));
    model_write_weights(dir, "model.safetensors", &(struct model_weights){0});
}

/* ---- ONNX ---- */

static inline void pb_bytes(struct buf *to, unsigned number, str bytes)
{
    buf_put_varint(to, number << 3 | 2);
    buf_put_varint(to, bytes.n);
    buf_put(to, bytes);
}

static inline void pb_varint(struct buf *to, unsigned number, uint64_t v)
{
    buf_put_varint(to, number << 3);
    buf_put_varint(to, v);
}

/* A TensorProto; rows 0: a scalar. type: 1 or 7; field: 9 (raw_data), 4. */
static inline void pb_tensor(struct buf *to, const char *name, unsigned type,
                             size_t rows, size_t cols, unsigned field, str raw)
{
    if (rows > 0)
        pb_varint(to, 1, rows);
    if (cols > 0)
        pb_varint(to, 1, cols);
    pb_varint(to, 2, type);
    pb_bytes(to, 8, str_of(name));
    pb_bytes(to, field, raw);
}

struct pb_node {
    const char *op, *name, *out;
    const char *in[4];
};

/* A NodeProto; attribute: one more AttributeProto. */
static inline void pb_node(struct buf *graph, const struct pb_node *n,
                           str attribute)
{
    struct buf b = {0};

    for (size_t i = 0; i < 4 && n->in[i] != NULL; i++)
        pb_bytes(&b, 1, str_of(n->in[i]));
    pb_bytes(&b, 2, str_of(n->out));
    pb_bytes(&b, 3, str_of(n->name));
    pb_bytes(&b, 4, str_of(n->op));
    if (attribute.p != NULL)
        pb_bytes(&b, 5, attribute);
    pb_bytes(graph, 1, buf_str(&b));
    buf_close(&b);
}

/* A Constant node that gives one number. */
static inline void pb_constant(struct buf *graph, const char *name,
                               unsigned type, str raw)
{
    struct buf tensor = {0}, attribute = {0};

    pb_tensor(&tensor, "", type, type == 7, 0, 9, raw);
    pb_bytes(&attribute, 1, STR("value"));
    pb_bytes(&attribute, 5, buf_str(&tensor));
    pb_node(graph, &(struct pb_node){"Constant", "", name, {NULL}},
            buf_str(&attribute));
    buf_close(&attribute);
    buf_close(&tensor);
}

struct model_onnx {
    const char *op;       /* NULL: MatMul and Add; else Gemm */
    bool transposed;      /* through a Transpose node, or Gemm's transB */
    bool without_names;   /* biases are called onnx::Add_N, nodes tell */
    bool without_heads;   /* no Reshape */
    bool float_data;      /* in place of raw_data */
    bool same_biases;     /* biases go through an Identity node */
    const char *left_out; /* a tensor */
    const char *extra_op; /* one more node */
    bool external;        /* tensors lie in another file */
    bool distilbert;      /* its names */
    size_t bytes_cut;
};

static inline void model_put_initializer(struct buf *graph,
                                         const struct model_onnx *o,
                                         const struct bert_tensor *t,
                                         const char *name, bool turned)
{
    struct buf raw = {0}, b = {0};
    size_t cols = t->cols == 0 ? 1 : t->cols;

    for (size_t i = 0; i < t->rows * cols; i++) {
        size_t at = turned ? i % t->rows * cols + i / t->rows : i;

        model_put_number(&raw, STR("F32"), model_number(t->name, at));
    }
    pb_tensor(&b, name, 1, turned ? cols : t->rows, turned ? t->rows : t->cols,
              o->float_data ? 4 : 9, buf_str(&raw));
    if (o->external)
        pb_varint(&b, 14, 1);
    pb_bytes(graph, 5, buf_str(&b));
    buf_close(&b);
    buf_close(&raw);
}

/* "encoder.layer.0.output.dense" to "/encoder/layer.0/output/dense/Add". */
static inline void model_node_name(const char *layer, const char *op, char *to,
                                   size_t to_n)
{
    (void)snprintf(to, to_n, "/%s/%s", layer, op);
    for (char *c = to; *c != '\0'; c++) {
        if (*c == '.' && (c[1] < '0' || c[1] > '9'))
            *c = '/';
    }
}

/* The nodes of a linear layer whose bias is called so. */
static inline void model_put_linear(struct buf *graph,
                                    const struct model_onnx *o,
                                    const char *layer, const char *weight,
                                    const char *bias)
{
    struct buf trans_b = {0};
    char add[200], product[200], out[220], turn[220];

    model_node_name(layer, "Add", add, sizeof add);
    model_node_name(layer, "MatMul", product, sizeof product);
    (void)snprintf(out, sizeof out, "%s_output_0", add);
    (void)snprintf(turn, sizeof turn, "%s_turned", weight);
    if (o->op != NULL) {
        pb_bytes(&trans_b, 1, STR("transB"));
        pb_varint(&trans_b, 3, o->transposed);
        pb_node(graph, &(struct pb_node){"Gemm", add, out, {"x", weight, bias}},
                buf_str(&trans_b));
        buf_close(&trans_b);
        return;
    }
    if (o->transposed)
        pb_node(graph, &(struct pb_node){"Transpose", "", turn, {weight}},
                STR_NONE);
    pb_node(
        graph,
        &(struct pb_node){
            "MatMul", product, product, {"x", o->transposed ? turn : weight}},
        STR_NONE);
    pb_node(graph, &(struct pb_node){"Add", add, out, {bias, product}},
            STR_NONE);
}

static inline void model_put_facts(struct buf *graph,
                                   const struct model_onnx *o)
{
    struct buf b = {0};

    model_put_number(&b, STR("F32"), 1e-12f);
    pb_constant(graph, "eps", 1, buf_str(&b));
    pb_node(graph, &(struct pb_node){"Add", "", "v+eps", {"v", "eps"}},
            STR_NONE);
    pb_node(graph, &(struct pb_node){"Sqrt", "", "root", {"v+eps"}}, STR_NONE);
    pb_node(graph, &(struct pb_node){"Erf", "", "erf", {"u"}}, STR_NONE);
    buf_clear(&b);
    buf_put_u64(&b, 2);
    pb_constant(graph, "two", 7, buf_str(&b));
    buf_clear(&b);
    buf_put_u64(&b, 4);
    pb_constant(graph, "four", 7, buf_str(&b));
    pb_node(graph,
            &(struct pb_node){"Concat", "", "shape", {"b", "n", "two", "four"}},
            STR_NONE);
    if (!o->without_heads)
        pb_node(graph,
                &(struct pb_node){
                    "Reshape",
                    "",
                    "heads",
                    {o->distilbert
                         ? "/transformer/layer.0/attention/q_lin/Add_output_0"
                         : "/encoder/layer.0/attention/self/query/Add_output_0",
                     "shape"}},
                STR_NONE);
    if (o->extra_op != NULL)
        pb_node(graph, &(struct pb_node){o->extra_op, "", "extra", {"x"}},
                STR_NONE);
    buf_close(&b);
}

static inline void model_onnx(const struct model_onnx *o, struct buf *to)
{
    static const struct bert_shape SHAPE = MODEL_SHAPE;
    struct buf graph = {0};
    struct bert_tensor t;
    char weight[64] = "", name[BERT_TENSOR_NAME_BYTES];
    char stored[BERT_TENSOR_NAME_BYTES];

    model_put_facts(&graph, o);
    for (size_t i = 0; bert_tensor_at(
             &SHAPE, o->distilbert ? NAMES_DISTILBERT : NAMES_BERT, i, &t);
         i++) {
        bool layer = strstr(t.name, ".layer.") != NULL;
        bool linear = layer && t.cols > 0;
        bool bias = layer && str_ends(str_of(t.name), STR(".bias")) &&
                    strstr(t.name, "LayerNorm") == NULL &&
                    strstr(t.name, "layer_norm") == NULL;

        if (t.name[0] == '\0')
            continue;
        memcpy(name, t.name, sizeof name);
        if (linear) {
            (void)snprintf(weight, sizeof weight, "onnx::MatMul_%zu", i);
            memcpy(name, weight, sizeof weight);
        } else if (bias && o->without_names) {
            (void)snprintf(name, sizeof name, "onnx::Add_%zu", i);
        }
        memcpy(stored, name, sizeof stored);
        if (o->same_biases && bias) {
            (void)snprintf(stored, sizeof stored, "shared_%zu", i);
            pb_node(&graph, &(struct pb_node){"Identity", "", name, {stored}},
                    STR_NONE);
        }
        if (!model_is(t.name, o->left_out))
            model_put_initializer(&graph, o, &t, stored,
                                  linear && !o->transposed);
        if (bias) {
            t.name[strlen(t.name) - strlen(".bias")] = '\0';
            model_put_linear(&graph, o, t.name, weight, name);
        }
    }
    pb_varint(to, 1, 6);
    pb_bytes(to, 7, buf_str(&graph));
    to->n -= o->bytes_cut;
    buf_close(&graph);
}

#endif
