/*
 * url_stricter: where net/url refuses what the URL standard takes, and why.
 * The test of the Web Platform's cases allows these rows and no others, and
 * fails when a row is no deviation any more.
 *
 * Beside them whole classes are refused: every scheme but http and https
 * (nothing else is fetched), so also what is relative to such a base; and hosts
 * that are not ASCII and hold what IDNA 2008 has no place for (symbols, a hyphen
 * at an end), as libidn2 does.
 */
#ifndef URL_STRICTER_H
#define URL_STRICTER_H

static const struct stricter {
    const char *input, *why;
} STRICTER[] = {
    {"http://[::127.0.0.1]",
     "IPv4-compatible: a spelling of an IPv4 address that nothing but an "
     "attack has a use for (deprecated by RFC 4291, 2.5.5.1)"},
    {"http://[0:0:0:0:0:0:13.1.68.3]", "the same"},
    {"https://%e2%98%83",
     "a symbol: UTS 46 leaves it, IDNA 2008 (RFC 5892), which libidn2 goes "
     "by and registries do, has no such names"},
};

/* Not among those cases, but stricter as well. */
static const struct stricter STRICTER_TOO[] = {
    {"http://[::ffff:8.8.8.8]/", "IPv4-mapped, as IPv4-compatible"},
    {"http://[::ffff:0:8.8.8.8]/", "IPv4-translated, the same"},
    {"http://[::2]/", "in ::/96, so IPv4-compatible"},
    {"http://[fe80::1%25eth0]/", "a zone: the standard has none either"},
    {"http://"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
     "example/",
     "a label of 64 bytes, which DNS can't hold (RFC 1035, 2.3.4)"},
};

#endif
