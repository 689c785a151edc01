/*
 * epub: a chapter of a book, which is XHTML (EPUB 3.3, content documents).
 *
 * Threads: one at a time.
 */
#ifndef EXTRACT_EPUB_H
#define EXTRACT_EPUB_H

#include "base/map.h"
#include "extract/flow.h"
#include "extract/opc.h"

/* All text the chapter shows goes to the flow. */
rc epub_chapter_read(struct package *p, const struct part *part, struct flow *f,
                     struct err *e) MUST_CHECK;

#endif
