/* The chosen part of a page as blocks. The tree is walked in order of its
 * nodes; what is open is on a stack, and what an element does at its end is
 * done when the walk has passed it. */
#include "extract/html_priv.h"
#include "extract/html_token.h"
#include "extract/writer.h"

/* Wider tables than this are read by their first columns. */
#define COLUMNS_MAX 256

struct table {
    uint16_t held[COLUMNS_MAX]; /* rows a cell above still takes, by column */
    unsigned column;            /* the next */
};

struct printer {
    const struct html_tree *t;
    const struct html_choice *c;
    struct writer w;
    uint32_t stack[2 * HTML_DEPTH_MAX];   /* open elements */
    uint32_t numbers[2 * HTML_DEPTH_MAX]; /* the next of each open list */
    uint32_t number;                      /* of the item to begin */
    size_t n;
    unsigned lists, quotes, codes, headings; /* how many are open */
    bool in_row;                             /* of a table of data */
    bool joined;        /* a short definition follows its term in one item */
    unsigned item;      /* an item begins with the next text: its depth */
    unsigned breaks;    /* <br> since the last text */
    uint32_t data;      /* the end of the table of data; 0: none is open */
    uint32_t line;      /* the end of a row that is one line */
    uint32_t captioned; /* the end of a figure with a caption */
    struct table table;
};

static const struct html_node *node(const struct printer *p, uint32_t i)
{
    return &p->t->nodes[i];
}

static bool kept_text(const struct printer *p, uint32_t i)
{
    return node(p, i)->tag == HTML_TEXT && p->c->fate[i] == FATE_KEPT &&
           !str_blank(node(p, i)->text);
}

static bool has_text(const struct printer *p, uint32_t i)
{
    for (uint32_t j = i; j < node(p, i)->end; j++) {
        if (kept_text(p, j))
            return true;
    }
    return false;
}

/* ---- text ---- */

/* Inside these, all is one run. */
static bool in_run(const struct printer *p)
{
    return p->in_row || p->headings > 0 || p->codes > 0;
}

static void put_text(struct printer *p, str s)
{
    bool blank = str_blank(s);

    if (!blank)
        p->breaks = 0;
    if (!blank && !in_run(p)) {
        if (p->item > 0)
            writer_item(&p->w, p->item, p->number);
        else if (p->quotes > 0 && !p->w.in_block)
            writer_block(&p->w, BLOCK_QUOTE, 0);
        p->item = 0;
    }
    writer_text(&p->w, s);
}

/* What follows is another paragraph. */
static void part(struct printer *p)
{
    if (p->codes > 0)
        writer_text(&p->w, STR("\n"));
    else if (in_run(p))
        writer_text(&p->w, STR(" "));
    else
        writer_break_block(&p->w);
}

static void line_break(struct printer *p)
{
    if (!in_run(p) && ++p->breaks >= 2)
        writer_break_block(&p->w);
    else
        writer_break(&p->w);
}

/* ---- tables ---- */

struct shape {
    size_t rows, cells, heads, captions, blocks, letters;
    bool nested;
};

static struct shape shape_of(const struct printer *p, uint32_t at)
{
    struct shape s = {0};

    for (uint32_t i = at + 1; i < node(p, at)->end && !s.nested; i++) {
        const struct html_node *n = node(p, i);

        if (p->c->fate[i] != FATE_KEPT)
            continue;
        s.nested = n->tag == HTML_TABLE || n->tag == HTML_PRE;
        s.rows += n->tag == HTML_TR;
        s.heads += n->tag == HTML_TH;
        s.cells += n->tag == HTML_TD || n->tag == HTML_TH;
        s.captions += n->tag == HTML_CAPTION;
        s.blocks += html_is_heading((enum html_tag)n->tag) ||
                    n->tag == HTML_SECTION || n->tag == HTML_ARTICLE ||
                    n->tag == HTML_FORM;
        if (n->tag == HTML_TEXT)
            s.letters += html_letters(n->text);
    }
    return s;
}

/* Letters in a cell on average past which a table places text on a page. */
#define CELL_LETTERS_MAX 300

/* Tables hold data if they say so by a head or a caption, or look it: rows of
 * two short cells or more. Others are read as what is in them. */
static bool is_data(const struct printer *p, uint32_t at)
{
    struct shape s;

    if ((node(p, at)->hints & HINT_LAYOUT) != 0 || in_run(p))
        return false;
    s = shape_of(p, at);
    if (s.nested || s.blocks > 0 || s.cells < 2 || s.cells == s.rows)
        return false;
    return s.heads + s.captions > 0 || (s.rows >= 2 && s.cells >= 2 * s.rows &&
                                        s.letters < s.cells * CELL_LETTERS_MAX);
}

static void next_column(struct printer *p)
{
    if (p->table.column > 0)
        writer_cell(&p->w);
    p->table.column++;
}

/* Columns that cells of rows above still take. */
static void held_columns(struct printer *p)
{
    struct table *t = &p->table;

    while (t->column < COLUMNS_MAX && t->held[t->column] > 0) {
        t->held[t->column]--;
        next_column(p);
    }
}

static void cell_begin(struct printer *p, const struct html_node *n)
{
    struct table *t = &p->table;

    held_columns(p);
    for (unsigned i = 0; i < n->span && t->column + i < COLUMNS_MAX; i++)
        t->held[t->column + i] = (uint16_t)(n->rows - 1);
    next_column(p);
}

static void cell_end(struct printer *p, const struct html_node *n)
{
    for (unsigned i = 1; i < n->span && p->table.column < COLUMNS_MAX; i++)
        next_column(p);
}

/* A row that places words beside one another, not blocks: one paragraph. */
static bool is_line(const struct printer *p, uint32_t row)
{
    for (uint32_t i = row + 1; i < node(p, row)->end; i++) {
        enum html_tag tag = (enum html_tag)node(p, i)->tag;

        if (html_is_block(tag) && tag != HTML_TD && tag != HTML_TH &&
            tag != HTML_BR)
            return false;
    }
    return true;
}

static void row_begin(struct printer *p, uint32_t i)
{
    p->table.column = 0;
    p->in_row = has_text(p, i);
    if (p->in_row)
        writer_block(&p->w, BLOCK_TABLE_ROW, 0);
}

static void row_end(struct printer *p)
{
    held_columns(p);
    for (unsigned i = p->table.column; i < COLUMNS_MAX; i++)
        p->table.held[i] =
            (uint16_t)(p->table.held[i] - (p->table.held[i] > 0));
    p->in_row = false;
    writer_break_block(&p->w);
}

static void table_begin(struct printer *p, uint32_t i)
{
    part(p);
    if (p->data > 0 || !is_data(p, i))
        return;
    p->data = node(p, i)->end;
    p->table = (struct table){0};
    writer_table(&p->w);
}

/* ---- lists ---- */

#define ITEM_DEPTH_MAX 10
#define SHORT_LETTERS_MAX 200

static unsigned depth(const struct printer *p)
{
    unsigned n = p->lists == 0 ? 1 : p->lists;

    return n > ITEM_DEPTH_MAX ? ITEM_DEPTH_MAX : n;
}

static void list_begin(struct printer *p, const struct html_node *n)
{
    p->numbers[p->lists % NELEMS(p->numbers)] =
        (n->hints & HINT_ORDERED) != 0 ? n->rows : WRITER_BULLET;
    p->lists++;
}

static void item_begin(struct printer *p, const struct html_node *n)
{
    uint32_t *next = NULL;

    p->item = depth(p);
    p->number = WRITER_BULLET;
    if (p->lists > 0 && n->tag == HTML_LI)
        next = &p->numbers[(p->lists - 1) % NELEMS(p->numbers)];
    if (next == NULL || *next == WRITER_BULLET)
        return;
    if (n->rows > 1)
        *next = n->rows;
    p->number = (*next)++;
}

/* A definition of one line. */
static bool is_short(const struct printer *p, uint32_t i)
{
    size_t letters = 0, paragraphs = 0;

    for (uint32_t j = i + 1; j < node(p, i)->end; j++) {
        const struct html_node *n = node(p, j);

        if (n->tag == HTML_TEXT)
            letters += html_letters(n->text);
        else if (n->tag == HTML_P)
            paragraphs += letters > 0 ? 2 : 1;
        else if (html_is_block((enum html_tag)n->tag))
            return false;
        if (letters > SHORT_LETTERS_MAX || paragraphs > 1)
            return false;
    }
    return letters > 0;
}

static void term_end(struct printer *p, uint32_t i)
{
    uint32_t next = node(p, i)->end;

    p->joined = p->item == 0 && !in_run(p) && next < p->t->nodes_n &&
                node(p, next)->tag == HTML_DD &&
                p->c->fate[next] == FATE_KEPT && is_short(p, next);
    if (!p->joined)
        part(p);
    p->item = 0;
}

static void definition_begin(struct printer *p)
{
    if (p->joined)
        writer_text(&p->w, STR(": "));
    else
        part(p);
}

/* ---- pictures ---- */

static bool ends_like_file(str s)
{
    static const str ENDS[] = {STR_INIT(".png"),  STR_INIT(".jpg"),
                               STR_INIT(".jpeg"), STR_INIT(".gif"),
                               STR_INIT(".svg"),  STR_INIT(".webp")};

    for (size_t i = 0; i < NELEMS(ENDS); i++) {
        if (s.n >= ENDS[i].n &&
            str_eq_nocase(str_sub(s, s.n - ENDS[i].n, s.n), ENDS[i]))
            return true;
    }
    return false;
}

/* What stands for a picture is text if it is a sentence or a formula; names of
 * files and of things ("logo") are not, nor what a caption says anyway. */
static void picture(struct printer *p, uint32_t i)
{
    const struct html_node *n = node(p, i), *up = node(p, n->parent);
    bool captioned = i < p->captioned;
    str alt = str_trim(n->text);

    p->w.d->images++;
    if ((n->hints & HINT_LAYOUT) != 0 || alt.n == 0 || ends_like_file(alt))
        return;
    if ((n->hints & HINT_MATH) == 0 &&
        (captioned || str_find_char(alt, ' ') == alt.n ||
         html_letters(alt) < 12))
        return;
    if (up->tag == HTML_FIGURE)
        part(p);
    put_text(p, STR(" "));
    put_text(p, alt);
    put_text(p, STR(" "));
}

/* ---- the walk ---- */

static void heading_begin(struct printer *p, uint32_t i)
{
    const struct html_node *n = node(p, i);
    size_t bytes = 0;

    for (uint32_t j = i; j < n->end && bytes <= HEADING_BYTES_MAX; j++)
        bytes += kept_text(p, j) ? node(p, j)->text.n : 0;
    part(p);
    if (in_run(p) || bytes > HEADING_BYTES_MAX)
        return;
    writer_block(&p->w, BLOCK_HEADING, 1 + (unsigned)(n->tag - HTML_H1));
    p->headings++;
}

static void enter(struct printer *p, uint32_t i)
{
    const struct html_node *n = node(p, i);

    switch ((enum html_tag)n->tag) {
    case HTML_TEXT:
        if (p->c->fate[i] == FATE_KEPT)
            put_text(p, n->text);
        break;
    case HTML_H1:
    case HTML_H2:
    case HTML_H3:
    case HTML_H4:
    case HTML_H5:
    case HTML_H6:
        heading_begin(p, i);
        break;
    case HTML_UL:
    case HTML_DL:
        part(p);
        list_begin(p, n);
        break;
    case HTML_LI:
    case HTML_DT:
        part(p);
        item_begin(p, n);
        break;
    case HTML_DD:
        definition_begin(p);
        break;
    case HTML_TABLE:
        table_begin(p, i);
        break;
    case HTML_TR:
        if (i < p->data)
            row_begin(p, i);
        else
            part(p);
        if (i >= p->data && is_line(p, i))
            p->line = n->end;
        break;
    case HTML_TD:
    case HTML_TH:
        if (i < p->data)
            cell_begin(p, n);
        else if (i < p->line)
            writer_text(&p->w, STR(" "));
        else
            part(p);
        break;
    case HTML_PRE:
        part(p);
        if (!in_run(p))
            writer_block(&p->w, BLOCK_CODE, 0);
        p->codes++;
        break;
    case HTML_QUOTE:
        part(p);
        p->quotes++;
        break;
    case HTML_FIGURE:
        part(p);
        for (uint32_t j = i + 1; j < n->end && p->captioned < n->end; j++) {
            if (node(p, j)->tag == HTML_FIGCAPTION)
                p->captioned = n->end;
        }
        break;
    case HTML_BR:
        line_break(p);
        break;
    case HTML_IMG:
        if (p->c->fate[i] == FATE_KEPT)
            picture(p, i);
        break;
    case HTML_Q:
        put_text(p, STR("\xe2\x80\x9c"));
        break;
    case HTML_P:
        if (!p->joined)
            part(p);
        break;
    case HTML_BLOCK:
    case HTML_CAPTION:
    case HTML_ROWS:
    case HTML_FIGCAPTION:
    case HTML_SECTION:
    case HTML_ARTICLE:
    case HTML_MAIN:
    case HTML_NAV:
    case HTML_ASIDE:
    case HTML_HEADER:
    case HTML_FOOTER:
    case HTML_FORM:
    case HTML_HR:
        part(p);
        break;
    case HTML_ROOT:
    case HTML_INLINE:
    case HTML_A:
    case HTML_TIME:
    case HTML_TITLE:
    case HTML_META:
    case HTML_CONTROL:
    case HTML_SCRIPT:
    case HTML_IGNORE:
    case HTML_TAG_COUNT:
        break;
    }
}

static void leave(struct printer *p, uint32_t i)
{
    const struct html_node *n = node(p, i);
    enum html_tag tag = (enum html_tag)n->tag;

    if (tag == HTML_TR && i < p->data) {
        row_end(p);
    } else if (tag == HTML_TD || tag == HTML_TH) {
        if (i < p->data)
            cell_end(p, n);
        else if (i >= p->line)
            part(p);
    } else if (html_is_heading(tag)) {
        p->headings = 0;
        part(p);
    } else if (tag == HTML_PRE) {
        p->codes--;
        part(p);
    } else if (tag == HTML_DT) {
        term_end(p, i);
    } else if (tag == HTML_P && p->joined) {
        writer_text(&p->w, STR(" "));
    } else if (tag == HTML_Q) {
        writer_text(&p->w, STR("\xe2\x80\x9d"));
    } else if (html_is_block(tag) && tag != HTML_BR) {
        part(p);
    }
    p->lists -= tag == HTML_UL || tag == HTML_DL;
    p->quotes -= tag == HTML_QUOTE;
    if (tag == HTML_LI || tag == HTML_DD)
        p->item = 0;
    if (tag == HTML_DD)
        p->joined = false;
    if (tag == HTML_TABLE && p->data == n->end)
        p->data = 0;
}

static void walk(struct printer *p)
{
    uint32_t i = 0;

    while (i < p->t->nodes_n && !writer_full(&p->w)) {
        const struct html_node *n = node(p, i);

        while (p->n > 0 && node(p, p->stack[p->n - 1])->end <= i)
            leave(p, p->stack[--p->n]);
        if (p->c->fate[i] == FATE_BOILERPLATE || n->tag == HTML_TITLE) {
            i = n->end;
            continue;
        }
        enter(p, i);
        /* The mask bounds how deep it is; rows that gumbo adds come on top. */
        if (n->tag != HTML_TEXT && p->n < NELEMS(p->stack))
            p->stack[p->n++] = i;
        i++;
    }
    while (p->n > 0)
        leave(p, p->stack[--p->n]);
}

rc html_write(const struct html_tree *t, const struct html_choice *c,
              struct doc *d, struct arena *out, struct err *e)
{
    struct printer p = {.t = t, .c = c};
    rc code;

    writer_open(&p.w, d, out);
    walk(&p);
    code = writer_end(&p.w, e);
    writer_close(&p.w);
    return code;
}
