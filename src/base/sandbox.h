/*
 * sandbox: walls around a process: system calls (seccomp), files and TCP
 * (Landlock), namespaces. Thin: it wraps what the kernel offers, so that the
 * one who forks can make everything ready once and a child pays two calls.
 *
 * Filters let a list of system calls pass and kill the process at any other
 * (SIGSYS). Rulesets deny everything on the file system, TCP, and signals and
 * abstract sockets beyond the domain, as far as the kernel knows them, but for
 * what was allowed by path.
 *
 * Threads: the calls work on the calling thread alone (and what it forks):
 *          single-threaded processes.
 * Errors:  false: the kernel lacks it or refused; errno says why.
 * Source:  Documentation/userspace-api/landlock.rst and seccomp_filter.rst of
 *          Linux.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <linux/filter.h>
#include <sys/types.h>

#include "base/str.h"

/* Whether this build runs under a sanitizer, whose runtime needs more calls
 * and all the address space. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#if __has_feature(thread_sanitizer)
#define SANDBOX_THREADED 1 /* a thread of its runtime is always there */
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif
#ifndef SANDBOX_THREADED
#define SANDBOX_THREADED 0
#endif

/* ---- what there is ---- */

enum sandbox_wall {
    SANDBOX_SECCOMP = 1u << 0,
    SANDBOX_LANDLOCK = 1u << 1,
    SANDBOX_NOT_ROOT = 1u << 2, /* a user of no rights of its own */
    SANDBOX_PID_NS = 1u << 3,
    SANDBOX_NET_NS = 1u << 4,
    SANDBOX_IPC_NS = 1u << 5,
    SANDBOX_UTS_NS = 1u << 6,
};
#define SANDBOX_NAMESPACES \
    (SANDBOX_PID_NS | SANDBOX_NET_NS | SANDBOX_IPC_NS | SANDBOX_UTS_NS)
/* Without these nothing from outside is read, unless that is allowed. */
#define SANDBOX_NEEDED (SANDBOX_SECCOMP | SANDBOX_LANDLOCK)
#define SANDBOX_WALLS_MAX 7
/* "seccomp", …; by bit number. */
extern const char *const SANDBOX_WALL_NAMES[SANDBOX_WALLS_MAX];

int sandbox_landlock_abi(void); /* 0: none */
bool sandbox_has_seccomp(void);

/* ---- system calls ---- */

/* Which lists of calls a filter lets pass; they add up. */
enum sandbox_calls {
    SANDBOX_READER = 1u << 0,  /* memory, read and write what is open */
    SANDBOX_PROGRAM = 1u << 1, /* start a program, load its libraries */
    SANDBOX_FONTS = 1u << 2,   /* look for fonts */
    SANDBOX_MACHINE = 1u << 3, /* ask how large the machine is */
    SANDBOX_FORKER = 1u << 4,  /* start children and lock them in */
};
#define SANDBOX_CODE_MAX 192
struct sandbox_filter {
    struct sock_filter code[SANDBOX_CODE_MAX];
    unsigned short n;
};
void sandbox_filter_make(unsigned calls, struct sandbox_filter *f);
/* For good; needs sandbox_no_privileges first. */
bool sandbox_filter_set(const struct sandbox_filter *f) MUST_CHECK;

/* ---- files ---- */

enum sandbox_access {
    SANDBOX_READ_FILES = 1u << 0,
    SANDBOX_LIST_FOLDERS = 1u << 1,
    SANDBOX_EXECUTE = 1u << 2,
};
/* A descriptor, closed by close(2); -1: no Landlock here. */
int sandbox_rules_open(void);
/* This file, or all below this folder. One that does not exist is no rule. */
bool sandbox_rules_allow(int rules, const char *path,
                         unsigned access) MUST_CHECK;
/* For good; needs sandbox_no_privileges first. */
bool sandbox_rules_enter(int rules) MUST_CHECK;

/* ---- privileges and namespaces ---- */

/* No program started from here on has more rights than its starter, none can
 * be looked into by others of its user, none leaves a core. */
bool sandbox_no_privileges(void) MUST_CHECK;
/* Forks into namespaces of its own, those of *walls that are allowed here; on
 * return *walls holds those the new process has. Like fork(2). */
pid_t sandbox_fork(unsigned *walls);
/* In the new process: root becomes nobody, and capabilities are gone. False:
 * it is still root. */
bool sandbox_user_drop(void);

#endif
