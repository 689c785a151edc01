/* Any bytes as a .safetensors file: what opens has tensors that share nothing,
 * fill the file, and become floats or say why not. */
#include <stdint.h>

#include "embed/safetensors_priv.h"

static void convert(const struct tensor *t, struct held *held)
{
    struct tensor_want want = {t->dims_n > 0 ? t->dims[0] : 0,
                               t->dims_n > 1 ? t->dims[1] : 0};
    const float *v;
    volatile float sum = 0;

    if (tensor_floats(t, want, held, &v, NULL) != RC_OK)
        return;
    for (size_t i = 0; i < want.rows * (want.cols == 0 ? 1 : want.cols); i++)
        sum = sum + v[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    struct held held = {0};
    struct arena_mark m;
    struct tensors ts;
    size_t bytes = 0;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    tensors_open(&ts, a);
    if (safetensors_read((str){(const char *)data, size}, &ts, NULL) == RC_OK) {
        for (size_t i = 0; i < ts.n; i++) {
            ASSERT(tensors_find(&ts, ts.v[i].name) == &ts.v[i]);
            bytes += ts.v[i].bytes.n;
            convert(&ts.v[i], &held);
        }
        ASSERT(bytes <= size);
    }
    tensors_close(&ts);
    held_close(&held);
    arena_rewind(a, m);
    return 0;
}
