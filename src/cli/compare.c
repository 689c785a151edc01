#include "cli/compare.h"

#include <math.h>

#include "base/arena.h"
#include "base/rng.h"

#define SEED 20070611
#define SIGNS 64 /* of one random number */
/* Sums of the same numbers in another order differ by less. */
#define ROUNDING 1e-9

/* Those that a sign can change. */
static size_t moved_of(const double *differences, size_t n, double *moved)
{
    size_t moved_n = 0;

    for (size_t i = 0; i < n; i++) {
        if (differences[i] != 0)
            moved[moved_n++] = differences[i];
    }
    return moved_n;
}

/* The sum under a pattern of at most SIGNS signs: a set bit turns one. */
static double signed_sum(const double *v, size_t n, uint64_t pattern)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (pattern >> i & 1) != 0 ? -v[i] : v[i];
    return sum;
}

static double random_sum(const double *v, size_t n, struct rng *r)
{
    double sum = 0;

    for (size_t i = 0; i < n; i += SIGNS)
        sum += signed_sum(v + i, n - i < SIGNS ? n - i : SIGNS, rng_next(r));
    return sum;
}

/* The share of all 2^n patterns. */
static double p_exact(const double *v, size_t n, double seen)
{
    uint64_t patterns = (uint64_t)1 << n;
    size_t as_far = 0;

    for (uint64_t i = 0; i < patterns; i++)
        as_far += fabs(signed_sum(v, n, i)) >= seen;
    return (double)as_far / (double)patterns;
}

static double p_drawn(const double *v, size_t n, double seen)
{
    struct rng r = rng_seeded(SEED);
    size_t as_far = 1;

    for (size_t i = 0; i < PAIRED_ROUNDS; i++)
        as_far += fabs(random_sum(v, n, &r)) >= seen;
    return (double)as_far / (PAIRED_ROUNDS + 1);
}

struct paired paired_test(const double *differences, size_t n)
{
    struct paired t = {.p = 1};
    struct arena *tmp = arena_open();
    double *moved = ARENA_ARRAY(tmp, double, n), sum = 0, seen;
    size_t moved_n = moved_of(differences, n, moved);

    for (size_t i = 0; i < moved_n; i++) {
        t.better += moved[i] > 0;
        t.worse += moved[i] < 0;
        sum += moved[i];
    }
    if (moved_n > 0) {
        seen = fabs(sum) - ROUNDING;
        t.mean = sum / (double)n;
        t.p = moved_n < SIGNS && (uint64_t)1 << moved_n <= PAIRED_ROUNDS
                  ? p_exact(moved, moved_n, seen)
                  : p_drawn(moved, moved_n, seen);
    }
    arena_close(tmp);
    return t;
}
