#include <stdlib.h>

#include "base/clock.h"
#include "engine/search_priv.h"

#define CANDIDATES_MIN 100
/* Ranks that count: gathered whatever the limit, so that scores by ranks don't
 * depend on it. */
#define RANKS_MAX 1024
/* Where even more chunks than this have the score of the last hit, which of
 * them are shown is left to the order they stand in. */
#define CANDIDATES_MAX ((size_t)1 << 16)

static const char *const LEG_NAMES[LEGS_N] = {"lexical", "dense"};

static void stage(struct search *s, const char *name)
{
    int64_t now_ns = clock_mono_ns();

    ASSERT(s->res->stages_n < NELEMS(s->res->stages));
    s->res->stages[s->res->stages_n++] =
        (struct engine_stage){name, (double)(now_ns - s->mark_ns) / 1e6};
    s->mark_ns = now_ns;
}

rc search_gone(const struct caller *who, struct err *e)
{
    if (who == NULL || !caller_gone(who))
        return RC_OK;
    return who->deadline_ns != 0 && clock_mono_ns() >= who->deadline_ns
               ? err_set(e, RC_TIMEOUT, "the search took too long")
               : err_set(e, RC_CANCELLED, "the caller left");
}

/* ---- one leg ---- */

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Score descending; ties by chunk id. */
static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = compare_floats(&y->score, &x->score);

    if (order == 0)
        order = compare_floats(&y->below, &x->below);
    if (order != 0)
        return order;
    order = uuid_cmp(x->v->document, y->v->document);
    if (order != 0)
        return order;
    if (x->v->number != y->v->number)
        return x->v->number < y->v->number ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static struct found found_of(const struct search *s, uint32_t view,
                             uint32_t row, float score)
{
    const struct segment *seg = s->views[view].s;
    const struct version_rec *v = &seg->versions[seg->chunks[row].version];

    return (struct found){.score = score,
                          .view = view,
                          .row = row,
                          .v = v,
                          .index = row - v->first_row};
}

static void list_sort(struct list *l)
{
    if (l->n > 0)
        qsort(l->v, l->n, sizeof *l->v, compare_found);
}

/* What a leg's searches left in top. */
static void list_take(const struct search *s, struct top *top, struct list *l)
{
    struct top_hit *hits;

    l->n = top_take(top, &hits);
    l->v = ARENA_ARRAY(s->tmp, struct found, l->n);
    for (size_t i = 0; i < l->n; i++)
        l->v[i] = found_of(s, hits[i].segment, hits[i].row, hits[i].score);
    list_sort(l);
}

static rc lexical_top(struct search *s, size_t k, struct list *l, struct err *e)
{
    struct top *top = top_open(s->tmp, (uint32_t)k);
    rc code = RC_OK;

    for (size_t i = 0; i < s->views_n && code == RC_OK; i++) {
        const struct view *v = &s->views[i];

        if (v->live == NULL && v->s->rows == 0)
            continue;
        (s->q->exhaustive ? lex_search_exhaustive : lex_search)(
            v->s->lex, &s->words, &s->stats, (lex_filter)(const void *)v->live,
            (uint32_t)i, top, s->tmp);
        code = search_gone(s->who, e);
    }
    if (code == RC_OK)
        list_take(s, top, l);
    return code;
}

/* The views of one base's list from `first` on; where they end. */
static size_t views_of_list(const struct search *s, size_t first,
                            struct vec_rows_of *in, size_t *n)
{
    const struct vectors *of = s->views[first].vectors;
    size_t i = first;

    *n = 0;
    for (; i < s->views_n && s->views[i].vectors == of; i++)
        in[(*n)++] =
            (struct vec_rows_of){.places = s->views[i].places->v,
                                 .live = (const void *)s->views[i].live,
                                 .rows = s->views[i].s->rows,
                                 .segment = (uint32_t)i};
    return i;
}

static size_t rows_all(const struct search *s)
{
    size_t rows = 0;

    for (size_t i = 0; i < s->views_n; i++)
        rows += s->views[i].s->rows;
    return rows;
}

/* Whether every vector is looked at. */
static bool is_exact(const struct search *s)
{
    return s->q->exhaustive || rows_all(s) <= s->g->exact_rows_max;
}

static rc dense_top(struct search *s, size_t k, struct list *l, struct err *e)
{
    struct vec_rows_of *in =
        ARENA_ARRAY(s->tmp, struct vec_rows_of, s->views_n);
    struct top *top = top_open(s->tmp, (uint32_t)k);
    bool exact = is_exact(s);
    rc code = RC_OK;
    size_t end, n;

    for (size_t i = 0; i < s->views_n && code == RC_OK; i = end) {
        end = i + 1;
        if (s->views[i].vectors == NULL)
            continue;
        end = views_of_list(s, i, in, &n);
        if (exact)
            for (size_t j = 0; j < n; j++)
                vec_scan(s->vector, s->views[i].vectors->files, &in[j], top);
        else
            vec_search(s->vector, s->views[i].vectors->files, in, n,
                       (uint32_t)(s->g->rescored * k), top, s->tmp);
        code = search_gone(s->who, e);
    }
    if (code == RC_OK)
        list_take(s, top, l);
    return code;
}

/* How many chunks, or documents, lead the list before one of the last's
 * score: those that no further candidate can come between. */
static size_t settled(const struct list *l, bool documents)
{
    struct map *seen = map_open();
    size_t n = 0;

    for (size_t i = 0; i < l->n && l->v[i].score > l->v[l->n - 1].score; i++) {
        bool made = true;

        if (documents)
            (void)map_slot(seen, uuid_key(&l->v[i].v->document), &made);
        n += made;
    }
    map_close(seen);
    return n;
}

static bool is_enough(const struct search *s, const struct list *l)
{
    return settled(l, s->q->by_document) >= s->q->hits_max &&
           (!s->q->by_rank || settled(l, false) >= RANKS_MAX);
}

/* Asks for more until hits_max, and all ranks that count, are sure: what was
 * not gathered scores below the last of them, so that ties are cut by chunk id
 * and not by where rows happen to stand. */
static rc leg_gather(struct search *s, unsigned leg, struct err *e)
{
    size_t want = s->q->hits_max, all = rows_all(s);
    size_t first = s->q->by_rank && want < RANKS_MAX ? RANKS_MAX : want;
    size_t k = first + first / 8 + 16;
    struct list *l = &s->legs[leg];

    if (k < CANDIDATES_MIN)
        k = CANDIDATES_MIN;
    if (s->q->by_document)
        k *= 2;
    for (;;) {
        struct arena_mark mark = arena_mark(s->tmp);
        rc code =
            leg == LEXICAL ? lexical_top(s, k, l, e) : dense_top(s, k, l, e);

        if (code != RC_OK)
            return code;
        if (l->n < k || k >= all || k >= CANDIDATES_MAX || want == 0 ||
            is_enough(s, l))
            break;
        arena_rewind(s->tmp, mark);
        k *= 4;
    }
    for (size_t i = 0; i < l->n; i++) {
        l->v[i].leg[leg].known = true;
        l->v[i].leg[leg].raw = l->v[i].score;
        l->v[i].leg[leg].rank = (uint32_t)i + 1;
    }
    return RC_OK;
}

/* ---- both legs into one list ---- */

/* Whether chunks have a share of their neighbours' similarity. */
static bool neighbours_count(const struct search *s)
{
    return s->weight[LEXICAL] > 0 && s->weight[DENSE] > 0 && !s->q->by_rank;
}

/* f in the joined list, where it is made if it is not there yet. */
static struct found *joined(struct search *s, struct map *seen,
                            const struct found *f)
{
    struct list *to = &s->found;
    uint64_t place = (uint64_t)f->view << 32 | f->row;
    bool made;
    uint64_t *at =
        map_slot(seen, (str){(const char *)&place, sizeof place}, &made);

    if (made) {
        *at = to->n;
        to->v[to->n++] = *f;
    }
    return &to->v[*at];
}

static bool has_vector(const struct view *v, uint32_t row)
{
    return v->places != NULL && v->places->v[row].file != VEC_NONE;
}

/* The chunks next to it in its version, which its similarity raises. */
static void neighbours_join(struct search *s, struct map *seen,
                            const struct found *f)
{
    const struct view *v = &s->views[f->view];
    struct found beside;

    if (f->index > 0 && has_vector(v, f->row - 1)) {
        beside = found_of(s, f->view, f->row - 1, 0);
        (void)joined(s, seen, &beside);
    }
    if (f->index + 1 < f->v->rows && has_vector(v, f->row + 1)) {
        beside = found_of(s, f->view, f->row + 1, 0);
        (void)joined(s, seen, &beside);
    }
}

/* What both offer, each chunk once, with what each says of it; and what they
 * don't offer but raise. */
static void lists_join(struct search *s)
{
    const struct list *dense = &s->legs[DENSE];
    struct map *seen = map_open();

    s->found.v =
        ARENA_ARRAY(s->tmp, struct found, s->legs[LEXICAL].n + 3 * dense->n);
    for (unsigned leg = 0; leg < LEGS_N; leg++)
        for (size_t i = 0; i < s->legs[leg].n; i++) {
            const struct found *f = &s->legs[leg].v[i];

            joined(s, seen, f)->leg[leg] = f->leg[leg];
        }
    for (size_t i = 0; neighbours_count(s) && i < dense->n; i++)
        neighbours_join(s, seen, &dense->v[i]);
    map_close(seen);
}

static int compare_places(const void *a, const void *b)
{
    const struct found *x = *(struct found *const *)a;
    const struct found *y = *(struct found *const *)b;

    if (x->view != y->view)
        return x->view < y->view ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* By the order of their places, so that each list of postings is gone through
 * once. */
static void lexical_complete(const struct search *s, struct found **v, size_t n)
{
    uint32_t *rows = ARENA_ARRAY(s->tmp, uint32_t, n);
    float *scores = ARENA_ARRAY(s->tmp, float, n);
    size_t end;

    if (n > 1)
        qsort(v, n, sizeof *v, compare_places);
    for (size_t i = 0; i < n; i = end) {
        for (end = i; end < n && v[end]->view == v[i]->view; end++)
            rows[end] = v[end]->row;
        lex_scores(s->views[v[i]->view].s->lex, &s->words, &s->stats, rows + i,
                   end - i, scores + i, s->tmp);
    }
    for (size_t i = 0; i < n; i++) {
        v[i]->leg[LEXICAL].known = true;
        v[i]->leg[LEXICAL].raw = scores[i];
    }
}

/* False: the row has no vector. */
static bool similarity(const struct search *s, const struct view *v,
                       uint32_t row, float *to)
{
    const struct vec_place *at;

    if (!has_vector(v, row))
        return false;
    at = &v->places->v[row];
    *to = vec_similarity(s->vector, v->vectors->files[at->file], at->row);
    return true;
}

static void dense_complete(const struct search *s, struct found *f)
{
    f->leg[DENSE].known =
        similarity(s, &s->views[f->view], f->row, &f->leg[DENSE].raw);
}

/* Of the chunks next to it in its version. */
static void beside_complete(const struct search *s, struct found *f)
{
    const struct view *v = &s->views[f->view];
    float raw;

    if (f->index > 0 && similarity(s, v, f->row - 1, &raw)) {
        f->beside_known = true;
        f->beside = raw;
    }
    if (f->index + 1 < f->v->rows && similarity(s, v, f->row + 1, &raw)) {
        f->beside = f->beside_known && f->beside > raw ? f->beside : raw;
        f->beside_known = true;
    }
}

/* A chunk that one leg has not offered has a score there all the same: so what
 * is answered does not depend on how long the lists were. */
static void raws_complete(const struct search *s, struct found *v, size_t n)
{
    struct found **without = ARENA_ARRAY(s->tmp, struct found *, n);
    size_t without_n = 0;

    for (size_t i = 0; i < n; i++) {
        if (s->weight[LEXICAL] > 0 && !v[i].leg[LEXICAL].known &&
            s->words.terms_n > 0)
            without[without_n++] = &v[i];
        if (s->weight[DENSE] > 0 && !v[i].leg[DENSE].known)
            dense_complete(s, &v[i]);
        if (neighbours_count(s))
            beside_complete(s, &v[i]);
    }
    lexical_complete(s, without, without_n);
}

/* Whether view i is the first of its base's list of vectors. */
static bool list_begins(const struct search *s, size_t i)
{
    return s->views[i].vectors != NULL &&
           (i == 0 || s->views[i - 1].vectors != s->views[i].vectors);
}

float nth_of(float *v, ptrdiff_t n, ptrdiff_t k)
{
    ptrdiff_t from = 0, to = n - 1;

    while (from < to) {
        ptrdiff_t i = from, j = to;
        float pivot = v[k];

        while (i <= j) {
            float left;

            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i > j)
                break;
            left = v[i];
            v[i++] = v[j];
            v[j--] = left;
        }
        from = j < k ? i : from;
        to = k < i ? j : to;
    }
    return v[k];
}

/* The query's median similarity to a fixed sample of the bases: what says
 * nothing of a chunk. */
static float median(const struct search *s)
{
    size_t n = 0, lists = 0;
    float *v;

    for (size_t i = 0; i < s->views_n; i++)
        lists += list_begins(s, i);
    v = ARENA_ARRAY(s->tmp, float, VECTORS_SAMPLE *lists);
    for (size_t i = 0; i < s->views_n; i++) {
        const struct vectors *of = s->views[i].vectors;

        if (!list_begins(s, i))
            continue;
        vec_scores(s->vector, of->files, of->sample, of->sample_n, v + n);
        n += of->sample_n;
    }
    if (n == 0)
        return 0;
    return nth_of(v, (ptrdiff_t)n, (ptrdiff_t)n / 2);
}

/* From a lower bound to the leg's best, so that both can be added. */
static void scale_set(struct search *s, unsigned leg)
{
    s->low[leg] = leg == LEXICAL ? 0 : median(s);
    s->best[leg] = s->legs[leg].n > 0 ? s->legs[leg].v[0].score : s->low[leg];
}

static float scaled(const struct search *s, unsigned leg, float raw)
{
    if (s->best[leg] > s->low[leg])
        return raw > s->low[leg]
                   ? (raw - s->low[leg]) / (s->best[leg] - s->low[leg])
                   : 0;
    return raw >= s->best[leg] ? 1 : 0;
}

/* The usual constant of reciprocal rank fusion (Cormack, Clarke and Büttcher
 * 2009), with the first of a list scaled to 1. */
#define RANK_CONSTANT 60.0F

static float scaled_rank(uint32_t rank)
{
    return rank == 0 || rank > RANKS_MAX
               ? 0
               : (RANK_CONSTANT + 1) / (RANK_CONSTANT + (float)rank);
}

static void weights_set(struct search *s)
{
    float dense = s->q->legs == LEGS_LEXICAL || s->q->vector == NULL ? 0
                  : s->q->legs == LEGS_DENSE                         ? 1
                                             : s->q->dense_weight;

    s->weight[LEXICAL] = 1 - dense;
    s->weight[DENSE] = dense;
}

/* A leg that offers nothing leaves its weight to the other. */
static void weights_follow(struct search *s)
{
    for (unsigned leg = 0; leg < LEGS_N; leg++)
        if (s->legs[leg].n == 0 && s->legs[1 - leg].n > 0 &&
            s->weight[1 - leg] > 0) {
            s->weight[leg] = 0;
            s->weight[1 - leg] = 1;
        }
}

/* A topic is larger than a chunk: where words find an answer at the edge of its
 * topic, the vector that speaks of the topic is often its neighbour's. So much
 * of that one's is a chunk's at least (docs/quality.md). */
#define BESIDE_WEIGHT 0.8F

static float normal(const struct search *s, unsigned leg, struct found *f)
{
    float own, beside;

    if (s->q->by_rank)
        return scaled_rank(f->leg[leg].rank);
    own = scaled(s, leg, f->leg[leg].raw);
    if (leg != DENSE || !f->beside_known)
        return own;
    beside = BESIDE_WEIGHT * scaled(s, leg, f->beside);
    f->beside_made = beside > own;
    return f->beside_made ? beside : own;
}

/* What both legs make of a chunk. */
static void score(const struct search *s, struct found *f)
{
    f->score = f->below = 0;
    for (unsigned leg = 0; leg < LEGS_N; leg++) {
        if (s->weight[leg] > 0 && f->leg[leg].known)
            f->leg[leg].normalized = normal(s, leg, f);
        f->leg[leg].contribution = s->weight[leg] * f->leg[leg].normalized;
        f->score += f->leg[leg].contribution;
        if (s->weight[leg] == 0 || !f->leg[leg].known)
            continue;
        if (s->q->by_rank)
            f->below += s->weight[leg] * scaled(s, leg, f->leg[leg].raw);
        else if (f->leg[leg].raw < s->low[leg])
            f->below += s->weight[leg] * (f->leg[leg].raw - s->low[leg]);
    }
}

static void fuse(struct search *s)
{
    weights_follow(s);
    lists_join(s);
    for (unsigned leg = 0; leg < LEGS_N; leg++)
        if (s->weight[leg] > 0)
            scale_set(s, leg);
    raws_complete(s, s->found.v, s->found.n);
    for (size_t i = 0; i < s->found.n; i++)
        score(s, &s->found.v[i]);
    list_sort(&s->found);
}

/* Keeps the best chunk of each document. */
static void documents_only(struct list *l)
{
    struct map *seen = map_open();
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        bool made;

        (void)map_slot(seen, uuid_key(&l->v[i].v->document), &made);
        if (made)
            l->v[n++] = l->v[i];
    }
    l->n = n;
    map_close(seen);
}

static rc vector_get(struct search *s, struct err *e)
{
    if (s->q->vector_wait != NULL) {
        rc code = s->q->vector_wait(s->q->vector_of, e);

        if (code != RC_OK)
            return code;
        stage(s, "embed");
    }
    s->vector = vec_query_open(s->q->vector, s->q->model->dims, s->tmp);
    return RC_OK;
}

static rc legs_run(struct search *s, struct err *e)
{
    size_t k =
        s->q->hits_max > CANDIDATES_MIN ? s->q->hits_max : CANDIDATES_MIN;
    rc code = RC_OK;

    weights_set(s);
    if (s->weight[LEXICAL] > 0 && s->words.terms_n > 0)
        code = leg_gather(s, LEXICAL, e);
    stage(s, "lexical");
    if (code == RC_OK && s->q->vector != NULL)
        code = vector_get(s, e);
    if (code == RC_OK && s->weight[DENSE] > 0)
        code = leg_gather(s, DENSE, e);
    if (s->vector != NULL)
        stage(s, "dense");
    if (code != RC_OK)
        return code;
    fuse(s);
    /* How many more were asked for to settle ties is nobody's business. */
    s->res->candidates = s->found.n < k ? s->found.n : k;
    if (s->q->by_document)
        documents_only(&s->found);
    return RC_OK;
}

/* ---- the answer ---- */

static void leg_terms(const struct search *s, const struct found *f,
                      struct engine_leg_score *leg)
{
    float parts[QUERY_TERMS_MAX];

    lex_explain(s->views[f->view].s->lex, &s->words, &s->stats, f->row, parts);
    leg->terms = ARENA_ARRAY(s->out, struct engine_term, s->words.terms_n);
    for (size_t i = 0; i < s->words.terms_n; i++)
        if (parts[i] > 0)
            leg->terms[leg->terms_n++] = (struct engine_term){
                arena_str(s->out, s->words.terms[i].word), parts[i]};
}

static void explain(const struct search *s, const struct found *f,
                    struct engine_hit *h)
{
    for (unsigned i = 0; i < LEGS_N; i++) {
        struct engine_leg_score *leg = &h->legs[h->legs_n];

        if (i == DENSE && s->vector == NULL)
            continue;
        *leg = (struct engine_leg_score){
            .leg = LEG_NAMES[i],
            .rank = f->leg[i].rank,
            .raw = f->leg[i].raw,
            .normalized = f->leg[i].normalized,
            .weight = s->weight[i],
            .contribution = f->leg[i].contribution,
            .low = s->low[i],
            .best = s->best[i],
            .beside = i == DENSE && f->beside_made,
            .beside_raw = f->beside,
        };
        if (i == LEXICAL && s->words.terms_n > 0)
            leg_terms(s, f, leg);
        h->legs_n++;
    }
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

static struct engine_hit hit_of(const struct search *s, const struct found *f)
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
        .score = f->score,
    };

    headings(s, f, &h);
    if (s->q->explain || !uuid_is_nil(s->q->why_not))
        explain(s, f, &h);
    return h;
}

static void answer(struct search *s)
{
    size_t n = s->found.n < s->q->hits_max ? s->found.n : s->q->hits_max;

    s->res->hits = ARENA_ARRAY(s->out, struct engine_hit, n);
    s->res->hits_n = n;
    for (size_t i = 0; i < n; i++)
        s->res->hits[i] = hit_of(s, &s->found.v[i]);
}

/* ---- what became of one document ---- */

/* Whether its vector is better than the last that the leg offers: only what
 * was judged by codes can be left out so. */
static bool lost_by_code(const struct search *s, const struct found *f)
{
    const struct list *l = &s->legs[DENSE];

    return !is_exact(s) && f->leg[DENSE].known && l->n > 0 &&
           f->leg[DENSE].raw > l->v[l->n - 1].leg[DENSE].raw;
}

static bool row_is_live(const struct view *v, uint32_t row)
{
    return v->live == NULL || (v->live[row / 64] >> row % 64 & 1) != 0;
}

/* The best of its chunks that could be found; false: none could. *held: the
 * index has it at all; *by_code: a code lost one of them. */
static bool document_best(const struct search *s, struct found *best,
                          bool *held, bool *by_code)
{
    bool any = false;

    *held = *by_code = false;
    for (size_t i = 0; i < s->views_n; i++)
        for (uint32_t k = 0; k < s->views[i].s->versions_n; k++) {
            const struct version_rec *r = &s->views[i].s->versions[k];

            if (!uuid_eq(r->document, s->q->why_not))
                continue;
            *held = true;
            for (uint32_t row = r->first_row; row < r->first_row + r->rows;
                 row++) {
                struct found f = found_of(s, (uint32_t)i, row, 0);

                if (!row_is_live(&s->views[i], row))
                    continue;
                raws_complete(s, &f, 1);
                score(s, &f);
                *by_code = *by_code || lost_by_code(s, &f);
                if (!any || compare_found(&f, best) < 0)
                    *best = f;
                any = true;
            }
        }
    return any;
}

static bool matches(const struct found *f)
{
    return f->leg[LEXICAL].raw > 0 || f->leg[DENSE].known;
}

static void why_not(struct search *s)
{
    struct engine_why_not *w = &s->res->why_not;
    struct found best = {0};
    bool held, by_code, any;

    for (size_t i = 0; i < s->found.n; i++)
        if (uuid_eq(s->found.v[i].v->document, s->q->why_not)) {
            w->lost = i < s->res->hits_n ? LOST_NOWHERE : LOST_LIMIT;
            w->rank = (uint32_t)i + 1;
            w->best = hit_of(s, &s->found.v[i]);
            return;
        }
    any = document_best(s, &best, &held, &by_code);
    if (!any) {
        w->lost = held ? LOST_STATE : LOST_INDEX;
        return;
    }
    w->lost = by_code          ? LOST_CODES
              : matches(&best) ? LOST_CANDIDATES
                               : LOST_MATCH;
    w->best = hit_of(s, &best);
}

static rc search_run(struct search *s, struct err *e)
{
    rc code;

    lex_query_parse(thread_analyser(), s->q->text, s->tmp, &s->words);
    pins_sort(s);
    only_sort(s);
    stage(s, "analyse");
    code = views_make(s, e);
    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < s->views_n; i++)
        lex_stats_add(&s->stats, s->views[i].s->lex, &s->words);
    code = legs_run(s, e);
    if (code != RC_OK)
        return code;
    answer(s);
    if (!uuid_is_nil(s->q->why_not))
        why_not(s);
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
    views_let_go(&s);
    arena_close(s.tmp);
    return code;
}
