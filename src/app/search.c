#include "app/search.h"

#include "app/app_priv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

/* A search is asked again when a text changed under it. */
#define SEARCH_TRIES_MAX 5

static rc refused(struct err *e)
{
    return err_name(e, "bad_request");
}

/* ---- which bases, which versions ---- */

/* One of those searched; model NULL: by words alone. */
struct searched {
    uuid id;
    const struct model *model;
    str model_name;
    uint32_t dims;
    bool has_alpha;
    double alpha;
};

/* It has a model, which isn't installed. */
static bool model_missing(const struct searched *b)
{
    return b->model == NULL && !str_eq(b->model_name, MODEL_NONE);
}

/* The active ones among the named; each must be the caller's. */
static rc search_bases(struct app *a, const struct caller *who, struct db *db,
                       const struct search_in *in, struct arena *out,
                       struct searched **bases, size_t *n, struct err *e)
{
    struct base_row b;
    char text[UUID_TEXT];
    rc code;

    *n = 0;
    if (in->bases_n > SEARCH_BASES_MAX) {
        (void)err_set(e, RC_INVALID, "%zu knowledge bases named, limit %d",
                      in->bases_n, SEARCH_BASES_MAX);
        return refused(e);
    }
    *bases = ARENA_ARRAY(out, struct searched, in->bases_n);
    for (size_t i = 0; i < in->bases_n; i++) {
        bool again = false;

        code = db_base_get(db, who->tenant, in->bases[i], out, &b, e);
        if (code == RC_NOTFOUND) {
            uuid_text(in->bases[i], text);
            (void)err_set(e, RC_INVALID, "no knowledge base %s", text);
            return refused(e);
        }
        if (code != RC_OK)
            return code;
        for (size_t k = 0; k < *n && !again; k++)
            again = uuid_eq((*bases)[k].id, b.id);
        if (b.active && !again)
            (*bases)[(*n)++] =
                (struct searched){.id = b.id,
                                  .model = models_find(a, b.embedding_model),
                                  .model_name = b.embedding_model,
                                  .dims = b.embedding_dimensions,
                                  .has_alpha = b.has_alpha,
                                  .alpha = b.alpha};
    }
    return RC_OK;
}

static bool base_named(const struct search_in *in, uuid base)
{
    for (size_t i = 0; i < in->bases_n; i++)
        if (uuid_eq(in->bases[i], base))
            return true;
    return false;
}

static rc override_bad(const struct search_override *o, struct err *e)
{
    char version[UUID_TEXT], document[UUID_TEXT];

    uuid_text(o->version, version);
    uuid_text(o->document, document);
    (void)err_set(e, RC_INVALID,
                  "version_overrides: %s is not a version of %s in these "
                  "knowledge bases",
                  version, document);
    return refused(e);
}

static rc override_check(const struct caller *who, struct db *db,
                         const struct search_in *in,
                         const struct search_override *o, struct arena *out,
                         struct err *e)
{
    struct version_row v;
    bool there;
    uuid base;
    rc code;

    code = maybe(
        db_object_find(db, who->tenant, OBJECT_VERSION, o->version, &base, e),
        &there);
    if (code == RC_OK && (!there || !base_named(in, base)))
        return override_bad(o, e);
    if (code == RC_OK)
        code =
            maybe(db_version_get(db, who->tenant, base, o->version, out, &v, e),
                  &there);
    if (code == RC_OK && (!there || !uuid_eq(v.document, o->document)))
        return override_bad(o, e);
    return code;
}

/* The versions that stand in for the active ones: what the caller named, then
 * the newest draft of each document that has one. */
static rc search_pins(const struct caller *who, struct db *db,
                      const struct search_in *in, const struct searched *bases,
                      size_t bases_n, struct arena *out,
                      struct engine_pin **pins, size_t *pins_n, struct err *e)
{
    struct map *named = map_open();
    struct indexed_version *drafts;
    size_t cap = 0, n;
    rc code = RC_OK;

    *pins = NULL;
    *pins_n = 0;
    for (size_t i = 0; i < in->overrides_n; i++) {
        const struct search_override *o = &in->overrides[i];

        if ((code = override_check(who, db, in, o, out, e)) != RC_OK)
            goto done;
        (void)map_slot(named, uuid_key(&o->document), NULL);
        ARENA_PUSH(out, *pins, *pins_n, cap,
                   ((struct engine_pin){o->document, o->version}));
    }
    for (size_t b = 0; in->prefer_draft && b < bases_n; b++) {
        if ((code = db_versions_draft(db, who->tenant, bases[b].id, out,
                                      &drafts, &n, e)) != RC_OK)
            goto done;
        for (size_t i = 0; i < n; i++)
            if (map_find(named, uuid_key(&drafts[i].document)) == NULL)
                ARENA_PUSH(out, *pins, *pins_n, cap,
                           ((struct engine_pin){drafts[i].document,
                                                drafts[i].version}));
    }
done:
    map_close(named);
    return code;
}

/* ---- what is shown of a hit ---- */

static struct search_leg *legs_show(const struct engine_hit *h,
                                    struct arena *out)
{
    struct search_leg *legs = ARENA_ARRAY(out, struct search_leg, h->legs_n);

    for (size_t i = 0; i < h->legs_n; i++) {
        const struct engine_leg_score *from = &h->legs[i];
        struct search_leg *to = &legs[i];

        *to = (struct search_leg){
            .leg = from->leg,
            .rank = from->rank,
            .raw = (double)from->raw,
            .normalized = (double)from->normalized,
            .weight = (double)from->weight,
            .contribution = (double)from->contribution,
            .low = (double)from->low,
            .best = (double)from->best,
            .beside = from->beside,
            .beside_raw = (double)from->beside_raw,
            .terms = ARENA_ARRAY(out, struct search_term, from->terms_n),
            .terms_n = from->terms_n};
        for (size_t t = 0; t < from->terms_n; t++)
            to->terms[t] = (struct search_term){from->terms[t].term,
                                                (double)from->terms[t].weight};
    }
    return legs;
}

static str chunk_id(const struct engine_hit *h, struct arena *out)
{
    char id[UUID_TEXT];

    uuid_text(h->document, id);
    return arena_fmt(out, "%s:%u:%u", id, h->version_number, h->chunk_index);
}

static void hit_marks(str query, struct arena *out, struct search_hit *res)
{
    struct engine_mark *marks;
    size_t n;

    engine_marks(query, res->content, out, &marks, &n);
    res->marks = ARENA_ARRAY(out, struct search_mark, n);
    res->marks_n = n;
    for (size_t i = 0; i < n; i++)
        res->marks[i] =
            (struct search_mark){marks[i].start_cp, marks[i].end_cp};
}

/* *there false: the version went between the index's answer and this look-up,
 * or its text is damaged; the other hits are good. *stale: its text became
 * another one in between, so that the place is none of it. */
static rc hit_show(struct db *db, const struct search_in *in,
                   const struct engine_hit *h, struct arena *out,
                   struct search_hit *res, bool *there, bool *stale,
                   struct err *e)
{
    char id[UUID_TEXT];
    struct hit_row row;
    rc code;

    code = maybe(db_hit(db, h->base, h->version, out, &row, e), there);
    if (code != RC_OK || !*there)
        return code;
    if (h->origin < row.text_since) {
        *stale = true;
        *there = false;
        return RC_OK;
    }
    uuid_text(h->document, id);
    *res = (struct search_hit){
        .chunk_id = chunk_id(h, out),
        .base = h->base,
        .document = h->document,
        .version = h->version,
        .chunk_index = h->chunk_index,
        .document_title = row.title,
        .source_type = row.source_type,
        .external_id = row.external_id,
        .score = (double)h->score,
        .start_char = h->start_cp,
        .end_char = h->end_cp,
        .page = h->page,
        .box = {(double)h->box[0], (double)h->box[1], (double)h->box[2],
                (double)h->box[3]},
        .headings = h->headings,
        .headings_n = h->headings_n,
        .sensitivity = row.sensitivity,
    };
    code = blob_read_range(db, &row.text_sha, h->start,
                           (size_t)(h->end - h->start), out, &res->content, e);
    if (code == RC_CORRUPT) {
        log_error("search", "text of a document is damaged document=%s", id);
        *there = false;
        return RC_OK;
    }
    if (code != RC_OK)
        return err_wrap(e, "the text of document %s", id);
    if (in->explain) {
        res->legs = legs_show(h, out);
        res->legs_n = h->legs_n;
    }
    if (in->marks)
        hit_marks(in->query, out, res);
    return RC_OK;
}

static rc hits_show(struct db *db, const struct search_in *in,
                    const struct engine_result *found, struct arena *out,
                    struct search_group *to, bool *stale, struct err *e)
{
    bool there;
    rc code;

    *stale = false;
    to->hits = ARENA_ARRAY(out, struct search_hit, found->hits_n);
    to->hits_n = 0;
    for (size_t i = 0; i < found->hits_n; i++) {
        if ((code = hit_show(db, in, &found->hits[i], out,
                             &to->hits[to->hits_n], &there, stale, e)) != RC_OK)
            return code;
        if (there)
            to->hits_n++;
    }
    return RC_OK;
}

/* ---- the stages ---- */

#define STAGES_MAX 32

static void stage_add(struct search_out *res, const char *name, double ms)
{
    /* Of several groups or tries each stage is one, with the time of all. */
    for (size_t i = 0; i < res->stages_n; i++)
        if (strcmp(res->stages[i].stage, name) == 0) {
            res->stages[i].ms += ms;
            return;
        }
    if (res->stages_n < STAGES_MAX)
        res->stages[res->stages_n++] = (struct search_stage){name, ms};
}

static double ms_since(int64_t began_ns)
{
    return (double)(clock_mono_ns() - began_ns) / 1e6;
}

/* ---- what became of one document ---- */

static void lost(struct search_out *res, const char *stage, str reason)
{
    res->why_not.stage = stage;
    res->why_not.reason = reason;
}

/* Of one that the index doesn't show: the store knows more. */
static rc lost_in_store(const struct caller *who, struct db *db,
                        const struct search_in *in, struct arena *out,
                        struct search_out *res, struct err *e)
{
    struct document_row d;
    bool there, named = false;
    uuid base;
    rc code;

    code = maybe(
        db_object_find(db, who->tenant, OBJECT_DOCUMENT, in->why_not, &base, e),
        &there);
    if (code == RC_OK && there)
        code = maybe(
            db_document_get(db, who->tenant, base, in->why_not, out, &d, e),
            &there);
    if (code != RC_OK)
        return code;
    for (size_t i = 0; there && i < res->groups_n; i++)
        for (size_t k = 0; k < res->groups[i].bases_n; k++)
            named = named || uuid_eq(res->groups[i].bases[k], base);
    if (!there)
        lost(res, "document", STR("there is no such document"));
    else if (!named)
        lost(res, "base",
             STR("its knowledge base is not among those searched, or is "
                 "inactive"));
    else if (uuid_is_nil(d.active_version))
        lost(res, "state",
             arena_fmt(out, "it has no active version: it is %s",
                       VERSION_STATE_NAMES[d.state]));
    else
        lost(res, "index",
             STR("its active version is not in the index; it is being indexed "
                 "again"));
    return RC_OK;
}

static bool is_shown(const struct search_group *g, uuid document)
{
    for (size_t i = 0; i < g->hits_n; i++)
        if (uuid_eq(g->hits[i].document, document))
            return true;
    return false;
}

static void why_not_show(const struct engine_why_not *w,
                         const struct search_group *g, struct arena *out,
                         struct search_out *res)
{
    switch (w->lost) {
    case LOST_INDEX:
        return; /* or another group's */
    case LOST_STATE:
        lost(res, "state",
             STR("none of its versions is active, or stands in for the active "
                 "one in this search"));
        return;
    case LOST_NOWHERE:
        if (is_shown(g, w->best.document))
            lost(res, "shown", STR("it is among the results"));
        else
            lost(res, "content",
                 STR("it is ranked, but the text of its passage can't be read: "
                     "it is damaged (see knowd check), or went meanwhile"));
        break;
    case LOST_MATCH:
        lost(res, "match",
             STR("none of its chunks has a word of the query, nor a vector"));
        break;
    case LOST_CANDIDATES:
        lost(res, "candidates",
             STR("more chunks than are ranked match the query better in every "
                 "leg; ask for more results"));
        break;
    case LOST_CODES:
        lost(res, "codes",
             STR("its vector is near enough, but the one-bit codes that large "
                 "bases are searched by did not show it; ask with exact, or "
                 "for more results"));
        break;
    case LOST_LIMIT:
        lost(res, "limit",
             STR("it is ranked behind the last result; ask for more results"));
        break;
    }
    res->why_not.rank = w->rank;
    res->why_not.score = (double)w->best.score;
    res->why_not.chunk_id = chunk_id(&w->best, out);
    res->why_not.legs = legs_show(&w->best, out);
    res->why_not.legs_n = w->best.legs_n;
}

/* ---- the search ---- */

static enum engine_legs legs_of(const struct search_in *in)
{
    switch (in->legs) {
    case SEARCH_LEXICAL:
        return LEGS_LEXICAL;
    case SEARCH_DENSE:
        return LEGS_DENSE;
    case SEARCH_HYBRID:
        break;
    }
    return LEGS_HYBRID;
}

/* The caller's, else that of the only base: several may disagree. */
static double alpha_of(const struct search_in *in, const struct searched *bases,
                       size_t n)
{
    if (in->alpha >= 0)
        return in->alpha;
    return n == 1 && bases[0].has_alpha ? bases[0].alpha : 0.5;
}

/* With alpha 0 the words alone count, with 1 the vectors alone. */
static bool words_alone(const struct search_in *in, double alpha)
{
    return in->legs == SEARCH_LEXICAL ||
           (in->legs == SEARCH_HYBRID && alpha <= 0);
}

/* Whether there is no one ranking of them: scores of different models can't be
 * compared. Where none is installed all are searched by words, and those of
 * bases without a model can be compared with any. */
static bool rankings_differ(const struct searched *bases, size_t n)
{
    const struct searched *first = NULL;
    bool differ = false, embedded = false;

    for (size_t i = 0; i < n; i++) {
        if (str_eq(bases[i].model_name, MODEL_NONE))
            continue;
        embedded = embedded || bases[i].model != NULL;
        if (first == NULL)
            first = &bases[i];
        differ = differ || !str_eq(first->model_name, bases[i].model_name);
    }
    return differ && embedded;
}

static struct search_group *group_find(struct search_out *res, bool by_model,
                                       str model)
{
    for (size_t i = 0; i < res->groups_n; i++)
        if (!by_model || str_eq(res->groups[i].model, model))
            return &res->groups[i];
    return NULL;
}

/* Bases by their model's name; or all in one group, which has the model that
 * is installed, if any is. */
static void groups_make(const struct searched *bases, size_t n, bool words,
                        struct arena *out, struct search_out *res,
                        const struct model **models)
{
    bool differ = !words && rankings_differ(bases, n);

    res->groups = ARENA_ARRAY(out, struct search_group, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct searched *b = &bases[i];
        struct search_group *g = group_find(res, differ, b->model_name);

        if (g == NULL) {
            g = &res->groups[res->groups_n++];
            *g = (struct search_group){.model = b->model_name,
                                       .dims = b->dims,
                                       .bases = ARENA_ARRAY(out, uuid, n)};
        }
        if (b->model != NULL) {
            g->model = b->model_name;
            g->dims = model_info(b->model)->dims;
            models[g - res->groups] = b->model;
        }
        g->bases[g->bases_n++] = b->id;
    }
}

/* The caller asked for vectors, and gets words. */
static void notices_make(const struct searched *bases, size_t n,
                         struct arena *out, struct search_out *res)
{
    res->notices = ARENA_ARRAY(out, struct search_notice, n);
    for (size_t i = 0; i < n; i++)
        if (model_missing(&bases[i]))
            res->notices[res->notices_n++] = (struct search_notice){
                .base = bases[i].id,
                .code = "model_missing",
                .message = arena_fmt(
                    out,
                    "its model " STR_FMT
                    " is not installed, so it was searched by words alone",
                    STR_ARG(bases[i].model_name))};
}

struct running {
    struct app *app;
    const struct caller *who;
    struct db *db;
    const struct search_in *in;
    struct arena *out;
    struct search_out *res;
    bool words;            /* no vectors are asked for */
    struct engine_query q; /* but for what is a group's */
};

/* The index's answer and the texts of its hits. */
static rc group_ask(struct running *r, const struct engine_query *q,
                    struct search_group *g, struct engine_result *found,
                    struct err *e)
{
    unsigned tries = 0;
    int64_t began;
    bool stale;
    rc code;

    /* The session has moved on to the moment of what was stale, so that the
     * next answer of the index is not before it. */
    do {
        if ((code = engine_search(r->app->engine, r->db, r->who, q, r->out,
                                  found, e)) != RC_OK)
            return code;
        for (size_t i = 0; i < found->stages_n; i++)
            stage_add(r->res, found->stages[i].stage, found->stages[i].ms);
        began = clock_mono_ns();
        if ((code = hits_show(r->db, r->in, found, r->out, g, &stale, e)) !=
            RC_OK)
            return code;
        stage_add(r->res, "content", ms_since(began));
    } while (stale && ++tries < SEARCH_TRIES_MAX);
    return RC_OK;
}

static rc group_search(struct running *r, struct search_group *g,
                       const struct model *m, struct err *e)
{
    struct engine_query q = r->q;
    struct engine_result found = {0};
    struct query_vector *vector = NULL;
    rc code;

    q.bases = g->bases;
    q.bases_n = g->bases_n;
    if (m != NULL && !r->words) {
        vector = query_vector_ask(r->app, m, r->in->query, r->out);
        q.model = model_info(m);
        q.vector = query_vector_place(vector);
        q.vector_wait = query_vector_wait;
        q.vector_of = vector;
    }
    code = group_ask(r, &q, g, &found, e);
    if (vector != NULL)
        query_vector_drop(vector);
    if (code != RC_OK)
        return code;
    r->res->candidates += found.candidates;
    if (!uuid_is_nil(r->in->why_not))
        why_not_show(&found.why_not, g, r->out, r->res);
    return RC_OK;
}

rc app_search(struct app *a, const struct caller *who, struct db *db,
              const struct search_in *in, struct arena *out,
              struct search_out *res, struct err *e)
{
    int64_t began = clock_mono_ns();
    struct running r = {.app = a,
                        .who = who,
                        .db = db,
                        .in = in,
                        .out = out,
                        .res = res,
                        .q = {.text = in->query,
                              .legs = legs_of(in),
                              .by_rank = in->by_rank,
                              .hits_max = in->limit,
                              .by_document = in->by_document,
                              .exhaustive = in->exact,
                              .explain = in->explain,
                              .why_not = in->why_not,
                              .by_only = in->by_only,
                              .only = in->only,
                              .only_n = in->only_n}};
    struct engine_pin *pins = NULL;
    struct searched *bases = NULL;
    const struct model **models;
    double alpha;
    size_t n;
    rc code;

    *res = (struct search_out){
        .stages = ARENA_ARRAY(out, struct search_stage, STAGES_MAX)};
    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = search_bases(a, who, db, in, out, &bases, &n, e)) != RC_OK ||
        (code = search_pins(who, db, in, bases, n, out, &pins, &r.q.pins_n,
                            e)) != RC_OK)
        return code;
    r.q.pins = pins;
    alpha = alpha_of(in, bases, n);
    r.words = words_alone(in, alpha);
    r.q.dense_weight = (float)alpha;
    models = ARENA_ARRAY(out, const struct model *, n + 1);
    groups_make(bases, n, r.words, out, res, models);
    if (!r.words)
        notices_make(bases, n, out, res);
    for (size_t i = 0; i < res->groups_n; i++)
        if ((code = group_search(&r, &res->groups[i], models[i], e)) != RC_OK)
            return code;
    if (res->groups_n == 1) {
        res->hits = res->groups[0].hits;
        res->hits_n = res->groups[0].hits_n;
    }
    if (!uuid_is_nil(in->why_not) && res->why_not.stage == NULL &&
        (code = lost_in_store(who, db, in, out, res, e)) != RC_OK)
        return code;
    if (!in->explain)
        res->stages_n = 0;
    atomic_fetch_add(&a->count.searches, 1);
    atomic_fetch_add(&a->count.search_us_sum,
                     (uint64_t)(clock_mono_ns() - began) / 1000);
    return RC_OK;
}
