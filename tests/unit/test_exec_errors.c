/* Failures and faults in Exec's envelope. */
#include "serve/exec_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"

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

/* What a reply says; *whole is the caller's. */
struct said {
    unsigned status;
    str type, code, message; /* code.n 0: none */
    json_t *whole;
};

static struct said say(rc code, struct err *e, const struct faults *fs)
{
    struct reply r = {0};
    struct said s = {0};
    const json_t *error;

    reply_error(&r, arena, DIALECT_EXEC, code, e, fs);
    s.status = r.status;
    s.whole = json_loadb(r.body.p, r.body.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(s.whole);
    buf_close(&r.body);
    error = json_object_get(s.whole, "error");
    s.type = arena_str(arena, js_str(error, "type"));
    s.code = arena_str(arena, js_str(error, "code"));
    s.message = arena_str(arena, js_str(error, "message"));
    assert_true(s.message.n > 0);
    return s;
}

static void check(rc code, const char *name, unsigned status, const char *type,
                  const char *error_code)
{
    struct err e = {0};
    struct said s;

    (void)err_set(&e, code, "what was wrong");
    e.name = name;
    s = say(code, &e, NULL);
    assert_int_equal(s.status, status);
    assert_string_equal(arena_cstr(arena, s.type), type);
    assert_string_equal(arena_cstr(arena, s.code), error_code);
    json_decref(s.whole);
}

static void errors_have_a_type_by_their_status(void **state)
{
    (void)state;
    check(RC_INVALID, NULL, 400, "invalid_request", "");
    check(RC_INVALID, "bad_request", 400, "invalid_request", "");
    check(RC_INVALID, "folder_not_found", 400, "invalid_request",
          "folder_not_found");
    check(RC_CONFLICT, "conflict", 400, "invalid_request", "conflict");
    check(RC_UNAUTHENTICATED, NULL, 401, "authentication_error",
          "invalid_api_key");
    check(RC_DENIED, NULL, 403, "authorization_error", "insufficient_scope");
    check(RC_NOTFOUND, NULL, 404, "not_found", "");
    check(RC_UNSUPPORTED, "method_not_allowed", 405, "invalid_request",
          "method_not_allowed");
    check(RC_LIMIT, NULL, 413, "invalid_request", "payload_too_large");
    check(RC_UNSUPPORTED, "unsupported_media_type", 415, "invalid_request",
          "unsupported_media_type");
    check(RC_IO, NULL, 500, "server_error", "internal_error");
    check(RC_BUSY, NULL, 503, "server_error", "unavailable");
    check(RC_NOSPACE, NULL, 507, "server_error", "insufficient_storage");
}

static void what_failed_inside_is_not_told(void **state)
{
    struct err e = {0};
    struct said s;

    (void)state;
    (void)err_set(&e, RC_IO, "cannot write /var/lib/secret");
    s = say(RC_IO, &e, NULL);
    assert_null(strstr(arena_cstr(arena, s.message), "secret"));
    json_decref(s.whole);
}

static void the_wait_is_told_in_three_places(void **state)
{
    struct err e = {
        .name = "rate_limited", .retry_ms = 11500, .text = "over the limit"};
    struct reply r = {0};
    json_t *v;
    size_t i = 0;

    (void)state;
    reply_error(&r, arena, DIALECT_EXEC, RC_BUSY, &e, NULL);
    assert_int_equal(r.status, 429);
    v = json_loadb(r.body.p, r.body.n, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(v, "retry_after")), 12);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(v, "error"), "retry_after")),
                     12);
    while (i < r.headers_n && strcmp(r.headers[i].name, "Retry-After") != 0)
        i++;
    assert_true(i < r.headers_n && str_eq(r.headers[i].value, STR("12")));
    json_decref(v);
    buf_close(&r.body);
}

/* Of one fault at body (or query) / field / item. */
struct at {
    const char *root, *field;
    bool item;
    enum reason reason;
    double bound;
    const char *note, *code, *message;
};

static void faults_have_the_code_of_their_field(void **state)
{
    static const struct at ALL[] = {
        {"query", "page", false, REASON_TOO_SMALL, 1, "", "invalid_pagination",
         "Invalid pagination parameters: page must be 1 or more"},
        {"query", "page_size", false, REASON_TOO_LARGE, 100, "",
         "invalid_pagination",
         "Invalid pagination parameters: page_size must be 100 or less"},
        {"query", "page_size", false, REASON_INT_PARSING, 0, "",
         "invalid_pagination",
         "Invalid pagination parameters: page_size must be an integer"},
        {"query", "status", false, REASON_LITERAL, 0, "'a' or 'b'",
         "invalid_status", "status must be 'a' or 'b'"},
        {"body", "type", false, REASON_LITERAL, 0, "'url'", "invalid_type",
         "type must be 'url'"},
        {"body", "url", false, REASON_MISSING, 0, "", "missing_field",
         "url is required"},
        {"body", "url", false, REASON_STRING_TYPE, 0, "", "invalid_url",
         "url must be a string"},
        {"body", "title", false, REASON_MISSING, 0, "", "missing_field",
         "title is required"},
        {"body", "title", false, REASON_STRING_TOO_LONG, 500, "",
         "title_too_long", "title must be 500 characters or fewer"},
        {"body", "title", false, REASON_STRING_TOO_SHORT, 1, "",
         "invalid_title", "title must not be blank"},
        {"body", "folder_ids", true, REASON_STRING_TYPE, 0, "",
         "invalid_folder_ids", "folder_ids[3] must be a string"},
        {"body", "folder_ids", true, REASON_STRING_TOO_LONG, 64, "",
         "invalid_folder_ids", "folder_ids[3] must be 64 characters or fewer"},
        {"body", "limit", false, REASON_TOO_LARGE, 100, "", "invalid_limit",
         "limit must be 100 or less"},
        {"body", NULL, false, REASON_MISSING, 0, "", "missing_field",
         "the body is required"},
        {"body", NULL, true, REASON_JSON, 3, "what is this", "invalid_json",
         "the body is no valid JSON: what is this"},
        {"body", NULL, false, REASON_DICT_TYPE, 0, "model", "invalid_body",
         "the body must be an object"},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ALL); i++) {
        struct faults fs = {.arena = arena};
        struct place root = place_of(str_of(ALL[i].root)), at = root;
        struct err e = {.code = RC_INVALID, .text = "the request is not valid"};
        struct said s;

        if (ALL[i].field != NULL)
            at = place_in(&root, str_of(ALL[i].field));
        if (ALL[i].item)
            at = place_at(&at, 3);
        fault_add(&fs, &at, ALL[i].reason, ALL[i].bound, 0, str_of(ALL[i].note),
                  NULL);
        s = say(RC_INVALID, &e, &fs);
        assert_int_equal(s.status, 400);
        assert_string_equal(arena_cstr(arena, s.type), "invalid_request");
        assert_string_equal(arena_cstr(arena, s.code), ALL[i].code);
        assert_string_equal(arena_cstr(arena, s.message), ALL[i].message);
        json_decref(s.whole);
    }
}

static void the_first_of_several_faults_is_told(void **state)
{
    struct faults fs = {.arena = arena};
    struct place root = place_of(STR("body"));
    struct place type = place_in(&root, STR("type")),
                 title = place_in(&root, STR("title"));
    struct err e = {.code = RC_INVALID, .text = "the request is not valid"};
    struct said s;

    (void)state;
    fault_add(&fs, &type, REASON_MISSING, 0, 0, STR_NONE, NULL);
    fault_add(&fs, &title, REASON_STRING_TYPE, 0, 0, STR_NONE, NULL);
    s = say(RC_INVALID, &e, &fs);
    assert_string_equal(arena_cstr(arena, s.message), "type is required");
    json_decref(s.whole);
}

static void the_path_decides_whose_words(void **state)
{
    (void)state;
    assert_int_equal(dialect_of_path(STR("/rest/v1")), DIALECT_EXEC);
    assert_int_equal(dialect_of_path(STR("/rest/v1/nothing")), DIALECT_EXEC);
    assert_int_equal(dialect_of_path(STR("/rest/v10/x")), DIALECT_FEATHER);
    assert_int_equal(dialect_of_path(STR("/knowd/v1/x")), DIALECT_KNOWD);
    assert_int_equal(dialect_of_path(STR("/v1/x")), DIALECT_FEATHER);
    assert_int_equal(dialect_of_path(STR("")), DIALECT_FEATHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_a_type_by_their_status),
        cmocka_unit_test(what_failed_inside_is_not_told),
        cmocka_unit_test(the_wait_is_told_in_three_places),
        cmocka_unit_test(faults_have_the_code_of_their_field),
        cmocka_unit_test(the_first_of_several_faults_is_told),
        cmocka_unit_test(the_path_decides_whose_words),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
