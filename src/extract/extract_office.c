#include "extract/extract_priv.h"
#include "extract/office.h"

#define MIMETYPE_BYTES_MAX 200
#define MIME_WORD "application/vnd.openxmlformats-officedocument."

void office_refuse(struct doc *d, enum extract_outcome outcome, str note)
{
    d->outcome = outcome;
    d->note = note;
}

static rc refuse(struct doc *d, enum extract_outcome outcome, str note)
{
    office_refuse(d, outcome, note);
    return RC_OK;
}

static rc refuse_unread(struct doc *d, const char *what, struct arena *out)
{
    return refuse(d, EXTRACT_UNSUPPORTED,
                  arena_fmt(out, "This is %s, which is not read", what));
}

void office_encrypted(struct doc *d)
{
    office_refuse(d, EXTRACT_ENCRYPTED,
                  STR("The file is encrypted; it can't be read without its "
                      "password"));
}

static rc refuse_encrypted(struct doc *d)
{
    office_encrypted(d);
    return RC_OK;
}

static enum extract_outcome outcome_of(rc code)
{
    return code == RC_LIMIT         ? EXTRACT_LIMIT
           : code == RC_UNSUPPORTED ? EXTRACT_UNSUPPORTED
                                    : EXTRACT_MALFORMED;
}

/* A document of which nothing could be read, for a reason of its own. */
static rc refuse_error(struct doc *d, rc code, const struct err *why,
                       struct arena *out, struct err *e)
{
    if (code == RC_NOMEM)
        return err_set(e, code, "%s", why->text);
    return refuse(d, outcome_of(code), arena_str(out, str_of(why->text)));
}

rc office_end(struct writer *w, rc text, const struct err *why, str lost,
              struct err *e)
{
    struct doc *d = w->d;
    rc code = writer_end(w, e);

    if (code != RC_OK)
        return code;
    if (text != RC_OK && (d->blocks_n == 0 || text == RC_NOMEM))
        return refuse_error(d, text, why, w->out, e);
    if (text != RC_OK)
        return refuse(
            d, EXTRACT_PARTIAL,
            arena_fmt(w->out, "%s; what comes after is missing", why->text));
    if (lost.n > 0 && d->outcome == EXTRACT_OK)
        return refuse(d, EXTRACT_PARTIAL, lost);
    return RC_OK;
}

/* ---- Office Open XML ---- */

static rc read_opc(struct package *p, struct arena *out, struct doc *d,
                   struct err *e)
{
    static const struct {
        str type;
        const char *mime, *what; /* NULL: it is read */
    } KINDS[] = {{STR_INIT(MIME_WORD "wordprocessingml."),
                  MIME_WORD "wordprocessingml.document", NULL},
                 {STR_INIT("application/vnd.ms-word."),
                  "application/vnd.ms-word.document.macroenabled.12", NULL},
                 {STR_INIT(MIME_WORD "spreadsheetml."),
                  MIME_WORD "spreadsheetml.sheet", "an Excel workbook"},
                 {STR_INIT("application/vnd.ms-excel."),
                  "application/vnd.ms-excel.sheet.macroenabled.12",
                  "an Excel workbook"},
                 {STR_INIT(MIME_WORD "presentationml."),
                  MIME_WORD "presentationml.presentation", "a PowerPoint file"},
                 {STR_INIT("application/vnd.ms-powerpoint."),
                  "application/vnd.ms-powerpoint.presentation.macroenabled.12",
                  "a PowerPoint file"}};
    struct opc_rels rels;
    const struct part *part;
    struct err why;
    str type = STR_NONE;
    rc code = opc_rels_read(p, STR(""), out, &rels, &why);

    if (code != RC_OK)
        return refuse_error(d, code, &why, out, e);
    part = opc_part(p, &rels, STR("officeDocument"));
    if (part == NULL)
        return refuse(d, EXTRACT_MALFORMED,
                      STR("The file is an Office file without a document"));
    code = opc_type_read(p, part->name, out, &type, &why);
    if (code != RC_OK)
        return refuse_error(d, code, &why, out, e);
    for (size_t i = 0; i < NELEMS(KINDS); i++) {
        if (!str_starts(type, KINDS[i].type))
            continue;
        d->mime = str_of(KINDS[i].mime);
        if (KINDS[i].what != NULL)
            return refuse_unread(d, KINDS[i].what, out);
        return extract_docx(p, part->name, &rels, out, d, e);
    }
    return refuse_unread(d, "an Office file of an unknown kind", out);
}

/* ---- OpenDocument and EPUB: they say what they are ---- */

#define MIME_ODF "application/vnd.oasis.opendocument."
#define MIME_EPUB "application/epub+zip"

static rc read_mimetype(struct package *p, const struct part *part,
                        struct arena *out, struct doc *d, struct err *e)
{
    static const struct {
        str type;
        const char *what; /* NULL: it is read */
    } KINDS[] = {
        {STR_INIT(MIME_ODF "text"), NULL},
        {STR_INIT(MIME_ODF "spreadsheet"), "an OpenDocument sheet"},
        {STR_INIT(MIME_ODF "presentation"), "an OpenDocument presentation"},
        {STR_INIT(MIME_ODF "graphics"), "an OpenDocument drawing"},
        {STR_INIT(MIME_ODF), "an OpenDocument file"},
        {STR_INIT("application/vnd.sun.xml."), "an old OpenOffice file"}};
    struct err why;
    str type = STR_NONE;
    rc code = package_read(p, part, MIMETYPE_BYTES_MAX, out, &type, &why);

    if (code != RC_OK)
        return refuse_error(d, code, &why, out, e);
    type = str_trim(type);
    if (str_eq(type, STR(MIME_EPUB))) {
        d->mime = STR(MIME_EPUB);
        return extract_epub(p, out, d, e);
    }
    for (size_t i = 0; i < NELEMS(KINDS); i++) {
        if (!str_starts(type, KINDS[i].type))
            continue;
        d->mime = KINDS[i].type;
        if (KINDS[i].what != NULL)
            return refuse_unread(d, KINDS[i].what, out);
        return extract_odt(p, out, d, e);
    }
    return refuse_unread(d, "a ZIP archive", out);
}

/* ---- which one it is ---- */

rc extract_package(str bytes, struct said said, struct arena *out,
                   struct doc *d, struct err *e)
{
    const struct part *mimetype;
    struct package p;
    struct err why;
    rc code = package_open(bytes, out, &p, &why);

    (void)said;
    if (code != RC_OK)
        return refuse_error(d, code, &why, out, e);
    if (p.encrypted)
        return refuse_encrypted(d);
    if (package_find(&p, STR("[Content_Types].xml")) != NULL)
        return read_opc(&p, out, d, e);
    mimetype = package_find(&p, STR("mimetype"));
    if (mimetype != NULL)
        return read_mimetype(&p, mimetype, out, d, e);
    if (package_find(&p, STR("META-INF/container.xml")) != NULL) {
        d->mime = STR(MIME_EPUB);
        return extract_epub(&p, out, d, e);
    }
    if (package_find(&p, STR("META-INF/MANIFEST.MF")) != NULL)
        return refuse_unread(d, "a Java archive", out);
    return refuse_unread(d, "a ZIP archive", out);
}

/* ---- the containers of old Office files ---- */

/* Entries of the directory are 128 bytes, at multiples of it; a name is
 * UTF-16LE with a 0 behind it, its length in bytes at 64. */
#define OLE_ENTRY_BYTES 128
#define OLE_NAME_BYTES 64
#define OLE_HEADER_BYTES 512

static bool ole_has(str bytes, str name)
{
    for (size_t at = OLE_HEADER_BYTES; at + OLE_ENTRY_BYTES <= bytes.n;
         at += OLE_ENTRY_BYTES) {
        struct cur c = cur_of(str_sub(bytes, at, OLE_ENTRY_BYTES));
        size_t i = 0;

        while (i < name.n && cur_u16(&c) == (uint8_t)name.p[i])
            i++;
        if (i < name.n)
            continue;
        (void)cur_bytes(&c, OLE_NAME_BYTES - 2 * name.n);
        if (cur_u16(&c) == 2 * (name.n + 1))
            return true;
    }
    return false;
}

rc extract_ole(str bytes, struct said said, struct arena *out, struct doc *d,
               struct err *e)
{
    static const struct {
        str name;
        const char *mime, *what;
    } KINDS[] = {{STR_INIT("WordDocument"), "application/msword",
                  "an old Word file (.doc)"},
                 {STR_INIT("Workbook"), "application/vnd.ms-excel",
                  "an old Excel workbook (.xls)"},
                 {STR_INIT("Book"), "application/vnd.ms-excel",
                  "an old Excel workbook (.xls)"},
                 {STR_INIT("PowerPoint Document"),
                  "application/vnd.ms-powerpoint",
                  "an old PowerPoint file (.ppt)"},
                 {STR_INIT("__properties_version1.0"),
                  "application/vnd.ms-outlook", "an Outlook message (.msg)"}};

    (void)said;
    (void)e;
    if (ole_has(bytes, STR("EncryptedPackage")))
        return refuse_encrypted(d);
    for (size_t i = 0; i < NELEMS(KINDS); i++) {
        if (!ole_has(bytes, KINDS[i].name))
            continue;
        d->mime = str_of(KINDS[i].mime);
        return refuse_unread(d, KINDS[i].what, out);
    }
    return refuse_unread(d, "an old Office file", out);
}
