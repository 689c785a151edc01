#include "serve/feather_priv.h"

static const struct field DOCUMENT_FIELDS[] = {
    OUT_UUID("id"),
    OUT_UUID("knowledge_base_id"),
    OUT_UUID("organization_id"),
    OUT_STR("title"),
    OUT_OBJECT("metadata"),
    {.name = "external_id",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "An addition of knowd: only on documents that have one."},
    OUT_TIME("created_at"),
    OUT_TIME("updated_at"),
    OUT_UUID_OR_NULL("active_version_id"),
    OUT_INT_OR_NULL("version_number"),
    OUT_STR_OR_NULL("state"),
    OUT_STR_OR_NULL("scan_status"),
    OUT_STR_OR_NULL("source_type"),
    OUT_INT_OR_NULL("chunk_count"),
    OUT_INT_OR_NULL("token_count"),
    OUT_INT_OR_NULL("segment_count"),
    OUT_INT("version_count"),
    OUT_STR_OR_NULL("download_url"),
    OUT_STR_OR_NULL("normalized_download_url"),
    OUT_STR("sensitivity"),
    OUT_INT("sensitivity_level"),
    OUT_STR_OR_NULL("pii_status"),
    OUT_STR_OR_NULL("safe_title"),
    OUT_STR_OR_NULL("pii_sensitivity"),
    OUT_STR_OR_NULL("pii_coverage_status"),
    FEATHER_EXTRACTION_FIELD,
    OUT_END,
};
static const struct model DOCUMENT = {.name = "DocumentResponse",
                                      .fields = DOCUMENT_FIELDS};
static const struct field DOCUMENT_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &DOCUMENT};
PAGE_MODEL(DOCUMENT_PAGE, "CursorPage_DocumentResponse_", &DOCUMENT_ITEM);

static const char *something_given(const json_t *o)
{
    return in_has(o, "title") || in_has(o, "metadata")
               ? NULL
               : "at least one of title and metadata must be given";
}

static const struct field PATCH_FIELDS[] = {
    {.name = "title",
     .type = FIELD_STRING,
     .nullable = true,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    {.name = "metadata",
     .type = FIELD_OBJECT,
     .nullable = true,
     .doc = "Replaces what was there."},
    {0},
};
static const struct model PATCH = {.name = "DocumentPatch",
                                   .strict = true,
                                   .fields = PATCH_FIELDS,
                                   .rule = something_given};

static void put_count(struct out *o, const char *name, bool known, uint64_t n)
{
    if (known)
        out_uint(o, name, n);
    else
        out_null(o, name);
}

static void put_document(struct out *o, const struct document *d, bool whole)
{
    out_begin(o, NULL);
    out_uuid(o, "id", d->id);
    out_uuid(o, "knowledge_base_id", d->base);
    out_uuid(o, "organization_id", d->tenant);
    out_str(o, "title", d->title);
    out_json(o, "metadata", d->metadata);
    if (d->external_id.n > 0)
        out_str(o, "external_id", d->external_id);
    out_time(o, "created_at", d->created_ms);
    out_time(o, "updated_at", d->updated_ms);
    out_uuid_or_null(o, "active_version_id", d->active_version);
    put_count(o, "version_number", d->version_number > 0, d->version_number);
    out_cstr(o, "state", d->state);
    out_null(o, "scan_status");
    out_str_or_null(o, "source_type", d->source_type);
    put_count(o, "chunk_count", d->processed, d->chunk_count);
    put_count(o, "token_count", d->processed, d->token_count);
    out_null(o, "segment_count");
    out_uint(o, "version_count", d->version_count);
    out_str_or_null(o, "download_url", d->download_url);
    out_str_or_null(o, "normalized_download_url", d->normalized_download_url);
    out_cstr(o, "sensitivity", feather_sensitivity(d->sensitivity));
    out_int(o, "sensitivity_level", d->sensitivity);
    out_null(o, "pii_status");
    out_null(o, "safe_title");
    out_null(o, "pii_sensitivity");
    out_null(o, "pii_coverage_status");
    if (whole)
        feather_put_extraction(o, &d->extraction);
    out_end(o);
}

static rc answer_document(struct reply *r, const struct document *d,
                          struct err *e)
{
    struct out o = feather_out(r);

    put_document(&o, d, true);
    return feather_end(r, e);
}

static rc document_list(struct request *q, struct reply *r, struct err *e)
{
    struct app_page page = feather_page(q);
    struct app_page_end end;
    struct out o = feather_out(r);
    struct document *v;
    size_t n;
    rc code = app_document_list(q->app, &q->who, q->db, q->ids[0], &page,
                                q->arena, &v, &n, &end, e);

    if (code != RC_OK)
        return code;
    feather_items(&o);
    for (size_t i = 0; i < n; i++)
        put_document(&o, &v[i], false);
    return feather_items_end(r, &o, &end, e);
}

static rc document_get(struct request *q, struct reply *r, struct err *e)
{
    struct document d;
    rc code =
        app_document_get(q->app, &q->who, q->db, q->ids[0], q->arena, &d, e);

    return code == RC_OK ? answer_document(r, &d, e) : code;
}

static rc document_patch(struct request *q, struct reply *r, struct err *e)
{
    struct document_in in = {
        .set_title = in_has(q->body, "title"),
        .set_metadata = in_has(q->body, "metadata"),
        .title = in_str(q->body, "title"),
        .metadata = in_json(q->arena, q->body, "metadata"),
    };
    struct document d;
    rc code = app_document_update(q->app, &q->who, q->db, q->ids[0], &in,
                                  q->arena, &d, e);

    return code == RC_OK ? answer_document(r, &d, e) : code;
}

static rc document_delete(struct request *q, struct reply *r, struct err *e)
{
    (void)r;
    return app_document_delete(q->app, &q->who, q->db, q->ids[0], e);
}

#define DOCUMENT_ID                                               \
    {                                                             \
        {                                                         \
            .name = "doc_id", .type = FIELD_UUID, .prefix = "doc" \
        }                                                         \
    }

const struct route FEATHER_DOCUMENT_ROUTES[] = {
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}/documents",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_READ,
        .object = "base",
        .query = &FEATHER_PAGE_QUERY,
        .answer = &DOCUMENT_PAGE,
        .success = 200,
        .handle = document_list,
        .operation = "listDocuments",
        .doc = "List documents in a knowledge base",
    },
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/documents/{doc_id}",
        .params = DOCUMENT_ID,
        .access = ACCESS_READ,
        .object = "document",
        .answer = &DOCUMENT,
        .success = 200,
        .handle = document_get,
        .operation = "getDocument",
        .doc = "Get a document",
    },
    {
        .method = "PATCH",
        .pattern = FEATHER_PREFIX "/documents/{doc_id}",
        .params = DOCUMENT_ID,
        .access = ACCESS_MANAGE,
        .object = "document",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &PATCH,
        .answer = &DOCUMENT,
        .success = 200,
        .handle = document_patch,
        .operation = "patchDocument",
        .doc = "Update a document's title and/or metadata",
    },
    {
        .method = "DELETE",
        .pattern = FEATHER_PREFIX "/documents/{doc_id}",
        .params = DOCUMENT_ID,
        .access = ACCESS_MANAGE,
        .object = "document",
        .writes = true,
        .frees = true,
        .success = 204,
        .handle = document_delete,
        .operation = "deleteDocument",
        .doc = "Delete a document",
    },
    {0},
};
