/*
 * unpack: the body of an answer as it was before the server packed it, piece by
 * piece. A stream that ends before its own end is no body: libcurl's decoder
 * would not say so.
 *
 * Owns:    one window of zlib's; pieces are the taker's only while it runs.
 * Errors:  RC_FORMAT  not such a stream, or cut off
 *          and what the taker returns
 * Threads: one at a time.
 * Source:  RFC 9110 8.4.1 (gzip; deflate, which some servers send without
 *          zlib's head), RFC 1950, 1951, 1952.
 */
#ifndef NET_UNPACK_H
#define NET_UNPACK_H

#include "base/err.h"

struct unpack;
typedef rc unpack_take(void *arg, str bytes, struct err *e);

bool unpack_knows(str coding); /* "gzip", "x-gzip", "deflate" */
rc unpack_open(str coding, struct unpack **u, struct err *e) MUST_CHECK;
void unpack_close(struct unpack *u); /* NULL is fine */
/* What stands behind the stream's end is passed over. */
rc unpack_put(struct unpack *u, str bytes, unpack_take *take, void *arg,
              struct err *e) MUST_CHECK;
/* RC_FORMAT: there is more to come, unless nothing came at all. */
rc unpack_end(const struct unpack *u, struct err *e) MUST_CHECK;

#endif
