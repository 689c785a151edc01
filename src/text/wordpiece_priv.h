/* What the files of wordpiece share: code points as the reference sees them.
 * Its tables are of several versions of Unicode; where those differ from
 * utf8proc's stands in wordpiece_chars.c. */
#ifndef TEXT_WORDPIECE_PRIV_H
#define TEXT_WORDPIECE_PRIV_H

#include "base/str.h"

/* Dropped when text is cleaned; asked before char_space. */
bool char_dropped(uint32_t cp);
bool char_space(uint32_t cp);       /* parts words and is gone */
bool char_punctuation(uint32_t cp); /* a word of its own */
bool char_ideograph(uint32_t cp);   /* so is this, where they are set apart */
bool char_accent(uint32_t cp);      /* a mark that takes no space of its own */
/* Canonical combining class: 0 for all but some marks. */
unsigned char_order(uint32_t cp);
/* The whole canonical decomposition, the code point itself where it has none;
 * how many were written. */
#define CHAR_PARTS_MAX 4
size_t char_decompose(uint32_t cp, uint32_t parts[CHAR_PARTS_MAX]);
/* Lower case, code point by code point: no word is looked at. */
#define CHAR_LOWER_MAX 2
size_t char_lower(uint32_t cp, uint32_t lower[CHAR_LOWER_MAX]);

#endif
