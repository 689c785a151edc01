#include "app/app_priv.h"
#include "app/documents.h"
#include "base/clock.h"

struct extraction extraction_of_row(const struct version_row *r)
{
    return (struct extraction){
        .outcome = r->outcome,
        .note = r->note,
        .mime = r->mime,
        .title = r->found_title,
        .language = r->language,
        .created = r->doc_created,
        .modified = r->doc_modified,
        .pages = r->pages,
        .ocr_confidence = r->ocr_confidence,
        .images = r->images,
        .canonical = r->canonical,
        .extractor_version = r->extractor_version,
        .flags = r->flags.n > 0 ? r->flags : STR("[]"),
    };
}

static struct version version_of_row(struct app *a, const struct version_row *r,
                                     struct arena *out)
{
    return (struct version){
        .id = r->id,
        .document = r->document,
        .number = r->number,
        .state = VERSION_STATE_NAMES[r->state],
        .source_type = r->source_type,
        .filename = r->filename,
        .mime = r->mime,
        .note = r->note,
        .error = r->error,
        .metadata = r->metadata,
        .chunk_count = r->chunk_count,
        .token_count = r->token_count,
        .bytes = r->original.bytes,
        .has_text = r->has_text,
        .processed = r->processed_ms != 0,
        .created_ms = r->created_ms,
        .processed_ms = r->processed_ms,
        .download_url = link_make(a, LINK_ORIGINAL, r->tenant, r->id, out),
        .extraction = extraction_of_row(r),
    };
}

/* The place behind the redirects, where it was fetched last. */
static rc source_url(struct db *db, const struct document_row *d,
                     struct arena *out, str *url, struct err *e)
{
    struct web_row w;
    bool there;
    rc code;

    *url = STR_NONE;
    if (!str_eq(d->source_type, STR("url")))
        return RC_OK;
    code = maybe(db_web_get(db, d->base, d->id, out, &w, e), &there);
    if (code == RC_OK && there)
        *url = w.answered.p != NULL ? w.answered : w.url;
    return code;
}

static rc version_none(struct err *e)
{
    return err_set(e, RC_NOTFOUND, "no such version of this document");
}

/* A version by id, of this document and no other. */
static rc version_of_document(struct db *db, const struct document_row *d,
                              uuid id, struct arena *out, struct version_row *v,
                              struct err *e)
{
    rc code = db_version_get(db, d->tenant, d->base, id, out, v, e);

    if (code == RC_NOTFOUND || (code == RC_OK && !uuid_eq(v->document, d->id)))
        return version_none(e);
    return code;
}

rc app_version_list(struct app *a, const struct caller *who, struct db *db,
                    uuid document, struct arena *out, struct version **v,
                    size_t *n, struct err *e)
{
    struct version_row *rows;
    struct document_row d;
    str url;
    rc code;

    *n = 0;
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = document_row_get(who, db, document, out, &d, e)) != RC_OK ||
        (code = db_version_list(db, who->tenant, d.base, document, out, &rows,
                                n, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct version, *n);
    code = source_url(db, &d, out, &url, e);
    for (size_t i = 0; code == RC_OK && i < *n; i++) {
        (*v)[i] = version_of_row(a, &rows[i], out);
        (*v)[i].source_url = url;
    }
    return code;
}

/* active, latest, draft (the newest draft). */
static rc version_by_alias(struct db *db, const struct document_row *d, str ref,
                           struct arena *out, struct version_row *v,
                           struct err *e)
{
    bool latest = str_eq(ref, STR("latest")),
         active = str_eq(ref, STR("active"));
    struct version_row *rows;
    size_t n;
    rc code;

    if (!latest && !active && !str_eq(ref, STR("draft")))
        return version_none(e);
    if ((code = db_version_list(db, d->tenant, d->base, d->id, out, &rows, &n,
                                e)) != RC_OK)
        return code;
    for (size_t i = 0; i < n; i++)
        if (latest ||
            rows[i].state == (active ? VERSION_ACTIVE : VERSION_DRAFT)) {
            *v = rows[i];
            return RC_OK;
        }
    return version_none(e);
}

rc app_version_get(struct app *a, const struct caller *who, struct db *db,
                   uuid document, str ref, struct arena *out, struct version *v,
                   struct err *e)
{
    struct version_row row;
    struct document_row d;
    uint64_t number;
    uuid id;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = document_row_get(who, db, document, out, &d, e)) != RC_OK)
        return code;
    if (str_to_u64(ref, UINT32_MAX, &number)) {
        code = db_version_by_number(db, who->tenant, d.base, document,
                                    (uint32_t)number, out, &row, e);
        if (code == RC_NOTFOUND)
            code = version_none(e);
    } else if (uuid_parse(ref, STR("ver"), &id, out, NULL)) {
        code = version_of_document(db, &d, id, out, &row, e);
    } else {
        code = version_by_alias(db, &d, ref, out, &row, e);
    }
    if (code != RC_OK)
        return code;
    *v = version_of_row(a, &row, out);
    return source_url(db, &d, out, &v->source_url, e);
}

rc app_version_delete(struct app *a, const struct caller *who, struct db *db,
                      uuid document, uuid version, struct err *e)
{
    struct arena *tmp = arena_open();
    struct version_row row;
    struct document_row d;
    rc code;

    (void)a;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = document_row_get(who, db, document, tmp, &d, e)) != RC_OK ||
        (code = version_of_document(db, &d, version, tmp, &row, e)) != RC_OK)
        goto done;
    if (uuid_eq(d.active_version, version)) {
        (void)err_set(e, RC_INVALID, "the active version can't be deleted");
        code = err_name(e, "version_active");
        goto done;
    }
    if (d.version_count <= 1) {
        (void)err_set(e, RC_INVALID,
                      "a document's only version can't be deleted; delete the "
                      "document");
        code = err_name(e, "version_only");
        goto done;
    }
    if ((code = db_version_drop(db, who->tenant, d.base, version, e)) !=
            RC_OK ||
        (code = app_event(db, who, d.base, version, "version.deleted", e)) !=
            RC_OK)
        goto done;
    /* What governs a document without an active version may now be another. */
    if (uuid_is_nil(d.active_version) &&
        (code = document_row_get(who, db, document, tmp, &d, e)) == RC_OK &&
        (code = db_version_get(db, d.tenant, d.base, d.version, tmp, &row,
                               e)) == RC_OK) {
        d.state = row.state;
        d.updated_ms = clock_wall_ms();
        code = db_document_update(db, &d, e);
    }
done:
    arena_close(tmp);
    return code;
}

static bool version_ready(enum version_state s)
{
    return s == VERSION_ACTIVE || s == VERSION_DRAFT || s == VERSION_ARCHIVED;
}

rc app_version_promote(struct app *a, const struct caller *who, struct db *db,
                       uuid document, uuid version, uuid *previous,
                       struct err *e)
{
    struct arena *tmp = arena_open();
    struct version_row next, former;
    struct document_row d;
    rc code;

    (void)a;
    *previous = UUID_NIL;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = document_row_get(who, db, document, tmp, &d, e)) != RC_OK ||
        (code = version_of_document(db, &d, version, tmp, &next, e)) != RC_OK)
        goto done;
    if (!version_ready(next.state)) {
        (void)err_set(e, RC_INVALID, "this version is %s and can't be promoted",
                      VERSION_STATE_NAMES[next.state]);
        code = err_name(e, "version_not_ready");
        goto done;
    }
    *previous = d.active_version;
    if (uuid_eq(d.active_version, version))
        goto done;
    if (!uuid_is_nil(d.active_version)) {
        if ((code = db_version_get(db, d.tenant, d.base, d.active_version, tmp,
                                   &former, e)) != RC_OK)
            goto done;
        former.state = VERSION_ARCHIVED;
        if ((code = db_version_update(db, &former, e)) != RC_OK)
            goto done;
    }
    next.state = VERSION_ACTIVE;
    d.active_version = version;
    d.state = VERSION_ACTIVE;
    d.updated_ms = clock_wall_ms();
    if ((code = db_version_update(db, &next, e)) != RC_OK ||
        (code = db_document_update(db, &d, e)) != RC_OK)
        goto done;
    code = app_event(db, who, d.base, version, "version.active", e);
done:
    arena_close(tmp);
    return code;
}
