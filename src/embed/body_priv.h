/*
 * body_priv: the steps of a set of kernels, over 16 lanes. Each kernels_* file
 * defines the lanes (struct vf: 16 floats, struct vi: 16 sums), the tile of
 * integer sums (whose steps ask ahead: ahead_priv.h, which comes before), and
 * includes this once; so that what is computed, and in which order, is the same
 * to the bit on every processor. AMX alone doesn't: it has linear layers of its
 * own and takes all else from AVX-512; what both make of sums is output_priv.h.
 *
 * The file defines TARGET (the attribute of its functions), TILE_ROWS and
 * TILE_PANELS (tokens and panels of 16 channels that fit its registers),
 * SCORE_ROWS and SCORE_PANELS, MIX_ROWS and MIX_LANES (the same for the two
 * products of attention).
 */

#include "embed/output_priv.h"

static_assert(SCORE_ROWS <= ATTEND_ROWS_MAX && MIX_ROWS <= ATTEND_ROWS_MAX,
              "the scratch has room for so many rows of scores");
static_assert(STRIP_PANELS % TILE_PANELS == 0, "tiles fill strips");
static_assert(SCORE_ROWS % MIX_ROWS == 0, "scored rows are mixed in groups");

/* ---- linear layers ---- */

/* rows is a constant where this is inlined. */
INLINE void linear_tile(const struct linear_job *job, uint32_t row,
                        uint32_t panel, uint32_t rows, struct ahead ahead)
{
    const struct linear *l = job->linear;
    vi sums[TILE_ROWS][TILE_PANELS];

    tile_sums(job->in.q + (size_t)row * l->in, panel_weight(l, panel), l->in,
              rows, ahead, sums);
#pragma GCC unroll 8
    for (uint32_t p = 0; p < TILE_PANELS; p++) {
        struct outputs to = outputs_of(job, job->end, panel + p);
        float *out = linear_out(job, panel + p);

#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++)
            linear_put(&to, row + r, sums[r][p],
                       out + (row + r) * job->row_stride);
    }
}

INLINE void linear_rows(const struct linear_job *job, uint32_t row,
                        uint32_t panel, struct ahead ahead)
{
    switch (job->rows - row) {
#if TILE_ROWS > 1
    case 1:
        linear_tile(job, row, panel, 1, ahead);
        break;
    case 2:
        linear_tile(job, row, panel, 2, ahead);
        break;
    case 3:
        linear_tile(job, row, panel, 3, ahead);
        break;
#endif
#if TILE_ROWS > 4
    case 4:
        linear_tile(job, row, panel, 4, ahead);
        break;
    case 5:
        linear_tile(job, row, panel, 5, ahead);
        break;
#endif
    default:
        linear_tile(job, row, panel, TILE_ROWS, ahead);
        break;
    }
}

TARGET static void linear_run(const struct linear_job *job)
{
    const struct linear *l = job->linear;
    uint32_t panels = l->out / LANES;
    uint32_t tiles = (job->rows + TILE_ROWS - 1) / TILE_ROWS;

    for (uint32_t p = 0; p < panels; p += TILE_PANELS)
        for (uint32_t t = 0; t < tiles; t++)
            if (tiles <= AHEAD_FEW) {
                linear_rows(job, t * TILE_ROWS, p,
                            ahead_of_few(l, p, t, tiles));
            } else {
                ahead_share(l, p, t, tiles);
                linear_rows(job, t * TILE_ROWS, p, (struct ahead){0});
            }
}

/* ---- to integers ---- */

INLINE void row_quantise(const float *x, uint32_t n, vf least, vf most,
                         uint8_t *q, float *scale, float *low)
{
    float from = vf_least(least) + 0.0F; /* never -0 */
    float range = vf_most(most) - from;
    vf by = vf_all(range > 0 ? ACTIVATION_MAX / range : 0), base = vf_all(from);

    *scale = range * (1.0F / ACTIVATION_MAX);
    *low = from;
    for (uint32_t i = 0; i < n; i += LANES)
        vf_to_bytes(q + i, vf_mul(vf_sub(vf_load(x + i), base), by));
}

TARGET static void quantise_run(const float *x, uint32_t rows, uint32_t n,
                                const struct tokens *out)
{
    for (uint32_t r = 0; r < rows; r++, x += n) {
        vf least = vf_load(x), most = least;

        for (uint32_t i = LANES; i < n; i += LANES) {
            vf v = vf_load(x + i);

            least = vf_min(least, v);
            most = vf_max(most, v);
        }
        row_quantise(x, n, least, most, out->q + (size_t)r * n, out->scale + r,
                     out->low + r);
    }
}

/* ---- norms ---- */

TARGET static void norm_run(const struct norm_job *job)
{
    uint32_t n = job->n;
    float smoothed[BERT_HIDDEN_MAX] __attribute__((aligned(ALIGN_BYTES)));

    for (uint32_t r = 0; r < job->rows; r++) {
        float *x = job->x + (size_t)r * n;
        vf sum = vf_all(0), square = vf_all(0), mean, by;
        vf least = vf_all(0), most = vf_all(0);

        for (uint32_t i = 0; i < n; i += LANES)
            sum = vf_add(sum, vf_load(x + i));
        mean = vf_all(vf_total(sum) / (float)n);
        for (uint32_t i = 0; i < n; i += LANES) {
            vf d = vf_sub(vf_load(x + i), mean);

            square = vf_fma(d, d, square);
        }
        by = vf_all(1 / sqrtf(vf_total(square) / (float)n + job->eps));
        for (uint32_t i = 0; i < n; i += LANES) {
            vf y = vf_fma(vf_mul(vf_sub(vf_load(x + i), mean), by),
                          vf_load(job->gamma + i), vf_load(job->beta + i));

            vf_store(x + i, y);
            if (job->smooth == NULL)
                continue;
            y = vf_mul(y, vf_load(job->smooth + i));
            vf_store(smoothed + i, y);
            least = i == 0 ? y : vf_min(least, y);
            most = i == 0 ? y : vf_max(most, y);
        }
        if (job->smooth != NULL)
            row_quantise(smoothed, n, least, most, job->out.q + (size_t)r * n,
                         job->out.scale + r, job->out.low + r);
    }
}

/* ---- attention ---- */

/* Powers below this are taken for it. The next, 2^-126, is the least normal
 * number, but the polynomial is 0.9999993 at 0, which makes it a subnormal one:
 * for those processors take a hundred times as long, and what padding weighs
 * would be one in each row. */
#define EXP2_LEAST (-125)

/* 2^x for x <= 0: an integer and a rest within half of one, for which a
 * polynomial of degree 4 is off by 2.7e-6 (fitted for relative error). */
INLINE vf exp2_of(vf x)
{
    vf whole, rest, p;

    x = vf_max(x, vf_all(EXP2_LEAST));
    whole = vf_round(x);
    rest = vf_sub(x, whole);
    p = vf_all(0.009570101276040077F);
    p = vf_fma(p, rest, vf_all(0.05591786280274391F));
    p = vf_fma(p, rest, vf_all(0.240247443318367F));
    p = vf_fma(p, rest, vf_all(0.6931217908859253F));
    p = vf_fma(p, rest, vf_all(0.9999992847442627F));
    return vf_mul(p, vf_power_of_2(whole));
}

/* rows and panels are constants where this is inlined. */
INLINE void score_tile(const float *query, size_t stride, const float *keys,
                       size_t padded, uint32_t depth, uint32_t rows,
                       uint32_t panels, float *scores)
{
    vf sums[SCORE_ROWS][SCORE_PANELS];

#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            sums[r][p] = vf_all(0);
    for (uint32_t d = 0; d < depth; d++) {
        vf k[SCORE_PANELS];

#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            k[p] = vf_load(keys + d * (padded + LANES) + p * LANES);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            vf q = vf_all(query[r * stride + d]);

#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sums[r][p] = vf_fma(q, k[p], sums[r][p]);
        }
    }
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            vf_store(scores + r * padded + p * LANES, sums[r][p]);
}

INLINE void score_rows(const float *query, size_t stride, const float *keys,
                       size_t padded, uint32_t depth, uint32_t rows,
                       float *scores)
{
    const size_t step = (size_t)SCORE_PANELS * LANES;
    size_t at = 0;

    for (; at + step <= padded; at += step)
        score_tile(query, stride, keys + at, padded, depth, rows, SCORE_PANELS,
                   scores + at);
    for (; at < padded; at += LANES)
        score_tile(query, stride, keys + at, padded, depth, rows, 1,
                   scores + at);
}

/* Scores to weights that are not yet divided by their sum; 1 / sum. */
INLINE float soften(float *scores, size_t padded, size_t n)
{
    static const float beyond[LANES + LANES] = {
        [LANES] = -1e30F, -1e30F, -1e30F, -1e30F, -1e30F, -1e30F,
        -1e30F,           -1e30F, -1e30F, -1e30F, -1e30F, -1e30F,
        -1e30F,           -1e30F, -1e30F, -1e30F};
    float *last = scores + padded - LANES;
    vf most, sum = vf_all(0);

    vf_store(last, vf_add(vf_load(last), vf_load(beyond + (padded - n))));
    most = vf_load(scores);
    for (size_t i = LANES; i < padded; i += LANES)
        most = vf_max(most, vf_load(scores + i));
    most = vf_all(vf_most(most));
    for (size_t i = 0; i < padded; i += LANES) {
        vf p = exp2_of(vf_sub(vf_load(scores + i), most));

        vf_store(scores + i, p);
        sum = vf_add(sum, p);
    }
    return 1 / vf_total(sum);
}

/* rows and lanes are constants where this is inlined. */
INLINE void mix_tile(const float *weights, size_t padded, const float *values,
                     size_t stride, uint32_t n, uint32_t rows, uint32_t lanes,
                     const float *by, float *out, size_t out_stride)
{
    vf sums[MIX_ROWS][MIX_LANES];

#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t l = 0; l < lanes; l++)
            sums[r][l] = vf_all(0);
    for (uint32_t j = 0; j < n; j++) {
        vf v[MIX_LANES];

#pragma GCC unroll 8
        for (size_t l = 0; l < lanes; l++)
            v[l] = vf_load(values + j * stride + l * LANES);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            vf w = vf_all(weights[r * padded + j]);

#pragma GCC unroll 8
            for (size_t l = 0; l < lanes; l++)
                sums[r][l] = vf_fma(w, v[l], sums[r][l]);
        }
    }
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t l = 0; l < lanes; l++)
            vf_store(out + r * out_stride + l * LANES,
                     vf_mul(sums[r][l], vf_all(by[r])));
}

INLINE void mix_rows(const float *weights, size_t padded, const float *values,
                     size_t stride, uint32_t depth, uint32_t n, uint32_t rows,
                     const float *by, float *out, size_t out_stride)
{
    uint32_t d = 0;

    for (; d + MIX_LANES * LANES <= depth; d += MIX_LANES * LANES)
        mix_tile(weights, padded, values + d, stride, n, rows, MIX_LANES, by,
                 out + d, out_stride);
    for (; d < depth; d += LANES)
        mix_tile(weights, padded, values + d, stride, n, rows, 1, by, out + d,
                 out_stride);
}

INLINE void attend_rows(const struct attend_job *job, uint32_t row,
                        uint32_t rows, const float *keys, float *scores)
{
    size_t padded = ((size_t)job->n + LANES - 1) / LANES * LANES;
    float *out = job->out + row * job->out_stride;
    float by[SCORE_ROWS] = {0}; /* gcc's analyzer can't see that all are set */

    score_rows(job->query + row * job->stride, job->stride, keys, padded,
               job->depth, rows, scores);
    for (uint32_t r = 0; r < rows; r++)
        by[r] = soften(scores + r * padded, padded, job->n);
    if (rows < SCORE_ROWS) {
        mix_rows(scores, padded, job->value, job->stride, job->depth, job->n,
                 rows, by, out, job->out_stride);
        return;
    }
    for (uint32_t r = 0; r < SCORE_ROWS; r += MIX_ROWS)
        mix_rows(scores + r * padded, padded, job->value, job->stride,
                 job->depth, job->n, MIX_ROWS, by + r,
                 out + r * job->out_stride, job->out_stride);
}

/* keys [depth, padded + 16]: so that rows of 1 KiB and more don't share a few
 * sets of the cache. */
TARGET static void keys_turn(const struct attend_job *job, size_t stride,
                             float *keys)
{
    for (uint32_t j = 0; j < job->n; j++)
        for (uint32_t d = 0; d < job->depth; d++)
            keys[d * stride + j] = job->key[j * job->stride + d];
    for (uint32_t d = 0; d < job->depth; d++)
        for (size_t j = job->n; j + LANES < stride; j++)
            keys[d * stride + j] = 0;
}

TARGET static void attend_run(const struct attend_job *job)
{
    size_t stride = ((size_t)job->n + LANES - 1) / LANES * LANES + LANES;
    float *scores = job->scratch + stride * job->depth;
    uint32_t row = 0;

    keys_turn(job, stride, job->scratch);
    for (; row + SCORE_ROWS <= job->n; row += SCORE_ROWS)
        attend_rows(job, row, SCORE_ROWS, job->scratch, scores);
    if (row == 0)
        for (; row < job->n; row++)
            attend_rows(job, row, 1, job->scratch, scores);
    else if (row < job->n) /* some of them once more, to the same */
        attend_rows(job, job->n - SCORE_ROWS, SCORE_ROWS, job->scratch, scores);
}

/* ---- the ends ---- */

TARGET static void embed_run(const int8_t *word, float scale,
                             const float *position, uint32_t n, float *x)
{
    vf by = vf_all(scale);

    for (uint32_t i = 0; i < n; i += LANES)
        vf_store(x + i,
                 vf_fma(vf_of_bytes(word + i), by, vf_load(position + i)));
}

TARGET static void mean_run(const float *x, uint32_t rows, uint32_t n,
                            float *out)
{
    vf by = vf_all(1 / (float)rows);

    for (uint32_t i = 0; i < n; i += LANES) {
        vf sum = vf_load(x + i);

        for (uint32_t r = 1; r < rows; r++)
            sum = vf_add(sum, vf_load(x + (size_t)r * n + i));
        vf_store(out + i, vf_mul(sum, by));
    }
}

TARGET static float dot_run(const float *a, const float *b, uint32_t n)
{
    vf sum = vf_all(0);

    for (uint32_t i = 0; i < n; i += LANES)
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    return vf_total(sum);
}

#define BODY_KERNELS(kernels_name)                                          \
    {                                                                       \
        .name = (kernels_name), .linear = linear_run, .norm = norm_run,     \
        .quantise = quantise_run, .attend = attend_run, .embed = embed_run, \
        .mean = mean_run, .dot = dot_run                                    \
    }
