#include "serve/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "serve/pydantic.h"

/* The model of tests/golden/make_pydantic.py. */
static const struct field ID = {.name = "", .type = FIELD_UUID};
static const struct model INNER = {
    .name = "Inner",
    .fields = (const struct field[]){
        {.name = "a", .type = FIELD_INT, .required = true}, {0}}};
static const struct field OF_INNER = {
    .name = "", .type = FIELD_MODEL, .model = &INNER};
static const struct model MODEL = {
    .name = "Model",
    .strict = true,
    .fields = (const struct field[]){
        {.name = "s", .type = FIELD_STRING, .required = true},
        {.name = "u", .type = FIELD_UUID, .required = true},
        {.name = "l",
         .type = FIELD_LIST,
         .required = true,
         .item = &ID,
         .length_min = 1,
         .length_max = 2},
        {.name = "n",
         .type = FIELD_INT,
         .min = BOUND(1),
         .max = BOUND(100),
         .preset = "30"},
        {.name = "f",
         .type = FIELD_NUMBER,
         .min = BOUND(0.1),
         .max = BOUND(1.0),
         .preset = "0.5"},
        {.name = "b", .type = FIELD_BOOL, .preset = "false"},
        {.name = "m",
         .type = FIELD_MAP,
         .nullable = true,
         .key_uuid = true,
         .item = &ID},
        {.name = "t", .type = FIELD_TIME, .nullable = true},
        {.name = "one",
         .type = FIELD_LITERAL,
         .values = (const char *const[]){"low", NULL}},
        {.name = "three",
         .type = FIELD_LITERAL,
         .values = (const char *const[]){"a", "b", "c", NULL}},
        {.name = "d", .type = FIELD_OBJECT, .nullable = true},
        {.name = "q", .type = FIELD_STRING, .length_min = 2, .length_max = 4},
        {.name = "q1", .type = FIELD_STRING, .length_min = 1, .length_max = 1},
        {.name = "x", .type = FIELD_MODEL, .nullable = true, .model = &INNER},
        {.name = "xs", .type = FIELD_LIST, .nullable = true, .item = &OF_INNER},
        {0}}};
static const struct model QUERY = {
    .name = "Query",
    .fields = (const struct field[]){
        {.name = "limit",
         .type = FIELD_INT,
         .min = BOUND(1),
         .max = BOUND(200),
         .preset = "50"},
        {.name = "flag", .type = FIELD_BOOL, .preset = "false"},
        {.name = "ratio", .type = FIELD_NUMBER, .preset = "0.5"},
        {.name = "cursor", .type = FIELD_STRING, .nullable = true},
        {.name = "u", .type = FIELD_UUID, .nullable = true},
        {0}}};

static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static json_t *rendered(const struct faults *fs)
{
    struct buf b = {0};
    json_t *v;

    pydantic_put(&b, fs);
    v = json_loadb(b.p, b.n, 0, NULL);
    assert_non_null(v);
    buf_close(&b);
    return v;
}

static void check_json_text(str text, struct faults *fs)
{
    struct place at = place_of(STR("body"));
    struct err e;
    size_t offset;
    json_t *v;

    assert_int_not_equal(js_parse(text, (struct js_limits){0}, &v, &offset, &e),
                         RC_OK);
    at = place_at(&at, offset);
    v = json_object();
    fault_add(fs, &at, REASON_JSON, 0, 0, str_of(e.text), v);
    json_decref(v);
}

static void faults_read_as_pydantic_writes_them(void **state)
{
    struct err e;
    str file, line;
    size_t cases = 0;

    (void)state;
    assert_int_equal(
        file_read("tests/golden/pydantic/cases.jsonl", MIB, arena, &file, &e),
        RC_OK);
    while (str_cut(file, '\n', &line, &file)) {
        json_t *one = json_loadb(line.p, line.n, 0, NULL), *got;
        struct faults fs = {.arena = arena};
        struct place body = place_of(STR("body"));
        str query = js_str(one, "query"), text = js_str(one, "text");

        assert_non_null(one);
        if (query.n > 0)
            json_decref(query_parse(&QUERY, query, &fs));
        else if (text.n > 0)
            check_json_text(text, &fs);
        else
            model_check(&MODEL, json_object_get(one, "body"), &body, &fs);
        got = rendered(&fs);
        if (!json_equal(json_object_get(got, "detail"),
                        json_object_get(one, "detail"))) {
            print_error("case: " STR_FMT "\n got: " STR_FMT "\n", STR_ARG(line),
                        STR_ARG(js_text(arena, got)));
            fail();
        }
        json_decref(got);
        json_decref(one);
        cases++;
    }
    assert_true(cases > 100);
}

/* The one reason found in a body {"s":…,"u":…,"l":[…],NAME:VALUE}. */
static enum reason reason_of(const char *name, const char *value)
{
    static const char ZERO[] = "00000000-0000-0000-0000-000000000000";
    struct faults fs = {.arena = arena};
    struct place at = place_of(STR("body"));
    json_t *o = json_pack("{s:s,s:s,s:[s]}", "s", "x", "u", ZERO, "l", ZERO);
    json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);

    assert_non_null(v);
    (void)json_object_set_new(o, name, v);
    model_check(&MODEL, o, &at, &fs);
    json_decref(o);
    assert_int_equal(fs.n, 1);
    return fs.v[0].reason;
}

static void text_is_no_number_in_a_body(void **state)
{
    (void)state;
    assert_int_equal(reason_of("n", "\"5\""), REASON_INT_TYPE);
    assert_int_equal(reason_of("n", "5.0"), REASON_INT_TYPE);
    assert_int_equal(reason_of("n", "true"), REASON_INT_TYPE);
    assert_int_equal(reason_of("f", "\"0.5\""), REASON_FLOAT_TYPE);
    assert_int_equal(reason_of("f", "false"), REASON_FLOAT_TYPE);
    assert_int_equal(reason_of("b", "\"true\""), REASON_BOOL_TYPE);
    assert_int_equal(reason_of("b", "1"), REASON_BOOL_TYPE);
    assert_int_equal(reason_of("t", "1700000000"), REASON_DATETIME);
}

static void presets_fill_what_is_absent(void **state)
{
    struct faults fs = {.arena = arena};
    struct place at = place_of(STR("body"));
    json_t *o = json_pack("{s:s,s:s,s:[s]}", "s", "x", "u",
                          "urn:uuid:00000000-0000-0000-0000-000000000000", "l",
                          "00000000000000000000000000000000");

    (void)state;
    model_check(&MODEL, o, &at, &fs);
    assert_int_equal(fs.n, 0);
    assert_int_equal(in_int(o, "n", 0), 30);
    assert_true(in_num(o, "f", 0) > 0.4 && in_num(o, "f", 0) < 0.6);
    assert_false(in_has(o, "t"));
    json_decref(o);
}

static void the_last_of_a_query_name_counts(void **state)
{
    struct faults fs = {.arena = arena};
    json_t *v = query_parse(
        &QUERY,
        STR("limit=5&other=1&limit=%37&cursor=a%2Bb+c%zz&flag=on&%00=1"), &fs);

    (void)state;
    assert_int_equal(fs.n, 0);
    assert_int_equal(in_int(v, "limit", 0), 7);
    assert_true(str_eq(in_str(v, "cursor"), STR("a+b c%zz")));
    assert_true(in_bool(v, "flag", false));
    json_decref(v);
}

static void long_inputs_are_shown_cut(void **state)
{
    struct faults fs = {.arena = arena};
    struct place at = place_of(STR("body"));
    char *text = arena_alloc(arena, 100001);
    json_t *v;

    (void)state;
    memset(text, 'x', 100000);
    v = json_string(text);
    model_check(&INNER, v, &at, &fs);
    json_decref(v);
    assert_int_equal(fs.v[0].input_json.n, 258);
}

static const char *both_or_none(const json_t *o)
{
    return in_has(o, "a") == in_has(o, "b") ? NULL : "a goes with b";
}

static const struct model PAIR = {
    .name = "Pair",
    .fields = (const struct field[]){{.name = "a", .type = FIELD_INT},
                                     {.name = "b", .type = FIELD_INT},
                                     {0}},
    .rule = both_or_none,
};

static void rules_across_fields_come_last(void **state)
{
    struct faults fs = {.arena = arena};
    struct place at = place_of(STR("body"));
    json_t *o = json_pack("{s:i}", "a", 1), *got;

    (void)state;
    model_check(&PAIR, o, &at, &fs);
    got = rendered(&fs);
    assert_string_equal(
        js_text(arena, got).p,
        "{\"detail\":[{\"type\":\"value_error\",\"loc\":[\"body\"],"
        "\"msg\":\"Value error, a goes with b\",\"input\":{\"a\":1},"
        "\"ctx\":{\"error\":{}}}]}");
    json_decref(got);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_read_as_pydantic_writes_them),
        cmocka_unit_test(text_is_no_number_in_a_body),
        cmocka_unit_test(presets_fill_what_is_absent),
        cmocka_unit_test(the_last_of_a_query_name_counts),
        cmocka_unit_test(long_inputs_are_shown_cut),
        cmocka_unit_test(rules_across_fields_come_last),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
