#include "net/download.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "scratch.h"

#define BODY "0123456789abcdefghij"

/* A server of one file. */
static struct {
    int fd;
    char url[64];
    atomic_bool stop;
    pthread_t thread;
    const char *tag; /* NULL: none */
    const char *location;
    atomic_int cut; /* bytes after which GETs end; 0: none */
    atomic_bool no_length, wrong_range, ranges_ignored;
    atomic_int redirects, status;
    atomic_int gets;
} server;

static void put_head(struct buf *to, int status, size_t length)
{
    buf_fmt(to, "HTTP/1.1 %d X\r\nConnection: close\r\n", status);
    if (server.tag != NULL)
        buf_fmt(to, "ETag: %s\r\n", server.tag);
    if (!server.no_length)
        buf_fmt(to, "Content-Length: %zu\r\n", length);
}

static void put_body(struct buf *to, str request)
{
    size_t at = str_find(request, STR("Range: bytes="));
    size_t from = 0, n = strlen(BODY);

    if (at < request.n && !server.ranges_ignored)
        from = strtoul(request.p + at + strlen("Range: bytes="), NULL, 10);
    put_head(to, from > 0 ? 206 : 200, n - from);
    if (from > 0)
        buf_fmt(to, "Content-Range: bytes %zu-%zu/%zu\r\n",
                server.wrong_range ? from - 1 : from, n - 1, n);
    n -= from;
    if (server.cut != 0 && n > (size_t)server.cut)
        n = (size_t)server.cut;
    buf_put(to, STR("\r\n"));
    buf_put(to, str_sub(STR(BODY), from, n));
}

static void answer(int c)
{
    struct buf got = {0}, to = {0};
    ssize_t n = 1;

    while (n > 0 && str_find(buf_str(&got), STR("\r\n\r\n")) == got.n) {
        n = recv(c, buf_reserve(&got, 4096), 4095, 0);
        got.n += n > 0 ? (size_t)n : 0;
    }
    buf_put_char(&got, '\0');
    if (server.redirects > 0) {
        server.redirects--;
        put_head(&to, 302, 0);
        buf_fmt(&to, "Location: %s\r\n\r\n", server.location);
    } else if (server.status != 0) {
        put_head(&to, server.status, 0);
        buf_put(&to, STR("\r\n"));
    } else if (str_starts(buf_str(&got), STR("HEAD"))) {
        put_head(&to, 200, strlen(BODY));
        buf_put(&to, STR("\r\n"));
    } else {
        server.gets++;
        put_body(&to, buf_str(&got));
    }
    (void)send(c, to.p, to.n, MSG_NOSIGNAL);
    (void)close(c);
    buf_close(&got);
    buf_close(&to);
}

static void *serve(void *arg)
{
    struct pollfd p = {.fd = server.fd, .events = POLLIN};

    while (!server.stop) {
        if (poll(&p, 1, 5) == 1)
            answer(accept(server.fd, NULL, NULL));
        else
            clock_test_advance(1000); /* pauses between tries pass */
    }
    return arg;
}

static struct fetch *f;
static struct err e;
static char path[300];
static struct download d;

static int set_up(void **state)
{
    static unsigned number;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    char name[32];

    memset(&server, 0, sizeof server);
    server.tag = "\"v1\"";
    server.location = "/other";
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server.fd, (struct sockaddr *)&at, n) != 0 ||
        listen(server.fd, 8) != 0 ||
        getsockname(server.fd, (struct sockaddr *)&at, &n) != 0 ||
        pthread_create(&server.thread, NULL, serve, NULL) != 0)
        return -1;
    (void)snprintf(server.url, sizeof server.url, "http://127.0.0.1:%u/f",
                   ntohs(at.sin_port));
    (void)snprintf(name, sizeof name, "file-%u", number++);
    (void)snprintf(path, sizeof path, "%s", scratch_path(state, name));
    d = (struct download){.url = server.url, .path = path, .bytes_max = 100};
    return fetch_open(&f, &e) == RC_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fetch_close(f);
    server.stop = true;
    (void)pthread_join(server.thread, NULL);
    return close(server.fd);
}

static rc run(void)
{
    e = (struct err){0};
    return download_run(f, &d, &e);
}

static void assert_whole(void)
{
    struct arena *a = arena_open();
    str text;

    assert_int_equal(file_read(path, 1000, a, &text, &e), RC_OK);
    assert_true(str_eq(text, STR(BODY)));
    arena_close(a);
}

static void a_file_comes_once(void **state)
{
    (void)state;
    assert_int_equal(run(), RC_OK);
    assert_whole();
    assert_int_equal(run(), RC_OK);
    assert_int_equal(server.gets, 1);
    server.tag = "\"v2\"";
    assert_int_equal(run(), RC_OK);
    assert_int_equal(server.gets, 2);
    assert_whole();
}

static void a_cut_one_goes_on_until_it_is_whole(void **state)
{
    (void)state;
    server.cut = 7;
    assert_int_equal(run(), RC_OK);
    assert_int_equal(server.gets, 3);
    assert_whole();
}

static void a_server_without_ranges_will_do(void **state)
{
    (void)state;
    server.cut = 7;
    server.ranges_ignored = true;
    assert_int_equal(run(), RC_REMOTE); /* never gets further */
    assert_false(file_exists(path));
    server.cut = 0;
    assert_int_equal(run(), RC_OK);
    assert_whole();
}

static void another_range_than_asked_is_not_taken(void **state)
{
    (void)state;
    server.cut = 7;
    server.wrong_range = true;
    assert_int_equal(run(), RC_REMOTE);
    assert_false(file_exists(path));
    server.cut = 0;
    server.wrong_range = false;
    assert_int_equal(run(), RC_OK);
    assert_whole();
}

static void neither_tag_nor_length_are_needed(void **state)
{
    (void)state;
    server.tag = NULL;
    server.no_length = true;
    assert_int_equal(run(), RC_OK);
    assert_whole();
    assert_int_equal(run(), RC_OK); /* and so it can't be known */
    assert_int_equal(server.gets, 2);
}

static void redirects_are_followed_and_counted(void **state)
{
    (void)state;
    server.redirects = 3;
    assert_int_equal(run(), RC_OK);
    assert_whole();
    server.redirects = 100;
    assert_int_equal(run(), RC_REMOTE);
    assert_non_null(strstr(e.text, "too many redirects"));
}

static void where_nobody_follows_is_the_servers_word(void **state)
{
    static const char *const LOCATIONS[] = {"file:///etc/passwd",
                                            "ftp://127.0.0.1/x", "http://"};

    (void)state;
    for (size_t i = 0; i < NELEMS(LOCATIONS); i++) {
        server.tag = NULL;
        server.location = LOCATIONS[i];
        server.redirects = 1;
        assert_int_equal(run(), RC_REMOTE);
        assert_int_equal(e.code, RC_REMOTE);
        assert_non_null(strstr(e.text, "which is not followed"));
        assert_int_equal(server.gets, 0);
    }
}

static void sums_are_checked(void **state)
{
    (void)state;
    server.tag = "\"8a24eebf04289d68dfbb0ab5a1b6e39b4a7f8ab7c42ad8f6ff7b92d4fe2"
                 "fe9d3\"";
    assert_int_equal(run(), RC_CORRUPT);
    assert_non_null(strstr(e.text, "another SHA-256"));
    assert_false(file_exists(path));
}

static void refusals_are_told_apart(void **state)
{
    static const struct {
        int status;
        rc code;
    } ROWS[] = {{404, RC_NOTFOUND},
                {401, RC_DENIED},
                {403, RC_DENIED},
                {500, RC_REMOTE}};

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++) {
        server.status = ROWS[i].status;
        assert_int_equal(run(), ROWS[i].code);
        assert_int_equal(e.upstream_status, ROWS[i].status);
    }
    server.status = 0;
    d.bytes_max = 19;
    assert_int_equal(run(), RC_LIMIT);
    server.no_length = true;
    assert_int_equal(run(), RC_LIMIT);
    assert_false(file_exists(path));
}

static bool stop_at_once(void *arg, uint64_t done, uint64_t all)
{
    (void)arg;
    (void)done;
    (void)all;
    return false;
}

static void it_can_be_cancelled(void **state)
{
    (void)state;
    d.progress = stop_at_once;
    assert_int_equal(run(), RC_CANCELLED);
    assert_false(file_exists(path));
}

/* Whichever call fails, the file is whole or not there, and the next try makes
 * it whole. */
static void any_write_may_fail(void **state)
{
    rc code = RC_IO;
    int k;

    (void)state;
    for (k = 1; code != RC_OK; k++) {
        char plan[40], other[350];

        assert_in_range(k, 1, 50);
        (void)unlink(path);
        (void)snprintf(other, sizeof other, "%s.tag", path);
        (void)unlink(other);
        (void)snprintf(plan, sizeof plan, "fail@%d:ENOSPC:write", k);
        io_plan_set(plan);
        code = run();
        io_plan_set(NULL);
        if (file_exists(path))
            assert_whole();
        if (code != RC_OK) {
            assert_int_equal(code, RC_NOSPACE);
            assert_int_equal(run(), RC_OK);
            assert_whole();
        }
    }
    assert_true(k > 8);
}

#define TEST(fact) cmocka_unit_test_setup_teardown(fact, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_comes_once),
        TEST(a_cut_one_goes_on_until_it_is_whole),
        TEST(a_server_without_ranges_will_do),
        TEST(another_range_than_asked_is_not_taken),
        TEST(neither_tag_nor_length_are_needed),
        TEST(redirects_are_followed_and_counted),
        TEST(where_nobody_follows_is_the_servers_word),
        TEST(sums_are_checked),
        TEST(refusals_are_told_apart),
        TEST(it_can_be_cancelled),
        TEST(any_write_may_fail),
    };

    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
