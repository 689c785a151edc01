#include "base/rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/err.h"

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards: test */
static struct rng test;
static bool testing; /* set once */

static void read_seed(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment */
    const char *text = getenv("KNOWD_RNG_SEED");

    if (text == NULL)
        return;
    test = rng_seeded(strtoull(text, NULL, 10));
    testing = true;
}

static void test_bytes(uint8_t *to, size_t n)
{
    (void)pthread_mutex_lock(&lock);
    while (n > 0) {
        uint64_t v = rng_next(&test);
        size_t take = n < sizeof v ? n : sizeof v;

        memcpy(to, &v, take);
        to += take;
        n -= take;
    }
    (void)pthread_mutex_unlock(&lock);
}

void rng_bytes(void *to, size_t n)
{
    uint8_t *p = to;

    (void)pthread_once(&seed_once, read_seed);
    if (testing) {
        test_bytes(p, n);
        return;
    }
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct rng rng_seeded(uint64_t seed)
{
    struct rng r;

    r.s[0] = splitmix64(&seed);
    r.s[1] = splitmix64(&seed);
    return r;
}

static uint64_t rotl(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

/* xoroshiro128++ 1.0: Blackman and Vigna, "Scrambled Linear Pseudorandom
 * Number Generators", 2021. */
uint64_t rng_next(struct rng *r)
{
    uint64_t a = r->s[0], b = r->s[1];
    uint64_t v = rotl(a + b, 17) + a;

    b ^= a;
    r->s[0] = rotl(a, 49) ^ b ^ b << 21;
    r->s[1] = rotl(b, 28);
    return v;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    uint64_t short_end, v;

    ASSERT(n > 0);
    /* The 2^64 mod n lowest values would make some results likelier. */
    short_end = (0 - n) % n;
    do
        v = rng_next(r);
    while (v < short_end);
    return v % n;
}
