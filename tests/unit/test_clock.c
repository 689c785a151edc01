#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check_text(int64_t wall_ms, const char *text)
{
    char to[CLOCK_TEXT];

    clock_text(wall_ms, to);
    assert_string_equal(to, text);
}

static void times_become_rfc3339(void **state)
{
    (void)state;
    check_text(0, "1970-01-01T00:00:00.000Z");
    check_text(-1, "1969-12-31T23:59:59.999Z");
    check_text(1795375500123, "2026-11-22T19:25:00.123Z");
    check_text(951782400000, "2000-02-29T00:00:00.000Z");
    check_text(4107542399999, "2100-02-28T23:59:59.999Z");
    check_text(4107542400000, "2100-03-01T00:00:00.000Z");
    check_text(INT64_MAX, "9999-12-31T23:59:59.999Z");
    check_text(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

static void check_parsed(const char *text, int64_t want)
{
    int64_t ms = 0;

    assert_true(clock_parse_rfc3339(str_of(text), &ms));
    assert_int_equal(ms, want);
}

static void rfc3339_becomes_times(void **state)
{
    (void)state;
    check_parsed("1970-01-01T00:00:00Z", 0);
    check_parsed("2026-11-22T19:25:00.123Z", 1795375500123);
    check_parsed("2026-11-22t21:25:00.1239999+02:00", 1795375500123);
    check_parsed("2026-11-22 18:55:00.5-00:30", 1795375500500);
    check_parsed("2000-02-29T00:00:00.000Z", 951782400000);
    check_parsed("2016-12-31T23:59:60Z", 1483228800000);
    check_parsed("0000-01-01T00:00:00Z", -62167219200000);
}

static void other_texts_are_no_times(void **state)
{
    static const char *const BAD[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T19:25:00",
        "2026-11-22T19:25Z",
        "2026-13-22T19:25:00Z",
        "2026-00-22T19:25:00Z",
        "2026-02-29T19:25:00Z",
        "2100-02-29T19:25:00Z",
        "2026-11-00T19:25:00Z",
        "2026-11-22T24:25:00Z",
        "2026-11-22T19:60:00Z",
        "2026-11-22T19:25:61Z",
        "2026-11-22T19:25:00.Z",
        "2026-11-22T19:25:00+0200",
        "2026-11-22T19:25:00+24:00",
        "2026-11-22T19:25:00Z ",
        "+026-11-22T19:25:00Z",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++)
        assert_false(clock_parse_rfc3339(str_of(BAD[i]), &ms));
}

static void both_ways_agree_over_the_calendar(void **state)
{
    char text[CLOCK_TEXT];

    (void)state;
    for (int64_t ms = -62167219200000; ms < 253402300800000;
         ms += 86400000LL * 97 + 12345) {
        int64_t back;

        clock_text(ms, text);
        assert_true(clock_parse_rfc3339(str_of(text), &back));
        assert_int_equal(back, ms);
    }
}

static void *advance(void *arg)
{
    (void)arg;
    clock_test_advance(3600 * 1000);
    return NULL;
}

static void a_moved_clock_ends_waits(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    pthread_t thread;
    int64_t wall = clock_wall_ms(), mono = clock_mono_ns();

    (void)state;
    clock_test_advance(0);
    clock_cond_init(&never);
    assert_int_equal(pthread_create(&thread, NULL, advance, NULL), 0);
    assert_int_equal(pthread_mutex_lock(&lock), 0);
    while (clock_cond_wait(&never, &lock, mono + 3600LL * 1000 * 1000000))
        ;
    assert_int_equal(pthread_mutex_unlock(&lock), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clock_wall_ms() - wall >= 3600 * 1000);
    assert_true(clock_mono_ns() - mono >= 3600LL * 1000 * 1000000);
    assert_int_equal(pthread_cond_destroy(&never), 0);
}

/* Or a signal that comes while a slice ends would be waited for in vain. */
static void a_wait_on_a_moved_clock_lets_its_caller_look(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;

    (void)state;
    clock_test_advance(0);
    clock_cond_init(&never);
    assert_int_equal(pthread_mutex_lock(&lock), 0);
    assert_true(clock_cond_wait(&never, &lock, INT64_MAX));
    assert_int_equal(pthread_mutex_unlock(&lock), 0);
    assert_int_equal(pthread_cond_destroy(&never), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_become_rfc3339),
        cmocka_unit_test(rfc3339_becomes_times),
        cmocka_unit_test(other_texts_are_no_times),
        cmocka_unit_test(both_ways_agree_over_the_calendar),
        cmocka_unit_test(a_moved_clock_ends_waits),
        cmocka_unit_test(a_wait_on_a_moved_clock_lets_its_caller_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
