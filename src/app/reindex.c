#include "app/app_priv.h"

rc reindex_add(struct app *a, struct db *db, uuid tenant, uuid base, str title,
               const uuid *versions, size_t n, uuid *job, struct err *e)
{
    const struct job_new j = {.tenant = tenant,
                              .base = base,
                              .kind = STR("reindex"),
                              .class = ITEM_REINDEX};
    struct arena *tmp = arena_open();
    struct job_version *v = ARENA_ARRAY(tmp, struct job_version, n);
    struct version_row row;
    rc code = RC_OK;
    uuid made;

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        code = db_version_get(db, tenant, base, versions[i], tmp, &row, e);
        if (code == RC_OK)
            v[i] = (struct job_version){row.document, row.id, title};
    }
    if (code == RC_OK)
        code = job_add(a, db, &j, v, n, job != NULL ? job : &made, e);
    arena_close(tmp);
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
