#include "extract/charset.h"
#include "extract/extract_priv.h"
#include "extract/said.h"

/* What a file can be; rows are tried top down. One with a magic is known by
 * its first bytes and read as bytes; one with `is` is known by its decoded
 * text, and parsed as that or read as bytes. One with neither is known, but not
 * read. */
struct format {
    const char *mime;
    const char *what; /* "this is …" */
    str magic;
    bool (*is)(str text, const struct said *said);
    extract_fn *parse;
    extract_read *read;
};

/* What follows the last dot, if it looks like an extension. */
static str extension(str filename)
{
    size_t at = filename.n;
    bool letter = false;

    while (at > 0 && filename.p[at - 1] != '.') {
        char c = filename.p[--at];

        letter = letter || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (c == ' ' || c == '/')
            return STR_NONE;
    }
    return at == 0 || !letter ? STR_NONE : str_sub(filename, at, filename.n);
}

/* What is said decides where it is Markdown, or a name of a kind of text whose
 * lines only look like Markdown; else the marks in the text do. */
static bool is_markdown(str text, const struct said *said)
{
    static const str YES[] = {STR_INIT("md"), STR_INIT("markdown"),
                              STR_INIT("mdown"), STR_INIT("mkd"),
                              STR_INIT("mdx")};
    str ext = extension(said->filename);

    if (said_type_is(said->type, STR("text/markdown")))
        return true;
    for (size_t i = 0; i < NELEMS(YES); i++) {
        if (str_eq_nocase(ext, YES[i]))
            return true;
    }
    if (ext.n > 0 && !str_eq_nocase(ext, STR("txt")) &&
        !str_eq_nocase(ext, STR("text")))
        return false;
    return md_sniff(text);
}

static bool is_text(str text, const struct said *said)
{
    (void)text;
    (void)said;
    return true;
}

#define UNREAD(mime, what, magic)                     \
    {                                                 \
        mime, what, STR_INIT(magic), NULL, NULL, NULL \
    }
#define READ(mime, what, magic, reader)                 \
    {                                                   \
        mime, what, STR_INIT(magic), NULL, NULL, reader \
    }
static const struct format FORMATS[] = {
    UNREAD("application/pdf", "a PDF file", "%PDF-"),
    READ("application/zip", "a ZIP archive", "PK\3\4", extract_package),
    READ("application/zip", "a ZIP archive", "PK\5\6", extract_package),
    READ("application/x-ole-storage", "an old Office file",
         "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", extract_ole),
    UNREAD("application/rtf", "an RTF file", "{\\rtf"),
    UNREAD("application/gzip", "a gzip archive", "\x1f\x8b"),
    UNREAD("application/zstd", "a zstd archive", "\x28\xb5\x2f\xfd"),
    UNREAD("application/x-xz", "an xz archive", "\xfd\x37zXZ"),
    UNREAD("application/x-7z-compressed", "a 7z archive", "7z\xbc\xaf\x27\x1c"),
    UNREAD("image/png", "a picture", "\x89PNG\r\n\x1a\n"),
    UNREAD("image/jpeg", "a picture", "\xff\xd8\xff"),
    UNREAD("image/gif", "a picture", "GIF8"),
    UNREAD("application/x-elf", "a program", "\x7f\x45LF"),
    {"text/html", "HTML", {NULL, 0}, is_html, NULL, extract_html},
    {"text/markdown", "Markdown", {NULL, 0}, is_markdown, extract_md, NULL},
    {"text/plain", "text", {NULL, 0}, is_text, extract_text, NULL},
};

static const struct format *format_by_magic(str bytes)
{
    for (size_t i = 0; i < NELEMS(FORMATS); i++) {
        if (FORMATS[i].magic.n > 0 && str_starts(bytes, FORMATS[i].magic))
            return &FORMATS[i];
    }
    return NULL;
}

/* "%PDF-1.4" at the start of a line: many files have something before it. */
static bool is_pdf(str head)
{
    for (size_t at = 0, next; at < head.n; at = next) {
        str line = line_at(head, at, &next);

        line = str_sub(line, str_find(line, STR("%PDF-")), line.n);
        if (line.n > 5 && line.p[5] >= '0' && line.p[5] <= '9' &&
            (line.p == head.p || line.p[-1] == '\n' || line.p[-1] == '\r' ||
             (unsigned char)line.p[-1] >= 0x7f))
            return true;
    }
    return false;
}

/* What takes more than one process, tried before all else. */
static const struct {
    bool (*is)(str head);
    extract_plan *plan;
} PLANS[] = {{is_pdf, pdf_plan}};

extract_plan *extract_plan_of(str head)
{
    for (size_t i = 0; i < NELEMS(PLANS); i++) {
        if (PLANS[i].is(head))
            return PLANS[i].plan;
    }
    return NULL;
}

static const struct format *format_by_text(str text, const struct said *said)
{
    size_t i = 0;

    while (FORMATS[i].is == NULL || !FORMATS[i].is(text, said))
        i++;
    return &FORMATS[i];
}

/* The document is no use, for this reason. */
static rc refuse(struct doc *d, enum extract_outcome outcome, str note)
{
    d->outcome = outcome;
    d->note = note;
    return RC_OK;
}

static void note_charset(struct doc *d, const struct charset_how *how,
                         struct arena *out)
{
    if (how->unread.n > 0) {
        d->outcome = EXTRACT_PARTIAL;
        d->note =
            arena_fmt(out,
                      "The text is said to be in the character set " STR_FMT
                      ", which is not read; some of it may be wrong",
                      STR_ARG(how->unread));
    } else if (how->replaced) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = STR("Some bytes are no valid text and were replaced");
    } else if (how->guessed) {
        d->note = STR("The text is not UTF-8 and was read as Windows-1252");
    }
}

str extract_too_long(void)
{
    return STR("The text is longer than 32 MiB, the limit for one document");
}

/* Text of any character set, decoded and parsed as what it looks like. */
static rc read_text(str bytes, struct said said, bool shared, struct arena *out,
                    struct doc *d, struct err *e)
{
    struct charset_how how;
    struct buf text;
    rc code;

    buf_open(&text, TEXT_BYTES_MAX);
    code = charset_decode(bytes, said_charset(said.type), &text, &how, e);
    if (code == RC_OK)
        d->text = arena_str(out, buf_str(&text));
    buf_close(&text);
    if (code == RC_OK) {
        const struct format *f = format_by_text(d->text, &said);

        if (shared && f->parse != extract_text && f->parse != extract_md)
            return err_set(e, RC_UNSUPPORTED, "for a child of its own");
        d->mime = str_of(f->mime);
        if (f->read != NULL) {
            code = f->read(bytes, said, out, d, e);
        } else {
            note_charset(d, &how, out);
            f->parse(d, out);
        }
    }
    if (code == RC_FORMAT) {
        d->mime = STR("application/octet-stream");
        if (how.unread.n > 0)
            return refuse(d, EXTRACT_UNSUPPORTED,
                          arena_fmt(out,
                                    "The file is said to be in the character "
                                    "set " STR_FMT ", which is not read",
                                    STR_ARG(how.unread)));
        return refuse(d, EXTRACT_MALFORMED,
                      STR("The file is binary, not text"));
    }
    if (code == RC_LIMIT)
        return refuse(d, EXTRACT_LIMIT, extract_too_long());
    return code;
}

static rc read_bytes(str bytes, struct said said, bool shared,
                     struct arena *out, struct doc *d, struct err *e)
{
    const struct format *f = format_by_magic(bytes);
    rc code;

    *d = (struct doc){.extractor_version = EXTRACTOR_VERSION};
    if (f != NULL)
        d->mime = str_of(f->mime);
    if (f != NULL && f->read == NULL)
        return refuse(d, EXTRACT_UNSUPPORTED,
                      arena_fmt(out, "This is %s, which is not read", f->what));
    if (bytes.n == 0)
        return refuse(d, EXTRACT_MALFORMED, STR("The file is empty"));
    code = f != NULL ? f->read(bytes, said, out, d, e)
                     : read_text(bytes, said, shared, out, d, e);
    if (code == RC_OK && d->blocks_n == 0 &&
        (d->outcome == EXTRACT_OK || d->outcome == EXTRACT_PARTIAL)) {
        d->text = STR_NONE;
        d->text_cp = 0;
        return refuse(d, EXTRACT_MALFORMED, STR("The file holds no text"));
    }
    return code;
}

rc extract_bytes(str bytes, struct said said, struct arena *out, struct doc *d,
                 struct err *e)
{
    return read_bytes(bytes, said, false, out, d, e);
}

rc extract_bytes_shared(str bytes, struct said said, struct arena *out,
                        struct doc *d, struct err *e)
{
    if (format_by_magic(bytes) != NULL)
        return err_set(e, RC_UNSUPPORTED, "for a child of its own");
    return read_bytes(bytes, said, true, out, d, e);
}
