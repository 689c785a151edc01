/* child: what the zygote and the processes it forks share: the walls that were
 * made ready for them, and what a child does. */
#ifndef EXTRACT_CHILD_PRIV_H
#define EXTRACT_CHILD_PRIV_H

#include "base/sandbox.h"
#include "extract/zygote.h"

/* Where a reader finds its two. A program has them on 0 and 1. */
#define CHILD_INPUT_FD 3
#define CHILD_OUTPUT_FD 4
/* Where the zygote has the socket. */
#define ZYGOTE_FD 3

#define PROGRAM_PATH_MAX 256
struct program {
    char path[PROGRAM_PATH_MAX]; /* empty: it is not installed */
    struct sandbox_filter filter;
    int rules; /* -1: there is no Landlock here */
};

/* Made once, by the nanny. */
struct walls {
    unsigned there; /* of enum sandbox_wall */
    struct sandbox_filter reader, zygote;
    int reader_rules, zygote_rules; /* -1: as above */
    struct program programs[PROGRAM_ROWS_MAX];
    size_t programs_n;
};
void walls_make(struct walls *w, const struct program_row *programs);

/* The loop of the zygote, in its process. */
_Noreturn void zygote_main(const struct zygote_work *work,
                           const struct walls *walls);

struct child {
    const struct zygote_work *work;
    const struct walls *walls;
    const struct request *rq;
    pid_t zygote;
    int input, output, messages; /* messages: programs only */
    size_t stage;                /* of a job: which process of the chain */
    const struct program *program;
};
/* In a child's process. */
_Noreturn void child_main(const struct child *c);

#endif
