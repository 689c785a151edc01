/* Any bytes as a package: what opens has parts that lie in the file and share
 * nothing, and gives no more than its budget, whatever it claims. */
#include <stdint.h>

#include "extract/package.h"

static void read_part(struct package *p, const struct part *part)
{
    size_t before = p->bytes_left, n = 0;
    struct part_reader *r = NULL;
    str s = STR_NONE;
    rc code = part_open(p, part, &r, NULL);

    while (code == RC_OK) {
        code = part_next(r, &s, NULL);
        n += s.n;
        if (s.n == 0)
            break;
    }
    ASSERT(n >= before - p->bytes_left);
    if (code == RC_OK)
        ASSERT(n == part->size && n == before - p->bytes_left);
    part_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    struct arena_mark m;
    struct package p;
    size_t packed = 0;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    if (package_open((str){(const char *)data, size}, a, &p, NULL) == RC_OK) {
        /* Enough for any input, and the end of it is met too. */
        p.bytes_left = 4 * MIB;
        for (size_t i = 0; i < p.parts_n; i++) {
            const struct part *found = package_find(&p, p.parts[i].name);

            ASSERT(found == &p.parts[i]);
            ASSERT(found->packed.n <= size && found->header < size);
            packed += found->packed.n;
            read_part(&p, found);
        }
        ASSERT(packed <= size);
    }
    arena_rewind(a, m);
    return 0;
}
