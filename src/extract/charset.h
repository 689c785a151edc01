/*
 * charset: bytes of the character sets of the web to UTF-8, by their label.
 *
 * A label is a hint. A byte order mark decides, then bytes that are UTF-8 or
 * look like UTF-16; else the label counts, and without one bytes are taken for
 * Windows-1252.
 *
 * Errors:  those of utf8_decode
 * Threads: pure.
 * Source:  WHATWG Encoding; the sets are listed in docs/html.md.
 */
#ifndef EXTRACT_CHARSET_H
#define EXTRACT_CHARSET_H

#include "text/utf8.h"

struct charset_how {
    enum charset charset; /* of a set with a table it says nothing */
    bool replaced;        /* some bytes meant nothing and became U+FFFD */
    bool guessed; /* no UTF, and no set that is known was said: as `charset` */
    /* The set that was said, and isn't read: what is in `to` is the next best,
     * and nothing with RC_FORMAT. Borrows the label. */
    str unread;
};
/* label: empty, or whatever somebody wrote. */
rc charset_decode(str bytes, str label, struct buf *to, struct charset_how *how,
                  struct err *e) MUST_CHECK;
/* Whether a label says anything that bytes don't say themselves: it is known,
 * and not UTF-8. */
bool charset_tells(str label);

#endif
