#include "cli/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

static void check_near(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("%.12f, not %.12f", got, want);
}

/* By hand: of the eight sums ±0.1 ±0.2 ±0.3 only +0.6 and -0.6 are as far from
 * 0 as the one seen. */
static void three_gains_are_two_patterns_of_eight(void **state)
{
    static const double D[] = {0.1, 0.2, 0.3};
    struct paired t = paired_test(D, NELEMS(D));

    (void)state;
    check_near(t.mean, 0.2, 1e-12);
    assert_int_equal(t.better, 3);
    assert_int_equal(t.worse, 0);
    check_near(t.p, 2.0 / 8, 0);
}

/* By hand: seen is 4 + 2 - 1 = 5, of 7, 5, 3, 1 and their opposites four are
 * as far. Queries that did not change take no part in it, but in the mean. */
static void a_loss_among_gains_and_a_draw(void **state)
{
    static const double D[] = {4, 0, 2, -1};
    struct paired t = paired_test(D, NELEMS(D));

    (void)state;
    check_near(t.mean, 1.25, 1e-12);
    assert_int_equal(t.better, 2);
    assert_int_equal(t.worse, 1);
    check_near(t.p, 4.0 / 8, 0);
}

static void which_of_the_two_is_first_does_not_matter(void **state)
{
    static const double D[] = {0.4, 0.2, -0.1}, OTHER[] = {-0.4, -0.2, 0.1};

    (void)state;
    check_near(paired_test(D, 3).p, paired_test(OTHER, 3).p, 0);
    check_near(paired_test(D, 3).mean, -paired_test(OTHER, 3).mean, 0);
}

static void what_does_not_differ_is_chance(void **state)
{
    static const double D[] = {0, 0, 0};

    (void)state;
    check_near(paired_test(D, 3).p, 1, 0);
    check_near(paired_test(NULL, 0).p, 1, 0);
    check_near(paired_test(NULL, 0).mean, 0, 0);
}

/* Fifteen gains and five losses of one size: a pattern is as far from 0 where
 * it has at most five of either sign. By the table of B(20, 1/2): P(X <= 5) =
 * 0.020695, twice. */
static void drawn_patterns_come_near_the_binomial(void **state)
{
    double d[20];

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i++)
        d[i] = i < 15 ? 1 : -1;
    check_near(paired_test(d, NELEMS(d)).p, 2 * 0.020695, 0.006);
    check_near(paired_test(d, NELEMS(d)).p, paired_test(d, NELEMS(d)).p, 0);
}

/* More than one random number a round: 225 queries of noise are not a gain,
 * with a tenth added to each they are. */
static void many_queries_tell_noise_from_a_gain(void **state)
{
    double d[225];
    struct rng r = rng_seeded(7);

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i += 2) {
        d[i] = (double)rng_below(&r, 1000) / 2000;
        if (i + 1 < NELEMS(d))
            d[i + 1] = -d[i];
    }
    assert_true(paired_test(d, NELEMS(d)).p > 0.5);
    for (size_t i = 0; i < NELEMS(d); i++)
        d[i] += 0.1;
    check_near(paired_test(d, NELEMS(d)).p, 1.0 / (PAIRED_ROUNDS + 1), 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_gains_are_two_patterns_of_eight),
        cmocka_unit_test(a_loss_among_gains_and_a_draw),
        cmocka_unit_test(which_of_the_two_is_first_does_not_matter),
        cmocka_unit_test(what_does_not_differ_is_chance),
        cmocka_unit_test(drawn_patterns_come_near_the_binomial),
        cmocka_unit_test(many_queries_tell_noise_from_a_gain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
