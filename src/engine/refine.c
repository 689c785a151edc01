/*
 * Vectors for rows that lack one. A caller claims the keys of some rows, so
 * that nobody else embeds them, reads their texts from the store, embeds them
 * and writes one file. What can't be embedded (its text is another one by now)
 * is claimed as void and left to the words.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define CLAIM_BUSY 1
#define CLAIM_VOID 2
/* Texts between two looks at `stop`. */
#define EMBED_AT_ONCE 32

/* A row that one caller embeds. */
struct lack {
    struct segment *s; /* referenced */
    uint32_t row;
    struct vec_key key;
    str text; /* empty: it can't be embedded */
};

struct refine {
    struct engine *g;
    struct base *base;
    const struct model_info *m;
    struct embedder *x;
    const atomic_bool *stop;
    struct arena *tmp;
    struct lack *v;
    size_t n, cap, left;
};

static str key_str(const struct vec_key *k)
{
    return (str){(const char *)k->b, sizeof k->b};
}

/* ---- which ---- */

/* Under both locks: the rows of a version that lack a vector. */
static void version_claim(struct refine *r, struct segment *s, uint32_t index,
                          size_t rows_max)
{
    const struct version_rec *v = &s->versions[index];

    for (uint32_t row = v->first_row; row < v->first_row + v->rows; row++) {
        struct lack l = {.row = row, .key = s->keys[row]};
        uint64_t *claim;
        bool made;

        if (s->places->v[row].file != VEC_NONE || key_is_none(&l.key))
            continue;
        if (r->n == rows_max) {
            r->left += map_find(r->base->claimed, key_str(&l.key)) == NULL;
            continue;
        }
        claim = map_slot(r->base->claimed, key_str(&l.key), &made);
        if (!made)
            continue;
        *claim = CLAIM_BUSY;
        l.s = segment_ref(s);
        ARENA_PUSH(r->tmp, r->v, r->n, r->cap, l);
    }
}

/* Under vectors_lock: oldest segments first, so that what came first is whole
 * first. */
static void rows_claim(struct refine *r, size_t rows_max)
{
    struct base *b = r->base;

    if (b->claimed == NULL)
        b->claimed = map_open();
    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->segments_n; i++) {
        struct segment *s = b->segments[i];

        if (s->places == NULL || s->places->missing == 0 ||
            !segment_has_keys(s, &r->m->identity))
            continue;
        for (uint32_t k = 0; k < s->versions_n; k++)
            if (state_indexed(s->state[k]))
                version_claim(r, s, k, rows_max);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

/* Under vectors_lock: given back, or void for good. */
static void claims_end(struct refine *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].text.n == 0)
            *map_slot(r->base->claimed, key_str(&r->v[i].key), NULL) =
                CLAIM_VOID;
        else
            (void)map_drop(r->base->claimed, key_str(&r->v[i].key));
        segment_unref(r->v[i].s);
    }
}

/* ---- their texts ---- */

static str row_text(struct refine *r, const struct lack *l, str title, str text,
                    uint64_t at)
{
    const struct chunk_counter counter = embedder_counter(r->x);
    const struct chunk_rec *c = &l->s->chunks[l->row];
    str path[HEADING_DEPTH_MAX + 1], context;
    size_t n = segment_headings(l->s, l->row, path);
    size_t skip = n > HEADING_DEPTH_MAX ? n - HEADING_DEPTH_MAX : 0;

    context = chunk_context_of(title, path + skip, n - skip, &counter, r->tmp);
    return embedded_text(
        context, str_sub(text, c->start - at, c->end - c->start), r->tmp);
}

/* Rows [first, end) are of one version. What is gone, or isn't what its key
 * was made of, stays without text. */
static rc version_read(struct refine *r, struct db *db, size_t first,
                       size_t end, struct err *e)
{
    const struct segment *s = r->v[first].s;
    const struct version_rec *v =
        &s->versions[s->chunks[r->v[first].row].version];
    uint64_t at = s->chunks[r->v[first].row].start, to = at;
    struct hit_row hit;
    str text;
    rc code = db_hit(db, s->base, v->version, r->tmp, &hit, e);

    if (code == RC_NOTFOUND || (code == RC_OK && v->origin < hit.text_since))
        return RC_OK;
    for (size_t i = first; i < end; i++) {
        const struct chunk_rec *c = &s->chunks[r->v[i].row];

        at = c->start < at ? c->start : at;
        to = c->end > to ? c->end : to;
    }
    if (code == RC_OK)
        code = blob_read_range(db, &hit.text_sha, at, (size_t)(to - at), r->tmp,
                               &text, e);
    if (code == RC_NOTFOUND || code == RC_CORRUPT)
        return RC_OK;
    if (code != RC_OK || text.n != to - at)
        return code;
    for (size_t i = first; i < end; i++) {
        str whole = row_text(r, &r->v[i], hit.title, text, at);
        struct vec_key key = embedded_key(&r->m->identity, whole);

        if (memcmp(&key, &r->v[i].key, sizeof key) == 0)
            r->v[i].text = whole;
    }
    return RC_OK;
}

static rc texts_read(struct refine *r, struct err *e)
{
    struct db *db;
    rc code = store_read_begin(r->g->store, &db, e);
    size_t end;

    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < r->n && code == RC_OK; i = end) {
        const struct segment *s = r->v[i].s;
        uint32_t version = s->chunks[r->v[i].row].version;

        end = i + 1;
        while (end < r->n && r->v[end].s == s &&
               s->chunks[r->v[end].row].version == version)
            end++;
        code = version_read(r, db, i, end, e);
    }
    store_read_end(db);
    return code;
}

/* ---- their vectors ---- */

static bool stopped(const struct refine *r)
{
    return atomic_load(&r->g->ending) ||
           (r->stop != NULL && atomic_load(r->stop));
}

/* How many of the rows with text were embedded; their keys and vectors. */
static rc rows_embed(struct refine *r, struct vec_key *keys, float *rows,
                     size_t *n, struct err *e)
{
    str *texts = ARENA_ARRAY(r->tmp, str, r->n);
    size_t texts_n = 0;
    rc code = RC_OK;

    for (size_t i = 0; i < r->n; i++) {
        if (r->v[i].text.n == 0)
            continue;
        keys[texts_n] = r->v[i].key;
        texts[texts_n++] = r->v[i].text;
    }
    for (*n = 0; *n < texts_n && code == RC_OK && !stopped(r);) {
        size_t some =
            texts_n - *n < EMBED_AT_ONCE ? texts_n - *n : EMBED_AT_ONCE;

        code = embed_texts(r->x, EMBED_PASSAGE, texts + *n, some,
                           rows + *n * r->m->dims, e);
        *n += some;
    }
    return code;
}

/* Under vectors_lock, for the id: the write itself is short beside embedding. */
static rc file_write(struct refine *r, const struct vec_key *keys,
                     const float *rows, size_t n, struct err *e)
{
    char path[SEGMENT_PATH_MAX];
    uint64_t id = r->base->vectors_id++;
    rc code;

    vectors_dir_path(r->g->dir, &r->m->identity, r->base->id, path);
    code = file_mkdirs(path, 0700, e);
    vectors_path(r->g->dir, &r->m->identity, r->base->id, id, path);
    if (code == RC_OK)
        code = vec_write(path, &r->m->identity, r->m->dims, keys, rows, n, e);
    return code == RC_OK ? vectors_take(r->g, r->base, r->m, id, e) : code;
}

static rc claimed_embed(struct refine *r, size_t *done, struct err *e)
{
    struct vec_key *keys = ARENA_ARRAY(r->tmp, struct vec_key, r->n);
    float *rows = mem_try((r->n * r->m->dims + 1) * sizeof *rows);
    size_t n = 0;
    rc code;

    if (rows == NULL)
        return err_set(e, RC_NOMEM, "no memory to embed %zu texts", r->n);
    code = texts_read(r, e);
    if (code == RC_OK)
        code = rows_embed(r, keys, rows, &n, e);
    if (code == RC_OK && n > 0) {
        (void)pthread_mutex_lock(&r->base->vectors_lock);
        code = file_write(r, keys, rows, n, e);
        (void)pthread_mutex_unlock(&r->base->vectors_lock);
    }
    if (code == RC_OK)
        *done = n;
    mem_free(rows);
    return code;
}

static rc base_refine(struct refine *r, size_t rows_max,
                      struct engine_refined *done, struct err *e)
{
    rc code = vectors_sync(r->g, r->base, r->m, true, e);

    if (code != RC_OK)
        return code;
    (void)pthread_mutex_lock(&r->base->vectors_lock);
    rows_claim(r, rows_max);
    (void)pthread_mutex_unlock(&r->base->vectors_lock);
    done->left = r->left;
    if (r->n > 0)
        code = claimed_embed(r, &done->rows, e);
    (void)pthread_mutex_lock(&r->base->vectors_lock);
    if (code != RC_OK) /* all of it another time */
        for (size_t i = 0; i < r->n; i++)
            r->v[i].text = STR(" ");
    claims_end(r);
    (void)pthread_mutex_unlock(&r->base->vectors_lock);
    return code;
}

rc engine_refine(struct engine *g, uuid base, const struct model_info *m,
                 struct embedder *x, size_t rows_max, const atomic_bool *stop,
                 struct engine_refined *done, struct err *e)
{
    struct refine r = {
        .g = g, .m = m, .x = x, .stop = stop, .tmp = arena_open()};
    rc code =
        base_acquire(g, base, NULL, clock_mono_ns() + OPEN_WAIT_NS, &r.base, e);

    *done = (struct engine_refined){0};
    if (code == RC_OK) {
        code = base_refine(&r, rows_max, done, e);
        base_release(g, r.base);
    }
    arena_close(r.tmp);
    return code;
}

/* ---- what is whole ---- */

/* Under both locks. */
static bool version_whole(const struct base *b, const struct segment *s,
                          uint32_t index, const sha256 *identity)
{
    const struct version_rec *v = &s->versions[index];

    if (s->places == NULL || !segment_has_keys(s, identity))
        return false;
    for (uint32_t row = v->first_row; row < v->first_row + v->rows; row++) {
        const uint64_t *claim;

        if (s->places->v[row].file != VEC_NONE || key_is_none(&s->keys[row]))
            continue;
        claim = b->claimed == NULL
                    ? NULL
                    : map_find(b->claimed, key_str(&s->keys[row]));
        if (claim == NULL || *claim != CLAIM_VOID)
            return false;
    }
    return true;
}

rc engine_whole(struct engine *g, uuid base, const struct model_info *m,
                const uuid *versions, size_t n, bool *whole, struct err *e)
{
    struct base *b;
    rc code =
        base_acquire(g, base, NULL, clock_mono_ns() + OPEN_WAIT_NS, &b, e);

    if (code != RC_OK)
        return code;
    code = vectors_sync(g, b, m, true, e);
    if (code == RC_OK) {
        (void)pthread_mutex_lock(&b->vectors_lock);
        (void)pthread_mutex_lock(&b->lock);
        for (size_t i = 0; i < n; i++) {
            struct segment *s;
            uint32_t index;

            whole[i] = base_version_find(b, versions[i], &s, &index) &&
                       version_whole(b, s, index, &m->identity);
        }
        (void)pthread_mutex_unlock(&b->lock);
        (void)pthread_mutex_unlock(&b->vectors_lock);
    }
    base_release(g, b);
    return code;
}

/* Whether rows of a version lack keys: all of it do, or none. */
static bool version_unkeyed(const struct segment *s, uint32_t index,
                            const sha256 *identity)
{
    const struct version_rec *v = &s->versions[index];

    return state_indexed(s->state[index]) && v->rows > 0 &&
           (!segment_has_keys(s, identity) ||
            key_is_none(&s->keys[v->first_row]));
}

rc engine_unkeyed(struct engine *g, uuid base, const struct model_info *m,
                  struct arena *out, uuid **versions, size_t *n, struct err *e)
{
    struct base *b;
    size_t cap = 0;
    rc code =
        base_acquire(g, base, NULL, clock_mono_ns() + OPEN_WAIT_NS, &b, e);

    *versions = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->segments_n; i++)
        for (uint32_t k = 0; k < b->segments[i]->versions_n; k++)
            if (version_unkeyed(b->segments[i], k, &m->identity))
                ARENA_PUSH(out, *versions, *n, cap,
                           b->segments[i]->versions[k].version);
    (void)pthread_mutex_unlock(&b->lock);
    base_release(g, b);
    return RC_OK;
}
