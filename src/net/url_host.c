#include <idn2.h>

#include "net/url_priv.h"

/* A domain as DNS takes it: RFC 1035, 2.3.4, without the root's dot. */
#define DOMAIN_BYTES_MAX 253
#define LABEL_BYTES_MAX 63

static rc refuse(str host, const char *why, struct err *e)
{
    char shown[URL_SHOWN];

    return err_set(e, RC_INVALID, "%s is not a host: %s",
                   url_shown(host, shown), why);
}

/* ---- IPv4 ---- */

/* One part: decimal, 0x hex, or octal behind a zero. Values past 32 bits stay
 * past them. */
static bool number_of(str s, uint64_t *value)
{
    uint64_t radix = 10;

    *value = 0;
    if (s.n == 0)
        return false;
    if (s.n >= 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x') {
        radix = 16;
        s = str_sub(s, 2, s.n);
    } else if (s.n >= 2 && s.p[0] == '0') {
        radix = 8;
        s = str_sub(s, 1, s.n);
    }
    for (size_t i = 0; i < s.n; i++) {
        int digit = str_hex_digit(s.p[i]);

        if (digit < 0 || (uint64_t)digit >= radix)
            return false;
        if (*value <= UINT32_MAX)
            *value = *value * radix + (uint64_t)digit;
    }
    return true;
}

/* Does the last label look like a number? Then all of it is one or nothing. */
static bool ends_in_number(str host)
{
    size_t at;
    uint64_t value;
    bool digits = true;

    if (str_ends(host, STR(".")))
        host.n--;
    for (at = host.n; at > 0 && host.p[at - 1] != '.'; at--)
        digits = digits && host.p[at - 1] >= '0' && host.p[at - 1] <= '9';
    host = str_sub(host, at, host.n);
    return host.n > 0 && (digits || number_of(host, &value));
}

static bool ipv4_of(str host, uint32_t *addr)
{
    uint64_t parts[4] = {0}, last, all = 0;
    size_t n = 0;
    str part;
    bool more = true;

    if (str_ends(host, STR(".")))
        host.n--;
    for (; more; n++) {
        more = str_cut(host, '.', &part, &host);
        if (n == NELEMS(parts) || !number_of(part, &parts[n]))
            return false;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        if (parts[i] > 255)
            return false;
        all |= parts[i] << (24 - 8 * i);
    }
    last = parts[n - 1];
    if (last >> (8 * (5 - n)) != 0)
        return false;
    *addr = (uint32_t)(all | last);
    return true;
}

static rc parse_ipv4(str host, struct arena *out, struct url *u, struct err *e)
{
    uint32_t v4;
    char text[ADDR_TEXT];

    if (!ipv4_of(host, &v4))
        return refuse(host,
                      "its last part is a number, but all of it is no "
                      "IPv4 address",
                      e);
    u->kind = URL_IPV4;
    u->addr = (struct addr){.n = 4};
    for (size_t i = 0; i < 4; i++)
        u->addr.b[i] = (uint8_t)(v4 >> (24 - 8 * i));
    addr_text(&u->addr, text);
    u->host = arena_str(out, str_of(text));
    return RC_OK;
}

/* ---- IPv6 ---- */

static rc parse_ipv6(str host, struct arena *out, struct url *u, struct err *e)
{
    char text[ADDR_TEXT];

    if (!str_ends(host, STR("]")) ||
        !addr_parse(str_sub(host, 1, host.n - 2), &u->addr) || u->addr.n != 16)
        return refuse(host, "no IPv6 address", e);
    if (addr_spells_ipv4(&u->addr))
        return refuse(host, "an IPv4 address written as IPv6", e);
    u->kind = URL_IPV6;
    addr_text(&u->addr, text);
    u->host = arena_fmt(out, "[%s]", text);
    return RC_OK;
}

/* ---- domains ---- */

/* Bytes of percent-encoded ones; what is no such escape stays. */
static str decode(str s, struct arena *out)
{
    char *to = arena_alloc(out, s.n);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int high = i + 2 < s.n ? str_hex_digit(s.p[i + 1]) : -1;
        int low = i + 2 < s.n ? str_hex_digit(s.p[i + 2]) : -1;

        if (s.p[i] == '%' && high >= 0 && low >= 0) {
            to[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = s.p[i];
        }
    }
    return (str){to, n};
}

static bool is_plain(str s)
{
    bool label = true;

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80 ||
            (label && str_eq_nocase(str_sub(s, i, 4), STR("xn--"))))
            return false;
        label = s.p[i] == '.';
    }
    return true;
}

static str lower(str s, struct arena *out)
{
    char *to = arena_alloc(out, s.n);

    for (size_t i = 0; i < s.n; i++)
        to[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
    return (str){to, s.n};
}

/* UTS 46, not transitional, as the standard's "domain to ASCII". */
static rc to_ascii(str s, struct arena *out, str *to, struct err *e)
{
    uint8_t *found = NULL;
    const uint8_t *from;
    int got;

    if (memchr(s.p, 0, s.n) != NULL)
        return refuse(STR(""), "it holds a NUL", e);
    from = (const uint8_t *)arena_cstr(out, s);
    got = idn2_lookup_u8(from, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (got == IDN2_OK)
        *to = lower(str_of((const char *)found), out);
    idn2_free(found);
    return got == IDN2_OK ? RC_OK : refuse(s, idn2_strerror(got), e);
}

static bool is_forbidden(char c)
{
    unsigned char u = (unsigned char)c;

    return u <= 0x20 || u >= 0x7f || strchr("#%/:<>?@[\\]^|", c) != NULL;
}

static const char *why_no_domain(str s)
{
    str rest = s, label;

    if (s.n == 0)
        return "it is empty";
    for (size_t i = 0; i < s.n; i++) {
        if (is_forbidden(s.p[i]))
            return "a character that none may have";
    }
    if (s.n - str_ends(s, STR(".")) > DOMAIN_BYTES_MAX)
        return "longer than a name may be";
    while (rest.n > 0) {
        (void)str_cut(rest, '.', &label, &rest);
        if (label.n > LABEL_BYTES_MAX)
            return "a part is longer than it may be";
    }
    return NULL;
}

rc url_host_parse(str text, struct arena *out, struct url *u, struct err *e)
{
    const char *why;
    str s;
    rc code = RC_OK;

    u->addr = (struct addr){.n = 0};
    u->kind = URL_DOMAIN;
    if (str_starts(text, STR("[")))
        return parse_ipv6(text, out, u, e);
    s = decode(text, out);
    if (is_plain(s))
        s = lower(s, out);
    else
        code = to_ascii(s, out, &s, e);
    if (code != RC_OK)
        return code;
    why = why_no_domain(s);
    if (why != NULL)
        return refuse(text, why, e);
    if (ends_in_number(s))
        return parse_ipv4(s, out, u, e);
    u->host = s;
    return RC_OK;
}
