#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "docx_fix.h"
#include "extract/extract.h"

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

static struct doc extract(str bytes)
{
    struct doc d;
    const char *why;

    assert_int_equal(extract_bytes(bytes,
                                   (struct said){.filename = STR("a.docx")},
                                   arena, &d, NULL),
                     RC_OK);
    if (!doc_check(&d, &why))
        fail_msg("%s", why);
    return d;
}

static struct doc read_parts(struct docx_parts p)
{
    return extract(docx_make(arena, p));
}

static struct doc read_body(const char *body)
{
    return read_parts((struct docx_parts){.body = body});
}

static void assert_text(const struct doc *d, const char *want)
{
    if (!str_eq(d->text, str_of(want)))
        fail_msg("got \"" STR_FMT "\" (%s, " STR_FMT "), want \"%s\"",
                 STR_ARG(d->text), EXTRACT_OUTCOME_NAMES[d->outcome],
                 STR_ARG(d->note), want);
}

/* The flag of a kind, dropped; NULL: there is none. */
static const struct doc_flag *flag(const struct doc *d, enum doc_flag_kind kind)
{
    for (size_t i = 0; i < d->flags_n; i++) {
        if (d->flags[i].kind == kind && d->flags[i].dropped)
            return &d->flags[i];
    }
    return NULL;
}

static void assert_flag(const struct doc *d, enum doc_flag_kind kind,
                        unsigned count, const char *sample)
{
    const struct doc_flag *f = flag(d, kind);
    struct doc_flag none = {0};

    if (f == NULL)
        f = &none;
    if (f->count != count || !str_eq(f->sample, str_of(sample)))
        fail_msg("%u times %s: \"" STR_FMT "\"", f->count, DOC_FLAG_NAMES[kind],
                 STR_ARG(f->sample));
}

#define T(text) "<w:t xml:space='preserve'>" text "</w:t>"
#define R(text) "<w:r>" T(text) "</w:r>"
#define RP(properties, text) \
    "<w:r><w:rPr>" properties "</w:rPr>" T(text) "</w:r>"
#define P(runs) "<w:p>" runs "</w:p>"
#define PP(properties, runs) "<w:p><w:pPr>" properties "</w:pPr>" runs "</w:p>"
#define STYLED(style, text) PP("<w:pStyle w:val='" style "'/>", R(text))
#define VISIBLE P(R("seen"))

static void headings_come_from_names_outlines_and_bases(void **state)
{
    static const char STYLES[] =
        "<w:style w:type='paragraph' w:styleId='berschrift1'>"
        "<w:name w:val='heading 1'/></w:style>"
        "<w:style w:type='paragraph' w:styleId='Mine'>"
        "<w:name w:val='Mine'/><w:basedOn w:val='Deep'/></w:style>"
        "<w:style w:type='paragraph' w:styleId='Deep'><w:name w:val='Deep'/>"
        "<w:pPr><w:outlineLvl w:val='2'/></w:pPr></w:style>"
        "<w:style w:type='paragraph' w:styleId='T'><w:name w:val='Title'/>"
        "</w:style>"
        "<w:style w:type='paragraph' w:styleId='Plain'>"
        "<w:basedOn w:val='berschrift1'/>"
        "<w:pPr><w:outlineLvl w:val='9'/></w:pPr></w:style>";
    struct doc d = read_parts((struct docx_parts){
        .styles = STYLES,
        .body = STYLED("T", "The title") STYLED("berschrift1", "One")
            STYLED("Mine", "Three") STYLED("Plain", "text")
                PP("<w:outlineLvl w:val='1'/>", R("Two"))
                    STYLED("Heading 2", "no such style")});

    (void)state;
    assert_text(&d, "# The title\n\n# One\n\n### Three\n\ntext\n\n## Two\n\n"
                    "## no such style\n");
    assert_true(str_eq(d.title, STR("The title")));
}

static void properties_give_title_dates_and_language(void **state)
{
    struct doc d = read_parts((struct docx_parts){
        .body = VISIBLE,
        .styles = "<w:docDefaults><w:rPrDefault><w:rPr>"
                  "<w:lang w:val='de-DE'/></w:rPr></w:rPrDefault>"
                  "</w:docDefaults>",
        .core = "<dc:title> A\n title</dc:title>"
                "<dcterms:created>2024-02-03T04:05:06.789Z</dcterms:created>"
                "<dcterms:modified>2024-02-04</dcterms:modified>"});

    (void)state;
    assert_true(str_eq(d.title, STR("A title")));
    assert_true(str_eq(d.created, STR("2024-02-03T04:05:06Z")));
    assert_true(str_eq(d.modified, STR("2024-02-04")));
    assert_true(str_eq(d.language, STR("de-DE")));
    assert_true(
        str_eq(d.mime, STR("application/vnd.openxmlformats-"
                           "officedocument.wordprocessingml.document")));
}

/* Some programs write such. */
static void dates_of_no_day_are_none(void **state)
{
    struct doc d = read_parts((struct docx_parts){
        .body = VISIBLE,
        .core = "<dcterms:created>0000-00-00T00:00:00Z</dcterms:created>"
                "<dcterms:modified>2024-13-01</dcterms:modified>"});

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_OK);
    assert_int_equal(d.created.n, 0);
    assert_int_equal(d.modified.n, 0);
}

#define ITEM(list, level, text)                                    \
    PP("<w:numPr><w:ilvl w:val='" level "'/><w:numId w:val='" list \
       "'/></w:numPr>",                                            \
       R(text))

static void lists_keep_depth_and_numbers(void **state)
{
    static const char NUMBERING[] =
        "<w:abstractNum w:abstractNumId='7'>"
        "<w:lvl w:ilvl='0'><w:start w:val='1'/><w:numFmt w:val='decimal'/>"
        "</w:lvl><w:lvl w:ilvl='1'><w:numFmt w:val='bullet'/></w:lvl>"
        "<w:lvl w:ilvl='2'><w:numFmt w:val='bullet'/><w:lvlText w:val=' '/>"
        "</w:lvl>"
        "</w:abstractNum>"
        "<w:num w:numId='1'><w:abstractNumId w:val='7'/></w:num>"
        "<w:num w:numId='2'><w:abstractNumId w:val='7'/>"
        "<w:lvlOverride w:ilvl='0'><w:startOverride w:val='5'/>"
        "</w:lvlOverride></w:num>";
    struct doc d = read_parts((struct docx_parts){
        .numbering = NUMBERING,
        .body = ITEM("1", "0", "one") ITEM("1", "1", "in") ITEM("1", "0", "two")
            VISIBLE ITEM("1", "0", "three") ITEM("2", "0", "five")
                ITEM("0", "0", "none") ITEM("1", "2", "goes on")
                    ITEM("9", "3", "unknown")});

    (void)state;
    assert_text(&d, "1. one\n   - in\n2. two\n\nseen\n\n3. three\n5. five\n\n"
                    "none\n\ngoes on\n\n      - unknown\n");
    assert_int_equal(d.blocks[1].level, 2);
}

#define CELL(inside) "<w:tc>" inside "</w:tc>"
#define GRID3 "<w:tblGrid><w:gridCol/><w:gridCol/><w:gridCol/></w:tblGrid>"

static void tables_are_rows_of_cells(void **state)
{
    struct doc d = read_body(
        "<w:tbl>" GRID3
        "<w:tr>" CELL(P(R("a"))) CELL(P(R("b")) P(R("b2"))) CELL(P(R(
            "c|"))) "</w:tr><w:tr>"
                    "<w:tc><w:tcPr><w:gridSpan w:val='2'/></w:tcPr>" P(R(
                        "w"
                        "i"
                        "d"
                        "e")) "</w:tc>" CELL(P("")) "</w:tr>"
                                                    "<w:tr>" CELL(P(""))
                                                        CELL(P("")) CELL(P("")) "</w:tr><w:tr>" CELL(
                                                            "<w:tbl>" GRID3
                                                            "<w:tr>" CELL(
                                                                P(R("in")))
                                                                CELL(P(R(
                                                                    "ner"))) "<"
                                                                             "/"
                                                                             "w"
                                                                             ":"
                                                                             "t"
                                                                             "r"
                                                                             ">"
                                                                             "<"
                                                                             "/"
                                                                             "w"
                                                                             ":"
                                                                             "t"
                                                                             "b"
                                                                             "l"
                                                                             ">" P(R(
                                                                                 "after")))
                                                            CELL(P(R("x"))) CELL(P(
                                                                "")) "</w:tr></"
                                                                     "w:"
                                                                     "tbl"
                                                                     ">" VISIBLE);

    (void)state;
    assert_text(&d, "| a | b b2 | c\\| |\n| --- | --- | --- |\n"
                    "| wide |  |  |\n| in ner after | x |  |\n\nseen\n");
}

static void a_table_of_one_column_is_a_frame(void **state)
{
    struct doc d =
        read_body("<w:tbl><w:tblGrid><w:gridCol/></w:tblGrid><w:tr>" CELL(PP(
            "<w:outlineLvl w:val='0'/>", R("Head")) VISIBLE) "</w:tr></w:tbl>");

    (void)state;
    assert_text(&d, "# Head\n\nseen\n");
}

static void notes_stand_behind_their_paragraph(void **state)
{
    struct doc d = read_parts((struct docx_parts){
        .footnotes = "<w:footnote w:id='0' w:type='separator'>" P(
            R("---")) "</w:footnote><w:footnote w:id='2'>" P(R("a note"))
            P(R("in two")) "</w:footnote>" P(R("stray")),
        .endnotes = "<w:endnote w:id='2'>" P(R("at the end")) "</w:endnote>",
        .body =
            P(R("text") "<w:r><w:endnoteReference w:id='2'/></w:r>"
                        "<w:r><w:footnoteReference w:id='2'/></w:r>" R(
                            " on") "<w:r><w:footnoteReference w:id='2'/></w:r>"
                                   "<w:r><w:footnoteReference w:id='8'/></w:r>")
                VISIBLE});

    (void)state;
    assert_text(&d, "text[^1][^2] on[^2]\n\n[^1]: at the end\n\n"
                    "[^2]: a note in two\n\nseen\n");
}

static void tracked_changes_are_taken_as_accepted(void **state)
{
    struct doc d = read_body(
        P(R("a") "<w:del>"
                 "<w:r><w:delText>gone</w:delText></w:r></w:del>"
                 "<w:ins>" R("b") "</w:ins><w:moveFrom>" R(
                     "moved") "</w:moveFrom>"
                              "<w:moveTo>" R("c") "</w:moveTo>")
            PP("<w:rPr><w:del/></w:rPr>", R("joined ")) P(R("to this")) PP(
                "<w:pPrChange><w:pPr><w:outlineLvl w:val='0'/></w:pPr>"
                "</w:pPrChange>",
                R("no heading"))
                P(RP("<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>",
                     "shown")) "<w:tbl>" GRID3
                               "<w:tr><w:trPr><w:del/></w:trPr>" CELL(P(
                                   R("row"))) "</w:tr><w:tr>" CELL(P(R("kept")))
                                   CELL(P(R("x"))) "</w:tr></w:tbl>");

    (void)state;
    assert_text(&d, "abc\n\njoined to this\n\nno heading\n\nshown\n\n"
                    "| kept | x |\n| --- | --- |\n");
    assert_flag(&d, FLAG_DELETED, 3, "gone");
}

static void hidden_text_is_dropped_and_flagged(void **state)
{
    static const char STYLES[] =
        "<w:style w:type='character' w:styleId='H'><w:rPr><w:vanish/></w:rPr>"
        "</w:style><w:style w:type='paragraph' w:styleId='PH'><w:rPr>"
        "<w:vanish/></w:rPr></w:style>";
    struct doc d = read_parts((struct docx_parts){
        .styles = STYLES,
        .body = P(RP("<w:vanish/>", "one") RP("<w:vanish w:val='0'/>", "kept ")
                      RP("<w:rStyle w:val='H'/>", "two")
                          RP("<w:webHidden/>", "three")) STYLED("PH", "four")
        /* toggles: hidden twice is shown; the mark's look is no run's */
        PP("<w:pStyle w:val='PH'/>", RP("<w:rStyle w:val='H'/>", "shown "))
            PP("<w:rPr><w:vanish/></w:rPr>", R("too"))});

    (void)state;
    assert_text(&d, "kept\n\nshown\n\ntoo\n");
    assert_flag(&d, FLAG_HIDDEN, 4, "one");
}

static void tiny_text_is_dropped_and_flagged(void **state)
{
    struct doc d = read_body(
        P(RP("<w:sz w:val='2'/>", "tiny") RP("<w:sz w:val='3'/>", "small")));

    (void)state;
    assert_text(&d, "small\n");
    assert_flag(&d, FLAG_TINY, 1, "tiny");
}

#define WHITE "<w:color w:val='FFFFFF'/>"

static void text_in_its_grounds_colour_is_dropped_and_flagged(void **state)
{
    static const struct {
        const char *body;
        bool dropped;
    } CASES[] = {
        {P(RP(WHITE, "w")), true},
        {P(RP("<w:color w:val='FEFEFE'/>", "w")), true},
        {P(RP("<w:color w:val='auto'/>", "w")), false},
        {P(RP("<w:color w:val='888888'/>", "w")), false},
        {P(RP(WHITE "<w:shd w:val='clear' w:fill='000000'/>", "w")), false},
        {P(RP(WHITE "<w:shd w:val='clear' w:fill='auto'/>", "w")), true},
        {P(RP(WHITE "<w:highlight w:val='black'/>", "w")), false},
        {P(RP("<w:color w:val='000000'/><w:highlight w:val='black'/>", "w")),
         true},
        {PP("<w:shd w:val='clear' w:fill='204080'/>", RP(WHITE, "w")), false},
        {"<w:tbl>" GRID3 "<w:tr><w:tc><w:tcPr><w:shd w:val='clear' "
         "w:fill='204080'/></w:tcPr>" P(RP(WHITE, "w")) "</w:tc></w:tr>"
                                                        "</w:tbl>",
         false},
        {"<w:tbl>" GRID3 "<w:tr><w:tc>" P(RP(WHITE, "w")) "</w:tc></w:tr>"
                                                          "</w:tbl>",
         true},
        {"<w:tbl><w:tblPr><w:tblStyle w:val='Dark'/></w:tblPr>" GRID3
         "<w:tr><w:tc>" P(RP(WHITE, "w")) "</w:tc></w:tr></w:tbl>",
         false},
        {P("<w:r><w:drawing><wps:spPr><a:solidFill><a:srgbClr val='112233'/>"
           "</a:solidFill></wps:spPr><w:txbxContent>" P(
               RP(WHITE, "w")) "</w:txbxContent></w:drawing></w:r>"),
         false},
        {P("<w:r><w:drawing><wps:spPr><a:noFill/></wps:spPr><w:txbxContent>" P(
             RP(WHITE, "w")) "</w:txbxContent></w:drawing></w:r>"),
         true},
        {P("<w:r><w:pict><v:shape fillcolor='#102030'><w:txbxContent>" P(
             RP(WHITE, "w")) "</w:txbxContent></v:shape></w:pict></w:r>"),
         false},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(CASES); i++) {
        struct doc d = read_parts((struct docx_parts){
            .styles = "<w:style w:type='table' w:styleId='Dark'><w:tblStylePr "
                      "w:type='firstRow'><w:tcPr><w:shd w:val='clear' "
                      "w:fill='000000'/></w:tcPr></w:tblStylePr></w:style>",
            .body = arena_fmt(arena, "%s%s", CASES[i].body, VISIBLE).p});
        bool dropped = flag(&d, FLAG_INVISIBLE) != NULL;

        if (dropped != CASES[i].dropped ||
            dropped != (str_find_char(d.text, 'w') == d.text.n))
            fail_msg("case %zu: " STR_FMT, i, STR_ARG(d.text));
    }
}

static void a_page_that_shows_its_colour_is_the_ground(void **state)
{
    static const char BODY[] = P(RP(WHITE, "white") RP("", "black"));
    struct docx_parts p = {.body = BODY};
    struct zip z = {0};
    struct doc d;

    (void)state;
    for (int shown = 0; shown < 2; shown++) {
        zip_put(&z, "word/settings.xml",
                docx_root(arena, "settings",
                          shown ? "<w:displayBackgroundShape/>" : ""));
        zip_put(&z, "word/document.xml",
                docx_root(arena, "document",
                          arena_fmt(arena,
                                    "<w:background w:color='203040'/>"
                                    "<w:body>%s</w:body>",
                                    p.body)
                              .p));
        docx_frame(&z, arena,
                   "<Relationship Id='s' Target='settings.xml' Type='" REL_TYPE
                   "settings'/>");
        d = extract(zip_end(&z, arena));
        assert_text(&d, shown ? "whiteblack\n" : "black\n");
    }
}

#define FLD(type) "<w:r><w:fldChar w:fldCharType='" type "'/></w:r>"
#define INSTR(code) "<w:r><w:instrText>" code "</w:instrText></w:r>"

static void fields_show_their_result(void **state)
{
    struct doc d = read_body(
        P(R("page ") FLD("begin") INSTR(" PAGE ") R("code") FLD("separate")
              R("7") FLD("end")) P(FLD("begin") INSTR("TO") INSTR("C \\o")
                                       FLD("separate")
                                           R("Chapter 1")) P(R("Chapter 2")
                                                                 FLD("end"))
            P("<w:fldSimple w:instr=' TOC '>" R("Chapter 3") "</w:fldSimple>" R(
                "after")) "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery "
                          "w:val='Table of "
                          "Contents'/></w:docPartObj></"
                          "w:sdtPr><w:sdtContent>" P(R(
                              "Contents")) "</w:sdtContent></"
                                           "w:sdt><w:sdt><w:sdtContent>" VISIBLE
                                           "</w:sdtContent></w:sdt>");

    (void)state;
    assert_text(&d, "page 7\n\nafter\n\nseen\n");
    assert_flag(&d, FLAG_BOILERPLATE, 4, "Chapter 1");
    assert_int_equal(d.outcome, EXTRACT_OK);
    d = read_body(VISIBLE P(FLD("begin") INSTR("IF") R("lost")));
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(d.note.n > 0);
}

static void of_alternatives_one_is_taken(void **state)
{
    struct doc d = read_body(P(
        R("a") "<mc:AlternateContent><mc:Choice Requires='wps'><w:r>"
               "<w:drawing><w:txbxContent>" P(R("boxed"))
                   P(R("twice")) "</w:txbxContent></w:drawing></w:r></"
                                 "mc:Choice><mc:Fallback><w:r>"
                                 "<w:pict><w:txbxContent>" P(
                                     R("boxed")) "</w:txbxContent></w:pict>"
                                                 "</w:r></mc:Fallback></"
                                                 "mc:AlternateContent>" R("b"))
                                 VISIBLE);

    (void)state;
    assert_text(&d, "ab\n\nboxed\n\ntwice\n\nseen\n");
}

#define BLIP "<w:drawing><a:blip/></w:drawing>"

static void pictures_are_counted(void **state)
{
    struct doc d = read_body(
        P(R("a") "<mc:AlternateContent><mc:Choice Requires='wps'><w:r>" BLIP
                 "</w:r></mc:Choice><mc:Fallback><w:r><w:pict><v:shape>"
                 "<v:imagedata/></v:shape></w:pict></w:r></mc:Fallback>"
                 "</mc:AlternateContent><w:r><w:pict><v:shape><v:imagedata/>"
                 "</v:shape></w:pict></w:r><w:del><w:r>" BLIP "</w:r></w:del>"
                 "<w:r><w:rPr><w:vanish/></w:rPr>" BLIP "</w:r>") VISIBLE);

    (void)state;
    assert_int_equal(d.images, 2);
}

static void a_box_in_hidden_text_is_hidden(void **state)
{
    struct doc d = read_body(
        P("<w:r><w:rPr><w:vanish/></w:rPr><w:drawing>"
          "<w:txbxContent>" P(R("boxed")) "</w:txbxContent>"
                                          "</w:drawing></w:r>" R("b")));

    (void)state;
    assert_text(&d, "b\n");
    assert_flag(&d, FLAG_HIDDEN, 1, "boxed");
}

static void code_and_quotes_are_known_by_their_styles(void **state)
{
    static const char STYLES[] = "<w:style w:type='paragraph' w:styleId='S'>"
                                 "<w:name w:val='Source Code'/></w:style>"
                                 "<w:style w:type='paragraph' w:styleId='Q'>"
                                 "<w:name w:val='Intense Quote'/></w:style>";
    struct doc d = read_parts((struct docx_parts){
        .styles = STYLES,
        .body = STYLED("S", "if x:")
            PP("<w:pStyle w:val='S'/>",
               "<w:r>" T("    y()") "<w:br/><w:tab/>" T("z") "</w:r>")
                PP("<w:pStyle w:val='S'/>", "") STYLED("S", "end")
                    STYLED("Q", "said") STYLED("S", "again") P("")
                        STYLED("S", "more") VISIBLE});

    (void)state;
    assert_text(&d, "```\nif x:\n    y()\n\tz\n\nend\n```\n\n> said\n\n"
                    "```\nagain\n```\n\n```\nmore\n```\n\nseen\n");
}

static void signs_are_text(void **state)
{
    struct doc d = read_body(P("<w:r>" T("a") "<w:tab/>" T("b") "<w:br/>" T(
        "c") "<w:noBreakHyphen/>" T("d") "<w:softHyphen/>" T("e&#xAD;f") "<w:"
                                                                         "sym "
                                                                         "w:"
                                                                         "font="
                                                                         "'Symb"
                                                                         "ol' "
                                                                         "w:"
                                                                         "char="
                                                                         "'F061"
                                                                         "'/>"
                                                                         "<w:"
                                                                         "sym "
                                                                         "w:"
                                                                         "font="
                                                                         "'Wing"
                                                                         "dings"
                                                                         "' "
                                                                         "w:"
                                                                         "char="
                                                                         "'F0FC"
                                                                         "'/>"
                                                                         "<w:"
                                                                         "sym "
                                                                         "w:"
                                                                         "font="
                                                                         "'Aria"
                                                                         "l' "
                                                                         "w:"
                                                                         "char="
                                                                         "'20AC"
                                                                         "'/></"
                                                                         "w:r>"
                                                                         "<m:"
                                                                         "oMath"
                                                                         "><m:"
                                                                         "r><m:"
                                                                         "t>x</"
                                                                         "m:t><"
                                                                         "/m:r>"
                                                                         "</"
                                                                         "m:"
                                                                         "oMath"
                                                                         ">")
                                 PP("<w:tabs><w:tab w:val='left'/></w:tabs>",
                                    R("g")));

    (void)state;
    assert_text(&d, "a b c-defα€x\n\ng\n");
}

static void what_is_beside_the_text_is_flagged(void **state)
{
    struct docx_parts p = {
        .body = P(R("seen") "<w:r><w:commentReference w:id='1'/></w:r>"),
        .comments = "<w:comment>" P(
            R("a ") R("remark")) "</w:comment>"
                                 "<w:comment>" P(R("other")) "</w:comment>",
        .header = P(R("every page")),
        .rels = "<Relationship Id='o' Target='embeddings/x.bin' Type='" REL_TYPE
                "oleObject'/><Relationship Id='v' Target='settings.xml' "
                "Type='http://schemas.microsoft.com/office/2006/relationships/"
                "vbaProject'/>",
        .settings = ""};
    struct doc d = read_parts(p);

    (void)state;
    assert_text(&d, "seen\n");
    assert_flag(&d, FLAG_COMMENT, 2, "a remark");
    assert_flag(&d, FLAG_RUNNING_HEAD, 1, "every page");
    assert_flag(&d, FLAG_SCRIPT, 1, "word/settings.xml");
    assert_null(flag(&d, FLAG_ATTACHMENT)); /* its part is not there */
}

static void strict_files_and_other_prefixes_are_read(void **state)
{
    struct zip z = {0};
    struct doc d;

    (void)state;
    docx_frame(&z, arena, "");
    zip_put(&z, "word/document.xml",
            STR("<document xmlns='http://purl.oclc.org/ooxml/wordprocessingml/"
                "main' xmlns:q='http://purl.oclc.org/ooxml/wordprocessingml/"
                "main'><body><p><pPr><outlineLvl q:val='0'/></pPr><r>"
                "<t>strict</t></r></p></body></document>"));
    d = extract(zip_end(&z, arena));
    assert_text(&d, "# strict\n");
}

static void attributes_of_other_namespaces_say_nothing(void **state)
{
    struct doc d = read_body(P(RP("<w:vanish m:val='0'/>", "x")) VISIBLE);

    (void)state;
    assert_text(&d, "seen\n");
}

static void damaged_xml_gives_what_came_before(void **state)
{
    struct zip z = {0};
    struct doc d;

    (void)state;
    docx_frame(&z, arena, "");
    zip_put(&z, "word/document.xml",
            STR("<w:document " W_NS "><w:body>" VISIBLE
                "<w:p><w:r><w:t>half</w:t></w:q>"));
    d = extract(zip_end(&z, arena));
    assert_text(&d, "seen\n\nhalf\n");
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    docx_frame(&z, arena, "");
    zip_put(&z, "word/document.xml", STR("no XML"));
    d = extract(zip_end(&z, arena));
    assert_int_equal(d.outcome, EXTRACT_MALFORMED);
}

static void damaged_styles_cost_only_themselves(void **state)
{
    struct doc d =
        read_parts((struct docx_parts){.body = VISIBLE, .styles = "<w:style"});

    (void)state;
    assert_text(&d, "seen\n");
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
}

static void entities_are_refused(void **state)
{
    static const char *const DTDS[] = {
        "<!DOCTYPE w [<!ENTITY a 'x'>]>",
        "<!DOCTYPE w [<!ATTLIST w:p a CDATA 'x'>]>",
        "<!DOCTYPE w [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>"};

    (void)state;
    for (size_t i = 0; i < NELEMS(DTDS); i++) {
        struct zip z = {0};
        struct doc d;

        docx_frame(&z, arena, "");
        zip_put(&z, "word/document.xml",
                arena_fmt(arena,
                          "%s<w:document " W_NS ">" VISIBLE "</w:document>",
                          DTDS[i]));
        d = extract(zip_end(&z, arena));
        assert_int_equal(d.outcome, EXTRACT_MALFORMED);
        assert_true(str_find(d.note, STR("entities")) < d.note.n);
    }
}

/* n times `one`, in a document of its own. */
static struct doc repeated(const char *before, const char *one, size_t n,
                           const char *after)
{
    struct buf b = {0};
    struct zip z = {0};

    buf_put(&b, STR("<w:document " W_NS "><w:body>"));
    buf_put(&b, str_of(before));
    for (size_t i = 0; i < n; i++)
        buf_put(&b, str_of(one));
    buf_put(&b, str_of(after));
    docx_frame(&z, arena, "");
    zip_put(&z, "word/document.xml", buf_str(&b));
    buf_close(&b);
    return extract(zip_end(&z, arena));
}

static void depth_is_bounded(void **state)
{
    struct doc d = repeated(VISIBLE, "<w:sdt>", 1000000, "");

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(str_find(d.note, STR("too deep")) < d.note.n);
    d = repeated("", "<w:tbl><w:tr><w:tc>", 300, P(R("deep")));
    assert_int_equal(d.outcome, EXTRACT_PARTIAL); /* its tags don't end */
    assert_text(&d, "| deep |\n| --- |\n");
}

static void a_tag_is_bounded(void **state)
{
    struct doc d = repeated("<w:p a='", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                            1 << 17, "'/>");

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_LIMIT);
}

static void tags_are_bounded(void **state)
{
    struct doc d = repeated(VISIBLE, "<w:p/>", ((size_t)4 << 20) + 1, "");

    (void)state;
    assert_int_equal(d.outcome, EXTRACT_PARTIAL);
    assert_true(str_find(d.note, STR("tags")) < d.note.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headings_come_from_names_outlines_and_bases),
        cmocka_unit_test(properties_give_title_dates_and_language),
        cmocka_unit_test(dates_of_no_day_are_none),
        cmocka_unit_test(lists_keep_depth_and_numbers),
        cmocka_unit_test(tables_are_rows_of_cells),
        cmocka_unit_test(a_table_of_one_column_is_a_frame),
        cmocka_unit_test(notes_stand_behind_their_paragraph),
        cmocka_unit_test(tracked_changes_are_taken_as_accepted),
        cmocka_unit_test(hidden_text_is_dropped_and_flagged),
        cmocka_unit_test(tiny_text_is_dropped_and_flagged),
        cmocka_unit_test(text_in_its_grounds_colour_is_dropped_and_flagged),
        cmocka_unit_test(a_page_that_shows_its_colour_is_the_ground),
        cmocka_unit_test(fields_show_their_result),
        cmocka_unit_test(of_alternatives_one_is_taken),
        cmocka_unit_test(pictures_are_counted),
        cmocka_unit_test(a_box_in_hidden_text_is_hidden),
        cmocka_unit_test(code_and_quotes_are_known_by_their_styles),
        cmocka_unit_test(signs_are_text),
        cmocka_unit_test(what_is_beside_the_text_is_flagged),
        cmocka_unit_test(strict_files_and_other_prefixes_are_read),
        cmocka_unit_test(attributes_of_other_namespaces_say_nothing),
        cmocka_unit_test(damaged_xml_gives_what_came_before),
        cmocka_unit_test(damaged_styles_cost_only_themselves),
        cmocka_unit_test(entities_are_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_tag_is_bounded),
        cmocka_unit_test(tags_are_bounded),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
