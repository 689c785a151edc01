#include <gumbo.h>
#include <stdlib.h>

#include "base/mem.h"
#include "extract/html_priv.h"

static void *gumbo_take(void *unused, size_t n)
{
    (void)unused;
    return mem_alloc(n);
}

static void gumbo_give(void *unused, void *p)
{
    (void)unused;
    mem_free(p);
}

static GumboOptions options(void)
{
    GumboOptions o = kGumboDefaultOptions;

    o.allocator = gumbo_take;
    o.deallocator = gumbo_give;
    o.max_errors = 0;
    return o;
}

static enum html_tag tag_of(GumboTag tag)
{
    static const uint8_t TAGS[GUMBO_TAG_LAST + 1] = {
        [GUMBO_TAG_SPAN] = HTML_INLINE,
        [GUMBO_TAG_INS] = HTML_A,
        [GUMBO_TAG_Q] = HTML_Q,
        [GUMBO_TAG_DIV] = HTML_BLOCK,
        [GUMBO_TAG_P] = HTML_P,
        [GUMBO_TAG_H1] = HTML_H1,
        [GUMBO_TAG_H2] = HTML_H2,
        [GUMBO_TAG_H3] = HTML_H3,
        [GUMBO_TAG_H4] = HTML_H4,
        [GUMBO_TAG_H5] = HTML_H5,
        [GUMBO_TAG_H6] = HTML_H6,
        [GUMBO_TAG_UL] = HTML_UL,
        [GUMBO_TAG_LI] = HTML_LI,
        [GUMBO_TAG_DL] = HTML_DL,
        [GUMBO_TAG_DT] = HTML_DT,
        [GUMBO_TAG_DD] = HTML_DD,
        [GUMBO_TAG_TABLE] = HTML_TABLE,
        [GUMBO_TAG_CAPTION] = HTML_CAPTION,
        [GUMBO_TAG_TBODY] = HTML_ROWS,
        [GUMBO_TAG_TR] = HTML_TR,
        [GUMBO_TAG_TD] = HTML_TD,
        [GUMBO_TAG_TH] = HTML_TH,
        [GUMBO_TAG_PRE] = HTML_PRE,
        [GUMBO_TAG_BLOCKQUOTE] = HTML_QUOTE,
        [GUMBO_TAG_FIGURE] = HTML_FIGURE,
        [GUMBO_TAG_FIGCAPTION] = HTML_FIGCAPTION,
        [GUMBO_TAG_SECTION] = HTML_SECTION,
        [GUMBO_TAG_ARTICLE] = HTML_ARTICLE,
        [GUMBO_TAG_MAIN] = HTML_MAIN,
        [GUMBO_TAG_NAV] = HTML_NAV,
        [GUMBO_TAG_ASIDE] = HTML_ASIDE,
        [GUMBO_TAG_HEADER] = HTML_HEADER,
        [GUMBO_TAG_FOOTER] = HTML_FOOTER,
        [GUMBO_TAG_ADDRESS] = HTML_FORM,
        [GUMBO_TAG_BR] = HTML_BR,
        [GUMBO_TAG_HR] = HTML_HR,
        [GUMBO_TAG_IMG] = HTML_IMG,
        [GUMBO_TAG_TIME] = HTML_TIME,
        [GUMBO_TAG_TITLE] = HTML_TITLE,
        [GUMBO_TAG_META] = HTML_META,
        [GUMBO_TAG_HTML] = HTML_ROOT,
    };
    enum html_tag to = (enum html_tag)TAGS[tag];

    return to == HTML_TEXT ? HTML_BLOCK : to; /* body and head */
}

/* A vector doubled in place: these are large, an arena would keep the old. */
static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = n == 0 ? 256 : 2 * n;
    return mem_resize(v, *cap * size);
}

static NEVER_NULL struct html_more *more_of(struct html_tree *t,
                                            struct html_node *node)
{
    if (node->more == 0) {
        t->more = grown(t->more, t->more_n, &t->more_cap, sizeof *t->more);
        t->more[t->more_n] = (struct html_more){.name = STR_NONE};
        node->more = (uint32_t)t->more_n++;
    }
    return &t->more[node->more];
}

/* The mask's short names of attributes. */
static void attr_read(struct html_tree *t, const GumboAttribute *at,
                      struct html_node *node)
{
    str value = str_of(at->value);
    char *end;

    switch (at->name[0]) {
    case 'k':
        node->hints |= (unsigned)strtoul(at->value, NULL, 16);
        break;
    case 'n':
        node->span = (uint8_t)strtoul(at->value, &end, 10);
        node->rows = (uint16_t)strtoul(end, NULL, 10);
        break;
    case 's':
        more_of(t, node)->style = value;
        break;
    case 'c':
        more_of(t, node)->color = value;
        break;
    case 'g':
        more_of(t, node)->ground = value;
        break;
    case 'i':
        node->hints |= HINT_MAIN | HINT_CONTENT;
        break;
    case 'm':
        more_of(t, node)->name = value;
        break;
    case 't':
        node->text = value;
        break;
    default:
        break;
    }
}

static uint32_t add_node(struct html_tree *t, const GumboNode *g,
                         uint32_t parent)
{
    struct html_node node = {.parent = parent, .span = 1, .rows = 1};

    if (g->type != GUMBO_NODE_ELEMENT) {
        node.text = str_of(g->v.text.text);
    } else {
        node.tag = (uint8_t)tag_of(g->v.element.tag);
        for (unsigned i = 0; i < g->v.element.attributes.length; i++)
            attr_read(t, g->v.element.attributes.data[i], &node);
    }
    t->nodes = grown(t->nodes, t->nodes_n, &t->nodes_cap, sizeof *t->nodes);
    t->nodes[t->nodes_n] = node;
    return (uint32_t)t->nodes_n++;
}

/* In order of their starts. Of each node gumbo knows its place in its parent. */
static void flatten(struct html_tree *t, const GumboNode *root)
{
    const GumboNode *g = root;
    uint32_t at = add_node(t, g, 0); /* the flat node of g */

    for (;;) {
        unsigned next = 0;

        if (g->type != GUMBO_NODE_ELEMENT ||
            g->v.element.children.length == 0) {
            while (g != root) { /* up, to where there is a next one */
                t->nodes[at].end = (uint32_t)t->nodes_n;
                at = t->nodes[at].parent;
                next = (unsigned)g->index_within_parent + 1;
                g = g->parent;
                if (next < g->v.element.children.length)
                    break;
            }
            if (g == root && next >= g->v.element.children.length)
                break;
        }
        g = g->v.element.children.data[next];
        at = add_node(t, g, at);
    }
    t->nodes[0].end = (uint32_t)t->nodes_n;
}

rc html_tree_open(struct html_tree *t, str html, struct err *e)
{
    GumboOptions o = options();
    rc code;

    *t = (struct html_tree){0};
    buf_open(&t->masked, 0);
    html_mask(html, &t->masked, &t->facts);
    code = buf_end(&t->masked, e);
    if (code != RC_OK)
        return code;
    t->output = gumbo_parse_with_options(&o, t->masked.p, t->masked.n);
    t->more = grown(NULL, 0, &t->more_cap, sizeof *t->more);
    t->more[t->more_n++] = (struct html_more){.name = STR_NONE};
    flatten(t, t->output->root);
    return RC_OK;
}

void html_tree_close(struct html_tree *t)
{
    GumboOptions o = options();

    if (t->output != NULL)
        gumbo_destroy_output(&o, t->output);
    mem_free(t->nodes);
    mem_free(t->more);
    buf_close(&t->masked);
}
