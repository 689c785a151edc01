/*
 * Packed models as an attacker with the disk would write them: checksums are
 * ignored, so that what lies behind them is reached. What opens embeds a few
 * texts by every set of kernels that runs here; nothing may leave the file's
 * bytes or the scratch. Vectors of a damaged model mean nothing.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "embed/embed_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const str TEXTS[] = {STR_INIT("the meaning of a house of cards"),
                                STR_INIT(""), STR_INIT("abc abcabc. zzz")};
    struct model *m = NULL;
    struct embedder *x = NULL;
    struct err e;

    if (model_open_bytes((str){(const char *)data, n}, &m, &e) == RC_OK) {
        /* A small file may ask for scratch of any size up to the limits. */
        if ((uint64_t)m->shape.tokens_max *
                    (m->shape.hidden + m->shape.intermediate) <
                (8u << 20) &&
            embedder_open(m, &x, &e) == RC_OK) {
            float *out = mem_alloc(NELEMS(TEXTS) * m->shape.dims * sizeof *out);

            (void)!embed_texts(x, EMBED_QUERY, TEXTS, NELEMS(TEXTS), out, &e);
            mem_free(out);
        }
        embedder_close(x);
        model_close(m);
    }
    return 0;
}
