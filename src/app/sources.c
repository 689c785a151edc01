/* Sources: the documents of a hub, with what only its lists show. */
#include "app/hub_priv.h"
#include "app/web_priv.h"
#include "base/clock.h"
#include "text/utf8.h"

const char *const HUB_TYPE_NAMES[HUB_TYPE_COUNT + 1] = {
    [HUB_UPLOAD] = "upload",
    [HUB_URL] = "url",
    [HUB_NOTION] = "notion",
    [HUB_GOOGLE_DRIVE] = "google_drive",
    [HUB_GURU] = "guru",
    [HUB_PAGE] = "page",
    [HUB_INTEGRATION] = "integration",
};
const char *const HUB_STATUS_NAMES[HUB_STATUS_COUNT + 1] = {
    [HUB_PENDING] = "pending",
    [HUB_PROCESSING] = "processing",
    [HUB_READY] = "ready",
    [HUB_FAILED] = "failed",
};

/* Which of our types are one of theirs, as bits; none: nothing here is. */
static const unsigned TYPES_OF[HUB_TYPE_COUNT] = {
    [HUB_UPLOAD] = 1u << SOURCE_FILE | 1u << SOURCE_TEXT,
    [HUB_URL] = 1u << SOURCE_URL,
    [HUB_PAGE] = 1u << SOURCE_PAGE,
};
static const unsigned STATES_OF[HUB_STATUS_COUNT] = {
    [HUB_PENDING] = 1u << VERSION_PENDING,
    [HUB_PROCESSING] = 1u << VERSION_PROCESSING,
    [HUB_READY] =
        1u << VERSION_ACTIVE | 1u << VERSION_DRAFT | 1u << VERSION_ARCHIVED,
    [HUB_FAILED] = 1u << VERSION_FAILED | 1u << VERSION_QUARANTINED,
};

/* ---- showing ---- */

static enum hub_type type_of(str source_type)
{
    for (unsigned t = 0; t < SOURCE_TYPE_COUNT; t++)
        for (unsigned h = 0; h < HUB_TYPE_COUNT; h++)
            if (str_eq(source_type, str_of(SOURCE_TYPE_NAMES[t])) &&
                (TYPES_OF[h] & 1u << t) != 0)
                return (enum hub_type)h;
    return HUB_INTEGRATION;
}

static enum hub_status status_of(enum version_state state)
{
    for (unsigned s = 0; s < HUB_STATUS_COUNT; s++)
        if ((STATES_OF[s] & 1u << state) != 0)
            return (enum hub_status)s;
    return HUB_FAILED;
}

/* The form of the text: all but plain text is made into Markdown. */
static const char *format_of(const struct source_row *r)
{
    if (!r->document.has_text)
        return NULL;
    if (str_starts(r->mime, STR("image/")))
        return "image";
    return str_eq(r->mime, STR("text/plain")) ? "plain_text" : "markdown";
}

/* All but who brought it in. */
static rc source_of(struct app *a, struct db *db, const struct source_row *r,
                    struct arena *out, struct hub_source *s, struct err *e)
{
    const struct document_row *d = &r->document;
    rc code;

    *s = (struct hub_source){
        .document = d->id,
        .title = d->title,
        .url = r->url,
        .summary = r->summary,
        .cover = d->cover.p == NULL ? STR("") : d->cover,
        .type = type_of(d->source_type),
        .status = status_of(d->state),
        .content_format = format_of(r),
        .tokens = d->token_count,
        .has_tokens = d->has_text,
        .has_images = r->images > 0,
        .created_ms = d->created_ms,
        .updated_ms = d->updated_ms,
        .processed_ms = d->has_text ? r->processed_ms : 0,
    };
    if (s->status == HUB_FAILED)
        s->error = r->error;
    code = hub_shown(a, db, d->id, 's', out, &s->id, e);
    if (code == RC_OK)
        code = hub_folder_refs(a, db, d->base, d->id, out, &s->folders,
                               &s->folders_n, e);
    return code;
}

rc hub_source_of(struct app *a, struct db *db, const struct source_row *r,
                 struct arena *out, struct hub_source *s, struct err *e)
{
    rc code = source_of(a, db, r, out, s, e);

    return code != RC_OK
               ? code
               : hub_user_of(a, db, r->document.tenant, r->document.creator,
                             out, &s->creator, &s->has_creator, e);
}

/* Neighbours of a list mostly come from one and the same. */
static rc sources_of(struct app *a, struct db *db,
                     const struct source_row *rows, size_t n, struct arena *out,
                     struct hub_source *v, struct err *e)
{
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if (i == 0 ||
            !uuid_eq(rows[i].document.creator, rows[i - 1].document.creator)) {
            code = hub_source_of(a, db, &rows[i], out, &v[i], e);
            continue;
        }
        code = source_of(a, db, &rows[i], out, &v[i], e);
        v[i].creator = v[i - 1].creator;
        v[i].has_creator = v[i - 1].has_creator;
    }
    return code;
}

static rc source_show(struct app *a, const struct caller *who, struct db *db,
                      uuid base, uuid id, struct arena *out,
                      struct hub_source *s, struct err *e)
{
    struct source_row row;
    rc code = db_source_get(db, who->tenant, base, id, out, &row, e);

    return code == RC_OK ? hub_source_of(a, db, &row, out, s, e) : code;
}

static rc source_content(const struct source_row *row, struct db *db,
                         struct arena *out, struct hub_source *s, struct err *e)
{
    s->content = STR_NONE;
    if (!row->document.has_text)
        return RC_OK;
    return blob_read(db, &row->document.text_sha, TEXT_BYTES_MAX, out,
                     &s->content, e);
}

/* ---- lists ---- */

/* An id to filter by; *none: nothing has it. */
static rc filter_id(const struct caller *who, struct db *db, uuid base,
                    enum object_kind kind, const char *thing, str text,
                    uuid *id, bool *none, struct err *e)
{
    bool there;
    rc code;

    *id = UUID_NIL;
    if (text.p == NULL)
        return RC_OK;
    code = maybe(hub_id(who, db, base, kind, thing, text, id, e), &there);
    *none = *none || !there;
    return code;
}

rc app_source_list(struct app *a, const struct caller *who, struct db *db,
                   const struct hub_source_filter *f, struct hub_window w,
                   struct arena *out, struct hub_source **v, size_t *n,
                   uint64_t *total, struct err *e)
{
    struct source_filter by = {.query = f->query};
    struct source_row *rows;
    bool none;
    uuid base;
    rc code;

    *v = NULL;
    *n = 0;
    *total = 0;
    if ((code = hub_find(who, SCOPE_KB_READ, db, &base, e)) != RC_OK)
        return code;
    none = uuid_is_nil(base);
    if (f->by_type)
        by.types = TYPES_OF[f->type];
    if (f->by_status)
        by.states = STATES_OF[f->status];
    none = none || (f->by_type && by.types == 0);
    if ((code = filter_id(who, db, base, OBJECT_FOLDER, "Folder", f->folder,
                          &by.folder, &none, e)) != RC_OK ||
        (code = filter_id(who, db, base, OBJECT_ARTICLE, "Page", f->article,
                          &by.article, &none, e)) != RC_OK ||
        none)
        return code;
    if ((code = db_source_list(db, who->tenant, base, &by, hub_window_of(w),
                               out, &rows, n, total, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct hub_source, *n);
    return sources_of(a, db, rows, *n, out, *v, e);
}

rc app_source_get(struct app *a, const struct caller *who, struct db *db,
                  str id, bool content, struct arena *out, struct hub_source *s,
                  struct err *e)
{
    struct source_row row;
    uuid base, document;
    rc code;

    if ((code = hub_find(who, SCOPE_KB_READ, db, &base, e)) != RC_OK ||
        (code = hub_id(who, db, base, OBJECT_DOCUMENT, "Source", id, &document,
                       e)) != RC_OK ||
        (code = db_source_get(db, who->tenant, base, document, out, &row, e)) !=
            RC_OK ||
        (code = hub_source_of(a, db, &row, out, s, e)) != RC_OK)
        return code;
    return content ? source_content(&row, db, out, s, e) : RC_OK;
}

/* ---- changes ---- */

static rc source_in_check(const struct hub_source_in *in, struct err *e)
{
    if (in->set_title && str_blank(in->title))
        return hub_refused(e, "missing_field", "title is required");
    if (in->set_cover && utf8_count(in->cover) > COVER_CHARS_MAX) {
        (void)err_set(e, RC_INVALID, "cover must be %d characters or fewer",
                      COVER_CHARS_MAX);
        return err_name(e, "cover_too_long");
    }
    return RC_OK;
}

/* One that failed gets another try, whoever asks for it. */
static rc source_again(struct app *a, const struct caller *who, struct db *db,
                       const struct web_row *web, struct arena *out,
                       struct err *e)
{
    struct document_row d;
    rc code =
        db_document_get(db, who->tenant, web->base, web->document, out, &d, e);

    if (code != RC_OK || d.state != VERSION_FAILED)
        return code;
    return web_fetch_again(a, who, db, &d, out, e);
}

rc app_source_add(struct app *a, const struct caller *who, struct db *db,
                  const struct hub_source_in *in, struct arena *out,
                  struct hub_source *s, bool *made, struct err *e)
{
    struct hub_source_in all = *in;
    struct web_target target = {0};
    struct web_row web;
    uuid base, document, *folders;
    size_t folders_n;
    bool there;
    rc code;

    *made = false;
    all.set_title = all.set_cover = true;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = source_in_check(&all, e)) != RC_OK ||
        (code = web_target_read(a, in->url, out, &target, e)) != RC_OK ||
        (code = hub_make(a, who, db, &base, e)) != RC_OK ||
        (code = maybe(
             db_web_by_key(db, who->tenant, base, target.key, out, &web, e),
             &there)) != RC_OK)
        return code;
    if (there) {
        if ((code = source_again(a, who, db, &web, out, e)) != RC_OK)
            return code;
        return source_show(a, who, db, base, web.document, out, s, e);
    }
    if ((code = hub_ids(who, db, base, OBJECT_FOLDER, "Folder",
                        "folder_not_found", in->folders, in->folders_n, out,
                        &folders, &folders_n, e)) != RC_OK ||
        (code = web_document_add(a, who, db, base, &target, in->title,
                                 in->cover, &document, e)) != RC_OK ||
        (code = db_folders_set(db, base, document, OBJECT_DOCUMENT, folders,
                               folders_n, e)) != RC_OK)
        return code;
    *made = true;
    return source_show(a, who, db, base, document, out, s, e);
}

rc app_source_update(struct app *a, const struct caller *who, struct db *db,
                     str id, const struct hub_source_in *in, struct arena *out,
                     struct hub_source *s, struct err *e)
{
    struct document_in title = {.set_title = true, .title = in->title};
    struct document_row row;
    struct document d;
    uuid base, document, *folders = NULL;
    size_t folders_n;
    rc code;

    if ((code = hub_find(who, SCOPE_KB_MANAGE, db, &base, e)) != RC_OK ||
        (code = source_in_check(in, e)) != RC_OK ||
        (code = hub_id(who, db, base, OBJECT_DOCUMENT, "Source", id, &document,
                       e)) != RC_OK)
        return code;
    if (in->set_title &&
        (code = app_document_update(a, who, db, document, &title, out, &d,
                                    e)) != RC_OK)
        return code;
    if (in->set_folders &&
        ((code = hub_ids(who, db, base, OBJECT_FOLDER, "Folder",
                         "folder_not_found", in->folders, in->folders_n, out,
                         &folders, &folders_n, e)) != RC_OK ||
         (code = db_folders_set(db, base, document, OBJECT_DOCUMENT, folders,
                                folders_n, e)) != RC_OK))
        return code;
    if ((code = db_document_row(db, who->tenant, base, document, out, &row,
                                e)) != RC_OK)
        return code;
    if (in->set_cover)
        row.cover = in->cover;
    row.updated_ms = clock_wall_ms();
    if ((code = db_document_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, base, document, "document.updated", e)) !=
            RC_OK)
        return code;
    return source_show(a, who, db, base, document, out, s, e);
}

rc app_source_delete(struct app *a, const struct caller *who, struct db *db,
                     str id, struct arena *out, str *shown, struct err *e)
{
    uuid base, document;
    rc code;

    if ((code = hub_find(who, SCOPE_KB_MANAGE, db, &base, e)) != RC_OK ||
        (code = hub_id(who, db, base, OBJECT_DOCUMENT, "Source", id, &document,
                       e)) != RC_OK ||
        (code = hub_shown(a, db, document, 's', out, shown, e)) != RC_OK)
        return code;
    return app_document_delete(a, who, db, document, e);
}

/* ---- search ---- */

rc app_hub_search(struct app *a, const struct caller *who, struct db *db,
                  str query, str folder, size_t limit, struct arena *out,
                  struct search_out *res, str **ids, struct err *e)
{
    struct search_in in = {
        .query = query, .bases_n = 1, .limit = limit, .alpha = -1};
    uuid base, *within, *only;
    size_t n;
    rc code;

    *res = (struct search_out){0};
    *ids = NULL;
    if ((code = hub_find(who, SCOPE_KB_READ, db, &base, e)) != RC_OK)
        return code;
    if (folder.p != NULL) {
        if ((code = hub_ids(who, db, base, OBJECT_FOLDER, "Folder",
                            "folder_not_found", &folder, 1, out, &within, &n,
                            e)) != RC_OK ||
            (code = db_folder_documents(db, who->tenant, base, within[0], out,
                                        &only, &in.only_n, e)) != RC_OK)
            return code;
        in.only = only;
        in.by_only = true;
    }
    if (uuid_is_nil(base))
        return RC_OK;
    in.bases = &base;
    if ((code = app_search(a, who, db, &in, out, res, e)) != RC_OK)
        return code;
    *ids = ARENA_ARRAY(out, str, res->hits_n);
    for (size_t i = 0; code == RC_OK && i < res->hits_n; i++)
        code = hub_shown(a, db, res->hits[i].document, 's', out, &(*ids)[i], e);
    return code;
}
