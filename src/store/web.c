/* Where documents are fetched from. */
#include "store/store_priv.h"

#define WEB_COLUMNS                                               \
    "base, document, tenant, url, key, answered, version, etag, " \
    "last_modified,"                                              \
    " tried_ms, fetched_ms"

static rc web_take(struct q *q, struct arena *out, struct web_row *w,
                   struct err *e)
{
    if (q_row(q)) {
        w->base = q_get_uuid(q);
        w->document = q_get_uuid(q);
        w->tenant = q_get_uuid(q);
        w->url = q_get_text(q, out);
        w->key = q_get_text(q, out);
        w->answered = q_get_text(q, out);
        w->version = q_get_uuid(q);
        w->etag = q_get_text(q, out);
        w->last_modified = q_get_text(q, out);
        w->tried_ms = q_get_int(q);
        w->fetched_ms = q_get_int(q);
    }
    return q_end_one(q, "URL", e);
}

rc db_web_put(struct db *db, const struct web_row *w, struct err *e)
{
    struct q q = q_open(db, "INSERT INTO web(" WEB_COLUMNS ") VALUES(?1, ?2,"
                            " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    rc code;

    q_uuid(&q, w->base);
    q_uuid(&q, w->document);
    q_uuid(&q, w->tenant);
    q_text(&q, w->url);
    q_text(&q, w->key);
    q_text_or_null(&q, w->answered);
    q_uuid(&q, w->version);
    q_text_or_null(&q, w->etag);
    q_text_or_null(&q, w->last_modified);
    q_int(&q, w->tried_ms);
    q_int(&q, w->fetched_ms);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT, "a document of that URL is there");
    return code;
}

rc db_web_update(struct db *db, const struct web_row *w, struct err *e)
{
    struct q q = q_open(db, "UPDATE web SET answered = ?3, version = ?4,"
                            " etag = ?5, last_modified = ?6, tried_ms = ?7,"
                            " fetched_ms = ?8 WHERE base = ?1"
                            " AND document = ?2");

    q_uuid(&q, w->base);
    q_uuid(&q, w->document);
    q_text_or_null(&q, w->answered);
    q_uuid(&q, w->version);
    q_text_or_null(&q, w->etag);
    q_text_or_null(&q, w->last_modified);
    q_int(&q, w->tried_ms);
    q_int(&q, w->fetched_ms);
    return q_run(&q, NULL, e);
}

rc db_web_get(struct db *db, uuid base, uuid document, struct arena *out,
              struct web_row *w, struct err *e)
{
    struct q q = q_open(db, "SELECT " WEB_COLUMNS " FROM web"
                            " WHERE base = ?1 AND document = ?2");

    q_uuid(&q, base);
    q_uuid(&q, document);
    return web_take(&q, out, w, e);
}

rc db_web_by_key(struct db *db, uuid tenant, uuid base, str key,
                 struct arena *out, struct web_row *w, struct err *e)
{
    struct q q = q_open(db, "SELECT " WEB_COLUMNS " FROM web"
                            " WHERE base = ?1 AND key = ?2 AND tenant = ?3");

    q_uuid(&q, base);
    q_text(&q, key);
    q_uuid(&q, tenant);
    return web_take(&q, out, w, e);
}
