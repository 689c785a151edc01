/*
 * words: top 10 of three-word queries over build/bench/chunks.tsv, one thread,
 * in one process beside SQLite FTS5 and Xapian; sizes and building times too.
 *
 *   words [ROUNDS [ROWS]]
 *
 * Queries: three words drawn with a fixed seed from random places of the
 * corpus, kept when between one row in 1,000 and one in 25 has the word. Each
 * round asks all engines all queries, in turns; ratios are medians over the
 * rounds. Our time includes parsing the query's text and its statistics.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/rng.h"
#include "lex/lex.h"
#include "peers.h"

#define QUERIES 1000
#define WORDS 3
#define K 10
#define ROUNDS_MAX 99

struct chunk {
    str title, body;
};

struct corpus {
    struct file_map map;
    struct chunk *v;
    size_t n;
    uint64_t bytes; /* of the bodies */
};

static void fail(const char *what, const struct err *e)
{
    fprintf(stderr, "words: %s: %s\n", what, e->text);
    exit(1);
}

static struct corpus corpus_read(size_t rows_max, struct arena *a)
{
    struct corpus c = {0};
    struct err e;
    size_t cap = 0;
    str line, rest, name, text;

    if (file_map("build/bench/chunks.tsv", &c.map, &e) != RC_OK)
        fail("run bench/corpus.sh first", &e);
    rest = (str){(const char *)c.map.p, c.map.n};
    while (rest.n > 0 && c.n < rows_max) {
        struct chunk x;

        (void)str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, '\t', &name, &text) ||
            !str_cut(text, '\t', &x.title, &x.body))
            continue;
        c.bytes += x.body.n;
        ARENA_PUSH(a, c.v, c.n, cap, x);
    }
    return c;
}

/* ---- ours ---- */

struct ours {
    struct analyser *analyser;
    struct seg *seg;
    struct lex *lex;
    struct arena *scratch;
    double add_s, write_s;
};

static double seconds_since(int64_t from)
{
    return (double)(clock_mono_ns() - from) / 1e9;
}

static void ours_make(struct ours *o, const struct corpus *c, const char *path)
{
    struct lex_builder *b = lex_builder_open(NULL);
    struct seg_writer *w;
    struct err e;
    int64_t start = clock_mono_ns();

    for (size_t i = 0; i < c->n; i++)
        lex_builder_add(b, &(struct lex_row){.context = c->v[i].title,
                                             .body = c->v[i].body});
    o->add_s = seconds_since(start);
    start = clock_mono_ns();
    if (seg_writer_open(path, &w, &e) != RC_OK ||
        lex_builder_write(b, w, &e) != RC_OK ||
        seg_writer_end(w, NULL, &e) != RC_OK)
        fail("cannot write", &e);
    o->write_s = seconds_since(start);
    seg_writer_close(w);
    lex_builder_close(b);
    if (seg_open(path, &o->seg, &e) != RC_OK ||
        lex_open(o->seg, &o->lex, &e) != RC_OK)
        fail("cannot open", &e);
    o->analyser = analyser_open();
    o->scratch = arena_open();
}

static size_t ours_ask(struct ours *o, const char *const words[WORDS],
                       bool exhaustive, uint32_t *rows)
{
    struct arena_mark mark = arena_mark(o->scratch);
    struct lex_query q;
    struct lex_stats st = {0};
    struct top *top = top_open(o->scratch, K);
    struct top_hit *hits;
    char text[512];
    size_t n;
    int text_n =
        snprintf(text, sizeof text, "%s %s %s", words[0], words[1], words[2]);

    lex_query_parse(o->analyser, (str){text, (size_t)text_n}, o->scratch, &q);
    lex_stats_add(&st, o->lex, &q);
    (exhaustive ? lex_search_exhaustive : lex_search)(o->lex, &q, &st, NULL, 0,
                                                      top, o->scratch);
    n = top_take(top, &hits);
    for (size_t i = 0; i < n; i++)
        rows[i] = hits[i].row;
    arena_rewind(o->scratch, mark);
    return n;
}

/* ---- queries ---- */

struct query {
    const char *words[WORDS];
    uint64_t df;
};

static str random_word(const struct corpus *c, struct rng *r)
{
    str text = c->v[rng_below(r, c->n)].body;
    size_t at = (size_t)rng_below(r, text.n), end = at;

    while (at > 0 && isalpha((unsigned char)text.p[at - 1]))
        at--;
    while (end < text.n && isalpha((unsigned char)text.p[end]))
        end++;
    return str_sub(text, at, end - at);
}

static void queries_make(struct ours *o, const struct corpus *c,
                         struct query *v, struct arena *a)
{
    struct rng r = rng_seeded(20240501);

    for (size_t i = 0; i < QUERIES; i++)
        for (size_t w = 0; w < WORDS;) {
            str word = random_word(c, &r);
            struct lex_stats st = {0};
            struct lex_query q;

            if (word.n < 3 || word.n > 30)
                continue;
            lex_query_parse(o->analyser, word, a, &q);
            lex_stats_add(&st, o->lex, &q);
            if (q.terms_n != 1 || st.df[0] < c->n / 1000 ||
                st.df[0] > c->n / 25)
                continue;
            v[i].words[w++] = arena_cstr(a, word);
            v[i].df += st.df[0];
        }
}

/* ---- the table ---- */

static uint64_t bytes_of(const char *path)
{
    char command[256], line[64] = "0";
    FILE *f;

    (void)snprintf(command, sizeof command, "du -sb %s | cut -f1", path);
    f = popen(command, "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        exit(1);
    (void)pclose(f);
    return strtoull(line, NULL, 10);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *v, size_t n)
{
    double copy[QUERIES];

    memcpy(copy, v, n * sizeof *v);
    qsort(copy, n, sizeof *copy, compare_doubles);
    return n % 2 == 1 ? copy[n / 2] : (copy[n / 2 - 1] + copy[n / 2]) / 2;
}

struct timing {
    const char *name;
    double round_us[ROUNDS_MAX]; /* mean of a query */
    double query_us[QUERIES];    /* of the last round */
    double ratio[ROUNDS_MAX];    /* to ours */
};

int main(int argc, char **argv)
{
    static const struct peer *const PEERS[] = {&peer_fts5, &peer_xapian};
    static const char *const PATHS[] = {"build/bench/words.db",
                                        "build/bench/words.xapian"};
    static const char *const OURS_PATH = "build/bench/words.seg";
    static struct query queries[QUERIES];
    static struct timing timings[NELEMS(PEERS) + 1];
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
    size_t rows_max = argc > 2 ? strtoul(argv[2], NULL, 10) : SIZE_MAX;
    struct arena *a = arena_open();
    struct corpus c = corpus_read(rows_max, a);
    struct ours o = {0};
    void *peers[NELEMS(PEERS)];
    uint64_t same = 0, wanted = 0, overlap[NELEMS(PEERS)] = {0}, df = 0;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        rounds = 5;
    printf("%zu chunks, %.1f MB of text\n\n", c.n, (double)c.bytes / 1e6);
    printf("%-22s %10s %10s %12s\n", "", "build s", "MB/s", "size / text");
    ours_make(&o, &c, OURS_PATH);
    printf("%-22s %10.2f %10.1f %12.3f\n", "knowd", o.add_s + o.write_s,
           (double)c.bytes / 1e6 / (o.add_s + o.write_s),
           (double)bytes_of(OURS_PATH) / (double)c.bytes);
    for (size_t p = 0; p < NELEMS(PEERS); p++) {
        int64_t start = clock_mono_ns();

        peers[p] = PEERS[p]->open(PATHS[p]);
        for (size_t i = 0; i < c.n; i++)
            PEERS[p]->add(peers[p], (uint32_t)i, c.v[i].title.p, c.v[i].title.n,
                          c.v[i].body.p, c.v[i].body.n);
        PEERS[p]->ready(peers[p]);
        printf("%-22s %10.2f %10.1f %12.3f\n", PEERS[p]->name,
               seconds_since(start),
               (double)c.bytes / 1e6 / seconds_since(start),
               (double)bytes_of(PATHS[p]) / (double)c.bytes);
        timings[p + 1].name = PEERS[p]->name;
    }
    timings[0].name = "knowd";

    queries_make(&o, &c, queries, a);
    for (size_t i = 0; i < QUERIES; i++) {
        uint32_t fast[K], slow[K], other[K];
        size_t n = ours_ask(&o, queries[i].words, false, fast);

        wanted += ours_ask(&o, queries[i].words, true, slow);
        df += queries[i].df;
        for (size_t h = 0; h < n; h++)
            same += fast[h] == slow[h];
        for (size_t p = 0; p < NELEMS(PEERS); p++) {
            size_t m =
                PEERS[p]->ask(peers[p], queries[i].words, WORDS, other, K);

            for (size_t h = 0; h < n; h++)
                for (size_t k = 0; k < m; k++)
                    overlap[p] += other[k] == fast[h];
        }
    }

    for (size_t round = 0; round < rounds; round++)
        for (size_t p = 0; p <= NELEMS(PEERS); p++) {
            struct timing *t = &timings[p];
            int64_t start = clock_mono_ns();

            for (size_t i = 0; i < QUERIES; i++) {
                uint32_t rows[K];
                int64_t from = clock_mono_ns();

                if (p == 0)
                    (void)ours_ask(&o, queries[i].words, false, rows);
                else
                    (void)PEERS[p - 1]->ask(peers[p - 1], queries[i].words,
                                            WORDS, rows, K);
                t->query_us[i] = seconds_since(from) * 1e6;
            }
            t->round_us[round] = seconds_since(start) * 1e6 / QUERIES;
            t->ratio[round] = t->round_us[round] / timings[0].round_us[round];
        }

    printf("\n%d queries of %d words, %.0f rows have one of them on average; "
           "%zu rounds\n\n%-22s %10s %10s %12s %14s\n",
           QUERIES, WORDS, (double)df / QUERIES, rounds, "", "mean us",
           "median us", "ratio", "top 10 shared");
    for (size_t p = 0; p <= NELEMS(PEERS); p++)
        printf("%-22s %10.1f %10.1f %12.1f %14.3f\n", timings[p].name,
               median(timings[p].round_us, rounds),
               median(timings[p].query_us, QUERIES),
               median(timings[p].ratio, rounds),
               (double)(p == 0 ? same : overlap[p - 1]) / (double)wanted);
    printf("\ntop 10 shared: knowd with its exhaustive scan (must be 1), the "
           "others with knowd\n");
    for (size_t p = 0; p < NELEMS(PEERS); p++)
        PEERS[p]->close(peers[p]);
    return same == wanted ? 0 : 1;
}
