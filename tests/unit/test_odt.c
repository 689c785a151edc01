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

#define ODF "urn:oasis:names:tc:opendocument:xmlns:"
#define ODF_NS                                                         \
    "xmlns:office='" ODF "office:1.0' xmlns:style='" ODF "style:1.0' " \
    "xmlns:text='" ODF "text:1.0' xmlns:table='" ODF "table:1.0' "     \
    "xmlns:draw='" ODF "drawing:1.0' xmlns:meta='" ODF "meta:1.0' "    \
    "xmlns:fo='" ODF "xsl-fo-compatible:1.0' xmlns:svg='" ODF          \
    "svg-compatible:1.0' xmlns:manifest='" ODF "manifest:1.0' "        \
    "xmlns:xlink='http://www.w3.org/1999/xlink' "                      \
    "xmlns:dc='http://purl.org/dc/elements/1.1/'"

struct odt_parts {
    const char *body, *automatic; /* of content.xml */
    const char *styles, *meta, *manifest;
};

static struct doc extract(str bytes)
{
    struct doc d;
    const char *why;

    assert_int_equal(extract_bytes(bytes,
                                   (struct said){.filename = STR("a.odt")},
                                   arena, &d, NULL),
                     RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static void put_root(struct zip *z, const char *part, const char *root,
                     const char *inside)
{
    if (inside != NULL)
        zip_put(z, part,
                arena_fmt(arena, "<%s " ODF_NS ">%s</%s>", root, inside, root));
}

static struct doc read_parts(struct odt_parts p)
{
    struct zip z = {0};

    zip_add(&z, (struct zip_entry){
                    .name = STR("mimetype"),
                    .bytes = STR("application/vnd.oasis.opendocument.text")});
    put_root(&z, "styles.xml", "office:document-styles", p.styles);
    put_root(&z, "meta.xml", "office:document-meta", p.meta);
    put_root(&z, "META-INF/manifest.xml", "manifest:manifest", p.manifest);
    put_root(&z, "content.xml", "office:document-content",
             arena_fmt(arena,
                       "<office:automatic-styles>%s</office:automatic-styles>"
                       "<office:body><office:text>%s</office:text>"
                       "</office:body>",
                       p.automatic == NULL ? "" : p.automatic, p.body)
                 .p);
    return extract(zip_end(&z, arena));
}

static struct doc read_body(const char *body)
{
    return read_parts((struct odt_parts){.body = body});
}

static void assert_text(const struct doc *d, const char *want)
{
    if (!str_eq(d->text, str_of(want)))
        fail_msg("got \"" STR_FMT "\" (%s, " STR_FMT "), want \"%s\"",
                 STR_ARG(d->text), EXTRACT_OUTCOME_NAMES[d->outcome],
                 STR_ARG(d->note), want);
}

static void assert_flag(const struct doc *d, enum doc_flag_kind kind,
                        unsigned count, const char *sample)
{
    struct doc_flag f = {0};

    for (size_t i = 0; i < d->flags_n; i++) {
        if (d->flags[i].kind == kind && d->flags[i].dropped)
            f = d->flags[i];
    }
    if (f.count != count || !str_eq(f.sample, str_of(sample)))
        fail_msg("%u times %s: \"" STR_FMT "\"", f.count, DOC_FLAG_NAMES[kind],
                 STR_ARG(f.sample));
}

#define P(text) "<text:p>" text "</text:p>"
#define STYLED(style, text) \
    "<text:p text:style-name='" style "'>" text "</text:p>"
#define H(level, text) \
    "<text:h text:outline-level='" level "'>" text "</text:h>"
#define SPAN(style, text) \
    "<text:span text:style-name='" style "'>" text "</text:span>"
#define STYLE(family, name, inside)                                        \
    "<style:style style:family='" family "' style:name='" name "'>" inside \
    "</style:style>"

/* It would tear the XML apart. */
/* clang-format off */

static void headings_and_titles_are_kept(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .styles = STYLE("paragraph", "Title", "")
            "<style:style style:family='paragraph' style:name='P1' "
            "style:parent-style-name='Title'/>", .body = STYLED("P1",
            "The title") H("1", "One") H("12", "Deep") P("text") STYLED(
            "Heading_20_1", "no heading")});

    (void)state;
    assert_text(&d,
        "# The title\n\n# One\n\n###### Deep\n\ntext\n\nno heading\n");
    assert_true(str_eq(d.title, STR("The title")));
    assert_true(str_eq(d.mime, STR("application/vnd.oasis.opendocument.text")));
}

static void properties_give_title_dates_and_language(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .body = P("x"), .meta = "<office:meta><dc:title>A title</dc:title>"
            "<meta:creation-date>"
            "2024-02-03T04:05:06.78</meta:creation-date><dc:date>"
            "2024-02-04T00:00:00+02:00</dc:date></office:meta>", .styles =
            "<style:default-style style:family='paragraph'>"
            "<style:text-properties fo:language='de' fo:country='AT'/>"
            "</style:default-style>"});

    (void)state;
    assert_true(str_eq(d.title, STR("A title")));
    assert_true(str_eq(d.created, STR("2024-02-03T04:05:06Z")));
    assert_true(str_eq(d.modified, STR("2024-02-04T00:00:00+02:00")));
    assert_true(str_eq(d.language, STR("de-AT")));
}

#define LIST(attrs, items) "<text:list " attrs ">" items "</text:list>"
#define ITEM(inside) "<text:list-item>" inside "</text:list-item>"
#define L1 "text:style-name='L1'"

static void lists_keep_depth_and_numbers(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .automatic = "<text:list-style style:name='L1'>"
            "<text:list-level-style-number text:level='1' "
            "style:num-format='1' text:start-value='3'/>"
            "<text:list-level-style-bullet text:level='2'/>"
            "</text:list-style>", .body = LIST(L1, ITEM(P("three") P("goes on")
            LIST("", ITEM(P("in")) ITEM(""))) ITEM(P("four"))) LIST(L1
            " text:continue-numbering='true'", ITEM(P("five"))) LIST(L1,
            "<text:list-header>" P("head")
            "</text:list-header><text:list-item text:start-value='9'>" P(
            "nine") "</text:list-item>") P("seen")});

    (void)state;
    assert_text(&d, "3. three\n\ngoes on\n\n  - in\n4. four\n5. "
        "five\n\nhead\n\n9. nine\n\nseen\n");
}

#define CELL(inside) "<table:table-cell>" inside "</table:table-cell>"
#define ROW(cells) "<table:table-row>" cells "</table:table-row>"

static void tables_are_rows_of_cells(void **state)
{
    struct doc d = read_body("<table:table><table:table-column "
        "table:number-columns-repeated='3'/><table:table-header-rows>" ROW(
        CELL(P("a")) CELL(P("b") P("b2")) CELL(P("c")))
        "</table:table-header-rows>" ROW(
        "<table:table-cell table:number-columns-spanned='2'>" P("wide")
        "</table:table-cell><table:covered-table-cell>" P("covered")
        "</table:covered-table-cell>" CELL("")) ROW(
        "<table:table-cell table:number-columns-repeated='4000000'/>")
        ROW(CELL("<table:table><table:table-column/>" ROW(CELL(P("in")))
        "</table:table>" P("after")) CELL("") CELL("")) "</table:table>" P(
        "seen"));

    (void)state;
    assert_text(&d,
        "| a | b b2 | c |\n| --- | --- | --- |\n| wide |  |  |\n| in "
        "after |  |  |\n\nseen\n");
    assert_flag(&d, FLAG_HIDDEN, 1, "covered");
}

static void notes_and_boxes_stand_behind_their_paragraph(void **state)
{
    struct doc d = read_body(P(
        "no<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body>" P("a note") P("in two")
        "</text:note-body></text:note>so<draw:frame><draw:text-box>" P("box 1")
        P("box 2") "</draw:text-box><svg:desc>alternative</svg:desc>"
        "</draw:frame> on") P("seen"));

    (void)state;
    assert_text(&d, "no[^1]so on\n\n[^1]: a note in two\n\nbox 1\n\nbox "
        "2\n\nseen\n");
}

static void changes_are_taken_as_accepted(void **state)
{
    struct doc d = read_body(
        "<text:tracked-changes><text:changed-region><text:deletion>"
        "<office:change-info><dc:creator>Me</dc:creator><dc:date>"
        "2024-01-01</dc:date></office:change-info>" P("gone")
        "</text:deletion></text:changed-region>" "</text:tracked-changes>" P(
        "a<text:change/>b"));

    (void)state;
    assert_text(&d, "ab\n");
    assert_flag(&d, FLAG_DELETED, 1, "gone");
}

static void hidden_text_is_dropped_and_flagged(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .automatic = STYLE("text", "N",
            "<style:text-properties text:display='none'/>") STYLE("text", "Y",
            "<style:text-properties text:display='true'/>") STYLE("paragraph",
            "PN", "<style:text-properties text:display='none'/>"), .body = P(
            "a" SPAN("N", "one" SPAN("Y", "b")) "c") STYLED("PN", "two" SPAN(
            "Y", "d")) "<text:section text:display='none'>" P("three")
            "</text:section>" P("e<text:hidden-text text:is-hidden='true'>"
            "four</text:hidden-text>f") P(
            "<text:hidden-paragraph text:is-hidden='true'/>five") P("seen")});

    (void)state;
    assert_text(&d, "abc\n\nd\n\nef\n\nseen\n");
    assert_flag(&d, FLAG_HIDDEN, 5, "one");
}

#define INVISIBLE(family, name, properties) \
    STYLE(family, name, "<style:text-properties " properties "/>")

static void text_nobody_can_read_is_dropped_and_flagged(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .automatic = INVISIBLE("text", "W", "fo:color='#ffffff'") INVISIBLE(
            "text", "WB", "fo:color='#ffffff' fo:background-color='#000000'")
            INVISIBLE("text", "T", "fo:font-size='0.9pt'") INVISIBLE("text",
            "S", "fo:font-size='6pt'") STYLE("table-cell", "C",
            "<style:table-cell-properties fo:background-color='#204060'/>")
            STYLE("graphic", "G",
            "<style:graphic-properties draw:fill='solid' "
            "draw:fill-color='#204060'/>"), .body = P(SPAN("W", "white") SPAN(
            "WB", "on black") SPAN("T", "tiny") SPAN("S", " small")
            "<draw:frame draw:style-name='G'><draw:text-box>" P(SPAN("W",
            "of a box")) "</draw:text-box></draw:frame>") "<table:table>" ROW(
            "<table:table-cell table:style-name='C'>" P(SPAN("W", "in a cell"))
            "</table:table-cell>" CELL(P("x"))) "</table:table>"});

    (void)state;
    assert_text(&d, "on black small\n\nof a box\n\n| in a cell | x |\n| --- | "
        "--- |\n");
    assert_flag(&d, FLAG_INVISIBLE, 1, "white");
    assert_flag(&d, FLAG_TINY, 1, "tiny");
}

static void code_keeps_its_spaces_and_lines(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .styles = STYLE("paragraph", "Preformatted_20_Text", ""), .body =
            STYLED("Preformatted_20_Text", "if  x:\n") STYLED(
            "Preformatted_20_Text",
            "\n  <text:s text:c='4'/>y()<text:line-break/><text:tab/>z")
            STYLED("Preformatted_20_Text", "") STYLED("Preformatted_20_Text",
            "end") P("seen")});

    (void)state;
    assert_text(&d, "```\nif x: \n    y()\n\tz\n\nend\n```\n\nseen\n");
}

static void what_is_beside_the_text_is_flagged(void **state)
{
    struct doc d = read_parts((struct odt_parts){
        .styles = "<office:master-styles><style:master-page><style:header>" P(
            "every page")
            "</style:header></style:master-page></office:master-styles>",
            .body = "<text:table-of-content><text:index-body>" P("1 Contents")
            "</text:index-body></text:table-of-content>" P(
            "se<office:annotation><dc:creator>Me</dc:creator>" P("why?")
            "</office:annotation>en<draw:frame><draw:object "
            "xlink:href='./Object 1'/></draw:frame><text:script>"
            "alert(1)</text:script>")});

    (void)state;
    assert_text(&d, "seen\n");
    assert_flag(&d, FLAG_RUNNING_HEAD, 1, "every page");
    assert_flag(&d, FLAG_BOILERPLATE, 1, "1 Contents");
    assert_flag(&d, FLAG_COMMENT, 1, "why?");
    assert_flag(&d, FLAG_ATTACHMENT, 1, "./Object 1");
    assert_flag(&d, FLAG_SCRIPT, 1, "script");
}

static void encrypted_and_other_files_are_named(void **state)
{
    struct zip z = {0};
    struct doc d = read_parts((struct odt_parts){
        .body = P("x"), .manifest =
            "<manifest:file-entry manifest:full-path='content.xml'>"
            "<manifest:encryption-data/></manifest:file-entry>"});

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_ENCRYPTED);
    assert_int_equal(d.text.n, 0);
    zip_put(&z, "mimetype",
            STR("application/vnd.oasis.opendocument.spreadsheet"));
    d = extract(zip_end(&z, arena));
    assert_int_equal(d.outcome, EXTRACT_UNSUPPORTED);
    assert_true(str_find(d.note, STR("OpenDocument sheet")) < d.note.n);
}

/* clang-format on */

static void a_frames_picture_is_counted_once(void **state)
{
    struct doc d = read_body(
        "<text:p>a<draw:frame><draw:image/><draw:image/></draw:frame>"
        "<draw:frame><draw:image/></draw:frame><draw:frame><draw:text-box>"
        "<text:p>b</text:p></draw:text-box></draw:frame></text:p>"
        "<text:section text:display='none'><text:p><draw:frame><draw:image/>"
        "</draw:frame></text:p></text:section>");

    (void)state;
    assert_int_equal(d.images, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frames_picture_is_counted_once),
        cmocka_unit_test(headings_and_titles_are_kept),
        cmocka_unit_test(properties_give_title_dates_and_language),
        cmocka_unit_test(lists_keep_depth_and_numbers),
        cmocka_unit_test(tables_are_rows_of_cells),
        cmocka_unit_test(notes_and_boxes_stand_behind_their_paragraph),
        cmocka_unit_test(changes_are_taken_as_accepted),
        cmocka_unit_test(hidden_text_is_dropped_and_flagged),
        cmocka_unit_test(text_nobody_can_read_is_dropped_and_flagged),
        cmocka_unit_test(code_keeps_its_spaces_and_lines),
        cmocka_unit_test(what_is_beside_the_text_is_flagged),
        cmocka_unit_test(encrypted_and_other_files_are_named),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
