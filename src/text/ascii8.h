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
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* What each byte of a window is, the first one's bit lowest. */
struct ascii8_kinds {
    uint64_t letters, digits, spaces, high; /* spaces: what is not above ' ' */
};

/* `folded` gets the window with small letters; NULL: nobody wants it. */
static inline struct ascii8_kinds ascii8_kinds_ref(const char *p, char *folded)
{
    struct ascii8_kinds k = {0};

    for (unsigned i = 0; i < ASCII8_WINDOW; i += 8) {
        uint64_t v = ascii8_load(p + i), letters = ascii8_letters(v);

        k.letters |= ascii8_bits(letters) << i;
        k.digits |= ascii8_bits(ascii8_digits(v)) << i;
        k.spaces |= ascii8_bits(ascii8_between(v & ~ASCII8_HIGH, 0, ' ') & ~v)
                    << i;
        k.high |= ascii8_bits(v) << i;
        v |= (letters & ASCII8_HIGH) >> 2;
        if (folded != NULL)
            memcpy(folded + i, &v, sizeof v);
    }
    return k;
}

#ifdef __SSE2__
static inline __m128i ascii8_load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Bytes from `first` on, n of them: those below leave the range downwards when
 * it is moved to the least number there is. */
static inline __m128i ascii8_range(__m128i v, char first, char n)
{
    __m128i moved = _mm_sub_epi8(v, _mm_set1_epi8((char)(first - 128)));

    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(n - 128)));
}

/* The same, sixteen bytes at a time: every x86-64 can. */
static inline struct ascii8_kinds ascii8_kinds(const char *p, char *folded)
{
    const __m128i bit5 = _mm_set1_epi8(0x20);
    struct ascii8_kinds k = {0};

    for (unsigned i = 0; i < ASCII8_WINDOW; i += 16) {
        __m128i v = ascii8_load16(p + i);
        __m128i letters = ascii8_range(_mm_or_si128(v, bit5), 'a', 26);
        __m128i spaces = _mm_cmpeq_epi8(_mm_min_epu8(v, bit5), v);
        __m128i digits = ascii8_range(v, '0', 10);

        k.letters |= (uint64_t)(unsigned)_mm_movemask_epi8(letters) << i;
        k.digits |= (uint64_t)(unsigned)_mm_movemask_epi8(digits) << i;
        k.spaces |= (uint64_t)(unsigned)_mm_movemask_epi8(spaces) << i;
        k.high |= (uint64_t)(unsigned)_mm_movemask_epi8(v) << i;
        v = _mm_or_si128(v, _mm_and_si128(letters, bit5));
        if (folded != NULL)
            _mm_storeu_si128((__m128i *)(void *)(folded + i), v);
    }
    return k;
}
#else
static inline struct ascii8_kinds ascii8_kinds(const char *p, char *folded)
{
    return ascii8_kinds_ref(p, folded);
}
#endif

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
