/*
 * seg: the container of every index file: named sections, written once, each
 * with its checksum, read through one mapping. Drawn in docs/formats.md.
 *
 *   header (64 bytes: magic, format version, sizes, crc)
 *   sections, each aligned to 64 bytes
 *   table of contents (id, crc32c, offset, size each), trailer
 *
 * A file is complete when its header and trailer agree; it is written to a
 * temporary name (the path and ".tmp": one found at a start is nobody's),
 * fsynced, renamed, and the folder fsynced (seg_writer_end).
 *
 * Owns:    a reader owns its mapping; what seg_find gives lives as long.
 * Errors:  RC_CORRUPT      checksum, bounds or magic wrong: damaged
 *          RC_UNSUPPORTED  written by a newer format
 *          RC_NOTFOUND     no such file
 *          RC_LIMIT        more than SEG_SECTIONS_MAX sections
 * Threads: a writer or verifier belongs to one thread; a reader is shared by
 *          any.
 */
#ifndef BASE_SEG_H
#define BASE_SEG_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/file.h"

#define SEG_SECTIONS_MAX 64

struct seg_writer;
rc seg_writer_open(const char *path, struct seg_writer **w,
                   struct err *e) MUST_CHECK;
/* The same into an empty file that the caller has open and keeps: nothing is
 * fsynced or renamed, and it may have no name. `path` is for messages. */
rc seg_writer_open_on(int fd, const char *path, struct seg_writer **w,
                      struct err *e) MUST_CHECK;
/* From now on putting ends with RC_CANCELLED once this is true, so that a long
 * merge needn't be waited for. Borrowed. */
void seg_writer_cancel_on(struct seg_writer *w, const atomic_bool *cancel);
/* Begins the section `id` (four characters, "DICT"); bytes follow by put. */
rc seg_section(struct seg_writer *w, const char id[4],
               struct err *e) MUST_CHECK;
rc seg_put(struct seg_writer *w, const void *p, size_t n,
           struct err *e) MUST_CHECK;                   /* buffered */
uint64_t seg_section_bytes(const struct seg_writer *w); /* so far, in this one*/
/* Durable under its final name afterwards; *bytes (may be NULL) its size. */
rc seg_writer_end(struct seg_writer *w, uint64_t *bytes,
                  struct err *e) MUST_CHECK;
/* After the end: what seg_digest of the file will say. */
uint64_t seg_writer_digest(const struct seg_writer *w);
/* Frees it; a file not ended is removed. NULL is fine. */
void seg_writer_close(struct seg_writer *w);

struct seg;
/* Maps it and verifies header, table and every section's checksum. */
rc seg_open(const char *path, struct seg **s, struct err *e) MUST_CHECK;
/* The same over bytes that stay the caller's; sums_ignore is for fuzzing,
 * which must get behind the checksums. */
rc seg_open_bytes(str bytes, bool sums_ignore, struct seg **s,
                  struct err *e) MUST_CHECK;
void seg_close(struct seg *s); /* NULL is fine */
/* Empty str: no such section. */
str seg_find(const struct seg *s, const char id[4]);
uint64_t seg_bytes(const struct seg *s);
/* Made of all checksums and sizes: kept beside the file's name it tells an
 * older or swapped copy, sound in itself, from the file that belongs there. */
uint64_t seg_digest(const struct seg *s);
/* The pages read so far no longer count as this process's memory; they come
 * back from the page cache when touched. */
void seg_rest(const struct seg *s);

/* The file of a reader, read once more and held against what the reader found:
 * for damage that came after seg_open. It is read a step at a time and not
 * through the mapping, so that one that was cut raises no SIGBUS; pages the
 * page cache didn't hold are given back. The reader outlives it; path is the
 * one it was opened by. RC_CORRUPT: another size, or damaged. */
struct seg_verifier;
rc seg_verifier_open(const struct seg *s, const char *path,
                     struct seg_verifier **v, struct err *e) MUST_CHECK;
/* *bytes: how many were read, 256 KiB at most; 0: all of it is sound. */
rc seg_verifier_step(struct seg_verifier *v, size_t *bytes,
                     struct err *e) MUST_CHECK;
void seg_verifier_close(struct seg_verifier *v); /* NULL is fine */

#endif
