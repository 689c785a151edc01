#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

static int compare_versions(const void *a, const void *b, void *arg)
{
    const struct version_rec *v = arg;

    return uuid_cmp(v[*(const uint32_t *)a].version,
                    v[*(const uint32_t *)b].version);
}

rc write_section(struct seg_writer *w, const char id[4], str bytes,
                 struct err *e)
{
    rc code = seg_section(w, id, e);

    return code == RC_OK ? seg_put(w, bytes.p, bytes.n, e) : code;
}

rc write_sorted(struct seg_writer *w, const struct version_rec *v, uint32_t n,
                struct err *e)
{
    uint32_t *order = mem_try(((size_t)n + 1) * sizeof *order);
    rc code = RC_OK;

    if (order == NULL)
        return err_set(e, RC_NOMEM, "no memory to sort %u versions",
                       (unsigned)n);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    qsort_r(order, n, sizeof *order, compare_versions, (void *)(uintptr_t)v);
    for (uint32_t i = 1; i < n && code == RC_OK; i++)
        if (uuid_eq(v[order[i - 1]].version, v[order[i]].version))
            code = err_set(e, RC_INVALID, "a version twice in one segment");
    if (code == RC_OK)
        code = write_section(w, SECTION_SORTED,
                             (str){(const char *)order, n * sizeof *order}, e);
    mem_free(order);
    return code;
}

rc write_info(struct seg_writer *w, uuid base, uint64_t id, uint32_t rows,
              uint32_t versions, struct err *e)
{
    const struct info_rec info = {
        .format = SEGMENT_VERSION,
        .rows = rows,
        .versions = versions,
        .analyser = ANALYSER_VERSION,
        .base = base,
        .id = id,
        .created_ms = clock_wall_ms(),
    };

    return write_section(w, SECTION_INFO,
                         (str){(const char *)&info, sizeof info}, e);
}

struct ids_write {
    struct write write;
    uuid base;
    uint64_t first, last;
};

static rc ids_run(struct write *w, struct db *db, struct err *e)
{
    struct ids_write *i = (struct ids_write *)w;
    rc code = db_segment_next(db, i->base, &i->first, e);

    i->last = i->first;
    for (size_t k = 1; k < IDS_AT_ONCE && code == RC_OK; k++)
        code = db_segment_next(db, i->base, &i->last, e);
    return code;
}

rc segment_id_next(struct engine *g, struct base *b, uint64_t *id,
                   struct err *e)
{
    struct ids_write i = {.write = {.run = ids_run, .frees = true},
                          .base = b->id};
    rc code = RC_OK;

    (void)pthread_mutex_lock(&b->ids_lock);
    if (b->id_next == b->id_end) {
        code = store_write(g->store, &i.write, e);
        if (code == RC_OK) {
            b->id_next = i.first;
            b->id_end = i.last + 1;
        }
    }
    if (code == RC_OK)
        *id = b->id_next++;
    (void)pthread_mutex_unlock(&b->ids_lock);
    return code;
}

rc segment_row_put(struct db *db, const struct segment *s, struct err *e)
{
    const struct segment_row row = {
        .base = s->base,
        .id = s->id,
        .rows = s->rows,
        .versions = s->versions_n,
        .bytes = seg_bytes(s->seg),
        .created_ms = clock_wall_ms(),
    };

    return db_segment_put(db, &row, e);
}

bool outcome_known(struct engine *g)
{
    struct store_stats st;

    store_stats(g->store, &st);
    return !st.stopped;
}
