#include "serve/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#define LOOK_MS 200
#define NS_PER_MS ((int64_t)1000000)

enum state {
    STATE_HEAD,
    STATE_BODY,
    STATE_ANSWERING,
    STATE_IDLE,
    STATE_REFUSED, /* the body is drained, the answer waits */
    STATE_WRITTEN, /* the answer is written, the body still drained */
    STATE_SHUT
};

struct watched {
    struct watched *prev, *next;
    int fd;
    /* Set without the lock by the connection's thread: the time first, then
     * the state, so that no state is ever seen with an older time. */
    _Atomic int64_t since_ns;
    _Atomic enum state state;
    _Atomic uint64_t bytes;
    /* The watch thread's: the bytes it saw, and since when. */
    uint64_t seen;
    int64_t seen_ns;
    char *raw;
    size_t raw_n;
};

struct watch {
    pthread_t thread;
    pthread_cond_t ended;
    pthread_mutex_t lock; /* guards: all below, raw, the refused states */
    struct watched *first;
    size_t count;
    bool ending;
};

static void enter(struct watched *c, enum state state)
{
    atomic_store(&c->since_ns, clock_mono_ns());
    atomic_store(&c->bytes, 0);
    atomic_store(&c->state, state);
}

static void write_raw(struct watched *c)
{
    /* Some hundred bytes into an empty buffer: all of it or a dead peer. */
    (void)send(c->fd, c->raw, c->raw_n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void shut(struct watched *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    c->state = STATE_SHUT;
}

static bool is_slow(struct watched *c, int64_t ms)
{
    return ms > WATCH_BODY_MS &&
           atomic_load(&c->bytes) <
               (uint64_t)(ms - WATCH_BODY_MS) * WATCH_BODY_BYTES_PER_S / 1000;
}

static bool has_unread(const struct watched *c)
{
    int unread = 0;

    return ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* The peer will send no more, and all it sent was read. */
static bool has_left(const struct watched *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) == 1 && !has_unread(c);
}

/* A body that stands still, though nobody can go on with it. The library may
 * not notice: its edge-triggered poll told of the last bytes and of the end in
 * one, and it takes a short read for all there is. */
static bool is_cut(struct watched *c, int64_t now_ns)
{
    uint64_t bytes = atomic_load(&c->bytes);
    int64_t since_ns = atomic_load(&c->since_ns);

    if (bytes != c->seen || c->seen_ns < since_ns) {
        c->seen = bytes;
        c->seen_ns = now_ns;
    }
    return now_ns - c->seen_ns > WATCH_CUT_MS * NS_PER_MS && has_left(c);
}

static void look(struct watched *c, int64_t now_ns)
{
    enum state state = atomic_load(&c->state);
    int64_t ms = (now_ns - atomic_load(&c->since_ns)) / NS_PER_MS;

    switch (state) {
    case STATE_HEAD:
        if (ms > WATCH_HEAD_MS)
            shut(c);
        break;
    case STATE_BODY:
        if (is_slow(c, ms) || is_cut(c, now_ns))
            shut(c);
        break;
    case STATE_REFUSED:
        if (ms > DRAIN_MS_MAX) {
            write_raw(c);
            shut(c);
        }
        break;
    case STATE_WRITTEN:
        if (ms > DRAIN_MS_MAX)
            shut(c);
        break;
    case STATE_ANSWERING:
    case STATE_IDLE:
    case STATE_SHUT:
        break;
    }
}

static void *watch_thread(void *arg)
{
    struct watch *w = arg;

    (void)pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        int64_t now_ns = clock_mono_ns();

        for (struct watched *c = w->first; c != NULL; c = c->next)
            look(c, now_ns);
        (void)clock_cond_wait(&w->ended, &w->lock,
                              now_ns + LOOK_MS * NS_PER_MS);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void drop_all(struct watch *w)
{
    (void)pthread_cond_destroy(&w->ended);
    (void)pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

rc watch_open(struct watch **to, struct err *e)
{
    struct watch *w = mem_alloc(sizeof *w);
    int sys;

    (void)pthread_mutex_init(&w->lock, NULL);
    clock_cond_init(&w->ended);
    sys = pthread_create(&w->thread, NULL, watch_thread, w);
    if (sys != 0) {
        drop_all(w);
        *to = NULL;
        return err_errno(e, RC_BUSY, sys, "cannot start a thread");
    }
    *to = w;
    return RC_OK;
}

void watch_close(struct watch *w)
{
    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    ASSERT(w->first == NULL);
    w->ending = true;
    (void)pthread_cond_broadcast(&w->ended);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    drop_all(w);
}

struct watched *watch_add(struct watch *w, int fd)
{
    struct watched *c = mem_alloc(sizeof *c);

    c->fd = fd;
    enter(c, STATE_HEAD);
    (void)pthread_mutex_lock(&w->lock);
    c->next = w->first;
    if (c->next != NULL)
        c->next->prev = c;
    w->first = c;
    w->count++;
    (void)pthread_mutex_unlock(&w->lock);
    return c;
}

void watch_drop(struct watch *w, struct watched *c)
{
    (void)pthread_mutex_lock(&w->lock);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        w->first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    w->count--;
    (void)pthread_mutex_unlock(&w->lock);
    mem_free(c->raw);
    mem_free(c);
}

size_t watch_count(struct watch *w)
{
    size_t n;

    (void)pthread_mutex_lock(&w->lock);
    n = w->count;
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

bool watch_has_unread(struct watch *w)
{
    bool unread = false;

    (void)pthread_mutex_lock(&w->lock);
    for (struct watched *c = w->first; !unread && c != NULL; c = c->next)
        unread = has_unread(c);
    (void)pthread_mutex_unlock(&w->lock);
    return unread;
}

void watch_head(struct watched *c)
{
    if (atomic_load(&c->state) ==
        STATE_IDLE) /* a first one has no such state */
        enter(c, STATE_HEAD);
}

void watch_body(struct watched *c)
{
    enter(c, STATE_BODY);
}

void watch_body_bytes(struct watched *c, uint64_t bytes)
{
    atomic_store(&c->bytes, bytes);
}

void watch_answering(struct watched *c)
{
    enter(c, STATE_ANSWERING);
}

void watch_idle(struct watched *c)
{
    enter(c, STATE_IDLE);
}

void watch_refused(struct watch *w, struct watched *c, str raw)
{
    (void)pthread_mutex_lock(&w->lock);
    mem_free(c->raw);
    c->raw = mem_alloc(raw.n);
    memcpy(c->raw, raw.p, raw.n);
    c->raw_n = raw.n;
    enter(c, STATE_REFUSED);
    (void)pthread_mutex_unlock(&w->lock);
}

bool watch_take_back(struct watch *w, struct watched *c)
{
    bool ours;

    (void)pthread_mutex_lock(&w->lock);
    ours = c->state == STATE_REFUSED;
    if (ours)
        enter(c, STATE_ANSWERING);
    (void)pthread_mutex_unlock(&w->lock);
    return ours;
}

void watch_write_now(struct watch *w, struct watched *c)
{
    (void)pthread_mutex_lock(&w->lock);
    if (c->state == STATE_REFUSED) {
        write_raw(c);
        /* So that the library can't answer a broken rest a second time. */
        (void)shutdown(c->fd, SHUT_WR);
        c->state = STATE_WRITTEN; /* since it was refused */
    }
    (void)pthread_mutex_unlock(&w->lock);
}
