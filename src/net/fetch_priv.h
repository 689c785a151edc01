/*
 * fetch_priv: one request to one place, as fetch.c has it made by fetch_hop.c.
 */
#ifndef NET_FETCH_PRIV_H
#define NET_FETCH_PRIV_H

#include <curl/curl.h>

#include "base/buf.h"
#include "net/fetch.h"
#include "net/resolve.h"
#include "net/unpack.h"

/* A file part while it is sent. */
struct sending {
    const struct fetch_part *part;
    size_t index;
    int fd; /* -1: not open yet */
    uint64_t at;
    struct hop *hop;
};

struct hop {
    CURL *curl;
    const struct fetch_opts *o;
    struct fetch_answer *a;
    struct arena *out, *tmp;
    const struct url *url;
    bool own_headers; /* the origin they were given for */
    bool follows;     /* a redirect's body is of no use */
    int64_t until_ns; /* 0: no deadline */

    struct resolved at; /* judged; it connects to these and no other */
    struct buf body, headers;
    struct unpack *unpack;         /* NULL: it comes as it is */
    size_t head_bytes, head_lines; /* of all heads and trailers */
    bool head_ended;
    bool enough;        /* of a body that is of no use */
    struct err stopped; /* by one of our functions; code RC_OK: by none */
    struct sending *sending;
    size_t sending_n;
    int file_errno; /* why a file part stopped; 0: it changed its size */
    char why[CURL_ERROR_SIZE];
};

/* Resolves and judges, connects, sends and receives. */
rc hop_run(struct hop *h, struct err *e) MUST_CHECK;
bool hop_is_redirect(const struct fetch_answer *a);
/* What it sends (fetch_body.c); false and NULL: no memory. */
bool hop_headers(struct hop *h, struct curl_slist **list);
curl_mime *hop_form(struct hop *h);
bool hop_send_file(struct hop *h);
void hop_close_files(struct hop *h);
/* Notes the fault; gives code back. */
rc fetch_fail(struct fetch_answer *a, enum fetch_fault fault, rc code);

#endif
