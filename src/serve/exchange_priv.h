/*
 * exchange: one request and its answer, between the HTTP library (http.c) and
 * the routes. http.c calls the steps in this order:
 *
 *   exchange_head     all headers are there: route, key, scope, limits
 *   exchange_data     for each slice of the body
 *   exchange_ready    the body is whole: parse and check it
 *   exchange_read     run on this thread, or
 *   exchange_write    start on the writer thread; x->resume is called behind it
 *
 * Each may find the answer early: then x->answered is set and the rest of the
 * body only has to be drained.
 *
 * Threads: one at a time; while suspended it belongs to the writer.
 */
#ifndef SERVE_EXCHANGE_PRIV_H
#define SERVE_EXCHANGE_PRIV_H

#include "serve/ingest.h"
#include "serve/multipart.h"
#include "serve/route.h"

struct http_head { /* borrowed from the library; p NULL: not sent */
    str method, path, query;
    str api_key, authorization, content_type, content_encoding, request_id,
        range, expect;
    uint64_t content_length;
    bool has_length, chunked;
};

struct exchange {
    struct request q;
    struct reply r;
    struct faults faults;
    struct err failed;    /* why, once there is an error to answer */
    enum dialect dialect; /* of its errors */
    struct http_head head;
    size_t body_bytes_max;
    uint64_t body_bytes; /* received */
    bool answered;       /* the reply is final */
    bool close;          /* close the connection behind it */
    struct buf body;
    struct multipart *reader;
    struct multipart_body parts;
    struct upload *upload; /* the file part that is coming in */
    int file_fd;           /* BODY_FILE: -1: not open */
    uint64_t file_bytes;
    bool in_manifest;
    size_t parts_n;
    struct app_write write;
    struct arena_mark clean; /* what a handler that runs again starts from */
    void (*resume)(struct exchange *x);
    /* http.c's own: */
    void *connection;
    struct watched *watched;
    const char *target; /* where it stood in the library's buffer */
    str target_text;
    bool head_done;
    bool drains;            /* refused before its body was all there */
    uint64_t refused_bytes; /* of the body, when it was */
};

struct exchange *exchange_open(struct serve *s, struct app *a);
void exchange_close(struct exchange *x);

void exchange_head(struct exchange *x, const struct http_head *head);
void exchange_data(struct exchange *x, str bytes);
void exchange_ready(struct exchange *x);
/* Only when not answered: */
void exchange_read(struct exchange *x);
/* The same where the handler may wait: true: x->resume will be called. */
bool exchange_start(struct exchange *x);
void exchange_write(struct exchange *x);

/* Puts an error into the reply, in the dialect of its path (Feather's when
 * there is none), and marks it answered. */
void exchange_fail(struct exchange *x, rc code, const struct err *e);

/* The limit of a dialect; NULL: none. */
struct rate;
struct rate *serve_rate(const struct serve *s, enum dialect dialect);
/* What ops.c asks of the server. */
bool serve_draining(const struct serve *s);
bool serve_on_loopback(const struct serve *s);
struct serve_figures {
    uint64_t requests, in_flight, connections;
    uint64_t answers[6]; /* by status / 100 */
};
void serve_figures(const struct serve *s, struct serve_figures *f);

#endif
