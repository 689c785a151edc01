#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"

static const char *const RC_NAMES[RC_COUNT] = {
    [RC_OK] = "ok",
    [RC_NOMEM] = "nomem",
    [RC_IO] = "io",
    [RC_FORMAT] = "format",
    [RC_INVALID] = "invalid",
    [RC_LIMIT] = "limit",
    [RC_NOTFOUND] = "notfound",
    [RC_CONFLICT] = "conflict",
    [RC_UNAUTHENTICATED] = "unauthenticated",
    [RC_DENIED] = "denied",
    [RC_BUSY] = "busy",
    [RC_NOSPACE] = "nospace",
    [RC_UNSUPPORTED] = "unsupported",
    [RC_CORRUPT] = "corrupt",
    [RC_REMOTE] = "remote",
    [RC_TIMEOUT] = "timeout",
    [RC_CANCELLED] = "cancelled",
};

const char *rc_name(rc code)
{
    return code < RC_COUNT ? RC_NAMES[code] : "unknown";
}

rc(err_set)(struct err *e, rc code, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return code;
    *e = (struct err){.code = code};
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return code;
}

rc(err_errno)(struct err *e, rc code, int sys, const char *fmt, ...)
{
    char what[200], why[80];
    va_list ap;

    if (sys == ENOSPC || sys == EDQUOT)
        code = RC_NOSPACE;
    else if (sys == EMFILE || sys == ENFILE)
        code = RC_BUSY;
    if (e == NULL)
        return code;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    /* The GNU form returns the text, which may or may not be in `why`. */
    (void)err_set(e, code, "%s: %s", what,
                  (const char *)strerror_r(sys, why, sizeof why));
    e->sys = sys;
    return code;
}

rc(err_wrap)(struct err *e, const char *fmt, ...)
{
    char was[sizeof e->text], context[128];
    va_list ap;

    if (e == NULL)
        return RC_IO;
    va_start(ap, fmt);
    (void)vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(was, e->text, sizeof was);
    (void)snprintf(e->text, sizeof e->text, "%s: %.*s", context,
                   (int)(sizeof e->text - strlen(context) - 3), was);
    return e->code;
}

rc err_name(struct err *e, const char *name)
{
    if (e == NULL)
        return RC_IO;
    e->name = name;
    return e->code;
}

void faults_add(struct faults *fs, const struct fault *f)
{
    struct fault *to;

    if (fs->n == FAULTS_MAX)
        return;
    if (fs->v == NULL)
        fs->v = ARENA_ARRAY(fs->arena, struct fault, FAULTS_MAX);
    to = &fs->v[fs->n++];
    *to = *f;
    for (size_t i = 0; i < f->path_len; i++) {
        if (f->path[i].name.p != NULL)
            to->path[i].name = arena_str(fs->arena, f->path[i].name);
    }
    to->note = arena_str(fs->arena, f->note);
    to->input_json = arena_str(fs->arena, f->input_json);
}

void assert_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "knowd: a bug: %s is not so (%s:%d)\n", cond, file,
                  line);
    abort();
}
