#include "extract/docx.h"

#include <assert.h>

#define BASED_ON_MAX 32 /* styles above a style */

const struct markup_name DOCX_NAMES[] = {
    {NS_W, "background", W_BACKGROUND},
    {NS_W, "p", W_P},
    {NS_W, "r", W_R},
    {NS_W, "t", W_T},
    {NS_W, "delText", W_DELTEXT},
    {NS_W, "tab", W_TAB},
    {NS_W, "ptab", W_PTAB},
    {NS_W, "br", W_BR},
    {NS_W, "cr", W_CR},
    {NS_W, "noBreakHyphen", W_NOBREAKHYPHEN},
    {NS_W, "sym", W_SYM},
    {NS_W, "rt", W_RT},
    {NS_M, "r", M_R},
    {NS_M, "t", M_T},
    {NS_W, "footnoteReference", W_FOOTNOTEREFERENCE},
    {NS_W, "endnoteReference", W_ENDNOTEREFERENCE},
    {NS_W, "footnote", W_FOOTNOTE},
    {NS_W, "endnote", W_ENDNOTE},
    {NS_W, "comment", W_COMMENT},
    {NS_W, "txbxContent", W_TXBXCONTENT},
    {NS_W, "instrText", W_INSTRTEXT},
    {NS_W, "delInstrText", W_INSTRTEXT},
    {NS_W, "fldChar", W_FLDCHAR},
    {NS_W, "fldSimple", W_FLDSIMPLE},
    {NS_W, "pPr", W_PPR},
    {NS_W, "rPr", W_RPR},
    {NS_W, "pStyle", W_PSTYLE},
    {NS_W, "rStyle", W_RSTYLE},
    {NS_W, "outlineLvl", W_OUTLINELVL},
    {NS_W, "numPr", W_NUMPR},
    {NS_W, "ilvl", W_ILVL},
    {NS_W, "numId", W_NUMID},
    {NS_W, "vanish", W_VANISH},
    {NS_W, "webHidden", W_WEBHIDDEN},
    {NS_W, "color", W_COLOR},
    {NS_W, "sz", W_SZ},
    {NS_W, "shd", W_SHD},
    {NS_W, "highlight", W_HIGHLIGHT},
    {NS_W, "lang", W_LANG},
    {NS_W, "pPrChange", W_CHANGE},
    {NS_W, "rPrChange", W_CHANGE},
    {NS_W, "tblPrChange", W_CHANGE},
    {NS_W, "tblPrExChange", W_CHANGE},
    {NS_W, "tblGridChange", W_CHANGE},
    {NS_W, "trPrChange", W_CHANGE},
    {NS_W, "tcPrChange", W_CHANGE},
    {NS_W, "sectPrChange", W_CHANGE},
    {NS_W, "numberingChange", W_CHANGE},
    {NS_W, "tbl", W_TBL},
    {NS_W, "tblPr", W_TBLPR},
    {NS_W, "tblStyle", W_TBLSTYLE},
    {NS_W, "tblGrid", W_TBLGRID},
    {NS_W, "gridCol", W_GRIDCOL},
    {NS_W, "tr", W_TR},
    {NS_W, "trPr", W_TRPR},
    {NS_W, "gridBefore", W_GRIDBEFORE},
    {NS_W, "tc", W_TC},
    {NS_W, "tcPr", W_TCPR},
    {NS_W, "gridSpan", W_GRIDSPAN},
    {NS_W, "cellDel", W_CELLDEL},
    {NS_W, "del", W_DEL},
    {NS_W, "moveFrom", W_MOVEFROM},
    {NS_W, "sdt", W_SDT},
    {NS_W, "sdtPr", W_SDTPR},
    {NS_W, "docPartGallery", W_DOCPARTGALLERY},
    {NS_MC, "AlternateContent", MC_ALTERNATECONTENT},
    {NS_MC, "Choice", MC_CHOICE},
    {NS_MC, "Fallback", MC_FALLBACK},
    {NS_W, "drawing", W_DRAWING},
    {NS_W, "pict", W_PICT},
    {NS_A, "blip", W_IMAGE},
    {NS_V, "imagedata", W_IMAGE},
    {NS_WPS, "spPr", WPS_SPPR},
    {NS_A, "solidFill", A_FILL},
    {NS_A, "gradFill", A_FILL},
    {NS_A, "blipFill", A_FILL},
    {NS_A, "pattFill", A_FILL},
    {NS_A, "noFill", A_NOFILL},
    {NS_A, "fillRef", A_FILLREF},
    {NS_A, "srgbClr", A_RGB},
    {NS_A, "schemeClr", A_SCHEME},
    {NS_V, "shape", V_SHAPE},
    {NS_V, "rect", V_SHAPE},
    {NS_V, "roundrect", V_SHAPE},
    {NS_W, "style", W_STYLE},
    {NS_W, "name", W_NAME},
    {NS_W, "basedOn", W_BASEDON},
    {NS_W, "docDefaults", W_DOCDEFAULTS},
    {NS_W, "tblStylePr", W_TBLSTYLEPR},
    {NS_W, "abstractNum", W_ABSTRACTNUM},
    {NS_W, "numStyleLink", W_NUMSTYLELINK},
    {NS_W, "lvl", W_LVL},
    {NS_W, "start", W_START},
    {NS_W, "numFmt", W_NUMFMT},
    {NS_W, "lvlText", W_LVLTEXT},
    {NS_W, "num", W_NUM},
    {NS_W, "abstractNumId", W_ABSTRACTNUMID},
    {NS_W, "lvlOverride", W_LVLOVERRIDE},
    {NS_W, "startOverride", W_STARTOVERRIDE},
    {NS_W, "displayBackgroundShape", W_DISPLAYBACKGROUND},
};
const size_t DOCX_NAMES_N = NELEMS(DOCX_NAMES);
static_assert(NELEMS(DOCX_NAMES) <= MARKUP_NAMES_MAX, "all are known");

/* ---- values ---- */

static str val(const struct markup_tag *t)
{
    return markup_attr(t, NS_W, "val");
}

bool docx_bool(const struct markup_tag *t)
{
    str v = val(t);

    return !(str_eq(v, STR("0")) || str_eq(v, STR("false")) ||
             str_eq(v, STR("off")));
}

uint32_t docx_number(const struct markup_tag *t, const char *attr)
{
    uint64_t n;

    return str_to_u64(markup_attr(t, NS_W, attr), INT32_MAX, &n) ? (uint32_t)n
                                                                 : UNSET;
}

uint32_t docx_shade(const struct markup_tag *t)
{
    str pattern = val(t);

    if (str_eq(pattern, STR("solid")))
        return look_color(markup_attr(t, NS_W, "color"));
    if (pattern.n > 0 && !str_eq(pattern, STR("clear")) &&
        !str_eq(pattern, STR("nil")))
        return LOOK_UNKNOWN;
    return look_color(markup_attr(t, NS_W, "fill"));
}

static uint32_t highlight_of(str name)
{
    static const struct {
        str name;
        uint32_t color;
    } COLORS[] = {{STR_INIT("black"), 0},
                  {STR_INIT("blue"), 0x0000ff},
                  {STR_INIT("cyan"), 0x00ffff},
                  {STR_INIT("darkBlue"), 0x00008b},
                  {STR_INIT("darkCyan"), 0x008b8b},
                  {STR_INIT("darkGray"), 0xa9a9a9},
                  {STR_INIT("darkGreen"), 0x006400},
                  {STR_INIT("darkMagenta"), 0x8b008b},
                  {STR_INIT("darkRed"), 0x8b0000},
                  {STR_INIT("darkYellow"), 0x808000},
                  {STR_INIT("green"), 0x00ff00},
                  {STR_INIT("lightGray"), 0xd3d3d3},
                  {STR_INIT("magenta"), 0xff00ff},
                  {STR_INIT("red"), 0xff0000},
                  {STR_INIT("white"), 0xffffff},
                  {STR_INIT("yellow"), 0xffff00}};

    for (size_t i = 0; i < NELEMS(COLORS); i++) {
        if (str_eq(name, COLORS[i].name))
            return COLORS[i].color;
    }
    return LOOK_AUTO;
}

void docx_look_take(struct look *l, const struct markup_tag *t)
{
    if (t->id == W_VANISH || (t->id == W_WEBHIDDEN && docx_bool(t)))
        l->hidden = docx_bool(t) ? TRI_YES : TRI_NO;
    else if (t->id == W_COLOR)
        l->color = look_color(val(t));
    else if (t->id == W_SZ)
        l->half_points = docx_number(t, "val");
    else if (t->id == W_SHD)
        l->ground = docx_shade(t);
    else if (t->id == W_HIGHLIGHT)
        l->highlight = highlight_of(val(t));
}

/* ---- reading ---- */

struct reader {
    struct docx_styles *s;
    struct arena *out;
    bool in_style, in_defaults, in_part; /* w:tblStylePr */
    unsigned in_run, skip;               /* depths, 0: not in one */
    bool full;
};

static void style_begin(struct reader *r, const struct markup_tag *t)
{
    struct docx_style s = {
        .look = LOOK_NONE, .list = UNSET, .list_level = UNSET, .ground = UNSET};
    str type = markup_attr(t, NS_W, "type"),
        is_default = markup_attr(t, NS_W, "default");

    r->in_style = r->s->n < DOCX_STYLES_MAX;
    if (!r->in_style)
        return;
    s.is_default =
        str_eq(type, STR("paragraph")) &&
        (str_eq(is_default, STR("1")) || str_eq(is_default, STR("true")) ||
         str_eq(is_default, STR("on")));
    *map_slot(r->s->by_id, markup_attr(t, NS_W, "styleId"), NULL) = r->s->n;
    ARENA_PUSH(r->out, r->s->v, r->s->n, r->s->cap, s);
}

static void style_property(struct reader *r, struct docx_style *s,
                           const struct markup_tag *t)
{
    uint32_t n;

    switch (t->id) {
    case W_NAME:
        s->role = role_of_name(val(t), &s->heading);
        break;
    case W_BASEDON:
        s->based_on_id = arena_str(r->out, val(t));
        break;
    case W_OUTLINELVL:
        n = docx_number(t, "val");
        if (s->role == ROLE_CONTENTS || s->role == ROLE_TITLE)
            break;
        s->role = n < DOCX_LEVELS ? ROLE_HEADING : ROLE_PLAIN;
        s->heading = n < DOCX_LEVELS ? n + 1 : 0;
        break;
    case W_NUMID:
        s->list = docx_number(t, "val");
        break;
    case W_ILVL:
        s->list_level = docx_number(t, "val");
        break;
    case W_SHD: /* a run's is one of its look */
        n = docx_shade(t);
        if (r->in_run == 0 && (!r->in_part || n != LOOK_AUTO))
            s->ground = r->in_part ? LOOK_UNKNOWN : n;
        break;
    default:
        break;
    }
    if (r->in_run > 0 && !r->in_part)
        docx_look_take(&s->look, t);
}

static void on_start(void *user, const struct markup_tag *t)
{
    struct reader *r = user;

    if (r->skip > 0)
        return;
    if (t->id == W_CHANGE)
        r->skip = t->depth;
    else if (t->id == W_STYLE)
        style_begin(r, t);
    else if (t->id == W_DOCDEFAULTS)
        r->in_defaults = true;
    else if (t->id == W_TBLSTYLEPR)
        r->in_part = true;
    else if (t->id == W_RPR)
        r->in_run = t->depth;
    else if (r->in_style)
        style_property(r, &r->s->v[r->s->n - 1], t);
    else if (r->in_defaults && t->id == W_LANG)
        r->s->language = arena_str(r->out, val(t));
    else if (r->in_defaults && r->in_run > 0)
        docx_look_take(&r->s->defaults, t);
}

static void on_end(void *user, unsigned id, unsigned depth)
{
    struct reader *r = user;

    if (r->skip == depth)
        r->skip = 0;
    if (r->in_run == depth)
        r->in_run = 0;
    if (id == W_STYLE)
        r->in_style = r->in_part = false;
    else if (id == W_DOCDEFAULTS)
        r->in_defaults = false;
    else if (id == W_TBLSTYLEPR)
        r->in_part = false;
}

/* ---- what a style has from others ---- */

static void inherit(struct docx_style *s, const struct docx_style *from)
{
    struct look look = from->look;

    if (s->role == ROLE_UNSET) {
        s->role = from->role;
        s->heading = from->heading;
    }
    if (s->list == UNSET)
        s->list = from->list;
    if (s->list_level == UNSET)
        s->list_level = from->list_level;
    if (s->ground == UNSET)
        s->ground = from->ground;
    look_lay(&look, &s->look);
    look.hidden = s->look.hidden == TRI_UNSET ? look.hidden : s->look.hidden;
    s->look = look;
}

static void resolve(struct docx_styles *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const uint64_t *at = map_find(s->by_id, s->v[i].based_on_id);

        s->v[i].based_on = (uint32_t)(at == NULL ? i : *at);
        if (s->v[i].is_default && s->paragraph == NULL)
            s->paragraph = &s->v[i];
    }
    for (size_t i = 0; i < s->n; i++) {
        size_t at = i, above = s->v[i].based_on;

        /* Those above may be done already: laying them twice changes nothing,
         * and a circle ends by the count. */
        for (size_t n = 0; n < BASED_ON_MAX && above != at; n++) {
            inherit(&s->v[i], &s->v[above]);
            at = above;
            above = s->v[at].based_on;
        }
    }
}

void docx_styles_open(struct docx_styles *s)
{
    *s = (struct docx_styles){.by_id = map_open(), .defaults = LOOK_NONE};
}

void docx_styles_close(struct docx_styles *s)
{
    map_close(s->by_id);
}

rc docx_styles_read(struct package *p, const struct part *part,
                    struct arena *out, struct docx_styles *s, struct err *e)
{
    struct reader r = {.s = s, .out = out};
    struct markup_sink sink = {.names = DOCX_NAMES,
                               .names_n = DOCX_NAMES_N,
                               .start = on_start,
                               .end = on_end,
                               .user = &r};
    rc code = markup_read(p, part, &sink, e);

    resolve(s);
    return code;
}

const struct docx_style *docx_style_find(const struct docx_styles *s, str id)
{
    const uint64_t *at = map_find(s->by_id, id);

    return at == NULL ? NULL : &s->v[*at];
}
