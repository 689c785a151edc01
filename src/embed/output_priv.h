/*
 * output_priv: what becomes of a linear layer's integer sums, 16 channels of a
 * token at a time. Comes behind lanes; wants TARGET.
 */
#ifndef INLINE /* kernels_scalar has its own */
#define INLINE TARGET static inline __attribute__((always_inline))
#endif

INLINE vf activate(vf x, const struct activation *a)
{
    vf limit = vf_all(a->limit), t, square, p;

    if (a->relu)
        return vf_max(x, vf_all(0));
    t = vf_min(vf_max(x, vf_all(-a->limit)), limit);
    square = vf_mul(t, t);
    p = vf_all(a->terms[ACTIVATION_TERMS - 1]);
    for (int i = ACTIVATION_TERMS - 2; i >= 0; i--)
        p = vf_fma(p, square, vf_all(a->terms[i]));
    return vf_mul(x, vf_fma(p, t, vf_all(0.5F)));
}

/* What makes outputs of a panel's sums. Copies, as what is stored might else be
 * what they are read from. */
struct outputs {
    enum linear_end end;
    vf scale, bias, correction;
    vf smooth;
    struct activation activation;
    const float *token_scale, *token_low;
};

/* end: the job's; a constant where that pays. */
INLINE struct outputs outputs_of(const struct linear_job *job,
                                 enum linear_end end, uint32_t panel)
{
    const struct linear *l = job->linear;
    size_t at = (size_t)panel * LANES;
    struct outputs to = {.end = end,
                         .scale = vf_load(l->scale + at),
                         .bias = vf_load(l->bias + at),
                         .correction = vf_load(l->correction + at),
                         .token_scale = job->in.scale,
                         .token_low = job->in.low};

    if (end == LINEAR_ACTIVATE) {
        to.smooth = vf_load(job->smooth + at);
        to.activation = *job->activation;
    }
    return to;
}

/* Where those of a panel's first row go. */
INLINE float *linear_out(const struct linear_job *job, uint32_t panel)
{
    return job->out + panel / STRIP_PANELS * job->strip_stride +
           (size_t)(panel % STRIP_PANELS) * LANES;
}

INLINE void linear_put(const struct outputs *to, uint32_t row, vi sums,
                       float *out)
{
    vf y = vf_mul(vf_of_sums(sums), vf_all(to->token_scale[row]));

    y = vf_fma(y, to->scale,
               vf_fma(to->correction, vf_all(to->token_low[row]), to->bias));
    if (to->end == LINEAR_ACTIVATE)
        y = vf_mul(activate(y, &to->activation), to->smooth);
    else if (to->end == LINEAR_ADD)
        y = vf_add(y, vf_load(out));
    vf_store(out, y);
}
