/* Stored blocks: nothing is believed, and what is taken comes out the same. */
#include "base/crc.h"
#include "doc/blocks.h"

static struct arena *out;

/* A checksum that fits, so that what lies behind it is reached. */
static void try_blocks(str bytes, str text)
{
    struct buf again = {0};
    const char *why;
    struct doc d;

    if (doc_decode_blocks(bytes, text, out, &d, NULL) != RC_OK)
        return;
    ASSERT(doc_check(&d, &why));
    ASSERT(doc_encode_blocks(&d, &again, NULL) == RC_OK);
    ASSERT(doc_decode_blocks(buf_str(&again), text, out, &d, NULL) == RC_OK);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One byte: how many bytes of text follow; then the blocks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t text_n = size == 0 ? 0 : data[0];
    struct arena_mark mark;
    struct buf b = {0};
    str text;

    if (out == NULL)
        out = arena_open();
    if (size == 0 || text_n > size - 1)
        return 0;
    mark = arena_mark(out);
    text = (str){(const char *)data + 1, text_n};
    buf_put(&b, (str){text.p + text_n, size - 1 - text_n});
    try_blocks(buf_str(&b), text);
    buf_put_u32(&b, crc32c(b.p, b.n));
    try_blocks(buf_str(&b), text);
    buf_close(&b);
    arena_rewind(out, mark);
    return 0;
}
