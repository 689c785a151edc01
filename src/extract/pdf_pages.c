#include "extract/pdf_pages.h"

#include <assert.h>

#include "base/mem.h"
#include "text/utf8.h"

static_assert(PDF_PLACE_MAX == 1000000 * PDF_UNIT, "a million points");

/*
 * The form, little endian, varints as everywhere:
 *
 *   u32     magic "KDP1"
 *   u8      1: cut, 2: full
 *   varint  pages; varint pages without words, and of each: varint index less
 *           the one before, varint width, varint height in points
 *   page    …
 */
#define MAGIC 0x3150444bu
#define RANGE_CUT 1
#define RANGE_FULL 2
#define LINE_UPRIGHT 8

/* Text of less is too small to be read. */
#define TINY_HEIGHT PDF_UNIT

struct made_word {
    int32_t box[4];
    size_t text_at, text_n;
    unsigned breaks;
};

struct pdf_maker {
    struct buf *to;
    struct buf body;  /* pages */
    struct buf texts; /* of the words of the page */
    struct buf line;  /* words of the line being written */
    struct buf page;  /* lines of the page being written */
    struct made_word *words;
    size_t words_n, words_cap;
    unsigned breaks; /* of the next word */
    int32_t width, height;
    unsigned confidence;
    bool in_page, full;
    unsigned pages_n, empty_n;
    struct pdf_empty empty[PDF_RANGE_PAGES_MAX];
};

struct pdf_maker *pdf_maker_open(struct buf *to)
{
    struct pdf_maker *m = mem_alloc(sizeof *m);

    m->to = to;
    return m;
}

void pdf_maker_close(struct pdf_maker *m)
{
    if (m == NULL)
        return;
    buf_close(&m->body);
    buf_close(&m->texts);
    buf_close(&m->line);
    buf_close(&m->page);
    mem_free(m->words);
    mem_free(m);
}

/* As much of s as is valid and at most bytes_max. */
static str cut_to(str s, size_t bytes_max)
{
    return str_sub(s, 0, utf8_valid_prefix(str_sub(s, 0, bytes_max)));
}

#define MICROS INT64_C(1000000)

/* The digits at the start of s as a number, which stops growing at `max`;
 * returns how many there are. */
static size_t digits_of(str s, int64_t max, int64_t *v)
{
    size_t n = 0;

    for (*v = 0; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++) {
        if (*v < max)
            *v = *v * 10 + (s.p[n] - '0');
    }
    return n;
}

#define MICROS_MAX (PDF_PLACE_MAX / PDF_UNIT * MICROS)

int64_t pdf_micros(str number)
{
    static const int64_t SCALES[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    bool minus = str_starts(number, STR("-"));
    int64_t whole, part = 0;
    size_t n;

    number = str_sub(number, minus, number.n);
    n = digits_of(number, PDF_PLACE_MAX, &whole);
    if (n == 0)
        return PDF_MICROS_NONE;
    number = str_sub(number, n, number.n);
    if (str_starts(number, STR("."))) {
        /* poppler writes two or six */
        n = digits_of(str_sub(number, 1, 6), MICROS, &part);
        part *= SCALES[n];
        number = str_sub(number, n + 1, number.n);
    }
    whole = whole * MICROS + part;
    if (number.n > 0 || whole > MICROS_MAX)
        return PDF_MICROS_NONE;
    return minus ? -whole : whole;
}

int64_t pdf_micros_add(int64_t a, int64_t b)
{
    int64_t sum = PDF_MICROS_NONE;

    if (a != PDF_MICROS_NONE && b != PDF_MICROS_NONE)
        sum = a + b;
    return sum > MICROS_MAX || sum < -MICROS_MAX ? PDF_MICROS_NONE : sum;
}

int32_t pdf_units(int64_t micros, bool up)
{
    int64_t units, rest;

    if (micros == PDF_MICROS_NONE)
        return PDF_PLACE_MAX + 1;
    units = micros * PDF_UNIT / MICROS;
    rest = micros * PDF_UNIT % MICROS; /* of the sign of micros */
    return (int32_t)(units + (up && rest > 0 ? 1 : !up && rest < 0 ? -1 : 0));
}

void pdf_maker_page(struct pdf_maker *m, int32_t width, int32_t height)
{
    m->in_page = m->pages_n < PDF_RANGE_PAGES_MAX && !m->full;
    m->width = width;
    m->height = height;
    m->confidence = 0;
    m->words_n = 0;
    m->breaks = PDF_LINE | PDF_BLOCK | PDF_FLOW;
    buf_clear(&m->texts);
}

void pdf_maker_read_from_picture(struct pdf_maker *m, unsigned confidence)
{
    m->confidence = confidence;
}

void pdf_maker_break(struct pdf_maker *m, unsigned breaks)
{
    m->breaks |= breaks;
}

/* Words are text: no white space, no control characters. */
static bool is_word(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    }
    return s.n > 0;
}

static bool box_sane(const int32_t box[4])
{
    for (size_t k = 0; k < 4; k++) {
        if (box[k] > PDF_PLACE_MAX || box[k] < -PDF_PLACE_MAX)
            return false;
    }
    return box[0] <= box[2] && box[1] <= box[3];
}

void pdf_maker_word(struct pdf_maker *m, const int32_t box[4], str text)
{
    struct made_word w = {.text_at = m->texts.n, .breaks = m->breaks};

    text = cut_to(text, PDF_WORD_BYTES_MAX);
    if (!m->in_page || !is_word(text))
        return;
    if (m->words_n >= PDF_PAGE_WORDS_MAX || m->texts.n >= PDF_RANGE_BYTES_MAX) {
        m->full = true;
        return;
    }
    if (m->words_n == m->words_cap) {
        m->words_cap = m->words_cap == 0 ? 1024 : 2 * m->words_cap;
        m->words = mem_resize(m->words, m->words_cap * sizeof *m->words);
    }
    /* One whose place makes no sense is nowhere on the page. */
    if (box_sane(box))
        memcpy(w.box, box, sizeof w.box);
    else
        w.box[0] = w.box[1] = w.box[2] = w.box[3] = -PDF_UNIT;
    w.text_n = text.n;
    buf_put(&m->texts, text);
    m->words[m->words_n++] = w;
    m->breaks = 0;
}

/* ---- a page is written ---- */

static bool on_page(const struct made_word *w, int32_t width, int32_t height)
{
    return w->box[2] > 0 && w->box[3] > 0 && w->box[0] < width &&
           w->box[1] < height;
}

/* poppler tells the size of a page before it is turned and the places of its
 * words after: the way that shows more words is right. */
static void page_turn(struct pdf_maker *m)
{
    size_t as_is = 0, turned = 0;
    int32_t width = m->width;

    for (size_t i = 0; i < m->words_n; i++) {
        as_is += on_page(&m->words[i], m->width, m->height);
        turned += on_page(&m->words[i], m->height, m->width);
    }
    if (turned > as_is) {
        m->width = m->height;
        m->height = width;
    }
}

/* How the words of a line follow each other. */
enum run { RUN_ALONG, RUN_DOWN, RUN_UP, RUN_BACK };

static enum run run_of(const struct pdf_maker *m, const struct made_word *v,
                       size_t n)
{
    int32_t dx, dy;
    bool upright;

    if (n == 1) {
        dx = v->box[2] - v->box[0];
        dy = v->box[3] - v->box[1];
        upright =
            dy > 2 * dx &&
            utf8_count(str_sub(buf_str(&m->texts), v->text_at, v->text_n)) >= 3;
        return upright ? RUN_DOWN : RUN_ALONG;
    }
    dx = v[n - 1].box[0] - v[0].box[0];
    dy = v[n - 1].box[1] - v[0].box[1];
    if ((dy < 0 ? -dy : dy) <= 2 * (dx < 0 ? -dx : dx))
        return dx < 0 ? RUN_BACK : RUN_ALONG;
    return dy < 0 ? RUN_UP : RUN_DOWN;
}

static bool is_upright(enum run run)
{
    return run == RUN_DOWN || run == RUN_UP;
}

static int32_t height_of(const int32_t box[4], enum run run)
{
    return is_upright(run) ? box[2] - box[0] : box[3] - box[1];
}

static int32_t start_of(const int32_t box[4], enum run run)
{
    switch (run) {
    case RUN_ALONG:
        return box[0];
    case RUN_DOWN:
        return box[1];
    case RUN_UP:
        return -box[3];
    case RUN_BACK:
        return -box[2];
    }
    return 0;
}

static int32_t end_of(const int32_t box[4], enum run run)
{
    switch (run) {
    case RUN_ALONG:
        return box[2];
    case RUN_DOWN:
        return box[3];
    case RUN_UP:
        return -box[1];
    case RUN_BACK:
        return -box[0];
    }
    return 0;
}

static void put_text(struct buf *b, str s)
{
    buf_put_varint(b, s.n);
    buf_put(b, s);
}

static void line_word(struct pdf_maker *m, const struct made_word *w,
                      enum run run, int32_t *end)
{
    int32_t a = start_of(w->box, run), b = end_of(w->box, run);

    buf_put_signed(&m->line, (int64_t)a - *end);
    buf_put_varint(&m->line, (uint64_t)(b - a));
    put_text(&m->line, str_sub(buf_str(&m->texts), w->text_at, w->text_n));
    *end = b;
}

struct page_state {
    int32_t box[4]; /* of the line before */
    uint32_t lines_n, words_n;
    unsigned breaks; /* of lines that were left out whole */
    struct pdf_dropped off_page, tiny;
};

static void drop(struct pdf_maker *m, struct pdf_dropped *d,
                 const struct made_word *w)
{
    if (d->count++ == 0)
        d->sample =
            cut_to(str_sub(buf_str(&m->texts), w->text_at, w->text_n), 100);
}

/* The line of the words v[0] to v[n - 1], without those nobody can see. */
static void line_write(struct pdf_maker *m, const struct made_word *v, size_t n,
                       struct page_state *s)
{
    enum run run = run_of(m, v, n);
    int32_t box[4] = {0}, height = 0, end = 0;
    size_t kept = 0, longest = 0;

    s->breaks |= v->breaks;
    buf_clear(&m->line);
    for (size_t i = 0; i < n; i++) {
        const struct made_word *w = &v[i];

        if (!on_page(w, m->width, m->height)) {
            drop(m, &s->off_page, w);
            continue;
        }
        if (height_of(w->box, run) < TINY_HEIGHT) {
            drop(m, &s->tiny, w);
            continue;
        }
        if (kept == 0) {
            memcpy(box, w->box, sizeof box);
            end = start_of(box, run);
        }
        for (size_t k = 0; k < 4; k++)
            box[k] = (k < 2 ? w->box[k] < box[k] : w->box[k] > box[k])
                         ? w->box[k]
                         : box[k];
        if (w->text_n > longest) {
            longest = w->text_n;
            height = height_of(w->box, run);
        }
        line_word(m, w, run, &end);
        kept++;
    }
    if (kept == 0)
        return;
    if (m->confidence > 0) /* boxes of ink: none has the height of the font */
        height = height_of(box, run);
    buf_put_char(&m->page,
                 (char)(s->breaks | (is_upright(run) ? LINE_UPRIGHT : 0)));
    for (size_t k = 0; k < 4; k++)
        buf_put_signed(&m->page, (int64_t)box[k] - s->box[k]);
    buf_put_varint(&m->page, (uint64_t)height);
    buf_put_varint(&m->page, kept);
    buf_put(&m->page, buf_str(&m->line));
    memcpy(s->box, box, sizeof box);
    s->lines_n++;
    s->words_n += (uint32_t)kept;
    s->breaks = 0;
}

static void put_dropped(struct buf *b, const struct pdf_dropped *d)
{
    buf_put_varint(b, d->count);
    put_text(b, d->sample);
}

static uint32_t points(int32_t units)
{
    return ((uint32_t)units + PDF_UNIT - 1) / PDF_UNIT;
}

void pdf_maker_page_end(struct pdf_maker *m)
{
    struct page_state s = {0};
    struct buf *b = &m->body;

    if (!m->in_page)
        return;
    m->in_page = false;
    if (m->width <= 0 || m->height <= 0 || m->width > PDF_PLACE_MAX ||
        m->height > PDF_PLACE_MAX)
        m->width = m->height = PDF_PLACE_MAX;
    page_turn(m);
    buf_clear(&m->page);
    for (size_t i = 0, n; i < m->words_n; i += n) {
        for (n = 1; i + n < m->words_n && m->words[i + n].breaks == 0; n++)
            ;
        line_write(m, &m->words[i], n, &s);
    }
    if (b->n + m->page.n > PDF_RANGE_BYTES_MAX) {
        m->full = true;
        return;
    }
    buf_put_varint(b, (uint64_t)m->width);
    buf_put_varint(b, (uint64_t)m->height);
    buf_put_char(b, (char)m->confidence);
    put_dropped(b, &s.off_page);
    put_dropped(b, &s.tiny);
    buf_put_varint(b, s.lines_n);
    buf_put(b, buf_str(&m->page));
    if (m->words_n == 0)
        m->empty[m->empty_n++] =
            (struct pdf_empty){m->pages_n, points(m->width), points(m->height)};
    m->pages_n++;
}

rc pdf_maker_end(struct pdf_maker *m, bool cut, struct err *e)
{
    struct buf *to = m->to;
    unsigned before = 0;

    buf_put_u32(to, MAGIC);
    buf_put_char(to,
                 (char)((cut ? RANGE_CUT : 0) | (m->full ? RANGE_FULL : 0)));
    buf_put_varint(to, m->pages_n);
    buf_put_varint(to, m->empty_n);
    for (unsigned i = 0; i < m->empty_n; i++) {
        buf_put_varint(to, m->empty[i].page - before);
        buf_put_varint(to, m->empty[i].width);
        buf_put_varint(to, m->empty[i].height);
        before = m->empty[i].page;
    }
    buf_put(to, buf_str(&m->body));
    if (m->body.code != RC_OK || m->page.code != RC_OK ||
        m->line.code != RC_OK || m->texts.code != RC_OK)
        return err_set(e, RC_NOMEM, "no memory for the pages of a PDF file");
    return buf_end(to, e);
}

/* ---- reading ---- */

/* A number of at most max; more is damage. */
static uint32_t get_number(struct cur *c, uint32_t max)
{
    uint64_t v = cur_varint(c);

    if (v > max)
        c->bad = true;
    return c->bad ? 0 : (uint32_t)v;
}

/* Within bounds around `from`; else it is damage. */
static int32_t get_place(struct cur *c, int32_t from)
{
    uint64_t z = cur_varint(c);
    int64_t v = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);

    if (v < -4 * (int64_t)PDF_PLACE_MAX || v > 4 * (int64_t)PDF_PLACE_MAX ||
        from + v < -PDF_PLACE_MAX || from + v > PDF_PLACE_MAX)
        c->bad = true;
    return c->bad ? 0 : (int32_t)(from + v);
}

static str get_text(struct cur *c, uint32_t bytes_max)
{
    uint32_t n = get_number(c, bytes_max);
    str s = cur_bytes(c, n);

    if (!c->bad && utf8_valid_prefix(s) != s.n)
        c->bad = true;
    return c->bad ? STR_NONE : s;
}

rc pdf_range_read(str bytes, struct pdf_range *r, struct err *e)
{
    struct cur c = cur_of(bytes);
    unsigned flags, page = 0;
    bool magic = cur_u32(&c) == MAGIC;

    *r = (struct pdf_range){0};
    flags = cur_u8(&c);
    r->cut = (flags & RANGE_CUT) != 0;
    r->full = (flags & RANGE_FULL) != 0;
    r->pages_n = get_number(&c, PDF_RANGE_PAGES_MAX);
    r->empty_n = get_number(&c, r->pages_n);
    for (unsigned i = 0; i < r->empty_n && !c.bad; i++) {
        page += get_number(&c, PDF_RANGE_PAGES_MAX);
        if (page >= r->pages_n)
            c.bad = true;
        r->empty[i].page = page;
        r->empty[i].width = get_number(&c, PDF_PLACE_MAX);
        r->empty[i].height = get_number(&c, PDF_PLACE_MAX);
    }
    if (!magic || c.bad)
        return err_set(e, RC_FORMAT, "these are no pages of a PDF file");
    r->at = c;
    return RC_OK;
}

static struct pdf_dropped get_dropped(struct cur *c)
{
    struct pdf_dropped d = {.count = get_number(c, PDF_PAGE_WORDS_MAX)};

    d.sample = get_text(c, 100);
    return d;
}

bool pdf_page_read(struct cur *c, struct pdf_page *p)
{
    *p = (struct pdf_page){0};
    p->width = (int32_t)get_number(c, PDF_PLACE_MAX);
    p->height = (int32_t)get_number(c, PDF_PLACE_MAX);
    p->confidence = cur_u8(c);
    p->off_page = get_dropped(c);
    p->tiny = get_dropped(c);
    p->lines_n = get_number(c, PDF_PAGE_WORDS_MAX);
    if (p->confidence > 100)
        c->bad = true;
    return !c->bad;
}

bool pdf_line_read(struct cur *c, struct pdf_line *l, const int32_t before[4])
{
    unsigned flags = cur_u8(c);

    *l = (struct pdf_line){.breaks = flags & (LINE_UPRIGHT - 1),
                           .upright = (flags & LINE_UPRIGHT) != 0};
    for (size_t k = 0; k < 4; k++)
        l->box[k] = get_place(c, before[k]);
    l->height = (int32_t)get_number(c, 2 * PDF_PLACE_MAX);
    l->words_n = get_number(c, PDF_PAGE_WORDS_MAX);
    if (l->words_n == 0 || l->box[0] > l->box[2] || l->box[1] > l->box[3])
        c->bad = true;
    return !c->bad;
}

bool pdf_word_read(struct cur *c, struct pdf_word *w)
{
    w->gap = get_place(c, 0);
    w->extent = (int32_t)get_number(c, 2 * PDF_PLACE_MAX);
    w->text = get_text(c, PDF_WORD_BYTES_MAX);
    if (!is_word(w->text))
        c->bad = true;
    return !c->bad;
}

/* One that was good before. */
static uint64_t varint_again(struct cur *c)
{
    return *c->p < 0x80 ? *c->p++ : cur_varint(c);
}

void pdf_word_again(struct cur *c, struct pdf_word *w)
{
    uint64_t gap = varint_again(c);

    w->gap = (int32_t)((int64_t)(gap >> 1) ^ -(int64_t)(gap & 1));
    w->extent = (int32_t)varint_again(c);
    w->text.n = (size_t)varint_again(c);
    w->text.p = (const char *)c->p;
    c->p += w->text.n;
    ASSERT(!c->bad && c->p <= c->end);
}
