/*
 * The edge to libmicrohttpd. What it lets through that RFC 9112 forbids is
 * refused here before a route sees it; what can't be is listed in
 * docs/api/http.md.
 */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "app/documents.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/exchange_priv.h"

#define CONNECTIONS_MAX_DEFAULT 4096
#define CONNECTION_IDLE_S 10
#define DRAIN_STOP_MS 10000
#define BLOB_SLICE_BYTES (64 * KIB)
/* Headers, and what the library adds to them. */
#define CONNECTION_MEMORY_BYTES (HEADER_BLOCK_BYTES_MAX + 8 * KIB)

struct serve {
    struct app *app;
    struct MHD_Daemon *daemon;
    int listener;
    bool loopback;
    atomic_bool draining;
    _Atomic uint64_t requests, in_flight, answers[6];
};

bool serve_draining(const struct serve *s)
{
    return atomic_load(&s->draining);
}

bool serve_on_loopback(const struct serve *s)
{
    return s->loopback;
}

void serve_figures(const struct serve *s, struct serve_figures *f)
{
    f->requests = atomic_load(&s->requests);
    f->in_flight = atomic_load(&s->in_flight);
    for (size_t i = 0; i < NELEMS(f->answers); i++)
        f->answers[i] = atomic_load(&s->answers[i]);
}

/* ---- headers ---- */

struct header_scan {
    struct http_head *head;
    size_t count;
    unsigned hosts, lengths, encodings;
    const char *bad; /* what is wrong with the framing */
};

static enum MHD_Result scan_header(void *arg, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    struct header_scan *s = arg;
    str n = str_of(name), v = str_of(value);

    (void)kind;
    if (++s->count > HEADERS_MAX) {
        s->bad = "more than 100 header lines";
        return MHD_NO;
    }
    if (n.n == 0 || n.p[n.n - 1] == ' ' || n.p[n.n - 1] == '\t')
        s->bad = "white space before a header's colon";
    if (str_eq_nocase(n, STR("Host"))) {
        s->hosts++;
    } else if (str_eq_nocase(n, STR("Content-Length"))) {
        s->lengths++;
        if (!str_to_u64(v, UINT64_MAX, &s->head->content_length))
            s->bad = "Content-Length is no number";
        s->head->has_length = true;
    } else if (str_eq_nocase(n, STR("Transfer-Encoding"))) {
        s->encodings++;
        if (!str_eq_nocase(v, STR("chunked")))
            s->bad = "Transfer-Encoding is not chunked";
        s->head->chunked = true;
    } else if (str_eq_nocase(n, STR("x-api-key"))) {
        if (s->head->api_key.p != NULL)
            s->bad = "two x-api-key headers";
        s->head->api_key = str_trim(v);
    } else if (str_eq_nocase(n, STR("Authorization"))) {
        if (s->head->authorization.p != NULL)
            s->bad = "two Authorization headers";
        s->head->authorization = str_trim(v);
    } else if (str_eq_nocase(n, STR("Content-Type"))) {
        s->head->content_type = v;
    } else if (str_eq_nocase(n, STR("X-Request-ID"))) {
        s->head->request_id = v;
    } else if (str_eq_nocase(n, STR("Range"))) {
        s->head->range = v;
    }
    return MHD_YES;
}

/* NULL: the framing is sound (RFC 9112, sections 3.2 and 6.3). */
static const char *read_headers(struct MHD_Connection *c, const char *version,
                                struct http_head *head)
{
    struct header_scan s = {.head = head};

    (void)MHD_get_connection_values(c, MHD_HEADER_KIND, scan_header, &s);
    if (s.bad != NULL)
        return s.bad;
    if (s.hosts > 1 || (s.hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return "there must be one Host header";
    if (s.lengths > 1)
        return "more than one Content-Length";
    if (s.encodings > 1 || (s.encodings > 0 && s.lengths > 0))
        return "Content-Length beside Transfer-Encoding";
    return NULL;
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

static enum MHD_Result send_reply(struct serve *s, struct MHD_Connection *c,
                                  struct exchange *x)
{
    static const char JSON_TYPE[] = "application/json";
    struct MHD_Response *m;
    enum MHD_Result sent;
    const char *type = x->r.type != NULL ? x->r.type : JSON_TYPE;
    char id[160];

    if (x->r.blob.set)
        m = MHD_create_response_from_callback(x->r.blob.bytes, BLOB_SLICE_BYTES,
                                              blob_slice, x, NULL);
    else
        m = MHD_create_response_from_buffer(x->r.body.n, x->r.body.p,
                                            MHD_RESPMEM_PERSISTENT);
    if (m == NULL)
        return MHD_NO;
    if (x->r.body.n > 0 || x->r.blob.set)
        (void)MHD_add_response_header(m, "Content-Type", type);
    (void)snprintf(id, sizeof id, STR_FMT, STR_ARG(x->q.who.request_id));
    (void)MHD_add_response_header(m, "X-Request-ID", id);
    if (x->r.status == 401)
        (void)MHD_add_response_header(m, "WWW-Authenticate", "Bearer");
    if (x->close || serve_draining(s))
        (void)MHD_add_response_header(m, "Connection", "close");
    for (size_t i = 0; i < x->r.headers_n; i++)
        (void)MHD_add_response_header(
            m, x->r.headers[i].name,
            arena_cstr(x->q.arena, x->r.headers[i].value));
    atomic_fetch_add(&s->answers[x->r.status / 100 % 6], 1);
    sent = MHD_queue_response(c, x->r.status, m);
    MHD_destroy_response(m);
    return sent;
}

/* ---- one request ---- */

static void resume(struct exchange *x)
{
    MHD_resume_connection(x->connection);
}

/* Before the headers are parsed: the target as it came, so that a decoded
 * slash or NUL can't change it. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *c)
{
    struct serve *s = arg;
    struct exchange *x = exchange_open(s, s->app);
    str path, query;

    (void)str_cut(arena_str(x->q.arena, str_of(target)), '?', &path, &query);
    x->head.path = path;
    x->head.query = query;
    x->connection = c;
    x->resume = resume;
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->in_flight, 1);
    return x;
}

static void on_end(void *arg, struct MHD_Connection *c, void **context,
                   enum MHD_RequestTerminationCode why)
{
    struct serve *s = arg;

    (void)c;
    (void)why;
    if (*context == NULL)
        return;
    exchange_close(*context);
    *context = NULL;
    atomic_fetch_sub(&s->in_flight, 1);
}

static void refuse(struct exchange *x, unsigned status, const char *why)
{
    struct err e;

    (void)err_set(&e, RC_FORMAT, "%s", why);
    if (x->q.who.request_id.p == NULL)
        x->q.who.request_id = uuid_str(x->q.arena, uuid_new());
    exchange_fail(x, RC_FORMAT, &e);
    x->r.status = status;
    x->close = true;
}

/* All headers are there. */
static enum MHD_Result on_head(struct serve *s, struct MHD_Connection *c,
                               struct exchange *x, const char *method,
                               const char *version)
{
    struct http_head head = x->head;
    const char *bad;

    head.method = str_of(method);
    bad = read_headers(c, version, &head);
    if (bad != NULL) {
        refuse(x, 400, bad);
        return send_reply(s, c, x);
    }
    if (head.path.n + head.query.n > REQUEST_LINE_BYTES_MAX) {
        refuse(x, 414, "the request target is over 8 KiB");
        return send_reply(s, c, x);
    }
    exchange_head(x, &head);
    /* A small rest of a refused request is read first, so that a client that
     * writes before it reads sees the answer; a large one isn't waited for. */
    if (x->answered && head.content_length > DRAIN_BYTES_MAX) {
        x->close = true;
        return send_reply(s, c, x);
    }
    return MHD_YES; /* an answer given here would close the connection */
}

static enum MHD_Result on_body(struct exchange *x, const char *bytes, size_t *n)
{
    bool refused = x->answered;

    exchange_data(x, (str){bytes, *n});
    *n = 0;
    if (refused &&
        (x->body_bytes > x->body_bytes_max + DRAIN_BYTES_MAX ||
         clock_mono_ns() - x->refused_ns > DRAIN_MS_MAX * (int64_t)1000000))
        return MHD_NO; /* the library takes no answer in mid-body: cut it */
    return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
                                  const char *url, const char *method,
                                  const char *version, const char *bytes,
                                  size_t *n, void **context)
{
    struct serve *s = arg;
    struct exchange *x = *context;

    (void)url;
    if (x->head.method.p == NULL) {
        x->head.method = str_of(method);
        return on_head(s, c, x, method, version);
    }
    if (*n > 0)
        return on_body(x, bytes, n);
    if (!x->answered)
        exchange_ready(x);
    if (x->answered)
        return send_reply(s, c, x);
    /* Suspended first: the answer may be there before the call returns. */
    if (x->q.route->writes || x->q.route->body_kind == BODY_MULTIPART) {
        MHD_suspend_connection(c);
        if (x->q.route->writes) {
            exchange_write(x);
        } else {
            exchange_read(x);
            if (!exchange_waits(x))
                resume(x);
        }
        return MHD_YES;
    }
    exchange_read(x);
    return send_reply(s, c, x);
}

/* Paths stay encoded until they are split. */
static size_t keep_encoded(void *arg, struct MHD_Connection *c, char *s)
{
    (void)arg;
    (void)c;
    return strlen(s);
}

/* ---- start and stop ---- */

static rc open_listener(const struct serve_opts *o, struct serve *s,
                        struct arena *out, str *url, struct err *e)
{
    char address[64], port[8], name[INET6_ADDRSTRLEN + 2];
    struct addrinfo hints = {.ai_flags =
                                 AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM},
                    *found = NULL;
    struct sockaddr_storage bound = {0};
    socklen_t bound_n = sizeof bound;
    int on = 1;
    bool v6;
    rc code = RC_OK;

    (void)snprintf(address, sizeof address, STR_FMT, STR_ARG(o->address));
    (void)snprintf(port, sizeof port, "%u", (unsigned)o->port);
    if (getaddrinfo(address, port, &hints, &found) != 0)
        return err_set(e, RC_INVALID, "%s is no numeric address", address);
    v6 = found->ai_family == AF_INET6;
    s->listener =
        socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0) {
        code = err_errno(e, RC_IO, errno, "cannot open a socket");
        goto done;
    }
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s->listener, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(s->listener, 1024) != 0) {
        code = err_errno(e, errno == EADDRINUSE ? RC_BUSY : RC_IO, errno,
                         "cannot listen on %s port %u", address,
                         (unsigned)o->port);
        goto done;
    }
    (void)getsockname(s->listener, (struct sockaddr *)&bound, &bound_n);
    if (v6) {
        const struct sockaddr_in6 *in = (const void *)&bound;

        s->loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
        (void)inet_ntop(AF_INET6, &in->sin6_addr, name, sizeof name);
        *url = arena_fmt(out, "http://[%s]:%u", name, ntohs(in->sin6_port));
    } else {
        const struct sockaddr_in *in = (const void *)&bound;

        s->loopback = (ntohl(in->sin_addr.s_addr) >> 24) == 127;
        (void)inet_ntop(AF_INET, &in->sin_addr, name, sizeof name);
        *url = arena_fmt(out, "http://%s:%u", name, ntohs(in->sin_port));
    }
done:
    freeaddrinfo(found);
    return code;
}

static unsigned threads_of(const struct serve_opts *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (o->threads > 0)
        return o->threads < 2 ? 2 : o->threads;
    return cores < 2 ? 2 : (unsigned)cores;
}

static struct MHD_Daemon *start_daemon(struct serve *s,
                                       const struct serve_opts *o)
{
    unsigned connections = o->connections_max > 0 ? (unsigned)o->connections_max
                                                  : CONNECTIONS_MAX_DEFAULT;

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_TURBO,
        0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listener,
        MHD_OPTION_THREAD_POOL_SIZE, threads_of(o), MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        s, MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_encoded, s, MHD_OPTION_END);
}

rc serve_start(struct app *a, const struct serve_opts *o, struct arena *out,
               struct serve **to, str *url, struct err *e)
{
    struct serve *s = mem_alloc(sizeof *s);
    rc code;

    *to = NULL;
    s->app = a;
    s->listener = -1;
    code = open_listener(o, s, out, url, e);
    if (code == RC_OK) {
        s->daemon = start_daemon(s, o);
        if (s->daemon == NULL)
            code = err_set(e, RC_IO, "cannot start the HTTP server");
    }
    if (code != RC_OK) {
        if (s->listener >= 0)
            (void)close(s->listener);
        mem_free(s);
        return code;
    }
    *to = s;
    return RC_OK;
}

void serve_drain_and_stop(struct serve *s)
{
    int64_t until = clock_mono_ns() + DRAIN_STOP_MS * (int64_t)1000000;
    MHD_socket listener;

    if (s == NULL)
        return;
    atomic_store(&s->draining, true);
    listener = MHD_quiesce_daemon(s->daemon);
    while (atomic_load(&s->in_flight) > 0 && clock_mono_ns() < until)
        clock_sleep_ms(5);
    MHD_stop_daemon(s->daemon);
    if (listener != MHD_INVALID_SOCKET)
        (void)close(listener);
    mem_free(s);
}
