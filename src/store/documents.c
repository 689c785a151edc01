/* Documents: rows, and with each the version that governs it. */
#include "store/store_priv.h"

#define DOCUMENT_SELECT                                    \
    "SELECT " DOCUMENT_COLUMNS ", " DOCUMENT_VERSION_COUNT \
    "," DOCUMENT_GOVERNING_COLUMNS " FROM document d " DOCUMENT_GOVERNING

static void row_read(struct q *q, struct arena *out, struct document_row *d)
{
    d->id = q_get_uuid(q);
    d->base = q_get_uuid(q);
    d->tenant = q_get_uuid(q);
    d->title = q_get_text(q, out);
    d->metadata = q_get_text(q, out);
    d->external_id = q_get_text(q, out);
    d->source_type = q_get_text(q, out);
    d->active_version = q_get_uuid(q);
    d->state = (enum version_state)q_get_u32(q);
    d->created_ms = q_get_int(q);
    d->updated_ms = q_get_int(q);
    d->cover = q_get_text(q, out);
    d->creator = q_get_uuid(q);
}

void document_read(struct q *q, struct arena *out, struct document_row *d)
{
    row_read(q, out, d);
    d->version_count = q_get_uint(q);
    d->version = q_get_uuid(q);
    d->version_number = q_get_u32(q);
    d->chunk_count = q_get_uint(q);
    d->token_count = q_get_uint(q);
    d->original_sha = q_get_sha(q);
    d->has_text = !q_is_null(q);
    d->text_sha = q_get_sha(q);
}

rc db_document_put(struct db *db, const struct document_row *d, struct err *e)
{
    struct q q =
        q_open(db, "INSERT INTO document(base, id, tenant, title, metadata,"
                   " external_id, source_type, active_version, state,"
                   " created_ms, updated_ms, cover, creator) VALUES(?1, ?2,"
                   " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
    rc code;

    q_uuid(&q, d->base);
    q_uuid(&q, d->id);
    q_uuid(&q, d->tenant);
    q_text(&q, d->title);
    q_text(&q, d->metadata);
    q_text_or_null(&q, d->external_id);
    q_text(&q, d->source_type);
    q_uuid(&q, d->active_version);
    q_int(&q, d->state);
    q_int(&q, d->created_ms);
    q_int(&q, d->updated_ms);
    q_text_or_null(&q, d->cover);
    q_uuid(&q, d->creator);
    code = q_run(&q, NULL, e);
    if (code == RC_CONFLICT)
        return err_set(e, RC_CONFLICT,
                       "a document with that external_id is there");
    if (code == RC_OK)
        code = object_put(db, d->id, d->tenant, OBJECT_DOCUMENT, d->base, e);
    if (code == RC_OK)
        tally_move(db, d->base, UUID_NIL, VERSION_GONE, d->state);
    return code;
}

static rc state_of(struct db *db, uuid tenant, uuid base, uuid id,
                   enum version_state *state, struct err *e)
{
    struct q q;

    if (uuid_eq(db->read.document, id)) {
        *state = db->read.document_state;
        return RC_OK;
    }
    q = q_open(db, "SELECT state FROM document"
                   " WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q))
        *state = (enum version_state)q_get_u32(&q);
    return q_end_one(&q, "document", e);
}

rc db_document_update(struct db *db, const struct document_row *d,
                      struct err *e)
{
    enum version_state was = VERSION_GONE;
    struct q q;
    rc code = state_of(db, d->tenant, d->base, d->id, &was, e);

    db->read.document = UUID_NIL;
    if (code != RC_OK)
        return code;
    q = q_open(db, "UPDATE document SET title = ?3, metadata = ?4, state = ?5,"
                   " active_version = ?6, updated_ms = ?7, cover = ?8"
                   " WHERE base = ?1 AND id = ?2");
    q_uuid(&q, d->base);
    q_uuid(&q, d->id);
    q_text(&q, d->title);
    q_text(&q, d->metadata);
    q_int(&q, d->state);
    q_uuid(&q, d->active_version);
    q_int(&q, d->updated_ms);
    q_text_or_null(&q, d->cover);
    code = q_run(&q, NULL, e);
    if (code == RC_OK)
        tally_move(db, d->base, UUID_NIL, was, d->state);
    return code;
}

static void note_read(struct db *db, const struct document_row *d)
{
    if (!db->writer)
        return;
    db->read.document = d->id;
    db->read.document_state = d->state;
}

rc db_document_row(struct db *db, uuid tenant, uuid base, uuid id,
                   struct arena *out, struct document_row *d, struct err *e)
{
    struct q q = q_open(db, "SELECT " DOCUMENT_COLUMNS " FROM document d"
                            " WHERE d.base = ?1 AND d.id = ?2"
                            " AND d.tenant = ?3");

    *d = (struct document_row){0};
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q)) {
        row_read(&q, out, d);
        note_read(db, d);
    }
    return q_end_one(&q, "document", e);
}

rc db_document_governed(struct db *db, const struct document_row *d,
                        uuid version, bool *yes, struct err *e)
{
    struct q q;

    *yes = uuid_eq(d->active_version, version);
    if (!uuid_is_nil(d->active_version))
        return RC_OK;
    q = q_open(db, "SELECT id FROM version WHERE base = ?1 AND document = ?2"
                   " ORDER BY number DESC LIMIT 1");
    q_uuid(&q, d->base);
    q_uuid(&q, d->id);
    if (q_row(&q))
        *yes = uuid_eq(q_get_uuid(&q), version);
    return q_end(&q, e);
}

rc db_document_get(struct db *db, uuid tenant, uuid base, uuid id,
                   struct arena *out, struct document_row *d, struct err *e)
{
    struct q q = q_open(db, DOCUMENT_SELECT " WHERE d.base = ?1 AND d.id = ?2"
                                            " AND d.tenant = ?3");

    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q)) {
        document_read(&q, out, d);
        note_read(db, d);
    }
    return q_end_one(&q, "document", e);
}

rc db_document_by_external_id(struct db *db, uuid tenant, uuid base, str ext,
                              struct arena *out, struct document_row *d,
                              struct err *e)
{
    struct q q = q_open(db, DOCUMENT_SELECT " WHERE d.base = ?1"
                                            " AND d.external_id = ?2"
                                            " AND d.tenant = ?3");

    q_uuid(&q, base);
    q_text(&q, ext);
    q_uuid(&q, tenant);
    if (q_row(&q))
        document_read(&q, out, d);
    return q_end_one(&q, "document", e);
}

rc db_document_list(struct db *db, uuid tenant, uuid base, struct page_req p,
                    struct arena *out, struct document_row **v, size_t *n,
                    bool *more, struct err *e)
{
    struct q q = q_open(db, DOCUMENT_SELECT " WHERE d.base = ?1 AND d.id < ?2"
                                            " AND d.tenant = ?3"
                                            " ORDER BY d.id DESC LIMIT ?4");
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    q_uuid(&q, base);
    q_before(&q, p.before);
    q_uuid(&q, tenant);
    q_uint(&q, p.limit + 1);
    while (q_row(&q)) {
        struct document_row d = {0};

        document_read(&q, out, &d);
        ARENA_PUSH(out, *v, *n, cap, d);
    }
    page_cut(n, p.limit, more);
    return q_end(&q, e);
}

/* Rows of other tables that are about the document. */
static rc mentions_drop(struct db *db, uuid base, uuid id, struct err *e)
{
    struct q q =
        q_open(db, "DELETE FROM web WHERE base = ?1 AND document = ?2");
    rc code;

    q_uuid(&q, base);
    q_uuid(&q, id);
    code = q_run(&q, NULL, e);
    if (code == RC_OK)
        code = folders_forget(db, base, id, e);
    return code == RC_OK ? articles_forget(db, base, id, e) : code;
}

rc document_drop(struct db *db, uuid tenant, uuid base, uuid id, struct err *e)
{
    struct q q;
    rc code = versions_drop(db, tenant, base, id, e);

    db->read.document = UUID_NIL;
    if (code != RC_OK)
        return code;
    q = q_open(db, "DELETE FROM document"
                   " WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    code = q_run(&q, NULL, e);
    if (code == RC_OK)
        code = mentions_drop(db, base, id, e);
    return code == RC_OK ? object_drop(db, id, e) : code;
}

/* The index forgets every version of the document. */
static rc note_gone(struct db *db, uuid base, uuid document, struct err *e)
{
    struct arena *tmp = arena_open();
    uuid *ids;
    size_t n;
    rc code = versions_of(db, base, document, tmp, &ids, &n, e);

    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = db_change(db,
                         &(struct change){.kind = CHANGE_VERSION,
                                          .base = base,
                                          .version = ids[i],
                                          .state = VERSION_GONE},
                         e);
    arena_close(tmp);
    return code;
}

rc db_document_delete(struct db *db, uuid tenant, uuid base, uuid id,
                      struct err *e)
{
    enum version_state was = VERSION_GONE;
    rc code = state_of(db, tenant, base, id, &was, e);

    if (code == RC_OK)
        code = note_gone(db, base, id, e);
    if (code == RC_OK)
        code = document_drop(db, tenant, base, id, e);
    if (code == RC_OK)
        tally_move(db, base, UUID_NIL, was, VERSION_GONE);
    return code;
}

rc db_hit(struct db *db, uuid base, uuid version, struct arena *out,
          struct hit_row *h, struct err *e)
{
    struct q q =
        q_open(db, "SELECT d.id, d.base, v.number, d.title, d.source_type,"
                   " d.external_id, v.text_sha, v.text_since, b.sensitivity"
                   " FROM version v"
                   " JOIN document d ON d.base = v.base AND d.id = v.document"
                   " JOIN base b ON b.tenant = v.tenant AND b.id = v.base"
                   " WHERE v.base = ?1 AND v.id = ?2");

    q_uuid(&q, base);
    q_uuid(&q, version);
    if (q_row(&q)) {
        h->document = q_get_uuid(&q);
        h->base = q_get_uuid(&q);
        h->number = q_get_u32(&q);
        h->title = q_get_text(&q, out);
        h->source_type = q_get_text(&q, out);
        h->external_id = q_get_text(&q, out);
        h->text_sha = q_get_sha(&q);
        h->text_since = q_get_uint(&q);
        h->sensitivity = (int)q_get_int(&q);
    }
    return q_end_one(&q, "version", e);
}
