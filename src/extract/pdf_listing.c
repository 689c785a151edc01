#include "extract/pdf_listing.h"

#define LEADER_DOTS_MIN 4
#define ENTRIES_MIN 5 /* of a page */
#define NUMBERS_MAX 64

/* ---- one line ---- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cuts white space and then, if it is there, the sign c off the end. */
static bool cut_sign(str *s, char c)
{
    *s = str_trim(*s);
    if (s->n == 0 || s->p[s->n - 1] != c)
        return false;
    s->n--;
    return true;
}

static size_t cut_dots(str *s)
{
    size_t n = 0;

    while (cut_sign(s, '.'))
        n++;
    return n;
}

/* Cuts a number off the end; 0: there is none, or none of a page. */
static uint32_t cut_number(str *s, uint32_t most)
{
    size_t at;
    uint64_t v = 0;

    *s = str_trim(*s);
    for (at = s->n; at > 0 && s->n - at < 6 && digit(s->p[at - 1]); at--)
        ;
    for (size_t i = at; i < s->n; i++)
        v = v * 10 + (uint64_t)(s->p[i] - '0');
    if (at == s->n || v > most || (at > 0 && digit(s->p[at - 1])))
        return 0;
    s->n = at;
    return (uint32_t)v;
}

/* "12", "v". */
static void cut_page(str *s, uint32_t most)
{
    str roman = str_trim(*s);

    if (cut_number(s, most) > 0)
        return;
    while (roman.n > 0 && strchr("ivxlc", roman.p[roman.n - 1]) != NULL)
        roman.n--;
    if (roman.n > 0 &&
        (roman.p[roman.n - 1] == ' ' || roman.p[roman.n - 1] == '.'))
        *s = roman;
}

static bool has_leader(str s, uint32_t pages)
{
    if (cut_dots(&s) >= LEADER_DOTS_MIN)
        return true;
    cut_page(&s, pages);
    return cut_dots(&s) >= LEADER_DOTS_MIN;
}

/* Ends in ", 3, 17, 140": numbers that ascend and are those of pages; maybe
 * nothing else, where an entry goes on. */
static bool has_pages(str s, uint32_t pages)
{
    bool comma = cut_sign(&s, ',');
    uint32_t least = pages + 1;

    for (size_t n = 0; n < NUMBERS_MAX; n++) {
        least = cut_number(&s, least - 1);
        if (least == 0)
            return false;
        if (!cut_sign(&s, ','))
            return comma;
        comma = true;
        s = str_trim(s);
        if (s.n == 0 || !digit(s.p[s.n - 1]))
            return true;
    }
    return false;
}

bool listing_entry(str line, uint32_t pages)
{
    return has_leader(line, pages) || has_pages(line, pages);
}

/* ---- pages ---- */

struct tally {
    uint32_t entries;
    uint64_t bytes, entry_bytes;
};

static str line_of(const struct doc *d, const struct doc_line *line)
{
    return str_sub(d->text, (size_t)line->start,
                   (size_t)(line->end - line->start));
}

static void count_lines(const struct doc *d, struct tally *pages)
{
    for (size_t i = 0; i < d->lines_n; i++) {
        str s = line_of(d, &d->lines[i]);
        struct tally *t = &pages[d->lines[i].page];

        t->bytes += s.n;
        if (!listing_entry(s, d->pages))
            continue;
        t->entries++;
        t->entry_bytes += s.n;
    }
}

static bool is_listing(const struct tally *t)
{
    return t->entries >= ENTRIES_MIN && t->entry_bytes * 2 >= t->bytes;
}

/* Lines of a page need not stand together. */
static void flag_pages(struct doc *d, struct tally *pages, struct arena *out)
{
    for (size_t i = 0; i < d->lines_n; i++) {
        struct tally *t = &pages[d->lines[i].page];

        if (!is_listing(t))
            continue;
        doc_flag_add(d,
                     (struct doc_flag){.kind = FLAG_LISTING,
                                       .count = 1,
                                       .page = d->lines[i].page,
                                       .sample = line_of(d, &d->lines[i])},
                     out);
        t->entries = 0; /* told */
    }
}

void find_listings(struct doc *d, struct arena *out)
{
    struct arena *tmp = arena_open();
    uint32_t last = 0;
    struct tally *pages;

    for (size_t i = 0; i < d->lines_n; i++)
        last = d->lines[i].page > last ? d->lines[i].page : last;
    pages = ARENA_ARRAY(tmp, struct tally, (size_t)last + 1);
    count_lines(d, pages);
    for (size_t i = 0; i < d->blocks_n; i++) {
        struct block *b = &d->blocks[i];

        if (b->page <= last && is_listing(&pages[b->page]) &&
            (b->kind == BLOCK_PARAGRAPH || b->kind == BLOCK_LIST_ITEM)) {
            b->kind = BLOCK_LISTING;
            b->level = 0;
        }
    }
    flag_pages(d, pages, out);
    arena_close(tmp);
}
