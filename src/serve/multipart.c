#include "serve/multipart.h"

#include "base/json.h"
#include "base/mem.h"

enum state {
    STATE_PREAMBLE,
    STATE_BODY,
    STATE_TAIL,   /* behind a delimiter: padding and line end, or "--" */
    STATE_HEADER, /* the block of a part, to its empty line */
    STATE_EPILOGUE,
    STATE_BROKEN
};

struct multipart {
    enum state state;
    str slice; /* what is left of it */
    /* CR LF "--" boundary. Its only CR is the first byte, so a match that
     * fails can only begin again at the byte that failed. */
    char delimiter[4 + BOUNDARY_BYTES_MAX];
    size_t delimiter_n;
    size_t matched; /* bytes of the delimiter seen at the end of the input */
    size_t lent;    /* of these, what stood before the body and is not of it */
    char tail;      /* '-' after one dash, '\r' after CR, ' ' in padding, 0 */
    char header[PART_HEADER_BYTES_MAX];
    size_t header_n;
    struct arena *part; /* texts of the current part */
    struct err broken;
};

/* ---- header values ---- */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static str skip_white(str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_sub(s, 1, s.n);
    return s;
}

static str take_token(str *s)
{
    size_t n = 0;
    str token;

    while (n < s->n && is_token_char(s->p[n]))
        n++;
    token = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->n);
    return token;
}

/* A quoted string without its quotes; \" and \\ are undone, any other
 * backslash is a character (paths of old browsers). false: no end. */
static bool take_quoted(str *s, struct arena *out, str *value)
{
    char *to = arena_alloc(out, s->n + 1);
    size_t n = 0;

    for (size_t i = 1; i < s->n; i++) {
        char c = s->p[i];

        if (c == '"') {
            *value = (str){to, n};
            *s = str_sub(*s, i + 1, s->n);
            return true;
        }
        if (c == '\\' && i + 1 < s->n &&
            (s->p[i + 1] == '"' || s->p[i + 1] == '\\'))
            c = s->p[++i];
        to[n++] = c;
    }
    return false;
}

struct param {
    str name, value;
};

/* The next "; name=value". 1: got one, 0: no more, -1: malformed. */
static int take_param(str *s, struct arena *out, struct param *p)
{
    *s = skip_white(*s);
    if (s->n == 0)
        return 0;
    if (s->p[0] != ';')
        return -1;
    *s = skip_white(str_sub(*s, 1, s->n));
    if (s->n == 0)
        return 0; /* a trailing semicolon does no harm */
    p->name = take_token(s);
    if (p->name.n == 0 || s->n == 0 || s->p[0] != '=')
        return -1;
    *s = str_sub(*s, 1, s->n);
    if (s->n > 0 && s->p[0] == '"')
        return take_quoted(s, out, &p->value) ? 1 : -1;
    p->value = take_token(s);
    return p->value.n > 0 ? 1 : -1;
}

/* Undoes percent-encoding; with `form` only the three escapes that browsers
 * write, since a plain % is not escaped there. */
static str unescape(str s, bool form, struct arena *out)
{
    char *to = arena_alloc(out, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int high = -1, low = -1;

        if (s.p[i] == '%' && s.n - i > 2) {
            high = str_hex_digit(s.p[i + 1]);
            low = str_hex_digit(s.p[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            char c = (char)(high * 16 + low);

            if (!form || c == '"' || c == '\r' || c == '\n') {
                to[n++] = c;
                i += 2;
                continue;
            }
        }
        to[n++] = s.p[i];
    }
    return (str){to, n};
}

/* Names go into answers and rows, so they must be UTF-8; what is not becomes
 * U+FFFD (by the JSON edge, which has to do the same anyway). */
static str clean_text(str s, struct arena *out)
{
    json_t *v = js_of_str(s);
    str text = {json_string_value(v), json_string_length(v)};

    text = arena_str(out, text);
    json_decref(v);
    return text;
}

/* RFC 8187: UTF-8''percent-encoded; another charset is not taken. */
static bool extended_value(str s, struct arena *out, str *value)
{
    str charset, language, text;

    if (!str_cut(s, '\'', &charset, &text) ||
        !str_cut(text, '\'', &language, &text) ||
        !str_eq_nocase(charset, STR("UTF-8")))
        return false;
    *value = unescape(text, false, out);
    return true;
}

static rc parse_disposition(struct multipart *m, str s,
                            struct multipart_event *ev, struct err *e)
{
    struct param p;
    bool named = false, extended = false;
    int got;

    s = skip_white(s);
    if (!str_eq_nocase(take_token(&s), STR("form-data")))
        return err_set(e, RC_FORMAT, "a part is not form-data");
    while ((got = take_param(&s, m->part, &p)) == 1) {
        if (str_eq_nocase(p.name, STR("name"))) {
            ev->name = clean_text(unescape(p.value, true, m->part), m->part);
            named = true;
        } else if (str_eq_nocase(p.name, STR("filename")) && !extended) {
            ev->filename =
                clean_text(unescape(p.value, true, m->part), m->part);
        } else if (str_eq_nocase(p.name, STR("filename*")) &&
                   extended_value(p.value, m->part, &p.value)) {
            ev->filename = clean_text(p.value, m->part);
            extended = true;
        }
    }
    if (got < 0)
        return err_set(e, RC_FORMAT, "a part's Content-Disposition is broken");
    if (!named)
        return err_set(e, RC_FORMAT, "a part has no name");
    if (ev->filename.n > FILENAME_BYTES_MAX)
        return err_set(e, RC_LIMIT, "a file name has %zu bytes, limit %d",
                       ev->filename.n, FILENAME_BYTES_MAX);
    return RC_OK;
}

static bool plain_encoding(str value)
{
    return str_eq_nocase(value, STR("binary")) ||
           str_eq_nocase(value, STR("8bit")) ||
           str_eq_nocase(value, STR("7bit"));
}

/* m->header holds the block with its empty line. */
static rc parse_header(struct multipart *m, struct multipart_event *ev,
                       struct err *e)
{
    str block = {m->header, m->header_n - 2}, line, name, value;
    bool disposed = false;

    arena_rewind(m->part, (struct arena_mark){0});
    *ev = (struct multipart_event){.kind = MULTIPART_PART};
    while (block.n > 0) {
        size_t at = str_find(block, STR("\r\n"));

        line = str_sub(block, 0, at);
        block = str_sub(block, at + 2, block.n);
        if (!str_cut(line, ':', &name, &value) || name.n == 0 ||
            name.p[0] == ' ' || name.p[0] == '\t')
            return err_set(e, RC_FORMAT, "a part has a broken header line");
        value = str_trim(value);
        if (str_eq_nocase(name, STR("Content-Disposition"))) {
            rc code = disposed
                          ? err_set(e, RC_FORMAT, "a part has two dispositions")
                          : parse_disposition(m, value, ev, e);

            if (code != RC_OK)
                return code;
            disposed = true;
        } else if (str_eq_nocase(name, STR("Content-Type"))) {
            ev->content_type = clean_text(value, m->part);
        } else if (str_eq_nocase(name, STR("Content-Transfer-Encoding")) &&
                   !plain_encoding(value)) {
            return err_set(e, RC_FORMAT, "a part has a transfer encoding");
        }
    }
    if (!disposed)
        return err_set(e, RC_FORMAT, "a part has no Content-Disposition");
    return RC_OK;
}

/* ---- opening ---- */

static bool is_boundary_char(char c)
{
    return is_token_char(c) ||
           (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static rc boundary_of(str content_type, struct arena *tmp, str *boundary,
                      struct err *e)
{
    str s = skip_white(content_type);
    struct param p;
    int got;

    *boundary = STR_NONE;
    if (!str_eq_nocase(str_sub(s, 0, 19), STR("multipart/form-data")))
        return err_set(e, RC_FORMAT, "the body must be multipart/form-data");
    s = str_sub(s, 19, s.n);
    while ((got = take_param(&s, tmp, &p)) == 1) {
        if (str_eq_nocase(p.name, STR("boundary")))
            *boundary = p.value;
    }
    if (got < 0 || boundary->n == 0)
        return err_set(e, RC_FORMAT, "the Content-Type has no boundary");
    if (boundary->n > BOUNDARY_BYTES_MAX)
        return err_set(e, RC_LIMIT, "the boundary has %zu bytes, limit %d",
                       boundary->n, BOUNDARY_BYTES_MAX);
    for (size_t i = 0; i < boundary->n; i++) {
        if (!is_boundary_char(boundary->p[i]))
            return err_set(e, RC_FORMAT, "the boundary has a bad character");
    }
    return RC_OK;
}

rc multipart_open(str content_type, struct multipart **m, struct err *e)
{
    struct arena *part = arena_open();
    str boundary;
    rc code = boundary_of(content_type, part, &boundary, e);

    *m = NULL;
    if (code != RC_OK) {
        arena_close(part);
        return code;
    }
    *m = mem_alloc(sizeof **m);
    (*m)->part = part;
    memcpy((*m)->delimiter, "\r\n--", 4);
    memcpy((*m)->delimiter + 4, boundary.p, boundary.n);
    (*m)->delimiter_n = 4 + boundary.n;
    /* The first delimiter needs no line end before it. */
    (*m)->matched = (*m)->lent = 2;
    return RC_OK;
}

void multipart_close(struct multipart *m)
{
    if (m == NULL)
        return;
    arena_close(m->part);
    mem_free(m);
}

void multipart_feed(struct multipart *m, str slice)
{
    m->slice = slice;
}

/* ---- steps: each uses some of the slice; true: *ev is an event ---- */

static void advance(struct multipart *m, size_t n)
{
    m->slice = str_sub(m->slice, n, m->slice.n);
}

/* Bytes up to the next delimiter. */
static bool step_bytes(struct multipart *m, struct multipart_event *ev)
{
    bool body = m->state == STATE_BODY;

    if (m->matched == 0) {
        size_t plain = str_find_char(m->slice, '\r');

        if (plain > 0) {
            *ev = (struct multipart_event){.kind = MULTIPART_DATA,
                                           .data = str_sub(m->slice, 0, plain)};
            advance(m, plain);
            return body;
        }
    }
    while (m->slice.n > 0 && m->slice.p[0] == m->delimiter[m->matched]) {
        advance(m, 1);
        if (++m->matched == m->delimiter_n) {
            m->matched = m->lent = 0;
            m->tail = 0;
            m->state = STATE_TAIL;
            *ev = (struct multipart_event){.kind = MULTIPART_PART_END};
            return body;
        }
    }
    if (m->slice.n > 0) { /* it was none: what matched is data */
        str data = {m->delimiter + m->lent, m->matched - m->lent};

        *ev = (struct multipart_event){.kind = MULTIPART_DATA, .data = data};
        m->matched = m->lent = 0;
        return body && ev->data.n > 0;
    }
    return false;
}

static rc step_tail(struct multipart *m, struct err *e)
{
    char c = m->slice.p[0];

    advance(m, 1);
    if (m->tail == 0 && c == '-') {
        m->tail = '-';
    } else if (m->tail == '-' && c == '-') {
        m->state = STATE_EPILOGUE;
    } else if ((m->tail == 0 || m->tail == ' ') && (c == ' ' || c == '\t')) {
        m->tail = ' ';
    } else if ((m->tail == 0 || m->tail == ' ') && c == '\r') {
        m->tail = '\r';
    } else if (m->tail == '\r' && c == '\n') {
        m->state = STATE_HEADER;
        m->header_n = 0;
    } else {
        return err_set(e, RC_FORMAT, "a boundary is followed by other bytes");
    }
    return RC_OK;
}

static bool header_whole(const struct multipart *m)
{
    str block = {m->header, m->header_n};

    return str_ends(block, STR("\r\n\r\n")) || str_eq(block, STR("\r\n"));
}

/* *event: the block was whole and *ev tells of the part. */
static rc step_header(struct multipart *m, struct multipart_event *ev,
                      bool *event, struct err *e)
{
    *event = false;
    while (m->slice.n > 0) {
        if (m->header_n == sizeof m->header)
            return err_set(e, RC_LIMIT,
                           "a part's header block is over %zu bytes",
                           sizeof m->header);
        m->header[m->header_n++] = m->slice.p[0];
        advance(m, 1);
        if (!header_whole(m))
            continue;
        m->state = STATE_BODY;
        /* A part may be empty: its delimiter's CR LF is the empty line's. */
        m->matched = m->lent = 2;
        *event = true;
        return parse_header(m, ev, e);
    }
    return RC_OK;
}

rc multipart_next(struct multipart *m, struct multipart_event *ev,
                  struct err *e)
{
    bool event = false;
    rc code = RC_OK;

    while (m->slice.n > 0 && !event && code == RC_OK) {
        switch (m->state) {
        case STATE_PREAMBLE:
        case STATE_BODY:
            event = step_bytes(m, ev);
            break;
        case STATE_TAIL:
            code = step_tail(m, e);
            break;
        case STATE_HEADER:
            code = step_header(m, ev, &event, e);
            break;
        case STATE_EPILOGUE:
            advance(m, m->slice.n);
            break;
        case STATE_BROKEN:
            if (e != NULL)
                *e = m->broken;
            return m->broken.code;
        }
    }
    if (code != RC_OK) {
        m->state = STATE_BROKEN;
        m->broken = e != NULL ? *e : (struct err){.code = code};
        return code;
    }
    if (!event)
        *ev = (struct multipart_event){.kind = MULTIPART_MORE};
    return RC_OK;
}

rc multipart_end(const struct multipart *m, struct err *e)
{
    if (m->state == STATE_EPILOGUE)
        return RC_OK;
    if (m->state == STATE_BROKEN) {
        if (e != NULL)
            *e = m->broken;
        return m->broken.code;
    }
    return err_set(e, RC_FORMAT,
                   "the multipart body ends before its last "
                   "boundary");
}
