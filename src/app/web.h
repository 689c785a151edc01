/*
 * web: documents that are fetched from URLs. A URL is one document of a base,
 * whatever its spelling; naming it again fetches it again, and a page that has
 * not changed costs nothing.
 *
 * Errors:  RC_INVALID "invalid_url": not a URL that may be fetched, with why
 *          RC_NOTFOUND no such base
 * Threads: inside a write.
 */
#ifndef APP_WEB_H
#define APP_WEB_H

#include "app/app.h"

#define URLS_MAX 1000 /* of one call */

struct url_in {
    str url, title; /* title empty: the page's own */
};
struct url_added {
    uuid document;
    bool queued; /* false: it is being fetched already, or named twice */
};
/* One job for all; *job is nil where none is queued. A URL that is no good
 * refuses the whole, err.index says which. */
rc app_urls_add(struct app *a, const struct caller *who, struct db *db,
                uuid base, const struct url_in *v, size_t n, struct arena *out,
                struct url_added **added, uuid *job, size_t *queued,
                struct err *e) MUST_CHECK;

#endif
