#include "vec/vec_priv.h"

/* The reference the faster kernels are pinned to. Sums stay within int32:
 * vec_query_open scales the query so that no part of one passes it. */

static void dots_scalar(const int8_t *values, uint32_t width,
                        const uint32_t *rows, size_t n,
                        const struct vec_ints *q, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const int8_t *v = values + (size_t)rows[i] * width;
        int32_t sum = 0;

        for (uint32_t k = 0; k < width; k++)
            sum += v[k] * q->values[k];
        out[i] = sum;
    }
}

static void halves_scalar(const uint8_t *halves, uint32_t width,
                          const uint32_t *rows, size_t n,
                          const struct vec_ints *q, int32_t *out)
{
    uint32_t half = width / 2;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *x = halves + (size_t)rows[i] * half;
        int32_t low = 0, high = 0;

        for (uint32_t k = 0; k < half; k++)
            low += (int16_t)(x[k] & 15) * q->values[k];
        for (uint32_t k = 0; k < half; k++)
            high += (int16_t)(x[k] >> 4) * q->values[half + k];
        out[i] = low + high;
    }
}

static void sums_scalar(const uint8_t *codes, uint32_t width,
                        const uint32_t *rows, size_t n, const uint64_t *planes,
                        uint32_t *out)
{
    size_t words = width / 64;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *code = codes + (size_t)rows[i] * code_bytes(width);
        uint32_t sum = 0;

        for (size_t w = 0; w < words; w++) {
            uint64_t bits;

            memcpy(&bits, code + 8 * w, sizeof bits);
            for (unsigned p = 0; p < PLANES; p++)
                sum +=
                    (uint32_t)__builtin_popcountll(bits & planes[p * words + w])
                    << p;
        }
        out[i] = sum;
    }
}

const struct vec_kernels vec_kernels_scalar = {"scalar", dots_scalar,
                                               halves_scalar, sums_scalar};

const struct vec_kernels *vec_kernels_pick(void)
{
    const struct vec_kernels *k = vec_kernels_avx512();

    if (k == NULL)
        k = vec_kernels_avx2();
    return k != NULL ? k : &vec_kernels_scalar;
}

const char *vec_kernels(void)
{
    return vec_kernels_pick()->name;
}
