#include "net/pace.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define PERIOD_MS 1000
#define NS_PER_MS INT64_C(1000000)

/* One who waits; lives on its own stack. */
struct waiter {
    struct waiter *next;
};

struct host {
    char *name;
    size_t name_n;
    struct waiter *first; /* in order of arrival */
    unsigned inside;
    int64_t free_ns; /* nobody starts before */
    int64_t period_ns;
};

struct pace {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t moved; /* somebody left, started, or was told to stop */
    struct map *hosts;    /* name to struct host * */
    int64_t period_ns;
    unsigned at_once;
    size_t hosts_max;
    bool places_only;
    bool is_stopped;
};

struct pace *pace_open(const struct pace_opts *o)
{
    struct pace *p = mem_alloc(sizeof *p);

    ASSERT(pthread_mutex_init(&p->lock, NULL) == 0);
    clock_cond_init(&p->moved);
    p->hosts = map_open();
    p->places_only = o->places_only;
    if (!o->places_only)
        p->period_ns =
            (o->period_ms != 0 ? o->period_ms : PERIOD_MS) * NS_PER_MS;
    p->at_once = o->at_once != 0 ? o->at_once : 1;
    p->hosts_max = o->hosts_max != 0 ? o->hosts_max : PACE_HOSTS_MAX;
    return p;
}

static struct host *host_at(uint64_t value)
{
    return (struct host *)(uintptr_t)value;
}

static void host_free(struct host *h)
{
    mem_free(h->name);
    mem_free(h);
}

void pace_close(struct pace *p)
{
    uint64_t value;
    size_t at = 0;
    str name;

    if (p == NULL)
        return;
    while (map_next(p->hosts, &at, &name, &value)) {
        ASSERT(host_at(value)->inside == 0 && host_at(value)->first == NULL);
        host_free(host_at(value));
    }
    map_close(p->hosts);
    (void)pthread_cond_destroy(&p->moved);
    (void)pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

static void lock(struct pace *p)
{
    ASSERT(pthread_mutex_lock(&p->lock) == 0);
}

static void unlock(struct pace *p)
{
    ASSERT(pthread_mutex_unlock(&p->lock) == 0);
}

static struct host *find(const struct pace *p, str name)
{
    uint64_t *slot = map_find(p->hosts, name);

    return slot == NULL ? NULL : host_at(*slot);
}

/* Forgets the host that has been free the longest; false: all are in use, or
 * have a time to wait for that would be forgotten with them: *free_ns. */
static bool forget_one(struct pace *p, int64_t *free_ns)
{
    struct host *oldest = NULL;
    uint64_t value;
    size_t at = 0;
    str name;

    while (map_next(p->hosts, &at, &name, &value)) {
        struct host *h = host_at(value);

        if (h->inside == 0 && h->first == NULL &&
            (oldest == NULL || h->free_ns < oldest->free_ns))
            oldest = h;
    }
    *free_ns = oldest == NULL ? 0 : oldest->free_ns;
    if (oldest == NULL || oldest->free_ns > clock_mono_ns())
        return false;
    (void)map_drop(p->hosts, (str){oldest->name, oldest->name_n});
    host_free(oldest);
    return true;
}

static void tell_when(int64_t free_ns, struct err *e)
{
    int64_t left_ns = free_ns - clock_mono_ns();

    if (e != NULL && left_ns > 0)
        e->retry_ms = (unsigned)(left_ns / NS_PER_MS + 1);
}

static rc host_of(struct pace *p, str name, struct host **found, struct err *e)
{
    struct host *h = find(p, name);
    int64_t free_ns = 0;

    *found = h;
    if (h != NULL)
        return RC_OK;
    if (map_count(p->hosts) >= p->hosts_max && !forget_one(p, &free_ns)) {
        (void)err_set(e, RC_BUSY, "%zu hosts are being asked already",
                      p->hosts_max);
        tell_when(free_ns, e);
        return RC_BUSY;
    }
    h = mem_alloc(sizeof *h);
    h->name = mem_alloc(name.n + 1);
    memcpy(h->name, name.p, name.n);
    h->name_n = name.n;
    h->period_ns = p->period_ns;
    *map_slot(p->hosts, name, NULL) = (uint64_t)(uintptr_t)h;
    *found = h;
    return RC_OK;
}

/* ---- turns ---- */

static void line_up(struct host *h, struct waiter *me)
{
    struct waiter **at = &h->first;

    while (*at != NULL)
        at = &(*at)->next;
    *at = me;
}

static void step_out(struct host *h, const struct waiter *me)
{
    struct waiter **at = &h->first;

    while (*at != me)
        at = &(*at)->next;
    *at = me->next;
}

/* When to look up again: the host's time matters to the first alone, and only
 * where there is a place; all else comes with a signal. */
static int64_t next_look(const struct pace *p, const struct host *h,
                         const struct waiter *me, int64_t until_ns)
{
    return h->first == me && h->inside < p->at_once && h->free_ns < until_ns
               ? h->free_ns
               : until_ns;
}

static rc wait_turn(struct pace *p, struct host *h, const struct waiter *me,
                    int64_t until_ns, struct err *e)
{
    while (!p->is_stopped) {
        int64_t now = clock_mono_ns();

        if (h->first == me && h->inside < p->at_once && now >= h->free_ns)
            return RC_OK;
        if (now >= until_ns) {
            (void)err_set(e, RC_TIMEOUT, "%.100s is being asked already",
                          h->name);
            tell_when(h->free_ns, e);
            return RC_TIMEOUT;
        }
        (void)clock_cond_wait(&p->moved, &p->lock,
                              next_look(p, h, me, until_ns));
    }
    return err_set(e, RC_CANCELLED, "stopped");
}

rc pace_enter(struct pace *p, str host, int64_t until_ns, struct err *e)
{
    struct waiter me = {.next = NULL};
    struct host *h;
    rc code;

    lock(p);
    code = host_of(p, host, &h, e);
    if (code == RC_OK) {
        line_up(h, &me);
        code = wait_turn(p, h, &me, until_ns, e);
        step_out(h, &me);
        if (code == RC_OK) {
            h->inside++;
            h->free_ns = clock_mono_ns() + h->period_ns;
        }
        ASSERT(pthread_cond_broadcast(&p->moved) == 0);
    }
    unlock(p);
    return code;
}

void pace_leave(struct pace *p, str host, unsigned retry_ms)
{
    struct host *h;
    int64_t free_ns;

    retry_ms = retry_ms < PACE_WAIT_MS_MAX ? retry_ms : PACE_WAIT_MS_MAX;
    if (p->places_only)
        retry_ms = 0;
    lock(p);
    h = find(p, host);
    ASSERT(h != NULL && h->inside > 0);
    h->inside--;
    free_ns = clock_mono_ns() + retry_ms * NS_PER_MS;
    if (h->free_ns < free_ns)
        h->free_ns = free_ns;
    ASSERT(pthread_cond_broadcast(&p->moved) == 0);
    unlock(p);
}

rc pace_slow_down(struct pace *p, str host, unsigned period_ms, struct err *e)
{
    struct host *h;
    int64_t longer_ns;
    rc code;

    period_ms = period_ms < PACE_WAIT_MS_MAX ? period_ms : PACE_WAIT_MS_MAX;
    lock(p);
    code = host_of(p, host, &h, e);
    longer_ns = code == RC_OK ? period_ms * NS_PER_MS - h->period_ns : 0;
    if (longer_ns > 0) {
        h->period_ns += longer_ns;
        h->free_ns += longer_ns; /* the last start counts, too */
    }
    unlock(p);
    return code;
}

void pace_stop(struct pace *p)
{
    lock(p);
    p->is_stopped = true;
    ASSERT(pthread_cond_broadcast(&p->moved) == 0);
    unlock(p);
}

size_t pace_hosts(struct pace *p)
{
    size_t n;

    lock(p);
    n = map_count(p->hosts);
    unlock(p);
    return n;
}
