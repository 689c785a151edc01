/*
 * look: how a run of text looks, as far as that decides whether anybody can
 * read it.
 *
 * Threads: pure.
 */
#ifndef EXTRACT_LOOK_H
#define EXTRACT_LOOK_H

#include "doc/doc.h"

/* Of a number or a colour that is not set. */
#define UNSET UINT32_MAX
#define LOOK_AUTO (UINT32_MAX - 1)    /* a colour that can be read; no ground */
#define LOOK_UNKNOWN (UINT32_MAX - 2) /* a ground that is no one colour */
#define LOOK_WHITE 0xffffffu

enum tri { TRI_UNSET, TRI_NO, TRI_YES };

/* As far as it is set; colours are 0xRRGGBB. */
struct look {
    enum tri hidden;
    uint32_t color, ground, highlight;
    uint32_t half_points;
};
#define LOOK_NONE                                            \
    (struct look)                                            \
    {                                                        \
        .color = UNSET, .ground = UNSET, .highlight = UNSET, \
        .half_points = UNSET                                 \
    }
/* What `over` sets, on top of l; `hidden` is left to the caller. */
void look_lay(struct look *l, const struct look *over);
/* Why nobody can read text that looks so on this ground; DOC_FLAG_COUNT: it
 * can be read. `hidden` is left to the caller. */
enum doc_flag_kind look_drops(const struct look *l, uint32_t ground);
/* Whether something is painted there. */
bool look_is_ground(uint32_t color);

/* 0xRRGGBB of six hexadecimal digits; LOOK_AUTO: they are none. */
uint32_t look_color(str s);
bool look_is_color(uint32_t color);

#endif
