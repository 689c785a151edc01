#include "extract/pdf_tags.h"

#include "text/utf8.h"

#define REFERENCE_BYTES_MAX 12

/* ---- tags ---- */

/* The first tag of s; returns what it takes with the text before it, 0: it is
 * not whole. */
static size_t tag_of(str s, struct pdf_tag *tag)
{
    size_t from = str_find_char(s, '<'), n, name_n = 0;
    str rest = str_sub(s, from + 1, s.n);

    n = str_find_char(rest, '>');
    if (n == rest.n)
        return 0;
    rest = str_sub(rest, 0, n);
    while (name_n < n && rest.p[name_n] != ' ')
        name_n++;
    *tag = (struct pdf_tag){.before = str_sub(s, 0, from),
                            .name = str_sub(rest, 0, name_n),
                            .attributes = str_sub(rest, name_n + 1, n)};
    return from + 1 + n + 1;
}

void pdf_tags_put(struct pdf_tags *t, str bytes)
{
    struct pdf_tag tag;
    str s;
    size_t n;

    if (t->over)
        return;
    buf_put(&t->kept, bytes);
    s = buf_str(&t->kept);
    while (!t->over && (n = tag_of(s, &tag)) > 0) {
        t->over = !t->take(t->user, &tag);
        s = str_sub(s, n, s.n);
    }
    t->over =
        t->over || s.n > PDF_TAG_BYTES_MAX || buf_end(&t->kept, NULL) != RC_OK;
    if (t->over)
        buf_close(&t->kept);
    else if (s.n > 0)
        memmove(t->kept.p, s.p, s.n);
    t->kept.n = t->over ? 0 : s.n;
}

void pdf_tags_close(struct pdf_tags *t)
{
    buf_close(&t->kept);
}

str pdf_tag_value(str *attributes, str name)
{
    str s = *attributes, value;

    if (!str_starts(s, name) || !str_starts(str_sub(s, name.n, 2), STR("=\"")))
        return STR_NONE;
    s = str_sub(s, name.n + 2, s.n);
    value = str_sub(s, 0, str_find_char(s, '"'));
    *attributes = str_sub(s, value.n + 2, s.n); /* and the blank behind */
    return value;
}

/* ---- texts ---- */

/* Whether s stands for itself. */
static bool is_plain(str s, bool references)
{
    unsigned char all = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        /* 0xef leads what may be U+FFFE. */
        if (c < ' ' || (references && c == '&') || c == 0xef)
            return false;
        all |= c;
    }
    return all < 0x80 || utf8_valid_prefix(s) == s.n;
}

static void put_sign(struct buf *to, uint64_t cp)
{
    bool surrogate = cp >= 0xd800 && cp < 0xe000;

    if ((cp >= ' ' || cp == '\n' || cp == '\t') && cp <= 0x10ffff &&
        !surrogate && cp != 0xfffe && cp != 0xffff)
        utf8_put(to, (uint32_t)cp);
}

/* What the reference at the start of s stands for; returns its bytes. An
 * ampersand that begins none is one. */
static size_t put_reference(struct buf *to, str s)
{
    static const struct {
        str name;
        char sign;
    } NAMES[] = {{STR_INIT("amp"), '&'},
                 {STR_INIT("lt"), '<'},
                 {STR_INIT("gt"), '>'},
                 {STR_INIT("quot"), '"'},
                 {STR_INIT("apos"), '\''}};
    str name, rest;
    uint64_t cp;

    if (!str_cut(str_sub(s, 1, REFERENCE_BYTES_MAX), ';', &name, &rest))
        name = STR_NONE;
    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        if (str_eq(name, NAMES[i].name)) {
            buf_put_char(to, NAMES[i].sign);
            return name.n + 2;
        }
    }
    if (str_starts(name, STR("#")) &&
        str_to_u64(str_sub(name, 1, name.n), UINT32_MAX, &cp)) {
        put_sign(to, cp);
        return name.n + 2;
    }
    buf_put_char(to, '&');
    return 1;
}

static str text_clean(str s, bool references, struct buf *to)
{
    if (is_plain(s, references))
        return s;
    buf_clear(to);
    while (s.n > 0) {
        size_t n = 0;

        if (references && s.p[0] == '&')
            n = put_reference(to, s);
        else if (utf8_valid_prefix(str_sub(s, 0, 4)) > 0)
            put_sign(to, utf8_next(s, &n));
        else
            n = 1; /* a byte that means nothing */
        s = str_sub(s, n, s.n);
    }
    return buf_str(to);
}

str pdf_tag_text(str written, struct buf *to)
{
    return text_clean(written, true, to);
}

str pdf_text(str written, struct buf *to)
{
    return text_clean(written, false, to);
}
