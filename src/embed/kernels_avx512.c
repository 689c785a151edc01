#include <math.h>

#include "embed/embed_priv.h"

/* AVX-512 with VNNI: a dot product of 4 a lane is one instruction. */
#if defined(__x86_64__)
#define TARGET                                                             \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni," \
                          "avx2,fma")))
#define TILE_ROWS 6
#define TILE_PANELS 4
#define MIX_ROWS 6
#define MIX_LANES 2

#include "embed/ahead_priv.h"
#include "embed/lanes512_priv.h"

LANE vi four_to_all(const uint8_t *p)
{
    int32_t four;

    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

/* sum += a . w; by hand, as gcc 12 copies the sums around the intrinsic. */
LANE void dot_add(vi *sum, vi a, vi w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(w));
}

LANE void tile_sums(const uint8_t *q, const int8_t *weight, uint32_t in,
                    uint32_t rows, uint32_t panels, struct ahead ahead,
                    vi sums[TILE_ROWS][TILE_PANELS])
{
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            sums[r][p] = _mm512_setzero_si512();
    for (uint32_t k = 0; k < in; k += GROUP, weight += STRIP_BYTES) {
        vi w[TILE_PANELS];

        ahead_step(&ahead);
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            w[p] = _mm512_loadu_si512(weight + p * PANEL_BYTES);
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            vi a = four_to_all(q + (size_t)r * in + k);

#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                dot_add(&sums[r][p], a, w[p]);
        }
    }
}

LANE vi pairs_none(void)
{
    return _mm512_setzero_si512();
}

/* sum += a pair of weights . pairs of values, 16 channels */
LANE void pairs_add(const int16_t *two, const int16_t *values, vi *sum)
{
    int32_t both;

    memcpy(&both, two, sizeof both);
    __asm__("vpdpwssd %2, %1, %0"
            : "+v"(*sum)
            : "v"(_mm512_set1_epi32(both)), "v"(_mm512_loadu_si512(values)));
}

#include "embed/body_priv.h"

static const struct embed_kernels avx512 = BODY_KERNELS("avx512vnni");

const struct embed_kernels *embed_kernels_avx512(void)
{
    return __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512vnni")
               ? &avx512
               : NULL;
}
#else
const struct embed_kernels *embed_kernels_avx512(void)
{
    return NULL;
}
#endif
