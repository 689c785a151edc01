/*
 * pdf_table: the tables of words (TSV) that pdftotext and tesseract write, to
 * the form of pdf_pages, as they come.
 *
 * Nothing in them is believed: rows and numbers have bounds, what is no text is
 * dropped. What ends in the middle of a row gives what was whole, and says so.
 *
 * Errors:  RC_NOMEM
 * Threads: one at a time.
 * Cost:    O(bytes); memory for one page and the form.
 */
#ifndef EXTRACT_PDF_TABLE_H
#define EXTRACT_PDF_TABLE_H

#include "base/buf.h"
#include "base/err.h"

struct pdf_table;
/* `to` gets a range of pages. dpi: of the pictures tesseract read; 0:
 * pdftotext's table, in points. */
struct pdf_table *pdf_table_open(unsigned dpi, struct buf *to);
/* In pieces of any size. */
void pdf_table_put(struct pdf_table *t, str bytes);
rc pdf_table_end(struct pdf_table *t, struct err *e) MUST_CHECK;
void pdf_table_close(struct pdf_table *t); /* NULL is fine */

#endif
