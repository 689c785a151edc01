#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void buf_open(struct buf *b, size_t bytes_max)
{
    *b = (struct buf){.bytes_max = bytes_max};
}

void buf_close(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->code = RC_OK;
}

char *buf_grow(struct buf *b, size_t n)
{
    size_t need, cap;
    char *p;

    if (b->code != RC_OK)
        return NULL;
    if (__builtin_add_overflow(b->n, n, &need) ||
        (b->bytes_max != 0 && need > b->bytes_max)) {
        b->code = RC_LIMIT;
        return NULL;
    }
    if (need > b->cap || b->p == NULL) {
        cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        /* No room past the limit, so that room is all there is to ask for. */
        if (b->bytes_max != 0 && cap > b->bytes_max)
            cap = b->bytes_max;
        p = mem_try_resize(b->p, cap);
        if (p == NULL) {
            b->code = RC_NOMEM;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    char here[256]; /* formatted twice only where it is longer */
    va_list ap, again;
    int n;
    char *to;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(here, sizeof here, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    to = buf_reserve(b, (size_t)n + 1);
    if (to != NULL) {
        if ((size_t)n < sizeof here)
            memcpy(to, here, (size_t)n + 1);
        else
            (void)vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
    char bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(v >> (8 * i) & 0xff);
    buf_put(b, (str){bytes, n});
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    put_le(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    put_le(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    put_le(b, v, 8);
}

void buf_put_varint(struct buf *b, uint64_t v)
{
    char bytes[10];
    size_t n = 0;

    while (v >= 0x80) {
        bytes[n++] = (char)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (char)v;
    buf_put(b, (str){bytes, n});
}

void buf_put_signed(struct buf *b, int64_t v)
{
    buf_put_varint(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

str buf_str(const struct buf *b)
{
    return (str){b->p, b->n};
}

rc buf_end(struct buf *b, struct err *e)
{
    if (b->code == RC_OK)
        return RC_OK;
    if (b->code == RC_LIMIT)
        return err_set(e, RC_LIMIT, "more than %zu bytes", b->bytes_max);
    return err_set(e, b->code, "no memory for %zu bytes", b->n);
}

struct cur cur_of(str s)
{
    const uint8_t *p = (const uint8_t *)s.p;

    return (struct cur){p, s.n == 0 ? p : p + s.n, false};
}

static uint64_t take_le(struct cur *c, size_t n)
{
    uint64_t v = 0;

    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)c->p[i] << (8 * i);
    c->p += n;
    return v;
}

uint8_t cur_u8(struct cur *c)
{
    return (uint8_t)take_le(c, 1);
}

uint16_t cur_u16(struct cur *c)
{
    return (uint16_t)take_le(c, 2);
}

uint32_t cur_u32(struct cur *c)
{
    return (uint32_t)take_le(c, 4);
}

uint64_t cur_u64(struct cur *c)
{
    return take_le(c, 8);
}

uint64_t cur_varint(struct cur *c)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cur_u8(c);

        if (c->bad || (shift == 63 && byte > 1)) {
            c->bad = true;
            return 0;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    c->bad = true;
    return 0;
}

str cur_bytes(struct cur *c, size_t n)
{
    str s;

    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return STR_NONE;
    }
    s = (str){(const char *)c->p, n};
    c->p += n;
    return s;
}
