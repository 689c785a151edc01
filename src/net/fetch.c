#include "net/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

#define ANSWER_BYTES_MAX (64 * MIB)
#define HEADERS_BYTES_MAX (64 * KIB)
#define CONNECT_MS 5000
#define STALL_MS 60000

struct fetch {
    CURL *curl;
};

/* A file part while it is sent. */
struct sending {
    const struct fetch_part *part;
    size_t index;
    int fd; /* -1: not open yet */
    uint64_t at;
    struct run *run;
};

/* One request. */
struct run {
    const struct fetch_opts *o;
    struct fetch_answer *a;
    CURL *curl;
    struct buf body, headers;
    struct err saving; /* of the file that the answer is saved into */
    struct sending *sending;
    size_t sending_n;
    int file_errno; /* why a file part stopped; 0: it changed its size */
    char why[CURL_ERROR_SIZE];
};

static pthread_once_t started = PTHREAD_ONCE_INIT;
static CURLcode start_code;

static void start(void)
{
    start_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

rc fetch_open(struct fetch **f, struct err *e)
{
    CURL *curl;

    *f = NULL;
    (void)pthread_once(&started, start);
    curl = start_code == CURLE_OK ? curl_easy_init() : NULL;
    if (curl == NULL)
        return err_set(e, RC_NOMEM, "cannot start libcurl");
    *f = mem_alloc(sizeof **f);
    (*f)->curl = curl;
    return RC_OK;
}

void fetch_close(struct fetch *f)
{
    if (f == NULL)
        return;
    curl_easy_cleanup(f->curl);
    mem_free(f);
}

/* ---- what libcurl calls ---- */

static bool is_saved(const struct run *r, long status)
{
    return r->o->save != NULL && (status == 200 || status == 206);
}

/* false: r->saving says why. */
static bool save(struct run *r, long status, str bytes)
{
    const struct fetch_save *to = r->o->save;
    uint64_t at = (status == 206 ? to->at : 0) + r->a->saved;

    if (at > to->bytes_max || bytes.n > to->bytes_max - at)
        (void)err_set(&r->saving, RC_LIMIT,
                      "the answer has more than %llu bytes",
                      (unsigned long long)to->bytes_max);
    else if (file_pwrite_all(to->fd, to->path, bytes, at, &r->saving) == RC_OK)
        r->a->saved += bytes.n;
    return r->saving.code == RC_OK;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct run *r = arg;
    long status = 0;

    (void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    if (is_saved(r, status))
        return save(r, status, (str){p, size * n}) ? size * n : 0;
    buf_put(&r->body, (str){p, size * n});
    return r->body.code == RC_OK ? size * n : 0;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct run *r = arg;
    str name, value;
    uint64_t seconds;

    /* Of several answers (100, then another) the last counts. */
    if (str_starts((str){p, size * n}, STR("HTTP/")))
        buf_clear(&r->headers);
    else
        buf_put(&r->headers, (str){p, size * n});
    if (str_cut((str){p, size * n}, ':', &name, &value) &&
        str_eq_nocase(name, STR("retry-after")) &&
        str_to_u64(str_trim(value), 86400, &seconds))
        r->a->retry_ms = (unsigned)seconds * 1000;
    return size * n;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down,
                       curl_off_t up_all, curl_off_t up)
{
    struct run *r = arg;

    (void)down_all;
    (void)down;
    (void)up_all;
    return r->o->progress(r->o->arg,
                          r->o->save != NULL ? r->a->saved : (uint64_t)up)
               ? 0
               : 1;
}

static size_t file_stops(struct sending *s, int sys)
{
    s->run->a->part_failed = s->index;
    s->run->file_errno = sys;
    return CURL_READFUNC_ABORT;
}

/* Sends exactly part->size bytes: a file that has shrunk meanwhile can't be
 * sent as announced, one that has grown is cut. */
static size_t on_file(char *to, size_t size, size_t n, void *arg)
{
    struct sending *s = arg;
    uint64_t left = s->part->size - s->at;
    size_t want = size * n < left ? size * n : (size_t)left;
    ssize_t got;

    if (want == 0)
        return 0;
    if (s->fd < 0)
        s->fd = io_open(s->part->path, O_RDONLY | O_NOCTTY, 0);
    if (s->fd < 0)
        return file_stops(s, errno);
    do
        got = io_pread(s->fd, s->part->path, to, want, s->at);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return file_stops(s, got < 0 ? errno : 0);
    s->at += (uint64_t)got;
    if (s->at == s->part->size) {
        (void)io_close(s->fd);
        s->fd = -1;
    }
    return (size_t)got;
}

static int on_seek(void *arg, curl_off_t at, int origin)
{
    struct sending *s = arg;

    if (origin != SEEK_SET || at < 0 || (uint64_t)at > s->part->size)
        return CURL_SEEKFUNC_FAIL;
    s->at = (uint64_t)at;
    return CURL_SEEKFUNC_OK;
}

/* ---- one request ---- */

/* libcurl wants NUL-terminated names. */
static bool add_part(curl_mime *mime, struct run *r, struct arena *tmp,
                     size_t i)
{
    const struct fetch_part *part = &r->o->parts[i];
    struct sending *s = &r->sending[i];
    curl_mimepart *to = curl_mime_addpart(mime);

    *s = (struct sending){.part = part, .index = i, .fd = -1, .run = r};
    return to != NULL &&
           curl_mime_name(to, arena_cstr(tmp, part->name)) == CURLE_OK &&
           (part->filename.n == 0 ||
            curl_mime_filename(to, arena_cstr(tmp, part->filename)) ==
                CURLE_OK) &&
           (part->path == NULL
                ? curl_mime_data(to, part->bytes.n == 0 ? "" : part->bytes.p,
                                 part->bytes.n)
                : curl_mime_data_cb(to, (curl_off_t)part->size, on_file,
                                    on_seek, NULL, s)) == CURLE_OK;
}

static curl_mime *make_form(CURL *curl, struct run *r, struct arena *tmp)
{
    curl_mime *mime = curl_mime_init(curl);

    r->sending = ARENA_ARRAY(tmp, struct sending, r->o->parts_n);
    for (size_t i = 0; mime != NULL && i < r->o->parts_n; i++) {
        r->sending_n = i + 1;
        if (!add_part(mime, r, tmp, i)) {
            curl_mime_free(mime);
            mime = NULL;
        }
    }
    return mime;
}

static rc make_headers(const struct fetch_opts *o, struct curl_slist **list,
                       struct err *e)
{
    const char *type = o->file != NULL
                           ? "Content-Type: application/octet-stream"
                       : o->body.p != NULL ? "Content-Type: application/json"
                                           : NULL;
    struct curl_slist *longer;

    for (size_t i = 0; i < o->headers_n + (type != NULL); i++) {
        longer =
            curl_slist_append(*list, i < o->headers_n ? o->headers[i] : type);
        if (longer == NULL)
            return err_set(e, RC_NOMEM, "no memory for the request");
        *list = longer;
    }
    return RC_OK;
}

#define SET(option, value)                                              \
    do {                                                                \
        if (curl_easy_setopt(curl, (option), (value)) != CURLE_OK)      \
            return err_set(e, RC_NOMEM, "libcurl refuses %s", #option); \
    } while (0)

/* A file as the whole body. */
static rc set_up_file(CURL *curl, struct run *r, struct err *e)
{
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->o->file->size);
    SET(CURLOPT_READFUNCTION, on_file);
    SET(CURLOPT_READDATA, &r->sending[0]);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, &r->sending[0]);
    return RC_OK;
}

static rc set_up(CURL *curl, struct run *r, struct curl_slist *headers,
                 curl_mime *form, struct err *e)
{
    const struct fetch_opts *o = r->o;
    unsigned stall_ms = o->stall_ms != 0 ? o->stall_ms : STALL_MS;

    SET(CURLOPT_URL, o->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_PROXY, ""); /* also switches the variables off */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "knowd/" KNOWD_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_ERRORBUFFER, r->why);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(o->connect_ms != 0 ? o->connect_ms : CONNECT_MS));
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)((stall_ms + 999) / 1000));
    SET(CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, r);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, r);
    if (o->progress != NULL) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, r);
    }
    if (form != NULL)
        SET(CURLOPT_MIMEPOST, form);
    if (o->body.p != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
        SET(CURLOPT_POSTFIELDS, o->body.p);
    }
    if (o->file != NULL && set_up_file(curl, r, e) != RC_OK)
        return RC_NOMEM;
    if (o->method != NULL && strcmp(o->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else if (o->method != NULL)
        SET(CURLOPT_CUSTOMREQUEST, o->method);
    return RC_OK;
}

static rc tell(const struct run *r, CURLcode got, struct err *e)
{
    const char *why = r->why[0] != '\0' ? r->why : curl_easy_strerror(got);
    const struct fetch_part *part;

    if (r->saving.code != RC_OK) {
        if (e != NULL)
            *e = r->saving;
        return r->saving.code;
    }
    if (r->body.code == RC_LIMIT)
        return err_set(e, RC_LIMIT, "the answer has more than %zu bytes",
                       r->body.bytes_max);
    if (r->body.code != RC_OK)
        return err_set(e, r->body.code, "no memory for the answer");
    if (r->a->part_failed != SIZE_MAX) {
        part = r->sending[r->a->part_failed].part;
        return r->file_errno != 0
                   ? err_errno(e, RC_IO, r->file_errno, "cannot read %.150s",
                               part->path)
                   : err_set(e, RC_IO, "%.150s changed while it was sent",
                             part->path);
    }
    if (got == CURLE_ABORTED_BY_CALLBACK)
        return err_set(e, RC_CANCELLED, "cancelled");
    if (got == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, RC_TIMEOUT, "%.100s: no answer: %s", r->o->url, why);
    if (got == CURLE_UNSUPPORTED_PROTOCOL || got == CURLE_URL_MALFORMAT)
        return err_set(e, RC_INVALID, "%.100s: %s", r->o->url, why);
    return err_set(e, RC_REMOTE, "%.100s: %s", r->o->url, why);
}

static rc run(struct fetch *f, struct run *r, struct arena *out,
              struct curl_slist *headers, curl_mime *form, struct err *e)
{
    CURLcode got;
    char *type = NULL;
    long status = 0;
    rc code = set_up(f->curl, r, headers, form, e);

    if (code != RC_OK)
        return code;
    got = curl_easy_perform(f->curl);
    (void)curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    r->a->status = (unsigned)status;
    /* A server may answer and close before it has read a body it refuses: the
     * answer counts, not that sending failed. */
    if (got != CURLE_OK && !(got == CURLE_SEND_ERROR && status >= 400))
        return tell(r, got, e);
    (void)curl_easy_getinfo(f->curl, CURLINFO_CONTENT_TYPE, &type);
    r->a->content_type = arena_str(out, str_of(type));
    r->a->body = arena_str(out, buf_str(&r->body));
    r->a->headers = arena_str(out, buf_str(&r->headers));
    return RC_OK;
}

rc fetch_run(struct fetch *f, const struct fetch_opts *o, struct arena *out,
             struct fetch_answer *a, struct err *e)
{
    struct run r = {.o = o, .a = a, .curl = f->curl};
    struct curl_slist *headers = NULL;
    curl_mime *form = NULL;
    struct arena *tmp;
    rc code;

    *a = (struct fetch_answer){.part_failed = SIZE_MAX};
    if (o->policy == FETCH_NO_POLICY)
        return err_set(e, RC_INVALID, "a request without a policy");
    tmp = arena_open();
    curl_easy_reset(f->curl); /* keeps the connection */
    buf_open(&r.body,
             o->answer_bytes_max != 0 ? o->answer_bytes_max : ANSWER_BYTES_MAX);
    buf_open(&r.headers, HEADERS_BYTES_MAX);
    code = make_headers(o, &headers, e);
    if (code == RC_OK && o->file != NULL) {
        ASSERT(o->parts_n == 0 && o->body.p == NULL);
        r.sending = ARENA_NEW(tmp, struct sending);
        r.sending_n = 1;
        r.sending[0] = (struct sending){.part = o->file, .fd = -1, .run = &r};
    }
    if (code == RC_OK && o->parts_n > 0) {
        form = make_form(f->curl, &r, tmp);
        if (form == NULL)
            code = err_set(e, RC_NOMEM, "no memory for the request");
    }
    if (code == RC_OK)
        code = run(f, &r, out, headers, form, e);
    for (size_t i = 0; i < r.sending_n; i++) {
        if (r.sending[i].fd >= 0)
            (void)io_close(r.sending[i].fd);
    }
    curl_easy_reset(f->curl); /* before what it points to goes */
    curl_mime_free(form);
    curl_slist_free_all(headers);
    buf_close(&r.headers);
    buf_close(&r.body);
    arena_close(tmp);
    return code;
}

str fetch_header(const struct fetch_answer *a, str name)
{
    str rest = a->headers, line, key, value;

    while (rest.n > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, name))
            return str_trim(value);
    }
    return STR_NONE;
}

rc fetch_location(const char *url, str location, struct arena *out,
                  const char **to, struct err *e)
{
    CURLU *u = curl_url();
    char *whole = NULL;
    rc code = RC_OK;

    *to = NULL;
    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, arena_cstr(out, location), 0) ==
            CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &whole, 0) == CURLUE_OK)
        *to = arena_cstr(out, str_of(whole));
    curl_free(whole);
    curl_url_cleanup(u);
    if (*to == NULL || !(str_starts(str_of(*to), STR("https://")) ||
                         (str_starts(str_of(*to), STR("http://")) &&
                          !str_starts(str_of(url), STR("https://")))))
        code = err_set(e, RC_INVALID,
                       "%.100s points to %.*s, which is not followed", url,
                       (int)str_sub(location, 0, 80).n, location.p);
    return code;
}

str fetch_escape(struct arena *out, str s)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *p = arena_alloc(out, s.n * 3 + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL)) {
            p[n++] = (char)c;
            continue;
        }
        p[n++] = '%';
        p[n++] = HEX[c >> 4];
        p[n++] = HEX[c & 15];
    }
    return (str){p, n};
}
