#include "text/summary.h"

#include <math.h>

#include "base/map.h"
#include "text/analyse.h"
#include "text/chunk_priv.h"
#include "text/utf8.h"

#define WORDS_MIN 3
/* Cosine of two sentences that say the same. */
#define ALIKE 0.8

/* A term in a sentence. */
struct entry {
    uint32_t term;
    double weight; /* first how often it stands there */
};

struct sentence {
    str text;
    size_t cp;
    struct entry *v; /* [n], by first place */
    size_t n;
    double score;
    bool taken;
};

struct term {
    uint32_t sentences; /* that have it */
    uint32_t last;      /* the last of them, plus one */
    size_t entry;       /* its place there */
    double centre;
};

struct summary {
    struct arena *tmp;
    struct analyser *analyser;
    struct map *ids; /* of terms; value: index + 1 */
    struct term *terms;
    size_t terms_n, terms_cap;
    struct sentence v[SUMMARY_READ_SENTENCES_MAX];
    size_t n;
    size_t sentences, bytes; /* looked at */
};

/* ---- blocks to plain text ---- */

static bool is_prose(enum block_kind kind)
{
    switch (kind) {
    case BLOCK_PARAGRAPH:
    case BLOCK_LIST_ITEM:
    case BLOCK_QUOTE:
        return true;
    case BLOCK_HEADING:
    case BLOCK_TABLE_ROW:
    case BLOCK_CODE:
    case BLOCK_LISTING:
    case BLOCK_KIND_COUNT:
        break;
    }
    return false;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of an item's mark: "- ", "12. ", "- [x] ". */
static size_t item_mark(str s)
{
    size_t n = 0;

    while (n < s.n && n < 9 && digit(s.p[n]))
        n++;
    if (n == s.n || strchr(n > 0 ? ".)" : "-+*", s.p[n]) == NULL)
        return 0;
    n++;
    if (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
        return 0;
    if (n + 4 < s.n && s.p[n + 1] == '[' && s.p[n + 3] == ']')
        n += 4;
    return n;
}

/* A line without the marks of the quotes and items it stands in. */
static str line_plain(str line, enum block_kind kind)
{
    size_t n;

    for (;;) {
        line = str_trim(line);
        n = line.n > 0 && line.p[0] == '>' && kind != BLOCK_PARAGRAPH ? 1 : 0;
        if (n == 0 && kind != BLOCK_PARAGRAPH)
            n = item_mark(line);
        if (n == 0)
            return line;
        line = str_sub(line, n, line.n);
    }
}

/* "[name]: address", which links are made with. */
static bool is_definition(str line)
{
    return line.n > 0 && line.p[0] == '[' &&
           str_find(line, STR("]: ")) < line.n;
}

/* "[^12]" */
static size_t note_mark(str s, size_t at)
{
    size_t n = at + 2;

    if (!str_starts(str_sub(s, at, 2), STR("[^")))
        return 0;
    while (n < s.n && digit(s.p[n]))
        n++;
    return n < s.n && s.p[n] == ']' && n > at + 2 ? n + 1 - at : 0;
}

static void line_put(str line, struct buf *to)
{
    for (size_t at = 0, n; at < line.n; at += n) {
        n = note_mark(line, at);
        if (n > 0)
            continue;
        n = 1;
        buf_put_char(to, line.p[at]);
    }
    buf_put_char(to, '\n');
}

/* The block's text on one line; HTML in Markdown is none. */
static str block_plain(str s, enum block_kind kind, struct arena *tmp)
{
    struct buf b = {0};
    str line, plain;

    if (s.n > 1 && s.p[0] == '<' &&
        (strchr("/!", s.p[1]) != NULL ||
         ((s.p[1] | 0x20) >= 'a' && (s.p[1] | 0x20) <= 'z')))
        return STR_NONE;
    for (bool more = true; more;) {
        more = str_cut(s, '\n', &line, &s);
        line = line_plain(line, kind);
        if (!is_definition(line))
            line_put(line, &b);
    }
    /* doc_plain gives back what is plain already. */
    plain = doc_plain(arena_str(tmp, buf_str(&b)), tmp);
    buf_close(&b);
    return plain;
}

/* ---- plain text to sentences ---- */

/* Of the languages beside English, whose own the chunker knows, those that
 * stand before a word with a capital letter. */
static bool is_short_form(str word)
{
    static const str FORMS[] = {
        STR_INIT("Bd"),  STR_INIT("Mme"),  STR_INIT("Mlle"), STR_INIT("Abs"),
        STR_INIT("Abb"), STR_INIT("bzw"),  STR_INIT("ca"),   STR_INIT("evtl"),
        STR_INIT("ggf"), STR_INIT("inkl"), STR_INIT("Mio"),  STR_INIT("Mrd"),
        STR_INIT("Nr"),  STR_INIT("Sra"),  STR_INIT("Str"),  STR_INIT("vgl"),
        STR_INIT("Vgl"), STR_INIT("sog"),  STR_INIT("Hrsg"), STR_INIT("Tel"),
        STR_INIT("núm"), STR_INIT("pág"),  STR_INIT("Ing"),  STR_INIT("Dipl")};

    for (size_t i = 0; i < NELEMS(FORMS); i++) {
        if (str_eq(word, FORMS[i]))
            return true;
    }
    return false;
}

/* a to z, ß to ÿ, а to я */
static bool small_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 0xdf && cp <= 0xff) ||
           (cp >= 0x430 && cp <= 0x44f);
}

/* Whether the full stop before `end` ends no sentence: what follows goes on
 * with a small letter, or what stands before is a number of a day ("3. Mai"),
 * a letter ("z. B.") or a short form. */
static bool goes_on(str s, size_t end)
{
    size_t stop = end - 1, start, next = end;
    str word;

    while (next < s.n && s.p[next] == ' ')
        next++;
    if (next == s.n || s.p[stop] != '.')
        return false;
    if (small_letter(utf8_next(s, &next)))
        return true;
    for (start = stop; start > 0 && s.p[start - 1] != ' ' &&
                       s.p[start - 1] != '(' && s.p[start - 1] != '.';)
        start--;
    word = str_sub(s, start, stop - start);
    if (word.n > 0 && word.n <= 2 && digit(word.p[0]) &&
        digit(word.p[word.n - 1]))
        return true;
    return word.n == 1 || is_short_form(word);
}

/* Signs that end a sentence where white space follows, and that the chunker
 * does not look for: an ellipsis, those of Arabic, Urdu, Hindi, Armenian. */
static size_t other_stop(str s, size_t at)
{
    static const str STOPS[] = {STR_INIT("…"), STR_INIT("؟"), STR_INIT("۔"),
                                STR_INIT("।"), STR_INIT("։")};

    for (size_t i = 0; i < NELEMS(STOPS); i++) {
        size_t n = STOPS[i].n;

        if (str_starts(str_sub(s, at, n), STOPS[i]) &&
            (at + n == s.n || s.p[at + n] == ' '))
            return n;
    }
    return 0;
}

static size_t end_before(str s, size_t at, size_t end)
{
    for (; at < end; at++) {
        size_t n = (uint8_t)s.p[at] < 0xc2 ? 0 : other_stop(s, at);
        size_t next = at + n;

        if (n == 0)
            continue;
        while (next < s.n && s.p[next] == ' ')
            next++;
        if (next == s.n || !small_letter(utf8_next(s, &next)))
            return at + n;
    }
    return end;
}

static size_t sentence_stop(str s, size_t at)
{
    size_t from = at, end = at;
    enum cut cut;

    do
        end = sentence_end(s, end, &cut);
    while (end < s.n && goes_on(s, end));
    return end_before(s, from, end);
}

/* ---- vectors ---- */

static struct term *term_of(struct summary *m, str word, uint32_t *id)
{
    bool made;
    uint64_t *slot = map_slot(m->ids, word, &made);

    if (made) {
        *slot = m->terms_n;
        ARENA_PUSH(m->tmp, m->terms, m->terms_n, m->terms_cap,
                   ((struct term){0}));
    }
    *id = (uint32_t)*slot;
    return &m->terms[*id];
}

/* Sentences with too few words leave no trace but in what the terms' ids are.*/
static void sentence_take(struct summary *m, str text)
{
    struct sentence *s = &m->v[m->n];
    uint32_t number = (uint32_t)m->n + 1, id;
    struct token t;
    size_t cap = 0, words = 0;

    *s = (struct sentence){.text = text, .cp = utf8_count(text)};
    analyser_begin(m->analyser, text);
    while (analyser_next(m->analyser, &t)) {
        struct term *term;

        words += !digit(t.term.p[0]);
        if (t.stop)
            continue;
        term = term_of(m, t.term, &id);
        if (term->last != number) {
            term->last = number;
            term->entry = s->n;
            ARENA_PUSH(m->tmp, s->v, s->n, cap, ((struct entry){.term = id}));
        }
        ASSERT(term->entry < s->n);
        s->v[term->entry].weight += 1;
    }
    if (words < WORDS_MIN || str_find(text, STR("](")) < text.n) {
        for (size_t i = 0; i < s->n; i++)
            m->terms[s->v[i].term].last = 0;
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        m->terms[s->v[i].term].sentences++;
    m->n++;
}

static void sentences_read(struct summary *m, const struct doc *d)
{
    for (size_t i = 0; i < d->blocks_n; i++) {
        const struct block *b = &d->blocks[i];
        str s = str_sub(d->text, b->start, (size_t)(b->end - b->start));
        size_t left = SUMMARY_READ_BYTES_MAX - m->bytes;

        if (!is_prose(b->kind))
            continue;
        if (s.n > left) {
            while (left > 0 && ((uint8_t)s.p[left] & 0xc0) == 0x80)
                left--;
            s.n = left;
        }
        m->bytes += s.n;
        s = block_plain(s, b->kind, m->tmp);
        for (size_t at = 0, end; at < s.n; at = end) {
            if (m->sentences++ == SUMMARY_READ_SENTENCES_MAX)
                return;
            end = sentence_stop(s, at);
            sentence_take(m, str_trim(str_sub(s, at, end - at)));
        }
        if (m->bytes + 3 >= SUMMARY_READ_BYTES_MAX)
            return;
    }
}

/* Weights are (1 + ln tf) · ln((N + 1) / (df + 1/2)): more than 0 for a term
 * that all N sentences have, and little. Vectors are of length 1. */
static void weigh(struct summary *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct sentence *s = &m->v[i];
        double sum = 0;

        for (size_t k = 0; k < s->n; k++) {
            struct entry *e = &s->v[k];

            e->weight =
                (1 + log(e->weight)) *
                log(((double)m->n + 1) / (m->terms[e->term].sentences + 0.5));
            sum += e->weight * e->weight;
        }
        for (size_t k = 0; k < s->n; k++) {
            s->v[k].weight /= sqrt(sum);
            m->terms[s->v[k].term].centre += s->v[k].weight;
        }
    }
}

/* The cosine but for the centre's length, which is the same for all. */
static void score(struct summary *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct sentence *s = &m->v[i];

        for (size_t k = 0; k < s->n; k++)
            s->score += s->v[k].weight * m->terms[s->v[k].term].centre;
    }
}

/* ---- the choice ---- */

static bool are_alike(struct summary *m, const struct sentence *a,
                      const struct sentence *b)
{
    double sum = 0;

    if (str_eq(a->text, b->text))
        return true;
    for (size_t i = 0; i < a->n; i++)
        m->terms[a->v[i].term].centre = a->v[i].weight;
    for (size_t i = 0; i < b->n; i++)
        sum += b->v[i].weight * m->terms[b->v[i].term].centre;
    for (size_t i = 0; i < a->n; i++)
        m->terms[a->v[i].term].centre = 0;
    return sum > ALIKE;
}

static bool repeats(struct summary *m, const struct sentence *s)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].taken && are_alike(m, &m->v[i], s))
            return true;
    }
    return false;
}

/* The best not yet `seen`; of equals the first. */
static struct sentence *best(struct summary *m, const bool *seen)
{
    struct sentence *s = NULL;

    for (size_t i = 0; i < m->n; i++) {
        if (!seen[i] && (s == NULL || m->v[i].score > s->score))
            s = &m->v[i];
    }
    return s;
}

/* Scores are final: the terms' `centre` is free for comparing. */
static size_t choose(struct summary *m)
{
    bool seen[SUMMARY_READ_SENTENCES_MAX] = {false};
    size_t taken = 0, cp = 0;
    struct sentence *s;

    for (size_t i = 0; i < m->terms_n; i++)
        m->terms[i].centre = 0;
    while (taken < SUMMARY_SENTENCES_MAX && (s = best(m, seen)) != NULL) {
        size_t space = taken > 0;

        if (taken > 0 && s->score <= 0) /* nothing but stop words */
            break;
        seen[s - m->v] = true;
        if (cp + space + s->cp > SUMMARY_CHARS_MAX || repeats(m, s))
            continue;
        s->taken = true;
        cp += space + s->cp;
        taken++;
    }
    return taken;
}

/* The start of a sentence that is too long. */
static str cut_short(str s, struct arena *out)
{
    size_t n = utf8_advance(s, SUMMARY_CHARS_MAX - 1), word = n;

    while (word > 0 && s.p[word] != ' ')
        word--;
    /* Without a space nearby (Japanese, an address) it is cut where it is. */
    s = str_sub(s, 0, word > n / 2 ? word : n);
    return arena_fmt(out, STR_FMT "…", STR_ARG(s));
}

static str write(const struct summary *m, struct arena *out)
{
    struct buf b = {0};
    str text;

    for (size_t i = 0; i < m->n; i++) {
        if (!m->v[i].taken)
            continue;
        if (b.n > 0)
            buf_put_char(&b, ' ');
        buf_put(&b, m->v[i].text);
    }
    text = arena_str(out, buf_str(&b));
    buf_close(&b);
    return text;
}

str summary_make(const struct doc *d, struct arena *out)
{
    bool none[SUMMARY_READ_SENTENCES_MAX] = {false};
    struct arena *tmp = arena_open();
    struct summary *m = ARENA_NEW(tmp, struct summary);
    str text = STR_NONE;

    m->tmp = tmp;
    m->analyser = analyser_open();
    m->ids = map_open();
    sentences_read(m, d);
    weigh(m);
    score(m);
    if (choose(m) > 0)
        text = write(m, out);
    else if (m->n > 0)
        text = cut_short(best(m, none)->text, out);
    map_close(m->ids);
    analyser_close(m->analyser);
    arena_close(tmp);
    return text;
}
