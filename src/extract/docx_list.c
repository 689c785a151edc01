#include "extract/docx.h"

#include "extract/writer.h"

#define NUMBER_MAX 999999

struct reader {
    struct docx_lists *l;
    struct arena *out;
    struct docx_list_kind *kind; /* of the w:abstractNum we are in */
    struct docx_list *list;      /* of the w:num */
    uint32_t level;              /* UNSET: in none */
};

static void kind_begin(struct reader *r, const struct markup_tag *t)
{
    struct docx_lists *l = r->l;

    r->kind = NULL;
    if (l->kinds_n == DOCX_LISTS_MAX)
        return;
    *map_slot(l->kinds_by_id, markup_attr(t, NS_W, "abstractNumId"), NULL) =
        l->kinds_n;
    ARENA_PUSH(r->out, l->kinds, l->kinds_n, l->kinds_cap,
               ((struct docx_list_kind){0}));
    r->kind = &l->kinds[l->kinds_n - 1];
}

static void list_begin(struct reader *r, const struct markup_tag *t)
{
    struct docx_list one = {0};

    r->list = NULL;
    if (r->l->n == DOCX_LISTS_MAX)
        return;
    for (size_t i = 0; i < DOCX_LEVELS; i++)
        one.starts[i] = UNSET;
    *map_slot(r->l->by_id, markup_attr(t, NS_W, "numId"), NULL) = r->l->n;
    ARENA_PUSH(r->out, r->l->v, r->l->n, r->l->cap, one);
    r->list = &r->l->v[r->l->n - 1];
}

static void level_property(struct reader *r, const struct markup_tag *t)
{
    struct docx_list_level *at;
    str value = markup_attr(t, NS_W, "val");

    if (r->kind == NULL || r->level >= DOCX_LEVELS)
        return;
    at = &r->kind->levels[r->level];
    if (t->id == W_START && docx_number(t, "val") <= NUMBER_MAX)
        at->start = docx_number(t, "val");
    else if (t->id == W_LVLTEXT)
        at->blank = str_blank(value);
    else if (t->id == W_NUMFMT)
        at->ordered =
            !str_eq(value, STR("bullet")) && !str_eq(value, STR("none"));
}

static void on_start(void *user, const struct markup_tag *t)
{
    struct reader *r = user;
    uint32_t n = docx_number(t, "val");

    if (t->id == W_ABSTRACTNUM)
        kind_begin(r, t);
    else if (t->id == W_NUM)
        list_begin(r, t);
    else if (t->id == W_LVL || t->id == W_LVLOVERRIDE)
        r->level = docx_number(t, "ilvl");
    else if (t->id == W_START || t->id == W_NUMFMT || t->id == W_LVLTEXT)
        level_property(r, t);
    else if (t->id == W_NUMSTYLELINK && r->kind != NULL)
        r->kind->style_link = arena_str(r->out, markup_attr(t, NS_W, "val"));
    else if (t->id == W_ABSTRACTNUMID && r->list != NULL)
        r->list->kind_id = arena_str(r->out, markup_attr(t, NS_W, "val"));
    else if (t->id == W_STARTOVERRIDE && r->list != NULL &&
             r->level < DOCX_LEVELS && n <= NUMBER_MAX)
        r->list->starts[r->level] = n;
}

static void on_end(void *user, unsigned id, unsigned depth)
{
    struct reader *r = user;

    (void)depth;
    if (id == W_ABSTRACTNUM)
        r->kind = NULL;
    else if (id == W_NUM)
        r->list = NULL;
}

void docx_lists_open(struct docx_lists *l)
{
    *l = (struct docx_lists){.kinds_by_id = map_open(), .by_id = map_open()};
}

void docx_lists_close(struct docx_lists *l)
{
    map_close(l->kinds_by_id);
    map_close(l->by_id);
}

rc docx_lists_read(struct package *p, const struct part *part,
                   struct arena *out, struct docx_lists *l, struct err *e)
{
    struct reader r = {.l = l, .out = out, .level = UNSET};
    struct markup_sink sink = {.names = DOCX_NAMES,
                               .names_n = DOCX_NAMES_N,
                               .start = on_start,
                               .end = on_end,
                               .user = &r};

    return markup_read(p, part, &sink, e);
}

/* ---- counting ---- */

static struct docx_list *list_find(struct docx_lists *l, uint32_t list)
{
    char digits[16];
    size_t n = sizeof digits;
    const uint64_t *at;

    do
        digits[--n] = (char)('0' + list % 10);
    while ((list /= 10) > 0);
    at = map_find(l->by_id, (str){digits + n, sizeof digits - n});
    return at == NULL ? NULL : &l->v[*at];
}

static struct docx_list_kind *kind_find(struct docx_lists *l,
                                        const struct docx_list *list)
{
    const uint64_t *at =
        list == NULL ? NULL : map_find(l->kinds_by_id, list->kind_id);

    return at == NULL ? NULL : &l->kinds[*at];
}

/* Lists of one kind count on, unless one says where it starts. */
static void restart(struct docx_list *list, struct docx_list_kind *kind)
{
    if (list->begun)
        return;
    list->begun = true;
    for (size_t i = 0; i < DOCX_LEVELS; i++) {
        if (list->starts[i] == UNSET)
            continue;
        kind->levels[i].start = list->starts[i];
        kind->levels[i].count = 0;
    }
}

uint32_t docx_list_next(struct docx_lists *l, const struct docx_styles *s,
                        uint32_t list, unsigned level)
{
    struct docx_list *found = list_find(l, list);
    struct docx_list_kind *kind = kind_find(l, found);
    struct docx_list_level *at;

    if (kind != NULL && kind->style_link.n > 0) {
        const struct docx_style *style = docx_style_find(s, kind->style_link);

        found = style == NULL ? NULL : list_find(l, style->list);
        kind = kind_find(l, found);
    }
    if (kind == NULL)
        return WRITER_BULLET;
    restart(found, kind);
    at = &kind->levels[level];
    if (at->blank)
        return FLOW_NO_ITEM;
    for (size_t i = level + 1; i < DOCX_LEVELS; i++)
        kind->levels[i].count = 0;
    if (at->count < NUMBER_MAX)
        at->count++;
    return at->ordered ? at->start + at->count - 1 : WRITER_BULLET;
}
