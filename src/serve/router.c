#include "serve/route.h"

static const struct route *const CHAPTERS[] = {
    FEATHER_BASE_ROUTES,    FEATHER_DOCUMENT_ROUTES,
    FEATHER_VERSION_ROUTES, FEATHER_JOB_ROUTES,
    FEATHER_INGEST_ROUTES,  FEATHER_SEARCH_ROUTES,
    FEATHER_KEY_ROUTES,     KNOWD_ROUTES,
    DOWNLOAD_ROUTES,        OPS_ROUTES};

const struct route *route_next(size_t *at)
{
    size_t left = (*at)++;

    for (size_t i = 0; i < NELEMS(CHAPTERS); i++) {
        for (const struct route *r = CHAPTERS[i]; r->method != NULL; r++) {
            if (left-- == 0)
                return r;
        }
    }
    return NULL;
}

/* Segment by segment: a {name} takes one non-empty segment. The path is split
 * before it is decoded, so that %2F can't make a segment. */
static bool path_matches(const char *pattern, str path, struct arena *out,
                         str texts[PATH_PARAMS_MAX])
{
    str want = str_of(pattern), have = path, w, h;
    size_t n = 0;
    bool more_want = true, more_have = true;

    while (more_want && more_have) {
        more_want = str_cut(want, '/', &w, &want);
        more_have = str_cut(have, '/', &h, &have);
        if (str_starts(w, STR("{"))) {
            ASSERT(n < PATH_PARAMS_MAX);
            if (h.n == 0 || !percent_decode(out, h, false, &texts[n++]))
                return false;
        } else if (!str_eq(w, h)) {
            return false;
        }
    }
    return more_want == more_have;
}

enum route_match route_find(str method, str path, struct arena *out,
                            const struct route **r, str texts[PATH_PARAMS_MAX],
                            str *allow)
{
    enum route_match match = ROUTE_NO_PATH;
    str asked = str_eq(method, STR("HEAD")) ? STR("GET") : method;
    size_t at = 0;

    *allow = STR_NONE;
    while ((*r = route_next(&at)) != NULL) {
        str has = str_of((*r)->method);

        if (!path_matches((*r)->pattern, path, out, texts))
            continue;
        if (str_eq(has, asked))
            return ROUTE_FOUND;
        match = ROUTE_NO_METHOD;
        *allow = allow->n == 0 ? has
                               : arena_fmt(out, STR_FMT ", " STR_FMT,
                                           STR_ARG(*allow), STR_ARG(has));
        if (str_eq(has, STR("GET")))
            *allow = arena_fmt(out, STR_FMT ", HEAD", STR_ARG(*allow));
    }
    return match;
}

void reply_header(struct reply *r, const char *name, str value)
{
    ASSERT(r->headers_n < REPLY_HEADERS_MAX);
    r->headers[r->headers_n++] = (struct header){name, value};
}
