/*
 * print: standard output and standard error for people and for scripts.
 * Colours only on a terminal, and not with NO_COLOR or TERM=dumb; progress
 * only where standard error is a terminal. What comes from documents or from
 * the server never carries control characters to a terminal.
 *
 * Threads: the main thread.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"

enum paint {
    PAINT_PLAIN,
    PAINT_BOLD,
    PAINT_DIM,
    PAINT_MARK, /* a match in a snippet */
    PAINT_GOOD,
    PAINT_BAD
};

void print_str(str s); /* as it is */
void print_fmt(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Foreign text: control characters and the like as blanks. */
void print_clean(str s);
str clean_text(struct arena *out, str s);
/* Text in a colour where standard output has colours. */
void print_painted(enum paint paint, str s);
bool print_colours(void);
bool print_terminal(void); /* standard output is one */
size_t print_columns(void);

/* One line: the object (its reference is taken); NULL: no memory. */
rc print_json(json_t *v, struct err *e) MUST_CHECK;

/* "knowd: text" on standard error. */
void say_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A line on standard error, without the name. */
void say_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A bar on standard error, drawn over; nothing where that is no terminal. */
void progress_show(const char *what, uint64_t done, uint64_t all);
void progress_clear(void);

/* Were all bytes taken? Else RC_IO. */
rc print_end(struct err *e) MUST_CHECK;

#endif
