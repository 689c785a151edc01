/*
 * str: text as a pointer and a length; never NUL-terminated by contract.
 *
 * Owns:    nothing; a str borrows bytes that live elsewhere.
 * Threads: pure.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define NEVER_NULL __attribute__((returns_nonnull))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NELEMS(a) (sizeof(a) / sizeof(*(a)))

typedef struct str {
    const char *p;
    size_t n;
} str;

/* A str of a string literal; STR_INIT is the same for static initialisers. */
#define STR(lit) ((str){"" lit, sizeof(lit) - 1})
#define STR_INIT(lit)           \
    {                           \
        "" lit, sizeof(lit) - 1 \
    }
#define STR_NONE ((str){NULL, 0})
/* printf("%.*s"): log_info("x", "title=" STR_FMT, STR_ARG(s)). */
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)((s).n > 1u << 20 ? 1u << 20 : (s).n), (s).p

/* The short ones stand here so that they cost nothing: text is walked byte by
 * byte with them. */

/* A view of a C string; NULL gives the empty str. */
static inline str str_of(const char *cstr)
{
    return (str){cstr, cstr == NULL ? 0 : strlen(cstr)};
}

static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && str_eq((str){s.p, prefix.n}, prefix);
}

/* n bytes from `from` on, clamped to s. */
static inline str str_sub(str s, size_t from, size_t n)
{
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    if (from > 0) /* s.p may be NULL, which nothing is added to */
        s.p += from;
    return (str){s.p, n};
}

bool str_eq_nocase(str a, str b); /* ASCII only */
int str_cmp(str a, str b);        /* bytes, then length */
bool str_ends(str s, str suffix);
str str_trim(str s); /* ASCII white space, both ends */
/* First place of c in s, or s.n. */
size_t str_find_char(str s, char c);
/* First place of needle in s, or s.n. */
size_t str_find(str s, str needle);
/* Cuts s at the first sep: *head gets what is before it, *rest what is after.
 * false: no sep; then *head is s and *rest is empty. */
bool str_cut(str s, char sep, str *head, str *rest);
/* Decimal number with nothing around it; false: not one, or over max. */
bool str_to_u64(str s, uint64_t max, uint64_t *out);
int str_hex_digit(char c); /* its value, whatever its case; -1: it is none */
/* True if every byte is ASCII white space (or s is empty). */
bool str_blank(str s);

#endif
