/* Headings: the titles of the outline found on their pages; of a file without
 * an outline, lines in clearly larger type. */
#include "extract/pdf_layout_priv.h"
#include "extract/pdf_outline.h"

#define TITLE_LINES_MAX 4
#define PAGE_LINES_MAX 2000
/* Lines compared in all, so that a hostile outline ends. */
#define COMPARED_MAX ((size_t)2 << 20)
#define SIZES_MAX 4
#define LARGE_CHARS_MAX 160
/* Of all lines, in percent: larger type that is so common is no heading. */
#define LARGE_PERCENT_MAX 15

/* ---- keys ---- */

/* "3.1", "A.", "IV", "Chapter", "Appendix". */
static bool is_numbering(str word, bool first)
{
    static const str NAMES[] = {STR_INIT("chapter"), STR_INIT("appendix"),
                                STR_INIT("section"), STR_INIT("part"),
                                STR_INIT("kapitel"), STR_INIT("annex")};
    bool digit = false;

    for (size_t i = 0; i < NELEMS(NAMES) && first; i++) {
        if (str_eq_nocase(word, NAMES[i]))
            return true;
    }
    while (word.n > 1 &&
           (word.p[word.n - 1] == '.' || word.p[word.n - 1] == ':'))
        word = str_sub(word, 0, word.n - 1);
    if (word.n == 1 && word.p[0] >= 'A' && word.p[0] <= 'Z')
        return true;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];

        digit = digit || (c >= '0' && c <= '9');
        if (!(c >= '0' && c <= '9') && c != '.' &&
            !(i == 0 && c >= 'A' && c <= 'Z') && c != 'I' && c != 'V' &&
            c != 'X')
            return false;
    }
    return word.n > 0 && (digit || word.n <= 5);
}

/* The text without the numbering before it; all of it if that is all. */
static str without_numbering(str s)
{
    str rest = str_trim(s), word;
    bool first = true;

    while (rest.n > 0) {
        str before = rest;

        (void)str_cut(rest, ' ', &word, &rest);
        if (!is_numbering(word, first))
            return before;
        first = false;
    }
    return str_trim(s);
}

struct title {
    struct buf full, bare; /* keys */
};

static void title_keys(struct title *t, str text)
{
    buf_clear(&t->full);
    buf_clear(&t->bare);
    put_key(&t->full, text);
    put_key(&t->bare, without_numbering(text));
}

/* ---- a title among the lines ---- */

enum fit { FIT_NONE, FIT_MORE, FIT_START, FIT_BARE, FIT_FULL };

/* How a run of lines that reads `text` fits; FIT_MORE: it is the title's start,
 * more lines may complete it. */
static enum fit fit_of(const struct title *t, struct title *seen, str text)
{
    str want = buf_str(&t->full), bare = buf_str(&t->bare), full, own;

    title_keys(seen, text);
    full = buf_str(&seen->full);
    own = buf_str(&seen->bare);
    if (full.n == 0)
        return FIT_NONE;
    if (str_eq(full, want))
        return FIT_FULL;
    if (str_eq(own, bare) || str_eq(own, want) || str_eq(full, bare))
        return FIT_BARE;
    if (str_starts(want, full) || str_starts(bare, own) ||
        str_starts(want, own))
        return FIT_MORE;
    if (str_starts(full, want))
        return FIT_START;
    return FIT_NONE;
}

/* "abbreviate        Abbreviate Strings": the title ends at a wide gap. */
static bool gap_behind(const struct layout *l, const struct line *line,
                       size_t key_n, struct buf *key)
{
    struct words w = line_words(l, line);
    struct pdf_word word;

    buf_clear(key);
    while (words_next(&w, &word)) {
        if (key->n >= key_n)
            return key->n == key_n && word.gap > line->height;
        put_key(key, word.text);
    }
    return false;
}

static bool joins(const struct line *a, const struct line *b)
{
    return a->page == b->page && b->role == a->role && b->level == 0 &&
           (int64_t)b->height * 8 >= (int64_t)a->height * 7 &&
           (int64_t)b->height * 7 <= (int64_t)a->height * 8 &&
           b->box[1] - a->box[3] < 2 * a->height &&
           a->box[3] - b->box[1] < a->height;
}

/* Whether a line may read as a title's start: most are told by their first
 * letter. */
static bool may_fit(const struct layout *l, const struct title *t,
                    const struct line *line, struct buf *key)
{
    struct words w = line_words(l, line);
    struct pdf_word first = {0}, second;

    if (!words_next(&w, &first) || is_numbering(first.text, true) ||
        (words_next(&w, &second) && !gap_is_space(line, second.gap)))
        return true;
    buf_clear(key);
    put_key(key, first.text);
    return key->n == 0 || key->p[0] == t->full.p[0] ||
           (t->bare.n > 0 && key->p[0] == t->bare.p[0]);
}

struct match {
    enum fit fit;
    size_t line, n;
};

static struct match match_at(struct layout *l, const struct title *t,
                             struct title *seen, size_t at, size_t end)
{
    struct match m = {.line = at};
    struct buf *text = &l->scratch;

    (void)line_text(l, &l->lines[at], text);
    while (m.n < TITLE_LINES_MAX) {
        m.n++;
        m.fit = fit_of(t, seen, buf_str(text));
        if (m.fit != FIT_MORE || at + m.n >= end ||
            !joins(&l->lines[at + m.n - 1], &l->lines[at + m.n]))
            break;
        buf_put_char(text, ' ');
        buf_put(text, line_text(l, &l->lines[at + m.n], &l->scratch2));
    }
    if (m.fit == FIT_MORE ||
        (m.fit == FIT_START &&
         (m.n > 1 ||
          (!gap_behind(l, &l->lines[at], t->full.n, &l->scratch2) &&
           (int64_t)l->lines[at].height * 20 < (int64_t)l->body_height * 21))))
        m.fit = FIT_NONE;
    return m;
}

/* Larger type first, then the better fit. */
static bool is_better(const struct layout *l, const struct match *a,
                      const struct match *b)
{
    const struct line *x = &l->lines[a->line], *y = &l->lines[b->line];

    if (b->fit == FIT_NONE || a->fit == FIT_NONE)
        return a->fit > b->fit;
    if ((int64_t)x->height * 20 > (int64_t)y->height * 21)
        return true;
    return (int64_t)x->height * 21 >= (int64_t)y->height * 20 &&
           a->fit > b->fit;
}

struct search {
    struct title title, seen;
    size_t compared;
};

static struct match match_on(struct layout *l, struct search *s,
                             const struct page *p, enum line_role role)
{
    struct match best = {.fit = FIT_NONE};
    size_t n = p->lines_n < PAGE_LINES_MAX ? p->lines_n : PAGE_LINES_MAX;

    for (size_t i = p->first; i < p->first + n; i++) {
        const struct line *line = &l->lines[i];
        struct match m;

        if (line->role != role || line->level > 0 ||
            s->compared >= COMPARED_MAX)
            continue;
        s->compared++;
        if (!may_fit(l, &s->title, line, &l->scratch))
            continue;
        m = match_at(l, &s->title, &s->seen, i, p->first + p->lines_n);
        if (m.fit != FIT_NONE && is_better(l, &m, &best))
            best = m;
    }
    return best;
}

/* Pages stand in the order of their numbers. */
static const struct page *page_of(const struct layout *l, uint32_t number)
{
    size_t low = 0, high = l->pages_n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (l->pages[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low < l->pages_n && l->pages[low].number == number ? &l->pages[low]
                                                              : NULL;
}

static void mark(struct layout *l, const struct match *m, unsigned depth)
{
    unsigned level = depth > HEADING_DEPTH_MAX ? HEADING_DEPTH_MAX : depth;

    for (size_t i = 0; i < m->n; i++) {
        l->lines[m->line + i].level = level & 7;
        l->lines[m->line + i].goes_on = i > 0;
        l->lines[m->line + i].role = ROLE_BODY;
    }
}

/* The place of an item may be the end of the page before. Chapters of a page
 * each have titles that look like heads: what only stands there is one. */
static bool find_item(struct layout *l, struct search *s,
                      const struct pdf_item *item)
{
    title_keys(&s->title, item->title);
    if (s->title.full.n == 0)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const struct page *p = page_of(l, item->page + i);
        struct match m;

        if (p == NULL)
            continue;
        m = match_on(l, s, p, ROLE_BODY);
        if (m.fit == FIT_NONE && i == 0)
            m = match_on(l, s, p, ROLE_RUNNING);
        if (m.fit != FIT_NONE) {
            mark(l, &m, item->depth);
            return true;
        }
    }
    return false;
}

static size_t by_outline(struct layout *l)
{
    struct search s = {0};
    struct cur c = l->outline;
    struct pdf_item item;
    size_t n = 0;

    while (pdf_item_read(&c, &item))
        n += find_item(l, &s, &item);
    buf_close(&s.title.full);
    buf_close(&s.title.bare);
    buf_close(&s.seen.full);
    buf_close(&s.seen.bare);
    return n;
}

/* ---- by size ---- */

static bool is_large(const struct layout *l, const struct line *line)
{
    return line->role == ROLE_BODY && !line->upright && !line->from_picture &&
           (int64_t)line->height * 20 >= (int64_t)l->body_height * 23 &&
           line->chars <= LARGE_CHARS_MAX;
}

static bool heads_something(struct layout *l, const struct line *line)
{
    str s = line_text(l, line, &l->scratch);
    size_t letters = 0;

    for (size_t i = 0; i < s.n; i++)
        letters += (s.p[i] | 0x20) >= 'a' || (unsigned char)s.p[i] >= 0xc3;
    return letters >= 3 && s.p[s.n - 1] != '.' && s.p[s.n - 1] != ',';
}

/* The largest sizes, in steps of half a point, largest first. */
struct sizes {
    int32_t v[SIZES_MAX];
    size_t n;
};

static int32_t size_of(const struct line *line)
{
    return (line->height + PDF_UNIT / 4) / (PDF_UNIT / 2);
}

static void add_size(struct sizes *s, int32_t size)
{
    size_t at = 0;

    while (at < s->n && s->v[at] > size)
        at++;
    if ((at < s->n && s->v[at] == size) || at == SIZES_MAX)
        return;
    if (s->n < SIZES_MAX)
        s->n++;
    memmove(&s->v[at + 1], &s->v[at], (s->n - 1 - at) * sizeof *s->v);
    s->v[at] = size;
}

/* A smaller one than all that are kept is of the last level. */
static unsigned level_of(const struct sizes *s, const struct line *line)
{
    unsigned level = 1;

    while (level < s->n && s->v[level - 1] > size_of(line))
        level++;
    return level;
}

static void by_size(struct layout *l)
{
    struct sizes sizes = {0};
    size_t large = 0;

    for (size_t i = 0; i < l->lines_n; i++) {
        if (!is_large(l, &l->lines[i]) || !heads_something(l, &l->lines[i]))
            continue;
        large++;
        add_size(&sizes, size_of(&l->lines[i]));
    }
    if (large * 100 > l->lines_n * LARGE_PERCENT_MAX)
        return;
    for (size_t i = 0; i < l->lines_n; i++) {
        struct line *line = &l->lines[i];

        if (!is_large(l, line) || !heads_something(l, line))
            continue;
        line->level = level_of(&sizes, line) & 7;
        line->goes_on =
            i > 0 && line[-1].level == line->level &&
            joins(&line[-1], &(struct line){.page = line->page,
                                            .height = line->height,
                                            .box[1] = line->box[1]});
    }
}

void find_headings(struct layout *l)
{
    if (by_outline(l) == 0)
        by_size(l);
}
