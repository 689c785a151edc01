/* The process is killed, the disk fails or is full: what was acknowledged
 * stays, what was not is there whole or not at all. */
#include "app_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/rng.h"

#define DOCS 6
#define KILLS 40
#define BIG_BYTES (100 * KIB)

/* ---- a server in a process of its own ---- */

/* What it tells its parent, one line an outcome. */
struct told {
    bool base, acked[DOCS], refused[DOCS];
    rc codes[DOCS];
    uint64_t calls; /* of the plan */
};

struct line {
    char what; /* b: base; d: document i with code; c: calls */
    uint8_t i;
    uint16_t code;
    uint32_t calls;
};

static void tell(int fd, char what, size_t i, rc code, uint64_t calls)
{
    struct line l = {what, (uint8_t)i, (uint16_t)code, (uint32_t)calls};

    if (write(fd, &l, sizeof l) != (ssize_t)sizeof l)
        _exit(3);
}

static str doc_text(struct fx *f, size_t i)
{
    struct buf b = {0};
    str text;

    buf_fmt(&b, "document%zu says hello.\n\n", i);
    while (i % 3 == 2 && b.n < BIG_BYTES) /* a body that is a file */
        buf_put(&b, STR("And more of the same, over and over again. "));
    text = arena_str(f->out, buf_str(&b));
    buf_close(&b);
    return text;
}

static bool child_open(struct fx *f)
{
    struct err e = {0};
    struct db *db;
    str made;

    if (app_open(&(struct app_opts){.dir = f->dir,
                                    .workers = 2,
                                    .admin_key = STR(FX_KEY)},
                 f->out, &f->app, &made, &e) != RC_OK ||
        app_read_begin(f->app, &db, &e) != RC_OK)
        return false;
    f->who = (struct caller){0};
    if (app_authenticate(f->app, db, STR(FX_KEY), &f->who, &e) != RC_OK)
        return false;
    app_read_end(db);
    return true;
}

static void child_ingest(struct fx *f, uuid base, size_t i, int fd)
{
    struct intake_item it = {.type = INTAKE_TEXT, .title = STR("t")};
    struct intake in = {.base = base, .items = &it, .items_n = 1};
    struct fx_ingest call;
    struct err e = {0};

    it.content = doc_text(f, i);
    tell(fd, 'd', i, fx_ingest(f, &in, &call, &e), 0);
}

static void child_main(struct fx *f, const char *plan, int fd)
{
    struct err e = {0};
    struct base b;

    io_plan_set(plan);
    if (!child_open(f) || fx_write(f, fx_base_op, &b, &e) != RC_OK)
        _exit(2);
    tell(fd, 'b', 0, RC_OK, 0);
    for (size_t i = 0; i < DOCS; i++)
        child_ingest(f, b.id, i, fd);
    if (!pipeline_settle(f->app->pipeline, clock_mono_ns() + FX_WAIT_NS))
        _exit(4);
    app_close(f->app);
    tell(fd, 'c', 0, RC_OK, io_plan_count());
    _exit(0);
}

static struct told told_read(int fd)
{
    struct told t = {0};
    struct line l;

    while (read(fd, &l, sizeof l) == (ssize_t)sizeof l) {
        if (l.what == 'b')
            t.base = true;
        if (l.what == 'c')
            t.calls = l.calls;
        if (l.what != 'd')
            continue;
        t.codes[l.i] = (rc)l.code;
        t.acked[l.i] = l.code == RC_OK;
        t.refused[l.i] = l.code != RC_OK;
    }
    return t;
}

static struct told run(struct fx *f, const char *plan, int *status)
{
    struct told t;
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        child_main(f, plan, fds[1]);
    }
    (void)close(fds[1]);
    t = told_read(fds[0]);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, status, 0), pid);
    return t;
}

/* ---- what must hold afterwards ---- */

static void line_print(void *arg, const char *line)
{
    (void)arg;
    print_error("check: %s\n", line);
}

static rc base_list_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct fx_get *g = arg;
    struct app_page_end end;
    struct base *v;
    size_t n;
    rc code = app_base_list(f->app, &f->who, db, &(struct app_page){0}, f->out,
                            &v, &n, &end, e);

    g->id = code == RC_OK && n > 0 ? v[0].id : UUID_NIL;
    return code;
}

static rc document_count_op(struct fx *f, struct db *db, void *arg,
                            struct err *e)
{
    struct fx_get *g = arg;
    struct base_counts c;
    rc code = app_base_counts(f->app, &f->who, db, g->id, &c, e);

    if (code == RC_OK && c.pending + c.processing + c.failed > 0)
        return err_set(e, RC_CORRUPT, "%d pending, %d processing, %d failed",
                       (int)c.pending, (int)c.processing, (int)c.failed);
    *(size_t *)g->to = c.active;
    return code;
}

/* The next server finishes what was begun; then every acknowledged document
 * is found, and each other is found or not listed. */
static void recovers(struct fx *f, const struct told *t)
{
    struct fx_get g = {0};
    size_t active = 0, found = 0;
    struct err e = {0};
    uint64_t faults;

    clock_test_advance(60000); /* what was put back is due */
    fx_start(f);
    fx_settle(f);
    fx_ok(fx_read(f, base_list_op, &g, &e), &e);
    assert_true(!t->base || !uuid_is_nil(g.id));
    if (!uuid_is_nil(g.id)) {
        g.to = &active;
        fx_ok(fx_read(f, document_count_op, &g, &e), &e);
        for (size_t i = 0; i < DOCS; i++) {
            size_t n = fx_search(f, g.id, arena_fmt(f->out, "document%zu", i).p)
                           .hits_n;

            assert_true(n <= 1);
            if (t->acked[i] && n == 0)
                fail_msg("document %zu was acknowledged and is lost", i);
            found += n;
        }
        assert_int_equal(found, active);
    }
    fx_stop(f);
    fx_ok(app_check(f->dir, true, line_print, NULL, &faults, &e), &e);
    assert_int_equal(faults, 0);
}

static int dir_open(void **state)
{
    struct fx *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL || scratch_open(&f->dir) != 0)
        return 1;
    f->out = arena_open();
    return 0;
}

static void dir_again(struct fx *f)
{
    assert_int_equal(scratch_close(&f->dir), 0);
    assert_int_equal(scratch_open(&f->dir), 0);
    arena_close(f->out);
    f->out = arena_open();
}

static int dir_close(void **state)
{
    struct fx *f = *state;
    int code = scratch_close(&f->dir);

    arena_close(f->out);
    free(f);
    return code;
}

/* ---- tests ---- */

static void a_kill_at_any_write_loses_nothing_acknowledged(void **state)
{
    struct fx *f = *state;
    struct rng r = rng_seeded(11);
    int status;
    struct told t = run(f, "exit@0:write", &status);
    uint64_t calls = t.calls;

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(calls > 50);
    recovers(f, &t);
    for (unsigned i = 0; i < KILLS; i++) {
        uint64_t k = 1 + calls * i / KILLS + rng_below(&r, calls / KILLS);

        dir_again(f);
        t = run(f,
                arena_fmt(f->out, "exit@%llu:write", (unsigned long long)k).p,
                &status);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != 137 && WEXITSTATUS(status) != 0)
            fail_msg("exit@%llu ended with %d", (unsigned long long)k,
                     WEXITSTATUS(status));
        recovers(f, &t);
    }
}

static void after_a_failed_fsync_nothing_is_acknowledged(void **state)
{
    static const unsigned AT[] = {14, 17, 20, 23, 26, 30};
    struct fx *f = *state;

    for (size_t i = 0; i < NELEMS(AT); i++) {
        bool refused = false;
        struct told t;
        int status;

        dir_again(f);
        t = run(f,
                arena_fmt(f->out, "fail@%u:EIO:fsync:path=knowd.db", AT[i]).p,
                &status);
        assert_true(WIFEXITED(status));
        for (size_t d = 0; d < DOCS; d++) {
            if (refused && t.acked[d])
                fail_msg("document %zu was acknowledged after fsync %u failed",
                         d, AT[i]);
            refused = refused || t.refused[d];
        }
        recovers(f, &t);
    }
}

static void one_failed_write_costs_one_answer_and_no_document(void **state)
{
    static const char *const ERRORS[] = {"EIO", "ENOSPC", "SHORT"};
    struct fx *f = *state;

    for (unsigned i = 0; i < 12; i++) {
        struct told t;
        int status;

        dir_again(f);
        t = run(f,
                arena_fmt(f->out, "fail@%u:%s:pwrite", 10 + i * 7,
                          ERRORS[i % NELEMS(ERRORS)])
                    .p,
                &status);
        assert_true(WIFEXITED(status));
        recovers(f, &t);
    }
}

/* ---- a full disk, on a small one ---- */

enum {
    FULL_OK,
    FULL_NO_MOUNT = 10,
    FULL_NO_OPEN,
    FULL_NEVER_FULL,
    FULL_OTHER_ERROR,
    FULL_SEARCH,
    FULL_DELETE,
    FULL_NOT_AGAIN
};

static rc child_search(struct fx *f, uuid base, size_t *n)
{
    struct fx_found s = {.in = {.query = STR("filler"),
                                .bases = &base,
                                .bases_n = 1,
                                .limit = 10,
                                .alpha = -1}};
    struct err e = {0};
    rc code = fx_read(f, fx_search_op, &s, &e);

    *n = s.out.hits_n;
    return code;
}

static rc document_delete_op(struct fx *f, struct db *db, void *arg,
                             struct err *e)
{
    return app_document_delete(f->app, &f->who, db, *(uuid *)arg, e);
}

/* 400 KiB that don't compress. */
static rc child_fill(struct fx *f, uuid base, struct rng *r, uuid *doc)
{
    struct intake_item it = {.type = INTAKE_TEXT, .title = STR("t")};
    struct intake in = {.base = base, .items = &it, .items_n = 1};
    struct fx_ingest call;
    struct err e = {0};
    struct buf b = {0};
    rc code;

    buf_put(&b, STR("filler"));
    while (b.n < 400 * KIB)
        buf_fmt(&b, " %llx", (unsigned long long)rng_next(r));
    it.content = buf_str(&b);
    code = fx_ingest(f, &in, &call, &e);
    if (code == RC_OK)
        *doc = call.call.results[0].document;
    buf_close(&b);
    return code;
}

static int full_disk(struct fx *f)
{
    struct rng r = rng_seeded(3);
    uuid docs[200];
    size_t docs_n = 0, hits;
    struct err e = {0};
    struct base b;
    rc code = RC_OK;

    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("knowd-test", f->dir, "tmpfs", 0, "size=24m,mode=700") != 0)
        return FULL_NO_MOUNT;
    if (!child_open(f) || fx_write(f, fx_base_op, &b, &e) != RC_OK)
        return FULL_NO_OPEN;
    while (docs_n < NELEMS(docs) &&
           (code = child_fill(f, b.id, &r, &docs[docs_n])) == RC_OK) {
        docs_n++;
        (void)pipeline_settle(f->app->pipeline,
                              clock_mono_ns() + (int64_t)2000000000);
    }
    if (code == RC_OK)
        return FULL_NEVER_FULL;
    if (code != RC_NOSPACE)
        return FULL_OTHER_ERROR;
    if (child_search(f, b.id, &hits) != RC_OK || hits == 0)
        return FULL_SEARCH;
    for (size_t i = 0; i < docs_n; i++)
        if (fx_delete(f, document_delete_op, &docs[i], &e) != RC_OK) {
            print_error("delete %zu of %zu: %s\n", i, docs_n, e.text);
            return FULL_DELETE;
        }
    if (child_search(f, b.id, &hits) != RC_OK || hits != 0)
        return FULL_SEARCH;
    for (unsigned i = 0; i < 50; i++) { /* within five seconds */
        if (child_fill(f, b.id, &r, &docs[0]) == RC_OK)
            return FULL_OK;
        clock_sleep_ms(100);
    }
    return FULL_NOT_AGAIN;
}

static void a_full_disk_still_reads_searches_and_deletes(void **state)
{
    struct fx *f = *state;
    int status;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(full_disk(f));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == FULL_NO_MOUNT) {
        print_message("SKIP: a small disk can't be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), FULL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_open, dir_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kill_at_any_write_loses_nothing_acknowledged),
        TEST(after_a_failed_fsync_nothing_is_acknowledged),
        TEST(one_failed_write_costs_one_answer_and_no_document),
        TEST(a_full_disk_still_reads_searches_and_deletes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
