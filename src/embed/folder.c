#include "embed/folder.h"

#include <inttypes.h>

#include "base/file.h"
#include "base/mem.h"
#include "embed/config_priv.h"
#include "embed/onnx_priv.h"
#include "embed/safetensors_priv.h"
#include "embed/tokenizer_priv.h"
#include "text/wordpiece.h"

#define CARD_BYTES_MAX ((size_t)1 << 20)

struct folder {
    struct arena *arena;
    struct file_map weights, dense_weights;
    struct held held;
    struct bert bert;
};

/* A folder while it is read. */
struct reading {
    struct folder *f;
    const char *root; /* where modules.json stands */
    const char *body; /* where config.json and the weights stand */
    const char *onnx; /* the file; NULL: model.safetensors */
    struct tensors ts;
    str prefix; /* of the tensors' names */
    enum bert_names names;
    str *stored; /* what the file calls them, as bert_tensor_at counts */
    size_t stored_n, stored_cap;
    struct modules modules;
    struct tokenizer tokenizer;
    const struct family *family; /* NULL: not a well-known name */
};

bool model_name_valid(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
              (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return name.n > 0 && name.n <= MODEL_NAME_BYTES_MAX && name.p[0] != '.';
}

/* ---- files ---- */

static const char *join(struct reading *r, const char *dir, const char *name)
{
    return arena_cstr(r->f->arena, arena_fmt(r->f->arena, "%s/%s", dir, name));
}

/* text->p NULL: there is no such file. */
static rc read_optional(struct reading *r, const char *dir, const char *name,
                        size_t bytes_max, str *text, struct err *e)
{
    rc code = file_read(join(r, dir, name), bytes_max, r->f->arena, text, e);

    if (code != RC_OK)
        *text = STR_NONE;
    return code == RC_NOTFOUND ? RC_OK : code;
}

static bool has_file(struct reading *r, const char *dir, const char *name)
{
    return file_exists(join(r, dir, name));
}

/* The folder a path stands in, and the last part of it. */
static const char *split(struct arena *a, const char *path, str *last)
{
    str s = str_of(path);
    size_t at;

    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    for (at = s.n; at > 0 && s.p[at - 1] != '/';)
        at--;
    *last = str_sub(s, at, s.n);
    if (at == 0)
        return ".";
    return arena_cstr(a, str_sub(s, 0, at == 1 ? 1 : at - 1));
}

/* ---- where things stand ---- */

/* model.onnx of a folder, where it has no model.safetensors. */
static const char *onnx_of_folder(struct reading *r)
{
    static const char *const PLACES[] = {"model.onnx", "onnx/model.onnx"};

    if (has_file(r, r->body, "model.safetensors"))
        return NULL;
    for (size_t i = 0; i < NELEMS(PLACES); i++) {
        if (has_file(r, r->body, PLACES[i]))
            return join(r, r->body, PLACES[i]);
    }
    return NULL;
}

/* A file in onnx/ belongs to the folder above. */
static void locate_onnx(struct reading *r, const char *path, str *name)
{
    str file, folder;
    const char *dir = split(r->f->arena, path, &file);
    const char *above = split(r->f->arena, dir, &folder);
    bool below =
        str_eq(folder, STR("onnx")) && has_file(r, above, "config.json");

    r->onnx = path;
    r->root = r->body = below ? above : dir;
    *name = str_sub(file, 0, file.n - strlen(".onnx"));
    if (str_eq(*name, STR("model"))) {
        *name = folder;
        if (below)
            (void)split(r->f->arena, above, name);
    }
}

static rc take_name(struct reading *r, str given, str found, struct err *e)
{
    str name = given.n > 0 ? given : found;

    if (!model_name_valid(name))
        return err_set(e, RC_INVALID,
                       "\"%.*s\" is no name for a model: 1 to %d letters, "
                       "digits, '.', '_' and '-' (--name gives another)",
                       (int)str_sub(name, 0, 60).n, name.p,
                       MODEL_NAME_BYTES_MAX);
    r->f->bert.name = arena_str(r->f->arena, name);
    r->family = family_find(found);
    if (r->family == NULL)
        r->family = family_find(name);
    return RC_OK;
}

static rc locate(struct reading *r, const struct folder_opts *o, struct err *e)
{
    str name, text = STR_NONE;
    rc code = RC_OK;

    if (!file_exists(o->path))
        return err_set(e, RC_NOTFOUND, "there is no %.200s", o->path);
    if (str_ends(str_of(o->path), STR(".onnx"))) {
        locate_onnx(r, o->path, &name);
    } else {
        (void)split(r->f->arena, o->path, &name);
        r->root = r->body = o->path;
    }
    code = take_name(r, o->name, name, e);
    if (code == RC_OK)
        code = read_optional(r, r->root, "modules.json", CONFIG_BYTES_MAX,
                             &text, e);
    if (code == RC_OK && text.p != NULL)
        code = modules_read(text, r->f->arena, &r->modules, e);
    if (code != RC_OK)
        return code;
    if (r->modules.transformer.n > 0)
        r->body = join(r, r->root, r->modules.transformer.p);
    if (r->onnx == NULL)
        r->onnx = onnx_of_folder(r);
    return RC_OK;
}

/* ---- weights ---- */

static rc map_safetensors(struct reading *r, const char *dir, const char *shown,
                          struct file_map *map, struct tensors *ts,
                          struct err *e)
{
    rc code = file_map(join(r, dir, "model.safetensors"), map, e);

    if (code == RC_NOTFOUND && has_file(r, dir, "pytorch_model.bin"))
        return err_set(e, RC_UNSUPPORTED,
                       "%s is missing, and pytorch_model.bin, which can hold "
                       "programs, is not read",
                       shown);
    if (code == RC_NOTFOUND && has_file(r, dir, "model.safetensors.index.json"))
        return err_set(e, RC_UNSUPPORTED,
                       "weights in several files are not supported");
    if (code == RC_NOTFOUND)
        return err_set(e, RC_NOTFOUND, "%s is missing", shown);
    if (code == RC_OK &&
        safetensors_read((str){(const char *)map->p, map->n}, ts, e) != RC_OK)
        code = err_wrap(e, "%s", shown);
    return code;
}

static rc shape_of_config(struct reading *r, str config, struct err *e)
{
    return config_read(config, &r->f->bert.shape, &r->names, e);
}

/* Rows and columns of a tensor by the name of its last part. */
static rc dims_of(const struct reading *r, const char *name, uint32_t max,
                  uint32_t *rows, uint32_t *cols, struct err *e)
{
    struct arena *tmp = arena_open();
    str full = arena_fmt(tmp, STR_FMT "%s", STR_ARG(r->prefix), name);
    const struct tensor *t = tensors_find(&r->ts, full);
    rc code = RC_OK;

    if (t == NULL || t->dims_n == 0 || t->dims_n > 2)
        code = err_set(e, RC_FORMAT, "tensor %s is missing", name);
    else if (t->dims[0] > max ||
             (t->dims_n == 2 && t->dims[1] > BERT_HIDDEN_MAX))
        code = err_set(e, RC_LIMIT,
                       "tensor %s is [%" PRIu64 ", %" PRIu64 "], at most "
                       "[%" PRIu32 ", %d]",
                       name, t->dims[0], t->dims_n == 2 ? t->dims[1] : 1, max,
                       BERT_HIDDEN_MAX);
    if (code == RC_OK) {
        *rows = (uint32_t)t->dims[0];
        *cols = t->dims_n == 2 ? (uint32_t)t->dims[1] : 0;
    }
    arena_close(tmp);
    return code;
}

/* As many as the tensors' names tell: which of theirs is missing is found when
 * it is taken. */
static uint32_t count_layers(const struct reading *r)
{
    static const str STACKS[] = {STR_INIT("encoder.layer."),
                                 STR_INIT("transformer.layer.")};
    uint32_t layers = 0;

    for (size_t i = 0; i < r->ts.n; i++) {
        str name = r->ts.v[i].name, number, rest;
        uint64_t layer;

        if (!str_starts(name, r->prefix))
            continue;
        name = str_sub(name, r->prefix.n, name.n);
        for (size_t k = 0; k < NELEMS(STACKS); k++)
            if (str_starts(name, STACKS[k]) &&
                str_cut(str_sub(name, STACKS[k].n, name.n), '.', &number,
                        &rest) &&
                str_to_u64(number, BERT_LAYERS_MAX, &layer) && layer >= layers)
                layers = (uint32_t)layer + 1;
    }
    return layers;
}

/* What a config.json would say, out of the ONNX file itself. */
static rc shape_of_onnx(struct reading *r, const struct onnx_facts *facts,
                        struct err *e)
{
    struct bert_shape *s = &r->f->bert.shape;
    uint32_t none;
    rc code = dims_of(r, "embeddings.word_embeddings.weight",
                      WORDPIECE_TOKENS_MAX, &s->vocab, &s->hidden, e);

    if (code == RC_OK)
        code = dims_of(r, "embeddings.position_embeddings.weight",
                       BERT_POSITIONS_MAX, &s->positions, &none, e);
    if (code == RC_OK)
        code = dims_of(r, "embeddings.token_type_embeddings.weight",
                       BERT_TYPES_MAX, &s->types, &none, e);
    if (code == RC_OK)
        code = dims_of(r, "encoder.layer.0.intermediate.dense.bias",
                       BERT_INTERMEDIATE_MAX, &s->intermediate, &none, e);
    if (code != RC_OK)
        return code;
    s->layers = count_layers(r);
    s->heads = facts->heads;
    s->norm_eps = facts->norm_eps;
    s->activation = facts->activation;
    if (facts->heads == 0 || facts->norm_eps <= 0 || !facts->activation_found)
        return err_set(e, RC_UNSUPPORTED,
                       "the graph does not tell the %s: put the model's "
                       "config.json beside it",
                       facts->heads == 0      ? "attention heads"
                       : facts->norm_eps <= 0 ? "layer norm epsilon"
                                              : "activation");
    return RC_OK;
}

static rc open_onnx(struct reading *r, str config, struct err *e)
{
    struct file_map *map = &r->f->weights;
    struct onnx_facts facts;
    uint32_t layers;
    str file;
    rc code = file_map(r->onnx, map, e);

    (void)split(r->f->arena, r->onnx, &file);
    if (code == RC_OK)
        code =
            onnx_read((str){(const char *)map->p, map->n}, &r->ts, &facts, e);
    if (code == RC_OK)
        code = tensors_prefix(&r->ts, &r->prefix, e);
    if (code == RC_OK && config.p == NULL)
        code = shape_of_onnx(r, &facts, e);
    if (code != RC_OK)
        return err_wrap(e, STR_FMT, STR_ARG(file));
    if (config.p == NULL)
        return RC_OK;
    code = shape_of_config(r, config, e);
    layers = count_layers(r);
    if (code == RC_OK && layers > r->f->bert.shape.layers)
        return err_set(e, RC_UNSUPPORTED,
                       STR_FMT " has %" PRIu32
                               " layers, config.json says %" PRIu32,
                       STR_ARG(file), layers, r->f->bert.shape.layers);
    return code;
}

static rc open_weights(struct reading *r, struct err *e)
{
    str config;
    rc code =
        read_optional(r, r->body, "config.json", CONFIG_BYTES_MAX, &config, e);

    if (code != RC_OK)
        return code;
    if (r->onnx != NULL)
        return open_onnx(r, config, e);
    if (config.p == NULL)
        return err_set(e, RC_NOTFOUND, "config.json is missing");
    code = shape_of_config(r, config, e);
    if (code == RC_OK)
        code = map_safetensors(r, r->body, "model.safetensors", &r->f->weights,
                               &r->ts, e);
    if (code == RC_OK && tensors_prefix(&r->ts, &r->prefix, e) != RC_OK)
        code = err_wrap(e, "model.safetensors");
    return code;
}

/* ---- tensors ---- */

/* Layer norms of old checkpoints are called gamma and beta. */
static const struct tensor *find_tensor(struct reading *r, str name)
{
    static const struct {
        str now, then;
    } OLD[] = {{STR_INIT("LayerNorm.weight"), STR_INIT("LayerNorm.gamma")},
               {STR_INIT("LayerNorm.bias"), STR_INIT("LayerNorm.beta")}};
    str full = arena_fmt(r->f->arena, STR_FMT STR_FMT, STR_ARG(r->prefix),
                         STR_ARG(name));
    const struct tensor *t = tensors_find(&r->ts, full);

    for (size_t i = 0; i < NELEMS(OLD) && t == NULL; i++) {
        if (str_ends(full, OLD[i].now))
            t = tensors_find(
                &r->ts,
                arena_fmt(r->f->arena, STR_FMT STR_FMT,
                          STR_ARG(str_sub(full, 0, full.n - OLD[i].now.n)),
                          STR_ARG(OLD[i].then)));
    }
    return t;
}

/* A table that this kind of model doesn't have: zeros. */
static rc take_zeros(struct reading *r, const struct bert_tensor *want,
                     const float **to, struct err *e)
{
    *to = held_take(&r->f->held, want->rows * want->cols * sizeof(float));
    return *to == NULL ? err_set(e, RC_NOMEM, "no memory for the weights")
                       : RC_OK;
}

static rc take_tensor(struct reading *r, const struct bert_tensor *want,
                      struct err *e)
{
    const struct tensor *t;
    const float *v = NULL;
    str stored = STR_NONE;
    rc code;

    if (want->name[0] == '\0') {
        code = take_zeros(r, want, &v, e);
    } else {
        t = find_tensor(r, str_of(want->name));
        if (t == NULL)
            return err_set(e, RC_FORMAT, "tensor %s is missing", want->name);
        code = tensor_floats(t, (struct tensor_want){want->rows, want->cols},
                             &r->f->held, &v, e);
        stored = t->name;
    }
    ARENA_PUSH(r->f->arena, r->stored, r->stored_n, r->stored_cap, stored);
    memcpy((char *)&r->f->bert + want->offset, &v, sizeof v);
    return code;
}

/* A tensor of a layer that the config knows nothing of (one more layer, an
 * adapter) would be left out of what is computed. */
static rc check_layers(struct reading *r, struct err *e)
{
    struct map *known = map_open();
    struct bert_tensor want;
    rc code = RC_OK;

    for (size_t i = 0; bert_tensor_at(&r->f->bert.shape, r->names, i, &want);
         i++)
        (void)map_slot(known, str_of(want.name), NULL);
    for (size_t i = 0; i < r->ts.n && code == RC_OK; i++) {
        str name = r->ts.v[i].name;
        str rest = str_sub(name, r->prefix.n, name.n);

        if (str_starts(name, r->prefix) &&
            (str_starts(rest, STR("encoder.layer.")) ||
             str_starts(rest, STR("transformer.layer."))) &&
            map_find(known, rest) == NULL && !str_ends(rest, STR(".gamma")) &&
            !str_ends(rest, STR(".beta")))
            code = err_set(e, RC_UNSUPPORTED,
                           "tensor " STR_FMT
                           " is none of the model that config.json describes",
                           STR_ARG(name));
    }
    map_close(known);
    return code;
}

static rc take_tensors(struct reading *r, struct err *e)
{
    struct bert_tensor want;
    rc code = r->onnx == NULL ? check_layers(r, e) : RC_OK;

    for (size_t i = 0;
         code == RC_OK && bert_tensor_at(&r->f->bert.shape, r->names, i, &want);
         i++)
        code = take_tensor(r, &want, e);
    return code;
}

/* ---- pooling and dense ---- */

static rc take_pooling(struct reading *r, struct err *e)
{
    enum bert_pooling *to = &r->f->bert.shape.pooling;
    str path = r->modules.pooling.n > 0 ? r->modules.pooling : STR("1_Pooling");
    str file = arena_fmt(r->f->arena, STR_FMT "/config.json", STR_ARG(path));
    str text;
    rc code = read_optional(r, r->root, file.p, CONFIG_BYTES_MAX, &text, e);

    if (code != RC_OK)
        return code;
    if (text.p != NULL)
        return pooling_read(file.p, text, to, e);
    if (r->modules.pooling.n > 0 || r->family == NULL)
        return err_set(e, RC_UNSUPPORTED,
                       STR_FMT " is missing: how tokens become one vector "
                               "(cls or mean) is not said",
                       STR_ARG(file));
    *to = r->family->pooling;
    return RC_OK;
}

static rc dense_tensor(struct reading *r, const struct tensors *ts,
                       const char *name, struct tensor_want want,
                       const float **to, struct err *e)
{
    const struct tensor *t = tensors_find(ts, str_of(name));

    if (t == NULL)
        return err_set(e, RC_FORMAT, "tensor %s is missing", name);
    return tensor_floats(t, want, &r->f->held, to, e);
}

static rc take_dense_tensors(struct reading *r, const struct dense_config *d,
                             const char *dir, const char *shown, struct err *e)
{
    struct bert *b = &r->f->bert;
    struct tensors ts;
    rc code;

    tensors_open(&ts, r->f->arena);
    code = map_safetensors(r, dir, shown, &r->f->dense_weights, &ts, e);
    if (code != RC_OK)
        goto done;
    code =
        dense_tensor(r, &ts, "linear.weight",
                     (struct tensor_want){d->out, d->in}, &b->dense.weight, e);
    if (code == RC_OK && d->bias)
        code = dense_tensor(r, &ts, "linear.bias",
                            (struct tensor_want){d->out, 0}, &b->dense.bias, e);
    if (code != RC_OK)
        (void)err_wrap(e, "%s", shown);
done:
    tensors_close(&ts);
    return code;
}

static rc take_dense(struct reading *r, struct err *e)
{
    struct bert *b = &r->f->bert;
    struct dense_config d;
    str file, text;
    rc code;

    b->shape.dims = b->shape.hidden;
    if (r->modules.dense.n == 0)
        return RC_OK;
    file = arena_fmt(r->f->arena, STR_FMT "/config.json",
                     STR_ARG(r->modules.dense));
    code = read_optional(r, r->root, file.p, CONFIG_BYTES_MAX, &text, e);
    if (code == RC_OK && text.p == NULL)
        return err_set(e, RC_NOTFOUND, STR_FMT " is missing", STR_ARG(file));
    if (code == RC_OK)
        code = dense_read(file.p, text, &d, e);
    if (code != RC_OK)
        return code;
    if (d.in != b->shape.hidden)
        return err_set(e, RC_FORMAT,
                       STR_FMT ": in_features is %" PRIu32
                               ", the hidden size %" PRIu32,
                       STR_ARG(file), d.in, b->shape.hidden);
    b->shape.dims = d.out;
    b->dense_tanh = d.tanh;
    return take_dense_tensors(r, &d, join(r, r->root, r->modules.dense.p),
                              arena_fmt(r->f->arena,
                                        STR_FMT "/model.safetensors",
                                        STR_ARG(r->modules.dense))
                                  .p,
                              e);
}

/* ---- words ---- */

/* The ONNX file's own ("bge-small-en-v1.5-tokenizer.json"), or the folder's. */
static rc find_tokenizer(struct reading *r, str *text, struct err *e)
{
    str stem, file;
    const char *dir;
    rc code = RC_OK;

    *text = STR_NONE;
    if (r->onnx != NULL) {
        dir = split(r->f->arena, r->onnx, &file);
        stem = str_sub(file, 0, file.n - strlen(".onnx"));
        file = arena_fmt(r->f->arena, STR_FMT "-tokenizer.json", STR_ARG(stem));
        code = read_optional(r, dir, file.p, TOKENIZER_BYTES_MAX, text, e);
        if (code == RC_OK && text->p == NULL)
            code = read_optional(r, dir, "tokenizer.json", TOKENIZER_BYTES_MAX,
                                 text, e);
    }
    if (code == RC_OK && text->p == NULL)
        code = read_optional(r, r->body, "tokenizer.json", TOKENIZER_BYTES_MAX,
                             text, e);
    return code;
}

static rc read_tokenizer(struct reading *r, struct err *e)
{
    struct arena *a = r->f->arena;
    str text, config;
    rc code = find_tokenizer(r, &text, e);
    bool json = code == RC_OK && text.p != NULL;

    if (code == RC_OK && !json)
        code = read_optional(r, r->body, "vocab.txt", TOKENIZER_BYTES_MAX,
                             &text, e);
    if (code == RC_OK && text.p == NULL)
        return err_set(e, RC_NOTFOUND,
                       "tokenizer.json and vocab.txt are missing");
    if (code == RC_OK)
        code = json ? tokenizer_read(text, a, &r->tokenizer, e)
                    : tokenizer_read_vocab(text, a, &r->tokenizer, e);
    if (code == RC_OK)
        code = read_optional(r, r->body, "tokenizer_config.json",
                             CONFIG_BYTES_MAX, &config, e);
    if (code == RC_OK && (config.p != NULL || !json))
        code = tokenizer_read_config(config, &r->tokenizer, e);
    return code;
}

/* The vocabulary with a text (perhaps an empty one) for each row of weights. */
static rc take_words(struct reading *r, struct err *e)
{
    const struct tokenizer *t = &r->tokenizer;
    struct bert *b = &r->f->bert;
    str *tokens;

    if (t->tokens_n > b->shape.vocab)
        return err_set(e, RC_FORMAT,
                       "the tokenizer has %zu tokens, the weights %" PRIu32,
                       t->tokens_n, b->shape.vocab);
    tokens = ARENA_ARRAY(r->f->arena, str, b->shape.vocab);
    memcpy(tokens, t->tokens, t->tokens_n * sizeof *tokens);
    b->tokens = tokens;
    b->lowercase = t->lowercase;
    b->strip_accents = t->strip_accents;
    b->ideographs_apart = t->ideographs_apart;
    return RC_OK;
}

static rc take_lengths(struct reading *r, struct err *e)
{
    struct bert *b = &r->f->bert;
    struct sentence_config s = {0};
    uint32_t max = b->shape.positions;
    str text;
    rc code = read_optional(r, r->body, "sentence_bert_config.json",
                            CONFIG_BYTES_MAX, &text, e);

    if (code == RC_OK && text.p != NULL)
        code = sentence_read(text, &s, e);
    if (s.tokens_max == 0)
        s.tokens_max = r->tokenizer.length_max;
    b->shape.tokens_max =
        s.tokens_max != 0 && s.tokens_max < max ? s.tokens_max : max;
    b->lowercase = b->lowercase || s.lowercase;
    return code;
}

static rc take_prefixes(struct reading *r, struct err *e)
{
    struct bert *b = &r->f->bert;
    struct prefixes p = {0};
    str text;
    rc code = read_optional(r, r->root, "config_sentence_transformers.json",
                            CONFIG_BYTES_MAX, &text, e);

    if (code == RC_OK && text.p != NULL)
        code = prefixes_read(text, r->f->arena, &p, e);
    if (p.query.n == 0 && p.passage.n == 0 && r->family != NULL)
        p = (struct prefixes){str_of(r->family->query),
                              str_of(r->family->passage)};
    b->query_prefix = p.query;
    b->passage_prefix = p.passage;
    return code;
}

static rc take_license(struct reading *r, struct err *e)
{
    str text;
    rc code = read_optional(r, r->root, "README.md", CARD_BYTES_MAX, &text, e);

    r->f->bert.license = text.p == NULL
                             ? STR_NONE
                             : arena_str(r->f->arena, license_of_card(text));
    return code == RC_LIMIT ? RC_OK : code;
}

/* ---- the whole ---- */

static rc check_shape(struct reading *r, struct err *e)
{
    return bert_check_shape(&r->f->bert.shape, e);
}

/* The vocabulary has to open too, as it will when the model is run. */
static rc check_all(struct reading *r, struct err *e)
{
    const struct bert *b = &r->f->bert;
    struct vocab_opts o = {.tokens = b->tokens, .tokens_n = b->shape.vocab};
    struct vocab *v = NULL;
    rc code = bert_check(b, r->stored, e);

    if (code == RC_OK)
        code = vocab_open(&o, &v, e);
    vocab_close(v);
    return code;
}

/* Small files first: what they say bounds what is asked of the large ones. */
typedef rc step(struct reading *r, struct err *e);
static step *const STEPS[] = {open_weights, take_pooling, read_tokenizer,
                              take_words,   take_lengths, take_dense,
                              check_shape,  take_tensors, take_prefixes,
                              take_license, check_all};

rc folder_open(const struct folder_opts *o, struct folder **f, struct err *e)
{
    struct folder *made = mem_alloc(sizeof *made);
    struct reading r = {.f = made};
    rc code;

    *f = NULL;
    made->arena = arena_open();
    tensors_open(&r.ts, made->arena);
    code = locate(&r, o, e);
    for (size_t i = 0; i < NELEMS(STEPS) && code == RC_OK; i++)
        code = STEPS[i](&r, e);
    tensors_close(&r.ts);
    if (code != RC_OK) {
        folder_close(made);
        return code;
    }
    *f = made;
    return RC_OK;
}

void folder_close(struct folder *f)
{
    if (f == NULL)
        return;
    held_close(&f->held);
    file_unmap(&f->dense_weights);
    file_unmap(&f->weights);
    arena_close(f->arena);
    mem_free(f);
}

const struct bert *folder_bert(const struct folder *f)
{
    return &f->bert;
}
