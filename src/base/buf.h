/*
 * buf: bytes that grow. Its error sticks and is asked once, with buf_end.
 *
 * Owns:    its bytes, until buf_close.
 * Errors:  RC_LIMIT  more than bytes_max
 *          RC_NOMEM  the system has no more
 * Threads: one at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t bytes_max; /* 0: no limit of its own */
    rc code;          /* sticks at the first failure */
};

char *buf_grow(struct buf *b, size_t n); /* buf_reserve when there is no room */

/* Room for n more bytes, to be filled by the caller who then adds to b->n;
 * NULL: the buffer failed. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
    return b->code == RC_OK && b->p != NULL && n <= b->cap - b->n
               ? b->p + b->n
               : buf_grow(b, n);
}

static inline void buf_put(struct buf *b, str s)
{
    char *to = buf_reserve(b, s.n);

    if (to == NULL || s.n == 0)
        return;
    memcpy(to, s.p, s.n);
    b->n += s.n;
}

static inline void buf_put_char(struct buf *b, char c)
{
    char *to = buf_reserve(b, 1);

    if (to == NULL)
        return;
    *to = c;
    b->n++;
}

void buf_open(struct buf *b, size_t bytes_max); /* or zero it: {0} */
void buf_close(struct buf *b);                  /* a zeroed buf is fine */
void buf_clear(struct buf *b);                  /* keeps the memory */
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_put_u16(struct buf *b, uint16_t v); /* little endian, as the next */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_varint(struct buf *b, uint64_t v); /* LEB128, at most 10 bytes */
void buf_put_signed(struct buf *b, int64_t v);  /* zigzag, then as a varint */
str buf_str(const struct buf *b); /* borrowed: until the next put */
/* The sticking error, told. */
rc buf_end(struct buf *b, struct err *e) MUST_CHECK;

/* The reading side: a cursor over bytes; `bad` sticks past the end. */
struct cur {
    const uint8_t *p, *end;
    bool bad;
};
struct cur cur_of(str s);
uint8_t cur_u8(struct cur *c);
uint16_t cur_u16(struct cur *c);
uint32_t cur_u32(struct cur *c);
uint64_t cur_u64(struct cur *c);
uint64_t cur_varint(struct cur *c);
str cur_bytes(struct cur *c, size_t n);

#endif
