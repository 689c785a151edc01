#include "serve/route.h"

const char *const DIALECT_NAMES[DIALECT_COUNT] = {
    [DIALECT_FEATHER] = "feather",
    [DIALECT_KNOWD] = "knowd",
    [DIALECT_EXEC] = "exec",
    [DIALECT_PLAIN] = "plain",
};

/* The first rows are found soonest: what monitors ask, then searches. */
static const struct route *const CHAPTERS[] = {
    OPS_ROUTES,          FEATHER_SEARCH_ROUTES,   KNOWD_ROUTES,
    FEATHER_BASE_ROUTES, FEATHER_DOCUMENT_ROUTES, FEATHER_VERSION_ROUTES,
    FEATHER_JOB_ROUTES,  FEATHER_INGEST_ROUTES,   FEATHER_KEY_ROUTES,
    EXEC_SEARCH_ROUTES,  EXEC_SOURCE_ROUTES,      EXEC_FOLDER_ROUTES,
    EXEC_PAGE_ROUTES,    EXEC_WORKSPACE_ROUTES,   DOWNLOAD_ROUTES,
};

enum dialect dialect_of_path(str path)
{
    static const struct {
        str prefix;
        enum dialect dialect;
    } ROOTS[] = {{STR_INIT("/rest/v1"), DIALECT_EXEC},
                 {STR_INIT("/knowd/v1"), DIALECT_KNOWD}};

    for (size_t i = 0; i < NELEMS(ROOTS); i++) {
        str root = ROOTS[i].prefix;

        if (str_starts(path, root) &&
            (path.n == root.n || path.p[root.n] == '/'))
            return ROOTS[i].dialect;
    }
    return DIALECT_FEATHER;
}

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

/* A {name} takes one non-empty segment. The path is matched before it is
 * decoded, so that %2F can't end a segment. */
static bool path_matches(const char *pattern, str path, struct arena *out,
                         str texts[PATH_PARAMS_MAX])
{
    size_t at = 0, n = 0;

    while (*pattern != '\0') {
        if (*pattern == '{') {
            str rest = str_sub(path, at, path.n);
            str segment = str_sub(rest, 0, str_find_char(rest, '/'));

            ASSERT(n < PATH_PARAMS_MAX);
            if (segment.n == 0 ||
                !percent_decode(out, segment, false, &texts[n++]))
                return false;
            at += segment.n;
            pattern = strchr(pattern, '}') + 1;
        } else if (at < path.n && path.p[at] == *pattern) {
            at++;
            pattern++;
        } else {
            return false;
        }
    }
    return at == path.n;
}

static void allow_too(const struct route *r, struct arena *out, str *allow)
{
    *allow = arena_fmt(out, STR_FMT "%s%s", STR_ARG(*allow),
                       allow->n == 0 ? "" : ", ", r->method);
    if (strcmp(r->method, "GET") == 0)
        *allow = arena_fmt(out, STR_FMT ", HEAD", STR_ARG(*allow));
}

enum route_match route_find(str method, str path, struct arena *out,
                            const struct route **r, str texts[PATH_PARAMS_MAX],
                            str *allow)
{
    str asked = str_eq(method, STR("HEAD")) ? STR("GET") : method;

    *allow = STR("");
    for (size_t i = 0; i < NELEMS(CHAPTERS); i++) {
        for (*r = CHAPTERS[i]; (*r)->method != NULL; (*r)++) {
            if (!path_matches((*r)->pattern, path, out, texts))
                continue;
            if (str_eq(str_of((*r)->method), asked))
                return ROUTE_FOUND;
            allow_too(*r, out, allow);
        }
    }
    *r = NULL;
    return allow->n == 0 ? ROUTE_NO_PATH : ROUTE_NO_METHOD;
}

void reply_header(struct reply *r, const char *name, str value)
{
    ASSERT(r->headers_n < REPLY_HEADERS_MAX);
    r->headers[r->headers_n++] = (struct header){name, value};
}
