#include "embed/tensor_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

void tensors_open(struct tensors *ts, struct arena *arena)
{
    *ts = (struct tensors){.arena = arena, .names = map_open()};
}

void tensors_close(struct tensors *ts)
{
    map_close(ts->names);
    ts->names = NULL;
}

static rc put(struct tensors *ts, const struct tensor *t, bool replace,
              struct err *e)
{
    uint64_t *slot;
    bool made;

    if (t->name.n == 0 || t->name.n > TENSOR_NAME_BYTES_MAX)
        return err_set(e, RC_FORMAT, "the name of a tensor has %zu bytes",
                       t->name.n);
    if (ts->n == TENSORS_MAX)
        return err_set(e, RC_LIMIT, "more than %d tensors", TENSORS_MAX);
    slot = map_slot(ts->names, t->name, &made);
    if (!made && !replace)
        return err_set(e, RC_FORMAT, "tensor " STR_FMT " is there twice",
                       STR_ARG(t->name));
    *slot = ts->n;
    ARENA_PUSH(ts->arena, ts->v, ts->n, ts->cap, *t);
    return RC_OK;
}

rc tensors_add(struct tensors *ts, const struct tensor *t, struct err *e)
{
    return put(ts, t, false, e);
}

rc tensors_put(struct tensors *ts, const struct tensor *t, struct err *e)
{
    return put(ts, t, true, e);
}

const struct tensor *tensors_find(const struct tensors *ts, str name)
{
    const uint64_t *slot = map_find(ts->names, name);

    return slot == NULL ? NULL : &ts->v[*slot];
}

/* ---- memory ---- */

void *held_take(struct held *h, size_t n)
{
    void *p = mem_try(n);

    if (p == NULL)
        return NULL;
    if (h->n == h->cap) {
        h->cap = h->cap == 0 ? 64 : 2 * h->cap;
        h->v = mem_resize(h->v, h->cap * sizeof *h->v);
    }
    h->v[h->n++] = p;
    return p;
}

void held_close(struct held *h)
{
    for (size_t i = 0; i < h->n; i++)
        mem_free(h->v[i]);
    mem_free(h->v);
    *h = (struct held){0};
}

/* ---- numbers ---- */

static float float_of_bits(uint32_t bits)
{
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half >> 15) << 31;
    uint32_t exponent = half >> 10 & 31, fraction = half & 1023;
    float small;

    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    small = (float)fraction * 0x1p-24f; /* exact: subnormal or zero */
    return sign != 0 ? -small : small;
}

static size_t bytes_of_type(enum tensor_type type)
{
    return type == TENSOR_F32 ? 4 : 2;
}

static float number_at(const struct tensor *t, size_t i)
{
    const char *p = t->bytes.p + i * bytes_of_type(t->type);
    uint32_t whole;
    uint16_t half;

    if (t->type == TENSOR_F32) {
        memcpy(&whole, p, sizeof whole);
        return float_of_bits(whole);
    }
    memcpy(&half, p, sizeof half);
    return t->type == TENSOR_F16 ? half_to_float(half)
                                 : float_of_bits((uint32_t)half << 16);
}

static void put_shape(char *to, size_t to_n, size_t rows, size_t cols)
{
    if (cols == 0)
        (void)snprintf(to, to_n, "[%zu]", rows);
    else
        (void)snprintf(to, to_n, "[%zu, %zu]", rows, cols);
}

static rc refuse_shape(const struct tensor *t, struct tensor_want want,
                       struct err *e)
{
    char is[48], wanted[48];

    (void)snprintf(is, sizeof is, "of %zu dimensions", t->dims_n);
    if (t->dims_n == 1 || t->dims_n == 2)
        put_shape(is, sizeof is, (size_t)t->dims[0],
                  t->dims_n == 2 ? (size_t)t->dims[1] : 0);
    put_shape(wanted, sizeof wanted, want.rows, want.cols);
    return err_set(e, RC_FORMAT, "tensor " STR_FMT " is %s, not %s",
                   STR_ARG(t->name), is, wanted);
}

static bool shape_fits(const struct tensor *t, struct tensor_want want)
{
    if (t->dims_n != (want.cols == 0 ? 1u : 2u))
        return false;
    if (want.cols == 0)
        return t->dims[0] == want.rows;
    return t->turned ? t->dims[0] == want.cols && t->dims[1] == want.rows
                     : t->dims[0] == want.rows && t->dims[1] == want.cols;
}

rc tensor_floats(const struct tensor *t, struct tensor_want want,
                 struct held *h, const float **to, struct err *e)
{
    size_t rows = want.rows, cols = want.cols == 0 ? 1 : want.cols, n;
    bool turned = t->turned && want.cols != 0;
    float *v;

    *to = NULL;
    if (!shape_fits(t, want)) {
        struct tensor_want in_file = want;

        if (turned)
            in_file = (struct tensor_want){want.cols, want.rows};
        return refuse_shape(t, in_file, e);
    }
    if (t->type == TENSOR_OTHER)
        return err_set(e, RC_UNSUPPORTED,
                       "tensor " STR_FMT " is of type " STR_FMT
                       ", not F32, F16 or BF16",
                       STR_ARG(t->name), STR_ARG(t->kind));
    if (__builtin_mul_overflow(rows, cols, &n) ||
        n > SIZE_MAX / sizeof(float) ||
        t->bytes.n != n * bytes_of_type(t->type))
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT
                       " has %zu bytes, its shape [%zu, %zu] another number",
                       STR_ARG(t->name), t->bytes.n, rows, cols);
    if (t->type == TENSOR_F32 && !turned &&
        (uintptr_t)t->bytes.p % _Alignof(float) == 0) {
        *to = (const float *)(const void *)t->bytes.p;
        return RC_OK;
    }
    v = held_take(h, n * sizeof *v);
    if (v == NULL)
        return err_set(e, RC_NOMEM, "no memory for tensor " STR_FMT,
                       STR_ARG(t->name));
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < cols; c++)
            v[r * cols + c] =
                number_at(t, turned ? c * rows + r : r * cols + c);
    }
    *to = v;
    return RC_OK;
}
