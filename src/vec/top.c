#include <math.h>

#include "vec/vec_priv.h"

/* A heap with the worst at its root. */
struct vec_top {
    struct vec_hit *v; /* [k + 1]; v[0] is not used */
    size_t n, k;
};

struct vec_top *vec_top_open(struct arena *out, uint32_t k)
{
    struct vec_top *t = ARENA_NEW(out, struct vec_top);

    ASSERT(k > 0);
    t->v = ARENA_ARRAY(out, struct vec_hit, (size_t)k + 1);
    t->k = k;
    return t;
}

static bool better(struct vec_hit a, struct vec_hit b)
{
    if (a.score < b.score || a.score > b.score)
        return a.score > b.score;
    return a.segment != b.segment ? a.segment < b.segment : a.row < b.row;
}

/* Puts h at place i or below, worst first. */
static void sink(struct vec_top *t, size_t i, struct vec_hit h)
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

float vec_top_floor(const struct vec_top *t)
{
    return t->n < t->k ? -INFINITY : t->v[1].score;
}

void vec_top_put(struct vec_top *t, struct vec_hit h)
{
    size_t i;

    if (t->n == t->k) {
        if (better(h, t->v[1]))
            sink(t, 1, h);
        return;
    }
    for (i = ++t->n; i > 1 && better(t->v[i / 2], h); i /= 2)
        t->v[i] = t->v[i / 2];
    t->v[i] = h;
}

size_t vec_top_take(struct vec_top *t, struct vec_hit **hits)
{
    size_t n = t->n;

    while (t->n > 1) {
        struct vec_hit worst = t->v[1], last = t->v[t->n--];

        sink(t, 1, last);
        t->v[t->n + 1] = worst;
    }
    t->n = 0;
    *hits = t->v + 1;
    return n;
}
