#include "app/intake.h"

#include "app/hub_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/queue.h"

/* Calls that wait for the intake threads; more are told to come again. */
#define INTAKE_SLOTS 256
/* Up to here a body is hashed on the thread that asks. */
#define DIRECT_BYTES_MAX MIB

/* ---- uploads ---- */

struct upload {
    struct app *app;
    struct blob_writer *writer;
};

rc upload_open(struct app *a, struct upload **u, struct err *e)
{
    struct upload *made = mem_alloc(sizeof *made);
    rc code = blob_writer_open(a->store, &made->writer, e);

    made->app = a;
    *u = made;
    if (code != RC_OK) {
        mem_free(made);
        *u = NULL;
    }
    return code;
}

rc upload_put(struct upload *u, const void *p, size_t n, struct err *e)
{
    uint64_t have = blob_writer_bytes(u->writer);

    if (n > u->app->limits.upload_bytes_max ||
        have > u->app->limits.upload_bytes_max - n)
        return err_set(e, RC_LIMIT, "a file has more than %zu bytes",
                       u->app->limits.upload_bytes_max);
    return blob_put(u->writer, p, n, e);
}

uint64_t upload_bytes(const struct upload *u)
{
    return blob_writer_bytes(u->writer);
}

void upload_close(struct upload *u)
{
    if (u == NULL)
        return;
    blob_writer_close(u->writer);
    mem_free(u);
}

/* ---- one call ---- */

/* What becomes of one item. */
struct intake_state {
    struct blob_writer *writer; /* the upload's, or `own` */
    struct blob_writer *own;    /* of an inline text */
    struct blob_ref ref;
    /* decided inside the write */
    enum job_status status;
    uuid document, version;
};

struct intake_run {
    struct app *app;
    struct intake_call *call;
    struct intake_state *items;
};

static void intake_fault(struct intake_call *c, size_t item, str field,
                         enum reason reason, const char *note)
{
    faults_add(&c->faults,
               &(struct fault){.path = {{.index = item}, {.name = field}},
                               .path_len = 2,
                               .reason = reason,
                               .note = str_of(note)});
}

static rc intake_faulty(struct intake_call *c, struct err *e)
{
    if (c->faults.n == 0)
        return RC_OK;
    return err_set(e, RC_INVALID, "the manifest has faults");
}

static void text_check(const struct app *a, struct intake_call *c, size_t i)
{
    const struct intake_item *it = &c->in->items[i];
    size_t bytes_max = a->limits.content_bytes_max;

    if (str_blank(it->title))
        intake_fault(c, i, STR("title"), REASON_MISSING, "");
    if (str_blank(it->content))
        intake_fault(c, i, STR("content"), REASON_VALUE,
                     "content must not be blank");
    if (it->content.n > bytes_max)
        intake_fault(c, i, STR("content"), REASON_VALUE,
                     arena_fmt(c->out,
                               "content is over %zu bytes: send it as a file",
                               bytes_max)
                         .p);
}

static void file_check(struct intake_call *c, size_t i, bool *used)
{
    const struct intake_item *it = &c->in->items[i];

    if (it->upload >= c->in->uploads_n)
        intake_fault(c, i, STR("file_index"), REASON_VALUE,
                     "no such part in files");
    else if (used[it->upload])
        intake_fault(c, i, STR("file_index"), REASON_VALUE,
                     "another item names the same part");
    else
        used[it->upload] = true;
    if (str_blank(it->title) && str_blank(it->filename))
        intake_fault(c, i, STR("title"), REASON_VALUE,
                     "a file without a name needs a title");
}

/* What serve's parser promises, held here for every other caller. */
static rc intake_check(const struct app *a, struct intake_call *c,
                       struct err *e)
{
    const struct intake *in = c->in;
    bool *used = ARENA_ARRAY(c->out, bool, in->uploads_n);

    if (in->items_n == 0)
        return err_set(e, RC_INVALID, "a manifest has an item at least");
    if (in->items_n > a->limits.manifest_items_max)
        return err_set(e, RC_LIMIT, "the manifest has %zu items, limit %zu",
                       in->items_n, a->limits.manifest_items_max);
    for (size_t i = 0; i < in->items_n; i++) {
        const struct intake_item *it = &in->items[i];

        switch (it->type) {
        case INTAKE_TEXT:
            text_check(a, c, i);
            break;
        case INTAKE_FILE:
            file_check(c, i, used);
            break;
        }
        if (it->metadata.n > METADATA_BYTES_MAX)
            intake_fault(c, i, STR("metadata"), REASON_VALUE,
                         "metadata is over 64 KiB");
        if (it->external_id.n > EXTERNAL_ID_BYTES_MAX)
            intake_fault(c, i, STR("external_id"), REASON_VALUE,
                         "external_id is over 512 bytes");
    }
    for (size_t u = 0; u < in->uploads_n; u++)
        if (!used[u]) {
            faults_add(&c->faults,
                       &(struct fault){.reason = REASON_VALUE,
                                       .note = STR("a part in files is named "
                                                   "by no item")});
            break;
        }
    return intake_faulty(c, e);
}

/* ---- bodies ---- */

/* Makes every body durable; for large ones this waits for the disk. */
static rc intake_bodies(struct intake_run *r, struct err *e)
{
    const struct intake *in = r->call->in;
    rc code;

    for (size_t i = 0; i < in->items_n; i++) {
        const struct intake_item *it = &in->items[i];
        struct intake_state *s = &r->items[i];

        if (it->type == INTAKE_FILE) {
            s->writer = in->uploads[it->upload]->writer;
        } else {
            if ((code = blob_writer_open(r->app->store, &s->own, e)) != RC_OK ||
                (code = blob_put(s->own, it->content.p, it->content.n, e)) !=
                    RC_OK)
                return code;
            s->writer = s->own;
        }
        if ((code = blob_end(s->writer, &s->ref, e)) != RC_OK)
            return code;
    }
    return RC_OK;
}

/* Whether a body waits for the disk or takes long to hash. */
static bool intake_is_direct(const struct intake *in)
{
    uint64_t sum = 0, n;

    for (size_t i = 0; i < in->items_n; i++) {
        n = in->items[i].type == INTAKE_TEXT
                ? in->items[i].content.n
                : upload_bytes(in->uploads[in->items[i].upload]);
        if (n > BLOB_INLINE_BYTES_MAX)
            return false;
        sum += n;
    }
    return sum <= DIRECT_BYTES_MAX;
}

/* ---- the write ---- */

static bool counts_as_present(enum version_state s)
{
    return s != VERSION_ARCHIVED && s != VERSION_FAILED;
}

/* The document an item is to be a version of; *there false: a new one. */
static rc item_target(struct intake_run *r, struct db *db, size_t i,
                      struct arena *tmp, struct document_row *d, bool *there,
                      struct err *e)
{
    struct intake_call *c = r->call;
    const struct intake_item *it = &c->in->items[i];
    uuid base, tenant = c->who->tenant;
    rc code;

    *there = false;
    if (it->has_document) {
        code =
            db_object_find(db, tenant, OBJECT_DOCUMENT, it->document, &base, e);
        if (code == RC_NOTFOUND ||
            (code == RC_OK && !uuid_eq(base, c->in->base))) {
            intake_fault(c, i, STR("document_id"), REASON_VALUE,
                         "no such document");
            return err_set(e, RC_NOTFOUND,
                           "item %zu: no such document in this knowledge base",
                           i);
        }
        if (code != RC_OK ||
            (code = db_document_get(db, tenant, base, it->document, tmp, d,
                                    e)) != RC_OK)
            return code;
        *there = true;
        if (it->external_id.n > 0 && !str_eq(it->external_id, d->external_id))
            intake_fault(c, i, STR("external_id"), REASON_VALUE,
                         "external_id is not that of document_id");
        return intake_faulty(c, e);
    }
    if (it->external_id.n == 0)
        return RC_OK;
    return maybe(db_document_by_external_id(db, tenant, c->in->base,
                                            it->external_id, tmp, d, e),
                 there);
}

static void item_is_duplicate(struct intake_run *r, size_t i,
                              const struct version_row *v, str title)
{
    struct intake_result *res = &r->call->results[i];

    r->items[i].status = JOB_DUPLICATE;
    res->duplicate = true;
    res->duplicate_document = v->document;
    res->duplicate_version = v->id;
    res->duplicate_title = arena_str(r->call->out, title);
}

/* Whether the document has this content in a version that counts. */
static void duplicate_in_document(struct intake_run *r, size_t i,
                                  const struct document_row *d,
                                  const struct version_row *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (counts_as_present(v[k].state) &&
            sha256_eq(&v[k].original.sha, &r->items[i].ref.sha)) {
            item_is_duplicate(r, i, &v[k], d->title);
            return;
        }
}

static rc duplicate_in_base(struct intake_run *r, struct db *db, size_t i,
                            struct arena *tmp, struct err *e)
{
    const struct intake_call *c = r->call;
    struct document_row d;
    struct version_row v;
    bool there;
    rc code;

    code = maybe(db_version_by_content(db, c->who->tenant, c->in->base,
                                       &r->items[i].ref.sha, tmp, &v, e),
                 &there);
    if (code != RC_OK || !there)
        return code;
    if ((code = db_document_get(db, c->who->tenant, c->in->base, v.document,
                                tmp, &d, e)) == RC_OK)
        item_is_duplicate(r, i, &v, d.title);
    return code;
}

static str item_title(const struct intake_item *it)
{
    return str_blank(it->title) ? it->filename : it->title;
}

static rc document_new(struct intake_run *r, struct db *db, size_t i,
                       struct document_row *d, int64_t now, struct err *e)
{
    const struct intake_call *c = r->call;
    const struct intake_item *it = &c->in->items[i];

    *d = (struct document_row){
        .id = uuid_new(),
        .base = c->in->base,
        .tenant = c->who->tenant,
        .title = item_title(it),
        .metadata = it->metadata.n > 0 ? it->metadata : STR("{}"),
        .external_id = it->external_id.n > 0 ? it->external_id : STR_NONE,
        .source_type = it->type == INTAKE_FILE ? STR("file") : STR("text"),
        .state = VERSION_PENDING,
        .created_ms = now,
        .updated_ms = now};
    return document_enter(c->who, db, d, e);
}

/* A title and metadata given with a version are the document's from now on,
 * except with a draft. */
static rc document_next(struct intake_run *r, struct db *db, size_t i,
                        struct document_row *d, int64_t now, struct err *e)
{
    const struct intake_item *it = &r->call->in->items[i];

    if (!it->draft && !str_blank(it->title))
        d->title = it->title;
    if (!it->draft && it->metadata.n > 0)
        d->metadata = it->metadata;
    if (uuid_is_nil(d->active_version))
        d->state = VERSION_PENDING;
    d->updated_ms = now;
    return db_document_update(db, d, e);
}

static rc version_new(struct intake_run *r, struct db *db, size_t i,
                      const struct document_row *d, uint32_t number,
                      int64_t now, struct err *e)
{
    const struct intake_call *c = r->call;
    const struct intake_item *it = &c->in->items[i];
    struct intake_state *s = &r->items[i];
    struct version_row v = {
        .id = uuid_new(),
        .document = d->id,
        .base = d->base,
        .tenant = d->tenant,
        .number = number,
        .state = VERSION_PENDING,
        .draft = it->draft,
        .source_type = it->type == INTAKE_FILE ? STR("file") : STR("text"),
        .filename = it->type == INTAKE_FILE ? it->filename : STR_NONE,
        .mime = it->type == INTAKE_FILE ? STR_NONE : STR("text/plain"),
        .metadata = it->metadata.n > 0 ? it->metadata : STR("{}"),
        .original = s->ref,
        .created_ms = now};
    rc code;

    s->document = d->id;
    s->version = v.id;
    s->status = JOB_QUEUED;
    r->call->results[i].document = d->id;
    if ((code = blob_use(db, s->writer, e)) != RC_OK ||
        (code = db_version_put(db, &v, e)) != RC_OK)
        return code;
    return number == 1
               ? RC_OK
               : app_event(db, c->who, d->base, v.id, "version.created", e);
}

static rc item_put(struct intake_run *r, struct db *db, size_t i, int64_t now,
                   struct arena *tmp, struct err *e)
{
    const struct intake_call *c = r->call;
    const struct intake_item *it = &c->in->items[i];
    uint32_t number = 1;
    struct version_row *v = NULL;
    struct document_row d;
    size_t n = 0;
    bool there;
    rc code;

    c->results[i] = (struct intake_result){0};
    if ((code = item_target(r, db, i, tmp, &d, &there, e)) != RC_OK)
        return code;
    if (there) {
        if ((code = db_version_list(db, d.tenant, d.base, d.id, tmp, &v, &n,
                                    e)) != RC_OK)
            return code;
        duplicate_in_document(r, i, &d, v, n);
        number = n > 0 ? v[0].number + 1 : 1;
    }
    if (!c->results[i].duplicate && it->external_id.n == 0 &&
        (code = duplicate_in_base(r, db, i, tmp, e)) != RC_OK)
        return code;
    if (c->results[i].duplicate)
        return RC_OK;
    code = there ? document_next(r, db, i, &d, now, e)
                 : document_new(r, db, i, &d, now, e);
    return code != RC_OK ? code : version_new(r, db, i, &d, number, now, e);
}

static rc job_put(struct intake_run *r, struct db *db, int64_t now,
                  struct err *e)
{
    struct intake_call *c = r->call;
    const struct intake *in = c->in;
    struct job_row j = {.id = uuid_new(),
                        .base = in->base,
                        .tenant = c->who->tenant,
                        .kind = STR("bulk"),
                        .title = item_title(&in->items[0]),
                        .total = in->items_n,
                        .created_ms = now};
    rc code;

    c->job = j.id;
    for (size_t i = 0; i < in->items_n; i++)
        j.counts[r->items[i].status]++;
    if ((code = db_job_put(db, &j, e)) != RC_OK)
        return code;
    for (size_t i = 0; i < in->items_n; i++) {
        const struct intake_state *s = &r->items[i];
        bool dup = s->status == JOB_DUPLICATE;
        struct item_row row = {
            .job = j.id,
            .base = j.base,
            .tenant = j.tenant,
            .index = (uint32_t)i,
            .document = dup ? UUID_NIL : s->document,
            .version = dup ? UUID_NIL : s->version,
            .duplicate_document = c->results[i].duplicate_document,
            .duplicate_version = c->results[i].duplicate_version,
            .title = item_title(&in->items[i]),
            .status = s->status,
            .stage = dup ? STAGE_DONE : STAGE_QUEUED,
            .run_at_ms = now,
            .completed_ms = dup ? now : 0,
            .counted = true};

        if ((code = db_item_put(db, &row, e)) != RC_OK)
            return code;
    }
    return app_event(db, c->who, j.base, j.id, "job.created", e);
}

static rc intake_write(struct app_write *w, struct db *db, struct err *e)
{
    struct intake_run *r = w->context;
    struct intake_call *c = r->call;
    struct arena *tmp = arena_open();
    struct arena_mark empty = arena_mark(tmp);
    int64_t now = clock_wall_ms();
    uuid base;
    rc code;

    c->faults.n = 0;
    code =
        db_object_find(db, c->who->tenant, OBJECT_BASE, c->in->base, &base, e);
    if (code == RC_NOTFOUND)
        code = err_set(e, code, "no such knowledge base");
    for (size_t i = 0; code == RC_OK && i < c->in->items_n; i++) {
        arena_rewind(tmp, empty);
        code = item_put(r, db, i, now, tmp, e);
    }
    if (code == RC_OK)
        code = job_put(r, db, now, e);
    arena_close(tmp);
    if (code == RC_OK)
        atomic_store(&r->app->items_queued, true);
    return code;
}

/* ---- a text from inside ---- */

static rc text_version(struct db *db, const struct document_row *d,
                       uint32_t number, const struct text_in *in, int64_t now,
                       uuid *version, struct err *e)
{
    struct version_row v = {.id = uuid_new(),
                            .document = d->id,
                            .base = d->base,
                            .tenant = d->tenant,
                            .number = number,
                            .state = VERSION_PENDING,
                            .source_type = str_of(in->source_type),
                            .filename = in->filename,
                            .mime = in->mime,
                            .metadata = STR("{}"),
                            .created_ms = now};
    rc code = blob_add(db, in->content, &v.original, e);

    *version = v.id;
    return code == RC_OK ? db_version_put(db, &v, e) : code;
}

static rc text_job(struct app *a, const struct caller *who, struct db *db,
                   const struct document_row *d, uuid version, struct err *e)
{
    const struct job_new j = {
        .tenant = d->tenant, .base = d->base, .kind = STR("bulk")};
    const struct job_version v = {d->id, version, d->title};
    uuid job;
    rc code = job_add(a, db, &j, &v, 1, &job, e);

    return code == RC_OK ? app_event(db, who, d->base, job, "job.created", e)
                         : code;
}

rc intake_text(struct app *a, const struct caller *who, struct db *db,
               const struct text_in *in, uuid *document, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct arena *tmp = arena_open();
    struct document_row d;
    struct version_row *v;
    uint32_t number = 1;
    bool there = false;
    uuid version;
    size_t n = 0;
    rc code = RC_OK;

    if (!uuid_is_nil(in->document))
        code = maybe(db_document_get(db, who->tenant, in->base, in->document,
                                     tmp, &d, e),
                     &there);
    if (code == RC_OK && there &&
        (code = db_version_list(db, d.tenant, d.base, d.id, tmp, &v, &n, e)) ==
            RC_OK)
        number = n > 0 ? v[0].number + 1 : 1;
    if (code != RC_OK)
        goto done;
    if (there) {
        d.title = in->title;
        if (uuid_is_nil(d.active_version))
            d.state = VERSION_PENDING;
        d.updated_ms = now;
        code = db_document_update(db, &d, e);
    } else {
        d = (struct document_row){.id = uuid_new(),
                                  .base = in->base,
                                  .tenant = who->tenant,
                                  .title = in->title,
                                  .metadata = STR("{}"),
                                  .external_id = STR_NONE,
                                  .source_type = str_of(in->source_type),
                                  .cover = STR_NONE,
                                  .state = VERSION_PENDING,
                                  .created_ms = now,
                                  .updated_ms = now};
        code = document_enter(who, db, &d, e);
    }
    *document = d.id;
    if (code == RC_OK &&
        (code = text_version(db, &d, number, in, now, &version, e)) == RC_OK)
        code = text_job(a, who, db, &d, version, e);
done:
    arena_close(tmp);
    return code;
}

/* ---- from the call to its answer ---- */

static void intake_end(struct intake_run *r)
{
    struct intake_call *c = r->call;
    uint64_t bytes = 0;

    for (size_t i = 0; i < c->in->items_n; i++) {
        if (c->code == RC_OK && !c->results[i].duplicate)
            bytes += r->items[i].ref.bytes;
        blob_writer_close(r->items[i].own);
    }
    atomic_fetch_add(&r->app->count.bytes_ingested, bytes);
    c->done(c);
}

static void intake_written(struct app_write *w)
{
    struct intake_run *r = w->context;

    r->call->code = w->code;
    r->call->err = w->err;
    intake_end(r);
}

/* Bodies, then the write; a failure of either ends the call here. */
static rc intake_go(struct intake_run *r, struct err *e)
{
    rc code = intake_bodies(r, e);

    return code != RC_OK ? code : app_submit(r->app, &r->call->write, e);
}

static void *intake_thread(void *arg)
{
    struct app *a = arg;
    void *item;

    (void)pthread_setname_np(pthread_self(), "intake");
    while (queue_take(a->intake, &item, INT64_MAX) != RC_CANCELLED) {
        struct intake_run *r = item;
        struct err e = {0};
        rc code = intake_go(r, &e);

        if (code == RC_OK)
            continue; /* the write ends the call: it may be gone by now */
        r->call->code = code;
        r->call->err = e;
        intake_end(r);
    }
    return NULL;
}

/* Who may, and what needs no lock, is answered before anything is queued. */
rc app_ingest(struct app *a, struct intake_call *c, struct err *e)
{
    struct intake_run *r;
    rc code;

    c->code = RC_OK;
    c->faults = (struct faults){.arena = c->out};
    if ((code = app_allow(c->who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = intake_check(a, c, e)) != RC_OK)
        return code;
    c->results = ARENA_ARRAY(c->out, struct intake_result, c->in->items_n);
    r = ARENA_NEW(c->out, struct intake_run);
    r->app = a;
    r->call = c;
    r->items = ARENA_ARRAY(c->out, struct intake_state, c->in->items_n);
    c->write = (struct app_write){
        .run = intake_write, .done = intake_written, .context = r};
    if (!intake_is_direct(c->in)) {
        code = queue_put(a->intake, r, 0);
        return code == RC_OK ? RC_OK
                             : err_set(e, RC_BUSY, "too many uploads at once");
    }
    code = intake_go(r, e);
    for (size_t i = 0; code != RC_OK && i < c->in->items_n; i++)
        blob_writer_close(r->items[i].own);
    return code;
}

rc intake_start(struct app *a, struct err *e)
{
    a->intake = queue_open(INTAKE_SLOTS);
    for (size_t i = 0; i < INTAKE_THREADS; i++) {
        int sys = pthread_create(&a->intake_threads[i], NULL, intake_thread, a);

        if (sys != 0)
            return err_errno(e, RC_BUSY, sys, "cannot start a thread");
        a->intake_threads_n++;
    }
    return RC_OK;
}

void intake_stop(struct app *a)
{
    if (a->intake == NULL)
        return;
    queue_end(a->intake);
    for (size_t i = 0; i < a->intake_threads_n; i++)
        (void)pthread_join(a->intake_threads[i], NULL);
    queue_close(a->intake);
    a->intake = NULL;
}
