#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_priv.h"

struct engine_batch {
    struct engine *g;
    struct base *base;
    struct analyser *analyser; /* lent by the engine */
    struct lex_builder *lex;
    struct buf versions, chunks, headings, keys;
    bool keyed; /* rows get keys */
    sha256 keys_of;
    uint32_t versions_n;
    struct arena *tmp; /* of one document */
    struct publish publish;
    bool written;
};

rc engine_batch_open(struct engine *g, uuid base, struct engine_batch **out,
                     struct err *e)
{
    struct engine_batch *b = mem_alloc(sizeof *b);
    rc code = base_acquire(g, base, NULL, clock_mono_ns() + OPEN_WAIT_NS,
                           &b->base, e);

    if (code != RC_OK) {
        mem_free(b);
        return code;
    }
    b->g = g;
    b->analyser = analyser_take(g);
    b->lex = lex_builder_open(b->analyser);
    b->tmp = arena_open();
    *out = b;
    return RC_OK;
}

void engine_batch_keyed(struct engine_batch *b, const sha256 *identity)
{
    ASSERT(b->versions_n == 0 && !b->keyed);
    b->keyed = true;
    b->keys_of = *identity;
    buf_put(&b->keys, (str){(const char *)identity->b, sizeof identity->b});
}

static void key_put(struct engine_batch *b, str context, str body)
{
    struct vec_key key =
        embedded_key(&b->keys_of, embedded_text(context, body, b->tmp));

    buf_put(&b->keys, (str){(const char *)key.b, sizeof key.b});
}

/* The path of headings that ends with block `heading`; its offset. */
static uint32_t headings_put(struct engine_batch *b, const struct doc *d,
                             uint32_t heading)
{
    uint32_t at = (uint32_t)b->headings.n;
    str *path;
    size_t n = doc_heading_path(d, heading, b->tmp, &path);

    if (n > HEADING_DEPTH_MAX)
        n = HEADING_DEPTH_MAX;
    buf_put_char(&b->headings, (char)(n + 1));
    for (size_t i = 0; i <= n; i++) {
        str text = i < n ? path[i] : doc_heading_text(d, heading, b->tmp);

        buf_put_varint(&b->headings, text.n);
        buf_put(&b->headings, text);
    }
    return at;
}

static void chunk_put(struct engine_batch *b, const struct chunk *c,
                      uint32_t headings)
{
    const struct chunk_rec r = {
        .version = b->versions_n,
        .start = (uint32_t)c->start,
        .end = (uint32_t)c->end,
        .start_cp = (uint32_t)c->start_cp,
        .end_cp = (uint32_t)c->end_cp,
        .page = c->page,
        .headings = headings,
        .box = {c->box[0], c->box[1], c->box[2], c->box[3]},
    };

    buf_put(&b->chunks, (str){(const char *)&r, sizeof r});
}

/* The headings that begin in chunk i: from block *at on, which goes on to the
 * first that doesn't begin before it. */
static size_t begins_of(const struct engine_doc *d, size_t i, size_t *at,
                        struct arena *tmp, str **begins)
{
    const struct chunk *c = &d->chunks->v[i];
    const struct doc *doc = d->doc;
    size_t n = 0, cap = 0;

    *begins = NULL;
    while (*at < doc->blocks_n && doc->blocks[*at].start < c->start)
        ++*at;
    for (size_t k = *at; k < doc->blocks_n && doc->blocks[k].start < c->end;
         k++) {
        if (doc->blocks[k].kind == BLOCK_HEADING)
            ARENA_PUSH(tmp, *begins, n, cap,
                       doc_heading_text(doc, (uint32_t)k, tmp));
    }
    return n;
}

/* Whether most of the chunk names what stands elsewhere. */
static bool is_listing(const struct doc *d, const struct chunk *c, size_t at)
{
    uint64_t bytes = 0;

    /* Block `at` is the first that begins in the chunk. */
    for (at -= at > 0; at < d->blocks_n && d->blocks[at].start < c->end; at++) {
        const struct block *b = &d->blocks[at];
        uint64_t start = b->start > c->start ? b->start : c->start;
        uint64_t end = b->end < c->end ? b->end : c->end;

        if (b->kind == BLOCK_LISTING && end > start)
            bytes += end - start;
    }
    return bytes * 2 > c->end - c->start;
}

static void row_put(struct engine_batch *b, const struct engine_doc *d,
                    size_t i, size_t *at, str context)
{
    struct arena_mark mark = arena_mark(b->tmp);
    const struct chunk *c = &d->chunks->v[i];
    struct lex_row row = {
        .context = context,
        .title = i == 0 ? d->title : STR_NONE,
        .body = str_sub(d->doc->text, (size_t)c->start,
                        (size_t)(c->end - c->start)),
    };
    str *begins;

    row.begins_n = begins_of(d, i, at, b->tmp, &begins);
    row.begins = begins;
    row.listing = is_listing(d->doc, c, *at);
    lex_builder_add(b->lex, &row);
    if (b->keyed)
        key_put(b, context, row.body);
    arena_rewind(b->tmp, mark);
}

static void chunks_put(struct engine_batch *b, const struct engine_doc *d)
{
    struct arena_mark mark = arena_mark(b->tmp);
    uint32_t heading = HEADING_NONE, headings = HEADINGS_NONE;
    str context = STR_NONE;
    size_t at = 0;

    for (size_t i = 0; i < d->chunks->n; i++) {
        const struct chunk *c = &d->chunks->v[i];

        ASSERT(c->start <= c->end && c->end <= d->doc->text.n);
        /* Chunks under one heading share its path and context. */
        if (i == 0 || c->heading != heading) {
            arena_rewind(b->tmp, mark);
            heading = c->heading;
            headings = heading == HEADING_NONE
                           ? HEADINGS_NONE
                           : headings_put(b, d->doc, heading);
            context = chunk_context(d->doc, c, d->title, d->counter, b->tmp);
        }
        chunk_put(b, c, headings);
        row_put(b, d, i, &at, context);
    }
    arena_rewind(b->tmp, mark);
}

rc engine_batch_add(struct engine_batch *b, const struct engine_doc *d,
                    struct err *e)
{
    const struct version_rec r = {
        .version = d->version,
        .document = d->document,
        .number = d->number,
        .first_row = lex_builder_rows(b->lex),
        .rows = (uint32_t)d->chunks->n,
        .text_bytes = (uint32_t)d->doc->text.n,
        .extractor = d->doc->extractor_version,
        .chunker = CHUNKER_VERSION,
    };

    ASSERT(!b->written);
    if (d->doc->text.n > TEXT_BYTES_MAX)
        return err_set(e, RC_LIMIT, "text has %zu bytes, limit %zu",
                       d->doc->text.n, TEXT_BYTES_MAX);
    if (d->chunks->n > LEX_ROWS_MAX - r.first_row ||
        b->headings.n > UINT32_MAX / 2)
        return err_set(e, RC_LIMIT, "more than one segment can hold");
    buf_put(&b->versions, (str){(const char *)&r, sizeof r});
    chunks_put(b, d);
    b->versions_n++;
    return RC_OK;
}

size_t engine_batch_bytes(const struct engine_batch *b)
{
    return lex_builder_bytes(b->lex) + b->versions.cap + b->chunks.cap +
           b->headings.cap + b->keys.cap;
}

static rc sections_write(struct engine_batch *b, uint64_t id,
                         struct seg_writer *w, struct err *e)
{
    struct version_rec *v = (void *)b->versions.p;
    rc code = buf_end(&b->versions, e);

    if (code == RC_OK)
        code = buf_end(&b->chunks, e);
    if (code == RC_OK)
        code = buf_end(&b->headings, e);
    if (code == RC_OK)
        code = buf_end(&b->keys, e);
    if (code != RC_OK)
        return code;
    for (uint32_t i = 0; i < b->versions_n; i++)
        v[i].origin = id;
    code = write_info(w, b->base->id, id, lex_builder_rows(b->lex),
                      b->versions_n, e);
    if (code == RC_OK)
        code = write_section(w, SECTION_VERSIONS, buf_str(&b->versions), e);
    if (code == RC_OK)
        code = write_sorted(w, v, b->versions_n, e);
    if (code == RC_OK)
        code = write_section(w, SECTION_CHUNKS, buf_str(&b->chunks), e);
    if (code == RC_OK)
        code = write_section(w, SECTION_HEADINGS, buf_str(&b->headings), e);
    if (code == RC_OK && b->keyed)
        code = write_section(w, SECTION_KEYS, buf_str(&b->keys), e);
    return code == RC_OK ? lex_builder_write(b->lex, w, e) : code;
}

/* Gives back what only adding and writing need. */
static void words_done(struct engine_batch *b)
{
    lex_builder_close(b->lex);
    b->lex = NULL;
    if (b->analyser != NULL)
        analyser_give(b->g, b->analyser);
    b->analyser = NULL;
}

rc engine_batch_write(struct engine_batch *b, struct err *e)
{
    char path[SEGMENT_PATH_MAX];
    struct seg_writer *w = NULL;
    uint64_t id = 0;
    rc code;

    ASSERT(!b->written);
    base_dir_path(b->g->dir, b->base->id, path);
    code = file_mkdirs(path, 0700, e);
    if (code == RC_OK)
        code = segment_id_next(b->g, b->base, &id, e);
    if (code != RC_OK)
        goto done;
    segment_path(b->g->dir, b->base->id, id, path);
    code = seg_writer_open(path, &w, e);
    if (code == RC_OK)
        code = sections_write(b, id, w, e);
    if (code == RC_OK)
        code = seg_writer_end(w, NULL, e);
    if (code != RC_OK)
        goto done;
    b->written = true;
    words_done(b); /* the next batch may have them before this is durable */
    /* Opened here, so that the commit has nothing left to read or to find
     * wrong. */
    code = segment_open(b->g->dir, b->base->id, id, &b->publish.add, e);
    if (code != RC_OK)
        (void)io_unlink(path);
done:
    seg_writer_close(w);
    return code == RC_OK ? code : err_wrap(e, "index segment");
}

uint64_t engine_batch_segment(const struct engine_batch *b)
{
    ASSERT(b->publish.add != NULL);
    return b->publish.add->id;
}

rc engine_batch_commit(struct engine_batch *b, struct db *db, struct err *e)
{
    struct change c;
    rc code;

    ASSERT(b->publish.add != NULL);
    c = (struct change){
        .kind = CHANGE_SEGMENTS,
        .base = b->base->id,
        .payload = &b->publish,
    };
    code = segment_row_put(db, b->publish.add, e);
    return code == RC_OK ? db_change(db, &c, e) : code;
}

void engine_batch_close(struct engine_batch *b)
{
    if (b == NULL)
        return;
    if (b->publish.add != NULL && !b->publish.committed && outcome_known(b->g))
        atomic_store(&b->publish.add->doomed, true);
    segment_unref(b->publish.add);
    base_release(b->g, b->base);
    words_done(b);
    buf_close(&b->versions);
    buf_close(&b->chunks);
    buf_close(&b->headings);
    buf_close(&b->keys);
    arena_close(b->tmp);
    mem_free(b);
}
