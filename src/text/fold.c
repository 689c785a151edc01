#include "text/fold.h"

#include <utf8proc.h>

static void fold_ascii(str s, struct buf *to)
{
    char *p = buf_reserve(to, s.n);

    if (p == NULL)
        return;
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
    to->n += s.n;
}

static bool is_ascii(str s)
{
    unsigned char all = 0;

    for (size_t i = 0; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return all < 0x80;
}

void fold_case(str s, struct buf *to)
{
    static const int HOW = UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                           UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                           UTF8PROC_IGNORE;
    const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)s.p;
    utf8proc_ssize_t n = -1, bytes;
    struct buf parts = {0};
    void *cps;

    if (!is_ascii(s))
        n = utf8proc_decompose(from, (utf8proc_ssize_t)s.n, NULL, 0,
                               (utf8proc_option_t)HOW);
    if (n < 0) {
        fold_ascii(s, to);
        return;
    }
    /* utf8proc_reencode composes in place and ends its bytes with a NUL. */
    cps = buf_reserve(&parts, (size_t)n * sizeof(utf8proc_int32_t) + 1);
    if (cps != NULL) {
        n = utf8proc_decompose(from, (utf8proc_ssize_t)s.n, cps, n,
                               (utf8proc_option_t)HOW);
        bytes = utf8proc_reencode(cps, n, (utf8proc_option_t)HOW);
        ASSERT(bytes >= 0);
        buf_put(to, (str){cps, (size_t)bytes});
    } else if (to->code == RC_OK) {
        to->code = parts.code;
    }
    buf_close(&parts);
}
