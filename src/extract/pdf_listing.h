/*
 * pdf_listing: pages that name what stands elsewhere: tables of contents,
 * lists of figures, indexes at the end of a book (docs/pdf.md).
 *
 * Threads: pure.
 * Cost:    O(text).
 */
#ifndef EXTRACT_PDF_LISTING_H
#define EXTRACT_PDF_LISTING_H

#include "doc/doc.h"

/* Makes the paragraphs and items of such pages BLOCK_LISTING, and flags them.*/
void find_listings(struct doc *d, struct arena *out);

/* Whether a line ends like one of a listing: in dots that lead somewhere, or
 * behind a comma or such dots in page numbers that ascend, none of them above
 * `pages`. */
bool listing_entry(str line, uint32_t pages);

#endif
