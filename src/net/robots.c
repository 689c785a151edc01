#include "net/robots.h"

#define RULES_MAX 100000
#define PATTERN_BYTES_MAX 2048
#define PATH_BYTES_MAX 2048 /* of a path that is compared */

struct reading {
    str agent;
    struct arena *out;
    struct robots *r;
    size_t rules_cap;
    str *sitemaps;
    size_t sitemaps_cap;
    struct robots_rule *rules;
    bool in_agents; /* the lines just before named agents */
    bool ours;      /* the group is for whom we read */
};

/* ---- lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static str trim(str s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = str_sub(s, 1, s.n);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* CR, LF or both end a line. */
static str take_line(str *rest)
{
    size_t n = 0;
    str line;

    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
        n++;
    line = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n + 1, rest->n);
    return line;
}

/* "key: value # comment"; false: no such line. */
static bool cut_line(str line, str *key, str *value)
{
    str comment;

    (void)str_cut(line, '#', &line, &comment);
    if (!str_cut(line, ':', key, value))
        return false;
    *key = trim(*key);
    *value = trim(*value);
    return key->n > 0;
}

/* The product token at the front of "knowd/1.0 (…)". */
static str token_of(str value)
{
    size_t n = 0;

    while (n < value.n &&
           (value.p[n] == '-' || value.p[n] == '_' ||
            ((value.p[n] | 0x20) >= 'a' && (value.p[n] | 0x20) <= 'z')))
        n++;
    return str_sub(value, 0, n);
}

static bool is_for(str value, str agent)
{
    if (str_eq(agent, STR("*")))
        return str_eq(value, STR("*"));
    return str_eq_nocase(token_of(value), agent);
}

/* ---- rules ---- */

static bool is_plain(unsigned char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-._~", c) != NULL);
}

/* One spelling for what percent-encoding can say in several: unreserved bytes
 * plain, others as %XX in capitals, as is what is not ASCII (2.2.2). */
static str normal(str s, struct arena *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *to = arena_alloc(out, s.n * 3);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        int high = i + 2 < s.n && c == '%' ? str_hex_digit(s.p[i + 1]) : -1;
        int low = high >= 0 ? str_hex_digit(s.p[i + 2]) : -1;
        bool escaped = low >= 0;

        if (escaped) {
            c = (unsigned char)(high << 4 | low);
            i += 2;
        }
        if ((escaped && !is_plain(c)) || c > 0x7e || c <= ' ') {
            to[n++] = '%';
            to[n++] = HEX[c >> 4];
            to[n++] = HEX[c & 15];
        } else {
            to[n++] = (char)c;
        }
    }
    return (str){to, n};
}

static void put_rule(struct reading *g, str pattern, bool allow)
{
    if (pattern.n == 0 || pattern.n > PATTERN_BYTES_MAX ||
        g->r->rules_n == RULES_MAX)
        return; /* an empty one matches nothing */
    pattern = normal(pattern, g->out);
    ARENA_PUSH(g->out, g->rules, g->r->rules_n, g->rules_cap,
               ((struct robots_rule){pattern, allow}));
}

/* Seconds, perhaps with a fraction. */
static unsigned delay_ms_of(str s)
{
    str whole, part;
    uint64_t ms, tenths = 0;

    (void)str_cut(s, '.', &whole, &part);
    if (whole.n == 0)
        whole = STR("0");
    if (!str_to_u64(whole, UINT32_MAX, &ms))
        return 0;
    if (part.n > 0 && !str_to_u64(str_sub(part, 0, 1), 9, &tenths))
        return 0;
    ms = ms * 1000 + tenths * 100;
    return (unsigned)(ms < ROBOTS_DELAY_MS_MAX ? ms : ROBOTS_DELAY_MS_MAX);
}

static void put_sitemap(struct reading *g, str value)
{
    if (value.n == 0 || g->r->sitemaps_n == ROBOTS_SITEMAPS_MAX)
        return;
    value = arena_str(g->out, value);
    ARENA_PUSH(g->out, g->sitemaps, g->r->sitemaps_n, g->sitemaps_cap, value);
}

static void read_line(struct reading *g, str line)
{
    str key, value;

    if (!cut_line(line, &key, &value))
        return;
    if (str_eq_nocase(key, STR("user-agent"))) {
        g->ours = (g->in_agents && g->ours) || is_for(value, g->agent);
        g->in_agents = true;
    } else if (str_eq_nocase(key, STR("sitemap"))) {
        put_sitemap(g, value); /* of no group */
    } else if (str_eq_nocase(key, STR("allow")) ||
               str_eq_nocase(key, STR("disallow"))) {
        g->in_agents = false;
        if (g->ours)
            put_rule(g, value, (key.p[0] | 0x20) == 'a');
    } else if (str_eq_nocase(key, STR("crawl-delay"))) {
        g->in_agents = false;
        if (g->ours && g->r->delay_ms == 0)
            g->r->delay_ms = delay_ms_of(value);
    }
}

static bool has_group(str rest, str agent)
{
    while (rest.n > 0) {
        str line = take_line(&rest), key, value;

        if (cut_line(line, &key, &value) &&
            str_eq_nocase(key, STR("user-agent")) && is_for(value, agent))
            return true;
    }
    return false;
}

void robots_parse(str bytes, str agent, struct arena *out, struct robots *r)
{
    struct reading g = {.agent = agent, .out = out, .r = r};
    str rest = str_sub(bytes, 0, ROBOTS_BYTES_MAX);

    *r = (struct robots){.rules_n = 0};
    if (str_starts(rest, STR("\xef\xbb\xbf")))
        rest = str_sub(rest, 3, rest.n);
    if (!has_group(rest, agent))
        g.agent = STR("*");
    while (rest.n > 0)
        read_line(&g, take_line(&rest));
    r->rules = g.rules;
    r->sitemaps = g.sitemaps;
}

void robots_of_answer(unsigned status, str body, str agent, struct arena *out,
                      struct robots *r)
{
    *r = (struct robots){.rules_n = 0};
    if (status >= 200 && status < 300)
        robots_parse(body, agent, out, r);
    else
        r->none_allowed = status < 400 || status > 499 || status == 429;
}

/* ---- questions ---- */

/* Does the pattern match a beginning of the path, or all of it with a $ at the
 * end? What stands between two * is looked for where it first comes: any later
 * place leaves less for the rest. */
static bool matches(str pattern, str path)
{
    bool whole = str_ends(pattern, STR("$")), stars;
    str part;

    if (whole)
        pattern.n--;
    stars = str_cut(pattern, '*', &part, &pattern);
    if (!str_starts(path, part))
        return false;
    path = str_sub(path, part.n, path.n);
    if (!stars)
        return !whole || path.n == 0;
    while (str_cut(pattern, '*', &part, &pattern)) {
        size_t at = str_find(path, part);

        if (at == path.n && part.n > 0)
            return false;
        path = str_sub(path, at + part.n, path.n);
    }
    return whole ? str_ends(path, part)
                 : part.n == 0 || str_find(path, part) < path.n;
}

bool robots_allow(const struct robots *r, str path)
{
    struct arena *tmp;
    size_t longest = 0;
    bool allow = true;

    if (str_eq(path, STR("/robots.txt")))
        return true;
    if (r->none_allowed || r->rules_n == 0)
        return !r->none_allowed;
    tmp = arena_open();
    path = normal(str_sub(path, 0, PATH_BYTES_MAX), tmp);
    for (size_t i = 0; i < r->rules_n; i++) {
        const struct robots_rule *rule = &r->rules[i];

        if (rule->pattern.n < longest || !matches(rule->pattern, path))
            continue;
        allow = rule->allow || (rule->pattern.n == longest && allow);
        longest = rule->pattern.n;
    }
    arena_close(tmp);
    return allow;
}
