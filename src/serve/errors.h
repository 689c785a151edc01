/*
 * errors: what went wrong, in the words of a dialect. One list of rc and
 * faults is rendered per dialect; Feather's has two shapes: 422
 * {"detail":[…]} for faults, else {"error","message","retryable",
 * "retry_after"}.
 */
#ifndef SERVE_ERRORS_H
#define SERVE_ERRORS_H

#include "serve/route.h"

/* Replaces whatever the reply held. fs may be NULL. */
void reply_error(struct reply *r, struct arena *a, rc code, const struct err *e,
                 const struct faults *fs);

#endif
