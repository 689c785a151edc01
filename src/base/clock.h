/*
 * clock: time and waiting, the only place that asks the system. Tests can run
 * it: KNOWD_CLOCK_OFFSET_MS shifts wall time, clock_test_advance moves both.
 *
 * Units:   milliseconds since 1970 UTC (wall), nanoseconds (monotonic).
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>

#include "base/arena.h"
#include "base/err.h"

int64_t clock_wall_ms(void);
int64_t clock_mono_ns(void);
void clock_sleep_ms(unsigned ms);
/* Waits on the condition until signalled or until mono time `until_ns`;
 * false: timed out. As with pthreads it may wake for nothing: ask in a loop.
 * The condition was made by clock_cond_init. */
void clock_cond_init(pthread_cond_t *c);
bool clock_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock,
                     int64_t until_ns);
/* From its first call on (0 is fine) waits look at the clock every few
 * milliseconds, so that they see it being moved. */
void clock_test_advance(int64_t ms);

/* RFC 3339 in UTC with milliseconds: 2026-11-22T19:25:00.123Z */
str clock_rfc3339(struct arena *out, int64_t wall_ms);
#define CLOCK_TEXT 25
void clock_text(int64_t wall_ms, char to[CLOCK_TEXT]); /* NUL-terminated */
/* Takes RFC 3339 with Z or an offset; false: it is not one. */
bool clock_parse_rfc3339(str s, int64_t *wall_ms);

#endif
