/*
 * wait: until jobs have ended.
 *
 * Errors:  RC_TIMEOUT  nothing moved for WAIT_STALL_MS; the jobs go on
 *          else client.h's
 */
#ifndef CLI_WAIT_H
#define CLI_WAIT_H

#include "cli/client.h"

#define WAIT_STALL_MS (15 * 60 * 1000)

struct job_wait {
    const char *const *ids;
    size_t ids_n;
    bool refined;       /* for vectors too; else being found by words will do */
    uint64_t documents; /* of all jobs, for the progress bar; 0: unknown */
    uint64_t failed;    /* set: documents that failed */
    uint64_t duplicate; /* set: that were there already */
};
rc wait_jobs(struct client *c, struct arena *out, struct job_wait *w,
             struct err *e) MUST_CHECK;

#endif
