#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define MS_PER_DAY INT64_C(86400000)
/* How often a wait looks up when a test runs the clock. */
#define SLICE_NS (5 * NS_PER_MS)

static atomic_llong advanced_ms;
static atomic_bool stepped;
static int64_t wall_offset_ms; /* set once */
static pthread_once_t offset_once = PTHREAD_ONCE_INIT;

static void read_offset(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment */
    const char *text = getenv("KNOWD_CLOCK_OFFSET_MS");

    if (text != NULL)
        wall_offset_ms = strtoll(text, NULL, 10);
}

static int64_t now_ns(clockid_t id)
{
    struct timespec t;

    ASSERT(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    (void)pthread_once(&offset_once, read_offset);
    return now_ns(CLOCK_REALTIME) / NS_PER_MS + wall_offset_ms +
           atomic_load(&advanced_ms);
}

int64_t clock_mono_ns(void)
{
    return now_ns(CLOCK_MONOTONIC) +
           (int64_t)atomic_load(&advanced_ms) * NS_PER_MS;
}

/* The system's own monotonic time at which a wait until until_ns ends, or
 * looks up again. */
static struct timespec wake_at(int64_t until_ns)
{
    int64_t at = until_ns - (int64_t)atomic_load(&advanced_ms) * NS_PER_MS;

    if (atomic_load(&stepped)) {
        int64_t slice = now_ns(CLOCK_MONOTONIC) + SLICE_NS;

        at = at < slice ? at : slice;
    }
    if (at < 0)
        at = 0;
    return (struct timespec){at / NS_PER_S, at % NS_PER_S};
}

void clock_sleep_ms(unsigned ms)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)ms * NS_PER_MS;

    while (clock_mono_ns() < until_ns) {
        struct timespec at = wake_at(until_ns);

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

void clock_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    ASSERT(pthread_condattr_init(&attr) == 0);
    ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(c, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ns)
{
    struct timespec at = wake_at(until_ns);
    int sys;

    if (clock_mono_ns() >= until_ns)
        return false;
    sys = pthread_cond_timedwait(c, lock, &at);
    ASSERT(sys == 0 || sys == ETIMEDOUT);
    /* A look at the moved clock counts as a wake: the signal may have come
     * just after it, while the lock was being taken again. */
    return sys == 0 || clock_mono_ns() < until_ns;
}

void clock_test_advance(int64_t ms)
{
    ASSERT(ms >= 0);
    atomic_store(&stepped, true);
    atomic_fetch_add(&advanced_ms, ms);
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and
 * back: years begin in March, so that the leap day is a year's last.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year =
        (int64_t)(153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 -
           year_of_era / 100 + day_of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

/* snprintf takes 2,000 instructions for a time, and lists are full of them. */
static void digits(char *to, uint64_t number, unsigned n, char behind)
{
    to[n] = behind;
    for (; n-- > 0; number /= 10)
        to[n] = (char)('0' + number % 10);
}

void clock_text(int64_t wall_ms, char to[CLOCK_TEXT])
{
    /* Four digits of year are all RFC 3339 has. */
    int64_t first = days_of(0, 1, 1) * MS_PER_DAY;
    int64_t last = days_of(10000, 1, 1) * MS_PER_DAY - 1;
    int64_t days, ms, year;
    unsigned month, day;

    wall_ms = wall_ms < first ? first : wall_ms > last ? last : wall_ms;
    days = wall_ms / MS_PER_DAY - (wall_ms % MS_PER_DAY < 0);
    ms = wall_ms - days * MS_PER_DAY;
    date_of(days, &year, &month, &day);
    digits(to, (uint64_t)year, 4, '-');
    digits(to + 5, month, 2, '-');
    digits(to + 8, day, 2, 'T');
    digits(to + 11, (uint64_t)ms / 3600000, 2, ':');
    digits(to + 14, (uint64_t)ms / 60000 % 60, 2, ':');
    digits(to + 17, (uint64_t)ms / 1000 % 60, 2, '.');
    digits(to + 20, (uint64_t)ms % 1000, 3, 'Z');
    to[CLOCK_TEXT - 1] = '\0';
}

str clock_rfc3339(struct arena *out, int64_t wall_ms)
{
    char text[CLOCK_TEXT];

    clock_text(wall_ms, text);
    return arena_str(out, str_of(text));
}

/* Takes n digits of value at most max; false: they aren't there. */
static bool take_digits(str *s, size_t n, unsigned max, unsigned *v)
{
    uint64_t value;

    if (s->n < n || !str_to_u64(str_sub(*s, 0, n), max, &value))
        return false;
    *v = (unsigned)value;
    *s = str_sub(*s, n, s->n);
    return true;
}

static bool take_char(str *s, const char *any)
{
    if (s->n == 0 || s->p[0] == '\0' || strchr(any, s->p[0]) == NULL)
        return false;
    *s = str_sub(*s, 1, s->n);
    return true;
}

/* Digits behind the point; those past milliseconds are dropped. */
static bool take_fraction(str *s, unsigned *ms)
{
    size_t n = 0;
    unsigned weight = 100;

    *ms = 0;
    if (!take_char(s, "."))
        return true;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        *ms += (unsigned)(s->p[n] - '0') * weight;
        weight /= 10;
    }
    *s = str_sub(*s, n, s->n);
    return n > 0;
}

static bool take_offset(str *s, int64_t *minutes)
{
    bool west = s->n > 0 && s->p[0] == '-';
    unsigned hour, minute;

    *minutes = 0;
    if (take_char(s, "Zz"))
        return true;
    if (!take_char(s, "+-") || !take_digits(s, 2, 23, &hour) ||
        !take_char(s, ":") || !take_digits(s, 2, 59, &minute))
        return false;
    *minutes = (int64_t)hour * 60 + minute;
    if (west)
        *minutes = -*minutes;
    return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned DAYS[] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return DAYS[month - 1] + (month == 2 && leap);
}

bool clock_parse_rfc3339(str s, int64_t *wall_ms)
{
    unsigned year, month, day, hour, minute, second, ms;
    int64_t offset;

    if (!take_digits(&s, 4, 9999, &year) || !take_char(&s, "-") ||
        !take_digits(&s, 2, 12, &month) || !take_char(&s, "-") ||
        !take_digits(&s, 2, 31, &day) || !take_char(&s, "Tt ") ||
        !take_digits(&s, 2, 23, &hour) || !take_char(&s, ":") ||
        !take_digits(&s, 2, 59, &minute) || !take_char(&s, ":") ||
        !take_digits(&s, 2, 60, &second) || !take_fraction(&s, &ms) ||
        !take_offset(&s, &offset) || s.n > 0)
        return false;
    if (month == 0 || day == 0 || day > days_in(year, month))
        return false;
    *wall_ms =
        (((days_of(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 +
         second) *
            1000 +
        ms;
    return true;
}
