#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"

static int ends[2], kept_stderr;

static int catch_stderr(void **state)
{
    (void)state;
    kept_stderr = dup(STDERR_FILENO);
    return pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0;
}

static int give_stderr_back(void **state)
{
    (void)state;
    log_level_set(LOG_INFO);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return dup2(kept_stderr, STDERR_FILENO) < 0 || close(kept_stderr) != 0;
}

/* The line behind its time, without its end. */
static str next_line(char to[8192])
{
    ssize_t n = read(ends[0], to, 8192);
    int64_t ms;
    str time, rest;

    assert_true(n > CLOCK_TEXT && to[n - 1] == '\n');
    assert_true(str_cut((str){to, (size_t)n - 1}, ' ', &time, &rest));
    assert_true(clock_parse_rfc3339(time, &ms));
    return rest;
}

static void check_line(const char *want)
{
    char line[8192];
    str is = next_line(line);

    if (!str_eq(is, str_of(want)))
        print_error("is   " STR_FMT "\nwant %s\n", STR_ARG(is), want);
    assert_true(str_eq(is, str_of(want)));
}

static void a_line_has_level_part_and_message(void **state)
{
    (void)state;
    log_info("store", "opened tables=%d rows=%zu share=%.2f%% at=%p", 3,
             (size_t)5000000000, 12.5, (void *)0);
    check_line("info store opened tables=3 rows=5000000000 share=12.50% "
               "at=(nil)");
    log_error("x", "a=%lld b=%u c=%c d=%5d e=%-3d| f=%llx", -1LL, 7u, 'q', 42,
              1, 0xabcULL);
    check_line("error x a=-1 b=7 c=q d=\"   42\" e=\"1  \"| f=abc");
}

static void values_with_white_space_are_quoted(void **state)
{
    str title = STR("a \"b\" \\c");

    (void)state;
    log_warn("page", "title=" STR_FMT " empty=%s plain=%s", STR_ARG(title), "",
             "x");
    check_line("warn page title=\"a \\\"b\\\" \\\\c\" empty=\"\" plain=x");
    log_info("page", "saw %s here", "two words");
    check_line("info page saw two words here");
}

static void control_bytes_are_escaped(void **state)
{
    (void)state;
    log_info("page", "name=%s %s", "a\nb", "c\x1b[2J\x7f\xc2\x9bm\xc3\xa9");
    check_line("info page name=\"a\\x0ab\" c\\x1b[2J\\x7f\\xc2\x9bm\xc3\xa9");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_debug("x", "no");
    log_level_set(LOG_DEBUG);
    log_debug("x", "yes");
    check_line("debug x yes");
    log_level_set(LOG_ERROR);
    log_warn("x", "no");
    log_error("x", "yes");
    check_line("error x yes");
}

static void long_lines_are_cut_between_characters(void **state)
{
    struct arena *a = arena_open();
    char line[8192];
    char *value = arena_alloc(a, 6001);
    str s;

    (void)state;
    for (size_t i = 0; i < 6000; i += 2)
        memcpy(value + i, "\xc3\xa9", 2);
    log_info("x", "%s", value);
    s = next_line(line);
    assert_true(s.n + CLOCK_TEXT + 1 <= 4096);
    assert_true(s.n + CLOCK_TEXT + 1 >= 4094);
    assert_int_equal((unsigned char)s.p[s.n - 1], 0xa9);
    log_info("x", "%s%s", "y", value);
    s = next_line(line);
    assert_int_equal((unsigned char)s.p[s.n - 1], 0xa9);
    arena_close(a);
}

int main(void)
{
#define CAUGHT(test) \
    cmocka_unit_test_setup_teardown(test, catch_stderr, give_stderr_back)
    const struct CMUnitTest tests[] = {
        CAUGHT(a_line_has_level_part_and_message),
        CAUGHT(values_with_white_space_are_quoted),
        CAUGHT(control_bytes_are_escaped),
        CAUGHT(lines_below_the_level_are_not_written),
        CAUGHT(long_lines_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
