/*
 * analyse: text to the terms the inverted index knows.
 *
 * A token is a run of letters, marks and digits, folded (NFKC, case, accents);
 * a possessive 's is cut; words of plain letters get their English stem by
 * Snowball. Ideographs stand alone and in pairs, kana, Hangul and Thai in
 * pairs, an emoji for itself (docs/analysis.md).
 * Stop words stay tokens: they are flagged, indexed, and left out of queries
 * of more than two words by the query side.
 *
 * Owns:    term texts live in the sink's scratch: copy what must stay.
 * Units:   positions count tokens from 0; offsets are bytes of the input.
 * Threads: an analyser belongs to one thread; open one each.
 * Cost:    O(text); about 60 ns a token with the stem cache warm.
 */
#ifndef TEXT_ANALYSE_H
#define TEXT_ANALYSE_H

#include "base/arena.h"
#include "base/err.h"

/* Goes up when a change makes other terms of the same text: segments say
 * which one made them, and older ones are rebuilt. */
#define ANALYSER_VERSION 1

/* A term is at most this many bytes; longer tokens are cut there. */
#define TERM_BYTES_MAX 64

struct token {
    str term;          /* stemmed, folded; valid until the next token */
    uint32_t position; /* 0, 1, 2 … in this text */
    size_t start, end; /* bytes of the input it came from */
    bool stop;         /* a stop word */
    /* A number of the caller's that stays with the word while it is cached:
     * 0 when the word is new to the cache or analyser_forget came since. NULL:
     * the word is not cached. Valid until the next token. */
    uint32_t *memo;
};

struct analyser;
struct analyser *analyser_open(void);
void analyser_close(struct analyser *a); /* NULL is fine */
/* Every memo is 0 again: the caller's numbers mean nothing any more. */
void analyser_forget(struct analyser *a);
/* The memo of a word that comes soon, 0: not known. For the caller to have what
 * it keeps of that word at hand. */
uint32_t analyser_coming(const struct analyser *a);
/* Begins a text of valid UTF-8 (borrowed until the last token). */
void analyser_begin(struct analyser *a, str text);
bool analyser_next(struct analyser *a, struct token *t); /* false: the end */

#endif
