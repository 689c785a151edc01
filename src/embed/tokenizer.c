#include "embed/tokenizer_priv.h"

#include <inttypes.h>

#include "base/map.h"
#include "base/mem.h"
#include "embed/settings_priv.h"
#include "text/utf8.h"
#include "text/wordpiece.h"

#define FILE_NAME "tokenizer.json"
#define WORD_CHARS 100
#define KEYS_OTHERWISE 20000 /* beside the vocabulary's */

static const str SPECIALS[] = {STR_INIT("[UNK]"), STR_INIT("[CLS]"),
                               STR_INIT("[SEP]"), STR_INIT("[PAD]")};

/* ---- tokens by id ---- */

/* Tokens as they come, in any order; an id may be named by both lists. */
struct filling {
    struct arena *out;
    const char *file;
    str *v;
    size_t n; /* one more than the largest id */
    size_t room;
};

static rc take_token(struct filling *f, str token, const json_t *id,
                     struct err *e)
{
    json_int_t at = json_integer_value(id);

    if (!json_is_integer(id) || at < 0)
        return err_set(e, RC_FORMAT, "%s: the id of token %.60s is none",
                       f->file, token.p);
    if ((uint64_t)at >= WORDPIECE_TOKENS_MAX)
        return err_set(e, RC_LIMIT,
                       "%s: id %lld, a vocabulary has at most %" PRIu32
                       " tokens",
                       f->file, (long long)at, WORDPIECE_TOKENS_MAX);
    if (token.n > WORDPIECE_TOKEN_BYTES_MAX)
        return err_set(e, RC_LIMIT, "%s: token %lld has %zu bytes, at most %d",
                       f->file, (long long)at, token.n,
                       WORDPIECE_TOKEN_BYTES_MAX);
    while ((size_t)at >= f->room)
        f->v = arena_grow(f->out, f->v, f->room, &f->room, sizeof *f->v);
    if (f->v[at].n > 0 && !str_eq(f->v[at], token))
        return err_set(e, RC_FORMAT, "%s: id %lld has two tokens", f->file,
                       (long long)at);
    f->v[at] = arena_str(f->out, token);
    if ((size_t)at >= f->n)
        f->n = (size_t)at + 1;
    return RC_OK;
}

/* No token twice, and the special ones among them. */
static rc check_tokens(const char *file, const str *v, size_t n, struct err *e)
{
    struct map *ids = map_open();
    rc code = RC_OK;

    for (size_t i = 0; i < n && code == RC_OK; i++) {
        bool made = true;

        if (v[i].n > 0)
            (void)map_slot(ids, v[i], &made);
        if (!made)
            code = err_set(e, RC_FORMAT, "%s: token %.60s is there twice", file,
                           v[i].p);
    }
    for (size_t i = 0; i < NELEMS(SPECIALS) && code == RC_OK; i++) {
        if (map_find(ids, SPECIALS[i]) == NULL)
            code = err_set(e, RC_FORMAT, "%s: the vocabulary lacks " STR_FMT,
                           file, STR_ARG(SPECIALS[i]));
    }
    map_close(ids);
    return code;
}

/* ---- tokenizer.json ---- */

/* A member of *at that is an object; fields of it are told as "model.type". */
static rc part_of(const struct settings *whole, const char *key,
                  struct settings *part, struct err *e)
{
    rc code = settings_object(whole, key, &part->v, e);

    if (code == RC_OK && part->v == NULL)
        return err_set(e, RC_UNSUPPORTED, "%s: %s is missing", whole->file,
                       key);
    return code;
}

static rc want_type(const struct settings *part, const char *type,
                    struct err *e)
{
    if (!settings_has(part, "type"))
        return err_set(e, RC_FORMAT, "%s: type is missing", part->file);
    return settings_must_be(part, "type", type, e);
}

static rc check_model(const struct settings *model, struct err *e)
{
    uint32_t word_chars = WORD_CHARS;
    rc code = want_type(model, "WordPiece", e);

    if (code == RC_OK)
        code = settings_must_be(model, "unk_token", "[UNK]", e);
    if (code == RC_OK)
        code = settings_must_be(model, "continuing_subword_prefix", "##", e);
    if (code == RC_OK && settings_has(model, "max_input_chars_per_word"))
        code = settings_count(model, "max_input_chars_per_word", UINT32_MAX,
                              &word_chars, e);
    if (code == RC_OK && word_chars != WORD_CHARS)
        code = settings_refuse(model, "max_input_chars_per_word",
                               "only 100 is supported", e);
    return code;
}

static rc take_vocabulary(const struct settings *model, struct filling *f,
                          struct err *e)
{
    const json_t *vocab;
    const char *token;
    json_t *id;
    rc code = settings_object(model, "vocab", &vocab, e);

    if (code == RC_OK && vocab == NULL)
        code = err_set(e, RC_FORMAT, FILE_NAME ": model.vocab is missing");
    if (code != RC_OK)
        return code;
    json_object_foreach(mem_unconst(vocab), token, id)
    {
        if (code == RC_OK)
            code = take_token(f, str_of(token), id, e);
    }
    return code;
}

static rc take_added(const struct settings *whole, struct filling *f,
                     struct err *e)
{
    const json_t *list = json_object_get(whole->v, "added_tokens");
    rc code = RC_OK;

    for (size_t i = 0; i < json_array_size(list) && code == RC_OK; i++) {
        const json_t *one = json_array_get(list, i);
        str token = js_str(one, "content");

        if (token.n == 0)
            return err_set(e, RC_FORMAT,
                           FILE_NAME ": added_tokens[%zu].content is missing",
                           i);
        /* Words of the text that are looked for before WordPiece is. */
        if (!json_is_true(json_object_get(one, "special")))
            return err_set(e, RC_UNSUPPORTED,
                           FILE_NAME ": added_tokens[%zu] (%.60s) is not "
                                     "special, not supported",
                           i, token.p);
        code = take_token(f, token, json_object_get(one, "id"), e);
    }
    return code;
}

static rc take_normalizer(const struct settings *whole, struct tokenizer *t,
                          struct err *e)
{
    struct settings n = {.file = FILE_NAME ": normalizer"};
    rc code = part_of(whole, "normalizer", &n, e);

    if (code == RC_OK)
        code = want_type(&n, "BertNormalizer", e);
    if (code == RC_OK)
        code = settings_must_be_flag(&n, "clean_text", true, e);
    if (code == RC_OK)
        code = settings_flag(&n, "handle_chinese_chars", true,
                             &t->ideographs_apart, e);
    if (code == RC_OK)
        code = settings_flag(&n, "lowercase", true, &t->lowercase, e);
    if (code == RC_OK)
        code = settings_flag(&n, "strip_accents", t->lowercase,
                             &t->strip_accents, e);
    return code;
}

/* [CLS] A [SEP] of TemplateProcessing, each step a member of its kind. */
static bool is_template(const json_t *single)
{
    static const char *const STEPS[][2] = {{"SpecialToken", "[CLS]"},
                                           {"Sequence", "A"},
                                           {"SpecialToken", "[SEP]"}};

    for (size_t i = 0; i < NELEMS(STEPS); i++) {
        const json_t *step =
            json_object_get(json_array_get(single, i), STEPS[i][0]);

        if (!str_eq(js_str(step, "id"), str_of(STEPS[i][1])) ||
            json_integer_value(json_object_get(step, "type_id")) != 0)
            return false;
    }
    return json_array_size(single) == NELEMS(STEPS);
}

static bool is_pair(const json_t *v, const char *token)
{
    const char *is = json_string_value(json_array_get(v, 0));

    return is != NULL && strcmp(is, token) == 0;
}

static rc check_processor(const struct settings *whole, struct err *e)
{
    struct settings p = {.file = FILE_NAME ": post_processor"};
    rc code = part_of(whole, "post_processor", &p, e);
    str type = STR_NONE;

    if (code == RC_OK)
        code = settings_text(&p, "type", &type, e);
    if (code != RC_OK)
        return code;
    if (str_eq(type, STR("TemplateProcessing")))
        return is_template(json_object_get(p.v, "single"))
                   ? RC_OK
                   : settings_refuse(&p, "single",
                                     "only [CLS] A [SEP] is supported", e);
    if (str_eq(type, STR("BertProcessing")))
        return is_pair(json_object_get(p.v, "cls"), "[CLS]") &&
                       is_pair(json_object_get(p.v, "sep"), "[SEP]")
                   ? RC_OK
                   : settings_refuse(&p, "cls",
                                     "only [CLS] and [SEP] are supported", e);
    return settings_refuse(&p, "type", "not supported", e);
}

static rc read_tree(const struct settings *whole, struct filling *f,
                    struct tokenizer *t, struct err *e)
{
    struct settings model = {.file = FILE_NAME ": model"},
                    pre = {.file = FILE_NAME ": pre_tokenizer"};
    rc code = part_of(whole, "model", &model, e);

    if (code == RC_OK)
        code = check_model(&model, e);
    if (code == RC_OK)
        code = take_normalizer(whole, t, e);
    if (code == RC_OK)
        code = part_of(whole, "pre_tokenizer", &pre, e);
    if (code == RC_OK)
        code = want_type(&pre, "BertPreTokenizer", e);
    if (code == RC_OK)
        code = check_processor(whole, e);
    if (code == RC_OK)
        code = take_vocabulary(&model, f, e);
    if (code == RC_OK)
        code = take_added(whole, f, e);
    return code;
}

rc tokenizer_read(str json, struct arena *out, struct tokenizer *t,
                  struct err *e)
{
    static const struct js_limits LIMITS = {.keys_max = WORDPIECE_TOKENS_MAX +
                                                        KEYS_OTHERWISE};
    struct filling f = {.out = out, .file = FILE_NAME};
    struct settings whole;
    rc code = settings_open(FILE_NAME, json, LIMITS, &whole, e);

    *t = (struct tokenizer){0};
    if (code == RC_OK)
        code = read_tree(&whole, &f, t, e);
    settings_close(&whole);
    if (code == RC_OK)
        code = check_tokens(FILE_NAME, f.v, f.n, e);
    t->tokens = f.v;
    t->tokens_n = f.n;
    return code;
}

/* ---- vocab.txt and tokenizer_config.json ---- */

rc tokenizer_read_vocab(str txt, struct arena *out, struct tokenizer *t,
                        struct err *e)
{
    size_t cap = 0;
    str line;

    *t = (struct tokenizer){0};
    if (utf8_valid_prefix(txt) < txt.n)
        return err_set(e, RC_FORMAT, "vocab.txt is not UTF-8");
    while (txt.n > 0) {
        (void)str_cut(txt, '\n', &line, &txt);
        if (str_ends(line, STR("\r")))
            line.n--;
        if (t->tokens_n == WORDPIECE_TOKENS_MAX)
            return err_set(e, RC_LIMIT,
                           "vocab.txt: more than %" PRIu32 " tokens",
                           WORDPIECE_TOKENS_MAX);
        if (line.n > WORDPIECE_TOKEN_BYTES_MAX)
            return err_set(e, RC_LIMIT,
                           "vocab.txt: line %zu has %zu bytes, at most %d",
                           t->tokens_n + 1, line.n, WORDPIECE_TOKEN_BYTES_MAX);
        ARENA_PUSH(out, t->tokens, t->tokens_n, cap, arena_str(out, line));
    }
    return check_tokens("vocab.txt", t->tokens, t->tokens_n, e);
}

/* Is it one of BERT's own tokenizers, which look at the config's flags? */
static bool is_bert_class(str class)
{
    return class.n == 0 || str_eq(class, STR("BertTokenizer")) ||
           str_eq(class, STR("BertTokenizerFast")) ||
           str_eq(class, STR("DistilBertTokenizer")) ||
           str_eq(class, STR("DistilBertTokenizerFast"));
}

static rc take_config(const struct settings *s, struct tokenizer *t,
                      struct err *e)
{
    str class = STR_NONE;
    double length = 0;
    rc code = settings_text(s, "tokenizer_class", &class, e);

    if (code == RC_OK)
        code = settings_real(s, "model_max_length", 0, &length, e);
    /* 1e30 stands for none. */
    t->length_max = length >= 1 && length < 1e6 ? (uint32_t)length : 0;
    if (code == RC_OK)
        code = settings_must_be_flag(s, "do_basic_tokenize", true, e);
    if (code == RC_OK && !is_bert_class(class) &&
        !str_eq(class, STR("PreTrainedTokenizerFast")))
        return settings_refuse(s, "tokenizer_class",
                               "only BERT's are supported", e);
    if (code != RC_OK || !is_bert_class(class))
        return code;
    code = settings_flag(s, "do_lower_case", true, &t->lowercase, e);
    if (code == RC_OK)
        code = settings_flag(s, "tokenize_chinese_chars", true,
                             &t->ideographs_apart, e);
    if (code == RC_OK)
        code = settings_flag(s, "strip_accents", t->lowercase,
                             &t->strip_accents, e);
    return code;
}

rc tokenizer_read_config(str json, struct tokenizer *t, struct err *e)
{
    static const struct js_limits LIMITS = {.integers_as_reals = true};
    struct settings s = {.file = "tokenizer_config.json"};
    rc code = RC_OK;

    if (json.p != NULL)
        code = settings_open(s.file, json, LIMITS, &s, e);
    if (code == RC_OK)
        code = take_config(&s, t, e);
    settings_close(&s);
    return code;
}
