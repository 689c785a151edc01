#include "extract/opc.h"

#include "extract/extract_priv.h"

#define SEGMENTS_MAX 64
#define PROPERTY_BYTES_MAX (4 * KIB)

enum { TAG_RELATIONSHIP = 1, TAG_OVERRIDE, TAG_DEFAULT };

/* ---- names of parts ---- */

/* Puts the segments of s behind those that are there; false: it leads out. */
static bool segments_add(str s, str segments[SEGMENTS_MAX], size_t *n)
{
    bool more = true;
    str one;

    while (more) {
        more = str_cut(s, '/', &one, &s);
        if (one.n == 0 || str_eq(one, STR(".")))
            continue;
        if (str_eq(one, STR(".."))) {
            if (*n == 0)
                return false;
            (*n)--;
        } else if (*n == SEGMENTS_MAX) {
            return false;
        } else {
            segments[(*n)++] = one;
        }
    }
    return true;
}

static str unescape(str s, struct arena *out)
{
    char *to = arena_alloc(out, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && str_hex_digit(s.p[i + 1]) >= 0 &&
            str_hex_digit(s.p[i + 2]) >= 0) {
            to[n++] = (char)(str_hex_digit(s.p[i + 1]) << 4 |
                             str_hex_digit(s.p[i + 2]));
            i += 2;
        } else {
            to[n++] = s.p[i];
        }
    }
    return (str){to, n};
}

str part_name(str base, str target, struct arena *out)
{
    str segments[SEGMENTS_MAX];
    size_t n = 0, at = base.n, bytes = 0;
    char *to;

    target = str_sub(target, 0, str_find_char(target, '#'));
    if (!str_starts(target, STR("/"))) {
        while (at > 0 && base.p[at - 1] != '/')
            at--;
        if (!segments_add(str_sub(base, 0, at), segments, &n))
            return STR_NONE;
    }
    if (!segments_add(unescape(target, out), segments, &n) || n == 0)
        return STR_NONE;
    for (size_t i = 0; i < n; i++)
        bytes += segments[i].n + 1;
    to = arena_alloc(out, bytes);
    bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            to[bytes++] = '/';
        memcpy(to + bytes, segments[i].p, segments[i].n);
        bytes += segments[i].n;
    }
    return (str){to, bytes};
}

static str behind_last(str s, char c)
{
    size_t at = s.n;

    while (at > 0 && s.p[at - 1] != c)
        at--;
    return str_sub(s, at, s.n);
}

/* ---- relationships ---- */

struct rels_reader {
    struct opc_rels *rels;
    str base;
    struct arena *out;
};

static void rels_start(void *user, const struct markup_tag *t)
{
    struct rels_reader *r = user;
    struct opc_rel rel;
    str target = markup_attr(t, NS_NONE, "Target");

    if (t->id != TAG_RELATIONSHIP || r->rels->n == OPC_RELS_MAX ||
        str_eq(markup_attr(t, NS_NONE, "TargetMode"), STR("External")))
        return;
    rel.target = part_name(r->base, target, r->out);
    if (rel.target.n == 0)
        return;
    rel.id = arena_str(r->out, markup_attr(t, NS_NONE, "Id"));
    rel.type =
        arena_str(r->out, behind_last(markup_attr(t, NS_NONE, "Type"), '/'));
    ARENA_PUSH(r->out, r->rels->v, r->rels->n, r->rels->cap, rel);
}

rc opc_rels_read(struct package *p, str part, struct arena *out,
                 struct opc_rels *rels, struct err *e)
{
    static const struct markup_name NAMES[] = {
        {NS_RELS, "Relationship", TAG_RELATIONSHIP}};
    struct rels_reader r = {.rels = rels, .base = part, .out = out};
    struct markup_sink sink = {.names = NAMES,
                               .names_n = NELEMS(NAMES),
                               .start = rels_start,
                               .user = &r};
    str file = behind_last(part, '/');
    str name =
        arena_fmt(out, STR_FMT "_rels/" STR_FMT ".rels",
                  STR_ARG(str_sub(part, 0, part.n - file.n)), STR_ARG(file));
    const struct part *found = package_find(p, name);

    *rels = (struct opc_rels){0};
    return found == NULL ? RC_OK : markup_read(p, found, &sink, e);
}

const struct part *opc_part(const struct package *p,
                            const struct opc_rels *rels, str type)
{
    for (size_t i = 0; i < rels->n; i++) {
        if (str_eq(rels->v[i].type, type))
            return package_find(p, rels->v[i].target);
    }
    return NULL;
}

/* ---- content types ---- */

struct type_reader {
    str part; /* with its slash */
    str type;
    bool named; /* for this part, not for all of its extension */
    struct arena *out;
};

static void type_start(void *user, const struct markup_tag *t)
{
    struct type_reader *r = user;
    str type = markup_attr(t, NS_NONE, "ContentType");

    if (t->id == TAG_OVERRIDE &&
        str_eq_nocase(markup_attr(t, NS_NONE, "PartName"), r->part)) {
        r->type = arena_str(r->out, type);
        r->named = true;
    } else if (t->id == TAG_DEFAULT && !r->named &&
               str_eq_nocase(markup_attr(t, NS_NONE, "Extension"),
                             behind_last(r->part, '.'))) {
        r->type = arena_str(r->out, type);
    }
}

rc opc_type_read(struct package *p, str part, struct arena *out, str *type,
                 struct err *e)
{
    static const struct markup_name NAMES[] = {
        {NS_TYPES, "Override", TAG_OVERRIDE},
        {NS_TYPES, "Default", TAG_DEFAULT}};
    struct type_reader r = {.part = arena_fmt(out, "/" STR_FMT, STR_ARG(part)),
                            .out = out};
    struct markup_sink sink = {.names = NAMES,
                               .names_n = NELEMS(NAMES),
                               .start = type_start,
                               .user = &r};
    const struct part *types = package_find(p, STR("[Content_Types].xml"));
    rc code = types == NULL ? RC_OK : markup_read(p, types, &sink, e);

    *type = r.type;
    return code;
}

/* ---- properties ---- */

enum property {
    PROPERTY_NONE,
    PROPERTY_TITLE,
    PROPERTY_LANGUAGE,
    PROPERTY_CREATED,
    PROPERTY_MODIFIED,
    PROPERTY_META, /* EPUB: its attribute says what it is */
    PROPERTY_DATE, /* of the last change; of an EPUB, of its publication */
    PROPERTY_EPUB, /* it is one */
    PROPERTY_COUNT
};

struct property_reader {
    enum property at;
    unsigned depth;
    bool epub;
    struct buf text;
    struct doc *d;
    struct arena *out;
};

static void property_start(void *user, const struct markup_tag *t)
{
    struct property_reader *r = user;

    if (t->id == MARKUP_OTHER || r->at != PROPERTY_NONE)
        return;
    if (t->id == PROPERTY_EPUB) {
        r->epub = true;
        return;
    }
    r->at = (enum property)t->id;
    if (r->at == PROPERTY_DATE)
        r->at = r->epub ? PROPERTY_CREATED : PROPERTY_MODIFIED;
    if (r->at == PROPERTY_META)
        r->at =
            str_eq(markup_attr(t, NS_NONE, "property"), STR("dcterms:modified"))
                ? PROPERTY_MODIFIED
                : PROPERTY_NONE;
    r->depth = t->depth;
    buf_clear(&r->text);
}

static void property_text(void *user, str s)
{
    struct property_reader *r = user;

    if (r->at != PROPERTY_NONE && s.n <= PROPERTY_BYTES_MAX - r->text.n)
        buf_put(&r->text, s);
}

static bool digits(str s, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return true;
}

/* RFC 3339 out of W3CDTF and its like. A time without a zone is taken for
 * UTC. */
static str date_spelled(str s, struct arena *out)
{
    size_t n = 19;
    str zone;

    if (!digits(s, 0, 4) || !digits(s, 5, 2) || !digits(s, 8, 2) ||
        s.p[4] != '-' || s.p[7] != '-')
        return STR_NONE;
    if (s.n < n || s.p[10] != 'T' || !digits(s, 11, 2) || s.p[13] != ':' ||
        !digits(s, 14, 2) || s.p[16] != ':' || !digits(s, 17, 2))
        return arena_str(out, str_sub(s, 0, 10));
    for (zone = str_sub(s, n, s.n); zone.n > 0 && zone.p[0] != '+' &&
                                    zone.p[0] != '-' && zone.p[0] != 'Z';)
        zone = str_sub(zone, 1, zone.n); /* parts of a second */
    if (zone.n != 6 || !digits(zone, 1, 2) || zone.p[3] != ':' ||
        !digits(zone, 4, 2))
        zone = STR("Z");
    return arena_fmt(out, STR_FMT STR_FMT, STR_ARG(str_sub(s, 0, n)),
                     STR_ARG(zone));
}

/* Empty: it is none; some programs write 0000-00-00. */
static str date_clean(str s, struct arena *out)
{
    str date = date_spelled(s, out);

    return doc_date_valid(date) ? date : STR_NONE;
}

/* BCP 47 is letters, digits and hyphens. */
str language_clean(str s, struct arena *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '-' && !digits(s, i, 1) &&
            ((s.p[i] | 0x20) < 'a' || (s.p[i] | 0x20) > 'z'))
            return STR_NONE;
    }
    return s.n > 35 ? STR_NONE : arena_str(out, s);
}

static void property_end(void *user, unsigned id, unsigned depth)
{
    struct property_reader *r = user;
    str s = str_trim(buf_str(&r->text));
    struct doc *d = r->d;

    (void)id;
    if (r->at == PROPERTY_NONE || depth != r->depth)
        return;
    if (r->at == PROPERTY_TITLE && d->title.n == 0)
        d->title = title_clean(s, r->out);
    else if (r->at == PROPERTY_LANGUAGE && d->language.n == 0)
        d->language = language_clean(s, r->out);
    else if (r->at == PROPERTY_CREATED && d->created.n == 0)
        d->created = date_clean(s, r->out);
    else if (r->at == PROPERTY_MODIFIED && d->modified.n == 0)
        d->modified = date_clean(s, r->out);
    r->at = PROPERTY_NONE;
}

rc dublin_core_read(struct package *p, const struct part *part,
                    struct arena *out, struct doc *d, struct err *e)
{
    static const struct markup_name NAMES[] = {
        {NS_DC, "title", PROPERTY_TITLE},
        {NS_DC, "language", PROPERTY_LANGUAGE},
        {NS_DCTERMS, "created", PROPERTY_CREATED},
        {NS_DCTERMS, "modified", PROPERTY_MODIFIED},
        {NS_META, "creation-date", PROPERTY_CREATED},
        {NS_DC, "date", PROPERTY_DATE},
        {NS_OPF, "metadata", PROPERTY_EPUB},
        {NS_OPF, "meta", PROPERTY_META}};
    struct property_reader r = {.d = d, .out = out};
    struct markup_sink sink = {.names = NAMES,
                               .names_n = NELEMS(NAMES),
                               .start = property_start,
                               .end = property_end,
                               .text = property_text,
                               .user = &r};
    rc code = markup_read(p, part, &sink, e);

    buf_close(&r.text);
    return code;
}
