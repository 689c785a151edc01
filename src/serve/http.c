/*
 * The edge to libmicrohttpd. What it lets through that RFC 9112 forbids is
 * refused by framing.c before a route sees it; what can't be is listed in
 * docs/api/http.md.
 *
 * A request that is refused before its body was all there is answered in one
 * of three ways, because the library takes no answer in mid-body and a client
 * that writes before it reads must not find its connection reset:
 *   - it waits for 100-continue: at once;
 *   - at most DRAIN_BYTES_MAX are to come: behind them, through the library;
 *   - else: written to the socket by us, and what comes is drained a while.
 */
#include "serve/serve.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>

#include "app/documents.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/framing.h"
#include "serve/listener.h"
#include "serve/rate.h"
#include "serve/watch.h"

#define CONNECTIONS_MAX_DEFAULT 4096
/* Past so many, answers end their connection: a kept one costs its buffer. */
#define CONNECTIONS_KEPT_MAX 512
#define CONNECTION_IDLE_S 30
#define THREADS_MIN 4 /* so that one long search leaves the others */
#define BLOB_SLICE_BYTES (64 * KIB)
/* Head, and what the library keeps beside it. */
#define CONNECTION_MEMORY_BYTES (52 * KIB)
/* The library whose buffers framing.c knows. */
#define LIBRARY_VERSION "0.9.75"
/* Stopping: how long after the word new connections are still taken, how long
 * those that have begun may take to be there, how long a kept connection may
 * bring one more request, and when it is enough. */
#define STOP_NOTICE_MS 100
#define STOP_BEGUN_MS 50
#define STOP_QUIET_MS 250
#define STOP_MS_MAX 8000
#define STOP_SUSPENDED_MS_MAX 9500

struct serve {
    struct app *app;
    struct MHD_Daemon *daemon;
    struct watch *watch;
    struct listener listener;
    struct rate *rates[DIALECT_COUNT];
    bool laid_out;
    atomic_bool draining;
    _Atomic uint64_t requests, in_flight, suspended, connections, answers[6];
    _Atomic int64_t last_end_ns;
};

bool serve_draining(const struct serve *s)
{
    return atomic_load(&s->draining);
}

bool serve_on_loopback(const struct serve *s)
{
    return s->listener.loopback;
}

struct rate *serve_rate(const struct serve *s, enum dialect dialect)
{
    return s->rates[dialect];
}

void serve_figures(const struct serve *s, struct serve_figures *f)
{
    f->requests = atomic_load(&s->requests);
    f->in_flight = atomic_load(&s->in_flight);
    f->connections = atomic_load(&s->connections);
    for (size_t i = 0; i < NELEMS(f->answers); i++)
        f->answers[i] = atomic_load(&s->answers[i]);
}

/* ---- answering ---- */

static ssize_t blob_slice(void *arg, uint64_t at, char *to, size_t max)
{
    struct exchange *x = arg;
    const struct reply_blob *blob = &x->r.blob;
    struct arena *tmp = arena_open();
    struct db *db = NULL;
    struct err e;
    str bytes = STR_NONE;
    rc code = app_read_begin(x->q.app, &db, &e);

    if (code == RC_OK) {
        code = app_blob_read(x->q.app, db, blob->sha, blob->at + at, max, tmp,
                             &bytes, &e);
        app_read_end(db);
    }
    if (code == RC_OK && bytes.n > 0)
        memcpy(to, bytes.p, bytes.n);
    else
        log_error("serve", "a download breaks off: %s",
                  code == RC_OK ? "its body is shorter than it was" : e.text);
    arena_close(tmp);
    return code == RC_OK && bytes.n > 0 ? (ssize_t)bytes.n
                                        : MHD_CONTENT_READER_END_WITH_ERROR;
}

static const char *type_of(const struct exchange *x)
{
    return x->r.type != NULL ? x->r.type : "application/json";
}

static bool closes(const struct serve *s, const struct exchange *x)
{
    return x->close || serve_draining(s) ||
           atomic_load(&s->connections) > CONNECTIONS_KEPT_MAX;
}

/* What failed here, and what was refused to a known caller who wanted to change
 * something: what strangers send doesn't fill the log. */
static bool is_worth_a_line(const struct exchange *x)
{
    const struct route *r = x->q.route;

    return x->r.status >= 500 ||
           (x->r.status >= 400 && !uuid_is_nil(x->q.who.tenant) &&
            (r->writes || route_takes_in(r)));
}

/* Nothing in it comes from the request as it was written, so that no secret
 * can: the row of the route stands for its path. */
static void log_answer(const struct exchange *x)
{
    static const struct route NONE = {.method = "-", .pattern = "-"};
    const struct route *r = x->q.route != NULL ? x->q.route : &NONE;
    char id[UUID_TEXT], tenant[UUID_TEXT];

    uuid_text(x->q.ids[0], id);
    uuid_text(x->q.who.tenant, tenant);
    log_line(x->r.status == 500  ? LOG_ERROR
             : x->r.status > 500 ? LOG_WARN
                                 : LOG_INFO,
             "serve",
             "answered status=%u request=" STR_FMT
             " route=\"%s %s\" id=%s tenant=%s rc=%s faults=%zu text=%s",
             x->r.status, STR_ARG(x->q.who.request_id), r->method, r->pattern,
             id, tenant, rc_name(x->failed.code), x->faults.n, x->failed.text);
}

static void note_answer(struct serve *s, const struct exchange *x)
{
    atomic_fetch_add(&s->answers[x->r.status / 100 % 6], 1);
    if (is_worth_a_line(x))
        log_answer(x);
}

static void add_header(struct MHD_Response *m, struct exchange *x,
                       const char *name, str value)
{
    (void)MHD_add_response_header(m, name, arena_cstr(x->q.arena, value));
}

static enum MHD_Result send_reply(struct serve *s, struct MHD_Connection *c,
                                  struct exchange *x)
{
    struct MHD_Response *m;
    enum MHD_Result sent;

    if (x->r.blob.set)
        m = MHD_create_response_from_callback(x->r.blob.bytes, BLOB_SLICE_BYTES,
                                              blob_slice, x, NULL);
    else
        m = MHD_create_response_from_buffer(x->r.body.n, x->r.body.p,
                                            MHD_RESPMEM_PERSISTENT);
    if (m == NULL)
        return MHD_NO;
    if (x->r.body.n > 0 || x->r.blob.set)
        (void)MHD_add_response_header(m, "Content-Type", type_of(x));
    add_header(m, x, "X-Request-ID", x->q.who.request_id);
    if (closes(s, x))
        (void)MHD_add_response_header(m, "Connection", "close");
    for (size_t i = 0; i < x->r.headers_n; i++)
        add_header(m, x, x->r.headers[i].name, x->r.headers[i].value);
    if (!x->drains) /* then it was noted when it was refused */
        note_answer(s, x);
    watch_answering(x->watched);
    sent = MHD_queue_response(c, x->r.status, m);
    MHD_destroy_response(m);
    return sent;
}

/* The same answer as bytes, for a connection that is closed behind it. */
static str raw_answer(struct exchange *x)
{
    struct buf b = {0};
    time_t now = (time_t)(clock_wall_ms() / 1000);
    char date[64];
    struct tm tm;
    str text;

    (void)gmtime_r(&now, &tm);
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_fmt(&b, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n",
            x->r.status, MHD_get_reason_phrase_for(x->r.status), date);
    buf_fmt(&b, "Content-Type: %s\r\nContent-Length: %zu\r\n", type_of(x),
            x->r.body.n);
    buf_fmt(&b, "X-Request-ID: " STR_FMT "\r\n", STR_ARG(x->q.who.request_id));
    for (size_t i = 0; i < x->r.headers_n; i++)
        buf_fmt(&b, "%s: " STR_FMT "\r\n", x->r.headers[i].name,
                STR_ARG(x->r.headers[i].value));
    buf_put(&b, STR("\r\n"));
    if (!str_eq(x->head.method, STR("HEAD")))
        buf_put(&b, buf_str(&x->r.body));
    text = arena_str(x->q.arena, buf_str(&b));
    buf_close(&b);
    return text;
}

/* ---- one request ---- */

/* The count goes down last: until then the server isn't taken apart. */
static void resume(struct exchange *x)
{
    struct serve *s = x->q.serve;

    MHD_resume_connection(x->connection);
    atomic_fetch_sub(&s->suspended, 1);
}

static void suspend(struct serve *s, struct MHD_Connection *c)
{
    atomic_fetch_add(&s->suspended, 1);
    MHD_suspend_connection(c);
}

static struct watched *watched_of(struct MHD_Connection *c)
{
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* Of http://host/path?query only the path and the query count. */
static str strip_authority(str target)
{
    size_t at = str_starts(target, STR("http://"))    ? 7
                : str_starts(target, STR("https://")) ? 8
                                                      : 0;
    size_t slash;

    if (at == 0)
        return target;
    slash = at + str_find_char(str_sub(target, at, target.n), '/');
    return slash < target.n ? str_sub(target, slash, target.n) : STR("/");
}

/* Before the headers are parsed: the target as it came, so that a decoded
 * slash or NUL can't change it. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *c)
{
    struct serve *s = arg;
    struct exchange *x = exchange_open(s, s->app);

    x->target = target;
    x->target_text = arena_str(x->q.arena, str_of(target));
    (void)str_cut(strip_authority(x->target_text), '?', &x->head.path,
                  &x->head.query);
    x->connection = c;
    x->resume = resume;
    x->watched = watched_of(c);
    watch_head(x->watched);
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->in_flight, 1);
    return x;
}

static void on_end(void *arg, struct MHD_Connection *c, void **context,
                   enum MHD_RequestTerminationCode why)
{
    struct serve *s = arg;
    struct exchange *x = *context;

    (void)c;
    (void)why;
    if (x == NULL)
        return;
    watch_idle(x->watched);
    exchange_close(x);
    *context = NULL;
    atomic_store(&s->last_end_ns, clock_mono_ns());
    atomic_fetch_sub(&s->in_flight, 1);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct serve *s = arg;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = watch_add(s->watch, MHD_get_connection_info(
                                           c, MHD_CONNECTION_INFO_CONNECTION_FD)
                                           ->connect_fd);
        atomic_fetch_add(&s->connections, 1);
    } else {
        watch_drop(s->watch, *context);
        *context = NULL;
        atomic_fetch_sub(&s->connections, 1);
    }
}

static enum MHD_Result take_line(void *arg, enum MHD_ValueKind kind,
                                 const char *name, size_t name_n,
                                 const char *value, size_t value_n)
{
    struct framing *f = arg;

    (void)kind;
    framing_line(f, (str){name, name_n}, (str){value, value_n});
    return f->lines_over ? MHD_NO : MHD_YES;
}

/* A framing that can't be trusted: nothing behind it is read. */
static enum MHD_Result refuse_head(struct serve *s, struct MHD_Connection *c,
                                   struct exchange *x, unsigned status,
                                   const char *why)
{
    struct err e;

    (void)err_set(&e, RC_FORMAT, "%s", why);
    x->q.who.request_id = uuid_str(x->q.arena, uuid_new());
    exchange_fail(x, RC_FORMAT, &e);
    x->r.status = status;
    x->close = true;
    return send_reply(s, c, x);
}

/* The answer is there before the body. */
static enum MHD_Result refuse_body(struct serve *s, struct MHD_Connection *c,
                                   struct exchange *x)
{
    uint64_t rest = x->head.content_length - x->body_bytes;

    if (x->head.expect.p != NULL && x->body_bytes == 0) {
        x->close = true;
        return send_reply(s, c, x);
    }
    x->drains = true;
    x->refused_bytes = x->body_bytes;
    note_answer(s, x);
    watch_refused(s->watch, x->watched, raw_answer(x));
    if (x->head.chunked || rest > DRAIN_BYTES_MAX)
        watch_write_now(s->watch, x->watched);
    return MHD_YES;
}

/* All headers are there. */
static enum MHD_Result on_head(struct serve *s, struct MHD_Connection *c,
                               struct exchange *x, const char *method,
                               const char *version)
{
    struct http_head head = x->head;
    struct framing f;
    const char *why;
    unsigned status;
    bool body;

    framing_begin(&f, method, x->target, x->target_text, version);
    f.laid_out = s->laid_out;
    (void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, take_line, &f);
    status = framing_check(&f, &head, &why);
    if (status != 0)
        return refuse_head(s, c, x, status, why);
    body = head.chunked || head.content_length > 0;
    exchange_head(x, &head);
    if (x->answered && body)
        return refuse_body(s, c, x);
    if (body)
        watch_body(x->watched);
    return MHD_YES; /* an answer given here would close the connection */
}

static enum MHD_Result on_body(struct serve *s, struct MHD_Connection *c,
                               struct exchange *x, const char *bytes, size_t n)
{
    if (x->drains) {
        x->body_bytes += n;
        return x->body_bytes - x->refused_bytes > DRAIN_BYTES_MAX ? MHD_NO
                                                                  : MHD_YES;
    }
    exchange_data(x, (str){bytes, n});
    watch_body_bytes(x->watched, x->body_bytes);
    return x->answered ? refuse_body(s, c, x) : MHD_YES;
}

/* The body is whole and there is no answer yet. */
static enum MHD_Result on_whole(struct serve *s, struct MHD_Connection *c,
                                struct exchange *x)
{
    watch_answering(x->watched);
    exchange_ready(x);
    if (x->answered)
        return send_reply(s, c, x);
    if (!x->q.route->writes && !route_takes_in(x->q.route)) {
        exchange_read(x);
        return send_reply(s, c, x);
    }
    /* Suspended first: the answer may be there before the call returns. */
    suspend(s, c);
    if (x->q.route->writes) {
        exchange_write(x);
        return MHD_YES;
    }
    if (!exchange_start(x))
        resume(x);
    return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes,
                                  size_t *n, void **context)
{
    struct serve *s = arg;
    struct exchange *x = *context;
    size_t got = *n;

    (void)url;
    *n = 0;
    if (!x->head_done) {
        x->head_done = true;
        return on_head(s, c, x, method, version);
    }
    if (got > 0)
        return on_body(s, c, x, bytes, got);
    if (x->drains)
        return watch_take_back(s->watch, x->watched) ? send_reply(s, c, x)
                                                     : MHD_NO;
    return x->answered ? send_reply(s, c, x) : on_whole(s, c, x);
}

/* Paths stay encoded until they are split. */
static size_t keep_encoded(void *arg, struct MHD_Connection *c, char *s)
{
    (void)arg;
    (void)c;
    return strlen(s);
}

/* ---- start and stop ---- */

static unsigned threads_of(const struct serve_opts *o)
{
    unsigned cores = cores_allowed();

    if (o->threads > 0)
        return o->threads < 2 ? 2 : o->threads;
    return cores < THREADS_MIN ? THREADS_MIN : cores;
}

static struct MHD_Daemon *start_daemon(struct serve *s,
                                       const struct serve_opts *o)
{
    unsigned connections = o->connections_max > 0 ? (unsigned)o->connections_max
                                                  : CONNECTIONS_MAX_DEFAULT;

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_TURBO,
        0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listener.fd,
        MHD_OPTION_THREAD_POOL_SIZE, threads_of(o), MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
        /* Where framing.c finds everything, it also says it better. */
        MHD_OPTION_STRICT_FOR_CLIENT, s->laid_out ? 0 : 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
        on_end, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, s, MHD_OPTION_END);
}

struct rate_rules {
    struct rate_rule v[RATE_RULES_MAX];
    size_t n;
};

static rc read_rate(const char *text, struct rate_rules all[DIALECT_COUNT],
                    struct err *e)
{
    struct rate_rule rule;
    str dialect;
    rc code = rate_parse(str_of(text), &dialect, &rule, e);

    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < DIALECT_PLAIN; i++) {
        if (!str_eq(dialect, str_of(DIALECT_NAMES[i])))
            continue;
        if (all[i].n == RATE_RULES_MAX)
            return err_set(e, RC_INVALID, "%s has more than %d rate limits",
                           DIALECT_NAMES[i], RATE_RULES_MAX);
        all[i].v[all[i].n++] = rule;
        return RC_OK;
    }
    return err_set(e, RC_INVALID,
                   "\"%.64s\": the dialects are feather, knowd and exec", text);
}

static rc open_rates(struct serve *s, const struct serve_opts *o, struct err *e)
{
    struct rate_rules all[DIALECT_COUNT] = {0};
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < o->rate_limits_n; i++)
        code = read_rate(o->rate_limits[i], all, e);
    for (size_t i = 0; code == RC_OK && i < DIALECT_COUNT; i++) {
        if (all[i].n > 0)
            s->rates[i] = rate_open(all[i].v, all[i].n);
    }
    return code;
}

static void drop(struct serve *s)
{
    watch_close(s->watch);
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        rate_close(s->rates[i]);
    listener_close(&s->listener);
    mem_free(s);
}

rc serve_start(struct app *a, const struct serve_opts *o, struct arena *out,
               struct serve **to, str *url, struct err *e)
{
    struct serve *s = mem_alloc(sizeof *s);
    rc code;

    *to = NULL;
    s->app = a;
    s->listener.fd = -1;
    s->laid_out = strcmp(MHD_get_version(), LIBRARY_VERSION) == 0;
    if (!s->laid_out)
        log_warn("serve",
                 "libmicrohttpd is %s, not " LIBRARY_VERSION
                 ": framing is checked by it alone",
                 MHD_get_version());
    code = listener_open(o->address, o->port, out, &s->listener, e);
    if (code == RC_OK)
        code = open_rates(s, o, e);
    if (code == RC_OK)
        code = watch_open(&s->watch, e);
    if (code == RC_OK) {
        s->daemon = start_daemon(s, o);
        if (s->daemon == NULL)
            code = err_set(e, RC_IO, "cannot start the HTTP server");
    }
    if (code != RC_OK) {
        drop(s);
        return code;
    }
    *url = s->listener.url;
    *to = s;
    return RC_OK;
}

static int64_t ms_since(int64_t ns)
{
    return (clock_mono_ns() - ns) / 1000000;
}

/* Connections the kernel had taken for us are served too. */
static void take_last(struct serve *s)
{
    struct sockaddr_storage from;
    socklen_t from_n = sizeof from;
    int fd;

    (void)MHD_quiesce_daemon(s->daemon);
    while ((fd = accept4(s->listener.fd, (struct sockaddr *)&from, &from_n,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        (void)MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from,
                                 from_n);
        from_n = sizeof from;
    }
    listener_close(&s->listener);
}

static bool is_quiet(struct serve *s, int64_t begin_ns)
{
    if (atomic_load(&s->in_flight) > 0)
        return false;
    return atomic_load(&s->connections) == 0 ||
           (ms_since(atomic_load(&s->last_end_ns)) >= STOP_QUIET_MS &&
            ms_since(begin_ns) >= STOP_QUIET_MS && !watch_has_unread(s->watch));
}

void serve_drain_and_stop(struct serve *s)
{
    int64_t begin_ns = clock_mono_ns();

    if (s == NULL)
        return;
    atomic_store(&s->draining, true);
    clock_sleep_ms(STOP_NOTICE_MS);
    listener_turn_away(&s->listener);
    clock_sleep_ms(STOP_BEGUN_MS);
    take_last(s);
    while (!is_quiet(s, begin_ns) && ms_since(begin_ns) < STOP_MS_MAX)
        clock_sleep_ms(5);
    while (atomic_load(&s->suspended) > 0 &&
           ms_since(begin_ns) < STOP_SUSPENDED_MS_MAX)
        clock_sleep_ms(5);
    if (atomic_load(&s->suspended) > 0) {
        /* The library can't be stopped under them, and they hold the app. What
         * was acknowledged is on the disk. */
        log_error("serve", "requests still wait for the disk: ending anyway");
        _exit(1);
    }
    MHD_stop_daemon(s->daemon);
    drop(s);
}
