#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena *a = arena_open();

    (void)state;
    for (size_t n = 0; n < 5000; n += 7) {
        unsigned char *p = arena_alloc(a, n);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    arena_close(a);
    arena_close(NULL);
}

static void a_rewind_frees_what_came_later(void **state)
{
    struct arena *a = arena_open();
    char *kept = arena_cstr(a, STR("kept"));
    struct arena_mark m = arena_mark(a);
    size_t bytes = arena_bytes(a);
    void *first = arena_alloc(a, 100);

    (void)state;
    for (int i = 0; i < 1000; i++)
        (void)arena_alloc(a, 1000);
    assert_true(arena_bytes(a) > 1000 * 1000);
    arena_rewind(a, m);
    assert_true(arena_bytes(a) < bytes + 70000); /* one block is kept */
    assert_string_equal(kept, "kept");
    assert_ptr_equal(arena_alloc(a, 100), first);
    arena_close(a);
}

static void a_block_given_back_is_used_again(void **state)
{
    struct arena *a = arena_open();
    struct arena_mark m = arena_mark(a);
    void *first = arena_alloc(a, 1000);
    size_t bytes = arena_bytes(a);

    (void)state;
    for (int i = 0; i < 100; i++) {
        arena_rewind(a, m);
        assert_ptr_equal(arena_alloc(a, 1000), first);
        assert_int_equal(*(char *)first, 0);
        memset(first, 'x', 1000);
        assert_int_equal(arena_bytes(a), bytes);
    }
    arena_close(a);
}

static void a_rewind_to_the_start_empties(void **state)
{
    struct arena *a = arena_open();
    struct arena_mark m = arena_mark(a);

    (void)state;
    (void)arena_alloc(a, (size_t)3 << 20);
    arena_rewind(a, m);
    assert_int_equal(arena_bytes(a), 0);
    assert_non_null(arena_alloc(a, 1));
    arena_close(a);
}

static void copies_end_with_nul(void **state)
{
    struct arena *a = arena_open();
    str s = arena_str(a, STR("a\0b"));

    (void)state;
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4);
    assert_string_equal(arena_cstr(a, STR_NONE), "");
    s = arena_fmt(a, "%s-%d", "x", 42);
    assert_true(str_eq(s, STR("x-42")));
    assert_int_equal(s.p[s.n], 0);
    arena_close(a);
}

static void arrays_grow(void **state)
{
    struct arena *a = arena_open();
    size_t *v = NULL, n = 0, cap = 0;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        ARENA_PUSH(a, v, n, cap, i * i);
    assert_int_equal(n, 1000);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(v[i], i * i);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(a_rewind_frees_what_came_later),
        cmocka_unit_test(a_block_given_back_is_used_again),
        cmocka_unit_test(a_rewind_to_the_start_empties),
        cmocka_unit_test(copies_end_with_nul),
        cmocka_unit_test(arrays_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
