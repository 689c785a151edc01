#include <math.h>

#include "vec/vec_priv.h"

/*
 * A row's values by their high halves: half the bytes, and a bound.
 *
 *   r row's values, q the query's, s and t their scales, score = s t <r, q>
 *   r + 128 = 16 u + l, both 0 to 15; u is stored, four bits a dimension
 *   r = 8 (2 u - 15) + (l - 8)
 *   <r, q> = 8 (2 <u, q> - 15 sum of q) + <l - 8, q>
 *   <l - 8, q> is at most |l - 8| |q| (Cauchy and Schwarz); s |l - 8| is stored
 */

float halves_of(const int8_t *values, uint32_t dims, uint32_t width,
                uint8_t *halves)
{
    uint32_t half = width / 2, squares = 0;

    for (uint32_t i = 0; i < half; i++)
        halves[i] = (uint8_t)((values[i] + 128) >> 4 |
                              ((values[half + i] + 128) & 0xf0));
    for (uint32_t i = 0; i < dims; i++) {
        int rest = ((values[i] + 128) & 15) - 8;

        squares += (uint32_t)(rest * rest);
    }
    return (float)sqrt((double)squares);
}

/* What no score of the row passes, queries being of unit length. Its second part covers, many times, what
 * this and the score itself lose by rounding. */
static inline float bound(const struct vec_query *q, float scale, float rest,
                          int32_t sum)
{
    float near = (float)(2 * sum - 15 * q->ints.sum) * (8 * q->scale * scale);
    float far = rest * q->length;

    return near + far + 1e-5F * (fabsf(near) + far);
}

void batch_sieve(struct batch *b, const struct vec_query *q,
                 const struct vec_file *f, float floor)
{
    int32_t sums[BATCH_ROWS];
    float bounds[BATCH_ROWS];
    size_t n = b->n;

    ASSERT(q->dims == f->dims && rows_within(f, b->rows, n));
    q->kernels->halves(f->halves, f->width, b->rows, n, &q->ints, sums);
    for (size_t i = 0; i < n; i++)
        bounds[i] =
            bound(q, f->scales[b->rows[i]], f->rests[b->rows[i]], sums[i]);
    b->n = 0;
    for (size_t i = 0; i < n; i++) {
        i = first_reaching(bounds, i, n, floor);
        if (i < n) {
            b->rows[b->n] = b->rows[i];
            b->at[b->n++] = b->at[i];
        }
    }
}
