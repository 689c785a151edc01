/* Tokens of a text as BERT's uncased WordPiece would count them, without its
 * vocabulary: docs/chunking.md has the rule and how far off it is. */
#include <utf8proc.h>

#include "text/ascii8.h"
#include "text/chunk_priv.h"
#include "text/utf8.h"

/* Hundredths of a token a word of so many letters costs on average, and a
 * number of so many digits; longer ones cost so much a letter. */
static const uint16_t LETTERS[20] = {0,   100, 100, 103, 104, 104, 106,
                                     112, 117, 122, 135, 140, 150, 165,
                                     220, 260, 420, 460, 560, 610};
static const uint16_t DIGITS[9] = {0, 100, 100, 120, 120, 240, 300, 380, 430};
#define LETTER_COST 38u
#define DIGIT_COST RUN_CHAR_COST_MAX
#define HANGUL_COST 200u /* taken apart into its letters */

/* White space is free until there is more than text has. Marks and wide spaces
 * cost a little, so that no chunk is endless. */
#define GAP_BYTE_COST 6u
#define MARK_COST 5u

enum kind {
    KIND_SPACE,
    KIND_LETTER,
    KIND_DIGIT,
    KIND_SIGN,
    KIND_MARK, /* belongs to what stands before it */
    KIND_WIDE  /* a space of more than one byte */
};

static bool ascii_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static bool ascii_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static enum kind ascii_kind(uint8_t c)
{
    if (c <= ' ')
        return KIND_SPACE;
    if (ascii_letter(c))
        return KIND_LETTER;
    return ascii_digit(c) ? KIND_DIGIT : KIND_SIGN;
}

static enum kind kind_of(uint32_t cp)
{
    utf8proc_category_t category;

    if (cp < 0x80)
        return ascii_kind((uint8_t)cp);
    if ((cp >= 0xc0 && cp <= 0x24f && cp != 0xd7 && cp != 0xf7) ||
        (cp >= 0x1e00 && cp <= 0x1eff))
        return KIND_LETTER; /* Latin; its accents are dropped */
    category = utf8proc_category((utf8proc_int32_t)cp);
    if (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME)
        return KIND_MARK;
    if (category == UTF8PROC_CATEGORY_CF)
        return KIND_MARK;
    if (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_CC)
        return KIND_WIDE;
    return KIND_SIGN;
}

static bool hangul(uint32_t cp)
{
    return cp >= 0xac00 && cp <= 0xd7a3;
}

/* Scripts written without spaces, and Hangul, whose words are short. */
static bool apart(uint32_t cp)
{
    return (cp >= 0x2e80 && cp <= 0xa4cf) || hangul(cp) ||
           (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0xff00 && cp <= 0xffef) ||
           (cp >= 0x20000 && cp <= 0x3ffff) || (cp >= 0x0e00 && cp <= 0x0eff) ||
           (cp >= 0x1000 && cp <= 0x109f) || (cp >= 0x1780 && cp <= 0x17ff);
}

uint64_t gap_cost_long(size_t n)
{
    return (n - GAP_BYTES_FREE) * GAP_BYTE_COST;
}

/* Code point at `at` and its kind; *next is behind it. KIND_SPACE at the end. */
static enum kind kind_at(str s, size_t at, size_t *next, uint32_t *cp)
{
    *next = at;
    *cp = 0;
    if (at >= s.n)
        return KIND_SPACE;
    *cp = (uint8_t)s.p[at];
    if (*cp >= 0x80) {
        *cp = utf8_next(s, next);
        return kind_of(*cp);
    }
    *next = at + 1;
    return ascii_kind((uint8_t)*cp);
}

/* Where white space from `at` on ends. */
static size_t skip_space(str s, size_t at)
{
    while (at < s.n && (uint8_t)s.p[at] <= ' ')
        at++;
    return at;
}

/* Where the letters or digits of ASCII from `at` on end: nearly all text is
 * this. */
static size_t skip_plain(str s, size_t at, enum kind kind)
{
    if (kind == KIND_LETTER)
        while (at < s.n && ascii_letter((uint8_t)s.p[at]))
            at++;
    else if (kind == KIND_DIGIT)
        while (at < s.n && ascii_digit((uint8_t)s.p[at]))
            at++;
    return at;
}

static uint64_t letters_cost(size_t n)
{
    return n < NELEMS(LETTERS) ? LETTERS[n] : n * LETTER_COST;
}

static uint64_t digits_cost(size_t n)
{
    return n < NELEMS(DIGITS) ? DIGITS[n] : n * DIGIT_COST;
}

bool run_next(str s, size_t *at, struct run *r)
{
    size_t start = skip_space(s, *at), end, plain, n = 1, marks = 0;
    enum kind kind;
    uint32_t cp;

    *r = (struct run){
        .start = start, .gap = gap_cost(start - *at), .spaced = start > *at};
    if (start == s.n)
        return false;
    kind = kind_at(s, start, &end, &cp);
    r->apart = kind == KIND_WIDE || (kind == KIND_SIGN && apart(cp));
    r->cost = kind == KIND_SIGN ? hangul(cp) ? HANGUL_COST : COST_TOKEN : 0;
    for (;;) {
        enum kind k;
        size_t next;

        plain = skip_plain(s, end, kind);
        n += plain - end;
        end = plain;
        if (end == s.n || (uint8_t)s.p[end] < 0x80)
            break;
        k = kind_at(s, end, &next, &cp);
        if (k != KIND_MARK && (k != kind || kind != KIND_LETTER))
            break; /* digits beyond ASCII are signs */
        marks += k == KIND_MARK;
        n += k != KIND_MARK;
        end = next;
    }
    if (kind == KIND_LETTER)
        r->cost = letters_cost(n);
    else if (kind == KIND_DIGIT)
        r->cost = digits_cost(n);
    marks += kind == KIND_MARK || kind == KIND_WIDE;
    r->cost += marks * MARK_COST;
    r->end = *at = end;
    return true;
}

static size_t skip_letters(str s, size_t at)
{
    while (s.n - at >= 8) {
        size_t n = ascii8_run(ascii8_letters(ascii8_load(s.p + at)));

        at += n;
        if (n < 8)
            return at;
    }
    return skip_plain(s, at, KIND_LETTER);
}

/* The runs of ones in bits, each by its length. */
static uint64_t bits_cost(uint64_t bits, uint64_t (*cost)(size_t n))
{
    uint64_t sum = 0;

    while (bits != 0) {
        unsigned start;

        sum += cost(ascii8_ones(bits, &start));
        /* carries through the run and clears it */
        bits &= bits + ((uint64_t)1 << start);
    }
    return sum;
}

/* What stands at `at`, a window of it or less: the bits of what is behind the
 * end are zero. */
static struct ascii8_kinds kinds_at(str s, size_t at)
{
    size_t left = s.n - at, behind = ASCII8_WINDOW - left;
    char few[ASCII8_WINDOW] = {0};
    struct ascii8_kinds w;

    if (left >= ASCII8_WINDOW)
        return ascii8_kinds(s.p + at, NULL);
    if (s.n < ASCII8_WINDOW) {
        memcpy(few, s.p + at, left);
        w = ascii8_kinds(few, NULL);
        w.spaces &= UINT64_MAX >> behind;
        return w;
    }
    w = ascii8_kinds(s.p + s.n - ASCII8_WINDOW, NULL);
    w.letters >>= behind;
    w.digits >>= behind;
    w.spaces >>= behind;
    w.high >>= behind;
    return w;
}

/* How much of the window's n bytes is whole runs of plain ASCII: up to another
 * character and the run that touches it, or to the run that may go on behind;
 * next: the byte there, or a space where the text ends. */
static unsigned window_end(struct ascii8_kinds w, unsigned n, uint8_t next)
{
    unsigned end = w.high == 0 ? n : (unsigned)__builtin_ctzll(w.high);
    uint64_t of = w.letters;

    if (end == 0 || ((w.spaces >> (end - 1)) & 1) != 0 ||
        (w.high == 0 && next <= ' '))
        return end;
    if ((of >> (end - 1) & 1) == 0)
        of = w.digits;
    if ((of >> (end - 1) & 1) == 0) /* a sign */
        return w.high == 0 && next < 0x80 ? end : end - 1;
    of = ~(of << (ASCII8_WINDOW - end));
    return of == 0 ? 0 : end - (unsigned)__builtin_clzll(of);
}

/* Costs of the windows from *at on that are plain, whole and within cost_max
 * together; *at is behind the last run of them. */
static uint64_t windows_cost(str s, size_t *at, uint64_t cost_max)
{
    uint64_t cost = 0;
    size_t base = *at;

    while (base < s.n) {
        struct ascii8_kinds w = kinds_at(s, base);
        unsigned n =
            s.n - base < ASCII8_WINDOW ? (unsigned)(s.n - base) : ASCII8_WINDOW;
        unsigned end =
            window_end(w, n, base + n < s.n ? (uint8_t)s.p[base + n] : ' ');
        uint64_t in = end == 0 ? 0 : UINT64_MAX >> (ASCII8_WINDOW - end);
        uint64_t runs = in & ~w.spaces, one;

        if (runs == 0)
            break;
        w.letters &= in;
        w.digits &= in;
        one = COST_TOKEN * (uint64_t)__builtin_popcountll(
                               runs & ~(w.letters | w.digits)) +
              bits_cost(w.letters, letters_cost) +
              bits_cost(w.digits, digits_cost) +
              gap_cost(base + (size_t)__builtin_ctzll(runs) - *at);
        if (cost + one > cost_max)
            break;
        cost += one;
        *at = base + ASCII8_WINDOW - (size_t)__builtin_clzll(runs);
        base += end;
        if (w.high != 0)
            break;
    }
    return cost;
}

/* What run_next says of plain ASCII, which nearly all text is, without a step
 * for each run: costs and gaps from *at on, up to the first run that touches
 * another character or passes cost_max; *at is before it. */
static uint64_t plain_cost(str s, size_t *at, uint64_t cost_max)
{
    const uint8_t *p = (const uint8_t *)s.p;
    uint64_t cost = windows_cost(s, at, cost_max);
    size_t i = *at;

    while (cost <= cost_max) {
        size_t start = skip_space(s, i);
        uint64_t one = COST_TOKEN;

        if (start == s.n)
            break;
        i = start + 1;
        if (ascii_letter(p[start])) {
            i = skip_letters(s, i);
            one = letters_cost(i - start);
        } else if (ascii_digit(p[start])) {
            i = skip_plain(s, i, KIND_DIGIT);
            one = digits_cost(i - start);
        }
        if (p[start] >= 0x80 || (i < s.n && p[i] >= 0x80))
            break; /* its end is for run_next to find */
        cost += gap_cost(start - *at) + one;
        *at = i;
    }
    return cost;
}

uint64_t runs_cost(str s, size_t at, uint64_t cost_max)
{
    uint64_t cost = plain_cost(s, &at, cost_max);
    struct run r;

    while (cost <= cost_max && run_next(s, &at, &r)) {
        cost += r.cost + r.gap;
        if (cost <= cost_max)
            cost += plain_cost(s, &at, cost_max - cost);
    }
    return cost;
}

/* More bytes than this a token are no ordinary text. */
#define TOKEN_BYTES_USUAL 16

uint64_t text_cost(const struct chunk_counter *c, str s, size_t at,
                   uint64_t cost_max)
{
    uint64_t cost, rule;

    if (c == NULL)
        return runs_cost(s, at, cost_max);
    cost = (uint64_t)c->tokens(c->arg, str_sub(s, at, s.n - at)) * COST_TOKEN;
    if ((s.n - at) * COST_TOKEN <= cost * TOKEN_BYTES_USUAL)
        return cost;
    rule = runs_cost(s, at, cost_max);
    return rule > cost ? rule : cost;
}

uint32_t chunk_tokens(str text)
{
    size_t at = skip_space(text, 0); /* a gap before it all costs nothing */
    uint64_t cost = runs_cost(text, at, UINT64_MAX);

    cost = (cost + COST_TOKEN - 1) / COST_TOKEN;
    return cost > UINT32_MAX ? UINT32_MAX : (uint32_t)cost;
}
