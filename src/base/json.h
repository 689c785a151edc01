/*
 * json: what knowd adds to jansson: limits before parsing, duplicate keys
 * refused, typed look-ups, exact rendering. jansson's json_t is used openly.
 *
 * Errors:  RC_FORMAT  not JSON (e->text says why, *offset where)
 *                     (duplicate keys are not)
 *          RC_LIMIT   deeper, wider or larger than the limits
 * Threads: pure.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct js_limits {
    size_t depth_max;        /* 0: JSON_DEPTH_MAX */
    size_t keys_max;         /* of the whole text; 0: JSON_KEYS_MAX */
    size_t number_bytes_max; /* 0: JSON_NUMBER_BYTES_MAX */
    size_t string_bytes_max; /* 0: JSON_STRING_BYTES_MAX */
    bool integers_as_reals;  /* whole numbers too, which may be of any size */
};

#define JS_DEPTH_CEILING 512 /* no depth_max is above it */

/* Parses a whole text; the caller drops *out with json_decref. *offset is in
 * characters (code points), and e->text in Python's words, as it stands in
 * FastAPI's json_invalid. An integer outside int64 is RC_LIMIT, not rounded. */
rc js_parse(str text, struct js_limits limits, json_t **out, size_t *offset,
            struct err *e) MUST_CHECK;
/* Compact text, keys in insertion order, in `out`; reals in the fewest digits
 * that give the same number back. */
str js_text(struct arena *out, const json_t *v);
rc js_put(struct buf *b, const json_t *v, struct err *e) MUST_CHECK;
/* Borrowed; empty when absent or of another type. */
str js_str(const json_t *object, const char *key);
json_t *js_of_str(str s);         /* new reference; invalid UTF-8 is replaced */
json_t *js_of_str_or_null(str s); /* s.p NULL: null */

#endif
