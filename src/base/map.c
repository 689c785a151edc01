#include "base/map.h"

#include <endian.h>

#include "base/mem.h"
#include "base/rng.h"

/* Open addressing with linear probing, at most three quarters full; a dropped
 * key leaves no mark: those behind it move up (Knuth, volume 3, 6.4, R). */
#define SLOTS_MIN 16

struct slot {
    char *key; /* NULL: free */
    size_t key_n;
    uint64_t hash, value;
};

struct map {
    uint64_t secret[2];
    struct slot *slots;
    size_t slots_n, count; /* slots_n is a power of two, or 0 */
};

struct map *map_open(void)
{
    struct map *m = mem_alloc(sizeof *m);

    rng_bytes(m->secret, sizeof m->secret);
    return m;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->slots_n; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    m->slots = NULL;
    m->slots_n = m->count = 0;
}

void map_close(struct map *m)
{
    if (m == NULL)
        return;
    map_clear(m);
    mem_free(m);
}

/* The key's slot, or the free one where it would go. slots_n > 0. */
static size_t probe(const struct map *m, str key, uint64_t hash)
{
    size_t mask = m->slots_n - 1, i = hash & mask;

    for (;; i = (i + 1) & mask) {
        const struct slot *s = &m->slots[i];

        if (s->key == NULL ||
            (s->hash == hash && str_eq((str){s->key, s->key_n}, key)))
            return i;
    }
}

static void grow(struct map *m)
{
    struct slot *was = m->slots;
    size_t was_n = m->slots_n, bytes;

    m->slots_n = was_n == 0 ? SLOTS_MIN : was_n * 2;
    ASSERT(!__builtin_mul_overflow(m->slots_n, sizeof *was, &bytes));
    m->slots = mem_alloc(bytes);
    for (size_t i = 0; i < was_n; i++) {
        size_t to;

        if (was[i].key == NULL)
            continue;
        to = probe(m, (str){was[i].key, was[i].key_n}, was[i].hash);
        m->slots[to] = was[i];
    }
    mem_free(was);
}

static char *copy_key(str key)
{
    char *copy = mem_alloc(key.n + 1);

    if (key.n > 0)
        memcpy(copy, key.p, key.n);
    return copy;
}

uint64_t *map_slot(struct map *m, str key, bool *made)
{
    uint64_t hash = siphash13(m->secret, key.p, key.n);
    struct slot *s;

    if (m->count >= m->slots_n / 4 * 3)
        grow(m);
    s = &m->slots[probe(m, key, hash)];
    if (made != NULL)
        *made = s->key == NULL;
    if (s->key == NULL) {
        *s = (struct slot){copy_key(key), key.n, hash, 0};
        m->count++;
    }
    return &s->value;
}

uint64_t *map_find(const struct map *m, str key)
{
    struct slot *s;

    if (m->count == 0)
        return NULL;
    s = &m->slots[probe(m, key, siphash13(m->secret, key.p, key.n))];
    return s->key == NULL ? NULL : &s->value;
}

bool map_drop(struct map *m, str key)
{
    size_t mask = m->slots_n - 1, hole, i;

    if (m->count == 0)
        return false;
    hole = probe(m, key, siphash13(m->secret, key.p, key.n));
    if (m->slots[hole].key == NULL)
        return false;
    mem_free(m->slots[hole].key);
    m->slots[hole].key = NULL;
    m->count--;
    for (i = (hole + 1) & mask; m->slots[i].key != NULL; i = (i + 1) & mask) {
        size_t home = m->slots[i].hash & mask;

        /* It may move up if its home is not between the hole and it. */
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        m->slots[i].key = NULL;
        hole = i;
    }
    return true;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

bool map_next(const struct map *m, size_t *at, str *key, uint64_t *value)
{
    while (*at < m->slots_n) {
        const struct slot *s = &m->slots[(*at)++];

        if (s->key == NULL)
            continue;
        *key = (str){s->key, s->key_n};
        *value = s->value;
        return true;
    }
    return false;
}

static uint64_t rotl(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

/* Inlined, so that the four words stay in registers. */
static inline __attribute__((always_inline)) void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with one
 * round a block and three at the end. Words are little endian. */
uint64_t siphash13(const uint64_t key[2], const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t last = (uint64_t)n << 56;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};

    for (; n >= 8; n -= 8, b += 8) {
        uint64_t word;

        memcpy(&word, b, sizeof word);
        word = le64toh(word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (unsigned i = 0; i < n; i++)
        last |= (uint64_t)b[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
