#include "cli/eval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *arena;
static struct qrels q;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    qrels_close(&q);
    arena_close(arena);
    return 0;
}

static void check_near(double got, double want)
{
    if (fabs(got - want) > 1e-9)
        fail_msg("%.12f, not %.12f", got, want);
}

static void both_forms_of_judgments_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        qrels_parse(STR("query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n"
                        "2\tc\t-1\r\n3 0 d 1\n"),
                    arena, &q, &e),
        RC_OK);
    assert_int_equal(qrels_find(&q, STR("1"))->n, 1);
    assert_true(str_eq(qrels_find(&q, STR("1"))->v[0].document, STR("a")));
    /* Without a relevant document a query does not count. */
    assert_null(qrels_find(&q, STR("2")));
    assert_true(str_eq(qrels_find(&q, STR("3"))->v[0].document, STR("d")));
}

static void a_line_that_is_no_judgment_is_named(void **state)
{
    (void)state;
    assert_int_equal(qrels_parse(STR("1\ta\t1\n1\tb\tmuch\n"), arena, &q, &e),
                     RC_INVALID);
    assert_non_null(strstr(e.text, "line 2"));
}

/* By hand: gains 3, 2, 1 are judged; ranked x, 2, 3. DCG = 2/log2(3) +
 * 3/log2(4) = 1.2618595071 + 1.5; ideal = 3 + 2/log2(3) + 1/2. */
static void figures_are_those_of_trec_eval(void **state)
{
    const str ranked[] = {STR_INIT("x"), STR_INIT("two"), STR_INIT("three")};
    struct figures f;

    (void)state;
    assert_int_equal(
        qrels_parse(STR("1\tthree\t3\n1\ttwo\t2\n1\tone\t1\n"), arena, &q, &e),
        RC_OK);
    f = eval_ranking(qrels_find(&q, STR("1")), ranked, 3);
    check_near(f.ndcg10,
               (2 / log2(3) + 3 / log2(4)) / (3 + 2 / log2(3) + 1 / log2(4)));
    check_near(f.recall100, 2.0 / 3);
    check_near(f.mrr10, 0.5);
}

static void the_cuts_hold(void **state)
{
    str ranked[101];
    struct figures f;

    (void)state;
    assert_int_equal(qrels_parse(STR("1\ta\t1\n1\tb\t1\n"), arena, &q, &e),
                     RC_OK);
    for (size_t i = 0; i < NELEMS(ranked); i++)
        ranked[i] = STR("other");
    ranked[10] = STR("a");
    ranked[100] = STR("b");
    f = eval_ranking(qrels_find(&q, STR("1")), ranked, NELEMS(ranked));
    check_near(f.ndcg10, 0);
    check_near(f.mrr10, 0);
    check_near(f.recall100, 0.5);
}

static void an_empty_ranking_counts_nothing(void **state)
{
    struct figures f;

    (void)state;
    assert_int_equal(qrels_parse(STR("1\ta\t1\n"), arena, &q, &e), RC_OK);
    f = eval_ranking(qrels_find(&q, STR("1")), NULL, 0);
    check_near(f.ndcg10 + f.recall100 + f.mrr10, 0);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_forms_of_judgments_are_read),
        TEST(a_line_that_is_no_judgment_is_named),
        TEST(figures_are_those_of_trec_eval),
        TEST(the_cuts_hold),
        TEST(an_empty_ranking_counts_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
