/* The process ends at each step of a commit, a merge and a delete; what was
 * acknowledged is there afterwards, what was deleted is not. */
#include "engine/engine.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "engine_fix.h"

/* The thread sanitizer sleeps a second at each exit unless told not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "atexit_sleep_ms=0";
}

#define DOCS 12
#define KILLED 137

/* What the child has been told is done: one byte a step, through a pipe. */
enum ack { ACK_PUT = 'p', ACK_DROP = 'd', ACK_UPDATE = 'u' };

struct ids {
    uuid tenant, base;
    struct put docs[DOCS];
};

static const char *word_of(size_t doc, bool updated)
{
    static char words[DOCS][2][24];

    (void)snprintf(words[doc][updated], sizeof words[doc][updated],
                   updated ? "newer%zux" : "older%zux", doc);
    return words[doc][updated];
}

static void ack(int fd, enum ack a)
{
    char c = (char)a;

    if (write(fd, &c, 1) != 1)
        _exit(9);
}

/* Puts DOCS documents with merges between, updates every third, deletes every
 * fourth. Ends where the plan wants it, or with 0. */
static void child_run(const char *dir, const struct ids *ids, int fd)
{
    struct fix f = {.tenant = ids->tenant, .base = ids->base};
    struct err e = {0};
    int64_t until = clock_mono_ns() + (int64_t)30 * 1000000000;

    (void)snprintf(f.dir, sizeof f.dir, "%s", dir);
    f.a = arena_open();
    if (fix_try_open(&f, &e) != RC_OK)
        _exit(8);
    for (size_t i = 0; i < DOCS; i++) {
        struct put p = ids->docs[i], next;

        p.f = &f;
        p.text = str_of(word_of(i, false));
        if (put_try(&p, &e) != RC_OK)
            _exit(7);
        ack(fd, ACK_PUT);
        next = p;
        if (i % 3 == 2) {
            next.former = p.version;
            next.version = uuid_new();
            next.number = 2;
            next.text = str_of(word_of(i, true));
            if (put_try(&next, &e) != RC_OK)
                _exit(7);
            ack(fd, ACK_UPDATE);
        }
        if (i % 4 == 3) {
            if (drop_try(&p, &e) != RC_OK)
                _exit(7);
            ack(fd, ACK_DROP);
        }
        if (i % 6 == 5 && engine_settle(f.engine, until, &e) != RC_OK)
            _exit(6);
    }
    fix_close(&f);
    arena_close(f.a);
}

struct acked {
    bool put[DOCS], updated[DOCS], dropped[DOCS];
    size_t last; /* the document that was being worked on */
};

static struct acked acks_read(int fd)
{
    struct acked a = {0};
    size_t n = 0;
    char c;

    while (read(fd, &c, 1) == 1) {
        if (c == ACK_PUT)
            a.put[n++] = true;
        else if (c == ACK_UPDATE)
            a.updated[n - 1] = true;
        else
            a.dropped[n - 1] = true;
    }
    a.last = n;
    return a;
}

/* Each document is as it was acknowledged, or one step further. */
static void compare(struct fix *f, const struct acked *a)
{
    struct err e = {0};
    uuid *missing;
    size_t missing_n;

    must(engine_missing(f->engine, f->base, f->a, &missing, &missing_n, &e),
         &e);
    assert_int_equal(missing_n, 0);
    for (size_t i = 0; i < DOCS; i++) {
        size_t older = fix_count(f, word_of(i, false)),
               newer = fix_count(f, word_of(i, true));

        if (i + 1 < a->last) { /* all of its steps were acknowledged */
            assert_int_equal(newer, i % 4 != 3 && i % 3 == 2);
            assert_int_equal(older, i % 4 != 3 && i % 3 != 2);
        } else if (a->dropped[i]) {
            assert_int_equal(older + newer, 0);
        } else if (a->updated[i]) {
            assert_int_equal(older, 0);
            assert_true(newer == 1 || i % 4 == 3);
        } else if (a->put[i]) {
            assert_true(older + newer == 1 || i % 4 == 3);
        } else {
            assert_int_equal(newer, 0);
            assert_true(older == 0 || i == a->last);
        }
    }
    assert_int_equal(fix_check(f, true), 0);
}

/* One run in a fresh folder under this plan; the child's status. */
static int run(const char *plan, uint64_t *calls)
{
    struct fix f;
    struct ids ids;
    struct acked a;
    int fds[2], status = 0;
    pid_t pid;

    fix_make(&f, false);
    ids.tenant = f.tenant;
    ids.base = f.base;
    for (size_t i = 0; i < DOCS; i++)
        ids.docs[i] = put_of(&f, f.base, "doc", "");
    fix_close(&f);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        io_plan_set(plan);
        child_run(f.dir, &ids, fds[1]);
        if (calls != NULL) {
            uint64_t n = io_plan_count();

            if (write(fds[1], &n, sizeof n) != sizeof n)
                _exit(9);
        }
        _exit(0);
    }
    (void)close(fds[1]);
    if (calls != NULL) {
        char bytes[256];
        ssize_t n = 0, got;

        while ((got = read(fds[0], bytes + n, sizeof bytes - (size_t)n)) > 0)
            n += got;
        assert_true(n > (ssize_t)sizeof *calls);
        memcpy(calls, bytes + n - sizeof *calls, sizeof *calls);
    }
    a = acks_read(fds[0]);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    fix_open(&f);
    if (calls == NULL)
        compare(&f, &a);
    /* Whatever was left half done doesn't stay. */
    fix_settle(&f);
    if (calls == NULL)
        compare(&f, &a);
    fix_end(&f);
    return WEXITSTATUS(status);
}

static void kill_at_each(const char *calls_of, size_t runs)
{
    char plan[128];
    uint64_t calls;

    (void)snprintf(plan, sizeof plan, "exit@0:%s", calls_of);
    assert_int_equal(run(plan, &calls), 0);
    assert_true(calls > 20);
    if (runs > calls)
        runs = calls; /* each of them */
    for (size_t i = 0; i < runs; i++) {
        unsigned long long k = 1 + i * calls / runs;
        int status;

        (void)snprintf(plan, sizeof plan, "exit@%llu:%s", k, calls_of);
        status = run(plan, NULL);
        /* Merges happen when they like: the last calls may not come. */
        assert_true(status == KILLED || status == 0);
    }
}

static void killed_while_it_writes_index_files(void **state)
{
    (void)state;
    kill_at_each("write:path=/index/", SIZE_MAX);
}

static void killed_while_it_writes_the_database(void **state)
{
    (void)state;
    kill_at_each("write:path=knowd.db", 120);
}

/* A call that fails once, instead of the process ending. */
static void one_failure(const char *plan)
{
    struct fix f;
    size_t acked = 0;

    fix_make(&f, false);
    fix_close(&f);
    io_plan_set(plan);
    fix_open(&f);
    for (size_t i = 0; i < 10; i++) {
        struct put p = put_of(&f, f.base, "doc", "acked word");
        struct engine_query q = {.bases = &f.base,
                                 .bases_n = 1,
                                 .text = STR("acked"),
                                 .hits_max = 100};
        struct engine_result r;
        struct err e = {0};

        acked += put_try(&p, &e) == RC_OK;
        /* An error is an answer, a wrong list is not. */
        if (search_try(&f, &q, &r, &e) == RC_OK)
            assert_int_equal(r.hits_n, acked);
    }
    assert_true(acked >= 9);
    fix_settle(&f);
    assert_int_equal(fix_count(&f, "acked"), acked);
    fix_close(&f);
    io_plan_set(NULL);
    fix_open(&f);
    assert_int_equal(fix_count(&f, "acked"), acked);
    assert_int_equal(fix_check(&f, true), 0);
    fix_end(&f);
}

static void a_failed_call_loses_nothing(void **state)
{
    static const char *const HOW[] = {
        "EIO:write:path=/index/", "ENOSPC:write:path=/index/", "ENOMEM:alloc",
        "EMFILE:open:path=.seg", "ENOMEM:mmap:path=/index/"};

    (void)state;
    for (size_t i = 0; i < NELEMS(HOW); i++)
        for (unsigned k = 1; k < 60; k += 4) {
            char plan[64];

            (void)snprintf(plan, sizeof plan, "fail@%u:%s", k, HOW[i]);
            one_failure(plan);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_it_writes_index_files),
        cmocka_unit_test(killed_while_it_writes_the_database),
        cmocka_unit_test(a_failed_call_loses_nothing),
    };

    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
