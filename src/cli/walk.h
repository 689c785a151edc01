/*
 * walk: the files that paths of a command line stand for.
 *
 * A file that is named is taken whatever it is: the server says what it makes
 * of it. What a folder holds is sifted: hidden names, links to folders, devices
 * and files that are neither text nor a document (by their extension) are left
 * out, each told to `skip`. Names come in order, so that two walks agree.
 *
 * Owns:    in the arena.
 * Errors:  RC_LIMIT  more than WALK_FILES_MAX files; deeper than
 *                    WALK_DEPTH_MAX is told to `skip`
 * Threads: one.
 */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "base/arena.h"
#include "base/err.h"

#define WALK_FILES_MAX 1000000
#define WALK_DEPTH_MAX 64

struct walk_file {
    const char *path;
    str title; /* the path inside the folder that was named, or the name */
    uint64_t size;
    bool lines; /* .jsonl: a document a line */
};
/* A path left out; wanted: it was named, or can't be read. */
typedef void walk_skip(void *arg, const char *path, const char *reason,
                       bool wanted);
struct walk {
    struct arena *out;
    walk_skip *skip;
    void *arg;
    struct walk_file *v;
    size_t n, cap;
};
rc walk_path(struct walk *w, const char *path, struct err *e) MUST_CHECK;

/* Do these first bytes of a file look like text? whole: they are all of it. */
bool walk_is_text(str head, bool whole);

#endif
