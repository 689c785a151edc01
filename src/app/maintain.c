/*
 * maintain: one thread for what nobody waits for: rows of deleted bases,
 * documents that the index lost, when keys were used last, files to tidy up.
 */
#include "app/app_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#define PURGE_ROWS 500
#define MISSING_SLICE 1000
/* A key's last use is written this often at most, and with its neighbours. */
#define TOUCH_EVERY_MS 60000
#define TOUCH_GATHER_NS ((int64_t)1000000000)
/* After a write failed: when to try again. */
#define AGAIN_NS ((int64_t)2 * 1000000000)
#define TIDY_EVERY_NS ((int64_t)24 * 3600 * 1000000000)

struct touch {
    uuid key;
    int64_t used_ms;
};

struct maintenance {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    bool stopping, purge;
    struct map *broken;  /* bases whose index lost documents */
    struct map *touched; /* key: when its use was noted */
    struct arena *touches_arena;
    struct touch *touches;
    size_t touches_n, touches_cap;
    int64_t touches_due_ns; /* 0: there are none */
};

static bool stopping(struct maintenance *m)
{
    bool yes;

    (void)pthread_mutex_lock(&m->lock);
    yes = m->stopping;
    (void)pthread_mutex_unlock(&m->lock);
    return yes;
}

/* ---- purging ---- */

struct purge {
    struct write write;
    bool more;
};

static rc purge_run(struct write *w, struct db *db, struct err *e)
{
    return db_purge_slice(db, PURGE_ROWS, &((struct purge *)w)->more, e);
}

/* False: to be tried again. */
static bool purge(struct maintenance *m)
{
    struct purge p = {.write = {.run = purge_run, .frees = true}, .more = true};
    struct err e = {0};

    while (p.more && !stopping(m))
        if (store_write(m->app->store, &p.write, &e) != RC_OK) {
            log_warn("maintain", "purge: %s", e.text);
            return false;
        }
    return true;
}

/* ---- what the index lost ---- */

struct repair {
    struct write write;
    struct app *app;
    uuid tenant, base;
    const uuid *versions;
    size_t n;
};

static rc repair_run(struct write *w, struct db *db, struct err *e)
{
    struct repair *r = (struct repair *)w;

    return reindex_add(r->app, db, r->tenant, r->base, STR("index repair"),
                       r->versions, r->n, NULL, e);
}

/* Whose the base is, and whether a repair that was begun before still runs:
 * then it goes on by itself. */
static rc repair_look(struct app *a, struct repair *r, struct arena *tmp,
                      bool *runs, struct err *e)
{
    const unsigned unfinished = 1u << JOB_QUEUED | 1u << JOB_PROCESSING;
    struct page_req p = {.limit = PAGE_ITEMS_MAX};
    struct job_row *jobs = NULL;
    struct db *db;
    size_t n = 0;
    bool more;
    rc code;

    *runs = false;
    if ((code = store_read_begin(a->store, &db, e)) != RC_OK)
        return code;
    if ((code = db_base_tenant(db, r->base, &r->tenant, e)) == RC_OK)
        code = db_job_list(db, r->tenant, r->base, unfinished, p, tmp, &jobs,
                           &n, &more, e);
    store_read_end(db);
    for (size_t i = 0; code == RC_OK && i < n; i++)
        *runs = *runs || str_eq(jobs[i].kind, STR("reindex"));
    return code;
}

static rc repair_base(struct app *a, uuid base, struct arena *tmp,
                      struct err *e)
{
    struct repair r = {.write = {.run = repair_run}, .app = a, .base = base};
    uuid *versions;
    size_t n;
    bool runs;
    rc code;

    if ((code = engine_missing(a->engine, base, tmp, &versions, &n, e)) !=
            RC_OK ||
        n == 0 || (code = repair_look(a, &r, tmp, &runs, e)) != RC_OK || runs)
        return code;
    log_warn("maintain", "the index lost documents: indexing again n=%zu", n);
    for (size_t i = 0; code == RC_OK && i < n; i += MISSING_SLICE) {
        r.versions = versions + i;
        r.n = n - i < MISSING_SLICE ? n - i : MISSING_SLICE;
        code = store_write(a->store, &r.write, e);
        app_wake(a);
    }
    return code;
}

static void repair(struct maintenance *m, uuid base)
{
    struct arena *tmp = arena_open();
    struct err e = {0};
    rc code = repair_base(m->app, base, tmp, &e);

    if (code != RC_OK && code != RC_NOTFOUND)
        log_warn("maintain", "looking over an index: %s", e.text);
    arena_close(tmp);
}

/* Once after the start: every index is looked over before it is asked. */
static void repair_all(struct maintenance *m)
{
    struct arena *out = arena_open();
    struct err e = {0};
    struct db *db;
    uuid *bases = NULL;
    size_t n = 0;
    rc code = store_read_begin(m->app->store, &db, &e);

    if (code == RC_OK) {
        code = db_base_ids(db, out, &bases, &n, &e);
        store_read_end(db);
    }
    if (code != RC_OK)
        log_warn("maintain", "list of bases: %s", e.text);
    for (size_t i = 0; code == RC_OK && i < n && !stopping(m); i++)
        repair(m, bases[i]);
    arena_close(out);
}

/* What the engine told since the last time. */
static void repair_told(struct maintenance *m)
{
    struct map *told;
    uint64_t value;
    size_t at = 0;
    uuid base;
    str key;

    (void)pthread_mutex_lock(&m->lock);
    told = m->broken;
    m->broken = map_open();
    (void)pthread_mutex_unlock(&m->lock);
    while (map_next(told, &at, &key, &value) && !stopping(m)) {
        base = uuid_of_key(key);
        repair(m, base);
    }
    map_close(told);
}

void maintenance_repair(struct maintenance *m, uuid base)
{
    (void)pthread_mutex_lock(&m->lock);
    (void)map_slot(m->broken, uuid_key(&base), NULL);
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- last uses ---- */

struct touching {
    struct write write;
    const struct touch *v;
    size_t n;
};

static rc touching_run(struct write *w, struct db *db, struct err *e)
{
    struct touching *t = (struct touching *)w;
    bool there;
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < t->n; i++)
        code = maybe(db_key_touch(db, t->v[i].key, t->v[i].used_ms, e), &there);
    return code;
}

/* A loss here is a time that is a minute old: not worth a second try. */
static void touches_write(struct maintenance *m)
{
    struct touching t = {.write = {.run = touching_run, .frees = true}};
    struct arena *mine;
    struct err e = {0};

    (void)pthread_mutex_lock(&m->lock);
    mine = m->touches_arena;
    t.v = m->touches;
    t.n = m->touches_n;
    m->touches_arena = arena_open();
    m->touches = NULL;
    m->touches_n = m->touches_cap = 0;
    m->touches_due_ns = 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (t.n > 0 && store_write(m->app->store, &t.write, &e) != RC_OK)
        log_warn("maintain", "last uses of keys: %s", e.text);
    arena_close(mine);
}

void maintenance_touch_key(struct maintenance *m, uuid key, int64_t now_ms)
{
    uint64_t *noted;

    if (m == NULL)
        return;
    (void)pthread_mutex_lock(&m->lock);
    noted = map_slot(m->touched, uuid_key(&key), NULL);
    if (*noted == 0 || now_ms - (int64_t)*noted >= TOUCH_EVERY_MS) {
        *noted = (uint64_t)now_ms;
        ARENA_PUSH(m->touches_arena, m->touches, m->touches_n, m->touches_cap,
                   ((struct touch){key, now_ms}));
        if (m->touches_due_ns == 0) {
            m->touches_due_ns = clock_mono_ns() + TOUCH_GATHER_NS;
            (void)pthread_cond_signal(&m->changed);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- the thread ---- */

/* Files whose time is over; what fails is tried again a day later. */
static int64_t tidy(struct maintenance *m)
{
    struct err e = {0};

    if (store_tidy(m->app->store, &e) != RC_OK)
        log_warn("maintain", "%s", e.text);
    return clock_mono_ns() + TIDY_EVERY_NS;
}

struct due {
    bool stop, purge, touches, repair, tidy;
};

static struct due wait_for_due(struct maintenance *m, int64_t again_ns,
                               int64_t tidy_ns)
{
    struct due d = {0};

    (void)pthread_mutex_lock(&m->lock);
    for (;;) {
        int64_t now = clock_mono_ns(), until = INT64_MAX;

        d.stop = m->stopping;
        d.touches = m->touches_due_ns != 0 && now >= m->touches_due_ns;
        d.purge = m->purge || now >= again_ns;
        d.repair = map_count(m->broken) > 0;
        d.tidy = now >= tidy_ns;
        if (d.stop || d.touches || d.purge || d.repair || d.tidy)
            break;
        if (m->touches_due_ns != 0)
            until = m->touches_due_ns;
        if (again_ns < until)
            until = again_ns;
        if (tidy_ns < until)
            until = tidy_ns;
        (void)clock_cond_wait(&m->changed, &m->lock, until);
    }
    m->purge = false;
    (void)pthread_mutex_unlock(&m->lock);
    return d;
}

static void *maintenance_thread(void *arg)
{
    struct maintenance *m = arg;
    int64_t again_ns = purge(m) ? INT64_MAX : clock_mono_ns() + AGAIN_NS;
    int64_t tidy_ns = tidy(m);
    struct due d;

    (void)pthread_setname_np(pthread_self(), "maintain");
    repair_all(m);
    for (d = wait_for_due(m, again_ns, tidy_ns); !d.stop;
         d = wait_for_due(m, again_ns, tidy_ns)) {
        if (d.purge)
            again_ns = purge(m) ? INT64_MAX : clock_mono_ns() + AGAIN_NS;
        if (d.repair)
            repair_told(m);
        if (d.touches)
            touches_write(m);
        if (d.tidy)
            tidy_ns = tidy(m);
    }
    touches_write(m);
    return NULL;
}

rc maintenance_open(struct app *a, struct maintenance **res, struct err *e)
{
    struct maintenance *m = mem_alloc(sizeof *m);
    int sys;

    m->app = a;
    m->touched = map_open();
    m->broken = map_open();
    m->touches_arena = arena_open();
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    clock_cond_init(&m->changed);
    sys = pthread_create(&m->thread, NULL, maintenance_thread, m);
    if (sys != 0) {
        arena_close(m->touches_arena);
        map_close(m->touched);
        map_close(m->broken);
        mem_free(m);
        return err_errno(e, RC_BUSY, sys, "cannot start a thread");
    }
    *res = m;
    return RC_OK;
}

void maintenance_wake(struct maintenance *m)
{
    (void)pthread_mutex_lock(&m->lock);
    m->purge = true;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
}

void maintenance_stop(struct maintenance *m)
{
    (void)pthread_mutex_lock(&m->lock);
    m->stopping = true;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_join(m->thread, NULL);
}

void maintenance_close(struct maintenance *m)
{
    (void)pthread_cond_destroy(&m->changed);
    (void)pthread_mutex_destroy(&m->lock);
    map_close(m->touched);
    map_close(m->broken);
    arena_close(m->touches_arena);
    mem_free(m);
}
