/*
 * docx: what the files that read DOCX share: the tags of WordprocessingML,
 * styles, lists (ECMA-376 part 1, section 17).
 *
 * Owns:    all lives in the arena given, maps until docx_…_close.
 * Threads: one at a time.
 */
#ifndef EXTRACT_DOCX_H
#define EXTRACT_DOCX_H

#include "base/map.h"
#include "extract/flow.h"
#include "extract/look.h"
#include "extract/opc.h"

enum docx_tag {
    DOCX_OTHER = MARKUP_OTHER,
    /* text */
    W_BACKGROUND,
    W_P,
    W_R,
    W_T,
    W_DELTEXT,
    W_TAB,
    W_PTAB,
    W_BR,
    W_CR,
    W_NOBREAKHYPHEN,
    W_SYM,
    W_RT,
    M_R,
    M_T,
    W_FOOTNOTEREFERENCE,
    W_ENDNOTEREFERENCE,
    W_FOOTNOTE,
    W_ENDNOTE,
    W_COMMENT,
    W_TXBXCONTENT,
    /* fields */
    W_INSTRTEXT,
    W_FLDCHAR,
    W_FLDSIMPLE,
    /* properties */
    W_PPR,
    W_RPR,
    W_PSTYLE,
    W_RSTYLE,
    W_OUTLINELVL,
    W_NUMPR,
    W_ILVL,
    W_NUMID,
    W_VANISH,
    W_WEBHIDDEN,
    W_COLOR,
    W_SZ,
    W_SHD,
    W_HIGHLIGHT,
    W_LANG,
    W_CHANGE, /* how something was before a tracked change */
    /* tables */
    W_TBL,
    W_TBLPR,
    W_TBLSTYLE,
    W_TBLGRID,
    W_GRIDCOL,
    W_TR,
    W_TRPR,
    W_GRIDBEFORE,
    W_TC,
    W_TCPR,
    W_GRIDSPAN,
    W_CELLDEL,
    /* containers */
    W_DEL,
    W_MOVEFROM,
    W_SDT,
    W_SDTPR,
    W_DOCPARTGALLERY,
    MC_ALTERNATECONTENT,
    MC_CHOICE,
    MC_FALLBACK,
    /* what boxes are filled with */
    W_DRAWING,
    W_PICT,
    W_IMAGE,
    WPS_SPPR,
    A_FILL,
    A_NOFILL,
    A_FILLREF,
    A_RGB,
    A_SCHEME,
    V_SHAPE,
    /* styles.xml, numbering.xml, settings.xml */
    W_STYLE,
    W_NAME,
    W_BASEDON,
    W_DOCDEFAULTS,
    W_TBLSTYLEPR,
    W_ABSTRACTNUM,
    W_NUMSTYLELINK,
    W_LVL,
    W_START,
    W_NUMFMT,
    W_LVLTEXT,
    W_NUM,
    W_ABSTRACTNUMID,
    W_LVLOVERRIDE,
    W_STARTOVERRIDE,
    W_DISPLAYBACKGROUND
};
extern const struct markup_name DOCX_NAMES[];
extern const size_t DOCX_NAMES_N;

/* Takes in one property of a run. */
void docx_look_take(struct look *l, const struct markup_tag *t);

bool docx_bool(const struct markup_tag *t);
/* The number of attribute w:val (or another), UNSET: it is none. */
uint32_t docx_number(const struct markup_tag *t, const char *attr);
uint32_t docx_shade(const struct markup_tag *t); /* of w:shd: a ground */

/* ---- styles ---- */

#define DOCX_STYLES_MAX 8192
#define DOCX_LEVELS FLOW_LEVELS /* of headings and of lists */

/* With what it has from the styles it is based on. */
struct docx_style {
    uint32_t based_on;
    enum role role;
    unsigned heading; /* 1 to 9 of ROLE_HEADING */
    uint32_t list, list_level;
    struct look look;
    uint32_t ground; /* of its paragraphs, or of its table's cells */
    bool based_on_known, is_default;
    str based_on_id;
};

struct docx_styles {
    struct docx_style *v;
    size_t n, cap;
    struct map *by_id;
    struct look defaults;
    const struct docx_style *paragraph; /* the default one, or NULL */
    str language;
};

void docx_styles_open(struct docx_styles *s);
rc docx_styles_read(struct package *p, const struct part *part,
                    struct arena *out, struct docx_styles *s,
                    struct err *e) MUST_CHECK;
const struct docx_style *docx_style_find(const struct docx_styles *s, str id);
void docx_styles_close(struct docx_styles *s);

/* ---- lists ---- */

#define DOCX_LISTS_MAX 8192

struct docx_list_level {
    bool ordered;
    bool blank;            /* its mark is nothing: what goes on with an item */
    uint32_t start, count; /* 0: none yet */
};
struct docx_list_kind { /* w:abstractNum */
    struct docx_list_level levels[DOCX_LEVELS];
    str style_link;
};
struct docx_list { /* w:num */
    str kind_id;
    uint32_t starts[DOCX_LEVELS]; /* UNSET: as its kind has it */
    bool begun;
};
struct docx_lists {
    struct docx_list_kind *kinds;
    size_t kinds_n, kinds_cap;
    struct docx_list *v;
    size_t n, cap;
    struct map *kinds_by_id, *by_id;
};

void docx_lists_open(struct docx_lists *l);
rc docx_lists_read(struct package *p, const struct part *part,
                   struct arena *out, struct docx_lists *l,
                   struct err *e) MUST_CHECK;
/* The next item of a list at a level from 0: its number, or WRITER_BULLET, or
 * FLOW_NO_ITEM: it has no mark. */
uint32_t docx_list_next(struct docx_lists *l, const struct docx_styles *s,
                        uint32_t list, unsigned level);
void docx_lists_close(struct docx_lists *l);

/* ---- the text ---- */

struct docx_note {
    str text;
    uint32_t number; /* 0: not referred to yet */
};
struct docx_notes {
    struct docx_note *v;
    size_t n, cap;
    struct map *by_id;
};

struct docx {
    struct package *p;
    struct doc *d;
    struct arena *out;
    struct writer w;
    struct flow f;
    struct opc_rels rels; /* of the main part */
    struct docx_styles styles;
    struct docx_lists lists;
    struct docx_notes footnotes, endnotes;
    bool shows_background; /* the page's colour */
    struct buf title;      /* what stands in the title's style */
    str lost;              /* why some of the text is; a note */
};

/* The main part: all text it shows goes to the writer. */
rc docx_body_read(struct docx *x, const struct part *part,
                  struct err *e) MUST_CHECK;
/* Footnotes or endnotes, by their ids. */
rc docx_notes_read(struct docx *x, const struct part *part,
                   struct docx_notes *notes, struct err *e) MUST_CHECK;

#endif
