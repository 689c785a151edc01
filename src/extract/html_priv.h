/*
 * What the chapters of HTML share: html_mask (HTML as gumbo may see it),
 * html_tree (gumbo, and the flat tree it becomes), html_style (what inline
 * style hides), html_main (which of it is the page's own text), html_meta
 * (title, dates, language, address), html_charset (bytes to UTF-8), html_write
 * (blocks), html_shell (pages that are programs).
 *
 * A page is read in that order. Nothing recurses over input, and each step is
 * linear in what comes in but for the factor HTML_DEPTH_MAX.
 */
#ifndef EXTRACT_HTML_PRIV_H
#define EXTRACT_HTML_PRIV_H

#include "base/buf.h"
#include "doc/doc.h"
#include "extract/charset.h"

/* Elements inside one another that are kept apart; deeper ones are read flat.*/
#define HTML_DEPTH_MAX 256
/* Elements and attributes handed on: some 300 bytes each. */
#define HTML_NODES_MAX ((size_t)300 << 10)
#define HTML_META_MAX 256 /* <meta> elements looked at */
#define HTML_JSON_MAX 8   /* blocks of JSON-LD looked at… */
#define HTML_JSON_BYTES_MAX (128 * KIB)
#define HTML_STYLE_BYTES_MAX (2 * KIB)
#define HTML_VALUE_BYTES_MAX (4 * KIB) /* of other attributes */

/* Elements by what they are to a reader of text. */
enum html_tag {
    HTML_TEXT, /* no element: a run of text */
    HTML_ROOT,
    HTML_INLINE, /* inline, of no meaning of its own; unknown ones too */
    HTML_A,
    HTML_Q,
    HTML_BLOCK, /* div and all that is no more than that */
    HTML_P,
    HTML_H1,
    HTML_H2,
    HTML_H3,
    HTML_H4,
    HTML_H5,
    HTML_H6,
    HTML_UL, /* and ol, menu, dir */
    HTML_LI,
    HTML_DL,
    HTML_DT,
    HTML_DD,
    HTML_TABLE,
    HTML_CAPTION,
    HTML_ROWS, /* thead, tbody, tfoot */
    HTML_TR,
    HTML_TD,
    HTML_TH,
    HTML_PRE,
    HTML_QUOTE,
    HTML_FIGURE,
    HTML_FIGCAPTION,
    HTML_SECTION,
    HTML_ARTICLE,
    HTML_MAIN,
    HTML_NAV,
    HTML_ASIDE,
    HTML_HEADER,
    HTML_FOOTER,
    HTML_FORM,
    HTML_BR,
    HTML_HR,
    HTML_IMG,
    HTML_TIME,
    HTML_TITLE,
    HTML_META,
    HTML_CONTROL, /* its content is no text of the page */
    HTML_SCRIPT,  /* its content is no HTML */
    HTML_IGNORE,  /* the tag alone is left out: html, head, body, … */
    HTML_TAG_COUNT
};

/* What an element's class, id, role and hidden say of it. */
enum html_hint {
    HINT_HIDDEN = 1 << 0,      /* hidden, aria-hidden */
    HINT_NAV = 1 << 1,         /* surely about the site, not the page */
    HINT_BOILER = 1 << 2,      /* mostly so */
    HINT_MAIN = 1 << 3,        /* the main part, by its role */
    HINT_CONTENT = 1 << 4,     /* mostly the main part */
    HINT_PERMALINK = 1 << 5,   /* the sign that links to a heading */
    HINT_READER_ONLY = 1 << 6, /* shown to screen readers only */
    HINT_SIGN = 1 << 7, /* numbers of lines, "edit": beside text, none of it */
    HINT_LAYOUT = 1 << 8, /* role=presentation */
    HINT_TOC = 1 << 9,    /* links to places of this page */
    HINT_MATH = 1 << 10,
    HINT_ARIA_HIDDEN = 1 << 11,
    HINT_ORDERED = 1 << 13, /* a list with numbers */
    HINT_BODY = 1 << 12,    /* a name many systems give to an article's text */
    HINT_CANONICAL = 1 << 14, /* no <meta>, but the canonical address */
    HINT_MOUNT = 1 << 15      /* a place a script is to fill, by its name */
};
#define HTML_HINT_BYTES_MAX 512 /* of a class looked at */
#define HTML_SPAN_MAX 64        /* columns of a cell */

unsigned html_hints_class(str value);
unsigned html_hints_id(str value);
unsigned html_hints_role(str value);

/* As charset_decode, but the page's own word counts where the label says
 * nothing. how->unread may borrow `bytes`. */
rc html_decode(str bytes, str label, struct buf *to, struct charset_how *how,
               struct err *e) MUST_CHECK;

/* What the mask keeps beside the page. */
struct html_facts {
    str lang;                                /* of <html>, raw */
    str body_color, body_ground, body_style; /* of <body>, raw */
    str json[HTML_JSON_MAX];
    size_t json_n;
    size_t scripts;
    size_t runs; /* scripts that are programs, not data */
    bool asks;   /* a <noscript> speaks of JavaScript */
    bool sheets; /* there are style sheets */
    bool deep;   /* nested past HTML_DEPTH_MAX, read flat */
    bool cut;    /* more than HTML_NODES_MAX: the rest is left out */
};

/* What the mask knows of an element by its name. */
const struct html_name *html_name_find(str name);
struct html_name {
    str name;
    enum html_tag tag;
};

/* Valid UTF-8 to HTML of few elements that are nested soundly and not deep. */
void html_mask(str html, struct buf *to, struct html_facts *facts);

/* How an element is kept from being seen. */
struct html_look {
    bool hidden;   /* display: none, or clipped to nothing */
    bool unseen;   /* visibility: hidden; what is in it may be seen again */
    bool seen;     /* visibility: visible */
    bool clear;    /* opacity: 0 */
    bool tiny;     /* font-size under 2 pixels */
    bool has_size; /* …is given */
    bool off_page; /* moved out of the page */
    bool has_color, has_ground;
    bool ground_unknown;    /* a picture */
    uint32_t color, ground; /* 0xRRGGBB */
};
/* Adds what a style attribute's text says; later declarations win. */
void html_style(str style, struct html_look *look);
/* #rgb, #rrggbb, rgb(), the names that matter; false: none of these. */
bool html_color(str s, uint32_t *rgb);
/* Whether text of the one colour on the other can't be seen. */
bool html_colors_alike(uint32_t a, uint32_t b);

/* What few nodes have; raw but for character references. */
struct html_more {
    str style, color, ground; /* of what shows */
    str name;                 /* of a <meta>: its name, property or itemprop */
};

struct html_node {
    uint8_t tag; /* an enum html_tag */
    uint8_t span;
    uint16_t rows; /* colspan and rowspan of a cell; from 1. Of a numbered list
                      `rows` is the first number, of an item its own or 1 */
    unsigned hints;
    uint32_t parent, end; /* end: the first node behind this subtree */
    uint32_t more;        /* index in html_tree.more; 0: it has nothing there */
    str text; /* of text; a picture's alt; a time's datetime; a meta's content */
};

struct html_tree {
    struct html_node *nodes; /* in order of their starts; [0] is the root */
    size_t nodes_n, nodes_cap;
    struct html_more *more;
    size_t more_n, more_cap;
    struct GumboInternalOutput *output; /* owns what the strings point to */
    struct html_facts facts;
    struct buf masked;
};
/* html_tree_close after it, whatever it returns. */
rc html_tree_open(struct html_tree *t, str html, struct err *e) MUST_CHECK;
void html_tree_close(struct html_tree *t);

/* What became of a node. */
enum html_fate { FATE_KEPT, FATE_HIDDEN, FATE_BOILERPLATE };
struct html_choice {
    uint8_t *fate; /* of each node: an enum html_fate */
    uint32_t root;
    uint32_t heading; /* an h1 before the root that belongs to it; or 0 */
};
size_t html_letters(str s); /* bytes that aren't white space */
/* Text as one clean line without tricks, written to `to`. */
str html_line(str s, char *to, size_t bytes_max);
void html_flag(struct doc *d, enum doc_flag_kind kind, bool dropped, str text,
               struct arena *out);
/* Flags what is hidden; fills fate for hidden nodes. */
void html_hide(const struct html_tree *t, struct doc *d, struct arena *out,
               struct html_choice *c);
/* Fills the rest of the choice; all that is not kept is flagged. */
void html_main(const struct html_tree *t, struct doc *d, struct arena *out,
               struct html_choice *c);
/* Title, language, created, modified and canonical of d. */
void html_meta(const struct html_tree *t, const struct html_choice *c,
               struct doc *d, struct arena *out);
rc html_write(const struct html_tree *t, const struct html_choice *c,
              struct doc *d, struct arena *out, struct err *e) MUST_CHECK;

/* Whether the text of a <noscript> speaks of JavaScript. */
bool html_asks_for_scripts(str html);
/* Whether scripts are to make the page's text, and what is there says nothing;
 * after html_main. */
bool html_is_shell(const struct html_tree *t, const struct html_choice *c);

static inline bool html_is_heading(enum html_tag tag)
{
    return tag >= HTML_H1 && tag <= HTML_H6;
}
/* Elements that part what is before them from what is behind them. */
bool html_is_block(enum html_tag tag);

#endif
