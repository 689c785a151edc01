/*
 * pdf_bbox: what pdftotext -bbox-layout, pdftohtml -xml and tesseract write,
 * to the forms of pdf_pages and pdf_outline, as it comes.
 *
 * Nothing of it is believed: sizes of tags, depth and numbers have bounds,
 * entities are not defined by it, what is no text is dropped. What ends too
 * soon gives the pages that were whole, and says so.
 *
 * Errors:  RC_NOMEM
 * Threads: one at a time.
 * Cost:    O(bytes); memory for one page and the form.
 */
#ifndef EXTRACT_PDF_BBOX_H
#define EXTRACT_PDF_BBOX_H

#include "base/buf.h"
#include "base/err.h"

/* One program's output, in pieces of any size. */
struct pdf_output;

/* pdftotext -bbox-layout: `to` gets a range of pages. */
struct pdf_output *pdf_bbox_open(struct buf *to);
/* pdftohtml -xml: `to` gets the outline. */
struct pdf_output *pdf_outline_open(struct buf *to);
/* Once it has read enough, the rest is ignored. */
void pdf_output_put(struct pdf_output *o, str bytes);
rc pdf_output_end(struct pdf_output *o, struct err *e) MUST_CHECK;
void pdf_output_close(struct pdf_output *o); /* NULL is fine */

/* tesseract's TSV of pictures that were drawn with so many dots an inch: `to`
 * gets a range of as many pages. */
rc pdf_tsv_read(str tsv, unsigned dpi, struct buf *to,
                struct err *e) MUST_CHECK;

#endif
