/* Folders of the hub. The vendor only shows them; making them is ours. */
#include "serve/exec_priv.h"

static const struct field FOLDER_FIELDS[] = {
    OUT_STR("id"),
    OUT_STR("name"),
    OUT_STR_OR_NULL("emoji"),
    OUT_STR_OR_NULL("parent"),
    {.name = "visibility",
     .type = FIELD_LITERAL,
     .required = true,
     .values = VISIBILITY_NAMES},
    {.name = "item_count",
     .type = FIELD_INT,
     .required = true,
     .doc = "Pages directly in it that are not archived"},
    OUT_INT("subfolder_count"),
    OUT_TIME("created_at"),
    OUT_TIME("updated_at"),
    OUT_END,
};
static const struct model FOLDER = {.name = "KnowledgeHubFolder",
                                    .fields = FOLDER_FIELDS};
static const struct field FOLDER_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &FOLDER};
EXEC_LIST_MODEL(FOLDERS, "KnowledgeHubFolderList", &FOLDER_ITEM);

static const struct field LIST_FIELDS[] = {
    {.name = "parent_id",
     .type = FIELD_STRING,
     .doc = "Only its direct children; all folders when not given"},
    {.name = "parent", .type = FIELD_STRING, .doc = "The same"},
    {.name = "query",
     .type = FIELD_STRING,
     .doc = "Part of a name, in any case"},
    EXEC_PAGE_FIELDS,
    {0},
};
static const struct model LIST = {.name = "FolderQuery", .fields = LIST_FIELDS};

#define IN_FOLDER                                    \
    {.name = "emoji",                                \
     .type = FIELD_STRING,                           \
     .nullable = true,                               \
     .length_max = EMOJI_CHARS_MAX},                 \
        {.name = "parent_id",                        \
         .type = FIELD_STRING,                       \
         .nullable = true,                           \
         .length_max = EXEC_ID_CHARS_MAX,            \
         .doc = "Null or empty: none"},              \
    {                                                \
        .name = "visibility", .type = FIELD_LITERAL, \
        .values = VISIBILITY_NAMES                   \
    }
static const struct field CREATE_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    IN_FOLDER,
    {0},
};
static const struct model CREATE = {.name = "KnowledgeHubFolderCreate",
                                    .fields = CREATE_FIELDS};
static const struct field CHANGE_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    IN_FOLDER,
    {0},
};
static const struct model CHANGE = {.name = "KnowledgeHubFolderUpdate",
                                    .fields = CHANGE_FIELDS};

static void put_folder(struct out *o, const struct hub_folder *f)
{
    out_begin(o, NULL);
    out_str(o, "id", f->id);
    out_str(o, "name", f->name);
    out_str_or_null(o, "emoji", f->emoji);
    out_str_or_null(o, "parent", f->parent);
    out_cstr(o, "visibility", f->visibility);
    out_uint(o, "item_count", f->article_count);
    out_uint(o, "subfolder_count", f->folder_count);
    out_time(o, "created_at", f->created_ms);
    out_time(o, "updated_at", f->updated_ms);
    out_end(o);
}

static rc answer(struct reply *r, const struct hub_folder *f, struct err *e)
{
    struct out o = exec_out(r);

    put_folder(&o, f);
    return exec_end(r, e);
}

static rc folder_list(struct request *q, struct reply *r, struct err *e)
{
    str parent = exec_text(q->query, "parent_id");
    struct out o = exec_out(r);
    struct hub_folder *v;
    uint64_t total;
    size_t n;
    rc code;

    if (parent.p == NULL)
        parent = exec_text(q->query, "parent");
    code = app_folder_list(q->app, &q->who, q->db, parent,
                           exec_text(q->query, "query"), exec_window(q),
                           q->arena, &v, &n, &total, e);
    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++)
        put_folder(&o, &v[i]);
    return exec_list_end(q, r, &o, total, e);
}

static rc folder_get(struct request *q, struct reply *r, struct err *e)
{
    struct hub_folder f;
    rc code =
        app_folder_get(q->app, &q->who, q->db, q->texts[0], q->arena, &f, e);

    return code == RC_OK ? answer(r, &f, e) : code;
}

static struct hub_folder_in folder_in(const struct request *q)
{
    return (struct hub_folder_in){
        .set_name = exec_is_set(q->body, "name"),
        .set_emoji = exec_is_set(q->body, "emoji"),
        .set_parent = exec_is_set(q->body, "parent_id"),
        .set_visibility = exec_is_set(q->body, "visibility"),
        .name = in_str(q->body, "name"),
        .emoji = exec_text(q->body, "emoji"),
        .parent = exec_text(q->body, "parent_id"),
        .visibility = exec_text(q->body, "visibility"),
    };
}

static rc folder_add(struct request *q, struct reply *r, struct err *e)
{
    struct hub_folder_in in = folder_in(q);
    struct hub_folder f;
    rc code = app_folder_add(q->app, &q->who, q->db, &in, q->arena, &f, e);

    return code == RC_OK ? answer(r, &f, e) : code;
}

static rc folder_update(struct request *q, struct reply *r, struct err *e)
{
    struct hub_folder_in in = folder_in(q);
    struct hub_folder f;
    rc code = app_folder_update(q->app, &q->who, q->db, q->texts[0], &in,
                                q->arena, &f, e);

    return code == RC_OK ? answer(r, &f, e) : code;
}

static rc folder_delete(struct request *q, struct reply *r, struct err *e)
{
    str id;
    rc code = app_folder_delete(q->app, &q->who, q->db, q->texts[0], q->arena,
                                &id, e);

    return code == RC_OK ? exec_deleted(r, id, e) : code;
}

#define FOLDERS_PATH HUB_PREFIX "/folders"
#define FOLDER_PATH FOLDERS_PATH "/{folder_id}"
#define FOLDER_ID                                     \
    {                                                 \
        {                                             \
            .name = "folder_id", .type = FIELD_STRING \
        }                                             \
    }

const struct route EXEC_FOLDER_ROUTES[] = {
    {
        .method = "GET",
        .pattern = FOLDERS_PATH,
        .access = ACCESS_READ,
        .query = &LIST,
        .answer = &FOLDERS,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = folder_list,
        .operation = "listKnowledgeHubFolders",
        .doc = "List folders",
        .tag = EXEC_TAG_FOLDERS,
    },
    {
        .method = "POST",
        .pattern = FOLDERS_PATH,
        .access = ACCESS_MANAGE,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CREATE,
        .answer = &FOLDER,
        .success = 201,
        .dialect = DIALECT_EXEC,
        .handle = folder_add,
        .operation = "createKnowledgeHubFolder",
        .doc = "Create folder (an addition of knowd)",
        .tag = EXEC_TAG_FOLDERS,
    },
    {
        .method = "GET",
        .pattern = FOLDER_PATH,
        .params = FOLDER_ID,
        .access = ACCESS_READ,
        .object = "folder",
        .answer = &FOLDER,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = folder_get,
        .operation = "getKnowledgeHubFolder",
        .doc = "Get folder",
        .tag = EXEC_TAG_FOLDERS,
    },
    {
        .method = "PATCH",
        .pattern = FOLDER_PATH,
        .params = FOLDER_ID,
        .access = ACCESS_MANAGE,
        .object = "folder",
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CHANGE,
        .answer = &FOLDER,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = folder_update,
        .operation = "updateKnowledgeHubFolder",
        .doc = "Update folder (an addition of knowd)",
        .tag = EXEC_TAG_FOLDERS,
    },
    {
        .method = "DELETE",
        .pattern = FOLDER_PATH,
        .params = FOLDER_ID,
        .access = ACCESS_MANAGE,
        .object = "folder",
        .writes = true,
        .frees = true,
        .answer = &EXEC_DELETED,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = folder_delete,
        .operation = "deleteKnowledgeHubFolder",
        .doc = "Delete folder; what lies in it stays (an addition of knowd)",
        .tag = EXEC_TAG_FOLDERS,
    },
    {0},
};
