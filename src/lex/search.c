#include "lex/lex_priv.h"

/*
 * Block-max MaxScore over windows of rows (after Turtle and Flood 1995; Ding
 * and Suel 2011; the windows after Lucene 10's MaxScoreBulkScorer).
 *
 * In each window every term has a bound, the largest of its blocks there. The
 * terms with the smallest bounds that together can't reach the floor (what a
 * hit must score to be taken) are not essential: a row that has only them
 * can't win. The lists of the essential ones are added up in an array; a row
 * whose sum and the others' bounds reach the floor is looked up in the others
 * and, if it still may win, scored anew in term order, so that scores are
 * equal to the bit to the oracle's. Sums are taken in double and a row is
 * dropped only below floor / SLACK: rounding never drops a hit.
 */
#define WINDOW_ROWS 4096
#define SLACK 1.00001

struct search {
    const struct lex *x;
    const struct lex_query *q;
    lex_filter filter;
    uint32_t segment;
    struct lex_top *top;
    struct cursor *c; /* [n], in term order */
    size_t n;
    struct scorer scorer;
    /* of the window [low, high) */
    uint32_t low, high;
    float bound[QUERY_TERMS_MAX];      /* by cursor */
    size_t order[QUERY_TERMS_MAX];     /* cursors by bound, smallest first */
    double below[QUERY_TERMS_MAX + 1]; /* bounds of the first i of them */
    float sums[WINDOW_ROWS];
    uint16_t touched[WINDOW_ROWS]; /* rows with a sum, less low */
};

/* A row whose essential terms, order[first …], add up to `sum`. */
static void candidate(struct search *s, uint32_t row, double sum, size_t first)
{
    double floor = (double)top_floor(s->top);
    size_t i = first, at;

    if (!filter_has(s->filter, row))
        return;
    sum *= SLACK;
    while (i-- > 0) {
        struct cursor *c = &s->c[s->order[i]];
        size_t block;

        if (sum + s->below[i + 1] < floor)
            return;
        block = cursor_block_with(c, row);
        if (block == c->list.blocks_n)
            continue;
        if (sum + (double)cursor_block_bound(c, block) * SLACK + s->below[i] <
            floor)
            return;
        if (cursor_find(c, row, &at))
            sum += (double)score_of(c->weight, c->tf[at],
                                    s->scorer.damp[s->x->norms[row]]) *
                   SLACK;
    }
    if (sum >= floor)
        top_put(s->top, cursors_score(s->c, s->n, row), s->segment, row);
}

/* The part of the loaded block that lies in the window: [*from, end). */
static size_t part(const struct search *s, const struct cursor *c, size_t *from)
{
    *from = c->n > 0 && c->rows[0] < s->low ? cursor_lower(c, s->low) : 0;
    return c->n > 0 && c->rows[c->n - 1] >= s->high ? cursor_lower(c, s->high)
                                                    : c->n;
}

/* Whether the block begins in the window or before. */
static bool block_reached(const struct search *s, const struct cursor *c,
                          size_t block)
{
    return block < c->list.blocks_n &&
           (block == c->block || cursor_block_last(c, block - 1) + 1 < s->high);
}

/* One essential term: its blocks that can't win aren't even decoded. */
static void window_one(struct search *s)
{
    struct cursor *c = &s->c[s->order[s->n - 1]];
    double others = s->below[s->n - 1];

    for (size_t b = c->block; block_reached(s, c, b); b++) {
        size_t from, end;

        if ((double)cursor_block_bound(c, b) * SLACK + others <
            (double)top_floor(s->top))
            continue;
        cursor_load(c, b);
        cursor_score(c);
        end = part(s, c, &from);
        for (size_t i = from; i < end; i++)
            if ((double)c->scores[i] * SLACK + others >=
                (double)top_floor(s->top))
                candidate(s, c->rows[i], (double)c->scores[i], s->n - 1);
    }
}

static size_t add_up(struct search *s, struct cursor *c, size_t touched_n)
{
    for (size_t b = c->block; block_reached(s, c, b); b++) {
        size_t from, end;

        cursor_load(c, b);
        cursor_score(c);
        end = part(s, c, &from);
        for (size_t i = from; i < end; i++) {
            uint32_t at = c->rows[i] - s->low;

            s->touched[touched_n] = (uint16_t)at;
            touched_n += s->sums[at] == 0;
            s->sums[at] += c->scores[i];
        }
    }
    return touched_n;
}

static void window_many(struct search *s, size_t first)
{
    double others = s->below[first];
    size_t touched_n = 0;

    for (size_t i = first; i < s->n; i++)
        touched_n = add_up(s, &s->c[s->order[i]], touched_n);
    for (size_t i = 0; i < touched_n; i++) {
        float *sum = &s->sums[s->touched[i]];

        if ((double)*sum * SLACK + others >= (double)top_floor(s->top))
            candidate(s, s->low + s->touched[i], (double)*sum, first);
        *sum = 0;
    }
}

/* Moves the cursors to the next window; false: no list goes further. */
static bool window_next(struct search *s)
{
    uint32_t low = UINT32_MAX;

    for (size_t t = 0; t < s->n; t++) {
        struct cursor *c = &s->c[t];
        uint32_t reach = s->high;

        c->block = cursor_block_with(c, s->high);
        if (c->block == c->list.blocks_n)
            continue;
        if (c->block > 0 && cursor_block_last(c, c->block - 1) >= reach)
            reach = cursor_block_last(c, c->block - 1) + 1;
        if (c->loaded == c->block && c->n > 0)
            reach = c->rows[cursor_lower(c, reach)];
        low = reach < low ? reach : low;
    }
    s->low = low;
    s->high = low < s->x->rows - WINDOW_ROWS && s->x->rows > WINDOW_ROWS
                  ? low + WINDOW_ROWS
                  : s->x->rows;
    return low < s->x->rows;
}

/* No row of the window passes the filter. */
static bool window_filtered(const struct search *s)
{
    if (s->filter == NULL)
        return false;
    for (uint32_t i = s->low / 64; i <= (s->high - 1) / 64; i++)
        if (atomic_load_explicit(&s->filter[i], memory_order_relaxed) != 0)
            return false;
    return true;
}

static void window_bounds(struct search *s)
{
    for (size_t t = 0; t < s->n; t++) {
        const struct cursor *c = &s->c[t];
        size_t i = t;

        s->bound[t] = 0;
        for (size_t b = c->block; block_reached(s, c, b); b++) {
            float bound = cursor_block_bound(c, b);

            s->bound[t] = bound > s->bound[t] ? bound : s->bound[t];
        }
        for (; i > 0 && s->bound[s->order[i - 1]] > s->bound[t]; i--)
            s->order[i] = s->order[i - 1];
        s->order[i] = t;
    }
    s->below[0] = 0;
    for (size_t i = 0; i < s->n; i++)
        s->below[i + 1] = s->below[i] + (double)s->bound[s->order[i]] * SLACK;
}

static void search_any(struct search *s)
{
    while (window_next(s)) {
        double floor = (double)top_floor(s->top);
        size_t first = 0;

        if (window_filtered(s))
            continue;
        window_bounds(s);
        if (s->below[s->n] < floor)
            continue;
        while (s->below[first + 1] < floor)
            first++;
        if (first + 1 == s->n)
            window_one(s);
        else
            window_many(s, first);
    }
}

/* ---- with phrases: only rows that have all their terms ---- */

static uint32_t next_row(struct cursor *c, uint32_t row)
{
    size_t b = cursor_block_with(c, row);

    for (; b < c->list.blocks_n; b++) {
        size_t i;

        cursor_load(c, b);
        i = cursor_lower(c, row);
        if (i < c->n)
            return c->rows[i];
    }
    return UINT32_MAX;
}

/* The cursors of all terms in phrases, rarest first; false: one has none. */
static bool required(struct search *s, struct cursor **v, size_t *n)
{
    bool wanted[QUERY_TERMS_MAX] = {false};
    size_t wanted_n = 0;

    for (size_t p = 0; p < s->q->phrases_n; p++)
        for (size_t i = 0; i < s->q->phrases[p].n; i++) {
            bool *w = &wanted[s->q->phrases[p].terms[i]];

            wanted_n += !*w;
            *w = true;
        }
    *n = 0;
    for (size_t t = 0; t < s->n; t++) {
        size_t i = *n;

        if (!wanted[s->c[t].term])
            continue;
        for (; i > 0 && v[i - 1]->list.df > s->c[t].list.df; i--)
            v[i] = v[i - 1];
        v[i] = &s->c[t];
        ++*n;
    }
    return *n == wanted_n && wanted_n > 0;
}

static bool all_have(struct cursor *const *v, size_t n, uint32_t row)
{
    size_t i;

    for (size_t k = 0; k < n; k++)
        if (!cursor_find(v[k], row, &i))
            return false;
    return true;
}

static void search_phrases(struct search *s, struct arena *tmp)
{
    struct cursor *v[QUERY_TERMS_MAX];
    size_t n;

    if (!required(s, v, &n))
        return;
    for (uint32_t row = next_row(v[0], 0); row < s->x->rows;
         row = next_row(v[0], row + 1)) {
        float score;

        if (!filter_has(s->filter, row) || !all_have(v + 1, n - 1, row))
            continue;
        score = cursors_score(s->c, s->n, row);
        if (top_takes(s->top, score, s->segment, row) &&
            phrases_fit(s->x, s->q, s->c, s->n, row, tmp))
            top_put(s->top, score, s->segment, row);
    }
}

void lex_search(const struct lex *x, const struct lex_query *q,
                const struct lex_stats *st, lex_filter filter, uint32_t segment,
                struct lex_top *top, struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    struct search *s = ARENA_NEW(tmp, struct search);

    s->x = x;
    s->q = q;
    s->filter = filter;
    s->segment = segment;
    s->top = top;
    s->c = ARENA_ARRAY(tmp, struct cursor, q->terms_n);
    scorer_init(&s->scorer, st);
    s->n = cursors_open(x, q, st, &s->scorer, s->c);
    if (q->phrases_n > 0)
        search_phrases(s, tmp);
    else if (s->n > 0)
        search_any(s);
    arena_rewind(tmp, mark);
}
