/* Tenants, their keys, and the table that says whose an id is. */
#include "store/store_priv.h"

/* ---- objects ---- */

rc object_put(struct db *db, uuid id, uuid tenant, enum object_kind kind,
              uuid base, struct err *e)
{
    struct q q = q_open(db, "INSERT INTO object(id, tenant, kind, base)"
                            " VALUES(?1, ?2, ?3, ?4)");

    q_uuid(&q, id);
    q_uuid(&q, tenant);
    q_int(&q, kind);
    q_uuid(&q, base);
    return q_run(&q, NULL, e);
}

rc object_drop(struct db *db, uuid id, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM object WHERE id = ?1");

    q_uuid(&q, id);
    return q_run(&q, NULL, e);
}

rc db_object_find(struct db *db, uuid tenant, enum object_kind kind, uuid id,
                  uuid *base, struct err *e)
{
    struct q q =
        q_open(db, "SELECT base FROM object"
                   " WHERE id = ?1 AND tenant = ?2 AND kind = ?3"
                   " AND (base IS NULL OR EXISTS(SELECT 1 FROM base_state"
                   "  WHERE base_state.base = object.base AND deleted = 0))");

    q_uuid(&q, id);
    q_uuid(&q, tenant);
    q_int(&q, kind);
    if (q_row(&q))
        *base = q_get_uuid(&q);
    return q_end_one(&q, "object", e);
}

/* ---- short ids ---- */

#define CODE_DIGITS 11

/* Base 36 of 56 bits of a hash of the id and how often that was taken. */
static str code_try(struct arena *out, uuid id, char letter, uint8_t tries)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t key[sizeof id.b + 1];
    char *to = arena_alloc(out, CODE_DIGITS + 2);
    uint64_t bits = 0;
    sha256 sha;

    memcpy(key, id.b, sizeof id.b);
    key[sizeof id.b] = tries;
    sha = sha256_of((str){(const char *)key, sizeof key});
    for (size_t i = 0; i < 7; i++)
        bits = bits << 8 | sha.b[i];
    to[0] = letter;
    for (size_t i = CODE_DIGITS; i > 0; i--, bits /= 36)
        to[i] = DIGITS[bits % 36];
    to[CODE_DIGITS + 1] = '\0';
    return (str){to, CODE_DIGITS + 1};
}

str code_text(struct arena *out, uuid id, char letter)
{
    return code_try(out, id, letter, 0);
}

#define CODE_TRIES 8

rc db_code_put(struct db *db, uuid id, char letter, struct err *e)
{
    struct arena *tmp = arena_open();
    rc code = RC_CONFLICT;

    for (uint8_t i = 0; code == RC_CONFLICT && i < CODE_TRIES; i++) {
        struct q q = q_open(db, "UPDATE object SET code = ?2 WHERE id = ?1");

        q_uuid(&q, id);
        q_text(&q, code_try(tmp, id, letter, i));
        code = q_run(&q, NULL, e);
    }
    arena_close(tmp);
    return code;
}

rc db_code_find(struct db *db, uuid tenant, enum object_kind kind, str code,
                uuid *id, uuid *base, struct err *e)
{
    struct q q =
        q_open(db, "SELECT id, base FROM object WHERE code = ?1"
                   " AND tenant = ?2 AND kind = ?3"
                   " AND (base IS NULL OR EXISTS(SELECT 1 FROM base_state"
                   "  WHERE base_state.base = object.base AND deleted = 0))");

    q_text(&q, code);
    q_uuid(&q, tenant);
    q_int(&q, kind);
    if (q_row(&q)) {
        *id = q_get_uuid(&q);
        *base = q_get_uuid(&q);
    }
    return q_end_one(&q, "object", e);
}

rc db_code_get(struct db *db, uuid id, struct arena *out, str *code,
               struct err *e)
{
    struct q q = q_open(db, "SELECT code FROM object WHERE id = ?1");

    *code = STR_NONE;
    q_uuid(&q, id);
    if (q_row(&q))
        *code = q_get_text(&q, out);
    return q_end(&q, e);
}

/* ---- tenants ---- */

rc db_tenant_put(struct db *db, const struct tenant_row *t, struct err *e)
{
    struct q q = q_open(
        db, "INSERT INTO tenant(id, name, created_ms) VALUES(?1, ?2, ?3)");
    rc code;

    q_uuid(&q, t->id);
    q_text(&q, t->name);
    q_int(&q, t->created_ms);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT, "a tenant of that name is there");
    if (code != RC_OK)
        return code;
    return object_put(db, t->id, t->id, OBJECT_TENANT, UUID_NIL, e);
}

static rc tenant_take(struct q *q, struct arena *out, struct tenant_row *t,
                      struct err *e)
{
    if (q_row(q)) {
        t->id = q_get_uuid(q);
        t->name = q_get_text(q, out);
        t->created_ms = q_get_int(q);
    }
    return q_end_one(q, "tenant", e);
}

rc db_tenant_get(struct db *db, uuid id, struct arena *out,
                 struct tenant_row *t, struct err *e)
{
    struct q q =
        q_open(db, "SELECT id, name, created_ms FROM tenant WHERE id = ?1");

    q_uuid(&q, id);
    return tenant_take(&q, out, t, e);
}

rc db_tenant_by_name(struct db *db, str name, struct arena *out,
                     struct tenant_row *t, struct err *e)
{
    struct q q =
        q_open(db, "SELECT id, name, created_ms FROM tenant WHERE name = ?1");

    q_text(&q, name);
    return tenant_take(&q, out, t, e);
}

/* ---- keys ---- */

#define KEY_COLUMNS                                                           \
    "id, tenant, name, prefix, hash, scopes, active, created_ms, expires_ms," \
    " last_used_ms"

static void key_read(struct q *q, struct arena *out, struct key_row *k)
{
    k->id = q_get_uuid(q);
    k->tenant = q_get_uuid(q);
    k->name = q_get_text(q, out);
    k->prefix = q_get_text(q, out);
    k->hash = q_get_sha(q);
    k->scopes = q_get_u32(q);
    k->active = q_get_bool(q);
    k->created_ms = q_get_int(q);
    k->expires_ms = q_get_int(q);
    k->last_used_ms = q_get_int(q);
}

rc db_key_put(struct db *db, const struct key_row *k, struct err *e)
{
    struct q q = q_open(db, "INSERT INTO api_key(" KEY_COLUMNS ")"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    rc code;

    q_uuid(&q, k->id);
    q_uuid(&q, k->tenant);
    q_text(&q, k->name);
    q_text(&q, k->prefix);
    q_sha(&q, &k->hash);
    q_int(&q, k->scopes);
    q_int(&q, k->active);
    q_int(&q, k->created_ms);
    q_int(&q, k->expires_ms);
    q_int(&q, k->last_used_ms);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT, "that key is there already");
    if (code != RC_OK)
        return code;
    return object_put(db, k->id, k->tenant, OBJECT_KEY, UUID_NIL, e);
}

rc db_key_by_hash(struct db *db, const sha256 *hash, struct arena *out,
                  struct key_row *k, struct err *e)
{
    struct q q =
        q_open(db, "SELECT " KEY_COLUMNS " FROM api_key WHERE hash = ?1");
    rc code;

    q_sha(&q, hash);
    if (q_row(&q))
        key_read(&q, out, k);
    code = q_end_one(&q, "key", e);
    /* The look-up's time shows which prefix of a hash is there, which helps
     * nobody to a key; still the whole is compared in constant time. */
    if (code == RC_OK && !sha256_eq(&k->hash, hash))
        return err_set(e, RC_CORRUPT, "database: the index of keys is damaged");
    return code;
}

rc db_key_get(struct db *db, uuid tenant, uuid id, struct arena *out,
              struct key_row *k, struct err *e)
{
    struct q q = q_open(db, "SELECT " KEY_COLUMNS " FROM api_key"
                            " WHERE id = ?1 AND tenant = ?2");

    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q))
        key_read(&q, out, k);
    return q_end_one(&q, "key", e);
}

rc db_key_list(struct db *db, uuid tenant, struct arena *out,
               struct key_row **v, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT " KEY_COLUMNS " FROM api_key"
                            " WHERE tenant = ?1 ORDER BY id DESC");
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    q_uuid(&q, tenant);
    while (q_row(&q)) {
        struct key_row k;

        key_read(&q, out, &k);
        ARENA_PUSH(out, *v, *n, cap, k);
    }
    return q_end(&q, e);
}

rc db_key_drop(struct db *db, uuid tenant, uuid id, struct err *e)
{
    struct q q =
        q_open(db, "DELETE FROM api_key WHERE id = ?1 AND tenant = ?2");
    uint64_t changed;
    rc code;

    q_uuid(&q, id);
    q_uuid(&q, tenant);
    code = q_run(&q, &changed, e);
    if (code != RC_OK)
        return code;
    if (changed == 0)
        return err_set(e, RC_NOTFOUND, "no such key");
    return object_drop(db, id, e);
}

rc db_key_touch(struct db *db, uuid id, int64_t used_ms, struct err *e)
{
    struct q q = q_open(db, "UPDATE api_key SET last_used_ms = ?2"
                            " WHERE id = ?1 AND last_used_ms < ?2");

    q_uuid(&q, id);
    q_int(&q, used_ms);
    return q_run(&q, NULL, e);
}

rc db_key_count(struct db *db, uint64_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM api_key");

    *n = 0;
    if (q_row(&q))
        *n = q_get_uint(&q);
    return q_end(&q, e);
}
