/* lanes512_priv: 16 lanes as AVX-512 has them. Wants TARGET. */

#include <immintrin.h>

#define LANE TARGET static inline __attribute__((always_inline))

typedef __m512 vf;
typedef __m512i vi;

LANE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

LANE void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

LANE vf vf_all(float x)
{
    return _mm512_set1_ps(x);
}

LANE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

LANE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

LANE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

LANE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

LANE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

LANE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

LANE vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a,
                                _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

LANE vf vf_power_of_2(vf a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127)), 23));
}

LANE __m256 half_low(vf a)
{
    return _mm512_castps512_ps256(a);
}

LANE __m256 half_high(vf a)
{
    return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
}

#include "embed/lanes128_priv.h"

LANE float vf_total(vf a)
{
    return total_of_8(_mm256_add_ps(half_low(a), half_high(a)));
}

LANE float vf_least(vf a)
{
    return least_of_8(_mm256_min_ps(half_low(a), half_high(a)));
}

LANE float vf_most(vf a)
{
    return most_of_8(_mm256_max_ps(half_low(a), half_high(a)));
}

LANE void vf_to_bytes(uint8_t *p, vf a)
{
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}

LANE void vf_to_signed(int8_t *p, vf a)
{
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}

LANE void vf_to_words(int16_t *p, vf a)
{
    _mm256_storeu_si256((void *)p,
                        _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a)));
}

LANE void vf_to_pairs(int16_t *p, vf a, vf b)
{
    __m512i low =
        _mm512_and_si512(_mm512_cvtps_epi32(a), _mm512_set1_epi32(0xFFFF));

    _mm512_storeu_si512(
        p, _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtps_epi32(b), 16)));
}

LANE vf vf_of_bytes(const int8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

LANE vf vf_of_sums(vi a)
{
    return _mm512_cvtepi32_ps(a);
}
