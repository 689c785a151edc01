/*
 * route: one table of everything that can be asked over HTTP. The router,
 * validation, authorization, /openapi.json and the tests' matrix derive from
 * it; a new route is a new row.
 *
 * Before a handler runs, in this order: the key (401), the scope (403), path,
 * query and body against their field tables (422; in Exec 400). What is not
 * there (404) is the handler's to find, because only app/ knows.
 *
 * A handler that changes something runs on the writer thread inside a
 * savepoint; the session it is handed is the writer's, and its reply is sent
 * after the commit. It may run again from the start, so it builds its reply
 * from nothing each time. Any other runs on an HTTP thread with a read
 * session. Either way it is the same straight code: app/ operation, render.
 *
 * Owns:    everything of a request lives in its arena until the answer is
 *          sent.
 */
#ifndef SERVE_ROUTE_H
#define SERVE_ROUTE_H

#include <jansson.h>

#include "app/app.h"
#include "serve/fields.h"
#include "serve/out.h"

#define PATH_PARAMS_MAX 3

enum dialect {
    DIALECT_FEATHER,
    DIALECT_KNOWD,
    DIALECT_EXEC,
    DIALECT_PLAIN, /* not counted by rate limits */
    DIALECT_COUNT
};
extern const char *const DIALECT_NAMES[DIALECT_COUNT];
/* Whose words an answer has where no route is found. */
enum dialect dialect_of_path(str path);

enum access {
    ACCESS_OPEN,   /* no key */
    ACCESS_KEY,    /* any key */
    ACCESS_LOCAL,  /* no key on a loopback listener, else any key */
    ACCESS_READ,   /* knowledge_bases:read */
    ACCESS_MANAGE, /* knowledge_bases:manage */
    ACCESS_ORG     /* org:manage */
};

/* BODY_FILE: bytes of one file, streamed to a temporary one of the app's. */
enum body_kind { BODY_NONE, BODY_JSON, BODY_MULTIPART, BODY_FILE };

struct request {
    struct app *app;
    struct db *db; /* NULL for ACCESS_OPEN routes that need none */
    struct caller who;
    const struct route *route;
    struct arena *arena;
    uuid ids[PATH_PARAMS_MAX];  /* path parameters in order, where UUIDs */
    str texts[PATH_PARAMS_MAX]; /* the same, decoded text */
    json_t *query;              /* checked, presets filled in; or NULL */
    json_t *body;               /* the same */
    str range;                  /* the Range header; p NULL: none */
    struct multipart_body *multipart; /* BODY_MULTIPART: see ingest.h */
    str file; /* BODY_FILE: its path; what is still there at the end goes */
    /* Set by a handler that started something and returns RC_OK: the answer
     * waits until it calls request_finish, once, from any thread. */
    bool waiting;
    struct serve *serve; /* for ops.c */
};

/* A stored body to send instead of reply.body, a slice at a time. */
struct reply_blob {
    bool set;
    uint8_t sha[32];
    uint64_t at, bytes; /* what to send */
    uint64_t total;     /* of the whole body */
};

struct header {
    const char *name;
    str value;
};
#define REPLY_HEADERS_MAX 10

struct reply {
    unsigned status;  /* 0: the route's success */
    const char *type; /* NULL: application/json */
    struct buf body;
    struct reply_blob blob;
    struct header headers[REPLY_HEADERS_MAX];
    size_t headers_n;
    struct faults
        *faults; /* RC_INVALID with these lists them; its arena is set */
};

/* An error it returns is rendered in the route's dialect. */
typedef rc handler_fn(struct request *q, struct reply *r, struct err *e);

struct path_param {
    const char *name;
    enum field_type type; /* FIELD_UUID or FIELD_STRING */
    const char *prefix;   /* TypeID prefix of a UUID */
};

struct route {
    const char *method;
    const char *pattern;                       /* "/v1/…/{kb_id}/documents" */
    struct path_param params[PATH_PARAMS_MAX]; /* in the pattern's order */
    enum access access;
    const char *object; /* "base", "document", "job", …: what the path names */
    bool writes;        /* runs on the writer thread */
    bool frees;         /* only deletes or updates: allowed on a full disk */
    enum body_kind body_kind;
    const struct model *query, *body, *answer; /* NULL: none */
    bool answer_list;                          /* a bare array of `answer` */
    unsigned success, success_too; /* success_too: 0: there is no other */
    enum dialect dialect;
    handler_fn *handle;
    const char *operation, *doc;
    const char *tag; /* the description's chapter; NULL: none */
};

/* Writes by itself, outside the writer thread. */
static inline bool route_takes_in(const struct route *r)
{
    return r->body_kind == BODY_MULTIPART || r->body_kind == BODY_FILE;
}

/* Each chapter's rows, ended by a row without a method. */
extern const struct route FEATHER_BASE_ROUTES[], FEATHER_DOCUMENT_ROUTES[],
    FEATHER_VERSION_ROUTES[], FEATHER_JOB_ROUTES[], FEATHER_INGEST_ROUTES[],
    FEATHER_SEARCH_ROUTES[], FEATHER_KEY_ROUTES[], KNOWD_ROUTES[],
    EXEC_SOURCE_ROUTES[], EXEC_SEARCH_ROUTES[], EXEC_FOLDER_ROUTES[],
    EXEC_PAGE_ROUTES[], EXEC_WORKSPACE_ROUTES[], DOWNLOAD_ROUTES[],
    OPS_ROUTES[];

/* Walks all rows; *at starts at 0; NULL at the end. */
const struct route *route_next(size_t *at);

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };
/* The row for a method and a path as it came (percent-encoded); HEAD finds
 * GET's. Decoded segments go to texts[]. ROUTE_NO_METHOD: *allow lists the
 * methods of that path. */
enum route_match route_find(str method, str path, struct arena *out,
                            const struct route **r, str texts[PATH_PARAMS_MAX],
                            str *allow);

/* The end of a waiting request: its reply is filled, or code and *e say why
 * not (e may be NULL with RC_OK; both are copied). */
void request_finish(struct request *q, struct reply *r, rc code,
                    const struct err *e);

/* Adds a response header; both live until the answer is sent. */
void reply_header(struct reply *r, const char *name, str value);

#endif
