#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "scratch.h"

static void what_is_written_is_read(void **state)
{
    const char *path = scratch_path(state, "whole");
    struct arena *a = arena_open();
    size_t n = 300000;
    char *bytes = arena_alloc(a, n);
    struct stat st;
    struct err e;
    str text;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31);
    assert_int_equal(file_write_atomic(path, (str){bytes, n}, 0600, &e), RC_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, n, a, &text, &e), RC_OK);
    assert_true(str_eq(text, (str){bytes, n}));
    assert_int_equal(text.p[n], 0);
    assert_int_equal(file_write_atomic(path, STR_NONE, 0600, &e), RC_OK);
    assert_int_equal(file_read(path, n, a, &text, &e), RC_OK);
    assert_int_equal(text.n, 0);
    arena_close(a);
}

static void larger_files_are_refused(void **state)
{
    const char *path = scratch_path(state, "large");
    struct arena *a = arena_open();
    struct err e;
    str text;

    assert_int_equal(file_write_atomic(path, STR("123456"), 0600, &e), RC_OK);
    assert_int_equal(file_read(path, 6, a, &text, &e), RC_OK);
    assert_int_equal(file_read(path, 5, a, &text, &e), RC_LIMIT);
    assert_int_equal(file_read("/dev/zero", 100000, a, &text, &e), RC_LIMIT);
    arena_close(a);
}

static void sizes_that_lie_do_not_matter(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str text;

    (void)state;
    assert_int_equal(file_read("/proc/self/status", 100000, a, &text, &e),
                     RC_OK);
    assert_true(text.n > 100);
    arena_close(a);
}

static void missing_files_are_told_apart(void **state)
{
    const char *path = scratch_path(state, "missing");
    struct arena *a = arena_open();
    struct file_map m;
    uint64_t bytes;
    struct err e;
    str text;

    assert_int_equal(file_read(path, 10, a, &text, &e), RC_NOTFOUND);
    assert_int_equal(e.sys, ENOENT);
    assert_int_equal(file_size(path, &bytes, &e), RC_NOTFOUND);
    assert_int_equal(file_map(path, &m, &e), RC_NOTFOUND);
    assert_false(file_exists(path));
    arena_close(a);
}

/* Whatever call fails, the old text or the new stands there whole, nothing is
 * left beside it, and a success is not claimed. */
static void a_failed_write_leaves_one_or_the_other(void **state)
{
    const char *path = scratch_path(state, "atomic/f");
    const char *dir = scratch_path(state, "atomic");
    struct arena *a = arena_open();
    struct err e;
    rc code = RC_IO;
    int k;

    assert_int_equal(file_mkdirs(dir, 0700, &e), RC_OK);
    for (k = 1; code != RC_OK; k++) {
        char plan[40];
        str text, *names;
        size_t n;

        assert_in_range(k, 1, 20);
        assert_int_equal(file_write_atomic(path, STR("old"), 0600, &e), RC_OK);
        (void)snprintf(plan, sizeof plan, "fail@%d:ENOSPC", k);
        io_plan_set(plan);
        code = file_write_atomic(path, STR("new text"), 0600, &e);
        io_plan_set(NULL);
        if (code != RC_OK)
            assert_int_equal(code, RC_NOSPACE);
        assert_int_equal(file_read(path, 100, a, &text, &e), RC_OK);
        assert_true(str_eq(text, STR("new text")) ||
                    (code != RC_OK && str_eq(text, STR("old"))));
        assert_int_equal(file_list(dir, 10, a, &names, &n, &e), RC_OK);
        assert_int_equal(n, 1);
    }
    /* open, pwrite, fsync, rename, fsync of the folder */
    assert_int_equal(k, 7);
    arena_close(a);
}

static void a_short_file_is_corrupt(void **state)
{
    const char *path = scratch_path(state, "cut");
    char to[10];
    struct err e;
    int fd;

    assert_int_equal(file_write_atomic(path, STR("12345"), 0600, &e), RC_OK);
    fd = io_open(path, O_RDONLY, 0);
    assert_int_equal(file_pread_all(fd, path, to, 3, 2, &e), RC_OK);
    assert_int_equal(file_pread_all(fd, path, to, 4, 2, &e), RC_CORRUPT);
    assert_int_equal(file_pread_all(fd, path, to, 1, 100, &e), RC_CORRUPT);
    assert_int_equal(io_close(fd), 0);
}

static void folders_are_made_along_the_way(void **state)
{
    const char *path = scratch_path(state, "a//b/c/");
    struct err e;

    assert_int_equal(file_mkdirs(path, 0700, &e), RC_OK);
    assert_true(file_exists(scratch_path(state, "a/b/c")));
    assert_int_equal(file_mkdirs(path, 0700, &e), RC_OK);
    assert_int_equal(
        file_write_atomic(scratch_path(state, "a/f"), STR("x"), 0600, &e),
        RC_OK);
    assert_true(file_mkdirs(scratch_path(state, "a/f"), 0700, &e) != RC_OK);
    assert_true(file_mkdirs(scratch_path(state, "a/f/g"), 0700, &e) != RC_OK);
    assert_int_equal(file_mkdirs("/", 0700, &e), RC_OK);
    assert_true(file_mkdirs("", 0700, &e) != RC_OK);
}

static void relative_paths_work(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str text;

    assert_int_equal(chdir(*state), 0);
    assert_int_equal(file_write_atomic("plain", STR("x"), 0600, &e), RC_OK);
    assert_int_equal(file_read("plain", 10, a, &text, &e), RC_OK);
    assert_int_equal(file_mkdirs("p/q", 0700, &e), RC_OK);
    assert_int_equal(chdir("/"), 0);
    arena_close(a);
}

static void lists_are_sorted_and_bounded(void **state)
{
    static const char *const NAMES[] = {"b", "a", "c", ".h"};
    const char *dir = scratch_path(state, "list");
    struct arena *a = arena_open();
    struct err e;
    str *names;
    size_t n;

    assert_int_equal(file_mkdirs(dir, 0700, &e), RC_OK);
    assert_int_equal(file_list(dir, 0, a, &names, &n, &e), RC_OK);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        char path[600];

        (void)snprintf(path, sizeof path, "%s/%s", dir, NAMES[i]);
        assert_int_equal(file_write_atomic(path, STR_NONE, 0600, &e), RC_OK);
    }
    assert_int_equal(file_list(dir, 4, a, &names, &n, &e), RC_OK);
    assert_int_equal(n, 4);
    assert_true(str_eq(names[0], STR(".h")));
    assert_true(str_eq(names[3], STR("c")));
    assert_int_equal(file_list(dir, 3, a, &names, &n, &e), RC_LIMIT);
    assert_int_equal(file_list(scratch_path(state, "no"), 3, a, &names, &n, &e),
                     RC_NOTFOUND);
    arena_close(a);
}

static void a_lock_has_one_holder(void **state)
{
    const char *path = scratch_path(state, "lock");
    struct err e;
    int first, second;

    assert_int_equal(file_lock(path, &first, &e), RC_OK);
    assert_int_equal(file_lock(path, &second, &e), RC_BUSY);
    assert_int_equal(second, -1);
    assert_int_equal(io_close(first), 0);
    assert_int_equal(file_lock(path, &second, &e), RC_OK);
    assert_int_equal(io_close(second), 0);
}

static void a_lock_dies_with_its_process(void **state)
{
    const char *path = scratch_path(state, "lock2");
    struct err e;
    int fd, status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(file_lock(path, &fd, &e) == RC_OK ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(file_lock(path, &fd, &e), RC_OK);
    assert_int_equal(io_close(fd), 0);
}

static void mappings_show_the_file(void **state)
{
    const char *path = scratch_path(state, "map");
    struct file_map m;
    uint64_t bytes;
    struct err e;

    assert_int_equal(file_write_atomic(path, STR("mapped"), 0600, &e), RC_OK);
    assert_int_equal(file_map(path, &m, &e), RC_OK);
    assert_int_equal(m.n, 6);
    assert_memory_equal(m.p, "mapped", 6);
    file_unmap(&m);
    assert_null(m.p);
    file_unmap(&m);
    assert_int_equal(file_write_atomic(path, STR_NONE, 0600, &e), RC_OK);
    assert_int_equal(file_map(path, &m, &e), RC_OK);
    assert_int_equal(m.n, 0);
    file_unmap(&m);
    assert_int_equal(file_size(path, &bytes, &e), RC_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(file_space_free(*state, &bytes, &e), RC_OK);
    assert_true(bytes > 0);
}

static void *map_and_unmap(void *path)
{
    for (int i = 0; i < 300; i++) {
        struct file_map m;
        struct err e;

        if (file_map(path, &m, &e) != RC_OK || m.p[0] != 'm')
            return path;
        file_unmap(&m);
    }
    return NULL;
}

static void threads_may_map_at_once(void **state)
{
    char path[512];
    pthread_t threads[4];
    struct err e;

    (void)snprintf(path, sizeof path, "%s", scratch_path(state, "maps"));
    assert_int_equal(file_write_atomic(path, STR("mapped"), 0600, &e), RC_OK);
    for (size_t i = 0; i < NELEMS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, map_and_unmap, path),
                         0);
    for (size_t i = 0; i < NELEMS(threads); i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

/* Maps three files, cuts the second and reads it. */
static void read_a_cut_mapping(void **state)
{
    static const char *const NAMES[] = {"seg1", "seg2", "seg3"};
    struct file_map m[3];
    struct err e;
    char page[4096] = {0};

    if (file_map_guard(scratch_path(state, "bad_map"), &e) != RC_OK)
        _exit(1);
    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        const char *path = scratch_path(state, NAMES[i]);

        if (file_write_atomic(path, (str){page, sizeof page}, 0600, &e) !=
                RC_OK ||
            file_map(path, &m[i], &e) != RC_OK)
            _exit(2);
    }
    if (truncate(scratch_path(state, "seg2"), 0) != 0)
        _exit(3);
    _exit(*(volatile const uint8_t *)m[1].p == 1 ? 4 : 5);
}

static void a_bad_page_leaves_a_note(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str text;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        read_a_cut_mapping(state);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
    assert_int_equal(
        file_read(scratch_path(state, "bad_map"), 1000, a, &text, &e), RC_OK);
    assert_true(str_eq(text, str_of(scratch_path(state, "seg2"))));
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(larger_files_are_refused),
        cmocka_unit_test(sizes_that_lie_do_not_matter),
        cmocka_unit_test(missing_files_are_told_apart),
        cmocka_unit_test(a_failed_write_leaves_one_or_the_other),
        cmocka_unit_test(a_short_file_is_corrupt),
        cmocka_unit_test(folders_are_made_along_the_way),
        cmocka_unit_test(relative_paths_work),
        cmocka_unit_test(lists_are_sorted_and_bounded),
        cmocka_unit_test(a_lock_has_one_holder),
        cmocka_unit_test(a_lock_dies_with_its_process),
        cmocka_unit_test(mappings_show_the_file),
        cmocka_unit_test(threads_may_map_at_once),
        cmocka_unit_test(a_bad_page_leaves_a_note),
    };

    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
