/* Columns whose paragraphs stand in rows: poppler takes the gaps that go across
 * the page for the ends of columns and reads row by row. Only what is prose on
 * both sides is put in order; anything else in rows may be a table. */
#include "extract/pdf_layout_priv.h"

#define COLUMNS_MAX 4
#define PIECES_MAX 200 /* of a page; one with more is left as it is */
/* Paragraphs of a column are no further apart than this many heights of a
 * line: over more, columns begin anew. */
#define GAP_HEIGHTS_MAX 2
/* Prose: a column so many heights of a line wide, so many lines a paragraph, and
 * of those that are not its last so many percent fill so much of the column. */
#define PROSE_HEIGHTS_MIN 10
#define PROSE_LINES_MIN 3
#define PROSE_FULL_PERCENT 80
#define FULL_PERCENT 70

struct piece {
    size_t first, n; /* lines */
    int32_t box[4];
    unsigned column;
};

struct column {
    int32_t box[4];
    int32_t height; /* of its last line */
    size_t pieces_n, lines_n;
};

/* The pieces of a page that one reads along; pieces of other lines are none
 * and part those before from those behind. */
struct run {
    struct column columns[COLUMNS_MAX];
    size_t columns_n;
    size_t n;     /* pieces */
    bool returns; /* to a column that was left */
};

static void box_add(int32_t box[4], const int32_t other[4])
{
    for (size_t k = 0; k < 2; k++) {
        box[k] = other[k] < box[k] ? other[k] : box[k];
        box[k + 2] = other[k + 2] > box[k + 2] ? other[k + 2] : box[k + 2];
    }
}

/* Along x. */
static bool overlap(const int32_t a[4], const int32_t b[4])
{
    return a[0] < b[2] && b[0] < a[2];
}

/* 0: there are too many to look at. */
static size_t pieces_of(const struct layout *l, const struct page *p,
                        struct piece pieces[PIECES_MAX])
{
    size_t n = 0;

    for (size_t i = p->first; i < p->first + p->lines_n; i++) {
        const struct line *line = &l->lines[i];

        if (n > 0 && (line->breaks & PDF_BLOCK) == 0) {
            pieces[n - 1].n++;
            box_add(pieces[n - 1].box, line->box);
            continue;
        }
        if (n == PIECES_MAX)
            return 0;
        pieces[n] = (struct piece){.first = i, .n = 1};
        memcpy(pieces[n++].box, line->box, sizeof line->box);
    }
    return n;
}

/* The column a block goes on or begins; columns_n: it begins one; more: it
 * ends the run. */
static size_t column_for(const struct run *r, const struct piece *b)
{
    const struct column *c;
    size_t found = r->columns_n, n = 0;
    bool beside = r->columns_n == 0;

    for (size_t i = 0; i < r->columns_n; i++) {
        c = &r->columns[i];
        if (overlap(c->box, b->box)) {
            found = i;
            n++;
        }
        beside = beside || (b->box[1] < c->box[3] && b->box[3] > c->box[1]);
    }
    if (n == 0)
        return beside && r->columns_n < COLUMNS_MAX ? r->columns_n : SIZE_MAX;
    c = &r->columns[found];
    if (n > 1 || b->box[1] < c->box[3] - c->height / 2 ||
        b->box[1] - c->box[3] > GAP_HEIGHTS_MAX * c->height)
        return SIZE_MAX;
    return found;
}

/* As many of the n pieces as stand in columns, each under the one before in its
 * column. */
static struct run run_of(const struct layout *l, struct piece *pieces, size_t n)
{
    struct run r = {.n = 0};
    size_t last = 0;

    for (; r.n < n; r.n++) {
        struct piece *b = &pieces[r.n];
        size_t at = column_for(&r, b);

        if (at == SIZE_MAX || l->lines[b->first].upright)
            break;
        if (at == r.columns_n) {
            r.columns[r.columns_n++] = (struct column){.pieces_n = 0};
            memcpy(r.columns[at].box, b->box, sizeof b->box);
        }
        r.returns = r.returns || at < last;
        last = at;
        b->column = (unsigned)at;
        box_add(r.columns[at].box, b->box);
        r.columns[at].height = l->lines[b->first + b->n - 1].height;
        r.columns[at].pieces_n++;
        r.columns[at].lines_n += b->n;
    }
    return r;
}

static bool is_full(const struct line *line, const struct column *c)
{
    return ((int64_t)line->box[2] - line->box[0]) * 100 >=
           ((int64_t)c->box[2] - c->box[0]) * FULL_PERCENT;
}

static bool is_prose(const struct layout *l, const struct piece *pieces,
                     const struct run *r, size_t column)
{
    const struct column *c = &r->columns[column];
    size_t full = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct piece *b = &pieces[i];

        for (size_t k = 0; b->column == column && k + 1 < b->n; k++)
            full += is_full(&l->lines[b->first + k], c);
    }
    return c->box[2] - c->box[0] >= PROSE_HEIGHTS_MIN * c->height &&
           c->lines_n >= PROSE_LINES_MIN * c->pieces_n &&
           full * 100 >= (c->lines_n - c->pieces_n) * PROSE_FULL_PERCENT;
}

static bool all_prose(const struct layout *l, const struct piece *pieces,
                      const struct run *r)
{
    for (size_t i = 0; i < r->columns_n; i++) {
        if (!is_prose(l, pieces, r, i))
            return false;
    }
    return true;
}

/* The lines of a run, column by column. */
static void reorder(struct layout *l, const struct piece *pieces,
                    const struct run *r)
{
    struct arena_mark mark = arena_mark(l->tmp);
    struct line *to = &l->lines[pieces->first], *copy;
    const struct piece *end = &pieces[r->n - 1];
    size_t n = end->first + end->n - pieces->first;

    copy = ARENA_ARRAY(l->tmp, struct line, n);
    memcpy(copy, to, n * sizeof *copy);
    for (size_t c = 0; c < r->columns_n; c++) {
        for (size_t i = 0; i < r->n; i++) {
            const struct piece *b = &pieces[i];

            if (b->column != c)
                continue;
            memcpy(to, &copy[b->first - pieces->first], b->n * sizeof *to);
            to += b->n;
        }
    }
    arena_rewind(l->tmp, mark);
}

void order_columns(struct layout *l)
{
    struct piece pieces[PIECES_MAX];

    for (size_t k = 0; k < l->pages_n; k++) {
        size_t n = pieces_of(l, &l->pages[k], pieces);

        for (size_t at = 0; at < n;) {
            struct run r = run_of(l, &pieces[at], n - at);
            bool wrong = r.returns && all_prose(l, &pieces[at], &r);

            if (wrong)
                reorder(l, &pieces[at], &r);
            at += wrong ? r.n : 1;
        }
    }
}
