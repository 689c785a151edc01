/*
 * What web.c (URLs queued), fetcher.c (URLs fetched) and the hub share.
 */
#ifndef APP_WEB_PRIV_H
#define APP_WEB_PRIV_H

#include "app/app_priv.h"
#include "app/web.h"

/* A URL that somebody named, checked as far as its text goes. */
struct web_target {
    str url, key; /* as shown, as compared */
};
/* RC_INVALID "invalid_url": with why. */
rc web_target_read(struct app *a, str text, struct arena *out,
                   struct web_target *t, struct err *e) MUST_CHECK;

/* Inside a write: a new document of that URL, queued to be fetched by a job of
 * its own. */
rc web_document_add(struct app *a, const struct caller *who, struct db *db,
                    uuid base, const struct web_target *t, str title, str cover,
                    uuid *document, struct err *e) MUST_CHECK;
/* Inside a write: one that is there is fetched again by a job of its own,
 * unless it waits for that already. */
rc web_fetch_again(struct app *a, const struct caller *who, struct db *db,
                   const struct document_row *d, struct arena *out,
                   struct err *e) MUST_CHECK;

/* fetcher.c */
/* texts: networks allowed beside public addresses. */
rc fetcher_open(struct app *a, const char *const *texts, size_t n,
                struct err *e) MUST_CHECK;
void fetcher_wake(struct app *a);
/* Fetches under way end and are queued again. */
void fetcher_stop(struct app *a);
void fetcher_close(struct app *a); /* after fetcher_stop */
const struct addr_nets *fetcher_nets(const struct app *a);

#endif
