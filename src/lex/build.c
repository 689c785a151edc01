#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "lex/lex_priv.h"

/*
 * Inversion in memory. Each term keeps one chain of bytes that grows in slices
 * of doubling size (Büttcher, Clarke and Cormack 2010, section 4.5.1), all cut
 * from common pages: no allocation a term or a posting. A row is gathered
 * first (its tokens linked by term), then each of its terms gets one record:
 *
 *   varints: gap << 2 | kind, [tf, [ctx]], then the positions' gaps
 *
 * which is what write.c stores, so writing decodes each chain once. Memory
 * that can't be had sticks: adding goes on without effect, writing says so.
 */
#define PAGE_BYTES ((uint32_t)64 << 10)
#define PAGES_MAX ((uint32_t)(UINT32_MAX / PAGE_BYTES))
#define SLICE_BYTES_MIN 16
#define SLICE_LEVEL_MAX 8 /* 16 << 8 = 4 KiB */
#define LINK_BYTES 4      /* at a slice's end: where the next begins */

#define TEXT_HERE 22 /* bytes: makes struct term 64 long */

struct term {
    uint32_t head, at, end; /* chain: first slice, next byte, payload end */
    uint32_t bytes;         /* in the chain */
    uint32_t df, last_row;
    uint32_t row_stamp; /* row + 1 whose tokens are linked now */
    uint32_t first, last_token;
    uint32_t text; /* place in pages of a text longer than TEXT_HERE */
    uint8_t text_n, level;
    char here[TEXT_HERE]; /* the text, or its beginning: one cache miss less */
};

static_assert(sizeof(struct term) == 64, "a cache line");

struct slot {
    uint32_t hash, term; /* term + 1; 0: free */
};

struct row_token {
    uint32_t position, next; /* next of the same term + 1; 0: none */
};

/* A context and its tokens: rows in a row mostly have the same. */
struct context {
    struct buf text;
    struct context_token {
        uint32_t term, position;
    } * tokens;
    uint32_t n, cap;
    bool known;
};

struct lex_builder {
    rc code;                         /* sticks */
    struct analyser *analyser, *own; /* own: to be closed */
    uint64_t key[2];
    uint8_t **pages;
    size_t pages_n, pages_cap;
    uint32_t page_used; /* of the last */
    struct term *terms;
    size_t terms_n, terms_cap;
    struct slot *slots;
    size_t slots_n; /* a power of two */
    uint8_t *norms;
    uint32_t rows, norms_cap;
    struct context context; /* of the row before */
    /* the row being added */
    struct row_token *tokens;
    uint32_t tokens_n, tokens_cap, context_tokens, wholes_n;
    uint32_t *row_terms;
    uint32_t row_terms_n, row_terms_cap;
};

struct lex_builder *lex_builder_open(struct analyser *shared)
{
    struct lex_builder *b = mem_alloc(sizeof *b);

    rng_bytes(b->key, sizeof b->key);
    b->own = shared == NULL ? analyser_open() : NULL;
    b->analyser = shared == NULL ? b->own : shared;
    analyser_forget(b->analyser);
    return b;
}

void lex_builder_close(struct lex_builder *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->pages_n; i++)
        mem_free(b->pages[i]);
    mem_free(b->pages);
    mem_free(b->terms);
    mem_free(b->slots);
    mem_free(b->norms);
    buf_close(&b->context.text);
    mem_free(b->context.tokens);
    mem_free(b->tokens);
    mem_free(b->row_terms);
    analyser_close(b->own);
    mem_free(b);
}

uint32_t lex_builder_rows(const struct lex_builder *b)
{
    return b->rows;
}

size_t lex_builder_bytes(const struct lex_builder *b)
{
    return b->pages_n * PAGE_BYTES + b->pages_cap * sizeof *b->pages +
           b->terms_cap * sizeof *b->terms + b->slots_n * sizeof *b->slots +
           b->norms_cap + b->context.text.cap +
           b->context.cap * sizeof *b->context.tokens +
           b->tokens_cap * sizeof *b->tokens +
           b->row_terms_cap * sizeof *b->row_terms;
}

/* Room for one more of `size` bytes in v; false: the builder failed. */
static bool grow(struct lex_builder *b, void *v, size_t n, size_t *cap,
                 size_t size)
{
    size_t more = *cap < 64 ? 64 : *cap * 2;
    void *p;

    if (n < *cap)
        return true;
    memcpy(&p, v, sizeof p); /* v points to a pointer of any type */
    p = mem_try_resize(p, more * size);
    if (p == NULL) {
        b->code = RC_NOMEM;
        return false;
    }
    memcpy(v, &p, sizeof p);
    *cap = more;
    return true;
}

static bool grow32(struct lex_builder *b, void *v, uint32_t n, uint32_t *cap,
                   size_t size)
{
    size_t wide = *cap;
    bool done = grow(b, v, n, &wide, size);

    *cap = (uint32_t)wide;
    return done;
}

/* ---- pages ---- */

static uint8_t *place(const struct lex_builder *b, uint32_t at)
{
    return b->pages[at / PAGE_BYTES] + at % PAGE_BYTES;
}

/* n bytes on one page; UINT32_MAX: the builder failed. */
static uint32_t take(struct lex_builder *b, uint32_t n)
{
    uint32_t at;

    if (b->pages_n == 0 || b->page_used + n > PAGE_BYTES) {
        if (b->pages_n == PAGES_MAX) {
            b->code = RC_LIMIT;
            return UINT32_MAX;
        }
        if (!grow(b, &b->pages, b->pages_n, &b->pages_cap, sizeof *b->pages))
            return UINT32_MAX;
        b->pages[b->pages_n] = mem_try(PAGE_BYTES);
        if (b->pages[b->pages_n] == NULL) {
            b->code = RC_NOMEM;
            return UINT32_MAX;
        }
        b->pages_n++;
        b->page_used = 0;
    }
    at = (uint32_t)(b->pages_n - 1) * PAGE_BYTES + b->page_used;
    b->page_used += n;
    return at;
}

/* ---- chains ---- */

static bool slice_begin(struct lex_builder *b, struct term *t)
{
    bool first = t->bytes == 0;
    uint8_t level =
        first ? 0 : (uint8_t)(t->level + (t->level < SLICE_LEVEL_MAX ? 1 : 0));
    uint32_t n = (uint32_t)SLICE_BYTES_MIN << level;
    uint32_t at = take(b, n);

    if (at == UINT32_MAX)
        return false;
    if (first)
        t->head = at;
    else
        memcpy(place(b, t->end), &at, sizeof at);
    t->level = level;
    t->at = at;
    t->end = at + n - LINK_BYTES;
    return true;
}

/* Most records are no longer than this: one copy without a call. What of it
 * is behind the record's end is written over by the next. */
#define RECORD_BYTES_USUAL 16

/* n bytes of p, which has room for RECORD_BYTES_USUAL. */
static bool chain_put(struct lex_builder *b, struct term *t, const uint8_t *p,
                      size_t n)
{
    if (n <= RECORD_BYTES_USUAL && t->end - t->at >= RECORD_BYTES_USUAL) {
        memcpy(place(b, t->at), p, RECORD_BYTES_USUAL);
        t->at += (uint32_t)n;
        t->bytes += (uint32_t)n;
        return true;
    }
    while (n > 0) {
        size_t part;

        if (t->at == t->end && !slice_begin(b, t))
            return false;
        part = t->end - t->at < n ? t->end - t->at : n;
        memcpy(place(b, t->at), p, part);
        t->at += (uint32_t)part;
        t->bytes += (uint32_t)part;
        p += part;
        n -= part;
    }
    return true;
}

/* In steps without a call: slices are multiples of them, with their links. */
#define STEP_BYTES 16
static_assert(SLICE_BYTES_MIN % STEP_BYTES == 0, "a slice is whole steps");

/* `to` has room for STEP_BYTES more. */
static void chain_copy(const struct lex_builder *b, const struct term *t,
                       uint8_t *to)
{
    uint32_t at = t->head, left = t->bytes;

    for (unsigned level = 0; left > 0;
         level += level < SLICE_LEVEL_MAX ? 1 : 0) {
        uint32_t payload = ((uint32_t)SLICE_BYTES_MIN << level) - LINK_BYTES;
        uint32_t part = left < payload ? left : payload;

        for (uint32_t i = 0; i < part; i += STEP_BYTES)
            memcpy(to + i, place(b, at) + i, STEP_BYTES);
        to += part;
        left -= part;
        at = load_u32(place(b, at) + payload);
    }
}

/* ---- terms ---- */

static bool slots_double(struct lex_builder *b)
{
    size_t n = b->slots_n == 0 ? 1024 : b->slots_n * 2;
    struct slot *slots = mem_try(n * sizeof *slots);

    if (slots == NULL) {
        b->code = RC_NOMEM;
        return false;
    }
    for (size_t i = 0; i < b->slots_n; i++) {
        size_t at = b->slots[i].hash & (n - 1);

        if (b->slots[i].term == 0)
            continue;
        while (slots[at].term != 0)
            at = (at + 1) & (n - 1);
        slots[at] = b->slots[i];
    }
    mem_free(b->slots);
    b->slots = slots;
    b->slots_n = n;
    return true;
}

static str term_text(const struct lex_builder *b, const struct term *t)
{
    return (str){t->text_n <= TEXT_HERE ? t->here
                                        : (const char *)place(b, t->text),
                 t->text_n};
}

static struct term *term_make(struct lex_builder *b, str text)
{
    struct term t = {.text_n = (uint8_t)text.n};

    if (!grow(b, &b->terms, b->terms_n, &b->terms_cap, sizeof *b->terms))
        return NULL;
    memcpy(t.here, text.p, text.n < TEXT_HERE ? text.n : TEXT_HERE);
    if (text.n > TEXT_HERE) {
        t.text = take(b, (uint32_t)text.n);
        if (t.text == UINT32_MAX)
            return NULL;
        memcpy(place(b, t.text), text.p, text.n);
    }
    b->terms[b->terms_n] = t;
    return &b->terms[b->terms_n++];
}

/* The term of this text, made if new; NULL: the builder failed. */
static struct term *term_of(struct lex_builder *b, str text)
{
    /* Keyed, so that chosen words don't pile up in one place. */
    uint32_t hash = (uint32_t)siphash13(b->key, text.p, text.n);
    struct term *t;
    size_t at;

    if (b->terms_n >= b->slots_n / 2 && !slots_double(b))
        return NULL;
    at = hash & (b->slots_n - 1);
    for (; b->slots[at].term != 0; at = (at + 1) & (b->slots_n - 1)) {
        if (b->slots[at].hash != hash)
            continue;
        t = &b->terms[b->slots[at].term - 1];
        if (str_eq(term_text(b, t), text))
            return t;
    }
    t = term_make(b, text);
    if (t != NULL)
        b->slots[at] = (struct slot){hash, (uint32_t)b->terms_n};
    return t;
}

/* ---- rows ---- */

/* The term of a token. What the analyser has cached of the word knows its
 * number; only the first of a word is looked up. */
static struct term *term_of_token(struct lex_builder *b, const struct token *t)
{
    struct term *term;

    if (t->memo != NULL && *t->memo != 0)
        return &b->terms[*t->memo - 1];
    term = term_of(b, t->term);
    if (term != NULL && t->memo != NULL)
        *t->memo = (uint32_t)(term - b->terms) + 1;
    return term;
}

static bool term_add(struct lex_builder *b, struct term *t, uint32_t position)
{
    if (t == NULL ||
        (b->tokens_n == b->tokens_cap &&
         !grow32(b, &b->tokens, b->tokens_n, &b->tokens_cap,
                 sizeof *b->tokens)) ||
        (b->row_terms_n == b->row_terms_cap &&
         !grow32(b, &b->row_terms, b->row_terms_n, &b->row_terms_cap,
                 sizeof *b->row_terms)))
        return false;
    b->tokens[b->tokens_n++] = (struct row_token){position, 0};
    if (t->row_stamp != b->rows + 1) {
        t->row_stamp = b->rows + 1;
        t->first = b->tokens_n - 1;
        b->row_terms[b->row_terms_n++] = (uint32_t)(t - b->terms);
    } else {
        b->tokens[t->last_token].next = b->tokens_n;
    }
    t->last_token = b->tokens_n - 1;
    return true;
}

static bool text_add(struct lex_builder *b, str text, uint32_t first_position)
{
    struct token token;

    analyser_begin(b->analyser, text);
    while (b->tokens_n < ROW_TOKENS_MAX && analyser_next(b->analyser, &token)) {
        uint32_t coming = analyser_coming(b->analyser);

        if (coming != 0)
            __builtin_prefetch(&b->terms[coming - 1], 1);
        if (token.position < ROW_TOKENS_MAX && token.term.n > 0 &&
            !term_add(b, term_of_token(b, &token),
                      first_position + token.position))
            return false;
    }
    return true;
}

static bool context_read(struct lex_builder *b, str context)
{
    struct context *c = &b->context;
    struct token token;

    c->known = false;
    c->n = 0;
    buf_clear(&c->text);
    buf_put(&c->text, context);
    analyser_begin(b->analyser, context);
    while (c->n < ROW_TOKENS_MAX && analyser_next(b->analyser, &token)) {
        struct term *t;

        if (token.position >= ROW_TOKENS_MAX || token.term.n == 0)
            continue;
        t = term_of_token(b, &token);
        if (t == NULL ||
            (c->n == c->cap &&
             !grow32(b, &c->tokens, c->n, &c->cap, sizeof *c->tokens)))
            return false;
        c->tokens[c->n++] =
            (struct context_token){(uint32_t)(t - b->terms), token.position};
    }
    if (b->code == RC_OK)
        b->code = c->text.code;
    c->known = b->code == RC_OK;
    return c->known;
}

static bool context_add(struct lex_builder *b, str context)
{
    struct context *c = &b->context;

    if ((!c->known || !str_eq(buf_str(&c->text), context)) &&
        !context_read(b, context))
        return false;
    for (uint32_t i = 0; i < c->n; i++)
        if (!term_add(b, &b->terms[c->tokens[i].term], c->tokens[i].position))
            return false;
    return true;
}

/* The position behind the row's tokens, one left out: that keeps phrases from
 * reaching across. */
static uint32_t position_next(const struct lex_builder *b)
{
    return b->tokens_n == 0 ? 0 : b->tokens[b->tokens_n - 1].position + 2;
}

/* Its words, if they count, and the term of the whole. */
static bool heading_add(struct lex_builder *b, str heading, bool words)
{
    uint32_t first = position_next(b);
    size_t bare = heading_bare(heading);
    struct heading_term whole = {.n = 0};
    struct token token;

    analyser_begin(b->analyser, heading);
    while (b->tokens_n < ROW_TOKENS_MAX && analyser_next(b->analyser, &token)) {
        if (token.start >= bare)
            heading_term_add(&whole, token.term);
        if (words && token.term.n > 0 &&
            !term_add(b, term_of_token(b, &token), first + token.position))
            return false;
    }
    if (whole.n == 0)
        return true;
    b->wholes_n++;
    return term_add(b, term_of(b, (str){whole.bytes, whole.n}),
                    position_next(b));
}

/* The same as record_put's of a term that is once in the row, and in its body:
 * most are. */
static bool record_put_one(struct lex_builder *b, struct term *t, uint32_t gap)
{
    uint8_t bytes[RECORD_BYTES_USUAL], *p = bytes;

    p = varint_put(p, gap << 2);
    p = varint_put(p, b->tokens[t->first].position);
    return chain_put(b, t, bytes, (size_t)(p - bytes));
}

/* The record of one term of the row, of at most 15 + 5 * occurrences bytes. */
static bool record_put(struct lex_builder *b, struct term *t, uint32_t gap)
{
    uint8_t bytes[512], *p = bytes;
    uint32_t all = 0, ctx = 0, last = 0, i = t->first + 1, tf;

    for (uint32_t k = i; k != 0; k = b->tokens[k - 1].next) {
        all++;
        ctx += k <= b->context_tokens;
    }
    tf = all + (LEX_CONTEXT_WEIGHT - 1) * ctx;
    p = varint_put(p, gap << 2 | (ctx > 0 ? 2 : tf > 1));
    if (tf > 1 || ctx > 0)
        p = varint_put(p, tf);
    if (ctx > 0)
        p = varint_put(p, ctx);
    for (uint32_t k = i; k != 0; k = b->tokens[k - 1].next) {
        uint32_t position = b->tokens[k - 1].position;

        p = varint_put(p, k == i ? position : position - last - 1);
        last = position;
        if (p > bytes + sizeof bytes - 5) {
            if (!chain_put(b, t, bytes, (size_t)(p - bytes)))
                return false;
            p = bytes;
        }
    }
    return chain_put(b, t, bytes, (size_t)(p - bytes));
}

static bool term_put(struct lex_builder *b, struct term *t)
{
    uint32_t gap = t->df == 0 ? b->rows : b->rows - t->last_row - 1;
    bool once = t->first == t->last_token && t->first >= b->context_tokens;

    t->df++;
    t->last_row = b->rows;
    return once ? record_put_one(b, t, gap) : record_put(b, t, gap);
}

/* Records go to as many places as there are terms: each is fetched this many
 * records before it is written. */
#define RECORDS_AHEAD 6

static void tail_prefetch(const struct lex_builder *b, const struct term *t)
{
    if (t->at < t->end)
        __builtin_prefetch(place(b, t->at), 1);
}

static bool row_gather(struct lex_builder *b, const struct lex_row *row)
{
    b->tokens_n = 0;
    b->row_terms_n = 0;
    b->wholes_n = 0;
    if (!context_add(b, row->context) || !heading_add(b, row->title, false))
        return false;
    for (size_t i = 0; i < row->begins_n && b->tokens_n < ROW_TOKENS_MAX; i++)
        if (!heading_add(b, row->begins[i], true))
            return false;
    b->context_tokens = b->tokens_n;
    return text_add(b, row->body, position_next(b));
}

void lex_builder_add(struct lex_builder *b, const struct lex_row *row)
{
    uint32_t length;

    if (b->code == RC_OK && b->rows == LEX_ROWS_MAX)
        b->code = RC_LIMIT;
    if (b->code != RC_OK || !grow32(b, &b->norms, b->rows, &b->norms_cap, 1) ||
        !row_gather(b, row))
        return;
    for (uint32_t i = 0; i < b->row_terms_n; i++) {
        if (i + RECORDS_AHEAD < b->row_terms_n)
            tail_prefetch(b, &b->terms[b->row_terms[i + RECORDS_AHEAD]]);
        if (!term_put(b, &b->terms[b->row_terms[i]]))
            return;
    }
    /* Wholes are no words: they make a row no longer. */
    length = b->tokens_n + (LEX_CONTEXT_WEIGHT - 1) * b->context_tokens -
             LEX_CONTEXT_WEIGHT * b->wholes_n;
    b->norms[b->rows] =
        norm_of(row->listing ? length * LEX_LISTING_STRETCH : length);
    b->rows++;
}

/* ---- writing ---- */

struct sort_term {
    uint64_t head; /* its first 8 bytes, as a number that sorts alike */
    const char *text;
    uint32_t text_n, term;
};

static int compare_terms(const void *a, const void *b)
{
    const struct sort_term *x = a, *y = b;

    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return str_cmp((str){x->text, x->text_n}, (str){y->text, y->text_n});
}

/* By their first two bytes into as many buckets, then each of those: v's n
 * terms to `to`. */
#define BUCKETS ((size_t)1 << 16)
static void sort_terms(const struct sort_term *v, size_t n, uint32_t *ends,
                       struct sort_term *to)
{
    uint32_t sum = 0, start = 0;

    memset(ends, 0, BUCKETS * sizeof *ends);
    for (size_t i = 0; i < n; i++)
        ends[v[i].head >> 48]++;
    for (size_t i = 0; i < BUCKETS; i++) { /* where each begins */
        uint32_t more = ends[i];

        ends[i] = sum;
        sum += more;
    }
    for (size_t i = 0; i < n; i++)
        to[ends[v[i].head >> 48]++] = v[i];
    for (size_t i = 0; i < BUCKETS; start = ends[i++])
        if (ends[i] - start > 1)
            qsort(to + start, ends[i] - start, sizeof *to, compare_terms);
}

static struct sort_term *terms_sorted(const struct lex_builder *b)
{
    struct sort_term *v = mem_try((b->terms_n + 1) * sizeof *v);
    struct sort_term *sorted = mem_try((b->terms_n + 1) * sizeof *v);
    uint32_t *ends = mem_try(BUCKETS * sizeof *ends);

    if (v == NULL || sorted == NULL || ends == NULL) {
        mem_free(sorted);
        sorted = NULL;
        goto done;
    }
    for (size_t i = 0; i < b->terms_n; i++) {
        str text = term_text(b, &b->terms[i]);
        uint64_t head = 0;

        v[i].text = text.p;
        v[i].text_n = (uint32_t)text.n;
        v[i].term = (uint32_t)i;
        memcpy(&head, text.p, text.n < 8 ? text.n : 8);
        v[i].head = __builtin_bswap64(head);
    }
    sort_terms(v, b->terms_n, ends, sorted);
done:
    mem_free(v);
    mem_free(ends);
    return sorted;
}

/* Our own bytes: what chain_copy gives is what record_put put. */
static void decode(const struct term *t, const uint8_t *p, struct postings *l)
{
    const uint8_t *end = p + t->bytes;
    uint32_t row = UINT32_MAX, v = 0;

    l->n = 0;
    l->pos_n = 0;
    for (; l->n < t->df; l->n++) {
        uint32_t *tf = &l->tf[l->n], *ctx = &l->ctx[l->n];
        bool sound = varint_get(&p, end, &v);

        *tf = 1;
        *ctx = 0;
        row += (v >> 2) + 1;
        l->row[l->n] = row;
        if ((v & 3) > 0)
            sound = sound && varint_get(&p, end, tf);
        if ((v & 3) > 1)
            sound = sound && varint_get(&p, end, ctx);
        for (uint32_t k = occurrences(*tf, *ctx); k > 0; k--)
            sound = sound && varint_get(&p, end, &l->pos[l->pos_n++]);
        ASSERT(sound);
    }
}

static rc term_read(const struct lex_builder *b, const struct term *t,
                    struct buf *chain, struct postings *l, struct err *e)
{
    uint8_t *p;
    rc code = postings_room(l, t->df, t->bytes, e);

    if (code != RC_OK)
        return code;
    buf_clear(chain);
    p = (uint8_t *)buf_reserve(chain, t->bytes + STEP_BYTES);
    if (p == NULL)
        return buf_end(chain, e);
    chain_copy(b, t, p);
    decode(t, p, l);
    return RC_OK;
}

/* Terms stand where they came first, their chains all over the pages: both are
 * fetched so many terms before they are written. (gcc takes a function that
 * fetches and does nothing else for one without effect, unless it is inline.) */
#define TERMS_AHEAD 8

static inline __attribute__((always_inline)) void terms_prefetch(
    const struct lex_builder *b, const struct sort_term *v, size_t i)
{
    if (i + (size_t)2 * TERMS_AHEAD < b->terms_n)
        __builtin_prefetch(&b->terms[v[i + (size_t)2 * TERMS_AHEAD].term]);
    if (i + TERMS_AHEAD < b->terms_n)
        __builtin_prefetch(place(b, b->terms[v[i + TERMS_AHEAD].term].head));
}

#define SLICE_PAYLOAD_MIN (SLICE_BYTES_MIN - LINK_BYTES)

static rc terms_write(const struct lex_builder *b, const struct sort_term *v,
                      struct lex_out *o, struct err *e)
{
    struct postings l = {0};
    struct buf chain = {0};
    rc code = RC_OK;

    for (size_t i = 0; i < b->terms_n && code == RC_OK; i++) {
        const struct term *t = &b->terms[v[i].term];
        str text = {v[i].text, v[i].text_n};

        terms_prefetch(b, v, i);
        if (t->df == 1 && t->bytes <= SLICE_PAYLOAD_MIN) { /* most of them */
            code = lex_out_record(
                o, text, (str){(char *)place(b, t->head), t->bytes}, e);
            continue;
        }
        l.n = l.pos_n = 0;
        code = term_read(b, t, &chain, &l, e);
        if (code == RC_OK)
            code = lex_out_term(o, text, &l, e);
    }
    buf_close(&chain);
    postings_close(&l);
    return code;
}

rc lex_builder_write(struct lex_builder *b, struct seg_writer *w, struct err *e)
{
    struct sort_term *v;
    struct lex_out *o = NULL;
    rc code;

    if (b->code != RC_OK)
        return err_set(e, b->code, "the index of %u rows is too large",
                       (unsigned)b->rows);
    v = terms_sorted(b);
    if (v == NULL)
        return err_set(e, RC_NOMEM, "no memory to sort %zu terms", b->terms_n);
    code = lex_out_open(w, b->norms, b->rows, &o, e);
    if (code == RC_OK)
        code = terms_write(b, v, o, e);
    if (code == RC_OK)
        code = lex_out_end(o, e);
    lex_out_close(o);
    mem_free(v);
    return code;
}
