#include "doc/doc.h"

#include <math.h>

#include "base/crc.h"
#include "doc/doc_priv.h"

const char *const EXTRACT_OUTCOME_NAMES[EXTRACT_OUTCOME_COUNT] = {
    [EXTRACT_OK] = "ok",
    [EXTRACT_PARTIAL] = "partial",
    [EXTRACT_ENCRYPTED] = "encrypted",
    [EXTRACT_UNSUPPORTED] = "unsupported",
    [EXTRACT_MALFORMED] = "malformed",
    [EXTRACT_LIMIT] = "limit",
    [EXTRACT_CRASHED] = "crashed"};

const char *const DOC_FLAG_NAMES[DOC_FLAG_COUNT] = {
    [FLAG_HIDDEN] = "hidden",
    [FLAG_INVISIBLE] = "invisible",
    [FLAG_TINY] = "tiny",
    [FLAG_OFF_PAGE] = "off_page",
    [FLAG_BIDI] = "bidi",
    [FLAG_ZERO_WIDTH] = "zero_width",
    [FLAG_DELETED] = "deleted",
    [FLAG_COMMENT] = "comment",
    [FLAG_BOILERPLATE] = "boilerplate",
    [FLAG_RUNNING_HEAD] = "running_head",
    [FLAG_PAGE_NUMBER] = "page_number",
    [FLAG_ATTACHMENT] = "attachment",
    [FLAG_SCRIPT] = "script",
    [FLAG_NO_TEXT] = "no_text",
    [FLAG_OCR] = "ocr",
    [FLAG_LISTING] = "listing"};

static bool white(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* Whether s is a line of nothing but c. */
static bool all_of(str s, char c)
{
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != c)
            return false;
    }
    return s.n > 0;
}

/* The heading's source without the marks that make it a heading. */
static str heading_source(str s)
{
    size_t at;

    s = str_trim(s);
    if (s.n == 0 || s.p[0] != '#') { /* underlined */
        for (at = s.n; at > 0 && s.p[at - 1] != '\n'; at--)
            ;
        if (at > 0 && (all_of(str_sub(s, at, s.n), '=') ||
                       all_of(str_sub(s, at, s.n), '-')))
            s = str_trim(str_sub(s, 0, at));
        return s;
    }
    for (at = 0; at < s.n && s.p[at] == '#'; at++)
        ;
    s = str_trim(str_sub(s, at, s.n));
    for (at = s.n; at > 0 && s.p[at - 1] == '#'; at--)
        ;
    /* A closing run counts only after white space: "C#" keeps its sign. */
    if (at == 0 || white(s.p[at - 1]))
        s = str_trim(str_sub(s, 0, at));
    return s;
}

static bool punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static bool word_char(str s, size_t at)
{
    return at < s.n && !white(s.p[at]) && !punctuation(s.p[at]);
}

/* What of a run of Markdown decides whether a sign is a mark. */
struct marks {
    str s;
    size_t stars, bars; /* of `*` and `_` in it */
    size_t links_end;   /* behind the last "](" */
    size_t closed_end;  /* behind the last ")" */
    bool in_link;
};

/* Bytes of the mark at s.p[at] that emphasis, code or a link is made with; 0:
 * what stands there is text. */
static size_t inline_mark(const struct marks *m, size_t at)
{
    str s = m->s;
    size_t n = 1;
    char c = s.p[at];

    switch (c) {
    case '`':
        return 1;
    case '*':
    case '_':
        while (at + n < s.n && s.p[at + n] == c)
            n++;
        if ((c == '_' ? m->bars : m->stars) < 2 || /* snake_case, 2 * 3 */
            (c == '_' && at > 0 && word_char(s, at - 1) &&
             word_char(s, at + n)) ||
            ((at == 0 || white(s.p[at - 1])) &&
             (at + n == s.n || white(s.p[at + n]))))
            return 0;
        return n;
    case '!':
        return str_starts(str_sub(s, at + 1, 1), STR("[")) ? 1 : 0;
    case '[':
        return at < m->links_end ? 1 : 0;
    case ']':
        if (!m->in_link || !str_starts(str_sub(s, at, 2), STR("](")) ||
            at >= m->closed_end)
            return 0;
        return str_find_char(str_sub(s, at, s.n), ')') + 1;
    default:
        return 0;
    }
}

/* Whether s is what it says: words parted by single spaces, no mark that
 * inline_mark could know. */
static bool is_plain(str s)
{
    static const bool NOT_PLAIN[256] = {
        ['`'] = true, ['*'] = true,  ['_'] = true,  ['!'] = true, ['['] = true,
        [']'] = true, ['\\'] = true, ['\n'] = true, ['\t'] = true};

    for (size_t i = 0; i < s.n; i++) {
        if (NOT_PLAIN[(uint8_t)s.p[i]] ||
            (s.p[i] == ' ' && i > 0 && s.p[i - 1] == ' '))
            return false;
    }
    return true;
}

static struct marks marks_of(str s)
{
    struct marks m = {.s = s};

    for (size_t i = 0; i < s.n; i++) {
        m.stars += s.p[i] == '*';
        m.bars += s.p[i] == '_';
        if (s.p[i] == ')')
            m.closed_end = i + 1;
        if (s.p[i] == '(' && i > 0 && s.p[i - 1] == ']')
            m.links_end = i + 1;
    }
    return m;
}

str doc_plain(str s, struct arena *out)
{
    struct marks m;
    size_t n = 0;
    char *to;

    if (is_plain(s))
        return str_trim(s);
    m = marks_of(s);
    to = arena_alloc(out, s.n + 1);
    for (size_t at = 0; at < s.n;) {
        size_t mark = inline_mark(&m, at);

        if (mark > 0) {
            m.in_link = (m.in_link || s.p[at] == '[') && s.p[at] != ']';
            at += mark;
            continue;
        }
        if (s.p[at] == '\\' && at + 1 < s.n && punctuation(s.p[at + 1]))
            at++;
        if (!white(s.p[at]))
            to[n++] = s.p[at];
        else if (n > 0 && to[n - 1] != ' ')
            to[n++] = ' ';
        at++;
    }
    return str_trim((str){to, n});
}

static str heading_read(const struct doc *d, uint32_t heading,
                        struct arena *out)
{
    const struct block *b = &d->blocks[heading];
    str s = heading_source(str_sub(d->text, b->start, b->end - b->start));

    ASSERT(heading < d->blocks_n && b->kind == BLOCK_HEADING);
    if (s.n > HEADING_BYTES_MAX) {
        s.n = HEADING_BYTES_MAX;
        while (s.n > 0 && ((uint8_t)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    return doc_plain(s, out);
}

str doc_heading_text(const struct doc *d, uint32_t heading, struct arena *out)
{
    return d->headings != NULL ? d->headings[heading]
                               : heading_read(d, heading, out);
}

void doc_headings_read(struct doc *d, struct arena *out)
{
    str *texts = ARENA_ARRAY(out, str, d->blocks_n);

    for (size_t i = 0; i < d->blocks_n; i++)
        texts[i] = d->blocks[i].kind == BLOCK_HEADING
                       ? heading_read(d, (uint32_t)i, out)
                       : STR_NONE;
    d->headings = texts;
}

size_t doc_heading_path(const struct doc *d, uint32_t block, struct arena *out,
                        str **path)
{
    uint32_t chain[HEADING_DEPTH_MAX];
    size_t n = 0;

    ASSERT(block < d->blocks_n);
    for (uint32_t h = d->blocks[block].heading; h != HEADING_NONE;
         h = d->blocks[h].heading) {
        ASSERT(n < HEADING_DEPTH_MAX);
        chain[n++] = h;
    }
    *path = ARENA_ARRAY(out, str, n);
    for (size_t i = 0; i < n; i++)
        (*path)[i] = doc_heading_text(d, chain[n - 1 - i], out);
    return n;
}

/* ---- flags ---- */

void doc_flag_add(struct doc *d, struct doc_flag flag, struct arena *out)
{
    struct doc_flag *f = d->flags;
    size_t n = DOC_FLAG_SAMPLE_BYTES_MAX;

    if (f == NULL) /* at most one of a kind and `dropped` */
        d->flags = f = ARENA_ARRAY(out, struct doc_flag, DOC_FLAGS_MAX);
    for (size_t i = 0; i < d->flags_n; i++, f++) {
        if (f->kind != flag.kind || f->dropped != flag.dropped)
            continue;
        f->count = flag.count > UINT32_MAX - f->count ? UINT32_MAX
                                                      : f->count + flag.count;
        return;
    }
    ASSERT(d->flags_n < DOC_FLAGS_MAX);
    if (flag.sample.n > n) {
        while (n > 0 && ((uint8_t)flag.sample.p[n] & 0xc0) == 0x80)
            n--; /* no sign is cut in two */
        flag.sample.n = n;
    }
    flag.sample = arena_str(out, flag.sample);
    *f = flag;
    d->flags_n++;
}

/* ---- dates ---- */

/* The number of n digits at s.p[*at] is one of [low, high]. */
static bool digits(str s, size_t *at, size_t n, unsigned low, unsigned high)
{
    unsigned v = 0;

    if (s.n - *at < n)
        return false;
    for (size_t end = *at + n; *at < end; ++*at) {
        if (s.p[*at] < '0' || s.p[*at] > '9')
            return false;
        v = v * 10 + (unsigned)(s.p[*at] - '0');
    }
    return v >= low && v <= high;
}

static bool sign(str s, size_t *at, char c)
{
    if (*at == s.n || s.p[*at] != c)
        return false;
    ++*at;
    return true;
}

static bool time_zone(str s, size_t *at)
{
    return sign(s, at, 'Z') ||
           ((sign(s, at, '+') || sign(s, at, '-')) && digits(s, at, 2, 0, 23) &&
            sign(s, at, ':') && digits(s, at, 2, 0, 59));
}

bool doc_date_valid(str s)
{
    size_t at = 0;

    if (!digits(s, &at, 4, 1, 9999) || !sign(s, &at, '-') ||
        !digits(s, &at, 2, 1, 12) || !sign(s, &at, '-') ||
        !digits(s, &at, 2, 1, 31))
        return false;
    if (at == s.n)
        return true;
    if (!sign(s, &at, 'T') || !digits(s, &at, 2, 0, 23) || !sign(s, &at, ':') ||
        !digits(s, &at, 2, 0, 59) || !sign(s, &at, ':') ||
        !digits(s, &at, 2, 0, 60))
        return false;
    if (sign(s, &at, '.')) {
        size_t from = at;

        while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9')
            at++;
        if (at == from)
            return false;
    }
    return time_zone(s, &at) && at == s.n;
}

/* ---- checking ---- */

#define PLAIN_NAME_BYTES_MAX 127 /* RFC 6838, section 4.2 */

/* Reads code points on from a place both of whose offsets are known. Says
 * false at the first byte that is no part of clean text. */
struct walk {
    const uint8_t *p;
    size_t n, at;
    uint64_t cp;
};

/* Eight bytes of ASCII without NUL and CR; may say false of such. */
static bool plain8(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t v, cr;

    memcpy(&v, p, sizeof v);
    cr = v ^ 0x0d * ones;
    return ((v | (v - ones) | (cr - ones)) & 0x80 * ones) == 0;
}

static bool walk_to(struct walk *w, uint64_t to, bool white)
{
    if (to > w->n || to < w->at)
        return false;
    while (w->at < to) {
        uint8_t c = w->p[w->at];
        size_t n;
        uint32_t cp;

        if (!white && to - w->at >= 8 && plain8(w->p + w->at)) {
            w->at += 8;
            w->cp += 8;
            continue;
        }
        if (c < 0x80) {
            if (c == 0 || c == '\r' ||
                (white && c != ' ' && c != '\n' && c != '\t'))
                return false;
            w->at++;
            w->cp++;
            continue;
        }
        n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
        if (white || n == 0 || n > to - w->at)
            return false;
        cp = c & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
            if ((w->p[w->at + i] & 0xc0) != 0x80)
                return false;
            cp = cp << 6 | (w->p[w->at + i] & 0x3fu);
        }
        if ((n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp < 0xe000))) ||
            (n == 4 && (cp < 0x10000 || cp > 0x10ffff)))
            return false;
        w->at += n;
        w->cp++;
    }
    return true;
}

static bool clean(str s)
{
    struct walk w = {.p = (const uint8_t *)s.p, .n = s.n};

    return walk_to(&w, s.n, false);
}

static const char *check_heading(const struct doc *d, uint32_t i)
{
    const struct block *b = &d->blocks[i], *h;

    if (b->kind == BLOCK_HEADING) {
        if (b->level < 1 || b->level > HEADING_DEPTH_MAX)
            return "a heading's level is not 1 to 6";
    } else if (b->level != 0 && b->kind != BLOCK_LIST_ITEM) {
        return "a block has a level that has none";
    }
    if (b->heading == HEADING_NONE)
        return NULL;
    if (b->heading >= i || d->blocks[b->heading].kind != BLOCK_HEADING)
        return "a block's heading is no heading above it";
    h = &d->blocks[b->heading];
    if (b->kind == BLOCK_HEADING && h->level >= b->level)
        return "a heading stands under one of its own level";
    return NULL;
}

static bool page_there(const struct doc *d, uint32_t page)
{
    return d->pages == 0 || page <= d->pages;
}

static const char *check_blocks(const struct doc *d)
{
    struct walk w = {.p = (const uint8_t *)d->text.p, .n = d->text.n};

    for (size_t i = 0; i < d->blocks_n; i++) {
        const struct block *b = &d->blocks[i];
        const char *why;

        if ((unsigned)b->kind >= BLOCK_KIND_COUNT)
            return "a block's kind is unknown";
        if (b->start < w.at || b->start >= b->end || b->end > d->text.n)
            return "a block's bytes are out of order or outside";
        if (!page_there(d, b->page))
            return "a block's page is not there";
        if (!walk_to(&w, b->start, i > 0))
            return "between two blocks stands more than white space";
        if (w.cp != b->start_cp)
            return "a block's start in code points is wrong";
        if (!walk_to(&w, b->end, false))
            return "a block's text is not clean";
        if (w.cp != b->end_cp)
            return "a block's end in code points is wrong";
        why = check_heading(d, (uint32_t)i);
        if (why != NULL)
            return why;
    }
    if (!walk_to(&w, d->text.n, d->blocks_n > 0))
        return "behind the last block stands more than white space";
    return w.cp == d->text_cp ? NULL : "the code points are miscounted";
}

static const char *check_flags(const struct doc *d)
{
    bool seen[DOC_FLAG_COUNT][2] = {{false}};

    if (d->flags_n > DOC_FLAGS_MAX)
        return "there are too many flags";
    for (size_t i = 0; i < d->flags_n; i++) {
        const struct doc_flag *f = &d->flags[i];

        if ((unsigned)f->kind >= DOC_FLAG_COUNT)
            return "a flag's kind is unknown";
        if (seen[f->kind][f->dropped])
            return "a flag stands there twice";
        seen[f->kind][f->dropped] = true;
        if (!clean(f->sample) || f->sample.n > DOC_FLAG_SAMPLE_BYTES_MAX)
            return "a flag's sample is not clean text";
        if (!page_there(d, f->page))
            return "a flag's page is not there";
    }
    return NULL;
}

static const char *check_lines(const struct doc *d)
{
    uint64_t at = 0;

    if (d->lines_n > LINES_MAX)
        return "there are too many lines";
    for (size_t i = 0; i < d->lines_n; i++) {
        const struct doc_line *l = &d->lines[i];

        if (l->start < at || l->start >= l->end || l->end > d->text.n)
            return "a line's bytes are out of order or outside";
        if (l->page == 0 || !page_there(d, l->page))
            return "a line stands on no page";
        at = l->end;
    }
    return NULL;
}

static bool is_control(const uint8_t *p, size_t left)
{
    if (p[0] <= ' ' || p[0] == 0x7f)
        return true;
    /* U+0080 to U+009F */
    return left > 1 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
}

bool doc_url_valid(str s)
{
    static const str SCHEMES[] = {STR_INIT("http://"), STR_INIT("https://")};
    bool known = false;

    for (size_t i = 0; i < NELEMS(SCHEMES); i++)
        known =
            known || (s.n > SCHEMES[i].n &&
                      str_eq_nocase(str_sub(s, 0, SCHEMES[i].n), SCHEMES[i]));
    if (!known || s.n > DOC_URL_BYTES_MAX || !clean(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (is_control((const uint8_t *)s.p + i, s.n - i))
            return false;
    }
    return true;
}

/* A name of letters, digits and a few signs: it goes into answers' heads. */
static bool plain_name(str s, const char *signs)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);

        if ((low < 'a' || low > 'z') && (c < '0' || c > '9') &&
            (c == '\0' || strchr(signs, c) == NULL))
            return false;
    }
    return s.n <= PLAIN_NAME_BYTES_MAX;
}

bool doc_check(const struct doc *d, const char **why)
{
    *why = NULL;
    if (d->text.n > TEXT_BYTES_MAX)
        *why = "the text is too long";
    else if (d->blocks_n > BLOCKS_MAX)
        *why = "there are too many blocks";
    else if ((unsigned)d->outcome >= EXTRACT_OUTCOME_COUNT)
        *why = "the outcome is unknown";
    else if (d->ocr_confidence > 100)
        *why = "the confidence is over 100";
    else if ((d->created.n > 0 && !doc_date_valid(d->created)) ||
             (d->modified.n > 0 && !doc_date_valid(d->modified)))
        *why = "a date is none";
    else if (!plain_name(d->mime, "/.+-_") || !plain_name(d->language, "-"))
        *why = "a MIME type or language is none";
    else if (d->canonical.n > 0 && !doc_url_valid(d->canonical))
        *why = "the canonical address is none";
    else if (!clean(d->title) || !clean(d->note))
        *why = "a name is not clean text";
    else if ((*why = check_flags(d)) == NULL && (*why = check_lines(d)) == NULL)
        *why = check_blocks(d);
    return *why == NULL;
}

/* ---- the extraction stream: docs/formats.md ---- */

#define MAGIC 0x3358444bu /* "KDX3" */
#define CRC_BYTES 4
#define BLOCK_HAS_BOX 0x80u
#define BOX_MAX 1000000 /* points: off any page */

void doc_text_put(struct buf *to, str s)
{
    buf_put_varint(to, s.n);
    buf_put(to, s);
}

void block_put(struct buf *to, const struct block *b,
               const struct block *before)
{
    bool has_box = false;

    for (size_t i = 0; i < NELEMS(b->box); i++)
        has_box = has_box || b->box[i] < 0 || b->box[i] > 0;
    buf_put_char(to, (char)((unsigned)b->kind | (has_box ? BLOCK_HAS_BOX : 0)));
    buf_put_char(to, (char)b->level);
    buf_put_varint(to, b->start - before->end);
    buf_put_varint(to, b->end - b->start);
    buf_put_varint(to, b->start_cp - before->end_cp);
    buf_put_varint(to, b->end_cp - b->start_cp);
    buf_put_varint(to, b->heading == HEADING_NONE ? 0 : b->heading + 1u);
    buf_put_varint(to, b->page);
    for (size_t i = 0; has_box && i < NELEMS(b->box); i++) {
        uint32_t bits;

        memcpy(&bits, &b->box[i], sizeof bits);
        buf_put_u32(to, bits);
    }
}

/* Lines: their place by what differs from the line before, boxes in steps of
 * 1/LINE_STEPS point, so that a line takes some ten bytes. */
#define LINE_STEPS 32
#define BOX_STEPS_MAX ((int64_t)BOX_MAX * LINE_STEPS)
#define LINE_BYTES_MIN 7
#define FLAG_BYTES_MIN 5
#define FLAG_IS_DROPPED 0x80u

static int64_t steps_of(float points)
{
    return llroundf(points * LINE_STEPS);
}

static int64_t take_signed(struct cur *c)
{
    uint64_t v = cur_varint(c);

    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

static void line_put(struct buf *to, const struct doc_line *l,
                     const struct doc_line *before)
{
    buf_put_varint(to, l->start - before->end);
    buf_put_varint(to, l->end - l->start);
    buf_put_signed(to, (int64_t)l->page - (int64_t)before->page);
    for (size_t i = 0; i < NELEMS(l->box); i++)
        buf_put_signed(to, steps_of(l->box[i]) - steps_of(before->box[i]));
}

static struct doc_line line_take(struct cur *c, const struct doc_line *before)
{
    struct doc_line l = {0};
    int64_t page;

    l.start = before->end + cur_varint(c);
    l.end = l.start + cur_varint(c);
    page = take_signed(c);
    if (page < -(int64_t)UINT32_MAX || page > (int64_t)UINT32_MAX ||
        page + before->page < 0 || page + before->page > (int64_t)UINT32_MAX)
        c->bad = true;
    else
        l.page = (uint32_t)(page + before->page);
    for (size_t i = 0; i < NELEMS(l.box); i++) {
        int64_t steps = take_signed(c);

        if (steps < -BOX_STEPS_MAX * 2 || steps > BOX_STEPS_MAX * 2)
            c->bad = true;
        else
            l.box[i] = (float)(steps_of(before->box[i]) + steps) / LINE_STEPS;
        if (!(l.box[i] >= -BOX_MAX && l.box[i] <= BOX_MAX))
            c->bad = true;
    }
    return l;
}

void extras_put(struct buf *to, const struct doc *d)
{
    static const struct doc_line START;

    doc_text_put(to, d->created);
    doc_text_put(to, d->modified);
    buf_put_varint(to, d->pages);
    buf_put_varint(to, d->ocr_confidence);
    buf_put_varint(to, d->flags_n);
    for (size_t i = 0; i < d->flags_n; i++) {
        const struct doc_flag *f = &d->flags[i];

        buf_put_char(
            to, (char)((unsigned)f->kind | (f->dropped ? FLAG_IS_DROPPED : 0)));
        buf_put_varint(to, f->count);
        buf_put_varint(to, f->page);
        doc_text_put(to, f->sample);
    }
    buf_put_varint(to, d->lines_n);
    for (size_t i = 0; i < d->lines_n; i++)
        line_put(to, &d->lines[i], i == 0 ? &START : &d->lines[i - 1]);
}

static uint64_t take_bounded(struct cur *c, uint64_t max)
{
    uint64_t v = cur_varint(c);

    if (v > max)
        c->bad = true;
    return c->bad ? 0 : v;
}

/* What a document says of itself may be no language, or no date: that is no
 * fault of it. */
str doc_language_take(struct cur *c, struct arena *out)
{
    str s = doc_text_take(c, DOC_NAME_BYTES_MAX, out);

    return plain_name(s, "-") ? s : STR_NONE;
}

static str date_take(struct cur *c, struct arena *out)
{
    str s = doc_text_take(c, DOC_NAME_BYTES_MAX, out);

    return doc_date_valid(s) ? s : STR_NONE;
}

void extras_take(struct cur *c, struct arena *out, struct doc *d)
{
    struct doc_line before = {0};
    uint64_t n;

    d->created = date_take(c, out);
    d->modified = date_take(c, out);
    d->pages = (uint32_t)take_bounded(c, UINT32_MAX);
    d->ocr_confidence = (unsigned)take_bounded(c, 100);
    n = take_bounded(c, DOC_FLAGS_MAX);
    d->flags = ARENA_ARRAY(out, struct doc_flag, DOC_FLAGS_MAX);
    while (d->flags_n < n && !c->bad) {
        struct doc_flag *f = &d->flags[d->flags_n++];
        unsigned kind = cur_u8(c);

        f->kind = (enum doc_flag_kind)(kind & ~FLAG_IS_DROPPED);
        f->dropped = (kind & FLAG_IS_DROPPED) != 0;
        f->count = (uint32_t)take_bounded(c, UINT32_MAX);
        f->page = (uint32_t)take_bounded(c, UINT32_MAX);
        f->sample = doc_text_take(c, DOC_FLAG_SAMPLE_BYTES_MAX, out);
    }
    n = cur_varint(c);
    /* Lines hold some text each: a claim of more takes no memory. */
    if (n > LINES_MAX || n > (size_t)(c->end - c->p) / LINE_BYTES_MIN ||
        n > d->text.n)
        c->bad = true;
    if (c->bad)
        return;
    d->lines = ARENA_ARRAY(out, struct doc_line, (size_t)n);
    while (d->lines_n < n && !c->bad) {
        before = line_take(c, &before);
        d->lines[d->lines_n++] = before;
    }
}

void extras_more_put(struct buf *to, const struct doc *d)
{
    doc_text_put(to, d->canonical);
    buf_put_varint(to, d->images);
}

void extras_more_take(struct cur *c, struct arena *out, struct doc *d)
{
    str s = doc_text_take(c, DOC_NAME_BYTES_MAX, out);

    d->canonical = doc_url_valid(s) ? s : STR_NONE;
    d->images = (uint32_t)take_bounded(c, UINT32_MAX);
}

rc doc_encode(const struct doc *d, struct buf *to, struct err *e)
{
    static const struct block START;
    size_t start = to->n;

    buf_put_u32(to, MAGIC);
    buf_put_varint(to, d->extractor_version);
    buf_put_char(to, (char)d->outcome);
    doc_text_put(to, d->title);
    doc_text_put(to, d->note);
    doc_text_put(to, d->mime);
    doc_text_put(to, d->language);
    doc_text_put(to, d->text);
    buf_put_varint(to, d->text_cp);
    buf_put_varint(to, d->blocks_n);
    for (size_t i = 0; i < d->blocks_n; i++)
        block_put(to, &d->blocks[i], i == 0 ? &START : &d->blocks[i - 1]);
    extras_put(to, d);
    extras_more_put(to, d);
    if (to->code == RC_OK)
        buf_put_u32(to, crc32c(to->p + start, to->n - start));
    return buf_end(to, e);
}

str doc_text_take(struct cur *c, size_t bytes_max, struct arena *out)
{
    uint64_t n = cur_varint(c);

    if (n > bytes_max)
        c->bad = true;
    return c->bad ? STR_NONE : arena_str(out, cur_bytes(c, (size_t)n));
}

struct block block_take(struct cur *c, const struct block *before)
{
    struct block b = {0};
    uint64_t heading, page;
    unsigned kind = cur_u8(c);

    b.kind = (enum block_kind)(kind & ~BLOCK_HAS_BOX);
    b.level = cur_u8(c);
    /* Sums may wrap: doc_check looks at every one of them. */
    b.start = before->end + cur_varint(c);
    b.end = b.start + cur_varint(c);
    b.start_cp = before->end_cp + cur_varint(c);
    b.end_cp = b.start_cp + cur_varint(c);
    heading = cur_varint(c);
    page = cur_varint(c);
    if (heading > BLOCKS_MAX || page > UINT32_MAX)
        c->bad = true;
    b.heading = heading == 0 ? HEADING_NONE : (uint32_t)heading - 1;
    b.page = (uint32_t)page;
    for (size_t i = 0; (kind & BLOCK_HAS_BOX) != 0 && i < NELEMS(b.box); i++) {
        uint32_t bits = cur_u32(c);

        memcpy(&b.box[i], &bits, sizeof bits);
        /* Neither infinite nor NaN, nor off any page. */
        if (!(b.box[i] >= -BOX_MAX && b.box[i] <= BOX_MAX))
            c->bad = true;
    }
    return b;
}

rc doc_decode(str bytes, struct arena *out, struct doc *d, struct err *e)
{
    struct cur c = cur_of(bytes), crc;
    struct block before = {0};
    const char *why;
    uint64_t n;

    *d = (struct doc){0};
    if (bytes.n < CRC_BYTES)
        return err_set(e, RC_FORMAT, "extraction stream has %zu bytes",
                       bytes.n);
    c.end -= CRC_BYTES;
    crc = cur_of(str_sub(bytes, bytes.n - CRC_BYTES, CRC_BYTES));
    if (cur_u32(&crc) != crc32c(bytes.p, bytes.n - CRC_BYTES) ||
        cur_u32(&c) != MAGIC)
        return err_set(e, RC_FORMAT, "extraction stream is damaged");
    n = cur_varint(&c);
    d->extractor_version = n > UINT32_MAX ? 0 : (unsigned)n;
    d->outcome = (enum extract_outcome)cur_u8(&c);
    d->title = doc_text_take(&c, DOC_NAME_BYTES_MAX, out);
    d->note = doc_text_take(&c, DOC_NAME_BYTES_MAX, out);
    d->mime = doc_text_take(&c, DOC_NAME_BYTES_MAX, out);
    d->language = doc_language_take(&c, out);
    d->text = doc_text_take(&c, TEXT_BYTES_MAX, out);
    d->text_cp = cur_varint(&c);
    n = cur_varint(&c);
    if (c.bad || n > BLOCKS_MAX || n > d->text.n ||
        n > (size_t)(c.end - c.p) / BLOCK_BYTES_MIN)
        return err_set(e, RC_FORMAT, "extraction stream is cut or too large");
    d->blocks = ARENA_ARRAY(out, struct block, (size_t)n);
    while (d->blocks_n < n && !c.bad) {
        before = block_take(&c, &before);
        d->blocks[d->blocks_n++] = before;
    }
    extras_take(&c, out, d);
    extras_more_take(&c, out, d);
    if (c.bad || c.p != c.end)
        return err_set(e, RC_FORMAT, "extraction stream is cut or too long");
    if (!doc_check(d, &why))
        return err_set(e, RC_FORMAT, "extraction stream: %s", why);
    return RC_OK;
}
