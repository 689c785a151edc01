/* /openapi.json and the list of routes, both from the route table. */
#include <stdio.h>

#include "serve/route.h"
#include "serve/serve.h"

#define MODELS_MAX 256

/* ---- the shapes of errors ---- */

static const struct field ERROR_FIELDS[] = {
    {.name = "error", .type = FIELD_STRING, .required = true},
    {.name = "message", .type = FIELD_STRING, .required = true},
    {.name = "retryable", .type = FIELD_BOOL, .nullable = true},
    {.name = "retry_after", .type = FIELD_INT, .nullable = true},
    {0},
};
static const struct model ERROR = {.name = "ErrorResponse",
                                   .fields = ERROR_FIELDS};

static const struct field ANY_ITEM = {.name = "", .type = FIELD_ANY};
static const struct field FAULT_FIELDS[] = {
    {.name = "loc", .type = FIELD_LIST, .required = true, .item = &ANY_ITEM},
    {.name = "msg", .type = FIELD_STRING, .required = true},
    {.name = "type", .type = FIELD_STRING, .required = true},
    {.name = "input", .type = FIELD_ANY},
    {.name = "ctx", .type = FIELD_OBJECT},
    {0},
};
static const struct model FAULT = {.name = "ValidationError",
                                   .fields = FAULT_FIELDS};
static const struct field FAULT_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &FAULT};
static const struct field FAULTS_FIELDS[] = {
    {.name = "detail", .type = FIELD_LIST, .item = &FAULT_ITEM}, {0}};
static const struct model FAULTS = {.name = "HTTPValidationError",
                                    .fields = FAULTS_FIELDS};

static const struct field EXEC_ERROR_FIELDS[] = {
    {.name = "type", .type = FIELD_STRING, .required = true},
    {.name = "code", .type = FIELD_STRING},
    {.name = "message", .type = FIELD_STRING, .required = true},
    {.name = "retry_after", .type = FIELD_INT},
    {0},
};
static const struct model EXEC_ERROR = {.name = "ErrorDetail",
                                        .fields = EXEC_ERROR_FIELDS};
static const struct field EXEC_ENVELOPE_FIELDS[] = {
    {.name = "error",
     .type = FIELD_MODEL,
     .required = true,
     .model = &EXEC_ERROR},
    {.name = "retry_after", .type = FIELD_INT},
    {0},
};
static const struct model EXEC_ENVELOPE = {.name = "ValidationErrorDetail",
                                           .fields = EXEC_ENVELOPE_FIELDS};

static const struct model *error_of(const struct route *r)
{
    return r->dialect == DIALECT_EXEC ? &EXEC_ENVELOPE : &ERROR;
}

/* ---- schemas ---- */

static void put_ref(struct out *o, const struct model *m)
{
    char ref[128];

    ASSERT(m != NULL);
    (void)snprintf(ref, sizeof ref, "#/components/schemas/%s", m->name);
    out_cstr(o, "$ref", ref);
}

static void put_lengths(struct out *o, const struct field *f, const char *min,
                        const char *max)
{
    size_t least = f->nonblank && f->length_min == 0 ? 1 : f->length_min;

    if (least > 0)
        out_uint(o, min, least);
    if (f->length_max > 0)
        out_uint(o, max, f->length_max);
}

static void put_bounds(struct out *o, const struct field *f)
{
    if (f->min.set)
        out_num(o, "minimum", f->min.v);
    if (f->max.set)
        out_num(o, "maximum", f->max.v);
}

static void put_values(struct out *o, const char *const *values)
{
    ASSERT(values != NULL);
    out_begin_list(o, "enum");
    for (size_t i = 0; values[i] != NULL; i++)
        out_cstr(o, NULL, values[i]);
    out_end_list(o);
}

/* The members of a field's schema, null aside. Tables nest, input doesn't. */
static void put_schema(struct out *o, const struct field *f)
{
    ASSERT(f != NULL);
    switch (f->type) {
    case FIELD_STRING:
        out_cstr(o, "type", "string");
        put_lengths(o, f, "minLength", "maxLength");
        break;
    case FIELD_INT:
        out_cstr(o, "type", "integer");
        put_bounds(o, f);
        break;
    case FIELD_NUMBER:
        out_cstr(o, "type", "number");
        put_bounds(o, f);
        break;
    case FIELD_BOOL:
        out_cstr(o, "type", "boolean");
        break;
    case FIELD_UUID:
        out_cstr(o, "type", "string");
        out_cstr(o, "format", "uuid");
        break;
    case FIELD_TIME:
        out_cstr(o, "type", "string");
        out_cstr(o, "format", "date-time");
        break;
    case FIELD_LITERAL:
        out_cstr(o, "type", "string");
        put_values(o, f->values);
        break;
    case FIELD_OBJECT:
        out_cstr(o, "type", "object");
        out_bool(o, "additionalProperties", true);
        break;
    case FIELD_MODEL:
        put_ref(o, f->model);
        break;
    case FIELD_LIST:
        out_cstr(o, "type", "array");
        put_lengths(o, f, "minItems", "maxItems");
        out_begin(o, "items");
        put_schema(o, f->item);
        out_end(o);
        break;
    case FIELD_MAP:
        out_cstr(o, "type", "object");
        put_lengths(o, f, "minProperties", "maxProperties");
        out_begin(o, "additionalProperties");
        put_schema(o, f->item);
        out_end(o);
        break;
    case FIELD_ANY:
        break;
    }
}

static void put_field(struct out *o, const char *name, const struct field *f)
{
    out_begin(o, name);
    if (f->nullable) {
        out_begin_list(o, "anyOf");
        out_begin(o, NULL);
        put_schema(o, f);
        out_end(o);
        out_begin(o, NULL);
        out_cstr(o, "type", "null");
        out_end(o);
        out_end_list(o);
    } else {
        put_schema(o, f);
    }
    if (f->preset != NULL)
        out_json(o, "default", str_of(f->preset));
    if (f->doc != NULL)
        out_cstr(o, "description", f->doc);
    out_end(o);
}

static void put_model(struct out *o, const struct model *m)
{
    out_begin(o, m->name);
    out_cstr(o, "type", "object");
    out_cstr(o, "title", m->name);
    if (m->doc != NULL)
        out_cstr(o, "description", m->doc);
    out_begin(o, "properties");
    for (const struct field *f = m->fields; f->name != NULL; f++)
        put_field(o, f->name, f);
    out_end(o);
    out_begin_list(o, "required");
    for (const struct field *f = m->fields; f->name != NULL; f++) {
        if (f->required)
            out_cstr(o, NULL, f->name);
    }
    out_end_list(o);
    if (m->strict)
        out_bool(o, "additionalProperties", false);
    out_end(o);
}

/* ---- which models there are ---- */

struct models {
    const struct model *v[MODELS_MAX];
    size_t n;
};

static void add_model(struct models *ms, const struct model *m)
{
    for (size_t i = 0; i < ms->n; i++) {
        if (ms->v[i] == m)
            return;
    }
    ASSERT(ms->n < MODELS_MAX);
    ms->v[ms->n++] = m;
}

/* The list grows while it is walked, until no field names a new model. */
static void find_models(struct models *ms)
{
    const struct route *r;
    size_t at = 0;

    add_model(ms, &ERROR);
    add_model(ms, &FAULTS);
    add_model(ms, &EXEC_ENVELOPE);
    while ((r = route_next(&at)) != NULL) {
        if (r->body != NULL)
            add_model(ms, r->body);
        if (r->answer != NULL)
            add_model(ms, r->answer);
    }
    for (size_t i = 0; i < ms->n; i++) {
        for (const struct field *f = ms->v[i]->fields; f->name != NULL; f++) {
            const struct field *in = f;

            while (in->item != NULL)
                in = in->item;
            if (in->model != NULL)
                add_model(ms, in->model);
        }
    }
}

/* ---- operations ---- */

static void put_json_content(struct out *o, const struct model *m, bool list)
{
    out_begin(o, "content");
    out_begin(o, "application/json");
    out_begin(o, "schema");
    if (list) {
        out_cstr(o, "type", "array");
        out_begin(o, "items");
        put_ref(o, m);
        out_end(o);
    } else {
        put_ref(o, m);
    }
    out_end(o);
    out_end(o);
    out_end(o);
}

static void put_answer(struct out *o, unsigned status, const char *what,
                       const struct model *m, bool list)
{
    char name[8];

    (void)snprintf(name, sizeof name, "%u", status);
    out_begin(o, name);
    out_cstr(o, "description", what);
    if (m != NULL)
        put_json_content(o, m, list);
    out_end(o);
}

/* What a request may break: Exec has no status of its own for that. */
static bool has_rules(const struct route *r)
{
    return r->params[0].name != NULL || r->query != NULL || r->body != NULL;
}

static void put_answers(struct out *o, const struct route *r)
{
    const struct model *error = error_of(r);
    bool keyed = r->access != ACCESS_OPEN;

    out_begin(o, "responses");
    if (r->success_too != 0)
        put_answer(o, r->success_too, "It is there already", r->answer,
                   r->answer_list);
    put_answer(o, r->success, "Done", r->answer, r->answer_list);
    if (keyed || r->body != NULL)
        put_answer(o, 400, "Bad request", error, false);
    if (keyed)
        put_answer(o, 401, "No valid key", error, false);
    if (keyed && r->access != ACCESS_KEY)
        put_answer(o, 403, "The key lacks the scope", error, false);
    if (r->object != NULL)
        put_answer(o, 404, "Not found", error, false);
    if (r->body_kind != BODY_NONE)
        put_answer(o, 413, "Over a limit", error, false);
    if (has_rules(r) && r->dialect != DIALECT_EXEC)
        put_answer(o, 422, "Validation error", &FAULTS, false);
    if (keyed)
        put_answer(o, 429, "Over the organization's rate limit", error, false);
    if (r->writes || route_takes_in(r))
        put_answer(o, 507, "The disk is full", error, false);
    out_end(o);
}

static void put_parameter(struct out *o, const char *in, const struct field *f,
                          bool required)
{
    out_begin(o, NULL);
    out_cstr(o, "name", f->name);
    out_cstr(o, "in", in);
    out_bool(o, "required", required);
    put_field(o, "schema", f);
    out_end(o);
}

static void put_parameters(struct out *o, const struct route *r)
{
    out_begin_list(o, "parameters");
    for (size_t i = 0; i < PATH_PARAMS_MAX && r->params[i].name != NULL; i++) {
        struct field f = {.name = r->params[i].name, .type = r->params[i].type};

        put_parameter(o, "path", &f, true);
    }
    for (const struct field *f = r->query != NULL ? r->query->fields : NULL;
         f != NULL && f->name != NULL; f++)
        put_parameter(o, "query", f, f->required);
    out_end_list(o);
}

static void put_body(struct out *o, const struct route *r)
{
    static const char *const TYPES[] = {
        [BODY_NONE] = NULL,
        [BODY_JSON] = "application/json",
        [BODY_MULTIPART] = "multipart/form-data",
        [BODY_FILE] = "application/octet-stream"};

    if (r->body_kind == BODY_NONE)
        return;
    out_begin(o, "requestBody");
    out_bool(o, "required", true);
    out_begin(o, "content");
    out_begin(o, TYPES[r->body_kind]);
    out_begin(o, "schema");
    if (r->body != NULL) {
        put_ref(o, r->body);
    } else {
        out_cstr(o, "type", "string");
        out_cstr(o, "format", "binary");
    }
    out_end(o);
    out_end(o);
    out_end(o);
    out_end(o);
}

static void put_security(struct out *o, const struct route *r)
{
    out_begin_list(o, "security");
    if (r->access != ACCESS_OPEN) {
        out_begin(o, NULL);
        out_begin_list(o, "APIKeyHeader");
        out_end_list(o);
        out_end(o);
        out_begin(o, NULL);
        out_begin_list(o, "HTTPBearer");
        out_end_list(o);
        out_end(o);
    }
    out_end_list(o);
}

static void put_operation(struct out *o, const struct route *r)
{
    char method[8] = {0};

    for (size_t i = 0; i < sizeof method - 1 && r->method[i] != '\0'; i++)
        method[i] = (char)(r->method[i] | 0x20);
    out_begin(o, method);
    out_cstr(o, "operationId", r->operation);
    out_cstr(o, "summary", r->doc);
    if (r->tag != NULL) {
        out_begin_list(o, "tags");
        out_cstr(o, NULL, r->tag);
        out_end_list(o);
    }
    put_security(o, r);
    put_parameters(o, r);
    put_body(o, r);
    put_answers(o, r);
    out_end(o);
}

/* Is an earlier row of this path? Then its operation stands there already. */
static bool path_seen(const struct route *r)
{
    const struct route *other;
    size_t at = 0;

    while ((other = route_next(&at)) != r) {
        if (strcmp(other->pattern, r->pattern) == 0)
            return true;
    }
    return false;
}

static void put_paths(struct out *o)
{
    const struct route *r, *same;
    size_t at = 0, again;

    out_begin(o, "paths");
    while ((r = route_next(&at)) != NULL) {
        if (path_seen(r))
            continue;
        out_begin(o, r->pattern);
        again = 0;
        while ((same = route_next(&again)) != NULL) {
            if (strcmp(same->pattern, r->pattern) == 0)
                put_operation(o, same);
        }
        out_end(o);
    }
    out_end(o);
}

static void put_schemes(struct out *o)
{
    out_begin(o, "securitySchemes");
    out_begin(o, "APIKeyHeader");
    out_cstr(o, "type", "apiKey");
    out_cstr(o, "in", "header");
    out_cstr(o, "name", "x-api-key");
    out_end(o);
    out_begin(o, "HTTPBearer");
    out_cstr(o, "type", "http");
    out_cstr(o, "scheme", "bearer");
    out_end(o);
    out_end(o);
}

void serve_openapi_json(struct buf *b)
{
    struct models ms = {.n = 0};
    struct out o = out_to(b);

    find_models(&ms);
    out_begin(&o, NULL);
    out_cstr(&o, "openapi", "3.1.0");
    out_begin(&o, "info");
    out_cstr(&o, "title", "knowd");
    out_cstr(&o, "version", KNOWD_VERSION);
    out_end(&o);
    put_paths(&o);
    out_begin(&o, "components");
    out_begin(&o, "schemas");
    for (size_t i = 0; i < ms.n; i++)
        put_model(&o, ms.v[i]);
    out_end(&o);
    put_schemes(&o);
    out_end(&o);
    out_end(&o);
}

/* ---- the list of routes ---- */

static const char *scope_needed(enum access access)
{
    switch (access) {
    case ACCESS_READ:
        return "knowledge_bases:read";
    case ACCESS_MANAGE:
        return "knowledge_bases:manage";
    case ACCESS_ORG:
        return "org:manage";
    case ACCESS_OPEN:
    case ACCESS_KEY:
    case ACCESS_LOCAL:
        break;
    }
    return NULL;
}

void serve_routes_json(struct buf *b)
{
    static const char *const ACCESS[] = {
        [ACCESS_OPEN] = "open",     [ACCESS_KEY] = "key",
        [ACCESS_LOCAL] = "local",   [ACCESS_READ] = "read",
        [ACCESS_MANAGE] = "manage", [ACCESS_ORG] = "org"};
    static const char *const BODIES[] = {[BODY_NONE] = "none",
                                         [BODY_JSON] = "json",
                                         [BODY_MULTIPART] = "multipart",
                                         [BODY_FILE] = "file"};
    struct out o = out_to(b);
    const struct route *r;
    size_t at = 0;

    out_begin_list(&o, NULL);
    while ((r = route_next(&at)) != NULL) {
        out_begin(&o, NULL);
        out_cstr(&o, "method", r->method);
        out_cstr(&o, "path", r->pattern);
        out_cstr(&o, "operation", r->operation);
        out_cstr(&o, "access", ACCESS[r->access]);
        out_cstr(&o, "scope", scope_needed(r->access));
        out_cstr(&o, "object", r->object);
        out_cstr(&o, "body", BODIES[r->body_kind]);
        out_cstr(&o, "body_model", r->body != NULL ? r->body->name : NULL);
        out_bool(&o, "strict", r->body != NULL && r->body->strict);
        out_bool(&o, "writes", r->writes || route_takes_in(r));
        out_uint(&o, "success", r->success);
        out_cstr(&o, "dialect", DIALECT_NAMES[r->dialect]);
        out_end(&o);
    }
    out_end_list(&o);
}
