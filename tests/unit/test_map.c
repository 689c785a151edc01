#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

/* The key is zero and the bytes 0, 1, 2 …; made with Python 3.11:
 * PYTHONHASHSEED=0 python3 -c 'print(hash(bytes(range(n))))' */
static void siphash_equals_pythons(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } V[] = {
        {1, 0x68a914128e01e473},  {7, 0x2f098ab0c751325a},
        {8, 0xead411e67ebe2eea},  {9, 0x75927f9d95124362},
        {15, 0xf30eb725bb91c9ea}, {16, 0x8972188433a5c5b7},
        {63, 0x385d3e39e5f37359},
    };
    uint64_t key[2] = {0, 0};
    uint8_t bytes[64];

    (void)state;
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    for (size_t i = 0; i < NELEMS(V); i++)
        assert_true(siphash13(key, bytes, V[i].n) == V[i].hash);
}

static void a_slot_is_made_once(void **state)
{
    struct map *m = map_open();
    bool made = false;

    (void)state;
    assert_null(map_find(m, STR("a")));
    assert_false(map_drop(m, STR("a")));
    *map_slot(m, STR("a"), &made) = 7;
    assert_true(made);
    assert_int_equal(*map_slot(m, STR("a"), &made), 7);
    assert_false(made);
    *map_slot(m, STR(""), NULL) = 8;
    *map_slot(m, STR("a\0"), NULL) = 9;
    assert_int_equal(*map_find(m, STR("a")), 7);
    assert_int_equal(*map_find(m, STR_NONE), 8);
    assert_int_equal(*map_find(m, STR("a\0")), 9);
    assert_int_equal(map_count(m), 3);
    map_clear(m);
    assert_int_equal(map_count(m), 0);
    assert_null(map_find(m, STR("a")));
    *map_slot(m, STR("b"), NULL) = 1;
    assert_int_equal(map_count(m), 1);
    map_close(m);
    map_close(NULL);
}

#define KEYS 500

/* A plain array of values is the reference. */
static void a_random_history_matches_an_array(void **state)
{
    struct rng r = rng_seeded(11);
    struct map *m = map_open();
    uint64_t want[KEYS] = {0};
    size_t count = 0;

    (void)state;
    for (uint64_t step = 1; step <= 50000; step++) {
        size_t k = rng_below(&r, KEYS);
        char text[16];
        str key;

        (void)snprintf(text, sizeof text, "key %zu", k);
        key = str_of(text);
        if (rng_below(&r, 100) < 50) {
            bool made;

            *map_slot(m, key, &made) = step;
            assert_int_equal(made, want[k] == 0);
            count += made;
            want[k] = step;
        } else {
            assert_int_equal(map_drop(m, key), want[k] != 0);
            count -= want[k] != 0;
            want[k] = 0;
        }
        k = rng_below(&r, KEYS);
        (void)snprintf(text, sizeof text, "key %zu", k);
        if (want[k] == 0)
            assert_null(map_find(m, str_of(text)));
        else
            assert_int_equal(*map_find(m, str_of(text)), want[k]);
        assert_int_equal(map_count(m), count);
    }
    map_close(m);
}

static void a_walk_meets_each_once(void **state)
{
    struct map *m = map_open();
    size_t at = 0, n = 0;
    uint64_t seen[100] = {0}, value;
    str key;

    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        char text[16];

        (void)snprintf(text, sizeof text, "%d", (int)i);
        *map_slot(m, str_of(text), NULL) = i;
    }
    for (; map_next(m, &at, &key, &value); n++) {
        assert_int_equal(strtoull(key.p, NULL, 10), value);
        assert_int_equal(seen[value]++, 0);
    }
    assert_int_equal(n, 100);
    map_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_equals_pythons),
        cmocka_unit_test(a_slot_is_made_once),
        cmocka_unit_test(a_random_history_matches_an_array),
        cmocka_unit_test(a_walk_meets_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
