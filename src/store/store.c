#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_priv.h"
#include "store/vfs_priv.h"

#define READERS_DEFAULT 32
#define GROUP_DEFAULT 256
#define QUEUE_SLOTS 4096
#define READER_WAIT_MS 5000
#define BUSY_MS 5000 /* another process recovers the WAL */

void store_path(const struct store *s, char to[STORE_PATH_MAX],
                const char *name)
{
    int n = snprintf(to, STORE_PATH_MAX, "%s/%s", s->dir, name);

    ASSERT(n > 0 && n < STORE_PATH_MAX); /* dir leaves room for our names */
}

/* ---- connections ---- */

/* No connection may checkpoint by itself: two checkpointers at once can lose
 * a transaction before SQLite 3.51.3 (the WAL-reset race). */
static rc set_up(struct db *db, struct err *e)
{
    rc code = RC_OK;

    (void)sqlite3_extended_result_codes(db->conn, 1);
    (void)sqlite3_busy_timeout(db->conn, BUSY_MS);
    if (sqlite3_db_config(db->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                          NULL) != SQLITE_OK)
        code = sql_error(db->conn, sqlite3_errcode(db->conn), e);
    if (code == RC_OK)
        code = sql_functions(db->conn, e);
    if (code == RC_OK)
        code = sql_exec(db->conn,
                        "PRAGMA wal_autocheckpoint = 0;"
                        "PRAGMA temp_store = memory;"
                        "PRAGMA mmap_size = 0",
                        e);
    if (code == RC_OK && db->writer)
        code = sql_exec(db->conn,
                        "PRAGMA journal_mode = wal;"
                        "PRAGMA synchronous = full;"
                        "PRAGMA secure_delete = on;"
                        "PRAGMA journal_size_limit = 16777216;"
                        "PRAGMA cache_size = -16384",
                        e);
    else if (code == RC_OK)
        code = sql_exec(db->conn,
                        "PRAGMA query_only = on;"
                        "PRAGMA cache_size = -2048",
                        e);
    return code;
}

static rc connect(struct store *s, bool writer, struct db **out, struct err *e)
{
    struct db *db = mem_alloc(sizeof *db);
    char path[STORE_PATH_MAX];
    rc code;

    db->store = s;
    db->writer = writer;
    store_path(s, path, "knowd.db");
    if (sqlite3_open_v2(path, &db->conn,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        writer ? VFS_WRITER_NAME : VFS_NAME) == SQLITE_OK)
        code = set_up(db, e);
    else
        code = sql_error(db->conn, sqlite3_extended_errcode(db->conn), e);
    if (code != RC_OK) {
        db_close(db);
        return code;
    }
    if (writer)
        db->group = arena_open();
    *out = db;
    return RC_OK;
}

rc db_open(struct store *s, struct db **db, struct err *e)
{
    return connect(s, false, db, e);
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < STMTS_MAX; i++)
        (void)sqlite3_finalize(db->stmts[i].st);
    ASSERT(sqlite3_close(db->conn) == SQLITE_OK);
    arena_close(db->group);
    mem_free(db);
}

/* ---- readers ---- */

/* An idle session, or NULL with *make set: the caller may make one more. */
static struct db *pool_take(struct store *s, bool *make)
{
    int64_t until = clock_mono_ns() + (int64_t)READER_WAIT_MS * 1000000;
    struct db *db;
    bool waits = true;

    *make = false;
    (void)pthread_mutex_lock(&s->pool_lock);
    while (s->idle == NULL && s->readers_n == s->opts.readers && waits)
        waits = clock_cond_wait(&s->pool_came, &s->pool_lock, until);
    db = s->idle;
    if (db != NULL) {
        s->idle = db->next;
    } else if (s->readers_n < s->opts.readers) {
        s->readers_n++;
        *make = true;
    }
    (void)pthread_mutex_unlock(&s->pool_lock);
    return db;
}

/* NULL: a session that could not be made. */
static void pool_give(struct store *s, struct db *db)
{
    (void)pthread_mutex_lock(&s->pool_lock);
    if (db == NULL) {
        s->readers_n--;
    } else {
        db->next = s->idle;
        s->idle = db;
    }
    (void)pthread_cond_signal(&s->pool_came);
    (void)pthread_mutex_unlock(&s->pool_lock);
}

rc store_read_begin(struct store *s, struct db **out, struct err *e)
{
    bool make;
    struct db *db = pool_take(s, &make);
    rc code = RC_OK;

    if (make) {
        code = db_open(s, &db, e);
        if (code != RC_OK) {
            pool_give(s, NULL);
            return code;
        }
    }
    if (db == NULL)
        return err_set(e, RC_BUSY, "all %zu read sessions are in use",
                       s->opts.readers);
    code = sql_run(db, "BEGIN", e);
    if (code != RC_OK) {
        pool_give(s, db);
        return code;
    }
    *out = db;
    return RC_OK;
}

void store_read_end(struct db *db)
{
    struct err e;

    bodies_close(db);
    /* A read that failed may have ended its transaction already. */
    if (sqlite3_get_autocommit(db->conn) == 0 &&
        sql_run(db, "COMMIT", &e) != RC_OK)
        (void)sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
    pool_give(db->store, db);
}

rc store_read_renew(struct db *db, struct err *e)
{
    rc code = RC_OK;

    ASSERT(!db->writer);
    bodies_close(db);
    if (sqlite3_get_autocommit(db->conn) == 0)
        code = sql_run(db, "COMMIT", e);
    return code == RC_OK ? sql_run(db, "BEGIN", e) : code;
}

static void pool_close(struct store *s)
{
    struct db *db = s->idle;
    size_t n = 0;

    while (db != NULL) {
        struct db *next = db->next;

        db_close(db);
        db = next;
        n++;
    }
    ASSERT(n == s->readers_n); /* no session outlives the store */
}

/* ---- opening ---- */

static rc copy_dir(struct store *s, const char *dir, struct err *e)
{
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof s->dir)
        return err_set(e, RC_INVALID, "a data folder's path has 1 to %zu bytes",
                       sizeof s->dir - 1);
    memcpy(s->dir, dir, n);
    s->dir[n] = '\0';
    return RC_OK;
}

static rc take_lock(struct store *s, struct err *e)
{
    char path[STORE_PATH_MAX];
    rc code;

    store_path(s, path, "lock");
    code = file_lock(path, &s->lock_fd, e);
    if (code == RC_BUSY)
        return err_set(e, RC_BUSY, "%s is in use by another knowd", s->dir);
    return code;
}

/* Everything that must be known before the first byte is written. */
static rc admit(struct store *s, enum folder_kind *kind, struct err *e)
{
    char path[STORE_PATH_MAX];
    int version, newest = migrations_version();
    bool had_lock;
    rc code = folder_look(s->dir, newest, kind, &version, e);

    if (code != RC_OK)
        return code;
    store_path(s, path, "lock");
    had_lock = file_exists(path);
    if (*kind == FOLDER_OURS && !had_lock)
        code = folder_look_deep(s->dir, newest, &version, e);
    if (code == RC_OK)
        code = file_mkdirs(s->dir, 0700, e);
    if (code == RC_OK)
        code = take_lock(s, e);
    /* Again: what another start did meanwhile, and what its WAL says. */
    if (code == RC_OK)
        code = folder_look(s->dir, newest, kind, &version, e);
    if (code == RC_OK && *kind == FOLDER_OURS)
        code = folder_look_deep(s->dir, newest, &version, e);
    return code;
}

static rc admit_reader(struct store *s, struct err *e)
{
    int version, newest = migrations_version();
    enum folder_kind kind;
    rc code = folder_look(s->dir, newest, &kind, &version, e);

    if (code == RC_OK && kind == FOLDER_FRESH)
        return err_set(e, RC_NOTFOUND, "%s is not a data folder of knowd",
                       s->dir);
    if (code == RC_OK && version != newest)
        return err_set(e, RC_UNSUPPORTED,
                       "%s has schema %d, this program needs %d: start the "
                       "server once",
                       s->dir, version, newest);
    return code;
}

static rc load_secret(struct store *s, struct err *e)
{
    struct arena *tmp = arena_open();
    str secret = STR_NONE;
    struct db *db;
    rc code = store_read_begin(s, &db, e);

    if (code == RC_OK) {
        struct q q = q_open(db, "SELECT value FROM meta WHERE key = 'secret'");

        if (q_row(&q))
            secret = q_get_blob(&q, tmp);
        code = q_end(&q, e);
        store_read_end(db);
    }
    if (code == RC_OK && secret.n != SECRET_BYTES)
        code = err_set(e, RC_CORRUPT, "database: its secret is damaged");
    if (code == RC_OK)
        memcpy(s->secret, secret.p, SECRET_BYTES);
    arena_close(tmp);
    return code;
}

/* The database as a former version left it stays beside what it becomes. */
static rc upgrade(struct store *s, struct err *e)
{
    sqlite3 *conn = s->writer->conn;
    int version = 0;
    rc code = sql_int(conn, "PRAGMA user_version", &version, e);

    if (code != RC_OK || version == migrations_version())
        return code;
    code = folder_keep(s->dir, conn, version, e);
    if (code == RC_OK)
        code = migrations_run(conn, MIGRATIONS, MIGRATIONS_N, e);
    if (code == RC_OK)
        log_info("store",
                 "brought up from schema %d to %d; the former database is "
                 "kept for two weeks as %s/knowd.db.schema-%d",
                 version, migrations_version(), s->dir, version);
    return code;
}

static rc open_for_writing(struct store *s, struct err *e)
{
    enum folder_kind kind;
    rc code = admit(s, &kind, e);

    if (code == RC_OK && kind == FOLDER_FRESH)
        code = folder_make(s->dir, e);
    if (code == RC_OK)
        code = connect(s, true, &s->writer, e);
    if (code == RC_OK)
        code = upgrade(s, e);
    if (code == RC_OK)
        code = folder_clean(s->dir, e);
    if (code == RC_OK)
        code = blobs_start(s, e);
    if (code == RC_OK)
        code = writer_start(s, e);
    return code;
}

rc store_open(const struct store_opts *o, struct store **out, struct err *e)
{
    struct store *s;
    rc code = vfs_register(e);

    if (code != RC_OK)
        return code;
    s = mem_alloc(sizeof *s);
    s->opts = *o;
    s->opts.dir = s->dir;
    s->lock_fd = -1;
    if (s->opts.readers == 0)
        s->opts.readers = READERS_DEFAULT;
    if (s->opts.group_max == 0)
        s->opts.group_max = GROUP_DEFAULT;
    ASSERT(pthread_mutex_init(&s->pool_lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&s->pins_lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&s->folders_lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&s->observer_lock, NULL) == 0);
    source_tables_open(&s->tables);
    clock_cond_init(&s->pool_came);
    s->queue = queue_open(QUEUE_SLOTS);
    s->pins = map_open();
    code = copy_dir(s, o->dir, e);
    if (code == RC_OK)
        code = o->read_only ? admit_reader(s, e) : open_for_writing(s, e);
    if (code == RC_OK)
        code = load_secret(s, e);
    if (code != RC_OK) {
        store_close(s);
        return code;
    }
    *out = s;
    return RC_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    writer_stop(s);
    pool_close(s);
    db_close(s->writer);
    blobs_end(s);
    queue_close(s->queue);
    if (s->lock_fd >= 0)
        (void)io_close(s->lock_fd);
    source_tables_close(&s->tables);
    (void)pthread_cond_destroy(&s->pool_came);
    (void)pthread_mutex_destroy(&s->observer_lock);
    (void)pthread_mutex_destroy(&s->folders_lock);
    (void)pthread_mutex_destroy(&s->pins_lock);
    (void)pthread_mutex_destroy(&s->pool_lock);
    mem_free(s);
}

rc store_tidy(struct store *s, struct err *e)
{
    return folder_kept_drop(s->dir, clock_wall_ms(), e);
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

str store_secret(const struct store *s)
{
    return (str){(const char *)s->secret, sizeof s->secret};
}

void store_stats(struct store *s, struct store_stats *st)
{
    *st = (struct store_stats){
        .commits = atomic_load(&s->commits),
        .writes = atomic_load(&s->writes),
        .fsync_failures = atomic_load(&s->fsync_failures),
        .checkpoints = atomic_load(&s->checkpoints),
        .queue_now = queue_count(s->queue),
        .stopped = atomic_load(&s->stopped),
    };
}

void store_stop(struct store *s, const char *why)
{
    atomic_fetch_add(&s->fsync_failures, 1);
    if (!atomic_exchange(&s->stopped, true))
        log_error("store", "nothing is acknowledged until a restart: %s", why);
}

rc store_stopped(struct err *e)
{
    return err_set(e, RC_BUSY,
                   "a write could not be made durable; the server takes no "
                   "writes until it is restarted");
}
