#include "embed/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "model_fix.h"
#include "scratch.h"

static struct folder *f;
static struct err e;
static char dir[300]; /* a fresh folder for each test */

static int set_up(void **state)
{
    static unsigned number;
    char name[32];

    (void)snprintf(name, sizeof name, "model-%u", number++);
    (void)snprintf(dir, sizeof dir, "%s", scratch_path(state, name));
    model_folder(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_close(f);
    f = NULL;
    return 0;
}

static rc open_as(const char *path, const char *name)
{
    e = (struct err){0};
    folder_close(f);
    return folder_open(&(struct folder_opts){path, str_of(name)}, &f, &e);
}

static void assert_refused(rc code, const char *text)
{
    rc got = open_as(dir, NULL);

    if (got != code || strstr(e.text, text) == NULL)
        print_error("%s: %s\n", rc_name(got), e.text);
    assert_int_equal(got, code);
    assert_non_null(strstr(e.text, text));
    assert_null(f);
}

/* With one file different. */
static void assert_file_refused(const char *file, const char *text, rc code,
                                const char *why)
{
    model_write(dir, file, str_of(text));
    assert_refused(code, why);
}

static const struct bert *opened(void)
{
    rc code = open_as(dir, NULL);

    if (code != RC_OK)
        print_error("%s: %s\n", rc_name(code), e.text);
    assert_int_equal(code, RC_OK);
    return folder_bert(f);
}

/* All weights are those of model_number. */
static void assert_numbers(const struct bert *b, enum bert_names names)
{
    struct bert_tensor t;

    for (size_t i = 0; bert_tensor_at(&b->shape, names, i, &t); i++) {
        const float *v;

        memcpy(&v, (const char *)b + t.offset, sizeof v);
        for (size_t k = 0; k < t.rows * (t.cols == 0 ? 1 : t.cols); k++) {
            float want = t.name[0] == '\0' ? 0 : model_number(t.name, k);

            if (v[k] != want)
                print_error("%s, number %zu\n", t.name, k);
            assert_true(v[k] == want);
        }
    }
}

/* ---- what is read ---- */

static void a_folder_is_read(void **state)
{
    const struct bert *b = opened();

    (void)state;
    assert_int_equal(b->shape.vocab, 10);
    assert_int_equal(b->shape.tokens_max, 16);
    assert_int_equal(b->shape.dims, 8);
    assert_int_equal(b->shape.pooling, POOL_MEAN);
    assert_int_equal(b->shape.activation, BERT_GELU);
    assert_true(b->lowercase && b->strip_accents && b->ideographs_apart);
    assert_true(str_eq(b->tokens[6], STR("##c")));
    assert_true(str_starts(b->name, STR("model-")));
    assert_int_equal(b->query_prefix.n, 0);
    assert_null(b->dense.weight);
    assert_numbers(b, NAMES_BERT);
}

static void halves_and_prefixes_and_old_names_are_read(void **state)
{
    static const struct model_weights WAYS[] = {
        {.kind = "F16"},
        {.kind = "BF16"},
        {.prefix = "bert."},
        {.prefix = "0.auto_model."},
        {.old_norms = true},
        {.header_shift = 1}, /* floats that aren't aligned */
        {.added = "pooler.dense.bias"}};

    (void)state;
    for (size_t i = 0; i < NELEMS(WAYS); i++) {
        model_write_weights(dir, "model.safetensors", &WAYS[i]);
        assert_numbers(opened(), NAMES_BERT);
    }
}

static void distilbert_has_other_names_and_no_types(void **state)
{
    static const struct model_weights W = {.distilbert = true};
    const struct bert *b;

    (void)state;
    model_write(dir, "config.json", STR(MODEL_DISTILBERT("2")));
    model_write_weights(dir, "model.safetensors", &W);
    b = opened();
    assert_int_equal(b->shape.types, 1);
    assert_numbers(b, NAMES_DISTILBERT);
}

static void a_dense_layer_gives_the_dimensions(void **state)
{
    struct buf b = {0};
    const struct bert *bert;

    (void)state;
    model_write(
        dir, "modules.json",
        STR("[{\"path\": \"\", \"type\": \"a.Transformer\"},"
            " {\"path\": \"1_Pooling\", \"type\": \"a.Pooling\"},"
            " {\"path\": \"2_Dense\", \"type\": \"a.Dense\"},"
            " {\"path\": \"3_Normalize\", \"type\": \"a.Normalize\"}]"));
    model_write(dir, "2_Dense/config.json",
                STR("{\"in_features\": 8, \"out_features\": 3, \"bias\": true,"
                    " \"activation_function\": \"torch.nn.Identity\"}"));
    buf_put_u64(&b, 160);
    buf_fmt(&b, "%-160s",
            "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[3,8],"
            "\"data_offsets\":[0,96]},\"linear.bias\":{\"dtype\":\"F32\","
            "\"shape\":[3],\"data_offsets\":[96,108]}}");
    for (size_t i = 0; i < 27; i++)
        model_put_number(&b, STR("F32"), (float)i);
    assert_int_equal(b.n, 8 + 160 + 108);
    model_write(dir, "2_Dense/model.safetensors", buf_str(&b));
    bert = opened();
    assert_int_equal(bert->shape.dims, 3);
    assert_true(bert->dense.weight[23] == 23.0f);
    assert_true(bert->dense.bias[2] == 26.0f);
    assert_false(bert->dense_tanh);

    assert_file_refused("2_Dense/config.json",
                        "{\"in_features\": 8, \"out_features\": 3,"
                        " \"activation_function\": \"torch.nn.ReLU\"}",
                        RC_UNSUPPORTED,
                        "2_Dense/config.json: activation_function is ");
    assert_file_refused("2_Dense/config.json",
                        "{\"in_features\": 9, \"out_features\": 3}", RC_FORMAT,
                        "in_features is 9, the hidden size 8");
    assert_file_refused("2_Dense/config.json",
                        "{\"in_features\": 8, \"out_features\": 4}", RC_FORMAT,
                        "tensor linear.weight is [3, 8], not [4, 8]");
    model_write(dir, "2_Dense/config.json",
                STR("{\"in_features\": 8, \"out_features\": 3}"));
    b.p[8 + 160 + 3] = 0x7f; /* infinite */
    b.p[8 + 160 + 2] = (char)0x80;
    model_write(dir, "2_Dense/model.safetensors", buf_str(&b));
    buf_close(&b);
    assert_refused(RC_FORMAT, "tensor linear.weight: number 1 of 24");
}

static void lengths_come_from_the_folder(void **state)
{
    (void)state;
    model_write(dir, "tokenizer_config.json",
                STR("{\"model_max_length\": 12}"));
    assert_int_equal(opened()->shape.tokens_max, 12);
    model_write(dir, "sentence_bert_config.json",
                STR("{\"max_seq_length\": 9, \"do_lower_case\": false}"));
    assert_int_equal(opened()->shape.tokens_max, 9);
    model_write(dir, "sentence_bert_config.json",
                STR("{\"max_seq_length\": 5000}"));
    assert_int_equal(opened()->shape.tokens_max, 16);
    /* What no 64 bits hold stands for no bound. */
    model_write(dir, "tokenizer_config.json",
                STR("{\"model_max_length\": 1000000000000000019884624838656}"));
    model_write(dir, "sentence_bert_config.json",
                STR("{\"max_seq_length\": null}"));
    assert_int_equal(opened()->shape.tokens_max, 16);
    assert_file_refused("sentence_bert_config.json", "{\"max_seq_length\": 2}",
                        RC_LIMIT, "tokens of a text: 2 is not from 3 to 16");
}

static void prefixes_come_from_the_folder_or_the_name(void **state)
{
    const struct bert *b;

    (void)state;
    assert_int_equal(open_as(dir, "my-e5-small-v2"), RC_OK);
    b = folder_bert(f);
    assert_true(str_eq(b->query_prefix, STR("query: ")));
    assert_true(str_eq(b->passage_prefix, STR("passage: ")));
    assert_int_equal(open_as(dir, "BGE-small-en-v1.5"), RC_OK);
    assert_true(str_starts(folder_bert(f)->query_prefix,
                           STR("Represent this sentence")));
    assert_int_equal(open_as(dir, "rouge-bge"), RC_OK);
    assert_int_equal(folder_bert(f)->query_prefix.n, 0);
    /* Empty ones say nothing: they are written for any model. */
    model_write(dir, "config_sentence_transformers.json",
                STR("{\"prompts\": {\"query\": \"\", \"document\": \"\"}}"));
    assert_int_equal(open_as(dir, "e5-small-v2"), RC_OK);
    assert_true(str_eq(folder_bert(f)->query_prefix, STR("query: ")));
    model_write(dir, "config_sentence_transformers.json",
                STR("{\"prompts\": {\"query\": \"ask: \"}}"));
    assert_int_equal(open_as(dir, "e5-small-v2"), RC_OK);
    assert_true(str_eq(folder_bert(f)->query_prefix, STR("ask: ")));
    assert_int_equal(folder_bert(f)->passage_prefix.n, 0);
    model_write(dir, "config_sentence_transformers.json",
                STR("{\"prompts\": {\"query\": \"q \", \"x\": \"doc \"},"
                    " \"default_prompt_name\": \"x\"}"));
    assert_true(str_eq(opened()->passage_prefix, STR("doc ")));
}

static void the_card_tells_the_license(void **state)
{
    static const struct {
        str card, license;
    } CARDS[] = {
        {STR_INIT("---\nlanguage: en\nlicense: apache-2.0\n---\n# x\n"),
         STR_INIT("apache-2.0")},
        {STR_INIT("---\r\nlicense: \"mit\"\r\n---\r\n"), STR_INIT("mit")},
        {STR_INIT("---\nx: y\n---\nlicense: mit\n"), STR_INIT("")},
        {STR_INIT("license: mit\n"), STR_INIT("")},
        {STR_INIT("---\nlicense: m\xff\xc3t\n---\n"), STR_INIT("")},
        {STR_INIT(""), STR_INIT("")}};

    (void)state;
    for (size_t i = 0; i < NELEMS(CARDS); i++) {
        model_write(dir, "README.md", CARDS[i].card);
        assert_true(str_eq(opened()->license, CARDS[i].license));
    }
}

static void the_transformer_may_stand_in_a_folder_of_its_own(void **state)
{
    char from[400], to[400];

    (void)state;
    model_write(dir, "modules.json",
                STR("[{\"path\": \"0_T\", \"type\": \"a.Transformer\"},"
                    " {\"path\": \"1_Pooling\", \"type\": \"a.Pooling\"}]"));
    model_write(dir, "0_T/config.json", STR(MODEL_CONFIG "}"));
    model_write(dir, "0_T/vocab.txt", STR(MODEL_VOCAB));
    (void)snprintf(from, sizeof from, "%s/model.safetensors", dir);
    (void)snprintf(to, sizeof to, "%s/0_T/model.safetensors", dir);
    assert_int_equal(rename(from, to), 0);
    assert_numbers(opened(), NAMES_BERT);
}

/* ---- what is refused: config ---- */

static void other_architectures_are_refused_by_field(void **state)
{
    static const struct {
        const char *more, *why;
    } ROWS[] = {
        {"\"position_embedding_type\": \"relative_key\"",
         "config.json: position_embedding_type is \"relative_key\", only "
         "\"absolute\" is supported"},
        {"\"is_decoder\": true", "config.json: is_decoder is true"},
        {"\"quantization_config\": {\"bits\": 8}",
         "config.json: quantization_config is {\"bits\":8}"},
        {"\"auto_map\": {\"AutoModel\": \"x.Y\"}", "config.json: auto_map is"},
    };
    static const char *const TYPES[] = {"roberta", "mpnet", "nomic_bert",
                                        "xlm-roberta", "modernbert"};
    char text[1000], why[100];

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        (void)snprintf(text, sizeof text, MODEL_CONFIG ", %s}", ROWS[i].more);
        assert_file_refused("config.json", text, RC_UNSUPPORTED, ROWS[i].why);
    }
    for (size_t i = 0; i < NELEMS(TYPES); i++) {
        (void)snprintf(text, sizeof text, "{\"model_type\": \"%s\"}", TYPES[i]);
        (void)snprintf(why, sizeof why, "config.json: model_type is \"%s\"",
                       TYPES[i]);
        assert_file_refused("config.json", text, RC_UNSUPPORTED, why);
    }
    assert_file_refused("config.json", "{}", RC_UNSUPPORTED,
                        "config.json: model_type is missing");
    assert_file_refused("config.json", "{\"model_type\": 3}", RC_FORMAT,
                        "config.json: model_type is not a text");
    assert_file_refused("config.json", "[", RC_FORMAT,
                        "config.json, at character 1");
}

/* MODEL_CONFIG with one field different. */
static void assert_config_refused(const char *from, const char *to, rc code,
                                  const char *why)
{
    char text[1000];
    const char *at = strstr(MODEL_CONFIG, from);

    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s}", (int)(at - MODEL_CONFIG),
                   MODEL_CONFIG, to, at + strlen(from));
    assert_file_refused("config.json", text, code, why);
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    assert_config_refused("\"vocab_size\": 10", "\"vocab_size\": 1000000",
                          RC_LIMIT,
                          "config.json: vocab_size is 1000000, at most 524288");
    assert_config_refused("\"hidden_size\": 8", "\"hidden_size\": 5000",
                          RC_LIMIT,
                          "config.json: hidden_size is 5000, at most 2048");
    assert_config_refused("\"hidden_size\": 8", "\"hidden_size\": 0", RC_LIMIT,
                          "hidden size: 0 is not from 1 to 2048");
    assert_config_refused("\"num_hidden_layers\": 2",
                          "\"num_hidden_layers\": -1", RC_FORMAT,
                          "num_hidden_layers is not a whole number");
    assert_config_refused("\"num_hidden_layers\": 2",
                          "\"num_hidden_layers\": 3", RC_FORMAT,
                          "tensor encoder.layer.2.attention.self.query.weight "
                          "is missing");
    assert_config_refused("\"num_hidden_layers\": 2",
                          "\"num_hidden_layers\": 1", RC_UNSUPPORTED,
                          "tensor encoder.layer.1.");
    assert_config_refused("\"num_attention_heads\": 2",
                          "\"num_attention_heads\": 3", RC_FORMAT,
                          "hidden size 8 is no multiple of the 3 attention");
    assert_config_refused("1e-12", "0", RC_FORMAT, "layer norm epsilon 0");
    assert_config_refused("\"hidden_act\": \"gelu\"",
                          "\"hidden_act\": \"silu\"", RC_UNSUPPORTED,
                          "config.json: hidden_act is \"silu\"");
    assert_config_refused("\"intermediate_size\": 12,", "", RC_FORMAT,
                          "config.json: intermediate_size is missing");
}

static void other_pipelines_are_refused_by_field(void **state)
{
    (void)state;
    assert_file_refused(
        "1_Pooling/config.json",
        "{\"pooling_mode_cls_token\": true, \"pooling_mode_max_tokens\": true}",
        RC_UNSUPPORTED, "1_Pooling/config.json: pooling_mode_max_tokens is tr");
    assert_file_refused("1_Pooling/config.json",
                        "{\"pooling_mode_cls_token\": true, "
                        "\"pooling_mode_mean_tokens\": true}",
                        RC_UNSUPPORTED, "pooling_mode_mean_tokens is true");
    assert_file_refused("1_Pooling/config.json",
                        "{\"pooling_mode\": \"lasttoken\"}", RC_UNSUPPORTED,
                        "pooling_mode is \"lasttoken\"");
    assert_file_refused("modules.json",
                        "[{\"path\": \"\", \"type\": \"a.Transformer\"},"
                        " {\"path\": \"1_LSTM\", \"type\": \"a.LSTM\"}]",
                        RC_UNSUPPORTED, "modules.json[1]: type is \"a.LSTM\"");
    assert_file_refused("modules.json",
                        "[{\"path\": \"x/../../y\", \"type\": \"a.Pooling\"}]",
                        RC_UNSUPPORTED, "modules.json[0]: path is");
    assert_file_refused("modules.json",
                        "[{\"path\": \"/etc\", \"type\": \"a.Pooling\"}]",
                        RC_UNSUPPORTED, "modules.json[0]: path is");
    assert_file_refused("modules.json", "[]", RC_UNSUPPORTED,
                        "modules.json names no Pooling");
    assert_file_refused("modules.json",
                        "[{\"path\": \"1\", \"type\": \"a.Dense\"},"
                        " {\"path\": \"2\", \"type\": \"a.Pooling\"}]",
                        RC_UNSUPPORTED, "modules.json[1]: type is");
}

static void remove_file(const char *name)
{
    char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    remove_file("1_Pooling/config.json");
    assert_refused(RC_UNSUPPORTED, "1_Pooling/config.json is missing");
    remove_file("modules.json");
    assert_refused(RC_UNSUPPORTED, "1_Pooling/config.json is missing");
    assert_int_equal(open_as(dir, "gte-small"), RC_OK); /* known to average */
    remove_file("vocab.txt");
    assert_int_equal(open_as(dir, "gte-small"), RC_NOTFOUND);
    assert_string_equal(e.text, "tokenizer.json and vocab.txt are missing");
    remove_file("model.safetensors");
    assert_refused(RC_NOTFOUND, "model.safetensors is missing");
    model_write(dir, "pytorch_model.bin", STR("x"));
    assert_refused(RC_UNSUPPORTED, "pytorch_model.bin");
    remove_file("config.json");
    assert_refused(RC_NOTFOUND, "config.json is missing");
    assert_int_equal(open_as("/nonexistent/model", NULL), RC_NOTFOUND);
    assert_int_equal(open_as(dir, "a/b"), RC_INVALID);
    assert_int_equal(open_as(dir, ".a"), RC_INVALID);
}

/* ---- what is refused: tensors ---- */

static void assert_weights_refused(struct model_weights w, rc code,
                                   const char *why)
{
    model_write_weights(dir, "model.safetensors", &w);
    assert_refused(code, why);
}

static void wrong_tensors_are_named(void **state)
{
    static const char KEY[] = "encoder.layer.1.attention.self.key.weight",
                      UP[] = "encoder.layer.0.intermediate.dense.weight";

    (void)state;
    assert_weights_refused(
        (struct model_weights){.left_out = KEY}, RC_FORMAT,
        "tensor encoder.layer.1.attention.self.key.weight is missing");
    assert_weights_refused(
        (struct model_weights){.turned = UP}, RC_FORMAT,
        "tensor encoder.layer.0.intermediate.dense.weight is [8, 12], not [12,"
        " 8]");
    assert_weights_refused(
        (struct model_weights){.not_finite = KEY}, RC_FORMAT,
        "tensor encoder.layer.1.attention.self.key.weight: number 33 of 64 is "
        "not finite");
    assert_weights_refused(
        (struct model_weights){.not_finite = KEY, .prefix = "bert."}, RC_FORMAT,
        "tensor bert.encoder.layer.1.attention.self.key.weight: number 33");
    assert_weights_refused(
        (struct model_weights){.not_finite = "embeddings.LayerNorm.weight",
                               .old_norms = true},
        RC_FORMAT, "tensor embeddings.LayerNorm.gamma: number 5 of 8 is not");
    assert_weights_refused(
        (struct model_weights){.bytes_cut = 1}, RC_FORMAT,
        "the file is cut: tensor encoder.layer.1.output.LayerNorm.bias");
    assert_weights_refused(
        (struct model_weights){.added = "encoder.layer.0.lora_A.weight"},
        RC_UNSUPPORTED, "tensor encoder.layer.0.lora_A.weight is none of");
    assert_weights_refused(
        (struct model_weights){.added = "x.embeddings.word_embeddings.weight"},
        RC_UNSUPPORTED, "two models in one");
    assert_weights_refused((struct model_weights){.added = KEY}, RC_FORMAT,
                           "duplicate");
    model_write(dir, "config.json", STR(MODEL_DISTILBERT("2")));
    assert_weights_refused(
        (struct model_weights){.not_finite =
                                   "transformer.layer.1.ffn.lin1.weight",
                               .distilbert = true,
                               .prefix = "distilbert."},
        RC_FORMAT,
        "tensor distilbert.transformer.layer.1.ffn.lin1.weight: number 49 of "
        "96 is not finite");
}

/* ---- ONNX ---- */

static void open_onnx(const struct model_onnx *o)
{
    struct buf b = {0};

    model_onnx(o, &b);
    model_write(dir, "all-MiniLM-x.onnx", buf_str(&b));
    buf_close(&b);
}

static rc onnx_result(const struct model_onnx *o)
{
    char path[400];

    open_onnx(o);
    (void)snprintf(path, sizeof path, "%s/all-MiniLM-x.onnx", dir);
    return open_as(path, NULL);
}

static void onnx_weights_are_found_through_the_graph(void **state)
{
    static const struct model_onnx WAYS[] = {{0},
                                             {.transposed = true},
                                             {.op = "Gemm"},
                                             {.op = "Gemm", .transposed = true},
                                             {.without_names = true},
                                             {.float_data = true},
                                             {.same_biases = true}};

    (void)state;
    for (size_t i = 0; i < NELEMS(WAYS); i++) {
        rc code = onnx_result(&WAYS[i]);

        if (code != RC_OK)
            print_error("%zu: %s\n", i, e.text);
        assert_int_equal(code, RC_OK);
        assert_numbers(folder_bert(f), NAMES_BERT);
        assert_true(str_eq(folder_bert(f)->name, STR("all-MiniLM-x")));
    }
}

static void an_onnx_file_tells_its_shape_alone(void **state)
{
    const struct bert *b;

    (void)state;
    remove_file("config.json");
    assert_int_equal(onnx_result(&(struct model_onnx){0}), RC_OK);
    b = folder_bert(f);
    assert_int_equal(b->shape.layers, 2);
    assert_int_equal(b->shape.heads, 2);
    assert_int_equal(b->shape.intermediate, 12);
    assert_int_equal(b->shape.activation, BERT_GELU);
    assert_true(b->shape.norm_eps == 1e-12f);
    assert_int_equal(onnx_result(&(struct model_onnx){.without_heads = true}),
                     RC_UNSUPPORTED);
    assert_non_null(strstr(e.text, "does not tell the attention heads"));
    assert_int_equal(onnx_result(&(struct model_onnx){
                         .left_out = "encoder.layer.1.output.dense.weight"}),
                     RC_FORMAT);
    assert_non_null(strstr(
        e.text, "tensor encoder.layer.1.output.dense.weight is missing"));
}

static void an_onnx_file_of_more_layers_is_refused(void **state)
{
    (void)state;
    model_write(dir, "config.json",
                STR("{\"model_type\": \"bert\", \"vocab_size\": 10,"
                    " \"hidden_size\": 8, \"num_hidden_layers\": 1,"
                    " \"num_attention_heads\": 2, \"intermediate_size\": 12,"
                    " \"max_position_embeddings\": 16,"
                    " \"type_vocab_size\": 2, \"hidden_act\": \"gelu\","
                    " \"layer_norm_eps\": 1e-12}"));
    assert_int_equal(onnx_result(&(struct model_onnx){0}), RC_UNSUPPORTED);
    assert_non_null(strstr(e.text, "has 2 layers, config.json says 1"));
}

static void distilbert_is_read_from_onnx_and_its_layers_are_counted(
    void **state)
{
    static const struct model_onnx WAYS[] = {
        {.distilbert = true},
        {.distilbert = true, .transposed = true},
        {.distilbert = true, .op = "Gemm"},
        {.distilbert = true, .without_names = true},
        {.distilbert = true, .same_biases = true}};
    static const char *const LAST[] = {
        "transformer.layer.1.ffn.lin2.weight",
        "transformer.layer.1.output_layer_norm.bias"};
    char why[100];

    (void)state;
    model_write(dir, "config.json", STR(MODEL_DISTILBERT("2")));
    for (size_t i = 0; i < NELEMS(WAYS); i++) {
        rc code = onnx_result(&WAYS[i]);

        if (code != RC_OK)
            print_error("%zu: %s\n", i, e.text);
        assert_int_equal(code, RC_OK);
        assert_numbers(folder_bert(f), NAMES_DISTILBERT);
    }
    for (size_t i = 0; i < NELEMS(LAST); i++) {
        assert_int_equal(onnx_result(&(struct model_onnx){.distilbert = true,
                                                          .left_out = LAST[i]}),
                         RC_FORMAT);
        (void)snprintf(why, sizeof why, "tensor %s is missing", LAST[i]);
        assert_non_null(strstr(e.text, why));
    }
    model_write(dir, "config.json", STR(MODEL_DISTILBERT("1")));
    for (size_t i = 0; i < NELEMS(LAST); i++) {
        assert_int_equal(onnx_result(&(struct model_onnx){.distilbert = true,
                                                          .left_out = LAST[i]}),
                         RC_UNSUPPORTED);
        assert_non_null(strstr(e.text, "has 2 layers, config.json says 1"));
    }
    model_write(dir, "config.json", STR(MODEL_DISTILBERT("49")));
    assert_int_equal(onnx_result(&WAYS[0]), RC_LIMIT);
    assert_non_null(strstr(e.text, "config.json: n_layers is 49, at most 48"));
}

static void a_folder_may_have_onnx_weights(void **state)
{
    struct buf b = {0};

    (void)state;
    model_onnx(&(struct model_onnx){0}, &b);
    model_write(dir, "onnx/model.onnx", buf_str(&b));
    buf_close(&b);
    remove_file("model.safetensors");
    assert_numbers(opened(), NAMES_BERT);
}

static void onnx_files_that_do_not_do_are_named(void **state)
{
    static const struct {
        struct model_onnx o;
        rc code;
        const char *why;
    } ROWS[] = {
        {{.external = true},
         RC_UNSUPPORTED,
         "tensor embeddings.word_embeddings.weight lies in another file"},
        {{.extra_op = "MatMulInteger"},
         RC_UNSUPPORTED,
         "the graph has MatMulInteger nodes"},
        {{.left_out = "encoder.layer.1.output.dense.weight"},
         RC_FORMAT,
         "tensor encoder.layer.1.output.dense.weight is missing"},
        {{.left_out = "embeddings.word_embeddings.weight"},
         RC_FORMAT,
         "tensor embeddings.word_embeddings.weight is missing"},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        rc code = onnx_result(&ROWS[i].o);

        if (code != ROWS[i].code || strstr(e.text, ROWS[i].why) == NULL)
            print_error("%zu: %s: %s\n", i, rc_name(code), e.text);
        assert_int_equal(code, ROWS[i].code);
        assert_non_null(strstr(e.text, ROWS[i].why));
    }
}

static void assert_onnx_bytes_refused(str bytes, const char *why)
{
    char path[400];
    rc code;

    model_write(dir, "all-MiniLM-x.onnx", bytes);
    (void)snprintf(path, sizeof path, "%s/all-MiniLM-x.onnx", dir);
    code = open_as(path, NULL);
    if (code != RC_FORMAT || strstr(e.text, why) == NULL)
        print_error("%zu bytes: %s: %s\n", bytes.n, rc_name(code), e.text);
    assert_int_equal(code, RC_FORMAT);
    assert_non_null(strstr(e.text, why));
}

/* A tensor whose bytes are missing is named, else the place told. */
static void a_cut_onnx_file_says_where(void **state)
{
    static const char LAST[] = "encoder.layer.1.output.LayerNorm.bias";
    char why[200];
    size_t at;
    struct buf b = {0};
    str whole;

    (void)state;
    model_onnx(&(struct model_onnx){0}, &b);
    whole = buf_str(&b);
    at = str_find(whole, str_of(LAST));
    assert_int_equal(at + strlen(LAST) + 2 + 8 * sizeof(float), whole.n);
    for (size_t n = at + strlen(LAST); n < whole.n; n++) {
        (void)snprintf(why, sizeof why,
                       "all-MiniLM-x.onnx: the file is cut: tensor %s ends at "
                       "byte %zu of the file, which has %zu",
                       LAST, whole.n, n);
        assert_onnx_bytes_refused(str_sub(whole, 0, n), why);
    }
    (void)snprintf(why, sizeof why,
                   "not an ONNX file, or cut in a tensor at byte %zu", at - 8);
    assert_onnx_bytes_refused(str_sub(whole, 0, at + 5), why);
    /* Version 6, the graph of so many bytes, its first node. */
    assert_onnx_bytes_refused(str_sub(whole, 0, 20), "cut in a node at byte 5");
    assert_onnx_bytes_refused(str_sub(whole, 0, 3),
                              "cut in the model at byte 2");
    assert_onnx_bytes_refused(STR("hello"), "cut in the model at byte 2");
    assert_onnx_bytes_refused(str_sub(whole, 0, 2),
                              "cut in the model at byte 2");
    assert_onnx_bytes_refused(STR(""), "cut in the model at byte 0");
    for (size_t n = 0; n < whole.n; n += 61)
        assert_onnx_bytes_refused(str_sub(whole, 0, n), "cut");
    b.p[whole.n - 33]++; /* how many bytes of numbers it has */
    (void)snprintf(why, sizeof why, "or cut in tensor %s at byte %zu", LAST,
                   whole.n - 34);
    assert_onnx_bytes_refused(buf_str(&b), why);
    buf_close(&b);
}

/* ---- faults ---- */

/* Whichever call fails, it is told, and nothing is left open or held. */
static void any_call_may_fail(void **state)
{
    static const struct model_weights W = {.kind = "F16"};
    char plan[40];
    rc code = RC_IO;
    int k;

    (void)state;
    model_write_weights(dir, "model.safetensors", &W);
    for (k = 1; code != RC_OK; k++) {
        assert_in_range(k, 1, 200);
        (void)snprintf(plan, sizeof plan, "fail@%d:EIO", k);
        io_plan_set(plan);
        code = open_as(dir, NULL);
        io_plan_set(NULL);
        assert_true((code == RC_OK) == (f != NULL));
        assert_true(code == RC_OK || code == RC_IO || code == RC_NOMEM);
    }
    assert_true(k > 50); /* 37 tensors and a dozen files */
}

/* ---- published ones ---- */

/* Numbers as the reference readers (safetensors 0.4.5, onnx 1.17.0) give them,
 * linear weights as [out, in]. */
static void the_default_model_is_read(void **state)
{
    const struct bert *b;

    (void)state;
    if (open_as("build/model/all-MiniLM-L6-v2", NULL) == RC_NOTFOUND) {
        print_message("no build/model/all-MiniLM-L6-v2: scripts/model.sh\n");
        skip();
    }
    assert_non_null(f);
    b = folder_bert(f);
    assert_int_equal(b->shape.vocab, 30522);
    assert_int_equal(b->shape.layers, 6);
    assert_int_equal(b->shape.tokens_max, 256);
    assert_int_equal(b->shape.pooling, POOL_MEAN);
    assert_true(str_eq(b->license, STR("apache-2.0")));
    assert_true(str_eq(b->tokens[2000], STR("to")));
    assert_true(b->layers[5].down.weight[3 * 1536 + 1000] == 0x1.0938acp-6f);
    assert_true(b->words[101 * 384] == -0x1.20ad1cp-6f);
}

static void bge_is_read_from_its_onnx_file(void **state)
{
    const struct bert *b;

    (void)state;
    if (open_as("build/model/bge-small-en-v1.5/bge-small-en-v1.5.onnx", NULL) ==
        RC_NOTFOUND) {
        print_message("no build/model/bge-small-en-v1.5: "
                      "scripts/model.sh bge-small-en-v1.5\n");
        skip();
    }
    assert_non_null(f);
    b = folder_bert(f);
    assert_int_equal(b->shape.layers, 12);
    assert_int_equal(b->shape.heads, 12);
    assert_int_equal(b->shape.tokens_max, 512);
    assert_int_equal(b->shape.pooling, POOL_CLS);
    assert_true(b->shape.norm_eps == 1e-12f);
    assert_true(str_starts(b->query_prefix, STR("Represent this sentence")));
    assert_true(b->layers[0].up.weight[5 * 384 + 7] == -0x1.dcp-5f);
    assert_true(b->layers[11].down.weight[3 * 1536 + 1000] == -0x1.858p-9f);
    assert_true(b->layers[4].key.weight[10 * 384 + 300] == -0x1.5e8p-5f);
    assert_true(b->words[101 * 384] == -0x1.9cp-6f);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_read),
        TEST(halves_and_prefixes_and_old_names_are_read),
        TEST(distilbert_has_other_names_and_no_types),
        TEST(a_dense_layer_gives_the_dimensions),
        TEST(lengths_come_from_the_folder),
        TEST(prefixes_come_from_the_folder_or_the_name),
        TEST(the_card_tells_the_license),
        TEST(the_transformer_may_stand_in_a_folder_of_its_own),
        TEST(other_architectures_are_refused_by_field),
        TEST(sizes_have_bounds),
        TEST(other_pipelines_are_refused_by_field),
        TEST(what_is_missing_is_named),
        TEST(wrong_tensors_are_named),
        TEST(onnx_weights_are_found_through_the_graph),
        TEST(an_onnx_file_tells_its_shape_alone),
        TEST(an_onnx_file_of_more_layers_is_refused),
        TEST(distilbert_is_read_from_onnx_and_its_layers_are_counted),
        TEST(a_folder_may_have_onnx_weights),
        TEST(onnx_files_that_do_not_do_are_named),
        TEST(a_cut_onnx_file_says_where),
        TEST(any_call_may_fail),
        TEST(the_default_model_is_read),
        TEST(bge_is_read_from_its_onnx_file),
    };

    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
