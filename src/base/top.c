#include "base/top.h"

/* A heap with the worst at its root. */
struct top {
    struct top_hit *v; /* [k + 1]; v[0] is not used */
    size_t n, k;
};

struct top *top_open(struct arena *out, uint32_t k)
{
    struct top *t = ARENA_NEW(out, struct top);

    ASSERT(k > 0);
    t->v = ARENA_ARRAY(out, struct top_hit, (size_t)k + 1);
    t->k = k;
    return t;
}

static bool better(struct top_hit a, struct top_hit b)
{
    if (a.score < b.score || a.score > b.score)
        return a.score > b.score;
    return a.segment != b.segment ? a.segment < b.segment : a.row < b.row;
}

/* Puts h at place i or below, worst first. */
static void sink(struct top *t, size_t i, struct top_hit h)
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

bool top_takes(const struct top *t, struct top_hit h)
{
    return t->n < t->k || better(h, t->v[1]);
}

void top_put(struct top *t, struct top_hit h)
{
    size_t i;

    if (!top_takes(t, h))
        return;
    if (t->n == t->k) {
        sink(t, 1, h);
        return;
    }
    for (i = ++t->n; i > 1 && better(t->v[i / 2], h); i /= 2)
        t->v[i] = t->v[i / 2];
    t->v[i] = h;
}

float top_floor(const struct top *t, float otherwise)
{
    return t->n < t->k ? otherwise : t->v[1].score;
}

size_t top_take(struct top *t, struct top_hit **hits)
{
    size_t n = t->n;

    while (t->n > 1) {
        struct top_hit worst = t->v[1], last = t->v[t->n--];

        sink(t, 1, last);
        t->v[t->n + 1] = worst;
    }
    t->n = 0;
    *hits = t->v + 1;
    return n;
}
