#include "extract/pdf_layout.h"

#include "extract/extract_priv.h"
#include "extract/pdf_about.h"
#include "extract/pdf_layout_priv.h"
#include "extract/pdf_listing.h"
#include "extract/pdf_outline.h"
#include "text/utf8.h"

/* ---- parts ---- */

struct part {
    enum pdf_part kind;
    uint32_t page;
    str bytes;
};

void pdf_part_put(struct buf *to, enum pdf_part kind, uint32_t page, str bytes)
{
    buf_put_char(to, (char)kind);
    buf_put_varint(to, page);
    buf_put_varint(to, bytes.n);
    buf_put(to, bytes);
}

static bool part_next(struct cur *c, struct part *p)
{
    uint64_t page, n;
    unsigned kind;

    if (c->bad || c->p == c->end)
        return false;
    kind = cur_u8(c);
    page = cur_varint(c);
    n = cur_varint(c);
    if (kind == 0 || kind >= PDF_PART_COUNT || page > UINT32_MAX / 2 ||
        n > (size_t)(c->end - c->p))
        c->bad = true;
    *p = (struct part){.kind = (enum pdf_part)kind, .page = (uint32_t)page};
    p->bytes = cur_bytes(c, c->bad ? 0 : (size_t)n);
    return !c->bad;
}

/* ---- words of a line ---- */

struct words line_words(const struct layout *l, const struct line *line)
{
    return (struct words){{line->words, l->end, false}, line->words_n};
}

bool words_next(struct words *w, struct pdf_word *word)
{
    if (w->left == 0)
        return false;
    w->left--;
    pdf_word_again(&w->c, word);
    return true;
}

/* pdftotext takes a tenth of the font's size. */
bool gap_is_space(const struct line *line, int32_t gap)
{
    return line->from_picture || (int64_t)gap * 10 >= line->height;
}

str line_text(const struct layout *l, const struct line *line, struct buf *to)
{
    struct words w = line_words(l, line);
    struct pdf_word word;

    buf_clear(to);
    while (words_next(&w, &word)) {
        if (to->n > 0 && gap_is_space(line, word.gap))
            buf_put_char(to, ' ');
        buf_put(to, word.text);
    }
    return buf_str(to);
}

/* Punctuation of Latin 1 and of the general block: dashes, quotes, bullets. */
static bool is_mark(uint32_t cp)
{
    return (cp >= 0xa0 && cp < 0xc0 && cp != 0xaa && cp != 0xb5 &&
            cp != 0xba) ||
           cp == 0xd7 || cp == 0xf7 || (cp >= 0x2000 && cp < 0x2070);
}

void put_key(struct buf *to, str s)
{
    for (size_t at = 0, start = 0; at < s.n; start = at) {
        uint32_t cp = utf8_next(s, &at);

        if (cp >= 'A' && cp <= 'Z')
            buf_put_char(to, (char)(cp | 0x20));
        else if (cp >= 0x80
                     ? !is_mark(cp)
                     : (cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9'))
            buf_put(to, str_sub(s, start, at - start));
    }
}

/* ---- taking in the pages ---- */

static void drop_flag(struct layout *l, enum doc_flag_kind kind, uint32_t page,
                      const struct pdf_dropped *d)
{
    if (d->count > 0)
        doc_flag_add(l->d,
                     (struct doc_flag){.kind = kind,
                                       .dropped = true,
                                       .count = d->count,
                                       .page = page,
                                       .sample = d->sample},
                     l->out);
}

static bool take_line(struct layout *l, struct cur *c, const int32_t before[4],
                      const struct page *p, struct line *line)
{
    struct pdf_line read;
    struct pdf_word word;

    if (!pdf_line_read(c, &read, before))
        return false;
    *line = (struct line){.height = read.height,
                          .page = (uint32_t)l->pages_n,
                          .words_n = read.words_n,
                          .words = c->p,
                          .breaks = read.breaks & 7,
                          .upright = read.upright,
                          .from_picture = p->confidence > 0};
    memcpy(line->box, read.box, sizeof line->box);
    for (uint32_t i = 0; i < read.words_n; i++) {
        if (!pdf_word_read(c, &word))
            return false;
        line->chars += (uint32_t)utf8_count(word.text);
    }
    return true;
}

/* The next page of a range; false: it is damaged. */
static bool take_page(struct layout *l, struct cur *c, uint32_t number)
{
    static const int32_t NOWHERE[4];
    const int32_t *before = NOWHERE;
    struct pdf_page read;
    struct page p = {.number = number, .first = (uint32_t)l->lines_n};
    struct line line;

    if (!pdf_page_read(c, &read))
        return false;
    p.width = read.width;
    p.height = read.height;
    p.confidence = read.confidence;
    drop_flag(l, FLAG_OFF_PAGE, number, &read.off_page);
    drop_flag(l, FLAG_TINY, number, &read.tiny);
    for (uint32_t i = 0; i < read.lines_n; i++) {
        if (!take_line(l, c, before, &p, &line))
            return false;
        if (l->lines_n >= LAYOUT_LINES_MAX) {
            l->full = true;
            continue;
        }
        find_pitch(l, &line);
        ARENA_PUSH(l->tmp, l->lines, l->lines_n, l->lines_cap, line);
        before = l->lines[l->lines_n - 1].box;
    }
    p.lines_n = (uint32_t)l->lines_n - p.first;
    ARENA_PUSH(l->tmp, l->pages, l->pages_n, l->pages_cap, p);
    return true;
}

/* The part that stands for a page without text; false: there is none. Parts of
 * pictures stand in the order of their pages, too. */
static bool picture_of(struct cur *c, uint32_t page, struct part *p)
{
    struct cur at = *c;

    while (part_next(&at, p)) {
        if ((p->kind == PDF_PART_OCR || p->kind == PDF_PART_PICTURE) &&
            p->page >= page)
            return p->page == page;
        if (p->kind == PDF_PART_OCR || p->kind == PDF_PART_PICTURE)
            *c = at;
    }
    return false;
}

static void flag_page(struct layout *l, enum doc_flag_kind kind, uint32_t page)
{
    doc_flag_add(l->d,
                 (struct doc_flag){.kind = kind,
                                   .dropped = kind == FLAG_NO_TEXT,
                                   .count = 1,
                                   .page = page},
                 l->out);
    l->d->images++;
}

/* A page that has no words of its own. */
static bool take_picture(struct layout *l, struct cur *pictures,
                         uint32_t number)
{
    struct pdf_range r;
    struct part p;
    size_t lines_n = l->lines_n;

    if (!picture_of(pictures, number, &p))
        return true;
    if (p.kind == PDF_PART_PICTURE) {
        flag_page(l, FLAG_NO_TEXT, number);
        return true;
    }
    if (pdf_range_read(p.bytes, &r, NULL) != RC_OK)
        return false;
    l->pages_n--; /* it takes the place of the empty one */
    if (r.pages_n == 0) {
        l->pages_n++;
        return true;
    }
    if (!take_page(l, &r.at, number))
        return false;
    flag_page(l, l->lines_n > lines_n ? FLAG_OCR : FLAG_NO_TEXT, number);
    return true;
}

static bool take_range(struct layout *l, const struct part *p,
                       struct cur *pictures)
{
    struct pdf_range r;

    if (pdf_range_read(p->bytes, &r, NULL) != RC_OK)
        return false;
    for (unsigned i = 0; i < r.pages_n; i++) {
        if (!take_page(l, &r.at, p->page + i) ||
            (l->pages[l->pages_n - 1].lines_n == 0 &&
             !take_picture(l, pictures, p->page + i)))
            return false;
        l->d->pages = p->page + i;
    }
    return true;
}

static bool take_about(struct layout *l, str bytes)
{
    struct pdf_about about;

    if (!pdf_about_read(bytes, &about))
        return false;
    l->title = about.title;
    l->d->created = arena_str(l->out, about.created);
    l->d->modified = arena_str(l->out, about.modified);
    return true;
}

static bool take_files(struct layout *l, str bytes)
{
    struct cur c = cur_of(bytes);
    uint64_t n = cur_varint(&c);
    uint32_t count = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;

    if (count > 0)
        doc_flag_add(l->d,
                     (struct doc_flag){.kind = FLAG_ATTACHMENT,
                                       .dropped = true,
                                       .count = count},
                     l->out);
    return !c.bad;
}

static rc take_all(struct layout *l, str parts, struct err *e)
{
    struct cur c = cur_of(parts), pictures = c;
    struct part p;
    bool good = true;

    l->outline.bad = true;
    l->end = c.end;
    while (good && part_next(&c, &p)) {
        if (p.kind == PDF_PART_OUTLINE)
            l->outline = pdf_outline_read(p.bytes);
        else if (p.kind == PDF_PART_ABOUT)
            good = take_about(l, p.bytes);
        else if (p.kind == PDF_PART_FILES)
            good = take_files(l, p.bytes);
        else if (p.kind == PDF_PART_RANGE)
            good = p.page > 0 && take_range(l, &p, &pictures);
    }
    if (!good || c.bad)
        return err_set(e, RC_FORMAT, "a part of a PDF file is damaged");
    return RC_OK;
}

/* ---- what the document says of itself ---- */

/* pdfinfo writes "2022-12-31T10:59:45+01". */
static str date_clean(str s, struct arena *out)
{
    if (str_sub(s, 19, s.n).n == 3)
        s = arena_fmt(out, STR_FMT ":00", STR_ARG(s));
    return doc_date_valid(s) ? s : STR_NONE;
}

static bool has_letters(str s, size_t n_min)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z';
    for (size_t i = 0; i < s.n; i++)
        n += (unsigned char)s.p[i] >= 0xc3;
    return n >= n_min;
}

/* Names of files, and what programs write when nobody gave a title. */
static bool title_sensible(str s)
{
    static const str NOT_START[] = {STR_INIT("untitled"),
                                    STR_INIT("microsoft"),
                                    STR_INIT("powerpoint presentation"),
                                    STR_INIT("document1"),
                                    STR_INIT("title"),
                                    STR_INIT("no title")};
    static const str NOT_END[] = {
        STR_INIT(".doc"),  STR_INIT(".docx"), STR_INIT(".pdf"),
        STR_INIT(".tex"),  STR_INIT(".dvi"),  STR_INIT(".ps"),
        STR_INIT(".eps"),  STR_INIT(".eps)"), STR_INIT(".indd"),
        STR_INIT(".qxd"),  STR_INIT(".fm"),   STR_INIT(".rtf"),
        STR_INIT(".odt"),  STR_INIT(".ppt"),  STR_INIT(".pptx"),
        STR_INIT(".xls"),  STR_INIT(".xlsx"), STR_INIT(".txt"),
        STR_INIT(".html"), STR_INIT(".htm"),  STR_INIT(".md"),
        STR_INIT(".tif"),  STR_INIT(".tiff"), STR_INIT(".jpg")};

    for (size_t i = 0; i < NELEMS(NOT_START); i++) {
        str start = str_sub(s, 0, NOT_START[i].n);
        bool word = i < 2 || s.n == start.n; /* the others: nothing behind */

        if (word && str_eq_nocase(start, NOT_START[i]))
            return false;
    }
    for (size_t i = 0; i < NELEMS(NOT_END); i++) {
        size_t n = NOT_END[i].n;

        if (s.n >= n && str_eq_nocase(str_sub(s, s.n - n, n), NOT_END[i]))
            return false;
    }
    return has_letters(s, 3) && s.n <= 300 && str_find_char(s, '\\') == s.n;
}

/* The largest text of the first page: up to three lines that follow one
 * another; empty: none is clearly larger than the rest. */
static str title_of_page(struct layout *l)
{
    const struct page *p = &l->pages[0];
    const struct line *best = NULL;
    struct buf *b = &l->scratch2;

    for (size_t i = p->first; i < p->first + p->lines_n; i++) {
        const struct line *line = &l->lines[i];

        if (line->role == ROLE_BODY && !line->upright &&
            (best == NULL || line->height > best->height) &&
            has_letters(line_text(l, line, &l->scratch), 3))
            best = line;
    }
    if (best == NULL || (int64_t)best->height * 5 < 6 * (int64_t)l->body_height)
        return STR_NONE;
    buf_clear(b);
    for (size_t n = 0; n < 3 && best < &l->lines[p->first + p->lines_n];
         n++, best++) {
        if (n > 0 && (best->height * 20 < best[-1].height * 19 ||
                      best->height * 20 > best[-1].height * 21 ||
                      best->box[1] - best[-1].box[3] > best->height))
            break;
        if (n > 0)
            buf_put_char(b, ' ');
        buf_put(b, line_text(l, best, &l->scratch));
    }
    return buf_str(b).n > 300 ? STR_NONE : buf_str(b);
}

static void describe(struct layout *l)
{
    struct doc *d = l->d;
    uint64_t confidence = 0, chars = 0;

    l->title = title_clean(l->title, l->out);
    if (!title_sensible(l->title))
        l->title = l->pages_n > 0 ? title_of_page(l) : STR_NONE;
    d->title = title_clean(l->title, l->out);
    d->created = date_clean(d->created, l->out);
    d->modified = date_clean(d->modified, l->out);
    for (size_t i = 0; i < l->pages_n; i++) {
        const struct page *p = &l->pages[i];

        for (size_t k = 0; p->confidence > 0 && k < p->lines_n; k++) {
            confidence +=
                (uint64_t)p->confidence * l->lines[p->first + k].chars;
            chars += l->lines[p->first + k].chars;
        }
    }
    if (chars > 0)
        d->ocr_confidence = (unsigned)((confidence + chars / 2) / chars);
}

/* ---- the whole ---- */

/* The height most of the text has, to a quarter of a point. */
static int32_t body_height(const struct layout *l)
{
    enum { BINS = 400, BIN = PDF_UNIT / 4 };
    uint64_t chars[BINS] = {0};
    size_t best = 0;

    for (size_t i = 0; i < l->lines_n; i++) {
        const struct line *line = &l->lines[i];
        size_t bin = (size_t)line->height / BIN;

        if (line->role == ROLE_BODY)
            chars[bin < BINS ? bin : BINS - 1] += line->chars;
    }
    for (size_t i = 1; i < BINS; i++)
        best = chars[i] > chars[best] ? i : best;
    return (int32_t)best * BIN + BIN / 2;
}

static void flag_lines(struct layout *l)
{
    for (size_t i = 0; i < l->lines_n; i++) {
        const struct line *line = &l->lines[i];

        if (line->role == ROLE_RUNNING || line->role == ROLE_NUMBER)
            doc_flag_add(
                l->d,
                (struct doc_flag){.kind = line->role == ROLE_NUMBER
                                              ? FLAG_PAGE_NUMBER
                                              : FLAG_RUNNING_HEAD,
                                  .dropped = true,
                                  .count = 1,
                                  .page = l->pages[line->page].number,
                                  .sample = line_text(l, line, &l->scratch)},
                l->out);
    }
}

rc pdf_layout(str parts, struct arena *out, struct doc *d, struct err *e)
{
    struct layout l = {.d = d, .out = out, .tmp = arena_open()};
    rc code;

    *d = (struct doc){.extractor_version = EXTRACTOR_VERSION,
                      .mime = STR("application/pdf")};
    code = take_all(&l, parts, e);
    if (code == RC_OK) {
        order_columns(&l);
        l.body_height = body_height(&l);
        find_running(&l);
        find_markers(&l);
        find_headings(&l);
        flag_lines(&l);
        find_code(&l);
        describe(&l);
        code = write_flow(&l, e);
    }
    if (code == RC_OK)
        find_listings(d, out);
    if (code == RC_OK && l.full) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = extract_too_long();
    }
    buf_close(&l.scratch);
    buf_close(&l.scratch2);
    arena_close(l.tmp);
    return code;
}
