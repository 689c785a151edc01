/* The bytes of a page to UTF-8: where they don't speak for themselves, what came
 * with the page counts, and else the page's own word. Source: WHATWG HTML,
 * "determining the character encoding", but bytes that are UTF-8 are UTF-8. */
#include "extract/html_priv.h"
#include "extract/html_token.h"
#include "extract/said.h"

#define PRESCAN_BYTES (4 * KIB)

static str charset_of_meta(str attrs)
{
    str name, value, content = STR_NONE;
    size_t at = 0;

    while (html_attr_next(attrs, &at, &name, &value)) {
        if (str_eq_nocase(name, STR("charset")))
            return str_trim(value);
        if (str_eq_nocase(name, STR("content")))
            content = value;
    }
    return said_charset(content);
}

/* encoding="…" of an XML declaration. */
static str charset_of_xml(str text)
{
    str line = str_sub(text, 0, str_find_char(text, '>'));
    size_t at = str_find(line, STR("encoding="));
    char quote = at + 9 < line.n ? line.p[at + 9] : '\0';

    if (!str_starts(line, STR("<?xml")) || (quote != '"' && quote != '\''))
        return STR_NONE;
    line = str_sub(line, at + 10, line.n);
    return str_sub(line, 0, str_find_char(line, quote));
}

/* The page's own word. A set whose <meta> can be read is no UTF-16. */
static str declared(str text)
{
    struct html_token t;
    size_t at = 0;
    str label;

    text = str_sub(str_trim(str_sub(text, 0, PRESCAN_BYTES)), 0, PRESCAN_BYTES);
    label = charset_of_xml(text);
    for (;;) {
        str found;

        html_token_next(text, &at, &t);
        if (t.kind == HTML_TOKEN_EOF)
            return label;
        if (t.kind != HTML_TOKEN_START || !str_eq_nocase(t.name, STR("meta")))
            continue;
        found = charset_of_meta(t.attrs);
        if (found.n > 0)
            return found;
    }
}

rc html_decode(str bytes, str said, struct buf *to, struct charset_how *how,
               struct err *e)
{
    return charset_decode(bytes, charset_tells(said) ? said : declared(bytes),
                          to, how, e);
}
