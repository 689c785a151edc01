/* lanes_neon_priv: 16 lanes as four vectors of NEON. Wants TARGET. */

#define LANE TARGET static inline __attribute__((always_inline))

typedef struct vf {
    float32x4_t v[4];
} vf;
typedef struct vi {
    int32x4_t v[4];
} vi;

#define EACH for (int i = 0; i < 4; i++)

LANE vf vf_load(const float *p)
{
    vf r;

    EACH r.v[i] = vld1q_f32(p + 4 * i);
    return r;
}

LANE void vf_store(float *p, vf x)
{
    EACH vst1q_f32(p + 4 * i, x.v[i]);
}

LANE vf vf_all(float x)
{
    vf r;

    EACH r.v[i] = vdupq_n_f32(x);
    return r;
}

LANE vf vf_add(vf x, vf y)
{
    EACH x.v[i] = vaddq_f32(x.v[i], y.v[i]);
    return x;
}

LANE vf vf_sub(vf x, vf y)
{
    EACH x.v[i] = vsubq_f32(x.v[i], y.v[i]);
    return x;
}

LANE vf vf_mul(vf x, vf y)
{
    EACH x.v[i] = vmulq_f32(x.v[i], y.v[i]);
    return x;
}

LANE vf vf_fma(vf x, vf y, vf z)
{
    EACH x.v[i] = vfmaq_f32(z.v[i], x.v[i], y.v[i]);
    return x;
}

LANE vf vf_min(vf x, vf y)
{
    EACH x.v[i] = vminq_f32(x.v[i], y.v[i]);
    return x;
}

LANE vf vf_max(vf x, vf y)
{
    EACH x.v[i] = vmaxq_f32(x.v[i], y.v[i]);
    return x;
}

LANE vf vf_round(vf x)
{
    EACH x.v[i] = vrndnq_f32(x.v[i]);
    return x;
}

LANE vf vf_power_of_2(vf x)
{
    EACH x.v[i] = vreinterpretq_f32_s32(
        vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(x.v[i]), vdupq_n_s32(127)), 23));
    return x;
}

LANE float vf_total(vf x)
{
    float32x4_t v =
        vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
    float32x2_t h = vadd_f32(vget_low_f32(v), vget_high_f32(v));

    return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}

LANE float vf_least(vf x)
{
    return vminvq_f32(
        vminq_f32(vminq_f32(x.v[0], x.v[2]), vminq_f32(x.v[1], x.v[3])));
}

LANE float vf_most(vf x)
{
    return vmaxvq_f32(
        vmaxq_f32(vmaxq_f32(x.v[0], x.v[2]), vmaxq_f32(x.v[1], x.v[3])));
}

LANE int16x4_t words_of(float32x4_t x)
{
    return vqmovn_s32(vcvtnq_s32_f32(x));
}

LANE void vf_to_bytes(uint8_t *p, vf x)
{
    int16x8_t low = vcombine_s16(words_of(x.v[0]), words_of(x.v[1]));
    int16x8_t high = vcombine_s16(words_of(x.v[2]), words_of(x.v[3]));

    vst1q_u8(p, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}

LANE void vf_to_signed(int8_t *p, vf x)
{
    int16x8_t low = vcombine_s16(words_of(x.v[0]), words_of(x.v[1]));
    int16x8_t high = vcombine_s16(words_of(x.v[2]), words_of(x.v[3]));

    vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}

LANE void vf_to_words(int16_t *p, vf x)
{
    EACH vst1_s16(p + 4 * i, words_of(x.v[i]));
}

LANE void vf_to_pairs(int16_t *p, vf x, vf y)
{
    EACH
    {
        int16x4x2_t pairs = {{words_of(x.v[i]), words_of(y.v[i])}};

        vst2_s16(p + 8 * i, pairs);
    }
}

LANE vf vf_of_bytes(const int8_t *p)
{
    vf r;
    int8x16_t bytes = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes));
    int16x8_t high = vmovl_s8(vget_high_s8(bytes));

    r.v[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    r.v[1] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
    r.v[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    r.v[3] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
    return r;
}

LANE vf vf_of_sums(vi x)
{
    vf r;

    EACH r.v[i] = vcvtq_f32_s32(x.v[i]);
    return r;
}
