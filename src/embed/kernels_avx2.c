#include <math.h>

#include "embed/embed_priv.h"

/*
 * AVX2: products of unsigned and signed bytes are added in pairs to 16 bits;
 * two such pairs of 7-bit numbers still fit, so that widening to 32 bits is
 * paid once for 4 products in 2 lanes instead of once for 2.
 */
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#define TILE_ROWS 4
#define TILE_PANELS 1
#define MIX_ROWS 2
#define MIX_LANES 2

#include "embed/ahead_priv.h"
#include "embed/lanes256_priv.h"

LANE __m256i load_bytes(const int8_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

LANE __m256i four_to_all(const uint8_t *p)
{
    int32_t four;

    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}

/* sum += a0 . w0 + a1 . w1, 4 products a lane each. The last addition is by
 * hand, as gcc 12 moves the sums about otherwise. */
LANE void dot_add(__m256i *sum, __m256i a0, __m256i w0, __m256i a1, __m256i w1)
{
    __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(a0, w0),
                                     _mm256_maddubs_epi16(a1, w1));

    pairs = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __asm__("vpaddd %1, %0, %0" : "+x"(*sum) : "x"(pairs));
}

LANE void tile_sums(const uint8_t *q, const int8_t *weight, uint32_t in,
                    uint32_t rows, uint32_t panels, struct ahead ahead,
                    vi sums[TILE_ROWS][TILE_PANELS])
{
    (void)panels; /* 1 */
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
        sums[r][0] = (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (uint32_t k = 0; k < in; k += 2 * GROUP, weight += 2 * STRIP_BYTES) {
        __m256i w0 = load_bytes(weight), w1 = load_bytes(weight + 32);
        __m256i w2 = load_bytes(weight + STRIP_BYTES);
        __m256i w3 = load_bytes(weight + STRIP_BYTES + 32);

        ahead_step(&ahead);
        ahead_step(&ahead);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            const uint8_t *at = q + (size_t)r * in + k;
            __m256i a0 = four_to_all(at), a1 = four_to_all(at + GROUP);

            dot_add(&sums[r][0].a, a0, w0, a1, w2);
            dot_add(&sums[r][0].b, a0, w1, a1, w3);
        }
    }
}

LANE vi pairs_none(void)
{
    return (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

LANE void pair_add(__m256i *sum, __m256i two, const int16_t *values)
{
    __m256i pairs =
        _mm256_madd_epi16(two, _mm256_loadu_si256((const void *)values));

    __asm__("vpaddd %1, %0, %0" : "+x"(*sum) : "x"(pairs));
}

/* sum += a pair of weights . pairs of values, 16 channels */
LANE void pairs_add(const int16_t *two, const int16_t *values, vi *sum)
{
    int32_t both;

    memcpy(&both, two, sizeof both);
    pair_add(&sum->a, _mm256_set1_epi32(both), values);
    pair_add(&sum->b, _mm256_set1_epi32(both), values + LANES);
}

#include "embed/body_priv.h"

static const struct embed_kernels avx2 = BODY_KERNELS("avx2");

const struct embed_kernels *embed_kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
               ? &avx2
               : NULL;
}
#else
const struct embed_kernels *embed_kernels_avx2(void)
{
    return NULL;
}
#endif
