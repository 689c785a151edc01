#include "app/jobs.h"

#include "app/app_priv.h"
#include "base/clock.h"

/* Reindexing is ours: not in lists. */
static bool job_shown(const struct job_row *j)
{
    return !str_eq(j->kind, STR("reindex"));
}

static struct job job_of_row(const struct job_row *r)
{
    const uint64_t *by = r->counts;
    uint64_t ended = by[JOB_COMPLETED] + by[JOB_FAILED] + by[JOB_DUPLICATE] +
                     by[JOB_QUARANTINED];

    return (struct job){
        .id = r->id,
        .base = r->base,
        .kind = r->kind,
        .status = JOB_STATUS_NAMES[r->status],
        .title = r->title,
        .error = r->error,
        .total = r->total,
        .queued = by[JOB_QUEUED],
        .processing = by[JOB_PROCESSING],
        .completed = by[JOB_COMPLETED],
        .failed = by[JOB_FAILED],
        .duplicate = by[JOB_DUPLICATE],
        .progress_pct =
            r->total == 0 ? 100.0 : 100.0 * (double)ended / (double)r->total,
        .created_ms = r->created_ms,
        .updated_ms = r->updated_ms,
        .started_ms = r->started_ms,
        .completed_ms = r->completed_ms,
    };
}

static rc job_row_get(const struct caller *who, struct db *db, uuid id,
                      struct arena *out, struct job_row *j, struct err *e)
{
    uuid base;
    rc code;

    if ((code = db_object_find(db, who->tenant, OBJECT_JOB, id, &base, e)) ==
        RC_OK)
        code = db_job_get(db, who->tenant, base, id, out, j, e);
    return code == RC_NOTFOUND ? err_set(e, code, "no such job") : code;
}

rc app_job_get(struct app *a, const struct caller *who, struct db *db, uuid id,
               struct arena *out, struct job *j, struct err *e)
{
    struct job_row row;
    rc code;

    (void)a;
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = job_row_get(who, db, id, out, &row, e)) != RC_OK)
        return code;
    *j = job_of_row(&row);
    return j->processing == 0
               ? RC_OK
               : db_job_refining(db, row.base, row.id, &j->refining, e);
}

static rc statuses_parse(str status, unsigned *bits, struct err *e)
{
    *bits = 0;
    if (status.n == 0)
        return RC_OK;
    if (str_eq(status, STR("active"))) {
        *bits = 1u << JOB_QUEUED | 1u << JOB_PROCESSING;
        return RC_OK;
    }
    for (unsigned s = 0; s < JOB_STATUS_COUNT; s++)
        if (str_eq(status, str_of(JOB_STATUS_NAMES[s]))) {
            *bits = 1u << s;
            return RC_OK;
        }
    (void)err_set(e, RC_INVALID, "no job has the status " STR_FMT,
                  STR_ARG(str_sub(status, 0, 64)));
    return err_name(e, "bad_request");
}

rc app_job_list(struct app *a, const struct caller *who, struct db *db,
                uuid base, str status, const struct app_page *page,
                struct arena *out, struct job **v, size_t *n,
                struct app_page_end *end, struct err *e)
{
    size_t limit = page_limit(page), rows_n;
    struct page_req p = {.limit = limit};
    struct job_row *rows;
    struct base_row b;
    unsigned bits;
    bool more = true;
    rc code;

    *n = 0;
    *end = (struct app_page_end){0};
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &b, e)) != RC_OK ||
        (code = statuses_parse(status, &bits, e)) != RC_OK ||
        (code = cursor_parse(a, CURSOR_JOBS, who->tenant, base, page->cursor,
                             &p.before, e)) != RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct job, limit);
    /* One more than asked for tells whether another page has any. */
    while (more && !end->more) {
        if ((code = db_job_list(db, who->tenant, base, bits, p, out, &rows,
                                &rows_n, &more, e)) != RC_OK)
            return code;
        for (size_t i = 0; i < rows_n && !end->more; i++) {
            p.before = rows[i].id;
            if (!job_shown(&rows[i]))
                continue;
            end->more = *n == limit;
            if (!end->more)
                (*v)[(*n)++] = job_of_row(&rows[i]);
        }
    }
    if (end->more)
        end->next_cursor = cursor_make(a, CURSOR_JOBS, who->tenant, base,
                                       (*v)[*n - 1].id, out);
    return RC_OK;
}

/* ---- items ---- */

/* What a try said that is not the last is nobody's failure yet. */
static str error_of_item(const struct item_row *r)
{
    return r->status == JOB_QUEUED || r->status == JOB_PROCESSING ? STR_NONE
                                                                  : r->error;
}

static struct job_item item_of_row(const struct item_row *r)
{
    return (struct job_item){
        .document = r->document,
        .version = r->version,
        .duplicate_document = r->duplicate_document,
        .duplicate_version = r->duplicate_version,
        .title = r->title,
        .error = error_of_item(r),
        .status = JOB_STATUS_NAMES[r->status],
        .stage = STAGE_NAMES[r->stage],
        .chunk_count = r->chunk_count,
        .started_ms = r->started_ms,
        .completed_ms = r->completed_ms,
    };
}

/* An item's place in its job, as a cursor carries it. */
static uuid place_of_index(uint32_t index)
{
    uuid at = UUID_NIL;

    for (unsigned i = 0; i < 4; i++)
        at.b[i] = (uint8_t)(index >> (8 * i));
    return at;
}

static uint32_t index_of_place(uuid at)
{
    uint32_t index = 0;

    for (unsigned i = 0; i < 4; i++)
        index |= (uint32_t)at.b[i] << (8 * i);
    return index;
}

rc app_job_items(struct app *a, const struct caller *who, struct db *db,
                 uuid id, const struct app_page *page, struct arena *out,
                 struct job_item **v, size_t *n, struct app_page_end *end,
                 struct err *e)
{
    struct item_row *rows;
    struct job_row j;
    uuid at;
    rc code;

    *n = 0;
    *end = (struct app_page_end){0};
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = job_row_get(who, db, id, out, &j, e)) != RC_OK ||
        (code = cursor_parse(a, CURSOR_ITEMS, who->tenant, id, page->cursor,
                             &at, e)) != RC_OK ||
        (code = db_item_list(db, who->tenant, id, index_of_place(at),
                             page_limit(page), out, &rows, n, &end->more, e)) !=
            RC_OK)
        return code;
    *v = ARENA_ARRAY(out, struct job_item, *n);
    for (size_t i = 0; i < *n; i++)
        (*v)[i] = item_of_row(&rows[i]);
    if (end->more)
        end->next_cursor =
            cursor_make(a, CURSOR_ITEMS, who->tenant, id,
                        place_of_index(rows[*n - 1].index + 1), out);
    return RC_OK;
}

static struct job_log log_of_row(const struct log_row *r)
{
    return (struct job_log){.id = r->id,
                            .document = r->document,
                            .task = r->task,
                            .status = r->status,
                            .input = r->input,
                            .output = r->output,
                            .error = r->error,
                            .duration_ms = (double)r->duration_us / 1e3,
                            .started_ms = r->started_ms,
                            .completed_ms = r->completed_ms};
}

static rc item_logs(const struct caller *who, struct db *db, uuid job,
                    struct arena *out, struct job_item *it, struct err *e)
{
    struct log_row *rows;
    rc code;

    if (uuid_is_nil(it->document))
        return RC_OK; /* a duplicate: nothing was done */
    if ((code = db_log_list(db, who->tenant, job, it->document, out, &rows,
                            &it->logs_n, e)) != RC_OK)
        return code;
    it->logs = ARENA_ARRAY(out, struct job_log, it->logs_n);
    for (size_t i = 0; i < it->logs_n; i++)
        it->logs[i] = log_of_row(&rows[i]);
    return RC_OK;
}

rc app_job_logs(struct app *a, const struct caller *who, struct db *db, uuid id,
                const struct app_page *page, struct arena *out,
                struct job_item **v, size_t *n, struct app_page_end *end,
                struct err *e)
{
    rc code = app_job_items(a, who, db, id, page, out, v, n, end, e);

    for (size_t i = 0; code == RC_OK && i < *n; i++)
        code = item_logs(who, db, id, out, &(*v)[i], e);
    return code;
}

/* ---- new ones ---- */

rc job_add(struct app *a, struct db *db, const struct job_new *j,
           const struct job_version *v, size_t n, uuid *job, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_row row = {.id = uuid_new(),
                          .base = j->base,
                          .tenant = j->tenant,
                          .kind = j->kind,
                          .title = v[0].title,
                          .total = n,
                          .counts = {[JOB_QUEUED] = n},
                          .created_ms = now};
    rc code = db_job_put(db, &row, e);

    *job = row.id;
    for (size_t i = 0; code == RC_OK && i < n; i++)
        code = db_item_put(db,
                           &(struct item_row){.job = row.id,
                                              .base = j->base,
                                              .tenant = j->tenant,
                                              .class = j->class,
                                              .index = (uint32_t)i,
                                              .document = v[i].document,
                                              .version = v[i].version,
                                              .title = v[i].title,
                                              .status = JOB_QUEUED,
                                              .stage = STAGE_QUEUED,
                                              .run_at_ms = now,
                                              .counted = true},
                           e);
    if (code == RC_OK)
        atomic_store(j->class == ITEM_FETCH ? &a->fetches_queued
                                            : &a->items_queued,
                     true);
    return code;
}

/* ---- again ---- */

rc app_job_retry(struct app *a, const struct caller *who, struct db *db,
                 uuid id, uint64_t *queued, struct err *e)
{
    struct arena *tmp = arena_open();
    struct job_row j;
    rc code;

    *queued = 0;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = job_row_get(who, db, id, tmp, &j, e)) != RC_OK)
        goto done;
    if (!job_shown(&j) ||
        (j.status != JOB_FAILED && j.status != JOB_PARTIAL_FAILURE)) {
        (void)err_set(e, RC_INVALID,
                      "a job that is %s can't be retried; only failed ones can",
                      JOB_STATUS_NAMES[j.status]);
        code = err_name(e, "job_not_retryable");
        goto done;
    }
    if ((code = db_job_retry(db, who->tenant, j.base, id, queued, e)) !=
            RC_OK ||
        (code = app_event(db, who, j.base, id, "job.retried", e)) != RC_OK)
        goto done;
    atomic_store(&a->items_queued, true);
    atomic_store(&a->fetches_queued, true);
done:
    arena_close(tmp);
    return code;
}
