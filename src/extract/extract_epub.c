#include "extract/epub.h"
#include "extract/extract_priv.h"
#include "extract/office.h"

struct item {
    str id, name; /* of the part */
    bool text, nav;
};

struct epub {
    struct package *p;
    struct doc *d;
    struct arena *out;
    struct writer w;
    struct flow f;
    str opf; /* name of the part that lists the others */
    struct item *items;
    size_t items_n, items_cap;
    struct map *by_id;
    size_t *spine; /* items in the order of reading */
    size_t spine_n, spine_cap;
    bool encrypted;
    str lost;
};

enum { TAG_ROOTFILE = 1, TAG_ITEM, TAG_ITEMREF, TAG_ENCRYPTION };

static rc forgive(struct epub *x, rc code, const struct err *e)
{
    if (code == RC_OK || code == RC_NOMEM)
        return code;
    if (x->lost.n == 0)
        x->lost = arena_str(x->out, str_of(e->text));
    return RC_OK;
}

/* Fonts are garbled by these, by the standard's or Adobe's way; text isn't. */
static bool is_of_fonts(str algorithm)
{
    return str_eq(algorithm, STR("http://www.idpf.org/2008/embedding")) ||
           str_eq(algorithm, STR("http://ns.adobe.com/pdf/enc#RC"));
}

static void item_take(struct epub *x, const struct markup_tag *t)
{
    str type = markup_attr(t, NS_NONE, "media-type"),
        properties = markup_attr(t, NS_NONE, "properties");
    struct item i = {
        .id = arena_str(x->out, markup_attr(t, NS_NONE, "id")),
        .name = part_name(x->opf, markup_attr(t, NS_NONE, "href"), x->out),
        .text = str_eq(type, STR("application/xhtml+xml")),
        .nav = str_find(properties, STR("nav")) < properties.n};

    if (x->items_n == PACKAGE_PARTS_MAX)
        return;
    *map_slot(x->by_id, i.id, NULL) = x->items_n;
    ARENA_PUSH(x->out, x->items, x->items_n, x->items_cap, i);
}

static void itemref_take(struct epub *x, const struct markup_tag *t)
{
    const uint64_t *at = map_find(x->by_id, markup_attr(t, NS_NONE, "idref"));

    if (at != NULL && x->spine_n < PACKAGE_PARTS_MAX)
        ARENA_PUSH(x->out, x->spine, x->spine_n, x->spine_cap, (size_t)*at);
}

static void list_start(void *user, const struct markup_tag *t)
{
    struct epub *x = user;

    if (t->id == TAG_ROOTFILE && x->opf.n == 0)
        x->opf =
            part_name(STR(""), markup_attr(t, NS_NONE, "full-path"), x->out);
    else if (t->id == TAG_ITEM)
        item_take(x, t);
    else if (t->id == TAG_ITEMREF)
        itemref_take(x, t);
    else if (t->id == TAG_ENCRYPTION &&
             !is_of_fonts(markup_attr(t, NS_NONE, "Algorithm")))
        x->encrypted = true;
}

/* A part that says something about the others. */
static rc list_read(struct epub *x, const struct part *part, struct err *e)
{
    static const struct markup_name NAMES[] = {
        {NS_OCF, "rootfile", TAG_ROOTFILE},
        {NS_OPF, "item", TAG_ITEM},
        {NS_OPF, "itemref", TAG_ITEMREF},
        {NS_XMLENC, "EncryptionMethod", TAG_ENCRYPTION}};
    struct markup_sink sink = {.names = NAMES,
                               .names_n = NELEMS(NAMES),
                               .start = list_start,
                               .user = x};

    return markup_read(x->p, part, &sink, e);
}

/* A chapter once, however often the spine names it. */
static rc chapters_read(struct epub *x)
{
    rc code = RC_OK;

    for (size_t i = 0; i < x->spine_n && code == RC_OK && !writer_full(&x->w);
         i++) {
        struct item *item = &x->items[x->spine[i]];
        const struct part *part = package_find(x->p, item->name);
        struct err e;

        if (item->nav)
            flow_drop(&x->f, FLAG_BOILERPLATE, item->name);
        else if (item->text && part != NULL)
            code = forgive(x, epub_chapter_read(x->p, part, &x->f, &e), &e);
        item->text = item->nav = false;
    }
    return code;
}

static rc read_all(struct epub *x, struct err *e)
{
    const struct part *container =
        package_find(x->p, STR("META-INF/container.xml"));
    const struct part *encryption =
        package_find(x->p, STR("META-INF/encryption.xml"));
    const struct part *opf;
    struct err why = {0};
    rc text = RC_OK, code = RC_OK;

    if (container != NULL)
        text = list_read(x, container, &why);
    if (text == RC_OK && encryption != NULL)
        code = forgive(x, list_read(x, encryption, &why), &why);
    if (code == RC_OK && x->encrypted) {
        office_encrypted(x->d);
        return RC_OK;
    }
    opf = package_find(x->p, x->opf);
    if (text == RC_OK && opf == NULL)
        text = err_set(&why, RC_FORMAT, "The file is an EPUB without a book");
    if (text == RC_OK)
        text = list_read(x, opf, &why);
    if (text == RC_OK && code == RC_OK) {
        struct err lost;

        code =
            forgive(x, dublin_core_read(x->p, opf, x->out, x->d, &lost), &lost);
    }
    if (code == RC_OK)
        code = chapters_read(x);
    return code == RC_OK ? office_end(&x->w, text, &why, x->lost, e) : code;
}

rc extract_epub(struct package *p, struct arena *out, struct doc *d,
                struct err *e)
{
    struct epub x = {.p = p, .d = d, .out = out, .by_id = map_open()};
    rc code;

    writer_open(&x.w, d, out);
    flow_open(&x.f, &x.w);
    code = read_all(&x, e);
    if (code == RC_OK && d->title.n == 0)
        d->title = title_of_headings(d, out);
    map_close(x.by_id);
    flow_close(&x.f);
    writer_close(&x.w);
    return code;
}
