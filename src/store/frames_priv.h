/*
 * frames: the file of one large body, in zstd's seekable format (zstd,
 * contrib/seekable_format, version 0.1.0): frames of FRAME_BYTES plain bytes
 * each (of FRAME_BYTES_LARGE in files of before), then a skippable frame that
 * lists their sizes. `zstd -d` reads it.
 *
 *   frame 0 | frame 1 | … | seek table
 *   seek table: u32 0x184D2A5E | u32 bytes that follow
 *               n times: u32 packed bytes | u32 plain bytes
 *               u32 n | u8 0 | u32 0x8F92EAB1                (little endian)
 *
 * Every frame carries zstd's own checksum of its plain bytes (XXH64), so a
 * damaged frame is told, never served.
 *
 * Errors:  RC_CORRUPT  the file is not what the database says
 */
#ifndef STORE_FRAMES_PRIV_H
#define STORE_FRAMES_PRIV_H

#include "base/buf.h"
#include "base/err.h"

/* Who reads a passage unpacks its frame: 14 us of this size, 91 of the large,
 * which packs 4 % better. */
#define FRAME_BYTES ((size_t)8 << 10)
#define FRAME_BYTES_LARGE ((size_t)64 << 10)

struct frames_out; /* writes one file; borrows fd and path */
rc frames_out_open(int fd, const char *path, struct frames_out **f,
                   struct err *e) MUST_CHECK;
/* Whole frames, but for the last call, which may bring any number of bytes. */
rc frames_out_put(struct frames_out *f, const void *p, size_t n,
                  struct err *e) MUST_CHECK;
/* The seek table. The caller syncs. */
rc frames_out_end(struct frames_out *f, struct err *e) MUST_CHECK;
void frames_out_close(struct frames_out *f); /* NULL is fine */

struct frames_in;
/* Reads the seek table; `bytes` is how long the plain body must be. */
rc frames_in_open(const char *path, uint64_t bytes, struct frames_in **f,
                  struct err *e) MUST_CHECK;
/* Plain bytes [at, at + n), which lie inside, to `to`. */
rc frames_in_read(struct frames_in *f, uint64_t at, size_t n, void *to,
                  struct err *e) MUST_CHECK;
void frames_in_close(struct frames_in *f); /* NULL is fine */

#endif
