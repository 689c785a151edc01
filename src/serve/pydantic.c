#include "serve/pydantic.h"

struct row {
    const char *type, *msg;
};
static const struct row ROWS[REASON_COUNT] = {
    [REASON_MISSING] = {"missing", "Field required"},
    [REASON_STRING_TYPE] = {"string_type", "Input should be a valid string"},
    [REASON_INT_TYPE] = {"int_type", "Input should be a valid integer"},
    [REASON_INT_PARSING] = {"int_parsing",
                            "Input should be a valid integer, unable to parse "
                            "string as an integer"},
    [REASON_INT_FROM_FLOAT] = {"int_from_float",
                               "Input should be a valid integer, got a number "
                               "with a fractional part"},
    [REASON_FLOAT_TYPE] = {"float_type", "Input should be a valid number"},
    [REASON_FLOAT_PARSING] = {"float_parsing",
                              "Input should be a valid number, unable to parse "
                              "string as a number"},
    [REASON_BOOL_TYPE] = {"bool_type", "Input should be a valid boolean"},
    [REASON_BOOL_PARSING] = {"bool_parsing",
                             "Input should be a valid boolean, unable to "
                             "interpret input"},
    [REASON_LIST_TYPE] = {"list_type", "Input should be a valid list"},
    [REASON_DICT_TYPE] = {"dict_type", "Input should be a valid dictionary"},
    [REASON_UUID_TYPE] = {"uuid_type",
                          "UUID input should be a string, bytes or UUID "
                          "object"},
    [REASON_UUID_PARSING] = {"uuid_parsing", ""},
    [REASON_DATETIME] = {"datetime_from_date_parsing", ""},
    [REASON_TOO_SMALL] = {"greater_than_equal", ""},
    [REASON_TOO_LARGE] = {"less_than_equal", ""},
    [REASON_LIST_TOO_SHORT] = {"too_short", "at least"},
    [REASON_LIST_TOO_LONG] = {"too_long", "at most"},
    [REASON_STRING_TOO_SHORT] = {"string_too_short",
                                 "String should have at least"},
    [REASON_STRING_TOO_LONG] = {"string_too_long",
                                "String should have at most"},
    [REASON_EXTRA] = {"extra_forbidden", "Extra inputs are not permitted"},
    [REASON_LITERAL] = {"literal_error", ""},
    [REASON_JSON] = {"json_invalid", "JSON decode error"},
    [REASON_VALUE] = {"value_error", ""},
};

/* The member of ctx that says more; NULL: no ctx. */
static const char *const CTX_NAMES[REASON_COUNT] = {
    [REASON_UUID_PARSING] = "error",
    [REASON_DATETIME] = "error",
    [REASON_TOO_SMALL] = "ge",
    [REASON_TOO_LARGE] = "le",
    [REASON_LIST_TOO_SHORT] = "min_length",
    [REASON_LIST_TOO_LONG] = "max_length",
    [REASON_STRING_TOO_SHORT] = "min_length",
    [REASON_STRING_TOO_LONG] = "max_length",
    [REASON_LITERAL] = "expected",
    [REASON_JSON] = "error",
    [REASON_VALUE] = "error",
};

/* Two of our reasons are each two of Pydantic's. */
static struct row row_of(const struct fault *f)
{
    if (f->reason == REASON_DICT_TYPE && str_eq(f->note, STR("model")))
        return (struct row){"model_attributes_type",
                            "Input should be a valid dictionary or object to "
                            "extract fields from"};
    if (f->reason == REASON_DATETIME && f->note.n == 0)
        return (struct row){"datetime_type",
                            "Input should be a valid datetime"};
    return ROWS[f->reason];
}

static str field_type(const struct fault *f)
{
    return f->note.n > 0 ? f->note : STR("List");
}

static str msg_of(struct arena *a, const struct fault *f, const char *text)
{
    switch (f->reason) {
    case REASON_UUID_PARSING:
        return arena_fmt(a, "Input should be a valid UUID, " STR_FMT,
                         STR_ARG(f->note));
    case REASON_DATETIME:
        if (f->note.n == 0)
            break;
        return arena_fmt(a,
                         "Input should be a valid datetime or date, " STR_FMT,
                         STR_ARG(f->note));
    case REASON_TOO_SMALL:
        return arena_fmt(a, "Input should be greater than or equal to %.15g",
                         f->bound);
    case REASON_TOO_LARGE:
        return arena_fmt(a, "Input should be less than or equal to %.15g",
                         f->bound);
    case REASON_LIST_TOO_SHORT:
    case REASON_LIST_TOO_LONG:
        return arena_fmt(a,
                         STR_FMT " should have %s %.0f item%s after "
                                 "validation, not %zu",
                         STR_ARG(field_type(f)), text, f->bound,
                         f->bound == 1.0 ? "" : "s", f->actual);
    case REASON_STRING_TOO_SHORT:
    case REASON_STRING_TOO_LONG:
        return arena_fmt(a, "%s %.0f character%s", text, f->bound,
                         f->bound == 1.0 ? "" : "s");
    case REASON_LITERAL:
        return arena_fmt(a, "Input should be " STR_FMT, STR_ARG(f->note));
    case REASON_VALUE:
        return arena_fmt(a, "Value error, " STR_FMT, STR_ARG(f->note));
    case REASON_MISSING:
    case REASON_STRING_TYPE:
    case REASON_INT_TYPE:
    case REASON_INT_PARSING:
    case REASON_INT_FROM_FLOAT:
    case REASON_FLOAT_TYPE:
    case REASON_FLOAT_PARSING:
    case REASON_BOOL_TYPE:
    case REASON_BOOL_PARSING:
    case REASON_LIST_TYPE:
    case REASON_DICT_TYPE:
    case REASON_UUID_TYPE:
    case REASON_EXTRA:
    case REASON_JSON:
    case REASON_COUNT:
        break;
    }
    return str_of(text);
}

/* Bounds of integers and of lengths are whole. */
static void put_bound(struct out *o, const char *name, const struct fault *f)
{
    if (str_eq(f->note, STR("float")))
        out_num(o, name, f->bound);
    else
        out_int(o, name, (int64_t)f->bound);
}

static bool is_of_list(const struct fault *f)
{
    return f->reason == REASON_LIST_TOO_SHORT ||
           f->reason == REASON_LIST_TOO_LONG;
}

static bool is_of_bound(const struct fault *f)
{
    return f->reason == REASON_TOO_SMALL || f->reason == REASON_TOO_LARGE ||
           f->reason == REASON_STRING_TOO_SHORT ||
           f->reason == REASON_STRING_TOO_LONG;
}

static void put_ctx(struct out *o, const struct fault *f)
{
    const char *name = CTX_NAMES[f->reason];
    bool is_noted = f->reason == REASON_DATETIME || f->reason == REASON_JSON;

    if (name == NULL || (is_noted && f->note.n == 0))
        return;
    out_begin(o, "ctx");
    if (is_of_list(f)) {
        out_str(o, "field_type", field_type(f));
        put_bound(o, name, f);
        out_uint(o, "actual_length", f->actual);
    } else if (is_of_bound(f)) {
        put_bound(o, name, f);
    } else if (f->reason == REASON_VALUE) {
        /* FastAPI serialises the exception, which has nothing. */
        out_begin(o, name);
        out_end(o);
    } else {
        out_str(o, name, f->note);
    }
    out_end(o);
}

void pydantic_put_loc(struct out *o, const struct fault *f)
{
    out_begin_list(o, "loc");
    for (size_t i = 0; i < f->path_len; i++) {
        if (f->path[i].name.p != NULL)
            out_str(o, NULL, f->path[i].name);
        else
            out_uint(o, NULL, f->path[i].index);
    }
    out_end_list(o);
}

static void put_fault(struct out *o, struct arena *a, const struct fault *f)
{
    struct row row = row_of(f);

    out_begin(o, NULL);
    out_cstr(o, "type", row.type);
    pydantic_put_loc(o, f);
    out_str(o, "msg", msg_of(a, f, row.msg));
    if (f->input_json.n > 0)
        out_json(o, "input", f->input_json);
    else
        out_null(o, "input");
    put_ctx(o, f);
    out_end(o);
}

void pydantic_put(struct buf *b, const struct faults *fs)
{
    struct out o = out_to(b);

    out_begin(&o, NULL);
    out_begin_list(&o, "detail");
    for (size_t i = 0; i < fs->n; i++)
        put_fault(&o, fs->arena, &fs->v[i]);
    out_end_list(&o);
    out_end(&o);
}
