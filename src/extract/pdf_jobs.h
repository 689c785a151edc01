/* The readers behind poppler's programs and tesseract, and the join of what
 * they read: rows of the table of jobs. */
#ifndef EXTRACT_PDF_JOBS_H
#define EXTRACT_PDF_JOBS_H

#include "extract/job_priv.h"

/* pdfinfo: what the file says of itself (pdf_about.h). */
job_work pdf_about_work;
/* pdftotext -tsv: a range of pages (pdf_pages.h). */
job_work pdf_text_work;
/* pdftohtml -xml: the outline (pdf_outline.h). */
job_work pdf_outline_work;
/* The file itself: what to append to it (pdf_fonts.h). */
job_work pdf_fonts_work;
/* The file itself: how many files it holds, as a varint. */
job_work pdf_files_work;
/* tesseract's TSV, of a page drawn with params.dpi: a range of that page. */
job_work pdf_ocr_work;
/* Grey PGMs one behind the other: a byte a page, 1 if it shows something. */
job_work pdf_ink_work;
/* The parts of pdf_layout.h: an extraction stream. */
job_work pdf_layout_work;

#endif
