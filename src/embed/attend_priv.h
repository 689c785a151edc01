/*
 * attend_priv: attention of one head of one text. Comes behind lanes, tile_sums
 * and pairs_add; wants TARGET, TILE_ROWS, TILE_PANELS, MIX_ROWS, MIX_LANES.
 *
 * Scores are sums of integers as a linear layer's are: keys lie as weights do,
 * queries are 7 bits. Softmax is floating point and leaves weights of 14 bits,
 * which mix values of 8 bits by products of 16. Sums of integers are exact, so
 * that tiles may be whatever fits a processor.
 */

static_assert(TILE_ROWS <= ATTEND_ROWS_MAX, "the scratch has room for them");
static_assert(TILE_ROWS % MIX_ROWS == 0, "scored rows are mixed in groups");

/* Where a job's scratch has what. */
struct attention {
    int8_t *keys;     /* [n / 64][depth / 4][64][4] */
    float *bases;     /* [padded]: what a key's score has too much */
    uint8_t *queries; /* [padded, depth] */
    int16_t *values;  /* [padded / 2][depth][2] */
    /* [TILE_ROWS, padded], of which the weights of a row take the front half */
    float *scores;
    size_t padded;          /* n, up to whole lanes */
    float unit;             /* of a score: log2 */
    float steps[DEPTH_MAX]; /* of a value, by channel */
};

INLINE struct attention attention_of(const struct attend_job *job)
{
    struct attention a = {.padded = attend_padded(job->n)};
    size_t n = a.padded * job->depth;
    uint8_t *at = job->scratch;

    a.scores = (float *)(void *)at;
    at += a.padded * ATTEND_ROWS_MAX * sizeof(float);
    a.bases = (float *)(void *)at;
    at += a.padded * sizeof(float);
    a.values = (int16_t *)(void *)at;
    at += n * sizeof(int16_t);
    a.queries = at;
    a.keys = (int8_t *)(at + n);
    return a;
}

/* ---- to integers ---- */

struct range {
    vf least, most;
};

/* Of 16 channels, over all rows. */
INLINE struct range lanes_range(const float *x, size_t stride, uint32_t n)
{
    struct range of = {vf_load(x), vf_load(x)};

    for (uint32_t j = 1; j < n; j++) {
        vf v = vf_load(x + j * stride);

        of.least = vf_min(of.least, v);
        of.most = vf_max(of.most, v);
    }
    return of;
}

INLINE vf largest(struct range of)
{
    return vf_max(of.most, vf_sub(vf_all(0), of.least));
}

/* Of all channels of a head, over all rows. */
INLINE float head_largest(const float *x, const struct attend_job *job)
{
    vf most = vf_all(0);

    for (uint32_t d = 0; d < job->depth; d += LANES)
        most = vf_max(most, largest(lanes_range(x + d, job->stride, job->n)));
    return vf_most(most);
}

/* A number is so many steps; of none to speak of, a step is 1: keys that are
 * none are kept out by what FLT_MAX steps of scores are. */
#define LARGEST_NONE 1e-15F
INLINE float steps_of(float most, float limit)
{
    return most > LARGEST_NONE ? limit / most : 0;
}
INLINE float step_of(float most, float limit)
{
    return most > LARGEST_NONE ? most / limit : 1;
}

INLINE void queries_to(const struct attend_job *job, float most,
                       uint8_t *queries)
{
    vf by = vf_all(steps_of(most, QUERY_MOST)), zero = vf_all(QUERY_ZERO);

    for (uint32_t j = 0; j < job->n; j++, queries += job->depth)
        for (uint32_t d = 0; d < job->depth; d += LANES)
            vf_to_bytes(
                queries + d,
                vf_fma(vf_load(job->query + j * job->stride + d), by, zero));
}

/* Keys behind the last, up to whole lanes, are zeros. */
INLINE void keys_to(const struct attend_job *job, float most, int8_t *keys,
                    size_t padded)
{
    vf by = vf_all(steps_of(most, WEIGHT_MAX));

    for (size_t j = 0; j < padded; j++) {
        int8_t *to = keys + j / STRIP * STRIP * job->depth + j % STRIP * GROUP;

        for (uint32_t d = 0; d < job->depth; d += LANES) {
            int8_t k[LANES] = {0};

            if (j < job->n)
                vf_to_signed(
                    k, vf_mul(vf_load(job->key + j * job->stride + d), by));
#pragma GCC unroll 4
            for (size_t g = 0; g < LANES / GROUP; g++, to += STRIP_BYTES)
                memcpy(to, k + g * GROUP, GROUP);
        }
    }
}

/* The value that makes a pair with the last is zero. */
INLINE void values_to(const struct attend_job *job, struct attention *a)
{
    const float *x = job->value;
    size_t stride = job->stride;

    for (uint32_t d = 0; d < job->depth; d += LANES, x += LANES) {
        int16_t *to = a->values + (size_t)d * 2;
        float by[LANES];
        vf each;

        vf_store(a->steps + d, largest(lanes_range(x, stride, job->n)));
        for (uint32_t i = 0; i < LANES; i++) {
            float most = a->steps[d + i];

            by[i] = steps_of(most, VALUE_MAX);
            a->steps[d + i] = step_of(most, VALUE_MAX);
        }
        each = vf_load(by);
        for (size_t j = 0; j < job->n; j += 2, to += (size_t)job->depth * 2) {
            vf last =
                j + 1 < job->n ? vf_load(x + (j + 1) * stride) : vf_all(0);

            vf_to_pairs(to, vf_mul(vf_load(x + j * stride), each),
                        vf_mul(last, each));
        }
    }
}

/* ---- scores ---- */

/* The sums of rows by panels of keys, from `key`. rows and panels are constants
 * where this is inlined. */
INLINE void key_sums(const struct attention *a, const uint8_t *q,
                     uint32_t depth, size_t key, uint32_t rows, uint32_t panels,
                     vi sums[TILE_ROWS][TILE_PANELS])
{
    tile_sums(q, a->keys + key / STRIP * STRIP * depth + key % STRIP * GROUP,
              depth, rows, panels, (struct ahead){0}, sums);
}

/* What the zero of queries adds to each key's sums; keys that are none have so
 * much too much that they weigh nothing. */
INLINE void bases_make(const struct attend_job *job, struct attention *a)
{
    uint8_t zero[DEPTH_MAX];

    memset(zero, QUERY_ZERO, sizeof zero);
    for (size_t j = 0; j < a->padded; j += LANES) {
        vi sums[TILE_ROWS][TILE_PANELS];

        key_sums(a, zero, job->depth, j, 1, 1, sums);
        vf_store(a->bases + j, vf_of_sums(sums[0][0]));
    }
    for (size_t j = job->n; j < a->padded; j++)
        a->bases[j] = FLT_MAX;
}

INLINE void score_tile(const struct attention *a, const uint8_t *q,
                       uint32_t depth, size_t key, uint32_t rows,
                       uint32_t panels, vf most[TILE_ROWS])
{
    vi sums[TILE_ROWS][TILE_PANELS];
    float *out = a->scores + key;

    key_sums(a, q, depth, key, rows, panels, sums);
#pragma GCC unroll 8
    for (size_t p = 0; p < panels; p++) {
        vf base = vf_load(a->bases + key + p * LANES);

#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++) {
            vf score = vf_sub(vf_of_sums(sums[r][p]), base);

            most[r] = vf_max(most[r], score);
            vf_store(out + r * a->padded + p * LANES, score);
        }
    }
}

INLINE void score_rows(const struct attention *a, const uint8_t *q,
                       uint32_t depth, uint32_t rows, vf most[TILE_ROWS])
{
    const size_t step = (size_t)TILE_PANELS * LANES;
    size_t key = 0;

#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
        most[r] = vf_all(-FLT_MAX);
    for (; key + step <= a->padded; key += step)
        score_tile(a, q, depth, key, rows, TILE_PANELS, most);
    for (; key < a->padded; key += LANES)
        score_tile(a, q, depth, key, rows, 1, most);
}

/* ---- weights ---- */

/* Powers below this are taken for it. The next, 2^-126, is the least normal
 * number, but the polynomial is 0.9999993 at 0, which makes it a subnormal one:
 * for those processors take a hundred times as long, and what padding weighs
 * would be one in each row. */
#define EXP2_LEAST (-125)

/* 2^x for x that are not large: an integer and a rest within half of one, for
 * which a polynomial of degree 4 is off by 2.7e-6 (fitted for relative error).
 */
INLINE vf exp2_of(vf x)
{
    vf whole, rest, p;

    x = vf_max(x, vf_all(EXP2_LEAST));
    whole = vf_round(x);
    rest = vf_sub(x, whole);
    p = vf_all(0.009570101276040077F);
    p = vf_fma(p, rest, vf_all(0.05591786280274391F));
    p = vf_fma(p, rest, vf_all(0.240247443318367F));
    p = vf_fma(p, rest, vf_all(0.6931217908859253F));
    p = vf_fma(p, rest, vf_all(0.9999992847442627F));
    return vf_mul(p, vf_power_of_2(whole));
}

/* A row's weights, in one half of the memory its scores have. */
INLINE int16_t *weights_at(float *scores)
{
    return (int16_t *)(void *)scores;
}

#define WEIGHT_BITS 14

/* Scores to weights, the largest being 2^14, in place; 1 / their sum. */
INLINE float soften(const struct attention *a, float *scores, vf most)
{
    vf by = vf_all(a->unit), top = vf_all(WEIGHT_BITS), sum = vf_all(0);

    most = vf_all(vf_most(most));
    for (size_t i = 0; i < a->padded; i += LANES) {
        vf below = vf_sub(vf_load(scores + i), most);
        vf p = exp2_of(vf_fma(below, by, top));

        vf_to_words(weights_at(scores) + i, p);
        sum = vf_add(sum, p);
    }
    return 1 / vf_total(sum);
}

/* ---- values, mixed ---- */

/* Of so many keys a sum fits, with all weights and values at their largest; of
 * more, sums are added up as floats. */
#define MIX_KEYS 1024
static_assert((int64_t)VALUE_MAX * MIX_KEYS << WEIGHT_BITS <= INT32_MAX,
              "they fit");

/* The values of MIX_KEYS keys at most, from `from`, mixed into out, which is not
 * yet divided by anything. rows, lanes and more are constants where this is
 * inlined: with loops around these gcc 12 copies all sums at each step. */
INLINE void mix_tile(const struct attend_job *job, const struct attention *a,
                     uint32_t row, uint32_t rows, uint32_t d, uint32_t lanes,
                     uint32_t from, bool more, float *out)
{
    const int16_t *weights = weights_at(a->scores + row * a->padded);
    const int16_t *values = a->values + (size_t)from * job->depth;
    const size_t stride = 2 * a->padded; /* of weights, where scores were */
    uint32_t to = job->n - from < MIX_KEYS ? job->n : from + MIX_KEYS;
    vi sums[MIX_ROWS][MIX_LANES];

    values += (size_t)d * 2;
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (size_t l = 0; l < lanes; l++)
            sums[r][l] = pairs_none();
    for (uint32_t j = from; j < to; j += 2) {
#pragma GCC unroll 8
        for (uint32_t r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (size_t l = 0; l < lanes; l++)
                pairs_add(weights + r * stride + j, values + l * LANES * 2,
                          &sums[r][l]);
        values += (size_t)job->depth * 2;
    }
    out += row * job->out_stride + d;
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++, out += job->out_stride)
#pragma GCC unroll 8
        for (size_t l = 0; l < lanes; l++) {
            vf y = vf_of_sums(sums[r][l]);

            vf_store(out + l * LANES,
                     more ? vf_add(y, vf_load(out + l * LANES)) : y);
        }
}

INLINE void mix_lanes(const struct attend_job *job, const struct attention *a,
                      uint32_t row, uint32_t rows, uint32_t d, uint32_t lanes,
                      float *out)
{
    mix_tile(job, a, row, rows, d, lanes, 0, false, out);
    for (uint32_t from = MIX_KEYS; from < job->n; from += MIX_KEYS)
        mix_tile(job, a, row, rows, d, lanes, from, true, out);
}

INLINE void mix_rows(const struct attend_job *job, const struct attention *a,
                     uint32_t row, uint32_t rows, const float *by, float *out)
{
    uint32_t d = 0;

    for (; d + MIX_LANES * LANES <= job->depth; d += MIX_LANES * LANES)
        mix_lanes(job, a, row, rows, d, MIX_LANES, out);
    for (; d < job->depth; d += LANES)
        mix_lanes(job, a, row, rows, d, 1, out);
    out += row * job->out_stride;
    for (uint32_t r = row; r < row + rows; r++, out += job->out_stride)
        for (d = 0; d < job->depth; d += LANES)
            vf_store(out + d, vf_mul(vf_mul(vf_load(out + d), vf_all(by[r])),
                                     vf_load(a->steps + d)));
}

/* ---- all of it ---- */

INLINE void attend_rows(const struct attend_job *job, const struct attention *a,
                        uint32_t row, uint32_t rows)
{
    float *out = job->out + row * job->out_stride;
    float by[TILE_ROWS] = {0}; /* gcc's analyzer can't see that all are set */
    vf most[TILE_ROWS];

    score_rows(a, a->queries + (size_t)row * job->depth, job->depth, rows,
               most);
#pragma GCC unroll 8
    for (uint32_t r = 0; r < rows; r++)
        by[r] = soften(a, a->scores + r * a->padded, most[r]);
    if (rows < TILE_ROWS) {
        mix_rows(job, a, 0, rows, by, out);
        return;
    }
    for (uint32_t r = 0; r < TILE_ROWS; r += MIX_ROWS)
        mix_rows(job, a, r, MIX_ROWS, by, out);
}

TARGET static void attend_run(const struct attend_job *job)
{
    struct attention a = attention_of(job);
    float query = head_largest(job->query, job);
    float key = head_largest(job->key, job);
    uint32_t row = 0;

    a.unit = step_of(query, QUERY_MOST) * step_of(key, WEIGHT_MAX);
    a.unit = a.unit < FLT_MAX ? a.unit : FLT_MAX; /* 0 of them is 0 */
    queries_to(job, query, a.queries);
    keys_to(job, key, a.keys, a.padded);
    bases_make(job, &a);
    values_to(job, &a);
    for (; row + TILE_ROWS <= job->n; row += TILE_ROWS)
        attend_rows(job, &a, row, TILE_ROWS);
    if (row == 0)
        for (; row < job->n; row++)
            attend_rows(job, &a, row, 1);
    else if (row < job->n) /* some of them once more, to the same */
        attend_rows(job, &a, job->n - TILE_ROWS, TILE_ROWS);
}
