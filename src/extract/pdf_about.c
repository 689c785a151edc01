#include "extract/pdf_about.h"

#include "base/limits.h"
#include "extract/pdf_tags.h"
#include "text/utf8.h"

#define ABOUT_BYTES_MAX ((size_t)4 * KIB)

/* "Title:           The Keeper's Handbook" */
static str value_of(str info, str name)
{
    str line, value;

    while (info.n > 0) {
        (void)str_cut(info, '\n', &line, &info);
        if (str_starts(line, name) &&
            str_starts(str_sub(line, name.n, line.n), STR(":"))) {
            value = str_trim(str_sub(line, name.n + 1, line.n));
            return str_sub(value, 0, ABOUT_BYTES_MAX);
        }
    }
    return STR_NONE;
}

rc pdf_about_make(str info, struct buf *to, struct err *e)
{
    static const str NAMES[] = {STR_INIT("Title"), STR_INIT("CreationDate"),
                                STR_INIT("ModDate")};
    struct buf clean = {0};

    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        str value = pdf_text(value_of(info, NAMES[i]), &clean);

        buf_put_varint(to, value.n);
        buf_put(to, value);
    }
    buf_close(&clean);
    return buf_end(to, e);
}

bool pdf_about_read(str bytes, struct pdf_about *about)
{
    struct cur c = cur_of(bytes);
    str *const to[] = {&about->title, &about->created, &about->modified};

    *about = (struct pdf_about){0};
    for (size_t i = 0; i < NELEMS(to); i++) {
        uint64_t n = cur_varint(&c);

        if (n > ABOUT_BYTES_MAX)
            c.bad = true;
        *to[i] = cur_bytes(&c, c.bad ? 0 : (size_t)n);
        if (utf8_valid_prefix(*to[i]) != to[i]->n)
            c.bad = true;
    }
    return !c.bad;
}
