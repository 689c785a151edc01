/*
 * robots: what a site lets crawlers fetch.
 *
 * Bytes of /robots.txt and a path in, an answer out. The group of the most
 * specific product token decides, all of its groups joined, else those of `*`;
 * in it the longest pattern that matches, `Allow` before `Disallow` at the same
 * length. /robots.txt itself is always allowed.
 *
 * Beyond the standard, as is usual: Crawl-delay, and * and $ in patterns of any
 * number. Only the first ROBOTS_BYTES_MAX bytes are read.
 *
 * Owns:    a struct robots and its texts live in `out`; they borrow nothing.
 * Threads: pure.
 * Cost:    reading is linear (512 KiB: 0.1 s at worst); a question takes rules x
 *          path at worst, 20,000 rules made for it and 2 KiB: 0.3 s.
 * Source:  RFC 9309.
 */
#ifndef NET_ROBOTS_H
#define NET_ROBOTS_H

#include "base/arena.h"

#define ROBOTS_BYTES_MAX ((size_t)512 << 10) /* at least 500 KiB: 2.5 */
#define ROBOTS_SITEMAPS_MAX 100
#define ROBOTS_DELAY_MS_MAX 60000

struct robots_rule {
    str pattern;
    bool allow;
};

struct robots {
    const struct robots_rule *rules;
    size_t rules_n;
    const str *sitemaps; /* as they stand there; not checked */
    size_t sitemaps_n;
    unsigned delay_ms; /* of Crawl-delay; 0: none */
    bool none_allowed; /* there is no answer to go by */
};

/* The rules for `agent` ("knowd"), a product token without a version. */
void robots_parse(str bytes, str agent, struct arena *out, struct robots *r);
/* Those of an answer's status: a body of 200 to 299 is read; 400 to 499 (but
 * 429): no rules; any other, or 0 where there was no answer: nothing is
 * allowed (2.3.1). */
void robots_of_answer(unsigned status, str body, str agent, struct arena *out,
                      struct robots *r);
/* path: with its query, percent-encoded as net/url writes it. */
bool robots_allow(const struct robots *r, str path);

#endif
