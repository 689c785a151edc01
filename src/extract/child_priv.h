/* child: what a process does that the zygote forked: it takes its descriptors,
 * locks itself in and works. Called in the new process only. */
#ifndef EXTRACT_CHILD_PRIV_H
#define EXTRACT_CHILD_PRIV_H

#include "extract/zygote.h"

/* Where a reader finds its two. A program has them on 0 and 1. */
#define CHILD_INPUT_FD 3
#define CHILD_OUTPUT_FD 4

struct program {
    char path[64]; /* empty: it is not installed */
};

struct child {
    const struct zygote_work *work;
    const struct request *rq;
    pid_t zygote;
    int input, output, messages; /* messages: programs only */
    size_t stage;                /* of a job: which process of the chain */
    const struct program *program;
};

/* Where a program of this name is. */
void program_find(const char *name, struct program *to);
_Noreturn void child_main(const struct child *c);

#endif
