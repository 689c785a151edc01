#include "extract/pdf_html.h"

#include "base/mem.h"
#include "extract/pdf_outline.h"
#include "extract/pdf_tags.h"

#define DEPTH_MAX 1000

struct pdf_html {
    struct pdf_tags tags;
    struct buf *to;
    struct buf text; /* of an item that had to be cleaned */
    bool in_item;
    unsigned depth; /* of outlines that are open */
    uint32_t page;  /* of the item */
    size_t items_n;
};

static void item_begin(struct pdf_html *h, str attributes)
{
    uint64_t page;

    h->page =
        str_to_u64(pdf_tag_value(&attributes, STR("page")), UINT32_MAX, &page)
            ? (uint32_t)page
            : 0;
    h->in_item = true;
}

static bool item_end(struct pdf_html *h, str title)
{
    if (h->items_n >= PDF_OUTLINE_ITEMS_MAX ||
        h->to->n >= PDF_OUTLINE_BYTES_MAX)
        return false;
    h->items_n++;
    pdf_outline_put(
        h->to,
        &(struct pdf_item){.depth = h->depth, .page = h->page, .title = title});
    return true;
}

static bool take(void *user, const struct pdf_tag *tag)
{
    struct pdf_html *h = user;
    bool in_item = h->in_item;

    h->in_item = false;
    if (str_eq(tag->name, STR("item")))
        item_begin(h, tag->attributes);
    else if (str_eq(tag->name, STR("/item")) && in_item)
        return item_end(h, pdf_tag_text(tag->before, &h->text));
    else if (str_eq(tag->name, STR("outline")))
        return ++h->depth <= DEPTH_MAX;
    else if (str_eq(tag->name, STR("/outline")) && h->depth > 0)
        h->depth--;
    return true;
}

struct pdf_html *pdf_html_open(struct buf *to)
{
    struct pdf_html *h = mem_alloc(sizeof *h);

    h->to = to;
    h->tags.take = take;
    h->tags.user = h;
    pdf_outline_begin(to);
    return h;
}

void pdf_html_put(struct pdf_html *h, str bytes)
{
    pdf_tags_put(&h->tags, bytes);
}

rc pdf_html_end(struct pdf_html *h, struct err *e)
{
    pdf_outline_end(h->to);
    return buf_end(h->to, e);
}

void pdf_html_close(struct pdf_html *h)
{
    if (h == NULL)
        return;
    pdf_tags_close(&h->tags);
    buf_close(&h->text);
    mem_free(h);
}
