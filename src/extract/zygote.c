#include "extract/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "extract/extract_priv.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FD_INPUT, FD_OUTPUT, FD_STATUS, FD_COUNT };

/* Where a child finds its two. */
#define CHILD_INPUT_FD 3
#define CHILD_OUTPUT_FD 4

struct run {
    uint64_t id;
    pid_t pid;
    int status_fd;
};

struct zygote {
    extract_work *work;
    int fd, signal_fd;
    struct run runs[RUNS_MAX];
    size_t runs_n;
};

/* ---- the child ---- */

static void limit(int what, rlim_t soft, rlim_t hard)
{
    if (setrlimit((__rlimit_resource_t)what, &(struct rlimit){soft, hard}) != 0)
        _exit(1);
}

static void limits_set(uint32_t cpu_s_max)
{
    /* At the soft limit the signal tells why; the hard one can't be missed. */
    limit(RLIMIT_CPU, cpu_s_max, cpu_s_max + 1);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_FSIZE, STREAM_BYTES_MAX, STREAM_BYTES_MAX);
    if (!SANITIZED) {
        limit(RLIMIT_DATA, CHILD_DATA_BYTES_MAX, CHILD_DATA_BYTES_MAX);
        limit(RLIMIT_AS, CHILD_SPACE_BYTES_MAX, CHILD_SPACE_BYTES_MAX);
    }
    limit(RLIMIT_NOFILE, CHILD_OUTPUT_FD + 1, CHILD_OUTPUT_FD + 1);
}

/* The whole input; false: there is more than INPUT_BYTES_MAX. */
static bool read_input(char **bytes, size_t *n)
{
    struct stat st;
    ssize_t got;

    *n = 0;
    if (fstat(CHILD_INPUT_FD, &st) != 0)
        _exit(1);
    if (st.st_size < 0 || (uint64_t)st.st_size > INPUT_BYTES_MAX)
        return false;
    *bytes = mem_alloc((size_t)st.st_size + 1);
    while (*n < (size_t)st.st_size) {
        got = pread(CHILD_INPUT_FD, *bytes + *n, (size_t)st.st_size - *n,
                    (off_t)*n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            _exit(1);
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return true;
}

static void write_all(str s)
{
    while (s.n > 0) {
        ssize_t n = write(CHILD_OUTPUT_FD, s.p, s.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(1);
        s = str_sub(s, (size_t)n, s.n);
    }
}

/* The rest is parsing: no file is opened, no process started from here on. */
static _Noreturn void child_work(extract_work *work, str filename)
{
    struct doc too_long = {.outcome = EXTRACT_LIMIT,
                           .note = extract_too_long(),
                           .extractor_version = EXTRACTOR_VERSION};
    struct arena *a = arena_open();
    struct buf to;
    char *bytes = NULL;
    size_t n;
    rc code;

    buf_open(&to, STREAM_BYTES_MAX);
    if (read_input(&bytes, &n))
        code = work((str){bytes, n}, filename, a, &to, NULL);
    else
        code = doc_encode(&too_long, &to, NULL);
    if (code != RC_OK)
        _exit(code == RC_NOMEM ? CHILD_EXIT_NOMEM : 1);
    write_all(buf_str(&to));
    _exit(0);
}

/* False: the other end is closed. */
static bool session_take(void *to, size_t n)
{
    char *at = to;

    while (n > 0) {
        ssize_t got = read(CHILD_INPUT_FD, at, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            _exit(1);
        if (got == 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* One document after the other. Whatever goes wrong ends the session: the
 * server tries the document again in a child of its own. */
static _Noreturn void child_session(extract_work *work)
{
    struct arena *a = arena_open();
    struct arena_mark empty = arena_mark(a);
    char *bytes = mem_alloc(SESSION_BYTES_MAX);
    struct session_request rq;
    struct buf to;

    buf_open(&to, STREAM_BYTES_MAX);
    while (session_take(&rq, sizeof rq)) {
        struct session_answer answer;

        if (rq.bytes_n > SESSION_BYTES_MAX ||
            rq.filename_n > FILENAME_BYTES_MAX ||
            !session_take(bytes, rq.bytes_n))
            _exit(1);
        to.n = 0;
        if (work((str){bytes, rq.bytes_n}, (str){rq.filename, rq.filename_n}, a,
                 &to, NULL) != RC_OK ||
            buf_end(&to, NULL) != RC_OK)
            _exit(1);
        answer.stream_n = to.n;
        write_all((str){(const char *)&answer, sizeof answer});
        write_all(buf_str(&to));
        arena_rewind(a, empty);
    }
    _exit(0);
}

static _Noreturn void child_main(struct zygote *z, const struct request *rq,
                                 int fds[FD_COUNT], pid_t zygote)
{
    sigset_t none;
    int input, output;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != zygote)
        _exit(1);
    /* Out of the way of 3 and 4 first. */
    input = fcntl(fds[FD_INPUT], F_DUPFD, CHILD_OUTPUT_FD + 1);
    output = fcntl(fds[FD_OUTPUT], F_DUPFD, CHILD_OUTPUT_FD + 1);
    if (input < 0 || output < 0 || dup2(input, CHILD_INPUT_FD) < 0 ||
        dup2(output, CHILD_OUTPUT_FD) < 0 ||
        close_range(CHILD_OUTPUT_FD + 1, ~0u, 0) != 0)
        _exit(1);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    limits_set(rq->cpu_s_max);
    if (rq->kind == REQUEST_SESSION)
        child_session(z->work);
    child_work(z->work, (str){rq->filename, rq->filename_n});
}

/* ---- the zygote ---- */

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* Too small for the pipe to be full; a server that has gone is no matter. */
static void send_status(int fd, struct status s)
{
    ssize_t n = write(fd, &s, sizeof s);

    (void)n;
    (void)close(fd);
}

static void start_run(struct zygote *z, const struct request *rq,
                      int fds[FD_COUNT])
{
    struct run *r = &z->runs[z->runs_n];
    pid_t self = getpid(), pid;

    if (z->runs_n == RUNS_MAX) {
        send_status(fds[FD_STATUS], (struct status){.sys = EAGAIN});
    } else {
        pid = fork();
        if (pid == 0)
            child_main(z, rq, fds, self);
        if (pid < 0) {
            send_status(fds[FD_STATUS], (struct status){.sys = errno});
        } else {
            *r = (struct run){rq->run, pid, fds[FD_STATUS]};
            z->runs_n++;
        }
    }
    fds[FD_STATUS] = -1;
    close_all(fds, FD_COUNT);
}

static void kill_run(const struct zygote *z, uint64_t id)
{
    for (size_t i = 0; i < z->runs_n; i++) {
        if (z->runs[i].id == id)
            (void)kill(z->runs[i].pid, SIGKILL);
    }
}

/* Only here are children reaped, so a pid in the table is never another's. */
static void reap(struct zygote *z)
{
    struct signalfd_siginfo info;
    ssize_t n = read(z->signal_fd, &info, sizeof info);
    int wait;
    pid_t pid;

    (void)n;
    while ((pid = waitpid(-1, &wait, WNOHANG)) > 0) {
        for (size_t i = 0; i < z->runs_n; i++) {
            if (z->runs[i].pid != pid)
                continue;
            send_status(z->runs[i].status_fd, (struct status){.wait = wait});
            z->runs[i] = z->runs[--z->runs_n];
            break;
        }
    }
}

/* The descriptors a packet came with; true: exactly `want` of them. */
static bool take_fds(struct msghdr *m, int *fds, size_t want)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
         c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
        memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
    }
    return n == want && (m->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
}

/* Takes one request; false: the server has gone. */
static bool serve_request(struct zygote *z)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(FD_COUNT * sizeof(int))];
    } control;
    struct request rq = {0};
    struct iovec io = {&rq, sizeof rq};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    int fds[FD_COUNT] = {-1, -1, -1};
    ssize_t n = recvmsg(z->fd, &m, MSG_CMSG_CLOEXEC);
    bool whole;

    if (n == 0 || (n < 0 && errno != EINTR))
        return false;
    if (n < 0)
        return true;
    whole = take_fds(&m, fds, rq.kind == REQUEST_KILL ? 0 : FD_COUNT) &&
            n == (ssize_t)sizeof rq && rq.filename_n < sizeof rq.filename;
    if (whole && rq.kind != REQUEST_KILL)
        start_run(z, &rq, fds);
    else if (whole)
        kill_run(z, rq.run);
    close_all(fds, FD_COUNT);
    return true;
}

/* Keeps standard error for what an assert says, and the one socket. */
static int descriptors_keep(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        _exit(1);
    if (fd != 3 && dup3(fd, 3, O_CLOEXEC) < 0)
        _exit(1);
    if (close_range(4, ~0u, 0) != 0)
        _exit(1);
    return 3;
}

static void signals_set(sigset_t *chld)
{
    /* The server's handlers are none of a child's. */
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    /* A signal to the whole group is the server's to answer. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(chld);
    (void)sigaddset(chld, SIGCHLD);
    if (pthread_sigmask(SIG_SETMASK, chld, NULL) != 0)
        _exit(1);
}

static _Noreturn void zygote_main(extract_work *work, int fd, pid_t server)
{
    static struct zygote z;
    sigset_t chld;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "knowd-extract");
    if (getppid() != server)
        _exit(1);
    signals_set(&chld);
    z.work = work;
    z.fd = descriptors_keep(fd);
    z.signal_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (z.signal_fd < 0)
        _exit(1);
    for (;;) {
        struct pollfd p[2] = {{z.fd, POLLIN, 0}, {z.signal_fd, POLLIN, 0}};

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents != 0)
            reap(&z);
        if (p[0].revents != 0 && !serve_request(&z))
            break;
    }
    for (size_t i = 0; i < z.runs_n; i++)
        (void)kill(z.runs[i].pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    _exit(0);
}

rc zygote_fork(extract_work *work, pid_t *pid, int *fd, struct err *e)
{
    pid_t self = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(e, RC_IO, errno, "cannot make a socket pair");
    *pid = fork();
    if (*pid == 0) {
        (void)close(pair[0]);
        zygote_main(work, pair[1], self);
    }
    (void)close(pair[1]);
    if (*pid < 0) {
        (void)close(pair[0]);
        return err_errno(e, RC_IO, errno, "cannot fork the extraction process");
    }
    *fd = pair[0];
    return RC_OK;
}
