/* The lines in reading order, written as blocks: where paragraphs begin, what
 * a list item is, which hyphen at a line's end is only that. */
#include <stdlib.h>

#include "extract/pdf_layout_priv.h"
#include "text/utf8.h"

/* Words remembered of a document, by hash; more are not needed to judge
 * hyphens. */
#define SEEN_MIN ((size_t)1 << 10)
#define SEEN_MAX ((size_t)1 << 20)
#define MARKER_LINES_MAX 200 /* between a mark and its text */
#define MEASURED_LINES_MAX 500
#define MEASURED_STEPS_MAX 64

/* ---- words of the document ---- */

/* Open addressing; 0 is an empty slot. */
struct seen {
    uint64_t *slots;
    size_t n, cap; /* a power of two */
};

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (unsigned char)c >= 0x80;
}

/* The part of a word between its first and last letter. */
static str letters_of(str s)
{
    while (s.n > 0 && !is_letter(s.p[0]))
        s = str_sub(s, 1, s.n);
    while (s.n > 0 && !is_letter(s.p[s.n - 1]))
        s = str_sub(s, 0, s.n - 1);
    return s;
}

/* FNV-1a over two pieces in lower case, finished by a multiplication. */
static uint64_t hash_of(str a, str b)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < a.n + b.n; i++) {
        char c = i < a.n ? a.p[i] : b.p[i - a.n];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        h = (h ^ (unsigned char)c) * 0x100000001b3u;
    }
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h == 0 ? 1 : h;
}

static uint64_t *slot_of(const struct seen *s, uint64_t h)
{
    size_t at = (size_t)(h >> 44) & (s->cap - 1);

    while (s->slots[at] != 0 && s->slots[at] != h)
        at = (at + 1) & (s->cap - 1);
    return &s->slots[at];
}

static bool seen_has(const struct seen *s, str a, str b)
{
    return *slot_of(s, hash_of(a, b)) != 0;
}

static void seen_add(struct seen *s, str word)
{
    uint64_t h, *slot;

    word = letters_of(word);
    if (word.n < 2 || s->n >= s->cap / 2)
        return;
    h = hash_of(word, STR_NONE);
    slot = slot_of(s, h);
    s->n += *slot == 0;
    *slot = h;
}

static void seen_fill(struct seen *s, const struct layout *l)
{
    size_t words_n = 0;

    for (size_t i = 0; i < l->lines_n; i++)
        words_n += l->lines[i].words_n;
    for (s->cap = SEEN_MIN; s->cap < SEEN_MAX && s->cap / 2 <= words_n;)
        s->cap *= 2;
    s->slots = ARENA_ARRAY(l->tmp, uint64_t, s->cap);
    for (size_t i = 0; i < l->lines_n; i++) {
        struct words w = line_words(l, &l->lines[i]);
        struct pdf_word word;

        while (words_next(&w, &word)) {
            if (w.left > 0 || !str_ends(word.text, STR("-")))
                seen_add(s, word.text);
        }
    }
}

/* ---- hyphens ---- */

/* Bytes of the hyphen at the end of a word that goes on in the next line; 0:
 * there is none. */
static size_t hyphen_at_end(str word)
{
    static const str SIGNS[] = {STR_INIT("-"), STR_INIT("\xe2\x80\x90"),
                                STR_INIT("\xc2\xad")};

    for (size_t i = 0; i < NELEMS(SIGNS); i++) {
        if (word.n > SIGNS[i].n && str_ends(word, SIGNS[i]) &&
            is_letter(word.p[word.n - SIGNS[i].n - 1]))
            return SIGNS[i].n;
    }
    return 0;
}

/* Prefixes that keep their hyphen where the joined word is not known. */
static bool keeps_hyphen(str head)
{
    static const str KEPT[] = {
        STR_INIT("self"),  STR_INIT("well"),  STR_INIT("half"), STR_INIT("all"),
        STR_INIT("ex"),    STR_INIT("quasi"), STR_INIT("one"),  STR_INIT("two"),
        STR_INIT("three"), STR_INIT("high"),  STR_INIT("low")};

    for (size_t i = 0; i < NELEMS(KEPT); i++) {
        if (str_eq_nocase(head, KEPT[i]))
            return true;
    }
    return false;
}

/* The letters at the end, and at the start, of a word. */
static str last_letters(str s)
{
    size_t at = s.n;

    while (at > 0 && is_letter(s.p[at - 1]))
        at--;
    return str_sub(s, at, s.n);
}

static str first_letters(str s)
{
    size_t n = 0;

    while (n < s.n && is_letter(s.p[n]))
        n++;
    return str_sub(s, 0, n);
}

/*
 * Whether "head-" at a line's end and "tail" are one word without the hyphen.
 * The document itself knows best: what it writes in one piece elsewhere. Else
 * two words it knows keep their hyphen ("command-line"), parts of one don't.
 */
static bool is_joined(const struct seen *s, str head, str tail)
{
    str a = last_letters(head), b = first_letters(tail);
    char hyphenated[256];

    if (b.n == 0 || (b.p[0] >= 'A' && b.p[0] <= 'Z') || a.n < head.n)
        return false; /* "X-" "Ray", "2-" "fold", "a-b-" "c" */
    if (seen_has(s, a, b))
        return true;
    if (a.n + b.n + 1 < sizeof hyphenated) {
        memcpy(hyphenated, a.p, a.n);
        hyphenated[a.n] = '-';
        memcpy(hyphenated + a.n + 1, b.p, b.n);
        if (seen_has(s, (str){hyphenated, a.n + 1 + b.n}, STR_NONE))
            return false;
    }
    if (keeps_hyphen(a))
        return false;
    return !(a.n >= 4 && b.n >= 4 && seen_has(s, a, STR_NONE) &&
             seen_has(s, b, STR_NONE));
}

/* ---- marks of list items ---- */

static bool is_bullet(str word)
{
    static const uint32_t BULLETS[] = {
        0x2022, 0x2023, 0x2043, 0x2219, 0x25a0, 0x25a1, 0x25aa, 0x25ab, 0x25b6,
        0x25b8, 0x25ba, 0x25c6, 0x25cb, 0x25cf, 0x25e6, 0x2217, 0x27a2, 0x2713,
        0x2714, 0x2013, 0x2014, 0x00b7, 0xf0b7, 0xf0a7, '*',    '-'};
    size_t at = 0;
    uint32_t cp = utf8_next(word, &at);

    for (size_t i = 0; i < NELEMS(BULLETS) && at == word.n; i++) {
        if (cp == BULLETS[i])
            return true;
    }
    return false;
}

/* "1.", "12)", "(3)", "[4]", "a)", "(iv)". */
static bool is_number(str word)
{
    bool open = word.p[0] == '(' || word.p[0] == '[', letters, digits;
    char last = word.p[word.n - 1];
    str in = str_sub(word, open ? 1 : 0, word.n - (open ? 2 : 1));

    if (word.n < (open ? 3u : 2u) || in.n > 4 ||
        (last != '.' && last != ')' && last != ']') || (open && last == '.') ||
        (!open && last == ']'))
        return false;
    letters = digits = true;
    for (size_t i = 0; i < in.n; i++) {
        digits = digits && in.p[i] >= '0' && in.p[i] <= '9';
        letters =
            letters && (in.n == 1 ? in.p[i] >= 'a' && in.p[i] <= 'z'
                                  : str_find_char(STR("ivx"), in.p[i]) < 3);
    }
    return (digits && in.n <= 3) || (letters && last != '.');
}

enum marker marker_of(str word)
{
    if (word.n == 0)
        return MARKER_NONE;
    if (is_bullet(word))
        return MARKER_BULLET;
    return is_number(word) ? MARKER_NUMBER : MARKER_NONE;
}

static str first_word(const struct layout *l, const struct line *line)
{
    struct words w = line_words(l, line);
    struct pdf_word word;

    return words_next(&w, &word) ? word.text : STR_NONE;
}

static bool beside(const struct line *mark, const struct line *text)
{
    int32_t middle = mark->box[1] + (mark->box[3] - mark->box[1]) / 2;

    return text->role == ROLE_BODY && text->marker == 0 &&
           middle > text->box[1] && middle < text->box[3] &&
           text->box[0] >= mark->box[2] - mark->height / 4 &&
           text->box[0] - mark->box[2] < 4 * mark->height;
}

/* A mark that stands alone belongs to the text at its right. */
static void find_text_of(struct layout *l, size_t mark, const struct page *p)
{
    size_t last = p->first + p->lines_n;
    size_t low =
        mark < p->first + MARKER_LINES_MAX ? p->first : mark - MARKER_LINES_MAX;
    size_t high =
        last - mark < MARKER_LINES_MAX ? last : mark + MARKER_LINES_MAX;

    for (size_t i = low; i < high; i++) {
        if (i == mark || !beside(&l->lines[mark], &l->lines[i]))
            continue;
        l->lines[i].marker = (uint32_t)mark + 1;
        l->lines[mark].role = ROLE_MARKER;
        return;
    }
}

void find_markers(struct layout *l)
{
    for (size_t k = 0; k < l->pages_n; k++) {
        const struct page *p = &l->pages[k];

        for (size_t i = p->first; i < p->first + p->lines_n; i++) {
            const struct line *line = &l->lines[i];

            if (line->words_n == 1 && line->role == ROLE_BODY &&
                !line->upright && marker_of(first_word(l, line)) != MARKER_NONE)
                find_text_of(l, i, p);
        }
    }
}

/* ---- writing ---- */

struct flow {
    struct layout *l;
    struct writer w;
    struct seen seen;
    const struct line *before; /* the last one written; NULL: none */
    /* Its end: a hyphen that is not written yet, and the word before it. */
    str hyphen, head;
    char last; /* its last sign; what closes brackets and quotes aside */
    /* The block of the page `before` is in. */
    int32_t left, right, step;
    bool in_item;
    int32_t items[HEADING_DEPTH_MAX]; /* where open items begin */
    size_t items_n;
};

static void place(struct flow *f, const struct line *line)
{
    float box[4];

    for (size_t k = 0; k < 4; k++)
        box[k] = (float)line->box[k] / PDF_UNIT;
    writer_place(&f->w, f->l->pages[line->page].number, box);
}

static void settle_hyphen(struct flow *f)
{
    if (f->hyphen.n > 0)
        writer_text(&f->w, f->hyphen);
    f->hyphen = STR_NONE;
}

static void begin(struct flow *f, enum block_kind kind, unsigned level)
{
    settle_hyphen(f);
    writer_block(&f->w, kind, level);
}

static char last_sign(str s)
{
    static const str CLOSING[] = {STR_INIT(")"),
                                  STR_INIT("]"),
                                  STR_INIT("\""),
                                  STR_INIT("'"),
                                  STR_INIT("\xe2\x80\x9d"),
                                  STR_INIT("\xe2\x80\x99"),
                                  STR_INIT("\xc2\xbb")};

    for (size_t i = 0; i < NELEMS(CLOSING); i++) {
        if (s.n > CLOSING[i].n && str_ends(s, CLOSING[i])) {
            s = str_sub(s, 0, s.n - CLOSING[i].n);
            i = SIZE_MAX; /* from the start again */
        }
    }
    return s.n == 0 ? ' ' : s.p[s.n - 1];
}

/* The words of a line, behind what is written. `skip`: the first is a mark
 * that Markdown's own takes the place of. */
static void put_line(struct flow *f, const struct line *line, bool skip)
{
    struct words w = line_words(f->l, line);
    struct pdf_word word;
    bool first = true;

    while (words_next(&w, &word)) {
        str text = word.text;
        size_t n;

        if (skip) {
            skip = false;
            continue;
        }
        if (first && f->hyphen.n > 0) {
            if (!is_joined(&f->seen, f->head, text) &&
                !str_eq(f->hyphen, STR("\xc2\xad")))
                settle_hyphen(f);
            f->hyphen = STR_NONE;
            place(f, line);
        } else if (first) {
            writer_text(&f->w, STR(" "));
            place(f, line);
        } else if (gap_is_space(line, word.gap)) {
            writer_text(&f->w, STR(" "));
        }
        first = false;
        n = w.left == 0 ? hyphen_at_end(text) : 0;
        f->head = str_sub(text, 0, text.n - n);
        f->hyphen = str_sub(text, text.n - n, n);
        writer_text(&f->w, f->head);
        f->last = last_sign(text);
    }
}

/* ---- where a paragraph begins ---- */

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* From the line before to this one. By the edge that moves less: a sign of
 * another font in one of them moves the other. */
static int32_t step_of(const struct line *before, const struct line *line)
{
    return smaller(line->box[1] - before->box[1],
                   line->box[3] - before->box[3]);
}

static int by_size(const void *a, const void *b)
{
    int32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Edges and usual line distance of the block of the page that begins here. */
static void measure(struct flow *f, size_t at)
{
    const struct layout *l = f->l;
    const struct line *first = &l->lines[at];
    int32_t steps[MEASURED_STEPS_MAX] = {0};
    size_t n = 0;

    f->left = first->box[0];
    f->right = first->box[2];
    for (size_t i = at; i < l->lines_n && i - at < MEASURED_LINES_MAX; i++) {
        const struct line *line = &l->lines[i];
        int32_t step = i > at ? step_of(&line[-1], line) : 0;

        if (line->page != first->page ||
            (i > at && (line->breaks & PDF_BLOCK) != 0))
            break;
        f->left = smaller(f->left, line->box[0]);
        f->right = line->box[2] > f->right ? line->box[2] : f->right;
        if (step > 0 && n < MEASURED_STEPS_MAX)
            steps[n++] = step;
    }
    qsort(steps, n, sizeof *steps, by_size);
    f->step = n == 0 ? INT32_MAX : steps[(n - 1) / 2];
}

static bool ends_sentence(char c)
{
    return c == '.' || c == ':' || c == '?' || c == '!' || c == ';';
}

static bool lower_start(str s)
{
    return s.n > 0 && ((s.p[0] >= 'a' && s.p[0] <= 'z') || s.p[0] == ',' ||
                       (unsigned char)s.p[0] == 0xc3);
}

static bool same_type(const struct line *a, const struct line *b)
{
    return (int64_t)a->height * 20 <= (int64_t)b->height * 23 &&
           (int64_t)b->height * 20 <= (int64_t)a->height * 23;
}

static int32_t first_extent(const struct layout *l, const struct line *line)
{
    struct words w = line_words(l, line);
    struct pdf_word word;

    return words_next(&w, &word) ? word.extent : 0;
}

/* How much room the line before had left behind the first word of this one:
 * where there was some, whoever wrote it wanted a new line. */
static int32_t room_left(const struct flow *f, const struct line *line)
{
    return f->right - f->before->box[2] - first_extent(f->l, line);
}

/* In the same row of the page as the line before, at its right. */
static bool same_row(const struct line *b, const struct line *line)
{
    int32_t middle = line->box[1] + (line->box[3] - line->box[1]) / 2;

    return b->page == line->page && middle > b->box[1] && middle < b->box[3] &&
           line->box[0] > b->box[2] - b->height / 4;
}

static bool new_in_block(const struct flow *f, const struct line *line,
                         str word)
{
    const struct line *b = f->before;
    int32_t step = step_of(b, line), room;

    if (step < 0) /* beside or above: another piece of the same row */
        return false;
    if (f->step < INT32_MAX && (int64_t)step * 10 > (int64_t)f->step * 13 &&
        (int64_t)step * 4 > (int64_t)line->height * 5)
        return true;
    if (f->hyphen.n > 0 && lower_start(word))
        return false;
    if (!same_type(b, line))
        return line->height > b->height && !lower_start(word);
    room = room_left(f, line);
    if (room > 2 * b->height)
        return true;
    if (room > b->height * 6 / 10)
        return ends_sentence(f->last) || !lower_start(word);
    /* An indented first line. */
    return line->box[0] - f->left > line->height * 8 / 10 &&
           b->box[0] - f->left < line->height * 4 / 10 &&
           ends_sentence(f->last);
}

static bool begins_paragraph(const struct flow *f, const struct line *line,
                             str word)
{
    const struct line *b = f->before;

    if (b == NULL || b->level > 0 || b->code)
        return true;
    if (same_row(b, line))
        return false;
    if ((line->breaks & PDF_BLOCK) == 0 && line->page == b->page)
        return new_in_block(f, line, word);
    /* It goes on in the next block, column or page. */
    if (f->hyphen.n > 0)
        return !lower_start(word);
    return ends_sentence(f->last) || !lower_start(word) || !same_type(b, line);
}

/* ---- blocks ---- */

/* How deep an item that begins here is. */
static unsigned item_level(struct flow *f, const struct line *line, int32_t x)
{
    int32_t same = line->height * 8 / 10;

    while (f->items_n > 0 && x < f->items[f->items_n - 1] - same)
        f->items_n--;
    if (f->items_n == 0 ||
        (x > f->items[f->items_n - 1] + same && f->items_n < NELEMS(f->items)))
        f->items[f->items_n++] = x;
    return (unsigned)f->items_n;
}

static void put_item(struct flow *f, const struct line *line, bool bullet)
{
    const struct line *mark =
        line->marker > 0 ? &f->l->lines[line->marker - 1] : NULL;
    int32_t x = mark != NULL ? mark->box[0] : line->box[0];

    if (!f->in_item)
        f->items_n = 0;
    begin(f, BLOCK_LIST_ITEM, item_level(f, line, x));
    f->in_item = true;
    if (mark != NULL && !bullet)
        put_line(f, mark, false);
    put_line(f, line, mark == NULL && bullet);
}

static void put_text(struct flow *f, const struct line *line)
{
    const struct line *named =
        line->marker > 0 ? &f->l->lines[line->marker - 1] : line;
    str word = first_word(f->l, line);
    enum marker marker = marker_of(first_word(f->l, named));
    bool begins = begins_paragraph(f, line, word);

    if (line->marker == 0 && (line->words_n < 2 || line->upright || !begins ||
                              (marker == MARKER_BULLET && f->before == NULL)))
        marker = MARKER_NONE;
    if (marker != MARKER_NONE) {
        put_item(f, line, marker == MARKER_BULLET);
        return;
    }
    if (begins) {
        /* What is indented as the item's text belongs to the list still. */
        if (f->items_n > 0 && line->box[0] <= f->items[0])
            f->in_item = false;
        begin(f, BLOCK_PARAGRAPH, 0);
    }
    put_line(f, line, false);
}

static void put_heading(struct flow *f, const struct line *line)
{
    if (!line->goes_on || f->before == NULL || f->before->level != line->level)
        begin(f, BLOCK_HEADING, line->level);
    f->in_item = false;
    put_line(f, line, false);
}

/* ---- code ---- */

static void put_spaces(struct flow *f, int64_t n)
{
    static const str SPACES = STR_INIT("                                ");

    for (; n > 0; n -= (int64_t)SPACES.n)
        writer_text(&f->w, str_sub(SPACES, 0, (size_t)n));
}

/* As many letters as there is room for, and no more than a page is wide. */
static int64_t letters_in(const struct line *line, int64_t room)
{
    int64_t n = (room + line->pitch / 2) / line->pitch;

    return n < 0 ? 0 : n > 200 ? 200 : n;
}

static void put_code_line(struct flow *f, const struct line *line, int32_t left)
{
    struct words w = line_words(f->l, line);
    struct pdf_word word;

    place(f, line);
    put_spaces(f, letters_in(line, line->box[0] - left));
    for (bool first = true; words_next(&w, &word); first = false) {
        if (!first)
            put_spaces(f, letters_in(line, word.gap));
        writer_text(&f->w, word.text);
    }
}

/* What parts a line of code from the one before. */
static void part_code(struct flow *f, const struct line *line)
{
    int32_t step = line->box[1] - f->before->box[1];

    if (same_row(f->before, line)) {
        put_spaces(f, letters_in(line, line->box[0] - f->before->box[2]));
        return;
    }
    writer_break(&f->w);
    if ((int64_t)step * 10 > (int64_t)line->height * 18)
        writer_break(&f->w); /* an empty line */
}

/* The end of the code that begins at line `at`, on its page, and its left. */
static size_t code_end(const struct layout *l, size_t at, int32_t *left)
{
    size_t end = at;

    *left = l->lines[at].box[0];
    for (; end < l->lines_n && l->lines[end].page == l->lines[at].page; end++) {
        const struct line *line = &l->lines[end];

        if (line->role != ROLE_BODY)
            continue;
        if (!line->code)
            break;
        *left = smaller(*left, line->box[0]);
    }
    return end;
}

/* The code that begins at line `at`; returns the line behind it. */
static size_t put_code(struct flow *f, size_t at)
{
    struct layout *l = f->l;
    int32_t left;
    size_t end = code_end(l, at, &left);

    begin(f, BLOCK_CODE, 0);
    f->in_item = false;
    for (size_t i = at; i < end; i++) {
        const struct line *line = &l->lines[i];
        bool beside = i > at && same_row(f->before, line);

        if (line->role != ROLE_BODY)
            continue;
        if (i > at)
            part_code(f, line);
        put_code_line(f, line, beside ? line->box[0] : left);
        f->before = line;
    }
    f->last = ' ';
    return end;
}

rc write_flow(struct layout *l, struct err *e)
{
    struct flow f = {.l = l, .last = ' '};
    rc code;

    writer_open(&f.w, l->d, l->out);
    seen_fill(&f.seen, l);
    for (size_t i = 0; i < l->lines_n;) {
        const struct line *line = &l->lines[i];

        if (line->role != ROLE_BODY) {
            i++;
            continue;
        }
        if (line->code) {
            i = put_code(&f, i);
            continue;
        }
        if (f.before == NULL || f.before->page != line->page ||
            (line->breaks & PDF_BLOCK) != 0 || f.before->code)
            measure(&f, i);
        if (line->level > 0)
            put_heading(&f, line);
        else
            put_text(&f, line);
        f.before = line;
        i++;
    }
    settle_hyphen(&f);
    code = writer_end(&f.w, e);
    writer_close(&f.w);
    return code;
}
