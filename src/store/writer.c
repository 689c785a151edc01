/*
 * The writer thread: the only one that changes the database.
 *
 *   take what waits ─► one transaction, each write whole ─────► COMMIT (fsync)
 *        ▲                                                        │
 *        │         observer, then each write's done   ◄───────────┘
 *        └──────── sweep blob files, checkpoint when the WAL is long
 *
 * While one group is being synced the next one gathers: groups grow with the
 * load and need no timer. What nobody waits for (`late`) is put off while many
 * others come, so that a burst is acknowledged first.
 *
 * The full disk. A file DATA/reserve holds RESERVE_BYTES. When a group finds
 * the disk full, the reserve is removed, so that the WAL can be emptied into
 * the database, and from then on only writes with `frees` run; the others are
 * told RC_NOSPACE, and so are uploads, which would take the room away again.
 * What others hold for a moment (a merge, a log) is waited for. As soon as
 * there is room again (or the database itself has free pages) the reserve is
 * remade and all goes on.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#define PAGE_BYTES 4096
/* A checkpoint costs two fsyncs and a write of each changed page, so a longer
 * WAL is cheaper; but on a small disk it must not take what the reserve can't
 * give back. */
#define WAL_BYTES_MAX (16 * MIB)
#define WAL_BYTES_MIN (1 * MIB)
#define WAL_FREE_SHARE 16   /* of the free space */
#define WAL_READERS_SHARE 4 /* bounds until readers are waited for */
#define READERS_WAIT_MS 200
#define WRITE_BYTES 4096 /* what one adds beside its bodies, roughly */
#define RESERVE_BYTES (4 * MIB)
/* With the reserve and some more, or the disk would be full again soon. */
#define ROOM_BYTES (RESERVE_BYTES + 1 * MIB)
#define FREE_PAGE_BYTES_MIN (256 * KIB)
#define PROBE_MS 250
#define FREEING_WAITS_MAX 10 /* of a group that only frees */
#define FREEING_WAIT_MS 50
#define IDLE_MS 500 /* then the WAL is emptied */
#define FOREVER_MS 3600000
#define QUEUE_WAIT_MS 30000
#define GROUP_MAX 1024 /* writes a commit */
/* So many writes that somebody waits for are a press. */
#define PRESS_MIN 8
#define LATE_NS ((int64_t)2000 * 1000000)
#define LULL_NS ((int64_t)5 * 1000000) /* nothing came: the press is over */

/* ---- the reserve ---- */

static rc reserve_make(struct store *s, struct err *e)
{
    char path[STORE_PATH_MAX];
    uint64_t is = 0;
    struct rng noise = rng_seeded(1); /* so that no file system packs it */
    uint64_t *block;
    int fd = -1;
    rc code = RC_OK;

    store_path(s, path, "reserve");
    if (file_size(path, &is, NULL) == RC_OK && is == RESERVE_BYTES)
        return RC_OK;
    block = mem_alloc(MIB);
    for (size_t i = 0; i < MIB / sizeof *block; i++)
        block[i] = rng_next(&noise);
    fd = io_open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        code = err_errno(e, RC_IO, errno, "cannot make %s", path);
    for (size_t at = 0; code == RC_OK && at < RESERVE_BYTES; at += MIB)
        code = file_pwrite_all(fd, path, (str){(char *)block, MIB}, at, e);
    if (fd >= 0)
        (void)io_close(fd);
    if (code != RC_OK)
        (void)io_unlink(path);
    mem_free(block);
    return code;
}

static void reserve_spend(struct store *s)
{
    char path[STORE_PATH_MAX];

    store_path(s, path, "reserve");
    if (!atomic_exchange(&s->full, true))
        log_warn("store", "disk full: only reads and deletes until there is "
                          "room again");
    (void)io_unlink(path);
}

static uint64_t free_bytes(struct store *s)
{
    uint64_t room = 0;

    if (file_space_free(s->dir, &room, NULL) != RC_OK)
        return 0;
    return room;
}

/* Bytes the database can write without growing. */
static uint64_t free_page_bytes(struct store *s)
{
    int pages = 0;

    if (sql_int(s->writer->conn, "PRAGMA freelist_count", &pages, NULL) !=
            RC_OK ||
        pages < 0)
        return 0;
    return (uint64_t)pages * PAGE_BYTES;
}

/* Is there room again? Asked at most every PROBE_MS. With many free pages the
 * database takes writes even if the disk has no room for the reserve: then it
 * doesn't grow, and the WAL starts over in place. */
static void probe_space(struct store *s)
{
    int64_t now = clock_mono_ns();
    uint64_t room, pages;
    bool full = true;

    if (!atomic_load(&s->full) ||
        now - s->probed_ns < (int64_t)PROBE_MS * 1000000)
        return;
    s->probed_ns = now;
    room = free_bytes(s);
    pages = free_page_bytes(s);
    if (pages >= FREE_PAGE_BYTES_MIN)
        full = false;
    if (room >= RESERVE_BYTES && room + pages >= ROOM_BYTES &&
        reserve_make(s, NULL) == RC_OK)
        full = false;
    atomic_store(&s->full, full);
    if (!full)
        log_info("store", "there is room again");
}

rc store_no_space(struct store *s, uint64_t needed, struct err *e)
{
    uint64_t room = 0;

    (void)!file_space_free(s->dir, &room, NULL);
    return err_set(e, RC_NOSPACE,
                   "disk full: %llu bytes free, %llu needed; reading, "
                   "searching and deleting still work: delete something or "
                   "make room on the disk, then send this again",
                   (unsigned long long)room, (unsigned long long)needed);
}

static void refuse_full(struct store *s, struct write *w)
{
    w->code = store_no_space(s, ROOM_BYTES, &w->err);
}

/* ---- checkpoints ---- */

static int note_wal(void *arg, sqlite3 *conn, const char *name, int frames)
{
    struct store *s = arg;

    (void)conn;
    (void)name;
    s->wal_frames = (uint64_t)frames;
    s->wal_clean = false;
    return SQLITE_OK;
}

static uint64_t wal_bytes_max(struct store *s)
{
    uint64_t bytes = free_bytes(s) / WAL_FREE_SHARE;

    if (bytes > WAL_BYTES_MAX)
        return WAL_BYTES_MAX;
    return bytes < WAL_BYTES_MIN ? WAL_BYTES_MIN : bytes;
}

static void checkpoint(struct store *s, int mode)
{
    sqlite3 *conn = s->writer->conn;
    struct err e;
    int all = 0, done = 0;
    int code = sqlite3_wal_checkpoint_v2(conn, NULL, mode, &all, &done);

    if (code == SQLITE_FULL && !atomic_load(&s->full)) {
        reserve_spend(s);
        code = sqlite3_wal_checkpoint_v2(conn, NULL, mode, &all, &done);
    }
    s->wal_tried = s->wal_frames;
    if (code == SQLITE_OK || code == SQLITE_BUSY) {
        atomic_fetch_add(&s->checkpoints, 1);
        s->wal_clean = all >= 0 && done == all;
        return;
    }
    if (code == SQLITE_FULL)
        return;
    code = sqlite3_extended_errcode(conn);
    (void)sql_error(conn, code, &e);
    log_error("store", "cannot empty the WAL: %s", e.text);
    if (sql_is_sync_failure(code))
        store_stop(s, e.text);
}

/* Readers of old snapshots keep the WAL from starting over; only when it has
 * grown several times too long are they waited for, and not long. */
static void checkpoint_if_long(struct store *s)
{
    uint64_t bound;

    if (s->wal_frames < WAL_BYTES_MIN / PAGE_BYTES || atomic_load(&s->stopped))
        return;
    if (s->wal_tried > s->wal_frames)
        s->wal_tried = 0; /* it started over */
    bound = wal_bytes_max(s) / PAGE_BYTES;
    if (s->wal_frames < bound || s->wal_frames - s->wal_tried < bound / 4)
        return;
    checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    if (s->wal_frames < bound * WAL_READERS_SHARE)
        return;
    (void)sqlite3_busy_timeout(s->writer->conn, READERS_WAIT_MS);
    checkpoint(s, SQLITE_CHECKPOINT_RESTART);
}

/* ---- groups ---- */

/* What a write leaves to be done at its end. */
static rc end_write(struct db *db, struct err *e)
{
    rc code = tallies_write(db, e);

    return code == RC_OK ? blobs_end_write(db, e) : code;
}

/* Takes back what the write did. The first of a group has no savepoint, which
 * would keep a copy of each page it changes: nothing stands before it, so the
 * transaction begins anew. */
static rc undo_write(struct db *db, bool first, struct changes_mark mark,
                     struct err *e)
{
    rc code;

    changes_undo(db, mark);
    if (!first)
        return sql_run(db, "ROLLBACK TO one", e);
    db->in_group = false;
    code = sql_run(db, "ROLLBACK", e);
    if (code == RC_OK)
        code = sql_run(db, "BEGIN IMMEDIATE", e);
    db->in_group = code == RC_OK;
    return code;
}

/* One write, undone if it fails. Its outcome goes to w->code; what is returned
 * is about the transaction: RC_OK as long as the group can go on. */
static rc run_write(struct db *db, struct write *w, bool first, struct err *e)
{
    struct changes_mark mark = changes_begin_write(db);
    rc code = first ? RC_OK : sql_run(db, "SAVEPOINT one", e);

    if (code != RC_OK)
        return code;
    w->err = (struct err){0};
    w->code = w->run(w, db, &w->err);
    if (w->code == RC_OK && db->hard == RC_OK)
        w->code = end_write(db, &w->err);
    if (db->hard == RC_OK && w->code != RC_OK)
        code = undo_write(db, first, mark, e);
    if (db->hard == RC_OK && code == RC_OK && !first)
        code = sql_run(db, "RELEASE one", e);
    if (db->hard == RC_OK)
        return code;
    *e = db->hard_err;
    return db->hard;
}

/* A transaction of as many of the n writes as fit into one; *n says how many.
 * One group must not fill the WAL beyond what the reserve can take out of it
 * again. */
static rc try_group(struct store *s, struct write **v, size_t *n, struct err *e)
{
    struct db *db = s->writer;
    uint64_t bytes_max = wal_bytes_max(s);
    size_t ran = 0;
    rc code;

    db->hard = RC_OK;
    db->sync_failed = false;
    changes_begin_group(db);
    code = sql_run(db, "BEGIN IMMEDIATE", e);
    db->in_group = code == RC_OK;
    for (; code == RC_OK && ran < *n && db->group_bytes < bytes_max; ran++) {
        code = run_write(db, v[ran], ran == 0, e);
        db->group_bytes += WRITE_BYTES;
    }
    if (code == RC_OK)
        code = sql_run(db, "COMMIT", e);
    db->in_group = false;
    if (code == RC_OK) {
        *n = ran;
        return RC_OK;
    }
    db->hard = RC_OK;
    changes_begin_group(db);
    if (sqlite3_get_autocommit(db->conn) == 0)
        (void)sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static void committed(struct store *s, size_t n)
{
    struct db *db = s->writer;

    atomic_fetch_add(&s->commits, 1);
    atomic_fetch_add(&s->writes, n);
    changes_tell(db);
    for (size_t i = 0; i < db->changes_n; i++)
        if (db->changes[i].kind == CHANGE_BASE_GONE)
            source_tables_forget(&s->tables, db->changes[i].base);
    (void)pthread_mutex_lock(&s->pins_lock);
    for (size_t i = 0; i < db->freed_n; i++)
        blob_sweep_later(s, &db->freed[i]);
    (void)pthread_mutex_unlock(&s->pins_lock);
}

/* Writes that have no outcome yet; they are taken from the front. */
struct batch {
    struct write **v;
    size_t n;
    unsigned waits; /* how often room was waited for */
};

static void fail_all(struct batch *b, const struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        b->v[i]->err = *e;
        b->v[i]->code = e->code;
    }
    b->n = 0;
}

/* Keeps those that may run on a full disk, in order; refuses the others. */
static void keep_freeing(struct store *s, struct batch *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->n; i++) {
        if (b->v[i]->frees)
            b->v[kept++] = b->v[i];
        else
            refuse_full(s, b->v[i]);
    }
    b->n = kept;
}

/* The disk is full: gives up the reserve, so that what frees can go on. */
static void make_room(struct store *s, struct batch *b)
{
    reserve_spend(s);
    keep_freeing(s, b);
    checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
}

/* True: it is worth another try. What the room was taken by may be a file that
 * lives for a moment only. */
static bool make_room_again(struct store *s, struct batch *b)
{
    if (b->waits > FREEING_WAITS_MAX)
        return false;
    if (b->waits++ > 0)
        clock_sleep_ms(FREEING_WAIT_MS);
    make_room(s, b);
    return true;
}

/* Commits the batch, in one transaction or few, or says why not. What is left
 * in it afterwards failed together, and each deserves a try of its own. */
static void settle(struct store *s, struct batch *b, struct err *e)
{
    if (atomic_load(&s->full))
        keep_freeing(s, b);
    while (b->n > 0) {
        size_t n = b->n;
        rc code = RC_OK;

        if (atomic_load(&s->stopped))
            (void)store_stopped(e);
        else
            code = try_group(s, b->v, &n, e);
        if (atomic_load(&s->stopped)) {
            fail_all(b, e);
        } else if (code == RC_OK) {
            committed(s, n);
            b->v += n;
            b->n -= n;
        } else if (s->writer->sync_failed) {
            store_stop(s, e->text);
            fail_all(b, e);
        } else if (code != RC_NOSPACE || !make_room_again(s, b)) {
            return;
        }
    }
}

/* Gives each write its outcome. */
static void run_group(struct store *s, struct write *const *v, size_t n)
{
    struct write *order[GROUP_MAX];
    struct batch b = {.v = order, .n = n};
    struct err e = {0};

    ASSERT(n <= GROUP_MAX);
    memcpy(order, v, n * sizeof *v);
    settle(s, &b, &e);
    if (b.n == 1)
        fail_all(&b, &e);
    for (size_t i = 0; i < b.n; i++) {
        struct batch one = {.v = &b.v[i], .n = 1, .waits = b.waits};

        settle(s, &one, &e);
        b.waits = one.waits;
        fail_all(&one, &e);
    }
}

/* ---- the thread ---- */

static bool is_idle(const struct store *s)
{
    return (s->wal_clean && !atomic_load(&s->full)) || atomic_load(&s->stopped);
}

static void run_writes(struct store *s, struct write *const *v, size_t n)
{
    if (n == 0)
        return;
    run_group(s, v, n);
    for (size_t i = 0; i < n; i++)
        v[i]->done(v[i]);
}

static void put_off(struct store *s, struct write *w)
{
    if (s->late_n == 0)
        s->late_ns = clock_mono_ns();
    s->late[s->late_n++] = w;
}

/* Those put off run with the n others, or in groups of their own where that
 * would be too many. */
static void run_late(struct store *s, struct write **v, size_t *n)
{
    size_t late_n = s->late_n;

    s->late_n = 0;
    if (*n + late_n <= s->opts.group_max) {
        for (size_t i = 0; i < late_n; i++)
            v[(*n)++] = s->late[i];
        return;
    }
    for (size_t i = 0; i < late_n; i += s->opts.group_max)
        run_writes(s, s->late + i,
                   late_n - i < s->opts.group_max ? late_n - i
                                                  : s->opts.group_max);
}

/* Many wait now, or did a moment ago and are asking for more. */
static bool is_pressed(struct store *s, size_t prompt_n)
{
    bool was = s->prompt_n >= PRESS_MIN;

    s->prompt_n = prompt_n;
    return prompt_n > 0 &&
           (was || prompt_n + queue_count(s->queue) >= PRESS_MIN);
}

/* Acknowledging goes before writing down what became of documents: what a
 * burst brings in is taken in first. */
static void run_items(struct store *s, void **items, size_t n, bool ending)
{
    struct write *v[GROUP_MAX];
    size_t prompt_n = 0;
    bool pressed, due;

    for (size_t i = 0; i < n; i++) {
        struct write *w = items[i];

        if (w != NULL && w->late && s->late_n < LATE_MAX)
            put_off(s, w);
        else if (w != NULL)
            v[prompt_n++] = w;
    }
    probe_space(s);
    pressed = is_pressed(s, prompt_n);
    due = s->late_n == LATE_MAX ||
          (s->late_n > 0 && clock_mono_ns() - s->late_ns >= LATE_NS);
    if (ending || due || !pressed)
        run_late(s, v, &prompt_n);
    run_writes(s, v, prompt_n);
}

static int64_t wait_ns(const struct store *s)
{
    if (s->late_n > 0)
        return LULL_NS;
    return (int64_t)(is_idle(s) ? FOREVER_MS : IDLE_MS) * 1000000;
}

static void *writer_main(void *arg)
{
    struct store *s = arg;
    void *items[GROUP_MAX];
    size_t n;
    rc code;

    (void)pthread_setname_np(pthread_self(), "writer");
    do {
        bool idle = s->late_n == 0;

        code = queue_take_many(s->queue, items, s->opts.group_max, &n,
                               clock_mono_ns() + wait_ns(s));
        run_items(s, items, n, code == RC_CANCELLED);
        blobs_sweep(s);
        checkpoint_if_long(s);
        if (code == RC_TIMEOUT && idle && !is_idle(s))
            checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    } while (code != RC_CANCELLED);
    return NULL;
}

rc writer_start(struct store *s, struct err *e)
{
    if (s->opts.group_max > GROUP_MAX)
        s->opts.group_max = GROUP_MAX;
    (void)sqlite3_wal_hook(s->writer->conn, note_wal, s);
    /* What a dead process left in the WAL. */
    checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    if (reserve_make(s, e) != RC_OK) {
        if (e->code != RC_NOSPACE)
            return e->code;
        reserve_spend(s);
    }
    if (pthread_create(&s->thread, NULL, writer_main, s) != 0)
        return err_set(e, RC_BUSY, "cannot start the writer thread");
    s->thread_runs = true;
    return RC_OK;
}

void writer_stop(struct store *s)
{
    queue_end(s->queue);
    if (!s->thread_runs)
        return;
    ASSERT(pthread_join(s->thread, NULL) == 0);
    s->thread_runs = false;
    blobs_sweep(s);
    if (!atomic_load(&s->stopped))
        checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
}

void writer_wake(struct store *s)
{
    /* A full queue is awake, an ended one sweeps before it closes. */
    (void)!queue_put(s->queue, NULL, 0);
}

/* ---- submitting ---- */

static rc submit(struct store *s, struct write *w, int64_t until_ns,
                 struct err *e)
{
    rc code;

    ASSERT(w->run != NULL && w->done != NULL);
    if (s->opts.read_only)
        return err_set(e, RC_UNSUPPORTED, "the data folder is open read-only");
    if (atomic_load(&s->stopped))
        return store_stopped(e);
    code = queue_put(s->queue, w, until_ns);
    if (code == RC_CANCELLED)
        return err_set(e, RC_BUSY, "the server is shutting down");
    if (code != RC_OK)
        return err_set(e, RC_BUSY, "too many writes are waiting");
    return RC_OK;
}

rc store_submit(struct store *s, struct write *w, struct err *e)
{
    return submit(s, w, 0, e);
}

struct waiter {
    pthread_mutex_t lock; /* guards: over */
    pthread_cond_t came;
    bool over;
};

static void waiter_close(struct write *w)
{
    struct waiter *wait = w->waiter;

    (void)pthread_cond_destroy(&wait->came);
    (void)pthread_mutex_destroy(&wait->lock);
    mem_free(wait);
    w->waiter = NULL;
    w->done = NULL;
}

static void wake_waiter(struct write *w)
{
    struct waiter *wait = w->waiter;

    (void)pthread_mutex_lock(&wait->lock);
    wait->over = true;
    (void)pthread_cond_signal(&wait->came);
    (void)pthread_mutex_unlock(&wait->lock);
}

rc store_write_begin(struct store *s, struct write *w, struct err *e)
{
    struct waiter *wait = mem_alloc(sizeof *wait);
    rc code;

    ASSERT(w->done == NULL);
    ASSERT(!s->thread_runs || !pthread_equal(pthread_self(), s->thread));
    ASSERT(pthread_mutex_init(&wait->lock, NULL) == 0);
    clock_cond_init(&wait->came);
    w->done = wake_waiter;
    w->waiter = wait;
    code = submit(s, w, clock_mono_ns() + (int64_t)QUEUE_WAIT_MS * 1000000, e);
    if (code != RC_OK)
        waiter_close(w);
    return code;
}

rc store_write_end(struct write *w, struct err *e)
{
    struct waiter *wait = w->waiter;

    /* The writer answers each write it took; it needs no deadline. */
    (void)pthread_mutex_lock(&wait->lock);
    while (!wait->over)
        (void)clock_cond_wait(&wait->came, &wait->lock, INT64_MAX);
    (void)pthread_mutex_unlock(&wait->lock);
    waiter_close(w);
    if (w->code != RC_OK && e != NULL)
        *e = w->err;
    return w->code;
}

rc store_write(struct store *s, struct write *w, struct err *e)
{
    rc code = store_write_begin(s, w, e);

    return code == RC_OK ? store_write_end(w, e) : code;
}
