#include "app/keys.h"

#include "app/app_priv.h"
#include "base/clock.h"

#define KEY_PREFIX "knowd_live_"
#define KEY_RANDOM_CHARS 40
/* Of a key's text, how much is shown again. */
#define PREFIX_SHOWN (sizeof KEY_PREFIX - 1 + 4)
#define ADMIN_KEY_CHARS_MIN 32
#define ADMIN_PREFIX_SHOWN 4
#define FIRST_TENANT STR("default")

const struct scope_name SCOPES[SCOPES_N] = {
    {SCOPE_KB_READ, STR_INIT("knowledge_bases:read")},
    {SCOPE_KB_MANAGE, STR_INIT("knowledge_bases:manage")},
    {SCOPE_ORG_MANAGE, STR_INIT("org:manage")},
};

bool scope_parse(str name, unsigned *scope)
{
    for (size_t i = 0; i < SCOPES_N; i++)
        if (str_eq(SCOPES[i].name, name)) {
            *scope = SCOPES[i].scope;
            return true;
        }
    return false;
}

unsigned scope_closure(unsigned scopes)
{
    if ((scopes & SCOPE_ORG_MANAGE) != 0)
        scopes |= SCOPE_KB_READ | SCOPE_KB_MANAGE;
    return scopes;
}

static int clearance_of(unsigned scopes)
{
    if ((scopes & SCOPE_ORG_MANAGE) != 0)
        return 30;
    return (scopes & SCOPE_KB_MANAGE) != 0 ? 20 : 10;
}

/* ---- who calls ---- */

static bool key_counts(const struct key_row *k, const sha256 *hash,
                       int64_t now_ms)
{
    return sha256_eq(&k->hash, hash) && k->active &&
           (k->expires_ms == 0 || k->expires_ms > now_ms);
}

/* The same key as clients of another dialect spell it; empty: no such
 * spelling. */
static str key_own_spelling(str text, struct arena *out)
{
    static const str PREFIXES[] = {STR_INIT("exec_live_"),
                                   STR_INIT("fth_live_")};

    for (size_t i = 0; i < NELEMS(PREFIXES); i++)
        if (str_starts(text, PREFIXES[i]))
            return arena_fmt(out, KEY_PREFIX STR_FMT,
                             STR_ARG(str_sub(text, PREFIXES[i].n, text.n)));
    return STR_NONE;
}

static rc key_find(struct db *db, str text, struct arena *out,
                   struct key_row *k, sha256 *hash, bool *there, struct err *e)
{
    str own = key_own_spelling(text, out);
    rc code;

    *hash = sha256_of(text);
    code = maybe(db_key_by_hash(db, hash, out, k, e), there);
    if (code != RC_OK || *there || own.n == 0)
        return code;
    *hash = sha256_of(own);
    return maybe(db_key_by_hash(db, hash, out, k, e), there);
}

rc app_authenticate(struct app *a, struct db *db, str key_text,
                    struct caller *who, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct arena *tmp = arena_open();
    struct key_row k;
    sha256 hash;
    bool there;
    rc code;

    code = key_find(db, key_text, tmp, &k, &hash, &there, e);
    if (code == RC_OK && (!there || !key_counts(&k, &hash, now)))
        code = err_set(e, RC_UNAUTHENTICATED, "invalid or inactive API key");
    if (code == RC_OK) {
        who->tenant = k.tenant;
        who->key = k.id;
        who->scopes = scope_closure(k.scopes);
        who->clearance = clearance_of(k.scopes);
        maintenance_touch_key(a->maintenance, k.id, now);
    }
    arena_close(tmp);
    return code;
}

rc app_allow(const struct caller *who, unsigned scope, struct err *e)
{
    if ((who->scopes & scope) == scope)
        return RC_OK;
    for (size_t i = 0; i < SCOPES_N; i++)
        if ((SCOPES[i].scope & scope & ~who->scopes) != 0)
            return err_set(e, RC_DENIED, "the API key lacks the scope %s",
                           SCOPES[i].name.p);
    return err_set(e, RC_DENIED, "the API key lacks a scope");
}

/* ---- keys of a tenant ---- */

static str key_shown(str text, struct arena *out)
{
    size_t n =
        str_starts(text, STR(KEY_PREFIX)) ? PREFIX_SHOWN : ADMIN_PREFIX_SHOWN;

    return arena_str(out, str_sub(text, 0, n));
}

static struct key key_of_row(const struct key_row *r)
{
    return (struct key){.id = r->id,
                        .name = r->name,
                        .prefix = r->prefix,
                        .scopes = r->scopes,
                        .active = r->active,
                        .created_ms = r->created_ms,
                        .expires_ms = r->expires_ms,
                        .last_used_ms = r->last_used_ms};
}

static rc tenant_add(struct db *db, str name, struct tenant_row *t,
                     struct err *e)
{
    *t = (struct tenant_row){
        .id = uuid_new(), .name = name, .created_ms = clock_wall_ms()};
    return db_tenant_put(db, t, e);
}

static rc key_put(struct db *db, uuid tenant, str name, unsigned scopes,
                  int64_t expires_ms, str text, struct arena *out,
                  struct key_row *row, struct err *e)
{
    *row = (struct key_row){.id = uuid_new(),
                            .tenant = tenant,
                            .name = name,
                            .prefix = key_shown(text, out),
                            .hash = sha256_of(text),
                            .scopes = scopes,
                            .active = true,
                            .created_ms = clock_wall_ms(),
                            .expires_ms = expires_ms};
    return db_key_put(db, row, e);
}

/* Whose the new key is: the caller's tenant, or the named one. */
static rc key_tenant(struct app *a, const struct caller *who, struct db *db,
                     str name, struct arena *out, uuid *tenant, struct err *e)
{
    struct tenant_row t;
    bool there;
    rc code;

    *tenant = who->tenant;
    if (name.n == 0)
        return RC_OK;
    if (!uuid_eq(who->tenant, a->first_tenant))
        return err_set(e, RC_DENIED,
                       "only a key of the first organization may name another");
    if ((code = maybe(db_tenant_by_name(db, name, out, &t, e), &there)) !=
        RC_OK)
        return code;
    if (!there) {
        struct caller founder = *who;

        if ((code = tenant_add(db, name, &t, e)) != RC_OK)
            return code;
        founder.tenant = t.id;
        code = app_event(db, &founder, UUID_NIL, t.id, "tenant.created", e);
    }
    *tenant = t.id;
    return code;
}

rc app_key_add(struct app *a, const struct caller *who, struct db *db,
               const struct key_new *in, struct arena *out, struct key *k,
               str *text, uuid *tenant, struct err *e)
{
    unsigned scopes = in->scopes == 0 ? who->scopes : in->scopes;
    struct caller owner = *who;
    struct key_row row;
    rc code;

    if ((code = app_allow(who, SCOPE_ORG_MANAGE, e)) != RC_OK ||
        (code = app_allow(who, scopes, e)) != RC_OK)
        return code;
    if (str_blank(in->name)) {
        (void)err_set(e, RC_INVALID, "a key needs a name");
        return err_name(e, "bad_request");
    }
    if ((code = key_tenant(a, who, db, in->tenant_name, out, tenant, e)) !=
        RC_OK)
        return code;
    *text = arena_fmt(out, KEY_PREFIX STR_FMT,
                      STR_ARG(crypto_random_text(out, KEY_RANDOM_CHARS)));
    owner.tenant = *tenant;
    if ((code = key_put(db, *tenant, in->name, scopes, in->expires_ms, *text,
                        out, &row, e)) != RC_OK ||
        (code = app_event(db, &owner, UUID_NIL, row.id, "key.created", e)) !=
            RC_OK)
        return code;
    *k = key_of_row(&row);
    return RC_OK;
}

rc app_key_list(struct app *a, const struct caller *who, struct db *db,
                struct arena *out, struct key **v, size_t *n, struct err *e)
{
    struct key_row *rows;
    rc code;

    (void)a;
    *n = 0;
    if ((code = app_allow(who, SCOPE_ORG_MANAGE, e)) != RC_OK ||
        (code = db_key_list(db, who->tenant, out, &rows, n, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct key, *n);
    for (size_t i = 0; i < *n; i++)
        (*v)[i] = key_of_row(&rows[i]);
    return RC_OK;
}

rc app_key_revoke(struct app *a, const struct caller *who, struct db *db,
                  uuid id, struct err *e)
{
    rc code;

    (void)a;
    if ((code = app_allow(who, SCOPE_ORG_MANAGE, e)) != RC_OK ||
        (code = db_key_drop(db, who->tenant, id, e)) != RC_OK)
        return code;
    return app_event(db, who, UUID_NIL, id, "key.revoked", e);
}

rc app_whoami(struct app *a, const struct caller *who, struct db *db,
              struct arena *out, struct identity *id, struct err *e)
{
    struct tenant_row t;
    struct key_row *rows;
    size_t n;
    rc code;

    (void)a;
    if ((code = db_tenant_get(db, who->tenant, out, &t, e)) != RC_OK ||
        (code = db_key_list(db, who->tenant, out, &rows, &n, e)) != RC_OK)
        return code;
    *id = (struct identity){.key = who->key,
                            .tenant = t.id,
                            .tenant_name = t.name,
                            .scopes = who->scopes,
                            .clearance = who->clearance};
    for (size_t i = 0; i < n; i++)
        if (uuid_eq(rows[i].id, who->key))
            id->key_name = rows[i].name;
    return RC_OK;
}

/* ---- the first key ---- */

struct founding {
    struct write write;
    str key_text;
    bool put_key;
    uuid tenant;
};

static rc founding_run(struct write *w, struct db *db, struct err *e)
{
    struct founding *f = (struct founding *)w;
    struct arena *tmp = arena_open();
    struct tenant_row t;
    struct key_row k;
    struct caller who;
    bool there;
    rc code;

    code = maybe(db_tenant_by_name(db, FIRST_TENANT, tmp, &t, e), &there);
    if (code == RC_OK && !there)
        code = tenant_add(db, FIRST_TENANT, &t, e);
    if (code == RC_OK) {
        f->tenant = t.id;
        who = app_program(t.id);
        if (!there)
            code = app_event(db, &who, UUID_NIL, t.id, "tenant.created", e);
    }
    if (code == RC_OK && f->put_key &&
        (code = key_put(db, t.id, STR("first admin key"), SCOPE_ORG_MANAGE, 0,
                        f->key_text, tmp, &k, e)) == RC_OK)
        code = app_event(db, &who, UUID_NIL, k.id, "key.created", e);
    arena_close(tmp);
    return code;
}

/* What is there already; the write is only needed in a fresh folder. */
static rc founded(struct app *a, bool *tenant, bool *key, struct err *e)
{
    struct arena *tmp = arena_open();
    struct db *db = NULL;
    struct tenant_row t;
    uint64_t keys = 0;
    rc code;

    *tenant = *key = false;
    if ((code = store_read_begin(a->store, &db, e)) == RC_OK &&
        (code = maybe(db_tenant_by_name(db, FIRST_TENANT, tmp, &t, e),
                      tenant)) == RC_OK)
        code = db_key_count(db, &keys, e);
    if (*tenant)
        a->first_tenant = t.id;
    *key = keys > 0;
    if (db != NULL)
        store_read_end(db);
    arena_close(tmp);
    return code;
}

rc keys_found(struct app *a, str admin_key, struct arena *out, str *made_key,
              struct err *e)
{
    struct founding f = {.write.run = founding_run};
    bool tenant, key;
    rc code;

    if ((code = founded(a, &tenant, &key, e)) != RC_OK || (tenant && key))
        return code;
    if (!key && admin_key.n > 0 && admin_key.n < ADMIN_KEY_CHARS_MIN)
        return err_set(e, RC_INVALID,
                       "KNOWD_ADMIN_KEY has %zu characters, at least %d are "
                       "needed",
                       admin_key.n, ADMIN_KEY_CHARS_MIN);
    f.put_key = !key;
    f.key_text = admin_key;
    if (!key && admin_key.n == 0) {
        f.key_text =
            arena_fmt(out, KEY_PREFIX STR_FMT,
                      STR_ARG(crypto_random_text(out, KEY_RANDOM_CHARS)));
        *made_key = f.key_text;
    }
    if ((code = store_write(a->store, &f.write, e)) == RC_OK)
        a->first_tenant = f.tenant;
    return code;
}
