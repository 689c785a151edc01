/* unpack: streams in pieces of any size, each coding, cut and wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "net/unpack.h"

#define GZIP 31
#define ZLIB 15
#define RAW (-15)

/* So many times the words, packed. */
static void pack(int bits, size_t times, struct buf *plain, struct buf *to)
{
    z_stream z = {.next_in = NULL};
    unsigned char *out;
    size_t cap, from = plain->n;

    for (size_t i = 0; i < times; i++)
        buf_put(plain, STR("the quick brown fox jumps over the lazy dog "));
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, 0), Z_OK);
    cap = deflateBound(&z, plain->n - from);
    out = (unsigned char *)buf_reserve(to, cap);
    z.next_in = (unsigned char *)plain->p + from;
    z.avail_in = (uInt)(plain->n - from);
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->n += cap - z.avail_out;
    (void)deflateEnd(&z);
}

static rc keep(void *arg, str bytes, struct err *e)
{
    (void)e;
    buf_put(arg, bytes);
    return RC_OK;
}

/* All of it, so much at once. */
static rc unpack_all(str coding, str packed, size_t at_once, struct buf *to)
{
    struct unpack *u;
    rc code = unpack_open(coding, &u, NULL);

    for (size_t at = 0; code == RC_OK && at < packed.n; at += at_once)
        code = unpack_put(u, str_sub(packed, at, at_once), keep, to, NULL);
    if (code == RC_OK)
        code = unpack_end(u, NULL);
    unpack_close(u);
    return code;
}

static void every_coding_in_pieces_of_any_size(void **state)
{
    static const struct {
        str coding;
        int bits;
    } ROWS[] = {{STR_INIT("gzip"), GZIP},
                {STR_INIT("X-GZIP"), GZIP},
                {STR_INIT("deflate"), ZLIB},
                {STR_INIT("deflate"), RAW}};
    static const size_t SIZES[] = {1, 2, 3, 7, 1000, 1 << 20};

    (void)state;
    for (size_t r = 0; r < NELEMS(ROWS); r++) {
        struct buf plain = {0}, packed = {0};

        pack(ROWS[r].bits, 5000, &plain, &packed);
        assert_true(unpack_knows(ROWS[r].coding));
        for (size_t i = 0; i < NELEMS(SIZES); i++) {
            struct buf got = {0};

            assert_int_equal(
                unpack_all(ROWS[r].coding, buf_str(&packed), SIZES[i], &got),
                RC_OK);
            assert_true(str_eq(buf_str(&got), buf_str(&plain)));
            buf_close(&got);
        }
        buf_close(&plain);
        buf_close(&packed);
    }
    assert_false(unpack_knows(STR("br")));
}

static void a_stream_that_is_cut_is_told(void **state)
{
    struct buf plain = {0}, packed = {0};

    (void)state;
    pack(GZIP, 50, &plain, &packed);
    for (size_t n = 1; n < packed.n; n++) {
        struct buf got = {0};

        assert_int_equal(
            unpack_all(STR("gzip"), str_sub(buf_str(&packed), 0, n), 13, &got),
            RC_FORMAT);
        buf_close(&got);
    }
    buf_close(&plain);
    buf_close(&packed);
}

static void what_is_no_stream_is_told(void **state)
{
    struct buf got = {0};

    (void)state;
    assert_int_equal(unpack_all(STR("gzip"), STR("<p>plain text"), 100, &got),
                     RC_FORMAT);
    assert_int_equal(
        unpack_all(STR("deflate"), STR("\xff\xff\xff\xff"), 1, &got),
        RC_FORMAT);
    assert_int_equal(unpack_all(STR("gzip"), STR(""), 1, &got), RC_OK);
    assert_int_equal(unpack_all(STR("deflate"), STR("x"), 1, &got), RC_FORMAT);
    assert_int_equal(got.n, 0);
    buf_close(&got);
}

static void what_stands_behind_the_end_is_passed_over(void **state)
{
    struct buf plain = {0}, packed = {0}, got = {0};

    (void)state;
    pack(GZIP, 3, &plain, &packed);
    buf_put(&packed, STR("garbage behind it"));
    assert_int_equal(unpack_all(STR("gzip"), buf_str(&packed), 5, &got), RC_OK);
    assert_true(str_eq(buf_str(&got), buf_str(&plain)));
    buf_close(&plain);
    buf_close(&packed);
    buf_close(&got);
}

static void members_of_gzip_follow_each_other(void **state)
{
    struct buf plain = {0}, packed = {0};

    (void)state;
    for (size_t times = 1; times <= 5; times++)
        pack(GZIP, times * times * 100, &plain, &packed);
    buf_put(&packed, STR("\x1f")); /* not yet one more */
    for (size_t at_once = 1; at_once <= packed.n; at_once += 7) {
        struct buf got = {0};

        assert_int_equal(
            unpack_all(STR("gzip"), buf_str(&packed), at_once, &got), RC_OK);
        assert_true(str_eq(buf_str(&got), buf_str(&plain)));
        buf_close(&got);
    }
    buf_put(&packed, STR("\x8b\b")); /* one that is cut */
    assert_int_equal(
        unpack_all(STR("gzip"), buf_str(&packed), packed.n, &plain), RC_FORMAT);
    buf_close(&plain);
    buf_close(&packed);
}

static rc refuse(void *arg, str bytes, struct err *e)
{
    (void)arg;
    (void)bytes;
    return err_set(e, RC_LIMIT, "enough");
}

static void a_taker_ends_it(void **state)
{
    struct buf plain = {0}, packed = {0};
    struct unpack *u;

    (void)state;
    pack(GZIP, 3, &plain, &packed);
    assert_int_equal(unpack_open(STR("gzip"), &u, NULL), RC_OK);
    assert_int_equal(unpack_put(u, buf_str(&packed), refuse, NULL, NULL),
                     RC_LIMIT);
    unpack_close(u);
    buf_close(&plain);
    buf_close(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_coding_in_pieces_of_any_size),
        cmocka_unit_test(a_stream_that_is_cut_is_told),
        cmocka_unit_test(what_is_no_stream_is_told),
        cmocka_unit_test(what_stands_behind_the_end_is_passed_over),
        cmocka_unit_test(members_of_gzip_follow_each_other),
        cmocka_unit_test(a_taker_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
