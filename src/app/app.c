#include "app/app.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/app_priv.h"
#include "app/web_priv.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/sandbox.h"

/* ---- start and end ---- */

/* What a dead process had in hand is queued again. */
static rc unlease_run(struct write *w, struct db *db, struct err *e)
{
    uint64_t n;

    (void)w;
    return db_items_unlease(db, &n, e);
}

/* Told before the maintenance runs, the engine tells it again. */
static void on_missing(void *arg, uuid base)
{
    struct app *a = arg;

    if (a->maintenance != NULL)
        maintenance_repair(a->maintenance, base);
}

/* Before the refiner is there nobody asks for vectors. */
static void on_lacking(void *arg, uuid base)
{
    refiner_note(arg, base);
}

/* Says at the start what walls the readers of documents in. */
static void sandbox_told(struct extractor *x, bool allowed)
{
    unsigned walls = extract_walls(x);
    bool safe = (walls & SANDBOX_NEEDED) == SANDBOX_NEEDED;

    for (size_t i = 0; i < SANDBOX_WALLS_MAX; i++) {
        if ((walls & 1u << i) == 0)
            log_warn("extract", "sandbox without=%s", SANDBOX_WALL_NAMES[i]);
    }
    if (allowed)
        extract_unsandboxed_allow(x);
    if (safe)
        log_info("extract", "documents are read in a sandbox");
    else if (allowed)
        log_warn("extract", "documents are read without a sandbox, as "
                            "--allow-unsandboxed says");
    else
        log_error("extract", "no document is read: seccomp or Landlock is "
                             "missing (knowd doctor); --allow-unsandboxed "
                             "reads them all the same");
}

rc app_sandbox_examine(struct arena *out, struct app_sandbox *s, struct err *e)
{
    struct extract_program *list;
    struct extractor *x;
    rc code = extract_start(&x, e);

    *s = (struct app_sandbox){0};
    if (code != RC_OK)
        return code;
    s->walls = extract_walls(x);
    extract_unsandboxed_allow(x); /* what it starts are programs that say who
                                     they are */
    code = extract_programs(x, out, &list, &s->programs_n, e);
    s->programs = ARENA_ARRAY(out, struct app_program, s->programs_n);
    for (size_t i = 0; code == RC_OK && i < s->programs_n; i++)
        s->programs[i] = (struct app_program){list[i].name, list[i].package,
                                              list[i].version};
    extract_stop(x);
    return code;
}

static rc rooms_open(struct app *a, const struct app_opts *o, struct arena *out,
                     str *made_key, struct err *e)
{
    struct store_opts so = {.dir = o->dir, .group_max = o->group_max};
    struct engine_opts eo = {.merges = true,
                             .on_missing = on_missing,
                             .on_lacking = on_lacking,
                             .arg = a};
    struct write unlease = {.run = unlease_run, .frees = true};
    char models[PATH_MAX];
    unsigned workers = o->workers > 0 ? o->workers : cores_allowed();
    struct maintenance *maintenance;
    struct pipeline *pipeline = NULL;
    rc code;

    /* The zygote is forked before anything below starts a thread. */
    code = o->child_work == NULL
               ? extract_start(&a->extractor, e)
               : extract_start_with(o->child_work, &a->extractor, e);
    if (code == RC_OK)
        sandbox_told(a->extractor, o->unsandboxed_allowed);
    if (code != RC_OK || (code = store_open(&so, &a->store, e)) != RC_OK)
        return code;
    extract_ocr_set(a->extractor,
                    &(struct extract_ocr){.off = o->ocr_off,
                                          .pages_max = o->ocr_pages_max});
    eo.store = a->store;
    (void)snprintf(models, sizeof models, "%s/model", o->dir);
    if ((code = models_open(a,
                            o->models_off          ? NULL
                            : o->model_dir != NULL ? o->model_dir
                                                   : models,
                            o->model_dir != NULL, e)) != RC_OK ||
        (code = query_vectors_open(a, e)) != RC_OK)
        return code;
    if ((code = engine_open(&eo, &a->engine, e)) != RC_OK ||
        (code = store_write(a->store, &unlease, e)) != RC_OK ||
        (code = keys_found(a, o->admin_key, out, made_key, e)) != RC_OK ||
        (code = intake_start(a, e)) != RC_OK ||
        (code = maintenance_open(a, &maintenance, e)) != RC_OK)
        return code;
    a->maintenance = maintenance;
    if ((code = refiner_open(a, workers, e)) != RC_OK)
        return code;
    code = pipeline_open(a, workers, &pipeline, e);
    a->pipeline = pipeline;
    return code == RC_OK ? fetcher_open(a, o->allow_nets, o->allow_nets_n, e)
                         : code;
}

static size_t or_default(size_t given, size_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static struct app_limits limits_with_defaults(const struct app_limits *l)
{
    return (struct app_limits){
        .upload_bytes_max = or_default(l->upload_bytes_max, UPLOAD_BYTES_MAX),
        .text_bytes_max = or_default(l->text_bytes_max, TEXT_BYTES_MAX),
        .content_bytes_max =
            or_default(l->content_bytes_max, INLINE_CONTENT_BYTES_MAX),
        .manifest_bytes_max =
            or_default(l->manifest_bytes_max, MANIFEST_BYTES_MAX),
        .manifest_items_max =
            or_default(l->manifest_items_max, MANIFEST_ITEMS_MAX),
        .json_bytes_max = or_default(l->json_bytes_max, JSON_BODY_BYTES_MAX),
    };
}

rc app_open(const struct app_opts *o, struct arena *out, struct app **res,
            str *made_key, struct err *e)
{
    struct app *a;
    rc code;

    *res = NULL;
    *made_key = (str){0};
    if ((code = crypto_start(e)) != RC_OK)
        return code;
    a = mem_alloc(sizeof *a);
    a->limits = limits_with_defaults(&o->limits);
    ASSERT(pthread_mutex_init(&a->url_lock, NULL) == 0);
    a->short_ids = o->short_ids;
    app_public_url_set(a, o->public_url);
    code = rooms_open(a, o, out, made_key, e);
    if (code != RC_OK) {
        app_close(a);
        return code;
    }
    atomic_store(&a->ready, true);
    *res = a;
    return RC_OK;
}

bool app_ready(struct app *a)
{
    return atomic_load(&a->ready);
}

void app_close(struct app *a)
{
    if (a == NULL)
        return;
    atomic_store(&a->ready, false);
    intake_stop(a);
    fetcher_stop(a);
    if (a->pipeline != NULL)
        pipeline_stop(a->pipeline);
    refiner_stop(a);
    if (a->maintenance != NULL)
        maintenance_stop(a->maintenance);
    engine_close(a->engine);
    store_close(a->store);
    extract_stop(a->extractor);
    /* The last things that engine and store did could still wake these. */
    if (a->pipeline != NULL)
        pipeline_close(a->pipeline);
    if (a->maintenance != NULL)
        maintenance_close(a->maintenance);
    refiner_close(a);
    fetcher_close(a);
    query_vectors_close(a);
    models_close(a);
    (void)pthread_mutex_destroy(&a->url_lock);
    mem_free(a->url);
    mem_free(a);
}

void app_public_url_set(struct app *a, str url)
{
    char *copy = mem_alloc(url.n + 1);

    while (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    memcpy(copy, url.n > 0 ? url.p : "", url.n);
    (void)pthread_mutex_lock(&a->url_lock);
    mem_free(a->url);
    a->url = copy;
    a->url_n = url.n;
    (void)pthread_mutex_unlock(&a->url_lock);
}

const struct app_limits *app_limits_of(const struct app *a)
{
    return &a->limits;
}

/* ---- sessions and writes ---- */

rc app_read_begin(struct app *a, struct db **db, struct err *e)
{
    return store_read_begin(a->store, db, e);
}

void app_read_end(struct db *db)
{
    store_read_end(db);
}

/* The store's half of an app_write. */
struct submitted {
    struct write write; /* first: the store hands this back */
    struct app *app;
    struct app_write *user;
};

static rc submitted_run(struct write *w, struct db *db, struct err *e)
{
    struct submitted *s = (struct submitted *)w;

    return s->user->run(s->user, db, e);
}

static void submitted_done(struct write *w)
{
    struct submitted *s = (struct submitted *)w;
    struct app_write *user = s->user;

    user->code = w->code;
    user->err = w->err;
    app_wake(s->app);
    mem_free(s);
    user->done(user);
}

rc app_submit(struct app *a, struct app_write *w, struct err *e)
{
    struct submitted *s = mem_alloc(sizeof *s);
    rc code;

    s->write.run = submitted_run;
    s->write.done = submitted_done;
    s->write.frees = w->frees;
    s->app = a;
    s->user = w;
    code = store_submit(a->store, &s->write, e);
    if (code != RC_OK)
        mem_free(s);
    return code;
}

void app_wake(struct app *a)
{
    if (atomic_exchange(&a->items_queued, false) && a->pipeline != NULL)
        pipeline_wake(a->pipeline);
    if (atomic_exchange(&a->fetches_queued, false))
        fetcher_wake(a);
    if (atomic_exchange(&a->rows_to_purge, false) && a->maintenance != NULL)
        maintenance_wake(a->maintenance);
}

/* ---- small shared things ---- */

struct caller app_program(uuid tenant)
{
    return (struct caller){.tenant = tenant,
                           .scopes = scope_closure(SCOPE_ORG_MANAGE),
                           .clearance = 30};
}

rc app_event(struct db *db, const struct caller *who, uuid base, uuid object,
             const char *kind, struct err *e)
{
    return db_event(db,
                    &(struct event){.tenant = who->tenant,
                                    .base = base,
                                    .object = object,
                                    .actor = who->key,
                                    .kind = kind},
                    e);
}

rc maybe(rc code, bool *there)
{
    *there = code == RC_OK;
    return code == RC_NOTFOUND ? RC_OK : code;
}

/* A figure that can't be had is zero: the others are still worth showing. */
static void figures_of_queue(struct app *a, struct app_figures *f)
{
    struct db *db;

    if (store_read_begin(a->store, &db, NULL) != RC_OK)
        return;
    if (db_items_count(db, &f->items_queued, &f->items_processing, NULL) !=
        RC_OK)
        f->items_queued = f->items_processing = 0;
    store_read_end(db);
}

void app_figures(struct app *a, struct app_figures *f)
{
    struct store_stats st;
    struct engine_stats es;
    struct extract_figures xf;

    store_stats(a->store, &st);
    engine_stats(a->engine, &es);
    extract_figures(a->extractor, &xf);
    *f = (struct app_figures){
        .documents_indexed = atomic_load(&a->count.documents_indexed),
        .documents_failed = atomic_load(&a->count.documents_failed),
        .searches = atomic_load(&a->count.searches),
        .bytes_ingested = atomic_load(&a->count.bytes_ingested),
        .search_seconds_sum =
            (double)atomic_load(&a->count.search_us_sum) / 1e6,
        .store_commits = st.commits,
        .store_writes = st.writes,
        .fsync_failures = st.fsync_failures,
        .stopped = st.stopped,
        .index_rows = es.rows,
        .index_segments = es.segments,
        .index_bytes = es.bytes,
        .index_merges = es.merges,
        .bases_open = es.bases_open,
        .extract_running = xf.running,
        .extract_crashes = xf.crashes,
        .extract_ended = xf.ended,
        .rows_refined = atomic_load(&a->count.rows_refined),
    };
    figures_of_queue(a, f);
}
