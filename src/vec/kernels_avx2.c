#include "vec/vec_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,popcnt")))
#define AHEAD 6 /* rows; those of a batch may lie anywhere in the file */

AVX2 static inline void fetch(const void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        _mm_prefetch((const char *)p + at, _MM_HINT_T0);
}

AVX2 static inline int32_t sum_of(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v),
                              _mm256_extracti128_si256(v, 1));

    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

AVX2 static inline __m256i products(const int8_t *v, const int16_t *q)
{
    return _mm256_madd_epi16(
        _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)v)),
        _mm256_loadu_si256((const void *)q));
}

AVX2 static void dots_avx2(const int8_t *values, uint32_t width,
                           const uint32_t *rows, size_t n, const int16_t *q,
                           int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const int8_t *v = values + (size_t)rows[i] * width;
        __m256i a = _mm256_setzero_si256(), b = a;

        if (i + AHEAD < n)
            fetch(values + (size_t)rows[i + AHEAD] * width, width);
        for (uint32_t k = 0; k < width; k += 32) {
            a = _mm256_add_epi32(a, products(v + k, q + k));
            b = _mm256_add_epi32(b, products(v + k + 16, q + k + 16));
        }
        out[i] = sum_of(_mm256_add_epi32(a, b));
    }
}

AVX2 static void sums_avx2(const uint8_t *codes, uint32_t width,
                           const uint32_t *rows, size_t n,
                           const uint64_t *planes, uint32_t *out)
{
    size_t words = width / 64, bytes = code_bytes(width);

    for (size_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)rows[i] * bytes;
        uint64_t sum[PLANES] = {0};

        if (i + AHEAD < n)
            fetch(codes + (size_t)rows[i + AHEAD] * bytes, bytes);
        for (size_t w = 0; w < words; w++) {
            uint64_t bits;

            memcpy(&bits, code + 8 * w, sizeof bits);
            for (unsigned p = 0; p < PLANES; p++)
                sum[p] +=
                    (uint64_t)_mm_popcnt_u64(bits & planes[p * words + w]);
        }
        out[i] = (uint32_t)(sum[0] + 2 * sum[1] + 4 * sum[2] + 8 * sum[3]);
    }
}

static const struct vec_kernels avx2 = {"avx2", dots_avx2, sums_avx2};

const struct vec_kernels *vec_kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt")
               ? &avx2
               : NULL;
}
#else
const struct vec_kernels *vec_kernels_avx2(void)
{
    return NULL;
}
#endif
