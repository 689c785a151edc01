/* lanes256_priv: 16 lanes as two vectors of AVX2. Wants TARGET. */

#include <immintrin.h>

#define LANE TARGET static inline __attribute__((always_inline))

typedef struct vf {
    __m256 a, b;
} vf;
typedef struct vi {
    __m256i a, b;
} vi;

LANE vf vf_load(const float *p)
{
    return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

LANE void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}

LANE vf vf_all(float x)
{
    return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

LANE vf vf_add(vf x, vf y)
{
    return (vf){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

LANE vf vf_sub(vf x, vf y)
{
    return (vf){_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}

LANE vf vf_mul(vf x, vf y)
{
    return (vf){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

LANE vf vf_fma(vf x, vf y, vf z)
{
    return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

LANE vf vf_min(vf x, vf y)
{
    return (vf){_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}

LANE vf vf_max(vf x, vf y)
{
    return (vf){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}

#define NEAREST (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

LANE vf vf_round(vf x)
{
    return (vf){_mm256_round_ps(x.a, NEAREST), _mm256_round_ps(x.b, NEAREST)};
}

LANE __m256 power_of_2(__m256 x)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127)), 23));
}

LANE vf vf_power_of_2(vf x)
{
    return (vf){power_of_2(x.a), power_of_2(x.b)};
}

#include "embed/lanes128_priv.h"

LANE float vf_total(vf x)
{
    return total_of_8(_mm256_add_ps(x.a, x.b));
}

LANE float vf_least(vf x)
{
    return least_of_8(_mm256_min_ps(x.a, x.b));
}

LANE float vf_most(vf x)
{
    return most_of_8(_mm256_max_ps(x.a, x.b));
}

LANE __m256i words_of(vf x)
{
    return _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)),
        0xD8);
}

LANE void vf_to_bytes(uint8_t *p, vf x)
{
    __m256i words = words_of(x);

    _mm_storeu_si128((void *)p,
                     _mm_packus_epi16(_mm256_castsi256_si128(words),
                                      _mm256_extracti128_si256(words, 1)));
}

LANE void vf_to_signed(int8_t *p, vf x)
{
    __m256i words = words_of(x);

    _mm_storeu_si128((void *)p,
                     _mm_packs_epi16(_mm256_castsi256_si128(words),
                                     _mm256_extracti128_si256(words, 1)));
}

LANE void vf_to_words(int16_t *p, vf x)
{
    _mm256_storeu_si256((void *)p, words_of(x));
}

LANE __m256i pairs_of(__m256 x, __m256 y)
{
    return _mm256_blend_epi16(_mm256_cvtps_epi32(x),
                              _mm256_slli_epi32(_mm256_cvtps_epi32(y), 16),
                              0xAA);
}

LANE void vf_to_pairs(int16_t *p, vf x, vf y)
{
    _mm256_storeu_si256((void *)p, pairs_of(x.a, y.a));
    _mm256_storeu_si256((void *)(p + LANES), pairs_of(x.b, y.b));
}

LANE __m256 of_bytes(const int8_t *p)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

LANE vf vf_of_bytes(const int8_t *p)
{
    return (vf){of_bytes(p), of_bytes(p + 8)};
}

LANE vf vf_of_sums(vi x)
{
    return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
