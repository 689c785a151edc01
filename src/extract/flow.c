#include "extract/flow.h"

void flow_open(struct flow *f, struct writer *w)
{
    *f = (struct flow){.w = w};
}

void flow_close(struct flow *f)
{
    for (size_t i = 0; i < FLOW_ASIDES_MAX; i++)
        buf_close(&f->asides[i]);
}

static struct buf *innermost(struct flow *f)
{
    size_t n = f->asides_n > FLOW_ASIDES_MAX ? FLOW_ASIDES_MAX : f->asides_n;

    return n == 0 ? NULL : &f->asides[n - 1];
}

void flow_text(struct flow *f, str s)
{
    struct buf *aside = innermost(f);

    if (aside == NULL) {
        writer_text(f->w, s);
    } else if (s.n > TEXT_BYTES_MAX - f->aside_bytes) {
        f->w->full = true;
    } else {
        f->aside_bytes += s.n;
        buf_put(aside, s);
    }
}

void flow_break(struct flow *f)
{
    if (f->asides_n > 0)
        flow_text(f, STR("\n"));
    else
        writer_break(f->w);
}

static bool flagged(const struct doc *d, enum doc_flag_kind kind)
{
    for (size_t i = 0; i < d->flags_n; i++) {
        if (d->flags[i].kind == kind && d->flags[i].dropped)
            return true;
    }
    return false;
}

void flow_drop(struct flow *f, enum doc_flag_kind why, str s)
{
    struct doc_flag flag = {
        .kind = why, .dropped = true, .count = 1, .page = f->w->page};
    char sample[DOC_FLAG_SAMPLE_BYTES_MAX + 4]; /* and what is cut of a sign */

    s = str_trim(s);
    if (s.n == 0)
        return;
    if (!flagged(f->w->d, why)) { /* only the first one's is kept */
        s = str_sub(s, 0, sizeof sample);
        for (size_t i = 0; i < s.n; i++)
            sample[i] = (uint8_t)s.p[i] < ' ' ? ' ' : s.p[i];
        flag.sample = (str){sample, s.n};
    }
    doc_flag_add(f->w->d, flag, f->w->out);
}

/* ---- roles ---- */

unsigned role_heading(str name)
{
    str head = str_sub(name, 0, 7);
    uint64_t n;

    if (!str_eq_nocase(head, STR("heading")) ||
        !str_to_u64(str_trim(str_sub(name, 7, name.n)), FLOW_LEVELS, &n))
        return 0;
    return (unsigned)n;
}

enum role role_of_name(str name, unsigned *heading)
{
    static const struct {
        str name;
        enum role role;
    } ROLES[] = {{STR_INIT("title"), ROLE_TITLE},
                 {STR_INIT("toc heading"), ROLE_CONTENTS},
                 {STR_INIT("contents heading"), ROLE_CONTENTS},
                 {STR_INIT("source code"), ROLE_CODE},
                 {STR_INIT("html preformatted"), ROLE_CODE},
                 {STR_INIT("preformatted text"), ROLE_CODE},
                 {STR_INIT("macro"), ROLE_CODE},
                 {STR_INIT("macro text"), ROLE_CODE},
                 {STR_INIT("code"), ROLE_CODE},
                 {STR_INIT("code block"), ROLE_CODE},
                 {STR_INIT("quote"), ROLE_QUOTE},
                 {STR_INIT("intense quote"), ROLE_QUOTE},
                 {STR_INIT("block text"), ROLE_QUOTE},
                 {STR_INIT("quotations"), ROLE_QUOTE}};
    uint64_t n;

    *heading = role_heading(name);
    if (*heading > 0)
        return ROLE_HEADING;
    if ((str_eq_nocase(str_sub(name, 0, 4), STR("toc ")) &&
         str_to_u64(str_sub(name, 4, name.n), FLOW_LEVELS, &n)) ||
        (str_eq_nocase(str_sub(name, 0, 9), STR("contents ")) &&
         str_to_u64(str_sub(name, 9, name.n), 10, &n)))
        return ROLE_CONTENTS;
    for (size_t i = 0; i < NELEMS(ROLES); i++) {
        if (str_eq_nocase(name, ROLES[i].name))
            return ROLES[i].role;
    }
    return ROLE_UNSET;
}

/* ---- paragraphs ---- */

bool flow_is_inline(const struct flow *f)
{
    return f->asides_n > 0 || f->in_real;
}

static void code_begin(struct flow *f)
{
    if (f->code)
        writer_break(f->w);
    else
        writer_block(f->w, BLOCK_CODE, 0);
    f->code = true;
}

void flow_para(struct flow *f, const struct flow_para *p)
{
    unsigned heading = p->role == ROLE_TITLE ? 1 : p->heading;

    if (flow_is_inline(f)) {
        flow_break(f);
        return;
    }
    if (p->role == ROLE_CODE) {
        code_begin(f);
        return;
    }
    f->code = false;
    if (p->role == ROLE_TITLE || p->role == ROLE_HEADING)
        writer_block(f->w, BLOCK_HEADING,
                     heading > HEADING_DEPTH_MAX ? HEADING_DEPTH_MAX : heading);
    else if (p->number != FLOW_NO_ITEM)
        writer_item(f->w, p->level, p->number);
    else
        writer_block(f->w,
                     p->role == ROLE_QUOTE ? BLOCK_QUOTE : BLOCK_PARAGRAPH, 0);
}

/* What waited for the end of the block; it ends code too. */
static void flush(struct flow *f)
{
    if (f->later_n == 0 || flow_is_inline(f))
        return;
    for (size_t i = 0; i < f->later_n; i++) {
        writer_block(f->w, BLOCK_PARAGRAPH, 0);
        if (f->later[i].note > 0) {
            flow_note_mark(f, f->later[i].note);
            writer_text(f->w, STR(": "));
        }
        writer_text(f->w, f->later[i].text);
    }
    writer_break_block(f->w);
    f->later_n = 0;
    f->code = false;
}

void flow_para_end(struct flow *f, enum role role, bool open)
{
    if (flow_is_inline(f))
        return;
    if (role != ROLE_CODE) {
        writer_break_block(f->w);
        f->code = false;
    } else if (f->code && !open) {
        writer_break(f->w); /* an empty line */
    }
    flush(f);
}

void flow_end(struct flow *f)
{
    while (f->asides_n > 0) /* the file broke off */
        flow_later(f, 0, flow_aside_end(f));
    f->in_real = f->code = false;
    f->tables_n = 0;
    writer_break_block(f->w);
    flush(f);
}

/* ---- tables ---- */

static struct flow_table *innermost_table(struct flow *f)
{
    size_t n = f->tables_n > FLOW_TABLES_MAX ? FLOW_TABLES_MAX : f->tables_n;

    return n == 0 ? NULL : &f->tables[n - 1];
}

void flow_table(struct flow *f)
{
    if (f->tables_n < FLOW_TABLES_MAX)
        f->tables[f->tables_n] = (struct flow_table){0};
    f->tables_n++;
}

void flow_columns(struct flow *f, unsigned n)
{
    struct flow_table *t = innermost_table(f);

    if (t != NULL && t->columns <= FLOW_SPAN_MAX)
        t->columns += n;
}

/* A table of one column frames text; it is read as what it holds. */
void flow_row(struct flow *f)
{
    struct flow_table *t = innermost_table(f);

    if (t == NULL)
        return;
    if (!t->begun && !flow_is_inline(f) && t->columns != 1) {
        t->real = f->in_real = true;
        f->code = false;
        writer_table(f->w);
    }
    t->begun = true;
    t->row_open = false;
}

void flow_cell(struct flow *f, unsigned before)
{
    struct flow_table *t = innermost_table(f);

    if (t == NULL || !t->real) {
        if (flow_is_inline(f))
            flow_break(f);
        return;
    }
    if (t->row_open) {
        writer_cell(f->w);
        return;
    }
    t->row_open = true;
    writer_block(f->w, BLOCK_TABLE_ROW, 0);
    flow_cells(f, before);
}

void flow_cells(struct flow *f, unsigned n)
{
    const struct flow_table *t = innermost_table(f);

    if (t == NULL || !t->real || !t->row_open)
        return;
    for (unsigned i = 0; i < n && i < FLOW_SPAN_MAX; i++)
        writer_cell(f->w);
}

void flow_row_end(struct flow *f)
{
    struct flow_table *t = innermost_table(f);

    if (t == NULL)
        return;
    if (t->real)
        writer_break_block(f->w);
    t->row_open = false;
}

void flow_table_end(struct flow *f)
{
    struct flow_table *t = innermost_table(f);

    if (t == NULL)
        return;
    if (t->real && f->tables_n <= FLOW_TABLES_MAX) {
        f->in_real = false;
        writer_table(f->w);
    }
    f->tables_n--;
    flush(f);
}

/* ---- asides ---- */

void flow_aside(struct flow *f)
{
    f->asides_n++;
    if (f->asides_n <= FLOW_ASIDES_MAX)
        buf_clear(innermost(f));
}

str flow_aside_end(struct flow *f)
{
    str s = STR_NONE;

    ASSERT(f->asides_n > 0);
    if (f->asides_n <= FLOW_ASIDES_MAX)
        s = arena_str(f->w->out, str_trim(buf_str(innermost(f))));
    f->asides_n--;
    return s;
}

void flow_later(struct flow *f, uint32_t note, str text)
{
    struct flow_later l = {.note = note, .text = text};

    if (text.n > 0)
        ARENA_PUSH(f->w->out, f->later, f->later_n, f->later_cap, l);
}

void flow_note_mark(struct flow *f, uint32_t note)
{
    struct buf mark = {0};

    buf_fmt(&mark, "[^%u]", note);
    flow_text(f, buf_str(&mark));
    buf_close(&mark);
}
