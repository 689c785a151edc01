#include "lex/lex_priv.h"

struct word {
    struct token token; /* its term copied */
    size_t phrase;      /* number of the quoted part + 1; 0: outside */
};

struct words {
    struct word *v;
    size_t n, cap;
    size_t plain_n; /* neither stop word nor quoted */
    size_t quoted_n;
};

/* Where a reader of the text stands, and how many quote signs are behind. */
struct quotes {
    size_t at, behind, all;
};

/* The number (from 1) of the quoted part that holds byte `at`, which isn't
 * before the one asked last; 0: none. The last of an odd number of signs opens
 * nothing. */
static size_t phrase_at(struct quotes *q, str text, size_t at)
{
    for (; q->at < at; q->at++)
        q->behind += text.p[q->at] == '"';
    return q->behind % 2 == 0 || q->behind == q->all ? 0 : q->behind / 2 + 1;
}

static struct words words_of(struct analyser *a, str text, struct arena *out)
{
    struct quotes quotes = {0};
    struct words w = {0};
    struct word x;

    for (size_t i = 0; i < text.n; i++)
        quotes.all += text.p[i] == '"';
    analyser_begin(a, text);
    while (analyser_next(a, &x.token)) {
        if (x.token.term.n == 0)
            continue;
        x.token.term = arena_str(out, x.token.term);
        x.phrase = phrase_at(&quotes, text, x.token.start);
        w.quoted_n += x.phrase > 0;
        w.plain_n += x.phrase == 0 && !x.token.stop;
        ARENA_PUSH(out, w.v, w.n, w.cap, x);
    }
    return w;
}

/* Its index; QUERY_TERMS_MAX: there is no more room. */
static size_t term_add(struct lex_query *q, const struct word *w, str text,
                       struct arena *out)
{
    for (size_t i = 0; i < q->terms_n; i++)
        if (str_eq(q->terms[i].term, w->token.term)) {
            q->terms[i].times++;
            return i;
        }
    if (q->terms_n == QUERY_TERMS_MAX)
        return QUERY_TERMS_MAX;
    q->terms[q->terms_n] = (struct lex_term){
        .term = w->token.term,
        .word = arena_str(
            out, (str){text.p + w->token.start, w->token.end - w->token.start}),
        .times = 1,
    };
    return q->terms_n++;
}

/* The query as the heading it may be, behind its terms. */
static void heading_put(struct lex_query *q, const struct words *w, str text,
                        struct arena *out)
{
    size_t bare = heading_bare(text);
    struct heading_term whole = {.n = 0};

    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].token.start >= bare)
            heading_term_add(&whole, w->v[i].token.term);
    if (q->terms_n == 0 || q->terms_n == QUERY_TERMS_MAX || whole.n == 0)
        return;
    text = str_trim(str_sub(text, bare, text.n));
    q->terms[q->terms_n++] = (struct lex_term){
        .term = arena_str(out, (str){whole.bytes, whole.n}),
        .word = arena_fmt(out, "heading: " STR_FMT, STR_ARG(text)),
        .times = 1,
    };
}

void lex_query_parse(struct analyser *a, str text, struct arena *out,
                     struct lex_query *q)
{
    struct words w;
    size_t cap = 0, phrase = 0; /* phrase: the one at the list's end */
    bool stops_out;

    *q = (struct lex_query){0};
    text.n = text.n < QUERY_BYTES_MAX ? text.n : QUERY_BYTES_MAX;
    w = words_of(a, text, out);
    stops_out = w.n > 2 && w.plain_n + w.quoted_n > 0;
    for (size_t i = 0; i < w.n; i++) {
        struct lex_phrase *p;
        size_t term;

        if (w.v[i].phrase == 0 && w.v[i].token.stop && stops_out)
            continue;
        term = term_add(q, &w.v[i], text, out);
        if (term == QUERY_TERMS_MAX || w.v[i].phrase == 0)
            continue;
        if (w.v[i].phrase != phrase) {
            phrase = w.v[i].phrase;
            ARENA_PUSH(out, q->phrases, q->phrases_n, cap,
                       (struct lex_phrase){0});
        }
        p = &q->phrases[q->phrases_n - 1];
        if (p->n < QUERY_TERMS_MAX)
            p->terms[p->n++] = (uint32_t)term;
    }
    heading_put(q, &w, text, out);
}
