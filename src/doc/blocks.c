#include "doc/blocks.h"

#include "base/crc.h"

/* Little endian; numbers are varints unless a width is given:
 *
 *   "KDB1" | u32 crc32c of all that follows
 *   extractor_version | text bytes | text code points | blocks
 *   mime: bytes, text | language: bytes, text
 *   a block:
 *     u8 kind | level | start and start_cp, as the gap since the block before
 *     bytes and code points of it | heading + 1 modulo 2^32 (0: none)
 *     page * 2 + 1 if a box follows | f32 x0 y0 x1 y1
 */
#define MAGIC STR("KDB1")
#define HEAD_BYTES 8

static void block_put(struct buf *b, const struct block *before,
                      const struct block *k)
{
    bool box = false;
    uint32_t bits;

    for (size_t i = 0; i < NELEMS(k->box); i++)
        box = box || k->box[i] != 0.0f;
    buf_put_char(b, (char)k->kind);
    buf_put_varint(b, k->level);
    buf_put_varint(b, k->start - before->end);
    buf_put_varint(b, k->start_cp - before->end_cp);
    buf_put_varint(b, k->end - k->start);
    buf_put_varint(b, k->end_cp - k->start_cp);
    buf_put_varint(b, (uint32_t)(k->heading + 1));
    buf_put_varint(b, (uint64_t)k->page * 2 + box);
    for (size_t i = 0; box && i < NELEMS(k->box); i++) {
        memcpy(&bits, &k->box[i], sizeof bits);
        buf_put_u32(b, bits);
    }
}

rc doc_encode_blocks(const struct doc *d, struct buf *to, struct err *e)
{
    const struct block none = {0};
    size_t from = to->n;
    uint32_t crc;

    buf_put(to, MAGIC);
    buf_put_u32(to, 0);
    buf_put_varint(to, d->extractor_version);
    buf_put_varint(to, d->text.n);
    buf_put_varint(to, d->text_cp);
    buf_put_varint(to, d->blocks_n);
    buf_put_varint(to, d->mime.n);
    buf_put(to, d->mime);
    buf_put_varint(to, d->language.n);
    buf_put(to, d->language);
    for (size_t i = 0; i < d->blocks_n; i++)
        block_put(to, i == 0 ? &none : &d->blocks[i - 1], &d->blocks[i]);
    if (to->code == RC_OK) {
        crc = crc32c(to->p + from + HEAD_BYTES, to->n - from - HEAD_BYTES);
        for (unsigned i = 0; i < 4; i++)
            to->p[from + 4 + i] = (char)(crc >> (8 * i));
    }
    return buf_end(to, e);
}

static bool add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static void block_get(struct cur *c, const struct block *before,
                      struct block *k)
{
    uint64_t start = cur_u8(c), level = cur_varint(c), page;
    uint32_t bits;

    k->kind = (enum block_kind)start;
    k->level = (unsigned)level;
    c->bad = c->bad || start >= BLOCK_KIND_COUNT || level > UINT16_MAX ||
             !add(before->end, cur_varint(c), &k->start) ||
             !add(before->end_cp, cur_varint(c), &k->start_cp) ||
             !add(k->start, cur_varint(c), &k->end) ||
             !add(k->start_cp, cur_varint(c), &k->end_cp);
    k->heading = (uint32_t)cur_varint(c) - 1;
    page = cur_varint(c);
    c->bad = c->bad || page / 2 > UINT32_MAX;
    k->page = (uint32_t)(page / 2);
    for (size_t i = 0; page % 2 == 1 && i < NELEMS(k->box); i++) {
        bits = cur_u32(c);
        memcpy(&k->box[i], &bits, sizeof bits);
    }
}

static rc damaged(struct err *e, const char *why)
{
    return err_set(e, RC_FORMAT, "stored blocks: %s", why);
}

rc doc_decode_blocks(str bytes, str text, struct arena *out, struct doc *d,
                     struct err *e)
{
    const struct block none = {0};
    struct cur c = cur_of(bytes);
    uint64_t version, text_n, blocks_n;
    const char *why;
    str magic = cur_bytes(&c, 4);
    uint32_t crc = cur_u32(&c);

    if (c.bad || !str_eq(magic, MAGIC))
        return damaged(e, "not such bytes");
    if (crc32c(c.p, (size_t)(c.end - c.p)) != crc)
        return damaged(e, "the checksum differs");
    version = cur_varint(&c);
    text_n = cur_varint(&c);
    *d = (struct doc){.text = text,
                      .text_cp = cur_varint(&c),
                      .extractor_version = (unsigned)version};
    blocks_n = cur_varint(&c);
    d->mime = arena_str(out, cur_bytes(&c, (size_t)cur_varint(&c)));
    d->language = arena_str(out, cur_bytes(&c, (size_t)cur_varint(&c)));
    if (c.bad || text_n != text.n)
        return damaged(e, "they belong to another text");
    /* A block takes eight bytes at least. */
    if (blocks_n > BLOCKS_MAX || blocks_n > (size_t)(c.end - c.p) / 8)
        return damaged(e, "more blocks than bytes");
    d->blocks_n = (size_t)blocks_n;
    d->blocks = ARENA_ARRAY(out, struct block, d->blocks_n);
    for (size_t i = 0; i < d->blocks_n; i++)
        block_get(&c, i == 0 ? &none : &d->blocks[i - 1], &d->blocks[i]);
    if (c.bad || c.p != c.end)
        return damaged(e, "they end early or late");
    if (!doc_check(d, &why))
        return damaged(e, why);
    return RC_OK;
}
