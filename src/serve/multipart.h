/*
 * multipart: reads multipart/form-data as its bytes come, in any slices.
 *
 *   multipart_feed(m, slice);
 *   while (multipart_next(m, &ev, e) == RC_OK && ev.kind != MULTIPART_MORE)
 *       …
 *   multipart_end(m, e)     after the last slice: RC_FORMAT if it was cut off
 *
 * Owns:    data of an event borrows the slice (or the reader) until the next
 *          call; name, file name and type of a part live until the next part.
 * Errors:  RC_FORMAT  not multipart/form-data, or broken
 *          RC_LIMIT   header block, name or boundary over base/limits.h
 *          After an error the reader only repeats it.
 * Threads: one at a time.
 * Cost:    O(bytes); memory is one header block.
 * Source:  RFC 7578, RFC 2046 section 5.1, RFC 8187 (filename*); browsers'
 *          escapes %22, %0D and %0A as in the WHATWG form submission.
 */
#ifndef SERVE_MULTIPART_H
#define SERVE_MULTIPART_H

#include "base/err.h"
#include "base/limits.h"

enum multipart_kind {
    MULTIPART_MORE, /* the slice is used up */
    MULTIPART_PART, /* a part begins */
    MULTIPART_DATA, /* bytes of its body */
    MULTIPART_PART_END
};

struct multipart_event {
    enum multipart_kind kind;
    str data;         /* MULTIPART_DATA */
    str name;         /* MULTIPART_PART; valid UTF-8 */
    str filename;     /* valid UTF-8; p NULL: not a file */
    str content_type; /* p NULL: not said */
};

struct multipart;
/* content_type is the request's header. */
rc multipart_open(str content_type, struct multipart **m,
                  struct err *e) MUST_CHECK;
void multipart_close(struct multipart *m); /* NULL is fine */
void multipart_feed(struct multipart *m, str slice);
rc multipart_next(struct multipart *m, struct multipart_event *ev,
                  struct err *e) MUST_CHECK;
rc multipart_end(const struct multipart *m, struct err *e) MUST_CHECK;

#endif
