#include "base/str.h"

#include <strings.h>

bool str_eq_nocase(str a, str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

int str_cmp(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (c != 0)
        return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n &&
           str_eq((str){s.p + (s.n - suffix.n), suffix.n}, suffix);
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
    while (s.n > 0 && is_white(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_white(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_blank(str s)
{
    return str_trim(s).n == 0;
}

size_t str_find_char(str s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

    return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t str_find(str s, str needle)
{
    const char *at;

    if (needle.n == 0)
        return 0;
    at = s.n == 0 ? NULL : memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? s.n : (size_t)(at - s.p);
}

bool str_cut(str s, char sep, str *head, str *rest)
{
    size_t at = str_find_char(s, sep);

    *head = str_sub(s, 0, at);
    *rest = str_sub(s, at + 1, s.n);
    return at < s.n;
}

int str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_to_u64(str s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}
