#include "base/seg.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc.h"

static char dir[] = "/tmp/knowd-seg-XXXXXX";
static char path[64], tmp_path[64];

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/a.seg", dir);
    (void)snprintf(tmp_path, sizeof tmp_path, "%s/a.seg.tmp", dir);
    return 0;
}

static int folder_drop(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static const char SECOND[] = "second section, longer than the first";

static uint64_t put_two(struct seg_writer *w, const char *first)
{
    struct err e;
    uint64_t bytes, digest;

    assert_int_equal(seg_section(w, "ONE ", &e), RC_OK);
    assert_int_equal(seg_put(w, first, strlen(first), &e), RC_OK);
    assert_int_equal(seg_section_bytes(w), strlen(first));
    assert_int_equal(seg_section(w, "NONE", &e), RC_OK);
    assert_int_equal(seg_section(w, "TWO ", &e), RC_OK);
    for (size_t i = 0; i < sizeof SECOND; i++)
        assert_int_equal(seg_put(w, SECOND + i, 1, &e), RC_OK);
    assert_int_equal(seg_writer_end(w, &bytes, &e), RC_OK);
    digest = seg_writer_digest(w);
    seg_writer_close(w);
    return digest;
}

static uint64_t write_two(const char *first)
{
    struct seg_writer *w = NULL;
    struct err e;

    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    return put_two(w, first);
}

static str read_all(struct arena *a)
{
    str bytes;
    struct err e;

    assert_int_equal(file_read(path, 1 << 20, a, &bytes, &e), RC_OK);
    return bytes;
}

static void what_was_put_is_found(void **state)
{
    uint64_t digest = write_two("first");
    struct seg *s = NULL;
    struct err e;

    (void)state;
    assert_int_equal(seg_open(path, &s, &e), RC_OK);
    assert_true(str_eq(seg_find(s, "ONE "), STR("first")));
    assert_true(str_eq(seg_find(s, "TWO "), (str){SECOND, sizeof SECOND}));
    assert_int_equal(seg_find(s, "NONE").n, 0);
    assert_int_equal(seg_find(s, "MORE").n, 0);
    assert_int_equal((uintptr_t)seg_find(s, "TWO ").p % 64, 0);
    assert_true(seg_digest(s) == digest);
    seg_close(s);
    assert_false(file_exists(tmp_path));
}

static void a_file_without_a_name_gets_the_same_bytes(void **state)
{
    struct arena *a = arena_open();
    struct seg_writer *w = NULL;
    struct err e;
    uint64_t digest = write_two("first");
    str want = read_all(a);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *is = arena_alloc(a, want.n + 1);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(seg_writer_open_on(fd, path, &w, &e), RC_OK);
    assert_true(put_two(w, "first") == digest);
    assert_int_equal(pread(fd, is, want.n + 1, 0), want.n);
    assert_memory_equal(is, want.p, want.n);
    assert_false(file_exists(path) || file_exists(tmp_path));
    assert_int_equal(close(fd), 0); /* it stayed the caller's */
    arena_close(a);
}

static void other_content_has_another_digest(void **state)
{
    (void)state;
    assert_true(write_two("first") == write_two("first"));
    assert_true(write_two("first") != write_two("fi.st"));
}

static void a_writer_closed_early_leaves_no_file(void **state)
{
    struct seg_writer *w = NULL;
    struct err e;

    (void)state;
    (void)unlink(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(seg_section(w, "ONE ", &e), RC_OK);
    assert_true(file_exists(tmp_path));
    seg_writer_close(w);
    assert_false(file_exists(tmp_path));
    assert_false(file_exists(path));
}

static void a_cancelled_writer_stops_and_leaves_no_file(void **state)
{
    struct seg_writer *w = NULL;
    struct err e = {0};
    atomic_bool cancel = false;
    rc code = RC_OK;

    (void)state;
    (void)unlink(path);
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    seg_writer_cancel_on(w, &cancel);
    assert_int_equal(seg_section(w, "ONE ", &e), RC_OK);
    for (size_t i = 0; i < 4000 && code == RC_OK; i++) {
        code = seg_put(w, SECOND, sizeof SECOND, &e);
        atomic_store(&cancel, i > 10);
    }
    assert_int_equal(code, RC_CANCELLED);
    seg_writer_close(w);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(tmp_path, F_OK), -1);
}

static void a_missing_file_is_not_found(void **state)
{
    struct seg *s = NULL;
    struct err e;

    (void)state;
    assert_int_equal(seg_open("/nonexistent/a.seg", &s, &e), RC_NOTFOUND);
    assert_null(s);
}

static void every_cut_is_corrupt(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str bytes;

    (void)state;
    (void)write_two("first");
    bytes = read_all(a);
    for (size_t n = 0; n < bytes.n; n++) {
        struct seg *s = NULL;

        assert_int_equal(seg_open_bytes((str){bytes.p, n}, false, &s, &e),
                         RC_CORRUPT);
        assert_null(s);
    }
    arena_close(a);
}

/* Of every bit; what lies between sections is nobody's and may differ. */
static void every_flipped_bit_is_corrupt_or_nobodys(void **state)
{
    struct arena *a = arena_open();
    struct err e;
    str bytes;
    char *copy;
    size_t unseen = 0;

    (void)state;
    (void)write_two("first");
    bytes = read_all(a);
    copy = arena_cstr(a, bytes);
    for (size_t i = 0; i < bytes.n * 8; i++) {
        struct seg *s = NULL;
        rc code;

        copy[i / 8] ^= (char)(1 << i % 8);
        code = seg_open_bytes((str){copy, bytes.n}, false, &s, &e);
        if (code == RC_OK) {
            assert_true(str_eq(seg_find(s, "ONE "), STR("first")));
            assert_true(
                str_eq(seg_find(s, "TWO "), (str){SECOND, sizeof SECOND}));
            unseen++;
        } else {
            assert_int_equal(code, RC_CORRUPT);
        }
        seg_close(s);
        copy[i / 8] ^= (char)(1 << i % 8);
    }
    assert_true(unseen < 64 * 3 * 8);
    arena_close(a);
}

static rc verify(const struct seg *s, uint64_t *bytes)
{
    struct seg_verifier *v = NULL;
    struct err e = {0};
    size_t some = 1;
    rc code = seg_verifier_open(s, path, &v, &e);

    *bytes = 0;
    while (code == RC_OK && some > 0) {
        code = seg_verifier_step(v, &some, &e);
        *bytes += some;
    }
    seg_verifier_close(v);
    return code;
}

static void put_at(const char *byte, size_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, byte, 1, (off_t)at), 1);
    (void)close(fd);
}

/* What opening would find now, of every bit and every cut. */
static void a_verifier_finds_what_opening_finds(void **state)
{
    struct arena *a = arena_open();
    struct seg *s = NULL, *again;
    struct err e;
    uint64_t bytes;
    str was;
    char *copy;

    (void)state;
    (void)write_two("first");
    was = read_all(a);
    copy = arena_cstr(a, was);
    assert_int_equal(seg_open(path, &s, &e), RC_OK);
    assert_int_equal(verify(s, &bytes), RC_OK);
    assert_int_equal(bytes, strlen("first") + sizeof SECOND);
    for (size_t i = 0; i < was.n * 8; i++) {
        rc want;

        copy[i / 8] ^= (char)(1 << i % 8);
        put_at(&copy[i / 8], i / 8);
        want = seg_open_bytes((str){copy, was.n}, false, &again, &e);
        if (want == RC_OK)
            seg_close(again);
        assert_int_equal(verify(s, &bytes), want);
        copy[i / 8] ^= (char)(1 << i % 8);
        put_at(&copy[i / 8], i / 8);
    }
    assert_int_equal(verify(s, &bytes), RC_OK);
    for (size_t n = was.n; n-- > 0;) {
        assert_int_equal(truncate(path, (off_t)n), 0);
        assert_int_equal(verify(s, &bytes), RC_CORRUPT);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify(s, &bytes), RC_NOTFOUND);
    /* another file in its place, sound in itself */
    (void)write_two("fi.st");
    assert_int_equal(verify(s, &bytes), RC_CORRUPT);
    seg_close(s);
    arena_close(a);
}

enum { LARGE = 3 << 20 };

static size_t pages_held(void)
{
    static unsigned char held[LARGE / 4096 + 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t bytes = lseek(fd, 0, SEEK_END);
    void *p = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

    assert_true(p != MAP_FAILED);
    assert_int_equal(mincore(p, (size_t)bytes, held), 0);
    for (size_t i = 0; i < ((size_t)bytes + page - 1) / page; i++)
        n += held[i] & 1;
    (void)munmap(p, (size_t)bytes);
    (void)close(fd);
    return n;
}

/* Read in steps; what the page cache didn't hold it doesn't hold afterwards
 * (but for a few pages that parts share), and what it held it still holds. */
static void a_verifier_leaves_the_page_cache_as_it_was(void **state)
{
    struct seg_writer *w = NULL;
    struct seg *s = NULL;
    struct err e;
    uint64_t bytes;
    size_t before, after;
    bool cold = false;
    char some[4096];
    int fd;

    (void)state;
    assert_int_equal(seg_writer_open(path, &w, &e), RC_OK);
    assert_int_equal(seg_section(w, "ONE ", &e), RC_OK);
    for (size_t i = 0; i < LARGE / sizeof some; i++) {
        memset(some, (int)i, sizeof some);
        assert_int_equal(seg_put(w, some, sizeof some, &e), RC_OK);
    }
    assert_int_equal(seg_writer_end(w, NULL, &e), RC_OK);
    seg_writer_close(w);
    assert_int_equal(seg_open(path, &s, &e), RC_OK);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int warm = 0; warm < 2; warm++) {
        if (!warm)
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        else
            for (off_t at = 0; at < LARGE; at += (off_t)sizeof some)
                assert_int_equal(pread(fd, some, sizeof some, at), sizeof some);
        before = pages_held();
        assert_int_equal(verify(s, &bytes), RC_OK);
        assert_int_equal(bytes, LARGE);
        after = pages_held();
        assert_true(after <= before + 8);
        if (warm == 0) /* in memory nothing is ever given back */
            cold = before < LARGE / 4096 / 2;
        else if (before > LARGE / 4096 / 2) /* memory may be short */
            assert_true(after > before / 2);
    }
    if (!cold)
        print_message("not seen: the folder's pages can't be given back\n");
    put_at("x", 2 << 20);
    assert_int_equal(verify(s, &bytes), RC_CORRUPT);
    (void)close(fd);
    seg_close(s);
}

static void a_newer_format_is_unsupported(void **state)
{
    struct arena *a = arena_open();
    struct seg *s = NULL;
    struct err e;
    uint32_t crc;
    str bytes;
    char *copy;

    (void)state;
    (void)write_two("first");
    bytes = read_all(a);
    copy = arena_cstr(a, bytes);
    copy[8] = 2;
    crc = crc32c(copy, 60);
    memcpy(copy + 60, &crc, sizeof crc);
    assert_int_equal(seg_open_bytes((str){copy, bytes.n}, false, &s, &e),
                     RC_UNSUPPORTED);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_file_without_a_name_gets_the_same_bytes),
        cmocka_unit_test(other_content_has_another_digest),
        cmocka_unit_test(a_writer_closed_early_leaves_no_file),
        cmocka_unit_test(a_cancelled_writer_stops_and_leaves_no_file),
        cmocka_unit_test(a_missing_file_is_not_found),
        cmocka_unit_test(every_cut_is_corrupt),
        cmocka_unit_test(every_flipped_bit_is_corrupt_or_nobodys),
        cmocka_unit_test(a_verifier_finds_what_opening_finds),
        cmocka_unit_test(a_verifier_leaves_the_page_cache_as_it_was),
        cmocka_unit_test(a_newer_format_is_unsupported),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}
