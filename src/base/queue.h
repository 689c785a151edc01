/*
 * queue: a bounded queue of pointers between threads.
 *
 * Owns:    nothing but its slots.
 * Threads: any number on both sides.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/err.h"

struct queue;
struct queue *queue_open(size_t slots);
void queue_close(struct queue *q); /* no thread may be waiting; NULL is fine */
/* RC_BUSY: full until the deadline (mono ns; 0: don't wait).
 * RC_CANCELLED: queue_end was called. */
rc queue_put(struct queue *q, void *item, int64_t until_ns) MUST_CHECK;
/* RC_TIMEOUT: nothing came until the deadline. RC_CANCELLED: ended and empty. */
rc queue_take(struct queue *q, void **item, int64_t until_ns) MUST_CHECK;
/* At most max at once, at least one; for commits in groups. */
rc queue_take_many(struct queue *q, void **items, size_t max, size_t *n,
                   int64_t until_ns) MUST_CHECK;
void queue_end(struct queue *q); /* wakes all; what is inside can be taken */
size_t queue_count(struct queue *q);

#endif
