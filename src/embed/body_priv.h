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
 * MIX_ROWS and MIX_LANES (the same where attention mixes values).
 */

#include "embed/output_priv.h"

static_assert(STRIP_PANELS % TILE_PANELS == 0, "tiles fill strips");

/* ---- linear layers ---- */

/* rows is a constant where this is inlined. */
INLINE void linear_tile(const struct linear_job *job, uint32_t row,
                        uint32_t panel, uint32_t rows, struct ahead ahead)
{
    const struct linear *l = job->linear;
    vi sums[TILE_ROWS][TILE_PANELS];

    tile_sums(job->in.q + (size_t)row * l->in, panel_weight(l, panel), l->in,
              rows, TILE_PANELS, ahead, sums);
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

#include "embed/attend_priv.h"

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
