#include "net/fetch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

/* A server for one connection: reads until `until` has come, answers. */
struct peer {
    int fd;
    char url[64];
    const char *until, *answer;
    struct buf got;
    pthread_t thread;
};

static void *serve_one(void *arg)
{
    struct peer *p = arg;
    int c = accept(p->fd, NULL, NULL);
    ssize_t n = 1;

    while (c >= 0 && n > 0 &&
           str_find(buf_str(&p->got), str_of(p->until)) == p->got.n) {
        char *to = buf_reserve(&p->got, 4096);

        n = to == NULL ? 0 : recv(c, to, 4096, 0);
        p->got.n += n > 0 ? (size_t)n : 0;
    }
    if (c >= 0) {
        (void)send(c, p->answer, strlen(p->answer), MSG_NOSIGNAL);
        (void)close(c);
    }
    return NULL;
}

static void peer_open(struct peer *p, const char *until, const char *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;

    buf_close(&p->got); /* of the peer before */
    *p = (struct peer){.until = until, .answer = answer};
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(p->fd, 1), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u/x",
                   ntohs(at.sin_port));
    assert_int_equal(pthread_create(&p->thread, NULL, serve_one, p), 0);
}

static str peer_close(struct peer *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
    return buf_str(&p->got);
}

static struct arena *arena;
static struct fetch *f;
static struct fetch_answer a;
static struct err e;
static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return fetch_open(&f, &e) == RC_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fetch_close(f);
    arena_close(arena);
    buf_close(&peer.got);
    return 0;
}

static bool has(str s, const char *what)
{
    return str_find(s, str_of(what)) < s.n;
}

#define OK_ANSWER                                                            \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json" \
    "\r\nRetry-After: 3\r\n\r\n{}"

static void an_answer_has_status_type_body_and_retry(void **state)
{
    const char *const headers[] = {"x-api-key: k"};
    struct fetch_opts o = {.policy = FETCH_OPERATOR,
                           .headers = headers,
                           .headers_n = 1,
                           .body = STR("{\"q\":1}")};
    str got;

    (void)state;
    peer_open(&peer, "{\"q\":1}", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    got = peer_close(&peer);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.retry_ms, 3000);
    assert_true(str_eq(a.body, STR("{}")));
    assert_true(str_eq(a.content_type, STR("application/json")));
    assert_true(has(got, "POST /x HTTP/1.1\r\n"));
    assert_true(has(got, "x-api-key: k\r\n"));
    assert_true(has(got, "Content-Type: application/json\r\n"));
}

static const char *file_of(const char *text)
{
    static char path[40];
    int fd;

    (void)snprintf(path, sizeof path, "/tmp/knowd-test-fetch-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    return path;
}

static void a_form_streams_files(void **state)
{
    struct fetch_part parts[] = {
        {.name = STR("manifest"), .bytes = STR("[1]")},
        {.name = STR("files"), .filename = STR("a.md"), .size = 9}};
    struct fetch_opts o = {
        .policy = FETCH_OPERATOR, .parts = parts, .parts_n = 2};
    str got;

    (void)state;
    parts[1].path = file_of("the bytes");
    peer_open(&peer, "the bytes", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    got = peer_close(&peer);
    assert_true(has(got, "name=\"manifest\"\r\n\r\n[1]\r\n"));
    assert_true(has(got, "name=\"files\"; filename=\"a.md\""));
    assert_true(has(got, "\r\n\r\nthe bytes\r\n"));
    assert_int_equal(unlink(parts[1].path), 0);
}

static void a_file_is_a_whole_body(void **state)
{
    struct fetch_part file = {.size = 9};
    struct fetch_opts o = {.policy = FETCH_OPERATOR, .file = &file};
    str got;

    (void)state;
    file.path = file_of("the bytes");
    peer_open(&peer, "the bytes", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    got = peer_close(&peer);
    assert_true(has(got, "PUT /x HTTP/1.1\r\n"));
    assert_true(has(got, "Content-Type: application/octet-stream\r\n"));
    assert_true(has(got, "Content-Length: 9\r\n"));
    assert_true(has(got, "\r\n\r\nthe bytes"));
    assert_int_equal(a.status, 200);
    assert_int_equal(unlink(file.path), 0);

    file.path = file_of("the");
    peer_open(&peer, "never", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_IO);
    assert_non_null(strstr(e.text, "changed while it was sent"));
    (void)peer_close(&peer);
    assert_int_equal(unlink(file.path), 0);
}

static void an_answer_may_be_saved(void **state)
{
    const char *path = file_of("0123456789");
    struct fetch_save save = {
        .fd = open(path, O_RDWR), .path = path, .at = 4, .bytes_max = 20};
    struct fetch_opts o = {.policy = FETCH_OPERATOR, .save = &save};
    char is[11] = {0};

    (void)state;
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n"
              "ETag:  \"v1\" \r\n\r\nabc");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    (void)peer_close(&peer);
    assert_int_equal(a.saved, 3);
    assert_int_equal(a.body.n, 0);
    assert_true(str_eq(fetch_header(&a, STR("etag")), STR("\"v1\"")));
    assert_int_equal(fetch_header(&a, STR("location")).n, 0);
    assert_int_equal(pread(save.fd, is, 10, 0), 10);
    assert_string_equal(is, "0123abc789");
    /* Another status is kept in memory, a 200 begins anew, cut or not. */
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 416 No\r\nContent-Length: 2\r\n\r\nno");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    (void)peer_close(&peer);
    assert_int_equal(a.saved, 0);
    assert_true(str_eq(a.body, STR("no")));
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxy");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
    (void)peer_close(&peer);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.saved, 2);
    assert_int_equal(pread(save.fd, is, 10, 0), 10);
    assert_string_equal(is, "xy23abc789");
    save.bytes_max = 5;
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nxy");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    (void)peer_close(&peer);
    assert_int_equal(close(save.fd), 0);
    assert_int_equal(unlink(path), 0);
}

static void locations_are_read_as_browsers_do(void **state)
{
    static const struct {
        const char *url, *location, *to; /* NULL: refused */
    } ROWS[] = {
        {"https://a.b/c/d?e", "/f", "https://a.b/f"},
        {"https://a.b/c/d", "f?g=h", "https://a.b/c/f?g=h"},
        {"https://a.b/", "https://x.y/z?s=1%2B", "https://x.y/z?s=1%2B"},
        {"http://a.b/", "https://x.y/z", "https://x.y/z"},
        {"http://a.b/", "http://x.y/z", "http://x.y/z"},
        {"https://a.b/", "http://x.y/z", NULL},
        {"https://a.b/", "file:///etc/passwd", NULL},
        {"https://a.b/", "ftp://x.y/z", NULL},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        const char *to;
        rc code = fetch_location(ROWS[i].url, str_of(ROWS[i].location), arena,
                                 &to, &e);

        assert_int_equal(code, ROWS[i].to == NULL ? RC_INVALID : RC_OK);
        if (ROWS[i].to != NULL)
            assert_string_equal(to, ROWS[i].to);
    }
}

static void a_file_that_shrinks_is_named(void **state)
{
    struct fetch_part parts[] = {
        {.name = STR("files"), .filename = STR("a"), .size = 1000}};
    struct fetch_opts o = {
        .policy = FETCH_OPERATOR, .parts = parts, .parts_n = 1};

    (void)state;
    parts[0].path = file_of("short");
    peer_open(&peer, "never", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_IO);
    assert_int_equal(a.part_failed, 0);
    assert_non_null(strstr(e.text, "changed while it was sent"));
    (void)peer_close(&peer);
    assert_int_equal(unlink(parts[0].path), 0);
}

static void what_is_not_allowed_is_refused(void **state)
{
    struct fetch_opts o = {.url = "http://127.0.0.1:1/"};

    (void)state;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_INVALID);
    o.policy = FETCH_OPERATOR;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
    o.url = "file:///etc/passwd";
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_INVALID);
    o.url = "not a url";
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_INVALID);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    struct fetch_opts o = {.policy = FETCH_OPERATOR};

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
    peer_open(&peer, "\r\n\r\n", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    (void)peer_close(&peer);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("all_proxy"), 0);
}

static void a_redirect_is_an_answer(void **state)
{
    struct fetch_opts o = {.policy = FETCH_OPERATOR};

    (void)state;
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
              "Content-Length: 0\r\n\r\n");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_OK);
    assert_int_equal(a.status, 302);
    (void)peer_close(&peer);
}

static void an_endless_answer_meets_the_limit(void **state)
{
    struct fetch_opts o = {.policy = FETCH_OPERATOR, .answer_bytes_max = 1};

    (void)state;
    peer_open(&peer, "\r\n\r\n", OK_ANSWER);
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_LIMIT);
    (void)peer_close(&peer);
}

static void a_cut_answer_is_an_error(void **state)
{
    struct fetch_opts o = {.policy = FETCH_OPERATOR};

    (void)state;
    peer_open(&peer, "\r\n\r\n",
              "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut");
    o.url = peer.url;
    assert_int_equal(fetch_run(f, &o, arena, &a, &e), RC_REMOTE);
    (void)peer_close(&peer);
}

static void escaping_keeps_the_unreserved(void **state)
{
    (void)state;
    assert_true(str_eq(fetch_escape(arena, STR("a-Z_0.~ /\xc3\xa9")),
                       STR("a-Z_0.~%20%2F%C3%A9")));
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_has_status_type_body_and_retry),
        TEST(a_form_streams_files),
        TEST(a_file_is_a_whole_body),
        TEST(an_answer_may_be_saved),
        TEST(locations_are_read_as_browsers_do),
        TEST(a_file_that_shrinks_is_named),
        TEST(what_is_not_allowed_is_refused),
        TEST(proxies_of_the_environment_are_ignored),
        TEST(a_redirect_is_an_answer),
        TEST(an_endless_answer_meets_the_limit),
        TEST(a_cut_answer_is_an_error),
        TEST(escaping_keeps_the_unreserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
