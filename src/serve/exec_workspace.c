/* The workspace: a tenant, with its keys as members. */
#include "serve/exec_priv.h"

static const struct field WORKSPACE_FIELDS[] = {
    OUT_STR("id"), OUT_STR("name"), OUT_STR("url_slug"), OUT_TIME("created_at"),
    OUT_END};
static const struct model WORKSPACE = {.name = "Workspace",
                                       .fields = WORKSPACE_FIELDS};

static const char *const ROLES[] = {"admin", "staff", "member", NULL};
static const struct field MEMBER_FIELDS[] = {
    OUT_STR("id"),
    OUT_STR("email"),
    OUT_STR("first_name"),
    OUT_STR("last_name"),
    {.name = "role", .type = FIELD_LITERAL, .required = true, .values = ROLES},
    OUT_TIME("created_at"),
    OUT_END,
};
static const struct model MEMBER = {.name = "WorkspaceMember",
                                    .fields = MEMBER_FIELDS};
static const struct field MEMBER_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &MEMBER};
EXEC_LIST_MODEL(MEMBERS, "WorkspaceMemberList", &MEMBER_ITEM);

static const struct field GROUP_FIELDS[] = {OUT_STR("id"), OUT_STR("name"),
                                            OUT_TIME("created_at"), OUT_END};
static const struct model GROUP = {.name = "WorkspaceGroup",
                                   .fields = GROUP_FIELDS};
static const struct field GROUP_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &GROUP};
EXEC_LIST_MODEL(GROUPS, "WorkspaceGroupList", &GROUP_ITEM);

static const struct field MEMBER_QUERY_FIELDS[] = {
    EXEC_PAGE_FIELDS,
    {.name = "group_ids",
     .type = FIELD_STRING,
     .doc = "A comma list; members of any of them"},
    {0},
};
static const struct model MEMBER_QUERY = {.name = "MemberQuery",
                                          .fields = MEMBER_QUERY_FIELDS};

static rc workspace_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = exec_out(r);
    struct hub_workspace w;
    rc code = app_workspace_get(q->app, &q->who, q->db, q->arena, &w, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_str(&o, "id", w.id);
    out_str(&o, "name", w.name);
    out_str(&o, "url_slug", w.slug);
    out_time(&o, "created_at", w.created_ms);
    out_end(&o);
    return exec_end(r, e);
}

static void put_member(struct out *o, const struct hub_member *m)
{
    out_begin(o, NULL);
    out_str(o, "id", m->user.id);
    out_str(o, "email", m->user.email);
    out_str(o, "first_name", m->user.first_name);
    out_str(o, "last_name", m->user.last_name);
    out_cstr(o, "role", m->role);
    out_time(o, "created_at", m->created_ms);
    out_end(o);
}

static rc member_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = exec_out(r);
    struct hub_member *v;
    uint64_t total;
    size_t n, groups_n;
    const str *groups = exec_split(q, "group_ids", &groups_n);
    rc code = app_member_list(q->app, &q->who, q->db, groups, groups_n,
                              exec_window(q), q->arena, &v, &n, &total, e);

    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++)
        put_member(&o, &v[i]);
    return exec_list_end(q, r, &o, total, e);
}

static rc group_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = exec_out(r);
    struct hub_group *v;
    uint64_t total;
    size_t n;
    rc code = app_group_list(q->app, &q->who, q->db, exec_window(q), q->arena,
                             &v, &n, &total, e);

    if (code != RC_OK)
        return code;
    exec_list(&o);
    for (size_t i = 0; i < n; i++) {
        out_begin(&o, NULL);
        out_str(&o, "id", v[i].id);
        out_str(&o, "name", v[i].name);
        out_time(&o, "created_at", v[i].created_ms);
        out_end(&o);
    }
    return exec_list_end(q, r, &o, total, e);
}

const struct route EXEC_WORKSPACE_ROUTES[] = {
    {
        .method = "GET",
        .pattern = EXEC_PREFIX "/workspace",
        .access = ACCESS_READ,
        .answer = &WORKSPACE,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = workspace_get,
        .operation = "getWorkspace",
        .doc = "Get workspace info",
        .tag = EXEC_TAG_WORKSPACE,
    },
    {
        .method = "GET",
        .pattern = EXEC_PREFIX "/workspace/members",
        .access = ACCESS_READ,
        .query = &MEMBER_QUERY,
        .answer = &MEMBERS,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = member_list,
        .operation = "listWorkspaceMembers",
        .doc = "List workspace members: the organization's keys",
        .tag = EXEC_TAG_WORKSPACE,
    },
    {
        .method = "GET",
        .pattern = EXEC_PREFIX "/workspace/groups",
        .access = ACCESS_READ,
        .query = &EXEC_PAGE_QUERY,
        .answer = &GROUPS,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = group_list,
        .operation = "listWorkspaceGroups",
        .doc = "List workspace groups",
        .tag = EXEC_TAG_WORKSPACE,
    },
    {0},
};
