#include "embed/safetensors_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

#define LENGTH_BYTES 8

/* Types by the bytes of one number; those not here have no known size. */
static const struct {
    str name;
    enum tensor_type type;
    unsigned bytes;
} KINDS[] = {
    {STR_INIT("F32"), TENSOR_F32, 4},   {STR_INIT("F16"), TENSOR_F16, 2},
    {STR_INIT("BF16"), TENSOR_BF16, 2}, {STR_INIT("F64"), TENSOR_OTHER, 8},
    {STR_INIT("I64"), TENSOR_OTHER, 8}, {STR_INIT("U64"), TENSOR_OTHER, 8},
    {STR_INIT("I32"), TENSOR_OTHER, 4}, {STR_INIT("U32"), TENSOR_OTHER, 4},
    {STR_INIT("I16"), TENSOR_OTHER, 2}, {STR_INIT("U16"), TENSOR_OTHER, 2},
    {STR_INIT("I8"), TENSOR_OTHER, 1},  {STR_INIT("U8"), TENSOR_OTHER, 1},
    {STR_INIT("BOOL"), TENSOR_OTHER, 1}};

/* A number that is no whole one, negative or absent is none. */
static bool whole(const json_t *v, uint64_t *to)
{
    *to = json_is_integer(v) && json_integer_value(v) >= 0
              ? (uint64_t)json_integer_value(v)
              : UINT64_MAX;
    return *to != UINT64_MAX;
}

/* *numbers: the product of the dimensions; false: one is no size, or the
 * product is none. */
static bool take_shape(const json_t *shape, struct tensor *t, uint64_t *numbers)
{
    *numbers = 1;
    t->dims_n = json_array_size(shape);
    for (size_t i = 0; i < t->dims_n; i++) {
        uint64_t dim;

        if (!whole(json_array_get(shape, i), &dim) ||
            __builtin_mul_overflow(*numbers, dim, numbers))
            return false;
        if (i < TENSOR_DIMS_MAX)
            t->dims[i] = dim;
    }
    return json_is_array(shape);
}

/* 0: not a type whose size is known. */
static unsigned take_kind(struct arena *a, const json_t *entry,
                          struct tensor *t)
{
    str kind = js_str(entry, "dtype");

    t->type = TENSOR_OTHER;
    t->kind = arena_str(a, str_sub(kind, 0, 16));
    for (size_t i = 0; i < NELEMS(KINDS); i++) {
        if (str_eq(KINDS[i].name, kind)) {
            t->type = KINDS[i].type;
            return KINDS[i].bytes;
        }
    }
    return 0;
}

static rc take_entry(struct tensors *ts, str data, str name,
                     const json_t *entry, struct err *e)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    struct tensor t = {.name = arena_str(ts->arena, name)};
    uint64_t from, end, numbers, bytes;
    unsigned each = take_kind(ts->arena, entry, &t);

    if (!take_shape(json_object_get(entry, "shape"), &t, &numbers))
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT ": shape is no list of "
                       "sizes",
                       STR_ARG(name));
    if (json_array_size(offsets) != 2 ||
        !whole(json_array_get(offsets, 0), &from) ||
        !whole(json_array_get(offsets, 1), &end) || end < from)
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT ": data_offsets is no range",
                       STR_ARG(name));
    if (end > data.n)
        return err_set(e, RC_FORMAT,
                       "the file is cut: tensor " STR_FMT " ends at byte "
                       "%" PRIu64 " of the data, which has %zu",
                       STR_ARG(name), end, data.n);
    if (each != 0 &&
        (__builtin_mul_overflow(numbers, each, &bytes) || bytes != end - from))
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT " has %" PRIu64
                       " bytes, its shape another number",
                       STR_ARG(name), end - from);
    t.bytes = str_sub(data, (size_t)from, (size_t)(end - from));
    return tensors_add(ts, &t, e);
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = *(const struct tensor *const *)a,
                        *y = *(const struct tensor *const *)b;

    if (x->bytes.p != y->bytes.p)
        return x->bytes.p < y->bytes.p ? -1 : 1;
    return x->bytes.n < y->bytes.n ? -1 : x->bytes.n > y->bytes.n;
}

/* The tensors fill the data, one after the other. */
static rc check_places(const struct tensors *ts, str data, struct err *e)
{
    const struct tensor **sorted =
        ARENA_ARRAY(ts->arena, const struct tensor *, ts->n);
    const char *at = data.p;

    for (size_t i = 0; i < ts->n; i++)
        sorted[i] = &ts->v[i];
    if (ts->n > 1)
        qsort(sorted, ts->n, sizeof(void *), by_place);
    for (size_t i = 0; i < ts->n; i++) {
        const struct tensor *t = sorted[i];

        if (t->bytes.p != at)
            return err_set(
                e, RC_FORMAT, "tensor " STR_FMT " %s of the one before",
                STR_ARG(t->name),
                t->bytes.p < at ? "shares bytes" : "does not follow the end");
        at = t->bytes.p + t->bytes.n;
    }
    if (at != data.p + data.n)
        return err_set(e, RC_FORMAT, "%zu bytes behind the last tensor",
                       (size_t)(data.p + data.n - at));
    return RC_OK;
}

static rc take_header(struct tensors *ts, str data, const json_t *header,
                      struct err *e)
{
    const char *name;
    json_t *entry;
    rc code = RC_OK;

    if (!json_is_object(header))
        return err_set(e, RC_FORMAT, "the header is not a JSON object");
    json_object_foreach(mem_unconst(header), name, entry)
    {
        if (code == RC_OK && strcmp(name, "__metadata__") != 0)
            code = take_entry(ts, data, str_of(name), entry, e);
    }
    return code == RC_OK ? check_places(ts, data, e) : code;
}

rc safetensors_read(str file, struct tensors *ts, struct err *e)
{
    static const struct js_limits LIMITS = {
        .depth_max = 4, .keys_max = (size_t)5 * TENSORS_MAX};
    struct cur c = cur_of(file);
    uint64_t header_bytes = cur_u64(&c);
    json_t *header;
    size_t offset;
    str text, data;
    rc code;

    if (c.bad || header_bytes > file.n - LENGTH_BYTES)
        return err_set(e, RC_FORMAT,
                       "not a safetensors file, or cut in its header");
    if (header_bytes > SAFETENSORS_HEADER_BYTES_MAX)
        return err_set(e, RC_LIMIT, "header of %" PRIu64 " bytes, at most %zu",
                       header_bytes, SAFETENSORS_HEADER_BYTES_MAX);
    text = str_sub(file, LENGTH_BYTES, (size_t)header_bytes);
    data = str_sub(file, LENGTH_BYTES + (size_t)header_bytes, file.n);
    code = js_parse(text, LIMITS, &header, &offset, e);
    if (code != RC_OK) {
        (void)err_wrap(e, "the header, at character %zu", offset);
        return code;
    }
    code = take_header(ts, data, header, e);
    json_decref(header);
    return code;
}
