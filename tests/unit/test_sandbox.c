/* Escape probes (S14): an evil parser tries from inside a child what a parser
 * that was taken over would, and none of it works: as root, as a plain user,
 * and where no namespaces can be made. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "extract/child_priv.h"
#include "extract/extract_priv.h"

/* ---- probes ---- */

/* Each tries one way out and returns true if it worked. Most never return.
 * Process 1 is the zygote, or where there are no namespaces init; it is only
 * asked for, so that a hole found does no harm. */
typedef bool probe_fn(void);
#define SOMEBODY 1

static bool opens(const char *path, int flags)
{
    return syscall(SYS_openat, AT_FDCWD, path, flags, 0600) >= 0;
}

static bool open_passwd(void)
{
    return opens("/etc/passwd", O_RDONLY);
}

static bool open_shadow(void)
{
    return opens("/etc/shadow", O_RDONLY);
}

static bool list_folder(void)
{
    return opens("/", O_RDONLY | O_DIRECTORY);
}

static bool write_file(void)
{
    return opens("/tmp/knowd-escaped", O_WRONLY | O_CREAT);
}

static bool open_path(void)
{
    return opens("/etc", O_PATH);
}

static bool open_memory_of_self(void)
{
    return opens("/proc/self/mem", O_RDWR);
}

static bool open_memory_of_parent(void)
{
    return opens("/proc/1/mem", O_RDWR);
}

static bool open_parents_files(void)
{
    return opens("/proc/1/root/etc/passwd", O_RDONLY);
}

static bool open_old_way(void)
{
#ifdef SYS_open
    return syscall(SYS_open, "/etc/passwd", O_RDONLY) >= 0;
#else
    return opens("/etc/passwd", O_RDONLY);
#endif
}

static bool open_through_input(void)
{
    return opens("/proc/self/fd/3", O_RDWR);
}

static bool stat_file(void)
{
    struct stat st;

    return fstatat(AT_FDCWD, "/etc/passwd", &st, 0) == 0;
}

static bool unlink_file(void)
{
    return unlinkat(AT_FDCWD, "/tmp/knowd-escape-target", 0) == 0;
}

static bool make_folder(void)
{
    return mkdirat(AT_FDCWD, "/tmp/knowd-escaped-folder", 0700) == 0;
}

static bool change_mode(void)
{
    return fchmod(CHILD_OUTPUT_FD, 0777) == 0;
}

static bool connect_out(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(9),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd >= 0 &&
           (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ||
            errno == ECONNREFUSED);
}

static bool bind_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

static bool connect_unix(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)connect(fd, (const struct sockaddr *)&to, sizeof to);
    return fd >= 0;
}

static bool netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}

static bool raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool socket_pair(void)
{
    int fds[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0;
}

static bool run_shell(void)
{
    char sh[] = "/bin/sh", c[] = "-c", what[] = "exit 0";
    char *argv[] = {sh, c, what, NULL}, *env[] = {NULL};

    (void)execve(sh, argv, env);
    return false; /* it would have exited 0 without a document */
}

static bool run_memory_file(void)
{
    char name[] = "x";
    char *argv[] = {name, NULL}, *env[] = {NULL};

    (void)syscall(SYS_execveat, CHILD_OUTPUT_FD, "", argv, env, AT_EMPTY_PATH);
    return false;
}

static bool make_memory_file(void)
{
    return memfd_create("x", 0) >= 0;
}

static bool fork_once(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) >= 0;
}

static bool fork_bomb(void)
{
    bool any = false;

    for (int i = 0; i < 100; i++)
        any = fork() >= 0 || any;
    return any;
}

static void *nothing(void *arg)
{
    return arg;
}

static bool start_thread(void)
{
    pthread_t t;

    return pthread_create(&t, NULL, nothing, NULL) == 0;
}

static bool trace_parent(void)
{
    return ptrace(PTRACE_SEIZE, SOMEBODY, NULL, NULL) == 0;
}

static bool read_parent(void)
{
    char here[8];
    struct iovec to = {here, sizeof here}, from = {here, sizeof here};

    return syscall(SYS_process_vm_readv, SOMEBODY, &to, 1, &from, 1, 0) >= 0;
}

static bool kill_parent(void)
{
    return kill(SOMEBODY, 0) == 0;
}

static bool kill_all(void)
{
    return kill(-1, 0) == 0;
}

static bool signal_flood(void)
{
    bool any = false;

    for (int i = 0; i < 100000; i++)
        any = kill(SOMEBODY, 0) == 0 || any;
    return any;
}

static bool limits_raised(void)
{
    return setrlimit(RLIMIT_CPU, &(struct rlimit){1000, 1000}) == 0;
}

static bool core_wanted(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool parent_death_undone(void)
{
    return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0;
}

static bool io_uring(void)
{
    static char params[256];

    return syscall(SYS_io_uring_setup, 8, params) >= 0;
}

static bool user_fault(void)
{
    return syscall(SYS_userfaultfd, 0) >= 0;
}

static bool bpf(void)
{
    static char attr[128];

    return syscall(SYS_bpf, 0, attr, sizeof attr) >= 0;
}

static bool perf(void)
{
    static char attr[128];

    return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0) >= 0;
}

static bool key_ring(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING,
                   0) >= 0;
}

static bool new_user_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}

static bool mount_something(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool change_root(void)
{
    return chroot("/tmp") == 0;
}

static bool become_root(void)
{
    return setresuid(0, 0, 0) == 0;
}

static bool pidfd_of_parent(void)
{
    return syscall(SYS_pidfd_open, SOMEBODY, 0) >= 0;
}

static bool shared_memory(void)
{
    return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) >= 0;
}

static bool code_written(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool code_made_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool four_gigabytes(void)
{
    return mmap(NULL, (size_t)4 << 30, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool million_descriptors(void)
{
    size_t n = 0;

    for (int i = 0; i < 1000000; i++)
        n += dup(CHILD_OUTPUT_FD) >= 0;
    return n > 0;
}

static bool other_calls(void)
{
#if defined(__x86_64__)
    /* the same kernel by the numbers of 32 bit: getpid */
    long got;

    __asm__ volatile("int $0x80" : "=a"(got) : "a"(20L) : "memory");
    return got > 0;
#else
    return syscall(SYS_getpid) > 0;
#endif
}

static bool x32_calls(void)
{
    return syscall(0x40000000L | SYS_getpid) > 0;
}

static bool filter_loosened(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == 0;
}

static bool flood_of_output(void)
{
    static char block[65536];

    for (int i = 0; i < 100000; i++)
        (void)!write(CHILD_OUTPUT_FD, block, sizeof block);
    return true;
}

static bool endless_loop(void)
{
    for (volatile int i = 0;; i = (i + 1) & 1)
        if (i < 0)
            return false;
}

static bool eaten_memory(void)
{
    size_t n = 0;

    for (int i = 0; i < 4096; i++) {
        void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            break;
        memset(p, 1, 1 << 20);
        n++;
    }
    return n > 1024;
}

static bool deep_recursion(void)
{
    static volatile unsigned depth;
    volatile char frame[65536];

    frame[0] = 1;
    return ++depth == 0 || (deep_recursion() && frame[0] == 1);
}

/* How a probe ends; DENIED is a document that says it got nowhere. */
enum end { KILLED, DENIED, LIMITED, CRASHED };
static const struct probe {
    const char *name;
    probe_fn *run;
    enum end end;
} PROBES[] = {
#define PROBE(f, e) \
    {               \
#f, f, e    \
    }
    PROBE(open_passwd, KILLED),
    PROBE(open_shadow, KILLED),
    PROBE(list_folder, KILLED),
    PROBE(write_file, KILLED),
    PROBE(open_path, KILLED),
    PROBE(open_memory_of_self, KILLED),
    PROBE(open_memory_of_parent, KILLED),
    PROBE(open_parents_files, KILLED),
    PROBE(open_old_way, KILLED),
    PROBE(open_through_input, KILLED),
    PROBE(stat_file, KILLED),
    PROBE(unlink_file, KILLED),
    PROBE(make_folder, KILLED),
    PROBE(change_mode, KILLED),
    PROBE(connect_out, KILLED),
    PROBE(bind_port, KILLED),
    PROBE(connect_unix, KILLED),
    PROBE(netlink, KILLED),
    PROBE(raw_socket, KILLED),
    PROBE(socket_pair, KILLED),
    PROBE(run_shell, KILLED),
    PROBE(run_memory_file, KILLED),
    PROBE(make_memory_file, KILLED),
    PROBE(fork_once, KILLED),
    PROBE(fork_bomb, KILLED),
    PROBE(start_thread, KILLED),
    PROBE(trace_parent, KILLED),
    PROBE(read_parent, KILLED),
    PROBE(kill_parent, KILLED),
    PROBE(kill_all, KILLED),
    PROBE(signal_flood, KILLED),
    PROBE(limits_raised, KILLED),
    PROBE(core_wanted, KILLED),
    PROBE(parent_death_undone, KILLED),
    PROBE(io_uring, KILLED),
    PROBE(user_fault, KILLED),
    PROBE(bpf, KILLED),
    PROBE(perf, KILLED),
    PROBE(key_ring, KILLED),
    PROBE(new_user_namespace, KILLED),
    PROBE(mount_something, KILLED),
    PROBE(change_root, KILLED),
    PROBE(become_root, KILLED),
    PROBE(pidfd_of_parent, KILLED),
    PROBE(shared_memory, KILLED),
    PROBE(code_written, KILLED),
    PROBE(code_made_executable, KILLED),
    PROBE(other_calls, KILLED),
    PROBE(x32_calls, KILLED),
    PROBE(filter_loosened, KILLED),
    PROBE(million_descriptors, KILLED),
    PROBE(four_gigabytes, DENIED),
    PROBE(eaten_memory, DENIED),
    PROBE(deep_recursion, CRASHED),
    PROBE(flood_of_output, LIMITED),
    PROBE(endless_loop, LIMITED),
};
#define PROBES_WANTED 56
_Static_assert(NELEMS(PROBES) == PROBES_WANTED, "a probe was lost");

static const char *volatile NOWHERE;

/* From inside a helper program, which may open its libraries. */
static bool run_other_program(void)
{
    return run_shell() || errno != EACCES;
}

static bool flood_of_messages(void)
{
    static char block[65536];

    for (int i = 0; i < 1000; i++)
        (void)!write(STDERR_FILENO, block, sizeof block);
    return false;
}

static const struct probe PROGRAM_PROBES[] = {
    PROBE(open_passwd, DENIED),
    PROBE(open_shadow, DENIED),
    PROBE(list_folder, DENIED),
    PROBE(write_file, DENIED),
    PROBE(open_memory_of_self, DENIED),
    PROBE(open_memory_of_parent, DENIED),
    PROBE(open_parents_files, DENIED),
    PROBE(run_other_program, DENIED),
    PROBE(run_memory_file, KILLED),
    PROBE(connect_out, KILLED),
    PROBE(bind_port, KILLED),
    PROBE(connect_unix, KILLED),
    PROBE(fork_once, KILLED),
    PROBE(fork_bomb, KILLED),
    PROBE(start_thread, KILLED),
    PROBE(trace_parent, KILLED),
    PROBE(kill_parent, KILLED),
    PROBE(kill_all, KILLED),
    PROBE(limits_raised, KILLED),
    PROBE(core_wanted, KILLED),
    PROBE(parent_death_undone, KILLED),
    PROBE(io_uring, KILLED),
    PROBE(bpf, KILLED),
    PROBE(key_ring, KILLED),
    PROBE(new_user_namespace, KILLED),
    PROBE(mount_something, KILLED),
    PROBE(become_root, KILLED),
    PROBE(other_calls, KILLED),
    PROBE(x32_calls, KILLED),
    PROBE(million_descriptors, KILLED),
    PROBE(four_gigabytes, DENIED),
    PROBE(flood_of_messages, DENIED),
    PROBE(deep_recursion, CRASHED),
    PROBE(endless_loop, LIMITED),
};

/* This program, started by a job. */
static int evil_program(const char *which)
{
    uint64_t i;

    if (!str_to_u64(str_of(which), NELEMS(PROGRAM_PROBES) - 1, &i))
        return 1;
    (void)puts(PROGRAM_PROBES[i].run() ? "escaped" : "denied");
    return fflush(stdout) == 0 ? 0 : 1;
}

/* What the evil parser is asked to do; anything else is read as text. */
static rc evil(str input, struct said said, struct arena *arena, struct buf *to,
               struct err *e)
{
    struct doc d;
    uint64_t i;
    rc code;

    (void)said;
    if (str_starts(input, STR("SEGV")))
        (void)raise(SIGSEGV); /* asks for its pid: SIGSYS */
    while (str_starts(input, STR("NULL")))
        (void)*(const volatile char *)NOWHERE;
    if (str_starts(input, STR("PROBE ")) &&
        str_to_u64(str_sub(input, 6, input.n), NELEMS(PROBES) - 1, &i))
        input = PROBES[i].run() ? STR("escaped") : STR("denied");
    code = extract_bytes(input, (struct said){.filename = STR("a.txt")}, arena,
                         &d, e);
    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

/* ---- trying them ---- */

/* What a try of all probes says to the test, from its process. */
struct tried {
    unsigned ran, wrong, walls;
    char what[200];
};

static void blame(struct tried *t, const char *name, const char *why)
{
    t->wrong++;
    (void)snprintf(t->what, sizeof t->what, "%s: %s", name, why);
}

/* How the child of this input ended, by its own status. */
static bool ended(struct extractor *x, str input, struct status *s)
{
    struct asked k = {.x = x, .wall_ns = extract_wall_ns(1, 0)};
    int fd = -1;
    bool good;

    k.rq.kind = REQUEST_RUN;
    k.rq.cpu_s_max = 1;
    good = extract_memory_file(input, &fd, NULL) == RC_OK;
    k.input = fd;
    good = good && asked_begin(&k, NULL) == RC_OK &&
           asked_wait(&k, s, NULL) == RC_OK && s->n == 1;
    asked_end(&k);
    (void)close(fd);
    return good;
}

static void try_one(struct extractor *x, size_t i, struct arena *a,
                    struct tried *t)
{
    const struct probe *p = &PROBES[i];
    struct extract_in in = {
        .fd = -1, .bytes = arena_fmt(a, "PROBE %zu", i), .cpu_s_max = 1};
    struct status s;
    struct doc d;
    int sig;

    if (!ended(x, in.bytes, &s) || extract_run(x, &in, a, &d, NULL) != RC_OK) {
        blame(t, p->name, "the zygote has died");
        return;
    }
    sig = WIFSIGNALED(s.ends[0].wait) ? WTERMSIG(s.ends[0].wait) : 0;
    switch (p->end) {
    case KILLED:
        if (sig != SIGSYS || d.outcome != EXTRACT_CRASHED)
            blame(t, p->name, "not killed by SIGSYS");
        break;
    case DENIED:
        if (sig != 0 || !str_eq(d.text, STR("denied")))
            blame(t, p->name, "not denied");
        break;
    case LIMITED:
        if (d.outcome != EXTRACT_LIMIT)
            blame(t, p->name, "no limit");
        break;
    case CRASHED:
        if (sig != SIGSEGV || d.outcome != EXTRACT_CRASHED)
            blame(t, p->name, "no crash");
        break;
    }
    in.bytes = STR("a neighbour");
    if (extract_run(x, &in, a, &d, NULL) != RC_OK || !str_eq(d.text, in.bytes))
        blame(t, p->name, "the next document is not read");
    t->ran++;
}

static void try_all(struct tried *t)
{
    struct arena *a = arena_open();
    struct extractor *x;

    if (extract_start_with(evil, &x, NULL) != RC_OK) {
        blame(t, "start", "failed");
        return;
    }
    t->walls = extract_walls(x);
    for (size_t i = 0; i < NELEMS(PROBES); i++)
        try_one(x, i, a, t);
    if (access("/tmp/knowd-escaped", F_OK) == 0 ||
        access("/tmp/knowd-escaped-folder", F_OK) == 0)
        blame(t, "files", "one was made");
    extract_stop(x);
    arena_close(a);
}

#define NOBODY 65534

static void become_nobody(void)
{
    if (setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        _exit(3);
}

/* As a kernel, or a container, that lets nobody make namespaces. */
static void namespaces_refused(void)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {NELEMS(code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(3);
}

/* In a process of its own, which first becomes what is asked. */
static struct tried try_in(void (*first)(void), void (*second)(void))
{
    struct tried t = {0};
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (first != NULL)
            first();
        if (second != NULL)
            second();
        try_all(&t);
        (void)!write(fds[1], &t, sizeof t);
        _exit(0);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &t, sizeof t), (ssize_t)sizeof t);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return t;
}

static void assert_denied(const struct tried *t, unsigned walls)
{
    if (t->wrong > 0)
        fail_msg("%u wrong, the last: %s", t->wrong, t->what);
    assert_int_equal(t->ran, PROBES_WANTED);
    assert_int_equal(t->walls & walls, walls);
    print_message("%u probes, none got out; walls %#x\n", t->ran, t->walls);
}

static void skip_without_walls(void)
{
    const char *why =
        SANDBOX_SANITIZED ? "a sanitizer's runtime needs calls that a reader "
                            "may not make"
        : !sandbox_has_seccomp()      ? "this kernel has no seccomp"
        : sandbox_landlock_abi() == 0 ? "this kernel has no Landlock"
                                      : NULL;

    if (why == NULL)
        return;
    print_message("SKIPPED: %s\n", why);
    skip();
}

static void skip_unless_root(void)
{
    if (geteuid() == 0)
        return;
    print_message("SKIPPED: wants root\n");
    skip();
}

static void no_probe_gets_out_as_it_is(void **state)
{
    struct tried t;

    (void)state;
    skip_without_walls();
    t = try_in(NULL, NULL);
    assert_denied(&t, SANDBOX_NEEDED | SANDBOX_NOT_ROOT);
}

static void no_probe_gets_out_as_a_plain_user(void **state)
{
    struct tried t;

    (void)state;
    skip_without_walls();
    skip_unless_root();
    t = try_in(become_nobody, NULL);
    assert_denied(&t, SANDBOX_NEEDED | SANDBOX_NOT_ROOT);
}

static void no_probe_gets_out_without_namespaces(void **state)
{
    struct tried t;

    (void)state;
    skip_without_walls();
    t = try_in(namespaces_refused, NULL);
    assert_denied(&t, SANDBOX_NEEDED | SANDBOX_NOT_ROOT);
    assert_int_equal(t.walls & SANDBOX_NAMESPACES, 0);
    skip_unless_root();
    t = try_in(become_nobody, namespaces_refused);
    assert_denied(&t, SANDBOX_NEEDED | SANDBOX_NOT_ROOT);
    assert_int_equal(t.walls & SANDBOX_NAMESPACES, 0);
}

/* ---- programs ---- */

static struct job_result program_try(struct extractor *x, struct arena *a,
                                     unsigned i)
{
    const struct job_opts o = {.kind = 0, .fd = -1, .params = {.first = i}};
    struct job_result r = {0};
    struct job *j;

    assert_int_equal(job_begin(x, &o, &j, NULL), RC_OK);
    assert_int_equal(job_wait(j, a, &r, NULL), RC_OK);
    job_close(j);
    if (r.end == JOB_ABSENT) {
        print_message("SKIPPED: nobody may not start this program\n");
        skip();
    }
    return r;
}

static bool program_contained(const struct job_result *r, enum end end)
{
    bool denied =
        r->end == JOB_OK && str_eq(buf_str(&r->bytes), STR("denied\n"));

    switch (end) {
    case KILLED:
    case CRASHED:
        return r->end == JOB_CRASHED;
    case DENIED:
        return denied;
    case LIMITED:
        return r->end == JOB_LIMIT;
    }
    return false;
}

static void no_probe_gets_out_of_a_program(void **state)
{
    static char self[PROGRAM_PATH_MAX];
    static struct program_row rows[] = {{self, "none", 0, {NULL}},
                                        {NULL, NULL, 0, {NULL}}};
    static struct job_row jobs[] = {{.argv = {{self, "evil", "@first"}},
                                     .cpu_s_max = 1,
                                     .memory_bytes_max = 512 * MIB,
                                     .result_bytes_max = MIB}};
    const struct zygote_work work = {.run = evil,
                                     .session = evil,
                                     .jobs = jobs,
                                     .jobs_n = NELEMS(jobs),
                                     .programs = rows};
    struct extractor *x;
    struct arena *a;

    (void)state;
    skip_without_walls();
    a = arena_open();
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    assert_int_equal(extract_start_work(&work, &x, NULL), RC_OK);
    for (unsigned i = 0; i < NELEMS(PROGRAM_PROBES); i++) {
        struct job_result r = program_try(x, a, i);

        if (!program_contained(&r, PROGRAM_PROBES[i].end))
            fail_msg("%s: end %d, " STR_FMT, PROGRAM_PROBES[i].name, (int)r.end,
                     STR_ARG(buf_str(&r.bytes)));
        assert_true(r.messages.n <= JOB_MESSAGES_BYTES_MAX);
        buf_close(&r.bytes);
    }
    print_message("%zu probes of a program, none got out\n",
                  NELEMS(PROGRAM_PROBES));
    extract_stop(x);
    arena_close(a);
}

/* ---- crashes ---- */

struct neighbour {
    struct extractor *x;
    atomic_bool end;
    atomic_uint read, wrong;
};

static void *neighbour_reads(void *arg)
{
    struct neighbour *n = arg;
    struct extract_session *s = extract_session_open(n->x);
    struct arena *a = arena_open();

    while (!atomic_load(&n->end)) {
        struct arena_mark m = arena_mark(a);
        struct extract_in in = {.fd = -1};
        struct doc d;
        bool good;

        in.bytes = arena_fmt(a, "Document %u.", atomic_load(&n->read));
        good = extract_session_run(s, &in, a, &d, NULL) == RC_OK &&
               str_eq(d.text, in.bytes) &&
               extract_run(n->x, &in, a, &d, NULL) == RC_OK &&
               str_eq(d.text, in.bytes);
        (void)atomic_fetch_add(good ? &n->read : &n->wrong, 1);
        arena_rewind(a, m);
    }
    extract_session_close(s);
    arena_close(a);
    return NULL;
}

static void crashes_in_a_row_change_nothing_for_others(void **state)
{
    static const char *const WAYS[] = {"SEGV", "NULL", "PROBE 0"};
    struct arena *a = arena_open();
    struct neighbour n = {0};
    struct extract_figures f;
    pthread_t t;

    (void)state;
    assert_int_equal(extract_start_with(evil, &n.x, NULL), RC_OK);
    assert_int_equal(pthread_create(&t, NULL, neighbour_reads, &n), 0);
    for (size_t i = 0; i < 500; i++) {
        struct extract_in in = {.fd = -1,
                                .bytes = str_of(WAYS[i % NELEMS(WAYS)])};
        struct doc d;

        assert_int_equal(extract_run(n.x, &in, a, &d, NULL), RC_OK);
        if (!SANDBOX_SANITIZED || i % NELEMS(WAYS) < 2)
            assert_int_equal(d.outcome, EXTRACT_CRASHED);
    }
    atomic_store(&n.end, true);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(n.wrong, 0);
    assert_true(n.read > 0);
    extract_figures(n.x, &f);
    assert_int_equal(f.running, 0);
    if (!SANDBOX_SANITIZED)
        assert_int_equal(f.crashes, 500);
    extract_stop(n.x);
    arena_close(a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_probe_gets_out_as_it_is),
        cmocka_unit_test(no_probe_gets_out_as_a_plain_user),
        cmocka_unit_test(no_probe_gets_out_without_namespaces),
        cmocka_unit_test(no_probe_gets_out_of_a_program),
        cmocka_unit_test(crashes_in_a_row_change_nothing_for_others),
    };

    if (argc == 3 && strcmp(argv[1], "evil") == 0)
        return evil_program(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
