#include <math.h>

#include "base/mem.h"
#include "embed/embed_priv.h"

/*
 * The plain forward pass: fp32 between the steps, sums in double, nothing
 * clever. Everything faster is measured against it.
 */

/* Two accumulators a dot product hide the latency of the additions. */
static double dot(const float *a, const float *b, size_t n)
{
    double even = 0, odd = 0;
    size_t i;

    for (i = 0; i + 1 < n; i += 2) {
        even += (double)a[i] * (double)b[i];
        odd += (double)a[i + 1] * (double)b[i + 1];
    }
    if (i < n)
        even += (double)a[i] * (double)b[i];
    return even + odd;
}

static void linear(const struct bert_linear *l, const float *x, size_t tokens,
                   size_t in, size_t out, float *y)
{
    for (size_t t = 0; t < tokens; t++)
        for (size_t o = 0; o < out; o++) {
            double b = l->bias == NULL ? 0 : (double)l->bias[o];

            y[t * out + o] =
                (float)(dot(x + t * in, l->weight + o * in, in) + b);
        }
}

static void norm(const struct bert_norm *w, float eps, float *x, size_t tokens,
                 size_t n)
{
    for (size_t t = 0; t < tokens; t++, x += n) {
        double mean = 0, square = 0, by;

        for (size_t i = 0; i < n; i++)
            mean += (double)x[i];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++)
            square += ((double)x[i] - mean) * ((double)x[i] - mean);
        by = 1 / sqrt(square / (double)n + (double)eps);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(((double)x[i] - mean) * by * (double)w->weight[i] +
                           (double)w->bias[i]);
    }
}

static float activate(enum bert_activation kind, float x)
{
    double v = (double)x;

    switch (kind) {
    case BERT_GELU:
        return (float)(0.5 * v * (1 + erf(v * M_SQRT1_2)));
    case BERT_GELU_TANH:
        return (float)(0.5 * v *
                       (1 + tanh(sqrt(M_2_PI) * (v + 0.044715 * v * v * v))));
    case BERT_RELU:
        return x > 0 ? x : 0;
    }
    return x;
}

struct pass {
    const struct bert *b;
    size_t n;
    float *x;                                     /* [n, hidden] */
    float *query, *key, *value, *context, *mixed; /* [n, hidden] */
    float *inner;                                 /* [n, intermediate] */
    double *chances;                              /* [n] */
};

/* context = softmax(query . key / sqrt(depth)) value, head by head. */
static void attend(struct pass *p)
{
    size_t hidden = p->b->shape.hidden, depth = hidden / p->b->shape.heads;
    double by = 1 / sqrt((double)depth);

    for (size_t at = 0; at < hidden; at += depth)
        for (size_t t = 0; t < p->n; t++) {
            double most = -HUGE_VAL, sum = 0;

            for (size_t j = 0; j < p->n; j++) {
                p->chances[j] = by * dot(p->query + t * hidden + at,
                                         p->key + j * hidden + at, depth);
                most = fmax(most, p->chances[j]);
            }
            for (size_t j = 0; j < p->n; j++)
                sum += p->chances[j] = exp(p->chances[j] - most);
            for (size_t d = at; d < at + depth; d++) {
                double v = 0;

                for (size_t j = 0; j < p->n; j++)
                    v += p->chances[j] * (double)p->value[j * hidden + d];
                p->context[t * hidden + d] = (float)(v / sum);
            }
        }
}

static void add(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void watch(const struct bert_seen *seen, const float *x, size_t tokens,
                  size_t n)
{
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < n; i++) {
            seen->most[i] = fmaxf(seen->most[i], fabsf(x[t * n + i]));
            seen->square[i] += x[t * n + i] * x[t * n + i];
        }
}

static void layer_run(struct pass *p, const struct bert_layer *l,
                      const struct bert_ranges *r)
{
    const struct bert_shape *s = &p->b->shape;
    size_t n = p->n, hidden = s->hidden, inner = s->intermediate;

    linear(&l->query, p->x, n, hidden, hidden, p->query);
    linear(&l->key, p->x, n, hidden, hidden, p->key);
    linear(&l->value, p->x, n, hidden, hidden, p->value);
    if (r != NULL)
        watch(&r->qkv, p->x, n, hidden);
    attend(p);
    linear(&l->attention_out, p->context, n, hidden, hidden, p->mixed);
    if (r != NULL)
        watch(&r->attention_out, p->context, n, hidden);
    add(p->x, p->mixed, n * hidden);
    norm(&l->attention_norm, s->norm_eps, p->x, n, hidden);
    linear(&l->up, p->x, n, hidden, inner, p->inner);
    if (r != NULL)
        watch(&r->up, p->x, n, hidden);
    for (size_t i = 0; i < n * inner; i++)
        p->inner[i] = activate(s->activation, p->inner[i]);
    linear(&l->down, p->inner, n, inner, hidden, p->mixed);
    if (r != NULL)
        watch(&r->down, p->inner, n, inner);
    add(p->x, p->mixed, n * hidden);
    norm(&l->out_norm, s->norm_eps, p->x, n, hidden);
}

static void pool(const struct pass *p, float *out)
{
    const struct bert *b = p->b;
    size_t hidden = b->shape.hidden, dims = b->shape.dims;
    double length = 0;

    for (size_t i = 0; i < hidden; i++) {
        double v = 0;

        for (size_t t = 0; t < p->n; t++)
            v += (double)p->x[t * hidden + i];
        p->mixed[i] =
            b->shape.pooling == POOL_CLS ? p->x[i] : (float)(v / (double)p->n);
    }
    if (b->dense.weight != NULL)
        linear(&b->dense, p->mixed, 1, hidden, dims, out);
    else
        memcpy(out, p->mixed, dims * sizeof *out);
    for (size_t i = 0; i < dims; i++) {
        if (b->dense.weight != NULL && b->dense_tanh)
            out[i] = tanhf(out[i]);
        length += (double)out[i] * (double)out[i];
    }
    length = sqrt(length);
    for (size_t i = 0; i < dims && length > 0; i++)
        out[i] = (float)((double)out[i] / length);
}

rc bert_embed_watched(const struct bert *b, const uint32_t *ids, size_t n,
                      const struct bert_ranges *ranges, float *out,
                      struct err *e)
{
    const struct bert_shape *s = &b->shape;
    size_t hidden = s->hidden;
    struct pass p = {.b = b, .n = n};
    float *memory;

    if (n == 0 || n > s->positions)
        return err_set(e, RC_LIMIT, "text of %zu tokens, the model takes %u", n,
                       (unsigned)s->positions);
    memory = mem_try((6 * hidden + s->intermediate) * n * sizeof *memory);
    p.chances = mem_try(n * sizeof *p.chances);
    if (memory == NULL || p.chances == NULL) {
        mem_free(memory);
        mem_free(p.chances);
        return err_set(e, RC_NOMEM, "no memory for %zu tokens", n);
    }
    p.x = memory;
    p.query = p.x + n * hidden;
    p.key = p.query + n * hidden;
    p.value = p.key + n * hidden;
    p.context = p.value + n * hidden;
    p.mixed = p.context + n * hidden;
    p.inner = p.mixed + n * hidden;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < hidden; i++)
            p.x[t * hidden + i] = b->words[ids[t] * hidden + i] +
                                  b->positions[t * hidden + i] + b->types[i];
    norm(&b->embedding_norm, s->norm_eps, p.x, n, hidden);
    for (uint32_t l = 0; l < s->layers; l++)
        layer_run(&p, &b->layers[l], ranges == NULL ? NULL : &ranges[l]);
    pool(&p, out);
    mem_free(memory);
    mem_free(p.chances);
    return RC_OK;
}

rc bert_embed(const struct bert *b, const uint32_t *ids, size_t n, float *out,
              struct err *e)
{
    return bert_embed_watched(b, ids, n, NULL, out, e);
}
