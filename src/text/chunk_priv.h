/* What the files of chunk share: counting tokens, and cutting blocks to the
 * atoms a chunk is made of. */
#ifndef TEXT_CHUNK_PRIV_H
#define TEXT_CHUNK_PRIV_H

#include "text/chunk.h"

/* Costs are in hundredths of a token, so that sums stay exact. */
#define COST_TOKEN 100u

/* What a character of a long run may cost. */
#define RUN_CHAR_COST_MAX 55u

/* A stretch of text that counts as one: letters, digits or a single sign. */
struct run {
    size_t start, end;
    uint64_t cost;
    uint64_t gap; /* cost of the white space before it */
    bool spaced;  /* white space stands before it */
    bool apart; /* may be parted from its neighbours: an ideograph, Thai … */
};
/* The next run of s from *at on; false: none is left. */
bool run_next(str s, size_t *at, struct run *r);
/* Costs of all runs of s from `at` on with the gaps before them; past cost_max
 * it stops counting. */
uint64_t runs_cost(str s, size_t at, uint64_t cost_max);
/* The same as the counter says (NULL: the rule), but for a text of far more
 * bytes than tokens: that costs at least what the rule says, so that a chunk
 * stays short enough to show. */
uint64_t text_cost(const struct chunk_counter *c, str s, size_t at,
                   uint64_t cost_max);
/* What n bytes of white space cost: nothing, until they are so many that they
 * would make a chunk of almost no words too long to show. */
#define GAP_BYTES_FREE 64
uint64_t gap_cost_long(size_t n); /* of more than that */
static inline uint64_t gap_cost(size_t n)
{
    return n <= GAP_BYTES_FREE ? 0 : gap_cost_long(n);
}

/* How good a place to cut stands before an atom, best first. */
enum cut {
    CUT_SECTION, /* another section: heading of level 1 or 2, a listing */
    CUT_HEADING,
    CUT_BLOCK,
    CUT_ITEM,
    CUT_NESTED_ITEM,
    CUT_ROW,
    CUT_LINE,
    CUT_SENTENCE,
    CUT_WRAP, /* end of a line in the middle of a sentence */
    CUT_WORD,
    CUT_INTRO, /* before a list or table that a line with a : announces */
    CUT_NEVER, /* right behind a heading */
    CUT_COUNT
};

/* Where the sentence that starts at s.p[at] ends; *cut is what stands behind:
 * CUT_SENTENCE, or at the end of a long line CUT_WRAP. */
size_t sentence_end(str s, size_t at, enum cut *cut);

/* A piece of a block that is not cut further: a sentence, a row, a line, or
 * part of one that is over the limit alone. */
struct atom {
    uint32_t start, end; /* bytes of doc.text */
    uint32_t block;
    enum cut cut;
    uint64_t cost;
    bool rough; /* chunk_tokens may count less */
};

struct atoms {
    struct arena *out;
    struct atom *v;
    size_t n, cap;
    const struct chunk_counter *counter; /* NULL: the rule */
    uint64_t cost_max;                   /* of one atom */
    uint64_t cost_small;                 /* neighbours of less are joined */
};
/* Adds the atoms of block i. */
void atoms_add(struct atoms *to, const struct doc *d, uint32_t i);

#endif
