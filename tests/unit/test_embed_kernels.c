#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/mem.h"
#include "base/rng.h"
#include "embed/embed_priv.h"

/* Each set of kernels that runs here against the scalar one: equal to the
 * bit, whatever the numbers. */

static const struct embed_kernels *all[EMBED_KERNELS_MAX];
static size_t all_n;
static const struct embed_kernels *scalar;

#define TOKENS 23 /* no multiple of any tile's rows */
#define MANY 71   /* some blocks of the largest tiles and a rest */
#define HIDDEN 128
#define INNER 192
#define DEPTH 32

enum numbers { RANDOM, EXTREME, ZERO, NUMBERS };

static struct arena *a;
static struct rng r;

static int kernels_find(void **state)
{
    (void)state;
    all_n = embed_kernels_all(all);
    scalar = embed_kernels_scalar();
    a = arena_open();
    r = rng_seeded(7);
    return all_n > 0 && all[all_n - 1] == scalar ? 0 : -1;
}

static int kernels_drop(void **state)
{
    (void)state;
    arena_close(a);
    return 0;
}

static float small(void)
{
    return (float)rng_below(&r, 20001) / 10000 - 1;
}

static float *floats(size_t n, enum numbers kind)
{
    float *v = ARENA_ARRAY(a, float, n);

    for (size_t i = 0; i < n; i++)
        v[i] = kind == RANDOM    ? small()
               : kind == EXTREME ? (rng_below(&r, 2) == 0 ? -1e6F : 1e6F)
                                 : 0;
    return v;
}

static int8_t weight_of(enum numbers kind)
{
    switch (kind) {
    case RANDOM:
        return (int8_t)((int)rng_below(&r, 2 * WEIGHT_MAX + 1) - WEIGHT_MAX);
    case EXTREME:
        return WEIGHT_MAX;
    case ZERO:
    case NUMBERS:
        break;
    }
    return 0;
}

static struct tokens tokens(size_t rows, size_t n, enum numbers kind)
{
    struct tokens t = {.q = arena_alloc(a, rows * n),
                       .scale = floats(rows, kind),
                       .low = floats(rows, kind)};

    for (size_t i = 0; i < rows * n; i++)
        t.q[i] = kind == RANDOM    ? (uint8_t)rng_below(&r, ACTIVATION_MAX + 1)
                 : kind == EXTREME ? ACTIVATION_MAX
                                   : 0;
    return t;
}

static struct linear linear(uint32_t in, uint32_t out, enum numbers kind)
{
    int8_t *w = arena_alloc(a, (size_t)in * out);

    for (size_t i = 0; i < (size_t)in * out; i++)
        w[i] = weight_of(kind);
    return (struct linear){.weight = w,
                           .scale = floats(out, kind),
                           .correction = floats(out, kind),
                           .bias = floats(out, kind),
                           .in = in,
                           .out = out};
}

static void same(const void *x, const void *y, size_t bytes,
                 const struct embed_kernels *k)
{
    if (memcmp(x, y, bytes) != 0)
        fail_msg("%s differs from scalar", k->name);
}

/* The sum, by its definition. */
static void integer_sums_are_exact(void **state)
{
    static const float ones[HIDDEN] = {0}, *zeros = ones;
    float one[INNER], row_ones[TOKENS], row_zeros[TOKENS] = {0};

    (void)state;
    for (size_t i = 0; i < INNER; i++)
        one[i] = 1;
    for (size_t i = 0; i < TOKENS; i++)
        row_ones[i] = 1;
    for (int kind = RANDOM; kind < NUMBERS; kind++) {
        struct linear l = linear(HIDDEN, STRIP, (enum numbers)kind);
        struct tokens in = tokens(TOKENS, HIDDEN, (enum numbers)kind);

        l.scale = one;
        l.correction = l.bias = zeros;
        in.scale = row_ones;
        in.low = row_zeros;
        for (size_t k = 0; k < all_n; k++) {
            float out[TOKENS * STRIP];

            all[k]->linear(&(struct linear_job){.linear = &l,
                                                .in = in,
                                                .rows = TOKENS,
                                                .end = LINEAR_STORE,
                                                .out = out,
                                                .row_stride = STRIP});
            for (size_t t = 0; t < TOKENS; t++)
                for (size_t o = 0; o < STRIP; o++) {
                    int32_t sum = 0;

                    for (size_t i = 0; i < HIDDEN; i++)
                        sum += in.q[t * HIDDEN + i] *
                               l.weight[i / GROUP * GROUP * STRIP + o * GROUP +
                                        i % GROUP];
                    assert_int_equal((int32_t)out[t * STRIP + o], sum);
                }
        }
    }
}

static void linear_layers_are_equal(void **state)
{
    const struct activation gelu = {
        .limit = 3.9F, .terms = {0.4F, -0.06F, 0.009F, -8e-4F, 5e-5F}};

    (void)state;
    for (int kind = RANDOM; kind < NUMBERS; kind++)
        for (uint32_t rows = 1; rows <= MANY; rows++)
            for (int end = LINEAR_STORE; end <= LINEAR_ADD; end++) {
                struct linear l = linear(HIDDEN, INNER, (enum numbers)kind);
                float *before = floats(MANY * INNER, (enum numbers)kind);
                struct linear_job job = {
                    .linear = &l,
                    .in = tokens(MANY, HIDDEN, (enum numbers)kind),
                    .rows = rows,
                    .end = (enum linear_end)end,
                    .row_stride = INNER,
                    .strip_stride = STRIP,
                    .activation = &gelu,
                    .smooth = floats(INNER, (enum numbers)kind)};
                float wanted[MANY * INNER], out[MANY * INNER];

                memcpy(wanted, before, sizeof wanted);
                job.out = wanted;
                scalar->linear(&job);
                for (size_t k = 0; k < all_n; k++) {
                    memcpy(out, before, sizeof out);
                    job.out = out;
                    all[k]->linear(&job);
                    same(out, wanted, sizeof out, all[k]);
                }
            }
}

static void norms_and_integer_forms_are_equal(void **state)
{
    (void)state;
    for (int kind = RANDOM; kind < NUMBERS; kind++) {
        const float *x = floats(TOKENS * HIDDEN, (enum numbers)kind);
        struct norm_job job = {.rows = TOKENS,
                               .n = HIDDEN,
                               .eps = 1e-12F,
                               .gamma = floats(HIDDEN, RANDOM),
                               .beta = floats(HIDDEN, RANDOM),
                               .smooth = floats(HIDDEN, RANDOM)};
        float wanted[TOKENS * HIDDEN], out[TOKENS * HIDDEN];
        struct tokens q = tokens(TOKENS, HIDDEN, ZERO);
        struct tokens got = tokens(TOKENS, HIDDEN, ZERO);

        memcpy(wanted, x, sizeof wanted);
        job.x = wanted;
        job.out = q;
        scalar->norm(&job);
        for (size_t k = 0; k < all_n; k++) {
            memcpy(out, x, sizeof out);
            job.x = out;
            job.out = got;
            all[k]->norm(&job);
            same(out, wanted, sizeof out, all[k]);
            same(got.q, q.q, TOKENS * HIDDEN, all[k]);
            same(got.scale, q.scale, TOKENS * sizeof(float), all[k]);
            same(got.low, q.low, TOKENS * sizeof(float), all[k]);
        }
        scalar->quantise(x, TOKENS, HIDDEN, &q);
        for (size_t k = 0; k < all_n; k++) {
            all[k]->quantise(x, TOKENS, HIDDEN, &got);
            same(got.q, q.q, TOKENS * HIDDEN, all[k]);
            same(got.scale, q.scale, TOKENS * sizeof(float), all[k]);
        }
    }
}

static void integer_form_is_within_half_a_step(void **state)
{
    const float *x = floats(TOKENS * HIDDEN, RANDOM);
    struct tokens q = tokens(TOKENS, HIDDEN, ZERO);

    (void)state;
    scalar->quantise(x, TOKENS, HIDDEN, &q);
    for (size_t i = 0; i < TOKENS * HIDDEN; i++) {
        size_t t = i / HIDDEN;

        assert_true(q.q[i] <= ACTIVATION_MAX);
        assert_true(fabsf(q.low[t] + q.scale[t] * q.q[i] - x[i]) <=
                    0.5001F * q.scale[t]);
    }
}

/* A text of n tokens, whose queries, keys and values lie side by side. */
static struct attend_job attend_job_of(uint32_t n, uint32_t depth,
                                       const float *qkv, float *out)
{
    return (struct attend_job){.query = qkv,
                               .key = qkv + depth,
                               .value = qkv + 2 * (size_t)depth,
                               .stride = 3 * (size_t)depth,
                               .n = n,
                               .depth = depth,
                               .out = out,
                               .out_stride = depth,
                               .scratch =
                                   arena_alloc(a, attend_bytes(n, depth))};
}

/* Scratch as another head left it, and no answer in place. */
static void attend(const struct embed_kernels *k, const struct attend_job *job)
{
    memset(job->scratch, 0xAA, attend_bytes(job->n, job->depth));
    for (size_t t = 0; t < job->n; t++)
        memset(job->out + t * job->out_stride, 0xFF,
               job->depth * sizeof *job->out);
    k->attend(job);
}

static void attention_is_equal(uint32_t n, uint32_t depth, enum numbers kind)
{
    const float *qkv = floats((size_t)n * 3 * depth, kind);
    float *wanted = floats((size_t)n * depth, ZERO);
    struct attend_job job = attend_job_of(n, depth, qkv, wanted);

    attend(scalar, &job);
    job.out = floats((size_t)n * depth, ZERO);
    for (size_t k = 0; k < all_n; k++) {
        attend(all[k], &job);
        same(job.out, wanted, (size_t)n * depth * sizeof *wanted, all[k]);
    }
}

static void attention_is_equal_for_all_lengths(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 3 * TOKENS; n++)
        for (uint32_t depth = DEPTH_STEP; depth <= 48; depth += DEPTH_STEP)
            attention_is_equal(n, depth, RANDOM);
    for (uint32_t n = 1; n <= 3 * TOKENS; n += 7)
        for (uint32_t depth = 64; depth <= DEPTH_MAX; depth += 64)
            for (int kind = RANDOM; kind < NUMBERS; kind++)
                attention_is_equal(n, depth, (enum numbers)kind);
    attention_is_equal(1500, DEPTH, RANDOM); /* sums are added up */
}

#if defined(__SSE__)
/* What lies behind a text's end weighs next to nothing, but no subnormal
 * number, as which it would take long in each sum: of that, processors keep a
 * mark. */
static void attention_stays_in_normal_numbers(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= TOKENS; n++) {
        const float *qkv = floats((size_t)n * 3 * DEPTH, RANDOM);
        struct attend_job job =
            attend_job_of(n, DEPTH, qkv, floats((size_t)n * DEPTH, ZERO));

        for (size_t k = 0; k < all_n; k++) {
            _mm_setcsr(_mm_getcsr() & ~(unsigned)_MM_EXCEPT_MASK);
            attend(all[k], &job);
            assert_int_equal(_mm_getcsr() & _MM_EXCEPT_DENORM, 0);
        }
    }
}
#endif

/* Numbers that attention's integers say exactly: so many parts of the largest,
 * which is there. */
static void parts_of(float *x, size_t stride, size_t rows, size_t n, int parts)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++)
            x[i * stride + c] =
                i == c % rows
                    ? 1.0F
                    : (float)((int)rng_below(&r, 2 * (uint32_t)parts + 1) -
                              parts) /
                          (float)parts;
}

/* softmax of base 2, by its definition; how far from it a number is at most */
static double off_by(const struct attend_job *job)
{
    double *w = ARENA_ARRAY(a, double, job->n), most = 0;

    for (size_t t = 0; t < job->n; t++) {
        double sum = 0;

        for (size_t j = 0; j < job->n; j++) {
            double s = 0;

            for (size_t d = 0; d < job->depth; d++)
                s += (double)job->query[t * job->stride + d] *
                     (double)job->key[j * job->stride + d];
            sum += w[j] = exp2(s);
        }
        for (size_t d = 0; d < job->depth; d++) {
            double v = 0;

            for (size_t j = 0; j < job->n; j++)
                v += w[j] / sum * (double)job->value[j * job->stride + d];
            v = fabs(v - (double)job->out[t * job->out_stride + d]);
            most = v > most ? v : most;
        }
    }
    return most;
}

static void attention_mixes_by_softmax(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 3 * TOKENS; n += 4) {
        float *qkv = floats((size_t)n * 3 * DEPTH, RANDOM);
        struct attend_job job =
            attend_job_of(n, DEPTH, qkv, floats((size_t)n * DEPTH, ZERO));

        attend(scalar, &job);
        assert_true(off_by(&job) < 0.03); /* by its integers */
        parts_of(qkv, job.stride, n, DEPTH, QUERY_MOST);
        parts_of(qkv + DEPTH, job.stride, n, DEPTH, WEIGHT_MAX);
        parts_of(qkv + 2 * (size_t)DEPTH, job.stride, n, DEPTH, VALUE_MAX);
        attend(scalar, &job);
        assert_true(off_by(&job) < 3e-4); /* by its weights' 14 bits */
    }
}

/* All keys weigh the same and all values are the largest: sums of integers are
 * as large as they get. */
static void attention_of_many_tokens_fits(void **state)
{
    static const uint32_t lengths[] = {1023, 1024, 1025, 2048, 3000, 8192};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint32_t n = lengths[i];
        float *qkv = floats((size_t)n * 3 * DEPTH_STEP, ZERO);
        float *out = floats((size_t)n * DEPTH_STEP, ZERO);
        struct attend_job job = attend_job_of(n, DEPTH_STEP, qkv, out);

        for (size_t j = 0; j < n; j++)
            for (size_t d = 0; d < DEPTH_STEP; d++)
                qkv[(j * 3 + 2) * DEPTH_STEP + d] = d % 2 == 0 ? 3 : -3;
        for (size_t k = 0; k + 1 < all_n || k == 0;
             k++) { /* the last is slow */
            attend(all[k], &job);
            for (size_t o = 0; o < (size_t)n * DEPTH_STEP; o++)
                assert_true(fabsf(out[o] - (o % 2 == 0 ? 3.0F : -3.0F)) <
                            1e-4F);
        }
    }
}

/* One key has a third of the weight and thousands share the rest: what each of
 * them weighs is little, what they weigh together is not lost. */
static void attention_keeps_what_many_weigh_little(void **state)
{
    enum { N = 8192 };
    float *qkv = floats((size_t)N * 3 * DEPTH_STEP, ZERO);
    float *out = floats((size_t)N * DEPTH_STEP, ZERO);
    struct attend_job job = attend_job_of(N, DEPTH_STEP, qkv, out);
    double sink = N / 3.0, tail = N - 1, wanted = tail / (sink + tail);

    (void)state;
    for (size_t j = 0; j < N; j++) {
        qkv[j * job.stride] = 1;
        qkv[j * job.stride + 2 * (size_t)DEPTH_STEP] = j == 0 ? 0 : 1;
    }
    qkv[DEPTH_STEP] = (float)log2(sink);
    for (size_t k = 0; k + 1 < all_n || k == 0; k++) { /* the last is slow */
        attend(all[k], &job);
        for (size_t t = 0; t < N; t++)
            assert_true(fabs((double)out[t * DEPTH_STEP] - wanted) <
                        0.03 * wanted);
    }
}

/* No numbers, or none to speak of, are zeros: the mean of the values. */
static void attention_of_nothing_is_the_mean(void **state)
{
    enum { N = 5 };
    static const float sizes[] = {0,      1e-38F, 1e-31F, 1e-20F,
                                  1e-18F, 1e-17F, 1e-14F};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < all_n; k++) {
            float *qkv = floats((size_t)N * 3 * DEPTH, RANDOM);
            float out[N * DEPTH];
            struct attend_job job = attend_job_of(N, DEPTH, qkv, out);

            for (size_t j = 0; j < N; j++)
                for (size_t d = 0; d < DEPTH; d++) {
                    qkv[j * job.stride + d] *= sizes[i];
                    qkv[j * job.stride + DEPTH + d] *= sizes[i];
                    qkv[j * job.stride + 2 * (size_t)DEPTH + d] = (float)j;
                }
            attend(all[k], &job);
            for (size_t o = 0; o < N * DEPTH; o++)
                assert_true(fabsf(out[o] - (N - 1) / 2.0F) < 0.02F);
        }
}

static void the_ends_are_equal(void **state)
{
    int8_t word[HIDDEN];
    const float *x = floats((size_t)TOKENS * HIDDEN, RANDOM);
    float wanted[HIDDEN], out[HIDDEN];

    (void)state;
    for (size_t i = 0; i < HIDDEN; i++)
        word[i] = (int8_t)((int)rng_below(&r, 255) - 127);
    for (size_t k = 0; k < all_n; k++) {
        scalar->embed(word, 0.013F, x, HIDDEN, wanted);
        all[k]->embed(word, 0.013F, x, HIDDEN, out);
        same(out, wanted, sizeof out, all[k]);
        scalar->mean(x, TOKENS, HIDDEN, wanted);
        all[k]->mean(x, TOKENS, HIDDEN, out);
        same(out, wanted, sizeof out, all[k]);
        wanted[0] = scalar->dot(x, x + HIDDEN, HIDDEN);
        out[0] = all[k]->dot(x, x + HIDDEN, HIDDEN);
        same(out, wanted, sizeof *out, all[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_sums_are_exact),
        cmocka_unit_test(linear_layers_are_equal),
        cmocka_unit_test(norms_and_integer_forms_are_equal),
        cmocka_unit_test(integer_form_is_within_half_a_step),
        cmocka_unit_test(attention_is_equal_for_all_lengths),
#if defined(__SSE__)
        cmocka_unit_test(attention_stays_in_normal_numbers),
#endif
        cmocka_unit_test(attention_mixes_by_softmax),
        cmocka_unit_test(attention_of_many_tokens_fits),
        cmocka_unit_test(attention_keeps_what_many_weigh_little),
        cmocka_unit_test(attention_of_nothing_is_the_mean),
        cmocka_unit_test(the_ends_are_equal),
    };

    return cmocka_run_group_tests(tests, kernels_find, kernels_drop);
}
