/* Bodies: small and large, shared, released, damaged; and no file left. */
#include "store_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "store/frames_priv.h"
#include "store/store_priv.h"

static struct fix f;

static int set_up(void **state)
{
    (void)state;
    fix_open(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fix_close(&f);
    return 0;
}

static void say(void *arg, const char *line)
{
    (void)arg;
    print_error("%s\n", line);
}

static uint64_t findings(bool deep)
{
    uint64_t found = 0;

    must(store_check(f.s, deep, say, NULL, &found, &f.e), &f.e);
    return found;
}

static bool file_is_there(const sha256 *sha)
{
    char path[STORE_PATH_MAX];

    blob_path(f.s, sha, path);
    return file_exists(path);
}

/* The writer's sweep comes after the done of the write before it. */
static rc nothing(struct db *db, void *arg, struct err *e)
{
    (void)db;
    (void)arg;
    (void)e;
    return RC_OK;
}

static void let_the_writer_sweep(void)
{
    must(do_write(f.s, nothing, NULL, &f.e), &f.e);
    must(do_write(f.s, nothing, NULL, &f.e), &f.e);
}

static size_t files_in(const char *what)
{
    char command[128], text[32] = {0};
    FILE *p;

    (void)snprintf(command, sizeof command, "find '%s/%s' -type f | wc -l",
                   f.dir, what);
    p = popen(command, "r");
    assert_non_null(p);
    assert_non_null(fgets(text, sizeof text, p));
    (void)pclose(p);
    return strtoull(text, NULL, 10);
}

static struct db *reading(void)
{
    struct db *db;

    must(store_read_begin(f.s, &db, &f.e), &f.e);
    return db;
}

static rc read_body(const sha256 *sha, str *text)
{
    struct db *db = reading();
    rc code = blob_read(db, sha, 8 * MIB, f.a, text, &f.e);

    store_read_end(db);
    return code;
}

static void bodies_of_every_size_come_back(void **state)
{
    static const size_t SIZES[] = {0,      1,      4095,   4096,       4097,
                                   65535,  65536,  65537,  131071,     131072,
                                   131073, 300000, 655360, 1024 * 1024};

    (void)state;
    for (size_t i = 0; i < NELEMS(SIZES); i++) {
        str body = noise(&f, SIZES[i], i), text;
        struct intake_doc d;
        struct db *db;
        sha256 sha = sha256_of(body);

        intake(&f, &d, body);
        assert_int_equal(d.ref.bytes, SIZES[i]);
        assert_true(sha256_eq(&d.ref.sha, &sha));
        assert_int_equal(file_is_there(&sha), SIZES[i] > BLOB_INLINE_BYTES_MAX);
        must(read_body(&sha, &text), &f.e);
        assert_true(str_eq(text, body));
        db = reading();
        for (size_t at = 0; at <= SIZES[i] + 1; at += SIZES[i] / 7 + 1) {
            must(blob_read_range(db, &sha, at, 70000, f.a, &text, &f.e), &f.e);
            assert_true(str_eq(text, str_sub(body, at, 70000)));
        }
        if (SIZES[i] > 0)
            assert_int_equal(
                blob_read(db, &sha, SIZES[i] - 1, f.a, &text, &f.e), RC_LIMIT);
        store_read_end(db);
    }
    assert_int_equal(findings(true), 0);
    assert_int_equal(files_in("tmp"), 0);
}

static void bytes_may_come_in_any_pieces(void **state)
{
    str body = noise(&f, 200000, 3), text;
    struct intake_doc d = {.f = &f, .text = body};
    sha256 sha = sha256_of(body);

    (void)state;
    d.document = uuid_new();
    d.version = uuid_new();
    d.job = uuid_new();
    must(blob_writer_open(f.s, &d.body, &f.e), &f.e);
    for (size_t at = 0, n = 1; at < body.n; at += n, n = n * 3 % 9973 + 1)
        must(blob_put(d.body, body.p + at, str_sub(body, at, n).n, &f.e), &f.e);
    assert_int_equal(blob_writer_bytes(d.body), body.n);
    must(blob_end(d.body, &d.ref, &f.e), &f.e);
    assert_true(sha256_eq(&d.ref.sha, &sha));
    must(do_write(f.s, intake_write, &d, &f.e), &f.e);
    blob_writer_close(d.body);
    must(read_body(&sha, &text), &f.e);
    assert_true(str_eq(text, body));
}

static void a_child_reads_plain_bytes_from_a_descriptor(void **state)
{
    static const size_t SIZES[] = {0, 100, 200000, 17 * MIB};

    (void)state;
    for (size_t i = 0; i < NELEMS(SIZES); i++) {
        str body = noise(&f, SIZES[i], i);
        struct intake_doc d;
        struct stat st;
        struct db *db;
        char *is = arena_alloc(f.a, SIZES[i] + 1);
        int fd;

        intake(&f, &d, body);
        db = reading();
        must(blob_open_plain(db, &d.ref.sha, &fd, &f.e), &f.e);
        store_read_end(db);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, SIZES[i]);
        assert_int_equal(read(fd, is, SIZES[i] + 1), SIZES[i]);
        assert_memory_equal(is, body.p, SIZES[i]);
        (void)close(fd);
    }
    assert_int_equal(files_in("tmp"), 0);
}

static void a_cut_upload_leaves_no_file(void **state)
{
    str body = noise(&f, 300000, 1);
    struct intake_doc d;
    struct blob_writer *w;

    (void)state;
    must(blob_writer_open(f.s, &w, &f.e), &f.e);
    must(blob_put(w, body.p, body.n, &f.e), &f.e);
    assert_int_equal(files_in("tmp"), 1);
    blob_writer_close(w);
    assert_int_equal(files_in("tmp"), 0);
    /* Nor one that was ended and never used. */
    intake_prepare(&f, &d, body);
    assert_true(file_is_there(&d.ref.sha));
    blob_writer_close(d.body);
    let_the_writer_sweep();
    assert_false(file_is_there(&d.ref.sha));
}

static void the_last_use_takes_the_file(void **state)
{
    str body = noise(&f, 100000, 1), text;
    struct intake_doc a, b;

    (void)state;
    intake(&f, &a, body);
    intake(&f, &b, body);
    assert_int_equal(files_in("blobs"), 1);
    must(do_write(f.s, delete_doc, &a, &f.e), &f.e);
    let_the_writer_sweep();
    must(read_body(&a.ref.sha, &text), &f.e);
    must(do_write(f.s, delete_doc, &b, &f.e), &f.e);
    let_the_writer_sweep();
    assert_false(file_is_there(&a.ref.sha));
    assert_int_equal(read_body(&a.ref.sha, &text), RC_NOTFOUND);
    assert_int_equal(findings(true), 0);
}

static rc delete_and_fail(struct db *db, void *arg, struct err *e)
{
    rc code = delete_doc(db, arg, e);

    return code == RC_OK ? err_set(e, RC_INVALID, "no") : code;
}

static void a_delete_that_fails_keeps_the_file(void **state)
{
    struct intake_doc d;
    str text;

    (void)state;
    intake(&f, &d, noise(&f, 100000, 1));
    assert_int_equal(do_write(f.s, delete_and_fail, &d, &f.e), RC_INVALID);
    let_the_writer_sweep();
    must(read_body(&d.ref.sha, &text), &f.e);
}

/* Uploaded again, its only row goes before the new one is written. */
static void a_pinned_file_outlives_its_row(void **state)
{
    str body = noise(&f, 100000, 1), text;
    struct intake_doc old, new;

    (void)state;
    intake(&f, &old, body);
    intake_prepare(&f, &new, body);
    must(do_write(f.s, delete_doc, &old, &f.e), &f.e);
    let_the_writer_sweep();
    assert_true(file_is_there(&old.ref.sha));
    assert_int_equal(read_body(&old.ref.sha, &text), RC_NOTFOUND);
    must(do_write(f.s, intake_write, &new, &f.e), &f.e);
    blob_writer_close(new.body);
    let_the_writer_sweep();
    must(read_body(&new.ref.sha, &text), &f.e);
    assert_true(str_eq(text, body));
    /* And without that write the last pin takes it. */
    intake_prepare(&f, &old, body);
    must(do_write(f.s, delete_doc, &new, &f.e), &f.e);
    blob_writer_close(old.body);
    let_the_writer_sweep();
    assert_int_equal(files_in("blobs"), 0);
    assert_int_equal(findings(true), 0);
}

static rc use_and_fail(struct db *db, void *arg, struct err *e)
{
    rc code = intake_write(db, arg, e);

    return code == RC_OK ? err_set(e, RC_INVALID, "no") : code;
}

static void an_upload_whose_write_failed_is_swept(void **state)
{
    struct intake_doc d;

    (void)state;
    intake_prepare(&f, &d, noise(&f, 100000, 1));
    assert_int_equal(do_write(f.s, use_and_fail, &d, &f.e), RC_INVALID);
    blob_writer_close(d.body);
    let_the_writer_sweep();
    assert_int_equal(files_in("blobs"), 0);
}

static rc use_only(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;

    return blob_use(db, d->body, e);
}

static void a_body_no_row_names_is_not_kept(void **state)
{
    struct intake_doc small, large;
    str text;

    (void)state;
    intake_prepare(&f, &small, STR("small"));
    intake_prepare(&f, &large, noise(&f, 100000, 1));
    must(do_write(f.s, use_only, &small, &f.e), &f.e);
    must(do_write(f.s, use_only, &large, &f.e), &f.e);
    blob_writer_close(small.body);
    blob_writer_close(large.body);
    let_the_writer_sweep();
    assert_int_equal(read_body(&small.ref.sha, &text), RC_NOTFOUND);
    assert_int_equal(files_in("blobs"), 0);
    assert_int_equal(findings(true), 0);
}

static void a_reader_of_an_old_snapshot_is_told_not_found(void **state)
{
    struct intake_doc d;
    struct document_row row = {0};
    struct db *db;
    str text;

    (void)state;
    intake(&f, &d, noise(&f, 100000, 1));
    db = reading();
    must(db_document_get(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    must(do_write(f.s, delete_doc, &d, &f.e), &f.e);
    let_the_writer_sweep();
    assert_int_equal(blob_read(db, &d.ref.sha, MIB, f.a, &text, &f.e),
                     RC_NOTFOUND);
    store_read_end(db);
}

static void read_part(struct db *db, const struct intake_doc *d, uint64_t at)
{
    str text;

    must(blob_read_range(db, &d->ref.sha, at, 1000, f.a, &text, &f.e), &f.e);
    assert_true(str_eq(text, str_sub(d->text, (size_t)at, 1000)));
}

static void a_reader_keeps_the_files_it_read_last(void **state)
{
    struct intake_doc gone, others[OPEN_BODIES_MAX];
    struct db *db;
    str text;

    (void)state;
    intake(&f, &gone, noise(&f, 100000, 1));
    for (size_t i = 0; i < OPEN_BODIES_MAX; i++)
        intake(&f, &others[i], noise(&f, 100000, i + 2));
    db = reading();
    read_part(db, &gone, 0);
    must(do_write(f.s, delete_doc, &gone, &f.e), &f.e);
    let_the_writer_sweep();
    assert_false(file_is_there(&gone.ref.sha));
    read_part(db, &gone, 70000);
    for (size_t i = 0; i < OPEN_BODIES_MAX; i++) {
        read_part(db, &gone, 7000);
        read_part(db, &others[i], 70000);
        read_part(db, &others[0], i * 1000);
    }
    for (size_t i = 0; i < OPEN_BODIES_MAX; i++)
        read_part(db, &others[i], 90000);
    assert_int_equal(
        blob_read_range(db, &gone.ref.sha, 0, 1000, f.a, &text, &f.e),
        RC_NOTFOUND);
    read_part(db, &others[1], 0);
    store_read_end(db);
    assert_int_equal(findings(true), 0);
}

static void damage(const sha256 *sha, uint64_t at)
{
    char path[STORE_PATH_MAX], byte;
    int fd;

    blob_path(f.s, sha, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 16;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    (void)close(fd);
}

static void a_reader_finds_the_file_that_heals_its_own(void **state)
{
    struct intake_doc d;
    char path[STORE_PATH_MAX];
    struct db *db;
    str sound;

    (void)state;
    intake(&f, &d, noise(&f, 150000, 1));
    blob_path(f.s, &d.ref.sha, path);
    must(file_read(path, MIB, f.a, &sound, &f.e), &f.e);
    damage(&d.ref.sha, sound.n / 2);
    db = reading();
    read_part(db, &d, 0);
    must(file_write_atomic(path, sound, 0600, &f.e), &f.e);
    for (uint64_t at = 0; at + 1000 < d.text.n; at += 1000)
        read_part(db, &d, at);
    store_read_end(db);
}

static void every_damaged_byte_of_a_file_is_noticed(void **state)
{
    struct intake_doc d;
    char path[STORE_PATH_MAX];
    uint64_t bytes;
    str text;

    (void)state;
    intake(&f, &d, noise(&f, 150000, 1));
    blob_path(f.s, &d.ref.sha, path);
    must(file_size(path, &bytes, &f.e), &f.e);
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t at = i < 50 ? bytes - 1 - i : i * bytes / 200;
        rc code;

        damage(&d.ref.sha, at);
        code = read_body(&d.ref.sha, &text);
        /* A bit of a frame's header may not matter; then nothing is lost. */
        if (code == RC_OK)
            assert_true(str_eq(text, d.text));
        else
            assert_int_equal(code, RC_CORRUPT);
        damage(&d.ref.sha, at);
    }
    damage(&d.ref.sha, bytes / 2);
    assert_int_equal(findings(true), 1);
    assert_int_equal(truncate(path, (off_t)bytes - 20), 0);
    assert_int_equal(read_body(&d.ref.sha, &text), RC_CORRUPT);
    assert_int_equal(findings(false), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_body(&d.ref.sha, &text), RC_CORRUPT);
    assert_int_equal(findings(false), 1);
    /* Uploading the same again heals it. */
    intake_prepare(&f, &d, d.text);
    blob_writer_close(d.body);
    must(read_body(&d.ref.sha, &text), &f.e);
    assert_int_equal(findings(true), 0);
}

/* The file of a body as it was written before: frames of 64 KiB. */
static void write_large_frames(const sha256 *sha, str body)
{
    const size_t room = ZSTD_compressBound(FRAME_BYTES_LARGE);
    char path[STORE_PATH_MAX], *packed = arena_alloc(f.a, room);
    struct buf file = {0}, sizes = {0};
    uint32_t n = 0;

    for (size_t at = 0; at < body.n; at += FRAME_BYTES_LARGE, n++) {
        str plain = str_sub(body, at, FRAME_BYTES_LARGE);
        size_t bytes = ZSTD_compress(packed, room, plain.p, plain.n, 1);

        assert_false(ZSTD_isError(bytes));
        buf_put(&file, (str){packed, bytes});
        buf_put_u32(&sizes, (uint32_t)bytes);
        buf_put_u32(&sizes, (uint32_t)plain.n);
    }
    buf_put_u32(&file, 0x184D2A5Eu);
    buf_put_u32(&file, (uint32_t)sizes.n + 9);
    buf_put(&file, buf_str(&sizes));
    buf_put_u32(&file, n);
    buf_put_char(&file, 0);
    buf_put_u32(&file, 0x8F92EAB1u);
    must(buf_end(&sizes, &f.e), &f.e);
    must(buf_end(&file, &f.e), &f.e);
    blob_path(f.s, sha, path);
    must(file_write_atomic(path, buf_str(&file), 0600, &f.e), &f.e);
    buf_close(&file);
    buf_close(&sizes);
}

static void files_of_large_frames_are_read(void **state)
{
    static const size_t SIZES[] = {65537, 131072, 150000, 1024 * 1024};

    (void)state;
    for (size_t i = 0; i < NELEMS(SIZES); i++) {
        str body = noise(&f, SIZES[i], i), text;
        struct intake_doc d;
        struct db *db;

        intake(&f, &d, body);
        write_large_frames(&d.ref.sha, body);
        must(read_body(&d.ref.sha, &text), &f.e);
        assert_true(str_eq(text, body));
        db = reading();
        for (size_t at = 0; at <= SIZES[i]; at += SIZES[i] / 7 + 1) {
            must(blob_read_range(db, &d.ref.sha, at, 1000, f.a, &text, &f.e),
                 &f.e);
            assert_true(str_eq(text, str_sub(body, at, 1000)));
        }
        store_read_end(db);
    }
    assert_int_equal(findings(true), 0);
}

struct publisher {
    str body;
    atomic_bool done;
};

/* Puts the file of large frames and that of small ones in turns. */
static void *publish_in_turns(void *arg)
{
    struct publisher *p = arg;
    sha256 sha = sha256_of(p->body);
    char path[STORE_PATH_MAX];
    struct arena *a = arena_open();
    struct err e;
    str large, small;

    blob_path(f.s, &sha, path);
    assert_int_equal(file_read(path, MIB, a, &small, &e), RC_OK);
    write_large_frames(&sha, p->body);
    assert_int_equal(file_read(path, MIB, a, &large, &e), RC_OK);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(
            file_write_atomic(path, i % 2 == 0 ? small : large, 0600, &e),
            RC_OK);
    arena_close(a);
    atomic_store(&p->done, true);
    return NULL;
}

static void a_file_replaced_as_it_is_opened_is_not_damage(void **state)
{
    struct publisher p = {.body = noise(&f, 300000, 9)};
    struct intake_doc d;
    pthread_t thread;

    (void)state;
    intake(&f, &d, p.body);
    assert_int_equal(pthread_create(&thread, NULL, publish_in_turns, &p), 0);
    while (!atomic_load(&p.done)) {
        struct arena *a = arena_open();
        struct db *db = reading();
        struct err e;
        str text;

        assert_int_equal(
            blob_read_range(db, &d.ref.sha, 70000, 1000, a, &text, &e), RC_OK);
        assert_true(str_eq(text, str_sub(p.body, 70000, 1000)));
        store_read_end(db);
        arena_close(a);
    }
    (void)pthread_join(thread, NULL);
}

static void a_start_removes_what_no_row_lists(void **state)
{
    struct intake_doc d;
    char path[STORE_PATH_MAX], kept[STORE_PATH_MAX], foreign[STORE_PATH_MAX];
    sha256 orphan;

    (void)state;
    intake(&f, &d, noise(&f, 100000, 1));
    orphan = d.ref.sha;
    orphan.b[31] ^= 1;
    blob_path(f.s, &d.ref.sha, kept);
    blob_path(f.s, &orphan, path);
    (void)snprintf(foreign, sizeof foreign, "%.*s/notes",
                   (int)strlen(path) - 65, path);
    must(file_write_atomic(path, STR("x"), 0600, &f.e), &f.e);
    must(file_write_atomic(foreign, STR("x"), 0600, &f.e), &f.e);
    (void)snprintf(path, sizeof path, "%s/tmp/0123", f.dir);
    must(file_write_atomic(path, STR("x"), 0600, &f.e), &f.e);
    reopen(&f);
    assert_true(file_exists(kept));
    assert_true(file_exists(foreign));
    assert_false(file_is_there(&orphan));
    assert_false(file_exists(path));
}

static void a_failed_fsync_of_a_file_stops_all_writes(void **state)
{
    /* The temporary file's, the folder above, the folder it stands in. */
    static const char *const PLANS[] = {"fail@1:EIO:fsync:path=%s/tmp/",
                                        "fail@1:EIO:fsync:path=%s/blobs",
                                        "fail@2:EIO:fsync:path=%s/blobs"};

    (void)state;
    for (size_t i = 0; i < NELEMS(PLANS); i++) {
        str body = noise(&f, 100000, i);
        struct blob_writer *w;
        struct blob_ref ref;
        struct store_stats st;
        struct buf plan = {0};

        store_close(f.s);
        buf_put(&plan, str_sub(str_of(PLANS[i]), 0,
                               str_find(str_of(PLANS[i]), STR("%s"))));
        buf_put(&plan, str_of(f.dir));
        buf_put(&plan, str_of(strstr(PLANS[i], "%s") + 2));
        buf_put_char(&plan, '\0');
        io_plan_set(plan.p);
        buf_close(&plan);
        open_store(&f);
        must(blob_writer_open(f.s, &w, &f.e), &f.e);
        must(blob_put(w, body.p, body.n, &f.e), &f.e);
        assert_int_equal(blob_end(w, &ref, &f.e), RC_IO);
        blob_writer_close(w);
        store_stats(f.s, &st);
        assert_true(st.stopped);
        assert_int_equal(do_write(f.s, nothing, NULL, &f.e), RC_BUSY);
        store_close(f.s);
        io_plan_set(NULL);
        open_store(&f);
    }
}

static void a_full_disk_refuses_the_upload_and_leaves_nothing(void **state)
{
    str body = noise(&f, 400000, 1);
    struct blob_writer *w;
    char plan[120];

    (void)state;
    store_close(f.s);
    (void)snprintf(plan, sizeof plan, "fail@3:ENOSPC:sticky:pwrite:path=%s/tmp",
                   f.dir);
    io_plan_set(plan);
    open_store(&f);
    must(blob_writer_open(f.s, &w, &f.e), &f.e);
    assert_int_equal(blob_put(w, body.p, body.n, &f.e), RC_NOSPACE);
    blob_writer_close(w);
    assert_int_equal(files_in("tmp"), 0);
    must(do_write(f.s, nothing, NULL, &f.e), &f.e);
}

/* ---- many at once ---- */

#define RACERS 4
#define ROUNDS 25
#define CONTENTS 3

static void *race(void *arg)
{
    size_t me = *(const size_t *)arg;
    struct fix mine = f;

    mine.a = arena_open();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct intake_doc d;

        intake_prepare(&mine, &d, noise(&mine, 70000, (i + me) % CONTENTS));
        if (i % 5 != 4)
            must(do_write(mine.s, intake_write, &d, &mine.e), &mine.e);
        blob_writer_close(d.body);
        if (i % 5 != 4)
            must(do_write(mine.s, delete_doc, &d, &mine.e), &mine.e);
        arena_rewind(mine.a, (struct arena_mark){0});
    }
    arena_close(mine.a);
    return NULL;
}

static void uploads_and_deletes_of_one_body_do_not_hurt_each_other(void **state)
{
    pthread_t thread[RACERS];
    size_t id[RACERS];

    (void)state;
    for (size_t i = 0; i < RACERS; i++) {
        id[i] = i;
        assert_int_equal(pthread_create(&thread[i], NULL, race, &id[i]), 0);
    }
    /* Between them every row that is there must have its file. */
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(findings(true), 0);
    for (size_t i = 0; i < RACERS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    let_the_writer_sweep();
    assert_int_equal(files_in("blobs"), 0);
    assert_int_equal(files_in("tmp"), 0);
    assert_int_equal(findings(true), 0);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(bodies_of_every_size_come_back),
        FACT(bytes_may_come_in_any_pieces),
        FACT(a_child_reads_plain_bytes_from_a_descriptor),
        FACT(a_cut_upload_leaves_no_file),
        FACT(the_last_use_takes_the_file),
        FACT(a_delete_that_fails_keeps_the_file),
        FACT(a_pinned_file_outlives_its_row),
        FACT(an_upload_whose_write_failed_is_swept),
        FACT(a_body_no_row_names_is_not_kept),
        FACT(a_reader_of_an_old_snapshot_is_told_not_found),
        FACT(a_reader_keeps_the_files_it_read_last),
        FACT(a_reader_finds_the_file_that_heals_its_own),
        FACT(every_damaged_byte_of_a_file_is_noticed),
        FACT(files_of_large_frames_are_read),
        FACT(a_file_replaced_as_it_is_opened_is_not_damage),
        FACT(a_start_removes_what_no_row_lists),
        FACT(a_failed_fsync_of_a_file_stops_all_writes),
        FACT(a_full_disk_refuses_the_upload_and_leaves_nothing),
        FACT(uploads_and_deletes_of_one_body_do_not_hurt_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
