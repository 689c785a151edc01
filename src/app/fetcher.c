/*
 * fetcher: threads that fetch what waits for it, and hand it on to the
 * pipeline as if it had been uploaded.
 *
 * Items are leased many at once and wait in one list; a thread takes the first
 * whose host has a place free. A host has no more than its share of the list,
 * however much is queued for it, so that a slow one holds up nobody else. Where
 * redirects lead to another host, a place of that one is waited for a moment, the
 * former one's given back; where there is none the page is put off. What is tried
 * again goes first, as its time is running. What came of a page is a write of its
 * own: a crash repeats at most the pages that were under way.
 *
 *   queued ──lease──► waiting ──► under way ──► its body is the version's:
 *      ▲                              │         queued again, as a new one
 *      └────────── later ─────────────┴──► failed, or nothing has changed
 */
#include "app/fetcher_priv.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/pace.h"
#include "net/url.h"

#define FETCHERS 16
#define HOST_AT_ONCE 8
/* Waiting in the list: of all, of one host, and how few of one before the queue
 * is looked at for more. */
#define WAITING_MAX 4096
#define HOST_WAITING_MAX 256
#define HOST_WAITING_LOW 32
/* What one write looks at and leases, and how many such a look takes. */
#define LOOKED_AT 512
#define LEASED 128
#define LOOKS_MAX 20

const struct addr_nets *fetcher_nets(const struct app *a)
{
    return &a->fetcher->nets;
}

/* ---- leases ---- */

struct lease_write {
    struct write write;
    struct fetcher *fetcher;
    struct fetch_place from;
    struct waiting **v;
    size_t n;
    struct fetch_place last; /* looked at */
    bool ended;              /* there is none behind it */
    bool skipped;            /* some were left, for their host has enough */
    int64_t next_ms;
};

static struct waiting *waiting_make(const struct due_fetch *due, str host)
{
    struct waiting *w = mem_alloc(sizeof *w + host.n + 1);

    w->at = due->at;
    w->again = due->again;
    if (host.n > 0)
        memcpy(w->text, host.p, host.n);
    w->host = (str){w->text, host.n};
    return w;
}

static void lease_drop(struct lease_write *l)
{
    for (size_t i = 0; i < l->n; i++)
        mem_free(l->v[i]);
    l->n = 0;
}

static str host_of(str url, struct arena *tmp)
{
    struct url u;

    return url.p != NULL && url_parse(url, NULL, tmp, &u, NULL) == RC_OK
               ? u.host
               : STR("");
}

/* Whether one more of a host may wait, beside what does and what this lease has
 * taken: new ones leave half of the room to those that are tried again. */
static bool host_has_room(struct lease_write *l, const struct due_fetch *due,
                          str host)
{
    size_t n = 0, max = due->again ? 2 * HOST_WAITING_MAX : HOST_WAITING_MAX;
    const uint64_t *held;

    for (size_t i = 0; i < l->n; i++)
        n += str_eq(l->v[i]->host, host) ? 1 : 0;
    (void)pthread_mutex_lock(&l->fetcher->lock);
    held = map_find(l->fetcher->held, host);
    n += held == NULL ? 0 : *held;
    (void)pthread_mutex_unlock(&l->fetcher->lock);
    return n < max;
}

static rc lease_run(struct write *w, struct db *db, struct err *e)
{
    struct lease_write *l = (struct lease_write *)w;
    struct arena *tmp = arena_open();
    int64_t now = clock_wall_ms();
    struct due_fetch *due;
    size_t n, i = 0;
    rc code;

    lease_drop(l); /* of a run that was rolled back */
    l->skipped = false;
    l->last = l->from;
    code = db_fetches_due(db, l->from, LOOKED_AT, now, tmp, &due, &n, e);
    for (; code == RC_OK && i < n && l->n < LEASED; i++) {
        str host = host_of(due[i].url, tmp);

        l->last = due[i].at;
        if (!host_has_room(l, &due[i], host)) {
            l->skipped = true;
            continue;
        }
        code = db_fetch_lease(db, due[i].at, now, tmp, e);
        if (code == RC_OK)
            l->v[l->n++] = waiting_make(&due[i], host);
    }
    l->ended = code == RC_OK && i == n && n < LOOKED_AT;
    if (code == RC_OK)
        code = db_fetches_next(db, now, &l->next_ms, e);
    arena_close(tmp);
    return code;
}

static int64_t due_ns(int64_t next_ms)
{
    if (next_ms == 0)
        return INT64_MAX;
    return clock_mono_ns() + (next_ms - clock_wall_ms()) * 1000000;
}

/* Behind the last of its kind: those that are tried again are the first. With
 * the lock. */
static void list_put(struct fetcher *r, struct waiting *w)
{
    struct waiting **at = r->end;

    if (w->again)
        for (at = &r->first; *at != NULL && (*at)->again;)
            at = &(*at)->next;
    w->next = *at;
    *at = w;
    if (w->next == NULL)
        r->end = &w->next;
}

static void list_add(struct fetcher *r, const struct lease_write *l)
{
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < l->n; i++) {
        list_put(r, l->v[i]);
        ++*map_slot(r->held, l->v[i]->host, NULL);
        r->waiting_n++;
    }
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* Goes through the queue, from where the last look ended and around, until
 * enough is leased or all was seen. Without the lock; one thread at a time. */
static void lease_more(struct fetcher *r)
{
    struct waiting *leased[LEASED];
    struct lease_write l = {.write = {.run = lease_run},
                            .fetcher = r,
                            .from = r->place,
                            .v = leased};
    bool all = uuid_is_nil(r->place.job), more = false;
    int64_t look_ns = INT64_MAX;
    struct err e = {0};
    size_t sum = 0;
    rc code = RC_OK;

    for (unsigned i = 0; i < LOOKS_MAX && sum < LEASED; i++) {
        if ((code = store_write(r->app->store, &l.write, &e)) != RC_OK) {
            lease_drop(&l);
            break;
        }
        list_add(r, &l);
        sum += l.n;
        l.n = 0;
        more = more || l.skipped || !l.ended;
        look_ns = due_ns(l.next_ms);
        l.from = l.ended ? (struct fetch_place){0} : l.last;
        if (l.ended && all)
            break;
        all = all || l.ended; /* and once from the start */
    }
    if (code != RC_OK) {
        look_ns = clock_mono_ns() + (int64_t)FETCH_AGAIN_MS * 1000000;
        if (code != RC_BUSY && code != RC_NOSPACE)
            log_warn("fetch", "cannot take URLs: %s", e.text);
    } else if (sum >= LEASED) {
        look_ns = 0;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->place = l.from;
    r->leasing = false;
    r->more = more;
    /* Whoever was woken meanwhile stands in look_ns already. */
    if (look_ns < r->look_ns)
        r->look_ns = look_ns;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void fetcher_due(struct fetcher *r, int64_t ms)
{
    int64_t due = clock_mono_ns() + ms * 1000000;

    (void)pthread_mutex_lock(&r->lock);
    if (due < r->look_ns)
        r->look_ns = due;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void fetcher_pause(struct fetcher *r, int64_t ms)
{
    int64_t until = clock_mono_ns() + ms * 1000000;
    bool in_time = true;

    (void)pthread_mutex_lock(&r->lock);
    while (in_time && !atomic_load(&r->stopping))
        in_time = clock_cond_wait(&r->changed, &r->lock, until);
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- the list ---- */

/* One less; the host is forgotten with its last. */
static uint64_t count_down(struct map *m, str host)
{
    uint64_t *n = map_find(m, host), left;

    ASSERT(n != NULL && *n > 0);
    left = --*n;
    if (left == 0)
        (void)map_drop(m, host);
    return left;
}

static bool host_is_free(const struct fetcher *r, str host)
{
    const uint64_t *busy = map_find(r->busy, host);

    return busy == NULL || *busy < HOST_AT_ONCE;
}

/* The first that may go now; with the lock. */
static struct waiting *take_next(struct fetcher *r)
{
    for (struct waiting **at = &r->first; *at != NULL; at = &(*at)->next) {
        struct waiting *w = *at;

        if (!host_is_free(r, w->host))
            continue;
        ++*map_slot(r->busy, w->host, NULL);
        *at = w->next;
        if (r->end == &w->next)
            r->end = at;
        r->waiting_n--;
        if (count_down(r->held, w->host) < HOST_WAITING_LOW && r->more)
            r->look_ns = 0;
        return w;
    }
    return NULL;
}

static void host_leave(struct fetcher *r, const struct waiting *w)
{
    (void)pthread_mutex_lock(&r->lock);
    (void)count_down(r->busy, w->host);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* NULL: the end. */
static struct waiting *wait_next(struct fetcher *r)
{
    struct waiting *w = NULL;

    (void)pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->stopping)) {
        bool may_lease = !r->leasing && r->waiting_n < WAITING_MAX;

        if ((w = take_next(r)) != NULL)
            break;
        if (may_lease && r->look_ns <= clock_mono_ns()) {
            r->leasing = true;
            r->look_ns = INT64_MAX;
            (void)pthread_mutex_unlock(&r->lock);
            lease_more(r);
            (void)pthread_mutex_lock(&r->lock);
            continue;
        }
        (void)clock_cond_wait(&r->changed, &r->lock,
                              may_lease ? r->look_ns : INT64_MAX);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return w;
}

/* ---- threads ---- */

static void *fetcher_thread(void *arg)
{
    struct fetcher *r = arg;
    struct fetch *http = NULL;
    struct waiting *w;

    (void)pthread_setname_np(pthread_self(), "fetch");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), READING_NICENESS);
    while ((w = wait_next(r)) != NULL) {
        fetcher_page(r, &http, w->at);
        host_leave(r, w);
        mem_free(w);
    }
    fetch_close(http);
    return NULL;
}

void fetcher_wake(struct app *a)
{
    struct fetcher *r = a->fetcher;

    if (r == NULL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->look_ns = 0;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

static rc nets_read(struct fetcher *r, const char *const *texts, size_t n,
                    struct err *e)
{
    rc code = RC_OK;

    r->nets_v = mem_alloc((n + 1) * sizeof *r->nets_v);
    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = addr_net_parse(str_of(texts[i]), &r->nets_v[i], e);
    r->nets = (struct addr_nets){r->nets_v, code == RC_OK ? n : 0};
    return code;
}

rc fetcher_open(struct app *a, const char *const *texts, size_t n,
                struct err *e)
{
    struct fetcher *r = mem_alloc(sizeof *r);
    uint64_t seed;

    rng_bytes(&seed, sizeof seed);
    r->chance = rng_seeded(seed);
    /* Each thread is at a host or waits for one: twice as many rows as could be
     * in use are never too few. */
    r->pace = pace_open(&(struct pace_opts){.at_once = HOST_AT_ONCE,
                                            .hosts_max = (size_t)FETCHERS * 2,
                                            .places_only = true});
    r->app = a;
    r->opened_ns = clock_mono_ns();
    r->end = &r->first;
    r->busy = map_open();
    r->held = map_open();
    r->threads = mem_alloc(FETCHERS * sizeof *r->threads);
    (void)pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->changed);
    a->fetcher = r;
    if (nets_read(r, texts, n, e) != RC_OK)
        return e->code;
    for (size_t i = 0; i < FETCHERS; i++) {
        int sys = pthread_create(&r->threads[i], NULL, fetcher_thread, r);

        if (sys != 0)
            return err_errno(e, RC_BUSY, sys, "cannot start a thread");
        r->threads_n++;
    }
    return RC_OK;
}

void fetcher_stop(struct app *a)
{
    struct fetcher *r = a->fetcher;

    if (r == NULL)
        return;
    atomic_store(&r->stopping, true);
    pace_stop(r->pace);
    (void)pthread_mutex_lock(&r->lock);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->threads_n; i++)
        (void)pthread_join(r->threads[i], NULL);
    r->threads_n = 0;
}

/* What still waits is leased, and queued again at the next start. */
void fetcher_close(struct app *a)
{
    struct fetcher *r = a->fetcher;

    if (r == NULL)
        return;
    a->fetcher = NULL;
    while (r->first != NULL) {
        struct waiting *w = r->first;

        r->first = w->next;
        mem_free(w);
    }
    map_close(r->busy);
    map_close(r->held);
    pace_close(r->pace);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    mem_free(r->threads);
    mem_free(r->nets_v);
    mem_free(r);
}
