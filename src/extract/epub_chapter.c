#include "extract/epub.h"
#include "extract/html_priv.h"
#include "extract/look.h"

enum tag {
    TAG_OTHER = MARKUP_OTHER, /* inline, as far as it is known */
    TAG_BLOCK,
    TAG_H1, /* to TAG_H6, one after the other */
    TAG_H2,
    TAG_H3,
    TAG_H4,
    TAG_H5,
    TAG_H6,
    TAG_PRE,
    TAG_QUOTE,
    TAG_BR,
    TAG_IMG,
    TAG_OL,
    TAG_UL,
    TAG_LI,
    TAG_TABLE,
    TAG_TR,
    TAG_CELL,
    TAG_NAV,
    TAG_SCRIPT,
    TAG_SHEET,
    TAG_SILENT,
    TAG_RT
};

static const struct markup_name NAMES[] = {
    {NS_XHTML, "p", TAG_BLOCK},
    {NS_XHTML, "div", TAG_BLOCK},
    {NS_XHTML, "section", TAG_BLOCK},
    {NS_XHTML, "article", TAG_BLOCK},
    {NS_XHTML, "header", TAG_BLOCK},
    {NS_XHTML, "footer", TAG_BLOCK},
    {NS_XHTML, "main", TAG_BLOCK},
    {NS_XHTML, "aside", TAG_BLOCK},
    {NS_XHTML, "figure", TAG_BLOCK},
    {NS_XHTML, "figcaption", TAG_BLOCK},
    {NS_XHTML, "address", TAG_BLOCK},
    {NS_XHTML, "dl", TAG_BLOCK},
    {NS_XHTML, "dt", TAG_BLOCK},
    {NS_XHTML, "dd", TAG_BLOCK},
    {NS_XHTML, "hr", TAG_BLOCK},
    {NS_XHTML, "body", TAG_BLOCK},
    {NS_XHTML, "caption", TAG_BLOCK},
    {NS_XHTML, "h1", TAG_H1},
    {NS_XHTML, "h2", TAG_H2},
    {NS_XHTML, "h3", TAG_H3},
    {NS_XHTML, "h4", TAG_H4},
    {NS_XHTML, "h5", TAG_H5},
    {NS_XHTML, "h6", TAG_H6},
    {NS_XHTML, "pre", TAG_PRE},
    {NS_XHTML, "blockquote", TAG_QUOTE},
    {NS_XHTML, "br", TAG_BR},
    {NS_XHTML, "img", TAG_IMG},
    {NS_XHTML, "ol", TAG_OL},
    {NS_XHTML, "ul", TAG_UL},
    {NS_XHTML, "li", TAG_LI},
    {NS_XHTML, "table", TAG_TABLE},
    {NS_XHTML, "tr", TAG_TR},
    {NS_XHTML, "td", TAG_CELL},
    {NS_XHTML, "th", TAG_CELL},
    {NS_XHTML, "nav", TAG_NAV},
    {NS_XHTML, "script", TAG_SCRIPT},
    {NS_XHTML, "head", TAG_SILENT},
    {NS_XHTML, "style", TAG_SHEET},
    {NS_XHTML, "link", TAG_SHEET},
    {NS_XHTML, "template", TAG_SILENT},
    {NS_XHTML, "rp", TAG_SILENT},
    {NS_XHTML, "rt", TAG_RT},
    {NS_MATHML, "annotation", TAG_SILENT},
};

/* What an element hands down to those in it. */
struct level {
    bool silent;
    enum doc_flag_kind drops; /* DOC_FLAG_COUNT: nothing does */
    bool back;                /* what is inside may be seen again */
    bool own_ground, ground_known;
    uint32_t color, ground;
    enum role role;
    unsigned heading;
    uint32_t span; /* of cells */
};

struct list {
    bool ordered;
    uint32_t number; /* of its next item */
};

struct chapter {
    struct flow *f;
    unsigned depth;
    bool open; /* a paragraph */
    enum role role;
    bool item; /* the next paragraph has the mark of one */
    bool sheets;
    struct list lists[FLOW_LEVELS];
    unsigned lists_n;
    struct level levels[MARKUP_DEPTH_MAX + 1];
};

static struct list *list_top(struct chapter *c)
{
    unsigned n = c->lists_n > FLOW_LEVELS ? FLOW_LEVELS : c->lists_n;

    return n == 0 ? NULL : &c->lists[n - 1];
}

/* ---- paragraphs ---- */

static void para_end(struct chapter *c)
{
    if (c->open)
        flow_para_end(c->f, c->role, true);
    c->open = false;
    if (c->role == ROLE_CODE && !flow_is_inline(c->f))
        c->f->code = false; /* what follows is code of its own */
}

static void para_open(struct chapter *c)
{
    const struct level *l = &c->levels[c->depth];
    struct flow_para p = {
        .role = l->role, .heading = l->heading, .number = FLOW_NO_ITEM};
    struct list *list = list_top(c);

    if (c->open)
        return;
    c->open = true;
    c->role = l->role;
    if (c->item && list != NULL && !flow_is_inline(c->f) &&
        (l->role == ROLE_PLAIN || l->role == ROLE_QUOTE)) {
        p.level = c->lists_n > FLOW_LEVELS ? FLOW_LEVELS : c->lists_n;
        p.number = list->ordered ? list->number++ : WRITER_BULLET;
        c->item = false;
    }
    flow_para(c->f, &p);
}

static void show(struct chapter *c, str s)
{
    const struct level *l = &c->levels[c->depth];

    if (l->silent)
        return;
    if (l->drops != DOC_FLAG_COUNT) {
        flow_drop(c->f, l->drops, s);
        return;
    }
    if (!c->open && str_blank(s) && l->role != ROLE_CODE)
        return;
    para_open(c);
    flow_text(c->f, s);
}

/* ---- the tags ---- */

static void colors_take(struct level *l, const struct html_look *look)
{
    if (look->has_color)
        l->color = look->color;
    if (look->has_ground || look->ground_unknown) {
        l->own_ground = true;
        l->ground_known = look->has_ground;
        l->ground = look->ground;
    }
}

/* The ways of html_hide.c: what an element says of itself, not what style
 * sheets do. A ground that nobody painted is white if there are none. */
static enum doc_flag_kind hides(const struct chapter *c, struct level *l,
                                const struct markup_tag *t)
{
    str aria = markup_attr(t, NS_NONE, "aria-hidden");
    struct html_look look = {0};
    bool colored;

    html_style(markup_attr(t, NS_NONE, "style"), &look);
    colored = look.has_color || look.has_ground || look.ground_unknown;
    colors_take(l, &look);
    l->back = false;
    if (markup_attr(t, NS_NONE, "hidden").p != NULL || look.hidden ||
        str_eq(aria, STR("true")))
        return FLAG_HIDDEN;
    if (look.clear)
        return FLAG_INVISIBLE;
    if (look.off_page)
        return FLAG_OFF_PAGE;
    l->back = true;
    if (look.unseen || (html_hints_class(markup_attr(t, NS_NONE, "class")) &
                        HINT_READER_ONLY) != 0)
        return FLAG_HIDDEN;
    if (look.tiny)
        return FLAG_TINY;
    if (colored && l->ground_known && (l->own_ground || !c->sheets) &&
        html_colors_alike(l->color, l->ground))
        return FLAG_INVISIBLE;
    if ((l->drops == FLAG_HIDDEN && !look.seen) ||
        (l->drops == FLAG_TINY && !look.has_size) ||
        (l->drops == FLAG_INVISIBLE && !colored))
        return l->drops;
    return DOC_FLAG_COUNT;
}

static uint32_t number_of(const struct markup_tag *t, const char *name,
                          uint32_t missing)
{
    uint64_t n;

    return str_to_u64(markup_attr(t, NS_NONE, name), 1000000, &n) ? (uint32_t)n
                                                                  : missing;
}

static void list_begin(struct chapter *c, const struct markup_tag *t)
{
    para_end(c);
    if (c->lists_n < FLOW_LEVELS)
        c->lists[c->lists_n] = (struct list){
            .ordered = t->id == TAG_OL, .number = number_of(t, "start", 1)};
    c->lists_n++;
}

static void enter(struct chapter *c, const struct markup_tag *t)
{
    struct level *l = &c->levels[c->depth];

    switch (t->id) {
    case TAG_BLOCK:
        para_end(c);
        break;
    case TAG_H1:
    case TAG_H2:
    case TAG_H3:
    case TAG_H4:
    case TAG_H5:
    case TAG_H6:
        para_end(c);
        l->role = ROLE_HEADING;
        l->heading = t->id - TAG_H1 + 1;
        break;
    case TAG_PRE:
        para_end(c);
        l->role = ROLE_CODE;
        break;
    case TAG_QUOTE:
        para_end(c);
        l->role = ROLE_QUOTE;
        break;
    case TAG_BR:
        if (c->open && !l->silent && l->drops == DOC_FLAG_COUNT)
            flow_break(c->f);
        break;
    case TAG_IMG:
        c->f->w->d->images += !l->silent && l->drops == DOC_FLAG_COUNT;
        break;
    case TAG_OL:
    case TAG_UL:
        list_begin(c, t);
        break;
    case TAG_LI:
        para_end(c);
        c->item = true;
        break;
    case TAG_TABLE:
        para_end(c);
        flow_table(c->f);
        break;
    case TAG_TR:
        para_end(c);
        flow_row(c->f);
        break;
    case TAG_CELL:
        para_end(c);
        l->span = number_of(t, "colspan", 1);
        flow_cell(c->f, 0);
        break;
    case TAG_NAV:
        para_end(c);
        l->drops = FLAG_BOILERPLATE;
        l->back = false;
        break;
    case TAG_SCRIPT:
        flow_drop(c->f, FLAG_SCRIPT, STR("script"));
        l->silent = true;
        break;
    case TAG_SHEET:
        c->sheets = true;
        l->silent = true;
        break;
    case TAG_SILENT:
        l->silent = true;
        break;
    case TAG_RT: /* how it is read, above the signs */
        show(c, STR("("));
        break;
    default:
        break;
    }
}

static void leave(struct chapter *c, unsigned id, const struct level *l)
{
    switch (id) {
    case TAG_OTHER:
    case TAG_BR:
    case TAG_IMG:
    case TAG_SCRIPT:
    case TAG_SHEET:
    case TAG_SILENT:
        break;
    case TAG_RT:
        show(c, STR(")"));
        break;
    case TAG_OL:
    case TAG_UL:
        para_end(c);
        c->lists_n -= c->lists_n > 0;
        c->item = false;
        break;
    case TAG_CELL:
        para_end(c);
        flow_cells(c->f, l->span == 0 ? 0 : l->span - 1);
        break;
    case TAG_TR:
        para_end(c);
        flow_row_end(c->f);
        break;
    case TAG_TABLE:
        para_end(c);
        flow_table_end(c->f);
        break;
    default: /* all that is a block ends the paragraph in it */
        para_end(c);
        break;
    }
}

static void on_start(void *user, const struct markup_tag *t)
{
    struct chapter *c = user;
    struct level *l = &c->levels[t->depth];

    *l = c->levels[t->depth - 1];
    c->depth = t->depth;
    if (l->drops == DOC_FLAG_COUNT || l->back)
        l->drops = hides(c, l, t);
    enter(c, t);
}

static void on_end(void *user, unsigned id, unsigned depth)
{
    struct chapter *c = user;

    leave(c, id, &c->levels[depth]);
    c->depth = depth - 1;
}

static void on_text(void *user, str s)
{
    show(user, s);
}

rc epub_chapter_read(struct package *p, const struct part *part, struct flow *f,
                     struct err *e)
{
    struct arena *tmp = arena_open();
    struct chapter *c = ARENA_NEW(tmp, struct chapter);
    struct markup_sink sink = {.names = NAMES,
                               .names_n = NELEMS(NAMES),
                               .start = on_start,
                               .end = on_end,
                               .text = on_text,
                               .user = c,
                               .stop = &f->w->full};
    rc code;

    c->f = f;
    c->levels[0] = (struct level){.drops = DOC_FLAG_COUNT,
                                  .role = ROLE_PLAIN,
                                  .heading = 1,
                                  .ground_known = true,
                                  .ground = LOOK_WHITE};
    code = markup_read(p, part, &sink, e);
    flow_end(f);
    arena_close(tmp);
    return code;
}
