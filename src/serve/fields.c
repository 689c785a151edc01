#include "serve/fields.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/uuid.h"

/* A value shown back in a fault is cut here: FAULTS_MAX of them go out. */
#define FAULT_INPUT_BYTES_MAX 4096
#define FAULT_STRING_CHARS_MAX 256

struct place place_of(str root)
{
    struct place p = {.n = 1};

    p.path[0].name = root;
    return p;
}

struct place place_in(const struct place *p, str name)
{
    struct place q = *p;

    ASSERT(q.n < FAULT_PATH_MAX);
    q.path[q.n++] = (struct path_step){.name = name};
    return q;
}

struct place place_at(const struct place *p, uint64_t index)
{
    struct place q = *p;

    ASSERT(q.n < FAULT_PATH_MAX);
    q.path[q.n++] = (struct path_step){.index = index};
    return q;
}

/* Bytes of the first `chars` characters of s. */
static size_t chars_cut(str s, size_t chars)
{
    size_t i = 0;

    for (; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && chars-- == 0)
            break;
    }
    return i;
}

static size_t chars_count(str s)
{
    size_t chars = 0;

    for (size_t i = 0; i < s.n; i++)
        chars += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return chars;
}

static str str_of_json(const json_t *v)
{
    return (str){json_string_value(v), json_string_length(v)};
}

static str input_text(struct arena *a, const json_t *v)
{
    json_t *cut;
    str s, text;

    if (v == NULL)
        return STR_NONE;
    if (!json_is_string(v)) {
        text = js_text(a, v);
        return text.n <= FAULT_INPUT_BYTES_MAX ? text : STR_NONE;
    }
    s = str_of_json(v);
    if (s.n <= FAULT_STRING_CHARS_MAX)
        return js_text(a, v);
    s.n = chars_cut(s, FAULT_STRING_CHARS_MAX);
    cut = json_stringn(s.p, s.n);
    text = js_text(a, cut);
    json_decref(cut);
    return text;
}

void fault_add(struct faults *fs, const struct place *at, enum reason reason,
               double bound, size_t actual, str note, const json_t *input)
{
    struct fault f = {
        .path_len = at->n,
        .reason = reason,
        .bound = bound,
        .actual = actual,
        .note = note,
    };

    if (fs->n == FAULTS_MAX)
        return;
    memcpy(f.path, at->path, sizeof f.path);
    f.input_json = input_text(fs->arena, input);
    faults_add(fs, &f);
}

static void fault_type(struct faults *fs, const struct place *at,
                       enum reason reason, const json_t *v)
{
    fault_add(fs, at, reason, 0, 0, STR_NONE, v);
}

static void check_length(const struct field *f, str s, const json_t *v,
                         const struct place *at, struct faults *fs)
{
    size_t chars = chars_count(s);
    size_t least = f->nonblank && f->length_min == 0 ? 1 : f->length_min;

    if (chars < least || (f->nonblank && str_blank(s)))
        fault_add(fs, at, REASON_STRING_TOO_SHORT, (double)least, chars,
                  STR_NONE, v);
    else if (f->length_max != 0 && chars > f->length_max)
        fault_add(fs, at, REASON_STRING_TOO_LONG, (double)f->length_max, chars,
                  STR_NONE, v);
}

static void check_bounds(const struct field *f, double x, const json_t *v,
                         const struct place *at, struct faults *fs)
{
    /* Pydantic writes the bound of a float as a float. */
    str kind = f->type == FIELD_NUMBER ? STR("float") : STR_NONE;

    if (f->min.set && !(x >= f->min.v))
        fault_add(fs, at, REASON_TOO_SMALL, f->min.v, 0, kind, v);
    else if (f->max.set && !(x <= f->max.v))
        fault_add(fs, at, REASON_TOO_LARGE, f->max.v, 0, kind, v);
}

/* "'a', 'b' or 'c'" */
static str values_text(struct arena *out, const char *const *values)
{
    str s = STR("");

    for (size_t i = 0; values[i] != NULL; i++) {
        const char *join = i == 0 ? "" : values[i + 1] == NULL ? " or " : ", ";

        s = arena_fmt(out, STR_FMT "%s'%s'", STR_ARG(s), join, values[i]);
    }
    return s;
}

static void check_literal(const struct field *f, const json_t *v,
                          const struct place *at, struct faults *fs)
{
    for (size_t i = 0; json_is_string(v) && f->values[i] != NULL; i++) {
        if (str_eq(str_of_json(v), str_of(f->values[i])))
            return;
    }
    fault_add(fs, at, REASON_LITERAL, 0, 0, values_text(fs->arena, f->values),
              v);
}

static void check_uuid(const struct field *f, str s, const json_t *v,
                       const struct place *at, struct faults *fs)
{
    str why;
    uuid u;

    if (!uuid_parse(s, str_of(f->prefix), &u, fs->arena, &why))
        fault_add(fs, at, REASON_UUID_PARSING, 0, 0, why, v);
}

static void check_time(str s, const json_t *v, const struct place *at,
                       struct faults *fs)
{
    int64_t ms;

    if (!clock_parse_rfc3339(s, &ms))
        fault_add(fs, at, REASON_DATETIME, 0, 0,
                  s.n < 10 ? STR("input is too short")
                           : STR("invalid character in year"),
                  v);
}

/* The whole text is a number, as Python's int() and Pydantic take it: white
 * space around it, a sign, zeros behind a point. A number beyond 64 bits
 * becomes the largest, which no bound lets pass. */
static bool text_int(str s, int64_t *v)
{
    bool negative, sized;
    str digits, zeros;
    uint64_t u;

    s = str_trim(s);
    negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_sub(s, 1, s.n);
    if (str_cut(s, '.', &digits, &zeros)) {
        for (size_t i = 0; i < zeros.n; i++) {
            if (zeros.p[i] != '0')
                return false;
        }
    }
    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (!isdigit((unsigned char)digits.p[i]))
            return false;
    }
    sized = str_to_u64(digits, INT64_MAX, &u);
    *v = sized ? (int64_t)u : INT64_MAX;
    if (negative)
        *v = -*v;
    return true;
}

static bool text_number(str s, double *v)
{
    char text[64], *end;

    s = str_trim(s);
    if (s.n == 0 || s.n >= sizeof text || memchr(s.p, 0, s.n) != NULL)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *v = strtod(text, &end);
    return *end == '\0' && strpbrk(text, "xX") == NULL && isfinite(*v);
}

static bool text_bool(str s, bool *v)
{
    static const char *const WORDS[] = {"0", "1", "false", "true",
                                        "f", "t", "no",    "yes",
                                        "n", "y", "off",   "on"};

    for (size_t i = 0; i < NELEMS(WORDS); i++) {
        if (str_eq_nocase(s, str_of(WORDS[i]))) {
            *v = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* A scalar of another type than asked for: text that could not even be parsed
 * is told apart from text that could, but is text. */
static enum reason reason_int(const json_t *v)
{
    int64_t n;

    if (json_is_string(v))
        return text_int(str_of_json(v), &n) ? REASON_INT_TYPE
                                            : REASON_INT_PARSING;
    if (json_is_real(v)) {
        double x = json_real_value(v);

        return floor(x) == x ? REASON_INT_TYPE : REASON_INT_FROM_FLOAT;
    }
    return REASON_INT_TYPE;
}

static enum reason reason_number(const json_t *v)
{
    double x;

    return json_is_string(v) && !text_number(str_of_json(v), &x)
               ? REASON_FLOAT_PARSING
               : REASON_FLOAT_TYPE;
}

static enum reason reason_bool(const json_t *v)
{
    bool b;

    if (json_is_string(v))
        return text_bool(str_of_json(v), &b) ? REASON_BOOL_TYPE
                                             : REASON_BOOL_PARSING;
    if (json_is_number(v)) {
        double x = json_number_value(v);

        return x == 0.0 || x == 1.0 || floor(x) != x ? REASON_BOOL_TYPE
                                                     : REASON_BOOL_PARSING;
    }
    return REASON_BOOL_TYPE;
}

/* Nesting is the tables', which are finite; input decides only how many items
 * a list has. */
static void field_check(const struct field *f, json_t *v,
                        const struct place *at, struct faults *fs);

static void check_list(const struct field *f, json_t *v, const struct place *at,
                       struct faults *fs)
{
    size_t n = json_array_size(v), before = fs->n;

    if (f->length_max != 0 && n > f->length_max) {
        fault_add(fs, at, REASON_LIST_TOO_LONG, (double)f->length_max, n,
                  STR_NONE, v);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct place in = place_at(at, i);

        field_check(f->item, json_array_get(v, i), &in, fs);
    }
    if (fs->n == before && n < f->length_min)
        fault_add(fs, at, REASON_LIST_TOO_SHORT, (double)f->length_min, n,
                  STR_NONE, v);
}

static void check_map(const struct field *f, json_t *v, const struct place *at,
                      struct faults *fs)
{
    static const struct field KEY = {.name = "", .type = FIELD_UUID};
    const char *key;
    json_t *value;

    if (f->length_max != 0 && json_object_size(v) > f->length_max) {
        fault_add(fs, at, REASON_LIST_TOO_LONG, (double)f->length_max,
                  json_object_size(v), STR("Dictionary"), v);
        return;
    }
    json_object_foreach(v, key, value)
    {
        struct place in = place_in(at, str_of(key));

        if (f->key_uuid) {
            struct place of_key = place_in(&in, STR("[key]"));
            json_t *text = json_string(key);

            check_uuid(&KEY, str_of(key), text, &of_key, fs);
            json_decref(text);
        }
        field_check(f->item, value, &in, fs);
    }
}

static void field_check(const struct field *f, json_t *v,
                        const struct place *at, struct faults *fs)
{
    if (json_is_null(v) && f->nullable)
        return;
    switch (f->type) {
    case FIELD_STRING:
        if (json_is_string(v))
            check_length(f, str_of_json(v), v, at, fs);
        else
            fault_type(fs, at, REASON_STRING_TYPE, v);
        break;
    case FIELD_INT:
        if (json_is_integer(v))
            check_bounds(f, (double)json_integer_value(v), v, at, fs);
        else
            fault_type(fs, at, reason_int(v), v);
        break;
    case FIELD_NUMBER:
        if (json_is_number(v))
            check_bounds(f, json_number_value(v), v, at, fs);
        else
            fault_type(fs, at, reason_number(v), v);
        break;
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            fault_type(fs, at, reason_bool(v), v);
        break;
    case FIELD_UUID:
        if (json_is_string(v))
            check_uuid(f, str_of_json(v), v, at, fs);
        else
            fault_type(fs, at, REASON_UUID_TYPE, v);
        break;
    case FIELD_TIME:
        if (json_is_string(v))
            check_time(str_of_json(v), v, at, fs);
        else
            fault_type(fs, at, REASON_DATETIME, v);
        break;
    case FIELD_LITERAL:
        check_literal(f, v, at, fs);
        break;
    case FIELD_OBJECT:
        if (!json_is_object(v))
            fault_type(fs, at, REASON_DICT_TYPE, v);
        break;
    case FIELD_MODEL:
        model_check(f->model, v, at, fs);
        break;
    case FIELD_LIST:
        if (json_is_array(v))
            check_list(f, v, at, fs);
        else
            fault_type(fs, at, REASON_LIST_TYPE, v);
        break;
    case FIELD_MAP:
        if (json_is_object(v))
            check_map(f, v, at, fs);
        else
            fault_type(fs, at, REASON_DICT_TYPE, v);
        break;
    case FIELD_ANY:
        break;
    }
}

static const struct field *field_named(const struct model *m, str name)
{
    for (const struct field *f = m->fields; f->name != NULL; f++) {
        if (str_eq(str_of(f->name), name))
            return f;
    }
    return NULL;
}

static json_t *preset_value(const struct field *f)
{
    return json_loads(f->preset, JSON_DECODE_ANY, NULL);
}

void model_check_fields(const struct model *m, json_t *object,
                        const struct place *at, struct faults *fs)
{
    const char *key;
    json_t *value;

    for (const struct field *f = m->fields; f->name != NULL; f++) {
        json_t *v = json_object_get(object, f->name);
        struct place in = place_in(at, str_of(f->name));

        if (v != NULL)
            field_check(f, v, &in, fs);
        else if (f->required)
            fault_add(fs, &in, REASON_MISSING, 0, 0, STR_NONE, object);
    }
    json_object_foreach(object, key, value)
    {
        struct place in = place_in(at, str_of(key));

        if (m->strict && field_named(m, str_of(key)) == NULL)
            fault_type(fs, &in, REASON_EXTRA, value);
    }
}

void model_check(const struct model *m, json_t *value, const struct place *at,
                 struct faults *fs)
{
    const char *broken = NULL;
    size_t before = fs->n;

    if (!json_is_object(value)) {
        fault_add(fs, at, REASON_DICT_TYPE, 0, 0, STR("model"), value);
        return;
    }
    model_check_fields(m, value, at, fs);
    if (fs->n == before && m->rule != NULL)
        broken = m->rule(value);
    if (broken != NULL)
        fault_add(fs, at, REASON_VALUE, 0, 0, str_of(broken), value);
    for (const struct field *f = m->fields; f->name != NULL; f++) {
        if (f->preset != NULL && json_object_get(value, f->name) == NULL)
            (void)json_object_set_new(value, f->name, preset_value(f));
    }
}

json_t *field_parse(const struct field *f, str text, const struct place *at,
                    struct faults *fs)
{
    json_t *given = js_of_str(text), *v = NULL;
    size_t before = fs->n;
    double x;
    int64_t n;
    bool b;

    if (f->type == FIELD_INT) {
        if (!text_int(text, &n)) {
            fault_type(fs, at, REASON_INT_PARSING, given);
        } else {
            check_bounds(f, (double)n, given, at, fs);
            v = json_integer(n);
        }
    } else if (f->type == FIELD_NUMBER) {
        if (!text_number(text, &x)) {
            fault_type(fs, at, REASON_FLOAT_PARSING, given);
        } else {
            check_bounds(f, x, given, at, fs);
            v = json_real(x);
        }
    } else if (f->type == FIELD_BOOL) {
        if (text_bool(text, &b))
            v = json_boolean(b);
        else
            fault_type(fs, at, REASON_BOOL_PARSING, given);
    } else {
        field_check(f, given, at, fs);
        v = json_incref(given);
    }
    json_decref(given);
    if (fs->n != before) {
        json_decref(v);
        return NULL;
    }
    return v;
}

json_t *query_parse(const struct model *m, str query, struct faults *fs)
{
    json_t *values = json_object();
    struct place at = place_of(STR("query"));
    str pair, name, value;

    for (; query.n > 0;) {
        (void)str_cut(query, '&', &pair, &query);
        (void)str_cut(pair, '=', &name, &value);
        /* A NUL belongs to no name of ours, and to no value: put in its place
         * is what no cursor, number or word of ours holds. */
        if (!percent_decode(fs->arena, name, true, &name))
            continue;
        if (!percent_decode(fs->arena, value, true, &value))
            value = STR("\xEF\xBF\xBD");
        if (field_named(m, name) != NULL)
            (void)json_object_setn_new(values, name.p, name.n,
                                       js_of_str(value));
    }
    for (const struct field *f = m->fields; f->name != NULL; f++) {
        json_t *given = json_object_get(values, f->name), *v = NULL;
        struct place in = place_in(&at, str_of(f->name));

        if (given != NULL)
            v = field_parse(f, str_of_json(given), &in, fs);
        else if (f->preset != NULL)
            v = preset_value(f);
        else if (f->required)
            fault_add(fs, &in, REASON_MISSING, 0, 0, STR_NONE, NULL);
        if (v != NULL)
            (void)json_object_set_new(values, f->name, v);
    }
    return values;
}

bool percent_decode(struct arena *out, str s, bool plus, str *to)
{
    char *p = arena_alloc(out, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%' && i + 2 < s.n && str_hex_digit(s.p[i + 1]) >= 0 &&
            str_hex_digit(s.p[i + 2]) >= 0) {
            c = (char)(str_hex_digit(s.p[i + 1]) * 16 +
                       str_hex_digit(s.p[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        p[n++] = c;
    }
    *to = (str){p, n};
    return true;
}

bool in_has(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return v != NULL && !json_is_null(v);
}

str in_str(const json_t *o, const char *key)
{
    return js_str(o, key);
}

int64_t in_int(const json_t *o, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(o, key);

    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

double in_num(const json_t *o, const char *key, double otherwise)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool in_bool(const json_t *o, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(o, key);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

str in_json(struct arena *out, const json_t *o, const char *key)
{
    return in_has(o, key) ? js_text(out, json_object_get(o, key)) : STR_NONE;
}
