/*
 * utf8: valid, counted, and made out of other character sets.
 *
 * Threads: pure.
 */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* First invalid byte, or s.n. Overlong forms, surrogates and values above
 * U+10FFFF are invalid (Unicode 15, table 3-7). */
size_t utf8_valid_prefix(str s);
size_t utf8_count(str s); /* code points of valid UTF-8 */
/* Bytes that the first cp code points take (all of s if it has fewer). */
size_t utf8_advance(str s, size_t cp);
/* Next code point of valid UTF-8 at s.p[*at]; moves *at. */
uint32_t utf8_next(str s, size_t *at);
/* The same of any bytes: U+FFFD for each maximal subpart of what is none. */
uint32_t utf8_next_any(str s, size_t *at);
size_t utf8_encode(char to[4], uint32_t cp); /* how many bytes it takes */
void utf8_put(struct buf *b, uint32_t cp);

enum charset { CHARSET_UTF8, CHARSET_UTF16LE, CHARSET_UTF16BE, CHARSET_CP1252 };

struct decoded {
    enum charset charset;
    bool replaced; /* some bytes meant nothing and became U+FFFD */
};
/* Any bytes to clean UTF-8: a byte order mark decides; else valid UTF-8; else
 * UTF-16 by where its zero bytes stand; else mostly valid UTF-8 with
 * replacements; else Windows-1252. Line ends become \n, NUL and other control
 * characters but tab and newline are dropped.
 * RC_FORMAT: binary, not text (e->text says so in plain words). */
rc utf8_decode(str bytes, struct buf *to, struct decoded *how,
               struct err *e) MUST_CHECK;
/* The same of what is said to be UTF-16 without a mark.
 * RC_FORMAT: too much of it makes no sense so. */
rc utf16_decode(str bytes, bool big, struct buf *to, bool *replaced,
                struct err *e) MUST_CHECK;

#endif
