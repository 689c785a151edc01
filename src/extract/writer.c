#include "extract/writer.h"

#include <stdio.h>

#include "extract/extract_priv.h"
#include "text/utf8.h"

void writer_open(struct writer *w, struct doc *d, struct arena *out)
{
    *w = (struct writer){.d = d, .out = out, .table_head = true};
    buf_open(&w->text, TEXT_BYTES_MAX);
    d->lines = NULL;
    d->lines_n = 0;
}

bool writer_full(const struct writer *w)
{
    return w->full;
}

size_t writer_bytes(const struct writer *w)
{
    return w->text.n;
}

static void put(struct writer *w, str s)
{
    if (w->full || s.n >= TEXT_BYTES_MAX - w->text.n) {
        w->full = true;
        return;
    }
    buf_put(&w->text, s);
}

static NEVER_NULL struct writer_block *last_block(struct writer *w)
{
    ASSERT(w->blocks_n > 0 && w->blocks != NULL);
    return &w->blocks[w->blocks_n - 1];
}

/* ---- lines ---- */

static void line_end(struct writer *w)
{
    struct doc_line l = {.start = w->line_start, .end = w->text.n};

    while (l.end > l.start && w->text.p[l.end - 1] == ' ')
        l.end--;
    while (l.start < l.end && w->text.p[l.start] == ' ')
        l.start++;
    if (w->page == 0 || l.end == l.start)
        return;
    l.page = w->page;
    memcpy(l.box, w->box, sizeof l.box);
    if (w->d->lines_n == LINES_MAX) {
        w->full = true;
        return;
    }
    ARENA_PUSH(w->out, w->d->lines, w->d->lines_n, w->lines_cap, l);
}

void writer_place(struct writer *w, uint32_t page, const float box[4])
{
    line_end(w);
    w->line_start = w->text.n;
    w->page = page;
    if (page != 0)
        memcpy(w->box, box, sizeof w->box);
}

/* ---- blocks ---- */

/* What ends the row: its last cell, and under a head the line that says so. */
static void row_end(struct writer *w)
{
    put(w, STR(" |"));
    for (unsigned i = 0; w->table_head && i < w->cells; i++)
        put(w, i == 0 ? STR("\n| --- |") : STR(" --- |"));
    w->table_head = false;
}

void writer_break_block(struct writer *w)
{
    struct writer_block *b;
    bool code;

    if (!w->in_block)
        return;
    b = last_block(w);
    code = b->kind == BLOCK_CODE;
    line_end(w);
    if (w->text.n == b->end || (b->kind == BLOCK_TABLE_ROW && w->blank)) {
        w->text.n = b->start;
        w->blocks_n--;
    } else {
        if (b->kind == BLOCK_TABLE_ROW)
            row_end(w);
        while (code && w->text.n > b->end && w->text.p[w->text.n - 1] == '\n')
            w->text.n--;
        if (code)
            put(w, STR("\n```"));
        b->end = w->text.n;
    }
    w->line_start = w->text.n;
    w->in_block = w->space = false;
}

/* What parts two blocks: items and rows that follow one another are tight. */
static str parting(const struct writer *w, enum block_kind kind)
{
    const struct writer_block *b;

    if (w->blocks_n == 0)
        return STR("");
    b = &w->blocks[w->blocks_n - 1];
    if ((kind == BLOCK_TABLE_ROW && b->kind == kind && !w->table_head) ||
        (kind == BLOCK_LIST_ITEM && b->kind == kind))
        return STR("\n");
    return STR("\n\n");
}

/* Each level stands where the text of the one above begins. */
static void item_mark(struct writer *w, unsigned level, uint32_t number)
{
    size_t start;
    unsigned at = level < WRITER_ITEM_LEVELS ? level : WRITER_ITEM_LEVELS;
    char digits[16];
    int n = snprintf(digits, sizeof digits, "%u. ", number);

    for (unsigned i = 0; i + 1 < at; i++)
        put(w, str_sub(STR("            "), 0,
                       w->item_widths[i] == 0 ? 2 : w->item_widths[i]));
    start = w->text.n;
    put(w, number == WRITER_BULLET ? STR("- ") : (str){digits, (size_t)n});
    if (at > 0)
        w->item_widths[at - 1] = (unsigned)(w->text.n - start);
}

static void mark(struct writer *w, enum block_kind kind, unsigned level,
                 uint32_t number)
{
    switch (kind) {
    case BLOCK_HEADING:
        put(w, str_sub(STR("######"), 0, level));
        put(w, STR(" "));
        break;
    case BLOCK_LIST_ITEM:
        item_mark(w, level, number);
        break;
    case BLOCK_TABLE_ROW:
        put(w, STR("| "));
        break;
    case BLOCK_CODE:
        put(w, STR("```\n"));
        break;
    case BLOCK_QUOTE:
        put(w, STR("> "));
        break;
    case BLOCK_PARAGRAPH:
    case BLOCK_LISTING:
    case BLOCK_KIND_COUNT:
        break;
    }
}

static void block_begin(struct writer *w, enum block_kind kind, unsigned level,
                        uint32_t number)
{
    struct writer_block b = {.kind = kind, .level = level};

    writer_break_block(w);
    if (w->blocks_n >= BLOCKS_KEPT_MAX)
        w->full = true;
    if (w->full)
        return;
    if (kind != BLOCK_TABLE_ROW)
        w->table_head = true;
    if (kind != BLOCK_LIST_ITEM)
        memset(w->item_widths, 0, sizeof w->item_widths);
    b.start = w->text.n;
    put(w, parting(w, kind));
    mark(w, kind, level, number);
    if (w->full) {
        w->text.n = b.start;
        return;
    }
    b.end = w->text.n; /* until something comes: where its mark ends */
    ARENA_PUSH(w->out, w->blocks, w->blocks_n, w->blocks_cap, b);
    w->in_block = w->blank = true;
    w->space = false;
    w->cells = 1;
    w->line_start = w->text.n;
}

void writer_block(struct writer *w, enum block_kind kind, unsigned level)
{
    block_begin(w, kind, level, WRITER_BULLET);
}

void writer_item(struct writer *w, unsigned level, uint32_t number)
{
    block_begin(w, BLOCK_LIST_ITEM, level, number);
}

void writer_cell(struct writer *w)
{
    if (!w->in_block || last_block(w)->kind != BLOCK_TABLE_ROW)
        return;
    put(w, STR(" | "));
    w->cells++;
    w->space = false;
}

void writer_table(struct writer *w)
{
    writer_break_block(w);
    w->table_head = true;
}

/* ---- text ---- */

/* Signs that only play tricks: the kind they are flagged as; or
 * DOC_FLAG_COUNT. Joiners and the two direction marks are part of scripts. */
static enum doc_flag_kind trick(uint32_t cp)
{
    if ((cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
        return FLAG_BIDI;
    if (cp == 0x200b || (cp >= 0x2060 && cp <= 0x2064) || cp == 0xfeff ||
        (cp >= 0xe0000 && cp <= 0xe007f))
        return FLAG_ZERO_WIDTH;
    return DOC_FLAG_COUNT;
}

static bool is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0xa0 || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x85 || (cp >= 0x2000 && cp <= 0x200a) ||
           cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* Whether the sign is left out: no text, or a trick (flagged). */
static bool dropped(struct writer *w, uint32_t cp, str sign)
{
    enum doc_flag_kind kind = trick(cp);

    if (kind != DOC_FLAG_COUNT)
        doc_flag_add(w->d,
                     (struct doc_flag){.kind = kind,
                                       .dropped = true,
                                       .count = 1,
                                       .page = w->page,
                                       .sample = sign},
                     w->out);
    return kind != DOC_FLAG_COUNT || cp < 0x20 || cp == 0x7f || cp == 0xad ||
           (cp >= 0x80 && cp < 0xa0);
}

static void put_sign(struct writer *w, str sign, bool in_cell)
{
    if (w->space)
        put(w, STR(" "));
    w->space = w->blank = false;
    if (in_cell && sign.p[0] == '|')
        put(w, STR("\\"));
    put(w, sign);
}

static bool at_start(struct writer *w)
{
    return w->text.n == last_block(w)->end ||
           (w->text.n > 1 && w->text.p[w->text.n - 1] == ' ' &&
            last_block(w)->kind == BLOCK_TABLE_ROW);
}

/* Bytes of ASCII that are nothing but text: all signs but white space, control
 * characters and `|`. */
static size_t plain_run(str s, size_t at)
{
    size_t n = 0;

    while (at + n < s.n && s.p[at + n] >= '!' && s.p[at + n] <= '~' &&
           s.p[at + n] != '|')
        n++;
    return n;
}

static void text_flow(struct writer *w, str s)
{
    bool in_cell = last_block(w)->kind == BLOCK_TABLE_ROW;

    for (size_t at = 0, start = 0; at < s.n && !w->full; start = at) {
        size_t plain = plain_run(s, start);
        uint32_t cp;
        str sign;

        if (plain > 0) {
            at = start + plain;
            put_sign(w, str_sub(s, start, plain), false);
            continue;
        }
        cp = utf8_next(s, &at);
        sign = str_sub(s, start, at - start);
        if (is_space(cp)) {
            w->space = !at_start(w);
            while (at < s.n && s.p[at] == ' ')
                at++;
        } else if (!dropped(w, cp, sign)) {
            put_sign(w, sign, in_cell);
        }
    }
}

/* Code keeps its white space. */
static void text_code(struct writer *w, str s)
{
    for (size_t at = 0, start = 0; at < s.n && !w->full; start = at) {
        uint32_t cp = utf8_next(s, &at);
        str sign = str_sub(s, start, at - start);
        bool kept = cp == '\n' || cp == '\t';

        if (kept || !is_space(cp))
            put(w, kept || !dropped(w, cp, sign) ? sign : STR(""));
        else
            put(w, STR(" "));
    }
}

void writer_text(struct writer *w, str s)
{
    if (!w->in_block && !str_blank(s))
        writer_block(w, BLOCK_PARAGRAPH, 0);
    if (!w->in_block || w->full)
        return;
    if (last_block(w)->kind == BLOCK_CODE)
        text_code(w, s);
    else
        text_flow(w, s);
}

void writer_break(struct writer *w)
{
    writer_text(w, STR("\n"));
}

/* ---- the end ---- */

/* A block's place: its lines on the first page it stands on. */
static void block_place(const struct doc *d, struct block *b, size_t *line)
{
    while (*line < d->lines_n && d->lines[*line].end <= b->start)
        (*line)++;
    for (size_t i = *line; i < d->lines_n && d->lines[i].start < b->end; i++) {
        const struct doc_line *l = &d->lines[i];

        if (b->page == 0) {
            b->page = l->page;
            memcpy(b->box, l->box, sizeof b->box);
        } else if (l->page == b->page) {
            for (size_t k = 0; k < 2; k++) {
                b->box[k] = l->box[k] < b->box[k] ? l->box[k] : b->box[k];
                b->box[k + 2] = l->box[k + 2] > b->box[k + 2] ? l->box[k + 2]
                                                              : b->box[k + 2];
            }
        }
    }
}

rc writer_end(struct writer *w, struct err *e)
{
    struct doc *d = w->d;
    struct block_list l;
    size_t line = 0;

    writer_break_block(w);
    if (w->text.code != RC_OK)
        return buf_end(&w->text, e);
    if (w->text.n > 0)
        buf_put_char(&w->text, '\n');
    d->text = arena_str(w->out, buf_str(&w->text));
    blocks_begin(&l, d, w->out);
    for (size_t i = 0; i < w->blocks_n; i++) {
        const struct writer_block *b = &w->blocks[i];

        blocks_add(&l, b->kind, b->level, b->start, b->end);
    }
    blocks_end(&l);
    for (size_t i = 0; i < d->blocks_n; i++)
        block_place(d, &d->blocks[i], &line);
    if (w->full) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = w->blocks_n < BLOCKS_KEPT_MAX
                      ? extract_too_long()
                      : STR("The document has more paragraphs, rows and items "
                            "than are kept; the rest was left out");
    }
    return buf_end(&w->text, e);
}

void writer_close(struct writer *w)
{
    buf_close(&w->text);
}
