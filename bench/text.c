/*
 * text: what a document costs between its bytes and its terms: extraction in
 * process, chunking, analysis, each in MB/s of CPU time, and what a child
 * process adds.
 *
 *   text [FILE…]      Markdown; without one the chunking texts
 *
 * The files are joined and repeated to 20 MB; runs of the child take the first
 * bytes of that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "extract/extract.h"
#include "text/analyse.h"
#include "text/chunk.h"

#define TEXT_BYTES (20 * MIB)
#define ROUNDS 5

static const char *const FILES[] = {
    "../shared/data/chunking/chatlogs.md", "../shared/data/chunking/finance.md",
    "../shared/data/chunking/pubmed.md",
    "../shared/data/chunking/state_of_the_union.md",
    "../shared/data/chunking/wikitexts.md"};

static void must(rc code, const char *what, const struct err *e)
{
    if (code == RC_OK)
        return;
    fprintf(stderr, "text: %s: %s\n", what, e->text);
    exit(1);
}

static double cpu_s(int who)
{
    struct rusage u;

    (void)getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_speed(const char *what, size_t bytes, double seconds)
{
    printf("%-10s %7.1f MB/s\n", what, (double)bytes / seconds / 1e6);
}

static str read_all(const char *const *files, size_t n, struct arena *a)
{
    struct buf all = {0};
    struct err e;
    size_t once;

    for (size_t i = 0; i < n; i++) {
        str s;

        must(file_read(files[i], TEXT_BYTES, a, &s, &e), files[i], &e);
        buf_put(&all, s);
        buf_put(&all, STR("\n\n"));
    }
    once = all.n;
    while (all.n + once <= TEXT_BYTES)
        buf_put(&all, arena_str(a, str_sub(buf_str(&all), 0, once)));
    must(buf_end(&all, &e), "reading", &e);
    return buf_str(&all);
}

static void bench_steps(str text)
{
    double best[3] = {1e9, 1e9, 1e9};
    struct analyser *an = analyser_open();

    for (int round = 0; round < ROUNDS; round++) {
        struct arena *a = arena_open();
        double t[4];
        struct doc d;
        struct chunks cs;
        struct token token;
        struct err e;

        t[0] = cpu_s(RUSAGE_SELF);
        must(extract_bytes(text, (struct said){.filename = STR("a.md")}, a, &d,
                           &e),
             "extracting", &e);
        t[1] = cpu_s(RUSAGE_SELF);
        must(chunk_split(&d, &(struct chunk_opts){.tokens_max = 256}, a, &cs,
                         &e),
             "chunking", &e);
        t[2] = cpu_s(RUSAGE_SELF);
        analyser_begin(an, d.text);
        while (analyser_next(an, &token))
            ;
        t[3] = cpu_s(RUSAGE_SELF);
        for (int i = 0; i < 3; i++) {
            if (t[i + 1] - t[i] < best[i])
                best[i] = t[i + 1] - t[i];
        }
        arena_close(a);
    }
    analyser_close(an);
    print_speed("extract", text.n, best[0]);
    print_speed("chunk", text.n, best[1]);
    print_speed("analyse", text.n, best[2]);
    print_speed("together", text.n, best[0] + best[1] + best[2]);
}

static void bench_child(struct extractor *x, str text, size_t bytes, int runs)
{
    struct arena *a = arena_open();
    struct extract_in in = {.fd = -1,
                            .bytes = str_sub(text, 0, bytes),
                            .said = {.filename = STR("a.md")}};
    double self = cpu_s(RUSAGE_SELF);
    int64_t start = clock_mono_ns();
    struct err e;

    for (int i = 0; i < runs; i++) {
        struct arena_mark m = arena_mark(a);
        struct doc d;

        must(extract_run(x, &in, a, &d, &e), "running", &e);
        arena_rewind(a, m);
    }
    start = clock_mono_ns() - start;
    self = cpu_s(RUSAGE_SELF) - self;
    printf("a child for %7zu bytes: %6.3f ms, %6.3f ms of CPU on our side\n",
           in.bytes.n, (double)start / 1e6 / runs, self * 1e3 / runs);
    arena_close(a);
}

int main(int argc, char **argv)
{
    const char *const *files = argc > 1 ? (const char *const *)argv + 1 : FILES;
    size_t files_n = argc > 1 ? (size_t)argc - 1 : NELEMS(FILES);
    struct arena *a = arena_open();
    struct extractor *x;
    struct err e;
    str text;

    /* First, as in the server: a fork costs by what the zygote holds. */
    must(extract_start(&x, &e), "starting", &e);
    text = read_all(files, files_n, a);
    bench_child(x, text, 1500, 1000);
    bench_child(x, text, 20000, 1000);
    bench_child(x, text, 1000000, 30);
    extract_stop(x);
    printf("children: %.3f s of CPU together\n", cpu_s(RUSAGE_CHILDREN));
    bench_steps(text);
    arena_close(a);
    return 0;
}
