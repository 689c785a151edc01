#include "extract/look.h"

#define COLOR_NEAR 8 /* colours that nobody can tell apart */
#define TINY_HALF_POINTS 2

bool look_is_color(uint32_t color)
{
    return color <= 0xffffff;
}

bool look_is_ground(uint32_t color)
{
    return color != UNSET && color != LOOK_AUTO;
}

uint32_t look_color(str s)
{
    uint32_t color = 0;

    if (s.n != 6)
        return LOOK_AUTO;
    for (size_t i = 0; i < s.n; i++) {
        if (str_hex_digit(s.p[i]) < 0)
            return LOOK_AUTO;
        color = color << 4 | (uint32_t)str_hex_digit(s.p[i]);
    }
    return color;
}

void look_lay(struct look *l, const struct look *over)
{
    if (over->color != UNSET)
        l->color = over->color;
    if (over->ground != UNSET)
        l->ground = over->ground;
    if (over->highlight != UNSET)
        l->highlight = over->highlight;
    if (over->half_points != UNSET)
        l->half_points = over->half_points;
}

static bool near(uint32_t a, uint32_t b)
{
    for (unsigned shift = 0; shift < 24; shift += 8) {
        int x = (int)(a >> shift & 0xff), y = (int)(b >> shift & 0xff);

        if (x - y > COLOR_NEAR || y - x > COLOR_NEAR)
            return false;
    }
    return true;
}

enum doc_flag_kind look_drops(const struct look *l, uint32_t ground)
{
    if (l->half_points <= TINY_HALF_POINTS)
        return FLAG_TINY;
    if (look_is_color(l->color) && look_is_color(ground) &&
        near(l->color, ground))
        return FLAG_INVISIBLE;
    return DOC_FLAG_COUNT;
}
