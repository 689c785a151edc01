#include "lex/lex_priv.h"

/*
 * Block-max MaxScore over windows of rows (after Turtle and Flood 1995; Ding
 * and Suel 2011; the windows after Lucene 10's MaxScoreBulkScorer).
 *
 * In each window every term has a bound, the largest of its blocks there. The
 * terms with the smallest bounds that together can't reach the floor (what a
 * hit must score to be taken) are not essential: a row that has only them
 * can't win. The lists of the essential ones are added up in an array, then
 * those of the others, largest bound first, only to the sums that may still
 * reach the floor; a row that does is scored anew in term order, so that
 * scores are equal to the bit to the oracle's. A row is dropped only below
 * floor / SLACK: rounding never drops a hit.
 */
#define WINDOW_ROWS 8192
#define SLACK 1.00001
#define LOOKUP_COST 16 /* in postings of a list that is added whole */

struct search {
    const struct lex *x;
    const struct lex_query *q;
    lex_filter filter;
    uint32_t segment;
    struct top *top;
    struct cursor *c; /* [n], in term order */
    size_t n;
    struct scorer scorer;
    /* of the window [low, high) */
    uint32_t low, high;
    float bound[QUERY_TERMS_MAX];      /* by cursor */
    size_t order[QUERY_TERMS_MAX];     /* cursors by bound, smallest first */
    double below[QUERY_TERMS_MAX + 1]; /* bounds of the first i of them */
    size_t blocks_n[QUERY_TERMS_MAX];  /* by cursor */
    double floor;
    float sums[WINDOW_ROWS];
    uint16_t touched[WINDOW_ROWS + 1]; /* rows with a sum, less low */
    size_t touched_n;
};

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

/* x, or 0: without a branch, which would be guessed wrong half the time. */
static inline float masked(float x, bool keep)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits &= (uint32_t)0 - keep;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* What a row's sum must be if `others` may still come. */
static float least_sum(const struct search *s, double others)
{
    return (float)((s->floor - others) / SLACK);
}

/* The part of a list in the window, added to the sums of its rows. */
static void add_part(struct search *s, const struct cursor *c)
{
    size_t from, end = part(s, c, &from), n = s->touched_n;

    for (size_t k = from; k < end; k++) {
        uint32_t at = c->rows[k] - s->low;
        float sum = s->sums[at];

        s->touched[n] = (uint16_t)at;
        n += sum <= 0;
        s->sums[at] = sum + c->scores[k];
    }
    s->touched_n = n;
}

/* The same where no other list makes a sum: only rows that score enough. */
static void add_part_from(struct search *s, const struct cursor *c, float least)
{
    size_t from, end = part(s, c, &from), n = s->touched_n;

    for (size_t k = from; k < end; k++) {
        uint32_t at = c->rows[k] - s->low;
        bool enough = c->scores[k] >= least;

        s->touched[n] = (uint16_t)at;
        n += enough;
        s->sums[at] = masked(c->scores[k], enough);
    }
    s->touched_n = n;
}

/* The same, only to sums that are there. */
static void add_part_to_sums(struct search *s, const struct cursor *c)
{
    size_t from, end = part(s, c, &from);

    for (size_t k = from; k < end; k++) {
        float *sum = &s->sums[c->rows[k] - s->low];

        *sum += masked(c->scores[k], *sum > 0);
    }
}

/* Adds the list of term order[i]; blocks none of whose rows can win aren't
 * even decoded. */
static void add_list(struct search *s, size_t i, size_t first)
{
    struct cursor *c = &s->c[s->order[i]];
    double others = s->below[s->n] - (double)s->bound[s->order[i]] * SLACK;

    for (size_t b = c->block; block_reached(s, c, b); b++) {
        if ((double)cursor_block_bound(c, b) * SLACK + others < s->floor)
            continue;
        cursor_load(c, b);
        cursor_score(c);
        if (i < first)
            add_part_to_sums(s, c);
        else if (first + 1 == s->n)
            add_part_from(s, c, least_sum(s, s->below[first]));
        else
            add_part(s, c);
    }
}

/* The same for few rows: each is looked up. */
static void add_rows(struct search *s, size_t i)
{
    struct cursor *c = &s->c[s->order[i]];
    size_t at;

    for (size_t k = 0; k < s->touched_n; k++) {
        uint32_t row = s->low + s->touched[k];

        if (cursor_find(c, row, &at))
            s->sums[s->touched[k]] += score_of(
                c->weight, c->tf[at], s->scorer.damp[s->x->norms[row]]);
    }
}

/* Forgets rows that can't reach the floor by the first i terms' bounds. */
static void drop_rows(struct search *s, size_t i)
{
    float least = least_sum(s, s->below[i]);
    size_t kept = 0, n = s->touched_n;

    for (size_t k = 0; k < n; k++) {
        uint16_t at = s->touched[k];
        float sum = s->sums[at];
        bool may = sum >= least;

        s->touched[kept] = at;
        kept += may;
        s->sums[at] = masked(sum, may);
    }
    s->touched_n = kept;
}

static void put_rows(struct search *s)
{
    for (size_t k = 0; k < s->touched_n; k++) {
        uint32_t row = s->low + s->touched[k];
        float *sum = &s->sums[s->touched[k]];

        if ((double)*sum * SLACK >= (double)top_floor(s->top, 0) &&
            filter_has(s->filter, row))
            top_put(s->top, (struct top_hit){cursors_score(s->c, s->n, row),
                                             s->segment, row});
        *sum = 0;
    }
}

static void window_search(struct search *s, size_t first)
{
    s->touched_n = 0;
    for (size_t i = s->n; i-- > first;)
        add_list(s, i, first);
    drop_rows(s, first);
    for (size_t i = first; i-- > 0 && s->touched_n > 0;) {
        if (s->touched_n * LOOKUP_COST < s->blocks_n[s->order[i]] * BLOCK_ROWS)
            add_rows(s, i);
        else
            add_list(s, i, first);
        drop_rows(s, i);
    }
    put_rows(s);
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
        s->blocks_n[t] = 0;
        for (size_t b = c->block; block_reached(s, c, b); b++) {
            float bound = cursor_block_bound(c, b);

            s->bound[t] = bound > s->bound[t] ? bound : s->bound[t];
            s->blocks_n[t]++;
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
        size_t first = 0;

        if (window_filtered(s))
            continue;
        s->floor = (double)top_floor(s->top, 0);
        window_bounds(s);
        if (s->below[s->n] < s->floor)
            continue;
        while (s->below[first + 1] < s->floor)
            first++;
        window_search(s, first);
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
        struct top_hit hit = {.segment = s->segment, .row = row};

        if (!filter_has(s->filter, row) || !all_have(v + 1, n - 1, row))
            continue;
        hit.score = cursors_score(s->c, s->n, row);
        if (top_takes(s->top, hit) &&
            phrases_fit(s->x, s->q, s->c, s->n, row, tmp))
            top_put(s->top, hit);
    }
}

void lex_search(const struct lex *x, const struct lex_query *q,
                const struct lex_stats *st, lex_filter filter, uint32_t segment,
                struct top *top, struct arena *tmp)
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
