/* The nanny: makes the walls ready, and a zygote whenever there is none. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/limits.h"
#include "extract/child_priv.h"

#define FACTS_FD 4
/* A zygote that dies at once is made again ever more slowly. */
#define PAUSE_MS_MIN 1
#define PAUSE_MS_MAX 1000
/* One that lived so long did not die at once. */
#define LIVED_S 5

/* ---- walls ---- */

/* Where a program of this name is. */
static void program_find(const char *name, char path[PROGRAM_PATH_MAX])
{
    static const char *const FOLDERS[] = {"/usr/local/bin", "/usr/bin", "/bin"};

    for (size_t i = 0; i < NELEMS(FOLDERS); i++) {
        int n =
            strchr(name, '/') != NULL
                ? snprintf(path, PROGRAM_PATH_MAX, "%s", name)
                : snprintf(path, PROGRAM_PATH_MAX, "%s/%s", FOLDERS[i], name);

        if (n > 0 && n < PROGRAM_PATH_MAX && access(path, X_OK) == 0)
            return;
    }
    path[0] = '\0';
}

/* Cuts a path down to the folder it stands in. */
static const char *folder_of(char *path)
{
    char *slash = strrchr(path, '/');

    ASSERT(slash != NULL); /* realpath's */
    *slash = '\0';
    return path;
}

/* The loader, and the folder it stands in, which holds the libraries. */
static bool allow_libraries(int rules)
{
    static const char *const LOADERS[] = {
        "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
        "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"};

    for (size_t i = 0; i < NELEMS(LOADERS); i++) {
        char *real = realpath(LOADERS[i], NULL);
        bool good =
            real == NULL ||
            (sandbox_rules_allow(rules, real,
                                 SANDBOX_READ_FILES | SANDBOX_EXECUTE) &&
             sandbox_rules_allow(rules, folder_of(real), SANDBOX_READ_FILES));

        free(real);
        if (!good)
            return false;
    }
    return sandbox_rules_allow(rules, "/etc/ld.so.cache", SANDBOX_READ_FILES);
}

static bool allow_program(int rules, const struct program_row *row,
                          const struct program *p)
{
    bool good = p->path[0] == '\0' ||
                (allow_libraries(rules) &&
                 sandbox_rules_allow(rules, p->path,
                                     SANDBOX_READ_FILES | SANDBOX_EXECUTE));

    for (size_t i = 0; good && i < PROGRAM_READS_MAX && row->reads[i] != NULL;
         i++)
        good = sandbox_rules_allow(rules, row->reads[i],
                                   SANDBOX_READ_FILES | SANDBOX_LIST_FOLDERS);
    return good;
}

/* All rules or none: half a wall would be said to be one. */
static bool rules_make(struct walls *w, const struct program_row *rows)
{
    bool good;

    w->reader_rules = sandbox_rules_open();
    w->zygote_rules = sandbox_rules_open();
    good = w->reader_rules >= 0 && w->zygote_rules >= 0;
    for (size_t i = 0; good && i < w->programs_n; i++) {
        ASSERT(rows != NULL);
        w->programs[i].rules = sandbox_rules_open();
        good = w->programs[i].rules >= 0 &&
               allow_program(w->programs[i].rules, &rows[i], &w->programs[i]) &&
               allow_program(w->zygote_rules, &rows[i], &w->programs[i]);
    }
    return good;
}

void walls_make(struct walls *w, const struct program_row *rows)
{
    while (rows != NULL && rows[w->programs_n].name != NULL) {
        struct program *p = &w->programs[w->programs_n];

        ASSERT(w->programs_n < PROGRAM_ROWS_MAX);
        program_find(rows[w->programs_n].name, p->path);
        sandbox_filter_make(SANDBOX_PROGRAM | rows[w->programs_n].calls,
                            &p->filter);
        w->programs_n++;
    }
    sandbox_filter_make(SANDBOX_READER, &w->reader);
    sandbox_filter_make(SANDBOX_FORKER, &w->zygote);
    if (sandbox_has_seccomp())
        w->there |= SANDBOX_SECCOMP;
    if (rules_make(w, rows))
        w->there |= SANDBOX_LANDLOCK;
}

/* ---- the zygote ---- */

/* Documents are what should be killed when memory runs out: not the server, and
 * not the nanny, whom nobody makes again. */
static void killed_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, "500", 3);
        (void)close(fd);
    }
}

static void facts_send(const struct walls *w)
{
    struct zygote_facts facts = {.walls = w->there};

    (void)!write(FACTS_FD, &facts, sizeof facts);
    (void)close(FACTS_FD);
}

/* In the zygote's process. */
static _Noreturn void zygote_begin(const struct zygote_work *work,
                                   struct walls *w, unsigned namespaces)
{
    bool good = true;

    killed_first();
    w->there |= namespaces;
    if (sandbox_user_drop())
        w->there |= SANDBOX_NOT_ROOT;
    /* Changing the user has taken it off. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!sandbox_no_privileges())
        w->there &= ~(unsigned)SANDBOX_NEEDED;
    if ((w->there & SANDBOX_LANDLOCK) != 0)
        good = sandbox_rules_enter(w->zygote_rules);
    if (!good)
        w->there &= ~(unsigned)SANDBOX_LANDLOCK;
    facts_send(w);
    zygote_main(work, w);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static time_t now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* ---- the nanny ---- */

/* Keeps standard error for what an assert says, the socket and the pipe. */
static void descriptors_keep(int fd, int facts)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int far = fcntl(fd, F_DUPFD_CLOEXEC, FACTS_FD + 1);
    int far_facts = fcntl(facts, F_DUPFD_CLOEXEC, FACTS_FD + 1);

    if (null < 0 || far < 0 || far_facts < 0 || dup2(null, 0) < 0 ||
        dup2(null, 1) < 0 || dup3(far, ZYGOTE_FD, O_CLOEXEC) < 0 ||
        dup3(far_facts, FACTS_FD, O_CLOEXEC) < 0 ||
        close_range(FACTS_FD + 1, ~0u, 0) != 0)
        _exit(1);
}

static void signals_set(void)
{
    sigset_t none;

    /* The server's handlers are none of a child's. */
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    /* A signal to the whole group is the server's to answer. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static int by_byte(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* What libraries ask the system once and keep: a reader that is locked in would
 * die of the question. At its first sort of more than a kilobyte the C library
 * wants to know how much memory there is; at its first object jansson opens
 * /dev/urandom for the seed of its hashes. */
static void libraries_ask(void)
{
    static uint8_t bytes[2048];

    qsort(bytes, NELEMS(bytes), 1, by_byte);
    json_object_seed(0);
}

static _Noreturn void nanny_main(const struct zygote_work *work, int fd,
                                 int facts, pid_t server)
{
    static struct walls w;
    long ms = PAUSE_MS_MIN;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "knowd-nanny");
    (void)setpriority(PRIO_PROCESS, 0, READING_NICENESS);
    if (getppid() != server || chdir("/") != 0)
        _exit(1);
    signals_set();
    descriptors_keep(fd, facts);
    libraries_ask();
    walls_make(&w, work->programs);
    for (;;) {
        unsigned namespaces = SANDBOX_NAMESPACES;
        time_t began = now_s();
        int wait = 0;
        pid_t pid = sandbox_fork(&namespaces);

        if (pid == 0)
            zygote_begin(work, &w, namespaces);
        (void)close(FACTS_FD); /* only the first says them */
        if (pid > 0 && waitpid(pid, &wait, 0) == pid && WIFEXITED(wait))
            _exit(WEXITSTATUS(wait)); /* the server has gone */
        ms = now_s() - began >= LIVED_S ? PAUSE_MS_MIN : ms * 2;
        ms = ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : ms;
        pause_ms(ms);
    }
}

static rc facts_take(int fd, struct zygote_facts *facts, struct err *e)
{
    ssize_t n;

    do
        n = read(fd, facts, sizeof *facts);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *facts)
        return err_set(e, RC_IO, "the extraction process does not start");
    return RC_OK;
}

rc zygote_fork(const struct zygote_work *work, pid_t *nanny, int *fd,
               struct zygote_facts *facts, struct err *e)
{
    pid_t self = getpid();
    int pair[2], pipe_fds[2];
    rc code;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(e, RC_IO, errno, "cannot make a socket pair");
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        return err_errno(e, RC_IO, errno, "cannot make a pipe");
    }
    *nanny = fork();
    if (*nanny == 0)
        nanny_main(work, pair[1], pipe_fds[1], self);
    (void)close(pair[1]);
    (void)close(pipe_fds[1]);
    if (*nanny < 0)
        code = err_errno(e, RC_IO, errno, "cannot fork the extraction process");
    else
        code = facts_take(pipe_fds[0], facts, e);
    (void)close(pipe_fds[0]);
    if (code != RC_OK)
        (void)close(pair[0]);
    *fd = pair[0];
    return code;
}
