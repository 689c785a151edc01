#include "embed/bert_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "text/wordpiece.h"

/* ---- the tensors by name ---- */

enum size {
    SIZE_NONE,
    SIZE_VOCAB,
    SIZE_POSITIONS,
    SIZE_TYPES,
    SIZE_HIDDEN,
    SIZE_INTERMEDIATE
};

struct row {
    const char *name[2]; /* by enum bert_names; NULL: none */
    size_t offset;       /* in struct bert, or in struct bert_layer */
    enum size rows, cols;
};

static const struct row WHOLE[] = {
    {{"embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight"},
     offsetof(struct bert, words),
     SIZE_VOCAB,
     SIZE_HIDDEN},
    {{"embeddings.position_embeddings.weight",
      "embeddings.position_embeddings.weight"},
     offsetof(struct bert, positions),
     SIZE_POSITIONS,
     SIZE_HIDDEN},
    {{"embeddings.token_type_embeddings.weight", NULL},
     offsetof(struct bert, types),
     SIZE_TYPES,
     SIZE_HIDDEN},
    {{"embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight"},
     offsetof(struct bert, embedding_norm.weight),
     SIZE_HIDDEN,
     SIZE_NONE},
    {{"embeddings.LayerNorm.bias", "embeddings.LayerNorm.bias"},
     offsetof(struct bert, embedding_norm.bias),
     SIZE_HIDDEN,
     SIZE_NONE},
};

#define AT(member) offsetof(struct bert_layer, member)
/* NOLINTBEGIN(bugprone-macro-parentheses): a member's name takes none */
#define LINEAR(bert, distil, member, rows, cols)                             \
    {{bert ".weight", distil ".weight"}, AT(member.weight), (rows), (cols)}, \
    {                                                                        \
        {bert ".bias", distil ".bias"}, AT(member.bias), (rows), SIZE_NONE   \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define NORM(bert, distil, member) \
    LINEAR(bert, distil, member, SIZE_HIDDEN, SIZE_NONE)

static const struct row LAYER[] = {
    LINEAR("attention.self.query", "attention.q_lin", query, SIZE_HIDDEN,
           SIZE_HIDDEN),
    LINEAR("attention.self.key", "attention.k_lin", key, SIZE_HIDDEN,
           SIZE_HIDDEN),
    LINEAR("attention.self.value", "attention.v_lin", value, SIZE_HIDDEN,
           SIZE_HIDDEN),
    LINEAR("attention.output.dense", "attention.out_lin", attention_out,
           SIZE_HIDDEN, SIZE_HIDDEN),
    NORM("attention.output.LayerNorm", "sa_layer_norm", attention_norm),
    LINEAR("intermediate.dense", "ffn.lin1", up, SIZE_INTERMEDIATE,
           SIZE_HIDDEN),
    LINEAR("output.dense", "ffn.lin2", down, SIZE_HIDDEN, SIZE_INTERMEDIATE),
    NORM("output.LayerNorm", "output_layer_norm", out_norm),
};

static size_t size_of(const struct bert_shape *s, enum size size)
{
    const size_t sizes[] = {[SIZE_NONE] = 0,
                            [SIZE_VOCAB] = s->vocab,
                            [SIZE_POSITIONS] = s->positions,
                            [SIZE_TYPES] = s->types,
                            [SIZE_HIDDEN] = s->hidden,
                            [SIZE_INTERMEDIATE] = s->intermediate};

    return sizes[size];
}

bool bert_tensor_at(const struct bert_shape *s, enum bert_names names,
                    size_t at, struct bert_tensor *t)
{
    static const char *const STACK[] = {[NAMES_BERT] = "encoder.layer",
                                        [NAMES_DISTILBERT] =
                                            "transformer.layer"};
    size_t layer = (at - NELEMS(WHOLE)) / NELEMS(LAYER);
    const struct row *row;
    int n;

    if (at < NELEMS(WHOLE)) {
        row = &WHOLE[at];
        t->offset = row->offset;
        n = snprintf(t->name, sizeof t->name, "%s",
                     row->name[names] == NULL ? "" : row->name[names]);
    } else if (layer < s->layers) {
        row = &LAYER[(at - NELEMS(WHOLE)) % NELEMS(LAYER)];
        t->offset = offsetof(struct bert, layers) +
                    layer * sizeof(struct bert_layer) + row->offset;
        n = snprintf(t->name, sizeof t->name, "%s.%zu.%s", STACK[names], layer,
                     row->name[names]);
    } else {
        return false;
    }
    ASSERT(n >= 0 && (size_t)n < sizeof t->name);
    t->rows = size_of(s, row->rows);
    t->cols = size_of(s, row->cols);
    return true;
}

/* ---- the check ---- */

rc bert_check_shape(const struct bert_shape *s, struct err *e)
{
    const struct {
        const char *name;
        uint32_t is, min, max;
    } bounds[] = {
        {"layers", s->layers, 1, BERT_LAYERS_MAX},
        {"hidden size", s->hidden, 1, BERT_HIDDEN_MAX},
        {"attention heads", s->heads, 1, s->hidden},
        {"intermediate size", s->intermediate, 1, BERT_INTERMEDIATE_MAX},
        {"vocabulary", s->vocab, 1, WORDPIECE_TOKENS_MAX},
        {"positions", s->positions, 3, BERT_POSITIONS_MAX},
        {"token types", s->types, 1, BERT_TYPES_MAX},
        {"tokens of a text", s->tokens_max, 3, s->positions},
        {"dimensions", s->dims, 1, BERT_DIMS_MAX},
    };

    for (size_t i = 0; i < NELEMS(bounds); i++) {
        if (bounds[i].is < bounds[i].min || bounds[i].is > bounds[i].max)
            return err_set(
                e, RC_LIMIT,
                "%s: %" PRIu32 " is not from %" PRIu32 " to %" PRIu32,
                bounds[i].name, bounds[i].is, bounds[i].min, bounds[i].max);
    }
    if (s->hidden % s->heads != 0)
        return err_set(e, RC_FORMAT,
                       "hidden size %" PRIu32 " is no multiple of the %" PRIu32
                       " attention heads",
                       s->hidden, s->heads);
    if (!isfinite(s->norm_eps) || s->norm_eps <= 0 || s->norm_eps > 0.1f)
        return err_set(e, RC_FORMAT, "layer norm epsilon %g is not in (0, 0.1]",
                       (double)s->norm_eps);
    return RC_OK;
}

static rc check_numbers(str name, const float *v, size_t rows, size_t cols,
                        struct err *e)
{
    size_t n = rows * (cols == 0 ? 1 : cols), i = 0;

    if (v == NULL)
        return err_set(e, RC_FORMAT, "tensor " STR_FMT " is missing",
                       STR_ARG(name));
    while (i < n && isfinite(v[i]))
        i++;
    if (i < n)
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT ": number %zu of %zu is not finite",
                       STR_ARG(name), i + 1, n);
    return RC_OK;
}

static rc check_dense(const struct bert *b, struct err *e)
{
    const struct bert_shape *s = &b->shape;
    rc code;

    if (b->dense.weight == NULL)
        return s->dims == s->hidden
                   ? RC_OK
                   : err_set(e, RC_FORMAT,
                             "%" PRIu32 " dimensions of a hidden size of "
                             "%" PRIu32 " without a dense layer",
                             s->dims, s->hidden);
    code = check_numbers(STR("linear.weight"), b->dense.weight, s->dims,
                         s->hidden, e);
    if (code == RC_OK && b->dense.bias != NULL)
        code = check_numbers(STR("linear.bias"), b->dense.bias, s->dims, 0, e);
    return code;
}

rc bert_check(const struct bert *b, const str *names, struct err *e)
{
    rc code = bert_check_shape(&b->shape, e);
    struct bert_tensor t;

    for (size_t i = 0;
         code == RC_OK && bert_tensor_at(&b->shape, NAMES_BERT, i, &t); i++) {
        const float *v;

        memcpy(&v, (const char *)b + t.offset, sizeof v);
        code = check_numbers(names[i], v, t.rows, t.cols, e);
    }
    if (code == RC_OK)
        code = check_dense(b, e);
    if (code == RC_OK && b->tokens == NULL)
        code = err_set(e, RC_FORMAT, "there is no vocabulary");
    return code;
}
