/* Any bytes as a page: the document keeps what its header promises, and the
 * mask writes HTML whose elements are nested no deeper than it says. */
#include <stdint.h>

#include "extract/extract.h"
#include "extract/html_priv.h"

/* The mask's own output holds a `<` only where a tag starts. */
static void check_mask(str page)
{
    struct html_facts facts = {.json_n = 0};
    struct buf to;
    size_t depth = 0;

    buf_open(&to, 0);
    html_mask(page, &to, &facts);
    for (size_t i = 0; i + 1 < to.n; i++) {
        str rest = str_sub(buf_str(&to), i, to.n);
        bool empty =
            str_starts(rest, STR("<br")) || str_starts(rest, STR("<hr")) ||
            str_starts(rest, STR("<img")) || str_starts(rest, STR("<meta")) ||
            str_starts(rest, STR("<!"));
        /* In an attribute's value anything may stand: quotes are counted. */
        if (to.p[i] != '<')
            continue;
        for (bool quoted = false; i < to.n && (quoted || to.p[i] != '>'); i++)
            quoted = quoted != (to.p[i] == '"');
        if (str_starts(rest, STR("</")))
            ASSERT(depth-- > 0);
        else
            depth += !empty;
        ASSERT(depth <= HTML_DEPTH_MAX + 1); /* a title comes on top */
    }
    ASSERT(depth == 0);
    buf_close(&to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const str HEADS[] = {STR_INIT("<html>"), STR_INIT("<!doctype html>"),
                                STR_INIT("<html><meta charset=windows-1251>"),
                                STR_INIT("")};
    static const str TYPES[] = {STR_INIT(""), STR_INIT("text/html"),
                                STR_INIT("text/html; charset=koi8-r"),
                                STR_INIT("text/html; charset=utf-16le")};
    static struct arena *a;
    struct arena_mark m;
    struct buf page = {0};
    struct doc d;
    const char *why;

    if (size == 0)
        return 0;
    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    buf_put(&page, HEADS[data[0] & 3]);
    buf_put(&page, (str){(const char *)data + 1, size - 1});
    ASSERT(extract_bytes(buf_str(&page),
                         (struct said){.type = TYPES[data[0] >> 2 & 3]}, a, &d,
                         NULL) == RC_OK);
    ASSERT(doc_check(&d, &why));
    check_mask(buf_str(&page));
    buf_close(&page);
    arena_rewind(a, m);
    return 0;
}
