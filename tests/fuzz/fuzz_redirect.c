/* A URL, then what its Location says, what that one's says, and so on, a line
 * each: wherever that leads is a URL of http or https that reads the same
 * again, holds nothing that could end a line of a request, and is never http
 * once it was https. */
#include "net/fetch.h"
#include "net/url.h"

#define HOPS 8

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const char *from, const char *to, struct arena *a)
{
    struct url was, is;
    str text = str_of(to);

    ASSERT(text.n <= URL_BYTES_MAX);
    for (size_t i = 0; i < text.n; i++)
        ASSERT(text.p[i] > ' ' && text.p[i] < 0x7f);
    ASSERT(url_parse(str_of(from), NULL, a, &was, NULL) == RC_OK);
    ASSERT(url_parse(text, NULL, a, &is, NULL) == RC_OK);
    ASSERT(str_eq(url_text(&is, a), text));
    ASSERT(is.https || !was.https);
    ASSERT(is.host.n > 0 && str_starts(is.path, STR("/")));
    ASSERT((is.addr.n == 0) == (is.kind == URL_DOMAIN));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    str rest = {(const char *)p, n}, line;
    struct arena_mark m;
    struct url first;
    const char *at, *to;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    (void)str_cut(rest, '\n', &line, &rest);
    if (url_parse(line, NULL, a, &first, NULL) == RC_OK) {
        at = arena_cstr(a, url_text(&first, a));
        for (unsigned i = 0; i < HOPS && rest.n > 0; i++) {
            (void)str_cut(rest, '\n', &line, &rest);
            if (fetch_location(at, line, a, &to, NULL) != RC_OK)
                continue;
            check(at, to, a);
            at = to;
        }
    }
    arena_rewind(a, m);
    return 0;
}
