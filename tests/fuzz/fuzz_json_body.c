/* JSON bodies and query strings against a table with every kind of field; the
 * rendered faults must be JSON themselves. */
#include "base/json.h"
#include "serve/fields.h"
#include "serve/pydantic.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct field ID = {.name = "", .type = FIELD_UUID, .prefix = "kb"};
static const char *const WORDS[] = {"hybrid", "lexical", NULL};
static const struct field INNER_FIELDS[] = {
    {.name = "a", .type = FIELD_INT, .required = true, .min = BOUND(0)},
    {0},
};
static const struct model INNER = {
    .name = "Inner", .strict = true, .fields = INNER_FIELDS};
static const struct field FIELDS[] = {
    {.name = "query",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = 8},
    {.name = "kb_ids",
     .type = FIELD_LIST,
     .required = true,
     .item = &ID,
     .length_min = 1,
     .length_max = 3},
    {.name = "limit",
     .type = FIELD_INT,
     .min = BOUND(1),
     .max = BOUND(100),
     .preset = "30"},
    {.name = "alpha",
     .type = FIELD_NUMBER,
     .min = BOUND(0.1),
     .max = BOUND(1.0),
     .nullable = true},
    {.name = "exact", .type = FIELD_BOOL, .preset = "false"},
    {.name = "at", .type = FIELD_TIME, .nullable = true},
    {.name = "legs", .type = FIELD_LITERAL, .values = WORDS},
    {.name = "metadata", .type = FIELD_OBJECT, .nullable = true},
    {.name = "pins", .type = FIELD_MAP, .key_uuid = true, .item = &ID},
    {.name = "inner", .type = FIELD_MODEL, .model = &INNER},
    {.name = "any", .type = FIELD_ANY},
    {0},
};
static const struct model MODEL = {
    .name = "Model", .strict = true, .fields = FIELDS};

static void check_rendered(const struct faults *fs)
{
    struct buf b = {0};
    json_t *v;

    pydantic_put(&b, fs);
    v = json_loadb(b.p, b.n, 0, NULL);
    ASSERT(v != NULL);
    json_decref(v);
    buf_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct arena *a;
    struct place at = place_of(STR("body"));
    struct arena_mark m;
    struct faults fs;
    struct err e;
    size_t offset;
    json_t *v;

    if (a == NULL)
        a = arena_open();
    m = arena_mark(a);
    fs = (struct faults){.arena = a};
    if (js_parse((str){(const char *)p, n}, (struct js_limits){0}, &v, &offset,
                 &e) == RC_OK)
        model_check(&MODEL, v, &at, &fs);
    json_decref(v);
    check_rendered(&fs);
    fs = (struct faults){.arena = a};
    json_decref(query_parse(&MODEL, (str){(const char *)p, n}, &fs));
    check_rendered(&fs);
    arena_rewind(a, m);
    return 0;
}
