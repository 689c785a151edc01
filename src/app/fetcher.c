/*
 * fetcher: threads that fetch what waits for it, and hand it on to the
 * pipeline as if it had been uploaded.
 *
 * Items are leased many at once and wait in one list; a thread takes the first
 * whose host has a place free, so that a slow host holds up nobody else. What
 * came of one is a write of its own: a crash repeats at most the pages that
 * were under way.
 *
 *   queued ──lease──► waiting ──► under way ──► its body is the version's:
 *      ▲                              │         queued again, as a new one
 *      └────────── later ─────────────┴──► failed, or nothing has changed
 */
#include <sys/resource.h>
#include <unistd.h>

#include "app/task.h"
#include "app/web_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/fetch.h"
#include "net/pace.h"
#include "net/url.h"
#include "text/utf8.h"

#define FETCHERS 16
#define WAITING_MAX 1024
#define LEASE_MAX 128
#define HOST_AT_ONCE 8
/* Of one page, from its first try on. */
#define FETCH_MS_MAX 60000
#define TRY_MS_MAX 30000
#define TRIES_MAX 4
#define BACKOFF_MS 1000
#define WEB_BYTES_MAX (64 * MIB)
/* After trouble of the server's own. */
#define AGAIN_MS 2000

/* One leased item, with what its request needs. */
struct fetching {
    struct task task;
    struct web_row web;
    uuid former; /* the active version; nil: none */
    sha256 former_sha;
    str host;
    struct arena *arena;
    bool gone;
    struct fetching *next;
};

struct fetcher {
    struct app *app;
    struct addr_nets nets;
    struct addr_net *nets_v;
    struct pace *pace;
    pthread_t threads[FETCHERS];
    size_t threads_n;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct fetching *first, **end;
    size_t waiting;
    struct map *busy; /* host to requests under way */
    bool leasing, look;
    int64_t look_ns; /* when the queue is looked at next; INT64_MAX: not */
};

const struct addr_nets *fetcher_nets(const struct app *a)
{
    return &a->fetcher->nets;
}

static void fetching_close(struct fetching *f)
{
    if (f != NULL)
        arena_close(f->arena);
}

/* ---- leases ---- */

struct lease_write {
    struct write write;
    struct arena *arena; /* of the rows */
    struct fetching **v;
    size_t n;
    int64_t next_ms;
};

/* The rows behind an item, in an arena of its own. */
static rc fetching_read(struct db *db, const struct item_row *row,
                        struct fetching *f, struct err *e)
{
    struct version_row former;
    bool there;
    struct url u;
    rc code;

    f->task.item = *row;
    f->task.item.title = arena_str(f->arena, row->title);
    code = maybe(db_version_get(db, row->tenant, row->base, row->version,
                                f->arena, &f->task.version, e),
                 &there);
    if (code == RC_OK && there)
        code = maybe(db_document_row(db, row->tenant, row->base, row->document,
                                     f->arena, &f->task.document, e),
                     &there);
    if (code == RC_OK && there)
        code = maybe(
            db_web_get(db, row->base, row->document, f->arena, &f->web, e),
            &there);
    f->gone = !there;
    if (code != RC_OK || f->gone)
        return code;
    f->former = f->task.document.active_version;
    if (!uuid_is_nil(f->former)) {
        if ((code = db_version_get(db, row->tenant, row->base, f->former,
                                   f->arena, &former, e)) != RC_OK)
            return code;
        f->former_sha = former.original.sha;
    }
    if (url_parse(f->web.url, NULL, f->arena, &u, NULL) == RC_OK)
        f->host = u.host;
    return RC_OK;
}

static void lease_drop(struct lease_write *l)
{
    for (size_t i = 0; i < l->n; i++)
        fetching_close(l->v[i]);
    l->n = 0;
}

static rc lease_run(struct write *w, struct db *db, struct err *e)
{
    struct lease_write *l = (struct lease_write *)w;
    struct item_row *rows;
    size_t n;
    rc code;

    lease_drop(l); /* of a run that was rolled back */
    code = db_fetches_lease(db, LEASE_MAX, clock_wall_ms(), l->arena, &rows, &n,
                            &l->next_ms, e);
    if (code != RC_OK)
        return code;
    l->v = ARENA_ARRAY(l->arena, struct fetching *, n);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        struct arena *own = arena_open();

        l->v[l->n] = ARENA_NEW(own, struct fetching);
        l->v[l->n]->arena = own;
        code = fetching_read(db, &rows[i], l->v[l->n++], e);
    }
    return code;
}

static int64_t due_ns(int64_t next_ms)
{
    if (next_ms == 0)
        return INT64_MAX;
    return clock_mono_ns() + (next_ms - clock_wall_ms()) * 1000000;
}

/* Without the lock. */
static void lease_more(struct fetcher *f)
{
    struct lease_write l = {.write = {.run = lease_run, .late = false},
                            .arena = arena_open()};
    struct err e = {0};
    int64_t look_ns;
    rc code = store_write(f->app->store, &l.write, &e);

    if (code != RC_OK) {
        lease_drop(&l);
        if (code != RC_BUSY)
            log_warn("fetch", "cannot take URLs: %s", e.text);
    }
    /* With some taken nobody asked when the next are due. */
    look_ns = code != RC_OK ? clock_mono_ns() + (int64_t)AGAIN_MS * 1000000
              : l.n > 0     ? 0
                            : due_ns(l.next_ms);
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < l.n; i++) {
        *f->end = l.v[i];
        f->end = &l.v[i]->next;
        f->waiting++;
    }
    f->leasing = false;
    /* Whoever was woken meanwhile stands in look_ns already. */
    if (look_ns < f->look_ns)
        f->look_ns = look_ns;
    (void)pthread_cond_broadcast(&f->changed);
    (void)pthread_mutex_unlock(&f->lock);
    arena_close(l.arena);
}

/* ---- one request ---- */

struct body {
    struct fetcher *fetcher;
    struct blob_writer *writer;
    str content_type;
};

static rc body_take(void *arg, const struct fetch_answer *a, str bytes,
                    struct err *e)
{
    struct body *b = arg;

    (void)a;
    return blob_put(b->writer, bytes.p, bytes.n, e);
}

static bool goes_on(void *arg, uint64_t bytes)
{
    const struct body *b = arg;

    (void)bytes;
    return !atomic_load(&b->fetcher->stopping);
}

/* What the user reads of an answer that is no page. */
static const char *status_text(unsigned status)
{
    switch (status) {
    case 204:
    case 205:
        return "the page is empty";
    case 401:
    case 407:
        return "the page asks for a login";
    case 402:
        return "the page asks for payment";
    case 403:
        return "the server refuses the page to us";
    case 404:
        return "there is no such page";
    case 410:
        return "the page is gone for good";
    case 429:
        return "the server takes no more requests for now";
    case 451:
        return "the page is withheld for legal reasons";
    default:
        break;
    }
    if (status >= 500)
        return "the server failed to give the page";
    if (status >= 400)
        return "the server did not take the request";
    return status >= 300 ? "the page redirects to nowhere"
                         : "the server sent no whole page";
}

static bool may_change(const struct fetch_answer *a, rc code)
{
    if (code == RC_OK)
        return a->status == 429 || a->status == 408 || a->status == 500 ||
               a->status == 502 || a->status == 503 || a->status == 504;
    switch (a->fault) {
    case FETCH_UNRESOLVED:
    case FETCH_REFUSED:
    case FETCH_TIMED_OUT:
    case FETCH_BROKEN:
        return true;
    case FETCH_FINE:
    case FETCH_BAD_URL:
    case FETCH_FORBIDDEN:
    case FETCH_BAD_TLS:
    case FETCH_TOO_LARGE:
    case FETCH_REDIRECTS:
    case FETCH_OURS:
        break;
    }
    return false;
}

/* Later, if there is still time for it; else failed. */
static void fetch_failed(struct fetching *f, const struct fetch_answer *a,
                         rc code, const char *why)
{
    struct task *t = &f->task;
    unsigned tries = t->item.attempts;
    int64_t wait_ms = (int64_t)BACKOFF_MS << (tries < 6 ? tries - 1 : 5);
    int64_t left_ms = f->web.tried_ms + FETCH_MS_MAX - clock_wall_ms();

    if (a->retry_ms > wait_ms)
        wait_ms = a->retry_ms;
    t->error = code == RC_OK
                   ? arena_fmt(f->arena, "%s (HTTP %u)", why, a->status)
                   : arena_fmt(f->arena, "%s", why);
    t->fate = FATE_FAILED;
    if (!may_change(a, code) || tries >= TRIES_MAX || wait_ms + 1000 > left_ms)
        return;
    t->fate = FATE_AGAIN;
    t->retry_ms = wait_ms;
}

/* A server's own trouble counts for no try. */
static void fetch_later(struct fetching *f, int64_t wait_ms)
{
    f->task.fate = FATE_AGAIN;
    f->task.blameless = true;
    f->task.retry_ms = wait_ms;
}

/* The last part of a path, as a file would be called; it only helps to tell
 * Markdown from plain text. */
static str filename_of(const struct fetch_answer *a, str fallback,
                       struct arena *out)
{
    str path = fallback, name;
    struct url u;
    size_t at;

    if (url_parse(a->url, NULL, out, &u, NULL) == RC_OK)
        path = u.path;
    for (at = path.n; at > 0 && path.p[at - 1] != '/';)
        at--;
    name = str_sub(path, at, path.n - at);
    name = str_sub(name, 0, FILENAME_BYTES_MAX);
    return name.n > 0 ? arena_str(out, name) : STR_NONE;
}

static unsigned time_left_ms(const struct fetching *f)
{
    int64_t ms = f->web.tried_ms + FETCH_MS_MAX - clock_wall_ms();

    if (ms > TRY_MS_MAX)
        ms = TRY_MS_MAX;
    return ms < 1000 ? 1000 : (unsigned)ms;
}

static str or_none(str s, struct arena *out)
{
    return s.n > 0 ? arena_str(out, s) : STR_NONE;
}

struct fetched {
    struct write write;
    struct app *app;
    struct fetching *f;
    struct blob_writer *body; /* NULL: nothing new */
    struct blob_ref ref;
    bool unchanged;
};

/* Of what is too long, or no text, nothing. */
static str said_type_of(const struct fetch_answer *a, struct arena *out)
{
    str type = a->content_type;

    if (type.n > SAID_TYPE_BYTES_MAX || utf8_valid_prefix(type) < type.n)
        return STR_NONE;
    return or_none(type, out);
}

static void page_came(struct fetching *f, const struct fetch_answer *a,
                      struct fetched *done, struct body *b, struct err *e)
{
    struct web_row *web = &f->web;

    web->fetched_ms = clock_wall_ms();
    web->answered =
        str_eq(a->url, web->url) ? STR_NONE : arena_str(f->arena, a->url);
    if (a->status == 304) {
        done->unchanged = true;
        return;
    }
    web->etag = or_none(a->etag, f->arena);
    web->last_modified = or_none(a->last_modified, f->arena);
    if (blob_end(b->writer, &done->ref, e) != RC_OK) {
        log_warn("fetch", "cannot keep a page: %s", e->text);
        fetch_later(f, AGAIN_MS);
        return;
    }
    done->unchanged =
        !uuid_is_nil(f->former) && sha256_eq(&f->former_sha, &done->ref.sha);
    f->task.version.filename = filename_of(a, STR(""), f->arena);
    f->task.version.said_type = said_type_of(a, f->arena);
    if (!done->unchanged)
        done->body = b->writer;
}

static void page_fetch(struct fetcher *r, struct fetch *http,
                       struct fetching *f, struct body *b, struct fetched *done)
{
    bool known = !uuid_is_nil(f->former);
    struct fetch_opts o = {.policy = FETCH_PUBLIC,
                           .url = f->web.url.p,
                           .allowed = &r->nets,
                           .etag = known ? f->web.etag : STR_NONE,
                           .last_modified =
                               known ? f->web.last_modified : STR_NONE,
                           .sink = body_take,
                           .sink_arg = b,
                           .answer_bytes_max = WEB_BYTES_MAX,
                           .timeout_ms = time_left_ms(f),
                           .pace = r->pace,
                           .progress = goes_on,
                           .arg = b};
    struct fetch_answer a = {0};
    struct err e = {0};
    rc code;

    task_step_begin(&f->task, STEP_FETCH);
    code = fetch_run(http, &o, f->arena, &a, &e);
    if (code == RC_OK && (a.status == 200 || (a.status == 304 && known)))
        page_came(f, &a, done, b, &e);
    else if (code == RC_CANCELLED && atomic_load(&r->stopping))
        fetch_later(f, 0);
    else if (code == RC_NOSPACE || code == RC_BUSY || code == RC_NOMEM)
        fetch_later(f, AGAIN_MS);
    else
        fetch_failed(f, &a, code,
                     code == RC_OK ? status_text(a.status) : e.text);
    task_step_end(
        &f->task, arena_fmt(f->arena, "{\"try\":%u}", f->task.item.attempts),
        arena_fmt(f->arena, "{\"status\":%u,\"bytes\":%llu,\"redirects\":%u}",
                  a.status, (unsigned long long)blob_writer_bytes(b->writer),
                  a.hops));
}

/* ---- writing down ---- */

/* The version that was to be is not needed: the active one says it all. */
static rc write_unchanged(struct fetched *w, struct db *db, int64_t now,
                          struct err *e)
{
    const struct task *t = &w->f->task;
    struct item_row it = t->item;
    rc code = db_version_drop(db, it.tenant, it.base, it.version, e);

    it.status = JOB_DUPLICATE;
    it.stage = STAGE_DONE;
    it.completed_ms = now;
    return code == RC_OK ? db_item_update(db, &it, e) : code;
}

static rc fetched_run(struct write *w, struct db *db, struct err *e)
{
    struct fetched *d = (struct fetched *)w;
    struct fetching *f = d->f;
    struct task *t = &f->task;
    struct arena *tmp = arena_open();
    int64_t now = clock_wall_ms();
    struct version_row v;
    bool there;
    uuid base;
    rc code;

    code = maybe(db_object_find(db, t->item.tenant, OBJECT_VERSION,
                                t->item.version, &base, e),
                 &there);
    if (code != RC_OK)
        goto done;
    if (!there) { /* with its base, or alone: the item may still be there */
        t->fate = FATE_DONE;
        code = maybe(task_finish(d->app, db, t, tmp, e), &there);
        goto done;
    }
    if ((code = db_web_update(db, &f->web, e)) != RC_OK)
        goto done;
    if (t->fate != FATE_DONE) {
        code = task_finish(d->app, db, t, tmp, e);
        goto done;
    }
    if (d->unchanged && !uuid_eq(t->item.version, f->former)) {
        code = write_unchanged(d, db, now, e);
        goto done;
    }
    if ((code = db_version_get(db, t->item.tenant, base, t->item.version, tmp,
                               &v, e)) != RC_OK ||
        (code = blob_use(db, d->body, e)) != RC_OK)
        goto done;
    v.original = d->ref;
    v.filename = t->version.filename;
    v.said_type = t->version.said_type;
    if ((code = db_version_fetched(db, &v, e)) == RC_OK &&
        (code = task_logs_put(db, t, e)) == RC_OK)
        code = db_item_fetched(db, &t->item, now, e);
done:
    arena_close(tmp);
    if (code == RC_OK)
        atomic_store(&d->app->items_queued, true);
    return code;
}

/* Tells what came of it, until it is written down. */
static void fetched_write(struct fetcher *r, struct fetched *d)
{
    bool came = d->f->task.fate == FATE_DONE;
    struct err e = {0};
    rc code;

    d->write.run = fetched_run;
    code = store_write(r->app->store, &d->write, &e);
    for (unsigned i = 0; code != RC_OK && i < 10 && !atomic_load(&r->stopping);
         i++) {
        log_warn("fetch", "cannot keep a page: %s", e.text);
        /* The page itself may be too much for the disk: another time. */
        if (came)
            fetch_later(d->f, AGAIN_MS);
        d->write.frees = true;
        (void)pthread_mutex_lock(&r->lock);
        (void)clock_cond_wait(&r->changed, &r->lock,
                              clock_mono_ns() + (int64_t)AGAIN_MS * 1000000);
        (void)pthread_mutex_unlock(&r->lock);
        code = store_write(r->app->store, &d->write, &e);
    }
    if (code == RC_OK) {
        if (d->f->task.fate == FATE_AGAIN) {
            (void)pthread_mutex_lock(&r->lock);
            int64_t due = clock_mono_ns() + d->f->task.retry_ms * 1000000;

            if (due < r->look_ns)
                r->look_ns = due;
            (void)pthread_mutex_unlock(&r->lock);
        }
        task_count(r->app, &d->f->task);
    }
    app_wake(r->app);
}

static void page_handle(struct fetcher *r, struct fetch **http,
                        struct fetching *f)
{
    struct fetched done = {.app = r->app, .f = f};
    struct body b = {.fetcher = r};
    struct err e = {0};
    rc code = RC_OK;

    if (f->web.tried_ms == 0 || f->task.item.attempts <= 1)
        f->web.tried_ms = clock_wall_ms();
    if (*http == NULL)
        code = fetch_open(http, &e);
    if (code == RC_OK)
        code = blob_writer_open(r->app->store, &b.writer, &e);
    if (code != RC_OK) {
        log_warn("fetch", "cannot fetch: %s", e.text);
        fetch_later(f, AGAIN_MS);
    } else if (!f->gone) {
        page_fetch(r, *http, f, &b, &done);
    }
    fetched_write(r, &done);
    blob_writer_close(b.writer);
}

/* ---- threads ---- */

/* The first that may go now; with the lock. */
static struct fetching *take_next(struct fetcher *r)
{
    for (struct fetching **at = &r->first; *at != NULL; at = &(*at)->next) {
        struct fetching *f = *at;
        uint64_t *busy = map_slot(r->busy, f->host, NULL);

        if (*busy >= HOST_AT_ONCE)
            continue;
        ++*busy;
        *at = f->next;
        if (r->end == &f->next)
            r->end = at;
        r->waiting--;
        f->next = NULL;
        return f;
    }
    return NULL;
}

static void host_leave(struct fetcher *r, const struct fetching *f)
{
    uint64_t *busy;

    (void)pthread_mutex_lock(&r->lock);
    busy = map_find(r->busy, f->host);
    ASSERT(busy != NULL && *busy > 0);
    if (--*busy == 0)
        (void)map_drop(r->busy, f->host);
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* NULL: the end. */
static struct fetching *wait_next(struct fetcher *r)
{
    struct fetching *f = NULL;

    (void)pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->stopping)) {
        bool may_lease = !r->leasing && r->waiting < WAITING_MAX;

        if ((f = take_next(r)) != NULL)
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
    return f;
}

static void *fetcher_thread(void *arg)
{
    struct fetcher *r = arg;
    struct fetch *http = NULL;
    struct fetching *f;

    (void)pthread_setname_np(pthread_self(), "fetch");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), READING_NICENESS);
    while ((f = wait_next(r)) != NULL) {
        page_handle(r, &http, f);
        host_leave(r, f);
        fetching_close(f);
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

    r->app = a;
    r->end = &r->first;
    r->busy = map_open();
    (void)pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->changed);
    r->pace =
        pace_open(&(struct pace_opts){.period_ms = 1, .at_once = HOST_AT_ONCE});
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

void fetcher_close(struct app *a)
{
    struct fetcher *r = a->fetcher;

    if (r == NULL)
        return;
    a->fetcher = NULL;
    while (r->first != NULL) {
        struct fetching *f = r->first;

        r->first = f->next;
        fetching_close(f);
    }
    pace_close(r->pace);
    map_close(r->busy);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    mem_free(r->nets_v);
    mem_free(r);
}
