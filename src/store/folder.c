#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/rng.h"
#include "store/vfs_priv.h"

/* The places of a database's header that say whose it is: SQLite's file
 * format, section 1.3. */
#define HEADER_BYTES 100
#define HEADER_USER_VERSION 60
#define HEADER_APPLICATION_ID 68
#define NAMES_MAX 64 /* a fresh folder holds a handful at most */
#define KEPT_MS ((int64_t)14 * 24 * 3600 * 1000)

static const char *const MAKING = "knowd.db.new";
/* A former version's database, its number behind it; and while it is made. */
static const char *const KEPT = "knowd.db.schema-";
static const char *const KEEPING = "knowd.db.schema-new";

/* What a fresh folder may hold: a first start that was cut short, and what
 * mkfs leaves. */
static bool is_fresh_name(str name)
{
    return str_eq(name, STR("lock")) || str_eq(name, STR("lost+found")) ||
           str_starts(name, str_of(MAKING));
}

static rc join(char to[STORE_PATH_MAX], const char *dir, const char *name,
               struct err *e)
{
    int n = snprintf(to, STORE_PATH_MAX, "%s/%s", dir, name);

    if (n < 0 || n >= STORE_PATH_MAX)
        return err_set(e, RC_INVALID, "path of %zu bytes is too long",
                       strlen(dir));
    return RC_OK;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static rc refuse_foreign(const char *dir, struct err *e)
{
    return err_set(e, RC_UNSUPPORTED,
                   "%s is not empty and not a data folder of knowd; nothing "
                   "was changed",
                   dir);
}

static rc judge(const char *dir, uint32_t application, int found, int schema,
                struct err *e)
{
    if (application != APPLICATION_ID || found < 1)
        return refuse_foreign(dir, e);
    if (found > schema)
        return err_set(e, RC_UNSUPPORTED,
                       "%s was written by a newer knowd (schema %d, this one "
                       "knows %d); nothing was changed",
                       dir, found, schema);
    return RC_OK;
}

static rc look_at_names(const char *dir, struct err *e)
{
    struct arena *tmp = arena_open();
    str *names = NULL;
    size_t n;
    rc code = file_list(dir, NAMES_MAX, tmp, &names, &n, e);

    if (code == RC_NOTFOUND && !file_exists(dir)) {
        code = RC_OK;
        n = 0;
    } else if (code == RC_NOTFOUND || code == RC_LIMIT) {
        code = refuse_foreign(dir, e);
    }
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if (!is_fresh_name(names[i]))
            code = refuse_foreign(dir, e);
    }
    arena_close(tmp);
    return code;
}

rc folder_look(const char *dir, int schema, enum folder_kind *kind,
               int *version, struct err *e)
{
    char path[STORE_PATH_MAX];
    uint8_t head[HEADER_BYTES];
    rc code = join(path, dir, "knowd.db", e);
    int fd;

    *version = 0;
    if (code != RC_OK)
        return code;
    fd = io_open(path, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT) {
        *kind = FOLDER_FRESH;
        return look_at_names(dir, e);
    }
    if (fd < 0 && errno == ENOTDIR)
        return refuse_foreign(dir, e);
    if (fd < 0)
        return err_errno(e, RC_IO, errno, "cannot open %s", path);
    *kind = FOLDER_OURS;
    code = file_pread_all(fd, path, head, sizeof head, 0, e);
    (void)io_close(fd);
    if (code == RC_CORRUPT ||
        (code == RC_OK && memcmp(head, "SQLite format 3", 16) != 0))
        return refuse_foreign(dir, e);
    if (code != RC_OK)
        return code;
    *version = (int)big_endian(head + HEADER_USER_VERSION);
    return judge(dir, big_endian(head + HEADER_APPLICATION_ID), *version,
                 schema, e);
}

rc folder_look_deep(const char *dir, int schema, int *version, struct err *e)
{
    char path[STORE_PATH_MAX];
    uint64_t wal_bytes = 0;
    sqlite3 *conn = NULL;
    int application = 0;
    rc code = join(path, dir, "knowd.db-wal", e);

    if (code != RC_OK)
        return code;
    if (file_size(path, &wal_bytes, NULL) != RC_OK || wal_bytes == 0)
        return RC_OK; /* then folder_look saw all of it */
    code = join(path, dir, "knowd.db", e);
    if (code != RC_OK)
        return code;
    if (sqlite3_open_v2(path, &conn, SQLITE_OPEN_READONLY, VFS_PEEK_NAME) !=
        SQLITE_OK) {
        code = sql_error(conn, sqlite3_extended_errcode(conn), e);
        goto done;
    }
    (void)sqlite3_db_config(conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    code = sql_exec(conn, "PRAGMA locking_mode = exclusive", e);
    if (code == RC_OK)
        code = sql_int(conn, "PRAGMA user_version", version, e);
    if (code == RC_OK)
        code = sql_int(conn, "PRAGMA application_id", &application, e);
    if (code == RC_OK)
        code = judge(dir, (uint32_t)application, *version, schema, e);
done:
    (void)sqlite3_close(conn);
    return code;
}

static rc fill(sqlite3 *conn, struct err *e)
{
    uint8_t secret[SECRET_BYTES];
    sqlite3_stmt *st = NULL;
    rc code;

    /* No second reader and no second chance: the file counts only once it is
     * whole and renamed. */
    code = sql_exec(conn,
                    "PRAGMA page_size = 4096; PRAGMA journal_mode = off;"
                    "PRAGMA application_id = 0x6b6e6f77",
                    e);
    if (code == RC_OK)
        code = migrations_run(conn, MIGRATIONS, MIGRATIONS_N, e);
    if (code != RC_OK)
        return code;
    rng_bytes(secret, sizeof secret);
    if (sqlite3_prepare_v2(conn, "INSERT INTO meta VALUES('secret', ?1)", -1,
                           &st, NULL) != SQLITE_OK ||
        sqlite3_bind_blob(st, 1, secret, sizeof secret, SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_step(st) != SQLITE_DONE)
        code = sql_error(conn, sqlite3_extended_errcode(conn), e);
    (void)sqlite3_finalize(st);
    return code;
}

rc folder_make(const char *dir, struct err *e)
{
    char from[STORE_PATH_MAX], to[STORE_PATH_MAX];
    sqlite3 *conn = NULL;
    rc code = join(from, dir, MAKING, e);

    if (code == RC_OK)
        code = join(to, dir, "knowd.db", e);
    if (code != RC_OK)
        return code;
    if (file_exists(from) && io_unlink(from) != 0)
        return err_errno(e, RC_IO, errno, "cannot remove %s", from);
    if (sqlite3_open_v2(from, &conn, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        VFS_NAME) != SQLITE_OK)
        code = sql_error(conn, sqlite3_extended_errcode(conn), e);
    if (code == RC_OK)
        code = fill(conn, e);
    (void)sqlite3_close(conn);
    if (code != RC_OK)
        return err_wrap(e, "cannot make %s", to);
    if (io_rename(from, to) != 0)
        return err_errno(e, RC_IO, errno, "cannot make %s", to);
    if (io_fsync_dir(dir) != 0)
        return err_errno(e, RC_IO, errno, "cannot sync %s", dir);
    return RC_OK;
}

/* ---- what a former version left ---- */

/* Page by page, as the connection sees it: its WAL is part of it. */
static rc pages_copy(sqlite3 *from, const char *path, struct err *e)
{
    sqlite3_backup *copy = NULL;
    sqlite3 *to = NULL;
    rc code = RC_OK;

    if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        VFS_NAME) != SQLITE_OK)
        code = sql_error(to, sqlite3_extended_errcode(to), e);
    if (code == RC_OK) /* it counts once it is synced and renamed */
        code = sql_exec(to, "PRAGMA journal_mode = off", e);
    if (code == RC_OK) {
        copy = sqlite3_backup_init(to, "main", from, "main");
        if (copy == NULL || sqlite3_backup_step(copy, -1) != SQLITE_DONE)
            code = sql_error(to, sqlite3_extended_errcode(to), e);
        if (copy != NULL && sqlite3_backup_finish(copy) != SQLITE_OK &&
            code == RC_OK)
            code = sql_error(to, sqlite3_extended_errcode(to), e);
    }
    (void)sqlite3_close(to);
    return code;
}

static rc sync_file(const char *path, struct err *e)
{
    int fd = io_open(path, O_RDWR, 0);
    rc code = RC_OK;

    if (fd < 0 || io_fsync(fd, path) != 0)
        code = err_errno(e, RC_IO, errno, "cannot sync %s", path);
    if (fd >= 0)
        (void)io_close(fd);
    return code;
}

rc folder_keep(const char *dir, sqlite3 *conn, int version, struct err *e)
{
    char from[STORE_PATH_MAX], to[STORE_PATH_MAX], name[40];
    rc code;

    (void)snprintf(name, sizeof name, "%s%d", KEPT, version);
    code = join(to, dir, name, e);
    if (code == RC_OK)
        code = join(from, dir, KEEPING, e);
    if (code != RC_OK)
        return code;
    if (file_exists(from) && io_unlink(from) != 0)
        return err_errno(e, RC_IO, errno, "cannot remove %s", from);
    code = pages_copy(conn, from, e);
    if (code == RC_OK)
        code = sync_file(from, e);
    if (code == RC_OK && io_rename(from, to) != 0)
        code = err_errno(e, RC_IO, errno, "cannot rename it");
    if (code == RC_OK && io_fsync_dir(dir) != 0)
        code = err_errno(e, RC_IO, errno, "cannot sync %s", dir);
    if (code != RC_OK) {
        if (file_exists(from))
            (void)io_unlink(from);
        return err_wrap(e, "cannot keep %s before the upgrade", to);
    }
    return RC_OK;
}

rc folder_kept_drop(const char *dir, int64_t now_ms, struct err *e)
{
    struct arena *tmp = arena_open();
    char path[STORE_PATH_MAX];
    str *names = NULL;
    size_t n = 0;
    rc code = file_list(dir, SIZE_MAX, tmp, &names, &n, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        struct stat st;

        if (!str_starts(names[i], str_of(KEPT)))
            continue;
        code = join(path, dir, names[i].p, e);
        if (code == RC_OK && stat(path, &st) == 0 &&
            now_ms - (int64_t)st.st_mtim.tv_sec * 1000 > KEPT_MS &&
            io_unlink(path) != 0)
            code = err_errno(e, RC_IO, errno, "cannot remove %s", path);
    }
    arena_close(tmp);
    return code;
}

rc folder_clean(const char *dir, struct err *e)
{
    char tmp_dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
    struct arena *tmp = arena_open();
    str *names = NULL;
    size_t n = 0;
    rc code = join(tmp_dir, dir, "tmp", e);

    if (code == RC_OK)
        code = file_mkdirs(tmp_dir, 0700, e);
    if (code == RC_OK)
        code = file_list(tmp_dir, SIZE_MAX, tmp, &names, &n, e);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        code = join(path, tmp_dir, names[i].p, e);
        if (code == RC_OK && io_unlink(path) != 0)
            code = err_errno(e, RC_IO, errno, "cannot remove %s", path);
    }
    arena_close(tmp);
    return code;
}
