#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void equal_seeds_give_equal_numbers(void **state)
{
    struct rng a = rng_seeded(42), b = rng_seeded(42), c = rng_seeded(43);
    bool differs = false;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t v = rng_next(&a);

        assert_true(v == rng_next(&b));
        differs |= v != rng_next(&c);
    }
    assert_true(differs);
}

/* The first outputs of the authors' xoroshiro128plusplus.c for s = {1, 2}. */
static void numbers_are_xoroshiro(void **state)
{
    struct rng r = {{1, 2}};

    (void)state;
    assert_true(rng_next(&r) == 393217);
    assert_true(rng_next(&r) == 669327710093319);
    assert_true(rng_next(&r) == 1732421326133921491);
}

static void bounded_numbers_are_spread_evenly(void **state)
{
    struct rng r = rng_seeded(7);
    unsigned seen[7] = {0};

    (void)state;
    for (int i = 0; i < 70000; i++)
        seen[rng_below(&r, 7)]++;
    for (size_t i = 0; i < NELEMS(seen); i++)
        assert_in_range(seen[i], 9600, 10400);
    assert_int_equal(rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

static void random_bytes_fill_all(void **state)
{
    uint8_t bytes[1000], seen[256] = {0};
    unsigned kinds = 0;

    (void)state;
    rng_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        seen[bytes[i]] = 1;
    for (size_t i = 0; i < sizeof seen; i++)
        kinds += seen[i];
    assert_true(kinds > 200);
}

/* In a child, since the seed is read once. */
static void seeded_bytes(uint8_t to[20])
{
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        char *argv[] = {(char[]){"test_rng"}, (char[]){"bytes"}, NULL};

        (void)setenv("KNOWD_RNG_SEED", "5", 1);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execv("/proc/self/exe", argv);
        _exit(1);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(read(ends[0], to, 20), 20);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_test_seed_repeats_the_bytes(void **state)
{
    uint8_t a[20], b[20];

    (void)state;
    seeded_bytes(a);
    seeded_bytes(b);
    assert_memory_equal(a, b, sizeof a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_give_equal_numbers),
        cmocka_unit_test(numbers_are_xoroshiro),
        cmocka_unit_test(bounded_numbers_are_spread_evenly),
        cmocka_unit_test(random_bytes_fill_all),
        cmocka_unit_test(a_test_seed_repeats_the_bytes),
    };

    if (argc == 2 && strcmp(argv[1], "bytes") == 0) {
        uint8_t bytes[20];

        rng_bytes(bytes, sizeof bytes);
        return write(STDOUT_FILENO, bytes, sizeof bytes) == sizeof bytes ? 0
                                                                         : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
