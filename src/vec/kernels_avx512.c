#include "vec/vec_priv.h"

#if defined(__x86_64__)
#define AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vnni,avx512vpopcntdq")))
#define TARGET AVX512

#include "vec/walk_priv.h"

/* Number i of the result is the sum of v[i]'s lanes. */
AVX512 static inline __m128i sums4(const __m512i v[4])
{
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]),
                                 _mm512_unpackhi_epi32(v[0], v[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]),
                                 _mm512_unpackhi_epi32(v[2], v[3]));
    __m512i quarters = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b),
                                        _mm512_unpackhi_epi64(a, b));
    __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(quarters),
                                      _mm512_extracti64x4_epi64(quarters, 1));

    return _mm_add_epi32(_mm256_castsi256_si128(halves),
                         _mm256_extracti128_si256(halves, 1));
}

/*
 * The instruction multiplies bytes without a sign by bytes with one. So with
 * value v of a row and q = 256 high + low of the query
 *
 *   sum of q v = 256 (sum of (v + 128) high - 128 sum of high) + sum of low v
 *
 * which is exact: what passes int32 on the way comes back, as the sum itself
 * does not pass it. Fewer steps than to widen v to 16 bits first.
 */
AVX512 static inline __m128i dots4(const void *const x[ROWS], uint32_t width,
                                   const struct vec_ints *q)
{
    __m512i flip = _mm512_set1_epi8(-128), high[ROWS], low[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        high[i] = low[i] = _mm512_setzero_si512();
    for (uint32_t k = 0; k < width; k += 64) {
        __m512i q_high = _mm512_loadu_si512((const void *)(q->high + k));
        __m512i q_low = _mm512_loadu_si512((const void *)(q->low + k));

        for (size_t i = 0; i < ROWS; i++) {
            __m512i v = _mm512_loadu_si512((const int8_t *)x[i] + k);

            high[i] =
                _mm512_dpbusd_epi32(high[i], _mm512_xor_si512(v, flip), q_high);
            low[i] = _mm512_dpbusd_epi32(low[i], q_low, v);
        }
    }
    for (size_t i = 0; i < ROWS; i++)
        high[i] = _mm512_add_epi32(_mm512_slli_epi32(high[i], 8), low[i]);
    return _mm_sub_epi32(sums4(high),
                         _mm_slli_epi32(_mm_set1_epi32(q->high_sum), 15));
}

/* The same of numbers of four bits, which are both to the instruction. */
AVX512 static inline __m128i halves4(const void *const x[ROWS], uint32_t width,
                                     const struct vec_ints *q)
{
    __m512i ones = _mm512_set1_epi8(15), high[ROWS], low[ROWS];
    uint32_t half = width / 2;

    for (size_t i = 0; i < ROWS; i++)
        high[i] = low[i] = _mm512_setzero_si512();
    for (uint32_t k = 0; k < half; k += 64) {
        __mmask64 mask = half - k >= 64 ? UINT64_MAX : UINT32_MAX;
        __m512i h0 = _mm512_maskz_loadu_epi8(mask, q->high + k);
        __m512i h1 = _mm512_maskz_loadu_epi8(mask, q->high + half + k);
        __m512i l0 = _mm512_maskz_loadu_epi8(mask, q->low + k);
        __m512i l1 = _mm512_maskz_loadu_epi8(mask, q->low + half + k);

        for (size_t i = 0; i < ROWS; i++) {
            __m512i both =
                _mm512_maskz_loadu_epi8(mask, (const uint8_t *)x[i] + k);
            __m512i x0 = _mm512_and_si512(both, ones);
            __m512i x1 = _mm512_and_si512(_mm512_srli_epi16(both, 4), ones);

            high[i] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(high[i], x0, h0),
                                          x1, h1);
            low[i] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(low[i], l0, x0),
                                         l1, x1);
        }
    }
    for (size_t i = 0; i < ROWS; i++)
        high[i] = _mm512_add_epi32(_mm512_slli_epi32(high[i], 8), low[i]);
    return sums4(high);
}

AVX512 static void dots_avx512(const int8_t *values, uint32_t width,
                               const uint32_t *rows, size_t n,
                               const struct vec_ints *q, int32_t *out)
{
    walk(dots4, values, width, width, rows, n, q, out);
}

AVX512 static void halves_avx512(const uint8_t *halves, uint32_t width,
                                 const uint32_t *rows, size_t n,
                                 const struct vec_ints *q, int32_t *out)
{
    walk(halves4, halves, width / 2, width, rows, n, q, out);
}

/* Number i of the result is the sum of v[i]'s lanes. */
AVX512 static inline __m256i sums_of(const __m512i v[8])
{
    __m512i pairs[4], u, w;

    for (size_t i = 0; i < 4; i++)
        pairs[i] =
            _mm512_add_epi64(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                             _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
    u = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[0], pairs[1], 0x88),
                         _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xdd));
    w = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2], pairs[3], 0x88),
                         _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xdd));
    return _mm512_cvtepi64_epi32(_mm512_add_epi64(
        _mm512_shuffle_i64x2(u, w, 0x88), _mm512_shuffle_i64x2(u, w, 0xdd)));
}

AVX512 static inline __m512i common(__m512i bits, __m512i plane)
{
    return _mm512_popcnt_epi64(_mm512_and_si512(bits, plane));
}

/* Eight rows: what is loaded of the planes serves all of them, and their lanes
 * are summed together. */
AVX512 static inline __m256i sums8(const uint8_t *const code[8], size_t words,
                                   const uint64_t *planes)
{
    __m512i sum[8];

    for (size_t i = 0; i < 8; i++)
        sum[i] = _mm512_setzero_si512();
    for (size_t w = 0; w < words; w += 8) {
        __mmask8 mask =
            words - w >= 8 ? 0xff : (__mmask8)((1u << (words - w)) - 1);
        __m512i plane[PLANES];

        for (size_t p = 0; p < PLANES; p++)
            plane[p] = _mm512_maskz_loadu_epi64(mask, planes + p * words + w);
        for (size_t i = 0; i < 8; i++) {
            __m512i bits = _mm512_maskz_loadu_epi64(mask, code[i] + 8 * w);
            __m512i low =
                _mm512_add_epi64(common(bits, plane[0]),
                                 _mm512_slli_epi64(common(bits, plane[1]), 1));
            __m512i high =
                _mm512_add_epi64(common(bits, plane[2]),
                                 _mm512_slli_epi64(common(bits, plane[3]), 1));

            sum[i] = _mm512_add_epi64(
                sum[i], _mm512_add_epi64(low, _mm512_slli_epi64(high, 2)));
        }
    }
    return sums_of(sum);
}

AVX512 static void sums_avx512(const uint8_t *codes, uint32_t width,
                               const uint32_t *rows, size_t n,
                               const uint64_t *planes, uint32_t *out)
{
    size_t words = width / 64, bytes = code_bytes(width);

    for (size_t i = 0; i < n; i += 8) {
        const uint8_t *code[8];
        size_t last = n - i < 8 ? n - i - 1 : 7; /* fills the eight up */
        uint32_t sums[8];

        for (size_t k = 0; k < 8; k++) {
            code[k] = codes + rows[i + (k < last ? k : last)] * bytes;
            if (i + k + 16 < n)
                fetch(codes + rows[i + k + 16] * bytes, bytes);
        }
        _mm256_storeu_si256((void *)sums, sums8(code, words, planes));
        memcpy(out + i, sums, (last + 1) * sizeof *out);
    }
}

static const struct vec_kernels avx512 = {"avx512vnni", dots_avx512,
                                          halves_avx512, sums_avx512};

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
