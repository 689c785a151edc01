#include "extract/pdf_outline.h"

#include "text/utf8.h"

#define MAGIC 0x314f444bu
#define DEPTH_MAX 255

void pdf_outline_begin(struct buf *to)
{
    buf_put_u32(to, MAGIC);
}

void pdf_outline_put(struct buf *to, const struct pdf_item *item)
{
    str title = str_trim(item->title);

    title = str_sub(
        title, 0,
        utf8_valid_prefix(str_sub(title, 0, PDF_OUTLINE_TITLE_BYTES_MAX)));
    if (title.n == 0 || item->page == 0 || item->depth == 0)
        return;
    buf_put_char(to, (char)(item->depth > DEPTH_MAX ? DEPTH_MAX : item->depth));
    buf_put_varint(to, item->page);
    buf_put_varint(to, title.n);
    buf_put(to, title);
}

void pdf_outline_end(struct buf *to)
{
    buf_put_char(to, 0);
}

struct cur pdf_outline_read(str bytes)
{
    struct cur c = cur_of(bytes);

    if (cur_u32(&c) != MAGIC)
        c.bad = true;
    return c;
}

bool pdf_item_read(struct cur *c, struct pdf_item *item)
{
    uint64_t page, n;

    *item = (struct pdf_item){.depth = cur_u8(c)};
    if (c->bad || item->depth == 0)
        return false;
    page = cur_varint(c);
    n = cur_varint(c);
    if (page == 0 || page > UINT32_MAX || n == 0 ||
        n > PDF_OUTLINE_TITLE_BYTES_MAX)
        c->bad = true;
    item->page = (uint32_t)page;
    item->title = cur_bytes(c, c->bad ? 0 : (size_t)n);
    if (utf8_valid_prefix(item->title) != item->title.n)
        c->bad = true;
    return !c->bad;
}
