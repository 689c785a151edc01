/* bert_fix: a model small enough to run in a test, of random weights. */
#ifndef TESTS_BERT_FIX_H
#define TESTS_BERT_FIX_H

#include "base/rng.h"
#include "embed/bert.h"

#define FIX_HIDDEN 64
#define FIX_INNER 128
#define FIX_TOKENS_MAX 96
#define FIX_DIMS 32 /* of the dense layer */

static const str FIX_TOKENS[] = {
    STR_INIT("[PAD]"), STR_INIT("[UNK]"),  STR_INIT("[CLS]"), STR_INIT("[SEP]"),
    STR_INIT("a"),     STR_INIT("b"),      STR_INIT("c"),     STR_INIT("##a"),
    STR_INIT("##b"),   STR_INIT("##c"),    STR_INIT("query"), STR_INIT(":"),
    STR_INIT("house"), STR_INIT("of"),     STR_INIT("cards"), STR_INIT("."),
    STR_INIT("the"),   STR_INIT("meaning")};

static inline float *fix_floats(struct arena *a, struct rng *r, size_t n,
                                float most, float around)
{
    float *v = ARENA_ARRAY(a, float, n);

    for (size_t i = 0; i < n; i++)
        v[i] = around + most * ((float)rng_below(r, 2001) / 1000 - 1);
    return v;
}

static inline struct bert_linear fix_linear(struct arena *a, struct rng *r,
                                            size_t in, size_t out)
{
    return (struct bert_linear){fix_floats(a, r, in * out, 0.2F, 0),
                                fix_floats(a, r, out, 0.1F, 0)};
}

static inline struct bert_norm fix_norm(struct arena *a, struct rng *r)
{
    return (struct bert_norm){fix_floats(a, r, FIX_HIDDEN, 0.3F, 1),
                              fix_floats(a, r, FIX_HIDDEN, 0.1F, 0)};
}

static inline struct bert_layer fix_layer(struct arena *a, struct rng *r)
{
    struct bert_layer l = {.query = fix_linear(a, r, FIX_HIDDEN, FIX_HIDDEN)};

    l.key = fix_linear(a, r, FIX_HIDDEN, FIX_HIDDEN);
    l.value = fix_linear(a, r, FIX_HIDDEN, FIX_HIDDEN);
    l.attention_out = fix_linear(a, r, FIX_HIDDEN, FIX_HIDDEN);
    l.attention_norm = fix_norm(a, r);
    l.up = fix_linear(a, r, FIX_HIDDEN, FIX_INNER);
    l.down = fix_linear(a, r, FIX_INNER, FIX_HIDDEN);
    l.out_norm = fix_norm(a, r);
    return l;
}

/* The same for the same seed. */
static inline struct bert *bert_fix(struct arena *a, uint64_t seed)
{
    struct rng r = rng_seeded(seed);
    struct bert *b = ARENA_NEW(a, struct bert);

    b->shape = (struct bert_shape){.vocab = NELEMS(FIX_TOKENS),
                                   .hidden = FIX_HIDDEN,
                                   .layers = 2,
                                   .heads = 4,
                                   .intermediate = FIX_INNER,
                                   .positions = FIX_TOKENS_MAX + 4,
                                   .types = 2,
                                   .tokens_max = FIX_TOKENS_MAX,
                                   .dims = FIX_HIDDEN,
                                   .norm_eps = 1e-12F,
                                   .activation = BERT_GELU,
                                   .pooling = POOL_MEAN};
    b->words = fix_floats(a, &r, (size_t)b->shape.vocab * FIX_HIDDEN, 1, 0);
    b->positions =
        fix_floats(a, &r, (size_t)b->shape.positions * FIX_HIDDEN, 0.3F, 0);
    b->types = fix_floats(a, &r, 2 * (size_t)FIX_HIDDEN, 0.1F, 0);
    b->embedding_norm = fix_norm(a, &r);
    for (uint32_t l = 0; l < b->shape.layers; l++)
        b->layers[l] = fix_layer(a, &r);
    b->tokens = FIX_TOKENS;
    b->lowercase = b->strip_accents = b->ideographs_apart = true;
    b->name = STR("tiny");
    b->license = STR("none");
    return b;
}

#endif
