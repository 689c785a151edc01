/* Articles: pages written here. A draft is edited in place; publishing makes a
 * version of it, and a document of the hub with its text, by which it is found.
 *
 *     created ──► draft ──publish──► published ◄──► published, with a draft
 *                   └──────archive──────┴──► archived (the end)
 */
#include "app/hub_priv.h"
#include "base/clock.h"
#include "text/utf8.h"

const char *const ARTICLE_STATUS_NAMES[ARTICLE_STATUS_COUNT + 1] = {
    [ARTICLE_DRAFT] = "draft",
    [ARTICLE_PUBLISHED] = "published",
    [ARTICLE_ARCHIVED] = "archived",
};
static const char *const CHANGE_NAMES[ARTICLE_CHANGE_COUNT] = {
    [CHANGE_CREATED] = "created",
    [CHANGE_MANUAL_EDIT] = "manual_edit",
};

static rc not_found(str id, struct err *e)
{
    return err_set(e, RC_NOTFOUND, "Page not found: " STR_FMT,
                   STR_ARG(str_sub(id, 0, 64)));
}

/* ---- showing ---- */

/* The members of a list's row. */
static rc article_of(struct app *a, struct db *db, const struct article_row *r,
                     struct arena *out, struct hub_article *p, struct err *e)
{
    rc code;

    *p = (struct hub_article){.title = r->title,
                              .cover = r->cover,
                              .status = ARTICLE_STATUS_NAMES[r->status],
                              .visibility = VISIBILITY_NAMES[r->visibility],
                              .source_count = r->source_count,
                              .version = r->version,
                              .published_ms = r->published_ms,
                              .created_ms = r->created_ms,
                              .updated_ms = r->updated_ms,
                              .draft_title = r->draft_title,
                              .draft_content = r->draft_content};
    if ((code = hub_shown(a, db, r->id, 'p', out, &p->id, e)) != RC_OK ||
        (code = hub_folder_refs(a, db, r->base, r->id, out, &p->folders,
                                &p->folders_n, e)) != RC_OK)
        return code;
    return hub_user_of(a, db, r->tenant, r->owner, out, &p->owner,
                       &p->has_owner, e);
}

static rc sources_of(struct app *a, struct db *db, const struct article_row *r,
                     struct arena *out, struct hub_article *p, struct err *e)
{
    uuid *ids;
    rc code =
        db_article_sources(db, r->base, r->id, out, &ids, &p->sources_n, e);

    p->sources = ARENA_ARRAY(out, struct hub_source, p->sources_n);
    for (size_t i = 0; code == RC_OK && i < p->sources_n; i++) {
        struct source_row row;

        code = db_source_get(db, r->tenant, r->base, ids[i], out, &row, e);
        if (code == RC_OK)
            code = hub_source_of(a, db, &row, out, &p->sources[i], e);
    }
    return code;
}

static rc article_show(struct app *a, struct db *db, uuid tenant, uuid base,
                       uuid id, struct arena *out, struct hub_article *p,
                       struct err *e)
{
    struct article_version_row v;
    struct article_row row;
    rc code;

    if ((code = db_article_get(db, tenant, base, id, out, &row, e)) != RC_OK ||
        (code = article_of(a, db, &row, out, p, e)) != RC_OK)
        return code;
    if (row.version > 0) {
        if ((code = db_article_version_get(db, base, id, row.version, out, &v,
                                           e)) != RC_OK)
            return code;
        p->content = v.content;
    }
    return sources_of(a, db, &row, out, p, e);
}

/* ---- reading ---- */

static rc status_parse(str text, enum article_status *status, struct err *e)
{
    for (unsigned i = 0; i < ARTICLE_STATUS_COUNT; i++)
        if (str_eq(text, str_of(ARTICLE_STATUS_NAMES[i]))) {
            *status = (enum article_status)i;
            return RC_OK;
        }
    return hub_refused(e, "invalid_status",
                       "status must be draft, published or archived");
}

static rc sort_parse(str text, enum article_sort *sort, struct err *e)
{
    if (text.p == NULL || str_eq(text, STR("updated_at")))
        *sort = SORT_UPDATED;
    else if (str_eq(text, STR("created_at")))
        *sort = SORT_CREATED;
    else if (str_eq(text, STR("title")))
        *sort = SORT_TITLE;
    else
        return hub_refused(e, "invalid_sort",
                           "sort must be updated_at, created_at or title");
    return RC_OK;
}

/* *none: what is asked for is nowhere, a folder, say, that isn't there. */
static rc filter_of(const struct caller *who, struct db *db, uuid base,
                    const struct hub_article_filter *f, struct arena *out,
                    struct article_filter *by, bool *none, struct err *e)
{
    bool folder = true, owner = true;
    rc code;

    *by = (struct article_filter){.by_status = f->status.p != NULL,
                                  .query = f->query,
                                  .updated_from_ms = f->updated_from_ms,
                                  .updated_to_ms = f->updated_to_ms};
    if ((by->by_status &&
         (code = status_parse(f->status, &by->status, e)) != RC_OK) ||
        (code = sort_parse(f->sort, &by->sort, e)) != RC_OK)
        return code;
    if (f->folder.p != NULL &&
        (code = maybe(hub_id(who, db, base, OBJECT_FOLDER, "Folder", f->folder,
                             &by->folder, e),
                      &folder)) != RC_OK)
        return code;
    if (f->owner.p != NULL &&
        (code = hub_user_id(who, db, f->owner, out, &by->owner, &owner, e)) !=
            RC_OK)
        return code;
    /* There are no skills. */
    *none = !folder || !owner || f->skill.p != NULL || uuid_is_nil(base);
    return RC_OK;
}

rc app_article_list(struct app *a, const struct caller *who, struct db *db,
                    const struct hub_article_filter *f, struct hub_window w,
                    struct arena *out, struct hub_article **v, size_t *n,
                    uint64_t *total, struct err *e)
{
    struct article_filter by;
    struct article_row *rows;
    bool none;
    uuid base;
    rc code;

    *v = NULL;
    *n = 0;
    *total = 0;
    if ((code = hub_find(who, SCOPE_KB_READ, db, &base, e)) != RC_OK ||
        (code = filter_of(who, db, base, f, out, &by, &none, e)) != RC_OK ||
        none ||
        (code = db_article_list(db, who->tenant, base, &by, hub_window_of(w),
                                out, &rows, n, total, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct hub_article, *n);
    for (size_t i = 0; code == RC_OK && i < *n; i++)
        code = article_of(a, db, &rows[i], out, &(*v)[i], e);
    return code;
}

static rc article_find(const struct caller *who, unsigned scope, struct db *db,
                       str id, struct arena *out, struct article_row *row,
                       struct err *e)
{
    uuid base, article;
    rc code;

    if ((code = hub_find(who, scope, db, &base, e)) != RC_OK ||
        (code = hub_id(who, db, base, OBJECT_ARTICLE, "Page", id, &article,
                       e)) != RC_OK)
        return code;
    return db_article_get(db, who->tenant, base, article, out, row, e);
}

rc app_article_get(struct app *a, const struct caller *who, struct db *db,
                   str id, struct arena *out, struct hub_article *p,
                   struct err *e)
{
    struct article_row row;
    rc code = article_find(who, SCOPE_KB_READ, db, id, out, &row, e);

    return code == RC_OK
               ? article_show(a, db, row.tenant, row.base, row.id, out, p, e)
               : code;
}

rc app_article_versions(struct app *a, const struct caller *who, struct db *db,
                        str id, struct hub_window w, struct arena *out,
                        struct hub_article_version **v, size_t *n,
                        uint64_t *total, struct err *e)
{
    struct article_version_row *rows;
    struct article_row row;
    rc code;

    *v = NULL;
    *n = 0;
    *total = 0;
    if ((code = article_find(who, SCOPE_KB_READ, db, id, out, &row, e)) !=
            RC_OK ||
        (code = db_article_version_list(db, row.base, row.id, hub_window_of(w),
                                        out, &rows, n, total, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct hub_article_version, *n);
    for (size_t i = 0; code == RC_OK && i < *n; i++) {
        struct hub_article_version *to = &(*v)[i];

        *to =
            (struct hub_article_version){.number = rows[i].number,
                                         .title = rows[i].title,
                                         .change = CHANGE_NAMES[rows[i].change],
                                         .created_ms = rows[i].created_ms};
        code = hub_user_of(a, db, row.tenant, rows[i].creator, out,
                           &to->creator, &to->has_creator, e);
    }
    return code;
}

/* ---- what a change says ---- */

static rc in_check(const struct app *a, const struct hub_article_in *in,
                   struct err *e)
{
    if (in->set_title && str_blank(in->title))
        return hub_refused(e, "missing_field", "title is required");
    if (in->set_title && utf8_count(in->title) > TITLE_CHARS_MAX) {
        (void)err_set(e, RC_INVALID, "title must be %d characters or fewer",
                      TITLE_CHARS_MAX);
        return err_name(e, "title_too_long");
    }
    if (in->set_content && in->content.n > a->limits.content_bytes_max) {
        (void)err_set(e, RC_INVALID, "content must be %zu bytes or fewer",
                      a->limits.content_bytes_max);
        return err_name(e, "content_too_long");
    }
    if (in->set_skills && in->skills_n > 0) {
        (void)err_set(e, RC_INVALID, "Skill not found: " STR_FMT,
                      STR_ARG(str_sub(in->skills[0], 0, 64)));
        return err_name(e, "skill_not_found");
    }
    return RC_OK;
}

/* *publish: it asks for that. "draft" asks for nothing: what is published
 * stays so beside a draft, as there is no way back to never published. */
static rc status_check(str status, bool *publish, struct err *e)
{
    *publish = str_eq(status, STR("published"));
    if (*publish || status.p == NULL || str_eq(status, STR("draft")))
        return RC_OK;
    return hub_refused(e, "invalid_status",
                       "status must be draft or published");
}

/* The lists that are given replace those that are there. */
static rc links_set(const struct caller *who, struct db *db,
                    const struct article_row *row,
                    const struct hub_article_in *in, struct arena *out,
                    struct err *e)
{
    uuid *ids;
    size_t n;
    rc code;

    if (in->set_folders &&
        ((code = hub_ids(who, db, row->base, OBJECT_FOLDER, "Folder",
                         "folder_not_found", in->folders, in->folders_n, out,
                         &ids, &n, e)) != RC_OK ||
         (code = db_folders_set(db, row->base, row->id, OBJECT_ARTICLE, ids, n,
                                e)) != RC_OK))
        return code;
    if (in->set_sources &&
        ((code = hub_ids(who, db, row->base, OBJECT_DOCUMENT, "Source",
                         "source_not_found", in->sources, in->sources_n, out,
                         &ids, &n, e)) != RC_OK ||
         (code = db_article_sources_set(db, row->base, row->id, ids, n, e)) !=
             RC_OK))
        return code;
    return RC_OK;
}

/* ---- publishing ---- */

/* The text that is searched: the next version of the article's document, or a
 * new one where it has none, or none any more. */
static rc document_put(struct app *a, const struct caller *who, struct db *db,
                       struct article_row *row, str content, struct err *e)
{
    const struct text_in in = {.base = row->base,
                               .document = row->document,
                               .title = row->title,
                               .content = content,
                               .filename = STR("page.md"),
                               .mime = STR("text/markdown"),
                               .source_type = "page"};

    return intake_text(a, who, db, &in, &row->document, e);
}

static rc draft_publish(struct app *a, const struct caller *who, struct db *db,
                        struct article_row *row, int64_t now, struct err *e)
{
    struct article_version_row v = {
        .base = row->base,
        .article = row->id,
        .number = row->version + 1,
        .title = row->draft_title,
        .content = row->draft_content,
        .change = row->version == 0 ? CHANGE_CREATED : CHANGE_MANUAL_EDIT,
        .creator = who->key,
        .created_ms = now};
    rc code;

    if (str_blank(v.content))
        return hub_refused(e, "missing_field",
                           "content is required to publish");
    if ((code = db_article_version_put(db, &v, e)) != RC_OK)
        return code;
    row->title = v.title;
    row->version = v.number;
    row->status = ARTICLE_PUBLISHED;
    row->published_ms = now;
    row->draft_title = row->draft_content = STR_NONE;
    return document_put(a, who, db, row, v.content, e);
}

/* With nothing drafted only a document that was deleted is made again. */
static rc article_publish(struct app *a, const struct caller *who,
                          struct db *db, struct article_row *row, int64_t now,
                          struct arena *out, bool *published, struct err *e)
{
    struct article_version_row v;
    rc code;

    *published = row->draft_title.p != NULL;
    if (*published)
        return draft_publish(a, who, db, row, now, e);
    if (!uuid_is_nil(row->document))
        return RC_OK;
    if ((code = db_article_version_get(db, row->base, row->id, row->version,
                                       out, &v, e)) != RC_OK)
        return code;
    return document_put(a, who, db, row, v.content, e);
}

/* ---- changing ---- */

/* What was written, beside what the draft (else the published version) has of
 * the rest. */
static rc draft_take(struct db *db, const struct hub_article_in *in,
                     struct arena *out, struct article_row *row, struct err *e)
{
    struct article_version_row v;
    rc code;

    if (!in->set_title && !in->set_content)
        return RC_OK;
    if (row->draft_title.p == NULL) {
        if ((code = db_article_version_get(db, row->base, row->id, row->version,
                                           out, &v, e)) != RC_OK)
            return code;
        row->draft_title = v.title;
        row->draft_content = v.content;
    }
    if (in->set_title)
        row->draft_title = in->title;
    if (in->set_content)
        row->draft_content = in->content.p == NULL ? STR("") : in->content;
    if (row->version == 0)
        row->title = row->draft_title;
    return RC_OK;
}

rc app_article_add(struct app *a, const struct caller *who, struct db *db,
                   const struct hub_article_in *in, struct arena *out,
                   struct hub_article *p, struct err *e)
{
    struct article_row row = {
        .id = uuid_new(),
        .tenant = who->tenant,
        .title = in->title,
        .cover = in->cover.p == NULL ? STR("") : in->cover,
        .status = ARTICLE_DRAFT,
        .visibility = VISIBILITY_WORKSPACE,
        .owner = who->key,
        .draft_title = in->title,
        .draft_content = in->content.p == NULL ? STR("") : in->content,
        .created_ms = clock_wall_ms()};
    struct hub_article_in all = *in;
    bool publish, published;
    rc code;

    all.set_title = all.set_content = true;
    row.updated_ms = row.created_ms;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = in_check(a, &all, e)) != RC_OK ||
        (code = status_check(in->status, &publish, e)) != RC_OK ||
        (in->visibility.p != NULL &&
         (code = hub_visibility(in->visibility, &row.visibility, e)) !=
             RC_OK) ||
        (code = hub_make(a, who, db, &row.base, e)) != RC_OK ||
        (code = db_article_put(db, &row, e)) != RC_OK ||
        (code = db_code_put(db, row.id, 'p', e)) != RC_OK ||
        (code = links_set(who, db, &row, in, out, e)) != RC_OK ||
        (code = app_event(db, who, row.base, row.id, "article.created", e)) !=
            RC_OK)
        return code;
    if (publish && ((code = article_publish(a, who, db, &row, row.created_ms,
                                            out, &published, e)) != RC_OK ||
                    (code = db_article_update(db, &row, e)) != RC_OK ||
                    (code = app_event(db, who, row.base, row.id,
                                      "article.published", e)) != RC_OK))
        return code;
    return article_show(a, db, row.tenant, row.base, row.id, out, p, e);
}

rc app_article_update(struct app *a, const struct caller *who, struct db *db,
                      str id, const struct hub_article_in *in,
                      struct arena *out, struct hub_article *p, struct err *e)
{
    bool publish, published = false;
    struct article_row row;
    rc code;

    if ((code = article_find(who, SCOPE_KB_MANAGE, db, id, out, &row, e)) !=
        RC_OK)
        return code;
    if (row.status == ARTICLE_ARCHIVED)
        return not_found(id, e);
    row.updated_ms = clock_wall_ms();
    if ((code = in_check(a, in, e)) != RC_OK ||
        (code = status_check(in->status, &publish, e)) != RC_OK ||
        (code = draft_take(db, in, out, &row, e)) != RC_OK ||
        (code = links_set(who, db, &row, in, out, e)) != RC_OK ||
        (publish && (code = article_publish(a, who, db, &row, row.updated_ms,
                                            out, &published, e)) != RC_OK) ||
        (code = db_article_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, row.base, row.id,
                          published ? "article.published" : "article.updated",
                          e)) != RC_OK)
        return code;
    return article_show(a, db, row.tenant, row.base, row.id, out, p, e);
}

rc app_article_archive(struct app *a, const struct caller *who, struct db *db,
                       str id, struct arena *out, str *shown, struct err *e)
{
    struct article_row row;
    rc code;

    if ((code = article_find(who, SCOPE_KB_MANAGE, db, id, out, &row, e)) !=
        RC_OK)
        return code;
    if (row.status == ARTICLE_ARCHIVED)
        return not_found(id, e);
    if (!uuid_is_nil(row.document) &&
        (code = app_document_delete(a, who, db, row.document, e)) != RC_OK)
        return code;
    row.document = UUID_NIL;
    row.status = ARTICLE_ARCHIVED;
    row.updated_ms = clock_wall_ms();
    if ((code = db_article_update(db, &row, e)) != RC_OK ||
        (code = hub_shown(a, db, row.id, 'p', out, shown, e)) != RC_OK)
        return code;
    return app_event(db, who, row.base, row.id, "article.archived", e);
}
