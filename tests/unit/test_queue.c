#include "base/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

#define FOREVER INT64_MAX

static void *item(uintptr_t i)
{
    return (void *)i;
}

static void items_come_in_order(void **state)
{
    struct queue *q = queue_open(3);
    void *got = NULL;

    (void)state;
    for (uintptr_t round = 0; round < 5; round++) {
        for (uintptr_t i = 1; i <= 3; i++)
            assert_int_equal(queue_put(q, item(i), 0), RC_OK);
        assert_int_equal(queue_put(q, item(4), 0), RC_BUSY);
        assert_int_equal(queue_count(q), 3);
        for (uintptr_t i = 1; i <= 3; i++) {
            assert_int_equal(queue_take(q, &got, 0), RC_OK);
            assert_ptr_equal(got, item(i));
        }
        assert_int_equal(queue_take(q, &got, 0), RC_TIMEOUT);
        assert_int_equal(queue_put(q, item(9), 0), RC_OK);
        assert_int_equal(queue_take(q, &got, 0), RC_OK);
    }
    queue_close(q);
    queue_close(NULL);
}

static void many_are_taken_at_once(void **state)
{
    struct queue *q = queue_open(8);
    void *got[8];
    size_t n;

    (void)state;
    for (uintptr_t i = 1; i <= 5; i++)
        assert_int_equal(queue_put(q, item(i), 0), RC_OK);
    assert_int_equal(queue_take_many(q, got, 3, &n, 0), RC_OK);
    assert_int_equal(n, 3);
    assert_ptr_equal(got[2], item(3));
    assert_int_equal(queue_take_many(q, got, 8, &n, 0), RC_OK);
    assert_int_equal(n, 2);
    assert_int_equal(queue_take_many(q, got, 8, &n, 0), RC_TIMEOUT);
    assert_int_equal(n, 0);
    queue_close(q);
}

static void what_is_inside_an_ended_queue_can_be_taken(void **state)
{
    struct queue *q = queue_open(2);
    void *got;

    (void)state;
    assert_int_equal(queue_put(q, item(1), 0), RC_OK);
    queue_end(q);
    assert_int_equal(queue_put(q, item(2), FOREVER), RC_CANCELLED);
    assert_int_equal(queue_take(q, &got, FOREVER), RC_OK);
    assert_ptr_equal(got, item(1));
    assert_int_equal(queue_take(q, &got, FOREVER), RC_CANCELLED);
    queue_close(q);
}

static void *take_until_end(void *arg)
{
    struct queue *q = arg;
    uintptr_t sum = 0;
    void *got[4];
    size_t n;

    while (queue_take_many(q, got, 4, &n, FOREVER) == RC_OK) {
        for (size_t i = 0; i < n; i++)
            sum += (uintptr_t)got[i];
    }
    return item(sum);
}

#define PUTS 2000

static void *put_some(void *arg)
{
    for (uintptr_t i = 1; i <= PUTS; i++) {
        if (queue_put(arg, item(i), FOREVER) != RC_OK)
            return arg;
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct queue *q = queue_open(5);
    pthread_t takers[3], putters[3];
    uintptr_t sum = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&takers[i], NULL, take_until_end, q),
                         0);
        assert_int_equal(pthread_create(&putters[i], NULL, put_some, q), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        void *failed;

        assert_int_equal(pthread_join(putters[i], &failed), 0);
        assert_null(failed);
    }
    queue_end(q);
    for (size_t i = 0; i < 3; i++) {
        void *part;

        assert_int_equal(pthread_join(takers[i], &part), 0);
        sum += (uintptr_t)part;
    }
    assert_int_equal(sum, 3 * PUTS * (PUTS + 1) / 2);
    queue_close(q);
}

static void *move_the_clock(void *arg)
{
    (void)arg;
    clock_test_advance(60000);
    return NULL;
}

static void a_wait_ends_at_its_deadline(void **state)
{
    struct queue *q = queue_open(1);
    int64_t until = clock_mono_ns() + 60 * (int64_t)1000000000;
    pthread_t thread;
    void *got;

    (void)state;
    clock_test_advance(0);
    assert_int_equal(pthread_create(&thread, NULL, move_the_clock, NULL), 0);
    assert_int_equal(queue_take(q, &got, until), RC_TIMEOUT);
    assert_int_equal(queue_put(q, item(1), 0), RC_OK);
    assert_int_equal(queue_put(q, item(1), until), RC_BUSY);
    assert_int_equal(pthread_join(thread, NULL), 0);
    queue_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order),
        cmocka_unit_test(many_are_taken_at_once),
        cmocka_unit_test(what_is_inside_an_ended_queue_can_be_taken),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
