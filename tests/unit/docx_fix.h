/* DOCX files made by hand around a piece of document.xml. */
#ifndef DOCX_FIX_H
#define DOCX_FIX_H

#include "zip_fix.h"

#define OOXML "http://schemas.openxmlformats.org/"
#define REL_TYPE OOXML "officeDocument/2006/relationships/"
#define W_NS                                                                \
    "xmlns:w='" OOXML "wordprocessingml/2006/main' "                        \
    "xmlns:m='" OOXML "officeDocument/2006/math' "                          \
    "xmlns:mc='" OOXML "markup-compatibility/2006' "                        \
    "xmlns:a='" OOXML "drawingml/2006/main' "                               \
    "xmlns:v='urn:schemas-microsoft-com:vml' "                              \
    "xmlns:wps='http://schemas.microsoft.com/office/word/2010/wordprocessi" \
    "ngShape'"

struct docx_parts {
    const char *body; /* inside of w:body */
    const char *styles, *numbering, *footnotes, *endnotes, *comments, *header,
        *settings;    /* inside of their roots */
    const char *core; /* inside of its root */
    const char *rels; /* more relationships of the document */
};

static inline str docx_root(struct arena *a, const char *root,
                            const char *inside)
{
    return arena_fmt(a, "<?xml version='1.0'?><w:%s " W_NS ">%s</w:%s>", root,
                     inside, root);
}

static inline void docx_frame(struct zip *z, struct arena *a,
                              const char *body_rels)
{
    zip_put(z, "[Content_Types].xml",
            STR("<Types xmlns='" OOXML "package/2006/content-types'>"
                "<Default Extension='xml' ContentType='application/xml'/>"
                "<Override PartName='/word/document.xml' ContentType='"
                "application/vnd.openxmlformats-officedocument."
                "wordprocessingml.document.main+xml'/></Types>"));
    zip_put(
        z, "_rels/.rels",
        STR("<Relationships xmlns='" OOXML "package/2006/relationships'>"
            "<Relationship Id='r1' Target='word/document.xml' Type='" REL_TYPE
            "officeDocument'/>"
            "<Relationship Id='r2' Target='docProps/core.xml' Type='" OOXML
            "package/2006/relationships/metadata/core-properties'/>"
            "</Relationships>"));
    zip_put(z, "word/_rels/document.xml.rels",
            arena_fmt(a,
                      "<Relationships xmlns='" OOXML
                      "package/2006/relationships'>%s</Relationships>",
                      body_rels));
}

static inline str docx_make(struct arena *a, struct docx_parts p)
{
    const struct {
        const char *type, *root, *inside;
    } parts[] = {{"styles", "styles", p.styles},
                 {"numbering", "numbering", p.numbering},
                 {"footnotes", "footnotes", p.footnotes},
                 {"endnotes", "endnotes", p.endnotes},
                 {"comments", "comments", p.comments},
                 {"header", "hdr", p.header},
                 {"settings", "settings", p.settings}};
    struct zip z = {0};
    str rels = str_of(p.rels == NULL ? "" : p.rels);

    for (size_t i = 0; i < NELEMS(parts); i++) {
        if (parts[i].inside == NULL)
            continue;
        zip_put(&z, arena_fmt(a, "word/%s.xml", parts[i].type).p,
                docx_root(a, parts[i].root, parts[i].inside));
        rels = arena_fmt(a,
                         STR_FMT "<Relationship Id='p%zu' Target='%s.xml' "
                                 "Type='" REL_TYPE "%s'/>",
                         STR_ARG(rels), i, parts[i].type, parts[i].type);
    }
    docx_frame(&z, a, rels.p);
    if (p.core != NULL)
        zip_put(&z, "docProps/core.xml",
                arena_fmt(a,
                          "<cp:coreProperties xmlns:cp='" OOXML
                          "package/2006/metadata/core-properties' "
                          "xmlns:dc='http://purl.org/dc/elements/1.1/' "
                          "xmlns:dcterms='http://purl.org/dc/terms/'>%s"
                          "</cp:coreProperties>",
                          p.core));
    zip_put(&z, "word/document.xml",
            docx_root(a, "document",
                      arena_fmt(a, "<w:body>%s</w:body>", p.body).p));
    return zip_end(&z, a);
}

#endif
