/*
 * store: everything acknowledged, in SQLite (DATA/knowd.db) and blob files.
 *
 * One writer thread owns the only write connection and every checkpoint. A
 * write is a value (struct write) whose `run` is called on the writer thread
 * inside a transaction; writes that are waiting are committed together, one
 * that fails does not hurt its group. After the COMMIT (synchronous=FULL) the
 * observer is told what changed, then each write's `done` is called.
 * Readers take a session of a pool and see one consistent snapshot.
 *
 * Every row carries its tenant; content tables lead with the base. All SQL of
 * the program is in this folder.
 *
 * Owns:    rows come back in the arena the caller passes.
 * Errors:  RC_NOTFOUND  no such row for this tenant
 *          RC_CONFLICT  a uniqueness rule
 *          RC_NOSPACE   disk full; reads and deletes go on
 *          RC_BUSY      the write queue is full, or an fsync has failed: then
 *                       nothing is acknowledged until a restart
 *          RC_CORRUPT   the file is damaged
 * Threads: store from any; a session (struct db) belongs to one at a time.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/uuid.h"

struct store;
struct db; /* a session: a read snapshot, or the writer inside a write */

struct store_opts {
    const char *dir;  /* made if missing; 0700 */
    size_t group_max; /* writes a commit; 0: 256; 1: groups of one (bench)*/
    size_t readers;   /* read connections; 0: 8 */
    bool read_only;   /* `knowd check`: opens beside a running server */
};

/* Refuses, with nothing changed: a folder that isn't ours and isn't empty
 * (RC_UNSUPPORTED), a newer schema (RC_UNSUPPORTED), one in use by another
 * server (RC_BUSY). Otherwise runs the migrations that are missing, after a
 * copy of the database as it was (docs/formats.md, "Data folder"). */
rc store_open(const struct store_opts *o, struct store **s,
              struct err *e) MUST_CHECK;
/* Finishes what was submitted, checkpoints, lets go of the lock. */
void store_close(struct store *s);
const char *store_dir(const struct store *s);
/* Once a day: removes copies of former databases that are two weeks old. */
rc store_tidy(struct store *s, struct err *e) MUST_CHECK;
/* 32 bytes made with the folder: signs cursors and download links. */
str store_secret(const struct store *s);

/* ---- sessions ----
 * Until it ends or is renewed a session may hold the files of the four bodies
 * that it read last, and so their space, though they be deleted. */

rc store_read_begin(struct store *s, struct db **db, struct err *e) MUST_CHECK;
void store_read_end(struct db *db);
/* Goes on with a snapshot that begins now. */
rc store_read_renew(struct db *db, struct err *e) MUST_CHECK;

struct write {
    /* On the writer thread; what it returns is this write's outcome, and any
     * error undoes what it did. It may run again from the start when the
     * group has to be retried, so it must not keep state between runs. */
    rc (*run)(struct write *w, struct db *db, struct err *e);
    /* On the writer thread after the commit (or its failure); must not block.
     * NULL with store_write. */
    void (*done)(struct write *w);
    bool
        frees; /* deletes or updates only: may use the reserve on a full disk */
    bool late; /* nobody waits for its outcome: it gives way to a press of
                   * others, for two seconds at most */
    rc code;
    struct err err;
    void *waiter; /* store_write_begin's */
};

/* RC_OK: done will be called exactly once. */
rc store_submit(struct store *s, struct write *w, struct err *e) MUST_CHECK;
/* The same, waiting for the outcome; for worker threads. */
rc store_write(struct store *s, struct write *w, struct err *e) MUST_CHECK;
/* Its two halves, for who has something to do meanwhile. What was begun is
 * ended once; until then the write belongs to the store. */
rc store_write_begin(struct store *s, struct write *w,
                     struct err *e) MUST_CHECK;
rc store_write_end(struct write *w, struct err *e) MUST_CHECK;

/* Figures for /metrics and benches. */
struct store_stats {
    uint64_t commits, writes, fsync_failures, checkpoints, queue_now;
    bool stopped; /* an fsync failed: read-only until restart */
};
void store_stats(struct store *s, struct store_stats *st);

/* ---- what the index must know ---- */

enum version_state { /* stored by value: append only */
                     VERSION_PENDING,
                     VERSION_PROCESSING,
                     VERSION_ACTIVE,
                     VERSION_DRAFT,
                     VERSION_ARCHIVED,
                     VERSION_FAILED,
                     VERSION_QUARANTINED,
                     VERSION_STATE_COUNT,
                     VERSION_GONE = 255 /* never stored: deleted */
};
extern const char *const VERSION_STATE_NAMES[VERSION_STATE_COUNT];

enum change_kind {
    CHANGE_VERSION,  /* its state is now `state` */
    CHANGE_SEGMENTS, /* payload: what the engine gave to db_change */
    CHANGE_BASE_GONE
};

struct change {
    enum change_kind kind;
    uuid base, version;
    enum version_state state;
    uint64_t generation; /* filled by the store */
    void *payload;       /* borrowed; CHANGE_SEGMENTS */
};

/* Inside a write: notes a change, to be told after the commit. Raises the
 * base's generation (once a write and base). Dropped if the write fails. */
rc db_change(struct db *db, const struct change *c, struct err *e) MUST_CHECK;
/* Called on the writer thread after each commit, before any done. Once
 * store_observe returns, the former observer runs no more. */
typedef void store_observer(void *arg, const struct change *changes, size_t n);
void store_observe(struct store *s, store_observer *fn, void *arg);
/* The generation of a base as this session sees it: a search waits until the
 * engine has applied it, so that what was acknowledged is found. */
rc db_generation(struct db *db, uuid base, uint64_t *generation,
                 struct err *e) MUST_CHECK;

/* ---- blobs: bodies by sha256 ---- */

/* Up to BLOB_INLINE_BYTES_MAX they are rows, above files
 * DATA/blobs/ab/SHA256 (zstd frames of 8 KiB with a seek table, drawn in
 * docs/formats.md). Freed only by the writer. RC_CORRUPT from a read: that
 * one body is damaged, all others are served. */
struct blob_ref {
    sha256 sha;
    uint64_t bytes;
};

/* An upload as its bytes come; holds at most one small buffer in memory. */
struct blob_writer;
rc blob_writer_open(struct store *s, struct blob_writer **w,
                    struct err *e) MUST_CHECK;
rc blob_put(struct blob_writer *w, const void *p, size_t n,
            struct err *e) MUST_CHECK;
/* All bytes are in: for a file, fsync, rename, fsync of the folder (blocks:
 * not on an HTTP thread). Pins the blob until the writer is closed. */
rc blob_end(struct blob_writer *w, struct blob_ref *ref,
            struct err *e) MUST_CHECK;
uint64_t blob_writer_bytes(const struct blob_writer *w); /* so far */
/* Drops the pin and what was not ended. After the write that used it is done.
 * NULL is fine. Any thread. */
void blob_writer_close(struct blob_writer *w);

/* Inside a write: the body may now be named by a row. Its uses are counted by
 * the rows that name it (db_version_put, _update, _drop, db_document_delete);
 * one that no row names at the write's end is dropped, its file after the
 * commit. */
rc blob_use(struct db *db, struct blob_writer *w, struct err *e) MUST_CHECK;

/* Inside a write: a body of few bytes from memory, all of the above at once. A
 * larger one than BLOB_INLINE_BYTES_MAX has the writer wait for the disk. */
rc blob_add(struct db *db, str bytes, struct blob_ref *ref,
            struct err *e) MUST_CHECK;

rc blob_read(struct db *db, const sha256 *sha, size_t bytes_max,
             struct arena *out, str *bytes, struct err *e) MUST_CHECK;
/* Bytes [at, at + n), clamped; decodes only the frames it needs. */
rc blob_read_range(struct db *db, const sha256 *sha, uint64_t at, size_t n,
                   struct arena *out, str *bytes, struct err *e) MUST_CHECK;
/* A descriptor at offset 0 with the plain bytes (memfd or unlinked file), for
 * an extraction child; the caller closes it. */
rc blob_open_plain(struct db *db, const sha256 *sha, int *fd,
                   struct err *e) MUST_CHECK;

/* ---- rows ---- */

struct tenant_row {
    uuid id;
    str name;
    int64_t created_ms;
};
struct key_row {
    uuid id, tenant;
    str name, prefix;
    sha256 hash;
    unsigned scopes;
    bool active;
    int64_t created_ms, expires_ms, last_used_ms; /* 0: never */
};

enum object_kind { /* stored by value: append only */
                   OBJECT_TENANT = 1,
                   OBJECT_KEY,
                   OBJECT_BASE,
                   OBJECT_DOCUMENT,
                   OBJECT_VERSION,
                   OBJECT_JOB,
                   OBJECT_FOLDER,
                   OBJECT_ARTICLE
};

struct base_row {
    uuid id, tenant;
    str name, description; /* description.p NULL: null */
    str metadata;          /* JSON object text */
    bool active;
    str embedding_model; /* "none" without one */
    uint32_t embedding_dimensions, chunk_size, chunk_overlap, retrieval_top_k;
    int sensitivity;
    bool has_alpha; /* else alpha is nothing */
    double alpha;   /* weight of the vectors in its searches, 0 to 1 */
    bool hub; /* the tenant's; set with db_base_put only, at most one has it */
    uint64_t document_count; /* computed on read */
    uint64_t generation;
    int64_t created_ms, updated_ms;
};

struct document_row {
    uuid id, base, tenant;
    str title, metadata, external_id; /* external_id.p NULL: none */
    str source_type;                  /* "file", "text", "url", "page" */
    str cover;                        /* p NULL: none */
    uuid creator;             /* the key that brought it in; nil: the program */
    uuid active_version;      /* nil: none */
    enum version_state state; /* of its governing version */
    uint64_t version_count;
    int64_t created_ms, updated_ms;
    /* read with it, of the governing version (active, else the newest): */
    uuid version;
    uint32_t version_number;
    uint64_t chunk_count, token_count;
    sha256 original_sha, text_sha;
    bool has_text;
};

struct version_row {
    uuid id, document, base, tenant;
    uint32_t number;
    enum version_state state;
    bool draft;                      /* the caller asked for a draft */
    str source_type, filename, mime; /* p NULL: none */
    str metadata;
    struct blob_ref original, text, blocks; /* text and blocks: has_text */
    bool has_text;
    uint64_t chunk_count, token_count;
    str outcome, note, error; /* p NULL: none */
    /* What the document says of itself; p NULL: nothing. */
    str found_title, language, doc_created, doc_modified;
    uint32_t pages, ocr_confidence; /* 0: it has none; nothing was read so */
    str flags;                      /* JSON array text; p NULL: none */
    str said_type;   /* Content-Type it came with; p NULL: none. A hint */
    str summary;     /* sentences of its own; p NULL: none */
    str canonical;   /* the URL it names as its own; p NULL: none */
    uint32_t images; /* pictures it shows */
    uint32_t extractor_version, chunker_version;
    /* Index rows whose origin (the segment they were first written to) is less
     * are of an earlier text. */
    uint64_t text_since;
    int64_t created_ms, processed_ms;
};

enum job_status { /* stored by value: append only; a job's or an item's */
                  JOB_QUEUED,
                  JOB_PROCESSING,
                  JOB_COMPLETED,
                  JOB_PARTIAL_FAILURE, /* jobs only */
                  JOB_FAILED,
                  JOB_DUPLICATE,
                  JOB_QUARANTINED,
                  JOB_STATUS_COUNT
};
extern const char *const JOB_STATUS_NAMES[JOB_STATUS_COUNT];

enum stage { /* of an item; stored by value: append only */
             STAGE_QUEUED,
             STAGE_EXTRACT,
             STAGE_CHUNK,
             STAGE_INDEX,
             STAGE_REFINING,
             STAGE_DONE,
             STAGE_FETCH,
             STAGE_COUNT
};
extern const char *const STAGE_NAMES[STAGE_COUNT];

struct job_row {
    uuid id, base, tenant;
    str kind, title, error; /* kind: "bulk", "url", "reindex", "reprocess" */
    enum job_status status;
    uint64_t total, counts[JOB_STATUS_COUNT]; /* items by status */
    bool cancel;
    int64_t created_ms, updated_ms, started_ms, completed_ms; /* 0: not yet */
};

enum item_class { /* stored by value: append only; lower ones are leased first */
                  ITEM_NEW,       /* of a manifest */
                  ITEM_REINDEX,   /* its stored text is indexed again */
                  ITEM_REPROCESS, /* its original is extracted again */
                  ITEM_FETCH,     /* its original is fetched, then it is new */
                  ITEM_CLASS_COUNT
};

struct item_row {
    uuid job, base, tenant;
    enum item_class class;
    uint32_t index;         /* in the manifest */
    uuid document, version; /* nil for a duplicate */
    uuid duplicate_document, duplicate_version;
    str title, error;
    enum job_status status;
    enum stage stage;
    uint32_t attempts;
    uint64_t chunk_count;
    int64_t run_at_ms, started_ms, completed_ms;
    bool counted; /* db_item_put: in the counts its job was put with */
};

struct log_row {
    uuid id, base, tenant, job, document;   /* base and tenant: to write it */
    str task, status, input, output, error; /* input, output: JSON texts */
    int64_t started_ms, completed_ms, duration_us;
};

struct segment_row {
    uuid base;
    uint64_t id; /* ascends: the newest that holds a version wins */
    uint64_t rows, versions, bytes;
    int64_t created_ms;
};

struct event {
    uuid tenant, base, object, actor; /* actor: key, nil: the program */
    const char *kind; /* "document.created", "version.active", … (static) */
    str detail;       /* JSON text or empty */
};

/* Newest first; rows with an id below `before` (nil: from the newest). */
struct page_req {
    uuid before;
    size_t limit; /* the store reads limit + 1 to know whether more follow */
};

/* tenants and keys */
rc db_tenant_put(struct db *db, const struct tenant_row *t, struct err *e);
rc db_tenant_get(struct db *db, uuid id, struct arena *out,
                 struct tenant_row *t, struct err *e);
rc db_tenant_by_name(struct db *db, str name, struct arena *out,
                     struct tenant_row *t, struct err *e);
rc db_key_put(struct db *db, const struct key_row *k, struct err *e);
rc db_key_by_hash(struct db *db, const sha256 *hash, struct arena *out,
                  struct key_row *k, struct err *e);
rc db_key_get(struct db *db, uuid tenant, uuid id, struct arena *out,
              struct key_row *k, struct err *e);
rc db_key_list(struct db *db, uuid tenant, struct arena *out,
               struct key_row **v, size_t *n, struct err *e);
rc db_key_drop(struct db *db, uuid tenant, uuid id, struct err *e);
rc db_key_touch(struct db *db, uuid id, int64_t used_ms, struct err *e);
rc db_key_count(struct db *db, uint64_t *n, struct err *e);

/* objects: which tenant, kind and base an id belongs to. RC_NOTFOUND for
 * another tenant's, another kind's, and what lies in a deleted base. */
rc db_object_find(struct db *db, uuid tenant, enum object_kind kind, uuid id,
                  uuid *base, struct err *e);

/* Short ids: 12 characters, a letter and 11 of base 36, for objects of a hub.
 * What has one keeps it; RC_NOTFOUND as db_object_find. */
rc db_code_put(struct db *db, uuid id, char letter, struct err *e);
rc db_code_find(struct db *db, uuid tenant, enum object_kind kind, str code,
                uuid *id, uuid *base, struct err *e);
rc db_code_get(struct db *db, uuid id, struct arena *out, str *code,
               struct err *e); /* p NULL: it has none */
/* What that of an object is, where no other has it; for what is not stored. */
str code_text(struct arena *out, uuid id, char letter);

/* bases */
/* The tenant's hub; RC_NOTFOUND while there is none. */
rc db_base_hub(struct db *db, uuid tenant, uuid *base, struct err *e);
rc db_base_put(struct db *db, const struct base_row *b, struct err *e);
rc db_base_update(struct db *db, const struct base_row *b, struct err *e);
rc db_base_get(struct db *db, uuid tenant, uuid id, struct arena *out,
               struct base_row *b, struct err *e);
rc db_base_list(struct db *db, uuid tenant, struct page_req p,
                struct arena *out, struct base_row **v, size_t *n, bool *more,
                struct err *e);
/* How many bases of a tenant name this model. */
rc db_base_count_model(struct db *db, uuid tenant, str model, uint64_t *n,
                       struct err *e);
/* Whether rows of a base were indexed while its model was not there, or was
 * another: they have to be indexed again. Of one base, of all that name a
 * model, and which are so. */
rc db_base_keys_due(struct db *db, uuid base, bool due, struct err *e);
/* Of all bases that name the model, which has so many dimensions now; *v: those
 * that had another number, which are updated by this. */
rc db_model_keys_due(struct db *db, str model, uint32_t dims, int64_t now_ms,
                     struct arena *out, uuid **v, size_t *n, struct err *e);
rc db_bases_keys_due(struct db *db, struct arena *out, uuid **v, size_t *n,
                     struct err *e);
/* Hides it at once (object look-ups fail, CHANGE_BASE_GONE); its rows are
 * purged in slices by db_purge_slice, resumed after a crash. */
rc db_base_delete(struct db *db, uuid tenant, uuid id, struct err *e);
/* Removes up to `rows` rows of deleted bases; *more: call again. */
rc db_purge_slice(struct db *db, size_t rows, bool *more, struct err *e);

/* documents */
rc db_document_put(struct db *db, const struct document_row *d, struct err *e);
/* title, metadata, cover, state, active_version, updated_ms */
rc db_document_update(struct db *db, const struct document_row *d,
                      struct err *e);
rc db_document_get(struct db *db, uuid tenant, uuid base, uuid id,
                   struct arena *out, struct document_row *d, struct err *e);
/* The row alone: what a document_row has of its versions is left out. */
rc db_document_row(struct db *db, uuid tenant, uuid base, uuid id,
                   struct arena *out, struct document_row *d, struct err *e);
/* Whether the version governs the document (the active one, else the newest),
 * of which the row is known. */
rc db_document_governed(struct db *db, const struct document_row *d,
                        uuid version, bool *yes, struct err *e);
rc db_document_by_external_id(struct db *db, uuid tenant, uuid base, str ext,
                              struct arena *out, struct document_row *d,
                              struct err *e);
rc db_document_list(struct db *db, uuid tenant, uuid base, struct page_req p,
                    struct arena *out, struct document_row **v, size_t *n,
                    bool *more, struct err *e);
/* With its versions, uses of blobs, objects; notes the changes. */
rc db_document_delete(struct db *db, uuid tenant, uuid base, uuid id,
                      struct err *e);
rc db_document_states(struct db *db, uuid tenant, uuid base,
                      uint64_t counts[VERSION_STATE_COUNT], struct err *e);

/* documents of the web */
struct web_row {
    uuid base, document, tenant;
    str url, key;            /* key: two with one are the same */
    str answered;            /* after redirects; p NULL: the same */
    uuid version;            /* whose body these are of; nil: none's */
    str etag, last_modified; /* p NULL: none */
    int64_t tried_ms;        /* this fetch's first try; 0: none */
    int64_t fetched_ms;      /* when it last was there; 0: never */
};
/* RC_CONFLICT: the base has a document with that key. */
rc db_web_put(struct db *db, const struct web_row *w, struct err *e);
rc db_web_update(struct db *db, const struct web_row *w, struct err *e);
rc db_web_get(struct db *db, uuid base, uuid document, struct arena *out,
              struct web_row *w, struct err *e);
rc db_web_by_key(struct db *db, uuid tenant, uuid base, str key,
                 struct arena *out, struct web_row *w, struct err *e);

/* folders: a tree, and many-to-many what lies in them */
enum visibility { /* stored by value: append only */
                  VISIBILITY_PRIVATE,
                  VISIBILITY_WORKSPACE,
                  VISIBILITY_GLOBAL,
                  VISIBILITY_COUNT
};
struct folder_row {
    uuid id, base, tenant;
    str name, emoji; /* emoji.p NULL: none */
    uuid parent;     /* nil: at the top */
    enum visibility visibility;
    uint64_t article_count, folder_count; /* computed: not archived, direct */
    int64_t created_ms, updated_ms;
};
/* One window of a list; *total counts all rows of the filter. */
struct window {
    size_t offset, limit;
};
rc db_folder_put(struct db *db, const struct folder_row *f, struct err *e);
rc db_folder_update(struct db *db, const struct folder_row *f, struct err *e);
rc db_folder_get(struct db *db, uuid tenant, uuid base, uuid id,
                 struct arena *out, struct folder_row *f, struct err *e);
struct folder_filter {
    bool by_parent;
    uuid parent;
    str query; /* in the name, letter case aside; p NULL: any */
};
/* By name, letter case aside, then id. */
rc db_folder_list(struct db *db, uuid tenant, uuid base,
                  const struct folder_filter *f, struct window w,
                  struct arena *out, struct folder_row **v, size_t *n,
                  uint64_t *total, struct err *e);
/* What lies in it stays, its folders move up to its parent. */
rc db_folder_drop(struct db *db, uuid tenant, uuid base, uuid id,
                  struct err *e);
/* Levels of folders from this one down, itself one; FOLDER_DEPTH_MAX at most.*/
rc db_folder_height(struct db *db, uuid base, uuid id, size_t *levels,
                    struct err *e);
/* The folders an item (document or article) lies in, by name; a document that
 * an article is searched by lies where that does, too. What lies in them is not
 * counted. */
rc db_folders_of(struct db *db, uuid base, uuid item, struct arena *out,
                 struct folder_row **v, size_t *n, struct err *e);
/* Replaces them. */
rc db_folders_set(struct db *db, uuid base, uuid item, enum object_kind kind,
                  const uuid *folders, size_t n, struct err *e);
/* Documents that lie in a folder or one below it: their own, and those that
 * published articles there are searched by. */
rc db_folder_documents(struct db *db, uuid tenant, uuid base, uuid folder,
                       struct arena *out, uuid **v, size_t *n, struct err *e);

/* articles: authored pages */
enum article_status { /* stored by value: append only */
                      ARTICLE_DRAFT,
                      ARTICLE_PUBLISHED,
                      ARTICLE_ARCHIVED,
                      ARTICLE_STATUS_COUNT
};
struct article_row {
    uuid id, base, tenant;
    str title, cover; /* title: of the published version, else of the draft */
    enum article_status status;
    enum visibility visibility;
    uuid owner;       /* a key; nil: none */
    uuid document;    /* that it is searched by; nil: none, or deleted since */
    uint32_t version; /* published; 0: none */
    str draft_title, draft_content; /* p NULL: there is no draft */
    uint64_t source_count;          /* computed */
    int64_t published_ms, created_ms, updated_ms; /* 0: never */
};
enum article_change { /* stored by value: append only */
                      CHANGE_CREATED,
                      CHANGE_MANUAL_EDIT,
                      ARTICLE_CHANGE_COUNT
};
struct article_version_row {
    uuid base, article;
    uint32_t number;
    str title, content;
    enum article_change change;
    uuid creator;
    int64_t created_ms;
};
rc db_article_put(struct db *db, const struct article_row *a, struct err *e);
rc db_article_update(struct db *db, const struct article_row *a, struct err *e);
rc db_article_get(struct db *db, uuid tenant, uuid base, uuid id,
                  struct arena *out, struct article_row *a, struct err *e);
enum article_sort { SORT_UPDATED, SORT_CREATED, SORT_TITLE };
struct article_filter {
    bool by_status; /* else all but archived ones */
    enum article_status status;
    uuid folder, owner; /* nil: any */
    str query;          /* in the title, letter case aside; p NULL: any */
    int64_t updated_from_ms, updated_to_ms; /* both inclusive; 0: open */
    enum article_sort sort;
};
/* By the sort, newest first or A to Z; drafts are left out. */
rc db_article_list(struct db *db, uuid tenant, uuid base,
                   const struct article_filter *f, struct window w,
                   struct arena *out, struct article_row **v, size_t *n,
                   uint64_t *total, struct err *e);
rc db_article_version_put(struct db *db, const struct article_version_row *v,
                          struct err *e);
rc db_article_version_get(struct db *db, uuid base, uuid article,
                          uint32_t number, struct arena *out,
                          struct article_version_row *v, struct err *e);
/* Newest first; content is left out. */
rc db_article_version_list(struct db *db, uuid base, uuid article,
                           struct window w, struct arena *out,
                           struct article_version_row **v, size_t *n,
                           uint64_t *total, struct err *e);
/* The documents attached to an article. */
rc db_article_sources(struct db *db, uuid base, uuid article, struct arena *out,
                      uuid **v, size_t *n, struct err *e);
rc db_article_sources_set(struct db *db, uuid base, uuid article,
                          const uuid *documents, size_t n, struct err *e);

/* sources: the documents of a hub as its lists show them */
struct source_row {
    struct document_row document; /* but its version_count, which is 0 */
    str url;                      /* p NULL: not of the web */
    str mime, summary, error;     /* of the governing version; p NULL */
    uint32_t images;
    int64_t processed_ms; /* 0: not yet */
};
struct source_filter {
    unsigned types;  /* bits 1 << source_type; 0: any */
    unsigned states; /* bits 1 << version_state; 0: any */
    uuid folder;     /* nil: any; lies in it as db_folders_of says */
    uuid article;    /* attached to it; nil: any */
    str query;       /* in the title, letter case aside; p NULL: any */
};
enum source_type {
    SOURCE_FILE,
    SOURCE_TEXT,
    SOURCE_URL,
    SOURCE_PAGE,
    SOURCE_TYPE_COUNT
};
extern const char *const SOURCE_TYPE_NAMES[SOURCE_TYPE_COUNT];
/* Newest first. What filters look at is kept in memory for up to four bases of
 * 100,000 documents and 8 MiB of it each, while no document of theirs changes. */
rc db_source_list(struct db *db, uuid tenant, uuid base,
                  const struct source_filter *f, struct window w,
                  struct arena *out, struct source_row **v, size_t *n,
                  uint64_t *total, struct err *e);
rc db_source_get(struct db *db, uuid tenant, uuid base, uuid document,
                 struct arena *out, struct source_row *s, struct err *e);

/* versions */
rc db_version_put(struct db *db, const struct version_row *v, struct err *e);
/* All that indexing sets: state, text, counts, what extraction said, versions,
 * processed_ms; notes CHANGE_VERSION when the state changed. */
rc db_version_update(struct db *db, const struct version_row *v, struct err *e);
/* The original was fetched: its body, filename and said_type are these.
 * RC_CONFLICT: it does not wait for one any more. */
rc db_version_fetched(struct db *db, const struct version_row *v,
                      struct err *e);
rc db_version_get(struct db *db, uuid tenant, uuid base, uuid id,
                  struct arena *out, struct version_row *v, struct err *e);
rc db_version_by_number(struct db *db, uuid tenant, uuid base, uuid document,
                        uint32_t number, struct arena *out,
                        struct version_row *v, struct err *e);
rc db_version_list(struct db *db, uuid tenant, uuid base, uuid document,
                   struct arena *out, struct version_row **v, size_t *n,
                   struct err *e); /* newest first */
rc db_version_drop(struct db *db, uuid tenant, uuid base, uuid id,
                   struct err *e);
/* A version that makes an upload of this content a duplicate: same hash, same
 * base, neither archived nor failed, of a document without external_id; none
 * that was fetched or written here, whose deletion is not the upload's. */
rc db_version_by_content(struct db *db, uuid tenant, uuid base,
                         const sha256 *sha, struct arena *out,
                         struct version_row *v, struct err *e);
/* What the index of a base should hold: every version whose state is active,
 * draft or archived. `number` and `document` are for chunk ids and pins. */
struct indexed_version {
    uuid version, document;
    uint32_t number;
    enum version_state state;
};
rc db_versions_indexed(struct db *db, uuid base, struct arena *out,
                       struct indexed_version **v, size_t *n, struct err *e);
/* Versions that may be extracted again, by id, among the next `look` behind
 * `after` (nil: from the first): indexed or failed ones whose extractor is
 * older than `extractor` (0: any); of failed ones not those whose content came
 * in again, nor those that were never fetched. *next: where to go on; nil: that was the end. */
struct old_version {
    uuid version, document;
    str title; /* of its document */
};
rc db_versions_old(struct db *db, uuid base, uint32_t extractor, uuid after,
                   size_t look, struct arena *out, struct old_version **v,
                   size_t *n, uuid *next, struct err *e);
/* The newest draft of each document that has one. */
rc db_versions_draft(struct db *db, uuid tenant, uuid base, struct arena *out,
                     struct indexed_version **v, size_t *n, struct err *e);

/* What a hit needs beside the index: one look-up a version. */
struct hit_row {
    uuid document, base;
    uint32_t number;
    str title, source_type, external_id;
    sha256 text_sha;
    uint64_t text_since; /* see version_row */
    int sensitivity;
};
rc db_hit(struct db *db, uuid base, uuid version, struct arena *out,
          struct hit_row *h, struct err *e);

/* jobs. kind, title, total, created_ms and the counts are written; status and
 * the other times follow from these, and from its items later on. */
rc db_job_put(struct db *db, const struct job_row *j, struct err *e);
rc db_job_get(struct db *db, uuid tenant, uuid base, uuid id, struct arena *out,
              struct job_row *j, struct err *e);
/* statuses: bits 1 << job_status; 0: all. */
rc db_job_list(struct db *db, uuid tenant, uuid base, unsigned statuses,
               struct page_req p, struct arena *out, struct job_row **v,
               size_t *n, bool *more, struct err *e);
/* Counts itself in its job, unless that was put with it in its counts. */
rc db_item_put(struct db *db, const struct item_row *i, struct err *e);
/* Writes status, stage, error, counts, times; keeps the job's counters,
 * status and times right (the rule is job_status_of in store/jobs.c). */
rc db_item_update(struct db *db, const struct item_row *i, struct err *e);
rc db_item_get(struct db *db, uuid job, uint32_t index, struct arena *out,
               struct item_row *i, struct err *e);
rc db_item_list(struct db *db, uuid tenant, uuid job, uint32_t from,
                size_t limit, struct arena *out, struct item_row **v, size_t *n,
                bool *more, struct err *e);
/* Leases queued items of one base whose run_at has come, up to max and up to
 * one of `shares` equal shares of what is due, oldest job first: status processing, attempts + 1, started now. None: *n is 0 and
 * *next_ms says when one will be due (0: none at all). Classes of items go in
 * their order. */
rc db_items_lease(struct db *db, size_t max, size_t shares, int64_t now_ms,
                  struct arena *out, struct item_row **v, size_t *n,
                  int64_t *next_ms, struct err *e);
/* Items to be fetched, of all bases: those due behind a place, oldest job
 * first; when the next of the others is due (0: none is); and the lease of one,
 * at STAGE_FETCH. */
struct fetch_place {
    uuid job; /* nil: before the first */
    uint32_t index;
};
struct due_fetch {
    struct fetch_place at;
    str url;    /* p NULL: its document is gone */
    bool again; /* it was tried before */
};
rc db_fetches_due(struct db *db, struct fetch_place from, size_t limit,
                  int64_t now_ms, struct arena *out, struct due_fetch **v,
                  size_t *n, struct err *e);
rc db_fetches_next(struct db *db, int64_t now_ms, int64_t *next_ms,
                   struct err *e);
rc db_fetch_lease(struct db *db, struct fetch_place at, int64_t now_ms,
                  struct arena *tmp, struct err *e);
/* A leased item has come to what a version already is. */
rc db_item_duplicate(struct db *db, const struct item_row *i, uuid document,
                     uuid version, int64_t now_ms, struct err *e);
/* A leased item's original is there: it waits as a new one, at no try. */
rc db_item_fetched(struct db *db, const struct item_row *i, int64_t now_ms,
                   struct err *e);
/* How many wait and how many are leased, of all bases: for figures. */
rc db_items_count(struct db *db, uint64_t *queued, uint64_t *leased,
                  struct err *e);
/* Items in work at STAGE_REFINING: found by words, without all vectors. The
 * bases that have some; some of one base, oldest jobs first; how many of a job;
 * and the end of one, which is then completed. */
rc db_bases_refining(struct db *db, struct arena *out, uuid **v, size_t *n,
                     struct err *e);
rc db_items_refining(struct db *db, uuid base, size_t limit, struct arena *out,
                     struct item_row **v, size_t *n, struct err *e);
rc db_job_refining(struct db *db, uuid base, uuid job, uint64_t *n,
                   struct err *e);
rc db_item_refined(struct db *db, const struct item_row *i, int64_t now_ms,
                   struct err *e);
/* At start: what a dead process had leased is queued again, but what only waits
 * for vectors. */
rc db_items_unlease(struct db *db, uint64_t *n, struct err *e);
/* Failed items of the job are queued again; failed versions are pending. */
rc db_job_retry(struct db *db, uuid tenant, uuid base, uuid id, uint64_t *n,
                struct err *e);
/* The logs of one try of one document, 16 at most, in order; the first's id
 * stands for all. Task and status are words, input and output JSON. */
rc db_logs_put(struct db *db, const struct log_row *v, size_t n, struct err *e);
rc db_log_list(struct db *db, uuid tenant, uuid job, uuid document,
               struct arena *out, struct log_row **v, size_t *n,
               struct err *e); /* oldest first */

/* segments: the list of index files of a base */
rc db_segment_put(struct db *db, const struct segment_row *s, struct err *e);
rc db_segment_drop(struct db *db, uuid base, uint64_t id, struct err *e);
rc db_segment_list(struct db *db, uuid base, struct arena *out,
                   struct segment_row **v, size_t *n, struct err *e);
/* The next segment id of a base (never used again). Any session of the
 * writer. */
rc db_segment_next(struct db *db, uuid base, uint64_t *id, struct err *e);
/* All bases that are there, of all tenants: for start, merges and check. */
rc db_base_ids(struct db *db, struct arena *out, uuid **v, size_t *n,
               struct err *e);
/* Whose one of these is, for what the program does by itself. */
rc db_base_tenant(struct db *db, uuid base, uuid *tenant, struct err *e);

/* events: one row a mutation, in its own transaction */
rc db_event(struct db *db, const struct event *ev, struct err *e);

/* ---- check ---- */

/* One finding of `knowd check`, a plain line. */
typedef void check_report(void *arg, const char *line);
/* SQLite's integrity, foreign keys between our tables, uses of blobs against
 * rows, blob files present (deep: their hashes), counters of jobs against
 * their items. Read-only. *found: how many findings. */
rc store_check(struct store *s, bool deep, check_report *report, void *arg,
               uint64_t *found, struct err *e) MUST_CHECK;

#endif
