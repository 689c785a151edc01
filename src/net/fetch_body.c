/* What a request sends: headers, a form, a file as the whole body. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "net/fetch_priv.h"

static size_t file_stops(struct sending *s, int sys)
{
    s->hop->a->part_failed = s->index;
    s->hop->file_errno = sys;
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

/* libcurl wants NUL-terminated names. */
static bool add_part(curl_mime *mime, struct hop *h, size_t i)
{
    const struct fetch_part *part = &h->o->parts[i];
    struct sending *s = &h->sending[i];
    curl_mimepart *to = curl_mime_addpart(mime);

    *s = (struct sending){.part = part, .index = i, .fd = -1, .hop = h};
    return to != NULL &&
           curl_mime_name(to, arena_cstr(h->tmp, part->name)) == CURLE_OK &&
           (part->filename.n == 0 ||
            curl_mime_filename(to, arena_cstr(h->tmp, part->filename)) ==
                CURLE_OK) &&
           (part->path == NULL
                ? curl_mime_data(to, part->bytes.n == 0 ? "" : part->bytes.p,
                                 part->bytes.n)
                : curl_mime_data_cb(to, (curl_off_t)part->size, on_file,
                                    on_seek, NULL, s)) == CURLE_OK;
}

curl_mime *hop_form(struct hop *h)
{
    curl_mime *mime = curl_mime_init(h->curl);

    h->sending = ARENA_ARRAY(h->tmp, struct sending, h->o->parts_n);
    for (size_t i = 0; mime != NULL && i < h->o->parts_n; i++) {
        h->sending_n = i + 1;
        if (!add_part(mime, h, i)) {
            curl_mime_free(mime);
            mime = NULL;
        }
    }
    return mime;
}

/* A file as the whole body. */
bool hop_send_file(struct hop *h)
{
    CURL *curl = h->curl;

    ASSERT(h->o->parts_n == 0 && h->o->body.p == NULL);
    h->sending = ARENA_NEW(h->tmp, struct sending);
    h->sending_n = 1;
    h->sending[0] = (struct sending){.part = h->o->file, .fd = -1, .hop = h};
    return curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
                            (curl_off_t)h->o->file->size) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_file) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_READDATA, &h->sending[0]) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SEEKDATA, &h->sending[0]) == CURLE_OK;
}

void hop_close_files(struct hop *h)
{
    for (size_t i = 0; i < h->sending_n; i++) {
        if (h->sending[i].fd >= 0)
            (void)io_close(h->sending[i].fd);
    }
}

/* ---- headers ---- */

/* Those that tell nobody a secret: another origin may see them. */
static bool is_harmless(str header)
{
    static const char *const NAMES[] = {
        "accept",   "accept-language", "user-agent",       "range",
        "if-range", "if-none-match",   "if-modified-since"};
    str name, value;

    (void)str_cut(header, ':', &name, &value);
    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        if (str_eq_nocase(name, str_of(NAMES[i])))
            return true;
    }
    return false;
}

/* What a server has once said may hold anything. */
static bool is_sendable(str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
            return false;
    }
    return value.n > 0;
}

static bool put(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);

    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static bool put_condition(struct hop *h, const char *name, str value,
                          struct curl_slist **list)
{
    return !is_sendable(value) ||
           put(list, arena_fmt(h->tmp, "%s: " STR_FMT, name, STR_ARG(value)).p);
}

static bool gave_conditions(const struct hop *h)
{
    return h->o->conditions_of.p != NULL
               ? str_eq(h->a->url, h->o->conditions_of)
               : h->a->hops == 0;
}

bool hop_headers(struct hop *h, struct curl_slist **list)
{
    const struct fetch_opts *o = h->o;
    bool ok = true;

    for (size_t i = 0; i < o->headers_n && ok; i++) {
        if (h->own_headers || is_harmless(str_of(o->headers[i])))
            ok = put(list, o->headers[i]);
    }
    if (ok && o->file != NULL)
        ok = put(list, "Content-Type: application/octet-stream");
    else if (ok && o->body.p != NULL)
        ok = put(list, "Content-Type: application/json");
    if (!gave_conditions(h))
        return ok;
    h->a->conditional = is_sendable(o->etag) || is_sendable(o->last_modified);
    return ok && put_condition(h, "If-None-Match", o->etag, list) &&
           put_condition(h, "If-Modified-Since", o->last_modified, list);
}
