#include "embed/settings_priv.h"

#include <inttypes.h>
#include <stdio.h>

rc settings_open(const char *file, str text, struct js_limits limits,
                 struct settings *s, struct err *e)
{
    size_t offset;
    json_t *tree = NULL;
    rc code = js_parse(text, limits, &tree, &offset, e);

    if (code != RC_OK) {
        (void)err_wrap(e, "%s, at character %zu", file, offset);
        tree = NULL;
    }
    *s = (struct settings){.file = file, .v = tree, .tree = tree};
    return code;
}

void settings_close(struct settings *s)
{
    json_decref(s->tree);
}

static const json_t *field(const struct settings *s, const char *key)
{
    const json_t *v = json_object_get(s->v, key);

    return json_is_null(v) ? NULL : v;
}

bool settings_has(const struct settings *s, const char *key)
{
    return field(s, key) != NULL;
}

static rc missing(const struct settings *s, const char *key, struct err *e)
{
    return err_set(e, RC_FORMAT, "%s: %s is missing", s->file, key);
}

static rc mistyped(const struct settings *s, const char *key, const char *type,
                   struct err *e)
{
    return err_set(e, RC_FORMAT, "%s: %s is not %s", s->file, key, type);
}

rc settings_count(const struct settings *s, const char *key, uint32_t max,
                  uint32_t *to, struct err *e)
{
    const json_t *v = field(s, key);
    json_int_t n = json_integer_value(v);

    if (v == NULL)
        return missing(s, key, e);
    if (!json_is_integer(v) || n < 0)
        return mistyped(s, key, "a whole number", e);
    if ((uint64_t)n > max)
        return err_set(e, RC_LIMIT, "%s: %s is %lld, at most %" PRIu32, s->file,
                       key, (long long)n, max);
    *to = (uint32_t)n;
    return RC_OK;
}

rc settings_real(const struct settings *s, const char *key, double otherwise,
                 double *to, struct err *e)
{
    const json_t *v = field(s, key);

    *to = v == NULL ? otherwise : json_number_value(v);
    return v == NULL || json_is_number(v) ? RC_OK
                                          : mistyped(s, key, "a number", e);
}

rc settings_flag(const struct settings *s, const char *key, bool otherwise,
                 bool *to, struct err *e)
{
    const json_t *v = field(s, key);

    *to = v == NULL ? otherwise : json_is_true(v);
    return v == NULL || json_is_boolean(v)
               ? RC_OK
               : mistyped(s, key, "true or false", e);
}

rc settings_text(const struct settings *s, const char *key, str *to,
                 struct err *e)
{
    const json_t *v = field(s, key);

    *to = v == NULL ? STR_NONE : js_str(s->v, key);
    return v == NULL || json_is_string(v) ? RC_OK
                                          : mistyped(s, key, "a text", e);
}

rc settings_object(const struct settings *s, const char *key, const json_t **to,
                   struct err *e)
{
    *to = field(s, key);
    return *to == NULL || json_is_object(*to)
               ? RC_OK
               : mistyped(s, key, "an object", e);
}

rc settings_refuse(const struct settings *s, const char *key, const char *why,
                   struct err *e)
{
    struct arena *tmp = arena_open();
    const json_t *v = field(s, key);
    str is = v == NULL ? STR("missing") : js_text(tmp, v);
    rc code =
        err_set(e, RC_UNSUPPORTED, "%s: %s is %.*s%s, %s", s->file, key,
                (int)str_sub(is, 0, 60).n, is.p, is.n > 60 ? "…" : "", why);

    arena_close(tmp);
    return code;
}

rc settings_must_be(const struct settings *s, const char *key, const char *text,
                    struct err *e)
{
    char why[80];

    if (!settings_has(s, key) || str_eq(js_str(s->v, key), str_of(text)))
        return RC_OK;
    (void)snprintf(why, sizeof why, "only \"%s\" is supported", text);
    return settings_refuse(s, key, why, e);
}

rc settings_must_be_flag(const struct settings *s, const char *key, bool flag,
                         struct err *e)
{
    bool is;

    if (settings_flag(s, key, flag, &is, e) != RC_OK)
        return RC_FORMAT;
    return is == flag ? RC_OK : settings_refuse(s, key, "not supported", e);
}

rc settings_must_be_absent(const struct settings *s, const char *key,
                           struct err *e)
{
    return settings_has(s, key) ? settings_refuse(s, key, "not supported", e)
                                : RC_OK;
}
