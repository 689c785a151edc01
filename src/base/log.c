#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_BYTES_MAX 4096

static const char *const LEVEL_NAMES[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static atomic_int level_max = LOG_INFO;

struct line {
    char text[LINE_BYTES_MAX];
    size_t n; /* one byte is kept for the end of the line */
};

void log_level_set(enum log_level level)
{
    atomic_store(&level_max, (int)level);
}

static void put(struct line *l, const char *p, size_t n)
{
    if (n > LINE_BYTES_MAX - 1 - l->n)
        n = LINE_BYTES_MAX - 1 - l->n;
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static bool is_control(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];

    /* The second range is U+0080 to U+009F, which some terminals obey. */
    return c < 0x20 || c == 0x7f ||
           (c == 0xc2 && n > 1 && ((unsigned char)p[1] & 0xe0) == 0x80);
}

static void put_escaped(struct line *l, const char *p, size_t n, bool quoted)
{
    char hex[5];

    for (size_t i = 0; i < n; i++) {
        if (is_control(p + i, n - i)) {
            (void)snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)p[i]);
            put(l, hex, 4);
        } else if (quoted && (p[i] == '"' || p[i] == '\\')) {
            put(l, (char[]){'\\', p[i]}, 2);
        } else {
            put(l, p + i, 1);
        }
    }
}

static bool needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ' || p[i] == '"' || (p[i] >= '\t' && p[i] <= '\r'))
            return true;
    }
    return n == 0;
}

static void put_value(struct line *l, const char *p, size_t n)
{
    if (!needs_quotes(p, n)) {
        put_escaped(l, p, n, false);
        return;
    }
    put(l, "\"", 1);
    put_escaped(l, p, n, true);
    put(l, "\"", 1);
}

/* One conversion of a format, formatted apart so that its value can be quoted.
 * The text of a conversion is taken from the format of log_line, which the
 * compiler has checked; therefore the warning is off here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t format_one(const char *spec, size_t n, va_list *ap, char *to,
                         size_t room)
{
    char one[32];
    int width = 0, stars = 0, longs = 0, done = -1;
    bool is_size = false;

    ASSERT(n < sizeof one);
    memcpy(one, spec, n);
    one[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        stars += one[i] == '*';
        longs += one[i] == 'l';
        is_size |= one[i] == 'z' || one[i] == 't' || one[i] == 'j';
    }
    ASSERT(stars <= 1);
    if (stars == 1)
        width = va_arg(*ap, int);
#define FORMAT(type)                                                \
    (stars == 1 ? snprintf(to, room, one, width, va_arg(*ap, type)) \
                : snprintf(to, room, one, va_arg(*ap, type)))
    switch (one[n - 1]) {
    /* NOLINTNEXTLINE(bugprone-branch-clone): they differ in type */
    case 's':
    case 'p':
        done = FORMAT(void *);
        break;
    case 'e':
    case 'f':
    case 'g':
        done = FORMAT(double);
        break;
    default:
        /* NOLINTNEXTLINE(bugprone-branch-clone): they differ in type */
        done = longs > 0 || is_size ? FORMAT(long long) : FORMAT(int);
        break;
    }
#undef FORMAT
    ASSERT(done >= 0);
    return (size_t)done < room ? (size_t)done : room - 1;
}
#pragma GCC diagnostic pop

static void put_message(struct line *l, const char *fmt, va_list *ap)
{
    char value[LINE_BYTES_MAX];

    while (*fmt != '\0') {
        size_t n = strcspn(fmt, "%");
        bool is_value = n > 0 && fmt[n - 1] == '=';

        put_escaped(l, fmt, n, false);
        fmt += n;
        if (*fmt == '\0')
            break;
        n = 1 + strcspn(fmt + 1, "%diouxXcsefgp") + 1;
        if (fmt[n - 1] == '%') {
            put(l, "%", 1);
        } else {
            size_t bytes = format_one(fmt, n, ap, value, sizeof value);

            if (is_value)
                put_value(l, value, bytes);
            else
                put_escaped(l, value, bytes, false);
        }
        fmt += n;
    }
}

/* Ends the line, not inside a character of UTF-8. */
static void end_line(struct line *l)
{
    if (l->n == LINE_BYTES_MAX - 1) {
        while (((unsigned char)l->text[l->n - 1] & 0xc0) == 0x80)
            l->n--;
        if (((unsigned char)l->text[l->n - 1] & 0xc0) == 0xc0)
            l->n--;
    }
    l->text[l->n++] = '\n';
}

void log_line(enum log_level level, const char *part, const char *fmt, ...)
{
    struct line l = {.n = 0};
    char time[CLOCK_TEXT];
    va_list ap;

    if ((int)level > atomic_load(&level_max))
        return;
    clock_text(clock_wall_ms(), time);
    put(&l, time, strlen(time));
    put(&l, " ", 1);
    put(&l, LEVEL_NAMES[level], strlen(LEVEL_NAMES[level]));
    put(&l, " ", 1);
    put(&l, part, strlen(part));
    put(&l, " ", 1);
    va_start(ap, fmt);
    put_message(&l, fmt, &ap);
    va_end(ap);
    end_line(&l);
    /* One call a line, so that threads don't mix; a closed stderr is no
     * reason to stop. */
    if (write(STDERR_FILENO, l.text, l.n) < 0)
        return;
}
