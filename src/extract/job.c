#include "extract/job_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "extract/extract_priv.h"

struct job {
    struct extractor *x;
    const struct job_row *row;
    struct request rq;
    struct asked asked;
    /* A file of our own each but the last, our end of a pipe; -1: none. */
    int input, output, messages;
};

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ---- beginning ---- */

static rc copy_file(int from, int *fd, struct err *e)
{
    struct stat st;
    off_t at = 0;
    rc code = extract_memory_file(STR_NONE, fd, e);

    if (code != RC_OK)
        return code;
    if (fstat(from, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot read the original");
    while (at < st.st_size) {
        ssize_t n = sendfile(*fd, from, &at, (size_t)(st.st_size - at));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, RC_IO, errno, "cannot copy the original");
        if (n == 0)
            break;
    }
    if (lseek(*fd, 0, SEEK_SET) != 0)
        return err_errno(e, RC_IO, errno, "cannot rewind a copy");
    return RC_OK;
}

/* The file once more: programs read from where the offset stands, and two jobs
 * that share it would each get half. Opened to be read only. */
static rc input_open(const struct job_opts *o, int *fd, struct err *e)
{
    char path[64];
    int from = o->fd;
    rc code = RC_OK;

    if (from < 0)
        code = extract_memory_file(o->bytes, &from, e);
    if (code == RC_OK) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", from);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
        if (*fd < 0) /* /proc is not mounted */
            code = copy_file(from, fd, e);
    }
    if (o->fd < 0)
        shut(&from);
    return code;
}

/* Programs that say much say the rest to nobody: the pipe takes what it holds,
 * and they don't wait. */
static rc messages_open(int fds[2], struct err *e)
{
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_errno(e, RC_IO, errno, "cannot make a pipe");
    return RC_OK;
}

static bool language_good(const char *s)
{
    return strspn(s,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+") ==
           strlen(s);
}

static rc job_ask(struct job *j, const struct job_opts *o, struct err *e)
{
    int messages[2] = {-1, -1};
    rc code;

    j->asked.deadline_ns =
        clock_mono_ns() + extract_wall_ns(j->row->cpu_s_max, o->wall_ms_max);
    code = messages_open(messages, e);
    j->messages = messages[0];
    if (code == RC_OK)
        code = asked_begin(&j->asked, &j->rq,
                           (int[]){j->input, j->output, messages[1]}, 3, e);
    shut(&messages[1]);
    return code;
}

rc job_begin(struct extractor *x, const struct job_opts *o, struct job **j,
             struct err *e)
{
    struct job *made;
    rc code;

    ASSERT(o->kind < x->work.jobs_n);
    if (!language_good(o->params.language))
        return err_set(e, RC_INVALID, "the language of OCR is not a name");
    made = mem_alloc(sizeof *made);
    *made = (struct job){
        .x = x,
        .row = &x->work.jobs[o->kind],
        .rq = {.kind = REQUEST_JOB, .job = o->kind, .params = o->params},
        .asked = {.x = x, .status = -1},
        .input = -1,
        .output = -1,
        .messages = -1};
    code = input_open(o, &made->input, e);
    if (code == RC_OK)
        code = extract_memory_file(STR_NONE, &made->output, e);
    if (code == RC_OK)
        code = job_ask(made, o, e);
    if (code != RC_OK) {
        job_close(made);
        made = NULL;
    }
    *j = made;
    return code;
}

void job_close(struct job *j)
{
    if (j == NULL)
        return;
    if (j->asked.status >= 0) { /* never waited for */
        const struct request rq = {.kind = REQUEST_KILL, .run = j->asked.id};

        (void)!extract_ask(j->x, &rq, NULL, 0, NULL);
    }
    asked_end(&j->asked);
    shut(&j->input);
    shut(&j->output);
    shut(&j->messages);
    mem_free(j);
}

/* ---- what became of it ---- */

static const char *program_name(const struct job *j, size_t stage)
{
    const char *path = j->row->argv[stage][0], *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static str messages_read(const struct job *j, struct arena *out)
{
    char block[JOB_MESSAGES_BYTES_MAX];
    ssize_t n = read(j->messages, block, sizeof block);

    return n <= 0 ? STR_NONE : arena_str(out, (str){block, (size_t)n});
}

static bool out_of_memory(str messages)
{
    return str_find(messages, STR("bad_alloc")) < messages.n ||
           str_find(messages, STR("Out of memory")) < messages.n;
}

static void end_set(struct job_result *r, enum job_end end, str note)
{
    r->end = end;
    r->note = note;
}

static void judge_signal(struct job_result *r, int sig)
{
    if (sig == SIGXCPU)
        end_set(r, JOB_LIMIT, STR("Reading the file took too long"));
    else if (sig == SIGXFSZ)
        end_set(r, JOB_LIMIT,
                STR("The file unpacks to more than one document may hold"));
    else if (out_of_memory(r->messages))
        end_set(r, JOB_LIMIT, STR("Reading the file takes too much memory"));
    else
        end_set(r, JOB_CRASHED, STR("The file made its reader fail"));
}

static void judge_reader(struct job_result *r, int code)
{
    if (code == CHILD_EXIT_LIMIT)
        end_set(r, JOB_LIMIT,
                STR("The file unpacks to more than one document may hold"));
    else if (code == CHILD_EXIT_NOMEM)
        end_set(r, JOB_LIMIT, STR("Reading the file takes too much memory"));
    else if (code > CHILD_EXIT_READ && code < CHILD_EXIT_READ + RC_COUNT) {
        r->read = (rc)(code - CHILD_EXIT_READ);
        end_set(r, JOB_REFUSED, STR("The file could not be made out"));
    } else {
        end_set(r, JOB_CRASHED, STR("The file made its reader fail"));
    }
}

static void judge_program(const struct job *j, struct job_result *r, int code,
                          struct arena *out)
{
    r->exit_code = code;
    if (code == CHILD_EXIT_ABSENT)
        end_set(
            r, JOB_ABSENT,
            arena_fmt(out, "%s is not installed", program_name(j, r->stage)));
    else if (out_of_memory(r->messages))
        end_set(r, JOB_LIMIT, STR("Reading the file takes too much memory"));
    else
        end_set(r, JOB_EXIT,
                arena_fmt(out, "%s could not read the file",
                          program_name(j, r->stage)));
}

/* The first process that did not end well decides; a program may break off at
 * the pipe (SIGPIPE) when what reads it ended first: then that one decides. */
static void judge(const struct job *j, const struct status *s,
                  struct job_result *r, struct arena *out)
{
    size_t programs = job_programs(j->row);

    for (size_t i = 0; i < s->n && r->end == JOB_OK; i++) {
        int wait = s->ends[i].wait;

        r->stage = (unsigned)i;
        if (WIFSIGNALED(wait) && WTERMSIG(wait) == SIGPIPE && i + 1 < s->n)
            continue;
        if (WIFSIGNALED(wait))
            judge_signal(r, WTERMSIG(wait));
        else if (WEXITSTATUS(wait) != 0 && i >= programs)
            judge_reader(r, WEXITSTATUS(wait));
        else if (WEXITSTATUS(wait) != 0)
            judge_program(j, r, WEXITSTATUS(wait), out);
    }
}

static void figures(const struct status *s, struct job_result *r)
{
    for (size_t i = 0; i < s->n; i++) {
        r->cpu_ms += s->ends[i].cpu_ms;
        if (s->ends[i].memory_bytes > r->memory_bytes)
            r->memory_bytes = s->ends[i].memory_bytes;
    }
}

rc job_wait(struct job *j, struct arena *out, struct job_result *r,
            struct err *e)
{
    struct status s = {0};
    rc code = asked_wait(&j->asked, &s, e);

    *r = (struct job_result){.bytes = {.bytes_max = j->row->result_bytes_max}};
    asked_end(&j->asked);
    if (code != RC_OK)
        return code;
    r->messages = messages_read(j, out);
    figures(&s, r);
    if (s.sys == ENOENT) {
        r->stage = s.n;
        judge_program(j, r, CHILD_EXIT_ABSENT, out);
    } else if (s.sys != 0) {
        return err_errno(e, RC_BUSY, s.sys, "cannot start an extraction");
    } else if (j->asked.killed) {
        end_set(r, JOB_LIMIT, STR("Reading the file took too long"));
    } else {
        judge(j, &s, r, out);
    }
    if (r->end == JOB_CRASHED)
        (void)atomic_fetch_add(&j->x->crashes, 1);
    if (r->end == JOB_OK || r->end == JOB_EXIT)
        code = extract_copy(j->output, j->row->result_bytes_max, &r->bytes, e);
    return code;
}
