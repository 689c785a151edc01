/* Sources: the hub's documents, as Exec shows them. */
#include "serve/exec_priv.h"

/* ---- answers ---- */

static const char *const FORMATS[] = {"markdown", "plain_text", "image",
                                      "video", NULL};
static const struct field SOURCE_FIELDS[] = {
    OUT_STR("id"),
    OUT_STR("title"),
    {.name = "source_type",
     .type = FIELD_LITERAL,
     .required = true,
     .values = HUB_TYPE_NAMES},
    {.name = "status",
     .type = FIELD_LITERAL,
     .required = true,
     .values = HUB_STATUS_NAMES},
    {.name = "content_format",
     .type = FIELD_LITERAL,
     .nullable = true,
     .values = FORMATS},
    OUT_INT_OR_NULL("token_count"),
    OUT_BOOL("has_images"),
    OUT_STR_OR_NULL("external_url"),
    {.name = "summary",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "Extractive: sentences of the text itself"},
    OUT_STR("cover"),
    OUT_LIST("folders", &EXEC_FOLDER_REF_ITEM),
    OUT_USER_OR_NULL("created_by"),
    OUT_TIME("created_at"),
    OUT_TIME("updated_at"),
    OUT_TIME_OR_NULL("processed_at"),
    {.name = "error_message",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "An addition of knowd: why it failed"},
    {.name = "content",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "Only with include=content"},
    OUT_END,
};
static const struct model SOURCE = {.name = "KnowledgeHubSource",
                                    .fields = SOURCE_FIELDS};
const struct field EXEC_SOURCE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &SOURCE};
EXEC_LIST_MODEL(SOURCES, "KnowledgeHubSourceList", &EXEC_SOURCE_ITEM);

void exec_put_source(struct out *o, const struct hub_source *s, bool content)
{
    out_begin(o, NULL);
    out_str(o, "id", s->id);
    out_str(o, "title", s->title);
    out_cstr(o, "source_type", HUB_TYPE_NAMES[s->type]);
    out_cstr(o, "status", HUB_STATUS_NAMES[s->status]);
    out_cstr(o, "content_format", s->content_format);
    if (s->has_tokens)
        out_uint(o, "token_count", s->tokens);
    else
        out_null(o, "token_count");
    out_bool(o, "has_images", s->has_images);
    out_str_or_null(o, "external_url", s->url);
    out_str_or_null(o, "summary", s->summary);
    out_str(o, "cover", s->cover);
    exec_put_folder_refs(o, s->folders, s->folders_n);
    exec_put_user(o, "created_by", s->has_creator, &s->creator);
    out_time(o, "created_at", s->created_ms);
    out_time(o, "updated_at", s->updated_ms);
    out_time_or_null(o, "processed_at", s->processed_ms);
    out_str_or_null(o, "error_message", s->error);
    if (content)
        out_str_or_null(o, "content", s->content);
    out_end(o);
}

static rc answer(struct reply *r, const struct hub_source *s, bool content,
                 struct err *e)
{
    struct out o = exec_out(r);

    exec_put_source(&o, s, content);
    return exec_end(r, e);
}

/* ---- requests ---- */

static const struct field LIST_FIELDS[] = {
    {.name = "type", .type = FIELD_LITERAL, .values = HUB_TYPE_NAMES},
    {.name = "status", .type = FIELD_LITERAL, .values = HUB_STATUS_NAMES},
    {.name = "folder_id", .type = FIELD_STRING},
    {.name = "query",
     .type = FIELD_STRING,
     .doc = "Part of a title, in any case"},
    {.name = "page_id", .type = FIELD_STRING},
    EXEC_PAGE_FIELDS,
    {0},
};
static const struct model LIST = {.name = "SourceQuery", .fields = LIST_FIELDS};

static const struct field GET_FIELDS[] = {
    {.name = "include",
     .type = FIELD_STRING,
     .doc = "A comma list of sections: content"},
    {0},
};
static const struct model GET = {.name = "SourceInclude", .fields = GET_FIELDS};

#define IN_COVER                                                             \
    {                                                                        \
        .name = "cover", .type = FIELD_STRING, .length_max = COVER_CHARS_MAX \
    }
static const char *const TYPES[] = {"url", NULL};
static const struct field CREATE_FIELDS[] = {
    {.name = "type", .type = FIELD_LITERAL, .required = true, .values = TYPES},
    {.name = "title",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    {.name = "url",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = URL_TEXT_BYTES_MAX},
    IN_COVER,
    IN_IDS("folder_ids"),
    {0},
};
static const struct model CREATE = {.name = "KnowledgeHubSourceCreate",
                                    .fields = CREATE_FIELDS};

static const struct field CHANGE_FIELDS[] = {
    {.name = "title",
     .type = FIELD_STRING,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    IN_COVER,
    IN_IDS("folder_ids"),
    {0},
};
static const struct model CHANGE = {.name = "KnowledgeHubSourceUpdate",
                                    .fields = CHANGE_FIELDS};

static struct hub_source_filter filter_of(const struct request *q)
{
    struct hub_source_filter f = {
        .by_type = in_has(q->query, "type"),
        .by_status = in_has(q->query, "status"),
        .folder = exec_text(q->query, "folder_id"),
        .article = exec_text(q->query, "page_id"),
        .query = exec_text(q->query, "query"),
    };

    if (f.by_type)
        f.type =
            (enum hub_type)exec_place(HUB_TYPE_NAMES, in_str(q->query, "type"));
    if (f.by_status)
        f.status = (enum hub_status)exec_place(HUB_STATUS_NAMES,
                                               in_str(q->query, "status"));
    return f;
}

static rc source_list(struct request *q, struct reply *r, struct err *e)
{
    struct hub_source_filter f = filter_of(q);
    struct out o = exec_out(r);
    struct hub_source *v;
    uint64_t total;
    size_t n;
    rc code = app_source_list(q->app, &q->who, q->db, &f, exec_window(q),
                              q->arena, &v, &n, &total, e);

    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++)
        exec_put_source(&o, &v[i], false);
    return exec_list_end(q, r, &o, total, e);
}

static rc source_get(struct request *q, struct reply *r, struct err *e)
{
    bool content = exec_includes(q, "content");
    struct hub_source s;
    rc code = app_source_get(q->app, &q->who, q->db, q->texts[0], content,
                             q->arena, &s, e);

    return code == RC_OK ? answer(r, &s, content, e) : code;
}

static struct hub_source_in source_in(const struct request *q)
{
    struct hub_source_in in = {
        .set_title = exec_is_set(q->body, "title"),
        .set_cover = exec_is_set(q->body, "cover"),
        .set_folders = exec_is_set(q->body, "folder_ids"),
        .title = in_str(q->body, "title"),
        .url = in_str(q->body, "url"),
        .cover = in_str(q->body, "cover"),
    };

    in.folders = exec_texts(q, "folder_ids", &in.folders_n);
    return in;
}

static rc source_add(struct request *q, struct reply *r, struct err *e)
{
    struct hub_source_in in = source_in(q);
    struct hub_source s;
    bool made;
    rc code =
        app_source_add(q->app, &q->who, q->db, &in, q->arena, &s, &made, e);

    if (code != RC_OK)
        return code;
    r->status = made ? 201 : 200;
    return answer(r, &s, false, e);
}

static rc source_update(struct request *q, struct reply *r, struct err *e)
{
    struct hub_source_in in = source_in(q);
    struct hub_source s;
    rc code = app_source_update(q->app, &q->who, q->db, q->texts[0], &in,
                                q->arena, &s, e);

    return code == RC_OK ? answer(r, &s, false, e) : code;
}

static rc source_delete(struct request *q, struct reply *r, struct err *e)
{
    str id;
    rc code = app_source_delete(q->app, &q->who, q->db, q->texts[0], q->arena,
                                &id, e);

    return code == RC_OK ? exec_deleted(r, id, e) : code;
}

#define SOURCES_PATH HUB_PREFIX "/sources"
#define SOURCE_PATH SOURCES_PATH "/{source_id}"
#define SOURCE_ID                                     \
    {                                                 \
        {                                             \
            .name = "source_id", .type = FIELD_STRING \
        }                                             \
    }

const struct route EXEC_SOURCE_ROUTES[] = {
    {
        .method = "GET",
        .pattern = SOURCES_PATH,
        .access = ACCESS_READ,
        .query = &LIST,
        .answer = &SOURCES,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = source_list,
        .operation = "listKnowledgeHubSources",
        .doc = "List sources",
        .tag = EXEC_TAG_SOURCES,
    },
    {
        .method = "POST",
        .pattern = SOURCES_PATH,
        .access = ACCESS_MANAGE,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CREATE,
        .answer = &SOURCE,
        .success = 201,
        .success_too = 200,
        .dialect = DIALECT_EXEC,
        .handle = source_add,
        .operation = "createKnowledgeHubSource",
        .doc = "Create a source from a URL; 200 where there is one of it",
        .tag = EXEC_TAG_SOURCES,
    },
    {
        .method = "GET",
        .pattern = SOURCE_PATH,
        .params = SOURCE_ID,
        .access = ACCESS_READ,
        .object = "source",
        .query = &GET,
        .answer = &SOURCE,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = source_get,
        .operation = "getKnowledgeHubSource",
        .doc = "Get source",
        .tag = EXEC_TAG_SOURCES,
    },
    {
        .method = "PATCH",
        .pattern = SOURCE_PATH,
        .params = SOURCE_ID,
        .access = ACCESS_MANAGE,
        .object = "source",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CHANGE,
        .answer = &SOURCE,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = source_update,
        .operation = "updateKnowledgeHubSource",
        .doc = "Update source (an addition of knowd)",
        .tag = EXEC_TAG_SOURCES,
    },
    {
        .method = "DELETE",
        .pattern = SOURCE_PATH,
        .params = SOURCE_ID,
        .access = ACCESS_MANAGE,
        .object = "source",
        .writes = true,
        .frees = true,
        .answer = &EXEC_DELETED,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = source_delete,
        .operation = "deleteKnowledgeHubSource",
        .doc = "Delete source",
        .tag = EXEC_TAG_SOURCES,
    },
    {0},
};
