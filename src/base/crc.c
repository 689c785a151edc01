#include "base/crc.h"

#include <pthread.h>

#define POLYNOMIAL_REFLECTED 0x82f63b78u

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;

        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? POLYNOMIAL_REFLECTED : 0);
        table[i] = v;
    }
}

uint32_t crc32c_table(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;

    (void)pthread_once(&table_once, fill_table);
    crc = ~crc;
    for (size_t i = 0; i < n; i++)
        crc = crc >> 8 ^ table[(crc ^ b[i]) & 0xff];
    return ~crc;
}

#ifdef __x86_64__

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc,
                                                               const void *p,
                                                               size_t n)
{
    const uint8_t *b = p;
    uint64_t wide = ~crc;

    for (; n >= 8; n -= 8, b += 8) {
        uint64_t v;

        memcpy(&v, b, sizeof v);
        wide = __builtin_ia32_crc32di(wide, v);
    }
    crc = (uint32_t)wide;
    for (; n > 0; n--)
        crc = __builtin_ia32_crc32qi(crc, *b++);
    return ~crc;
}

uint32_t crc32c_more(uint32_t crc, const void *p, size_t n)
{
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(crc, p, n);
    return crc32c_table(crc, p, n);
}

#else

uint32_t crc32c_more(uint32_t crc, const void *p, size_t n)
{
    return crc32c_table(crc, p, n);
}

#endif

uint32_t crc32c(const void *p, size_t n)
{
    return crc32c_more(0, p, n);
}
