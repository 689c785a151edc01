#include "app/app_priv.h"
#include "base/buf.h"
#include "base/clock.h"

/* A link is
 *
 *   URL/v1/knowledge-base/downloads/VERSION/original?expires=S&signature=T
 *
 * S: seconds since 1970; T: base64url of 16 bytes tenant | 32 bytes
 * HMAC-SHA-256(secret, "link" | tenant | path | "?" S). The tenant rides along
 * because no row is read without one; the tag covers it. */
#define LINK_PREFIX "/v1/knowledge-base/downloads/"
#define LINK_SECONDS 3600
#define LINK_TOKEN_BYTES (16 + 32)

static const char *const LINK_NAMES[] = {
    [LINK_ORIGINAL] = "original", [LINK_NORMALIZED] = "normalized"};

static sha256 link_tag(struct app *a, uuid tenant, str path, str expires)
{
    struct buf m = {0};
    sha256 tag;

    buf_put(&m, STR("link"));
    buf_put(&m, (str){(const char *)tenant.b, sizeof tenant.b});
    buf_put(&m, path);
    buf_put_char(&m, '?');
    buf_put(&m, expires);
    ASSERT(m.code == RC_OK); /* both are short */
    tag = hmac_sha256(store_secret(a->store), buf_str(&m));
    buf_close(&m);
    return tag;
}

static str public_url(struct app *a, struct arena *out)
{
    str url;

    (void)pthread_mutex_lock(&a->url_lock);
    url = arena_str(out, (str){a->url, a->url_n});
    (void)pthread_mutex_unlock(&a->url_lock);
    return url;
}

str link_make(struct app *a, enum link_kind kind, uuid tenant, uuid version,
              struct arena *out)
{
    char id[UUID_TEXT], token[LINK_TOKEN_BYTES];
    str path, expires;
    sha256 tag;

    uuid_text(version, id);
    path = arena_fmt(out, LINK_PREFIX "%s/%s", id, LINK_NAMES[kind]);
    expires = arena_fmt(out, "%lld",
                        (long long)clock_wall_ms() / 1000 + LINK_SECONDS);
    tag = link_tag(a, tenant, path, expires);
    memcpy(token, tenant.b, 16);
    memcpy(token + 16, tag.b, 32);
    return arena_fmt(
        out, STR_FMT STR_FMT "?expires=" STR_FMT "&signature=" STR_FMT,
        STR_ARG(public_url(a, out)), STR_ARG(path), STR_ARG(expires),
        STR_ARG(base64url(out, (str){token, sizeof token})));
}

/* False for a path, signature or time that isn't one of ours. */
static bool link_parse(struct app *a, str path, str signature, str expires,
                       struct arena *tmp, uuid *tenant, uuid *version,
                       enum link_kind *kind)
{
    uint64_t until_s;
    str token, id, name;
    sha256 tag;

    if (signature.n > (size_t)2 * LINK_TOKEN_BYTES ||
        !base64url_parse(tmp, signature, &token) ||
        token.n != LINK_TOKEN_BYTES || path.n > URL_TEXT_BYTES_MAX ||
        !str_to_u64(expires, INT64_MAX / 1000, &until_s) ||
        (int64_t)until_s * 1000 <= clock_wall_ms() ||
        !str_starts(path, STR(LINK_PREFIX)))
        return false;
    memcpy(tenant->b, token.p, 16);
    tag = link_tag(a, *tenant, path, expires);
    if (!crypto_eq(str_sub(token, 16, 32), (str){(const char *)tag.b, 32}))
        return false;
    path = str_sub(path, sizeof LINK_PREFIX - 1, path.n);
    if (!str_cut(path, '/', &id, &name) ||
        !uuid_parse(id, (str){0}, version, tmp, NULL))
        return false;
    *kind = str_eq(name, str_of(LINK_NAMES[LINK_ORIGINAL])) ? LINK_ORIGINAL
                                                            : LINK_NORMALIZED;
    return true;
}

/* The name to save a body under. */
static str link_name(const struct version_row *v, const struct document_row *d,
                     enum link_kind kind, struct arena *out)
{
    str name = v->filename.n > 0 ? v->filename : d->title;

    if (kind == LINK_NORMALIZED)
        return arena_fmt(out, STR_FMT ".md", STR_ARG(name));
    if (v->filename.n > 0)
        return arena_str(out, name);
    return arena_fmt(out, STR_FMT ".txt", STR_ARG(name));
}

static rc link_target(struct db *db, uuid tenant, uuid version,
                      enum link_kind kind, struct arena *out,
                      struct download *d, struct err *e)
{
    struct document_row doc;
    struct version_row v;
    struct blob_ref ref;
    uuid base;
    rc code;

    if ((code = db_object_find(db, tenant, OBJECT_VERSION, version, &base,
                               e)) != RC_OK ||
        (code = db_version_get(db, tenant, base, version, out, &v, e)) !=
            RC_OK ||
        (code = db_document_get(db, tenant, base, v.document, out, &doc, e)) !=
            RC_OK)
        return code;
    if (kind == LINK_NORMALIZED && !v.has_text)
        return err_set(e, RC_NOTFOUND, "no text yet");
    ref = kind == LINK_NORMALIZED ? v.text : v.original;
    *d = (struct download){.bytes_name = link_name(&v, &doc, kind, out),
                           .mime = STR("application/octet-stream"),
                           .bytes = ref.bytes};
    if (kind == LINK_NORMALIZED)
        d->mime = STR("text/markdown; charset=utf-8");
    else if (v.mime.n > 0)
        d->mime = v.mime;
    memcpy(d->blob, ref.sha.b, sizeof d->blob);
    return RC_OK;
}

rc app_download(struct app *a, struct db *db, str path, str signature,
                str expires, struct arena *out, struct download *d,
                struct err *e)
{
    enum link_kind kind;
    uuid tenant, version;
    rc code = RC_NOTFOUND;

    if (link_parse(a, path, signature, expires, out, &tenant, &version, &kind))
        code = link_target(db, tenant, version, kind, out, d, e);
    return code == RC_NOTFOUND
               ? err_set(e, code, "this link is not valid or has expired")
               : code;
}

rc app_blob_read(struct app *a, struct db *db, const uint8_t blob[32],
                 uint64_t at, size_t n, struct arena *out, str *bytes,
                 struct err *e)
{
    sha256 sha;

    (void)a;
    memcpy(sha.b, blob, sizeof sha.b);
    return blob_read_range(db, &sha, at, n, out, bytes, e);
}
