#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "extract/extract.h"
#include "zip_fix.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

#define XHTML(body)                                                      \
    "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.1//EN' 'xhtml11.dtd'>"   \
    "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>no</title>" \
    "</head><body>" body "</body></html>"

/* A book of two chapters, the second first in the spine, and a nav. */
static struct zip book(const char *one, const char *two)
{
    struct zip z = {0};

    zip_add(&z, (struct zip_entry){.name = STR("mimetype"),
                                   .bytes = STR("application/epub+zip")});
    zip_put(&z, "META-INF/container.xml",
            STR("<container xmlns='urn:oasis:names:tc:opendocument:xmlns:"
                "container'><rootfiles><rootfile full-path='O/book.opf'/>"
                "</rootfiles></container>"));
    zip_put(&z, "O/book.opf",
            STR("<package xmlns='http://www.idpf.org/2007/opf' xmlns:dc="
                "'http://purl.org/dc/elements/1.1/'><metadata>"
                "<dc:title>The book</dc:title><dc:language>fr</dc:language>"
                "<dc:date>2020-02-03</dc:date><meta property="
                "'dcterms:modified'>2021-01-01T00:00:00Z</meta></metadata>"
                "<manifest><item id='a' href='one.xhtml' media-type="
                "'application/xhtml+xml'/><item id='b' href='../two%2exhtml' "
                "media-type='application/xhtml+xml'/><item id='n' "
                "href='nav.xhtml' properties='nav' media-type="
                "'application/xhtml+xml'/><item id='p' href='x.png' "
                "media-type='image/png'/></manifest><spine>"
                "<itemref idref='n'/><itemref idref='b'/><itemref idref='a'/>"
                "<itemref idref='a'/><itemref idref='p'/></spine></package>"));
    zip_put(&z, "O/one.xhtml", str_of(one));
    zip_put(&z, "two.xhtml", str_of(two));
    zip_put(&z, "O/nav.xhtml", STR(XHTML("<nav>contents</nav>")));
    return z;
}

static struct doc extract(struct zip *z)
{
    struct doc d;
    const char *why;

    assert_int_equal(extract_bytes(zip_end(z, arena),
                                   (struct said){.filename = STR("a.epub")},
                                   arena, &d, NULL),
                     RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static void assert_text(const struct doc *d, const char *want)
{
    if (!str_eq(d->text, str_of(want)))
        fail_msg("got \"" STR_FMT "\" (%s, " STR_FMT "), want \"%s\"",
                 STR_ARG(d->text), EXTRACT_OUTCOME_NAMES[d->outcome],
                 STR_ARG(d->note), want);
}

static void chapters_come_in_the_order_of_the_spine(void **state)
{
    struct zip z = book(XHTML("<h2>One</h2><p>first&nbsp;&mdash;</p>"),
                        XHTML("<p>preface</p>"));
    struct doc d = extract(&z);

    (void)state;
    assert_text(&d, "preface\n\n## One\n\nfirst —\n");
    assert_int_equal(d.outcome, EXTRACT_OK);
    assert_true(str_eq(d.title, STR("The book")));
    assert_true(str_eq(d.language, STR("fr")));
    assert_true(str_eq(d.created, STR("2020-02-03")));
    assert_true(str_eq(d.modified, STR("2021-01-01T00:00:00Z")));
    assert_true(str_eq(d.mime, STR("application/epub+zip")));
    assert_int_equal(d.flags_n, 1);
    assert_int_equal(d.flags[0].kind, FLAG_BOILERPLATE);
}

static void a_chapter_is_blocks(void **state)
{
    struct zip z =
        book(XHTML("<ol start='3'><li><p>three</p><ul><li>in</li></ul></li>"
                   "<li>four</li></ol><table><tr><th>a</th><th>b</th></tr><tr>"
                   "<td colspan='2'>c</td></tr></table><pre>if x:\n  y()</pre>"
                   "<pre>z</pre><blockquote><p>said</p></blockquote>"
                   "<math xmlns='http://www.w3.org/1998/Math/MathML'><mi>x</mi>"
                   "<annotation>tex</annotation></math>"
                   "<div>a <i>b</i><br/>c<p>d</p>e</div>"),
             XHTML(""));
    struct doc d = extract(&z);

    (void)state;
    assert_text(&d, "3. three\n   - in\n4. four\n\n| a | b |\n| --- | --- |\n"
                    "| c |  |\n\n```\nif x:\n  y()\n```\n\n```\nz\n```\n\n"
                    "> said\n\nx\n\na b c\n\nd\n\ne\n");
}

static void what_is_not_shown_is_dropped_and_flagged(void **state)
{
    struct zip z = book(
        XHTML("<p hidden=''>one</p><p>se<span style='display: none'>two</span>"
              "en</p><script>alert(1)</script><style>p{}</style>"),
        XHTML(""));
    struct doc d = extract(&z);

    (void)state;
    assert_text(&d, "seen\n");
    assert_int_equal(d.flags_n, 3);
    assert_int_equal(d.flags[1].kind, FLAG_HIDDEN);
    assert_int_equal(d.flags[1].count, 2);
    assert_int_equal(d.flags[2].kind, FLAG_SCRIPT);
}

static void assert_seen(const char *body, const char *want,
                        enum doc_flag_kind kind)
{
    struct zip z = book(body, XHTML(""));
    struct doc d = extract(&z);

    assert_text(&d, want);
    assert_int_equal(d.flags_n, kind == DOC_FLAG_COUNT ? 1 : 2);
    if (d.flags_n == 2)
        assert_int_equal(d.flags[1].kind, kind);
}

/* The same marks as in a page of HTML (test_html.c). */
static void inline_style_hides_as_in_pages(void **state)
{
    static const char *const HIDDEN[] = {
        XHTML("<p>in<span aria-hidden='true'>x</span></p>"),
        XHTML("<p>in<span class='sr-only'>x</span></p>"),
        XHTML("<p>in<i style='DISPLAY : none !important'>x</i></p>"),
        XHTML("<p>in<i style='visibility:hidden'>x</i></p>")};

    (void)state;
    for (size_t i = 0; i < NELEMS(HIDDEN); i++)
        assert_seen(HIDDEN[i], "in\n", FLAG_HIDDEN);
    assert_seen(XHTML("<p>in<i style='opacity:0'>x</i></p>"), "in\n",
                FLAG_INVISIBLE);
    assert_seen(XHTML("<p>in<i style='font-size:1px'>x</i></p>"), "in\n",
                FLAG_TINY);
    assert_seen(XHTML("<p>in<i style='position:absolute;left:-9999px'>x</i>"
                      "</p>"),
                "in\n", FLAG_OFF_PAGE);
    assert_seen(XHTML("<p>in<i style='color:#fff'>x</i></p>"), "in\n",
                FLAG_INVISIBLE);
    assert_seen(XHTML("<p>in<b style='background:navy;color:navy'>x<i style="
                      "'color:white'>y</i></b></p>"),
                "iny\n", FLAG_INVISIBLE);
}

/* A style sheet may paint the ground, and what is inside may be seen again. */
static void what_may_be_seen_is_kept(void **state)
{
    static const char *const SEEN[] = {
        XHTML("<style>body{background:black}</style>"
              "<p style='color:white'>in</p>"),
        XHTML("<p style='visibility:hidden'><b style='visibility:visible'>in"
              "</b></p>"),
        XHTML("<p style='font-size:0'><b style='font-size:12px'>in</b></p>"),
        XHTML("<div style='background:black'><p style='color:white'>in</p>"
              "</div>")};

    (void)state;
    for (size_t i = 0; i < NELEMS(SEEN); i++)
        assert_seen(SEEN[i], "in\n", DOC_FLAG_COUNT);
}

static void a_damaged_chapter_costs_what_is_behind_its_damage(void **state)
{
    struct zip z = book(XHTML("<p>whole</p>"), XHTML("<p>half</q>"));
    struct doc d = extract(&z);

    (void)state;
    assert_text(&d, "half\n\nwhole\n");
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
}

static void encrypted_books_say_so_and_garbled_fonts_do_not_matter(void **state)
{
    static const struct {
        const char *algorithm;
        enum extract_outcome outcome;
    } CASES[] = {
        {"http://www.idpf.org/2008/embedding", EXTRACT_OK},
        {"http://www.w3.org/2001/04/xmlenc#aes128-cbc", EXTRACT_ENCRYPTED}};

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct zip z = book(XHTML("<p>text</p>"), XHTML(""));
        struct doc d;

        zip_put(&z, "META-INF/encryption.xml",
                arena_fmt(arena,
                          "<encryption xmlns:e='http://www.w3.org/2001/04/"
                          "xmlenc#'><e:EncryptedData><e:EncryptionMethod "
                          "Algorithm='%s'/></e:EncryptedData></encryption>",
                          CASES[i].algorithm));
        d = extract(&z);
        assert_int_equal(d.outcome, CASES[i].outcome);
    }
}

static void pictures_of_chapters_are_counted(void **state)
{
    struct zip z = book(XHTML("<p>a<img src='a.png'/></p>"
                              "<p hidden='hidden'><img src='b.png'/></p>"),
                        XHTML("<figure><img src='c.png'/></figure>"));

    (void)state;
    assert_int_equal(extract(&z).images, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chapters_come_in_the_order_of_the_spine),
        cmocka_unit_test(pictures_of_chapters_are_counted),
        cmocka_unit_test(a_chapter_is_blocks),
        cmocka_unit_test(what_is_not_shown_is_dropped_and_flagged),
        cmocka_unit_test(inline_style_hides_as_in_pages),
        cmocka_unit_test(what_may_be_seen_is_kept),
        cmocka_unit_test(a_damaged_chapter_costs_what_is_behind_its_damage),
        cmocka_unit_test(
            encrypted_books_say_so_and_garbled_fonts_do_not_matter),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
