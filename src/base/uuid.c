#include "base/uuid.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"

const uuid UUID_NIL;

/* guards: last_*, chance, chance_n */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_ms, last_high, last_low;
/* Random bytes for the next ids: a call of the kernel an id costs as much as
 * the rest of it. */
#define CHANCE_IDS 32
static uint64_t chance[2 * CHANCE_IDS];
static size_t chance_n; /* left, from the end */

static uint64_t chance_next(void)
{
    uint64_t v;

    if (chance_n == 0) {
        rng_bytes(chance, sizeof chance);
        chance_n = NELEMS(chance);
    }
    v = chance[--chance_n];
    chance[chance_n] = 0;
    return v;
}

/* RFC 9562, 5.7 and 6.2 method 2:
 *
 *   48 bits of milliseconds | version 7 | 12 bits | variant 2 | 62 bits
 *
 * The 74 free bits are random in a new millisecond; within one (or when the
 * clock went back) they count up by a random step, so that ids rise and still
 * can't be guessed from a neighbour. */
uuid uuid_new(void)
{
    uint64_t ms = (uint64_t)clock_wall_ms(), high, low;
    uuid u = UUID_NIL;

    (void)pthread_mutex_lock(&lock);
    if (ms > last_ms) {
        last_ms = ms;
        last_high = chance_next() & 0xfff;
        last_low = chance_next() >> 2;
    } else {
        last_low += 1 + (chance_next() >> 32);
        last_high += last_low >> 62;
        last_low &= UINT64_MAX >> 2;
        last_ms += last_high >> 12;
        last_high &= 0xfff;
    }
    high = last_ms << 16 | 0x7000 | last_high;
    low = (uint64_t)1 << 63 | last_low;
    (void)pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < 8; i++) {
        u.b[i] = (uint8_t)(high >> (56 - 8 * i));
        u.b[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return u;
}

bool uuid_eq(uuid a, uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

uuid uuid_of_key(str key)
{
    uuid u;

    ASSERT(key.n == sizeof u.b);
    memcpy(u.b, key.p, sizeof u.b);
    return u;
}

int uuid_cmp(uuid a, uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b);
}

bool uuid_is_nil(uuid u)
{
    return uuid_eq(u, UUID_NIL);
}

void uuid_text(uuid u, char to[UUID_TEXT])
{
    static const char HEX[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < sizeof u.b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            to[n++] = '-';
        to[n++] = HEX[u.b[i] >> 4];
        to[n++] = HEX[u.b[i] & 15];
    }
    to[n] = '\0';
}

str uuid_str(struct arena *out, uuid u)
{
    char text[UUID_TEXT];

    uuid_text(u, text);
    return arena_str(out, str_of(text));
}

int64_t uuid_wall_ms(uuid u)
{
    int64_t ms = 0;

    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | u.b[i];
    return ms;
}

#define URN STR("urn:uuid:")
#define SIMPLE_BYTES 32
#define HYPHENATED_BYTES 36
#define GROUPS 5
/* Where the groups of the hyphenated form begin; one ends a byte before the
 * next begins. */
static const size_t GROUP_AT[GROUPS + 1] = {0, 9, 14, 19, 24, 37};

/* What is inside braces or behind urn:uuid:, and how far in. A text as long as
 * the hyphenated form is taken as that. */
static str unwrap(str s, size_t *offset)
{
    *offset = 0;
    if (s.n == HYPHENATED_BYTES)
        return s;
    if (s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}')
        *offset = 1;
    else if (str_starts(s, URN))
        *offset = URN.n;
    return str_sub(s, *offset, s.n - *offset - (*offset == 1));
}

/* Hyphenated (or, if `simple`, hyphenless) digits. */
static bool parse_digits(str s, bool simple, uuid *u)
{
    size_t at = 0;

    if (s.n != (simple ? SIMPLE_BYTES : HYPHENATED_BYTES))
        return false;
    for (size_t i = 0; i < sizeof u->b; i++) {
        int high, low;

        if (!simple && (i == 4 || i == 6 || i == 8 || i == 10) &&
            s.p[at++] != '-')
            return false;
        high = str_hex_digit(s.p[at]);
        low = str_hex_digit(s.p[at + 1]);
        if (high < 0 || low < 0)
            return false;
        u->b[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

/* The character that begins at p, whole if it is UTF-8. */
static str char_at(str s, size_t at)
{
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    if (c >= 0x80 && (c < 0xc2 || c > 0xf4 || n > s.n - at))
        return STR("\xef\xbf\xbd");
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s.p[at + i] & 0xc0) != 0x80)
            return STR("\xef\xbf\xbd");
    }
    return str_sub(s, at, n);
}

/* Places are shown counted from 1. */
static str say_char(struct arena *out, str s, size_t at, size_t shown_at)
{
    str c = char_at(s, at);

    return arena_fmt(out, "invalid character: found `" STR_FMT "` at %zu",
                     STR_ARG(c), shown_at + 1);
}

/* Which group of the five has a wrong length. `whole` is the text as it came:
 * the last group's length is measured on it (as Pydantic does). */
static str say_group(struct arena *out, str whole, const size_t hyphens[4])
{
    size_t i = 0, end = whole.n;

    while (i < GROUPS - 1 && hyphens[i] == GROUP_AT[i + 1] - 1)
        i++;
    if (i < GROUPS - 1)
        end = hyphens[i];
    return arena_fmt(
        out, "invalid group length in group %zu: expected %zu, found %zu", i,
        GROUP_AT[i + 1] - 1 - GROUP_AT[i], end - GROUP_AT[i]);
}

/* Why s is no UUID, word by word what Pydantic 2.13 says. */
static str explain(str s, struct arena *out)
{
    size_t offset, hyphens_n = 0, hyphens[GROUPS - 1] = {0};
    str in = unwrap(s, &offset);

    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '-') {
            if (hyphens_n < GROUPS - 1)
                hyphens[hyphens_n] = i;
            hyphens_n++;
        } else if (str_hex_digit(in.p[i]) < 0) {
            /* Counted from inside the wrapping when the length is right. */
            return say_char(out, in, i,
                            in.n == HYPHENATED_BYTES ? i : i + offset);
        }
    }
    if (hyphens_n == 0 && offset == 0)
        return arena_fmt(out,
                         "invalid length: expected length %d for simple "
                         "format, found %zu",
                         SIMPLE_BYTES, s.n);
    if (hyphens_n != GROUPS - 1)
        return arena_fmt(out, "invalid group count: expected %d, found %zu",
                         GROUPS, hyphens_n + 1);
    return say_group(out, s, hyphens);
}

#define BASE32_CHARS 26

/* TypeID 0.3: 130 bits in 26 digits of Crockford's base32, lower case, the
 * first two bits zero. *bad is the place of the first wrong character. */
static bool parse_base32(str s, uuid *u, size_t *bad)
{
    static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned bits = 0, held = 0;
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        const char *digit = s.p[i] == '\0' ? NULL : strchr(DIGITS, s.p[i]);

        *bad = i;
        if (digit == NULL || (i == 0 && *digit > '7'))
            return false;
        bits = bits << 5 | (unsigned)(digit - DIGITS);
        held += i == 0 ? 3 : 5;
        if (held >= 8 && n < sizeof u->b) {
            held -= 8;
            u->b[n++] = (uint8_t)(bits >> held);
        }
    }
    *bad = s.n;
    return s.n == BASE32_CHARS;
}

static bool parse_prefixed(str s, size_t prefix_n, uuid *u, struct arena *out,
                           str *why)
{
    size_t bad;

    if (parse_base32(str_sub(s, prefix_n, BASE32_CHARS + 1), u, &bad))
        return true;
    if (why != NULL)
        *why = bad < s.n - prefix_n && bad < BASE32_CHARS
                   ? say_char(out, s, prefix_n + bad, prefix_n + bad)
                   : arena_fmt(out, "invalid length: found %zu", s.n);
    return false;
}

bool uuid_parse(str s, str prefix, uuid *u, struct arena *out, str *why)
{
    size_t offset;
    str in = unwrap(s, &offset);

    if (parse_digits(in, false, u) || parse_digits(s, true, u))
        return true;
    if (prefix.n > 0 && str_starts(s, prefix) && s.n > prefix.n &&
        s.p[prefix.n] == '_')
        return parse_prefixed(s, prefix.n + 1, u, out, why);
    if (why != NULL)
        *why = explain(s, out);
    return false;
}
