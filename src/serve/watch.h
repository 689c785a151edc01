/*
 * watch: the deadlines of connections. The library knows only how long nothing
 * came; a client that sends a byte now and then would hold a connection for
 * ever. One thread looks at all of them a few times a second and shuts down
 * the socket of whoever is late, which the library then finds closed.
 *
 *   new, or its first request not yet whole   HEAD_MS from the connect
 *   a later request's head                    HEAD_MS from its first line
 *   a body                                    BODY_BYTES_PER_S after BODY_MS
 *   a body whose sender has left              CUT_MS
 *   between requests                          the library's idle timeout
 *
 * A refused request's body is read on for at most DRAIN_MS_MAX; then its
 * answer is written as it is and the socket shut down.
 *
 * Owns:    its list; a socket belongs to the library, which tells of its end
 *          (watch_drop) before it closes it.
 * Threads: any; a connection's states are told by its own thread.
 */
#ifndef SERVE_WATCH_H
#define SERVE_WATCH_H

#include "base/err.h"

#define WATCH_HEAD_MS 10000
#define WATCH_BODY_MS 10000
#define WATCH_BODY_BYTES_PER_S 1024
#define WATCH_CUT_MS 1000

struct watch;
struct watched; /* one connection */

rc watch_open(struct watch **w, struct err *e) MUST_CHECK;
void watch_close(struct watch *w); /* NULL is fine; none may be left */

struct watched *watch_add(struct watch *w, int fd);
void watch_drop(struct watch *w, struct watched *c);
size_t watch_count(struct watch *w);
/* Something has come on one of them that was not read yet. */
bool watch_has_unread(struct watch *w);

/* What the connection does now. */
void watch_head(struct watched *c);
void watch_body(struct watched *c);
void watch_body_bytes(struct watched *c, uint64_t bytes);
void watch_answering(struct watched *c);
void watch_idle(struct watched *c);

/* The request is refused and `raw`, a whole HTTP answer, is what to write when
 * the body doesn't end in time; it is copied. */
void watch_refused(struct watch *w, struct watched *c, str raw);
/* The body ended after all: false: too late, the answer is written. */
bool watch_take_back(struct watch *w, struct watched *c);
/* Writes the answer now; what still comes is drained until the deadline. */
void watch_write_now(struct watch *w, struct watched *c);

#endif
