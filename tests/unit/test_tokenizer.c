#include "embed/tokenizer_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/wordpiece.h"

#define NORMALIZER                                                    \
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": " \
    "true, \"handle_chinese_chars\": true, \"strip_accents\": null, " \
    "\"lowercase\": true}"
#define PRE "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}"
#define PROCESSOR                                                       \
    "\"post_processor\": {\"type\": \"TemplateProcessing\", "           \
    "\"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": " \
    "0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, "            \
    "{\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}]}"
#define ADDED                                                   \
    "\"added_tokens\": [{\"id\": 0, \"content\": \"[PAD]\", "   \
    "\"special\": true}, {\"id\": 6, \"content\": \"[MASK]\", " \
    "\"special\": true}]"
#define MODEL                                                         \
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", " \
    "\"continuing_subword_prefix\": \"##\", "                         \
    "\"max_input_chars_per_word\": 100, \"vocab\": {\"[UNK]\": 1, "   \
    "\"[CLS]\": 2, \"a\": 4, \"[SEP]\": 3, \"[PAD]\": 0}}"
#define GOOD ADDED ", " NORMALIZER ", " PRE ", " PROCESSOR ", " MODEL

static struct arena *arena;
static struct tokenizer t;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

/* GOOD with its first `from` replaced. */
static rc read_with(const char *from, const char *to)
{
    str good = STR("{" GOOD "}");
    size_t at = str_find(good, str_of(from));

    assert_true(at < good.n);
    e = (struct err){0};
    return tokenizer_read(
        arena_fmt(arena, STR_FMT "%s" STR_FMT, STR_ARG(str_sub(good, 0, at)),
                  to, STR_ARG(str_sub(good, at + strlen(from), good.n))),
        arena, &t, &e);
}

static void tokens_stand_at_their_ids(void **state)
{
    (void)state;
    assert_int_equal(read_with("", ""), RC_OK);
    assert_int_equal(t.tokens_n, 7);
    assert_true(str_eq(t.tokens[4], STR("a")));
    assert_int_equal(t.tokens[5].n, 0); /* an id that nobody has */
    assert_true(str_eq(t.tokens[6], STR("[MASK]")));
    assert_true(t.lowercase && t.strip_accents && t.ideographs_apart);
    assert_int_equal(read_with("\"lowercase\": true", "\"lowercase\": false"),
                     RC_OK);
    assert_false(t.lowercase || t.strip_accents);
    assert_int_equal(
        read_with("\"strip_accents\": null", "\"strip_accents\": false"),
        RC_OK);
    assert_true(t.lowercase && !t.strip_accents);
    assert_int_equal(read_with(PROCESSOR,
                               "\"post_processor\": {\"type\": "
                               "\"BertProcessing\", \"sep\": [\"[SEP]\", 3], "
                               "\"cls\": [\"[CLS]\", 2]}"),
                     RC_OK);
}

static void other_tokenizers_are_refused_by_field(void **state)
{
    static const struct {
        const char *from, *to, *why;
        rc code;
    } ROWS[] = {
        {"\"WordPiece\"", "\"BPE\"",
         "tokenizer.json: model: type is \"BPE\", only \"WordPiece\"",
         RC_UNSUPPORTED},
        {"\"WordPiece\"", "\"Unigram\"", "model: type is \"Unigram\"",
         RC_UNSUPPORTED},
        {"\"BertNormalizer\"", "\"NFKC\"", "normalizer: type is \"NFKC\"",
         RC_UNSUPPORTED},
        {NORMALIZER, "\"normalizer\": null",
         "tokenizer.json: normalizer is missing", RC_UNSUPPORTED},
        {NORMALIZER, "\"normalizer\": 3", "normalizer is not an object",
         RC_FORMAT},
        {"\"clean_text\": true", "\"clean_text\": false",
         "normalizer: clean_text is false", RC_UNSUPPORTED},
        {"\"lowercase\": true", "\"lowercase\": 1",
         "normalizer: lowercase is not true or false", RC_FORMAT},
        {"\"BertPreTokenizer\"", "\"ByteLevel\"",
         "pre_tokenizer: type is \"ByteLevel\"", RC_UNSUPPORTED},
        {"\"TemplateProcessing\"", "\"RobertaProcessing\"",
         "post_processor: type is \"RobertaProcessing\"", RC_UNSUPPORTED},
        {"\"id\": \"[CLS]\"", "\"id\": \"<s>\"",
         "only [CLS] A [SEP] is supported", RC_UNSUPPORTED},
        {"\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<unk>\"",
         "model: unk_token is \"<unk>\"", RC_UNSUPPORTED},
        {"\"##\"", "\"@@\"", "continuing_subword_prefix is \"@@\"",
         RC_UNSUPPORTED},
        {"\"max_input_chars_per_word\": 100",
         "\"max_input_chars_per_word\": 200",
         "max_input_chars_per_word is 200, only 100", RC_UNSUPPORTED},
        {"\"content\": \"[MASK]\", \"special\": true",
         "\"content\": \"[MASK]\", \"special\": false",
         "added_tokens[1] ([MASK]) is not special", RC_UNSUPPORTED},
        {MODEL, "\"model\": {\"type\": \"WordPiece\"}",
         "model.vocab is missing", RC_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        rc code = read_with(ROWS[i].from, ROWS[i].to);

        if (code != ROWS[i].code || strstr(e.text, ROWS[i].why) == NULL)
            print_error("%zu: %s: %s\n", i, rc_name(code), e.text);
        assert_int_equal(code, ROWS[i].code);
        assert_non_null(strstr(e.text, ROWS[i].why));
    }
}

static void bad_vocabularies_are_told(void **state)
{
    static const struct {
        const char *to, *why;
        rc code;
    } ROWS[] = {
        {"\"a\": 3", "id 3 has two tokens", RC_FORMAT},
        {"\"a\": -1", "the id of token a is none", RC_FORMAT},
        {"\"a\": \"4\"", "the id of token a is none", RC_FORMAT},
        {"\"a\": 524288", "id 524288, a vocabulary has at most 524288 tokens",
         RC_LIMIT},
        {"\"a\": 999999", "at most 524288 tokens", RC_LIMIT},
        {"\"a\": 9223372036854775808", "tokenizer.json, at character",
         RC_LIMIT},
        {"\"a\": 4, \"a\": 5", "duplicate", RC_FORMAT},
        {"\"[MASK]\": 5", "token [MASK] is there twice", RC_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        rc code = read_with("\"a\": 4", ROWS[i].to);

        if (code != ROWS[i].code || strstr(e.text, ROWS[i].why) == NULL)
            print_error("%zu: %s: %s\n", i, rc_name(code), e.text);
        assert_int_equal(code, ROWS[i].code);
        assert_non_null(strstr(e.text, ROWS[i].why));
    }
    assert_int_equal(read_with("\"[SEP]\": 3", "\"x\": 3"), RC_FORMAT);
    assert_non_null(strstr(e.text, "the vocabulary lacks [SEP]"));
    assert_int_equal(tokenizer_read(STR("[1"), arena, &t, &e), RC_FORMAT);
}

/* ---- vocab.txt ---- */

static void lines_of_vocab_txt_are_ids(void **state)
{
    str txt = STR("[PAD]\r\n[UNK]\n[CLS]\n[SEP]\n\n##x");

    (void)state;
    assert_int_equal(tokenizer_read_vocab(txt, arena, &t, &e), RC_OK);
    assert_int_equal(t.tokens_n, 6);
    assert_true(str_eq(t.tokens[0], STR("[PAD]")));
    assert_int_equal(t.tokens[4].n, 0);
    assert_true(str_eq(t.tokens[5], STR("##x")));
    assert_int_equal(tokenizer_read_vocab(STR("[PAD]\n"), arena, &t, &e),
                     RC_FORMAT);
    assert_int_equal(
        tokenizer_read_vocab(STR("[PAD]\n[UNK]\n[CLS]\n[SEP]\nx\nx\n"), arena,
                             &t, &e),
        RC_FORMAT);
    assert_non_null(strstr(e.text, "token x is there twice"));
    assert_int_equal(tokenizer_read_vocab(STR("a\xff\n"), arena, &t, &e),
                     RC_FORMAT);
}

static void a_vocabulary_of_a_million_is_refused(void **state)
{
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < 1000000; i++)
        buf_fmt(&b, "t%zu\n", i);
    assert_int_equal(tokenizer_read_vocab(buf_str(&b), arena, &t, &e),
                     RC_LIMIT);
    assert_string_equal(e.text, "vocab.txt: more than 524288 tokens");
    buf_clear(&b);
    for (size_t i = 0; i <= WORDPIECE_TOKEN_BYTES_MAX; i++)
        buf_put_char(&b, 'x');
    assert_int_equal(tokenizer_read_vocab(buf_str(&b), arena, &t, &e),
                     RC_LIMIT);
    buf_close(&b);
}

/* ---- tokenizer_config.json ---- */

static void the_config_of_berts_own_classes_decides(void **state)
{
    (void)state;
    assert_int_equal(tokenizer_read_config(STR_NONE, &t, &e), RC_OK);
    assert_true(t.lowercase && t.strip_accents && t.ideographs_apart);
    assert_int_equal(
        tokenizer_read_config(STR("{\"do_lower_case\": false, "
                                  "\"tokenize_chinese_chars\": false, "
                                  "\"model_max_length\": 512}"),
                              &t, &e),
        RC_OK);
    assert_false(t.lowercase || t.strip_accents || t.ideographs_apart);
    assert_int_equal(t.length_max, 512);
    assert_int_equal(tokenizer_read_config(STR("{\"do_lower_case\": false, "
                                               "\"strip_accents\": true}"),
                                           &t, &e),
                     RC_OK);
    assert_true(t.strip_accents);
    /* Of any other class tokenizer.json alone does. */
    t.lowercase = false;
    assert_int_equal(tokenizer_read_config(STR("{\"tokenizer_class\": "
                                               "\"PreTrainedTokenizerFast\", "
                                               "\"do_lower_case\": true}"),
                                           &t, &e),
                     RC_OK);
    assert_false(t.lowercase);
    assert_int_equal(
        tokenizer_read_config(
            STR("{\"tokenizer_class\": \"RobertaTokenizer\"}"), &t, &e),
        RC_UNSUPPORTED);
    assert_non_null(
        strstr(e.text, "tokenizer_config.json: tokenizer_class is"));
    assert_int_equal(
        tokenizer_read_config(STR("{\"do_basic_tokenize\": false}"), &t, &e),
        RC_UNSUPPORTED);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_stand_at_their_ids),
        TEST(other_tokenizers_are_refused_by_field),
        TEST(bad_vocabularies_are_told),
        TEST(lines_of_vocab_txt_are_ids),
        TEST(a_vocabulary_of_a_million_is_refused),
        TEST(the_config_of_berts_own_classes_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
