/*
 * fetch: outgoing HTTP requests; the only edge to libcurl.
 *
 * Every request names the policy it goes out under. FETCH_OPERATOR is the
 * command line talking to the server its user named: any host and port, no
 * redirects followed. Proxy variables of the environment are ignored, schemes
 * are http and https only, one handle keeps its connection between requests.
 *
 * Owns:    answers live in the arena passed as `out`.
 * Units:   times in ms, sizes in bytes.
 * Errors:  RC_REMOTE     not reached, or cut off; any HTTP status is an answer
 *          RC_TIMEOUT    nothing moved for stall_ms, or over timeout_ms
 *          RC_LIMIT      the answer is longer than answer_bytes_max
 *          RC_IO         a file to send can't be read, or changed meanwhile; the
 *                        file to save into can't be written
 *          RC_CANCELLED  the progress function said so
 *          RC_INVALID    not a URL of an allowed scheme
 * Threads: a handle belongs to one thread at a time.
 * Cost:    files are streamed; memory is the answer and 64 KiB.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include "base/arena.h"
#include "base/err.h"

struct fetch;

enum fetch_policy {
    FETCH_NO_POLICY, /* refused: the caller has to say */
    FETCH_OPERATOR
};

/* A part of multipart/form-data: bytes in memory, or a file that is streamed.*/
struct fetch_part {
    str name;
    str bytes;
    const char *path; /* NULL: bytes */
    uint64_t size;    /* of the file; exactly so much is sent */
    str filename;     /* empty: none is sent */
};

/* Where the body of an answer of status 200 or 206 goes, in place of memory. */
struct fetch_save {
    int fd;
    const char *path;
    uint64_t at;        /* a 206 begins here, a 200 at 0 */
    uint64_t bytes_max; /* the file is to have no more */
};

struct fetch_opts {
    enum fetch_policy policy;
    const char *method; /* NULL: GET, POST with a body or parts, PUT with a
                           file */
    const char *url;
    const char *const *headers; /* "name: value" */
    size_t headers_n;
    str body; /* sent as application/json; p NULL: none */
    const struct fetch_part *parts;
    size_t parts_n;
    /* Streamed as the whole body, as application/octet-stream; NULL: none. */
    const struct fetch_part *file;
    const struct fetch_save *save; /* NULL: the body is kept in memory */
    size_t answer_bytes_max;       /* 0: 64 MiB */
    unsigned connect_ms;           /* 0: 5 s */
    unsigned stall_ms;             /* 0: 60 s */
    unsigned timeout_ms;           /* of the whole; 0: none beside stall_ms */
    /* Called now and then with the bytes sent so far, or received where they
     * are saved; false ends the request. NULL: none. */
    bool (*progress)(void *arg, uint64_t bytes);
    void *arg;
};

struct fetch_answer {
    unsigned status;   /* on failure: of what began to come, or 0 */
    unsigned retry_ms; /* of Retry-After in seconds; 0: absent */
    str content_type;  /* empty: none */
    str headers;       /* "name: value\r\n" each */
    str body;
    uint64_t saved;     /* bytes, into the file of save; on failure too */
    size_t part_failed; /* with RC_IO: which part; SIZE_MAX: none */
};

rc fetch_open(struct fetch **f, struct err *e) MUST_CHECK;
void fetch_close(struct fetch *f); /* NULL is fine */
rc fetch_run(struct fetch *f, const struct fetch_opts *o, struct arena *out,
             struct fetch_answer *a, struct err *e) MUST_CHECK;

/* The value of a header, white space around it taken off; empty: none. */
str fetch_header(const struct fetch_answer *a, str name);
/* What a Location means in an answer to `url`; RC_INVALID: not http or https,
 * or http where url is https. */
rc fetch_location(const char *url, str location, struct arena *out,
                  const char **to, struct err *e) MUST_CHECK;

/* `s` with everything but unreserved characters percent-encoded. */
str fetch_escape(struct arena *out, str s);

#endif
