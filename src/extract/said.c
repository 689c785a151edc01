#include "extract/said.h"

struct said_sent said_send(const struct said *said)
{
    struct said_sent to = {0};
    str name = said->filename;

    if (name.n > FILENAME_BYTES_MAX)
        name = str_sub(name, name.n - FILENAME_BYTES_MAX, name.n);
    if (name.n > 0)
        memcpy(to.filename, name.p, name.n);
    to.filename_n = (uint32_t)name.n;
    if (said->type.n > 0 && said->type.n <= SAID_TYPE_BYTES_MAX) {
        memcpy(to.type, said->type.p, said->type.n);
        to.type_n = (uint32_t)said->type.n;
    }
    return to;
}

bool said_take(const struct said_sent *sent, struct said *said)
{
    if (sent->filename_n > FILENAME_BYTES_MAX ||
        sent->type_n > SAID_TYPE_BYTES_MAX)
        return false;
    *said = (struct said){.filename = {sent->filename, sent->filename_n},
                          .type = {sent->type, sent->type_n}};
    return true;
}

bool said_type_is(str type, str media)
{
    return str_eq_nocase(str_trim(str_sub(type, 0, str_find_char(type, ';'))),
                         media);
}

static bool ends_charset(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == ';' || c == '"' ||
           c == '\'';
}

str said_charset(str type)
{
    for (size_t at = 0; at + 8 <= type.n; at++) {
        str rest = str_sub(type, at, type.n);
        size_t end = 0;

        if (!str_eq_nocase(str_sub(rest, 0, 8), STR("charset=")))
            continue;
        rest = str_trim(str_sub(rest, 8, rest.n));
        if (rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '\''))
            rest = str_sub(rest, 1, rest.n);
        while (end < rest.n && !ends_charset(rest.p[end]))
            end++;
        return str_sub(rest, 0, end);
    }
    return STR_NONE;
}
