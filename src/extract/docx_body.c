#include "extract/docx.h"

#include "text/utf8.h"

#define TABLES_MAX FLOW_TABLES_MAX
#define BOXES_MAX 8 /* open at a time; deeper ones are as the last */
#define FIELDS_MAX 64
#define INSTRUCTION_BYTES 16 /* enough to know a field by */
#define TITLE_BYTES_MAX (4 * KIB)

struct para {
    bool open; /* its block has begun */
    const struct docx_style *style;
    uint32_t outline, list, list_level, ground;
    bool mark_deleted;
};

/* What of a table decides how text in it looks, and whether it is there. */
struct table {
    uint32_t ground, cell_ground;
    bool row_deleted, cell_deleted;
    uint32_t span, before;
};

struct box {
    struct para around;
    enum doc_flag_kind drops; /* as the run does in which it stands */
    uint32_t fill;
    bool aside;
};

struct field {
    bool result, contents;
    char instruction[INSTRUCTION_BYTES];
    size_t instruction_n;
};

struct body {
    struct docx *x;
    struct docx_notes *notes; /* not NULL: they are what is read */
    str note_id;
    unsigned depth;
    unsigned skip;    /* depth at which what is left out began; 0: nothing is */
    unsigned deleted; /* open deletions */
    unsigned contents; /* depth of the table of contents' container */
    unsigned tables_n, boxes_n;
    size_t fields_n;
    struct para para;
    bool joins; /* the mark between the paragraphs is deleted */
    bool title_done;
    struct look look; /* of the run, as it sets it itself */
    const struct docx_style *run_style;
    bool look_known;
    enum doc_flag_kind run_drops; /* DOC_FLAG_COUNT: it can be read */
    uint32_t page, fill;
    struct table tables[TABLES_MAX];
    struct box boxes[BOXES_MAX];
    struct field fields[FIELDS_MAX];
    unsigned tags[MARKUP_DEPTH_MAX + 1]; /* by depth */
    bool taken[MARKUP_DEPTH_MAX + 1];    /* one alternative of those here */
};

static unsigned above(const struct body *b, unsigned depth, unsigned levels)
{
    return depth > levels ? b->tags[depth - levels] : DOCX_OTHER;
}

static struct table *table_top(struct body *b)
{
    unsigned n = b->tables_n > TABLES_MAX ? TABLES_MAX : b->tables_n;

    return n == 0 ? NULL : &b->tables[n - 1];
}

/* ---- what can't be read ---- */

/* The first of the grounds that lie on one another that is not clear. */
static uint32_t ground(const struct body *b, const struct look *l)
{
    uint32_t grounds[5 + 2 * TABLES_MAX];
    unsigned tables = b->tables_n > TABLES_MAX ? TABLES_MAX : b->tables_n;
    size_t n = 0;

    grounds[n++] = l->highlight;
    grounds[n++] = l->ground;
    grounds[n++] = b->para.ground;
    if (b->para.style != NULL)
        grounds[n++] = b->para.style->ground;
    for (unsigned i = tables; i-- > 0;) {
        grounds[n++] = b->tables[i].cell_ground;
        grounds[n++] = b->tables[i].ground;
    }
    if (b->boxes_n > 0 && b->boxes_n <= BOXES_MAX)
        grounds[n++] = b->boxes[b->boxes_n - 1].fill;
    for (size_t i = 0; i < n; i++) {
        if (look_is_ground(grounds[i]))
            return grounds[i];
    }
    return b->page;
}

static bool hidden(const struct body *b)
{
    const struct docx_style *para = b->para.style, *run = b->run_style;
    bool by_para = para != NULL && para->look.hidden == TRI_YES;
    bool by_run = run != NULL && run->look.hidden == TRI_YES;

    if (b->look.hidden != TRI_UNSET)
        return b->look.hidden == TRI_YES;
    return b->x->styles.defaults.hidden == TRI_YES || by_para != by_run;
}

static enum doc_flag_kind run_drops(const struct body *b)
{
    struct look l = b->x->styles.defaults;

    if (hidden(b))
        return FLAG_HIDDEN;
    if (b->para.style != NULL)
        look_lay(&l, &b->para.style->look);
    if (b->run_style != NULL)
        look_lay(&l, &b->run_style->look);
    look_lay(&l, &b->look);
    return look_drops(&l, ground(b, &l));
}

/* Why text that comes now is left out; DOC_FLAG_COUNT: it is not. */
static enum doc_flag_kind drops(struct body *b)
{
    if (b->deleted > 0)
        return FLAG_DELETED;
    for (size_t i = 0; i < b->tables_n && i < TABLES_MAX; i++) {
        if (b->tables[i].row_deleted || b->tables[i].cell_deleted)
            return FLAG_DELETED;
    }
    for (size_t i = 0; i < b->boxes_n && i < BOXES_MAX; i++) {
        if (b->boxes[i].drops != DOC_FLAG_COUNT)
            return b->boxes[i].drops;
    }
    if (b->contents > 0 ||
        (b->para.style != NULL && b->para.style->role == ROLE_CONTENTS))
        return FLAG_BOILERPLATE;
    for (size_t i = 0; i < b->fields_n && i < FIELDS_MAX; i++) {
        if (b->fields[i].contents)
            return FLAG_BOILERPLATE;
    }
    if (!b->look_known) {
        b->run_drops = run_drops(b);
        b->look_known = true;
    }
    return b->run_drops;
}

/* What a field is made with is no text, only what it shows. */
static bool in_instruction(const struct body *b)
{
    for (size_t i = 0; i < b->fields_n && i < FIELDS_MAX; i++) {
        if (!b->fields[i].result)
            return true;
    }
    return false;
}

/* ---- paragraphs ---- */

static enum role role_of(const struct para *p, unsigned *heading)
{
    enum role role = p->style == NULL ? ROLE_PLAIN : p->style->role;

    *heading = role == ROLE_HEADING ? p->style->heading : 1;
    if (p->outline == UNSET || role == ROLE_TITLE)
        return role;
    *heading = p->outline + 1;
    if (p->outline < DOCX_LEVELS)
        return ROLE_HEADING;
    return role == ROLE_HEADING ? ROLE_PLAIN : role;
}

static bool item_of(const struct para *p, uint32_t *list, unsigned *level)
{
    uint32_t at = p->list_level;

    *list = p->list;
    if (*list == UNSET && p->style != NULL)
        *list = p->style->list;
    if (at == UNSET && p->style != NULL)
        at = p->style->list_level;
    *level = at < DOCX_LEVELS ? at : 0;
    return *list != UNSET && *list != 0;
}

static void para_open(struct body *b)
{
    struct flow_para p = {.number = FLOW_NO_ITEM};
    uint32_t list;
    unsigned level;

    if (b->para.open)
        return;
    b->para.open = true;
    p.role = role_of(&b->para, &p.heading);
    if (p.role != ROLE_HEADING && item_of(&b->para, &list, &level)) {
        p.level = level + 1;
        p.number = docx_list_next(&b->x->lists, &b->x->styles, list, level);
    }
    flow_para(&b->x->f, &p);
}

static bool in_aside_box(const struct body *b)
{
    return b->boxes_n > 0 && b->boxes_n <= BOXES_MAX &&
           b->boxes[b->boxes_n - 1].aside;
}

static void para_begin(struct body *b)
{
    bool goes_on = b->joins && b->para.open;

    b->para = (struct para){.open = goes_on,
                            .style = b->x->styles.paragraph,
                            .outline = UNSET,
                            .list = UNSET,
                            .list_level = UNSET,
                            .ground = UNSET};
    b->joins = false;
    if (in_aside_box(b))
        flow_aside(&b->x->f);
}

static void para_end(struct body *b)
{
    struct docx *x = b->x;
    unsigned heading;

    if (in_aside_box(b)) {
        flow_later(&x->f, 0, flow_aside_end(&x->f));
        return;
    }
    b->joins = b->para.mark_deleted;
    if (b->joins)
        return;
    flow_para_end(&x->f, role_of(&b->para, &heading), b->para.open);
    if (x->title.n > 0)
        b->title_done = true;
}

/* ---- runs ---- */

static void run_begin(struct body *b)
{
    b->look = LOOK_NONE;
    b->run_style = NULL;
    b->look_known = false;
}

static void show(struct body *b, str s)
{
    struct docx *x = b->x;
    enum doc_flag_kind why = drops(b);
    unsigned heading;

    if (in_instruction(b) || (b->notes != NULL && x->f.asides_n == 0))
        return;
    if (why != DOC_FLAG_COUNT) {
        flow_drop(&x->f, why, s);
        return;
    }
    para_open(b);
    flow_text(&x->f, s);
    if (!b->title_done && !flow_is_inline(&x->f) &&
        role_of(&b->para, &heading) == ROLE_TITLE &&
        s.n <= TITLE_BYTES_MAX - x->title.n)
        buf_put(&x->title, s);
}

static void show_break(struct body *b)
{
    if (in_instruction(b) || drops(b) != DOC_FLAG_COUNT || !b->para.open)
        return;
    flow_break(&b->x->f);
    if (b->x->title.n > 0 && !b->title_done)
        buf_put_char(&b->x->title, ' ');
}

/* A sign by its place in a font. Those of "Symbol" are letters; those of the
 * other fonts that are used so are ornaments. */
static void show_symbol(struct body *b, const struct markup_tag *t)
{
    static const str GREEK[2] = {STR_INIT("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"),
                                 STR_INIT("αβχδεφγηιϕκλμνοπθρστυϖωξψζ")};
    str digits = markup_attr(t, NS_W, "char");
    struct buf sign = {0};
    uint32_t cp = 0;

    for (size_t i = 0; i < digits.n && i < 4; i++) {
        char padded[6] = {'0', '0', '0', '0', '0', digits.p[i]};

        cp = cp << 4 | (look_color((str){padded, 6}) & 0xf);
    }
    if (cp >= 0xf000 && cp < 0xf100)
        cp -= 0xf000;
    if (str_eq_nocase(markup_attr(t, NS_W, "font"), STR("Symbol")) &&
        (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z') {
        const str *letters = &GREEK[cp >= 'a'];

        show(b, str_sub(*letters, (size_t)2 * ((cp | 0x20) - 'a'), 2));
    } else if (cp >= 0x100 && (cp < 0xd800 || cp >= 0xf900)) {
        utf8_put(&sign, cp);
        show(b, buf_str(&sign));
        buf_close(&sign);
    }
}

static void show_note(struct body *b, const struct markup_tag *t,
                      struct docx_notes *notes)
{
    struct docx *x = b->x;
    const uint64_t *at = map_find(notes->by_id, markup_attr(t, NS_W, "id"));
    struct docx_note *note;

    if (at == NULL || b->notes != NULL || in_instruction(b) ||
        drops(b) != DOC_FLAG_COUNT)
        return;
    note = &notes->v[*at];
    if (note->text.n == 0)
        return;
    if (note->number == 0) {
        note->number = ++x->f.notes;
        flow_later(&x->f, note->number, note->text);
    }
    para_open(b);
    flow_note_mark(&x->f, note->number);
}

/* ---- fields ---- */

static bool is_contents(str instruction)
{
    str s = str_trim(instruction);

    return str_eq_nocase(str_sub(s, 0, 3), STR("TOC")) &&
           (s.n == 3 || s.p[3] == ' ' || s.p[3] == '\\');
}

static void field_char(struct body *b, const struct markup_tag *t)
{
    str type = markup_attr(t, NS_W, "fldCharType");
    struct field *f = b->fields_n > 0 && b->fields_n <= FIELDS_MAX
                          ? &b->fields[b->fields_n - 1]
                          : NULL;

    if (str_eq(type, STR("begin"))) {
        if (b->fields_n < FIELDS_MAX)
            b->fields[b->fields_n] = (struct field){0};
        b->fields_n++;
    } else if (str_eq(type, STR("separate")) && f != NULL) {
        f->result = true;
        f->contents = is_contents((str){f->instruction, f->instruction_n});
    } else if (str_eq(type, STR("end")) && b->fields_n > 0) {
        b->fields_n--;
    }
}

static void instruction(struct body *b, str s)
{
    struct field *f;

    if (b->fields_n == 0 || b->fields_n > FIELDS_MAX)
        return;
    f = &b->fields[b->fields_n - 1];
    s = str_sub(s, 0, INSTRUCTION_BYTES - f->instruction_n);
    memcpy(f->instruction + f->instruction_n, s.p, s.n);
    f->instruction_n += s.n;
}

/* ---- properties ---- */

static bool in_run_properties(const struct body *b)
{
    unsigned run = above(b, b->depth, 2);

    return above(b, b->depth, 1) == W_RPR && (run == W_R || run == M_R);
}

static void para_property(struct body *b, const struct markup_tag *t)
{
    struct para *p = &b->para;

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
                     .drops = drops(b),
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
        show(b, STR("\t"));
        break;
    case W_BR:
    case W_CR:
        show_break(b);
        break;
    case W_NOBREAKHYPHEN:
        show(b, STR("-"));
        break;
    case W_SYM:
        show_symbol(b, t);
        break;
    case W_FOOTNOTEREFERENCE:
        show_note(b, t, &b->x->footnotes);
        break;
    case W_ENDNOTEREFERENCE:
        show_note(b, t, &b->x->endnotes);
        break;
    case W_FLDCHAR:
        field_char(b, t);
        break;
    default:
        break;
    }
}

static void field_simple(struct body *b, const struct markup_tag *t)
{
    if (b->fields_n < FIELDS_MAX)
        b->fields[b->fields_n] = (struct field){
            .result = true,
            .contents = is_contents(markup_attr(t, NS_W, "instr"))};
    b->fields_n++;
}

static void enter(struct body *b, const struct markup_tag *t)
{
    switch (t->id) {
    case W_P:
        para_begin(b);
        break;
    case W_R:
    case M_R:
        run_begin(b);
        break;
    case W_RT: /* how it is read, above the signs */
        show(b, STR("("));
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
        field_simple(b, t);
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
        para_end(b);
        break;
    case W_RT:
        show(b, STR(")"));
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
            show(b, s);
        break;
    case M_T:
        show(b, s);
        break;
    case W_DELTEXT:
        flow_drop(&b->x->f, FLAG_DELETED, s);
        break;
    case W_INSTRTEXT:
        instruction(b, s);
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
    run_begin(b);
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
