#include "serve/exchange_priv.h"

#include <errno.h>
#include <fcntl.h>

#include "app/keys.h"
#include "app/models.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "serve/errors.h"
#include "serve/rate.h"

#define REQUEST_SECONDS_MAX 60
#define REQUEST_ID_BYTES_MAX 128
/* What a multipart body has beside its files: boundaries, headers, a manifest.
 * Files themselves are measured to the byte, in app/intake. */
#define MULTIPART_SLACK_BYTES (64 * KIB)

struct exchange *exchange_open(struct serve *s, struct app *a)
{
    struct exchange *x = mem_alloc(sizeof *x);

    x->q.app = a;
    x->q.serve = s;
    x->q.arena = arena_open();
    x->faults.arena = x->q.arena;
    x->file_fd = -1;
    return x;
}

static void drop_parts(struct exchange *x)
{
    upload_close(x->upload);
    x->upload = NULL;
    for (size_t i = 0; i < x->parts.uploads_n; i++)
        upload_close(x->parts.uploads[i]);
    x->parts.uploads_n = 0;
    buf_close(&x->parts.manifest);
    multipart_close(x->reader);
    x->reader = NULL;
    if (x->file_fd >= 0)
        (void)io_close(x->file_fd);
    x->file_fd = -1;
    if (x->q.file.n > 0)
        (void)io_unlink(x->q.file.p); /* it may have been moved */
    x->q.file = STR_NONE;
}

void exchange_close(struct exchange *x)
{
    if (x == NULL)
        return;
    drop_parts(x);
    json_decref(x->q.query);
    json_decref(x->q.body);
    buf_close(&x->body);
    buf_close(&x->r.body);
    arena_close(x->q.arena);
    mem_free(x);
}

void exchange_fail(struct exchange *x, rc code, const struct err *e)
{
    x->failed = *e;
    x->failed.code = code;
    reply_error(&x->r, x->q.arena, x->dialect, code, e, &x->faults);
    x->answered = true;
    drop_parts(x);
}

static void fail(struct exchange *x, rc code, const char *text)
{
    struct err e = {0};

    (void)err_set(&e, code, "%s", text);
    exchange_fail(x, code, &e);
}

/* One of the errors whose name decides the status. */
static void fail_named(struct exchange *x, const char *name, const char *text)
{
    struct err e = {0};

    (void)err_set(&e, RC_UNSUPPORTED, "%s", text);
    (void)err_name(&e, name);
    exchange_fail(x, RC_UNSUPPORTED, &e);
}

/* ---- the head ---- */

static bool sane_id(str s)
{
    if (s.n == 0 || s.n > REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

static void find_route(struct exchange *x)
{
    const struct http_head *h = &x->head;
    struct err e;
    str allow;

    x->dialect = dialect_of_path(h->path);
    switch (route_find(h->method, h->path, x->q.arena, &x->q.route, x->q.texts,
                       &allow)) {
    case ROUTE_FOUND:
        return;
    case ROUTE_NO_PATH:
        fail(x, RC_NOTFOUND, "no such route");
        return;
    case ROUTE_NO_METHOD:
        x->q.route = NULL;
        (void)err_set(&e, RC_UNSUPPORTED,
                      "this route has other methods, see Allow");
        (void)err_name(&e, "method_not_allowed");
        exchange_fail(x, RC_UNSUPPORTED, &e);
        x->r.status = 405;
        reply_header(&x->r, "Allow", allow);
        return;
    }
}

/* The key of either header; both must be the same when both are there. */
static rc key_of(const struct http_head *h, str *key, struct err *e)
{
    str bearer = STR_NONE;

    if (h->authorization.p != NULL) {
        if (!str_eq_nocase(str_sub(h->authorization, 0, 7), STR("Bearer ")))
            return err_set(e, RC_UNAUTHENTICATED,
                           "the Authorization header must be a bearer key");
        bearer = str_trim(str_sub(h->authorization, 7, h->authorization.n));
    }
    *key = h->api_key.p != NULL ? h->api_key : bearer;
    if (key->n == 0)
        return err_set(e, RC_UNAUTHENTICATED,
                       "missing API key: send the header Authorization: Bearer "
                       "KEY, or x-api-key");
    if (bearer.p != NULL && !crypto_eq(bearer, *key))
        return err_set(e, RC_UNAUTHENTICATED,
                       "x-api-key and bearer hold different keys");
    return RC_OK;
}

static unsigned scope_of(enum access access)
{
    switch (access) {
    case ACCESS_READ:
        return SCOPE_KB_READ;
    case ACCESS_MANAGE:
        return SCOPE_KB_MANAGE;
    case ACCESS_ORG:
        return SCOPE_ORG_MANAGE;
    case ACCESS_OPEN:
    case ACCESS_KEY:
    case ACCESS_LOCAL:
        break;
    }
    return 0;
}

/* Counts the request; false: it is answered with 429. */
static bool within_rate(struct exchange *x)
{
    const struct route *r = x->q.route;
    struct rate *rate = serve_rate(x->q.serve, r->dialect);
    struct rate_state state;
    struct err e = {0};

    if (rate == NULL ||
        rate_take(rate, x->q.who.tenant, clock_mono_ns(), &state))
        return true;
    (void)err_set(&e, RC_BUSY,
                  "over this organization's rate limit of %llu requests in %u "
                  "seconds",
                  (unsigned long long)state.rule.count, state.rule.window_s);
    (void)err_name(&e, "rate_limited");
    e.retry_ms = state.wait_s * 1000;
    exchange_fail(x, RC_BUSY, &e);
    reply_header(
        &x->r, "RateLimit-Policy",
        arena_fmt(x->q.arena, "\"%s\";q=%llu;w=%u", DIALECT_NAMES[r->dialect],
                  (unsigned long long)state.rule.count, state.rule.window_s));
    reply_header(&x->r, "RateLimit",
                 arena_fmt(x->q.arena, "\"%s\";r=0;t=%u",
                           DIALECT_NAMES[r->dialect], state.wait_s));
    /* Airweave's form, with the time of day. */
    reply_header(
        &x->r, "RateLimit-Limit",
        arena_fmt(x->q.arena, "%llu", (unsigned long long)state.rule.count));
    reply_header(&x->r, "RateLimit-Remaining", STR("0"));
    reply_header(
        &x->r, "RateLimit-Reset",
        arena_fmt(x->q.arena, "%lld",
                  (long long)((clock_wall_ms() + 999) / 1000) + state.wait_s));
    return false;
}

static void authenticate(struct exchange *x)
{
    enum access access = x->q.route->access;
    struct db *db = NULL;
    bool sent = x->head.api_key.p != NULL || x->head.authorization.p != NULL;
    struct err e;
    str key;
    rc code;

    /* A key that is sent must be a good one, needed or not. */
    if (access == ACCESS_OPEN ||
        (access == ACCESS_LOCAL && !sent && serve_on_loopback(x->q.serve)))
        return;
    code = key_of(&x->head, &key, &e);
    if (code == RC_OK)
        code = app_read_begin(x->q.app, &db, &e);
    if (code == RC_OK) {
        code = app_authenticate(x->q.app, db, key, &x->q.who, &e);
        app_read_end(db);
    }
    if (code == RC_OK && !within_rate(x))
        return;
    if (code == RC_OK && scope_of(access) != 0)
        code = app_allow(&x->q.who, scope_of(access), &e);
    if (code != RC_OK)
        exchange_fail(x, code, &e);
}

static void limit_body(struct exchange *x)
{
    const struct app_limits *limits = app_limits_of(x->q.app);
    struct err e;

    switch (x->q.route->body_kind) {
    case BODY_NONE:
    case BODY_JSON:
        x->body_bytes_max = limits->json_bytes_max;
        break;
    case BODY_MULTIPART:
        x->body_bytes_max = limits->upload_bytes_max + MULTIPART_SLACK_BYTES;
        break;
    case BODY_FILE:
        x->body_bytes_max = MODEL_BYTES_MAX;
        break;
    }
    if (x->head.has_length && x->head.content_length > x->body_bytes_max) {
        (void)err_set(&e, RC_LIMIT, "the body has %llu bytes, limit %zu",
                      (unsigned long long)x->head.content_length,
                      x->body_bytes_max);
        exchange_fail(x, RC_LIMIT, &e);
    }
}

/* What is wrong about the body as a whole, as a fault. */
static void body_broken(struct exchange *x, const char *why)
{
    struct place at = place_of(STR("body"));

    fault_add(&x->faults, &at, REASON_VALUE, 0, 0, str_of(why), NULL);
    fail(x, RC_INVALID, "the body is broken");
}

static void open_multipart(struct exchange *x)
{
    static const str MULTIPART = STR_INIT("multipart/");
    struct err e;

    /* A body of another type has no manifest; the handler says so. */
    if (str_eq_nocase(str_sub(x->head.content_type, 0, MULTIPART.n),
                      MULTIPART) &&
        multipart_open(x->head.content_type, &x->reader, &e) != RC_OK)
        body_broken(x, e.text);
}

static void open_file(struct exchange *x)
{
    struct err e = {0};
    rc code =
        app_model_temporary(x->q.app, &x->q.who, x->q.arena, &x->q.file, &e);

    if (code == RC_OK) {
        x->file_fd = io_open(x->q.file.p, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (x->file_fd < 0)
            code = err_errno(&e, RC_IO, errno, "cannot take the file in");
    }
    if (code != RC_OK)
        exchange_fail(x, code, &e);
}

static void check_coding(struct exchange *x)
{
    str coding = x->head.content_encoding;

    if (coding.n > 0 && !str_eq_nocase(coding, STR("identity")))
        fail_named(x, "unsupported_media_type",
                   "bodies must come without Content-Encoding");
}

void exchange_head(struct exchange *x, const struct http_head *head)
{
    x->head = *head;
    x->q.range = head->range;
    if (sane_id(head->request_id)) {
        x->q.who.request_id = arena_str(x->q.arena, head->request_id);
    } else {
        x->q.who.request_id = uuid_str(x->q.arena, uuid_new());
    }
    x->q.who.deadline_ns =
        clock_mono_ns() + REQUEST_SECONDS_MAX * (int64_t)1000000000;
    find_route(x);
    if (!x->answered)
        authenticate(x);
    if (!x->answered)
        check_coding(x);
    if (!x->answered)
        limit_body(x);
    if (!x->answered && x->q.route->body_kind == BODY_MULTIPART)
        open_multipart(x);
    if (!x->answered && x->q.route->body_kind == BODY_FILE)
        open_file(x);
    x->q.multipart = &x->parts;
}

/* ---- the body ---- */

/* A part of another name is passed over, as FastAPI does. */
static rc part_begins(struct exchange *x, const struct multipart_event *ev,
                      struct err *e)
{
    struct multipart_body *m = &x->parts;

    x->in_manifest = false;
    if (x->parts_n++ == MULTIPART_PARTS_MAX)
        return err_set(e, RC_LIMIT, "the body has more than %d parts",
                       MULTIPART_PARTS_MAX);
    if (str_eq(ev->name, STR("manifest"))) {
        if (m->has_manifest)
            return err_set(e, RC_FORMAT, "the body has two manifest parts");
        m->has_manifest = x->in_manifest = true;
        buf_open(&m->manifest, app_limits_of(x->q.app)->manifest_bytes_max);
        return RC_OK;
    }
    if (!str_eq(ev->name, STR("files")))
        return RC_OK;
    if (m->uploads_n == m->cap) {
        size_t cap = m->cap;

        m->uploads = arena_grow(x->q.arena, m->uploads, m->uploads_n, &m->cap,
                                sizeof(struct upload *));
        m->filenames = arena_grow(x->q.arena, m->filenames, m->uploads_n, &cap,
                                  sizeof(str));
    }
    m->filenames[m->uploads_n] = arena_str(x->q.arena, ev->filename);
    return upload_open(x->q.app, &x->upload, e);
}

static rc take_event(struct exchange *x, const struct multipart_event *ev,
                     struct err *e)
{
    switch (ev->kind) {
    case MULTIPART_MORE:
        return RC_OK;
    case MULTIPART_PART:
        return part_begins(x, ev, e);
    case MULTIPART_DATA:
        if (x->upload != NULL)
            return upload_put(x->upload, ev->data.p, ev->data.n, e);
        if (!x->in_manifest)
            return RC_OK;
        buf_put(&x->parts.manifest, ev->data);
        if (x->parts.manifest.code == RC_LIMIT)
            return err_set(e, RC_LIMIT, "the manifest is over %zu bytes",
                           app_limits_of(x->q.app)->manifest_bytes_max);
        return buf_end(&x->parts.manifest, e);
    case MULTIPART_PART_END:
        if (x->upload != NULL)
            x->parts.uploads[x->parts.uploads_n++] = x->upload;
        x->upload = NULL;
        return RC_OK;
    }
    return RC_OK;
}

static rc take_slice(struct exchange *x, str bytes, struct err *e)
{
    struct multipart_event ev;
    rc code;

    if (x->q.route->body_kind == BODY_FILE) {
        code =
            file_pwrite_all(x->file_fd, x->q.file.p, bytes, x->file_bytes, e);
        x->file_bytes += bytes.n;
        return code;
    }
    if (x->q.route->body_kind != BODY_MULTIPART) {
        buf_put(&x->body, bytes);
        return buf_end(&x->body, e);
    }
    if (x->reader == NULL)
        return RC_OK;
    multipart_feed(x->reader, bytes);
    do {
        code = multipart_next(x->reader, &ev, e);
        if (code == RC_LIMIT) /* of a header block or name: not the body's */
            code = RC_FORMAT;
        if (code == RC_OK)
            code = take_event(x, &ev, e);
    } while (code == RC_OK && ev.kind != MULTIPART_MORE);
    return code;
}

void exchange_data(struct exchange *x, str bytes)
{
    struct err e;
    rc code;

    x->body_bytes += bytes.n;
    if (x->answered)
        return;
    if (x->body_bytes > x->body_bytes_max)
        code = err_set(&e, RC_LIMIT, "the body has more than %zu bytes",
                       x->body_bytes_max);
    else
        code = take_slice(x, bytes, &e);
    if (code == RC_FORMAT)
        body_broken(x, e.text);
    else if (code != RC_OK)
        exchange_fail(x, code, &e);
}

/* ---- checks ---- */

static void check_path(struct exchange *x)
{
    const struct route *r = x->q.route;

    for (size_t i = 0; i < PATH_PARAMS_MAX && r->params[i].name != NULL; i++) {
        const struct path_param *p = &r->params[i];
        struct field field = {
            .name = p->name, .type = p->type, .prefix = p->prefix};
        struct place in = place_of(STR("path")),
                     at = place_in(&in, str_of(p->name));
        json_t *v;

        if (p->type != FIELD_UUID)
            continue;
        v = field_parse(&field, x->q.texts[i], &at, &x->faults);
        if (v != NULL)
            (void)uuid_parse(str_of(json_string_value(v)), str_of(p->prefix),
                             &x->q.ids[i], x->q.arena, NULL);
        json_decref(v);
    }
}

/* What Pydantic says of a body that isn't there or isn't JSON. */
static bool parse_json(struct exchange *x)
{
    struct place at = place_of(STR("body"));
    size_t offset = 0;
    json_t *empty;
    struct err e;

    if (x->body.n == 0) {
        fault_add(&x->faults, &at, REASON_MISSING, 0, 0, STR_NONE, NULL);
        return false;
    }
    if (js_parse(buf_str(&x->body), (struct js_limits){0}, &x->q.body, &offset,
                 &e) == RC_OK)
        return true;
    x->faults.n = 0; /* FastAPI stops at a body it can't read */
    at = place_at(&at, offset);
    empty = json_object(); /* what FastAPI shows as the input then */
    fault_add(&x->faults, &at, REASON_JSON, (double)offset, 0, str_of(e.text),
              empty);
    json_decref(empty);
    return false;
}

void exchange_ready(struct exchange *x)
{
    const struct route *r = x->q.route;
    struct place body = place_of(STR("body"));
    struct err e;

    check_path(x);
    if (r->query != NULL)
        x->q.query = query_parse(r->query, x->head.query, &x->faults);
    if (r->body_kind == BODY_JSON && parse_json(x))
        model_check(r->body, x->q.body, &body, &x->faults);
    if (x->reader != NULL && multipart_end(x->reader, &e) != RC_OK)
        body_broken(x, e.text);
    else if (x->faults.n > 0)
        fail(x, RC_INVALID, "the request is not valid");
    x->clean = arena_mark(x->q.arena);
}

/* ---- running ---- */

static rc run(struct exchange *x, struct err *e)
{
    rc code;

    buf_clear(&x->r.body);
    x->r.status = 0;
    x->r.type = NULL;
    x->r.blob = (struct reply_blob){0};
    x->r.headers_n = 0;
    x->r.faults = &x->faults;
    x->faults.n = 0;
    code = x->q.route->handle(&x->q, &x->r, e);
    if (x->q.waiting) /* another thread has it now */
        return RC_OK;
    if (code == RC_OK)
        code = buf_end(&x->r.body, e);
    if (code == RC_OK && x->r.status == 0)
        x->r.status = x->q.route->success;
    return code;
}

static bool wants_session(const struct exchange *x)
{
    return x->q.route->access != ACCESS_OPEN || x->q.route->object != NULL;
}

bool exchange_start(struct exchange *x)
{
    struct err e = {0};
    rc code = RC_OK;

    if (wants_session(x))
        code = app_read_begin(x->q.app, &x->q.db, &e);
    if (code == RC_OK)
        code = run(x, &e);
    if (x->q.db != NULL)
        app_read_end(x->q.db);
    x->q.db = NULL;
    if (x->q.waiting)
        return true;
    if (code != RC_OK)
        exchange_fail(x, code, &e);
    x->answered = true;
    return false;
}

void exchange_read(struct exchange *x)
{
    bool waits = exchange_start(x);

    ASSERT(!waits);
}

static rc write_run(struct app_write *w, struct db *db, struct err *e)
{
    struct exchange *x = w->context;

    arena_rewind(x->q.arena, x->clean);
    x->faults.v = NULL; /* lay in what was rewound */
    x->q.db = db;
    return run(x, e);
}

static void write_done(struct app_write *w)
{
    struct exchange *x = w->context;

    if (w->code != RC_OK)
        exchange_fail(x, w->code, &w->err);
    x->answered = true;
    x->resume(x);
}

void exchange_write(struct exchange *x)
{
    struct err e;

    x->write = (struct app_write){.run = write_run,
                                  .done = write_done,
                                  .context = x,
                                  .frees = x->q.route->frees};
    if (app_submit(x->q.app, &x->write, &e) == RC_OK)
        return;
    exchange_fail(x, e.code, &e);
    x->resume(x);
}

void request_finish(struct request *q, struct reply *r, rc code,
                    const struct err *e)
{
    struct exchange *x = (struct exchange *)q; /* its first member */

    ASSERT(&x->r == r);
    if (code != RC_OK)
        exchange_fail(x, code, e);
    else if (r->status == 0)
        r->status = q->route->success;
    x->answered = true;
    x->resume(x);
}
