#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define CANDIDATES_MIN 100
/* Where even more chunks than this have the score of the last hit, which of
 * them are shown is left to the order they stand in. */
#define CANDIDATES_MAX ((size_t)1 << 16)
#define CATCH_UP_NS ((int64_t)1000000000)

/* One segment as a search sees it: its rows and their states at one moment of
 * the base. */
struct view {
    struct segment *s;
    uint64_t *live; /* NULL: every row */
    uint8_t *state; /* with pins */
};

struct found {
    float score;
    uint32_t view, row, rank;
    const struct version_rec *v;
    uint32_t index; /* of the chunk in its version */
};

struct search {
    struct engine *g;
    struct db *db;
    const struct caller *who;
    const struct engine_query *q;
    struct arena *out, *tmp;
    struct view *views;
    size_t views_n, views_cap;
    struct engine_pin *pins; /* by document */
    struct lex_query words;
    struct lex_stats stats;
    struct found *found; /* best first */
    size_t found_n;
    int64_t mark_ns;
    struct engine_result *res;
};

static void stage(struct search *s, const char *name)
{
    int64_t now_ns = clock_mono_ns();

    ASSERT(s->res->stages_n < NELEMS(s->res->stages));
    s->res->stages[s->res->stages_n++] =
        (struct engine_stage){name, (double)(now_ns - s->mark_ns) / 1e6};
    s->mark_ns = now_ns;
}

static rc gone(const struct caller *who, struct err *e)
{
    if (who == NULL || !caller_gone(who))
        return RC_OK;
    return who->deadline_ns != 0 && clock_mono_ns() >= who->deadline_ns
               ? err_set(e, RC_TIMEOUT, "the search took too long")
               : err_set(e, RC_CANCELLED, "the caller left");
}

/* ---- what is searched ---- */

static int compare_pins(const void *a, const void *b)
{
    return uuid_cmp(((const struct engine_pin *)a)->document,
                    ((const struct engine_pin *)b)->document);
}

static void pins_sort(struct search *s)
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

/* Under the base's lock: what a commit may change is copied, so that the whole
 * search sees one moment. */
static void views_take(struct search *s, struct base *b)
{
    for (size_t i = 0; i < b->segments_n; i++) {
        struct segment *seg = b->segments[i];
        size_t words = segment_live_words(seg);
        struct view v = {.s = segment_ref(seg)};

        if (seg->rows_live != seg->rows || s->q->pins_n > 0) {
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

static int64_t until_ns(const struct caller *who, int64_t wait_ns)
{
    int64_t until = clock_mono_ns() + wait_ns;

    return who != NULL && who->deadline_ns != 0 && who->deadline_ns < until
               ? who->deadline_ns
               : until;
}

static rc base_view(struct search *s, uuid id, struct err *e)
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
    if (code == RC_OK) {
        (void)pthread_mutex_lock(&b->lock);
        views_take(s, b);
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

static rc views_make(struct search *s, struct err *e)
{
    for (size_t i = 0; i < s->q->bases_n; i++) {
        rc code =
            asked_before(s->q, i) ? RC_OK : base_view(s, s->q->bases[i], e);

        if (code == RC_OK)
            code = gone(s->who, e);
        if (code != RC_OK)
            return code;
    }
    for (size_t i = 0; i < s->views_n && s->q->pins_n > 0; i++)
        view_pin(s, &s->views[i]);
    /* The views may be newer than the session: what they name must be in it. */
    return store_read_renew(s->db, e);
}

/* ---- the lexical leg ---- */

/* Score descending; ties by chunk id. */
static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order;

    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    order = uuid_cmp(x->v->document, y->v->document);
    if (order != 0)
        return order;
    if (x->v->number != y->v->number)
        return x->v->number < y->v->number ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static rc lexical_top(struct search *s, size_t k, struct err *e)
{
    struct lex_top *top = lex_top_open(s->tmp, (uint32_t)k);
    struct lex_hit *hits;
    rc code = RC_OK;

    for (size_t i = 0; i < s->views_n && code == RC_OK; i++) {
        const struct view *v = &s->views[i];

        if (v->live == NULL && v->s->rows == 0)
            continue;
        (s->q->exhaustive ? lex_search_exhaustive : lex_search)(
            v->s->lex, &s->words, &s->stats, (lex_filter)(const void *)v->live,
            (uint32_t)i, top, s->tmp);
        code = gone(s->who, e);
    }
    if (code != RC_OK)
        return code;
    s->found_n = lex_top_take(top, &hits);
    s->found = ARENA_ARRAY(s->tmp, struct found, s->found_n);
    for (size_t i = 0; i < s->found_n; i++) {
        const struct segment *seg = s->views[hits[i].segment].s;
        const struct version_rec *v =
            &seg->versions[seg->chunks[hits[i].row].version];

        s->found[i] = (struct found){
            .score = hits[i].score,
            .view = hits[i].segment,
            .row = hits[i].row,
            .v = v,
            .index = hits[i].row - v->first_row,
        };
    }
    if (s->found_n > 0)
        qsort(s->found, s->found_n, sizeof *s->found, compare_found);
    for (size_t i = 0; i < s->found_n; i++)
        s->found[i].rank = (uint32_t)i + 1;
    return RC_OK;
}

/* Keeps the best chunk of each document. */
static void documents_only(struct search *s)
{
    struct map *seen = map_open();
    size_t n = 0;

    for (size_t i = 0; i < s->found_n; i++) {
        bool made;

        (void)map_slot(seen, uuid_key(&s->found[i].v->document), &made);
        if (made)
            s->found[n++] = s->found[i];
    }
    s->found_n = n;
    map_close(seen);
}

static size_t rows_all(const struct search *s)
{
    size_t rows = 0;

    for (size_t i = 0; i < s->views_n; i++)
        rows += s->views[i].s->rows;
    return rows;
}

/* Asks for more until hits_max are sure: what was not gathered scores below
 * the last of them, so that ties are cut by chunk id and not by where rows
 * happen to stand. */
static rc lexical(struct search *s, struct err *e)
{
    size_t want = s->q->hits_max, all = rows_all(s);
    size_t k = want + want / 8 + 16;

    if (k < CANDIDATES_MIN)
        k = CANDIDATES_MIN;
    if (s->q->by_document)
        k *= 2;
    for (;;) {
        struct arena_mark mark = arena_mark(s->tmp);
        size_t gathered;
        float last;
        rc code = lexical_top(s, k, e);

        if (code != RC_OK)
            return code;
        gathered = s->found_n;
        last = gathered == 0 ? 0 : s->found[gathered - 1].score;
        s->res->candidates = gathered;
        if (s->q->by_document)
            documents_only(s);
        if (gathered < k || k >= all || k >= CANDIDATES_MAX || want == 0 ||
            (s->found_n >= want && s->found[want - 1].score > last))
            break;
        arena_rewind(s->tmp, mark);
        k *= 4;
    }
    /* How many more were asked for to settle ties is nobody's business. */
    k = want > CANDIDATES_MIN ? want : CANDIDATES_MIN;
    if (s->res->candidates > k)
        s->res->candidates = k;
    return RC_OK;
}

/* ---- the answer ---- */

static void explain(const struct search *s, const struct found *f,
                    struct engine_hit *h)
{
    float parts[QUERY_TERMS_MAX];
    struct engine_leg_score *leg = &h->legs[0];

    lex_explain(s->views[f->view].s->lex, &s->words, &s->stats, f->row, parts);
    *leg = (struct engine_leg_score){
        .leg = "lexical",
        .rank = f->rank,
        .raw = f->score,
        .normalized = h->score,
        .weight = 1,
        .contribution = h->score,
        .terms = ARENA_ARRAY(s->out, struct engine_term, s->words.terms_n),
    };
    for (size_t i = 0; i < s->words.terms_n; i++)
        if (parts[i] > 0)
            leg->terms[leg->terms_n++] = (struct engine_term){
                arena_str(s->out, s->words.terms[i].word), parts[i]};
    h->legs_n = 1;
}

static void headings(const struct search *s, const struct found *f,
                     struct engine_hit *h)
{
    str path[HEADING_DEPTH_MAX + 1];
    size_t n = segment_headings(s->views[f->view].s, f->row, path);

    h->headings = ARENA_ARRAY(s->out, str, n);
    for (size_t i = 0; i < n; i++)
        h->headings[i] = arena_str(s->out, path[i]);
    h->headings_n = n;
}

static struct engine_hit hit_of(const struct search *s, const struct found *f,
                                float best)
{
    const struct segment *seg = s->views[f->view].s;
    const struct chunk_rec *c = &seg->chunks[f->row];
    struct engine_hit h = {
        .base = seg->base,
        .document = f->v->document,
        .version = f->v->version,
        .version_number = f->v->number,
        .chunk_index = f->index,
        .origin = f->v->origin,
        .start = c->start,
        .end = c->end,
        .start_cp = c->start_cp,
        .end_cp = c->end_cp,
        .page = c->page,
        .box = {c->box[0], c->box[1], c->box[2], c->box[3]},
        .score = f->score / best,
    };

    headings(s, f, &h);
    if (s->q->explain)
        explain(s, f, &h);
    return h;
}

static void answer(struct search *s)
{
    size_t n = s->found_n < s->q->hits_max ? s->found_n : s->q->hits_max;

    s->res->hits = ARENA_ARRAY(s->out, struct engine_hit, n);
    s->res->hits_n = n;
    for (size_t i = 0; i < n; i++)
        s->res->hits[i] = hit_of(s, &s->found[i], s->found[0].score);
}

static rc search_run(struct search *s, struct err *e)
{
    rc code;

    lex_query_parse(thread_analyser(), s->q->text, s->tmp, &s->words);
    pins_sort(s);
    stage(s, "analyse");
    code = views_make(s, e);
    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < s->views_n; i++)
        lex_stats_add(&s->stats, s->views[i].s->lex, &s->words);
    if (s->words.terms_n > 0)
        code = lexical(s, e);
    stage(s, "lexical");
    if (code != RC_OK)
        return code;
    answer(s);
    stage(s, "rank");
    return RC_OK;
}

rc engine_search(struct engine *g, struct db *db, const struct caller *who,
                 const struct engine_query *q, struct arena *out,
                 struct engine_result *res, struct err *e)
{
    struct search s = {
        .g = g,
        .db = db,
        .who = who,
        .q = q,
        .out = out,
        .tmp = arena_open(),
        .mark_ns = clock_mono_ns(),
        .res = res,
    };
    rc code;

    *res = (struct engine_result){0};
    code = search_run(&s, e);
    for (size_t i = 0; i < s.views_n; i++)
        segment_unref(s.views[i].s);
    arena_close(s.tmp);
    return code;
}
