/* Who works with a hub: the tenant as a workspace, its keys as members, their
 * scopes as groups. Nothing of it is stored. */
#include "app/hub_priv.h"

#define SLUG_EMPTY "workspace"

/* A role is what a key's scopes amount to; a group is all keys of a role. */
enum role { ROLE_ADMIN, ROLE_STAFF, ROLE_MEMBER, ROLE_COUNT };
static const struct {
    const char *name, *group;
} ROLES[ROLE_COUNT] = {
    [ROLE_ADMIN] = {"admin", "Administrators"},
    [ROLE_STAFF] = {"staff", "Editors"},
    [ROLE_MEMBER] = {"member", "Readers"},
};

static enum role role_of(unsigned scopes)
{
    if ((scopes & SCOPE_ORG_MANAGE) != 0)
        return ROLE_ADMIN;
    return (scopes & SCOPE_KB_MANAGE) != 0 ? ROLE_STAFF : ROLE_MEMBER;
}

/* ---- the workspace ---- */

static bool slug_char(char c, char *to)
{
    *to = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    return (*to >= 'a' && *to <= 'z') || (*to >= '0' && *to <= '9');
}

/* Lower-case letters and digits of ASCII, joined where others stood. */
static str slug_of(str name, struct arena *out)
{
    char *p = arena_alloc(out, name.n + 1);
    size_t n = 0;
    bool gap = false;

    for (size_t i = 0; i < name.n; i++) {
        char c;

        if (!slug_char(name.p[i], &c)) {
            gap = n > 0;
            continue;
        }
        if (gap)
            p[n++] = '-';
        gap = false;
        p[n++] = c;
    }
    return n > 0 ? (str){p, n} : STR(SLUG_EMPTY);
}

rc app_workspace_get(struct app *a, const struct caller *who, struct db *db,
                     struct arena *out, struct hub_workspace *w, struct err *e)
{
    struct tenant_row t;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = db_tenant_get(db, who->tenant, out, &t, e)) != RC_OK)
        return code;
    *w = (struct hub_workspace){.name = t.name,
                                .slug = slug_of(t.name, out),
                                .created_ms = t.created_ms};
    return hub_shown(a, db, t.id, 'w', out, &w->id, e);
}

/* ---- members ---- */

/* An address that is nobody's: .invalid never resolves (RFC 2606). The end of an
 * id is chance, its beginning the time. */
static str email_of(uuid key, str slug, struct arena *out)
{
    char id[UUID_TEXT];

    uuid_text(key, id);
    return arena_fmt(out, "key-%s@" STR_FMT ".invalid", id + 24, STR_ARG(slug));
}

static rc user_of(struct app *a, struct db *db, const struct key_row *k,
                  str slug, struct arena *out, struct hub_user *u,
                  struct err *e)
{
    *u = (struct hub_user){.email = email_of(k->id, slug, out),
                           .first_name = k->name,
                           .last_name = STR("")};
    return hub_shown(a, db, k->id, 'u', out, &u->id, e);
}

rc hub_user_of(struct app *a, struct db *db, uuid tenant, uuid key,
               struct arena *out, struct hub_user *u, bool *there,
               struct err *e)
{
    struct tenant_row t;
    struct key_row k;
    rc code = RC_OK;

    *there = false;
    if (uuid_is_nil(key) ||
        (code = maybe(db_key_get(db, tenant, key, out, &k, e), there)) !=
            RC_OK ||
        !*there || (code = db_tenant_get(db, tenant, out, &t, e)) != RC_OK)
        return code;
    return user_of(a, db, &k, slug_of(t.name, out), out, u, e);
}

/* Either spelling of an id whose code is not stored. */
static bool is_id(str text, uuid id, char letter, struct arena *out)
{
    uuid given;

    if (uuid_parse(text, STR(""), &given, NULL, NULL))
        return uuid_eq(given, id);
    return str_eq(text, code_text(out, id, letter));
}

rc hub_user_id(const struct caller *who, struct db *db, str text,
               struct arena *out, uuid *key, bool *there, struct err *e)
{
    struct key_row *v;
    size_t n;
    rc code = db_key_list(db, who->tenant, out, &v, &n, e);

    *there = false;
    for (size_t i = 0; code == RC_OK && i < n && !*there; i++) {
        *key = v[i].id;
        *there = is_id(text, v[i].id, 'u', out);
    }
    return code;
}

/* ---- groups ---- */

/* Made of what it is: a UUID of version 8 (RFC 9562, section 5.8). */
static uuid group_id(uuid tenant, enum role role)
{
    sha256 sha = sha256_of_both(uuid_key(&tenant), str_of(ROLES[role].name));
    uuid id;

    memcpy(id.b, sha.b, sizeof id.b);
    id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

/* Bits 1 << role. */
static unsigned roles_of(uuid tenant, const str *groups, size_t n,
                         struct arena *out)
{
    unsigned roles = 0;

    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (size_t i = 0; i < n; i++)
            if (is_id(groups[i], group_id(tenant, (enum role)r), 'g', out))
                roles |= 1u << r;
    return roles;
}

/* What of n rows a window shows: [*from, *to). */
static void window_cut(struct hub_window w, size_t n, size_t *from, size_t *to)
{
    struct window cut = hub_window_of(w);

    *from = cut.offset < n ? cut.offset : n;
    *to = n - *from < cut.limit ? n : *from + cut.limit;
}

rc app_member_list(struct app *a, const struct caller *who, struct db *db,
                   const str *groups, size_t groups_n, struct hub_window w,
                   struct arena *out, struct hub_member **v, size_t *n,
                   uint64_t *total, struct err *e)
{
    unsigned roles =
        groups_n == 0 ? ~0u : roles_of(who->tenant, groups, groups_n, out);
    size_t keys_n, some = 0, from, to;
    struct tenant_row t;
    struct key_row *keys;
    str slug;
    rc code;

    *v = NULL;
    *n = 0;
    *total = 0;
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = db_tenant_get(db, who->tenant, out, &t, e)) != RC_OK ||
        (code = db_key_list(db, who->tenant, out, &keys, &keys_n, e)) != RC_OK)
        return code;
    for (size_t i = 0; i < keys_n; i++)
        if ((roles & 1u << role_of(keys[i].scopes)) != 0)
            keys[some++] = keys[i];
    window_cut(w, some, &from, &to);
    slug = slug_of(t.name, out);
    *total = some;
    *v = ARENA_ARRAY(out, struct hub_member, to - from);
    for (; code == RC_OK && from < to; from++) {
        struct hub_member *m = &(*v)[(*n)++];

        m->role = ROLES[role_of(keys[from].scopes)].name;
        m->created_ms = keys[from].created_ms;
        code = user_of(a, db, &keys[from], slug, out, &m->user, e);
    }
    return code;
}

rc app_group_list(struct app *a, const struct caller *who, struct db *db,
                  struct hub_window w, struct arena *out, struct hub_group **v,
                  size_t *n, uint64_t *total, struct err *e)
{
    size_t from, to;
    struct tenant_row t;
    rc code;

    *v = NULL;
    *n = 0;
    *total = ROLE_COUNT;
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = db_tenant_get(db, who->tenant, out, &t, e)) != RC_OK)
        return code;
    window_cut(w, ROLE_COUNT, &from, &to);
    *v = ARENA_ARRAY(out, struct hub_group, to - from);
    for (; code == RC_OK && from < to; from++) {
        struct hub_group *g = &(*v)[(*n)++];

        *g = (struct hub_group){.name = str_of(ROLES[from].group),
                                .created_ms = t.created_ms};
        code = hub_shown(a, db, group_id(t.id, (enum role)from), 'g', out,
                         &g->id, e);
    }
    return code;
}
