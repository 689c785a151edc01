/* Blocks to atoms: sentences, rows, lines; what is over the limit alone is cut
 * at white space, and a word over it between its characters. */
#include "text/ascii8.h"
#include "text/chunk_priv.h"
#include "text/utf8.h"

static bool white(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* ---- sentences ---- */

/* Words with a full stop that ends no sentence, one behind the other, by their
 * length. */
#define ABBREVIATION_BYTES_MAX 6
static const char *const ABBREVIATIONS[ABBREVIATION_BYTES_MAX + 1] = {
    [2] = "alcacfchcodredegeqiejrltmrmsmtnoppsrstvs",
    [3] =
        "artcoledseqsespestfiggengovhonincltdmajmrsnosrefreprevsecsensgtvizvol",
    [4] = "captcorpdeptfigsprofrefsrespunivvols",
    [6] = "approx",
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool abbreviation(str word)
{
    const char *p =
        word.n <= ABBREVIATION_BYTES_MAX ? ABBREVIATIONS[word.n] : NULL;
    char small[ABBREVIATION_BYTES_MAX];

    if (p == NULL)
        return false;
    for (size_t i = 0; i < word.n; i++)
        small[i] = lower(word.p[i]);
    for (; *p != '\0'; p += word.n) {
        if (memcmp(p, small, word.n) == 0)
            return true;
    }
    return false;
}

/* Whether the full stop at s.p[at] belongs to the word before it: an initial,
 * an abbreviation, e.g. the stops of e.g. */
static bool stop_of_word(str s, size_t at)
{
    size_t start = at;

    while (start > 0 && letter(s.p[start - 1]) && at - start < 8)
        start--;
    if (start == at)
        return false;
    return (at - start == 1 && (start == 0 || !white(s.p[start - 1]) ||
                                (s.p[start] >= 'A' && s.p[start] <= 'Z'))) ||
           abbreviation(str_sub(s, start, at - start));
}

/* Bytes of closing quotes and brackets at `at`. */
static size_t closers(str s, size_t at)
{
    static const str MORE[] = {STR_INIT("”"),  STR_INIT("’"),  STR_INIT("»"),
                               STR_INIT("」"), STR_INIT("』"), STR_INIT("）")};
    size_t from = at;

    while (at < s.n) {
        size_t n = strchr("\"')]*_", s.p[at]) != NULL ? 1 : 0;

        for (size_t i = 0; i < NELEMS(MORE) && n == 0; i++) {
            if (str_starts(str_sub(s, at, 3), MORE[i]))
                n = MORE[i].n;
        }
        if (n == 0)
            break;
        at += n;
    }
    return at - from;
}

/* Bytes of an ideographic full stop, exclamation or question mark at `at`. */
static size_t wide_stop(str s, size_t at)
{
    str three = str_sub(s, at, 3);

    return str_eq(three, STR("。")) || str_eq(three, STR("！")) ||
                   str_eq(three, STR("？"))
               ? 3
               : 0;
}

/* A line shorter than this was not wrapped: its end means something. */
#define WRAPPED_LINE_BYTES 50

/* Bytes that sentence_end looks at. */
static const bool MAY_END[256] = {['\n'] = true, ['.'] = true,  ['!'] = true,
                                  ['?'] = true,  [0xe3] = true, [0xef] = true};

/* The first byte from `at` on that may end a sentence; others may be taken for
 * one. */
static size_t next_end(str s, size_t at)
{
#ifdef __SSE2__
    for (; s.n - at >= 16; at += 16) {
        __m128i v = ascii8_load16(s.p + at);
        __m128i high = _mm_or_si128(v, _mm_set1_epi8(0xef ^ 0xe3));
        __m128i stops = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')),
                                     _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('!')),
                                     _mm_cmpeq_epi8(v, _mm_set1_epi8('?')));
        __m128i wide = _mm_cmpeq_epi8(high, _mm_set1_epi8((char)0xef));
        int found =
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(stops, marks), wide));

        if (found != 0)
            return at + (size_t)__builtin_ctz((unsigned)found);
    }
#endif
    while (at < s.n && !MAY_END[(uint8_t)s.p[at]])
        at++;
    return at;
}

size_t sentence_end(str s, size_t at, enum cut *cut)
{
    size_t line = at, n;

    *cut = CUT_SENTENCE;
    for (at = next_end(s, at); at < s.n; at = next_end(s, at + 1)) {
        switch (s.p[at]) {
        case '\n':
            *cut = at - line < WRAPPED_LINE_BYTES ? CUT_SENTENCE : CUT_WRAP;
            return at;
        case '.':
        case '!':
        case '?':
            if (s.p[at] == '.' && stop_of_word(s, at))
                break;
            n = 1 + closers(s, at + 1);
            if (at + n == s.n || white(s.p[at + n]))
                return at + n;
            break;
        case '\xe3':
        case '\xef':
            n = wide_stop(s, at);
            if (n > 0)
                return at + n + closers(s, at + n);
            break;
        default:
            break;
        }
    }
    return s.n;
}

/* ---- atoms ---- */

static bool is_row(const struct doc *d, uint32_t block)
{
    return d->blocks[block].kind == BLOCK_TABLE_ROW;
}

static void push(struct atoms *to, const struct doc *d, struct atom a)
{
    struct atom *last = to->n == 0 ? NULL : &to->v[to->n - 1];
    uint64_t gap = last == NULL ? 0 : gap_cost(a.start - last->end);

    ASSERT(a.start < a.end && a.cost <= to->cost_max);
    /* Marks alone cost next to nothing; nobody gets thousands in a chunk. */
    if (a.cost < COST_TOKEN) {
        a.cost = COST_TOKEN;
        a.rough = true;
    }
    if (last != NULL && a.cut >= CUT_ROW && a.cut <= CUT_WORD &&
        (last->block == a.block ||
         (is_row(d, last->block) && is_row(d, a.block))) &&
        last->cost + gap + a.cost <= to->cost_small) {
        last->end = a.end;
        last->cost += gap + a.cost;
        last->rough = last->rough || a.rough;
        return;
    }
    ARENA_PUSH(to->out, to->v, to->n, to->cap, a);
}

/* A text being cut into parts of about an eighth of the limit. */
struct parter {
    struct atoms *to;
    const struct doc *d;
    struct atom part; /* the next one; empty where start is end */
    struct run word;  /* runs that stay together */
};

static void part_flush(struct parter *p)
{
    if (p->part.end > p->part.start) {
        push(p->to, p->d, p->part);
        p->part.cut = CUT_WORD;
    }
    p->part.start = p->part.end = 0;
    p->part.cost = 0;
    p->part.rough = false;
}

static void word_flush(struct parter *p)
{
    const struct run *w = &p->word;

    if (w->end == w->start)
        return;
    if (p->part.cost + w->gap + w->cost > p->to->cost_max / 8)
        part_flush(p);
    if (p->part.end == 0)
        p->part.start = (uint32_t)w->start;
    else
        p->part.cost += w->gap;
    p->part.end = (uint32_t)w->end;
    p->part.cost += w->cost;
    p->word.start = p->word.end;
}

/* A run that is over the limit alone goes between code points to parts of
 * about a quarter; its rest stays with the last. */
static void run_break(struct parter *p, const struct run *r)
{
    str s = str_sub(p->d->text, 0, r->end);
    uint64_t part_cp = p->to->cost_max / COST_TOKEN / 4 + 1;
    uint64_t char_cost =
        p->to->counter == NULL ? RUN_CHAR_COST_MAX : COST_TOKEN;
    size_t at = r->start;

    word_flush(p);
    part_flush(p);
    while (at < r->end) {
        p->part.start = (uint32_t)at;
        at += utf8_advance(str_sub(s, at, 4 * part_cp), part_cp);
        if (utf8_count(str_sub(s, at, 4 * part_cp)) < part_cp)
            at = r->end;
        p->part.end = (uint32_t)at;
        /* No character of a run costs more; the parts' own costs would not
         * add up, since short words are cheaper. */
        p->part.cost = char_cost * utf8_count(str_sub(s, p->part.start,
                                                      at - p->part.start));
        p->part.rough = true;
        part_flush(p);
    }
}

/* Adds the text of a in parts, cut at white space or beside ideographs. */
static void push_parted(struct atoms *to, const struct doc *d, struct atom a)
{
    str s = str_sub(d->text, 0, a.end);
    struct parter p = {.to = to, .d = d, .part = a};
    size_t at = a.start;
    bool apart = false; /* the run before */
    struct run r;

    p.part.start = p.part.end = 0;
    p.part.cost = 0;
    while (run_next(s, &at, &r)) {
        if (to->counter != NULL)
            r.cost = text_cost(to->counter, str_sub(s, 0, r.end), r.start,
                               UINT64_MAX);
        if (r.spaced || r.apart || apart || p.word.cost + r.cost > to->cost_max)
            word_flush(&p);
        apart = r.apart;
        if (r.cost > to->cost_max) {
            run_break(&p, &r);
        } else if (p.word.start == p.word.end) {
            p.word = r;
        } else {
            p.word.end = r.end;
            p.word.cost += r.cost;
        }
    }
    word_flush(&p);
    part_flush(&p);
}

/* Adds [start, end) of a block without the white space at its ends. */
static void add_range(struct atoms *to, const struct doc *d, struct atom a)
{
    str s = str_sub(d->text, 0, a.end);

    while (a.start < a.end && white(s.p[a.start]))
        a.start++;
    while (a.end > a.start && white(s.p[a.end - 1]))
        a.end--;
    if (a.start == a.end)
        return;
    s.n = a.end;
    a.cost = text_cost(to->counter, s, a.start, to->cost_max);
    if (a.cost > to->cost_max)
        push_parted(to, d, a);
    else
        push(to, d, a);
}

/* ---- blocks ---- */

/* The place before block i. */
static enum cut cut_before(const struct doc *d, uint32_t i)
{
    const struct block *b = &d->blocks[i], *p = b - 1;
    bool list = b->kind == BLOCK_LIST_ITEM;

    if (i > 0 && p->kind == BLOCK_HEADING)
        return CUT_NEVER;
    if (i > 0 && p->kind == BLOCK_LISTING && b->kind != BLOCK_LISTING)
        return CUT_SECTION;
    if (i > 0 && b->kind == BLOCK_LISTING && p->kind != BLOCK_LISTING)
        return CUT_SECTION;
    if (b->kind == BLOCK_HEADING)
        return b->level <= 2 ? CUT_SECTION : CUT_HEADING;
    if (i == 0)
        return CUT_BLOCK;
    if (list && p->kind == BLOCK_LIST_ITEM)
        return b->level <= 1 ? CUT_ITEM : CUT_NESTED_ITEM;
    if (is_row(d, i) && is_row(d, i - 1))
        return CUT_ROW;
    if ((list || is_row(d, i) || b->kind == BLOCK_CODE) &&
        d->text.p[p->end - 1] == ':')
        return CUT_INTRO;
    return CUT_BLOCK;
}

void atoms_add(struct atoms *to, const struct doc *d, uint32_t i)
{
    const struct block *b = &d->blocks[i];
    struct atom a = {.block = i, .cut = cut_before(d, i)};
    str s = str_sub(d->text, 0, b->end);
    enum cut cut = CUT_LINE;

    for (size_t at = b->start; at < b->end; at = a.end) {
        size_t n, end = b->end;

        switch (b->kind) {
        case BLOCK_CODE:
            n = str_find_char(str_sub(s, at, b->end), '\n');
            end = at + n + (at + n < b->end);
            break;
        case BLOCK_PARAGRAPH:
        case BLOCK_LIST_ITEM:
        case BLOCK_QUOTE:
        case BLOCK_LISTING:
            while (at < b->end && white(s.p[at]))
                at++;
            end = sentence_end(s, at, &cut);
            break;
        case BLOCK_HEADING:
        case BLOCK_TABLE_ROW:
        case BLOCK_KIND_COUNT:
            break;
        }
        a.start = (uint32_t)at;
        a.end = (uint32_t)end;
        add_range(to, d, a);
        a.cut = cut;
    }
}
