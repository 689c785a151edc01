#include "text/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct decoded decode_as(str in, const char *want)
{
    struct buf b = {0};
    struct decoded how;
    struct err e;

    assert_int_equal(utf8_decode(in, &b, &how, &e), RC_OK);
    assert_int_equal(b.n, strlen(want));
    assert_memory_equal(b.p == NULL ? "" : b.p, want, b.n);
    buf_close(&b);
    return how;
}

static void valid_text_is_valid_to_its_end(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "plain ascii, more than eight bytes of it",
        "é",
        "日本語",
        "a\xf0\x9f\x98\x80z",
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf\xee\x80\x80"};

    (void)state;
    for (size_t i = 0; i < NELEMS(TEXTS); i++)
        assert_int_equal(utf8_valid_prefix(str_of(TEXTS[i])), strlen(TEXTS[i]));
}

static void the_first_broken_byte_is_found(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } CASES[] = {{"ab\x80", 2},           {"\xc0\xaf", 0},
                 {"abcdefghij\xc1z", 10}, {"\xe0\x9f\xbf", 0},
                 {"x\xed\xa0\x80", 1},    {"\xf4\x90\x80\x80", 0},
                 {"\xf0\x8f\xbf\xbf", 0}, {"\xf5\x80\x80\x80", 0},
                 {"\xe2\x82", 0},         {"é\xe2\x82x", 2}};

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_int_equal(utf8_valid_prefix(str_of(CASES[i].text)), CASES[i].at);
}

static void counting_advancing_and_reading_agree(void **state)
{
    str s = STR("aé日😀 and a longer run of ascii é日😀 at the end é");
    size_t at = 0, cp = 0;
    struct buf b = {0};

    (void)state;
    while (at < s.n) {
        assert_int_equal(utf8_advance(s, cp), at);
        assert_int_equal(utf8_count(str_sub(s, 0, at)), cp);
        utf8_put(&b, utf8_next(s, &at));
        cp++;
    }
    assert_int_equal(utf8_count(s), cp);
    assert_int_equal(utf8_advance(s, cp + 5), s.n);
    assert_true(str_eq(buf_str(&b), s));
    buf_close(&b);
}

static void ill_formed_bytes_read_as_one_replacement_a_subpart(void **state)
{
    str s = STR("a\x80\xe2\x82\xf0\x9f\x98x\xed\xa0\x80é\xf0\x9f");
    static const uint32_t WANT[] = {'a',    0xfffd, 0xfffd, 0xfffd, 'x',
                                    0xfffd, 0xfffd, 0xfffd, 0xe9,   0xfffd};
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < NELEMS(WANT); i++)
        assert_int_equal(utf8_next_any(s, &at), WANT[i]);
    assert_int_equal(at, s.n);
}

static void line_ends_become_newlines_and_controls_go(void **state)
{
    (void)state;
    (void)decode_as(STR("a\r\nb\rc\n\r\rd"), "a\nb\nc\n\n\nd");
    (void)decode_as(STR("one\ftwo\vthree\xc2\x85"
                        "four"),
                    "one\ntwo\nthree\nfour");
    (void)decode_as(STR("\x1b[1mbold\x1b[0m text\b\a\x7f \xc2\x9f"
                        "end"),
                    "[1mbold[0m text end");
}

static void a_mark_decides(void **state)
{
    struct decoded how;

    (void)state;
    how = decode_as(STR("\xef\xbb\xbfhi"), "hi");
    assert_int_equal(how.charset, CHARSET_UTF8);
    how = decode_as(STR("\xff\xfeh\0i\0\r\0\n\0"), "hi\n");
    assert_int_equal(how.charset, CHARSET_UTF16LE);
    how = decode_as(STR("\xfe\xff\0h\0i\xd8\x3d\xde\x00"), "hi😀");
    assert_int_equal(how.charset, CHARSET_UTF16BE);
    assert_false(how.replaced);
}

static void utf16_without_a_mark_is_seen_by_its_zero_bytes(void **state)
{
    struct decoded how;

    (void)state;
    how = decode_as(STR("h\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d\0"), "hello world");
    assert_int_equal(how.charset, CHARSET_UTF16LE);
    how = decode_as(STR("\0h\0e\0l\0l\0o\0 \0w\0o\0r\0l\0d"), "hello world");
    assert_int_equal(how.charset, CHARSET_UTF16BE);
    /* Japanese, with no ASCII but the newline */
    how = decode_as(STR("\xe5\x65\x2c\x67\x9e\x8a\x0a\0\xe5\x65\x2c\x67"),
                    "日本語\n日本");
    assert_int_equal(how.charset, CHARSET_UTF16LE);
}

static void a_lone_surrogate_is_replaced(void **state)
{
    (void)state;
    assert_true(
        decode_as(STR("\xff\xfe\x3d\xd8h\0"), "\xef\xbf\xbdh").replaced);
    assert_true(
        decode_as(STR("\xff\xfe\x00\xdch\0"), "\xef\xbf\xbdh").replaced);
    assert_true(decode_as(STR("\xff\xfeh\0x"), "h\xef\xbf\xbd").replaced);
}

static void mostly_valid_utf8_is_mended(void **state)
{
    struct decoded how = decode_as(STR("ééééééé \xe2\x82 é\xff end"),
                                   "ééééééé \xef\xbf\xbd é\xef\xbf\xbd end");

    (void)state;
    assert_int_equal(how.charset, CHARSET_UTF8);
    assert_true(how.replaced);
}

static void other_bytes_are_windows_1252(void **state)
{
    struct decoded how =
        decode_as(STR("caf\xe9 \x93quoted\x94 5 \x80"), "café “quoted” 5 €");

    (void)state;
    assert_int_equal(how.charset, CHARSET_CP1252);
    assert_false(how.replaced);
}

static void binary_is_refused_in_plain_words(void **state)
{
    static const char PNG[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0";
    uint8_t noise[4096];
    uint64_t x = 88172645463325252u;
    struct buf b = {0};
    struct decoded how;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        noise[i] = (uint8_t)(x >> 32);
    }
    assert_int_equal(
        utf8_decode((str){(char *)noise, sizeof noise}, &b, &how, &e),
        RC_FORMAT);
    assert_non_null(strstr(e.text, "binary"));
    assert_int_equal(utf8_decode((str){PNG, sizeof PNG}, &b, &how, &e),
                     RC_FORMAT);
    assert_int_equal(b.n, 0);
    buf_close(&b);
}

static void the_limit_of_the_buffer_holds(void **state)
{
    struct buf b;
    struct decoded how;
    struct err e;
    char text[9000];

    (void)state;
    memset(text, 'x', sizeof text);
    buf_open(&b, 8999);
    assert_int_equal(utf8_decode((str){text, sizeof text}, &b, &how, &e),
                     RC_LIMIT);
    buf_close(&b);
    memset(text, '\xe9', sizeof text);
    buf_open(&b, 10000);
    assert_int_equal(utf8_decode((str){text, sizeof text}, &b, &how, &e),
                     RC_LIMIT);
    buf_close(&b);
}

static void whatever_comes_in_valid_text_comes_out(void **state)
{
    uint64_t x = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char in[64];
        size_t n;
        struct buf b = {0};
        struct decoded how;

        x = x * 6364136223846793005u + 1442695040888963407u;
        n = (size_t)(x >> 33) % sizeof in;
        for (size_t i = 0; i < n; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            /* half ASCII letters, so that not all is binary */
            in[i] = (char)((x >> 60) < 8 ? 'a' + (x >> 40) % 26 : x >> 40);
        }
        if (utf8_decode((str){in, n}, &b, &how, NULL) == RC_OK) {
            str s = buf_str(&b);

            assert_int_equal(utf8_valid_prefix(s), s.n);
            assert_int_equal(str_find_char(s, '\0'), s.n);
            assert_int_equal(str_find_char(s, '\r'), s.n);
        }
        buf_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text_is_valid_to_its_end),
        cmocka_unit_test(the_first_broken_byte_is_found),
        cmocka_unit_test(counting_advancing_and_reading_agree),
        cmocka_unit_test(ill_formed_bytes_read_as_one_replacement_a_subpart),
        cmocka_unit_test(line_ends_become_newlines_and_controls_go),
        cmocka_unit_test(a_mark_decides),
        cmocka_unit_test(utf16_without_a_mark_is_seen_by_its_zero_bytes),
        cmocka_unit_test(a_lone_surrogate_is_replaced),
        cmocka_unit_test(mostly_valid_utf8_is_mended),
        cmocka_unit_test(other_bytes_are_windows_1252),
        cmocka_unit_test(binary_is_refused_in_plain_words),
        cmocka_unit_test(the_limit_of_the_buffer_holds),
        cmocka_unit_test(whatever_comes_in_valid_text_comes_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
