/* What a search looks at: the segments of the bases it asks, at one moment of
 * the index and of its session. */
#include <stdlib.h>

#include "base/clock.h"
#include "engine/search_priv.h"

#define CATCH_UP_NS ((int64_t)1000000000)
/* So often the views are taken again, as commits come in between. */
#define VIEWS_TRIES_MAX 16

static int compare_pins(const void *a, const void *b)
{
    return uuid_cmp(((const struct engine_pin *)a)->document,
                    ((const struct engine_pin *)b)->document);
}

void pins_sort(struct search *s)
{
    if (s->q->pins_n == 0)
        return;
    s->pins = ARENA_ARRAY(s->tmp, struct engine_pin, s->q->pins_n);
    memcpy(s->pins, s->q->pins, s->q->pins_n * sizeof *s->pins);
    qsort(s->pins, s->q->pins_n, sizeof *s->pins, compare_pins);
}

static const struct engine_pin *pin_find(const struct search *s, uuid document)
{
    const struct engine_pin key = {.document = document};

    return bsearch(&key, s->pins, s->q->pins_n, sizeof *s->pins, compare_pins);
}

static int compare_uuids(const void *a, const void *b)
{
    return uuid_cmp(*(const uuid *)a, *(const uuid *)b);
}

void only_sort(struct search *s)
{
    if (s->q->only_n == 0)
        return;
    s->only = ARENA_ARRAY(s->tmp, uuid, s->q->only_n);
    memcpy(s->only, s->q->only, s->q->only_n * sizeof *s->only);
    qsort(s->only, s->q->only_n, sizeof *s->only, compare_uuids);
}

static bool only_has(const struct search *s, uuid document)
{
    return s->q->only_n > 0 && bsearch(&document, s->only, s->q->only_n,
                                       sizeof *s->only, compare_uuids) != NULL;
}

/* Rows of a segment whose places are not looked up yet are found by words. */
static void view_vectors(const struct search *s, const struct base *b,
                         const struct segment *seg, struct view *v)
{
    if (b->vectors == NULL || seg->places == NULL ||
        seg->places->number != b->vectors->number ||
        !sha256_eq(&b->vectors->identity, &s->q->model->identity))
        return;
    v->vectors = vectors_ref(b->vectors);
    v->places = places_ref(seg->places);
}

/* Under the base's lock: what a commit may change is copied, so that the whole
 * search sees one moment. */
static void views_take(struct search *s, struct base *b)
{
    for (size_t i = 0; i < b->segments_n; i++) {
        struct segment *seg = b->segments[i];
        size_t words = segment_live_words(seg);
        struct view v = {.s = segment_ref(seg)};

        if (s->q->vector != NULL)
            view_vectors(s, b, seg, &v);
        if (seg->rows_live != seg->rows || s->q->pins_n > 0 || s->q->by_only) {
            v.live = ARENA_ARRAY(s->tmp, uint64_t, words);
            memcpy(v.live, seg->live, words * sizeof *v.live);
        }
        if (s->q->pins_n > 0) {
            v.state = arena_alloc(s->tmp, seg->versions_n);
            memcpy(v.state, seg->state, seg->versions_n);
        }
        ARENA_PUSH(s->tmp, s->views, s->views_n, s->views_cap, v);
    }
}

/* A pinned version in place of the active one of its document. */
static void view_pin(const struct search *s, struct view *v)
{
    for (uint32_t i = 0; i < v->s->versions_n; i++) {
        const struct version_rec *r = &v->s->versions[i];
        const struct engine_pin *pin = pin_find(s, r->document);

        if (pin != NULL)
            rows_set(v->live, r->first_row, r->rows,
                     uuid_eq(pin->version, r->version) &&
                         state_indexed(v->state[i]));
    }
}

/* Leaves the rows of the documents asked for. */
static void view_restrict(const struct search *s, struct view *v)
{
    for (uint32_t i = 0; i < v->s->versions_n; i++) {
        const struct version_rec *r = &v->s->versions[i];

        if (!only_has(s, r->document))
            rows_set(v->live, r->first_row, r->rows, false);
    }
}

static int64_t until_ns(const struct caller *who, int64_t wait_ns)
{
    int64_t until = clock_mono_ns() + wait_ns;

    return who != NULL && who->deadline_ns != 0 && who->deadline_ns < until
               ? who->deadline_ns
               : until;
}

/* *taken: the generation the views are of. */
static rc base_view(struct search *s, uuid id, uint64_t *taken, struct err *e)
{
    uint64_t generation;
    struct base *b = NULL;
    rc code = db_generation(s->db, id, &generation, e);

    if (code == RC_OK)
        code = base_acquire(s->g, id, s->db, until_ns(s->who, OPEN_WAIT_NS), &b,
                            e);
    if (code != RC_OK)
        return code;
    code = base_wait(b, generation, until_ns(s->who, CATCH_UP_NS), e);
    if (code == RC_OK && s->q->vector != NULL)
        code = vectors_sync(s->g, b, s->q->model, false, e);
    if (code == RC_OK) {
        (void)pthread_mutex_lock(&b->lock);
        views_take(s, b);
        *taken = b->applied;
        (void)pthread_mutex_unlock(&b->lock);
    }
    base_release(s->g, b);
    return code;
}

static bool asked_before(const struct engine_query *q, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (uuid_eq(q->bases[k], q->bases[i]))
            return true;
    return false;
}

void views_let_go(struct search *s)
{
    for (size_t i = 0; i < s->views_n; i++) {
        vectors_unref(s->views[i].vectors);
        places_unref(s->views[i].places);
        segment_unref(s->views[i].s);
    }
    s->views_n = 0;
}

/* How the session stands to the views: before them (< 0), behind, or both are
 * of one moment (0). A deleted base is of any. */
static rc session_compare(const struct search *s, const uint64_t *taken,
                          int *order, struct err *e)
{
    *order = 0;
    for (size_t i = 0; i < s->q->bases_n && *order >= 0; i++) {
        uint64_t now;
        rc code;

        if (asked_before(s->q, i))
            continue;
        code = db_generation(s->db, s->q->bases[i], &now, e);
        if (code == RC_NOTFOUND || (code == RC_OK && now == taken[i]))
            continue;
        if (code != RC_OK)
            return code;
        *order = now < taken[i] ? -1 : 1;
    }
    return RC_OK;
}

static rc bases_view(struct search *s, uint64_t *taken, struct err *e)
{
    rc code = RC_OK;

    views_let_go(s);
    for (size_t i = 0; i < s->q->bases_n && code == RC_OK; i++) {
        if (!asked_before(s->q, i))
            code = base_view(s, s->q->bases[i], &taken[i], e);
        if (code == RC_OK)
            code = search_gone(s->who, e);
    }
    return code;
}

/* What the views name must be in the session, and what the session has should
 * be in them: both are brought to one moment. Where commits come too fast for
 * that, the session is the newer one, and who shows hits sees what is stale. */
rc views_make(struct search *s, struct err *e)
{
    uint64_t *taken = ARENA_ARRAY(s->tmp, uint64_t, s->q->bases_n);
    int order = 1;
    rc code = RC_OK;

    for (unsigned i = 0; i < VIEWS_TRIES_MAX && order != 0; i++) {
        if ((code = bases_view(s, taken, e)) != RC_OK ||
            (code = session_compare(s, taken, &order, e)) != RC_OK)
            return code;
        if (order < 0 &&
            ((code = store_read_renew(s->db, e)) != RC_OK ||
             (code = session_compare(s, taken, &order, e)) != RC_OK))
            return code;
    }
    for (size_t i = 0; i < s->views_n && s->q->pins_n > 0; i++)
        view_pin(s, &s->views[i]);
    for (size_t i = 0; i < s->views_n && s->q->by_only; i++)
        view_restrict(s, &s->views[i]);
    return RC_OK;
}
