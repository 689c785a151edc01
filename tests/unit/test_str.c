#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void views_are_clamped(void **state)
{
    (void)state;
    assert_true(str_eq(str_sub(STR("abcdef"), 2, 3), STR("cde")));
    assert_true(str_eq(str_sub(STR("abc"), 2, 99), STR("c")));
    assert_int_equal(str_sub(STR("abc"), 99, 1).n, 0);
    assert_int_equal(str_sub(STR_NONE, 1, 1).n, 0);
    assert_null(str_sub(STR_NONE, 0, 0).p);
    assert_int_equal(str_of(NULL).n, 0);
}

static void order_is_by_bytes_then_length(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR(""), STR_NONE), 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_true(str_eq_nocase(STR("Content-Type"), STR("content-type")));
    assert_false(str_eq_nocase(STR("ab"), STR("abc")));
}

static void ends_are_found(void **state)
{
    (void)state;
    assert_true(str_starts(STR("urn:uuid:x"), STR("urn:")));
    assert_false(str_starts(STR("ur"), STR("urn:")));
    assert_true(str_ends(STR("a.pdf"), STR(".pdf")));
    assert_false(str_ends(STR("pdf"), STR(".pdf")));
    assert_true(str_starts(STR("x"), STR_NONE));
}

static void white_space_is_trimmed(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t\r\n a b \v\f")), STR("a b")));
    assert_int_equal(str_trim(STR("   ")).n, 0);
    assert_true(str_blank(STR(" \n")));
    assert_true(str_blank(STR_NONE));
    assert_false(str_blank(STR(" x ")));
}

static void needles_are_found_or_the_end_is(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("abcabd"), STR("abd")), 3);
    assert_int_equal(str_find(STR("abc"), STR("x")), 3);
    assert_int_equal(str_find(STR("abc"), STR("")), 0);
    assert_int_equal(str_find(STR_NONE, STR("a")), 0);
    assert_int_equal(str_find_char(STR("a\0b"), 'b'), 2);
    assert_int_equal(str_find_char(STR_NONE, 'b'), 0);
}

static void a_cut_says_whether_it_found(void **state)
{
    str head, rest = STR("a,,b");

    (void)state;
    assert_true(str_cut(rest, ',', &head, &rest));
    assert_true(str_eq(head, STR("a")));
    assert_true(str_cut(rest, ',', &head, &rest));
    assert_int_equal(head.n, 0);
    assert_false(str_cut(rest, ',', &head, &rest));
    assert_true(str_eq(head, STR("b")));
    assert_int_equal(rest.n, 0);
}

static void numbers_are_whole_and_bounded(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &v));
    assert_true(str_to_u64(STR("100"), 100, &v));
    assert_int_equal(v, 100);
    assert_false(str_to_u64(STR("101"), 100, &v));
    assert_false(str_to_u64(STR(""), 100, &v));
    assert_false(str_to_u64(STR("1 "), 100, &v));
    assert_false(str_to_u64(STR("-1"), 100, &v));
    assert_false(str_to_u64(STR("+1"), 100, &v));
    assert_false(str_to_u64(STR("0x1"), 100, &v));
    assert_int_equal(v, 100);
}

static void a_hex_digit_has_its_value_in_any_case(void **state)
{
    int digits = 0;

    (void)state;
    for (unsigned c = 0; c < 256; c++)
        digits += str_hex_digit((char)c) >= 0;
    assert_int_equal(digits, 22);
    for (unsigned v = 0; v < 16; v++) {
        assert_int_equal(str_hex_digit("0123456789abcdef"[v]), v);
        assert_int_equal(str_hex_digit("0123456789ABCDEF"[v]), v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_are_clamped),
        cmocka_unit_test(a_hex_digit_has_its_value_in_any_case),
        cmocka_unit_test(order_is_by_bytes_then_length),
        cmocka_unit_test(ends_are_found),
        cmocka_unit_test(white_space_is_trimmed),
        cmocka_unit_test(needles_are_found_or_the_end_is),
        cmocka_unit_test(a_cut_says_whether_it_found),
        cmocka_unit_test(numbers_are_whole_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
