/* lanes128_priv: how the halves of 8 lanes join. Wants LANE. */

#define JOIN_OF_8(name, op)                                                  \
    LANE float name(__m256 a)                                                \
    {                                                                        \
        __m128 v =                                                           \
            op##_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)); \
                                                                             \
        v = op##_ps(v, _mm_movehl_ps(v, v));                                 \
        return _mm_cvtss_f32(op##_ss(v, _mm_movehdup_ps(v)));                \
    }

JOIN_OF_8(total_of_8, _mm_add)
JOIN_OF_8(least_of_8, _mm_min)
JOIN_OF_8(most_of_8, _mm_max)
