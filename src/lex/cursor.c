#include "lex/lex_priv.h"

bool cursor_open(struct cursor *c, const struct lex *x,
                 const struct lex_query *q, const struct lex_stats *st,
                 const struct scorer *scorer, size_t term)
{
    if (!dict_find(x, q->terms[term].term, &c->list))
        return false;
    c->x = x;
    c->scorer = scorer;
    c->term = term;
    c->weight = term_weight(st, q, term);
    c->block = 0;
    c->loaded = SIZE_MAX;
    if (!list_framed(&c->list))
        cursor_load(c, 0); /* its frame is in its rows */
    return true;
}

size_t cursors_open(const struct lex *x, const struct lex_query *q,
                    const struct lex_stats *st, const struct scorer *scorer,
                    struct cursor *cursors)
{
    size_t n = 0;

    for (size_t term = 0; term < q->terms_n; term++)
        n += cursor_open(&cursors[n], x, q, st, scorer, term);
    return n;
}

uint32_t cursor_block_last(const struct cursor *c, size_t block)
{
    return list_framed(&c->list) ? block_last(&c->list, block) : c->last;
}

float cursor_block_bound(const struct cursor *c, size_t block)
{
    float bound = 0;

    if (!list_framed(&c->list))
        return c->bound;
    for (size_t i = 0; i < PEAKS; i++) {
        struct peak peak = block_peak(&c->list, block, i);
        float worth = peak.tf == 255 ? c->weight
                                     : score_of(c->weight, peak.tf,
                                                c->scorer->damp[peak.norm]);

        bound = worth > bound ? worth : bound;
    }
    return bound;
}

/* A list without a frame: all it has is one block, its bound is exact. */
static void load_plain(struct cursor *c, size_t block)
{
    struct block b;

    if (!block_read(c->x, &c->list, block, &b))
        return;
    c->n = b.n;
    memcpy(c->rows, b.rows, b.n * sizeof *b.rows);
    memcpy(c->tf, b.tf, b.n * sizeof *b.tf);
    /* Kernels work on eights: rows behind the end must be rows. */
    for (size_t i = b.n; i % 8 != 0; i++) {
        c->rows[i] = c->rows[b.n - 1];
        c->tf[i] = 1;
    }
    c->last = c->rows[b.n - 1];
    if (list_framed(&c->list))
        return;
    cursor_score(c);
    c->bound = 0;
    for (size_t i = 0; i < c->n; i++)
        c->bound = c->scores[i] > c->bound ? c->scores[i] : c->bound;
}

void cursor_load(struct cursor *c, size_t block)
{
    if (c->loaded == block)
        return;
    c->loaded = block;
    c->scored = false;
    c->n = 0;
    c->bound = 0;
    c->last =
        list_framed(&c->list) ? block_last(&c->list, block) : c->x->rows - 1;
    c->before = block == 0 ? UINT32_MAX : block_last(&c->list, block - 1);
    if (block_rows(&c->list, block) < BLOCK_ROWS) {
        load_plain(c, block);
        return;
    }
    if (!block_rows_read(c->x, &c->list, block, c->rows))
        return;
    block_tf_read(c->x, &c->list, block, c->tf);
    c->n = BLOCK_ROWS;
}

void cursor_score(struct cursor *c)
{
    if (c->scored)
        return;
    c->scored = true;
    c->x->kernels->scores(c->rows, c->tf, c->n, c->x->norms, c->scorer->damp,
                          c->weight, c->scores);
}

/* The first block from `from` on that ends at or behind the row. */
static size_t block_with(const struct cursor *c, size_t from, uint32_t row)
{
    size_t step = 1, low = from, high;

    if (!list_framed(&c->list))
        return row <= c->last ? from : c->list.blocks_n;
    /* Gallop, then halve: neighbours are near, jumps may be far. */
    while (low + step < c->list.blocks_n &&
           block_last(&c->list, low + step) < row) {
        low += step;
        step *= 2;
    }
    high = low + step < c->list.blocks_n ? low + step : c->list.blocks_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (block_last(&c->list, middle) < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t cursor_block_with(const struct cursor *c, uint32_t row)
{
    return c->block == c->list.blocks_n ? c->block
                                        : block_with(c, c->block, row);
}

/* The block just read is the one most often asked again. */
static bool loaded_has(const struct cursor *c, uint32_t row)
{
    uint32_t first = c->before + 1;

    return c->loaded != SIZE_MAX && row - first <= c->last - first;
}

size_t cursor_lower(const struct cursor *c, uint32_t row)
{
    const uint32_t *low = c->rows;

    /* Halves without a branch to guess. */
    for (size_t n = c->n; n > 0; n -= (n + 1) / 2)
        low += low[n / 2] < row ? (n + 1) / 2 : 0;
    return (size_t)(low - c->rows);
}

bool cursor_find(struct cursor *c, uint32_t row, size_t *i)
{
    if (!loaded_has(c, row)) {
        size_t block = cursor_block_with(c, row);

        if (block == c->list.blocks_n)
            return false;
        cursor_load(c, block);
    }
    *i = cursor_lower(c, row);
    return *i < c->n && c->rows[*i] == row;
}

/* Both are the same to the bit; the kernel's are there if the block was
 * added up. */
static float score_at(const struct cursor *c, size_t i)
{
    return c->scored ? c->scores[i]
                     : score_of(c->weight, c->tf[i],
                                c->scorer->damp[c->x->norms[c->rows[i]]]);
}

float cursors_score(struct cursor *cursors, size_t n, uint32_t row)
{
    float score = 0;
    size_t i;

    for (size_t t = 0; t < n; t++)
        if (cursor_find(&cursors[t], row, &i))
            score += score_at(&cursors[t], i);
    return score;
}
