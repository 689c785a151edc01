/*
 * uuid: the ids of everything: UUIDv7 (RFC 9562), time-ordered, so that newest
 * first is id descending. Within one process each new id is above the last.
 *
 * Threads: any.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/arena.h"
#include "base/err.h"

typedef struct uuid {
    uint8_t b[16];
} uuid;

uuid uuid_new(void);
bool uuid_eq(uuid a, uuid b);
int uuid_cmp(uuid a, uuid b);
bool uuid_is_nil(uuid u);
extern const uuid UUID_NIL;
/* Its bytes, as the key of a map; points into u. */
static inline str uuid_key(const uuid *u)
{
    return (str){(const char *)u->b, sizeof u->b};
}
/* What uuid_key gave. */
uuid uuid_of_key(str key);
/* Canonical lower-case hyphenated text, 36 characters. */
str uuid_str(struct arena *out, uuid u);
#define UUID_TEXT 37
void uuid_text(uuid u, char to[UUID_TEXT]); /* NUL-terminated */
/* Takes hyphenated, hyphenless, braced and urn:uuid: forms in any case, and
 * <prefix>_<26 Crockford base32> when prefix is not empty ("kb", "doc", …;
 * another prefix than the one given is not taken). On false, *why (may be
 * NULL) says which character or length is wrong, in the words of Pydantic's
 * uuid_parsing ("invalid character: found `g` at 3"; version 2.13), in `out`. */
bool uuid_parse(str s, str prefix, uuid *u, struct arena *out, str *why);
/* The time inside a version 7. */
int64_t uuid_wall_ms(uuid u);

#endif
