#include "extract/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "extract/extract_priv.h"
#include "extract/zygote.h"

#define CPU_S_DEFAULT 20
/* Wall time for each second of CPU, and at least: machines are busy. */
#define WALL_FACTOR 6
#define SEND_TIMEOUT_S 10
#define STOP_MS_MAX 2000
/* From the kill to the end of a child. */
#define KILL_MS_MAX 5000
#define NS_PER_MS INT64_C(1000000)

/* One run on the server's side. */
struct run {
    struct extractor *x;
    uint64_t id;
    int input, output; /* memory files; -1: none */
    int status;        /* our end of the pipe */
    int64_t deadline_ns;
    bool killed; /* at the deadline */
};

static rc work_extract(str input, str filename, struct arena *arena,
                       struct buf *to, struct err *e)
{
    struct doc d;
    rc code = extract_bytes(input, filename, arena, &d, e);

    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

rc extract_start_with(extract_work *work, struct extractor **x, struct err *e)
{
    struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    pid_t pid;
    int fd;
    rc code = zygote_fork(work, &pid, &fd, e);

    if (code != RC_OK)
        return code;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    *x = mem_alloc(sizeof **x);
    (*x)->pid = pid;
    (*x)->fd = fd;
    return RC_OK;
}

rc extract_start(struct extractor **x, struct err *e)
{
    return extract_start_with(work_extract, x, e);
}

void extract_stop(struct extractor *x)
{
    struct pollfd p = {.events = POLLIN};

    if (x == NULL)
        return;
    (void)close(x->fd); /* it ends, and its children with it */
    p.fd = (int)syscall(SYS_pidfd_open, x->pid, 0);
    if (p.fd < 0 || poll(&p, 1, STOP_MS_MAX) != 1)
        (void)kill(x->pid, SIGKILL);
    if (p.fd >= 0)
        (void)close(p.fd);
    while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    mem_free(x);
}

/* The zygote sees its socket end, kills its children and ends itself. */
void extract_cancel(struct extractor *x)
{
    (void)shutdown(x->fd, SHUT_RDWR);
}

void extract_figures(struct extractor *x, uint64_t *running, uint64_t *crashes)
{
    *running = atomic_load(&x->running);
    *crashes = atomic_load(&x->crashes);
}

/* ---- asking ---- */

static rc memory_file(str bytes, int *fd, struct err *e)
{
    *fd = memfd_create("knowd-extract", MFD_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, RC_IO, errno, "cannot make a memory file");
    while (bytes.n > 0) {
        ssize_t n = write(*fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, RC_IO, errno, "cannot fill a memory file");
        bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
    return RC_OK;
}

rc extract_ask(struct extractor *x, const struct request *rq, const int *fds,
               size_t fds_n, struct err *e)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct request copy = *rq;
    struct iovec io = {&copy, sizeof copy};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    ssize_t n;

    if (fds_n > 0) {
        struct cmsghdr *c = &control.head;

        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(fds_n * sizeof *fds);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds_n * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, fds_n * sizeof *fds);
    }
    do
        n = sendmsg(x->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, RC_BUSY, errno,
                         "the extraction process does not answer");
    return RC_OK;
}

uint32_t extract_name(const struct extract_in *in,
                      char to[FILENAME_BYTES_MAX + 1])
{
    str name = in->plain ? STR_NONE : in->filename;

    /* The end of a long name: there is the extension. */
    if (name.n > FILENAME_BYTES_MAX)
        name = str_sub(name, name.n - FILENAME_BYTES_MAX, name.n);
    if (name.n > 0)
        memcpy(to, name.p, name.n);
    return (uint32_t)name.n;
}

static struct request request_run(const struct run *r,
                                  const struct extract_in *in)
{
    struct request rq = {.kind = REQUEST_RUN, .run = r->id};

    rq.cpu_s_max = in->cpu_s_max == 0 ? CPU_S_DEFAULT : in->cpu_s_max;
    rq.filename_n = extract_name(in, rq.filename);
    return rq;
}

static rc run_begin(struct run *r, const struct extract_in *in, struct err *e)
{
    struct request rq = request_run(r, in);
    int status[2] = {-1, -1}, fds[3];
    int64_t wall_ms = in->wall_ms_max;
    rc code = RC_OK;

    if (wall_ms == 0)
        wall_ms = (int64_t)rq.cpu_s_max * WALL_FACTOR * 1000;
    r->deadline_ns = clock_mono_ns() + wall_ms * NS_PER_MS;
    if (in->fd < 0)
        code = memory_file(in->bytes, &r->input, e);
    if (code == RC_OK)
        code = memory_file(STR_NONE, &r->output, e);
    if (code == RC_OK && pipe2(status, O_CLOEXEC) != 0)
        code = err_errno(e, RC_IO, errno, "cannot make a pipe");
    r->status = status[0];
    if (code == RC_OK) {
        fds[0] = in->fd < 0 ? r->input : in->fd;
        fds[1] = r->output;
        fds[2] = status[1];
        code = extract_ask(r->x, &rq, fds, 3, e);
    }
    if (status[1] >= 0)
        (void)close(status[1]);
    return code;
}

static void run_end(struct run *r)
{
    if (r->input >= 0)
        (void)close(r->input);
    if (r->output >= 0)
        (void)close(r->output);
    if (r->status >= 0)
        (void)close(r->status);
}

/* ---- listening ---- */

static void run_kill(struct run *r, int64_t now_ns)
{
    struct request rq = {.kind = REQUEST_KILL, .run = r->id};

    r->killed = true;
    r->deadline_ns = now_ns + KILL_MS_MAX * NS_PER_MS;
    if (extract_ask(r->x, &rq, NULL, 0, NULL) != RC_OK)
        r->deadline_ns = now_ns; /* nobody is there to kill it */
}

/* Waits until the child has ended; false: it has not, though killed. */
static bool run_wait(struct run *r)
{
    for (;;) {
        struct pollfd p = {r->status, POLLIN, 0};
        int64_t now = clock_mono_ns();
        int64_t left_ms = (r->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;

        if (left_ms <= 0 && r->killed)
            return false;
        if (left_ms <= 0)
            run_kill(r, now);
        /* In slices: tests run the clock. */
        else if (poll(&p, 1, left_ms > 200 ? 200 : (int)left_ms) > 0)
            return true;
    }
}

static rc status_read(struct run *r, struct status *s, struct err *e)
{
    ssize_t n = 0;

    if (run_wait(r))
        n = read(r->status, s, sizeof *s);
    if (n != (ssize_t)sizeof *s)
        return err_set(e, RC_BUSY,
                       "the extraction process has ended; restart the server");
    if (s->sys != 0)
        return err_errno(e, RC_BUSY, s->sys, "cannot start an extraction");
    return RC_OK;
}

/* What the child wrote. It is copied, not mapped: should the child have left
 * someone behind who cuts the file, a mapping would kill the server. */
static rc stream_read(const struct run *r, struct buf *to, struct err *e)
{
    struct stat st;
    char *p;
    ssize_t n;

    if (fstat(r->output, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot read an extraction");
    if (st.st_size < 0 || (uint64_t)st.st_size > STREAM_BYTES_MAX)
        return RC_OK; /* nothing is no document either */
    p = buf_reserve(to, (size_t)st.st_size);
    while (p != NULL && to->n < (size_t)st.st_size) {
        n = pread(r->output, p + to->n, (size_t)st.st_size - to->n,
                  (off_t)to->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, RC_IO, errno, "cannot read an extraction");
        if (n == 0)
            break;
        to->n += (size_t)n;
    }
    return buf_end(to, e);
}

/* What became of a child that sent no document. */
static void doc_of_failure(const struct run *r, int wait, struct doc *d)
{
    int sig = WIFSIGNALED(wait) ? WTERMSIG(wait) : 0;

    *d = (struct doc){.outcome = EXTRACT_CRASHED,
                      .note = STR("The file made its reader fail"),
                      .extractor_version = EXTRACTOR_VERSION};
    if (r->killed || sig == SIGXCPU) {
        d->outcome = EXTRACT_LIMIT;
        d->note = STR("Reading the file took too long");
    } else if (sig == SIGXFSZ) {
        d->outcome = EXTRACT_LIMIT;
        d->note = STR("The file unpacks to more than one document may hold");
    } else if (WIFEXITED(wait) && WEXITSTATUS(wait) == CHILD_EXIT_NOMEM) {
        d->outcome = EXTRACT_LIMIT;
        d->note = STR("Reading the file takes too much memory");
    }
}

static rc run_finish(struct run *r, struct arena *out, struct doc *d,
                     struct err *e)
{
    struct status s = {0};
    struct buf stream = {0};
    bool good = false;
    rc code = status_read(r, &s, e);

    if (code == RC_OK && WIFEXITED(s.wait) && WEXITSTATUS(s.wait) == 0)
        code = stream_read(r, &stream, e);
    if (code == RC_OK)
        good = doc_decode(buf_str(&stream), out, d, NULL) == RC_OK;
    if (code == RC_OK && !good) {
        doc_of_failure(r, s.wait, d);
        if (d->outcome == EXTRACT_CRASHED)
            (void)atomic_fetch_add(&r->x->crashes, 1);
    }
    buf_close(&stream);
    return code;
}

rc extract_run(struct extractor *x, const struct extract_in *in,
               struct arena *out, struct doc *d, struct err *e)
{
    struct run r = {.x = x, .input = -1, .output = -1, .status = -1};
    rc code;

    *d = (struct doc){.extractor_version = EXTRACTOR_VERSION};
    if (in->fd < 0 && in->bytes.n > INPUT_BYTES_MAX) {
        d->outcome = EXTRACT_LIMIT;
        d->note = extract_too_long();
        return RC_OK;
    }
    r.id = atomic_fetch_add(&x->next_run, 1);
    (void)atomic_fetch_add(&x->running, 1);
    code = run_begin(&r, in, e);
    if (code == RC_OK)
        code = run_finish(&r, out, d, e);
    (void)atomic_fetch_sub(&x->running, 1);
    run_end(&r);
    return code;
}
