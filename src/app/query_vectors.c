/*
 * Vectors of queries, and the last ones remembered. A few threads make them
 * beside whoever asks: a search looks for words meanwhile. One that none of
 * them has begun when the search wants it is made by the thread that asked, so
 * that nobody waits for a thread that doesn't come.
 */
#include "app/app_priv.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/mem.h"

#define EMBEDDERS_IDLE_MAX 4
#define QUERIES_KEPT 256
#define THREADS_MAX 4

struct kept_query {
    sha256 key; /* of model and text */
    float *vector;
    uint64_t used; /* 0: free */
};

struct idle_embedder {
    const struct model *model;
    struct embedder *x;
};

struct query_vectors {
    pthread_t threads[THREADS_MAX];
    size_t threads_n;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t asked, made;
    struct idle_embedder idle[EMBEDDERS_IDLE_MAX];
    size_t idle_n;
    struct kept_query kept[QUERIES_KEPT];
    uint64_t clock;                     /* of uses */
    struct query_vector *first, **last; /* asked for and not begun */
    bool ending;
};

enum progress { MADE, ASKED, BEGUN };

struct query_vector {
    struct query_vectors *of;
    const struct model *model;
    sha256 key;
    str text;
    /* From BEGUN to MADE they belong to whoever makes it. */
    float *v; /* [dims] */
    rc code;
    struct err error;
    /* Under the lock. */
    enum progress progress;
    struct query_vector *next;
};

/* ---- remembered ---- */

static sha256 query_key(const struct model *model, str text)
{
    const sha256 *identity = &model_info(model)->identity;

    return sha256_of_both((str){(const char *)identity->b, sizeof identity->b},
                          text);
}

/* Under the lock. */
static bool kept_find(struct query_vectors *o, const sha256 *key, float *out,
                      uint32_t dims)
{
    for (size_t i = 0; i < QUERIES_KEPT; i++) {
        struct kept_query *k = &o->kept[i];

        if (k->used == 0 || !sha256_eq(&k->key, key))
            continue;
        k->used = ++o->clock;
        memcpy(out, k->vector, dims * sizeof *out);
        return true;
    }
    return false;
}

static void kept_put(struct query_vectors *o, const sha256 *key,
                     const float *vector, uint32_t dims)
{
    float *copy = mem_alloc(dims * sizeof *copy);
    struct kept_query *to = &o->kept[0];

    memcpy(copy, vector, dims * sizeof *copy);
    (void)pthread_mutex_lock(&o->lock);
    for (size_t i = 1; i < QUERIES_KEPT; i++)
        if (o->kept[i].used < to->used)
            to = &o->kept[i];
    mem_free(to->vector);
    *to = (struct kept_query){*key, copy, ++o->clock};
    (void)pthread_mutex_unlock(&o->lock);
}

/* ---- made ---- */

static rc embedder_take(struct query_vectors *o, const struct model *model,
                        struct embedder **x, struct err *e)
{
    *x = NULL;
    (void)pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < o->idle_n && *x == NULL; i++)
        if (o->idle[i].model == model) {
            *x = o->idle[i].x;
            o->idle[i] = o->idle[--o->idle_n];
        }
    (void)pthread_mutex_unlock(&o->lock);
    return *x != NULL ? RC_OK : embedder_open(model, x, e);
}

static void embedder_give(struct query_vectors *o, const struct model *model,
                          struct embedder *x)
{
    struct embedder *over = NULL;

    (void)pthread_mutex_lock(&o->lock);
    if (o->idle_n == EMBEDDERS_IDLE_MAX)
        over = o->idle[--o->idle_n].x;
    o->idle[o->idle_n++] = (struct idle_embedder){model, x};
    (void)pthread_mutex_unlock(&o->lock);
    embedder_close(over);
}

static void make(struct query_vector *v)
{
    struct embedder *x;

    v->code = embedder_take(v->of, v->model, &x, &v->error);
    if (v->code != RC_OK)
        return;
    v->code = embed_texts(x, EMBED_QUERY, &v->text, 1, v->v, &v->error);
    embedder_give(v->of, v->model, x);
    if (v->code == RC_OK)
        kept_put(v->of, &v->key, v->v, model_info(v->model)->dims);
}

/* ---- asked for ----
 * Waits for one that is begun have no deadline: it takes as long as a query's
 * few tokens, some milliseconds, which nothing can hold up. Who is woken runs
 * at once, often in place of who wakes it, and wants the lock: so it is given
 * back before. */

/* Under the lock: takes v out of those not begun. */
static void begin(struct query_vectors *o, struct query_vector *v)
{
    struct query_vector **at = &o->first;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    if (o->last == &v->next)
        o->last = at;
    v->progress = BEGUN;
}

static void *vectors_thread(void *arg)
{
    struct query_vectors *o = arg;
    struct query_vector *v;

    (void)pthread_setname_np(pthread_self(), "query");
    (void)pthread_mutex_lock(&o->lock);
    while (!o->ending) {
        if ((v = o->first) == NULL) {
            (void)clock_cond_wait(&o->asked, &o->lock, INT64_MAX);
            continue;
        }
        begin(o, v);
        (void)pthread_mutex_unlock(&o->lock);
        make(v);
        (void)pthread_mutex_lock(&o->lock);
        v->progress = MADE;
        (void)pthread_mutex_unlock(&o->lock);
        (void)pthread_cond_broadcast(&o->made);
        (void)pthread_mutex_lock(&o->lock);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return NULL;
}

struct query_vector *query_vector_ask(struct app *a, const struct model *model,
                                      str text, struct arena *out)
{
    struct query_vectors *o = a->query_vectors;
    struct query_vector *v = ARENA_ARRAY(out, struct query_vector, 1);
    uint32_t dims = model_info(model)->dims;
    bool kept;

    *v = (struct query_vector){.of = o,
                               .model = model,
                               .key = query_key(model, text),
                               .text = text,
                               .v = ARENA_ARRAY(out, float, dims)};
    (void)pthread_mutex_lock(&o->lock);
    kept = kept_find(o, &v->key, v->v, dims);
    if (!kept) {
        v->progress = ASKED;
        *o->last = v;
        o->last = &v->next;
    }
    (void)pthread_mutex_unlock(&o->lock);
    if (!kept)
        (void)pthread_cond_signal(&o->asked);
    return v;
}

const float *query_vector_place(const struct query_vector *v)
{
    return v->v;
}

rc query_vector_wait(void *of, struct err *e)
{
    struct query_vector *v = of;
    struct query_vectors *o = v->of;
    bool mine;

    (void)pthread_mutex_lock(&o->lock);
    mine = v->progress == ASKED;
    if (mine)
        begin(o, v);
    while (!mine && v->progress != MADE)
        (void)clock_cond_wait(&o->made, &o->lock, INT64_MAX);
    (void)pthread_mutex_unlock(&o->lock);
    if (mine) {
        make(v);
        v->progress = MADE; /* nobody else knows it any more */
    }
    if (v->code != RC_OK)
        *e = v->error;
    return v->code;
}

void query_vector_drop(struct query_vector *v)
{
    struct query_vectors *o = v->of;

    (void)pthread_mutex_lock(&o->lock);
    if (v->progress == ASKED) {
        begin(o, v);
        v->progress = MADE;
    }
    while (v->progress != MADE)
        (void)clock_cond_wait(&o->made, &o->lock, INT64_MAX);
    (void)pthread_mutex_unlock(&o->lock);
}

/* ---- start and end ---- */

rc query_vectors_open(struct app *a, struct err *e)
{
    struct query_vectors *o = mem_alloc(sizeof *o);
    size_t n = cores_allowed() - 1; /* who asks has one */
    int sys;

    ASSERT(pthread_mutex_init(&o->lock, NULL) == 0);
    clock_cond_init(&o->asked);
    clock_cond_init(&o->made);
    o->last = &o->first;
    a->query_vectors = o;
    for (size_t i = 0; i < n && i < THREADS_MAX; i++) {
        sys = pthread_create(&o->threads[i], NULL, vectors_thread, o);
        if (sys != 0)
            return err_errno(e, RC_BUSY, sys, "cannot start a thread");
        o->threads_n++;
    }
    return RC_OK;
}

void query_vectors_close(struct app *a)
{
    struct query_vectors *o = a->query_vectors;

    if (o == NULL)
        return;
    (void)pthread_mutex_lock(&o->lock);
    o->ending = true;
    (void)pthread_cond_broadcast(&o->asked);
    (void)pthread_mutex_unlock(&o->lock);
    for (size_t i = 0; i < o->threads_n; i++)
        (void)pthread_join(o->threads[i], NULL);
    for (size_t i = 0; i < o->idle_n; i++)
        embedder_close(o->idle[i].x);
    for (size_t i = 0; i < QUERIES_KEPT; i++)
        mem_free(o->kept[i].vector);
    (void)pthread_cond_destroy(&o->asked);
    (void)pthread_cond_destroy(&o->made);
    (void)pthread_mutex_destroy(&o->lock);
    mem_free(o);
    a->query_vectors = NULL;
}
