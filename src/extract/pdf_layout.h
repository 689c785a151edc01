/*
 * pdf_layout: the words of all pages to a document: reading order, paragraphs,
 * headings, lists, code, and what is no text of the page left out
 * (docs/pdf.md).
 *
 * Input is a list of parts: what the readers made of the outline, of title and
 * dates, of ranges of pages, of pictures, and of the file as it is. Nothing in a part is believed.
 *
 * Errors:  RC_FORMAT  a part is damaged
 * Threads: pure.
 * Cost:    O(words); about 80 bytes a line besides the parts.
 */
#ifndef EXTRACT_PDF_LAYOUT_H
#define EXTRACT_PDF_LAYOUT_H

#include "doc/doc.h"

enum pdf_part {
    PDF_PART_OUTLINE = 1, /* pdf_outline.h */
    PDF_PART_ABOUT,       /* pdf_about.h */
    PDF_PART_RANGE,       /* pdf_pages.h, its first page */
    PDF_PART_OCR,         /* pdf_pages.h, the page that was read */
    PDF_PART_PICTURE,     /* a page that shows something, but was not read */
    PDF_PART_FILES,       /* a varint: how many files the file holds */
    PDF_PART_COUNT
};
#define PDF_PARTS_BYTES_MAX (64 * MIB)

/* Ranges in the order of their pages. */
void pdf_part_put(struct buf *to, enum pdf_part kind, uint32_t page, str bytes);

rc pdf_layout(str parts, struct arena *out, struct doc *d,
              struct err *e) MUST_CHECK;

#endif
