/* A child that reads several small documents. It decides nothing about a
 * document that goes wrong: that one is read again by a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "extract/extract_priv.h"

/* A child is for so many documents at most. */
#define SESSION_DOCS_MAX 256
/* For all its documents together: many times what they take. */
#define SESSION_CPU_S 5
#define ASK_WALL_NS ((int64_t)10 * 1000000000)
#define SEND_TIMEOUT_S 10
#define NS_PER_MS INT64_C(1000000)

/* A document that was read and not asked for yet. */
struct ahead {
    uint64_t ticket; /* which document it is; 0: it was asked for */
    str stream;
    bool here; /* false: all is well, but it is for a child of its own */
};

struct extract_session {
    struct extractor *x;
    int fd; /* -1: there is no child */
    uint64_t id;
    unsigned docs;
    struct ahead ahead[SESSION_AHEAD_MAX];
    size_t ahead_n;
    uint64_t tickets;   /* given out */
    struct buf streams; /* what they point into */
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
    s->ahead_n = 0;
    buf_close(&s->streams);
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
static bool send_all(int fd, struct iovec *v, size_t n)
{
    while (n > 0) {
        struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
        ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
        size_t left;

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        for (left = (size_t)sent; n > 0 && left >= v->iov_len; v++, n--)
            left -= v->iov_len;
        if (n > 0) {
            v->iov_base = (char *)v->iov_base + left;
            v->iov_len -= left;
        }
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

static bool ask(struct extract_session *s, const struct extract_in *in,
                size_t n)
{
    struct session_request rq = {.docs_n = (uint32_t)n};
    struct session_head heads[SESSION_AHEAD_MAX];
    struct iovec v[2 + SESSION_AHEAD_MAX] = {{&rq, sizeof rq},
                                             {heads, n * sizeof *heads}};

    for (size_t i = 0; i < n; i++) {
        heads[i].bytes_n = (uint32_t)in[i].bytes.n;
        heads[i].said = extract_said(&in[i]);
        v[2 + i] = (struct iovec){mem_unconst(in[i].bytes.p), in[i].bytes.n};
        rq.bytes_n += heads[i].bytes_n;
    }
    return send_all(s->fd, v, 2 + n);
}

/* What the child says of the n it was asked: it is believed in nothing. */
static bool answer_take(struct extract_session *s, size_t n)
{
    int64_t until = clock_mono_ns() + ASK_WALL_NS;
    struct session_answer answer;
    uint64_t at = 0;
    char *to;

    if (!take_all(s->fd, &answer, sizeof answer, until) || answer.docs_n == 0 ||
        answer.docs_n > n ||
        answer.bytes_n > SESSION_ANSWER_BYTES + STREAM_BYTES_MAX)
        return false;
    buf_clear(&s->streams);
    to = buf_reserve(&s->streams, (size_t)answer.bytes_n);
    if (to == NULL || !take_all(s->fd, to, (size_t)answer.bytes_n, until))
        return false;
    for (size_t i = 0; i < answer.docs_n; i++) {
        struct ahead *d = &s->ahead[i];
        uint64_t n_here = answer.streams_n[i];

        *d = (struct ahead){.ticket = ++s->tickets,
                            .here = n_here != SESSION_NOT_HERE};
        if (!d->here)
            continue;
        if (n_here > answer.bytes_n - at)
            return false;
        d->stream = (str){to + at, (size_t)n_here};
        at += n_here;
    }
    if (at != answer.bytes_n)
        return false;
    s->ahead_n = answer.docs_n;
    return true;
}

/* Reads n documents, or the first of them. */
static bool read_some(struct extract_session *s, const struct extract_in *in,
                      size_t n)
{
    bool good;

    s->ahead_n = 0;
    if (s->fd >= 0 && s->docs >= SESSION_DOCS_MAX)
        extract_session_rest(s);
    if (s->fd < 0 && !session_start(s))
        return false;
    s->docs += (unsigned)n;
    (void)atomic_fetch_add(&s->x->asks, 1);
    (void)atomic_fetch_add(&s->x->running, 1);
    good = ask(s, in, n) && answer_take(s, n);
    (void)atomic_fetch_sub(&s->x->running, 1);
    if (!good)
        session_kill(s);
    return good;
}

/* What was read ahead for this ticket, once. */
static const struct ahead *ahead_take(struct extract_session *s,
                                      uint64_t ticket)
{
    for (size_t i = 0; ticket != 0 && i < s->ahead_n; i++) {
        if (s->ahead[i].ticket == ticket) {
            s->ahead[i].ticket = 0;
            return &s->ahead[i];
        }
    }
    return NULL;
}

static bool belongs_here(const struct extract_session *s,
                         const struct extract_in *in)
{
    str why;

    return in->fd < 0 && in->bytes.n <= SESSION_BYTES_MAX &&
           in->cpu_s_max == 0 && in->wall_ms_max == 0 &&
           extract_plan_for(in) == NULL && !extract_refused(s->x, &why);
}

void extract_session_ahead(struct extract_session *s, struct extract_in *in,
                           size_t n)
{
    struct extract_in some[SESSION_AHEAD_MAX];
    size_t of[SESSION_AHEAD_MAX], some_n = 0, bytes = 0;

    s->ahead_n = 0;
    for (size_t i = 0; i < n; i++)
        in[i].ticket = 0;
    for (size_t i = 0; i < n && some_n < SESSION_AHEAD_MAX; i++) {
        if (!belongs_here(s, &in[i]))
            continue;
        bytes += in[i].bytes.n;
        if (bytes > SESSION_AHEAD_BYTES_MAX)
            break;
        of[some_n] = i;
        some[some_n++] = in[i];
    }
    if (some_n == 0 || !read_some(s, some, some_n))
        return;
    for (size_t i = 0; i < some_n; i++)
        in[of[i]].ticket = i < s->ahead_n ? s->ahead[i].ticket : 0;
}

/* False: it is to be read by a child of its own. */
static bool session_read(struct extract_session *s, const struct extract_in *in,
                         struct arena *out, struct doc *d)
{
    struct arena_mark mark = arena_mark(out);
    const struct ahead *read = ahead_take(s, in->ticket);

    if (read == NULL && read_some(s, in, 1))
        read = &s->ahead[0];
    if (read == NULL || !read->here)
        return false;
    if (doc_decode(read->stream, out, d, NULL) == RC_OK)
        return true;
    arena_rewind(out, mark);
    session_kill(s);
    return false;
}

rc extract_session_run(struct extract_session *s, const struct extract_in *in,
                       struct arena *out, struct doc *d, struct err *e)
{
    if (belongs_here(s, in) && session_read(s, in, out, d))
        return RC_OK;
    return extract_run(s->x, in, out, d, e);
}
