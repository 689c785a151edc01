/* The parts of a package, each behind a line "==== name", put into an archive:
 * so that what is changed is what they say, not their checksums. What comes out
 * keeps what doc.h promises. Serves DOCX, ODT and EPUB alike. */
#include <stdint.h>

#include "../unit/zip_fix.h"
#include "extract/extract.h"

#define MARK "==== "

static str archive(str s, struct arena *a)
{
    struct zip z = {0};
    str line, name = STR_NONE, part = STR_NONE;

    for (bool more = true; more && z.entries < 100;) {
        more = str_cut(s, '\n', &line, &s);
        if (!str_starts(line, STR(MARK)) && part.p != NULL) {
            part.n = (size_t)(line.p + line.n - part.p);
            continue;
        }
        if (name.n > 0)
            zip_add(&z, (struct zip_entry){.name = name, .bytes = part});
        name = str_sub(line, sizeof MARK - 1, 100);
        part = (str){s.p == NULL ? "" : s.p, 0};
    }
    if (name.n > 0)
        zip_add(&z, (struct zip_entry){.name = name, .bytes = part});
    return zip_end(&z, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    struct arena_mark m;
    struct doc d;
    const char *why;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    ASSERT(extract_bytes(archive((str){(const char *)data, size}, a),
                         (struct said){.filename = STR("a.docx")}, a, &d,
                         NULL) == RC_OK);
    ASSERT(doc_check(&d, &why));
    arena_rewind(a, m);
    return 0;
}
