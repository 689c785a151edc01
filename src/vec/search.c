#include "vec/vec_priv.h"

/* Queries against the codes of the files met so far. */
struct prepared {
    struct code_query *v; /* [cap]; planes NULL: not met */
    size_t cap;
};

static const struct code_query *prepared_of(struct prepared *p, uint32_t file,
                                            const struct vec_query *q,
                                            struct vec_file *const *files,
                                            struct arena *tmp)
{
    while (file >= p->cap)
        p->v = arena_grow(tmp, p->v, p->cap, &p->cap, sizeof *p->v);
    if (p->v[file].planes == NULL)
        code_query_init(&p->v[file], q, files[file], tmp);
    return &p->v[file];
}

static void batch_estimates(const struct code_query *c,
                            const struct vec_query *q, const struct vec_file *f,
                            const struct batch *b, float *out)
{
    size_t bytes = code_bytes(f->width);
    uint32_t sums[BATCH_ROWS];

    ASSERT(q->dims == f->dims && rows_within(f, b->rows, b->n));
    q->kernels->sums(f->codes, f->width, b->rows, b->n, c->planes, sums);
    for (size_t i = 0; i < b->n; i++) {
        struct code_terms t;

        memcpy(&t, f->codes + b->rows[i] * bytes + f->width / 8, sizeof t);
        out[i] = code_estimate(c, &t, sums[i]);
    }
}

/* The best by estimate; their segment is an index into `in`. */
static size_t candidates(const struct vec_query *q,
                         struct vec_file *const *files,
                         const struct vec_rows_of *in, size_t in_n,
                         uint32_t max, struct top_hit **hits, struct arena *tmp)
{
    struct top *best = top_open(tmp, max);
    struct prepared p = {0};
    struct batch b;
    float estimates[BATCH_ROWS];

    for (size_t s = 0; s < in_n; s++)
        for (uint32_t at = 0; batch_next(&in[s], &at, &b);) {
            batch_estimates(prepared_of(&p, b.file, q, files, tmp), q,
                            files[b.file], &b, estimates);
            batch_put(&b, estimates, (uint32_t)s, best);
        }
    return top_take(best, hits);
}

void vec_search(const struct vec_query *q, struct vec_file *const *files,
                const struct vec_rows_of *in, size_t in_n, uint32_t rescored,
                struct top *top, struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    struct top_hit *hits;
    size_t n = candidates(q, files, in, in_n, rescored, &hits, tmp);
    struct vec_place *places = ARENA_ARRAY(tmp, struct vec_place, n);
    float *scores = ARENA_ARRAY(tmp, float, n);

    for (size_t i = 0; i < n; i++)
        places[i] = in[hits[i].segment].places[hits[i].row];
    vec_scores(q, files, places, n, scores);
    for (size_t i = 0; i < n; i++)
        top_put(top, (struct top_hit){scores[i], in[hits[i].segment].segment,
                                      hits[i].row});
    arena_rewind(tmp, mark);
}
