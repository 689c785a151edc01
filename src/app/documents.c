#include "app/documents.h"

#include "app/app_priv.h"
#include "base/clock.h"

rc document_row_get(const struct caller *who, struct db *db, uuid id,
                    struct arena *out, struct document_row *d, struct err *e)
{
    uuid base;
    rc code;

    if ((code = db_object_find(db, who->tenant, OBJECT_DOCUMENT, id, &base,
                               e)) == RC_OK)
        code = db_document_get(db, who->tenant, base, id, out, d, e);
    return code == RC_NOTFOUND ? err_set(e, code, "no such document") : code;
}

rc document_enter(const struct caller *who, struct db *db,
                  struct document_row *d, struct err *e)
{
    uuid hub;
    bool there;
    rc code;

    d->creator = who->key;
    if ((code = db_document_put(db, d, e)) != RC_OK ||
        (code = maybe(db_base_hub(db, who->tenant, &hub, e), &there)) != RC_OK)
        return code;
    if (there && uuid_eq(hub, d->base) &&
        (code = db_code_put(db, d->id, 's', e)) != RC_OK)
        return code;
    return app_event(db, who, d->base, d->id, "document.created", e);
}

/* `sensitivity` is the base's level: nothing raises a document above it. */
static struct document document_of_row(struct app *a,
                                       const struct document_row *r,
                                       int sensitivity, struct arena *out)
{
    struct document d = {
        .id = r->id,
        .base = r->base,
        .tenant = r->tenant,
        .title = r->title,
        .metadata = r->metadata,
        .external_id = r->external_id,
        .source_type = r->source_type,
        .state = VERSION_STATE_NAMES[r->state],
        .active_version = r->active_version,
        .version_number = r->version_number,
        .version_count = r->version_count,
        .chunk_count = r->chunk_count,
        .token_count = r->token_count,
        .processed = r->has_text,
        .sensitivity = sensitivity,
        .created_ms = r->created_ms,
        .updated_ms = r->updated_ms,
    };

    d.download_url = link_make(a, LINK_ORIGINAL, r->tenant, r->version, out);
    if (r->has_text)
        d.normalized_download_url =
            link_make(a, LINK_NORMALIZED, r->tenant, r->version, out);
    return d;
}

static rc document_show(struct app *a, const struct caller *who, struct db *db,
                        const struct document_row *row, struct arena *out,
                        struct document *d, struct err *e)
{
    struct version_row v;
    struct base_row b;
    rc code = base_row_get(who, db, row->base, out, &b, e);

    if (code == RC_OK)
        code = db_version_get(db, row->tenant, row->base, row->version, out, &v,
                              e);
    if (code != RC_OK)
        return code;
    *d = document_of_row(a, row, b.sensitivity, out);
    d->extraction = extraction_of_row(&v);
    return RC_OK;
}

rc app_document_get(struct app *a, const struct caller *who, struct db *db,
                    uuid id, struct arena *out, struct document *d,
                    struct err *e)
{
    struct document_row row;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = document_row_get(who, db, id, out, &row, e)) != RC_OK)
        return code;
    return document_show(a, who, db, &row, out, d, e);
}

rc app_document_list(struct app *a, const struct caller *who, struct db *db,
                     uuid base, const struct app_page *page, struct arena *out,
                     struct document **v, size_t *n, struct app_page_end *end,
                     struct err *e)
{
    struct page_req p = {.limit = page_limit(page)};
    struct document_row *rows;
    struct base_row b;
    rc code;

    *n = 0;
    *end = (struct app_page_end){0};
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &b, e)) != RC_OK ||
        (code = cursor_parse(a, CURSOR_DOCUMENTS, who->tenant, base,
                             page->cursor, &p.before, e)) != RC_OK ||
        (code = db_document_list(db, who->tenant, base, p, out, &rows, n,
                                 &end->more, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct document, *n);
    for (size_t i = 0; i < *n; i++)
        (*v)[i] = document_of_row(a, &rows[i], b.sensitivity, out);
    if (end->more)
        end->next_cursor = cursor_make(a, CURSOR_DOCUMENTS, who->tenant, base,
                                       rows[*n - 1].id, out);
    return RC_OK;
}

static rc document_in_check(const struct document_in *in, struct err *e)
{
    if (in->set_title && str_blank(in->title))
        (void)err_set(e, RC_INVALID, "title must not be blank");
    else if (in->set_metadata && in->metadata.n > METADATA_BYTES_MAX)
        (void)err_set(e, RC_INVALID, "metadata has %zu bytes, limit %zu",
                      in->metadata.n, METADATA_BYTES_MAX);
    else
        return RC_OK;
    return err_name(e, "bad_request");
}

rc app_document_update(struct app *a, const struct caller *who, struct db *db,
                       uuid id, const struct document_in *in, struct arena *out,
                       struct document *d, struct err *e)
{
    struct document_row row;
    bool retitled;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = document_in_check(in, e)) != RC_OK ||
        (code = document_row_get(who, db, id, out, &row, e)) != RC_OK)
        return code;
    retitled = in->set_title && !str_eq(row.title, in->title);
    if (in->set_title)
        row.title = in->title;
    if (in->set_metadata)
        row.metadata = in->metadata.n == 0 ? STR("{}") : in->metadata;
    row.updated_ms = clock_wall_ms();
    if ((code = db_document_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, row.base, id, "document.updated", e)) !=
            RC_OK)
        return code;
    if (retitled && (code = reindex_document(a, db, &row, e)) != RC_OK)
        return code;
    return document_show(a, who, db, &row, out, d, e);
}

rc app_document_delete(struct app *a, const struct caller *who, struct db *db,
                       uuid id, struct err *e)
{
    uuid base;
    rc code;

    (void)a;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK)
        return code;
    if ((code = db_object_find(db, who->tenant, OBJECT_DOCUMENT, id, &base,
                               e)) == RC_OK)
        code = db_document_delete(db, who->tenant, base, id, e);
    if (code == RC_NOTFOUND)
        return err_set(e, code, "no such document");
    return code != RC_OK ? code
                         : app_event(db, who, base, id, "document.deleted", e);
}
