#include "extract/docx.h"
#include "extract/extract_priv.h"
#include "extract/office.h"

#define SAMPLE_BYTES_MAX 400 /* gathered of a remark, of a page's head */
#define RUNNING_PARTS_MAX 64 /* heads and feet that are looked at */

/* ---- the parts around the text ---- */

/* Something about a part that is not the text itself: what it would have told
 * is lost, the text is read all the same. */
static rc forgive(struct docx *x, rc code, const struct err *e)
{
    if (code == RC_OK || code == RC_NOMEM)
        return code;
    if (x->lost.n == 0)
        x->lost = arena_str(x->out, str_of(e->text));
    return RC_OK;
}

/* Text that is flagged, not kept: one flag for each `unit`, or one in all. */
struct aside_reader {
    struct docx *x;
    enum doc_flag_kind kind;
    unsigned unit;
    bool in_text;
    struct buf text;
};

static void aside_start(void *user, const struct markup_tag *t)
{
    ((struct aside_reader *)user)->in_text = t->id == W_T;
}

static void aside_text(void *user, str s)
{
    struct aside_reader *r = user;

    if (r->in_text && r->text.n < SAMPLE_BYTES_MAX)
        buf_put(&r->text, s);
}

static void aside_end(void *user, unsigned id, unsigned depth)
{
    struct aside_reader *r = user;

    r->in_text = false;
    if (id != r->unit && depth > 1)
        return;
    flow_drop(&r->x->f, r->kind, buf_str(&r->text));
    buf_clear(&r->text);
}

static rc aside_read(struct docx *x, const struct part *part,
                     enum doc_flag_kind kind, unsigned unit)
{
    struct aside_reader r = {.x = x, .kind = kind, .unit = unit};
    struct markup_sink sink = {.names = DOCX_NAMES,
                               .names_n = DOCX_NAMES_N,
                               .start = aside_start,
                               .end = aside_end,
                               .text = aside_text,
                               .user = &r};
    struct err e;
    rc code = markup_read(x->p, part, &sink, &e);

    buf_close(&r.text);
    return forgive(x, code, &e);
}

static void settings_start(void *user, const struct markup_tag *t)
{
    struct docx *x = user;

    if (t->id == W_DISPLAYBACKGROUND)
        x->shows_background = docx_bool(t);
}

static rc settings_read(struct docx *x, const struct part *part, struct err *e)
{
    struct markup_sink sink = {.names = DOCX_NAMES,
                               .names_n = DOCX_NAMES_N,
                               .start = settings_start,
                               .user = x};

    return markup_read(x->p, part, &sink, e);
}

static rc styles_read(struct docx *x, const struct part *part, struct err *e)
{
    return docx_styles_read(x->p, part, x->out, &x->styles, e);
}

static rc lists_read(struct docx *x, const struct part *part, struct err *e)
{
    return docx_lists_read(x->p, part, x->out, &x->lists, e);
}

static rc footnotes_read(struct docx *x, const struct part *part, struct err *e)
{
    return docx_notes_read(x, part, &x->footnotes, e);
}

static rc endnotes_read(struct docx *x, const struct part *part, struct err *e)
{
    return docx_notes_read(x, part, &x->endnotes, e);
}

/* Notes need styles; the text needs all of them. */
static rc around_read(struct docx *x)
{
    static const struct {
        str type;
        rc (*read)(struct docx *x, const struct part *part, struct err *e);
    } PARTS[] = {{STR_INIT("settings"), settings_read},
                 {STR_INIT("styles"), styles_read},
                 {STR_INIT("numbering"), lists_read},
                 {STR_INIT("footnotes"), footnotes_read},
                 {STR_INIT("endnotes"), endnotes_read}};
    rc code = RC_OK;

    for (size_t i = 0; i < NELEMS(PARTS) && code == RC_OK; i++) {
        const struct part *part = opc_part(x->p, &x->rels, PARTS[i].type);
        struct err e;

        if (part != NULL)
            code = forgive(x, PARTS[i].read(x, part, &e), &e);
    }
    return code;
}

/* What is beside the text and stays out of it. */
static rc beside_read(struct docx *x)
{
    static const struct {
        str type;
        enum doc_flag_kind kind;
        bool read;     /* the part's text tells */
        unsigned unit; /* of that */
    } KINDS[] = {{STR_INIT("comments"), FLAG_COMMENT, true, W_COMMENT},
                 {STR_INIT("header"), FLAG_RUNNING_HEAD, true, DOCX_OTHER},
                 {STR_INIT("footer"), FLAG_RUNNING_HEAD, true, DOCX_OTHER},
                 {STR_INIT("oleObject"), FLAG_ATTACHMENT, false, 0},
                 {STR_INIT("package"), FLAG_ATTACHMENT, false, 0},
                 {STR_INIT("aFChunk"), FLAG_ATTACHMENT, false, 0},
                 {STR_INIT("vbaProject"), FLAG_SCRIPT, false, 0},
                 {STR_INIT("control"), FLAG_SCRIPT, false, 0}};
    size_t read = 0;
    rc code = RC_OK;

    for (size_t i = 0; i < x->rels.n; i++) {
        const struct opc_rel *rel = &x->rels.v[i];
        const struct part *part = package_find(x->p, rel->target);

        for (size_t k = 0; k < NELEMS(KINDS) && part != NULL; k++) {
            if (!str_eq(rel->type, KINDS[k].type))
                continue;
            if (!KINDS[k].read)
                flow_drop(&x->f, KINDS[k].kind, rel->target);
            else if (read++ < RUNNING_PARTS_MAX)
                code = aside_read(x, part, KINDS[k].kind, KINDS[k].unit);
            if (code != RC_OK)
                return code;
        }
    }
    return RC_OK;
}

/* ---- the document ---- */

static void docx_open(struct docx *x, struct package *p, struct doc *d,
                      struct arena *out)
{
    *x = (struct docx){.p = p, .d = d, .out = out};
    writer_open(&x->w, d, out);
    flow_open(&x->f, &x->w);
    docx_styles_open(&x->styles);
    docx_lists_open(&x->lists);
    x->footnotes.by_id = map_open();
    x->endnotes.by_id = map_open();
}

static void docx_close(struct docx *x)
{
    map_close(x->footnotes.by_id);
    map_close(x->endnotes.by_id);
    docx_lists_close(&x->lists);
    docx_styles_close(&x->styles);
    flow_close(&x->f);
    writer_close(&x->w);
    buf_close(&x->title);
}

/* Title, dates and language; the title the reader sees comes first. */
static rc properties_read(struct docx *x, const struct opc_rels *package)
{
    const struct part *core = opc_part(x->p, package, STR("core-properties"));
    struct doc *d = x->d;
    struct err e;
    rc code = RC_OK;

    d->title = title_clean(buf_str(&x->title), x->out);
    if (core != NULL)
        code = forgive(x, dublin_core_read(x->p, core, x->out, d, &e), &e);
    if (d->language.n == 0)
        d->language = language_clean(x->styles.language, x->out);
    return code;
}

rc extract_docx(struct package *p, str main, const struct opc_rels *package,
                struct arena *out, struct doc *d, struct err *e)
{
    const struct part *part = package_find(p, main);
    struct docx x;
    struct err why = {0};
    rc code, text = RC_OK;

    docx_open(&x, p, d, out);
    code = forgive(&x, opc_rels_read(p, main, out, &x.rels, &why), &why);
    if (code == RC_OK)
        code = around_read(&x);
    if (code == RC_OK) {
        text = docx_body_read(&x, part, &why);
        code = text == RC_NOMEM ? text : RC_OK;
    }
    if (code == RC_OK)
        code = beside_read(&x);
    if (code == RC_OK)
        code = properties_read(&x, package);
    if (code == RC_OK)
        code = office_end(&x.w, text, &why, x.lost, e);
    if (code == RC_OK && d->title.n == 0)
        d->title = title_of_headings(d, out);
    docx_close(&x);
    return code;
}
