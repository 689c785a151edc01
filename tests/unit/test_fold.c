/* Folding: what a reader takes for the same letters comes out the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/fold.h"

static void folds_to(const char *from, const char *to)
{
    struct buf b = {0};

    fold_case(str_of(from), &b);
    assert_int_equal(buf_end(&b, NULL), RC_OK);
    if (!str_eq(buf_str(&b), str_of(to)))
        fail_msg("%s gives " STR_FMT ", not %s", from, STR_ARG(buf_str(&b)),
                 to);
    buf_close(&b);
}

static void letter_case_goes(void **state)
{
    (void)state;
    folds_to("", "");
    folds_to("Hello, WORLD [42]", "hello, world [42]");
    folds_to("ÄÖÜ Straße", "äöü strasse");
    folds_to("ΣΊΣΥΦΟΣ", "σίσυφοσ");
    folds_to("ПРИВЕТ", "привет");
}

static void spellings_of_a_character_are_one(void **state)
{
    (void)state;
    folds_to("A\xCC\x88", "ä");       /* composed from its parts */
    folds_to("\xEF\xBC\xA1", "a");    /* full width */
    folds_to("\xEF\xAC\x81n", "fin"); /* a ligature */
    folds_to("so\xC2\xADup", "soup"); /* a soft hyphen */
}

static void one_character_may_become_many(void **state)
{
    static const char SALLA[] = "\xEF\xB7\xBA"; /* U+FDFA: 18 characters */
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < 100; i++)
        fold_case(str_of(SALLA), &b);
    assert_int_equal(buf_end(&b, NULL), RC_OK);
    assert_int_equal(b.n % 100, 0);
    assert_in_range(b.n / 100, 18, 72);
    buf_close(&b);
}

static void what_is_no_utf8_keeps_its_bytes(void **state)
{
    (void)state;
    folds_to("A\xFFZ", "a\xFFz");
    folds_to("\xC3", "\xC3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letter_case_goes),
        cmocka_unit_test(spellings_of_a_character_are_one),
        cmocka_unit_test(one_character_may_become_many),
        cmocka_unit_test(what_is_no_utf8_keeps_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
