/* jobs: what is being done, and what became of it. */
#ifndef APP_JOBS_H
#define APP_JOBS_H

#include "app/app.h"

struct job {
    uuid id, base;
    str kind;           /* "bulk", "url", "reindex", "reprocess" */
    const char *status; /* the seven of Feather */
    str title, error;   /* p NULL: null */
    uint64_t total, queued, processing, completed, failed, duplicate;
    uint64_t refining;   /* of those processing: found by words (app_job_get) */
    double progress_pct; /* items at an end / total x 100 */
    int64_t created_ms, updated_ms, started_ms, completed_ms; /* 0: not yet */
};
struct job_item {
    uuid document, version, duplicate_document, duplicate_version; /* or nil */
    str title, error; /* p NULL: null */
    const char *status, *stage;
    uint64_t chunk_count;
    int64_t started_ms, completed_ms;
    struct job_log *logs; /* app_job_logs only */
    size_t logs_n;
};
struct job_log {
    uuid id, document;
    str task, status, input, output, error; /* input, output: JSON objects */
    double duration_ms;
    int64_t started_ms, completed_ms;
};

rc app_job_get(struct app *a, const struct caller *who, struct db *db, uuid id,
               struct arena *out, struct job *j, struct err *e) MUST_CHECK;
/* status: one of the names, "active" (queued or processing), or empty. */
rc app_job_list(struct app *a, const struct caller *who, struct db *db,
                uuid base, str status, const struct app_page *page,
                struct arena *out, struct job **v, size_t *n,
                struct app_page_end *end, struct err *e) MUST_CHECK;
typedef rc app_job_items_fn(struct app *a, const struct caller *who,
                            struct db *db, uuid id, const struct app_page *page,
                            struct arena *out, struct job_item **v, size_t *n,
                            struct app_page_end *end, struct err *e);
app_job_items_fn app_job_items MUST_CHECK;
/* The same, each with its stages' logs, oldest first. */
app_job_items_fn app_job_logs MUST_CHECK;
/* Failed items only. RC_INVALID "job_not_retryable" unless the job's status is
 * failed or partial_failure. */
rc app_job_retry(struct app *a, const struct caller *who, struct db *db,
                 uuid id, uint64_t *queued, struct err *e) MUST_CHECK;

struct reprocess_in {
    bool all;   /* else what an older extractor read, or could not read */
    str cursor; /* empty: from the first document */
};
struct reprocess {
    uuid job; /* nil: nothing was to be done here */
    uint64_t queued;
    str next_cursor; /* empty: that was the base */
};
/* Queues documents of a base to be extracted again behind all other work; what
 * there is of them is served meanwhile and when it fails. A call looks at some
 * thousand versions. Without a cursor, and while such a job runs, that job is
 * the answer. */
rc app_reprocess(struct app *a, const struct caller *who, struct db *db,
                 uuid base, const struct reprocess_in *in, struct arena *out,
                 struct reprocess *r, struct err *e) MUST_CHECK;

#endif
