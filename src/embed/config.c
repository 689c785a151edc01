#include "embed/config_priv.h"

#include "embed/settings_priv.h"
#include "text/wordpiece.h"

static const struct js_limits LIMITS = {0};

/* ---- config.json ---- */

/* Fields by what they are called in each kind of model. */
struct names {
    const char *type, *hidden, *layers, *heads, *intermediate, *activation;
};
static const struct names NAMES[] = {
    [NAMES_BERT] = {"bert", "hidden_size", "num_hidden_layers",
                    "num_attention_heads", "intermediate_size", "hidden_act"},
    [NAMES_DISTILBERT] = {"distilbert", "dim", "n_layers", "n_heads",
                          "hidden_dim", "activation"}};

static const struct {
    const char *name;
    enum bert_activation activation;
} ACTIVATIONS[] = {{"gelu", BERT_GELU},
                   {"gelu_new", BERT_GELU_TANH},
                   {"gelu_pytorch_tanh", BERT_GELU_TANH},
                   {"relu", BERT_RELU}};

static rc take_activation(const struct settings *s, const char *key,
                          enum bert_activation *to, struct err *e)
{
    str name = STR_NONE;
    rc code = settings_text(s, key, &name, e);

    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < NELEMS(ACTIVATIONS); i++) {
        if (str_eq(name, str_of(ACTIVATIONS[i].name))) {
            *to = ACTIVATIONS[i].activation;
            return RC_OK;
        }
    }
    return settings_refuse(
        s, key, "only gelu, gelu_new, gelu_pytorch_tanh and relu are supported",
        e);
}

static rc take_type(const struct settings *s, enum bert_names *names,
                    struct err *e)
{
    str type = STR_NONE;
    rc code = settings_text(s, "model_type", &type, e);

    for (size_t i = 0; i < NELEMS(NAMES) && code == RC_OK; i++) {
        if (str_eq(type, str_of(NAMES[i].type))) {
            *names = (enum bert_names)i;
            return RC_OK;
        }
    }
    return code != RC_OK
               ? code
               : settings_refuse(s, "model_type",
                                 "only bert and distilbert are supported", e);
}

static rc check_kind(const struct settings *s, struct err *e)
{
    rc code = settings_must_be(s, "position_embedding_type", "absolute", e);

    if (code == RC_OK)
        code = settings_must_be_flag(s, "is_decoder", false, e);
    if (code == RC_OK)
        code = settings_must_be_absent(s, "quantization_config", e);
    /* Code of the folder's own, which changes what the weights mean. */
    if (code == RC_OK)
        code = settings_must_be_absent(s, "auto_map", e);
    return code;
}

static rc take_sizes(const struct settings *s, enum bert_names names,
                     struct bert_shape *to, struct err *e)
{
    const struct {
        const char *key;
        uint32_t *to, max;
    } sizes[] = {
        {"vocab_size", &to->vocab, WORDPIECE_TOKENS_MAX},
        {NAMES[names].hidden, &to->hidden, BERT_HIDDEN_MAX},
        {NAMES[names].layers, &to->layers, BERT_LAYERS_MAX},
        {NAMES[names].heads, &to->heads, BERT_HIDDEN_MAX},
        {NAMES[names].intermediate, &to->intermediate, BERT_INTERMEDIATE_MAX},
        {"max_position_embeddings", &to->positions, BERT_POSITIONS_MAX},
    };
    rc code = RC_OK;

    for (size_t i = 0; i < NELEMS(sizes) && code == RC_OK; i++)
        code = settings_count(s, sizes[i].key, sizes[i].max, sizes[i].to, e);
    to->types = names == NAMES_BERT ? 2 : 1;
    if (code == RC_OK && names == NAMES_BERT &&
        settings_has(s, "type_vocab_size"))
        code =
            settings_count(s, "type_vocab_size", BERT_TYPES_MAX, &to->types, e);
    return code;
}

static rc take_config(const struct settings *s, struct bert_shape *to,
                      enum bert_names *names, struct err *e)
{
    double eps = 0;
    rc code = take_type(s, names, e);

    if (code == RC_OK)
        code = check_kind(s, e);
    if (code == RC_OK)
        code = take_sizes(s, *names, to, e);
    if (code == RC_OK)
        code = take_activation(s, NAMES[*names].activation, &to->activation, e);
    if (code == RC_OK)
        code = settings_real(s, "layer_norm_eps", 1e-12, &eps, e);
    to->norm_eps = (float)eps;
    return code;
}

rc config_read(str json, struct bert_shape *s, enum bert_names *names,
               struct err *e)
{
    struct settings settings;
    rc code = settings_open("config.json", json, LIMITS, &settings, e);

    if (code == RC_OK)
        code = take_config(&settings, s, names, e);
    settings_close(&settings);
    return code;
}

/* ---- modules.json ---- */

/* A folder below this one. */
static bool is_inside(str path)
{
    str part, rest = path;
    bool more = true;

    while (more) {
        more = str_cut(rest, '/', &part, &rest);
        if (part.n == 0 || str_eq(part, STR("..")) || str_eq(part, STR(".")))
            return false;
    }
    return path.n <= 200 && str_find_char(path, '\0') == path.n;
}

enum module { MODULE_TRANSFORMER, MODULE_POOLING, MODULE_DENSE, MODULE_NORM };

/* The last word of "sentence_transformers.models.Pooling". */
static bool module_of(str type, enum module *is)
{
    static const char *const WORDS[] = {[MODULE_TRANSFORMER] = "Transformer",
                                        [MODULE_POOLING] = "Pooling",
                                        [MODULE_DENSE] = "Dense",
                                        [MODULE_NORM] = "Normalize"};
    size_t from = type.n;

    while (from > 0 && type.p[from - 1] != '.')
        from--;
    for (size_t i = 0; i < NELEMS(WORDS); i++) {
        if (str_eq(str_sub(type, from, type.n), str_of(WORDS[i]))) {
            *is = (enum module)i;
            return true;
        }
    }
    return false;
}

/* One of each at most, in the order of the enum. */
static rc take_module(const struct settings *s, struct arena *out, int *last,
                      struct modules *m, struct err *e)
{
    str type = STR_NONE, path = STR_NONE;
    enum module is;
    rc code = settings_text(s, "type", &type, e);

    if (code == RC_OK)
        code = settings_text(s, "path", &path, e);
    if (code != RC_OK)
        return code;
    if (!module_of(type, &is))
        return settings_refuse(s, "type", "not supported", e);
    if ((int)is <= *last)
        return settings_refuse(s, "type", "not supported at this place", e);
    if ((path.n > 0 || is == MODULE_POOLING || is == MODULE_DENSE) &&
        !is_inside(path))
        return settings_refuse(s, "path", "no folder below this one", e);
    *last = (int)is;
    path = arena_str(out, path);
    if (is == MODULE_TRANSFORMER)
        m->transformer = path;
    else if (is == MODULE_POOLING)
        m->pooling = path;
    else if (is == MODULE_DENSE)
        m->dense = path;
    return RC_OK;
}

rc modules_read(str json, struct arena *out, struct modules *m, struct err *e)
{
    struct settings list;
    int last = -1;
    rc code = settings_open("modules.json", json, LIMITS, &list, e);

    *m = (struct modules){0};
    for (size_t i = 0; code == RC_OK && i < json_array_size(list.v); i++) {
        str file = arena_fmt(out, "modules.json[%zu]", i);
        struct settings s = {.file = file.p, .v = json_array_get(list.v, i)};

        code = take_module(&s, out, &last, m, e);
    }
    if (code == RC_OK && m->pooling.n == 0)
        code = err_set(e, RC_UNSUPPORTED, "modules.json names no Pooling");
    settings_close(&list);
    return code;
}

/* ---- pooling and dense ---- */

static rc take_pooling(const struct settings *s, enum bert_pooling *pooling,
                       struct err *e)
{
    static const char *const OTHERS[] = {
        "pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    bool cls = false, mean = false;
    rc code = settings_must_be_flag(s, "include_prompt", true, e);

    for (size_t i = 0; i < NELEMS(OTHERS) && code == RC_OK; i++)
        code = settings_must_be_flag(s, OTHERS[i], false, e);
    if (code == RC_OK)
        code = settings_flag(s, "pooling_mode_cls_token", false, &cls, e);
    if (code == RC_OK)
        code = settings_flag(s, "pooling_mode_mean_tokens", false, &mean, e);
    /* Later versions write one word. */
    if (code == RC_OK && settings_has(s, "pooling_mode")) {
        cls = str_eq(js_str(s->v, "pooling_mode"), STR("cls"));
        mean = str_eq(js_str(s->v, "pooling_mode"), STR("mean"));
        if (!cls && !mean)
            return settings_refuse(s, "pooling_mode",
                                   "only cls and mean are supported", e);
    }
    if (code == RC_OK && cls == mean)
        code =
            settings_refuse(s, "pooling_mode_mean_tokens",
                            "either it or pooling_mode_cls_token is wanted", e);
    *pooling = cls ? POOL_CLS : POOL_MEAN;
    return code;
}

rc pooling_read(const char *file, str json, enum bert_pooling *pooling,
                struct err *e)
{
    struct settings s;
    rc code = settings_open(file, json, LIMITS, &s, e);

    if (code == RC_OK)
        code = take_pooling(&s, pooling, e);
    settings_close(&s);
    return code;
}

static rc take_dense(const struct settings *s, struct dense_config *d,
                     struct err *e)
{
    str activation = STR_NONE;
    rc code = settings_count(s, "in_features", BERT_HIDDEN_MAX, &d->in, e);

    if (code == RC_OK)
        code = settings_count(s, "out_features", BERT_DIMS_MAX, &d->out, e);
    if (code == RC_OK)
        code = settings_flag(s, "bias", true, &d->bias, e);
    if (code == RC_OK)
        code = settings_text(s, "activation_function", &activation, e);
    if (code != RC_OK)
        return code;
    d->tanh = activation.n == 0 || str_ends(activation, STR(".Tanh"));
    if (!d->tanh && !str_ends(activation, STR(".Identity")))
        code = settings_refuse(s, "activation_function",
                               "only Identity and Tanh are supported", e);
    return code;
}

rc dense_read(const char *file, str json, struct dense_config *d, struct err *e)
{
    struct settings s;
    rc code = settings_open(file, json, LIMITS, &s, e);

    *d = (struct dense_config){0};
    if (code == RC_OK)
        code = take_dense(&s, d, e);
    settings_close(&s);
    return code;
}

/* ---- lengths and prefixes ---- */

rc sentence_read(str json, struct sentence_config *to, struct err *e)
{
    struct settings s;
    rc code = settings_open("sentence_bert_config.json", json, LIMITS, &s, e);

    *to = (struct sentence_config){0};
    if (code == RC_OK && settings_has(&s, "max_seq_length"))
        code = settings_count(&s, "max_seq_length", UINT32_MAX, &to->tokens_max,
                              e);
    if (code == RC_OK)
        code = settings_flag(&s, "do_lower_case", false, &to->lowercase, e);
    settings_close(&s);
    return code;
}

static rc take_prefixes(const struct settings *s, struct arena *out,
                        struct prefixes *p, struct err *e)
{
    static const char *const PASSAGES[] = {"document", "passage", "corpus"};
    struct settings prompts = {.file = s->file};
    str usual = STR_NONE;
    rc code = settings_object(s, "prompts", &prompts.v, e);

    if (code == RC_OK)
        code = settings_text(&prompts, "query", &p->query, e);
    for (size_t i = 0;
         i < NELEMS(PASSAGES) && code == RC_OK && p->passage.n == 0; i++)
        code = settings_text(&prompts, PASSAGES[i], &p->passage, e);
    if (code == RC_OK)
        code = settings_text(s, "default_prompt_name", &usual, e);
    if (code == RC_OK && usual.n > 0 && p->passage.n == 0)
        p->passage = js_str(prompts.v, arena_cstr(out, usual));
    p->query = arena_str(out, p->query);
    p->passage = arena_str(out, p->passage);
    return code;
}

rc prefixes_read(str json, struct arena *out, struct prefixes *p, struct err *e)
{
    struct settings s;
    rc code =
        settings_open("config_sentence_transformers.json", json, LIMITS, &s, e);

    *p = (struct prefixes){0};
    if (code == RC_OK)
        code = take_prefixes(&s, out, p, e);
    settings_close(&s);
    return code;
}

/* A card is any text; what is shown and sent on is a word or two. */
static bool is_plain(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    }
    return s.n <= 64;
}

str license_of_card(str readme)
{
    str line, rest;

    (void)str_cut(readme, '\n', &line, &rest);
    if (!str_eq(str_trim(line), STR("---")))
        return STR_NONE;
    while (rest.n > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (str_eq(str_trim(line), STR("---")))
            break;
        if (str_starts(line, STR("license:"))) {
            line = str_trim(str_sub(line, strlen("license:"), line.n));
            if (line.n >= 2 && (line.p[0] == '"' || line.p[0] == '\''))
                line = str_sub(line, 1, line.n - 2);
            return is_plain(line) ? line : STR_NONE;
        }
    }
    return STR_NONE;
}

/* ---- well-known names ---- */

#define RETRIEVE "Represent this sentence for searching relevant passages: "

static const struct family FAMILIES[] = {
    {"bge-small-zh", POOL_CLS, "为这个句子生成表示以用于检索相关文章：", ""},
    {"bge-base-zh", POOL_CLS, "为这个句子生成表示以用于检索相关文章：", ""},
    {"bge-large-zh", POOL_CLS, "为这个句子生成表示以用于检索相关文章：", ""},
    {"bge-", POOL_CLS, RETRIEVE, ""},
    {"snowflake-arctic-embed-", POOL_CLS, RETRIEVE, ""},
    {"mdbr-leaf-ir", POOL_MEAN, RETRIEVE, ""},
    {"e5-", POOL_MEAN, "query: ", "passage: "},
    {"gte-", POOL_MEAN, "", ""},
    {"all-minilm-", POOL_MEAN, "", ""},
    {"paraphrase-minilm-", POOL_MEAN, "", ""},
    {"multi-qa-minilm-", POOL_MEAN, "", ""},
};

static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

const struct family *family_find(str name)
{
    for (size_t i = 0; i < NELEMS(FAMILIES); i++) {
        str part = str_of(FAMILIES[i].part);

        for (size_t at = 0; at + part.n <= name.n; at++) {
            if ((at == 0 || !is_word_char(name.p[at - 1])) &&
                str_eq_nocase(str_sub(name, at, part.n), part))
                return &FAMILIES[i];
        }
    }
    return NULL;
}
