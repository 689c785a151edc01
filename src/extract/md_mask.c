#include "extract/md_mask.h"

static bool white(char c)
{
    return c == ' ' || c == '\t';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the list marker at s, 0: there is none. */
static size_t list_marker(str s)
{
    size_t n = 0;

    while (n < s.n && n < 9 && digit(s.p[n]))
        n++;
    if (n == s.n)
        return 0;
    if (n > 0 ? s.p[n] != '.' && s.p[n] != ')'
              : s.p[n] != '-' && s.p[n] != '+' && s.p[n] != '*')
        return 0;
    n++;
    return n == s.n || white(s.p[n]) ? n : 0;
}

/* Bytes of white space, > and list markers at the start of line; *indent is
 * how much white space stands last. */
static size_t prefix_length(str line, size_t *indent)
{
    size_t at = 0;

    *indent = 0;
    while (at < line.n && at < MD_PREFIX_BYTES_MAX) {
        size_t n = 1;

        if (white(line.p[at])) {
            *indent += line.p[at] == '\t' ? 4 : 1;
        } else {
            if (line.p[at] != '>')
                n = list_marker(str_sub(line, at, line.n));
            if (n == 0)
                break;
            *indent = 0;
        }
        at += n;
    }
    return at;
}

/* Whether s holds nothing but the characters of set and white space. */
static bool made_of(str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *c = set;

        while (*c != '\0' && *c != s.p[i])
            c++;
        if (*c == '\0' && !white(s.p[i]))
            return false;
    }
    return s.n > 0;
}

/* Bytes at the start of s that must stay as they are: a code fence, or the
 * start of an HTML block. */
static size_t kept_length(str s, size_t indent)
{
    size_t n = 0;

    if (s.p[0] == '`' || s.p[0] == '~') {
        while (n < s.n && s.p[n] == s.p[0])
            n++;
        /* ``` with a ` behind it is code in a paragraph. */
        if (n < 3 ||
            (s.p[0] == '`' && str_find_char(str_sub(s, n, s.n), '`') < s.n - n))
            return 0;
        return n;
    }
    /* Farther in it could be text of a paragraph, where an unclosed comment
     * on every line takes quadratic time. */
    if (s.p[0] == '<' && indent < 4)
        return str_starts(s, STR("<![CDATA[")) ? 9 : 1;
    return 0;
}

/* Whether s starts with an end mark of HTML blocks that starts with <. */
static bool closes_html(str s)
{
    static const str TAGS[] = {STR_INIT("</script>"), STR_INIT("</pre>"),
                               STR_INIT("</style>"), STR_INIT("</textarea>")};

    for (size_t i = 0; i < NELEMS(TAGS); i++) {
        if (str_eq_nocase(str_sub(s, 0, TAGS[i].n), TAGS[i]))
            return true;
    }
    return false;
}

/* What put_masked looks at. */
static const bool MARKS[256] = {
    ['\\'] = true, ['<'] = true, ['|'] = true, [':'] = true,
    ['`'] = true,  ['*'] = true, ['_'] = true, ['['] = true,
    ['&'] = true,  ['"'] = true, ['\''] = true};

/* The content s behind the prefix, with inline marks made letters. */
static void put_masked(str s, size_t kept, bool pipes, struct buf *to)
{
    char *p = buf_reserve(to, s.n);

    if (p == NULL)
        return;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    to->n += s.n;
    for (size_t i = kept; i < s.n; i++) {
        if (!MARKS[(uint8_t)p[i]])
            continue;
        switch (p[i]) {
        case '\\':
            p[i] = 'x';
            if (i + 1 < s.n && s.p[i + 1] == '|')
                p[++i] = 'x';
            break;
        case '<':
            if (!closes_html(str_sub(s, i, s.n)))
                p[i] = 'x';
            break;
        case '|':
        case ':':
            if (!pipes)
                p[i] = 'x';
            break;
        case '`':
        case '*':
        case '_':
        case '[':
        case '&':
        case '"':
        case '\'':
            p[i] = 'x';
            break;
        default:
            break;
        }
    }
}

/* How much of the content matters: all where a table row or the end of an
 * HTML block may be in it, else a start that says what it is; a letter says
 * at once that it is text. */
static size_t content_length(str s)
{
    bool letter = (uint8_t)((s.p[0] | 0x20) - 'a') < 26;
    size_t most = letter ? 4 : 80;

    if (s.n > MD_LINE_BYTES_MAX)
        s.n = MD_LINE_BYTES_MAX;
    if (s.n <= most || memchr(s.p, '|', s.n) != NULL ||
        memchr(s.p, '>', s.n) != NULL)
        return s.n;
    return most;
}

void md_mask_line(struct md_mask *m, str line, struct buf *to)
{
    size_t indent, at = prefix_length(line, &indent);
    str s = str_sub(line, at, line.n);
    size_t kept;
    bool pipes = true;

    buf_put(to, str_sub(line, 0, at));
    if (str_blank(s)) {
        m->delimiter_rows = 0;
        buf_put_char(to, '\n');
        return;
    }
    if (at >= MD_PREFIX_BYTES_MAX) {
        buf_put_char(to, 'x');
        s = str_trim(str_sub(s, 1, s.n));
        if (s.n == 0) {
            buf_put_char(to, '\n');
            return;
        }
    }
    kept = kept_length(s, indent);
    s.n = content_length(s);
    if (made_of(s, "*") || made_of(s, "_")) /* thematic break */
        kept = s.n;
    if (made_of(s, "-:|") && !made_of(s, "-"))
        pipes = ++m->delimiter_rows <= MD_DELIMITER_ROWS_MAX;
    put_masked(s, kept < s.n ? kept : s.n, pipes, to);
    buf_put_char(to, '\n');
}
