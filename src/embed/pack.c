#include <math.h>

#include "base/mem.h"
#include "embed/embed_priv.h"

/*
 * The packed model, drawn in docs/formats.md: sections
 *
 *   WORD  i8 [vocab, hidden]          the word table, a scale a row
 *   WSCL  f32 [vocab]
 *   POSN  f32 [positions, hidden]     with the row of token type 0 added
 *   FLTS  f32: the embedding's norm (gamma, beta), then a layer after the
 *         other: qkv_smooth, qkv (scale, correction, bias), attention_out
 *         (the same three), attention_norm (gamma, beta), up_smooth, up,
 *         down_smooth, down, out_norm
 *   WGHT  i8: a layer after the other: qkv, attention_out, up, down, each
 *         [out / 64][in / 4][64][4]
 *   DENS  f32 [dims, hidden], [dims]  only where the model has a dense layer
 *   TOKS  u32 [vocab + 1] where tokens begin, then their bytes
 *   INFO  what INFO_* of model.c say, and the identity
 *
 * Smoothing (Xiao et al. 2022): a channel's activations are divided by
 * sqrt(range of activations / range of weights), its weights multiplied by it,
 * so that channels with outliers don't take the others' bits. A range is here
 * the geometric mean of the largest and the root mean square: in trials a
 * little nearer to fp32 than the largest alone (MiniLM: cosine 0.9975 against
 * 0.9973). Activations are those of SAMPLE, run through the reference; texts of
 * random words did nearly as well (0.9970), taking what rounding adds on
 * average off the biases did nothing for other texts than the sample.
 */

#define SAMPLE_TOKENS 64
static const str SAMPLE[] = {
    STR_INIT("how do I reset the password of an account that was locked?"),
    STR_INIT("The committee met on 14 March to discuss the budget for the "
             "coming year. "
             "Revenue rose by 6.2 percent, costs by 4.8 percent; the chairman "
             "asked the "
             "members to vote on the proposal before the end of the month."),
    STR_INIT(
        "Water boils at a lower temperature in the mountains, because the "
        "pressure "
        "of the air above it is smaller. The same law explains why food in a "
        "closed pot is cooked sooner."),
    STR_INIT(
        "To install the package, run the script as administrator and set the "
        "variable PATH in the file config.ini. Error 404: the server could not "
        "find http://example.org/index.html."),
    STR_INIT(
        "Patients who were given the drug recovered faster than those of the "
        "control group (p < 0.05), though two of them reported headaches and a "
        "mild fever."),
    STR_INIT("When the old man opened the door, she was already gone. Only a "
             "letter lay "
             "on the table, and beside it the key to a house by the sea that "
             "neither of "
             "them had seen for thirty years."),
    STR_INIT("The tenant shall pay the rent in advance on the first day of "
             "each month. "
             "If the landlord does not repair a defect within a reasonable "
             "time, the "
             "tenant may end this agreement in writing."),
    STR_INIT("flow over a thin wing at supersonic speed: pressure "
             "distribution, shock "
             "waves and heat transfer in the boundary layer"),
};

/* A section after the other, hashed as it is written. */
struct packer {
    const struct bert *b;
    struct arena *arena;
    struct seg_writer *w;
    struct sha256_stream *hash;
    struct bert_ranges ranges[BERT_LAYERS_MAX];
    float tokens;                         /* seen */
    const struct pack_progress *progress; /* NULL: none */
    unsigned steps;                       /* done */
    struct err *e;
    rc code; /* sticks */
};

static void step_done(struct packer *p)
{
    unsigned all = (unsigned)NELEMS(SAMPLE) + p->b->shape.layers;

    p->steps++;
    if (p->progress != NULL)
        p->progress->step(p->progress->arg, p->steps, all);
}

static void put(struct packer *p, const void *bytes, size_t n)
{
    if (p->code != RC_OK)
        return;
    p->code = seg_put(p->w, bytes, n, p->e);
    sha256_put(p->hash, bytes, n);
}

static void put_floats(struct packer *p, const float *v, size_t n)
{
    put(p, v, n * sizeof *v);
}

static void begin(struct packer *p, const char id[4])
{
    if (p->code == RC_OK)
        p->code = seg_section(p->w, id, p->e);
}

/* ---- the integer form of a linear layer ---- */

/* Up to three layers of one input, side by side as one. */
struct joined {
    const struct bert_linear *parts[3];
    size_t parts_n, in, out;      /* out: of one part */
    const struct bert_seen *seen; /* of the input */
    const float *smooth_in; /* [in]: weights are multiplied by it; or NULL */
    const float *last_by;   /* [out] of the last part: multiplied by; or NULL */
    float first_by;         /* the first part's outputs are multiplied by */
};

static float row_by(const struct joined *j, size_t part, size_t o)
{
    if (part == 0)
        return j->first_by;
    return j->last_by != NULL && part + 1 == j->parts_n ? j->last_by[o] : 1;
}

/* Row o of a part's weights as they are to be packed. */
static void row_of(const struct joined *j, size_t part, size_t o, float *row)
{
    const float *w = j->parts[part]->weight + o * j->in;
    float by = row_by(j, part, o);

    for (size_t i = 0; i < j->in; i++)
        row[i] = w[i] * by * (j->smooth_in == NULL ? 1 : j->smooth_in[i]);
}

struct packed {
    int8_t *weight;
    float *scale, *correction, *bias;
};

static void row_pack(const struct joined *j, size_t part, size_t o,
                     const float *row, struct packed *to)
{
    size_t at = part * j->out + o;
    int8_t *first =
        to->weight + at / STRIP * STRIP * j->in + at % STRIP * GROUP;
    const float *bias = j->parts[part]->bias;
    float most = 0, scale;
    int32_t sum = 0;

    for (size_t i = 0; i < j->in; i++)
        most = fmaxf(most, fabsf(row[i]));
    scale = most / WEIGHT_MAX;
    for (size_t i = 0; i < j->in; i++) {
        long q = scale > 0 ? lrintf(row[i] / scale) : 0;

        first[i / GROUP * GROUP * STRIP + i % GROUP] = (int8_t)q;
        sum += (int32_t)q;
    }
    to->scale[at] = scale;
    to->correction[at] = scale * (float)sum;
    to->bias[at] = bias == NULL ? 0 : bias[o] * row_by(j, part, o);
}

static struct packed join_pack(struct packer *p, const struct joined *j)
{
    size_t out = j->parts_n * j->out;
    struct packed to = {.weight = arena_alloc_array(p->arena, out, j->in),
                        .scale = ARENA_ARRAY(p->arena, float, out),
                        .correction = ARENA_ARRAY(p->arena, float, out),
                        .bias = ARENA_ARRAY(p->arena, float, out)};
    float *row = ARENA_ARRAY(p->arena, float, j->in);

    for (size_t part = 0; part < j->parts_n; part++)
        for (size_t o = 0; o < j->out; o++) {
            row_of(j, part, o, row);
            row_pack(j, part, o, row, &to);
        }
    return to;
}

/* The largest and the sum of squares of n values each. */
static float range_of(float most, float square, float n)
{
    return sqrtf(most * sqrtf(square / n));
}

/* What activations are divided by. A channel never seen, or without weights,
 * stays as it is. */
static float *smoothing(struct packer *p, const struct joined *j)
{
    size_t out = j->parts_n * j->out;
    float *s = ARENA_ARRAY(p->arena, float, j->in);
    float *most = ARENA_ARRAY(p->arena, float, j->in);
    float *square = ARENA_ARRAY(p->arena, float, j->in);
    float *row = ARENA_ARRAY(p->arena, float, j->in);

    for (size_t part = 0; part < j->parts_n; part++)
        for (size_t o = 0; o < j->out; o++) {
            row_of(j, part, o, row);
            for (size_t i = 0; i < j->in; i++) {
                most[i] = fmaxf(most[i], fabsf(row[i]));
                square[i] += row[i] * row[i];
            }
        }
    for (size_t i = 0; i < j->in; i++) {
        s[i] = sqrtf(range_of(j->seen->most[i], j->seen->square[i], p->tokens) /
                     range_of(most[i], square[i], (float)out));
        if (!(s[i] >= 1e-4F && s[i] <= 1e4F)) /* NaN is not */
            s[i] = 1;
    }
    return s;
}

static float *inverse(struct packer *p, const float *v, size_t n)
{
    float *r = ARENA_ARRAY(p->arena, float, n);

    for (size_t i = 0; i < n; i++)
        r[i] = 1 / v[i];
    return r;
}

/* ---- layers ---- */

struct layer_packed {
    float *qkv_smooth, *up_smooth, *down_smooth;
    struct packed qkv, attention_out, up, down;
};

static struct layer_packed layer_pack(struct packer *p, uint32_t at)
{
    const struct bert_layer *l = &p->b->layers[at];
    const struct bert_ranges *r = &p->ranges[at];
    size_t hidden = p->b->shape.hidden, inner = p->b->shape.intermediate;
    struct joined qkv = {.parts = {&l->query, &l->key, &l->value},
                         .seen = &r->qkv,
                         .parts_n = 3,
                         .in = hidden,
                         .out = hidden};
    struct joined out = {.parts = {&l->attention_out},
                         .seen = &r->attention_out,
                         .parts_n = 1,
                         .in = hidden,
                         .out = hidden,
                         .first_by = 1};
    struct joined up = {.parts = {&l->up},
                        .seen = &r->up,
                        .parts_n = 1,
                        .in = hidden,
                        .out = inner,
                        .first_by = 1};
    struct joined down = {.parts = {&l->down},
                          .seen = &r->down,
                          .parts_n = 1,
                          .in = inner,
                          .out = hidden,
                          .first_by = 1};
    float *smooth;
    struct layer_packed k;

    /* The scale of attention and the base of its exponential stand in the
     * queries' weights. */
    qkv.first_by =
        (float)(M_LOG2E / sqrt((double)hidden / (double)p->b->shape.heads));
    smooth = smoothing(p, &qkv);
    k.qkv_smooth = inverse(p, smooth, hidden);
    qkv.smooth_in = smooth;
    out.smooth_in = smooth = smoothing(p, &out);
    qkv.last_by = inverse(p, smooth, hidden);
    k.qkv = join_pack(p, &qkv);
    k.attention_out = join_pack(p, &out);
    up.smooth_in = smooth = smoothing(p, &up);
    k.up_smooth = inverse(p, smooth, hidden);
    k.up = join_pack(p, &up);
    down.smooth_in = smooth = smoothing(p, &down);
    k.down_smooth = inverse(p, smooth, inner);
    k.down = join_pack(p, &down);
    return k;
}

static void put_packed(struct packer *p, const struct packed *k, size_t out)
{
    put_floats(p, k->scale, out);
    put_floats(p, k->correction, out);
    put_floats(p, k->bias, out);
}

static void put_norm(struct packer *p, const struct bert_norm *n)
{
    put_floats(p, n->weight, p->b->shape.hidden);
    put_floats(p, n->bias, p->b->shape.hidden);
}

/* Floats and weights are two sections, so all layers are packed first: a byte
 * a weight. */
static void put_layers(struct packer *p)
{
    const struct bert *b = p->b;
    size_t hidden = b->shape.hidden, inner = b->shape.intermediate;
    struct layer_packed *k =
        ARENA_ARRAY(p->arena, struct layer_packed, b->shape.layers);

    for (uint32_t l = 0; l < b->shape.layers; l++) {
        k[l] = layer_pack(p, l);
        step_done(p);
    }
    begin(p, "FLTS");
    put_norm(p, &b->embedding_norm);
    for (uint32_t l = 0; l < b->shape.layers; l++) {
        put_floats(p, k[l].qkv_smooth, hidden);
        put_packed(p, &k[l].qkv, 3 * hidden);
        put_packed(p, &k[l].attention_out, hidden);
        put_norm(p, &b->layers[l].attention_norm);
        put_floats(p, k[l].up_smooth, hidden);
        put_packed(p, &k[l].up, inner);
        put_floats(p, k[l].down_smooth, inner);
        put_packed(p, &k[l].down, hidden);
        put_norm(p, &b->layers[l].out_norm);
    }
    begin(p, "WGHT");
    for (uint32_t l = 0; l < b->shape.layers; l++) {
        put(p, k[l].qkv.weight, 3 * hidden * hidden);
        put(p, k[l].attention_out.weight, hidden * hidden);
        put(p, k[l].up.weight, hidden * inner);
        put(p, k[l].down.weight, hidden * inner);
    }
}

/* ---- the tables ---- */

static void put_words(struct packer *p)
{
    const struct bert_shape *s = &p->b->shape;
    float *scales = ARENA_ARRAY(p->arena, float, s->vocab);
    int8_t *q = arena_alloc(p->arena, s->hidden);

    begin(p, "WORD");
    for (uint32_t v = 0; v < s->vocab; v++) {
        const float *row = p->b->words + (size_t)v * s->hidden;
        float most = 0;

        for (uint32_t i = 0; i < s->hidden; i++)
            most = fmaxf(most, fabsf(row[i]));
        scales[v] = most / INT8_MAX;
        for (uint32_t i = 0; i < s->hidden; i++)
            q[i] = (int8_t)(most > 0 ? lrintf(row[i] / scales[v]) : 0);
        put(p, q, s->hidden);
    }
    begin(p, "WSCL");
    put_floats(p, scales, s->vocab);
}

static void put_positions(struct packer *p)
{
    const struct bert_shape *s = &p->b->shape;
    float *row = ARENA_ARRAY(p->arena, float, s->hidden);

    begin(p, "POSN");
    for (uint32_t t = 0; t < s->positions; t++) {
        for (uint32_t i = 0; i < s->hidden; i++)
            row[i] =
                p->b->positions[(size_t)t * s->hidden + i] + p->b->types[i];
        put_floats(p, row, s->hidden);
    }
}

static void put_dense(struct packer *p)
{
    const struct bert *b = p->b;
    float *zeros = ARENA_ARRAY(p->arena, float, b->shape.dims);

    if (b->dense.weight == NULL)
        return;
    begin(p, "DENS");
    put_floats(p, b->dense.weight, (size_t)b->shape.dims * b->shape.hidden);
    put_floats(p, b->dense.bias == NULL ? zeros : b->dense.bias, b->shape.dims);
}

static void put_tokens(struct packer *p)
{
    const struct bert *b = p->b;
    uint32_t at = 0;

    begin(p, "TOKS");
    put(p, &at, sizeof at);
    for (uint32_t v = 0; v < b->shape.vocab; v++) {
        at += (uint32_t)b->tokens[v].n;
        put(p, &at, sizeof at);
    }
    for (uint32_t v = 0; v < b->shape.vocab; v++)
        put(p, b->tokens[v].p, b->tokens[v].n);
}

/* The identity is of all sections so far and of the head of this one. */
static void put_info(struct packer *p)
{
    const struct bert *b = p->b;
    const struct bert_shape *s = &b->shape;
    const str strings[] = {b->query_prefix, b->passage_prefix, b->name,
                           b->license};
    uint32_t head[INFO_BYTES / sizeof(uint32_t)] = {
        FORM_VERSION,    s->vocab,     s->hidden,     s->layers, s->heads,
        s->intermediate, s->positions, s->tokens_max, s->dims};
    sha256 identity;

    memcpy(&head[9], &s->norm_eps, sizeof s->norm_eps);
    head[10] = s->activation;
    head[11] = s->pooling;
    head[12] =
        (b->lowercase ? INFO_LOWERCASE : 0u) |
        (b->strip_accents ? INFO_STRIP_ACCENTS : 0u) |
        (b->ideographs_apart ? INFO_IDEOGRAPHS_APART : 0u) |
        (b->dense.weight != NULL ? INFO_DENSE : 0u) |
        (b->dense.weight != NULL && b->dense_tanh ? INFO_DENSE_TANH : 0u);
    head[13] = (uint32_t)b->query_prefix.n;
    head[14] = (uint32_t)b->passage_prefix.n;
    sha256_put(p->hash, head, sizeof head);
    sha256_put(p->hash, b->query_prefix.p, b->query_prefix.n);
    sha256_put(p->hash, b->passage_prefix.p, b->passage_prefix.n);
    identity = sha256_end(p->hash);
    head[15] = (uint32_t)b->name.n;
    head[16] = (uint32_t)b->license.n;
    memcpy(&head[24], &identity, sizeof identity);
    begin(p, "INFO");
    if (p->code == RC_OK)
        p->code = seg_put(p->w, head, sizeof head, p->e);
    for (size_t i = 0; i < NELEMS(strings) && p->code == RC_OK; i++)
        p->code = seg_put(p->w, strings[i].p, strings[i].n, p->e);
}

/* ---- all of it ---- */

static rc form_fits(const struct bert *b, struct err *e)
{
    const struct bert_shape *s = &b->shape;
    const str strings[] = {b->query_prefix, b->passage_prefix, b->name,
                           b->license};
    uint64_t bytes = 0;

    if (s->hidden % ROW_STEP != 0 || s->intermediate % ROW_STEP != 0)
        return err_set(e, RC_UNSUPPORTED,
                       "rows of %u and %u: only multiples of %d are run",
                       (unsigned)s->hidden, (unsigned)s->intermediate,
                       ROW_STEP);
    if (s->hidden / s->heads % DEPTH_STEP != 0 ||
        s->hidden / s->heads > DEPTH_MAX)
        return err_set(e, RC_UNSUPPORTED,
                       "heads of %u channels: only multiples of %d up to %d "
                       "are run",
                       (unsigned)(s->hidden / s->heads), DEPTH_STEP, DEPTH_MAX);
    if (s->dims % LANES != 0)
        return err_set(e, RC_UNSUPPORTED,
                       "vectors of %u: only multiples of %d are made",
                       (unsigned)s->dims, LANES);
    for (size_t i = 0; i < NELEMS(strings); i++)
        if (strings[i].n > STRING_BYTES_MAX)
            return err_set(e, RC_LIMIT,
                           "a name or prefix has %zu bytes, limit "
                           "%d",
                           strings[i].n, STRING_BYTES_MAX);
    for (uint32_t v = 0; v < s->vocab; v++)
        bytes += b->tokens[v].n;
    if (bytes > UINT32_MAX / 2)
        return err_set(e, RC_LIMIT, "a vocabulary of %llu bytes",
                       (unsigned long long)bytes);
    return RC_OK;
}

static struct bert_seen seen_nothing(struct packer *p, size_t n)
{
    struct bert_seen seen = {.most = ARENA_ARRAY(p->arena, float, n)};

    seen.square = ARENA_ARRAY(p->arena, float, n);
    return seen;
}

/* Wants a tokenizer; for a moment the packer has one of its own. */
static rc sample_open(const struct bert *b, struct vocab **v, struct err *e)
{
    return vocab_open(
        &(struct vocab_opts){.tokens = b->tokens,
                             .tokens_n = b->shape.vocab,
                             .lowercase = b->lowercase,
                             .strip_accents = b->strip_accents,
                             .ideographs_apart = b->ideographs_apart,
                             .clean = true},
        v, e);
}

static rc text_see(struct packer *p, struct wordpiece *w,
                   struct vocab_ids special, str text)
{
    const struct bert_shape *s = &p->b->shape;
    uint32_t ids[SAMPLE_TOKENS];
    size_t n = 0;
    size_t max = s->tokens_max < SAMPLE_TOKENS ? s->tokens_max : SAMPLE_TOKENS;
    float *out = ARENA_ARRAY(p->arena, float, s->dims);

    ids[n++] = special.begin;
    n += wordpiece_encode(w, text, ids + n, max - 2);
    ids[n++] = special.end;
    p->tokens += (float)n;
    return bert_embed_watched(p->b, ids, n, p->ranges, out, p->e);
}

static rc ranges_see(struct packer *p)
{
    const struct bert_shape *s = &p->b->shape;
    struct vocab *v = NULL;
    struct wordpiece *w;
    rc code = sample_open(p->b, &v, p->e);

    if (code != RC_OK)
        return code;
    for (uint32_t l = 0; l < s->layers; l++)
        p->ranges[l] =
            (struct bert_ranges){.qkv = seen_nothing(p, s->hidden),
                                 .attention_out = seen_nothing(p, s->hidden),
                                 .up = seen_nothing(p, s->hidden),
                                 .down = seen_nothing(p, s->intermediate)};
    w = wordpiece_open(v);
    for (size_t t = 0; t < NELEMS(SAMPLE) && code == RC_OK; t++) {
        code = text_see(p, w, vocab_ids(v), SAMPLE[t]);
        step_done(p);
    }
    wordpiece_close(w);
    vocab_close(v);
    return code;
}

/* fd -1: a file of that path is made. */
static rc pack(const struct bert *b, int fd, const char *path,
               const struct pack_progress *progress, struct err *e)
{
    struct packer p = {.b = b, .progress = progress, .e = e};
    rc code = form_fits(b, e);

    if (code != RC_OK)
        return code;
    p.arena = arena_open();
    p.hash = sha256_open();
    code = ranges_see(&p);
    if (code == RC_OK)
        code = fd < 0 ? seg_writer_open(path, &p.w, e)
                      : seg_writer_open_on(fd, path, &p.w, e);
    if (code != RC_OK)
        goto done;
    put_words(&p);
    put_positions(&p);
    put_layers(&p);
    put_dense(&p);
    put_tokens(&p);
    put_info(&p);
    code = p.code;
    if (code == RC_OK)
        code = seg_writer_end(p.w, NULL, e);
done:
    seg_writer_close(p.w);
    sha256_close(p.hash);
    arena_close(p.arena);
    return code;
}

rc model_pack(const struct bert *b, const char *path, struct err *e)
{
    return pack(b, -1, path, NULL, e);
}

rc model_pack_on(const struct bert *b, int fd, const char *path,
                 const struct pack_progress *progress, struct err *e)
{
    ASSERT(fd >= 0);
    return pack(b, fd, path, progress, e);
}
