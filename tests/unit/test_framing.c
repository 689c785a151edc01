#include "serve/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A head as the library leaves it behind: `text` is what came, with | for each
 * byte it overwrote with NUL. Pointers are found the way it finds them. */
struct picture {
    char bytes[65536 + 64];
    size_t n;
    struct framing f;
};
static struct picture pic;

static void take_lines(char *at)
{
    pic.f.lines_n = 0;
    while (*at != '\0' && pic.f.lines_n < HEADERS_MAX) {
        char *colon = at + strlen(at);
        char *value = colon + 1;

        value += strspn(value, " \t");
        pic.f.lines[pic.f.lines_n++] = (struct framing_line){
            {at, (size_t)(colon - at)}, {value, strlen(value)}};
        at = value + strlen(value) + 2;
    }
}

/* METHOD|TARGET|VERSION||Name|value||…|| */
static void draw(const char *text)
{
    char *target, *version;

    memset(&pic, 0, sizeof pic);
    pic.n = strlen(text);
    memcpy(pic.bytes, text, pic.n);
    for (size_t i = 0; i < pic.n; i++) {
        if (pic.bytes[i] == '|')
            pic.bytes[i] = '\0';
    }
    target = pic.bytes + strlen(pic.bytes) + 1;
    version = target + strlen(target) + 1;
    pic.f = (struct framing){.method = pic.bytes,
                             .version = version,
                             .target = target,
                             .target_text = str_of(target),
                             .laid_out = true};
    take_lines(version + strlen(version) + 2);
}

static struct http_head head;
static const char *why;

static unsigned check(void)
{
    head = (struct http_head){0};
    why = NULL;
    return framing_check(&pic.f, &head, &why);
}

static unsigned check_text(const char *text)
{
    draw(text);
    return check();
}

static void sound_heads_pass(void **state)
{
    (void)state;
    assert_int_equal(check_text("GET|/|HTTP/1.1||Host| x||||"), 0);
    assert_int_equal(check_text("GET|/|HTTP/1.0||||"), 0);
    assert_int_equal(
        check_text("POST|/a?b|HTTP/1.1||Host|x:80||Content-Length|  5||"
                   "X-Api-Key|k ||Range|bytes=0-1||||"),
        0);
    assert_true(head.has_length && head.content_length == 5);
    assert_true(str_eq(head.api_key, STR("k")));
    assert_true(str_eq(head.range, STR("bytes=0-1")));
    assert_int_equal(check_text("POST|/|HTTP/1.1||Host|x||"
                                "Transfer-Encoding|Chunked||||"),
                     0);
    assert_true(head.chunked);
    assert_int_equal(check_text("GET|/|HTTP/1.1||Host|[::1]:80||A|||||"), 0);
}

static void gaps_between_lines_are_found(void **state)
{
    (void)state;
    /* A bare LF leaves one NUL where CR LF leaves two. */
    draw("GET|/|HTTP/1.1||Host|x||A|b||||");
    pic.f.lines[1].name.p++;
    pic.f.lines[1].name.n--;
    assert_int_equal(check(), 400);
    /* A folded line is copied elsewhere. */
    draw("GET|/|HTTP/1.1||Host|x||A|b||||");
    {
        static const char name[] = "A", value[] = "b c";

        pic.f.lines[1] = (struct framing_line){{name, 1}, {value, 3}};
    }
    assert_int_equal(check(), 400);
    /* Of a line without a name nothing is told. */
    assert_int_equal(check_text("GET|/|HTTP/1.1||Host|x|||v||||"), 400);
    /* A NUL in the target cuts it. */
    draw("GET|/|a|HTTP/1.1||Host|x||||");
    pic.f.version = pic.bytes + 8;
    assert_int_equal(check(), 400);
    /* The version's line ended in a bare LF. */
    draw("GET|/|HTTP/1.1|Host|x||||");
    take_lines(pic.bytes + 15);
    assert_int_equal(check(), 400);
}

static void lines_that_must_not_stand_together_are_refused(void **state)
{
    static const char *const BAD[] = {
        "GET|/|HTTP/1.1||||",
        "GET|/|HTTP/1.1||Host|x||Host|x||||",
        "GET|/|HTTP/1.1||Host|x/y||||",
        "GET|/|HTTP/1.1||Host|u@x||||",
        "GET|/|HTTP/1.1||Host|||||",
        "POST|/|HTTP/1.1||Host|x||Content-Length|5||Content-Length|5||||",
        "POST|/|HTTP/1.1||Host|x||Content-Length|+5||||",
        "POST|/|HTTP/1.1||Host|x||Content-Length|5, 5||||",
        "POST|/|HTTP/1.1||Host|x||Content-Length|18446744073709551615||||",
        "POST|/|HTTP/1.1||Host|x||Content-Length|5||"
        "Transfer-Encoding|chunked||||",
        "POST|/|HTTP/1.1||Host|x||Transfer-Encoding|gzip, chunked||||",
        "POST|/|HTTP/1.1||Host|x||Transfer-Encoding|identity||||",
        "POST|/|HTTP/1.1||Host|x||Transfer-Encoding|chunked||"
        "Transfer-Encoding|chunked||||",
        "POST|/|HTTP/1.0||Transfer-Encoding|chunked||||",
        "GET|/|HTTP/1.1||Host|x||x-api-key|a||X-API-Key|a||||",
        "GET|/|HTTP/1.1||Host|x||A B|c||||",
        "GET|/|HTTP/1.1||Host |x||||",
        "GET|/|HTTP/1.1||Host|x||A|b\rC: d||||",
        "GET|/|HTTP/1.1||Host|x||A|b\x7f||||",
        "GET|/\x80|HTTP/1.1||Host|x||||",
        "G(T|/|HTTP/1.1||Host|x||||",
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(BAD); i++) {
        if (check_text(BAD[i]) != 400)
            print_error("%s\n", BAD[i]);
        assert_int_equal(check_text(BAD[i]), 400);
        assert_non_null(why);
    }
    assert_int_equal(check_text("GET|/|HTTP/2.0||Host|x||||"), 505);
    assert_int_equal(check_text("GET|/|HTTP/1.1||Host|x||Expect|tea||||"), 417);
    assert_int_equal(
        check_text("GET|/|HTTP/1.1||Host|x||Expect|100-Continue||||"), 0);
}

/* A head whose line or block has exactly so many bytes. */
static unsigned check_line_of(size_t bytes)
{
    static char text[REQUEST_LINE_BYTES_MAX + 64];
    size_t target = bytes - strlen("GET  HTTP/1.1\r\n");

    memset(text, 0, sizeof text);
    memcpy(text, "GET|", 4);
    memset(text + 4, 'a', target);
    text[4] = '/';
    memcpy(text + 4 + target, "|HTTP/1.1||Host|x||||", 21);
    return check_text(text);
}

static unsigned check_block_of(size_t bytes)
{
    static char text[HEADER_BLOCK_BYTES_MAX + 128];
    size_t value = bytes - strlen("Host: x\r\nA:\r\n\r\n") + 1;

    memset(text, 0, sizeof text);
    memcpy(text, "GET|/|HTTP/1.1||Host|x||A|", 26);
    memset(text + 26, 'b', value);
    memcpy(text + 26 + value, "||||", 4);
    return check_text(text);
}

static void limits_hold_at_their_edge(void **state)
{
    static char text[4096];

    (void)state;
    assert_int_equal(check_line_of(REQUEST_LINE_BYTES_MAX), 0);
    assert_int_equal(check_line_of(REQUEST_LINE_BYTES_MAX + 1), 414);
    assert_int_equal(check_block_of(HEADER_BLOCK_BYTES_MAX), 0);
    assert_int_equal(check_block_of(HEADER_BLOCK_BYTES_MAX + 1), 431);
    memcpy(text, "GET|/|HTTP/1.1||Host|x||", 24);
    for (size_t i = 0; i < HEADERS_MAX - 1; i++)
        memcpy(text + 24 + i * 5, "A|b||", 5);
    memcpy(text + 24 + (HEADERS_MAX - 1) * 5, "||", 2);
    assert_int_equal(check_text(text), 0);
    pic.f.lines_over = true;
    assert_int_equal(check(), 431);
}

static void another_library_is_trusted_with_the_layout(void **state)
{
    static const char name[] = "Host", value[] = "x";

    (void)state;
    draw("GET|/|HTTP/1.1||Host|x||||");
    pic.f.lines[0] = (struct framing_line){{name, 4}, {value, 1}};
    assert_int_equal(check(), 400);
    pic.f.laid_out = false;
    assert_int_equal(check(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_heads_pass),
        cmocka_unit_test(gaps_between_lines_are_found),
        cmocka_unit_test(lines_that_must_not_stand_together_are_refused),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(another_library_is_trusted_with_the_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
