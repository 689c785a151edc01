#include "text/wordpiece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/rng.h"
#include "wordpiece_plain.h"

static const str TOKENS[] = {
    STR_INIT("[PAD]"),  STR_INIT("[UNK]"),   STR_INIT("[CLS]"),
    STR_INIT("[SEP]"),  STR_INIT("un"),      STR_INIT("##aff"),
    STR_INIT("##able"), STR_INIT("the"),     STR_INIT("##s"),
    STR_INIT("a"),      STR_INIT("##a"),     STR_INIT("e"),
    STR_INIT("##e"),    STR_INIT("i"),       STR_INIT("##i"),
    STR_INIT("ß"),      STR_INIT("##ß"),     STR_INIT("σ"),
    STR_INIT("##σ"),    STR_INIT("ς"),       STR_INIT("##ς"),
    STR_INIT("中"),     STR_INIT("文"),      STR_INIT("##文"),
    STR_INIT("."),      STR_INIT(","),       STR_INIT("["),
    STR_INIT("]"),      STR_INIT("un##"),    STR_INIT("##u"),
    STR_INIT("##n"),    STR_INIT("#"),       STR_INIT("##"),
    STR_INIT("aé"),     STR_INIT("É"),       STR_INIT("é"),
    STR_INIT("😀"),      STR_INIT("##😀"),     STR_INIT("ﬁ"),
    STR_INIT(""),       STR_INIT(""),        STR_INIT("ᄀ"),
    STR_INIT("##ᅡ"),   STR_INIT("unaffab"), STR_INIT("cls")};

static const struct vocab_opts UNCASED = {.tokens = TOKENS,
                                          .tokens_n = NELEMS(TOKENS),
                                          .lowercase = true,
                                          .strip_accents = true,
                                          .ideographs_apart = true,
                                          .clean = true};
static const struct vocab_opts CASED = {.tokens = TOKENS,
                                        .tokens_n = NELEMS(TOKENS),
                                        .ideographs_apart = true,
                                        .clean = true};

static struct wordpiece *open_with(const struct vocab_opts *o, struct vocab **v)
{
    struct err e;

    assert_int_equal(vocab_open(o, v, &e), RC_OK);
    return wordpiece_open(*v);
}

/* The tokens of a text, joined by spaces; twice, so that what is remembered is
 * seen too. */
static const char *tokens(const struct vocab_opts *o, str text)
{
    static char out[8192];
    uint32_t ids[1000], again[1000];
    struct vocab *v;
    struct wordpiece *w = open_with(o, &v);
    size_t n = wordpiece_encode(w, text, ids, NELEMS(ids)), at = 0;

    assert_int_equal(wordpiece_count(w, text), n);
    assert_int_equal(wordpiece_encode(w, text, again, NELEMS(again)), n);
    if (n > 0)
        assert_memory_equal(ids, again, n * sizeof *ids);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s" STR_FMT,
                               i == 0 ? "" : " ", STR_ARG(o->tokens[ids[i]]));
    wordpiece_close(w);
    vocab_close(v);
    return out;
}

static void the_longest_pieces_are_taken(void **state)
{
    (void)state;
    assert_string_equal(tokens(&UNCASED, STR("unaffable")), "[UNK]");
    assert_string_equal(tokens(&UNCASED, STR("unable the")), "un ##able the");
    assert_string_equal(tokens(&UNCASED, STR("As, UNS.")), "a ##s , un ##s .");
    assert_string_equal(tokens(&CASED, STR("The the")), "[UNK] the");
    /* a token that spells a prefix of its own continues nothing */
    assert_string_equal(tokens(&UNCASED, STR("un##")), "un # #");
}

static void special_tokens_in_a_text_are_text(void **state)
{
    (void)state;
    assert_string_equal(tokens(&UNCASED, STR("[CLS]")), "[ cls ]");
    assert_string_equal(tokens(&CASED, STR("[UNK]")), "[ [UNK] ]");
}

static void accents_and_case_go_where_asked_for(void **state)
{
    struct vocab_opts stripped = CASED, lower = CASED;

    (void)state;
    stripped.strip_accents = true;
    lower.lowercase = true;
    assert_string_equal(tokens(&UNCASED, STR("É e\xcc\x81 aÉ")), "e e a ##e");
    assert_string_equal(tokens(&CASED, STR("É é aé")), "É é aé");
    assert_string_equal(tokens(&lower, STR("É AÉ")), "é aé");
    assert_string_equal(tokens(&stripped, STR("é É")), "e [UNK]");
    /* no word is looked at: a final sigma is one like any other */
    assert_string_equal(tokens(&UNCASED, STR("ΣΑΣ Σς ẞß")),
                        "[UNK] σ ##ς ß ##ß");
    assert_string_equal(tokens(&UNCASED, STR("İI")), "i ##i");
    assert_string_equal(tokens(&lower, STR("İ")), "[UNK]");
    assert_string_equal(tokens(&UNCASED, STR("ﬁ")), "ﬁ");
    assert_string_equal(tokens(&UNCASED, STR("가")), "ᄀ ##ᅡ");
}

static void ideographs_stand_apart_where_asked_for(void **state)
{
    struct vocab_opts together = CASED;

    (void)state;
    together.ideographs_apart = false;
    assert_string_equal(tokens(&UNCASED, STR("the中文a文")), "the 中 文 a 文");
    assert_string_equal(tokens(&together, STR("中文")), "中 ##文");
}

static void controls_are_dropped_where_asked_for(void **state)
{
    struct vocab_opts raw = CASED;
    str text = STR("th\0e\x7f t\xe2\x80\x8bhe \xef\xbf\xbd \xc2\xadthe\vs");

    (void)state;
    raw.clean = false;
    assert_string_equal(tokens(&UNCASED, text), "the the the ##s");
    assert_string_equal(tokens(&raw, text), "[UNK] [UNK] [UNK] [UNK] [UNK]");
    assert_string_equal(tokens(&raw, STR("the\va\fe")), "the a e");
    assert_string_equal(tokens(&UNCASED, STR("a\xc2\xa0"
                                             "a\xe3\x80\x80"
                                             "a\xe2\x80\xa8"
                                             "a\t\r\na")),
                        "a a a a a");
}

static void ill_formed_bytes_are_replaced_and_dropped(void **state)
{
    (void)state;
    assert_string_equal(tokens(&UNCASED, STR("th\xff"
                                             "e \xe4\xb8")),
                        "the");
    assert_string_equal(tokens(&UNCASED, STR("\xed\xa0\x80the\xc0\xaf")),
                        "the");
}

static void words_of_too_many_characters_are_unknown(void **state)
{
    struct vocab_opts o = UNCASED;
    static char text[1000];
    const char *got;

    (void)state;
    memset(text, 'a', sizeof text);
    got = tokens(&o, (str){text, 100});
    assert_int_equal(strlen(got), 1 + 99 * 4);
    assert_string_equal(tokens(&o, (str){text, 101}), "[UNK]");
    assert_string_equal(tokens(&o, (str){text, 1000}), "[UNK]");
    o.word_chars_max = 2;
    assert_string_equal(tokens(&o, STR("aa aaa a\xcc\x81\xcc\x81\xcc\x81"
                                       "a")),
                        "a ##a [UNK] a ##a");
}

static void only_the_first_ids_are_written(void **state)
{
    uint32_t ids[9] = {[4] = 77, [8] = 77};
    struct vocab *v;
    struct wordpiece *w = open_with(&UNCASED, &v);
    str text = STR("a unable the 中文 a the, unable");

    (void)state;
    for (size_t max = 0; max <= 8; max++) {
        uint32_t before = ids[max];

        assert_int_equal(wordpiece_encode(w, text, ids, max), max);
        assert_int_equal(ids[max], before);
    }
    assert_int_equal(wordpiece_count(w, text), 11);
    assert_int_equal(wordpiece_count(w, STR("")), 0);
    assert_int_equal(wordpiece_count(w, STR_NONE), 0);
    wordpiece_close(w);
    vocab_close(v);
}

static void a_vocabulary_tells_its_special_tokens(void **state)
{
    struct vocab_opts o = UNCASED;
    struct vocab *v;
    struct vocab_ids ids;

    (void)state;
    o.begin = STR("the");
    assert_int_equal(vocab_open(&o, &v, NULL), RC_OK);
    ids = vocab_ids(v);
    assert_int_equal(ids.pad, 0);
    assert_int_equal(ids.unknown, 1);
    assert_int_equal(ids.begin, 7);
    assert_int_equal(ids.end, 3);
    assert_int_equal(vocab_tokens(v), NELEMS(TOKENS));
    vocab_close(v);
}

static rc opened(const str *list, size_t n, struct err *e)
{
    struct vocab *v;
    rc code =
        vocab_open(&(struct vocab_opts){.tokens = list, .tokens_n = n}, &v, e);

    vocab_close(v);
    return code;
}

static void bad_vocabularies_are_refused(void **state)
{
    str list[6] = {STR_INIT("[UNK]"), STR_INIT("[CLS]"), STR_INIT("[SEP]"),
                   STR_INIT("[PAD]"), STR_INIT("a"),     STR_INIT("b")};
    static char most[WORDPIECE_TOKEN_BYTES_MAX + 1];
    struct vocab_opts o = UNCASED;
    struct vocab *v;
    struct err e;
    str *many;

    (void)state;
    assert_int_equal(opened(list, 6, &e), RC_OK);
    assert_int_equal(opened(list, 3, &e), RC_FORMAT);
    assert_non_null(strstr(e.text, "[PAD]"));
    list[5] = STR("a");
    assert_int_equal(opened(list, 6, &e), RC_FORMAT);
    assert_string_equal(e.text, "tokens 4 and 5 are the same");
    list[5] = STR("\xc3");
    assert_int_equal(opened(list, 6, &e), RC_FORMAT);
    memset(most, 'x', sizeof most);
    list[5] = (str){most, sizeof most};
    assert_int_equal(opened(list, 6, &e), RC_LIMIT);
    list[5].n--;
    assert_int_equal(opened(list, 6, &e), RC_OK);
    o.word_chars_max = WORDPIECE_WORD_CHARS_MAX + 1;
    assert_int_equal(vocab_open(&o, &v, &e), RC_LIMIT);
    assert_null(v);
    many = calloc(WORDPIECE_TOKENS_MAX + 1, sizeof *many);
    assert_non_null(many);
    assert_int_equal(opened(many, WORDPIECE_TOKENS_MAX + 1, &e), RC_LIMIT);
    for (size_t i = 0; i < WORDPIECE_TOKENS_MAX; i++)
        many[i] = (str){most, 64}; /* the bytes are too many first */
    assert_int_equal(opened(many, WORDPIECE_TOKENS_MAX, &e), RC_LIMIT);
    free(many);
}

static void without_memory_a_vocabulary_is_refused(void **state)
{
    static const char *const PLANS[] = {
        "fail@1:ENOMEM:alloc", "fail@2:ENOMEM:alloc", "fail@3:ENOMEM:alloc"};

    (void)state;
    for (size_t i = 0; i < NELEMS(PLANS); i++) {
        struct err e;
        rc code;

        io_plan_set(PLANS[i]);
        code = opened(TOKENS, NELEMS(TOKENS), &e);
        io_plan_set(NULL);
        assert_int_equal(code, RC_NOMEM);
    }
    assert_int_equal(opened(TOKENS, NELEMS(TOKENS), NULL), RC_OK);
}

/* Texts of what the tokens are made of and what stands between, all settings:
 * the ids of wordpiece_plain.h, their number, and each first part of them. */
static void ids_are_those_of_the_plain_rules(void **state)
{
    static const str PARTS[] = {STR_INIT("a"),
                                STR_INIT("the"),
                                STR_INIT("UN"),
                                STR_INIT("able"),
                                STR_INIT(" "),
                                STR_INIT("  "),
                                STR_INIT("."),
                                STR_INIT("#"),
                                STR_INIT("É"),
                                STR_INIT("e\xcc\x81"),
                                STR_INIT("\xcc\xa3"),
                                STR_INIT("中"),
                                STR_INIT("文"),
                                STR_INIT("😀"),
                                STR_INIT("\xff"),
                                STR_INIT("\xe4\xb8"),
                                STR_INIT("\0"),
                                STR_INIT("\x1f"),
                                STR_INIT("\xc2\xa0"),
                                STR_INIT("\xe2\x80\x8b"),
                                STR_INIT("İ"),
                                STR_INIT("\xe1\xad\x84"),
                                STR_INIT("\xe3\x80\xae"),
                                STR_INIT("가"),
                                STR_INIT("\xe2\x80\xa6"),
                                STR_INIT("\v"),
                                STR_INIT("unaffable"),
                                STR_INIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                                STR_INIT("\n")};
    struct rng r = rng_seeded(5);
    struct map *tokens_by_text = plain_tokens(&UNCASED);
    struct arena *a = arena_open();

    (void)state;
    for (unsigned set = 0; set < 16; set++) {
        struct vocab_opts o = UNCASED;
        struct vocab *v;
        struct wordpiece *w;

        o.lowercase = (set & 1) != 0;
        o.strip_accents = (set & 2) != 0;
        o.ideographs_apart = (set & 4) != 0;
        o.clean = (set & 8) != 0;
        w = open_with(&o, &v);
        for (int i = 0; i < 300; i++) {
            struct arena_mark m = arena_mark(a);
            struct plain_text want;
            struct buf text = {0};
            uint32_t got[2048];
            size_t n = rng_below(&r, 60), max;

            while (n-- > 0)
                buf_put(&text, PARTS[rng_below(&r, NELEMS(PARTS))]);
            want = plain_ids(a, &o, tokens_by_text, buf_str(&text));
            n = wordpiece_encode(w, buf_str(&text), got, NELEMS(got));
            assert_int_equal(n, want.n);
            if (n > 0)
                assert_memory_equal(got, want.cps, n * sizeof *got);
            assert_int_equal(wordpiece_count(w, buf_str(&text)), n);
            max = rng_below(&r, n + 1);
            memset(got, 0, sizeof got);
            assert_int_equal(wordpiece_encode(w, buf_str(&text), got, max),
                             max);
            if (max > 0)
                assert_memory_equal(got, want.cps, max * sizeof *got);
            buf_close(&text);
            arena_rewind(a, m);
        }
        wordpiece_close(w);
        vocab_close(v);
    }
    map_close(tokens_by_text);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_pieces_are_taken),
        cmocka_unit_test(special_tokens_in_a_text_are_text),
        cmocka_unit_test(accents_and_case_go_where_asked_for),
        cmocka_unit_test(ideographs_stand_apart_where_asked_for),
        cmocka_unit_test(controls_are_dropped_where_asked_for),
        cmocka_unit_test(ill_formed_bytes_are_replaced_and_dropped),
        cmocka_unit_test(words_of_too_many_characters_are_unknown),
        cmocka_unit_test(only_the_first_ids_are_written),
        cmocka_unit_test(a_vocabulary_tells_its_special_tokens),
        cmocka_unit_test(bad_vocabularies_are_refused),
        cmocka_unit_test(without_memory_a_vocabulary_is_refused),
        cmocka_unit_test(ids_are_those_of_the_plain_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
