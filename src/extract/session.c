/* A child that reads several small documents. It decides nothing about a
 * document that goes wrong: that one is read again by a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "extract/extract_priv.h"

/* A child is for so many documents at most. */
#define SESSION_DOCS_MAX 256
/* For all its documents together, which are SESSION_DOCS_MAX times 64 KiB. */
#define SESSION_CPU_S 5
#define DOC_WALL_NS ((int64_t)10 * 1000000000)
#define SEND_TIMEOUT_S 10
#define NS_PER_MS INT64_C(1000000)

struct extract_session {
    struct extractor *x;
    int fd; /* -1: there is no child */
    uint64_t id;
    unsigned docs;
};

struct extract_session *extract_session_open(struct extractor *x)
{
    struct extract_session *s = mem_alloc(sizeof *s);

    s->x = x;
    s->fd = -1;
    return s;
}

void extract_session_rest(struct extract_session *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* the child ends */
    s->fd = -1;
}

void extract_session_close(struct extract_session *s)
{
    if (s == NULL)
        return;
    extract_session_rest(s);
    mem_free(s);
}

static bool session_start(struct extract_session *s)
{
    const struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    struct request rq = {.kind = REQUEST_SESSION, .cpu_s_max = SESSION_CPU_S};
    int pair[2], status[2], fds[3];
    bool good;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    if (pipe2(status, O_CLOEXEC) != 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        return false;
    }
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    rq.run = s->id = atomic_fetch_add(&s->x->next_run, 1);
    fds[0] = fds[1] = pair[1];
    fds[2] = status[1];
    good = extract_ask(s->x, &rq, fds, NELEMS(fds), NULL) == RC_OK;
    (void)close(pair[1]);
    (void)close(status[0]); /* how it ends is of no interest */
    (void)close(status[1]);
    s->fd = pair[0];
    s->docs = 0;
    if (!good)
        extract_session_rest(s);
    return good;
}

static void session_kill(struct extract_session *s)
{
    const struct request rq = {.kind = REQUEST_KILL, .run = s->id};

    (void)!extract_ask(s->x, &rq, NULL, 0, NULL);
    extract_session_rest(s);
}

/* A question in one piece, so that the child wakes once for it. */
static bool send_both(int fd, str head, str body)
{
    while (head.n + body.n > 0) {
        struct iovec v[2] = {{mem_unconst(head.p), head.n},
                             {mem_unconst(body.p), body.n}};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = NELEMS(v)};
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        size_t of_head;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        of_head = (size_t)n < head.n ? (size_t)n : head.n;
        head = str_sub(head, of_head, head.n);
        body = str_sub(body, (size_t)n - of_head, body.n);
    }
    return true;
}

/* False: the child has ended or took too long. */
static bool take_all(int fd, void *to, size_t n, int64_t until_ns)
{
    char *at = to;

    while (n > 0) {
        struct pollfd p = {fd, POLLIN, 0};
        ssize_t got = recv(fd, at, n, MSG_DONTWAIT);
        int64_t left_ms;

        if (got > 0) {
            at += got;
            n -= (size_t)got;
            continue;
        }
        if (got == 0 || (errno != EINTR && errno != EAGAIN))
            return false;
        left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return false;
        /* In slices: tests run the clock. */
        (void)poll(&p, 1, left_ms > 200 ? 200 : (int)left_ms);
    }
    return true;
}

/* *here false: all is well, but the document is for a child of its own. */
static bool exchange(struct extract_session *s, const struct extract_in *in,
                     struct buf *stream, bool *here)
{
    int64_t until = clock_mono_ns() + DOC_WALL_NS;
    struct session_request rq = {.bytes_n = (uint32_t)in->bytes.n};
    struct session_answer answer;
    char *to;

    rq.filename_n = extract_name(in, rq.filename);
    if (!send_both(s->fd, (str){(const char *)&rq, sizeof rq}, in->bytes) ||
        !take_all(s->fd, &answer, sizeof answer, until))
        return false;
    *here = answer.stream_n != SESSION_NOT_HERE;
    if (!*here)
        return true;
    if (answer.stream_n > STREAM_BYTES_MAX)
        return false;
    to = buf_reserve(stream, (size_t)answer.stream_n);
    if (to == NULL || !take_all(s->fd, to, (size_t)answer.stream_n, until))
        return false;
    stream->n = (size_t)answer.stream_n;
    return true;
}

/* False: it is to be read by a child of its own. */
static bool session_read(struct extract_session *s, const struct extract_in *in,
                         struct arena *out, struct doc *d)
{
    struct arena_mark mark = arena_mark(out);
    struct buf stream = {0};
    bool good, here = true;

    if (s->fd >= 0 && s->docs >= SESSION_DOCS_MAX)
        extract_session_rest(s);
    if (s->fd < 0 && !session_start(s))
        return false;
    s->docs++;
    good = exchange(s, in, &stream, &here);
    if (good && here)
        good = buf_end(&stream, NULL) == RC_OK &&
               doc_decode(buf_str(&stream), out, d, NULL) == RC_OK;
    buf_close(&stream);
    if (!good) {
        arena_rewind(out, mark);
        session_kill(s);
    }
    return good && here;
}

rc extract_session_run(struct extract_session *s, const struct extract_in *in,
                       struct arena *out, struct doc *d, struct err *e)
{
    bool small = in->fd < 0 && in->bytes.n <= SESSION_BYTES_MAX &&
                 in->cpu_s_max == 0 && in->wall_ms_max == 0 &&
                 extract_plan_for(in) == NULL;
    bool good = false;
    str why;

    if (small && !extract_refused(s->x, &why)) {
        (void)atomic_fetch_add(&s->x->running, 1);
        good = session_read(s, in, out, d);
        (void)atomic_fetch_sub(&s->x->running, 1);
    }
    return good ? RC_OK : extract_run(s->x, in, out, d, e);
}
