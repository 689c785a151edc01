/* Documents are read once more from their originals: what there was is found
 * until the new text takes its place, whatever happens in between. */
#include "app_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/rng.h"

#define DOCS 24
#define KILL_DOCS 6
#define KILLS 24

/* ---- children of another time ---- */

/* Puts words before the text: every place in it is another. */
static rc old_work(str input, struct said said, struct arena *arena,
                   struct buf *to, struct err *e)
{
    struct doc d;
    struct buf b = {0};
    rc code;

    if (str_starts(input, STR("unreadable"))) {
        d = (struct doc){.outcome = EXTRACT_UNSUPPORTED,
                         .note = STR("It can't be read yet")};
        return doc_encode(&d, to, e);
    }
    buf_put(&b, STR("An old reading, which once stood before it.\n\n"));
    buf_put(&b, input);
    code = extract_bytes(buf_str(&b), said, arena, &d, e);
    buf_close(&b);
    d.extractor_version = EXTRACTOR_VERSION - 1;
    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

/* No two readings put the same before the text. */
static rc moody_work(str input, struct said said, struct arena *arena,
                     struct buf *to, struct err *e)
{
    struct rng r = rng_seeded((uint64_t)clock_mono_ns());
    struct buf b = {0};
    struct doc d;
    rc code;

    for (uint64_t n = 1 + rng_below(&r, 40); n > 0; n--)
        buf_put(&b, STR("Mood. "));
    buf_put(&b, STR("\n\n"));
    buf_put(&b, input);
    code = extract_bytes(buf_str(&b), said, arena, &d, e);
    buf_close(&b);
    return code == RC_OK ? doc_encode(&d, to, e) : code;
}

static rc refusing_work(str input, struct said said, struct arena *arena,
                        struct buf *to, struct err *e)
{
    const struct doc d = {.outcome = EXTRACT_ENCRYPTED,
                          .note = STR("It is encrypted all of a sudden"),
                          .extractor_version = EXTRACTOR_VERSION};

    (void)input;
    (void)said;
    (void)arena;
    return doc_encode(&d, to, e);
}

static int old_open(void **state)
{
    struct fx *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL || scratch_open(&f->dir) != 0)
        return 1;
    f->out = arena_open();
    fx_start_with(f, old_work);
    return 0;
}

/* ---- short words ---- */

struct again {
    uuid base;
    struct reprocess_in in;
    struct reprocess out;
};

static rc reprocess_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct again *r = arg;

    return app_reprocess(f->app, &f->who, db, r->base, &r->in, f->out, &r->out,
                         e);
}

static struct reprocess reprocess(struct fx *f, uuid base, bool all)
{
    struct again r = {.base = base, .in = {.all = all}};
    struct err e = {0};

    fx_ok(fx_write(f, reprocess_op, &r, &e), &e);
    return r.out;
}

static rc retry_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    uint64_t queued;

    return app_job_retry(f->app, &f->who, db, *(uuid *)arg, &queued, e);
}

struct patch {
    uuid id;
    struct document_in in;
    struct document d;
};

static rc patch_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct patch *p = arg;

    return app_document_update(f->app, &f->who, db, p->id, &p->in, f->out,
                               &p->d, e);
}

static void line_print(void *arg, const char *line)
{
    (void)arg;
    print_error("check: %s\n", line);
}

/* Stops it, looks for damage; it is for the next test to start it. */
static void stop_and_check(struct fx *f)
{
    struct err e = {0};
    uint64_t faults;

    fx_ok(engine_settle(f->app->engine, clock_mono_ns() + FX_WAIT_NS, &e), &e);
    fx_stop(f);
    fx_ok(app_check(f->dir, true, line_print, NULL, &faults, &e), &e);
    assert_int_equal(faults, 0);
}

/* The passage that is looked for; before it stands more than one passage. */
static str passage_of(struct fx *f, size_t i)
{
    struct buf b = {0};
    str text;

    buf_fmt(&b, "# Animals\n\nDocument %zu has a walrus%zu in it.", i, i);
    for (unsigned k = 0; k < 12; k++)
        buf_fmt(&b, " It is fed with herring number %u of the day.", k);
    text = arena_str(f->out, buf_str(&b));
    buf_close(&b);
    return text;
}

static str text_of(struct fx *f, size_t i)
{
    struct buf b = {0};
    str text;

    buf_put(&b, STR("# Preface\n\n"));
    for (unsigned k = 0; k < 30; k++)
        buf_fmt(&b, "Much is to be said before all else, part %u. ", k);
    buf_fmt(&b, "\n\n" STR_FMT, STR_ARG(passage_of(f, i)));
    text = arena_str(f->out, buf_str(&b));
    buf_close(&b);
    return text;
}

static void docs_add(struct fx *f, uuid base, size_t n, uuid *docs)
{
    struct intake_item *items = ARENA_ARRAY(f->out, struct intake_item, n);
    struct fx_ingest i;

    for (size_t k = 0; k < n; k++)
        items[k] = fx_item("t", arena_cstr(f->out, text_of(f, k)));
    fx_ingest_items(f, base, items, n, &i);
    fx_settle(f);
    for (size_t k = 0; k < n; k++)
        docs[k] = i.call.results[k].document;
}

/* ---- tests ---- */

static void a_version_gets_its_new_text_and_stays_what_it_was(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc;
    struct fx_versions before, after;
    struct reprocess r;
    struct job j;

    docs_add(f, base, 1, &doc);
    before = fx_versions(f, doc);
    assert_int_equal(fx_search(f, base, "reading").hits_n, 1);
    fx_stop(f);
    fx_start(f);
    r = reprocess(f, base, false);
    assert_int_equal(r.queued, 1);
    assert_int_equal(r.next_cursor.n, 0);
    fx_settle(f);
    j = fx_job(f, r.job);
    assert_true(str_eq(j.kind, STR("reprocess")));
    assert_string_equal(j.status, "completed");
    after = fx_versions(f, doc);
    assert_int_equal(after.n, 1);
    assert_true(uuid_eq(after.v[0].id, before.v[0].id));
    assert_int_equal(after.v[0].number, 1);
    assert_string_equal(after.v[0].state, "active");
    assert_int_equal(after.v[0].extraction.extractor_version,
                     EXTRACTOR_VERSION);
    assert_int_equal(fx_search(f, base, "reading").hits_n, 0);
    assert_true(str_eq(fx_search(f, base, "walrus0").hits[0].content,
                       passage_of(f, 0)));
    /* and there is nothing left to do, unless it is wished */
    r = reprocess(f, base, false);
    assert_true(uuid_is_nil(r.job));
    r = reprocess(f, base, true);
    assert_int_equal(r.queued, 1);
    fx_settle(f);
    assert_int_equal(fx_search(f, base, "walrus0").hits_n, 1);
    stop_and_check(f);
    fx_start(f);
}

static void what_could_not_be_read_becomes_readable(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("t", "unreadable until the next version");
    struct fx_ingest i;
    struct version v;
    uuid doc;

    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    doc = i.call.results[0].document;
    v = fx_versions(f, doc).v[0];
    assert_string_equal(v.state, "failed");
    assert_true(str_eq(v.extraction.outcome, STR("unsupported")));
    fx_stop(f);
    fx_start(f);
    assert_int_equal(reprocess(f, base, false).queued, 1);
    fx_settle(f);
    v = fx_versions(f, doc).v[0];
    assert_string_equal(v.state, "active");
    assert_null(v.error.p);
    assert_true(str_eq(v.extraction.outcome, STR("ok")));
    assert_string_equal(fx_document(f, doc).state, "active");
    assert_int_equal(fx_search(f, base, "readable unreadable").hits_n, 1);
    stop_and_check(f);
    fx_start(f);
}

static void a_failure_keeps_the_old_text_and_can_be_retried(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), docs[2];
    struct reprocess r;
    struct job_item *items;
    struct err e = {0};

    docs_add(f, base, 2, docs);
    fx_stop(f);
    fx_start_with(f, refusing_work);
    r = reprocess(f, base, false);
    fx_settle(f);
    assert_string_equal(fx_job(f, r.job).status, "failed");
    items = fx_items(f, r.job);
    assert_true(str_eq(items[0].error, STR("It is encrypted all of a sudden")));
    for (size_t i = 0; i < 2; i++) {
        struct version v = fx_versions(f, docs[i]).v[0];

        assert_string_equal(v.state, "active");
        assert_null(v.error.p);
        assert_true(str_eq(v.extraction.outcome, STR("ok")));
        assert_int_equal(v.extraction.extractor_version, EXTRACTOR_VERSION - 1);
    }
    assert_int_equal(fx_search(f, base, "walrus0").hits_n, 1);
    assert_int_equal(fx_search(f, base, "reading").hits_n, 2);
    fx_stop(f);
    fx_start(f);
    fx_ok(fx_write(f, retry_op, &r.job, &e), &e);
    fx_settle(f);
    assert_string_equal(fx_job(f, r.job).status, "completed");
    assert_int_equal(fx_search(f, base, "reading").hits_n, 0);
    assert_int_equal(fx_search(f, base, "walrus1").hits_n, 1);
    stop_and_check(f);
    fx_start(f);
}

static void while_one_runs_it_is_the_answer(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc;
    struct reprocess first, second;

    docs_add(f, base, 1, &doc);
    fx_stop(f);
    fx_start(f);
    first = reprocess(f, base, false);
    second = reprocess(f, base, false);
    fx_settle(f);
    /* It may have ended in between: then nothing was left to do. */
    assert_true(uuid_is_nil(second.job) || uuid_eq(second.job, first.job));
    assert_int_equal(fx_search(f, base, "walrus0").hits_n, 1);
}

/* Searches beside it see each document once, with its word in the passage;
 * titles that change meanwhile index the text there is. */
static void every_search_meanwhile_sees_each_document_once(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), docs[DOCS];
    struct fx_found s = {.in = {.query = STR("document"),
                                .bases = &base,
                                .bases_n = 1,
                                .limit = 2 * DOCS,
                                .alpha = -1}};
    struct rng r = rng_seeded(5);
    struct err e = {0};

    docs_add(f, base, DOCS, docs);
    fx_stop(f);
    fx_start_with(f, moody_work);
    for (unsigned round = 0; round < 12; round++) {
        struct patch p = {.in = {.set_title = true}};
        struct reprocess done = reprocess(f, base, round > 0);

        for (unsigned i = 0; i < 40; i++) {
            if (i % 4 == 0) {
                p.id = docs[rng_below(&r, DOCS)];
                p.in.title = arena_fmt(f->out, "round %u %u", round, i);
                fx_ok(fx_write(f, patch_op, &p, &e), &e);
            }
            fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
            assert_int_equal(s.out.hits_n, DOCS);
            for (size_t h = 0; h < DOCS; h++)
                if (!str_starts(s.out.hits[h].content, STR("# Animals")) ||
                    !str_ends(s.out.hits[h].content, STR("11 of the day.")))
                    fail_msg("a passage of another text: " STR_FMT,
                             STR_ARG(s.out.hits[h].content));
        }
        fx_settle(f);
        assert_string_equal(fx_job(f, done.job).status, "completed");
    }
    for (size_t i = 0; i < DOCS; i++) {
        struct search_out out =
            fx_search(f, base, arena_fmt(f->out, "walrus%zu", i).p);

        assert_int_equal(out.hits_n, 1);
        assert_true(str_eq(out.hits[0].content, passage_of(f, i)));
        assert_true(
            str_eq(out.hits[0].document_title, fx_document(f, docs[i]).title));
    }
    stop_and_check(f);
    fx_start(f);
}

/* ---- kills ---- */

/* Reads all again under a plan; the calls it took, or how it was ended. */
static int run(struct fx *f, uuid base, const char *plan, uint64_t *calls)
{
    int status, fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint64_t n;

        io_plan_set(plan);
        fx_start(f);
        (void)reprocess(f, base, false);
        fx_settle(f);
        fx_stop(f);
        n = io_plan_count();
        _exit(write(fds[1], &n, sizeof n) == (ssize_t)sizeof n ? 0 : 4);
    }
    (void)close(fds[1]);
    if (read(fds[0], calls, sizeof *calls) != (ssize_t)sizeof *calls)
        *calls = 0;
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uuid folder_again(struct fx *f, uuid docs[KILL_DOCS])
{
    uuid base;

    assert_int_equal(scratch_close(&f->dir), 0);
    assert_int_equal(scratch_open(&f->dir), 0);
    arena_close(f->out);
    f->out = arena_open();
    fx_start_with(f, old_work);
    base = fx_base(f);
    docs_add(f, base, KILL_DOCS, docs);
    fx_stop(f);
    return base;
}

/* Whatever was done is whole; what is left is done by the same words. */
static void recovers(struct fx *f, uuid base, const uuid docs[KILL_DOCS])
{
    size_t old = 0;

    clock_test_advance(60000); /* what was put back is due */
    fx_start(f);
    for (size_t i = 0; i < KILL_DOCS; i++)
        assert_string_equal(fx_document(f, docs[i]).state, "active");
    old = fx_search(f, base, "reading").hits_n;
    assert_true(old <= KILL_DOCS);
    fx_settle(f);
    (void)reprocess(f, base, false);
    fx_settle(f);
    assert_int_equal(fx_search(f, base, "reading").hits_n, 0);
    for (size_t i = 0; i < KILL_DOCS; i++) {
        struct search_out out =
            fx_search(f, base, arena_fmt(f->out, "walrus%zu", i).p);

        assert_int_equal(out.hits_n, 1);
        assert_true(str_eq(out.hits[0].content, passage_of(f, i)));
        assert_int_equal(fx_versions(f, docs[i]).n, 1);
    }
    stop_and_check(f);
}

static void a_kill_at_any_write_leaves_old_or_new_and_is_taken_up(void **state)
{
    struct fx *f = *state;
    struct rng r = rng_seeded(17);
    uuid docs[KILL_DOCS], base;
    uint64_t calls, none;
    unsigned killed = 0;

    fx_stop(f);
    base = folder_again(f, docs);
    assert_int_equal(run(f, base, "exit@0:write", &calls), 0);
    assert_true(calls > 10);
    recovers(f, base, docs);
    for (unsigned i = 0; i < KILLS; i++) {
        uint64_t k = 1 + calls * i / KILLS + rng_below(&r, 1 + calls / KILLS);
        int status;

        base = folder_again(f, docs);
        status =
            run(f, base,
                arena_fmt(f->out, "exit@%llu:write", (unsigned long long)k).p,
                &none);
        assert_true(status == 137 || status == 0);
        killed += status == 137;
        recovers(f, base, docs);
    }
    assert_true(killed > KILLS / 2);
    fx_start(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, old_open, fx_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_version_gets_its_new_text_and_stays_what_it_was),
        TEST(what_could_not_be_read_becomes_readable),
        TEST(a_failure_keeps_the_old_text_and_can_be_retried),
        TEST(while_one_runs_it_is_the_answer),
        TEST(every_search_meanwhile_sees_each_document_once),
        TEST(a_kill_at_any_write_leaves_old_or_new_and_is_taken_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
