#include "extract/extract_priv.h"
#include "extract/odt.h"
#include "extract/office.h"
#include "text/utf8.h"

#define SAMPLE_BYTES_MAX 400 /* gathered of a page's head */

struct odt {
    struct package *p;
    struct doc *d;
    struct arena *out;
    struct writer w;
    struct flow f;
    struct odt_styles styles;
    struct buf title;
    unsigned in_head; /* depth of a page's head or foot; 0: in none */
    struct buf head;
    str lost;
};

static rc forgive(struct odt *x, rc code, const struct err *e)
{
    if (code == RC_OK || code == RC_NOMEM)
        return code;
    if (x->lost.n == 0)
        x->lost = arena_str(x->out, str_of(e->text));
    return RC_OK;
}

/* ---- styles.xml: styles, and what stands on every page ---- */

static void styles_start(void *user, const struct markup_tag *t)
{
    struct odt *x = user;

    odt_styles_start(&x->styles, t);
    if (t->id == ODT_HEADER && x->in_head == 0) {
        x->in_head = t->depth;
        buf_clear(&x->head);
    }
}

static void styles_text(void *user, str s)
{
    struct odt *x = user;

    if (x->in_head > 0 && x->head.n < SAMPLE_BYTES_MAX)
        buf_put(&x->head, s);
}

static void styles_end(void *user, unsigned id, unsigned depth)
{
    struct odt *x = user;

    odt_styles_end(&x->styles, id);
    if (x->in_head != depth)
        return;
    flow_drop(&x->f, FLAG_RUNNING_HEAD, buf_str(&x->head));
    x->in_head = 0;
}

static rc styles_read(struct odt *x)
{
    struct markup_sink sink = {.names = ODT_NAMES,
                               .names_n = ODT_NAMES_N,
                               .start = styles_start,
                               .end = styles_end,
                               .text = styles_text,
                               .user = x};
    const struct part *part = package_find(x->p, STR("styles.xml"));
    struct err e;

    return part == NULL ? RC_OK
                        : forgive(x, markup_read(x->p, part, &sink, &e), &e);
}

/* ---- manifest: is it encrypted? ---- */

static void manifest_start(void *user, const struct markup_tag *t)
{
    if (t->id == ODT_ENCRYPTION)
        *(bool *)user = true;
}

static bool encrypted(struct odt *x)
{
    const struct part *part = package_find(x->p, STR("META-INF/manifest.xml"));
    bool found = false;
    struct markup_sink sink = {.names = ODT_NAMES,
                               .names_n = ODT_NAMES_N,
                               .start = manifest_start,
                               .user = &found,
                               .stop = &found};

    /* A manifest that is damaged hides nothing: what is encrypted is no XML. */
    if (part != NULL && markup_read(x->p, part, &sink, NULL) != RC_OK)
        return false;
    return found;
}

/* ---- the document ---- */

/* A name in an archive is any bytes. */
static str name_shown(str name)
{
    bool clean = utf8_valid_prefix(name) == name.n;

    for (size_t i = 0; i < name.n; i++)
        clean = clean && (unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f;
    return clean ? name : STR("a macro");
}

static void scripts_flag(struct odt *x)
{
    for (size_t i = 0; i < x->p->parts_n; i++) {
        str name = x->p->parts[i].name;

        if ((str_starts(name, STR("Basic/")) ||
             str_starts(name, STR("Scripts/"))) &&
            !str_ends(name, STR("/")))
            flow_drop(&x->f, FLAG_SCRIPT, name_shown(name));
    }
}

static rc read_all(struct odt *x, const struct part *content, struct err *e)
{
    const struct part *meta = package_find(x->p, STR("meta.xml"));
    struct doc *d = x->d;
    struct err why = {0};
    rc text, code = styles_read(x);

    if (code != RC_OK)
        return code;
    text = odt_body_read(x->p, content, &x->styles, &x->f, &x->title, &why);
    scripts_flag(x);
    d->title = title_clean(buf_str(&x->title), x->out);
    if (meta != NULL) {
        struct err lost;

        code =
            forgive(x, dublin_core_read(x->p, meta, x->out, d, &lost), &lost);
    }
    if (d->language.n == 0)
        d->language = language_clean(x->styles.language, x->out);
    if (code == RC_OK)
        code = office_end(&x->w, text, &why, x->lost, e);
    if (code == RC_OK && d->title.n == 0)
        d->title = title_of_headings(d, x->out);
    return code;
}

rc extract_odt(struct package *p, struct arena *out, struct doc *d,
               struct err *e)
{
    const struct part *content = package_find(p, STR("content.xml"));
    struct odt x = {.p = p, .d = d, .out = out};
    rc code = RC_OK;

    writer_open(&x.w, d, out);
    flow_open(&x.f, &x.w);
    odt_styles_open(&x.styles, out);
    if (encrypted(&x))
        office_encrypted(d);
    else if (content == NULL)
        office_refuse(d, EXTRACT_MALFORMED,
                      STR("The file is an OpenDocument without content"));
    else
        code = read_all(&x, content, e);
    odt_styles_close(&x.styles);
    flow_close(&x.f);
    writer_close(&x.w);
    buf_close(&x.title);
    buf_close(&x.head);
    return code;
}
