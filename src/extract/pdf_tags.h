/*
 * pdf_tags: the tags of what poppler's programs write, each with the text
 * before it, as the bytes come.
 *
 * This is no parser of XML: their output is of one grammar, in which a '<'
 * begins a tag, the next '>' ends it, and texts and values hold neither. Bytes
 * of another give tags that mean nothing.
 *
 * Owns:    what a tag borrows lives until the taker returns.
 * Errors:  none: it is over when a tag and its text are longer than
 *          PDF_TAG_BYTES_MAX, or memory ran out.
 * Threads: one at a time.
 * Cost:    O(bytes); memory for a piece and a tag with its text.
 */
#ifndef EXTRACT_PDF_TAGS_H
#define EXTRACT_PDF_TAGS_H

#include "base/buf.h"
#include "base/limits.h"

#define PDF_TAG_BYTES_MAX ((size_t)MIB)

struct pdf_tag {
    str before;     /* as it is written: see pdf_tag_text */
    str name;       /* of an end: "/word" */
    str attributes; /* see pdf_tag_value */
};
/* False: enough was read. */
typedef bool pdf_tag_take(void *user, const struct pdf_tag *tag);

struct pdf_tags {
    pdf_tag_take *take;
    void *user;
    struct buf kept; /* of what was put: a tag that goes on */
    bool over;       /* the rest is ignored */
};
/* Pieces of any size. */
void pdf_tags_put(struct pdf_tags *t, str bytes);
void pdf_tags_close(struct pdf_tags *t);

/* The value of the next attribute, which is taken off, if that is its name;
 * else empty. */
str pdf_tag_value(str *attributes, str name);

/* What a text stands for, in valid UTF-8: references resolved, and dropped what
 * is no text; poppler writes control characters and any bytes as they are.
 * Lives in `to`, or is what was written. */
str pdf_tag_text(str written, struct buf *to);
/* The same where no reference is one. */
str pdf_text(str written, struct buf *to);

#endif
