#include "doc/blocks.h"

#include "base/crc.h"
#include "doc/doc_priv.h"

/* docs/formats.md, "stored blocks" */
#define MAGIC 0x3342444bu        /* "KDB3" */
#define MAGIC_SECOND 0x3242444bu /* "KDB2": ends behind the lines */
#define MAGIC_FIRST 0x3142444bu  /* "KDB1": ends behind the blocks */
#define CRC_BYTES 4

rc doc_encode_blocks(const struct doc *d, struct buf *to, struct err *e)
{
    static const struct block START;
    size_t start = to->n;

    buf_put_u32(to, MAGIC);
    buf_put_varint(to, d->extractor_version);
    doc_text_put(to, d->mime);
    doc_text_put(to, d->language);
    buf_put_varint(to, d->text.n);
    buf_put_varint(to, d->text_cp);
    buf_put_varint(to, d->blocks_n);
    for (size_t i = 0; i < d->blocks_n; i++)
        block_put(to, &d->blocks[i], i == 0 ? &START : &d->blocks[i - 1]);
    extras_put(to, d);
    extras_more_put(to, d);
    if (to->code == RC_OK)
        buf_put_u32(to, crc32c(to->p + start, to->n - start));
    return buf_end(to, e);
}

rc doc_decode_blocks(str bytes, str text, struct arena *out, struct doc *d,
                     struct err *e)
{
    struct cur c = cur_of(bytes), crc;
    struct block before = {0};
    uint64_t n, text_bytes;
    uint32_t magic;
    const char *why;

    *d = (struct doc){.text = text};
    if (bytes.n < CRC_BYTES)
        return err_set(e, RC_FORMAT, "stored blocks have %zu bytes", bytes.n);
    c.end -= CRC_BYTES;
    crc = cur_of(str_sub(bytes, bytes.n - CRC_BYTES, CRC_BYTES));
    magic = cur_u32(&c);
    if (cur_u32(&crc) != crc32c(bytes.p, bytes.n - CRC_BYTES) ||
        (magic != MAGIC && magic != MAGIC_SECOND && magic != MAGIC_FIRST))
        return err_set(e, RC_FORMAT, "stored blocks are damaged");
    n = cur_varint(&c);
    d->extractor_version = n > UINT32_MAX ? 0 : (unsigned)n;
    d->mime = doc_text_take(&c, DOC_NAME_BYTES_MAX, out);
    d->language = doc_language_take(&c, out);
    text_bytes = cur_varint(&c);
    d->text_cp = cur_varint(&c);
    n = cur_varint(&c);
    if (text_bytes != text.n)
        return err_set(e, RC_FORMAT, "stored blocks are of another text");
    if (c.bad || n > BLOCKS_MAX || n > text.n ||
        n > (size_t)(c.end - c.p) / BLOCK_BYTES_MIN)
        return err_set(e, RC_FORMAT, "stored blocks are cut or too large");
    d->blocks = ARENA_ARRAY(out, struct block, (size_t)n);
    while (d->blocks_n < n && !c.bad) {
        before = block_take(&c, &before);
        d->blocks[d->blocks_n++] = before;
    }
    if (magic != MAGIC_FIRST)
        extras_take(&c, out, d);
    if (magic == MAGIC)
        extras_more_take(&c, out, d);
    if (c.bad || c.p != c.end)
        return err_set(e, RC_FORMAT, "stored blocks are cut or too long");
    if (!doc_check(d, &why))
        return err_set(e, RC_FORMAT, "stored blocks: %s", why);
    return RC_OK;
}
