#include <math.h>

#include "base/rng.h"
#include "vec/vec_priv.h"

/*
 * One bit a dimension, after Gao and Long 2024 (RaBitQ), sections 3.1 to 3.3.
 *
 *   x row, q query, c mean of the file's rows, r = x - c, R rotation, W width
 *   b = sign(Rr) in {-1, 1}^W, stored
 *   <x, q> = <c, q> + <r, c> + <r, q - c>
 *   <r, q - c> is about |r|^2 / |Rr|_1 <b, R(q - c)>: unbiased over R
 *
 * R(q - c) is taken to 4 bits a dimension, low + delta u with u in 0 … 15, and
 * <b, R(q - c)> = low (set - clear) + delta (2 sum of u over set - sum of u).
 * Changed: q needs no unit length and is rounded to the nearest, not by chance;
 * R is not a dense matrix but what vec_rotate does.
 */

#define ROUNDS 3 /* docs/vectors.md tells what fewer and more do */
#define ROTATION_SEED 0x6b6e6f7764766563 /* stored codes depend on it */

/* Hadamard's matrix of 8 down the columns of v, which are eight beside each
 * other. */
static void hadamard8(float v[8][8])
{
    for (size_t half = 1; half < 8; half *= 2)
        for (size_t i = 0; i < 8; i++) {
            float *a = v[i], *b = v[i ^ half];

            for (size_t k = 0; k < 8 && (i & half) == 0; k++) {
                float x = a[k], y = b[k];

                a[k] = x + y;
                b[k] = x - y;
            }
        }
}

/* Signs turned, then Hadamard's matrix of 64, of unit length: that of 8 down
 * the columns and along the rows. Value i goes to to[i * step]. */
static void group_turn(const float *from, uint64_t signs, float *to,
                       size_t step)
{
    float v[8][8], across[8][8];

    for (size_t i = 0; i < GROUP; i++)
        v[i / 8][i % 8] = (signs >> i & 1) != 0 ? -from[i] : from[i];
    hadamard8(v);
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++)
            across[k][i] = v[i][k];
    hadamard8(across);
    for (size_t i = 0; i < GROUP; i++)
        to[i * step] = across[i % 8][i / 8] * 0.125F;
}

/* Each round: signs by chance, Hadamard within each group, then groups are
 * dealt out over all of them. Orthogonal, and any multiple of 64 will do. */
void vec_rotate(float *v, uint32_t width, float *tmp)
{
    struct rng chance = rng_seeded(ROTATION_SEED);
    size_t groups = width / GROUP;

    for (int round = 0; round < ROUNDS; round++) {
        for (size_t g = 0; g < groups; g++)
            group_turn(v + g * GROUP, rng_next(&chance), tmp + g, groups);
        memcpy(v, tmp, width * sizeof *v);
    }
}

void vec_encode(float *v, const float *mean, uint32_t width, uint8_t *code)
{
    struct code_terms t = {0};
    double squares = 0, sizes = 0, along = 0;
    int32_t set = 0;

    memset(code, 0, code_bytes(width));
    for (uint32_t i = 0; i < width; i++) {
        float r = v[i] - mean[i];
        bool bit = r > 0;

        squares += (double)r * (double)r;
        sizes += fabs((double)r);
        along += (double)r * (double)mean[i];
        set += bit;
        code[i / 8] |= (uint8_t)((unsigned)bit << i % 8);
    }
    t.along = (float)along;
    t.step = sizes > 0 ? (float)(squares / sizes) : 0;
    t.lean = t.step * (float)(2 * set - (int32_t)width);
    memcpy(code + width / 8, &t, sizeof t);
}

void code_query_init(struct code_query *c, const struct vec_query *q,
                     const struct vec_file *f, struct arena *out)
{
    size_t words = q->width / 64;
    uint64_t *planes = ARENA_ARRAY(out, uint64_t, PLANES * words);
    float low = INFINITY, high = -INFINITY;
    double base = 0;

    for (uint32_t i = 0; i < q->width; i++) {
        float d = q->rotated[i] - f->mean[i];

        low = d < low ? d : low;
        high = d > high ? d : high;
        base += (double)q->rotated[i] * (double)f->mean[i];
    }
    *c = (struct code_query){.planes = planes,
                             .base = (float)base,
                             .low = low,
                             .delta = (high - low) / 15};
    for (uint32_t i = 0; i < q->width && c->delta > 0; i++) {
        float d = q->rotated[i] - f->mean[i];
        uint64_t u = (uint64_t)lrintf(fminf((d - low) / c->delta, 15));

        c->sum += (int32_t)u;
        for (unsigned p = 0; p < PLANES; p++)
            planes[p * words + i / 64] |= (u >> p & 1) << i % 64;
    }
}
