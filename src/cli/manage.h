/*
 * manage: what the commands with verbs (bases, jobs, keys, model) share: lists
 * and small changes on a server.
 */
#ifndef CLI_MANAGE_H
#define CLI_MANAGE_H

#include "cli/cli.h"
#include "cli/client.h"

struct manage {
    struct run *r;
    struct client *c;
    bool json;
};

typedef rc verb_run(struct manage *m, struct err *e);
struct verb {
    const char *name;
    verb_run *run;
    size_t args; /* behind the verb */
};

/* Finds the verb (the first one without arguments) and runs it. */
rc manage_run(struct run *r, const struct verb *verbs, size_t n,
              struct err *e) MUST_CHECK;
/* Foreign text, filled up to a width. */
void manage_cell(str s, size_t width);
/* An id inside a path. */
const char *manage_path(struct manage *m, const char *before, const char *id,
                        const char *after);

#endif
