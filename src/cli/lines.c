#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>

#include "base/io.h"
#include "base/limits.h"

#define READ_BYTES (64 * KIB)

rc lines_open(struct lines *l, const char *path, size_t line_bytes_max,
              struct err *e)
{
    *l = (struct lines){.path = path, .line_bytes_max = line_bytes_max};
    l->fd = io_open(path, O_RDONLY | O_NOCTTY, 0);
    if (l->fd < 0)
        return err_errno(e, RC_IO, errno, "cannot open %.150s", path);
    return RC_OK;
}

void lines_close(struct lines *l)
{
    if (l->path != NULL && l->fd >= 0)
        (void)io_close(l->fd);
    buf_close(&l->held);
    *l = (struct lines){0};
}

/* Moves what is left to the front and reads on. */
static rc fill(struct lines *l, struct err *e)
{
    char *to;
    ssize_t n;

    if (l->from > 0) {
        memmove(l->held.p, l->held.p + l->from, l->held.n - l->from);
        l->held.n -= l->from;
        l->from = 0;
    }
    to = buf_reserve(&l->held, READ_BYTES);
    if (to == NULL)
        return buf_end(&l->held, e);
    do
        n = io_pread(l->fd, l->path, to, READ_BYTES, l->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, RC_IO, errno, "cannot read %.150s", l->path);
    l->held.n += (size_t)n;
    l->at += (uint64_t)n;
    l->ended = n == 0;
    return RC_OK;
}

rc lines_next(struct lines *l, str *line, bool *too_long, bool *more,
              struct err *e)
{
    size_t seen = 0; /* bytes of held without a line feed */

    *too_long = false;
    *more = true;
    *line = STR_NONE;
    for (;;) {
        str rest = str_sub(buf_str(&l->held), l->from, l->held.n);
        size_t feed = seen + str_find_char(str_sub(rest, seen, rest.n), '\n');
        rc code;

        if (feed < rest.n || (l->ended && rest.n > 0)) {
            *line = str_sub(rest, 0, feed);
            *too_long = *too_long || feed > l->line_bytes_max;
            l->from += feed < rest.n ? feed + 1 : feed;
            l->number++;
            return RC_OK;
        }
        if (l->ended) {
            *more = *too_long;
            l->number += *too_long;
            return RC_OK;
        }
        seen = rest.n;
        if (seen > l->line_bytes_max) { /* forget it, look for its end */
            *too_long = true;
            l->from = l->held.n;
            seen = 0;
        }
        code = fill(l, e);
        if (code != RC_OK)
            return code;
    }
}
