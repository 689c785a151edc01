#include "text/ascii8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_bits(uint64_t bits, unsigned at, bool is)
{
    assert_int_equal(bits >> at & 1, is);
}

/* Every byte at every place, beside others. */
static void a_window_says_of_each_byte_what_it_is(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 256; round++) {
        char p[ASCII8_WINDOW], folded[ASCII8_WINDOW];
        struct ascii8_kinds k;

        for (unsigned i = 0; i < ASCII8_WINDOW; i++)
            p[i] = (char)(round + 37 * i);
        k = ascii8_kinds(p, folded);
        for (unsigned i = 0; i < ASCII8_WINDOW; i++) {
            unsigned char c = (unsigned char)p[i];
            bool big = c >= 'A' && c <= 'Z';

            assert_bits(k.letters, i, big || (c >= 'a' && c <= 'z'));
            assert_bits(k.digits, i, c >= '0' && c <= '9');
            assert_bits(k.spaces, i, c <= ' ');
            assert_bits(k.high, i, c >= 0x80);
            assert_int_equal((unsigned char)folded[i], big ? c + 32 : c);
        }
    }
}

static void both_forms_of_a_window_agree(void **state)
{
    uint64_t x = 42;

    (void)state;
    for (unsigned round = 0; round < 10000; round++) {
        char p[ASCII8_WINDOW], folded[ASCII8_WINDOW], slow[ASCII8_WINDOW];
        struct ascii8_kinds k, ref;

        for (unsigned i = 0; i < ASCII8_WINDOW; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            p[i] = (char)(x >> (round % 2 == 0 ? 33 : 58)); /* or below 64 */
        }
        k = ascii8_kinds(p, folded);
        ref = ascii8_kinds_ref(p, slow);
        assert_memory_equal(&k, &ref, sizeof k);
        assert_memory_equal(folded, slow, sizeof folded);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(a_window_says_of_each_byte_what_it_is),
        cmocka_unit_test(both_forms_of_a_window_agree),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
