/* The ids of tests/golden/wordpiece: those of the reference, for texts of many
 * scripts and for every code point (make.py there made them). */
#include "text/wordpiece.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/limits.h"
#include "text/utf8.h"

#define DIR_PATH "tests/golden/wordpiece"
#define VOCAB_PATH "build/model/all-MiniLM-L6-v2/vocab.txt"
#define IDS_MAX 8192

static const struct setting {
    str name;
    bool lowercase, strip_accents, ideographs_apart, clean;
} SETTINGS[] = {{STR_INIT("uncased"), true, true, true, true},
                {STR_INIT("cased"), false, false, true, true},
                {STR_INIT("lower"), true, false, false, true},
                {STR_INIT("stripped"), false, true, false, false},
                {STR_INIT("raw"), false, false, false, false}};

static const str SPECIAL[] = {STR_INIT("[PAD]"), STR_INIT("[UNK]"),
                              STR_INIT("[CLS]"), STR_INIT("[SEP]")};

struct list {
    str *v;
    size_t n, cap;
};

static str read_file(struct arena *a, const char *path)
{
    struct err e;
    str text;

    if (file_read(path, 64 * MIB, a, &text, &e) != RC_OK)
        fail_msg("%s", e.text);
    return text;
}

static str read_golden(struct arena *a, str stem, const char *ending)
{
    return read_file(
        a, arena_fmt(a, DIR_PATH "/" STR_FMT "%s", STR_ARG(stem), ending).p);
}

static struct list lines_of(struct arena *a, str text)
{
    struct list l = {0};
    str line;

    while (text.n > 0) {
        (void)str_cut(text, '\n', &line, &text);
        ARENA_PUSH(a, l.v, l.n, l.cap, line);
    }
    return l;
}

static str word_of(str *line)
{
    str word;

    (void)str_cut(*line, ' ', &word, line);
    return word;
}

static uint64_t number_of(str *line)
{
    uint64_t n = 0;

    assert_true(str_to_u64(word_of(line), UINT32_MAX, &n));
    return n;
}

static struct wordpiece *open_with(const struct list *tokens, str name,
                                   struct vocab **v)
{
    const struct setting *s = SETTINGS;
    struct err e;

    while (!str_eq(s->name, name)) {
        s++;
        assert_true(s < SETTINGS + NELEMS(SETTINGS));
    }
    if (vocab_open(&(struct vocab_opts){.tokens = tokens->v,
                                        .tokens_n = tokens->n,
                                        .lowercase = s->lowercase,
                                        .strip_accents = s->strip_accents,
                                        .ideographs_apart = s->ideographs_apart,
                                        .clean = s->clean},
                   v, &e) != RC_OK)
        fail_msg("%s", e.text);
    return wordpiece_open(*v);
}

static void digest_put(struct sha256_stream *s, const uint32_t *ids, size_t n)
{
    uint32_t count = (uint32_t)n;

    sha256_put(s, &count, sizeof count);
    if (n > 0)
        sha256_put(s, ids, n * sizeof *ids);
}

/* The digest as make.py writes it; closes s. */
static str digest_end(struct arena *a, struct sha256_stream *s)
{
    sha256 h = sha256_end(s);

    sha256_close(s);
    return str_sub(sha256_hex(a, &h), 0, 8);
}

static void normal_forms_are_the_references(void **state)
{
    struct arena *a = arena_open();
    struct list tokens = lines_of(a, read_golden(a, STR("letters"), ".txt"));
    struct list lines = lines_of(a, read_golden(a, STR("digests"), ".txt"));

    (void)state;
    assert_true(lines.n > 0);
    for (size_t i = 0; i < lines.n; i++) {
        str line = lines.v[i], name = word_of(&line), setting = word_of(&line);
        str text = read_golden(a, name, "");
        struct sha256_stream *s = sha256_open();
        static uint32_t ids[IDS_MAX];
        struct vocab *v;
        struct wordpiece *w = open_with(&tokens, setting, &v);
        size_t n = wordpiece_encode(w, text, ids, IDS_MAX);
        uint64_t want = number_of(&line);

        digest_put(s, ids, n);
        if (n != want || !str_eq(digest_end(a, s), line))
            fail_msg(STR_FMT ", " STR_FMT ": %zu ids, %llu are right",
                     STR_ARG(name), STR_ARG(setting), n,
                     (unsigned long long)want);
        assert_int_equal(wordpiece_count(w, text), n);
        wordpiece_close(w);
        vocab_close(v);
    }
    arena_close(a);
}

static bool is_char(uint32_t cp)
{
    return cp < 0xd800 || cp > 0xdfff;
}

static void push_chars(struct arena *a, struct list *l, const char *before,
                       uint32_t first, uint32_t last)
{
    for (uint32_t cp = first; cp <= last; cp++) {
        char bytes[4];
        size_t n;

        if (!is_char(cp))
            continue;
        n = utf8_encode(bytes, cp);
        ARENA_PUSH(a, l->v, l->n, l->cap,
                   arena_fmt(a, "%s%.*s", before, (int)n, bytes));
    }
}

/* Every code point of the plane and of plane 0, alone and continued. */
static struct list plane_tokens(struct arena *a, uint32_t plane)
{
    static const char *const BEFORE[] = {"", "##"};
    struct list l = {0};

    for (size_t i = 0; i < NELEMS(SPECIAL); i++)
        ARENA_PUSH(a, l.v, l.n, l.cap, SPECIAL[i]);
    for (size_t i = 0; i < NELEMS(BEFORE); i++) {
        push_chars(a, &l, BEFORE[i], 0x21, 0xffff);
        if (plane != 0)
            push_chars(a, &l, BEFORE[i], plane << 16, (plane << 16) + 0xffff);
    }
    return l;
}

/* The digest of the 4,096 code points from first on. */
static str block_digest(struct arena *a, struct wordpiece *w, uint32_t first)
{
    struct sha256_stream *s = sha256_open();

    for (uint32_t cp = first; cp < first + 0x1000; cp++) {
        uint32_t ids[64];
        struct buf b = {0};

        if (!is_char(cp))
            continue;
        buf_put_char(&b, 'a');
        utf8_put(&b, cp);
        buf_put(&b, STR("b "));
        utf8_put(&b, cp);
        buf_put(&b, STR("\xe1\xad\x84 x\xe3\x80\xae"));
        utf8_put(&b, cp);
        digest_put(s, ids, wordpiece_encode(w, buf_str(&b), ids, NELEMS(ids)));
        buf_close(&b);
    }
    return digest_end(a, s);
}

static void every_code_point_is_what_the_reference_takes_it_for(void **state)
{
    struct arena *a = arena_open();
    struct list lines = lines_of(a, read_golden(a, STR("planes"), ".txt"));
    struct list tokens = {0};
    uint32_t tokens_of = UINT32_MAX;

    (void)state;
    assert_true(lines.n > 0);
    for (size_t i = 0; i < lines.n; i++) {
        str line = lines.v[i];
        uint32_t plane = (uint32_t)number_of(&line), first = plane << 16;
        str setting = word_of(&line);
        struct vocab *v;
        struct wordpiece *w;

        if (plane != tokens_of)
            tokens = plane_tokens(a, plane);
        tokens_of = plane;
        w = open_with(&tokens, setting, &v);
        for (; line.n > 0; first += 0x1000) {
            str want = word_of(&line), got = block_digest(a, w, first);

            if (!str_eq(got, want))
                fail_msg("U+%04X and on, " STR_FMT ": other ids",
                         (unsigned)first, STR_ARG(setting));
        }
        assert_int_equal(first, (plane + 1) << 16);
        wordpiece_close(w);
        vocab_close(v);
    }
    arena_close(a);
}

static void check_line(const struct list *tokens, str text, str line,
                       const char *name)
{
    static uint32_t ids[IDS_MAX];
    str setting = word_of(&line);
    struct vocab *v;
    struct wordpiece *w = open_with(tokens, setting, &v);
    size_t n = wordpiece_encode(w, text, ids, IDS_MAX), i = 0;

    for (; line.n > 0; i++) {
        uint64_t want = number_of(&line);

        if (i >= n || ids[i] != want)
            fail_msg("%s, " STR_FMT ": id %zu is %u, not %llu", name,
                     STR_ARG(setting), i, (unsigned)ids[i],
                     (unsigned long long)want);
    }
    assert_int_equal(n, i);
    wordpiece_close(w);
    vocab_close(v);
}

static void ids_of_a_model_are_the_references(void **state)
{
    static const struct {
        const char *name, *ending;
    } TEXTS[] = {{"latin", ".txt"},    {"cjk", ".txt"},   {"arabic", ".txt"},
                 {"cyrillic", ".txt"}, {"emoji", ".txt"}, {"torture", ".bin"}};
    struct arena *a = arena_open();
    struct list tokens;

    (void)state;
    if (!file_exists(VOCAB_PATH)) {
        print_message("no " VOCAB_PATH ": scripts/model.sh gets it\n");
        arena_close(a);
        skip();
    }
    tokens = lines_of(a, read_file(a, VOCAB_PATH));
    for (size_t i = 0; i < NELEMS(TEXTS); i++) {
        str stem = str_of(TEXTS[i].name);
        str text = read_golden(a, stem, TEXTS[i].ending);
        struct list lines = lines_of(a, read_golden(a, stem, ".ids"));

        assert_int_equal(lines.n, 2);
        for (size_t k = 0; k < lines.n; k++)
            check_line(&tokens, text, lines.v[k], TEXTS[i].name);
    }
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_forms_are_the_references),
        cmocka_unit_test(every_code_point_is_what_the_reference_takes_it_for),
        cmocka_unit_test(ids_of_a_model_are_the_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
