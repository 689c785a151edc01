#include <math.h>

#include "embed/embed_priv.h"

/* AVX2 with the dot product of VNNI, as processors without AVX-512 have it. */
#if defined(__x86_64__)
#include <cpuid.h>

#define TARGET __attribute__((target("avx2,fma,avxvnni")))
#define TILE_ROWS 6
#define TILE_PANELS 1
#define MIX_ROWS 3
#define MIX_LANES 2

#include "embed/ahead_priv.h"
#include "embed/lanes256_priv.h"

/* sum += a . w; by hand, as gcc 12 copies the sums around the intrinsic. */
LANE void dot_add(__m256i *sum, __m256i a, __m256i w)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(a), "x"(w));
}

LANE void tile_sums(const uint8_t *q, const int8_t *weight, uint32_t in,
                    uint32_t rows, uint32_t panels, struct ahead ahead,
                    vi sums[TILE_ROWS][TILE_PANELS])
{
    (void)panels; /* 1 */
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
        sums[r][0] = (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (uint32_t k = 0; k < in; k += GROUP, weight += STRIP_BYTES) {
        __m256i w0 = _mm256_loadu_si256((const void *)weight);
        __m256i w1 = _mm256_loadu_si256((const void *)(weight + 32));

        ahead_step(&ahead);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            int32_t four;
            __m256i a;

            memcpy(&four, q + (size_t)r * in + k, sizeof four);
            a = _mm256_set1_epi32(four);
            dot_add(&sums[r][0].a, a, w0);
            dot_add(&sums[r][0].b, a, w1);
        }
    }
}

LANE vi pairs_none(void)
{
    return (vi){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

LANE void pair_add(__m256i *sum, __m256i two, const int16_t *values)
{
    __asm__("%{vex%} vpdpwssd %2, %1, %0"
            : "+x"(*sum)
            : "x"(two), "x"(_mm256_loadu_si256((const void *)values)));
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

static const struct embed_kernels avxvnni = BODY_KERNELS("avxvnni");

/* clang 14 has no name for it: leaf 7.1, eax bit 4. */
static bool has_avxvnni(void)
{
    unsigned a = 0, b, c, d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

const struct embed_kernels *embed_kernels_avxvnni(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                   has_avxvnni()
               ? &avxvnni
               : NULL;
}
#else
const struct embed_kernels *embed_kernels_avxvnni(void)
{
    return NULL;
}
#endif
