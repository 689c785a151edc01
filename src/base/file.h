/*
 * file: whole-file work in terms of rc, on the seam of base/io.h.
 *
 * Errors:  RC_NOTFOUND  no such file
 *          RC_NOSPACE   disk or quota full
 *          RC_LIMIT     larger than the caller allows
 *          RC_IO        anything else
 * Threads: any.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* The whole file, NUL behind it. */
rc file_read(const char *path, size_t bytes_max, struct arena *out, str *text,
             struct err *e) MUST_CHECK;
/* temporary file, write, fsync, rename, fsync of the folder */
rc file_write_atomic(const char *path, str bytes, mode_t mode,
                     struct err *e) MUST_CHECK;
/* fsync, rename, fsync of the folder: `from` is durable as `to`. */
rc file_move(const char *from, const char *to, struct err *e) MUST_CHECK;
/* Writes all of it at the offset; short writes are continued. */
rc file_pwrite_all(int fd, const char *path, str bytes, uint64_t at,
                   struct err *e) MUST_CHECK;
/* Reads exactly n bytes; RC_CORRUPT at the end of the file. */
rc file_pread_all(int fd, const char *path, void *to, size_t n, uint64_t at,
                  struct err *e) MUST_CHECK;
rc file_mkdirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;
bool file_exists(const char *path);
rc file_size(const char *path, uint64_t *bytes, struct err *e) MUST_CHECK;
/* Free bytes for this user on the file system that holds path. */
rc file_space_free(const char *path, uint64_t *bytes, struct err *e) MUST_CHECK;

/* A read-only mapping of a whole file; RC_LIMIT: more than FILE_MAPS_MAX at
 * once. A read of a page the disk can't give raises SIGBUS. */
struct file_map {
    const uint8_t *p;
    size_t n;
};
rc file_map(const char *path, struct file_map *m, struct err *e) MUST_CHECK;
void file_unmap(struct file_map *m);
#define FILE_MAPS_MAX 16384
/* From now on (serve's start) a SIGBUS in one of the mappings writes the mapped
 * file's path into the file note_path and ends the process with status 75; the
 * next start reads the note and rebuilds what stood there. */
rc file_map_guard(const char *note_path, struct err *e) MUST_CHECK;

/* Names in a folder (no . and ..), sorted; at most names_max, else RC_LIMIT. */
rc file_list(const char *dir, size_t names_max, struct arena *out, str **names,
             size_t *n, struct err *e) MUST_CHECK;

/* Exclusive lock that dies with the process; RC_BUSY: another holds it. The
 * descriptor is the lock: close it to let go. Children close it at once. */
rc file_lock(const char *path, int *fd, struct err *e) MUST_CHECK;

#endif
