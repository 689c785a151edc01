#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

void base_dir_path(const char *dir, uuid base, char to[SEGMENT_PATH_MAX])
{
    char name[UUID_TEXT];
    int n;

    uuid_text(base, name);
    n = snprintf(to, SEGMENT_PATH_MAX, "%s/index/%s", dir, name);
    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}

void segment_path(const char *dir, uuid base, uint64_t id,
                  char to[SEGMENT_PATH_MAX])
{
    char name[UUID_TEXT];
    int n;

    uuid_text(base, name);
    n = snprintf(to, SEGMENT_PATH_MAX, "%s/index/%s/%" PRIu64 ".seg", dir, name,
                 id);
    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}

static void segment_free(struct segment *s)
{
    lex_close(s->lex);
    seg_close(s->seg);
    mem_free(s->path);
    mem_free(s->state);
    mem_free(s->live);
    places_unref(s->places);
    mem_free(s);
}

struct segment *segment_ref(struct segment *s)
{
    (void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void segment_unref(struct segment *s)
{
    if (s == NULL ||
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* One that stays behind is removed when its base is next opened. */
    if (atomic_load(&s->doomed) && s->path != NULL && io_unlink(s->path) != 0 &&
        errno != ENOENT)
        log_warn("engine", "cannot remove path=%s errno=%d", s->path, errno);
    segment_free(s);
}

bool segment_lost(const struct err *e)
{
    return e->code == RC_CORRUPT || e->code == RC_NOTFOUND ||
           e->code == RC_UNSUPPORTED || e->code == RC_FORMAT ||
           (e->code == RC_IO && e->sys == EIO);
}

static rc damaged(struct err *e, const char *what)
{
    return err_set(e, RC_CORRUPT, "%s", what);
}

/* A section that is an array of n records of `size` bytes. */
static bool section_is(str s, size_t n, size_t size)
{
    return s.n == n * size;
}

static rc info_check(struct segment *s, struct err *e)
{
    str bytes = seg_find(s->seg, SECTION_INFO);
    struct info_rec info;

    if (bytes.n != sizeof info)
        return damaged(e, "not a segment of a base");
    memcpy(&info, bytes.p, sizeof info);
    if (info.format > SEGMENT_VERSION)
        return err_set(e, RC_UNSUPPORTED, "segment format %u is newer than %d",
                       (unsigned)info.format, SEGMENT_VERSION);
    if (info.analyser != ANALYSER_VERSION)
        return err_set(e, RC_UNSUPPORTED, "made by analyser %u instead of %d",
                       (unsigned)info.analyser, ANALYSER_VERSION);
    if (!uuid_eq(info.base, s->base) || info.id != s->id)
        return damaged(e, "another segment stands in its place");
    if (info.rows != lex_rows(s->lex))
        return damaged(e, "rows of chunks and words differ");
    s->rows = info.rows;
    s->versions_n = info.versions;
    return RC_OK;
}

/* Rows of a version stand together, versions in the order of their rows. */
static rc versions_check(const struct segment *s, struct err *e)
{
    uint64_t row = 0;

    for (uint32_t i = 0; i < s->versions_n; i++) {
        const struct version_rec *v = &s->versions[i];

        if (v->first_row != row || v->rows > s->rows - row)
            return damaged(e, "rows of a version out of place");
        row += v->rows;
    }
    if (row != s->rows)
        return damaged(e, "rows without a version");
    for (uint32_t i = 0; i < s->versions_n; i++)
        if (s->sorted[i] >= s->versions_n ||
            (i > 0 && uuid_cmp(s->versions[s->sorted[i - 1]].version,
                               s->versions[s->sorted[i]].version) >= 0))
            return damaged(e, "versions out of order");
    return RC_OK;
}

static rc chunks_check(const struct segment *s, struct err *e)
{
    for (uint32_t i = 0; i < s->versions_n; i++) {
        const struct version_rec *v = &s->versions[i];

        for (uint32_t row = v->first_row; row < v->first_row + v->rows; row++) {
            const struct chunk_rec *c = &s->chunks[row];

            if (c->version != i || c->start > c->end ||
                c->end > v->text_bytes || c->start_cp > c->end_cp ||
                c->end_cp > c->end ||
                (c->headings != HEADINGS_NONE && c->headings >= s->headings.n))
                return damaged(e, "a chunk out of place");
        }
    }
    return RC_OK;
}

/* A base without a model has no keys. */
static rc keys_read(struct segment *s, struct err *e)
{
    str bytes = seg_find(s->seg, SECTION_KEYS);

    if (bytes.n == 0)
        return RC_OK;
    if (bytes.n != sizeof s->keys_of + s->rows * sizeof *s->keys)
        return damaged(e, "a table of keys of another size than it should be");
    memcpy(&s->keys_of, bytes.p, sizeof s->keys_of);
    s->keys = (const void *)(bytes.p + sizeof s->keys_of);
    return RC_OK;
}

static rc sections_read(struct segment *s, struct err *e)
{
    str versions, sorted, chunks;
    rc code = lex_open(s->seg, &s->lex, e);

    if (code == RC_OK)
        code = info_check(s, e);
    if (code != RC_OK)
        return code;
    versions = seg_find(s->seg, SECTION_VERSIONS);
    sorted = seg_find(s->seg, SECTION_SORTED);
    chunks = seg_find(s->seg, SECTION_CHUNKS);
    s->headings = seg_find(s->seg, SECTION_HEADINGS);
    if (!section_is(versions, s->versions_n, sizeof *s->versions) ||
        !section_is(sorted, s->versions_n, sizeof *s->sorted) ||
        !section_is(chunks, s->rows, sizeof *s->chunks))
        return damaged(e, "a table has another size than it should");
    /* Sections are aligned to 64 bytes (base/seg.h). */
    s->versions = (const void *)versions.p;
    s->sorted = (const void *)sorted.p;
    s->chunks = (const void *)chunks.p;
    code = versions_check(s, e);
    if (code == RC_OK)
        code = chunks_check(s, e);
    return code == RC_OK ? keys_read(s, e) : code;
}

static rc states_make(struct segment *s, struct err *e)
{
    s->state = mem_try((size_t)s->versions_n + 1);
    s->live = mem_try((segment_live_words(s) + 1) * sizeof *s->live);
    if (s->state == NULL || s->live == NULL)
        return err_set(e, RC_NOMEM, "no memory for the states of %u versions",
                       (unsigned)s->versions_n);
    return RC_OK;
}

static struct segment *segment_new(uuid base, uint64_t id)
{
    struct segment *s = mem_alloc(sizeof *s);

    s->base = base;
    s->id = id;
    atomic_init(&s->refs, 1);
    return s;
}

static rc segment_read(struct segment *s, struct err *e)
{
    rc code = sections_read(s, e);

    return code == RC_OK ? states_make(s, e) : code;
}

rc segment_open(const char *dir, uuid base, uint64_t id, struct segment **out,
                struct err *e)
{
    char path[SEGMENT_PATH_MAX];
    struct segment *s = segment_new(base, id);
    rc code;

    segment_path(dir, base, id, path);
    s->path = mem_alloc(strlen(path) + 1);
    memcpy(s->path, path, strlen(path));
    code = seg_open(path, &s->seg, e);
    if (code == RC_OK) {
        code = segment_read(s, e);
        if (code != RC_OK)
            (void)err_wrap(e, "%s", path);
    }
    if (code != RC_OK) {
        segment_free(s);
        return code;
    }
    s->verified_ns = clock_mono_ns();
    seg_rest(s->seg);
    *out = s;
    return RC_OK;
}

rc segment_open_bytes(str bytes, uuid base, uint64_t id, bool sums_ignore,
                      struct segment **out, struct err *e)
{
    struct segment *s = segment_new(base, id);
    rc code = seg_open_bytes(bytes, sums_ignore, &s->seg, e);

    if (code == RC_OK)
        code = segment_read(s, e);
    if (code != RC_OK) {
        segment_free(s);
        return code;
    }
    *out = s;
    return RC_OK;
}

/* ---- versions ---- */

static int compare_at(const struct segment *s, uint32_t at, const uuid *version)
{
    return uuid_cmp(s->versions[s->sorted[at]].version, *version);
}

bool segment_find(const struct segment *s, uuid version, uint32_t *index)
{
    uint32_t low = 0, high = s->versions_n;

    /* Ids ascend with time: a new one is above all of most segments. */
    if (high == 0 || compare_at(s, high - 1, &version) < 0)
        return false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_at(s, middle, &version);

        if (order == 0) {
            *index = s->sorted[middle];
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

size_t segment_live_words(const struct segment *s)
{
    return ((size_t)s->rows + 63) / 64;
}

void rows_set(uint64_t *words, uint32_t first, uint32_t n, bool on)
{
    for (uint32_t row = first; row < first + n; row++) {
        uint64_t bit = (uint64_t)1 << row % 64;

        if (on)
            words[row / 64] |= bit;
        else
            words[row / 64] &= ~bit;
    }
}

void segment_state_set(struct segment *s, uint32_t version, uint8_t state)
{
    const struct version_rec *v = &s->versions[version];
    uint8_t was = s->state[version];

    if (was == state)
        return;
    s->state[version] = state;
    if (state_dead(was)) {
        s->rows_dead -= v->rows;
        s->versions_dead--;
    }
    if (state_dead(state)) {
        s->rows_dead += v->rows;
        s->versions_dead++;
    }
    if (was == VERSION_ACTIVE)
        s->rows_live -= v->rows;
    if (state == VERSION_ACTIVE)
        s->rows_live += v->rows;
    if (was == VERSION_ACTIVE || state == VERSION_ACTIVE)
        rows_set(s->live, v->first_row, v->rows, state == VERSION_ACTIVE);
}

size_t segment_headings(const struct segment *s, uint32_t row,
                        str path[HEADING_DEPTH_MAX + 1])
{
    uint32_t at = s->chunks[row].headings;
    struct cur c;
    size_t n;

    if (at == HEADINGS_NONE)
        return 0;
    c = cur_of(str_sub(s->headings, at, s->headings.n - at));
    n = cur_u8(&c);
    if (n > HEADING_DEPTH_MAX + 1)
        return 0;
    for (size_t i = 0; i < n; i++)
        path[i] = cur_bytes(&c, cur_varint(&c));
    return c.bad ? 0 : n;
}
