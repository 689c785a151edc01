#include "extract/html_token.h"

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The end of a comment whose text starts at `at`: behind its mark. */
static size_t comment_end(str html, size_t at)
{
    str rest = str_sub(html, at, html.n);

    if (str_starts(rest, STR(">")))
        return at + 1;
    if (str_starts(rest, STR("->")))
        return at + 2;
    while (at < html.n) {
        const char *p = memchr(html.p + at, '-', html.n - at);

        if (p == NULL)
            break;
        at = (size_t)(p - html.p);
        rest = str_sub(html, at, 4);
        if (str_starts(rest, STR("-->")))
            return at + 3;
        if (str_starts(rest, STR("--!>")))
            return at + 4;
        at++;
    }
    return html.n;
}

static size_t behind(str html, size_t at, char c)
{
    size_t n = str_find_char(str_sub(html, at, html.n), c);

    return at + n < html.n ? at + n + 1 : html.n;
}

/* Where the tag's `>` is, from behind its name; html.n: there is none. */
static size_t tag_end(str html, size_t at)
{
    enum { BEFORE_NAME, NAME, BEFORE_VALUE, BARE } state = BEFORE_NAME;

    for (; at < html.n; at++) {
        char c = html.p[at];

        if (c == '>')
            return at;
        if (state == BEFORE_VALUE && (c == '"' || c == '\'')) {
            at += 1 + str_find_char(str_sub(html, at + 1, html.n), c);
            state = BEFORE_NAME;
        } else if (c == '=' && state == NAME) {
            state = BEFORE_VALUE;
        } else if (html_white(c)) {
            state = state == BARE ? BEFORE_NAME : state;
        } else if (state == BEFORE_VALUE) {
            state = BARE;
        } else if (state == BEFORE_NAME && c != '/') {
            state = NAME;
        } else if (state == NAME && c == '/') {
            state = BEFORE_NAME;
        }
    }
    return html.n;
}

static void tag(str html, size_t name_at, size_t *at, struct html_token *t)
{
    size_t end, i = name_at;

    while (i < html.n && !html_white(html.p[i]) && html.p[i] != '/' &&
           html.p[i] != '>')
        i++;
    t->name = str_sub(html, name_at, i - name_at);
    end = tag_end(html, i);
    if (end >= html.n) { /* cut off: no tag */
        t->kind = HTML_TOKEN_NOTHING;
        *at = html.n;
        return;
    }
    t->attrs = str_sub(html, i, end - i);
    t->closed = end > i && html.p[end - 1] == '/';
    *at = end + 1;
}

void html_token_next(str html, size_t *at, struct html_token *t)
{
    str rest = str_sub(html, *at, html.n);
    char next = rest.n > 1 ? rest.p[1] : '\0';
    size_t n;

    *t = (struct html_token){.kind = HTML_TOKEN_EOF};
    if (rest.n == 0)
        return;
    if (rest.p[0] != '<') {
        t->kind = HTML_TOKEN_TEXT;
        n = str_find_char(rest, '<');
        t->text = str_sub(rest, 0, n);
        *at += n;
    } else if (letter(next)) {
        t->kind = HTML_TOKEN_START;
        tag(html, *at + 1, at, t);
    } else if (next == '/' && rest.n > 2 && letter(rest.p[2])) {
        t->kind = HTML_TOKEN_END;
        tag(html, *at + 2, at, t);
    } else if (str_starts(rest, STR("<!--"))) {
        t->kind = HTML_TOKEN_NOTHING;
        *at = comment_end(html, *at + 4);
    } else if (next == '!' || next == '?' || next == '/') {
        t->kind = HTML_TOKEN_NOTHING;
        *at = behind(html, *at, '>');
    } else {
        t->kind = HTML_TOKEN_TEXT; /* a sign, not a tag */
        n = 1 + str_find_char(str_sub(rest, 1, rest.n), '<');
        t->text = str_sub(rest, 0, n);
        *at += t->text.n;
    }
}

bool html_attr_next(str attrs, size_t *at, str *name, str *value)
{
    size_t i = *at, start;

    *value = STR_NONE;
    while (i < attrs.n && (html_white(attrs.p[i]) || attrs.p[i] == '/'))
        i++;
    start = i;
    /* A `=` at the start of a name is part of it. */
    while (i < attrs.n && !html_white(attrs.p[i]) && attrs.p[i] != '/' &&
           (attrs.p[i] != '=' || i == start))
        i++;
    *name = str_sub(attrs, start, i - start);
    while (i < attrs.n && html_white(attrs.p[i]))
        i++;
    if (i < attrs.n && attrs.p[i] == '=' && name->n > 0) {
        char quote;

        i++;
        while (i < attrs.n && html_white(attrs.p[i]))
            i++;
        quote = i < attrs.n ? attrs.p[i] : '\0';
        if (quote == '"' || quote == '\'') {
            start = ++i;
            i += str_find_char(str_sub(attrs, i, attrs.n), quote);
            *value = str_sub(attrs, start, i - start);
            i += i < attrs.n;
        } else {
            start = i;
            while (i < attrs.n && !html_white(attrs.p[i]))
                i++;
            *value = str_sub(attrs, start, i - start);
        }
    }
    *at = i;
    return name->n > 0;
}

size_t html_raw_end(str html, size_t at, str name)
{
    while (at < html.n) {
        const char *p = memchr(html.p + at, '<', html.n - at);
        str rest;

        if (p == NULL)
            break;
        at = (size_t)(p - html.p);
        rest = str_sub(html, at, name.n + 3);
        if (rest.n == name.n + 3 && rest.p[1] == '/' &&
            str_eq_nocase(str_sub(rest, 2, name.n), name) &&
            (html_white(rest.p[name.n + 2]) || rest.p[name.n + 2] == '/' ||
             rest.p[name.n + 2] == '>'))
            return at;
        at++;
    }
    return html.n;
}
