/*
 * url: the one reading of a URL: what is checked, shown, compared and asked
 * for are the same fields.
 *
 * http and https only. Spellings that browsers take are taken and made
 * canonical: white space around, backslashes, dot segments, percent-encoded
 * hosts, IPv4 as decimal, hex, octal or short numbers, digits of other scripts.
 * Where the answer is stricter than the standard's, tests/unit/url_stricter.h
 * says so and why.
 *
 * Owns:    texts live in `out`, or borrow from `base`.
 * Errors:  RC_INVALID      not a URL
 *          RC_UNSUPPORTED  of another scheme
 *          RC_LIMIT        over URL_BYTES_MAX
 * Threads: pure.
 * Cost:    one walk; a host that is not ASCII goes through libidn2.
 * Source:  WHATWG URL Standard, sections 3.5 (hosts) and 4.4 (the parser, its
 *          special schemes but file), RFC 3986 6.2.2 (normal form), UTS 46.
 */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/arena.h"
#include "net/addr.h"

#define URL_BYTES_MAX ((size_t)8 << 10)

enum url_host { URL_DOMAIN, URL_IPV4, URL_IPV6 };

struct url {
    bool https;
    enum url_host kind;
    str host;         /* lower-case ASCII; IPv6 in brackets */
    struct addr addr; /* where host is one */
    unsigned port;    /* the scheme's own where none is written */
    str user, password, path, query, fragment; /* as they are serialised */
    bool has_query, has_fragment;              /* "?" alone counts */
};

/* base NULL: only an absolute URL. */
rc url_parse(str text, const struct url *base, struct arena *out, struct url *u,
             struct err *e) MUST_CHECK;
/* A URL that somebody hands over to be fetched: absolute, and without a name
 * or password in it, which would end up in lists and logs. */
rc url_parse_given(str text, struct arena *out, struct url *u,
                   struct err *e) MUST_CHECK;

str url_text(const struct url *u, struct arena *out);
/* What is asked for: neither user, password nor fragment. */
str url_target(const struct url *u, struct arena *out);
/* Two URLs with one such text are one source: the port left out where it is the
 * scheme's, no fragment, no slash for an empty path, percent-encoding only
 * where it is needed and in capitals. The query is kept. */
str url_normal(const struct url *u, struct arena *out);

bool url_same_origin(const struct url *a, const struct url *b);

#endif
