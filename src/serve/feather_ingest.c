#include "base/json.h"
#include "serve/feather_priv.h"
#include "serve/ingest.h"
#include "serve/manifest.h"

static const char *const RESULTS[] = {"queued", "duplicate", NULL};

static const struct field ITEM_FIELDS[] = {
    OUT_INT("manifest_index"),
    {.name = "result",
     .type = FIELD_LITERAL,
     .required = true,
     .values = RESULTS},
    OUT_UUID_OR_NULL("document_id"),
    OUT_UUID_OR_NULL("duplicate_of_document_id"),
    OUT_UUID_OR_NULL("duplicate_of_version_id"),
    OUT_STR_OR_NULL("duplicate_of_document_title"),
    OUT_END,
};
static const struct model ITEM = {.name = "IngestResultItem",
                                  .fields = ITEM_FIELDS};
static const struct field ITEM_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &ITEM};

static const struct field ANSWER_FIELDS[] = {
    OUT_UUID("ingestion_job_id"), OUT_LIST("items", &ITEM_ITEM), OUT_END};
static const struct model ANSWER = {.name = "IngestResponse",
                                    .fields = ANSWER_FIELDS};

/* The body of the request as OpenAPI shows it; manifest.c checks it. */
static const struct field FILE_ITEM = {
    .name = "", .type = FIELD_STRING, .doc = "The bytes of one file."};
static const struct field FORM_FIELDS[] = {
    {.name = "manifest",
     .type = FIELD_STRING,
     .required = true,
     .doc = "A JSON array of ManifestText and ManifestFile."},
    {.name = "files", .type = FIELD_LIST, .item = &FILE_ITEM},
    {0},
};
static const struct model FORM = {.name = "IngestForm", .fields = FORM_FIELDS};

struct ingest {
    struct request *q;
    struct reply *r;
    struct intake in;
    struct intake_call call;
};

static void put_result(struct out *o, size_t i, const struct intake_result *res)
{
    out_begin(o, NULL);
    out_uint(o, "manifest_index", i);
    out_cstr(o, "result", res->duplicate ? "duplicate" : "queued");
    out_uuid_or_null(o, "document_id", res->document);
    out_uuid_or_null(o, "duplicate_of_document_id", res->duplicate_document);
    out_uuid_or_null(o, "duplicate_of_version_id", res->duplicate_version);
    if (res->duplicate)
        out_str(o, "duplicate_of_document_title", res->duplicate_title);
    else
        out_null(o, "duplicate_of_document_title");
    out_end(o);
}

static rc put_answer(struct reply *r, const struct intake_call *c,
                     struct err *e)
{
    struct out o = feather_out(r);

    out_begin(&o, NULL);
    out_uuid(&o, "ingestion_job_id", c->job);
    out_begin_list(&o, "items");
    for (size_t i = 0; i < c->in->items_n; i++)
        put_result(&o, i, &c->results[i]);
    out_end_list(&o);
    out_end(&o);
    return feather_end(r, e);
}

/* The intake's faults begin at an item: put them where the caller sent it. */
static void place_faults(const struct faults *from, struct faults *to)
{
    for (size_t i = 0; i < from->n; i++) {
        struct fault f = from->v[i];

        ASSERT(f.path_len + 2 <= FAULT_PATH_MAX);
        memmove(f.path + 2, f.path, f.path_len * sizeof f.path[0]);
        f.path[0] = (struct path_step){.name = STR("body")};
        f.path[1] = (struct path_step){.name = STR("manifest")};
        f.path_len += 2;
        faults_add(to, &f);
    }
}

static void ingest_done(struct intake_call *c)
{
    struct ingest *g = c->context;
    struct err e = c->err;
    rc code = c->code;

    if (code == RC_OK)
        code = put_answer(g->r, c, &e);
    else
        place_faults(&c->faults, g->r->faults);
    request_finish(g->q, g->r, code, &e);
}

static rc no_manifest(struct reply *r, struct err *e)
{
    struct place body = place_of(STR("body"));
    struct place at = place_in(&body, STR("manifest"));

    fault_add(r->faults, &at, REASON_MISSING, 0, 0, STR_NONE, NULL);
    return err_set(e, RC_INVALID, "the manifest part is missing");
}

static rc ingest(struct request *q, struct reply *r, struct err *e)
{
    struct multipart_body *m = q->multipart;
    struct ingest *g = ARENA_NEW(q->arena, struct ingest);
    rc code;

    if (!m->has_manifest)
        return no_manifest(r, e);
    code = manifest_read(buf_str(&m->manifest), m->filenames, m->uploads_n,
                         q->arena, &q->body, &g->in, r->faults, e);
    if (code != RC_OK)
        return code;
    g->q = q;
    g->r = r;
    g->in.base = q->ids[0];
    g->in.uploads = m->uploads;
    g->in.uploads_n = m->uploads_n;
    g->call = (struct intake_call){.who = &q->who,
                                   .in = &g->in,
                                   .out = q->arena,
                                   .done = ingest_done,
                                   .context = g};
    q->waiting = true; /* it may be done before the call returns */
    code = app_ingest(q->app, &g->call, e);
    if (code != RC_OK) {
        q->waiting = false;
        place_faults(&g->call.faults, r->faults);
    }
    return code;
}

const struct route FEATHER_INGEST_ROUTES[] = {
    {
        .method = "POST",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}/ingest",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_MANAGE,
        .object = "base",
        .body_kind = BODY_MULTIPART,
        .body = &FORM,
        .answer = &ANSWER,
        .success = 202,
        .handle = ingest,
        .operation = "bulkIngest",
        .doc = "Ingest documents (text, files, or mixed)",
    },
    {0},
};
