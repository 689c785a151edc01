/* Vectors of a base: made behind the words, kept over merges, made again. */
#include "engine_fix.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "engine/search_priv.h"
#include "packed_fix.h"

static struct fix f;
static char models[64];
static struct model *model;
static struct embedder *embedder;

static int models_make(void **state)
{
    struct err e = {0};

    (void)state;
    (void)snprintf(models, sizeof models, "/tmp/knowd-models-XXXXXX");
    assert_non_null(mkdtemp(models));
    model = packed_model(models, "tiny");
    must(embedder_open(model, &embedder, &e), &e);
    return 0;
}

static int models_end(void **state)
{
    (void)state;
    embedder_close(embedder);
    model_close(model);
    fix_remove(models);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    fix_make(&f, false);
    f.model = model_info(model);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fix_end(&f);
    return 0;
}

static struct engine_refined refine(size_t rows_max)
{
    struct engine_refined done;
    struct err e = {0};

    must(engine_refine(f.engine, f.base, model_info(model), embedder, rows_max,
                       NULL, &done, &e),
         &e);
    return done;
}

static void refine_all(void)
{
    for (unsigned i = 0; i < 1000 && refine(64).rows > 0; i++)
        ;
}

static struct engine_result ask(const char *text, struct engine_query q)
{
    float *vector = arena_alloc(f.a, model_info(model)->dims * sizeof *vector);
    str s = str_of(text);
    struct err e = {0};

    must(embed_texts(embedder, EMBED_QUERY, &s, 1, vector, &e), &e);
    q.bases = &f.base;
    q.bases_n = 1;
    q.text = s;
    q.model = model_info(model);
    q.vector = vector;
    if (q.hits_max == 0)
        q.hits_max = 10;
    return fix_search(&f, q);
}

static struct engine_result ask_dense(const char *text)
{
    return ask(text, (struct engine_query){.legs = LEGS_DENSE});
}

/* The files of the base's vectors. */
static size_t files(str **names, char dir[256])
{
    char of[128], base[UUID_TEXT];
    str *folders;
    size_t n = 0;

    (void)snprintf(of, sizeof of, "%s/vectors", f.dir);
    if (file_list(of, 10, f.a, &folders, &n, NULL) != RC_OK || n == 0)
        return 0;
    assert_int_equal(n, 1);
    uuid_text(f.base, base);
    (void)snprintf(dir, 256, "%s/" STR_FMT "/%s", of, STR_ARG(folders[0]),
                   base);
    return file_list(dir, 1000, f.a, names, &n, NULL) == RC_OK ? n : 0;
}

static bool whole(uuid version)
{
    bool is = false;
    struct err e = {0};

    must(
        engine_whole(f.engine, f.base, model_info(model), &version, 1, &is, &e),
        &e);
    return is;
}

/* ---- a vector that comes while the words are found ---- */

struct late {
    const char *text;
    float vector[64];
    rc code;
};

static rc come(void *of, struct err *e)
{
    struct late *l = of;
    str s = str_of(l->text);

    if (l->code != RC_OK)
        return err_set(e, l->code, "no memory to embed");
    return embed_texts(embedder, EMBED_QUERY, &s, 1, l->vector, e);
}

static void a_vector_may_come_late(void **state)
{
    struct late l = {.text = "a b"};
    struct engine_query q = {.bases = &f.base,
                             .bases_n = 1,
                             .text = STR("a b"),
                             .model = model_info(model),
                             .vector = l.vector,
                             .vector_wait = come,
                             .vector_of = &l,
                             .dense_weight = 0.5F,
                             .hits_max = 10};
    struct engine_result plain, late;
    struct err e = {0};

    (void)state;
    (void)fix_put(&f, f.base, "One", "a b walrus");
    (void)fix_put(&f, f.base, "Two", "de b");
    refine_all();
    plain = ask("a b", (struct engine_query){.dense_weight = 0.5F});
    late = fix_search(&f, q);
    assert_int_equal(plain.hits_n, 2);
    assert_int_equal(late.hits_n, plain.hits_n);
    for (size_t i = 0; i < plain.hits_n; i++) {
        assert_true(uuid_eq(late.hits[i].document, plain.hits[i].document));
        assert_memory_equal(&late.hits[i].score, &plain.hits[i].score,
                            sizeof plain.hits[i].score);
    }
    assert_string_equal(late.stages[2].stage, "embed");

    /* one that doesn't come is the search's error */
    l.code = RC_NOMEM;
    assert_int_equal(search_try(&f, &q, &late, &e), RC_NOMEM);
    assert_string_equal(e.text, "no memory to embed");
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void the_nth_is_where_sorting_puts_it(void **state)
{
    float v[300], sorted[300];
    uint64_t seed = 1;

    (void)state;
    for (size_t round = 0; round < 3000; round++) {
        size_t n = 1 + round % 300, k = round * 7 % n;

        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            /* equal ones, ascending ones, any */
            v[i] = round % 3 == 0   ? (float)(seed >> 62)
                   : round % 3 == 1 ? (float)i
                                    : (float)(seed >> 40);
            sorted[i] = v[i];
        }
        qsort(sorted, n, sizeof *sorted, compare);
        assert_true(nth_of(v, (ptrdiff_t)n, (ptrdiff_t)k) >= sorted[k] &&
                    nth_of(v, (ptrdiff_t)n, (ptrdiff_t)k) <= sorted[k]);
    }
}

static void what_has_no_vector_is_found_by_its_words(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a b walrus\nde b");
    struct engine_result r;

    (void)state;
    assert_false(whole(p.version));
    assert_int_equal(ask_dense("a b").hits_n, 0);
    r = ask("walrus", (struct engine_query){.dense_weight = 0.5F});
    assert_int_equal(r.hits_n, 1);
    /* a leg that offers nothing leaves its weight to the other */
    assert_true(r.hits[0].score > 0.999F);
}

static void refined_rows_are_found_by_their_vectors(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a b a\nde de\n, , a");
    struct engine_refined done = refine(64);
    struct engine_result r;

    (void)state;
    assert_int_equal(done.rows, 3);
    assert_int_equal(done.left, 0);
    assert_true(whole(p.version));
    r = ask_dense("a b a");
    assert_int_equal(r.hits_n, 3);
    for (size_t i = 1; i < 3; i++)
        assert_true(r.hits[i - 1].score >= r.hits[i].score);
    assert_int_equal(refine(64).rows, 0);
}

static void a_step_takes_so_many_rows_and_says_what_is_left(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a\nb\nde\na b\nb a");
    struct engine_refined done = refine(2);

    (void)state;
    assert_int_equal(done.rows, 2);
    assert_int_equal(done.left, 3);
    assert_false(whole(p.version));
    refine_all();
    assert_true(whole(p.version));
}

static void vectors_are_there_after_a_restart(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a b\nde de");

    (void)state;
    refine_all();
    fix_reopen(&f);
    assert_true(whole(p.version));
    assert_int_equal(ask_dense("a").hits_n, 2);
}

static void what_a_merge_moves_keeps_its_vectors(void **state)
{
    struct put p[10];
    struct engine_stats before, after;
    struct err e = {0};
    char text[32];

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        (void)snprintf(text, sizeof text, "a b number%zu", i);
        p[i] = fix_put(&f, f.base, "Doc", arena_cstr(f.a, str_of(text)));
        refine_all();
    }
    engine_stats(f.engine, &before);
    must(engine_settle(f.engine, clock_mono_ns() + (int64_t)20000000000, &e),
         &e);
    engine_stats(f.engine, &after);
    assert_true(after.segments < before.segments);
    for (size_t i = 0; i < 10; i++)
        assert_true(whole(p[i].version));
    assert_int_equal(refine(64).rows, 0);
    assert_int_equal(ask_dense("a b").hits_n, 10);
}

static void files_of_vectors_are_merged(void **state)
{
    char dir[256], text[32];
    struct err e = {0};
    str *names;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "a b number%zu", i);
        (void)fix_put(&f, f.base, "Doc", arena_cstr(f.a, str_of(text)));
        assert_int_equal(refine(64).rows, 1);
    }
    must(engine_settle(f.engine, clock_mono_ns() + (int64_t)20000000000, &e),
         &e);
    assert_true(files(&names, dir) < 8);
    assert_int_equal(refine(64).rows, 0);
    assert_int_equal(ask_dense("a b").hits_n, 10);
    fix_reopen(&f);
    assert_int_equal(refine(64).rows, 0);
}

static void a_text_that_comes_again_has_its_vector(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a b\nde de"), again;

    (void)state;
    refine_all();
    again = fix_put(&f, f.base, "One", "a b\nde de");
    assert_true(whole(again.version));
    fix_delete(&p);
    assert_int_equal(ask_dense("a").hits_n, 2);
}

static void a_damaged_file_is_made_again(void **state)
{
    struct put p = fix_put(&f, f.base, "One", "a b\nde de");
    struct engine_stats st;
    char dir[256], path[300];
    str *names;
    int fd;

    (void)state;
    refine_all();
    assert_int_equal(files(&names, dir), 1);
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[0]));
    fix_close(&f);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "damage", 6, 64), 6);
    assert_int_equal(close(fd), 0);
    fix_open(&f);
    assert_int_equal(ask_dense("a").hits_n, 0);
    assert_int_equal(
        ask("de", (struct engine_query){.dense_weight = 0.5F}).hits_n, 1);
    engine_stats(f.engine, &st);
    assert_int_equal(st.rebuilt, 1);
    assert_int_equal(refine(64).rows, 2);
    assert_true(whole(p.version));
    assert_int_equal(ask_dense("a").hits_n, 2);
}

static void count(void *arg, uuid base)
{
    (void)base;
    atomic_fetch_add((atomic_uint *)arg, 1);
}

/* A byte of a key. */
static void flip(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t b;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, 130), 1);
    b ^= 0x10;
    assert_int_equal(pwrite(fd, &b, 1, 130), 1);
    assert_int_equal(close(fd), 0);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void unlinked(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

/* The keeper looks at it while it is open; a file beside it stays. */
static void file_heals(void (*damage)(const char *path))
{
    atomic_uint told = 0;
    struct engine_stats st;
    char dir[256], path[300];
    struct put p;
    str *names;

    f.verify_ns = 1;
    f.on_lacking = count;
    f.arg = &told;
    fix_reopen(&f);
    p = fix_put(&f, f.base, "One", "a b\nde de");
    refine_all();
    (void)fix_put(&f, f.base, "Two", "b a");
    refine_all();
    assert_int_equal(ask_dense("a").hits_n, 3);
    assert_int_equal(files(&names, dir), 2);
    (void)snprintf(path, sizeof path, "%s/" STR_FMT, dir, STR_ARG(names[0]));
    atomic_store(&told, 0);
    damage(path);
    fix_settle(&f);
    assert_true(atomic_load(&told) > 0);
    assert_false(file_exists(path));
    assert_int_equal(ask_dense("a").hits_n, 1);
    assert_int_equal(
        ask("de", (struct engine_query){.legs = LEGS_LEXICAL}).hits_n, 1);
    assert_false(whole(p.version));
    assert_int_equal(refine(64).rows, 2);
    assert_true(whole(p.version));
    assert_int_equal(ask_dense("a").hits_n, 3);
    fix_settle(&f);
    engine_stats(f.engine, &st);
    assert_int_equal(st.rebuilt, 1);
}

static void an_open_file_that_is_damaged_is_made_again(void **state)
{
    (void)state;
    file_heals(flip);
}

static void an_open_file_that_is_cut_is_made_again(void **state)
{
    (void)state;
    file_heals(cut);
}

static void an_open_file_that_is_gone_is_made_again(void **state)
{
    (void)state;
    file_heals(unlinked);
}

static void what_merges_remove_is_not_lost(void **state)
{
    struct engine_stats st;
    char text[32];

    (void)state;
    f.verify_ns = 1;
    fix_reopen(&f);
    for (size_t i = 0; i < 40; i++) {
        struct put p;

        (void)snprintf(text, sizeof text, "a b number%zu", i);
        p = fix_put(&f, f.base, "Doc", arena_cstr(f.a, str_of(text)));
        assert_int_equal(refine(64).rows, 1);
        if (i % 3 == 0)
            fix_delete(&p);
        if (i % 10 == 9)
            fix_settle(&f);
    }
    engine_stats(f.engine, &st);
    assert_true(st.merges > 0);
    assert_int_equal(st.rebuilt, 0);
    assert_int_equal(ask_dense("a b").hits_n, 10);
}

static void another_models_rows_are_found_by_words_alone(void **state)
{
    struct model_info other = *model_info(model);

    (void)state;
    other.identity.b[0] ^= 1;
    f.model = &other;
    (void)fix_put(&f, f.base, "One", "a b walrus");
    assert_int_equal(refine(64).rows, 0);
    assert_int_equal(ask_dense("a b walrus").hits_n, 0);
    assert_int_equal(
        ask("walrus", (struct engine_query){.dense_weight = 0.5F}).hits_n, 1);
}

static void scores_are_the_same(bool by_rank)
{
    struct engine_query q = {
        .dense_weight = 0.5F, .hits_max = 150, .by_rank = by_rank};
    struct engine_result all = ask("a seal walrus3", q), some;

    assert_int_equal(all.hits_n, 150);
    for (q.hits_max = 1; q.hits_max <= 8; q.hits_max++) {
        some = ask("a seal walrus3", q);
        assert_int_equal(some.hits_n, q.hits_max);
        for (size_t i = 0; i < some.hits_n; i++) {
            assert_true(some.hits[i].score >= all.hits[i].score &&
                        some.hits[i].score <= all.hits[i].score);
            assert_true(uuid_eq(some.hits[i].document, all.hits[i].document));
        }
    }
}

static void scores_do_not_depend_on_how_many_are_asked_for(void **state)
{
    char text[64];

    (void)state;
    for (size_t i = 0; i < 150; i++) {
        (void)snprintf(text, sizeof text, "%s%s walrus%zu",
                       i % 3 == 0 ? "a b " : "de ", i % 5 == 0 ? "seal" : "",
                       i % 7);
        (void)fix_put(&f, f.base, "Doc", arena_cstr(f.a, str_of(text)));
    }
    refine_all();
    scores_are_the_same(false);
    scores_are_the_same(true);
}

/* Behind the ranks that count what is equal by rank is ordered by what is said
 * of it else. */
static void what_has_no_rank_is_in_order(void **state)
{
    enum { N = 1300 };
    struct engine_result r;
    char text[64];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(text, sizeof text, "walrus%.*s", (int)(i * 7 % N / 30),
                       " a b a b a b a b a b a b a b a b a b a b a b a b a b");
        (void)fix_put(&f, f.base, "Doc", arena_cstr(f.a, str_of(text)));
    }
    r = ask("walrus", (struct engine_query){
                          .hits_max = N, .by_rank = true, .explain = true});
    assert_int_equal(r.hits_n, N);
    for (size_t i = 1; i < N; i++)
        assert_true(r.hits[i].legs[0].raw <= r.hits[i - 1].legs[0].raw);
    assert_true(r.hits[1000].score > 0);
    assert_true(r.hits[1200].score <= 0);
}

/* The first of a leg has all of its weight, the next 61 of 62 parts. */
static void ranks_make_scores(void **state)
{
    struct engine_result r;

    (void)state;
    (void)fix_put(&f, f.base, "One", "walrus");
    (void)fix_put(&f, f.base, "Two", "walrus and a house full of other things");
    (void)fix_put(&f, f.base, "Three", "seal");
    r = ask("walrus", (struct engine_query){.hits_max = 3, .by_rank = true});
    assert_int_equal(r.hits_n, 2);
    assert_true(fabsf(r.hits[0].score - 1) < 1e-6F);
    assert_true(fabsf(r.hits[1].score - 61.0F / 62) < 1e-6F);
}

static void contributions_add_up_to_the_score(void **state)
{
    struct engine_result r;

    (void)state;
    (void)fix_put(&f, f.base, "One", "a b walrus\nde seal\nb b walrus");
    refine_all();
    r = ask("a walrus",
            (struct engine_query){.dense_weight = 0.25F, .explain = true});
    assert_int_equal(r.hits_n, 3);
    for (size_t i = 0; i < r.hits_n; i++) {
        const struct engine_hit *h = &r.hits[i];
        float sum = 0;

        assert_int_equal(h->legs_n, 2);
        for (size_t k = 0; k < 2; k++) {
            sum += h->legs[k].contribution;
            assert_true(h->legs[k].normalized >= 0 &&
                        h->legs[k].normalized <= 1);
        }
        assert_true(sum - h->score < 1e-6F && h->score - sum < 1e-6F);
        assert_true(h->legs[0].weight > 0.749F && h->legs[0].weight < 0.751F);
    }
}

static const char *const TOKENS[] = {"a", "b", "de", ",", "一", "ac", "walrus"};

/* Ten tokens by chance, a document each. */
static struct put put_tokens(struct rng *chance)
{
    str text = STR("");

    for (size_t i = 0; i < 10; i++)
        text = arena_fmt(f.a, STR_FMT "%s ", STR_ARG(text),
                         TOKENS[rng_below(chance, NELEMS(TOKENS))]);
    return fix_put(&f, f.base, "Doc", text.p);
}

/* Each chunk's share of the vectors' leg, by its index; beside: of how many it is
 * a neighbour's. */
static size_t normals(struct engine_query q, float of[], size_t n)
{
    struct engine_result r;
    size_t beside = 0;

    q.hits_max = n;
    q.explain = true;
    r = ask("a b de 一 walrus", q);
    assert_int_equal(r.hits_n, n);
    for (size_t i = 0; i < n; i++) {
        of[r.hits[i].chunk_index] = r.hits[i].legs[DENSE].normalized;
        beside += r.hits[i].legs[DENSE].beside;
    }
    return beside;
}

/* What the vectors' leg says of each of these documents of one chunk: raw and
 * normalized in turns; as many hits as documents. */
static void said(struct engine_query q, const struct put p[], size_t n,
                 float of[])
{
    struct engine_result r;

    q.hits_max = n;
    q.explain = true;
    r = ask("a b de 一 walrus", q);
    assert_int_equal(r.hits_n, n);
    for (size_t i = 0; i < n; i++) {
        const struct engine_hit *h = NULL;

        for (size_t k = 0; k < n; k++)
            if (uuid_eq(r.hits[k].document, p[i].document))
                h = &r.hits[k];
        assert_non_null(h);
        of[2 * i] = h->legs[DENSE].raw;
        of[2 * i + 1] = h->legs[DENSE].normalized;
    }
}

static const struct engine_query SAID[] = {
    {.legs = LEGS_DENSE},
    {.dense_weight = 0.5F},
    {.legs = LEGS_DENSE, .exhaustive = true},
};

/* What a leg's scores are scaled between is the base's and the best hit's, not
 * what else may be found. */
static void a_filter_leaves_what_vectors_say(void **state)
{
    enum { N = 400 };
    struct rng chance = rng_seeded(5);
    struct put p[N], some[N];
    float all[2 * N], part[2 * N];
    uuid only[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        p[i] = put_tokens(&chance);
    refine_all();
    for (size_t k = 0; k < NELEMS(SAID); k++) {
        struct engine_query q = SAID[k];
        size_t n = 0, zeros = 0;

        said(q, p, N, all);
        for (size_t i = 0; i < N; i++) {
            zeros += all[2 * i + 1] <= 0;
            if (i % 3 > 0 && all[2 * i + 1] < 1)
                continue;
            memmove(all + 2 * n, all + 2 * i, 2 * sizeof *all);
            some[n] = p[i];
            only[n++] = p[i].document;
        }
        assert_true(zeros > N / 4 && zeros < N);
        q.by_only = true;
        q.only = only;
        q.only_n = n;
        said(q, some, n, part);
        assert_memory_equal(part, all, 2 * n * sizeof *all);
    }
}

/* There are more than the sample takes: it is chosen by keys, which stay. Half
 * stand in one large file, which stays as it is behind what becomes of the small
 * ones. */
static void a_merge_leaves_what_vectors_say(void **state)
{
    enum { N = VECTORS_SAMPLE + 176, FILES = 20 };
    struct rng chance = rng_seeded(6);
    struct put p[N];
    float before[NELEMS(SAID)][2 * N], after[2 * N];
    struct engine_stats st;
    char dir[256];
    str *names;

    (void)state;
    f.quiet = true;
    fix_reopen(&f);
    for (size_t i = 0; i < N; i++) {
        p[i] = put_tokens(&chance);
        if (i + 1 >= N / 2 && (i + 1) % (N / 2 / FILES) == 0)
            assert_true(refine(N).rows > 0);
    }
    assert_int_equal(files(&names, dir), 1 + FILES);
    for (size_t k = 0; k < NELEMS(SAID); k++)
        said(SAID[k], p, N, before[k]);
    f.quiet = false;
    fix_reopen(&f);
    assert_int_equal(refine(64).rows, 0); /* opens the base */
    fix_settle(&f);
    engine_stats(f.engine, &st);
    assert_true(st.merges > 0 && st.segments < N);
    assert_true(files(&names, dir) < 8);
    for (size_t k = 0; k < NELEMS(SAID); k++) {
        said(SAID[k], p, N, after);
        assert_memory_equal(after, before[k], sizeof after);
    }
}

/* Where both legs count a chunk has four fifths of what the better of its
 * neighbours has, unless its own is more. */
static void a_chunk_has_a_share_of_its_neighbours_vector(void **state)
{
    enum { N = 12 };
    static const char *const LINES[N] = {
        "a b walrus", "de 一 walrus", ", , walrus",  "a walrus",
        "b walrus",   "一 一 walrus", "de , walrus", "ac walrus",
        "bc walrus",  "a , walrus",   "b de walrus", "一 a b de walrus"};
    float own[N], both[N], half[N];
    str text = STR("");
    size_t raised = 0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        text = arena_fmt(f.a, STR_FMT "%s%s", STR_ARG(text), i > 0 ? "\n" : "",
                         LINES[i]);
    (void)fix_put(&f, f.base, "One", text.p);
    refine_all();
    assert_int_equal(normals((struct engine_query){.dense_weight = 1}, own, N),
                     0);
    assert_int_equal(
        normals((struct engine_query){.legs = LEGS_DENSE}, both, N), 0);
    assert_memory_equal(own, both, sizeof own);
    assert_true(normals((struct engine_query){.dense_weight = 0.5F}, half, N) >
                0);
    for (size_t i = 0; i < N; i++) {
        float before = i > 0 ? own[i - 1] : 0;
        float behind = i + 1 < N ? own[i + 1] : 0;
        float want = 0.8F * (before > behind ? before : behind);

        raised += want > own[i];
        assert_float_equal(half[i], want > own[i] ? want : own[i], 1e-6F);
    }
    assert_true(raised > 0 && raised < N);
}

/* What a neighbour raises is a candidate, however far it is from the heads of
 * both lists: in a long text the first are the same however many are asked
 * for. */
static void the_first_of_a_long_text_do_not_depend_on_the_limit(void **state)
{
    enum { N = 1500, HEAD = 10, WORDS = 40 };
    struct rng chance = rng_seeded(11);
    str text = STR("");

    (void)state;
    for (size_t i = 0; i < N; i++) {
        text = arena_fmt(f.a, STR_FMT "%s", STR_ARG(text), i > 0 ? "\n" : "");
        for (uint64_t n = 1 + rng_below(&chance, 4); n > 0; n--)
            text = arena_fmt(f.a, STR_FMT "%s ", STR_ARG(text),
                             TOKENS[rng_below(&chance, NELEMS(TOKENS))]);
        for (uint64_t n = rng_below(&chance, 4); n > 0; n--)
            text = arena_fmt(f.a, STR_FMT "w%u ", STR_ARG(text),
                             (unsigned)rng_below(&chance, WORDS));
    }
    (void)fix_put(&f, f.base, "One", text.p);
    refine_all();
    for (unsigned i = 0; i < WORDS; i++) {
        struct engine_query q = {.dense_weight = 0.75F, .hits_max = N};
        struct engine_result all, some;
        char query[64];

        (void)snprintf(query, sizeof query, "%s w%u %s w%u",
                       TOKENS[i % NELEMS(TOKENS)], i,
                       TOKENS[(i + 3) % NELEMS(TOKENS)], i * 7 % WORDS);
        all = ask(query, q);
        q.hits_max = HEAD;
        some = ask(query, q);
        assert_int_equal(some.hits_n, HEAD);
        for (size_t k = 0; k < HEAD; k++)
            assert_int_equal(some.hits[k].chunk_index, all.hits[k].chunk_index);
    }
}

static void a_lost_document_is_told_where(void **state)
{
    struct put best = fix_put(&f, f.base, "One", "walrus a b"),
               next = fix_put(&f, f.base, "Two", "walrus de de de , ,"),
               none = fix_put(&f, f.base, "Three", "nothing of it"),
               draft = put_of(&f, f.base, "Four", "walrus");
    struct engine_query q = {.legs = LEGS_LEXICAL, .hits_max = 1};
    struct err e = {0};

    (void)state;
    draft.state = VERSION_DRAFT;
    must(put_try(&draft, &e), &e);
    q.why_not = best.document;
    assert_int_equal(ask("walrus a b", q).why_not.lost, LOST_NOWHERE);
    q.why_not = next.document;
    assert_int_equal(ask("walrus a b", q).why_not.lost, LOST_LIMIT);
    assert_int_equal(ask("walrus a b", q).why_not.rank, 2);
    q.why_not = none.document;
    assert_int_equal(ask("walrus a b", q).why_not.lost, LOST_MATCH);
    q.why_not = draft.document;
    assert_int_equal(ask("walrus a b", q).why_not.lost, LOST_STATE);
    q.why_not = uuid_new();
    assert_int_equal(ask("walrus a b", q).why_not.lost, LOST_INDEX);
}

static bool is_among(const struct engine_result *r, const struct engine_hit *h)
{
    for (size_t i = 0; i < r->hits_n; i++)
        if (uuid_eq(r->hits[i].document, h->document))
            return true;
    return false;
}

enum { TOP = 100 };

/* Of the exact answer's chunks those that the codes did not let through, and of
 * how many that is told. */
static size_t lost_by_codes(const char *query, size_t *told)
{
    struct engine_query q = {
        .legs = LEGS_DENSE, .hits_max = TOP, .explain = true};
    struct engine_result some = ask(query, q), all;
    size_t lost = 0;
    float last;

    q.exhaustive = true;
    all = ask(query, q);
    q.exhaustive = false;
    assert_int_equal(all.hits_n, TOP);
    assert_int_equal(some.hits_n, TOP);
    last = some.hits[TOP - 1].legs[DENSE].raw;
    for (size_t i = 0; i < TOP; i++) {
        /* Which of equal ones are the last is another matter. */
        if (is_among(&some, &all.hits[i]) ||
            all.hits[i].legs[DENSE].raw <= last)
            continue;
        lost++;
        q.why_not = all.hits[i].document;
        *told += ask(query, q).why_not.lost == LOST_CODES;
    }
    return lost;
}

/* Above exact_rows_max the codes choose whose vectors are looked at: most of
 * the best are found, and of those that are not the codes are named. */
static void what_codes_lose_is_told(void **state)
{
    static const char *const QUERIES[] = {"a", "de , walrus",
                                          "ac b ac de 一 ac"};
    enum { N = 2000 };
    size_t lost[4] = {0}, told = 0;
    struct rng chance = rng_seeded(7);

    (void)state;
    for (size_t i = 0; i < N; i++)
        (void)put_tokens(&chance);
    refine_all();
    f.quiet = true; /* a merge makes the codes anew */
    f.exact_rows_max = N;
    fix_reopen(&f);
    assert_int_equal(lost_by_codes(QUERIES[0], &told), 0);
    f.exact_rows_max = N - 1;
    for (f.rescored = 1; f.rescored < NELEMS(lost); f.rescored++) {
        fix_reopen(&f);
        for (size_t i = 0; i < NELEMS(QUERIES); i++)
            lost[f.rescored] += lost_by_codes(QUERIES[i], &told);
    }
    assert_true(lost[1] > 0 && lost[3] <= lost[1]);
    assert_true(lost[3] < NELEMS(QUERIES) * TOP / 20);
    assert_int_equal(told, lost[1] + lost[2] + lost[3]);
}

static void a_deleted_base_leaves_no_vectors(void **state)
{
    char dir[256];
    struct err e = {0};
    str *names;

    (void)state;
    (void)fix_put(&f, f.base, "One", "a b");
    refine_all();
    assert_int_equal(files(&names, dir), 1);
    fix_base_delete(&f, f.base);
    must(engine_settle(f.engine, clock_mono_ns() + (int64_t)20000000000, &e),
         &e);
    assert_false(file_exists(dir));
}

struct helper {
    pthread_t thread;
    size_t rows;
};

static void *help(void *arg)
{
    struct helper *h = arg;
    struct engine_refined done = {.rows = 1};
    struct embedder *x;
    struct err e = {0};

    if (embedder_open(model, &x, &e) != RC_OK)
        return NULL;
    while (done.rows > 0 || done.left > 0) {
        if (engine_refine(f.engine, f.base, model_info(model), x, 3, NULL,
                          &done, &e) != RC_OK)
            break;
        h->rows += done.rows;
    }
    embedder_close(x);
    return NULL;
}

static void several_threads_embed_each_row_once(void **state)
{
    struct helper h[3] = {0};
    struct buf text = {0};
    size_t rows = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        buf_fmt(&text, "a b number%u\n", i);
    buf_put_char(&text, '\0');
    (void)fix_put(&f, f.base, "Doc", text.p);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&h[i].thread, NULL, help, &h[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(h[i].thread, NULL), 0);
        rows += h[i].rows;
    }
    assert_int_equal(rows, 100);
    assert_int_equal(ask_dense("a b").hits_n, 10);
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_vector_may_come_late),
        T(the_nth_is_where_sorting_puts_it),
        T(what_has_no_vector_is_found_by_its_words),
        T(refined_rows_are_found_by_their_vectors),
        T(a_step_takes_so_many_rows_and_says_what_is_left),
        T(vectors_are_there_after_a_restart),
        T(what_a_merge_moves_keeps_its_vectors),
        T(files_of_vectors_are_merged),
        T(a_text_that_comes_again_has_its_vector),
        T(a_damaged_file_is_made_again),
        T(an_open_file_that_is_damaged_is_made_again),
        T(an_open_file_that_is_cut_is_made_again),
        T(an_open_file_that_is_gone_is_made_again),
        T(what_merges_remove_is_not_lost),
        T(another_models_rows_are_found_by_words_alone),
        T(scores_do_not_depend_on_how_many_are_asked_for),
        T(ranks_make_scores),
        T(what_has_no_rank_is_in_order),
        T(contributions_add_up_to_the_score),
        T(a_filter_leaves_what_vectors_say),
        T(a_merge_leaves_what_vectors_say),
        T(a_chunk_has_a_share_of_its_neighbours_vector),
        T(the_first_of_a_long_text_do_not_depend_on_the_limit),
        T(a_lost_document_is_told_where),
        T(what_codes_lose_is_told),
        T(a_deleted_base_leaves_no_vectors),
        T(several_threads_embed_each_row_once),
    };

    return cmocka_run_group_tests(tests, models_make, models_end);
}
