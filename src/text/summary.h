/*
 * summary: the few sentences that say best what a document is about, taken out
 * of it as they stand.
 *
 * Each sentence is a vector of its stems, weighted by how often it has them and
 * how few other sentences do; those nearest to the mean of all are taken
 * (docs/analysis.md, "Summaries").
 *
 * Owns:    the summary lives in `out`.
 * Units:   SUMMARY_CHARS_MAX in code points.
 * Errors:  none; STR_NONE where no sentence has three words.
 * Threads: pure; any number at once with different arenas.
 * Cost:    O(text), and of no more than the first SUMMARY_READ_BYTES_MAX bytes
 *          and SUMMARY_READ_SENTENCES_MAX sentences: some 20 ms at most.
 * Source:  Radev, Jing, Styś, Tam 2004, "Centroid-based summarization of
 *          multiple documents", section 2; of its features the centroid alone,
 *          sentences of length 1, and none that repeats one taken.
 */
#ifndef TEXT_SUMMARY_H
#define TEXT_SUMMARY_H

#include "doc/doc.h"

#define SUMMARY_SENTENCES_MAX 3
#define SUMMARY_CHARS_MAX 400
#define SUMMARY_READ_SENTENCES_MAX 400
#define SUMMARY_READ_BYTES_MAX (200 * KIB)

/* One line, in the order of the text, parted by spaces; no headings, rows of
 * tables, code or listings, and without Markdown's marks. Where every sentence
 * is too long, the best one is cut behind a word and ends in "…". The same
 * document always has the same summary. */
str summary_make(const struct doc *d, struct arena *out);

#endif
