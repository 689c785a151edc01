#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define PASS_NS ((int64_t)1000000000)       /* when nobody asks */
#define PASS_GAP_NS ((int64_t)20 * 1000000) /* between two, at least */
#define IDLE_NS ((int64_t)300 * 1000000000)
#define REST_NS ((int64_t)10 * 1000000000)
#define TELL_AGAIN_NS ((int64_t)60 * 1000000000)
#define NICENESS 10
#define FOLDER_NAMES_MAX 100000

static bool ending(struct engine *g)
{
    return atomic_load(&g->ending);
}

struct drop_write {
    struct write write;
    uuid base;
    const uint64_t *ids;
    size_t n;
};

static rc drop_run(struct write *w, struct db *db, struct err *e)
{
    const struct drop_write *d = (const struct drop_write *)w;
    rc code = RC_OK;

    for (size_t i = 0; i < d->n && code == RC_OK; i++)
        code = db_segment_drop(db, d->base, d->ids[i], e);
    return code;
}

/* Back, for a later pass. */
static void bad_return(struct base *b, const struct drop_write *d)
{
    (void)pthread_mutex_lock(&b->lock);
    b->bad_ns = clock_mono_ns();
    for (size_t i = 0; i < d->n; i++)
        bad_put(b, d->ids[i]);
    (void)pthread_mutex_unlock(&b->lock);
}

/* The rows of lost segments, then their files: what they held is missing
 * whether or not this gets done. */
static void bad_drop(struct engine *g, struct base *b)
{
    char path[SEGMENT_PATH_MAX];
    struct drop_write d = {.write = {.run = drop_run, .frees = true},
                           .base = b->id};
    struct err e = {0};

    (void)pthread_mutex_lock(&b->lock);
    if (b->bad_ns == 0 || clock_mono_ns() - b->bad_ns >= TELL_AGAIN_NS) {
        d.ids = b->bad;
        d.n = b->bad_n;
        b->bad = NULL;
        b->bad_n = 0;
    }
    (void)pthread_mutex_unlock(&b->lock);
    if (d.n > 0 && store_write(g->store, &d.write, &e) != RC_OK) {
        log_warn("engine", "cannot drop lost segments error=\"%s\"", e.text);
        bad_return(b, &d);
    } else {
        for (size_t i = 0; i < d.n; i++) {
            segment_path(g->dir, b->id, d.ids[i], path);
            (void)io_unlink(path);
        }
    }
    mem_free((void *)(uintptr_t)d.ids);
}

static void missing_tell(struct engine *g, struct base *b)
{
    int64_t now_ns = clock_mono_ns();
    bool tell;

    (void)pthread_mutex_lock(&b->lock);
    tell = b->missing != NULL && map_count(b->missing) > 0 &&
           (b->told_ns == 0 || now_ns - b->told_ns >= TELL_AGAIN_NS);
    if (tell)
        b->told_ns = now_ns;
    (void)pthread_mutex_unlock(&b->lock);
    if (tell && g->on_missing != NULL)
        g->on_missing(g->arg, b->id);
}

/* One that is opening is its opener's alone. */
static bool base_is_open(struct base *b)
{
    bool open;

    (void)pthread_mutex_lock(&b->lock);
    open = b->phase == BASE_OPEN;
    (void)pthread_mutex_unlock(&b->lock);
    return open;
}

/* One step of what is due in a base; whether it did something. */
static bool base_keep(struct engine *g, struct base *b, bool now)
{
    struct err e = {0};
    bool did = false;

    if (!base_is_open(b))
        return false;
    bad_drop(g, b);
    missing_tell(g, b);
    if (g->merges && merge_step(g, b, now, &did, &e) != RC_OK && !ending(g))
        log_warn("engine", "%s", e.text);
    if (g->merges && !did && vectors_merge(g, b, &did, &e) != RC_OK &&
        !ending(g))
        log_warn("engine", "%s", e.text);
    return did;
}

/* Whether nobody has used it for a while, and it has not rested since. */
static bool rest_due(struct engine *g, struct base *b)
{
    int64_t now_ns = clock_mono_ns();
    bool due;

    (void)pthread_mutex_lock(&g->lock);
    due = b->users == 1 /* this thread */ && b->rested_ns <= b->used_ns &&
          now_ns - b->used_ns >= REST_NS;
    if (due)
        b->rested_ns = now_ns;
    (void)pthread_mutex_unlock(&g->lock);
    return due;
}

/* Pages of its files that searches have read are given back: what an idle
 * server holds shall not grow with its bases. They stay in the page cache. */
static void base_rest(struct base *b)
{
    struct segment **v;
    size_t n;

    (void)pthread_mutex_lock(&b->lock);
    n = b->segments_n;
    v = mem_alloc((n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = segment_ref(b->segments[i]);
    (void)pthread_mutex_unlock(&b->lock);
    for (size_t i = 0; i < n; i++) {
        seg_rest(v[i]->seg);
        segment_unref(v[i]);
    }
    mem_free(v);
}

/* One at a time is held: the others may be closed meanwhile. */
static bool open_keep(struct engine *g, bool now)
{
    bool did = false;
    size_t n;
    uuid *ids = bases_list(g, &n);

    for (size_t i = 0; i < n && !ending(g); i++) {
        struct base *b = base_hold(g, ids[i]);

        if (b == NULL)
            continue;
        did |= base_keep(g, b, now);
        if (base_is_open(b) && rest_due(g, b))
            base_rest(b);
        base_let_go(g, b);
    }
    mem_free(ids);
    return did;
}

static bool take_one(struct engine *g, struct map *of, uuid *id)
{
    uint64_t value;
    size_t at = 0;
    str key = STR_NONE;
    bool took;

    (void)pthread_mutex_lock(&g->lock);
    took = !ending(g) && map_next(of, &at, &key, &value);
    if (took) {
        *id = uuid_of_key(key);
        (void)map_drop(of, uuid_key(id));
    }
    (void)pthread_mutex_unlock(&g->lock);
    return took;
}

/* Closed bases with something deleted in their files. */
static void later_keep(struct engine *g)
{
    struct base *b;
    uuid id;

    while (g->merges && take_one(g, g->later, &id)) {
        struct err e = {0};
        rc code =
            base_acquire(g, id, NULL, clock_mono_ns() + OPEN_WAIT_NS, &b, &e);

        if (code == RC_OK) {
            while (!ending(g) && base_keep(g, b, true))
                ;
            base_release(g, b);
        } else if (code != RC_NOTFOUND) {
            log_warn("engine", "cannot open for a merge error=\"%s\"", e.text);
        }
    }
}

static void folder_remove(struct engine *g, uuid id)
{
    char dir[SEGMENT_PATH_MAX];
    struct arena *tmp = arena_open();
    str *names;
    size_t n;

    base_dir_path(g->dir, id, dir);
    if (file_list(dir, FOLDER_NAMES_MAX, tmp, &names, &n, NULL) == RC_OK) {
        for (size_t i = 0; i < n; i++)
            (void)io_unlink(
                arena_fmt(tmp, "%s/" STR_FMT, dir, STR_ARG(names[i])).p);
        if (rmdir(dir) != 0 && errno != ENOENT)
            log_warn("engine", "cannot remove path=%s", dir);
    }
    arena_close(tmp);
}

static void pass(struct engine *g, bool now)
{
    uuid id;

    scrub_step(g, now); /* what it finds is kept in the same pass */
    while (open_keep(g, now) && now && !ending(g))
        ;
    later_keep(g);
    while (take_one(g, g->gone, &id)) {
        folder_remove(g, id);
        vectors_remove(g, id);
    }
    bases_close_idle(g, clock_mono_ns() - IDLE_NS);
}

static void *keeper_main(void *arg)
{
    struct engine *g = arg;
    int64_t last_ns = 0;

    (void)pthread_setname_np(pthread_self(), "keeper");
    /* Merging gives way to everything else; if it may not, it still merges. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    (void)pthread_mutex_lock(&g->lock);
    while (!ending(g)) {
        bool now = g->settling > 0;
        int64_t due_ns = now ? 0 : last_ns + (g->asked ? PASS_GAP_NS : PASS_NS);
        uint64_t pass_n;

        if (clock_mono_ns() < due_ns) {
            (void)clock_cond_wait(&g->wake, &g->lock, due_ns);
            continue;
        }
        g->asked = false;
        pass_n = ++g->pass;
        (void)pthread_mutex_unlock(&g->lock);
        pass(g, now);
        last_ns = clock_mono_ns();
        (void)pthread_mutex_lock(&g->lock);
        if (now)
            g->settled_pass = pass_n;
        (void)pthread_cond_broadcast(&g->wake);
    }
    (void)pthread_mutex_unlock(&g->lock);
    scrub_end(g);
    return NULL;
}

rc keeper_start(struct engine *g, struct err *e)
{
    int sys = pthread_create(&g->keeper, NULL, keeper_main, g);

    if (sys != 0)
        return err_errno(e, RC_BUSY, sys, "cannot start a thread");
    g->keeper_runs = true;
    return RC_OK;
}

void keeper_end(struct engine *g)
{
    (void)pthread_mutex_lock(&g->lock);
    atomic_store(&g->ending, true);
    (void)pthread_cond_broadcast(&g->wake);
    (void)pthread_mutex_unlock(&g->lock);
    if (g->keeper_runs)
        (void)pthread_join(g->keeper, NULL);
    g->keeper_runs = false;
}

void keeper_ask(struct engine *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->asked = true;
    (void)pthread_cond_broadcast(&g->wake);
    (void)pthread_mutex_unlock(&g->lock);
}

rc engine_settle(struct engine *g, int64_t until_ns, struct err *e)
{
    rc code = RC_OK;
    uint64_t begun;

    (void)pthread_mutex_lock(&g->lock);
    begun = g->pass; /* a pass under way may have looked away already */
    g->settling++;
    (void)pthread_cond_broadcast(&g->wake);
    while (g->settled_pass <= begun && code == RC_OK)
        if (!clock_cond_wait(&g->wake, &g->lock, until_ns))
            code = err_set(e, RC_TIMEOUT, "merges go on");
    g->settling--;
    (void)pthread_mutex_unlock(&g->lock);
    return code;
}
