#include "store/vfs_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"

#define PATH_BYTES_MAX 4096
#define EINTR_TRIES_MAX 100
/* SQLite writes a WAL in two small calls a page. */
#define GATHER_BYTES ((size_t)64 << 10)
/* Julian day 0 to 1970 in ms, as xCurrentTimeInt64 counts. */
#define JULIAN_EPOCH_MS 210866760000000

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* stands right behind this struct */
    const char *path;   /* SQLite's, valid until xClose; NULL: temporary */
    /* The system's VFS syncs the folder with the first sync of a journal or
     * WAL it may have made; so must the record. */
    bool sync_dir;
    /* Writes in a row that have not been handed on yet. */
    bool gathers;
    char *gathered; /* NULL: none so far */
    size_t gathered_n;
    sqlite3_int64 gathered_at;
};

enum shim_kind { SHIM_MAIN, SHIM_WRITER, SHIM_PEEK };

struct shim {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    enum shim_kind kind;
};

/* errno of this thread's last failure, for sqlite3_system_errno. */
static _Thread_local int last_sys;

static struct shim_file *shim_of(sqlite3_file *f)
{
    return (struct shim_file *)(void *)f;
}

/* SQLITE_OK to go on, or `code`. The system retries EINTR, so do we. */
static int gate(enum io_kind kind, const char *path, int code)
{
    int sys = 0;

    for (int i = 0; i < EINTR_TRIES_MAX; i++) {
        sys = io_gate(kind, path);
        if (sys != EINTR)
            break;
    }
    if (sys == 0)
        return SQLITE_OK;
    last_sys = sys;
    if ((sys == ENOSPC || sys == EDQUOT) &&
        (kind == IO_PWRITE || kind == IO_FTRUNCATE))
        return SQLITE_FULL;
    return code;
}

/* Remembers errno where the system's VFS failed. */
static int seen(int code)
{
    if (code != SQLITE_OK)
        last_sys = errno;
    return code == SQLITE_IOERR_WRITE && errno == EDQUOT ? SQLITE_FULL : code;
}

static int sync_dir_of(const char *path, int code)
{
    char dir[PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    int n = snprintf(dir, sizeof dir, "%.*s",
                     slash == NULL ? 1 : (int)(slash - path),
                     slash == NULL ? "." : path);

    if (n < 0 || (size_t)n >= sizeof dir)
        return SQLITE_CANTOPEN;
    code = gate(IO_FSYNC, dir, code);
    if (code == SQLITE_OK)
        io_record(IO_FSYNC, dir, 0, NULL, 0);
    return code;
}

/* ---- writing ---- */

static int write_now(struct shim_file *s, const void *from, size_t n,
                     sqlite3_int64 at)
{
    int code = gate(IO_PWRITE, s->path, SQLITE_IOERR_WRITE);

    if (code != SQLITE_OK)
        return code;
    io_record(IO_PWRITE, s->path, (uint64_t)at, from, n);
    return seen(s->real->pMethods->xWrite(s->real, from, (int)n, at));
}

/* Hands on what was gathered. What fails is gone, as after any failed write:
 * SQLite gives up the transaction and starts again where it began. */
static int write_gathered(struct shim_file *s)
{
    size_t n = s->gathered_n;

    s->gathered_n = 0;
    return n == 0 ? SQLITE_OK : write_now(s, s->gathered, n, s->gathered_at);
}

static int shim_write(sqlite3_file *f, const void *from, int bytes,
                      sqlite3_int64 at)
{
    struct shim_file *s = shim_of(f);
    size_t n = (size_t)bytes;
    int code = SQLITE_OK;

    if (s->gathers && s->gathered == NULL)
        s->gathered = mem_try(GATHER_BYTES);
    if (s->gathered == NULL || n > GATHER_BYTES)
        return write_now(s, from, n, at);
    if (at != s->gathered_at + (sqlite3_int64)s->gathered_n ||
        n > GATHER_BYTES - s->gathered_n)
        code = write_gathered(s);
    if (code != SQLITE_OK)
        return code;
    if (s->gathered_n == 0)
        s->gathered_at = at;
    memcpy(s->gathered + s->gathered_n, from, n);
    s->gathered_n += n;
    return SQLITE_OK;
}

/* ---- files ---- */

static int shim_close(sqlite3_file *f)
{
    struct shim_file *s = shim_of(f);

    (void)write_gathered(s); /* of a transaction that was given up */
    mem_free(s->gathered);
    s->gathered = NULL;
    return s->real->pMethods->xClose(s->real);
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    struct shim_file *s = shim_of(f);
    int code = write_gathered(s);

    if (code == SQLITE_OK)
        code = gate(IO_PREAD, s->path, SQLITE_IOERR_READ);
    if (code != SQLITE_OK)
        return code;
    return seen(s->real->pMethods->xRead(s->real, to, n, at));
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct shim_file *s = shim_of(f);
    int code = write_gathered(s);

    if (code == SQLITE_OK)
        code = gate(IO_FTRUNCATE, s->path, SQLITE_IOERR_TRUNCATE);
    if (code != SQLITE_OK)
        return code;
    io_record(IO_FTRUNCATE, s->path, (uint64_t)size, NULL, 0);
    return seen(s->real->pMethods->xTruncate(s->real, size));
}

static int shim_sync(sqlite3_file *f, int flags)
{
    struct shim_file *s = shim_of(f);
    int code = write_gathered(s);

    if (code == SQLITE_OK)
        code = gate(IO_FSYNC, s->path, SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK)
        return code;
    io_record(IO_FSYNC, s->path, 0, NULL, 0);
    if (s->sync_dir) {
        code = sync_dir_of(s->path, SQLITE_IOERR_DIR_FSYNC);
        if (code != SQLITE_OK)
            return code;
        s->sync_dir = false;
    }
    return seen(s->real->pMethods->xSync(s->real, flags));
}

static int shim_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    struct shim_file *s = shim_of(f);
    int code = write_gathered(s);

    if (code != SQLITE_OK)
        return code;
    return seen(s->real->pMethods->xFileSize(s->real, size));
}

static int shim_lock(sqlite3_file *f, int level)
{
    struct shim_file *s = shim_of(f);

    return seen(s->real->pMethods->xLock(s->real, level));
}

static int shim_unlock(sqlite3_file *f, int level)
{
    struct shim_file *s = shim_of(f);

    return seen(s->real->pMethods->xUnlock(s->real, level));
}

static int shim_check_reserved(sqlite3_file *f, int *reserved)
{
    struct shim_file *s = shim_of(f);

    return seen(s->real->pMethods->xCheckReservedLock(s->real, reserved));
}

static int shim_file_control(sqlite3_file *f, int op, void *arg)
{
    struct shim_file *s = shim_of(f);

    return s->real->pMethods->xFileControl(s->real, op, arg);
}

static int shim_sector_size(sqlite3_file *f)
{
    struct shim_file *s = shim_of(f);

    return s->real->pMethods->xSectorSize(s->real);
}

static int shim_characteristics(sqlite3_file *f)
{
    struct shim_file *s = shim_of(f);

    return s->real->pMethods->xDeviceCharacteristics(s->real);
}

static int shim_shm_map(sqlite3_file *f, int page, int page_bytes, int extend,
                        void volatile **p)
{
    struct shim_file *s = shim_of(f);
    int code = gate(IO_MMAP, s->path, SQLITE_IOERR_SHMMAP);

    if (code != SQLITE_OK)
        return code;
    return seen(
        s->real->pMethods->xShmMap(s->real, page, page_bytes, extend, p));
}

static int shim_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    struct shim_file *s = shim_of(f);

    return seen(s->real->pMethods->xShmLock(s->real, at, n, flags));
}

static void shim_shm_barrier(sqlite3_file *f)
{
    struct shim_file *s = shim_of(f);

    s->real->pMethods->xShmBarrier(s->real);
}

static int shim_shm_unmap(sqlite3_file *f, int drop)
{
    struct shim_file *s = shim_of(f);

    return seen(s->real->pMethods->xShmUnmap(s->real, drop));
}

#define FILE_METHODS                                                         \
    .xClose = shim_close, .xRead = shim_read, .xWrite = shim_write,          \
    .xTruncate = shim_truncate, .xSync = shim_sync,                          \
    .xFileSize = shim_file_size, .xLock = shim_lock, .xUnlock = shim_unlock, \
    .xCheckReservedLock = shim_check_reserved,                               \
    .xFileControl = shim_file_control, .xSectorSize = shim_sector_size,      \
    .xDeviceCharacteristics = shim_characteristics

/* Version 2: with shared memory, without memory-mapped reads (they would
 * bypass the seam). */
static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    FILE_METHODS,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};
static const sqlite3_io_methods PEEK_METHODS = {.iVersion = 1, FILE_METHODS};

/* ---- the system ---- */

static struct shim *shim_of_vfs(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int shim_open(sqlite3_vfs *v, sqlite3_filename path, sqlite3_file *f,
                     int flags, int *out_flags)
{
    struct shim *shim = shim_of_vfs(v);
    struct shim_file *s = shim_of(f);
    int code;

    if (shim->kind == SHIM_PEEK)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) |
                SQLITE_OPEN_READONLY;
    *s = (struct shim_file){.real = (sqlite3_file *)(void *)(s + 1),
                            .path = path,
                            .gathers = shim->kind == SHIM_WRITER &&
                                       (flags & SQLITE_OPEN_WAL) != 0};
    code = gate(IO_OPEN, path, SQLITE_CANTOPEN);
    if (code != SQLITE_OK)
        return code;
    if ((flags & SQLITE_OPEN_CREATE) != 0) {
        io_record(IO_OPEN, path, O_RDWR | O_CREAT, NULL, 0);
        s->sync_dir =
            (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    }
    memset(s->real, 0, (size_t)shim->real->szOsFile);
    code = seen(shim->real->xOpen(shim->real, path, s->real, flags, out_flags));
    if (s->real->pMethods != NULL)
        s->base.pMethods = shim->kind == SHIM_PEEK ? &PEEK_METHODS : &METHODS;
    return code;
}

static int shim_delete(sqlite3_vfs *v, const char *path, int sync_dir)
{
    struct shim *shim = shim_of_vfs(v);
    int code = gate(IO_UNLINK, path, SQLITE_IOERR_DELETE);

    if (code != SQLITE_OK)
        return code;
    io_record(IO_UNLINK, path, 0, NULL, 0);
    if (sync_dir != 0)
        code = sync_dir_of(path, SQLITE_IOERR_DIR_FSYNC);
    if (code != SQLITE_OK)
        return code;
    return seen(shim->real->xDelete(shim->real, path, sync_dir));
}

static int shim_access(sqlite3_vfs *v, const char *path, int flags, int *yes)
{
    struct shim *shim = shim_of_vfs(v);

    return seen(shim->real->xAccess(shim->real, path, flags, yes));
}

static int shim_full_path(sqlite3_vfs *v, const char *path, int n, char *to)
{
    struct shim *shim = shim_of_vfs(v);

    return seen(shim->real->xFullPathname(shim->real, path, n, to));
}

static int shim_randomness(sqlite3_vfs *v, int n, char *to)
{
    (void)v;
    rng_bytes(to, (size_t)n);
    return n;
}

static int shim_sleep(sqlite3_vfs *v, int us)
{
    (void)v;
    clock_sleep_ms(((unsigned)us + 999) / 1000);
    return us;
}

static int shim_time_ms(sqlite3_vfs *v, sqlite3_int64 *ms)
{
    (void)v;
    *ms = JULIAN_EPOCH_MS + clock_wall_ms();
    return SQLITE_OK;
}

static int shim_time(sqlite3_vfs *v, double *days)
{
    sqlite3_int64 ms;

    (void)shim_time_ms(v, &ms);
    *days = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int shim_last_error(sqlite3_vfs *v, int n, char *to)
{
    (void)v;
    if (n > 0)
        to[0] = '\0';
    return last_sys;
}

static struct shim shim_main, shim_writer, shim_peek;
static int register_code;

static int register_shim(struct shim *s, const char *name, const char *of,
                         enum shim_kind kind)
{
    s->real = sqlite3_vfs_find(of);
    if (s->real == NULL)
        return SQLITE_ERROR;
    s->kind = kind;
    s->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct shim_file) + s->real->szOsFile,
        .mxPathname = s->real->mxPathname,
        .zName = name,
        .pAppData = s,
        .xOpen = shim_open,
        .xDelete = shim_delete,
        .xAccess = shim_access,
        .xFullPathname = shim_full_path,
        .xRandomness = shim_randomness,
        .xSleep = shim_sleep,
        .xCurrentTime = shim_time,
        .xGetLastError = shim_last_error,
        .xCurrentTimeInt64 = shim_time_ms,
    };
    return sqlite3_vfs_register(&s->vfs, 0);
}

static void register_once(void)
{
    /* Its counters would be one lock between all readers. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    register_code = sqlite3_initialize();
    if (register_code == SQLITE_OK)
        register_code = register_shim(&shim_main, VFS_NAME, "unix", SHIM_MAIN);
    if (register_code == SQLITE_OK)
        register_code =
            register_shim(&shim_writer, VFS_WRITER_NAME, "unix", SHIM_WRITER);
    if (register_code == SQLITE_OK)
        register_code =
            register_shim(&shim_peek, VFS_PEEK_NAME, "unix-none", SHIM_PEEK);
}

rc vfs_register(struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_once);
    if (register_code != SQLITE_OK)
        return err_set(e, RC_UNSUPPORTED, "cannot set up SQLite: %s",
                       sqlite3_errstr(register_code));
    return RC_OK;
}
