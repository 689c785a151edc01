#include "base/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

/* RFC 3720, appendix B.4. */
static void the_standards_examples_hold(void **state)
{
    uint8_t b[32];

    (void)state;
    memset(b, 0, sizeof b);
    assert_int_equal(crc32c(b, sizeof b), 0x8a9136aa);
    memset(b, 0xff, sizeof b);
    assert_int_equal(crc32c(b, sizeof b), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof b; i++)
        b[i] = i;
    assert_int_equal(crc32c(b, sizeof b), 0x46dd794e);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(NULL, 0), 0);
}

static void the_fast_form_equals_the_table(void **state)
{
    struct rng r = rng_seeded(1);
    uint8_t b[300];

    (void)state;
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)rng_next(&r);
    for (size_t from = 0; from < 9; from++) {
        for (size_t n = 0; n + from <= sizeof b; n++)
            assert_int_equal(crc32c_more((uint32_t)n, b + from, n),
                             crc32c_table((uint32_t)n, b + from, n));
    }
}

static void parts_add_up(void **state)
{
    const char *s = "the quick brown fox jumps over the lazy dog";
    size_t n = strlen(s);

    (void)state;
    for (size_t cut = 0; cut <= n; cut++)
        assert_int_equal(crc32c_more(crc32c(s, cut), s + cut, n - cut),
                         crc32c(s, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_examples_hold),
        cmocka_unit_test(the_fast_form_equals_the_table),
        cmocka_unit_test(parts_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
