#include <math.h>

#include "embed/embed_priv.h"

/* The reference: lanes are an array, a fused multiply-add is the library's. */

#define TARGET
#define INLINE static inline /* a sanitizer's tests at each lane add up */
#define TILE_ROWS 1
#define TILE_PANELS 1
#define MIX_ROWS 1
#define MIX_LANES 1

typedef struct vf {
    float v[LANES];
} vf;
typedef struct vi {
    int32_t v[LANES];
} vi;

#define EACH for (int i = 0; i < LANES; i++)

static inline vf vf_load(const float *p)
{
    vf r;

    memcpy(r.v, p, sizeof r.v);
    return r;
}

static inline void vf_store(float *p, vf a)
{
    memcpy(p, a.v, sizeof a.v);
}

static inline vf vf_all(float x)
{
    vf r = {{0}};

    EACH r.v[i] = x;
    return r;
}

static inline vf vf_add(vf a, vf b)
{
    EACH a.v[i] += b.v[i];
    return a;
}

static inline vf vf_sub(vf a, vf b)
{
    EACH a.v[i] -= b.v[i];
    return a;
}

static inline vf vf_mul(vf a, vf b)
{
    EACH a.v[i] *= b.v[i];
    return a;
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    EACH a.v[i] = fmaf(a.v[i], b.v[i], c.v[i]);
    return a;
}

static inline vf vf_min(vf a, vf b)
{
    EACH a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return a;
}

static inline vf vf_max(vf a, vf b)
{
    EACH a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
}

static inline vf vf_round(vf a)
{
    EACH a.v[i] = rintf(a.v[i]);
    return a;
}

/* a: integers within the exponents of fp32 */
static inline vf vf_power_of_2(vf a)
{
    EACH
    {
        uint32_t bits = (uint32_t)((int32_t)a.v[i] + 127) << 23;

        memcpy(&a.v[i], &bits, sizeof bits);
    }
    return a;
}

/* Halves added to halves: the order every set of kernels has. */
static inline float vf_total(vf a)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            a.v[i] += a.v[i + half];
    return a.v[0];
}

static inline float vf_least(vf a)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            a.v[i] = a.v[i] < a.v[i + half] ? a.v[i] : a.v[i + half];
    return a.v[0];
}

static inline float vf_most(vf a)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    return a.v[0];
}

static inline void vf_to_bytes(uint8_t *p, vf a)
{
    EACH
    {
        float r = rintf(a.v[i]);

        p[i] = r >= 0 && r <= ACTIVATION_MAX ? (uint8_t)r : 0;
    }
}

static inline int32_t whole_of(float x)
{
    float r = rintf(x);

    return r >= INT16_MIN && r <= INT16_MAX ? (int32_t)r : 0;
}

static inline void vf_to_signed(int8_t *p, vf a)
{
    EACH p[i] = (int8_t)whole_of(a.v[i]);
}

static inline void vf_to_words(int16_t *p, vf a)
{
    int16_t words[LANES];

    EACH words[i] = (int16_t)whole_of(a.v[i]);
    memcpy(p, words, sizeof words);
}

static inline void vf_to_pairs(int16_t *p, vf a, vf b)
{
    EACH
    {
        *p++ = (int16_t)whole_of(a.v[i]);
        *p++ = (int16_t)whole_of(b.v[i]);
    }
}

static inline vf vf_of_bytes(const int8_t *p)
{
    vf r = {{0}};

    EACH r.v[i] = p[i];
    return r;
}

static inline vf vf_of_sums(vi a)
{
    vf r = {{0}};

    EACH r.v[i] = (float)a.v[i];
    return r;
}

#include "embed/ahead_priv.h"

static inline void tile_sums(const uint8_t *q, const int8_t *weight,
                             uint32_t in, uint32_t rows, uint32_t panels,
                             struct ahead ahead,
                             vi sums[TILE_ROWS][TILE_PANELS])
{
    (void)panels; /* 1 */
    for (uint32_t r = 0; r < rows; r++) {
        const int8_t *w = weight;

        sums[r][0] = (vi){0};
        for (uint32_t k = 0; k < in; k += GROUP, w += STRIP_BYTES) {
            ahead_step(&ahead);
            for (uint32_t i = 0; i < LANES; i++)
                for (uint32_t g = 0; g < GROUP; g++)
                    sums[r][0].v[i] +=
                        q[(size_t)r * in + k + g] * w[i * GROUP + g];
        }
    }
}

static inline vi pairs_none(void)
{
    return (vi){0};
}

static inline void pairs_add(const int16_t *two, const int16_t *values, vi *sum)
{
    int16_t w[2];

    memcpy(w, two, sizeof w); /* they lie where scores did */
    EACH
    {
        sum->v[i] += w[0] * values[0] + w[1] * values[1];
        values += 2;
    }
}

#include "embed/body_priv.h"

static const struct embed_kernels scalar = BODY_KERNELS("scalar");

const struct embed_kernels *embed_kernels_scalar(void)
{
    return &scalar;
}
