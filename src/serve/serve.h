/*
 * serve: the HTTP server over an opened app.
 *
 * Threads: a pool of the server's own; the caller's thread only starts and
 *          stops it.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "app/app.h"
#include "base/buf.h"

struct serve_opts {
    str address;            /* numeric, "127.0.0.1" or "::1" */
    uint16_t port;          /* 0: a free one */
    unsigned threads;       /* 0: one a core it may use; at least some */
    size_t connections_max; /* 0: 4096 */
    /* "feather=6000/min"; several of a dialect all hold, one without any has
     * no limit */
    const char *const *rate_limits;
    size_t rate_limits_n;
};

struct serve;

/* *url is "http://ADDR:PORT" in `out`. RC_BUSY: the port is taken. */
rc serve_start(struct app *a, const struct serve_opts *o, struct arena *out,
               struct serve **s, str *url, struct err *e) MUST_CHECK;
/* Takes no new connection, says so on /readyz, lets what runs finish (at most
 * 10 s), then stops. */
void serve_drain_and_stop(struct serve *s);

/* Every route with method, path, access and object, as a JSON array: what the
 * authorization matrix is generated from. */
void serve_routes_json(struct buf *b);
/* The document behind /openapi.json. */
void serve_openapi_json(struct buf *b);

#endif
