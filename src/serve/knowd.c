/* knowd's own routes: what scripts, the command line and tests need and no
 * vendor offers. */
#include "app/keys.h"
#include "app/models.h"
#include "app/web.h"
#include "serve/feather_priv.h"

static const struct field KEY_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_min = 1,
     .length_max = 255},
    {.name = "tenant",
     .type = FIELD_STRING,
     .nullable = true,
     .nonblank = true,
     .length_max = 255,
     .doc = "The organization's name; made if it is new."},
    {.name = "scopes",
     .type = FIELD_LIST,
     .nullable = true,
     .item = &FEATHER_SCOPE_ITEM,
     .length_max = 16,
     .doc = "None: everything the creating key may do."},
    {0},
};
static const struct model KEY = {
    .name = "KnowdKeyRequest", .strict = true, .fields = KEY_FIELDS};

static const struct field MADE_FIELDS[] = {
    OUT_STR("key"), OUT_UUID("key_id"), OUT_UUID("organization_id"), OUT_END};
static const struct model MADE = {.name = "KnowdKeyResponse",
                                  .fields = MADE_FIELDS};

static rc key_add(struct request *q, struct reply *r, struct err *e)
{
    struct key_new in = {.name = in_str(q->body, "name"),
                         .scopes = feather_scopes(q->body),
                         .tenant_name = in_str(q->body, "tenant")};
    struct out o = feather_out(r);
    struct key k;
    uuid tenant;
    str text;
    rc code = app_key_add(q->app, &q->who, q->db, &in, q->arena, &k, &text,
                          &tenant, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_str(&o, "key", text);
    out_uuid(&o, "key_id", k.id);
    out_uuid(&o, "organization_id", tenant);
    out_end(&o);
    reply_header(r, "Cache-Control", STR("no-store"));
    return feather_end(r, e);
}

/* ---- reading again ---- */

static const struct field REPROCESS_FIELDS[] = {
    {.name = "all",
     .type = FIELD_BOOL,
     .preset = "false",
     .doc =
         "Everything; else what an older extractor read, or could not read."},
    {.name = "cursor",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "Where the call before ended."},
    {0},
};
static const struct model REPROCESS = {.name = "KnowdReprocessRequest",
                                       .strict = true,
                                       .fields = REPROCESS_FIELDS};

static const struct field REPROCESSED_FIELDS[] = {
    {.name = "job_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true,
     .doc = "Null where nothing was to be done."},
    OUT_INT("queued"),
    {.name = "next_cursor",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true,
     .doc = "Null at the end of the base."},
    OUT_END,
};
static const struct model REPROCESSED = {.name = "KnowdReprocessResponse",
                                         .fields = REPROCESSED_FIELDS};

static rc reprocess(struct request *q, struct reply *r, struct err *e)
{
    struct reprocess_in in = {.all = in_bool(q->body, "all", false),
                              .cursor = in_str(q->body, "cursor")};
    struct out o = feather_out(r);
    struct reprocess done;
    rc code = app_reprocess(q->app, &q->who, q->db, q->ids[0], &in, q->arena,
                            &done, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid_or_null(&o, "job_id", done.job);
    out_uint(&o, "queued", done.queued);
    out_str_or_null(&o, "next_cursor",
                    done.next_cursor.n > 0 ? done.next_cursor : STR_NONE);
    out_end(&o);
    return feather_end(r, e);
}

/* ---- URLs ---- */

static const struct field URL_FIELDS[] = {
    {.name = "url",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .doc = "http or https; one base has one document of a URL."},
    {.name = "title",
     .type = FIELD_STRING,
     .nullable = true,
     .length_max = TITLE_CHARS_MAX,
     .doc = "None: the page's own."},
    {0},
};
static const struct model URL = {
    .name = "KnowdUrl", .strict = true, .fields = URL_FIELDS};
static const struct field URL_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &URL};
static const struct field URLS_FIELDS[] = {
    {.name = "urls",
     .type = FIELD_LIST,
     .required = true,
     .item = &URL_ITEM,
     .length_min = 1,
     .length_max = URLS_MAX},
    {0},
};
static const struct model URLS = {
    .name = "KnowdUrlsRequest", .strict = true, .fields = URLS_FIELDS};

static const char *const URL_STATUSES[] = {"queued", "duplicate", "refused",
                                           NULL};
static const struct field URL_DONE_FIELDS[] = {
    OUT_STR("url"),
    {.name = "document_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true},
    {.name = "status",
     .type = FIELD_LITERAL,
     .required = true,
     .values = URL_STATUSES,
     .doc = "duplicate: it is being fetched already."},
    {.name = "reason",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true,
     .doc = "Why it was refused."},
    OUT_END,
};
static const struct model URL_DONE = {.name = "KnowdUrlResult",
                                      .fields = URL_DONE_FIELDS};
static const struct field URL_DONE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &URL_DONE};
static const struct field URLS_DONE_FIELDS[] = {
    {.name = "job_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true,
     .doc = "Null where nothing was queued."},
    OUT_INT("queued"),
    OUT_LIST("items", &URL_DONE_ITEM),
    OUT_END,
};
static const struct model URLS_DONE = {.name = "KnowdUrlsResponse",
                                       .fields = URLS_DONE_FIELDS};

static rc urls_add(struct request *q, struct reply *r, struct err *e)
{
    const json_t *urls = json_object_get(q->body, "urls");
    size_t n = json_array_size(urls), queued;
    struct url_in *in = ARENA_ARRAY(q->arena, struct url_in, n);
    struct out o = feather_out(r);
    struct url_added *added;
    uuid job;
    rc code;

    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(urls, i);

        in[i] = (struct url_in){in_str(one, "url"), in_str(one, "title")};
    }
    code = app_urls_add(q->app, &q->who, q->db, q->ids[0], in, n, q->arena,
                        &added, &job, &queued, e);
    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid_or_null(&o, "job_id", job);
    out_uint(&o, "queued", queued);
    out_begin_list(&o, "items");
    for (size_t i = 0; i < n; i++) {
        out_begin(&o, NULL);
        out_str(&o, "url", in[i].url);
        out_uuid_or_null(&o, "document_id", added[i].document);
        out_cstr(&o, "status",
                 added[i].refused.p != NULL ? "refused"
                 : added[i].queued          ? "queued"
                                            : "duplicate");
        out_str_or_null(&o, "reason", added[i].refused);
        out_end(&o);
    }
    out_end_list(&o);
    out_end(&o);
    return feather_end(r, e);
}

/* ---- models ---- */

static const struct field INSTALLED_FIELDS[] = {
    OUT_STR("name"),       OUT_INT("dimensions"),
    OUT_INT("tokens_max"), OUT_STR("license"),
    OUT_INT("bytes"),      OUT_BOOL("default"),
    OUT_INT("bases"),      OUT_END,
};
static const struct model INSTALLED = {.name = "KnowdModel",
                                       .fields = INSTALLED_FIELDS};
static const struct field INSTALLED_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &INSTALLED};
static const struct field MODELS_FIELDS[] = {
    OUT_LIST("models", &INSTALLED_ITEM),
    {.name = "model_dir",
     .type = FIELD_STRING,
     .required = true,
     .nullable = true,
     .doc = "Null where the server was started without models."},
    OUT_END,
};
static const struct model MODELS = {.name = "KnowdModels",
                                    .fields = MODELS_FIELDS};

static void put_model(struct out *o, const struct app_model *m)
{
    out_begin(o, NULL);
    out_str(o, "name", m->name);
    out_uint(o, "dimensions", m->dims);
    out_uint(o, "tokens_max", m->tokens_max);
    out_str(o, "license", m->license);
    out_uint(o, "bytes", m->bytes);
    out_bool(o, "default", m->is_default);
    out_uint(o, "bases", m->bases);
    out_end(o);
}

static rc model_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct app_model *v;
    str dir;
    size_t n;
    rc code = app_model_list(q->app, &q->who, q->db, q->arena, &v, &n, &dir, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_begin_list(&o, "models");
    for (size_t i = 0; i < n; i++)
        put_model(&o, &v[i]);
    out_end_list(&o);
    out_str_or_null(&o, "model_dir", dir);
    out_end(&o);
    return feather_end(r, e);
}

static rc model_add(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct app_model m;
    rc code =
        app_model_add(q->app, &q->who, q->texts[0], q->file.p, q->arena, &m, e);

    if (code != RC_OK)
        return code;
    put_model(&o, &m);
    return feather_end(r, e);
}

static rc model_drop(struct request *q, struct reply *r, struct err *e)
{
    (void)r;
    return app_model_drop(q->app, &q->who, q->texts[0], e);
}

static const char *const MODEL_STATES[] = {"none", "missing", "refining",
                                           "ready", NULL};
static const struct field BASE_STATE_FIELDS[] = {
    OUT_STR("model"),
    OUT_INT("dimensions"),
    {.name = "status",
     .type = FIELD_LITERAL,
     .required = true,
     .values = MODEL_STATES,
     .doc = "missing: not installed, so search is by words; refining: some "
            "documents wait for their vectors."},
    OUT_END,
};
static const struct model BASE_STATE = {.name = "KnowdBaseModel",
                                        .fields = BASE_STATE_FIELDS};

static rc base_model_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct base_model m;
    rc code =
        app_base_model(q->app, &q->who, q->db, q->ids[0], q->arena, &m, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_str(&o, "model", m.model);
    out_uint(&o, "dimensions", m.dims);
    out_cstr(&o, "status", m.status);
    out_end(&o);
    return feather_end(r, e);
}

static const struct field BASE_MODEL_FIELDS[] = {
    {.name = "model",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = MODEL_NAME_BYTES_MAX,
     .doc = "One that is installed, or none."},
    {0},
};
static const struct model BASE_MODEL = {.name = "KnowdBaseModelRequest",
                                        .strict = true,
                                        .fields = BASE_MODEL_FIELDS};
static const struct field BASE_MODEL_SET_FIELDS[] = {
    {.name = "knowledge_base",
     .type = FIELD_MODEL,
     .required = true,
     .model = &FEATHER_BASE},
    {.name = "job_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true,
     .doc = "Cuts and indexes its documents again; null: none need it."},
    OUT_END,
};
static const struct model BASE_MODEL_SET = {.name = "KnowdBaseModelResponse",
                                            .fields = BASE_MODEL_SET_FIELDS};

static rc base_model(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct base b;
    uuid job;
    rc code =
        app_base_model_set(q->app, &q->who, q->db, q->ids[0],
                           in_str(q->body, "model"), q->arena, &b, &job, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    feather_put_base(&o, "knowledge_base", &b);
    out_uuid_or_null(&o, "job_id", job);
    out_end(&o);
    return feather_end(r, e);
}

/* ---- the server ---- */

static const struct field NET_ITEM = {.name = "", .type = FIELD_STRING};
static const struct field SERVER_FIELDS[] = {
    OUT_STR("version"),
    {.name = "allow_nets",
     .type = FIELD_LIST,
     .required = true,
     .item = &NET_ITEM,
     .doc = "The networks that fetches of URLs may reach beside public "
            "addresses."},
    OUT_END,
};
static const struct model SERVER = {.name = "KnowdServer",
                                    .fields = SERVER_FIELDS};

static rc server_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    str *nets;
    size_t n;
    rc code = app_allow_nets(q->app, &q->who, q->arena, &nets, &n, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_cstr(&o, "version", KNOWD_VERSION);
    out_begin_list(&o, "allow_nets");
    for (size_t i = 0; i < n; i++)
        out_str(&o, NULL, nets[i]);
    out_end_list(&o);
    out_end(&o);
    return feather_end(r, e);
}

const struct route KNOWD_ROUTES[] = {
    {
        .method = "POST",
        .pattern = "/knowd/v1/search",
        .access = ACCESS_READ,
        .body_kind = BODY_JSON,
        .body = &KNOWD_SEARCH,
        .answer = &FEATHER_SEARCH_ANSWER,
        .success = 200,
        .dialect = DIALECT_KNOWD,
        .handle = feather_search,
        .operation = "knowdSearch",
        .doc = "Feather's search with wider limits, grouping and marks",
    },
    {
        .method = "POST",
        .pattern = "/knowd/v1/keys",
        .access = ACCESS_ORG,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &KEY,
        .answer = &MADE,
        .success = 201,
        .dialect = DIALECT_KNOWD,
        .handle = key_add,
        .operation = "knowdCreateKey",
        .doc = "Create a key, also for another organization",
    },
    {
        .method = "POST",
        .pattern = "/knowd/v1/bases/{kb_id}/reprocess",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_MANAGE,
        .object = "base",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &REPROCESS,
        .answer = &REPROCESSED,
        .success = 202,
        .dialect = DIALECT_KNOWD,
        .handle = reprocess,
        .operation = "knowdReprocess",
        .doc = "Extract documents of a base again, behind all other work",
    },
    {
        .method = "POST",
        .pattern = "/knowd/v1/bases/{kb_id}/urls",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_MANAGE,
        .object = "base",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &URLS,
        .answer = &URLS_DONE,
        .success = 202,
        .dialect = DIALECT_KNOWD,
        .handle = urls_add,
        .operation = "knowdAddUrls",
        .doc = "Fetch web pages into a base; one that is there is looked at "
               "again",
    },
    {
        .method = "GET",
        .pattern = "/knowd/v1/models",
        .access = ACCESS_READ,
        .answer = &MODELS,
        .success = 200,
        .dialect = DIALECT_KNOWD,
        .handle = model_list,
        .operation = "knowdListModels",
        .doc = "List the embedding models that are installed",
    },
    {
        .method = "PUT",
        .pattern = "/knowd/v1/models/{name}",
        .params = {{.name = "name", .type = FIELD_STRING}},
        .access = ACCESS_ORG,
        .object = "model",
        .body_kind = BODY_FILE,
        .answer = &INSTALLED,
        .success = 201,
        .dialect = DIALECT_KNOWD,
        .handle = model_add,
        .operation = "knowdInstallModel",
        .doc = "Install a packed model (knowd model add makes one)",
    },
    {
        .method = "DELETE",
        .pattern = "/knowd/v1/models/{name}",
        .params = {{.name = "name", .type = FIELD_STRING}},
        .access = ACCESS_ORG,
        .object = "model",
        .success = 204,
        .dialect = DIALECT_KNOWD,
        .handle = model_drop,
        .operation = "knowdRemoveModel",
        .doc = "Remove a model; its bases are searched by words",
    },
    {
        .method = "GET",
        .pattern = "/knowd/v1/bases/{kb_id}/model",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_READ,
        .object = "base",
        .answer = &BASE_STATE,
        .success = 200,
        .dialect = DIALECT_KNOWD,
        .handle = base_model_get,
        .operation = "knowdGetBaseModel",
        .doc = "How it is with a base's model",
    },
    {
        .method = "POST",
        .pattern = "/knowd/v1/bases/{kb_id}/model",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_MANAGE,
        .object = "base",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &BASE_MODEL,
        .answer = &BASE_MODEL_SET,
        .success = 202,
        .dialect = DIALECT_KNOWD,
        .handle = base_model,
        .operation = "knowdSetBaseModel",
        .doc = "Give a base a model and embed its documents by it",
    },
    {
        .method = "GET",
        .pattern = "/knowd/v1/server",
        .access = ACCESS_ORG,
        .answer = &SERVER,
        .success = 200,
        .dialect = DIALECT_KNOWD,
        .handle = server_get,
        .operation = "knowdGetServer",
        .doc = "How the server was started; for the first organization",
    },
    {0},
};
