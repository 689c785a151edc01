#include "app/app_priv.h"
#include "base/clock.h"

rc reindex_add(struct app *a, struct db *db, uuid tenant, uuid base, str title,
               const uuid *versions, size_t n, uuid *job, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_row j = {.id = uuid_new(),
                        .base = base,
                        .tenant = tenant,
                        .kind = STR("reindex"),
                        .title = title,
                        .total = n,
                        .counts = {[JOB_QUEUED] = n},
                        .created_ms = now};
    struct arena *tmp = arena_open();
    struct version_row v;
    rc code = db_job_put(db, &j, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if ((code = db_version_get(db, tenant, base, versions[i], tmp, &v,
                                   e)) != RC_OK)
            break;
        code = db_item_put(db,
                           &(struct item_row){.job = j.id,
                                              .base = base,
                                              .tenant = tenant,
                                              .class = ITEM_REINDEX,
                                              .index = (uint32_t)i,
                                              .document = v.document,
                                              .version = v.id,
                                              .title = title,
                                              .status = JOB_QUEUED,
                                              .stage = STAGE_QUEUED,
                                              .run_at_ms = now,
                                              .counted = true},
                           e);
    }
    arena_close(tmp);
    if (code == RC_OK && job != NULL)
        *job = j.id;
    if (code == RC_OK)
        atomic_store(&a->items_queued, true);
    return code;
}

rc reindex_document(struct app *a, struct db *db, const struct document_row *d,
                    struct err *e)
{
    struct arena *tmp = arena_open();
    struct version_row *v;
    uuid *ids;
    size_t n = 0, versions_n;
    rc code;

    if ((code = db_version_list(db, d->tenant, d->base, d->id, tmp, &v,
                                &versions_n, e)) != RC_OK)
        goto done;
    ids = ARENA_ARRAY(tmp, uuid, versions_n);
    for (size_t i = 0; i < versions_n; i++)
        if (v[i].has_text &&
            (v[i].state == VERSION_ACTIVE || v[i].state == VERSION_DRAFT))
            ids[n++] = v[i].id;
    if (n > 0)
        code =
            reindex_add(a, db, d->tenant, d->base, d->title, ids, n, NULL, e);
done:
    arena_close(tmp);
    return code;
}
