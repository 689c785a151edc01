/* Markdown: cmark-gfm says which line starts which block, the source says the
 * rest. cmark reads a masked copy (md_mask.h) of a piece at a time; a piece
 * ends where a block of the top level starts, so that memory is bounded by the
 * piece and a list or quote is never read in two. */
#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>

#include "base/mem.h"
#include "extract/extract_priv.h"
#include "extract/md_mask.h"

#define PIECE_BYTES_MIN (128 * KIB)
/* A single block of the top level over this is cut at a line; only a code
 * fence and a table are followed to their end. */
#define PIECE_BYTES_MAX (512 * KIB)
#define FRONT_MATTER_BYTES_MAX (64 * KIB)

/* A block without children, in order of its first line. */
struct leaf {
    enum block_kind kind;
    unsigned level;
    uint32_t line; /* from 0 in the piece */
};

struct piece {
    str text;
    size_t end;
    /* Where each line that cmark is given starts in text. Of blank lines in a
     * row only the first is there: more say nothing, but cost a step for each
     * open list. Of plain lines in a row only the first and the last are:
     * whatever they are part of (a paragraph, code, HTML), it goes on between
     * them; the last may be a table's head or be underlined. */
    size_t *lines;
    size_t lines_n, lines_cap;
    struct leaf *leaves;
    size_t leaves_n, leaves_cap;
    uint32_t last_line; /* where the last block of the top level starts */
    bool last_is_fence, last_is_table;
};

/* ---- cmark's tree to leaves ---- */

/* cmark's memory: an arena a piece, given back as a whole; a block's size
 * stands before it. cmark hands its functions nothing to find the arena by. */
static _Thread_local struct arena *cmark_arena;
#define CMARK_HEAD 16

static void *cmark_take(size_t n)
{
    char *p = arena_alloc(cmark_arena, CMARK_HEAD + n);

    memcpy(p, &n, sizeof n);
    return p + CMARK_HEAD;
}

static void *cmark_take_array(size_t n, size_t size)
{
    ASSERT(size == 0 || n <= SIZE_MAX / 2 / size);
    return cmark_take(n * size);
}

static void *cmark_grow(void *old, size_t n)
{
    void *p = cmark_take(n);
    size_t before = 0;

    if (old != NULL)
        memcpy(&before, (char *)old - CMARK_HEAD, sizeof before);
    if (before > 0)
        memcpy(p, old, before < n ? before : n);
    return p;
}

static void cmark_leave(void *p)
{
    (void)p;
}

static cmark_mem cmark_memory = {cmark_take_array, cmark_grow, cmark_leave};

/* The tree lives in tmp. */
static cmark_node *parse(const struct piece *p, struct arena *tmp)
{
    cmark_parser *parser;
    cmark_node *root;
    struct md_mask mask = {0};
    struct buf masked = {0};

    for (size_t i = 0; i < p->lines_n; i++) {
        size_t next;

        md_mask_line(&mask, line_at(p->text, p->lines[i], &next), &masked);
    }
    ASSERT(masked.code == RC_OK);
    cmark_gfm_core_extensions_ensure_registered();
    cmark_arena = tmp;
    parser = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, &cmark_memory);
    (void)cmark_parser_attach_syntax_extension(
        parser, cmark_find_syntax_extension("table"));
    cmark_parser_feed(parser, masked.p, masked.n);
    root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    buf_close(&masked);
    return root;
}

/* Lines of a paragraph; its inline marks were masked, so that its children
 * are texts and breaks only. */
static int paragraph_lines(cmark_node *node)
{
    int n = 1;

    for (cmark_node *c = cmark_node_first_child(node); c != NULL;
         c = cmark_node_next(c)) {
        cmark_node_type type = cmark_node_get_type(c);

        n += type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK;
    }
    return n;
}

static bool named(cmark_node *node, const char *name)
{
    return node != NULL && strcmp(cmark_node_get_type_string(node), name) == 0;
}

/* The node's first line, from 1. Where a table interrupts a paragraph, this
 * cmark gives the paragraph no line and the table's header the paragraph's. */
static int first_line(cmark_node *node)
{
    int line = cmark_node_get_start_line(node);
    cmark_node *before;

    if (line == 0 && named(cmark_node_next(node), "table"))
        return cmark_node_get_start_line(cmark_node_next(node));
    if (!named(node, "table_header"))
        return line;
    before = cmark_node_previous(cmark_node_parent(node));
    if (before != NULL && cmark_node_get_start_line(before) == 0)
        line += paragraph_lines(before);
    return line;
}

/* What stands in a list or a quote is of its kind. */
static enum block_kind text_kind(cmark_node *node)
{
    cmark_node_type parent = cmark_node_get_type(cmark_node_parent(node));

    return parent == CMARK_NODE_ITEM          ? BLOCK_LIST_ITEM
           : parent == CMARK_NODE_BLOCK_QUOTE ? BLOCK_QUOTE
                                              : BLOCK_PARAGRAPH;
}

/* Whether the node holds blocks that are looked at one by one. */
static bool is_container(cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    return type == CMARK_NODE_BLOCK_QUOTE || type == CMARK_NODE_LIST ||
           type == CMARK_NODE_ITEM || named(node, "table");
}

static struct leaf leaf_of(cmark_node *node, unsigned depth)
{
    struct leaf leaf = {.kind = text_kind(node)};
    cmark_node_type type = cmark_node_get_type(node);
    bool top =
        cmark_node_get_type(cmark_node_parent(node)) == CMARK_NODE_DOCUMENT;

    if (type == CMARK_NODE_HEADING && top) {
        leaf.kind = BLOCK_HEADING;
        leaf.level = (unsigned)cmark_node_get_heading_level(node);
    } else if (type == CMARK_NODE_CODE_BLOCK) {
        leaf.kind = BLOCK_CODE;
    } else if (named(node, "table_header") || named(node, "table_row")) {
        leaf.kind = BLOCK_TABLE_ROW;
    }
    if (leaf.kind == BLOCK_LIST_ITEM)
        leaf.level = depth;
    return leaf;
}

/* Adds the leaf if it starts behind the one before it; else the lines are
 * that one's. */
static void add_leaf(struct piece *p, struct leaf leaf, int line,
                     struct arena *tmp)
{
    if (line < 1 || (size_t)line > p->lines_n)
        return;
    leaf.line = (uint32_t)line - 1;
    if (p->leaves_n == 0)
        leaf.line = 0;
    else if (leaf.line <= p->leaves[p->leaves_n - 1].line)
        return;
    ARENA_PUSH(tmp, p->leaves, p->leaves_n, p->leaves_cap, leaf);
}

static void collect_leaves(struct piece *p, cmark_node *root, struct arena *tmp)
{
    cmark_node *node = cmark_node_first_child(root);
    unsigned depth = 0;
    int marker_line = 0; /* of a container no leaf has been found in yet */

    while (node != NULL) {
        if (is_container(node)) {
            if (marker_line == 0 && !named(node, "table"))
                marker_line = cmark_node_get_start_line(node);
            depth += cmark_node_get_type(node) == CMARK_NODE_LIST;
            if (cmark_node_first_child(node) != NULL) {
                node = cmark_node_first_child(node);
                continue;
            }
            depth -= cmark_node_get_type(node) == CMARK_NODE_LIST;
            marker_line = 0; /* an empty item belongs to what is above */
        } else {
            int line = first_line(node);

            if (marker_line != 0 && marker_line < line)
                line = marker_line;
            marker_line = 0;
            add_leaf(p, leaf_of(node, depth), line, tmp);
        }
        while (node != root && cmark_node_next(node) == NULL) {
            node = cmark_node_parent(node);
            depth -= cmark_node_get_type(node) == CMARK_NODE_LIST;
        }
        node = node == root ? NULL : cmark_node_next(node);
    }
}

/* ---- pieces ---- */

static bool is_fence(cmark_node *node)
{
    int length, offset;
    char c;

    return cmark_node_get_type(node) == CMARK_NODE_CODE_BLOCK &&
           cmark_node_get_fenced(node, &length, &offset, &c) != 0;
}

/* Whether a line starts with a letter and has nothing that could be a cell of
 * a table or end an HTML block: in the middle of others it changes nothing. */
static bool is_plain(str line)
{
    return line.n > 0 && (uint8_t)((line.p[0] | 0x20) - 'a') < 26 &&
           memchr(line.p, '|', line.n) == NULL &&
           memchr(line.p, '>', line.n) == NULL;
}

/* Rows of a table may do without bars: behind what could be the line under its
 * head each line counts, up to a blank one. */
static bool under_head(str line)
{
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];

        if (c != ' ' && c != '-' && c != '|' && c != ':' && c != '\t' &&
            c != '>')
            return false;
    }
    return true;
}

/* The lines of text from `at` on, about `bytes` of them. */
static void lines_read(struct piece *p, size_t at, size_t bytes,
                       struct arena *tmp)
{
    bool blank = false, table = false;
    size_t plain = 0; /* lines in a row */

    while (p->end < p->text.n && p->end - at < bytes) {
        size_t start = p->end;
        str line = line_at(p->text, start, &p->end);
        bool blank_before = blank;

        blank = str_blank(line);
        table = !blank && (table || under_head(line));
        plain = !table && is_plain(line) ? plain + 1 : 0;
        if (plain > 2) /* the one before was not the last */
            p->lines[p->lines_n - 1] = start;
        else if (!blank || !blank_before)
            ARENA_PUSH(tmp, p->lines, p->lines_n, p->lines_cap, start);
    }
}

/* What is in a piece of about so many bytes. */
static struct piece piece_read(str text, size_t at, size_t bytes,
                               struct arena *tmp)
{
    struct piece p = {.text = text, .end = at};
    cmark_node *root, *last;
    int line;

    lines_read(&p, at, bytes, tmp);
    root = parse(&p, tmp);
    collect_leaves(&p, root, tmp);
    last = cmark_node_last_child(root);
    if (last != NULL) {
        line = first_line(last);
        if (line > 1 && (size_t)line <= p.lines_n)
            p.last_line = (uint32_t)line - 1;
        p.last_is_fence = is_fence(last);
        p.last_is_table = named(last, "table");
    }
    return p;
}

/* An underline makes a heading of the whole paragraph above it: where that is
 * long, the line was meant to part, not to underline. */
#define UNDERLINED_BYTES_MAX 300

static struct leaf leaf_sized(struct leaf leaf, str s)
{
    s = str_trim(s);
    if (leaf.kind == BLOCK_HEADING &&
        s.n > (s.p[0] == '#' ? HEADING_BYTES_MAX : UNDERLINED_BYTES_MAX)) {
        leaf.kind = BLOCK_PARAGRAPH;
        leaf.level = 0;
    }
    return leaf;
}

/* The blocks of p that start before `end`, the last one ends there. */
static void piece_take(const struct piece *p, size_t end, struct block_list *l)
{
    size_t n = 0;

    ASSERT_SLOW(p->lines != NULL);
    while (n < p->leaves_n && p->lines[p->leaves[n].line] < end)
        n++;
    if (n == 0) /* marks only, with no text in any */
        blocks_add(l, BLOCK_PARAGRAPH, 0, p->lines[0], end);
    for (size_t i = 0; i < n; i++) {
        size_t start = p->lines[p->leaves[i].line];
        size_t to = i + 1 < n ? p->lines[p->leaves[i + 1].line] : end;
        struct leaf leaf =
            leaf_sized(p->leaves[i], str_sub(p->text, start, to - start));

        blocks_add(l, leaf.kind, leaf.level, start, to);
    }
}

/* Bytes of the run of one fence character that s starts with. */
static size_t fence_run(str s, char c)
{
    size_t n = 0;

    while (n < s.n && s.p[n] == c)
        n++;
    return n;
}

/* Where the fenced code that opens at text.p[at] ends: behind its closing
 * line, or at the end of the text. */
static size_t fence_end(str text, size_t at)
{
    size_t next, n;
    str line = str_trim(line_at(text, at, &next));
    char c = line.n == 0 ? '`' : line.p[0];

    n = fence_run(line, c);
    while (next < text.n) {
        size_t run;

        line = line_at(text, next, &next);
        if (str_starts(line, STR("    ")))
            continue;
        line = str_trim(line);
        run = fence_run(line, c);
        if (run >= n && run == line.n)
            break;
    }
    return next;
}

/* Adds the lines from `at` to the next blank one as rows; returns where. */
static size_t take_rows(struct block_list *l, size_t at)
{
    str text = l->d->text;
    size_t start = at;

    while (at < text.n && !str_blank(line_at(text, start, &at))) {
        blocks_add(l, BLOCK_TABLE_ROW, 0, start, at);
        start = at;
    }
    return start;
}

/* Adds the blocks from `at` up to where a block of the top level starts;
 * returns that place. */
static size_t take_some(struct block_list *l, size_t at, struct arena *tmp)
{
    struct arena_mark mark = arena_mark(tmp);
    str text = l->d->text;
    struct piece p;
    size_t end;

    for (size_t bytes = PIECE_BYTES_MIN;; bytes *= 2) {
        arena_rewind(tmp, mark);
        p = piece_read(text, at, bytes, tmp);
        if (p.end == text.n || p.last_line > 0 || bytes >= PIECE_BYTES_MAX)
            break;
    }
    end = p.end;
    if (end < text.n && p.last_line > 0)
        end = p.lines[p.last_line];
    else if (end < text.n && p.last_is_fence)
        end = fence_end(text, at);
    piece_take(&p, end, l);
    if (end == p.end && p.last_is_table)
        end = take_rows(l, end);
    arena_rewind(tmp, mark);
    return end;
}

/* ---- title and front matter ---- */

/* "key: value" or a comment: what YAML's front matter starts with. */
static bool yaml_key(str line)
{
    size_t n = 0;

    while (n < line.n &&
           (line.p[n] == '_' || line.p[n] == '-' ||
            (line.p[n] >= '0' && line.p[n] <= '9') ||
            ((line.p[n] | 0x20) >= 'a' && (line.p[n] | 0x20) <= 'z')))
        n++;
    if (n == 0)
        return line.n > 0 && line.p[0] == '#';
    return n < line.n && line.p[n] == ':' &&
           (n + 1 == line.n || line.p[n + 1] == ' ');
}

static str yaml_scalar(str s)
{
    s = str_trim(s);
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
        return str_sub(s, 1, s.n - 2);
    /* Block scalars and the like say no title on this line. */
    return s.n > 0 && strchr("|>[{&*!", s.p[0]) != NULL ? STR_NONE : s;
}

/* Bytes of YAML front matter, 0: there is none. Its title goes to *title. */
static size_t front_matter(str text, str *title)
{
    size_t at;
    str line = line_at(text, 0, &at), head = str_sub(text, 0, at);

    if (!str_eq(str_sub(head, 0, 3), STR("---")) ||
        !str_blank(str_sub(line, 3, line.n)))
        return 0;
    for (bool first = true; at < text.n && at < FRONT_MATTER_BYTES_MAX;
         first = false) {
        line = line_at(text, at, &at);
        if (str_eq(str_trim(line), STR("---")) ||
            str_eq(str_trim(line), STR("...")))
            return at;
        if (first && !yaml_key(line))
            return 0;
        if (str_starts(line, STR("title:")))
            *title = yaml_scalar(str_sub(line, 6, line.n));
    }
    *title = STR_NONE;
    return 0;
}

/* ---- pictures ---- */

/* Pictures of one block's Markdown: "![…](" and "![…][", and <img>, outside
 * code. What is inside a picture's brackets is its text. */
struct pictures {
    uint32_t n;
    size_t open;   /* brackets open since "![" */
    size_t ticks;  /* of the code that is open; 0: none is */
    uint32_t kept; /* n before it */
};

static void tick_run(struct pictures *p, size_t run)
{
    if (p->ticks == 0) {
        p->ticks = run;
        p->kept = p->n;
    } else if (run == p->ticks) { /* it was code indeed */
        p->ticks = 0;
        p->n = p->kept;
        p->open = 0;
    }
}

static uint32_t pictures_in(str s)
{
    struct pictures p = {0};

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';

        if (c == '\\' && p.ticks == 0) {
            i++;
        } else if (c == '`') {
            size_t run = fence_run(str_sub(s, i, s.n), c);

            tick_run(&p, run);
            i += run - 1;
        } else if (c == '!' && next == '[' && p.open == 0) {
            p.open = 1;
            i++;
        } else if (c == '[' && p.open > 0) {
            p.open++;
        } else if (c == ']' && p.open > 0 && --p.open == 0) {
            p.n += next == '(' || next == '[';
        } else if (c == '<') {
            p.n += str_eq_nocase(str_sub(s, i, 4), STR("<img")) &&
                   i + 4 < s.n && strchr(" \t\n/>", s.p[i + 4]) != NULL;
        }
    }
    return p.n;
}

static uint32_t pictures_count(const struct doc *d)
{
    uint32_t n = 0;

    for (size_t i = 0; i < d->blocks_n; i++) {
        const struct block *b = &d->blocks[i];

        if (b->kind != BLOCK_CODE)
            n += pictures_in(
                str_sub(d->text, b->start, (size_t)(b->end - b->start)));
    }
    return n;
}

void extract_md(struct doc *d, struct arena *out)
{
    struct arena *tmp = arena_open();
    struct block_list l;
    str title = STR_NONE;
    size_t at = front_matter(d->text, &title);

    blocks_begin(&l, d, out);
    while (at < d->text.n && !blocks_full(&l))
        at = take_some(&l, at, tmp);
    blocks_add(&l, BLOCK_PARAGRAPH, 0, at, d->text.n);
    blocks_end(&l);
    title = title_clean(title, out);
    d->title = title.n > 0 ? title : title_of_headings(d, out);
    d->images = pictures_count(d);
    arena_close(tmp);
}

/* ---- is it Markdown? ---- */

#define SNIFF_BYTES (64 * KIB)

static bool atx(str line)
{
    size_t n = fence_run(line, '#');

    return n >= 1 && n <= 6 && n + 1 < line.n && line.p[n] == ' ' &&
           !str_blank(str_sub(line, n, line.n));
}

/* A row of dashes and pipes under a table's header. */
static bool delimiter_row(str line)
{
    bool pipe = false, dash = false;

    for (size_t i = 0; i < line.n; i++) {
        if (strchr("-:| \t", line.p[i]) == NULL)
            return false;
        pipe = pipe || line.p[i] == '|';
        dash = dash || line.p[i] == '-';
    }
    return pipe && dash;
}

bool md_sniff(str text)
{
    enum { HEADING, FENCE, TABLE, LINK, BULLET, STRONG, KINDS };
    bool seen[KINDS] = {false}, blank_before = true, open_heading = false;
    size_t at = 0, kinds = 0, fences = 0;

    while (at < text.n && at < SNIFF_BYTES) {
        str line = line_at(text, at, &at);
        bool blank = str_blank(line);

        /* A heading with nothing around it is enough alone; one right above
         * text could be a comment. */
        if (blank && open_heading)
            return true;
        open_heading = blank_before && atx(line);
        seen[HEADING] = seen[HEADING] || open_heading;
        fences += str_starts(line, STR("```"));
        seen[FENCE] = fences >= 2;
        seen[TABLE] = seen[TABLE] || delimiter_row(line);
        seen[LINK] = seen[LINK] || str_find(line, STR("](")) < line.n;
        seen[BULLET] = seen[BULLET] || str_starts(line, STR("- ")) ||
                       str_starts(line, STR("* "));
        seen[STRONG] = seen[STRONG] || str_find(line, STR("**")) < line.n;
        blank_before = blank;
    }
    for (size_t i = 0; i < KINDS; i++)
        kinds += seen[i];
    return kinds >= 2 &&
           (seen[HEADING] || seen[FENCE] || seen[TABLE] || seen[LINK]);
}
