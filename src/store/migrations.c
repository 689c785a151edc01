/* The schema. Drawn for people in docs/formats.md, section "database". A row
 * that has shipped is never edited: a change is a new row. */
#include "store/store_priv.h"

#include "base/arena.h"

/* Times are ms since 1970, ids and hashes raw bytes. Content tables lead with
 * the base, so that they can be sharded by it. WITHOUT ROWID where the key is
 * (base, id): ids ascend, so rows of a base stand together, newest last. */
static const char *const SCHEMA_1[] = {
    "CREATE TABLE meta("
    " key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;",

    "CREATE TABLE tenant("
    " id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",

    "CREATE TABLE api_key("
    " id BLOB PRIMARY KEY, tenant BLOB NOT NULL, name TEXT NOT NULL,"
    " prefix TEXT NOT NULL, hash BLOB NOT NULL UNIQUE,"
    " scopes INTEGER NOT NULL, active INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " last_used_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    "CREATE INDEX api_key_tenant ON api_key(tenant, id);",

    /* Which tenant, kind and base an id of any dialect belongs to. */
    "CREATE TABLE object("
    " id BLOB PRIMARY KEY, tenant BLOB NOT NULL, kind INTEGER NOT NULL,"
    " base BLOB) STRICT, WITHOUT ROWID;",

    "CREATE TABLE base("
    " tenant BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL,"
    " description TEXT, metadata TEXT NOT NULL, active INTEGER NOT NULL,"
    " embedding_model TEXT NOT NULL, embedding_dimensions INTEGER NOT NULL,"
    " chunk_size INTEGER NOT NULL, chunk_overlap INTEGER NOT NULL,"
    " retrieval_top_k INTEGER NOT NULL, sensitivity INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, id)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX base_name ON base(tenant, name, id);",

    /* What changes with nearly every write of a base, apart from it so that
     * the row stays small: documents by state, and two counters. `deleted`
     * hides the base until its rows are purged. */
    "CREATE TABLE base_state("
    " base BLOB PRIMARY KEY, tenant BLOB NOT NULL,"
    " deleted INTEGER NOT NULL DEFAULT 0,"
    " generation INTEGER NOT NULL DEFAULT 0,"
    " segment_next INTEGER NOT NULL DEFAULT 1,"
    " n0 INTEGER NOT NULL DEFAULT 0, n1 INTEGER NOT NULL DEFAULT 0,"
    " n2 INTEGER NOT NULL DEFAULT 0, n3 INTEGER NOT NULL DEFAULT 0,"
    " n4 INTEGER NOT NULL DEFAULT 0, n5 INTEGER NOT NULL DEFAULT 0,"
    " n6 INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;",
    "CREATE INDEX base_state_deleted ON base_state(base) WHERE deleted = 1;",

    "CREATE TABLE document("
    " base BLOB NOT NULL, id BLOB NOT NULL, tenant BLOB NOT NULL,"
    " title TEXT NOT NULL, metadata TEXT NOT NULL, external_id TEXT,"
    " source_type TEXT NOT NULL, active_version BLOB,"
    " state INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",
    "CREATE UNIQUE INDEX document_external ON document(base, external_id)"
    " WHERE external_id IS NOT NULL;",

    "CREATE TABLE version("
    " base BLOB NOT NULL, id BLOB NOT NULL, document BLOB NOT NULL,"
    " tenant BLOB NOT NULL, number INTEGER NOT NULL,"
    " state INTEGER NOT NULL, draft INTEGER NOT NULL,"
    " source_type TEXT, filename TEXT, mime TEXT, metadata TEXT NOT NULL,"
    " original_sha BLOB NOT NULL, original_bytes INTEGER NOT NULL,"
    " text_sha BLOB, text_bytes INTEGER NOT NULL,"
    " blocks_sha BLOB, blocks_bytes INTEGER NOT NULL,"
    " chunk_count INTEGER NOT NULL, token_count INTEGER NOT NULL,"
    " outcome TEXT, note TEXT, error TEXT,"
    " extractor_version INTEGER NOT NULL, chunker_version INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, processed_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",
    "CREATE UNIQUE INDEX version_number ON version(base, document, number);",
    "CREATE INDEX version_content ON version(base, original_sha);",
    "CREATE INDEX version_draft ON version(base, document, number)"
    " WHERE state = 3;",

    "CREATE TABLE job("
    " base BLOB NOT NULL, id BLOB NOT NULL, tenant BLOB NOT NULL,"
    " kind TEXT NOT NULL, title TEXT, error TEXT,"
    " status INTEGER NOT NULL, total INTEGER NOT NULL,"
    " n0 INTEGER NOT NULL DEFAULT 0, n1 INTEGER NOT NULL DEFAULT 0,"
    " n2 INTEGER NOT NULL DEFAULT 0, n3 INTEGER NOT NULL DEFAULT 0,"
    " n4 INTEGER NOT NULL DEFAULT 0, n5 INTEGER NOT NULL DEFAULT 0,"
    " n6 INTEGER NOT NULL DEFAULT 0,"
    " cancel INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL,"
    " completed_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",
    /* Nearly all jobs end completed; the others are what lists ask for. */
    "CREATE INDEX job_open ON job(base, id) WHERE status <> 2;",

    "CREATE TABLE item("
    " base BLOB NOT NULL, job BLOB NOT NULL, idx INTEGER NOT NULL,"
    " tenant BLOB NOT NULL, late INTEGER NOT NULL,"
    " document BLOB, version BLOB,"
    " duplicate_document BLOB, duplicate_version BLOB,"
    " title TEXT, error TEXT, status INTEGER NOT NULL,"
    " stage INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " chunk_count INTEGER NOT NULL, run_at_ms INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, completed_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, job, idx)) STRICT, WITHOUT ROWID;",
    /* The queue: what waits and what is leased, oldest job first. */
    "CREATE INDEX item_queue ON item(status, late, job, idx, run_at_ms, base)"
    " WHERE status < 2;",

    "CREATE TABLE log("
    " base BLOB NOT NULL, job BLOB NOT NULL, id BLOB NOT NULL,"
    " tenant BLOB NOT NULL, document BLOB NOT NULL, task TEXT NOT NULL,"
    " status TEXT NOT NULL, input TEXT, output TEXT, error TEXT,"
    " started_ms INTEGER NOT NULL, completed_ms INTEGER NOT NULL,"
    " duration_us INTEGER NOT NULL,"
    " PRIMARY KEY(base, job, document, id)) STRICT, WITHOUT ROWID;",

    "CREATE TABLE segment("
    " base BLOB NOT NULL, id INTEGER NOT NULL, tenant BLOB NOT NULL,"
    " rows INTEGER NOT NULL, versions INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",

    /* Bodies. `body` NULL: a file. The small ones stand in insertion order,
     * so that the random hashes only scatter over short entries. */
    "CREATE TABLE blob("
    " sha BLOB PRIMARY KEY, bytes INTEGER NOT NULL, uses INTEGER NOT NULL,"
    " body INTEGER) STRICT, WITHOUT ROWID;",
    "CREATE TABLE body("
    " id INTEGER PRIMARY KEY, crc INTEGER NOT NULL,"
    " bytes BLOB NOT NULL) STRICT;",

    "CREATE TABLE event("
    " seq INTEGER PRIMARY KEY, tenant BLOB NOT NULL, base BLOB,"
    " kind TEXT NOT NULL, object BLOB, actor BLOB, detail TEXT,"
    " at_ms INTEGER NOT NULL) STRICT;",
    NULL,
};

/* What a document says of itself and what was left out of its text, beside
 * what schema 1 keeps of an extraction; and since when the text is this one,
 * as an index segment's origin (versions.c). */
static const char *const SCHEMA_2[] = {
    "ALTER TABLE version ADD COLUMN found_title TEXT;",
    "ALTER TABLE version ADD COLUMN language TEXT;",
    "ALTER TABLE version ADD COLUMN doc_created TEXT;",
    "ALTER TABLE version ADD COLUMN doc_modified TEXT;",
    "ALTER TABLE version ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE version ADD COLUMN ocr_confidence INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE version ADD COLUMN flags TEXT;",
    "ALTER TABLE version ADD COLUMN text_since INTEGER NOT NULL DEFAULT 0;",
    NULL,
};

/* Items whose version is found by words and still waits for its vectors; and
 * bases some of whose rows have no keys to their model's vectors. */
static const char *const SCHEMA_3[] = {
    "ALTER TABLE base_state ADD COLUMN keys_due INTEGER NOT NULL DEFAULT 0;",
    "CREATE INDEX base_state_keys_due ON base_state(base) WHERE keys_due = 1;",
    "CREATE INDEX item_refining ON item(base, job, idx) WHERE stage = 4;",
    NULL,
};
static_assert(STAGE_REFINING == 4, "the number in this statement");

/* A tenant's hub and what only it has: short ids, documents from the web,
 * folders, articles. All but short ids lead with the base. */
static const char *const SCHEMA_4[] = {
    "ALTER TABLE object ADD COLUMN code TEXT;",
    "CREATE UNIQUE INDEX object_code ON object(code) WHERE code IS NOT NULL;",
    "ALTER TABLE base ADD COLUMN hub INTEGER NOT NULL DEFAULT 0;",
    "CREATE UNIQUE INDEX base_hub ON base(tenant) WHERE hub = 1;",
    "ALTER TABLE document ADD COLUMN cover TEXT;",
    "ALTER TABLE document ADD COLUMN creator BLOB;",
    "ALTER TABLE version ADD COLUMN said_type TEXT;",
    "ALTER TABLE version ADD COLUMN summary TEXT;",
    "ALTER TABLE version ADD COLUMN canonical TEXT;",
    "ALTER TABLE version ADD COLUMN images INTEGER NOT NULL DEFAULT 0;",

    /* Where a document is fetched from. `key` is the URL's normal form, by
     * which two are one; `answered` the URL behind the redirects; the
     * validators are those of `version`'s body. */
    "CREATE TABLE web("
    " base BLOB NOT NULL, document BLOB NOT NULL, tenant BLOB NOT NULL,"
    " url TEXT NOT NULL, key TEXT NOT NULL, answered TEXT, version BLOB,"
    " etag TEXT, last_modified TEXT, tried_ms INTEGER NOT NULL,"
    " fetched_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, document)) STRICT, WITHOUT ROWID;",
    "CREATE UNIQUE INDEX web_key ON web(base, key);",

    "CREATE TABLE folder("
    " base BLOB NOT NULL, id BLOB NOT NULL, tenant BLOB NOT NULL,"
    " name TEXT NOT NULL, emoji TEXT, parent BLOB,"
    " visibility INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX folder_parent ON folder(base, parent, id);",
    /* What lies in a folder: documents (kind 4) and articles (kind 8). */
    "CREATE TABLE folder_item("
    " base BLOB NOT NULL, folder BLOB NOT NULL, item BLOB NOT NULL,"
    " kind INTEGER NOT NULL,"
    " PRIMARY KEY(base, folder, item)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX folder_item_item ON folder_item(base, item);",
    "CREATE INDEX folder_item_article ON folder_item(base, folder, item)"
    " WHERE kind = 8;",

    /* What is written, apart from the rows that name it, so that a list reads
     * past none of it. */
    "CREATE TABLE article_text("
    " id INTEGER PRIMARY KEY, base BLOB NOT NULL, text TEXT NOT NULL) STRICT;",
    "CREATE INDEX article_text_base ON article_text(base);",
    /* `version` is the published one's number, `document` the one it is
     * searched by; a draft is what was written since. Contents are ids of
     * article_text. */
    "CREATE TABLE article("
    " base BLOB NOT NULL, id BLOB NOT NULL, tenant BLOB NOT NULL,"
    " title TEXT NOT NULL, cover TEXT NOT NULL, status INTEGER NOT NULL,"
    " visibility INTEGER NOT NULL, owner BLOB, document BLOB,"
    " version INTEGER NOT NULL, draft_title TEXT, draft_content INTEGER,"
    " published_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, id)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX article_document ON article(base, document)"
    " WHERE document IS NOT NULL;",
    "CREATE TABLE article_version("
    " base BLOB NOT NULL, article BLOB NOT NULL, number INTEGER NOT NULL,"
    " title TEXT NOT NULL, content INTEGER NOT NULL,"
    " change INTEGER NOT NULL,"
    " creator BLOB, created_ms INTEGER NOT NULL,"
    " PRIMARY KEY(base, article, number)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE article_source("
    " base BLOB NOT NULL, article BLOB NOT NULL, document BLOB NOT NULL,"
    " PRIMARY KEY(base, article, document)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX article_source_document ON article_source(base, document);",
    NULL,
};
static_assert(OBJECT_DOCUMENT == 4 && OBJECT_ARTICLE == 8,
              "the kinds of folder_item");

/* Raised by every write that touches a document of the base: what was read of
 * them before is what is there as long as it is the same. */
static const char *const SCHEMA_5[] = {
    "ALTER TABLE base_state ADD COLUMN"
    " document_changes INTEGER NOT NULL DEFAULT 0;",
    NULL,
};

/* How much the vectors count in a base's searches; NULL: as much as the words. */
static const char *const SCHEMA_6[] = {
    "ALTER TABLE base ADD COLUMN alpha REAL;",
    NULL,
};

const struct migration MIGRATIONS[] = {{1, SCHEMA_1}, {2, SCHEMA_2},
                                       {3, SCHEMA_3}, {4, SCHEMA_4},
                                       {5, SCHEMA_5}, {6, SCHEMA_6}};
const size_t MIGRATIONS_N = NELEMS(MIGRATIONS);

int migrations_version(void)
{
    return MIGRATIONS[MIGRATIONS_N - 1].version;
}

rc sql_exec(sqlite3 *conn, const char *sql, struct err *e)
{
    if (sqlite3_exec(conn, sql, NULL, NULL, NULL) == SQLITE_OK)
        return RC_OK;
    return sql_error(conn, sqlite3_extended_errcode(conn), e);
}

rc sql_int(sqlite3 *conn, const char *sql, int *v, struct err *e)
{
    sqlite3_stmt *st = NULL;
    rc code = RC_OK;

    if (sqlite3_prepare_v2(conn, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        *v = sqlite3_column_int(st, 0);
    else
        code = sql_error(conn, sqlite3_extended_errcode(conn), e);
    (void)sqlite3_finalize(st);
    return code;
}

static rc run_one(sqlite3 *conn, const struct migration *m, struct err *e)
{
    char *mark = sqlite3_mprintf("PRAGMA user_version = %d", m->version);
    rc code;

    if (mark == NULL)
        return err_set(e, RC_NOMEM, "database: out of memory");
    code = sql_exec(conn, "BEGIN IMMEDIATE", e);
    for (size_t i = 0; code == RC_OK && m->statements[i] != NULL; i++)
        code = sql_exec(conn, m->statements[i], e);
    if (code == RC_OK)
        code = sql_exec(conn, mark, e);
    if (code == RC_OK)
        code = sql_exec(conn, "COMMIT", e);
    if (code != RC_OK) {
        if (sqlite3_get_autocommit(conn) == 0)
            (void)sqlite3_exec(conn, "ROLLBACK", NULL, NULL, NULL);
        code = err_wrap(e, "migration %d", m->version);
    }
    sqlite3_free(mark);
    return code;
}

rc migrations_run(sqlite3 *conn, const struct migration *v, size_t n,
                  struct err *e)
{
    int version = 0;
    rc code = sql_int(conn, "PRAGMA user_version", &version, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if (v[i].version > version)
            code = run_one(conn, &v[i], e);
    }
    return code;
}
