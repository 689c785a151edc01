/*
 * gumbo 0.10.1 takes quadratic time on deep nesting (it walks the open elements
 * for each tag), on unclosed formatting elements (they are made anew in each
 * paragraph, and adopted), on attributes (each is compared with all before) and
 * on what stands loose in tables (its place is searched among all siblings);
 * and it recurses when it frees. So it gets HTML in which none of this is left:
 * formatting elements are gone, links are <ins>, what tags imply is written
 * out, loose text in a table is in a cell, and only attributes that are used
 * stay. What gumbo still does is the tree and what character references mean.
 *
 * The stack holds every open element, but only those of meaning are written.
 */
#include "base/mem.h"
#include "extract/html_priv.h"
#include "extract/html_token.h"

#define STACK_MAX 2048

/* Sorted by name. */
#define N(text, tag)               \
    {                              \
        STR_INIT(text), HTML_##tag \
    }
static const struct html_name HTML_NAMES[] = {
    N("a", A),
    N("abbr", INLINE),
    N("acronym", INLINE),
    N("address", BLOCK),
    N("annotation", CONTROL),
    N("annotation-xml", CONTROL),
    N("applet", CONTROL),
    N("area", IGNORE),
    N("article", ARTICLE),
    N("aside", ASIDE),
    N("audio", CONTROL),
    N("b", INLINE),
    N("base", IGNORE),
    N("basefont", IGNORE),
    N("bdi", INLINE),
    N("bdo", INLINE),
    N("bgsound", IGNORE),
    N("big", INLINE),
    N("blockquote", QUOTE),
    N("body", IGNORE),
    N("br", BR),
    N("button", CONTROL),
    N("canvas", CONTROL),
    N("caption", CAPTION),
    N("center", BLOCK),
    N("cite", INLINE),
    N("code", INLINE),
    N("col", IGNORE),
    N("colgroup", IGNORE),
    N("data", INLINE),
    N("datalist", CONTROL),
    N("dd", DD),
    N("del", INLINE),
    N("details", BLOCK),
    N("dfn", INLINE),
    N("dialog", BLOCK),
    N("dir", UL),
    N("div", BLOCK),
    N("dl", DL),
    N("dt", DT),
    N("em", INLINE),
    N("embed", IGNORE),
    N("fieldset", BLOCK),
    N("figcaption", FIGCAPTION),
    N("figure", FIGURE),
    N("font", INLINE),
    N("footer", FOOTER),
    N("form", FORM),
    N("frame", IGNORE),
    N("frameset", IGNORE),
    N("h1", H1),
    N("h2", H2),
    N("h3", H3),
    N("h4", H4),
    N("h5", H5),
    N("h6", H6),
    N("head", IGNORE),
    N("header", HEADER),
    N("hgroup", BLOCK),
    N("hr", HR),
    N("html", IGNORE),
    N("i", INLINE),
    N("iframe", SCRIPT),
    N("image", IMG),
    N("img", IMG),
    N("input", IGNORE),
    N("ins", INLINE),
    N("kbd", INLINE),
    N("keygen", IGNORE),
    N("label", INLINE),
    N("legend", BLOCK),
    N("li", LI),
    N("link", IGNORE),
    N("listing", PRE),
    N("main", MAIN),
    N("map", CONTROL),
    N("mark", INLINE),
    N("math", INLINE),
    N("menu", UL),
    N("meta", META),
    N("meter", CONTROL),
    N("nav", NAV),
    N("nobr", INLINE),
    N("noembed", SCRIPT),
    N("noframes", SCRIPT),
    N("noscript", SCRIPT),
    N("object", CONTROL),
    N("ol", UL),
    N("optgroup", CONTROL),
    N("option", CONTROL),
    N("output", INLINE),
    N("p", P),
    N("param", IGNORE),
    N("plaintext", PRE),
    N("pre", PRE),
    N("progress", CONTROL),
    N("q", Q),
    N("rp", CONTROL),
    N("rt", INLINE),
    N("ruby", INLINE),
    N("s", INLINE),
    N("samp", INLINE),
    N("script", SCRIPT),
    N("search", NAV),
    N("section", SECTION),
    N("select", CONTROL),
    N("small", INLINE),
    N("source", IGNORE),
    N("span", INLINE),
    N("strike", INLINE),
    N("strong", INLINE),
    N("style", SCRIPT),
    N("sub", INLINE),
    N("summary", P),
    N("sup", INLINE),
    N("svg", CONTROL),
    N("table", TABLE),
    N("tbody", ROWS),
    N("td", TD),
    N("template", CONTROL),
    N("textarea", SCRIPT),
    N("tfoot", ROWS),
    N("th", TH),
    N("thead", ROWS),
    N("time", TIME),
    N("title", TITLE),
    N("tr", TR),
    N("track", IGNORE),
    N("tt", INLINE),
    N("u", INLINE),
    N("ul", UL),
    N("var", INLINE),
    N("video", CONTROL),
    N("wbr", IGNORE),
    N("xmp", PRE),
};
#undef N
#define NAMES_N NELEMS(HTML_NAMES)
#define OTHER NAMES_N /* the number of any other name */

/* What gumbo is told an element is; NULL: not told. */
static const char *const WRITTEN[HTML_TAG_COUNT] = {
    [HTML_INLINE] = "span",
    [HTML_A] = "ins",
    [HTML_Q] = "q",
    [HTML_BLOCK] = "div",
    [HTML_P] = "p",
    [HTML_H1] = "h1",
    [HTML_H2] = "h2",
    [HTML_H3] = "h3",
    [HTML_H4] = "h4",
    [HTML_H5] = "h5",
    [HTML_H6] = "h6",
    [HTML_UL] = "ul",
    [HTML_LI] = "li",
    [HTML_DL] = "dl",
    [HTML_DT] = "dt",
    [HTML_DD] = "dd",
    [HTML_TABLE] = "table",
    [HTML_CAPTION] = "caption",
    [HTML_ROWS] = "tbody",
    [HTML_TR] = "tr",
    [HTML_TD] = "td",
    [HTML_TH] = "th",
    [HTML_PRE] = "pre",
    [HTML_QUOTE] = "blockquote",
    [HTML_FIGURE] = "figure",
    [HTML_FIGCAPTION] = "figcaption",
    [HTML_SECTION] = "section",
    [HTML_ARTICLE] = "article",
    [HTML_MAIN] = "main",
    [HTML_NAV] = "nav",
    [HTML_ASIDE] = "aside",
    [HTML_HEADER] = "header",
    [HTML_FOOTER] = "footer",
    [HTML_FORM] = "address",
    [HTML_BR] = "br",
    [HTML_HR] = "hr",
    [HTML_IMG] = "img",
    [HTML_TIME] = "time",
    [HTML_TITLE] = "title",
    [HTML_META] = "meta",
};

struct open {
    uint16_t name; /* its number in HTML_NAMES */
    uint8_t tag;
    bool written, skips;                 /* skips: its content is left out */
    uint32_t same_name, same_tag, block; /* below it in the stack, plus one */
};

struct mask {
    struct buf *to;
    struct html_facts *facts;
    struct open stack[STACK_MAX];
    size_t n, written; /* open; open and written */
    /* The topmost of a kind, plus one; 0: none is open. */
    uint32_t by_name[NAMES_N + 1], by_tag[HTML_TAG_COUNT], block;
    size_t skips, codes, nodes, metas;
    bool white;   /* white space is due */
    bool at_edge; /* and would mean nothing here */
    bool has_title, has_canonical;
};

static size_t name_number(str name)
{
    char low[16];
    size_t from = 0, to = NAMES_N;

    if (name.n >= sizeof low)
        return OTHER;
    for (size_t i = 0; i < name.n; i++)
        low[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20
                                                             : name.p[i]);
    name.p = low;
    while (from < to) {
        size_t mid = (from + to) / 2;
        int order = str_cmp(name, HTML_NAMES[mid].name);

        if (order == 0)
            return mid;
        if (order < 0)
            to = mid;
        else
            from = mid + 1;
    }
    return OTHER;
}

bool html_is_block(enum html_tag tag)
{
    return tag >= HTML_BLOCK && tag <= HTML_HR;
}

/* ---- what is written ---- */

/* An element that is left out must not join "&am" and "p;" around it. */
static void part_reference(struct mask *m)
{
    const char *p = m->to->p;
    size_t i = m->to->n, low = i > 32 ? i - 32 : 0;

    if (i > 0 && p[i - 1] == ';')
        return;
    while (i > low) {
        char c = p[--i];

        if (c == '&') {
            buf_put(m->to, STR("<!---->"));
            return;
        }
        if (c != '#' &&
            (c < '0' || (c > '9' && (c | 0x20) < 'a') || (c | 0x20) > 'z'))
            return;
    }
}

static void put_white(struct mask *m)
{
    if (m->white && !m->at_edge)
        buf_put_char(m->to, ' ');
    m->white = m->at_edge = false;
}

static void put_close(struct mask *m, const struct open *o)
{
    if (html_is_block((enum html_tag)o->tag)) {
        m->white = false;
        m->at_edge = true;
    } else if (m->white) {
        put_white(m);
    }
    buf_put(m->to, STR("</"));
    buf_put(m->to, str_of(WRITTEN[o->tag]));
    buf_put_char(m->to, '>');
}

static void pop(struct mask *m)
{
    const struct open *o = &m->stack[--m->n];

    m->by_name[o->name] = o->same_name;
    m->by_tag[o->tag] = o->same_tag;
    m->block = o->block;
    m->codes -= o->tag == HTML_PRE;
    m->skips -= o->skips;
    if (o->written) {
        m->written--;
        put_close(m, o);
    }
}

/* Closes the element at place `to` (plus one) and all in it. */
static void pop_to(struct mask *m, uint32_t to)
{
    while (m->n >= to)
        pop(m);
}

static uint32_t higher(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The innermost table; what is open outside it isn't seen from inside. */
static uint32_t table_at(const struct mask *m)
{
    return m->by_tag[HTML_TABLE];
}

static uint32_t cell_at(const struct mask *m)
{
    return higher(m->by_tag[HTML_CAPTION],
                  higher(m->by_tag[HTML_TD], m->by_tag[HTML_TH]));
}

static uint32_t barrier(const struct mask *m)
{
    return higher(table_at(m), cell_at(m));
}

static bool in_table(const struct mask *m)
{
    return table_at(m) > cell_at(m);
}

struct attrs {
    str style, color, ground, alt, datetime, name, content, lang, type,
        itemprop, address, rel;
    unsigned hints, span, rows;
    bool href;
    bool pixel; /* a picture that is too small to be seen */
};

static void put_attr(struct mask *m, const char *name, str value, size_t max)
{
    if (value.n == 0)
        return;
    value = str_sub(value, 0, value.n > max ? max : value.n);
    while (value.n > 0 && value.n == max &&
           ((uint8_t)value.p[value.n - 1] & 0x80) != 0)
        value.n--; /* not in the middle of a sign */
    m->nodes++;
    buf_put_char(m->to, ' ');
    buf_put(m->to, str_of(name));
    buf_put(m->to, STR("=\""));
    for (bool more = true; more;) {
        str head;

        more = str_cut(value, '"', &head, &value);
        buf_put(m->to, head);
        if (more)
            buf_put(m->to, STR("&quot;"));
    }
    buf_put_char(m->to, '"');
}

static void put_open(struct mask *m, enum html_tag tag, const struct attrs *a)
{
    m->nodes++;
    if (html_is_block(tag)) {
        m->white = false;
        m->at_edge = true;
    } else if (tag != HTML_META && tag != HTML_TITLE) {
        put_white(m);
    }
    buf_put_char(m->to, '<');
    buf_put(m->to, str_of(WRITTEN[tag]));
    if (a != NULL) {
        if (a->hints != 0) {
            m->nodes++;
            buf_fmt(m->to, " k=\"%x\"", a->hints);
        }
        if (a->span > 1 || a->rows > 1)
            buf_fmt(m->to, " n=\"%u %u\"", a->span, a->rows);
        put_attr(m, "s", a->style, HTML_STYLE_BYTES_MAX);
        put_attr(m, "c", a->color, 64);
        put_attr(m, "g", a->ground, 64);
        put_attr(m, "i", a->itemprop, 64);
        if (tag == HTML_IMG)
            put_attr(m, "t", a->alt, HTML_VALUE_BYTES_MAX);
        if (tag == HTML_TIME)
            put_attr(m, "t", a->datetime, 64);
        if (tag == HTML_META) {
            put_attr(m, "m", a->name, 64);
            put_attr(m, "t", a->content, HTML_VALUE_BYTES_MAX);
        }
    }
    buf_put_char(m->to, '>');
}

static void push(struct mask *m, size_t name, enum html_tag tag,
                 const struct attrs *a, bool written)
{
    struct open o = {.name = (uint16_t)name,
                     .tag = (uint8_t)tag,
                     .written = written && m->skips == 0,
                     .skips = tag == HTML_CONTROL};
    /* A table's rows and cells must fit in as well: what stands loose in a
     * table is what this is for. Half the stack is for what counts. */
    size_t room = tag == HTML_TABLE ? 8 : o.written ? 1 : STACK_MAX / 2;

    if (m->n + room > STACK_MAX ||
        (o.written && m->written + room > HTML_DEPTH_MAX)) {
        m->facts->deep = m->facts->deep || o.written;
        m->white = m->white || html_is_block(tag);
        return;
    }
    if (o.written)
        put_open(m, tag, a);
    o.same_name = m->by_name[name];
    o.same_tag = m->by_tag[tag];
    o.block = m->block;
    m->stack[m->n++] = o;
    m->by_name[name] = m->by_tag[tag] = (uint32_t)m->n;
    if (html_is_block(tag))
        m->block = (uint32_t)m->n;
    m->written += o.written;
    m->skips += o.skips;
    m->codes += tag == HTML_PRE;
}

/* ---- what tags imply ---- */

/* Controls and drawings hold no paragraphs and the like: a page that has one
 * there forgot to close them. */
static void close_controls(struct mask *m)
{
    static const str NAMES[] = {STR_INIT("svg"), STR_INIT("button"),
                                STR_INIT("select"), STR_INIT("option"),
                                STR_INIT("map")};

    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        uint32_t at = m->by_name[name_number(NAMES[i])];

        if (at > barrier(m))
            pop_to(m, at);
    }
}

static void push_plain(struct mask *m, const char *name, enum html_tag tag)
{
    push(m, name_number(str_of(name)), tag, NULL, true);
}

/* Text and elements loose in a table stand in a cell. */
static void need_cell(struct mask *m)
{
    if (!in_table(m) || m->skips > 0)
        return;
    if (m->by_tag[HTML_TR] < table_at(m))
        push_plain(m, "tr", HTML_TR);
    else
        pop_to(m, m->by_tag[HTML_TR] + 1);
    push_plain(m, "td", HTML_TD);
}

static void close_p(struct mask *m)
{
    if (m->by_tag[HTML_P] > barrier(m))
        pop_to(m, m->by_tag[HTML_P]);
}

/* Closes the innermost of a kind unless it stands outside `wall`. */
static void close_within(struct mask *m, enum html_tag tag, uint32_t wall)
{
    uint32_t at = m->by_tag[tag];

    if (at > higher(wall, barrier(m)))
        pop_to(m, at);
}

/* Closes what is open in the table above element `keep`. */
static void clear_to(struct mask *m, uint32_t keep)
{
    if (m->n > keep)
        pop_to(m, keep + 1);
}

/* false: there is no table around it. */
static bool table_part(struct mask *m, enum html_tag tag)
{
    uint32_t table = table_at(m), rows, row;

    if (table == 0)
        return false;
    rows = higher(m->by_tag[HTML_ROWS], table);
    row = m->by_tag[HTML_TR];
    if (tag == HTML_ROWS || tag == HTML_CAPTION) {
        clear_to(m, table);
    } else if (tag == HTML_TR) {
        clear_to(m, rows);
    } else if (row > table) {
        clear_to(m, row);
    } else {
        clear_to(m, rows);
        push_plain(m, "tr", HTML_TR);
    }
    return true;
}

/* What a start tag closes or opens before it; false: it means nothing. */
static bool imply(struct mask *m, enum html_tag tag)
{
    if (tag == HTML_ROWS || tag == HTML_CAPTION || tag == HTML_TR ||
        tag == HTML_TD || tag == HTML_TH)
        return table_part(m, tag);
    if (tag == HTML_META || tag == HTML_TITLE)
        return !in_table(m);
    if (tag == HTML_FORM && in_table(m))
        return false;
    need_cell(m);
    if (html_is_block(tag) && tag != HTML_BR)
        close_p(m);
    if (html_is_heading(tag) && m->n > 0 &&
        html_is_heading((enum html_tag)m->stack[m->n - 1].tag))
        pop(m);
    if (tag == HTML_LI)
        close_within(m, HTML_LI, m->by_tag[HTML_UL]);
    if (tag == HTML_DT || tag == HTML_DD) {
        close_within(m, HTML_DT, m->by_tag[HTML_DL]);
        close_within(m, HTML_DD, m->by_tag[HTML_DL]);
    }
    if (tag == HTML_A && m->by_tag[HTML_A] > m->block)
        pop_to(m, m->by_tag[HTML_A]);
    return true;
}

/* ---- attributes ---- */

/* A style that can hide something. An entity could be any letter. */
static bool style_matters(str s)
{
    static const str WORDS[] = {
        STR_INIT("color"),    STR_INIT("display"), STR_INIT("visib"),
        STR_INIT("opacity"),  STR_INIT("font"),    STR_INIT("position"),
        STR_INIT("indent"),   STR_INIT("clip"),    STR_INIT("back"),
        STR_INIT("margin"),   STR_INIT("height"),  STR_INIT("width"),
        STR_INIT("transform")};

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&' || s.p[i] == '\\')
            return true;
        for (size_t k = 0; k < NELEMS(WORDS); k++) {
            if ((s.p[i] | 0x20) == WORDS[k].p[0] &&
                str_eq_nocase(str_sub(s, i, WORDS[k].n), WORDS[k]))
                return true;
        }
    }
    return false;
}

static unsigned small_number(str s, unsigned max)
{
    uint64_t n;

    return str_to_u64(str_trim(s), UINT32_MAX, &n) && n > 0
               ? (unsigned)(n > max ? max : n)
               : 1;
}

/* A picture of two pixels and less counts a reader, or keeps a place free. */
static bool is_tiny(str s)
{
    uint64_t n;

    return str_to_u64(str_trim(s), UINT32_MAX, &n) && n <= 2;
}

static bool takes_id(enum html_tag tag)
{
    return html_is_block(tag) && !html_is_heading(tag) && tag != HTML_SECTION &&
           tag != HTML_PRE && tag != HTML_P && tag != HTML_DT &&
           tag != HTML_DD && tag != HTML_LI;
}

static void attr_id(struct attrs *a, str value)
{
    /* React, Vue, Next.js, Nuxt, Gatsby, Quasar, Docusaurus and Svelte. */
    static const str MOUNTS[] = {
        STR_INIT("root"),       STR_INIT("app"),     STR_INIT("__next"),
        STR_INIT("__nuxt"),     STR_INIT("__app"),   STR_INIT("___gatsby"),
        STR_INIT("react-root"), STR_INIT("q-app"),   STR_INIT("__docusaurus"),
        STR_INIT("react-app"),  STR_INIT("vue-app"), STR_INIT("svelte"),
        STR_INIT("app-root")};

    a->hints |= html_hints_id(value);
    for (size_t i = 0; i < NELEMS(MOUNTS); i++) {
        if (str_eq(value, MOUNTS[i]))
            a->hints |= HINT_MOUNT;
    }
}

/* AngularJS's places for a page, elements or attributes. */
static bool is_view(str name)
{
    return str_eq_nocase(name, STR("ng-view")) ||
           str_eq_nocase(name, STR("ui-view")) ||
           str_eq_nocase(name, STR("data-ng-view"));
}

static void attr_take(struct attrs *a, enum html_tag tag, str name, str value)
{
    static const struct {
        str name;
        size_t at;
    } KEPT[] = {
        {STR_INIT("color"), offsetof(struct attrs, color)},
        {STR_INIT("text"), offsetof(struct attrs, color)},
        {STR_INIT("bgcolor"), offsetof(struct attrs, ground)},
        {STR_INIT("alt"), offsetof(struct attrs, alt)},
        {STR_INIT("datetime"), offsetof(struct attrs, datetime)},
        {STR_INIT("name"), offsetof(struct attrs, name)},
        {STR_INIT("property"), offsetof(struct attrs, name)},
        {STR_INIT("http-equiv"), offsetof(struct attrs, name)},
        {STR_INIT("content"), offsetof(struct attrs, content)},
        {STR_INIT("lang"), offsetof(struct attrs, lang)},
        {STR_INIT("xml:lang"), offsetof(struct attrs, lang)},
        {STR_INIT("type"), offsetof(struct attrs, type)},
        {STR_INIT("itemprop"), offsetof(struct attrs, itemprop)},
        {STR_INIT("href"), offsetof(struct attrs, address)},
        {STR_INIT("rel"), offsetof(struct attrs, rel)},
    };

    if (str_eq_nocase(name, STR("class")))
        a->hints |= html_hints_class(value);
    else if (str_eq_nocase(name, STR("id")) && takes_id(tag))
        attr_id(a, value);
    else if (is_view(name))
        a->hints |= HINT_MOUNT;
    else if (str_eq_nocase(name, STR("role")))
        a->hints |= html_hints_role(value);
    else if (str_eq_nocase(name, STR("hidden")) &&
             !str_eq_nocase(value, STR("until-found")))
        a->hints |= HINT_HIDDEN;
    else if (str_eq_nocase(name, STR("aria-hidden")) &&
             str_eq_nocase(str_trim(value), STR("true")))
        a->hints |= HINT_ARIA_HIDDEN;
    else if (str_eq_nocase(name, STR("style")) && style_matters(value))
        a->style = value;
    else if (str_eq_nocase(name, STR("href")))
        a->href = true;
    else if (tag == HTML_IMG && (str_eq_nocase(name, STR("width")) ||
                                 str_eq_nocase(name, STR("height"))))
        a->pixel = a->pixel || is_tiny(value);
    else if (str_eq_nocase(name, STR("colspan")))
        a->span = small_number(value, HTML_SPAN_MAX);
    else if (str_eq_nocase(name, STR("rowspan")) ||
             (tag == HTML_UL && str_eq_nocase(name, STR("start"))) ||
             (tag == HTML_LI && str_eq_nocase(name, STR("value"))))
        a->rows = small_number(value, UINT16_MAX);
    for (size_t i = 0; i < NELEMS(KEPT); i++) {
        str *to = (str *)(void *)((char *)a + KEPT[i].at);

        if (to->n == 0 && str_eq_nocase(name, KEPT[i].name))
            *to = value;
    }
}

static struct attrs attrs_read(str raw, enum html_tag tag)
{
    struct attrs a = {.span = 1, .rows = 1};
    size_t at = 0;
    str name, value;

    while (html_attr_next(raw, &at, &name, &value))
        attr_take(&a, tag, name, value);
    /* A property is what it is called by, whatever it is of. */
    if (tag == HTML_META && a.name.n == 0)
        a.name = a.itemprop;
    if (tag == HTML_META || !str_eq_nocase(a.itemprop, STR("articleBody")))
        a.itemprop = STR_NONE;
    return a;
}

/* ---- tags ---- */

/* By a script's type: data of other programs and templates are none. */
static bool is_program(str type)
{
    static const str WORDS[] = {STR_INIT("javascript"), STR_INIT("ecmascript"),
                                STR_INIT("module"), STR_INIT("babel"),
                                STR_INIT("jsx")};

    for (size_t i = 0; i < type.n; i++) {
        for (size_t k = 0; k < NELEMS(WORDS); k++) {
            if (str_eq_nocase(str_sub(type, i, WORDS[k].n), WORDS[k]))
                return true;
        }
    }
    return str_blank(type);
}

/* Content that is no HTML; returns where its end tag is. */
static size_t raw_content(struct mask *m, str name, const struct attrs *a,
                          str html, size_t at)
{
    size_t end = html_raw_end(html, at, name);
    struct html_facts *f = m->facts;

    if (str_eq_nocase(name, STR("script"))) {
        f->scripts++;
        f->runs += is_program(a->type);
    }
    /* One that paints no ground leaves it white. */
    if (str_eq_nocase(name, STR("style")) &&
        str_find(str_sub(html, at, end - at), STR("background")) < end - at)
        f->sheets = true;
    if (str_eq_nocase(name, STR("noscript")))
        f->asks = f->asks || html_asks_for_scripts(str_sub(html, at, end - at));
    if (str_eq_nocase(a->type, STR("application/ld+json")) &&
        f->json_n < HTML_JSON_MAX && end - at <= HTML_JSON_BYTES_MAX)
        f->json[f->json_n++] = str_sub(html, at, end - at);
    return end;
}

/* The title's text; it knows no tags. */
static size_t title_content(struct mask *m, str html, size_t at)
{
    size_t end = html_raw_end(html, at, STR("title"));
    str text = str_sub(html, at, end - at);

    if (m->has_title || m->skips > 0 || in_table(m))
        return end;
    m->has_title = true;
    put_open(m, HTML_TITLE, NULL);
    for (bool more = true; more;) {
        str head;

        more = str_cut(text, '<', &head, &text);
        buf_put(m->to, str_sub(head, 0, HTML_VALUE_BYTES_MAX));
        if (more)
            buf_put(m->to, STR("&lt;"));
    }
    buf_put(m->to, STR("</title>"));
    return end;
}

static bool inline_matters(enum html_tag tag, const struct attrs *a)
{
    const unsigned hints = HINT_HIDDEN | HINT_ARIA_HIDDEN | HINT_PERMALINK |
                           HINT_READER_ONLY | HINT_SIGN | HINT_MATH |
                           HINT_MOUNT;

    return tag != HTML_INLINE || a->style.n > 0 || a->color.n > 0 ||
           a->ground.n > 0 || (a->hints & hints) != 0;
}

static void void_tag(struct mask *m, enum html_tag tag, const struct attrs *a)
{
    if (m->skips > 0 || (tag == HTML_META && m->metas++ >= HTML_META_MAX))
        return;
    if (tag == HTML_BR && m->codes > 0)
        buf_put_char(m->to, '\n');
    else if (tag != HTML_IMG || a->alt.n > 0 || !a->pixel)
        put_open(m, tag, a);
}

static bool is_void(enum html_tag tag)
{
    return tag == HTML_BR || tag == HTML_HR || tag == HTML_IMG ||
           tag == HTML_META;
}

/* Whether one of the words of a rel attribute is this one. */
static bool rel_has(str rel, str word)
{
    for (size_t at = 0; at < rel.n;) {
        size_t start = at;

        while (at < rel.n && !html_white(rel.p[at]))
            at++;
        if (str_eq_nocase(str_sub(rel, start, at - start), word))
            return true;
        at++;
    }
    return false;
}

/* Handed on as a <meta>, so that gumbo reads its character references. */
static void canonical(struct mask *m, str href)
{
    struct attrs a = {.content = href, .hints = HINT_CANONICAL};

    if (m->has_canonical || m->skips > 0 || in_table(m) ||
        href.n > HTML_VALUE_BYTES_MAX)
        return;
    m->has_canonical = true;
    put_open(m, HTML_META, &a);
}

/* What is said of the page as a whole. */
static void page_tag(struct mask *m, str name, const struct attrs *a)
{
    struct html_facts *f = m->facts;

    if (str_eq_nocase(name, STR("link"))) {
        f->sheets = f->sheets || str_find(a->rel, STR("stylesheet")) < a->rel.n;
        if (rel_has(a->rel, STR("canonical")))
            canonical(m, a->address);
    }
    if (str_eq_nocase(name, STR("html")) && f->lang.n == 0)
        f->lang = a->lang;
    if (str_eq_nocase(name, STR("body")) && f->body_ground.n == 0) {
        f->body_color = a->color;
        f->body_ground = a->ground;
        f->body_style = a->style;
    }
}

/* Elements of a page's own for the whole of a program: <app-root> (Angular),
 * <my-app>, <app>. */
static bool is_mount_name(str name)
{
    static const str ENDS[] = {STR_INIT("-app"), STR_INIT("-root")};

    for (size_t i = 0; i < NELEMS(ENDS); i++) {
        if (name.n > ENDS[i].n &&
            str_eq_nocase(str_sub(name, name.n - ENDS[i].n, ENDS[i].n),
                          ENDS[i]))
            return true;
    }
    return str_eq_nocase(name, STR("app")) || is_view(name);
}

static void start_tag(struct mask *m, const struct html_token *t, str html,
                      size_t *at)
{
    size_t number = name_number(t->name);
    enum html_tag tag = number == OTHER ? HTML_INLINE : HTML_NAMES[number].tag;
    struct attrs a = attrs_read(t->attrs, tag);

    if (number == OTHER && is_mount_name(t->name))
        a.hints |= HINT_MOUNT;
    if (m->skips > 0 && tag >= HTML_P && tag <= HTML_MAIN)
        close_controls(m);
    if (tag == HTML_A && !a.href)
        tag = HTML_INLINE;
    if (str_eq_nocase(t->name, STR("ol")))
        a.hints |= HINT_ORDERED;
    if (tag == HTML_IGNORE) {
        page_tag(m, t->name, &a);
    } else if (tag == HTML_SCRIPT) {
        *at = raw_content(m, t->name, &a, html, *at);
    } else if (tag == HTML_TITLE) {
        *at = title_content(m, html, *at);
    } else if (imply(m, tag)) {
        m->white = m->white || str_find_char(t->name, '-') < t->name.n;
        if (is_void(tag))
            void_tag(m, tag, &a);
        else if ((tag != HTML_CONTROL && number != OTHER) || !t->closed)
            push(m, number, tag, &a,
                 tag != HTML_CONTROL && inline_matters(tag, &a));
    } else {
        m->white = true;
    }
}

static void end_tag(struct mask *m, str name)
{
    size_t number = name_number(name);
    enum html_tag tag = number == OTHER ? HTML_INLINE : HTML_NAMES[number].tag;
    uint32_t at = m->by_name[number], wall = barrier(m);

    if (html_is_heading(tag)) { /* one closes the other */
        for (unsigned i = HTML_H1; i <= HTML_H6; i++)
            at = higher(at, m->by_tag[i]);
    }
    if (tag == HTML_TABLE || tag == HTML_ROWS || tag == HTML_TR ||
        tag == HTML_TD || tag == HTML_TH || tag == HTML_CAPTION)
        wall = tag == HTML_TABLE ? 0 : table_at(m);
    else if (tag == HTML_LI)
        wall = higher(wall, m->by_tag[HTML_UL]);
    else if (!html_is_block(tag) && tag != HTML_CONTROL && tag != HTML_A)
        wall = higher(wall, m->block);
    if (at > wall)
        pop_to(m, at);
    else if (html_is_block(tag))
        m->white = true;
}

/* ---- text ---- */

static void put_raw(struct mask *m, str s)
{
    if (s.n > 0 && s.p[0] == '<') {
        buf_put(m->to, STR("&lt;"));
        s = str_sub(s, 1, s.n);
    }
    buf_put(m->to, s);
}

static void text_flow(struct mask *m, str s)
{
    size_t at = 0;

    while (at < s.n) {
        size_t start = at;

        if (html_white(s.p[at])) {
            m->white = true;
            at++;
            continue;
        }
        while (at < s.n && !html_white(s.p[at]))
            at++;
        put_white(m);
        put_raw(m, str_sub(s, start, at - start));
    }
}

static void text(struct mask *m, str s)
{
    if (m->skips > 0)
        return;
    if (in_table(m)) {
        if (str_blank(s))
            return;
        need_cell(m);
    }
    if (m->codes > 0) {
        put_white(m);
        put_raw(m, s);
    } else {
        text_flow(m, s);
    }
}

void html_mask(str html, struct buf *to, struct html_facts *facts)
{
    struct mask *m = mem_alloc(sizeof *m);
    struct html_token t;
    size_t at = 0;

    m->to = to;
    m->facts = facts;
    m->at_edge = true;
    buf_put(to, STR("<!DOCTYPE html>"));
    for (;;) {
        html_token_next(html, &at, &t);
        if (t.kind == HTML_TOKEN_EOF)
            break;
        if (m->nodes >= HTML_NODES_MAX) {
            facts->cut = true;
            break;
        }
        part_reference(m);
        if (t.kind == HTML_TOKEN_TEXT)
            text(m, t.text);
        else if (t.kind == HTML_TOKEN_START)
            start_tag(m, &t, html, &at);
        else if (t.kind == HTML_TOKEN_END)
            end_tag(m, t.name);
    }
    pop_to(m, 1);
    mem_free(m);
}
