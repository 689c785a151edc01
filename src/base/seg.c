#include "base/seg.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/io.h"
#include "base/mem.h"

/*
 * header, 64 bytes            table entry, 24 bytes     trailer, 16 bytes
 *  0 u8[8] "knowdseg"          0 u8[4] id                0 u32 crc of table
 *  8 u32   format version      4 u32   crc of section    4 u32 crc of header
 * 12 u32   sections            8 u64   offset            8 u8[8] "gesdwonk"
 * 16 u64   bytes of the file  16 u64   bytes
 * 24 u64   offset of table
 * 32 u32   crc of table
 * 36 zeros
 * 60 u32   crc of bytes 0-59
 *
 * All numbers little endian, all checksums CRC-32C.
 */
#define SEG_VERSION 1
#define HEADER_BYTES 64
#define ENTRY_BYTES 24
#define TRAILER_BYTES 16
#define ALIGN_BYTES 64
#define WRITE_BYTES ((size_t)64 << 10)
#define VERIFY_BYTES ((size_t)1 << 20)
#define STEP_BYTES ((size_t)256 << 10) /* of a verifier */
#define PAGE_BYTES_MIN 4096

static const char MAGIC[8] = {'k', 'n', 'o', 'w', 'd', 's', 'e', 'g'};
static const char MAGIC_END[8] = {'g', 'e', 's', 'd', 'w', 'o', 'n', 'k'};

struct section {
    char id[4];
    uint32_t crc;
    uint64_t offset, bytes;
};

static void store_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void store_u64(uint8_t *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint64_t load_u64(const uint8_t *p)
{
    return load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

/* Sizes and checksums of everything, in one number. */
static uint64_t digest_of(uint32_t table_crc, uint32_t header_crc)
{
    return (uint64_t)table_crc << 32 | header_crc;
}

/* ---- writing ---- */

struct seg_writer {
    char *path, *tmp_path;
    int fd;
    bool lent;                 /* fd is the caller's: tmp_path only names it */
    bool ended, open;          /* open: a section has begun */
    uint64_t at;               /* of the file, of the first byte in buffer */
    size_t used;               /* of buffer */
    const atomic_bool *cancel; /* NULL: can't be */
    uint64_t digest;
    size_t sections_n;
    struct section sections[SEG_SECTIONS_MAX];
    uint8_t buffer[WRITE_BYTES];
};

static struct seg_writer *writer_new(const char *path, str tmp_end)
{
    struct seg_writer *w = mem_alloc(sizeof *w);
    size_t n = strlen(path);

    w->path = mem_alloc(n + 1);
    w->tmp_path = mem_alloc(n + tmp_end.n + 1);
    memcpy(w->path, path, n);
    memcpy(w->tmp_path, path, n);
    memcpy(w->tmp_path + n, tmp_end.p, tmp_end.n);
    return w;
}

/* Room for the header, which is written last. */
static rc writer_begin(struct seg_writer *w, struct seg_writer **out,
                       struct err *e)
{
    static const uint8_t header[HEADER_BYTES];
    rc code = w->fd < 0
                  ? err_errno(e, RC_IO, errno, "cannot create %s", w->tmp_path)
                  : seg_put(w, header, sizeof header, e);

    if (code != RC_OK) {
        seg_writer_close(w);
        return code;
    }
    *out = w;
    return RC_OK;
}

rc seg_writer_open(const char *path, struct seg_writer **out, struct err *e)
{
    struct seg_writer *w = writer_new(path, STR(".tmp"));

    w->fd = io_open(w->tmp_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    return writer_begin(w, out, e);
}

rc seg_writer_open_on(int fd, const char *path, struct seg_writer **out,
                      struct err *e)
{
    struct seg_writer *w = writer_new(path, STR(""));

    ASSERT(fd >= 0);
    w->fd = fd;
    w->lent = true;
    return writer_begin(w, out, e);
}

void seg_writer_cancel_on(struct seg_writer *w, const atomic_bool *cancel)
{
    w->cancel = cancel;
}

static rc flush(struct seg_writer *w, struct err *e)
{
    rc code;

    if (w->cancel != NULL && atomic_load(w->cancel))
        return err_set(e, RC_CANCELLED, "%s: cancelled", w->tmp_path);
    code = file_pwrite_all(w->fd, w->tmp_path,
                           (str){(const char *)w->buffer, w->used}, w->at, e);
    w->at += w->used;
    w->used = 0;
    return code;
}

static rc put_raw(struct seg_writer *w, const void *p, size_t n, struct err *e)
{
    const uint8_t *from = p;

    while (n > 0) {
        size_t room = WRITE_BYTES - w->used;
        size_t part = n < room ? n : room;

        memcpy(w->buffer + w->used, from, part);
        w->used += part;
        from += part;
        n -= part;
        if (w->used == WRITE_BYTES) {
            rc code = flush(w, e);

            if (code != RC_OK)
                return code;
        }
    }
    return RC_OK;
}

rc seg_put(struct seg_writer *w, const void *p, size_t n, struct err *e)
{
    if (w->open && n > 0) {
        struct section *s = &w->sections[w->sections_n - 1];

        s->crc = s->bytes == 0 ? crc32c(p, n) : crc32c_more(s->crc, p, n);
        s->bytes += n;
    }
    return put_raw(w, p, n, e);
}

static rc align(struct seg_writer *w, struct err *e)
{
    static const uint8_t zeros[ALIGN_BYTES];
    uint64_t over = (w->at + w->used) % ALIGN_BYTES;

    return over == 0 ? RC_OK : put_raw(w, zeros, ALIGN_BYTES - over, e);
}

rc seg_section(struct seg_writer *w, const char id[4], struct err *e)
{
    struct section *s;
    rc code;

    if (w->sections_n == SEG_SECTIONS_MAX)
        return err_set(e, RC_LIMIT, "more than %d sections", SEG_SECTIONS_MAX);
    code = align(w, e);
    if (code != RC_OK)
        return code;
    s = &w->sections[w->sections_n++];
    memcpy(s->id, id, sizeof s->id);
    s->crc = crc32c("", 0);
    s->offset = w->at + w->used;
    w->open = true;
    return RC_OK;
}

uint64_t seg_section_bytes(const struct seg_writer *w)
{
    return w->open ? w->sections[w->sections_n - 1].bytes : 0;
}

static rc put_table(struct seg_writer *w, uint64_t *table_at,
                    uint32_t *table_crc, struct err *e)
{
    uint8_t table[SEG_SECTIONS_MAX * ENTRY_BYTES];
    rc code = align(w, e);

    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < w->sections_n; i++) {
        const struct section *s = &w->sections[i];
        uint8_t *p = table + i * ENTRY_BYTES;

        memcpy(p, s->id, 4);
        store_u32(p + 4, s->crc);
        store_u64(p + 8, s->offset);
        store_u64(p + 16, s->bytes);
    }
    *table_at = w->at + w->used;
    *table_crc = crc32c(table, w->sections_n * ENTRY_BYTES);
    return put_raw(w, table, w->sections_n * ENTRY_BYTES, e);
}

static rc sync_and_rename(struct seg_writer *w, struct err *e)
{
    const char *slash = strrchr(w->path, '/');
    struct arena *tmp;
    int r;

    if (io_fsync(w->fd, w->tmp_path) != 0)
        return err_errno(e, RC_IO, errno, "cannot fsync %s", w->tmp_path);
    if (io_rename(w->tmp_path, w->path) != 0)
        return err_errno(e, RC_IO, errno, "cannot rename %s", w->tmp_path);
    w->ended = true;
    tmp = arena_open();
    r = io_fsync_dir(
        slash == NULL
            ? "."
            : arena_cstr(tmp, (str){w->path, slash == w->path
                                                 ? 1
                                                 : (size_t)(slash - w->path)}));
    arena_close(tmp);
    if (r != 0)
        return err_errno(e, RC_IO, errno, "cannot fsync the folder of %s",
                         w->path);
    return RC_OK;
}

rc seg_writer_end(struct seg_writer *w, uint64_t *bytes, struct err *e)
{
    uint8_t header[HEADER_BYTES] = {0}, trailer[TRAILER_BYTES];
    uint64_t table_at, total;
    uint32_t table_crc, header_crc;
    rc code;

    w->open = false;
    code = put_table(w, &table_at, &table_crc, e);
    if (code != RC_OK)
        return code;
    total = w->at + w->used + TRAILER_BYTES;
    memcpy(header, MAGIC, sizeof MAGIC);
    store_u32(header + 8, SEG_VERSION);
    store_u32(header + 12, (uint32_t)w->sections_n);
    store_u64(header + 16, total);
    store_u64(header + 24, table_at);
    store_u32(header + 32, table_crc);
    header_crc = crc32c(header, 60);
    store_u32(header + 60, header_crc);
    store_u32(trailer, table_crc);
    store_u32(trailer + 4, header_crc);
    memcpy(trailer + 8, MAGIC_END, sizeof MAGIC_END);
    code = put_raw(w, trailer, sizeof trailer, e);
    if (code == RC_OK)
        code = flush(w, e);
    if (code == RC_OK)
        code =
            file_pwrite_all(w->fd, w->tmp_path,
                            (str){(const char *)header, sizeof header}, 0, e);
    if (code == RC_OK && !w->lent)
        code = sync_and_rename(w, e);
    if (code != RC_OK)
        return code;
    w->digest = digest_of(table_crc, header_crc);
    if (bytes != NULL)
        *bytes = total;
    return RC_OK;
}

uint64_t seg_writer_digest(const struct seg_writer *w)
{
    return w->digest;
}

void seg_writer_close(struct seg_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0 && !w->lent) {
        (void)io_close(w->fd);
        if (!w->ended)
            (void)io_unlink(w->tmp_path);
    }
    mem_free(w->path);
    mem_free(w->tmp_path);
    mem_free(w);
}

/* ---- reading ---- */

struct seg {
    struct file_map map; /* empty: the bytes are the caller's */
    const uint8_t *p;
    size_t n;
    uint64_t digest;
    size_t sections_n;
    struct section sections[SEG_SECTIONS_MAX];
};

/* Reads a section once, a step at a time, giving each step's pages back, so
 * that opening a large file doesn't make the process look large. */
static bool section_sound(const struct seg *s, const struct section *c)
{
    uint32_t crc = crc32c("", 0);

    for (uint64_t at = 0; at < c->bytes; at += VERIFY_BYTES) {
        uint64_t left = c->bytes - at;
        size_t n = left < VERIFY_BYTES ? (size_t)left : VERIFY_BYTES;
        const uint8_t *p = s->p + c->offset + at;

        crc = at == 0 ? crc32c(p, n) : crc32c_more(crc, p, n);
        if (n == VERIFY_BYTES)
            seg_rest(s);
    }
    return crc == c->crc;
}

static rc header_read(struct seg *s, bool sums_ignore, uint64_t *table_at,
                      struct err *e)
{
    const uint8_t *p = s->p, *t;
    uint64_t sections, table_bytes;

    if (s->n < HEADER_BYTES + TRAILER_BYTES ||
        memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return err_set(e, RC_CORRUPT, "not an index file");
    if (!sums_ignore && crc32c(p, 60) != load_u32(p + 60))
        return err_set(e, RC_CORRUPT, "header damaged");
    if (load_u32(p + 8) > SEG_VERSION)
        return err_set(e, RC_UNSUPPORTED, "index format %u is newer than %d",
                       (unsigned)load_u32(p + 8), SEG_VERSION);
    if (load_u64(p + 16) != s->n)
        return err_set(e, RC_CORRUPT, "has %zu bytes instead of %llu", s->n,
                       (unsigned long long)load_u64(p + 16));
    sections = load_u32(p + 12);
    *table_at = load_u64(p + 24);
    table_bytes = sections * ENTRY_BYTES;
    if (sections > SEG_SECTIONS_MAX || *table_at < HEADER_BYTES ||
        *table_at > s->n || s->n - *table_at != table_bytes + TRAILER_BYTES)
        return err_set(e, RC_CORRUPT, "table of contents out of place");
    t = s->p + s->n - TRAILER_BYTES;
    if (!sums_ignore && (load_u32(t) != load_u32(p + 32) ||
                         load_u32(t + 4) != load_u32(p + 60) ||
                         memcmp(t + 8, MAGIC_END, sizeof MAGIC_END) != 0 ||
                         crc32c(s->p + *table_at, table_bytes) != load_u32(t)))
        return err_set(e, RC_CORRUPT, "table of contents damaged");
    s->digest = digest_of(load_u32(p + 32), load_u32(p + 60));
    s->sections_n = (size_t)sections;
    return RC_OK;
}

static rc table_read(struct seg *s, bool sums_ignore, uint64_t table_at,
                     struct err *e)
{
    uint64_t end = HEADER_BYTES; /* of the section before */

    for (size_t i = 0; i < s->sections_n; i++) {
        struct section *c = &s->sections[i];
        const uint8_t *p = s->p + table_at + i * ENTRY_BYTES;

        memcpy(c->id, p, 4);
        c->crc = load_u32(p + 4);
        c->offset = load_u64(p + 8);
        c->bytes = load_u64(p + 16);
        if (c->offset < end || c->offset > table_at ||
            c->offset % ALIGN_BYTES != 0 || c->bytes > table_at - c->offset)
            return err_set(e, RC_CORRUPT, "section %.4s out of place", c->id);
        end = c->offset + c->bytes;
        if (!sums_ignore && !section_sound(s, c))
            return err_set(e, RC_CORRUPT, "section %.4s damaged", c->id);
    }
    return RC_OK;
}

static rc seg_read(struct seg *s, bool sums_ignore, struct err *e)
{
    uint64_t table_at;
    rc code = header_read(s, sums_ignore, &table_at, e);

    return code == RC_OK ? table_read(s, sums_ignore, table_at, e) : code;
}

rc seg_open(const char *path, struct seg **out, struct err *e)
{
    struct seg *s = mem_alloc(sizeof *s);
    rc code = file_map(path, &s->map, e);

    if (code == RC_OK) {
        s->p = s->map.p;
        s->n = s->map.n;
        code = seg_read(s, false, e);
        if (code != RC_OK)
            (void)err_wrap(e, "%s", path);
    }
    if (code != RC_OK) {
        seg_close(s);
        return code;
    }
    seg_rest(s);
    *out = s;
    return RC_OK;
}

rc seg_open_bytes(str bytes, bool sums_ignore, struct seg **out, struct err *e)
{
    struct seg *s = mem_alloc(sizeof *s);
    rc code;

    s->p = (const uint8_t *)bytes.p;
    s->n = bytes.n;
    code = seg_read(s, sums_ignore, e);
    if (code != RC_OK) {
        seg_close(s);
        return code;
    }
    *out = s;
    return RC_OK;
}

void seg_close(struct seg *s)
{
    if (s == NULL)
        return;
    file_unmap(&s->map);
    mem_free(s);
}

str seg_find(const struct seg *s, const char id[4])
{
    for (size_t i = 0; i < s->sections_n; i++) {
        const struct section *c = &s->sections[i];

        if (memcmp(c->id, id, 4) == 0)
            return (str){(const char *)s->p + c->offset, c->bytes};
    }
    return STR_NONE;
}

uint64_t seg_bytes(const struct seg *s)
{
    return s->n;
}

uint64_t seg_digest(const struct seg *s)
{
    return s->digest;
}

void seg_rest(const struct seg *s)
{
    /* Advice: where it fails nothing is lost but a figure in top(1). */
    if (s->map.n > 0)
        (void)madvise(mem_unconst(s->map.p), s->map.n, MADV_DONTNEED);
}

/* ---- verifying again ---- */

struct seg_verifier {
    const struct seg *s;
    char *path;
    int fd;
    size_t section; /* under way */
    uint64_t at;    /* in it */
    uint32_t crc;   /* of what was read of it */
    uint8_t block[STEP_BYTES];
};

static rc frame_verify(const struct seg_verifier *v, struct err *e)
{
    uint8_t header[HEADER_BYTES];
    uint8_t tail[SEG_SECTIONS_MAX * ENTRY_BYTES + TRAILER_BYTES];
    size_t table_bytes = v->s->sections_n * ENTRY_BYTES;
    size_t tail_bytes = table_bytes + TRAILER_BYTES;
    const uint8_t *trailer = tail + table_bytes;
    rc code = file_pread_all(v->fd, v->path, header, sizeof header, 0, e);

    if (code == RC_OK)
        code = file_pread_all(v->fd, v->path, tail, tail_bytes,
                              v->s->n - tail_bytes, e);
    if (code != RC_OK)
        return code;
    if (crc32c(header, 60) != load_u32(header + 60) ||
        crc32c(tail, table_bytes) != load_u32(trailer) ||
        load_u32(trailer + 4) != load_u32(header + 60) ||
        memcmp(trailer + 8, MAGIC_END, sizeof MAGIC_END) != 0 ||
        digest_of(load_u32(trailer), load_u32(header + 60)) != v->s->digest)
        return err_set(e, RC_CORRUPT, "%s: header or table damaged", v->path);
    return RC_OK;
}

rc seg_verifier_open(const struct seg *s, const char *path,
                     struct seg_verifier **out, struct err *e)
{
    struct seg_verifier *v = mem_alloc(sizeof *v);
    size_t n = strlen(path);
    struct stat st;
    rc code;

    v->s = s;
    v->path = mem_alloc(n + 1);
    memcpy(v->path, path, n);
    v->fd = io_open(path, O_RDONLY, 0);
    if (v->fd < 0) {
        code = err_errno(e, errno == ENOENT ? RC_NOTFOUND : RC_IO, errno,
                         "cannot open %s", path);
        goto done;
    }
    /* Read ahead, pages would look as if the cache had held them. */
    (void)posix_fadvise(v->fd, 0, 0, POSIX_FADV_RANDOM);
    if (fstat(v->fd, &st) != 0)
        code = err_errno(e, RC_IO, errno, "cannot look at %s", path);
    else if ((uint64_t)st.st_size != s->n)
        code = err_set(e, RC_CORRUPT, "%s has %llu bytes instead of %zu", path,
                       (unsigned long long)st.st_size, s->n);
    else
        code = frame_verify(v, e);
done:
    if (code != RC_OK) {
        seg_verifier_close(v);
        return code;
    }
    *out = v;
    return RC_OK;
}

/* Which whole pages of a part of the file the page cache holds, without
 * touching them: bit 0 of one byte each. How many; 0: it can't be told. */
static size_t pages_cached(const struct seg *s, uint64_t from, uint64_t to,
                           size_t page, uint8_t *held)
{
    if (from >= to || page < PAGE_BYTES_MIN || s->map.n == 0 ||
        mincore(mem_unconst(s->p + from), (size_t)(to - from), held) != 0)
        return 0;
    return (size_t)(to - from) / page;
}

static rc block_read(struct seg_verifier *v, uint64_t at, size_t n,
                     struct err *e)
{
    uint8_t held[STEP_BYTES / PAGE_BYTES_MIN];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t from = (at + page - 1) / page * page, to = (at + n) / page * page;
    size_t pages = pages_cached(v->s, from, to, page, held), end;
    rc code = file_pread_all(v->fd, v->path, v->block, n, at, e);

    for (size_t i = 0; i < pages; i = end) {
        end = i + 1;
        while (end < pages && (held[end] & 1) == (held[i] & 1))
            end++;
        if ((held[i] & 1) == 0)
            (void)posix_fadvise(v->fd, (off_t)(from + i * page),
                                (off_t)((end - i) * page), POSIX_FADV_DONTNEED);
    }
    return code;
}

rc seg_verifier_step(struct seg_verifier *v, size_t *bytes, struct err *e)
{
    const struct section *c;
    uint64_t at, left;
    rc code;

    *bytes = 0;
    while (v->section < v->s->sections_n &&
           v->s->sections[v->section].bytes == 0)
        v->section++;
    if (v->section == v->s->sections_n)
        return RC_OK;
    c = &v->s->sections[v->section];
    at = c->offset + v->at;
    left = c->bytes - v->at;
    /* Up to a multiple of the step, so that pages are read whole. */
    *bytes = STEP_BYTES - (size_t)(at % STEP_BYTES);
    if (left < *bytes)
        *bytes = (size_t)left;
    code = block_read(v, at, *bytes, e);
    if (code != RC_OK)
        return code;
    v->crc = v->at == 0 ? crc32c(v->block, *bytes)
                        : crc32c_more(v->crc, v->block, *bytes);
    v->at += *bytes;
    if (v->at < c->bytes)
        return RC_OK;
    if (v->crc != c->crc)
        return err_set(e, RC_CORRUPT, "%s: section %.4s damaged", v->path,
                       c->id);
    v->section++;
    v->at = 0;
    return RC_OK;
}

void seg_verifier_close(struct seg_verifier *v)
{
    if (v == NULL)
        return;
    if (v->fd >= 0)
        (void)io_close(v->fd);
    mem_free(v->path);
    mem_free(v);
}
