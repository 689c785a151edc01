/* Knowledge bases, what hangs on one as a whole, and how one goes. */
#include "store/store_priv.h"

#include "base/clock.h"

const char *const VERSION_STATE_NAMES[VERSION_STATE_COUNT] = {
    [VERSION_PENDING] = "pending",         [VERSION_PROCESSING] = "processing",
    [VERSION_ACTIVE] = "active",           [VERSION_DRAFT] = "draft",
    [VERSION_ARCHIVED] = "archived",       [VERSION_FAILED] = "failed",
    [VERSION_QUARANTINED] = "quarantined",
};

#define BASE_SELECT                                                      \
    "SELECT b.id, b.tenant, name, description, metadata, active,"        \
    " embedding_model, embedding_dimensions, chunk_size, chunk_overlap," \
    " retrieval_top_k, sensitivity, created_ms, updated_ms,"             \
    " n0 + n1 + n2 + n3 + n4 + n5 + n6, generation, hub, alpha"          \
    " FROM base b JOIN base_state s ON s.base = b.id AND s.deleted = 0"

static void base_read(struct q *q, struct arena *out, struct base_row *b)
{
    b->id = q_get_uuid(q);
    b->tenant = q_get_uuid(q);
    b->name = q_get_text(q, out);
    b->description = q_get_text(q, out);
    b->metadata = q_get_text(q, out);
    b->active = q_get_bool(q);
    b->embedding_model = q_get_text(q, out);
    b->embedding_dimensions = q_get_u32(q);
    b->chunk_size = q_get_u32(q);
    b->chunk_overlap = q_get_u32(q);
    b->retrieval_top_k = q_get_u32(q);
    b->sensitivity = (int)q_get_int(q);
    b->created_ms = q_get_int(q);
    b->updated_ms = q_get_int(q);
    b->document_count = q_get_uint(q);
    b->generation = q_get_uint(q);
    b->hub = q_get_bool(q);
    b->has_alpha = !q_is_null(q);
    b->alpha = q_get_real(q);
}

/* The columns that a caller sets, in this order. */
static void bind_settings(struct q *q, const struct base_row *b)
{
    q_text(q, b->name);
    q_text_or_null(q, b->description);
    q_text(q, b->metadata);
    q_int(q, b->active);
    q_text(q, b->embedding_model);
    q_int(q, b->embedding_dimensions);
    q_int(q, b->chunk_size);
    q_int(q, b->chunk_overlap);
    q_int(q, b->retrieval_top_k);
    q_int(q, b->sensitivity);
    q_int(q, b->updated_ms);
    q_real_or_null(q, b->has_alpha ? &b->alpha : NULL);
}

rc db_base_put(struct db *db, const struct base_row *b, struct err *e)
{
    struct q q = q_open(
        db, "INSERT INTO base(tenant, id, created_ms, name, description,"
            " metadata, active, embedding_model, embedding_dimensions,"
            " chunk_size, chunk_overlap, retrieval_top_k, sensitivity,"
            " updated_ms, alpha, hub) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
            " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");
    rc code;

    q_uuid(&q, b->tenant);
    q_uuid(&q, b->id);
    q_int(&q, b->created_ms);
    bind_settings(&q, b);
    q_int(&q, b->hub);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT, "the organization has a hub already");
    if (code != RC_OK)
        return code;
    q = q_open(db, "INSERT INTO base_state(base, tenant) VALUES(?1, ?2)");
    q_uuid(&q, b->id);
    q_uuid(&q, b->tenant);
    code = q_run(&q, NULL, e);
    if (code != RC_OK)
        return code;
    return object_put(db, b->id, b->tenant, OBJECT_BASE, b->id, e);
}

rc db_base_update(struct db *db, const struct base_row *b, struct err *e)
{
    struct q q = q_open(
        db, "UPDATE base SET name = ?3, description = ?4, metadata = ?5,"
            " active = ?6, embedding_model = ?7, embedding_dimensions = ?8,"
            " chunk_size = ?9, chunk_overlap = ?10, retrieval_top_k = ?11,"
            " sensitivity = ?12, updated_ms = ?13, alpha = ?14"
            " WHERE tenant = ?1 AND id = ?2 AND EXISTS(SELECT 1"
            "  FROM base_state WHERE base = ?2 AND deleted = 0)");
    uint64_t changed;
    rc code;

    q_uuid(&q, b->tenant);
    q_uuid(&q, b->id);
    bind_settings(&q, b);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed == 0)
        return err_set(e, RC_NOTFOUND, "no such knowledge base");
    return code;
}

rc db_base_get(struct db *db, uuid tenant, uuid id, struct arena *out,
               struct base_row *b, struct err *e)
{
    struct q q;
    rc code = tallies_write(db, e);

    if (code != RC_OK)
        return code;
    q = q_open(db, BASE_SELECT " WHERE b.tenant = ?1 AND b.id = ?2");
    q_uuid(&q, tenant);
    q_uuid(&q, id);
    if (q_row(&q))
        base_read(&q, out, b);
    return q_end_one(&q, "knowledge base", e);
}

rc db_base_hub(struct db *db, uuid tenant, uuid *base, struct err *e)
{
    struct q q = q_open(db, "SELECT id FROM base WHERE tenant = ?1"
                            " AND hub = 1");

    q_uuid(&q, tenant);
    if (q_row(&q))
        *base = q_get_uuid(&q);
    return q_end_one(&q, "hub", e);
}

rc db_base_list(struct db *db, uuid tenant, struct page_req p,
                struct arena *out, struct base_row **v, size_t *n, bool *more,
                struct err *e)
{
    struct q q;
    size_t cap = 0;
    rc code = tallies_write(db, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    q = q_open(db, BASE_SELECT " WHERE b.tenant = ?1 AND b.id < ?2"
                               " ORDER BY b.id DESC LIMIT ?3");
    q_uuid(&q, tenant);
    q_before(&q, p.before);
    q_uint(&q, p.limit + 1);
    while (q_row(&q)) {
        struct base_row b = {0};

        base_read(&q, out, &b);
        ARENA_PUSH(out, *v, *n, cap, b);
    }
    page_cut(n, p.limit, more);
    return q_end(&q, e);
}

rc db_base_count_model(struct db *db, uuid tenant, str model, uint64_t *n,
                       struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM base b JOIN base_state s"
                            " ON s.base = b.id AND s.deleted = 0"
                            " WHERE b.tenant = ?1 AND embedding_model = ?2");

    q_uuid(&q, tenant);
    q_text(&q, model);
    *n = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

rc db_base_keys_due(struct db *db, uuid base, bool due, struct err *e)
{
    struct q q = q_open(db, "UPDATE base_state SET keys_due = ?2"
                            " WHERE base = ?1 AND keys_due <> ?2");

    q_uuid(&q, base);
    q_int(&q, due);
    return q_run(&q, NULL, e);
}

rc db_model_keys_due(struct db *db, str model, uint32_t dims, int64_t now_ms,
                     struct arena *out, uuid **v, size_t *n, struct err *e)
{
    struct q q =
        q_open(db, "UPDATE base_state SET keys_due = 1 WHERE base IN"
                   " (SELECT id FROM base WHERE embedding_model = ?1)");
    rc code;

    *v = NULL;
    *n = 0;
    q_text(&q, model);
    code = q_run(&q, NULL, e);
    if (code != RC_OK)
        return code;
    q = q_open(db, "UPDATE base SET embedding_dimensions = ?2, updated_ms = ?3"
                   " WHERE embedding_model = ?1 AND embedding_dimensions <> ?2"
                   " AND EXISTS(SELECT 1 FROM base_state"
                   "  WHERE base = base.id AND deleted = 0) RETURNING id");
    q_text(&q, model);
    q_int(&q, dims);
    q_int(&q, now_ms);
    return q_end_uuids(&q, out, v, n, e);
}

rc db_bases_keys_due(struct db *db, struct arena *out, uuid **v, size_t *n,
                     struct err *e)
{
    struct q q = q_open(db, "SELECT base FROM base_state"
                            " INDEXED BY base_state_keys_due"
                            " WHERE keys_due = 1 AND deleted = 0");

    return q_end_uuids(&q, out, v, n, e);
}

rc db_base_ids(struct db *db, struct arena *out, uuid **v, size_t *n,
               struct err *e)
{
    struct q q = q_open(db, "SELECT base FROM base_state WHERE deleted = 0");

    return q_end_uuids(&q, out, v, n, e);
}

rc db_base_tenant(struct db *db, uuid base, uuid *tenant, struct err *e)
{
    struct q q = q_open(db, "SELECT tenant FROM base_state"
                            " WHERE base = ?1 AND deleted = 0");

    q_uuid(&q, base);
    if (q_row(&q))
        *tenant = q_get_uuid(&q);
    return q_end_one(&q, "knowledge base", e);
}

/* ---- counters ---- */

rc base_tally_write(struct db *db, const struct tally *t, struct err *e)
{
    struct q q =
        q_open(db, "UPDATE base_state SET n0 = n0 + ?2, n1 = n1 + ?3,"
                   " n2 = n2 + ?4, n3 = n3 + ?5, n4 = n4 + ?6, n5 = n5 + ?7,"
                   " n6 = n6 + ?8, document_changes = document_changes + 1"
                   " WHERE base = ?1");
    uint64_t changed;
    rc code;

    q_uuid(&q, t->base);
    for (size_t i = 0; i < TALLY_COUNTS; i++)
        q_int(&q, t->deltas[i]);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed == 0)
        return err_set(e, RC_NOTFOUND, "no such knowledge base");
    return code;
}

rc db_document_states(struct db *db, uuid tenant, uuid base,
                      uint64_t counts[VERSION_STATE_COUNT], struct err *e)
{
    struct q q;
    rc code = tallies_write(db, e);

    if (code != RC_OK)
        return code;
    q = q_open(db, "SELECT n0, n1, n2, n3, n4, n5, n6 FROM base_state"
                   " WHERE base = ?1 AND tenant = ?2 AND deleted = 0");
    q_uuid(&q, base);
    q_uuid(&q, tenant);
    if (q_row(&q)) {
        for (size_t i = 0; i < VERSION_STATE_COUNT; i++)
            counts[i] = q_get_uint(&q);
    }
    return q_end_one(&q, "knowledge base", e);
}

/* ---- deleting ---- */

rc db_base_delete(struct db *db, uuid tenant, uuid id, struct err *e)
{
    struct q q = q_open(db, "UPDATE base_state SET deleted = 1"
                            " WHERE base = ?1 AND tenant = ?2 AND deleted = 0");
    uint64_t changed;
    rc code;

    q_uuid(&q, id);
    q_uuid(&q, tenant);
    code = q_run(&q, &changed, e);
    if (code != RC_OK)
        return code;
    if (changed == 0)
        return err_set(e, RC_NOTFOUND, "no such knowledge base");
    /* The organization may have another one at once. */
    q = q_open(db, "UPDATE base SET hub = 0 WHERE tenant = ?1 AND id = ?2"
                   " AND hub = 1");
    q_uuid(&q, tenant);
    q_uuid(&q, id);
    if ((code = q_run(&q, NULL, e)) != RC_OK)
        return code;
    return db_change(db,
                     &(struct change){.kind = CHANGE_BASE_GONE,
                                      .base = id,
                                      .state = VERSION_GONE},
                     e);
}

/* What a purge removes first: up to ?2 rows of the base ?1 a step. */
static const char *const PURGE_ROWS[] = {
    "DELETE FROM item WHERE (base, job, idx) IN"
    " (SELECT base, job, idx FROM item WHERE base = ?1 LIMIT ?2)",
    "DELETE FROM log WHERE (base, job, id) IN"
    " (SELECT base, job, id FROM log WHERE base = ?1 LIMIT ?2)",
    "DELETE FROM segment WHERE (base, id) IN"
    " (SELECT base, id FROM segment WHERE base = ?1 LIMIT ?2)",
    "DELETE FROM web WHERE base = ?1 AND document IN"
    " (SELECT document FROM web WHERE base = ?1 LIMIT ?2)",
    "DELETE FROM folder_item WHERE (base, folder, item) IN"
    " (SELECT base, folder, item FROM folder_item WHERE base = ?1 LIMIT ?2)",
    "DELETE FROM article_version WHERE (base, article, number) IN"
    " (SELECT base, article, number FROM article_version WHERE base = ?1"
    "  LIMIT ?2)",
    /* A text has megabytes. */
    "DELETE FROM article_text WHERE id IN"
    " (SELECT id FROM article_text WHERE base = ?1 LIMIT (?2 + 49) / 50)",
    "DELETE FROM article_source WHERE (base, article, document) IN"
    " (SELECT base, article, document FROM article_source WHERE base = ?1"
    "  LIMIT ?2)",
};
/* Rows with an object, which goes before the row by which it is found. */
#define PURGE_OBJECTS_OF(table)                                             \
    {                                                                       \
        "DELETE FROM object WHERE id IN"                                    \
        " (SELECT id FROM " table " WHERE base = ?1 ORDER BY id LIMIT ?2)", \
            "DELETE FROM " table " WHERE base = ?1 AND id IN"               \
            " (SELECT id FROM " table " WHERE base = ?1"                    \
            "  ORDER BY id LIMIT ?2)"                                       \
    }
static const char *const PURGE_OBJECTS[][2] = {
    PURGE_OBJECTS_OF("job"),
    PURGE_OBJECTS_OF("folder"),
    PURGE_OBJECTS_OF("article"),
};

static rc purge_by(struct db *db, const char *sql, uuid base, size_t rows,
                   uint64_t *done, struct err *e)
{
    struct q q = q_open(db, sql);

    q_uuid(&q, base);
    q_uint(&q, rows);
    return q_run(&q, done, e);
}

/* The first kind of row of which there are some. */
static rc purge_rows(struct db *db, uuid base, size_t rows, uint64_t *done,
                     struct err *e)
{
    rc code = RC_OK;

    *done = 0;
    for (size_t i = 0; code == RC_OK && *done == 0 && i < NELEMS(PURGE_ROWS);
         i++)
        code = purge_by(db, PURGE_ROWS[i], base, rows, done, e);
    return code;
}

static rc purge_objects(struct db *db, uuid base, size_t rows, uint64_t *done,
                        struct err *e)
{
    rc code = RC_OK;

    *done = 0;
    for (size_t i = 0; code == RC_OK && *done == 0 && i < NELEMS(PURGE_OBJECTS);
         i++) {
        code = purge_by(db, PURGE_OBJECTS[i][0], base, rows, done, e);
        if (code == RC_OK)
            code = purge_by(db, PURGE_OBJECTS[i][1], base, rows, done, e);
    }
    return code;
}

/* Versions go with their documents, which release the bodies. */
static rc purge_documents(struct db *db, uuid base, size_t rows, uint64_t *done,
                          struct err *e)
{
    struct arena *tmp = arena_open();
    uuid *ids = NULL, *tenants = NULL;
    size_t n = 0, n_tenants = 0, cap = 0, cap_tenants = 0;
    struct q q = q_open(db, "SELECT id, tenant FROM document WHERE base = ?1"
                            " ORDER BY id LIMIT ?2");
    rc code;

    q_uuid(&q, base);
    q_uint(&q, rows);
    while (q_row(&q)) {
        uuid id = q_get_uuid(&q), tenant = q_get_uuid(&q);

        ARENA_PUSH(tmp, ids, n, cap, id);
        ARENA_PUSH(tmp, tenants, n_tenants, cap_tenants, tenant);
    }
    code = q_end(&q, e);
    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = document_drop(db, tenants[i], base, ids[i], e);
    *done = n;
    arena_close(tmp);
    return code;
}

/* Last, when nothing else of it is left. */
static rc purge_base(struct db *db, uuid base, size_t rows, uint64_t *done,
                     struct err *e)
{
    struct q q = q_open(db, "DELETE FROM base WHERE id = ?1 AND tenant ="
                            " (SELECT tenant FROM base_state WHERE base = ?1)");
    rc code;

    (void)rows;
    q_uuid(&q, base);
    code = q_run(&q, NULL, e);
    if (code != RC_OK)
        return code;
    q = q_open(db, "DELETE FROM base_state WHERE base = ?1");
    q_uuid(&q, base);
    code = q_run(&q, done, e);
    if (code != RC_OK)
        return code;
    return object_drop(db, base, e);
}

/* Each removes up to `rows` rows, *done says how many. */
typedef rc purge_step(struct db *db, uuid base, size_t rows, uint64_t *done,
                      struct err *e);
static purge_step *const PURGE_STEPS[] = {purge_rows, purge_objects,
                                          purge_documents, purge_base};

rc db_purge_slice(struct db *db, size_t rows, bool *more, struct err *e)
{
    struct q q = q_open(db, "SELECT base FROM base_state WHERE deleted = 1"
                            " LIMIT 1");
    uuid base = UUID_NIL;
    rc code;

    *more = q_row(&q);
    if (*more)
        base = q_get_uuid(&q);
    code = q_end(&q, e);
    for (size_t i = 0; *more && code == RC_OK && i < NELEMS(PURGE_STEPS); i++) {
        uint64_t done = 0;

        code = PURGE_STEPS[i](db, base, rows, &done, e);
        if (done > 0)
            break;
    }
    return code;
}

/* ---- segments ---- */

rc db_segment_put(struct db *db, const struct segment_row *s, struct err *e)
{
    struct q q =
        q_open(db, "INSERT INTO segment(base, id, rows, versions, bytes,"
                   " created_ms, tenant) SELECT ?1, ?2, ?3, ?4, ?5, ?6, tenant"
                   " FROM base_state WHERE base = ?1 AND deleted = 0");
    uint64_t changed;
    rc code;

    q_uuid(&q, s->base);
    q_uint(&q, s->id);
    q_uint(&q, s->rows);
    q_uint(&q, s->versions);
    q_uint(&q, s->bytes);
    q_int(&q, s->created_ms);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed == 0)
        return err_set(e, RC_NOTFOUND, "no such knowledge base");
    return code;
}

rc db_segment_drop(struct db *db, uuid base, uint64_t id, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM segment WHERE base = ?1 AND id = ?2");

    q_uuid(&q, base);
    q_uint(&q, id);
    return q_run(&q, NULL, e);
}

rc db_segment_list(struct db *db, uuid base, struct arena *out,
                   struct segment_row **v, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT id, rows, versions, bytes, created_ms"
                            " FROM segment WHERE base = ?1 ORDER BY id");
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    q_uuid(&q, base);
    while (q_row(&q)) {
        struct segment_row s = {.base = base};

        s.id = q_get_uint(&q);
        s.rows = q_get_uint(&q);
        s.versions = q_get_uint(&q);
        s.bytes = q_get_uint(&q);
        s.created_ms = q_get_int(&q);
        ARENA_PUSH(out, *v, *n, cap, s);
    }
    return q_end(&q, e);
}

rc db_segment_next(struct db *db, uuid base, uint64_t *id, struct err *e)
{
    struct q q = q_open(db, "UPDATE base_state SET segment_next ="
                            " segment_next + 1 WHERE base = ?1 AND deleted = 0"
                            " RETURNING segment_next - 1");

    q_uuid(&q, base);
    while (q_row(&q))
        *id = q_get_uint(&q);
    return q_end_one(&q, "knowledge base", e);
}
