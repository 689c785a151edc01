/*
 * fold: texts that differ in letter case or in how a character is written
 * down, made one.
 *
 * Threads: pure.
 * Source:  Unicode 15, section 3.13, NFKC_Casefold.
 */
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include "base/buf.h"

/* Puts s folded behind what is there. Of what is no UTF-8 the ASCII letters
 * alone are folded. */
void fold_case(str s, struct buf *to);

#endif
