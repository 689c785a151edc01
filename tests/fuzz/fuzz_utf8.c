/* Any bytes come out as clean text or are refused, and clean text comes out as
 * it is. */
#include <stdint.h>

#include "text/utf8.h"

static void check_clean(str s)
{
    size_t at = 0, cp = 0;

    ASSERT(utf8_valid_prefix(s) == s.n);
    ASSERT(str_find_char(s, '\0') == s.n && str_find_char(s, '\r') == s.n);
    while (at < s.n) {
        ASSERT(utf8_advance(s, cp) == at);
        (void)utf8_next(s, &at);
        cp++;
        if (cp > 300)
            return; /* the loop is quadratic */
    }
    ASSERT(utf8_count(s) == cp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf one, two;
    struct decoded how;
    str s;

    (void)utf8_valid_prefix((str){(const char *)data, size});
    buf_clear(&one);
    if (utf8_decode((str){(const char *)data, size}, &one, &how, NULL) != RC_OK)
        return 0;
    s = buf_str(&one);
    check_clean(s);
    if (str_starts(s, STR("\xef\xbb\xbf")))
        return 0; /* a second mark would be taken for the first */
    buf_clear(&two);
    ASSERT(utf8_decode(s, &two, &how, NULL) == RC_OK);
    ASSERT(!how.replaced && str_eq(buf_str(&two), s));
    return 0;
}
