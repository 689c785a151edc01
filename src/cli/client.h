/*
 * client: requests to a knowd server, as the subcommands need them.
 *
 * Owns:    answers are jansson objects: the caller drops them.
 * Errors:  RC_REMOTE, RC_TIMEOUT  not reached, or cut off
 *          RC_UNAUTHENTICATED, RC_DENIED, RC_NOTFOUND, RC_CONFLICT, RC_LIMIT,
 *          RC_NOSPACE, RC_BUSY, RC_REMOTE  refused; the text is the server's,
 *          e->upstream_status its HTTP status. Busy ones (429, 503) were tried
 *          again before.
 * Threads: one.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/json.h"
#include "base/uuid.h"
#include "cli/options.h"
#include "net/fetch.h"

#define CLIENT_K "/v1/knowledge-base"
#define CLIENT_BASES_MAX 10000

struct client;
rc client_open(const struct options *o, struct arena *out, struct client **c,
               struct err *e) MUST_CHECK;
void client_close(struct client *c); /* NULL is fine */

/* body: its reference is taken; NULL: none. *answer NULL: an empty answer. */
rc client_call(struct client *c, const char *method, const char *path,
               json_t *body, json_t **answer, struct err *e) MUST_CHECK;
rc client_get(struct client *c, const char *path, json_t **answer,
              struct err *e) MUST_CHECK;

/* Posts a form. A refusal is an answer here: *status tells it. RC_IO: part
 * number *part_failed could not be read. */
struct client_form {
    const struct fetch_part *parts;
    size_t parts_n;
    bool (*progress)(void *arg, uint64_t sent);
    void *arg;
    unsigned status;
    size_t part_failed;
    json_t *answer; /* NULL: none, or not JSON */
};
rc client_post_form(struct client *c, const char *path, struct client_form *f,
                    struct err *e) MUST_CHECK;
/* Puts a file, streamed as the whole body; *answer as of client_call. */
struct client_file {
    const char *path;
    uint64_t bytes;
    bool (*progress)(void *arg, uint64_t sent); /* NULL: none */
    void *arg;
};
rc client_put_file(struct client *c, const char *path,
                   const struct client_file *file, json_t **answer,
                   struct err *e) MUST_CHECK;
/* What a refusing answer says, as an error. */
rc client_refusal(unsigned status, const json_t *answer, struct err *e);

/* Calls fn with each item of a paged list until it returns false or the list
 * ends. `path` may have a query. */
typedef bool client_item(void *arg, json_t *item);
rc client_each(struct client *c, const char *path, client_item *fn, void *arg,
               struct err *e) MUST_CHECK;

struct client_base {
    str id, name, model;
    json_int_t documents;
    bool model_missing; /* not installed: the base is searched by words */
};
rc client_bases(struct client *c, struct arena *out, struct client_base **v,
                size_t *n, struct err *e) MUST_CHECK;
/* By name or id. RC_NOTFOUND; RC_CONFLICT where several have the name. */
rc client_base_find(struct client *c, struct arena *out, str name,
                    struct client_base *b, struct err *e) MUST_CHECK;

/* {query, kb_ids}; new reference. */
json_t *client_search_request(const struct client_base *bases, size_t bases_n,
                              str query);
/* Says what an answer of search tells of the bases it was asked of. */
void client_notices_say(const struct client_base *bases, size_t bases_n,
                        const json_t *answer);
/* Sets the weight of vectors, in place of a weight or legs set before.
 * Feather's alpha begins at 0.1; at 0 the words alone rank. */
void client_alpha_set(json_t *body, double alpha);

#endif
