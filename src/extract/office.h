/*
 * office: documents that are packages: Office Open XML, OpenDocument, EPUB.
 * A file is known by what is in it, not by its name; what is none of them is
 * named.
 *
 * Each reader fills the doc; what is wrong with the document is an outcome.
 */
#ifndef EXTRACT_OFFICE_H
#define EXTRACT_OFFICE_H

#include "extract/opc.h"
#include "extract/writer.h"

/* `main` is the part with the text, `package` what the package relates to. */
rc extract_docx(struct package *p, str main, const struct opc_rels *package,
                struct arena *out, struct doc *d, struct err *e) MUST_CHECK;

rc extract_odt(struct package *p, struct arena *out, struct doc *d,
               struct err *e) MUST_CHECK;

rc extract_epub(struct package *p, struct arena *out, struct doc *d,
                struct err *e) MUST_CHECK;

/* The document is no use, for this reason. */
void office_refuse(struct doc *d, enum extract_outcome outcome, str note);
void office_encrypted(struct doc *d);
/* Ends the writer. The text broke off with `text` and the sentence in `why`,
 * or did not (RC_OK); `lost` says what else is missing. */
rc office_end(struct writer *w, rc text, const struct err *why, str lost,
              struct err *e) MUST_CHECK;

#endif
