/*
 * Which part of a page is its own text.
 *
 * Elements that speak of the site and not of the page (navigation, banners,
 * remarks of readers) are told by their element, role and names, and by how
 * much of their text is links (Kohlschütter, Fankhauser, Nejdl 2010, "Boilerplate
 * Detection using Shallow Text Features": link density and the length of
 * blocks say most). What is left is narrowed to the main part where the page
 * names one. Each step looks at how much prose would go with it, and where too
 * little would be left, the page is taken whole.
 */
#include "base/mem.h"
#include "extract/html_priv.h"

/* Letters outside links that make a block prose. */
#define PROSE_LETTERS_MIN 60

/* Letters in a subtree; hidden ones don't count. */
struct tally {
    uint32_t letters, links; /* links: those of them inside links */
    uint32_t prose;          /* those in blocks of prose, outside links */
    uint32_t headings, h1;
};

struct chooser {
    const struct html_tree *t;
    struct tally *tally;
    struct html_choice *c;
    struct doc *d;
    struct arena *out;
};

static bool has_prose(const struct tally *block)
{
    return block->letters - block->links >= PROSE_LETTERS_MIN;
}

static bool is_block(const struct html_node *n)
{
    return n->tag != HTML_TEXT && html_is_block((enum html_tag)n->tag);
}

/* Sums go up: from the last node to the first, each to its parent. Prose is
 * known where a block's own text is all in. */
static void count(const struct html_tree *t, const struct html_choice *c,
                  struct tally *v)
{
    memset(v, 0, t->nodes_n * sizeof *v);
    for (size_t i = t->nodes_n - 1; i > 0; i--) {
        const struct html_node *n = &t->nodes[i];
        struct tally *own = &v[i], *up = &v[n->parent];

        if (c->fate[i] != FATE_KEPT || n->tag == HTML_TITLE)
            continue;
        if (n->tag == HTML_TEXT)
            own->letters = (uint32_t)html_letters(n->text);
        if (n->tag == HTML_A)
            own->links = own->letters;
        if (own->letters > 0 && html_is_heading((enum html_tag)n->tag)) {
            own->headings++;
            own->h1 += n->tag == HTML_H1;
        }
        up->headings += own->headings;
        up->h1 += own->h1;
        up->letters += own->letters;
        up->links += own->links;
        up->prose += own->prose;
    }
}

/* The prose of each block: letters of its own runs of text and of inline
 * elements in it. */
static void count_prose(const struct html_tree *t, const struct html_choice *c,
                        struct tally *v)
{
    struct tally *own = mem_alloc(t->nodes_n * sizeof *own);

    for (size_t i = t->nodes_n - 1; i > 0; i--) {
        const struct html_node *n = &t->nodes[i];
        struct tally *up = &own[n->parent];

        if (c->fate[i] != FATE_KEPT || n->tag == HTML_TITLE)
            continue;
        if (is_block(n)) {
            v[i].prose = has_prose(&own[i]) ? own[i].letters - own[i].links : 0;
            continue;
        }
        if (n->tag == HTML_TEXT)
            own[i].letters = (uint32_t)html_letters(n->text);
        if (n->tag == HTML_A)
            own[i].links = own[i].letters;
        up->letters += own[i].letters;
        up->links += own[i].links;
    }
    for (size_t i = t->nodes_n - 1; i > 0; i--)
        v[t->nodes[i].parent].prose += v[i].prose;
    mem_free(own);
}

static unsigned percent(uint32_t part, uint32_t all)
{
    return all == 0 ? 0 : (unsigned)((uint64_t)part * 100 / all);
}

static unsigned link_percent(const struct tally *v)
{
    return percent(v->links, v->letters);
}

/* ---- what is about the site ---- */

/* Elements whose names say what they hold, rather than how it looks. */
static bool is_container(enum html_tag tag)
{
    return tag == HTML_BLOCK || tag == HTML_SECTION || tag == HTML_ASIDE ||
           tag == HTML_UL || tag == HTML_DL || tag == HTML_TABLE ||
           tag == HTML_HEADER || tag == HTML_FOOTER || tag == HTML_NAV ||
           tag == HTML_FORM || tag == HTML_FIGURE || tag == HTML_ARTICLE;
}

/* Asides and heads inside an article can be part of it. */
static bool inside_article(const struct chooser *k, uint32_t i)
{
    const struct html_node *nodes = k->t->nodes;

    for (i = nodes[i].parent; i > 0; i = nodes[i].parent) {
        if (nodes[i].tag == HTML_ARTICLE || nodes[i].tag == HTML_MAIN ||
            (nodes[i].hints & HINT_MAIN) != 0)
            return true;
    }
    return false;
}

static bool drop_by_element(const struct chooser *k, uint32_t i)
{
    const struct html_node *n = &k->t->nodes[i];
    const struct tally *v = &k->tally[i];
    unsigned share = percent(v->prose, k->tally[0].prose);

    switch ((int)n->tag) {
    case HTML_NAV:
        return share < 50;
    case HTML_FOOTER:
        return share < 30 && (k->t->nodes[n->parent].tag != HTML_QUOTE);
    case HTML_ASIDE:
        return share < 30 && (!inside_article(k, i) || link_percent(v) > 40 ||
                              (n->hints & (HINT_NAV | HINT_BOILER)) != 0);
    case HTML_HEADER:
        return share < 20 &&
               (inside_article(k, i) ? v->headings == 0 && link_percent(v) > 40
                                     : v->h1 == 0 || link_percent(v) > 60);
    default:
        return false;
    }
}

/* The sign behind a heading that links to it: "#", a pilcrow, a picture. */
static bool is_permalink(const struct chooser *k, uint32_t i)
{
    const struct html_node *n = &k->t->nodes[i];

    if ((n->hints & HINT_PERMALINK) != 0)
        return k->tally[i].letters <= 8;
    return n->tag == HTML_A && k->tally[i].letters <= 2 && n->end == i + 2 &&
           (str_eq(str_trim(n[1].text), STR("#")) ||
            str_eq(str_trim(n[1].text), STR("\xc2\xb6")) ||
            str_eq(str_trim(n[1].text), STR("\xc2\xa7")));
}

static bool drop_by_hints(const struct chooser *k, uint32_t i)
{
    const struct html_node *n = &k->t->nodes[i];
    const struct tally *v = &k->tally[i];
    unsigned share = percent(v->prose, k->tally[0].prose), hints = n->hints;

    if ((hints & HINT_SIGN) != 0)
        return true;
    if (is_permalink(k, i))
        return true;
    if (!is_container((enum html_tag)n->tag) || (hints & HINT_MAIN) != 0)
        return false;
    if ((hints & HINT_TOC) != 0 && link_percent(v) > 30)
        return share < 50;
    if ((hints & HINT_NAV) != 0)
        return share < ((hints & HINT_CONTENT) != 0 ? 30 : 70);
    if ((hints & (HINT_BOILER | HINT_CONTENT)) != HINT_BOILER)
        return false;
    return v->headings == 0 && share < 10 &&
           (v->letters < 200 || link_percent(v) > 30);
}

/* A cell of a table that lays out the page: most prose is in the table, none
 * in this cell. */
static bool is_side_cell(const struct chooser *k, uint32_t i)
{
    const struct html_node *nodes = k->t->nodes;
    uint32_t up = nodes[i].parent;

    while (up > 0 && nodes[up].tag != HTML_TABLE)
        up = nodes[up].parent;
    return nodes[i].tag == HTML_TD &&
           percent(k->tally[up].prose, k->tally[0].prose) > 50;
}

/* Lists of links and the like, by their text alone. */
static bool drop_by_density(const struct chooser *k, uint32_t i)
{
    const struct html_node *n = &k->t->nodes[i];
    const struct tally *v = &k->tally[i];

    if (v->prose > 0 || link_percent(v) <= 80 || v->headings > 0)
        return false;
    return is_container((enum html_tag)n->tag) || is_side_cell(k, i);
}

static void drop(struct chooser *k, uint32_t i)
{
    for (uint32_t j = i; j < k->t->nodes[i].end; j++) {
        if (k->c->fate[j] == FATE_KEPT)
            k->c->fate[j] = FATE_BOILERPLATE;
    }
}

typedef bool drop_test(const struct chooser *k, uint32_t i);

static void drop_where(struct chooser *k, drop_test *test, uint32_t from)
{
    const struct html_node *nodes = k->t->nodes;
    uint32_t end = nodes[from].end;

    for (uint32_t i = from + 1; i < end;) {
        if (k->c->fate[i] == FATE_KEPT && nodes[i].tag != HTML_TEXT &&
            k->tally[i].letters > 0 && test(k, i)) {
            drop(k, i);
            i = nodes[i].end;
        } else {
            i += 1;
        }
    }
}

/* ---- the main part ---- */

typedef bool is_kind(const struct html_node *n);

static bool is_main(const struct html_node *n)
{
    return n->tag == HTML_MAIN || (n->hints & HINT_MAIN) != 0;
}

static bool is_article(const struct html_node *n)
{
    return n->tag == HTML_ARTICLE;
}

static bool is_body(const struct html_node *n)
{
    return (n->hints & HINT_BODY) != 0;
}

/* The largest element of a kind in `in`, if it holds so much of its text. */
static uint32_t largest(const struct chooser *k, uint32_t in, is_kind *is,
                        unsigned percent_min)
{
    const struct html_node *nodes = k->t->nodes;
    uint32_t best = 0;

    for (uint32_t i = in + 1; i < nodes[in].end; i++) {
        if (nodes[i].tag != HTML_TEXT && is(&nodes[i]) &&
            k->c->fate[i] == FATE_KEPT &&
            (best == 0 || k->tally[i].letters > k->tally[best].letters))
            best = i;
    }
    if (best == 0 ||
        percent(k->tally[best].letters, k->tally[in].letters) < percent_min)
        return in;
    return best;
}

/* Where no element says so: down from the top as long as one child holds nearly
 * all prose and all headings. */
static uint32_t densest(const struct chooser *k)
{
    const struct html_node *nodes = k->t->nodes;
    uint32_t at = 0;

    for (;;) {
        uint32_t next = 0;

        for (uint32_t i = at + 1; i < nodes[at].end; i = nodes[i].end) {
            if (is_block(&nodes[i]) && k->c->fate[i] == FATE_KEPT &&
                percent(k->tally[i].prose, k->tally[0].prose) >= 90 &&
                k->tally[i].headings == k->tally[at].headings)
                next = i;
        }
        if (next == 0 || nodes[next].tag == HTML_TABLE ||
            !is_container((enum html_tag)nodes[next].tag))
            return at;
        at = next;
    }
}

/* The last h1 before the root: the title of what the root holds. */
static uint32_t heading_before(const struct chooser *k, uint32_t root)
{
    uint32_t found = 0;

    if (k->tally[root].h1 > 0)
        return 0;
    for (uint32_t i = 1; i < root; i++) {
        if (k->t->nodes[i].tag == HTML_H1 && k->c->fate[i] == FATE_KEPT &&
            k->t->nodes[i].end <= root && k->tally[i].letters > 0)
            found = i;
    }
    return found;
}

static void recount(struct chooser *k)
{
    count(k->t, k->c, k->tally);
    count_prose(k->t, k->c, k->tally);
}

static uint32_t choose_root(const struct chooser *k)
{
    uint32_t root = largest(k, 0, is_main, 30);

    root = largest(k, root, is_article, 60);
    root = largest(k, root, is_body, 60);
    return root > 0 ? root : densest(k);
}

/* What is outside the root goes, but for its heading. */
static void keep_root(struct chooser *k)
{
    const struct html_node *nodes = k->t->nodes;
    uint32_t root = k->c->root, heading = k->c->heading;

    for (uint32_t i = 0; i < k->t->nodes_n; i++) {
        bool inside = (i >= root && i < nodes[root].end) ||
                      (heading > 0 && i >= heading && i < nodes[heading].end);
        bool around = (i < root && nodes[i].end > root) ||
                      (i < heading && nodes[i].end > heading);

        if (!inside && !around && k->c->fate[i] == FATE_KEPT)
            k->c->fate[i] = FATE_BOILERPLATE;
    }
}

/* A flag for each run of text that goes. */
static void flag_runs(const struct chooser *k)
{
    bool in_run = false;

    for (uint32_t i = 0; i < k->t->nodes_n; i++) {
        const struct html_node *n = &k->t->nodes[i];

        if (n->tag != HTML_TEXT || k->c->fate[i] == FATE_HIDDEN ||
            html_letters(n->text) == 0 ||
            k->t->nodes[n->parent].tag == HTML_TITLE)
            continue;
        if (k->c->fate[i] == FATE_BOILERPLATE && !in_run)
            html_flag(k->d, FLAG_BOILERPLATE, true, n->text, k->out);
        in_run = k->c->fate[i] == FATE_BOILERPLATE;
    }
}

/* Letters that stay. */
static uint32_t kept_letters(const struct chooser *k)
{
    uint32_t n = 0;

    for (uint32_t i = k->c->root; i < k->t->nodes[k->c->root].end; i++) {
        const struct html_node *node = &k->t->nodes[i];

        if (node->tag == HTML_TEXT && k->c->fate[i] == FATE_KEPT &&
            k->t->nodes[node->parent].tag != HTML_TITLE)
            n += (uint32_t)html_letters(node->text);
    }
    return n;
}

static void forget(struct chooser *k)
{
    for (size_t i = 0; i < k->t->nodes_n; i++) {
        if (k->c->fate[i] == FATE_BOILERPLATE)
            k->c->fate[i] = FATE_KEPT;
    }
    k->c->root = 0;
    k->c->heading = 0;
    recount(k);
}

/* Fewer letters, and a smaller part of them, is no page. */
#define KEPT_LETTERS_MIN 150
#define KEPT_PERCENT_MIN 10
/* Beside what is surely of the site, so many are. */
#define SURE_LETTERS_MIN 30

/* What speaks of the site by its element goes if anything else is left. */
static void drop_sure(struct chooser *k)
{
    drop_where(k, drop_by_element, 0);
    recount(k);
    if (k->tally[0].letters < SURE_LETTERS_MIN)
        forget(k);
}

static void choose(struct chooser *k)
{
    uint32_t all, kept;

    recount(k);
    drop_sure(k);
    all = k->tally[0].letters;
    drop_where(k, drop_by_hints, 0);
    recount(k);
    k->c->root = choose_root(k);
    k->c->heading = heading_before(k, k->c->root);
    drop_where(k, drop_by_density, k->c->root);
    kept = kept_letters(k);
    if (kept < all / 2 &&
        (kept < KEPT_LETTERS_MIN || percent(kept, all) < KEPT_PERCENT_MIN)) {
        forget(k); /* a page of links, say */
        drop_sure(k);
    }
}

void html_main(const struct html_tree *t, struct doc *d, struct arena *out,
               struct html_choice *c)
{
    struct chooser k = {.t = t, .c = c, .d = d, .out = out};

    k.tally = mem_alloc(t->nodes_n * sizeof *k.tally);
    choose(&k);
    keep_root(&k);
    flag_runs(&k);
    mem_free(k.tally);
}
