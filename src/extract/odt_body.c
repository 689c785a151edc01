#include "extract/odt.h"

#define TITLE_BYTES_MAX (4 * KIB)
#define SPACES_MAX 100 /* of one text:s */

struct para {
    bool in;    /* between its tags */
    bool open;  /* its text has begun */
    bool space; /* of code: what came last is white space */
    enum role role;
    unsigned heading;
};

/* What an element hands down to those in it, and what it gives back. */
struct level {
    unsigned tag;
    bool silent, hidden;
    enum doc_flag_kind drops; /* DOC_FLAG_COUNT: nothing does */
    struct look look;
    uint32_t ground;
    bool aside; /* it opened one */
    /* Of boxes and notes: what goes on behind them. */
    struct para around;
    bool box;
    bool pictured;     /* a frame whose picture was counted */
    uint32_t repeated; /* of cells */
};

struct list {
    struct odt_list_style *style;
    uint32_t count;
};

struct body {
    struct odt_styles *s;
    struct flow *f;
    struct buf *title;
    bool in_body, title_done;
    bool box; /* paragraphs are those of a box, each an aside */
    struct para para;
    struct list lists[FLOW_LEVELS];
    unsigned lists_n;
    bool item; /* the next paragraph has the mark of an item */
    unsigned depth;
    struct level levels[MARKUP_DEPTH_MAX + 1];
};

static struct list *list_top(struct body *b)
{
    unsigned n = b->lists_n > FLOW_LEVELS ? FLOW_LEVELS : b->lists_n;

    return n == 0 ? NULL : &b->lists[n - 1];
}

/* ---- text ---- */

static enum doc_flag_kind drops(const struct body *b)
{
    const struct level *l = &b->levels[b->depth];

    if (l->drops != DOC_FLAG_COUNT)
        return l->drops;
    if (b->para.role == ROLE_CONTENTS)
        return FLAG_BOILERPLATE;
    if (l->hidden)
        return FLAG_HIDDEN;
    return look_drops(&l->look, look_is_ground(l->look.ground) ? l->look.ground
                                                               : l->ground);
}

static uint32_t item_number(const struct body *b, unsigned level)
{
    const struct list *l = &b->lists[level - 1];

    if (l->style == NULL || !l->style->levels[level - 1].ordered)
        return WRITER_BULLET;
    return l->style->levels[level - 1].start + l->count - 1;
}

static void para_open(struct body *b)
{
    struct flow_para p = {.role = b->para.role,
                          .heading = b->para.heading,
                          .number = FLOW_NO_ITEM};

    if (b->para.open)
        return;
    b->para.open = true;
    if (b->item && b->lists_n > 0 && !flow_is_inline(b->f)) {
        p.level = b->lists_n > FLOW_LEVELS ? FLOW_LEVELS : b->lists_n;
        p.number = item_number(b, p.level);
        b->item = false;
    }
    flow_para(b->f, &p);
}

static void show(struct body *b, str s)
{
    enum doc_flag_kind why = drops(b);

    if (!b->para.in || b->levels[b->depth].silent)
        return;
    if (why != DOC_FLAG_COUNT) {
        flow_drop(b->f, why, s);
        return;
    }
    para_open(b);
    flow_text(b->f, s);
    if (b->para.role == ROLE_TITLE && !b->title_done && !flow_is_inline(b->f) &&
        s.n <= TITLE_BYTES_MAX - b->title->n)
        buf_put(b->title, s);
}

static bool white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* White space is one space, and none where a paragraph begins: that of code
 * stands in tags. In all else the writer sees to it. */
static void show_text(struct body *b, str s)
{
    size_t start = 0;

    if (b->para.role != ROLE_CODE || drops(b) != DOC_FLAG_COUNT) {
        if (b->para.open || !str_blank(s))
            show(b, s);
        return;
    }
    for (size_t at = 0; at < s.n; at++) {
        if (!white(s.p[at])) {
            b->para.space = false;
            continue;
        }
        if (at > start)
            show(b, str_sub(s, start, at - start));
        if (!b->para.space)
            show(b, STR(" "));
        b->para.space = true;
        start = at + 1;
    }
    if (start < s.n)
        show(b, str_sub(s, start, s.n));
}

static void show_spaces(struct body *b, const struct markup_tag *t)
{
    uint32_t n = odt_repeated(t, NS_TEXT, "c");

    for (uint32_t i = 0; i < n && i < SPACES_MAX; i++)
        show(b, STR(" "));
}

static void show_break(struct body *b)
{
    if (b->para.open && !b->levels[b->depth].silent &&
        drops(b) == DOC_FLAG_COUNT)
        flow_break(b->f);
    b->para.space = true;
}

/* ---- paragraphs ---- */

static void style_take(struct body *b, const char *family, str name)
{
    struct level *l = &b->levels[b->depth];
    const struct odt_style *s = odt_style_find(b->s, family, name);

    if (s == NULL)
        return;
    look_lay(&l->look, &s->look);
    if (s->look.hidden != TRI_UNSET)
        l->hidden = s->look.hidden == TRI_YES;
    if (look_is_ground(s->ground))
        l->ground = s->ground;
}

static void para_begin(struct body *b, const struct markup_tag *t)
{
    struct level *l = &b->levels[b->depth];
    str name = markup_attr(t, NS_TEXT, "style-name");
    const struct odt_style *s = odt_style_find(b->s, "paragraph", name);
    uint32_t level = odt_repeated(t, NS_TEXT, "outline-level");

    b->para = (struct para){.in = true, .space = true};
    if (s != NULL)
        b->para.role = s->role;
    else /* styles may be left out */
        b->para.role =
            role_of_name(odt_unescape(name, b->s->out), &b->para.heading);
    l->look = b->s->defaults;
    l->hidden = b->s->defaults.hidden == TRI_YES;
    style_take(b, "paragraph", name);
    if (t->id == ODT_H) {
        b->para.role = ROLE_HEADING;
        b->para.heading = level == 0 ? 1 : level;
    } else if (b->para.role == ROLE_HEADING) {
        b->para.role = ROLE_PLAIN; /* looks like one and says it is none */
    }
    l->aside = b->box;
    if (l->aside)
        flow_aside(b->f);
}

static void para_end(struct body *b, const struct level *l)
{
    b->para.in = false;
    if (l->aside) {
        flow_later(b->f, 0, flow_aside_end(b->f));
        return;
    }
    flow_para_end(b->f, b->para.role, b->para.open);
    b->title_done = b->title_done || b->title->n > 0;
}

/* ---- notes and boxes ---- */

static void inner_begin(struct body *b, bool box)
{
    struct level *l = &b->levels[b->depth];

    l->around = b->para;
    l->box = b->box;
    l->aside = !box;
    b->para = (struct para){0};
    b->box = box && b->f->asides_n == 0;
    if (l->aside)
        flow_aside(b->f);
}

static void inner_end(struct body *b, const struct level *l)
{
    str text = l->aside ? flow_aside_end(b->f) : STR_NONE;

    b->para = l->around;
    b->box = l->box;
    if (text.n == 0 || drops(b) != DOC_FLAG_COUNT || !b->para.in)
        return;
    para_open(b);
    flow_note_mark(b->f, ++b->f->notes);
    flow_later(b->f, b->f->notes, text);
}

/* ---- lists ---- */

static bool is_true(const struct markup_tag *t, const char *name)
{
    return str_eq(markup_attr(t, NS_TEXT, name), STR("true"));
}

static void list_begin(struct body *b, const struct markup_tag *t)
{
    const struct list *outer = list_top(b);
    str name = markup_attr(t, NS_TEXT, "style-name");
    struct list l = {.style = outer == NULL ? NULL : outer->style};

    if (name.n > 0)
        l.style = odt_list_find(b->s, name);
    if (b->lists_n == 0 && l.style != NULL &&
        (is_true(t, "continue-numbering") ||
         markup_attr(t, NS_TEXT, "continue-list").n > 0))
        l.count = l.style->counts[0];
    if (b->lists_n < FLOW_LEVELS)
        b->lists[b->lists_n] = l;
    b->lists_n++;
}

static void item_begin(struct body *b, const struct markup_tag *t)
{
    struct list *l = list_top(b);
    str value = markup_attr(t, NS_TEXT, "start-value");
    unsigned level = b->lists_n > FLOW_LEVELS ? FLOW_LEVELS : b->lists_n;

    b->item = t->id == ODT_LIST_ITEM;
    if (l == NULL || level == 0 || !b->item)
        return;
    l->count++;
    if (value.n > 0 && l->style != NULL)
        l->count = odt_repeated(t, NS_TEXT, "start-value") -
                   l->style->levels[level - 1].start + 1;
}

static void list_end(struct body *b)
{
    struct list *l = list_top(b);

    if (l == NULL)
        return;
    if (b->lists_n == 1 && l->style != NULL)
        l->style->counts[0] = l->count;
    b->lists_n--;
    b->item = false;
}

/* ---- tables ---- */

static void cell_begin(struct body *b, const struct markup_tag *t)
{
    struct level *l = &b->levels[b->depth];

    l->repeated = odt_repeated(t, NS_TABLE, "number-columns-repeated");
    if (t->id == ODT_COVERED_CELL)
        l->drops = FLAG_HIDDEN;
    style_take(b, "table-cell", markup_attr(t, NS_TABLE, "style-name"));
    flow_cell(b->f, 0);
}

/* ---- the tags ---- */

static void drop_all(struct body *b, enum doc_flag_kind why)
{
    if (b->levels[b->depth].drops == DOC_FLAG_COUNT)
        b->levels[b->depth].drops = why;
}

static void drop_rest(struct body *b)
{
    for (unsigned d = b->depth; d > 0; d--) {
        b->levels[d].drops = FLAG_HIDDEN;
        if (b->levels[d].tag == ODT_P || b->levels[d].tag == ODT_H)
            break;
    }
}

/* A frame holds one picture, if in several forms of which one is shown. */
static void image(struct body *b)
{
    const struct level *l = &b->levels[b->depth];
    struct level *frame = &b->levels[b->depth - 1];

    if (frame->pictured || l->silent || l->hidden || l->drops != DOC_FLAG_COUNT)
        return;
    frame->pictured = true;
    b->f->w->d->images++;
}

static void enter(struct body *b, const struct markup_tag *t)
{
    struct level *l = &b->levels[b->depth];

    switch (t->id) {
    case ODT_P:
    case ODT_H:
        para_begin(b, t);
        break;
    case ODT_SPAN:
        style_take(b, "text", markup_attr(t, NS_TEXT, "style-name"));
        break;
    case ODT_S:
        show_spaces(b, t);
        break;
    case ODT_TAB:
        show(b, STR("\t"));
        b->para.space = true;
        break;
    case ODT_BREAK:
        show_break(b);
        break;
    case ODT_RUBY_TEXT: /* how it is read, above the signs */
        show(b, STR("("));
        break;
    case ODT_SECTION:
        if (str_eq(markup_attr(t, NS_TEXT, "display"), STR("none")) ||
            is_true(t, "is-hidden"))
            drop_all(b, FLAG_HIDDEN);
        break;
    case ODT_HIDDEN_TEXT:
        if (is_true(t, "is-hidden"))
            drop_all(b, FLAG_HIDDEN);
        break;
    case ODT_HIDDEN_PARAGRAPH:
        if (is_true(t, "is-hidden"))
            drop_rest(b);
        break;
    case ODT_DELETION:
        drop_all(b, FLAG_DELETED);
        break;
    case ODT_INDEX:
        drop_all(b, FLAG_BOILERPLATE);
        break;
    case ODT_ANNOTATION:
        inner_begin(b, false);
        drop_all(b, FLAG_COMMENT);
        break;
    case ODT_NOTE_BODY:
        inner_begin(b, false);
        break;
    case ODT_FRAME:
        l->pictured = false;
        style_take(b, "graphic", markup_attr(t, NS_DRAW, "style-name"));
        break;
    case ODT_TEXT_BOX:
        inner_begin(b, true);
        break;
    case ODT_IMAGE:
        image(b);
        break;
    case ODT_OBJECT:
        flow_drop(b->f, FLAG_ATTACHMENT, markup_attr(t, NS_XLINK, "href"));
        l->silent = true;
        break;
    case ODT_SCRIPT:
        flow_drop(b->f, FLAG_SCRIPT, STR("script"));
        l->silent = true;
        break;
    case ODT_SILENT:
        l->silent = true;
        break;
    case ODT_LIST:
        list_begin(b, t);
        break;
    case ODT_LIST_ITEM:
    case ODT_LIST_HEADER:
        item_begin(b, t);
        break;
    case ODT_TABLE:
        style_take(b, "table", markup_attr(t, NS_TABLE, "style-name"));
        flow_table(b->f);
        break;
    case ODT_COLUMN:
        flow_columns(b->f,
                     odt_repeated(t, NS_TABLE, "number-columns-repeated"));
        break;
    case ODT_ROW:
        style_take(b, "table-row", markup_attr(t, NS_TABLE, "style-name"));
        flow_row(b->f);
        break;
    case ODT_CELL:
    case ODT_COVERED_CELL:
        cell_begin(b, t);
        break;
    default:
        break;
    }
}

static void leave(struct body *b, const struct level *l)
{
    switch (l->tag) {
    case ODT_P:
    case ODT_H:
        para_end(b, l);
        break;
    case ODT_RUBY_TEXT:
        show(b, STR(")"));
        break;
    case ODT_ANNOTATION:
    case ODT_NOTE_BODY:
    case ODT_TEXT_BOX:
        inner_end(b, l);
        break;
    case ODT_LIST:
        list_end(b);
        break;
    case ODT_LIST_ITEM:
    case ODT_LIST_HEADER:
        b->item = false;
        break;
    case ODT_CELL:
    case ODT_COVERED_CELL:
        flow_cells(b->f, l->repeated - 1);
        break;
    case ODT_ROW:
        flow_row_end(b->f);
        break;
    case ODT_TABLE:
        flow_table_end(b->f);
        break;
    default:
        break;
    }
}

static void on_start(void *user, const struct markup_tag *t)
{
    struct body *b = user;
    struct level *l = &b->levels[t->depth];

    *l = b->levels[t->depth - 1];
    l->tag = t->id;
    l->aside = false;
    b->depth = t->depth;
    if (t->id == ODT_BODY && !b->in_body) {
        odt_styles_resolve(b->s);
        l->ground = b->s->page;
        b->in_body = true;
    } else if (!b->in_body) {
        odt_styles_start(b->s, t);
    } else if (t->id != ODT_OTHER) {
        enter(b, t);
    }
}

static void on_end(void *user, unsigned id, unsigned depth)
{
    struct body *b = user;

    if (!b->in_body)
        odt_styles_end(b->s, id);
    else
        leave(b, &b->levels[depth]);
    b->depth = depth - 1;
}

static void on_text(void *user, str s)
{
    struct body *b = user;

    if (b->in_body && b->para.in)
        show_text(b, s);
}

rc odt_body_read(struct package *p, const struct part *part,
                 struct odt_styles *s, struct flow *f, struct buf *title,
                 struct err *e)
{
    struct body *b = ARENA_NEW(s->out, struct body);
    struct markup_sink sink = {.names = ODT_NAMES,
                               .names_n = ODT_NAMES_N,
                               .start = on_start,
                               .end = on_end,
                               .text = on_text,
                               .user = b,
                               .stop = &f->w->full};
    rc code;

    b->s = s;
    b->f = f;
    b->title = title;
    b->levels[0] = (struct level){
        .drops = DOC_FLAG_COUNT, .look = s->defaults, .ground = LOOK_WHITE};
    code = markup_read(p, part, &sink, e);
    flow_end(f);
    return code;
}
