#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

/* The first row that holds an address decides. Rows of one network inside
 * another stand before it, so that the kind that is told is the nearest. */
static const struct addr_row ROWS[] = {
    {"0.0.0.0/8", "this host", "RFC 1122, 3.2.1.3", true, false},
    {"10.0.0.0/8", "private", "RFC 1918", false, false},
    {"100.64.0.0/10", "shared (CGNAT)", "RFC 6598", false, false},
    {"127.0.0.0/8", "loopback", "RFC 1122, 3.2.1.3", false, false},
    {"168.63.129.16/32", "a cloud's platform", "Azure, virtual public address",
     false, false},
    {"169.254.0.0/16", "link-local", "RFC 3927", false, false},
    {"172.16.0.0/12", "private", "RFC 1918", false, false},
    {"192.0.0.0/24", "protocol assignments", "RFC 6890, 2.1", false, false},
    {"192.0.2.0/24", "documentation", "RFC 5737", false, false},
    {"192.31.196.0/24", "AS112", "RFC 7535", false, false},
    {"192.52.193.0/24", "AMT", "RFC 7450", false, false},
    {"192.88.99.0/24", "6to4 relay", "RFC 7526", false, false},
    {"192.168.0.0/16", "private", "RFC 1918", false, false},
    {"192.175.48.0/24", "AS112", "RFC 7534", false, false},
    {"198.18.0.0/15", "benchmarking", "RFC 2544", false, false},
    {"198.51.100.0/24", "documentation", "RFC 5737", false, false},
    {"203.0.113.0/24", "documentation", "RFC 5737", false, false},
    {"224.0.0.0/4", "multicast", "RFC 5771", true, false},
    {"255.255.255.255/32", "broadcast", "RFC 919", true, false},
    {"240.0.0.0/4", "reserved", "RFC 1112, 4", false, false},
    {"::/128", "unspecified", "RFC 4291, 2.5.2", true, false},
    {"::1/128", "loopback", "RFC 4291, 2.5.3", false, false},
    {"::/96", "IPv4-compatible", "RFC 4291, 2.5.5.1", true, false},
    {"::ffff:0:0/96", "IPv4-mapped", "RFC 4291, 2.5.5.2", true, false},
    {"::ffff:0:0:0/96", "IPv4-translated", "RFC 2765, 2.1", true, false},
    {"64:ff9b::/96", "NAT64", "RFC 6052, 2.1", false, true},
    {"64:ff9b:1::/48", "local NAT64", "RFC 8215", false, false},
    {"100::/64", "discard-only", "RFC 6666", false, false},
    {"100:0:0:1::/64", "dummy prefix", "RFC 9780", false, false},
    {"2001::/32", "Teredo", "RFC 4380", false, false},
    {"2001:2::/48", "benchmarking", "RFC 5180", false, false},
    {"2001:10::/28", "ORCHID", "RFC 4843", false, false},
    {"2001:20::/28", "ORCHIDv2", "RFC 7343", false, false},
    {"2001:30::/28", "drone identifiers", "RFC 9374", false, false},
    {"2001::/23", "protocol assignments", "RFC 2928", false, false},
    {"2001:db8::/32", "documentation", "RFC 3849", false, false},
    {"2002::/16", "6to4", "RFC 3056, RFC 7526", false, false},
    {"2620:4f:8000::/48", "AS112", "RFC 7534", false, false},
    {"3ffe::/16", "6bone", "RFC 3701", false, false},
    {"3fff::/20", "documentation", "RFC 9637", false, false},
    {"5f00::/16", "segment routing", "RFC 9602", false, false},
    {"fc00::/7", "unique local", "RFC 4193", false, false},
    {"fe80::/10", "link-local", "RFC 4291, 2.5.6", false, false},
    {"fec0::/10", "site-local", "RFC 3879", false, false},
    {"ff00::/8", "multicast", "RFC 4291, 2.7", true, false},
};
/* IANA hands out unicast addresses here only (RFC 4291, 2.4). */
static const struct addr_net GLOBAL6 = {{{0x20}, 16}, 3};

static struct addr_net nets[NELEMS(ROWS)];
static pthread_once_t nets_once = PTHREAD_ONCE_INIT;

bool addr_row(size_t i, struct addr_row *row)
{
    if (i >= NELEMS(ROWS))
        return false;
    *row = ROWS[i];
    return true;
}

bool addr_of_sockaddr(const struct sockaddr *sa, struct addr *a, unsigned *port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    in_port_t at = 0;

    *a = (struct addr){.n = 0};
    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        memcpy(a->b, &v4.sin_addr, 4);
        a->n = 4;
        at = v4.sin_port;
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof v6);
        memcpy(a->b, &v6.sin6_addr, 16);
        a->n = 16;
        at = v6.sin6_port;
    }
    if (port != NULL)
        *port = ntohs(at);
    return a->n != 0;
}

bool addr_parse(str s, struct addr *a)
{
    char text[ADDR_TEXT];

    *a = (struct addr){.n = 0};
    if (s.n == 0 || s.n >= sizeof text || memchr(s.p, 0, s.n) != NULL)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, a->b) == 1)
        a->n = 4;
    else if (inet_pton(AF_INET6, text, a->b) == 1)
        a->n = 16;
    return a->n != 0;
}

void addr_text(const struct addr *a, char to[ADDR_TEXT])
{
    const char *text = inet_ntop(a->n == 4 ? AF_INET : AF_INET6, a->b, to,
                                 (socklen_t)ADDR_TEXT);

    ASSERT(text != NULL);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

bool addr_in_net(const struct addr *a, const struct addr_net *net)
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;

    return a->n == net->at.n && memcmp(a->b, net->at.b, whole) == 0 &&
           (rest == 0 || (a->b[whole] ^ net->at.b[whole]) >> (8 - rest) == 0);
}

/* Are the bits behind the prefix 0? */
static bool is_first(const struct addr_net *net)
{
    size_t whole = net->bits / 8;

    if (net->bits % 8 != 0 && (net->at.b[whole] & 0xff >> net->bits % 8) != 0)
        return false;
    for (size_t i = whole + (net->bits % 8 != 0); i < net->at.n; i++) {
        if (net->at.b[i] != 0)
            return false;
    }
    return true;
}

static bool net_of(str s, struct addr_net *net)
{
    str at, bits;
    uint64_t n = 0;
    bool cut = str_cut(s, '/', &at, &bits);

    if (!addr_parse(at, &net->at))
        return false;
    n = net->at.n * UINT64_C(8);
    if (cut && (!str_to_u64(bits, n, &n) || (bits.n > 1 && bits.p[0] == '0')))
        return false;
    net->bits = (uint8_t)n;
    return true;
}

/* Is an address of IPv6 that only spells one of IPv4, so that allowing it
 * would allow by another name what the IPv4 list says nothing of? */
static bool is_mapped(const struct addr *a)
{
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

    return a->n == 16 && memcmp(a->b, MAPPED, sizeof MAPPED) == 0;
}

rc addr_net_parse(str s, struct addr_net *net, struct err *e)
{
    int n = (int)str_sub(s, 0, 60).n;

    if (!net_of(s, net))
        return err_set(e, RC_INVALID,
                       "%.*s is not a network such as 10.0.0.0/8", n, s.p);
    if (!is_first(net))
        return err_set(e, RC_INVALID,
                       "%.*s names an address inside a network, not its first",
                       n, s.p);
    if (is_mapped(&net->at))
        return err_set(e, RC_INVALID,
                       "%.*s is a spelling of IPv4 addresses: write those", n,
                       s.p);
    return RC_OK;
}

/* ---- judging ---- */

static void read_rows(void)
{
    for (size_t i = 0; i < NELEMS(ROWS); i++)
        ASSERT(net_of(str_of(ROWS[i].net), &nets[i]) && is_first(&nets[i]));
}

static const struct addr_row *row_of(const struct addr *a)
{
    (void)pthread_once(&nets_once, read_rows);
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        if (addr_in_net(a, &nets[i]))
            return &ROWS[i];
    }
    return NULL;
}

/* An interface identifier of ISATAP ends in the IPv4 address that the packet
 * is sent on to (RFC 5214, 6.1). */
static bool is_isatap(const struct addr *a)
{
    return a->n == 16 && (a->b[8] & 0xfd) == 0 && a->b[9] == 0 &&
           a->b[10] == 0x5e && a->b[11] == 0xfe;
}

static struct addr inside(const struct addr *a)
{
    struct addr v4 = {.n = 4};

    memcpy(v4.b, a->b + 12, 4);
    return v4;
}

static const char *kind_of(const struct addr *a, bool *never)
{
    const struct addr_row *row = row_of(a);
    struct addr v4 = inside(a);

    *never = row != NULL && row->never;
    if (row != NULL && row->inside)
        return row_of(&v4) == NULL ? NULL : row->kind;
    if (row != NULL)
        return row->kind;
    if (a->n == 16 && !addr_in_net(a, &GLOBAL6))
        return "not public";
    if (is_isatap(a) && row_of(&v4) != NULL)
        return "ISATAP";
    *never = a->n == 0;
    return a->n == 0 ? "not an IP address" : NULL;
}

bool addr_spells_ipv4(const struct addr *a)
{
    const struct addr_row *row = row_of(a);

    return row != NULL && a->n == 16 &&
           str_starts(str_of(row->kind), STR("IPv4-"));
}

const char *addr_kind(const struct addr *a)
{
    bool never;

    return kind_of(a, &never);
}

bool addr_is_allowed(const struct addr *a, unsigned port,
                     const struct addr_nets *allowed, const char **why)
{
    bool never;
    const char *kind = kind_of(a, &never);

    if (why != NULL)
        *why = kind != NULL ? kind : "port";
    for (size_t i = 0; !never && i < allowed->n; i++) {
        if (addr_in_net(a, &allowed->v[i]))
            return true;
    }
    return kind == NULL && (port == 80 || port == 443);
}
