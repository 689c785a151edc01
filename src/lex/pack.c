#include "lex/lex_priv.h"

uint8_t norm_of(uint32_t length)
{
    unsigned octave;

    if (length < 32)
        return (uint8_t)length;
    octave = 31 - (unsigned)__builtin_clz(length); /* 5 … */
    if (octave > 18)
        return 255;
    return (uint8_t)(32 + (octave - 5) * 16 + (length >> (octave - 4) & 15));
}

uint32_t norm_length(uint8_t norm)
{
    if (norm < 32)
        return norm;
    return (16 + (norm & 15u)) << ((norm - 32u) / 16 + 1);
}

unsigned bits_for(uint32_t max)
{
    return max == 0 ? 0 : 32 - (unsigned)__builtin_clz(max);
}

uint8_t *pack(uint8_t *to, const uint32_t *v, size_t n, unsigned bits)
{
    uint64_t held = 0;
    unsigned held_bits = 0;

    for (size_t i = 0; i < n; i++) {
        held |= (uint64_t)v[i] << held_bits;
        held_bits += bits;
        for (; held_bits >= 8; held_bits -= 8) {
            *to++ = (uint8_t)held;
            held >>= 8;
        }
    }
    if (held_bits > 0)
        *to++ = (uint8_t)held;
    return to;
}

/* ---- the reference the faster kernels are pinned to ---- */

static void rows_ref(const uint8_t *p, unsigned bits, uint32_t before,
                     uint32_t rows[BLOCK_ROWS])
{
    for (size_t i = 0; i < BLOCK_ROWS; i++) {
        before += packed_get(p, i, bits) + 1;
        rows[i] = before;
    }
}

static void counts_ref(const uint8_t *p, unsigned bits, uint32_t v[BLOCK_ROWS])
{
    for (size_t i = 0; i < BLOCK_ROWS; i++)
        v[i] = packed_get(p, i, bits) + 1;
}

static void scores_ref(const uint32_t *rows, const uint32_t *tf, size_t n,
                       const uint8_t *norms, const float damp[256],
                       float weight, float *scores)
{
    for (size_t i = 0; i < n; i++)
        scores[i] = score_of(weight, tf[i], damp[norms[rows[i]]]);
}

const struct kernels kernels_ref = {"scalar", rows_ref, counts_ref, scores_ref};

const struct kernels *kernels_pick(void)
{
    const struct kernels *k = kernels_avx2();

    return k != NULL ? k : &kernels_ref;
}
