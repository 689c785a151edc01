/*
 * lines: the lines of a file, one at a time, in bounded memory.
 *
 * Owns:    a line is borrowed until the next one.
 * Errors:  RC_IO  the file can't be read
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "base/buf.h"

struct lines {
    int fd;
    const char *path;
    size_t line_bytes_max;
    uint64_t at; /* bytes read so far */
    struct buf held;
    size_t from; /* of held: where the next line begins */
    bool ended;
    unsigned number; /* of the line given last, from 1 */
};
rc lines_open(struct lines *l, const char *path, size_t line_bytes_max,
              struct err *e) MUST_CHECK;
void lines_close(struct lines *l); /* a zeroed one is fine */
/* *more false: the end. *too_long: the line was over the bound and is gone. */
rc lines_next(struct lines *l, str *line, bool *too_long, bool *more,
              struct err *e) MUST_CHECK;

#endif
