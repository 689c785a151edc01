/* What the tests of store/ share: a fresh folder, writes as plain functions,
 * rows with sensible values. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/io.h"
#include "store/store.h"

#define UNUSED __attribute__((unused))

struct fix {
    char dir[64];
    struct store *s;
    struct arena *a;
    struct err e;
    uuid tenant, base;
};

/* A write that is a function of a context. */
struct doing {
    struct write w;
    rc (*fn)(struct db *db, void *arg, struct err *e);
    void *arg;
};

static UNUSED rc doing_run(struct write *w, struct db *db, struct err *e)
{
    struct doing *d = (struct doing *)w;

    return d->fn(db, d->arg, e);
}

static UNUSED rc do_write(struct store *s,
                          rc (*fn)(struct db *, void *, struct err *),
                          void *arg, struct err *e)
{
    struct doing d = {.w = {.run = doing_run}, .fn = fn, .arg = arg};

    return store_write(s, &d.w, e);
}

static UNUSED void must(rc code, const struct err *e)
{
    if (code != RC_OK)
        fail_msg("%s: %s", rc_name(code), e->text);
}

static UNUSED rc put_base(struct db *db, void *arg, struct err *e)
{
    struct fix *f = arg;
    struct tenant_row t = {.id = f->tenant, .name = STR("acme")};
    struct base_row b = {.id = f->base,
                         .tenant = f->tenant,
                         .name = STR("manuals"),
                         .metadata = STR("{}"),
                         .active = true,
                         .embedding_model = STR("none"),
                         .chunk_size = 256,
                         .retrieval_top_k = 30,
                         .sensitivity = 10};
    rc code = db_tenant_put(db, &t, e);

    return code != RC_OK ? code : db_base_put(db, &b, e);
}

static UNUSED void open_store(struct fix *f)
{
    must(store_open(&(struct store_opts){.dir = f->dir}, &f->s, &f->e), &f->e);
}

static UNUSED void reopen(struct fix *f)
{
    store_close(f->s);
    open_store(f);
}

static UNUSED void fix_open_empty(struct fix *f)
{
    struct err e;

    must(crypto_start(&e), &e);
    *f = (struct fix){.dir = "/tmp/knowd-store-XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    f->a = arena_open();
    f->tenant = uuid_new();
    f->base = uuid_new();
}

static UNUSED void fix_open(struct fix *f)
{
    fix_open_empty(f);
    open_store(f);
    must(do_write(f->s, put_base, f, &f->e), &f->e);
}

static UNUSED void fix_close(struct fix *f)
{
    char command[96];

    io_plan_set(NULL);
    store_close(f->s);
    arena_close(f->a);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    assert_int_equal(system(command), 0);
}

/* ---- one document as intake queues it ---- */

struct intake_doc {
    struct fix *f;
    uuid document, version, job;
    str text;
    struct blob_writer *body;
    struct blob_ref ref;
};

static UNUSED void intake_prepare(struct fix *f, struct intake_doc *d, str text)
{
    *d = (struct intake_doc){.f = f, .text = text};
    d->document = uuid_new();
    d->version = uuid_new();
    d->job = uuid_new();
    must(blob_writer_open(f->s, &d->body, &f->e), &f->e);
    must(blob_put(d->body, text.p, text.n, &f->e), &f->e);
    must(blob_end(d->body, &d->ref, &f->e), &f->e);
}

static UNUSED rc intake_write(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct fix *f = d->f;
    int64_t now = clock_wall_ms();
    rc code = blob_use(db, d->body, e);

    if (code == RC_OK)
        code = db_document_put(
            db,
            &(struct document_row){.id = d->document,
                                   .base = f->base,
                                   .tenant = f->tenant,
                                   .title = STR("a title of a document"),
                                   .metadata = STR("{}"),
                                   .source_type = STR("text"),
                                   .state = VERSION_PENDING,
                                   .created_ms = now,
                                   .updated_ms = now},
            e);
    if (code == RC_OK)
        code = db_version_put(db,
                              &(struct version_row){.id = d->version,
                                                    .document = d->document,
                                                    .base = f->base,
                                                    .tenant = f->tenant,
                                                    .number = 1,
                                                    .state = VERSION_PENDING,
                                                    .source_type = STR("text"),
                                                    .metadata = STR("{}"),
                                                    .original = d->ref,
                                                    .created_ms = now},
                              e);
    if (code == RC_OK)
        code = db_job_put(db,
                          &(struct job_row){.id = d->job,
                                            .base = f->base,
                                            .tenant = f->tenant,
                                            .kind = STR("bulk"),
                                            .title = STR("a title"),
                                            .total = 1,
                                            .created_ms = now},
                          e);
    if (code == RC_OK)
        code = db_item_put(db,
                           &(struct item_row){.job = d->job,
                                              .base = f->base,
                                              .tenant = f->tenant,
                                              .document = d->document,
                                              .version = d->version,
                                              .title = STR("a title")},
                           e);
    if (code == RC_OK)
        code = db_event(db,
                        &(struct event){.tenant = f->tenant,
                                        .base = f->base,
                                        .object = d->document,
                                        .kind = "document.created"},
                        e);
    return code;
}

static UNUSED rc delete_doc(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;

    return db_document_delete(db, d->f->tenant, d->f->base, d->document, e);
}

/* Prepared, written and closed; what stays in *d are the ids and the hash. */
static UNUSED void intake(struct fix *f, struct intake_doc *d, str text)
{
    intake_prepare(f, d, text);
    must(do_write(f->s, intake_write, d, &f->e), &f->e);
    blob_writer_close(d->body);
    d->body = NULL;
}

/* n bytes that don't repeat, told apart by the seed. */
static UNUSED str noise(struct fix *f, size_t n, uint64_t seed)
{
    char *p = arena_alloc(f->a, n);
    uint64_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        p[i] = (char)('a' + (x >> 33) % 26);
    }
    return (str){p, n};
}

#endif
