/*
 * Runs every step of every set of kernels that this processor has on the same
 * made-up numbers and prints a digest a set: what scripts/neon.sh compares
 * between this machine and an emulated ARM. Wants nothing but embed/.
 */
#include <stdio.h>
#include <stdlib.h>

#include "embed/embed_priv.h"

#define ROWS 13
#define HIDDEN 128
#define INNER 192
#define DEPTH 32

_Noreturn void assert_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, cond);
    abort();
}

static uint64_t state;

/* Knuth's MMIX generator. */
static uint32_t next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void *room(size_t n)
{
    void *p = aligned_alloc(ALIGN_BYTES,
                            (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES);

    if (p == NULL)
        abort();
    memset(p, 0, n);
    return p;
}

static float *floats(size_t n)
{
    float *v = room(n * sizeof *v);

    for (size_t i = 0; i < n; i++)
        v[i] = (float)(next() % 20001) / 10000 - 1;
    return v;
}

/* FNV-1a */
static uint64_t digest(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u;
    return h;
}

static uint64_t linear_digest(const struct embed_kernels *k, uint64_t h,
                              struct tokens in)
{
    static const struct activation gelu = {
        .limit = 3.9F, .terms = {0.4F, -0.06F, 0.009F, -8e-4F, 5e-5F}};
    int8_t *w = room(HIDDEN * INNER);
    struct linear l = {w,      floats(INNER), floats(INNER), floats(INNER),
                       HIDDEN, INNER};
    float *out = floats((size_t)ROWS * INNER), *smooth = floats(INNER);

    for (size_t i = 0; i < (size_t)HIDDEN * INNER; i++)
        w[i] = (int8_t)((int)(next() % (2 * WEIGHT_MAX + 1)) - WEIGHT_MAX);
    for (int end = LINEAR_STORE; end <= LINEAR_ADD; end++) {
        k->linear(&(struct linear_job){.linear = &l,
                                       .in = in,
                                       .rows = ROWS,
                                       .end = (enum linear_end)end,
                                       .out = out,
                                       .row_stride = INNER,
                                       .strip_stride = STRIP,
                                       .activation = &gelu,
                                       .smooth = smooth});
        h = digest(h, out, (size_t)ROWS * INNER * sizeof *out);
    }
    return h;
}

static uint64_t attend_digest(const struct embed_kernels *k, uint64_t h)
{
    for (uint32_t n = 1; n <= 40; n += 13) {
        uint32_t depth = n % 2 == 0 ? DEPTH : DEPTH + DEPTH_STEP;
        const float *qkv = floats((size_t)n * 3 * depth);
        float *out = floats((size_t)n * depth);

        k->attend(
            &(struct attend_job){.query = qkv,
                                 .key = qkv + depth,
                                 .value = qkv + 2 * (size_t)depth,
                                 .stride = 3 * (size_t)depth,
                                 .n = n,
                                 .depth = depth,
                                 .out = out,
                                 .out_stride = depth,
                                 .scratch = room(attend_bytes(n, depth))});
        h = digest(h, out, (size_t)n * depth * sizeof *out);
    }
    return h;
}

static uint64_t kernels_digest(const struct embed_kernels *k)
{
    uint64_t h = 14695981039346656037u;
    float *x, *out = room(HIDDEN * sizeof *out);
    struct tokens q = {room((size_t)ROWS * HIDDEN), room(ROWS * sizeof(float)),
                       room(ROWS * sizeof(float))};

    state = 5;
    x = floats((size_t)ROWS * HIDDEN);
    k->norm(&(struct norm_job){.x = x,
                               .rows = ROWS,
                               .n = HIDDEN,
                               .eps = 1e-12F,
                               .gamma = floats(HIDDEN),
                               .beta = floats(HIDDEN),
                               .smooth = floats(HIDDEN),
                               .out = q});
    h = digest(h, x, (size_t)ROWS * HIDDEN * sizeof *x);
    h = digest(h, q.q, (size_t)ROWS * HIDDEN);
    k->quantise(x, ROWS, HIDDEN, &q);
    h = digest(h, q.q, (size_t)ROWS * HIDDEN);
    h = linear_digest(k, h, q);
    h = attend_digest(k, h);
    k->mean(x, ROWS, HIDDEN, out);
    h = digest(h, out, HIDDEN * sizeof *out);
    out[0] = k->dot(x, x + HIDDEN, HIDDEN);
    h = digest(h, out, sizeof *out);
    k->embed((const int8_t *)q.q, 0.013F, x, HIDDEN, out);
    return digest(h, out, HIDDEN * sizeof *out);
}

int main(void)
{
    const struct embed_kernels *all[EMBED_KERNELS_MAX];
    size_t n = embed_kernels_all(all);

    for (size_t i = 0; i < n; i++)
        (void)printf("%s %016llx\n", all[i]->name,
                     (unsigned long long)kernels_digest(all[i]));
    return 0;
}
