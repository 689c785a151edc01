/* What a page says of itself: title, language, dates, address. */
#include "base/clock.h"
#include "base/json.h"
#include "extract/extract_priv.h"
#include "extract/html_priv.h"
#include "text/utf8.h"

#define TITLE_BYTES_MAX (4 * (size_t)TITLE_CHARS_MAX)

str html_line(str s, char *to, size_t bytes_max)
{
    size_t n = 0;
    bool white = false;

    for (size_t at = 0, start = 0; at < s.n; start = at) {
        uint32_t cp = utf8_next(s, &at);
        bool trick = (cp >= 0x200b && cp <= 0x200f) ||
                     (cp >= 0x202a && cp <= 0x202e) ||
                     (cp >= 0x2060 && cp <= 0x2069) || cp == 0xfeff ||
                     cp == 0xad || (cp >= 0xe0000 && cp <= 0xe007f);

        if (cp <= ' ' || cp == 0xa0 || cp == 0x2028 || cp == 0x2029) {
            white = n > 0;
            continue;
        }
        if (trick || (cp >= 0x7f && cp < 0xa0))
            continue;
        if (n + white + (at - start) > bytes_max)
            break;
        if (white)
            to[n++] = ' ';
        memcpy(to + n, s.p + start, at - start);
        n += at - start;
        white = false;
    }
    return (str){to, n};
}

/* ---- dates ---- */

/* The number of exactly n digits at s.p[at], or -1. */
static int digits(str s, size_t at, size_t n)
{
    int v = 0;

    if (at + n > s.n)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static bool day_is(int year, int month, int day)
{
    static const int DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1970 && year <= 2200 && month >= 1 && month <= 12 &&
           day >= 1 && day <= DAYS[month - 1] &&
           (month != 2 || day < 29 || leap);
}

/* "T10:20", "T10:20:30.5", with Z, +01:00 or +0100: as RFC 3339 has it behind
 * a date; empty without an offset, as a time of nowhere is none. */
static str time_of(str s, struct arena *out)
{
    int hour = digits(s, 1, 2), minute = digits(s, 4, 2), second = 0;
    int off_hour, off_minute;
    size_t at = 6;

    if (s.n < 7 || (s.p[0] != 'T' && s.p[0] != 't' && s.p[0] != ' ') ||
        s.p[3] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return STR_NONE;
    if (s.p[at] == ':') {
        second = digits(s, at + 1, 2);
        at += 3;
    }
    if (second < 0 || second > 59)
        return STR_NONE;
    if (at < s.n && s.p[at] == '.') {
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9';)
            at++;
    }
    while (at < s.n && s.p[at] == ' ')
        at++;
    if (at < s.n && (s.p[at] == 'Z' || s.p[at] == 'z'))
        return arena_fmt(out, "T%02d:%02d:%02dZ", hour, minute, second);
    if (at >= s.n || (s.p[at] != '+' && s.p[at] != '-'))
        return STR_NONE;
    off_hour = digits(s, at + 1, 2);
    off_minute = digits(s, at + 3 + (at + 3 < s.n && s.p[at + 3] == ':'), 2);
    if (off_hour < 0 || off_hour > 23 || off_minute < 0 || off_minute > 59)
        return STR_NONE;
    return arena_fmt(out, "T%02d:%02d:%02d%c%02d:%02d", hour, minute, second,
                     s.p[at], off_hour, off_minute);
}

static int month_of(str s)
{
    static const char NAMES[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (int i = 0; i < 12; i++) {
        if (str_eq_nocase(str_sub(s, 0, 3), (str){NAMES + 3 * (size_t)i, 3}))
            return i + 1;
    }
    return 0;
}

/* "Tue, 15 Nov 1994 12:45:26 GMT" and "15 November 1994": its date. */
static str date_in_words(str s, struct arena *out)
{
    str rest = s, word;
    int day = 0, month = 0, year = 0;

    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &word, &rest);
        if (word.n > 0 && word.p[word.n - 1] == ',')
            word.n--;
        if (word.n >= 3 && month == 0)
            month = month_of(word);
        if (word.n <= 2 && day == 0 && digits(word, 0, word.n) > 0)
            day = digits(word, 0, word.n);
        if (word.n == 4 && year == 0 && digits(word, 0, 4) > 0)
            year = digits(word, 0, 4);
    }
    if (!day_is(year, month, day))
        return STR_NONE;
    return arena_fmt(out, "%04d-%02d-%02d", year, month, day);
}

/* A date as pages write it to RFC 3339; empty: it is none. */
static str date_of(str s, struct arena *out)
{
    char sep;
    int year, month, day;
    size_t step;

    s = str_trim(s);
    year = digits(s, 0, 4);
    if (year < 0 || s.n < 8 || s.n > 64)
        return s.n > 64 ? STR_NONE : date_in_words(s, out);
    sep = s.p[4];
    step = sep == '-' || sep == '/' || sep == '.';
    month = digits(s, 4 + step, 2);
    day = digits(s, 6 + 2 * step, 2);
    if (!day_is(year, month, day) || (step == 1 && s.p[7] != sep))
        return STR_NONE;
    return arena_fmt(out, "%04d-%02d-%02d" STR_FMT, year, month, day,
                     STR_ARG(time_of(str_sub(s, 8 + 2 * step, s.n), out)));
}

/* Names a date goes by, the surest first. */
static const str CREATED[] = {STR_INIT("article:published_time"),
                              STR_INIT("datepublished"),
                              STR_INIT("date.issued"),
                              STR_INIT("dcterms.created"),
                              STR_INIT("dcterms.date"),
                              STR_INIT("dc.date.issued"),
                              STR_INIT("dc.date.created"),
                              STR_INIT("dc.date"),
                              STR_INIT("dcterms.issued"),
                              STR_INIT("citation_publication_date"),
                              STR_INIT("datecreated"),
                              STR_INIT("pubdate"),
                              STR_INIT("publish-date"),
                              STR_INIT("publish_date"),
                              STR_INIT("sailthru.date"),
                              STR_INIT("parsely-pub-date"),
                              STR_INIT("og:published_time"),
                              STR_INIT("date")};
static const str MODIFIED[] = {STR_INIT("article:modified_time"),
                               STR_INIT("og:updated_time"),
                               STR_INIT("datemodified"),
                               STR_INIT("dcterms.modified"),
                               STR_INIT("dc.date.modified"),
                               STR_INIT("last-modified"),
                               STR_INIT("lastmod"),
                               STR_INIT("revised")};

struct meta {
    const struct html_tree *t;
    const struct html_choice *c;
    struct arena *out;
    /* The best so far, by how early its name stands above. */
    size_t created_rank, modified_rank;
    str created, modified;
    str title, og_title, site, locale, language, h1, headline, time;
    str canonical, og_url;
    size_t times;
    uint32_t h1_at;
};

static void take_date(const str *names, size_t n, str name, str value,
                      struct meta *m, size_t *rank, str *date)
{
    for (size_t i = 0; i < n && i < *rank; i++) {
        str found;

        if (!str_eq_nocase(names[i], name))
            continue;
        found = date_of(value, m->out);
        if (found.n > 0) {
            *rank = i;
            *date = found;
        }
    }
}

static void take_dates(struct meta *m, str name, str value)
{
    take_date(CREATED, NELEMS(CREATED), name, value, m, &m->created_rank,
              &m->created);
    take_date(MODIFIED, NELEMS(MODIFIED), name, value, m, &m->modified_rank,
              &m->modified);
}

/* ---- JSON-LD ---- */

static void json_item(struct meta *m, const json_t *item)
{
    static const char *const NAMES[] = {"datePublished", "dateModified",
                                        "dateCreated"};

    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        str value = js_str(item, NAMES[i]);

        if (value.n > 0)
            take_dates(m, str_of(NAMES[i]), arena_str(m->out, value));
    }
    if (m->headline.n == 0)
        m->headline = arena_str(m->out, js_str(item, "headline"));
}

static void json_items(struct meta *m, const json_t *v)
{
    const json_t *graph = json_object_get(v, "@graph");

    json_item(m, v);
    for (size_t i = 0; i < json_array_size(v); i++)
        json_item(m, json_array_get(v, i));
    for (size_t i = 0; i < json_array_size(graph); i++)
        json_item(m, json_array_get(graph, i));
}

static void json_one(struct meta *m, str text)
{
    json_t *v = NULL;
    size_t offset;

    if (js_parse(str_trim(text), (struct js_limits){0}, &v, &offset, NULL) ==
        RC_OK)
        json_items(m, v);
    json_decref(v);
}

/* ---- the page ---- */

static str line_of(struct meta *m, str s)
{
    char line[TITLE_BYTES_MAX];

    return arena_str(m->out, html_line(s, line, sizeof line));
}

/* An address as it is written; empty: it is relative, or none to be shown. One
 * that html_line would change has signs in it that can't be seen. */
static str address_of(struct meta *m, str s)
{
    char line[DOC_URL_BYTES_MAX];

    s = str_trim(s);
    if (!doc_url_valid(s) || !str_eq(html_line(s, line, sizeof line), s))
        return STR_NONE;
    return arena_str(m->out, s);
}

static void meta_tag(struct meta *m, str name, str value)
{
    if (str_eq_nocase(name, STR("og:title")))
        m->og_title = line_of(m, value);
    else if (str_eq_nocase(name, STR("og:site_name")))
        m->site = line_of(m, value);
    else if (str_eq_nocase(name, STR("og:url")))
        m->og_url = m->og_url.n > 0 ? m->og_url : address_of(m, value);
    else if (str_eq_nocase(name, STR("og:locale")))
        m->locale = value;
    else if (str_eq_nocase(name, STR("content-language")) ||
             str_eq_nocase(name, STR("dc.language")))
        m->language = value;
    else
        take_dates(m, name, value);
}

/* All text in a node, as far as it fits a title. */
static str text_of(struct meta *m, uint32_t i)
{
    char line[TITLE_BYTES_MAX];
    struct buf b;
    str s;

    buf_open(&b, 0);
    for (uint32_t j = i; j < m->t->nodes[i].end && b.n < sizeof line; j++) {
        if (m->t->nodes[j].tag == HTML_TEXT && m->c->fate[j] == FATE_KEPT)
            buf_put(&b, m->t->nodes[j].text);
    }
    s = arena_str(m->out, html_line(buf_str(&b), line, sizeof line));
    buf_close(&b);
    return s;
}

static void look_around(struct meta *m)
{
    for (uint32_t i = 0; i < m->t->nodes_n; i++) {
        const struct html_node *n = &m->t->nodes[i];

        if (n->tag == HTML_META && (n->hints & HINT_CANONICAL) != 0)
            m->canonical = address_of(m, n->text);
        else if (n->tag == HTML_META && n->more > 0)
            meta_tag(m, m->t->more[n->more].name, n->text);
        else if (n->tag == HTML_TITLE && m->title.n == 0 && n->end > i + 1)
            m->title = line_of(m, m->t->nodes[i + 1].text);
        else if (n->tag == HTML_H1 &&
                 (m->h1.n == 0 || (i > m->c->root && m->h1_at < m->c->root)))
            m->h1 = text_of(m, m->h1_at = i);
        else if (n->tag == HTML_TIME && n->text.n > 0 && m->times++ == 0 &&
                 m->created.n == 0)
            m->time = date_of(n->text, m->out);
    }
}

/* What parts a page's own title from the site's name. */
static const str SEPARATORS[] = {STR_INIT(" | "),
                                 STR_INIT(" \xe2\x80\x94 "), /* em dash */
                                 STR_INIT(" \xe2\x80\x93 "), /* en dash */
                                 STR_INIT(" - "),
                                 STR_INIT(" \xc2\xb7 "),
                                 STR_INIT(" \xc2\xbb "),
                                 STR_INIT(" \xc2\xab "),
                                 STR_INIT(" :: "),
                                 STR_INIT(" / ")};

/* Whether one of the two is in the other. */
static bool same_thing(str a, str b)
{
    return a.n > 0 && b.n > 0 && (str_find(a, b) < a.n || str_find(b, a) < b.n);
}

/* The part of the title that isn't the site's: the one its heading or a meta
 * element repeats; else all of it. */
static str title_part(const struct meta *m)
{
    str t = m->title;

    for (size_t i = 0; i < NELEMS(SEPARATORS); i++) {
        size_t at = str_find(t, SEPARATORS[i]);
        str head = str_sub(t, 0, at);
        str tail = str_sub(t, at + SEPARATORS[i].n, t.n);

        if (at == t.n)
            continue;
        if (str_eq_nocase(tail, m->site) || str_eq(head, m->h1) ||
            str_eq(head, m->og_title))
            return head;
        if (str_eq_nocase(head, m->site) || str_eq(tail, m->h1) ||
            str_eq(tail, m->og_title))
            return tail;
        if (same_thing(head, m->h1) && !same_thing(tail, m->h1))
            return head;
        if (same_thing(tail, m->h1) && !same_thing(head, m->h1))
            return tail;
    }
    return t;
}

static str best_title(const struct meta *m)
{
    str t = title_part(m);

    if (t.n > 0 && t.n < m->title.n)
        return t;
    if (m->og_title.n > 0)
        return m->og_title;
    if (t.n > 0)
        return t;
    return m->h1.n > 0 ? m->h1 : m->headline;
}

/* A language tag of BCP 47, near enough; "en_US" is meant as one. */
static str language_of(str s, struct arena *out)
{
    char tag[36];

    s = str_trim(s);
    s = str_sub(s, 0, str_find_char(s, ','));
    if (s.n < 2 || s.n >= sizeof tag)
        return STR_NONE;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i] == '_' ? '-' : s.p[i];

        if (c != '-' && digits((str){&c, 1}, 0, 1) < 0 &&
            ((c | 0x20) < 'a' || (c | 0x20) > 'z'))
            return STR_NONE;
        tag[i] = c;
    }
    return arena_str(out, (str){tag, s.n});
}

void html_meta(const struct html_tree *t, const struct html_choice *c,
               struct doc *d, struct arena *out)
{
    struct meta m = {.t = t,
                     .c = c,
                     .out = out,
                     .created_rank = SIZE_MAX,
                     .modified_rank = SIZE_MAX};

    for (size_t i = 0; i < t->facts.json_n; i++)
        json_one(&m, t->facts.json[i]);
    look_around(&m);
    d->title = title_clean(best_title(&m), out);
    d->created = m.created.n > 0 ? m.created : m.time;
    d->modified = m.modified;
    d->canonical = m.canonical.n > 0 ? m.canonical : m.og_url;
    d->language = language_of(t->facts.lang, out);
    if (d->language.n == 0)
        d->language = language_of(m.language, out);
    if (d->language.n == 0)
        d->language = language_of(m.locale, out);
}
