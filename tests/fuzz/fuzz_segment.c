/*
 * Segment files as an attacker with the disk would write them: checksums are
 * ignored, so that what lies behind them is reached. Whatever opens is
 * searched, explained, checked and merged; nothing may leave the file's bytes.
 * Answers of a damaged index mean nothing and aren't looked at.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "lex/lex_priv.h"

#define TERMS 3

static void ask(const struct lex *x, struct lex_query *q, struct arena *a)
{
    struct lex_stats st = {0};
    struct top *top = top_open(a, 5);
    struct top_hit *hits;
    float parts[QUERY_TERMS_MAX];
    size_t n;

    lex_stats_add(&st, x, q);
    lex_search(x, q, &st, NULL, 0, top, a);
    lex_search_exhaustive(x, q, &st, NULL, 1, top, a);
    n = top_take(top, &hits);
    for (size_t i = 0; i < n; i++)
        lex_explain(x, q, &st, hits[i].row, parts);
}

/* Asks the terms of the dictionary, three by three, then as phrases. */
static void ask_all(const struct lex *x, struct arena *a)
{
    struct dict_walk d = {.x = x};
    struct lex_query q = {0};

    for (int i = 0; i < 60 && dict_walk_next(&d); i++) {
        q.terms[q.terms_n++] = (struct lex_term){
            .term = arena_str(a, (str){(const char *)d.term, d.term_n}),
            .times = 1};
        if (q.terms_n == TERMS) {
            struct lex_phrase p = {{0, 1}, 2};

            ask(x, &q, a);
            q.phrases = &p;
            q.phrases_n = 1;
            ask(x, &q, a);
            q = (struct lex_query){0};
        }
    }
}

/* With itself: the second copy's rows interleave with the first's. */
static void merge(const struct lex *x, struct arena *a)
{
    uint32_t rows = lex_rows(x);
    uint32_t *to[2] = {ARENA_ARRAY(a, uint32_t, rows),
                       ARENA_ARRAY(a, uint32_t, rows)};
    const struct lex *from[2] = {x, x};
    struct seg_writer *w = NULL;
    struct err e;
    char path[64];

    for (uint32_t i = 0; i < rows; i++) {
        to[0][i] = 2 * i;
        to[1][i] = 2 * i + 1;
    }
    (void)snprintf(path, sizeof path, "/tmp/knowd-fuzz-%d.seg", (int)getpid());
    if (rows <= LEX_ROWS_MAX / 2 && seg_writer_open(path, &w, &e) == RC_OK)
        (void)!lex_merge(from, (const uint32_t *const *)to, 2, rows * 2, w, &e);
    seg_writer_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct arena *a;
    struct arena_mark mark;
    struct seg *s = NULL;
    struct lex *x = NULL;
    struct err e;

    if (a == NULL)
        a = arena_open();
    mark = arena_mark(a);
    if (seg_open_bytes((str){(const char *)data, n}, true, &s, &e) == RC_OK &&
        lex_open(s, &x, &e) == RC_OK) {
        if (lex_check(x, &e) == RC_OK || n % 2 == 0)
            merge(x, a);
        ask_all(x, a);
    }
    lex_close(x);
    seg_close(s);
    arena_rewind(a, mark);
    return 0;
}
