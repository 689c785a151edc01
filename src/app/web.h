/*
 * web: documents that are fetched from URLs. A URL is one document of a base,
 * whatever its spelling; naming it again fetches it again, and a page that has
 * not changed costs nothing.
 *
 * Errors:  RC_NOTFOUND no such base; RC_LIMIT more than URLS_MAX
 * Threads: inside a write; app_allow_nets: any.
 */
#ifndef APP_WEB_H
#define APP_WEB_H

#include "app/app.h"

#define URLS_MAX 1000 /* of one call */

struct url_in {
    str url, title; /* title empty: the page's own */
};
struct url_added {
    uuid document; /* nil: refused */
    bool queued;   /* false: it is being fetched already, or named twice */
    str refused;   /* why it may not be fetched; p NULL: it may */
};
/* One job for all; *job is nil where none is queued. */
rc app_urls_add(struct app *a, const struct caller *who, struct db *db,
                uuid base, const struct url_in *v, size_t n, struct arena *out,
                struct url_added **added, uuid *job, size_t *queued,
                struct err *e) MUST_CHECK;

/* The networks that fetches may reach beside public addresses, "10.0.0.0/8"
 * each. They tell how the operator's network is laid out: RC_DENIED unless it
 * is a key of the first organization with org:manage that asks. */
rc app_allow_nets(struct app *a, const struct caller *who, struct arena *out,
                  str **v, size_t *n, struct err *e) MUST_CHECK;

#endif
