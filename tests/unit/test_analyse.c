#include "text/analyse.h"

#include <libstemmer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "text/utf8.h"

/* The terms of a text, "stop" words in brackets, joined by spaces; offsets
 * and positions are checked on the way. */
static const char *terms(struct analyser *a, const char *text)
{
    static char out[4096];
    struct token t;
    uint32_t position = 0;
    size_t n = 0, start = 0;

    analyser_begin(a, str_of(text));
    out[0] = '\0';
    while (analyser_next(a, &t)) {
        assert_int_equal(t.position, position++);
        assert_true(t.start >= start && t.start < t.end);
        assert_true(t.end <= strlen(text));
        assert_true(t.term.n > 0 && t.term.n <= TERM_BYTES_MAX);
        assert_int_equal(utf8_valid_prefix(t.term), t.term.n);
        start = t.start;
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s" STR_FMT "%s",
                              n == 0 ? "" : " ", t.stop ? "[" : "",
                              STR_ARG(t.term), t.stop ? "]" : "");
    }
    return out;
}

static int open_analyser(void **state)
{
    *state = analyser_open();
    return 0;
}

static int close_analyser(void **state)
{
    analyser_close(*state);
    return 0;
}

static void english_words_are_folded_and_stemmed(void **state)
{
    assert_string_equal(terms(*state, "Running runners RAN; ponies' flies!"),
                        "run runner ran poni fli");
    assert_string_equal(terms(*state, "generalizations, relational"),
                        "general relat");
}

static void stop_words_are_flagged_and_kept(void **state)
{
    assert_string_equal(terms(*state, "The cat is on THE mat"),
                        "[the] cat [is] [on] [the] mat");
    /* a second time, out of the cache */
    assert_string_equal(terms(*state, "the CAT"), "[the] cat");
}

static void possessives_are_cut_and_contractions_part(void **state)
{
    assert_string_equal(terms(*state, "the dog's bone, James’s Dog'S"),
                        "[the] dog bone jame dog");
    assert_string_equal(terms(*state, "don't it's o'neill 's"),
                        "[don] [t] [it] o neill [s]");
    assert_string_equal(terms(*state, "cat'sup"), "cat sup");
}

static void digits_and_identifiers_are_not_stemmed(void **state)
{
    assert_string_equal(terms(*state, "v2s 3.14 RFC7231 snake_cases"),
                        "v2s 3 14 rfc7231 snake case");
}

static void accents_case_and_width_fold(void **state)
{
    assert_string_equal(terms(*state, "Résumés RÉSUMÉS resumes"),
                        "resum resum resum");
    assert_string_equal(terms(*state, "naïve Straße ﬁle ＡＢＣ１ ΣΟΦΟΣ Москва"),
                        "naiv strass file abc1 σοφοσ москва");
    assert_string_equal(terms(*state, "co\xc2\xadoperate"), "cooper");
}

static void composed_and_decomposed_are_one_term(void **state)
{
    char a[256];

    (void)snprintf(a, sizeof a, "%s", terms(*state, "é ü が 각"));
    assert_string_equal(terms(*state, "e\xcc\x81 u\xcc\x88 か\xe3\x82\x99 "
                                      "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"),
                        a);
}

static void arabic_and_hebrew_lose_their_points(void **state)
{
    assert_string_equal(terms(*state, "كِتَاب كتاب أحمد احمد"),
                        "كتاب كتاب احمد احمد");
    assert_string_equal(terms(*state, "שָׁלוֹם שלום"), "שלום שלום");
}

static void indic_vowel_signs_stay(void **state)
{
    assert_string_equal(terms(*state, "हिन्दी"), "हिन्दी");
}

static void ideographs_stand_alone_and_in_pairs(void **state)
{
    assert_string_equal(terms(*state, "東京都"), "東 東京 京 京都 都");
    assert_string_equal(terms(*state, "猫"), "猫");
    assert_string_equal(terms(*state, "学习C语言"), "学 学习 习 c 语 语言 言");
}

static void kana_hangul_and_thai_come_in_pairs(void **state)
{
    assert_string_equal(terms(*state, "ひらがな"), "ひら らが がな");
    assert_string_equal(terms(*state, "ｶﾞｽ ガス"), "ガス ガス");
    assert_string_equal(terms(*state, "학교에 물"), "학교 교에 물");
    assert_string_equal(terms(*state, "食べる"), "食 べる");
    assert_string_equal(terms(*state, "น้ำ"), "น้ํา");
}

static void a_pictograph_is_a_term(void **state)
{
    assert_string_equal(terms(*state, "good 😀👍🏽 day ❤️"),
                        "good 😀 👍 day ❤");
}

static void text_of_no_words_has_no_terms(void **state)
{
    assert_string_equal(terms(*state, ""), "");
    assert_string_equal(terms(*state, " \n\t—…“” .,;:'\"_ \xcc\x81"), "");
}

static void long_tokens_are_cut(void **state)
{
    static char text[3000];
    struct token t;
    size_t n = 0;

    memset(text, 'Q', 1000);
    while (n < 1500) {
        memcpy(text + 1000 + n, "é", 2);
        n += 2;
    }
    analyser_begin(*state, (str){text, 1000 + n});
    assert_true(analyser_next(*state, &t));
    assert_int_equal(t.term.n, TERM_BYTES_MAX);
    assert_int_equal(t.end, 1000 + n);
    assert_false(analyser_next(*state, &t));
    /* 3 bytes a letter: 64 is no multiple */
    for (n = 0; n < 300; n += 3)
        memcpy(text + n, "ᚠ", 3);
    analyser_begin(*state, (str){text, n});
    assert_true(analyser_next(*state, &t));
    assert_int_equal(t.term.n, TERM_BYTES_MAX / 3 * 3);
}

static void offsets_are_those_of_the_source(void **state)
{
    struct token t;
    str s = STR("An “Éclair’s” taste");

    analyser_begin(*state, s);
    assert_true(analyser_next(*state, &t));
    assert_true(analyser_next(*state, &t));
    assert_true(str_eq(str_sub(s, t.start, t.end - t.start), STR("Éclair")));
    assert_true(str_eq(t.term, STR("eclair")));
    assert_true(analyser_next(*state, &t));
    assert_true(str_eq(str_sub(s, t.start, t.end - t.start), STR("taste")));
    assert_false(analyser_next(*state, &t));
    assert_false(analyser_next(*state, &t));
}

/* The cache must never change a term: an analyser that has seen much gives
 * what a fresh one gives. */
static void the_cache_changes_nothing(void **state)
{
    struct analyser *used = *state;
    uint64_t x = 7;

    for (int i = 0; i < 40000; i++) {
        char word[32];
        size_t n;
        struct token t;

        x = x * 6364136223846793005u + 1442695040888963407u;
        n = 1 + (x >> 59);
        for (size_t k = 0; k < n && k < sizeof word; k++)
            word[k] = "abeinrstgulyd"[(x >> k) % 13];
        analyser_begin(used, (str){word, n});
        assert_true(analyser_next(used, &t));
        if (i % 40 == 0) {
            struct analyser *fresh = analyser_open();
            struct token u;

            analyser_begin(fresh, (str){word, n});
            assert_true(analyser_next(fresh, &u));
            assert_true(str_eq(t.term, u.term));
            assert_int_equal(t.stop, u.stop);
            analyser_close(fresh);
        }
    }
}

/* Eight bytes are folded at a time where so many are left, else each alone. */
static void words_fold_alike_by_eight_and_one_by_one(void **state)
{
    for (int c = 1; c < 0x80; c++) {
        for (size_t at = 0; at < 7; at++) {
            char alone[8] = "xQ7bZ0y", spaced[32], want[4096];

            alone[at] = (char)c;
            (void)snprintf(spaced, sizeof spaced, "%s                ", alone);
            (void)snprintf(want, sizeof want, "%s", terms(*state, alone));
            assert_string_equal(terms(*state, spaced), want);
        }
    }
}

/* The text is looked at in windows: where one ends nothing changes. */
static void words_are_the_same_wherever_they_stand(void **state)
{
    static const char TEXT[] =
        "The keeper's lamp's light; x1 2nd a--b C3PO's foo_bar caf\xc3\xa9 "
        "na\xc3\xafve's don't it\xe2\x80\x99s e.g. thisisaword"
        "oftwentyfourlettrs andoneoftwentyfivelettersx "
        "averylongrunofletterswithoutanyendthatgoesonoverthewholeofonewindow"
        "andintothenextoneaswell 0123456789012345678901234567890 end's' '' 's "
        "\xe6\xbc\xa2\xe5\xad\x97word \xf0\x9f\x98\x80 last";
    enum { SHIFTS = 140, TOKENS = 100 };
    struct {
        char term[TERM_BYTES_MAX];
        size_t n, start, end;
    } first[TOKENS];
    size_t first_n = 0;

    for (size_t shift = 0; shift < SHIFTS; shift++) {
        char text[SHIFTS + sizeof TEXT];
        struct token t;
        size_t n = 0;

        memset(text, shift % 2 == 0 ? ' ' : '-', shift);
        memcpy(text + shift, TEXT, sizeof TEXT);
        analyser_begin(*state, (str){text, shift + sizeof TEXT - 1});
        for (; analyser_next(*state, &t); n++) {
            assert_true(n < TOKENS && t.term.n <= TERM_BYTES_MAX);
            if (shift == 0) {
                memcpy(first[n].term, t.term.p, t.term.n);
                first[n].n = t.term.n;
                first[n].start = t.start;
                first[n].end = t.end;
                first_n = n + 1;
            }
            assert_true(str_eq(t.term, (str){first[n].term, first[n].n}));
            assert_int_equal(t.position, n);
            assert_int_equal(t.start, first[n].start + shift);
            assert_int_equal(t.end, first[n].end + shift);
        }
        assert_int_equal(n, first_n);
    }
    assert_in_range(first_n, 30, TOKENS);
}

static void memo_of(struct analyser *a, const char *word, struct token *t)
{
    analyser_begin(a, str_of(word));
    assert_true(analyser_next(a, t));
}

static void a_memo_stays_with_its_word_until_forgotten(void **state)
{
    struct token t;

    memo_of(*state, "kindness", &t);
    assert_non_null(t.memo);
    assert_int_equal(*t.memo, 0);
    *t.memo = 7;
    memo_of(*state, "KINDNESS", &t);
    assert_int_equal(*t.memo, 7);
    analyser_forget(*state);
    memo_of(*state, "kindness", &t);
    assert_int_equal(*t.memo, 0);
    memo_of(*state, "alongwordthatisnotcachedatall", &t);
    assert_null(t.memo);
}

/* Words that are not given to the stemmer would come back as they are. */
static void a_word_without_a_suffix_is_its_own_stem(void **state)
{
    static const char ENDS[] = "abfhjkopquvwxz";
    struct sb_stemmer *s = sb_stemmer_new("english", NULL);
    uint64_t x = 7;

    (void)state;
    assert_non_null(s);
    for (int round = 0; round < 500000; round++) {
        char word[16];
        size_t n = 0, letters;

        x = x * 6364136223846793005u + 1442695040888963407u;
        letters = 2 + (x >> 33) % 11;
        for (; n < letters; n++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            word[n] = "aeiouyestnrlgdm"[(x >> 33) % 15];
            if ((x >> 40) % 3 == 0)
                word[n] = (char)('a' + (x >> 45) % 26);
        }
        word[n++] = ENDS[(x >> 50) % (sizeof ENDS - 1)];
        assert_memory_equal(sb_stemmer_stem(s, (const sb_symbol *)word, (int)n),
                            word, n);
        assert_int_equal(sb_stemmer_length(s), n);
    }
    sb_stemmer_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(english_words_are_folded_and_stemmed),
        cmocka_unit_test(a_word_without_a_suffix_is_its_own_stem),
        cmocka_unit_test(words_are_the_same_wherever_they_stand),
        cmocka_unit_test(stop_words_are_flagged_and_kept),
        cmocka_unit_test(possessives_are_cut_and_contractions_part),
        cmocka_unit_test(digits_and_identifiers_are_not_stemmed),
        cmocka_unit_test(accents_case_and_width_fold),
        cmocka_unit_test(composed_and_decomposed_are_one_term),
        cmocka_unit_test(arabic_and_hebrew_lose_their_points),
        cmocka_unit_test(indic_vowel_signs_stay),
        cmocka_unit_test(ideographs_stand_alone_and_in_pairs),
        cmocka_unit_test(kana_hangul_and_thai_come_in_pairs),
        cmocka_unit_test(a_pictograph_is_a_term),
        cmocka_unit_test(text_of_no_words_has_no_terms),
        cmocka_unit_test(long_tokens_are_cut),
        cmocka_unit_test(offsets_are_those_of_the_source),
        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(words_fold_alike_by_eight_and_one_by_one),
        cmocka_unit_test(a_memo_stays_with_its_word_until_forgotten),
    };

    return cmocka_run_group_tests(tests, open_analyser, close_analyser);
}
