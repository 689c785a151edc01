/*
 * said: what is said of a document (struct said), as a child is told it, and
 * what a Content-Type says.
 *
 * Owns:    all borrow what they are made from.
 * Threads: pure.
 * Source:  RFC 9110, section 8.3.
 */
#ifndef EXTRACT_SAID_H
#define EXTRACT_SAID_H

#include "base/limits.h"
#include "extract/extract.h"

/* Without a 0 at the ends. */
struct said_sent {
    uint32_t filename_n, type_n;
    char filename[FILENAME_BYTES_MAX + 1];
    char type[SAID_TYPE_BYTES_MAX + 1];
};
/* Of a long name the end is sent: there is the extension. */
struct said_sent said_send(const struct said *said);
/* False: it was not made by said_send. */
bool said_take(const struct said_sent *sent, struct said *said);

bool said_type_is(str type, str media); /* media: in lower case */
/* The value of `charset=`; empty: there is none. */
str said_charset(str type);

#endif
