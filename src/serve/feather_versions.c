#include "serve/feather_priv.h"

static const struct field TEXT_ITEM = {.name = "", .type = FIELD_STRING};

static const struct field VERSION_FIELDS[] = {
    OUT_UUID("id"),
    OUT_UUID("document_id"),
    OUT_INT("version_number"),
    OUT_STR("state"),
    OUT_STR_OR_NULL("scan_status"),
    OUT_STR("source_type"),
    {.name = "source_url",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true},
    OUT_STR_OR_NULL("filename"),
    OUT_INT("chunk_count"),
    OUT_INT("token_count"),
    {.name = "error_message",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true},
    OUT_OBJECT("metadata"),
    OUT_TIME("created_at"),
    {.name = "processed_at",
     .type = FIELD_TIME,
     .required = true,
     .nullable = true},
    OUT_STR_OR_NULL("download_url"),
    OUT_STR_OR_NULL("governance_status"),
    OUT_TIME_OR_NULL("expires_at"),
    OUT_STR_OR_NULL("pii_status"),
    OUT_STR_OR_NULL("sensitivity"),
    OUT_INT_OR_NULL("pii_detection_count"),
    {.name = "pii_entity_types",
     .type = FIELD_LIST,
     .nullable = true,
     .item = &TEXT_ITEM},
    OUT_STR_OR_NULL("pii_coverage_status"),
    OUT_TIME_OR_NULL("pii_scrubbed_at"),
    OUT_STR_OR_NULL("safe_title"),
    FEATHER_EXTRACTION_FIELD,
    OUT_END,
};
static const struct model VERSION = {.name = "DocumentVersionResponse",
                                     .fields = VERSION_FIELDS};

static const struct field PROMOTE_FIELDS[] = {
    {.name = "version_id",
     .type = FIELD_UUID,
     .required = true,
     .prefix = "ver"},
    {0},
};
static const struct model PROMOTE = {.name = "PromoteRequest",
                                     .fields = PROMOTE_FIELDS};

static const struct field PROMOTED_FIELDS[] = {
    OUT_UUID("document_id"),
    OUT_UUID("active_version_id"),
    OUT_UUID_OR_NULL("previous_version_id"),
    OUT_END,
};
static const struct model PROMOTED = {.name = "PromoteResponse",
                                      .fields = PROMOTED_FIELDS};

static const struct field RELEASE_FIELDS[] = {
    {.name = "reason",
     .type = FIELD_STRING,
     .required = true,
     .length_min = 1,
     .length_max = 2000},
    {0},
};
static const struct model RELEASE = {.name = "ReleaseRequest",
                                     .fields = RELEASE_FIELDS};

static const struct field RELEASED_FIELDS[] = {
    OUT_STR("status"),
    OUT_UUID("document_id"),
    OUT_UUID_OR_NULL("released_version_id"),
    OUT_UUID_OR_NULL("new_job_id"),
    OUT_END,
};
static const struct model RELEASED = {.name = "ReleaseResponse",
                                      .fields = RELEASED_FIELDS};

static const struct field CONFIRMED_FIELDS[] = {
    OUT_UUID("document_id"),
    OUT_UUID("version_id"),
    OUT_STR("review_status"),
    OUT_END,
};
static const struct model CONFIRMED = {.name = "ConfirmQuarantineResponse",
                                       .fields = CONFIRMED_FIELDS};

static void put_version(struct out *o, const struct version *v, bool whole)
{
    out_begin(o, NULL);
    out_uuid(o, "id", v->id);
    out_uuid(o, "document_id", v->document);
    out_uint(o, "version_number", v->number);
    out_cstr(o, "state", v->state);
    out_null(o, "scan_status");
    out_str(o, "source_type", v->source_type);
    out_str_or_null(o, "source_url", v->source_url);
    out_str_or_null(o, "filename", v->filename);
    out_uint(o, "chunk_count", v->chunk_count);
    out_uint(o, "token_count", v->token_count);
    out_str_or_null(o, "error_message", v->error);
    out_json(o, "metadata", v->metadata);
    out_time(o, "created_at", v->created_ms);
    out_time_or_null(o, "processed_at", v->processed_ms);
    out_str_or_null(o, "download_url", v->download_url);
    out_null(o, "governance_status");
    out_null(o, "expires_at");
    out_null(o, "pii_status");
    out_null(o, "sensitivity");
    out_null(o, "pii_detection_count");
    out_null(o, "pii_entity_types");
    out_null(o, "pii_coverage_status");
    out_null(o, "pii_scrubbed_at");
    out_null(o, "safe_title");
    if (whole)
        feather_put_extraction(o, &v->extraction);
    out_end(o);
}

static rc version_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct version *v;
    size_t n;
    rc code = app_version_list(q->app, &q->who, q->db, q->ids[0], q->arena, &v,
                               &n, e);

    if (code != RC_OK)
        return code;
    out_begin_list(&o, NULL);
    for (size_t i = 0; i < n; i++)
        put_version(&o, &v[i], false);
    out_end_list(&o);
    return feather_end(r, e);
}

static rc version_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct version v;
    rc code = app_version_get(q->app, &q->who, q->db, q->ids[0], q->texts[1],
                              q->arena, &v, e);

    if (code != RC_OK)
        return code;
    put_version(&o, &v, true);
    return feather_end(r, e);
}

static rc version_delete(struct request *q, struct reply *r, struct err *e)
{
    (void)r;
    return app_version_delete(q->app, &q->who, q->db, q->ids[0], q->ids[1], e);
}

static rc version_promote(struct request *q, struct reply *r, struct err *e)
{
    uuid version = feather_uuid(q, in_str(q->body, "version_id"), "ver");
    uuid previous = UUID_NIL;
    struct out o = feather_out(r);
    rc code = app_version_promote(q->app, &q->who, q->db, q->ids[0], version,
                                  &previous, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid(&o, "document_id", q->ids[0]);
    out_uuid(&o, "active_version_id", version);
    out_uuid_or_null(&o, "previous_version_id", previous);
    out_end(&o);
    return feather_end(r, e);
}

/* Nothing is ever put in quarantine here, so that both ends of one only find
 * the version and say so. */
static rc not_quarantined(struct request *q, struct reply *r, struct err *e)
{
    struct version v;
    char ref[UUID_TEXT];
    rc code;

    (void)r;
    uuid_text(q->ids[1], ref);
    code = app_version_get(q->app, &q->who, q->db, q->ids[0], str_of(ref),
                           q->arena, &v, e);
    if (code != RC_OK)
        return code;
    (void)err_set(e, RC_INVALID, "this version is not in quarantine");
    return err_name(e, "not_quarantined");
}

#define DOCUMENT_PARAM                                        \
    {                                                         \
        .name = "doc_id", .type = FIELD_UUID, .prefix = "doc" \
    }
#define VERSION_PARAM                                             \
    {                                                             \
        .name = "version_id", .type = FIELD_UUID, .prefix = "ver" \
    }
#define DOCUMENT_PATH FEATHER_PREFIX "/documents/{doc_id}"

const struct route FEATHER_VERSION_ROUTES[] = {
    {
        .method = "GET",
        .pattern = DOCUMENT_PATH "/versions",
        .params = {DOCUMENT_PARAM},
        .access = ACCESS_READ,
        .object = "document",
        .answer = &VERSION,
        .answer_list = true,
        .success = 200,
        .handle = version_list,
        .operation = "listDocumentVersions",
        .doc = "List all versions of a document",
    },
    {
        .method = "GET",
        .pattern = DOCUMENT_PATH "/versions/{ref}",
        .params = {DOCUMENT_PARAM, {.name = "ref", .type = FIELD_STRING}},
        .access = ACCESS_READ,
        .object = "version",
        .answer = &VERSION,
        .success = 200,
        .handle = version_get,
        .operation = "getDocumentVersion",
        .doc = "Get a version by UUID, version number, or alias",
    },
    {
        .method = "DELETE",
        .pattern = DOCUMENT_PATH "/versions/{version_id}",
        .params = {DOCUMENT_PARAM, VERSION_PARAM},
        .access = ACCESS_MANAGE,
        .object = "version",
        .writes = true,
        .frees = true,
        .success = 204,
        .handle = version_delete,
        .operation = "deleteDocumentVersion",
        .doc = "Delete a specific version (blocked if active)",
    },
    {
        .method = "POST",
        .pattern = DOCUMENT_PATH "/promote",
        .params = {DOCUMENT_PARAM},
        .access = ACCESS_MANAGE,
        .object = "document",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &PROMOTE,
        .answer = &PROMOTED,
        .success = 200,
        .handle = version_promote,
        .operation = "promoteDocumentVersion",
        .doc = "Promote a version to active",
    },
    {
        .method = "POST",
        .pattern = DOCUMENT_PATH "/versions/{version_id}/release",
        .params = {DOCUMENT_PARAM, VERSION_PARAM},
        .access = ACCESS_MANAGE,
        .object = "version",
        .body_kind = BODY_JSON,
        .body = &RELEASE,
        .answer = &RELEASED,
        .success = 200,
        .handle = not_quarantined,
        .operation = "releaseQuarantinedVersion",
        .doc = "Release a quarantined version",
    },
    {
        .method = "POST",
        .pattern = DOCUMENT_PATH "/versions/{version_id}/confirm-quarantine",
        .params = {DOCUMENT_PARAM, VERSION_PARAM},
        .access = ACCESS_MANAGE,
        .object = "version",
        .answer = &CONFIRMED,
        .success = 200,
        .handle = not_quarantined,
        .operation = "confirmQuarantinedVersion",
        .doc = "Confirm that a quarantined version stays out",
    },
    {0},
};
