#include "extract/odt.h"

#include <assert.h>

#define PARENTS_MAX 32 /* styles above a style */
#define NONE SIZE_MAX

const struct markup_name ODT_NAMES[] = {
    {NS_OFFICE, "body", ODT_BODY},
    {NS_TEXT, "p", ODT_P},
    {NS_TEXT, "h", ODT_H},
    {NS_TEXT, "span", ODT_SPAN},
    {NS_TEXT, "s", ODT_S},
    {NS_TEXT, "tab", ODT_TAB},
    {NS_TEXT, "line-break", ODT_BREAK},
    {NS_TEXT, "section", ODT_SECTION},
    {NS_TEXT, "hidden-text", ODT_HIDDEN_TEXT},
    {NS_TEXT, "hidden-paragraph", ODT_HIDDEN_PARAGRAPH},
    {NS_TEXT, "ruby-text", ODT_RUBY_TEXT},
    {NS_TEXT, "note", ODT_NOTE},
    {NS_TEXT, "note-body", ODT_NOTE_BODY},
    {NS_OFFICE, "annotation", ODT_ANNOTATION},
    {NS_TEXT, "note-citation", ODT_SILENT},
    {NS_TEXT, "index-title-template", ODT_SILENT},
    {NS_TEXT, "table-of-content-source", ODT_SILENT},
    {NS_OFFICE, "change-info", ODT_SILENT},
    {NS_OFFICE, "forms", ODT_SILENT},
    {NS_OFFICE, "font-face-decls", ODT_SILENT},
    {NS_OFFICE, "binary-data", ODT_SILENT},
    {NS_SVG, "title", ODT_SILENT},
    {NS_SVG, "desc", ODT_SILENT},
    {NS_DC, "creator", ODT_SILENT},
    {NS_DC, "date", ODT_SILENT},
    {NS_META, "creator-initials", ODT_SILENT},
    {NS_META, "date-string", ODT_SILENT},
    {NS_TEXT, "deletion", ODT_DELETION},
    {NS_TEXT, "table-of-content", ODT_INDEX},
    {NS_TEXT, "illustration-index", ODT_INDEX},
    {NS_TEXT, "table-index", ODT_INDEX},
    {NS_TEXT, "script", ODT_SCRIPT},
    {NS_SCRIPT, "event-listener", ODT_SCRIPT},
    {NS_TEXT, "list", ODT_LIST},
    {NS_TEXT, "list-item", ODT_LIST_ITEM},
    {NS_TEXT, "list-header", ODT_LIST_HEADER},
    {NS_TABLE, "table", ODT_TABLE},
    {NS_TABLE, "table-column", ODT_COLUMN},
    {NS_TABLE, "table-row", ODT_ROW},
    {NS_TABLE, "table-cell", ODT_CELL},
    {NS_TABLE, "covered-table-cell", ODT_COVERED_CELL},
    {NS_DRAW, "frame", ODT_FRAME},
    {NS_DRAW, "custom-shape", ODT_FRAME},
    {NS_DRAW, "text-box", ODT_TEXT_BOX},
    {NS_DRAW, "object", ODT_OBJECT},
    {NS_DRAW, "image", ODT_IMAGE},
    {NS_DRAW, "object-ole", ODT_OBJECT},
    {NS_STYLE, "style", ODT_STYLE},
    {NS_STYLE, "default-style", ODT_DEFAULT_STYLE},
    {NS_STYLE, "text-properties", ODT_TEXT_PROPERTIES},
    {NS_STYLE, "paragraph-properties", ODT_GROUND_PROPERTIES},
    {NS_STYLE, "table-properties", ODT_GROUND_PROPERTIES},
    {NS_STYLE, "table-row-properties", ODT_GROUND_PROPERTIES},
    {NS_STYLE, "table-cell-properties", ODT_GROUND_PROPERTIES},
    {NS_STYLE, "graphic-properties", ODT_GROUND_PROPERTIES},
    {NS_STYLE, "page-layout-properties", ODT_GROUND_PROPERTIES},
    {NS_TEXT, "list-style", ODT_LIST_STYLE},
    {NS_TEXT, "list-level-style-number", ODT_LEVEL_NUMBER},
    {NS_TEXT, "list-level-style-bullet", ODT_LEVEL_BULLET},
    {NS_TEXT, "list-level-style-image", ODT_LEVEL_BULLET},
    {NS_STYLE, "page-layout", ODT_PAGE_LAYOUT},
    {NS_STYLE, "master-page", ODT_MASTER_PAGE},
    {NS_STYLE, "header", ODT_HEADER},
    {NS_STYLE, "header-left", ODT_HEADER},
    {NS_STYLE, "header-first", ODT_HEADER},
    {NS_STYLE, "footer", ODT_HEADER},
    {NS_STYLE, "footer-left", ODT_HEADER},
    {NS_STYLE, "footer-first", ODT_HEADER},
    {NS_MANIFEST, "encryption-data", ODT_ENCRYPTION},
};
const size_t ODT_NAMES_N = NELEMS(ODT_NAMES);
static_assert(NELEMS(ODT_NAMES) <= MARKUP_NAMES_MAX, "all are known");

/* ---- values ---- */

uint32_t odt_repeated(const struct markup_tag *t, enum markup_ns ns,
                      const char *name)
{
    uint64_t n;

    return str_to_u64(markup_attr(t, ns, name), INT32_MAX, &n) ? (uint32_t)n
                                                               : 1;
}

/* "#ffffff", "transparent", … */
static uint32_t color_of(str s)
{
    return str_starts(s, STR("#")) ? look_color(str_sub(s, 1, s.n)) : LOOK_AUTO;
}

/* "0.5pt" in half points, rounded up; UNSET: relative, or none. */
static uint32_t half_points(str s)
{
    static const struct {
        str unit;
        uint32_t thousandths; /* of half points */
    } UNITS[] = {{STR_INIT("pt"), 2000},   {STR_INIT("px"), 1500},
                 {STR_INIT("mm"), 5670},   {STR_INIT("cm"), 56693},
                 {STR_INIT("in"), 144000}, {STR_INIT("pc"), 24000}};
    uint64_t n = 0, scale = 1;
    bool point = false;
    size_t at = 0;

    for (; at < s.n && n < 1000000 && scale < 1000000; at++) {
        if (s.p[at] == '.' && !point) {
            point = true;
            continue;
        }
        if (s.p[at] < '0' || s.p[at] > '9')
            break;
        n = n * 10 + (uint64_t)(s.p[at] - '0');
        scale *= point ? 10 : 1;
    }
    for (size_t i = 0; i < NELEMS(UNITS) && at > 0; i++) {
        if (str_eq(str_sub(s, at, s.n), UNITS[i].unit)) {
            scale *= 1000;
            return (uint32_t)((n * UNITS[i].thousandths + scale - 1) / scale);
        }
    }
    return UNSET;
}

str odt_unescape(str name, struct arena *out)
{
    str s = arena_str(out, name);
    struct buf b = {0};

    for (size_t at = 0; at < s.n; at++) {
        if (str_starts(str_sub(s, at, s.n), STR("_20_"))) {
            buf_put_char(&b, ' ');
            at += 3;
        } else {
            buf_put_char(&b, s.p[at]);
        }
    }
    s = arena_str(out, buf_str(&b));
    buf_close(&b);
    return s;
}

static str key_of(struct odt_styles *s, const char *family, str name)
{
    return arena_fmt(s->out, "%s " STR_FMT, family, STR_ARG(name));
}

/* ---- reading ---- */

void odt_styles_open(struct odt_styles *s, struct arena *out)
{
    *s = (struct odt_styles){.out = out,
                             .by_key = map_open(),
                             .by_list = map_open(),
                             .defaults = LOOK_NONE,
                             .page = LOOK_WHITE,
                             .at = NONE,
                             .list_at = NONE,
                             .layout_at = NONE};
}

void odt_styles_close(struct odt_styles *s)
{
    map_close(s->by_key);
    map_close(s->by_list);
}

static size_t style_new(struct odt_styles *s, str key)
{
    struct odt_style n = {.parent = UNSET, .look = LOOK_NONE, .ground = UNSET};

    if (s->n == ODT_STYLES_MAX)
        return NONE;
    *map_slot(s->by_key, key, NULL) = s->n;
    ARENA_PUSH(s->out, s->v, s->n, s->cap, n);
    return s->n - 1;
}

static void style_begin(struct odt_styles *s, const struct markup_tag *t)
{
    struct arena_mark m = arena_mark(s->out);
    str family = markup_attr(t, NS_STYLE, "family"),
        name = markup_attr(t, NS_STYLE, "name"),
        shown = markup_attr(t, NS_STYLE, "display-name"),
        parent = markup_attr(t, NS_STYLE, "parent-style-name");
    const char *prefix = arena_cstr(s->out, family);
    struct odt_style *v;

    s->at = style_new(s, key_of(s, prefix, name));
    if (s->at == NONE) {
        arena_rewind(s->out, m);
        return;
    }
    v = &s->v[s->at];
    if (parent.n > 0)
        v->parent_key = key_of(s, prefix, parent);
    v->role = role_of_name(shown.n > 0 ? shown : odt_unescape(name, s->out),
                           &v->heading);
}

static void look_take(struct look *l, const struct markup_tag *t)
{
    str display = markup_attr(t, NS_TEXT, "display"),
        color = markup_attr(t, NS_FO, "color"),
        ground = markup_attr(t, NS_FO, "background-color"),
        size = markup_attr(t, NS_FO, "font-size"),
        window = markup_attr(t, NS_STYLE, "use-window-font-color");

    if (display.n > 0)
        l->hidden = str_eq(display, STR("none")) ? TRI_YES : TRI_NO;
    if (color.n > 0)
        l->color = color_of(color);
    if (str_eq(window, STR("true")))
        l->color = LOOK_AUTO;
    if (ground.n > 0)
        l->ground = color_of(ground);
    if (size.n > 0 && half_points(size) != UNSET)
        l->half_points = half_points(size);
}

static uint32_t ground_of(const struct markup_tag *t)
{
    str ground = markup_attr(t, NS_FO, "background-color"),
        fill = markup_attr(t, NS_DRAW, "fill"),
        color = markup_attr(t, NS_DRAW, "fill-color");

    if (str_eq(fill, STR("solid")) && color.n > 0)
        return color_of(color);
    if (fill.n > 0 && !str_eq(fill, STR("none")))
        return LOOK_UNKNOWN;
    return ground.n > 0 ? color_of(ground) : UNSET;
}

static void default_take(struct odt_styles *s, const struct markup_tag *t)
{
    str language = markup_attr(t, NS_FO, "language"),
        country = markup_attr(t, NS_FO, "country");

    look_take(&s->defaults, t);
    if (s->language.n > 0 || language.n == 0 || str_eq(language, STR("none")))
        return;
    s->language = country.n == 0 || str_eq(country, STR("none"))
                      ? arena_str(s->out, language)
                      : arena_fmt(s->out, STR_FMT "-" STR_FMT,
                                  STR_ARG(language), STR_ARG(country));
}

static void list_begin(struct odt_styles *s, const struct markup_tag *t)
{
    s->list_at = NONE;
    if (s->lists_n == ODT_LIST_STYLES_MAX)
        return;
    s->list_at = s->lists_n;
    *map_slot(s->by_list, markup_attr(t, NS_STYLE, "name"), NULL) = s->lists_n;
    ARENA_PUSH(s->out, s->lists, s->lists_n, s->lists_cap,
               ((struct odt_list_style){0}));
}

static void list_level(struct odt_styles *s, const struct markup_tag *t)
{
    uint32_t level = odt_repeated(t, NS_TEXT, "level");
    struct odt_list_level *l;

    if (s->list_at == NONE || level == 0 || level > FLOW_LEVELS)
        return;
    l = &s->lists[s->list_at].levels[level - 1];
    l->ordered = t->id == ODT_LEVEL_NUMBER &&
                 markup_attr(t, NS_STYLE, "num-format").n > 0;
    l->start = odt_repeated(t, NS_TEXT, "start-value");
}

static void properties(struct odt_styles *s, const struct markup_tag *t)
{
    uint32_t ground = ground_of(t);
    size_t at = s->at != NONE ? s->at : s->layout_at;

    if (t->id == ODT_TEXT_PROPERTIES && s->in_default)
        default_take(s, t);
    else if (t->id == ODT_TEXT_PROPERTIES && s->at != NONE)
        look_take(&s->v[s->at].look, t);
    else if (t->id == ODT_GROUND_PROPERTIES && at != NONE && ground != UNSET)
        s->v[at].ground = ground;
}

/* The first kind of page is the one a text begins on. */
static void master_page(struct odt_styles *s, const struct markup_tag *t)
{
    const struct odt_style *layout = odt_style_find(
        s, "layout", markup_attr(t, NS_STYLE, "page-layout-name"));

    if (!s->page_known && layout != NULL && look_is_ground(layout->ground))
        s->page = layout->ground;
    s->page_known = true;
}

void odt_styles_start(struct odt_styles *s, const struct markup_tag *t)
{
    switch (t->id) {
    case ODT_STYLE:
        style_begin(s, t);
        break;
    case ODT_DEFAULT_STYLE:
        s->in_default =
            str_eq(markup_attr(t, NS_STYLE, "family"), STR("paragraph"));
        break;
    case ODT_TEXT_PROPERTIES:
    case ODT_GROUND_PROPERTIES:
        properties(s, t);
        break;
    case ODT_LIST_STYLE:
        list_begin(s, t);
        break;
    case ODT_LEVEL_NUMBER:
    case ODT_LEVEL_BULLET:
        list_level(s, t);
        break;
    case ODT_PAGE_LAYOUT:
        s->layout_at =
            style_new(s, key_of(s, "layout", markup_attr(t, NS_STYLE, "name")));
        break;
    case ODT_MASTER_PAGE:
        master_page(s, t);
        break;
    default:
        break;
    }
}

void odt_styles_end(struct odt_styles *s, unsigned id)
{
    if (id == ODT_STYLE)
        s->at = NONE;
    else if (id == ODT_DEFAULT_STYLE)
        s->in_default = false;
    else if (id == ODT_LIST_STYLE)
        s->list_at = NONE;
    else if (id == ODT_PAGE_LAYOUT)
        s->layout_at = NONE;
}

/* ---- what a style has from its parents ---- */

static void inherit(struct odt_style *s, const struct odt_style *from)
{
    struct look look = from->look;

    if (s->role == ROLE_UNSET) {
        s->role = from->role;
        s->heading = from->heading;
    }
    if (s->ground == UNSET)
        s->ground = from->ground;
    look_lay(&look, &s->look);
    look.hidden = s->look.hidden == TRI_UNSET ? look.hidden : s->look.hidden;
    s->look = look;
}

void odt_styles_resolve(struct odt_styles *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t *at = map_find(s->by_key, s->v[i].parent_key);

        s->v[i].parent = (uint32_t)(at == NULL ? i : *at);
    }
    for (size_t i = 0; i < s->n; i++) {
        size_t at = i, above = s->v[i].parent;

        /* As with those of DOCX, a circle ends by the count. */
        for (size_t n = 0; n < PARENTS_MAX && above != at; n++) {
            inherit(&s->v[i], &s->v[above]);
            at = above;
            above = s->v[at].parent;
        }
    }
}

const struct odt_style *odt_style_find(struct odt_styles *s, const char *family,
                                       str name)
{
    struct arena_mark m = arena_mark(s->out);
    const uint64_t *at;

    if (name.n == 0)
        return NULL;
    at = map_find(s->by_key, key_of(s, family, name));
    arena_rewind(s->out, m);
    return at == NULL ? NULL : &s->v[*at];
}

struct odt_list_style *odt_list_find(struct odt_styles *s, str name)
{
    const uint64_t *at = map_find(s->by_list, name);

    return at == NULL ? NULL : &s->lists[*at];
}
