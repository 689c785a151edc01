#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/io.h"

static void the_limit_sticks(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    buf_open(&b, 10);
    buf_put(&b, STR("12345"));
    buf_put(&b, STR("123456"));
    buf_put(&b, STR("1"));
    assert_true(str_eq(buf_str(&b), STR("12345")));
    assert_int_equal(buf_end(&b, &e), RC_LIMIT);
    assert_string_equal(e.text, "more than 10 bytes");
    buf_clear(&b);
    buf_put(&b, STR("1234567890"));
    assert_int_equal(buf_end(&b, &e), RC_OK);
    buf_close(&b);
    buf_close(&b);
}

static void formatted_text_needs_room_for_its_nul(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 4);
    buf_fmt(&b, "%d", 123);
    assert_int_equal(b.code, RC_OK);
    assert_true(str_eq(buf_str(&b), STR("123")));
    buf_close(&b);
}

static void no_memory_sticks(void **state)
{
    struct buf b = {0};
    struct err e;

    (void)state;
    io_plan_set("fail@2:ENOMEM:alloc");
    buf_put(&b, STR("abc"));
    assert_null(buf_reserve(&b, 1000));
    assert_null(buf_reserve(&b, 1));
    assert_int_equal(buf_end(&b, &e), RC_NOMEM);
    assert_true(str_eq(buf_str(&b), STR("abc")));
    io_plan_set(NULL);
    buf_close(&b);
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_put_char(&b, 'x');
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(b.code, RC_LIMIT);
    buf_close(&b);
}

static void numbers_come_back(void **state)
{
    static const uint64_t V[] = {0,         1,          127,
                                 128,       16383,      16384,
                                 1u << 28,  UINT32_MAX, (uint64_t)1 << 63,
                                 UINT64_MAX};
    struct buf b = {0};
    struct cur c;

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++) {
        buf_put_varint(&b, V[i]);
        buf_put_u64(&b, V[i]);
        buf_put_u32(&b, (uint32_t)V[i]);
        buf_put_u16(&b, (uint16_t)V[i]);
        buf_put_char(&b, (char)V[i]);
    }
    c = cur_of(buf_str(&b));
    for (size_t i = 0; i < NELEMS(V); i++) {
        assert_true(cur_varint(&c) == V[i]);
        assert_true(cur_u64(&c) == V[i]);
        assert_int_equal(cur_u32(&c), (uint32_t)V[i]);
        assert_int_equal(cur_u16(&c), (uint16_t)V[i]);
        assert_int_equal(cur_u8(&c), (uint8_t)V[i]);
    }
    assert_false(c.bad);
    assert_ptr_equal(c.p, c.end);
    assert_int_equal(cur_u8(&c), 0);
    assert_true(c.bad);
    buf_close(&b);
}

static void numbers_are_little_endian(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_put_u32(&b, 0x04030201);
    buf_put_varint(&b, 300);
    assert_true(str_eq(buf_str(&b), STR("\1\2\3\4\xac\2")));
    buf_close(&b);
}

static void broken_varints_are_bad(void **state)
{
    static const str BAD[] = {
        STR_INIT(""),
        STR_INIT("\x80"),
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        STR_INIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++) {
        struct cur c = cur_of(BAD[i]);

        assert_int_equal(cur_varint(&c), 0);
        assert_true(c.bad);
        assert_int_equal(cur_bytes(&c, 0).n, 0);
    }
}

static void bytes_past_the_end_are_bad(void **state)
{
    struct cur c = cur_of(STR("abcd"));

    (void)state;
    assert_true(str_eq(cur_bytes(&c, 3), STR("abc")));
    assert_null(cur_bytes(&c, 2).p);
    assert_true(c.bad);
    c = cur_of(STR("abc"));
    assert_int_equal(cur_u32(&c), 0);
    assert_true(c.bad);
    c = cur_of(STR_NONE);
    assert_int_equal(cur_u8(&c), 0);
    assert_true(c.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_sticks),
        cmocka_unit_test(formatted_text_needs_room_for_its_nul),
        cmocka_unit_test(no_memory_sticks),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(broken_varints_are_bad),
        cmocka_unit_test(bytes_past_the_end_are_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
