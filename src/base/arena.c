#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

/* Blocks double from 4 KiB to 1 MiB, so that a small request costs one page
 * and a large document few calls; what is larger gets a block of its own. */
#define BLOCK_BYTES_MIN ((size_t)4096)
#define BLOCK_BYTES_MAX ((size_t)1 << 20)
#define SPARE_BYTES_MAX ((size_t)64 << 10)
#define ALIGN _Alignof(max_align_t)

struct block {
    struct block *below;
    size_t size, used; /* of bytes[] */
    _Alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *top;
    struct block *spare; /* the last one given back: the next may be it */
    size_t next_size, total;
};

struct arena *arena_open(void)
{
    struct arena *a = mem_alloc(sizeof *a);

    a->next_size = BLOCK_BYTES_MIN - sizeof(struct block);
    return a;
}

static void free_block(struct arena *a, struct block *b)
{
    if (b == NULL)
        return;
    a->total -= b->size + sizeof *b;
    mem_free(b);
}

/* An arena that is rewound again and again asks the system for nothing. */
static void pop_block(struct arena *a)
{
    struct block *b = a->top;

    a->top = b->below;
    if (b->size <= SPARE_BYTES_MAX &&
        (a->spare == NULL || a->spare->size <= b->size)) {
        free_block(a, a->spare);
        a->spare = b;
    } else {
        free_block(a, b);
    }
}

void arena_close(struct arena *a)
{
    if (a == NULL)
        return;
    while (a->top != NULL)
        pop_block(a);
    free_block(a, a->spare);
    mem_free(a);
}

static void push_block(struct arena *a, size_t need)
{
    size_t size = need > a->next_size ? need : a->next_size;
    struct block *b = a->spare;

    if (b != NULL && b->size >= need) {
        a->spare = NULL;
    } else {
        b = mem_resize(NULL, sizeof *b + size);
        b->size = size;
        a->total += size + sizeof *b;
    }
    b->below = a->top;
    b->used = 0;
    a->top = b;
    if (a->next_size < BLOCK_BYTES_MAX)
        a->next_size *= 2;
}

/* n bytes as they are. */
static NEVER_NULL void *take(struct arena *a, size_t n)
{
    size_t need;
    void *p;

    ASSERT(!__builtin_add_overflow(n, ALIGN - 1, &need));
    need &= ~(ALIGN - 1);
    if (a->top == NULL || a->top->size - a->top->used < need)
        push_block(a, need);
    p = a->top->bytes + a->top->used;
    a->top->used += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(take(a, n), 0, n);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    ASSERT(!__builtin_mul_overflow(count, size, &n));
    return arena_alloc(a, n);
}

str arena_str(struct arena *a, str s)
{
    return (str){arena_cstr(a, s), s.n};
}

char *arena_cstr(struct arena *a, str s)
{
    char *p = take(a, s.n + 1);

    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

str arena_fmt(struct arena *a, const char *fmt, ...)
{
    char here[256]; /* formatted twice only where it is longer */
    va_list ap, again;
    int n;
    char *p;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(here, sizeof here, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    p = take(a, (size_t)n + 1);
    if ((size_t)n < sizeof here)
        memcpy(p, here, (size_t)n + 1);
    else
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){p, (size_t)n};
}

void *arena_grow(struct arena *a, void *v, size_t count, size_t *cap,
                 size_t size)
{
    void *to;

    *cap = *cap == 0 ? 8 : *cap * 2;
    to = arena_alloc_array(a, *cap, size);
    if (count > 0)
        memcpy(to, v, count * size);
    return to;
}

struct arena_mark arena_mark(struct arena *a)
{
    return (struct arena_mark){a->top, a->top == NULL ? 0 : a->top->used};
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
    while (a->top != m.block) {
        ASSERT(a->top != NULL);
        pop_block(a);
    }
    if (a->top != NULL)
        a->top->used = m.used;
}

size_t arena_bytes(const struct arena *a)
{
    return a->total;
}
