#include "lex/lex_priv.h"

/*
 * A group of 8 values of `bits` bits begins on a byte. Its first four lie
 * within 16 bytes from there, its last four within 16 bytes from `half` bytes
 * on (a byte holds at most 7 foreign bits, 4 * 24 bits are 12 bytes). Each
 * 32-bit lane takes the 4 bytes its value begins in (one shuffle), shifts it
 * down by its own count and masks it: any width to 24 with the same code.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

struct unpacker {
    __m256i shuffle, shift, mask;
    size_t half, step;
};

AVX2 static inline struct unpacker unpacker_of(unsigned bits)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
    unsigned odd = 4 * bits & 7; /* where value 4 begins in its byte */
    __m256i start = _mm256_add_epi32(
        _mm256_mullo_epi32(lane, _mm256_set1_epi32((int)bits)),
        _mm256_setr_epi32(0, 0, 0, 0, (int)odd, (int)odd, (int)odd, (int)odd));
    __m256i byte = _mm256_srli_epi32(start, 3);

    return (struct unpacker){
        .shuffle = _mm256_add_epi32(
            _mm256_mullo_epi32(byte, _mm256_set1_epi32(0x01010101)),
            _mm256_set1_epi32(0x03020100)),
        .shift = _mm256_and_si256(start, _mm256_set1_epi32(7)),
        .mask = _mm256_set1_epi32((int)((1u << bits) - 1)),
        .half = bits / 2,
        .step = bits,
    };
}

AVX2 static inline __m256i unpack8(const struct unpacker *u, const uint8_t *p)
{
    __m256i v = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
        _mm_loadu_si128((const void *)(p + u->half)), 1);

    v = _mm256_shuffle_epi8(v, u->shuffle);
    return _mm256_and_si256(_mm256_srlv_epi32(v, u->shift), u->mask);
}

AVX2 static void rows_avx2(const uint8_t *p, unsigned bits, uint32_t before,
                           uint32_t rows[BLOCK_ROWS])
{
    const struct unpacker u = unpacker_of(bits);
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i last_lane = _mm256_set1_epi32(7);
    const __m256i low_to_high = _mm256_setr_epi32(0, 0, 0, 0, 3, 3, 3, 3);
    const __m256i high = _mm256_setr_epi32(0, 0, 0, 0, -1, -1, -1, -1);
    __m256i sum = _mm256_set1_epi32((int)before);

    for (size_t i = 0; i < BLOCK_ROWS; i += 8, p += u.step) {
        __m256i v = _mm256_add_epi32(unpack8(&u, p), one);

        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
        v = _mm256_add_epi32(
            v, _mm256_and_si256(_mm256_permutevar8x32_epi32(v, low_to_high),
                                high));
        v = _mm256_add_epi32(v, sum);
        _mm256_storeu_si256((void *)(rows + i), v);
        sum = _mm256_permutevar8x32_epi32(v, last_lane);
    }
}

AVX2 static void counts_avx2(const uint8_t *p, unsigned bits,
                             uint32_t v[BLOCK_ROWS])
{
    const struct unpacker u = unpacker_of(bits);
    const __m256i one = _mm256_set1_epi32(1);

    for (size_t i = 0; i < BLOCK_ROWS; i += 8, p += u.step)
        _mm256_storeu_si256((void *)(v + i),
                            _mm256_add_epi32(unpack8(&u, p), one));
}

AVX2 static void scores_avx2(const uint32_t *rows, const uint32_t *tf, size_t n,
                             const uint8_t *norms, const float damp[256],
                             float weight, float *scores)
{
    const __m256 w = _mm256_set1_ps(weight);

    for (size_t i = 0; i < n; i += 8) {
        __m256 d =
            _mm256_setr_ps(damp[norms[rows[i]]], damp[norms[rows[i + 1]]],
                           damp[norms[rows[i + 2]]], damp[norms[rows[i + 3]]],
                           damp[norms[rows[i + 4]]], damp[norms[rows[i + 5]]],
                           damp[norms[rows[i + 6]]], damp[norms[rows[i + 7]]]);
        __m256 t =
            _mm256_cvtepi32_ps(_mm256_loadu_si256((const void *)(tf + i)));

        _mm256_storeu_ps(scores + i, _mm256_div_ps(_mm256_mul_ps(w, t),
                                                   _mm256_add_ps(t, d)));
    }
}

static const struct kernels avx2 = {"avx2", rows_avx2, counts_avx2,
                                    scores_avx2};

const struct kernels *kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
}
#else
const struct kernels *kernels_avx2(void)
{
    return NULL;
}
#endif
