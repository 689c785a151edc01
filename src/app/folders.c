/* Folders of a hub: a tree of names, kept shallow and without rings. */
#include "app/hub_priv.h"
#include "base/clock.h"
#include "text/utf8.h"

const char *const VISIBILITY_NAMES[VISIBILITY_COUNT + 1] = {
    [VISIBILITY_PRIVATE] = "private",
    [VISIBILITY_WORKSPACE] = "workspace",
    [VISIBILITY_GLOBAL] = "global",
};

rc hub_visibility(str text, enum visibility *v, struct err *e)
{
    for (unsigned i = 0; i < VISIBILITY_COUNT; i++)
        if (str_eq(text, str_of(VISIBILITY_NAMES[i]))) {
            *v = (enum visibility)i;
            return RC_OK;
        }
    (void)err_set(e, RC_INVALID,
                  "visibility must be private, workspace or global");
    return err_name(e, "invalid_visibility");
}

/* ---- showing ---- */

rc hub_folder_refs(struct app *a, struct db *db, uuid base, uuid item,
                   struct arena *out, struct hub_folder_ref **v, size_t *n,
                   struct err *e)
{
    struct folder_row *rows;
    rc code = db_folders_of(db, base, item, out, &rows, n, e);

    if (code != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct hub_folder_ref, *n);
    for (size_t i = 0; code == RC_OK && i < *n; i++) {
        (*v)[i] = (struct hub_folder_ref){.name = rows[i].name,
                                          .emoji = rows[i].emoji};
        code = hub_shown(a, db, rows[i].id, 'f', out, &(*v)[i].id, e);
    }
    return code;
}

static rc folder_of(struct app *a, struct db *db, const struct folder_row *r,
                    struct arena *out, struct hub_folder *f, struct err *e)
{
    rc code;

    *f = (struct hub_folder){.name = r->name,
                             .emoji = r->emoji,
                             .visibility = VISIBILITY_NAMES[r->visibility],
                             .article_count = r->article_count,
                             .folder_count = r->folder_count,
                             .created_ms = r->created_ms,
                             .updated_ms = r->updated_ms};
    code = hub_shown(a, db, r->id, 'f', out, &f->id, e);
    if (code == RC_OK && !uuid_is_nil(r->parent))
        code = hub_shown(a, db, r->parent, 'f', out, &f->parent, e);
    return code;
}

/* As it is now, with what lies in it counted. */
static rc folder_show(struct app *a, const struct caller *who, struct db *db,
                      uuid base, uuid id, struct arena *out,
                      struct hub_folder *f, struct err *e)
{
    struct folder_row row;
    rc code = db_folder_get(db, who->tenant, base, id, out, &row, e);

    return code == RC_OK ? folder_of(a, db, &row, out, f, e) : code;
}

/* ---- reading ---- */

rc app_folder_list(struct app *a, const struct caller *who, struct db *db,
                   str parent, str query, struct hub_window w,
                   struct arena *out, struct hub_folder **v, size_t *n,
                   uint64_t *total, struct err *e)
{
    struct folder_filter by = {.by_parent = parent.p != NULL, .query = query};
    struct folder_row *rows;
    bool there = true;
    uuid base;
    rc code;

    *v = NULL;
    *n = 0;
    *total = 0;
    if ((code = hub_find(who, SCOPE_KB_READ, db, &base, e)) != RC_OK)
        return code;
    if (by.by_parent)
        code = maybe(hub_id(who, db, base, OBJECT_FOLDER, "Folder", parent,
                            &by.parent, e),
                     &there);
    if (code != RC_OK || !there || uuid_is_nil(base) ||
        (code = db_folder_list(db, who->tenant, base, &by, hub_window_of(w),
                               out, &rows, n, total, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct hub_folder, *n);
    for (size_t i = 0; code == RC_OK && i < *n; i++)
        code = folder_of(a, db, &rows[i], out, &(*v)[i], e);
    return code;
}

static rc folder_find(const struct caller *who, unsigned scope, struct db *db,
                      str id, struct arena *out, struct folder_row *row,
                      struct err *e)
{
    uuid base, folder;
    rc code;

    if ((code = hub_find(who, scope, db, &base, e)) != RC_OK ||
        (code = hub_id(who, db, base, OBJECT_FOLDER, "Folder", id, &folder,
                       e)) != RC_OK)
        return code;
    return db_folder_get(db, who->tenant, base, folder, out, row, e);
}

rc app_folder_get(struct app *a, const struct caller *who, struct db *db,
                  str id, struct arena *out, struct hub_folder *f,
                  struct err *e)
{
    struct folder_row row;
    rc code = folder_find(who, SCOPE_KB_READ, db, id, out, &row, e);

    return code == RC_OK ? folder_of(a, db, &row, out, f, e) : code;
}

/* ---- changing ---- */

static rc name_check(str name, struct err *e)
{
    if (str_blank(name)) {
        (void)err_set(e, RC_INVALID, "name is required");
        return err_name(e, "missing_field");
    }
    if (utf8_count(name) > TITLE_CHARS_MAX) {
        (void)err_set(e, RC_INVALID, "name must be %d characters or fewer",
                      TITLE_CHARS_MAX);
        return err_name(e, "name_too_long");
    }
    return RC_OK;
}

static rc emoji_check(str emoji, struct err *e)
{
    if (utf8_count(emoji) <= EMOJI_CHARS_MAX)
        return RC_OK;
    (void)err_set(e, RC_INVALID, "emoji must be %d characters or fewer",
                  EMOJI_CHARS_MAX);
    return err_name(e, "emoji_too_long");
}

/* Whether a folder may lie in `parent`: `moved` (nil: a new one) with all that
 * is below it. Goes up from there, which ends in damaged rings, too. */
static rc parent_check(const struct caller *who, struct db *db, uuid base,
                       uuid parent, uuid moved, struct arena *out,
                       struct err *e)
{
    size_t above = 0, levels = 1;
    struct folder_row row;
    rc code = RC_OK;

    for (uuid at = parent; !uuid_is_nil(at) && above < FOLDER_DEPTH_MAX;
         at = row.parent, above++) {
        if (uuid_eq(at, moved)) {
            (void)err_set(e, RC_INVALID, "a folder cannot lie below itself");
            return err_name(e, "folder_cycle");
        }
        if ((code = db_folder_get(db, who->tenant, base, at, out, &row, e)) !=
            RC_OK)
            return code;
    }
    if (!uuid_is_nil(moved))
        code = db_folder_height(db, base, moved, &levels, e);
    if (code == RC_OK && above + levels > FOLDER_DEPTH_MAX) {
        (void)err_set(e, RC_INVALID, "folders may be %d levels deep",
                      FOLDER_DEPTH_MAX);
        return err_name(e, "folder_too_deep");
    }
    return code;
}

/* What `in` says, checked and put into the row. */
static rc folder_take(const struct caller *who, struct db *db,
                      const struct hub_folder_in *in, bool is_new,
                      struct arena *out, struct folder_row *row, struct err *e)
{
    uuid *parents = NULL, moved = is_new ? UUID_NIL : row->id;
    size_t n = 0;
    rc code;

    if ((in->set_name && (code = name_check(in->name, e)) != RC_OK) ||
        (in->set_emoji && (code = emoji_check(in->emoji, e)) != RC_OK) ||
        (in->set_visibility &&
         (code = hub_visibility(in->visibility, &row->visibility, e)) != RC_OK))
        return code;
    if (in->set_name)
        row->name = in->name;
    if (in->set_emoji)
        row->emoji = in->emoji.n > 0 ? in->emoji : STR_NONE;
    if (!in->set_parent)
        return RC_OK;
    if (in->parent.n > 0 &&
        (code = hub_ids(who, db, row->base, OBJECT_FOLDER, "Folder",
                        "folder_not_found", &in->parent, 1, out, &parents, &n,
                        e)) != RC_OK)
        return code;
    row->parent = n > 0 ? parents[0] : UUID_NIL;
    return parent_check(who, db, row->base, row->parent, moved, out, e);
}

rc app_folder_add(struct app *a, const struct caller *who, struct db *db,
                  const struct hub_folder_in *in, struct arena *out,
                  struct hub_folder *f, struct err *e)
{
    struct folder_row row = {.id = uuid_new(),
                             .tenant = who->tenant,
                             .visibility = VISIBILITY_WORKSPACE,
                             .created_ms = clock_wall_ms()};
    struct hub_folder_in all = *in;
    rc code;

    all.set_name = all.set_emoji = all.set_parent = true;
    all.set_visibility = in->visibility.p != NULL;
    row.updated_ms = row.created_ms;
    if ((code = hub_make(a, who, db, &row.base, e)) != RC_OK ||
        (code = folder_take(who, db, &all, true, out, &row, e)) != RC_OK ||
        (code = db_folder_put(db, &row, e)) != RC_OK ||
        (code = db_code_put(db, row.id, 'f', e)) != RC_OK ||
        (code = app_event(db, who, row.base, row.id, "folder.created", e)) !=
            RC_OK)
        return code;
    return folder_show(a, who, db, row.base, row.id, out, f, e);
}

rc app_folder_update(struct app *a, const struct caller *who, struct db *db,
                     str id, const struct hub_folder_in *in, struct arena *out,
                     struct hub_folder *f, struct err *e)
{
    struct folder_row row;
    rc code;

    if ((code = folder_find(who, SCOPE_KB_MANAGE, db, id, out, &row, e)) !=
            RC_OK ||
        (code = folder_take(who, db, in, false, out, &row, e)) != RC_OK)
        return code;
    row.updated_ms = clock_wall_ms();
    if ((code = db_folder_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, row.base, row.id, "folder.updated", e)) !=
            RC_OK)
        return code;
    return folder_show(a, who, db, row.base, row.id, out, f, e);
}

rc app_folder_delete(struct app *a, const struct caller *who, struct db *db,
                     str id, struct arena *out, str *shown, struct err *e)
{
    struct folder_row row;
    rc code;

    if ((code = folder_find(who, SCOPE_KB_MANAGE, db, id, out, &row, e)) !=
            RC_OK ||
        (code = hub_shown(a, db, row.id, 'f', out, shown, e)) != RC_OK ||
        (code = db_folder_drop(db, who->tenant, row.base, row.id, e)) != RC_OK)
        return code;
    return app_event(db, who, row.base, row.id, "folder.deleted", e);
}
