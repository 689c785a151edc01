/* reprocess: originals are read once more, when the extractor has learned. */
#include "app/app_priv.h"
#include "base/clock.h"

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

static rc job_put(const struct caller *who, struct db *db, uuid base,
                  const struct old_version *v, size_t n, struct reprocess *r,
                  struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_row j = {.id = uuid_new(),
                        .base = base,
                        .tenant = who->tenant,
                        .kind = STR("reprocess"),
                        .title = v[0].title,
                        .total = n,
                        .counts = {[JOB_QUEUED] = n},
                        .created_ms = now};
    rc code = db_job_put(db, &j, e);

    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = db_item_put(db,
                           &(struct item_row){.job = j.id,
                                              .base = base,
                                              .tenant = who->tenant,
                                              .class = ITEM_REPROCESS,
                                              .index = (uint32_t)i,
                                              .document = v[i].document,
                                              .version = v[i].version,
                                              .title = v[i].title,
                                              .status = JOB_QUEUED,
                                              .stage = STAGE_QUEUED,
                                              .run_at_ms = now,
                                              .counted = true},
                           e);
    if (code == RC_OK)
        code = app_event(db, who, base, j.id, "job.created", e);
    r->job = j.id;
    r->queued = n;
    return code;
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
        (n > 0 && (code = job_put(who, db, base, v, n, r, e)) != RC_OK))
        return code;
    if (!uuid_is_nil(next))
        r->next_cursor =
            cursor_make(a, CURSOR_REPROCESS, who->tenant, base, next, out);
    if (n > 0)
        atomic_store(&a->items_queued, true);
    return RC_OK;
}
