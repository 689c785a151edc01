#include "serve/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

#define TYPE STR("multipart/form-data; boundary=xyz")

/* Everything that was read, as one text: "[name|file|type]data;" a part, and
 * "!" with the code behind it where it went wrong. */
static str read_all(struct arena *a, str type, str body, size_t slice)
{
    struct multipart *m;
    struct multipart_event ev;
    struct buf b = {0};
    struct err e;
    rc code = multipart_open(type, &m, &e);
    str text;

    for (size_t at = 0; code == RC_OK && at < body.n; at += slice) {
        multipart_feed(m, str_sub(body, at, slice));
        while ((code = multipart_next(m, &ev, &e)) == RC_OK &&
               ev.kind != MULTIPART_MORE) {
            if (ev.kind == MULTIPART_PART)
                buf_fmt(&b, "[" STR_FMT "|" STR_FMT "|" STR_FMT "]",
                        STR_ARG(ev.name), STR_ARG(ev.filename),
                        STR_ARG(ev.content_type));
            else if (ev.kind == MULTIPART_DATA)
                buf_put(&b, ev.data);
            else
                buf_put_char(&b, ';');
        }
    }
    if (code == RC_OK)
        code = multipart_end(m, &e);
    if (code != RC_OK)
        buf_fmt(&b, "!%s", rc_name(code));
    text = arena_str(a, buf_str(&b));
    buf_close(&b);
    multipart_close(m);
    return text;
}

static void expect_type(const char *type, str body, const char *want)
{
    struct arena *a = arena_open();

    for (size_t slice = 1; slice < 80; slice++)
        assert_string_equal(read_all(a, str_of(type), body, slice).p, want);
    arena_close(a);
}

static void expect(str body, const char *want)
{
    expect_type(TYPE.p, body, want);
}

#define FIELD(rest) "--xyz\r\nContent-Disposition: form-data; " rest "\r\n\r\n"

static void parts_come_out_however_the_bytes_are_cut(void **state)
{
    (void)state;
    expect(STR(FIELD("name=\"manifest\"") "[]\r\n" FIELD(
               "name=\"files\"; filename=\"a.md\"") "# A\r\n\r\n--x\r\n--xy"
                                                    "\r\n--xyz--\r\n"),
           "[manifest||][];[files|a.md|]# A\r\n\r\n--x\r\n--xy;");
}

static void an_empty_part_and_a_line_end_alone_are_kept_apart(void **state)
{
    (void)state;
    expect(STR(FIELD("name=a") "--xyz--"), "[a||];");
    expect(STR(FIELD("name=a") "\r\n--xyz--"), "[a||];");
    expect(STR(FIELD("name=a") "\r\n\r\n--xyz--"), "[a||]\r\n;");
    expect(STR(FIELD("name=a") "--\r\n--xyz--"), "[a||]--;");
    expect(STR(FIELD("name=a") "\r\r\n\r\n--xyz--"), "[a||]\r\r\n;");
}

static void preamble_padding_and_epilogue_are_passed_over(void **state)
{
    (void)state;
    expect(STR("hello\r\nthere\r\n--xyz \t\r\nContent-Disposition: form-data; "
               "name=\"a\"\r\nContent-Type: text/plain\r\n\r\n1\r\n--xyz--\r\n"
               "bye --xyz bye"),
           "[a||text/plain]1;");
}

static void file_names_come_in_all_their_spellings(void **state)
{
    (void)state;
    expect(STR(FIELD("name=f; filename=\"a\\\"b\\\\c\\d.txt\"") "--xyz--"),
           "[f|a\"b\\c\\d.txt|];");
    expect(STR(FIELD("name=f; filename=\"a%22b%0D%41.txt\"") "--xyz--"),
           "[f|a\"b\r%41.txt|];");
    expect(
        STR(FIELD(
            "name=f; filename=\"x\"; filename*=UTF-8''na%C3%AFve.md") "--xyz-"
                                                                      "-"),
        "[f|na\xc3\xafve.md|];");
    expect(
        STR(FIELD("name=f; filename*=utf-8'en'%41; filename=\"x\"") "--xyz--"),
        "[f|A|];");
    expect(STR(FIELD("name=f; filename=\"\xff.txt\"") "--xyz--"),
           "[f|\xef\xbf\xbd.txt|];");
}

static void a_body_that_is_cut_off_says_so(void **state)
{
    (void)state;
    expect(STR(""), "!format");
    expect(STR("--xyz"), "!format");
    expect(STR(FIELD("name=a") "half"), "[a||]half!format");
    expect(STR(FIELD("name=a") "half\r\n--xyz"), "[a||]half;!format");
    expect(STR(FIELD("name=a") "half\r\n--xyz-"), "[a||]half;!format");
}

static void broken_parts_are_refused(void **state)
{
    (void)state;
    expect(STR("--xyz\r\n\r\n--xyz--"), "!format");
    expect(STR("--xyz\r\nContent-Type: text/plain\r\n\r\n--xyz--"), "!format");
    expect(STR("--xyzw\r\n"), "!format");
    expect(STR("--xyz\n"), "!format");
    expect(STR(FIELD("filename=\"a\"")), "!format");
    expect(STR(FIELD("name=\"a")), "!format");
    expect(STR(FIELD("name=a b")), "!format");
    expect(STR("--xyz\r\nContent-Disposition: attachment; name=a\r\n\r\n"),
           "!format");
    expect(STR("--xyz\r\nContent-Disposition: form-data; name=a\r\n"
               " folded\r\n\r\n"),
           "!format");
    expect(STR("--xyz\r\nContent-Disposition: form-data; name=a\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\n"),
           "!format");
}

static void header_blocks_and_names_have_limits(void **state)
{
    struct arena *a = arena_open();
    struct buf b = {0};

    (void)state;
    buf_put(&b, STR("--xyz\r\nX: "));
    for (size_t i = 0; i < PART_HEADER_BYTES_MAX; i++)
        buf_put_char(&b, 'x');
    assert_string_equal(read_all(a, TYPE, buf_str(&b), 1000).p, "!limit");
    buf_clear(&b);
    buf_put(&b, STR("--xyz\r\nContent-Disposition: form-data; name=f; "
                    "filename="));
    for (size_t i = 0; i < FILENAME_BYTES_MAX + 1; i++)
        buf_put_char(&b, 'x');
    buf_put(&b, STR("\r\n\r\n"));
    assert_string_equal(read_all(a, TYPE, buf_str(&b), 1000).p, "!limit");
    buf_close(&b);
    arena_close(a);
}

static void the_content_type_is_read_strictly(void **state)
{
    str body = STR("--a b\r\nContent-Disposition: form-data; name=n\r\n\r\n"
                   "1\r\n--a b--");

    (void)state;
    expect_type("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", body,
                "[n||]1;");
    expect_type("multipart/form-data", body, "!format");
    expect_type("multipart/form-data; boundary=", body, "!format");
    expect_type("multipart/mixed; boundary=x", body, "!format");
    expect_type("text/plain", body, "!format");
    expect_type("multipart/form-data; boundary=\"a\x01\"", body, "!format");
    expect_type("multipart/form-data; boundary=0123456789012345678901234567890"
                "1234567890123456789012345678901234567890",
                body, "!limit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_out_however_the_bytes_are_cut),
        cmocka_unit_test(an_empty_part_and_a_line_end_alone_are_kept_apart),
        cmocka_unit_test(preamble_padding_and_epilogue_are_passed_over),
        cmocka_unit_test(file_names_come_in_all_their_spellings),
        cmocka_unit_test(a_body_that_is_cut_off_says_so),
        cmocka_unit_test(broken_parts_are_refused),
        cmocka_unit_test(header_blocks_and_names_have_limits),
        cmocka_unit_test(the_content_type_is_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
