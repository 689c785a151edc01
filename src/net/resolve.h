/*
 * resolve: the addresses of a name, by the system's resolver, and not later
 * than asked.
 *
 * getaddrinfo(3) can be neither cancelled nor hurried, so it runs in a thread
 * of its own that outlives a caller who stops waiting; LOOKUPS_MAX at once.
 * Nothing is remembered: each call asks anew.
 *
 * Errors:  RC_REMOTE   no such name, no address, or more than RESOLVED_MAX
 *          RC_TIMEOUT  no answer by then
 *          RC_BUSY     LOOKUPS_MAX are under way
 * Threads: any.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/addr.h"

#define RESOLVED_MAX 256
#define LOOKUPS_MAX 64

struct resolved {
    struct addr v[RESOLVED_MAX];
    size_t n;
};

/* until_ns: by clock_mono_ns. */
rc resolve_name(str name, int64_t until_ns, struct resolved *to,
                struct err *e) MUST_CHECK;

#endif
