#include "serve/framing.h"

void framing_begin(struct framing *f, const char *method, const char *target,
                   str target_text, const char *version)
{
    f->method = method;
    f->version = version;
    f->target = target;
    f->target_text = target_text;
    f->lines_n = 0;
    f->lines_over = f->laid_out = false;
}

void framing_line(struct framing *f, str name, str value)
{
    if (f->lines_n == HEADERS_MAX)
        f->lines_over = true;
    else
        f->lines[f->lines_n++] = (struct framing_line){name, value};
}

static bool is_token(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
            return false;
    }
    return s.n > 0;
}

/* Control characters but for the tab; bytes above ASCII may stand. */
static bool has_control(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool is_visible(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    }
    return s.n > 0;
}

/* ---- the layout ---- */

/* GET SP /target SP HTTP/1.1 CR LF; returns what is behind it, or NULL. */
static const char *first_line_end(const struct framing *f)
{
    const char *target = f->method + strlen(f->method) + 1;
    const char *version = target + f->target_text.n + 1;

    if (f->target != target || f->version != version)
        return NULL;
    return version + strlen(version) + 2;
}

/* Name: OWS value CR LF */
static const char *line_end(const struct framing_line *l, const char *at)
{
    const char *value = at + l->name.n + 1;

    if (l->name.p != at)
        return NULL;
    while (value < l->value.p && (*value == ' ' || *value == '\t'))
        value++;
    return value == l->value.p ? value + l->value.n + 2 : NULL;
}

/* The bytes of the head, or 0 where they don't lie as they must. An empty line
 * ends it: its CR LF and the one before were overwritten with NULs. */
static size_t head_bytes(const struct framing *f, size_t *line_bytes)
{
    const char *begin = first_line_end(f), *at = begin;

    for (size_t i = 0; i < f->lines_n && at != NULL; i++)
        at = line_end(&f->lines[i], at);
    if (at == NULL || memcmp(at - 2, "\0\0\0\0", 4) != 0)
        return 0;
    *line_bytes = (size_t)(begin - f->method);
    return (size_t)(at + 2 - begin);
}

static unsigned check_sizes(const struct framing *f, const char **why)
{
    size_t line = strlen(f->method) + f->target_text.n + strlen(f->version) + 4;
    size_t block = 2;

    for (size_t i = 0; i < f->lines_n; i++)
        block += f->lines[i].name.n + f->lines[i].value.n + 4;
    if (f->laid_out && !f->lines_over) {
        block = head_bytes(f, &line);
        if (block == 0) {
            *why = "the head has folded lines, bare line ends or stray bytes";
            return 400;
        }
    }
    if (line > REQUEST_LINE_BYTES_MAX) {
        *why = "the request line is over 8 KiB";
        return 414;
    }
    if (f->lines_over || block > HEADER_BLOCK_BYTES_MAX) {
        *why = "the headers are over 32 KiB or 100 lines";
        return 431;
    }
    return 0;
}

/* ---- single headers ---- */

/* host [":" port] of RFC 3986, by its characters. */
static bool is_host(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z');

        if (!alnum && (c == '\0' || strchr("-._~!$&'()*+;=:[]%", c) == NULL))
            return false;
    }
    return s.n > 0;
}

struct seen {
    unsigned hosts, lengths, encodings;
    str encoding;
    const char *bad;
};

static void take_once(str *to, str value, const char *twice, struct seen *seen)
{
    if (to->p != NULL)
        seen->bad = twice;
    *to = value;
}

static void take_length(str value, struct http_head *head, struct seen *seen)
{
    seen->lengths++;
    head->has_length = true;
    if (!str_to_u64(value, UINT64_MAX / 2, &head->content_length))
        seen->bad = "Content-Length is no number";
}

static void take_line(const struct framing_line *l, struct http_head *head,
                      struct seen *seen)
{
    str name = l->name, value = str_trim(l->value);

    if (!is_token(name))
        seen->bad = "a header's name has a forbidden character";
    else if (has_control(value))
        seen->bad = "a header's value has a control character";
    else if (str_eq_nocase(name, STR("Host"))) {
        seen->hosts++;
        if (!is_host(value))
            seen->bad = "the Host header is no host";
    } else if (str_eq_nocase(name, STR("Content-Length")))
        take_length(value, head, seen);
    else if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
        seen->encodings++;
        seen->encoding = value;
        head->chunked = true;
    } else if (str_eq_nocase(name, STR("Expect")))
        take_once(&head->expect, value, "two Expect headers", seen);
    else if (str_eq_nocase(name, STR("x-api-key")))
        take_once(&head->api_key, value, "two x-api-key headers", seen);
    else if (str_eq_nocase(name, STR("Authorization")))
        take_once(&head->authorization, value, "two Authorization headers",
                  seen);
    else if (str_eq_nocase(name, STR("Content-Type")))
        take_once(&head->content_type, value, "two Content-Type headers", seen);
    else if (str_eq_nocase(name, STR("Content-Encoding")))
        head->content_encoding = value;
    else if (str_eq_nocase(name, STR("X-Request-ID")))
        head->request_id = value;
    else if (str_eq_nocase(name, STR("Range")))
        head->range = value;
}

/* RFC 9112, sections 3.2 and 6: which lines may stand together. */
static const char *check_together(const struct seen *seen, bool v11)
{
    if (seen->bad != NULL)
        return seen->bad;
    if (seen->hosts > 1 || (v11 && seen->hosts == 0))
        return "there must be one Host header";
    if (seen->lengths > 1)
        return "more than one Content-Length";
    if (seen->encodings > 0 && seen->lengths > 0)
        return "Content-Length beside Transfer-Encoding";
    if (seen->encodings > 1 ||
        (seen->encodings > 0 &&
         (!v11 || !str_eq_nocase(seen->encoding, STR("chunked")))))
        return "Transfer-Encoding must be chunked";
    return NULL;
}

unsigned framing_check(const struct framing *f, struct http_head *head,
                       const char **why)
{
    bool v11 = strcmp(f->version, "HTTP/1.1") == 0;
    struct seen seen = {0};
    unsigned status;

    if (!v11 && strcmp(f->version, "HTTP/1.0") != 0) {
        *why = "the protocol is neither HTTP/1.1 nor HTTP/1.0";
        return 505;
    }
    head->method = str_of(f->method);
    if (!is_token(head->method) || !is_visible(f->target_text)) {
        *why = "the request line has a forbidden character";
        return 400;
    }
    status = check_sizes(f, why);
    if (status != 0)
        return status;
    for (size_t i = 0; i < f->lines_n; i++)
        take_line(&f->lines[i], head, &seen);
    *why = check_together(&seen, v11);
    if (*why != NULL)
        return 400;
    if (head->expect.p != NULL &&
        !str_eq_nocase(head->expect, STR("100-continue"))) {
        *why = "only 100-continue can be expected";
        return 417;
    }
    return 0;
}
