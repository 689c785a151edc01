/*
 * A base's vectors. Files of one model are a list that is replaced as a whole;
 * each segment has places in it, one a row, found by key. Searches take a list
 * and places of the same number and hold no lock. Files know nothing of
 * segments: what a merge of postings moves keeps its vectors, and a text that
 * comes again has one already.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define VECTOR_FILES_MAX ((size_t)4096) /* of one base */
#define MODELS_MAX ((size_t)1024)       /* folders of models */
/* Files of similar size (a factor of 8) are merged when there are 8. */
#define TIER_ROWS_MIN 256
#define TIER_FILES 8
#define TIER_ROWS_MAX ((uint64_t)4 << 20)

/* ---- names ---- */

#define IDENTITY_TEXT 16 /* characters of it that name the folder */

static void identity_text(const sha256 *identity, char to[IDENTITY_TEXT + 1])
{
    for (size_t i = 0; i < IDENTITY_TEXT / 2; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", identity->b[i]);
}

void vectors_dir_path(const char *dir, const sha256 *identity, uuid base,
                      char to[SEGMENT_PATH_MAX])
{
    char model[IDENTITY_TEXT + 1], name[UUID_TEXT];
    int n;

    identity_text(identity, model);
    uuid_text(base, name);
    n = snprintf(to, SEGMENT_PATH_MAX, "%s/vectors/%s/%s", dir, model, name);
    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}

void vectors_path(const char *dir, const sha256 *identity, uuid base,
                  uint64_t id, char to[SEGMENT_PATH_MAX])
{
    size_t n;

    vectors_dir_path(dir, identity, base, to);
    n = strlen(to);
    ASSERT(snprintf(to + n, SEGMENT_PATH_MAX - n, "/%" PRIu64 ".vec", id) <
           (int)(SEGMENT_PATH_MAX - n));
}

/* ---- what is embedded ---- */

str embedded_text(str context, str body, struct arena *out)
{
    return context.n == 0 ? body
                          : arena_fmt(out, STR_FMT "\n" STR_FMT,
                                      STR_ARG(context), STR_ARG(body));
}

struct vec_key embedded_key(const sha256 *identity, str text)
{
    sha256 sha = sha256_of_both(
        (str){(const char *)identity->b, sizeof identity->b}, text);
    struct vec_key key;

    memcpy(key.b, sha.b, sizeof key.b);
    return key;
}

/* ---- references ---- */

struct vector_file *vector_file_ref(struct vector_file *f)
{
    (void)atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void vector_file_unref(struct vector_file *f)
{
    if (f == NULL ||
        atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (atomic_load(&f->doomed) && io_unlink(f->path) != 0 && errno != ENOENT)
        log_warn("engine", "cannot remove path=%s errno=%d", f->path, errno);
    vec_close(f->f);
    mem_free(f->path);
    mem_free(f);
}

struct vectors *vectors_ref(struct vectors *v)
{
    if (v != NULL)
        (void)atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

void vectors_unref(struct vectors *v)
{
    if (v == NULL ||
        atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < v->n; i++)
        vector_file_unref(v->v[i]);
    mem_free(v->v);
    mem_free(v->files);
    mem_free(v);
}

struct places *places_ref(struct places *p)
{
    if (p != NULL)
        (void)atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void places_unref(struct places *p)
{
    if (p != NULL &&
        atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        mem_free(p);
}

/* ---- lists ---- */

/* An empty list for up to n files. */
static struct vectors *list_new(const struct model_info *m, size_t n,
                                uint64_t number)
{
    struct vectors *v = mem_alloc(sizeof *v);

    atomic_init(&v->refs, 1);
    v->number = number;
    v->identity = m->identity;
    v->dims = m->dims;
    v->v = mem_alloc((n + 1) * sizeof *v->v);
    v->files = mem_alloc((n + 1) * sizeof *v->files);
    return v;
}

static void list_put(struct vectors *v, struct vector_file *f)
{
    v->files[v->n] = f->f;
    v->v[v->n++] = f;
}

struct low_key {
    struct vec_key key;
    struct vec_place at;
};

static int compare_keys(const void *a, const void *b)
{
    const struct low_key *x = a, *y = b;

    return memcmp(&x->key, &y->key, sizeof x->key);
}

/* Keys whose first 8 bytes are at most `bound`, ascending. */
static size_t keys_below(const struct vectors *v, uint64_t bound,
                         struct arena *tmp, struct low_key **low)
{
    size_t n = 0, cap = 0;

    *low = NULL;
    for (uint32_t i = 0; i < v->n; i++)
        for (uint32_t row = 0; row < vec_rows(v->files[i]); row++) {
            struct low_key k = {vec_key_at(v->files[i], row), {i, row}};
            uint64_t first = (uint64_t)k.key.b[0] << 56;

            for (size_t b = 1; b < 8; b++)
                first |= (uint64_t)k.key.b[b] << (56 - 8 * b);
            if (first <= bound)
                ARENA_PUSH(tmp, *low, n, cap, k);
        }
    if (n > 1)
        qsort(*low, n, sizeof **low, compare_keys);
    return n;
}

/* Keys are hashes: so many of them lie below a bound as its share of all. */
static void list_sample(struct vectors *v)
{
    struct arena *tmp = arena_open();
    struct low_key *low;
    uint64_t rows = 0;
    size_t n;

    for (size_t i = 0; i < v->n; i++)
        rows += vec_rows(v->files[i]);
    /* Four times as many as wanted: one key may be in several files, and what
     * a bound lets through varies. */
    n = keys_below(v,
                   rows <= (uint64_t)4 * VECTORS_SAMPLE
                       ? UINT64_MAX
                       : UINT64_MAX / rows * 4 * VECTORS_SAMPLE,
                   tmp, &low);
    v->sample_n = 0;
    for (size_t i = 0; i < n && v->sample_n < VECTORS_SAMPLE; i++)
        if (i == 0 || compare_keys(&low[i - 1], &low[i]) != 0)
            v->sample[v->sample_n++] = low[i].at;
    arena_close(tmp);
}

static rc file_open(struct engine *g, struct base *b,
                    const struct model_info *m, uint64_t id,
                    struct vector_file **out, struct err *e)
{
    char path[SEGMENT_PATH_MAX];
    struct vec_file *vf;
    struct vector_file *f = NULL;
    rc code;

    vectors_path(g->dir, &m->identity, b->id, id, path);
    code = vec_open(path, &m->identity, m->dims, &vf, e);
    if (code != RC_OK)
        return code;
    f = mem_alloc(sizeof *f);
    atomic_init(&f->refs, 1);
    atomic_init(&f->doomed, false);
    f->f = vf;
    f->id = id;
    f->verified_ns = clock_mono_ns();
    f->path = mem_alloc(strlen(path) + 1);
    memcpy(f->path, path, strlen(path));
    *out = f;
    return RC_OK;
}

/* The number in "12.vec"; false: it is another's. */
static bool name_id(str name, uint64_t *id)
{
    str digits = str_sub(name, 0, name.n - (name.n >= 4 ? 4 : name.n));

    return str_ends(name, STR(".vec")) && str_to_u64(digits, INT64_MAX, id);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The files of a folder by id; what is no whole file of ours goes. */
static rc folder_ids(const char *dir, struct arena *tmp, uint64_t **ids,
                     size_t *n, struct err *e)
{
    str *names = NULL;
    size_t names_n = 0;
    rc code = file_list(dir, VECTOR_FILES_MAX, tmp, &names, &names_n, e);

    *n = 0;
    *ids = ARENA_ARRAY(tmp, uint64_t, names_n);
    if (code == RC_NOTFOUND)
        return RC_OK;
    for (size_t i = 0; code == RC_OK && i < names_n; i++)
        if (name_id(names[i], &(*ids)[*n]))
            ++*n;
        else
            (void)io_unlink(
                arena_fmt(tmp, "%s/" STR_FMT, dir, STR_ARG(names[i])).p);
    if (*n > 1)
        qsort(*ids, *n, sizeof **ids, compare_ids);
    return code;
}

/* A damaged file goes: its rows are embedded again. */
static void file_lose(struct engine *g, const char *path, const struct err *why)
{
    log_error("engine", "vector file lost, will be made again error=\"%s\"",
              why->text);
    (void)io_unlink(path);
    atomic_fetch_add(&g->rebuilt_n, 1);
}

/* What the folder holds, but for what is damaged. */
static rc list_open(struct engine *g, struct base *b,
                    const struct model_info *m, uint64_t number,
                    struct vectors **out, struct err *e)
{
    struct arena *tmp = arena_open();
    char dir[SEGMENT_PATH_MAX], path[SEGMENT_PATH_MAX];
    struct vectors *v = NULL;
    uint64_t *ids = NULL;
    size_t n = 0;
    rc code;

    vectors_dir_path(g->dir, &m->identity, b->id, dir);
    code = folder_ids(dir, tmp, &ids, &n, e);
    if (code == RC_OK)
        v = list_new(m, n, number);
    for (size_t i = 0; code == RC_OK && i < n; i++) {
        struct vector_file *f;
        struct err why = {0};

        b->vectors_id = ids[i] + 1;
        code = file_open(g, b, m, ids[i], &f, &why);
        if (code == RC_OK) {
            list_put(v, f);
        } else if (segment_lost(&why)) {
            vectors_path(g->dir, &m->identity, b->id, ids[i], path);
            file_lose(g, path, &why);
            code = RC_OK;
        } else if (e != NULL) {
            *e = why;
        }
    }
    arena_close(tmp);
    if (code != RC_OK) {
        vectors_unref(v);
        return code;
    }
    if (b->vectors_id == 0)
        b->vectors_id = 1;
    list_sample(v);
    *out = v;
    return RC_OK;
}

/* ---- places ---- */

static bool list_find(const struct vectors *v, size_t from,
                      const struct vec_key *key, struct vec_place *at)
{
    for (size_t i = v->n; i-- > from;) {
        uint32_t row;

        if (vec_find(v->files[i], key, &row)) {
            *at = (struct vec_place){(uint32_t)i, row};
            return true;
        }
    }
    return false;
}

bool segment_has_keys(const struct segment *s, const sha256 *identity)
{
    return s->keys != NULL && sha256_eq(&s->keys_of, identity);
}

/* Of a segment in a list. `former`: of the list with the same files but those
 * from `from` on; NULL: all is looked up. */
static struct places *places_make(const struct segment *s,
                                  const struct vectors *v,
                                  const struct places *former, size_t from)
{
    size_t bytes = sizeof(struct places) +
                   ((size_t)s->rows + 1) * sizeof(struct vec_place);
    struct places *p = mem_alloc(bytes);
    bool keyed = segment_has_keys(s, &v->identity);

    atomic_init(&p->refs, 1);
    p->number = v->number;
    for (uint32_t row = 0; row < s->rows; row++) {
        struct vec_place at = {VEC_NONE, 0};

        if (former != NULL)
            at = former->v[row];
        if (at.file == VEC_NONE && keyed && !key_is_none(&s->keys[row]) &&
            !list_find(v, former == NULL ? 0 : from, &s->keys[row], &at))
            p->missing++;
        p->v[row] = at;
    }
    return p;
}

/* The segments of this moment, referenced. */
static struct segment **segments_take(struct base *b, size_t *n)
{
    struct segment **v;

    (void)pthread_mutex_lock(&b->lock);
    v = mem_alloc((b->segments_n + 1) * sizeof *v);
    *n = b->segments_n;
    for (size_t i = 0; i < *n; i++)
        v[i] = segment_ref(b->segments[i]);
    (void)pthread_mutex_unlock(&b->lock);
    return v;
}

/* Under vectors_lock: makes `v` the base's list, and places of all segments in
 * it; those of the list before (its first `from` files are v's) are gone on
 * with. */
static void list_install(struct base *b, struct vectors *v, bool grown,
                         size_t from)
{
    size_t n;
    struct segment **s = segments_take(b, &n);
    struct places **p = mem_alloc((n + 1) * sizeof *p);
    struct vectors *old;

    for (size_t i = 0; i < n; i++) {
        struct places *former;

        (void)pthread_mutex_lock(&b->lock);
        former = places_ref(s[i]->places);
        (void)pthread_mutex_unlock(&b->lock);
        if (former != NULL && former->number == v->number)
            p[i] = places_ref(former);
        else
            p[i] = places_make(s[i], v,
                               grown && former != NULL &&
                                       former->number + 1 == v->number
                                   ? former
                                   : NULL,
                               from);
        places_unref(former);
    }
    (void)pthread_mutex_lock(&b->lock);
    old = b->vectors;
    b->vectors = vectors_ref(v);
    for (size_t i = 0; i < n; i++) {
        places_unref(s[i]->places);
        s[i]->places = p[i];
    }
    (void)pthread_mutex_unlock(&b->lock);
    vectors_unref(old);
    for (size_t i = 0; i < n; i++)
        segment_unref(s[i]);
    mem_free(s);
    mem_free(p);
}

/* Whether there is nothing to be done. */
static bool synced(struct base *b, const struct model_info *m)
{
    bool yes;

    (void)pthread_mutex_lock(&b->lock);
    yes = b->vectors != NULL && sha256_eq(&b->vectors->identity, &m->identity);
    for (size_t i = 0; yes && i < b->segments_n; i++)
        yes = b->segments[i]->places != NULL &&
              b->segments[i]->places->number == b->vectors->number;
    (void)pthread_mutex_unlock(&b->lock);
    return yes;
}

/* Under vectors_lock. */
static rc list_sync(struct engine *g, struct base *b,
                    const struct model_info *m, struct err *e)
{
    struct vectors *v = b->vectors; /* replaced under vectors_lock only */
    rc code = RC_OK;

    if (synced(b, m))
        return RC_OK;
    if (v != NULL && sha256_eq(&v->identity, &m->identity)) {
        list_install(b, v, false, 0);
        return RC_OK;
    }
    b->vectors_id = 0;
    code = list_open(g, b, m, v == NULL ? 1 : v->number + 2, &v, e);
    if (code != RC_OK)
        return err_wrap(e, "vectors");
    if (b->claimed != NULL)
        map_clear(b->claimed);
    list_install(b, v, false, 0);
    vectors_unref(v);
    return RC_OK;
}

/* Under vectors_lock. */
static bool lacking(struct base *b)
{
    bool yes = false;

    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->segments_n; i++)
        yes = yes || (b->segments[i]->places != NULL &&
                      b->segments[i]->places->missing > 0);
    (void)pthread_mutex_unlock(&b->lock);
    return yes;
}

rc vectors_sync(struct engine *g, struct base *b, const struct model_info *m,
                bool wait, struct err *e)
{
    bool lacks;
    rc code;

    if (synced(b, m))
        return RC_OK;
    if (wait)
        (void)pthread_mutex_lock(&b->vectors_lock);
    else if (pthread_mutex_trylock(&b->vectors_lock) != 0)
        return RC_OK;
    code = list_sync(g, b, m, e);
    lacks = code == RC_OK && lacking(b);
    (void)pthread_mutex_unlock(&b->vectors_lock);
    if (lacks && g->on_lacking != NULL)
        g->on_lacking(g->arg, b->id);
    return code;
}

rc vectors_take(struct engine *g, struct base *b, const struct model_info *m,
                uint64_t id, struct err *e)
{
    const struct vectors *old;
    struct vector_file *f = NULL;
    struct vectors *v;
    rc code = list_sync(g, b, m, e);

    if (code == RC_OK)
        code = file_open(g, b, m, id, &f, e);
    if (code != RC_OK)
        return code;
    old = b->vectors;
    v = list_new(m, old->n + 1, old->number + 1);
    for (size_t i = 0; i < old->n; i++)
        list_put(v, vector_file_ref(old->v[i]));
    list_put(v, f);
    list_sample(v);
    list_install(b, v, true, old->n);
    vectors_unref(v);
    return RC_OK;
}

/* Under vectors_lock. */
static bool list_has(const struct vectors *v, const struct vector_file *f)
{
    for (size_t i = 0; v != NULL && i < v->n; i++)
        if (v->v[i] == f)
            return true;
    return false;
}

/* Under vectors_lock. */
static void list_drop(struct base *b, const struct vector_file *lost)
{
    const struct vectors *old = b->vectors;
    const struct model_info m = {.identity = old->identity, .dims = old->dims};
    /* Two on: places of the list before name its files by number. */
    struct vectors *v = list_new(&m, old->n, old->number + 2);

    for (size_t i = 0; i < old->n; i++)
        if (old->v[i] != lost)
            list_put(v, vector_file_ref(old->v[i]));
    list_sample(v);
    list_install(b, v, false, 0);
    vectors_unref(v);
}

void vectors_lose(struct engine *g, struct base *b, struct vector_file *lost,
                  const struct err *why)
{
    bool lacks = false;

    (void)pthread_mutex_lock(&b->vectors_lock);
    if (list_has(b->vectors, lost)) {
        list_drop(b, lost);
        /* At once, not with the last search that reads it: its number may be
         * given out again. */
        file_lose(g, lost->path, why);
        lacks = lacking(b);
    }
    (void)pthread_mutex_unlock(&b->vectors_lock);
    if (lacks && g->on_lacking != NULL)
        g->on_lacking(g->arg, b->id);
}

/* ---- merges ---- */

static unsigned tier_of(const struct vec_file *f)
{
    uint64_t rows = vec_rows(f), bound = TIER_ROWS_MIN;
    unsigned tier = 0;

    while (rows >= bound && bound < TIER_ROWS_MAX) {
        bound *= TIER_FILES;
        tier++;
    }
    return tier;
}

#define TIERS 8

/* Whether a tier is full; its files in from[]. */
static bool tier_pick(const struct vectors *v, struct vector_file **from,
                      size_t *n)
{
    size_t count[TIERS] = {0};

    for (size_t i = 0; i < v->n; i++) {
        unsigned tier = tier_of(v->files[i]);

        if (++count[tier < TIERS ? tier : TIERS - 1] < TIER_FILES)
            continue;
        *n = 0;
        for (size_t k = 0; k <= i; k++)
            if (tier_of(v->files[k]) == tier)
                from[(*n)++] = v->v[k];
        return true;
    }
    return false;
}

/* The keys that rows of segments name: what a merge keeps. */
static struct map *keys_used(struct base *b, const struct vectors *v)
{
    struct map *used = map_open();
    size_t n;
    struct segment **s = segments_take(b, &n);

    for (size_t i = 0; i < n; i++) {
        for (uint32_t row = 0;
             segment_has_keys(s[i], &v->identity) && row < s[i]->rows; row++)
            (void)map_slot(
                used, (str){(const char *)&s[i]->keys[row], sizeof *s[i]->keys},
                NULL);
        segment_unref(s[i]);
    }
    mem_free(s);
    return used;
}

static bool key_kept(void *arg, const struct vec_key *key)
{
    return map_find(arg, (str){(const char *)key, sizeof *key}) != NULL;
}

/* What one merge takes and makes. */
struct vector_merge {
    struct vectors *old; /* a reference */
    struct vector_file **from;
    size_t from_n;
    uint64_t id;
};

static rc merge_make(struct engine *g, struct base *b,
                     const struct vector_merge *m, struct vector_file **made,
                     struct err *e)
{
    const struct model_info info = {.identity = m->old->identity,
                                    .dims = m->old->dims};
    struct vec_file **files = mem_alloc((m->from_n + 1) * sizeof *files);
    struct map *used = keys_used(b, m->old);
    char path[SEGMENT_PATH_MAX];
    rc code;

    for (size_t i = 0; i < m->from_n; i++)
        files[i] = m->from[i]->f;
    vectors_path(g->dir, &info.identity, b->id, m->id, path);
    code = vec_merge(path, files, m->from_n,
                     (struct vec_merge_opts){
                         .keep = key_kept, .arg = used, .cancel = &g->ending},
                     e);
    if (code == RC_OK)
        code = file_open(g, b, &info, m->id, made, e);
    map_close(used);
    mem_free(files);
    return code == RC_OK ? code : err_wrap(e, "merge of vectors");
}

static bool merged(const struct vector_merge *m, const struct vector_file *f)
{
    for (size_t i = 0; i < m->from_n; i++)
        if (m->from[i] == f)
            return true;
    return false;
}

/* Under vectors_lock. The list may have grown since the merge began, or have
 * become another model's: then nothing is changed. */
static void merge_install(struct base *b, const struct vector_merge *m,
                          struct vector_file *made)
{
    const struct vectors *now = b->vectors;
    const struct model_info info = {.identity = m->old->identity,
                                    .dims = m->old->dims};
    struct vectors *v;

    if (!sha256_eq(&now->identity, &info.identity)) {
        atomic_store(&made->doomed, true);
        vector_file_unref(made);
        return;
    }
    v = list_new(&info, now->n + 1, now->number + 2);
    list_put(v, made);
    for (size_t i = 0; i < now->n; i++) {
        if (merged(m, now->v[i]))
            atomic_store(&now->v[i]->doomed, true);
        else
            list_put(v, vector_file_ref(now->v[i]));
    }
    list_sample(v);
    list_install(b, v, false, 0);
    vectors_unref(v);
}

rc vectors_merge(struct engine *g, struct base *b, bool *did, struct err *e)
{
    struct vector_merge m = {0};
    struct vector_file *made = NULL;
    rc code = RC_OK;

    (void)pthread_mutex_lock(&b->vectors_lock);
    if (b->vectors != NULL) {
        m.from = mem_alloc((b->vectors->n + 1) * sizeof *m.from);
        *did = tier_pick(b->vectors, m.from, &m.from_n);
        m.old = vectors_ref(b->vectors);
        if (*did)
            m.id = b->vectors_id++;
    } else {
        *did = false;
    }
    (void)pthread_mutex_unlock(&b->vectors_lock);
    if (*did) {
        code = merge_make(g, b, &m, &made, e);
        *did = code == RC_OK;
    }
    if (*did) {
        (void)pthread_mutex_lock(&b->vectors_lock);
        merge_install(b, &m, made);
        (void)pthread_mutex_unlock(&b->vectors_lock);
    }
    vectors_unref(m.old);
    mem_free(m.from);
    return code;
}

/* ---- what a base has on disk ---- */

rc vectors_each(const char *dir, uuid base, struct arena *tmp,
                vectors_visit *visit, void *arg, struct err *e)
{
    str folder = arena_fmt(tmp, "%s/vectors", dir), *models = NULL, *names;
    char name[UUID_TEXT];
    size_t models_n = 0, n;
    rc code = file_list(folder.p, MODELS_MAX, tmp, &models, &models_n, e);

    uuid_text(base, name);
    for (size_t i = 0; code == RC_OK && i < models_n; i++) {
        str of = arena_fmt(tmp, STR_FMT "/" STR_FMT "/%s", STR_ARG(folder),
                           STR_ARG(models[i]), name);

        code = file_list(of.p, VECTOR_FILES_MAX, tmp, &names, &n, e);
        for (size_t k = 0; code == RC_OK && k < n; k++)
            visit(arg, of.p,
                  arena_fmt(tmp, STR_FMT "/" STR_FMT, STR_ARG(of),
                            STR_ARG(names[k]))
                      .p);
        if (code == RC_OK)
            visit(arg, of.p, NULL);
        else if (code == RC_NOTFOUND)
            code = RC_OK;
    }
    return code == RC_NOTFOUND ? RC_OK : code;
}

static void visit_remove(void *arg, const char *folder, const char *path)
{
    (void)arg;
    if (path != NULL)
        (void)io_unlink(path);
    else if (rmdir(folder) != 0 && errno != ENOENT)
        log_warn("engine", "cannot remove path=%s", folder);
}

void vectors_remove(struct engine *g, uuid base)
{
    struct arena *tmp = arena_open();
    struct err e = {0};

    if (vectors_each(g->dir, base, tmp, visit_remove, NULL, &e) != RC_OK)
        log_warn("engine", "%s", e.text);
    arena_close(tmp);
}
