#include "vec/vec_priv.h"

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,popcnt")))
#define TARGET AVX2
#define CODES_AHEAD 6 /* rows */

#include "vec/walk_priv.h"

/* Number i of the result is the sum of v[i]'s lanes. */
AVX2 static inline __m128i sums4(const __m256i v[4])
{
    __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]),
                                       _mm256_hadd_epi32(v[2], v[3]));

    return _mm_add_epi32(_mm256_castsi256_si128(halves),
                         _mm256_extracti128_si256(halves, 1));
}

AVX2 static inline __m128i dots4(const void *const x[ROWS], uint32_t width,
                                 const struct vec_ints *q)
{
    __m256i sum[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        sum[i] = _mm256_setzero_si256();
    for (uint32_t k = 0; k < width; k += 16) {
        __m256i part = _mm256_loadu_si256((const void *)(q->values + k));

        for (size_t i = 0; i < ROWS; i++) {
            __m256i v = _mm256_cvtepi8_epi16(
                _mm_loadu_si128((const void *)((const int8_t *)x[i] + k)));

            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(v, part));
        }
    }
    return sums4(sum);
}

/* Pairs of products stay within 16 bits: 2 * 2 * 15 * 255 at most. */
AVX2 static inline __m128i halves4(const void *const x[ROWS], uint32_t width,
                                   const struct vec_ints *q)
{
    __m256i ones = _mm256_set1_epi8(15), sum[ROWS];
    uint32_t half = width / 2;

    for (size_t i = 0; i < ROWS; i++)
        sum[i] = _mm256_setzero_si256();
    for (uint32_t k = 0; k < half; k += 32) {
        __m256i h0 = _mm256_loadu_si256((const void *)(q->high + k));
        __m256i h1 = _mm256_loadu_si256((const void *)(q->high + half + k));
        __m256i l0 = _mm256_loadu_si256((const void *)(q->low + k));
        __m256i l1 = _mm256_loadu_si256((const void *)(q->low + half + k));

        for (size_t i = 0; i < ROWS; i++) {
            __m256i both =
                _mm256_loadu_si256((const void *)((const uint8_t *)x[i] + k));
            __m256i x0 = _mm256_and_si256(both, ones);
            __m256i x1 = _mm256_and_si256(_mm256_srli_epi16(both, 4), ones);
            __m256i high = _mm256_add_epi16(_mm256_maddubs_epi16(x0, h0),
                                            _mm256_maddubs_epi16(x1, h1));
            __m256i low = _mm256_add_epi16(_mm256_maddubs_epi16(l0, x0),
                                           _mm256_maddubs_epi16(l1, x1));

            sum[i] = _mm256_add_epi32(
                sum[i], _mm256_madd_epi16(high, _mm256_set1_epi16(256)));
            sum[i] = _mm256_add_epi32(
                sum[i], _mm256_madd_epi16(low, _mm256_set1_epi16(1)));
        }
    }
    return sums4(sum);
}

AVX2 static void dots_avx2(const int8_t *values, uint32_t width,
                           const uint32_t *rows, size_t n,
                           const struct vec_ints *q, int32_t *out)
{
    walk(dots4, values, width, width, rows, n, q, out);
}

AVX2 static void halves_avx2(const uint8_t *halves, uint32_t width,
                             const uint32_t *rows, size_t n,
                             const struct vec_ints *q, int32_t *out)
{
    walk(halves4, halves, width / 2, width, rows, n, q, out);
}

AVX2 static void sums_avx2(const uint8_t *codes, uint32_t width,
                           const uint32_t *rows, size_t n,
                           const uint64_t *planes, uint32_t *out)
{
    size_t words = width / 64, bytes = code_bytes(width);

    for (size_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)rows[i] * bytes;
        uint64_t sum[PLANES] = {0};

        if (i + CODES_AHEAD < n)
            fetch(codes + (size_t)rows[i + CODES_AHEAD] * bytes, bytes);
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

static const struct vec_kernels avx2 = {"avx2", dots_avx2, halves_avx2,
                                        sums_avx2};

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
