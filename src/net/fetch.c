#include "net/fetch.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/fetch_priv.h"
#include "net/pace.h"

#define TIMEOUT_PUBLIC_MS 30000
#define NS_PER_MS INT64_C(1000000)

struct fetch {
    CURL *curl;
};

static pthread_once_t started = PTHREAD_ONCE_INIT;
static CURLcode start_code;

static void start(void)
{
    start_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

rc fetch_open(struct fetch **f, struct err *e)
{
    CURL *curl;

    *f = NULL;
    (void)pthread_once(&started, start);
    curl = start_code == CURLE_OK ? curl_easy_init() : NULL;
    if (curl == NULL)
        return err_set(e, RC_NOMEM, "cannot start libcurl");
    *f = mem_alloc(sizeof **f);
    (*f)->curl = curl;
    return RC_OK;
}

void fetch_close(struct fetch *f)
{
    if (f == NULL)
        return;
    curl_easy_cleanup(f->curl);
    mem_free(f);
}

/* ---- through redirects ---- */

struct run {
    struct fetch *f;
    const struct fetch_opts *o;
    struct fetch_answer *a;
    struct arena *out, *tmp;
    struct url asked, url; /* first, and where it is now */
    int64_t until_ns;
    bool own_headers;
};

static rc bad_url(struct fetch_answer *a, struct err *e)
{
    if (e != NULL)
        e->code = RC_INVALID; /* whatever it is that can't be asked for */
    return fetch_fail(a, FETCH_BAD_URL, RC_INVALID);
}

static rc read_url(struct run *r, struct err *e)
{
    str text = str_of(r->o->url);
    rc code = r->o->policy == FETCH_PUBLIC
                  ? url_parse_given(text, r->tmp, &r->asked, e)
                  : url_parse(text, NULL, r->tmp, &r->asked, e);

    r->url = r->asked;
    return code == RC_OK ? RC_OK : bad_url(r->a, e);
}

static int64_t deadline_of(const struct fetch_opts *o)
{
    unsigned ms = o->timeout_ms;

    if (ms == 0 && o->policy == FETCH_PUBLIC && o->save == NULL)
        ms = TIMEOUT_PUBLIC_MS;
    return ms == 0 ? 0 : clock_mono_ns() + ms * NS_PER_MS;
}

/* Only under guard, and a request with a body is not sent to another place than
 * was named. */
static unsigned redirects_max(const struct fetch_opts *o)
{
    if (o->policy != FETCH_PUBLIC || o->redirects_off || o->body.p != NULL ||
        o->parts_n > 0 || o->file != NULL)
        return 0;
    if (o->method != NULL && strcmp(o->method, "GET") != 0 &&
        strcmp(o->method, "HEAD") != 0)
        return 0;
    return o->redirects_max != 0 ? o->redirects_max : REDIRECTS_MAX;
}

static rc ask(struct run *r, struct err *e)
{
    struct arena *out = r->out;
    struct hop h = {.curl = r->f->curl,
                    .o = r->o,
                    .a = r->a,
                    .out = out,
                    .tmp = r->tmp,
                    .url = &r->url,
                    .own_headers = r->own_headers,
                    .follows = redirects_max(r->o) > 0,
                    .until_ns = r->until_ns};
    struct fetch_answer clean = {.part_failed = SIZE_MAX,
                                 .hops = r->a->hops,
                                 .moved = r->a->moved,
                                 .url = url_target(&r->url, out)};

    *r->a = clean;
    if (r->until_ns != 0 && clock_mono_ns() >= r->until_ns)
        return fetch_fail(r->a, FETCH_TIMED_OUT,
                          err_set(e, RC_TIMEOUT, "not done in time"));
    return hop_run(&h, e);
}

static rc turn_wait(const struct run *r, struct err *e)
{
    int64_t until_ns = r->until_ns != 0 ? r->until_ns : INT64_MAX,
            turn_ns = clock_mono_ns() + (int64_t)r->o->turn_ms * 1000000;
    bool short_turn = r->o->turn_ms != 0 && turn_ns < until_ns;
    rc code =
        pace_enter(r->o->pace, r->url.host, short_turn ? turn_ns : until_ns, e);

    if (code != RC_TIMEOUT)
        return code == RC_OK ? code : fetch_fail(r->a, FETCH_OURS, code);
    if (!short_turn)
        return fetch_fail(r->a, FETCH_TIMED_OUT, code);
    (void)err_set(e, RC_BUSY, STR_FMT " is being asked already",
                  STR_ARG(str_sub(r->url.host, 0, 100)));
    return fetch_fail(r->a, FETCH_NO_TURN, RC_BUSY);
}

static rc ask_in_turn(struct run *r, struct err *e)
{
    struct pace *pace = r->o->pace;
    rc code;

    if (pace == NULL)
        return ask(r, e);
    if ((code = turn_wait(r, e)) != RC_OK)
        return code;
    code = ask(r, e);
    pace_leave(pace, r->url.host, r->a->retry_ms);
    return code;
}

/* To where the answer points. */
static rc go_on(struct run *r, str location, struct err *e)
{
    struct url to;
    rc code = url_parse(location, &r->url, r->tmp, &to, e);

    if (code == RC_OK && r->o->policy == FETCH_PUBLIC && to.user.n > 0)
        code = err_set(e, RC_INVALID, "a name or password in a URL");
    if (code != RC_OK) {
        (void)err_wrap(e, "redirected to what is not fetched");
        return bad_url(r->a, e);
    }
    if (r->url.https && !to.https)
        return fetch_fail(r->a, FETCH_FORBIDDEN,
                          err_set(e, RC_DENIED,
                                  "redirected from https to http, which is "
                                  "not followed"));
    r->a->moved = (r->a->hops == 0 || r->a->moved) &&
                  (r->a->status == 301 || r->a->status == 308);
    r->a->hops++;
    r->url = to;
    r->own_headers = r->own_headers && url_same_origin(&r->asked, &to);
    return RC_OK;
}

static rc follow(struct run *r, struct err *e)
{
    unsigned max = redirects_max(r->o);
    rc code;

    for (;;) {
        str location;

        code = ask_in_turn(r, e);
        if (code != RC_OK || max == 0 || !hop_is_redirect(r->a))
            return code;
        location = fetch_header(r->a, STR("location"));
        if (location.n == 0)
            return RC_OK;
        if (r->a->hops == max)
            return fetch_fail(r->a, FETCH_REDIRECTS,
                              err_set(e, RC_REMOTE,
                                      "more than %u redirects, not followed "
                                      "any further",
                                      max));
        code = go_on(r, location, e);
        if (code != RC_OK)
            return code;
    }
}

rc fetch_run(struct fetch *f, const struct fetch_opts *o, struct arena *out,
             struct fetch_answer *a, struct err *e)
{
    struct run r = {.f = f, .o = o, .a = a, .out = out, .own_headers = true};
    rc code;

    *a = (struct fetch_answer){.part_failed = SIZE_MAX};
    if (o->policy == FETCH_NO_POLICY) {
        (void)err_set(e, RC_INVALID, "a request without a policy");
        return bad_url(a, e);
    }
    r.tmp = arena_open();
    r.until_ns = deadline_of(o);
    code = read_url(&r, e);
    if (code == RC_OK)
        code = follow(&r, e);
    arena_close(r.tmp);
    return code;
}

/* ---- what an answer says ---- */

str fetch_header(const struct fetch_answer *a, str name)
{
    str rest = a->headers, line, key, value;

    while (rest.n > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, name))
            return str_trim(value);
    }
    return STR_NONE;
}

rc fetch_location(const char *url, str location, struct arena *out,
                  const char **to, struct err *e)
{
    struct url from, there;

    *to = NULL;
    if (url_parse(str_of(url), NULL, out, &from, NULL) == RC_OK &&
        url_parse(location, &from, out, &there, NULL) == RC_OK &&
        (there.https || !from.https))
        *to = arena_cstr(out, url_text(&there, out));
    if (*to == NULL)
        return err_set(e, RC_INVALID,
                       "%.100s points to %.*s, which is not followed", url,
                       (int)str_sub(location, 0, 80).n, location.p);
    return RC_OK;
}

str fetch_escape(struct arena *out, str s)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *p = arena_alloc(out, s.n * 3 + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL)) {
            p[n++] = (char)c;
            continue;
        }
        p[n++] = '%';
        p[n++] = HEX[c >> 4];
        p[n++] = HEX[c & 15];
    }
    return (str){p, n};
}
