/*
 * app: what the product does, in its own words. No JSON dialect, no HTTP.
 *
 * Every operation takes the caller and a session. Reading operations run on
 * the thread that asks, with a session of app_read_begin. Changing operations
 * run on the store's writer thread: wrap them in an app_write, whose `run` may
 * call any operation of app/ with the session it is handed; whatever it
 * returns commits or rolls back all of it. So a handler that changes something
 * is the same straight code, only started by app_submit.
 *
 * Owns:    results live in the arena passed as `out`.
 * Errors:  RC_DENIED    the caller lacks the scope
 *          RC_NOTFOUND  not there, or another tenant's
 *          RC_INVALID   faults say what is wrong
 *          RC_NOSPACE, RC_BUSY, RC_LIMIT, RC_CONFLICT as in base/err.h;
 *          err.name carries the machine name where a dialect shows one
 * Threads: any.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "base/arena.h"
#include "base/caller.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/uuid.h"

struct app;
struct buf;
struct db;
struct said;

/* What is taken in at most. 0: the limit of base/limits.h, which only an
 * upload's may exceed. */
struct app_limits {
    size_t upload_bytes_max;
    size_t text_bytes_max;    /* normalised, of one document */
    size_t content_bytes_max; /* of a text item */
    size_t manifest_bytes_max, manifest_items_max;
    size_t json_bytes_max; /* any other JSON body */
};

struct app_opts {
    const char *dir;
    unsigned workers; /* 0: one a core it may use */
    size_t group_max; /* 0: the store's default; 1: bench */
    str admin_key;    /* KNOWD_ADMIN_KEY; empty: made if none is there */
    str public_url;   /* "http://127.0.0.1:7766"; signed links */
    struct app_limits limits;
    bool unsandboxed_allowed; /* read documents where walls are missing */
    const char *model_dir;    /* packed models; NULL: DIR/model */
    bool models_off;          /* every base is searched by words alone */
    bool short_ids; /* the hub's ids are shown as 12 characters, not UUIDs */
    /* Networks that fetches may reach beside public addresses, any port: texts
     * as addr_net_parse takes them; RC_INVALID from app_open for another. */
    const char *const *allow_nets;
    size_t allow_nets_n;
    bool ocr_off;
    unsigned ocr_pages_max; /* of one file; 0: OCR_PAGES_MAX */
    /* Tests: what extraction children do instead; NULL: extract. */
    rc (*child_work)(str input, struct said said, struct arena *arena,
                     struct buf *to, struct err *e);
};

/* Starts store, index, extraction children and workers. The extraction zygote
 * is forked here: no thread may run yet. In a folder without keys the first
 * admin key is made; *made_key is its text then (else empty), shown once. */
rc app_open(const struct app_opts *o, struct arena *out, struct app **a,
            str *made_key, struct err *e) MUST_CHECK;
/* Recovery is done and search is served. */
bool app_ready(struct app *a);
/* Stops taking work, lets running items finish or return to the queue. */
void app_close(struct app *a);
/* The address is known only after the listener stands (port 0). */
void app_public_url_set(struct app *a, str url);
const struct app_limits *app_limits_of(const struct app *a); /* none is 0 */

/* What would wall the readers of documents in on this machine, and the programs
 * they start: found by starting them as a server does. No thread may run. */
struct app_program {
    const char *name, *package; /* package: Debian's */
    str version;                /* empty: it is not there */
};
struct app_sandbox {
    unsigned walls; /* of enum sandbox_wall */
    struct app_program *programs;
    size_t programs_n;
};
rc app_sandbox_examine(struct arena *out, struct app_sandbox *s,
                       struct err *e) MUST_CHECK;

rc app_read_begin(struct app *a, struct db **db, struct err *e) MUST_CHECK;
void app_read_end(struct db *db);

struct app_write {
    rc (*run)(struct app_write *w, struct db *db, struct err *e);
    void (*done)(struct app_write *w); /* after the commit; must not block */
    void *context;
    bool frees; /* only deletes or updates */
    rc code;
    struct err err;
};
/* RC_OK: done will be called exactly once, on the writer's thread. */
rc app_submit(struct app *a, struct app_write *w, struct err *e) MUST_CHECK;

/* One page of a list, newest first. `cursor` is opaque text as a page gave it;
 * RC_INVALID with err.name "bad_request" for one we didn't make. */
struct app_page {
    str cursor; /* empty: the first page */
    size_t limit;
};
struct app_page_end {
    str next_cursor; /* empty: no more */
    bool more;
};

/* Figures for /metrics. */
struct app_figures {
    uint64_t documents_indexed, documents_failed, searches, bytes_ingested,
        items_queued, items_processing, store_commits, store_writes,
        fsync_failures, index_rows, index_segments, index_bytes, index_merges,
        bases_open, extract_running, extract_crashes, rows_refined;
    double search_seconds_sum;
    bool stopped;       /* the store */
    bool extract_ended; /* no document is read until a restart */
};
void app_figures(struct app *a, struct app_figures *f);

#endif
