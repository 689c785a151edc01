/* Jobs, their items and the queue made of them. */
#include "store/store_priv.h"

#include "base/clock.h"

const char *const JOB_STATUS_NAMES[JOB_STATUS_COUNT] = {
    [JOB_QUEUED] = "queued",
    [JOB_PROCESSING] = "processing",
    [JOB_COMPLETED] = "completed",
    [JOB_PARTIAL_FAILURE] = "partial_failure",
    [JOB_FAILED] = "failed",
    [JOB_DUPLICATE] = "duplicate",
    [JOB_QUARANTINED] = "quarantined",
};

const char *const STAGE_NAMES[STAGE_COUNT] = {
    [STAGE_QUEUED] = "queued",     [STAGE_EXTRACT] = "extract",
    [STAGE_CHUNK] = "chunk",       [STAGE_INDEX] = "index",
    [STAGE_REFINING] = "refining", [STAGE_DONE] = "done",
    [STAGE_FETCH] = "fetch",
};

static_assert(JOB_QUEUED == 0 && JOB_PROCESSING == 1 && JOB_COMPLETED == 2 &&
                  JOB_FAILED == 4,
              "the numbers in the statements below");

/* ---- the rule ---- */

/* Any item at work makes the job processing; while none has begun it is
 * queued, whatever duplicates were found. Else all of one kind give their name,
 * one failure among others makes it partial. */
enum job_status job_status_of(const uint64_t counts[JOB_STATUS_COUNT])
{
    uint64_t begun = 0, all = 0;

    for (unsigned i = 0; i < JOB_STATUS_COUNT; i++) {
        all += counts[i];
        if (i != JOB_QUEUED && i != JOB_DUPLICATE)
            begun += counts[i];
    }
    if (counts[JOB_PROCESSING] > 0 || (counts[JOB_QUEUED] > 0 && begun > 0))
        return JOB_PROCESSING;
    if (counts[JOB_QUEUED] > 0 || all == 0)
        return JOB_QUEUED;
    if (counts[JOB_DUPLICATE] == all)
        return JOB_DUPLICATE;
    if (counts[JOB_QUARANTINED] == all)
        return JOB_QUARANTINED;
    if (counts[JOB_FAILED] == all)
        return JOB_FAILED;
    return counts[JOB_FAILED] > 0 ? JOB_PARTIAL_FAILURE : JOB_COMPLETED;
}

static bool is_over(enum job_status status)
{
    return status != JOB_QUEUED && status != JOB_PROCESSING;
}

/* ---- jobs ---- */

#define JOB_COLUMNS                                                            \
    "id, base, tenant, kind, title, error, status, total, n0, n1, n2, n3, n4," \
    " n5, n6, cancel, created_ms, updated_ms, started_ms, completed_ms"

static void job_read(struct q *q, struct arena *out, struct job_row *j)
{
    j->id = q_get_uuid(q);
    j->base = q_get_uuid(q);
    j->tenant = q_get_uuid(q);
    j->kind = q_get_text(q, out);
    j->title = q_get_text(q, out);
    j->error = q_get_text(q, out);
    j->status = (enum job_status)q_get_u32(q);
    j->total = q_get_uint(q);
    for (size_t i = 0; i < JOB_STATUS_COUNT; i++)
        j->counts[i] = q_get_uint(q);
    j->cancel = q_get_bool(q);
    j->created_ms = q_get_int(q);
    j->updated_ms = q_get_int(q);
    j->started_ms = q_get_int(q);
    j->completed_ms = q_get_int(q);
}

/* A job's figures and what follows from them. */
struct figures {
    uint64_t counts[JOB_STATUS_COUNT];
    enum job_status status;
    int64_t started_ms, completed_ms;
};

static void figures_follow(struct figures *f, int64_t now_ms)
{
    f->status = job_status_of(f->counts);
    if (f->status != JOB_QUEUED && f->started_ms == 0)
        f->started_ms = now_ms;
    if (!is_over(f->status))
        f->completed_ms = 0;
    else if (f->completed_ms == 0)
        f->completed_ms = now_ms;
}

rc db_job_put(struct db *db, const struct job_row *j, struct err *e)
{
    struct q q =
        q_open(db, "INSERT INTO job(base, id, tenant, kind, title, error,"
                   " status, total, cancel, created_ms, updated_ms,"
                   " started_ms, completed_ms, n0, n1, n2, n3, n4, n5, n6)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?9, ?10,"
                   " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)");
    struct figures f = {0};
    rc code;

    memcpy(f.counts, j->counts, sizeof f.counts);
    figures_follow(&f, j->created_ms);
    q_uuid(&q, j->base);
    q_uuid(&q, j->id);
    q_uuid(&q, j->tenant);
    q_text(&q, j->kind);
    q_text_or_null(&q, j->title);
    q_text_or_null(&q, j->error);
    q_int(&q, f.status);
    q_uint(&q, j->total);
    q_int(&q, j->created_ms);
    q_int(&q, f.started_ms);
    q_int(&q, f.completed_ms);
    for (size_t i = 0; i < JOB_STATUS_COUNT; i++)
        q_uint(&q, f.counts[i]);
    code = q_run(&q, NULL, e);
    if (code != RC_OK)
        return code;
    return object_put(db, j->id, j->tenant, OBJECT_JOB, j->base, e);
}

rc db_job_get(struct db *db, uuid tenant, uuid base, uuid id, struct arena *out,
              struct job_row *j, struct err *e)
{
    struct q q;
    rc code = tallies_write(db, e);

    if (code != RC_OK)
        return code;
    q = q_open(db, "SELECT " JOB_COLUMNS " FROM job"
                   " WHERE base = ?1 AND id = ?2 AND tenant = ?3");
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    if (q_row(&q))
        job_read(&q, out, j);
    return q_end_one(&q, "job", e);
}

rc db_job_list(struct db *db, uuid tenant, uuid base, unsigned statuses,
               struct page_req p, struct arena *out, struct job_row **v,
               size_t *n, bool *more, struct err *e)
{
    unsigned completed = 1u << JOB_COMPLETED;
    struct q q;
    size_t cap = 0;
    rc code = tallies_write(db, e);

    *v = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    /* Without the completed ones the small index serves. */
    if (statuses != 0 && (statuses & completed) == 0)
        q = q_open(db, "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_open"
                       " WHERE base = ?1 AND id < ?2 AND tenant = ?3"
                       " AND status <> 2 AND (?4 >> status) & 1 = 1"
                       " ORDER BY id DESC LIMIT ?5");
    else
        q = q_open(db, "SELECT " JOB_COLUMNS " FROM job"
                       " WHERE base = ?1 AND id < ?2 AND tenant = ?3"
                       " AND (?4 >> status) & 1 = 1"
                       " ORDER BY id DESC LIMIT ?5");
    q_uuid(&q, base);
    q_before(&q, p.before);
    q_uuid(&q, tenant);
    q_int(&q, statuses == 0 ? INT32_MAX : (int64_t)statuses);
    q_uint(&q, p.limit + 1);
    while (q_row(&q)) {
        struct job_row j = {0};

        job_read(&q, out, &j);
        ARENA_PUSH(out, *v, *n, cap, j);
    }
    page_cut(n, p.limit, more);
    return q_end(&q, e);
}

static rc figures_read(struct db *db, uuid base, uuid job, struct figures *f,
                       struct err *e)
{
    struct q q = q_open(db, "SELECT n0, n1, n2, n3, n4, n5, n6, status,"
                            " started_ms, completed_ms FROM job"
                            " WHERE base = ?1 AND id = ?2");

    q_uuid(&q, base);
    q_uuid(&q, job);
    if (q_row(&q)) {
        for (size_t i = 0; i < JOB_STATUS_COUNT; i++)
            f->counts[i] = q_get_uint(&q);
        f->status = (enum job_status)q_get_u32(&q);
        f->started_ms = q_get_int(&q);
        f->completed_ms = q_get_int(&q);
    }
    return q_end_one(&q, "job", e);
}

static rc figures_write(struct db *db, uuid base, uuid job,
                        const struct figures *f, int64_t now_ms, struct err *e)
{
    struct q q = q_open(db, "UPDATE job SET n0 = ?3, n1 = ?4, n2 = ?5,"
                            " n3 = ?6, n4 = ?7, n5 = ?8, n6 = ?9,"
                            " updated_ms = ?10, status = ?11, started_ms = ?12,"
                            " completed_ms = ?13 WHERE base = ?1 AND id = ?2");
    q_uuid(&q, base);
    q_uuid(&q, job);
    for (size_t i = 0; i < JOB_STATUS_COUNT; i++)
        q_uint(&q, f->counts[i]);
    q_int(&q, now_ms);
    q_int(&q, f->status);
    q_int(&q, f->started_ms);
    q_int(&q, f->completed_ms);
    return q_run(&q, NULL, e);
}

rc job_tally_write(struct db *db, const struct tally *t, struct err *e)
{
    int64_t now_ms = clock_wall_ms();
    struct figures f = {0};
    rc code = figures_read(db, t->base, t->job, &f, e);

    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < JOB_STATUS_COUNT; i++) {
        /* A count below none is damage; it must not wrap. */
        if (t->deltas[i] < 0 && f.counts[i] < (uint64_t)-t->deltas[i])
            f.counts[i] = 0;
        else
            f.counts[i] += (uint64_t)t->deltas[i];
    }
    figures_follow(&f, now_ms);
    return figures_write(db, t->base, t->job, &f, now_ms, e);
}

#define STATUS_NONE JOB_STATUS_COUNT

/* ---- items ---- */

#define ITEM_COLUMNS                                                          \
    "job, base, tenant, late, idx, document, version, duplicate_document,"    \
    " duplicate_version, title, error, status, stage, attempts, chunk_count," \
    " run_at_ms, started_ms, completed_ms"

static void item_read(struct q *q, struct arena *out, struct item_row *i)
{
    i->job = q_get_uuid(q);
    i->base = q_get_uuid(q);
    i->tenant = q_get_uuid(q);
    i->class = (enum item_class)q_get_u32(q);
    i->index = q_get_u32(q);
    i->document = q_get_uuid(q);
    i->version = q_get_uuid(q);
    i->duplicate_document = q_get_uuid(q);
    i->duplicate_version = q_get_uuid(q);
    i->title = q_get_text(q, out);
    i->error = q_get_text(q, out);
    i->status = (enum job_status)q_get_u32(q);
    i->stage = (enum stage)q_get_u32(q);
    i->attempts = q_get_u32(q);
    i->chunk_count = q_get_uint(q);
    i->run_at_ms = q_get_int(q);
    i->started_ms = q_get_int(q);
    i->completed_ms = q_get_int(q);
}

static void bind_progress(struct q *q, const struct item_row *i)
{
    q_text_or_null(q, i->error);
    q_int(q, i->status);
    q_int(q, i->stage);
    q_int(q, i->attempts);
    q_uint(q, i->chunk_count);
    q_int(q, i->run_at_ms);
    q_int(q, i->started_ms);
    q_int(q, i->completed_ms);
}

rc db_item_put(struct db *db, const struct item_row *i, struct err *e)
{
    struct q q = q_open(
        db, "INSERT INTO item(base, job, idx, tenant, document, version,"
            " duplicate_document, duplicate_version, title, error, status,"
            " stage, attempts, chunk_count, run_at_ms, started_ms,"
            " completed_ms, late) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
            " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)");
    rc code;

    q_uuid(&q, i->base);
    q_uuid(&q, i->job);
    q_int(&q, i->index);
    q_uuid(&q, i->tenant);
    q_uuid(&q, i->document);
    q_uuid(&q, i->version);
    q_uuid(&q, i->duplicate_document);
    q_uuid(&q, i->duplicate_version);
    q_text_or_null(&q, i->title);
    bind_progress(&q, i);
    q_int(&q, i->class);
    code = q_run(&q, NULL, e);
    if (code == RC_OK && !i->counted)
        tally_move(db, i->base, i->job, STATUS_NONE, i->status);
    return code;
}

static rc item_status(struct db *db, const struct item_row *i,
                      enum job_status *status, struct err *e)
{
    struct q q = q_open(db, "SELECT status FROM item"
                            " WHERE base = ?1 AND job = ?2 AND idx = ?3");

    q_uuid(&q, i->base);
    q_uuid(&q, i->job);
    q_int(&q, i->index);
    if (q_row(&q))
        *status = (enum job_status)q_get_u32(&q);
    return q_end_one(&q, "item", e);
}

/* Writes an item down if it is as `was` says; *done tells. */
static rc item_move(struct db *db, const struct item_row *i,
                    enum job_status was, bool *done, struct err *e)
{
    struct q q = q_open(db, "UPDATE item SET error = ?4, status = ?5,"
                            " stage = ?6, attempts = ?7, chunk_count = ?8,"
                            " run_at_ms = ?9, started_ms = ?10,"
                            " completed_ms = ?11"
                            " WHERE base = ?1 AND job = ?2 AND idx = ?3"
                            " AND status = ?12");
    uint64_t changed;
    rc code;

    q_uuid(&q, i->base);
    q_uuid(&q, i->job);
    q_int(&q, i->index);
    bind_progress(&q, i);
    q_int(&q, was);
    code = q_run(&q, &changed, e);
    *done = changed > 0;
    if (code == RC_OK && *done)
        tally_move(db, i->base, i->job, was, i->status);
    return code;
}

/* Most items move from what `guess` says: that costs no look. */
static rc item_update(struct db *db, const struct item_row *i,
                      enum job_status guess, struct err *e)
{
    bool done;
    rc code = item_move(db, i, guess, &done, e);

    if (code != RC_OK || done)
        return code;
    code = item_status(db, i, &guess, e);
    return code == RC_OK ? item_move(db, i, guess, &done, e) : code;
}

rc db_item_update(struct db *db, const struct item_row *i, struct err *e)
{
    return item_update(db, i, JOB_PROCESSING, e);
}

rc db_item_get(struct db *db, uuid job, uint32_t index, struct arena *out,
               struct item_row *i, struct err *e)
{
    struct q q =
        q_open(db, "SELECT " ITEM_COLUMNS " FROM item WHERE base ="
                   " (SELECT base FROM object WHERE id = ?1 AND kind = 6)"
                   " AND job = ?1 AND idx = ?2");

    q_uuid(&q, job);
    q_int(&q, index);
    if (q_row(&q))
        item_read(&q, out, i);
    return q_end_one(&q, "item", e);
}

static_assert(OBJECT_JOB == 6, "the number in these statements");

static rc items_take(struct q *q, struct arena *out, struct item_row **v,
                     size_t *n, struct err *e)
{
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    while (q_row(q)) {
        struct item_row i = {0};

        item_read(q, out, &i);
        ARENA_PUSH(out, *v, *n, cap, i);
    }
    return q_end(q, e);
}

rc db_item_list(struct db *db, uuid tenant, uuid job, uint32_t from,
                size_t limit, struct arena *out, struct item_row **v, size_t *n,
                bool *more, struct err *e)
{
    struct q q =
        q_open(db, "SELECT " ITEM_COLUMNS " FROM item WHERE base ="
                   " (SELECT base FROM object WHERE id = ?1"
                   "  AND kind = 6 AND tenant = ?2)"
                   " AND job = ?1 AND idx >= ?3 ORDER BY idx LIMIT ?4");
    rc code;

    q_uuid(&q, job);
    q_uuid(&q, tenant);
    q_int(&q, from);
    q_uint(&q, limit + 1);
    code = items_take(&q, out, v, n, e);
    page_cut(n, limit, more);
    return code;
}

/* ---- the queue ---- */

/* Whose turn it is: the base of the first item that is due. */
static rc next_base(struct db *db, unsigned class, int64_t now_ms, uuid *base,
                    struct err *e)
{
    struct q q = q_open(
        db, "SELECT base FROM item INDEXED BY item_queue"
            " WHERE status = 0 AND status < 2 AND late = ?1 AND run_at_ms <= ?2"
            " AND NOT EXISTS(SELECT 1 FROM base_state s"
            "  WHERE s.base = item.base AND s.deleted = 1)"
            " ORDER BY job, idx LIMIT 1");

    q_int(&q, class);
    q_int(&q, now_ms);
    *base = q_row(&q) ? q_get_uuid(&q) : UUID_NIL;
    return q_end(&q, e);
}

/* How far behind an item of another base the queue is searched, so that one
 * lease costs little whatever waits. */
#define LEASE_LOOK_AHEAD 8

/* Of the next `look` that are due, how many are of the base. */
static rc due_count(struct db *db, unsigned class, uuid base, size_t look,
                    int64_t now_ms, size_t *n, struct err *e)
{
    struct q q =
        q_open(db, "SELECT count(*) FROM (SELECT base FROM item"
                   "  INDEXED BY item_queue WHERE status = 0 AND status < 2"
                   "  AND late = ?1 AND run_at_ms <= ?2"
                   "  ORDER BY job, idx LIMIT ?3) WHERE base = ?4");

    q_int(&q, class);
    q_int(&q, now_ms);
    q_uint(&q, look);
    q_uuid(&q, base);
    *n = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

static rc due_items(struct db *db, unsigned class, uuid base, size_t max,
                    int64_t now_ms, struct arena *out, struct item_row **v,
                    size_t *n, struct err *e)
{
    struct q q =
        q_open(db, "SELECT " ITEM_COLUMNS " FROM item WHERE (base, job, idx) IN"
                   " (SELECT base, job, idx FROM (SELECT base, job, idx"
                   "   FROM item INDEXED BY item_queue"
                   "   WHERE status = 0 AND status < 2 AND late = ?1"
                   "   AND run_at_ms <= ?2 ORDER BY job, idx LIMIT ?3)"
                   "  WHERE base = ?4 ORDER BY job, idx LIMIT ?5)"
                   " ORDER BY job, idx");

    q_int(&q, class);
    q_int(&q, now_ms);
    q_uint(&q, max * LEASE_LOOK_AHEAD);
    q_uuid(&q, base);
    q_uint(&q, max);
    return items_take(&q, out, v, n, e);
}

static rc next_due(struct db *db, int64_t *next_ms, struct err *e)
{
    struct q q = q_open(
        db, "SELECT coalesce(min(run_at_ms), 0) FROM item INDEXED BY item_queue"
            " WHERE status = 0 AND status < 2 AND late < 3"
            " AND NOT EXISTS(SELECT 1 FROM base_state s"
            "  WHERE s.base = item.base AND s.deleted = 1)");

    *next_ms = q_row(&q) ? q_get_int(&q) : 0;
    return q_end(&q, e);
}

/* At most `max`, and at most one of `shares` of what is due. */
static rc share_items(struct db *db, unsigned class, uuid base, size_t max,
                      size_t shares, int64_t now_ms, struct arena *out,
                      struct item_row **v, size_t *n, struct err *e)
{
    size_t due = 0, share;
    rc code = due_count(db, class, base, max * shares, now_ms, &due, e);

    if (code != RC_OK)
        return code;
    share = (due + shares - 1) / shares;
    if (share == 0) /* they are behind many of another base */
        share = 1;
    return due_items(db, class, base, share < max ? share : max, now_ms, out, v,
                     n, e);
}

/* The n items of one job, which are all that are due between the first and the
 * last of them. */
static rc lease_of_job(struct db *db, struct item_row *v, size_t n,
                       int64_t now_ms, struct err *e)
{
    /* Not by the queue's index: the statement changes it. */
    struct q q = q_open(
        db, "UPDATE item NOT INDEXED SET status = 1, attempts = attempts + 1,"
            " started_ms = ?6 WHERE base = ?1 AND job = ?2"
            " AND idx BETWEEN ?3 AND ?4 AND status = 0 AND late = ?5"
            " AND run_at_ms <= ?6");
    uint64_t changed;
    rc code;

    q_uuid(&q, v->base);
    q_uuid(&q, v->job);
    q_int(&q, v->index);
    q_int(&q, v[n - 1].index);
    q_int(&q, v->class);
    q_int(&q, now_ms);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed != n)
        code = err_set(e, RC_CORRUPT, "database: %zu items are due, %llu were",
                       n, (unsigned long long)changed);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        v[i].status = JOB_PROCESSING;
        v[i].attempts++;
        v[i].started_ms = now_ms;
        tally_move(db, v->base, v->job, JOB_QUEUED, JOB_PROCESSING);
    }
    return code;
}

rc db_items_lease(struct db *db, size_t max, size_t shares, int64_t now_ms,
                  struct arena *out, struct item_row **v, size_t *n,
                  int64_t *next_ms, struct err *e)
{
    uuid base = UUID_NIL;
    rc code = RC_OK;

    *v = NULL;
    *n = 0;
    *next_ms = 0;
    for (unsigned class = 0;
         code == RC_OK && uuid_is_nil(base) && class < ITEM_FETCH; class ++) {
        code = next_base(db, class, now_ms, &base, e);
        if (code == RC_OK && !uuid_is_nil(base))
            code =
                share_items(db, class, base, max, shares, now_ms, out, v, n, e);
    }
    if (code == RC_OK && *n == 0)
        code = next_due(db, next_ms, e);
    for (size_t i = 0, end; code == RC_OK && i < *n; i = end) {
        for (end = i + 1; end < *n && uuid_eq((*v)[end].job, (*v)[i].job);)
            end++;
        code = lease_of_job(db, *v + i, end - i, now_ms, e);
    }
    return code;
}

/* ---- fetches ---- */

static_assert(ITEM_FETCH == 3, "the number in these statements");

rc db_fetches_due(struct db *db, struct fetch_place from, size_t limit,
                  int64_t now_ms, struct arena *out, struct due_fetch **v,
                  size_t *n, struct err *e)
{
    struct q q = q_open(
        db, "SELECT i.job, i.idx, w.url, i.attempts > 0"
            " FROM item i INDEXED BY item_queue"
            " LEFT JOIN web w ON w.base = i.base AND w.document = i.document"
            " WHERE i.status = 0 AND i.status < 2 AND i.late = 3"
            " AND (i.job, i.idx) > (coalesce(?1, x''), ?2)"
            " AND i.run_at_ms <= ?3 AND NOT EXISTS(SELECT 1 FROM base_state s"
            "  WHERE s.base = i.base AND s.deleted = 1)"
            " ORDER BY i.job, i.idx LIMIT ?4");
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    q_uuid(&q, from.job);
    q_int(&q, uuid_is_nil(from.job) ? -1 : (int64_t)from.index);
    q_int(&q, now_ms);
    q_uint(&q, limit);
    while (q_row(&q)) {
        struct due_fetch d;

        d.at.job = q_get_uuid(&q);
        d.at.index = q_get_u32(&q);
        d.url = q_get_text(&q, out);
        d.again = q_get_bool(&q);
        ARENA_PUSH(out, *v, *n, cap, d);
    }
    return q_end(&q, e);
}

rc db_fetches_next(struct db *db, int64_t now_ms, int64_t *next_ms,
                   struct err *e)
{
    struct q q = q_open(
        db, "SELECT coalesce(min(run_at_ms), 0) FROM item INDEXED BY item_queue"
            " WHERE status = 0 AND status < 2 AND late = 3 AND run_at_ms > ?1");

    q_int(&q, now_ms);
    *next_ms = q_row(&q) ? q_get_int(&q) : 0;
    return q_end(&q, e);
}

rc db_fetch_lease(struct db *db, struct fetch_place at, int64_t now_ms,
                  struct arena *tmp, struct err *e)
{
    struct item_row it = {0};
    rc code = db_item_get(db, at.job, at.index, tmp, &it, e);

    if (code != RC_OK)
        return code;
    it.status = JOB_PROCESSING;
    it.stage = STAGE_FETCH;
    it.attempts++;
    it.started_ms = now_ms;
    return item_update(db, &it, JOB_QUEUED, e);
}

rc db_item_duplicate(struct db *db, const struct item_row *i, uuid document,
                     uuid version, int64_t now_ms, struct err *e)
{
    struct item_row it = *i;
    struct q q = q_open(db, "UPDATE item SET duplicate_document = ?4,"
                            " duplicate_version = ?5 WHERE base = ?1"
                            " AND job = ?2 AND idx = ?3");
    rc code;

    q_uuid(&q, it.base);
    q_uuid(&q, it.job);
    q_int(&q, it.index);
    q_uuid(&q, document);
    q_uuid(&q, version);
    if ((code = q_run(&q, NULL, e)) != RC_OK)
        return code;
    it.status = JOB_DUPLICATE;
    it.stage = STAGE_DONE;
    it.error = STR_NONE;
    it.completed_ms = now_ms;
    return db_item_update(db, &it, e);
}

rc db_item_fetched(struct db *db, const struct item_row *i, int64_t now_ms,
                   struct err *e)
{
    struct item_row it = *i;
    struct q q = q_open(db, "UPDATE item SET late = ?4 WHERE base = ?1"
                            " AND job = ?2 AND idx = ?3");
    rc code;

    q_uuid(&q, it.base);
    q_uuid(&q, it.job);
    q_int(&q, it.index);
    q_int(&q, ITEM_NEW);
    if ((code = q_run(&q, NULL, e)) != RC_OK)
        return code;
    it.status = JOB_QUEUED;
    it.stage = STAGE_QUEUED;
    it.error = STR_NONE;
    it.attempts = 0;
    it.run_at_ms = now_ms;
    return db_item_update(db, &it, e);
}

static_assert(JOB_QUEUED == 0 && JOB_PROCESSING == 1,
              "the numbers in the statements above");

rc db_items_count(struct db *db, uint64_t *queued, uint64_t *leased,
                  struct err *e)
{
    struct q q =
        q_open(db, "SELECT count(*) FILTER (WHERE status = 0),"
                   " count(*) FILTER (WHERE status = 1)"
                   " FROM item INDEXED BY item_queue WHERE status < 2");

    *queued = *leased = 0;
    if (q_row(&q)) {
        *queued = q_get_uint(&q);
        *leased = q_get_uint(&q);
    }
    return q_end(&q, e);
}

rc db_items_unlease(struct db *db, uint64_t *n, struct err *e)
{
    struct arena *tmp = arena_open();
    struct item_row *v;
    size_t items_n;
    struct q q =
        q_open(db, "SELECT " ITEM_COLUMNS " FROM item INDEXED BY item_queue"
                   " WHERE status = 1 AND status < 2 AND stage <> 4");
    rc code = items_take(&q, tmp, &v, &items_n, e);

    for (size_t i = 0; code == RC_OK && i < items_n; i++) {
        v[i].status = JOB_QUEUED;
        v[i].stage = STAGE_QUEUED;
        if (v[i].class == ITEM_FETCH) /* its minute begins anew */
            v[i].attempts = 0;
        code = db_item_update(db, &v[i], e);
    }
    *n = items_n;
    arena_close(tmp);
    return code;
}

/* ---- waiting for vectors ---- */

static_assert(STAGE_REFINING == 4, "the number in these statements");

rc db_bases_refining(struct db *db, struct arena *out, uuid **v, size_t *n,
                     struct err *e)
{
    struct q q = q_open(db, "SELECT DISTINCT base FROM item"
                            " INDEXED BY item_refining WHERE stage = 4");

    return q_end_uuids(&q, out, v, n, e);
}

rc db_items_refining(struct db *db, uuid base, size_t limit, struct arena *out,
                     struct item_row **v, size_t *n, struct err *e)
{
    struct q q = q_open(db, "SELECT " ITEM_COLUMNS " FROM item"
                            " INDEXED BY item_refining"
                            " WHERE base = ?1 AND stage = 4"
                            " ORDER BY job, idx LIMIT ?2");

    q_uuid(&q, base);
    q_uint(&q, limit);
    return items_take(&q, out, v, n, e);
}

rc db_job_refining(struct db *db, uuid base, uuid job, uint64_t *n,
                   struct err *e)
{
    struct q q = q_open(db, "SELECT count(*) FROM item"
                            " INDEXED BY item_refining"
                            " WHERE base = ?1 AND job = ?2 AND stage = 4");

    q_uuid(&q, base);
    q_uuid(&q, job);
    *n = q_row(&q) ? q_get_uint(&q) : 0;
    return q_end(&q, e);
}

rc db_item_refined(struct db *db, const struct item_row *i, int64_t now_ms,
                   struct err *e)
{
    struct q q = q_open(db, "UPDATE item SET status = 2, stage = 5,"
                            " completed_ms = ?4"
                            " WHERE base = ?1 AND job = ?2 AND idx = ?3"
                            " AND stage = 4");
    uint64_t changed;
    rc code;

    q_uuid(&q, i->base);
    q_uuid(&q, i->job);
    q_int(&q, i->index);
    q_int(&q, now_ms);
    code = q_run(&q, &changed, e);
    if (code == RC_OK && changed > 0)
        tally_move(db, i->base, i->job, JOB_PROCESSING, JOB_COMPLETED);
    return code;
}

static_assert(JOB_COMPLETED == 2 && STAGE_DONE == 5,
              "the numbers in this statement");

/* ---- retry ---- */

/* A document whose only hope is this version waits with it. */
static rc document_waits(struct db *db, const struct version_row *v,
                         struct arena *tmp, struct err *e)
{
    struct document_row d = {0};
    rc code = db_document_get(db, v->tenant, v->base, v->document, tmp, &d, e);

    if (code != RC_OK || !uuid_is_nil(d.active_version) ||
        !uuid_eq(d.version, v->id))
        return code;
    d.state = VERSION_PENDING;
    return db_document_update(db, &d, e);
}

static rc retry_item(struct db *db, struct item_row *item, struct arena *tmp,
                     uint64_t *n, struct err *e)
{
    struct version_row v = {0};
    rc code =
        db_version_get(db, item->tenant, item->base, item->version, tmp, &v, e);

    if (code == RC_NOTFOUND)
        return RC_OK; /* deleted since; it stays failed */
    if (code != RC_OK)
        return code;
    /* Another job has fetched it since. */
    if (item->class == ITEM_FETCH && v.state != VERSION_FAILED)
        return RC_OK;
    if (v.state == VERSION_FAILED) { /* one that is served goes on so */
        v.state = VERSION_PENDING;
        v.error = STR_NONE;
        code = db_version_update(db, &v, e);
        if (code == RC_OK)
            code = document_waits(db, &v, tmp, e);
    }
    item->status = JOB_QUEUED;
    item->stage = STAGE_QUEUED;
    item->error = STR_NONE;
    item->attempts = 0;
    item->run_at_ms = item->started_ms = item->completed_ms = 0;
    if (code == RC_OK)
        code = item_update(db, item, JOB_FAILED, e);
    if (code == RC_OK)
        ++*n;
    return code;
}

rc db_job_retry(struct db *db, uuid tenant, uuid base, uuid id, uint64_t *n,
                struct err *e)
{
    struct arena *tmp = arena_open();
    struct item_row *v;
    size_t items_n;
    struct q q = q_open(db, "SELECT " ITEM_COLUMNS " FROM item"
                            " WHERE base = ?1 AND job = ?2 AND tenant = ?3"
                            " AND status = 4 ORDER BY idx");
    rc code;

    *n = 0;
    q_uuid(&q, base);
    q_uuid(&q, id);
    q_uuid(&q, tenant);
    code = items_take(&q, tmp, &v, &items_n, e);
    for (size_t i = 0; code == RC_OK && i < items_n; i++)
        code = retry_item(db, &v[i], tmp, n, e);
    arena_close(tmp);
    return code;
}
