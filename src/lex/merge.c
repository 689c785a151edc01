#include <stdlib.h>

#include "base/mem.h"
#include "lex/lex_priv.h"

struct input {
    struct dict_walk walk;
    const uint32_t *to;
    bool more; /* walk.term is still to come */
};

struct merge {
    struct input *in;
    size_t in_n;
    struct lex_out *out;
    struct postings all, sorted;
    uint64_t *keys;
    size_t keys_cap;
};

static str input_term(const struct input *in)
{
    return (str){(const char *)in->walk.term, in->walk.term_n};
}

/* Gives rows read from `from` on their new numbers, dropping the dropped. */
static void renumber(struct postings *l, size_t from, size_t pos_from,
                     const uint32_t *to)
{
    size_t n = from, pos_n = pos_from, pos_at = pos_from;

    for (size_t i = from; i < l->n; i++) {
        uint32_t row = to[l->row[i]];
        size_t count = occurrences(l->tf[i], l->ctx[i]);

        if (row != LEX_ROW_DROP) {
            l->row[n] = row;
            l->tf[n] = l->tf[i];
            l->ctx[n] = l->ctx[i];
            memmove(l->pos + pos_n, l->pos + pos_at, count * sizeof *l->pos);
            n++;
            pos_n += count;
        }
        pos_at += count;
    }
    l->n = n;
    l->pos_n = pos_n;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Rows of several inputs that interleave: into m->sorted, in order. */
static rc sort_rows(struct merge *m, struct err *e)
{
    const struct postings *l = &m->all;
    struct postings *to = &m->sorted;
    uint32_t *starts;
    rc code;

    to->n = to->pos_n = 0;
    code = postings_room(to, l->n, l->pos_n, e);
    if (code != RC_OK)
        return code;
    if (m->keys_cap < l->cap) {
        uint64_t *keys = mem_try_resize(m->keys, l->cap * 2 * sizeof *keys);

        if (keys == NULL)
            return err_set(e, RC_NOMEM, "no memory to sort %zu postings", l->n);
        m->keys = keys;
        m->keys_cap = l->cap;
    }
    starts = (uint32_t *)(m->keys + m->keys_cap);
    for (size_t i = 0, at = 0; i < l->n; i++) {
        m->keys[i] = (uint64_t)l->row[i] << 32 | i;
        starts[i] = (uint32_t)at;
        at += occurrences(l->tf[i], l->ctx[i]);
    }
    qsort(m->keys, l->n, sizeof *m->keys, compare_keys);
    for (size_t k = 0; k < l->n; k++) {
        size_t i = (uint32_t)m->keys[k];
        size_t count = occurrences(l->tf[i], l->ctx[i]);

        to->row[k] = l->row[i];
        to->tf[k] = l->tf[i];
        to->ctx[k] = l->ctx[i];
        memcpy(to->pos + to->pos_n, l->pos + starts[i], count * sizeof *l->pos);
        to->pos_n += count;
    }
    to->n = l->n;
    return RC_OK;
}

static bool ascending(const struct postings *l)
{
    for (size_t i = 1; i < l->n; i++)
        if (l->row[i] <= l->row[i - 1])
            return false;
    return true;
}

/* The smallest term still to come; false: none. */
static bool smallest(const struct merge *m, uint8_t term[TERM_BYTES_MAX],
                     size_t *term_n)
{
    const struct input *least = NULL;

    for (size_t i = 0; i < m->in_n; i++)
        if (m->in[i].more && (least == NULL || str_cmp(input_term(&m->in[i]),
                                                       input_term(least)) < 0))
            least = &m->in[i];
    if (least == NULL)
        return false;
    memcpy(term, least->walk.term, least->walk.term_n);
    *term_n = least->walk.term_n;
    return true;
}

/* What all inputs have of the term, under new numbers, into m->all. */
static rc gather(struct merge *m, str term, struct err *e)
{
    m->all.n = m->all.pos_n = 0;
    for (size_t i = 0; i < m->in_n; i++) {
        struct input *in = &m->in[i];
        size_t n = m->all.n, pos_n = m->all.pos_n;
        rc code;

        if (!in->more || !str_eq(input_term(in), term))
            continue;
        code = list_read(in->walk.x, &in->walk.list, &m->all, e);
        if (code != RC_OK)
            return code;
        renumber(&m->all, n, pos_n, in->to);
        in->more = dict_walk_next(&in->walk);
        if (in->more && str_cmp(input_term(in), term) <= 0)
            return err_set(e, RC_CORRUPT, "dictionary out of order");
    }
    return RC_OK;
}

static rc merge_run(struct merge *m, struct err *e)
{
    uint8_t term[TERM_BYTES_MAX];
    size_t term_n = 0;

    while (smallest(m, term, &term_n)) {
        str text = {(const char *)term, term_n};
        const struct postings *l = &m->all;
        rc code = gather(m, text, e);

        if (code == RC_OK && !ascending(l)) {
            code = sort_rows(m, e);
            l = &m->sorted;
        }
        if (code == RC_OK && l->n > 0)
            code = lex_out_term(m->out, text, l, e);
        if (code != RC_OK)
            return code;
    }
    return lex_out_end(m->out, e);
}

/* The norms of the new rows; each row must come from one place. */
static uint8_t *norms_merge(const struct lex *const *from,
                            const uint32_t *const *to, size_t from_n,
                            uint32_t rows)
{
    uint8_t *norms = mem_try((size_t)rows + 1);
    uint32_t placed = 0;

    for (size_t i = 0; i < from_n && norms != NULL; i++)
        for (uint32_t row = 0; row < from[i]->rows; row++)
            if (to[i][row] != LEX_ROW_DROP) {
                ASSERT(to[i][row] < rows);
                norms[to[i][row]] = from[i]->norms[row];
                placed++;
            }
    ASSERT(norms == NULL || placed == rows);
    return norms;
}

rc lex_merge(const struct lex *const *from, const uint32_t *const *to,
             size_t from_n, uint32_t rows, struct seg_writer *w, struct err *e)
{
    struct merge m = {.in_n = from_n};
    uint8_t *norms;
    rc code = RC_OK;

    if (rows > LEX_ROWS_MAX)
        return err_set(e, RC_LIMIT, "%u rows in one segment, limit %u",
                       (unsigned)rows, (unsigned)LEX_ROWS_MAX);
    norms = norms_merge(from, to, from_n, rows);
    m.in = mem_try((from_n + 1) * sizeof *m.in);
    if (norms == NULL || m.in == NULL) {
        code =
            err_set(e, RC_NOMEM, "no memory to merge %u rows", (unsigned)rows);
        goto done;
    }
    for (size_t i = 0; i < from_n; i++) {
        m.in[i].walk.x = from[i];
        m.in[i].to = to[i];
        m.in[i].more = dict_walk_next(&m.in[i].walk);
    }
    code = lex_out_open(w, norms, rows, &m.out, e);
    if (code == RC_OK)
        code = merge_run(&m, e);
done:
    lex_out_close(m.out);
    postings_close(&m.all);
    postings_close(&m.sorted);
    mem_free(m.keys);
    mem_free(m.in);
    mem_free(norms);
    return code;
}

/* ---- the same walk, to look at everything once ---- */

/* Each posting of a list with a frame is below a peak of its block. */
static bool peaks_hold(const struct lex *x, const struct list *l,
                       const struct postings *v)
{
    for (size_t i = 0; i < v->n && list_framed(l); i++) {
        bool below = false;

        for (size_t k = 0; k < PEAKS; k++) {
            struct peak peak = block_peak(l, i / BLOCK_ROWS, k);

            below = below || ((v->tf[i] <= peak.tf || peak.tf == 255) &&
                              x->norms[v->row[i]] >= peak.norm);
        }
        if (!below)
            return false;
    }
    return true;
}

rc lex_check(const struct lex *x, struct err *e)
{
    struct dict_walk d = {.x = x};
    struct postings l = {0};
    uint8_t last[TERM_BYTES_MAX];
    size_t last_n = 0;
    uint64_t length = 0;
    rc code = RC_OK;

    for (uint32_t row = 0; row < x->rows; row++)
        length += norm_length(x->norms[row]);
    if (length != x->length)
        return err_set(e, RC_CORRUPT, "lengths of rows don't add up");
    while (code == RC_OK && dict_walk_next(&d)) {
        str term = {(const char *)d.term, d.term_n};

        if (str_cmp((str){(const char *)last, last_n}, term) >= 0)
            code = err_set(e, RC_CORRUPT, "dictionary out of order");
        memcpy(last, d.term, d.term_n);
        last_n = d.term_n;
        l.n = l.pos_n = 0;
        if (code == RC_OK)
            code = list_read(x, &d.list, &l, e);
        if (code == RC_OK && !peaks_hold(x, &d.list, &l))
            code = err_set(e, RC_CORRUPT, "bounds of a list damaged");
    }
    postings_close(&l);
    return code;
}
