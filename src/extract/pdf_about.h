/*
 * pdf_about: what a PDF file says of itself, between the process that reads
 * pdfinfo's lines and the one that makes a document.
 *
 *   text    title, created, modified: varint bytes, the bytes
 *
 * Errors:  RC_NOMEM
 * Threads: pure.
 */
#ifndef EXTRACT_PDF_ABOUT_H
#define EXTRACT_PDF_ABOUT_H

#include "base/buf.h"
#include "base/err.h"

struct pdf_about {
    str title, created, modified; /* each may be empty; valid UTF-8 */
};
/* Of pdfinfo -isodates: the first line that names each counts. */
rc pdf_about_make(str info, struct buf *to, struct err *e) MUST_CHECK;
/* Texts borrow the bytes; false: they are damaged. */
bool pdf_about_read(str bytes, struct pdf_about *about);

#endif
