/* search: questions to passages. */
#ifndef APP_SEARCH_H
#define APP_SEARCH_H

#include "app/app.h"

enum search_legs { SEARCH_HYBRID, SEARCH_LEXICAL, SEARCH_DENSE };

struct search_override {
    uuid document, version;
};
struct search_in {
    str query;
    const uuid *bases;
    size_t bases_n;
    size_t limit;
    /* Weight of the vectors, 0 to 1; < 0: the base's where it is one alone and
     * has one, else one half. */
    double alpha;
    enum search_legs legs;
    bool prefer_draft, by_document, exact, explain, marks;
    bool by_rank; /* reciprocal rank instead of scaled scores */
    const struct search_override *overrides;
    size_t overrides_n;
    bool by_only; /* no other documents than these are searched */
    const uuid *only;
    size_t only_n;
    uuid why_not; /* a document whose fate is told too; nil: none */
};

struct search_term {
    str term;
    double weight;
};
struct search_leg {
    const char *leg;
    uint32_t rank; /* 0: not offered */
    double raw, normalized, weight, contribution;
    double low, best; /* what raw is scaled between */
    bool beside;      /* normalized is the share of a neighbour's, not raw's */
    double beside_raw;
    struct search_term *terms;
    size_t terms_n;
};
struct search_hit {
    str chunk_id; /* <document>:<version number>:<index> */
    uuid base, document, version;
    uint32_t chunk_index;
    str document_title, source_type, external_id, content;
    double score;
    uint64_t start_char, end_char; /* code points, end exclusive */
    uint32_t page;                 /* 0: unknown */
    double box[4];
    str *headings;
    size_t headings_n;
    int sensitivity;
    struct search_leg *legs; /* with explain */
    size_t legs_n;
    struct search_mark { /* with marks: code points in content */
        uint64_t start_char, end_char;
    } * marks;
    size_t marks_n;
};
struct search_stage {
    const char *stage;
    double ms;
};
/* What became of the document asked for. */
struct search_why_not {
    /* "document", "base", "state", "index", "match", "candidates", "codes",
     * "limit", "content", or "shown" */
    const char *stage;
    str reason;    /* a sentence for the user */
    uint32_t rank; /* of its best chunk; 0: it has none */
    double score;
    str chunk_id; /* empty: there is no chunk */
    struct search_leg *legs;
    size_t legs_n;
};
/* Bases of one model, ranked among themselves. */
struct search_group {
    str model;     /* "none" */
    uint32_t dims; /* 0 without one */
    uuid *bases;
    size_t bases_n;
    struct search_hit *hits;
    size_t hits_n;
};
/* What the caller should know of a base that was searched. */
struct search_notice {
    uuid base;
    const char *code; /* "model_missing" */
    str message;      /* "its model m is not installed, so …": of the base */
};
struct search_out {
    struct search_hit *hits; /* none where there are several groups */
    size_t hits_n;
    size_t candidates; /* of all groups */
    /* Of several models: scores can't be compared, so there is one ranking
     * each. Else one group, whose hits are those above. */
    struct search_group *groups;
    size_t groups_n;
    struct search_notice *notices;
    size_t notices_n;
    struct search_stage *stages;
    size_t stages_n;
    struct search_why_not why_not;
};
/* An unknown or foreign base is RC_INVALID "bad_request" naming it; an
 * inactive one is left out; an override that isn't a version of a document of
 * these bases is RC_INVALID. content is cut out of the normalised text. */
rc app_search(struct app *a, const struct caller *who, struct db *db,
              const struct search_in *in, struct arena *out,
              struct search_out *res, struct err *e) MUST_CHECK;

/* `knowd check`: everything, read-only, with or without a server. */
typedef void app_check_report(void *arg, const char *line);
rc app_check(const char *dir, bool deep, app_check_report *report, void *arg,
             uint64_t *found, struct err *e) MUST_CHECK;

#endif
