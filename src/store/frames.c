#include "store/frames_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/file.h"
#include "base/io.h"
#include "base/mem.h"

#define FRAMES_MAX ((size_t)1 << 23) /* 64 GiB of plain bytes */
#define ENTRY_BYTES 8
#define HEAD_BYTES 8
#define FOOT_BYTES 9
#define HEAD_MAGIC 0x184D2A5Eu
#define FOOT_MAGIC 0x8F92EAB1u
/* Incompressible uploads (PDF, ZIP) are most of the bytes: level 1 sees that
 * soonest, and text still halves. */
#define LEVEL 1

/* ---- writing ---- */

struct frames_out {
    int fd;
    const char *path;
    ZSTD_CCtx *ctx;
    void *packed;
    struct buf table;
    size_t n;
    uint64_t at;
};

rc frames_out_open(int fd, const char *path, struct frames_out **out,
                   struct err *e)
{
    struct frames_out *f = mem_alloc(sizeof *f);

    f->fd = fd;
    f->path = path;
    buf_open(&f->table, FRAMES_MAX * ENTRY_BYTES + HEAD_BYTES + FOOT_BYTES);
    f->ctx = ZSTD_createCCtx();
    f->packed = mem_try(ZSTD_compressBound(FRAME_BYTES));
    if (f->ctx == NULL || f->packed == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(f->ctx, ZSTD_c_checksumFlag, 1)) ||
        ZSTD_isError(
            ZSTD_CCtx_setParameter(f->ctx, ZSTD_c_compressionLevel, LEVEL))) {
        frames_out_close(f);
        return err_set(e, RC_NOMEM, "no memory to write %s", path);
    }
    *out = f;
    return RC_OK;
}

void frames_out_close(struct frames_out *f)
{
    if (f == NULL)
        return;
    (void)ZSTD_freeCCtx(f->ctx);
    mem_free(f->packed);
    buf_close(&f->table);
    mem_free(f);
}

static rc append(struct frames_out *f, str bytes, struct err *e)
{
    rc code = file_pwrite_all(f->fd, f->path, bytes, f->at, e);

    f->at += bytes.n;
    return code;
}

static rc put_frame(struct frames_out *f, const void *p, size_t n,
                    struct err *e)
{
    size_t packed;

    if (f->n == FRAMES_MAX)
        return err_set(e, RC_LIMIT, "a body of more than %zu frames",
                       FRAMES_MAX);
    packed = ZSTD_compress2(f->ctx, f->packed, ZSTD_compressBound(FRAME_BYTES),
                            p, n);
    if (ZSTD_isError(packed))
        return err_set(e, RC_NOMEM, "cannot pack a frame of %s: %s", f->path,
                       ZSTD_getErrorName(packed));
    buf_put_u32(&f->table, (uint32_t)packed);
    buf_put_u32(&f->table, (uint32_t)n);
    f->n++;
    return append(f, (str){f->packed, packed}, e);
}

rc frames_out_put(struct frames_out *f, const void *p, size_t n, struct err *e)
{
    rc code = RC_OK;

    for (size_t at = 0; at < n && code == RC_OK; at += FRAME_BYTES)
        code = put_frame(f, (const char *)p + at,
                         n - at < FRAME_BYTES ? n - at : FRAME_BYTES, e);
    return code;
}

rc frames_out_end(struct frames_out *f, struct err *e)
{
    struct buf head = {0};
    rc code;

    buf_put_u32(&head, HEAD_MAGIC);
    buf_put_u32(&head, (uint32_t)(f->n * ENTRY_BYTES + FOOT_BYTES));
    buf_put_u32(&f->table, (uint32_t)f->n);
    buf_put_char(&f->table, 0);
    buf_put_u32(&f->table, FOOT_MAGIC);
    code = buf_end(&head, e);
    if (code == RC_OK)
        code = buf_end(&f->table, e);
    if (code == RC_OK)
        code = append(f, buf_str(&head), e);
    if (code == RC_OK)
        code = append(f, buf_str(&f->table), e);
    buf_close(&head);
    return code;
}

/* ---- reading ---- */

struct frames_in {
    int fd;
    char *path;
    uint64_t bytes;     /* plain */
    size_t frame_bytes; /* plain ones of all frames but the last */
    size_t n;
    uint64_t *starts; /* n + 1: where each packed frame begins */
    void *packed;     /* one frame */
    uint8_t *plain;   /* the frame number `held` */
    size_t held;      /* n: none */
    size_t held_bytes;
};

static rc damaged(const struct frames_in *f, const char *what, struct err *e)
{
    return err_set(e, RC_CORRUPT, "%s is damaged: %s", f->path, what);
}

/* How many plain bytes frame i has: all but the last are full. */
static size_t plain_bytes(const struct frames_in *f, size_t i)
{
    uint64_t rest = f->bytes - (uint64_t)i * f->frame_bytes;

    return rest < f->frame_bytes ? (size_t)rest : f->frame_bytes;
}

static rc read_table(struct frames_in *f, str table, uint64_t file_bytes,
                     struct err *e)
{
    struct cur c = cur_of(table);
    uint64_t at = 0;

    if (cur_u32(&c) != HEAD_MAGIC || cur_u32(&c) != table.n - HEAD_BYTES)
        return damaged(f, "no seek table", e);
    for (size_t i = 0; i < f->n; i++) {
        uint32_t packed = cur_u32(&c);

        if (cur_u32(&c) != plain_bytes(f, i) || packed == 0 ||
            packed > ZSTD_compressBound(f->frame_bytes))
            return damaged(f, "a frame's size is wrong", e);
        f->starts[i] = at;
        at += packed;
    }
    f->starts[f->n] = at;
    if (at + table.n != file_bytes || cur_u32(&c) != f->n || cur_u8(&c) != 0 ||
        cur_u32(&c) != FOOT_MAGIC || c.bad)
        return damaged(f, "its sizes don't add up", e);
    return RC_OK;
}

/* Of the file that is open: another may have taken its name since. */
static rc size_of(const struct frames_in *f, uint64_t *bytes, struct err *e)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot look at %s", f->path);
    *bytes = (uint64_t)st.st_size;
    return RC_OK;
}

/* By how many frames the file says it has. */
static rc frame_size(struct frames_in *f, uint64_t file_bytes, struct err *e)
{
    static const size_t SIZES[] = {FRAME_BYTES, FRAME_BYTES_LARGE};
    char foot[FOOT_BYTES];
    struct cur c = cur_of((str){foot, sizeof foot});
    uint32_t n;
    rc code;

    if (file_bytes < HEAD_BYTES + FOOT_BYTES)
        return damaged(f, "it is too short", e);
    code = file_pread_all(f->fd, f->path, foot, sizeof foot,
                          file_bytes - sizeof foot, e);
    if (code != RC_OK)
        return code;
    n = cur_u32(&c);
    for (size_t i = 0; i < NELEMS(SIZES); i++) {
        f->frame_bytes = SIZES[i];
        f->n = (size_t)((f->bytes + SIZES[i] - 1) / SIZES[i]);
        if (f->n == n && n <= FRAMES_MAX)
            return RC_OK;
    }
    return damaged(f, "it has not as many frames as its body", e);
}

static rc open_table(struct frames_in *f, uint64_t file_bytes, struct err *e)
{
    size_t bytes = f->n * ENTRY_BYTES + HEAD_BYTES + FOOT_BYTES;
    char *table;
    rc code;

    if (file_bytes < bytes)
        return damaged(f, "it is too short", e);
    table = mem_try(bytes);
    f->starts = mem_try((f->n + 1) * sizeof *f->starts);
    f->packed = mem_try(ZSTD_compressBound(f->frame_bytes));
    f->plain = mem_try(f->frame_bytes);
    f->held = f->n;
    if (table == NULL || f->starts == NULL || f->packed == NULL ||
        f->plain == NULL)
        code = err_set(e, RC_NOMEM, "no memory to read %s", f->path);
    else
        code =
            file_pread_all(f->fd, f->path, table, bytes, file_bytes - bytes, e);
    if (code == RC_OK)
        code = read_table(f, (str){table, bytes}, file_bytes, e);
    mem_free(table);
    return code;
}

rc frames_in_open(const char *path, uint64_t bytes, struct frames_in **out,
                  struct err *e)
{
    struct frames_in *f = mem_alloc(sizeof *f);
    uint64_t file_bytes = 0;
    rc code;

    f->path = mem_alloc(strlen(path) + 1);
    memcpy(f->path, path, strlen(path));
    f->bytes = bytes;
    f->fd = io_open(path, O_RDONLY, 0);
    if (f->fd < 0)
        code = err_errno(e, errno == ENOENT ? RC_NOTFOUND : RC_IO, errno,
                         "cannot open %s", path);
    else
        code = size_of(f, &file_bytes, e);
    if (code == RC_OK)
        code = frame_size(f, file_bytes, e);
    if (code == RC_OK)
        code = open_table(f, file_bytes, e);
    if (code != RC_OK) {
        frames_in_close(f);
        f = NULL;
    }
    *out = f;
    return code;
}

void frames_in_close(struct frames_in *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        (void)io_close(f->fd);
    mem_free(f->starts);
    mem_free(f->packed);
    mem_free(f->plain);
    mem_free(f->path);
    mem_free(f);
}

static rc load_frame(struct frames_in *f, size_t i, struct err *e)
{
    size_t packed = (size_t)(f->starts[i + 1] - f->starts[i]), plain;
    rc code;

    if (f->held == i)
        return RC_OK;
    f->held = f->n;
    code = file_pread_all(f->fd, f->path, f->packed, packed, f->starts[i], e);
    if (code != RC_OK)
        return code;
    plain = ZSTD_decompress(f->plain, f->frame_bytes, f->packed, packed);
    if (ZSTD_isError(plain))
        return damaged(f, ZSTD_getErrorName(plain), e);
    if (plain != plain_bytes(f, i))
        return damaged(f, "a frame's length is wrong", e);
    f->held = i;
    f->held_bytes = plain;
    return RC_OK;
}

rc frames_in_read(struct frames_in *f, uint64_t at, size_t n, void *to,
                  struct err *e)
{
    ASSERT(at <= f->bytes && n <= f->bytes - at);
    for (size_t done = 0; done < n;) {
        size_t i = (size_t)((at + done) / f->frame_bytes);
        size_t from = (size_t)((at + done) % f->frame_bytes), take;
        rc code = load_frame(f, i, e);

        if (code != RC_OK)
            return code;
        take = f->held_bytes - from;
        if (take > n - done)
            take = n - done;
        memcpy((char *)to + done, f->plain + from, take);
        done += take;
    }
    return RC_OK;
}
