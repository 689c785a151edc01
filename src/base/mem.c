#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

#include "base/io.h"

static _Noreturn void stop_without_memory(void)
{
    assert_failed("memory left", __FILE__, __LINE__);
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n == 0 ? 1 : n);

    if (p == NULL)
        stop_without_memory();
    return p;
}

void *mem_resize(void *p, size_t n)
{
    void *to = realloc(p, n == 0 ? 1 : n);

    if (to == NULL)
        stop_without_memory();
    return to;
}

void mem_free(void *p)
{
    free(p);
}

void *mem_try(size_t n)
{
    int sys = io_gate(IO_ALLOC, NULL);

    if (sys != 0) {
        errno = sys;
        return NULL;
    }
    return calloc(1, n == 0 ? 1 : n);
}

void *mem_try_resize(void *p, size_t n)
{
    int sys = io_gate(IO_ALLOC, NULL);

    if (sys != 0) {
        errno = sys;
        return NULL;
    }
    return realloc(p, n == 0 ? 1 : n);
}
