#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

/* Trees are small memory (a body was bounded before): without this, a member
 * that found no memory would be missing from an answer in silence. */
static void *tree_alloc(size_t n)
{
    return mem_resize(NULL, n);
}

__attribute__((constructor)) static void set_tree_memory(void)
{
    json_set_alloc_funcs(tree_alloc, mem_free);
}

/* The scan: grammar and limits of the whole text in one pass, before jansson
 * (which recurses and builds) sees it. Its words and places are those of
 * Python's json module, since Feather and Airweave answer with them. */
struct scan {
    str text;
    size_t at;
    struct js_limits limits;
    uint64_t objects[JS_DEPTH_CEILING / 64]; /* bit set: an object is open */
    size_t depth, keys;
    rc code;
    const char *why;
    size_t why_at;
};

enum step {
    STEP_VALUE,
    STEP_FIRST_ITEM,
    STEP_FIRST_KEY,
    STEP_KEY,
    STEP_BEHIND,
    STEP_END
};

static bool stop(struct scan *s, rc code, const char *why, size_t at)
{
    s->code = code;
    s->why = why;
    s->why_at = at;
    return false;
}

static int peek(const struct scan *s)
{
    return s->at < s->text.n ? (unsigned char)s->text.p[s->at] : -1;
}

static void skip_white(struct scan *s)
{
    int c = peek(s);

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        s->at++;
        c = peek(s);
    }
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind a backslash; `begin` is the place of the opening quote. */
static bool scan_escape(struct scan *s, size_t begin)
{
    int c = peek(s);

    if (c < 0)
        return stop(s, RC_FORMAT, "Unterminated string starting at", begin);
    if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return stop(s, RC_FORMAT, "Invalid \\escape", s->at - 1);
    s->at++;
    if (c != 'u')
        return true;
    for (size_t i = 0; i < 4; i++) {
        /* Python says so too of one that stands at the very end. */
        if (s->text.n - s->at <= 4 ||
            !is_hex((unsigned char)s->text.p[s->at + i]))
            return stop(s, RC_FORMAT, "Invalid \\uXXXX escape", s->at - 1);
    }
    s->at += 4;
    return true;
}

static bool scan_string(struct scan *s)
{
    size_t begin = s->at++;

    for (;;) {
        int c = peek(s);

        if (c < 0)
            return stop(s, RC_FORMAT, "Unterminated string starting at", begin);
        if (s->at - begin - 1 > s->limits.string_bytes_max)
            return stop(s, RC_LIMIT, "string is too long", begin);
        if (c < 0x20)
            return stop(s, RC_FORMAT, "Invalid control character at", s->at);
        s->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(s, begin))
            return false;
    }
}

/* True if the digits make a number within int64. */
static bool fits_int64(str digits)
{
    bool negative = digits.p[0] == '-';
    uint64_t v;

    return str_to_u64(str_sub(digits, negative, digits.n),
                      (uint64_t)INT64_MAX + negative, &v);
}

static void skip_digits(struct scan *s)
{
    while (is_digit(peek(s)))
        s->at++;
}

static bool scan_number(struct scan *s)
{
    size_t begin = s->at, end;
    bool real = false;

    s->at += peek(s) == '-';
    if (!is_digit(peek(s)))
        return stop(s, RC_FORMAT, "Expecting value", begin);
    if (peek(s) == '0')
        s->at++;
    else
        skip_digits(s);
    end = s->at;
    if (peek(s) == '.') {
        s->at++;
        skip_digits(s);
        if (s->at > end + 1) {
            end = s->at;
            real = true;
        }
        s->at = end;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        s->at += peek(s) == '+' || peek(s) == '-';
        if (is_digit(peek(s))) {
            skip_digits(s);
            end = s->at;
            real = true;
        }
        s->at = end;
    }
    if (end - begin > s->limits.number_bytes_max)
        return stop(s, RC_LIMIT, "number is too long", begin);
    if (!real && !s->limits.integers_as_reals &&
        !fits_int64(str_sub(s->text, begin, end - begin)))
        return stop(s, RC_LIMIT, "integer has more than 64 bits", begin);
    return true;
}

static bool scan_word(struct scan *s)
{
    static const str WORDS[] = {STR_INIT("true"), STR_INIT("false"),
                                STR_INIT("null")};
    str rest = str_sub(s->text, s->at, s->text.n);

    for (size_t i = 0; i < NELEMS(WORDS); i++) {
        if (str_starts(rest, WORDS[i])) {
            s->at += WORDS[i].n;
            return true;
        }
    }
    return stop(s, RC_FORMAT, "Expecting value", s->at);
}

static bool push(struct scan *s, bool object)
{
    uint64_t bit = (uint64_t)1 << s->depth % 64;

    if (s->depth == s->limits.depth_max)
        return stop(s, RC_LIMIT, "nesting is too deep", s->at);
    if (object)
        s->objects[s->depth / 64] |= bit;
    else
        s->objects[s->depth / 64] &= ~bit;
    s->depth++;
    s->at++;
    return true;
}

static bool in_object(const struct scan *s)
{
    return (s->objects[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1) != 0;
}

static enum step pop(struct scan *s)
{
    s->at++;
    s->depth--;
    return STEP_BEHIND;
}

static bool scan_value(struct scan *s, enum step *next)
{
    int c = peek(s);

    *next = STEP_BEHIND;
    if (c == '{') {
        *next = STEP_FIRST_KEY;
        return push(s, true);
    }
    if (c == '[') {
        *next = STEP_FIRST_ITEM;
        return push(s, false);
    }
    if (c == '"')
        return scan_string(s);
    if (c == '-' || is_digit(c))
        return scan_number(s);
    return scan_word(s);
}

static bool scan_key(struct scan *s, enum step *next)
{
    if (peek(s) != '"')
        return stop(s, RC_FORMAT,
                    "Expecting property name enclosed in double quotes", s->at);
    if (s->keys++ == s->limits.keys_max)
        return stop(s, RC_LIMIT, "too many keys", s->at);
    if (!scan_string(s))
        return false;
    skip_white(s);
    if (peek(s) != ':')
        return stop(s, RC_FORMAT, "Expecting ':' delimiter", s->at);
    s->at++;
    *next = STEP_VALUE;
    return true;
}

static bool scan_behind(struct scan *s, enum step *next)
{
    int c = peek(s);

    if (s->depth == 0) {
        *next = STEP_END;
        return c < 0 || stop(s, RC_FORMAT, "Extra data", s->at);
    }
    if (c == (in_object(s) ? '}' : ']')) {
        *next = pop(s);
        return true;
    }
    if (c != ',')
        return stop(s, RC_FORMAT, "Expecting ',' delimiter", s->at);
    s->at++;
    *next = in_object(s) ? STEP_KEY : STEP_VALUE;
    return true;
}

static bool scan_text(struct scan *s)
{
    enum step step = STEP_VALUE;
    bool good = true;

    while (good && step != STEP_END) {
        skip_white(s);
        switch (step) {
        case STEP_FIRST_ITEM:
            if (peek(s) == ']')
                step = pop(s);
            else
                step = STEP_VALUE;
            break;
        case STEP_FIRST_KEY:
            if (peek(s) == '}')
                step = pop(s);
            else
                step = STEP_KEY;
            break;
        case STEP_VALUE:
            good = scan_value(s, &step);
            break;
        case STEP_KEY:
            good = scan_key(s, &step);
            break;
        case STEP_BEHIND:
            good = scan_behind(s, &step);
            break;
        case STEP_END:
            break;
        }
    }
    return good;
}

static size_t or_default(size_t limit, size_t otherwise)
{
    return limit == 0 ? otherwise : limit;
}

/* Bytes that don't begin a character of UTF-8 aren't counted. */
static size_t chars_before(str s, size_t at)
{
    size_t chars = 0;

    for (size_t i = 0; i < at && i < s.n; i++)
        chars += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return chars;
}

/* What jansson still finds wrong: duplicate keys, broken UTF-8, lone
 * surrogates, a NUL in a key, a real too large. */
static rc refuse(const json_error_t *je, str text, size_t *offset,
                 struct err *e)
{
    enum json_error_code why = json_error_code(je);
    size_t at = je->position < 0 ? 0 : (size_t)je->position;

    *offset = chars_before(text, at);
    return err_set(e, why == json_error_numeric_overflow ? RC_LIMIT : RC_FORMAT,
                   "%s", je->text);
}

rc js_parse(str text, struct js_limits limits, json_t **out, size_t *offset,
            struct err *e)
{
    struct scan s = {.text = text, .limits = limits};
    json_error_t je;

    *out = NULL;
    *offset = 0;
    s.limits.depth_max = or_default(limits.depth_max, JSON_DEPTH_MAX);
    s.limits.keys_max = or_default(limits.keys_max, JSON_KEYS_MAX);
    s.limits.number_bytes_max =
        or_default(limits.number_bytes_max, JSON_NUMBER_BYTES_MAX);
    s.limits.string_bytes_max =
        or_default(limits.string_bytes_max, JSON_STRING_BYTES_MAX);
    ASSERT(s.limits.depth_max <= JS_DEPTH_CEILING);
    if (!scan_text(&s)) {
        *offset = chars_before(text, s.why_at);
        return err_set(e, s.code, "%s", s.why);
    }
    *out =
        json_loadb(text.p, text.n,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
                       (limits.integers_as_reals ? JSON_DECODE_INT_AS_REAL : 0),
                   &je);
    return *out == NULL ? refuse(&je, text, offset, e) : RC_OK;
}

static void put_string(struct buf *b, const char *p, size_t n)
{
    static const char SHORT[] = "btn\0fr"; /* for 0x08 to 0x0d */
    size_t done = 0;

    buf_put_char(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_put(b, (str){p + done, i - done});
        done = i + 1;
        if (c == '"' || c == '\\')
            buf_fmt(b, "\\%c", c);
        else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
            buf_fmt(b, "\\%c", SHORT[c - 0x08]);
        else
            buf_fmt(b, "\\u%04x", c);
    }
    buf_put(b, (str){p + done, n - done});
    buf_put_char(b, '"');
}

/* As few digits as bring the same number back (15 always fit, 17 always do),
 * and still a real to who reads it. */
static void put_real(struct buf *b, double v)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        (void)strncat(text, ".0", sizeof text - strlen(text) - 1);
    buf_put(b, str_of(text));
}

static void put_scalar(struct buf *b, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        put_string(b, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        buf_fmt(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        put_real(b, json_real_value(v));
        break;
    case JSON_TRUE:
        buf_put(b, STR("true"));
        break;
    case JSON_FALSE:
        buf_put(b, STR("false"));
        break;
    case JSON_NULL:
        buf_put(b, STR("null"));
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
}

/* One open object or array: where its next member stands. */
struct open {
    json_t *v;
    void *member; /* of an object */
    size_t index; /* of an array; members written of an object */
};

/* The next member of what is open, its key written; NULL: it is closed. */
static json_t *put_next(struct buf *b, struct open *o)
{
    const char *key;
    json_t *v;

    if (json_is_array(o->v)) {
        v = json_array_get(o->v, o->index);
    } else {
        o->member = o->index == 0 ? json_object_iter(o->v)
                                  : json_object_iter_next(o->v, o->member);
        v = json_object_iter_value(o->member);
    }
    if (v == NULL) {
        buf_put_char(b, json_is_array(o->v) ? ']' : '}');
        return NULL;
    }
    if (o->index++ > 0)
        buf_put_char(b, ',');
    if (json_is_object(o->v)) {
        key = json_object_iter_key(o->member);
        put_string(b, key, strlen(key));
        buf_put_char(b, ':');
    }
    return v;
}

rc js_put(struct buf *b, const json_t *value, struct err *e)
{
    struct open stack[JS_DEPTH_CEILING];
    const json_t *v = value;
    size_t depth = 0;

    for (;;) {
        if (json_is_object(v) || json_is_array(v)) {
            if (depth == NELEMS(stack))
                return err_set(e, RC_LIMIT, "JSON deeper than %d levels",
                               JS_DEPTH_CEILING);
            buf_put_char(b, json_is_object(v) ? '{' : '[');
            /* jansson walks objects only through a pointer to change them. */
            stack[depth++] = (struct open){.v = mem_unconst(v)};
        } else {
            put_scalar(b, v);
        }
        do {
            if (depth == 0)
                return buf_end(b, e);
            v = put_next(b, &stack[depth - 1]);
            depth -= v == NULL;
        } while (v == NULL);
    }
}

str js_text(struct arena *out, const json_t *v)
{
    struct buf b = {0};
    struct err e;
    str text;

    ASSERT(js_put(&b, v, &e) == RC_OK);
    text = arena_str(out, buf_str(&b));
    buf_close(&b);
    return text;
}

str js_str(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    if (!json_is_string(v))
        return STR_NONE;
    return (str){json_string_value(v), json_string_length(v)};
}

/* Bytes of the character of UTF-8 that begins at p; 0: there is none. */
static size_t char_bytes(const unsigned char *p, size_t n)
{
    size_t want;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (want > n || (p[0] == 0xe0 && p[1] < 0xa0) ||
        (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return want;
}

json_t *js_of_str(str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    json_t *v = json_stringn(s.n == 0 ? "" : s.p, s.n);
    struct buf b = {0};

    if (v != NULL)
        return v;
    for (size_t i = 0; i < s.n;) {
        size_t n = char_bytes(p + i, s.n - i);

        buf_put(&b, n > 0 ? str_sub(s, i, n) : STR("\xef\xbf\xbd"));
        i += n > 0 ? n : 1;
    }
    ASSERT(b.code == RC_OK);
    v = json_stringn_nocheck(b.p, b.n);
    buf_close(&b);
    return v;
}

json_t *js_of_str_or_null(str s)
{
    return s.p == NULL ? json_null() : js_of_str(s);
}
