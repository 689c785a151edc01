#include "app/keys.h"

#include "base/clock.h"
#include "serve/feather_priv.h"

static const char *const SCOPE_TEXTS[] = {
    "knowledge_bases:read", "knowledge_bases:manage", "org:manage", NULL};
const struct field FEATHER_SCOPE_ITEM = {
    .name = "", .type = FIELD_LITERAL, .values = SCOPE_TEXTS};
static const struct field TEXT_ITEM = {.name = "", .type = FIELD_STRING};

static const struct field CREATE_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_min = 1,
     .length_max = 255},
    {.name = "scopes",
     .type = FIELD_LIST,
     .item = &FEATHER_SCOPE_ITEM,
     .length_max = 16,
     .preset = "[]",
     .doc = "None: everything the creating key may do."},
    {.name = "expires_at", .type = FIELD_TIME, .nullable = true},
    {.name = "tenant",
     .type = FIELD_STRING,
     .nullable = true,
     .nonblank = true,
     .length_max = 255,
     .doc = "An addition of knowd: the organization's name, made if new; "
            "only for keys of the first organization."},
    {0},
};
static const struct model CREATE = {.name = "ApiKeyCreateRequest",
                                    .fields = CREATE_FIELDS};

#define KEY_SHOWN                                              \
    OUT_UUID("id"), OUT_STR("name"), OUT_STR("key_prefix"),    \
        OUT_LIST("scopes", &TEXT_ITEM), OUT_BOOL("is_active"), \
        {.name = "last_used_at",                               \
         .type = FIELD_TIME,                                   \
         .required = true,                                     \
         .nullable = true},                                    \
        {.name = "expires_at",                                 \
         .type = FIELD_TIME,                                   \
         .required = true,                                     \
         .nullable = true},                                    \
        OUT_TIME("created_at")

static const struct field KEY_FIELDS[] = {KEY_SHOWN, OUT_END};
static const struct model KEY = {.name = "ApiKeyResponse",
                                 .fields = KEY_FIELDS};
static const struct field CREATED_FIELDS[] = {
    KEY_SHOWN,
    OUT_STR("plain_text_key"),
    {.name = "organization_id",
     .type = FIELD_UUID,
     .doc = "An addition of knowd: whose the key is."},
    OUT_END,
};
static const struct model CREATED = {.name = "ApiKeyCreateResponse",
                                     .fields = CREATED_FIELDS};

static const struct field WHOAMI_FIELDS[] = {
    OUT_UUID("user_id"),
    OUT_STR("clerk_user_id"),
    OUT_STR_OR_NULL("email"),
    OUT_STR_OR_NULL("display_name"),
    OUT_STR("role"),
    OUT_UUID("organization_id"),
    OUT_STR("organization_name"),
    OUT_INT("kb_clearance_level"),
    OUT_BOOL("kb_acl_enabled"),
    OUT_BOOL("is_internal"),
    OUT_END,
};
static const struct model WHOAMI = {.name = "WhoAmIResponse",
                                    .fields = WHOAMI_FIELDS};

static const char *role_of(unsigned scopes)
{
    if ((scopes & SCOPE_ORG_MANAGE) != 0)
        return "org:admin";
    return (scopes & SCOPE_KB_MANAGE) != 0 ? "org:member" : "org:viewer";
}

static rc whoami(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct identity id;
    rc code = app_whoami(q->app, &q->who, q->db, q->arena, &id, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid(&o, "user_id", id.key); /* callers are keys, not people */
    out_str(&o, "clerk_user_id", uuid_str(q->arena, id.key));
    out_null(&o, "email");
    out_str(&o, "display_name", id.key_name);
    out_cstr(&o, "role", role_of(id.scopes));
    out_uuid(&o, "organization_id", id.tenant);
    out_str(&o, "organization_name", id.tenant_name);
    out_int(&o, "kb_clearance_level", id.clearance);
    out_bool(&o, "kb_acl_enabled", false);
    out_bool(&o, "is_internal", false);
    out_end(&o);
    return feather_end(r, e);
}

/* The members alone, so that the secret can stand beside them. */
static void put_key(struct out *o, const struct key *k)
{
    out_uuid(o, "id", k->id);
    out_str(o, "name", k->name);
    out_str(o, "key_prefix", k->prefix);
    out_begin_list(o, "scopes");
    for (size_t i = 0; i < SCOPES_N; i++) {
        if ((k->scopes & SCOPES[i].scope) != 0)
            out_str(o, NULL, SCOPES[i].name);
    }
    out_end_list(o);
    out_bool(o, "is_active", k->active);
    out_time_or_null(o, "last_used_at", k->last_used_ms);
    out_time_or_null(o, "expires_at", k->expires_ms);
    out_time(o, "created_at", k->created_ms);
}

static rc key_list(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct key *v;
    size_t n;
    rc code = app_key_list(q->app, &q->who, q->db, q->arena, &v, &n, e);

    if (code != RC_OK)
        return code;
    out_begin_list(&o, NULL);
    for (size_t i = 0; i < n; i++) {
        out_begin(&o, NULL);
        put_key(&o, &v[i]);
        out_end(&o);
    }
    out_end_list(&o);
    return feather_end(r, e);
}

unsigned feather_scopes(const json_t *body)
{
    const json_t *list = json_object_get(body, "scopes");
    unsigned scopes = 0, scope;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);

        if (scope_parse((str){json_string_value(v), json_string_length(v)},
                        &scope))
            scopes |= scope;
    }
    return scopes;
}

static rc in_the_past(struct request *q, struct reply *r, struct err *e)
{
    struct place body = place_of(STR("body"));
    struct place at = place_in(&body, STR("expires_at"));

    fault_add(r->faults, &at, REASON_VALUE, 0, 0,
              STR("expires_at must lie in the future"),
              json_object_get(q->body, "expires_at"));
    return err_set(e, RC_INVALID, "expires_at must lie in the future");
}

static rc key_add(struct request *q, struct reply *r, struct err *e)
{
    struct key_new in = {.name = in_str(q->body, "name"),
                         .scopes = feather_scopes(q->body),
                         .tenant_name = in_str(q->body, "tenant")};
    struct out o = feather_out(r);
    struct key k;
    str text;
    uuid tenant;
    rc code;

    if (in_has(q->body, "expires_at") &&
        clock_parse_rfc3339(in_str(q->body, "expires_at"), &in.expires_ms) &&
        in.expires_ms <= clock_wall_ms())
        return in_the_past(q, r, e);
    code = app_key_add(q->app, &q->who, q->db, &in, q->arena, &k, &text,
                       &tenant, e);
    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    put_key(&o, &k);
    out_str(&o, "plain_text_key", text);
    out_uuid(&o, "organization_id", tenant);
    out_end(&o);
    reply_header(r, "Cache-Control", STR("no-store"));
    return feather_end(r, e);
}

static rc key_revoke(struct request *q, struct reply *r, struct err *e)
{
    (void)r;
    return app_key_revoke(q->app, &q->who, q->db, q->ids[0], e);
}

const struct route FEATHER_KEY_ROUTES[] = {
    {
        .method = "GET",
        .pattern = "/v1/identity/whoami",
        .access = ACCESS_KEY,
        .answer = &WHOAMI,
        .success = 200,
        .handle = whoami,
        .operation = "whoAmI",
        .doc = "Get the current caller's identity, role, and KB clearance",
    },
    {
        .method = "GET",
        .pattern = "/v1/identity/api-keys",
        .access = ACCESS_ORG,
        .answer = &KEY,
        .answer_list = true,
        .success = 200,
        .handle = key_list,
        .operation = "listApiKeys",
        .doc = "List API keys for the current organization",
    },
    {
        .method = "POST",
        .pattern = "/v1/identity/api-keys",
        .access = ACCESS_ORG,
        .writes = true,
        .body_kind = BODY_JSON,
        .body = &CREATE,
        .answer = &CREATED,
        .success = 201,
        .handle = key_add,
        .operation = "createApiKey",
        .doc =
            "Create an API key. The plain-text key is returned exactly once.",
    },
    {
        .method = "DELETE",
        .pattern = "/v1/identity/api-keys/{key_id}",
        .params = {{.name = "key_id", .type = FIELD_UUID, .prefix = "ak"}},
        .access = ACCESS_ORG,
        .object = "key",
        .writes = true,
        .frees = true,
        .success = 204,
        .handle = key_revoke,
        .operation = "revokeApiKey",
        .doc = "Revoke an API key",
    },
    {0},
};
