/* One request to one place: judged, connected, sent, received. */
#include <arpa/inet.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "net/fetch_priv.h"

#define ANSWER_BYTES_MAX (64 * MIB)
#define HEADERS_BYTES_MAX (64 * KIB)
#define HEADER_LINES_MAX 200
#define USELESS_BYTES_MAX (64 * KIB) /* of a redirect's body */
#define RETRY_S_MAX 86400
#define CONNECT_MS 5000
#define RESOLVE_MS 10000
#define STALL_MS 60000
#define STALL_PUBLIC_MS 15000
#define NS_PER_MS INT64_C(1000000)

rc fetch_fail(struct fetch_answer *a, enum fetch_fault fault, rc code)
{
    a->fault = fault;
    return code;
}

static bool is_public(const struct hop *h)
{
    return h->o->policy == FETCH_PUBLIC;
}

/* ---- where it may go ---- */

static bool may_go(const struct hop *h, const struct addr *to, unsigned port,
                   const char **why)
{
    static const struct addr_nets NONE;
    const struct addr_nets *allowed =
        h->o->allowed != NULL ? h->o->allowed : &NONE;

    return !is_public(h) || addr_is_allowed(to, port, allowed, why);
}

static rc forbid(struct hop *h, const struct addr *to, const char *why,
                 struct err *e)
{
    char text[ADDR_TEXT];

    addr_text(to, text);
    if (strcmp(why, "port") == 0)
        return fetch_fail(
            h->a, FETCH_FORBIDDEN,
            err_set(e, RC_DENIED,
                    "%.*s: port %u is not allowed, only 80 and 443",
                    (int)str_sub(h->url->host, 0, 100).n, h->url->host.p,
                    h->url->port));
    return fetch_fail(
        h->a, FETCH_FORBIDDEN,
        err_set(
            e, RC_DENIED, "%.*s is at %s, which is not a public address: %s",
            (int)str_sub(h->url->host, 0, 100).n, h->url->host.p, text, why));
}

static int64_t sooner(const struct hop *h, int64_t ms)
{
    int64_t ns = clock_mono_ns() + ms * NS_PER_MS;

    return h->until_ns != 0 && h->until_ns < ns ? h->until_ns : ns;
}

static rc resolve(struct hop *h, struct err *e)
{
    rc code;

    h->at.n = 1;
    h->at.v[0] = h->url->addr;
    if (h->url->kind != URL_DOMAIN)
        return RC_OK;
    code = resolve_name(h->url->host, sooner(h, RESOLVE_MS), &h->at, e);
    if (code != RC_OK)
        (void)fetch_fail(h->a,
                         code == RC_TIMEOUT ? FETCH_TIMED_OUT
                         : code == RC_BUSY  ? FETCH_OURS
                                            : FETCH_UNRESOLVED,
                         code);
    return code;
}

/* One forbidden address among public ones is what rebinding looks like. */
static rc judge(struct hop *h, struct err *e)
{
    const char *why = "";

    for (size_t i = 0; i < h->at.n; i++) {
        if (!may_go(h, &h->at.v[i], h->url->port, &why))
            return forbid(h, &h->at.v[i], why, e);
    }
    return RC_OK;
}

/* "host:port:address,address" for libcurl, so that it asks nobody. */
static bool pin(struct hop *h, struct curl_slist **list)
{
    struct buf to = {0};
    char text[ADDR_TEXT];

    if (h->url->kind != URL_DOMAIN)
        return true;
    buf_fmt(&to, "+" STR_FMT ":%u:", STR_ARG(h->url->host), h->url->port);
    for (size_t i = 0; i < h->at.n; i++) {
        addr_text(&h->at.v[i], text);
        buf_fmt(&to, h->at.v[i].n == 16 ? "%s[%s]" : "%s%s", i == 0 ? "" : ",",
                text);
    }
    buf_put_char(&to, '\0');
    if (to.code == RC_OK)
        *list = curl_slist_append(NULL, to.p);
    buf_close(&to);
    return *list != NULL;
}

static bool is_pinned(const struct hop *h, const struct addr *to)
{
    for (size_t i = 0; i < h->at.n; i++) {
        if (addr_eq(&h->at.v[i], to))
            return true;
    }
    return false;
}

/* Called with the very address that connect(2) is going to be given. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose,
                               struct curl_sockaddr *to)
{
    struct hop *h = arg;
    const char *why = "not what the name meant";
    struct addr a;
    unsigned port;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        !addr_of_sockaddr(&to->addr, &a, &port))
        return CURL_SOCKET_BAD;
    if (is_pinned(h, &a) && port == h->url->port && may_go(h, &a, port, &why))
        return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    (void)forbid(h, &a, why, &h->stopped);
    return CURL_SOCKET_BAD;
}

/* Called before the request is sent, over a kept connection too: what that one
 * is connected to was judged under another policy, perhaps. */
static int on_connected(void *arg, char *ip, char *own_ip, int port,
                        int own_port)
{
    struct hop *h = arg;
    const char *why = "";

    (void)own_ip;
    (void)own_port;
    if (!addr_parse(str_of(ip), &h->a->peer)) {
        (void)fetch_fail(
            h->a, FETCH_FORBIDDEN,
            err_set(&h->stopped, RC_DENIED, "%.60s is no address to ask", ip));
        return CURL_PREREQFUNC_ABORT;
    }
    if (may_go(h, &h->a->peer, (unsigned)port, &why))
        return CURL_PREREQFUNC_OK;
    (void)forbid(h, &h->a->peer, why, &h->stopped);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- what comes: the head ---- */

static size_t header_count(str rest, str name, str *value)
{
    size_t n = 0;
    str line, key, v;

    *value = STR_NONE;
    while (rest.n > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ':', &key, &v) || !str_eq_nocase(key, name))
            continue;
        *value = n == 0 ? str_trim(v) : *value;
        n++;
    }
    return n;
}

/* Seconds, or a date. */
static unsigned retry_ms_of(str value)
{
    uint64_t s = 0;
    char text[64];

    if (value.n == 0 || value.n >= sizeof text)
        return 0;
    if (!str_to_u64(value, UINT64_MAX, &s)) {
        time_t at;

        memcpy(text, value.p, value.n);
        text[value.n] = '\0';
        at = curl_getdate(text, NULL);
        if (at != (time_t)-1 && at * INT64_C(1000) > clock_wall_ms())
            s = (uint64_t)(at * INT64_C(1000) - clock_wall_ms() + 999) / 1000;
    }
    return (unsigned)(s < RETRY_S_MAX ? s : RETRY_S_MAX) * 1000;
}

/* One coding is unpacked. Of a chain of them each could make a thousand bytes
 * of one before anybody counts. */
static bool is_one_coding(str head, str name, const char *const *known)
{
    str value;
    size_t n = header_count(head, name, &value);

    if (n == 0)
        return true;
    for (; n == 1 && *known != NULL; known++) {
        if (str_eq_nocase(value, str_of(*known)))
            return true;
    }
    return false;
}

static bool is_plain_enough(struct hop *h, str head)
{
    static const char *const CODINGS[] = {"gzip", "x-gzip",   "deflate",
                                          "",     "identity", NULL};
    static const char *const TRANSFERS[] = {"chunked", "identity", NULL};

    return is_one_coding(head, STR("transfer-encoding"), TRANSFERS) &&
           (!is_public(h) ||
            is_one_coding(head, STR("content-encoding"), CODINGS));
}

/* What is saved into a file is kept as it is sent, for ranges are of that. */
static bool is_unpacked(const struct hop *h)
{
    return is_public(h) && h->o->save == NULL;
}

static rc end_head(struct hop *h, struct err *e)
{
    struct fetch_answer *a = h->a;
    str head = buf_str(&h->headers), value;
    long status = 0;

    (void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    a->status = (unsigned)status;
    if (status < 200)
        return RC_OK;
    h->head_ended = true;
    a->headers = arena_str(h->out, head);
    (void)header_count(a->headers, STR("content-type"), &a->content_type);
    (void)header_count(a->headers, STR("etag"), &a->etag);
    (void)header_count(a->headers, STR("last-modified"), &a->last_modified);
    (void)header_count(head, STR("retry-after"), &value);
    a->retry_ms = retry_ms_of(value);
    if (!is_plain_enough(h, head))
        return fetch_fail(a, FETCH_BROKEN,
                          err_set(e, RC_REMOTE,
                                  "the answer is packed in a way that is not "
                                  "taken"));
    (void)header_count(head, STR("content-encoding"), &value);
    if (is_unpacked(h) && unpack_knows(value) &&
        unpack_open(value, &h->unpack, e) != RC_OK)
        return fetch_fail(a, FETCH_OURS, RC_NOMEM);
    return RC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct hop *h = arg;
    str line = {p, size * n};

    h->head_bytes += line.n;
    h->head_lines++;
    if (h->head_bytes > HEADERS_BYTES_MAX || h->head_lines > HEADER_LINES_MAX) {
        (void)fetch_fail(h->a, FETCH_TOO_LARGE,
                         err_set(&h->stopped, RC_LIMIT,
                                 "the answer's head has more than %zu bytes "
                                 "or %d lines",
                                 HEADERS_BYTES_MAX, HEADER_LINES_MAX));
        return 0;
    }
    if (h->head_ended) /* a trailer, which nobody asked for */
        return line.n;
    /* Of several answers (100, then another) the last counts. */
    if (str_starts(line, STR("HTTP/")))
        buf_clear(&h->headers);
    else if (str_trim(line).n > 0)
        buf_put(&h->headers, line);
    else if (end_head(h, &h->stopped) != RC_OK)
        return 0;
    return line.n;
}

bool hop_is_redirect(const struct fetch_answer *a)
{
    return (a->status >= 301 && a->status <= 303) || a->status == 307 ||
           a->status == 308;
}

/* ---- what comes: the body ---- */

static rc save(struct hop *h, str bytes, struct err *e)
{
    const struct fetch_save *to = h->o->save;
    uint64_t at = (h->a->status == 206 ? to->at : 0) + h->a->saved;
    rc code;

    if (at > to->bytes_max || bytes.n > to->bytes_max - at)
        return fetch_fail(h->a, FETCH_TOO_LARGE,
                          err_set(e, RC_LIMIT,
                                  "the answer has more than %llu bytes",
                                  (unsigned long long)to->bytes_max));
    code = file_pwrite_all(to->fd, to->path, bytes, at, e);
    if (code == RC_OK)
        h->a->saved += bytes.n;
    return code;
}

static rc too_large(struct hop *h, size_t max, struct err *e)
{
    return fetch_fail(
        h->a, FETCH_TOO_LARGE,
        err_set(e, RC_LIMIT, "the answer has more than %zu bytes", max));
}

static size_t answer_bytes_max(const struct hop *h)
{
    return h->o->answer_bytes_max != 0 ? h->o->answer_bytes_max
                                       : ANSWER_BYTES_MAX;
}

static rc take(struct hop *h, str bytes, struct err *e)
{
    bool wanted = h->a->status == 200 || h->a->status == 206;
    rc code;

    if (h->o->save != NULL && wanted)
        return save(h, bytes, e);
    if (h->o->sink != NULL && (wanted || h->a->status == 203)) {
        if (bytes.n > answer_bytes_max(h) - h->a->saved)
            return too_large(h, answer_bytes_max(h), e);
        h->a->saved += bytes.n;
        code = h->o->sink(h->o->sink_arg, h->a, bytes, e);
        return code;
    }
    buf_put(&h->body, bytes);
    if (h->body.code == RC_LIMIT)
        return too_large(h, h->body.bytes_max, e);
    return buf_end(&h->body, e);
}

static rc take_unpacked(void *arg, str bytes, struct err *e)
{
    return take(arg, bytes, e);
}

static rc take_sent(struct hop *h, str bytes, struct err *e)
{
    rc code;

    if (h->unpack == NULL)
        return take(h, bytes, e);
    code = unpack_put(h->unpack, bytes, take_unpacked, h, e);
    if (code == RC_FORMAT) {
        e->code = RC_REMOTE;
        code = fetch_fail(h->a, FETCH_BROKEN, RC_REMOTE);
    }
    return code;
}

/* Whether all of it came. */
static rc end_body(struct hop *h, struct err *e)
{
    struct err why;

    if (h->unpack == NULL || unpack_end(h->unpack, &why) == RC_OK)
        return RC_OK;
    return fetch_fail(h->a, FETCH_BROKEN,
                      err_set(e, RC_REMOTE, "%s", why.text));
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct hop *h = arg;
    str bytes = {p, size * n};

    if (h->follows && hop_is_redirect(h->a)) {
        h->a->saved += bytes.n;
        h->enough = h->a->saved > USELESS_BYTES_MAX;
        return h->enough ? 0 : bytes.n;
    }
    if (take_sent(h, bytes, &h->stopped) == RC_OK)
        return bytes.n;
    if (h->a->fault == FETCH_FINE)
        (void)fetch_fail(h->a, FETCH_OURS, RC_OK);
    return 0;
}

static bool is_head(const struct hop *h)
{
    return h->o->method != NULL && strcmp(h->o->method, "HEAD") == 0;
}

static size_t wire_bytes_max(const struct hop *h)
{
    if (is_head(h)) /* whatever it says the length is */
        return 0;
    if (h->o->wire_bytes_max != 0)
        return h->o->wire_bytes_max;
    return is_public(h) && h->o->save == NULL ? answer_bytes_max(h) : 0;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down,
                       curl_off_t up_all, curl_off_t up)
{
    struct hop *h = arg;
    size_t max = wire_bytes_max(h);
    uint64_t bytes = h->o->save != NULL ? h->a->saved : (uint64_t)up;

    (void)down_all;
    (void)up_all;
    if (max != 0 && (uint64_t)down > max) {
        (void)too_large(h, max, &h->stopped);
        return 1;
    }
    if (h->o->progress == NULL || h->o->progress(h->o->arg, bytes))
        return 0;
    (void)fetch_fail(h->a, FETCH_OURS,
                     err_set(&h->stopped, RC_CANCELLED, "cancelled"));
    return 1;
}

/* ---- one request ---- */

#define SET(option, value)                                              \
    do {                                                                \
        if (curl_easy_setopt(curl, (option), (value)) != CURLE_OK)      \
            return err_set(e, RC_NOMEM, "libcurl refuses %s", #option); \
    } while (0)

static rc set_up_walls(struct hop *h, struct curl_slist *pinned, struct err *e)
{
    CURL *curl = h->curl;

    SET(CURLOPT_PROTOCOLS_STR, h->url->https ? "https" : "http");
    SET(CURLOPT_PROXY, ""); /* also switches the variables off */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L); /* net/url has seen to it */
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_RESOLVE, pinned);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, h);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, h);
    return RC_OK;
}

static rc set_up_times(struct hop *h, struct err *e)
{
    const struct fetch_opts *o = h->o;
    CURL *curl = h->curl;
    unsigned stall_ms = o->stall_ms != 0 ? o->stall_ms
                        : is_public(h)   ? STALL_PUBLIC_MS
                                         : STALL_MS;
    int64_t left_ms = 0;

    if (h->until_ns != 0) {
        left_ms = (h->until_ns - clock_mono_ns()) / NS_PER_MS;
        left_ms = left_ms > 1 ? left_ms : 1;
    }
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(o->connect_ms != 0 ? o->connect_ms : CONNECT_MS));
    SET(CURLOPT_LOW_SPEED_LIMIT,
        (long)(o->bytes_per_s != 0 ? o->bytes_per_s : 1));
    SET(CURLOPT_LOW_SPEED_TIME, (long)((stall_ms + 999) / 1000));
    SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
    return RC_OK;
}

static rc set_up_receiving(struct hop *h, struct err *e)
{
    CURL *curl = h->curl;

    SET(CURLOPT_ERRORBUFFER, h->why);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, h);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, h);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, h);
    if (is_public(h)) {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)wire_bytes_max(h));
        if (is_unpacked(h)) { /* by us */
            SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
            SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
        }
    }
    return RC_OK;
}

static rc set_up_request(struct hop *h, struct curl_slist *headers,
                         curl_mime *form, struct err *e)
{
    const struct fetch_opts *o = h->o;
    struct url target = *h->url;
    CURL *curl = h->curl;

    target.has_fragment = false;
    SET(CURLOPT_URL, arena_cstr(h->tmp, url_text(&target, h->tmp)));
    SET(CURLOPT_USERAGENT, "knowd/" KNOWD_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    if (form != NULL)
        SET(CURLOPT_MIMEPOST, form);
    if (o->body.p != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
        SET(CURLOPT_POSTFIELDS, o->body.p);
    }
    if (o->file != NULL && !hop_send_file(h))
        return err_set(e, RC_NOMEM, "no memory for the request");
    if (is_head(h))
        SET(CURLOPT_NOBODY, 1L);
    else if (o->method != NULL)
        SET(CURLOPT_CUSTOMREQUEST, o->method);
    return RC_OK;
}

/* libcurl's word for what went wrong, as ours. */
static const struct {
    CURLcode got;
    enum fetch_fault fault;
    rc code;
    const char *said;
} MEANINGS[] = {
    {CURLE_OPERATION_TIMEDOUT, FETCH_TIMED_OUT, RC_TIMEOUT, "no answer: "},
    /* HTTP/0.9: the scheme has been seen to before. */
    {CURLE_UNSUPPORTED_PROTOCOL, FETCH_BROKEN, RC_REMOTE, "not HTTP: "},
    {CURLE_URL_MALFORMAT, FETCH_BAD_URL, RC_INVALID, ""},
    {CURLE_COULDNT_CONNECT, FETCH_REFUSED, RC_REMOTE, "no connection: "},
    {CURLE_FILESIZE_EXCEEDED, FETCH_TOO_LARGE, RC_LIMIT, "too large: "},
    /* Also of a handshake that was reset or cut off, which may pass, and
     * libcurl does not tell them apart. A certificate is another matter. */
    {CURLE_SSL_CONNECT_ERROR, FETCH_BROKEN, RC_REMOTE, "no safe connection: "},
    {CURLE_PEER_FAILED_VERIFICATION, FETCH_BAD_TLS, RC_REMOTE,
     "the certificate is not valid: "},
    {CURLE_PARTIAL_FILE, FETCH_BROKEN, RC_REMOTE, "the answer was cut off: "},
};

static rc tell_curl(struct hop *h, CURLcode got, struct err *e)
{
    const char *why = h->why[0] != '\0' ? h->why : curl_easy_strerror(got);
    str host = str_sub(h->url->host, 0, 100);

    for (size_t i = 0; i < NELEMS(MEANINGS); i++) {
        if (MEANINGS[i].got == got)
            return fetch_fail(h->a, MEANINGS[i].fault,
                              err_set(e, MEANINGS[i].code, "%.*s: %s%s",
                                      (int)host.n, host.p, MEANINGS[i].said,
                                      why));
    }
    return fetch_fail(
        h->a, FETCH_BROKEN,
        err_set(e, RC_REMOTE, "%.*s: %s", (int)host.n, host.p, why));
}

static rc tell(struct hop *h, CURLcode got, struct err *e)
{
    const struct fetch_part *part;

    if (h->stopped.code != RC_OK) {
        if (e != NULL)
            *e = h->stopped;
        return h->stopped.code;
    }
    if (h->a->part_failed == SIZE_MAX)
        return tell_curl(h, got, e);
    part = h->sending[h->a->part_failed].part;
    (void)fetch_fail(h->a, FETCH_OURS, RC_IO);
    return h->file_errno != 0
               ? err_errno(e, RC_IO, h->file_errno, "cannot read %.150s",
                           part->path)
               : err_set(e, RC_IO, "%.150s changed while it was sent",
                         part->path);
}

static rc perform(struct hop *h, struct err *e)
{
    CURLcode got = curl_easy_perform(h->curl);
    long status = 0;

    (void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    h->a->status = (unsigned)status;
    /* A server may answer and close before it has read a body it refuses: the
     * answer counts, not that sending failed. */
    if (got != CURLE_OK && !(got == CURLE_SEND_ERROR && status >= 400) &&
        !(got == CURLE_WRITE_ERROR && h->enough))
        return tell(h, got, e);
    if (!h->enough && end_body(h, e) != RC_OK)
        return RC_REMOTE;
    h->a->body = arena_str(h->out, buf_str(&h->body));
    return RC_OK;
}

static rc run(struct hop *h, struct curl_slist *pinned,
              struct curl_slist *headers, curl_mime *form, struct err *e)
{
    rc code = set_up_walls(h, pinned, e);

    if (code == RC_OK)
        code = set_up_times(h, e);
    if (code == RC_OK)
        code = set_up_receiving(h, e);
    if (code == RC_OK)
        code = set_up_request(h, headers, form, e);
    return code == RC_OK ? perform(h, e) : fetch_fail(h->a, FETCH_OURS, code);
}

rc hop_run(struct hop *h, struct err *e)
{
    struct curl_slist *pinned = NULL, *headers = NULL;
    curl_mime *form = NULL;
    rc code = resolve(h, e);

    if (code == RC_OK)
        code = judge(h, e);
    if (code != RC_OK)
        return code;
    curl_easy_reset(h->curl); /* keeps the connection */
    buf_open(&h->body, answer_bytes_max(h));
    buf_open(&h->headers, HEADERS_BYTES_MAX);
    if (h->o->parts_n > 0)
        form = hop_form(h);
    if (!pin(h, &pinned) || !hop_headers(h, &headers) ||
        (h->o->parts_n > 0 && form == NULL))
        code = fetch_fail(h->a, FETCH_OURS,
                          err_set(e, RC_NOMEM, "no memory for the request"));
    else
        code = run(h, pinned, headers, form, e);
    hop_close_files(h);
    curl_easy_reset(h->curl); /* before what it points to goes */
    curl_mime_free(form);
    curl_slist_free_all(headers);
    curl_slist_free_all(pinned);
    buf_close(&h->headers);
    buf_close(&h->body);
    unpack_close(h->unpack);
    h->unpack = NULL;
    return code;
}
