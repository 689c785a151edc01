/* What the stages of a document's way told. The logs of one try stand in one
 * row, since nobody reads one alone: `task` is PACK, `output` a JSON array of
 * them. Rows of a single log, as first written, are read too. */
#include "base/json.h"
#include "store/store_priv.h"

#define PACK "pack"
/* Their ids differ in four bits of the row's. */
#define LOGS_MAX 16

static uuid log_id(uuid row, size_t i)
{
    row.b[sizeof row.b - 1] ^= (uint8_t)i;
    return row;
}

static void put_number(struct buf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do
        digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (v < 0)
        buf_put_char(b, '-');
    buf_put(b, (str){digits + at, sizeof digits - at});
}

static void log_pack(struct buf *b, const struct log_row *l)
{
    buf_put(b, STR("{\"task\":\""));
    buf_put(b, l->task);
    buf_put(b, STR("\",\"status\":\""));
    buf_put(b, l->status);
    buf_put(b, STR("\",\"started_ms\":"));
    put_number(b, l->started_ms);
    buf_put(b, STR(",\"us\":"));
    put_number(b, l->duration_us);
    buf_put(b, STR(",\"input\":"));
    buf_put(b, l->input);
    buf_put(b, STR(",\"output\":"));
    buf_put(b, l->output);
    if (l->error.n > 0) {
        json_t *error = js_of_str(l->error);

        buf_put(b, STR(",\"error\":"));
        b->code = js_put(b, error, NULL); /* sticks */
        json_decref(error);
    }
    buf_put_char(b, '}');
}

rc db_logs_put(struct db *db, const struct log_row *v, size_t n, struct err *e)
{
    struct buf all = {0};
    struct q q;
    rc code;

    ASSERT(n <= LOGS_MAX);
    if (n == 0)
        return RC_OK;
    for (size_t i = 0; i < n; i++) {
        buf_put_char(&all, i == 0 ? '[' : ',');
        log_pack(&all, &v[i]);
    }
    buf_put_char(&all, ']');
    code = buf_end(&all, e);
    if (code == RC_OK) {
        q = q_open(db,
                   "INSERT INTO log(base, job, id, tenant, document, task,"
                   " status, output, started_ms, completed_ms, duration_us)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, '" PACK "', '', ?6, 0, 0, 0)");
        q_uuid(&q, v[0].base);
        q_uuid(&q, v[0].job);
        q_uuid(&q, log_id(v[0].id, 0));
        q_uuid(&q, v[0].tenant);
        q_uuid(&q, v[0].document);
        q_text(&q, buf_str(&all));
        code = q_run(&q, NULL, e);
    }
    buf_close(&all);
    return code;
}

struct logs {
    struct log_row *v;
    size_t n, cap;
};

static int64_t int_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void log_unpack(const struct log_row *row, const json_t *one, size_t i,
                       struct arena *out, struct logs *to)
{
    struct log_row l = {.id = log_id(row->id, i),
                        .job = row->job,
                        .document = row->document,
                        .task = arena_str(out, js_str(one, "task")),
                        .status = arena_str(out, js_str(one, "status")),
                        .error = arena_str(out, js_str(one, "error")),
                        .input = js_text(out, json_object_get(one, "input")),
                        .output = js_text(out, json_object_get(one, "output")),
                        .started_ms = int_of(one, "started_ms"),
                        .duration_us = int_of(one, "us")};

    l.completed_ms = l.started_ms + l.duration_us / 1000;
    ARENA_PUSH(out, to->v, to->n, to->cap, l);
}

static rc logs_unpack(const struct log_row *row, struct arena *out,
                      struct logs *to, struct err *e)
{
    json_t *all = NULL;
    size_t at;
    rc code = js_parse(row->output, (struct js_limits){0}, &all, &at, e);

    for (size_t i = 0; code == RC_OK && i < json_array_size(all); i++)
        log_unpack(row, json_array_get(all, i), i, out, to);
    json_decref(all);
    return code == RC_OK ? code : err_set(e, RC_CORRUPT, "a log is damaged");
}

static struct log_row row_take(struct q *q, struct arena *out)
{
    struct log_row l = {0};

    l.id = q_get_uuid(q);
    l.job = q_get_uuid(q);
    l.document = q_get_uuid(q);
    l.task = q_get_text(q, out);
    l.status = q_get_text(q, out);
    l.input = q_get_text(q, out);
    l.output = q_get_text(q, out);
    l.error = q_get_text(q, out);
    l.started_ms = q_get_int(q);
    l.completed_ms = q_get_int(q);
    l.duration_us = q_get_int(q);
    return l;
}

#define LOG_SELECT                                                  \
    "SELECT id, job, document, task, status, input, output, error," \
    " started_ms, completed_ms, duration_us FROM log WHERE base ="  \
    " (SELECT base FROM object WHERE id = ?1 AND kind = 6 AND tenant = ?2)"

rc db_log_list(struct db *db, uuid tenant, uuid job, uuid document,
               struct arena *out, struct log_row **v, size_t *n, struct err *e)
{
    /* One statement would hide the document from the index. */
    struct q q = uuid_is_nil(document)
                     ? q_open(db, LOG_SELECT " AND job = ?1 ORDER BY id")
                     : q_open(db, LOG_SELECT " AND job = ?1 AND document = ?3"
                                             " ORDER BY id");
    struct logs all = {0};
    rc code = RC_OK, ended;

    q_uuid(&q, job);
    q_uuid(&q, tenant);
    if (!uuid_is_nil(document))
        q_uuid(&q, document);
    while (code == RC_OK && q_row(&q)) {
        struct log_row l = row_take(&q, out);

        if (str_eq(l.task, STR(PACK)))
            code = logs_unpack(&l, out, &all, e);
        else
            ARENA_PUSH(out, all.v, all.n, all.cap, l);
    }
    ended = q_end(&q, code == RC_OK ? e : NULL);
    *v = all.v;
    *n = all.n;
    return code == RC_OK ? ended : code;
}
