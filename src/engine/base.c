#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define SEGMENT_FILES_MAX 100000 /* names in one base's folder */

/* ---- states ---- */

static void missing_put(struct base *b, uuid version, uint8_t state)
{
    if (b->missing == NULL)
        b->missing = map_open();
    *map_slot(b->missing, uuid_key(&version), NULL) = state;
}

static void missing_drop(struct base *b, uuid version)
{
    if (b->missing != NULL)
        (void)map_drop(b->missing, uuid_key(&version));
}

bool base_version_find(const struct base *b, uuid version, struct segment **s,
                       uint32_t *index)
{
    for (size_t i = b->segments_n; i-- > 0;) {
        *s = b->segments[i];
        if (segment_find(*s, version, index) &&
            (*s)->state[*index] != VERSION_SUPERSEDED)
            return true;
    }
    return false;
}

static void state_apply(struct base *b, uuid version, uint8_t state)
{
    struct segment *s;
    uint32_t index;

    if (base_version_find(b, version, &s, &index))
        segment_state_set(s, index, state);
    else if (state_indexed(state))
        missing_put(b, version, state);
    else
        missing_drop(b, version);
}

/* ---- the list of segments ---- */

static void segments_insert(struct base *b, struct segment *s)
{
    size_t at = b->segments_n;

    if (b->segments_n == b->segments_cap) {
        b->segments_cap = b->segments_cap == 0 ? 8 : b->segments_cap * 2;
        b->segments =
            mem_resize(b->segments, b->segments_cap * sizeof *b->segments);
    }
    while (at > 0 && b->segments[at - 1]->id > s->id) {
        b->segments[at] = b->segments[at - 1];
        at--;
    }
    b->segments[at] = s;
    b->segments_n++;
}

static void segments_remove(struct base *b, struct segment *s)
{
    for (size_t i = 0; i < b->segments_n; i++) {
        if (b->segments[i] != s)
            continue;
        memmove(&b->segments[i], &b->segments[i + 1],
                (b->segments_n - i - 1) * sizeof *b->segments);
        b->segments_n--;
        atomic_store(&s->doomed, true);
        segment_unref(s);
        return;
    }
}

/* What a new segment says about a version of which the base may know. */
static void version_take(struct base *b, struct segment *add, uint32_t i)
{
    const struct version_rec *v = &add->versions[i];
    uint64_t *known =
        b->missing == NULL ? NULL : map_find(b->missing, uuid_key(&v->version));
    struct segment *s;
    uint32_t at;

    if (known != NULL) {
        segment_state_set(add, i, (uint8_t)*known);
        missing_drop(b, v->version);
        return;
    }
    if (!base_version_find(b, v->version, &s, &at))
        return; /* new: its state comes with the same commit */
    if (s->versions[at].origin > v->origin) {
        segment_state_set(add, i, VERSION_SUPERSEDED);
        return;
    }
    segment_state_set(add, i, s->state[at]);
    segment_state_set(s, at, VERSION_SUPERSEDED);
}

static void publish_merged(struct base *b, struct publish *p)
{
    for (uint32_t i = 0; p->add != NULL && i < p->add->versions_n; i++) {
        struct place at = p->places[i];
        uint8_t *state = &p->drop[at.from]->state[at.version];

        segment_state_set(p->add, i, *state);
        *state = VERSION_SUPERSEDED; /* by what replaces its segment */
    }
    /* What was dead when the merge began may have come back meanwhile: it is
     * to be indexed again. */
    for (size_t i = 0; i < p->drop_n; i++)
        for (uint32_t k = 0; k < p->drop[i]->versions_n; k++)
            if (state_indexed(p->drop[i]->state[k]))
                missing_put(b, p->drop[i]->versions[k].version,
                            p->drop[i]->state[k]);
}

static void publish_apply(struct base *b, struct publish *p)
{
    if (p->drop_n > 0)
        publish_merged(b, p);
    else
        for (uint32_t i = 0; i < p->add->versions_n; i++)
            version_take(b, p->add, i);
    for (size_t i = 0; i < p->drop_n; i++)
        segments_remove(b, p->drop[i]);
    if (p->add != NULL)
        segments_insert(b, segment_ref(p->add));
}

/* ---- opening ---- */

static struct base *base_new(uuid id)
{
    struct base *b = mem_alloc(sizeof *b);

    b->id = id;
    ASSERT(pthread_mutex_init(&b->lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&b->ids_lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&b->vectors_lock, NULL) == 0);
    clock_cond_init(&b->moved);
    b->phase = BASE_OPENING;
    return b;
}

void base_free(struct base *b)
{
    for (size_t i = 0; i < b->segments_n; i++)
        segment_unref(b->segments[i]);
    mem_free(b->segments);
    map_close(b->missing);
    mem_free(b->bad);
    mem_free(b->early);
    (void)pthread_cond_destroy(&b->moved);
    vectors_unref(b->vectors);
    map_close(b->claimed);
    (void)pthread_mutex_destroy(&b->vectors_lock);
    (void)pthread_mutex_destroy(&b->ids_lock);
    (void)pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

/* What the store says about a base at one moment. */
struct stored {
    uint64_t generation;
    struct segment_row *rows;
    size_t rows_n;
    struct indexed_version *versions; /* by id, ascending */
    size_t versions_n;
};

static int compare_indexed(const void *a, const void *b)
{
    return uuid_cmp(((const struct indexed_version *)a)->version,
                    ((const struct indexed_version *)b)->version);
}

static int compare_rows(const void *a, const void *b)
{
    uint64_t x = ((const struct segment_row *)a)->id,
             y = ((const struct segment_row *)b)->id;

    return (x > y) - (x < y);
}

static rc stored_read(struct db *db, uuid base, struct arena *out,
                      struct stored *st, struct err *e)
{
    rc code = db_generation(db, base, &st->generation, e);

    if (code == RC_OK)
        code = db_segment_list(db, base, out, &st->rows, &st->rows_n, e);
    if (code == RC_OK)
        code = db_versions_indexed(db, base, out, &st->versions,
                                   &st->versions_n, e);
    if (code != RC_OK)
        return code;
    if (st->versions_n > 0)
        qsort(st->versions, st->versions_n, sizeof *st->versions,
              compare_indexed);
    if (st->rows_n > 0)
        qsort(st->rows, st->rows_n, sizeof *st->rows, compare_rows);
    return RC_OK;
}

/* The snapshot of the caller's session will do unless the base has moved on
 * since it began: then changes may have been observed, and missed, before the
 * base was in the table. A second session is not taken: with all of them in
 * use callers would wait for each other. */
static rc stored_get(struct engine *g, uuid base, struct db *session,
                     uint64_t seen, struct arena *out, struct stored *st,
                     struct err *e)
{
    struct db *own;
    rc code;

    if (session == NULL) {
        code = store_read_begin(g->store, &own, e);
        if (code != RC_OK)
            return code;
        code = stored_read(own, base, out, st, e);
        store_read_end(own);
        return code;
    }
    code = db_generation(session, base, &st->generation, e);
    if (code == RC_OK && st->generation < seen)
        code = store_read_renew(session, e);
    return code == RC_OK ? stored_read(session, base, out, st, e) : code;
}

static bool row_listed(const struct stored *st, str name)
{
    char want[32];

    for (size_t i = 0; i < st->rows_n; i++) {
        int n = snprintf(want, sizeof want, "%" PRIu64 ".seg", st->rows[i].id);

        if (n > 0 && str_eq(name, (str){want, (size_t)n}))
            return true;
    }
    return false;
}

/* No batch and no merge of a base runs while it opens: a file that no row
 * lists was left by a process that died. */
static void folder_clean(struct engine *g, uuid base, const struct stored *st,
                         struct arena *tmp)
{
    char dir[SEGMENT_PATH_MAX];
    struct err e = {0};
    str *names;
    size_t n;
    rc code;

    base_dir_path(g->dir, base, dir);
    code = file_list(dir, SEGMENT_FILES_MAX, tmp, &names, &n, &e);
    if (code != RC_OK) {
        if (code != RC_NOTFOUND)
            log_warn("engine", "cannot clean path=%s error=%s", dir, e.text);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!row_listed(st, names[i]))
            (void)io_unlink(
                arena_fmt(tmp, "%s/" STR_FMT, dir, STR_ARG(names[i])).p);
}

static void lost_tell(struct engine *g, const struct err *why)
{
    log_error("engine", "index segment lost, will be rebuilt error=\"%s\"",
              why->text);
    atomic_fetch_add(&g->rebuilt_n, 1);
}

void bad_put(struct base *b, uint64_t id)
{
    b->bad = mem_resize(b->bad, (b->bad_n + 1) * sizeof *b->bad);
    b->bad[b->bad_n++] = id;
}

static rc segments_open(struct engine *g, struct base *b,
                        const struct stored *st, struct err *e)
{
    for (size_t i = 0; i < st->rows_n; i++) {
        const struct segment_row *row = &st->rows[i];
        struct segment *s;
        struct err why = {0};
        rc code = segment_open(g->dir, b->id, row->id, &s, &why);

        if (code == RC_OK &&
            (s->rows != row->rows || s->versions_n != row->versions ||
             seg_bytes(s->seg) != row->bytes)) {
            code = err_set(&why, RC_CORRUPT, "%s is not what its row says",
                           s->path);
            segment_unref(s);
        }
        if (code == RC_OK) {
            segments_insert(b, s);
        } else if (segment_lost(&why)) {
            lost_tell(g, &why);
            bad_put(b, row->id);
        } else {
            if (e != NULL)
                *e = why;
            return code;
        }
    }
    return RC_OK;
}

static const struct indexed_version *indexed_find(const struct stored *st,
                                                  uuid version)
{
    const struct indexed_version key = {.version = version};

    return st->versions_n == 0 ? NULL
                               : bsearch(&key, st->versions, st->versions_n,
                                         sizeof *st->versions, compare_indexed);
}

/* Where the copy that counts of a stored version stands. */
struct holder {
    struct segment *s;
    uint32_t index;
};

static void states_derive(struct base *b, const struct stored *st,
                          struct arena *tmp)
{
    struct holder *holders = ARENA_ARRAY(tmp, struct holder, st->versions_n);

    for (size_t i = 0; i < b->segments_n; i++) {
        struct segment *s = b->segments[i];

        for (uint32_t k = 0; k < s->versions_n; k++) {
            const struct indexed_version *v =
                indexed_find(st, s->versions[k].version);
            struct holder *h;

            if (v == NULL) {
                segment_state_set(s, k, (uint8_t)VERSION_GONE);
                continue;
            }
            h = &holders[v - st->versions];
            if (h->s == NULL ||
                h->s->versions[h->index].origin <= s->versions[k].origin) {
                if (h->s != NULL)
                    segment_state_set(h->s, h->index, VERSION_SUPERSEDED);
                *h = (struct holder){s, k};
            } else {
                segment_state_set(s, k, VERSION_SUPERSEDED);
            }
        }
    }
    for (size_t i = 0; i < st->versions_n; i++) {
        const struct indexed_version *v = &st->versions[i];

        if (holders[i].s != NULL)
            segment_state_set(holders[i].s, holders[i].index,
                              (uint8_t)v->state);
        else
            missing_put(b, v->version, (uint8_t)v->state);
    }
}

/* Under the base's lock: what came while the store was read, and is newer than
 * what was read. */
static void early_apply(struct base *b, uint64_t since)
{
    for (size_t i = 0; i < b->early_n; i++) {
        const struct base_change *c = &b->early[i];

        if (c->generation <= since)
            continue;
        state_apply(b, c->version, c->state);
    }
    for (size_t i = 0; i < b->early_n; i++)
        if (b->early[i].generation > b->applied)
            b->applied = b->early[i].generation;
    mem_free(b->early);
    b->early = NULL;
    b->early_n = b->early_cap = 0;
}

/* Its files go with the last reference, its folder by the keeper. */
static void base_doom(struct base *b)
{
    for (size_t i = 0; i < b->segments_n; i++)
        atomic_store(&b->segments[i]->doomed, true);
}

static rc base_load(struct engine *g, struct base *b, struct db *session,
                    uint64_t seen, struct err *e)
{
    struct arena *tmp = arena_open();
    struct stored st = {0};
    rc code = stored_get(g, b->id, session, seen, tmp, &st, e);

    if (code == RC_OK) {
        folder_clean(g, b->id, &st, tmp);
        code = segments_open(g, b, &st, e);
    }
    if (code == RC_OK)
        states_derive(b, &st, tmp);
    arena_close(tmp);
    (void)pthread_mutex_lock(&b->lock);
    if (b->phase == BASE_GONE) {
        base_doom(b);
        code = err_set(e, RC_NOTFOUND, "no such knowledge base");
    } else if (code != RC_OK) {
        b->phase = BASE_FAILED;
        b->err = *e;
    } else {
        b->applied = st.generation;
        early_apply(b, st.generation);
        b->changed_ns = clock_mono_ns();
        b->phase = BASE_OPEN;
    }
    (void)pthread_cond_broadcast(&b->moved);
    (void)pthread_mutex_unlock(&b->lock);
    return code;
}

/* ---- losing ---- */

static bool segments_have(const struct base *b, const struct segment *s)
{
    for (size_t i = 0; i < b->segments_n; i++)
        if (b->segments[i] == s)
            return true;
    return false;
}

static bool lose_begin(struct base *b, const struct segment *lost)
{
    bool listed;

    (void)pthread_mutex_lock(&b->lock);
    listed = b->phase == BASE_OPEN && segments_have(b, lost);
    b->losing = listed;
    (void)pthread_mutex_unlock(&b->lock);
    return listed;
}

/* Under the base's lock. Which versions the segment held is asked of the store:
 * its own table may be what is damaged, or cut off. */
static void lose_apply(struct base *b, struct segment *lost,
                       const struct stored *st)
{
    struct segment *s;
    uint32_t index;

    segments_remove(b, lost);
    for (size_t i = 0; i < st->versions_n; i++)
        if (!base_version_find(b, st->versions[i].version, &s, &index))
            missing_put(b, st->versions[i].version,
                        (uint8_t)st->versions[i].state);
    early_apply(b, st->generation);
    bad_put(b, lost->id);
    b->told_ns = 0; /* the owner is told at once */
}

rc base_lose(struct engine *g, struct base *b, struct segment *lost,
             const struct err *why, struct err *e)
{
    struct arena *tmp;
    struct stored st = {0};
    bool did;
    rc code;

    if (!lose_begin(b, lost))
        return RC_OK;
    tmp = arena_open();
    code = stored_get(g, b->id, NULL, 0, tmp, &st, e);
    (void)pthread_mutex_lock(&b->lock);
    did = code == RC_OK && b->phase == BASE_OPEN;
    if (did)
        lose_apply(b, lost, &st);
    b->losing = false;
    b->early_n = 0;
    (void)pthread_mutex_unlock(&b->lock);
    arena_close(tmp);
    if (did)
        lost_tell(g, why);
    return code;
}

/* ---- the table ---- */

static struct base *table_find(struct engine *g, uuid id)
{
    uint64_t *slot = map_find(g->bases, uuid_key(&id));

    return slot == NULL ? NULL : (struct base *)(uintptr_t)*slot;
}

/* Under engine.lock. */
static void base_detach(struct engine *g, struct base *b)
{
    if (!b->detached)
        (void)map_drop(g->bases, uuid_key(&b->id));
    b->detached = true;
}

static void users_less(struct engine *g, struct base *b, int64_t used_ns)
{
    bool last;

    (void)pthread_mutex_lock(&g->lock);
    ASSERT(b->users > 0);
    b->users--;
    if (used_ns > b->used_ns)
        b->used_ns = used_ns;
    last = b->users == 0 && b->detached;
    (void)pthread_mutex_unlock(&g->lock);
    if (last)
        base_free(b);
}

void base_release(struct engine *g, struct base *b)
{
    users_less(g, b, clock_mono_ns());
}

struct base *base_hold(struct engine *g, uuid id)
{
    struct base *b;

    (void)pthread_mutex_lock(&g->lock);
    b = table_find(g, id);
    if (b != NULL)
        b->users++;
    (void)pthread_mutex_unlock(&g->lock);
    return b;
}

void base_let_go(struct engine *g, struct base *b)
{
    users_less(g, b, 0);
}

static rc base_await(struct base *b, int64_t until_ns, struct err *e)
{
    rc code = RC_OK;

    (void)pthread_mutex_lock(&b->lock);
    while (b->phase == BASE_OPENING && code == RC_OK)
        if (!clock_cond_wait(&b->moved, &b->lock, until_ns))
            code = err_set(e, RC_BUSY, "the index is being opened");
    if (code != RC_OK && e != NULL)
        e->retry_ms = 1000;
    if (b->phase == BASE_GONE)
        code = err_set(e, RC_NOTFOUND, "no such knowledge base");
    if (b->phase == BASE_FAILED) {
        code = b->err.code;
        if (e != NULL)
            *e = b->err;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return code;
}

rc base_acquire(struct engine *g, uuid id, struct db *session, int64_t until_ns,
                struct base **out, struct err *e)
{
    struct err why = {0};
    struct base *b;
    uint64_t *seen;
    bool made = false;
    uint64_t seen_n;
    rc code;

    (void)pthread_mutex_lock(&g->lock);
    b = table_find(g, id);
    if (b == NULL) {
        b = base_new(id);
        *map_slot(g->bases, uuid_key(&id), NULL) = (uintptr_t)b;
        made = true;
    }
    b->users++;
    seen = map_find(g->seen, uuid_key(&id));
    seen_n = seen == NULL ? 0 : *seen;
    (void)pthread_mutex_unlock(&g->lock);
    if (made)
        code = base_load(g, b, session, seen_n, &why);
    else
        code = base_await(b, until_ns, &why);
    if (code != RC_OK) {
        if (made) { /* the next one tries again */
            (void)pthread_mutex_lock(&g->lock);
            base_detach(g, b);
            (void)pthread_mutex_unlock(&g->lock);
        }
        base_release(g, b);
        if (e != NULL)
            *e = why;
        return code;
    }
    if (made) {
        bases_close_idle(g, INT64_MIN);
        keeper_ask(g);
    }
    *out = b;
    return RC_OK;
}

rc base_wait(struct base *b, uint64_t generation, int64_t until_ns,
             struct err *e)
{
    rc code = RC_OK;

    (void)pthread_mutex_lock(&b->lock);
    while (b->applied < generation && b->phase == BASE_OPEN && code == RC_OK)
        if (!clock_cond_wait(&b->moved, &b->lock, until_ns))
            code = err_set(e, RC_BUSY, "the index has not caught up");
    if (code != RC_OK && e != NULL)
        e->retry_ms = 1000;
    if (code == RC_OK && b->phase != BASE_OPEN)
        code = err_set(e, RC_NOTFOUND, "no such knowledge base");
    (void)pthread_mutex_unlock(&b->lock);
    return code;
}

/* Something deleted is still in its files: a merge is due. */
static bool base_holds_dead(struct base *b)
{
    bool holds = false;

    (void)pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->segments_n && !holds; i++)
        holds = b->segments[i]->versions_dead > 0;
    (void)pthread_mutex_unlock(&b->lock);
    return holds;
}

/* Under engine.lock: the one unused for longest. */
static struct base *idlest(struct engine *g)
{
    struct base *found = NULL;
    uint64_t value;
    size_t at = 0;
    str key;

    while (map_next(g->bases, &at, &key, &value)) {
        struct base *b = (struct base *)(uintptr_t)value;

        if (b->users == 0 && (found == NULL || b->used_ns < found->used_ns))
            found = b;
    }
    return found;
}

void bases_close_idle(struct engine *g, int64_t before_ns)
{
    for (;;) {
        struct base *b = NULL;

        (void)pthread_mutex_lock(&g->lock);
        b = idlest(g);
        if (b != NULL && b->used_ns >= before_ns &&
            map_count(g->bases) <= BASES_OPEN_MAX)
            b = NULL;
        if (b != NULL) {
            base_detach(g, b);
            if (base_holds_dead(b))
                (void)map_slot(g->later, uuid_key(&b->id), NULL);
        }
        (void)pthread_mutex_unlock(&g->lock);
        if (b == NULL)
            return;
        base_free(b);
    }
}

uuid *bases_list(struct engine *g, size_t *n)
{
    uint64_t value;
    size_t at = 0;
    uuid *ids;
    str key;

    (void)pthread_mutex_lock(&g->lock);
    ids = mem_alloc((map_count(g->bases) + 1) * sizeof *ids);
    for (*n = 0; map_next(g->bases, &at, &key, &value); (*n)++)
        ids[*n] = uuid_of_key(key);
    (void)pthread_mutex_unlock(&g->lock);
    return ids;
}

/* ---- what the store tells ---- */

/* Changes of one base: order[from] … order[to - 1] index into v. */
struct told {
    const struct change *v;
    const uint32_t *order;
    size_t from, to;
};

static int compare_told(const void *a, const void *b, void *arg)
{
    const struct change *v = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int by_base = uuid_cmp(v[x].base, v[y].base);

    return by_base != 0 ? by_base : (x > y) - (x < y);
}

static void early_put(struct base *b, const struct change *c)
{
    if (b->early_n == b->early_cap) {
        b->early_cap = b->early_cap == 0 ? 64 : b->early_cap * 2;
        b->early = mem_resize(b->early, b->early_cap * sizeof *b->early);
    }
    b->early[b->early_n++] =
        (struct base_change){c->version, c->generation, (uint8_t)c->state};
}

/* Under the base's lock: all of a commit at once, so that a search sees either
 * the old version of a document or the new one. Segments come first: states
 * may be told before the segment that holds their version. */
static void told_apply(struct base *b, struct told t)
{
    for (size_t i = t.from; i < t.to; i++) {
        const struct change *c = &t.v[t.order[i]];

        if (c->kind == CHANGE_SEGMENTS && b->phase == BASE_OPEN)
            publish_apply(b, c->payload);
    }
    for (size_t i = t.from; i < t.to; i++) {
        const struct change *c = &t.v[t.order[i]];

        if (c->kind == CHANGE_VERSION &&
            (b->phase == BASE_OPENING || b->losing))
            early_put(b, c);
        if (c->kind == CHANGE_VERSION && b->phase == BASE_OPEN)
            state_apply(b, c->version, (uint8_t)c->state);
        else if (c->kind == CHANGE_BASE_GONE) {
            if (b->phase == BASE_OPEN)
                base_doom(b);
            b->phase = BASE_GONE;
        }
        if (b->phase == BASE_OPEN && c->generation > b->applied)
            b->applied = c->generation;
    }
    b->changed_ns = clock_mono_ns();
    (void)pthread_cond_broadcast(&b->moved);
}

static void told_note(struct engine *g, struct told t, bool *gone,
                      bool *deleted)
{
    for (size_t i = t.from; i < t.to; i++) {
        const struct change *c = &t.v[t.order[i]];
        uint64_t *seen = map_slot(g->seen, uuid_key(&c->base), NULL);

        if (c->generation > *seen)
            *seen = c->generation;
        if (c->kind == CHANGE_SEGMENTS)
            ((struct publish *)c->payload)->committed = true;
        *gone |= c->kind == CHANGE_BASE_GONE;
        *deleted |= c->kind == CHANGE_VERSION && c->state == VERSION_GONE;
    }
}

static void told_one_base(struct engine *g, struct told t)
{
    uuid id = t.v[t.order[t.from]].base;
    bool gone = false, deleted = false;
    struct base *b;

    (void)pthread_mutex_lock(&g->lock);
    told_note(g, t, &gone, &deleted);
    b = table_find(g, id);
    if (b != NULL)
        b->users++;
    else if (deleted && !gone)
        (void)map_slot(g->later, uuid_key(&id), NULL);
    if (gone) {
        (void)map_slot(g->gone, uuid_key(&id), NULL);
        (void)map_drop(g->later, uuid_key(&id));
    }
    if (gone && b != NULL)
        base_detach(g, b);
    (void)pthread_mutex_unlock(&g->lock);
    if (b == NULL)
        return;
    (void)pthread_mutex_lock(&b->lock);
    told_apply(b, t);
    (void)pthread_mutex_unlock(&b->lock);
    base_release(g, b);
}

void engine_observe(void *arg, const struct change *changes, size_t n)
{
    struct engine *g = arg;
    uint32_t *order = mem_alloc(n * sizeof *order);

    ASSERT(n <= UINT32_MAX);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, n, sizeof *order, compare_told, (void *)(uintptr_t)changes);
    for (size_t from = 0, to; from < n; from = to) {
        to = from + 1;
        while (to < n &&
               uuid_eq(changes[order[to]].base, changes[order[from]].base))
            to++;
        told_one_base(g, (struct told){changes, order, from, to});
    }
    mem_free(order);
    if (n > 0)
        keeper_ask(g);
}
