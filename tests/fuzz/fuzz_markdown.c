/* Any bytes to a document, and that to chunks: both keep what their headers
 * promise. The first byte chooses the name and the size of chunks. */
#include <stdint.h>

#include "extract/extract.h"
#include "text/chunk.h"
#include "text/utf8.h"

static bool white(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

static void check_chunks(const struct doc *d, struct chunk_opts o,
                         struct arena *a)
{
    struct chunks cs;
    uint64_t at = d->blocks_n == 0 ? 0 : d->blocks[0].start;

    ASSERT(chunk_split(d, &o, a, &cs, NULL) == RC_OK);
    for (size_t i = 0; i < cs.n; i++) {
        const struct chunk *c = &cs.v[i];
        str text = str_sub(d->text, c->start, c->end - c->start);
        str context = chunk_context(d, c, o.title, NULL, a);

        ASSERT(c->start < c->end && c->end <= d->text.n && c->end > at);
        ASSERT(o.overlap_tokens > 0 || c->start >= at);
        ASSERT(c->end_cp - c->start_cp == utf8_count(text));
        ASSERT(c->start_cp == utf8_count(str_sub(d->text, 0, c->start)));
        ASSERT(c->tokens == chunk_tokens(text));
        ASSERT(chunk_tokens(context) <= CHUNK_HEADING_TOKENS_MAX);
        ASSERT(c->tokens + chunk_tokens(context) + 2 <= o.tokens_max + 1);
        for (; at < c->start; at++)
            ASSERT(white(d->text.p[at]));
        at = c->end;
    }
    for (; at < d->text.n && cs.n > 0; at++)
        ASSERT(white(d->text.p[at]));
    ASSERT((cs.n == 0) == (d->blocks_n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const str NAMES[] = {STR_INIT("a.md"), STR_INIT("a.txt"),
                                STR_INIT(""), STR_INIT("a.md")};
    static const uint32_t SIZES[] = {128, 256, 384, CHUNK_TOKENS_MIN};
    static struct arena *a;
    struct arena_mark m;
    struct chunk_opts o;
    struct doc d;
    const char *why;

    if (size == 0)
        return 0;
    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    ASSERT(extract_bytes((str){(const char *)data + 1, size - 1},
                         (struct said){.filename = NAMES[data[0] & 3]}, a, &d,
                         NULL) == RC_OK);
    ASSERT(doc_check(&d, &why));
    o = (struct chunk_opts){.tokens_max = SIZES[data[0] >> 2 & 3],
                            .overlap_tokens = (data[0] & 0x10) != 0 ? 32 : 0,
                            .title = d.title};
    check_chunks(&d, o, a);
    arena_rewind(a, m);
    return 0;
}
