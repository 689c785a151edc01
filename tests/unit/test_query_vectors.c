/* Vectors of queries: made beside who asks, or by it; remembered; let go of. */
#include "app/app_priv.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packed_fix.h"
#include "scratch.h"

#define DIMS 64
#define THREADS 4
#define ROUNDS 300
#define TEXTS 40 /* fewer than are remembered */

static struct model *model;
static float expected[TEXTS][DIMS];

static str text_of(size_t i, char to[32])
{
    size_t n = 0;

    for (size_t k = 0; k < 1 + i % 7; k++) {
        to[n++] = (i >> k & 1) != 0 ? 'a' : 'b';
        to[n++] = ' ';
    }
    to[n++] = i < TEXTS / 2 ? ',' : 'a';
    return (str){to, n};
}

static int setup(void **state)
{
    struct embedder *x = NULL;
    struct err e = {0};

    if (scratch_open(state) != 0)
        return 1;
    model = packed_model(*state, "tiny");
    assert_int_equal(embedder_open(model, &x, &e), RC_OK);
    for (size_t i = 0; i < TEXTS; i++) {
        char room[32];
        str text = text_of(i, room);

        assert_int_equal(embed_texts(x, EMBED_QUERY, &text, 1, expected[i], &e),
                         RC_OK);
    }
    embedder_close(x);
    return 0;
}

static int teardown(void **state)
{
    model_close(model);
    return scratch_close(state);
}

enum when { AT_ONCE, WAITED, DROPPED };

static bool right(struct app *a, size_t i, enum when when)
{
    struct arena *out = arena_open();
    struct err e = {0};
    char room[32];
    struct query_vector *v = query_vector_ask(a, model, text_of(i, room), out);
    bool good =
        when == DROPPED ||
        ((when == AT_ONCE || query_vector_wait(v, &e) == RC_OK) &&
         memcmp(query_vector_place(v), expected[i], sizeof expected[i]) == 0);

    query_vector_drop(v);
    arena_close(out);
    return good;
}

static void made_and_remembered(void **state)
{
    struct app a = {0};
    struct err e = {0};

    (void)state;
    assert_int_equal(query_vectors_open(&a, &e), RC_OK);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < TEXTS; i++)
            assert_true(right(&a, i, round == 0 ? WAITED : AT_ONCE));
    query_vectors_close(&a);
}

/* Where there is one core, no thread stands beside. */
static void made_by_who_asks(void **state)
{
    struct app a = {0};
    struct err e = {0};
    cpu_set_t before, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(query_vectors_open(&a, &e), RC_OK);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    for (size_t i = 0; i < TEXTS; i++)
        assert_true(right(&a, i, i % 3 != 0 ? WAITED : DROPPED));
    query_vectors_close(&a);
}

static struct app shared;
static atomic_uint wrong;

static void *ask_many(void *arg)
{
    size_t from = (size_t)(uintptr_t)arg;

    for (size_t i = 0; i < ROUNDS; i++)
        if (!right(&shared, (from + i * 7) % TEXTS,
                   (from + i) % 3 != 0 ? WAITED : DROPPED))
            atomic_fetch_add(&wrong, 1);
    return NULL;
}

static void asked_by_many_at_once(void **state)
{
    pthread_t threads[THREADS];
    struct err e = {0};

    (void)state;
    for (int round = 0; round < 10; round++) {
        assert_int_equal(query_vectors_open(&shared, &e), RC_OK);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_many,
                                            (void *)(uintptr_t)(i * 11)),
                             0);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        query_vectors_close(&shared);
    }
    assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_and_remembered),
        cmocka_unit_test(made_by_who_asks),
        cmocka_unit_test(asked_by_many_at_once),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
