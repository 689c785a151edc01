/*
 * errors: what went wrong, in the words of a dialect. One list of rc and
 * faults is rendered per dialect; Feather's has two shapes: 422
 * {"detail":[…]} for faults, else {"error","message","retryable",
 * "retry_after"}. Exec's is in exec_errors.h.
 */
#ifndef SERVE_ERRORS_H
#define SERVE_ERRORS_H

#include "serve/route.h"

/* Replaces whatever the reply held. fs may be NULL. */
void reply_error(struct reply *r, struct arena *a, enum dialect dialect,
                 rc code, const struct err *e, const struct faults *fs);

/* An error on its way into a dialect's shape. */
struct failure {
    unsigned status;
    const char *name; /* the error's own, else the usual one of its status */
    bool named;       /* it is the error's own */
    const char *text;
    bool retryable;
    unsigned retry_s;
};

#endif
