/*
 * fields: tables that say what a request or an answer looks like. Validation,
 * the list of faults, OpenAPI and later MCP's schemas derive from them.
 *
 * JSON bodies are strict in type ("5" is no integer); query strings and paths
 * are text and are parsed.
 *
 * Owns:    tables are static; values of a query belong to the caller.
 * Errors:  faults, all of them (up to FAULTS_MAX), in the order in which
 *          Pydantic 2 reports them: fields as declared, then extras.
 * Threads: pure.
 */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

enum field_type {
    FIELD_STRING,
    FIELD_INT,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_UUID,
    FIELD_TIME,    /* RFC 3339 */
    FIELD_LITERAL, /* one of `values` */
    FIELD_OBJECT,  /* any object */
    FIELD_MODEL,   /* an object as `model` says */
    FIELD_LIST,    /* of `item` */
    FIELD_MAP,     /* from text (or UUIDs) to `item` */
    FIELD_ANY
};

struct bound {
    bool set;
    double v;
};
#define BOUND(x)  \
    {             \
        true, (x) \
    }

struct field {
    const char *name; /* NULL: end of the table */
    enum field_type type;
    bool required, nullable;
    bool nonblank; /* white space alone counts as nothing */
    bool key_uuid; /* FIELD_MAP: keys are UUIDs */
    struct bound min, max;
    size_t length_min, length_max; /* characters or items; 0: none */
    const char *const *values;     /* NULL-terminated */
    const struct field *item;
    const struct model *model;
    const char *prefix; /* FIELD_UUID: the TypeID prefix of this slot */
    const char *preset; /* JSON text taken where the field is absent */
    const char *doc;
};

struct model {
    const char *name;
    bool strict; /* a field that isn't named is a fault */
    const struct field *fields;
    /* What no single field can say: NULL when kept, else the rule in words. */
    const char *(*rule)(const json_t *object);
    const char *doc;
};

/* Where in the input we are: {"body"}, {"body", "kb_ids", 3}, … */
struct place {
    struct path_step path[FAULT_PATH_MAX];
    size_t n;
};
struct place place_of(str root);
struct place place_in(const struct place *p, str name);
struct place place_at(const struct place *p, uint64_t index);

/* Checks a value that should be an object of this model, and puts the presets
 * of absent fields into it. */
void model_check(const struct model *m, json_t *value, const struct place *at,
                 struct faults *fs);
/* Checks the members of an object alone, not the rule across them. */
void model_check_fields(const struct model *m, json_t *object,
                        const struct place *at, struct faults *fs);
/* Parses the text of one field (a path's or a query's) to a typed value (new
 * reference); NULL: a fault was added. */
json_t *field_parse(const struct field *f, str text, const struct place *at,
                    struct faults *fs);
/* Parses `a=1&b=2` (percent-encoded, the last of a name counts, unknown names
 * are ignored) to an object with presets; new reference. */
json_t *query_parse(const struct model *m, str query, struct faults *fs);

/* One fault with the value it is about (NULL: none to show). */
void fault_add(struct faults *fs, const struct place *at, enum reason reason,
               double bound, size_t actual, str note, const json_t *input);

/* Undoes percent-encoding (plus: '+' is a space); what is no encoding stays as
 * it is. false: the bytes hold a NUL. */
bool percent_decode(struct arena *out, str s, bool plus, str *to);

/* Looking into a checked object. Absent and null are the same to them. */
bool in_has(const json_t *o, const char *key); /* given and not null */
str in_str(const json_t *o, const char *key);  /* empty when absent */
int64_t in_int(const json_t *o, const char *key, int64_t otherwise);
double in_num(const json_t *o, const char *key, double otherwise);
bool in_bool(const json_t *o, const char *key, bool otherwise);
/* Compact JSON text of an object field; empty when absent. */
str in_json(struct arena *out, const json_t *o, const char *key);

#endif
