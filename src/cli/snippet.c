#include "cli/snippet.h"

#include "base/buf.h"
#include "cli/print.h"

/* One code point of the cleaned text. */
struct glyph {
    const char *p;
    uint8_t n;
    bool blank, marked;
};

struct glyphs {
    struct glyph *v;
    size_t n;
};

static size_t sequence_bytes(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Code points with runs of white space folded to one blank. */
static struct glyphs glyphs_of(const struct snippet *s, struct arena *out)
{
    struct glyphs g = {ARENA_ARRAY(out, struct glyph, s->text.n + 1), 0};
    size_t mark = 0, point = 0;

    for (size_t at = 0; at < s->text.n; point++) {
        size_t n = sequence_bytes((unsigned char)s->text.p[at]);
        str clean, one = str_sub(s->text, at, n);
        bool blank, marked;

        clean = clean_text(out, one);
        blank = str_blank(clean);
        while (mark < s->marks_n && s->marks[mark].end <= point)
            mark++;
        marked = mark < s->marks_n && s->marks[mark].start <= point;
        if (!blank || (g.n > 0 && !g.v[g.n - 1].blank))
            g.v[g.n++] = (struct glyph){
                blank ? " " : one.p, blank ? 1 : (uint8_t)one.n, blank, marked};
        at += n;
    }
    while (g.n > 0 && g.v[g.n - 1].blank)
        g.n--;
    return g;
}

/* Where the window of `room` glyphs with the most marks begins, with some
 * words before the first of them, at a word. */
static size_t window(const struct glyphs *g, size_t room)
{
    size_t best = 0, best_n = 0, n = 0, from = 0;

    if (g->n <= room)
        return 0;
    for (size_t end = 0; end < g->n; end++) {
        n += g->v[end].marked;
        if (end - from == room)
            n -= g->v[from++].marked;
        if (n > best_n) {
            best_n = n;
            best = from;
        }
    }
    if (best_n == 0)
        return 0;
    while (best < g->n && !g->v[best].marked)
        best++;
    best -= best < room / 4 ? best : room / 4;
    while (best > 0 && !g->v[best - 1].blank)
        best--;
    /* Near the end there is more to show before than behind. */
    if (best + room > g->n) {
        best = g->n - room;
        while (best < g->n && !g->v[best - 1].blank)
            best++;
    }
    return best;
}

static void put_mark(struct buf *b, enum snippet_marking marking, bool on)
{
    if (marking == SNIPPET_BRACKETS)
        buf_put_char(b, on ? '[' : ']');
    else if (marking == SNIPPET_COLOURS)
        buf_put(b, on ? STR("\033[1;33m") : STR("\033[0m"));
}

/* Puts glyphs [from, end), turning marks on and off. */
static void put_glyphs(struct buf *b, const struct glyphs *g, size_t from,
                       size_t end, enum snippet_marking marking)
{
    bool on = false;

    for (size_t i = from; i < end; i++) {
        if (g->v[i].marked != on) {
            on = !on;
            put_mark(b, marking, on);
        }
        buf_put(b, (str){g->v[i].p, g->v[i].n});
    }
    if (on)
        put_mark(b, marking, false);
}

/* The end of the line that begins at `from`: at a blank, unless one word fills
 * it whole. */
static size_t line_end(const struct glyphs *g, size_t from, size_t columns)
{
    size_t end = from + columns, cut;

    if (end >= g->n)
        return g->n;
    for (cut = end; cut > from && !g->v[cut].blank; cut--)
        continue;
    return cut > from ? cut : end;
}

str snippet_text(const struct snippet *s, enum snippet_marking marking,
                 size_t indent, struct arena *out)
{
    struct glyphs g = glyphs_of(s, out);
    size_t columns = s->columns < 20 ? 20 : s->columns - 2; /* for the dots */
    size_t from = window(&g, columns * s->lines);
    struct buf b = {0};
    str text;

    for (size_t line = 0; line < s->lines && from < g.n; line++) {
        size_t end = line_end(&g, from, columns);

        buf_fmt(&b, "%*s", (int)indent, "");
        if (line == 0 && from > 0)
            buf_put(&b, STR("… "));
        put_glyphs(&b, &g, from, end, marking);
        from = end;
        while (from < g.n && g.v[from].blank)
            from++;
        if (line + 1 == s->lines && from < g.n)
            buf_put(&b, STR(" …"));
        buf_put_char(&b, '\n');
    }
    text = arena_str(out, buf_str(&b));
    buf_close(&b);
    return text;
}

void snippet_print(const struct snippet *s, struct arena *tmp, size_t indent)
{
    enum snippet_marking marking = print_colours()    ? SNIPPET_COLOURS
                                   : print_terminal() ? SNIPPET_BRACKETS
                                                      : SNIPPET_PLAIN;

    print_str(snippet_text(s, marking, indent, tmp));
}
