/*
 * addr: IP addresses judged by their bytes, never by how they are spelled.
 *
 * What is not public unicast is forbidden: an address that some IANA registry
 * of special purposes lists, and whatever of IPv6 lies outside of 2000::/3. An
 * IPv6 address that carries an IPv4 one for a translator (NAT64, ISATAP) is
 * judged by that one, too. A list of networks makes exceptions; a few rows of
 * the table none of them can lift (`never`).
 *
 * Owns:    nothing; all of it are values.
 * Threads: pure.
 * Cost:    a walk of some forty rows.
 * Source:  RFC 6890 and the IANA IPv4 and IPv6 Special-Purpose Address
 *          Registries; each row of the table names its own.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/err.h"

struct sockaddr;

struct addr {
    uint8_t b[16];
    uint8_t n; /* bytes: 4, 16; 0: none */
};

struct addr_net {
    struct addr at; /* its bits behind the first `bits` are 0 */
    uint8_t bits;
};

struct addr_nets {
    const struct addr_net *v;
    size_t n;
};

#define ADDR_TEXT 46

/* false: neither IPv4 nor IPv6. The port may be NULL. */
bool addr_of_sockaddr(const struct sockaddr *sa, struct addr *a,
                      unsigned *port);
/* What inet_pton(3) takes: four decimal numbers, or IPv6 without a zone. */
bool addr_parse(str s, struct addr *a);
void addr_text(const struct addr *a, char to[ADDR_TEXT]); /* RFC 5952 */
bool addr_eq(const struct addr *a, const struct addr *b);

/* "10.0.0.0/8", "2001:db8::/32", "192.168.1.7" (all its bits).
 * RC_INVALID: anything else, bits set behind the prefix (which would mean that
 * another network was thought of), or a network of IPv4-mapped addresses. */
rc addr_net_parse(str s, struct addr_net *net, struct err *e) MUST_CHECK;
bool addr_in_net(const struct addr *a, const struct addr_net *net);

/* Is it IPv6 that only spells an address of IPv4 (mapped, compatible,
 * translated)? */
bool addr_spells_ipv4(const struct addr *a);
/* What kind of address that is ("loopback", …); NULL: public unicast. */
const char *addr_kind(const struct addr *a);

/* May a request go there? Only to public addresses on ports 80 and 443, and to
 * those of `allowed` on any port; *why (may be NULL) is what kind of address
 * was refused, or "port". */
bool addr_is_allowed(const struct addr *a, unsigned port,
                     const struct addr_nets *allowed, const char **why);

/* The rows of the table, for tests; false: no more. */
struct addr_row {
    const char *net, *kind, *source;
    bool never;  /* no list of networks allows it */
    bool inside; /* judged by the IPv4 address in its last four bytes */
};
bool addr_row(size_t i, struct addr_row *row);

#endif
