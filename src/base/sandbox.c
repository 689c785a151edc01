#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

const char *const SANDBOX_WALL_NAMES[SANDBOX_WALLS_MAX] = {
    "seccomp",           "landlock",      "unprivileged",  "pid_namespace",
    "network_namespace", "ipc_namespace", "uts_namespace",
};

/* ---- system calls ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no list of system calls for this machine"
#endif
#define X32_BIT 0x40000000u

/* What is looked at besides the number. */
enum check {
    ANY,
    NOT_EXEC,   /* argument 2 has no PROT_EXEC */
    READ_LIMIT, /* argument 0 and 2 are 0: our own limits, not changed */
    PLAIN_FCNTL,
    NO_NAMESPACE, /* argument 0 has no CLONE_NEW… */
    REFUSED,      /* EACCES, for what libraries try and can do without */
};

#define R SANDBOX_READER
#define P SANDBOX_PROGRAM
#define F SANDBOX_FONTS
#define M SANDBOX_MACHINE
#define K SANDBOX_FORKER
#define SANITIZER (1u << 31)
/* Any process of a sanitized build, until it runs another program: it asks for
 * its signal stack before each call that does not return, and has a thread that
 * looks at the clock. */
#define SANITIZED (1u << 30)
struct call {
    unsigned number;
    unsigned lists; /* of enum sandbox_calls */
    enum check check;
};

/* Of two rows for one call the first counts, the weaker check. pdftotext,
 * pdftoppm and tesseract were watched under strace. */
static const struct call CALLS[] = {
    /* work on memory and on what is open */
    {SYS_read, R | P, ANY},
    {SYS_pread64, R | P, ANY},
    {SYS_write, R | P, ANY},
    {SYS_lseek, R | P, ANY},
    {SYS_brk, R | P, ANY},
    {SYS_mmap, P, ANY}, /* shared libraries */
    {SYS_mmap, R, NOT_EXEC},
    {SYS_mprotect, P, ANY},
    {SYS_mprotect, R, NOT_EXEC},
    {SYS_munmap, R | P, ANY},
    {SYS_mremap, R | P, ANY},
    {SYS_madvise, R | P, ANY},
    {SYS_futex, R | P, ANY},
    {SYS_exit, R | P, ANY},
    {SYS_exit_group, R | P, ANY},
    {SYS_rt_sigreturn, R | P, ANY},
    {SYS_restart_syscall, R | P, ANY},
    {SYS_clock_gettime, R | M, ANY},
    {SYS_getrandom, R | P, ANY},
    /* programs */
    {SYS_execve, P, ANY},
    {SYS_openat, P, ANY},
    {SYS_close, P, ANY},
    {SYS_newfstatat, P, ANY},
    {SYS_fstat, P, ANY},
    {SYS_faccessat, P, ANY},
    {SYS_getdents64, P, ANY},
    {SYS_readlinkat, P, ANY},
    {SYS_prlimit64, K, ANY},
    {SYS_prlimit64, P, READ_LIMIT},
    {SYS_rseq, P, ANY},
    {SYS_sysinfo, P, ANY}, /* qsort asks how much memory there is */
    {SYS_rt_sigaction, P, ANY},
    {SYS_rt_sigprocmask, P, ANY},
    {SYS_set_robust_list, P, ANY},
    {SYS_set_tid_address, P, ANY},
#if defined(__x86_64__)
    {SYS_access, P, ANY},
    {SYS_arch_prctl, P, ANY},
    {SYS_readlink, P, ANY},
#endif
    {SYS_fadvise64, F, ANY},
    {SYS_fstatfs, F, ANY},
    {SYS_fcntl, K, ANY},
    {SYS_fcntl, F | M, PLAIN_FCNTL},
    {SYS_sched_getaffinity, M, ANY},
    /* what tesseract's libraries ask and try when they are loaded */
    {SYS_getuid, M, ANY},
    {SYS_geteuid, M, ANY},
    {SYS_getgid, M, ANY},
    {SYS_getegid, M, ANY},
    {SYS_uname, M, ANY},
    {SYS_ioctl, F | M, REFUSED},
    {SYS_socket, M, REFUSED},
    /* fontconfig would like to write a cache */
    {SYS_mkdirat, F, REFUSED},
    {SYS_linkat, F, REFUSED},
    {SYS_unlinkat, F, REFUSED},
    {SYS_renameat, F, REFUSED},
    {SYS_fchmodat, F, REFUSED},
#if defined(__x86_64__)
    {SYS_mkdir, F, REFUSED},
    {SYS_link, F, REFUSED},
    {SYS_unlink, F, REFUSED},
    {SYS_rename, F, REFUSED},
    {SYS_chmod, F, REFUSED},
#endif
    /* the one who forks, and its children until they are locked in */
    {SYS_clone, K, NO_NAMESPACE},
#ifdef SYS_poll
    {SYS_poll, K, ANY},
#endif
    {SYS_ppoll, K, ANY},
    {SYS_recvmsg, K, ANY},
    {SYS_wait4, K, ANY},
    {SYS_kill, K, ANY},
    {SYS_pipe2, K, ANY},
#ifdef SYS_dup2
    {SYS_dup2, K, ANY},
#endif
    {SYS_dup3, K, ANY},
    {SYS_close_range, K, ANY},
    {SYS_prctl, K, ANY},
    {SYS_getpid, K, ANY},
    {SYS_getppid, K, ANY},
    {SYS_seccomp, K, ANY},
    {SYS_landlock_restrict_self, K, ANY},
    /* the runtimes of the sanitizers, in builds that have one */
    {SYS_sigaltstack, SANITIZER | SANITIZED, ANY},
    {SYS_rt_sigaction, SANITIZER, ANY},
    {SYS_rt_sigprocmask, SANITIZER, ANY},
    {SYS_sched_yield, SANITIZER | SANITIZED, ANY},
    {SYS_gettid, SANITIZER | SANITIZED, ANY},
    {SYS_getpid, SANITIZER | SANITIZED, ANY},
    {SYS_tgkill, SANITIZER, ANY},
    {SYS_clone, SANITIZER, ANY},
    {SYS_clone3, SANITIZER, ANY},
    {SYS_gettimeofday, SANITIZER | SANITIZED, ANY},
    {SYS_set_robust_list, SANITIZER, ANY},
    {SYS_rseq, SANITIZER, ANY},
    {SYS_prctl, SANITIZER, ANY},
    {SYS_openat, SANITIZER, ANY}, /* /proc/self/maps, for its reports */
    {SYS_newfstatat, SANITIZER, ANY},
    {SYS_close, SANITIZER, ANY},
    {SYS_readlink, SANITIZER, ANY},
    {SYS_nanosleep, SANITIZER | SANITIZED, ANY},
    {SYS_clock_nanosleep, SANITIZER | SANITIZED, ANY},
};
#undef R
#undef P
#undef F
#undef M
#undef K

static void put(struct sandbox_filter *f, struct sock_filter line)
{
    ASSERT(f->n < SANDBOX_CODE_MAX);
    f->code[f->n++] = line;
}

#define LOAD(field) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARG(i)                    \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
             offsetof(struct seccomp_data, args) + (i) * sizeof(uint64_t))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IF_EQUAL(v, yes, no) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (v), (yes), (no))
#define IF_ABOVE(v, yes, no) \
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (v), (yes), (no))
#define IF_BITS(v, yes, no) \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (v), (yes), (no))
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)
#define PASS RETURN(SECCOMP_RET_ALLOW)

/* Each returns, so that what stands behind it is the next call's. Only the low
 * half of an argument is looked at: the kernel takes ints there. */
static void put_check(struct sandbox_filter *f, const struct call *c)
{
    static const struct sock_filter NOT_EXEC_CODE[] = {
        LOAD_ARG(2), IF_BITS(PROT_EXEC, 0, 1), KILL, PASS};
    static const struct sock_filter READ_LIMIT_CODE[] = {
        LOAD_ARG(0),
        IF_EQUAL(0, 0, 4),
        LOAD_ARG(2),
        IF_EQUAL(0, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[2]) + sizeof(uint32_t)),
        IF_EQUAL(0, 1, 0),
        KILL,
        PASS};
    static const struct sock_filter FCNTL_CODE[] = {
        LOAD_ARG(1), IF_EQUAL(F_DUPFD_CLOEXEC, 2, 0), IF_ABOVE(F_SETFL, 0, 1),
        KILL, PASS};
    static const struct sock_filter NO_NAMESPACE_CODE[] = {
        LOAD_ARG(0),
        IF_BITS(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
                0, 1),
        KILL, PASS};
    static const struct sock_filter REFUSED_CODE[] = {
        RETURN(SECCOMP_RET_ERRNO | EACCES)};
    static const struct {
        const struct sock_filter *code;
        size_t n;
    } CODE[] = {
        [NOT_EXEC] = {NOT_EXEC_CODE, NELEMS(NOT_EXEC_CODE)},
        [READ_LIMIT] = {READ_LIMIT_CODE, NELEMS(READ_LIMIT_CODE)},
        [PLAIN_FCNTL] = {FCNTL_CODE, NELEMS(FCNTL_CODE)},
        [NO_NAMESPACE] = {NO_NAMESPACE_CODE, NELEMS(NO_NAMESPACE_CODE)},
        [REFUSED] = {REFUSED_CODE, NELEMS(REFUSED_CODE)},
    };

    put(f,
        (struct sock_filter)IF_EQUAL(c->number, 0, (uint8_t)CODE[c->check].n));
    for (size_t i = 0; i < CODE[c->check].n; i++)
        put(f, CODE[c->check].code[i]);
}

static bool call_listed(unsigned number, unsigned lists, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        if (CALLS[i].number == number && (CALLS[i].lists & lists) != 0)
            return true;
    }
    return false;
}

void sandbox_filter_make(unsigned calls, struct sandbox_filter *f)
{
    unsigned lists = calls;

    /* What a filter kills at its children can't allow. */
    if ((calls & SANDBOX_FORKER) != 0)
        lists |=
            SANDBOX_READER | SANDBOX_PROGRAM | SANDBOX_FONTS | SANDBOX_MACHINE;
    /* A program has no sanitizer in it. */
    if (SANDBOX_SANITIZED && (calls & (SANDBOX_READER | SANDBOX_FORKER)) != 0)
        lists |= SANITIZER;
    if (SANDBOX_SANITIZED)
        lists |= SANITIZED;
    f->n = 0;
    put(f, (struct sock_filter)LOAD(arch));
    put(f, (struct sock_filter)IF_EQUAL(ARCH, 1, 0));
    put(f, (struct sock_filter)KILL);
    put(f, (struct sock_filter)LOAD(nr));
#if defined(__x86_64__)
    put(f, (struct sock_filter)IF_BITS(X32_BIT, 0, 1));
    put(f, (struct sock_filter)KILL);
#endif
    for (size_t i = 0; i < NELEMS(CALLS); i++) {
        const struct call *c = &CALLS[i];

        if ((c->lists & lists) == 0 || call_listed(c->number, lists, i))
            continue;
        if (c->check != ANY) {
            put_check(f, c);
        } else {
            put(f, (struct sock_filter)IF_EQUAL(c->number, 0, 1));
            put(f, (struct sock_filter)PASS);
        }
    }
    put(f, (struct sock_filter)KILL);
}

bool sandbox_filter_set(const struct sandbox_filter *f)
{
    struct sock_fprog program = {.len = f->n};
    /* A sanitizer's thread comes along. */
    unsigned flags = SANDBOX_THREADED ? SECCOMP_FILTER_FLAG_TSYNC : 0;

    memcpy(&program.filter, &(const void *){f->code}, sizeof program.filter);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

bool sandbox_has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* ---- files ---- */

/* Newer than the header of Debian 12, which knows version 2. */
struct rules_attr {
    uint64_t files, net, scoped;
};
#define FILE_RIGHTS_1 ((uint64_t)(1u << 13) - 1)
#define FILE_REFER ((uint64_t)1 << 13)    /* since 2 */
#define FILE_TRUNCATE ((uint64_t)1 << 14) /* since 3 */
#define NET_TCP ((uint64_t)3)             /* bind and connect, since 4 */
#define FILE_IOCTL ((uint64_t)1 << 15)    /* since 5 */
#define SCOPED_ALL ((uint64_t)3) /* abstract sockets and signals, since 6 */

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

int sandbox_rules_open(void)
{
    int abi = sandbox_landlock_abi();
    struct rules_attr attr = {.files = FILE_RIGHTS_1};
    size_t size = sizeof attr.files;

    if (abi == 0)
        return -1;
    if (abi >= 2)
        attr.files |= FILE_REFER;
    if (abi >= 3)
        attr.files |= FILE_TRUNCATE;
    if (abi >= 4) {
        attr.net = NET_TCP;
        size = offsetof(struct rules_attr, scoped);
    }
    if (abi >= 5)
        attr.files |= FILE_IOCTL;
    if (abi >= 6) {
        attr.scoped = SCOPED_ALL;
        size = sizeof attr;
    }
    return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

bool sandbox_rules_allow(int rules, const char *path, unsigned access)
{
    struct landlock_path_beneath_attr beneath = {0};
    struct stat st;
    bool good;

    if ((access & SANDBOX_READ_FILES) != 0)
        beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_FILE;
    if ((access & SANDBOX_LIST_FOLDERS) != 0)
        beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    if ((access & SANDBOX_EXECUTE) != 0)
        beneath.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (beneath.parent_fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    if (fstat(beneath.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        beneath.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
    good = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
                   &beneath, 0) == 0;
    (void)close(beneath.parent_fd);
    return good;
}

bool sandbox_rules_enter(int rules)
{
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* ---- privileges and namespaces ---- */

#define NOBODY 65534

bool sandbox_no_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           (SANDBOX_SANITIZED || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static const struct {
    unsigned wall;
    int flag;
} NAMESPACES[] = {
    {SANDBOX_PID_NS, CLONE_NEWPID},
    {SANDBOX_NET_NS, CLONE_NEWNET},
    {SANDBOX_IPC_NS, CLONE_NEWIPC},
    {SANDBOX_UTS_NS, CLONE_NEWUTS},
};

/* Root makes namespaces as it is, others need one of users first. */
static pid_t fork_into(unsigned walls)
{
    int flags = SIGCHLD | (geteuid() == 0 ? 0 : CLONE_NEWUSER);

    for (size_t i = 0; i < NELEMS(NAMESPACES); i++)
        flags |= (walls & NAMESPACES[i].wall) != 0 ? NAMESPACES[i].flag : 0;
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

/* Those kinds that can be made here (/proc/sys/user/max_*), each tried. */
static unsigned namespaces_allowed(unsigned asked)
{
    unsigned found = 0;

    for (size_t i = 0; i < NELEMS(NAMESPACES); i++) {
        pid_t pid = (asked & NAMESPACES[i].wall) == 0
                        ? -1
                        : fork_into(NAMESPACES[i].wall);

        if (pid == 0)
            _exit(0);
        if (pid > 0 && waitpid(pid, NULL, 0) == pid)
            found |= NAMESPACES[i].wall;
    }
    return found;
}

pid_t sandbox_fork(unsigned *walls)
{
    pid_t pid;

    *walls &= SANDBOX_NAMESPACES;
    if (SANDBOX_THREADED) /* it has to see a fork */
        *walls = 0;
    if (*walls == 0)
        return fork();
    pid = fork_into(*walls);
    if (pid >= 0)
        return pid;
    *walls = namespaces_allowed(*walls);
    return *walls == 0 ? fork() : fork_into(*walls);
}

bool sandbox_user_drop(void)
{
    struct __user_cap_header_struct head = {.version =
                                                _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    bool good = true;

    /* In a namespace of users without a map nobody has a number, and root
     * has no rights outside. */
    if (geteuid() == 0) {
        (void)!setgroups(0, NULL);
        good = setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
               setresuid(NOBODY, NOBODY, NOBODY) == 0;
    }
    (void)syscall(SYS_capset, &head, none);
    return good;
}
