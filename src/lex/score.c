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

/* ---- the oracle, and what a row's score is made of ---- */

void lex_search_exhaustive(const struct lex *x, const struct lex_query *q,
                           const struct lex_stats *st, lex_filter filter,
                           uint32_t segment, struct top *top, struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    struct cursor *c = ARENA_ARRAY(tmp, struct cursor, q->terms_n);
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
            top_put(top, (struct top_hit){scores[row], segment, row});
    arena_rewind(tmp, mark);
}

void lex_scores(const struct lex *x, const struct lex_query *q,
                const struct lex_stats *st, const uint32_t *rows, size_t n,
                float *scores, struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    struct cursor *c = ARENA_ARRAY(tmp, struct cursor, q->terms_n);
    struct scorer *scorer = ARENA_NEW(tmp, struct scorer);
    size_t cursors_n;

    scorer_init(scorer, st);
    cursors_n = cursors_open(x, q, st, scorer, c);
    for (size_t i = 0; i < n; i++)
        scores[i] = cursors_score(c, cursors_n, rows[i]);
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
