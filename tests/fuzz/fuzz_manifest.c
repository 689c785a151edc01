/* The first byte says how many file parts came with the manifest. */
#include "serve/manifest.h"
#include "serve/pydantic.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const str NAMES[4] = {STR_INIT("a.txt"), STR_INIT(""),
                                 STR_INIT("b.pdf"), STR_INIT(" ")};
    static struct arena *a;
    struct arena_mark m;
    struct faults fs;
    struct intake in = {0};
    struct buf b = {0};
    struct err e;
    json_t *root = NULL;
    size_t files_n;
    rc code;

    if (n < 1)
        return 0;
    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    fs = (struct faults){.arena = a};
    files_n = p[0] % (NELEMS(NAMES) + 1);
    code = manifest_read((str){(const char *)p + 1, n - 1}, NAMES, files_n, a,
                         &root, &in, &fs, &e);
    ASSERT((code == RC_INVALID) == (fs.n > 0));
    for (size_t i = 0; code == RC_OK && i < in.items_n; i++)
        ASSERT(in.items[i].type == INTAKE_TEXT || in.items[i].upload < files_n);
    pydantic_put(&b, &fs);
    json_decref(json_loadb(b.p, b.n, 0, NULL));
    buf_close(&b);
    json_decref(root);
    arena_rewind(a, m);
    return 0;
}
