/* A path, a newline, a robots.txt. Rules lie within their limits; what a slow
 * match of each rule by the standard's words says is what robots_allow says. */
#include "net/robots.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The reference: which places of the path can be reached, a byte of the
 * pattern after the other. */
static bool matches(str pattern, str path)
{
    static bool at[8193], next[8193];
    bool whole = pattern.n > 0 && pattern.p[pattern.n - 1] == '$';

    memset(at, 0, sizeof at);
    at[0] = true;
    for (size_t i = 0; i < pattern.n - whole; i++) {
        bool seen = false;

        memset(next, 0, sizeof next);
        for (size_t k = 0; k <= path.n; k++) {
            seen = seen || at[k];
            if (pattern.p[i] == '*')
                next[k] = seen;
            else if (k > 0)
                next[k] = at[k - 1] && path.p[k - 1] == pattern.p[i];
        }
        memcpy(at, next, sizeof at);
    }
    if (whole)
        return at[path.n];
    for (size_t k = 0; k <= path.n; k++) {
        if (at[k])
            return true;
    }
    return false;
}

static bool allow_slowly(const struct robots *r, str path)
{
    size_t longest = 0;
    bool allow = true;

    for (size_t i = 0; i < r->rules_n; i++) {
        const struct robots_rule *rule = &r->rules[i];

        if (!matches(rule->pattern, path))
            continue;
        if (rule->pattern.n > longest ||
            (rule->pattern.n == longest && rule->allow))
            allow = rule->allow;
        if (rule->pattern.n > longest)
            longest = rule->pattern.n;
    }
    return allow;
}

static bool is_plain_path(str path)
{
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] <= ' ' || path.p[i] > 0x7e || path.p[i] == '%')
            return false;
    }
    return path.n <= 200 && !str_eq(path, STR("/robots.txt"));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    struct arena_mark m;
    struct robots r, all;
    str path, text;
    bool allowed;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    (void)str_cut((str){(const char *)p, n}, '\n', &path, &text);
    robots_parse(text, STR("knowd"), a, &r);
    robots_parse(text, STR("*"), a, &all);
    ASSERT(r.sitemaps_n <= ROBOTS_SITEMAPS_MAX);
    ASSERT(r.sitemaps_n == all.sitemaps_n);
    ASSERT(r.delay_ms <= ROBOTS_DELAY_MS_MAX);
    ASSERT(robots_allow(&r, STR("/robots.txt")));
    allowed = robots_allow(&r, path);
    if (is_plain_path(path) && r.rules_n <= 50)
        ASSERT(allowed == allow_slowly(&r, path));
    arena_rewind(a, m);
    return 0;
}
