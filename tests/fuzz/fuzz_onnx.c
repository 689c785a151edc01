/* Any bytes as an ONNX file: what is read has tensors of the bytes their shapes
 * ask for, whichever way they lie. */
#include <stdint.h>

#include "embed/onnx_priv.h"

static void convert(const struct tensor *t, struct held *held)
{
    size_t rows = t->dims_n > 0 ? t->dims[0] : 0,
           cols = t->dims_n > 1 ? t->dims[1] : 0;
    struct tensor_want want = {t->turned ? cols : rows,
                               t->turned ? rows : cols};
    const float *v;
    volatile float sum = 0;

    if (tensor_floats(t, want, held, &v, NULL) != RC_OK)
        return;
    ASSERT(t->type != TENSOR_OTHER);
    for (size_t i = 0; i < want.rows * (want.cols == 0 ? 1 : want.cols); i++)
        sum = sum + v[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    struct held held = {0};
    struct onnx_facts facts;
    struct onnx_ints ints;
    struct arena_mark m;
    struct tensors ts;
    str prefix;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    tensors_open(&ts, a);
    if (onnx_read((str){(const char *)data, size}, &ts, &facts, NULL) ==
        RC_OK) {
        ASSERT(facts.heads <= BERT_HIDDEN_MAX && facts.norm_eps >= 0);
        ASSERT(tensors_prefix(&ts, &prefix, NULL) == RC_OK);
        for (size_t i = 0; i < ts.n; i++) {
            convert(&ts.v[i], &held);
            if (onnx_ints_of(&ts.v[i], &ints))
                ASSERT(ints.n <= ONNX_INPUTS_MAX);
        }
    }
    tensors_close(&ts);
    held_close(&held);
    arena_rewind(a, m);
    return 0;
}
