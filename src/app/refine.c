/*
 * refine: threads that give vectors to what is found by words already. One a
 * core the server may use, behind everything that somebody waits for; each
 * takes some rows of a base, embeds them and has the file searched, so they
 * never wait for each other. A document's item is completed when the last of
 * its rows has a vector; which do is asked of the index, so a crash leaves
 * nothing to be mended.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "app/app_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

/* What one file of vectors holds at most while many wait: about a second or
 * two of work, which is what a crash repeats. */
#define ROWS_AT_ONCE 128
#define ITEMS_AT_ONCE 4096
/* After trouble of the server's own. */
#define AGAIN_NS ((int64_t)2 * 1000000000)

struct refiner {
    struct app *app;
    pthread_t *threads;
    size_t threads_n;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct map *bases; /* to look at; the value counts how often it was told */
    size_t cursor;     /* where in them the next look begins */
};

/* ---- what is to be done ---- */

void refiner_note(struct app *a, uuid base)
{
    struct refiner *r = a->refiner;

    if (r == NULL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    ++*map_slot(r->bases, uuid_key(&base), NULL);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

typedef rc bases_fn(struct db *db, struct arena *out, uuid **v, size_t *n,
                    struct err *e);

static void look_at(struct app *a, struct db *db, bases_fn *bases)
{
    struct arena *tmp = arena_open();
    uuid *ids = NULL;
    size_t n = 0;

    if (bases(db, tmp, &ids, &n, NULL) != RC_OK)
        n = 0; /* they are looked at when they are next used */
    for (size_t i = 0; i < n; i++)
        refiner_note(a, ids[i]);
    arena_close(tmp);
}

void refiner_look(struct app *a)
{
    struct db *db;

    if (store_read_begin(a->store, &db, NULL) != RC_OK)
        return;
    look_at(a, db, db_bases_refining);
    look_at(a, db, db_bases_keys_due);
    store_read_end(db);
}

/* The next base and how often it was told of, in turns. */
static bool base_next(struct refiner *r, uuid *base, uint64_t *told)
{
    str key;

    if (map_count(r->bases) == 0)
        return false;
    if (!map_next(r->bases, &r->cursor, &key, told)) {
        r->cursor = 0;
        if (!map_next(r->bases, &r->cursor, &key, told))
            return false;
    }
    *base = uuid_of_key(key);
    return true;
}

/* Nothing is left of it, unless it was told of again meanwhile. */
static void base_done(struct refiner *r, uuid base, uint64_t told)
{
    const uint64_t *now;

    (void)pthread_mutex_lock(&r->lock);
    now = map_find(r->bases, uuid_key(&base));
    if (now != NULL && *now == told)
        (void)map_drop(r->bases, uuid_key(&base));
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- items that are whole ---- */

struct sweep {
    struct write write;
    struct item_row *items;
    size_t n;
};

static rc sweep_run(struct write *w, struct db *db, struct err *e)
{
    const struct sweep *s = (const struct sweep *)w;
    int64_t now = clock_wall_ms();
    rc code = RC_OK;

    for (size_t i = 0; i < s->n && code == RC_OK; i++)
        code = db_item_refined(db, &s->items[i], now, e);
    return code;
}

/* Whether what was deleted waits for nothing any more. */
static rc there(struct db *db, const struct item_row *i, struct arena *tmp,
                bool *is, struct err *e)
{
    struct version_row v;

    return maybe(db_version_get(db, i->tenant, i->base, i->version, tmp, &v, e),
                 is);
}

/* Of the items of the base that wait, those whose version is whole; m NULL: all
 * of them, as no vectors will come. */
static rc sweep_find(struct app *a, uuid base, const struct model_info *m,
                     struct arena *tmp, struct sweep *s, struct err *e)
{
    struct item_row *v;
    struct db *db;
    uuid *versions;
    bool *whole;
    size_t n;
    rc code = store_read_begin(a->store, &db, e);

    if (code != RC_OK)
        return code;
    code = db_items_refining(db, base, ITEMS_AT_ONCE, tmp, &v, &n, e);
    versions = ARENA_ARRAY(tmp, uuid, n);
    whole = ARENA_ARRAY(tmp, bool, n);
    for (size_t i = 0; i < n && code == RC_OK; i++)
        versions[i] = v[i].version;
    if (code == RC_OK && n > 0 && m != NULL)
        code = engine_whole(a->engine, base, m, versions, n, whole, e);
    s->items = v;
    s->n = 0;
    for (size_t i = 0; i < n && code == RC_OK; i++) {
        bool is = true;

        if (m != NULL && !whole[i])
            code = there(db, &v[i], tmp, &is, e);
        if (m == NULL || whole[i] || !is)
            s->items[s->n++] = v[i];
    }
    store_read_end(db);
    return code;
}

static rc sweep(struct app *a, uuid base, const struct model_info *m,
                struct err *e)
{
    struct sweep s = {.write = {.run = sweep_run, .frees = true}};
    struct arena *tmp = arena_open();
    rc code = sweep_find(a, base, m, tmp, &s, e);

    if (code == RC_OK && s.n > 0)
        code = store_write(a->store, &s.write, e);
    arena_close(tmp);
    return code;
}

/* ---- rows without keys ---- */

struct keying {
    struct write write;
    struct app *app;
    uuid base;
    const uuid *versions;
    size_t n;
};

static rc keying_run(struct write *w, struct db *db, struct err *e)
{
    const struct keying *k = (const struct keying *)w;
    uuid tenant;
    rc code = db_base_tenant(db, k->base, &tenant, e);

    if (code == RC_OK && k->n > 0)
        code = reindex_add(k->app, db, tenant, k->base, STR("vectors"),
                           k->versions, k->n, NULL, e);
    return code == RC_OK ? db_base_keys_due(db, k->base, false, e) : code;
}

/* Has what was indexed without the model indexed again. */
static rc keys_make(struct app *a, uuid base, const struct model_info *m,
                    struct err *e)
{
    struct keying k = {.write = {.run = keying_run}, .app = a, .base = base};
    struct arena *tmp = arena_open();
    uuid *due = NULL, *versions = NULL;
    struct db *db;
    size_t n = 0;
    bool is_due = false;
    rc code = store_read_begin(a->store, &db, e);

    if (code == RC_OK) {
        code = db_bases_keys_due(db, tmp, &due, &n, e);
        store_read_end(db);
    }
    for (size_t i = 0; code == RC_OK && i < n; i++)
        is_due = is_due || uuid_eq(due[i], base);
    if (code == RC_OK && is_due)
        code = engine_unkeyed(a->engine, base, m, tmp, &versions, &k.n, e);
    k.versions = versions;
    if (code == RC_OK && is_due)
        code = store_write(a->store, &k.write, e);
    arena_close(tmp);
    if (code == RC_OK && is_due)
        app_wake(a);
    return code;
}

/* ---- one step ---- */

/* A thread's embedder, of the model it used last. */
struct hand {
    const struct model *model;
    struct embedder *x;
};

static rc hand_take(struct hand *h, const struct model *m, struct err *e)
{
    rc code;

    if (h->model == m)
        return RC_OK;
    embedder_close(h->x);
    h->model = NULL;
    h->x = NULL;
    code = embedder_open(m, &h->x, e);
    if (code == RC_OK)
        h->model = m;
    return code;
}

/* The base's model; NULL: it has none, or it is not installed. */
static rc model_of_base(struct app *a, uuid base, const struct model **m,
                        struct err *e)
{
    struct arena *tmp;
    struct base_row row;
    struct db *db;
    uuid tenant;
    rc code = store_read_begin(a->store, &db, e);

    *m = NULL;
    if (code != RC_OK)
        return code;
    tmp = arena_open();
    code = db_base_tenant(db, base, &tenant, e);
    if (code == RC_OK)
        code = db_base_get(db, tenant, base, tmp, &row, e);
    if (code == RC_OK)
        *m = models_find(a, row.embedding_model);
    arena_close(tmp);
    store_read_end(db);
    return code;
}

/* *more: it is worth coming back at once. */
static rc step(struct refiner *r, struct hand *h, uuid base, bool *more,
               struct err *e)
{
    struct app *a = r->app;
    struct engine_refined done = {0};
    const struct model *m;
    rc code = model_of_base(a, base, &m, e);

    *more = false;
    if (code == RC_OK && m != NULL)
        code = keys_make(a, base, model_info(m), e);
    if (code == RC_OK && m != NULL)
        code = hand_take(h, m, e);
    if (code == RC_OK && m != NULL)
        code = engine_refine(a->engine, base, model_info(m), h->x, ROWS_AT_ONCE,
                             &r->stopping, &done, e);
    if (code == RC_OK)
        code = sweep(a, base, m == NULL ? NULL : model_info(m), e);
    atomic_fetch_add(&a->count.rows_refined, done.rows);
    *more = code == RC_OK && (done.rows > 0 || done.left > 0);
    return code == RC_NOTFOUND ? RC_OK : code; /* the base was deleted */
}

static void *refiner_thread(void *arg)
{
    struct refiner *r = arg;
    struct hand h = {0};

    (void)pthread_setname_np(pthread_self(), "refiner");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), REFINING_NICENESS);
    (void)pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->stopping)) {
        uint64_t told;
        uuid base;
        bool more;
        struct err e = {0};
        rc code;

        if (!base_next(r, &base, &told)) {
            (void)clock_cond_wait(&r->changed, &r->lock, INT64_MAX);
            continue;
        }
        (void)pthread_mutex_unlock(&r->lock);
        code = step(r, &h, base, &more, &e);
        if (code == RC_OK && !more)
            base_done(r, base, told);
        if (code != RC_OK && !atomic_load(&r->stopping))
            log_warn("refiner", "vectors have to wait: %s", e.text);
        (void)pthread_mutex_lock(&r->lock);
        if (code != RC_OK && !atomic_load(&r->stopping))
            (void)clock_cond_wait(&r->changed, &r->lock,
                                  clock_mono_ns() + AGAIN_NS);
    }
    (void)pthread_mutex_unlock(&r->lock);
    embedder_close(h.x);
    return NULL;
}

/* ---- start and end ---- */

rc refiner_open(struct app *a, unsigned threads, struct err *e)
{
    struct refiner *r = mem_alloc(sizeof *r);

    r->app = a;
    r->bases = map_open();
    r->threads = mem_alloc(threads * sizeof *r->threads);
    ASSERT(pthread_mutex_init(&r->lock, NULL) == 0);
    clock_cond_init(&r->changed);
    a->refiner = r;
    for (unsigned i = 0; i < threads; i++) {
        int sys = pthread_create(&r->threads[i], NULL, refiner_thread, r);

        if (sys != 0)
            return err_errno(e, RC_BUSY, sys, "cannot start a thread");
        r->threads_n++;
    }
    refiner_look(a);
    return RC_OK;
}

void refiner_stop(struct app *a)
{
    struct refiner *r = a->refiner;

    if (r == NULL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    atomic_store(&r->stopping, true);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->threads_n; i++)
        (void)pthread_join(r->threads[i], NULL);
    r->threads_n = 0;
}

void refiner_close(struct app *a)
{
    struct refiner *r = a->refiner;

    if (r == NULL)
        return;
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    map_close(r->bases);
    mem_free(r->threads);
    mem_free(r);
}
