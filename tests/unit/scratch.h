/* scratch: a fresh folder for a test, and paths in it. Use as setup and
 * teardown of a group: *state is the folder's path. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int scratch_open(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[256];

    (void)snprintf(path, sizeof path, "%s/knowd-unit-XXXXXX",
                   base == NULL ? "/tmp" : base);
    *state = mkdtemp(path) == NULL ? NULL : strdup(path);
    return *state == NULL;
}

static inline int scratch_drop_one(const char *path, const struct stat *st,
                                   int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline int scratch_close(void **state)
{
    int code = nftw(*state, scratch_drop_one, 8, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return code;
}

/* folder/name; good until the eighth call from now. */
static inline const char *scratch_path(void **state, const char *name)
{
    static char paths[8][512];
    static unsigned turn;
    char *to = paths[turn++ % 8];

    (void)snprintf(to, sizeof paths[0], "%s/%s", (const char *)*state, name);
    return to;
}

#endif
