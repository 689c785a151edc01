/* reprocess: originals are read once more, when the extractor has learned. */
#include "app/app_priv.h"

/* Versions looked at, and so queued, by one call: it is a single write. */
#define LOOK_MAX 10000

/* A job of this base that has not ended. */
static rc running(const struct caller *who, struct db *db, uuid base,
                  struct arena *out, struct reprocess *r, struct err *e)
{
    const unsigned unfinished = 1u << JOB_QUEUED | 1u << JOB_PROCESSING;
    struct page_req p = {.limit = PAGE_ITEMS_MAX};
    struct job_row *jobs;
    size_t n;
    bool more = true;
    rc code;

    while (more && uuid_is_nil(r->job)) {
        if ((code = db_job_list(db, who->tenant, base, unfinished, p, out,
                                &jobs, &n, &more, e)) != RC_OK)
            return code;
        for (size_t i = 0; i < n && uuid_is_nil(r->job); i++) {
            p.before = jobs[i].id;
            if (!str_eq(jobs[i].kind, STR("reprocess")))
                continue;
            r->job = jobs[i].id;
            r->queued = jobs[i].total;
        }
    }
    return RC_OK;
}

static rc job_put(struct app *a, const struct caller *who, struct db *db,
                  uuid base, const struct old_version *v, size_t n,
                  struct arena *out, struct reprocess *r, struct err *e)
{
    const struct job_new j = {.tenant = who->tenant,
                              .base = base,
                              .kind = STR("reprocess"),
                              .class = ITEM_REPROCESS};
    struct job_version *versions = ARENA_ARRAY(out, struct job_version, n);
    rc code;

    for (size_t i = 0; i < n; i++)
        versions[i] =
            (struct job_version){v[i].document, v[i].version, v[i].title};
    code = job_add(a, db, &j, versions, n, &r->job, e);
    r->queued = n;
    return code == RC_OK ? app_event(db, who, base, r->job, "job.created", e)
                         : code;
}

rc app_reprocess(struct app *a, const struct caller *who, struct db *db,
                 uuid base, const struct reprocess_in *in, struct arena *out,
                 struct reprocess *r, struct err *e)
{
    struct old_version *v;
    struct base_row b;
    uuid after, next;
    size_t n;
    rc code;

    *r = (struct reprocess){0};
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &b, e)) != RC_OK ||
        (code = cursor_parse(a, CURSOR_REPROCESS, who->tenant, base, in->cursor,
                             &after, e)) != RC_OK)
        return code;
    if (in->cursor.n == 0 &&
        ((code = running(who, db, base, out, r, e)) != RC_OK ||
         !uuid_is_nil(r->job)))
        return code;
    if ((code = db_versions_old(db, base, in->all ? 0 : EXTRACTOR_VERSION,
                                after, LOOK_MAX, out, &v, &n, &next, e)) !=
            RC_OK ||
        (n > 0 && (code = job_put(a, who, db, base, v, n, out, r, e)) != RC_OK))
        return code;
    if (!uuid_is_nil(next))
        r->next_cursor =
            cursor_make(a, CURSOR_REPROCESS, who->tenant, base, next, out);
    return RC_OK;
}
