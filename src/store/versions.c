/* Versions of documents. Each row counts as one use of the bodies it names. */
#include "store/store_priv.h"

#define VERSION_COLUMNS                                                        \
    "id, document, base, tenant, number, state, draft, source_type, filename," \
    " mime, metadata, original_sha, original_bytes, text_sha, text_bytes,"     \
    " blocks_sha, blocks_bytes, chunk_count, token_count, outcome, note,"      \
    " error, extractor_version, chunker_version, created_ms, processed_ms,"    \
    " found_title, language, doc_created, doc_modified, pages,"                \
    " ocr_confidence, flags, text_since, summary, canonical, images,"          \
    " said_type"

static struct blob_ref ref_read(struct q *q)
{
    struct blob_ref ref;

    ref.sha = q_get_sha(q);
    ref.bytes = q_get_uint(q);
    return ref;
}

static void version_read(struct q *q, struct arena *out, struct version_row *v)
{
    v->id = q_get_uuid(q);
    v->document = q_get_uuid(q);
    v->base = q_get_uuid(q);
    v->tenant = q_get_uuid(q);
    v->number = q_get_u32(q);
    v->state = (enum version_state)q_get_u32(q);
    v->draft = q_get_bool(q);
    v->source_type = q_get_text(q, out);
    v->filename = q_get_text(q, out);
    v->mime = q_get_text(q, out);
    v->metadata = q_get_text(q, out);
    v->original = ref_read(q);
    v->has_text = !q_is_null(q);
    v->text = ref_read(q);
    v->blocks = ref_read(q);
    v->chunk_count = q_get_uint(q);
    v->token_count = q_get_uint(q);
    v->outcome = q_get_text(q, out);
    v->note = q_get_text(q, out);
    v->error = q_get_text(q, out);
    v->extractor_version = q_get_u32(q);
    v->chunker_version = q_get_u32(q);
    v->created_ms = q_get_int(q);
    v->processed_ms = q_get_int(q);
    v->found_title = q_get_text(q, out);
    v->language = q_get_text(q, out);
    v->doc_created = q_get_text(q, out);
    v->doc_modified = q_get_text(q, out);
    v->pages = q_get_u32(q);
    v->ocr_confidence = q_get_u32(q);
    v->flags = q_get_text(q, out);
    v->text_since = q_get_uint(q);
    v->summary = q_get_text(q, out);
    v->canonical = q_get_text(q, out);
    v->images = q_get_u32(q);
    v->said_type = q_get_text(q, out);
}

/* What indexing sets, in this order. */
static void bind_results(struct q *q, const struct version_row *v)
{
    q_int(q, v->state);
    q_sha(q, v->has_text ? &v->text.sha : NULL);
    q_uint(q, v->has_text ? v->text.bytes : 0);
    q_sha(q, v->has_text ? &v->blocks.sha : NULL);
    q_uint(q, v->has_text ? v->blocks.bytes : 0);
    q_uint(q, v->chunk_count);
    q_uint(q, v->token_count);
    q_text_or_null(q, v->outcome);
    q_text_or_null(q, v->note);
    q_text_or_null(q, v->error);
    q_int(q, v->extractor_version);
    q_int(q, v->chunker_version);
    q_int(q, v->processed_ms);
    q_text_or_null(q, v->mime);
    q_text_or_null(q, v->found_title);
    q_text_or_null(q, v->language);
    q_text_or_null(q, v->doc_created);
    q_text_or_null(q, v->doc_modified);
    q_int(q, v->pages);
    q_int(q, v->ocr_confidence);
    q_text_or_null(q, v->flags);
    q_uint(q, v->text_since);
    q_text_or_null(q, v->summary);
    q_text_or_null(q, v->canonical);
    q_int(q, v->images);
}

static rc note_state(struct db *db, const struct version_row *v, struct err *e)
{
    return db_change(db,
                     &(struct change){.kind = CHANGE_VERSION,
                                      .base = v->base,
                                      .version = v->id,
                                      .state = v->state},
                     e);
}

static bool is_indexed(enum version_state state)
{
    return state == VERSION_ACTIVE || state == VERSION_DRAFT ||
           state == VERSION_ARCHIVED;
}

static rc insert(struct db *db, const struct version_row *v, struct err *e)
{
    struct q q = q_open(
        db, "INSERT INTO version(base, id, document, tenant, number, draft,"
            " source_type, filename, metadata, original_sha,"
            " original_bytes, created_ms, state, text_sha, text_bytes,"
            " blocks_sha, blocks_bytes, chunk_count, token_count, outcome,"
            " note, error, extractor_version, chunker_version, processed_ms,"
            " mime, found_title, language, doc_created, doc_modified, pages,"
            " ocr_confidence, flags, text_since, summary, canonical, images)"
            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
            " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,"
            " ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37)");
    rc code;

    q_uuid(&q, v->base);
    q_uuid(&q, v->id);
    q_uuid(&q, v->document);
    q_uuid(&q, v->tenant);
    q_int(&q, v->number);
    q_int(&q, v->draft);
    q_text_or_null(&q, v->source_type);
    q_text_or_null(&q, v->filename);
    q_text(&q, v->metadata);
    q_sha(&q, &v->original.sha);
    q_uint(&q, v->original.bytes);
    q_int(&q, v->created_ms);
    bind_results(&q, v);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT, "version %u of that document is there",
                       v->number);
    return code;
}

rc db_version_put(struct db *db, const struct version_row *v, struct err *e)
{
    rc code = insert(db, v, e);

    if (code == RC_OK)
        code = object_put(db, v->id, v->tenant, OBJECT_VERSION, v->base, e);
    if (code == RC_OK)
        code = blob_hold(db, &v->original.sha, e);
    if (code == RC_OK && v->has_text)
        code = blob_hold(db, &v->text.sha, e);
    if (code == RC_OK && v->has_text)
        code = blob_hold(db, &v->blocks.sha, e);
    if (code == RC_OK && is_indexed(v->state))
        code = note_state(db, v, e);
    return code;
}

/* What a version held before it changes or goes. */
static rc held_by(struct db *db, uuid tenant, uuid base, uuid id,
                  struct held *h, struct err *e)
{
    struct q q;

    if (uuid_eq(db->read.version, id)) {
        *h = db->read.version_held;
        return RC_OK;
    }
    q = q_open(db, "SELECT state, original_sha, text_sha IS NOT NULL,"
                   " text_sha, blocks_sha FROM version"
                   " WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q)) {
        h->state = (enum version_state)q_get_u32(&q);
        h->original = q_get_sha(&q);
        h->has_text = q_get_bool(&q);
        h->text = q_get_sha(&q);
        h->blocks = q_get_sha(&q);
    }
    return q_end_one(&q, "version", e);
}

/* From one body to another, either of which may be none. */
static rc swap_use(struct db *db, const sha256 *from, const sha256 *to,
                   struct err *e)
{
    rc code = RC_OK;

    if (from != NULL && to != NULL && sha256_eq(from, to))
        return RC_OK;
    if (to != NULL)
        code = blob_hold(db, to, e);
    if (code == RC_OK && from != NULL)
        code = blob_let_go(db, from, e);
    return code;
}

rc db_version_update(struct db *db, const struct version_row *v, struct err *e)
{
    struct held was = {0};
    struct q q;
    rc code = held_by(db, v->tenant, v->base, v->id, &was, e);

    db->read.version = UUID_NIL;
    if (code != RC_OK)
        return code;
    q = q_open(db, "UPDATE version SET state = ?3, text_sha = ?4,"
                   " text_bytes = ?5, blocks_sha = ?6, blocks_bytes = ?7,"
                   " chunk_count = ?8, token_count = ?9, outcome = ?10,"
                   " note = ?11, error = ?12, extractor_version = ?13,"
                   " chunker_version = ?14, processed_ms = ?15,"
                   " mime = ?16, found_title = ?17, language = ?18,"
                   " doc_created = ?19, doc_modified = ?20, pages = ?21,"
                   " ocr_confidence = ?22, flags = ?23, text_since = ?24,"
                   " summary = ?25, canonical = ?26, images = ?27"
                   " WHERE base = ?1 AND id = ?2");
    q_uuid(&q, v->base);
    q_uuid(&q, v->id);
    bind_results(&q, v);
    code = q_run(&q, NULL, e);
    if (code == RC_OK)
        code = swap_use(db, was.has_text ? &was.text : NULL,
                        v->has_text ? &v->text.sha : NULL, e);
    if (code == RC_OK)
        code = swap_use(db, was.has_text ? &was.blocks : NULL,
                        v->has_text ? &v->blocks.sha : NULL, e);
    if (code == RC_OK && was.state != v->state)
        code = note_state(db, v, e);
    return code;
}

rc db_version_fetched(struct db *db, const struct version_row *v, struct err *e)
{
    struct held was = {0};
    struct q q;
    rc code = held_by(db, v->tenant, v->base, v->id, &was, e);

    db->read.version = UUID_NIL;
    if (code != RC_OK)
        return code;
    if (was.state != VERSION_PENDING)
        return err_set(e, RC_CONFLICT, "the version waits for no body");
    q = q_open(db, "UPDATE version SET original_sha = ?3, original_bytes = ?4,"
                   " filename = ?5, said_type = ?6"
                   " WHERE base = ?1 AND id = ?2");
    q_uuid(&q, v->base);
    q_uuid(&q, v->id);
    q_sha(&q, &v->original.sha);
    q_uint(&q, v->original.bytes);
    q_text_or_null(&q, v->filename);
    q_text_or_null(&q, v->said_type);
    code = q_run(&q, NULL, e);
    return code == RC_OK ? swap_use(db, &was.original, &v->original.sha, e)
                         : code;
}

static rc let_go_of(struct db *db, const struct held *h, struct err *e)
{
    rc code = blob_let_go(db, &h->original, e);

    if (code == RC_OK && h->has_text)
        code = blob_let_go(db, &h->text, e);
    if (code == RC_OK && h->has_text)
        code = blob_let_go(db, &h->blocks, e);
    return code;
}

static rc drop(struct db *db, uuid tenant, uuid base, uuid id, struct err *e)
{
    struct held h = {0};
    struct q q;
    rc code = held_by(db, tenant, base, id, &h, e);

    db->read.version = UUID_NIL;
    if (code == RC_OK)
        code = let_go_of(db, &h, e);
    if (code != RC_OK)
        return code;
    q = q_open(db, "DELETE FROM version WHERE base = ?1 AND id = ?2");
    q_uuid(&q, base);
    q_uuid(&q, id);
    code = q_run(&q, NULL, e);
    if (code != RC_OK)
        return code;
    return object_drop(db, id, e);
}

rc db_version_drop(struct db *db, uuid tenant, uuid base, uuid id,
                   struct err *e)
{
    rc code = drop(db, tenant, base, id, e);

    if (code != RC_OK)
        return code;
    return note_state(
        db,
        &(struct version_row){.base = base, .id = id, .state = VERSION_GONE},
        e);
}

rc versions_of(struct db *db, uuid base, uuid document, struct arena *out,
               uuid **ids, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT id FROM version"
                            " WHERE base = ?1 AND document = ?2");

    q_uuid(&q, base);
    q_uuid(&q, document);
    return q_end_uuids(&q, out, ids, n, e);
}

rc versions_drop(struct db *db, uuid tenant, uuid base, uuid document,
                 struct err *e)
{
    struct arena *tmp = arena_open();
    uuid *ids;
    size_t n;
    rc code = versions_of(db, base, document, tmp, &ids, &n, e);

    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = drop(db, tenant, base, ids[i], e);
    arena_close(tmp);
    return code;
}

/* ---- reading ---- */

static void note_read(struct db *db, const struct version_row *v)
{
    if (!db->writer)
        return;
    db->read.version = v->id;
    db->read.version_held = (struct held){.state = v->state,
                                          .has_text = v->has_text,
                                          .original = v->original.sha,
                                          .text = v->text.sha,
                                          .blocks = v->blocks.sha};
}

rc db_version_get(struct db *db, uuid tenant, uuid base, uuid id,
                  struct arena *out, struct version_row *v, struct err *e)
{
    struct q q = q_open(db, "SELECT " VERSION_COLUMNS " FROM version"
                            " WHERE base = ?1 AND id = ?2 AND tenant = ?3");

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q)) {
        version_read(&q, out, v);
        note_read(db, v);
    }
    return q_end_one(&q, "version", e);
}

rc db_version_by_number(struct db *db, uuid tenant, uuid base, uuid document,
                        uint32_t number, struct arena *out,
                        struct version_row *v, struct err *e)
{
    struct q q = q_open(db, "SELECT " VERSION_COLUMNS " FROM version"
                            " WHERE base = ?1 AND document = ?2"
                            " AND number = ?3 AND tenant = ?4");

    q_uuid(&q, base);
    q_uuid(&q, document);
    q_int(&q, number);
    q_uuid(&q, tenant);
    if (q_row(&q))
        version_read(&q, out, v);
    return q_end_one(&q, "version", e);
}

rc db_version_list(struct db *db, uuid tenant, uuid base, uuid document,
                   struct arena *out, struct version_row **v, size_t *n,
                   struct err *e)
{
    struct q q = q_open(db, "SELECT " VERSION_COLUMNS " FROM version"
                            " WHERE base = ?1 AND document = ?2"
                            " AND tenant = ?3 ORDER BY number DESC");
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    q_uuid(&q, base);
    q_uuid(&q, document);
    q_uuid(&q, tenant);
    while (q_row(&q)) {
        struct version_row row = {0};

        version_read(&q, out, &row);
        ARENA_PUSH(out, *v, *n, cap, row);
    }
    return q_end(&q, e);
}

rc db_version_by_content(struct db *db, uuid tenant, uuid base,
                         const sha256 *sha, struct arena *out,
                         struct version_row *v, struct err *e)
{
    /* States 4 and 5: archived and failed ones may be uploaded again. For the
     * order alone SQLite would walk all versions of the base by id. */
    struct q q = q_open(
        db, "SELECT " VERSION_COLUMNS " FROM version INDEXED BY version_content"
            " WHERE base = ?1 AND original_sha = ?2 AND tenant = ?3"
            " AND state NOT IN (4, 5)"
            " AND coalesce(source_type, '') NOT IN ('url', 'page')"
            " AND EXISTS(SELECT 1 FROM document d"
            "  WHERE d.base = version.base AND d.id = version.document"
            "  AND d.external_id IS NULL) ORDER BY id LIMIT 1");

    q_uuid(&q, base);
    q_sha(&q, sha);
    q_uuid(&q, tenant);
    if (q_row(&q))
        version_read(&q, out, v);
    return q_end_one(&q, "version", e);
}

static rc indexed_take(struct q *q, struct arena *out,
                       struct indexed_version **v, size_t *n, struct err *e)
{
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    while (q_row(q)) {
        struct indexed_version row;

        row.version = q_get_uuid(q);
        row.document = q_get_uuid(q);
        row.number = q_get_u32(q);
        row.state = (enum version_state)q_get_u32(q);
        ARENA_PUSH(out, *v, *n, cap, row);
    }
    return q_end(q, e);
}

rc db_versions_indexed(struct db *db, uuid base, struct arena *out,
                       struct indexed_version **v, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT id, document, number, state FROM version"
                            " WHERE base = ?1 AND state IN (2, 3, 4)");

    q_uuid(&q, base);
    return indexed_take(&q, out, v, n, e);
}

rc db_versions_old(struct db *db, uuid base, uint32_t extractor, uuid after,
                   size_t look, struct arena *out, struct old_version **v,
                   size_t *n, uuid *next, struct err *e)
{
    struct q q = q_open(
        db, "SELECT v.id, v.document, d.title, v.state IN (2, 3, 4, 5)"
            " AND NOT (v.source_type IS 'url' AND v.original_bytes = 0)"
            " AND (?4 = 0 OR v.extractor_version < ?4)"
            " AND (v.state <> 5 OR d.external_id IS NOT NULL"
            "  OR NOT EXISTS(SELECT 1 FROM version w INDEXED BY version_content"
            "   WHERE w.base = v.base AND w.original_sha = v.original_sha"
            "   AND w.id > v.id AND w.state IN (0, 1, 2, 3)))"
            " FROM version v JOIN document d"
            " ON d.base = v.base AND d.id = v.document"
            " WHERE v.base = ?1 AND v.id > coalesce(?2, x'')"
            " ORDER BY v.id LIMIT ?3");
    size_t cap = 0, looked = 0;
    struct old_version one;

    *v = NULL;
    *n = 0;
    *next = UUID_NIL;
    q_uuid(&q, base);
    q_uuid(&q, after);
    q_uint(&q, look);
    q_int(&q, extractor);
    while (q_row(&q)) {
        one.version = q_get_uuid(&q);
        one.document = q_get_uuid(&q);
        one.title = q_get_text(&q, out);
        if (q_get_bool(&q))
            ARENA_PUSH(out, *v, *n, cap, one);
        if (++looked == look)
            *next = one.version;
    }
    return q_end(&q, e);
}

rc db_versions_draft(struct db *db, uuid tenant, uuid base, struct arena *out,
                     struct indexed_version **v, size_t *n, struct err *e)
{
    /* The other columns are of the row that has the max: SQLite's promise for
     * a lone max(). */
    struct q q = q_open(db, "SELECT id, document, max(number), state"
                            " FROM version WHERE base = ?1 AND tenant = ?2"
                            " AND state = 3 GROUP BY document");

    q_uuid(&q, base);
    q_uuid(&q, tenant);
    return indexed_take(&q, out, v, n, e);
}

static_assert(VERSION_ACTIVE == 2 && VERSION_DRAFT == 3 &&
                  VERSION_ARCHIVED == 4 && VERSION_FAILED == 5,
              "the numbers in the statements above");
