/* Folders of a hub: a tree of names, and what lies in them. */
#include <stdlib.h>

#include "store/store_priv.h"
#include "text/fold.h"

#define FOLDER_COLUMNS                                   \
    "f.id, f.base, f.tenant, f.name, f.emoji, f.parent," \
    " f.visibility, f.created_ms, f.updated_ms"

/* What lies in one directly: articles that are not archived, and folders. */
#define FOLDER_COUNTS                                                 \
    "(SELECT count(*) FROM folder_item i"                             \
    "  JOIN article a ON a.base = i.base AND a.id = i.item"           \
    "  WHERE i.base = f.base AND i.folder = f.id AND a.status <> 2)," \
    " (SELECT count(*) FROM folder c"                                 \
    "  WHERE c.base = f.base AND c.parent = f.id)"
static_assert(ARTICLE_ARCHIVED == 2, "the number in this statement");

#define FOLDER_WHERE                   \
    " WHERE base = ?1 AND tenant = ?2" \
    " AND (?3 = 0 OR parent IS ?4)"    \
    " AND (?5 IS NULL OR has(name, fold(?5)))"

static void columns_read(struct q *q, struct arena *out, struct folder_row *f)
{
    f->id = q_get_uuid(q);
    f->base = q_get_uuid(q);
    f->tenant = q_get_uuid(q);
    f->name = q_get_text(q, out);
    f->emoji = q_get_text(q, out);
    f->parent = q_get_uuid(q);
    f->visibility = (enum visibility)q_get_u32(q);
    f->created_ms = q_get_int(q);
    f->updated_ms = q_get_int(q);
}

static void folder_read(struct q *q, struct arena *out, struct folder_row *f)
{
    columns_read(q, out, f);
    f->article_count = q_get_uint(q);
    f->folder_count = q_get_uint(q);
}

/* What a caller sets, behind base, id and tenant. */
static void bind_settings(struct q *q, const struct folder_row *f)
{
    q_uuid(q, f->base);
    q_uuid(q, f->id);
    q_uuid(q, f->tenant);
    q_text(q, f->name);
    q_text_or_null(q, f->emoji);
    q_uuid(q, f->parent);
    q_int(q, f->visibility);
    q_int(q, f->updated_ms);
}

rc db_folder_put(struct db *db, const struct folder_row *f, struct err *e)
{
    struct q q =
        q_open(db, "INSERT INTO folder(base, id, tenant, name, emoji, parent,"
                   " visibility, updated_ms, created_ms)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    rc code;

    bind_settings(&q, f);
    q_int(&q, f->created_ms);
    code = q_run(&q, NULL, e);
    return code != RC_OK
               ? code
               : object_put(db, f->id, f->tenant, OBJECT_FOLDER, f->base, e);
}

rc db_folder_update(struct db *db, const struct folder_row *f, struct err *e)
{
    struct q q = q_open(db, "UPDATE folder SET name = ?4, emoji = ?5,"
                            " parent = ?6, visibility = ?7, updated_ms = ?8"
                            " WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    uint64_t changed;
    rc code;

    bind_settings(&q, f);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed == 0)
        return err_set(e, RC_NOTFOUND, "no such folder");
    return code;
}

rc db_folder_get(struct db *db, uuid tenant, uuid base, uuid id,
                 struct arena *out, struct folder_row *f, struct err *e)
{
    struct q q = q_open(db, "SELECT " FOLDER_COLUMNS ", " FOLDER_COUNTS
                            " FROM folder f WHERE f.base = ?1 AND f.id = ?2"
                            " AND f.tenant = ?3");

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q))
        folder_read(&q, out, f);
    return q_end_one(&q, "folder", e);
}

static void bind_filter(struct q *q, uuid tenant, uuid base,
                        const struct folder_filter *f)
{
    q_uuid(q, base);
    q_uuid(q, tenant);
    q_int(q, f->by_parent);
    q_uuid(q, f->parent);
    q_text_or_null(q, f->query);
}

static rc folder_count(struct db *db, uuid tenant, uuid base,
                       const struct folder_filter *f, uint64_t *total,
                       struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM folder" FOLDER_WHERE);

    bind_filter(&q, tenant, base, f);
    *total = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

rc db_folder_list(struct db *db, uuid tenant, uuid base,
                  const struct folder_filter *f, struct window w,
                  struct arena *out, struct folder_row **v, size_t *n,
                  uint64_t *total, struct err *e)
{
    /* The window first, so that nothing is counted in what it leaves out. */
    struct q q;
    size_t cap = 0;
    rc code = folder_count(db, tenant, base, f, total, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    q = q_open(
        db,
        "SELECT " FOLDER_COLUMNS ", " FOLDER_COUNTS
        " FROM (SELECT base, id, fold(name) AS name FROM folder" FOLDER_WHERE
        "  ORDER BY fold(name), id LIMIT ?6 OFFSET ?7) p"
        " CROSS JOIN folder f ON f.base = p.base AND f.id = p.id"
        " ORDER BY p.name, p.id");
    bind_filter(&q, tenant, base, f);
    q_uint(&q, w.limit);
    q_uint(&q, w.offset);
    while (q_row(&q)) {
        struct folder_row r = {0};

        folder_read(&q, out, &r);
        ARENA_PUSH(out, *v, *n, cap, r);
    }
    return q_end(&q, e);
}

/* ---- what lies in them ---- */

static rc items_drop(struct db *db, uuid base, uuid folder, struct err *e)
{
    struct q q =
        q_open(db, "DELETE FROM folder_item WHERE base = ?1 AND folder = ?2");

    q_uuid(&q, base);
    q_uuid(&q, folder);
    return q_run(&q, NULL, e);
}

static rc children_lift(struct db *db, uuid base, uuid folder, uuid to,
                        struct err *e)
{
    struct q q = q_open(db, "UPDATE folder SET parent = ?3"
                            " WHERE base = ?1 AND parent = ?2");

    q_uuid(&q, base);
    q_uuid(&q, folder);
    q_uuid(&q, to);
    return q_run(&q, NULL, e);
}

rc db_folder_drop(struct db *db, uuid tenant, uuid base, uuid id, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM folder WHERE base = ?1 AND id = ?2"
                            " AND tenant = ?3 RETURNING parent");
    uuid parent = UUID_NIL;
    rc code;

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    while (q_row(&q))
        parent = q_get_uuid(&q);
    code = q_end_one(&q, "folder", e);
    if (code == RC_OK)
        code = children_lift(db, base, id, parent, e);
    if (code == RC_OK)
        code = items_drop(db, base, id, e);
    if (code == RC_OK)
        code = object_drop(db, id, e);
    return code;
}

rc db_folder_height(struct db *db, uuid base, uuid id, size_t *levels,
                    struct err *e)
{
    struct q q = q_open(db, "WITH RECURSIVE below(id, depth) AS ("
                            " SELECT ?2, 1"
                            " UNION ALL SELECT f.id, b.depth + 1"
                            "  FROM below b JOIN folder f"
                            "  ON f.base = ?1 AND f.parent = b.id"
                            "  WHERE b.depth < ?3)"
                            " SELECT max(depth) FROM below");

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uint(&q, FOLDER_DEPTH_MAX);
    *levels = q_row(&q) ? (size_t)q_get_uint(&q) : 0;
    return q_end(&q, e);
}

struct named {
    str name; /* folded */
    struct folder_row row;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order != 0 ? order : uuid_cmp(x->row.id, y->row.id);
}

/* By name, letter case aside. */
static rc rows_sort(struct folder_row *v, size_t n, struct err *e)
{
    struct arena *tmp;
    struct named *by;
    rc code = RC_OK;

    if (n < 2)
        return RC_OK;
    tmp = arena_open();
    by = ARENA_ARRAY(tmp, struct named, n);
    for (size_t i = 0; i < n && code == RC_OK; i++) {
        struct buf folded = {0};

        fold_case(v[i].name, &folded);
        code = folded.code;
        if (code == RC_OK)
            by[i] = (struct named){arena_str(tmp, buf_str(&folded)), v[i]};
        buf_close(&folded);
    }
    if (code == RC_OK) {
        qsort(by, n, sizeof *by, compare_named);
        for (size_t i = 0; i < n; i++)
            v[i] = by[i].row;
    }
    arena_close(tmp);
    return code == RC_OK ? code : err_set(e, code, "no memory to sort folders");
}

/* Asked of each line of a list. Few items lie in more than one folder, so that
 * order is made of what comes out, not by a table of SQLite's each time. */
rc db_folders_of(struct db *db, uuid base, uuid item, struct arena *out,
                 struct folder_row **v, size_t *n, struct err *e)
{
    struct q q = q_open(
        db, "SELECT " FOLDER_COLUMNS " FROM folder_item i CROSS JOIN folder f"
            "  ON f.base = i.base AND f.id = i.folder"
            " WHERE i.base = ?1 AND i.item = ?2"
            " UNION ALL SELECT " FOLDER_COLUMNS
            " FROM article w CROSS JOIN folder_item i"
            "  ON i.base = w.base AND i.item = w.id CROSS JOIN folder f"
            "  ON f.base = i.base AND f.id = i.folder"
            " WHERE w.base = ?1 AND w.document = ?2"
            "  AND NOT EXISTS(SELECT 1 FROM folder_item o"
            "   WHERE o.base = i.base AND o.folder = i.folder"
            "   AND o.item = ?2)");
    size_t cap = 0;
    rc code;

    *v = NULL;
    *n = 0;
    q_uuid(&q, base);
    q_uuid(&q, item);
    while (q_row(&q)) {
        struct folder_row r = {0};

        columns_read(&q, out, &r);
        ARENA_PUSH(out, *v, *n, cap, r);
    }
    code = q_end(&q, e);
    return code == RC_OK ? rows_sort(*v, *n, e) : code;
}

rc folders_forget(struct db *db, uuid base, uuid item, struct err *e)
{
    struct q q =
        q_open(db, "DELETE FROM folder_item WHERE base = ?1 AND item = ?2");

    q_uuid(&q, base);
    q_uuid(&q, item);
    return q_run(&q, NULL, e);
}

rc db_folders_set(struct db *db, uuid base, uuid item, enum object_kind kind,
                  const uuid *folders, size_t n, struct err *e)
{
    rc code = folders_forget(db, base, item, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        struct q q =
            q_open(db, "INSERT INTO folder_item(base, folder, item, kind)"
                       " VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING");

        q_uuid(&q, base);
        q_uuid(&q, folders[i]);
        q_uuid(&q, item);
        q_int(&q, kind);
        code = q_run(&q, NULL, e);
    }
    return code;
}

rc db_folder_documents(struct db *db, uuid tenant, uuid base, uuid folder,
                       struct arena *out, uuid **v, size_t *n, struct err *e)
{
    /* Kinds as in enum object_kind. An archived article has no document. */
    struct q q = q_open(
        db, "WITH RECURSIVE tree(id, depth) AS ("
            " SELECT id, 1 FROM folder"
            "  WHERE base = ?1 AND id = ?2 AND tenant = ?3"
            " UNION ALL SELECT f.id, t.depth + 1"
            "  FROM tree t JOIN folder f ON f.base = ?1 AND f.parent = t.id"
            "  WHERE t.depth < ?4)"
            " SELECT i.item FROM tree t JOIN folder_item i"
            "  ON i.base = ?1 AND i.folder = t.id WHERE i.kind = 4"
            " UNION SELECT a.document FROM tree t JOIN folder_item i"
            "  ON i.base = ?1 AND i.folder = t.id JOIN article a"
            "  ON a.base = ?1 AND a.id = i.item"
            "  WHERE i.kind = 8 AND a.document IS NOT NULL");

    q_uuid(&q, base);
    q_uuid(&q, folder);
    q_uuid(&q, tenant);
    q_uint(&q, FOLDER_DEPTH_MAX);
    return q_end_uuids(&q, out, v, n, e);
}
