/*
 * opc: what is around the text of an Office file: the relationships that say
 * which part is what, content types, properties (ECMA-376 part 2).
 *
 * Threads: one at a time.
 */
#ifndef EXTRACT_OPC_H
#define EXTRACT_OPC_H

#include "doc/doc.h"
#include "extract/markup.h"

/* Kept of one part; the rest are counted as none. */
#define OPC_RELS_MAX 4096

struct opc_rel {
    str id;
    str type;   /* what follows the last slash: "styles", "officeDocument" */
    str target; /* name of a part */
};
struct opc_rels {
    struct opc_rel *v;
    size_t n, cap;
};

/* The relationships of a part (empty name: of the package) to other parts;
 * none is fine. */
rc opc_rels_read(struct package *p, str part, struct arena *out,
                 struct opc_rels *rels, struct err *e) MUST_CHECK;
/* The part the first relationship of this type leads to, or NULL. */
const struct part *opc_part(const struct package *p,
                            const struct opc_rels *rels, str type);
/* What kind of file a part is, empty: unknown. */
rc opc_type_read(struct package *p, str part, struct arena *out, str *type,
                 struct err *e) MUST_CHECK;
/* Title, language and dates out of a part with Dublin Core's elements, also of
 * OpenDocument and EPUB; those that are there already stay. */
rc dublin_core_read(struct package *p, const struct part *part,
                    struct arena *out, struct doc *d, struct err *e) MUST_CHECK;

/* BCP 47, or empty. */
str language_clean(str s, struct arena *out);
/* A name relative to the folder of `base`, without "." and ".."; empty: it
 * leads out of the package. */
str part_name(str base, str target, struct arena *out);

#endif
