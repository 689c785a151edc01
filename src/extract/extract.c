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
#include "base/log.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "extract/extract_priv.h"
#include "extract/zygote.h"

#define CPU_S_DEFAULT 20
/* What a zygote that died had under way is asked again so often. */
#define TRIES_MAX 3
/* Wall time for each second of CPU: machines are busy. */
#define WALL_FACTOR 6
#define SEND_TIMEOUT_S 10
#define STOP_MS_MAX 2000
/* From the kill to the end of a child. */
#define KILL_MS_MAX 5000
#define NS_PER_MS INT64_C(1000000)

static rc work_extract(str input, struct said said, struct arena *arena,
                       struct buf *to, struct err *e)
{
    struct doc d;
    rc code = extract_bytes(input, said, arena, &d, e);

    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

static rc work_session(str input, struct said said, struct arena *arena,
                       struct buf *to, struct err *e)
{
    struct doc d;
    rc code = extract_bytes_shared(input, said, arena, &d, e);

    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

rc extract_start_work(const struct zygote_work *work, struct extractor **x,
                      struct err *e)
{
    struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    struct extractor *made = mem_alloc(sizeof *made);
    rc code;

    ASSERT(work->jobs_n <= JOB_ROWS_MAX);
    made->work = *work;
    made->ocr_pages_max = OCR_PAGES_MAX;
    code = zygote_fork(&made->work, &made->nanny, &made->fd, &made->facts, e);
    if (code != RC_OK) {
        mem_free(made);
        return code;
    }
    (void)setsockopt(made->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    *x = made;
    return RC_OK;
}

static rc start(extract_work *run, extract_work *session, struct extractor **x,
                struct err *e)
{
    const struct zygote_work work = {.run = run,
                                     .session = session,
                                     .jobs = JOBS,
                                     .jobs_n = JOB_KIND_COUNT,
                                     .programs = PROGRAMS};

    return extract_start_work(&work, x, e);
}

rc extract_start_with(extract_work *work, struct extractor **x, struct err *e)
{
    return start(work, work, x, e);
}

rc extract_start(struct extractor **x, struct err *e)
{
    return start(work_extract, work_session, x, e);
}

void extract_stop(struct extractor *x)
{
    struct pollfd p = {.events = POLLIN};

    if (x == NULL)
        return;
    (void)close(x->fd); /* they end, and their children with them */
    p.fd = (int)syscall(SYS_pidfd_open, x->nanny, 0);
    if (p.fd < 0 || poll(&p, 1, STOP_MS_MAX) != 1)
        (void)kill(x->nanny, SIGKILL);
    if (p.fd >= 0)
        (void)close(p.fd);
    while (waitpid(x->nanny, NULL, 0) < 0 && errno == EINTR)
        ;
    mem_free(x);
}

void extract_ocr_set(struct extractor *x, const struct extract_ocr *o)
{
    x->ocr_off = o->off;
    x->ocr_pages_max = o->pages_max == 0 ? OCR_PAGES_MAX : o->pages_max;
}

/* The zygote sees its socket end, kills its children and ends itself. */
void extract_cancel(struct extractor *x)
{
    atomic_store(&x->cancelled, true);
    (void)shutdown(x->fd, SHUT_RDWR);
}

void extract_figures(struct extractor *x, struct extract_figures *f)
{
    *f = (struct extract_figures){.running = atomic_load(&x->running),
                                  .crashes = atomic_load(&x->crashes),
                                  .asks = atomic_load(&x->asks),
                                  .ended = atomic_load(&x->ended)};
}

/* ---- walls ---- */

void extract_unsandboxed_allow(struct extractor *x)
{
    atomic_store(&x->unsandboxed, true);
}

unsigned extract_walls(const struct extractor *x)
{
    return x->facts.walls;
}

bool extract_refused(struct extractor *x, str *why)
{
    static const str WHY[] = {
        [SANDBOX_SECCOMP] =
            STR_INIT("Documents are not read: this kernel has no Landlock to "
                     "lock their readers in; --allow-unsandboxed reads them "
                     "all the same"),
        [SANDBOX_LANDLOCK] =
            STR_INIT("Documents are not read: this kernel has no seccomp to "
                     "lock their readers in; --allow-unsandboxed reads them "
                     "all the same"),
        [0] = STR_INIT("Documents are not read: this kernel has neither "
                       "seccomp nor Landlock to lock their readers in; "
                       "--allow-unsandboxed reads them all the same"),
    };
    unsigned there = x->facts.walls & SANDBOX_NEEDED;

    if (there == SANDBOX_NEEDED || atomic_load(&x->unsandboxed))
        return false;
    *why = WHY[there];
    return true;
}

/* ---- asking ---- */

rc extract_memory_put(int fd, str bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, RC_IO, errno, "cannot fill a memory file");
        bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
    return RC_OK;
}

rc extract_memory_file(str bytes, int *fd, struct err *e)
{
    *fd = memfd_create("knowd-extract", MFD_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, RC_IO, errno, "cannot make a memory file");
    return extract_memory_put(*fd, bytes, e);
}

/* A zygote is made again, so its socket ends with the nanny alone. */
static rc nobody_there(struct extractor *x, struct err *e)
{
    if (!atomic_load(&x->cancelled) && !atomic_exchange(&x->ended, true))
        log_error("extract", "the extraction process was killed: no document "
                             "is read until a restart");
    return err_set(e, RC_BUSY, "the extraction process has ended");
}

rc extract_ask(struct extractor *x, const struct request *rq, const int *fds,
               size_t fds_n, struct err *e)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(FD_COUNT * sizeof(int))];
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
    if (n >= 0)
        return RC_OK;
    /* Reset: it has left a request unread. */
    if (errno == EPIPE || errno == ECONNRESET)
        return nobody_there(x, e);
    return err_errno(e, RC_BUSY, errno,
                     "the extraction process does not answer");
}

struct said_sent extract_said(const struct extract_in *in)
{
    return said_send(in->plain ? &(struct said){.type = STR_NONE} : &in->said);
}

int64_t extract_wall_ns(unsigned cpu_s, unsigned wall_ms)
{
    if (wall_ms > 0)
        return wall_ms * NS_PER_MS;
    return (int64_t)cpu_s * WALL_FACTOR * 1000 * NS_PER_MS;
}

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static rc pipe_open(int fds[2], int flags, struct err *e)
{
    if (pipe2(fds, O_CLOEXEC | flags) != 0)
        return err_errno(e, RC_IO, errno, "cannot make a pipe");
    return RC_OK;
}

/* A try has an output of its own: somebody of the last could still write. */
static rc asked_try(struct asked *k, struct err *e)
{
    bool job = k->rq.kind == REQUEST_JOB;
    int status[2] = {-1, -1}, messages[2] = {-1, -1};
    rc code = extract_memory_file(STR_NONE, &k->output, e);

    if (code == RC_OK)
        code = pipe_open(status, 0, e);
    /* Programs that say much say the rest to nobody: the pipe takes what it
     * holds, and they don't wait. */
    if (code == RC_OK && job)
        code = pipe_open(messages, O_NONBLOCK, e);
    k->status = status[0];
    k->messages = messages[0];
    k->rq.run = atomic_fetch_add(&k->x->next_run, 1);
    k->deadline_ns = clock_mono_ns() + k->wall_ns;
    if (code == RC_OK)
        code = extract_ask(k->x, &k->rq,
                           (int[]){k->input, k->output, status[1], messages[1]},
                           job ? FD_COUNT : FD_MESSAGES, e);
    shut(&status[1]);
    shut(&messages[1]);
    return code;
}

static void asked_drop(struct asked *k)
{
    shut(&k->output);
    shut(&k->messages);
    shut(&k->status);
}

rc asked_begin(struct asked *k, struct err *e)
{
    k->output = k->messages = k->status = -1;
    k->tries = 1;
    (void)atomic_fetch_add(&k->x->running, 1);
    return asked_try(k, e);
}

void asked_end(struct asked *k)
{
    asked_drop(k);
    if (k->tries > 0)
        (void)atomic_fetch_sub(&k->x->running, 1);
    k->tries = 0;
}

/* ---- listening ---- */

static void asked_kill(struct asked *k, int64_t now_ns)
{
    struct request rq = {.kind = REQUEST_KILL, .run = k->rq.run};

    k->killed = true;
    k->deadline_ns = now_ns + KILL_MS_MAX * NS_PER_MS;
    if (extract_ask(k->x, &rq, NULL, 0, NULL) != RC_OK)
        k->deadline_ns = now_ns; /* nobody is there to kill it */
}

/* False: it has not ended, though killed. */
static bool asked_listen(struct asked *k)
{
    for (;;) {
        struct pollfd p = {k->status, POLLIN, 0};
        int64_t now = clock_mono_ns();
        int64_t left_ms = (k->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;

        /* In slices: tests run the clock. What ended in time may be waited for
         * late. */
        if (poll(&p, 1,
                 left_ms > 200 ? 200
                 : left_ms > 0 ? (int)left_ms
                               : 0) > 0)
            return true;
        if (left_ms <= 0 && k->killed)
            return false;
        if (left_ms <= 0)
            asked_kill(k, now);
    }
}

rc asked_wait(struct asked *k, struct status *s, struct err *e)
{
    for (;;) {
        ssize_t n = asked_listen(k) ? read(k->status, s, sizeof *s) : 0;
        rc code;

        if (n == (ssize_t)sizeof *s && s->n <= JOB_STAGES_MAX)
            return RC_OK;
        *s = (struct status){0};
        if (k->killed) /* or it will soon be */
            return RC_OK;
        if (k->tries >= TRIES_MAX || atomic_load(&k->x->cancelled))
            return err_set(e, RC_BUSY, "the extraction process has ended");
        log_warn("extract", "the extraction process died; asking again");
        asked_drop(k);
        k->tries++;
        if ((code = asked_try(k, e)) != RC_OK)
            return code;
    }
}

rc extract_copy(int fd, size_t bytes_max, struct buf *to, struct err *e)
{
    struct stat st;
    char *p;
    ssize_t n;

    if (fstat(fd, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot read an extraction");
    if (st.st_size < 0 || (uint64_t)st.st_size > bytes_max)
        return RC_OK; /* nothing is no document either */
    p = buf_reserve(to, (size_t)st.st_size);
    while (p != NULL && to->n < (size_t)st.st_size) {
        n = pread(fd, p + to->n, (size_t)st.st_size - to->n, (off_t)to->n);
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

/* ---- a run ---- */

/* What became of a child that sent no document. */
static void doc_of_failure(bool killed, int wait, struct doc *d)
{
    int sig = WIFSIGNALED(wait) ? WTERMSIG(wait) : 0;

    *d = (struct doc){.outcome = EXTRACT_CRASHED,
                      .note = STR("The file made its reader fail"),
                      .extractor_version = EXTRACTOR_VERSION};
    if (killed || sig == SIGXCPU) {
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

static rc run_finish(struct asked *k, struct arena *out, struct doc *d,
                     struct err *e)
{
    struct status s = {0};
    struct buf stream = {0};
    int wait;
    bool good = false;
    rc code = asked_wait(k, &s, e);

    wait = s.ends[0].wait;
    if (code == RC_OK && s.sys != 0)
        code = err_errno(e, RC_BUSY, s.sys, "cannot start an extraction");
    if (code == RC_OK && WIFEXITED(wait) &&
        WEXITSTATUS(wait) == CHILD_EXIT_UNLOCKED)
        code = err_set(e, RC_BUSY, "cannot lock the reader of a document in");
    if (code == RC_OK && s.n > 0 && WIFEXITED(wait) && WEXITSTATUS(wait) == 0)
        code = extract_copy(k->output, STREAM_BYTES_MAX, &stream, e);
    if (code == RC_OK)
        good = doc_decode(buf_str(&stream), out, d, NULL) == RC_OK;
    if (code == RC_OK && !good) {
        doc_of_failure(k->killed, wait, d);
        if (d->outcome == EXTRACT_CRASHED)
            (void)atomic_fetch_add(&k->x->crashes, 1);
    }
    buf_close(&stream);
    return code;
}

static rc run_whole(struct extractor *x, const struct extract_in *in, int input,
                    struct arena *out, struct doc *d, struct err *e)
{
    struct asked k = {.x = x, .input = input};
    rc code;

    k.rq.kind = REQUEST_RUN;
    k.rq.cpu_s_max = in->cpu_s_max == 0 ? CPU_S_DEFAULT : in->cpu_s_max;
    k.rq.said = extract_said(in);
    k.wall_ns = extract_wall_ns(k.rq.cpu_s_max, in->wall_ms_max);
    code = asked_begin(&k, e);
    if (code == RC_OK)
        code = run_finish(&k, out, d, e);
    asked_end(&k);
    return code;
}

static rc refuse(struct doc *d, enum extract_outcome outcome, str note)
{
    d->outcome = outcome;
    d->note = note;
    return RC_OK;
}

static rc run_alone(struct extractor *x, const struct extract_in *in,
                    struct arena *out, struct doc *d, struct err *e)
{
    int input = -1;
    str why;
    rc code = RC_OK;

    if (extract_refused(x, &why))
        return refuse(d, EXTRACT_UNSUPPORTED, why);
    if (in->fd < 0 && in->bytes.n > INPUT_BYTES_MAX)
        return refuse(d, EXTRACT_LIMIT, extract_too_long());
    if (in->fd < 0)
        code = extract_memory_file(in->bytes, &input, e);
    if (code == RC_OK)
        code = run_whole(x, in, in->fd < 0 ? input : in->fd, out, d, e);
    shut(&input);
    return code;
}

extract_plan *extract_plan_for(const struct extract_in *in)
{
    char head[HEAD_BYTES];
    ssize_t n;

    if (in->plain)
        return NULL;
    if (in->fd < 0)
        return extract_plan_of(str_sub(in->bytes, 0, HEAD_BYTES));
    n = pread(in->fd, head, sizeof head, 0); /* what fails, fails again */
    return n <= 0 ? NULL : extract_plan_of((str){head, (size_t)n});
}

rc extract_run(struct extractor *x, const struct extract_in *in,
               struct arena *out, struct doc *d, struct err *e)
{
    extract_plan *plan = extract_plan_for(in);

    *d = (struct doc){.extractor_version = EXTRACTOR_VERSION};
    return plan != NULL ? plan(x, in, out, d, e) : run_alone(x, in, out, d, e);
}
