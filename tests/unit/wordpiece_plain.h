/* wordpiece_plain: the ids of a text by the rules as they stand in
 * docs/embedding.md, one after the other over the whole text; each piece is
 * looked up, longest first. What wordpiece.c does at once and by the memory
 * of words is pinned to this by tests and a fuzzer. */
#ifndef UNIT_WORDPIECE_PLAIN_H
#define UNIT_WORDPIECE_PLAIN_H

#include "base/arena.h"
#include "base/map.h"
#include "text/utf8.h"
#include "text/wordpiece.h"
#include "text/wordpiece_priv.h"

struct plain_text {
    uint32_t *cps;
    size_t n, cap;
};

static inline void plain_put(struct arena *a, struct plain_text *t, uint32_t cp)
{
    ARENA_PUSH(a, t->cps, t->n, t->cap, cp);
}

static inline struct plain_text plain_decode(struct arena *a, str text)
{
    struct plain_text t = {0};

    for (size_t at = 0; at < text.n;)
        plain_put(a, &t, utf8_next_any(text, &at));
    return t;
}

static inline struct plain_text plain_clean(struct arena *a,
                                            struct plain_text in)
{
    struct plain_text t = {0};

    for (size_t i = 0; i < in.n; i++) {
        if (!char_dropped(in.cps[i]))
            plain_put(a, &t, char_space(in.cps[i]) ? ' ' : in.cps[i]);
    }
    return t;
}

static inline struct plain_text plain_part_ideographs(struct arena *a,
                                                      struct plain_text in)
{
    struct plain_text t = {0};

    for (size_t i = 0; i < in.n; i++) {
        bool apart = char_ideograph(in.cps[i]);

        if (apart)
            plain_put(a, &t, ' ');
        plain_put(a, &t, in.cps[i]);
        if (apart)
            plain_put(a, &t, ' ');
    }
    return t;
}

/* Decomposes, puts marks in order by exchanging neighbours, drops accents. */
static inline struct plain_text plain_strip(struct arena *a,
                                            struct plain_text in)
{
    struct plain_text t = {0}, kept = {0};
    bool moved = true;

    for (size_t i = 0; i < in.n; i++) {
        uint32_t parts[CHAR_PARTS_MAX];
        size_t n = char_decompose(in.cps[i], parts);

        for (size_t k = 0; k < n; k++)
            plain_put(a, &t, parts[k]);
    }
    while (moved) {
        moved = false;
        for (size_t i = 1; i < t.n; i++) {
            uint32_t here = t.cps[i];

            if (char_order(here) == 0 ||
                char_order(t.cps[i - 1]) <= char_order(here))
                continue;
            t.cps[i] = t.cps[i - 1];
            t.cps[i - 1] = here;
            moved = true;
        }
    }
    for (size_t i = 0; i < t.n; i++) {
        if (!char_accent(t.cps[i]))
            plain_put(a, &kept, t.cps[i]);
    }
    return kept;
}

static inline struct plain_text plain_lower(struct arena *a,
                                            struct plain_text in)
{
    struct plain_text t = {0};

    for (size_t i = 0; i < in.n; i++) {
        uint32_t lower[CHAR_LOWER_MAX];
        size_t n = char_lower(in.cps[i], lower);

        for (size_t k = 0; k < n; k++)
            plain_put(a, &t, lower[k]);
    }
    return t;
}

/* The tokens that have text, with their ids; the caller closes it. */
static inline struct map *plain_tokens(const struct vocab_opts *o)
{
    struct map *m = map_open();

    for (size_t i = 0; i < o->tokens_n; i++) {
        if (o->tokens[i].n > 0)
            *map_slot(m, o->tokens[i], NULL) = i;
    }
    return m;
}

static inline uint32_t plain_unknown(const struct map *tokens)
{
    const uint64_t *id = map_find(tokens, STR("[UNK]"));

    ASSERT(id != NULL);
    return (uint32_t)*id;
}

static inline void plain_word(struct arena *a, const struct vocab_opts *o,
                              const struct map *tokens, const uint32_t *cps,
                              size_t n, struct plain_text *ids)
{
    size_t before = ids->n, at = 0;
    size_t *starts = ARENA_ARRAY(a, size_t, n + 1);
    char *bytes = ARENA_ARRAY(a, char, 4 * n + 2);

    if (n > (o->word_chars_max == 0 ? 100 : o->word_chars_max)) {
        plain_put(a, ids, plain_unknown(tokens));
        return;
    }
    starts[0] = 2;
    for (size_t i = 0; i < n; i++)
        starts[i + 1] = starts[i] + utf8_encode(bytes + starts[i], cps[i]);
    while (at < n) {
        const uint64_t *id = NULL;
        size_t from = starts[at], end = n;

        if (at > 0) { /* what stands there has been read */
            from -= 2;
            memcpy(bytes + from, "##", 2);
        }
        for (; end > at; end--) {
            id = map_find(tokens, (str){bytes + from, starts[end] - from});
            if (id != NULL)
                break;
        }
        if (id == NULL) {
            ids->n = before;
            plain_put(a, ids, plain_unknown(tokens));
            return;
        }
        plain_put(a, ids, (uint32_t)*id);
        at = end;
    }
}

/* The ids of text (as .cps). The special tokens must have their usual names. */
static inline struct plain_text plain_ids(struct arena *a,
                                          const struct vocab_opts *o,
                                          const struct map *tokens, str text)
{
    struct plain_text t = plain_decode(a, text), ids = {0};
    size_t start = 0;

    if (o->clean)
        t = plain_clean(a, t);
    if (o->ideographs_apart)
        t = plain_part_ideographs(a, t);
    if (o->strip_accents)
        t = plain_strip(a, t);
    if (o->lowercase)
        t = plain_lower(a, t);
    for (size_t i = 0; i <= t.n; i++) {
        bool space = i == t.n || char_space(t.cps[i]);

        if (!space && !char_punctuation(t.cps[i]))
            continue;
        if (i > start)
            plain_word(a, o, tokens, t.cps + start, i - start, &ids);
        if (!space)
            plain_word(a, o, tokens, t.cps + i, 1, &ids);
        start = i + 1;
    }
    return ids;
}

#endif
