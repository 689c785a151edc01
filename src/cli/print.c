#include "cli/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define COLUMNS_DEFAULT 80
#define BAR_CELLS 30
#define BAR_MS 50 /* between two drawings */

static bool bar_shown;
static int64_t bar_ns;

static const char *env_or(const char *name, const char *other)
{
    const char *v = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread*/

    return v == NULL || *v == '\0' ? other : v;
}

bool print_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool print_colours(void)
{
    return print_terminal() && env_or("NO_COLOR", NULL) == NULL &&
           strcmp(env_or("TERM", "dumb"), "dumb") != 0;
}

size_t print_columns(void)
{
    struct winsize size;

    if (print_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col >= 40)
        return size.ws_col;
    return COLUMNS_DEFAULT;
}

void print_str(str s)
{
    progress_clear();
    (void)fwrite(s.p, 1, s.n, stdout); /* print_end asks */
}

void print_fmt(const char *fmt, ...)
{
    va_list ap;

    progress_clear();
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
}

/* Bytes at p that a terminal may act upon: C0 and C1 controls, DEL, line and
 * paragraph separators, marks that turn the direction of text. */
static size_t control_bytes(const unsigned char *p, size_t n)
{
    if (p[0] < 0x20 || p[0] == 0x7f)
        return 1;
    if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0) /* U+0080 to U+009F */
        return 2;
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
        ((p[2] >= 0xa8 && p[2] <= 0xae) || p[2] == 0x8e || p[2] == 0x8f))
        return 3; /* U+2028 to U+202E, U+200E, U+200F */
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
        return 3; /* U+2066 to U+2069 */
    return 0;
}

str clean_text(struct arena *out, str s)
{
    char *p = arena_alloc(out, s.n + 1);
    size_t n = 0, skip;

    for (size_t i = 0; i < s.n; i += skip == 0 ? 1 : skip) {
        skip = control_bytes((const unsigned char *)s.p + i, s.n - i);
        p[n++] = skip == 0 ? s.p[i] : ' ';
    }
    return (str){p, n};
}

void print_clean(str s)
{
    struct arena *tmp = arena_open();

    print_str(clean_text(tmp, s));
    arena_close(tmp);
}

void print_painted(enum paint paint, str s)
{
    static const char *const CODES[] = {
        [PAINT_PLAIN] = "",    [PAINT_BOLD] = "1",  [PAINT_DIM] = "2",
        [PAINT_MARK] = "1;33", [PAINT_GOOD] = "32", [PAINT_BAD] = "31"};
    bool on = paint != PAINT_PLAIN && print_colours();

    if (on)
        print_fmt("\033[%sm", CODES[paint]);
    print_clean(s);
    if (on)
        print_fmt("\033[0m");
}

rc print_json(json_t *v, struct err *e)
{
    char *text = v == NULL ? NULL : json_dumps(v, JSON_COMPACT);

    json_decref(v);
    if (text == NULL)
        return err_set(e, RC_NOMEM, "no memory for the answer");
    print_fmt("%s\n", text);
    free(text); /* jansson's */
    return RC_OK;
}

PRINTF_LIKE(2, 0)
static void to_stderr(const char *name, const char *fmt, va_list ap)
{
    char line[4096];
    struct arena *tmp = arena_open();
    str clean;

    progress_clear();
    (void)fflush(stdout); /* so that both stand in the order they were made */
    (void)vsnprintf(line, sizeof line, fmt, ap);
    clean = clean_text(tmp, str_of(line));
    (void)fprintf(stderr, "%s" STR_FMT "\n", name, STR_ARG(clean));
    arena_close(tmp);
}

void say_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    to_stderr("knowd: ", fmt, ap);
    va_end(ap);
}

void say_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    to_stderr("", fmt, ap);
    va_end(ap);
}

void progress_show(const char *what, uint64_t done, uint64_t all)
{
    int64_t now = clock_mono_ns();
    unsigned percent, cells;
    char bar[BAR_CELLS + 1];

    if (isatty(STDERR_FILENO) != 1 || all == 0 ||
        (bar_shown && done < all && now - bar_ns < (int64_t)BAR_MS * 1000000))
        return;
    percent = (unsigned)(done >= all ? 100 : (double)done * 100 / (double)all);
    cells = percent * BAR_CELLS / 100;
    memset(bar, '-', BAR_CELLS);
    memset(bar, '#', cells);
    bar[BAR_CELLS] = '\0';
    (void)fprintf(stderr, "\r\033[K%s [%s] %u%%", what, bar, percent);
    (void)fflush(stderr);
    bar_shown = true;
    bar_ns = now;
}

void progress_clear(void)
{
    if (!bar_shown)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    bar_shown = false;
}

rc print_end(struct err *e)
{
    progress_clear();
    /* A reader that left (head, less) got what it wanted. */
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && errno != EPIPE)
        return err_errno(e, RC_IO, errno, "cannot write the output");
    return RC_OK;
}
