#include "extract/markup.h"

#include <assert.h>
#include <expat.h>

#include "base/mem.h"

#define SEPARATOR '\n' /* between namespace and name; no URI holds it */
#define SLOTS 1024     /* twice what is needed: both names of a namespace */

static_assert(SLOTS >= 4 * MARKUP_NAMES_MAX, "room between the names");

#define W_STRICT "http://purl.oclc.org/ooxml/"
static const struct {
    enum markup_ns ns;
    str uri;
} URIS[] = {
    {NS_W, STR_INIT("http://schemas.openxmlformats.org/"
                    "wordprocessingml/2006/main")},
    {NS_W, STR_INIT(W_STRICT "wordprocessingml/main")},
    {NS_WPS, STR_INIT("http://schemas.microsoft.com/office/word/2010/"
                      "wordprocessingShape")},
    {NS_MC, STR_INIT("http://schemas.openxmlformats.org/"
                     "markup-compatibility/2006")},
    {NS_A, STR_INIT("http://schemas.openxmlformats.org/drawingml/2006/main")},
    {NS_A, STR_INIT(W_STRICT "drawingml/main")},
    {NS_V, STR_INIT("urn:schemas-microsoft-com:vml")},
    {NS_M,
     STR_INIT("http://schemas.openxmlformats.org/officeDocument/2006/math")},
    {NS_M, STR_INIT(W_STRICT "officeDocument/math")},
    {NS_RELS,
     STR_INIT("http://schemas.openxmlformats.org/package/2006/relationships")},
    {NS_TYPES,
     STR_INIT("http://schemas.openxmlformats.org/package/2006/content-types")},
    {NS_DC, STR_INIT("http://purl.org/dc/elements/1.1/")},
    {NS_DCTERMS, STR_INIT("http://purl.org/dc/terms/")},
#define ODF "urn:oasis:names:tc:opendocument:xmlns:"
    {NS_OFFICE, STR_INIT(ODF "office:1.0")},
    {NS_STYLE, STR_INIT(ODF "style:1.0")},
    {NS_TEXT, STR_INIT(ODF "text:1.0")},
    {NS_TABLE, STR_INIT(ODF "table:1.0")},
    {NS_DRAW, STR_INIT(ODF "drawing:1.0")},
    {NS_FO, STR_INIT(ODF "xsl-fo-compatible:1.0")},
    {NS_META, STR_INIT(ODF "meta:1.0")},
    {NS_MANIFEST, STR_INIT(ODF "manifest:1.0")},
    {NS_SCRIPT, STR_INIT(ODF "script:1.0")},
    {NS_XLINK, STR_INIT("http://www.w3.org/1999/xlink")},
    {NS_SVG, STR_INIT(ODF "svg-compatible:1.0")},
    {NS_OCF, STR_INIT(ODF "container")},
    {NS_OPF, STR_INIT("http://www.idpf.org/2007/opf")},
    {NS_XMLENC, STR_INIT("http://www.w3.org/2001/04/xmlenc#")},
    {NS_MATHML, STR_INIT("http://www.w3.org/1998/Math/MathML")},
    {NS_XHTML, STR_INIT("http://www.w3.org/1999/xhtml")},
    {NS_XML, STR_INIT("http://www.w3.org/XML/1998/namespace")},
};

struct reader {
    XML_Parser parser;
    struct package *p;
    const struct markup_sink *sink;
    unsigned depth;
    rc code; /* why the parser was stopped */
    struct err *e;
    unsigned ids[MARKUP_DEPTH_MAX]; /* of the open tags */
    const struct markup_name *slots[SLOTS];
};

static void stop(struct reader *r, rc code, const char *why)
{
    if (r->code == RC_OK)
        r->code = err_set(r->e, code, "%s", why);
    (void)XML_StopParser(r->parser, XML_FALSE);
}

/* ---- names ---- */

static enum markup_ns ns_of(str uri)
{
    for (size_t i = 0; i < NELEMS(URIS); i++) {
        if (str_eq(uri, URIS[i].uri))
            return URIS[i].ns;
    }
    return uri.n == 0 ? NS_NONE : NS_COUNT;
}

static void name_split(const char *whole, str *uri, str *name)
{
    const char *at = strrchr(whole, SEPARATOR);

    *uri = at == NULL ? STR("") : (str){whole, (size_t)(at - whole)};
    *name = str_of(at == NULL ? whole : at + 1);
}

static uint32_t name_hash(enum markup_ns ns, str name)
{
    uint32_t h = 2166136261u ^ ns; /* FNV-1a; the names in it are our own */

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (uint8_t)name.p[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The slot of a name, or the empty one where it would be. */
static size_t slot_of(const struct reader *r, enum markup_ns ns, str name)
{
    size_t i = name_hash(ns, name) % SLOTS;

    while (r->slots[i] != NULL &&
           (r->slots[i]->ns != ns || !str_eq(str_of(r->slots[i]->name), name)))
        i = (i + 1) % SLOTS;
    return i;
}

static unsigned id_of(const struct reader *r, const char *whole)
{
    const struct markup_name *n;
    str uri, name;

    name_split(whole, &uri, &name);
    n = r->slots[slot_of(r, ns_of(uri), name)];
    return n == NULL ? MARKUP_OTHER : n->id;
}

str markup_attr(const struct markup_tag *t, enum markup_ns ns, const char *name)
{
    for (size_t i = 0; t->attrs[i] != NULL; i += 2) {
        str uri, local;

        name_split(t->attrs[i], &uri, &local);
        if (str_eq(local, str_of(name)) && ns_of(uri) == ns)
            return str_of(t->attrs[i + 1]);
    }
    return STR_NONE;
}

/* ---- what expat calls ---- */

static void on_start(void *user, const char *name, const char **attrs)
{
    struct reader *r = user;
    struct markup_tag t = {.id = id_of(r, name), .attrs = attrs};
    size_t attrs_n = (size_t)XML_GetSpecifiedAttributeCount(r->parser) / 2;

    if (r->code != RC_OK)
        return;
    if (r->depth == MARKUP_DEPTH_MAX) {
        stop(r, RC_LIMIT, "The file is nested too deep");
        return;
    }
    if (r->p->tags_left == 0 || attrs_n > r->p->attrs_left) {
        stop(r, RC_LIMIT, "The file holds more tags than one document may");
        return;
    }
    r->p->tags_left--;
    r->p->attrs_left -= attrs_n;
    r->ids[r->depth++] = t.id;
    t.depth = r->depth;
    if (r->sink->start != NULL)
        r->sink->start(r->sink->user, &t);
}

static void on_end(void *user, const char *name)
{
    struct reader *r = user;

    (void)name;
    if (r->code != RC_OK)
        return;
    r->depth--;
    if (r->sink->end != NULL)
        r->sink->end(r->sink->user, r->ids[r->depth], r->depth + 1);
}

static void on_text(void *user, const char *p, int n)
{
    struct reader *r = user;

    if (r->code == RC_OK && r->sink->text != NULL)
        r->sink->text(r->sink->user, (str){p, (size_t)n});
}

static void on_doctype(void *user, const char *name, const char *system,
                       const char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    if (internal != 0)
        stop(user, RC_FORMAT,
             "The file declares entities of its own, which are not read");
}

static void on_entity(void *user, const char *name, int parameter,
                      const char *value, int value_n, const char *base,
                      const char *system, const char *public,
                      const char *notation)
{
    (void)value;
    (void)value_n;
    (void)base;
    (void)notation;
    (void)parameter;
    on_doctype(user, name, system, public, 1);
}

/* Of a DTD that is only referred to: those that books use. */
static void on_unknown_entity(void *user, const char *name, int parameter)
{
    static const struct {
        str name, text;
    } ENTITIES[] = {{STR_INIT("nbsp"), STR_INIT("\u00a0")},
                    {STR_INIT("shy"), STR_INIT("")},
                    {STR_INIT("mdash"), STR_INIT("\u2014")},
                    {STR_INIT("ndash"), STR_INIT("\u2013")},
                    {STR_INIT("hellip"), STR_INIT("\u2026")},
                    {STR_INIT("lsquo"), STR_INIT("\u2018")},
                    {STR_INIT("rsquo"), STR_INIT("\u2019")},
                    {STR_INIT("ldquo"), STR_INIT("\u201c")},
                    {STR_INIT("rdquo"), STR_INIT("\u201d")},
                    {STR_INIT("copy"), STR_INIT("\u00a9")}};
    str s = STR("\ufffd");

    for (size_t i = 0; i < NELEMS(ENTITIES); i++) {
        if (str_eq(str_of(name), ENTITIES[i].name))
            s = ENTITIES[i].text;
    }
    if (parameter == 0)
        on_text(user, s.p, (int)s.n);
}

/* ---- reading ---- */

static void *try_alloc(size_t n)
{
    return mem_try(n);
}

static void *try_resize(void *p, size_t n)
{
    return mem_try_resize(p, n);
}

static rc begin(struct reader *r, struct err *e)
{
    static const XML_Memory_Handling_Suite MEMORY = {try_alloc, try_resize,
                                                     mem_free};
    static const char SEP[2] = {SEPARATOR, 0};

    r->parser = XML_ParserCreate_MM(NULL, &MEMORY, SEP);
    if (r->parser == NULL)
        return err_set(e, RC_NOMEM, "no memory to read XML");
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    XML_SetEntityDeclHandler(r->parser, on_entity);
    XML_SetSkippedEntityHandler(r->parser, on_unknown_entity);
    ASSERT(r->sink->names_n <= MARKUP_NAMES_MAX);
    for (size_t i = 0; i < r->sink->names_n; i++) {
        const struct markup_name *n = &r->sink->names[i];

        r->slots[slot_of(r, n->ns, str_of(n->name))] = n;
    }
    return RC_OK;
}

static rc feed(struct reader *r, str piece, size_t fed)
{
    XML_Index at;

    if (XML_Parse(r->parser, piece.p, (int)piece.n, piece.n == 0) !=
        XML_STATUS_OK) {
        if (r->code == RC_OK &&
            XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY)
            r->code = err_set(r->e, RC_NOMEM, "no memory to read XML");
        stop(r, RC_FORMAT,
             "The file is damaged: its XML breaks off or is "
             "not well formed");
        return r->code;
    }
    /* A tag that doesn't end is kept, and read again with each piece. */
    at = XML_GetCurrentByteIndex(r->parser);
    if (piece.n > 0 && at >= 0 && fed - (size_t)at > MARKUP_TAG_BYTES_MAX)
        stop(r, RC_LIMIT, "A tag in the file is too long");
    return r->code;
}

rc markup_read(struct package *p, const struct part *part,
               const struct markup_sink *sink, struct err *e)
{
    struct part_reader *parts = NULL;
    struct reader *r = mem_try(sizeof *r);
    size_t fed = 0;
    str piece;
    rc code;

    if (r == NULL)
        return err_set(e, RC_NOMEM, "no memory to read XML");
    r->p = p;
    r->sink = sink;
    r->e = e;
    code = begin(r, e);
    if (code == RC_OK)
        code = part_open(p, part, &parts, e);
    while (code == RC_OK && (sink->stop == NULL || !*sink->stop)) {
        code = part_next(parts, &piece, e);
        fed += piece.n;
        if (code == RC_OK)
            code = feed(r, piece, fed);
        if (piece.n == 0)
            break;
    }
    part_close(parts);
    if (r->parser != NULL)
        XML_ParserFree(r->parser);
    mem_free(r);
    return code;
}
