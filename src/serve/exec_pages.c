/* Pages: what knowd calls articles. */
#include "base/clock.h"
#include "serve/exec_priv.h"

/* ---- answers ---- */

/* The vendor's skills belong to a part of Exec that is not here: none. */
static const struct field SKILL_FIELDS[] = {OUT_STR("id"), OUT_STR("name"),
                                            OUT_END};
static const struct model SKILL = {.name = "KnowledgeHubSkillRef",
                                   .fields = SKILL_FIELDS};
static const struct field SKILL_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &SKILL};

#define PAGE_SHOWN                                                             \
    OUT_STR("id"), OUT_STR("title"),                                           \
        {.name = "status",                                                     \
         .type = FIELD_LITERAL,                                                \
         .required = true,                                                     \
         .values = ARTICLE_STATUS_NAMES},                                      \
        {.name = "visibility",                                                 \
         .type = FIELD_LITERAL,                                                \
         .required = true,                                                     \
         .values = VISIBILITY_NAMES},                                          \
        OUT_USER_OR_NULL("owner"), OUT_LIST("folders", &EXEC_FOLDER_REF_ITEM), \
        {.name = "skills",                                                     \
         .type = FIELD_LIST,                                                   \
         .required = true,                                                     \
         .item = &SKILL_ITEM,                                                  \
         .doc = "Always empty: there are none here"},                          \
        OUT_INT("source_count"),                                               \
        {.name = "version",                                                    \
         .type = FIELD_INT,                                                    \
         .nullable = true,                                                     \
         .doc = "The published one; null: never"},                             \
        OUT_STR("cover"), OUT_TIME_OR_NULL("published_at"),                    \
        OUT_TIME("created_at"), OUT_TIME("updated_at")

static const struct field PAGE_FIELDS[] = {PAGE_SHOWN, OUT_END};
static const struct model PAGE = {.name = "KnowledgeHubPage",
                                  .fields = PAGE_FIELDS};
static const struct field PAGE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &PAGE};
EXEC_LIST_MODEL(PAGES, "KnowledgeHubPageList", &PAGE_ITEM);

static const struct field DRAFT_FIELDS[] = {
    OUT_STR("title"), OUT_STR_OR_NULL("content"), OUT_END};
static const struct model DRAFT = {.name = "KnowledgeHubPageDraft",
                                   .fields = DRAFT_FIELDS};
static const struct field DETAIL_FIELDS[] = {
    PAGE_SHOWN,
    {.name = "content",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "Markdown of the published version"},
    OUT_LIST("sources", &EXEC_SOURCE_ITEM),
    {.name = "draft",
     .type = FIELD_MODEL,
     .nullable = true,
     .model = &DRAFT,
     .doc = "Only with include=draft"},
    OUT_END,
};
static const struct model DETAIL = {.name = "KnowledgeHubPageDetail",
                                    .fields = DETAIL_FIELDS};

static const char *const CHANGES[] = {"created", "ai_generation", "manual_edit",
                                      "restore", "clone",         NULL};
static const struct field VERSION_FIELDS[] = {
    OUT_INT("version"),
    OUT_STR("title"),
    {.name = "change_type",
     .type = FIELD_LITERAL,
     .required = true,
     .values = CHANGES},
    OUT_USER_OR_NULL("created_by"),
    OUT_TIME("created_at"),
    OUT_TIME("updated_at"),
    OUT_END,
};
static const struct model VERSION = {.name = "KnowledgeHubPageVersion",
                                     .fields = VERSION_FIELDS};
static const struct field VERSION_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &VERSION};
EXEC_LIST_MODEL(VERSIONS, "KnowledgeHubPageVersionList", &VERSION_ITEM);

/* The members of a list's row. */
static void put_page(struct out *o, const struct hub_article *p)
{
    out_str(o, "id", p->id);
    out_str(o, "title", p->title);
    out_cstr(o, "status", p->status);
    out_cstr(o, "visibility", p->visibility);
    exec_put_user(o, "owner", p->has_owner, &p->owner);
    exec_put_folder_refs(o, p->folders, p->folders_n);
    out_begin_list(o, "skills");
    out_end_list(o);
    out_uint(o, "source_count", p->source_count);
    if (p->version > 0)
        out_uint(o, "version", p->version);
    else
        out_null(o, "version");
    out_str(o, "cover", p->cover);
    out_time_or_null(o, "published_at", p->published_ms);
    out_time(o, "created_at", p->created_ms);
    out_time(o, "updated_at", p->updated_ms);
}

static void put_draft(struct out *o, const struct hub_article *p)
{
    if (p->draft_title.p == NULL) {
        out_null(o, "draft");
        return;
    }
    out_begin(o, "draft");
    out_str(o, "title", p->draft_title);
    out_str_or_null(o, "content", p->draft_content);
    out_end(o);
}

static rc answer(struct reply *r, const struct hub_article *p, bool draft,
                 struct err *e)
{
    struct out o = exec_out(r);

    out_begin(&o, NULL);
    put_page(&o, p);
    out_str_or_null(&o, "content", p->content);
    out_begin_list(&o, "sources");
    for (size_t i = 0; i < p->sources_n; i++)
        exec_put_source(&o, &p->sources[i], false);
    out_end_list(&o);
    if (draft)
        put_draft(&o, p);
    out_end(&o);
    return exec_end(r, e);
}

/* ---- requests ---- */

static const char *const SORTS[] = {"updated_at", "created_at", "title", NULL};
static const struct field LIST_FIELDS[] = {
    {.name = "folder_id", .type = FIELD_STRING},
    {.name = "status", .type = FIELD_LITERAL, .values = ARTICLE_STATUS_NAMES},
    {.name = "owner_id", .type = FIELD_STRING},
    {.name = "skill_id", .type = FIELD_STRING},
    {.name = "query",
     .type = FIELD_STRING,
     .doc = "Part of a title, in any case"},
    {.name = "updated_after",
     .type = FIELD_STRING,
     .doc = "A date or a time in ISO 8601, itself included"},
    {.name = "updated_before",
     .type = FIELD_STRING,
     .doc = "A date or a time in ISO 8601, itself included"},
    {.name = "sort",
     .type = FIELD_LITERAL,
     .values = SORTS,
     .preset = "\"updated_at\""},
    EXEC_PAGE_FIELDS,
    {0},
};
static const struct model LIST = {.name = "PageQuery", .fields = LIST_FIELDS};

static const struct field GET_FIELDS[] = {
    {.name = "include",
     .type = FIELD_STRING,
     .doc = "A comma list of sections: draft"},
    {0},
};
static const struct model GET = {.name = "PageInclude", .fields = GET_FIELDS};

static const char *const STATUSES[] = {"draft", "published", NULL};
static const char *const NEW_VISIBILITIES[] = {"private", "workspace", NULL};
#define IN_PAGE                                                        \
    {.name = "content", .type = FIELD_STRING},                         \
        {.name = "status", .type = FIELD_LITERAL, .values = STATUSES}, \
        IN_IDS("folder_ids"), IN_IDS("source_ids"), IN_IDS("skill_ids")
static const struct field CREATE_FIELDS[] = {
    {.name = "title",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    {.name = "visibility", .type = FIELD_LITERAL, .values = NEW_VISIBILITIES},
    IN_PAGE,
    {0},
};
static const struct model CREATE = {.name = "KnowledgeHubPageCreate",
                                    .fields = CREATE_FIELDS};
static const struct field CHANGE_FIELDS[] = {
    {.name = "title",
     .type = FIELD_STRING,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    IN_PAGE,
    {0},
};
static const struct model CHANGE = {.name = "KnowledgeHubPageUpdate",
                                    .fields = CHANGE_FIELDS};

/* A day stands for its first moment, or (last) for its last. */
static bool day_or_time(struct arena *tmp, str s, bool last, int64_t *ms)
{
    if (clock_parse_rfc3339(s, ms))
        return true;
    return s.n == sizeof "2026-05-01" - 1 &&
           clock_parse_rfc3339(arena_fmt(tmp, STR_FMT "T%s", STR_ARG(s),
                                         last ? "23:59:59.999Z" : "00:00:00Z"),
                               ms);
}

static rc moment_of(const struct request *q, struct reply *r, const char *key,
                    bool last, int64_t *ms, struct err *e)
{
    struct place query = place_of(STR("query")),
                 at = place_in(&query, str_of(key));

    if (!in_has(q->query, key) ||
        day_or_time(q->arena, in_str(q->query, key), last, ms))
        return RC_OK;
    fault_add(r->faults, &at, REASON_DATETIME, 0, 0, STR_NONE,
              json_object_get(q->query, key));
    return err_set(e, RC_INVALID, "%s is no time", key);
}

static rc page_list(struct request *q, struct reply *r, struct err *e)
{
    struct hub_article_filter f = {
        .folder = exec_text(q->query, "folder_id"),
        .status = exec_text(q->query, "status"),
        .owner = exec_text(q->query, "owner_id"),
        .skill = exec_text(q->query, "skill_id"),
        .query = exec_text(q->query, "query"),
        .sort = exec_text(q->query, "sort"),
    };
    struct out o = exec_out(r);
    struct hub_article *v = NULL;
    uint64_t total = 0;
    size_t n = 0;
    rc code = moment_of(q, r, "updated_after", false, &f.updated_from_ms, e);

    if (code == RC_OK)
        code = moment_of(q, r, "updated_before", true, &f.updated_to_ms, e);
    if (code == RC_OK)
        code = app_article_list(q->app, &q->who, q->db, &f, exec_window(q),
                                q->arena, &v, &n, &total, e);
    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++) {
        out_begin(&o, NULL);
        put_page(&o, &v[i]);
        out_end(&o);
    }
    return exec_list_end(q, r, &o, total, e);
}

static rc page_get(struct request *q, struct reply *r, struct err *e)
{
    struct hub_article p;
    rc code =
        app_article_get(q->app, &q->who, q->db, q->texts[0], q->arena, &p, e);

    return code == RC_OK ? answer(r, &p, exec_includes(q, "draft"), e) : code;
}

static struct hub_article_in page_in(const struct request *q)
{
    struct hub_article_in in = {
        .set_title = exec_is_set(q->body, "title"),
        .set_content = exec_is_set(q->body, "content"),
        .set_folders = exec_is_set(q->body, "folder_ids"),
        .set_sources = exec_is_set(q->body, "source_ids"),
        .set_skills = exec_is_set(q->body, "skill_ids"),
        .title = in_str(q->body, "title"),
        .content = in_str(q->body, "content"),
        .status = exec_text(q->body, "status"),
        .visibility = exec_text(q->body, "visibility"),
    };

    in.folders = exec_texts(q, "folder_ids", &in.folders_n);
    in.sources = exec_texts(q, "source_ids", &in.sources_n);
    in.skills = exec_texts(q, "skill_ids", &in.skills_n);
    return in;
}

static rc page_add(struct request *q, struct reply *r, struct err *e)
{
    struct hub_article_in in = page_in(q);
    struct hub_article p;
    rc code = app_article_add(q->app, &q->who, q->db, &in, q->arena, &p, e);

    return code == RC_OK ? answer(r, &p, false, e) : code;
}

static rc page_update(struct request *q, struct reply *r, struct err *e)
{
    struct hub_article_in in = page_in(q);
    struct hub_article p;
    rc code = app_article_update(q->app, &q->who, q->db, q->texts[0], &in,
                                 q->arena, &p, e);

    return code == RC_OK ? answer(r, &p, false, e) : code;
}

static rc page_archive(struct request *q, struct reply *r, struct err *e)
{
    str id;
    rc code = app_article_archive(q->app, &q->who, q->db, q->texts[0], q->arena,
                                  &id, e);

    return code == RC_OK ? exec_deleted(r, id, e) : code;
}

static void put_version(struct out *o, const struct hub_article_version *v)
{
    out_begin(o, NULL);
    out_uint(o, "version", v->number);
    out_str(o, "title", v->title);
    out_cstr(o, "change_type", v->change);
    exec_put_user(o, "created_by", v->has_creator, &v->creator);
    out_time(o, "created_at", v->created_ms);
    out_time(o, "updated_at", v->created_ms); /* versions don't change */
    out_end(o);
}

static rc version_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = exec_out(r);
    struct hub_article_version *v;
    uint64_t total;
    size_t n;
    rc code = app_article_versions(q->app, &q->who, q->db, q->texts[0],
                                   exec_window(q), q->arena, &v, &n, &total, e);

    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++)
        put_version(&o, &v[i]);
    return exec_list_end(q, r, &o, total, e);
}

#define PAGES_PATH HUB_PREFIX "/pages"
#define PAGE_PATH PAGES_PATH "/{page_id}"
#define PAGE_ID                                     \
    {                                               \
        {                                           \
            .name = "page_id", .type = FIELD_STRING \
        }                                           \
    }

const struct route EXEC_PAGE_ROUTES[] = {
    {
        .method = "GET",
        .pattern = PAGES_PATH,
        .access = ACCESS_READ,
        .query = &LIST,
        .answer = &PAGES,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = page_list,
        .operation = "listKnowledgeHubPages",
        .doc = "List pages",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "POST",
        .pattern = PAGES_PATH,
        .access = ACCESS_MANAGE,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CREATE,
        .answer = &DETAIL,
        .success = 201,
        .dialect = DIALECT_EXEC,
        .handle = page_add,
        .operation = "createKnowledgeHubPage",
        .doc = "Create page",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "GET",
        .pattern = PAGE_PATH,
        .params = PAGE_ID,
        .access = ACCESS_READ,
        .object = "page",
        .query = &GET,
        .answer = &DETAIL,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = page_get,
        .operation = "getKnowledgeHubPage",
        .doc = "Get page",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "PATCH",
        .pattern = PAGE_PATH,
        .params = PAGE_ID,
        .access = ACCESS_MANAGE,
        .object = "page",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CHANGE,
        .answer = &DETAIL,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = page_update,
        .operation = "updateKnowledgeHubPage",
        .doc = "Update page",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "PUT",
        .pattern = PAGE_PATH,
        .params = PAGE_ID,
        .access = ACCESS_MANAGE,
        .object = "page",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CHANGE,
        .answer = &DETAIL,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = page_update,
        .operation = "replaceKnowledgeHubPage",
        .doc = "Update page (PUT): the same as PATCH",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "DELETE",
        .pattern = PAGE_PATH,
        .params = PAGE_ID,
        .access = ACCESS_MANAGE,
        .object = "page",
        .writes = true,
        .frees = true,
        .answer = &EXEC_DELETED,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = page_archive,
        .operation = "archiveKnowledgeHubPage",
        .doc = "Archive page",
        .tag = EXEC_TAG_PAGES,
    },
    {
        .method = "GET",
        .pattern = PAGE_PATH "/versions",
        .params = PAGE_ID,
        .access = ACCESS_READ,
        .object = "page",
        .query = &EXEC_PAGE_QUERY,
        .answer = &VERSIONS,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = version_list,
        .operation = "listKnowledgeHubPageVersions",
        .doc = "List page versions",
        .tag = EXEC_TAG_PAGES,
    },
    {0},
};
