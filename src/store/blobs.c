/*
 * Bodies by sha256. A row says how long one is, how many rows use it, and
 * where it is: in the database up to BLOB_INLINE_BYTES_MAX, else in a file.
 *
 * Files live by three rules:
 *  - Only an upload makes one, under the writer's eyes: it pins the hash
 *    before it renames the file into place.
 *  - Only the writer thread makes or drops rows.
 *  - A file goes only in a sweep: on the writer thread, when it has neither
 *    row nor pin, with the pins locked so that no upload can come between.
 * So whatever order uploads, uses and releases of one body come in, a row
 * always has its file.
 */
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/frames_priv.h"

#define BUFFER_BYTES_MIN ((size_t)4 << 10)
#define PLAIN_MEMORY_MAX (16 * MIB) /* larger ones go to an unlinked file */
#define PREPAID_LOOKS 4
#define OPEN_LOOKS 4

/* What an upload gathers before it becomes a file, and what is read at once. */
#define PIECE_BYTES ((size_t)BLOB_INLINE_BYTES_MAX)

static_assert(PIECE_BYTES % FRAME_BYTES == 0, "a piece is whole frames");

struct blob_writer {
    struct store *store;
    struct sha256_stream *hash;
    struct blob_ref ref;
    char *buffer; /* at most a piece */
    size_t n, cap;
    struct frames_out *frames; /* NULL: it still fits into the buffer */
    int fd;
    char path[STORE_PATH_MAX]; /* of the temporary file */
    bool has_file, ended, pinned;
};

void blob_path(const struct store *s, const sha256 *sha,
               char to[STORE_PATH_MAX])
{
    static const char DIGITS[] = "0123456789abcdef";
    char hex[2 * sizeof sha->b + 1], name[8 + sizeof hex + 3];

    for (size_t i = 0; i < sizeof sha->b; i++) {
        hex[2 * i] = DIGITS[sha->b[i] >> 4];
        hex[2 * i + 1] = DIGITS[sha->b[i] & 15];
    }
    hex[sizeof hex - 1] = '\0';
    (void)snprintf(name, sizeof name, "blobs/%.2s/%s", hex, hex);
    store_path(s, to, name);
}

/* ---- pins ---- */

static str pin_key(const sha256 *sha)
{
    return (str){(const char *)sha->b, sizeof sha->b};
}

static void pin(struct store *s, const sha256 *sha)
{
    (void)pthread_mutex_lock(&s->pins_lock);
    ++*map_slot(s->pins, pin_key(sha), NULL);
    (void)pthread_mutex_unlock(&s->pins_lock);
}

void blob_sweep_later(struct store *s, const sha256 *sha)
{
    if (s->sweep_n == s->sweep_cap) {
        s->sweep_cap = s->sweep_cap == 0 ? 16 : 2 * s->sweep_cap;
        s->sweep = mem_resize(s->sweep, s->sweep_cap * sizeof *s->sweep);
    }
    s->sweep[s->sweep_n++] = *sha;
}

/* The last pin may leave a file without a row: an upload nobody used, or one
 * whose row went while it was pinned. */
static void unpin(struct store *s, const sha256 *sha)
{
    uint64_t *pins;
    bool last;

    (void)pthread_mutex_lock(&s->pins_lock);
    pins = map_find(s->pins, pin_key(sha));
    ASSERT(pins != NULL && *pins > 0);
    last = --*pins == 0;
    if (last) {
        (void)map_drop(s->pins, pin_key(sha));
        blob_sweep_later(s, sha);
    }
    (void)pthread_mutex_unlock(&s->pins_lock);
    if (last)
        writer_wake(s);
}

static rc row_is_there(struct db *db, const sha256 *sha, bool *yes,
                       struct err *e)
{
    struct q q = q_open(db, "SELECT 1 FROM blob WHERE sha = ?1");

    q_sha(&q, sha);
    *yes = q_row(&q);
    return q_end(&q, e);
}

static void sweep_one(struct store *s, const sha256 *sha)
{
    char path[STORE_PATH_MAX];
    struct err e;
    bool has_row = true;

    if (row_is_there(s->writer, sha, &has_row, &e) != RC_OK || has_row)
        return;
    blob_path(s, sha, path);
    (void)pthread_mutex_lock(&s->pins_lock);
    if (map_find(s->pins, pin_key(sha)) == NULL && io_unlink(path) != 0 &&
        errno != ENOENT)
        log_warn("store", "cannot remove %s; the next start will", path);
    (void)pthread_mutex_unlock(&s->pins_lock);
}

void blobs_sweep(struct store *s)
{
    sha256 *v;
    size_t n;

    (void)pthread_mutex_lock(&s->pins_lock);
    v = s->sweep;
    n = s->sweep_n;
    s->sweep = NULL;
    s->sweep_n = s->sweep_cap = 0;
    (void)pthread_mutex_unlock(&s->pins_lock);
    s->writer->hard = RC_OK;
    /* Once an fsync has failed nobody knows which rows are on the disk. */
    for (size_t i = 0; i < n && !atomic_load(&s->stopped); i++)
        sweep_one(s, &v[i]);
    mem_free(v);
}

/* ---- start and end ---- */

static rc clean_folder(struct store *s, const char *ab, struct err *e)
{
    char dir[STORE_PATH_MAX], path[STORE_PATH_MAX], name[16];
    struct arena *tmp = arena_open();
    str *names = NULL;
    size_t n = 0;
    rc code;

    (void)snprintf(name, sizeof name, "blobs/%s", ab);
    store_path(s, dir, name);
    code = file_list(dir, SIZE_MAX, tmp, &names, &n, e);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        bool has_row;
        sha256 sha;

        if (!sha256_from_hex(names[i], &sha) ||
            !str_starts(names[i], str_of(ab)))
            continue;
        code = row_is_there(s->writer, &sha, &has_row, e);
        if (code != RC_OK || has_row)
            continue;
        blob_path(s, &sha, path);
        if (io_unlink(path) != 0)
            code = err_errno(e, RC_IO, errno, "cannot remove %s", path);
    }
    arena_close(tmp);
    return code;
}

/* A dead process may have left files it never got to list. */
rc blobs_start(struct store *s, struct err *e)
{
    char dir[STORE_PATH_MAX];
    struct arena *tmp = arena_open();
    str *names = NULL;
    size_t n = 0;
    rc code;

    store_path(s, dir, "blobs");
    code = file_mkdirs(dir, 0700, e);
    if (code == RC_OK)
        code = file_list(dir, SIZE_MAX, tmp, &names, &n, e);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if (names[i].n == 2)
            code = clean_folder(s, names[i].p, e);
    }
    arena_close(tmp);
    return code;
}

void blobs_end(struct store *s)
{
    ASSERT(map_count(s->pins) == 0); /* no upload outlives the store */
    map_close(s->pins);
    mem_free(s->sweep);
}

/* ---- uploads ---- */

rc blob_writer_open(struct store *s, struct blob_writer **out, struct err *e)
{
    struct blob_writer *w;

    if (s->opts.read_only)
        return err_set(e, RC_UNSUPPORTED, "the data folder is open read-only");
    w = mem_alloc(sizeof *w);
    w->store = s;
    w->hash = sha256_open();
    w->fd = -1;
    *out = w;
    return RC_OK;
}

static rc tmp_file(struct store *s, int *fd, char path[STORE_PATH_MAX],
                   struct err *e)
{
    char name[32];
    uint64_t chance;

    rng_bytes(&chance, sizeof chance);
    (void)snprintf(name, sizeof name, "tmp/%016llx",
                   (unsigned long long)chance);
    store_path(s, path, name);
    *fd = io_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (*fd < 0)
        return err_errno(e, RC_IO, errno, "cannot make %s", path);
    return RC_OK;
}

/* The buffer is full or all there is. */
static rc flush_piece(struct blob_writer *w, struct err *e)
{
    rc code = RC_OK;

    /* What the reserve gave up is for deletes. */
    if (atomic_load(&w->store->full))
        return store_no_space(w->store, w->ref.bytes, e);
    if (!w->has_file) {
        code = tmp_file(w->store, &w->fd, w->path, e);
        if (code != RC_OK)
            return code;
        w->has_file = true;
        code = frames_out_open(w->fd, w->path, &w->frames, e);
    }
    if (code == RC_OK && w->n > 0)
        code = frames_out_put(w->frames, w->buffer, w->n, e);
    w->n = 0;
    return code;
}

static rc make_room(struct blob_writer *w, size_t n, struct err *e)
{
    size_t cap = w->cap == 0 ? BUFFER_BYTES_MIN : w->cap;
    char *to;

    while (cap < w->n + n && cap < PIECE_BYTES)
        cap *= 2;
    if (cap == w->cap)
        return RC_OK;
    to = mem_try_resize(w->buffer, cap);
    if (to == NULL)
        return err_set(e, RC_NOMEM, "no memory for an upload");
    w->buffer = to;
    w->cap = cap;
    return RC_OK;
}

rc blob_put(struct blob_writer *w, const void *p, size_t n, struct err *e)
{
    const char *from = p;
    rc code = RC_OK;

    ASSERT(!w->ended);
    while (n > 0 && code == RC_OK) {
        size_t take;

        if (w->n == PIECE_BYTES)
            code = flush_piece(w, e);
        if (code == RC_OK)
            code = make_room(w, n, e);
        if (code != RC_OK)
            break;
        take = w->cap - w->n < n ? w->cap - w->n : n;
        memcpy(w->buffer + w->n, from, take);
        sha256_put(w->hash, from, take);
        w->n += take;
        w->ref.bytes += take;
        from += take;
        n -= take;
    }
    return code == RC_NOSPACE ? store_no_space(w->store, w->ref.bytes + n, e)
                              : code;
}

/* An fsync that fails once may succeed the next time without the bytes being
 * there, so it is never tried again. */
static rc sync_failed(struct store *s, const char *path, struct err *e)
{
    struct err why;
    rc code = err_errno(&why, RC_IO, errno, "cannot sync %s", path);

    store_stop(s, why.text);
    if (e != NULL)
        *e = why;
    return code;
}

/* blobs/ab, durable before the first file in it is. */
static rc make_folder(struct store *s, const sha256 *sha, struct err *e)
{
    char dir[STORE_PATH_MAX], above[STORE_PATH_MAX];
    bool *durable = &s->folder_durable[sha->b[0]];
    rc code = RC_OK;

    blob_path(s, sha, dir);
    *strrchr(dir, '/') = '\0';
    (void)pthread_mutex_lock(&s->folders_lock);
    if (*durable)
        goto done;
    if (io_mkdir(dir, 0700) != 0 && errno != EEXIST) {
        code = err_errno(e, RC_IO, errno, "cannot make the folder %s", dir);
        goto done;
    }
    store_path(s, above, "blobs");
    if (io_fsync_dir(above) != 0)
        code = sync_failed(s, above, e);
    *durable = code == RC_OK;
done:
    (void)pthread_mutex_unlock(&s->folders_lock);
    return code;
}

/* The temporary file becomes the blob's. One that is there already is
 * replaced by its equal, which also heals a damaged one. */
static rc publish(struct blob_writer *w, struct err *e)
{
    char path[STORE_PATH_MAX];
    rc code = make_folder(w->store, &w->ref.sha, e);

    if (code != RC_OK)
        return code;
    if (io_fsync(w->fd, w->path) != 0)
        return sync_failed(w->store, w->path, e);
    blob_path(w->store, &w->ref.sha, path);
    pin(w->store, &w->ref.sha);
    w->pinned = true;
    if (io_rename(w->path, path) != 0)
        return err_errno(e, RC_IO, errno, "cannot make %s", path);
    w->has_file = false;
    *strrchr(path, '/') = '\0';
    if (io_fsync_dir(path) != 0)
        return sync_failed(w->store, path, e);
    return RC_OK;
}

rc blob_end(struct blob_writer *w, struct blob_ref *ref, struct err *e)
{
    rc code = RC_OK;

    ASSERT(!w->ended);
    w->ref.sha = sha256_end(w->hash);
    if (w->has_file) {
        code = flush_piece(w, e);
        if (code == RC_OK)
            code = frames_out_end(w->frames, e);
        if (code == RC_OK)
            code = publish(w, e);
    }
    if (code == RC_NOSPACE)
        return store_no_space(w->store, w->ref.bytes, e);
    if (code != RC_OK)
        return code;
    w->ended = true;
    *ref = w->ref;
    return RC_OK;
}

uint64_t blob_writer_bytes(const struct blob_writer *w)
{
    return w->ref.bytes;
}

void blob_writer_close(struct blob_writer *w)
{
    if (w == NULL)
        return;
    frames_out_close(w->frames);
    if (w->fd >= 0)
        (void)io_close(w->fd);
    if (w->has_file && io_unlink(w->path) != 0)
        log_warn("store", "cannot remove %s; the next start will", w->path);
    if (w->pinned)
        unpin(w->store, &w->ref.sha);
    sha256_close(w->hash);
    mem_free(w->buffer);
    mem_free(w);
}

/* ---- rows ---- */

/* The pin may go before the commit: only this thread sweeps, after it. */
rc blob_add(struct db *db, str bytes, struct blob_ref *ref, struct err *e)
{
    struct blob_writer *w = NULL;
    rc code;

    if ((code = blob_writer_open(db->store, &w, e)) == RC_OK &&
        (code = blob_put(w, bytes.p, bytes.n, e)) == RC_OK &&
        (code = blob_end(w, ref, e)) == RC_OK)
        code = blob_use(db, w, e);
    blob_writer_close(w);
    return code;
}

static rc insert_body(struct db *db, const struct blob_writer *w, int64_t id,
                      struct err *e)
{
    struct q q =
        q_open(db, "INSERT INTO body(id, crc, bytes) VALUES(?1, ?2, ?3)");

    q_int(&q, id);
    q_uint(&q, crc32c(w->buffer, w->n));
    q_blob(&q, w->buffer, w->n);
    db->group_bytes += w->n;
    return q_run(&q, NULL, e);
}

/* The id of the next body. Only the writer makes any, so it counts by itself:
 * a blob's row can name its body before that is there. */
static rc body_next(struct db *db, int64_t *id, struct err *e)
{
    rc code = RC_OK;

    if (db->body_last == 0) {
        struct q q = q_open(db, "SELECT coalesce(max(id), 0) FROM body");

        if (q_row(&q))
            db->body_last = q_get_int(&q);
        code = q_end(&q, e);
    }
    if (code == RC_OK)
        *id = ++db->body_last;
    return code;
}

static void touch(struct db *db, const sha256 *sha, bool prepaid)
{
    struct touched t = {*sha, prepaid};

    ARENA_PUSH(db->group, db->touched, db->touched_n, db->touched_cap, t);
}

rc blob_use(struct db *db, struct blob_writer *w, struct err *e)
{
    bool is_file = w->ref.bytes > BLOB_INLINE_BYTES_MAX;
    int64_t body = 0;
    uint64_t made;
    struct q q;
    rc code = RC_OK;

    ASSERT(db->writer && w->ended);
    if (!is_file)
        code = body_next(db, &body, e);
    if (code != RC_OK)
        return code;
    q = q_open(db, "INSERT INTO blob(sha, bytes, uses, body)"
                   " VALUES(?1, ?2, 1, nullif(?3, 0))"
                   " ON CONFLICT DO NOTHING");
    q_sha(&q, &w->ref.sha);
    q_uint(&q, w->ref.bytes);
    q_int(&q, body);
    code = q_run(&q, &made, e);
    if (code != RC_OK || made == 0) /* it is there */
        return code;
    touch(db, &w->ref.sha, true);
    return is_file ? RC_OK : insert_body(db, w, body, e);
}

static rc change_uses(struct db *db, const sha256 *sha, int by, struct err *e)
{
    struct q q = q_open(db, "UPDATE blob SET uses = uses + ?2 WHERE sha = ?1");
    uint64_t changed;
    rc code;

    q_sha(&q, sha);
    q_int(&q, by);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed == 0)
        return err_set(e, RC_NOTFOUND, "no such body");
    return code;
}

/* Who holds a body next is mostly who brought it a moment ago: its use was
 * written with the row, and nothing is left to look at when the write ends. */
static bool take_prepaid(struct db *db, const sha256 *sha)
{
    for (size_t i = db->touched_n; i > 0 && db->touched_n - i < PREPAID_LOOKS;
         i--) {
        const struct touched *t = &db->touched[i - 1];

        if (t->prepaid && sha256_eq(&t->sha, sha)) {
            db->touched[i - 1] = db->touched[--db->touched_n];
            return true;
        }
    }
    return false;
}

rc blob_hold(struct db *db, const sha256 *sha, struct err *e)
{
    return take_prepaid(db, sha) ? RC_OK : change_uses(db, sha, 1, e);
}

rc blob_let_go(struct db *db, const sha256 *sha, struct err *e)
{
    rc code = change_uses(db, sha, -1, e);

    if (code == RC_OK)
        touch(db, sha, false);
    return code;
}

static rc drop_unused(struct db *db, const sha256 *sha, struct err *e)
{
    struct q q = q_open(db, "DELETE FROM blob WHERE sha = ?1 AND uses <= 0"
                            " RETURNING coalesce(body, 0)");
    int64_t body = -1;
    rc code;

    q_sha(&q, sha);
    while (q_row(&q))
        body = q_get_int(&q);
    code = q_end(&q, e);
    if (code != RC_OK || body < 0)
        return code;
    if (body == 0) {
        ARENA_PUSH(db->group, db->freed, db->freed_n, db->freed_cap, *sha);
        return RC_OK;
    }
    q = q_open(db, "DELETE FROM body WHERE id = ?1");
    q_int(&q, body);
    return q_run(&q, NULL, e);
}

rc blobs_end_write(struct db *db, struct err *e)
{
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < db->touched_n; i++) {
        const struct touched *t = &db->touched[i];

        if (t->prepaid) /* nobody took its use */
            code = change_uses(db, &t->sha, -1, e);
        if (code == RC_OK)
            code = drop_unused(db, &t->sha, e);
    }
    return code;
}

/* ---- reading ---- */

struct found {
    uint64_t bytes;
    bool is_file;
    str body; /* in the arena, checked */
};

static rc find(struct db *db, const sha256 *sha, struct arena *out,
               struct found *f, struct err *e)
{
    struct q q =
        q_open(db, "SELECT blob.bytes, blob.body IS NULL, body.crc, body.bytes"
                   " FROM blob LEFT JOIN body ON body.id = blob.body"
                   " WHERE blob.sha = ?1");
    uint32_t crc = 0;
    rc code;

    q_sha(&q, sha);
    if (q_row(&q)) {
        f->bytes = q_get_uint(&q);
        f->is_file = q_get_bool(&q);
        crc = q_get_u32(&q);
        f->body = q_get_blob(&q, out);
    }
    code = q_end_one(&q, "body", e);
    if (code != RC_OK || f->is_file)
        return code;
    if (f->body.n != f->bytes || crc32c(f->body.p, f->body.n) != crc)
        return err_set(e, RC_CORRUPT, "database: a body is damaged");
    return RC_OK;
}

/* A reader's snapshot may still list a body whose file went with a later
 * commit; only without such a commit is a missing file damage. */
static rc missing_file(struct db *db, const sha256 *sha, struct err *e)
{
    struct db *fresh;
    bool there = false;
    rc code = store_read_begin(db->store, &fresh, e);

    if (code != RC_OK)
        return code;
    code = row_is_there(fresh, sha, &there, e);
    store_read_end(fresh);
    if (code != RC_OK)
        return code;
    if (there)
        return err_set(e, RC_CORRUPT, "the file of a body is missing");
    return err_set(e, RC_NOTFOUND, "no such body");
}

static rc open_frames(struct db *db, const sha256 *sha, uint64_t bytes,
                      char path[STORE_PATH_MAX], struct frames_in **f,
                      struct err *e)
{
    rc code = RC_CORRUPT;

    blob_path(db->store, sha, path);
    /* Between the two looks the body may have come in once more. */
    for (int i = 0; i < OPEN_LOOKS && code == RC_CORRUPT; i++) {
        code = frames_in_open(path, bytes, f, e);
        if (code != RC_NOTFOUND)
            return code;
        code = missing_file(db, sha, e);
    }
    return code;
}

void bodies_close(struct db *db)
{
    for (size_t i = 0; i < OPEN_BODIES_MAX; i++) {
        frames_in_close(db->bodies[i].file);
        db->bodies[i] = (struct open_body){0};
    }
}

static bool body_is(const struct open_body *body, const sha256 *sha,
                    uint64_t bytes)
{
    return body->file != NULL && body->bytes == bytes &&
           sha256_eq(&body->sha, sha);
}

/* Puts the body's place first, be it open or that of the one read longest
 * ago, which is closed. */
static struct open_body *body_first(struct db *db, const sha256 *sha,
                                    uint64_t bytes)
{
    struct open_body first;
    size_t i = 0;

    while (i + 1 < OPEN_BODIES_MAX && db->bodies[i].file != NULL &&
           !body_is(&db->bodies[i], sha, bytes))
        i++;
    first = db->bodies[i];
    memmove(db->bodies + 1, db->bodies, i * sizeof *db->bodies);
    if (!body_is(&first, sha, bytes)) {
        frames_in_close(first.file);
        first = (struct open_body){.sha = *sha, .bytes = bytes};
    }
    db->bodies[0] = first;
    return db->bodies;
}

static rc read_open(struct db *db, const sha256 *sha, uint64_t bytes,
                    uint64_t at, size_t n, void *to, bool *was_open,
                    struct err *e)
{
    struct open_body *body = body_first(db, sha, bytes);
    char path[STORE_PATH_MAX];
    rc code = RC_OK;

    *was_open = body->file != NULL;
    if (!*was_open)
        code = open_frames(db, sha, bytes, path, &body->file, e);
    if (code == RC_OK)
        code = frames_in_read(body->file, at, n, to, e);
    if (code != RC_OK || db->writer)
        bodies_close(db);
    return code;
}

/* A body's bytes [at, at + n) out of its file. A reader keeps the file open,
 * whatever becomes of its name; a damaged one may have been replaced by a sound
 * one since. */
static rc read_file(struct db *db, const sha256 *sha, uint64_t bytes,
                    uint64_t at, size_t n, void *to, struct err *e)
{
    bool was_open;
    rc code = read_open(db, sha, bytes, at, n, to, &was_open, e);

    if (code != RC_OK && was_open)
        code = read_open(db, sha, bytes, at, n, to, &was_open, e);
    return code;
}

/* At most n bytes from `at` on of what was found. */
static rc read_found(struct db *db, const sha256 *sha, const struct found *f,
                     uint64_t at, size_t n, struct arena *out, str *bytes,
                     struct err *e)
{
    char *to;
    rc code;

    if (at > f->bytes)
        at = f->bytes;
    if (n > f->bytes - at)
        n = (size_t)(f->bytes - at);
    if (!f->is_file) {
        *bytes = str_sub(f->body, (size_t)at, n);
        return RC_OK;
    }
    to = arena_alloc(out, n + 1);
    code = read_file(db, sha, f->bytes, at, n, to, e);
    *bytes = (str){to, n};
    return code;
}

rc blob_read_range(struct db *db, const sha256 *sha, uint64_t at, size_t n,
                   struct arena *out, str *bytes, struct err *e)
{
    struct found f = {0};
    rc code = find(db, sha, out, &f, e);

    return code == RC_OK ? read_found(db, sha, &f, at, n, out, bytes, e) : code;
}

rc blob_read(struct db *db, const sha256 *sha, size_t bytes_max,
             struct arena *out, str *bytes, struct err *e)
{
    struct found f = {0};
    rc code = find(db, sha, out, &f, e);

    if (code != RC_OK)
        return code;
    if (f.bytes > bytes_max)
        return err_set(e, RC_LIMIT, "a body of %llu bytes, limit %zu",
                       (unsigned long long)f.bytes, bytes_max);
    return read_found(db, sha, &f, 0, (size_t)f.bytes, out, bytes, e);
}

/* Where a child may read the plain bytes: memory, or a file without a name. */
static rc plain_fd(struct store *s, uint64_t bytes, int *fd,
                   char path[STORE_PATH_MAX], struct err *e)
{
    int sys;

    if (bytes > PLAIN_MEMORY_MAX && !s->opts.read_only) {
        rc code = tmp_file(s, fd, path, e);

        if (code == RC_OK && io_unlink(path) != 0)
            log_warn("store", "cannot remove %s; the next start will", path);
        return code;
    }
    (void)snprintf(path, STORE_PATH_MAX, "memory of a body");
    sys = io_gate(IO_ALLOC, NULL);
    errno = sys;
    *fd = sys == 0 ? memfd_create("body", MFD_CLOEXEC) : -1;
    if (*fd < 0)
        return err_errno(e, errno == ENOMEM ? RC_NOMEM : RC_IO, errno,
                         "no memory for a body");
    return RC_OK;
}

static rc copy_frames(struct frames_in *f, uint64_t bytes, int fd,
                      const char *path, struct err *e)
{
    char *piece = mem_try(PIECE_BYTES);
    rc code = RC_OK;

    if (piece == NULL)
        return err_set(e, RC_NOMEM, "no memory for a body");
    for (uint64_t at = 0; code == RC_OK && at < bytes; at += PIECE_BYTES) {
        size_t n =
            bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;

        code = frames_in_read(f, at, n, piece, e);
        if (code == RC_OK)
            code = file_pwrite_all(fd, path, (str){piece, n}, at, e);
    }
    mem_free(piece);
    return code;
}

rc blob_open_plain(struct db *db, const sha256 *sha, int *fd, struct err *e)
{
    char path[STORE_PATH_MAX], to[STORE_PATH_MAX];
    struct arena *tmp = arena_open();
    struct frames_in *f = NULL;
    struct found found = {0};
    rc code = find(db, sha, tmp, &found, e);

    *fd = -1;
    if (code == RC_OK && found.is_file)
        code = open_frames(db, sha, found.bytes, path, &f, e);
    if (code == RC_OK)
        code = plain_fd(db->store, found.bytes, fd, to, e);
    if (code == RC_OK && found.is_file)
        code = copy_frames(f, found.bytes, *fd, to, e);
    else if (code == RC_OK)
        code = file_pwrite_all(*fd, to, found.body, 0, e);
    if (code != RC_OK && *fd >= 0) {
        (void)io_close(*fd);
        *fd = -1;
    }
    frames_in_close(f);
    arena_close(tmp);
    return code;
}

static rc hash_frames(struct frames_in *f, uint64_t bytes, sha256 *is,
                      struct err *e)
{
    struct sha256_stream *hash = sha256_open();
    char *piece = mem_try(PIECE_BYTES);
    rc code = RC_OK;

    if (piece == NULL)
        code = err_set(e, RC_NOMEM, "no memory for a body");
    for (uint64_t at = 0; code == RC_OK && at < bytes; at += PIECE_BYTES) {
        size_t n =
            bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;

        code = frames_in_read(f, at, n, piece, e);
        if (code == RC_OK)
            sha256_put(hash, piece, n);
    }
    *is = sha256_end(hash);
    sha256_close(hash);
    mem_free(piece);
    return code;
}

rc blob_check(struct db *db, const sha256 *sha, bool deep, struct err *e)
{
    char path[STORE_PATH_MAX];
    struct arena *tmp = arena_open();
    struct frames_in *f = NULL;
    struct found found = {0};
    sha256 is = *sha;
    rc code = find(db, sha, tmp, &found, e);

    if (code == RC_OK && found.is_file)
        code = open_frames(db, sha, found.bytes, path, &f, e);
    if (code == RC_OK && deep && found.is_file)
        code = hash_frames(f, found.bytes, &is, e);
    else if (code == RC_OK && deep)
        is = sha256_of(found.body);
    if (code == RC_OK && !sha256_eq(&is, sha))
        code = err_set(e, RC_CORRUPT, "its bytes have another hash");
    frames_in_close(f);
    arena_close(tmp);
    return code;
}
