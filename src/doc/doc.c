#include "doc/doc.h"

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

/* Bytes of the mark at s.p[at] that emphasis, code or a link is made with; 0:
 * what stands there is text. */
static size_t inline_mark(str s, size_t at, const size_t *stars, bool in_link)
{
    size_t n = 1, close;
    char c = s.p[at];

    switch (c) {
    case '`':
        return 1;
    case '*':
    case '_':
        while (at + n < s.n && s.p[at + n] == c)
            n++;
        if (stars[c == '_'] < 2 || /* snake_case, 2 * 3 */
            (c == '_' && at > 0 && word_char(s, at - 1) &&
             word_char(s, at + n)) ||
            ((at == 0 || white(s.p[at - 1])) &&
             (at + n == s.n || white(s.p[at + n]))))
            return 0;
        return n;
    case '!':
        return str_starts(str_sub(s, at + 1, 1), STR("[")) ? 1 : 0;
    case '[':
        return str_find(str_sub(s, at, s.n), STR("](")) < s.n - at ? 1 : 0;
    case ']':
        if (!in_link || !str_starts(str_sub(s, at, 2), STR("](")))
            return 0;
        close = str_find_char(str_sub(s, at, s.n), ')');
        return at + close < s.n ? close + 1 : 0;
    default:
        return 0;
    }
}

str doc_heading_text(const struct doc *d, uint32_t heading, struct arena *out)
{
    const struct block *b = &d->blocks[heading];
    str s = heading_source(str_sub(d->text, b->start, b->end - b->start));
    size_t stars[2] = {0}, n = 0;
    bool in_link = false;
    char *to;

    ASSERT(heading < d->blocks_n && b->kind == BLOCK_HEADING);
    if (s.n > HEADING_BYTES_MAX) {
        s.n = HEADING_BYTES_MAX;
        while (s.n > 0 && ((uint8_t)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    for (size_t i = 0; i < s.n; i++) {
        stars[0] += s.p[i] == '*';
        stars[1] += s.p[i] == '_';
    }
    to = arena_alloc(out, s.n + 1);
    for (size_t at = 0; at < s.n;) {
        size_t mark = inline_mark(s, at, stars, in_link);

        if (mark > 0) {
            in_link = (in_link || s.p[at] == '[') && s.p[at] != ']';
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

/* ---- checking ---- */

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

bool doc_check(const struct doc *d, const char **why)
{
    *why = NULL;
    if (d->text.n > TEXT_BYTES_MAX)
        *why = "the text is too long";
    else if (d->blocks_n > BLOCKS_MAX)
        *why = "there are too many blocks";
    else if ((unsigned)d->outcome >= EXTRACT_OUTCOME_COUNT)
        *why = "the outcome is unknown";
    else if (!clean(d->title) || !clean(d->note) || !clean(d->mime) ||
             !clean(d->language))
        *why = "a name is not clean text";
    else
        *why = check_blocks(d);
    return *why == NULL;
}

/* ---- the extraction stream: docs/formats.md ---- */

#define MAGIC 0x3158444bu /* "KDX1" */
#define CRC_BYTES 4
#define BLOCK_HAS_BOX 0x80u

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
        if (!(b.box[i] >= -1e6f && b.box[i] <= 1e6f))
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
    d->language = doc_text_take(&c, DOC_NAME_BYTES_MAX, out);
    d->text = doc_text_take(&c, TEXT_BYTES_MAX, out);
    d->text_cp = cur_varint(&c);
    n = cur_varint(&c);
    if (c.bad || n > BLOCKS_MAX || n > (size_t)(c.end - c.p) / BLOCK_BYTES_MIN)
        return err_set(e, RC_FORMAT, "extraction stream is cut or too large");
    d->blocks = ARENA_ARRAY(out, struct block, (size_t)n);
    while (d->blocks_n < n && !c.bad) {
        before = block_take(&c, &before);
        d->blocks[d->blocks_n++] = before;
    }
    if (c.bad || c.p != c.end)
        return err_set(e, RC_FORMAT, "extraction stream is cut or too long");
    if (!doc_check(d, &why))
        return err_set(e, RC_FORMAT, "extraction stream: %s", why);
    return RC_OK;
}
