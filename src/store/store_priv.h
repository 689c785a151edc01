/*
 * store, inside: what its chapters share.
 *
 *   folder      the data folder: ours or not, its lock, its version
 *   migrations  the schema, step by step
 *   store       opening, sessions of readers
 *   writer      the writer thread: groups, checkpoints, the full disk
 *   changes     what a write tells the index and the event log
 *   blobs       bodies: uploads, rows, reading, pins, sweeping
 *   frames      the format of a blob file
 *   tenants, bases, documents, versions, jobs, segments   rows
 *   sources, source_table   lists of a hub, and what they are filtered by
 *   check       the whole folder against itself
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/queue.h"
#include "store/sql_priv.h"

#define STORE_PATH_MAX 4096
#define STORE_DIR_MAX (STORE_PATH_MAX - 128) /* room for our names */
#define SECRET_BYTES 32
#define LATE_MAX 64   /* writes put off at once */
#define STMTS_MAX 512 /* slots; at most half are taken */

/* ---- sessions ---- */

struct stmt_slot {
    const char *sql;
    sqlite3_stmt *st;
};

struct raised {
    uuid base;
    uint64_t generation;
};

/* How counters move in a write: of a job's items by status, or (job nil) of a
 * base's documents by state. */
#define TALLY_COUNTS 7
struct tally {
    uuid base, job;
    int64_t deltas[TALLY_COUNTS];
};

/* A blob whose uses may be none at the write's end. Prepaid: its row counts a
 * use that nobody has taken yet. */
struct touched {
    sha256 sha;
    bool prepaid;
};

/* What a version's row holds. */
struct held {
    enum version_state state;
    bool has_text;
    sha256 original, text, blocks;
};

/* Of the rows this write read last, until it changes one of their kind: what
 * an update wants to know of the row before it. */
struct just_read {
    uuid version, document; /* nil: none */
    struct held version_held;
    enum version_state document_state;
};

/* A body's file that a reader keeps open: hits of one document lie in one. */
struct open_body {
    struct frames_in *file; /* NULL: none */
    sha256 sha;
    uint64_t bytes;
};
#define OPEN_BODIES_MAX 4

struct db {
    struct store *store;
    sqlite3 *conn;
    struct stmt_slot stmts[STMTS_MAX];
    size_t stmts_n;
    struct err err;  /* of the last failed statement */
    struct db *next; /* in the pool */

    struct open_body bodies[OPEN_BODIES_MAX]; /* the last read comes first */

    /* The writer's session only: */
    bool writer;
    rc hard; /* the transaction is lost; see sql.c */
    struct err hard_err;
    bool sync_failed; /* and an fsync was why */
    bool in_group;    /* inside the transaction */
    struct arena *group;
    int64_t body_last;      /* the newest body's id; 0: not asked for yet */
    uint64_t group_bytes;   /* of bodies it has put into the database */
    struct change *changes; /* of the group, in order */
    size_t changes_n, changes_cap;
    struct raised *raised; /* bases whose generation this write has raised */
    size_t raised_n, raised_cap;
    struct tally *tallies; /* not yet written down */
    size_t tallies_n, tallies_cap;
    struct just_read read;
    struct touched *touched;
    size_t touched_n, touched_cap;
    sha256 *freed; /* files without a row, once the group is committed */
    size_t freed_n, freed_cap;
};

void bodies_close(struct db *db); /* those a reader keeps open */

rc db_open(struct store *s, struct db **db, struct err *e) MUST_CHECK;
void db_close(struct db *db); /* NULL is fine */

/* ---- documents in memory ---- */

/* A base as a session sees it. */
struct source_base {
    uuid id;
    uint64_t documents, changes; /* document_changes */
};

/* The documents of a base of one `document_changes`: what filters look at. */
struct source_table;
#define SOURCE_TABLES_MAX 4 /* kept, of as many bases */
/* A base of more is asked about row by row. */
#define SOURCE_TABLE_ROWS_MAX 100000
struct source_tables {
    pthread_rwlock_t lock;  /* guards: v, next, and what is in v */
    pthread_mutex_t making; /* held by who makes one; before `lock` */
    struct source_table *v[SOURCE_TABLES_MAX];
    size_t next; /* the one that gives way */
};

/* source_put(table, id, source_type, state, title): puts a row into the table
 * that is bound with q_pointer; 0: it has no room for more. */
#define SOURCE_TABLE_POINTER "source_table"
void source_put_call(sqlite3_context *c, int n, sqlite3_value **v);

void source_tables_open(struct source_tables *k);
void source_tables_close(struct source_tables *k);
/* Of a base that is gone; what a session of before makes of it may stay. */
void source_tables_forget(struct source_tables *k, uuid base);
/* The base's table, to be let go of; *t NULL: none is kept and `make` is not
 * set, another is being made, or the base is too large for one. A reader's
 * session. */
rc source_table_take(struct db *db, const struct source_base *b, bool make,
                     struct source_table **t, struct err *e) MUST_CHECK;
void source_table_let_go(struct db *db, struct source_table *t);
/* Rows go from the oldest document, 0, to the newest. */
size_t source_table_count(const struct source_table *t);
uuid source_table_id(const struct source_table *t, size_t row);
/* Rows with these types, states and (folded, empty: any) part of a title, in
 * order; room for all of the table. The filter's other fields aren't asked. */
size_t source_table_match(const struct source_table *t,
                          const struct source_filter *f, str folded,
                          uint32_t *rows);
/* The same of the documents `ids`, which ascend. */
size_t source_table_match_among(const struct source_table *t,
                                const struct source_filter *f, str folded,
                                const uuid *ids, size_t ids_n, uint32_t *rows);

/* ---- the store ---- */

struct store {
    char dir[STORE_DIR_MAX];
    struct store_opts opts;
    uint8_t secret[SECRET_BYTES];
    int lock_fd; /* -1: read_only */

    pthread_mutex_t pool_lock; /* guards: idle, readers_n */
    pthread_cond_t pool_came;
    struct db *idle;
    size_t readers_n;

    struct queue *queue; /* struct write; NULL: only wakes the writer */
    pthread_t thread;
    bool thread_runs;

    pthread_mutex_t observer_lock; /* guards: observer, observer_arg */
    store_observer *observer;
    void *observer_arg;

    pthread_mutex_t pins_lock; /* guards: pins, sweep, sweep_n, sweep_cap */
    struct map *pins;          /* sha256 to the uploads that hold it */
    sha256 *sweep; /* files that lost a pin or their row; see blobs.c */
    size_t sweep_n, sweep_cap;

    pthread_mutex_t folders_lock; /* guards: folder_durable */
    bool folder_durable[256];     /* blobs/ab is on the disk */

    struct source_tables tables;

    atomic_uint_least64_t commits, writes, fsync_failures, checkpoints;
    atomic_bool stopped;
    atomic_bool full; /* the reserve is spent; set by the writer thread */

    /* The writer thread's alone: */
    struct db *writer;
    struct write *late[LATE_MAX]; /* put off, in order */
    size_t late_n;
    int64_t late_ns; /* when the first of them came */
    size_t prompt_n; /* of the last group: writes somebody waits for */
    uint64_t wal_frames, wal_tried; /* in the WAL; when last tried to empty */
    bool wal_clean;                 /* all frames are in knowd.db */
    int64_t probed_ns;              /* when it was last tried to remake it */
};

/* DATA/name in `to`. */
void store_path(const struct store *s, char to[STORE_PATH_MAX],
                const char *name);
/* A failed fsync: no further acknowledgement until a restart. */
void store_stop(struct store *s, const char *why);
rc store_stopped(struct err *e); /* RC_BUSY and the reason */

/* RC_NOSPACE with what is free and what is needed. */
rc store_no_space(struct store *s, uint64_t needed, struct err *e);

/* ---- folder ---- */

enum folder_kind { FOLDER_FRESH, FOLDER_OURS };
/* Looks without changing a byte. RC_UNSUPPORTED: somebody else's, or a newer
 * schema than `schema`. *version: of the schema found. */
rc folder_look(const char *dir, int schema, enum folder_kind *kind,
               int *version, struct err *e) MUST_CHECK;
/* The same through the WAL, when no server can be running on it. */
rc folder_look_deep(const char *dir, int schema, int *version,
                    struct err *e) MUST_CHECK;
/* Makes knowd.db whole under another name, then renames it. */
rc folder_make(const char *dir, struct err *e) MUST_CHECK;
/* Copies the database, which has an older schema's version, to
 * DATA/knowd.db.schema-VERSION; a former copy goes. */
rc folder_keep(const char *dir, sqlite3 *conn, int version,
               struct err *e) MUST_CHECK;
/* Removes copies that are two weeks old: what was deleted since is in them. */
rc folder_kept_drop(const char *dir, int64_t now_ms, struct err *e) MUST_CHECK;
/* Removes what uploads of a dead process left in DATA/tmp. */
rc folder_clean(const char *dir, struct err *e) MUST_CHECK;

/* ---- migrations ---- */

#define APPLICATION_ID 0x6b6e6f77 /* "know" */

struct migration {
    int version;
    const char *const *statements; /* NULL behind the last */
};
extern const struct migration MIGRATIONS[];
extern const size_t MIGRATIONS_N;
/* Each missing one in a transaction of its own, with user_version. */
rc migrations_run(sqlite3 *conn, const struct migration *v, size_t n,
                  struct err *e) MUST_CHECK;
int migrations_version(void); /* the newest this program knows */
rc sql_exec(sqlite3 *conn, const char *sql, struct err *e) MUST_CHECK;
rc sql_int(sqlite3 *conn, const char *sql, int *v, struct err *e) MUST_CHECK;

/* ---- writer ---- */

rc writer_start(struct store *s, struct err *e) MUST_CHECK;
void writer_stop(struct store *s);
void writer_wake(struct store *s);

/* ---- changes ---- */

void changes_begin_group(struct db *db);
/* Marks where a write begins, and takes back what it noted. */
struct changes_mark {
    size_t changes, freed;
};
struct changes_mark changes_begin_write(struct db *db);
void changes_undo(struct db *db, struct changes_mark m);
void changes_tell(struct db *db);
rc base_raise(struct db *db, uuid base, uint64_t *generation,
              struct err *e) MUST_CHECK;

/* ---- blobs ---- */

rc blobs_start(struct store *s, struct err *e) MUST_CHECK; /* cleans files */
void blobs_end(struct store *s);
/* A row refers to the blob, or no longer does. */
rc blob_hold(struct db *db, const sha256 *sha, struct err *e) MUST_CHECK;
rc blob_let_go(struct db *db, const sha256 *sha, struct err *e) MUST_CHECK;
/* At a write's end: rows of blobs nobody refers to go. */
rc blobs_end_write(struct db *db, struct err *e) MUST_CHECK;
/* With pins_lock held: looked at by the next sweep. */
void blob_sweep_later(struct store *s, const sha256 *sha);
/* After a commit: files of blobs that have neither row nor pin go. */
void blobs_sweep(struct store *s);
/* RC_CORRUPT: not the bytes it should be; deep: to the last one. */
rc blob_check(struct db *db, const sha256 *sha, bool deep,
              struct err *e) MUST_CHECK;
void blob_path(const struct store *s, const sha256 *sha,
               char to[STORE_PATH_MAX]);

/* ---- rows, used across chapters ---- */

rc object_put(struct db *db, uuid id, uuid tenant, enum object_kind kind,
              uuid base, struct err *e) MUST_CHECK;
rc object_drop(struct db *db, uuid id, struct err *e) MUST_CHECK;
/* Moves one from a counter to another; past the last one is none. */
void tally_move(struct db *db, uuid base, uuid job, unsigned from, unsigned to);
/* At a write's end, and before it reads a counter itself. */
rc tallies_write(struct db *db, struct err *e) MUST_CHECK;
rc base_tally_write(struct db *db, const struct tally *t,
                    struct err *e) MUST_CHECK;
rc job_tally_write(struct db *db, const struct tally *t,
                   struct err *e) MUST_CHECK;
/* The document with its versions, uses of bodies and objects; no changes are
 * noted and nothing is counted. */
rc versions_of(struct db *db, uuid base, uuid document, struct arena *out,
               uuid **ids, size_t *n, struct err *e) MUST_CHECK;
rc versions_drop(struct db *db, uuid tenant, uuid base, uuid document,
                 struct err *e) MUST_CHECK;
rc document_drop(struct db *db, uuid tenant, uuid base, uuid document,
                 struct err *e) MUST_CHECK;
/* A document with the version that governs it: the active one, else the newest.
 * document_read takes all lists of columns, in this order. */
#define DOCUMENT_COLUMNS                                                     \
    "d.id, d.base, d.tenant, d.title, d.metadata, d.external_id,"            \
    " d.source_type, d.active_version, d.state, d.created_ms, d.updated_ms," \
    " d.cover, d.creator"
#define DOCUMENT_VERSION_COUNT        \
    "(SELECT count(*) FROM version w" \
    "  WHERE w.base = d.base AND w.document = d.id)"
#define DOCUMENT_GOVERNING_COLUMNS                                   \
    " v.id, v.number, v.chunk_count, v.token_count, v.original_sha," \
    " v.text_sha"
#define DOCUMENT_GOVERNING                                    \
    "LEFT JOIN version v ON v.base = d.base AND v.id ="       \
    " coalesce(d.active_version, (SELECT w.id FROM version w" \
    "  WHERE w.base = d.base AND w.document = d.id"           \
    "  ORDER BY w.number DESC LIMIT 1))"
void document_read(struct q *q, struct arena *out, struct document_row *d);
/* What names a document or article lets go of it: the folders it lies in; the
 * articles it is attached to, and the one that is searched by it. */
rc folders_forget(struct db *db, uuid base, uuid item,
                  struct err *e) MUST_CHECK;
rc articles_forget(struct db *db, uuid base, uuid document,
                   struct err *e) MUST_CHECK;
enum job_status job_status_of(const uint64_t counts[JOB_STATUS_COUNT]);

#endif
