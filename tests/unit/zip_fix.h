/* ZIP archives made by hand: entry by entry, so that one can lie. */
#ifndef ZIP_FIX_H
#define ZIP_FIX_H

#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"

struct zip_entry {
    str name, bytes;
    bool deflate;
    uint16_t flags;
    uint16_t method; /* 0: by `deflate` */
    /* Lies: added to what the directory says. */
    int32_t crc_off, size_off, header_off;
};

struct zip {
    struct buf file, directory;
    uint16_t entries;
};

static inline void zip_deflate(str bytes, struct buf *to)
{
    z_stream z = {0};
    char *p = buf_reserve(to, bytes.n + bytes.n / 8 + 64);
    char *in = malloc(bytes.n + 1);

    memcpy(in, bytes.p, bytes.n);
    ASSERT(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, 0) == Z_OK);
    z.next_in = (Bytef *)in;
    z.avail_in = (unsigned)bytes.n;
    z.next_out = (Bytef *)p;
    z.avail_out = (unsigned)(bytes.n + bytes.n / 8 + 64);
    ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    to->n += z.total_out;
    (void)deflateEnd(&z);
    free(in);
}

static inline void zip_add(struct zip *z, struct zip_entry e)
{
    struct buf packed = {0};
    size_t header = z->file.n;
    uint16_t method = e.method != 0 ? e.method : e.deflate ? 8 : 0;
    uint32_t crc = e.bytes.n == 0 ? 0
                                  : (uint32_t)crc32(0, (const Bytef *)e.bytes.p,
                                                    (unsigned)e.bytes.n);

    if (e.deflate)
        zip_deflate(e.bytes, &packed);
    else
        buf_put(&packed, e.bytes);
    for (int local = 1; local >= 0; local--) {
        struct buf *b = local ? &z->file : &z->directory;

        buf_put(b, local ? STR("PK\3\4") : STR("PK\1\2"));
        if (!local)
            buf_put_u16(b, 20);
        buf_put_u16(b, 20);
        buf_put_u16(b, e.flags);
        buf_put_u16(b, method);
        buf_put_u32(b, 0);
        buf_put_u32(b, crc + (uint32_t)e.crc_off);
        buf_put_u32(b, (uint32_t)packed.n);
        buf_put_u32(b, (uint32_t)e.bytes.n + (uint32_t)e.size_off);
        buf_put_u16(b, (uint16_t)e.name.n);
        buf_put_u16(b, 0);
        if (!local) {
            buf_put_u16(b, 0);
            buf_put_u64(b, 0);
            buf_put_u32(b, (uint32_t)header + (uint32_t)e.header_off);
        }
        buf_put(b, e.name);
        if (local)
            buf_put(b, buf_str(&packed));
    }
    z->entries++;
    buf_close(&packed);
}

static inline void zip_put(struct zip *z, const char *name, str bytes)
{
    zip_add(z, (struct zip_entry){
                   .name = str_of(name), .bytes = bytes, .deflate = true});
}

/* The whole archive; it lives in `out`. */
static inline str zip_end(struct zip *z, struct arena *out)
{
    size_t directory = z->file.n;
    str s;

    buf_put(&z->file, buf_str(&z->directory));
    buf_put(&z->file, STR("PK\5\6"));
    buf_put_u32(&z->file, 0);
    buf_put_u16(&z->file, z->entries);
    buf_put_u16(&z->file, z->entries);
    buf_put_u32(&z->file, (uint32_t)z->directory.n);
    buf_put_u32(&z->file, (uint32_t)directory);
    buf_put_u16(&z->file, 0);
    s = arena_str(out, buf_str(&z->file));
    buf_close(&z->file);
    buf_close(&z->directory);
    *z = (struct zip){0};
    return s;
}

#endif
