/*
 * zygote: the small single-threaded process that forks a child for each run.
 *
 * A nanny is forked from the server before there are threads. It closes all
 * that it inherits but the far end of a SOCK_SEQPACKET pair, makes the walls
 * ready (base/sandbox.h) and forks the zygote into namespaces of its own,
 * again whenever it dies: requests wait in the socket meanwhile.
 *
 * The zygote reads requests. A run's child gets two descriptors, input and
 * output, both files; a session's gets one socket as both, and serves small
 * documents until it is closed; a job (job_priv.h) is a chain of children. How
 * they ended goes to one more, the status pipe, once all are reaped. It ends
 * when the server's end is closed, and the nanny with it; both are killed when
 * the server is, and the children when the zygote ends.
 */
#ifndef EXTRACT_ZYGOTE_H
#define EXTRACT_ZYGOTE_H

#include <sys/types.h>

#include "doc/doc.h"
#include "extract/extract.h"
#include "extract/job_priv.h"
#include "extract/said.h"

/* What a child does: reads `input`, ends with an extraction stream in `to`. It
 * is single-threaded, opens no file and starts no process. */
typedef rc extract_work(str input, struct said said, struct arena *arena,
                        struct buf *to, struct err *e);

struct zygote_work {
    extract_work *run;
    /* RC_UNSUPPORTED: this one is for a child of its own. */
    extract_work *session;
    const struct job_row *jobs;
    size_t jobs_n; /* at most JOB_ROWS_MAX */
    const struct program_row *programs;
};
#define JOB_ROWS_MAX 32

/* Input of more is not read: UTF-16 takes twice what its UTF-8 does. */
#define INPUT_BYTES_MAX (2 * TEXT_BYTES_MAX + 4)
#define STREAM_BYTES_MAX (TEXT_BYTES_MAX + 16 * MIB)

/* Heap and anonymous mappings of a child; all of its address space. */
#define CHILD_DATA_BYTES_MAX (384 * MIB)
#define CHILD_SPACE_BYTES_MAX (1024 * MIB)
#define RUNS_MAX 128 /* at a time */

enum request_kind { REQUEST_RUN, REQUEST_SESSION, REQUEST_JOB, REQUEST_KILL };

/* One packet. A run and a session come with three descriptors: input, output,
 * status; a job with a fourth, the pipe for what its programs say. */
struct request {
    uint32_t kind;
    uint32_t cpu_s_max;
    uint64_t run; /* a number of the server's */
    uint32_t job; /* index of the row */
    struct job_params params;
    struct said_sent said;
};
enum { FD_INPUT, FD_OUTPUT, FD_STATUS, FD_MESSAGES, FD_COUNT };

/* What comes through the status pipe, once. */
struct process_end {
    int32_t wait; /* of waitpid */
    uint32_t cpu_ms;
    uint64_t memory_bytes; /* the most that was resident */
};
struct status {
    int32_t sys; /* not 0: one could not be started, errno of it */
    uint32_t n;
    struct process_end ends[JOB_STAGES_MAX]; /* in the order of the chain */
};

/* What the first zygote says of itself before it serves. */
struct zygote_facts {
    uint32_t walls; /* of enum sandbox_wall */
};

/* What a session is asked: this, docs_n heads, the documents' bytes, one after
 * the other. */
struct session_request {
    uint32_t docs_n, bytes_n; /* bytes_n: of all */
};
struct session_head {
    uint32_t bytes_n;
    struct said_sent said;
};
/* Its answer: this and the streams. A child may answer fewer documents than it
 * was asked, from the first on, but one. */
struct session_answer {
    uint64_t bytes_n; /* of all streams */
    uint64_t docs_n;
    uint64_t streams_n[SESSION_AHEAD_MAX]; /* bytes of each */
};
#define SESSION_NOT_HERE UINT64_MAX /* for a child of its own */

/* Of those it is asked for at once. */
#define SESSION_AHEAD_BYTES_MAX (512 * KIB)
/* With so many bytes of streams it answers what it has. */
#define SESSION_ANSWER_BYTES (1 * MIB)

/* How a child ends when all is not well: it exits with one of these. */
enum child_exit {
    CHILD_EXIT_TROUBLE = 1,
    CHILD_EXIT_NOMEM = 2,
    CHILD_EXIT_LIMIT = 3,      /* more input or output than it may have */
    CHILD_EXIT_READ = 32,      /* plus the rc of a job's reader */
    CHILD_EXIT_UNLOCKED = 126, /* it could not be locked in */
    CHILD_EXIT_ABSENT = 127,   /* the program could not be started */
};

/* Forks the nanny; *fd is the server's end. `work` lives as long as it. */
rc zygote_fork(const struct zygote_work *work, pid_t *nanny, int *fd,
               struct zygote_facts *facts, struct err *e) MUST_CHECK;

#endif
