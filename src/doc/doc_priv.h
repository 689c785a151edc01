/*
 * The coding of one block and of what else a document has, shared by the
 * extraction stream and the stored blocks (docs/formats.md).
 */
#ifndef DOC_DOC_PRIV_H
#define DOC_DOC_PRIV_H

#include "doc/doc.h"

/* kind, level, six varints of one byte */
#define BLOCK_BYTES_MIN 8
#define DOC_NAME_BYTES_MAX (4 * KIB) /* title, note, MIME, language */

/* `before` is the block before, or a zeroed one. */
void block_put(struct buf *to, const struct block *b,
               const struct block *before);
/* Bounds no sum: doc_check looks at every one of them. */
struct block block_take(struct cur *c, const struct block *before);
/* What a document has beside its blocks: lines, flags, dates, pages. */
void extras_put(struct buf *to, const struct doc *d);
/* Sets c->bad for what is over its bound; doc_check looks at the rest. */
void extras_take(struct cur *c, struct arena *out, struct doc *d);
/* What stands behind the extras: canonical address and pictures. */
void extras_more_put(struct buf *to, const struct doc *d);
void extras_more_take(struct cur *c, struct arena *out, struct doc *d);
void doc_text_put(struct buf *to, str s);
str doc_text_take(struct cur *c, size_t bytes_max, struct arena *out);
/* Empty for what is no language. */
str doc_language_take(struct cur *c, struct arena *out);

#endif
