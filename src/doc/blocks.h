/*
 * blocks: the structure of a document without its text, as it is stored, so
 * that an index is rebuilt from what the store holds without extracting again.
 *
 * Errors:  RC_FORMAT  not such bytes, or not of this text
 */
#ifndef DOC_BLOCKS_H
#define DOC_BLOCKS_H

#include "doc/doc.h"

/* Drawn in docs/formats.md, "stored blocks". */
rc doc_encode_blocks(const struct doc *d, struct buf *to,
                     struct err *e) MUST_CHECK;
/* The doc that `text` and these bytes were made of; `text` is borrowed. Of the
 * strings only mime, language and those of the extras come back. */
rc doc_decode_blocks(str bytes, str text, struct arena *out, struct doc *d,
                     struct err *e) MUST_CHECK;

#endif
