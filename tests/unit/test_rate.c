#include "serve/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S ((int64_t)1000000000)

static uuid tenant(unsigned n)
{
    uuid u = {{0}};

    memcpy(u.b, &n, sizeof n);
    return u;
}

static void rules_are_read(void **state)
{
    static const char *const BAD[] = {
        "",           "feather",       "feather=",       "feather=6000",
        "feather=/s", "feather=0/min", "feather=-1/min", "feather=6/week",
        "feather=6/", "feather=x/min", "feather=6 /min",
    };
    struct rate_rule rule;
    struct err e;
    str dialect;

    (void)state;
    assert_int_equal(rate_parse(STR("feather=6000/min"), &dialect, &rule, &e),
                     RC_OK);
    assert_true(str_eq(dialect, STR("feather")));
    assert_true(rule.count == 6000 && rule.window_s == 60);
    assert_int_equal(rate_parse(STR("knowd=5/sec"), &dialect, &rule, &e),
                     RC_OK);
    assert_int_equal(rule.window_s, 1);
    assert_int_equal(rate_parse(STR("exec=1000/day"), &dialect, &rule, &e),
                     RC_OK);
    assert_true(rule.count == 1000 && rule.window_s == 86400);
    for (size_t i = 0; i < NELEMS(BAD); i++)
        assert_int_equal(rate_parse(str_of(BAD[i]), &dialect, &rule, &e),
                         RC_INVALID);
}

static void a_tenant_at_rest_has_all_of_it_at_once(void **state)
{
    struct rate *r = rate_open(&(struct rate_rule){10, 60}, 1);
    struct rate_state s;
    int64_t now = 1000 * S;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        assert_true(rate_take(r, tenant(1), now, &s));
        assert_int_equal(s.left, 9 - i);
    }
    assert_false(rate_take(r, tenant(1), now, &s));
    assert_int_equal(s.wait_s, 60);
    assert_true(rate_take(r, tenant(2), now, &s));
    assert_false(rate_take(r, tenant(1), now + 59 * S, &s));
    assert_int_equal(s.wait_s, 1);
    assert_true(rate_take(r, tenant(1), now + 60 * S, &s));
    assert_int_equal(s.left, 9);
    rate_close(r);
}

static void no_minute_holds_more_than_the_limit_and_a_slot(void **state)
{
    struct rate *r = rate_open(&(struct rate_rule){600, 60}, 1);
    struct rate_state s;
    static int64_t taken[20000];
    size_t n = 0, first = 0;
    int64_t now = 5 * S;

    (void)state;
    /* 30 a second for five minutes, three times what is allowed. */
    for (size_t i = 0; i < 300 * 30; i++, now += S / 30) {
        if (!rate_take(r, tenant(1), now, &s))
            continue;
        taken[n++] = now;
        while (taken[first] <= now - 60 * S)
            first++;
        assert_in_range(n - first, 1, 600 + 30);
    }
    assert_in_range(n, 2850, 3150); /* 5 x 600, within 5 percent */
    rate_close(r);
}

static void tenants_at_rest_are_forgotten(void **state)
{
    struct rate *r = rate_open(&(struct rate_rule){10, 1}, 1);
    struct rate_state s;

    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        assert_true(rate_take(r, tenant(i), i * (S / 1000) + S, &s));
    /* A thousand asked in the last second. */
    assert_in_range(rate_tenants(r), 1000, 5000);
    rate_close(r);
}

static void a_request_must_keep_all_rules_and_the_broken_one_is_named(
    void **state)
{
    const struct rate_rule rules[] = {{3, 60}, {5, 86400}};
    struct rate *r = rate_open(rules, 2);
    struct rate_state s;
    int64_t now = 1000000 * S;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(rate_take(r, tenant(1), now, &s));
        assert_int_equal(s.left, 2 - i); /* the minute is tighter */
    }
    /* What is refused counts in neither. */
    for (unsigned i = 0; i < 10; i++) {
        assert_false(rate_take(r, tenant(1), now, &s));
        assert_int_equal(s.rule.window_s, 60);
        assert_in_range(s.wait_s, 1, 60);
    }
    now += 61 * S;
    assert_true(rate_take(r, tenant(1), now, &s));
    assert_true(rate_take(r, tenant(1), now, &s));
    assert_int_equal(s.left, 0);
    assert_int_equal(s.rule.window_s, 86400);
    assert_false(rate_take(r, tenant(1), now, &s));
    assert_int_equal(s.rule.count, 5);
    assert_in_range(s.wait_s, 80000, 86400);
    assert_true(rate_take(r, tenant(2), now, &s));
    now += 86400 * S;
    assert_true(rate_take(r, tenant(1), now, &s));
    rate_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(a_tenant_at_rest_has_all_of_it_at_once),
        cmocka_unit_test(no_minute_holds_more_than_the_limit_and_a_slot),
        cmocka_unit_test(tenants_at_rest_are_forgotten),
        cmocka_unit_test(
            a_request_must_keep_all_rules_and_the_broken_one_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
