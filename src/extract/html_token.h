/*
 * html_token: the bytes of a page as tags and runs of text, by the rules of
 * the standard's tokeniser (WHATWG HTML, 13.2.5) as far as they decide where a
 * tag starts and ends. Nothing is decoded.
 *
 * Threads: pure.
 * Cost:    O(html) over all calls.
 */
#ifndef EXTRACT_HTML_TOKEN_H
#define EXTRACT_HTML_TOKEN_H

#include "base/str.h"

enum html_token_kind {
    HTML_TOKEN_TEXT,
    HTML_TOKEN_START,
    HTML_TOKEN_END,
    HTML_TOKEN_NOTHING, /* a comment, a doctype, an instruction */
    HTML_TOKEN_EOF
};

struct html_token {
    enum html_token_kind kind;
    str text;    /* of text */
    str name;    /* of a tag, in the letters it was written in */
    str attrs;   /* what stands between its name and its `>` */
    bool closed; /* ends in `/>` */
};
void html_token_next(str html, size_t *at, struct html_token *t);
/* false: there are no more. Name and value are raw, quotes left out. */
bool html_attr_next(str attrs, size_t *at, str *name, str *value);
/* Where the end tag of an element starts whose content is no HTML. */
size_t html_raw_end(str html, size_t at, str name);

static inline bool html_white(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

#endif
