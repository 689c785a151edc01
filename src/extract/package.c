#include "extract/package.h"

#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"

#define EOCD_BYTES 22
#define EOCD_COMMENT_BYTES_MAX 65535
#define LOCATOR64_BYTES 20
#define EOCD64_BYTES 56
#define ENTRY_BYTES 46
#define LOCAL_BYTES 30
#define METHOD_STORED 0
#define METHOD_DEFLATED 8
#define METHOD_AES 99
#define FLAG_ENCRYPTED 1u
#define EXTRA_ZIP64 1
#define PIECE_BYTES (64 * KIB)

static rc damaged(struct err *e)
{
    return err_set(e, RC_FORMAT, "The file is cut short or damaged");
}

/* ---- the directory ---- */

struct directory {
    uint64_t at, bytes, entries;
};

/* Where the record that ends the archive starts; bytes.n: there is none. */
static size_t eocd_find(str bytes)
{
    for (size_t back = EOCD_BYTES;
         back <= bytes.n && back <= EOCD_BYTES + EOCD_COMMENT_BYTES_MAX;
         back++) {
        str s = str_sub(bytes, bytes.n - back, back);
        struct cur c = cur_of(str_sub(s, EOCD_BYTES - 2, 2));

        if (str_starts(s, STR("PK\5\6")) && cur_u16(&c) <= back - EOCD_BYTES)
            return bytes.n - back;
    }
    return bytes.n;
}

/* The record of 64-bit archives, if one stands before the other. */
static bool eocd64_take(str bytes, size_t eocd, struct directory *d)
{
    struct cur c;
    uint64_t at;

    if (eocd < LOCATOR64_BYTES)
        return false;
    c = cur_of(str_sub(bytes, eocd - LOCATOR64_BYTES, LOCATOR64_BYTES));
    if (!str_eq(cur_bytes(&c, 4), STR("PK\6\7")) || cur_u32(&c) != 0)
        return false;
    at = cur_u64(&c);
    if (at > eocd - LOCATOR64_BYTES)
        return false;
    c = cur_of(str_sub(bytes, (size_t)at, eocd - LOCATOR64_BYTES - at));
    if (!str_eq(cur_bytes(&c, 4), STR("PK\6\6")))
        return false;
    (void)cur_bytes(&c, 28); /* its size, versions, disks, entries here */
    d->entries = cur_u64(&c);
    d->bytes = cur_u64(&c);
    d->at = cur_u64(&c);
    return !c.bad;
}

static rc directory_find(str bytes, struct directory *d, struct err *e)
{
    size_t eocd = eocd_find(bytes);
    struct cur c = cur_of(str_sub(bytes, eocd, EOCD_BYTES));
    uint16_t disk, disk_directory;

    (void)cur_u32(&c);
    disk = cur_u16(&c);
    disk_directory = cur_u16(&c);
    (void)cur_u16(&c);
    d->entries = cur_u16(&c);
    d->bytes = cur_u32(&c);
    d->at = cur_u32(&c);
    if (c.bad)
        return damaged(e);
    if ((d->entries == UINT16_MAX || d->bytes == UINT32_MAX ||
         d->at == UINT32_MAX) &&
        !eocd64_take(bytes, eocd, d))
        return damaged(e);
    if ((disk != 0 && disk != UINT16_MAX) || disk_directory != disk)
        return err_set(e, RC_UNSUPPORTED,
                       "The file is one piece of an archive in several files");
    if (d->at > eocd || d->bytes > eocd - d->at)
        return damaged(e);
    if (d->entries > PACKAGE_PARTS_MAX)
        return err_set(e, RC_LIMIT,
                       "The file holds more than %d files, the limit for one "
                       "document",
                       PACKAGE_PARTS_MAX);
    return RC_OK;
}

/* The 64-bit sizes of an entry, which stand in the order of those that the
 * entry itself gives as all ones. */
static bool extra64_take(str extra, uint64_t *size, uint64_t *packed,
                         uint64_t *header)
{
    struct cur c = cur_of(extra);

    while ((size_t)(c.end - c.p) >= 4) {
        uint16_t id = cur_u16(&c);
        struct cur f = cur_of(cur_bytes(&c, cur_u16(&c)));

        if (c.bad)
            return false;
        if (id != EXTRA_ZIP64)
            continue;
        if (*size == UINT32_MAX)
            *size = cur_u64(&f);
        if (*packed == UINT32_MAX)
            *packed = cur_u64(&f);
        if (*header == UINT32_MAX)
            *header = cur_u64(&f);
        return !f.bad;
    }
    return false;
}

/* The bytes of an entry stand behind a header of its own, which must agree. */
static bool local_take(str bytes, uint64_t header, uint64_t packed,
                       struct part *part)
{
    struct cur c;
    uint16_t name_n, extra_n;

    if (header > bytes.n)
        return false;
    c = cur_of(str_sub(bytes, (size_t)header, bytes.n));
    if (!str_eq(cur_bytes(&c, 4), STR("PK\3\4")))
        return false;
    (void)cur_bytes(&c, 22);
    name_n = cur_u16(&c);
    extra_n = cur_u16(&c);
    if (!str_eq(cur_bytes(&c, name_n), part->name))
        return false;
    (void)cur_bytes(&c, extra_n);
    if (packed > (size_t)(c.end - c.p))
        return false;
    part->header = (size_t)header;
    part->packed = cur_bytes(&c, (size_t)packed);
    return !c.bad;
}

static bool entry_take(struct package *p, struct cur *c, struct part *part)
{
    uint64_t packed, header;
    uint16_t flags, name_n, extra_n, comment_n;
    str extra;

    *part = (struct part){0};
    if (!str_eq(cur_bytes(c, 4), STR("PK\1\2")))
        return false;
    (void)cur_u32(c); /* versions */
    flags = cur_u16(c);
    part->method = cur_u16(c);
    (void)cur_u32(c); /* time */
    part->crc = cur_u32(c);
    packed = cur_u32(c);
    part->size = cur_u32(c);
    name_n = cur_u16(c);
    extra_n = cur_u16(c);
    comment_n = cur_u16(c);
    (void)cur_bytes(c, 8); /* disk, attributes */
    header = cur_u32(c);
    part->name = cur_bytes(c, name_n);
    extra = cur_bytes(c, extra_n);
    (void)cur_bytes(c, comment_n);
    if (c->bad)
        return false;
    if ((packed == UINT32_MAX || part->size == UINT32_MAX ||
         header == UINT32_MAX) &&
        !extra64_take(extra, &part->size, &packed, &header))
        return false;
    p->encrypted = p->encrypted || (flags & FLAG_ENCRYPTED) != 0 ||
                   part->method == METHOD_AES;
    return local_take(p->bytes, header, packed, part);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int name_cmp(str a, str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        char x = lower(a.p[i]), y = lower(b.p[i]);

        if (x != y)
            return (uint8_t)x < (uint8_t)y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

typedef int part_cmp(const struct part *a, const struct part *b);

static int by_name(const struct part *a, const struct part *b)
{
    return name_cmp(a->name, b->name);
}

static int by_header(const struct part *a, const struct part *b)
{
    return a->header < b->header ? -1 : a->header > b->header;
}

/* Merges the sorted runs [from, mid) and [mid, to). */
static void merge(const struct part *v, size_t from, size_t mid, size_t to,
                  struct part *out, part_cmp *cmp)
{
    size_t a = from, b = mid;

    for (size_t i = from; i < to; i++) {
        bool first = b == to || (a < mid && cmp(&v[a], &v[b]) <= 0);

        out[i] = first ? v[a++] : v[b++];
    }
}

/* Not qsort: the C library's asks the system how much memory there is, for
 * which the sandbox kills a child. */
static void sort(struct package *p, struct arena *out, part_cmp *cmp)
{
    size_t n = p->parts_n;
    struct part *v = p->parts, *w = ARENA_ARRAY(out, struct part, n);

    for (size_t run = 1; run < n; run *= 2) {
        struct part *swap = v;

        for (size_t from = 0; from < n; from += 2 * run)
            merge(v, from, from + run < n ? from + run : n,
                  from + 2 * run < n ? from + 2 * run : n, w, cmp);
        v = w;
        w = swap;
    }
    p->parts = v;
}

/* Entries that share bytes are how small archives unpack to terabytes. */
static bool share_bytes(struct package *p, uint64_t directory,
                        struct arena *out)
{
    sort(p, out, by_header);
    for (size_t i = 0; i < p->parts_n; i++) {
        str packed = p->parts[i].packed;
        size_t end = (size_t)(packed.p - p->bytes.p) + packed.n;

        if (end > (i + 1 < p->parts_n ? p->parts[i + 1].header : directory))
            return true;
    }
    return false;
}

static bool share_names(struct package *p, struct arena *out)
{
    sort(p, out, by_name);
    for (size_t i = 1; i < p->parts_n; i++) {
        if (name_cmp(p->parts[i - 1].name, p->parts[i].name) == 0)
            return true;
    }
    return false;
}

rc package_open(str bytes, struct arena *out, struct package *p, struct err *e)
{
    struct directory d = {0};
    struct cur c;
    rc code;

    *p = (struct package){.bytes = bytes,
                          .bytes_left = PACKAGE_BYTES_MAX,
                          .tags_left = PACKAGE_TAGS_MAX,
                          .attrs_left = PACKAGE_ATTRS_MAX};
    code = directory_find(bytes, &d, e);
    if (code != RC_OK)
        return code;
    c = cur_of(str_sub(bytes, (size_t)d.at, (size_t)d.bytes));
    p->parts = ARENA_ARRAY(out, struct part, (size_t)d.entries);
    while (p->parts_n < d.entries) {
        if (!entry_take(p, &c, &p->parts[p->parts_n]))
            return damaged(e);
        p->parts_n++;
    }
    if (c.p != c.end)
        return damaged(e);
    if (share_bytes(p, d.at, out))
        return err_set(e, RC_FORMAT, "Files inside the file share their bytes");
    if (share_names(p, out))
        return err_set(e, RC_FORMAT, "Two files inside the file have one name");
    return RC_OK;
}

const struct part *package_find(const struct package *p, str name)
{
    size_t from = 0, to = p->parts_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int cmp = name_cmp(p->parts[mid].name, name);

        if (cmp == 0)
            return &p->parts[mid];
        if (cmp < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

/* ---- a part ---- */

struct part_reader {
    struct package *p;
    const struct part *part;
    z_stream z;
    bool inflating, ended;
    uint64_t size;
    uint32_t crc;
    uint8_t piece[PIECE_BYTES];
};

static void *z_alloc(void *user, unsigned count, unsigned size)
{
    size_t n;

    (void)user;
    return __builtin_mul_overflow((size_t)count, (size_t)size, &n) ? NULL
                                                                   : mem_try(n);
}

static void z_free(void *user, void *p)
{
    (void)user;
    mem_free(p);
}

rc part_open(struct package *p, const struct part *part, struct part_reader **r,
             struct err *e)
{
    struct part_reader *n;

    *r = NULL;
    if (part->method != METHOD_STORED && part->method != METHOD_DEFLATED)
        return err_set(e, RC_UNSUPPORTED,
                       "The file is packed in a way that is not read");
    if (part->method == METHOD_STORED && part->packed.n != part->size)
        return damaged(e);
    n = mem_try(sizeof *n);
    if (n == NULL)
        return err_set(e, RC_NOMEM, "no memory to unpack a file");
    n->p = p;
    n->part = part;
    n->z.zalloc = z_alloc;
    n->z.zfree = z_free;
    n->z.next_in = mem_unconst(part->packed.p);
    n->z.avail_in = (unsigned)part->packed.n; /* archives are far below 4 GiB */
    if (part->method == METHOD_DEFLATED && inflateInit2(&n->z, -15) != Z_OK) {
        mem_free(n);
        return err_set(e, RC_NOMEM, "no memory to unpack a file");
    }
    n->inflating = part->method == METHOD_DEFLATED;
    *r = n;
    return RC_OK;
}

static rc piece_stored(struct part_reader *r, str *bytes)
{
    *bytes = str_sub(r->part->packed, (size_t)r->size, PIECE_BYTES);
    r->ended = bytes->n == 0;
    return RC_OK;
}

static rc piece_inflated(struct part_reader *r, str *bytes, struct err *e)
{
    int status = Z_OK;

    r->z.next_out = r->piece;
    r->z.avail_out = sizeof r->piece;
    while (status == Z_OK && r->z.avail_out > 0)
        status = inflate(&r->z, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR)
        return err_set(e, RC_NOMEM, "no memory to unpack a file");
    r->ended = status == Z_STREAM_END;
    *bytes = (str){(const char *)r->piece, sizeof r->piece - r->z.avail_out};
    /* What came before the damage is worth having: it is told at the next. */
    if (!r->ended && status != Z_OK && bytes->n == 0)
        return damaged(e);
    return RC_OK;
}

rc part_next(struct part_reader *r, str *bytes, struct err *e)
{
    rc code = RC_OK;

    *bytes = STR_NONE;
    if (!r->ended)
        code =
            r->inflating ? piece_inflated(r, bytes, e) : piece_stored(r, bytes);
    if (code != RC_OK)
        return code;
    if (bytes->n > r->p->bytes_left)
        return err_set(e, RC_LIMIT,
                       "The file unpacks to more than %zu MiB, the limit for "
                       "one document",
                       PACKAGE_BYTES_MAX / MIB);
    if (bytes->n == 0)
        return r->size == r->part->size && r->crc == r->part->crc ? RC_OK
                                                                  : damaged(e);
    r->p->bytes_left -= bytes->n;
    r->size += bytes->n;
    r->crc =
        (uint32_t)crc32(r->crc, (const uint8_t *)bytes->p, (unsigned)bytes->n);
    return RC_OK;
}

void part_close(struct part_reader *r)
{
    if (r == NULL)
        return;
    if (r->inflating)
        (void)inflateEnd(&r->z);
    mem_free(r);
}

rc package_read(struct package *p, const struct part *part, size_t bytes_max,
                struct arena *out, str *bytes, struct err *e)
{
    struct part_reader *r = NULL;
    struct buf b;
    str piece = STR_NONE;
    rc code;

    buf_open(&b, bytes_max);
    code = part_open(p, part, &r, e);
    while (code == RC_OK) {
        code = part_next(r, &piece, e);
        if (code != RC_OK || piece.n == 0)
            break;
        buf_put(&b, piece);
        code = buf_end(&b, e);
    }
    *bytes = code == RC_OK ? arena_str(out, buf_str(&b)) : STR_NONE;
    part_close(r);
    buf_close(&b);
    return code;
}
