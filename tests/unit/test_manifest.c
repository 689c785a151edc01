#include "serve/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "serve/pydantic.h"

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

static const str FILES[] = {STR_INIT("a.txt"), STR_INIT("")};

static rc read_text(str text, size_t files_n, struct intake *in,
                    struct faults *fs)
{
    struct err e;
    json_t *root;
    rc code;

    *in = (struct intake){0};
    *fs = (struct faults){.arena = arena};
    code = manifest_read(text, FILES, files_n, arena, &root, in, fs, &e);
    json_decref(root);
    return code;
}

/* "type path" of the only fault, the path's steps joined by dots. */
static void check_fault(const char *text, size_t files_n, const char *want)
{
    struct intake in;
    struct faults fs;
    struct buf b = {0};
    json_t *root, *one, *step;
    size_t i;
    str got;

    assert_int_equal(read_text(str_of(text), files_n, &in, &fs), RC_INVALID);
    pydantic_put(&b, &fs);
    root = json_loadb(b.p, b.n, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "detail")), 1);
    one = json_array_get(json_object_get(root, "detail"), 0);
    got = arena_str(arena, js_str(one, "type"));
    json_array_foreach(json_object_get(one, "loc"), i, step)
    {
        got = json_is_string(step)
                  ? arena_fmt(arena, STR_FMT " %s", STR_ARG(got),
                              json_string_value(step))
                  : arena_fmt(arena, STR_FMT " %d", STR_ARG(got),
                              (int)json_integer_value(step));
    }
    assert_string_equal(arena_cstr(arena, got), want);
    json_decref(root);
    buf_close(&b);
}

static void a_good_manifest_becomes_items(void **state)
{
    static const char TEXT[] =
        "[{\"type\":\"file\",\"file_index\":1,\"title\":\"T\",\"other\":1},"
        "{\"type\":\"text\",\"title\":\"FAQ\",\"content\":\"What?\","
        "\"metadata\":{\"a\":[1]},\"external_id\":\"x1\",\"draft\":true,"
        "\"document_id\":\"urn:uuid:00000000-0000-0000-0000-00000000000a\"},"
        "{\"type\":\"file\",\"file_index\":0,\"title\":null}]";
    struct faults fs = {.arena = arena};
    struct intake in = {0};
    struct err e;
    json_t *root;

    (void)state;
    assert_int_equal(
        manifest_read(str_of(TEXT), FILES, 2, arena, &root, &in, &fs, &e),
        RC_OK);
    assert_int_equal(in.items_n, 3);
    assert_int_equal(in.items[0].upload, 1);
    assert_true(str_eq(in.items[0].title, STR("T")));
    assert_int_equal(in.items[1].type, INTAKE_TEXT);
    assert_true(str_eq(in.items[1].metadata, STR("{\"a\":[1]}")));
    assert_true(str_eq(in.items[1].external_id, STR("x1")));
    assert_true(in.items[1].draft && in.items[1].has_document);
    assert_int_equal(in.items[1].document.b[15], 10);
    assert_true(str_eq(in.items[2].filename, STR("a.txt")));
    assert_true(in.items[2].title.n == 0);
    json_decref(root);
}

static void faults_name_item_and_field(void **state)
{
    (void)state;
    check_fault("[", 0, "json_invalid body manifest");
    check_fault("{}", 0, "list_type body manifest");
    check_fault("[]", 0, "too_short body manifest");
    check_fault("[5]", 0, "model_attributes_type body manifest 0");
    check_fault("[{}]", 0, "missing body manifest 0 type");
    check_fault("[{\"type\":\"url\"}]", 0,
                "literal_error body manifest 0 type");
    check_fault("[{\"type\":\"file\"}]", 0,
                "missing body manifest 0 file_index");
    check_fault("[{\"type\":\"file\",\"file_index\":-1}]", 1,
                "greater_than_equal body manifest 0 file_index");
    check_fault("[{\"type\":\"file\",\"file_index\":1}]", 1,
                "value_error body manifest 0 file_index");
    check_fault("[{\"type\":\"file\",\"file_index\":\"0\"}]", 1,
                "int_type body manifest 0 file_index");
    check_fault("[{\"type\":\"file\",\"file_index\":0},"
                "{\"type\":\"file\",\"file_index\":0}]",
                1, "value_error body manifest 1 file_index");
    check_fault("[{\"type\":\"text\",\"title\":\"t\",\"content\":\"c\"}]", 1,
                "value_error body files 0");
    check_fault("[{\"type\":\"text\",\"content\":\"c\"}]", 0,
                "missing body manifest 0 title");
    check_fault("[{\"type\":\"text\",\"title\":\"t\",\"content\":\" \\n\"}]", 0,
                "string_too_short body manifest 0 content");
    check_fault("[{\"type\":\"text\",\"title\":\"t\",\"content\":\"c\","
                "\"document_id\":\"x\"}]",
                0, "uuid_parsing body manifest 0 document_id");
    check_fault("[{\"type\":\"text\",\"title\":\"t\",\"content\":\"c\","
                "\"metadata\":[]}]",
                0, "dict_type body manifest 0 metadata");
    check_fault("[{\"type\":\"file\",\"file_index\":0},"
                "{\"type\":\"file\",\"file_index\":1}]",
                2, "value_error body manifest 1 title");
}

static str many(size_t n)
{
    static const char ITEM[] = "{\"type\":\"text\",\"title\":\"t\","
                               "\"content\":\"c\"},";
    size_t item_n = sizeof ITEM - 1;
    char *p = arena_alloc(arena, n * item_n + 2);

    p[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(p + 1 + i * item_n, ITEM, item_n);
    p[n * item_n] = ']';
    return (str){p, n * item_n + 1};
}

static void as_many_items_as_the_limit_fit(void **state)
{
    struct intake in;
    struct faults fs;

    (void)state;
    assert_int_equal(read_text(many(MANIFEST_ITEMS_MAX), 0, &in, &fs), RC_OK);
    assert_int_equal(read_text(many(MANIFEST_ITEMS_MAX + 1), 0, &in, &fs),
                     RC_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_manifest_becomes_items),
        cmocka_unit_test(faults_name_item_and_field),
        cmocka_unit_test(as_many_items_as_the_limit_fit),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
