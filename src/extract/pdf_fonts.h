/*
 * pdf_fonts: what to append to a PDF file so that reading its text does not
 * read its fonts.
 *
 * poppler asks an embedded Type 1 font for its encoding. That stands in the
 * clear text at the font's head, but poppler unpacks all of the font for it, on
 * every page anew: two fifths of the time of a manual set by TeX. The update
 * (ISO 32000-1, 7.5.6) puts each font's head, as it is, in the font's place.
 *
 * The file is only searched, never understood: what has been changed since it
 * was written, is encrypted, or is not of the plain form that writers of such
 * fonts give it gets no update. Drawing a page takes the file without it.
 *
 * Errors:  RC_NOMEM
 * Threads: pure.
 * Cost:    O(bytes); unpacks the heads only.
 */
#ifndef EXTRACT_PDF_FONTS_H
#define EXTRACT_PDF_FONTS_H

#include "base/buf.h"
#include "base/err.h"

/* Leaves `to` empty where there is nothing to gain. */
rc pdf_fonts_update(str file, struct buf *to, struct err *e) MUST_CHECK;

#endif
