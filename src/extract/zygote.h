/*
 * zygote: the small single-threaded process that forks a child for each run.
 *
 * It is forked from the server before there are threads, closes all that it
 * inherits but its end of a SOCK_SEQPACKET pair, and reads requests from it. A
 * run's child gets two descriptors, input and output, both files; a session's
 * gets one socket as both, and serves small documents until it is closed. How
 * a child ended goes to a third, the status pipe, once it is reaped. The zygote
 * ends when the server's end is closed and is killed when the server is; its
 * children end with it.
 */
#ifndef EXTRACT_ZYGOTE_H
#define EXTRACT_ZYGOTE_H

#include <sys/types.h>

#include "doc/doc.h"

/* What a child does: reads `input`, ends with an extraction stream in `to`. It
 * is single-threaded, opens no file and starts no process. */
typedef rc extract_work(str input, str filename, struct arena *arena,
                        struct buf *to, struct err *e);

/* Input of more is not read: UTF-16 takes twice what its UTF-8 does. */
#define INPUT_BYTES_MAX (2 * TEXT_BYTES_MAX + 4)
#define STREAM_BYTES_MAX (TEXT_BYTES_MAX + 16 * MIB)

/* Heap and anonymous mappings of a child; all of its address space. */
#define CHILD_DATA_BYTES_MAX (384 * MIB)
#define CHILD_SPACE_BYTES_MAX (1024 * MIB)
#define RUNS_MAX 128 /* children at a time */

enum request_kind { REQUEST_RUN, REQUEST_SESSION, REQUEST_KILL };

/* One packet. A run and a session come with three descriptors: input, output,
 * status. */
struct request {
    uint32_t kind;
    uint32_t cpu_s_max;
    uint64_t run; /* a number of the server's */
    uint32_t filename_n;
    char filename[FILENAME_BYTES_MAX + 1];
};

/* What comes through the status pipe, once. */
struct status {
    int32_t wait; /* of waitpid */
    int32_t sys;  /* not 0: there was no child, errno of the fork */
};

/* What a session is asked, and its answer; both are followed by their bytes. */
struct session_request {
    uint32_t bytes_n;
    uint32_t filename_n;
    char filename[FILENAME_BYTES_MAX + 1];
};
struct session_answer {
    uint64_t stream_n;
};

/* Of one document of a session. Larger ones get children of their own. */
#define SESSION_BYTES_MAX (64 * KIB)

#define CHILD_EXIT_NOMEM 2 /* of a child that ran out of memory */

/* Forks the zygote; *fd is the server's end. */
rc zygote_fork(extract_work *work, pid_t *pid, int *fd,
               struct err *e) MUST_CHECK;

#endif
