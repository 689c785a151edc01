/* fetch under FETCH_PUBLIC, against servers of this process that an allowed
 * network makes reachable; what the guard itself refuses is shown with packet
 * counters by tests/e2e/test_outgoing.py. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/fetch.h"
#include "net/pace.h"

#define ANSWERS_MAX 16

/* Answers one request a connection, with the next of a list. */
struct peer {
    int fd;
    unsigned port;
    str answers[ANSWERS_MAX];
    size_t n;
    struct buf asked; /* all requests */
    atomic_size_t answered;
    atomic_bool stop;
    pthread_t thread;
};

static void answer(struct peer *p, int c)
{
    struct buf got = {0};
    ssize_t n = 1;
    str s;

    while (n > 0 && str_find(buf_str(&got), STR("\r\n\r\n")) == got.n) {
        char *to = buf_reserve(&got, 4096);

        n = to == NULL ? 0 : recv(c, to, 4096, 0);
        got.n += n > 0 ? (size_t)n : 0;
    }
    buf_put(&p->asked, buf_str(&got));
    s = p->answers[p->answered < p->n ? p->answered : p->n - 1];
    p->answered++;
    (void)send(c, s.p, s.n, MSG_NOSIGNAL);
    (void)close(c);
    buf_close(&got);
}

static void *serve(void *arg)
{
    struct peer *p = arg;
    struct pollfd at = {.fd = p->fd, .events = POLLIN};

    while (!p->stop) {
        if (poll(&at, 1, 5) == 1)
            answer(p, accept(p->fd, NULL, NULL));
    }
    return NULL;
}

static void peer_open(struct peer *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;

    *p = (struct peer){.n = 0};
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(p->fd, 8), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &n), 0);
    p->port = ntohs(at.sin_port);
}

static void peer_start(struct peer *p)
{
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

static void peer_close(struct peer *p)
{
    p->stop = true;
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
    buf_close(&p->asked);
}

static struct arena *arena;
static struct fetch *f;
static struct fetch_answer a;
static struct err e;
static struct peer peer, other;
static struct addr_net net;
static struct addr_nets nets = {&net, 1};
static struct addr_net net6[2]; /* localhost may be both */
static struct addr_nets nets6 = {net6, 2};
static struct fetch_opts o;

static void add(struct peer *p, str s)
{
    assert_true(p->n < ANSWERS_MAX);
    p->answers[p->n++] = s;
}

static void add_text(struct peer *p, const char *s)
{
    add(p, str_of(s));
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    assert_int_equal(addr_net_parse(STR("127.0.0.0/8"), &net, &e), RC_OK);
    peer_open(&peer);
    peer_open(&other);
    o = (struct fetch_opts){
        .policy = FETCH_PUBLIC,
        .allowed = &nets,
        .url = arena_fmt(arena, "http://127.0.0.1:%u/a/b?c", peer.port).p};
    return fetch_open(&f, &e) == RC_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    peer_close(&peer);
    peer_close(&other);
    fetch_close(f);
    arena_close(arena);
    return 0;
}

static rc run(void)
{
    peer_start(&peer);
    peer_start(&other);
    return fetch_run(f, &o, arena, &a, &e);
}

static bool asked(const struct peer *p, const char *what)
{
    return str_find(buf_str(&p->asked), str_of(what)) < p->asked.n;
}

static size_t times(const struct peer *p, const char *what)
{
    str rest = buf_str(&p->asked);
    size_t n = 0, at;

    while ((at = str_find(rest, str_of(what))) < rest.n) {
        rest = str_sub(rest, at + 1, rest.n);
        n++;
    }
    return n;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

static void an_answer_says_what_to_ask_with_next_time(void **state)
{
    (void)state;
    add_text(&peer,
             OK "ETag: W/\"1\"\r\nContent-Type: text/html; charset=x\r\n"
                "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok");
    o.etag = STR("\"0\"");
    o.last_modified = STR("Sat, 05 Nov 1994 08:49:37 GMT");
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.fault, FETCH_FINE);
    assert_true(str_eq(a.body, STR("ok")));
    assert_true(str_eq(a.etag, STR("W/\"1\"")));
    assert_true(str_eq(a.last_modified, STR("Sun, 06 Nov 1994 08:49:37 GMT")));
    assert_true(str_eq(a.content_type, STR("text/html; charset=x")));
    assert_true(str_eq(a.url, str_of(o.url)));
    assert_true(a.peer.n == 4 && a.peer.b[0] == 127);
    assert_true(asked(&peer, "GET /a/b?c HTTP/1.1\r\n"));
    assert_true(asked(&peer, "If-None-Match: \"0\"\r\n"));
    assert_true(
        asked(&peer, "If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n"));
    assert_true(asked(&peer, "Accept-Encoding: gzip, deflate\r\n"));
}

static void what_was_not_changed_has_no_body(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n");
    o.etag = STR("\"1\"\r\nX-Evil: 1"); /* is not sent */
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body.n, 0);
    assert_false(asked(&peer, "X-Evil"));
}

/* What a redirect leads to is another page, which may have the same tag. */
static void conditions_are_for_the_url_that_gave_them(void **state)
{
    static const char redirect[] =
        "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    add_text(&peer, redirect);
    add_text(&peer, OK "\r\nok");
    o.etag = STR("\"1\"");
    o.last_modified = STR("Sat, 05 Nov 1994 08:49:37 GMT");
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.hops, 1);
    assert_true(asked(&peer, "GET /a/b?c HTTP/1.1\r\n"));
    assert_true(asked(&peer, "GET /new HTTP/1.1\r\n"));
    assert_int_equal(times(&peer, "If-None-Match"), 1);
    assert_int_equal(times(&peer, "If-Modified-Since"), 1);
    assert_true(str_find(buf_str(&peer.asked), STR("If-None-Match")) <
                str_find(buf_str(&peer.asked), STR("GET /new")));
}

static void conditions_go_behind_a_redirect_where_it_leads_there(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 302 Found\r\nLocation: /new\r\n"
                    "Content-Length: 0\r\n\r\n");
    add_text(&peer, "HTTP/1.1 304 Not Modified\r\n\r\n");
    o.etag = STR("\"1\"");
    o.conditions_of =
        arena_fmt(arena, "http://127.0.0.1:%u/new", (unsigned)peer.port);
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.status, 304);
    assert_int_equal(times(&peer, "If-None-Match"), 1);
    assert_true(str_find(buf_str(&peer.asked), STR("If-None-Match")) >
                str_find(buf_str(&peer.asked), STR("GET /new")));
}

static void redirects_are_followed_and_told(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 301 Moved\r\nLocation: x?y#z\r\n"
                    "Content-Length: 0\r\n\r\n");
    add(&peer, arena_fmt(arena,
                         "HTTP/1.1 308 Moved\r\nLocation: //127.0.0.1:%u/z\r\n"
                         "Content-Length: 3\r\n\r\nbye",
                         other.port));
    add_text(&other, OK "\r\nok");
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.hops, 2);
    assert_true(a.moved);
    assert_true(str_eq(a.body, STR("ok")));
    assert_true(asked(&peer, "GET /a/x?y HTTP/1.1\r\n"));
    assert_true(
        str_eq(a.url, arena_fmt(arena, "http://127.0.0.1:%u/z", other.port)));
}

static void the_sixth_redirect_is_not_followed(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 302 Found\r\nLocation: /a\r\n"
                    "Content-Length: 0\r\n\r\n");
    assert_int_equal(run(), RC_REMOTE);
    assert_int_equal(a.fault, FETCH_REDIRECTS);
    assert_int_equal(peer.answered, 6);
    assert_false(a.moved);
}

static void secrets_stay_with_their_origin(void **state)
{
    static const char *const HEADERS[] = {"Authorization: Bearer s3",
                                          "Cookie: s3", "X-Api-Key: s3",
                                          "Accept: text/html"};

    (void)state;
    add_text(&peer, "HTTP/1.1 302 Found\r\nLocation: /same\r\n"
                    "Content-Length: 0\r\n\r\n");
    add(&peer, arena_fmt(arena,
                         "HTTP/1.1 302 Found\r\nLocation: "
                         "http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
                         other.port));
    add(&other, arena_fmt(arena,
                          "HTTP/1.1 302 Found\r\nLocation: "
                          "http://127.0.0.1:%u/back\r\nContent-Length: 0"
                          "\r\n\r\n",
                          peer.port));
    add_text(&peer, OK "Set-Cookie: t=1\r\n\r\nok");
    o.headers = HEADERS;
    o.headers_n = NELEMS(HEADERS);
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.hops, 3);
    assert_false(asked(&other, "s3"));
    assert_true(asked(&other, "Accept: text/html\r\n"));
    /* The first two requests to the first origin have them; the third, to
     * which another origin has led, does not. */
    assert_true(asked(&peer, "GET /same HTTP/1.1"));
    {
        str all = buf_str(&peer.asked);
        size_t back = str_find(all, STR("GET /back"));

        assert_true(back < all.n);
        assert_true(str_find(str_sub(all, 0, back), STR("s3")) < back);
        all = str_sub(all, back, all.n);
        assert_int_equal(str_find(all, STR("s3")), all.n);
    }
}

static void redirects_lead_nowhere_forbidden(void **state)
{
    static const struct {
        const char *to;
        enum fetch_fault fault;
    } ROWS[] = {
        {"http://[::ffff:127.0.0.1]/", FETCH_BAD_URL},
        {"http://[::1]/", FETCH_FORBIDDEN},
        {"http://10.0.0.1/", FETCH_FORBIDDEN},
        {"http://169.254.169.254/latest/meta-data/", FETCH_FORBIDDEN},
        {"http://0/", FETCH_FORBIDDEN},
        {"http://8.8.8.8:22/", FETCH_FORBIDDEN},
        {"file:///etc/passwd", FETCH_BAD_URL},
        {"gopher://127.0.0.1/", FETCH_BAD_URL},
        {"http://u:p@127.0.0.1/", FETCH_BAD_URL},
        {"//", FETCH_BAD_URL},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++)
        add(&peer, arena_fmt(arena,
                             "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
                             "Content-Length: 0\r\n\r\n",
                             ROWS[i].to));
    assert_int_equal(run(), RC_INVALID);
    for (size_t i = 1; i < NELEMS(ROWS); i++) {
        assert_int_not_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
        assert_int_equal(a.fault, ROWS[i].fault);
        assert_int_equal(e.code, ROWS[i].fault == FETCH_FORBIDDEN ? RC_DENIED
                                                                  : RC_INVALID);
    }
}

static void a_body_is_never_sent_on(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 307 X\r\nLocation: /b\r\n"
                    "Content-Length: 0\r\n\r\n");
    o.body = STR("{}");
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.status, 307);
    assert_int_equal(peer.answered, 1);
}

static void addresses_and_ports_are_refused(void **state)
{
    static const char *const URLS[] = {
        "http://10.0.0.1/", "http://[fd00::1]/", "http://8.8.8.8:8080/",
        "https://192.168.1.1/", "http://0x0a.1/"};

    (void)state;
    add_text(&peer, OK "\r\nok");
    o.allowed = NULL;
    assert_int_equal(run(), RC_DENIED);
    assert_int_equal(a.fault, FETCH_FORBIDDEN);
    assert_non_null(strstr(e.text, "loopback"));
    for (size_t i = 0; i < NELEMS(URLS); i++) {
        o.url = URLS[i];
        assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_DENIED);
        assert_int_equal(a.fault, FETCH_FORBIDDEN);
    }
    o.url = "http://localhost/";
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_DENIED);
    assert_int_equal(peer.answered, 0);
}

/* One to which another policy has connected is judged again. */
static void a_kept_connection_is_judged_again(void **state)
{
    (void)state;
    add_text(&peer, OK "\r\nok");
    o.policy = FETCH_OPERATOR;
    assert_int_equal(run(), RC_OK);
    o.policy = FETCH_PUBLIC;
    o.allowed = NULL;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_DENIED);
    assert_int_equal(peer.answered, 1);
}

static void when_to_come_back_is_seconds_or_a_date(void **state)
{
    static const struct {
        const char *value;
        unsigned low, high;
    } ROWS[] = {
        {"7", 7000, 7000},
        {"0", 0, 0},
        {"-1", 0, 0},
        {"soon", 0, 0},
        {"999999999999999999999999", 0, 0},
        {"9999999999", 86400000, 86400000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0, 0},
        {"Fri, 31 Dec 2199 23:59:59 GMT", 86400000, 86400000},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++)
        add(&peer, arena_fmt(arena,
                             "HTTP/1.1 429 X\r\nRetry-After: %s\r\n"
                             "Content-Length: 0\r\n\r\n",
                             ROWS[i].value));
    assert_int_equal(run(), RC_OK);
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        if (i > 0)
            assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
        assert_int_equal(a.status, 429);
        assert_in_range(a.retry_ms, ROWS[i].low, ROWS[i].high);
    }
}

/* n zero bytes, packed with gzip. */
static str packed(size_t n)
{
    struct buf to = {0};
    z_stream z = {.next_in = NULL};
    static Bytef zeros[65536], part[65536];
    str s;

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    for (bool more = true; more;) {
        uInt now = n < sizeof zeros ? (uInt)n : (uInt)sizeof zeros;

        n -= now;
        more = n > 0;
        z.next_in = zeros;
        z.avail_in = now;
        do {
            z.next_out = part;
            z.avail_out = sizeof part;
            (void)deflate(&z, more ? Z_NO_FLUSH : Z_FINISH);
            buf_put(&to, (str){(const char *)part, sizeof part - z.avail_out});
        } while (z.avail_out == 0);
    }
    (void)deflateEnd(&z);
    s = arena_str(arena, buf_str(&to));
    buf_close(&to);
    return s;
}

static str gzip_answer(const char *coding, size_t n)
{
    struct buf to = {0};
    str body = packed(n), s;

    buf_fmt(&to, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", coding,
            body.n);
    buf_put(&to, body);
    s = arena_str(arena, buf_str(&to));
    buf_close(&to);
    return s;
}

static void what_unpacks_to_too_much_ends_at_the_limit(void **state)
{
    (void)state;
    add(&peer, gzip_answer("Content-Encoding: gzip\r\n", 1000));
    add(&peer, gzip_answer("Content-Encoding: gzip\r\n", 64 << 20));
    o.answer_bytes_max = 1 << 20;
    assert_int_equal(run(), RC_OK);
    assert_int_equal(a.body.n, 1000);
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    assert_int_equal(a.fault, FETCH_TOO_LARGE);
    assert_int_equal(a.body.n, 0);
}

/* It was not asked for. */
static void brotli_is_not_taken(void **state)
{
    (void)state;
    add(&peer, STR("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n"
                   "Content-Length: 9\r\n\r\n\x0b\x02\x80hello\x03"));
    assert_int_equal(run(), RC_REMOTE);
    assert_int_equal(a.fault, FETCH_BROKEN);
}

static void what_is_not_packed_as_it_says_is_told(void **state)
{
    (void)state;
    add(&peer, STR("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                   "Content-Length: 8\r\n\r\n<p>plain"));
    assert_int_equal(run(), RC_REMOTE);
    assert_int_equal(a.fault, FETCH_BROKEN);
    assert_non_null(strstr(e.text, "not packed as it says"));
}

/* As long as its head says, but not to the end of what is packed. */
static void a_packed_answer_that_is_cut_is_none(void **state)
{
    str whole = packed(100000);
    struct buf to = {0};

    (void)state;
    buf_fmt(&to,
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
            "Content-Length: %zu\r\n\r\n",
            whole.n - 20);
    buf_put(&to, str_sub(whole, 0, whole.n - 20));
    add(&peer, arena_str(arena, buf_str(&to)));
    buf_close(&to);
    assert_int_equal(run(), RC_REMOTE);
    assert_int_equal(a.fault, FETCH_BROKEN);
    assert_non_null(strstr(e.text, "cut off"));
}

static void what_is_packed_twice_is_not_unpacked(void **state)
{
    static const char *const CODINGS[] = {
        "Content-Encoding: gzip, gzip\r\n",
        "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
        "Content-Encoding: zstd\r\n",
        "Content-Encoding: compress\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n"};

    (void)state;
    for (size_t i = 0; i < NELEMS(CODINGS); i++)
        add(&peer, gzip_answer(CODINGS[i], 1000));
    assert_int_equal(run(), RC_REMOTE);
    for (size_t i = 0; i < NELEMS(CODINGS); i++) {
        if (i > 0)
            assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
        assert_int_equal(a.fault, FETCH_BROKEN);
    }
}

static void the_wire_has_a_limit_of_its_own(void **state)
{
    (void)state;
    add_text(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nx");
    add(&peer, arena_fmt(arena, "HTTP/1.1 200 OK\r\n\r\n%099999d", 1));
    o.wire_bytes_max = 50000;
    assert_int_equal(run(), RC_LIMIT);
    assert_int_equal(a.fault, FETCH_TOO_LARGE);
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    assert_int_equal(a.fault, FETCH_TOO_LARGE);
}

static void a_head_has_limits(void **state)
{
    struct buf many = {0};

    (void)state;
    buf_put(&many, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 300; i++)
        buf_fmt(&many, "A%d: b\r\n", i);
    buf_put(&many, STR("\r\nok"));
    add(&peer, arena_str(arena, buf_str(&many)));
    buf_close(&many);
    add(&peer, arena_fmt(arena, "HTTP/1.1 200 OK\r\nA: %070000d\r\n\r\nok", 1));
    assert_int_equal(run(), RC_LIMIT);
    assert_int_equal(a.fault, FETCH_TOO_LARGE);
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    assert_int_equal(a.fault, FETCH_TOO_LARGE);
}

static void what_is_no_http_is_refused(void **state)
{
    static const char *const ANSWERS[] = {
        "",
        "hello\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};

    (void)state;
    for (size_t i = 0; i < NELEMS(ANSWERS); i++)
        add_text(&peer, ANSWERS[i]);
    assert_int_equal(run(), RC_REMOTE);
    for (size_t i = 1; i < NELEMS(ANSWERS); i++) {
        assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
        assert_int_equal(a.fault, FETCH_BROKEN);
    }
}

struct sunk {
    size_t bytes, calls_left;
    unsigned status;
};

static rc sink(void *arg, const struct fetch_answer *so_far, str bytes,
               struct err *why)
{
    struct sunk *s = arg;

    s->status = so_far->status;
    assert_true(str_eq(so_far->content_type, STR("text/x")));
    if (s->calls_left-- == 0)
        return err_set(why, RC_NOSPACE, "enough");
    s->bytes += bytes.n;
    return RC_OK;
}

static void a_sink_takes_the_body_as_it_comes(void **state)
{
    struct sunk s = {.calls_left = SIZE_MAX};
    str big = arena_fmt(arena,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"
                        "Content-Length: 99999\r\n\r\n%099999d",
                        1);

    (void)state;
    add(&peer, big);
    add(&peer, big);
    add_text(&peer, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
    add(&peer, big);
    o.sink = sink;
    o.sink_arg = &s;
    assert_int_equal(run(), RC_OK);
    assert_int_equal(s.bytes, 99999);
    assert_int_equal(s.status, 200);
    assert_int_equal(a.body.n, 0);
    s.calls_left = 1;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_NOSPACE);
    assert_int_equal(a.fault, FETCH_OURS);
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    assert_true(str_eq(a.body, STR("no"))); /* no part of what is asked for */
    s = (struct sunk){.calls_left = SIZE_MAX};
    o.answer_bytes_max = 5000;
    o.wire_bytes_max = 1 << 20;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    assert_true(s.bytes <= 5000);
}

static void all_of_it_has_one_deadline(void **state)
{
    int64_t began = clock_mono_ns();

    (void)state;
    /* Announced and not sent. */
    assert_int_equal(listen(peer.fd, 8), 0);
    o.timeout_ms = 200;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_TIMEOUT);
    assert_int_equal(a.fault, FETCH_TIMED_OUT);
    assert_in_range((clock_mono_ns() - began) / 1000000, 150, 5000);
    peer_start(&peer);
    peer_start(&other);
}

/* Reads what comes first and resets the connection. */
static void *reset(void *arg)
{
    struct linger now = {.l_onoff = 1};
    struct peer *p = arg;
    struct pollfd at = {.fd = p->fd, .events = POLLIN};
    char hello[4096];

    while (!p->stop) {
        int c = poll(&at, 1, 5) == 1 ? accept(p->fd, NULL, NULL) : -1;

        if (c < 0)
            continue;
        (void)!recv(c, hello, sizeof hello, 0);
        (void)setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        (void)close(c);
    }
    return NULL;
}

/* What may pass is another fault than a certificate, which does not. */
static void a_handshake_that_is_reset_is_a_broken_connection(void **state)
{
    (void)state;
    peer_start(&other);
    assert_int_equal(pthread_create(&peer.thread, NULL, reset, &peer), 0);
    o.url = arena_fmt(arena, "https://127.0.0.1:%u/", peer.port).p;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
    assert_int_equal(a.fault, FETCH_BROKEN);
    assert_non_null(strstr(e.text, "no safe connection"));
}

/* A resolver that gives no answer until it is let go, in place of the C
 * library's. */
static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_freed = PTHREAD_COND_INITIALIZER;
static bool resolver_is_free;

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **list)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    if (strcmp(name, "hangs.test") == 0) {
        (void)pthread_mutex_lock(&resolver_lock);
        while (!resolver_is_free)
            (void)pthread_cond_wait(&resolver_freed, &resolver_lock);
        (void)pthread_mutex_unlock(&resolver_lock);
        return EAI_AGAIN;
    }
    memcpy(&real, &symbol, sizeof real); /* as POSIX shows it */
    return real(name, service, hints, list);
}

static void a_resolver_that_hangs_ends_with_the_deadline(void **state)
{
    int64_t began;

    (void)state;
    add_text(&peer, "HTTP/1.1 302 Found\r\nLocation: http://hangs.test/\r\n"
                    "Content-Length: 0\r\n\r\n");
    o.timeout_ms = 300;
    began = clock_mono_ns();
    assert_int_equal(run(), RC_TIMEOUT);
    assert_int_equal(a.fault, FETCH_TIMED_OUT);
    /* The resolver's own ten seconds are no part of it. */
    assert_in_range((clock_mono_ns() - began) / 1000000, 290, 3000);
    (void)pthread_mutex_lock(&resolver_lock);
    resolver_is_free = true;
    (void)pthread_cond_broadcast(&resolver_freed);
    (void)pthread_mutex_unlock(&resolver_lock);
}

static void a_host_is_asked_in_turn(void **state)
{
    struct pace *p = pace_open(&(struct pace_opts){.period_ms = 60000});

    (void)state;
    add_text(&peer, OK "\r\nok");
    add_text(&peer, "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\n"
                    "Content-Length: 0\r\n\r\n");
    o.pace = p;
    o.timeout_ms = 5000;
    assert_int_equal(run(), RC_OK);
    clock_test_advance(60001);
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    assert_int_equal(a.status, 503);
    clock_test_advance(61000);
    o.timeout_ms = 20;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_TIMEOUT);
    assert_in_range(e.retry_ms, 30000, 40000);
    assert_int_equal(peer.answered, 2);
    /* A turn has less time than the whole: that is no trouble of the host's. */
    o.timeout_ms = 5000;
    o.turn_ms = 20;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_BUSY);
    assert_int_equal(a.fault, FETCH_NO_TURN);
    assert_non_null(strstr(e.text, "is being asked already"));
    assert_int_equal(peer.answered, 2);
    pace_close(p);
}

#define THREADS 4

static void *fetch_some(void *arg)
{
    struct arena *own = arena_open();
    struct fetch *handle = NULL;
    struct fetch_answer got;
    size_t *fetched = arg;

    if (fetch_open(&handle, NULL) == RC_OK) {
        for (int i = 0; i < 5; i++)
            *fetched += fetch_run(handle, &o, own, &got, NULL) == RC_OK &&
                        str_eq(got.body, STR("ok"));
    }
    fetch_close(handle);
    arena_close(own);
    return NULL;
}

static void threads_ask_with_handles_of_their_own(void **state)
{
    struct pace *p =
        pace_open(&(struct pace_opts){.period_ms = 1, .at_once = 3});
    size_t fetched[THREADS] = {0};
    pthread_t threads[THREADS];

    (void)state;
    add_text(&peer, OK "\r\nok");
    o.url = arena_fmt(arena, "http://localhost:%u/", peer.port).p;
    assert_int_equal(addr_net_parse(STR("::1"), &net6[1], &e), RC_OK);
    net6[0] = net;
    o.allowed = &nets6;
    o.pace = p;
    peer_start(&peer);
    peer_start(&other);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, fetch_some, &fetched[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(fetched[i], 5);
    }
    pace_close(p);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_says_what_to_ask_with_next_time),
        TEST(what_was_not_changed_has_no_body),
        TEST(redirects_are_followed_and_told),
        TEST(conditions_are_for_the_url_that_gave_them),
        TEST(conditions_go_behind_a_redirect_where_it_leads_there),
        TEST(the_sixth_redirect_is_not_followed),
        TEST(secrets_stay_with_their_origin),
        TEST(redirects_lead_nowhere_forbidden),
        TEST(a_body_is_never_sent_on),
        TEST(addresses_and_ports_are_refused),
        TEST(a_kept_connection_is_judged_again),
        TEST(when_to_come_back_is_seconds_or_a_date),
        TEST(what_unpacks_to_too_much_ends_at_the_limit),
        TEST(brotli_is_not_taken),
        TEST(what_is_not_packed_as_it_says_is_told),
        TEST(a_packed_answer_that_is_cut_is_none),
        TEST(what_is_packed_twice_is_not_unpacked),
        TEST(the_wire_has_a_limit_of_its_own),
        TEST(a_head_has_limits),
        TEST(what_is_no_http_is_refused),
        TEST(a_sink_takes_the_body_as_it_comes),
        TEST(all_of_it_has_one_deadline),
        TEST(a_handshake_that_is_reset_is_a_broken_connection),
        TEST(a_resolver_that_hangs_ends_with_the_deadline),
        TEST(a_host_is_asked_in_turn),
        TEST(threads_ask_with_handles_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
