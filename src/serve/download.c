/* Signed links to originals and normalised texts. */
#include "app/documents.h"
#include "serve/route.h"

/* "bytes=A-B", "bytes=A-", "bytes=-N"; several ranges are answered whole
 * (RFC 9110, section 14.2 allows it). false: it can't be satisfied. */
static bool take_range(str range, uint64_t total, struct reply_blob *b,
                       bool *partial)
{
    str from, to;
    uint64_t first, last;

    *partial = false;
    if (!str_starts(range, STR("bytes=")) ||
        str_find_char(range, ',') < range.n)
        return true;
    range = str_sub(range, 6, range.n);
    if (!str_cut(range, '-', &from, &to))
        return true;
    if (from.n == 0) {
        if (!str_to_u64(to, UINT64_MAX, &last))
            return true;
        if (last == 0 || total == 0)
            return false;
        first = last > total ? 0 : total - last;
        last = total - 1;
    } else {
        if (!str_to_u64(from, UINT64_MAX, &first))
            return true;
        last = total == 0 ? 0 : total - 1;
        if (to.n > 0 && !str_to_u64(to, UINT64_MAX, &last))
            return true;
        if (first >= total)
            return false;
        if (last >= total)
            last = total - 1;
        if (last < first)
            return true;
    }
    b->at = first;
    b->bytes = last - first + 1;
    *partial = true;
    return true;
}

/* A name for Content-Disposition: plain ASCII, and the true one beside it
 * (RFC 6266, section 4.3). */
static str disposition(struct arena *out, str name)
{
    struct buf b = {0};
    str text;

    buf_put(&b, STR("attachment; filename=\""));
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        buf_put_char(&b,
                     c >= ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '_');
    }
    buf_put(&b, STR("\"; filename*=UTF-8''"));
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')
            buf_put_char(&b, c);
        else
            buf_fmt(&b, "%%%02X", (unsigned)(unsigned char)c);
    }
    text = arena_str(out, buf_str(&b));
    buf_close(&b);
    return text;
}

static rc download(struct request *q, struct reply *r, struct err *e)
{
    str expires = in_str(q->query, "expires");
    str signature = in_str(q->query, "signature");
    str path =
        arena_fmt(q->arena, "/v1/knowledge-base/downloads/" STR_FMT "/" STR_FMT,
                  STR_ARG(q->texts[0]), STR_ARG(q->texts[1]));
    struct download d;
    bool partial;
    rc code;

    if (expires.n == 0 || signature.n == 0)
        return err_set(e, RC_NOTFOUND, "this link is not signed");
    code =
        app_download(q->app, q->db, path, signature, expires, q->arena, &d, e);
    if (code != RC_OK)
        return code;
    r->blob = (struct reply_blob){
        .set = d.bytes > 0, .bytes = d.bytes, .total = d.bytes};
    memcpy(r->blob.sha, d.blob, sizeof r->blob.sha);
    reply_header(r, "Content-Disposition", disposition(q->arena, d.bytes_name));
    reply_header(r, "X-Content-Type-Options", STR("nosniff"));
    reply_header(r, "Content-Security-Policy",
                 STR("sandbox; default-src 'none'"));
    reply_header(r, "Cache-Control", STR("private, no-store"));
    reply_header(r, "Accept-Ranges", STR("bytes"));
    r->type = d.mime.n > 0 ? arena_cstr(q->arena, d.mime)
                           : "application/octet-stream";
    if (q->range.p == NULL)
        return RC_OK;
    if (!take_range(q->range, d.bytes, &r->blob, &partial)) {
        r->status = 416;
        r->blob.set = false;
        reply_header(
            r, "Content-Range",
            arena_fmt(q->arena, "bytes */%llu", (unsigned long long)d.bytes));
        return RC_OK;
    }
    if (partial) {
        r->status = 206;
        reply_header(
            r, "Content-Range",
            arena_fmt(q->arena, "bytes %llu-%llu/%llu",
                      (unsigned long long)r->blob.at,
                      (unsigned long long)(r->blob.at + r->blob.bytes - 1),
                      (unsigned long long)d.bytes));
    }
    return RC_OK;
}

static const struct field LINK_FIELDS[] = {
    {.name = "expires", .type = FIELD_STRING, .doc = "Seconds since 1970."},
    {.name = "signature", .type = FIELD_STRING, .doc = "As the link has it."},
    {.name = NULL}};
static const struct model LINK = {.name = "DownloadQuery",
                                  .fields = LINK_FIELDS};

const struct route DOWNLOAD_ROUTES[] = {
    {.method = "GET",
     .pattern = "/v1/knowledge-base/downloads/{version_id}/{kind}",
     .params = {{"version_id", FIELD_STRING, NULL},
                {"kind", FIELD_STRING, NULL}},
     .access = ACCESS_OPEN,
     .object = "version",
     .query = &LINK,
     .success = 200,
     .dialect = DIALECT_FEATHER,
     .handle = download,
     .operation = "download",
     .doc = "The bytes behind a signed link: original or normalized."},
    {.method = NULL}};
