#include <math.h>

#include "base/mem.h"
#include "embed/embed_priv.h"

/*
 * A pass runs the tokens of some texts, one after the other without padding,
 * through all layers. Linear layers and norms go by blocks of tokens, so that
 * what one step leaves the next finds in the cache; attention goes text by
 * text and head by head. Nothing depends on which texts share a pass.
 */
#define PASS_TOKENS 512
#define BLOCK_TOKENS 96
#define BLOCK_TOKENS_MAX (BLOCK_TOKENS + BLOCK_TOKENS / 2)

/* |x| of 3.9 and more is 1 or 0 within 1.5e-4, the error of the whole;
 * coefficients fitted for least error of x * (0.5 + t P(t^2)). */
static const struct activation ACTIVATIONS[] = {
    [BERT_GELU] = {.limit = 3.9F,
                   .terms = {0.3980855941772461F, -0.0648694708943367F,
                             0.00891378428786993F, -0.0008445114362984896F,
                             5.123722075950354e-05F, -1.770492644936894e-06F,
                             2.6271434805380522e-08F}},
    [BERT_GELU_TANH] = {.limit = 3.8F,
                        .terms = {0.39815402030944824F, -0.06525760143995285F,
                                  0.00914160255342722F, -0.0008958024554885924F,
                                  5.679886453435756e-05F,
                                  -2.0629604478017427e-06F,
                                  3.226108447051956e-08F}},
    [BERT_RELU] = {.relu = true},
};

struct embedder {
    const struct model *m;
    const struct embed_kernels *k;
    struct wordpiece *words;
    uint32_t *prefix[2]; /* by role: ids */
    size_t prefix_n[2];
    uint32_t tokens_max; /* of a pass */
    /* The pass being filled. */
    uint32_t *ids;     /* [tokens_max] and those of a text that may not fit */
    uint32_t *lengths; /* [tokens_max] */
    uint32_t texts, tokens;
    /* Scratch, all of it in memory. */
    void *memory;
    float *x, *qkv, *context; /* [tokens_max, hidden | 3 hidden | hidden] */
    struct tokens q;          /* [tokens_max, hidden] */
    float *inner;             /* [BLOCK_TOKENS_MAX, intermediate] */
    struct tokens inner_q;
    uint8_t *attention; /* one head's */
    float *pooled;      /* [hidden] */
};

/* ---- scratch ---- */

/* Gives out parts of one piece of memory; without one, only counts. */
struct parts {
    uint8_t *p;
    size_t used;
};

static void *part(struct parts *at, size_t count, size_t size)
{
    uint8_t *p = at->p == NULL ? NULL : at->p + at->used;

    at->used += (count * size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    return p;
}

static struct tokens part_tokens(struct parts *at, size_t rows, size_t n)
{
    struct tokens t = {.q = part(at, rows, n)};

    t.scale = part(at, rows, sizeof(float));
    t.low = part(at, rows, sizeof(float));
    return t;
}

static void scratch_lay(struct embedder *x, struct parts *at)
{
    const struct bert_shape *s = &x->m->shape;
    size_t n = x->tokens_max, hidden = s->hidden;

    x->ids = part(at, n + s->tokens_max, sizeof *x->ids);
    x->lengths = part(at, n, sizeof *x->lengths);
    x->x = part(at, n * hidden, sizeof(float));
    x->qkv = part(at, n * 3 * hidden, sizeof(float));
    x->context = part(at, n * hidden, sizeof(float));
    x->q = part_tokens(at, n, hidden);
    x->inner =
        part(at, BLOCK_TOKENS_MAX * (size_t)s->intermediate, sizeof(float));
    x->inner_q = part_tokens(at, BLOCK_TOKENS_MAX, s->intermediate);
    x->attention = part(at, attend_bytes(n, hidden / s->heads), 1);
    x->pooled = part(at, hidden, sizeof(float));
}

static rc scratch_make(struct embedder *x, struct err *e)
{
    struct parts at = {0};
    uintptr_t over;

    scratch_lay(x, &at);
    x->memory = mem_try(at.used + ALIGN_BYTES);
    if (x->memory == NULL)
        return err_set(e, RC_NOMEM, "no memory to embed %u tokens",
                       (unsigned)x->tokens_max);
    over = (uintptr_t)x->memory % ALIGN_BYTES;
    at = (struct parts){.p = (uint8_t *)x->memory + ALIGN_BYTES - over};
    scratch_lay(x, &at);
    return RC_OK;
}

/* ---- a pass ---- */

static struct tokens from_row(const struct tokens *t, size_t row, size_t n)
{
    return (struct tokens){t->q + row * n, t->scale + row, t->low + row};
}

static void words_look_up(struct embedder *x)
{
    const struct model *m = x->m;
    uint32_t hidden = m->shape.hidden, row = 0;

    for (uint32_t t = 0; t < x->texts; t++)
        for (uint32_t at = 0; at < x->lengths[t]; at++, row++) {
            uint32_t id = x->ids[row];

            x->k->embed(m->words + (size_t)id * hidden, m->word_scales[id],
                        m->positions + (size_t)at * hidden, hidden,
                        x->x + (size_t)row * hidden);
        }
}

/* Queries, keys and values lie strip by strip, all tokens of one together, as
 * far as heads fit strips; else token by token. */
struct layout {
    size_t row_stride, strip_stride;
};

static struct layout qkv_layout(const struct embedder *x)
{
    const struct bert_shape *s = &x->m->shape;

    return STRIP % (s->hidden / s->heads) == 0
               ? (struct layout){STRIP, (size_t)x->tokens * STRIP}
               : (struct layout){3 * (size_t)s->hidden, STRIP};
}

static void attend(struct embedder *x)
{
    uint32_t hidden = x->m->shape.hidden, depth = hidden / x->m->shape.heads;
    struct layout at = qkv_layout(x);
    size_t part = hidden / STRIP * at.strip_stride, row = 0;

    for (uint32_t t = 0; t < x->texts; row += x->lengths[t++])
        for (uint32_t c = 0; c < hidden; c += depth) {
            const float *query = x->qkv + c / STRIP * at.strip_stride +
                                 c % STRIP + row * at.row_stride;

            x->k->attend(
                &(struct attend_job){.query = query,
                                     .key = query + part,
                                     .value = query + 2 * part,
                                     .stride = at.row_stride,
                                     .n = x->lengths[t],
                                     .depth = depth,
                                     .out = x->context + row * hidden + c,
                                     .out_stride = hidden,
                                     .scratch = x->attention});
        }
}

/* All of a layer behind its attention, for a block of tokens. next: what the
 * layer above smooths its input by; NULL: there is none. */
static void block_finish(struct embedder *x, const struct layer *l,
                         const float *next, uint32_t row, uint32_t rows)
{
    const struct bert_shape *s = &x->m->shape;
    float *state = x->x + (size_t)row * s->hidden;
    struct tokens q = from_row(&x->q, row, s->hidden);
    struct norm_job norm = {.x = state,
                            .rows = rows,
                            .n = s->hidden,
                            .eps = s->norm_eps,
                            .gamma = l->attention_norm.gamma,
                            .beta = l->attention_norm.beta,
                            .smooth = l->up_smooth,
                            .out = q};

    x->k->quantise(x->context + (size_t)row * s->hidden, rows, s->hidden, &q);
    x->k->linear(&(struct linear_job){.linear = &l->attention_out,
                                      .in = q,
                                      .rows = rows,
                                      .end = LINEAR_ADD,
                                      .out = state,
                                      .row_stride = s->hidden,
                                      .strip_stride = STRIP});
    x->k->norm(&norm);
    x->k->linear(&(struct linear_job){.linear = &l->up,
                                      .in = q,
                                      .rows = rows,
                                      .end = LINEAR_ACTIVATE,
                                      .out = x->inner,
                                      .row_stride = s->intermediate,
                                      .strip_stride = STRIP,
                                      .activation = &ACTIVATIONS[s->activation],
                                      .smooth = l->down_smooth});
    x->k->quantise(x->inner, rows, s->intermediate, &x->inner_q);
    x->k->linear(&(struct linear_job){.linear = &l->down,
                                      .in = x->inner_q,
                                      .rows = rows,
                                      .end = LINEAR_ADD,
                                      .out = state,
                                      .row_stride = s->hidden,
                                      .strip_stride = STRIP});
    norm.gamma = l->out_norm.gamma;
    norm.beta = l->out_norm.beta;
    norm.smooth = next;
    x->k->norm(&norm);
}

/* Of so many that are left. Few tokens more go along, as for them alone all
 * weights would be read once more. */
static uint32_t block_rows(uint32_t left)
{
    return left < BLOCK_TOKENS_MAX ? left : BLOCK_TOKENS;
}

static void layers_run(struct embedder *x)
{
    const struct model *m = x->m;
    uint32_t hidden = m->shape.hidden;
    struct layout at = qkv_layout(x);

    x->k->norm(&(struct norm_job){.x = x->x,
                                  .rows = x->tokens,
                                  .n = hidden,
                                  .eps = m->shape.norm_eps,
                                  .gamma = m->embedding_norm.gamma,
                                  .beta = m->embedding_norm.beta,
                                  .smooth = m->layers[0].qkv_smooth,
                                  .out = x->q});
    for (uint32_t i = 0; i < m->shape.layers; i++) {
        const struct layer *l = &m->layers[i];
        const float *next =
            i + 1 < m->shape.layers ? m->layers[i + 1].qkv_smooth : NULL;

        x->k->linear(&(struct linear_job){.linear = &l->qkv,
                                          .in = x->q,
                                          .rows = x->tokens,
                                          .end = LINEAR_STORE,
                                          .out = x->qkv,
                                          .row_stride = at.row_stride,
                                          .strip_stride = at.strip_stride});
        attend(x);
        for (uint32_t row = 0, rows; row < x->tokens; row += rows) {
            rows = block_rows(x->tokens - row);
            block_finish(x, l, next, row, rows);
        }
    }
}

/* One text's vector; false: its length is no number, or none. */
static bool pool(struct embedder *x, uint32_t row, uint32_t rows, float *out)
{
    const struct model *m = x->m;
    uint32_t hidden = m->shape.hidden, dims = m->shape.dims;
    const float *state = x->x + (size_t)row * hidden;
    float length;

    x->k->mean(state, m->shape.pooling == POOL_CLS ? 1 : rows, hidden,
               x->pooled);
    if (m->dense == NULL)
        memcpy(out, x->pooled, dims * sizeof *out);
    for (uint32_t i = 0; m->dense != NULL && i < dims; i++) {
        out[i] = x->k->dot(x->pooled, m->dense + (size_t)i * hidden, hidden) +
                 m->dense_bias[i];
        if (m->dense_tanh)
            out[i] = tanhf(out[i]);
    }
    length = sqrtf(x->k->dot(out, out, dims));
    for (uint32_t i = 0; i < dims; i++)
        out[i] /= length;
    return isfinite(length) && length > 0;
}

/* Runs what is filled and empties it; out: the first text's vector. */
static rc pass_run(struct embedder *x, float *out, struct err *e)
{
    uint32_t row = 0;
    bool sound = true;

    if (x->texts == 0)
        return RC_OK;
    words_look_up(x);
    layers_run(x);
    for (uint32_t t = 0; t < x->texts; row += x->lengths[t++])
        sound &=
            pool(x, row, x->lengths[t], out + (size_t)t * x->m->shape.dims);
    x->texts = x->tokens = 0;
    return sound
               ? RC_OK
               : err_set(e, RC_CORRUPT, "the model gives no number for a text");
}

/* ---- texts ---- */

static rc prefix_read(struct embedder *x, enum embed_role role, str text)
{
    size_t n = wordpiece_count(x->words, text);

    if (n + 3 > x->m->shape.tokens_max)
        n = x->m->shape.tokens_max - 3;
    x->prefix[role] = mem_alloc(n * sizeof *x->prefix[role]);
    x->prefix_n[role] = wordpiece_encode(x->words, text, x->prefix[role], n);
    return RC_OK;
}

rc embedder_open(const struct model *m, struct embedder **out, struct err *e)
{
    struct embedder *x = mem_alloc(sizeof *x);
    rc code;

    x->m = m;
    x->k = embed_kernels_pick();
    x->tokens_max =
        m->shape.tokens_max > PASS_TOKENS ? m->shape.tokens_max : PASS_TOKENS;
    x->words = wordpiece_open(m->vocab);
    code = scratch_make(x, e);
    if (code == RC_OK)
        code = prefix_read(x, EMBED_PASSAGE, m->info.passage_prefix);
    if (code == RC_OK)
        code = prefix_read(x, EMBED_QUERY, m->info.query_prefix);
    if (code != RC_OK) {
        embedder_close(x);
        return code;
    }
    *out = x;
    return RC_OK;
}

void embedder_close(struct embedder *x)
{
    if (x == NULL)
        return;
    wordpiece_close(x->words);
    mem_free(x->prefix[EMBED_PASSAGE]);
    mem_free(x->prefix[EMBED_QUERY]);
    mem_free(x->memory);
    mem_free(x);
}

uint32_t embedder_tokens(struct embedder *x, str text)
{
    size_t n = wordpiece_count(x->words, text);

    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint32_t count(void *arg, str text)
{
    return embedder_tokens(arg, text);
}

struct chunk_counter embedder_counter(struct embedder *x)
{
    return (struct chunk_counter){count, x};
}

/* Puts a text's ids behind those of the pass; how many. */
static uint32_t text_ids(struct embedder *x, enum embed_role role, str text)
{
    struct vocab_ids special = vocab_ids(x->m->vocab);
    uint32_t *ids = x->ids + x->tokens;
    size_t n = 0;

    ids[n++] = special.begin;
    memcpy(ids + n, x->prefix[role], x->prefix_n[role] * sizeof *ids);
    n += x->prefix_n[role];
    n += wordpiece_encode(x->words, text, ids + n,
                          x->m->shape.tokens_max - 1 - n);
    ids[n++] = special.end;
    return (uint32_t)n;
}

static void text_add(struct embedder *x, uint32_t n)
{
    x->lengths[x->texts++] = n;
    x->tokens += n;
}

rc embed_texts(struct embedder *x, enum embed_role role, const str *texts,
               size_t n, float *out, struct err *e)
{
    rc code = RC_OK;

    if (n == 0)
        return RC_OK; /* `out` may be NULL */
    x->texts = x->tokens = 0;
    for (size_t i = 0; i < n && code == RC_OK; i++) {
        uint32_t length = text_ids(x, role, texts[i]), before = x->tokens;

        if (x->tokens_max - before < length) {
            code = pass_run(x, out + (i - x->texts) * x->m->shape.dims, e);
            if (code != RC_OK)
                return code;
            memmove(x->ids, x->ids + before, length * sizeof *x->ids);
        }
        text_add(x, length);
    }
    return pass_run(x, out + (n - x->texts) * x->m->shape.dims, e);
}

rc embed_ids(struct embedder *x, const uint32_t *ids, const uint32_t *lengths,
             size_t n, float *out, struct err *e)
{
    rc code = RC_OK;

    x->texts = x->tokens = 0;
    for (size_t i = 0; i < n && code == RC_OK; i++) {
        ASSERT(lengths[i] > 0 && lengths[i] <= x->m->shape.tokens_max);
        if (x->tokens_max - x->tokens < lengths[i])
            code = pass_run(x, out + (i - x->texts) * x->m->shape.dims, e);
        memcpy(x->ids + x->tokens, ids, lengths[i] * sizeof *ids);
        ids += lengths[i];
        x->tokens += lengths[i];
        x->lengths[x->texts++] = lengths[i];
    }
    return code == RC_OK
               ? pass_run(x, out + (n - x->texts) * x->m->shape.dims, e)
               : code;
}
