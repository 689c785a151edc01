/*
 * fetch: THE way out: every byte that knowd sends to another machine of its own
 * accord goes through fetch_run. The only edge to libcurl.
 *
 * A request is: URL read (net/url), name resolved (net/resolve), every address
 * judged by its bytes (net/addr), connected to one of those very addresses and
 * asked of the socket again before the request is sent. A name with one address
 * that is forbidden is not asked at all. Each place a redirect leads to goes the
 * same way, so that it does not matter what a name means a moment later.
 *
 * Every request names the policy it goes out under:
 *
 *   FETCH_PUBLIC    for a URL that anybody may have named. Public addresses on
 *                   ports 80 and 443, beside what `allowed` lists; no user or
 *                   password in a URL; redirects followed (REDIRECTS_MAX), not
 *                   from https to http, and headers of the caller that may tell
 *                   a secret stay with the origin they were given for;
 *                   compressed answers unpacked; a deadline.
 *   FETCH_OPERATOR  the command line talking to the server its user named: any
 *                   address and port, no redirects followed.
 *
 * Under both: http and https only, certificates verified, no proxy, no .netrc,
 * no cookies. One handle keeps its connection between requests; what a kept one
 * is connected to is judged under the policy of each request.
 *
 * Owns:    answers live in the arena passed as `out`.
 * Units:   times in ms, sizes in bytes.
 * Errors:  fetch_answer.fault says more; any HTTP status is an answer
 *          RC_REMOTE     not resolved, not reached, cut off, redirects without
 *                        end
 *          RC_DENIED     a forbidden address or port, https to http
 *          RC_TIMEOUT    nothing moved for stall_ms, or over timeout_ms
 *          RC_LIMIT      longer than answer_bytes_max or wire_bytes_max
 *          RC_IO         a file to send can't be read, or changed meanwhile; the
 *                        file to save into can't be written
 *          RC_CANCELLED  the progress function said so
 *          RC_INVALID    not a URL of an allowed scheme
 *          RC_BUSY       too many names are being looked up, hosts waited for
 *          and what a sink returns
 * Threads: a handle belongs to one thread at a time.
 * Cost:    bodies are streamed where a file or a sink takes them; memory is the
 *          answer else, and 64 KiB.
 * Source:  RFC 9110 (redirects 15.4, Retry-After 10.2.3, conditions 13).
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include "net/url.h"

struct fetch;
struct pace;

enum fetch_policy {
    FETCH_NO_POLICY, /* refused: the caller has to say */
    FETCH_OPERATOR,
    FETCH_PUBLIC
};

/* Why there is no answer, for callers that act on it. */
enum fetch_fault {
    FETCH_FINE,
    FETCH_BAD_URL,    /* none of http or https, or one with a password */
    FETCH_FORBIDDEN,  /* address, port, or https to http */
    FETCH_UNRESOLVED, /* the name has no address */
    FETCH_REFUSED,    /* no connection */
    FETCH_BAD_TLS,    /* a certificate that is not valid */
    FETCH_TIMED_OUT,
    FETCH_TOO_LARGE,
    FETCH_REDIRECTS, /* too many */
    FETCH_BROKEN,    /* cut, or not TLS or HTTP as it should be */
    FETCH_NO_TURN,   /* no place of a host came free in turn_ms */
    FETCH_OURS       /* files, memory, cancelled, a sink that refused */
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

struct fetch_answer;
/* Takes the next bytes of the body of a 200, 203 or 206; the answer's status,
 * content type, headers and URL are there. What it returns other than RC_OK
 * ends the request. */
typedef rc fetch_sink(void *arg, const struct fetch_answer *a, str bytes,
                      struct err *e);

struct fetch_opts {
    enum fetch_policy policy;
    const char *method; /* NULL: GET, POST with a body or parts, PUT with a
                           file */
    const char *url;
    const struct addr_nets *allowed; /* beside public addresses; NULL: none */
    const char *const *headers;      /* "name: value" */
    size_t headers_n;
    str etag, last_modified; /* of what the caller has: a 304 says it holds */
    str conditions_of;       /* the URL that gave them, and is asked with them,
                                no other; p NULL: the first */
    str body;                /* sent as application/json; p NULL: none */
    const struct fetch_part *parts;
    size_t parts_n;
    /* Streamed as the whole body, as application/octet-stream; NULL: none. */
    const struct fetch_part *file;
    const struct fetch_save *save; /* NULL: no file */
    fetch_sink *sink;              /* NULL: the body is kept in memory */
    void *sink_arg;
    size_t answer_bytes_max; /* unpacked; 0: 64 MiB */
    size_t wire_bytes_max;   /* as sent; 0: answer_bytes_max if public */
    unsigned redirects_max;  /* 0: REDIRECTS_MAX; none are followed for an
                                operator */
    bool redirects_off;      /* they are answers */
    unsigned connect_ms;     /* 0: 5 s */
    unsigned stall_ms;       /* 0: 60 s; 15 s if public */
    unsigned bytes_per_s;    /* slower for stall_ms is too slow; 0: 1 */
    unsigned timeout_ms;     /* of the whole: turns, names, connecting, every
                                redirect, the body; what another limit allows
                                ends with it. Trying again is another request.
                                0: none beside stall_ms, but 30 s if public and
                                not into a file */
    struct pace *pace; /* each place is asked in its turn; NULL: at once */
    unsigned turn_ms; /* what a turn may take: RC_BUSY; 0: what the whole may */
    /* Called now and then with the bytes sent so far, or received where they
     * are saved; false ends the request. NULL: none. */
    bool (*progress)(void *arg, uint64_t bytes);
    void *arg;
};

#define REDIRECTS_MAX 5

struct fetch_answer {
    enum fetch_fault fault;
    unsigned status;   /* on failure: of what began to come, or 0 */
    unsigned retry_ms; /* of Retry-After, a day at most; 0: absent */
    str url;           /* that answered, after redirects */
    unsigned hops;     /* redirects followed */
    bool moved;        /* there were some, and each was permanent */
    bool conditional;  /* what answered was asked with a condition */
    struct addr peer;  /* that answered; n 0: none did */
    str content_type;  /* empty: none */
    str etag, last_modified;
    str headers; /* "name: value\r\n" each */
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
