/*
 * rate: how many requests a tenant may make in a dialect. A window slides over
 * RATE_SLOTS slots of counts, so that no window of that length ever holds more
 * than the limit (to a slot), and a tenant at rest has all of it at once. A
 * dialect may have several rules (60 a minute, 1000 a day): a request must keep
 * all of them, and counts in all or in none.
 *
 * Owns:    memory for tenants that asked in the last window or two.
 * Errors:  RC_INVALID  a rule is not DIALECT=COUNT/sec, /min, /hour or /day
 * Threads: any.
 */
#ifndef SERVE_RATE_H
#define SERVE_RATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"

#define RATE_SLOTS 60
#define RATE_COUNT_MAX 100000000
#define RATE_RULES_MAX 4 /* of a dialect */

struct rate_rule {
    uint64_t count;
    unsigned window_s;
};

/* *dialect is the name before the =. */
rc rate_parse(str text, str *dialect, struct rate_rule *rule,
              struct err *e) MUST_CHECK;

struct rate;
struct rate *rate_open(const struct rate_rule *rules, size_t n);
void rate_close(struct rate *r); /* NULL is fine */

struct rate_state {
    struct rate_rule rule; /* the one that leaves least; when over it, the one
                              to wait for longest */
    uint64_t left;         /* requests */
    unsigned wait_s;       /* until there is one more */
};
/* Counts one request; false: over a limit, and not counted. */
bool rate_take(struct rate *r, uuid tenant, int64_t now_ns,
               struct rate_state *state);
size_t rate_tenants(struct rate *r);

#endif
