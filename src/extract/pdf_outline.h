/*
 * pdf_outline: the outline of a PDF file (its bookmarks), between the process
 * that reads it and the one that makes a document.
 *
 *   u32     magic "KDO1"
 *   item:   u8 depth from 1, varint page, text title; depth 0: that was all
 *
 * Errors:  none: what is damaged ends the list.
 * Threads: pure.
 */
#ifndef EXTRACT_PDF_OUTLINE_H
#define EXTRACT_PDF_OUTLINE_H

#include "base/buf.h"
#include "extract/pdf_pages.h"

struct pdf_item {
    unsigned depth; /* from 1 */
    uint32_t page;  /* from 1 */
    str title;      /* valid UTF-8 */
};

void pdf_outline_begin(struct buf *to);
/* An item without title or page is left out. */
void pdf_outline_put(struct buf *to, const struct pdf_item *item);
void pdf_outline_end(struct buf *to);

/* At the first item; one that gives none if the bytes are no outline. */
struct cur pdf_outline_read(str bytes);
bool pdf_item_read(struct cur *c, struct pdf_item *item);

#endif
