/*
 * md_mask: Markdown as cmark sees it: each line cut down to what block
 * structure needs.
 *
 * cmark-gfm 0.29.0.gfm.6 (Debian 12) takes quadratic time on inline marks
 * (CVE-2023-22483 to 22486, 26485), on deep nesting (24824) and on header
 * rows of tables (37463), and a tree node for every mark. We need no inlines,
 * only which line starts which block; so marks inside lines become letters,
 * long lines are cut, and container marks count in the first 100 columns only.
 * Line n of the output is line n of the input; a line never turns blank or
 * stops being blank.
 *
 * Threads: pure.
 * Cost:    O(line), at most MD_LINE_BYTES_MAX bytes out.
 */
#ifndef EXTRACT_MD_MASK_H
#define EXTRACT_MD_MASK_H

#include "base/buf.h"
#include "base/limits.h"

#define MD_LINE_BYTES_MAX (16 * KIB)
/* cmark takes a step for each open container on every line. */
#define MD_PREFIX_BYTES_MAX 100
/* Lines like |---| that cmark may try in one run of non-blank lines: each try
 * reads all of the paragraph above it. */
#define MD_DELIMITER_ROWS_MAX 16

struct md_mask {
    unsigned delimiter_rows; /* in this run of non-blank lines */
};
/* Appends the masked line and a newline; line has none. */
void md_mask_line(struct md_mask *m, str line, struct buf *to);

#endif
