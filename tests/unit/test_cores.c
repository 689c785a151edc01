#include "base/cores.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_quota_is_rounded_up_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota(STR("max 100000\n"), 8), 8);
    assert_int_equal(cores_of_quota(STR("200000 100000\n"), 8), 2);
    assert_int_equal(cores_of_quota(STR("150000 100000\n"), 8), 2);
    assert_int_equal(cores_of_quota(STR("1000 100000\n"), 8), 1);
    assert_int_equal(cores_of_quota(STR("0 100000\n"), 8), 1);
    assert_int_equal(cores_of_quota(STR("900000 100000\n"), 8), 8);
    assert_int_equal(cores_of_quota(STR("100000 0\n"), 8), 8);
    assert_int_equal(cores_of_quota(STR(""), 8), 8);
    assert_int_equal(cores_of_quota(STR("nothing\n"), 1), 1);
}

static void cores_it_may_not_run_on_do_not_count(void **state)
{
    cpu_set_t all, one;
    size_t cpu = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_in_range(cores_allowed(), 1, CPU_COUNT(&all));
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cores_allowed(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_is_rounded_up_and_bounded),
        cmocka_unit_test(cores_it_may_not_run_on_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
