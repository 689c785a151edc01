/* The writer thread: groups, their one fsync, what a failure leaves. */
#include "store_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/log.h"
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

static void no_damage(struct fix *x)
{
    uint64_t found = 1;

    must(store_check(x->s, true, say, NULL, &found, &x->e), &x->e);
    assert_int_equal(found, 0);
}

static bool document_is_there(struct fix *x, uuid id)
{
    struct document_row d = {0};
    struct db *db;
    rc code;

    must(store_read_begin(x->s, &db, &x->e), &x->e);
    code = db_document_get(db, x->tenant, x->base, id, x->a, &d, &x->e);
    store_read_end(db);
    if (code != RC_NOTFOUND)
        must(code, &x->e);
    return code == RC_OK;
}

/* ---- writes that are held back until the gate opens ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static rc wait_for_gate(struct db *db, void *arg, struct err *e)
{
    (void)db;
    (void)arg;
    (void)e;
    assert_int_equal(pthread_mutex_lock(&gate), 0);
    assert_int_equal(pthread_mutex_unlock(&gate), 0);
    return RC_OK;
}

#define GROUP 50

struct group {
    struct doing first, d[GROUP];
    struct intake_doc docs[GROUP];
    pthread_mutex_t lock; /* guards: left */
    pthread_cond_t came;
    size_t left;
    rc upload; /* of delete_beside_an_upload */
};
static struct group g;

static void one_done(struct write *w)
{
    (void)w;
    assert_int_equal(pthread_mutex_lock(&g.lock), 0);
    g.left--;
    assert_int_equal(pthread_cond_signal(&g.came), 0);
    assert_int_equal(pthread_mutex_unlock(&g.lock), 0);
}

static void submit(struct doing *d, rc (*fn)(struct db *, void *, struct err *),
                   void *arg)
{
    d->w = (struct write){.run = doing_run, .done = one_done};
    d->fn = fn;
    d->arg = arg;
    g.left++;
    must(store_submit(f.s, &d->w, &f.e), &f.e);
}

static uint64_t queue_now(void)
{
    struct store_stats st;

    store_stats(f.s, &st);
    return st.queue_now;
}

/* The writer stands at the gate while the group gathers behind it. */
static void group_begin(void)
{
    g = (struct group){.lock = PTHREAD_MUTEX_INITIALIZER};
    clock_cond_init(&g.came);
    assert_int_equal(pthread_mutex_lock(&gate), 0);
    submit(&g.first, wait_for_gate, NULL);
    for (size_t i = 0; i < 10000 && queue_now() > 0; i++)
        clock_sleep_ms(1);
}

static void group_end(void)
{
    assert_int_equal(pthread_mutex_unlock(&gate), 0);
    assert_int_equal(pthread_mutex_lock(&g.lock), 0);
    while (g.left > 0)
        assert_true(
            clock_cond_wait(&g.came, &g.lock, clock_mono_ns() + 30000000000));
    assert_int_equal(pthread_mutex_unlock(&g.lock), 0);
}

static void waiting_writes_share_one_fsync(void **state)
{
    struct store_stats before, after;
    uint64_t fsyncs;

    (void)state;
    fix_open_empty(&f);
    io_plan_set("exit@0:fsync:path=knowd.db-wal"); /* only counts */
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    group_begin();
    for (size_t i = 0; i < GROUP; i++) {
        intake_prepare(&f, &g.docs[i], noise(&f, 500, i));
        submit(&g.d[i], intake_write, &g.docs[i]);
    }
    store_stats(f.s, &before);
    fsyncs = io_plan_count();
    group_end();
    store_stats(f.s, &after);
    /* The write at the gate changes nothing and so needs no fsync. */
    assert_int_equal(after.commits - before.commits, 2);
    assert_int_equal(after.writes - before.writes, GROUP + 1);
    assert_in_range(io_plan_count() - fsyncs, 1, 2); /* 2: an idle checkpoint */
    for (size_t i = 0; i < GROUP; i++) {
        assert_int_equal(g.d[i].w.code, RC_OK);
        assert_true(document_is_there(&f, g.docs[i].document));
        blob_writer_close(g.docs[i].body);
    }
    no_damage(&f);
}

static rc fail_after_writing(struct db *db, void *arg, struct err *e)
{
    rc code = intake_write(db, arg, e);

    return code != RC_OK ? code : err_set(e, RC_INVALID, "changed its mind");
}

/* Whichever of them it is: the first of a group has no savepoint. */
static void a_failing_write_leaves_its_group_whole(void **state)
{
    (void)state;
    for (size_t one = 0; one < 3; one++) {
        group_begin();
        for (size_t i = 0; i < 9; i++) {
            intake_prepare(&f, &g.docs[i], noise(&f, 500, 9 * one + i));
            submit(&g.d[i], i % 3 == one ? fail_after_writing : intake_write,
                   &g.docs[i]);
        }
        group_end();
        for (size_t i = 0; i < 9; i++) {
            assert_int_equal(g.d[i].w.code, i % 3 == one ? RC_INVALID : RC_OK);
            assert_int_equal(document_is_there(&f, g.docs[i].document),
                             i % 3 != one);
            blob_writer_close(g.docs[i].body);
        }
        assert_string_equal(g.d[one].w.err.text, "changed its mind");
    }
    no_damage(&f);
}

/* ---- what nobody waits for ---- */

/* The turns a late write and others had, in order. */
static unsigned turns_n, late_turn;

static rc take_turn(struct db *db, void *arg, struct err *e)
{
    (void)db;
    (void)arg;
    (void)e;
    turns_n++;
    return RC_OK;
}

static rc take_late_turn(struct db *db, void *arg, struct err *e)
{
    late_turn = turns_n;
    return take_turn(db, arg, e);
}

static void submit_late(struct doing *d)
{
    d->w.late = true;
    d->fn = take_late_turn;
    g.left++;
    must(store_submit(f.s, &d->w, &f.e), &f.e);
}

/* Commits of a late write and `others` that came after it. */
static uint64_t commits_of_late_and(size_t others)
{
    struct doing late = {.w = {.run = doing_run, .done = one_done}};
    struct store_stats before, after;

    turns_n = 0;
    group_begin();
    submit_late(&late);
    for (size_t i = 0; i < others; i++)
        submit(&g.d[i], take_turn, NULL);
    store_stats(f.s, &before);
    group_end();
    store_stats(f.s, &after);
    assert_int_equal(late.w.code, RC_OK);
    return after.commits - before.commits - 1; /* the gate's own */
}

static void a_late_write_lets_a_press_go_first(void **state)
{
    (void)state;
    assert_int_equal(commits_of_late_and(GROUP), 2);
    assert_int_equal(late_turn, GROUP);
}

static void a_late_write_shares_the_commit_of_a_few(void **state)
{
    (void)state;
    assert_int_equal(commits_of_late_and(3), 1);
}

static atomic_bool pressing;

/* As a client that has its answer and at once has something else. */
static void press_on(struct write *w)
{
    if (!atomic_load(&pressing) || store_submit(f.s, w, NULL) != RC_OK)
        one_done(w);
}

static void late_is_over(struct write *w)
{
    atomic_store(&pressing, false);
    one_done(w);
}

static void a_press_without_end_does_not_keep_a_late_write_out(void **state)
{
    struct doing late = {.w = {.run = doing_run, .done = late_is_over}};

    (void)state;
    turns_n = 0;
    atomic_store(&pressing, true);
    group_begin();
    submit_late(&late);
    for (size_t i = 0; i < GROUP; i++) {
        submit(&g.d[i], take_turn, NULL);
        g.d[i].w.done = press_on; /* the gate is shut yet */
    }
    group_end();
    assert_int_equal(late.w.code, RC_OK);
    assert_true(late_turn > GROUP);
}

/* ---- the observer ---- */

struct seen {
    struct change v[16];
    size_t n, calls;
};

static void note(void *arg, const struct change *v, size_t n)
{
    struct seen *s = arg;

    s->calls++;
    for (size_t i = 0; i < n; i++)
        s->v[s->n++] = v[i];
}

static rc activate_two_versions(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct version_row v;
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < 2; i++) {
        v = (struct version_row){0};
        code = db_version_get(db, f.tenant, f.base, d[i].version, f.a, &v, e);
        v.state = VERSION_ACTIVE;
        if (code == RC_OK)
            code = db_version_update(db, &v, e);
    }
    return code;
}

static rc activate_and_fail(struct db *db, void *arg, struct err *e)
{
    rc code = activate_two_versions(db, arg, e);

    return code == RC_OK ? err_set(e, RC_INVALID, "no") : code;
}

static void a_generation_rises_once_a_write_and_base(void **state)
{
    struct intake_doc d[2];
    struct seen seen = {.n = 0};
    uint64_t was, is;
    struct db *db;

    (void)state;
    intake(&f, &d[0], STR("one"));
    intake(&f, &d[1], STR("two"));
    must(store_read_begin(f.s, &db, &f.e), &f.e);
    must(db_generation(db, f.base, &was, &f.e), &f.e);
    store_read_end(db);
    store_observe(f.s, note, &seen);
    assert_int_equal(do_write(f.s, activate_and_fail, d, &f.e), RC_INVALID);
    must(do_write(f.s, activate_two_versions, d, &f.e), &f.e);
    store_observe(f.s, NULL, NULL);
    must(store_read_begin(f.s, &db, &f.e), &f.e);
    must(db_generation(db, f.base, &is, &f.e), &f.e);
    store_read_end(db);
    assert_int_equal(is, was + 1);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(uuid_eq(seen.v[i].version, d[i].version));
        assert_int_equal(seen.v[i].state, VERSION_ACTIVE);
        assert_int_equal(seen.v[i].generation, is);
    }
}

/* ---- failures of the disk ---- */

static uint64_t calls_until_ready(const char *plan)
{
    uint64_t n;

    fix_open_empty(&f);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    n = io_plan_count();
    fix_close(&f);
    return n;
}

static void a_failed_fsync_stops_acknowledging(void **state)
{
    uint64_t ready = calls_until_ready("exit@0:fsync:path=knowd.db");
    struct intake_doc before, at, after;
    struct store_stats st;
    char plan[80];

    (void)state;
    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan, "fail@%llu:EIO:fsync:path=knowd.db",
                   (unsigned long long)ready + 2);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, &before, STR("before"));
    intake_prepare(&f, &at, STR("at"));
    assert_int_equal(do_write(f.s, intake_write, &at, &f.e), RC_IO);
    assert_non_null(strstr(f.e.text, "sync"));
    assert_int_equal(f.e.sys, EIO);
    intake_prepare(&f, &after, STR("after"));
    assert_int_equal(do_write(f.s, intake_write, &after, &f.e), RC_BUSY);
    store_stats(f.s, &st);
    assert_true(st.stopped);
    assert_int_equal(st.fsync_failures, 1);
    assert_true(document_is_there(&f, before.document));
    assert_false(document_is_there(&f, at.document));
    blob_writer_close(at.body);
    blob_writer_close(after.body);
    store_close(f.s);
    io_plan_set(NULL);
    open_store(&f);
    assert_true(document_is_there(&f, before.document));
    assert_false(document_is_there(&f, after.document));
    no_damage(&f);
}

static void a_failed_write_call_fails_only_its_group(void **state)
{
    uint64_t ready = calls_until_ready("exit@0:pwrite:path=knowd.db-wal");
    struct intake_doc at, after;
    struct store_stats st;
    char plan[80];

    (void)state;
    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan, "fail@%llu:EIO:pwrite:path=knowd.db-wal",
                   (unsigned long long)ready + 1);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake_prepare(&f, &at, STR("at"));
    assert_int_equal(do_write(f.s, intake_write, &at, &f.e), RC_IO);
    assert_non_null(strstr(f.e.text, "write"));
    blob_writer_close(at.body);
    assert_false(document_is_there(&f, at.document));
    intake(&f, &after, STR("after"));
    store_stats(f.s, &st);
    assert_false(st.stopped);
    reopen(&f);
    assert_true(document_is_there(&f, after.document));
    assert_false(document_is_there(&f, at.document));
    no_damage(&f);
}

/* What SQLite does to a transaction it can't go on with. */
static rc break_transaction(struct db *db, void *arg, struct err *e)
{
    rc code = intake_write(db, arg, e);

    if (code == RC_OK)
        assert_int_equal(sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL),
                         SQLITE_OK);
    return code;
}

/* One breaks the transaction for all; the others go through without it. */
static void a_broken_transaction_fails_only_who_broke_it(void **state)
{
    (void)state;
    group_begin();
    for (size_t i = 0; i < 9; i++) {
        intake_prepare(&f, &g.docs[i], noise(&f, 500, i));
        submit(&g.d[i], i % 4 == 0 ? break_transaction : intake_write,
               &g.docs[i]);
    }
    group_end();
    for (size_t i = 0; i < 9; i++) {
        if (i % 4 == 0)
            assert_int_not_equal(g.d[i].w.code, RC_OK);
        else
            must(g.d[i].w.code, &g.d[i].w.err);
        assert_int_equal(document_is_there(&f, g.docs[i].document), i % 4 != 0);
        blob_writer_close(g.docs[i].body);
    }
    no_damage(&f);
}

static void a_group_is_cut_where_it_grows_too_large(void **state)
{
    struct store_stats before, after;

    (void)state;
    group_begin();
    store_stats(f.s, &before);
    for (size_t i = 0; i < GROUP; i++) {
        intake_prepare(&f, &g.docs[i], noise(&f, 65536, i));
        submit(&g.d[i], intake_write, &g.docs[i]);
    }
    group_end();
    store_stats(f.s, &after);
    for (size_t i = 0; i < GROUP; i++) {
        must(g.d[i].w.code, &g.d[i].w.err);
        blob_writer_close(g.docs[i].body);
    }
    assert_int_equal(after.writes - before.writes, GROUP + 1);
    assert_true(after.commits - before.commits <= 5);
    no_damage(&f);
}

static void a_full_disk_refuses_ingest_and_lets_deletes_through(void **state)
{
    uint64_t ready;
    struct intake_doc old, new, later;
    struct doing drop = {.w = {.frees = true}};
    char plan[80];

    (void)state;
    ready = calls_until_ready("exit@0:pwrite:path=knowd.db-wal");
    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan, "exit@0:pwrite:path=knowd.db-wal");
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    assert_int_equal(io_plan_count(), ready);
    intake(&f, &old, STR("old"));
    ready = io_plan_count();
    fix_close(&f);

    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan,
                   "fail@%llu:ENOSPC:pwrite:path=knowd.db-wal",
                   (unsigned long long)ready + 1);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, &old, STR("old"));
    intake_prepare(&f, &new, STR("new"));
    group_begin();
    submit(&g.d[0], intake_write, &new);
    submit(&drop, delete_doc, &old);
    drop.w.frees = true;
    group_end();
    assert_int_equal(g.d[0].w.code, RC_NOSPACE);
    assert_non_null(strstr(g.d[0].w.err.text, "bytes free"));
    assert_int_equal(drop.w.code, RC_OK);
    assert_false(document_is_there(&f, old.document));
    assert_false(document_is_there(&f, new.document));
    blob_writer_close(new.body);
    clock_test_advance(300); /* there is room: the next probe finds it */
    intake(&f, &later, STR("later"));
    assert_true(document_is_there(&f, later.document));
    no_damage(&f);
}

/* Deletes; then an upload, which is told at once instead of taking the room
 * that the reserve gave up. */
static rc delete_beside_an_upload(struct db *db, void *arg, struct err *e)
{
    static const char BYTES[4096] = "upload";
    struct blob_writer *upload;
    rc code = delete_doc(db, arg, e), put = RC_OK;

    must(blob_writer_open(f.s, &upload, &f.e), &f.e);
    for (unsigned i = 0; put == RC_OK && i < 512; i++)
        put = blob_put(upload, BYTES, sizeof BYTES, &f.e);
    blob_writer_close(upload);
    g.upload = put;
    return code;
}

/* Somebody else's file takes what the reserve gives up, and is gone a moment
 * later. */
static void deletes_wait_for_room_that_is_taken_for_a_moment(void **state)
{
    static const char WAL[] = "pwrite:path=knowd.db-wal";
    uint64_t ready;
    struct intake_doc old;
    struct doing drop = {.w = {.frees = true}};
    char plan[80];

    (void)state;
    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan, "exit@0:%s", WAL);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, &old, STR("old"));
    ready = io_plan_count();
    fix_close(&f);

    fix_open_empty(&f);
    (void)snprintf(plan, sizeof plan, "fail@%llu:ENOSPC:times=4:%s",
                   (unsigned long long)ready + 1, WAL);
    io_plan_set(plan);
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, &old, STR("old"));
    group_begin();
    submit(&drop, delete_beside_an_upload, &old);
    drop.w.frees = true;
    group_end();
    assert_int_equal(drop.w.code, RC_OK);
    assert_int_equal(g.upload, RC_NOSPACE);
    assert_true(io_plan_count() > ready + 4);
    assert_false(document_is_there(&f, old.document));
    no_damage(&f);
}

/* ---- kill -9 at each write ---- */

/* What the child tells before and after each step. */
struct step {
    enum { STEP_READY, STEP_MADE, STEP_GONE, STEP_END } what;
    uuid document, tenant, base;
    sha256 sha;
    uint64_t calls; /* counted in all */
};

static void tell(int fd, struct step s)
{
    assert_int_equal(write(fd, &s, sizeof s), sizeof s);
}

static rc index_doc(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct version_row v = {0};
    struct item_row *items = NULL;
    int64_t next;
    size_t n = 0;
    rc code = blob_use(db, d->body, e);

    if (code == RC_OK)
        code = db_version_get(db, d->f->tenant, d->f->base, d->version, d->f->a,
                              &v, e);
    v.state = VERSION_ACTIVE;
    v.has_text = true;
    v.text = v.blocks = d->ref;
    if (code == RC_OK)
        code = db_version_update(db, &v, e);
    if (code == RC_OK)
        code = db_items_lease(db, 1, 1, 1, d->f->a, &items, &n, &next, e);
    if (code == RC_OK && n == 1) {
        items[0].status = JOB_COMPLETED;
        code = db_item_update(db, &items[0], e);
    }
    return code;
}

#define DOCS 6

/* Small and large bodies come, get a text, and half of them go. */
static void workload(struct fix *x, int fd)
{
    struct intake_doc d[DOCS], text;

    open_store(x);
    must(do_write(x->s, put_base, x, &x->e), &x->e);
    tell(fd, (struct step){
                 .what = STEP_READY, .tenant = x->tenant, .base = x->base});
    for (size_t i = 0; i < NELEMS(d); i++) {
        intake(x, &d[i], noise(x, i % 2 == 0 ? 3000 : 150000, i));
        tell(fd, (struct step){.what = STEP_MADE,
                               .document = d[i].document,
                               .sha = d[i].ref.sha});
        text = d[i];
        intake_prepare(x, &text, noise(x, i % 2 == 0 ? 100000 : 2000, 50 + i));
        text.version = d[i].version;
        must(do_write(x->s, index_doc, &text, &x->e), &x->e);
        blob_writer_close(text.body);
    }
    for (size_t i = 0; i < NELEMS(d); i += 2) {
        must(do_write(x->s, delete_doc, &d[i], &x->e), &x->e);
        tell(fd, (struct step){.what = STEP_GONE, .document = d[i].document});
    }
    store_close(x->s);
    tell(fd, (struct step){.what = STEP_END, .calls = io_plan_count()});
}

#define CHILD_OK 0

/* Runs fn in a child with the plan; what it told is in `steps`. */
static int in_child(struct fix *x, const char *plan,
                    void (*fn)(struct fix *, int), struct step *steps,
                    size_t *n)
{
    int fds[2], status;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        io_plan_set(plan);
        fn(x, fds[1]);
        _exit(CHILD_OK);
    }
    (void)close(fds[1]);
    *n = 0;
    while (read(fds[0], &steps[*n], sizeof *steps) == (ssize_t)sizeof *steps)
        ++*n;
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void only_open(struct fix *x, int fd)
{
    (void)fd;
    open_store(x);
    store_close(x->s);
}

static void body_is_whole(struct fix *x, const sha256 *sha)
{
    struct arena *tmp = arena_open();
    struct db *db;
    sha256 is;
    str text;

    must(store_read_begin(x->s, &db, &x->e), &x->e);
    must(blob_read(db, sha, 1 << 20, tmp, &text, &x->e), &x->e);
    store_read_end(db);
    is = sha256_of(text);
    assert_true(sha256_eq(&is, sha));
    arena_close(tmp);
}

static size_t steps_of(const struct step *steps, size_t n, int what)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += (int)steps[i].what == what;
    return found;
}

static void all_acknowledged_is_there(struct fix *x, const struct step *steps,
                                      size_t n)
{
    size_t gone = steps_of(steps, n, STEP_GONE);
    size_t made = steps_of(steps, n, STEP_MADE);

    for (size_t i = 0; i < made; i++) {
        const struct step *s = &steps[1 + i];

        if (i % 2 == 0 && i / 2 < gone) {
            assert_false(document_is_there(x, s->document));
        } else if (document_is_there(x, s->document)) {
            body_is_whole(x, &s->sha);
        } else {
            /* Only the delete that was under way may have happened. */
            assert_int_equal(made, DOCS);
            assert_int_equal(i, 2 * gone);
        }
    }
}

static uint64_t files_under(const char *dir, const char *what)
{
    char command[128], text[32] = {0};
    FILE *p;

    (void)snprintf(command, sizeof command, "find '%s/%s' -type f | wc -l", dir,
                   what);
    p = popen(command, "r");
    assert_non_null(p);
    assert_non_null(fgets(text, sizeof text, p));
    (void)pclose(p);
    return strtoull(text, NULL, 10);
}

static void killed_at(uint64_t k, bool again, unsigned seed)
{
    struct step steps[32], more[4];
    struct fix x;
    char plan[64];
    size_t n, more_n;

    fix_open_empty(&x);
    (void)snprintf(plan, sizeof plan, "exit@%llu:write", (unsigned long long)k);
    (void)in_child(&x, plan, workload, steps, &n);
    if (again) {
        (void)snprintf(plan, sizeof plan, "exit@%u:write", 1 + seed % 9);
        (void)in_child(&x, plan, only_open, more, &more_n);
    }
    io_plan_set(NULL);
    open_store(&x);
    if (n > 0) {
        x.tenant = steps[0].tenant;
        x.base = steps[0].base;
        all_acknowledged_is_there(&x, steps, n);
    }
    no_damage(&x);
    assert_int_equal(files_under(x.dir, "tmp"), 0);
    fix_close(&x);
}

#define KILLS_DEFAULT 24 /* all: KNOWD_TEST_KILLS=1000 */

static void a_kill_at_any_write_loses_nothing(void **state)
{
    const char *want = getenv("KNOWD_TEST_KILLS");
    uint64_t kills = want == NULL ? KILLS_DEFAULT : strtoull(want, NULL, 10);
    struct step steps[32];
    struct fix x;
    uint64_t total;
    size_t n;

    (void)state;
    fix_open_empty(&x);
    assert_int_equal(in_child(&x, "exit@0:write", workload, steps, &n),
                     CHILD_OK);
    assert_int_equal(n, 2 + DOCS + DOCS / 2);
    total = steps[n - 1].calls;
    assert_true(total > 100);
    fix_close(&x);
    for (uint64_t i = 0; i < kills; i++)
        killed_at(1 + i * total / kills, i % 4 == 0, (unsigned)i);
}

/* ---- errors at each call ---- */

/* The same life, but every call may fail: what succeeded is told, nothing
 * stops before the end. */
static rc try_intake(struct fix *x, struct intake_doc *d, str text)
{
    rc code;

    *d = (struct intake_doc){.f = x, .text = text};
    d->document = uuid_new();
    d->version = uuid_new();
    d->job = uuid_new();
    code = blob_writer_open(x->s, &d->body, &x->e);
    if (code == RC_OK)
        code = blob_put(d->body, text.p, text.n, &x->e);
    if (code == RC_OK)
        code = blob_end(d->body, &d->ref, &x->e);
    if (code == RC_OK)
        code = do_write(x->s, intake_write, d, &x->e);
    blob_writer_close(d->body);
    d->body = NULL;
    return code;
}

static void read_one(struct fix *x, const struct intake_doc *d)
{
    struct document_row row = {0};
    struct db *db;
    str text;
    rc code = store_read_begin(x->s, &db, &x->e);

    if (code != RC_OK)
        return;
    code =
        db_document_get(db, x->tenant, x->base, d->document, x->a, &row, &x->e);
    if (code == RC_OK)
        code = blob_read(db, &d->ref.sha, 1 << 20, x->a, &text, &x->e);
    /* Never the wrong bytes. */
    if (code == RC_OK && !str_eq(text, d->text))
        _exit(3);
    store_read_end(db);
}

static void stubborn_workload(struct fix *x, int fd)
{
    struct intake_doc d[DOCS] = {0};
    bool made[DOCS] = {false};
    struct store_stats st = {0};

    if (store_open(&(struct store_opts){.dir = x->dir}, &x->s, &x->e) ==
        RC_OK) {
        if (do_write(x->s, put_base, x, &x->e) == RC_OK)
            tell(fd, (struct step){.what = STEP_READY,
                                   .tenant = x->tenant,
                                   .base = x->base});
        for (size_t i = 0; i < DOCS; i++) {
            bool stopped;

            store_stats(x->s, &st);
            stopped = st.stopped;
            made[i] =
                try_intake(x, &d[i], noise(x, i % 2 == 0 ? 3000 : 150000, i)) ==
                RC_OK;
            if (made[i] && stopped)
                _exit(4);
            if (made[i])
                tell(fd, (struct step){.what = STEP_MADE,
                                       .document = d[i].document,
                                       .sha = d[i].ref.sha});
            read_one(x, &d[i]);
        }
        for (size_t i = 0; i < DOCS; i += 2) {
            if (made[i] && do_write(x->s, delete_doc, &d[i], &x->e) == RC_OK)
                tell(fd, (struct step){.what = STEP_GONE,
                                       .document = d[i].document});
        }
        store_close(x->s);
    }
    tell(fd, (struct step){.what = STEP_END, .calls = io_plan_count()});
}

static bool is_gone(const struct step *steps, size_t n, uuid document)
{
    for (size_t i = 0; i < n; i++) {
        if (steps[i].what == STEP_GONE && uuid_eq(steps[i].document, document))
            return true;
    }
    return false;
}

static void fails_at(const char *plan)
{
    struct step steps[32];
    struct fix x;
    size_t n;
    int status;

    fix_open_empty(&x);
    status = in_child(&x, plan, stubborn_workload, steps, &n);
    if (status != CHILD_OK)
        fail_msg("%s: the child ended with %d", plan, status);
    open_store(&x);
    if (steps_of(steps, n, STEP_READY) > 0) {
        x.tenant = steps[0].tenant;
        x.base = steps[0].base;
    }
    for (size_t i = 0; i < n; i++) {
        if (steps[i].what != STEP_MADE)
            continue;
        if (is_gone(steps, n, steps[i].document))
            assert_false(document_is_there(&x, steps[i].document));
        else if (document_is_there(&x, steps[i].document))
            body_is_whole(&x, &steps[i].sha);
        else if (strstr(plan, "fsync") == NULL)
            fail_msg("%s: an acknowledged document is lost", plan);
    }
    no_damage(&x);
    assert_int_equal(files_under(x.dir, "tmp"), 0);
    fix_close(&x);
}

#define FAILS_DEFAULT 3 /* a class of calls; more: KNOWD_TEST_FAILS=100 */

static void a_failing_call_is_never_acknowledged(void **state)
{
    static const char *const CLASSES[] = {
        "open",      "pread",  "pwrite", "fsync", "mmap",
        "ftruncate", "rename", "unlink", "mkdir", "alloc"};
    static const char *const ERRORS[] = {"EIO", "ENOSPC", "EINTR", "EMFILE",
                                         "SHORT"};
    const char *want = getenv("KNOWD_TEST_FAILS");
    uint64_t fails = want == NULL ? FAILS_DEFAULT : strtoull(want, NULL, 10);
    unsigned turn = 0;

    (void)state;
    log_level_set(LOG_ERROR);
    for (size_t c = 0; c < NELEMS(CLASSES); c++) {
        struct step steps[32];
        struct fix x;
        char plan[80];
        uint64_t total;
        size_t n;

        fix_open_empty(&x);
        (void)snprintf(plan, sizeof plan, "exit@0:%s", CLASSES[c]);
        assert_int_equal(in_child(&x, plan, stubborn_workload, steps, &n),
                         CHILD_OK);
        total = steps[n - 1].calls;
        fix_close(&x);
        for (uint64_t i = 0; total > 0 && i < fails; i++, turn++) {
            (void)snprintf(plan, sizeof plan, "fail@%llu:%s:%s%s",
                           (unsigned long long)(1 + i * total / fails),
                           ERRORS[turn % NELEMS(ERRORS)], CLASSES[c],
                           turn / NELEMS(ERRORS) % 2 == 0 ? "" : ":sticky");
            fails_at(plan);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(waiting_writes_share_one_fsync, tear_down),
        cmocka_unit_test_setup_teardown(a_late_write_lets_a_press_go_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_write_shares_the_commit_of_a_few,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_press_without_end_does_not_keep_a_late_write_out, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_failing_write_leaves_its_group_whole,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_generation_rises_once_a_write_and_base, set_up, tear_down),
        cmocka_unit_test_teardown(a_failed_fsync_stops_acknowledging,
                                  tear_down),
        cmocka_unit_test_teardown(a_failed_write_call_fails_only_its_group,
                                  tear_down),
        cmocka_unit_test_setup_teardown(
            a_broken_transaction_fails_only_who_broke_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_is_cut_where_it_grows_too_large,
                                        set_up, tear_down),
        cmocka_unit_test_teardown(
            a_full_disk_refuses_ingest_and_lets_deletes_through, tear_down),
        cmocka_unit_test_teardown(
            deletes_wait_for_room_that_is_taken_for_a_moment, tear_down),
        cmocka_unit_test(a_kill_at_any_write_loses_nothing),
        cmocka_unit_test(a_failing_call_is_never_acknowledged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
