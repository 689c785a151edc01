#include "extract/child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "extract/extract_priv.h"

/* What a failed assertion or a sanitizer says is for those who debug; else a
 * reader has no way to write into the server's log. */
#if SANDBOX_SANITIZED || defined(SLOW_CHECKS)
#define STDERR_KEPT 1
#else
#define STDERR_KEPT 0
#endif

/* Of a program: shared libraries, fonts and its three. */
#define PROGRAM_FDS_MAX 64
#define PROGRAM_STACK_BYTES_MAX (64 * MIB)
#define ARG_BYTES_MAX (JOB_LANGUAGE_BYTES_MAX + 1)

/* ---- what every child does first ---- */

static rlim_t lower(rlim_t a, rlim_t b)
{
    return a < b ? a : b; /* none is the largest number */
}

/* Never above what the server itself was started with. */
static void limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit l;

    if (getrlimit((__rlimit_resource_t)what, &l) != 0)
        _exit(CHILD_EXIT_TROUBLE);
    l = (struct rlimit){lower(soft, l.rlim_max), lower(hard, l.rlim_max)};
    if (setrlimit((__rlimit_resource_t)what, &l) != 0)
        _exit(CHILD_EXIT_TROUBLE);
}

static void limits_set(uint32_t cpu_s_max, size_t written_bytes_max)
{
    /* At the soft limit the signal tells why; the hard one can't be missed. */
    limit(RLIMIT_CPU, cpu_s_max, cpu_s_max + 1);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_FSIZE, written_bytes_max, written_bytes_max);
}

static void limits_set_reader(void)
{
    if (!SANDBOX_SANITIZED) {
        limit(RLIMIT_DATA, CHILD_DATA_BYTES_MAX, CHILD_DATA_BYTES_MAX);
        limit(RLIMIT_AS, CHILD_SPACE_BYTES_MAX, CHILD_SPACE_BYTES_MAX);
    }
    limit(RLIMIT_NOFILE, CHILD_OUTPUT_FD + 1, CHILD_OUTPUT_FD + 1);
}

static void limits_set_program(const struct job_row *row)
{
    limit(RLIMIT_AS, row->memory_bytes_max, row->memory_bytes_max);
    limit(RLIMIT_STACK, PROGRAM_STACK_BYTES_MAX, PROGRAM_STACK_BYTES_MAX);
    limit(RLIMIT_NOFILE, PROGRAM_FDS_MAX, PROGRAM_FDS_MAX);
}

/* Puts from[i] at base + i and closes all behind them. */
static void descriptors_place(const int *from, int n, int base)
{
    int away[3];

    /* Out of the way of those places first. */
    for (int i = 0; i < n; i++) {
        away[i] = fcntl(from[i], F_DUPFD, base + n);
        if (away[i] < 0)
            _exit(CHILD_EXIT_TROUBLE);
    }
    for (int i = 0; i < n; i++) {
        if (dup2(away[i], base + i) < 0)
            _exit(CHILD_EXIT_TROUBLE);
    }
    if (close_range((unsigned)(base + n), ~0u, 0) != 0)
        _exit(CHILD_EXIT_TROUBLE);
}

static void enter(const struct walls *w, int rules)
{
    if ((w->there & SANDBOX_LANDLOCK) != 0 && !sandbox_rules_enter(rules))
        _exit(CHILD_EXIT_UNLOCKED);
}

static void filter(const struct walls *w, const struct sandbox_filter *f)
{
    if ((w->there & SANDBOX_SECCOMP) != 0 && !sandbox_filter_set(f))
        _exit(CHILD_EXIT_UNLOCKED);
}

static void signals_free(void)
{
    sigset_t none;

    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* ---- readers ---- */

/* Asked before the filter is set: it lets nobody ask about files. */
static uint64_t input_bytes(void)
{
    struct stat st;

    if (fstat(CHILD_INPUT_FD, &st) != 0 || st.st_size < 0)
        _exit(CHILD_EXIT_TROUBLE);
    return (uint64_t)st.st_size;
}

static str read_input(size_t size)
{
    char *bytes = mem_alloc(size + 1);
    size_t n = 0;

    while (n < size) {
        ssize_t got = pread(CHILD_INPUT_FD, bytes + n, size - n, (off_t)n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            _exit(CHILD_EXIT_TROUBLE);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (str){bytes, n};
}

static void write_all(str s)
{
    while (s.n > 0) {
        ssize_t n = write(CHILD_OUTPUT_FD, s.p, s.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(CHILD_EXIT_TROUBLE);
        s = str_sub(s, (size_t)n, s.n);
    }
}

static _Noreturn void child_work(extract_work *work, uint64_t size,
                                 struct said said)
{
    struct doc too_long = {.outcome = EXTRACT_LIMIT,
                           .note = extract_too_long(),
                           .extractor_version = EXTRACTOR_VERSION};
    struct arena *a = arena_open();
    struct buf to;
    rc code;

    buf_open(&to, STREAM_BYTES_MAX);
    if (size > INPUT_BYTES_MAX)
        code = doc_encode(&too_long, &to, NULL);
    else
        code = work(read_input((size_t)size), said, a, &to, NULL);
    if (code != RC_OK)
        _exit(code == RC_NOMEM ? CHILD_EXIT_NOMEM : CHILD_EXIT_TROUBLE);
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
            _exit(CHILD_EXIT_TROUBLE);
        if (got == 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* What a session is asked at once. */
struct ask {
    struct session_request rq;
    struct session_head heads[SESSION_AHEAD_MAX];
    struct said said[SESSION_AHEAD_MAX]; /* of heads */
    char bytes[SESSION_AHEAD_BYTES_MAX];
};

/* False: there is nothing more to do. */
static bool ask_take(struct ask *q)
{
    uint64_t bytes_n = 0;

    if (!session_take(&q->rq, sizeof q->rq))
        return false;
    if (q->rq.docs_n == 0 || q->rq.docs_n > SESSION_AHEAD_MAX ||
        !session_take(q->heads, q->rq.docs_n * sizeof *q->heads))
        _exit(CHILD_EXIT_TROUBLE);
    for (uint32_t i = 0; i < q->rq.docs_n; i++) {
        if (!said_take(&q->heads[i].said, &q->said[i]))
            _exit(CHILD_EXIT_TROUBLE);
        bytes_n += q->heads[i].bytes_n;
    }
    if (bytes_n != q->rq.bytes_n || bytes_n > sizeof q->bytes ||
        !session_take(q->bytes, q->rq.bytes_n))
        _exit(CHILD_EXIT_TROUBLE);
    return true;
}

/* One document after the other. Whatever goes wrong ends the session: the
 * server tries the documents again, one at a time. */
static _Noreturn void child_session(extract_work *work)
{
    struct arena *a = arena_open();
    struct arena_mark empty = arena_mark(a);
    struct ask *q = mem_alloc(sizeof *q);
    struct buf to;

    buf_open(&to, sizeof(struct session_answer) + SESSION_ANSWER_BYTES +
                      STREAM_BYTES_MAX);
    while (ask_take(q)) {
        struct session_answer answer = {0};
        const char *at = q->bytes;

        /* In one piece, so that the server wakes once for it. */
        to.n = 0;
        buf_put(&to, (str){(const char *)&answer, sizeof answer});
        while (answer.docs_n < q->rq.docs_n && to.n < SESSION_ANSWER_BYTES) {
            const struct session_head *h = &q->heads[answer.docs_n];
            size_t before = to.n;
            rc code = work((str){at, h->bytes_n}, q->said[answer.docs_n], a,
                           &to, NULL);

            if (code == RC_UNSUPPORTED)
                to.n = before;
            else if (code != RC_OK || buf_end(&to, NULL) != RC_OK)
                _exit(CHILD_EXIT_TROUBLE);
            answer.streams_n[answer.docs_n++] =
                code == RC_OK ? to.n - before : SESSION_NOT_HERE;
            at += h->bytes_n;
            arena_rewind(a, empty);
        }
        answer.bytes_n = to.n - sizeof answer;
        memcpy(to.p, &answer, sizeof answer);
        write_all(buf_str(&to));
    }
    _exit(0);
}

/* ---- jobs ---- */

struct job_in job_in_of(str bytes)
{
    return (struct job_in){.fd = -1, .bytes = bytes, .n_max = SIZE_MAX};
}

size_t job_read(struct job_in *in, void *to, size_t n)
{
    size_t done = 0;

    if (in->fd < 0) {
        str s = str_sub(in->bytes, in->n, n);

        if (s.n > 0)
            memcpy(to, s.p, s.n);
        in->n += s.n;
        return s.n;
    }
    while (done < n) {
        ssize_t got = read(in->fd, (char *)to + done, n - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            _exit(CHILD_EXIT_TROUBLE);
        if (got == 0)
            break;
        done += (size_t)got;
        in->n += (size_t)got;
        if (in->n > in->n_max)
            _exit(CHILD_EXIT_LIMIT);
    }
    return done;
}

rc job_read_all(struct job_in *in, struct arena *out, str *bytes, struct err *e)
{
    struct buf all = {0};
    size_t got;
    rc code;

    do {
        char *to = buf_reserve(&all, 64 * KIB);

        got = to == NULL ? 0 : job_read(in, to, 64 * KIB);
        all.n += got;
    } while (got == 64 * KIB);
    code = buf_end(&all, e);
    if (code == RC_OK)
        *bytes = arena_str(out, buf_str(&all));
    buf_close(&all);
    return code;
}

static _Noreturn void child_reader(const struct job_row *row,
                                   const struct job_params *p)
{
    struct job_in in = {.fd = CHILD_INPUT_FD, .n_max = row->pipe_bytes_max};
    struct arena *a = arena_open();
    struct buf to;
    rc code;

    buf_open(&to, row->result_bytes_max);
    code = row->work(&in, p, a, &to, NULL);
    if (code == RC_OK)
        code = buf_end(&to, NULL);
    if (code == RC_NOMEM)
        _exit(CHILD_EXIT_NOMEM);
    if (code == RC_LIMIT)
        _exit(CHILD_EXIT_LIMIT);
    if (code != RC_OK)
        _exit(CHILD_EXIT_READ + (int)code);
    write_all(buf_str(&to));
    _exit(0);
}

/* The input by a name, if there is /proc and the walls let this child open it:
 * poppler copies what it reads from "-", and each byte of a page through two
 * calls more, a tenth of its time. */
static const char *input_name(void)
{
    static const char NAME[] = "/proc/self/fd/0";
    int fd = open(NAME, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return "-";
    (void)close(fd);
    return NAME;
}

/* What a word of the template stands for. */
static char *argument(const char *word, const struct job_params *p,
                      char space[ARG_BYTES_MAX])
{
    const struct {
        const char *word;
        uint32_t value;
    } NUMBERS[] = {{"@first", p->first}, {"@last", p->last}, {"@dpi", p->dpi}};

    for (size_t i = 0; i < NELEMS(NUMBERS); i++) {
        if (strcmp(word, NUMBERS[i].word) == 0) {
            (void)snprintf(space, ARG_BYTES_MAX, "%u", NUMBERS[i].value);
            return space;
        }
    }
    if (strcmp(word, "@input") == 0)
        return mem_unconst(input_name());
    if (strcmp(word, "@language") == 0) {
        (void)snprintf(space, ARG_BYTES_MAX, "%s",
                       p->language[0] == '\0' ? "eng" : p->language);
        return space;
    }
    return mem_unconst(word);
}

static _Noreturn void child_program(const struct child *c,
                                    const struct job_row *row)
{
    static char locale[] = "LC_ALL=C.UTF-8", home[] = "HOME=/nonexistent";
    /* three times faster than with threads */
    static char threads[] = "OMP_THREAD_LIMIT=1";
    /* Poppler makes and frees millions of small things: 2 to 6 % of its time. */
    static char malloc_keeps[] =
        "GLIBC_TUNABLES=glibc.malloc.tcache_count=10000";
    char *env[] = {locale, home, threads, malloc_keeps, NULL};
    static char space[JOB_ARGS_MAX][ARG_BYTES_MAX];
    char *argv[JOB_ARGS_MAX + 1] = {NULL};

    for (size_t i = 0; i < JOB_ARGS_MAX && row->argv[c->stage][i] != NULL; i++)
        argv[i] = argument(row->argv[c->stage][i], &c->rq->params, space[i]);
    (void)execve(c->program->path, argv, env);
    _exit(CHILD_EXIT_ABSENT);
}

/* ---- the order of things ---- */

static _Noreturn void program_main(const struct child *c,
                                   const struct job_row *row)
{
    enter(c->walls, c->program->rules);
    descriptors_place((int[]){c->input, c->output, c->messages}, 3, 0);
    limits_set(row->cpu_s_max, row->result_bytes_max);
    limits_set_program(row);
    filter(c->walls, &c->program->filter);
    child_program(c, row);
}

static _Noreturn void reader_main(const struct child *c,
                                  const struct job_row *row)
{
    const struct request *rq = c->rq;
    struct said said;
    uint64_t size = 0;

    enter(c->walls, c->walls->reader_rules);
    descriptors_place((int[]){c->input, c->output}, 2, CHILD_INPUT_FD);
    if (!STDERR_KEPT && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        _exit(CHILD_EXIT_TROUBLE);
    limits_set(row == NULL ? rq->cpu_s_max : row->cpu_s_max, STREAM_BYTES_MAX);
    limits_set_reader();
    if (rq->kind == REQUEST_RUN)
        size = input_bytes();
    filter(c->walls, &c->walls->reader);
    /* The rest is parsing. */
    if (row != NULL)
        child_reader(row, &rq->params);
    if (rq->kind == REQUEST_SESSION)
        child_session(c->work->session);
    if (!said_take(&rq->said, &said))
        _exit(CHILD_EXIT_TROUBLE);
    child_work(c->work->run, size, said);
}

_Noreturn void child_main(const struct child *c)
{
    const struct job_row *row =
        c->rq->kind == REQUEST_JOB ? &c->work->jobs[c->rq->job] : NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != c->zygote)
        _exit(CHILD_EXIT_TROUBLE);
    signals_free();
    if (row != NULL && c->stage < job_programs(row))
        program_main(c, row);
    reader_main(c, row);
}
