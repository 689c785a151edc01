/*
 * io: the one seam through which every disk call, clock, wait, random byte and
 * large allocation goes, so that a test can fail the k-th call, end the process
 * at it, or record it.
 *
 * A plan comes from the environment variable KNOWD_FAULT when the process
 * starts (tests only; unset costs one load and one branch a call):
 *
 *   exit@K            _exit(137) instead of the K-th counted call (1-based)
 *   fail@K:EIO        the K-th counted call fails with that errno, once;
 *                     SHORT in its place: a pread or pwrite does half of it
 *   fail@K:EIO:sticky it and every later one fails
 *   …:times=N         it and the next N-1 fail
 *   …:fsync,pwrite    only calls of these kinds are counted; `write` and
 *                     `read` name the kinds that do and do not change a disk
 *   …:path=knowd.db   only calls on paths that contain this text are counted
 *   count=FILE        at exit, writes how many calls were counted
 *   record=FILE       appends each write-class call (kind, path, offset, bytes)
 *
 * Several are joined by `;`; K 0 never comes, so that `exit@0:write;count=F`
 * only counts; of two faults the last holds. A plan that can't be read ends the process with status 2.
 *
 * Owns:    nothing; file descriptors belong to the caller.
 * Errors:  each function returns like the system call it stands for (-1 and
 *          errno), so that SQLite's VFS can use it too; the rc layer is
 *          base/file.h.
 * Threads: any; the counter is atomic.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"

enum io_kind {
    IO_OPEN,
    IO_PREAD,
    IO_PWRITE,
    IO_FSYNC,
    IO_FTRUNCATE,
    IO_RENAME,
    IO_UNLINK,
    IO_MKDIR,
    IO_LINK,
    IO_MMAP,
    IO_ALLOC,
    IO_KIND_COUNT
};

void io_plan_from_env(void); /* once, first thing in main */
/* The same from a text, for unit tests; NULL: none. A call of another thread
 * that is under way still has the plan before. One thread sets plans. */
void io_plan_set(const char *plan);
uint64_t io_plan_count(void); /* calls counted since the plan was set */

/* The gate every wrapper passes: 0 to go on, or the errno the plan wants.
 * May end the process. `path` names the file (may be NULL). The VFS of store/
 * calls it for each method before it hands on to the system's own VFS. */
int io_gate(enum io_kind kind, const char *path);
/* For record=: what a write-class call that passed the gate is about to do.
 * One record, little endian:
 *
 *   u32 kind | u32 path bytes | u64 offset | u64 bytes | path | bytes
 *
 * open (only where it makes or empties a file): offset holds the flags;
 * ftruncate: offset is the new size; rename and link: bytes are the new path.
 * Records stand in the order in which the calls passed. */
void io_record(enum io_kind kind, const char *path, uint64_t offset,
               const void *bytes, size_t n);

int io_open(const char *path, int flags, mode_t mode); /* adds O_CLOEXEC */
int io_close(int fd);
ssize_t io_pread(int fd, const char *path, void *to, size_t n, uint64_t at);
ssize_t io_pwrite(int fd, const char *path, const void *from, size_t n,
                  uint64_t at);
int io_fsync(int fd, const char *path); /* fdatasync for files */
int io_fsync_dir(const char *dir);
int io_ftruncate(int fd, const char *path, uint64_t size);
int io_rename(const char *from, const char *to);
int io_link(const char *from, const char *to);
int io_unlink(const char *path);
int io_mkdir(const char *path, mode_t mode);
/* Read-only shared mapping of the whole file; MAP_FAILED on failure. */
void *io_mmap(int fd, const char *path, size_t n);

#endif
