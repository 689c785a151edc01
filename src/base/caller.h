/*
 * caller: on whose behalf something is done. Every operation of app/ takes
 * one; access, audit, quotas and cancelling hang on it.
 *
 * Owns:    borrows all of it; lives as long as the request.
 */
#ifndef BASE_CALLER_H
#define BASE_CALLER_H

#include <stdatomic.h>

#include "base/str.h"
#include "base/uuid.h"

/* Scopes are bits; their texts stand in app/keys.h. */
enum scope {
    SCOPE_KB_READ = 1u << 0,   /* knowledge_bases:read */
    SCOPE_KB_MANAGE = 1u << 1, /* knowledge_bases:manage */
    SCOPE_ORG_MANAGE = 1u << 2 /* org:manage, implies both others */
};

struct caller {
    uuid tenant;
    uuid key;              /* nil: the program itself */
    unsigned scopes;       /* of enum scope */
    const str *principals; /* for access lists of documents */
    size_t principals_n;
    int clearance; /* 0, 10, 20 or 30 */
    str request_id;
    int64_t deadline_ns;       /* mono; 0: none */
    const atomic_bool *cancel; /* NULL: can't be cancelled */
};

/* True when the caller left or the deadline passed: long loops ask it. */
bool caller_gone(const struct caller *c);

#endif
