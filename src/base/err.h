/*
 * err: what can go wrong and how it is told.
 *
 * A function that can fail returns rc and takes struct err *e last. Whoever
 * knows most writes the text, each layer adds its context once (err_wrap), only
 * cli and serve show it. Texts are one line, hold no secret and no full stop.
 *
 * Threads: pure; a struct err belongs to one thread.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/str.h"

struct arena;

typedef enum rc {
    RC_OK,
    RC_NOMEM,
    RC_IO,
    RC_FORMAT,  /* bytes are not what they claim to be */
    RC_INVALID, /* a caller's values are wrong; see struct faults */
    RC_LIMIT,   /* over a named limit */
    RC_NOTFOUND,
    RC_CONFLICT,
    RC_UNAUTHENTICATED,
    RC_DENIED,
    RC_BUSY,    /* try again later */
    RC_NOSPACE, /* disk full */
    RC_UNSUPPORTED,
    RC_CORRUPT, /* our own stored bytes are damaged */
    RC_REMOTE,
    RC_TIMEOUT,
    RC_CANCELLED,
    RC_COUNT
} rc;

struct err {
    rc code;
    int sys;             /* errno, or 0 */
    int upstream_status; /* HTTP status of a remote, or 0 */
    unsigned retry_ms;   /* when to try again, or 0 */
    /* Which of a dialect's named errors this is (error_code of Feather's
     * ErrorResponse, …); NULL: the dialect's usual one for the rc. Static. */
    const char *name;
    char text[256];
};

/* Fills *e (which may be NULL) and returns code, so that one line reports:
 * return err_set(e, RC_LIMIT, "page has %zu bytes, limit %zu", n, max). */
rc err_set(struct err *e, rc code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, with the text of errno appended; ENOSPC and EDQUOT become
 * RC_NOSPACE, EMFILE and ENFILE RC_BUSY whatever the code says. */
rc err_errno(struct err *e, rc code, int sys, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Puts "context: " before the text; returns e->code. */
rc err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Gives the error a dialect-visible name (static text); returns e->code. */
rc err_name(struct err *e, const char *name);
const char *rc_name(rc code); /* "ok", "io", … */
#ifdef LINT
/* Analysers don't see into err.c; without this they follow paths on which an
 * error was set and the code is RC_OK. */
#define err_set(e, code, ...) \
    ((void)(err_set)((e), (code), __VA_ARGS__), (rc)(code))
#define err_errno(e, code, ...) \
    ((void)(err_errno)((e), (code), __VA_ARGS__), (rc)(code))
#define err_wrap(e, ...) ((void)(err_wrap)((e), __VA_ARGS__), (rc)RC_IO)
#endif

/* What is wrong with a caller's values: each fault is a path into the input,
 * a reason out of one list and the bound that was passed. Dialects render them
 * (Pydantic's types, Exec's envelope, Airweave's detail). */
enum reason {
    REASON_MISSING,
    REASON_STRING_TYPE,
    REASON_INT_TYPE,
    REASON_INT_PARSING,
    REASON_INT_FROM_FLOAT,
    REASON_FLOAT_TYPE,
    REASON_FLOAT_PARSING,
    REASON_BOOL_TYPE,
    REASON_BOOL_PARSING,
    REASON_LIST_TYPE,
    REASON_DICT_TYPE,
    REASON_UUID_TYPE,
    REASON_UUID_PARSING,
    REASON_DATETIME,
    REASON_TOO_SMALL,        /* bound: smallest allowed; Pydantic's ge */
    REASON_TOO_LARGE,        /* bound: largest allowed; le */
    REASON_LIST_TOO_SHORT,   /* bound: min length */
    REASON_LIST_TOO_LONG,    /* bound: max length */
    REASON_STRING_TOO_SHORT, /* bound: min length */
    REASON_STRING_TOO_LONG,  /* bound: max length */
    REASON_EXTRA,            /* unknown field of a strict object */
    REASON_LITERAL,          /* note: the allowed values, "'low'" */
    REASON_JSON,             /* malformed JSON; bound: offset; note: why */
    REASON_VALUE,            /* a rule across fields; note: the rule */
    REASON_COUNT
};

/* One step of a fault's path: a field's name, or (name.p == NULL) an index. */
struct path_step {
    str name;
    uint64_t index;
};

#define FAULT_PATH_MAX 8

struct fault {
    struct path_step path[FAULT_PATH_MAX];
    size_t path_len;
    enum reason reason;
    double bound;
    size_t actual; /* length found, for the list and string reasons */
    str note;
    str input_json; /* the offending value as JSON text; empty: null */
};

#define FAULTS_MAX 64

/* A list of faults; it lives in the arena it was made with. */
struct faults {
    struct arena *arena;
    struct fault *v;
    size_t n;
};

/* Adds a copy of f (its texts are copied into the arena); past FAULTS_MAX it
 * is dropped: nobody reads a longer list. */
void faults_add(struct faults *fs, const struct fault *f);

/* A bug stops the program and says where; on in releases too. */
#define ASSERT(cond)                                  \
    do {                                              \
        if (__builtin_expect(!(cond), 0))             \
            assert_failed(#cond, __FILE__, __LINE__); \
    } while (0)
#if defined(SLOW_CHECKS) || defined(LINT)
#define ASSERT_SLOW(cond) ASSERT(cond)
#else
#define ASSERT_SLOW(cond) ((void)sizeof(cond))
#endif
_Noreturn void assert_failed(const char *cond, const char *file, int line);

#endif
