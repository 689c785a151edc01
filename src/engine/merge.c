#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

/*
 * Tiers: segments of similar size (a factor of 8 from 32 KiB on) are merged
 * when there are 8 of them, so each byte is written about once a tier. Beside
 * that a segment is rewritten when a fifth of its rows is dead, and in a quiet
 * moment when anything in it is: what was deleted leaves the disk. How quiet
 * grows with its size, so that a trickle of deletes doesn't rewrite a gigabyte
 * each time. While documents pour in a tier may hold more: merging can wait for
 * the moment after, and then takes more of them at once.
 */
#define TIER_BYTES_MIN ((uint64_t)32 << 10)
#define TIER_SEGMENTS 8
#define TIER_SEGMENTS_BUSY 32
#define BUSY_NS ((int64_t)1 * 1000000000) /* since the last change */
#define TIERS 6 /* the last one begins at 128 MiB and is left alone */
#define MERGE_SEGMENTS_MAX 64
#define MERGE_BYTES_MAX ((uint64_t)1 << 30)
/* Two segments of any tier but the last have fewer: a chunk takes 44 bytes. */
#define MERGE_ROWS_MAX ((uint64_t)12 << 20)
#define DEAD_SHARE 5
#define QUIET_NS ((int64_t)2 * 1000000000)
#define QUIET_NS_PER_MIB ((int64_t)50 * 1000000)
#define RETRY_NS ((int64_t)30 * 1000000000)

struct merge {
    struct engine *g;
    struct base *base;
    struct segment *from[MERGE_SEGMENTS_MAX];
    size_t from_n;
    /* of each: the states when the merge began, and where its rows go */
    uint8_t *state[MERGE_SEGMENTS_MAX];
    uint32_t *to[MERGE_SEGMENTS_MAX];
    struct version_rec *versions; /* kept, in their new order */
    struct place *places;         /* of each: where it stood */
    uint32_t versions_n, rows;
    struct publish publish;
};

/* ---- which ---- */

static unsigned tier_of(const struct segment *s)
{
    uint64_t bytes = seg_bytes(s->seg), bound = TIER_BYTES_MIN;
    unsigned tier = 0;

    while (tier < TIERS - 1 && bytes >= bound) {
        bound *= 8;
        tier++;
    }
    return tier;
}

static void pick(struct merge *m, struct segment *s, uint64_t *bytes,
                 uint64_t *rows)
{
    if (m->from_n > 0 && (m->from_n == MERGE_SEGMENTS_MAX ||
                          *bytes + seg_bytes(s->seg) > MERGE_BYTES_MAX ||
                          *rows + s->rows > MERGE_ROWS_MAX))
        return;
    m->from[m->from_n++] = s;
    *bytes += seg_bytes(s->seg);
    *rows += s->rows;
}

/* The fullest tier, so that none waits for the others to be empty. */
static bool pick_tier(const struct base *b, struct merge *m, bool now)
{
    bool busy = !now && clock_mono_ns() - b->changed_ns < BUSY_NS;
    size_t count[TIERS] = {0};
    unsigned fullest = 0;
    uint64_t bytes = 0, rows = 0;

    for (size_t i = 0; i < b->segments_n; i++)
        count[tier_of(b->segments[i])]++;
    for (unsigned tier = 1; tier < TIERS - 1; tier++)
        if (count[tier] > count[fullest])
            fullest = tier;
    if (count[fullest] < (busy ? TIER_SEGMENTS_BUSY : TIER_SEGMENTS))
        return false;
    for (size_t i = 0; i < b->segments_n; i++)
        if (tier_of(b->segments[i]) == fullest)
            pick(m, b->segments[i], &bytes, &rows);
    if (m->from_n > 1)
        return true;
    m->from_n = 0;
    return false;
}

static bool pick_dead(const struct base *b, struct merge *m, bool now)
{
    int64_t quiet_ns = clock_mono_ns() - b->changed_ns;

    for (size_t i = 0; i < b->segments_n; i++) {
        struct segment *s = b->segments[i];
        int64_t wait_ns =
            QUIET_NS + (int64_t)(seg_bytes(s->seg) >> 20) * QUIET_NS_PER_MIB;

        if (s->versions_dead == 0)
            continue;
        if (now || quiet_ns >= wait_ns ||
            (uint64_t)s->rows_dead * DEAD_SHARE > s->rows) {
            m->from[0] = s;
            m->from_n = 1;
            return true;
        }
    }
    return false;
}

/* Under the base's lock: takes references and the states of this moment. */
static rc merge_begin(struct merge *m, struct err *e)
{
    for (size_t i = 0; i < m->from_n; i++)
        (void)segment_ref(m->from[i]);
    for (size_t i = 0; i < m->from_n; i++) {
        const struct segment *s = m->from[i];

        m->state[i] = mem_try((size_t)s->versions_n + 1);
        if (m->state[i] == NULL)
            return err_set(e, RC_NOMEM, "no memory to merge");
        memcpy(m->state[i], s->state, s->versions_n);
    }
    return RC_OK;
}

/* ---- what stays ---- */

static rc kept_number(struct merge *m, size_t i, struct err *e)
{
    const struct segment *s = m->from[i];

    m->to[i] = mem_try(((size_t)s->rows + 1) * sizeof *m->to[i]);
    if (m->to[i] == NULL)
        return err_set(e, RC_NOMEM, "no memory to merge %u rows",
                       (unsigned)s->rows);
    for (uint32_t k = 0; k < s->versions_n; k++) {
        const struct version_rec *v = &s->versions[k];
        bool dead = state_dead(m->state[i][k]);

        for (uint32_t row = 0; row < v->rows; row++)
            m->to[i][v->first_row + row] = dead ? LEX_ROW_DROP : m->rows + row;
        if (dead)
            continue;
        m->versions[m->versions_n] = *v;
        m->versions[m->versions_n].first_row = m->rows;
        m->places[m->versions_n] = (struct place){(uint32_t)i, k};
        m->versions_n++;
        m->rows += v->rows;
    }
    return RC_OK;
}

static rc merge_plan(struct merge *m, struct err *e)
{
    size_t versions = 1;
    rc code = RC_OK;

    for (size_t i = 0; i < m->from_n; i++)
        versions += m->from[i]->versions_n;
    m->versions = mem_try(versions * sizeof *m->versions);
    m->places = mem_try(versions * sizeof *m->places);
    if (m->versions == NULL || m->places == NULL)
        return err_set(e, RC_NOMEM, "no memory to merge %zu versions",
                       versions);
    for (size_t i = 0; i < m->from_n && code == RC_OK; i++)
        code = kept_number(m, i, e);
    return code;
}

/* ---- the new file ---- */

/* Chunks under one heading share its path and follow each other. */
struct headings_walk {
    uint32_t from, was; /* the input and its offset */
    uint64_t bytes;     /* of the new section so far */
    uint32_t at;        /* where this path is in it */
};

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

/* The stored bytes of the row's path; empty: none, or the same as before. */
static str headings_step(const struct merge *m, uint32_t from, uint32_t row,
                         struct headings_walk *h)
{
    const struct segment *s = m->from[from];
    uint32_t was = s->chunks[row].headings;
    str path[HEADING_DEPTH_MAX + 1];
    size_t n, bytes = 1;

    if (h->from == from && h->was == was)
        return STR_NONE;
    h->from = from;
    h->was = was;
    n = segment_headings(s, row, path);
    if (n == 0) {
        h->at = HEADINGS_NONE;
        return STR_NONE;
    }
    for (size_t i = 0; i < n; i++)
        bytes += varint_bytes(path[i].n) + path[i].n;
    h->at = (uint32_t)h->bytes;
    h->bytes += bytes;
    return str_sub(s->headings, was, bytes);
}

static rc chunks_write(const struct merge *m, struct seg_writer *w,
                       struct err *e)
{
    struct headings_walk h = {.from = UINT32_MAX, .at = HEADINGS_NONE};
    rc code = seg_section(w, SECTION_CHUNKS, e);

    for (uint32_t i = 0; i < m->versions_n && code == RC_OK; i++) {
        const struct segment *s = m->from[m->places[i].from];
        const struct version_rec *v = &s->versions[m->places[i].version];

        for (uint32_t k = 0; k < v->rows && code == RC_OK; k++) {
            struct chunk_rec c = s->chunks[v->first_row + k];

            (void)headings_step(m, m->places[i].from, v->first_row + k, &h);
            if (h.bytes > UINT32_MAX)
                return err_set(e, RC_LIMIT, "too many headings to merge");
            c.version = i;
            c.headings = h.at;
            code = seg_put(w, &c, sizeof c, e);
        }
    }
    return code;
}

static rc headings_write(const struct merge *m, struct seg_writer *w,
                         struct err *e)
{
    struct headings_walk h = {.from = UINT32_MAX, .at = HEADINGS_NONE};
    rc code = seg_section(w, SECTION_HEADINGS, e);

    for (uint32_t i = 0; i < m->versions_n && code == RC_OK; i++) {
        const struct segment *s = m->from[m->places[i].from];
        const struct version_rec *v = &s->versions[m->places[i].version];

        for (uint32_t k = 0; k < v->rows && code == RC_OK; k++) {
            str bytes =
                headings_step(m, m->places[i].from, v->first_row + k, &h);

            if (bytes.n > 0)
                code = seg_put(w, bytes.p, bytes.n, e);
        }
    }
    return code;
}

/* Keys of the newest input's model; rows of another's have none any more. */
static rc keys_write(const struct merge *m, struct seg_writer *w, struct err *e)
{
    static const struct vec_key NONE;
    const sha256 *of = NULL;
    rc code;

    for (size_t i = 0; i < m->from_n; i++)
        if (m->from[i]->keys != NULL)
            of = &m->from[i]->keys_of;
    if (of == NULL)
        return RC_OK;
    code = seg_section(w, SECTION_KEYS, e);
    if (code == RC_OK)
        code = seg_put(w, of->b, sizeof of->b, e);
    for (uint32_t i = 0; i < m->versions_n && code == RC_OK; i++) {
        const struct segment *s = m->from[m->places[i].from];
        const struct version_rec *v = &s->versions[m->places[i].version];
        bool same = s->keys != NULL && sha256_eq(&s->keys_of, of);

        for (uint32_t k = 0; k < v->rows && code == RC_OK; k++)
            code = seg_put(w, same ? &s->keys[v->first_row + k] : &NONE,
                           sizeof NONE, e);
    }
    return code;
}

static rc words_write(const struct merge *m, struct seg_writer *w,
                      struct err *e)
{
    const struct lex *from[MERGE_SEGMENTS_MAX];
    const uint32_t *to[MERGE_SEGMENTS_MAX];

    for (size_t i = 0; i < m->from_n; i++) {
        from[i] = m->from[i]->lex;
        to[i] = m->to[i];
    }
    return lex_merge(from, to, m->from_n, m->rows, w, e);
}

static rc sections_write(const struct merge *m, uint64_t id,
                         struct seg_writer *w, struct err *e)
{
    rc code = write_info(w, m->base->id, id, m->rows, m->versions_n, e);

    if (code == RC_OK)
        code = write_section(w, SECTION_VERSIONS,
                             (str){(const char *)m->versions,
                                   m->versions_n * sizeof *m->versions},
                             e);
    if (code == RC_OK)
        code = write_sorted(w, m->versions, m->versions_n, e);
    if (code == RC_OK)
        code = chunks_write(m, w, e);
    if (code == RC_OK)
        code = headings_write(m, w, e);
    if (code == RC_OK)
        code = keys_write(m, w, e);
    return code == RC_OK ? words_write(m, w, e) : code;
}

static rc file_make(struct merge *m, struct err *e)
{
    char path[SEGMENT_PATH_MAX];
    struct seg_writer *w;
    uint64_t id;
    rc code = segment_id_next(m->g, m->base, &id, e);

    if (code != RC_OK)
        return code;
    segment_path(m->g->dir, m->base->id, id, path);
    code = seg_writer_open(path, &w, e);
    if (code != RC_OK)
        return code;
    seg_writer_cancel_on(w, &m->g->ending);
    code = sections_write(m, id, w, e);
    if (code == RC_OK)
        code = seg_writer_end(w, NULL, e);
    seg_writer_close(w);
    if (code != RC_OK)
        return code;
    code = segment_open(m->g->dir, m->base->id, id, &m->publish.add, e);
    if (code != RC_OK)
        (void)io_unlink(path);
    return code;
}

/* ---- the commit ---- */

struct merge_write {
    struct write write;
    struct merge *m;
};

static rc merge_run(struct write *w, struct db *db, struct err *e)
{
    struct merge *m = ((struct merge_write *)w)->m;
    const struct change c = {
        .kind = CHANGE_SEGMENTS, .base = m->base->id, .payload = &m->publish};
    rc code = RC_OK;

    for (size_t i = 0; i < m->from_n && code == RC_OK; i++)
        code = db_segment_drop(db, m->base->id, m->from[i]->id, e);
    if (code == RC_OK && m->publish.add != NULL)
        code = segment_row_put(db, m->publish.add, e);
    return code == RC_OK ? db_change(db, &c, e) : code;
}

static rc merge_do(struct merge *m, struct err *e)
{
    /* It adds one row for several. */
    struct merge_write w = {.write = {.run = merge_run, .frees = true}, .m = m};
    rc code = merge_plan(m, e);

    if (code == RC_OK && m->versions_n > 0)
        code = file_make(m, e);
    if (code != RC_OK)
        return code;
    m->publish.drop = m->from;
    m->publish.drop_n = m->from_n;
    m->publish.places = m->places;
    return store_write(m->g->store, &w.write, e);
}

static void merge_close(struct merge *m)
{
    struct segment *add = m->publish.add;

    if (add != NULL && !m->publish.committed && outcome_known(m->g))
        atomic_store(&add->doomed, true);
    segment_unref(add);
    for (size_t i = 0; i < m->from_n; i++) {
        segment_unref(m->from[i]);
        mem_free(m->state[i]);
        mem_free(m->to[i]);
    }
    mem_free(m->versions);
    mem_free(m->places);
}

rc merge_step(struct engine *g, struct base *b, bool now, bool *did,
              struct err *e)
{
    struct merge m = {.g = g, .base = b};
    rc code = RC_OK;

    *did = false;
    (void)pthread_mutex_lock(&b->lock);
    if (b->phase == BASE_OPEN && (now || clock_mono_ns() >= b->rest_until_ns) &&
        (pick_tier(b, &m, now) || pick_dead(b, &m, now))) {
        *did = true;
        code = merge_begin(&m, e);
    }
    (void)pthread_mutex_unlock(&b->lock);
    if (!*did)
        return RC_OK;
    if (code == RC_OK)
        code = merge_do(&m, e);
    merge_close(&m);
    if (code == RC_OK) {
        atomic_fetch_add(&g->merges_n, 1);
        return RC_OK;
    }
    (void)pthread_mutex_lock(&b->lock);
    *did = false;
    b->rest_until_ns = clock_mono_ns() + RETRY_NS;
    (void)pthread_mutex_unlock(&b->lock);
    return err_wrap(e, "merge");
}
