#include "net/url.h"

#include "net/url_priv.h"

/* Which ASCII characters each part has percent-encoded, beside controls and
 * whatever is not ASCII (section 1.3 of the standard). */
#define FRAGMENT_SET " \"<>`"
#define QUERY_SET " \"#<>'"
#define PATH_SET " \"#<>?^`{}"
#define USER_SET PATH_SET "/:;=@[\\]|"

struct parsing {
    str rest; /* what is left of the text */
    const struct url *base;
    struct arena *out;
    struct url *u;
    struct buf path; /* "/" and a segment each; none yet: empty */
};

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

static bool at(const struct parsing *p, size_t i, char c)
{
    return i < p->rest.n && p->rest.p[i] == c;
}

static bool slash_at(const struct parsing *p, size_t i)
{
    return i < p->rest.n && is_slash(p->rest.p[i]);
}

static void skip(struct parsing *p, size_t n)
{
    p->rest = str_sub(p->rest, n, p->rest.n);
}

/* Takes what comes before the first of `ends`. */
static str take_until(struct parsing *p, const char *ends)
{
    size_t n = 0;
    str taken;

    while (n < p->rest.n &&
           (p->rest.p[n] == '\0' || strchr(ends, p->rest.p[n]) == NULL))
        n++;
    taken = str_sub(p->rest, 0, n);
    skip(p, n);
    return taken;
}

static void encode(struct buf *to, str s, const char *set)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c > 0x7e || strchr(set, s.p[i]) != NULL) {
            buf_put_char(to, '%');
            buf_put_char(to, HEX[c >> 4]);
            buf_put_char(to, HEX[c & 15]);
        } else {
            buf_put_char(to, s.p[i]);
        }
    }
}

static str encoded(struct parsing *p, str s, const char *set)
{
    struct buf to = {0};
    str done;

    encode(&to, s, set);
    ASSERT(to.code == RC_OK);
    done = arena_str(p->out, buf_str(&to));
    buf_close(&to);
    return done;
}

const char *url_shown(str s, char to[URL_SHOWN])
{
    static const char HEX[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < s.n && n + 4 < URL_SHOWN; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c >= ' ' && c < 0x7f) {
            to[n++] = (char)c;
        } else {
            to[n++] = '%';
            to[n++] = HEX[c >> 4];
            to[n++] = HEX[c & 15];
        }
    }
    to[n] = '\0';
    return to;
}

/* ---- scheme and authority ---- */

/* White space around is dropped, tabs and line ends everywhere. */
static str cleaned(str s, struct arena *out)
{
    char *to = arena_alloc(out, s.n);
    size_t n = 0;

    while (s.n > 0 && (unsigned char)s.p[0] <= ' ')
        s = str_sub(s, 1, s.n);
    while (s.n > 0 && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            to[n++] = s.p[i];
    }
    return (str){to, n};
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* The scheme with its colon taken off; empty: there is none. */
static str take_scheme(struct parsing *p)
{
    str scheme;
    size_t n = 0;

    if (p->rest.n == 0 || !is_letter(p->rest.p[0]))
        return STR_NONE;
    while (n < p->rest.n &&
           (is_letter(p->rest.p[n]) ||
            (p->rest.p[n] >= '0' && p->rest.p[n] <= '9') ||
            p->rest.p[n] == '+' || p->rest.p[n] == '-' || p->rest.p[n] == '.'))
        n++;
    if (!at(p, n, ':'))
        return STR_NONE;
    scheme = str_sub(p->rest, 0, n);
    skip(p, n + 1);
    return scheme;
}

static void take_user(struct parsing *p, str s)
{
    str user, password;

    (void)str_cut(s, ':', &user, &password);
    p->u->user = encoded(p, user, USER_SET);
    p->u->password = encoded(p, password, USER_SET);
}

static rc take_port(struct parsing *p, str s, struct err *e)
{
    char shown[URL_SHOWN];
    uint64_t port;

    while (s.n > 1 && s.p[0] == '0')
        s = str_sub(s, 1, s.n);
    if (s.n == 0)
        return RC_OK;
    if (!str_to_u64(s, 65535, &port))
        return err_set(e, RC_INVALID, "%s is not a port", url_shown(s, shown));
    p->u->port = (unsigned)port;
    return RC_OK;
}

/* Place of the colon before the port, past the brackets of an IPv6 host. */
static size_t colon_of(str s)
{
    bool inside = false;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ':' && !inside)
            return i;
        if (s.p[i] == '[' || s.p[i] == ']')
            inside = s.p[i] == '[';
    }
    return s.n;
}

static rc take_authority(struct parsing *p, struct err *e)
{
    str s = take_until(p, "/\\?#"), host;
    size_t user = s.n, colon;
    rc code;

    while (user > 0 && s.p[user - 1] != '@')
        user--;
    if (user > 0)
        take_user(p, str_sub(s, 0, user - 1));
    s = str_sub(s, user, s.n);
    colon = colon_of(s);
    host = str_sub(s, 0, colon);
    if (host.n == 0)
        return err_set(e, RC_INVALID, "a URL without a host");
    code = url_host_parse(host, p->out, p->u, e);
    return code != RC_OK ? code : take_port(p, str_sub(s, colon + 1, s.n), e);
}

/* ---- path, query, fragment ---- */

/* One dot, plain or percent-encoded, at the front of s; 0: none. */
static size_t dot_bytes(str s)
{
    if (s.n > 0 && s.p[0] == '.')
        return 1;
    return str_eq_nocase(str_sub(s, 0, 3), STR("%2e")) ? 3 : 0;
}

static unsigned dots_of(str s)
{
    size_t one = dot_bytes(s);
    size_t two = dot_bytes(str_sub(s, one, s.n));

    if (one == 0 || one + two != s.n)
        return 0;
    return two == 0 ? 1 : 2;
}

static void shorten(struct buf *path)
{
    while (path->n > 0 && path->p[--path->n] != '/')
        ;
}

/* The path up to ? or #, put behind what p->path has. */
static void take_path(struct parsing *p)
{
    bool more = true;

    if (slash_at(p, 0))
        skip(p, 1);
    while (more) {
        str segment = take_until(p, "/\\?#");
        unsigned dots = dots_of(segment);

        more = slash_at(p, 0);
        if (dots == 2)
            shorten(&p->path);
        if (dots == 0 || !more)
            buf_put_char(&p->path, '/');
        if (dots == 0)
            encode(&p->path, segment, PATH_SET);
        if (more)
            skip(p, 1);
    }
}

static void take_rest(struct parsing *p)
{
    struct url *u = p->u;

    if (at(p, 0, '?')) {
        skip(p, 1);
        u->has_query = true;
        u->query = encoded(p, take_until(p, "#"), QUERY_SET);
    }
    if (at(p, 0, '#')) {
        skip(p, 1);
        u->has_fragment = true;
        u->fragment = encoded(p, p->rest, FRAGMENT_SET);
    }
}

/* ---- the whole ---- */

static rc parse_absolute(struct parsing *p, struct err *e)
{
    while (slash_at(p, 0))
        skip(p, 1);
    p->u->port = p->u->https ? 443 : 80;
    return take_authority(p, e);
}

/* Without a scheme, or with the base's and no slashes behind. */
static rc parse_relative(struct parsing *p, struct err *e)
{
    const struct url *base = p->base;

    if (slash_at(p, 0) && slash_at(p, 1))
        return parse_absolute(p, e);
    *p->u = *base;
    p->u->has_fragment = false;
    p->u->fragment = STR_NONE;
    if (slash_at(p, 0) || p->rest.n == 0 || at(p, 0, '#') || at(p, 0, '?')) {
        if (!slash_at(p, 0))
            buf_put(&p->path, base->path);
    } else {
        buf_put(&p->path, base->path);
        shorten(&p->path);
    }
    if (p->rest.n > 0 && !at(p, 0, '#')) {
        p->u->has_query = false;
        p->u->query = STR_NONE;
    }
    return RC_OK;
}

/* What has no scheme needs a base; what has its base's may be relative. */
static bool is_relative(const struct parsing *p, str scheme)
{
    if (scheme.n == 0)
        return true;
    return p->base != NULL && p->u->https == p->base->https &&
           !(at(p, 0, '/') && at(p, 1, '/'));
}

static rc parse(struct parsing *p, struct err *e)
{
    str scheme = take_scheme(p);
    char shown[URL_SHOWN];
    bool relative;
    rc code;

    p->u->https = str_eq_nocase(scheme, STR("https"));
    if (scheme.n > 0 && !p->u->https && !str_eq_nocase(scheme, STR("http")))
        return err_set(e, RC_UNSUPPORTED, "%s: only http and https are fetched",
                       url_shown(scheme, shown));
    relative = is_relative(p, scheme);
    if (relative && p->base == NULL)
        return err_set(e, RC_INVALID,
                       "%s is not a URL that begins with http:// or https://",
                       url_shown(p->rest, shown));
    if (relative)
        p->u->https = p->base->https;
    code = relative ? parse_relative(p, e) : parse_absolute(p, e);
    if (code != RC_OK)
        return code;
    if (p->path.n == 0 || (p->rest.n > 0 && !at(p, 0, '?') && !at(p, 0, '#')))
        take_path(p);
    take_rest(p);
    p->u->path = arena_str(p->out, buf_str(&p->path));
    return RC_OK;
}

rc url_parse(str text, const struct url *base, struct arena *out, struct url *u,
             struct err *e)
{
    struct parsing p = {.base = base, .out = out, .u = u};
    rc code;

    *u = (struct url){.port = 0};
    if (text.n > URL_BYTES_MAX)
        return err_set(e, RC_LIMIT, "a URL of %zu bytes, at most %zu", text.n,
                       URL_BYTES_MAX);
    p.rest = cleaned(text, out);
    code = parse(&p, e);
    if (code == RC_OK)
        code = buf_end(&p.path, e);
    buf_close(&p.path);
    return code;
}

rc url_parse_given(str text, struct arena *out, struct url *u, struct err *e)
{
    rc code = url_parse(text, NULL, out, u, e);

    if (code == RC_OK && (u->user.n > 0 || u->password.n > 0))
        return err_set(e, RC_INVALID,
                       "a URL with a name or password in it is not taken");
    return code;
}

/* ---- texts ---- */

static void put_origin(struct buf *to, const struct url *u, bool user)
{
    buf_put(to, u->https ? STR("https://") : STR("http://"));
    if (user && (u->user.n > 0 || u->password.n > 0)) {
        buf_put(to, u->user);
        if (u->password.n > 0) {
            buf_put_char(to, ':');
            buf_put(to, u->password);
        }
        buf_put_char(to, '@');
    }
    buf_put(to, u->host);
    if (u->port != (u->https ? 443 : 80))
        buf_fmt(to, ":%u", u->port);
}

static str ended(struct buf *to, struct arena *out)
{
    str s;

    ASSERT(to->code == RC_OK);
    s = arena_str(out, buf_str(to));
    buf_close(to);
    return s;
}

static str text_of(const struct url *u, bool whole, struct arena *out)
{
    struct buf to = {0};

    put_origin(&to, u, whole);
    buf_put(&to, u->path);
    if (u->has_query) {
        buf_put_char(&to, '?');
        buf_put(&to, u->query);
    }
    if (whole && u->has_fragment) {
        buf_put_char(&to, '#');
        buf_put(&to, u->fragment);
    }
    return ended(&to, out);
}

str url_text(const struct url *u, struct arena *out)
{
    return text_of(u, true, out);
}

str url_target(const struct url *u, struct arena *out)
{
    return text_of(u, false, out);
}

static bool is_unreserved(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

/* What stands behind a % that begins no escape is left as it is, lest a
 * decoded digit make one of it. */
static void put_normal(struct buf *to, str s)
{
    static const char HEX[] = "0123456789ABCDEF";
    size_t behind = 2; /* bytes since such a %, as far as they matter */

    for (size_t i = 0; i < s.n; i++) {
        int high = i + 2 < s.n ? str_hex_digit(s.p[i + 1]) : -1;
        int low = i + 2 < s.n ? str_hex_digit(s.p[i + 2]) : -1;
        char c;

        if (s.p[i] != '%' || high < 0 || low < 0) {
            buf_put_char(to, s.p[i]);
            behind = s.p[i] == '%' ? 0 : behind + 1;
            continue;
        }
        i += 2;
        c = (char)(high << 4 | low);
        if (is_unreserved(c) && (behind >= 2 || str_hex_digit(c) < 0)) {
            buf_put_char(to, c);
        } else {
            buf_put_char(to, '%');
            buf_put_char(to, HEX[high]);
            buf_put_char(to, HEX[low]);
        }
        behind = 2;
    }
}

str url_normal(const struct url *u, struct arena *out)
{
    struct buf to = {0};

    put_origin(&to, u, false);
    if (u->path.n > 1)
        put_normal(&to, u->path);
    if (u->has_query) {
        buf_put_char(&to, '?');
        put_normal(&to, u->query);
    }
    return ended(&to, out);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->https == b->https && a->port == b->port &&
           str_eq(a->host, b->host);
}
