/* Heads, feet and page numbers: what stands at the same place of neighbouring
 * pages and differs by its numbers only. */
#include "base/crc.h"
#include "extract/pdf_layout_priv.h"
#include "text/utf8.h"

/* Pages looked at before and after: heads differ from chapter to chapter, and
 * left pages from right ones. */
#define WINDOW 6
/* As many of them must agree; of a document of few pages one is enough. */
#define SUPPORT_MIN 2
#define PAGES_FEW 3
/* Rows looked at from the top and the bottom, and lines of one. */
#define ROWS 2
#define ROW_LINES_MAX 5
#define CANDIDATES_MAX (2 * ROWS * ROW_LINES_MAX)
#define NUMBERS_MAX 3
/* The part of the page's height in which heads and feet are. */
#define ZONE_DIVISOR 6
#define SAME_PLACE (3 * PDF_UNIT)
#define SAME_HEIGHT PDF_UNIT
#define SAME_HEAD (PDF_UNIT / 2)

struct candidate {
    uint32_t line;
    int32_t y, height;
    uint32_t key;  /* of its text with each number a '#' */
    bool wordless; /* nothing but numbers */
    bool top;
    unsigned row;
    unsigned numbers_n;
    struct number {
        int32_t value;
        bool roman;
    } numbers[NUMBERS_MAX];
    bool apart;  /* from the text of the page */
    bool beside; /* close to other text of its row: the mark of a note */
    bool agrees, counts; /* with enough neighbours; by its number */
    bool known;          /* where heads of the neighbours are */
};

struct page_candidates {
    struct candidate v[CANDIDATES_MAX];
    unsigned n;
};

/* ---- numbers ---- */

/* A roman number below 400; 0: it is none. */
static int32_t roman_of(str s)
{
    static const struct {
        char c;
        int32_t value;
    } SIGNS[] = {{'i', 1}, {'v', 5}, {'x', 10}, {'l', 50}, {'c', 100}};
    int32_t sum = 0, before = 0;

    if (s.n == 0 || s.n > 9)
        return 0;
    for (size_t i = s.n; i-- > 0;) {
        int32_t value = 0;

        for (size_t k = 0; k < NELEMS(SIGNS); k++) {
            if (SIGNS[k].c == (s.p[i] | 0x20))
                value = SIGNS[k].value;
        }
        if (value == 0 || (s.p[i] & 0x20) != (s.p[0] & 0x20))
            return 0;
        sum += value < before ? -value : value;
        before = value > before ? value : before;
    }
    return sum;
}

/* Without what is no letter and no digit around it. */
static str bare(str s)
{
    while (s.n > 0 && (unsigned char)s.p[0] < 0x80 &&
           !((s.p[0] | 0x20) >= 'a' && (s.p[0] | 0x20) <= 'z') &&
           !(s.p[0] >= '0' && s.p[0] <= '9'))
        s = str_sub(s, 1, s.n);
    while (s.n > 0 && (unsigned char)s.p[s.n - 1] < 0x80 &&
           !((s.p[s.n - 1] | 0x20) >= 'a' && (s.p[s.n - 1] | 0x20) <= 'z') &&
           !(s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9'))
        s = str_sub(s, 0, s.n - 1);
    return s;
}

static bool number_of(str word, struct number *n)
{
    uint64_t value;

    word = bare(word);
    *n = (struct number){0};
    if (str_to_u64(word, 999999, &value)) {
        n->value = (int32_t)value;
        return true;
    }
    n->value = roman_of(word);
    n->roman = true;
    return n->value > 0;
}

static bool names_page(str word)
{
    static const str NAMES[] = {STR_INIT("page"),   STR_INIT("of"),
                                STR_INIT("seite"),  STR_INIT("von"),
                                STR_INIT("pagina"), STR_INIT("p")};

    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        if (str_eq_nocase(word, NAMES[i]))
            return true;
    }
    return false;
}

/* The key: letters, and '#' for a run of digits. */
static void put_sign(struct buf *key, char c)
{
    bool digit = c >= '0' && c <= '9';

    if (!digit)
        buf_put_char(key, (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c));
    else if (key->n == 0 || key->p[key->n - 1] != '#')
        buf_put_char(key, '#');
}

static void look_at(struct layout *l, struct candidate *c)
{
    const struct line *line = &l->lines[c->line];
    struct words w = line_words(l, line);
    struct buf *key = &l->scratch;
    struct pdf_word word;

    bool page_named = false;

    buf_clear(key);
    c->wordless = true;
    for (uint32_t i = 0; words_next(&w, &word); i++) {
        struct number n;
        bool is = number_of(word.text, &n);

        /* Those that count pages stand first or last, or say what they are. */
        if (is && (i == 0 || w.left == 0 || page_named) &&
            c->numbers_n < NUMBERS_MAX)
            c->numbers[c->numbers_n++] = n;
        page_named = !is && names_page(bare(word.text));
        if (is && n.roman) {
            buf_put_char(key, '#');
            continue;
        }
        if (!is && bare(word.text).n > 0 && !names_page(bare(word.text)))
            c->wordless = false;
        for (size_t k = 0; k < word.text.n; k++)
            put_sign(key, word.text.p[k]);
    }
    c->y = line->box[1];
    c->height = line->height;
    c->key = crc32c(key->p == NULL ? "" : key->p, key->n);
}

/* ---- candidates ---- */

static int32_t middle(const struct line *line)
{
    return line->box[1] + (line->box[3] - line->box[1]) / 2;
}

/* The outermost line that lies further inside than `after`. */
static const struct line *outermost(const struct layout *l,
                                    const struct page *p, bool top,
                                    int32_t after)
{
    const struct line *best = NULL;

    for (uint32_t i = p->first; i < p->first + p->lines_n; i++) {
        const struct line *line = &l->lines[i];
        int32_t y = middle(line);

        if (line->upright || (top ? y <= after : y >= after))
            continue;
        if (best == NULL || (top ? y < middle(best) : y > middle(best)))
            best = line;
    }
    return best;
}

/* Whether a line ends or begins close to another. */
static bool is_beside(const struct line *a, const struct line *b)
{
    int32_t gap =
        a->box[0] > b->box[0] ? a->box[0] - b->box[2] : b->box[0] - a->box[2];

    return gap < 2 * b->height;
}

static void take_row(struct layout *l, const struct page *p,
                     const struct line *at, bool top, unsigned row,
                     struct page_candidates *to)
{
    unsigned n = to->n;

    for (uint32_t i = p->first; i < p->first + p->lines_n; i++) {
        const struct line *line = &l->lines[i];

        if (line->upright || middle(line) < at->box[1] ||
            middle(line) > at->box[3])
            continue;
        if (to->n - n >= ROW_LINES_MAX) { /* a row of a table */
            to->n = n;
            return;
        }
        /* A large one is a heading. */
        if ((int64_t)line->height * 10 > (int64_t)l->body_height * 14)
            continue;
        to->v[to->n] = (struct candidate){.line = i, .top = top, .row = row};
        look_at(l, &to->v[to->n++]);
    }
    for (unsigned i = n; i < to->n; i++) {
        for (unsigned k = n; k < to->n; k++) {
            if (k != i &&
                is_beside(&l->lines[to->v[i].line], &l->lines[to->v[k].line]))
                to->v[i].beside = true;
        }
    }
}

/* Whether there is room between a row and the one further inside, more than
 * between lines of a text. */
static bool is_apart(const struct line *at, const struct line *next, bool top)
{
    int32_t gap;

    if (next == NULL)
        return true;
    gap = top ? next->box[1] - at->box[3] : at->box[1] - next->box[3];
    return (int64_t)gap * 10 > (int64_t)at->height * 7;
}

/* A head of one row or two: what is parted from the text by some room. Where
 * there is none, a number must tell. */
static void take_side(struct layout *l, const struct page *p, bool top,
                      struct page_candidates *to)
{
    int32_t zone = p->height / ZONE_DIVISOR;
    const struct line *at = outermost(l, p, top, top ? INT32_MIN : INT32_MAX);
    unsigned first = to->n;
    bool apart = false;

    for (unsigned row = 0; row < ROWS && at != NULL && !apart; row++) {
        const struct line *next =
            outermost(l, p, top, top ? at->box[3] : at->box[1]);

        if (top ? middle(at) > zone : middle(at) < p->height - zone)
            break;
        take_row(l, p, at, top, row, to);
        apart = is_apart(at, next, top);
        at = next;
    }
    for (unsigned i = first; i < to->n; i++)
        to->v[i].apart = apart;
}

static void take_candidates(struct layout *l, const struct page *p,
                            struct page_candidates *to)
{
    to->n = 0;
    take_side(l, p, true, to);
    take_side(l, p, false, to);
}

/* ---- agreement ---- */

static bool near(int32_t a, int32_t b, int32_t by)
{
    return a - b <= by && b - a <= by;
}

/* Whether a number of both counts pages. */
static bool counts_on(const struct candidate *a, const struct candidate *b,
                      int32_t pages)
{
    for (unsigned i = 0; i < a->numbers_n; i++) {
        for (unsigned k = 0; k < b->numbers_n; k++) {
            if (a->numbers[i].roman == b->numbers[k].roman &&
                b->numbers[k].value - a->numbers[i].value == pages)
                return true;
        }
    }
    return false;
}

static void compare(const struct candidate *c, const struct page_candidates *q,
                    int32_t pages, unsigned *same, unsigned *counting)
{
    bool one = false, number = false;

    for (unsigned i = 0; i < q->n; i++) {
        const struct candidate *o = &q->v[i];

        if (o->top != c->top || !near(o->y, c->y, SAME_PLACE) ||
            !near(o->height, c->height, SAME_HEIGHT))
            continue;
        one = one || (o->key == c->key && !c->wordless && c->apart && o->apart);
        number = number || counts_on(c, o, pages);
    }
    *same += one;
    *counting += number;
}

static void judge(const struct layout *l, struct page_candidates *all,
                  size_t page)
{
    size_t low = page < WINDOW ? 0 : page - WINDOW;
    size_t high = page + WINDOW < l->pages_n ? page + WINDOW + 1 : l->pages_n;
    unsigned least = l->pages_n <= PAGES_FEW ? 1 : SUPPORT_MIN;

    for (unsigned i = 0; i < all[page].n; i++) {
        struct candidate *c = &all[page].v[i];
        unsigned same = 0, counting = 0;

        for (size_t q = low; q < high; q++) {
            if (q != page)
                compare(c, &all[q],
                        (int32_t)l->pages[q].number -
                            (int32_t)l->pages[page].number,
                        &same, &counting);
        }
        /* Nothing but a number needs one witness, or no room around it. */
        if (c->apart)
            c->counts = counting >= (c->wordless ? 1 : least);
        else
            c->counts = c->wordless && counting >= SUPPORT_MIN;
        c->counts = c->counts && !(c->wordless && c->beside);
        c->agrees = c->counts || same >= least;
    }
}

/* A head that no neighbour has, where heads of neighbours are: that of a short
 * chapter. */
static void judge_place(const struct layout *l, struct page_candidates *all,
                        size_t page)
{
    size_t low = page < WINDOW ? 0 : page - WINDOW;
    size_t high = page + WINDOW < l->pages_n ? page + WINDOW + 1 : l->pages_n;

    for (unsigned i = 0; i < all[page].n; i++) {
        struct candidate *c = &all[page].v[i];
        unsigned heads = 0;

        for (size_t q = low; q < high && c->apart && c->row == 0; q++) {
            for (unsigned k = 0; k < all[q].n && q != page; k++) {
                const struct candidate *o = &all[q].v[k];

                heads += o->agrees && o->top == c->top && o->row == 0 &&
                         near(o->y, c->y, SAME_HEAD) &&
                         near(o->height, c->height, SAME_HEAD);
            }
        }
        c->known = heads >= SUPPORT_MIN;
    }
}

/* A head that changes with each page stands beside a number that counts. */
static void mark(struct layout *l, const struct page_candidates *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct candidate *c = &p->v[i];
        bool goes = c->agrees || c->known;

        for (unsigned k = 0; k < p->n && !goes; k++)
            goes = p->v[k].counts && p->v[k].top == c->top &&
                   p->v[k].row == c->row;
        if (goes)
            l->lines[c->line].role =
                c->wordless && c->numbers_n > 0 ? ROLE_NUMBER : ROLE_RUNNING;
    }
}

void find_running(struct layout *l)
{
    struct page_candidates *all;

    if (l->pages_n < 2)
        return;
    all = ARENA_ARRAY(l->tmp, struct page_candidates, l->pages_n);
    for (size_t i = 0; i < l->pages_n; i++)
        take_candidates(l, &l->pages[i], &all[i]);
    for (size_t i = 0; i < l->pages_n; i++)
        judge(l, all, i);
    for (size_t i = 0; i < l->pages_n; i++)
        judge_place(l, all, i);
    for (size_t i = 0; i < l->pages_n; i++)
        mark(l, &all[i]);
}
