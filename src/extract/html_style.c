/* Inline style as far as it decides whether text is seen (CSS 2.1 with the
 * units and colours pages use). */
#include "extract/html_priv.h"
#include "extract/html_token.h"

/* Text smaller than this, in pixels, is not for reading. */
#define TINY_PX 2.0
/* Moved further than this, in pixels, it is outside the page. */
#define FAR_PX 500.0

/* The number at the start of s and its unit; false: there is none. */
static bool number(str s, double *value, str *unit)
{
    size_t i = 0;
    double n = 0, part = 1;
    bool minus = s.n > 0 && s.p[0] == '-', digits = false;

    i += minus || (s.n > 0 && s.p[0] == '+');
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, digits = true)
        n = n > 1e9 ? n : n * 10 + (s.p[i] - '0');
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            part /= 10;
            n += part * (s.p[i] - '0');
            digits = true;
        }
    }
    *value = minus ? -n : n;
    *unit = str_sub(s, i, s.n);
    return digits;
}

/* A length in pixels, near enough; percent as of a page 1,000 wide. */
static bool pixels(str s, double *px)
{
    static const struct {
        str unit;
        double px;
    } UNITS[] = {
        {STR_INIT("px"), 1},    {STR_INIT("pt"), 1.333}, {STR_INIT("em"), 16},
        {STR_INIT("rem"), 16},  {STR_INIT("%"), 10},     {STR_INIT("ex"), 8},
        {STR_INIT("vw"), 10},   {STR_INIT("vh"), 10},    {STR_INIT("in"), 96},
        {STR_INIT("cm"), 37.8}, {STR_INIT("mm"), 3.78},  {STR_INIT(""), 1}};
    str unit;

    if (!number(s, px, &unit))
        return false;
    for (size_t i = 0; i < NELEMS(UNITS); i++) {
        if (str_eq_nocase(unit, UNITS[i].unit)) {
            *px *= UNITS[i].px;
            return true;
        }
    }
    return false;
}

static bool color_hex(str s, uint32_t *rgb)
{
    uint32_t v = 0;

    if (s.n != 3 && s.n != 4 && s.n != 6 && s.n != 8)
        return false;
    for (size_t i = 0; i < s.n && (s.n > 4 ? i < 6 : i < 3); i++) {
        int digit = str_hex_digit(s.p[i]);

        if (digit < 0)
            return false;
        v = v << 4 | (uint32_t)digit;
        if (s.n <= 4)
            v = v << 4 | (uint32_t)digit;
    }
    *rgb = v;
    return true;
}

/* rgb(1, 2, 3), rgba(1 2 3 / 0.5); alpha 0 is no colour of ours. */
static bool color_function(str s, uint32_t *rgb)
{
    uint32_t v = 0;
    size_t i = str_find_char(s, '(') + 1;

    for (unsigned k = 0; k < 3; k++) {
        double value;
        str unit;

        while (i < s.n && (html_white(s.p[i]) || s.p[i] == ','))
            i++;
        if (!number(str_sub(s, i, s.n), &value, &unit))
            return false;
        i = s.n - unit.n;
        if (unit.n > 0 && unit.p[0] == '%') {
            value *= 2.55;
            i++;
        }
        v = v << 8 | (value > 255 ? 255 : value < 0 ? 0 : (uint32_t)value);
    }
    *rgb = v;
    return true;
}

bool html_color(str s, uint32_t *rgb)
{
    static const struct {
        str name;
        uint32_t rgb;
    } NAMES[] = {
        {STR_INIT("white"), 0xffffff},   {STR_INIT("black"), 0},
        {STR_INIT("snow"), 0xfffafa},    {STR_INIT("ivory"), 0xfffff0},
        {STR_INIT("red"), 0xff0000},     {STR_INIT("blue"), 0xff},
        {STR_INIT("green"), 0x8000},     {STR_INIT("yellow"), 0xffff00},
        {STR_INIT("gray"), 0x808080},    {STR_INIT("grey"), 0x808080},
        {STR_INIT("silver"), 0xc0c0c0},  {STR_INIT("navy"), 0x80},
        {STR_INIT("maroon"), 0x800000},  {STR_INIT("purple"), 0x800080},
        {STR_INIT("teal"), 0x8080},      {STR_INIT("lime"), 0xff00},
        {STR_INIT("aqua"), 0xffff},      {STR_INIT("cyan"), 0xffff},
        {STR_INIT("orange"), 0xffa500},  {STR_INIT("whitesmoke"), 0xf5f5f5},
        {STR_INIT("fuchsia"), 0xff00ff}, {STR_INIT("magenta"), 0xff00ff},
    };

    s = str_trim(s);
    if (s.n > 0 && s.p[0] == '#')
        return color_hex(str_sub(s, 1, s.n), rgb);
    if (s.n > 4 && str_eq_nocase(str_sub(s, 0, 3), STR("rgb")))
        return color_function(s, rgb);
    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        if (str_eq_nocase(s, NAMES[i].name)) {
            *rgb = NAMES[i].rgb;
            return true;
        }
    }
    return s.n == 6 && color_hex(s, rgb); /* bgcolor without its sign */
}

bool html_colors_alike(uint32_t a, uint32_t b)
{
    int apart = 0;

    for (unsigned shift = 0; shift < 24; shift += 8) {
        int d = (int)(a >> shift & 0xff) - (int)(b >> shift & 0xff);

        apart += d < 0 ? -d : d;
    }
    return apart <= 24;
}

/* What a declaration may depend on beside itself. */
struct declared {
    bool placed;  /* position: absolute or fixed */
    bool far;     /* left, top or a margin out of the page */
    bool no_room; /* width or height of a pixel at most… */
    bool cut_off; /* …with overflow: hidden, or clipped to nothing */
    bool indent;
};

static bool is(str value, const char *word)
{
    return str_eq_nocase(value, str_of(word));
}

static void declare_place(str name, str value, struct declared *d)
{
    double px;

    if (is(name, "position"))
        d->placed = is(value, "absolute") || is(value, "fixed");
    if (is(name, "left") || is(name, "top") || is(name, "margin-left") ||
        is(name, "margin-top"))
        d->far = d->far || (pixels(value, &px) && px <= -FAR_PX);
    if (is(name, "right") || is(name, "bottom"))
        d->far = d->far || (pixels(value, &px) && px <= -FAR_PX);
    if (is(name, "text-indent"))
        d->indent = pixels(value, &px) && px <= -FAR_PX;
    if (is(name, "width") || is(name, "height") || is(name, "max-height") ||
        is(name, "max-width"))
        d->no_room = d->no_room || (pixels(value, &px) && px >= 0 && px <= 1);
    if (is(name, "overflow"))
        d->cut_off = is(value, "hidden") || is(value, "clip");
    if (is(name, "clip-path") &&
        (str_find(value, STR("inset(50%")) < value.n ||
         str_find(value, STR("inset(100%")) < value.n ||
         str_find(value, STR("circle(0")) < value.n))
        d->no_room = d->cut_off = true;
    if (is(name, "clip") && (str_find(value, STR("rect(0")) < value.n ||
                             str_find(value, STR("rect(1px")) < value.n))
        d->no_room = d->cut_off = true;
    if (is(name, "transform") && str_find(value, STR("scale(0)")) < value.n)
        d->no_room = d->cut_off = true;
}

/* The colour in a shorthand: the first word that is one. */
static bool color_in(str value, uint32_t *rgb)
{
    str rest = value, word;

    if (html_color(value, rgb))
        return true;
    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &word, &rest);
        if (html_color(word, rgb))
            return true;
    }
    return false;
}

/* The size in "bold 0px/1 serif": the first word with a unit. */
static bool size_in_font(str value, double *px)
{
    str rest = value, word, size, line;

    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &word, &rest);
        (void)str_cut(word, '/', &size, &line);
        if (size.n > 2 && pixels(size, px) && size.p[size.n - 1] > '9')
            return true;
    }
    return false;
}

static void declare_visibility(str value, struct html_look *look)
{
    look->unseen = is(value, "hidden") || is(value, "collapse");
    look->seen = is(value, "visible");
}

static void declare_size(double px, struct html_look *look)
{
    look->has_size = px >= 0;
    look->tiny = px >= 0 && px < TINY_PX;
}

/* What isn't understood (a picture, a name of a variable) could be anything. */
static void declare_ground(str value, struct html_look *look)
{
    if (is(value, "none") || is(value, "transparent") || is(value, "inherit"))
        return;
    look->has_ground = look->has_ground || color_in(value, &look->ground);
    look->ground_unknown = !look->has_ground ||
                           str_find(value, STR("url(")) < value.n ||
                           str_find(value, STR("gradient")) < value.n;
    look->has_ground = look->has_ground && !look->ground_unknown;
}

static void declare(str name, str value, struct html_look *look,
                    struct declared *d)
{
    double n = 0;
    str unit;

    if (is(name, "display"))
        look->hidden = is(value, "none");
    else if (is(name, "visibility"))
        declare_visibility(value, look);
    else if (is(name, "content-visibility"))
        look->hidden = look->hidden || is(value, "hidden");
    else if (is(name, "opacity"))
        look->clear = number(value, &n, &unit) &&
                      n < (unit.n > 0 && unit.p[0] == '%' ? 5.0 : 0.05);
    else if (is(name, "font-size"))
        declare_size(pixels(value, &n) ? n : -1, look);
    else if (is(name, "font"))
        declare_size(size_in_font(value, &n) ? n : -1, look);
    else if (is(name, "color") && is(value, "transparent"))
        look->clear = true;
    else if (is(name, "color"))
        look->has_color = html_color(value, &look->color);
    else if (str_starts(name, STR("background")))
        declare_ground(value, look);
    else
        declare_place(name, value, d);
}

/* Without its remarks, which may stand between any two words. */
static str without_remarks(str style, char to[HTML_STYLE_BYTES_MAX])
{
    size_t n = 0;

    style = str_sub(style, 0, HTML_STYLE_BYTES_MAX);
    while (style.n > 0) {
        size_t at = str_find(style, STR("/*"));
        str rest = str_sub(style, at + 2, style.n);

        memcpy(to + n, style.p, at);
        n += at;
        style = str_sub(rest, str_find(rest, STR("*/")) + 2, rest.n);
    }
    return (str){to, n};
}

void html_style(str style, struct html_look *look)
{
    char plain[HTML_STYLE_BYTES_MAX];
    struct declared d = {0};
    str rest = without_remarks(style, plain), one, name, value;

    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ';', &one, &rest);
        if (!str_cut(one, ':', &name, &value))
            continue;
        value = str_sub(value, 0, str_find_char(value, '!'));
        declare(str_trim(name), str_trim(value), look, &d);
    }
    look->off_page = (d.placed && d.far) || d.indent;
    look->hidden = look->hidden || (d.no_room && d.cut_off);
}
