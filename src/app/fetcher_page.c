/* One page: asked for, and what came of it written down. */
#include "app/fetcher_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/url.h"
#include "text/utf8.h"

#define TRY_MS_MAX 30000
/* No try is planned that would have less, and none begun that has less than half
 * of it: threads may be busy when it is due. */
#define TRY_MS_MIN 1000
/* How long a thread waits for a place of the host that a redirect leads to;
 * then the page is put off, and the thread is there for others. */
#define TURN_MS_MAX 3000
#define TRIES_MAX 4
#define BACKOFF_MS 1000
#define BACKOFF_DOUBLED_MAX 5
#define WEB_BYTES_MAX (64 * MIB)

struct page {
    struct write write; /* first: the store hands this back */
    struct fetcher *fetcher;
    struct arena *arena;
    struct task task; /* its item, version and document as it began */
    struct web_row web;
    bool gone;  /* deleted since it was queued */
    uuid known; /* the version whose validators were sent; nil: none were */
    /* what came, if task.fate is FATE_DONE */
    struct blob_writer *body;
    struct blob_ref ref;
    bool not_modified;
    str answered, etag, last_modified, said_type, filename;
};

/* ---- what is asked for ---- */

static rc rows_read(struct page *p, struct db *db, struct fetch_place at,
                    struct err *e)
{
    struct task *t = &p->task;
    bool there;
    rc code =
        maybe(db_item_get(db, at.job, at.index, p->arena, &t->item, e), &there);

    if (code == RC_OK && there)
        code = maybe(db_version_get(db, t->item.tenant, t->item.base,
                                    t->item.version, p->arena, &t->version, e),
                     &there);
    if (code == RC_OK && there)
        code =
            maybe(db_document_row(db, t->item.tenant, t->item.base,
                                  t->item.document, p->arena, &t->document, e),
                  &there);
    if (code == RC_OK && there)
        code = maybe(db_web_get(db, t->item.base, t->item.document, p->arena,
                                &p->web, e),
                     &there);
    p->gone = !there || t->version.state != VERSION_PENDING;
    if (code == RC_OK && !p->gone && !uuid_is_nil(p->web.version) &&
        uuid_eq(p->web.version, t->document.active_version))
        p->known = p->web.version;
    return code;
}

static rc page_read(struct page *p, struct fetch_place at, struct err *e)
{
    struct db *db;
    rc code = store_read_begin(p->fetcher->app->store, &db, e);

    if (code != RC_OK)
        return code;
    code = rows_read(p, db, at, e);
    store_read_end(db);
    return code;
}

/* ---- one request ---- */

static rc body_take(void *arg, const struct fetch_answer *a, str bytes,
                    struct err *e)
{
    struct page *p = arg;

    (void)a;
    return blob_put(p->body, bytes.p, bytes.n, e);
}

static bool goes_on(void *arg, uint64_t bytes)
{
    const struct page *p = arg;

    (void)bytes;
    return !atomic_load(&p->fetcher->stopping);
}

/* What the user reads of an answer that is no page. */
static const char *status_text(unsigned status)
{
    switch (status) {
    case 304:
        return "the server says that the page did not change, which it was not "
               "asked";
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
        return a->status == 408 || a->status == 425 || a->status == 429 ||
               (a->status >= 500 && a->status < 600);
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
    case FETCH_NO_TURN:
    case FETCH_OURS:
        break;
    }
    return false;
}

/* Never more than all of it, should the clock be set back. */
static int64_t left_ms(const struct page *p)
{
    int64_t ms = p->web.tried_ms + FETCH_MS_MAX - clock_wall_ms();

    return ms < FETCH_MS_MAX ? ms : FETCH_MS_MAX;
}

int64_t fetcher_wait_ms(unsigned tries, unsigned retry_ms, struct rng *chance)
{
    unsigned doubled =
        tries - 1 < BACKOFF_DOUBLED_MAX ? tries - 1 : BACKOFF_DOUBLED_MAX;
    uint64_t wait_ms = (uint64_t)BACKOFF_MS << doubled;
    uint64_t more_ms = rng_below(chance, wait_ms / 4 + 1);

    return (int64_t)((retry_ms > wait_ms ? retry_ms : wait_ms) + more_ms);
}

/* Later, if there is still time for it; else failed. A try that was put off
 * keeps its reason, in case its turn comes too late. */
static void page_failed(struct page *p, const struct fetch_answer *a, rc code,
                        const char *why)
{
    struct fetcher *r = p->fetcher;
    struct task *t = &p->task;
    unsigned tries = t->item.attempts;
    int64_t wait_ms;

    (void)pthread_mutex_lock(&r->lock);
    wait_ms = fetcher_wait_ms(tries, a->retry_ms, &r->chance);
    (void)pthread_mutex_unlock(&r->lock);
    t->error = code == RC_OK
                   ? arena_fmt(p->arena, "%s (HTTP %u)", why, a->status)
                   : arena_fmt(p->arena, "%s", why);
    t->fate = FATE_FAILED;
    if (!may_change(a, code) || tries >= TRIES_MAX ||
        wait_ms + TRY_MS_MIN > left_ms(p))
        return;
    t->fate = FATE_AGAIN;
    t->retry_ms = wait_ms;
}

/* The server's own trouble counts for no try, and the page's time begins anew
 * behind it. */
static void page_later(struct page *p, int64_t wait_ms)
{
    p->web.tried_ms = 0;
    p->task.fate = FATE_AGAIN;
    p->task.blameless = true;
    p->task.retry_ms = wait_ms;
}

/* No place came free at the host that a redirect leads to. That is no try, and
 * the page goes behind those that wait for their first; but its minute runs. */
static void page_put_off(struct page *p, const char *why)
{
    struct task *t = &p->task;

    t->error = arena_fmt(p->arena, "%s", why);
    t->blameless = true;
    t->retry_ms = FETCH_AGAIN_MS;
    t->fate =
        FETCH_AGAIN_MS + TRY_MS_MIN > left_ms(p) ? FATE_FAILED : FATE_AGAIN;
}

/* The last part of a path, as a file would be called; it only helps to tell
 * Markdown from plain text. */
static str filename_of(str url, struct arena *out)
{
    struct url u;
    size_t at;
    str name;

    if (url_parse(url, NULL, out, &u, NULL) != RC_OK)
        return STR_NONE;
    for (at = u.path.n; at > 0 && u.path.p[at - 1] != '/';)
        at--;
    name = str_sub(u.path, at, u.path.n - at);
    name = str_sub(name, 0, FILENAME_BYTES_MAX);
    return name.n > 0 ? name : STR_NONE;
}

static str or_none(str s)
{
    return s.n > 0 ? s : STR_NONE;
}

/* Of what is too long, or no text, nothing. */
static str said_type_of(str type)
{
    if (type.n > SAID_TYPE_BYTES_MAX || utf8_valid_prefix(type) < type.n)
        return STR_NONE;
    return or_none(type);
}

static void page_came(struct page *p, const struct fetch_answer *a,
                      struct err *e)
{
    p->answered = str_eq(a->url, p->web.url) ? STR_NONE : a->url;
    p->not_modified = a->status == 304;
    if (p->not_modified)
        return;
    p->etag = or_none(a->etag);
    p->last_modified = or_none(a->last_modified);
    p->said_type = said_type_of(a->content_type);
    p->filename = filename_of(a->url, p->arena);
    if (blob_end(p->body, &p->ref, e) == RC_OK)
        return;
    log_warn("fetch", "cannot keep a page: %s", e->text);
    page_later(p, FETCH_AGAIN_MS);
}

static unsigned try_ms(const struct page *p)
{
    int64_t ms = left_ms(p);

    if (ms < 1) /* 0 would be no limit */
        return 1;
    return ms < TRY_MS_MAX ? (unsigned)ms : TRY_MS_MAX;
}

/* Only the page of which something is known is asked for that. */
static bool is_unchanged(const struct page *p, const struct fetch_answer *a)
{
    return a->status == 304 && a->conditional && !uuid_is_nil(p->known);
}

/* 203 is the page as a proxy has it. */
static bool is_page(const struct fetch_answer *a)
{
    return a->status == 200 || a->status == 203;
}

static void step_end(struct page *p, const struct fetch_answer *a)
{
    task_step_end(
        &p->task, arena_fmt(p->arena, "{\"try\":%u}", p->task.item.attempts),
        arena_fmt(p->arena, "{\"status\":%u,\"bytes\":%llu,\"redirects\":%u}",
                  a->status, (unsigned long long)blob_writer_bytes(p->body),
                  a->hops));
}

static bool is_too_late(const struct page *p)
{
    return left_ms(p) < TRY_MS_MIN / 2;
}

/* Its time ended while it waited for its turn. */
static void page_ended(struct page *p)
{
    struct task *t = &p->task;

    task_step_begin(t, STEP_FETCH);
    task_failed(t, "the page could not be had within a minute");
    if (t->item.error.n > 0)
        t->error = t->item.error;
    step_end(p, &(struct fetch_answer){.status = 0});
}

static void page_ask(struct page *p, struct fetch *http)
{
    bool known = !uuid_is_nil(p->known);
    struct fetch_opts o = {.policy = FETCH_PUBLIC,
                           .url = p->web.url.p,
                           .allowed = &p->fetcher->nets,
                           .etag = known ? p->web.etag : STR_NONE,
                           .last_modified =
                               known ? p->web.last_modified : STR_NONE,
                           .conditions_of = p->web.answered,
                           .sink = body_take,
                           .sink_arg = p,
                           .answer_bytes_max = WEB_BYTES_MAX,
                           .timeout_ms = try_ms(p),
                           .pace = p->fetcher->pace,
                           .turn_ms = TURN_MS_MAX,
                           .progress = goes_on,
                           .arg = p};
    struct fetch_answer a = {0};
    struct err e = {0};
    rc code;

    task_step_begin(&p->task, STEP_FETCH);
    code = fetch_run(http, &o, p->arena, &a, &e);
    if (code == RC_OK && (is_page(&a) || is_unchanged(p, &a)))
        page_came(p, &a, &e);
    else if (code == RC_CANCELLED && atomic_load(&p->fetcher->stopping))
        page_later(p, 0);
    else if (a.fault == FETCH_NO_TURN)
        page_put_off(p, e.text);
    else if (code == RC_NOSPACE || code == RC_BUSY || code == RC_NOMEM)
        page_later(p, FETCH_AGAIN_MS);
    else
        page_failed(p, &a, code,
                    code == RC_OK ? status_text(a.status) : e.text);
    step_end(p, &a);
}

/* ---- writing down ---- */

/* The page is the body of a version that is there. */
static rc write_duplicate(struct page *p, struct db *db, uuid version,
                          struct err *e)
{
    rc code = task_logs_put(db, &p->task, e);

    return code == RC_OK
               ? db_item_duplicate(db, &p->task.item, p->task.item.document,
                                   version, clock_wall_ms(), e)
               : code;
}

/* What is the version's now, and what was asked of it. */
static rc write_new(struct page *p, struct db *db, struct version_row *v,
                    struct web_row *web, struct err *e)
{
    rc code = blob_use(db, p->body, e);

    v->original = p->ref;
    v->filename = p->filename;
    v->said_type = p->said_type;
    web->version = v->id;
    if (code != RC_OK || (code = db_version_fetched(db, v, e)) != RC_OK ||
        (code = db_web_update(db, web, e)) != RC_OK ||
        (code = task_logs_put(db, &p->task, e)) != RC_OK)
        return code;
    return db_item_fetched(db, &p->task.item, clock_wall_ms(), e);
}

/* The version that was to be is not needed: the active one says it all. */
static rc write_unchanged(struct page *p, struct db *db,
                          const struct version_row *v, uuid active,
                          const struct web_row *web, struct err *e)
{
    rc code = db_web_update(db, web, e);

    if (code == RC_OK)
        code = db_version_drop(db, v->tenant, v->base, v->id, e);
    return code == RC_OK ? write_duplicate(p, db, active, e) : code;
}

static rc write_came(struct page *p, struct db *db, struct version_row *v,
                     struct arena *tmp, struct err *e)
{
    struct version_row active = {0};
    struct document_row d;
    struct web_row web;
    bool same = false;
    rc code;

    if ((code = db_document_row(db, v->tenant, v->base, v->document, tmp, &d,
                                e)) != RC_OK ||
        (code = db_web_get(db, v->base, v->document, tmp, &web, e)) != RC_OK ||
        (!uuid_is_nil(d.active_version) &&
         (code = db_version_get(db, v->tenant, v->base, d.active_version, tmp,
                                &active, e)) != RC_OK))
        return code;
    web.tried_ms = 0;
    /* Another version turned active meanwhile: that page is not it. */
    if (p->not_modified && !uuid_eq(d.active_version, p->known)) {
        page_later(p, 0);
        code = db_web_update(db, &web, e);
        return code == RC_OK
                   ? task_finish(p->fetcher->app, db, &p->task, tmp, e)
                   : code;
    }
    web.answered = p->answered;
    web.fetched_ms = clock_wall_ms();
    if (p->not_modified)
        return write_unchanged(p, db, v, active.id, &web, e);
    web.etag = p->etag;
    web.last_modified = p->last_modified;
    same = active.number > 0 && str_eq(active.source_type, STR("url")) &&
           sha256_eq(&active.original.sha, &p->ref.sha);
    if (!same)
        return write_new(p, db, v, &web, e);
    web.version = active.id;
    return write_unchanged(p, db, v, active.id, &web, e);
}

static rc write_outcome(struct page *p, struct db *db, struct arena *tmp,
                        struct err *e)
{
    struct task *t = &p->task;
    struct version_row v;
    struct web_row web;
    bool there;
    rc code;

    code = maybe(db_item_get(db, t->item.job, t->item.index, tmp, &t->item, e),
                 &there);
    if (code != RC_OK || !there || t->item.status != JOB_PROCESSING)
        return code;
    code = maybe(db_version_get(db, t->item.tenant, t->item.base,
                                t->item.version, tmp, &v, e),
                 &there);
    if (code != RC_OK)
        return code;
    if (!there) {
        t->fate = FATE_DONE; /* which says that it was deleted */
        return task_finish(p->fetcher->app, db, t, tmp, e);
    }
    if (v.state != VERSION_PENDING) /* another job's */
        return write_duplicate(p, db, v.id, e);
    if (t->fate == FATE_DONE)
        return write_came(p, db, &v, tmp, e);
    if ((code = maybe(db_web_get(db, v.base, v.document, tmp, &web, e),
                      &there)) != RC_OK)
        return code;
    web.tried_ms = p->web.tried_ms;
    if (t->fate == FATE_AGAIN)
        t->item.error = t->error;
    if (there && (code = db_web_update(db, &web, e)) != RC_OK)
        return code;
    return task_finish(p->fetcher->app, db, t, tmp, e);
}

static rc page_run(struct write *w, struct db *db, struct err *e)
{
    struct page *p = (struct page *)w;
    struct arena *tmp = arena_open();
    rc code = write_outcome(p, db, tmp, e);

    arena_close(tmp);
    if (code == RC_OK)
        atomic_store(&p->fetcher->app->items_queued, true);
    return code;
}

/* Until what came of it is written down, or the end. */
static void page_write(struct page *p)
{
    struct fetcher *r = p->fetcher;
    struct err e = {0};
    rc code;

    p->write.run = page_run;
    while ((code = store_write(r->app->store, &p->write, &e)) != RC_OK &&
           !atomic_load(&r->stopping)) {
        log_warn("fetch", "cannot keep a page: %s", e.text);
        /* The page itself may be too much for the disk: another time. */
        if (p->task.fate == FATE_DONE)
            page_later(p, FETCH_AGAIN_MS);
        p->write.frees = true;
        fetcher_pause(r, FETCH_AGAIN_MS);
    }
    if (code == RC_OK && p->task.fate == FATE_AGAIN)
        fetcher_due(r, p->task.retry_ms);
    if (code == RC_OK)
        task_count(r->app, &p->task);
    app_wake(r->app);
}

/* By what the steady clock says went by since this process began to fetch. */
static bool tried_before_start(const struct page *p)
{
    int64_t up_ms = (clock_mono_ns() - p->fetcher->opened_ns) / 1000000;

    return clock_wall_ms() - p->web.tried_ms > up_ms;
}

void fetcher_page(struct fetcher *r, struct fetch **http, struct fetch_place at)
{
    struct page p = {.fetcher = r, .arena = arena_open()};
    struct err e = {0};
    rc code = page_read(&p, at, &e);

    /* One that was put off has a reason. Its time runs on, but for a restart. */
    if ((p.task.item.attempts <= 1 && p.task.item.error.n == 0) ||
        tried_before_start(&p))
        p.web.tried_ms = clock_wall_ms();
    p.task.item.job = at.job;
    p.task.item.index = at.index;
    if (code == RC_OK && *http == NULL)
        code = fetch_open(http, &e);
    if (code == RC_OK)
        code = blob_writer_open(r->app->store, &p.body, &e);
    if (code != RC_OK) {
        log_warn("fetch", "cannot fetch: %s", e.text);
        page_later(&p, FETCH_AGAIN_MS);
    } else if (!p.gone && is_too_late(&p)) {
        page_ended(&p);
    } else if (!p.gone) {
        page_ask(&p, *http);
    }
    page_write(&p);
    blob_writer_close(p.body);
    arena_close(p.arena);
}
