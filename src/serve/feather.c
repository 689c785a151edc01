#include "serve/feather_priv.h"

#include "base/json.h"

static const struct field PAGE_FIELDS[] = {FEATHER_PAGE_FIELDS, {0}};
const struct model FEATHER_PAGE_QUERY = {.name = "Page", .fields = PAGE_FIELDS};

struct out feather_out(struct reply *r)
{
    buf_clear(&r->body);
    r->headers_n = 0;
    return out_to(&r->body);
}

rc feather_end(struct reply *r, struct err *e)
{
    return buf_end(&r->body, e);
}

struct app_page feather_page(const struct request *q)
{
    return (struct app_page){
        .cursor = in_str(q->query, "cursor"),
        .limit = (size_t)in_int(q->query, "limit", PAGE_ITEMS_DEFAULT),
    };
}

void feather_items(struct out *o)
{
    out_begin(o, NULL);
    out_begin_list(o, "items");
}

rc feather_items_end(struct reply *r, struct out *o,
                     const struct app_page_end *end, struct err *e)
{
    out_end_list(o);
    out_str_or_null(o, "next_cursor",
                    end->next_cursor.n == 0 ? STR_NONE : end->next_cursor);
    out_bool(o, "has_more", end->more);
    out_end(o);
    return feather_end(r, e);
}

const char *feather_sensitivity(int level)
{
    return level < 10   ? "public"
           : level < 20 ? "internal"
           : level < 30 ? "confidential"
                        : "restricted";
}

uuid feather_uuid(const struct request *q, str text, const char *prefix)
{
    uuid u = UUID_NIL;
    bool good = uuid_parse(text, str_of(prefix), &u, q->arena, NULL);

    ASSERT(good);
    return u;
}
