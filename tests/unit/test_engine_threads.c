/* Searches, writes and merges at once; make tsan runs it under the thread
 * sanitizer. */
#include "engine/engine.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "engine_fix.h"

#define DOCS 8
#define ROUNDS 40

struct shared {
    struct fix *f;
    atomic_bool over;
    atomic_uint failures, searches;
};

static void failed(struct shared *s, const char *what, size_t n,
                   const struct err *e)
{
    atomic_fetch_add(&s->failures, 1);
    (void)fprintf(stderr, "%s: %zu %s\n", what, n, e->text);
}

/* As `knowd check` beside the server. */
static void *check_always(void *arg)
{
    struct shared *s = arg;
    struct fix f = *s->f;
    struct err e = {0};
    uint64_t found = 0;

    if (store_open(&(struct store_opts){.dir = f.dir, .read_only = true},
                   &f.store, &e) != RC_OK) {
        failed(s, "check", 0, &e);
        return NULL;
    }
    while (!atomic_load(&s->over))
        if (engine_check(f.store, true, fix_print, NULL, &found, &e) != RC_OK ||
            found != 0)
            failed(s, "check", (size_t)found, &e);
    store_close(f.store);
    return NULL;
}

/* Each document always has exactly one active version, which says its word. */
static void *search_always(void *arg)
{
    struct shared *s = arg;
    struct fix f = *s->f;

    f.a = arena_open();
    while (!atomic_load(&s->over)) {
        struct arena_mark mark = arena_mark(f.a);
        struct engine_result r;
        struct err e = {0};
        struct engine_query q = {.bases = &f.base,
                                 .bases_n = 1,
                                 .text = STR("steady"),
                                 .hits_max = 1000};

        if (search_try(&f, &q, &r, &e) != RC_OK || r.hits_n != DOCS)
            failed(s, "search", r.hits_n, &e);
        for (size_t i = 0; i < r.hits_n; i++)
            for (size_t k = 0; k < i; k++)
                if (uuid_eq(r.hits[i].document, r.hits[k].document))
                    failed(s, "twice", i, &e);
        atomic_fetch_add(&s->searches, 1);
        arena_rewind(f.a, mark);
    }
    arena_close(f.a);
    return NULL;
}

struct writer {
    struct fix *f;
    struct put *docs;
    size_t n;
};

static void *update_always(void *arg)
{
    struct writer *w = arg;
    struct fix f = *w->f;

    f.a = arena_open();
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < w->n; i++) {
            struct put was = w->docs[i], extra;

            was.f = &f;
            w->docs[i] =
                fix_update(&was, "steady word\nother text", VERSION_ACTIVE);
            if (round % 4 != 0)
                continue;
            extra = fix_put(&f, f.base, "short-lived", "fleeting word");
            fix_delete(&extra);
        }
    arena_close(f.a);
    return NULL;
}

static void a_search_sees_one_version_of_each_document(void **state)
{
    struct fix f;
    struct put docs[DOCS];
    struct shared s = {.f = &f};
    struct writer w[2];
    pthread_t searchers[2], writers[2], checker;
    struct engine_stats st;

    (void)state;
    fix_make(&f, false);
    for (size_t i = 0; i < DOCS; i++)
        docs[i] = fix_put(&f, f.base, "doc", "steady word");
    for (size_t i = 0; i < 2; i++) {
        w[i] = (struct writer){&f, docs + i * DOCS / 2, DOCS / 2};
        assert_int_equal(pthread_create(&searchers[i], NULL, search_always, &s),
                         0);
        assert_int_equal(
            pthread_create(&writers[i], NULL, update_always, &w[i]), 0);
    }
    assert_int_equal(pthread_create(&checker, NULL, check_always, &s), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    atomic_store(&s.over, true);
    assert_int_equal(pthread_join(checker, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(searchers[i], NULL), 0);
    assert_int_equal(atomic_load(&s.failures), 0);
    assert_true(atomic_load(&s.searches) > 0);
    fix_settle(&f);
    engine_stats(f.engine, &st);
    assert_true(st.merges > 0);
    assert_int_equal(st.rows_dead, 0);
    assert_int_equal(fix_count(&f, "steady"), DOCS);
    assert_int_equal(fix_count(&f, "fleeting"), 0);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static void closing_stops_a_merge_that_goes_on_later(void **state)
{
    struct fix f;
    struct engine_stats st;
    char text[2000];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; n + 20 < sizeof text; i++)
        n += (size_t)snprintf(text + n, 20, "same w%zu ", i * 7919);
    fix_make(&f, true);
    for (size_t i = 0; i < 60; i++)
        (void)fix_put(&f, f.base, "doc", text);
    f.quiet = false;
    for (size_t i = 0; i < 30; i++) {
        fix_reopen(&f);
        assert_int_equal(fix_count(&f, "same"), 60);
        clock_sleep_ms((unsigned)i / 3);
    }
    fix_settle(&f);
    engine_stats(f.engine, &st);
    assert_true(st.segments < 8);
    assert_int_equal(fix_count(&f, "same"), 60);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

/* Bases that are opened, closed by others and changed meanwhile. */
struct opener {
    struct shared *s;
    uuid *bases;
    size_t bases_n;
    unsigned seed;
};

static void *open_always(void *arg)
{
    struct opener *o = arg;
    struct fix f = *o->s->f;
    struct rng r = rng_seeded(o->seed);

    f.a = arena_open();
    for (size_t i = 0; i < 400; i++) {
        uuid base = o->bases[rng_below(&r, o->bases_n)];
        struct put p;
        struct engine_result found;
        struct err e = {0};
        char word[32];
        struct engine_query q = {.bases = &base, .bases_n = 1, .hits_max = 5};

        (void)snprintf(word, sizeof word, "w%uq%zu", o->seed, i);
        p = fix_put(&f, base, "doc", word);
        q.text = str_of(word);
        if (search_try(&f, &q, &found, &e) != RC_OK || found.hits_n != 1)
            failed(o->s, "put", found.hits_n, &e);
        fix_delete(&p);
        if (search_try(&f, &q, &found, &e) != RC_OK || found.hits_n != 0)
            failed(o->s, "deleted", found.hits_n, &e);
    }
    arena_close(f.a);
    return NULL;
}

static void bases_open_and_close_under_changes(void **state)
{
    struct fix f;
    struct shared s = {.f = &f};
    uuid bases[BASES_OPEN_MAX + 40];
    struct opener o[2];
    pthread_t threads[2];

    (void)state;
    fix_make(&f, false);
    for (size_t i = 0; i < NELEMS(bases); i++)
        bases[i] = fix_base(&f, false);
    for (unsigned i = 0; i < 2; i++) {
        o[i] = (struct opener){&s, bases, NELEMS(bases), i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, open_always, &o[i]),
                         0);
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&s.failures), 0);
    fix_settle(&f);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_sees_one_version_of_each_document),
        cmocka_unit_test(closing_stops_a_merge_that_goes_on_later),
        cmocka_unit_test(bases_open_and_close_under_changes),
    };

    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
