#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_priv.h"
#include "text/utf8.h"

/* A running server commits and merges meanwhile: the list of segments is read
 * again until all that it names have been looked at. This often at most. */
#define READS_MAX 1000

struct suspect {
    uint64_t id;
    const char *why;
};

struct check {
    struct store *store;
    bool deep;
    check_report *report;
    void *arg;
    uint64_t found;
    /* of one base */
    struct arena *tmp;
    uuid base;
    struct arena *reading; /* the last reading lives here: */
    struct segment_row *rows;
    size_t rows_n;
    struct indexed_version *versions;
    size_t versions_n;
    struct map *held;   /* versions in sound segments */
    struct map *looked; /* ids of segments, sound or not */
    struct suspect *suspects;
    size_t suspects_n, suspects_cap;
};

static void finding(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void finding(struct check *c, const char *fmt, ...)
{
    char base[UUID_TEXT], text[512], line[600];
    va_list ap;

    uuid_text(c->base, base);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)snprintf(line, sizeof line, "index of base %s: %s", base, text);
    c->report(c->arg, line);
    c->found++;
}

static int compare_indexed(const void *a, const void *b)
{
    return uuid_cmp(((const struct indexed_version *)a)->version,
                    ((const struct indexed_version *)b)->version);
}

/* Rows and versions at one moment, versions by id. */
static rc base_read(struct check *c, struct err *e)
{
    struct db *db;
    rc code = store_read_begin(c->store, &db, e);

    if (code != RC_OK)
        return code;
    arena_rewind(c->reading, (struct arena_mark){0});
    code = db_segment_list(db, c->base, c->reading, &c->rows, &c->rows_n, e);
    if (code == RC_OK)
        code = db_versions_indexed(db, c->base, c->reading, &c->versions,
                                   &c->versions_n, e);
    store_read_end(db);
    if (code == RC_OK && c->versions_n > 0)
        qsort(c->versions, c->versions_n, sizeof *c->versions, compare_indexed);
    return code;
}

static const struct indexed_version *indexed_find(const struct check *c,
                                                  uuid version)
{
    const struct indexed_version key = {.version = version};

    return c->versions_n == 0 ? NULL
                              : bsearch(&key, c->versions, c->versions_n,
                                        sizeof *c->versions, compare_indexed);
}

/* ---- deep: chunks against the text they are of ---- */

static void chunks_check(struct check *c, const struct segment *s,
                         const struct version_rec *v, str text)
{
    char version[UUID_TEXT];
    uint64_t byte = 0, cp = 0; /* of the last chunk's start */

    uuid_text(v->version, version);
    if (text.n != v->text_bytes) {
        finding(c, "version %s: text has %zu bytes, its chunks are of %" PRIu32,
                version, text.n, v->text_bytes);
        return;
    }
    for (uint32_t i = 0; i < v->rows; i++) {
        const struct chunk_rec *r = &s->chunks[v->first_row + i];

        if (r->start < byte) { /* never by our chunker; still counted right */
            byte = 0;
            cp = 0;
        }
        cp += utf8_count(str_sub(text, byte, r->start - byte));
        byte = r->start;
        if (cp != r->start_cp ||
            cp + utf8_count(str_sub(text, r->start, r->end - r->start)) !=
                r->end_cp) {
            finding(c, "version %s: chunk %" PRIu32 " is out of place", version,
                    i);
            return;
        }
    }
}

static rc version_check(struct check *c, struct db *db, const struct segment *s,
                        const struct version_rec *v, struct err *e)
{
    char version[UUID_TEXT];
    struct arena *tmp = arena_open();
    struct hit_row hit;
    str text;
    rc code = db_hit(db, c->base, v->version, tmp, &hit, e);

    uuid_text(v->version, version);
    if (code == RC_OK) {
        if (!uuid_eq(hit.document, v->document) || hit.number != v->number)
            finding(c,
                    "version %s: the segment says another document or "
                    "number",
                    version);
        /* Rows of its former text wait for a merge to drop them. */
        if (v->origin >= hit.text_since) {
            code = blob_read(db, &hit.text_sha, TEXT_BYTES_MAX, tmp, &text, e);
            if (code == RC_OK)
                chunks_check(c, s, v, text);
        }
    }
    /* Deleted since its state was read, or the store's own finding. */
    if (code == RC_NOTFOUND || code == RC_CORRUPT)
        code = RC_OK;
    arena_close(tmp);
    return code;
}

static rc segment_check_deep(struct check *c, const struct segment *s,
                             struct err *e)
{
    struct err why = {0};
    struct db *db;
    rc code = RC_OK;

    if (lex_check(s->lex, &why) != RC_OK)
        finding(c, "segment %" PRIu64 ": %s", s->id, why.text);
    code = store_read_begin(c->store, &db, e);
    if (code != RC_OK)
        return code;
    for (uint32_t i = 0; i < s->versions_n && code == RC_OK; i++)
        if (indexed_find(c, s->versions[i].version) != NULL)
            code = version_check(c, db, s, &s->versions[i], e);
    store_read_end(db);
    return code;
}

/* ---- a base ---- */

/* What is wrong with its file is only a suspicion: the segment may have been
 * merged away since its row was read. */
static void suspect(struct check *c, uint64_t id, const char *why)
{
    const struct suspect s = {id, arena_cstr(c->tmp, str_of(why))};

    ARENA_PUSH(c->tmp, c->suspects, c->suspects_n, c->suspects_cap, s);
}

static rc segment_check(struct check *c, const struct segment_row *row,
                        struct err *e)
{
    struct err why = {0};
    struct segment *s;
    rc code = segment_open(store_dir(c->store), c->base, row->id, &s, &why);

    if (code != RC_OK && segment_lost(&why)) {
        suspect(c, row->id, why.text);
        return RC_OK;
    }
    if (code != RC_OK) {
        if (e != NULL)
            *e = why;
        return code;
    }
    if (s->rows != row->rows || s->versions_n != row->versions ||
        seg_bytes(s->seg) != row->bytes) {
        suspect(c, row->id, "not what its row says");
    } else {
        for (uint32_t i = 0; i < s->versions_n; i++)
            (void)map_slot(c->held, uuid_key(&s->versions[i].version), NULL);
        if (c->deep)
            code = segment_check_deep(c, s, e);
    }
    segment_unref(s);
    return code;
}

static const struct segment_row *row_next(struct check *c)
{
    for (size_t i = 0; i < c->rows_n; i++) {
        str key = {(const char *)&c->rows[i].id, sizeof c->rows[i].id};
        bool made;

        (void)map_slot(c->looked, key, &made);
        if (made)
            return &c->rows[i];
    }
    return NULL;
}

static bool row_listed(const struct check *c, uint64_t id)
{
    for (size_t i = 0; i < c->rows_n; i++)
        if (c->rows[i].id == id)
            return true;
    return false;
}

/* All segments of the last reading have been looked at: what it lists must be
 * sound, and hold every version. */
static void base_conclude(struct check *c)
{
    char version[UUID_TEXT];
    size_t lost = 0;

    for (size_t i = 0; i < c->suspects_n; i++)
        if (row_listed(c, c->suspects[i].id))
            finding(c, "segment %" PRIu64 ": %s", c->suspects[i].id,
                    c->suspects[i].why);
    for (size_t i = 0; i < c->versions_n; i++) {
        if (map_find(c->held, uuid_key(&c->versions[i].version)) != NULL)
            continue;
        if (lost++ == 0)
            uuid_text(c->versions[i].version, version);
    }
    if (lost > 0)
        finding(c, "%zu of %zu versions are in no sound segment, first %s",
                lost, c->versions_n, version);
}

static rc base_check(struct check *c, struct err *e)
{
    rc code = RC_OK;

    for (size_t reads = 0; reads < READS_MAX; reads++) {
        const struct segment_row *row;
        bool looked = false;

        code = base_read(c, e);
        while (code == RC_OK && (row = row_next(c)) != NULL) {
            code = segment_check(c, row, e);
            looked = true;
        }
        if (code != RC_OK)
            return code;
        if (!looked) {
            base_conclude(c);
            return RC_OK;
        }
    }
    return err_set(e, RC_BUSY, "an index changes faster than it is checked");
}

/* Vectors are not listed: each file must be sound. One that a merge has removed
 * meanwhile is none. */
static void vectors_look(void *arg, const char *folder, const char *path)
{
    struct check *c = arg;
    struct vec_file *f;
    struct err e = {0};
    rc code;

    (void)folder;
    if (path == NULL || !str_ends(str_of(path), STR(".vec")))
        return;
    code = vec_open(path, NULL, 0, &f, &e);
    if (code == RC_OK)
        vec_close(f);
    else if (code != RC_NOTFOUND)
        finding(c, "vectors: %s", e.text);
}

rc engine_check(struct store *s, bool deep, check_report *report, void *arg,
                uint64_t *found, struct err *e)
{
    struct check all = {.store = s, .deep = deep, .report = report, .arg = arg};
    struct arena *out = arena_open();
    struct db *db;
    uuid *bases = NULL;
    size_t bases_n = 0;
    rc code = store_read_begin(s, &db, e);

    if (code == RC_OK) {
        code = db_base_ids(db, out, &bases, &bases_n, e);
        store_read_end(db);
    }
    for (size_t i = 0; i < bases_n && code == RC_OK; i++) {
        struct check c = all;

        c.base = bases[i];
        c.tmp = arena_open();
        c.reading = arena_open();
        c.held = map_open();
        c.looked = map_open();
        code = base_check(&c, e);
        if (code == RC_OK)
            code =
                vectors_each(store_dir(s), c.base, c.tmp, vectors_look, &c, e);
        all.found = c.found;
        map_close(c.looked);
        map_close(c.held);
        arena_close(c.reading);
        arena_close(c.tmp);
    }
    *found = all.found;
    arena_close(out);
    return code;
}
