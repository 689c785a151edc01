/* The documents of a hub as its lists show them. */
#include "store/store_priv.h"

const char *const SOURCE_TYPE_NAMES[SOURCE_TYPE_COUNT] = {
    [SOURCE_FILE] = "file",
    [SOURCE_TEXT] = "text",
    [SOURCE_URL] = "url",
    [SOURCE_PAGE] = "page",
};

static_assert(SOURCE_FILE == 0 && SOURCE_TEXT == 1 && SOURCE_URL == 2 &&
                  SOURCE_PAGE == 3,
              "the bits in SOURCE_WHERE");

/* Columns and tables of a source_row. */
#define SOURCE_SELECT                                               \
    "SELECT " DOCUMENT_COLUMNS ", " DOCUMENT_GOVERNING_COLUMNS      \
    ", w.url, v.mime, v.summary, v.error, v.images, v.processed_ms" \
    " FROM document d " DOCUMENT_GOVERNING                          \
    " LEFT JOIN web w ON w.base = d.base AND w.document = d.id"

/* Values 1 to 7: base, tenant, types, states, folder, article, query. */
#define SOURCE_WHERE                                                        \
    " d.base = ?1 AND d.tenant = ?2"                                        \
    " AND (?3 = 0 OR ?3 & CASE d.source_type WHEN 'file' THEN 1"            \
    "  WHEN 'text' THEN 2 WHEN 'url' THEN 4 WHEN 'page' THEN 8 ELSE 0 END)" \
    " AND (?4 = 0 OR (?4 >> d.state) & 1)"                                  \
    " AND (?5 IS NULL OR EXISTS(SELECT 1 FROM folder_item f"                \
    "  WHERE f.base = ?1 AND f.folder = ?5 AND f.item = d.id))"             \
    " AND (?6 IS NULL OR EXISTS(SELECT 1 FROM article_source a"             \
    "  WHERE a.base = ?1 AND a.article = ?6 AND a.document = d.id))"        \
    " AND (?7 IS NULL OR instr(fold(d.title), fold(?7)) > 0)"

static void bind_filter(struct q *q, uuid tenant, uuid base,
                        const struct source_filter *f)
{
    q_uuid(q, base);
    q_uuid(q, tenant);
    q_int(q, f->types);
    q_int(q, f->states);
    q_uuid(q, f->folder);
    q_uuid(q, f->article);
    q_text_or_null(q, f->query);
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

/* All of them are counted already. */
static rc count_all(struct db *db, uuid base, uint64_t *total, struct err *e)
{
    struct q q = q_open(db, "SELECT n0 + n1 + n2 + n3 + n4 + n5 + n6"
                            " FROM base_state WHERE base = ?1");

    q_uuid(&q, base);
    *total = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

static rc source_count(struct db *db, uuid tenant, uuid base,
                       const struct source_filter *f, uint64_t *total,
                       struct err *e)
{
    struct q q;

    if (f->types == 0 && f->states == 0 && uuid_is_nil(f->folder) &&
        uuid_is_nil(f->article) && f->query.p == NULL)
        return count_all(db, base, total, e);
    q = q_open(db, "SELECT count(*) FROM document d WHERE" SOURCE_WHERE);
    bind_filter(&q, tenant, base, f);
    *total = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

rc db_source_list(struct db *db, uuid tenant, uuid base,
                  const struct source_filter *f, struct window w,
                  struct arena *out, struct source_row **v, size_t *n,
                  uint64_t *total, struct err *e)
{
    size_t cap = 0;
    struct q q;
    rc code = tallies_write(db, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK ||
        (code = source_count(db, tenant, base, f, total, e)) != RC_OK)
        return code;
    q = q_open(db, SOURCE_SELECT
               " WHERE d.base = ?1 AND d.id IN (SELECT id FROM document d"
               "  WHERE" SOURCE_WHERE " ORDER BY id DESC LIMIT ?8 OFFSET ?9)"
               " ORDER BY d.id DESC");
    bind_filter(&q, tenant, base, f);
    q_uint(&q, w.limit);
    q_uint(&q, w.offset);
    while (q_row(&q)) {
        struct source_row s;

        source_read(&q, out, &s);
        ARENA_PUSH(out, *v, *n, cap, s);
    }
    return q_end(&q, e);
}

rc db_source_get(struct db *db, uuid tenant, uuid base, uuid document,
                 struct arena *out, struct source_row *s, struct err *e)
{
    struct q q = q_open(db, SOURCE_SELECT " WHERE d.base = ?1 AND d.tenant = ?2"
                                          " AND d.id = ?3");

    q_uuid(&q, base);
    q_uuid(&q, tenant);
    q_uuid(&q, document);
    if (q_row(&q))
        source_read(&q, out, s);
    return q_end_one(&q, "source", e);
}
