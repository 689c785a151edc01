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
    const struct job_row *row;
    struct asked asked; /* its input is ours */
    str refused;        /* why it was not begun; empty: it was */
};

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* ---- beginning ---- */

/* Puts a file behind what *fd holds. */
static rc file_copy(int from, int fd, struct err *e)
{
    struct stat st;
    off_t at = 0;

    if (fstat(from, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot read the original");
    while (at < st.st_size) {
        ssize_t n = sendfile(fd, from, &at, (size_t)(st.st_size - at));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, RC_IO, errno, "cannot copy the original");
        if (n == 0)
            break;
    }
    return RC_OK;
}

rc job_input_append(int from, str bytes, str more, int *fd, struct err *e)
{
    rc code = extract_memory_file(from < 0 ? bytes : STR_NONE, fd, e);

    if (code == RC_OK && from >= 0)
        code = file_copy(from, *fd, e);
    if (code == RC_OK)
        code = extract_memory_put(*fd, more, e);
    if (code == RC_OK && lseek(*fd, 0, SEEK_SET) != 0)
        code = err_errno(e, RC_IO, errno, "cannot rewind a copy");
    if (code != RC_OK)
        shut(fd);
    return code;
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
            code = job_input_append(from, STR_NONE, STR_NONE, fd, e);
    }
    if (o->fd < 0)
        shut(&from);
    return code;
}

static bool language_good(const char *s)
{
    return strspn(s,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+") ==
           strlen(s);
}

rc job_begin(struct extractor *x, const struct job_opts *o, struct job **j,
             struct err *e)
{
    const struct job_row *row;
    struct job *made;
    rc code;

    *j = NULL;
    ASSERT(o->kind < x->work.jobs_n);
    if (!language_good(o->params.language))
        return err_set(e, RC_INVALID, "the language of OCR is not a name");
    row = &x->work.jobs[o->kind];
    made = mem_alloc(sizeof *made);
    *made = (struct job){
        .row = row,
        .asked = {
            .x = x,
            .rq = {.kind = REQUEST_JOB, .job = o->kind, .params = o->params},
            .input = -1,
            .output = -1,
            .messages = -1,
            .status = -1,
            .wall_ns = extract_wall_ns(row->cpu_s_max, o->wall_ms_max)}};
    if (extract_refused(x, &made->refused)) {
        *j = made;
        return RC_OK;
    }
    code = input_open(o, &made->asked.input, e);
    if (code == RC_OK)
        code = asked_begin(&made->asked, e);
    if (code == RC_OK)
        *j = made;
    else
        job_close(made);
    return code;
}

void job_close(struct job *j)
{
    if (j == NULL)
        return;
    if (j->asked.tries > 0) { /* never waited for */
        const struct request rq = {.kind = REQUEST_KILL,
                                   .run = j->asked.rq.run};

        (void)!extract_ask(j->asked.x, &rq, NULL, 0, NULL);
    }
    asked_end(&j->asked);
    shut(&j->asked.input);
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
    ssize_t n = read(j->asked.messages, block, sizeof block);

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

static bool unlocked(const struct status *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (WIFEXITED(s->ends[i].wait) &&
            WEXITSTATUS(s->ends[i].wait) == CHILD_EXIT_UNLOCKED)
            return true;
    }
    return false;
}

/* What came of processes that all were started. */
static rc job_ended(struct job *j, const struct status *s, struct arena *out,
                    struct job_result *r, struct err *e)
{
    figures(s, r);
    if (unlocked(s))
        return err_set(e, RC_BUSY, "cannot lock the reader of a document in");
    if (j->asked.killed)
        end_set(r, JOB_LIMIT, STR("Reading the file took too long"));
    else
        judge(j, s, r, out);
    if (r->end == JOB_CRASHED)
        (void)atomic_fetch_add(&j->asked.x->crashes, 1);
    if (r->end != JOB_OK && r->end != JOB_EXIT)
        return RC_OK;
    return extract_copy(j->asked.output, j->row->result_bytes_max, &r->bytes,
                        e);
}

rc job_wait(struct job *j, struct arena *out, struct job_result *r,
            struct err *e)
{
    struct status s = {0};
    rc code;

    *r = (struct job_result){.bytes = {.bytes_max = j->row->result_bytes_max}};
    if (j->refused.n > 0) {
        end_set(r, JOB_UNSAFE, j->refused);
        return RC_OK;
    }
    code = asked_wait(&j->asked, &s, e);
    if (code == RC_OK)
        r->messages = messages_read(j, out);
    if (code == RC_OK && s.sys == ENOENT) {
        r->stage = s.n;
        judge_program(j, r, CHILD_EXIT_ABSENT, out);
    } else if (code == RC_OK && s.sys != 0) {
        code = err_errno(e, RC_BUSY, s.sys, "cannot start an extraction");
    } else if (code == RC_OK) {
        code = job_ended(j, &s, out, r, e);
    }
    asked_end(&j->asked);
    return code;
}

/* ---- programs ---- */

/* "pdftotext version 22.12.0" and "tesseract 5.3.0": the last word of the
 * first line. */
static str version_in(str said)
{
    str line, rest;
    size_t at;

    (void)str_cut(str_trim(said), '\n', &line, &rest);
    line = str_trim(line);
    for (at = line.n; at > 0 && line.p[at - 1] != ' ';)
        at--;
    return str_sub(line, at, line.n);
}

rc extract_programs(struct extractor *x, struct arena *out,
                    struct extract_program **list, size_t *n, struct err *e)
{
    struct extract_program *all =
        ARENA_ARRAY(out, struct extract_program, PROGRAM_ROWS_MAX);
    rc code = RC_OK;

    ASSERT(x->work.jobs == JOBS);
    *list = all;
    for (*n = 0; PROGRAMS[*n].name != NULL && code == RC_OK; (*n)++) {
        const struct job_opts o = {.kind = JOB_VERSIONS + (unsigned)*n,
                                   .fd = -1};
        struct job_result r = {0};
        struct job *j;

        code = job_begin(x, &o, &j, e);
        if (code == RC_OK)
            code = job_wait(j, out, &r, e);
        all[*n] = (struct extract_program){.name = PROGRAMS[*n].name,
                                           .package = PROGRAMS[*n].package};
        if (code == RC_OK && r.end == JOB_OK)
            all[*n].version =
                arena_str(out, version_in(r.bytes.n > 0 ? buf_str(&r.bytes)
                                                        : r.messages));
        buf_close(&r.bytes);
        job_close(j);
    }
    return code;
}
