/*
 * Files that stay open are verified again: a disk may lose what it still had
 * when they were opened. One at a time, whichever was verified longest ago; a
 * damaged one is lost as if it had been found so at opening. What is in the
 * page cache is looked at there, as searches see it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

/* So much a second at most: a few hundredths of what the slowest disk reads,
 * and 345 GB a day. */
#define SLICE_BYTES ((uint64_t)4 << 20)
#define SLICE_NS ((int64_t)1 * 1000000000)
/* What finding and opening a file counts beside its bytes. */
#define FILE_BYTES ((uint64_t)64 << 10)
#define RETRY_NS ((int64_t)60 * 1000000000)

static bool is_none(const struct open_file *f)
{
    return f->verified_ns == NULL;
}

static void give_back(struct open_file *f)
{
    segment_unref(f->segment);
    vector_file_unref(f->vectors);
    *f = (struct open_file){0};
}

/* ---- which ---- */

/* The base's file that was verified longest ago, referenced; none if the base
 * isn't open yet. */
static struct open_file base_oldest(struct base *b)
{
    struct open_file f = {0};
    const struct vectors *v;

    (void)pthread_mutex_lock(&b->lock);
    v = b->phase == BASE_OPEN ? b->vectors : NULL;
    for (size_t i = 0; b->phase == BASE_OPEN && i < b->segments_n; i++) {
        struct segment *s = b->segments[i];

        if (is_none(&f) || s->verified_ns < *f.verified_ns)
            f = (struct open_file){b->id, s, NULL, &s->verified_ns};
    }
    for (size_t i = 0; v != NULL && i < v->n; i++) {
        struct vector_file *of = v->v[i];

        if (is_none(&f) || of->verified_ns < *f.verified_ns)
            f = (struct open_file){b->id, NULL, of, &of->verified_ns};
    }
    if (f.segment != NULL)
        (void)segment_ref(f.segment);
    if (f.vectors != NULL)
        (void)vector_file_ref(f.vectors);
    (void)pthread_mutex_unlock(&b->lock);
    return f;
}

static struct open_file oldest(struct engine *g)
{
    struct open_file best = {0};
    size_t n;
    uuid *ids = bases_list(g, &n);

    for (size_t i = 0; i < n; i++) {
        struct base *b = base_hold(g, ids[i]);
        struct open_file f;

        if (b == NULL)
            continue;
        f = base_oldest(b);
        base_let_go(g, b);
        if (!is_none(&f) &&
            (is_none(&best) || *f.verified_ns < *best.verified_ns)) {
            struct open_file other = best;

            best = f;
            f = other;
        }
        give_back(&f);
    }
    mem_free(ids);
    return best;
}

/* Chooses a file that is due at this moment; false: none is. Files opened from
 * now on are due later than those that are open. */
static bool pick(struct engine *g, int64_t at_ns)
{
    struct scrub *k = &g->scrub;
    struct open_file f;

    if (at_ns < k->next_ns)
        return false;
    f = oldest(g);
    k->next_ns = (is_none(&f) ? at_ns : *f.verified_ns) + g->verify_ns;
    if (is_none(&f) || k->next_ns > at_ns) {
        give_back(&f);
        return false;
    }
    k->file = f;
    return true;
}

/* ---- one ---- */

static void file_end(struct scrub *k)
{
    seg_verifier_close(k->verifier);
    k->verifier = NULL;
    give_back(&k->file);
}

/* Whether it is still in use: merges remove files, bases are closed. */
static bool is_wanted(struct engine *g, const struct open_file *f)
{
    struct base *b = base_hold(g, f->base);

    if (b == NULL)
        return false;
    base_let_go(g, b);
    return !atomic_load(f->segment != NULL ? &f->segment->doomed
                                           : &f->vectors->doomed);
}

static rc file_lose(struct engine *g, const struct open_file *f,
                    const struct err *why, struct err *e)
{
    struct base *b = base_hold(g, f->base);
    rc code = RC_OK;

    if (b == NULL) /* closed meanwhile: opening it finds the same */
        return RC_OK;
    if (f->segment != NULL)
        code = base_lose(g, b, f->segment, why, e);
    else
        vectors_lose(g, b, f->vectors, why);
    base_let_go(g, b);
    return code;
}

static rc file_read_on(struct scrub *k, size_t *bytes, struct err *e)
{
    const struct open_file *f = &k->file;
    rc code = RC_OK;

    *bytes = 0;
    if (k->verifier == NULL)
        code = f->segment != NULL
                   ? seg_verifier_open(f->segment->seg, f->segment->path,
                                       &k->verifier, e)
                   : seg_verifier_open(vec_seg(f->vectors->f), f->vectors->path,
                                       &k->verifier, e);
    return code == RC_OK ? seg_verifier_step(k->verifier, bytes, e) : code;
}

/* A part of the file under way; what it counts. */
static uint64_t file_step(struct engine *g)
{
    struct scrub *k = &g->scrub;
    struct err why = {0}, e = {0};
    size_t bytes;
    rc code = file_read_on(k, &bytes, &why);

    if (code == RC_OK && bytes > 0)
        return bytes;
    if (code != RC_OK && segment_lost(&why)) {
        code = file_lose(g, &k->file, &why, &e);
        if (code != RC_OK)
            log_warn("engine", "cannot drop what is damaged error=\"%s\"",
                     e.text);
    } else if (code != RC_OK) {
        log_warn("engine", "cannot verify again error=\"%s\"", why.text);
    }
    *k->file.verified_ns =
        clock_mono_ns() + (code == RC_OK ? 0 : RETRY_NS - g->verify_ns);
    k->next_ns = 0;
    file_end(k);
    return FILE_BYTES;
}

void scrub_step(struct engine *g, bool now)
{
    struct scrub *k = &g->scrub;
    uint64_t left = now ? UINT64_MAX : SLICE_BYTES;
    int64_t at_ns = clock_mono_ns();

    if (!now && at_ns - k->last_ns < SLICE_NS)
        return;
    k->last_ns = at_ns;
    if (!is_none(&k->file) && !is_wanted(g, &k->file))
        file_end(k);
    while (left > 0 && !atomic_load(&g->ending) &&
           (!is_none(&k->file) || pick(g, at_ns))) {
        uint64_t bytes = file_step(g);

        left -= bytes < left ? bytes : left;
    }
}

void scrub_end(struct engine *g)
{
    file_end(&g->scrub);
}
