/* What parses is written, parses again, and is written the same. */
#include <stdint.h>

#include "base/json.h"

static struct arena *a;

static void check(str text)
{
    struct arena_mark m = arena_mark(a);
    struct err e;
    json_t *v, *again;
    size_t at;
    str once;

    if (js_parse(text, (struct js_limits){0}, &v, &at, &e) != RC_OK) {
        ASSERT(at <= text.n && e.text[0] != '\0');
        return;
    }
    once = js_text(a, v);
    ASSERT(js_parse(once, (struct js_limits){.number_bytes_max = 400}, &again,
                    &at, &e) == RC_OK);
    ASSERT(json_equal(v, again));
    ASSERT(str_eq(once, js_text(a, again)));
    json_decref(v);
    json_decref(again);
    arena_rewind(a, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (a == NULL)
        a = arena_open();
    check((str){(const char *)data, size});
    return 0;
}
