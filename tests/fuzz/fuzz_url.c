/* A base, a newline, a text: what is read writes itself so that it is read the
 * same again, alone and against any base; its host is one of those that a
 * guard knows; its normal form is its own normal form. */
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_chars(str s)
{
    for (size_t i = 0; i < s.n; i++)
        ASSERT(s.p[i] > ' ' && s.p[i] < 0x7f);
}

static void check_host(const struct url *u, struct arena *a)
{
    struct addr addr;
    char text[ADDR_TEXT];

    ASSERT(u->host.n > 0);
    ASSERT((u->addr.n == 0) == (u->kind == URL_DOMAIN));
    if (u->kind == URL_DOMAIN) {
        ASSERT(!addr_parse(u->host, &addr));
        for (size_t i = 0; i < u->host.n; i++)
            ASSERT(strchr("/:@?#[]\\%", u->host.p[i]) == NULL);
        return;
    }
    ASSERT(!addr_spells_ipv4(&u->addr));
    addr_text(&u->addr, text);
    ASSERT(str_eq(u->host, u->kind == URL_IPV4 ? str_of(text)
                                               : arena_fmt(a, "[%s]", text)));
}

static void check_same(const struct url *u, const struct url *base,
                       struct arena *a)
{
    str text = url_text(u, a), normal = url_normal(u, a);
    struct url again;

    if (text.n > URL_BYTES_MAX)
        return;
    ASSERT(url_parse(text, base, a, &again, NULL) == RC_OK);
    ASSERT(str_eq(url_text(&again, a), text));
    ASSERT(url_same_origin(u, &again));
    if (normal.n > URL_BYTES_MAX)
        return;
    ASSERT(url_parse(normal, base, a, &again, NULL) == RC_OK);
    ASSERT(str_eq(url_normal(&again, a), normal));
}

static void check(str text, const struct url *base, struct arena *a,
                  struct url *u)
{
    struct url given;

    if (url_parse(text, base, a, u, NULL) != RC_OK)
        return;
    check_host(u, a);
    ASSERT(u->port <= 65535);
    ASSERT(str_starts(u->path, STR("/")));
    ASSERT(str_find(u->path, STR("/../")) == u->path.n);
    check_chars(url_text(u, a));
    check_same(u, NULL, a);
    if (base != NULL)
        check_same(u, base, a);
    if (url_parse_given(url_target(u, a), a, &given, NULL) == RC_OK)
        ASSERT(url_same_origin(u, &given));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    str from, text;
    struct url base, u;
    struct arena_mark m;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    (void)str_cut((str){(const char *)p, n}, '\n', &from, &text);
    check(from, NULL, a, &base);
    check(text, NULL, a, &u);
    if (url_parse(from, NULL, a, &base, NULL) == RC_OK)
        check(text, &base, a, &u);
    arena_rewind(a, m);
    return 0;
}
