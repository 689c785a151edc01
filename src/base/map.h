/*
 * map: from bytes to a 64-bit value; keyed hash (SipHash-1-3 with a random
 * key), so that chosen keys don't collide.
 *
 * Owns:    copies of its keys.
 * Threads: one at a time.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map;
struct map *map_open(void);
void map_close(struct map *m); /* NULL is fine */
/* The slot of key, made with value 0 if absent (*made may be NULL). Valid
 * until the next map_slot or map_drop. */
uint64_t *map_slot(struct map *m, str key, bool *made) NEVER_NULL;
uint64_t *map_find(const struct map *m, str key); /* NULL: not there */
bool map_drop(struct map *m, str key);            /* false: was not there */
size_t map_count(const struct map *m);
void map_clear(struct map *m);
/* Walks all: *at starts at 0; false at the end. Order is arbitrary. */
bool map_next(const struct map *m, size_t *at, str *key, uint64_t *value);

uint64_t siphash13(const uint64_t key[2], const void *p, size_t n);

#endif
