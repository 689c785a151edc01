/* Tokens of any text keep their promises, and the stem cache, which lives on
 * from input to input, gives what an analyser without a past gives. */
#include <stdint.h>

#include "text/analyse.h"
#include "text/chunk.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct analyser *used;
    static struct buf text;
    struct analyser *fresh;
    struct token t, u;
    struct decoded how;
    uint32_t position = 0;
    size_t start = 0;

    if (used == NULL)
        used = analyser_open();
    buf_clear(&text);
    if (utf8_decode((str){(const char *)data, size}, &text, &how, NULL) !=
        RC_OK)
        return 0;
    (void)chunk_tokens(buf_str(&text));
    /* A new one is dear: 512 KiB of cache. */
    fresh = size % 8 == 0 ? analyser_open() : NULL;
    analyser_begin(used, buf_str(&text));
    if (fresh != NULL)
        analyser_begin(fresh, buf_str(&text));
    while (analyser_next(used, &t)) {
        ASSERT(t.position == position++);
        ASSERT(t.start >= start && t.start < t.end && t.end <= text.n);
        ASSERT(t.term.n > 0 && t.term.n <= TERM_BYTES_MAX);
        ASSERT(utf8_valid_prefix(t.term) == t.term.n);
        start = t.start;
        if (fresh != NULL) {
            ASSERT(analyser_next(fresh, &u));
            ASSERT(str_eq(t.term, u.term) && t.stop == u.stop);
            ASSERT(t.start == u.start && t.end == u.end);
        }
    }
    if (fresh != NULL)
        ASSERT(!analyser_next(fresh, &u));
    analyser_close(fresh);
    return 0;
}
