/* Whatever a child sends is refused or is a document that passes doc_check and
 * is written and read again as the same. The checksum is made to fit, so that
 * what lies behind it is reached. */
#include <stdint.h>

#include "base/crc.h"
#include "doc/blocks.h"
#include "doc/doc.h"

static struct arena *a;

static void check_stream(str stream)
{
    static struct buf again;
    struct doc d, e;
    const char *why;
    str *path;

    if (doc_decode(stream, a, &d, NULL) != RC_OK)
        return;
    ASSERT(doc_check(&d, &why));
    for (uint32_t i = 0; i < d.blocks_n; i++)
        (void)doc_heading_path(&d, i, a, &path);
    buf_clear(&again);
    ASSERT(doc_encode(&d, &again, NULL) == RC_OK);
    ASSERT(doc_decode(buf_str(&again), a, &e, NULL) == RC_OK);
    ASSERT(d.blocks_n == e.blocks_n && str_eq(d.text, e.text) &&
           str_eq(d.title, e.title) && d.text_cp == e.text_cp);
}

/* Stored blocks: the first two bytes say how much of the input is text. */
static void check_blocks(str s)
{
    struct doc d;
    const char *why;
    size_t n;

    if (s.n < 2)
        return;
    n = (size_t)(uint8_t)s.p[0] | (size_t)(uint8_t)s.p[1] << 8;
    s = str_sub(s, 2, s.n);
    if (doc_decode_blocks(str_sub(s, n, s.n), str_sub(s, 0, n), a, &d, NULL) ==
        RC_OK)
        ASSERT(doc_check(&d, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf fitted;
    struct arena_mark m;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    check_stream((str){(const char *)data, size});
    check_blocks((str){(const char *)data, size});
    buf_clear(&fitted);
    buf_put(&fitted, (str){(const char *)data, size < 4 ? 0 : size - 4});
    buf_put_u32(&fitted, crc32c(fitted.p == NULL ? "" : fitted.p, fitted.n));
    check_stream(buf_str(&fitted));
    arena_rewind(a, m);
    return 0;
}
