/*
 * top: the best k of many hits, as several searches find them one after the
 * other.
 *
 * Owns:    lives in the arena it was made in, with what it gives.
 * Threads: belongs to one.
 * Cost:    O(log k) a hit that is taken, O(1) for any other.
 */
#ifndef BASE_TOP_H
#define BASE_TOP_H

#include "base/arena.h"

struct top_hit {
    float score;
    uint32_t segment; /* the tag its search was given */
    uint32_t row;
};

/* Equal scores rank by (segment, row). */
struct top;
struct top *top_open(struct arena *out, uint32_t k);
/* Whether this hit would be taken. */
bool top_takes(const struct top *t, struct top_hit h);
void top_put(struct top *t, struct top_hit h);
/* What a score must reach to be taken; `otherwise` while there is room. */
float top_floor(const struct top *t, float otherwise);
/* Best first. */
size_t top_take(struct top *t, struct top_hit **hits);

#endif
