/*
 * mem: the two kinds of memory. Small memory stops the program when there is
 * none; large or input-sized memory may fail and is made to fail in tests
 * (base/io.h counts mem_try among its calls).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/err.h"

void *mem_alloc(size_t n) NEVER_NULL;           /* zeroed; stops at no memory */
void *mem_resize(void *p, size_t n) NEVER_NULL; /* stops at no memory */
/* For libraries that want a pointer to change what they only read. */
static inline void *mem_unconst(const void *p)
{
    void *same;

    memcpy(&same, &p, sizeof same);
    return same;
}
void mem_free(void *p); /* NULL is fine */
/* Zeroed; NULL when there is none. */
void *mem_try(size_t n) MUST_CHECK;
void *mem_try_resize(void *p, size_t n) MUST_CHECK;

#endif
