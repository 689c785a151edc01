/*
 * settings: a JSON file of a model's folder, asked field by field. What is
 * wrong is told with the name of file and field: "config.json: hidden_act is
 * \"silu\", …".
 *
 * Owns:    what is opened owns its tree; texts borrow it.
 * Errors:  RC_FORMAT       the field is missing or of another type
 *          RC_LIMIT        the number is out of bounds
 *          RC_UNSUPPORTED  the value is none that is supported
 * Threads: pure.
 */
#ifndef EMBED_SETTINGS_PRIV_H
#define EMBED_SETTINGS_PRIV_H

#include "base/json.h"

struct settings {
    const char *file; /* for messages, with "[2]" or so of a list */
    const json_t *v;  /* an object; NULL: every field is absent */
    json_t *tree;     /* what settings_open read; NULL: another's */
};

rc settings_open(const char *file, str text, struct js_limits limits,
                 struct settings *s, struct err *e) MUST_CHECK;
void settings_close(struct settings *s); /* also of one that wasn't opened */

/* null counts as absent in all of these. */
bool settings_has(const struct settings *s, const char *key);
rc settings_count(const struct settings *s, const char *key, uint32_t max,
                  uint32_t *to, struct err *e) MUST_CHECK;
rc settings_real(const struct settings *s, const char *key, double otherwise,
                 double *to, struct err *e) MUST_CHECK;
rc settings_flag(const struct settings *s, const char *key, bool otherwise,
                 bool *to, struct err *e) MUST_CHECK;
/* Absent: empty. */
rc settings_text(const struct settings *s, const char *key, str *to,
                 struct err *e) MUST_CHECK;
rc settings_object(const struct settings *s, const char *key, const json_t **to,
                   struct err *e) MUST_CHECK; /* absent: NULL */

/* RC_UNSUPPORTED unless the field is absent or so. */
rc settings_must_be(const struct settings *s, const char *key, const char *text,
                    struct err *e) MUST_CHECK;
rc settings_must_be_flag(const struct settings *s, const char *key, bool flag,
                         struct err *e) MUST_CHECK;
rc settings_must_be_absent(const struct settings *s, const char *key,
                           struct err *e) MUST_CHECK;
/* "FILE: KEY is VALUE, not supported: WHY". */
rc settings_refuse(const struct settings *s, const char *key, const char *why,
                   struct err *e);

#endif
