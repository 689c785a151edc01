#include "net/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/io.h"

#define HOPS_MAX 8
#define TRIES_MAX 5 /* without a byte more */
#define RETRY_MS 100u
#define TAG_BYTES_MAX 200
#define HASH_BYTES ((size_t)256 << 10)

/* What the server says of the file. */
struct remote {
    str tag;      /* of this version; empty: none */
    uint64_t all; /* bytes; 0: not said */
};

struct loading {
    const struct download *d;
    struct fetch *f;
    struct arena *tmp;
    struct remote remote;
    const char *part, *part_tag, *tag; /* paths */
    int fd;
    uint64_t have; /* bytes of the part that count */
};

/* ---- one request, through redirects ---- */

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static rc refusal(const char *url, unsigned status, struct err *e)
{
    rc code = status == 404                    ? RC_NOTFOUND
              : status == 401 || status == 403 ? RC_DENIED
                                               : RC_REMOTE;

    (void)err_set(e, code, "%.150s: the server answers with status %u", url,
                  status);
    if (e != NULL)
        e->upstream_status = (int)status;
    return code;
}

/* Names of headers that hold tag and size: a hub's own first, which an answer
 * that points to the file's real place has. */
static void take_remote(struct loading *l, const struct fetch_answer *a,
                        bool last)
{
    str tag = fetch_header(a, STR("x-linked-etag"));
    str size = fetch_header(a, STR("x-linked-size"));

    if (tag.n == 0 && last)
        tag = fetch_header(a, STR("etag"));
    if (size.n == 0 && last)
        size = fetch_header(a, STR("content-length"));
    if (l->remote.tag.n == 0 && tag.n <= TAG_BYTES_MAX)
        l->remote.tag = tag;
    if (l->remote.all == 0 && !str_to_u64(size, INT64_MAX, &l->remote.all))
        l->remote.all = 0;
}

/* Whoever is out there may send us on, but not to a neighbour of ours: behind an
 * answer of a public address the rules for anybody's URL hold. A hub of one's
 * own may point to another host of one's own. */
static enum fetch_policy policy_behind(const struct fetch_opts *o,
                                       const struct fetch_answer *a)
{
    return a->peer.n != 0 && addr_kind(&a->peer) == NULL ? FETCH_PUBLIC
                                                         : o->policy;
}

/* Sends o, with its URL set to each place it is told; *e and the answer are of
 * the last. */
static rc follow(struct loading *l, struct fetch_opts *o, bool look,
                 struct fetch_answer *a, struct err *e)
{
    rc code;

    o->policy = FETCH_OPERATOR;
    o->redirects_off = true; /* each says something of the file */
    o->url = l->d->url;
    for (int hops = 0;; hops++) {
        code = fetch_run(l->f, o, l->tmp, a, e);
        if (code != RC_OK)
            return code;
        if (look)
            take_remote(l, a, a->status == 200);
        if (!is_redirect(a->status))
            return RC_OK;
        if (look && l->remote.tag.n > 0)
            return RC_OK; /* the place itself may refuse to be looked at */
        if (hops == HOPS_MAX)
            return err_set(e, RC_REMOTE, "%.150s: too many redirects",
                           l->d->url);
        code = fetch_location(o->url, fetch_header(a, STR("location")), l->tmp,
                              &o->url, e);
        if (code != RC_OK) { /* said by the server, not by who asks */
            if (e != NULL)
                e->code = RC_REMOTE;
            return RC_REMOTE;
        }
        o->policy = policy_behind(o, a);
    }
}

static rc look(struct loading *l, struct err *e)
{
    struct fetch_opts o = {.method = "HEAD"};
    struct fetch_answer a;
    rc code = follow(l, &o, true, &a, e);

    if (code != RC_OK)
        return code;
    if (a.status != 200 && !is_redirect(a.status))
        return refusal(l->d->url, a.status, e);
    if (l->remote.all > l->d->bytes_max)
        return err_set(e, RC_LIMIT,
                       "%.150s has %" PRIu64 " bytes, at most %" PRIu64,
                       l->d->url, l->remote.all, l->d->bytes_max);
    return RC_OK;
}

/* ---- what is here already ---- */

/* Does the tag file hold the server's tag? */
static bool same_tag(struct loading *l, const char *path)
{
    str tag;

    return l->remote.tag.n > 0 &&
           file_read(path, TAG_BYTES_MAX, l->tmp, &tag, NULL) == RC_OK &&
           str_eq(tag, l->remote.tag);
}

static bool is_here(struct loading *l)
{
    uint64_t bytes;

    return same_tag(l, l->tag) &&
           file_size(l->d->path, &bytes, NULL) == RC_OK &&
           (l->remote.all == 0 || bytes == l->remote.all);
}

/* Opens the part, emptied where it is of another version. */
static rc open_part(struct loading *l, struct err *e)
{
    bool same = same_tag(l, l->part_tag);
    rc code = RC_OK;

    if (!same && l->remote.tag.n > 0)
        code = file_write_atomic(l->part_tag, l->remote.tag, 0600, e);
    if (code != RC_OK)
        return code;
    l->fd = io_open(l->part, O_RDWR | O_CREAT | (same ? 0 : O_TRUNC), 0600);
    if (l->fd < 0)
        return err_errno(e, RC_IO, errno, "cannot open %.150s", l->part);
    code = file_size(l->part, &l->have, e);
    if (l->remote.all != 0 && l->have > l->remote.all)
        l->have = 0;
    return code;
}

/* ---- the bytes ---- */

struct telling {
    const struct loading *l;
    uint64_t from;
};

static bool tell(void *arg, uint64_t bytes)
{
    const struct telling *t = arg;
    const struct download *d = t->l->d;

    return d->progress == NULL ||
           d->progress(d->arg, t->from + bytes, t->l->remote.all);
}

static bool is_done(const struct loading *l)
{
    return l->remote.all != 0 && l->have == l->remote.all;
}

/* "bytes 100-199/200": does it begin where was asked? */
static bool range_begins(const struct fetch_answer *a, uint64_t at)
{
    str range = fetch_header(a, STR("content-range")), from, rest;
    uint64_t is;

    return str_starts(range, STR("bytes ")) &&
           str_cut(str_sub(range, 6, range.n), '-', &from, &rest) &&
           str_to_u64(from, INT64_MAX, &is) && is == at;
}

/* One request for what is missing. Whatever comes is kept. */
static rc ask(struct loading *l, struct err *e)
{
    struct fetch_save save = {.fd = l->fd,
                              .path = l->part,
                              .at = l->have,
                              .bytes_max = l->d->bytes_max};
    struct telling telling = {l, l->have};
    const char *range = arena_cstr(
        l->tmp, arena_fmt(l->tmp, "Range: bytes=%" PRIu64 "-", l->have));
    struct fetch_opts o = {.headers = &range,
                           .headers_n = l->have > 0,
                           .save = &save,
                           .progress = tell,
                           .arg = &telling};
    struct fetch_answer a = {0};
    rc code = follow(l, &o, false, &a, e);

    if (a.saved > 0)
        l->have = a.status == 200 ? a.saved : l->have + a.saved;
    if (code != RC_OK)
        return code;
    if (a.status == 416) /* the part is longer than the file */
        l->have = 0;
    if (a.status != 200 && a.status != 206)
        return refusal(l->d->url, a.status, e);
    if (a.status == 206 && !range_begins(&a, save.at)) {
        l->have = 0;
        return err_set(e, RC_REMOTE, "%.150s: the server sends another range",
                       l->d->url);
    }
    l->have = a.status == 200 ? a.saved : save.at + a.saved;
    if (l->remote.all == 0)
        l->remote.all = l->have;
    return RC_OK;
}

static rc load(struct loading *l, struct err *e)
{
    uint64_t most = l->have; /* a part may have to be begun anew */
    unsigned tries = 0;
    rc code = RC_OK;

    while (!is_done(l)) {
        code = ask(l, e);
        if (code != RC_OK && code != RC_REMOTE && code != RC_TIMEOUT)
            return code;
        tries = l->have > most ? 0 : tries + 1;
        most = l->have > most ? l->have : most;
        if (tries > 0 && tries < TRIES_MAX)
            clock_sleep_ms(RETRY_MS << tries);
        if (code != RC_OK && tries == TRIES_MAX)
            return code;
        if (code == RC_OK && !is_done(l) && tries == TRIES_MAX)
            return err_set(e, RC_REMOTE,
                           "%.150s: %" PRIu64 " bytes came of %" PRIu64,
                           l->d->url, l->have, l->remote.all);
        if (l->remote.all == 0 && l->have == 0 && code == RC_OK)
            break; /* an empty file */
    }
    return RC_OK;
}

/* ---- the end ---- */

/* The SHA-256 that a tag is; false: it is another kind. */
static bool sum_of_tag(str tag, sha256 *sum)
{
    if (tag.n >= 2 && tag.p[0] == '"')
        tag = str_sub(tag, 1, tag.n - 2);
    return tag.n == 64 && sha256_from_hex(tag, sum);
}

static rc check_sum(struct loading *l, struct err *e)
{
    struct sha256_stream *s;
    sha256 want, is;
    char *block;
    rc code = RC_OK;

    if (!sum_of_tag(l->remote.tag, &want))
        return RC_OK;
    block = arena_alloc(l->tmp, HASH_BYTES);
    s = sha256_open();
    for (uint64_t at = 0; at < l->have && code == RC_OK;) {
        size_t n =
            l->have - at < HASH_BYTES ? (size_t)(l->have - at) : HASH_BYTES;

        code = file_pread_all(l->fd, l->part, block, n, at, e);
        if (code == RC_OK)
            sha256_put(s, block, n);
        at += n;
    }
    is = sha256_end(s);
    sha256_close(s);
    if (code != RC_OK || sha256_eq(&want, &is))
        return code;
    (void)io_unlink(l->part);
    return err_set(e, RC_CORRUPT,
                   "%.150s: what came has another SHA-256 than the server says",
                   l->d->url);
}

static rc finish(struct loading *l, struct err *e)
{
    rc code = check_sum(l, e);

    if (code != RC_OK)
        return code;
    if (io_ftruncate(l->fd, l->part, l->have) != 0 ||
        io_fsync(l->fd, l->part) != 0 || io_rename(l->part, l->d->path) != 0)
        return err_errno(e, RC_IO, errno, "cannot write %.150s", l->d->path);
    if (l->remote.tag.n > 0)
        code = file_write_atomic(l->tag, l->remote.tag, 0600, e);
    (void)io_unlink(l->part_tag);
    return code;
}

rc download_run(struct fetch *f, const struct download *d, struct err *e)
{
    struct arena *tmp = arena_open();
    struct loading l = {
        .d = d,
        .f = f,
        .tmp = tmp,
        .part = arena_cstr(tmp, arena_fmt(tmp, "%s.part", d->path)),
        .part_tag = arena_cstr(tmp, arena_fmt(tmp, "%s.part.tag", d->path)),
        .tag = arena_cstr(tmp, arena_fmt(tmp, "%s.tag", d->path)),
        .fd = -1};
    rc code = look(&l, e);

    if (code != RC_OK || is_here(&l))
        goto done;
    code = open_part(&l, e);
    if (code == RC_OK)
        code = load(&l, e);
    if (code == RC_OK)
        code = finish(&l, e);
done:
    if (l.fd >= 0)
        (void)io_close(l.fd);
    arena_close(tmp);
    return code;
}
