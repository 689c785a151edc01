#include "serve/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

/* Characters, and bytes that are part of none whatever stands beside them. */
static const char *const PIECES[] = {"a",
                                     "Z",
                                     "~",
                                     " ",
                                     "!",
                                     "#",
                                     "[",
                                     "]",
                                     "\x7f",
                                     "\"",
                                     "\\",
                                     "\n",
                                     "\t",
                                     "\x01",
                                     "\x1f",
                                     "\xC3\xA4",
                                     "\xE2\x82\xAC",
                                     "\xF0\x9F\x8C\xBF",
                                     "\xff",
                                     "\xc0"};

static void put(struct buf *b, str s)
{
    struct out o = out_to(b);

    out_str(&o, NULL, s);
    assert_int_equal(b->code, RC_OK);
}

/* A piece by itself is too short for eight bytes to be looked at at once. */
static void put_pieces(struct buf *b, const uint8_t *pieces, size_t n)
{
    struct buf one = {0};

    buf_put_char(b, '"');
    for (size_t i = 0; i < n; i++) {
        buf_clear(&one);
        put(&one, str_of(PIECES[pieces[i]]));
        buf_put(b, str_sub(buf_str(&one), 1, one.n - 2));
    }
    buf_put_char(b, '"');
    buf_close(&one);
}

static void a_text_is_escaped_wherever_its_characters_stand(void **state)
{
    struct rng r = rng_seeded(11);
    struct buf text = {0}, is = {0}, should = {0};

    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        uint8_t pieces[40];
        /* Mostly letters, so that runs of them come before, between, after. */
        uint64_t kinds = round % 2 == 0 ? NELEMS(PIECES) : 9;
        size_t n = rng_below(&r, NELEMS(pieces));

        buf_clear(&text);
        buf_clear(&is);
        buf_clear(&should);
        for (size_t i = 0; i < n; i++) {
            bool any = rng_below(&r, 12) == 0;

            pieces[i] = (uint8_t)rng_below(&r, any ? NELEMS(PIECES) : kinds);
            buf_put(&text, str_of(PIECES[pieces[i]]));
        }
        put(&is, buf_str(&text));
        put_pieces(&should, pieces, n);
        assert_true(str_eq(buf_str(&is), buf_str(&should)));
    }
    buf_close(&text);
    buf_close(&is);
    buf_close(&should);
}

static void each_escape_is_the_one_json_has(void **state)
{
    struct buf b = {0};

    (void)state;
    put(&b, STR("a plain start \"\\\n\r\t\x01\x7f\xff end"));
    assert_true(
        str_eq(buf_str(&b), STR("\"a plain start \\\"\\\\\\n\\r\\t\\u0001\x7f"
                                "\xEF\xBF\xBD end\"")));
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_escaped_wherever_its_characters_stand),
        cmocka_unit_test(each_escape_is_the_one_json_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
