/* engine_fix: a store and an engine in a temporary folder, and documents made
 * of lines: each line is a paragraph and a chunk, "# …" begins a heading. */
#ifndef TESTS_ENGINE_FIX_H
#define TESTS_ENGINE_FIX_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "text/utf8.h"

struct fix {
    char dir[64];
    struct store *store;
    struct engine *engine;
    uuid tenant, base;
    struct arena *a;
    bool quiet;                      /* no merges */
    size_t exact_rows_max, rescored; /* as engine_opts has them */
    int64_t verify_ns;
    void (*on_missing)(void *arg, uuid base);
    void (*on_lacking)(void *arg, uuid base);
    void *arg;
    const struct model_info *model; /* rows get its keys; NULL: none */
};

static inline void must(rc code, const struct err *e)
{
    if (code != RC_OK)
        fail_msg("%s: %s", rc_name(code), e->text);
}

static inline int fix_remove_one(const char *path, const struct stat *st,
                                 int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void fix_remove(const char *dir)
{
    (void)nftw(dir, fix_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline rc fix_try_open(struct fix *f, struct err *e)
{
    struct store_opts so = {.dir = f->dir};
    rc code = store_open(&so, &f->store, e);

    if (code == RC_OK)
        code = engine_open(
            &(struct engine_opts){.store = f->store,
                                  .merges = !f->quiet,
                                  .exact_rows_max = f->exact_rows_max,
                                  .rescored = f->rescored,
                                  .verify_ns = f->verify_ns,
                                  .on_missing = f->on_missing,
                                  .on_lacking = f->on_lacking,
                                  .arg = f->arg},
            &f->engine, e);
    return code;
}

static inline void fix_open(struct fix *f)
{
    struct err e = {0};

    must(fix_try_open(f, &e), &e);
}

static inline void fix_close(struct fix *f)
{
    engine_close(f->engine);
    store_close(f->store);
    f->engine = NULL;
    f->store = NULL;
}

static inline void fix_reopen(struct fix *f)
{
    fix_close(f);
    fix_open(f);
}

struct base_write {
    struct write write;
    uuid tenant, base;
    bool tenant_too, drop;
};

static inline rc base_write_run(struct write *w, struct db *db, struct err *e)
{
    struct base_write *b = (struct base_write *)w;
    char name[UUID_TEXT];
    struct tenant_row t = {
        .id = b->tenant, .name = STR("tenant"), .created_ms = 1};
    struct base_row r = {
        .id = b->base,
        .tenant = b->tenant,
        .metadata = STR("{}"),
        .active = true,
        .embedding_model = STR("none"),
        .chunk_size = 256,
        .created_ms = 1,
        .updated_ms = 1,
    };
    rc code = RC_OK;

    if (b->drop)
        return db_base_delete(db, b->tenant, b->base, e);
    uuid_text(b->base, name);
    r.name = str_of(name);
    if (b->tenant_too)
        code = db_tenant_put(db, &t, e);
    return code == RC_OK ? db_base_put(db, &r, e) : code;
}

static inline uuid fix_base(struct fix *f, bool tenant_too)
{
    struct base_write w = {.write = {.run = base_write_run},
                           .tenant = f->tenant,
                           .base = uuid_new(),
                           .tenant_too = tenant_too};
    struct err e = {0};

    must(store_write(f->store, &w.write, &e), &e);
    return w.base;
}

static inline void fix_base_delete(struct fix *f, uuid base)
{
    struct base_write w = {.write = {.run = base_write_run},
                           .tenant = f->tenant,
                           .base = base,
                           .drop = true};
    struct err e = {0};

    must(store_write(f->store, &w.write, &e), &e);
}

static inline void fix_make(struct fix *f, bool quiet)
{
    *f = (struct fix){.quiet = quiet};
    /* Where an fsync costs nothing, if there is such a place. */
    (void)snprintf(f->dir, sizeof f->dir, "%s/knowd-engine-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->a = arena_open();
    f->tenant = uuid_new();
    fix_open(f);
    f->base = fix_base(f, true);
}

static inline void fix_end(struct fix *f)
{
    fix_close(f);
    arena_close(f->a);
    fix_remove(f->dir);
}

/* ---- documents ---- */

struct made {
    struct doc doc;
    struct chunks chunks;
};

static inline void doc_make(struct arena *a, str text, struct made *m)
{
    size_t blocks_cap = 0, chunks_cap = 0, at = 0, cp = 0;
    uint32_t heading = HEADING_NONE;
    str rest = text, line;

    *m = (struct made){.doc = {.text = text, .extractor_version = 1}};
    m->doc.text_cp = utf8_count(text);
    while (rest.n > 0) {
        bool is_heading;
        size_t line_cp;
        struct block b;

        (void)str_cut(rest, '\n', &line, &rest);
        line_cp = utf8_count(line);
        is_heading = str_starts(line, STR("# "));
        b = (struct block){
            .kind = is_heading ? BLOCK_HEADING : BLOCK_PARAGRAPH,
            .level = is_heading ? 1 : 0,
            .start = at,
            .end = at + line.n,
            .start_cp = cp,
            .end_cp = cp + line_cp,
            .heading = is_heading ? HEADING_NONE : heading,
        };
        if (is_heading)
            heading = (uint32_t)m->doc.blocks_n;
        ARENA_PUSH(a, m->doc.blocks, m->doc.blocks_n, blocks_cap, b);
        if (!is_heading)
            ARENA_PUSH(a, m->chunks.v, m->chunks.n, chunks_cap,
                       ((struct chunk){.start = b.start,
                                       .end = b.end,
                                       .start_cp = b.start_cp,
                                       .end_cp = b.end_cp,
                                       .heading = heading,
                                       .page = 1,
                                       .box = {1, 2, 3, 4}}));
        at += line.n + 1;
        cp += line_cp + 1;
    }
}

struct put {
    struct write write;
    struct fix *f;
    struct engine_batch *batch;
    uuid base, document, version, former;
    uint32_t number;
    str title, text;
    enum version_state state;
    bool again; /* only indexed again: rows are there */
    bool gone;  /* the commit is to fail */
    struct blob_writer *blob;
    struct blob_ref ref;
};

static inline rc put_rows(struct put *p, struct db *db, struct err *e)
{
    struct document_row d = {
        .id = p->document,
        .base = p->base,
        .tenant = p->f->tenant,
        .title = p->title,
        .metadata = STR("{}"),
        .source_type = STR("text"),
        .state = VERSION_PENDING,
        .created_ms = 1,
        .updated_ms = 1,
    };
    struct version_row v = {
        .id = p->version,
        .document = p->document,
        .base = p->base,
        .tenant = p->f->tenant,
        .number = p->number,
        .state = VERSION_PENDING,
        .source_type = STR("text"),
        .metadata = STR("{}"),
        .original = p->ref,
        .created_ms = 1,
    };
    rc code = blob_use(db, p->blob, e);

    if (code == RC_OK && p->number == 1)
        code = db_document_put(db, &d, e);
    if (code == RC_OK)
        code = db_version_put(db, &v, e);
    v.state = p->state;
    v.text = p->ref;
    v.blocks = p->ref;
    v.has_text = true;
    if (code == RC_OK)
        code = db_version_update(db, &v, e);
    if (code != RC_OK)
        return code;
    if (p->state == VERSION_ACTIVE && !uuid_is_nil(p->former)) {
        struct version_row was;

        code = db_version_get(db, p->f->tenant, p->base, p->former, p->f->a,
                              &was, e);
        was.state = VERSION_ARCHIVED;
        if (code == RC_OK)
            code = db_version_update(db, &was, e);
    }
    if (code == RC_OK && p->state == VERSION_ACTIVE) {
        code = db_document_get(db, p->f->tenant, p->base, p->document, p->f->a,
                               &d, e);
        d.active_version = p->version;
        d.state = VERSION_ACTIVE;
        if (code == RC_OK)
            code = db_document_update(db, &d, e);
    }
    return code;
}

static inline rc put_run(struct write *w, struct db *db, struct err *e)
{
    struct put *p = (struct put *)w;
    rc code = p->again ? RC_OK : put_rows(p, db, e);

    if (code == RC_OK)
        code = engine_batch_commit(p->batch, db, e);
    if (code == RC_OK && p->gone)
        code = err_set(e, RC_CONFLICT, "as the test wants it");
    return code;
}

static inline rc put_try(struct put *p, struct err *e)
{
    struct made m;
    rc code;

    doc_make(p->f->a, p->text, &m);
    p->batch = NULL;
    p->write = (struct write){.run = put_run};
    code = blob_writer_open(p->f->store, &p->blob, e);
    if (code != RC_OK)
        return code;
    code = blob_put(p->blob, p->text.p, p->text.n, e);
    if (code == RC_OK)
        code = blob_end(p->blob, &p->ref, e);
    if (code == RC_OK)
        code = engine_batch_open(p->f->engine, p->base, &p->batch, e);
    if (code == RC_OK && p->f->model != NULL)
        engine_batch_keyed(p->batch, &p->f->model->identity);
    if (code == RC_OK)
        code = engine_batch_add(p->batch,
                                &(struct engine_doc){
                                    .version = p->version,
                                    .document = p->document,
                                    .number = p->number,
                                    .title = p->title,
                                    .doc = &m.doc,
                                    .chunks = &m.chunks,
                                },
                                e);
    if (code == RC_OK)
        code = engine_batch_write(p->batch, e);
    if (code == RC_OK)
        code = store_write(p->f->store, &p->write, e);
    engine_batch_close(p->batch);
    blob_writer_close(p->blob);
    return code;
}

static inline struct put put_of(struct fix *f, uuid base, const char *title,
                                const char *text)
{
    return (struct put){
        .f = f,
        .base = base,
        .document = uuid_new(),
        .version = uuid_new(),
        .number = 1,
        .title = str_of(title),
        .text = str_of(text),
        .state = VERSION_ACTIVE,
    };
}

/* A new document in this base. */
static inline struct put fix_put(struct fix *f, uuid base, const char *title,
                                 const char *text)
{
    struct put p = put_of(f, base, title, text);
    struct err e = {0};

    must(put_try(&p, &e), &e);
    return p;
}

/* The next version of it. */
static inline struct put fix_update(const struct put *was, const char *text,
                                    enum version_state state)
{
    struct put p = *was;
    struct err e = {0};

    p.former = was->version;
    p.version = uuid_new();
    p.number = was->number + 1;
    p.text = str_of(text);
    p.state = state;
    must(put_try(&p, &e), &e);
    return p;
}

struct drop {
    struct write write;
    struct fix *f;
    uuid base, document;
};

static inline rc drop_doc_run(struct write *w, struct db *db, struct err *e)
{
    struct drop *d = (struct drop *)w;

    return db_document_delete(db, d->f->tenant, d->base, d->document, e);
}

static inline rc drop_try(const struct put *p, struct err *e)
{
    struct drop d = {.write = {.run = drop_doc_run, .frees = true},
                     .f = p->f,
                     .base = p->base,
                     .document = p->document};

    return store_write(p->f->store, &d.write, e);
}

static inline void fix_delete(const struct put *p)
{
    struct err e = {0};

    must(drop_try(p, &e), &e);
}

/* ---- searches ---- */

static inline rc search_try(struct fix *f, const struct engine_query *q,
                            struct engine_result *r, struct err *e)
{
    struct db *db;
    rc code = store_read_begin(f->store, &db, e);

    if (code != RC_OK)
        return code;
    code = engine_search(f->engine, db, NULL, q, f->a, r, e);
    store_read_end(db);
    return code;
}

static inline struct engine_result fix_search(struct fix *f,
                                              struct engine_query q)
{
    struct engine_result r;
    struct err e = {0};

    if (q.bases == NULL) {
        q.bases = &f->base;
        q.bases_n = 1;
    }
    if (q.hits_max == 0)
        q.hits_max = 30;
    must(search_try(f, &q, &r, &e), &e);
    return r;
}

/* How many chunks of the base have this. */
static inline size_t fix_count(struct fix *f, const char *query)
{
    return fix_search(f, (struct engine_query){.text = str_of(query),
                                               .hits_max = 1000})
        .hits_n;
}

static inline void fix_settle(struct fix *f)
{
    struct err e = {0};

    must(engine_settle(f->engine, clock_mono_ns() + (int64_t)60 * 1000000000,
                       &e),
         &e);
}

static inline void fix_print(void *arg, const char *line)
{
    (void)arg;
    print_message("%s\n", line);
}

static inline void fix_quiet_print(void *arg, const char *line)
{
    (void)arg;
    (void)line;
}

static inline uint64_t fix_check(struct fix *f, bool tell)
{
    struct err e = {0};
    uint64_t found = 0;

    must(engine_check(f->store, true, tell ? fix_print : fix_quiet_print, NULL,
                      &found, &e),
         &e);
    return found;
}

#endif
