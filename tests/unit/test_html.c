/* HTML by what extract_bytes makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "extract/extract.h"

static int begin(void **state)
{
    *state = arena_open();
    return 0;
}

static int end(void **state)
{
    arena_close(*state);
    return 0;
}

static struct doc extract_said(struct arena *a, str bytes, struct said said)
{
    struct doc d;
    struct err e;
    const char *why;

    assert_int_equal(extract_bytes(bytes, said, a, &d, &e), RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static struct doc extract(struct arena *a, str bytes, const char *name)
{
    return extract_said(a, bytes, (struct said){.filename = str_of(name)});
}

static struct doc extract_typed(struct arena *a, str bytes, const char *type)
{
    return extract_said(a, bytes, (struct said){.type = str_of(type)});
}

#define PAGE_TEXT(text) "<!DOCTYPE html><html><body>" text "</body></html>"
#define PAGE(text) STR(PAGE_TEXT(text))

static void assert_str(str got, str want)
{
    if (!str_eq(got, want))
        fail_msg("got \"" STR_FMT "\"", STR_ARG(got));
}

static bool holds(str s, const char *part)
{
    return str_find(s, str_of(part)) < s.n;
}

/* All zero: there is none of the kind. */
static struct doc_flag flag_of(const struct doc *d, enum doc_flag_kind kind,
                               bool dropped)
{
    for (size_t i = 0; i < d->flags_n; i++) {
        if (d->flags[i].kind == kind && d->flags[i].dropped == dropped)
            return d->flags[i];
    }
    return (struct doc_flag){.count = 0};
}

/* ---- what is a page ---- */

static void a_page_is_known_by_how_it_starts(void **state)
{
    static const str PAGES[] = {
        STR_INIT("<!DOCTYPE html><p>text"),
        STR_INIT("\xef\xbb\xbf \n<!doctype HTML public \"-//W3C\">\n<p>text"),
        STR_INIT("<!-- a remark --><html lang=en>text"),
        STR_INIT(
            "<?xml version=\"1.0\"?>\n<html xmlns=\"x\"><p>text</p></html>"),
        STR_INIT("<head><title>t</title></head><p>text"),
        STR_INIT("  <BODY>text"),
    };

    for (size_t i = 0; i < NELEMS(PAGES); i++) {
        struct doc d = extract(*state, PAGES[i], "a.md");

        assert_str(d.mime, STR("text/html"));
        assert_str(d.text, STR("text\n"));
    }
}

static void text_with_some_tags_is_no_page(void **state)
{
    static const str TEXTS[] = {
        STR_INIT("<div align=\"center\">\n\n# A project\n\n</div>\n"),
        STR_INIT("Use `<html>` and <body> as you like.\n"),
        STR_INIT("<htmlx>not a page</htmlx>"),
        STR_INIT("<p>one</p>\n"),
        STR_INIT("<?xml version=\"1.0\"?><rss><title>feed</title></rss>"),
        STR_INIT("<!-- only a remark -->\n\n# Markdown\n"),
    };

    for (size_t i = 0; i < NELEMS(TEXTS); i++) {
        struct doc d = extract(*state, TEXTS[i], "page.html");

        assert_false(str_eq(d.mime, STR("text/html")));
        assert_str(str_trim(d.text), str_trim(TEXTS[i]));
    }
}

static void a_fragment_is_a_page_where_it_is_said_to_be(void **state)
{
    static const str FRAGMENTS[] = {
        STR_INIT("<p>text"),
        STR_INIT("\xef\xbb\xbf \n<title>t</title><p>text"),
        STR_INIT("<meta name=a content=b><div>text</div>"),
        STR_INIT("<!-- a remark --><p>text"),
        STR_INIT("</div>text"),
    };
    static const char *const TYPES[] = {"text/html", "Text/HTML ;charset=utf-8",
                                        "application/xhtml+xml"};

    for (size_t i = 0; i < NELEMS(FRAGMENTS); i++) {
        for (size_t k = 0; k < NELEMS(TYPES); k++) {
            struct doc d = extract_typed(*state, FRAGMENTS[i], TYPES[k]);

            assert_str(d.mime, STR("text/html"));
            assert_str(d.text, STR("text\n"));
        }
        assert_false(
            str_eq(extract_typed(*state, FRAGMENTS[i], "text/plain").mime,
                   STR("text/html")));
    }
}

static void the_type_is_not_believed_over_bytes(void **state)
{
    static const struct {
        const char *type, *bytes, *mime;
    } CASES[] = {
        {"text/html", "Only words, 1 < 2.", "text/plain"},
        {"text/html", "< p>no tag", "text/plain"},
        {"text/html", "<", "text/plain"},
        {"text/html", "# Title\n\nand <p>text\n", "text/markdown"},
        {"text/html", "%PDF-1.4", "application/pdf"},
        {"text/plain", "<!doctype html><p>text", "text/html"},
        {"text/markdown", "<!doctype html><p>text", "text/html"},
        {"application/octet-stream", "<html><p>text", "text/html"},
        {"text/htmlx", "<p>text", "text/plain"},
        {";", "<p>text", "text/plain"},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_str(
            extract_typed(*state, str_of(CASES[i].bytes), CASES[i].type).mime,
            str_of(CASES[i].mime));
}

/* ---- blocks ---- */

static void elements_become_blocks(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<h1>Top</h1><p>One <b>bold</b><i>ly</i>\n said.<p>Two<br>lines"
             "<h2>Lists</h2><ul><li>a<ul><li>b</ul><li><p>c</p></ul>"
             "<dl><dt>term<dd>short<dt>long<dd><p>x</p><ul><li>y</ul></dl>"
             "<blockquote><p>quoted</p><p>twice</p></blockquote>"
             "<pre>  code\n\tkept </pre><hr>end"),
        "");

    assert_str(
        d.text,
        STR("# Top\n\nOne boldly said.\n\nTwo lines\n\n## Lists\n\n- a\n"
            "  - b\n- c\n- term: short\n- long\n\nx\n\n  - y\n\n"
            "> quoted\n\n> twice\n\n```\n  code\n\tkept \n```\n\nend\n"));
    assert_int_equal(d.blocks[d.blocks_n - 1].heading, 3);
    assert_int_equal(d.blocks[3].heading, 0);
}

static void tables_of_data_are_tables(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<table><caption>Sizes</caption><tr><th>a<th colspan=2>b|c"
             "<tr><td rowspan=2>1<td>2<td>3<tr><td>4<td><p>5</p><p>6</p>"
             "<tr><td><td><td></table>"),
        "");

    assert_str(d.text, STR("Sizes\n\n| a | b\\|c |  |\n| --- | --- | --- |\n"
                           "| 1 | 2 | 3 |\n|  | 4 | 5 6 |\n"));
    assert_int_equal(d.blocks[1].kind, BLOCK_TABLE_ROW);
}

static void tables_of_layout_are_read_as_what_is_in_them(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<table><tr><td><h1>Title</h1><p>First cell.</p></td><td>"
             "<table><tr><td>x</td><td>1</td></tr><tr><td>y</td><td>2</td>"
             "</tr></table></td></tr></table>"),
        "");

    assert_str(d.text, STR("# Title\n\nFirst cell.\n\n| x | 1 |\n"
                           "| --- | --- |\n| y | 2 |\n"));
}

static void what_stands_loose_in_a_table_is_kept(void **state)
{
    struct doc d = extract(*state,
                           PAGE("<table>loose<tr>words<td>cell</td></tr>"
                                "<div>block</div></table>after"),
                           "");

    assert_true(holds(d.text, "loose") && holds(d.text, "words"));
    assert_true(holds(d.text, "cell") && holds(d.text, "block"));
    assert_true(holds(d.text, "after"));
}

static void references_are_decoded_but_not_made(void **state)
{
    struct doc d =
        extract(*state,
                PAGE("<p>a&nbsp;b &lt;i&gt; &#8364; &eacute; AT&T &am<b>p;</b>"
                     " 1 < 2 <3 &#x41;</p>"),
                "");

    assert_str(d.text, STR("a b <i> \xe2\x82\xac \xc3\xa9 AT&T &amp; 1 < 2 <3 "
                           "A\n"));
}

static void what_is_no_text_is_left_out(void **state)
{
    struct doc d = extract(
        *state,
        PAGE(
            "<p>text<script>var a = '</p>';</script><style>p{}</style>"
            "<template>no</template><svg><title>no</title><text>no</text></svg>"
            "<select><option>no</select><button>no</button>"
            "<textarea>no</textarea><noscript>no</noscript>"
            "<iframe>no</iframe><math><mi>x</mi><annotation>no</annotation>"
            "</math> more"),
        "");

    assert_str(d.text, STR("textx more\n"));
    assert_int_equal(flag_of(&d, FLAG_SCRIPT, true).count, 1);
}

static void an_unclosed_control_takes_no_paragraphs_along(void **state)
{
    struct doc d = extract(*state,
                           PAGE("<button>press<p>first</p><svg><path>"
                                "<h2>second</h2><p>third"),
                           "");

    assert_str(d.text, STR("first\n\n## second\n\nthird\n"));
}

static void pictures_say_what_only_they_say(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<p>a <img alt='logo'> <img alt='photo of file.png'> "
             "<img alt='The pump and its two valves, seen from above'> b</p>"),
        "");

    assert_str(d.text,
               STR("a The pump and its two valves, seen from above b\n"));
}

static void pictures_that_are_shown_are_counted(void **state)
{
    static const struct {
        const char *body;
        unsigned images;
    } CASES[] = {
        {"<p>a<img src=a>b<img src=b alt='one'>", 2},
        {"<picture><source srcset=a><source srcset=b><img src=c></picture>", 1},
        {"<p>a<svg><image href=a></svg><video><img src=a></video>", 0},
        {"<p>a<img src=a width=1 height=1><img src=a width=2>", 0},
        {"<p>a<img src=a hidden><div style='display:none'><img src=b></div>",
         0},
        {"<p>a<noscript><img src=a></noscript>", 0},
        {"<table><img src=a><tr><td><img src=b>1<td>2<tr><td>3<td>4</table>",
         2},
        {"<nav><a href=/><img src=logo>Home</a> <a href=/b>Shop</a></nav><main>"
         "<p>The pump lifts forty litres of water each minute, day and night."
         "<p><img src=pump></main>",
         1},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(
            *state, arena_fmt(*state, "<html><body>%s", CASES[i].body), "");

        if (d.images != CASES[i].images)
            fail_msg("%u in %s", d.images, CASES[i].body);
    }
}

/* ---- hidden ---- */

static void hidden_text_is_left_out_and_flagged(void **state)
{
    static const struct {
        const char *open;
        enum doc_flag_kind kind;
    } WAYS[] = {
        {"<p hidden>", FLAG_HIDDEN},
        {"<p aria-hidden=true>", FLAG_HIDDEN},
        {"<p style='display:none'>", FLAG_HIDDEN},
        {"<p style='DISPLAY : none !important'>", FLAG_HIDDEN},
        {"<p style='display&#58;none'>", FLAG_HIDDEN},
        {"<p style='display:/**/none'>", FLAG_HIDDEN},
        {"<p style='visibility:hidden'>", FLAG_HIDDEN},
        {"<p class='sr-only'>", FLAG_HIDDEN},
        {"<p style='position:absolute;clip:rect(0,0,0,0)'>", FLAG_HIDDEN},
        {"<p style='height:0;overflow:hidden'>", FLAG_HIDDEN},
        {"<p style='opacity:0'>", FLAG_INVISIBLE},
        {"<p style='color:transparent'>", FLAG_INVISIBLE},
        {"<p style='color:#fff'>", FLAG_INVISIBLE},
        {"<p style='color:rgb(254, 254, 254)'>", FLAG_INVISIBLE},
        {"<p style='color:#222;background:#202020'>", FLAG_INVISIBLE},
        {"<p><font color=white>", FLAG_INVISIBLE},
        {"<table bgcolor=navy><td style='color:navy'>", FLAG_INVISIBLE},
        {"<p style='font-size:0'>", FLAG_TINY},
        {"<p style='font:1px serif'>", FLAG_TINY},
        {"<p style='position:absolute;left:-9999px'>", FLAG_OFF_PAGE},
        {"<p style='text-indent:-1000em'>", FLAG_OFF_PAGE},
    };

    for (size_t i = 0; i < NELEMS(WAYS); i++) {
        str page = arena_fmt(*state,
                             "<html><p>Words everybody sees stand here, and "
                             "there are enough of them.</p>%ssecret words",
                             WAYS[i].open);
        struct doc d = extract(*state, page, "");
        struct doc_flag f = flag_of(&d, WAYS[i].kind, true);

        if (holds(d.text, "secret") || !holds(d.text, "enough") || f.count == 0)
            fail_msg("%s gave " STR_FMT, WAYS[i].open, STR_ARG(d.text));
        assert_str(f.sample, STR("secret words"));
        assert_int_equal(f.count, 1);
    }
}

static void what_is_shown_again_inside_is_kept(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<div style='visibility:hidden'>no<p style='visibility:visible'>"
             "yes</div><div style='font-size:0'>no<p style='font-size:12pt'>"
             "yes, too</div><div style='color:#fff'>no<p style='color:#000'>"
             "and this</div>"),
        "");

    assert_str(d.text, STR("yes\n\nyes, too\n\nand this\n"));
}

static void white_text_where_a_sheet_may_paint_the_ground_is_only_flagged(
    void **state)
{
    struct doc d = extract(*state,
                           STR("<html><style>.dark{background:#000}</style>"
                               "<div class=dark><p style='color:#fff'>shown"),
                           "");

    assert_str(d.text, STR("shown\n"));
    assert_true(flag_of(&d, FLAG_INVISIBLE, false).count > 0);
}

static void a_page_that_is_faded_in_by_a_script_is_kept(void **state)
{
    struct doc d = extract(
        *state, PAGE("<div style='opacity:0'><h1>All</h1><p>All of it.</div>"),
        "");

    assert_str(d.text, STR("# All\n\nAll of it.\n"));
    assert_true(flag_of(&d, FLAG_INVISIBLE, false).count > 0);
}

static void tricks_with_signs_are_flagged(void **state)
{
    struct doc d = extract(
        *state, PAGE("<p>pass&#8203;word &#x202e;drow&#x202c; done</p>"), "");

    assert_str(d.text, STR("password drow done\n"));
    assert_true(flag_of(&d, FLAG_ZERO_WIDTH, true).count > 0);
    assert_int_equal(flag_of(&d, FLAG_BIDI, true).count, 2);
}

/* ---- the main part ---- */

#define PROSE                                                              \
    "<p>The pump moves water from the lower tank to the upper one, and a " \
    "float stops it before the upper tank runs over.</p>"                  \
    "<p>Check the float each spring: turn the pump on by hand, watch the " \
    "water rise, and see that it stops a hand's breadth below the rim.</p>"

static void only_the_pages_own_text_is_kept(void **state)
{
    struct doc d = extract(
        *state,
        PAGE("<header><a href=/>Site</a><nav><ul><li><a href=/a>Home</a>"
             "<li><a href=/b>Shop</a></ul></nav></header>"
             "<div class='cookie-banner'><p>We use cookies to make this site "
             "work and to learn how it is used. <button>OK</button></p></div>"
             "<main><div class=breadcrumbs><a href=/>Home</a> &gt; <a href=x>"
             "Pumps</a></div><article><h1>The pump</h1>" PROSE
             "<div class='share-buttons'><a href=t>Tweet</a></div></article>"
             "<section id=comments><h2>Comments</h2><p>A reader says that it "
             "never worked for her, and that she would like her money back "
             "soon.</p></section></main>"
             "<aside class=sidebar><h3>Popular</h3><ul><li><a href=p>Other"
             "</a></ul></aside><footer>Copyright 2020 The Site</footer>"),
        "");

    assert_str(d.text,
               STR("# The pump\n\nThe pump moves water from the lower tank to "
                   "the upper one, and a float stops it before the upper tank "
                   "runs over.\n\nCheck the float each spring: turn the pump "
                   "on by hand, watch the water rise, and see that it stops a "
                   "hand's breadth below the rim.\n"));
    assert_true(flag_of(&d, FLAG_BOILERPLATE, true).count >= 2);
}

static void a_page_of_links_is_kept(void **state)
{
    struct doc d =
        extract(*state,
                PAGE("<h1>Index</h1><ul><li><a href=a>Alpha</a><li><a href=b>"
                     "Beta</a><li><a href=c>Gamma</a></ul>"),
                "");

    assert_str(d.text, STR("# Index\n\n- Alpha\n- Beta\n- Gamma\n"));
}

static void a_page_is_never_all_boilerplate(void **state)
{
    struct doc d = extract(
        *state, PAGE("<div class=footer><p>Only this stands here.</p></div>"),
        "");

    assert_str(d.text, STR("Only this stands here.\n"));
    assert_int_equal(flag_of(&d, FLAG_BOILERPLATE, true).count, 0);
}

/* ---- what a page says of itself ---- */

/* A page's title is beside its text, however long: it was weighed against it
 * once, and a short text lost. */
static void a_long_title_costs_no_text(void **state)
{
    struct buf page = {0};
    struct doc d;

    buf_put(&page, STR("<!doctype html><html><title>"));
    for (unsigned i = 0; i < 100; i++)
        buf_put(&page, STR("words of a title "));
    buf_put(&page, STR("</title><body><p>The text of this page is longer than "
                       "sixty letters, but its title is longer still.</p>"));
    d = extract(*state, buf_str(&page), "a.html");
    assert_str(d.text,
               STR("The text of this page is longer than sixty letters, "
                   "but its title is longer still.\n"));
    assert_int_equal(d.flags_n, 0);
    buf_close(&page);
}

static void titles_lose_the_sites_name(void **state)
{
    static const struct {
        str page, title;
    } CASES[] = {
        {STR_INIT(
             PAGE_TEXT("<title>Pumps &mdash; The Site</title><h1>Pumps</h1>")),
         STR_INIT("Pumps")},
        {STR_INIT(PAGE_TEXT(
             "<title>The Site | Pumps</title><meta property=og:site_name "
             "content='The Site'><h1>All pumps</h1>")),
         STR_INIT("Pumps")},
        {STR_INIT(PAGE_TEXT("<title>A - B</title><p>x")), STR_INIT("A - B")},
        {STR_INIT(PAGE_TEXT(
             "<title>Site</title><meta property='og:title' content='A "
             "&amp; B'><p>x")),
         STR_INIT("A & B")},
        {STR_INIT(PAGE_TEXT("<h1>Head<i>ing</i></h1>")), STR_INIT("Heading")},
        {STR_INIT(PAGE_TEXT("<title> a\n <b>b </title><p>x")),
         STR_INIT("a <b>b")},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_str(extract(*state, CASES[i].page, "").title, CASES[i].title);
}

static void dates_are_those_the_page_names(void **state)
{
    static const struct {
        const char *head;
        str created, modified;
    } CASES[] = {
        {"<meta property='article:published_time' "
         "content='2021-03-04T05:06:07+01:00'>",
         STR_INIT("2021-03-04T05:06:07+01:00"), STR_INIT("")},
        {"<meta name=DC.date content=2020-02-29><meta "
         "property=article:modified_time content='2020-03-01T10:00Z'>",
         STR_INIT("2020-02-29"), STR_INIT("2020-03-01T10:00:00Z")},
        {"<script type='application/ld+json'>{\"@graph\": [{\"datePublished\":"
         "\"2019-01-02T03:04:05\", \"dateModified\": "
         "\"2019-01-03\"}]}</script>",
         STR_INIT("2019-01-02"), STR_INIT("2019-01-03")},
        {"<p><time datetime='2018-05-06'>May</time>", STR_INIT("2018-05-06"),
         STR_INIT("")},
        {"<meta http-equiv=last-modified content='Tue, 15 Nov 1994 12:45:26 "
         "GMT'>",
         STR_INIT(""), STR_INIT("1994-11-15")},
        {"<meta name=date content='2021-02-30'>", STR_INIT(""), STR_INIT("")},
        {"<meta name=date content='yesterday'>", STR_INIT(""), STR_INIT("")},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(
            *state, arena_fmt(*state, "<html>%s<p>text", CASES[i].head), "");

        assert_str(d.created, CASES[i].created);
        assert_str(d.modified, CASES[i].modified);
    }
}

static void the_language_is_the_pages_word(void **state)
{
    struct doc d = extract(*state, STR("<html lang='pt-BR'><p>ol\xc3\xa1"), "");

    assert_str(d.language, STR("pt-BR"));
    d = extract(*state,
                STR("<html><meta property=og:locale content=en_GB><p>x"), "");
    assert_str(d.language, STR("en-GB"));
    d = extract(*state, STR("<html lang='no such!'><p>x"), "");
    assert_str(d.language, STR(""));
}

static void the_address_is_the_pages_word(void **state)
{
    static const struct {
        const char *head, *canonical;
    } CASES[] = {
        {"<link rel=canonical href='https://a.org/b?c=1&amp;d=2'>",
         "https://a.org/b?c=1&d=2"},
        {"<link rel='alternate Canonical' href=' http://a.org/ '>",
         "http://a.org/"},
        {"<meta property='og:url' content='https://a.org/og'>",
         "https://a.org/og"},
        {"<meta property='og:url' content='https://a.org/og'><link "
         "rel=canonical href='https://a.org/link'>",
         "https://a.org/link"},
        /* a relative one is as none */
        {"<link rel=canonical href='/b'><meta property='og:url' "
         "content='https://a.org/og'>",
         "https://a.org/og"},
        {"<link rel=canonical href='/b'>", ""},
        {"<link rel=canonical>", ""},
        {"<link rel=canonical-not href='https://a.org/'>", ""},
        {"<link rel=canonical href='javascript:alert(1)'>", ""},
        {"<link rel=canonical href='https://a.org/\nb'>", ""},
        {"<link rel=canonical href='https://a.org/&#x85;&#x202e;'>", ""},
        /* the first counts */
        {"<link rel=canonical href='https://a.org/1'><link rel=canonical "
         "href='https://a.org/2'>",
         "https://a.org/1"},
        {"<svg><link rel=canonical href='https://a.org/1'></svg>", ""},
    };
    struct buf b = {0};

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract(
            *state, arena_fmt(*state, "<html>%s<p>text", CASES[i].head), "");

        assert_str(d.canonical, str_of(CASES[i].canonical));
    }
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&b);
        buf_put(&b, STR("<html><link rel=canonical href='https://"));
        for (size_t i = 8; i < DOC_URL_BYTES_MAX + over; i++)
            buf_put_char(&b, 'a');
        buf_put(&b, STR("'><p>text"));
        assert_int_equal(extract(*state, buf_str(&b), "").canonical.n,
                         over == 0 ? DOC_URL_BYTES_MAX : 0);
    }
    buf_close(&b);
}

/* ---- character sets ---- */

static void a_page_says_its_character_set(void **state)
{
    static const struct {
        str page;
        const char *text;
    } CASES[] = {
        {STR_INIT("<html><meta charset=koi8-r><p>\xcd\xc9\xd2"), "мир\n"},
        {STR_INIT("<html><meta http-equiv=content-type content='text/html; "
                  "charset=windows-1251'><p>\xec\xe8\xf0"),
         "мир\n"},
        {STR_INIT("<html><meta charset=iso-8859-1><p>caf\xe9 \x80"),
         "café €\n"},
        {STR_INIT("<html><meta charset=iso-8859-2><p>\xb6"), "ś\n"},
        {STR_INIT("<?xml version='1.0' encoding='iso-8859-7'?><html><p>\xe1"),
         "α\n"},
        /* Bytes that are UTF-8 are UTF-8, whatever it says. */
        {STR_INIT("<html><meta charset=windows-1251><p>caf\xc3\xa9"), "café\n"},
        {STR_INIT("\xff\xfe<\0h\0t\0m\0l\0>\0\xe9\0"), "é\n"},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++)
        assert_str(extract(*state, CASES[i].page, "").text,
                   str_of(CASES[i].text));
}

static void a_set_that_is_not_read_is_named(void **state)
{
    struct doc d = extract(
        *state, STR("<html><meta charset=Shift_JIS><p>\x93\xfa\x96\x7b"), "");

    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_str(d.note,
               STR("The page is written in the character set Shift_JIS, "
                   "which is not read"));
}

static void a_header_says_the_character_set(void **state)
{
    static const struct {
        const char *type;
        str page;
        const char *text;
    } CASES[] = {
        {"text/html; charset=koi8-r", STR_INIT("<html><p>\xcd\xc9\xd2"),
         "мир\n"},
        {"text/html;charset=\"windows-1251\"", STR_INIT("<p>\xec\xe8\xf0"),
         "мир\n"},
        {"text/html; charset=ISO-8859-5", STR_INIT("<p>\xdc\xd8\xe0"), "мир\n"},
        {"text/html; charset=latin1",
         STR_INIT("<title>x</title><p>K\xe4"
                  "fer"),
         "Käfer\n"},
        /* No text as Windows-1252: a third of it is no sign there. */
        {"text/html; charset=cp866",
         STR_INIT("<html><p>\x8d\x8f\x90\x81\x9d\x8d\x8f\x90"), "НПРБЭНПР\n"},
        {"text/html; charset=utf-16le",
         STR_INIT("<\0p\0>\0\x3c\x04\x38\x04\x40\x04\x3c\x04\x38\x04\x40\x04"),
         "мирмир\n"},
        /* It goes before the page's own word… */
        {"text/html; charset=koi8-r",
         STR_INIT("<html><meta charset=windows-1251><p>\xcd\xc9\xd2"), "мир\n"},
        {"text/html; charset=iso-8859-1",
         STR_INIT("<html><meta charset=koi8-r><p>\xe4"), "ä\n"},
        /* …unless it is wrong or nobody knows it, and behind the bytes. */
        {"text/html; charset=utf-8",
         STR_INIT("<html><meta charset=windows-1251><p>\xec\xe8\xf0"), "мир\n"},
        {"text/html; charset=moon",
         STR_INIT("<html><meta charset=windows-1251><p>\xec\xe8\xf0"), "мир\n"},
        {"text/html; charset=koi8-r",
         STR_INIT("\xef\xbb\xbf<html><p>caf\xc3\xa9"), "café\n"},
        {"text/html; charset=koi8-r", STR_INIT("\xff\xfe<\0p\0>\0\xe9\0"),
         "é\n"},
        {"text/html; charset=koi8-r", STR_INIT("<html><p>caf\xc3\xa9"),
         "café\n"},
        {"text/html; charset=gbk", STR_INIT("<html><p>caf\xc3\xa9"), "café\n"},
        {"text/html; charset=utf-16", STR_INIT("<html><p>caf\xe9"), "café\n"},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = extract_typed(*state, CASES[i].page, CASES[i].type);

        assert_int_equal(d.outcome, EXTRACT_OK);
        assert_str(d.text, str_of(CASES[i].text));
    }
}

static void a_mark_goes_before_a_header_where_bytes_are_broken(void **state)
{
    struct doc d =
        extract_typed(*state, STR("\xef\xbb\xbf<html><p>caf\xc3\xa9 \xcd!"),
                      "text/html; charset=koi8-r");

    assert_str(d.text, STR("café \xef\xbf\xbd!\n"));
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
}

static void a_set_of_the_header_that_is_not_read_is_named(void **state)
{
    struct doc d =
        extract_typed(*state, STR("<html><p>\xc4\xe3\xba\xc3\xc4\xe3\xba\xc3"),
                      "text/html; charset=GBK");

    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_str(d.note, STR("The page is written in the character set GBK, "
                           "which is not read"));
}

/* Pages without text of their own: a script is to make it. */
static void a_shell_of_a_program_says_so(void **state)
{
    static const char *const SHELLS[] = {
        /* React, Vue, Angular, Next.js and others as they are made */
        "<title>React App</title><body><noscript>You need to enable JavaScript "
        "to run this app.</noscript><div id='root'></div>"
        "<script src='/main.js'></script>",
        "<title>my-app</title><body><noscript><strong>We're sorry but my-app "
        "doesn't work properly without JavaScript enabled. Please enable it to "
        "continue.</strong></noscript><div id=app></div><script src=a.js>"
        "</script>",
        "<body><app-root></app-root><script type=module src=a.js></script>",
        "<body><app-root>Loading...</app-root><script src=a.js></script>",
        "<body><my-app><div class=spinner></div></my-app><script src=a.js>"
        "</script>",
        "<body><div id=__next></div><script src=a.js></script>",
        "<body><div id=__nuxt><div>Loading…</div></div><script>x()</script>",
        "<body ng-app=a><div ng-view></div><script src=a.js></script>",
        /* only a word to wait, or a wish */
        "<body><p>Loading…</p><script src=a.js></script>",
        "<body><div>Bitte warten, die Seite wird geladen …</div>"
        "<script src=a.js></script>",
        "<body><p>読み込み中…</p><script src=a.js></script>",
        "<body><h1>Please enable JavaScript</h1><p>This site requires "
        "JavaScript to work.</p><script src=a.js></script>",
        "<body><p>JavaScript is disabled in your browser.</p><script src=a.js>"
        "</script>",
        "<body><p>Bitte aktivieren Sie JavaScript, um fortzufahren.</p>"
        "<script src=a.js></script>",
        "<body><p>JavaScriptを有効にしてください。</p><script "
        "src=a.js></script>",
        "<title>Just a moment...</title><body><div class=main></div><noscript>"
        "Enable JavaScript and cookies to continue</noscript><script>a()"
        "</script>",
        /* what a site shows around it */
        "<title>Acme</title><body><header><a href=/>Acme</a></header><nav><a "
        "href=/a>Products</a> <a href=/b>Prices</a></nav><div id=root></div>"
        "<footer>© 2024 Acme Ltd. <a href=/i>Imprint</a></footer>"
        "<script src=a.js></script>",
        "<title>Acme shop</title><body><h1>Acme</h1><noscript>Javascript is "
        "needed here</noscript><script src=a.js></script>",
        "<body><div id=root></div><p>The friendly shop around the corner.</p>"
        "<script src=a.js></script>",
    };

    for (size_t i = 0; i < NELEMS(SHELLS); i++) {
        struct doc d = extract(
            *state, arena_fmt(*state, "<!doctype html>%s", SHELLS[i]), "");

        if (d.outcome != EXTRACT_UNSUPPORTED || d.text.n > 0 || d.blocks_n > 0)
            fail_msg("%s is no shell: " STR_FMT, SHELLS[i], STR_ARG(d.text));
        assert_str(d.note, STR("The page's text is made by JavaScript, which "
                               "knowd does not run"));
    }
}

static void a_short_page_is_no_shell(void **state)
{
    static const char *const PAGES[] = {
        "<p>Hello world</p><script src=analytics.js></script>",
        "<title>404 Not Found</title><h1>404 Not Found</h1><p>The page was not "
        "found on this server.</p><script src=a.js></script>",
        "<p>Ten words and a pixel make no program of this.</p><noscript><img "
        "src='https://a.org/p?noscript=1&javascript=0'></noscript><script>a()"
        "</script>",
        "<p>A note.</p><noscript><iframe src='https://a.org/ns.html'></iframe>"
        "</noscript><script>a()</script>",
        "<h1>A thought</h1><p>Bread is best on its second day.</p><div "
        "id=disqus_thread></div><noscript>Please enable JavaScript to view the "
        "comments.</noscript><script src=d.js></script>",
        /* made on the server, in the place a script takes over */
        "<div id=root><p>Hello world</p></div><script src=a.js></script>",
        "<div id=__next><main><h1>Prices</h1><p>Ten a month.</p></main></div>"
        "<script id=__NEXT_DATA__ type='application/json'>{}</script>"
        "<script src=a.js></script>",
        "<app-root><h1>Prices</h1></app-root><script src=a.js></script>",
        "<noscript>You need to enable JavaScript to run this app.</noscript>"
        "<div id=root><p>Hello world</p></div><script src=a.js></script>",
        /* about JavaScript, about loading, about waiting */
        "<h1>How to enable JavaScript</h1><p>Open the settings, choose "
        "Privacy, and tick the box.</p><script src=a.js></script>",
        "<h1>Loading dock</h1><p>Open from six to ten.</p><script src=a.js>"
        "</script>",
        "<p>Loading and unloading of lorries</p><script src=a.js></script>",
        "<p>JavaScript was made in ten days.</p><script src=a.js></script>",
        "<p>Please wait here for the bus to Leeds.</p><script>a()</script>",
        /* without a script nothing else is to come */
        "<div id=root></div><p>Hello world</p>",
        "<p>Loading…</p>",
        "<div id=app></div><p>Data is no script.</p><script "
        "type='application/ld+json'>{}</script>",
        /* a place for something small beside a text */
        "<h1>Our house</h1><p>The house was built in 1890, and it has stood "
        "empty since the year in which the mill was closed for good.</p>"
        "<p>It is for sale.</p><div id=app></div><script src=chat.js></script>",
    };

    for (size_t i = 0; i < NELEMS(PAGES); i++) {
        struct doc d = extract(
            *state, arena_fmt(*state, "<!doctype html><body>%s", PAGES[i]), "");

        if (d.outcome != EXTRACT_OK || d.text.n == 0 || d.note.n > 0)
            fail_msg("%s is no shell: " STR_FMT, PAGES[i], STR_ARG(d.note));
    }
}

/* ---- hostile ---- */

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `head`, n times `part` with its number for each @, `tail`. */
static struct doc repeat(struct arena *a, const char *head, const char *part,
                         size_t n, const char *tail)
{
    struct buf b = {0};
    struct doc d;

    buf_put(&b, str_of(head));
    for (size_t i = 0; i < n; i++) {
        for (const char *p = part; *p != '\0'; p++) {
            if (*p == '@')
                buf_fmt(&b, "%zu", i);
            else
                buf_put_char(&b, *p);
        }
    }
    buf_put(&b, str_of(tail));
    d = extract(a, buf_str(&b), "");
    buf_close(&b);
    return d;
}

/* What is quadratic in a browser's algorithms. A page of twice the size takes
 * about twice as long; quadratic ones take four times. */
static void time_grows_with_the_page_only(void **state)
{
    static const struct {
        const char *head, *part, *tail;
    } CASES[] = {
        {"<html>", "<div>", "end"},
        {"<html>", "<b id=@>", "end"},
        {"<html>", "<font size=@><p>x", "end"},
        {"<html>", "<a href=@><div>", "end"},
        {"<html>", "<a href=x><b>@", "end"},
        {"<html>", "<p>@<i>", "end"},
        {"<html><table>", "x<b>@</b>", "end"},
        {"<html>", "<table><tr><td>", "end"},
        {"<html>", "<table>x", "end"},
        {"<html>", "<ul><li>", "end"},
        {"<html>", "<li><p>x</div>", "end"},
        {"<html><p", " a@=@", ">end"},
        {"<html><p style='", "color:red;display:block;", "'>end"},
        {"<html><p class='", "main-content sidebar@ ", "'>end"},
        {"<html>", "<html a@=1>", "end"},
        {"<html>", "<svg><p>", "end"},
        {"<html>", "<select><option>", "<p>end"},
        {"<html>", "<span hidden>", "end"},
        {"<html>", "<p hidden>x</p><p>y", "end"},
        {"<html>", "<x-@>", "end"},
        {"<html>", "</div></p></b></table>", "end"},
        {"<html>", "<!-- <", "--><p>end"},
        {"<html>", "<title>", "</title>end"},
        {"<html>", "<script>", "</script>end"},
        {"<html>", "&amp;&am&#65", "<p>end"},
        {"<html>", "<td rowspan=9999 colspan=64>", "end"},
        {"<html><table>", "<tr><th>@<td rowspan=65000 colspan=64>x", "end"},
        {"<html>", "<h1>a</h1><section>", "end"},
        {"<html>", "<blockquote><pre>", "end"},
        {"<html>", "<frameset><template>", "<p>end"},
    };

    for (size_t i = 0; i < NELEMS(CASES); i++) {
        double began = cpu_s(), first;
        struct doc d =
            repeat(*state, CASES[i].head, CASES[i].part, 20000, CASES[i].tail);

        first = cpu_s() - began;
        if (!holds(d.text, "end") && d.outcome == EXTRACT_OK)
            fail_msg("case %zu lost its end, and does not say so", i);
        began = cpu_s();
        (void)repeat(*state, CASES[i].head, CASES[i].part, 80000,
                     CASES[i].tail);

        /* 4^1.2 is 5.3; quadratic is 16. */
        if (cpu_s() - began > 9 * first + 0.3)
            fail_msg("case %zu: %.2f s, then %.2f s", i, first,
                     cpu_s() - began);
    }
}

static void a_million_levels_are_read_flat(void **state)
{
    struct doc d = repeat(*state, "<html><h1>Top</h1>", "<div>", 1000000,
                          "<p>the bottom</p>");

    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(holds(d.text, "# Top") && holds(d.text, "the bottom"));
    assert_str(d.note,
               STR("Elements are nested deeper than 256 levels; what is deeper "
                   "was read without its structure"));
}

static void more_elements_than_are_read_is_said(void **state)
{
    struct doc d = repeat(*state, "<html>", "<br>@", 500000, "");

    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(holds(d.text, "1000 1001 "));
    assert_str(d.note, STR("The page has more elements than are read; what "
                           "comes after them was left out"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_page_is_known_by_how_it_starts),
        T(text_with_some_tags_is_no_page),
        T(a_fragment_is_a_page_where_it_is_said_to_be),
        T(the_type_is_not_believed_over_bytes),
        T(elements_become_blocks),
        T(tables_of_data_are_tables),
        T(tables_of_layout_are_read_as_what_is_in_them),
        T(what_stands_loose_in_a_table_is_kept),
        T(references_are_decoded_but_not_made),
        T(what_is_no_text_is_left_out),
        T(an_unclosed_control_takes_no_paragraphs_along),
        T(pictures_say_what_only_they_say),
        T(pictures_that_are_shown_are_counted),
        T(hidden_text_is_left_out_and_flagged),
        T(what_is_shown_again_inside_is_kept),
        T(white_text_where_a_sheet_may_paint_the_ground_is_only_flagged),
        T(a_page_that_is_faded_in_by_a_script_is_kept),
        T(tricks_with_signs_are_flagged),
        T(only_the_pages_own_text_is_kept),
        T(a_page_of_links_is_kept),
        T(a_page_is_never_all_boilerplate),
        T(titles_lose_the_sites_name),
        T(a_long_title_costs_no_text),
        T(dates_are_those_the_page_names),
        T(the_language_is_the_pages_word),
        T(the_address_is_the_pages_word),
        T(a_page_says_its_character_set),
        T(a_set_that_is_not_read_is_named),
        T(a_header_says_the_character_set),
        T(a_mark_goes_before_a_header_where_bytes_are_broken),
        T(a_set_of_the_header_that_is_not_read_is_named),
        T(a_shell_of_a_program_says_so),
        T(a_short_page_is_no_shell),
        T(time_grows_with_the_page_only),
        T(a_million_levels_are_read_flat),
        T(more_elements_than_are_read_is_said),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
