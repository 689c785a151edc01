#include "text/wordpiece.h"

#include <assert.h>

#include "base/mem.h"
#include "text/ascii8.h"
#include "text/utf8.h"
#include "text/vocab_priv.h"
#include "text/wordpiece_priv.h"

/* The memory of words, by their bytes: direct mapped, a word that lands on
 * another's place takes it; longer words and those of more ids go without. */
#define MEMORY_ENTRIES 8192u
#define KEY_WORDS 3 /* of eight bytes */
#define KEY_BYTES (KEY_WORDS * sizeof(uint64_t))
#define KEPT_IDS 8

struct entry {
    uint64_t key[KEY_WORDS]; /* zeros behind the bytes */
    uint32_t ids[KEPT_IDS];
    uint8_t bytes; /* 0: free */
    uint8_t ids_n;
};
static_assert(sizeof(struct entry) == 64, "a cache line");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "words are read eight bytes at a time, the first lowest");

struct wordpiece {
    const struct vocab *v;
    /* The word that is being read, normalised. Past word_chars_max it is only
     * counted. */
    uint32_t *chars; /* [word_chars_max] */
    char *bytes;     /* [4 * word_chars_max]: the same in UTF-8 */
    size_t chars_n;
    size_t marks_at; /* what stands from there on is put in order */
    struct entry *memory;
};

struct wordpiece *wordpiece_open(const struct vocab *v)
{
    struct wordpiece *w = mem_alloc(sizeof *w);

    w->v = v;
    w->chars = mem_alloc(v->word_chars_max * sizeof *w->chars);
    w->bytes = mem_alloc((size_t)4 * v->word_chars_max);
    w->memory = mem_alloc(MEMORY_ENTRIES * sizeof *w->memory);
    return w;
}

void wordpiece_close(struct wordpiece *w)
{
    if (w == NULL)
        return;
    mem_free(w->chars);
    mem_free(w->bytes);
    mem_free(w->memory);
    mem_free(w);
}

/* ---- any text, character by character ---- */

static void word_end(struct wordpiece *w, struct ids *to)
{
    size_t bytes = 0;

    if (w->chars_n > w->v->word_chars_max) {
        ids_put(to, w->v->ids.unknown);
    } else if (w->chars_n > 0) {
        for (size_t i = 0; i < w->chars_n; i++)
            bytes += utf8_encode(w->bytes + bytes, w->chars[i]);
        vocab_pieces(w->v, (str){w->bytes, bytes}, to);
    }
    w->chars_n = w->marks_at = 0;
}

/* Puts a character behind the word; a mark goes before those of its run that
 * are of a higher order. */
static void char_put(struct wordpiece *w, uint32_t cp, unsigned order)
{
    size_t at = w->chars_n++;

    if (at >= w->v->word_chars_max)
        return;
    if (order != 0) {
        for (; at > w->marks_at && char_order(w->chars[at - 1]) > order; at--)
            w->chars[at] = w->chars[at - 1];
    }
    w->chars[at] = cp;
}

/* A character in lower case, or one that has none. */
static void char_sort(struct wordpiece *w, uint32_t cp, unsigned order,
                      struct ids *to)
{
    if (char_space(cp)) {
        word_end(w, to);
    } else if (char_punctuation(cp)) {
        word_end(w, to);
        char_put(w, cp, order);
        word_end(w, to);
    } else {
        char_put(w, cp, order);
    }
}

/* A character that is decomposed where that is asked for. */
static void part_take(struct wordpiece *w, uint32_t cp, struct ids *to)
{
    bool strip = w->v->strip_accents;
    unsigned order = strip ? char_order(cp) : 0;
    uint32_t lower[CHAR_LOWER_MAX] = {cp};
    size_t n = 1;

    if (!strip || !char_accent(cp)) {
        if (w->v->lowercase)
            n = char_lower(cp, lower);
        for (size_t i = 0; i < n; i++)
            char_sort(w, lower[i], order, to);
    }
    if (order == 0) /* an accent too that has gone parts what is ordered */
        w->marks_at = w->chars_n;
}

static void char_take(struct wordpiece *w, uint32_t cp, struct ids *to)
{
    uint32_t parts[CHAR_PARTS_MAX] = {cp};
    bool apart = w->v->ideographs_apart && char_ideograph(cp);
    size_t n = 1;

    if (w->v->clean && char_dropped(cp))
        return;
    if (apart)
        word_end(w, to);
    if (w->v->strip_accents)
        n = char_decompose(cp, parts);
    for (size_t i = 0; i < n; i++)
        part_take(w, parts[i], to);
    if (apart)
        word_end(w, to);
}

/* Bytes between which and their neighbours words end. */
static void run_read(struct wordpiece *w, str run, struct ids *to)
{
    size_t at = 0;

    while (at < run.n && to->n < to->max)
        char_take(w, utf8_next_any(run, &at), to);
    word_end(w, to);
}

/* ---- by the memory of words ---- */

static struct entry *entry_of(const struct wordpiece *w,
                              const uint64_t key[KEY_WORDS])
{
    uint64_t h = key[0] * 0x9e3779b97f4a7c15u;

    h = (h ^ h >> 32 ^ key[1]) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 32 ^ key[2]) * 0xc4ceb9fe1a85ec53u;
    return &w->memory[(size_t)(h >> 40) % MEMORY_ENTRIES];
}

/* A run that has been seen but not taken yet: what the memory has of it is on
 * its way meanwhile. */
struct coming {
    uint64_t key[KEY_WORDS];
    struct entry *entry;
    size_t n;
};

/* Letters and digits of ASCII only: already as normalising would have them. */
static bool run_plain(const struct coming *c)
{
    size_t n = 0;

    for (size_t k = 0; k < KEY_WORDS && n == 8 * k; k++)
        n += ascii8_run(ascii8_letters(c->key[k]) | ascii8_digits(c->key[k]));
    return n == c->n;
}

static void run_learn(struct wordpiece *w, const struct coming *c,
                      struct ids *to)
{
    uint32_t found[KEY_BYTES * CHAR_PARTS_MAX];
    struct ids all = {.v = found, .max = NELEMS(found)};
    str run = {(const char *)c->key, c->n};
    struct entry *en = c->entry;

    if (run_plain(c) && c->n <= w->v->word_chars_max)
        vocab_pieces(w->v, run, &all);
    else
        run_read(w, run, &all);
    ASSERT(all.n <= all.max);
    for (size_t i = 0; i < all.n; i++)
        ids_put(to, all.v[i]);
    if (all.n > KEPT_IDS)
        return;
    memcpy(en->key, c->key, sizeof en->key);
    memcpy(en->ids, all.v, all.n * sizeof *all.v);
    en->bytes = (uint8_t)c->n;
    en->ids_n = (uint8_t)all.n;
}

/* A run of n bytes at p, which has room for KEY_BYTES. */
static void run_come(const struct wordpiece *w, const char *p, size_t n,
                     struct coming *c)
{
    static const uint64_t ALL = UINT64_MAX;

    c->n = n;
    if (n > KEY_BYTES)
        return;
    for (size_t k = 0; k < KEY_WORDS; k++) {
        size_t more = n > 8 * k ? n - 8 * k : 0;

        c->key[k] =
            ascii8_load(p + 8 * k) & (more >= 8 ? ALL : ~(ALL << more * 8));
    }
    c->entry = entry_of(w, c->key);
    __builtin_prefetch(c->entry, 1);
}

static void run_take(struct wordpiece *w, const struct coming *c, const char *p,
                     struct ids *to)
{
    const struct entry *en = c->entry;

    if (c->n > KEY_BYTES) {
        run_read(w, (str){p, c->n}, to);
    } else if (en->key[0] != c->key[0] || en->key[1] != c->key[1] ||
               en->key[2] != c->key[2] || en->bytes != c->n) {
        run_learn(w, c, to);
    } else if (to->v == NULL) {
        to->n += en->ids_n;
    } else if (to->max - to->n >= KEPT_IDS) {
        memcpy(to->v + to->n, en->ids, sizeof en->ids);
        to->n += en->ids_n;
    } else {
        for (size_t i = 0; i < en->ids_n; i++)
            ids_put(to, en->ids[i]);
    }
}

/* ---- windows ---- */

/* The part of a text that is looked at as a whole: bits say of each byte what
 * it is, and words are where they say, without a step for each letter. */
struct window {
    char folded[ASCII8_WINDOW + KEY_BYTES]; /* lower case if so set */
    uint64_t runs;  /* all but white space and punctuation of ASCII */
    uint64_t signs; /* punctuation of ASCII */
    struct coming coming[ASCII8_WINDOW / 2]; /* the runs, in order */
};

static void window_read(const struct vocab *v, str rest, struct window *w)
{
    size_t n = rest.n < ASCII8_WINDOW ? rest.n : ASCII8_WINDOW;
    uint64_t fold = v->lowercase ? ASCII8_HIGH : 0;

    w->runs = w->signs = 0;
    memset(w->folded + n, ' ', sizeof w->folded - n);
    memcpy(w->folded, rest.p, n);
    for (unsigned i = 0; i < ASCII8_WINDOW; i += 8) {
        uint64_t c = ascii8_load(w->folded + i), low7 = c & ~ASCII8_HIGH;
        uint64_t letters = ascii8_letters(c);
        uint64_t spaces = (ascii8_between(low7, '\t', '\n') |
                           ascii8_between(low7, '\r', '\r') |
                           ascii8_between(low7, ' ', ' ')) &
                          ~c;
        uint64_t signs =
            ascii8_between(low7, '!', '~') & ~c & ~letters & ~ascii8_digits(c);

        w->signs |= ascii8_bits(signs) << i;
        w->runs |= ascii8_bits(~(signs | spaces)) << i;
        c |= (letters & fold) >> 2;
        memcpy(w->folded + i, &c, sizeof c);
    }
}

/* Where the run that starts at `at` ends. */
static size_t run_end(str text, size_t at)
{
    for (; at < text.n; at++) {
        uint8_t c = (uint8_t)text.p[at];

        if (c < 0x80 && (c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
                         char_punctuation(c)))
            break;
    }
    return at;
}

/* Looks the window's runs up; how many of its bytes are to be taken: up to a
 * last run that may go on behind it, unless the text ends here. */
static size_t window_come(const struct wordpiece *w, struct window *win,
                          bool ends)
{
    uint64_t starts = win->runs & ~(win->runs << 1);

    for (size_t k = 0; starts != 0; starts &= starts - 1, k++) {
        unsigned at = (unsigned)__builtin_ctzll(starts), from;
        unsigned n = ascii8_ones(win->runs >> at, &from);

        if (at + n == ASCII8_WINDOW && !ends)
            return at;
        run_come(w, win->folded + at, n, &win->coming[k]);
    }
    return ASCII8_WINDOW;
}

/* Takes what one window at `base` has; where the next begins. */
static size_t window_take(struct wordpiece *w, str text, size_t base,
                          struct ids *to)
{
    bool ends = text.n - base <= ASCII8_WINDOW;
    const struct coming *next;
    struct window win;
    uint64_t todo;
    size_t taken;

    window_read(w->v, str_sub(text, base, text.n), &win);
    taken = window_come(w, &win, ends);
    if (taken == 0) { /* a run fills it */
        size_t end = run_end(text, base + ASCII8_WINDOW);

        run_read(w, str_sub(text, base, end - base), to);
        return end;
    }
    todo = (win.runs & ~(win.runs << 1)) | win.signs;
    if (taken < ASCII8_WINDOW)
        todo &= ((uint64_t)1 << taken) - 1;
    next = win.coming;
    for (; todo != 0 && to->n < to->max; todo &= todo - 1) {
        unsigned at = (unsigned)__builtin_ctzll(todo);

        if ((win.signs >> at & 1) != 0)
            ids_put(to, w->v->ascii[(uint8_t)win.folded[at]]);
        else
            run_take(w, next++, win.folded + at, to);
    }
    return ends ? text.n : base + taken;
}

static void text_take(struct wordpiece *w, str text, struct ids *to)
{
    for (size_t at = 0; at < text.n && to->n < to->max;)
        at = window_take(w, text, at, to);
}

size_t wordpiece_encode(struct wordpiece *w, str text, uint32_t *ids,
                        size_t ids_max)
{
    struct ids to = {.v = ids, .max = ids_max};

    if (ids_max == 0)
        return 0;
    text_take(w, text, &to);
    return to.n < ids_max ? to.n : ids_max;
}

size_t wordpiece_count(struct wordpiece *w, str text)
{
    struct ids to = {.max = SIZE_MAX};

    text_take(w, text, &to);
    return to.n;
}
