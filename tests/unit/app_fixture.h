/* app_fixture: an app in a fresh folder, its first key, and short words for
 * what tests do with it. */
#ifndef UNIT_APP_FIXTURE_H
#define UNIT_APP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "app/app_priv.h"
#include "base/clock.h"
#include "base/json.h"
#include "scratch.h"

#define FX_KEY "test-admin-key-0123456789-0123456789"
#define FX_WAIT_NS ((int64_t)120 * 1000000000)

struct fx {
    struct app *app;
    struct arena *out;
    struct caller who;
    void *dir; /* as scratch.h wants it */
};

static inline void fx_ok(rc code, const struct err *e)
{
    if (code != RC_OK)
        fail_msg("%s: %s", rc_name(code), e->text);
}

/* What a child does in the place of extracting. */
typedef rc fx_child(str input, struct said said, struct arena *arena,
                    struct buf *to, struct err *e);

static inline void fx_start_with(struct fx *f, fx_child *work)
{
    struct err e = {0};
    struct db *db;
    str made;

    fx_ok(app_open(&(struct app_opts){.dir = f->dir,
                                      .workers = 2,
                                      .admin_key = STR(FX_KEY),
                                      .public_url = STR("http://h:1/"),
                                      .child_work = work},
                   f->out, &f->app, &made, &e),
          &e);
    assert_int_equal(made.n, 0);
    fx_ok(app_read_begin(f->app, &db, &e), &e);
    f->who = (struct caller){0};
    fx_ok(app_authenticate(f->app, db, STR(FX_KEY), &f->who, &e), &e);
    app_read_end(db);
}

static inline void fx_start(struct fx *f)
{
    fx_start_with(f, NULL);
}

static inline void fx_stop(struct fx *f)
{
    app_close(f->app);
    f->app = NULL;
}

static inline int fx_open(void **state)
{
    struct fx *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL || scratch_open(&f->dir) != 0)
        return 1;
    f->out = arena_open();
    fx_start(f);
    return 0;
}

static inline int fx_close(void **state)
{
    struct fx *f = *state;
    int code;

    fx_stop(f);
    code = scratch_close(&f->dir);
    arena_close(f->out);
    free(f);
    return code;
}

/* ---- waiting for what another thread ends ---- */

struct fx_wait {
    pthread_mutex_t lock; /* guards: over */
    pthread_cond_t came;
    bool over;
};

static inline void fx_wait_open(struct fx_wait *w)
{
    *w = (struct fx_wait){.lock = PTHREAD_MUTEX_INITIALIZER};
    clock_cond_init(&w->came);
}

static inline void fx_wait_end(struct fx_wait *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->over = true;
    (void)pthread_cond_signal(&w->came);
    (void)pthread_mutex_unlock(&w->lock);
}

static inline void fx_wait_for(struct fx_wait *w)
{
    bool in_time = true;

    (void)pthread_mutex_lock(&w->lock);
    while (!w->over && in_time)
        in_time =
            clock_cond_wait(&w->came, &w->lock, clock_mono_ns() + FX_WAIT_NS);
    (void)pthread_mutex_unlock(&w->lock);
    assert_true(in_time);
}

/* All that is due has been worked off. */
static inline void fx_settle(struct fx *f)
{
    assert_true(
        pipeline_settle(f->app->pipeline, clock_mono_ns() + FX_WAIT_NS));
}

/* ---- writes ---- */

/* An operation of app/ on the writer's thread. */
typedef rc fx_op(struct fx *f, struct db *db, void *arg, struct err *e);

struct fx_write {
    struct app_write write;
    struct fx *fx;
    fx_op *op;
    void *arg;
    struct fx_wait wait;
};

static inline rc fx_write_run(struct app_write *w, struct db *db, struct err *e)
{
    struct fx_write *x = w->context;

    return x->op(x->fx, db, x->arg, e);
}

static inline void fx_write_done(struct app_write *w)
{
    fx_wait_end(&((struct fx_write *)w->context)->wait);
}

static inline rc fx_write_as(struct fx *f, fx_op *op, void *arg, bool frees,
                             struct err *e)
{
    struct fx_write x = {
        .write = {.run = fx_write_run, .done = fx_write_done, .frees = frees},
        .fx = f,
        .op = op,
        .arg = arg};
    rc code;

    x.write.context = &x;
    fx_wait_open(&x.wait);
    code = app_submit(f->app, &x.write, e);
    if (code != RC_OK)
        return code;
    fx_wait_for(&x.wait);
    *e = x.write.err;
    return x.write.code;
}

static inline rc fx_write(struct fx *f, fx_op *op, void *arg, struct err *e)
{
    return fx_write_as(f, op, arg, false, e);
}

/* One that only deletes: it may run on a full disk. */
static inline rc fx_delete(struct fx *f, fx_op *op, void *arg, struct err *e)
{
    return fx_write_as(f, op, arg, true, e);
}

/* The same in a read session. */
static inline rc fx_read(struct fx *f, fx_op *op, void *arg, struct err *e)
{
    struct db *db;
    rc code = app_read_begin(f->app, &db, e);

    if (code != RC_OK)
        return code;
    code = op(f, db, arg, e);
    app_read_end(db);
    return code;
}

/* ---- bases ---- */

static inline rc fx_base_op(struct fx *f, struct db *db, void *arg,
                            struct err *e)
{
    struct base *b = arg;
    struct base_in in = {
        .set = {.name = true}, .name = STR("base"), .embedding_dimensions = -1};

    return app_base_add(f->app, &f->who, db, &in, f->out, b, e);
}

static inline uuid fx_base(struct fx *f)
{
    struct err e = {0};
    struct base b;

    fx_ok(fx_write(f, fx_base_op, &b, &e), &e);
    return b.id;
}

/* ---- ingest ---- */

struct fx_ingest {
    struct intake_call call;
    struct fx_wait wait;
};

static inline void fx_ingest_done(struct intake_call *c)
{
    fx_wait_end(&((struct fx_ingest *)c->context)->wait);
}

/* RC_OK: *i holds the job and the results. */
static inline rc fx_ingest(struct fx *f, const struct intake *in,
                           struct fx_ingest *i, struct err *e)
{
    rc code;

    *i = (struct fx_ingest){
        .call = {
            .who = &f->who, .in = in, .out = f->out, .done = fx_ingest_done}};
    i->call.context = i;
    fx_wait_open(&i->wait);
    code = app_ingest(f->app, &i->call, e);
    if (code != RC_OK)
        return code;
    fx_wait_for(&i->wait);
    *e = i->call.err;
    return i->call.code;
}

static inline struct intake_item fx_item(const char *title, const char *content)
{
    return (struct intake_item){.type = INTAKE_TEXT,
                                .title = str_of(title),
                                .content = str_of(content)};
}

static inline void fx_ingest_items(struct fx *f, uuid base,
                                   struct intake_item *items, size_t n,
                                   struct fx_ingest *i)
{
    struct intake in = {.base = base, .items = items, .items_n = n};
    struct err e = {0};

    fx_ok(fx_ingest(f, &in, i, &e), &e);
}

/* One text, worked off: its document. */
static inline uuid fx_text(struct fx *f, uuid base, const char *title,
                           const char *content)
{
    struct intake_item it = fx_item(title, content);
    struct fx_ingest i;

    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    assert_false(i.call.results[0].duplicate);
    return i.call.results[0].document;
}

/* ---- looking ---- */

struct fx_found {
    struct search_in in;
    struct search_out out;
};

static inline rc fx_search_op(struct fx *f, struct db *db, void *arg,
                              struct err *e)
{
    struct fx_found *s = arg;

    return app_search(f->app, &f->who, db, &s->in, f->out, &s->out, e);
}

static inline struct search_out fx_search(struct fx *f, uuid base,
                                          const char *query)
{
    struct fx_found s = {.in = {.query = str_of(query),
                                .bases = &base,
                                .bases_n = 1,
                                .limit = 10,
                                .alpha = -1}};
    struct err e = {0};

    fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
    return s.out;
}

struct fx_get {
    uuid id;
    void *to;
};

static inline rc fx_document_op(struct fx *f, struct db *db, void *arg,
                                struct err *e)
{
    struct fx_get *g = arg;

    return app_document_get(f->app, &f->who, db, g->id, f->out, g->to, e);
}

static inline struct document fx_document(struct fx *f, uuid id)
{
    struct document d;
    struct err e = {0};

    fx_ok(fx_read(f, fx_document_op, &(struct fx_get){id, &d}, &e), &e);
    return d;
}

static inline rc fx_job_op(struct fx *f, struct db *db, void *arg,
                           struct err *e)
{
    struct fx_get *g = arg;

    return app_job_get(f->app, &f->who, db, g->id, f->out, g->to, e);
}

static inline struct job fx_job(struct fx *f, uuid id)
{
    struct job j;
    struct err e = {0};

    fx_ok(fx_read(f, fx_job_op, &(struct fx_get){id, &j}, &e), &e);
    return j;
}

static inline rc fx_items_op(struct fx *f, struct db *db, void *arg,
                             struct err *e)
{
    struct fx_get *g = arg;
    struct app_page_end end;
    size_t n;

    return app_job_logs(f->app, &f->who, db, g->id, &(struct app_page){0},
                        f->out, g->to, &n, &end, e);
}

/* With their logs. */
static inline struct job_item *fx_items(struct fx *f, uuid job)
{
    struct job_item *v = NULL;
    struct err e = {0};

    fx_ok(fx_read(f, fx_items_op, &(struct fx_get){job, (void *)&v}, &e), &e);
    return v;
}

struct fx_versions {
    uuid document;
    struct version *v;
    size_t n;
};

static inline rc fx_versions_op(struct fx *f, struct db *db, void *arg,
                                struct err *e)
{
    struct fx_versions *l = arg;

    return app_version_list(f->app, &f->who, db, l->document, f->out, &l->v,
                            &l->n, e);
}

static inline struct fx_versions fx_versions(struct fx *f, uuid document)
{
    struct fx_versions l = {.document = document};
    struct err e = {0};

    fx_ok(fx_read(f, fx_versions_op, &l, &e), &e);
    return l;
}

#endif
