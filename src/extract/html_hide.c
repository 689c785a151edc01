/* What a page holds that its reader would not see. */
#include "base/mem.h"
#include "extract/extract_priv.h"
#include "extract/html_priv.h"
#include "text/utf8.h"

/* Where less than this part of a page would be left, it is shown by other
 * means than its own marks (a script fades it in): it is kept, and flagged. */
#define LEFT_PERCENT_MIN 20

enum unseen {
    SEEN,
    MARKED,      /* hidden, display: none, clipped to nothing */
    INVISIBLE,   /* visibility: hidden, or for screen readers only */
    ARIA_HIDDEN, /* shown, but said to be no text */
    CLEAR,       /* opacity: 0 */
    ALIKE,       /* in the colour of its ground */
    MAYBE_ALIKE, /* …if the ground is white, which a style sheet could change */
    TINY,
    OFF_PAGE,
    UNSEEN_COUNT
};

static const enum doc_flag_kind FLAGS[UNSEEN_COUNT] = {
    [MARKED] = FLAG_HIDDEN,      [INVISIBLE] = FLAG_HIDDEN,
    [ARIA_HIDDEN] = FLAG_HIDDEN, [CLEAR] = FLAG_INVISIBLE,
    [ALIKE] = FLAG_INVISIBLE,    [MAYBE_ALIKE] = FLAG_INVISIBLE,
    [TINY] = FLAG_TINY,          [OFF_PAGE] = FLAG_OFF_PAGE};

/* What holds for what is inside an element. */
struct inherited {
    uint8_t unseen; /* an enum unseen */
    bool own_ground, ground_known;
    uint32_t color, ground;
};

static struct html_look look_of(const struct html_tree *t,
                                const struct html_node *n)
{
    const struct html_more *more = &t->more[n->more];
    struct html_look look = {0};

    if (n->more == 0)
        return look;
    look.has_color = html_color(more->color, &look.color);
    look.has_ground = html_color(more->ground, &look.ground);
    html_style(more->style, &look);
    return look;
}

/* The ways that what is inside can take back. */
static bool can_be_taken_back(uint8_t unseen)
{
    return unseen == INVISIBLE || unseen == TINY || unseen == ALIKE ||
           unseen == MAYBE_ALIKE || unseen == SEEN;
}

static uint8_t color_unseen(const struct inherited *in, bool sheets)
{
    if (!in->ground_known || !html_colors_alike(in->color, in->ground))
        return SEEN;
    return in->own_ground || !sheets ? ALIKE : MAYBE_ALIKE;
}

static uint8_t unseen_by(const struct html_look *look, unsigned hints,
                         uint8_t before)
{
    if ((hints & HINT_HIDDEN) != 0 || look->hidden)
        return MARKED;
    if (look->clear)
        return CLEAR;
    if (look->off_page)
        return OFF_PAGE;
    if ((hints & HINT_ARIA_HIDDEN) != 0)
        return ARIA_HIDDEN;
    if (look->unseen || (hints & HINT_READER_ONLY) != 0)
        return INVISIBLE;
    if (look->tiny)
        return TINY;
    if ((before == INVISIBLE && look->seen) ||
        (before == TINY && look->has_size))
        return SEEN;
    return before;
}

static struct inherited inherit(const struct html_tree *t,
                                const struct html_node *n, struct inherited in)
{
    struct html_look look;
    bool colored;

    if (!can_be_taken_back(in.unseen) || (n->more == 0 && n->hints == 0))
        return in;
    look = look_of(t, n);
    colored = look.has_color || look.has_ground || look.ground_unknown;
    if (look.has_color)
        in.color = look.color;
    if (look.has_ground || look.ground_unknown) {
        in.own_ground = true;
        in.ground_known = look.has_ground;
        in.ground = look.ground;
    }
    if (colored && (in.unseen == ALIKE || in.unseen == MAYBE_ALIKE))
        in.unseen = SEEN;
    in.unseen = unseen_by(&look, n->hints, in.unseen);
    if (colored && in.unseen == SEEN)
        in.unseen = color_unseen(&in, t->facts.sheets);
    return in;
}

static struct inherited page_colors(const struct html_tree *t)
{
    struct inherited in = {.ground = 0xffffff, .ground_known = true};
    struct html_look look = {0};

    look.has_ground = html_color(t->facts.body_ground, &look.ground);
    look.has_color = html_color(t->facts.body_color, &look.color);
    html_style(t->facts.body_style, &look);
    if (look.has_color)
        in.color = look.color;
    if (look.has_ground)
        in.ground = look.ground;
    in.ground_known = !look.ground_unknown;
    return in;
}

/* Bytes of a run of text that aren't white space. */
size_t html_letters(str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += (uint8_t)s.p[i] > ' ';
    return n;
}

static bool says_something(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i] | 0x20;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            ((uint8_t)s.p[i] >= 0xc3 && (uint8_t)s.p[i] != 0xe2))
            return true;
    }
    return false;
}

void html_flag(struct doc *d, enum doc_flag_kind kind, bool dropped, str text,
               struct arena *out)
{
    char sample[DOC_FLAG_SAMPLE_BYTES_MAX];

    doc_flag_add(
        d,
        (struct doc_flag){.kind = kind,
                          .dropped = dropped,
                          .count = 1,
                          .sample = html_line(text, sample, sizeof sample)},
        out);
}

/* The ways whose text stays: all that don't surely hide, where little else
 * would be left. */
static void kept_ways(const size_t letters[UNSEEN_COUNT],
                      bool kept[UNSEEN_COUNT])
{
    size_t all = 0;

    for (unsigned i = 0; i < UNSEEN_COUNT; i++)
        all += letters[i];
    kept[SEEN] = kept[MAYBE_ALIKE] = true;
    if ((letters[SEEN] + letters[MAYBE_ALIKE]) * 100 >= all * LEFT_PERCENT_MIN)
        return;
    kept[CLEAR] = kept[ARIA_HIDDEN] = kept[INVISIBLE] = true;
    if (letters[SEEN] + letters[MAYBE_ALIKE] + letters[CLEAR] +
            letters[ARIA_HIDDEN] + letters[INVISIBLE] ==
        0)
        kept[MARKED] = kept[OFF_PAGE] = true;
}

/* One flag for each element that began a way of being unseen, and has text. */
static void flag_all(const struct html_tree *t, const struct inherited *in,
                     const bool kept[UNSEEN_COUNT], struct doc *d,
                     struct arena *out)
{
    uint32_t told = 0; /* up to here the element's text has been told of */

    for (uint32_t i = 1; i < t->nodes_n; i++) {
        const struct html_node *n = &t->nodes[i];
        uint8_t way = in[i].unseen;
        uint32_t top = n->parent;

        if (n->tag != HTML_TEXT || way == SEEN || i < told ||
            !says_something(n->text))
            continue;
        while (top > 0 && in[t->nodes[top].parent].unseen == way)
            top = t->nodes[top].parent;
        told = t->nodes[top].end;
        html_flag(d, FLAGS[way], !kept[way], n->text, out);
    }
}

void html_hide(const struct html_tree *t, struct doc *d, struct arena *out,
               struct html_choice *c)
{
    struct inherited *in = mem_alloc(t->nodes_n * sizeof *in);
    size_t letters[UNSEEN_COUNT] = {0};
    bool kept[UNSEEN_COUNT] = {false};

    in[0] = page_colors(t);
    for (size_t i = 1; i < t->nodes_n; i++) {
        const struct html_node *n = &t->nodes[i];

        in[i] = inherit(t, n, in[n->parent]);
        if (n->tag == HTML_TEXT && n->parent != 0 &&
            t->nodes[n->parent].tag != HTML_TITLE)
            letters[in[i].unseen] += html_letters(n->text);
    }
    kept_ways(letters, kept);
    for (size_t i = 0; i < t->nodes_n; i++) {
        if (!kept[in[i].unseen])
            c->fate[i] = FATE_HIDDEN;
    }
    flag_all(t, in, kept, d, out);
    mem_free(in);
}
