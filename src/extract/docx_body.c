#include "extract/docx_body_priv.h"

static unsigned above(const struct body *b, unsigned depth, unsigned levels)
{
    return depth > levels ? b->tags[depth - levels] : DOCX_OTHER;
}

static struct table *table_top(struct body *b)
{
    unsigned n = b->tables_n > TABLES_MAX ? TABLES_MAX : b->tables_n;

    return n == 0 ? NULL : &b->tables[n - 1];
}

/* ---- properties ---- */

static bool in_run_properties(const struct body *b)
{
    unsigned run = above(b, b->depth, 2);

    return above(b, b->depth, 1) == W_RPR && (run == W_R || run == M_R);
}

static void para_property(struct body *b, const struct markup_tag *t)
{
    struct docx_para *p = &b->para;

    switch (t->id) {
    case W_PSTYLE: {
        str id = markup_attr(t, NS_W, "val");
        const struct docx_style *s = docx_style_find(&b->x->styles, id);

        p->style = s != NULL ? s : p->style;
        if (s == NULL && role_heading(id) > 0) /* styles were left out */
            p->outline = role_heading(id) - 1;
        break;
    }
    case W_OUTLINELVL:
        p->outline = docx_number(t, "val");
        break;
    case W_SHD:
        p->ground = docx_shade(t);
        break;
    default:
        break;
    }
}

static void shade(struct body *b, const struct markup_tag *t)
{
    struct table *table = table_top(b);

    if (table == NULL)
        return;
    if (above(b, b->depth, 1) == W_TCPR)
        table->cell_ground = docx_shade(t);
    else if (above(b, b->depth, 1) == W_TBLPR)
        table->ground = docx_shade(t);
}

static void property(struct body *b, const struct markup_tag *t)
{
    unsigned parent = above(b, b->depth, 1);

    if (in_run_properties(b)) {
        if (t->id == W_RSTYLE)
            b->run_style =
                docx_style_find(&b->x->styles, markup_attr(t, NS_W, "val"));
        docx_look_take(&b->look, t);
    } else if (parent == W_PPR && above(b, b->depth, 2) == W_P) {
        para_property(b, t);
    } else if (parent == W_NUMPR && above(b, b->depth, 3) == W_P) {
        if (t->id == W_NUMID)
            b->para.list = docx_number(t, "val");
        else if (t->id == W_ILVL)
            b->para.list_level = docx_number(t, "val");
    } else if (t->id == W_SHD) {
        shade(b, t);
    }
}

/* ---- tables ---- */

static void table_begin(struct body *b)
{
    b->tables_n++;
    if (b->tables_n <= TABLES_MAX)
        b->tables[b->tables_n - 1] =
            (struct table){.ground = UNSET, .cell_ground = UNSET};
    b->joins = false;
    flow_table(&b->x->f);
}

static void row_begin(struct body *b)
{
    struct table *t = table_top(b);

    if (t == NULL)
        return;
    t->row_deleted = false;
    t->before = 0;
    flow_row(&b->x->f);
}

static void cell_begin(struct body *b)
{
    struct table *t = table_top(b);

    b->para.open = b->joins = false;
    if (t == NULL)
        return;
    t->span = 1;
    t->cell_ground = UNSET;
    t->cell_deleted = false;
    if (!t->row_deleted)
        flow_cell(&b->x->f, t->before);
}

static void cell_end(struct body *b)
{
    const struct table *t = table_top(b);

    if (t != NULL && !t->row_deleted)
        flow_cells(&b->x->f, t->span - 1);
}

static void row_end(struct body *b)
{
    struct table *t = table_top(b);

    if (t == NULL)
        return;
    t->row_deleted = t->cell_deleted = false;
    flow_row_end(&b->x->f);
}

static void table_end(struct body *b)
{
    if (b->tables_n == 0)
        return;
    b->tables_n--;
    b->para.open = b->joins = false;
    flow_table_end(&b->x->f);
}

static void table_property(struct body *b, const struct markup_tag *t)
{
    struct table *table = table_top(b);
    uint32_t n = docx_number(t, "val");
    const struct docx_style *style;

    if (table == NULL)
        return;
    n = n > FLOW_SPAN_MAX ? 1 : n;
    switch (t->id) {
    case W_GRIDCOL:
        flow_columns(&b->x->f, 1);
        break;
    case W_GRIDSPAN:
        table->span = n == 0 ? 1 : n;
        break;
    case W_GRIDBEFORE:
        table->before = n;
        break;
    case W_CELLDEL:
        table->cell_deleted = true;
        break;
    case W_TBLSTYLE:
        style = docx_style_find(&b->x->styles, markup_attr(t, NS_W, "val"));
        if (style != NULL && table->ground == UNSET)
            table->ground = style->ground;
        break;
    default:
        break;
    }
}

/* ---- boxes ---- */

static void box_begin(struct body *b)
{
    if (b->boxes_n++ >= BOXES_MAX)
        return;
    b->boxes[b->boxes_n - 1].drops = DOC_FLAG_COUNT; /* not known yet */
    b->boxes[b->boxes_n - 1] =
        (struct box){.around = b->para,
                     .drops = body_drops(b),
                     .fill = b->fill,
                     .aside = b->x->f.asides_n == 0 && b->notes == NULL};
    b->joins = false;
}

static void box_end(struct body *b)
{
    b->boxes_n--;
    if (b->boxes_n < BOXES_MAX)
        b->para = b->boxes[b->boxes_n].around;
    b->joins = false;
    b->look_known = false;
}

static void shape_fill(struct body *b, const struct markup_tag *t)
{
    str color = markup_attr(t, NS_NONE, "fillcolor"),
        filled = markup_attr(t, NS_NONE, "filled");

    if (str_starts(filled, STR("f")) || str_eq(filled, STR("0")))
        b->fill = UNSET;
    else if (color.p == NULL || str_starts(color, STR("white")))
        b->fill = LOOK_WHITE;
    else if (color.n >= 7 && color.p[0] == '#' &&
             look_is_color(look_color(str_sub(color, 1, 6))))
        b->fill = look_color(str_sub(color, 1, 6));
    else
        b->fill = LOOK_UNKNOWN;
}

static void fill(struct body *b, const struct markup_tag *t)
{
    bool of_shape = above(b, b->depth, 1) == WPS_SPPR;
    bool of_fill =
        above(b, b->depth, 1) == A_FILL && above(b, b->depth, 2) == WPS_SPPR;
    str val = markup_attr(t, NS_NONE, "val");

    if ((t->id == A_FILL && of_shape) ||
        (t->id == A_FILLREF && b->fill == UNSET &&
         !str_eq(markup_attr(t, NS_NONE, "idx"), STR("0"))))
        b->fill = LOOK_UNKNOWN;
    else if (t->id == A_NOFILL && of_shape)
        b->fill = LOOK_AUTO;
    else if (t->id == A_RGB && of_fill && look_is_color(look_color(val)))
        b->fill = look_color(val);
    else if (t->id == A_SCHEME && of_fill && str_eq(val, STR("bg1")))
        b->fill = LOOK_WHITE;
}

/* ---- containers ---- */

/* A deletion is about a paragraph's mark, about a row, or about all in it. */
static bool deletion_holds(const struct body *b, unsigned depth)
{
    unsigned parent = above(b, depth, 1);

    return parent != W_RPR && parent != W_TRPR;
}

static void deletion_begin(struct body *b)
{
    struct table *t = table_top(b);
    unsigned parent = above(b, b->depth, 1);

    if (deletion_holds(b, b->depth))
        b->deleted++;
    else if (parent == W_RPR && above(b, b->depth, 2) == W_PPR)
        b->para.mark_deleted = true;
    else if (parent == W_TRPR && t != NULL)
        t->row_deleted = true;
}

static void gallery(struct body *b, const struct markup_tag *t)
{
    unsigned at = b->depth;

    if (!str_eq(markup_attr(t, NS_W, "val"), STR("Table of Contents")) ||
        b->contents > 0)
        return;
    while (at > 1 && b->tags[at] != W_SDT)
        at--;
    b->contents = at > 1 ? at : 0;
}

/* Of alternatives the first is taken: all say the same. */
static void alternative(struct body *b)
{
    unsigned at = b->depth - 1;

    if (above(b, b->depth, 1) != MC_ALTERNATECONTENT)
        return;
    if (b->taken[at])
        b->skip = b->depth;
    b->taken[at] = true;
}

static void note_begin(struct body *b, const struct markup_tag *t)
{
    if (b->notes == NULL || b->x->f.asides_n > 0)
        return;
    b->note_id = arena_str(b->x->out, markup_attr(t, NS_W, "id"));
    b->fields_n = 0;
    flow_aside(&b->x->f);
}

static void note_end(struct body *b)
{
    struct docx_note note = {0};

    if (b->notes == NULL || b->x->f.asides_n == 0)
        return;
    note.text = flow_aside_end(&b->x->f);
    *map_slot(b->notes->by_id, b->note_id, NULL) = b->notes->n;
    ARENA_PUSH(b->x->out, b->notes->v, b->notes->n, b->notes->cap, note);
}

/* ---- the tags ---- */

static void run_content(struct body *b, const struct markup_tag *t)
{
    if (above(b, b->depth, 1) != W_R)
        return;
    switch (t->id) {
    case W_TAB:
    case W_PTAB:
        body_show(b, STR("\t"));
        break;
    case W_BR:
    case W_CR:
        body_show_break(b);
        break;
    case W_NOBREAKHYPHEN:
        body_show(b, STR("-"));
        break;
    case W_SYM:
        body_show_symbol(b, t);
        break;
    case W_FOOTNOTEREFERENCE:
        body_show_note(b, t, &b->x->footnotes);
        break;
    case W_ENDNOTEREFERENCE:
        body_show_note(b, t, &b->x->endnotes);
        break;
    case W_FLDCHAR:
        body_field_char(b, t);
        break;
    default:
        break;
    }
}

static void enter(struct body *b, const struct markup_tag *t)
{
    switch (t->id) {
    case W_P:
        body_para_begin(b);
        break;
    case W_R:
    case M_R:
        body_run_begin(b);
        break;
    case W_RT: /* how it is read, above the signs */
        body_show(b, STR("("));
        break;
    case W_TAB:
    case W_PTAB:
    case W_BR:
    case W_CR:
    case W_NOBREAKHYPHEN:
    case W_SYM:
    case W_FOOTNOTEREFERENCE:
    case W_ENDNOTEREFERENCE:
    case W_FLDCHAR:
        run_content(b, t);
        break;
    case W_FLDSIMPLE:
        body_field_simple(b, t);
        break;
    case W_PSTYLE:
    case W_RSTYLE:
    case W_OUTLINELVL:
    case W_ILVL:
    case W_NUMID:
    case W_VANISH:
    case W_WEBHIDDEN:
    case W_COLOR:
    case W_SZ:
    case W_SHD:
    case W_HIGHLIGHT:
        property(b, t);
        break;
    case W_CHANGE:
        b->skip = b->depth;
        break;
    case W_TBL:
        table_begin(b);
        break;
    case W_TR:
        row_begin(b);
        break;
    case W_TC:
        cell_begin(b);
        break;
    case W_GRIDCOL:
    case W_GRIDSPAN:
    case W_GRIDBEFORE:
    case W_CELLDEL:
    case W_TBLSTYLE:
        table_property(b, t);
        break;
    case W_DEL:
    case W_MOVEFROM:
        deletion_begin(b);
        break;
    case W_DOCPARTGALLERY:
        gallery(b, t);
        break;
    case MC_ALTERNATECONTENT:
        b->taken[b->depth] = false;
        break;
    case MC_CHOICE:
    case MC_FALLBACK:
        alternative(b);
        break;
    case W_DRAWING:
    case W_PICT:
        b->fill = UNSET;
        break;
    case W_IMAGE:
        b->x->f.w->d->images += body_drops(b) == DOC_FLAG_COUNT;
        break;
    case A_FILL:
    case A_NOFILL:
    case A_FILLREF:
    case A_RGB:
    case A_SCHEME:
        fill(b, t);
        break;
    case V_SHAPE:
        shape_fill(b, t);
        break;
    case W_TXBXCONTENT:
        box_begin(b);
        break;
    case W_FOOTNOTE:
    case W_ENDNOTE:
        note_begin(b, t);
        break;
    case W_BACKGROUND:
        if (b->x->shows_background &&
            look_is_color(look_color(markup_attr(t, NS_W, "color"))))
            b->page = look_color(markup_attr(t, NS_W, "color"));
        break;
    default: /* what has no text and changes none */
        break;
    }
}

static void leave(struct body *b, unsigned id, unsigned depth)
{
    switch (id) {
    case W_P:
        body_para_end(b);
        break;
    case W_RT:
        body_show(b, STR(")"));
        break;
    case W_FLDSIMPLE:
        b->fields_n -= b->fields_n > 0;
        break;
    case W_TBL:
        table_end(b);
        break;
    case W_TR:
        row_end(b);
        break;
    case W_TC:
        cell_end(b);
        break;
    case W_DEL:
    case W_MOVEFROM:
        if (deletion_holds(b, depth))
            b->deleted--;
        break;
    case W_SDT:
        if (b->contents == depth)
            b->contents = 0;
        break;
    case W_TXBXCONTENT:
        box_end(b);
        break;
    case W_FOOTNOTE:
    case W_ENDNOTE:
        note_end(b);
        break;
    default:
        break;
    }
}

static void on_start(void *user, const struct markup_tag *t)
{
    struct body *b = user;

    b->depth = t->depth;
    b->tags[t->depth] = t->id;
    if (b->skip == 0 && t->id != DOCX_OTHER)
        enter(b, t);
}

static void on_end(void *user, unsigned id, unsigned depth)
{
    struct body *b = user;

    if (b->skip == 0)
        leave(b, id, depth);
    if (b->skip == depth)
        b->skip = 0;
    b->depth = depth - 1;
}

static void on_text(void *user, str s)
{
    struct body *b = user;

    if (b->skip > 0)
        return;
    switch (b->tags[b->depth]) {
    case W_T:
        if (above(b, b->depth, 1) == W_R)
            body_show(b, s);
        break;
    case M_T:
        body_show(b, s);
        break;
    case W_DELTEXT:
        flow_drop(&b->x->f, FLAG_DELETED, s);
        break;
    case W_INSTRTEXT:
        body_instruction(b, s);
        break;
    default:
        break;
    }
}

static rc body_read(struct docx *x, const struct part *part,
                    struct docx_notes *notes, struct err *e)
{
    struct body *b = ARENA_NEW(x->out, struct body);
    struct markup_sink sink = {.names = DOCX_NAMES,
                               .names_n = DOCX_NAMES_N,
                               .start = on_start,
                               .end = on_end,
                               .text = on_text,
                               .user = b,
                               .stop = &x->w.full};
    rc code;

    b->x = x;
    b->notes = notes;
    b->page = LOOK_WHITE;
    b->fill = UNSET;
    body_run_begin(b);
    code = markup_read(x->p, part, &sink, e);
    if (notes == NULL)
        flow_end(&x->f);
    while (x->f.asides_n > 0) /* the note broke off */
        (void)flow_aside_end(&x->f);
    if (code == RC_OK && b->fields_n > 0 && x->lost.n == 0)
        x->lost = STR("A field in the file does not end; what stands behind "
                      "it may be missing");
    return code;
}

rc docx_body_read(struct docx *x, const struct part *part, struct err *e)
{
    return body_read(x, part, NULL, e);
}

rc docx_notes_read(struct docx *x, const struct part *part,
                   struct docx_notes *notes, struct err *e)
{
    return body_read(x, part, notes, e);
}
