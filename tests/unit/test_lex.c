#include "lex/lex_priv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"

/* ---- an index of some rows, in a file, open ---- */

static char dir[] = "/tmp/knowd-lex-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int folder_drop(void **state)
{
    (void)state;
    return rmdir(dir);
}

struct index {
    struct seg *seg;
    struct lex *lex;
};

/* Written under a name that is gone once it is mapped. */
static struct index index_of_file(const char *path)
{
    struct index x = {0};
    struct err e;

    assert_int_equal(seg_open(path, &x.seg, &e), RC_OK);
    assert_int_equal(lex_open(x.seg, &x.lex, &e), RC_OK);
    assert_int_equal(lex_check(x.lex, &e), RC_OK);
    assert_int_equal(unlink(path), 0);
    return x;
}

static void index_path(char path[64])
{
    (void)snprintf(path, 64, "%s/a.seg", dir);
}

static struct index index_write(struct lex_builder *b)
{
    struct seg_writer *w = NULL;
    struct err e;
    char path[64];

    index_path(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(lex_builder_write(b, w, &e), RC_OK);
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    return index_of_file(path);
}

static void row_add(struct lex_builder *b, str context, str body)
{
    lex_builder_add(b, &(struct lex_row){.context = context, .body = body});
}

struct row {
    const char *context, *body;
};

static struct index index_make(const struct row *rows, size_t n)
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct index x;

    for (size_t i = 0; i < n; i++)
        row_add(b, str_of(rows[i].context), str_of(rows[i].body));
    assert_int_equal(lex_builder_rows(b), n);
    x = index_write(b);
    lex_builder_close(b);
    assert_int_equal(lex_rows(x.lex), n);
    return x;
}

static void index_drop(struct index *x)
{
    lex_close(x->lex);
    seg_close(x->seg);
}

/* ---- asking it ---- */

struct answer {
    struct lex_query q;
    struct lex_stats st;
    struct top_hit *hits;
    size_t n;
};

struct question {
    const char *text;
    uint32_t k;
    bool exhaustive;
    lex_filter filter;
};

static struct answer ask_all(const struct index *x, size_t n, struct question o,
                             struct arena *a)
{
    struct analyser *analyser = analyser_open();
    struct top *top = top_open(a, o.k == 0 ? 10 : o.k);
    struct answer r = {0};

    lex_query_parse(analyser, str_of(o.text), a, &r.q);
    analyser_close(analyser);
    for (size_t i = 0; i < n; i++)
        lex_stats_add(&r.st, x[i].lex, &r.q);
    for (size_t i = 0; i < n; i++)
        (o.exhaustive ? lex_search_exhaustive : lex_search)(
            x[i].lex, &r.q, &r.st, o.filter, (uint32_t)i, top, a);
    r.n = top_take(top, &r.hits);
    return r;
}

static struct answer ask(const struct index *x, const char *text,
                         struct arena *a)
{
    return ask_all(x, 1, (struct question){.text = text}, a);
}

static void assert_rows(const struct answer *r, const uint32_t *rows, size_t n)
{
    assert_int_equal(r->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(r->hits[i].row, rows[i]);
}

static void assert_same_hits(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->hits[i].segment, b->hits[i].segment);
        assert_int_equal(a->hits[i].row, b->hits[i].row);
        assert_memory_equal(&a->hits[i].score, &b->hits[i].score,
                            sizeof(float));
    }
}

#define ROWS(...) ((const uint32_t[]){__VA_ARGS__})
#define ASSERT_ROWS(r, ...) \
    assert_rows((r), ROWS(__VA_ARGS__), NELEMS(ROWS(__VA_ARGS__)))

/* ---- small ones ---- */

static void norms_keep_order_and_small_lengths(void **state)
{
    uint8_t last = 0;

    (void)state;
    for (uint32_t n = 0; n < 1u << 20; n++) {
        uint8_t norm = norm_of(n);

        assert_true(norm >= last);
        assert_true(norm_length(norm) <= n);
        assert_int_equal(norm_of(norm_length(norm)), norm);
        if (n < 32)
            assert_int_equal(norm_length(norm), n);
        else if (n < 1u << 19)
            assert_true((n - norm_length(norm)) * 16 <= n);
        last = norm;
    }
    assert_int_equal(norm_of(UINT32_MAX), 255);
}

static void packed_numbers_come_back(void **state)
{
    uint32_t v[BLOCK_ROWS];
    uint8_t bytes[BLOCK_ROWS * 3 + LEX_SLACK];
    struct rng r = rng_seeded(1);

    (void)state;
    for (unsigned bits = 0; bits <= LEX_BITS_MAX; bits++)
        for (size_t n = 0; n <= BLOCK_ROWS; n++) {
            for (size_t i = 0; i < n; i++)
                v[i] = (uint32_t)rng_below(&r, (uint64_t)1 << bits);
            assert_int_equal(pack(bytes, v, n, bits) - bytes,
                             packed_bytes(n, bits));
            for (size_t i = 0; i < n; i++)
                assert_int_equal(packed_get(bytes, i, bits), v[i]);
        }
}

static void kernels_equal_their_reference(void **state)
{
    const struct kernels *k = kernels_avx2();
    struct rng r = rng_seeded(2);

    (void)state;
    if (k == NULL)
        skip();
    for (unsigned bits = 0; bits <= LEX_BITS_MAX; bits++) {
        uint32_t v[BLOCK_ROWS], a[BLOCK_ROWS], b[BLOCK_ROWS];
        uint32_t rows[BLOCK_ROWS];
        float damp[256], x[BLOCK_ROWS], y[BLOCK_ROWS];
        uint8_t norms[1000 + LEX_SLACK];
        size_t n = packed_bytes(BLOCK_ROWS, bits);
        uint8_t *bytes = mem_alloc(n + LEX_SLACK);

        for (size_t i = 0; i < BLOCK_ROWS; i++)
            v[i] = (uint32_t)rng_below(&r, (uint64_t)1 << bits);
        (void)pack(bytes, v, BLOCK_ROWS, bits);
        k->rows(bytes, bits, bits % 2 == 0 ? UINT32_MAX : 77, a);
        kernels_ref.rows(bytes, bits, bits % 2 == 0 ? UINT32_MAX : 77, b);
        assert_memory_equal(a, b, sizeof a);
        k->counts(bytes, bits, a);
        kernels_ref.counts(bytes, bits, b);
        assert_memory_equal(a, b, sizeof a);
        mem_free(bytes);

        for (size_t i = 0; i < sizeof norms; i++)
            norms[i] = (uint8_t)rng_next(&r);
        for (size_t i = 0; i < 256; i++)
            damp[i] = (float)rng_below(&r, 1000000) / 12345;
        for (size_t i = 0; i < BLOCK_ROWS; i++)
            rows[i] = (uint32_t)rng_below(&r, 1000);
        k->scores(rows, a, BLOCK_ROWS, norms, damp, 3.7F, x);
        kernels_ref.scores(rows, a, BLOCK_ROWS, norms, damp, 3.7F, y);
        assert_memory_equal(x, y, sizeof x);
    }
}

/* Three rows of lengths 3, 2 and 4 without context; N = 3, average 3.
 * "cat" is in rows 0 and 2 (df 2): idf = ln(1 + 1.5 / 2.5) = 0.470004.
 * "dog" is in row 1 (df 1): idf = ln(1 + 2.5 / 1.5) = 0.980829.
 * Row 0: tf 1: 2.2 / (1 + 1.2 (0.25 + 0.75 3/3)) = 1        -> 0.470004
 * Row 2: tf 2: 4.4 / (2 + 1.2 (0.25 + 0.75 4/3)) = 1.257143 -> 0.590862
 * Row 1: tf 1: 2.2 / (1 + 1.2 (0.25 + 0.75 2/3)) = 1.157895 -> 1.135697 */
static void bm25_is_as_worked_by_hand(void **state)
{
    static const struct row ROWS3[] = {
        {"", "cat bird fish"}, {"", "dog bird"}, {"", "cat cat fish horse"}};
    struct arena *a = arena_open();
    struct index x = index_make(ROWS3, 3);
    struct answer r = ask(&x, "cat dog", a);

    (void)state;
    ASSERT_ROWS(&r, 1, 2, 0);
    assert_true(fabsf(r.hits[0].score - 1.135697F) < 1e-5F);
    assert_true(fabsf(r.hits[1].score - 0.590862F) < 1e-5F);
    assert_true(fabsf(r.hits[2].score - 0.470004F) < 1e-5F);
    index_drop(&x);
    arena_close(a);
}

static void a_title_weighs_more_than_a_body(void **state)
{
    static const struct row V[] = {{"", "pump valve engine"},
                                   {"pump", "valve engine"},
                                   {"engine", "valve valve"}};
    struct arena *a = arena_open();
    struct index x = index_make(V, 3);
    struct answer r = ask(&x, "pump", a);

    (void)state;
    ASSERT_ROWS(&r, 1, 0);
    index_drop(&x);
    arena_close(a);
}

/* ---- headings, listings ---- */

static void numbers_of_headings_are_known(void **state)
{
    static const struct {
        const char *heading, *bare;
    } V[] = {
        {"Division", "Division"},
        {"9.9 Division", "Division"},
        {"9.9. Division", "Division"},
        {"A.2.1  Useful libraries", "Useful libraries"},
        {"1) First", "First"},
        {"Chapter 3: Types", "Types"},
        {"Appendix B Licences", "Licences"},
        {"part IV Terminals", "Terminals"},
        {"IV Terminals", "Terminals"},
        {"I am", "I am"},
        {"C programming", "C programming"},
        {"CD burning", "CD burning"},
        {"Part of a whole", "Part of a whole"},
        {"3D graphics", "3D graphics"},
        {"1984", "1984"},
        {"Chapter 3", "Chapter 3"},
        {"Chapter", "Chapter"},
        {" 2 Dogs ", "Dogs "},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++)
        assert_string_equal(V[i].heading + heading_bare(str_of(V[i].heading)),
                            V[i].bare);
}

/* Six rows of as many words, so that nothing but headings parts them. */
static struct index index_of_headings(void)
{
    static const str DATA_FRAME[] = {STR_INIT("2.1 Data frame")},
                     AS[] = {STR_INIT("As data frame")},
                     TWO[] = {STR_INIT("Other"), STR_INIT("Deep water")};
    const struct lex_row rows[] = {
        {.context = STR("Data frame"), .body = STR("data frame went on here")},
        {.context = STR("As data frame"),
         .begins = AS,
         .begins_n = 1,
         .body = STR("data frame began too")},
        {.context = STR("Data frame"),
         .begins = DATA_FRAME,
         .begins_n = 1,
         .body = STR("data frame began here")},
        {.context = STR("Book"),
         .title = STR("Book"),
         .body = STR("deep water book")},
        {.context = STR("Other"),
         .begins = TWO,
         .begins_n = 2,
         .body = STR("nothing of it here")},
        {.context = STR("Book"), .body = STR("book book deep")},
    };
    struct lex_builder *b = lex_builder_open(NULL);
    struct index x;

    for (size_t i = 0; i < NELEMS(rows); i++)
        lex_builder_add(b, &rows[i]);
    x = index_write(b);
    lex_builder_close(b);
    return x;
}

static void a_row_that_a_heading_begins_in_comes_first(void **state)
{
    static const struct {
        const char *query;
        uint32_t first;
    } V[] = {
        {"data frame", 2},
        {"2.1 Data Frames", 2},
        {"Chapter 7: data frame", 2},
        {"as data frame", 1},
        {"deep water", 4},

        {"book", 3},
        {"\"deep water\"", 4},
    };
    struct arena *a = arena_open();
    struct index x = index_of_headings();
    struct answer r;

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++)
        assert_int_equal(ask(&x, V[i].query, a).hits[0].row, V[i].first);
    r = ask(&x, "frame data", a); /* words alone: those it begins in */
    ASSERT_ROWS(&r, 1, 2, 0);
    index_drop(&x);
    arena_close(a);
}

static void a_phrase_ends_with_its_heading(void **state)
{
    static const char *const NOWHERE[] = {"\"other deep\"", "\"water nothing\"",
                                          "\"frame data\""};
    struct arena *a = arena_open();
    struct index x = index_of_headings();

    (void)state;
    for (size_t i = 0; i < NELEMS(NOWHERE); i++)
        assert_int_equal(ask(&x, NOWHERE[i], a).n, 0);
    index_drop(&x);
    arena_close(a);
}

static void a_whole_heading_makes_no_row_longer(void **state)
{
    struct index x = index_of_headings();

    (void)state;
    assert_int_equal(x.lex->norms[3], LEX_CONTEXT_WEIGHT + 3);
    assert_int_equal(x.lex->norms[4], LEX_CONTEXT_WEIGHT * 4 + 4);
    index_drop(&x);
}

static void a_heading_too_long_is_known_by_its_beginning(void **state)
{
    struct heading_term h = {.n = 0};

    (void)state;
    for (size_t i = 0; i < 40; i++)
        heading_term_add(&h, i % 2 == 0 ? STR("five5") : STR("sevenn7"));
    assert_int_equal(h.n, 4 * (6 + 8) + 6);
    heading_term_add(&h, STR("x")); /* would fit, but would be another's */
    assert_int_equal(h.n, 4 * (6 + 8) + 6);
}

static void a_listing_comes_last(void **state)
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct arena *a = arena_open();
    struct index x;
    struct answer r;

    (void)state;
    lex_builder_add(b, &(struct lex_row){.body = STR("valve pump 3 pump 4"),
                                         .listing = true});
    row_add(b, STR(""), STR("one pump in many words of another matter"));
    row_add(b, STR(""), STR("engine"));
    x = index_write(b);
    lex_builder_close(b);
    r = ask(&x, "pump", a);
    ASSERT_ROWS(&r, 1, 0);
    r = ask(&x, "valve", a); /* what only it has is found */
    ASSERT_ROWS(&r, 0);
    index_drop(&x);
    arena_close(a);
}

static void an_empty_index_answers_nothing(void **state)
{
    struct arena *a = arena_open();
    struct index x = index_make(NULL, 0);
    struct answer r = ask(&x, "anything \"at all\"", a);

    (void)state;
    assert_int_equal(r.n, 0);
    assert_int_equal(lex_terms(x.lex), 0);
    index_drop(&x);
    arena_close(a);
}

static void equal_scores_rank_by_segment_and_row(void **state)
{
    static const struct row V[] = {{"", "same words"}, {"", "same words"}};
    struct arena *a = arena_open();
    struct index x[2] = {index_make(V, 2), index_make(V, 2)};
    struct answer r =
        ask_all(x, 2, (struct question){.text = "words same", .k = 3}, a);

    (void)state;
    ASSERT_ROWS(&r, 0, 1, 0);
    assert_int_equal(r.hits[1].segment, 0);
    assert_int_equal(r.hits[2].segment, 1);
    index_drop(&x[0]);
    index_drop(&x[1]);
    arena_close(a);
}

static void stop_words_count_in_short_queries_and_quotes(void **state)
{
    static const struct {
        const char *text;
        size_t terms_n, phrases_n; /* the whole as a heading among them */
    } V[] = {
        {"the who", 3, 0},
        {"to be or not to be", 5, 0}, /* nothing else remains */
        {"the history of rome", 3, 0},
        {"\"the history\" of rome", 4, 1},
        {"history \"of rome", 3, 0}, /* one quote opens nothing */
        {"\"a b\" \"c d\"", 5, 2},
        {"rome rome rome", 2, 0},
        {"", 0, 0},
    };
    struct analyser *analyser = analyser_open();
    struct arena *a = arena_open();

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++) {
        struct lex_query q;

        lex_query_parse(analyser, str_of(V[i].text), a, &q);
        assert_int_equal(q.terms_n, V[i].terms_n);
        assert_true(i + 1 == NELEMS(V) ||
                    q.terms[q.terms_n - 1].term.p[0] == HEADING_SIGN);
        assert_int_equal(q.phrases_n, V[i].phrases_n);
    }
    analyser_close(analyser);
    arena_close(a);
}

static void a_query_term_knows_its_word_and_times(void **state)
{
    struct analyser *analyser = analyser_open();
    struct arena *a = arena_open();
    struct lex_query q;

    (void)state;
    lex_query_parse(analyser, STR("Engines engine pump"), a, &q);
    assert_int_equal(q.terms_n, 3);
    assert_true(str_eq(q.terms[0].word, STR("Engines")));
    assert_int_equal(q.terms[0].times, 2);
    assert_int_equal(q.terms[1].times, 1);
    assert_true(str_eq(q.terms[2].term, STR("=engin engin pump")));
    assert_true(str_eq(q.terms[2].word, STR("heading: Engines engine pump")));
    analyser_close(analyser);
    arena_close(a);
}

static void terms_past_the_limit_are_ignored(void **state)
{
    struct analyser *analyser = analyser_open();
    struct arena *a = arena_open();
    struct buf b = {0};
    struct lex_query q;

    (void)state;
    for (int i = 0; i < 200; i++)
        buf_fmt(&b, "\"w%d x%d\" ", i, i);
    lex_query_parse(analyser, buf_str(&b), a, &q);
    assert_int_equal(q.terms_n, QUERY_TERMS_MAX);
    for (size_t p = 0; p < q.phrases_n; p++)
        for (size_t i = 0; i < q.phrases[p].n; i++)
            assert_true(q.phrases[p].terms[i] < QUERY_TERMS_MAX);
    buf_close(&b);
    analyser_close(analyser);
    arena_close(a);
}

static void phrases_ask_for_neighbours_in_order(void **state)
{
    static const struct row V[] = {
        {"", "new york is not old york"},           {"", "york new"},
        {"brand new", "york seen from new jersey"}, /* not across fields */
        {"", "old york and new york new york"},     {"new york", "a guide"},
    };
    struct arena *a = arena_open();
    struct index x = index_make(V, NELEMS(V));
    struct answer r = ask(&x, "\"new york\"", a);
    uint32_t found = 0;

    (void)state;
    assert_int_equal(r.n, 3);
    for (size_t i = 0; i < r.n; i++)
        found |= 1u << r.hits[i].row;
    assert_int_equal(found, 1u << 0 | 1u << 3 | 1u << 4);
    r = ask(&x, "\"new york\" \"old york\"", a);
    assert_int_equal(r.n, 2);
    r = ask(&x, "\"new york new york\"", a);
    ASSERT_ROWS(&r, 3);
    r = ask(&x, "\"new york\" jersey", a);
    assert_int_equal(r.n, 3);
    r = ask(&x, "\"new amsterdam\" york", a);
    assert_int_equal(r.n, 0);
    r = ask(&x, "\"guide\" york", a);
    ASSERT_ROWS(&r, 4);
    index_drop(&x);
    arena_close(a);
}

/* ---- random ones ---- */

/* Zipf's law, roughly: word w of `words` with chance ~ 1/w. */
static uint32_t random_word(struct rng *r, uint32_t words)
{
    double u = (double)(rng_next(r) >> 11) / 9007199254740992.0;

    return (uint32_t)exp(u * log((double)words));
}

struct random_opts {
    uint64_t seed;
    uint32_t rows, words, length_max;
    bool clustered; /* rows near each other share words */
};

static void random_text(struct rng *r, struct random_opts o, uint32_t row,
                        struct buf *b)
{
    uint32_t n = (uint32_t)rng_below(r, o.length_max + 1);

    buf_clear(b);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = random_word(r, o.words);

        if (o.clustered && rng_below(r, 4) == 0)
            w = row / 200 % o.words;
        buf_fmt(b, "w%u ", (unsigned)w);
    }
}

static void random_add(struct lex_builder *b, struct rng *r,
                       struct random_opts o, uint32_t row)
{
    struct buf context = {0}, body = {0};
    struct lex_row x = {.listing = row % 11 == 0};
    str begins[2];

    random_text(r, o, row, &body);
    o.length_max = row % 3 == 0 ? 4 : 0;
    random_text(r, o, row, &context);
    x.context = begins[0] = begins[1] = buf_str(&context);
    x.body = buf_str(&body);
    x.title = row % 6 == 0 ? x.context : STR_NONE;
    x.begins = begins;
    x.begins_n = row % 5 == 0 ? row % 3 : 0;
    lex_builder_add(b, &x);
    buf_close(&context);
    buf_close(&body);
}

static struct index random_index(struct random_opts o)
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct rng r = rng_seeded(o.seed);
    struct index x;

    for (uint32_t row = 0; row < o.rows; row++)
        random_add(b, &r, o, row);
    x = index_write(b);
    lex_builder_close(b);
    return x;
}

static const char *random_query(struct rng *r, uint32_t words, struct arena *a)
{
    size_t n = 1 + (size_t)rng_below(r, rng_below(r, 8) == 0 ? 40 : 5);
    struct buf b = {0};
    const char *text;
    bool quoted = rng_below(r, 8) == 0;

    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%sw%u%s ", quoted && i == 0 ? "\"" : "",
                (unsigned)random_word(r, words * 2),
                quoted && i + 1 == (n > 2 ? 2 : n) ? "\"" : "");
    text = arena_cstr(a, buf_str(&b));
    buf_close(&b);
    return text;
}

static const struct random_opts RANDOM[] = {
    {.seed = 1, .rows = 1, .words = 5, .length_max = 10},
    {.seed = 2, .rows = 127, .words = 3, .length_max = 10},
    {.seed = 3, .rows = 128, .words = 3, .length_max = 10},
    {.seed = 4, .rows = 2000, .words = 50, .length_max = 40},
    {.seed = 5, .rows = 5000, .words = 1000, .length_max = 30},
    {.seed = 6,
     .rows = 20000,
     .words = 300,
     .length_max = 12,
     .clustered = true},
};

static void searches_equal_the_oracle(void **state)
{
    (void)state;
    for (size_t c = 0; c < NELEMS(RANDOM); c++) {
        struct index x = random_index(RANDOM[c]);
        struct rng r = rng_seeded(RANDOM[c].seed + 100);
        struct arena *a = arena_open();

        for (int i = 0; i < 150; i++) {
            struct arena_mark mark = arena_mark(a);
            struct question o = {
                .text = random_query(&r, RANDOM[c].words, a),
                .k = 1 + (uint32_t)rng_below(&r, i % 10 == 0 ? 1000 : 20)};
            struct answer fast = ask_all(&x, 1, o, a), slow;

            o.exhaustive = true;
            slow = ask_all(&x, 1, o, a);
            assert_same_hits(&fast, &slow);
            arena_rewind(a, mark);
        }
        index_drop(&x);
        arena_close(a);
    }
}

static void filtered_rows_are_never_found(void **state)
{
    static const unsigned KEEP[] = {1, 2, 50, 3000};
    struct index x = random_index(RANDOM[5]);
    uint32_t rows = lex_rows(x.lex);
    struct rng r = rng_seeded(7);
    struct arena *a = arena_open();
    _Atomic uint64_t *bits = arena_alloc(a, (rows / 64 + 1) * 8);

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct arena_mark mark = arena_mark(a);
        struct question o = {.text = random_query(&r, 300, a), .filter = bits};
        struct answer fast, slow;

        for (uint32_t row = 0; row < rows; row++)
            if (row % 64 == 0)
                atomic_store(&bits[row / 64], 0);
        for (uint32_t row = 0; row < rows; row++)
            if (rng_below(&r, KEEP[i % 4]) == 0)
                atomic_fetch_or(&bits[row / 64], (uint64_t)1 << row % 64);
        fast = ask_all(&x, 1, o, a);
        o.exhaustive = true;
        slow = ask_all(&x, 1, o, a);
        assert_same_hits(&fast, &slow);
        for (size_t h = 0; h < fast.n; h++)
            assert_true(filter_has(bits, fast.hits[h].row));
        arena_rewind(a, mark);
    }
    index_drop(&x);
    arena_close(a);
}

static void parts_add_up_to_the_score(void **state)
{
    struct index x = random_index(RANDOM[4]);
    struct rng r = rng_seeded(8);
    struct arena *a = arena_open();

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct answer v = ask(&x, random_query(&r, 1000, a), a);

        for (size_t h = 0; h < v.n; h++) {
            float parts[QUERY_TERMS_MAX], sum = 0;

            lex_explain(x.lex, &v.q, &v.st, v.hits[h].row, parts);
            for (size_t t = 0; t < v.q.terms_n; t++)
                sum += parts[t];
            assert_memory_equal(&sum, &v.hits[h].score, sizeof sum);
        }
    }
    index_drop(&x);
    arena_close(a);
}

static void assert_same_sections(const struct index *x, const struct index *y)
{
    static const char *const IDS[] = {"POST", "DICT", "DIDX", "NORM", "LEXI"};

    for (size_t i = 0; i < NELEMS(IDS); i++)
        assert_true(str_eq(seg_find(x->seg, IDS[i]), seg_find(y->seg, IDS[i])));
}

static struct index merge(const struct index *from, uint32_t *const *to,
                          size_t n, uint32_t rows)
{
    const struct lex *v[8];
    const uint32_t *maps[8];
    struct seg_writer *w = NULL;
    struct err e;
    char path[64];

    for (size_t i = 0; i < n; i++) {
        v[i] = from[i].lex;
        maps[i] = to[i];
    }
    index_path(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(lex_merge(v, maps, n, rows, w, &e), RC_OK);
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    return index_of_file(path);
}

/* Rows dealt to three builders and to one that has them all but the dropped;
 * merging the three gives the bytes of the one. `apart`: in whole stretches,
 * as segments are; else each row to any. */
static void merge_and_compare(bool apart, uint32_t drop_one_in)
{
    const struct random_opts o = RANDOM[3];
    struct lex_builder *part[3], *whole = lex_builder_open(NULL);
    struct rng r = rng_seeded(o.seed), deal = rng_seeded(9), copy;
    struct index x[3], merged, wanted;
    uint32_t *to[3], rows = 0;

    for (size_t i = 0; i < 3; i++) {
        part[i] = lex_builder_open(NULL);
        to[i] = mem_alloc(o.rows * sizeof **to);
    }
    for (uint32_t row = 0; row < o.rows; row++) {
        size_t i = apart ? row * 3 / o.rows : (size_t)rng_below(&deal, 3);
        uint32_t number = lex_builder_rows(part[i]);

        copy = r;
        random_add(part[i], &r, o, row);
        to[i][number] = LEX_ROW_DROP;
        if (drop_one_in > 0 && rng_below(&deal, drop_one_in) == 0)
            continue;
        random_add(whole, &copy, o, row);
        to[i][number] = rows++;
    }
    for (size_t i = 0; i < 3; i++)
        x[i] = index_write(part[i]);
    wanted = index_write(whole);
    merged = merge(x, to, 3, rows);
    assert_same_sections(&merged, &wanted);
    for (size_t i = 0; i < 3; i++) {
        index_drop(&x[i]);
        lex_builder_close(part[i]);
        mem_free(to[i]);
    }
    index_drop(&merged);
    index_drop(&wanted);
    lex_builder_close(whole);
}

static void a_merge_equals_a_rebuild(void **state)
{
    (void)state;
    merge_and_compare(true, 0);
    merge_and_compare(true, 3);
    merge_and_compare(false, 0);
    merge_and_compare(false, 5);
    merge_and_compare(true, 1); /* nothing left */
}

static void segments_together_rank_like_one(void **state)
{
    const struct random_opts o = RANDOM[3];
    struct lex_builder *part[2] = {lex_builder_open(NULL),
                                   lex_builder_open(NULL)};
    struct lex_builder *whole = lex_builder_open(NULL);
    struct rng r = rng_seeded(o.seed), copy;
    struct index x[2], y;
    struct arena *a = arena_open();

    (void)state;
    for (uint32_t row = 0; row < o.rows; row++) {
        copy = r;
        random_add(part[row >= 700], &r, o, row);
        random_add(whole, &copy, o, row);
    }
    x[0] = index_write(part[0]);
    x[1] = index_write(part[1]);
    y = index_write(whole);
    for (int i = 0; i < 50; i++) {
        struct question q = {.text = random_query(&r, o.words, a)};
        struct answer two = ask_all(x, 2, q, a), one = ask_all(&y, 1, q, a);

        assert_int_equal(two.n, one.n);
        for (size_t h = 0; h < one.n; h++)
            assert_int_equal(two.hits[h].row + 700 * two.hits[h].segment,
                             one.hits[h].row);
    }
    index_drop(&x[0]);
    index_drop(&x[1]);
    index_drop(&y);
    for (size_t i = 0; i < 2; i++)
        lex_builder_close(part[i]);
    lex_builder_close(whole);
    arena_close(a);
}

/* ---- damage ---- */

/* Each byte flipped: either opening says so, or answers stay what they were. */
static void damage_is_seen_or_harmless(void **state)
{
    struct arena *a = arena_open();
    struct index x = random_index((struct random_opts){
        .seed = 11, .rows = 200, .words = 20, .length_max = 8});
    struct lex_builder *b = lex_builder_open(NULL);
    struct rng r = rng_seeded(11);
    struct seg_writer *w = NULL;
    struct answer wanted = ask(&x, "w1 w2 w7", a);
    struct err e;
    char path[64], *copy;
    str bytes;

    (void)state;
    for (uint32_t row = 0; row < 200; row++)
        random_add(b, &r, (struct random_opts){.words = 20, .length_max = 8},
                   row);
    index_path(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(lex_builder_write(b, w, &e), RC_OK);
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    assert_int_equal(file_read(path, MIB, a, &bytes, &e), RC_OK);
    copy = arena_cstr(a, bytes);
    for (size_t i = 0; i < bytes.n; i++) {
        struct index y = {0};
        rc code;

        copy[i] ^= 0x5a;
        code = seg_open_bytes((str){copy, bytes.n}, false, &y.seg, &e);
        if (code == RC_OK)
            code = lex_open(y.seg, &y.lex, &e);
        if (code == RC_OK) {
            struct answer got = ask(&y, "w1 w2 w7", a);

            assert_same_hits(&got, &wanted);
        } else {
            assert_int_equal(code, RC_CORRUPT);
        }
        index_drop(&y);
        copy[i] ^= 0x5a;
    }
    assert_int_equal(unlink(path), 0);
    lex_builder_close(b);
    index_drop(&x);
    arena_close(a);
}

/* ---- trouble ---- */

/* Builds, writes, opens and merges; what fails must have been planned. */
static rc build_and_merge(const char *path, const str texts[300])
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct seg_writer *w = NULL;
    struct index x = {0};
    uint32_t to[2][300];
    const uint32_t *maps[2] = {to[0], to[1]};
    const struct lex *from[2];
    struct err e = {0};
    rc code;

    for (uint32_t row = 0; row < 300; row++) {
        row_add(b, STR("title"), texts[row]);
        to[0][row] = 2 * row;
        to[1][row] = 2 * row + 1;
    }
    code = seg_writer_open(path, &w, &e);
    if (code == RC_OK)
        code = lex_builder_write(b, w, &e);
    if (code == RC_OK)
        code = seg_writer_end(w, NULL, &e);
    seg_writer_close(w);
    w = NULL;
    if (code == RC_OK)
        code = seg_open(path, &x.seg, &e);
    if (code == RC_OK)
        code = lex_open(x.seg, &x.lex, &e);
    if (code == RC_OK)
        code = seg_writer_open(path, &w, &e);
    if (code == RC_OK) {
        from[0] = from[1] = x.lex;
        code = lex_merge(from, maps, 2, 600, w, &e);
    }
    if (code == RC_OK)
        code = seg_writer_end(w, NULL, &e);
    if (code != RC_OK)
        assert_true(e.code == code && e.text[0] != '\0');
    seg_writer_close(w);
    index_drop(&x);
    lex_builder_close(b);
    return code;
}

/* Each call of the kind fails in turn, until none is left to fail. */
static void fail_each(const char *kinds, const char *name, rc wanted)
{
    char path[64], tmp_path[80], plan[64];
    struct arena *a = arena_open();
    struct rng r = rng_seeded(12);
    struct buf b = {0};
    str texts[300];
    rc code = wanted;

    for (uint32_t i = 0; i < 300; i++) {
        random_text(&r, (struct random_opts){.words = 400, .length_max = 60}, i,
                    &b);
        texts[i] = arena_str(a, buf_str(&b));
    }
    buf_close(&b);
    index_path(path);
    (void)snprintf(tmp_path, sizeof tmp_path, "%s.tmp", path);
    for (unsigned k = 1; code != RC_OK; k++) {
        struct seg *s = NULL;
        struct err e;

        (void)snprintf(plan, sizeof plan, "fail@%u:%s:%s", k, name, kinds);
        io_plan_set(plan);
        code = build_and_merge(path, texts);
        io_plan_set(NULL);
        assert_true(code == RC_OK || code == wanted);
        assert_false(file_exists(tmp_path));
        if (file_exists(path)) { /* then it is whole */
            assert_int_equal(seg_open(path, &s, &e), RC_OK);
            seg_close(s);
            assert_int_equal(unlink(path), 0);
        }
    }
    arena_close(a);
}

static void no_memory_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    fail_each("alloc", "ENOMEM", RC_NOMEM);
}

static void a_disk_that_fails_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    fail_each("pwrite", "ENOSPC", RC_NOSPACE);
    fail_each("fsync", "EIO", RC_IO);
    fail_each("rename", "EIO", RC_IO);
    fail_each("open,mmap", "EIO", RC_IO);
}

static void another_version_is_unsupported(void **state)
{
    struct seg_writer *w = NULL;
    struct seg *s = NULL;
    struct lex *x = NULL;
    struct err e;
    char path[64];
    uint8_t info[INFO_BYTES + LEX_SLACK] = {LEX_VERSION + 1};

    (void)state;
    index_path(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(seg_section(w, "LEXI", &e), RC_OK);
    assert_int_equal(seg_put(w, info, sizeof info, &e), RC_OK);
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    assert_int_equal(seg_open(path, &s, &e), RC_OK);
    assert_int_equal(lex_open(s, &x, &e), RC_UNSUPPORTED);
    assert_null(x);
    seg_close(s);
    assert_int_equal(unlink(path), 0);
}

static void a_row_of_very_many_words_is_found(void **state)
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct arena *a = arena_open();
    struct buf text = {0};
    struct index x;
    struct answer r;

    (void)state;
    for (int i = 0; i < 300000; i++)
        buf_put(&text, STR("alpha beta "));
    buf_put(&text, STR("omega"));
    row_add(b, STR("alpha"), STR("short"));
    row_add(b, STR("title"), buf_str(&text));
    x = index_write(b);
    r = ask(&x, "omega", a);
    ASSERT_ROWS(&r, 1);
    r = ask(&x, "\"beta omega\"", a);
    ASSERT_ROWS(&r, 1);
    r = ask(&x, "\"alpha omega\"", a);
    assert_int_equal(r.n, 0);
    index_drop(&x);
    lex_builder_close(b);
    buf_close(&text);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_keep_order_and_small_lengths),
        cmocka_unit_test(packed_numbers_come_back),
        cmocka_unit_test(kernels_equal_their_reference),
        cmocka_unit_test(bm25_is_as_worked_by_hand),
        cmocka_unit_test(a_title_weighs_more_than_a_body),
        cmocka_unit_test(numbers_of_headings_are_known),
        cmocka_unit_test(a_row_that_a_heading_begins_in_comes_first),
        cmocka_unit_test(a_phrase_ends_with_its_heading),
        cmocka_unit_test(a_whole_heading_makes_no_row_longer),
        cmocka_unit_test(a_heading_too_long_is_known_by_its_beginning),
        cmocka_unit_test(a_listing_comes_last),
        cmocka_unit_test(an_empty_index_answers_nothing),
        cmocka_unit_test(equal_scores_rank_by_segment_and_row),
        cmocka_unit_test(stop_words_count_in_short_queries_and_quotes),
        cmocka_unit_test(a_query_term_knows_its_word_and_times),
        cmocka_unit_test(terms_past_the_limit_are_ignored),
        cmocka_unit_test(phrases_ask_for_neighbours_in_order),
        cmocka_unit_test(searches_equal_the_oracle),
        cmocka_unit_test(filtered_rows_are_never_found),
        cmocka_unit_test(parts_add_up_to_the_score),
        cmocka_unit_test(a_merge_equals_a_rebuild),
        cmocka_unit_test(segments_together_rank_like_one),
        cmocka_unit_test(damage_is_seen_or_harmless),
        cmocka_unit_test(no_memory_is_said_and_leaves_nothing),
        cmocka_unit_test(a_disk_that_fails_is_said_and_leaves_nothing),
        cmocka_unit_test(another_version_is_unsupported),
        cmocka_unit_test(a_row_of_very_many_words_is_found),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
