#include "text/analyse.h"

#include <assert.h>
#include <libstemmer.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "text/ascii8.h"
#include "text/utf8.h"

/* The role of a code point in the tokenizer (docs/analysis.md). */
enum role {
    ROLE_NONE,  /* parts tokens */
    ROLE_WORD,  /* letters and digits of scripts that part words by spaces */
    ROLE_HAN,   /* ideographs: each one, and each pair of neighbours */
    ROLE_PAIRS, /* kana, Hangul, Thai …: each pair of neighbours */
    ROLE_SIGN,  /* emoji and other pictographs: one alone */
    ROLE_MORE   /* marks and joiners: belong to what stands before them */
};

/* The stem cache: direct mapped, a word that lands on another's place takes
 * it; longer words go uncached. What every token looks at stands two to a
 * cache line, the terms apart. */
#define CACHE_ENTRIES 16384u
#define CACHE_WORDS 3 /* of eight bytes */
#define CACHE_WORD_BYTES (CACHE_WORDS * sizeof(uint64_t))

struct entry {
    uint64_t word[CACHE_WORDS]; /* zeros behind it; all zero: free */
    uint32_t memo;
    uint16_t epoch; /* of the memo: the analyser's when it was made */
    uint8_t term_n;
    bool stop;
};
static_assert(sizeof(struct entry) == 32, "half a cache line");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "words are read eight bytes at a time, the first lowest");

/* Code points folded of one token, from its start: those past it can't fit
 * into a term unless most are marks. */
#define FOLD_CP_MAX ((size_t)2 * TERM_BYTES_MAX)

/* A base with the marks that belong to it, in a run of ROLE_HAN or PAIRS. */
struct unit {
    size_t start, end;
    enum role role;
};

/* A word of plain ASCII that has been read but not been asked for yet: what
 * the cache has of it is on its way from memory meanwhile. */
struct coming {
    uint64_t word[CACHE_WORDS];
    size_t start, end, entry;
    uint8_t n;
};
#define COMING_MAX 16u /* a power of two */
#define COMING_MIN 4u  /* fewer: more are read */

struct analyser {
    struct sb_stemmer *stemmer;
    str text;
    size_t at;
    uint32_t position;
    struct unit unit; /* last unit of a run of ideographs or pairs */
    bool in_run;      /* unit is set */
    bool alone;       /* unit has not been part of a token yet */
    char term[TERM_BYTES_MAX + CACHE_WORD_BYTES];
    uint16_t epoch; /* of the memos */
    struct coming coming[COMING_MAX];
    uint32_t coming_at, coming_n; /* the first one's place, how many */
    struct entry *cache;
    char (*cache_terms)[CACHE_WORD_BYTES];
};

/* The Snowball project's English list, and what is left of its contractions
 * when the apostrophe parts them (don't: don, t). Sorted. */
static const char *const STOP_WORDS[] = {
    "a",      "about",     "above",  "after",    "again",      "against",
    "all",    "am",        "an",     "and",      "any",        "are",
    "aren",   "as",        "at",     "be",       "because",    "been",
    "before", "being",     "below",  "between",  "both",       "but",
    "by",     "can",       "cannot", "could",    "couldn",     "d",
    "did",    "didn",      "do",     "does",     "doesn",      "doing",
    "don",    "down",      "during", "each",     "few",        "for",
    "from",   "further",   "had",    "hadn",     "has",        "hasn",
    "have",   "haven",     "having", "he",       "her",        "here",
    "hers",   "herself",   "him",    "himself",  "his",        "how",
    "i",      "if",        "in",     "into",     "is",         "isn",
    "it",     "its",       "itself", "let",      "ll",         "m",
    "me",     "more",      "most",   "mustn",    "my",         "myself",
    "no",     "nor",       "not",    "of",       "off",        "on",
    "once",   "only",      "or",     "other",    "ought",      "our",
    "ours",   "ourselves", "out",    "over",     "own",        "re",
    "s",      "same",      "shan",   "she",      "should",     "shouldn",
    "so",     "some",      "such",   "t",        "than",       "that",
    "the",    "their",     "theirs", "them",     "themselves", "then",
    "there",  "these",     "they",   "this",     "those",      "through",
    "to",     "too",       "under",  "until",    "up",         "ve",
    "very",   "was",       "wasn",   "we",       "were",       "weren",
    "what",   "when",      "where",  "which",    "while",      "who",
    "whom",   "why",       "with",   "won",      "would",      "wouldn",
    "you",    "your",      "yours",  "yourself", "yourselves"};

/* Lower-case form of ASCII letters and digits; 0: parts tokens. */
static const char FOLD[128] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
    ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
    ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o',
    ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't',
    ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
    ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
    ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's',
    ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z'};

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *r, size_t n, uint32_t cp)
{
    for (size_t i = 0; i < n; i++) {
        if (cp >= r[i].first && cp <= r[i].last)
            return true;
    }
    return false;
}

static const struct range HAN[] = {{0x3005, 0x3007}, {0x3021, 0x3029},
                                   {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
                                   {0xf900, 0xfaff}, {0x20000, 0x3ffff}};

static const struct range PAIRS[] = {
    {0x0e00, 0x0eff},  /* Thai, Lao */
    {0x1000, 0x109f},  /* Myanmar */
    {0x1100, 0x11ff},  /* Hangul letters */
    {0x1780, 0x17ff},  /* Khmer */
    {0x3040, 0x30ff},  /* kana */
    {0x3130, 0x318f},  /* Hangul letters */
    {0x31f0, 0x31ff},  /* kana */
    {0xac00, 0xd7ff},  /* Hangul */
    {0xff66, 0xff9d},  /* half-width kana */
    {0xffa0, 0xffdc},  /* half-width Hangul */
    {0x1aff0, 0x1b16f} /* kana */
};

/* Marks whose absence leaves the word readable: accents, Hebrew points,
 * Arabic vowel signs. The vowel signs of Indic scripts stay. */
static const struct range DROPPED[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05c7}, {0x0610, 0x061a},
    {0x0640, 0x0640}, {0x064b, 0x065f}, {0x0670, 0x0670}, {0x06d6, 0x06ed},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}};

static enum role classify(uint32_t cp)
{
    const utf8proc_property_t *p;

    if (cp < 0x80)
        return FOLD[cp] != 0 ? ROLE_WORD : ROLE_NONE;
    /* Half-width voicing marks and the vowels and finals of decomposed Hangul
     * are letters to Unicode. */
    if (cp == 0xff9e || cp == 0xff9f || (cp >= 0x1160 && cp <= 0x11ff))
        return ROLE_MORE;
    p = utf8proc_get_property((utf8proc_int32_t)cp);
    switch ((utf8proc_category_t)p->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        if (cp < 0x0e00)
            return ROLE_WORD;
        if (in_ranges(HAN, NELEMS(HAN), cp))
            return ROLE_HAN;
        if (in_ranges(PAIRS, NELEMS(PAIRS), cp))
            return ROLE_PAIRS;
        return ROLE_WORD;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return ROLE_MORE;
    case UTF8PROC_CATEGORY_CF:
        /* Soft hyphen, joiners and marks of direction are invisible; the
         * zero-width space is there to part words. */
        return cp == 0x200b ? ROLE_NONE : ROLE_MORE;
    case UTF8PROC_CATEGORY_SO:
        return p->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC
                   ? ROLE_SIGN
                   : ROLE_NONE;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        break;
    }
    return ROLE_NONE;
}

struct analyser *analyser_open(void)
{
    struct analyser *a = mem_alloc(sizeof *a);

    a->stemmer = sb_stemmer_new("english", NULL);
    ASSERT(a->stemmer != NULL);
    a->cache = mem_alloc(CACHE_ENTRIES * sizeof *a->cache);
    a->cache_terms = mem_alloc(CACHE_ENTRIES * sizeof *a->cache_terms);
    return a;
}

void analyser_close(struct analyser *a)
{
    if (a == NULL)
        return;
    sb_stemmer_delete(a->stemmer);
    mem_free(a->cache);
    mem_free(a->cache_terms);
    mem_free(a);
}

void analyser_forget(struct analyser *a)
{
    a->epoch++;
    if (a->epoch == 0) /* it has come round: older ones would count again */
        memset(a->cache, 0, CACHE_ENTRIES * sizeof *a->cache);
}

void analyser_begin(struct analyser *a, str text)
{
    ASSERT_SLOW(utf8_valid_prefix(text) == text.n);
    a->text = text;
    a->at = 0;
    a->position = 0;
    a->in_run = false;
    a->coming_n = 0;
}

static bool stop_word(str word)
{
    size_t low = 0, high = NELEMS(STOP_WORDS);

    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = str_cmp(word, str_of(STOP_WORDS[mid]));

        if (c == 0)
            return true;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

/* Only words of plain letters have English stems; what holds a digit is a
 * name or a number. No suffix that the stemmer takes ends in one of some
 * letters. */
static bool has_stem(str word)
{
    if (word.n > 0 && strchr("abfhjkopquvwxz", word.p[word.n - 1]) != NULL)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < 'a' || word.p[i] > 'z')
            return false;
    }
    return word.n > 2;
}

static str stem(struct analyser *a, str word)
{
    const sb_symbol *s;

    if (!has_stem(word))
        return word;
    s = sb_stemmer_stem(a->stemmer, (const sb_symbol *)word.p, (int)word.n);
    ASSERT(s != NULL);
    return (str){(const char *)s, (size_t)sb_stemmer_length(a->stemmer)};
}

static size_t hash(const uint64_t word[CACHE_WORDS])
{
    uint64_t h = word[0] * 0x9e3779b97f4a7c15u;

    h = (h ^ h >> 32 ^ word[1]) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 32 ^ word[2]) * 0xc4ceb9fe1a85ec53u;
    return (size_t)(h >> 40) % CACHE_ENTRIES;
}

/* The word of at most CACHE_WORD_BYTES gets the entry. False: its stem has no
 * room there and is in t. */
static bool entry_fill(struct analyser *a, size_t at, str word, struct token *t)
{
    struct entry *en = &a->cache[at];
    str s = stem(a, word);

    if (s.n > CACHE_WORD_BYTES) {
        t->term = s;
        return false;
    }
    memset(en, 0, sizeof *en);
    memcpy(en->word, word.p, word.n);
    memcpy(a->cache_terms[at], s.p, s.n);
    en->term_n = (uint8_t)s.n;
    en->stop = stop_word(word);
    return true;
}

/* The token of a word of n bytes whose place in the cache is `at`. */
static void finish_cached(struct analyser *a, const uint64_t word[CACHE_WORDS],
                          size_t n, size_t at, struct token *t)
{
    struct entry *en = &a->cache[at];

    t->position = a->position++;
    t->stop = false;
    t->memo = NULL;
    if ((en->word[0] != word[0] || en->word[1] != word[1] ||
         en->word[2] != word[2]) &&
        !entry_fill(a, at, (str){(const char *)word, n}, t))
        return;
    if (en->epoch != a->epoch) {
        en->epoch = a->epoch;
        en->memo = 0;
    }
    t->term = (str){a->cache_terms[at], en->term_n};
    t->stop = en->stop;
    t->memo = &en->memo;
}

/* a->term holds the folded word of n bytes. */
static void finish(struct analyser *a, size_t n, struct token *t)
{
    uint64_t word[CACHE_WORDS];

    if (n > CACHE_WORD_BYTES) {
        t->position = a->position++;
        t->stop = false;
        t->memo = NULL;
        t->term = stem(a, (str){a->term, n});
        return;
    }
    memset(a->term + n, 0, CACHE_WORD_BYTES);
    memcpy(word, a->term, sizeof word);
    finish_cached(a, word, n, hash(word), t);
}

uint32_t analyser_coming(const struct analyser *a)
{
    const struct coming *c;
    const struct entry *en;

    if (a->coming_n < COMING_MIN)
        return 0;
    c = &a->coming[(a->coming_at + 1) % COMING_MAX];
    en = &a->cache[c->entry];
    return en->epoch == a->epoch && en->word[0] == c->word[0] &&
                   en->word[1] == c->word[1] && en->word[2] == c->word[2]
               ? en->memo
               : 0;
}

/* Folds one code point to at most 32: NFKC's decomposition, case folding,
 * what DROPPED names left out. */
static size_t fold_cp(uint32_t cp, utf8proc_int32_t *to)
{
    utf8proc_int32_t parts[32];
    int boundclass = 0;
    size_t n = 0;
    utf8proc_ssize_t got =
        utf8proc_decompose_char((utf8proc_int32_t)cp, parts, NELEMS(parts),
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                    UTF8PROC_CASEFOLD | UTF8PROC_IGNORE,
                                &boundclass);

    if (got < 0 || got > (utf8proc_ssize_t)NELEMS(parts))
        return 0;
    for (size_t i = 0; i < (size_t)got; i++) {
        if (!in_ranges(DROPPED, NELEMS(DROPPED), (uint32_t)parts[i]) &&
            parts[i] > ' ')
            to[n++] = parts[i];
    }
    return n;
}

/* The folded form of text[start, end) goes to a->term; returns its bytes. */
static size_t fold(struct analyser *a, size_t start, size_t end)
{
    str s = str_sub(a->text, 0, end);
    utf8proc_int32_t cps[FOLD_CP_MAX + 32];
    utf8proc_ssize_t composed;
    size_t n = 0, bytes = 0;

    while (start < end && n < FOLD_CP_MAX)
        n += fold_cp(utf8_next(s, &start), cps + n);
    composed = utf8proc_normalize_utf32(cps, (utf8proc_ssize_t)n,
                                        UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < composed; i++) {
        utf8proc_uint8_t one[4];
        size_t k = (size_t)utf8proc_encode_char(cps[i], one);

        if (bytes + k > TERM_BYTES_MAX)
            break;
        memcpy(a->term + bytes, one, k);
        bytes += k;
    }
    return bytes;
}

/* Code point at `at` and its role; *next is behind it. */
static enum role role_at(const struct analyser *a, size_t at, size_t *next)
{
    uint32_t cp;

    *next = at;
    if (at >= a->text.n)
        return ROLE_NONE;
    cp = utf8_next(a->text, next);
    return classify(cp);
}

/* Where the word that has letters up to `at` ends. */
static size_t word_end(const struct analyser *a, size_t at)
{
    const char *p = a->text.p;

    for (;;) {
        enum role c;
        size_t next;

        while (at < a->text.n && (uint8_t)p[at] < 0x80) {
            if (FOLD[(uint8_t)p[at]] == 0)
                return at;
            at++;
        }
        c = role_at(a, at, &next);
        if (c != ROLE_WORD && c != ROLE_MORE)
            return at;
        at = next;
    }
}

/* Bytes of a possessive 's at `at`, 0: there is none. */
static size_t possessive(const struct analyser *a, size_t at)
{
    str rest = str_sub(a->text, at, 8);
    size_t n = 0, next;
    enum role c;

    if (rest.n > 0 && rest.p[0] == '\'')
        n = 1;
    else if (str_starts(rest, STR("\xe2\x80\x99")))
        n = 3;
    if (n == 0 || n == rest.n || (rest.p[n] | 0x20) != 's')
        return 0;
    c = role_at(a, at + n + 1, &next);
    return c == ROLE_WORD || c == ROLE_MORE ? 0 : n + 1;
}

/* Where the letters and digits of ASCII from `at` on end; they are folded to
 * a->term, *n bytes of it. */
static size_t fold_plain(struct analyser *a, size_t at, size_t *n)
{
    const uint8_t *p = (const uint8_t *)a->text.p;
    size_t got = 8;

    *n = 0;
    while (got == 8 && a->text.n - at >= 8 && *n + 8 <= TERM_BYTES_MAX) {
        uint64_t v = ascii8_load(p + at), letters = ascii8_letters(v);

        got = ascii8_run(letters | ascii8_digits(v));
        v |= (letters & ASCII8_HIGH) >> 2; /* lower case */
        memcpy(a->term + *n, &v, sizeof v);
        *n += got;
        at += got;
    }
    for (; got == 8 && at < a->text.n && p[at] < 0x80 && FOLD[p[at]] != 0; at++)
        if (*n < TERM_BYTES_MAX)
            a->term[(*n)++] = FOLD[p[at]];
    return at;
}

/* The word whose first code point is at `start`; false: nothing of it is left
 * after folding. */
static bool take_word(struct analyser *a, size_t start, struct token *t)
{
    const uint8_t *p = (const uint8_t *)a->text.p;
    size_t n, at = fold_plain(a, start, &n), end;

    end = at;
    if (at < a->text.n && p[at] >= 0x80) {
        end = word_end(a, at);
        if (end > at)
            n = fold(a, start, end);
    }
    a->at = end + possessive(a, end);
    if (n == 0)
        return false;
    t->start = start;
    t->end = end;
    finish(a, n, t);
    return true;
}

/* The unit that starts at `at`, or one of ROLE_NONE. */
static struct unit unit_at(const struct analyser *a, size_t at)
{
    struct unit u = {.start = at};
    size_t next;

    u.role = role_at(a, at, &u.end);
    while (role_at(a, u.end, &next) == ROLE_MORE)
        u.end = next;
    return u;
}

static bool take_units(struct analyser *a, size_t start, size_t end,
                       struct token *t)
{
    size_t n = fold(a, start, end);

    if (n == 0)
        return false;
    t->start = start;
    t->end = end;
    finish(a, n, t);
    return true;
}

/* One step in a run of ideographs or pairs; a->unit is its last unit. Han:
 * A, AB, B, BC, C. Pairs: AB, BC; a unit alone in its run stands for itself. */
static bool step_run(struct analyser *a, struct token *t)
{
    struct unit u = a->unit, next;

    if (u.role == ROLE_HAN && a->alone) {
        a->alone = false;
        return take_units(a, u.start, u.end, t);
    }
    next = unit_at(a, u.end);
    if (next.role == u.role) {
        a->unit = next;
        a->alone = u.role == ROLE_HAN;
        return take_units(a, u.start, next.end, t);
    }
    a->in_run = false;
    a->at = u.end;
    return a->alone && take_units(a, u.start, u.end, t);
}

/* The part of a text that is looked at as a whole: bits say of each byte what
 * it is, and words are where they say, without a step for each letter. */
struct window {
    char folded[ASCII8_WINDOW + CACHE_WORD_BYTES]; /* ASCII letters are small */
    uint64_t words; /* letters and digits of ASCII */
    uint64_t high;  /* what is not ASCII */
};

static void window_read(str text, size_t at, struct window *w)
{
    size_t n = text.n - at;
    struct ascii8_kinds k;
    char last[ASCII8_WINDOW] = {0};

    if (n >= ASCII8_WINDOW) {
        k = ascii8_kinds(text.p + at, w->folded);
    } else {
        memcpy(last, text.p + at, n);
        k = ascii8_kinds(last, w->folded);
    }
    memset(w->folded + ASCII8_WINDOW, 0, CACHE_WORD_BYTES);
    w->words = k.letters | k.digits;
    w->high = k.high;
}

#define ONES UINT64_MAX
static_assert(CACHE_WORDS == 3, "what word_put is written for");

/* The first n bytes of p, which has room for CACHE_WORD_BYTES: masked by as
 * many ones, which stand before zeros. */
static void word_put(struct coming *c, const char *p, size_t n)
{
    static const uint64_t MASK[2 * CACHE_WORDS] = {ONES, ONES, ONES, 0, 0, 0};
    const char *mask = (const char *)MASK + (CACHE_WORD_BYTES - n);

    c->word[0] = ascii8_load(p) & ascii8_load(mask);
    c->word[1] = ascii8_load(p + 8) & ascii8_load(mask + 8);
    c->word[2] = ascii8_load(p + 16) & ascii8_load(mask + 16);
    c->n = (uint8_t)n;
    c->entry = hash(c->word);
}

/* Takes the words of one window; false: what comes next is for others to read,
 * or the end. */
static bool window_take(struct analyser *a)
{
    struct window w;
    size_t base = a->at, end = 0;

    window_read(a->text, base, &w);
    if (w.high != 0) /* what stands behind doesn't count */
        w.words &= ((uint64_t)1 << __builtin_ctzll(w.high)) - 1;
    while (a->coming_n < COMING_MAX && w.words != 0) {
        struct coming *c =
            &a->coming[(a->coming_at + a->coming_n) % COMING_MAX];
        unsigned start, n = ascii8_ones(w.words, &start);
        bool to_end = start + n == ASCII8_WINDOW;

        /* One that may go on in the next window, or not in ASCII */
        if (n > CACHE_WORD_BYTES ||
            (to_end ? base + ASCII8_WINDOW < a->text.n
                    : (w.high >> (start + n) & 1) != 0)) {
            a->at = base + start;
            return to_end && start > 0;
        }
        word_put(c, w.folded + start, n);
        __builtin_prefetch(&a->cache[c->entry], 1);
        end = start + n;
        c->start = base + start;
        c->end = base + end;
        a->coming_n++;
        if (c->end < a->text.n && a->text.p[c->end] == '\'')
            end += possessive(a, c->end);
        w.words = end < ASCII8_WINDOW ? w.words & UINT64_MAX << end : 0;
    }
    if (w.words == 0 && end < ASCII8_WINDOW)
        end = w.high != 0 ? (size_t)__builtin_ctzll(w.high) : ASCII8_WINDOW;
    a->at = base + end < a->text.n ? base + end : a->text.n;
    return w.high == 0 && a->at < a->text.n;
}

/* Reads words of plain ASCII on, up to anything else. */
static void words_read(struct analyser *a)
{
    while (a->coming_n < COMING_MAX && a->at < a->text.n && window_take(a))
        ;
}

static bool take_coming(struct analyser *a, struct token *t)
{
    const struct coming *c = &a->coming[a->coming_at];

    if (a->coming_n == 0)
        return false;
    t->start = c->start;
    t->end = c->end;
    finish_cached(a, c->word, c->n, c->entry, t);
    a->coming_at = (a->coming_at + 1) % COMING_MAX;
    a->coming_n--;
    return true;
}

bool analyser_next(struct analyser *a, struct token *t)
{
    const uint8_t *p = (const uint8_t *)a->text.p;

    if (!a->in_run && a->coming_n < COMING_MIN)
        words_read(a);
    if (take_coming(a, t))
        return true;
    for (;;) {
        size_t at = a->at;
        struct unit u;

        if (a->in_run) {
            if (step_run(a, t))
                return true;
            continue;
        }
        while (at < a->text.n && p[at] < 0x80 && FOLD[p[at]] == 0)
            at++;
        a->at = at;
        if (at == a->text.n)
            return false;
        if (p[at] < 0x80) {
            if (take_word(a, at, t))
                return true;
            continue;
        }
        switch (role_at(a, at, &a->at)) {
        case ROLE_WORD:
            if (take_word(a, at, t))
                return true;
            break;
        case ROLE_HAN:
        case ROLE_PAIRS:
            a->unit = unit_at(a, at);
            a->in_run = a->alone = true;
            break;
        case ROLE_SIGN:
            u = unit_at(a, at);
            a->at = u.end;
            if (take_units(a, u.start, u.end, t))
                return true;
            break;
        case ROLE_MORE:
        case ROLE_NONE:
            break;
        }
    }
}
