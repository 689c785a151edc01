#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"

static struct arena *a;

static int open_arena(void **state)
{
    (void)state;
    a = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(a);
    return 0;
}

static void check_text(str in, str want)
{
    struct err e = {0};
    json_t *v;
    size_t at;
    str is;

    assert_int_equal(js_parse(in, (struct js_limits){0}, &v, &at, &e), RC_OK);
    is = js_text(a, v);
    if (!str_eq(is, want))
        print_error("is " STR_FMT "\n", STR_ARG(is));
    assert_true(str_eq(is, want));
    json_decref(v);
}

static void texts_come_back_compact(void **state)
{
    (void)state;
    check_text(STR(" { \"b\" : [ 1 , -2.5 , true , false , null ] ,\n"
                   "\"a\" : { } , \"c\":[[],[{}]] } "),
               STR("{\"b\":[1,-2.5,true,false,null],\"a\":{},"
                   "\"c\":[[],[{}]]}"));
    check_text(STR("\"\\u00e9\\ud83d\\ude00\\/ \xe6\x97\xa5\""),
               STR("\"\xc3\xa9\xf0\x9f\x98\x80/ \xe6\x97\xa5\""));
    check_text(STR("\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\\\"\\\\\x7f\""),
               STR("\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\\\"\\\\\x7f\""));
    check_text(STR("0"), STR("0"));
    check_text(STR("\"\""), STR("\"\""));
}

static void numbers_keep_their_value(void **state)
{
    (void)state;
    check_text(STR("[9223372036854775807,-9223372036854775808,-0]"),
               STR("[9223372036854775807,-9223372036854775808,0]"));
    check_text(STR("[0.1,1.0,1e3,0.30000000000000004,1e300,5e-7,"
                   "123456.789,0.7071067811865476,-0.0]"),
               STR("[0.1,1.0,1000.0,0.30000000000000004,1e+300,5e-07,"
                   "123456.789,0.7071067811865476,-0.0]"));
}

static void check_refused(str in, struct js_limits limits, rc code, size_t at,
                          const char *why)
{
    struct err e = {0};
    json_t *v;
    size_t is_at;

    assert_int_equal(js_parse(in, limits, &v, &is_at, &e), code);
    assert_null(v);
    assert_string_equal(e.text, why);
    assert_int_equal(is_at, at);
}

/* Words and places of Python 3.11's json module. */
static void refusals_speak_like_python(void **state)
{
    static const struct {
        str text;
        size_t at;
        const char *why;
    } BAD[] = {
        {STR_INIT(""), 0, "Expecting value"},
        {STR_INIT("  "), 2, "Expecting value"},
        {STR_INIT("{"), 1, "Expecting property name enclosed in double quotes"},
        {STR_INIT("{\"a\":1,}"), 7,
         "Expecting property name enclosed in double quotes"},
        {STR_INIT("{1:2}"), 1,
         "Expecting property name enclosed in double quotes"},
        {STR_INIT("{\"a\" 1}"), 5, "Expecting ':' delimiter"},
        {STR_INIT("{\"a\":1"), 6, "Expecting ',' delimiter"},
        {STR_INIT("[1 2]"), 3, "Expecting ',' delimiter"},
        {STR_INIT("["), 1, "Expecting value"},
        {STR_INIT("[1,]"), 3, "Expecting value"},
        {STR_INIT("{\"\xc3\xa9\":}"), 5, "Expecting value"},
        {STR_INIT("tru"), 0, "Expecting value"},
        {STR_INIT("-"), 0, "Expecting value"},
        {STR_INIT("NaN"), 0, "Expecting value"},
        {STR_INIT("01"), 1, "Extra data"},
        {STR_INIT("1."), 1, "Extra data"},
        {STR_INIT("1.e5"), 1, "Extra data"},
        {STR_INIT("1e+"), 1, "Extra data"},
        {STR_INIT("1 2"), 2, "Extra data"},
        {STR_INIT("[]]"), 2, "Extra data"},
        {STR_INIT("[}"), 1, "Expecting value"},
        {STR_INIT("{]"), 1,
         "Expecting property name enclosed in double quotes"},
        {STR_INIT("[1}"), 2, "Expecting ',' delimiter"},
        {STR_INIT("\"abc"), 0, "Unterminated string starting at"},
        {STR_INIT("[\"\\"), 1, "Unterminated string starting at"},
        {STR_INIT("\"a\nb\""), 2, "Invalid control character at"},
        {STR_INIT("\"a\0b\""), 2, "Invalid control character at"},
        {STR_INIT("\"\\x\""), 1, "Invalid \\escape"},
        {STR_INIT("\"\\u12g4\""), 2, "Invalid \\uXXXX escape"},
        {STR_INIT("\"\\u1234"), 2, "Invalid \\uXXXX escape"},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++)
        check_refused(BAD[i].text, (struct js_limits){0}, RC_FORMAT, BAD[i].at,
                      BAD[i].why);
}

static rc code_of(str text)
{
    struct err e;
    json_t *v;
    size_t at;
    rc code = js_parse(text, (struct js_limits){0}, &v, &at, &e);

    json_decref(v);
    return code;
}

static void what_a_tree_cannot_hold_is_refused(void **state)
{
    (void)state;
    assert_int_equal(code_of(STR("{\"a\":1,\"a\":2}")), RC_FORMAT);
    assert_int_equal(code_of(STR("{\"a\":{\"b\":1},\"b\":2}")), RC_OK);
    assert_int_equal(code_of(STR("\"\xff\"")), RC_FORMAT);
    assert_int_equal(code_of(STR("\"\\ud800\"")), RC_FORMAT);
    assert_int_equal(code_of(STR("{\"\\u0000\":1}")), RC_FORMAT);
    assert_int_equal(code_of(STR("1e999")), RC_LIMIT);
}

static void integers_may_be_asked_for_as_reals(void **state)
{
    static const struct js_limits LIMITS = {.integers_as_reals = true};
    json_t *v;
    size_t at;

    (void)state;
    assert_int_equal(js_parse(STR("[1, 1000000000000000019884624838656]"),
                              LIMITS, &v, &at, NULL),
                     RC_OK);
    assert_true(json_real_value(json_array_get(v, 0)) == 1);
    assert_true(json_real_value(json_array_get(v, 1)) == 1e30);
    json_decref(v);
}

static void integers_past_int64_are_not_rounded(void **state)
{
    static const str BIG[] = {STR_INIT("9223372036854775808"),
                              STR_INIT("-9223372036854775809"),
                              STR_INIT("123456789012345678901234567890")};

    (void)state;
    for (size_t i = 0; i < NELEMS(BIG); i++)
        check_refused(BIG[i], (struct js_limits){0}, RC_LIMIT, 0,
                      "integer has more than 64 bits");
}

static str repeat(const char *head, size_t n, const char *tail)
{
    struct buf b = {0};
    str s;

    for (size_t i = 0; i < n; i++)
        buf_put(&b, str_of(head));
    for (size_t i = 0; i < n; i++)
        buf_put(&b, str_of(tail));
    s = arena_str(a, buf_str(&b));
    buf_close(&b);
    return s;
}

static void each_limit_holds_at_its_bound(void **state)
{
    struct js_limits three = {.depth_max = 3,
                              .keys_max = 3,
                              .number_bytes_max = 3,
                              .string_bytes_max = 3};
    struct err e;
    json_t *v;
    size_t at;

    (void)state;
    assert_int_equal(
        js_parse(STR("[{\"abc\":[123,-12,\"abc\"],\"b\":1,\"c\":1}]"), three,
                 &v, &at, &e),
        RC_OK);
    json_decref(v);
    check_refused(STR("[[[[]]]]"), three, RC_LIMIT, 3, "nesting is too deep");
    check_refused(STR("[{\"a\":1,\"b\":1},{\"a\":1,\"b\":1}]"), three, RC_LIMIT,
                  22, "too many keys");
    check_refused(STR("[1234]"), three, RC_LIMIT, 1, "number is too long");
    check_refused(STR("[\"abcd\"]"), three, RC_LIMIT, 1, "string is too long");
}

static void deep_texts_neither_recurse_nor_pass(void **state)
{
    (void)state;
    assert_int_equal(code_of(repeat("[", JSON_DEPTH_MAX, "]")), RC_OK);
    assert_int_equal(code_of(repeat("[", JSON_DEPTH_MAX + 1, "]")), RC_LIMIT);
    assert_int_equal(code_of(repeat("{\"a\":", 200000, "}")), RC_LIMIT);
}

static void deep_trees_are_written_up_to_the_ceiling(void **state)
{
    json_t *v = json_array();
    struct buf b = {0};
    struct err e;

    (void)state;
    for (size_t i = 1; i < JS_DEPTH_CEILING; i++)
        v = json_pack("[o]", v);
    assert_int_equal(js_put(&b, v, &e), RC_OK);
    assert_int_equal(b.n, 2 * JS_DEPTH_CEILING);
    v = json_pack("[o]", v);
    buf_clear(&b);
    assert_int_equal(js_put(&b, v, &e), RC_LIMIT);
    json_decref(v);
    buf_close(&b);
}

static void a_full_buffer_is_told(void **state)
{
    json_t *v = json_pack("{s:s}", "key", "value");
    struct buf b;
    struct err e;

    (void)state;
    buf_open(&b, 10);
    assert_int_equal(js_put(&b, v, &e), RC_LIMIT);
    buf_close(&b);
    json_decref(v);
}

static void look_ups_mind_the_type(void **state)
{
    json_t *v = json_pack("{s:s,s:i}", "a", "x", "b", 1);

    (void)state;
    assert_true(str_eq(js_str(v, "a"), STR("x")));
    assert_null(js_str(v, "b").p);
    assert_null(js_str(v, "c").p);
    assert_null(js_str(NULL, "c").p);
    json_decref(v);
}

static void broken_utf8_is_replaced(void **state)
{
    static const struct {
        str in, want;
    } V[] = {
        {STR_INIT("a\xff"
                  "b"),
         STR_INIT("\"a\xef\xbf\xbd"
                  "b\"")},
        {STR_INIT("\xc3"), STR_INIT("\"\xef\xbf\xbd\"")},
        {STR_INIT("\xed\xa0\x80"),
         STR_INIT("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"")},
        {STR_INIT("\xf4\x90\x80\x80\xc3\xa9"),
         STR_INIT("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                  "\xc3\xa9\"")},
        {STR_INIT("\xc3\xa9\0"), STR_INIT("\"\xc3\xa9\\u0000\"")},
        {STR_INIT(""), STR_INIT("\"\"")},
    };
    json_t *v;

    (void)state;
    for (size_t i = 0; i < NELEMS(V); i++) {
        v = js_of_str(V[i].in);
        assert_true(str_eq(js_text(a, v), V[i].want));
        json_decref(v);
    }
    v = js_of_str_or_null(STR_NONE);
    assert_true(json_is_null(v));
    v = js_of_str_or_null(STR(""));
    assert_true(json_is_string(v));
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back_compact),
        cmocka_unit_test(numbers_keep_their_value),
        cmocka_unit_test(refusals_speak_like_python),
        cmocka_unit_test(what_a_tree_cannot_hold_is_refused),
        cmocka_unit_test(integers_may_be_asked_for_as_reals),
        cmocka_unit_test(integers_past_int64_are_not_rounded),
        cmocka_unit_test(each_limit_holds_at_its_bound),
        cmocka_unit_test(deep_texts_neither_recurse_nor_pass),
        cmocka_unit_test(deep_trees_are_written_up_to_the_ceiling),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(look_ups_mind_the_type),
        cmocka_unit_test(broken_utf8_is_replaced),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
