#include "app/bases.h"

#include "app/app_priv.h"
#include "base/clock.h"

const uint32_t CHUNK_SIZES[CHUNK_SIZES_N] = {128, 256, 384};
const uint32_t CHUNK_OVERLAPS[CHUNK_OVERLAPS_N] = {0, 32, 64};
static const int64_t SENSITIVITIES[] = {0, 10, 20, 30};

static rc refused(struct err *e)
{
    return err_name(e, "bad_request");
}

static bool offered(const uint32_t *v, size_t n, int64_t x)
{
    for (size_t i = 0; i < n; i++)
        if ((int64_t)v[i] == x)
            return true;
    return false;
}

/* The values of `in` that are given, onto the row. */
static rc base_apply(const struct base_in *in, struct base_row *b,
                     struct err *e)
{
    const struct base_set *set = &in->set;
    bool known = false;

    if (set->name) {
        if (str_blank(in->name)) {
            (void)err_set(e, RC_INVALID, "name must not be blank");
            return refused(e);
        }
        b->name = in->name;
    }
    if (set->description)
        b->description = in->description;
    if (set->metadata) {
        if (in->metadata.n > METADATA_BYTES_MAX) {
            (void)err_set(e, RC_INVALID, "metadata has %zu bytes, limit %zu",
                          in->metadata.n, METADATA_BYTES_MAX);
            return refused(e);
        }
        b->metadata = in->metadata.n == 0 ? STR("{}") : in->metadata;
    }
    if (set->active)
        b->active = in->active;
    if (set->chunk_size) {
        if (!offered(CHUNK_SIZES, CHUNK_SIZES_N, in->chunk_size)) {
            (void)err_set(e, RC_INVALID, "chunk_size %lld is not offered",
                          (long long)in->chunk_size);
            return refused(e);
        }
        b->chunk_size = (uint32_t)in->chunk_size;
    }
    if (set->chunk_overlap) {
        if (!offered(CHUNK_OVERLAPS, CHUNK_OVERLAPS_N, in->chunk_overlap)) {
            (void)err_set(e, RC_INVALID, "chunk_overlap %lld is not offered",
                          (long long)in->chunk_overlap);
            return refused(e);
        }
        b->chunk_overlap = (uint32_t)in->chunk_overlap;
    }
    if (b->chunk_overlap >= b->chunk_size) {
        (void)err_set(e, RC_INVALID,
                      "chunk_overlap must be less than chunk_size");
        return refused(e);
    }
    if (set->top_k) {
        if (in->top_k < TOP_K_MIN || in->top_k > TOP_K_MAX) {
            (void)err_set(e, RC_INVALID, "retrieval_top_k must lie in %d to %d",
                          TOP_K_MIN, TOP_K_MAX);
            return refused(e);
        }
        b->retrieval_top_k = (uint32_t)in->top_k;
    }
    if (set->sensitivity) {
        for (size_t i = 0; i < NELEMS(SENSITIVITIES); i++)
            known = known || SENSITIVITIES[i] == in->sensitivity;
        if (!known) {
            (void)err_set(e, RC_INVALID,
                          "default_sensitivity_level is one of 0, 10, 20, 30");
            return refused(e);
        }
        b->sensitivity = (int)in->sensitivity;
    }
    if (set->alpha) {
        if (in->alpha > 1) {
            (void)err_set(e, RC_INVALID, "retrieval_alpha must lie in 0 to 1");
            return refused(e);
        }
        b->has_alpha = in->alpha >= 0;
        b->alpha = in->alpha;
    }
    return RC_OK;
}

/* One of those installed, in its own dimensions, or none. */
static rc base_model(struct app *a, const struct base_in *in,
                     struct base_row *b, struct err *e)
{
    str name =
        in->embedding_model.n > 0 ? in->embedding_model : models_default(a);
    const struct model *m = models_find(a, name);
    uint32_t dims = m == NULL ? 0 : model_info(m)->dims;

    if (m == NULL && !str_eq(name, MODEL_NONE)) {
        (void)err_set(e, RC_INVALID,
                      "embedding_model " STR_FMT " is not offered",
                      STR_ARG(str_sub(name, 0, 64)));
        return refused(e);
    }
    if (in->embedding_dimensions >= 0 && in->embedding_dimensions != dims) {
        (void)err_set(e, RC_INVALID, "embedding_dimensions %lld is not offered",
                      (long long)in->embedding_dimensions);
        return refused(e);
    }
    b->embedding_model = name;
    b->embedding_dimensions = dims;
    return RC_OK;
}

static const char *model_status(struct app *a, str name)
{
    if (str_eq(name, MODEL_NONE))
        return "none";
    return models_find(a, name) == NULL ? "missing" : "installed";
}

struct base base_of_row(struct app *a, const struct base_row *r)
{
    return (struct base){.id = r->id,
                         .tenant = r->tenant,
                         .name = r->name,
                         .description = r->description,
                         .metadata = r->metadata,
                         .active = r->active,
                         .document_count = r->document_count,
                         .embedding_model = r->embedding_model,
                         .embedding_dimensions = r->embedding_dimensions,
                         .chunk_size = r->chunk_size,
                         .chunk_overlap = r->chunk_overlap,
                         .top_k = r->retrieval_top_k,
                         .sensitivity = r->sensitivity,
                         .has_alpha = r->has_alpha,
                         .alpha = r->alpha,
                         .model_status = model_status(a, r->embedding_model),
                         .created_ms = r->created_ms,
                         .updated_ms = r->updated_ms};
}

rc base_row_get(const struct caller *who, struct db *db, uuid id,
                struct arena *out, struct base_row *b, struct err *e)
{
    rc code = db_base_get(db, who->tenant, id, out, b, e);

    return code == RC_NOTFOUND ? err_set(e, code, "no such knowledge base")
                               : code;
}

rc base_add(struct app *a, const struct caller *who, struct db *db,
            const struct base_in *in, bool hub, struct base *b, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct base_row row = {.id = uuid_new(),
                           .tenant = who->tenant,
                           .metadata = STR("{}"),
                           .active = true,
                           .chunk_size = CHUNK_SIZE_DEFAULT,
                           .chunk_overlap = CHUNK_OVERLAP_DEFAULT,
                           .retrieval_top_k = TOP_K_DEFAULT,
                           .sensitivity = SENSITIVITY_DEFAULT,
                           .hub = hub,
                           .created_ms = now,
                           .updated_ms = now};
    struct base_in named = *in;
    rc code;

    named.set.name = true;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = base_apply(&named, &row, e)) != RC_OK ||
        (code = base_model(a, in, &row, e)) != RC_OK ||
        (code = db_base_put(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, row.id, row.id, "base.created", e)) != RC_OK)
        return code;
    *b = base_of_row(a, &row);
    return RC_OK;
}

rc app_base_add(struct app *a, const struct caller *who, struct db *db,
                const struct base_in *in, struct arena *out, struct base *b,
                struct err *e)
{
    (void)out;
    return base_add(a, who, db, in, false, b, e);
}

rc app_base_update(struct app *a, const struct caller *who, struct db *db,
                   uuid id, const struct base_in *in, struct arena *out,
                   struct base *b, struct err *e)
{
    struct base_row row;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = base_row_get(who, db, id, out, &row, e)) != RC_OK ||
        (code = base_apply(in, &row, e)) != RC_OK)
        return code;
    row.updated_ms = clock_wall_ms();
    if ((code = db_base_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, id, id, "base.updated", e)) != RC_OK)
        return code;
    *b = base_of_row(a, &row);
    return RC_OK;
}

rc app_base_get(struct app *a, const struct caller *who, struct db *db, uuid id,
                struct arena *out, struct base *b, struct err *e)
{
    struct base_row row;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = base_row_get(who, db, id, out, &row, e)) != RC_OK)
        return code;
    *b = base_of_row(a, &row);
    return RC_OK;
}

rc app_base_list(struct app *a, const struct caller *who, struct db *db,
                 const struct app_page *page, struct arena *out,
                 struct base **v, size_t *n, struct app_page_end *end,
                 struct err *e)
{
    struct page_req p = {.limit = page_limit(page)};
    struct base_row *rows;
    rc code;

    *n = 0;
    *end = (struct app_page_end){0};
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = cursor_parse(a, CURSOR_BASES, who->tenant, UUID_NIL,
                             page->cursor, &p.before, e)) != RC_OK ||
        (code = db_base_list(db, who->tenant, p, out, &rows, n, &end->more,
                             e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct base, *n);
    for (size_t i = 0; i < *n; i++)
        (*v)[i] = base_of_row(a, &rows[i]);
    if (end->more)
        end->next_cursor = cursor_make(a, CURSOR_BASES, who->tenant, UUID_NIL,
                                       rows[*n - 1].id, out);
    return RC_OK;
}

rc app_base_delete(struct app *a, const struct caller *who, struct db *db,
                   uuid id, struct err *e)
{
    struct arena *tmp;
    struct base_row row;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK)
        return code;
    tmp = arena_open();
    code = base_row_get(who, db, id, tmp, &row, e);
    arena_close(tmp);
    if (code != RC_OK ||
        (code = db_base_delete(db, who->tenant, id, e)) != RC_OK ||
        (code = app_event(db, who, id, id, "base.deleted", e)) != RC_OK)
        return code;
    atomic_store(&a->rows_to_purge, true);
    return RC_OK;
}

rc app_base_counts(struct app *a, const struct caller *who, struct db *db,
                   uuid id, struct base_counts *c, struct err *e)
{
    uint64_t by[VERSION_STATE_COUNT];
    struct base_row row;
    struct arena *tmp;
    rc code;

    (void)a;
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK)
        return code;
    tmp = arena_open();
    code = base_row_get(who, db, id, tmp, &row, e);
    arena_close(tmp);
    if (code != RC_OK ||
        (code = db_document_states(db, who->tenant, id, by, e)) != RC_OK)
        return code;
    *c = (struct base_counts){.pending = by[VERSION_PENDING],
                              .processing = by[VERSION_PROCESSING],
                              .active = by[VERSION_ACTIVE],
                              .draft = by[VERSION_DRAFT],
                              .archived = by[VERSION_ARCHIVED],
                              .failed = by[VERSION_FAILED],
                              .quarantined = by[VERSION_QUARANTINED]};
    return RC_OK;
}
