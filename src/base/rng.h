/*
 * rng: random bytes. rng_bytes is for secrets (getrandom, through the seam's
 * test seed KNOWD_RNG_SEED when set); rng_next is a small seeded generator for
 * sampling and jitter, never for secrets.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/str.h"

void rng_bytes(void *to, size_t n);

struct rng {
    uint64_t s[2];
};
struct rng rng_seeded(uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* n > 0 */

#endif
