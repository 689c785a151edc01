#include "serve/feather_priv.h"

/* ---- requests ---- */

static const struct field BASE_ID = {
    .name = "", .type = FIELD_UUID, .prefix = "kb"};
static const struct field VERSION_ID = {
    .name = "", .type = FIELD_UUID, .prefix = "ver"};
static const char *const LEGS[] = {"hybrid", "lexical", "dense", NULL};
static const char *const FUSIONS[] = {"convex", "reciprocal_rank", NULL};
static const char *const GROUPS[] = {"document", NULL};

#define QUERY_AND_BASES                                                   \
    {.name = "query",                                                     \
     .type = FIELD_STRING,                                                \
     .required = true,                                                    \
     .nonblank = true,                                                    \
     .length_max = QUERY_BYTES_MAX},                                      \
    {                                                                     \
        .name = "kb_ids", .type = FIELD_LIST, .required = true,           \
        .item = &BASE_ID, .length_min = 1, .length_max = SEARCH_BASES_MAX \
    }
#define OPTIONS                                                          \
    {.name = "rerank",                                                   \
     .type = FIELD_BOOL,                                                 \
     .preset = "false",                                                  \
     .doc = "Ignored: there is no reranker yet."},                       \
        {.name = "prefer_draft", .type = FIELD_BOOL, .preset = "false"}, \
        {.name = "version_overrides",                                    \
         .type = FIELD_MAP,                                              \
         .nullable = true,                                               \
         .key_uuid = true,                                               \
         .item = &VERSION_ID,                                            \
         .length_max = PAGE_ITEMS_MAX},                                  \
        {.name = "explain",                                              \
         .type = FIELD_BOOL,                                             \
         .nullable = true,                                               \
         .doc = "An addition of knowd: where each score comes from."},   \
        {.name = "legs",                                                 \
         .type = FIELD_LITERAL,                                          \
         .nullable = true,                                               \
         .values = LEGS,                                                 \
         .doc = "An addition of knowd: beats alpha."},                   \
        {.name = "why_not",                                              \
         .type = FIELD_UUID,                                             \
         .prefix = "doc",                                                \
         .nullable = true,                                               \
         .doc = "An addition of knowd: a document, to be told at which " \
                "stage it was lost."},                                   \
        {.name = "exact",                                                \
         .type = FIELD_BOOL,                                             \
         .nullable = true,                                               \
         .doc = "An addition of knowd: no shortcuts in the index."},     \
    {                                                                    \
        .name = "fusion", .type = FIELD_LITERAL, .nullable = true,       \
        .values = FUSIONS,                                               \
        .doc = "An addition of knowd: how both legs become one score."   \
    }

static const struct field SEARCH_FIELDS[] = {
    QUERY_AND_BASES,
    {.name = "limit",
     .type = FIELD_INT,
     .min = BOUND(1),
     .max = BOUND(SEARCH_LIMIT_MAX),
     .preset = "30"},
    {.name = "alpha",
     .type = FIELD_NUMBER,
     .min = BOUND(0.1),
     .max = BOUND(1.0),
     .doc = "Weight of the vectors; default: the knowledge base's, else 0.5."},
    OPTIONS,
    {0},
};
static const struct model SEARCH = {.name = "SearchRequest",
                                    .fields = SEARCH_FIELDS};

static const struct field WIDE_FIELDS[] = {
    QUERY_AND_BASES,
    {.name = "limit",
     .type = FIELD_INT,
     .min = BOUND(1),
     .max = BOUND(SEARCH_WIDE_LIMIT_MAX),
     .preset = "30"},
    {.name = "alpha",
     .type = FIELD_NUMBER,
     .nullable = true,
     .min = BOUND(0.0),
     .max = BOUND(1.0),
     .doc = "Weight of the vectors; 0: the words alone."},
    OPTIONS,
    {.name = "group",
     .type = FIELD_LITERAL,
     .nullable = true,
     .values = GROUPS,
     .doc = "document: each document once, by its best passage."},
    {.name = "marks",
     .type = FIELD_BOOL,
     .nullable = true,
     .doc = "Where in the content the query's words stand."},
    {0},
};
const struct model KNOWD_SEARCH = {.name = "KnowdSearchRequest",
                                   .fields = WIDE_FIELDS};

/* ---- answers ---- */

static const struct field NUMBER_ITEM = {.name = "", .type = FIELD_NUMBER};
static const struct field TEXT_ITEM = {.name = "", .type = FIELD_STRING};

static const struct field POSITION_FIELDS[] = {
    OUT_STR("type"), OUT_INT("start_char"), OUT_INT("end_char"), OUT_END};
static const struct model POSITION = {.name = "TextPosition",
                                      .fields = POSITION_FIELDS};

static const struct field LOCATION_FIELDS[] = {
    OUT_INT_OR_NULL("page"),
    {.name = "box",
     .type = FIELD_LIST,
     .nullable = true,
     .item = &NUMBER_ITEM,
     .doc = "x0, y0, x1, y1 in points from the page's top left"},
    {.name = "headings",
     .type = FIELD_LIST,
     .nullable = true,
     .item = &TEXT_ITEM},
    OUT_END,
};
const struct model FEATHER_LOCATION = {.name = "KnowdLocation",
                                       .fields = LOCATION_FIELDS};

static const struct field MARK_FIELDS[] = {OUT_INT("start_char"),
                                           OUT_INT("end_char"), OUT_END};
static const struct model MARK = {.name = "KnowdMark", .fields = MARK_FIELDS};
static const struct field MARK_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &MARK};

static const struct field TERM_FIELDS[] = {OUT_STR("term"), OUT_NUM("weight"),
                                           OUT_END};
static const struct model TERM = {.name = "KnowdTerm", .fields = TERM_FIELDS};
static const struct field TERM_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &TERM};

static const struct field LEG_FIELDS[] = {
    OUT_STR("leg"),
    OUT_INT_OR_NULL("rank"),
    OUT_NUM("raw"),
    OUT_NUM("normalized"),
    OUT_NUM("weight"),
    OUT_NUM("contribution"),
    {.name = "low",
     .type = FIELD_NUMBER,
     .required = true,
     .doc = "What raw is scaled from, to best, where the leg counts and "
            "scores are not by ranks."},
    OUT_NUM("best"),
    {.name = "neighbour_raw",
     .type = FIELD_NUMBER,
     .doc = "Of the passage before or behind, where normalized is 0.8 of what "
            "that scales to, as it is more than the passage's own; else "
            "absent."},
    OUT_LIST("terms", &TERM_ITEM),
    OUT_END,
};
static const struct model LEG = {.name = "KnowdLeg", .fields = LEG_FIELDS};
static const struct field LEG_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &LEG};

static const struct field HIT_EXPLAIN_FIELDS[] = {OUT_LIST("legs", &LEG_ITEM),
                                                  OUT_END};
static const struct model HIT_EXPLAIN = {.name = "KnowdResultExplain",
                                         .fields = HIT_EXPLAIN_FIELDS};

static const struct field STAGE_FIELDS[] = {OUT_STR("stage"), OUT_NUM("ms"),
                                            OUT_END};
static const struct model STAGE = {.name = "KnowdStage",
                                   .fields = STAGE_FIELDS};
static const struct field STAGE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &STAGE};
static const struct field WHY_NOT_FIELDS[] = {
    OUT_UUID("document_id"),
    OUT_STR("stage"),
    OUT_STR("reason"),
    OUT_INT_OR_NULL("rank"),
    {.name = "score", .type = FIELD_NUMBER, .required = true, .nullable = true},
    OUT_STR_OR_NULL("chunk_id"),
    OUT_LIST("legs", &LEG_ITEM),
    OUT_END,
};
static const struct model WHY_NOT = {.name = "KnowdWhyNot",
                                     .fields = WHY_NOT_FIELDS};
static const struct field EXPLAIN_FIELDS[] = {
    {.name = "stages",
     .type = FIELD_LIST,
     .item = &STAGE_ITEM,
     .doc = "With explain."},
    {.name = "why_not",
     .type = FIELD_MODEL,
     .model = &WHY_NOT,
     .doc = "Of the document named by why_not."},
    OUT_END,
};
static const struct model EXPLAIN = {.name = "KnowdExplain",
                                     .fields = EXPLAIN_FIELDS};

static const struct field HIT_FIELDS[] = {
    OUT_STR("chunk_id"),
    OUT_UUID("kb_id"),
    OUT_UUID("document_id"),
    OUT_STR("version_id"),
    OUT_STR("document_title"),
    OUT_STR("source_type"),
    OUT_STR("content"),
    OUT_NUM("score"),
    OUT_INT("chunk_index"),
    {.name = "position",
     .type = FIELD_MODEL,
     .nullable = true,
     .model = &POSITION},
    OUT_STR_OR_NULL("sensitivity"),
    OUT_INT_OR_NULL("sensitivity_level"),
    OUT_STR("pii_status"),
    OUT_STR("pii_sensitivity"),
    OUT_STR("pii_coverage_status"),
    {.name = "external_id",
     .type = FIELD_STRING,
     .doc = "An addition of knowd: only where the document has one."},
    {.name = "location",
     .type = FIELD_MODEL,
     .model = &FEATHER_LOCATION,
     .doc = "An addition of knowd."},
    {.name = "explain",
     .type = FIELD_MODEL,
     .model = &HIT_EXPLAIN,
     .doc = "An addition of knowd: only when asked for."},
    {.name = "marks",
     .type = FIELD_LIST,
     .item = &MARK_ITEM,
     .doc = "An addition of knowd: only when asked for."},
    OUT_END,
};
static const struct model HIT = {.name = "SearchResult", .fields = HIT_FIELDS};
static const struct field HIT_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &HIT};

static const struct field GROUP_FIELDS[] = {
    OUT_STR("embedding_model"),
    OUT_INT("embedding_dimensions"),
    OUT_LIST("kb_ids", &BASE_ID),
    OUT_LIST("results", &HIT_ITEM),
    OUT_END,
};
static const struct model GROUP = {.name = "SearchResultGroup",
                                   .fields = GROUP_FIELDS};
static const struct field GROUP_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &GROUP};

static const char *const MODES[] = {"global_score", "reranked",
                                    "grouped_unranked", NULL};
static const char *const LABELS[] = {"answerable", "low_confidence",
                                     "not_answerable", "unknown", NULL};
static const char *const REASONS[] = {"no_results",
                                      "below_low_threshold",
                                      "weak_band",
                                      "above_high_threshold",
                                      "not_actionable_basis",
                                      "verdict_failed",
                                      NULL};
static const char *const BASES[] = {"raw_dotproduct", "minmax_norm",
                                    "cohere_rerank", "grouped", NULL};
static const struct field ANSWERABLE_FIELDS[] = {
    {.name = "label",
     .type = FIELD_LITERAL,
     .required = true,
     .values = LABELS},
    {.name = "reason_code",
     .type = FIELD_LITERAL,
     .required = true,
     .values = REASONS},
    {.name = "raw_top_score", .type = FIELD_NUMBER, .nullable = true},
    {.name = "score_basis",
     .type = FIELD_LITERAL,
     .required = true,
     .values = BASES},
    OUT_END,
};
static const struct model ANSWERABLE = {.name = "SearchAnswerability",
                                        .fields = ANSWERABLE_FIELDS};

static const char *const NOTICES[] = {"model_missing", NULL};
static const struct field NOTICE_FIELDS[] = {
    OUT_UUID("kb_id"),
    {.name = "code",
     .type = FIELD_LITERAL,
     .required = true,
     .values = NOTICES},
    OUT_STR("message"),
    OUT_END,
};
static const struct model NOTICE = {.name = "KnowdNotice",
                                    .fields = NOTICE_FIELDS};
static const struct field NOTICE_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &NOTICE};

static const struct field ANSWER_FIELDS[] = {
    OUT_LIST("results", &HIT_ITEM),
    OUT_INT("total_results"),
    {.name = "grouped_results",
     .type = FIELD_LIST,
     .nullable = true,
     .item = &GROUP_ITEM},
    {.name = "ranking_mode",
     .type = FIELD_LITERAL,
     .required = true,
     .values = MODES},
    {.name = "answerability",
     .type = FIELD_MODEL,
     .nullable = true,
     .model = &ANSWERABLE},
    {.name = "explain",
     .type = FIELD_MODEL,
     .model = &EXPLAIN,
     .doc = "An addition of knowd: only when asked for."},
    {.name = "notices",
     .type = FIELD_LIST,
     .item = &NOTICE_ITEM,
     .doc = "An addition of knowd: only where there is something to know."},
    OUT_END,
};
const struct model FEATHER_SEARCH_ANSWER = {.name = "SearchResponse",
                                            .fields = ANSWER_FIELDS};

static void put_box(struct out *o, const double box[4])
{
    bool known = box[2] > box[0] || box[3] > box[1];

    if (!known) {
        out_null(o, "box");
        return;
    }
    out_begin_list(o, "box");
    for (size_t i = 0; i < 4; i++)
        out_num(o, NULL, box[i]);
    out_end_list(o);
}

void feather_put_location(struct out *o, const struct search_hit *h)
{
    out_begin(o, "location");
    if (h->page > 0)
        out_uint(o, "page", h->page);
    else
        out_null(o, "page");
    put_box(o, h->box);
    if (h->headings_n > 0) {
        out_begin_list(o, "headings");
        for (size_t i = 0; i < h->headings_n; i++)
            out_str(o, NULL, h->headings[i]);
        out_end_list(o);
    } else {
        out_null(o, "headings");
    }
    out_end(o);
}

static void put_leg(struct out *o, const struct search_leg *l)
{
    out_begin(o, NULL);
    out_cstr(o, "leg", l->leg);
    if (l->rank > 0)
        out_uint(o, "rank", l->rank);
    else
        out_null(o, "rank");
    out_num(o, "raw", l->raw);
    out_num(o, "normalized", l->normalized);
    out_num(o, "weight", l->weight);
    out_num(o, "contribution", l->contribution);
    out_num(o, "low", l->low);
    out_num(o, "best", l->best);
    if (l->beside)
        out_num(o, "neighbour_raw", l->beside_raw);
    out_begin_list(o, "terms");
    for (size_t i = 0; i < l->terms_n; i++) {
        out_begin(o, NULL);
        out_str(o, "term", l->terms[i].term);
        out_num(o, "weight", l->terms[i].weight);
        out_end(o);
    }
    out_end_list(o);
    out_end(o);
}

static void put_legs(struct out *o, const struct search_leg *legs, size_t n)
{
    out_begin_list(o, "legs");
    for (size_t i = 0; i < n; i++)
        put_leg(o, &legs[i]);
    out_end_list(o);
}

static void put_marks(struct out *o, const struct search_hit *h)
{
    out_begin_list(o, "marks");
    for (size_t i = 0; i < h->marks_n; i++) {
        out_begin(o, NULL);
        out_uint(o, "start_char", h->marks[i].start_char);
        out_uint(o, "end_char", h->marks[i].end_char);
        out_end(o);
    }
    out_end_list(o);
}

static void put_hit(struct out *o, const struct search_in *in,
                    const struct search_hit *h)
{
    char version[UUID_TEXT];

    uuid_text(h->version, version);
    out_begin(o, NULL);
    out_str(o, "chunk_id", h->chunk_id);
    out_uuid(o, "kb_id", h->base);
    out_uuid(o, "document_id", h->document);
    out_cstr(o, "version_id", version);
    out_str(o, "document_title", h->document_title);
    out_str(o, "source_type", h->source_type);
    out_str(o, "content", h->content);
    out_num(o, "score", h->score);
    out_uint(o, "chunk_index", h->chunk_index);
    out_begin(o, "position");
    out_cstr(o, "type", "text");
    out_uint(o, "start_char", h->start_char);
    out_uint(o, "end_char", h->end_char);
    out_end(o);
    out_cstr(o, "sensitivity", feather_sensitivity(h->sensitivity));
    out_int(o, "sensitivity_level", h->sensitivity);
    out_cstr(o, "pii_status", "");
    out_cstr(o, "pii_sensitivity", "");
    out_cstr(o, "pii_coverage_status", "");
    if (h->external_id.n > 0)
        out_str(o, "external_id", h->external_id);
    feather_put_location(o, h);
    if (in->explain) {
        out_begin(o, "explain");
        put_legs(o, h->legs, h->legs_n);
        out_end(o);
    }
    if (in->marks)
        put_marks(o, h);
    out_end(o);
}

static void put_groups(struct out *o, const struct search_in *in,
                       const struct search_out *res)
{
    out_begin_list(o, "grouped_results");
    for (size_t i = 0; i < res->groups_n; i++) {
        const struct search_group *g = &res->groups[i];

        out_begin(o, NULL);
        out_str(o, "embedding_model", g->model);
        out_uint(o, "embedding_dimensions", g->dims);
        out_begin_list(o, "kb_ids");
        for (size_t k = 0; k < g->bases_n; k++)
            out_uuid(o, NULL, g->bases[k]);
        out_end_list(o);
        out_begin_list(o, "results");
        for (size_t k = 0; k < g->hits_n; k++)
            put_hit(o, in, &g->hits[k]);
        out_end_list(o);
        out_end(o);
    }
    out_end_list(o);
}

static void put_why_not(struct out *o, const struct search_in *in,
                        const struct search_why_not *w)
{
    out_begin(o, "why_not");
    out_uuid(o, "document_id", in->why_not);
    out_cstr(o, "stage", w->stage);
    out_str(o, "reason", w->reason);
    if (w->rank > 0)
        out_uint(o, "rank", w->rank);
    else
        out_null(o, "rank");
    if (w->chunk_id.n > 0) {
        out_num(o, "score", w->score);
        out_str(o, "chunk_id", w->chunk_id);
    } else {
        out_null(o, "score");
        out_null(o, "chunk_id");
    }
    put_legs(o, w->legs, w->legs_n);
    out_end(o);
}

static void put_explain(struct out *o, const struct search_in *in,
                        const struct search_out *res)
{
    out_begin(o, "explain");
    if (in->explain) {
        out_begin_list(o, "stages");
        for (size_t i = 0; i < res->stages_n; i++) {
            out_begin(o, NULL);
            out_cstr(o, "stage", res->stages[i].stage);
            out_num(o, "ms", res->stages[i].ms);
            out_end(o);
        }
        out_end_list(o);
    }
    if (!uuid_is_nil(in->why_not))
        put_why_not(o, in, &res->why_not);
    out_end(o);
}

static void put_notices(struct out *o, const struct search_out *res)
{
    out_begin_list(o, "notices");
    for (size_t i = 0; i < res->notices_n; i++) {
        out_begin(o, NULL);
        out_uuid(o, "kb_id", res->notices[i].base);
        out_cstr(o, "code", res->notices[i].code);
        out_str(o, "message", res->notices[i].message);
        out_end(o);
    }
    out_end_list(o);
}

/* ---- the handler ---- */

static enum search_legs legs_of(str name)
{
    if (str_eq(name, STR("lexical")))
        return SEARCH_LEXICAL;
    return str_eq(name, STR("dense")) ? SEARCH_DENSE : SEARCH_HYBRID;
}

static void read_bases(struct request *q, struct search_in *in)
{
    const json_t *list = json_object_get(q->body, "kb_ids");
    uuid *ids = ARENA_ARRAY(q->arena, uuid, json_array_size(list));

    in->bases_n = json_array_size(list);
    in->bases = ids;
    for (size_t i = 0; i < in->bases_n; i++)
        ids[i] = feather_uuid(
            q, str_of(json_string_value(json_array_get(list, i))), "kb");
}

static void read_overrides(struct request *q, struct search_in *in)
{
    json_t *map = json_object_get(q->body, "version_overrides"), *version;
    struct search_override *v =
        ARENA_ARRAY(q->arena, struct search_override, json_object_size(map));
    const char *document;

    in->overrides = v;
    json_object_foreach(map, document, version)
    {
        v[in->overrides_n++] = (struct search_override){
            .document = feather_uuid(q, str_of(document), "doc"),
            .version =
                feather_uuid(q, str_of(json_string_value(version)), "ver"),
        };
    }
}

rc feather_search(struct request *q, struct reply *r, struct err *e)
{
    struct search_in in = {
        .query = in_str(q->body, "query"),
        .limit = (size_t)in_int(q->body, "limit", 30),
        .alpha = in_num(q->body, "alpha", -1),
        .legs = legs_of(in_str(q->body, "legs")),
        .prefer_draft = in_bool(q->body, "prefer_draft", false),
        .by_document = in_has(q->body, "group"),
        .exact = in_bool(q->body, "exact", false),
        .by_rank = str_eq(in_str(q->body, "fusion"), STR("reciprocal_rank")),
        .explain = in_bool(q->body, "explain", false),
        .marks =
            q->route->body == &KNOWD_SEARCH && in_bool(q->body, "marks", false),
    };
    struct out o = feather_out(r);
    struct search_out res;
    rc code;

    if (q->route->body != &KNOWD_SEARCH)
        in.by_document = false;
    read_bases(q, &in);
    if (in_has(q->body, "why_not"))
        in.why_not = feather_uuid(q, in_str(q->body, "why_not"), "doc");
    read_overrides(q, &in);
    code = app_search(q->app, &q->who, q->db, &in, q->arena, &res, e);
    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_begin_list(&o, "results");
    for (size_t i = 0; i < res.hits_n; i++)
        put_hit(&o, &in, &res.hits[i]);
    out_end_list(&o);
    out_uint(&o, "total_results", res.candidates);
    if (res.groups_n > 1)
        put_groups(&o, &in, &res);
    else
        out_null(&o, "grouped_results");
    out_cstr(&o, "ranking_mode",
             res.groups_n > 1 ? "grouped_unranked" : "global_score");
    out_null(&o, "answerability");
    if (in.explain || !uuid_is_nil(in.why_not))
        put_explain(&o, &in, &res);
    if (res.notices_n > 0)
        put_notices(&o, &res);
    out_end(&o);
    return feather_end(r, e);
}

const struct route FEATHER_SEARCH_ROUTES[] = {
    {
        .method = "POST",
        .pattern = FEATHER_PREFIX "/search",
        .access = ACCESS_READ,
        .body_kind = BODY_JSON,
        .body = &SEARCH,
        .answer = &FEATHER_SEARCH_ANSWER,
        .success = 200,
        .handle = feather_search,
        .operation = "searchKnowledgeBase",
        .doc = "Search across knowledge bases",
    },
    {0},
};
