#include "extract/docx_body_priv.h"

#include "text/utf8.h"

#define TITLE_BYTES_MAX (4 * KIB)

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

enum doc_flag_kind body_drops(struct body *b)
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

static enum role role_of(const struct docx_para *p, unsigned *heading)
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

static bool item_of(const struct docx_para *p, uint32_t *list, unsigned *level)
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

void body_para_begin(struct body *b)
{
    bool goes_on = b->joins && b->para.open;

    b->para = (struct docx_para){.open = goes_on,
                                 .style = b->x->styles.paragraph,
                                 .outline = UNSET,
                                 .list = UNSET,
                                 .list_level = UNSET,
                                 .ground = UNSET};
    b->joins = false;
    if (in_aside_box(b))
        flow_aside(&b->x->f);
}

void body_para_end(struct body *b)
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

void body_run_begin(struct body *b)
{
    b->look = LOOK_NONE;
    b->run_style = NULL;
    b->look_known = false;
}

void body_show(struct body *b, str s)
{
    struct docx *x = b->x;
    enum doc_flag_kind why = body_drops(b);
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

void body_show_break(struct body *b)
{
    if (in_instruction(b) || body_drops(b) != DOC_FLAG_COUNT || !b->para.open)
        return;
    flow_break(&b->x->f);
    if (b->x->title.n > 0 && !b->title_done)
        buf_put_char(&b->x->title, ' ');
}

/* A sign by its place in a font. Those of "Symbol" are letters; those of the
 * other fonts that are used so are ornaments. */
void body_show_symbol(struct body *b, const struct markup_tag *t)
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

        body_show(b, str_sub(*letters, (size_t)2 * ((cp | 0x20) - 'a'), 2));
    } else if (cp >= 0x100 && (cp < 0xd800 || cp >= 0xf900)) {
        utf8_put(&sign, cp);
        body_show(b, buf_str(&sign));
        buf_close(&sign);
    }
}

void body_show_note(struct body *b, const struct markup_tag *t,
                    struct docx_notes *notes)
{
    struct docx *x = b->x;
    const uint64_t *at = map_find(notes->by_id, markup_attr(t, NS_W, "id"));
    struct docx_note *note;

    if (at == NULL || b->notes != NULL || in_instruction(b) ||
        body_drops(b) != DOC_FLAG_COUNT)
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

void body_field_char(struct body *b, const struct markup_tag *t)
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

void body_instruction(struct body *b, str s)
{
    struct field *f;

    if (b->fields_n == 0 || b->fields_n > FIELDS_MAX)
        return;
    f = &b->fields[b->fields_n - 1];
    s = str_sub(s, 0, INSTRUCTION_BYTES - f->instruction_n);
    memcpy(f->instruction + f->instruction_n, s.p, s.n);
    f->instruction_n += s.n;
}

void body_field_simple(struct body *b, const struct markup_tag *t)
{
    if (b->fields_n < FIELDS_MAX)
        b->fields[b->fields_n] = (struct field){
            .result = true,
            .contents = is_contents(markup_attr(t, NS_W, "instr"))};
    b->fields_n++;
}
