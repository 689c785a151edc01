/* The zygote and its children: what goes wrong in one is an outcome of its
 * document, never of the server. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "extract/extract_priv.h"

static int compare_chars(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

/* Shared with the children: how often BLOCK was read, and how many readings of
 * it never end. */
static struct {
    _Atomic int begun, endless;
} * blocks;

/* What a child that was taken over might answer: none, one too many, more
 * bytes than there may be, streams that are longer or shorter than all. */
static _Noreturn void answer_wrongly(char which)
{
    struct session_answer answer = {
        .docs_n = 1, .bytes_n = 8, .streams_n = {8}};

    if (which == '0')
        answer.docs_n = 0;
    if (which == '1')
        answer.docs_n = SESSION_AHEAD_MAX + 1;
    if (which == '2')
        answer.bytes_n = UINT64_MAX;
    if (which == '3')
        answer.streams_n[0] = 9;
    if (which == '4')
        answer.streams_n[0] = 7;
    if (write(4, &answer, sizeof answer) < 0 || write(4, "12345678", 8) < 0)
        _exit(1);
    _exit(0);
}

/* What the children of these tests do is named by the first word of their
 * input; anything else is extracted. */
static rc work(str input, struct said said, struct arena *arena, struct buf *to,
               struct err *e)
{
    struct doc d;
    if (str_starts(input, STR("CRASH")))
        (void)raise(SIGSEGV);
    if (str_starts(input, STR("ABORT")))
        abort();
    if (str_starts(input, STR("KILL")))
        (void)kill(getppid(), SIGKILL);
    if (str_starts(input, STR("EXIT")))
        _exit(3);
    while (str_starts(input, STR("SPIN")))
        ;
    if (str_starts(input, STR("BLOCK")) &&
        atomic_fetch_add(&blocks->begun, 1) < atomic_load(&blocks->endless))
        input = STR("SLEEP");
    while (str_starts(input, STR("SLEEP"))) {
        static int never;

        (void)syscall(SYS_futex, &never, FUTEX_WAIT, 0, NULL);
    }
    while (str_starts(input, STR("FLOOD"))) {
        static char block[65536];

        if (write(4, block, sizeof block) < 0)
            _exit(1);
    }
    if (str_starts(input, STR("LIE"))) {
        buf_put(to, STR("KDX1 and nothing that fits"));
        return RC_OK;
    }
    if (str_starts(input, STR("ANSWER")))
        answer_wrongly(input.p[6]);
    if (str_starts(input, STR("SILENT")))
        return RC_OK;
    if (str_starts(input, STR("MEMORY")))
        return RC_NOMEM;
    if (str_starts(input, STR("HALF"))) {
        if (extract_bytes(input, said, arena, &d, e) == RC_OK &&
            doc_encode(&d, to, e) == RC_OK)
            to->n /= 2;
        return RC_OK;
    }
    if (str_starts(input, STR("SORT"))) {
        static char many[65536];

        qsort(many, sizeof many, 1, compare_chars);
    }
    if (str_starts(input, STR("OBJECT")))
        json_decref(json_object());
    if (str_starts(input, STR("FDS"))) {
        /* the text is the list of open descriptors; -1 and no signal: EBADF */
        struct buf list = {0};
        char none;

        for (int fd = 0; fd < 1024; fd++) {
            if (write(fd, &none, 0) >= 0 || errno != EBADF)
                buf_fmt(&list, "%d ", fd);
        }
        if (extract_bytes(buf_str(&list), said, arena, &d, e) != RC_OK)
            _exit(1);
        return doc_encode(&d, to, e);
    }
    if (extract_bytes(input, said, arena, &d, e) != RC_OK)
        _exit(1);
    return doc_encode(&d, to, e);
}

static int start(void **state)
{
    struct err e;

    blocks = mmap(NULL, sizeof *blocks, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED)
        return -1;
    return extract_start_with(work, (struct extractor **)state, &e) == RC_OK
               ? 0
               : -1;
}

static int stop(void **state)
{
    extract_stop(*state);
    return 0;
}

static struct doc run(struct extractor *x, struct arena *a, str bytes,
                      unsigned cpu_s, unsigned wall_ms)
{
    struct extract_in in = {.fd = -1,
                            .bytes = bytes,
                            .said = {.filename = STR("a.md")},
                            .cpu_s_max = cpu_s,
                            .wall_ms_max = wall_ms};
    struct err e = {0};
    struct doc d;
    rc code = extract_run(x, &in, a, &d, &e);

    if (code != RC_OK)
        fail_msg("%s: %s", rc_name(code), e.text);
    return d;
}

static size_t open_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void a_document_comes_back_as_in_process(void **state)
{
    struct arena *a = arena_open();
    str text = STR("# Title\n\nText with é.\n\n- item\n");
    struct doc here, there = run(*state, a, text, 0, 0);
    struct buf x = {0}, y = {0};

    assert_int_equal(extract_bytes(text, (struct said){.filename = STR("a.md")},
                                   a, &here, NULL),
                     RC_OK);
    assert_int_equal(doc_encode(&here, &x, NULL), RC_OK);
    assert_int_equal(doc_encode(&there, &y, NULL), RC_OK);
    assert_true(str_eq(buf_str(&x), buf_str(&y)));
    buf_close(&x);
    buf_close(&y);
    arena_close(a);
}

/* Alone and in a session; what is too long is as if nothing had been said. */
static void a_child_is_told_the_type(void **state)
{
    static const struct {
        str type;
        const char *text;
    } CASES[] = {
        {STR_INIT("text/plain; charset=koi8-r"), "мир"},
        {STR_INIT("text/plain; charset=koi8-r; and so on, for more bytes than "
                  "a type may have: ..........................................."
                  "......................"),
         "ÍÉÒ"},
        {{NULL, 0}, "ÍÉÒ"},
    };
    struct extract_session *s = extract_session_open(*state);
    struct arena *a = arena_open();

    assert_true(CASES[1].type.n > SAID_TYPE_BYTES_MAX);
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct extract_in in = {.fd = -1,
                                .bytes = STR("\xcd\xc9\xd2"),
                                .said = {.type = CASES[i].type}};
        struct doc d;

        assert_int_equal(extract_run(*state, &in, a, &d, NULL), RC_OK);
        assert_true(str_eq(d.text, str_of(CASES[i].text)));
        assert_int_equal(extract_session_run(s, &in, a, &d, NULL), RC_OK);
        assert_true(str_eq(d.text, str_of(CASES[i].text)));
    }
    extract_session_close(s);
    arena_close(a);
}

static void a_file_is_read_from_its_start(void **state)
{
    struct arena *a = arena_open();
    FILE *f = tmpfile();
    struct extract_in in = {.said = {.filename = STR("a.txt")}};
    struct doc d;

    assert_true(fputs("Text in a file.\n", f) >= 0 && fflush(f) == 0);
    in.fd = fileno(f);
    assert_int_equal(extract_run(*state, &in, a, &d, NULL), RC_OK);
    assert_true(str_eq(d.text, STR("Text in a file.\n")));
    assert_int_equal(d.outcome, EXTRACT_OK);
    assert_int_equal(ftruncate(in.fd, 200 << 20), 0);
    assert_int_equal(extract_run(*state, &in, a, &d, NULL), RC_OK);
    assert_int_equal(d.outcome, EXTRACT_LIMIT);
    assert_true(d.note.n > 0);
    (void)fclose(f);
    arena_close(a);
}

static void failures_are_outcomes(void **state)
{
    static const struct {
        const char *input;
        enum extract_outcome outcome;
    } CASES[] = {
        {"CRASH", EXTRACT_CRASHED},       {"ABORT", EXTRACT_CRASHED},
        {"EXIT", EXTRACT_CRASHED},        {"LIE", EXTRACT_CRASHED},
        {"SILENT", EXTRACT_CRASHED},      {"HALF of a text", EXTRACT_CRASHED},
        {"MEMORY", EXTRACT_LIMIT},        {"FLOOD", EXTRACT_LIMIT},
        {"# fine", EXTRACT_OK},           {"", EXTRACT_MALFORMED},
        {"\1\2\3\4\5", EXTRACT_MALFORMED}};
    struct arena *a = arena_open();

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = run(*state, a, str_of(CASES[i].input), 0, 0);

        if (d.outcome != CASES[i].outcome)
            fail_msg("%s: %s", CASES[i].input,
                     EXTRACT_OUTCOME_NAMES[d.outcome]);
        assert_true(d.outcome == EXTRACT_OK || d.note.n > 0);
    }
    arena_close(a);
}

static void a_hanging_child_is_killed_at_the_deadline(void **state)
{
    struct arena *a = arena_open();
    struct doc d = run(*state, a, STR("SLEEP"), 0, 50);

    assert_int_equal(d.outcome, EXTRACT_LIMIT);
    assert_true(str_eq(d.note, STR("Reading the file took too long")));
    d = run(*state, a, STR("SPIN"), 0, 50);
    assert_int_equal(d.outcome, EXTRACT_LIMIT);
    /* and the next one runs */
    assert_int_equal(run(*state, a, STR("fine"), 0, 0).outcome, EXTRACT_OK);
    arena_close(a);
}

static void cpu_seconds_are_counted_by_the_system(void **state)
{
    struct arena *a = arena_open();
    struct doc d = run(*state, a, STR("SPIN"), 1, 0);

    assert_int_equal(d.outcome, EXTRACT_LIMIT);
    arena_close(a);
}

/* At their first large sort and first JSON object libraries ask the system for
 * something, which no reader may. */
static void a_reader_may_use_its_libraries(void **state)
{
    struct arena *a = arena_open();

    assert_int_equal(run(*state, a, STR("SORT and read"), 0, 0).outcome,
                     EXTRACT_OK);
    assert_int_equal(run(*state, a, STR("OBJECT and read"), 0, 0).outcome,
                     EXTRACT_OK);
    arena_close(a);
}

static void a_child_holds_its_two_descriptors(void **state)
{
    struct arena *a = arena_open();
    int extra = open("/dev/null", O_RDONLY);
    struct doc d = run(*state, a, STR("FDS"), 0, 0);

    assert_true(str_eq(d.text, STR("0 1 2 3 4 ")));
    (void)close(extra);
    arena_close(a);
}

static void no_run_leaves_a_descriptor_behind(void **state)
{
    static const char *const INPUTS[] = {"fine", "CRASH", "LIE", "FLOOD"};
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    struct extract_figures first, f;

    extract_figures(*state, &first);
    for (int i = 0; i < 40; i++)
        (void)run(*state, a, str_of(INPUTS[i % 4]), 0, 0);
    assert_int_equal(open_descriptors(), before);
    extract_figures(*state, &f);
    assert_int_equal(f.running, 0);
    assert_int_equal(f.crashes - first.crashes, 20);
    arena_close(a);
}

static void *run_many(void *x)
{
    struct arena *a = arena_open();
    size_t wrong = 0;

    for (int i = 0; i < 40; i++) {
        struct arena_mark m = arena_mark(a);
        str text = arena_fmt(a, "Document %d of a thread.", i);
        struct extract_in in = {.fd = -1, .bytes = text};
        struct doc d;

        if (i % 10 == 3)
            in.bytes = STR("CRASH");
        if (extract_run(x, &in, a, &d, NULL) != RC_OK)
            wrong++;
        else if (i % 10 == 3 ? d.outcome != EXTRACT_CRASHED
                             : !str_eq(d.text, text))
            wrong++;
        arena_rewind(a, m);
    }
    arena_close(a);
    return wrong == 0 ? NULL : x;
}

static void threads_run_side_by_side(void **state)
{
    pthread_t t[6];
    void *res;

    for (size_t i = 0; i < NELEMS(t); i++)
        assert_int_equal(pthread_create(&t[i], NULL, run_many, *state), 0);
    for (size_t i = 0; i < NELEMS(t); i++) {
        assert_int_equal(pthread_join(t[i], &res), 0);
        assert_null(res);
    }
}

/* Processes with this pid as parent, of those that live. */
static size_t children_of(pid_t parent, pid_t *one)
{
    DIR *dir = opendir("/proc");
    struct dirent *en;
    size_t n = 0;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread reads this stream */
    while ((en = readdir(dir)) != NULL) {
        char path[300], line[512];
        int ppid = -1;
        char st = 'Z';
        FILE *f;
        pid_t pid = (pid_t)strtol(en->d_name, NULL, 10);

        if (pid <= 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (f == NULL)
            continue;
        if (fgets(line, sizeof line, f) != NULL &&
            sscanf(strrchr(line, ')') + 1, " %c %d", &st, &ppid) == 2 &&
            ppid == parent && st != 'Z') {
            n++;
            *one = pid;
        }
        (void)fclose(f);
    }
    (void)closedir(dir);
    return n;
}

/* The zygote of an extractor, which its nanny forked. */
static pid_t zygote_of(const struct extractor *x)
{
    pid_t pid = 0;

    for (int i = 0; i < 5000 && children_of(x->nanny, &pid) == 0; i++)
        clock_sleep_ms(2);
    assert_int_not_equal(pid, 0);
    return pid;
}

static struct doc session_run_of(struct extract_session *s, struct arena *a,
                                 str bytes, uint64_t ticket)
{
    struct extract_in in = {.fd = -1, .bytes = bytes, .ticket = ticket};
    struct err e = {0};
    struct doc d;
    rc code = extract_session_run(s, &in, a, &d, &e);

    if (code != RC_OK)
        fail_msg("%s: %s", rc_name(code), e.text);
    return d;
}

static struct doc session_run(struct extract_session *s, struct arena *a,
                              str bytes)
{
    return session_run_of(s, a, bytes, 0);
}

static void a_session_reads_many_in_one_child(void **state)
{
    struct extractor *x = *state;
    struct extract_session *s = extract_session_open(x);
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    char *large = arena_alloc(a, SESSION_BYTES_MAX + 1);
    pid_t zygote = zygote_of(x), first = 0, child = 0;

    for (int i = 0; i < 20; i++) {
        str text = arena_fmt(a, "Document %d of a session.", i);

        assert_true(str_eq(session_run(s, a, text).text, text));
        assert_int_equal(children_of(zygote, &child), 1);
        first = i == 0 ? child : first;
        assert_int_equal(child, first);
    }
    /* a large one has its own and leaves this one alone */
    memset(large, 'x', SESSION_BYTES_MAX + 1);
    assert_int_equal(
        session_run(s, a, (str){large, SESSION_BYTES_MAX + 1}).text.n,
        SESSION_BYTES_MAX + 1);
    assert_int_equal(children_of(zygote, &child), 1);
    assert_int_equal(child, first);
    extract_session_rest(s);
    for (int i = 0; i < 5000 && children_of(zygote, &child) > 0; i++)
        clock_sleep_ms(2);
    assert_int_equal(children_of(zygote, &child), 0);
    assert_int_equal(open_descriptors(), before);
    extract_session_close(s);
    arena_close(a);
}

static void ahead(struct extract_session *s, const str *texts,
                  uint64_t *tickets, size_t n)
{
    struct extract_in in[100];

    assert_true(n <= NELEMS(in));
    for (size_t i = 0; i < n; i++)
        in[i] = (struct extract_in){.fd = -1, .bytes = texts[i]};
    extract_session_ahead(s, in, n);
    for (size_t i = 0; i < n; i++)
        tickets[i] = in[i].ticket;
}

static void what_was_read_ahead_is_there_when_it_is_asked_for(void **state)
{
    enum { MANY = SESSION_AHEAD_MAX * 3 / 2 };
    struct extractor *x = *state;
    struct extract_session *s = extract_session_open(x);
    struct arena *a = arena_open();
    pid_t zygote = zygote_of(x), first = 0, child = 0;
    char *large = arena_alloc(a, SESSION_BYTES_MAX + 1);
    uint64_t tickets[MANY], former = 0;
    str texts[2 * MANY];

    memset(large, 'x', SESSION_BYTES_MAX + 1);
    for (size_t i = 0; i < NELEMS(texts); i++)
        texts[i] = arena_fmt(a, "Document %zu of many.", i);
    texts[7] = (str){large, SESSION_BYTES_MAX + 1};
    texts[8] = (str){large, SESSION_BYTES_MAX};
    for (size_t i = 0; i < NELEMS(texts); i += MANY) {
        size_t read = 0;

        ahead(s, texts + i, tickets, MANY);
        assert_int_equal(children_of(zygote, &child), 1);
        first = i == 0 ? child : first;
        assert_int_equal(child, first);
        for (size_t k = 0; k < MANY; k++)
            read += tickets[k] != 0;
        assert_int_equal(read, SESSION_AHEAD_MAX);
        for (size_t k = MANY; k-- > 0;)
            assert_true(
                str_eq(session_run_of(s, a, texts[i + k], tickets[k]).text,
                       texts[i + k]));
        /* One of before is none of these: its bytes may be others by now. */
        assert_true(str_eq(session_run_of(s, a, STR("other"), former).text,
                           STR("other")));
        former = tickets[0];
        /* It is there once. */
        assert_true(
            str_eq(session_run_of(s, a, STR("again"), tickets[MANY / 2]).text,
                   STR("again")));
    }
    extract_session_close(s);
    arena_close(a);
}

static void one_that_fails_takes_nothing_from_those_read_with_it(void **state)
{
    static const struct {
        const char *text;
        enum extract_outcome outcome;
    } DOCS[] = {{"first", EXTRACT_OK},         {"CRASH", EXTRACT_CRASHED},
                {"second", EXTRACT_OK},        {"ANSWER1", EXTRACT_CRASHED},
                {"third", EXTRACT_OK},         {"MEMORY", EXTRACT_LIMIT},
                {"fourth", EXTRACT_OK},        {"LIE", EXTRACT_CRASHED},
                {"\1\2\3", EXTRACT_MALFORMED}, {"last", EXTRACT_OK}};
    struct extract_session *s = extract_session_open(*state);
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    struct extract_figures first, f;
    uint64_t tickets[NELEMS(DOCS)];
    str texts[NELEMS(DOCS)];

    extract_figures(*state, &first);
    for (size_t i = 0; i < NELEMS(DOCS); i++)
        texts[i] = str_of(DOCS[i].text);
    for (size_t from = 0; from < NELEMS(DOCS); from++) {
        ahead(s, texts + from, tickets, NELEMS(DOCS) - from);
        for (size_t i = from; i < NELEMS(DOCS); i++) {
            struct doc d = session_run_of(s, a, texts[i], tickets[i - from]);

            assert_int_equal(d.outcome, DOCS[i].outcome);
            if (d.outcome == EXTRACT_OK)
                assert_true(str_eq(d.text, texts[i]));
        }
    }
    extract_session_rest(s);
    assert_int_equal(open_descriptors(), before);
    extract_figures(*state, &f);
    assert_int_equal(f.running, 0);
    assert_int_equal(f.crashes - first.crashes, 2 + 4 + 8);
    extract_session_close(s);
    arena_close(a);
}

static void only_text_is_read_where_others_are(void **state)
{
    static const struct {
        const char *bytes, *filename;
        rc code;
    } CASES[] = {{"# text", "a.md", RC_OK},
                 {"text", "", RC_OK},
                 {"\1\2", "a.bin", RC_OK}, /* malformed, by its letters */
                 {"PK\3\4 an archive", "a.md", RC_UNSUPPORTED},
                 {"%PDF-1.4", "a.txt", RC_UNSUPPORTED}};
    struct arena *a = arena_open();
    struct doc d;

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_int_equal(
            extract_bytes_shared(
                str_of(CASES[i].bytes),
                (struct said){.filename = str_of(CASES[i].filename)}, a, &d,
                NULL),
            CASES[i].code);
    arena_close(a);
}

static rc work_shared(str input, struct said said, struct arena *arena,
                      struct buf *to, struct err *e)
{
    if (str_starts(input, STR("ALONE")))
        return err_set(e, RC_UNSUPPORTED, "for a child of its own");
    return work(input, said, arena, to, e);
}

static void what_is_not_read_here_leaves_the_session_alone(void **state)
{
    const struct zygote_work both = {.run = work, .session = work_shared};
    struct arena *a = arena_open();
    struct extract_session *s;
    struct extractor *x;
    pid_t zygote, first = 0, child = 0;

    (void)state;
    assert_int_equal(extract_start_work(&both, &x, NULL), RC_OK);
    s = extract_session_open(x);
    zygote = zygote_of(x);
    assert_int_equal(session_run(s, a, STR("fine")).outcome, EXTRACT_OK);
    assert_int_equal(children_of(zygote, &first), 1);
    assert_true(str_eq(session_run(s, a, STR("ALONE")).text, STR("ALONE")));
    assert_int_equal(session_run(s, a, STR("fine")).outcome, EXTRACT_OK);
    assert_int_equal(children_of(zygote, &child), 1);
    assert_int_equal(child, first);
    extract_session_close(s);
    extract_stop(x);
    arena_close(a);
}

static void a_document_that_fails_in_a_session_fails_alone(void **state)
{
    static const char *const BAD[] = {
        "CRASH",   "ABORT",   "EXIT",    "LIE",     "SILENT", "HALF of a text",
        "ANSWER0", "ANSWER1", "ANSWER2", "ANSWER3", "ANSWER4"};
    struct extract_session *s = extract_session_open(*state);
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    struct extract_figures first, f;

    extract_figures(*state, &first);
    for (size_t i = 0; i < NELEMS(BAD); i++) {
        assert_int_equal(session_run(s, a, STR("fine")).outcome, EXTRACT_OK);
        assert_int_equal(session_run(s, a, str_of(BAD[i])).outcome,
                         EXTRACT_CRASHED);
    }
    assert_int_equal(session_run(s, a, STR("MEMORY")).outcome, EXTRACT_LIMIT);
    assert_int_equal(session_run(s, a, STR("fine")).outcome, EXTRACT_OK);
    extract_session_rest(s);
    assert_int_equal(open_descriptors(), before);
    extract_figures(*state, &f);
    assert_int_equal(f.running, 0);
    assert_int_equal(f.crashes - first.crashes, NELEMS(BAD));
    extract_session_close(s);
    arena_close(a);
}

static bool gone(pid_t pid)
{
    char path[64], line[512];
    FILE *f;
    bool zombie;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (f == NULL)
        return true;
    zombie = fgets(line, sizeof line, f) == NULL || strstr(line, ") Z") != NULL;
    (void)fclose(f);
    return zombie;
}

static void *sleep_in_child(void *x)
{
    struct extract_in in = {.fd = -1, .bytes = STR("SLEEP")};
    struct arena *a = arena_open();
    struct doc d;

    if (extract_run(x, &in, a, &d, NULL) != RC_OK)
        _exit(1);
    arena_close(a);
    return NULL;
}

/* A server that is killed leaves nobody behind, and nobody holds what it had
 * open. */
static void a_killed_server_takes_all_with_it(void **state)
{
    pid_t nanny = 0, zygote = 0, child = 0;
    int held[2];
    char c;
    pid_t server;

    (void)state;
    assert_int_equal(pipe(held), 0);
    server = fork();
    if (server == 0) {
        struct extractor *x;
        pthread_t t;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
        (void)close(held[0]);
        if (extract_start_with(work, &x, NULL) != RC_OK ||
            pthread_create(&t, NULL, sleep_in_child, x) != 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(held[1]);
    for (int i = 0; i < 5000 && children_of(server, &nanny) == 0; i++)
        clock_sleep_ms(2);
    assert_int_not_equal(nanny, 0);
    for (int i = 0; i < 5000 && children_of(nanny, &zygote) == 0; i++)
        clock_sleep_ms(2);
    assert_int_not_equal(zygote, 0);
    for (int i = 0; i < 5000 && children_of(zygote, &child) == 0; i++)
        clock_sleep_ms(2);
    assert_int_not_equal(child, 0);
    assert_int_equal(kill(server, SIGKILL), 0);
    /* the end of the pipe: no helper holds it, even while it still lives */
    assert_int_equal(read(held[0], &c, 1), 0);
    (void)close(held[0]);
    assert_int_equal(waitpid(server, NULL, 0), server);
    for (int i = 0; i < 5000 && !(gone(nanny) && gone(zygote) && gone(child));
         i++)
        clock_sleep_ms(2);
    assert_true(gone(nanny) && gone(zygote) && gone(child));
}

/* Ends when the extractor is cancelled. */
static void *sleep_until_cancelled(void *x)
{
    struct extract_in in = {.fd = -1, .bytes = STR("SLEEP")};
    struct arena *a = arena_open();
    struct doc d;
    bool good;

    good = extract_run(x, &in, a, &d, NULL) == RC_BUSY;
    arena_close(a);
    return good ? NULL : x;
}

/* The zygote dies: the next document is read, and one under way is read again
 * by the next zygote. */
static void a_zygote_that_dies_is_replaced(void **state)
{
    struct arena *a = arena_open();
    struct extractor *x;
    struct extract_session *session;
    pthread_t t;
    void *res;
    pid_t zygote, child = 0, again = 0;

    (void)state;
    assert_int_equal(extract_start_with(work, &x, NULL), RC_OK);
    session = extract_session_open(x);
    for (int round = 0; round < 5; round++) {
        zygote = zygote_of(x);
        assert_int_equal(session_run(session, a, STR("one")).outcome,
                         EXTRACT_OK);
        assert_int_equal(kill(zygote, SIGKILL), 0);
        assert_int_equal(run(x, a, STR("fine"), 0, 0).outcome, EXTRACT_OK);
        assert_int_equal(session_run(session, a, STR("two")).outcome,
                         EXTRACT_OK);
        assert_true(gone(zygote));
        extract_session_rest(session);
    }
    extract_session_close(session);
    zygote = zygote_of(x);
    for (int i = 0; i < 5000 && children_of(zygote, &child) > 0; i++)
        clock_sleep_ms(2);
    assert_int_equal(pthread_create(&t, NULL, sleep_until_cancelled, x), 0);
    for (int i = 0; i < 5000 && children_of(zygote, &child) == 0; i++)
        clock_sleep_ms(2);
    assert_int_equal(kill(zygote, SIGKILL), 0);
    for (int i = 0; i < 5000 && !(gone(child) && gone(zygote)); i++)
        clock_sleep_ms(2);
    assert_true(gone(child) && gone(zygote));
    zygote = zygote_of(x);
    for (int i = 0; i < 5000 && children_of(zygote, &again) == 0; i++)
        clock_sleep_ms(2);
    assert_int_not_equal(again, 0);
    extract_cancel(x);
    assert_int_equal(pthread_join(t, &res), 0);
    assert_null(res);
    extract_stop(x);
    arena_close(a);
}

struct blocked {
    struct extractor *x;
    struct arena *out;
    struct doc d;
    rc code;
};

static void *read_blocked(void *arg)
{
    struct blocked *b = arg;
    struct extract_in in = {.fd = -1, .bytes = STR("BLOCK and be read")};

    b->code = extract_run(b->x, &in, b->out, &b->d, NULL);
    return NULL;
}

/* Reads a document whose first readings never end, and kills the zygote under
 * each of them. */
static struct blocked read_while_zygotes_die(struct extractor *x,
                                             struct arena *out, int endless)
{
    struct blocked b = {.x = x, .out = out};
    pthread_t t;

    atomic_store(&blocks->begun, 0);
    atomic_store(&blocks->endless, endless);
    assert_int_equal(pthread_create(&t, NULL, read_blocked, &b), 0);
    for (int died = 0; died < endless; died++) {
        for (int i = 0; i < 5000 && atomic_load(&blocks->begun) == died; i++)
            clock_sleep_ms(2);
        assert_int_equal(atomic_load(&blocks->begun), died + 1);
        assert_int_equal(kill(zygote_of(x), SIGKILL), 0);
    }
    assert_int_equal(pthread_join(t, NULL), 0);
    return b;
}

static void what_a_dead_zygote_had_under_way_is_read(void **state)
{
    struct extractor *x = *state;
    struct arena *a = arena_open();
    size_t before = open_descriptors();
    struct extract_figures f;
    struct blocked b = read_while_zygotes_die(x, a, 2);

    assert_int_equal(b.code, RC_OK);
    assert_int_equal(b.d.outcome, EXTRACT_OK);
    assert_true(str_eq(b.d.text, STR("BLOCK and be read")));
    assert_int_equal(atomic_load(&blocks->begun), 3);
    /* what zygotes die of every time is not asked for ever */
    b = read_while_zygotes_die(x, a, 3);
    assert_int_equal(b.code, RC_BUSY);
    assert_int_equal(atomic_load(&blocks->begun), 3);
    assert_int_equal(run(x, a, STR("fine"), 0, 0).outcome, EXTRACT_OK);
    extract_figures(x, &f);
    assert_int_equal(f.running, 0);
    assert_false(f.ended);
    assert_int_equal(open_descriptors(), before);
    arena_close(a);
}

static int oom_score_adj(pid_t pid)
{
    char path[64], line[64] = "";
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    (void)fclose(f);
    return (int)strtol(line, NULL, 10);
}

/* Who can be made again goes first when memory runs out. */
static void the_zygote_is_killed_before_nanny_and_server(void **state)
{
    const struct extractor *x = *state;

    assert_int_equal(oom_score_adj(x->nanny), oom_score_adj(getpid()));
    assert_int_equal(oom_score_adj(zygote_of(x)), 500);
}

/* Without a nanny nobody makes another: an error, not a hang, and the same one
 * where it has left a request unread. */
static void ends_without_a_nanny(bool unread)
{
    struct arena *a = arena_open();
    struct extractor *x;
    struct extract_in in = {.fd = -1, .bytes = STR("fine")};
    struct extract_figures f;
    struct doc d;
    struct err e;
    pid_t zygote;

    assert_int_equal(extract_start_with(work, &x, &e), RC_OK);
    zygote = zygote_of(x);
    if (unread) {
        assert_int_equal(kill(zygote, SIGSTOP), 0);
        assert_int_equal(extract_ask(x, &(struct request){0}, NULL, 0, &e),
                         RC_OK);
    }
    assert_int_equal(kill(x->nanny, SIGKILL), 0);
    for (int i = 0; i < 5000 && !gone(zygote); i++)
        clock_sleep_ms(2);
    assert_int_equal(extract_run(x, &in, a, &d, &e), RC_BUSY);
    assert_string_equal(e.text, "the extraction process has ended");
    assert_int_equal(extract_run(x, &in, a, &d, &e), RC_BUSY);
    extract_figures(x, &f);
    assert_true(f.ended);
    assert_int_equal(f.running, 0);
    extract_stop(x);
    arena_close(a);
}

static void without_a_nanny_runs_fail_at_once(void **state)
{
    (void)state;
    ends_without_a_nanny(false);
    ends_without_a_nanny(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_comes_back_as_in_process),
        cmocka_unit_test(a_child_is_told_the_type),
        cmocka_unit_test(a_file_is_read_from_its_start),
        cmocka_unit_test(failures_are_outcomes),
        cmocka_unit_test(a_hanging_child_is_killed_at_the_deadline),
        cmocka_unit_test(cpu_seconds_are_counted_by_the_system),
        cmocka_unit_test(a_reader_may_use_its_libraries),
        cmocka_unit_test(a_child_holds_its_two_descriptors),
        cmocka_unit_test(no_run_leaves_a_descriptor_behind),
        cmocka_unit_test(threads_run_side_by_side),
        cmocka_unit_test(a_session_reads_many_in_one_child),
        cmocka_unit_test(only_text_is_read_where_others_are),
        cmocka_unit_test(what_was_read_ahead_is_there_when_it_is_asked_for),
        cmocka_unit_test(one_that_fails_takes_nothing_from_those_read_with_it),
        cmocka_unit_test(what_is_not_read_here_leaves_the_session_alone),
        cmocka_unit_test(a_document_that_fails_in_a_session_fails_alone),
        cmocka_unit_test(a_killed_server_takes_all_with_it),
        cmocka_unit_test(a_zygote_that_dies_is_replaced),
        cmocka_unit_test(what_a_dead_zygote_had_under_way_is_read),
        cmocka_unit_test(the_zygote_is_killed_before_nanny_and_server),
        cmocka_unit_test(without_a_nanny_runs_fail_at_once),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
