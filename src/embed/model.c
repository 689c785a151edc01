#include <math.h>

#include "base/mem.h"
#include "embed/embed_priv.h"

/*
 * Opening a packed model: every size is computed from the shape and must be
 * that of its section, every number in floating point must be finite, tokens
 * must lie within their section. What lies behind the checksums can then do no
 * more harm than give other vectors.
 *
 * INFO: u32 version of the integer form, vocab, hidden, layers, heads,
 * intermediate, positions, tokens_max, dims | f32 norm_eps | u32 activation,
 * pooling, flags | u32 bytes of query_prefix, passage_prefix, name, license |
 * zeros to 96 | identity (32 bytes) | the four strings
 */

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static rc damaged(struct err *e, const char *what)
{
    return err_set(e, RC_CORRUPT, "model: %s damaged", what);
}

/* ---- what it says of itself ---- */

static bool shape_sound(const struct bert_shape *s)
{
    return s->vocab > 0 && s->vocab <= WORDPIECE_TOKENS_MAX && s->hidden > 0 &&
           s->hidden <= BERT_HIDDEN_MAX && s->hidden % ROW_STEP == 0 &&
           s->layers > 0 && s->layers <= BERT_LAYERS_MAX && s->heads > 0 &&
           s->hidden % s->heads == 0 &&
           s->hidden / s->heads % DEPTH_STEP == 0 &&
           s->hidden / s->heads <= DEPTH_MAX && s->intermediate > 0 &&
           s->intermediate <= BERT_INTERMEDIATE_MAX &&
           s->intermediate % ROW_STEP == 0 && s->positions > 0 &&
           s->positions <= BERT_POSITIONS_MAX && s->tokens_max >= 3 &&
           s->tokens_max <= s->positions && s->dims > 0 &&
           s->dims <= BERT_DIMS_MAX && s->dims % LANES == 0 &&
           isfinite(s->norm_eps) && s->norm_eps >= 0;
}

static rc info_read(struct model *m, str info, struct err *e)
{
    uint32_t head[INFO_BYTES / sizeof(uint32_t)];
    str *strings[] = {&m->info.query_prefix, &m->info.passage_prefix,
                      &m->info.name, &m->info.license};
    size_t at = INFO_BYTES;
    struct bert_shape *s = &m->shape;

    if (info.n < INFO_BYTES)
        return damaged(e, "section INFO");
    memcpy(head, info.p, sizeof head);
    if (head[0] != FORM_VERSION)
        return err_set(e, RC_UNSUPPORTED,
                       "model: integer form %u, this program knows %d",
                       (unsigned)head[0], FORM_VERSION);
    *s = (struct bert_shape){
        .vocab = head[1],
        .hidden = head[2],
        .layers = head[3],
        .heads = head[4],
        .intermediate = head[5],
        .positions = head[6],
        .types = 1,
        .tokens_max = head[7],
        .dims = head[8],
        .activation =
            head[10] <= BERT_RELU ? (enum bert_activation)head[10] : BERT_GELU,
        .pooling = head[11] == POOL_CLS ? POOL_CLS : POOL_MEAN};
    memcpy(&s->norm_eps, &head[9], sizeof s->norm_eps);
    if (!shape_sound(s) || head[10] > BERT_RELU || head[11] > POOL_CLS)
        return damaged(e, "section INFO");
    for (size_t i = 0; i < NELEMS(strings); i++) {
        size_t n = head[13 + i];

        if (n > STRING_BYTES_MAX || n > info.n - at)
            return damaged(e, "section INFO");
        *strings[i] = (str){info.p + at, n};
        at += n;
    }
    m->lowercase = (head[12] & INFO_LOWERCASE) != 0;
    m->strip_accents = (head[12] & INFO_STRIP_ACCENTS) != 0;
    m->ideographs_apart = (head[12] & INFO_IDEOGRAPHS_APART) != 0;
    m->has_dense = (head[12] & INFO_DENSE) != 0;
    m->dense_tanh = (head[12] & INFO_DENSE_TANH) != 0;
    if (!m->has_dense && s->dims != s->hidden)
        return damaged(e, "section INFO");
    m->info.dims = s->dims;
    m->info.tokens_max = s->tokens_max;
    m->info.layers = s->layers;
    m->info.bytes = seg_bytes(m->seg);
    memcpy(&m->info.identity, &head[24], sizeof m->info.identity);
    return RC_OK;
}

/* ---- numbers ---- */

static rc section(const struct model *m, const char id[4], size_t bytes,
                  const void **p, struct err *e)
{
    str s = seg_find(m->seg, id);

    if (s.n != bytes)
        return err_set(e, RC_CORRUPT,
                       "model: section %.4s has %zu bytes instead of %zu", id,
                       s.n, bytes);
    *p = s.p;
    return RC_OK;
}

static rc float_section(const struct model *m, const char id[4], size_t n,
                        const float **v, struct err *e)
{
    const void *p = NULL;
    rc code = section(m, id, n * sizeof **v, &p, e);

    if (code != RC_OK)
        return code;
    *v = p;
    return all_finite(*v, n)
               ? RC_OK
               : err_set(e, RC_CORRUPT,
                         "model: section %.4s holds a number that "
                         "is none",
                         id);
}

/* n floats from *v on, which moves past them. */
static const float *take(const float **v, size_t n)
{
    const float *p = *v;

    *v += n;
    return p;
}

static struct linear linear_take(const float **v, const int8_t **w, size_t in,
                                 size_t out)
{
    struct linear l = {.in = (uint32_t)in, .out = (uint32_t)out, .weight = *w};

    l.scale = take(v, out);
    l.correction = take(v, out);
    l.bias = take(v, out);
    *w += in * out;
    return l;
}

static struct norm norm_take(const float **v, size_t n)
{
    struct norm k = {.gamma = take(v, n)};

    k.beta = take(v, n);
    return k;
}

static void layer_take(struct layer *l, const float **v, const int8_t **w,
                       size_t hidden, size_t inner)
{
    l->qkv_smooth = take(v, hidden);
    l->qkv = linear_take(v, w, hidden, 3 * hidden);
    l->attention_out = linear_take(v, w, hidden, hidden);
    l->attention_norm = norm_take(v, hidden);
    l->up_smooth = take(v, hidden);
    l->up = linear_take(v, w, hidden, inner);
    l->down_smooth = take(v, inner);
    l->down = linear_take(v, w, inner, hidden);
    l->out_norm = norm_take(v, hidden);
}

static rc numbers_read(struct model *m, struct err *e)
{
    const struct bert_shape *s = &m->shape;
    size_t hidden = s->hidden, inner = s->intermediate;
    const void *words = NULL, *weights = NULL;
    const float *v = NULL;
    const int8_t *w;
    rc code = section(m, "WORD", s->vocab * hidden, &words, e);

    if (code == RC_OK)
        code = float_section(m, "WSCL", s->vocab, &m->word_scales, e);
    if (code == RC_OK)
        code =
            float_section(m, "POSN", s->positions * hidden, &m->positions, e);
    if (code == RC_OK)
        code = float_section(
            m, "FLTS", 2 * hidden + s->layers * layer_floats(hidden, inner), &v,
            e);
    if (code == RC_OK)
        code = section(m, "WGHT", s->layers * layer_weights(hidden, inner),
                       &weights, e);
    if (code == RC_OK && m->has_dense)
        code = float_section(m, "DENS", s->dims * (hidden + 1), &m->dense, e);
    if (code != RC_OK)
        return code;
    m->words = words;
    w = weights;
    m->embedding_norm = norm_take(&v, hidden);
    for (uint32_t l = 0; l < s->layers; l++)
        layer_take(&m->layers[l], &v, &w, hidden, inner);
    m->dense_bias = m->has_dense ? m->dense + s->dims * hidden : NULL;
    return RC_OK;
}

/* ---- words ---- */

static rc tokens_read(struct model *m, struct err *e)
{
    uint32_t vocab = m->shape.vocab;
    size_t table = ((size_t)vocab + 1) * sizeof(uint32_t);
    str all = seg_find(m->seg, "TOKS");
    const char *bytes;
    struct vocab_opts o = {.tokens_n = vocab,
                           .lowercase = m->lowercase,
                           .strip_accents = m->strip_accents,
                           .ideographs_apart = m->ideographs_apart,
                           .clean = true};
    uint32_t from, to = 0;
    str *tokens;
    rc code;

    if (all.n < table)
        return damaged(e, "section TOKS");
    bytes = all.p + table;
    tokens = mem_try(vocab * sizeof *tokens);
    if (tokens == NULL)
        return err_set(e, RC_NOMEM, "no memory for %u tokens", (unsigned)vocab);
    memcpy(&from, all.p, sizeof from);
    for (uint32_t v = 0; v < vocab; v++, from = to) {
        memcpy(&to, all.p + (v + 1) * sizeof to, sizeof to);
        if (from > to || to > all.n - table) {
            code = damaged(e, "section TOKS");
            goto done;
        }
        tokens[v] = (str){bytes + from, to - from};
    }
    o.tokens = tokens;
    code = vocab_open(&o, &m->vocab, e);
    if (code == RC_FORMAT || code == RC_LIMIT) /* the packer saw it whole */
        code = err_set(e, RC_CORRUPT, "model: vocabulary damaged");
done:
    mem_free(tokens);
    return code;
}

/* ---- opening ---- */

static rc model_read(struct model *m, struct err *e)
{
    rc code = info_read(m, seg_find(m->seg, "INFO"), e);

    if (code == RC_OK)
        code = numbers_read(m, e);
    return code == RC_OK ? tokens_read(m, e) : code;
}

rc model_open(const char *path, struct model **out, struct err *e)
{
    struct model *m = mem_alloc(sizeof *m);
    rc code = seg_open(path, &m->seg, e);

    if (code == RC_OK) {
        code = model_read(m, e);
        if (code != RC_OK)
            (void)err_wrap(e, "%s", path);
        else
            seg_rest(m->seg);
    }
    if (code != RC_OK) {
        model_close(m);
        return code;
    }
    *out = m;
    return RC_OK;
}

rc model_open_bytes(str bytes, struct model **out, struct err *e)
{
    struct model *m = mem_alloc(sizeof *m);
    rc code = seg_open_bytes(bytes, true, &m->seg, e);

    if (code == RC_OK)
        code = model_read(m, e);
    if (code != RC_OK) {
        model_close(m);
        return code;
    }
    *out = m;
    return RC_OK;
}

void model_close(struct model *m)
{
    if (m == NULL)
        return;
    vocab_close(m->vocab);
    seg_close(m->seg);
    mem_free(m);
}

const struct model_info *model_info(const struct model *m)
{
    return &m->info;
}
