/* The documents of a hub as its lists show them. */
#include "store/store_priv.h"
#include "text/fold.h"

const char *const SOURCE_TYPE_NAMES[SOURCE_TYPE_COUNT] = {
    [SOURCE_FILE] = "file",
    [SOURCE_TEXT] = "text",
    [SOURCE_URL] = "url",
    [SOURCE_PAGE] = "page",
};

static_assert(SOURCE_FILE == 0 && SOURCE_TEXT == 1 && SOURCE_URL == 2 &&
                  SOURCE_PAGE == 3,
              "the bits in SOURCE_FILTER");
static_assert(OBJECT_DOCUMENT == 4 && OBJECT_ARTICLE == 8,
              "the kinds in FROM_FOLDER and FROM_FOLDER_PAGES");

/* Columns and tables of a source_row; its versions aren't counted. */
#define SOURCE_COLUMNS                \
    DOCUMENT_COLUMNS                  \
    ", 0," DOCUMENT_GOVERNING_COLUMNS \
    ", w.url, v.mime, v.summary, v.error, v.images, v.processed_ms"
#define SOURCE_JOINS   \
    DOCUMENT_GOVERNING \
    " LEFT JOIN web w ON w.base = d.base AND w.document = d.id"

/* A list walks the documents, newest first, or what lies in a folder or is
 * attached to an article: then only that. Of thousands of rows each is asked as
 * little as can be; that the base is the tenant's is asked once.
 * Values 1 to 7: base, tenant, types, states, folder, article, query. */
#define SOURCE_BASE \
    "(SELECT base FROM base_state WHERE base = ?1 AND tenant = ?2)"
#define SOURCE_FILTER                                                       \
    " AND (?3 = 0 OR ?3 & CASE d.source_type WHEN 'file' THEN 1"            \
    "  WHEN 'text' THEN 2 WHEN 'url' THEN 4 WHEN 'page' THEN 8 ELSE 0 END)" \
    " AND (?4 = 0 OR (?4 >> d.state) & 1)"                                  \
    " AND (?7 IS NULL OR has(d.title, fold(?7)))"
#define FROM_DOCUMENTS \
    " FROM document d WHERE d.base = " SOURCE_BASE SOURCE_FILTER
/* Its documents are looked at where more than the folder is asked. */
#define FOLDER_FILTER(id)                                                  \
    " AND (?3 = 0 AND ?4 = 0 AND ?7 IS NULL OR EXISTS(SELECT 1"            \
    "  FROM document d WHERE d.base = f.base AND d.id = " id SOURCE_FILTER \
    "))"
#define FROM_FOLDER                                   \
    " FROM folder_item f WHERE f.base = " SOURCE_BASE \
    " AND f.folder = ?5 AND f.kind = 4" FOLDER_FILTER("f.item")
/* What its articles are searched by, but for what lies there itself. */
#define FROM_FOLDER_PAGES                                                     \
    " FROM folder_item f INDEXED BY folder_item_article CROSS JOIN article p" \
    "  ON p.base = f.base AND p.id = f.item"                                  \
    " WHERE f.base = " SOURCE_BASE                                            \
    " AND f.folder = ?5 AND f.kind = 8 AND p.document IS NOT NULL"            \
    " AND NOT EXISTS(SELECT 1 FROM folder_item o WHERE o.base = f.base"       \
    "  AND o.folder = f.folder AND o.item = p.document)" FOLDER_FILTER(       \
        "p.document")
#define FROM_ARTICLE                                                   \
    " FROM article_source a CROSS JOIN document d"                     \
    "  ON d.base = a.base AND d.id = a.document"                       \
    " WHERE a.base = " SOURCE_BASE " AND a.article = ?6" SOURCE_FILTER \
    " AND (?5 IS NULL OR EXISTS(SELECT 1 FROM folder_item f"           \
    "  WHERE f.base = ?1 AND f.folder = ?5 AND f.item = d.id)"         \
    "  OR EXISTS(SELECT 1 FROM article p CROSS JOIN folder_item f"     \
    "   ON f.base = p.base AND f.folder = ?5 AND f.item = p.id"        \
    "   WHERE p.base = ?1 AND p.document = d.id))"
#define WALK(from, id)                                                \
    {                                                                 \
        "SELECT " id from " ORDER BY " id " DESC LIMIT ?8 OFFSET ?9", \
            "SELECT count(*)" from " AND " id " < ?8"                 \
    }

enum walk { WALK_DOCUMENTS, WALK_FOLDER, WALK_ARTICLE };
static const struct {
    const char *page, *rest;
} WALKS[] = {
    [WALK_DOCUMENTS] = WALK(FROM_DOCUMENTS, "d.id"),
    [WALK_FOLDER] = {"SELECT f.item" FROM_FOLDER
                     " UNION ALL SELECT p.document" FROM_FOLDER_PAGES
                     " ORDER BY 1 DESC LIMIT ?8 OFFSET ?9",
                     "SELECT (SELECT count(*)" FROM_FOLDER
                     " AND f.item < ?8) + (SELECT count(*)" FROM_FOLDER_PAGES
                     " AND p.document < ?8)"},
    [WALK_ARTICLE] = WALK(FROM_ARTICLE, "a.document"),
};

static const char OLDEST[] =
    "SELECT d.id" FROM_DOCUMENTS " ORDER BY d.id LIMIT ?8 OFFSET ?9";

static enum walk walk_of(const struct source_filter *f)
{
    if (!uuid_is_nil(f->article))
        return WALK_ARTICLE;
    return uuid_is_nil(f->folder) ? WALK_DOCUMENTS : WALK_FOLDER;
}

static void bind_filter(struct q *q, uuid tenant, uuid base,
                        const struct source_filter *f)
{
    q_uuid(q, base);
    q_uuid(q, tenant);
    q_int(q, f->types);
    q_int(q, f->states);
    q_uuid(q, f->folder);
    q_uuid(q, f->article);
    q_text_or_null(q, f->query.n == 0 ? STR_NONE : f->query);
}

static void source_read(struct q *q, struct arena *out, struct source_row *s)
{
    *s = (struct source_row){0};
    document_read(q, out, &s->document);
    s->url = q_get_text(q, out);
    s->mime = q_get_text(q, out);
    s->summary = q_get_text(q, out);
    s->error = q_get_text(q, out);
    s->images = q_get_u32(q);
    s->processed_ms = q_get_int(q);
}

rc db_source_get(struct db *db, uuid tenant, uuid base, uuid document,
                 struct arena *out, struct source_row *s, struct err *e)
{
    struct q q =
        q_open(db, "SELECT " SOURCE_COLUMNS " FROM document d " SOURCE_JOINS
                   " WHERE d.base = ?1"
                   " AND d.tenant = ?2 AND d.id = ?3");

    q_uuid(&q, base);
    q_uuid(&q, tenant);
    q_uuid(&q, document);
    if (q_row(&q))
        source_read(&q, out, s);
    return q_end_one(&q, "source", e);
}

/* ---- lists ---- */

static rc ids_read(struct db *db, const char *sql, uuid tenant, uuid base,
                   const struct source_filter *f, struct window w,
                   struct arena *out, uuid **ids, size_t *n, struct err *e)
{
    struct q q = q_open(db, sql);

    bind_filter(&q, tenant, base, f);
    q_uint(&q, w.limit);
    q_uint(&q, w.offset);
    return q_end_uuids(&q, out, ids, n, e);
}

/* By their states documents are counted already. */
static bool is_counted(const struct source_filter *f)
{
    return f->types == 0 && f->query.n == 0 && walk_of(f) == WALK_DOCUMENTS;
}

static rc states_count(struct db *db, uuid tenant, uuid base, unsigned states,
                       uint64_t *total, struct err *e)
{
    uint64_t counts[VERSION_STATE_COUNT];
    rc code = db_document_states(db, tenant, base, counts, e);

    *total = 0;
    for (unsigned s = 0; code == RC_OK && s < VERSION_STATE_COUNT; s++)
        if (states == 0 || (states & 1u << s) != 0)
            *total += counts[s];
    return code;
}

static rc rest_count(struct db *db, uuid tenant, uuid base,
                     const struct source_filter *f, uuid before,
                     uint64_t *total, struct err *e)
{
    struct q q = q_open(db, WALKS[walk_of(f)].rest);

    bind_filter(&q, tenant, base, f);
    q_before(&q, before);
    if (q_row(&q))
        *total += q_get_uint(&q);
    return q_end(&q, e);
}

/* Of `total` as wide a window as there is, walked from the nearer end. */
static rc counted_read(struct db *db, uuid tenant, uuid base,
                       const struct source_filter *f, struct window w,
                       size_t total, struct arena *out, uuid **ids, size_t *n,
                       struct err *e)
{
    bool oldest = w.offset > total / 2;
    rc code;

    *n = 0;
    if (total <= w.offset)
        return RC_OK;
    if (total - w.offset < w.limit)
        w.limit = total - w.offset;
    if (oldest)
        w.offset = total - w.offset - w.limit;
    code = ids_read(db, oldest ? OLDEST : WALKS[WALK_DOCUMENTS].page, tenant,
                    base, f, w, out, ids, n, e);
    for (size_t i = 0; oldest && i < *n / 2; i++) {
        uuid id = (*ids)[i];

        (*ids)[i] = (*ids)[*n - 1 - i];
        (*ids)[*n - 1 - i] = id;
    }
    return code;
}

/* The ids of a window, and how many there are in all, by SQL alone: the table
 * in memory answers the same. */
static rc window_read(struct db *db, uuid tenant, uuid base,
                      const struct source_filter *f, struct window w,
                      struct arena *out, uuid **ids, size_t *n, uint64_t *total,
                      struct err *e)
{
    rc code;

    *n = 0;
    if (is_counted(f)) {
        code = states_count(db, tenant, base, f->states, total, e);
        return code != RC_OK ? code
                             : counted_read(db, tenant, base, f, w,
                                            (size_t)*total, out, ids, n, e);
    }
    code = ids_read(db, WALKS[walk_of(f)].page, tenant, base, f, w, out, ids, n,
                    e);
    *total = w.offset + *n;
    if (code != RC_OK || (*n < w.limit && (*n > 0 || w.offset == 0)))
        return code; /* behind a page that isn't full are no more */
    if (*n == 0)
        *total = 0;
    return rest_count(db, tenant, base, f, *n > 0 ? (*ids)[*n - 1] : UUID_NIL,
                      total, e);
}

/* ---- lists by a table in memory ---- */

/* A table is made in the time that a sixth as many rows of a folder take, each
 * asked by itself, and serves the next list too. */
#define DOCUMENTS_A_FOLDER_ROW 10

struct listed {
    uuid *ids;
    size_t n;
    uint64_t total;
};

/* *there false: no such base. */
static rc base_see(struct db *db, uuid tenant, uuid id, struct source_base *b,
                   bool *there, struct err *e)
{
    struct q q = q_open(db, "SELECT n0 + n1 + n2 + n3 + n4 + n5 + n6,"
                            " document_changes FROM base_state WHERE base = ?1"
                            " AND tenant = ?2 AND deleted = 0");

    b->id = id;
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    *there = q_row(&q);
    if (*there) {
        b->documents = q_get_uint(&q);
        b->changes = q_get_uint(&q);
    }
    return q_end(&q, e);
}

/* All that lies in it, oldest first as the table is. */
static rc folder_read(struct db *db, uuid tenant, uuid base, uuid folder,
                      struct arena *out, struct listed *in, struct err *e)
{
    struct q q;

    *in = (struct listed){0};
    if (uuid_is_nil(folder))
        return RC_OK;
    q = q_open(db,
               "SELECT f.item" FROM_FOLDER
               " UNION ALL SELECT p.document" FROM_FOLDER_PAGES " ORDER BY 1");
    bind_filter(&q, tenant, base, &(struct source_filter){.folder = folder});
    return q_end_uuids(&q, out, &in->ids, &in->n, e);
}

/* Whether one is worth being made where none is kept: not for what is found
 * without a walk over all documents. */
static bool is_table_due(const struct source_base *b,
                         const struct source_filter *f, const struct listed *in)
{
    if (is_counted(f))
        return false;
    return uuid_is_nil(f->folder) ||
           in->n >= b->documents / DOCUMENTS_A_FOLDER_ROW;
}

static rc table_ask(const struct source_table *t, const struct source_filter *f,
                    const struct listed *in, struct window w, struct arena *out,
                    struct listed *l, struct err *e)
{
    bool by_folder = !uuid_is_nil(f->folder);
    uint32_t *rows =
        ARENA_ARRAY(out, uint32_t, by_folder ? in->n : source_table_count(t));
    struct buf folded = {0};
    size_t n, left;
    rc code;

    fold_case(f->query, &folded);
    if ((code = buf_end(&folded, e)) != RC_OK)
        return code;
    n = by_folder ? source_table_match_among(t, f, buf_str(&folded), in->ids,
                                             in->n, rows)
                  : source_table_match(t, f, buf_str(&folded), rows);
    buf_close(&folded);
    /* They go from the oldest, the window from the newest. */
    left = w.offset < n ? n - w.offset : 0;
    l->total = n;
    l->n = left < w.limit ? left : w.limit;
    l->ids = ARENA_ARRAY(out, uuid, l->n);
    for (size_t i = 0; i < l->n; i++)
        l->ids[i] = source_table_id(t, rows[left - 1 - i]);
    return RC_OK;
}

/* *done false: by SQL, then. */
static rc table_read(struct db *db, uuid tenant, uuid base,
                     const struct source_filter *f, struct window w,
                     struct arena *out, struct listed *l, bool *done,
                     struct err *e)
{
    struct source_table *t = NULL;
    struct source_base b;
    struct listed in;
    bool there;
    rc code = base_see(db, tenant, base, &b, &there, e);

    *done = false;
    if (code != RC_OK || !there || b.documents > SOURCE_TABLE_ROWS_MAX ||
        (code = folder_read(db, tenant, base, f->folder, out, &in, e)) !=
            RC_OK ||
        (code = source_table_take(db, &b, is_table_due(&b, f, &in), &t, e)) !=
            RC_OK ||
        t == NULL)
        return code;
    code = table_ask(t, f, &in, w, out, l, e);
    source_table_let_go(db, t);
    *done = true;
    return code;
}

/* What is attached to an article, or lies in a folder with no more asked of it,
 * is found without looking at documents. */
static bool is_for_table(const struct source_filter *f)
{
    return uuid_is_nil(f->article) &&
           (uuid_is_nil(f->folder) || f->types != 0 || f->states != 0 ||
            f->query.n > 0);
}

static rc list_read(struct db *db, uuid tenant, uuid base,
                    const struct source_filter *f, struct window w,
                    struct arena *out, struct listed *l, struct err *e)
{
    bool done = false;
    rc code = RC_OK;

    if (!db->writer && is_for_table(f))
        code = table_read(db, tenant, base, f, w, out, l, &done, e);
    if (code != RC_OK || done)
        return code;
    return window_read(db, tenant, base, f, w, out, &l->ids, &l->n, &l->total,
                       e);
}

/* All by one statement, which takes less than one for each: its cursors stay
 * open and its values' memory is used again. The ids are one blob. */
static rc lines_read(struct db *db, uuid tenant, uuid base,
                     const struct listed *l, struct arena *out,
                     struct source_row *v, struct err *e)
{
    struct q q;

    if (l->n == 0)
        return RC_OK;
    q = q_open(db, "WITH RECURSIVE place(i) AS (SELECT 0"
                   "  UNION ALL SELECT i + 1 FROM place WHERE i + 1 < ?4)"
                   " SELECT p.i, " SOURCE_COLUMNS
                   " FROM place p CROSS JOIN document d " SOURCE_JOINS
                   " WHERE d.base = ?1 AND d.tenant = ?2"
                   " AND d.id = substr(?3, p.i * 16 + 1, 16)");
    q_uuid(&q, base);
    q_uuid(&q, tenant);
    q_blob(&q, l->ids, l->n * sizeof *l->ids);
    q_uint(&q, l->n);
    while (q_row(&q)) {
        size_t i = (size_t)q_get_uint(&q);

        ASSERT(i < l->n);
        source_read(&q, out, &v[i]);
    }
    if (q.code == RC_OK && q.rows != l->n)
        q.code = err_set(&db->err, RC_NOTFOUND, "no such source");
    return q_end(&q, e);
}

rc db_source_list(struct db *db, uuid tenant, uuid base,
                  const struct source_filter *f, struct window w,
                  struct arena *out, struct source_row **v, size_t *n,
                  uint64_t *total, struct err *e)
{
    struct listed l = {0};
    rc code = list_read(db, tenant, base, f, w, out, &l, e);

    *v = ARENA_ARRAY(out, struct source_row, l.n);
    if (code == RC_OK)
        code = lines_read(db, tenant, base, &l, out, *v, e);
    *n = l.n;
    *total = l.total;
    return code;
}
