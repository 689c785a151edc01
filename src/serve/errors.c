#include "serve/errors.h"

#include "serve/exec_errors.h"
#include "serve/pydantic.h"

#define RETRY_SECONDS_DEFAULT 1

struct kind {
    unsigned status;
    const char *name;
    bool retryable;
};

static const struct kind KINDS[RC_COUNT] = {
    [RC_OK] = {200, "", false},
    [RC_NOMEM] = {503, "out_of_memory", true},
    [RC_IO] = {500, "internal_error", true},
    [RC_FORMAT] = {400, "bad_request", false},
    [RC_INVALID] = {400, "bad_request", false},
    [RC_LIMIT] = {413, "payload_too_large", false},
    [RC_NOTFOUND] = {404, "not_found", false},
    [RC_CONFLICT] = {409, "conflict", false},
    [RC_UNAUTHENTICATED] = {401, "authentication_required", false},
    [RC_DENIED] = {403, "forbidden", false},
    [RC_BUSY] = {503, "unavailable", true},
    [RC_NOSPACE] = {507, "insufficient_storage", true},
    [RC_UNSUPPORTED] = {400, "bad_request", false},
    [RC_CORRUPT] = {500, "internal_error", false},
    [RC_REMOTE] = {502, "upstream_failed", true},
    [RC_TIMEOUT] = {503, "timeout", true},
    [RC_CANCELLED] = {503, "unavailable", true},
};

/* Errors whose status no rc stands for. */
static const struct {
    const char *name;
    unsigned status;
} NAMED[] = {
    {"method_not_allowed", 405},
    {"unsupported_media_type", 415},
    {"rate_limited", 429},
};

static unsigned status_of(const struct kind *kind, const struct err *e)
{
    for (size_t i = 0; i < NELEMS(NAMED) && e->name != NULL; i++) {
        if (strcmp(e->name, NAMED[i].name) == 0)
            return NAMED[i].status;
    }
    return kind->status;
}

static void clear(struct reply *r)
{
    buf_clear(&r->body);
    r->blob = (struct reply_blob){0};
    r->headers_n = 0;
    r->type = NULL;
}

/* Feather's other shape, and that of everything that is nobody's. */
static void feather_put(struct buf *b, const struct failure *f,
                        const struct faults *fs)
{
    struct out o = out_to(b);

    out_begin(&o, NULL);
    out_cstr(&o, "error", f->name);
    out_cstr(&o, "message", f->text);
    out_bool(&o, "retryable", f->retryable);
    if (f->retryable)
        out_uint(&o, "retry_after", f->retry_s);
    else
        out_null(&o, "retry_after");
    if (fs != NULL && fs->n > 0) /* what names that which isn't there */
        pydantic_put_loc(&o, &fs->v[0]);
    out_end(&o);
}

void reply_error(struct reply *r, struct arena *a, enum dialect dialect,
                 rc code, const struct err *e, const struct faults *fs)
{
    const struct kind *kind = &KINDS[code < RC_COUNT ? code : RC_IO];
    struct failure f = {
        .status = status_of(kind, e),
        .name = e->name != NULL ? e->name : kind->name,
        .named = e->name != NULL,
        /* What failed inside is for the log; the caller gets no paths of
         * ours. */
        .text = kind->status == 500 ? "the server failed to do this; its log "
                                      "says why, under this answer's request id"
                                    : e->text,
        .retryable = kind->retryable,
        .retry_s = e->retry_ms > 0 ? (e->retry_ms + 999) / 1000
                                   : RETRY_SECONDS_DEFAULT,
    };
    bool is_invalid = code == RC_INVALID && fs != NULL && fs->n > 0;

    clear(r);
    r->status = f.status;
    if (dialect == DIALECT_EXEC) {
        r->status = exec_error_put(&r->body, a, &f, is_invalid ? fs : NULL);
    } else if (is_invalid) {
        r->status = 422;
        pydantic_put(&r->body, fs);
        return;
    } else {
        feather_put(&r->body, &f, fs);
    }
    if (f.retryable)
        reply_header(r, "Retry-After", arena_fmt(a, "%u", f.retry_s));
    if (f.status == 401)
        reply_header(r, "WWW-Authenticate", STR("Bearer"));
}
