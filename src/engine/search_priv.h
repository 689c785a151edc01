/*
 * search_priv: a search under way, and what it looks at.
 *
 * Owns:    a search its views, until views_let_go; the rest lies in its arenas.
 * Threads: a search belongs to one.
 */
#ifndef ENGINE_SEARCH_PRIV_H
#define ENGINE_SEARCH_PRIV_H

#include "engine/engine_priv.h"

/* One segment as a search sees it: its rows and their states at one moment of
 * the base. */
struct view {
    struct segment *s;
    uint64_t *live;          /* NULL: every row */
    uint8_t *state;          /* with pins */
    struct vectors *vectors; /* of its base; NULL: it has none for this query */
    struct places *places;   /* in vectors */
};

enum { LEXICAL, DENSE, LEGS_N };

/* A chunk that a leg offers, or both. */
struct found {
    float score; /* of the list it is in */
    float below; /* of equal scores: what scaling cut off at its lower bound;
                    by ranks, what scaling would make of the chunk */
    uint32_t view, row;
    const struct version_rec *v;
    uint32_t index; /* of the chunk in its version */
    struct {
        bool known; /* raw is */
        float raw, normalized, contribution;
        uint32_t rank; /* 0: not offered */
    } leg[LEGS_N];
    /* The better similarity of the chunks before and behind it, where both
     * legs count; and whether it made the score. */
    bool beside_known, beside_made;
    float beside;
};

struct list {
    struct found *v; /* best first */
    size_t n;
};

struct search {
    struct engine *g;
    struct db *db;
    const struct caller *who;
    const struct engine_query *q;
    struct arena *out, *tmp;
    struct view *views;
    size_t views_n, views_cap;
    struct engine_pin *pins; /* by document */
    uuid *only;              /* ascending */
    struct lex_query words;
    struct lex_stats stats;
    struct vec_query *vector; /* NULL: no dense leg */
    float weight[LEGS_N], low[LEGS_N], best[LEGS_N];
    struct list legs[LEGS_N];
    struct list found; /* what is answered */
    int64_t mark_ns;
    struct engine_result *res;
};

/* RC_TIMEOUT, RC_CANCELLED: nobody waits for it any more. */
rc search_gone(const struct caller *who, struct err *e) MUST_CHECK;

/* The k-th of n, counted from 0, by moving no more of v than that needs: FIND
 * (Hoare 1961). */
float nth_of(float *v, ptrdiff_t n, ptrdiff_t k);

/* views.c: the segments of the bases asked, all at one moment. pins and only
 * are in order before. */
void pins_sort(struct search *s);
void only_sort(struct search *s);
rc views_make(struct search *s, struct err *e) MUST_CHECK;
void views_let_go(struct search *s);

#endif
