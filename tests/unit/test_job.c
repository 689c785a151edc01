/* Jobs: chains of programs and readers, and what becomes of those that fail. */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sandbox.h"
#include "extract/extract_priv.h"
#include "extract/pdf_about.h"
#include "extract/pdf_pages.h"

/* ---- programs and readers of the tests ---- */

enum {
    ROW_CAT,      /* cat, as it is */
    ROW_COUNT,    /* cat | a reader that counts */
    ROW_TWO,      /* cat | tr | a reader that counts */
    ROW_READER,   /* a reader alone */
    ROW_ECHO,     /* the parameters */
    ROW_NAME,     /* the name of the input */
    ROW_NAMED,    /* what is behind that name */
    ROW_YES,      /* endless output to a file */
    ROW_YES_READ, /* endless output to a reader */
    ROW_SPIN,     /* endless CPU */
    ROW_SLEEP,    /* for ever */
    ROW_EXIT,     /* exits 7, having said something and much besides */
    ROW_SIGNAL,   /* kills itself */
    ROW_ABSENT,   /* no such program */
    ROW_ENOUGH,   /* endless output to a reader that takes ten bytes */
    ROW_BAD,      /* cat | a reader that fails as its input says */
    ROW_KINDS
};

static rc read_count(struct job_in *in, const struct job_params *p,
                     struct arena *arena, struct buf *to, struct err *e)
{
    char block[1000];
    size_t n = 0, got;

    (void)p;
    (void)arena;
    (void)e;
    while ((got = job_read(in, block, sizeof block)) > 0)
        n += got;
    buf_fmt(to, "%zu", n);
    return RC_OK;
}

static rc read_ten(struct job_in *in, const struct job_params *p,
                   struct arena *arena, struct buf *to, struct err *e)
{
    char block[10];

    (void)p;
    (void)arena;
    (void)e;
    buf_put(to, (str){block, job_read(in, block, sizeof block)});
    return RC_OK;
}

static rc read_never(struct job_in *in, const struct job_params *p,
                     struct arena *arena, struct buf *to, struct err *e)
{
    static int never;

    (void)in;
    (void)p;
    (void)arena;
    (void)to;
    for (;;)
        (void)syscall(SYS_futex, &never, FUTEX_WAIT, 0, NULL);
    return err_set(e, RC_CANCELLED, "woken");
}

static rc read_badly(struct job_in *in, const struct job_params *p,
                     struct arena *arena, struct buf *to, struct err *e)
{
    str s;
    rc code = job_read_all(in, arena, &s, e);

    (void)p;
    if (code != RC_OK)
        return code;
    if (str_starts(s, STR("CRASH")))
        abort();
    while (str_starts(s, STR("SPIN")))
        ;
    while (str_starts(s, STR("FLOOD")) && to->code == RC_OK)
        buf_put(to, s);
    if (str_starts(s, STR("MEMORY")))
        return RC_NOMEM;
    if (str_starts(s, STR("FORMAT")))
        return RC_FORMAT;
    buf_put(to, s);
    return RC_OK;
}

#define BUDGETS                                                               \
    .cpu_s_max = 1, .memory_bytes_max = 256 * MIB, .pipe_bytes_max = 1 * MIB, \
    .result_bytes_max = 1 * MIB
static const struct job_row ROWS[ROW_KINDS] = {
    [ROW_CAT] = {.name = "cat", .argv = {{"tr", "x", "x"}}, BUDGETS},
    [ROW_COUNT] = {.argv = {{"cat"}}, .work = read_count, BUDGETS},
    [ROW_TWO] = {.argv = {{"cat"}, {"tr", "-d", "a"}},
                 .work = read_count,
                 BUDGETS},
    [ROW_READER] = {.work = read_count, BUDGETS},
    [ROW_ECHO] = {.argv = {{"echo", "@first", "@last", "@dpi", "@language",
                            "@other"}},
                  BUDGETS},
    [ROW_NAME] = {.argv = {{"echo", "@input"}}, BUDGETS},
    [ROW_NAMED] = {.argv = {{"head", "-qc99", "@input"}}, BUDGETS},
    [ROW_YES] = {.argv = {{"yes"}}, BUDGETS},
    [ROW_YES_READ] = {.argv = {{"yes"}}, .work = read_count, BUDGETS},
    [ROW_SPIN] = {.argv = {{"mawk", "BEGIN { while (1) ; }"}}, BUDGETS},
    [ROW_SLEEP] = {.argv = {{"yes"}}, .work = read_never, BUDGETS},
    [ROW_EXIT] = {.argv = {{"head", "-qn1", "-", "none"}}, BUDGETS},
    [ROW_SIGNAL] = {.argv = {{"sync"}}, BUDGETS},
    [ROW_ABSENT] = {.argv = {{"cat"}, {"no-such-program"}}, BUDGETS},
    [ROW_ENOUGH] = {.argv = {{"yes"}}, .work = read_ten, BUDGETS},
    [ROW_BAD] = {.argv = {{"cat"}}, .work = read_badly, BUDGETS},
};

static const struct program_row TOOLS[] = {
    {"cat", "coreutils", SANDBOX_FONTS, {NULL}},
    {"tr", "coreutils", SANDBOX_FONTS, {NULL}},
    {"echo", "coreutils", SANDBOX_FONTS, {NULL}},
    {"yes", "coreutils", SANDBOX_FONTS, {NULL}},
    {"sync", "coreutils", SANDBOX_FONTS, {NULL}},
    {"head", "coreutils", SANDBOX_FONTS, {NULL}},
    {"mawk", "mawk", SANDBOX_FONTS | SANDBOX_MACHINE, {NULL}},
    {"no-such-program", "none", 0, {NULL}},
    {NULL, NULL, 0, {NULL}},
};

static rc no_work(str input, struct said said, struct arena *arena,
                  struct buf *to, struct err *e)
{
    (void)input;
    (void)said;
    (void)arena;
    (void)to;
    return err_set(e, RC_UNSUPPORTED, "only jobs here");
}

static int start(void **state)
{
    const struct zygote_work work = {.run = no_work,
                                     .session = no_work,
                                     .jobs = ROWS,
                                     .jobs_n = ROW_KINDS,
                                     .programs = TOOLS};
    struct err e;

    return extract_start_work(&work, (struct extractor **)state, &e) == RC_OK
               ? 0
               : -1;
}

static int stop(void **state)
{
    extract_stop(*state);
    return 0;
}

static struct job_result run(struct extractor *x, struct arena *a,
                             const struct job_opts *o)
{
    struct job_result r = {0};
    struct job *j = NULL;
    struct err e = {0};

    if (job_begin(x, o, &j, &e) != RC_OK || job_wait(j, a, &r, &e) != RC_OK)
        fail_msg("%s", e.text);
    job_close(j);
    return r;
}

static struct job_result run_bytes(struct extractor *x, struct arena *a,
                                   unsigned kind, const char *bytes)
{
    return run(x, a,
               &(struct job_opts){.kind = kind,
                                  .fd = -1,
                                  .bytes = str_of(bytes),
                                  .wall_ms_max = 60000});
}

static void assert_result(struct job_result *r, enum job_end end,
                          const char *bytes)
{
    if (r->end != end || !str_eq(buf_str(&r->bytes), str_of(bytes)))
        fail_msg("end %d, %.*s, \"%.*s\", \"%.*s\"", (int)r->end,
                 STR_ARG(r->note), STR_ARG(r->messages),
                 STR_ARG(buf_str(&r->bytes)));
    assert_true(r->end == JOB_OK || r->note.n > 0);
    buf_close(&r->bytes);
}

static size_t open_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* ---- chains ---- */

static void a_chain_is_read_from_end_to_end(void **state)
{
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    struct job_result r = run_bytes(*state, a, ROW_CAT, "banana");

    assert_result(&r, JOB_OK, "banana");
    assert_true(r.memory_bytes > 0);
    r = run_bytes(*state, a, ROW_COUNT, "banana");
    assert_result(&r, JOB_OK, "6");
    r = run_bytes(*state, a, ROW_TWO, "banana");
    assert_result(&r, JOB_OK, "3");
    r = run_bytes(*state, a, ROW_READER, "banana");
    assert_result(&r, JOB_OK, "6");
    r = run_bytes(*state, a, ROW_COUNT, "");
    assert_result(&r, JOB_OK, "0");
    assert_int_equal(open_descriptors(), before);
    arena_close(a);
}

static void parameters_stand_in_the_arguments(void **state)
{
    struct arena *a = arena_open();
    struct job_opts o = {.kind = ROW_ECHO,
                         .fd = -1,
                         .params = {.first = 3,
                                    .last = 4294967295,
                                    .dpi = 200,
                                    .language = "deu+chi_sim"}};
    struct job_result r = run(*state, a, &o);
    struct job *j;

    assert_result(&r, JOB_OK, "3 4294967295 200 deu+chi_sim @other\n");
    (void)memcpy(o.params.language, "../etc", 7);
    assert_int_equal(job_begin(*state, &o, &j, NULL), RC_INVALID);
    assert_null(j);
    arena_close(a);
}

static void two_jobs_of_one_file_read_all_of_it(void **state)
{
    struct arena *a = arena_open();
    FILE *f = tmpfile();
    struct job_opts o = {.kind = ROW_CAT};
    struct job_result r[2];
    struct job *j[2];

    assert_true(fputs("one file", f) >= 0 && fflush(f) == 0);
    o.fd = fileno(f);
    for (int i = 0; i < 2; i++)
        assert_int_equal(job_begin(*state, &o, &j[i], NULL), RC_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(job_wait(j[i], a, &r[i], NULL), RC_OK);
        assert_result(&r[i], JOB_OK, "one file");
        job_close(j[i]);
    }
    (void)fclose(f);
    arena_close(a);
}

/* The walls let no program open a file on a disk, unlike memory: it has no
 * folder. */
static void an_input_has_a_name_where_it_can_be_opened(void **state)
{
    struct arena *a = arena_open();
    FILE *f = tmpfile();
    struct job_opts o = {.kind = ROW_NAMED};
    struct job_result r = run_bytes(*state, a, ROW_NAME, "in memory");

    assert_result(&r, JOB_OK, "/proc/self/fd/0\n");
    r = run_bytes(*state, a, ROW_NAMED, "in memory");
    assert_result(&r, JOB_OK, "in memory");
    assert_true(fputs("on a disk", f) >= 0 && fflush(f) == 0);
    o.fd = fileno(f);
    r = run(*state, a, &o);
    assert_result(&r, JOB_OK, "on a disk");
    (void)fclose(f);
    arena_close(a);
}

/* ---- what goes wrong ---- */

static void budgets_are_limits(void **state)
{
    static const unsigned KINDS[] = {ROW_YES, ROW_YES_READ, ROW_SPIN};
    struct arena *a = arena_open();
    struct job_result r;

    for (size_t i = 0; i < NELEMS(KINDS); i++) {
        r = run_bytes(*state, a, KINDS[i], "");
        assert_result(&r, JOB_LIMIT, "");
    }
    r = run(*state, a,
            &(struct job_opts){.kind = ROW_SLEEP, .fd = -1, .wall_ms_max = 50});
    assert_result(&r, JOB_LIMIT, "");
    arena_close(a);
}

static void a_job_that_ended_in_time_may_be_waited_for_late(void **state)
{
    struct asked k = {.x = *state,
                      .rq = {.kind = REQUEST_JOB, .job = ROW_COUNT},
                      .wall_ns = (int64_t)120 * 1000000000};
    struct pollfd ended = {.events = POLLIN};
    struct status s;
    struct err e;

    assert_int_equal(extract_memory_file(STR("four"), &k.input, &e), RC_OK);
    assert_int_equal(asked_begin(&k, &e), RC_OK);
    ended.fd = k.status;
    assert_int_equal(poll(&ended, 1, 60000), 1);
    clock_test_advance(121000);
    assert_int_equal(asked_wait(&k, &s, &e), RC_OK);
    assert_false(k.killed);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.ends[1].wait, 0);
    asked_end(&k);
    assert_int_equal(close(k.input), 0);
}

static void a_program_s_end_is_told(void **state)
{
    struct arena *a = arena_open();
    struct job_result r = run_bytes(*state, a, ROW_EXIT, "half\nof it\n");

    assert_int_equal(r.exit_code, 1);
    assert_true(str_starts(r.messages, STR("head: cannot open 'none'")));
    assert_result(&r, JOB_EXIT, "half\n");
    r = run_bytes(*state, a, ROW_SIGNAL, "");
    assert_result(&r, JOB_CRASHED, "");
    r = run_bytes(*state, a, ROW_ABSENT, "");
    assert_int_equal(r.stage, 1);
    assert_true(str_eq(r.note, STR("no-such-program is not installed")));
    assert_result(&r, JOB_ABSENT, "");
    arena_close(a);
}

static void a_reader_s_end_is_told(void **state)
{
    struct arena *a = arena_open();
    struct job_result r = run_bytes(*state, a, ROW_BAD, "good");

    assert_result(&r, JOB_OK, "good");
    r = run_bytes(*state, a, ROW_BAD, "CRASH");
    assert_int_equal(r.stage, 1);
    assert_result(&r, JOB_CRASHED, "");
    r = run_bytes(*state, a, ROW_BAD, "SPIN");
    assert_result(&r, JOB_LIMIT, "");
    r = run_bytes(*state, a, ROW_BAD, "FLOOD");
    assert_result(&r, JOB_LIMIT, "");
    r = run_bytes(*state, a, ROW_BAD, "MEMORY");
    assert_result(&r, JOB_LIMIT, "");
    r = run_bytes(*state, a, ROW_BAD, "FORMAT");
    assert_int_equal(r.read, RC_FORMAT);
    assert_result(&r, JOB_REFUSED, "");
    /* one that has enough is no failure of the program it reads */
    r = run_bytes(*state, a, ROW_ENOUGH, "");
    assert_result(&r, JOB_OK, "y\ny\ny\ny\ny\n");
    arena_close(a);
}

static void a_job_that_is_let_go_ends(void **state)
{
    struct extractor *x = *state;
    struct job *j[4];
    size_t before = open_descriptors();
    struct extract_figures f;

    for (size_t i = 0; i < NELEMS(j); i++)
        assert_int_equal(
            job_begin(x, &(struct job_opts){.kind = ROW_SLEEP, .fd = -1}, &j[i],
                      NULL),
            RC_OK);
    for (size_t i = 0; i < NELEMS(j); i++)
        job_close(j[i]);
    job_close(NULL);
    extract_figures(x, &f);
    assert_int_equal(f.running, 0);
    assert_int_equal(open_descriptors(), before);
}

static void without_walls_nothing_is_begun(void **state)
{
    struct arena *a = arena_open();
    struct extractor *x = *state;
    unsigned walls = x->facts.walls;
    struct job_result r;

    x->facts.walls &= ~(unsigned)SANDBOX_LANDLOCK;
    r = run_bytes(x, a, ROW_CAT, "banana");
    assert_true(str_find(r.note, STR("--allow-unsandboxed")) < r.note.n);
    assert_result(&r, JOB_UNSAFE, "");
    extract_unsandboxed_allow(x);
    r = run_bytes(x, a, ROW_CAT, "banana");
    assert_result(&r, JOB_OK, "banana");
    x->facts.walls = walls;
    atomic_store(&x->unsandboxed, false);
    arena_close(a);
}

/* ---- the programs themselves ---- */

/* Pages with a line each. Without a table of references, which poppler makes
 * again. */
static str pdf_of(struct arena *a, unsigned pages)
{
    struct buf b = {0};
    str s;

    buf_put(&b, STR("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
                    "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
                    "endobj\n4 0 obj<</Title(Numbered)>>endobj\n"
                    "2 0 obj<</Type/Pages/Kids["));
    for (unsigned i = 0; i < pages; i++)
        buf_fmt(&b, "%u 0 R ", 10 + 2 * i);
    buf_fmt(&b, "]/Count %u/MediaBox[0 0 300 200]>>endobj\n", pages);
    for (unsigned i = 0; i < pages; i++) {
        str text = arena_fmt(a, "BT /F1 24 Tf 40 100 Td (Page number %u) Tj ET",
                             i + 1);

        buf_fmt(&b,
                "%u 0 obj<</Type/Page/Parent 2 0 R/Contents %u 0 R/Resources"
                "<</Font<</F1 3 0 R>>>>>>endobj\n%u 0 obj<</Length %zu>>"
                "stream\n" STR_FMT "\nendstream endobj\n",
                10 + 2 * i, 11 + 2 * i, 11 + 2 * i, text.n, STR_ARG(text));
    }
    buf_put(&b, STR("trailer<</Root 1 0 R/Info 4 0 R>>\n%%EOF\n"));
    assert_int_equal(buf_end(&b, NULL), RC_OK);
    s = arena_str(a, buf_str(&b));
    buf_close(&b);
    return s;
}

static struct job_result pdf_run(struct extractor *x, struct arena *a,
                                 struct job_opts o)
{
    struct job_result r;

    o.fd = -1;
    r = run(x, a, &o);
    if (r.end == JOB_ABSENT) {
        print_message("SKIPPED: %.*s\n", STR_ARG(r.note));
        buf_close(&r.bytes);
        skip();
    }
    return r;
}

static void assert_holds(struct job_result *r, const char *const *words,
                         size_t n)
{
    if (r->end != JOB_OK)
        fail_msg("end %d, %.*s, \"%.*s\"", (int)r->end, STR_ARG(r->note),
                 STR_ARG(r->messages));
    for (size_t i = 0; i < n; i++) {
        if (str_find(buf_str(&r->bytes), str_of(words[i])) == r->bytes.n)
            fail_msg("no \"%s\" in %.*s", words[i],
                     STR_ARG(buf_str(&r->bytes)));
    }
    buf_close(&r->bytes);
}
#define ASSERT_HOLDS(r, ...)                              \
    assert_holds((r), (const char *const[]){__VA_ARGS__}, \
                 NELEMS(((const char *const[]){__VA_ARGS__})))

static void poppler_reads_a_pdf(void **state)
{
    struct arena *a = arena_open();
    struct extractor *x;
    struct job_opts o = {.kind = JOB_PDF_INFO, .bytes = pdf_of(a, 5)};
    struct job_result r;
    struct pdf_range range;
    struct pdf_about about;

    (void)state;
    assert_int_equal(extract_start(&x, NULL), RC_OK);
    r = pdf_run(x, a, o);
    assert_int_equal(r.end, JOB_OK);
    assert_true(pdf_about_read(buf_str(&r.bytes), &about));
    assert_true(str_eq(about.title, STR("Numbered")));
    buf_close(&r.bytes);
    o.kind = JOB_PDF_TEXT;
    o.params = (struct job_params){.first = 2, .last = 3};
    r = pdf_run(x, a, o);
    assert_int_equal(pdf_range_read(buf_str(&r.bytes), &range, NULL), RC_OK);
    assert_int_equal(range.pages_n, 2);
    ASSERT_HOLDS(&r, "Page", "number");
    o.kind = JOB_PDF_OUTLINE;
    r = pdf_run(x, a, o);
    ASSERT_HOLDS(&r, "KDO1");
    o.kind = JOB_PAGE_PICTURE;
    o.params.dpi = 72;
    r = pdf_run(x, a, o);
    assert_true(r.bytes.n > 2 * 300 * 200);
    ASSERT_HOLDS(&r, "P5\n300 200\n255\n");
    o.bytes = STR("%PDF-1.4\nand nothing that fits");
    o.kind = JOB_PDF_TEXT;
    r = pdf_run(x, a, o);
    assert_int_equal(r.end, JOB_EXIT);
    assert_int_equal(r.exit_code, 1);
    buf_close(&r.bytes);
    extract_stop(x);
    arena_close(a);
}

static void tesseract_reads_a_page(void **state)
{
    struct arena *a = arena_open();
    struct extractor *x;
    struct job_opts o = {.kind = JOB_PAGE_OCR,
                         .bytes = pdf_of(a, 5),
                         .params = {.first = 4, .last = 4, .dpi = 200}};
    struct job_result r;

    (void)state;
    assert_int_equal(extract_start(&x, NULL), RC_OK);
    r = pdf_run(x, a, o);
    ASSERT_HOLDS(&r, "KDP1", "Page", "number");
    o.kind = JOB_PAGE_PICTURE;
    r = pdf_run(x, a, o);
    o.kind = JOB_PICTURE_OCR;
    o.bytes = arena_str(a, buf_str(&r.bytes));
    buf_close(&r.bytes);
    r = pdf_run(x, a, o);
    ASSERT_HOLDS(&r, "\tPage\n", "\t4\n");
    extract_stop(x);
    arena_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_read_from_end_to_end),
        cmocka_unit_test(parameters_stand_in_the_arguments),
        cmocka_unit_test(two_jobs_of_one_file_read_all_of_it),
        cmocka_unit_test(an_input_has_a_name_where_it_can_be_opened),
        cmocka_unit_test(budgets_are_limits),
        cmocka_unit_test(a_job_that_ended_in_time_may_be_waited_for_late),
        cmocka_unit_test(a_program_s_end_is_told),
        cmocka_unit_test(a_reader_s_end_is_told),
        cmocka_unit_test(a_job_that_is_let_go_ends),
        cmocka_unit_test(without_walls_nothing_is_begun),
        cmocka_unit_test(poppler_reads_a_pdf),
        cmocka_unit_test(tesseract_reads_a_page),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
