/*
 * pace: how often and how many at once a host is asked, whoever asks.
 *
 * A host has `at_once` places and a time before which nobody may start: one
 * period after the last start, or later where it said so (Retry-After). Who
 * wants to ask enters, waits for its turn, and leaves. Turns are given in order
 * of arrival. What users named one by one is not slowed down: for that, places
 * alone are kept to (places_only).
 *
 * Owns:    a row a host, hosts_max at most; where there are more, the one that
 *          has been free the longest is forgotten, but none that is in use or
 *          has a time to wait for.
 * Units:   milliseconds.
 * Errors:  RC_TIMEOUT    no turn by then; e->retry_ms: how long it would take
 *          RC_CANCELLED  pace_stop
 *          RC_BUSY       hosts_max hosts that can't be forgotten
 * Threads: any number.
 */
#ifndef NET_PACE_H
#define NET_PACE_H

#include "base/err.h"

#define PACE_HOSTS_MAX 4096
#define PACE_WAIT_MS_MAX 3600000 /* of what a host asks for */

struct pace;

struct pace_opts {
    unsigned period_ms; /* between two starts; 0: 1000 */
    unsigned at_once;   /* 0: 1 */
    size_t hosts_max;   /* 0: PACE_HOSTS_MAX */
    bool places_only;   /* no period, and Retry-After is not the host's */
};

struct pace *pace_open(const struct pace_opts *o);
void pace_close(struct pace *p); /* NULL is fine; nobody is inside */
/* until_ns: by clock_mono_ns. */
rc pace_enter(struct pace *p, str host, int64_t until_ns,
              struct err *e) MUST_CHECK;
/* retry_ms: what the answer's Retry-After said; 0: nothing. */
void pace_leave(struct pace *p, str host, unsigned retry_ms);
/* Crawl-delay of its robots.txt: the period, where it is longer than ours, from
 * its last start on. It is forgotten with the host: say it again before each
 * request. RC_BUSY: as pace_enter. */
rc pace_slow_down(struct pace *p, str host, unsigned period_ms,
                  struct err *e) MUST_CHECK;
/* Whoever waits or comes is sent away. */
void pace_stop(struct pace *p);
size_t pace_hosts(struct pace *p); /* remembered */

#endif
