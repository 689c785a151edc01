/*
 * wordpiece_driver: our side of bench/wordpiece.py, which starts it.
 *
 *   wordpiece_driver VOCAB_TXT TEXTS IDS
 *
 * TEXTS holds texts, each behind its length (u32). The ids of each, behind
 * their number, go to IDS in the same form. Then a line a command: "encode" and
 * "count" go over all texts once and answer with the CPU seconds it took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/limits.h"
#include "text/wordpiece.h"

#define IDS_MAX ((size_t)1 << 20) /* of one text */

static void must(rc code, const struct err *e)
{
    if (code == RC_OK)
        return;
    fprintf(stderr, "wordpiece_driver: %s\n", e->text);
    exit(1);
}

static struct vocab *vocab_read(const char *path, struct arena *a)
{
    str text, line, *tokens = NULL;
    size_t n = 0, cap = 0;
    struct vocab *v;
    struct err e;

    must(file_read(path, 16 * MIB, a, &text, &e), &e);
    while (text.n > 0) {
        (void)str_cut(text, '\n', &line, &text);
        ARENA_PUSH(a, tokens, n, cap, line);
    }
    must(vocab_open(&(struct vocab_opts){.tokens = tokens,
                                         .tokens_n = n,
                                         .lowercase = true,
                                         .strip_accents = true,
                                         .ideographs_apart = true,
                                         .clean = true},
                    &v, &e),
         &e);
    return v;
}

static void ids_write(struct wordpiece *w, const str *texts, size_t n,
                      uint32_t *ids, const char *path)
{
    FILE *f = fopen(path, "wb");
    bool good = f != NULL;

    for (size_t i = 0; i < n && good; i++) {
        uint32_t k = (uint32_t)wordpiece_encode(w, texts[i], ids, IDS_MAX);

        good = k == wordpiece_count(w, texts[i]) &&
               fwrite(&k, sizeof k, 1, f) == 1 &&
               fwrite(ids, sizeof *ids, k, f) == k;
    }
    if (!good || fclose(f) != 0) {
        fprintf(stderr, "wordpiece_driver: cannot write ids to %s\n", path);
        exit(1);
    }
}

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void serve(struct wordpiece *w, const str *texts, size_t n,
                  uint32_t *ids)
{
    char line[32];

    while (fgets(line, sizeof line, stdin) != NULL) {
        bool encode = str_eq(str_of(line), STR("encode\n"));
        double start = cpu_s();
        size_t tokens = 0;

        for (size_t i = 0; i < n; i++)
            tokens += encode ? wordpiece_encode(w, texts[i], ids, IDS_MAX)
                             : wordpiece_count(w, texts[i]);
        printf("%.9f %zu\n", cpu_s() - start, tokens);
        (void)fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct arena *a = arena_open();
    str all, *texts = NULL;
    size_t n = 0, cap = 0;
    struct vocab *v;
    struct wordpiece *w;
    struct cur c;
    struct err e;
    uint32_t *ids;

    if (argc != 4) {
        fprintf(stderr, "usage: wordpiece_driver VOCAB_TXT TEXTS IDS\n");
        return 2;
    }
    v = vocab_read(argv[1], a);
    w = wordpiece_open(v);
    must(file_read(argv[2], 1024 * MIB, a, &all, &e), &e);
    for (c = cur_of(all); c.p < c.end && !c.bad;) {
        uint32_t bytes = cur_u32(&c);

        ARENA_PUSH(a, texts, n, cap, cur_bytes(&c, bytes));
    }
    ids = ARENA_ARRAY(a, uint32_t, IDS_MAX);
    ids_write(w, texts, n, ids, argv[3]);
    serve(w, texts, n, ids);
    wordpiece_close(w);
    vocab_close(v);
    arena_close(a);
    return 0;
}
