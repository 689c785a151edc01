/*
 * odt: what the files that read OpenDocument texts share: its tags, styles and
 * lists (OASIS OpenDocument 1.3, part 3).
 *
 * Owns:    all lives in the arena given, maps until odt_styles_close.
 * Threads: one at a time.
 */
#ifndef EXTRACT_ODT_H
#define EXTRACT_ODT_H

#include "base/map.h"
#include "extract/flow.h"
#include "extract/look.h"
#include "extract/markup.h"

enum odt_tag {
    ODT_OTHER = MARKUP_OTHER,
    /* text */
    ODT_BODY,
    ODT_P,
    ODT_H,
    ODT_SPAN,
    ODT_S,
    ODT_TAB,
    ODT_BREAK,
    ODT_SECTION,
    ODT_HIDDEN_TEXT,
    ODT_HIDDEN_PARAGRAPH,
    ODT_RUBY_TEXT,
    ODT_NOTE,
    ODT_NOTE_BODY,
    ODT_ANNOTATION,
    ODT_SILENT, /* what it holds is not shown, and no text of anybody's */
    ODT_DELETION,
    ODT_INDEX, /* of contents, of tables, of pictures */
    ODT_SCRIPT,
    /* lists */
    ODT_LIST,
    ODT_LIST_ITEM,
    ODT_LIST_HEADER,
    /* tables */
    ODT_TABLE,
    ODT_COLUMN,
    ODT_ROW,
    ODT_CELL,
    ODT_COVERED_CELL,
    /* drawings */
    ODT_FRAME,
    ODT_TEXT_BOX,
    ODT_OBJECT,
    ODT_IMAGE,
    /* styles */
    ODT_STYLE,
    ODT_DEFAULT_STYLE,
    ODT_TEXT_PROPERTIES,
    ODT_GROUND_PROPERTIES, /* of paragraphs, cells, tables, pages, frames */
    ODT_LIST_STYLE,
    ODT_LEVEL_NUMBER,
    ODT_LEVEL_BULLET,
    ODT_PAGE_LAYOUT,
    ODT_MASTER_PAGE,
    ODT_HEADER, /* of pages, and footers */
    /* manifest */
    ODT_ENCRYPTION
};
extern const struct markup_name ODT_NAMES[];
extern const size_t ODT_NAMES_N;

/* Columns, cells and signs that say how often they are repeated. */
uint32_t odt_repeated(const struct markup_tag *t, enum markup_ns ns,
                      const char *name);

/* Names stand escaped where they are ids: "Heading_20_1". */
str odt_unescape(str name, struct arena *out);

#define ODT_STYLES_MAX 16384
#define ODT_LIST_STYLES_MAX 8192

/* With what it has from its parents. */
struct odt_style {
    uint32_t parent;
    str parent_key;
    enum role role;
    unsigned heading;
    struct look look;
    uint32_t ground; /* of the paragraph, cell, table, frame */
};
struct odt_list_level {
    bool ordered;
    uint32_t start;
};
struct odt_list_style {
    struct odt_list_level levels[FLOW_LEVELS];
    uint32_t counts[FLOW_LEVELS]; /* items of the list of this style so far */
};

struct odt_styles {
    struct arena *out;
    struct odt_style *v;
    size_t n, cap;
    struct odt_list_style *lists;
    size_t lists_n, lists_cap;
    struct map *by_key; /* family and name */
    struct map *by_list;
    struct look defaults; /* of paragraphs */
    uint32_t page;        /* ground of the first kind of page */
    str language;
    /* where reading is */
    size_t at; /* the style, v[at]; SIZE_MAX: in none */
    size_t list_at, layout_at;
    bool in_default;
    bool page_known;
};

void odt_styles_open(struct odt_styles *s, struct arena *out);
/* The tags of styles, wherever they stand. */
void odt_styles_start(struct odt_styles *s, const struct markup_tag *t);
void odt_styles_end(struct odt_styles *s, unsigned id);
/* All styles are known: looks are what they are with their parents'. */
void odt_styles_resolve(struct odt_styles *s);
/* NULL: there is none. */
const struct odt_style *odt_style_find(struct odt_styles *s, const char *family,
                                       str name);
struct odt_list_style *odt_list_find(struct odt_styles *s, str name);
void odt_styles_close(struct odt_styles *s);

/* content.xml: all text it shows goes to the flow. `title` gets what stands in
 * the title's style. */
rc odt_body_read(struct package *p, const struct part *part,
                 struct odt_styles *s, struct flow *f, struct buf *title,
                 struct err *e) MUST_CHECK;

#endif
