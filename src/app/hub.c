#include "app/hub_priv.h"

#include "base/clock.h"

#define HUB_NAME STR("Knowledge Hub")
#define CODE_CHARS 12

/* ---- the base ---- */

rc hub_find(const struct caller *who, unsigned scope, struct db *db, uuid *base,
            struct err *e)
{
    bool there;
    rc code = app_allow(who, scope, e);

    *base = UUID_NIL;
    if (code != RC_OK)
        return code;
    return maybe(db_base_hub(db, who->tenant, base, e), &there);
}

rc hub_make(struct app *a, const struct caller *who, struct db *db, uuid *base,
            struct err *e)
{
    const struct base_in in = {
        .set.name = true, .name = HUB_NAME, .embedding_dimensions = -1};
    struct base b;
    rc code = hub_find(who, SCOPE_KB_MANAGE, db, base, e);

    if (code != RC_OK || !uuid_is_nil(*base))
        return code;
    if ((code = base_add(a, who, db, &in, true, &b, e)) == RC_OK)
        *base = b.id;
    return code;
}

struct window hub_window_of(struct hub_window w)
{
    return (struct window){.offset = (w.page - 1) * w.size, .limit = w.size};
}

rc hub_refused(struct err *e, const char *name, const char *text)
{
    (void)err_set(e, RC_INVALID, "%s", text);
    return err_name(e, name);
}

/* ---- ids ---- */

static bool is_code(str s)
{
    if (s.n != CODE_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') &&
            !(s.p[i] >= '0' && s.p[i] <= '9'))
            return false;
    return true;
}

rc hub_id(const struct caller *who, struct db *db, uuid base,
          enum object_kind kind, const char *thing, str text, uuid *id,
          struct err *e)
{
    uuid of = UUID_NIL;
    rc code = RC_NOTFOUND;

    if (is_code(text))
        code = db_code_find(db, who->tenant, kind, text, id, &of, e);
    else if (uuid_parse(text, STR(""), id, NULL, NULL))
        code = db_object_find(db, who->tenant, kind, *id, &of, e);
    if (code == RC_OK && (uuid_is_nil(base) || !uuid_eq(of, base)))
        code = RC_NOTFOUND; /* of another base of the organization */
    if (code == RC_NOTFOUND)
        return err_set(e, code, "%s not found: " STR_FMT, thing,
                       STR_ARG(str_sub(text, 0, 64)));
    return code;
}

rc hub_ids(const struct caller *who, struct db *db, uuid base,
           enum object_kind kind, const char *thing, const char *name,
           const str *texts, size_t n, struct arena *out, uuid **ids,
           size_t *ids_n, struct err *e)
{
    *ids = ARENA_ARRAY(out, uuid, n);
    *ids_n = 0;
    for (size_t i = 0; i < n; i++) {
        bool doubled = false;
        uuid id;
        rc code = hub_id(who, db, base, kind, thing, texts[i], &id, e);

        if (code == RC_NOTFOUND) {
            e->code = RC_INVALID;
            return err_name(e, name);
        }
        if (code != RC_OK)
            return code;
        for (size_t k = 0; k < *ids_n; k++)
            doubled = doubled || uuid_eq((*ids)[k], id);
        if (!doubled)
            (*ids)[(*ids_n)++] = id;
    }
    return RC_OK;
}

rc hub_shown(struct app *a, struct db *db, uuid id, char letter,
             struct arena *out, str *text, struct err *e)
{
    rc code = RC_OK;

    *text = STR_NONE;
    if (!a->short_ids) {
        *text = uuid_str(out, id);
        return RC_OK;
    }
    code = db_code_get(db, id, out, text, e);
    if (code == RC_OK && text->p == NULL)
        *text = code_text(out, id, letter);
    return code;
}
