#include "lex/lex_priv.h"

/* Positions of a term in a row. */
static size_t positions_of(const struct lex *x, struct cursor *c, uint32_t row,
                           struct arena *tmp, uint32_t **positions)
{
    struct block b;
    size_t i, n;

    if (!cursor_find(c, row, &i) || !block_read(x, &c->list, c->loaded, &b))
        return 0;
    n = occurrences(b.tf[i], b.ctx[i]);
    if (n / 8 > (size_t)(b.posn_end - b.posn))
        return 0; /* damaged: each takes a bit at least */
    *positions = ARENA_ARRAY(tmp, uint32_t, n);
    return block_positions(&b, i, *positions, n);
}

/* Keeps of `starts` those with `after` later a position; both ascend. */
static size_t keep(uint32_t *starts, size_t starts_n, uint32_t after,
                   const uint32_t *positions, size_t n)
{
    size_t kept = 0, k = 0;

    for (size_t i = 0; i < starts_n; i++) {
        while (k < n && positions[k] < starts[i] + after)
            k++;
        if (k < n && positions[k] == starts[i] + after)
            starts[kept++] = starts[i];
    }
    return kept;
}

static struct cursor *cursor_of(struct cursor *cursors, size_t n, size_t term)
{
    for (size_t i = 0; i < n; i++)
        if (cursors[i].term == term)
            return &cursors[i];
    return NULL;
}

static bool phrase_fits(const struct lex *x, const struct lex_phrase *p,
                        struct cursor *cursors, size_t n, uint32_t row,
                        struct arena *tmp)
{
    uint32_t *starts = NULL;
    size_t starts_n = 0;

    for (size_t k = 0; k < p->n; k++) {
        struct cursor *c = cursor_of(cursors, n, p->terms[k]);
        uint32_t *positions;
        size_t positions_n;

        if (c == NULL)
            return false;
        positions_n = positions_of(x, c, row, tmp, &positions);
        if (positions_n == 0)
            return false;
        if (k == 0) {
            starts = positions;
            starts_n = positions_n;
        } else {
            starts_n =
                keep(starts, starts_n, (uint32_t)k, positions, positions_n);
        }
    }
    return starts_n > 0;
}

bool phrases_fit(const struct lex *x, const struct lex_query *q,
                 struct cursor *cursors, size_t n, uint32_t row,
                 struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    bool fits = true;

    for (size_t i = 0; i < q->phrases_n && fits; i++)
        fits = phrase_fits(x, &q->phrases[i], cursors, n, row, tmp);
    arena_rewind(tmp, mark);
    return fits;
}
