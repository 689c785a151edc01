#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"

static void texts_take_context_in_front(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(err_set(&e, RC_LIMIT, "page has %d bytes", 9), RC_LIMIT);
    assert_int_equal(err_wrap(&e, "document %d", 3), RC_LIMIT);
    assert_string_equal(e.text, "document 3: page has 9 bytes");
    assert_int_equal(err_set(NULL, RC_IO, "x"), RC_IO);
}

static void long_texts_are_cut(void **state)
{
    struct err e;
    char was[256];

    (void)state;
    (void)err_set(&e, RC_IO, "%0300d", 1);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    memcpy(was, e.text, sizeof was);
    (void)err_wrap(&e, "%0200d", 2);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void a_full_disk_is_told_apart(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(err_errno(&e, RC_IO, ENOSPC, "cannot write %s", "f"),
                     RC_NOSPACE);
    assert_string_equal(e.text, "cannot write f: No space left on device");
    assert_int_equal(e.sys, ENOSPC);
    assert_int_equal(err_errno(&e, RC_IO, EDQUOT, "x"), RC_NOSPACE);
    assert_int_equal(err_errno(&e, RC_IO, EMFILE, "x"), RC_BUSY);
    assert_int_equal(err_errno(NULL, RC_IO, EIO, "x"), RC_IO);
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (unsigned code = 0; code < RC_COUNT; code++)
        assert_non_null(rc_name((rc)code));
    assert_string_equal(rc_name(RC_NOSPACE), "nospace");
    assert_string_equal(rc_name(RC_COUNT), "unknown");
}

static void faults_are_copied_and_bounded(void **state)
{
    struct arena *a = arena_open();
    struct faults fs = {.arena = a};
    char name[] = "limit", input[] = "\"x\"";
    struct fault f = {
        .path = {{.name = {name, 5}}, {.index = 3}},
        .path_len = 2,
        .reason = REASON_INT_TYPE,
        .input_json = {input, 3},
    };

    (void)state;
    for (size_t i = 0; i < FAULTS_MAX + 10; i++)
        faults_add(&fs, &f);
    name[0] = input[0] = '#';
    assert_int_equal(fs.n, FAULTS_MAX);
    assert_true(str_eq(fs.v[0].path[0].name, STR("limit")));
    assert_null(fs.v[0].path[1].name.p);
    assert_int_equal(fs.v[0].path[1].index, 3);
    assert_true(str_eq(fs.v[0].input_json, STR("\"x\"")));
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_take_context_in_front),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_full_disk_is_told_apart),
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(faults_are_copied_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
