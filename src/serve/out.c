#include "serve/out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct out out_to(struct buf *b)
{
    return (struct out){.b = b};
}

/* Bytes of the well-formed character at p (Unicode 15, table 3-7); 0: none. */
static size_t char_bytes(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t want;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < want; i++) {
        if (i >= n || p[i] < low || p[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return want;
}

static void put_escaped(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_put(b, STR("\\\""));
        break;
    case '\\':
        buf_put(b, STR("\\\\"));
        break;
    case '\n':
        buf_put(b, STR("\\n"));
        break;
    case '\r':
        buf_put(b, STR("\\r"));
        break;
    case '\t':
        buf_put(b, STR("\\t"));
        break;
    default:
        buf_fmt(b, "\\u%04x", c);
    }
}

#define EACH 0x0101010101010101u /* of eight bytes */

/* Whether one of them is a control, a quote, a backslash or not ASCII: what
 * most texts have few of. Less than `x` gives a byte its high bit in v - x;
 * what that borrows only reaches bytes behind one that counts. */
static bool has_special(uint64_t v)
{
    uint64_t quote = v ^ '"' * EACH, backslash = v ^ '\\' * EACH;

    return ((v | (v - 0x20 * EACH) | ((quote - EACH) & ~quote) |
             ((backslash - EACH) & ~backslash)) &
            0x80 * EACH) != 0;
}

static size_t plain_bytes(const unsigned char *p, size_t n)
{
    size_t i = 0;
    uint64_t v;

    for (; n - i >= sizeof v; i += sizeof v) {
        memcpy(&v, p + i, sizeof v);
        if (has_special(v))
            break;
    }
    return i;
}

static void put_text(struct buf *b, str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t done = 0, i;

    buf_put_char(b, '"');
    for (i = plain_bytes(p, s.n); i < s.n; i += plain_bytes(p + i, s.n - i)) {
        size_t n = char_bytes(p + i, s.n - i);

        if (n > 0 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
            i += n;
            continue;
        }
        buf_put(b, (str){s.p + done, i - done});
        if (n == 0)
            buf_put(b, STR("\xef\xbf\xbd"));
        else
            put_escaped(b, p[i]);
        done = ++i;
    }
    if (s.n > done)
        buf_put(b, (str){s.p + done, s.n - done});
    buf_put_char(b, '"');
}

static void before(struct out *o, const char *name)
{
    if (o->comma)
        buf_put_char(o->b, ',');
    o->comma = true;
    if (name != NULL) {
        put_text(o->b, str_of(name));
        buf_put_char(o->b, ':');
    }
}

void out_begin(struct out *o, const char *name)
{
    before(o, name);
    buf_put_char(o->b, '{');
    o->comma = false;
}

void out_end(struct out *o)
{
    buf_put_char(o->b, '}');
    o->comma = true;
}

void out_begin_list(struct out *o, const char *name)
{
    before(o, name);
    buf_put_char(o->b, '[');
    o->comma = false;
}

void out_end_list(struct out *o)
{
    buf_put_char(o->b, ']');
    o->comma = true;
}

void out_str(struct out *o, const char *name, str s)
{
    before(o, name);
    put_text(o->b, s);
}

void out_str_or_null(struct out *o, const char *name, str s)
{
    if (s.p == NULL)
        out_null(o, name);
    else
        out_str(o, name, s);
}

void out_cstr(struct out *o, const char *name, const char *s)
{
    out_str_or_null(o, name, (str){s, s == NULL ? 0 : strlen(s)});
}

void out_int(struct out *o, const char *name, int64_t v)
{
    before(o, name);
    buf_fmt(o->b, "%lld", (long long)v);
}

void out_uint(struct out *o, const char *name, uint64_t v)
{
    before(o, name);
    buf_fmt(o->b, "%llu", (unsigned long long)v);
}

void out_num(struct out *o, const char *name, double v)
{
    char text[32];

    if (!isfinite(v)) {
        out_null(o, name);
        return;
    }
    before(o, name);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_put(o->b, str_of(text));
    if (strpbrk(text, ".e") == NULL)
        buf_put(o->b, STR(".0"));
}

void out_bool(struct out *o, const char *name, bool v)
{
    before(o, name);
    buf_put(o->b, v ? STR("true") : STR("false"));
}

void out_null(struct out *o, const char *name)
{
    before(o, name);
    buf_put(o->b, STR("null"));
}

void out_uuid(struct out *o, const char *name, uuid u)
{
    char text[UUID_TEXT];

    uuid_text(u, text);
    out_str(o, name, (str){text, UUID_TEXT - 1});
}

void out_uuid_or_null(struct out *o, const char *name, uuid u)
{
    if (uuid_is_nil(u))
        out_null(o, name);
    else
        out_uuid(o, name, u);
}

void out_time(struct out *o, const char *name, int64_t wall_ms)
{
    char text[CLOCK_TEXT];

    clock_text(wall_ms, text);
    out_str(o, name, str_of(text));
}

void out_time_or_null(struct out *o, const char *name, int64_t ms)
{
    if (ms == 0)
        out_null(o, name);
    else
        out_time(o, name, ms);
}

void out_json(struct out *o, const char *name, str json)
{
    before(o, name);
    buf_put(o->b, json.n == 0 ? STR("{}") : json);
}
