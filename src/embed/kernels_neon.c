#include <math.h>

#include "embed/embed_priv.h"

/*
 * NEON of ARMv8.0: bytes are multiplied to 16 bits and four such products
 * added before they are widened, as on AVX2; activations of 7 bits are signed
 * bytes too.
 */
#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET
#define TILE_ROWS 4
#define TILE_PANELS 1
#define MIX_ROWS 2
#define MIX_LANES 2

#include "embed/ahead_priv.h"
#include "embed/lanes_neon_priv.h"

/* sum += 4 products a lane, of 4 lanes: a has the same 4 bytes four times */
LANE int32x4_t dot_add(int32x4_t sum, int8x16_t a, int8x16_t w)
{
    int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(w));
    int16x8_t high = vmull_high_s8(a, w);

    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

LANE void tile_sums(const uint8_t *q, const int8_t *weight, uint32_t in,
                    uint32_t rows, uint32_t panels, struct ahead ahead,
                    vi sums[TILE_ROWS][TILE_PANELS])
{
    (void)panels; /* 1 */
    for (uint32_t r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++)
            sums[r][0].v[i] = vdupq_n_s32(0);
    for (uint32_t k = 0; k < in; k += GROUP, weight += STRIP_BYTES) {
        ahead_step(&ahead);
        for (uint32_t r = 0; r < rows; r++) {
            int32_t four;
            int8x16_t a;

            memcpy(&four, q + (size_t)r * in + k, sizeof four);
            a = vreinterpretq_s8_s32(vdupq_n_s32(four));
            for (int i = 0; i < 4; i++)
                sums[r][0].v[i] =
                    dot_add(sums[r][0].v[i], a, vld1q_s8(weight + 16 * i));
        }
    }
}

LANE vi pairs_none(void)
{
    vi none;

    for (int i = 0; i < 4; i++)
        none.v[i] = vdupq_n_s32(0);
    return none;
}

/* sum += a pair of weights . pairs of values, 16 channels */
LANE void pairs_add(const int16_t *two, const int16_t *values, vi *sum)
{
    int32_t both;
    int16x8_t w;

    memcpy(&both, two, sizeof both);
    w = vreinterpretq_s16_s32(vdupq_n_s32(both));
    for (int i = 0; i < 4; i++) {
        int16x8_t v = vld1q_s16(values + 8 * i);
        int32x4_t low = vmull_s16(vget_low_s16(w), vget_low_s16(v));

        sum->v[i] = vaddq_s32(sum->v[i], vpaddq_s32(low, vmull_high_s16(w, v)));
    }
}

#include "embed/body_priv.h"

static const struct embed_kernels neon = BODY_KERNELS("neon");

const struct embed_kernels *embed_kernels_neon(void)
{
    return &neon;
}
#else
const struct embed_kernels *embed_kernels_neon(void)
{
    return NULL;
}
#endif
