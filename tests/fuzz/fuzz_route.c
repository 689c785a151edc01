/* METHOD SPACE TARGET against the table of routes. The row that is found must
 * be the one that a slow match by segments finds, its decoded segments hold no
 * NUL, and a query is parsed to values that its field table takes. */
#include "base/json.h"
#include "serve/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct arena *a;

/* The reference: both cut at each '/', segment by segment. */
static bool matches(str pattern, str path)
{
    bool more = true;

    while (more) {
        str want, is;
        bool more_path = str_cut(path, '/', &is, &path), is_param;
        str text;

        more = str_cut(pattern, '/', &want, &pattern);
        is_param = str_starts(want, STR("{"));
        if (more != more_path || (is_param && is.n == 0) ||
            (is_param && !percent_decode(a, is, false, &text)) ||
            (!is_param && !str_eq(want, is)))
            return false;
    }
    return true;
}

static const struct route *find_slowly(str method, str path, bool *any)
{
    const struct route *r, *found = NULL;
    size_t at = 0;

    *any = false;
    while ((r = route_next(&at)) != NULL) {
        if (!matches(str_of(r->pattern), path))
            continue;
        *any = true;
        if (found == NULL && str_eq(str_of(r->method), method))
            found = r;
    }
    return found;
}

static size_t params_of(const char *pattern)
{
    size_t count = 0;

    for (; *pattern != '\0'; pattern++)
        count += *pattern == '{';
    return count;
}

static void check_find(str method, str path, const struct route **row)
{
    str texts[PATH_PARAMS_MAX], allow, get = STR("GET");
    const struct route *slow;
    enum route_match match;
    bool any;

    match = route_find(method, path, a, row, texts, &allow);
    slow = find_slowly(str_eq(method, STR("HEAD")) ? get : method, path, &any);
    ASSERT(*row == slow);
    ASSERT((match == ROUTE_FOUND) == (slow != NULL));
    ASSERT((match == ROUTE_NO_PATH) == !any);
    ASSERT((allow.n > 0) || match != ROUTE_NO_METHOD);
    if (match != ROUTE_FOUND)
        return;
    for (size_t i = 0; i < params_of((*row)->pattern); i++)
        ASSERT(texts[i].n > 0 && memchr(texts[i].p, 0, texts[i].n) == NULL);
}

/* What was parsed is a value of its type, so checking it again as a body's
 * field finds nothing; what it is called stands in the table. */
static void check_query(const struct model *m, str query)
{
    struct faults fs = {.arena = a};
    json_t *values = query_parse(m, query, &fs);
    struct place at = place_of(STR("query"));
    size_t before = fs.n;

    if (fs.n == 0)
        model_check(m, values, &at, &fs);
    ASSERT(fs.n == before);
    json_decref(values);
}

static void check_everywhere(str query)
{
    const struct route *r;
    size_t at = 0;

    while ((r = route_next(&at)) != NULL) {
        if (r->query != NULL)
            check_query(r->query, query);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    str line = {(const char *)p, n}, method, target, path, query;
    const struct route *row;
    struct arena_mark m;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    (void)str_cut(line, ' ', &method, &target);
    (void)str_cut(target, '?', &path, &query);
    check_find(method, path, &row);
    if (row != NULL && row->query != NULL)
        check_query(row->query, query);
    else
        check_everywhere(query);
    arena_rewind(a, m);
    return 0;
}
