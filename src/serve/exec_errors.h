/*
 * exec_errors: failures in Exec's envelope,
 * {"error":{"type","code","message"}}. It holds one fault, the first; there is
 * no 422 and no 409 in Exec: both are 400.
 *
 * Codes of faults: a field that isn't there is missing_field, page and
 * page_size are invalid_pagination, what is too long is <field>_too_long, a
 * body that is no JSON is invalid_json, anything else is invalid_<field>.
 *
 * Threads: pure.
 * Source:  Exec's OpenAPI description and guides; where they are silent, ours.
 */
#ifndef SERVE_EXEC_ERRORS_H
#define SERVE_EXEC_ERRORS_H

#include "serve/errors.h"

/* The status it answers with; fs (NULL: none) is told instead of f's text. */
unsigned exec_error_put(struct buf *b, struct arena *a, const struct failure *f,
                        const struct faults *fs);

#endif
