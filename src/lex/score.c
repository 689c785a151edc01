#include <math.h>

#include "lex/lex_priv.h"

void lex_stats_add(struct lex_stats *st, const struct lex *x,
                   const struct lex_query *q)
{
    st->rows += x->rows;
    st->length += x->length;
    for (size_t i = 0; i < q->terms_n; i++) {
        struct list l;

        if (dict_find(x, q->terms[i].term, &l))
            st->df[i] += l.df;
    }
}

/* Robertson and Zaragoza 2009, equation 3.15: the part of the denominator that
 * a row's length decides, once for each of the 256 lengths there are. */
void scorer_init(struct scorer *s, const struct lex_stats *st)
{
    double average = st->rows == 0 || st->length == 0
                         ? 1
                         : (double)st->length / (double)st->rows;

    for (unsigned norm = 0; norm < 256; norm++)
        s->damp[norm] =
            (float)(LEX_K1 *
                    (1 - LEX_B + LEX_B * norm_length((uint8_t)norm) / average));
}

float term_weight(const struct lex_stats *st, const struct lex_query *q,
                  size_t term)
{
    double df = (double)st->df[term], rows = (double)st->rows;

    /* 1 + …: a term in most rows would weigh less than nothing and turn a
     * match into a penalty. df can pass rows only if statistics and segments
     * don't belong together. */
    return (float)(log1p(fmax(rows - df + 0.5, 0) / (df + 0.5)) * (LEX_K1 + 1) *
                   q->terms[term].times);
}

/* ---- the best so far: a heap with the worst at its root ---- */

struct lex_top {
    struct lex_hit *v; /* [k + 1]; v[0] is not used */
    size_t n, k;
};

struct lex_top *lex_top_open(struct arena *out, uint32_t k)
{
    struct lex_top *t = ARENA_NEW(out, struct lex_top);

    ASSERT(k > 0);
    t->v = ARENA_ARRAY(out, struct lex_hit, (size_t)k + 1);
    t->k = k;
    return t;
}

static bool better(struct lex_hit a, struct lex_hit b)
{
    if (a.score < b.score || a.score > b.score)
        return a.score > b.score;
    return a.segment != b.segment ? a.segment < b.segment : a.row < b.row;
}

/* Puts h at place i or below, worst first. */
static void sink(struct lex_top *t, size_t i, struct lex_hit h)
{
    for (size_t child = 2 * i; child <= t->n; child = 2 * i) {
        if (child < t->n && better(t->v[child], t->v[child + 1]))
            child++;
        if (!better(h, t->v[child]))
            break;
        t->v[i] = t->v[child];
        i = child;
    }
    t->v[i] = h;
}

bool top_takes(const struct lex_top *t, float score, uint32_t segment,
               uint32_t row)
{
    return t->n < t->k ||
           better((struct lex_hit){score, segment, row}, t->v[1]);
}

void top_put(struct lex_top *t, float score, uint32_t segment, uint32_t row)
{
    struct lex_hit h = {score, segment, row};
    size_t i;

    if (!top_takes(t, score, segment, row))
        return;
    if (t->n == t->k) {
        sink(t, 1, h);
        return;
    }
    for (i = ++t->n; i > 1 && better(t->v[i / 2], h); i /= 2)
        t->v[i] = t->v[i / 2];
    t->v[i] = h;
}

float top_floor(const struct lex_top *t)
{
    return t->n < t->k ? 0 : t->v[1].score;
}

size_t lex_top_take(struct lex_top *t, struct lex_hit **hits)
{
    size_t n = t->n;

    while (t->n > 1) {
        struct lex_hit worst = t->v[1], last = t->v[t->n--];

        sink(t, 1, last);
        t->v[t->n + 1] = worst;
    }
    t->n = 0;
    *hits = t->v + 1;
    return n;
}

/* ---- the oracle, and what a row's score is made of ---- */

void lex_search_exhaustive(const struct lex *x, const struct lex_query *q,
                           const struct lex_stats *st, lex_filter filter,
                           uint32_t segment, struct lex_top *top,
                           struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    struct cursor *c = ARENA_ARRAY(tmp, struct cursor, QUERY_TERMS_MAX);
    struct scorer *scorer = ARENA_NEW(tmp, struct scorer);
    float *scores = ARENA_ARRAY(tmp, float, x->rows);
    size_t n;

    scorer_init(scorer, st);
    n = cursors_open(x, q, st, scorer, c);
    for (size_t t = 0; t < n; t++)
        for (size_t b = 0; b < c[t].list.blocks_n; b++) {
            cursor_load(&c[t], b);
            for (size_t i = 0; i < c[t].n; i++)
                scores[c[t].rows[i]] +=
                    score_of(c[t].weight, c[t].tf[i],
                             scorer->damp[x->norms[c[t].rows[i]]]);
        }
    for (uint32_t row = 0; row < x->rows; row++)
        if (scores[row] > 0 && filter_has(filter, row) &&
            (q->phrases_n == 0 || phrases_fit(x, q, c, n, row, tmp)))
            top_put(top, scores[row], segment, row);
    arena_rewind(tmp, mark);
}

void lex_explain(const struct lex *x, const struct lex_query *q,
                 const struct lex_stats *st, uint32_t row,
                 float parts[QUERY_TERMS_MAX])
{
    struct scorer scorer;
    struct cursor c;
    size_t i;

    scorer_init(&scorer, st);
    for (size_t term = 0; term < q->terms_n; term++) {
        parts[term] = 0;
        if (!cursor_open(&c, x, q, st, &scorer, term))
            continue;
        if (cursor_find(&c, row, &i))
            parts[term] =
                score_of(c.weight, c.tf[i], scorer.damp[x->norms[row]]);
    }
}
