/*
 * manifest: the JSON array of Feather's ingest, checked whole against the file
 * parts that came with it, as the items of an intake.
 *
 * Owns:    *root holds the texts that the items borrow; drop it with
 *          json_decref when the intake is done.
 * Errors:  RC_INVALID  faults, whose paths begin with body, manifest
 *          RC_LIMIT    more than MANIFEST_ITEMS_MAX items, JSON over a limit
 * Threads: pure.
 */
#ifndef SERVE_MANIFEST_H
#define SERVE_MANIFEST_H

#include <jansson.h>

#include "app/intake.h"

rc manifest_read(str text, const str *filenames, size_t files_n,
                 struct arena *out, json_t **root, struct intake *in,
                 struct faults *fs, struct err *e) MUST_CHECK;

extern const struct model MANIFEST_TEXT, MANIFEST_FILE;

#endif
