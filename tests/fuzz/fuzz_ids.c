/* The small parsers of ids, times and base64: what is taken is written in its
 * one canonical form, which is taken too and means the same. */
#include <stdint.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/uuid.h"

static struct arena *a;

static void check_uuid(str s)
{
    uuid u, again;
    str why = STR_NONE;

    if (!uuid_parse(s, STR("kb"), &u, a, &why)) {
        ASSERT(why.n > 0);
        return;
    }
    ASSERT(uuid_parse(uuid_str(a, u), STR_NONE, &again, a, NULL));
    ASSERT(uuid_eq(u, again));
}

static void check_time(str s)
{
    int64_t ms, again;

    if (!clock_parse_rfc3339(s, &ms))
        return;
    /* An offset may lead out of the four digits a year has. */
    if (ms < -62167219200000 || ms > 253402300799999)
        return;
    ASSERT(clock_parse_rfc3339(clock_rfc3339(a, ms), &again));
    ASSERT(ms == again);
}

static void check_base64(str s)
{
    str bytes;

    if (base64url_parse(a, s, &bytes))
        ASSERT(str_eq(base64url(a, bytes), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str s = {(const char *)data, size};
    struct arena_mark m;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    check_uuid(s);
    check_time(s);
    check_base64(s);
    arena_rewind(a, m);
    return 0;
}
