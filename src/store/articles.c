/* Articles: authored pages, their published versions, and the documents that
 * are attached to them. */
#include "store/store_priv.h"

/* `draft` are the columns of a draft, its title and its text's id, which lists
 * leave out. */
#define ARTICLE_COLUMNS(draft)                                          \
    "a.id, a.base, a.tenant, a.title, a.cover, a.status, a.visibility," \
    " a.owner, a.document, a.version, " draft ","                       \
    " a.published_ms, a.created_ms, a.updated_ms,"                      \
    " (SELECT count(*) FROM article_source s"                           \
    "  WHERE s.base = a.base AND s.article = a.id)"

#define ARTICLE_WHERE                                                 \
    " WHERE base = ?1 AND tenant = ?2"                                \
    " AND CASE WHEN ?3 < 0 THEN status <> 2 ELSE status = ?3 END"     \
    " AND (?4 IS NULL OR EXISTS(SELECT 1 FROM folder_item i"          \
    "  WHERE i.base = ?1 AND i.folder = ?4 AND i.item = article.id))" \
    " AND (?5 IS NULL OR owner = ?5)"                                 \
    " AND (?6 IS NULL OR has(title, fold(?6)))"                       \
    " AND updated_ms >= ?7 AND (?8 = 0 OR updated_ms <= ?8)"
static_assert(ARTICLE_ARCHIVED == 2, "the number in this statement");

/* One window of a list in an order over (k, id); the window first, so that
 * nothing is read of what it leaves out. */
#define ARTICLE_LIST(key, inner, outer)                                        \
    "SELECT " ARTICLE_COLUMNS("NULL, NULL") " FROM (SELECT base, id, " key     \
                                            " AS k FROM article" ARTICLE_WHERE \
                                            "  ORDER BY " inner                \
                                            " LIMIT ?9 OFFSET ?10) p"          \
                                            " CROSS JOIN article a ON a.base " \
                                            "= p.base AND a.id = p.id"         \
                                            " ORDER BY " outer

/* ---- texts: rows of their own, by an id; 0: none ---- */

static rc text_put(struct db *db, uuid base, str text, uint64_t *id,
                   struct err *e)
{
    struct q q = q_open(db, "INSERT INTO article_text(base, text)"
                            " VALUES(?1, ?2) RETURNING id");

    *id = 0;
    q_uuid(&q, base);
    q_text(&q, text);
    while (q_row(&q))
        *id = q_get_uint(&q);
    return q_end(&q, e);
}

/* One that stays as it was isn't written. */
static rc text_update(struct db *db, uint64_t id, str text, struct err *e)
{
    struct q q = q_open(db, "UPDATE article_text SET text = ?2"
                            " WHERE id = ?1 AND text <> ?2");

    q_uint(&q, id);
    q_text(&q, text);
    return q_run(&q, NULL, e);
}

static rc text_drop(struct db *db, uint64_t id, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM article_text WHERE id = ?1");

    q_uint(&q, id);
    return q_run(&q, NULL, e);
}

/* The text of what named *id: put, replaced, or (p NULL) dropped. */
static rc text_set(struct db *db, uuid base, str text, uint64_t *id,
                   struct err *e)
{
    uint64_t was = *id;

    if (text.p == NULL) {
        *id = 0;
        return was == 0 ? RC_OK : text_drop(db, was, e);
    }
    return was == 0 ? text_put(db, base, text, id, e)
                    : text_update(db, was, text, e);
}

static rc text_get(struct db *db, uint64_t id, struct arena *out, str *text,
                   struct err *e)
{
    struct q q = q_open(db, "SELECT text FROM article_text WHERE id = ?1");
    rc code;

    q_uint(&q, id);
    if (q_row(&q))
        *text = q_get_text(&q, out);
    code = q_end_one(&q, "text", e);
    return code == RC_NOTFOUND
               ? err_set(e, RC_CORRUPT, "an article's text is missing")
               : code;
}

/* ---- articles ---- */

/* *text: the id of the draft's. */
static void article_read(struct q *q, struct arena *out, struct article_row *a,
                         uint64_t *text)
{
    a->id = q_get_uuid(q);
    a->base = q_get_uuid(q);
    a->tenant = q_get_uuid(q);
    a->title = q_get_text(q, out);
    a->cover = q_get_text(q, out);
    a->status = (enum article_status)q_get_u32(q);
    a->visibility = (enum visibility)q_get_u32(q);
    a->owner = q_get_uuid(q);
    a->document = q_get_uuid(q);
    a->version = q_get_u32(q);
    a->draft_title = q_get_text(q, out);
    *text = q_get_uint(q);
    a->published_ms = q_get_int(q);
    a->created_ms = q_get_int(q);
    a->updated_ms = q_get_int(q);
    a->source_count = q_get_uint(q);
}

/* What changes, behind base, id and tenant. */
static void bind_article(struct q *q, const struct article_row *a,
                         uint64_t text)
{
    q_uuid(q, a->base);
    q_uuid(q, a->id);
    q_uuid(q, a->tenant);
    q_text(q, a->title);
    q_text(q, a->cover);
    q_int(q, a->status);
    q_int(q, a->visibility);
    q_uuid(q, a->document);
    q_int(q, a->version);
    q_text_or_null(q, a->draft_title);
    q_uint(q, text);
    q_int(q, a->published_ms);
    q_int(q, a->updated_ms);
}

rc db_article_put(struct db *db, const struct article_row *a, struct err *e)
{
    uint64_t text = 0;
    struct q q;
    rc code = text_set(db, a->base, a->draft_content, &text, e);

    if (code != RC_OK)
        return code;
    q = q_open(
        db, "INSERT INTO article(base, id, tenant, title, cover, status,"
            " visibility, document, version, draft_title, draft_content,"
            " published_ms, updated_ms, owner, created_ms) VALUES(?1, ?2, ?3,"
            " ?4, ?5, ?6, ?7, ?8, ?9, ?10, nullif(?11, 0), ?12, ?13, ?14,"
            " ?15)");
    bind_article(&q, a, text);
    q_uuid(&q, a->owner);
    q_int(&q, a->created_ms);
    code = q_run(&q, NULL, e);
    return code != RC_OK
               ? code
               : object_put(db, a->id, a->tenant, OBJECT_ARTICLE, a->base, e);
}

static rc draft_find(struct db *db, const struct article_row *a, uint64_t *text,
                     struct err *e)
{
    struct q q = q_open(db, "SELECT draft_content FROM article"
                            " WHERE base = ?1 AND id = ?2 AND tenant = ?3");

    *text = 0;
    q_uuid(&q, a->base);
    q_uuid(&q, a->id);
    q_uuid(&q, a->tenant);
    if (q_row(&q))
        *text = q_get_uint(&q);
    return q_end_one(&q, "article", e);
}

rc db_article_update(struct db *db, const struct article_row *a, struct err *e)
{
    uint64_t text;
    struct q q;
    rc code = draft_find(db, a, &text, e);

    if (code != RC_OK ||
        (code = text_set(db, a->base, a->draft_content, &text, e)) != RC_OK)
        return code;
    q = q_open(
        db, "UPDATE article SET title = ?4, cover = ?5, status = ?6,"
            " visibility = ?7, document = ?8, version = ?9, draft_title = ?10,"
            " draft_content = nullif(?11, 0), published_ms = ?12,"
            " updated_ms = ?13 WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    bind_article(&q, a, text);
    return q_run(&q, NULL, e);
}

rc db_article_get(struct db *db, uuid tenant, uuid base, uuid id,
                  struct arena *out, struct article_row *a, struct err *e)
{
    struct q q = q_open(
        db, "SELECT " ARTICLE_COLUMNS(
                "a.draft_title, a.draft_content") " FROM article a WHERE "
                                                  "a.base = ?1 AND a.id = ?2"
                                                  " AND a.tenant = ?3");
    uint64_t text = 0;
    rc code;

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q))
        article_read(&q, out, a, &text);
    if ((code = q_end_one(&q, "article", e)) != RC_OK)
        return code;
    a->draft_content = STR_NONE;
    return text == 0 ? RC_OK : text_get(db, text, out, &a->draft_content, e);
}

static void bind_filter(struct q *q, uuid tenant, uuid base,
                        const struct article_filter *f)
{
    q_uuid(q, base);
    q_uuid(q, tenant);
    q_int(q, f->by_status ? (int64_t)f->status : -1);
    q_uuid(q, f->folder);
    q_uuid(q, f->owner);
    q_text_or_null(q, f->query);
    q_int(q, f->updated_from_ms);
    q_int(q, f->updated_to_ms);
}

static rc article_count(struct db *db, uuid tenant, uuid base,
                        const struct article_filter *f, uint64_t *total,
                        struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM article" ARTICLE_WHERE);

    bind_filter(&q, tenant, base, f);
    *total = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

static struct q list_open(struct db *db, enum article_sort sort)
{
    switch (sort) {
    case SORT_CREATED:
        return q_open(db, ARTICLE_LIST("created_ms", "created_ms DESC, id DESC",
                                       "p.k DESC, p.id DESC"));
    case SORT_TITLE:
        return q_open(
            db, ARTICLE_LIST("fold(title)", "fold(title), id", "p.k, p.id"));
    case SORT_UPDATED:
        break;
    }
    return q_open(db, ARTICLE_LIST("updated_ms", "updated_ms DESC, id DESC",
                                   "p.k DESC, p.id DESC"));
}

rc db_article_list(struct db *db, uuid tenant, uuid base,
                   const struct article_filter *f, struct window w,
                   struct arena *out, struct article_row **v, size_t *n,
                   uint64_t *total, struct err *e)
{
    struct q q;
    size_t cap = 0;
    rc code = article_count(db, tenant, base, f, total, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    q = list_open(db, f->sort);
    bind_filter(&q, tenant, base, f);
    q_uint(&q, w.limit);
    q_uint(&q, w.offset);
    while (q_row(&q)) {
        struct article_row a = {0};
        uint64_t none;

        article_read(&q, out, &a, &none);
        ARENA_PUSH(out, *v, *n, cap, a);
    }
    return q_end(&q, e);
}

/* ---- versions ---- */

rc db_article_version_put(struct db *db, const struct article_version_row *v,
                          struct err *e)
{
    uint64_t text;
    struct q q;
    rc code = text_put(db, v->base, v->content, &text, e);

    if (code != RC_OK)
        return code;
    q = q_open(db, "INSERT INTO article_version(base, article, number, title,"
                   " content, change, creator, created_ms)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    q_uuid(&q, v->base);
    q_uuid(&q, v->article);
    q_int(&q, v->number);
    q_text(&q, v->title);
    q_uint(&q, text);
    q_int(&q, v->change);
    q_uuid(&q, v->creator);
    q_int(&q, v->created_ms);
    return q_run(&q, NULL, e);
}

static void version_read(struct q *q, struct arena *out,
                         struct article_version_row *v, uint64_t *text)
{
    v->number = q_get_u32(q);
    v->title = q_get_text(q, out);
    *text = q_get_uint(q);
    v->change = (enum article_change)q_get_u32(q);
    v->creator = q_get_uuid(q);
    v->created_ms = q_get_int(q);
}

rc db_article_version_get(struct db *db, uuid base, uuid article,
                          uint32_t number, struct arena *out,
                          struct article_version_row *v, struct err *e)
{
    struct q q =
        q_open(db, "SELECT number, title, content, change, creator, created_ms"
                   " FROM article_version"
                   " WHERE base = ?1 AND article = ?2 AND number = ?3");
    uint64_t text = 0;
    rc code;

    *v = (struct article_version_row){.base = base, .article = article};
    q_uuid(&q, base);
    q_uuid(&q, article);
    q_int(&q, number);
    if (q_row(&q))
        version_read(&q, out, v, &text);
    code = q_end_one(&q, "version", e);
    return code == RC_OK ? text_get(db, text, out, &v->content, e) : code;
}

static rc version_count(struct db *db, uuid base, uuid article, uint64_t *total,
                        struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM article_version"
                            " WHERE base = ?1 AND article = ?2");

    q_uuid(&q, base);
    q_uuid(&q, article);
    *total = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

rc db_article_version_list(struct db *db, uuid base, uuid article,
                           struct window w, struct arena *out,
                           struct article_version_row **v, size_t *n,
                           uint64_t *total, struct err *e)
{
    struct q q;
    size_t cap = 0;
    rc code = version_count(db, base, article, total, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    q = q_open(db, "SELECT number, title, NULL, change, creator, created_ms"
                   " FROM article_version WHERE base = ?1 AND article = ?2"
                   " ORDER BY number DESC LIMIT ?3 OFFSET ?4");
    q_uuid(&q, base);
    q_uuid(&q, article);
    q_uint(&q, w.limit);
    q_uint(&q, w.offset);
    while (q_row(&q)) {
        struct article_version_row r = {.base = base, .article = article};
        uint64_t none;

        version_read(&q, out, &r, &none);
        ARENA_PUSH(out, *v, *n, cap, r);
    }
    return q_end(&q, e);
}

/* ---- what is attached ---- */

rc db_article_sources(struct db *db, uuid base, uuid article, struct arena *out,
                      uuid **v, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT document FROM article_source"
                            " WHERE base = ?1 AND article = ?2"
                            " ORDER BY document");

    q_uuid(&q, base);
    q_uuid(&q, article);
    return q_end_uuids(&q, out, v, n, e);
}

static rc sources_forget(struct db *db, uuid base, uuid article, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM article_source"
                            " WHERE base = ?1 AND article = ?2");

    q_uuid(&q, base);
    q_uuid(&q, article);
    return q_run(&q, NULL, e);
}

rc db_article_sources_set(struct db *db, uuid base, uuid article,
                          const uuid *documents, size_t n, struct err *e)
{
    rc code = sources_forget(db, base, article, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        struct q q =
            q_open(db, "INSERT INTO article_source(base, article, document)"
                       " VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING");

        q_uuid(&q, base);
        q_uuid(&q, article);
        q_uuid(&q, documents[i]);
        code = q_run(&q, NULL, e);
    }
    return code;
}

static rc attached_forget(struct db *db, uuid base, uuid document,
                          struct err *e)
{
    struct q q = q_open(db, "DELETE FROM article_source"
                            " WHERE base = ?1 AND document = ?2");

    q_uuid(&q, base);
    q_uuid(&q, document);
    return q_run(&q, NULL, e);
}

rc articles_forget(struct db *db, uuid base, uuid document, struct err *e)
{
    struct q q;
    rc code = attached_forget(db, base, document, e);

    if (code != RC_OK)
        return code;
    q = q_open(db, "UPDATE article SET document = NULL"
                   " WHERE base = ?1 AND document = ?2");
    q_uuid(&q, base);
    q_uuid(&q, document);
    return q_run(&q, NULL, e);
}
