/*
 * pdf_html: what pdftohtml -xml writes, to the outline of pdf_outline, as it
 * comes.
 *
 * Nothing of it is believed: sizes of tags, depth and numbers have bounds,
 * entities are not defined by it, what is no text is dropped.
 *
 * Errors:  RC_NOMEM
 * Threads: one at a time.
 * Cost:    O(bytes); memory for a tag and the outline.
 */
#ifndef EXTRACT_PDF_HTML_H
#define EXTRACT_PDF_HTML_H

#include "base/buf.h"
#include "base/err.h"

struct pdf_html;
struct pdf_html *pdf_html_open(struct buf *to);
/* In pieces of any size. Once it has read enough, the rest is ignored. */
void pdf_html_put(struct pdf_html *h, str bytes);
rc pdf_html_end(struct pdf_html *h, struct err *e) MUST_CHECK;
void pdf_html_close(struct pdf_html *h); /* NULL is fine */

#endif
