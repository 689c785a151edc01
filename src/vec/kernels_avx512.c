#include "vec/vec_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vnni,avx512vpopcntdq")))
#define AHEAD 6 /* rows; those of a batch may lie anywhere in the file */

AVX512 static inline void fetch(const void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        _mm_prefetch((const char *)p + at, _MM_HINT_T0);
}

AVX512 static inline __m512i more(__m512i sum, const int8_t *v,
                                  const int16_t *q)
{
    return _mm512_dpwssd_epi32(
        sum, _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)v)),
        _mm512_loadu_si512((const void *)q));
}

AVX512 static void dots_avx512(const int8_t *values, uint32_t width,
                               const uint32_t *rows, size_t n, const int16_t *q,
                               int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const int8_t *v = values + (size_t)rows[i] * width;
        __m512i a = _mm512_setzero_si512(), b = a;

        if (i + AHEAD < n)
            fetch(values + (size_t)rows[i + AHEAD] * width, width);
        for (uint32_t k = 0; k < width; k += 64) {
            a = more(a, v + k, q + k);
            b = more(b, v + k + 32, q + k + 32);
        }
        out[i] = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
}

AVX512 static inline __m512i common(__m512i bits, const uint64_t *plane,
                                    __mmask8 mask)
{
    return _mm512_popcnt_epi64(
        _mm512_and_si512(bits, _mm512_maskz_loadu_epi64(mask, plane)));
}

AVX512 static void sums_avx512(const uint8_t *codes, uint32_t width,
                               const uint32_t *rows, size_t n,
                               const uint64_t *planes, uint32_t *out)
{
    size_t words = width / 64, bytes = code_bytes(width);

    for (size_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)rows[i] * bytes;
        __m512i sum = _mm512_setzero_si512();

        if (i + AHEAD < n)
            fetch(codes + (size_t)rows[i + AHEAD] * bytes, bytes);
        for (size_t w = 0; w < words; w += 8) {
            __mmask8 mask =
                words - w >= 8 ? 0xff : (__mmask8)((1u << (words - w)) - 1);
            __m512i bits = _mm512_maskz_loadu_epi64(mask, code + 8 * w);
            const uint64_t *p = planes + w;
            __m512i low = _mm512_add_epi64(
                common(bits, p, mask),
                _mm512_slli_epi64(common(bits, p + words, mask), 1));
            __m512i high = _mm512_add_epi64(
                common(bits, p + 2 * words, mask),
                _mm512_slli_epi64(common(bits, p + 3 * words, mask), 1));

            sum = _mm512_add_epi64(
                sum, _mm512_add_epi64(low, _mm512_slli_epi64(high, 2)));
        }
        out[i] = (uint32_t)_mm512_reduce_add_epi64(sum);
    }
}

static const struct vec_kernels avx512 = {"avx512vnni", dots_avx512,
                                          sums_avx512};

const struct vec_kernels *vec_kernels_avx512(void)
{
    return __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vnni") &&
                   __builtin_cpu_supports("avx512vpopcntdq")
               ? &avx512
               : NULL;
}
#else
const struct vec_kernels *vec_kernels_avx512(void)
{
    return NULL;
}
#endif
