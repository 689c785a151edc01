#include "net/pace.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

static struct pace *p;
static struct err e;

static void open_with(struct pace_opts o)
{
    p = pace_open(&o);
}

static int tear_down(void **state)
{
    (void)state;
    pace_close(p);
    p = NULL;
    return 0;
}

/* Not waiting. */
static rc try(const char *host)
{
    e = (struct err){.code = RC_OK};
    return pace_enter(p, str_of(host), 0, &e);
}

static void a_second_is_between_two_requests_to_a_host(void **state)
{
    (void)state;
    open_with((struct pace_opts){0});
    assert_int_equal(try("a.test"), RC_OK);
    assert_int_equal(try("a.test"), RC_TIMEOUT); /* one at once */
    assert_int_equal(try("b.test"), RC_OK);      /* another host */
    pace_leave(p, STR("a.test"), 0);
    assert_int_equal(try("a.test"), RC_TIMEOUT);
    assert_in_range(e.retry_ms, 1, 1001);
    clock_test_advance(1000);
    assert_int_equal(try("a.test"), RC_OK);
    pace_leave(p, STR("a.test"), 0);
    pace_leave(p, STR("b.test"), 0);
}

static void what_a_host_asks_for_is_kept_to(void **state)
{
    (void)state;
    open_with((struct pace_opts){0});
    assert_int_equal(try("a"), RC_OK);
    pace_leave(p, STR("a"), 30000);
    clock_test_advance(29000);
    assert_int_equal(try("a"), RC_TIMEOUT);
    clock_test_advance(1001);
    assert_int_equal(try("a"), RC_OK);
    assert_int_equal(pace_slow_down(p, STR("a"), 10000, &e), RC_OK);
    assert_int_equal(pace_slow_down(p, STR("a"), 5, &e), RC_OK); /* no faster */
    pace_leave(p, STR("a"), 0);
    clock_test_advance(9000);
    assert_int_equal(try("a"), RC_TIMEOUT);
    clock_test_advance(1001);
    assert_int_equal(try("a"), RC_OK);
    pace_leave(p, STR("a"), UINT32_MAX); /* an hour at most */
    clock_test_advance(PACE_WAIT_MS_MAX + 1);
    assert_int_equal(try("a"), RC_OK);
    pace_leave(p, STR("a"), 0);
}

static void several_at_once_where_it_is_said(void **state)
{
    (void)state;
    open_with((struct pace_opts){.period_ms = 1, .at_once = 3});
    for (int i = 0; i < 3; i++) {
        clock_test_advance(1);
        assert_int_equal(try("a"), RC_OK);
    }
    clock_test_advance(1);
    assert_int_equal(try("a"), RC_TIMEOUT);
    pace_leave(p, STR("a"), 0);
    assert_int_equal(try("a"), RC_OK);
    for (int i = 0; i < 3; i++)
        pace_leave(p, STR("a"), 0);
}

static void places_alone_have_no_time_to_wait_for(void **state)
{
    (void)state;
    open_with(
        (struct pace_opts){.at_once = 2, .hosts_max = 2, .places_only = true});
    assert_int_equal(try("a"), RC_OK);
    assert_int_equal(try("a"), RC_OK);
    assert_int_equal(try("a"), RC_TIMEOUT);
    pace_leave(p, STR("a"), 60000); /* that page's, not the host's */
    assert_int_equal(try("a"), RC_OK);
    assert_int_equal(try("b"), RC_OK);
    pace_leave(p, STR("b"), 0);
    assert_int_equal(try("c"), RC_OK); /* in the place of b */
    assert_int_equal(pace_hosts(p), 2);
    pace_leave(p, STR("c"), 0);
    pace_leave(p, STR("a"), 0);
    pace_leave(p, STR("a"), 0);
}

static void hosts_at_rest_are_forgotten_others_never(void **state)
{
    (void)state;
    open_with((struct pace_opts){.hosts_max = 3});
    assert_int_equal(try("inside"), RC_OK);
    assert_int_equal(try("late"), RC_OK);
    pace_leave(p, STR("late"), 60000);
    assert_int_equal(try("rests"), RC_OK);
    pace_leave(p, STR("rests"), 0);
    assert_int_equal(try("more"), RC_BUSY); /* it rests for a second yet */
    assert_in_range(e.retry_ms, 1, 1001);
    clock_test_advance(1001);
    assert_int_equal(try("more"), RC_OK);
    assert_int_equal(pace_hosts(p), 3);
    assert_int_equal(try("late"), RC_TIMEOUT);
    pace_leave(p, STR("more"), 0);
    for (int i = 0; i < 10000; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "host%d", i);
        clock_test_advance(1001);
        assert_int_equal(try(name), RC_OK);
        pace_leave(p, str_of(name), 0);
    }
    assert_int_equal(pace_hosts(p), 3);
    pace_leave(p, STR("inside"), 0);
}

/* ---- threads ---- */

#define THREADS 8
#define TURNS 5

static atomic_int inside, most, entered;
static int64_t began[THREADS * TURNS];
static pthread_mutex_t began_lock = PTHREAD_MUTEX_INITIALIZER; /* guards it */

static void *ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        int now;

        if (pace_enter(p, STR("a"), INT64_MAX, NULL) != RC_OK)
            return NULL;
        (void)pthread_mutex_lock(&began_lock);
        began[entered++] = clock_mono_ns();
        (void)pthread_mutex_unlock(&began_lock);
        now = ++inside;
        if (now > most)
            most = now;
        inside--;
        pace_leave(p, STR("a"), 0);
    }
    return NULL;
}

static void threads_take_turns(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    open_with((struct pace_opts){0});
    clock_test_advance(0);
    entered = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    while (entered < THREADS * TURNS)
        clock_test_advance(50);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(most, 1);
    /* Noted after entering, so two may be nearer by what passed before. */
    for (size_t i = THREADS; i < THREADS * TURNS; i++)
        assert_true(began[i] - began[i - THREADS] >= (THREADS - 1) * S);
}

static void *wait_long(void *arg)
{
    rc *code = arg;

    *code = pace_enter(p, STR("a"), INT64_MAX, NULL);
    return NULL;
}

static void who_waits_can_be_sent_away(void **state)
{
    rc codes[2] = {RC_OK, RC_OK};
    pthread_t threads[2];

    (void)state;
    open_with((struct pace_opts){0});
    assert_int_equal(try("a"), RC_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, wait_long, &codes[i]), 0);
    pace_stop(p);
    for (size_t i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(codes[i], RC_CANCELLED);
    }
    assert_int_equal(try("b"), RC_CANCELLED);
    pace_leave(p, STR("a"), 0);
}

#define TEST(fact) cmocka_unit_test_teardown(fact, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_is_between_two_requests_to_a_host),
        TEST(what_a_host_asks_for_is_kept_to),
        TEST(several_at_once_where_it_is_said),
        TEST(places_alone_have_no_time_to_wait_for),
        TEST(hosts_at_rest_are_forgotten_others_never),
        TEST(threads_take_turns),
        TEST(who_waits_can_be_sent_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
