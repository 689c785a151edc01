#include "embed/safetensors_priv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"

static struct arena *arena;
static struct tensors ts;
static struct buf file;
static struct held held;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    tensors_open(&ts, arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tensors_close(&ts);
    held_close(&held);
    buf_close(&file);
    arena_close(arena);
    return 0;
}

/* Header and n bytes of data: 0, 1, 2, … */
static rc read_file(const char *header, size_t n)
{
    tensors_close(&ts);
    tensors_open(&ts, arena);
    buf_clear(&file);
    buf_put_u64(&file, strlen(header));
    buf_put(&file, str_of(header));
    for (size_t i = 0; i < n; i++)
        buf_put_char(&file, (char)i);
    e = (struct err){0};
    return safetensors_read(buf_str(&file), &ts, &e);
}

#define A \
    "\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}"
#define B(from, end)                                           \
    "\"b\": {\"dtype\": \"I8\", \"shape\": [2, 2], \"data_off" \
    "sets\": [" #from ", " #end "]}"

static void tensors_borrow_the_file(void **state)
{
    const struct tensor *t;

    (void)state;
    assert_int_equal(read_file("{\"__metadata__\": {\"format\": \"pt\"}, " A
                               ", " B(8, 12) "}  ",
                               12),
                     RC_OK);
    assert_int_equal(ts.n, 2);
    t = tensors_find(&ts, STR("b"));
    assert_non_null(t);
    assert_int_equal(t->type, TENSOR_OTHER);
    assert_int_equal(t->dims[1], 2);
    assert_int_equal(t->bytes.p[0], 8);
    assert_int_equal(t->bytes.n, 4);
    assert_null(tensors_find(&ts, STR("c")));
    assert_int_equal(read_file("{}", 0), RC_OK);
    assert_int_equal(ts.n, 0);
}

static void damaged_files_are_told(void **state)
{
    static const struct {
        const char *header, *why;
        size_t n;
    } ROWS[] = {
        {"{" A "}", "the file is cut: tensor a ends at byte 8", 7},
        {"{" A "}", "1 bytes behind the last tensor", 9},
        {"{" A ", " B(7, 11) "}", "tensor b shares bytes", 12},
        {"{" A ", " B(9, 13) "}", "tensor b does not follow the end", 13},
        {"{" A ", " B(8, 13) "}", "tensor b has 5 bytes, its shape another",
         13},
        {"{" A ", " B(9, 8) "}", "tensor b: data_offsets is no range", 12},
        {"{" A ", " B(-1, 8) "}", "tensor b: data_offsets is no range", 12},
        {"{" A ", " A "}", "duplicate", 8},
        {"{" A, "the header, at character", 8},
        {"[]", "the header is not a JSON object", 0},
        {"{\"a\": 3}", "tensor a: shape is no list of sizes", 0},
        {"{\"a\": {\"shape\": [4294967296, 4294967296], \"dtype\": \"F32\", "
         "\"data_offsets\": [0, 0]}}",
         "tensor a: shape is no list of sizes", 0},
        {"{\"a\": {\"shape\": [1.5], \"data_offsets\": [0, 0]}}",
         "tensor a: shape is no list of sizes", 0},
        {"{\"\": {\"shape\": [0], \"data_offsets\": [0, 0]}}",
         "the name of a tensor has 0 bytes", 0},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        rc code = read_file(ROWS[i].header, ROWS[i].n);

        if (code != RC_FORMAT || strstr(e.text, ROWS[i].why) == NULL)
            print_error("%zu: %s: %s\n", i, rc_name(code), e.text);
        assert_int_equal(code, RC_FORMAT);
        assert_non_null(strstr(e.text, ROWS[i].why));
    }
}

static void lengths_of_the_header_that_lie_are_told(void **state)
{
    (void)state;
    assert_int_equal(safetensors_read(STR("1234567"), &ts, &e), RC_FORMAT);
    assert_int_equal(read_file("{}", 0), RC_OK);
    file.p[0] = 3;
    assert_int_equal(safetensors_read(buf_str(&file), &ts, &e), RC_FORMAT);
    memset(file.p, 0xff, 8);
    assert_int_equal(safetensors_read(buf_str(&file), &ts, &e), RC_FORMAT);
    buf_clear(&file);
    buf_put_u64(&file, 5 << 20);
    for (size_t i = 0; i < 5 << 20; i++)
        buf_put_char(&file, ' ');
    assert_int_equal(safetensors_read(buf_str(&file), &ts, &e), RC_LIMIT);
}

static void too_many_tensors_are_refused(void **state)
{
    struct buf header = {0};

    (void)state;
    for (size_t i = 0; i <= TENSORS_MAX; i++)
        buf_fmt(&header,
                "%s\"t%zu\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":"
                "[0,0]}",
                i == 0 ? "{" : ",", i);
    buf_put(&header, STR("}"));
    buf_put_char(&header, '\0');
    assert_int_equal(read_file(header.p, 0), RC_LIMIT);
    buf_close(&header);
}

/* ---- numbers ---- */

static void halves_become_floats(void **state)
{
    static const struct {
        uint16_t half;
        float is;
    } ROWS[] = {{0x0000, 0.0f},     {0x3c00, 1.0f},
                {0xc000, -2.0f},    {0x7bff, 65504.0f},
                {0x0001, 0x1p-24f}, {0x83ff, -0x1.ff8p-15f},
                {0x0400, 0x1p-14f}, {0x3555, 0x1.554p-2f}};

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++)
        assert_true(half_to_float(ROWS[i].half) == ROWS[i].is);
    assert_true(signbit(half_to_float(0x8000)) != 0);
    assert_true(isinf(half_to_float(0xfc00)));
    assert_true(isnan(half_to_float(0x7e00)));
}

static void turned_weights_are_turned_back(void **state)
{
    static const float IN_OUT[] = {0, 1, 2, 3, 4, 5}; /* [2, 3] */
    struct tensor t = {.name = STR("w"),
                       .type = TENSOR_F32,
                       .dims_n = 2,
                       .dims = {2, 3},
                       .bytes = {(const char *)IN_OUT, sizeof IN_OUT},
                       .turned = true};
    struct tensor_want want = {3, 2};
    const float *v;

    (void)state;
    assert_int_equal(tensor_floats(&t, want, &held, &v, &e), RC_OK);
    assert_true(v[0] == 0 && v[1] == 3 && v[2] == 1 && v[5] == 5);
    t.turned = false;
    assert_int_equal(tensor_floats(&t, want, &held, &v, &e), RC_FORMAT);
    assert_string_equal(e.text, "tensor w is [2, 3], not [3, 2]");
    want = (struct tensor_want){2, 3};
    assert_int_equal(tensor_floats(&t, want, &held, &v, &e), RC_OK);
    assert_ptr_equal(v, IN_OUT);
    t.type = TENSOR_OTHER;
    t.kind = STR("I8");
    assert_int_equal(tensor_floats(&t, want, &held, &v, &e), RC_UNSUPPORTED);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tensors_borrow_the_file),
        TEST(damaged_files_are_told),
        TEST(lengths_of_the_header_that_lie_are_told),
        TEST(too_many_tensors_are_refused),
        TEST(halves_become_floats),
        TEST(turned_weights_are_turned_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
