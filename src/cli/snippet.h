/*
 * snippet: the lines of a passage around its densest matches, with the
 * matches marked: by colour on a terminal, by [brackets] where a terminal has
 * none, not at all in a pipe.
 *
 * Units:   marks and widths in code points.
 */
#ifndef CLI_SNIPPET_H
#define CLI_SNIPPET_H

#include "base/arena.h"

struct snippet_mark {
    size_t start, end; /* end exclusive */
};
struct snippet {
    str text;
    const struct snippet_mark *marks;
    size_t marks_n;
    size_t columns, lines;
};
enum snippet_marking { SNIPPET_PLAIN, SNIPPET_BRACKETS, SNIPPET_COLOURS };

/* One string, lines ended by a line feed, each behind `indent` blanks; white
 * space and control characters folded to single blanks. */
str snippet_text(const struct snippet *s, enum snippet_marking marking,
                 size_t indent, struct arena *out);
void snippet_print(const struct snippet *s, struct arena *tmp, size_t indent);

#endif
