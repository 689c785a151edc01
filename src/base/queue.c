#include "base/queue.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

struct queue {
    pthread_mutex_t lock; /* guards: head, count, ended, items */
    pthread_cond_t came, went;
    size_t slots, head, count;
    bool ended;
    void *items[];
};

struct queue *queue_open(size_t slots)
{
    struct queue *q;

    ASSERT(slots > 0 && slots <= SIZE_MAX / sizeof(void *) / 2);
    q = mem_alloc(sizeof *q + slots * sizeof q->items[0]);
    q->slots = slots;
    ASSERT(pthread_mutex_init(&q->lock, NULL) == 0);
    clock_cond_init(&q->came);
    clock_cond_init(&q->went);
    return q;
}

void queue_close(struct queue *q)
{
    if (q == NULL)
        return;
    (void)pthread_cond_destroy(&q->came);
    (void)pthread_cond_destroy(&q->went);
    (void)pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

rc queue_put(struct queue *q, void *item, int64_t until_ns)
{
    rc code = RC_OK;

    (void)pthread_mutex_lock(&q->lock);
    while (!q->ended && q->count == q->slots && code == RC_OK) {
        if (!clock_cond_wait(&q->went, &q->lock, until_ns))
            code = RC_BUSY;
    }
    if (q->ended) {
        code = RC_CANCELLED;
    } else if (q->count < q->slots) {
        code = RC_OK;
        q->items[(q->head + q->count++) % q->slots] = item;
        (void)pthread_cond_signal(&q->came);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return code;
}

rc queue_take_many(struct queue *q, void **items, size_t max, size_t *n,
                   int64_t until_ns)
{
    rc code = RC_OK;

    ASSERT(max > 0);
    *n = 0;
    (void)pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->ended && code == RC_OK) {
        if (!clock_cond_wait(&q->came, &q->lock, until_ns))
            code = RC_TIMEOUT;
    }
    while (q->count > 0 && *n < max) {
        items[(*n)++] = q->items[q->head];
        q->head = (q->head + 1) % q->slots;
        q->count--;
    }
    if (*n > 0)
        code = RC_OK;
    else if (q->ended)
        code = RC_CANCELLED;
    if (*n > 1)
        (void)pthread_cond_broadcast(&q->went);
    else if (*n == 1)
        (void)pthread_cond_signal(&q->went);
    (void)pthread_mutex_unlock(&q->lock);
    return code;
}

rc queue_take(struct queue *q, void **item, int64_t until_ns)
{
    size_t n;

    return queue_take_many(q, item, 1, &n, until_ns);
}

void queue_end(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->ended = true;
    (void)pthread_cond_broadcast(&q->came);
    (void)pthread_cond_broadcast(&q->went);
    (void)pthread_mutex_unlock(&q->lock);
}

size_t queue_count(struct queue *q)
{
    size_t n;

    (void)pthread_mutex_lock(&q->lock);
    n = q->count;
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}
