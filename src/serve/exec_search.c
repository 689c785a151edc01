/* Search over the hub: Exec has none, so the whole of it is an addition. */
#include "serve/exec_priv.h"
#include "serve/feather_priv.h"

static const struct field SEARCH_FIELDS[] = {
    {.name = "query",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = QUERY_BYTES_MAX},
    {.name = "folder_id",
     .type = FIELD_STRING,
     .nullable = true,
     .length_max = EXEC_ID_CHARS_MAX,
     .doc = "Only what lies in this folder or below it"},
    {.name = "limit",
     .type = FIELD_INT,
     .min = BOUND(1),
     .max = BOUND(SEARCH_LIMIT_MAX),
     .preset = "10"},
    {0},
};
static const struct model SEARCH = {.name = "KnowledgeHubSearch",
                                    .fields = SEARCH_FIELDS};

static const struct field POSITION_FIELDS[] = {OUT_INT("start_char"),
                                               OUT_INT("end_char"), OUT_END};
static const struct model POSITION = {.name = "KnowledgeHubPosition",
                                      .fields = POSITION_FIELDS};
static const struct field HIT_FIELDS[] = {
    OUT_STR("source_id"),
    OUT_STR("title"),
    OUT_STR("content"),
    OUT_NUM("score"),
    {.name = "position",
     .type = FIELD_MODEL,
     .required = true,
     .model = &POSITION,
     .doc = "Where the content stands in the source's own"},
    {.name = "location",
     .type = FIELD_MODEL,
     .required = true,
     .model = &FEATHER_LOCATION},
    OUT_END,
};
static const struct model HIT = {.name = "KnowledgeHubSearchResult",
                                 .fields = HIT_FIELDS};
static const struct field HIT_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &HIT};
static const struct field FOUND_FIELDS[] = {OUT_LIST("data", &HIT_ITEM),
                                            OUT_END};
static const struct model FOUND = {.name = "KnowledgeHubSearchResults",
                                   .fields = FOUND_FIELDS};

static void put_hit(struct out *o, str id, const struct search_hit *h)
{
    out_begin(o, NULL);
    out_str(o, "source_id", id);
    out_str(o, "title", h->document_title);
    out_str(o, "content", h->content);
    out_num(o, "score", h->score);
    out_begin(o, "position");
    out_uint(o, "start_char", h->start_char);
    out_uint(o, "end_char", h->end_char);
    out_end(o);
    feather_put_location(o, h);
    out_end(o);
}

static rc search(struct request *q, struct reply *r, struct err *e)
{
    struct out o = exec_out(r);
    struct search_out res = {0};
    str *ids;
    rc code = app_hub_search(q->app, &q->who, q->db, in_str(q->body, "query"),
                             exec_text(q->body, "folder_id"),
                             (size_t)in_int(q->body, "limit", 10), q->arena,
                             &res, &ids, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_begin_list(&o, "data");
    for (size_t i = 0; i < res.hits_n; i++)
        put_hit(&o, ids[i], &res.hits[i]);
    out_end_list(&o);
    out_end(&o);
    return exec_end(r, e);
}

const struct route EXEC_SEARCH_ROUTES[] = {
    {
        .method = "POST",
        .pattern = HUB_PREFIX "/search",
        .access = ACCESS_READ,
        .body_kind = BODY_JSON,
        .body = &SEARCH,
        .answer = &FOUND,
        .success = 200,
        .dialect = DIALECT_EXEC,
        .handle = search,
        .operation = "searchKnowledgeHub",
        .doc = "Search the hub (an addition of knowd)",
        .tag = "Knowledge Hub - Search",
    },
    {0},
};
