#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

#define BASE_FOLDERS_MAX ((size_t)1 << 20)

/* A mapped page that the disk could not give ended the last process: the file
 * it belongs to is rebuilt, and not read again. */
static rc bad_map_forget(struct engine *g, const char *note, struct arena *tmp,
                         struct err *e)
{
    str path, folder = arena_fmt(tmp, "%s/index/", g->dir),
              vectors = arena_fmt(tmp, "%s/vectors/", g->dir);
    rc code = file_read(note, SEGMENT_PATH_MAX, tmp, &path, e);

    if (code == RC_NOTFOUND)
        return RC_OK;
    if (code != RC_OK)
        return code;
    if ((str_starts(path, folder) && str_ends(path, STR(".seg"))) ||
        (str_starts(path, vectors) && str_ends(path, STR(".vec")))) {
        log_error("engine", "unreadable, will be rebuilt path=" STR_FMT,
                  STR_ARG(path));
        if (io_unlink(arena_cstr(tmp, path)) != 0 && errno != ENOENT)
            return err_errno(e, RC_IO, errno, "cannot remove " STR_FMT,
                             STR_ARG(path));
    }
    if (io_unlink(note) != 0)
        return err_errno(e, RC_IO, errno, "cannot remove %s", note);
    return RC_OK;
}

/* Folders of bases that are no more: the keeper removes them. */
static rc folders_compare(struct engine *g, struct arena *tmp, struct err *e)
{
    struct map *bases = map_open();
    struct db *db = NULL;
    uuid *ids, id;
    size_t ids_n, names_n = 0;
    str *names = NULL, dir = arena_fmt(tmp, "%s/index", g->dir);
    rc code = file_mkdirs(dir.p, 0700, e);

    if (code == RC_OK)
        code = file_list(dir.p, BASE_FOLDERS_MAX, tmp, &names, &names_n, e);
    if (code == RC_OK)
        code = store_read_begin(g->store, &db, e);
    if (code != RC_OK)
        goto done;
    code = db_base_ids(db, tmp, &ids, &ids_n, e);
    store_read_end(db);
    if (code != RC_OK)
        goto done;
    for (size_t i = 0; i < ids_n; i++)
        (void)map_slot(bases, uuid_key(&ids[i]), NULL);
    for (size_t i = 0; i < names_n; i++)
        if (uuid_parse(names[i], STR_NONE, &id, tmp, NULL) &&
            map_find(bases, uuid_key(&id)) == NULL)
            (void)map_slot(g->gone, uuid_key(&id), NULL);
done:
    map_close(bases);
    return code;
}

static rc folder_open(struct engine *g, struct err *e)
{
    struct arena *tmp = arena_open();
    str note = arena_fmt(tmp, "%s/index/bad-map", g->dir);
    rc code = folders_compare(g, tmp, e);

    if (code == RC_OK)
        code = bad_map_forget(g, note.p, tmp, e);
    if (code == RC_OK)
        code = file_map_guard(note.p, e);
    arena_close(tmp);
    return code;
}

rc engine_open(const struct engine_opts *o, struct engine **out, struct err *e)
{
    struct engine *g = mem_alloc(sizeof *g);
    rc code;

    g->store = o->store;
    g->dir = store_dir(o->store);
    g->merges = o->merges;
    g->exact_rows_max =
        o->exact_rows_max > 0 ? o->exact_rows_max : EXACT_ROWS_MAX;
    g->rescored = o->rescored > 0 ? o->rescored : RESCORED;
    g->verify_ns = o->verify_ns > 0 ? o->verify_ns : VERIFY_NS;
    g->on_missing = o->on_missing;
    g->on_lacking = o->on_lacking;
    g->arg = o->arg;
    ASSERT(pthread_mutex_init(&g->lock, NULL) == 0);
    clock_cond_init(&g->wake);
    g->bases = map_open();
    g->seen = map_open();
    g->later = map_open();
    g->gone = map_open();
    code = folder_open(g, e);
    if (code == RC_OK) {
        store_observe(g->store, engine_observe, g);
        code = keeper_start(g, e);
    }
    if (code != RC_OK) {
        (void)err_wrap(e, "index");
        engine_close(g);
        return code;
    }
    *out = g;
    return RC_OK;
}

struct analyser *analyser_take(struct engine *g)
{
    struct analyser *a = NULL;

    (void)pthread_mutex_lock(&g->lock);
    if (g->analysers_n > 0)
        a = g->analysers[--g->analysers_n];
    (void)pthread_mutex_unlock(&g->lock);
    return a == NULL ? analyser_open() : a;
}

void analyser_give(struct engine *g, struct analyser *a)
{
    (void)pthread_mutex_lock(&g->lock);
    if (g->analysers_n < ANALYSERS_IDLE_MAX) {
        g->analysers[g->analysers_n++] = a;
        a = NULL;
    }
    (void)pthread_mutex_unlock(&g->lock);
    analyser_close(a);
}

void engine_close(struct engine *g)
{
    uint64_t value;
    size_t at = 0;
    str key;

    if (g == NULL)
        return;
    keeper_end(g);
    store_observe(g->store, NULL, NULL);
    while (map_next(g->bases, &at, &key, &value)) {
        struct base *b = (struct base *)(uintptr_t)value;

        ASSERT(b->users == 0);
        base_free(b);
    }
    while (g->analysers_n > 0)
        analyser_close(g->analysers[--g->analysers_n]);
    map_close(g->bases);
    map_close(g->seen);
    map_close(g->later);
    map_close(g->gone);
    (void)pthread_cond_destroy(&g->wake);
    (void)pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

rc engine_missing(struct engine *g, uuid base, struct arena *out,
                  uuid **versions, size_t *n, struct err *e)
{
    struct base *b;
    uint64_t value;
    size_t at = 0;
    str key;
    rc code =
        base_acquire(g, base, NULL, clock_mono_ns() + OPEN_WAIT_NS, &b, e);

    *versions = NULL;
    *n = 0;
    if (code != RC_OK)
        return code;
    (void)pthread_mutex_lock(&b->lock);
    if (b->missing != NULL) {
        *versions = ARENA_ARRAY(out, uuid, map_count(b->missing));
        while (map_next(b->missing, &at, &key, &value))
            (*versions)[(*n)++] = uuid_of_key(key);
    }
    (void)pthread_mutex_unlock(&b->lock);
    base_release(g, b);
    return RC_OK;
}

void engine_stats(struct engine *g, struct engine_stats *st)
{
    uint64_t value;
    size_t at = 0;
    str key;

    *st = (struct engine_stats){
        .merges = atomic_load(&g->merges_n),
        .rebuilt = atomic_load(&g->rebuilt_n),
    };
    (void)pthread_mutex_lock(&g->lock);
    while (map_next(g->bases, &at, &key, &value)) {
        struct base *b = (struct base *)(uintptr_t)value;

        (void)pthread_mutex_lock(&b->lock);
        if (b->phase == BASE_OPEN) {
            st->bases_open++;
            st->segments += b->segments_n;
            for (size_t i = 0; i < b->segments_n; i++) {
                st->rows += b->segments[i]->rows;
                st->rows_dead += b->segments[i]->rows_dead;
                st->bytes += seg_bytes(b->segments[i]->seg);
            }
        }
        (void)pthread_mutex_unlock(&b->lock);
    }
    (void)pthread_mutex_unlock(&g->lock);
}
