#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "scratch.h"

static int no_plan(void **state)
{
    (void)state;
    io_plan_set(NULL);
    return 0;
}

static void the_kth_call_fails_once(void **state)
{
    (void)state;
    io_plan_set("fail@3:EIO");
    for (int k = 1; k <= 5; k++)
        assert_int_equal(io_gate(IO_FSYNC, "x"), k == 3 ? EIO : 0);
    assert_int_equal(io_plan_count(), 5);
}

static void sticky_failures_stay(void **state)
{
    (void)state;
    io_plan_set("fail@3:ENOSPC:sticky");
    for (int k = 1; k <= 5; k++)
        assert_int_equal(io_gate(IO_PWRITE, NULL), k >= 3 ? ENOSPC : 0);
    io_plan_set("fail@3:ENOSPC:times=2");
    for (int k = 1; k <= 5; k++)
        assert_int_equal(io_gate(IO_PWRITE, NULL),
                         k == 3 || k == 4 ? ENOSPC : 0);
}

static void only_the_named_kinds_count(void **state)
{
    (void)state;
    io_plan_set("fail@2:EDQUOT:fsync,pwrite");
    assert_int_equal(io_gate(IO_FSYNC, NULL), 0);
    assert_int_equal(io_gate(IO_OPEN, NULL), 0);
    assert_int_equal(io_gate(IO_ALLOC, NULL), 0);
    assert_int_equal(io_gate(IO_PWRITE, NULL), EDQUOT);
    assert_int_equal(io_plan_count(), 2);
    io_plan_set("fail@0:EIO:write");
    for (unsigned kind = 0; kind < IO_KIND_COUNT; kind++)
        assert_int_equal(io_gate((enum io_kind)kind, NULL), 0);
    assert_int_equal(io_plan_count(), 7);
}

static void only_the_named_paths_count(void **state)
{
    (void)state;
    io_plan_set("fail@1:EIO:sticky:pwrite:path=a:b.db");
    assert_int_equal(io_gate(IO_PWRITE, "x/other"), 0);
    assert_int_equal(io_gate(IO_PWRITE, NULL), 0);
    assert_int_equal(io_gate(IO_FSYNC, "x/a:b.db"), 0);
    assert_int_equal(io_gate(IO_PWRITE, "x/a:b.db-wal"), EIO);
}

static void without_a_plan_nothing_counts(void **state)
{
    (void)state;
    assert_int_equal(io_gate(IO_PWRITE, "x"), 0);
    assert_int_equal(io_plan_count(), 0);
}

static void every_wrapper_passes_the_gate(void **state)
{
    const char *path = scratch_path(state, "gate");
    const char *to = scratch_path(state, "gate2");
    char byte;
    int fd = io_open(path, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    io_plan_set("fail@1:EROFS:sticky");
    assert_int_equal(io_open(path, O_RDONLY, 0), -1);
    assert_int_equal(errno, EROFS);
    assert_int_equal(io_pread(fd, path, &byte, 1, 0), -1);
    assert_int_equal(io_pwrite(fd, path, "x", 1, 0), -1);
    assert_int_equal(io_fsync(fd, path), -1);
    assert_int_equal(io_fsync_dir(*state), -1);
    assert_int_equal(io_ftruncate(fd, path, 5), -1);
    assert_int_equal(io_rename(path, to), -1);
    assert_int_equal(io_link(path, to), -1);
    assert_int_equal(io_unlink(path), -1);
    assert_int_equal(io_mkdir(to, 0700), -1);
    assert_ptr_equal(io_mmap(fd, path, 1), MAP_FAILED);
    assert_null(mem_try(10));
    assert_null(mem_try_resize(NULL, 10));
    assert_int_equal(errno, EROFS);
    assert_int_equal(io_plan_count(), 13);
    io_plan_set(NULL);
    assert_true(file_exists(path));
    assert_false(file_exists(to));
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    assert_int_equal(io_close(fd), 0);
}

static void short_counts_are_continued(void **state)
{
    const char *path = scratch_path(state, "short");
    char back[10];
    int fd = io_open(path, O_RDWR | O_CREAT, 0600);
    struct err e;

    io_plan_set("fail@1:SHORT:pwrite");
    assert_int_equal(io_pwrite(fd, path, "0123456789", 10, 0), 5);
    io_plan_set("fail@1:SHORT:sticky:pwrite,pread");
    assert_int_equal(file_pwrite_all(fd, path, STR("0123456789"), 0, &e),
                     RC_OK);
    assert_int_equal(file_pread_all(fd, path, back, 10, 0, &e), RC_OK);
    assert_memory_equal(back, "0123456789", 10);
    /* 10 = 5 + 2 + 1 + 1 + 1, twice */
    assert_int_equal(io_plan_count(), 10);
    io_plan_set("fail@2:EINTR");
    assert_int_equal(file_pwrite_all(fd, path, STR("ab"), 0, &e), RC_OK);
    assert_int_equal(file_pread_all(fd, path, back, 2, 0, &e), RC_OK);
    assert_int_equal(io_close(fd), 0);
}

static int status_of(void (*child)(void **), void **state)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        child(state);
        exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void die_at_the_third(void **state)
{
    (void)state;
    io_plan_set("exit@3:rename");
    for (int k = 0; k < 10; k++) {
        (void)io_gate(IO_RENAME, NULL);
        (void)io_gate(IO_FSYNC, NULL);
        if (io_plan_count() >= 3)
            _exit(1);
    }
}

static void the_process_ends_at_the_kth_call(void **state)
{
    assert_int_equal(status_of(die_at_the_third, state), 137);
}

static void plan_badly(void **state)
{
    (void)state;
    (void)close(STDERR_FILENO);
    io_plan_set("fail@3");
}

static void misspell_a_kind(void **state)
{
    (void)state;
    (void)close(STDERR_FILENO);
    io_plan_set("exit@3:fsynk");
}

static void a_plan_that_cannot_be_read_stops(void **state)
{
    assert_int_equal(status_of(plan_badly, state), 2);
    assert_int_equal(status_of(misspell_a_kind, state), 2);
}

static void count_three(void **state)
{
    char plan[600];

    (void)snprintf(plan, sizeof plan, "exit@0:write;count=%s",
                   scratch_path(state, "count"));
    (void)setenv("KNOWD_FAULT", plan, 1);
    io_plan_from_env();
    for (int k = 0; k < 3; k++) {
        (void)io_gate(IO_PWRITE, NULL);
        (void)io_gate(IO_PREAD, NULL);
    }
}

static void the_count_is_written_at_exit(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str text;

    assert_int_equal(status_of(count_three, state), 0);
    assert_int_equal(file_read(scratch_path(state, "count"), 100, a, &text, &e),
                     RC_OK);
    assert_true(str_eq(text, STR("3\n")));
    arena_close(a);
}

static void check_record(struct cur *c, enum io_kind kind, const char *path,
                         uint64_t offset, str bytes)
{
    uint32_t path_n;
    uint64_t n;

    assert_int_equal(cur_u32(c), kind);
    path_n = cur_u32(c);
    assert_int_equal(cur_u64(c), offset);
    n = cur_u64(c);
    assert_true(str_eq(cur_bytes(c, path_n), str_of(path)));
    assert_true(str_eq(cur_bytes(c, n), bytes));
    assert_false(c->bad);
}

static void writes_are_recorded_in_order(void **state)
{
    const char *path = scratch_path(state, "written");
    const char *to = scratch_path(state, "renamed");
    const char *record = scratch_path(state, "record");
    struct arena *a = arena_open();
    struct cur c;
    struct err e;
    str text;
    char plan[600];
    int fd;

    (void)snprintf(plan, sizeof plan, "record=%s", record);
    io_plan_set(plan);
    fd = io_open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(io_pwrite(fd, path, "hello", 5, 7), 5);
    assert_int_equal(io_fsync(fd, path), 0);
    assert_int_equal(io_ftruncate(fd, path, 3), 0);
    assert_int_equal(io_rename(path, to), 0);
    assert_int_equal(io_fsync_dir(*state), 0);
    assert_int_equal(io_close(fd), 0);
    assert_int_equal(io_unlink(to), 0);
    io_plan_set(NULL);
    assert_int_equal(file_read(record, 10000, a, &text, &e), RC_OK);
    c = cur_of(text);
    check_record(&c, IO_OPEN, path, O_RDWR | O_CREAT, STR_NONE);
    check_record(&c, IO_PWRITE, path, 7, STR("hello"));
    check_record(&c, IO_FSYNC, path, 0, STR_NONE);
    check_record(&c, IO_FTRUNCATE, path, 3, STR_NONE);
    check_record(&c, IO_RENAME, path, 0, str_of(to));
    check_record(&c, IO_FSYNC, *state, 0, STR_NONE);
    check_record(&c, IO_UNLINK, to, 0, STR_NONE);
    assert_ptr_equal(c.p, c.end);
    arena_close(a);
}

static void *pass_the_gate(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        if (io_gate(IO_PREAD, "a") != 0)
            return stop;
    }
    return NULL;
}

/* A plan comes and goes while another thread calls: each call sees one plan
 * whole. Thread sanitizer watches. */
static void a_plan_is_set_beside_calls(void **state)
{
    atomic_bool stop = false;
    pthread_t t;
    void *wrong;

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, pass_the_gate, &stop), 0);
    for (int i = 0; i < 500; i++) {
        io_plan_set(i % 2 == 0 ? "fail@1:EIO:write" : "fail@2:ENOSPC:fsync");
        assert_int_equal(io_gate(IO_FSYNC, "a"), i % 2 == 0 ? EIO : 0);
        assert_int_equal(io_gate(IO_FSYNC, "a"), i % 2 == 0 ? 0 : ENOSPC);
        assert_int_equal(io_plan_count(), 2);
        io_plan_set(NULL);
        assert_int_equal(io_gate(IO_FSYNC, "a"), 0);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(t, &wrong), 0);
    assert_null(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_kth_call_fails_once, no_plan),
        cmocka_unit_test_teardown(sticky_failures_stay, no_plan),
        cmocka_unit_test_teardown(only_the_named_kinds_count, no_plan),
        cmocka_unit_test_teardown(only_the_named_paths_count, no_plan),
        cmocka_unit_test_teardown(without_a_plan_nothing_counts, no_plan),
        cmocka_unit_test_teardown(every_wrapper_passes_the_gate, no_plan),
        cmocka_unit_test_teardown(short_counts_are_continued, no_plan),
        cmocka_unit_test_teardown(the_process_ends_at_the_kth_call, no_plan),
        cmocka_unit_test_teardown(a_plan_that_cannot_be_read_stops, no_plan),
        cmocka_unit_test_teardown(the_count_is_written_at_exit, no_plan),
        cmocka_unit_test_teardown(writes_are_recorded_in_order, no_plan),
        cmocka_unit_test(a_plan_is_set_beside_calls),
    };

    return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
