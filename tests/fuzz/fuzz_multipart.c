/* The same bytes, cut at other places, must give the same parts. The first two
 * bytes of an input say how long the slices of the second reading are. */
#include "base/arena.h"
#include "base/buf.h"
#include "serve/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(str body, size_t slice, struct buf *to)
{
    struct multipart *m;
    struct multipart_event ev;
    rc code = multipart_open(STR("multipart/form-data; boundary=b"), &m, NULL);

    ASSERT(code == RC_OK);
    for (size_t at = 0; code == RC_OK && at < body.n; at += slice) {
        multipart_feed(m, str_sub(body, at, slice));
        while ((code = multipart_next(m, &ev, NULL)) == RC_OK &&
               ev.kind != MULTIPART_MORE) {
            if (ev.kind == MULTIPART_DATA) {
                ASSERT(ev.data.n > 0);
                buf_put(to, ev.data);
                continue;
            }
            buf_fmt(to, "\n%d ", (int)ev.kind);
            if (ev.kind == MULTIPART_PART) {
                buf_put(to, ev.name);
                buf_put(to, ev.filename);
                buf_put(to, ev.content_type);
            }
        }
    }
    if (code == RC_OK)
        code = multipart_end(m, NULL);
    buf_fmt(to, "\n%s", rc_name(code));
    multipart_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0}, cut = {0};
    size_t slice;
    str body;

    if (size < 2)
        return 0;
    slice = 1 + (data[0] | (size_t)(data[1] & 3) << 8);
    body = (str){(const char *)data + 2, size - 2};
    read_all(body, body.n + 1, &whole);
    read_all(body, slice, &cut);
    ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_close(&whole);
    buf_close(&cut);
    return 0;
}
