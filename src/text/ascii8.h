/*
 * ascii8: of what kind eight bytes are, all at once: a step for each would end
 * where the processor can't foresee. Little endian: the first byte is the
 * lowest. In a mask the high bit of a byte tells of that byte; other bits say
 * nothing.
 */
#ifndef TEXT_ASCII8_H
#define TEXT_ASCII8_H

#include <stdint.h>
#include <string.h>

#define ASCII8_EACH 0x0101010101010101u
#define ASCII8_HIGH (0x80 * ASCII8_EACH)

static inline uint64_t ascii8_load(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Bytes under 0x80 that are not below `first` and not above `last`. */
static inline uint64_t ascii8_between(uint64_t low7, uint8_t first,
                                      uint8_t last)
{
    return (low7 + (uint64_t)(0x80 - first) * ASCII8_EACH) &
           ~(low7 + (uint64_t)(0x7f - last) * ASCII8_EACH);
}

static inline uint64_t ascii8_letters(uint64_t v)
{
    uint64_t small = (v & ~ASCII8_HIGH) | 0x20 * ASCII8_EACH;

    return ascii8_between(small, 'a', 'z') & ~v;
}

static inline uint64_t ascii8_digits(uint64_t v)
{
    return ascii8_between(v & ~ASCII8_HIGH, '0', '9') & ~v;
}

/* How many bytes, from the first, the mask holds. */
static inline size_t ascii8_run(uint64_t mask)
{
    uint64_t others = ~mask & ASCII8_HIGH;

    return others == 0 ? 8 : (size_t)__builtin_ctzll(others) / 8;
}

/* The mask with a bit for a byte, the first byte's lowest: eight masks make the
 * bits of a window. */
static inline uint64_t ascii8_bits(uint64_t mask)
{
    return (mask >> 7 & ASCII8_EACH) * 0x0102040810204080u >> 56;
}
#define ASCII8_WINDOW 64u /* bytes */

/* How many ones the first run in bits has, which are not 0; and where it
 * starts. */
static inline unsigned ascii8_ones(uint64_t bits, unsigned *start)
{
    uint64_t behind;

    *start = (unsigned)__builtin_ctzll(bits);
    behind = ~(bits >> *start);
    return behind == 0 ? ASCII8_WINDOW : (unsigned)__builtin_ctzll(behind);
}

#endif
