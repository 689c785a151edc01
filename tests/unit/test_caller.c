#include "base/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

static void a_caller_is_gone_when_cancelled(void **state)
{
    atomic_bool cancel = false;
    struct caller c = {.cancel = &cancel};

    (void)state;
    assert_false(caller_gone(&c));
    atomic_store(&cancel, true);
    assert_true(caller_gone(&c));
}

static void a_caller_is_gone_at_its_deadline(void **state)
{
    struct caller c = {.deadline_ns =
                           clock_mono_ns() + (int64_t)3600 * 1000000000};

    (void)state;
    assert_false(caller_gone(&c));
    clock_test_advance(3600 * 1000);
    assert_true(caller_gone(&c));
}

static void without_either_it_stays(void **state)
{
    struct caller c = {.clearance = 30};

    (void)state;
    assert_false(caller_gone(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caller_is_gone_when_cancelled),
        cmocka_unit_test(a_caller_is_gone_at_its_deadline),
        cmocka_unit_test(without_either_it_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
