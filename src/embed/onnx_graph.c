/* What hangs on what: the names of linear layers' weights, and the facts of a
 * config. */
#include <math.h>

#include "base/map.h"
#include "embed/onnx_priv.h"

#define WORDS "embeddings.word_embeddings.weight"

rc tensors_prefix(const struct tensors *ts, str *prefix, struct err *e)
{
    str found = STR_NONE;

    *prefix = STR_NONE;
    for (size_t i = 0; i < ts->n; i++) {
        str name = ts->v[i].name;

        if (!str_ends(name, STR(WORDS)))
            continue;
        if (found.n > 0 && !str_eq(found, name))
            return err_set(e, RC_UNSUPPORTED,
                           "two models in one: " STR_FMT " and " STR_FMT,
                           STR_ARG(found), STR_ARG(name));
        found = name;
    }
    if (found.n == 0)
        return err_set(e, RC_FORMAT, "tensor " WORDS " is missing");
    *prefix = str_sub(found, 0, found.n - strlen(WORDS));
    return RC_OK;
}

/* ---- looking around ---- */

struct look {
    struct onnx_graph *g;
    struct map *makers; /* name of an output -> place of its node */
    str prefix;
};

static const struct onnx_node *maker_of(const struct look *l, str name,
                                        const char *op)
{
    const uint64_t *at = map_find(l->makers, name);

    return at != NULL && str_eq(l->g->nodes[*at].op, str_of(op))
               ? &l->g->nodes[*at]
               : NULL;
}

static const struct tensor *tensor_of(const struct look *l, str name,
                                      size_t dims_n)
{
    const struct tensor *t = tensors_find(l->g->ts, name);

    return t != NULL && t->dims_n == dims_n ? t : NULL;
}

/* Operators whose weights are not a plain layer's. */
static rc check_ops(const struct onnx_graph *g, struct err *e)
{
    static const char *const REFUSED[] = {"MatMulInteger",
                                          "DynamicQuantizeLinear",
                                          "DequantizeLinear",
                                          "QLinearMatMul",
                                          "MatMulNBits",
                                          "Attention",
                                          "QAttention",
                                          "DynamicQuantizeMatMul",
                                          "EmbedLayerNormalization",
                                          "SkipLayerNormalization",
                                          "FusedMatMul"};

    for (size_t i = 0; i < g->nodes_n; i++) {
        for (size_t k = 0; k < NELEMS(REFUSED); k++) {
            if (str_eq(g->nodes[i].op, str_of(REFUSED[k])))
                return err_set(e, RC_UNSUPPORTED,
                               "the graph has %s nodes: quantised and fused "
                               "exports are not supported, the plain one is",
                               REFUSED[k]);
        }
    }
    return RC_OK;
}

/* ---- linear layers ---- */

/* The weight that a MatMul or Gemm multiplies by, and which way it lies. */
static bool weight_of(const struct look *l, const struct onnx_node *n,
                      struct tensor *weight)
{
    const struct tensor *t = tensor_of(l, n->in[1], 2);
    const struct onnx_node *turn = maker_of(l, n->in[1], "Transpose");
    bool turned = true;

    if (t == NULL && turn != NULL) {
        t = tensor_of(l, turn->in[0], 2);
        turned = false;
    }
    if (t == NULL)
        return false;
    *weight = *t;
    weight->turned = n->trans_b != 0 ? !turned : turned;
    return true;
}

/* "/bert/encoder/layer.0/output/dense/Add" names a layer too. */
static str layer_of_node(struct look *l, str node)
{
    static const char *const STACKS[] = {"encoder/layer.",
                                         "transformer/layer."};
    size_t at = node.n, end = node.n;
    char *p;

    for (size_t i = 0; i < NELEMS(STACKS) && at == node.n; i++)
        at = str_find(node, str_of(STACKS[i]));
    while (end > at && node.p[end - 1] != '/')
        end--;
    if (end <= at + 1 || end - at > TENSOR_NAME_BYTES_MAX)
        return STR_NONE;
    p = arena_cstr(l->g->ts->arena, str_sub(node, at, end - 1 - at));
    for (char *c = p; *c != '\0'; c++) {
        if (*c == '/')
            *c = '.';
    }
    return arena_fmt(l->g->ts->arena, STR_FMT "%s", STR_ARG(l->prefix), p);
}

/* Gives weight and bias of a layer the names they have in PyTorch. */
static rc name_layer(struct look *l, str node, const struct tensor *bias,
                     struct tensor *weight, struct err *e)
{
    struct arena *a = l->g->ts->arena;
    struct tensor b = *bias;
    bool named = str_ends(b.name, STR(".bias"));
    str layer = named ? str_sub(b.name, 0, b.name.n - strlen(".bias"))
                      : layer_of_node(l, node);
    rc code = RC_OK;

    if (layer.n == 0)
        return RC_OK;
    weight->name = arena_fmt(a, STR_FMT ".weight", STR_ARG(layer));
    b.name = arena_fmt(a, STR_FMT ".bias", STR_ARG(layer));
    if (!named)
        code = tensors_put(l->g->ts, &b, e);
    return code == RC_OK ? tensors_put(l->g->ts, weight, e) : code;
}

/* MatMul and then Add of a vector, either way round. */
static rc take_add(struct look *l, const struct onnx_node *add, struct err *e)
{
    for (size_t i = 0; i < 2; i++) {
        const struct tensor *bias = tensor_of(l, add->in[i], 1);
        const struct onnx_node *product = maker_of(l, add->in[1 - i], "MatMul");
        struct tensor weight;

        if (bias != NULL && product != NULL && weight_of(l, product, &weight))
            return name_layer(l, add->name, bias, &weight, e);
    }
    return RC_OK;
}

static rc take_gemm(struct look *l, const struct onnx_node *n, struct err *e)
{
    const struct tensor *bias = tensor_of(l, n->in[2], 1);
    struct tensor weight;

    if (bias == NULL || !weight_of(l, n, &weight) || n->trans_a != 0 ||
        n->alpha != 1.0f || n->beta != 1.0f)
        return RC_OK;
    return name_layer(l, n->name, bias, &weight, e);
}

static rc name_layers(struct look *l, struct err *e)
{
    rc code = RC_OK;

    for (size_t i = 0; i < l->g->nodes_n && code == RC_OK; i++) {
        const struct onnx_node *n = &l->g->nodes[i];

        if (str_eq(n->op, STR("Add")))
            code = take_add(l, n, e);
        else if (str_eq(n->op, STR("Gemm")))
            code = take_gemm(l, n, e);
    }
    return code;
}

/* What stands in a layer and went through no MatMul that was understood: which
 * way it lies can't be told, so it is nobody's. */
static void leave_unplaced(struct look *l, size_t tensors_n)
{
    struct tensors *ts = l->g->ts;

    for (size_t i = 0; i < tensors_n; i++) {
        struct tensor *t = &ts->v[i];

        if (t->dims_n == 2 && str_find(t->name, STR(".layer.")) < t->name.n &&
            tensors_find(ts, t->name) == t) {
            t->type = TENSOR_OTHER;
            t->kind = STR("unknown (no MatMul uses it)");
        }
    }
}

/* ---- facts ---- */

/* Heads and their size out of the shape [batch, tokens, heads, size] that a
 * Reshape is given, as one tensor or put together. */
static bool heads_of_shape(const struct look *l, str shape, int64_t *heads,
                           int64_t *size)
{
    const struct onnx_node *concat = maker_of(l, shape, "Concat");
    struct onnx_ints whole, last;

    if (concat != NULL && concat->in_n == 4 &&
        onnx_ints_of(tensors_find(l->g->ts, concat->in[2]), &whole) &&
        onnx_ints_of(tensors_find(l->g->ts, concat->in[3]), &last) &&
        whole.n == 1 && last.n == 1) {
        *heads = whole.v[0];
        *size = last.v[0];
        return true;
    }
    if (!onnx_ints_of(tensors_find(l->g->ts, shape), &whole) || whole.n != 4)
        return false;
    *heads = whole.v[2];
    *size = whole.v[3];
    return true;
}

/* Is it what the first layer's query gives? */
static bool is_query(const struct look *l, str name)
{
    static const char *const BIASES[] = {
        "encoder.layer.0.attention.self.query.bias",
        "transformer.layer.0.attention.q_lin.bias"};
    const struct onnx_node *add = maker_of(l, name, "Add"),
                           *gemm = maker_of(l, name, "Gemm");

    for (size_t i = 0; i < NELEMS(BIASES); i++) {
        str bias = str_of(BIASES[i]);

        if ((add != NULL &&
             (str_ends(add->in[0], bias) || str_ends(add->in[1], bias))) ||
            (gemm != NULL && str_ends(gemm->in[2], bias)))
            return true;
    }
    return false;
}

static uint32_t find_heads(const struct look *l)
{
    for (size_t i = 0; i < l->g->nodes_n; i++) {
        const struct onnx_node *n = &l->g->nodes[i];
        int64_t heads, size;

        if (str_eq(n->op, STR("Reshape")) && is_query(l, n->in[0]) &&
            heads_of_shape(l, n->in[1], &heads, &size) && heads > 0 &&
            heads <= BERT_HIDDEN_MAX)
            return (uint32_t)heads;
    }
    return 0;
}

static float number_of(const struct look *l, str name)
{
    const struct tensor *t = tensors_find(l->g->ts, name);
    float v = 0;

    if (t != NULL && t->type == TENSOR_F32 && t->bytes.n == sizeof v)
        memcpy(&v, t->bytes.p, sizeof v);
    return isfinite(v) ? v : 0;
}

/* Of LayerNormalization, or of the number added before the root. */
static float find_norm_eps(const struct look *l)
{
    for (size_t i = 0; i < l->g->nodes_n; i++) {
        const struct onnx_node *n = &l->g->nodes[i], *add;
        float v = 0;

        if (str_eq(n->op, STR("LayerNormalization")))
            return n->has_epsilon ? n->epsilon : 1e-5f;
        add = str_eq(n->op, STR("Sqrt")) ? maker_of(l, n->in[0], "Add") : NULL;
        if (add != NULL)
            v = number_of(l, add->in[1]) + number_of(l, add->in[0]);
        if (v > 0)
            return v;
    }
    return 0;
}

static size_t count_op(const struct look *l, const char *op)
{
    size_t count = 0;

    for (size_t i = 0; i < l->g->nodes_n; i++)
        count += str_eq(l->g->nodes[i].op, str_of(op));
    return count;
}

/* The pooler has a Tanh of its own, so one alone tells nothing. */
static void find_activation(const struct look *l, struct onnx_facts *facts)
{
    facts->activation_found = true;
    if (count_op(l, "Erf") > 0)
        facts->activation = BERT_GELU;
    else if (count_op(l, "Tanh") > 1)
        facts->activation = BERT_GELU_TANH;
    else if (count_op(l, "Relu") > 0)
        facts->activation = BERT_RELU;
    else
        facts->activation_found = false;
    for (size_t i = 0; i < l->g->nodes_n; i++) {
        const struct onnx_node *n = &l->g->nodes[i];

        if (!str_eq(n->op, STR("Gelu")))
            continue;
        facts->activation_found = true;
        facts->activation =
            str_eq(n->approximate, STR("tanh")) ? BERT_GELU_TANH : BERT_GELU;
    }
}

rc onnx_read(str file, struct tensors *ts, struct onnx_facts *facts,
             struct err *e)
{
    struct onnx_graph g = {.ts = ts};
    struct look l = {.g = &g};
    rc code = onnx_parse(file, &g, e);
    size_t tensors_n = ts->n;

    *facts = (struct onnx_facts){0};
    if (code == RC_OK)
        code = check_ops(&g, e);
    if (code == RC_OK)
        code = tensors_prefix(ts, &l.prefix, e);
    if (code != RC_OK)
        return code;
    l.makers = map_open();
    for (size_t i = 0; i < g.nodes_n; i++) {
        if (g.nodes[i].out.n > 0)
            *map_slot(l.makers, g.nodes[i].out, NULL) = i;
    }
    code = name_layers(&l, e);
    if (code == RC_OK) {
        leave_unplaced(&l, tensors_n);
        facts->heads = find_heads(&l);
        facts->norm_eps = find_norm_eps(&l);
        find_activation(&l, facts);
    }
    map_close(l.makers);
    return code;
}
