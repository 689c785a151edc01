/*
 * cranfield: what a title should weigh. nDCG@10 of the words alone over
 * ../shared/data/cranfield for context weights 0 to 4: documents whole and cut
 * to chunks of 256 tokens (a document ranks by its best chunk), titles beside
 * the text and, as many files have them, in the text as well.
 *
 * Weight w is made by putting the title w times before the body: same counts
 * and lengths as LEX_CONTEXT_WEIGHT w. The row "as built" goes the real way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/eval.h"
#include "extract/extract.h"
#include "lex/lex.h"
#include "text/chunk.h"

#define FOLDER "../shared/data/cranfield/"
#define SEG_PATH "build/bench/cranfield.seg"
#define AS_BUILT SIZE_MAX
#define K 1000

struct item {
    str id, title, text;
};
struct items {
    struct item *v;
    size_t n, cap;
};

struct trial {
    size_t weight; /* or AS_BUILT */
    bool chunked, title_in_text;
};

static void must(rc code, const struct err *e)
{
    if (code == RC_OK)
        return;
    fprintf(stderr, "cranfield: %s\n", e->text);
    exit(1);
}

static str member(const json_t *object, const char *key, struct arena *a)
{
    return arena_str(a,
                     str_of(json_string_value(json_object_get(object, key))));
}

static struct items items_read(const char *path, struct arena *a)
{
    struct items all = {0};
    struct err e;
    str rest, line;

    must(file_read(path, 64 * MIB, a, &rest, &e), &e);
    while (rest.n > 0) {
        json_t *object;
        struct item x;

        (void)str_cut(rest, '\n', &line, &rest);
        object = json_loadb(line.p, line.n, 0, NULL);
        if (object == NULL)
            continue;
        x.id = member(object, "_id", a);
        x.title = member(object, "title", a);
        x.text = member(object, "text", a);
        json_decref(object);
        ARENA_PUSH(a, all.v, all.n, all.cap, x);
    }
    return all;
}

/* ---- the index of a trial: rows and whose they are ---- */

struct rows {
    struct lex_builder *b;
    struct arena *a;
    uint32_t *item; /* of row */
    size_t n, cap;
};

static void row_add(struct rows *r, const struct trial *t, uint32_t item,
                    str title, str body, bool first)
{
    struct lex_row row = {0};
    struct buf b = {0};

    for (size_t i = 0; t->weight != AS_BUILT && i < t->weight; i++) {
        buf_put(&b, title);
        buf_put_char(&b, '\n');
    }
    buf_put(&b, body);
    row.body = buf_str(&b);
    if (t->weight == AS_BUILT) {
        row.context = title;
        row.title = first ? title : STR_NONE;
    }
    lex_builder_add(r->b, &row);
    buf_close(&b);
    ARENA_PUSH(r->a, r->item, r->n, r->cap, item);
}

static void item_add(struct rows *r, const struct trial *t, uint32_t item,
                     const struct item *x)
{
    str body = x->text;
    struct chunks chunks;
    struct doc d;
    struct err e;

    if (t->title_in_text)
        body = arena_fmt(r->a, STR_FMT "\n\n" STR_FMT, STR_ARG(x->title),
                         STR_ARG(x->text));
    if (!t->chunked || str_blank(body)) {
        row_add(r, t, item, x->title, body, true);
        return;
    }
    must(extract_bytes(body, (struct said){.filename = STR("a.txt")}, r->a, &d,
                       &e),
         &e);
    must(chunk_split(&d,
                     &(struct chunk_opts){.tokens_max = 256, .title = x->title},
                     r->a, &chunks, &e),
         &e);
    for (size_t i = 0; i < chunks.n; i++)
        row_add(r, t, item, x->title,
                str_sub(d.text, chunks.v[i].start,
                        chunks.v[i].end - chunks.v[i].start),
                i == 0);
}

static void index_open(struct lex_builder *b, struct seg **s, struct lex **x)
{
    struct seg_writer *w;
    struct err e;

    must(seg_writer_open(SEG_PATH, &w, &e), &e);
    must(lex_builder_write(b, w, &e), &e);
    must(seg_writer_end(w, NULL, &e), &e);
    seg_writer_close(w);
    must(seg_open(SEG_PATH, s, &e), &e);
    must(lex_open(*s, x, &e), &e);
    (void)unlink(SEG_PATH);
}

/* ---- asking ---- */

static size_t ask(const struct lex *x, const struct rows *r,
                  const struct items *docs, str text, struct analyser *an,
                  struct arena *a, str ranked[K])
{
    struct lex_query q;
    struct lex_stats st = {0};
    struct top *top = top_open(a, K);
    bool *seen = arena_alloc(a, docs->n);
    struct top_hit *hits;
    size_t n, ranked_n = 0;

    lex_query_parse(an, text, a, &q);
    lex_stats_add(&st, x, &q);
    lex_search(x, &q, &st, NULL, 0, top, a);
    n = top_take(top, &hits);
    for (size_t i = 0; i < n; i++) {
        uint32_t item = r->item[hits[i].row];

        if (!seen[item])
            ranked[ranked_n++] = docs->v[item].id;
        seen[item] = true;
    }
    return ranked_n;
}

static double trial_run(const struct trial *t, const struct items *docs,
                        const struct items *queries, const struct qrels *qrels)
{
    struct arena *a = arena_open();
    struct rows r = {.b = lex_builder_open(NULL), .a = a};
    struct analyser *an = analyser_open();
    struct seg *s;
    struct lex *x;
    double sum = 0;
    size_t judged_n = 0;

    for (size_t i = 0; i < docs->n; i++)
        item_add(&r, t, (uint32_t)i, &docs->v[i]);
    index_open(r.b, &s, &x);
    for (size_t i = 0; i < queries->n; i++) {
        const struct judged *judged = qrels_find(qrels, queries->v[i].id);
        str ranked[K];
        size_t n;

        if (judged == NULL)
            continue;
        n = ask(x, &r, docs, queries->v[i].text, an, a, ranked);
        sum += eval_ranking(judged, ranked, n).ndcg10;
        judged_n++;
    }
    lex_close(x);
    seg_close(s);
    analyser_close(an);
    lex_builder_close(r.b);
    arena_close(a);
    return sum / (double)judged_n;
}

int main(void)
{
    static const size_t WEIGHTS[] = {0, 1, 2, 3, 4, AS_BUILT};
    struct arena *a = arena_open();
    struct items docs = items_read(FOLDER "corpus.jsonl", a);
    struct items queries = items_read(FOLDER "queries.jsonl", a);
    struct qrels qrels = {0};
    struct err e;
    str text;

    must(file_read(FOLDER "qrels.tsv", MIB, a, &text, &e), &e);
    must(qrels_parse(text, a, &qrels, &e), &e);
    printf("nDCG@10, %zu documents, %zu queries\n\n%-34s", docs.n, queries.n,
           "weight of the title");
    for (size_t w = 0; w < NELEMS(WEIGHTS); w++)
        if (WEIGHTS[w] == AS_BUILT)
            printf("  as built (%d)\n", LEX_CONTEXT_WEIGHT);
        else
            printf("%8zu", WEIGHTS[w]);
    for (size_t i = 0; i < 4; i++) {
        printf("%-34s", i == 0   ? "whole, title beside"
                        : i == 1 ? "whole, title in the text too"
                        : i == 2 ? "256 tokens, title beside"
                                 : "256 tokens, title in the text too");
        for (size_t w = 0; w < NELEMS(WEIGHTS); w++) {
            struct trial t = {WEIGHTS[w], i >= 2, i % 2 == 1};

            printf("%8.4f", trial_run(&t, &docs, &queries, &qrels));
        }
        printf("\n");
    }
    qrels_close(&qrels);
    arena_close(a);
    return 0;
}
