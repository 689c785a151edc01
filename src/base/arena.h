/*
 * arena: memory that is freed all at once.
 *
 * Owns:    everything taken from it, until arena_close or a rewind past it.
 * Errors:  none; out of memory stops the program (bounds were checked before;
 *          input-sized memory takes mem_try of base/mem.h instead).
 * Threads: an arena belongs to one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena;

struct arena *arena_open(void);
void arena_close(struct arena *a); /* NULL is fine */
/* Zeroed, aligned for any type; n 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n) NEVER_NULL __attribute__((malloc));
void *arena_alloc_array(struct arena *a, size_t count, size_t size) NEVER_NULL;
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) \
    ((type *)arena_alloc_array((a), (count), sizeof(type)))
str arena_str(struct arena *a, str s);               /* copy, NUL behind it */
char *arena_cstr(struct arena *a, str s) NEVER_NULL; /* copy, NUL-terminated */
str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Grows an array that lives in the arena: returns room for at least
 * count + 1 elements of size bytes, updates *cap. The old copy stays behind. */
void *arena_grow(struct arena *a, void *v, size_t count, size_t *cap,
                 size_t size) NEVER_NULL;
/* Puts x behind v[n]; v, n and cap are lvalues, the array lives in the arena.*/
#define ARENA_PUSH(a, v, n, cap, x)                               \
    do {                                                          \
        if ((n) == (cap))                                         \
            (v) = arena_grow((a), (v), (n), &(cap), sizeof *(v)); \
        ASSERT_SLOW((v) != NULL);                                 \
        (v)[(n)++] = (x);                                         \
    } while (0)

struct arena_mark {
    void *block;
    size_t used;
};
struct arena_mark arena_mark(struct arena *a);
/* Frees everything taken since the mark. */
void arena_rewind(struct arena *a, struct arena_mark m);
/* Bytes taken from the system. */
size_t arena_bytes(const struct arena *a);

#endif
