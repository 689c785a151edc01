#include "app/models.h"
#include "serve/feather_priv.h"

/* ---- what they look like ---- */

static const struct field INT_ITEM = {.name = "", .type = FIELD_INT};

static const struct field MODEL_FIELDS[] = {
    OUT_STR("name"),
    OUT_STR("provider"),
    OUT_LIST("dimensions", &INT_ITEM),
    OUT_INT("default_dimensions"),
    OUT_END,
};
static const struct model EMBEDDING_MODEL = {.name = "EmbeddingModelOption",
                                             .fields = MODEL_FIELDS};
static const struct field MODEL_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &EMBEDDING_MODEL};

static const struct field DEFAULT_FIELDS[] = {
    OUT_STR("embedding_model"),
    OUT_INT("embedding_dimensions"),
    OUT_INT("chunk_size"),
    OUT_INT("chunk_overlap"),
    OUT_INT("retrieval_top_k"),
    OUT_STR("pdf_extraction_effort"),
    OUT_END,
};
static const struct model DEFAULTS = {.name = "KBConfigDefaults",
                                      .fields = DEFAULT_FIELDS};

static const struct field CONFIG_FIELDS[] = {
    OUT_LIST("embedding_models", &MODEL_ITEM),
    OUT_LIST("chunk_sizes", &INT_ITEM),
    OUT_LIST("chunk_overlaps", &INT_ITEM),
    {.name = "retrieval_top_k_range",
     .type = FIELD_MAP,
     .required = true,
     .item = &INT_ITEM},
    {.name = "defaults",
     .type = FIELD_MODEL,
     .required = true,
     .model = &DEFAULTS},
    OUT_END,
};
static const struct model CONFIG = {.name = "KBConfigResponse",
                                    .fields = CONFIG_FIELDS};

static const char *const EFFORTS[] = {"low", NULL};

#define BASE_SETTINGS                                                      \
    {.name = "description", .type = FIELD_STRING, .nullable = true},       \
        {.name = "metadata", .type = FIELD_OBJECT, .nullable = true},      \
        {.name = "chunk_size", .type = FIELD_INT, .nullable = true},       \
        {.name = "chunk_overlap", .type = FIELD_INT, .nullable = true},    \
        {.name = "retrieval_top_k", .type = FIELD_INT, .nullable = true},  \
        {.name = "pdf_extraction_effort",                                  \
         .type = FIELD_LITERAL,                                            \
         .nullable = true,                                                 \
         .values = EFFORTS},                                               \
        {.name = "default_sensitivity_level",                              \
         .type = FIELD_INT,                                                \
         .nullable = true,                                                 \
         .doc = "0 public, 10 internal, 20 confidential, 30 restricted."}, \
    {                                                                      \
        .name = "retrieval_alpha", .type = FIELD_NUMBER, .nullable = true, \
        .min = BOUND(0.0), .max = BOUND(1.0),                              \
        .doc = "An addition of knowd: weight of the vectors in searches "  \
               "of this base alone that name no alpha; null: 0.5."         \
    }

static const struct field CREATE_FIELDS[] = {
    {.name = "name", .type = FIELD_STRING, .required = true, .nonblank = true},
    {.name = "embedding_model", .type = FIELD_STRING, .nullable = true},
    {.name = "embedding_dimensions", .type = FIELD_INT, .nullable = true},
    BASE_SETTINGS,
    {0},
};
static const struct model CREATE = {.name = "KnowledgeBaseCreate",
                                    .fields = CREATE_FIELDS};

static const struct field UPDATE_FIELDS[] = {
    {.name = "name", .type = FIELD_STRING, .nullable = true, .nonblank = true},
    {.name = "is_active", .type = FIELD_BOOL, .nullable = true},
    BASE_SETTINGS,
    {0},
};
static const struct model UPDATE = {
    .name = "KnowledgeBaseUpdate", .strict = true, .fields = UPDATE_FIELDS};

static const char *const STATUSES[] = {"none", "missing", "installed", NULL};
static const struct field BASE_FIELDS[] = {
    OUT_UUID("id"),
    OUT_UUID("organization_id"),
    OUT_STR("name"),
    {.name = "description",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true},
    OUT_BOOL("is_active"),
    OUT_OBJECT("metadata"),
    OUT_INT("document_count"),
    OUT_STR("embedding_model"),
    OUT_INT("embedding_dimensions"),
    OUT_INT("chunk_size"),
    OUT_INT("chunk_overlap"),
    OUT_INT("retrieval_top_k"),
    OUT_INT("default_sensitivity_level"),
    OUT_OBJECT("processing_config"),
    OUT_STR("pdf_extraction_effort"),
    OUT_TIME("created_at"),
    OUT_TIME("updated_at"),
    {.name = "retrieval_alpha",
     .type = FIELD_NUMBER,
     .required = true,
     .nullable = true,
     .doc = "An addition of knowd: weight of the vectors in searches of this "
            "base alone that name no alpha; null: 0.5."},
    {.name = "embedding_status",
     .type = FIELD_LITERAL,
     .required = true,
     .values = STATUSES,
     .doc = "An addition of knowd. missing: the model is not installed, so "
            "the base is searched by words."},
    OUT_END,
};
const struct model FEATHER_BASE = {.name = "KnowledgeBaseResponse",
                                   .fields = BASE_FIELDS};
static const struct field BASE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &FEATHER_BASE};
PAGE_MODEL(BASE_PAGE, "CursorPage_KnowledgeBaseResponse_", &BASE_ITEM);

static const struct field COUNT_FIELDS[] = {
    OUT_UUID("knowledge_base_id"),
    OUT_INT("pending"),
    OUT_INT("processing"),
    OUT_INT("active"),
    OUT_INT("draft"),
    OUT_INT("archived"),
    OUT_INT("failed"),
    OUT_INT("quarantined"),
    OUT_INT("total"),
    OUT_END,
};
static const struct model COUNTS = {.name = "IngestionStatusResponse",
                                    .fields = COUNT_FIELDS};

void feather_put_base(struct out *o, const char *name, const struct base *b)
{
    out_begin(o, name);
    out_uuid(o, "id", b->id);
    out_uuid(o, "organization_id", b->tenant);
    out_str(o, "name", b->name);
    out_str_or_null(o, "description", b->description);
    out_bool(o, "is_active", b->active);
    out_json(o, "metadata", b->metadata);
    out_uint(o, "document_count", b->document_count);
    out_str(o, "embedding_model", b->embedding_model);
    out_uint(o, "embedding_dimensions", b->embedding_dimensions);
    out_uint(o, "chunk_size", b->chunk_size);
    out_uint(o, "chunk_overlap", b->chunk_overlap);
    out_uint(o, "retrieval_top_k", b->top_k);
    out_int(o, "default_sensitivity_level", b->sensitivity);
    out_begin(o, "processing_config");
    out_end(o);
    out_cstr(o, "pdf_extraction_effort", "low");
    out_time(o, "created_at", b->created_ms);
    out_time(o, "updated_at", b->updated_ms);
    if (b->has_alpha)
        out_num(o, "retrieval_alpha", b->alpha);
    else
        out_null(o, "retrieval_alpha");
    out_cstr(o, "embedding_status", b->model_status);
    out_end(o);
}

/* ---- handlers ---- */

static void put_offered(struct out *o, const struct app_model *m)
{
    out_begin(o, NULL);
    out_str(o, "name", m->name);
    out_cstr(o, "provider", "knowd");
    out_begin_list(o, "dimensions");
    out_uint(o, NULL, m->dims);
    out_end_list(o);
    out_uint(o, "default_dimensions", m->dims);
    out_end(o);
}

static rc config_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct app_model *models;
    size_t n, preferred;

    app_models_offered(q->app, q->arena, &models, &n, &preferred);
    out_begin(&o, NULL);
    out_begin_list(&o, "embedding_models");
    for (size_t i = 0; i < n; i++)
        put_offered(&o, &models[i]);
    out_end_list(&o);
    out_begin_list(&o, "chunk_sizes");
    for (size_t i = 0; i < CHUNK_SIZES_N; i++)
        out_uint(&o, NULL, CHUNK_SIZES[i]);
    out_end_list(&o);
    out_begin_list(&o, "chunk_overlaps");
    for (size_t i = 0; i < CHUNK_OVERLAPS_N; i++)
        out_uint(&o, NULL, CHUNK_OVERLAPS[i]);
    out_end_list(&o);
    out_begin(&o, "retrieval_top_k_range");
    out_int(&o, "min", TOP_K_MIN);
    out_int(&o, "max", TOP_K_MAX);
    out_end(&o);
    out_begin(&o, "defaults");
    out_str(&o, "embedding_model",
            n > 0 ? models[preferred].name : STR("none"));
    out_uint(&o, "embedding_dimensions", n > 0 ? models[preferred].dims : 0);
    out_int(&o, "chunk_size", CHUNK_SIZE_DEFAULT);
    out_int(&o, "chunk_overlap", CHUNK_OVERLAP_DEFAULT);
    out_int(&o, "retrieval_top_k", TOP_K_DEFAULT);
    out_cstr(&o, "pdf_extraction_effort", "low");
    out_end(&o);
    out_end(&o);
    return feather_end(r, e);
}

/* Null leaves a setting as it is, except what may be null, which it clears. */
static struct base_in base_in_of(const struct request *q)
{
    const json_t *b = q->body;

    return (struct base_in){
        .set =
            {
                .name = in_has(b, "name"),
                .description = json_object_get(b, "description") != NULL,
                .metadata = in_has(b, "metadata"),
                .active = in_has(b, "is_active"),
                .chunk_size = in_has(b, "chunk_size"),
                .chunk_overlap = in_has(b, "chunk_overlap"),
                .top_k = in_has(b, "retrieval_top_k"),
                .sensitivity = in_has(b, "default_sensitivity_level"),
                .alpha = json_object_get(b, "retrieval_alpha") != NULL,
            },
        .name = in_str(b, "name"),
        .description = in_str(b, "description"),
        .metadata = in_json(q->arena, b, "metadata"),
        .active = in_bool(b, "is_active", true),
        .embedding_model = in_str(b, "embedding_model"),
        .embedding_dimensions = in_int(b, "embedding_dimensions", -1),
        .chunk_size = in_int(b, "chunk_size", 0),
        .chunk_overlap = in_int(b, "chunk_overlap", 0),
        .top_k = in_int(b, "retrieval_top_k", 0),
        .sensitivity = in_int(b, "default_sensitivity_level", 0),
        .alpha = in_num(b, "retrieval_alpha", -1),
    };
}

static rc answer_base(struct reply *r, const struct base *b, struct err *e)
{
    struct out o = feather_out(r);

    feather_put_base(&o, NULL, b);
    return feather_end(r, e);
}

static rc base_add(struct request *q, struct reply *r, struct err *e)
{
    struct base_in in = base_in_of(q);
    struct base b;
    rc code = app_base_add(q->app, &q->who, q->db, &in, q->arena, &b, e);

    return code == RC_OK ? answer_base(r, &b, e) : code;
}

static rc base_get(struct request *q, struct reply *r, struct err *e)
{
    struct base b;
    rc code = app_base_get(q->app, &q->who, q->db, q->ids[0], q->arena, &b, e);

    return code == RC_OK ? answer_base(r, &b, e) : code;
}

static rc base_update(struct request *q, struct reply *r, struct err *e)
{
    struct base_in in = base_in_of(q);
    struct base b;
    rc code = app_base_update(q->app, &q->who, q->db, q->ids[0], &in, q->arena,
                              &b, e);

    return code == RC_OK ? answer_base(r, &b, e) : code;
}

static rc base_delete(struct request *q, struct reply *r, struct err *e)
{
    (void)r;
    return app_base_delete(q->app, &q->who, q->db, q->ids[0], e);
}

static rc base_list(struct request *q, struct reply *r, struct err *e)
{
    struct app_page page = feather_page(q);
    struct app_page_end end;
    struct out o = feather_out(r);
    struct base *v;
    size_t n;
    rc code =
        app_base_list(q->app, &q->who, q->db, &page, q->arena, &v, &n, &end, e);

    if (code != RC_OK)
        return code;
    feather_items(&o);
    for (size_t i = 0; i < n; i++)
        feather_put_base(&o, NULL, &v[i]);
    return feather_items_end(r, &o, &end, e);
}

static rc base_counts(struct request *q, struct reply *r, struct err *e)
{
    struct base_counts c;
    struct out o = feather_out(r);
    rc code = app_base_counts(q->app, &q->who, q->db, q->ids[0], &c, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid(&o, "knowledge_base_id", q->ids[0]);
    out_uint(&o, "pending", c.pending);
    out_uint(&o, "processing", c.processing);
    out_uint(&o, "active", c.active);
    out_uint(&o, "draft", c.draft);
    out_uint(&o, "archived", c.archived);
    out_uint(&o, "failed", c.failed);
    out_uint(&o, "quarantined", c.quarantined);
    out_uint(&o, "total",
             c.pending + c.processing + c.active + c.draft + c.archived +
                 c.failed + c.quarantined);
    out_end(&o);
    return feather_end(r, e);
}

#define BASE_ID                                                 \
    {                                                           \
        {                                                       \
            .name = "kb_id", .type = FIELD_UUID, .prefix = "kb" \
        }                                                       \
    }

const struct route FEATHER_BASE_ROUTES[] = {
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/config",
        .access = ACCESS_READ,
        .answer = &CONFIG,
        .success = 200,
        .handle = config_get,
        .operation = "getKnowledgeBaseConfig",
        .doc = "Get available KB configuration options",
    },
    {
        .method = "POST",
        .pattern = FEATHER_PREFIX "/knowledge-bases",
        .access = ACCESS_MANAGE,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CREATE,
        .answer = &FEATHER_BASE,
        .success = 201,
        .handle = base_add,
        .operation = "createKnowledgeBase",
        .doc = "Create a knowledge base",
    },
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/knowledge-bases",
        .access = ACCESS_READ,
        .query = &FEATHER_PAGE_QUERY,
        .answer = &BASE_PAGE,
        .success = 200,
        .handle = base_list,
        .operation = "listKnowledgeBases",
        .doc = "List knowledge bases",
    },
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}",
        .params = BASE_ID,
        .access = ACCESS_READ,
        .object = "base",
        .answer = &FEATHER_BASE,
        .success = 200,
        .handle = base_get,
        .operation = "getKnowledgeBase",
        .doc = "Get a knowledge base",
    },
    {
        .method = "PUT",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}",
        .params = BASE_ID,
        .access = ACCESS_MANAGE,
        .object = "base",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &UPDATE,
        .answer = &FEATHER_BASE,
        .success = 200,
        .handle = base_update,
        .operation = "updateKnowledgeBase",
        .doc = "Update a knowledge base",
    },
    {
        .method = "DELETE",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}",
        .params = BASE_ID,
        .access = ACCESS_MANAGE,
        .object = "base",
        .writes = true,
        .frees = true,
        .success = 204,
        .handle = base_delete,
        .operation = "deleteKnowledgeBase",
        .doc = "Delete a knowledge base",
    },
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}/ingestion-status",
        .params = BASE_ID,
        .access = ACCESS_READ,
        .object = "base",
        .answer = &COUNTS,
        .success = 200,
        .handle = base_counts,
        .operation = "getIngestionStatus",
        .doc = "Get aggregate ingestion status for a knowledge base",
    },
    {0},
};
