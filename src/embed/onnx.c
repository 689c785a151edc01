/* The reader of the file: protocol buffers to tensors and nodes. */
#include <inttypes.h>

#include "base/buf.h"
#include "embed/onnx_priv.h"

/* ---- protocol buffers ---- */

enum wire { WIRE_VARINT = 0, WIRE_8 = 1, WIRE_BYTES = 2, WIRE_4 = 5 };

struct field {
    uint64_t number;
    enum wire wire;
    uint64_t value; /* of the varint, or the bits of the 4 or 8 bytes */
    str bytes;
    const uint8_t *at; /* where it begins */
    bool cut;          /* bytes are all there are, value how many it wants */
};

/* The next field; false at the end, or with c->bad. Groups are refused. */
static bool next_field(struct cur *c, struct field *f)
{
    const uint8_t *at = c->p;
    uint64_t key;
    size_t left;

    if (at == c->end)
        return false;
    key = cur_varint(c);
    *f = (struct field){.number = key >> 3, .at = at};
    switch (key & 7) {
    case WIRE_VARINT:
        f->wire = WIRE_VARINT;
        f->value = cur_varint(c);
        break;
    case WIRE_8:
        f->wire = WIRE_8;
        f->value = cur_u64(c);
        break;
    case WIRE_BYTES:
        f->wire = WIRE_BYTES;
        f->value = cur_varint(c);
        left = (size_t)(c->end - c->p);
        f->cut = !c->bad && f->value > left;
        f->bytes = cur_bytes(c, f->cut ? left : (size_t)f->value);
        c->bad = c->bad || f->cut;
        break;
    case WIRE_4:
        f->wire = WIRE_4;
        f->value = cur_u32(c);
        break;
    default:
        c->bad = true;
        break;
    }
    c->bad = c->bad || f->number == 0;
    return !c->bad;
}

static bool is_bytes(const struct field *f, uint64_t number)
{
    return f->number == number && f->wire == WIRE_BYTES;
}

static bool is_varint(const struct field *f, uint64_t number)
{
    return f->number == number && f->wire == WIRE_VARINT;
}

static float real_of(const struct field *f)
{
    uint32_t bits = (uint32_t)f->value;
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

/* What of the file can't be read on, and from where. */
static rc cut(const struct onnx_graph *g, const char *what, const uint8_t *at,
              struct err *e)
{
    return err_set(e, RC_FORMAT, "not an ONNX file, or cut in %s at byte %zu",
                   what, (size_t)(at - (const uint8_t *)g->file.p));
}

/* ---- TensorProto ---- */

static const struct {
    uint64_t number;
    const char *kind;
    enum tensor_type type;
    unsigned bytes;
} TYPES[] = {{1, "FLOAT", TENSOR_F32, 4},      {10, "FLOAT16", TENSOR_F16, 2},
             {16, "BFLOAT16", TENSOR_BF16, 2}, {7, "INT64", TENSOR_OTHER, 8},
             {6, "INT32", TENSOR_OTHER, 4},    {3, "INT8", TENSOR_OTHER, 1},
             {2, "UINT8", TENSOR_OTHER, 1},    {9, "BOOL", TENSOR_OTHER, 1},
             {11, "DOUBLE", TENSOR_OTHER, 8}};

/* A tensor as its fields come. */
struct reading {
    struct tensor t;
    uint64_t numbers; /* product of the dimensions */
    bool bad_shape;
    uint64_t type;
    str raw, floats;
    str int64s; /* packed varints */
    bool others, external;
};

static void take_dim(struct reading *r, uint64_t dim)
{
    if (dim > INT64_MAX || __builtin_mul_overflow(r->numbers, dim, &r->numbers))
        r->bad_shape = true;
    if (r->t.dims_n < TENSOR_DIMS_MAX)
        r->t.dims[r->t.dims_n] = dim;
    r->t.dims_n++;
}

static void take_tensor_field(struct reading *r, const struct field *f)
{
    struct cur dims;

    if (is_varint(f, 1)) {
        take_dim(r, f->value);
    } else if (is_bytes(f, 1)) {
        dims = cur_of(f->bytes);
        while (dims.p != dims.end && !dims.bad)
            take_dim(r, cur_varint(&dims));
        r->bad_shape = r->bad_shape || dims.bad;
    } else if (is_varint(f, 2)) {
        r->type = f->value;
    } else if (is_bytes(f, 4)) {
        r->others = r->others || r->floats.n > 0;
        r->floats = f->bytes;
    } else if (is_bytes(f, 7)) {
        r->others = r->others || r->int64s.n > 0;
        r->int64s = f->bytes;
    } else if (is_bytes(f, 8)) {
        r->t.name = f->bytes;
    } else if (is_bytes(f, 9)) {
        r->raw = f->bytes;
    } else if (f->number == 13 || (is_varint(f, 14) && f->value == 1)) {
        r->external = true;
    } else if (f->number == 4 || f->number == 5 || f->number == 7 ||
               f->number == 10 || f->number == 11 || f->number == 3) {
        r->others = true; /* one by one, of other types, in segments */
    }
}

/* Which of the fields holds the numbers, and that they are so many. */
static rc finish_tensor(struct reading *r, struct err *e)
{
    struct tensor *t = &r->t;
    unsigned each = 0;
    uint64_t bytes;

    t->kind = STR("another");
    t->type = TENSOR_OTHER;
    for (size_t i = 0; i < NELEMS(TYPES); i++) {
        if (TYPES[i].number == r->type) {
            t->kind = str_of(TYPES[i].kind);
            t->type = TYPES[i].type;
            each = TYPES[i].bytes;
        }
    }
    if (r->external)
        return err_set(e, RC_UNSUPPORTED,
                       "tensor " STR_FMT
                       " lies in another file, which is not supported",
                       STR_ARG(t->name));
    if (r->bad_shape)
        return err_set(e, RC_FORMAT, "tensor " STR_FMT ": its shape is none",
                       STR_ARG(t->name));
    t->bytes = r->raw.n > 0 || t->type != TENSOR_F32 ? r->raw : r->floats;
    if (r->int64s.n > 0 && t->type == TENSOR_OTHER && r->raw.n == 0) {
        t->kind = STR("varints"); /* see onnx_ints_of */
        t->bytes = r->int64s;
        return RC_OK;
    }
    if (r->others && t->bytes.n == 0 && t->type != TENSOR_OTHER)
        return err_set(e, RC_UNSUPPORTED,
                       "tensor " STR_FMT ": only raw_data and float_data are "
                       "read",
                       STR_ARG(t->name));
    if (t->type != TENSOR_OTHER &&
        (__builtin_mul_overflow(r->numbers, each, &bytes) ||
         bytes != t->bytes.n))
        return err_set(e, RC_FORMAT,
                       "tensor " STR_FMT
                       " has %zu bytes, its shape another number",
                       STR_ARG(t->name), t->bytes.n);
    return RC_OK;
}

static rc read_tensor(const struct onnx_graph *g, str bytes, struct tensor *t,
                      struct err *e)
{
    struct reading r = {.numbers = 1};
    struct cur c = cur_of(bytes);
    struct field f = {0};
    rc code;

    while (next_field(&c, &f))
        take_tensor_field(&r, &f);
    if (r.t.name.n > TENSOR_NAME_BYTES_MAX)
        return err_set(e, RC_FORMAT, "the name of a tensor has %zu bytes",
                       r.t.name.n);
    if (c.bad && r.t.name.n == 0)
        return cut(g, "a tensor", f.at, e);
    if (c.bad)
        return cut(
            g, arena_fmt(g->ts->arena, "tensor " STR_FMT, STR_ARG(r.t.name)).p,
            f.at, e);
    code = finish_tensor(&r, e);
    *t = r.t;
    return code;
}

bool onnx_ints_of(const struct tensor *t, struct onnx_ints *ints)
{
    struct cur c;

    *ints = (struct onnx_ints){0};
    if (t == NULL || t->dims_n > 1)
        return false;
    c = cur_of(t->bytes);
    if (str_eq(t->kind, STR("varints"))) {
        while (c.p != c.end && !c.bad && ints->n < ONNX_INPUTS_MAX)
            ints->v[ints->n++] = (int64_t)cur_varint(&c);
    } else if (str_eq(t->kind, STR("INT64"))) {
        while (c.p != c.end && !c.bad && ints->n < ONNX_INPUTS_MAX)
            ints->v[ints->n++] = (int64_t)cur_u64(&c);
    } else {
        return false;
    }
    return !c.bad && c.p == c.end;
}

/* ---- NodeProto ---- */

/* AttributeProto; a tensor called `value` is a Constant's. */
static rc read_attribute(const struct onnx_graph *g, str bytes,
                         struct onnx_node *n, str *value, struct err *e)
{
    struct cur c = cur_of(bytes);
    str name = STR_NONE, text = STR_NONE;
    int64_t whole = 0;
    float real = 0;
    struct field f = {0};

    while (next_field(&c, &f)) {
        if (is_bytes(&f, 1))
            name = f.bytes;
        else if (f.number == 2 && f.wire == WIRE_4)
            real = real_of(&f);
        else if (is_varint(&f, 3))
            whole = (int64_t)f.value;
        else if (is_bytes(&f, 4))
            text = f.bytes;
        else if (is_bytes(&f, 5) && str_eq(name, STR("value")))
            *value = f.bytes;
    }
    if (c.bad)
        return cut(g, "an attribute", f.at, e);
    if (str_eq(name, STR("transB"))) {
        n->trans_b = whole;
    } else if (str_eq(name, STR("transA"))) {
        n->trans_a = whole;
    } else if (str_eq(name, STR("alpha"))) {
        n->alpha = real;
    } else if (str_eq(name, STR("beta"))) {
        n->beta = real;
    } else if (str_eq(name, STR("approximate"))) {
        n->approximate = text;
    } else if (str_eq(name, STR("epsilon"))) {
        n->epsilon = real;
        n->has_epsilon = true;
    }
    return RC_OK;
}

static rc take_node_field(const struct onnx_graph *g, struct onnx_node *n,
                          const struct field *f, str *value, struct err *e)
{
    if (is_bytes(f, 1)) {
        if (n->in_n < ONNX_INPUTS_MAX)
            n->in[n->in_n] = f->bytes;
        n->in_n++;
    } else if (is_bytes(f, 2) && n->out.n == 0) {
        n->out = f->bytes;
    } else if (is_bytes(f, 3)) {
        n->name = f->bytes;
    } else if (is_bytes(f, 4)) {
        n->op = f->bytes;
    } else if (is_bytes(f, 5)) {
        return read_attribute(g, f->bytes, n, value, e);
    } else if (is_bytes(f, 7)) {
        n->domain = f->bytes;
    }
    return RC_OK;
}

/* A Constant becomes a tensor by the name of its output, an Identity of a
 * tensor another name of it; any other node is kept. */
static rc take_node(struct onnx_graph *g, struct onnx_node *n, str value,
                    struct err *e)
{
    const struct tensor *same;
    struct tensor t;
    rc code;

    if (str_eq(n->op, STR("Constant")) && value.p != NULL && n->out.n > 0) {
        code = read_tensor(g, value, &t, e);
        t.name = n->out;
        return code == RC_OK ? tensors_put(g->ts, &t, e) : code;
    }
    same =
        str_eq(n->op, STR("Identity")) ? tensors_find(g->ts, n->in[0]) : NULL;
    if (same != NULL && n->out.n > 0) {
        t = *same;
        t.name = n->out;
        return tensors_put(g->ts, &t, e);
    }
    if (g->nodes_n == ONNX_NODES_MAX)
        return err_set(e, RC_LIMIT, "more than %d nodes", ONNX_NODES_MAX);
    ARENA_PUSH(g->ts->arena, g->nodes, g->nodes_n, g->nodes_cap, *n);
    return RC_OK;
}

static rc read_node(struct onnx_graph *g, str bytes, struct err *e)
{
    struct onnx_node n = {.alpha = 1, .beta = 1};
    struct cur c = cur_of(bytes);
    str value = STR_NONE;
    struct field f = {0};
    rc code = RC_OK;

    while (code == RC_OK && next_field(&c, &f))
        code = take_node_field(g, &n, &f, &value, e);
    if (code != RC_OK)
        return code;
    return c.bad ? cut(g, "a node", f.at, e) : take_node(g, &n, value, e);
}

/* ---- GraphProto, ModelProto ---- */

/* Initialisers stand behind the nodes that name them, so in two passes. */
static rc read_graph(str bytes, struct onnx_graph *g, struct err *e)
{
    struct cur c = cur_of(bytes);
    struct field f = {0};
    struct tensor t;
    rc code = RC_OK;

    while (code == RC_OK && next_field(&c, &f)) {
        if (f.number == 15)
            return err_set(e, RC_UNSUPPORTED,
                           "sparse_initializer is not supported");
        if (!is_bytes(&f, 5))
            continue;
        code = read_tensor(g, f.bytes, &t, e);
        if (code == RC_OK)
            code = tensors_add(g->ts, &t, e);
    }
    if (c.bad)
        return cut(g, "the graph", f.at, e);
    c = cur_of(bytes);
    while (code == RC_OK && next_field(&c, &f)) {
        if (is_bytes(&f, 1))
            code = read_node(g, f.bytes, e);
    }
    return code;
}

/* A name stands before the numbers of its tensor, which are nearly all of a
 * file: so it is known as a rule where a file ends too early. */
static rc cut_tensor(const struct onnx_graph *g, const struct field *tensor,
                     struct err *e)
{
    struct cur c = cur_of(tensor->bytes);
    uint64_t end;
    str name = STR_NONE;
    struct field f = {0};

    while (next_field(&c, &f))
        if (is_bytes(&f, 8))
            name = f.bytes;
    if (name.n == 0 || name.n > TENSOR_NAME_BYTES_MAX ||
        __builtin_add_overflow((size_t)(tensor->bytes.p - g->file.p),
                               tensor->value, &end))
        return cut(g, "a tensor", tensor->at, e);
    return err_set(e, RC_FORMAT,
                   "the file is cut: tensor " STR_FMT " ends at byte %" PRIu64
                   " of the file, which has %zu",
                   STR_ARG(name), end, g->file.n);
}

/* What a graph ends in that goes on behind the end of the file. */
static rc cut_graph(const struct onnx_graph *g, str rest, struct err *e)
{
    struct cur c = cur_of(rest);
    struct field f = {0};

    while (next_field(&c, &f))
        ;
    if (f.cut && is_bytes(&f, 5))
        return cut_tensor(g, &f, e);
    return cut(g, f.cut && is_bytes(&f, 1) ? "a node" : "the graph",
               c.bad ? f.at : c.end, e);
}

rc onnx_parse(str file, struct onnx_graph *g, struct err *e)
{
    struct cur c = cur_of(file);
    str graph = STR_NONE;
    struct field f = {0};

    g->file = file;
    while (next_field(&c, &f)) {
        if (is_bytes(&f, 7))
            graph = f.bytes;
    }
    if (f.cut && is_bytes(&f, 7))
        return cut_graph(g, f.bytes, e);
    if (c.bad || graph.p == NULL)
        return cut(g, "the model", c.bad ? f.at : c.end, e);
    return read_graph(graph, g, e);
}
