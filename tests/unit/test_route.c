#include "serve/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "serve/serve.h"

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

static const struct route *found;
static str texts[PATH_PARAMS_MAX], allow;

static enum route_match find(const char *method, const char *path)
{
    return route_find(str_of(method), str_of(path), arena, &found, texts,
                      &allow);
}

static void paths_are_split_before_they_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/v1/knowledge-base/documents/a%2Fb%20c"),
                     ROUTE_FOUND);
    assert_true(str_eq(texts[0], STR("a/b c")));
    assert_int_equal(find("GET", "/v1/knowledge-base%2Fconfig"), ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/v1/knowledge-base/documents/a%00b"),
                     ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/v1/knowledge-base/documents/"),
                     ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/v1/knowledge-base/config/"), ROUTE_NO_PATH);
    assert_int_equal(find("GET", "/healthz/../healthz"), ROUTE_NO_PATH);
    assert_int_equal(find("GET", "//healthz"), ROUTE_NO_PATH);
    assert_int_equal(find("GET", "*"), ROUTE_NO_PATH);
}

static void head_is_asked_of_get(void **state)
{
    (void)state;
    assert_int_equal(find("HEAD", "/healthz"), ROUTE_FOUND);
    assert_string_equal(found->method, "GET");
    assert_int_equal(find("HEAD", "/v1/knowledge-base/search"),
                     ROUTE_NO_METHOD);
    assert_true(str_eq(allow, STR("POST")));
    assert_int_equal(find("PATCH", "/v1/knowledge-base/knowledge-bases"),
                     ROUTE_NO_METHOD);
    assert_true(str_eq(allow, STR("POST, GET, HEAD")));
    assert_int_equal(find("get", "/healthz"), ROUTE_NO_METHOD);
}

static size_t params_of(const char *pattern)
{
    size_t n = 0;

    for (; *pattern != '\0'; pattern++)
        n += *pattern == '{';
    return n;
}

static bool same(const struct route *a, const struct route *b)
{
    return strcmp(a->method, b->method) == 0 &&
           strcmp(a->pattern, b->pattern) == 0;
}

static void every_row_is_whole(void **state)
{
    const struct route *r, *other;
    size_t at = 0, again, rows = 0;

    (void)state;
    while ((r = route_next(&at)) != NULL) {
        size_t n = params_of(r->pattern);

        rows++;
        assert_non_null(r->handle);
        assert_non_null(r->operation);
        assert_non_null(r->doc);
        assert_in_range(r->success, 200, 204);
        assert_true(n <= PATH_PARAMS_MAX);
        for (size_t i = 0; i < n; i++) {
            str name = arena_fmt(arena, "{%s}", r->params[i].name);

            assert_true(str_find(str_of(r->pattern), name) <
                        strlen(r->pattern));
        }
        assert_true(n == PATH_PARAMS_MAX || r->params[n].name == NULL);
        assert_int_equal(r->body_kind == BODY_JSON ||
                             r->body_kind == BODY_MULTIPART,
                         r->body != NULL);
        assert_int_equal(n > 0, r->object != NULL);
        if (r->writes || route_takes_in(r))
            assert_true(r->access == ACCESS_MANAGE || r->access == ACCESS_ORG);
        again = 0;
        while ((other = route_next(&again)) != r) {
            assert_false(same(r, other));
            assert_string_not_equal(r->operation, other->operation);
        }
    }
    assert_true(rows > 30);
}

/* "" in place of a $ref's schema where the answer is free or not JSON. */
static json_t *schema_of(json_t *doc, json_t *op, unsigned status)
{
    char name[8];
    json_t *answer, *schema;

    (void)snprintf(name, sizeof name, "%u", status);
    answer = json_object_get(json_object_get(op, "responses"), name);
    assert_non_null(answer);
    schema = json_object_get(
        json_object_get(json_object_get(answer, "content"), "application/json"),
        "schema");
    if (json_object_get(schema, "items") != NULL)
        schema = json_object_get(schema, "items");
    if (json_object_get(schema, "$ref") == NULL)
        return NULL;
    return json_object_get(
        json_object_get(json_object_get(doc, "components"), "schemas"),
        json_string_value(json_object_get(schema, "$ref")) +
            sizeof "#/components/schemas/" - 1);
}

static const struct field *field_of(const struct model *m, const char *name)
{
    const struct field *f = m->fields;

    while (f->name != NULL && strcmp(f->name, name) != 0)
        f++;
    return f->name != NULL ? f : NULL;
}

/* Feather's type of a property; NULL: it may be several, or null. */
static const char *type_of(json_t *property)
{
    size_t i;
    json_t *any;

    json_array_foreach(json_object_get(property, "anyOf"), i, any)
    {
        if (strcmp(js_str(any, "type").n > 0 ? js_str(any, "type").p : "",
                   "null") != 0)
            return js_str(any, "type").p;
    }
    return js_str(property, "type").p;
}

static const char *our_type(const struct field *f)
{
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_UUID:
    case FIELD_TIME:
    case FIELD_LITERAL:
        return "string";
    case FIELD_INT:
        return "integer";
    case FIELD_NUMBER:
        return "number";
    case FIELD_BOOL:
        return "boolean";
    case FIELD_OBJECT:
    case FIELD_MAP:
        return "object";
    case FIELD_LIST:
        return "array";
    case FIELD_MODEL:
    case FIELD_ANY:
        break;
    }
    return NULL;
}

static bool may_be_null(json_t *property)
{
    size_t i;
    json_t *any;

    json_array_foreach(json_object_get(property, "anyOf"), i, any)
    {
        if (str_eq(js_str(any, "type"), STR("null")))
            return true;
    }
    return false;
}

static void check_answer(const struct route *r, json_t *schema)
{
    const char *name;
    json_t *property;

    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        const struct field *f = field_of(r->answer, name);
        const char *theirs = type_of(property);

        if (f == NULL)
            print_error("%s: no field %s\n", r->operation, name);
        assert_non_null(f);
        if (theirs != NULL && our_type(f) != NULL)
            assert_string_equal(our_type(f), theirs);
        if (f->nullable && !may_be_null(property))
            print_error("%s: %s may be null here\n", r->operation, name);
        assert_true(!f->nullable || may_be_null(property));
    }
}

static void answers_have_every_field_feather_names(void **state)
{
    struct err e;
    str text;
    json_t *doc, *op;
    const struct route *r;
    size_t at = 0, checked = 0;

    (void)state;
    if (file_read("../shared/vendor/feather-openapi.json", 64 * MIB, arena,
                  &text, &e) != RC_OK)
        skip();
    doc = json_loadb(text.p, text.n, 0, NULL);
    assert_non_null(doc);
    while ((r = route_next(&at)) != NULL) {
        str method = arena_str(arena, str_of(r->method));
        char lower[8] = {0};
        json_t *schema;

        for (size_t i = 0; i < method.n; i++)
            lower[i] = (char)(method.p[i] | 0x20);
        op = json_object_get(
            json_object_get(json_object_get(doc, "paths"), r->pattern), lower);
        if (op == NULL) { /* ours alone */
            assert_true(r->dialect != DIALECT_FEATHER ||
                        strcmp(r->operation, "download") == 0);
            continue;
        }
        assert_string_equal(js_str(op, "operationId").p, r->operation);
        if (r->success == 204)
            continue;
        schema = schema_of(doc, op, r->success);
        if (schema != NULL) {
            check_answer(r, schema);
            checked++;
        }
    }
    assert_true(checked > 15);
    json_decref(doc);
}

static void descriptions_are_json(void **state)
{
    struct buf b = {0};
    json_t *v;

    (void)state;
    serve_openapi_json(&b);
    v = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    assert_true(json_object_size(json_object_get(v, "paths")) > 20);
    json_decref(v);
    buf_clear(&b);
    serve_routes_json(&b);
    v = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_array_size(v) > 30);
    json_decref(v);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_split_before_they_are_decoded),
        cmocka_unit_test(head_is_asked_of_get),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(answers_have_every_field_feather_names),
        cmocka_unit_test(descriptions_are_json),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
