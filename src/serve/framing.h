/*
 * framing: is the head of a request what RFC 9112 allows? The library parses
 * leniently; whatever it lets through is refused here, before a route sees it.
 *
 * The library hands out pointers into the buffer the bytes came in, with its
 * line ends overwritten by NULs. So long as it is the version this was written
 * for (`laid_out`), the distances between those pointers tell how each line
 * began and ended: folded lines, lines ended by a bare LF, white space before
 * a colon, NULs and dropped lines all leave a gap. tests/unit/test_framing.c
 * holds pictures of such buffers, tests/e2e/test_framing.py the real bytes.
 *
 * Threads: pure.
 * Source:  RFC 9112, RFC 9110; environment.md's list of the library's traps.
 */
#ifndef SERVE_FRAMING_H
#define SERVE_FRAMING_H

#include "base/limits.h"
#include "serve/exchange_priv.h"

struct framing_line {
    str name, value;
};

struct framing {
    const char *method, *version; /* NUL-terminated */
    const char *target;           /* where it stood; has been cut since */
    str target_text;              /* what stood there */
    struct framing_line lines[HEADERS_MAX];
    size_t lines_n;
    bool lines_over; /* there were more */
    bool laid_out;
};

/* Without clearing the room for lines, which are many and mostly few. */
void framing_begin(struct framing *f, const char *method, const char *target,
                   str target_text, const char *version);
void framing_line(struct framing *f, str name, str value);

/* 0: sound, and *head is filled (but for path and query). Else the status to
 * refuse it with; *why says why. */
unsigned framing_check(const struct framing *f, struct http_head *head,
                       const char **why);

#endif
