/*
 * markup: a package's part read as XML, tag by tag, within limits.
 *
 * A reader names the tags it knows; each comes as the number it gave it,
 * whatever prefix the file chose; all others come as MARKUP_OTHER. Namespaces
 * of "strict" Office files are those of the usual ones.
 *
 * Files that declare entities are refused (nothing expands), and so are
 * internal subsets of a DTD. A DTD that is only referred to is not read.
 *
 * Errors:  RC_FORMAT  not well formed; declares entities
 *          RC_LIMIT   deeper than MARKUP_DEPTH_MAX, a tag over
 *                     MARKUP_TAG_BYTES_MAX, the package's budgets
 *          What came before has been handed on; texts are whole sentences.
 * Threads: one at a time.
 */
#ifndef EXTRACT_MARKUP_H
#define EXTRACT_MARKUP_H

#include "extract/package.h"

#define MARKUP_DEPTH_MAX 1000
/* A tag with its attributes, a comment, an instruction. */
#define MARKUP_TAG_BYTES_MAX (1 * MIB)
#define MARKUP_NAMES_MAX 200
#define MARKUP_OTHER 0u

enum markup_ns {
    NS_NONE,
    NS_W,       /* WordprocessingML */
    NS_WPS,     /* shapes in it */
    NS_MC,      /* markup compatibility */
    NS_A,       /* DrawingML */
    NS_V,       /* VML */
    NS_M,       /* mathematics in Office files */
    NS_RELS,    /* relationships of a package */
    NS_TYPES,   /* content types of a package */
    NS_DC,      /* Dublin Core */
    NS_DCTERMS, /* its terms */
    NS_OFFICE,  /* OpenDocument from here on */
    NS_STYLE,
    NS_TEXT,
    NS_TABLE,
    NS_DRAW,
    NS_FO,
    NS_META,
    NS_MANIFEST,
    NS_XLINK,
    NS_SCRIPT,
    NS_SVG,
    NS_OCF, /* EPUB from here on */
    NS_OPF,
    NS_XMLENC,
    NS_XHTML,
    NS_MATHML,
    NS_XML,
    NS_COUNT
};

struct markup_name {
    enum markup_ns ns;
    const char *name;
    unsigned id; /* not MARKUP_OTHER */
};

struct markup_tag {
    unsigned id;
    unsigned depth; /* of the root: 1 */
    const char *const *attrs;
};

struct markup_sink {
    const struct markup_name *names;
    size_t names_n;
    void (*start)(void *user, const struct markup_tag *t);
    void (*end)(void *user, unsigned id, unsigned depth);
    void (*text)(void *user, str s); /* in pieces */
    void *user;
    /* Looked at now and then: reading is over, and well. NULL: never. */
    const bool *stop;
};

rc markup_read(struct package *p, const struct part *part,
               const struct markup_sink *sink, struct err *e) MUST_CHECK;
/* NULL-pointer str: the tag has no such attribute. */
str markup_attr(const struct markup_tag *t, enum markup_ns ns,
                const char *name);

#endif
