/*
 * download: a file of a web server into a file here, whole or not at all; what
 * an interrupted one has brought is kept and gone on from.
 *
 * Beside PATH stand, while it comes, PATH.part and PATH.part.tag (which version
 * of the file the bytes are of), and afterwards PATH.tag. A file that is there
 * in the version that the server has is not brought again.
 *
 * Redirects are followed (HOPS_MAX at most, never from https to http). The host
 * that is named may be anywhere; one that a public server points to is guarded
 * as any URL of the public (net/fetch).
 * Where the server gives a SHA-256 as the file's tag, as model hubs do for
 * large files, the bytes are checked by it.
 *
 * Errors:  RC_NOTFOUND   the server has no such file (404)
 *          RC_DENIED     it wants to know who asks (401, 403), or points to an
 *                        address that is not public
 *          RC_LIMIT      larger than bytes_max
 *          RC_CORRUPT    the bytes are not those of the tag; they are dropped
 *          RC_CANCELLED  the progress function said so
 *          RC_REMOTE, RC_TIMEOUT  not reached, cut off TRIES_MAX times, or
 *                        sent on to where nobody follows
 *          RC_IO, RC_NOSPACE      the file can't be written
 * Threads: one at a time.
 */
#ifndef NET_DOWNLOAD_H
#define NET_DOWNLOAD_H

#include "net/fetch.h"

struct download {
    const char *url, *path; /* its folder is there */
    uint64_t bytes_max;
    /* all 0: not known. false ends it. NULL: none. */
    bool (*progress)(void *arg, uint64_t done, uint64_t all);
    void *arg;
};
rc download_run(struct fetch *f, const struct download *d,
                struct err *e) MUST_CHECK;

#endif
