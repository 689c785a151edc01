#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_priv.h"
#include "text/utf8.h"

/* A running server may merge segments away while they are looked at: a base
 * is then looked at again. */
#define TRIES_MAX 5

struct check {
    struct store *store;
    bool deep;
    check_report *report;
    void *arg;
    uint64_t found;
    struct arena *tmp;
    /* of one base */
    uuid base;
    struct segment_row *rows;
    size_t rows_n;
    struct indexed_version *versions;
    size_t versions_n;
    struct map *held; /* versions in sound segments */
    char **lines;     /* findings, reported when the base stood still */
    size_t lines_n, lines_cap;
    bool lost; /* a file was not as its row says */
};

static void finding(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void finding(struct check *c, const char *fmt, ...)
{
    char base[UUID_TEXT], text[512];
    va_list ap;

    uuid_text(c->base, base);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ARENA_PUSH(
        c->tmp, c->lines, c->lines_n, c->lines_cap,
        (char *)(uintptr_t)arena_fmt(c->tmp, "index of base %s: %s", base, text)
            .p);
}

static rc base_read(struct check *c, struct err *e)
{
    struct db *db;
    rc code = store_read_begin(c->store, &db, e);

    if (code != RC_OK)
        return code;
    code = db_segment_list(db, c->base, c->tmp, &c->rows, &c->rows_n, e);
    if (code == RC_OK)
        code = db_versions_indexed(db, c->base, c->tmp, &c->versions,
                                   &c->versions_n, e);
    store_read_end(db);
    return code;
}

static int compare_indexed(const void *a, const void *b)
{
    return uuid_cmp(((const struct indexed_version *)a)->version,
                    ((const struct indexed_version *)b)->version);
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
        code = blob_read(db, &hit.text_sha, TEXT_BYTES_MAX, tmp, &text, e);
        if (code == RC_OK)
            chunks_check(c, s, v, text);
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

static rc segment_check(struct check *c, const struct segment_row *row,
                        struct err *e)
{
    struct err why = {0};
    struct segment *s;
    rc code = segment_open(store_dir(c->store), c->base, row->id, &s, &why);

    if (code != RC_OK && segment_lost(&why)) {
        finding(c, "segment %" PRIu64 ": %s", row->id, why.text);
        c->lost = true;
        return RC_OK;
    }
    if (code != RC_OK) {
        if (e != NULL)
            *e = why;
        return code;
    }
    if (s->rows != row->rows || s->versions_n != row->versions ||
        seg_bytes(s->seg) != row->bytes) {
        finding(c, "segment %" PRIu64 " is not what its row says", row->id);
        c->lost = true;
    } else {
        for (uint32_t i = 0; i < s->versions_n; i++)
            (void)map_slot(c->held, uuid_key(&s->versions[i].version), NULL);
        if (c->deep)
            code = segment_check_deep(c, s, e);
    }
    segment_unref(s);
    return code;
}

static rc base_look(struct check *c, struct err *e)
{
    rc code = base_read(c, e);

    if (code == RC_OK && c->versions_n > 0)
        qsort(c->versions, c->versions_n, sizeof *c->versions, compare_indexed);
    for (size_t i = 0; i < c->rows_n && code == RC_OK; i++)
        code = segment_check(c, &c->rows[i], e);
    for (size_t i = 0; i < c->versions_n && code == RC_OK; i++) {
        char version[UUID_TEXT];

        if (map_find(c->held, uuid_key(&c->versions[i].version)) != NULL)
            continue;
        uuid_text(c->versions[i].version, version);
        finding(c, "version %s is in no sound segment", version);
        c->lost = true;
    }
    return code;
}

/* Whether the list of segments is still the one that was looked at. */
static rc base_stood_still(struct check *c, bool *still, struct err *e)
{
    struct segment_row *rows = c->rows;
    size_t rows_n = c->rows_n;
    rc code = base_read(c, e);

    *still = code == RC_OK && rows_n == c->rows_n;
    for (size_t i = 0; i < c->rows_n && *still; i++)
        *still = rows[i].id == c->rows[i].id;
    return code;
}

static rc base_check(struct check *c, uuid base, struct err *e)
{
    bool still = false;
    rc code = RC_OK;

    c->base = base;
    for (size_t i = 0; i < TRIES_MAX && code == RC_OK && !still; i++) {
        c->lines_n = c->lines_cap = c->rows_n = c->versions_n = 0;
        c->lost = false;
        map_clear(c->held);
        code = base_look(c, e);
        if (code == RC_OK)
            code = base_stood_still(c, &still, e);
        if (!c->lost)
            break;
    }
    for (size_t i = 0; i < c->lines_n && code == RC_OK; i++) {
        c->report(c->arg, c->lines[i]);
        c->found++;
    }
    return code;
}

rc engine_check(struct store *s, bool deep, check_report *report, void *arg,
                uint64_t *found, struct err *e)
{
    struct check c = {
        .store = s,
        .deep = deep,
        .report = report,
        .arg = arg,
        .held = map_open(),
    };
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
        c.tmp = arena_open();
        code = base_check(&c, bases[i], e);
        arena_close(c.tmp);
    }
    *found = c.found;
    arena_close(out);
    map_close(c.held);
    return code;
}
