#include "net/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

#define S INT64_C(1000000000)

static struct resolved r;
static struct err e;

/* From /etc/hosts: no name server is asked. */
static void a_name_has_addresses(void **state)
{
    (void)state;
    assert_int_equal(
        resolve_name(STR("localhost"), clock_mono_ns() + 30 * S, &r, &e),
        RC_OK);
    assert_in_range(r.n, 1, 10);
    for (size_t i = 0; i < r.n; i++)
        assert_string_equal(addr_kind(&r.v[i]), "loopback");
}

static void what_is_no_name_has_none(void **state)
{
    char longest[300];

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_int_equal(resolve_name((str){longest, sizeof longest},
                                  clock_mono_ns() + 30 * S, &r, &e),
                     RC_REMOTE);
    assert_int_equal(resolve_name(STR(""), clock_mono_ns() + 30 * S, &r, &e),
                     RC_REMOTE);
    assert_int_equal(r.n, 0);
}

/* The thread that looks up goes on; nobody waits for it. */
static void nobody_waits_past_the_time(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        rc code = resolve_name(STR("localhost"), clock_mono_ns() - 1, &r, &e);

        assert_true(code == RC_TIMEOUT || code == RC_BUSY || code == RC_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_addresses),
        cmocka_unit_test(what_is_no_name_has_none),
        cmocka_unit_test(nobody_waits_past_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
