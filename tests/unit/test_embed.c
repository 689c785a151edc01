#include "embed/embed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/seg.h"
#include "bert_fix.h"
#include "embed/embed_priv.h"
#include "embed/folder.h"

#define MINILM "build/model/all-MiniLM-L6-v2"
#define DIMS_MAX 512

static char dir[] = "/tmp/knowd-embed-XXXXXX";
static char path[64], other_path[64];
static struct arena *a;
static struct err e;

static int folder_make(void **state)
{
    (void)state;
    a = arena_open();
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/a.model", dir);
    (void)snprintf(other_path, sizeof other_path, "%s/b.model", dir);
    return 0;
}

static int folder_drop(void **state)
{
    (void)state;
    arena_close(a);
    (void)unlink(path);
    (void)unlink(other_path);
    return rmdir(dir);
}

struct opened {
    struct model *m;
    struct embedder *x;
    uint32_t dims;
};

static struct opened opened(const char *file)
{
    struct opened o = {0};

    e.text[0] = '\0';
    if (model_open(file, &o.m, &e) != RC_OK ||
        embedder_open(o.m, &o.x, &e) != RC_OK)
        fail_msg("%s", e.text);
    o.dims = model_info(o.m)->dims;
    return o;
}

static void closed(struct opened o)
{
    embedder_close(o.x);
    model_close(o.m);
}

static struct opened packed(const struct bert *b)
{
    assert_int_equal(model_pack(b, path, &e), RC_OK);
    return opened(path);
}

static double cosine(const float *x, const float *y, size_t n)
{
    double dot = 0, xx = 0, yy = 0;

    for (size_t i = 0; i < n; i++) {
        dot += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return dot / sqrt(xx * yy);
}

static double length(const float *x, size_t n)
{
    double xx = 0;

    for (size_t i = 0; i < n; i++)
        xx += (double)x[i] * (double)x[i];
    return sqrt(xx);
}

/* ids of a text by hand: begin, those of FIX_TOKENS, end */
static const uint32_t IDS[] = {2, 16, 17, 13, 16, 12, 13, 14, 15, 3};

static double packed_to_reference(const struct bert *b)
{
    const uint32_t lengths[] = {NELEMS(IDS)};
    struct opened o = packed(b);
    float wanted[DIMS_MAX], got[DIMS_MAX];

    assert_int_equal(bert_embed(b, IDS, NELEMS(IDS), wanted, &e), RC_OK);
    assert_int_equal(embed_ids(o.x, IDS, lengths, 1, got, &e), RC_OK);
    assert_true(fabs(length(wanted, o.dims) - 1) < 1e-5);
    assert_true(fabs(length(got, o.dims) - 1) < 1e-5);
    closed(o);
    return cosine(wanted, got, o.dims);
}

static void packed_models_agree_with_the_reference(void **state)
{
    struct rng r = rng_seeded(3);
    struct bert *b = bert_fix(a, 1);

    (void)state;
    assert_true(packed_to_reference(b) > 0.998);
    b->shape.activation = BERT_GELU_TANH;
    assert_true(packed_to_reference(b) > 0.998);
    b->shape.activation = BERT_RELU;
    assert_true(packed_to_reference(b) > 0.998);
    b->shape.pooling = POOL_CLS;
    assert_true(packed_to_reference(b) > 0.998);
    b->dense = fix_linear(a, &r, FIX_HIDDEN, FIX_DIMS);
    b->shape.dims = FIX_DIMS;
    assert_true(packed_to_reference(b) > 0.998);
    b->dense_tanh = true;
    b->dense.bias = NULL;
    assert_true(packed_to_reference(b) > 0.998);
}

static void a_model_says_what_it_is(void **state)
{
    struct bert *b = bert_fix(a, 1);
    struct opened o;
    const struct model_info *i;
    sha256 first;

    (void)state;
    b->query_prefix = STR("query: ");
    o = packed(b);
    i = model_info(o.m);
    assert_true(str_eq(i->name, STR("tiny")));
    assert_true(str_eq(i->license, STR("none")));
    assert_true(str_eq(i->query_prefix, STR("query: ")));
    assert_int_equal(i->passage_prefix.n, 0);
    assert_int_equal(i->dims, FIX_HIDDEN);
    assert_int_equal(i->tokens_max, FIX_TOKENS_MAX);
    assert_int_equal(i->layers, 2);
    first = i->identity;
    closed(o);

    /* Its name makes no other vectors, its weights and prefixes do. */
    b->name = STR("another");
    o = packed(b);
    assert_true(sha256_eq(&model_info(o.m)->identity, &first));
    closed(o);
    b->query_prefix = STR("query:");
    o = packed(b);
    assert_false(sha256_eq(&model_info(o.m)->identity, &first));
    closed(o);
    b = bert_fix(a, 2);
    b->query_prefix = STR("query: ");
    o = packed(b);
    assert_false(sha256_eq(&model_info(o.m)->identity, &first));
    closed(o);
}

static str repeated(const char *word, size_t times)
{
    size_t n = strlen(word);
    char *p = arena_alloc(a, n * times + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(p + i * n, word, n);
    return (str){p, n * times};
}

static void company_does_not_change_a_vector(void **state)
{
    enum { N = 41 };
    struct opened o = packed(bert_fix(a, 1));
    str texts[N];
    float *all = ARENA_ARRAY(a, float, N *o.dims), alone[DIMS_MAX];

    (void)state;
    for (size_t i = 0; i < N; i++)
        texts[i] = repeated(i % 3 == 0 ? "house of cards. " : "a bc ", i % 29);
    assert_int_equal(embed_texts(o.x, EMBED_PASSAGE, texts, N, all, &e), RC_OK);
    for (size_t i = N; i-- > 0;) {
        assert_int_equal(
            embed_texts(o.x, EMBED_PASSAGE, texts + i, 1, alone, &e), RC_OK);
        assert_memory_equal(alone, all + i * o.dims, o.dims * sizeof *alone);
    }
    closed(o);
}

static void odd_texts_have_vectors(void **state)
{
    const str texts[] = {STR(""),
                         STR("a"),
                         STR("\xe2\x98\x83 \xf0\x9f\x98\x80 zzz"),
                         STR("\x01\x02\x03"),
                         STR("\xff\xfe broken"),
                         repeated("cards ", 100000)};
    float out[NELEMS(texts) * DIMS_MAX];
    struct opened o = packed(bert_fix(a, 1));

    (void)state;
    assert_int_equal(
        embed_texts(o.x, EMBED_PASSAGE, texts, NELEMS(texts), out, &e), RC_OK);
    for (size_t i = 0; i < NELEMS(texts); i++)
        assert_true(fabs(length(out + i * o.dims, o.dims) - 1) < 1e-5);
    assert_int_equal(embedder_tokens(o.x, texts[0]), 0);
    assert_int_equal(embedder_tokens(o.x, texts[1]), 1);
    assert_int_equal(embedder_tokens(o.x, texts[5]), 100000);
    assert_int_equal(embed_texts(o.x, EMBED_PASSAGE, NULL, 0, NULL, &e), RC_OK);
    closed(o);
}

static void a_long_text_is_cut_at_the_models_limit(void **state)
{
    const str texts[] = {repeated("cards ", FIX_TOKENS_MAX - 2),
                         repeated("cards ", FIX_TOKENS_MAX + 50)};
    float out[2 * DIMS_MAX];
    struct opened o = packed(bert_fix(a, 1));

    (void)state;
    assert_int_equal(embed_texts(o.x, EMBED_PASSAGE, texts, 2, out, &e), RC_OK);
    assert_memory_equal(out, out + o.dims, o.dims * sizeof *out);
    closed(o);
}

static void a_prefix_stands_before_the_text(void **state)
{
    struct bert *b = bert_fix(a, 1);
    const str text = STR("house"), both = STR("query: house");
    float wanted[DIMS_MAX], got[DIMS_MAX];
    struct opened o;

    (void)state;
    b->query_prefix = STR("query: ");
    o = packed(b);
    assert_int_equal(embed_texts(o.x, EMBED_QUERY, &text, 1, got, &e), RC_OK);
    assert_int_equal(embed_texts(o.x, EMBED_PASSAGE, &both, 1, wanted, &e),
                     RC_OK);
    assert_memory_equal(got, wanted, o.dims * sizeof *got);
    assert_int_equal(embed_texts(o.x, EMBED_PASSAGE, &text, 1, got, &e), RC_OK);
    assert_memory_not_equal(got, wanted, o.dims * sizeof *got);
    closed(o);
}

/* ---- damage ---- */

static rc open_changed(str bytes, size_t at, char to)
{
    struct model *m = NULL;
    char *copy = arena_alloc(a, bytes.n);
    rc code;

    memcpy(copy, bytes.p, bytes.n);
    copy[at] = to;
    assert_int_equal(
        file_write_atomic(other_path, (str){copy, bytes.n}, 0600, &e), RC_OK);
    code = model_open(other_path, &m, &e);
    model_close(m);
    return code;
}

static void damage_in_any_section_is_refused(void **state)
{
    static const char *const SECTIONS[] = {"WORD", "WSCL", "POSN", "FLTS",
                                           "WGHT", "TOKS", "INFO"};
    struct seg *s = NULL;
    str bytes;

    (void)state;
    assert_int_equal(model_pack(bert_fix(a, 1), path, &e), RC_OK);
    assert_int_equal(file_read(path, 1 << 24, a, &bytes, &e), RC_OK);
    assert_int_equal(seg_open_bytes(bytes, false, &s, &e), RC_OK);
    for (size_t i = 0; i < NELEMS(SECTIONS); i++) {
        str in = seg_find(s, SECTIONS[i]);
        size_t at = (size_t)(in.p - bytes.p) + in.n / 2;

        assert_true(in.n > 0);
        assert_int_equal(open_changed(bytes, at, (char)(bytes.p[at] ^ 1)),
                         RC_CORRUPT);
        assert_non_null(strstr(e.text, SECTIONS[i]));
    }
    seg_close(s);
    for (size_t n = 0; n < bytes.n; n += bytes.n / 37) {
        struct model *m = NULL;

        assert_int_equal(
            file_write_atomic(other_path, (str){bytes.p, n}, 0600, &e), RC_OK);
        assert_int_not_equal(model_open(other_path, &m, &e), RC_OK);
        assert_null(m);
    }
}

/* Sections sound in themselves that don't fit each other. */
static void sections_that_do_not_fit_are_refused(void **state)
{
    struct model *m = NULL;
    struct seg *s = NULL;
    str bytes, info, floats;
    char *copy;
    const float none = NAN;

    (void)state;
    assert_int_equal(model_pack(bert_fix(a, 1), path, &e), RC_OK);
    assert_int_equal(file_read(path, 1 << 24, a, &bytes, &e), RC_OK);
    assert_int_equal(seg_open_bytes(bytes, false, &s, &e), RC_OK);
    info = seg_find(s, "INFO");
    floats = seg_find(s, "FLTS");
    for (size_t field = 0; field < 17; field++) {
        const uint32_t bad = 0x7ffffff1;

        copy = arena_alloc(a, bytes.n);
        memcpy(copy, bytes.p, bytes.n);
        memcpy(copy + (info.p - bytes.p) + field * sizeof bad, &bad,
               sizeof bad);
        if (field == 9 || field == 12) /* any epsilon; flags are bits */
            continue;
        assert_int_equal(model_open_bytes((str){copy, bytes.n}, &m, &e),
                         field == 0 ? RC_UNSUPPORTED : RC_CORRUPT);
    }
    copy = arena_alloc(a, bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    memcpy(copy + (floats.p - bytes.p) + 40, &none, sizeof none);
    assert_int_equal(model_open_bytes((str){copy, bytes.n}, &m, &e),
                     RC_CORRUPT);
    seg_close(s);
}

static void a_model_of_an_odd_shape_is_refused_before_a_file_is_made(
    void **state)
{
    struct bert *b = bert_fix(a, 1);

    (void)state;
    (void)unlink(path);
    b->shape.intermediate = FIX_INNER - 4;
    assert_int_equal(model_pack(b, path, &e), RC_UNSUPPORTED);
    b = bert_fix(a, 1);
    b->shape.heads = 8; /* of 8 channels */
    assert_int_equal(model_pack(b, path, &e), RC_UNSUPPORTED);
    assert_false(file_exists(path));
}

static void any_disk_call_may_fail(void **state)
{
    struct bert *b = bert_fix(a, 1);
    rc code = RC_IO;

    (void)state;
    for (int k = 1; code != RC_OK; k++) {
        char plan[64];
        struct model *m = NULL;
        struct embedder *x = NULL;

        assert_true(k < 100);
        (void)unlink(path);
        (void)snprintf(plan, sizeof plan, "fail@%d:EIO", k);
        io_plan_set(plan);
        code = model_pack(b, path, &e);
        if (code == RC_OK)
            code = model_open(path, &m, &e);
        if (code == RC_OK)
            code = embedder_open(m, &x, &e);
        io_plan_set(NULL);
        embedder_close(x);
        model_close(m);
    }
}

/* ---- a published model ---- */

static void minilm_agrees_with_its_reference(void **state)
{
    static const char *const TEXTS[] = {
        "What is a segment?",
        "The boundary layer over a flat plate at zero incidence becomes "
        "turbulent where its Reynolds number passes a critical value.",
        "Ein Satz auf Deutsch \xc3\xbc"
        "ber W\xc3\xa4rme.",
        "price of gold"};
    struct folder *f = NULL;
    struct opened o;
    struct wordpiece *w;
    double sum = 0;

    (void)state;
    if (!file_exists(MINILM "/model.safetensors")) {
        print_message("no model in %s\n", MINILM);
        skip();
    }
    if (folder_open(&(struct folder_opts){.path = MINILM}, &f, &e) != RC_OK)
        fail_msg("%s", e.text);
    o = packed(folder_bert(f));
    w = wordpiece_open(o.m->vocab);
    for (size_t i = 0; i < NELEMS(TEXTS); i++) {
        str text = str_of(TEXTS[i]);
        float wanted[DIMS_MAX], got[DIMS_MAX];
        uint32_t ids[64];
        size_t n = 0;

        ids[n++] = vocab_ids(o.m->vocab).begin;
        n += wordpiece_encode(w, text, ids + n, NELEMS(ids) - 2);
        ids[n++] = vocab_ids(o.m->vocab).end;
        assert_int_equal(bert_embed(folder_bert(f), ids, n, wanted, &e), RC_OK);
        assert_int_equal(embed_texts(o.x, EMBED_QUERY, &text, 1, got, &e),
                         RC_OK);
        sum += cosine(wanted, got, o.dims);
    }
    wordpiece_close(w);
    closed(o);
    folder_close(f);
    assert_true(sum / (double)NELEMS(TEXTS) >= 0.996);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_models_agree_with_the_reference),
        cmocka_unit_test(a_model_says_what_it_is),
        cmocka_unit_test(company_does_not_change_a_vector),
        cmocka_unit_test(odd_texts_have_vectors),
        cmocka_unit_test(a_long_text_is_cut_at_the_models_limit),
        cmocka_unit_test(a_prefix_stands_before_the_text),
        cmocka_unit_test(damage_in_any_section_is_refused),
        cmocka_unit_test(sections_that_do_not_fit_are_refused),
        cmocka_unit_test(
            a_model_of_an_odd_shape_is_refused_before_a_file_is_made),
        cmocka_unit_test(any_disk_call_may_fail),
        cmocka_unit_test(minilm_agrees_with_its_reference),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
