#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct addr_nets NONE;

static struct addr addr(const char *text)
{
    struct addr a;

    assert_true(addr_parse(str_of(text), &a));
    return a;
}

static const char *kind(const char *text)
{
    struct addr a = addr(text);

    return addr_kind(&a);
}

static struct addr last_of(const struct addr_net *net)
{
    struct addr a = net->at;

    for (size_t bit = net->bits; bit < a.n * (size_t)8; bit++)
        a.b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    return a;
}

static void the_edges_of_each_range_are_forbidden(void **state)
{
    struct addr_row row;
    size_t rows = 0;

    (void)state;
    for (; addr_row(rows, &row); rows++) {
        struct addr_net net = {.bits = 0};
        struct addr first, last;
        str at, bits;
        uint64_t n;

        assert_true(str_of(row.source).n > 0);
        if (row.inside)
            continue;
        assert_true(str_cut(str_of(row.net), '/', &at, &bits));
        assert_true(addr_parse(at, &net.at));
        assert_true(str_to_u64(bits, 128, &n));
        net.bits = (uint8_t)n;
        first = net.at;
        last = last_of(&net);
        assert_non_null(addr_kind(&first));
        assert_non_null(addr_kind(&last));
        assert_false(addr_is_allowed(&first, 80, &NONE, NULL));
        assert_false(addr_is_allowed(&last, 443, &NONE, NULL));
    }
    assert_in_range(rows, 40, 60);
}

/* One below the first or above the last of a range, where that is public. */
static void the_neighbours_of_each_range_are_public(void **state)
{
    static const char *const PUBLIC[] = {
        "1.0.0.0",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255",
        "128.0.0.0",       "168.63.129.15",   "168.63.129.17",
        "169.253.255.255", "169.255.0.0",     "172.15.255.255",
        "172.32.0.0",      "191.255.255.255", "192.0.1.0",
        "192.0.1.255",     "192.0.3.0",       "192.31.195.255",
        "192.31.197.0",    "192.52.192.255",  "192.52.194.0",
        "192.88.98.255",   "192.88.100.0",    "192.167.255.255",
        "192.169.0.0",     "192.175.47.255",  "192.175.49.0",
        "198.17.255.255",  "198.20.0.0",      "198.51.99.255",
        "198.51.101.0",    "203.0.112.255",   "203.0.114.0",
        "223.255.255.255", "2001:200::",      "2001:db7:ffff::1",
        "2001:db9::",      "2003::",          "2620:4f:7fff::1",
        "2620:4f:8001::",  "3ffd:ffff::",     "3fff:1000::",
        "2000::",          "3ffd::",          "2606:4700:4700::1111",
        "2a00:1450::1",    "64:ff9b::8.8.8.8"};

    (void)state;
    for (size_t i = 0; i < NELEMS(PUBLIC); i++) {
        struct addr a = addr(PUBLIC[i]);

        assert_null(addr_kind(&a));
        assert_true(addr_is_allowed(&a, 80, &NONE, NULL));
        assert_true(addr_is_allowed(&a, 443, &NONE, NULL));
        assert_false(addr_is_allowed(&a, 22, &NONE, NULL));
    }
}

static void what_is_neither_is_told_by_its_kind(void **state)
{
    static const struct {
        const char *addr, *kind;
    } ROWS[] = {
        {"169.254.169.254", "link-local"},
        {"100.100.100.200", "shared (CGNAT)"},
        {"168.63.129.16", "a cloud's platform"},
        {"255.255.255.255", "broadcast"},
        {"::", "unspecified"},
        {"::1", "loopback"},
        {"::2", "IPv4-compatible"},
        {"::127.0.0.1", "IPv4-compatible"},
        {"::8.8.8.8", "IPv4-compatible"},
        {"::ffff:127.0.0.1", "IPv4-mapped"},
        {"::ffff:8.8.8.8", "IPv4-mapped"},
        {"::ffff:0:7f00:1", "IPv4-translated"},
        {"64:ff9b::10.0.0.1", "NAT64"},
        {"64:ff9b::a9fe:a9fe", "NAT64"},
        {"64:ff9b:1::808:808", "local NAT64"},
        {"64:ff9b::1:0:0", "not public"},
        {"2002:7f00:1::", "6to4"},
        {"2001:0:7f00:1::", "Teredo"},
        {"2001:db8:1::5efe:10.0.0.1", "documentation"},
        {"2a00::5efe:10.0.0.1", "ISATAP"},
        {"2a00::200:5efe:192.168.0.1", "ISATAP"},
        {"1fff:ffff::", "not public"},
        {"4000::", "not public"},
        {"fd00:ec2::254", "unique local"},
        {"fe80::1", "link-local"},
        {"febf::1", "link-local"},
        {"fec0::1", "site-local"},
        {"ff02::1", "multicast"},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        assert_non_null(kind(ROWS[i].addr));
        assert_string_equal(kind(ROWS[i].addr), ROWS[i].kind);
    }
    assert_null(kind("2a00::5efe:8.8.8.8"));
    assert_null(kind("2a00::200:5efe:8.8.8.8"));
}

static void a_list_of_networks_allows_any_port_there(void **state)
{
    struct addr_net v[3];
    struct addr_nets nets = {v, NELEMS(v)};
    static const struct {
        const char *addr;
        unsigned port;
        bool allowed;
    } ROWS[] = {
        {"10.1.2.3", 8080, true},         {"10.255.255.255", 1, true},
        {"11.0.0.0", 8080, false},        {"11.0.0.0", 80, true},
        {"192.168.7.9", 22, true},        {"192.168.7.8", 22, false},
        {"fd00:1::5", 8080, true},        {"fd01::5", 80, false},
        {"::ffff:10.1.2.3", 80, false},   {"::10.1.2.3", 80, false},
        {"64:ff9b::10.1.2.3", 80, false}, {"169.254.169.254", 80, false},
    };
    const char *why = NULL;

    (void)state;
    assert_int_equal(addr_net_parse(STR("10.0.0.0/8"), &v[0], NULL), RC_OK);
    assert_int_equal(addr_net_parse(STR("192.168.7.9"), &v[1], NULL), RC_OK);
    assert_int_equal(addr_net_parse(STR("fd00::/16"), &v[2], NULL), RC_OK);
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        struct addr a = addr(ROWS[i].addr);

        assert_int_equal(addr_is_allowed(&a, ROWS[i].port, &nets, &why),
                         ROWS[i].allowed);
    }
    assert_string_equal(why, "link-local");
}

/* Whatever is allowed, these never are. */
static void some_are_never_allowed(void **state)
{
    static const char *const NEVER[] = {
        "0.0.0.0", "0.1.2.3",   "224.0.0.1",       "255.255.255.255",
        "::",      "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1",
        "ff02::1"};
    struct addr_net v[2];
    struct addr_nets nets = {v, NELEMS(v)};
    struct addr none = {.n = 0};

    (void)state;
    assert_int_equal(addr_net_parse(STR("0.0.0.0/0"), &v[0], NULL), RC_OK);
    assert_int_equal(addr_net_parse(STR("::/0"), &v[1], NULL), RC_OK);
    for (size_t i = 0; i < NELEMS(NEVER); i++) {
        struct addr a = addr(NEVER[i]);

        assert_false(addr_is_allowed(&a, 80, &nets, NULL));
    }
    assert_false(addr_is_allowed(&none, 80, &nets, NULL));
}

static void networks_are_read_strictly(void **state)
{
    static const char *const GOOD[] = {
        "10.0.0.0/8", "0.0.0.0/0", "10.9.8.7/32", "10.9.8.7", "192.168.0.0/16",
        "fd00::/8",   "::/0",      "::1",         "::1/128",  "172.16.0.0/12"};
    static const char *const BAD[] = {"",
                                      "/",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.1/8",
                                      "10/8",
                                      "10.0.0/8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/8 ",
                                      " 10.0.0.0/8",
                                      "10.0.0.0/8/8",
                                      "0x0a.0.0.0/8",
                                      "012.0.0.0/8",
                                      "10.0.0.0/255.0.0.0",
                                      "fd00::/129",
                                      "fd00::1/64",
                                      "fe80::1%eth0",
                                      "[::1]/128",
                                      "localhost",
                                      "::ffff:0:0/96",
                                      "::ffff:10.0.0.0/104",
                                      "::ffff:10.0.0.1",
                                      "10.0.0.0/8,11.0.0.0/8",
                                      "172.16.0.0/11",
                                      "10.0.0.0/8x"};
    struct addr_net net;
    struct err e;

    (void)state;
    for (size_t i = 0; i < NELEMS(GOOD); i++)
        assert_int_equal(addr_net_parse(str_of(GOOD[i]), &net, &e), RC_OK);
    for (size_t i = 0; i < NELEMS(BAD); i++)
        assert_int_equal(addr_net_parse(str_of(BAD[i]), &net, &e), RC_INVALID);
    assert_int_equal(addr_net_parse((str){"10.0.0.0\0", 9}, &net, &e),
                     RC_INVALID);
}

static void socket_addresses_are_taken_by_their_bytes(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(81)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(82)};
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[ADDR_TEXT];
    struct addr a, b = addr("127.0.0.1");
    unsigned port;

    (void)state;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    assert_true(addr_of_sockaddr((struct sockaddr *)&v4, &a, &port));
    assert_true(addr_eq(&a, &b) && port == 81);
    assert_true(addr_of_sockaddr((struct sockaddr *)&v6, &a, &port));
    assert_false(addr_eq(&a, &b));
    assert_int_equal(port, 82);
    addr_text(&a, text);
    assert_string_equal(text, "::1");
    assert_false(addr_of_sockaddr(&other, &a, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edges_of_each_range_are_forbidden),
        cmocka_unit_test(the_neighbours_of_each_range_are_public),
        cmocka_unit_test(what_is_neither_is_told_by_its_kind),
        cmocka_unit_test(a_list_of_networks_allows_any_port_there),
        cmocka_unit_test(some_are_never_allowed),
        cmocka_unit_test(networks_are_read_strictly),
        cmocka_unit_test(socket_addresses_are_taken_by_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
