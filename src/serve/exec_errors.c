#include "serve/exec_errors.h"

#include <ctype.h>

/* ---- faults ---- */

static str field_of(const struct fault *f)
{
    return f->path_len > 1 && f->path[1].name.p != NULL ? f->path[1].name
                                                        : STR_NONE;
}

/* "folder_ids[0]": the field and what of it. */
static str place_text(struct arena *a, const struct fault *f)
{
    str s = field_of(f);

    for (size_t i = 2; i < f->path_len; i++) {
        const struct path_step *step = &f->path[i];

        s = step->name.p != NULL ? arena_fmt(a, STR_FMT "." STR_FMT, STR_ARG(s),
                                             STR_ARG(step->name))
                                 : arena_fmt(a, STR_FMT "[%llu]", STR_ARG(s),
                                             (unsigned long long)step->index);
    }
    return s;
}

static str rule_of(struct arena *a, const struct fault *f)
{
    switch (f->reason) {
    case REASON_MISSING:
        return STR("is required");
    case REASON_STRING_TYPE:
    case REASON_UUID_TYPE:
        return STR("must be a string");
    case REASON_INT_TYPE:
    case REASON_INT_PARSING:
    case REASON_INT_FROM_FLOAT:
        return STR("must be an integer");
    case REASON_FLOAT_TYPE:
    case REASON_FLOAT_PARSING:
        return STR("must be a number");
    case REASON_BOOL_TYPE:
    case REASON_BOOL_PARSING:
        return STR("must be true or false");
    case REASON_LIST_TYPE:
        return STR("must be a list");
    case REASON_DICT_TYPE:
        return STR("must be an object");
    case REASON_UUID_PARSING:
        return STR("must be a UUID");
    case REASON_DATETIME:
        return STR("must be a date or time in ISO 8601");
    case REASON_TOO_SMALL:
        return arena_fmt(a, "must be %.15g or more", f->bound);
    case REASON_TOO_LARGE:
        return arena_fmt(a, "must be %.15g or less", f->bound);
    case REASON_LIST_TOO_SHORT:
        return arena_fmt(a, "must have %.15g items or more", f->bound);
    case REASON_LIST_TOO_LONG:
        return arena_fmt(a, "must have %.15g items or fewer", f->bound);
    case REASON_STRING_TOO_SHORT:
        return STR("must not be blank");
    case REASON_STRING_TOO_LONG:
        return arena_fmt(a, "must be %.15g characters or fewer", f->bound);
    case REASON_EXTRA:
        return STR("is not known");
    case REASON_LITERAL:
        return arena_fmt(a, "must be " STR_FMT, STR_ARG(f->note));
    case REASON_JSON:
    case REASON_VALUE:
    case REASON_COUNT:
        break;
    }
    return f->note;
}

struct words {
    str code, message;
};

static struct words words_of_body(struct arena *a, const struct fault *f)
{
    if (f->reason == REASON_JSON)
        return (struct words){STR("invalid_json"),
                              arena_fmt(a,
                                        "the body is no valid JSON: " STR_FMT,
                                        STR_ARG(f->note))};
    if (f->reason == REASON_VALUE) /* a rule across its fields */
        return (struct words){STR("invalid_body"), f->note};
    return (struct words){
        f->reason == REASON_MISSING ? STR("missing_field")
                                    : STR("invalid_body"),
        arena_fmt(a, "the body " STR_FMT, STR_ARG(rule_of(a, f)))};
}

static struct words words_of(struct arena *a, const struct fault *f)
{
    str field = field_of(f), text;

    if (field.p == NULL)
        return words_of_body(a, f);
    text = f->reason == REASON_VALUE
               ? f->note
               : arena_fmt(a, STR_FMT " " STR_FMT, STR_ARG(place_text(a, f)),
                           STR_ARG(rule_of(a, f)));
    if (str_eq(field, STR("page")) || str_eq(field, STR("page_size")))
        return (struct words){
            STR("invalid_pagination"),
            arena_fmt(a, "Invalid pagination parameters: " STR_FMT,
                      STR_ARG(text))};
    if (f->reason == REASON_MISSING)
        return (struct words){STR("missing_field"), text};
    if (f->reason == REASON_STRING_TOO_LONG && f->path_len == 2)
        return (struct words){arena_fmt(a, STR_FMT "_too_long", STR_ARG(field)),
                              text};
    return (struct words){arena_fmt(a, "invalid_" STR_FMT, STR_ARG(field)),
                          text};
}

/* ---- the rest ---- */

static const char *type_of(unsigned status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "authorization_error";
    case 404:
        return "not_found";
    case 429:
        return "rate_limited";
    default:
        return status < 500 ? "invalid_request" : "server_error";
    }
}

/* NULL: it has none. */
static const char *code_of(const struct failure *f, unsigned status)
{
    switch (status) {
    case 400: /* "bad_request" says nothing the type doesn't */
        return f->named && strcmp(f->name, "bad_request") != 0 ? f->name : NULL;
    case 401:
        return "invalid_api_key";
    case 403:
        return f->named ? f->name : "insufficient_scope";
    case 404:
        return NULL;
    case 429:
        return "rate_limit_exceeded";
    default:
        return f->name;
    }
}

/* Exec's sentences begin with a capital, but for those that begin with a
 * field. */
static str sentence(struct arena *a, const char *text)
{
    str s = str_of(text);
    char *copy = arena_alloc(a, s.n + 1);

    memcpy(copy, text, s.n + 1);
    copy[0] = (char)toupper((unsigned char)text[0]);
    return (str){copy, s.n};
}

unsigned exec_error_put(struct buf *b, struct arena *a, const struct failure *f,
                        const struct faults *fs)
{
    unsigned status = f->status == 409 ? 400 : f->status;
    const char *code = code_of(f, status);
    struct words w = {.code = {code, code == NULL ? 0 : strlen(code)}};
    struct out o = out_to(b);

    if (fs != NULL)
        w = words_of(a, &fs->v[0]);
    else
        w.message = status == 400 ? str_of(f->text) : sentence(a, f->text);
    out_begin(&o, NULL);
    out_begin(&o, "error");
    out_cstr(&o, "type", type_of(status));
    if (w.code.p != NULL)
        out_str(&o, "code", w.code);
    out_str(&o, "message", w.message);
    /* The vendor doesn't say where it stands: so here, there, and in the
     * header Retry-After. */
    if (f->retryable)
        out_uint(&o, "retry_after", f->retry_s);
    out_end(&o);
    if (f->retryable)
        out_uint(&o, "retry_after", f->retry_s);
    out_end(&o);
    return status;
}
