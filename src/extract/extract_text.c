#include "extract/extract_priv.h"
#include "text/utf8.h"

str line_at(str text, size_t at, size_t *next)
{
    str rest = str_sub(text, at, text.n);
    size_t n = str_find_char(rest, '\n');

    *next = at + n + (n < rest.n);
    return str_sub(rest, 0, n);
}

static bool white(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

str title_clean(str s, struct arena *out)
{
    char *to;
    size_t n = 0;

    s = str_trim(s);
    s = str_sub(s, 0, utf8_advance(s, TITLE_CHARS_MAX));
    to = arena_alloc(out, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        if (!white(s.p[i]))
            to[n++] = s.p[i];
        else if (n > 0 && to[n - 1] != ' ')
            to[n++] = ' ';
    }
    return str_trim((str){to, n});
}

str title_of_headings(const struct doc *d, struct arena *out)
{
    str title = STR_NONE;

    for (uint32_t i = 0; i < d->blocks_n && title.n == 0; i++) {
        if (d->blocks[i].kind == BLOCK_HEADING && d->blocks[i].level == 1)
            title = doc_heading_text(d, i, out);
    }
    return title_clean(title, out);
}

/* ---- the list of blocks ---- */

void blocks_begin(struct block_list *l, struct doc *d, struct arena *out)
{
    *l = (struct block_list){.d = d, .out = out, .heading = HEADING_NONE};
    for (size_t i = 0; i < NELEMS(l->open); i++)
        l->open[i] = HEADING_NONE;
    d->blocks = NULL;
    d->blocks_n = 0;
}

bool blocks_full(const struct block_list *l)
{
    const struct doc *d = l->d;

    return d->blocks_n >= BLOCKS_KEPT_MAX &&
           d->blocks[d->blocks_n - 1].kind != BLOCK_HEADING;
}

static uint64_t count_to(struct block_list *l, uint64_t at)
{
    l->at_cp += utf8_count(str_sub(l->d->text, l->at, at - l->at));
    l->at = at;
    return l->at_cp;
}

void blocks_add(struct block_list *l, enum block_kind kind, unsigned level,
                uint64_t start, uint64_t end)
{
    const char *p = l->d->text.p;
    struct block b = {.kind = kind, .level = level};
    uint64_t line = start;

    while (start < end && white(p[start])) {
        start++;
        if (p[start - 1] == '\n')
            line = start;
    }
    while (end > start && white(p[end - 1]))
        end--;
    if (start == end)
        return;
    if (blocks_full(l)) {
        struct block *last = &l->d->blocks[l->d->blocks_n - 1];

        last->end = end;
        last->end_cp = count_to(l, end);
        return;
    }
    b.start = kind == BLOCK_CODE ? line : start;
    b.end = end;
    b.start_cp = count_to(l, b.start);
    b.end_cp = count_to(l, b.end);
    b.heading = l->heading;
    if (kind == BLOCK_HEADING) {
        ASSERT(level >= 1 && level <= HEADING_DEPTH_MAX);
        b.heading = HEADING_NONE;
        for (unsigned i = 1; i < level; i++) {
            if (l->open[i] != HEADING_NONE)
                b.heading = l->open[i];
        }
        l->heading = (uint32_t)l->d->blocks_n;
        l->open[level] = l->heading;
        for (unsigned i = level + 1; i <= HEADING_DEPTH_MAX; i++)
            l->open[i] = HEADING_NONE;
    }
    ARENA_PUSH(l->out, l->d->blocks, l->d->blocks_n, l->cap, b);
}

void blocks_end(struct block_list *l)
{
    l->d->text_cp = count_to(l, l->d->text.n);
}

/* ---- plain text: paragraphs parted by blank lines ---- */

void extract_text(struct doc *d, struct arena *out)
{
    struct block_list l;
    size_t at = 0, next, start = 0;

    blocks_begin(&l, d, out);
    for (; at < d->text.n && !blocks_full(&l); at = next) {
        if (!str_blank(line_at(d->text, at, &next)))
            continue;
        blocks_add(&l, BLOCK_PARAGRAPH, 0, start, at);
        start = next;
    }
    blocks_add(&l, BLOCK_PARAGRAPH, 0, start, d->text.n);
    blocks_end(&l);
}
