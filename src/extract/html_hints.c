/* What class, id and role say of an element. Names are split into words at
 * `-`, `_` and where small letters turn to capitals; a name says what its words
 * say, and what is surely about the site weighs more than what is not. */
#include "extract/html_priv.h"
#include "extract/html_token.h"

struct word {
    str word;
    unsigned hint;
};

#define W(text, hint)        \
    {                        \
        STR_INIT(text), hint \
    }
/* Sorted. */
static const struct word WORDS[] = {
    W("ad", HINT_BOILER),
    W("ads", HINT_BOILER),
    W("advert", HINT_NAV),
    W("advertisement", HINT_NAV),
    W("advertising", HINT_NAV),
    W("article", HINT_CONTENT),
    W("author", HINT_BOILER),
    W("banner", HINT_BOILER),
    W("bio", HINT_BOILER),
    W("body", HINT_CONTENT),
    W("breadcrumb", HINT_NAV),
    W("breadcrumbs", HINT_NAV),
    W("byline", HINT_BOILER),
    W("column", 0),
    W("comment", HINT_BOILER),
    W("comments", HINT_NAV),
    W("consent", HINT_NAV),
    W("content", HINT_CONTENT),
    W("contents", HINT_CONTENT),
    W("cookie", HINT_NAV),
    W("cookies", HINT_NAV),
    W("copyright", HINT_BOILER),
    W("disclaimer", HINT_BOILER),
    W("disqus", HINT_NAV),
    W("document", HINT_CONTENT),
    W("documentation", HINT_CONTENT),
    W("entry", HINT_CONTENT),
    W("footer", HINT_NAV),
    W("gdpr", HINT_NAV),
    W("header", HINT_BOILER),
    W("login", HINT_BOILER),
    W("main", HINT_CONTENT),
    W("markdown", HINT_CONTENT),
    W("masthead", HINT_NAV),
    W("menu", HINT_NAV),
    W("menubar", HINT_NAV),
    W("meta", HINT_BOILER),
    W("modal", HINT_NAV),
    W("nav", HINT_NAV),
    W("navbar", HINT_NAV),
    W("navfooter", HINT_NAV),
    W("navheader", HINT_NAV),
    W("navi", HINT_NAV),
    W("navigation", HINT_NAV),
    W("newsletter", HINT_NAV),
    W("overlay", HINT_NAV),
    W("pager", HINT_NAV),
    W("pagination", HINT_NAV),
    W("popular", HINT_BOILER),
    W("popup", HINT_NAV),
    W("post", HINT_CONTENT),
    W("promo", HINT_NAV),
    W("promotion", HINT_NAV),
    W("prose", HINT_CONTENT),
    W("recommendations", HINT_NAV),
    W("recommended", HINT_NAV),
    W("related", HINT_NAV),
    W("respond", HINT_BOILER),
    W("rss", HINT_BOILER),
    W("search", HINT_BOILER),
    W("searchbox", HINT_NAV),
    W("share", HINT_NAV),
    W("sharing", HINT_NAV),
    W("sidebar", HINT_NAV),
    W("signup", HINT_NAV),
    W("skip", HINT_BOILER),
    W("social", HINT_NAV),
    W("sphinxsidebar", HINT_NAV),
    W("sponsor", HINT_BOILER),
    W("sponsored", HINT_NAV),
    W("story", HINT_CONTENT),
    W("subscribe", HINT_NAV),
    W("subscription", HINT_NAV),
    W("tags", HINT_BOILER),
    W("teaser", HINT_BOILER),
    W("text", HINT_CONTENT),
    W("toc", HINT_TOC),
    W("toolbar", HINT_NAV),
    W("topbar", HINT_NAV),
    W("trending", HINT_BOILER),
    W("widget", HINT_BOILER),
};

/* Whole names, of a class or of an id. */
static const struct word NAMES[] = {
    W("anchor", HINT_PERMALINK),
    W("anchorjs-link", HINT_PERMALINK),
    W("article-body", HINT_CONTENT | HINT_BODY),
    W("bodywrapper", HINT_CONTENT),
    W("entry-content", HINT_CONTENT | HINT_BODY),
    W("header-anchor", HINT_PERMALINK),
    W("headerlink", HINT_PERMALINK),
    W("linenodiv", HINT_SIGN),
    W("linenos", HINT_SIGN),
    W("lineno", HINT_SIGN),
    W("markdown-body", HINT_CONTENT | HINT_BODY),
    W("math", HINT_MATH),
    W("mw-cite-backlink", HINT_SIGN),
    W("mw-editsection", HINT_SIGN),
    W("permalink", HINT_PERMALINK),
    W("post-content", HINT_CONTENT | HINT_BODY),
    W("rst-content", HINT_CONTENT),
    W("screen-reader-text", HINT_READER_ONLY),
    W("skip-link", HINT_NAV),
    W("sr-only", HINT_READER_ONLY),
    W("visually-hidden", HINT_READER_ONLY),
    W("visuallyhidden", HINT_READER_ONLY),
};

static const struct word ROLES[] = {
    W("alert", HINT_BOILER),      W("alertdialog", HINT_NAV),
    W("article", HINT_CONTENT),   W("banner", HINT_NAV),
    W("complementary", HINT_NAV), W("contentinfo", HINT_NAV),
    W("dialog", HINT_NAV),        W("doc-toc", HINT_TOC),
    W("main", HINT_MAIN),         W("menu", HINT_NAV),
    W("menubar", HINT_NAV),       W("navigation", HINT_NAV),
    W("none", HINT_LAYOUT),       W("presentation", HINT_LAYOUT),
    W("search", HINT_NAV),        W("toolbar", HINT_NAV),
};
#undef W

static unsigned word_find(str word)
{
    size_t low = 0, high = NELEMS(WORDS);

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_cmp(word, WORDS[mid].word);

        if (order == 0)
            return WORDS[mid].hint;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return 0;
}

static unsigned name_find(const struct word *names, size_t n, str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(names[i].word, name))
            return names[i].hint;
    }
    return 0;
}

#define WORD_BYTES_MAX 24

static bool small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The hints of the words in one name. */
static unsigned words_of(str name)
{
    char word[WORD_BYTES_MAX];
    size_t n = 0;
    unsigned hints = 0;

    for (size_t i = 0; i <= name.n; i++) {
        char c = i < name.n ? name.p[i] : '-';
        bool letter = small(c) || capital(c);

        if (n > 0 &&
            (!letter || (capital(c) && i > 0 && small(name.p[i - 1])))) {
            if (n < sizeof word)
                hints |= word_find((str){word, n});
            n = 0;
        }
        if (letter) {
            if (n < sizeof word)
                word[n] = (char)(c | 0x20);
            n++;
        }
    }
    return hints;
}

unsigned html_hints_class(str value)
{
    unsigned hints = 0;
    size_t at = 0;

    value = str_sub(value, 0, HTML_HINT_BYTES_MAX);
    while (at < value.n) {
        size_t start;
        str name;

        while (at < value.n && html_white(value.p[at]))
            at++;
        start = at;
        while (at < value.n && !html_white(value.p[at]))
            at++;
        name = str_sub(value, start, at - start);
        if (name.n > 0)
            hints |= name_find(NAMES, NELEMS(NAMES), name) | words_of(name);
    }
    return hints;
}

/* Headings give sections ids of their words ("related-tools"): only an id of
 * one or two words says something. */
unsigned html_hints_id(str value)
{
    size_t parts = 1;

    for (size_t i = 0; i < value.n; i++)
        parts += value.p[i] == '-' || value.p[i] == '_' || value.p[i] == '.';
    return parts > 2 || value.n > 40 ? 0 : html_hints_class(value);
}

unsigned html_hints_role(str value)
{
    return name_find(ROLES, NELEMS(ROLES), str_trim(value));
}
