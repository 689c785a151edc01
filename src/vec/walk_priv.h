/*
 * walk_priv: rows of a batch four at a time, as every set of kernels goes
 * through them. Wants TARGET, the attribute of its functions.
 */
#include <immintrin.h>

#define ROWS 4  /* at a time: what is loaded of the query serves all of them */
#define AHEAD 4 /* steps; rows of a batch may lie anywhere in the file */

/* Always inlined: a function that only fetches is pure in the eyes of the
 * compiler, which then drops calls of it. */
TARGET __attribute__((always_inline)) static inline void fetch(const void *p,
                                                               size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        _mm_prefetch((const char *)p + at, _MM_HINT_T0);
}

typedef __m128i dots_of_four(const void *const x[ROWS], uint32_t width,
                             const struct vec_ints *q);

/* Rows of a batch mostly follow each other: taken from four places of it they
 * are four streams to the processor's prefetcher, which alone with one of them
 * begins anew at each page. */
TARGET __attribute__((always_inline)) static inline void walk(
    dots_of_four *four, const void *base, uint32_t bytes, uint32_t width,
    const uint32_t *rows, size_t n, const struct vec_ints *q, int32_t *out)
{
    size_t steps = (n + ROWS - 1) / ROWS;

    for (size_t i = 0; i < steps; i++) {
        const void *x[ROWS];
        int32_t dots[ROWS];

        for (size_t k = 0; k < ROWS; k++) {
            size_t at = stream_at(k, i, steps, n);

            x[k] = (const uint8_t *)base + (size_t)rows[at] * bytes;
            if (at + AHEAD < n && rows_part(rows[at], rows[at + AHEAD], AHEAD))
                fetch((const uint8_t *)base + (size_t)rows[at + AHEAD] * bytes,
                      bytes);
        }
        _mm_storeu_si128((void *)dots, four(x, width, q));
        for (size_t k = 0; k < ROWS; k++)
            out[stream_at(k, i, steps, n)] = dots[k];
    }
}
