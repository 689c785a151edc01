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
#include <sys/wait.h>
#include <unistd.h>

#include "extract/child_priv.h"

struct run {
    uint64_t id;
    pid_t pids[JOB_STAGES_MAX];
    size_t left; /* of them, not reaped */
    int status_fd;
    struct status status;
};

struct zygote {
    const struct zygote_work *work;
    const struct walls *walls;
    int fd, signal_fd;
    struct run runs[RUNS_MAX];
    size_t runs_n;
    const struct program *programs[JOB_ROWS_MAX][JOB_PROGRAMS_MAX];
};

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* Too small for the pipe to be full; a server that has gone is no matter. */
static void send_status(int fd, const struct status *s)
{
    ssize_t n = write(fd, s, sizeof *s);

    (void)n;
    (void)close(fd);
}

/* ---- starting ---- */

static size_t stages_of(const struct zygote *z, const struct request *rq)
{
    const struct job_row *row;

    if (rq->kind != REQUEST_JOB)
        return 1;
    row = &z->work->jobs[rq->job];
    return job_programs(row) + (row->work != NULL);
}

/* 0, or why it can't be started. */
static int stage_start(const struct zygote *z, const struct request *rq,
                       const int fds[FD_COUNT], const int links[2],
                       size_t stage, pid_t *pid)
{
    const struct child c = {.work = z->work,
                            .walls = z->walls,
                            .rq = rq,
                            .zygote = getpid(),
                            .input = links[0] >= 0 ? links[0] : fds[FD_INPUT],
                            .output = links[1] >= 0 ? links[1] : fds[FD_OUTPUT],
                            .messages = fds[FD_MESSAGES],
                            .stage = stage,
                            .program = rq->kind == REQUEST_JOB &&
                                               stage < JOB_PROGRAMS_MAX
                                           ? z->programs[rq->job][stage]
                                           : NULL};

    if (c.program != NULL && c.program->path[0] == '\0')
        return ENOENT;
    *pid = fork();
    if (*pid == 0)
        child_main(&c);
    return *pid < 0 ? errno : 0;
}

/* The processes of a chain, each linked to the next by a pipe. */
static void stages_start(const struct zygote *z, const struct request *rq,
                         const int fds[FD_COUNT], struct run *r)
{
    size_t n = stages_of(z, rq);
    int from = -1, sys = 0;

    for (size_t i = 0; i < n && sys == 0; i++) {
        int next[2] = {-1, -1};

        if (i + 1 < n && pipe2(next, O_CLOEXEC) != 0)
            sys = errno;
        if (sys == 0)
            sys =
                stage_start(z, rq, fds, (int[]){from, next[1]}, i, &r->pids[i]);
        if (sys == 0)
            r->left++;
        close_all((int[]){from, next[1]}, 2);
        from = next[0];
    }
    close_all(&from, 1);
    r->status.sys = sys;
    r->status.n = (uint32_t)r->left;
}

static void run_kill(const struct run *r)
{
    for (size_t i = 0; i < r->status.n; i++) {
        if (r->pids[i] > 0)
            (void)kill(r->pids[i], SIGKILL);
    }
}

static void run_start(struct zygote *z, const struct request *rq,
                      int fds[FD_COUNT])
{
    struct run r = {.id = rq->run, .status_fd = fds[FD_STATUS]};

    fds[FD_STATUS] = -1;
    if (z->runs_n == RUNS_MAX)
        r.status.sys = EAGAIN;
    else
        stages_start(z, rq, fds, &r);
    close_all(fds, FD_COUNT);
    if (r.status.sys != 0)
        run_kill(&r);
    if (r.left == 0)
        send_status(r.status_fd, &r.status);
    else
        z->runs[z->runs_n++] = r;
}

static void kill_run(const struct zygote *z, uint64_t id)
{
    for (size_t i = 0; i < z->runs_n; i++) {
        if (z->runs[i].id == id)
            run_kill(&z->runs[i]);
    }
}

/* ---- reaping ---- */

static uint32_t cpu_ms(const struct rusage *u)
{
    return (uint32_t)((u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 +
                      (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000);
}

/* True: it was one of this run's. */
static bool run_reaped(struct run *r, pid_t pid, int wait,
                       const struct rusage *u)
{
    for (size_t i = 0; i < r->status.n; i++) {
        if (r->pids[i] != pid)
            continue;
        r->pids[i] = 0; /* may be another's from now on */
        r->status.ends[i] =
            (struct process_end){wait, cpu_ms(u), (uint64_t)u->ru_maxrss * KIB};
        r->left--;
        return true;
    }
    return false;
}

/* Only here are children reaped, so a pid in the table is never another's. */
static void reap(struct zygote *z)
{
    struct signalfd_siginfo info;
    ssize_t n = read(z->signal_fd, &info, sizeof info);
    struct rusage u;
    int wait;
    pid_t pid;

    (void)n;
    while ((pid = wait4(-1, &wait, WNOHANG, &u)) > 0) {
        for (size_t i = 0; i < z->runs_n; i++) {
            struct run *r = &z->runs[i];

            if (!run_reaped(r, pid, wait, &u))
                continue;
            if (r->left == 0) {
                send_status(r->status_fd, &r->status);
                *r = z->runs[--z->runs_n];
            }
            break;
        }
    }
}

/* ---- the server's requests ---- */

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

static size_t fds_of(const struct request *rq)
{
    if (rq->kind == REQUEST_KILL)
        return 0;
    return rq->kind == REQUEST_JOB ? FD_COUNT : FD_MESSAGES;
}

static bool request_good(const struct zygote *z, const struct request *rq)
{
    struct said said;

    return said_take(&rq->said, &said) &&
           rq->job < (rq->kind == REQUEST_JOB ? z->work->jobs_n : 1);
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
    int fds[FD_COUNT] = {-1, -1, -1, -1};
    ssize_t n = recvmsg(z->fd, &m, MSG_CMSG_CLOEXEC);
    bool whole;

    if (n == 0 || (n < 0 && errno != EINTR))
        return false;
    if (n < 0)
        return true;
    whole = take_fds(&m, fds, fds_of(&rq)) && n == (ssize_t)sizeof rq &&
            request_good(z, &rq);
    if (whole && rq.kind != REQUEST_KILL)
        run_start(z, &rq, fds);
    else if (whole)
        kill_run(z, rq.run);
    close_all(fds, FD_COUNT);
    return true;
}

/* ---- the loop ---- */

/* Which row of the table each program of each job is. */
static void programs_link(struct zygote *z)
{
    for (size_t i = 0; i < z->work->jobs_n; i++) {
        const struct job_row *row = &z->work->jobs[i];

        for (size_t k = 0; k < job_programs(row); k++) {
            for (size_t p = 0; p < z->walls->programs_n; p++) {
                if (strcmp(z->work->programs[p].name, row->argv[k][0]) == 0)
                    z->programs[i][k] = &z->walls->programs[p];
            }
            ASSERT(z->programs[i][k] != NULL);
        }
    }
}

static int signals_of_children(void)
{
    sigset_t chld;

    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    if (pthread_sigmask(SIG_SETMASK, &chld, NULL) != 0)
        return -1;
    return signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void zygote_main(const struct zygote_work *work,
                           const struct walls *walls)
{
    static struct zygote z;

    (void)prctl(PR_SET_NAME, "knowd-extract");
    z.work = work;
    z.walls = walls;
    z.fd = ZYGOTE_FD;
    z.signal_fd = signals_of_children();
    programs_link(&z);
    if (z.signal_fd < 0 || ((walls->there & SANDBOX_SECCOMP) != 0 &&
                            !sandbox_filter_set(&walls->zygote)))
        abort();
    for (;;) {
        struct pollfd p[2] = {{z.fd, POLLIN, 0}, {z.signal_fd, POLLIN, 0}};

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            abort();
        if (p[1].revents != 0)
            reap(&z);
        if (p[0].revents != 0 && !serve_request(&z))
            break;
    }
    for (size_t i = 0; i < z.runs_n; i++)
        run_kill(&z.runs[i]);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    _exit(0);
}
