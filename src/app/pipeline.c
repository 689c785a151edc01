/*
 * pipeline: worker threads that take queued items and make their documents
 * searchable.
 *
 * A worker leases some items of one base, reads, extracts, cuts and indexes
 * them one after the other into a batch, and ends the batch with one write, a
 * turn: texts, versions, documents, items, logs, events, the segment's row,
 * and a lease. So a document costs no round trip of its own, and a crash
 * leaves an item either untouched or done.
 *
 *   work on   A        B        C
 *   written        A        B        C      (beside the work on the next)
 *   leased    B        C        D           (in the write of the one before)
 */
#include <sys/resource.h>
#include <unistd.h>

#include "app/app_priv.h"
#include "app/task.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

#define LEASE_MAX 512
/* A lease grows while it is worked off faster than this, and shrinks above
 * four times as much: no worker sits on what another could do. */
#define LEASE_MS 400
/* A batch ends at what comes first: each is a segment, so larger ones cost
 * less, and what is in one can be found only when it is written. */
#define BATCH_MS 1000
#define BATCH_TEXT_BYTES (8 * MIB)
#define BATCH_BYTES (32 * MIB)
/* Bodies from here on take long enough for somebody to see that they are being
 * worked on; smaller ones go from pending to their end, but for those of URLs,
 * whose clients wait for each state. */
#define SHOWN_BYTES_MIN (256 * KIB)
/* From this try on an item shares no batch, so that it alone is blamed. */
#define ALONE_ATTEMPTS 3
#define ATTEMPTS_MAX 5
#define BACKOFF_MS 500
#define BACKOFF_MS_MAX 30000
/* After a failed write: until the disk has room again, or a restart. */
#define STALL_MS_MAX 2000
/* When an item is looked at again whose version another worker has. */
#define HELD_MS 20
/* At the end, how long an extraction may go on. */
#define STOP_NS ((int64_t)5 * 1000000000)

struct pipeline {
    struct app *app;
    struct worker *workers;
    size_t workers_n;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards: wakes, idle, live, deferred */
    pthread_cond_t changed;
    uint64_t wakes;
    size_t idle; /* workers that found nothing since the last wake */
    size_t live;
    bool deferred; /* some item was put back since a version was held */
    pthread_mutex_t held_lock; /* guards: held */
    struct map *held; /* versions in work, to the lease that has them */
};

/* A lease that is worked on, one that waits, and one that is written down. */
#define LEASES 3
/* How long a child is kept for the next lease of the same base. */
#define CHILD_IDLE_NS ((int64_t)1 * 1000000000)
/* A lease of so many is worth looking for the one after it meanwhile. */
#define AHEAD_MIN 8

/* Items of one base, leased together. */
struct lease {
    struct arena *arena;
    struct task *tasks;
    size_t n;
    struct base_row base;
    const struct model *model; /* the base's; NULL: by words alone */
    int64_t next_ms; /* when there was none: the next is due; 0: none at all */
    bool deferred;   /* some were put back: their version was held */
    uuid *held;      /* what it holds, done or not */
    size_t held_n;
};

/* The write that ends a batch; and takes the next lease. */
struct turn {
    struct write write;
    struct worker *worker;
    struct lease *of;   /* whose tasks it writes down; NULL: none's */
    struct task *tasks; /* to be written down */
    size_t n;
    struct engine_batch *batch; /* NULL: nothing was indexed */
    struct lease *next;         /* NULL: no lease */
    size_t items_max;           /* of the next */
};

struct worker {
    struct pipeline *pipeline;
    pthread_t thread;
    struct lease leases[LEASES];
    struct lease *now;   /* the one worked on; NULL: none */
    struct lease *ready; /* for after it; NULL: none */
    struct turn turn;    /* under way, if begun; then what it names is its */
    bool begun;
    size_t lease_max;
    struct arena *doc;   /* of one document */
    struct arena *ahead; /* of those that were read ahead; empty between */
    struct extract_session *session; /* of documents of session_base */
    uuid session_base;
    struct rng rng;
    /* counts tokens of embeds' model; NULL: the rule does */
    const struct model *model;
    struct embedder *embedder;
    struct chunk_counter counter;
    uint32_t prefix_tokens; /* that the model puts before each passage */
    /* the batch */
    struct engine_batch *batch;
    size_t first; /* of the lease's tasks, not yet written down */
    size_t docs, text_bytes;
    int64_t began_ns;
};

/* ---- one worker at a time for a version ---- */

/* What two workers read and indexed of one version could become durable in the
 * wrong order: an index of its former text beside the new one. */

/* For l; what `former` has is written down in this very write. */
static bool hold(struct pipeline *p, struct lease *l,
                 const struct lease *former, uuid version)
{
    uint64_t *by;
    bool made, mine;

    (void)pthread_mutex_lock(&p->held_lock);
    by = map_slot(p->held, uuid_key(&version), &made);
    mine = made || *by == (uintptr_t)l ||
           (former != NULL && *by == (uintptr_t)former);
    if (mine) {
        *by = (uintptr_t)l;
        l->held[l->held_n++] = version;
    }
    (void)pthread_mutex_unlock(&p->held_lock);
    return mine;
}

static void lease_let_go(struct pipeline *p, struct lease *l)
{
    (void)pthread_mutex_lock(&p->held_lock);
    for (size_t i = 0; i < l->held_n; i++) {
        const uint64_t *by = map_find(p->held, uuid_key(&l->held[i]));

        if (by != NULL && *by == (uintptr_t)l)
            (void)map_drop(p->held, uuid_key(&l->held[i]));
    }
    (void)pthread_mutex_unlock(&p->held_lock);
    l->held_n = 0;
}

/* Puts back those of the leased items whose version another lease has. */
static rc lease_hold(struct pipeline *p, struct lease *l,
                     const struct lease *former, struct item_row *rows,
                     struct db *db, struct err *e)
{
    size_t n = 0;
    rc code = RC_OK;

    l->held = ARENA_ARRAY(l->arena, uuid, l->n);
    for (size_t i = 0; code == RC_OK && i < l->n; i++) {
        if (hold(p, l, former, rows[i].version)) {
            rows[n++] = rows[i];
            continue;
        }
        rows[i].status = JOB_QUEUED;
        rows[i].attempts--;
        rows[i].run_at_ms = clock_wall_ms() + HELD_MS;
        rows[i].started_ms = 0;
        l->deferred = true;
        code = db_item_update(db, &rows[i], e);
    }
    l->n = n;
    if (l->deferred && n == 0)
        l->next_ms = clock_wall_ms() + HELD_MS;
    return code;
}

/* ---- the write that ends a batch ---- */

/* The rows a task needs, and for large ones the mark that it is worked on. */
static rc task_lease(struct task *t, struct db *db, struct arena *out,
                     struct err *e)
{
    bool there, governs;
    rc code;

    code = maybe(db_version_get(db, t->item.tenant, t->item.base,
                                t->item.version, out, &t->version, e),
                 &there);
    if (code == RC_OK && there)
        code = maybe(db_document_row(db, t->item.tenant, t->item.base,
                                     t->version.document, out, &t->document, e),
                     &there);
    t->gone = !there;
    if (code != RC_OK || t->gone || t->version.state != VERSION_PENDING ||
        (t->version.original.bytes < SHOWN_BYTES_MIN &&
         !str_eq(t->version.source_type, STR("url"))))
        return code;
    t->version.state = VERSION_PROCESSING;
    if ((code = db_version_update(db, &t->version, e)) != RC_OK ||
        !uuid_is_nil(t->document.active_version) ||
        (code = db_document_governed(db, &t->document, t->version.id, &governs,
                                     e)) != RC_OK ||
        !governs)
        return code;
    t->document.state = VERSION_PROCESSING;
    return db_document_update(db, &t->document, e);
}

static rc lease_fill(const struct turn *u, struct db *db, struct err *e)
{
    struct pipeline *p = u->worker->pipeline;
    struct lease *l = u->next;
    struct item_row *rows;
    bool there = true;
    rc code;

    lease_let_go(p, l); /* of a run that was rolled back */
    arena_close(l->arena);
    l->arena = arena_open();
    l->n = 0;
    l->deferred = false;
    code = db_items_lease(db, u->items_max, p->workers_n, clock_wall_ms(),
                          l->arena, &rows, &l->n, &l->next_ms, e);
    if (code == RC_OK)
        code = lease_hold(p, l, u->of, rows, db, e);
    if (code == RC_OK && l->n > 0)
        code = maybe(db_base_get(db, rows[0].tenant, rows[0].base, l->arena,
                                 &l->base, e),
                     &there);
    if (!there) { /* deleted: its items are being purged */
        l->n = 0;
        l->next_ms = clock_wall_ms();
    }
    l->model = l->n > 0 ? models_find(p->app, l->base.embedding_model) : NULL;
    l->tasks = ARENA_ARRAY(l->arena, struct task, l->n);
    for (size_t i = 0; code == RC_OK && i < l->n; i++) {
        l->tasks[i].item = rows[i];
        l->tasks[i].base = &l->base;
        l->tasks[i].refines = l->model != NULL;
        code = task_lease(&l->tasks[i], db, l->arena, e);
    }
    if (code != RC_OK)
        l->n = 0;
    return code;
}

static rc tasks_finish(struct turn *u, struct db *db, struct err *e)
{
    struct app *a = u->worker->pipeline->app;
    struct arena *tmp = arena_open();
    struct arena_mark empty = arena_mark(tmp);
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < u->n; i++) {
        if (u->batch != NULL)
            u->tasks[i].segment = engine_batch_segment(u->batch);
        code = task_finish(a, db, &u->tasks[i], tmp, e);
        arena_rewind(tmp, empty);
    }
    arena_close(tmp);
    return code;
}

/* Its base has a model that was not there. */
static bool lacks_model(const struct lease *l)
{
    return l->model == NULL && !str_eq(l->base.embedding_model, MODEL_NONE);
}

static rc turn_run(struct write *w, struct db *db, struct err *e)
{
    struct turn *u = (struct turn *)w;
    bool there = u->n > 0;
    uuid base;
    rc code = RC_OK;

    if (u->n > 0)
        code = maybe(db_object_find(db, u->tasks[0].item.tenant, OBJECT_BASE,
                                    u->tasks[0].item.base, &base, e),
                     &there);
    /* Of a base that was deleted meanwhile nothing is written down. */
    if (code == RC_OK && there)
        code = tasks_finish(u, db, e);
    if (code == RC_OK && there && u->batch != NULL)
        code = engine_batch_commit(u->batch, db, e);
    if (code == RC_OK && there && u->batch != NULL && lacks_model(u->of))
        code = db_base_keys_due(db, u->of->base.id, true, e);
    if (code == RC_OK && u->next != NULL)
        code = lease_fill(u, db, e);
    return code;
}

/* What was put back is still to be done: no worker that finds nothing else is
 * at rest before that. */
static void note_deferred(struct pipeline *p, const struct lease *l)
{
    bool soon = l->next_ms != 0 && l->next_ms <= clock_wall_ms() + HELD_MS;

    (void)pthread_mutex_lock(&p->lock);
    if (l->deferred)
        p->deferred = true;
    else if (l->n == 0 && !soon)
        p->deferred = false;
    (void)pthread_mutex_unlock(&p->lock);
}

static rc turn_begin(struct worker *w, struct turn *u, bool frees,
                     struct err *e)
{
    u->worker = w;
    u->items_max = w->lease_max;
    u->write.run = turn_run;
    u->write.frees = frees;
    u->write.late = true;
    return store_write_begin(w->pipeline->app->store, &u->write, e);
}

/* What follows from how it ended. */
static void turn_ended(struct worker *w, struct turn *u, rc code)
{
    struct app *a = w->pipeline->app;

    if (code != RC_OK && u->next != NULL) {
        lease_let_go(w->pipeline, u->next);
        u->next->n = 0;
    }
    if (code == RC_OK && u->next != NULL)
        note_deferred(w->pipeline, u->next);
    for (size_t i = 0; code == RC_OK && i < u->n; i++)
        task_count(a, &u->tasks[i]);
    if (code == RC_OK && u->n > 0 && u->tasks[0].refines)
        refiner_note(a, u->tasks[0].item.base);
    app_wake(a);
}

static rc turn_write(struct worker *w, struct turn *u, bool frees,
                     struct err *e)
{
    rc code = turn_begin(w, u, frees, e);

    if (code == RC_OK)
        code = store_write_end(&u->write, e);
    turn_ended(w, u, code);
    return code;
}

/* ---- waiting ---- */

static uint64_t wakes_now(struct pipeline *p)
{
    uint64_t n;

    (void)pthread_mutex_lock(&p->lock);
    n = p->wakes;
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}

/* Until something was queued since `seen`, the time comes, or the end. */
static void wait_for_work(struct pipeline *p, uint64_t seen, int64_t until_ns)
{
    bool in_time = true;

    (void)pthread_mutex_lock(&p->lock);
    if (p->wakes == seen && ++p->idle == p->workers_n)
        (void)pthread_cond_broadcast(&p->changed);
    while (in_time && p->wakes == seen && !atomic_load(&p->stopping))
        in_time = clock_cond_wait(&p->changed, &p->lock, until_ns);
    if (p->wakes == seen)
        p->idle--;
    (void)pthread_mutex_unlock(&p->lock);
}

static int64_t due_ns(int64_t next_ms)
{
    if (next_ms == 0)
        return INT64_MAX;
    return clock_mono_ns() + (next_ms - clock_wall_ms()) * 1000000;
}

/* Waits longer each time, up to the bound; false: stop trying. */
static bool stall(struct worker *w, unsigned *tries)
{
    struct pipeline *p = w->pipeline;
    int64_t ms = (int64_t)50 << (*tries < 8 ? *tries : 8);

    if (ms > STALL_MS_MAX)
        ms = STALL_MS_MAX;
    (*tries)++;
    wait_for_work(p, wakes_now(p), clock_mono_ns() + ms * 1000000);
    return !atomic_load(&p->stopping);
}

/* ---- batches ---- */

/* Trouble of the server's own, not of the item: no try is counted for it. */
static bool blameless(rc code)
{
    return code == RC_NOSPACE || code == RC_BUSY || code == RC_CANCELLED;
}

static void task_again(struct worker *w, struct lease *l, struct task *t,
                       rc code, const struct err *e)
{
    uint32_t tries = t->item.attempts < 7 ? t->item.attempts : 7;
    uint64_t most = (uint64_t)BACKOFF_MS << tries;

    if (most > BACKOFF_MS_MAX)
        most = BACKOFF_MS_MAX;
    t->fate = FATE_AGAIN;
    t->retry_ms = (int64_t)(most / 2 + rng_below(&w->rng, most / 2));
    t->blameless = blameless(code);
    if (code == RC_CANCELLED)
        t->retry_ms = 0;
    if (!t->blameless && t->item.attempts >= ATTEMPTS_MAX)
        task_gave_up(t, e->text, l->arena);
}

/* The batch didn't become durable: its documents are done another time. */
static void batch_failed(struct worker *w, struct turn *u, rc code,
                         const struct err *e)
{
    log_warn("pipeline", "items are put back n=%zu reason=%s: %s", u->n,
             rc_name(code), e->text);
    for (size_t i = 0; i < u->n; i++)
        if (u->tasks[i].fate == FATE_DONE)
            task_again(w, u->of, &u->tasks[i], code, e);
    engine_batch_close(u->batch);
    u->batch = NULL;
}

/* Tasks [first, end) of the lease and the batch they are in, as a turn. */
static struct turn batch_take(struct worker *w, size_t end)
{
    struct turn u = {.of = w->now,
                     .tasks = w->now->tasks + w->first,
                     .n = end - w->first,
                     .batch = w->batch};
    struct err e = {0};
    rc code = RC_OK;

    if (w->docs > 0)
        code = engine_batch_write(u.batch, &e);
    if (code != RC_OK)
        batch_failed(w, &u, code, &e);
    if (w->docs == 0) {
        engine_batch_close(u.batch);
        u.batch = NULL;
    }
    w->batch = NULL;
    w->docs = w->text_bytes = 0;
    w->first = end;
    return u;
}

/* Until what became of the tasks is written down. */
static void turn_settle(struct worker *w, struct turn *u, rc code,
                        struct err *e)
{
    unsigned tries = 0;

    if (code != RC_OK)
        batch_failed(w, u, code, e);
    /* Only the outcomes are left to write down: that takes no new space. */
    u->next = NULL;
    while (code != RC_OK && stall(w, &tries))
        code = turn_write(w, u, true, e);
    for (size_t i = 0; i < u->n; i++)
        task_close(&u->tasks[i]);
    engine_batch_close(u->batch);
}

/* Waits for the turn under way, if there is one: its tasks are settled, their
 * lease is free, and the one it took is ready. */
static void turn_await(struct worker *w)
{
    struct turn *u = &w->turn;
    struct lease *next = u->next;
    struct err e = {0};
    rc code;

    if (!w->begun)
        return;
    ASSERT(next != NULL); /* turn_go's */
    w->begun = false;
    code = store_write_end(&u->write, &e);
    turn_ended(w, u, code);
    if (next->n > 0)
        w->ready = next;
    if (u->of == NULL)
        return;
    turn_settle(w, u, code, &e);
    lease_let_go(w->pipeline, u->of);
    u->of->n = 0;
}

static struct lease *free_lease(struct worker *w)
{
    for (size_t i = 0; i < LEASES; i++) {
        struct lease *l = &w->leases[i];

        if (l != w->now && l != w->ready)
            return l;
    }
    ASSERT(false);
    return NULL;
}

/* Goes on while the turn is written; what it takes is ready after that. */
static void turn_go(struct worker *w, struct turn u)
{
    struct err e = {0};
    rc code;

    ASSERT(!w->begun);
    w->turn = u;
    w->turn.next = free_lease(w);
    code = turn_begin(w, &w->turn, false, &e);
    w->begun = code == RC_OK;
    if (w->begun)
        return;
    turn_ended(w, &w->turn, code);
    if (u.of == NULL)
        return;
    turn_settle(w, &w->turn, code, &e);
    lease_let_go(w->pipeline, u.of);
    u.of->n = 0;
}

/* Writes down tasks [first, end) in the middle of a lease. */
static void batch_end(struct worker *w, size_t end)
{
    struct turn u = batch_take(w, end);
    struct err e = {0};
    rc code;

    turn_await(w); /* what was read first is written down first */
    code = turn_write(w, &u, false, &e);
    turn_settle(w, &u, code, &e);
}

static bool batch_is_full(const struct worker *w)
{
    return w->docs > 0 &&
           (clock_mono_ns() - w->began_ns > (int64_t)BATCH_MS * 1000000 ||
            w->text_bytes >= BATCH_TEXT_BYTES ||
            engine_batch_bytes(w->batch) >= BATCH_BYTES);
}

/* A segment has a version once: one that is queued twice, as new and for its
 * new title, goes into two. */
static bool batch_holds(const struct worker *w, size_t i)
{
    const struct task *v = w->now->tasks;

    for (size_t k = w->first; k < i; k++)
        if (uuid_eq(v[k].version.id, v[i].version.id))
            return true;
    return false;
}

/* Indexes what task i became; the batch before it may have to end first. */
static rc batch_add(struct worker *w, size_t i, const struct task_text *text,
                    struct err *e)
{
    struct lease *l = w->now;
    struct task *t = &l->tasks[i];
    rc code;

    if (w->docs > 0 && (w->text_bytes + text->doc.text.n > BATCH_TEXT_BYTES ||
                        batch_holds(w, i)))
        batch_end(w, i);
    if (w->batch == NULL) {
        w->began_ns = clock_mono_ns();
        if ((code = engine_batch_open(w->pipeline->app->engine, t->item.base,
                                      &w->batch, e)) != RC_OK)
            return code;
        if (l->model != NULL)
            engine_batch_keyed(w->batch, &model_info(l->model)->identity);
    }
    if ((code = task_index(t, w->batch, text, l->arena, e)) != RC_OK)
        return code;
    w->docs++;
    w->text_bytes += text->doc.text.n;
    return RC_OK;
}

/* What counts tokens as the lease's model does. */
static rc counter_take(struct worker *w, const struct model *m, struct err *e)
{
    rc code;

    if (m == NULL || w->model == m)
        return RC_OK;
    embedder_close(w->embedder);
    w->model = NULL;
    w->embedder = NULL;
    code = embedder_open(m, &w->embedder, e);
    if (code != RC_OK)
        return code;
    w->model = m;
    w->counter = embedder_counter(w->embedder);
    w->prefix_tokens =
        embedder_tokens(w->embedder, model_info(m)->passage_prefix);
    return RC_OK;
}

/* As the base says, and never more than its model reads. */
static uint32_t tokens_max(const struct worker *w, const struct lease *l)
{
    uint32_t most = l->base.chunk_size;

    if (l->model == NULL)
        return most;
    if (most > model_info(l->model)->tokens_max)
        most = model_info(l->model)->tokens_max;
    return most < CHUNK_TOKENS_MIN + w->prefix_tokens ? CHUNK_TOKENS_MIN
                                                      : most - w->prefix_tokens;
}

static rc text_read(struct worker *w, struct task *t, struct task_text *text,
                    struct err *e)
{
    struct lease *l = w->now;
    rc code = counter_take(w, l->model, e);

    if (code != RC_OK)
        return code;
    t->tokens_max = tokens_max(w, l);
    return task_read(w->pipeline->app, t, w->session,
                     l->model == NULL ? NULL : &w->counter, w->doc, l->arena,
                     text, e);
}

static void task_run(struct worker *w, size_t i)
{
    struct lease *l = w->now;
    struct arena_mark mark = arena_mark(w->doc);
    struct task *t = &l->tasks[i];
    struct task_text text;
    struct err e = {0};
    rc code;

    if (t->gone)
        task_failed(t, "it was deleted before it was indexed");
    else if (t->item.attempts > ATTEMPTS_MAX)
        task_gave_up(t, "the server ended while it was worked on", l->arena);
    else if ((code = text_read(w, t, &text, &e)) != RC_OK ||
             (t->fate == FATE_DONE &&
              (code = batch_add(w, i, &text, &e)) != RC_OK))
        task_again(w, l, t, code, &e);
    arena_rewind(w->doc, mark);
}

/* Faster leases grow, slower ones shrink. */
static void lease_fit(struct worker *w, int64_t began_ns)
{
    int64_t ms = (clock_mono_ns() - began_ns) / 1000000;

    if (ms < LEASE_MS && w->lease_max < LEASE_MAX)
        w->lease_max *= 2;
    else if (ms > (int64_t)4 * LEASE_MS && w->lease_max > 1)
        w->lease_max /= 2;
}

/* Tasks from the first on that share a child; how many were looked at, at
 * least that one. */
static size_t read_ahead(struct worker *w, struct lease *l, size_t first)
{
    size_t end = first;

    while (end < l->n && l->tasks[end].item.attempts < ALONE_ATTEMPTS)
        end++;
    return tasks_ahead(w->pipeline->app, l->tasks + first, end - first,
                       w->session, w->ahead);
}

static void lease_work(struct worker *w)
{
    struct lease *l = w->now;
    struct pipeline *p = w->pipeline;
    const struct arena_mark empty = arena_mark(w->ahead);
    int64_t began = clock_mono_ns();
    size_t i, ahead = 0;

    if (!uuid_eq(l->base.id, w->session_base))
        extract_session_rest(w->session);
    w->session_base = l->base.id;
    w->first = 0;
    for (i = 0; i < l->n && !atomic_load(&p->stopping); i++) {
        bool alone = l->tasks[i].item.attempts >= ALONE_ATTEMPTS;

        if (i > w->first && (alone || batch_is_full(w)))
            batch_end(w, i);
        if (i == ahead) { /* what was read ahead is done */
            arena_rewind(w->ahead, empty);
            ahead += alone ? 1 : read_ahead(w, l, i);
        }
        task_run(w, i);
        if (alone && i + 1 < l->n)
            batch_end(w, i + 1);
    }
    for (size_t k = i; k < l->n; k++)
        task_again(w, l, &l->tasks[k], RC_CANCELLED, NULL);
    arena_rewind(w->ahead, empty);
    lease_fit(w, began);
}

/* Works a lease off. The one before it is written down meanwhile, and the one
 * after it looked for. */
static void lease_do(struct worker *w, struct lease *l)
{
    struct turn u;

    w->now = l;
    if (!w->begun && w->ready == NULL && l->n >= AHEAD_MIN &&
        !atomic_load(&w->pipeline->stopping))
        turn_go(w, (struct turn){0});
    lease_work(w);
    u = batch_take(w, l->n);
    turn_await(w);
    if (atomic_load(&w->pipeline->stopping)) {
        struct err e = {0};
        rc code = turn_write(w, &u, false, &e);

        turn_settle(w, &u, code, &e);
        lease_let_go(w->pipeline, l);
        l->n = 0;
    } else {
        turn_go(w, u);
    }
    w->now = NULL;
}

/* Waits for work; the child waits with it for a while, as more often comes. */
static void idle(struct worker *w, uint64_t seen, int64_t until_ns)
{
    struct pipeline *p = w->pipeline;
    int64_t rest_ns = clock_mono_ns() + CHILD_IDLE_NS;

    if (rest_ns < until_ns)
        wait_for_work(p, seen, rest_ns);
    if (wakes_now(p) != seen || atomic_load(&p->stopping))
        return;
    extract_session_rest(w->session);
    wait_for_work(p, seen, until_ns);
}

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    struct pipeline *p = w->pipeline;
    unsigned tries = 0;

    (void)pthread_setname_np(pthread_self(), "worker");
    /* Whoever waits for an answer goes first. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), READING_NICENESS);
    (void)wakes_now(p); /* until all are started */
    while (!atomic_load(&p->stopping)) {
        uint64_t seen = wakes_now(p); /* before looking: none is missed */
        struct turn u = {.next = &w->leases[0]};
        struct err e = {0};

        if (w->ready == NULL)
            turn_await(w);
        if (w->ready != NULL) {
            struct lease *l = w->ready;

            w->ready = NULL;
            lease_do(w, l);
            continue;
        }
        if (turn_write(w, &u, false, &e) != RC_OK) {
            (void)stall(w, &tries);
            continue;
        }
        tries = 0;
        if (u.next->n > 0) {
            w->ready = u.next;
            continue;
        }
        idle(w, seen, due_ns(u.next->next_ms));
    }
    turn_await(w);
    if (w->ready != NULL) /* is put back */
        lease_do(w, w->ready);
    (void)pthread_mutex_lock(&p->lock);
    p->live--;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- start and end ---- */

static rc worker_start(struct pipeline *p, struct worker *w, uint64_t number,
                       struct err *e)
{
    int sys;

    w->pipeline = p;
    w->lease_max = 1;
    w->doc = arena_open();
    w->ahead = arena_open();
    w->session = extract_session_open(p->app->extractor);
    w->rng = rng_seeded((uint64_t)clock_mono_ns() + number);
    sys = pthread_create(&w->thread, NULL, worker_thread, w);
    if (sys != 0) {
        arena_close(w->doc);
        arena_close(w->ahead);
        extract_session_close(w->session);
        return err_errno(e, RC_BUSY, sys, "cannot start a thread");
    }
    p->workers_n++;
    p->live++;
    return RC_OK;
}

rc pipeline_open(struct app *a, unsigned workers, struct pipeline **res,
                 struct err *e)
{
    struct pipeline *p = mem_alloc(sizeof *p);
    rc code = RC_OK;

    p->app = a;
    p->workers = mem_alloc(workers * sizeof *p->workers);
    p->held = map_open();
    ASSERT(pthread_mutex_init(&p->lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&p->held_lock, NULL) == 0);
    clock_cond_init(&p->changed);
    *res = p;
    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; code == RC_OK && i < workers; i++)
        code = worker_start(p, &p->workers[i], i, e);
    (void)pthread_mutex_unlock(&p->lock);
    return code;
}

void pipeline_wake(struct pipeline *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->wakes++;
    p->idle = 0;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

bool pipeline_settle(struct pipeline *p, int64_t until_ns)
{
    bool in_time = true;

    (void)pthread_mutex_lock(&p->lock);
    while (in_time && (p->idle < p->workers_n || p->deferred))
        in_time = clock_cond_wait(&p->changed, &p->lock, until_ns);
    (void)pthread_mutex_unlock(&p->lock);
    return in_time;
}

void pipeline_stop(struct pipeline *p)
{
    int64_t until = clock_mono_ns() + STOP_NS;
    bool in_time = true;

    (void)pthread_mutex_lock(&p->lock);
    atomic_store(&p->stopping, true);
    (void)pthread_cond_broadcast(&p->changed);
    while (in_time && p->live > 0)
        in_time = clock_cond_wait(&p->changed, &p->lock, until);
    (void)pthread_mutex_unlock(&p->lock);
    if (!in_time)
        extract_cancel(p->app->extractor);
    for (size_t i = 0; i < p->workers_n; i++) {
        (void)pthread_join(p->workers[i].thread, NULL);
        arena_close(p->workers[i].doc);
        arena_close(p->workers[i].ahead);
        extract_session_close(p->workers[i].session);
        embedder_close(p->workers[i].embedder);
        for (size_t k = 0; k < LEASES; k++)
            arena_close(p->workers[i].leases[k].arena);
    }
    p->workers_n = 0;
}

void pipeline_close(struct pipeline *p)
{
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->held_lock);
    map_close(p->held);
    mem_free(p->workers);
    mem_free(p);
}
