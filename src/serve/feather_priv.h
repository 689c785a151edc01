/* What the chapters of Feather's dialect share. */
#ifndef SERVE_FEATHER_PRIV_H
#define SERVE_FEATHER_PRIV_H

#include "app/bases.h"
#include "app/documents.h"
#include "app/jobs.h"
#include "app/search.h"
#include "serve/route.h"
#include "serve/rows_priv.h"

#define FEATHER_PREFIX "/v1/knowledge-base"

/* A model that is one page of items; `of` is a struct field of FIELD_MODEL. */
#define PAGE_MODEL(NAME, label, of)                              \
    static const struct field NAME##_FIELDS[] = {                \
        OUT_LIST("items", (of)), OUT_STR_OR_NULL("next_cursor"), \
        OUT_BOOL("has_more"), OUT_END};                          \
    static const struct model NAME = {.name = (label), .fields = NAME##_FIELDS}

/* The two query fields of every list. */
#define FEATHER_PAGE_FIELDS                                      \
    {.name = "limit",                                            \
     .type = FIELD_INT,                                          \
     .min = BOUND(1),                                            \
     .max = BOUND(PAGE_ITEMS_MAX),                               \
     .preset = "50"},                                            \
    {                                                            \
        .name = "cursor", .type = FIELD_STRING, .nullable = true \
    }
extern const struct model FEATHER_PAGE_QUERY; /* these alone */

/* feather_extraction.c: what knowd adds to documents and versions. */
extern const struct model FEATHER_EXTRACTION;
#define FEATHER_EXTRACTION_FIELD                                            \
    {                                                                       \
        .name = "extraction", .type = FIELD_MODEL, .nullable = true,        \
        .model = &FEATHER_EXTRACTION,                                       \
        .doc = "An addition of knowd: not in lists; null before it is read" \
    }
void feather_put_extraction(struct out *o, const struct extraction *x);

/* The answer is built from nothing, also when a write runs again. */
struct out feather_out(struct reply *r);
rc feather_end(struct reply *r, struct err *e);
struct app_page feather_page(const struct request *q);
/* {"items":[ was begun by feather_items; this ends it. */
void feather_items(struct out *o);
rc feather_items_end(struct reply *r, struct out *o,
                     const struct app_page_end *end, struct err *e);
/* public, internal, confidential, restricted */
const char *feather_sensitivity(int level);
/* The scopes a checked body names; 0: none. */
extern const struct field FEATHER_SCOPE_ITEM;
unsigned feather_scopes(const json_t *body);
/* Search as both dialects answer it; see feather_search.c. */
rc feather_search(struct request *q, struct reply *r, struct err *e);
extern const struct model FEATHER_SEARCH_ANSWER, KNOWD_SEARCH, FEATHER_LOCATION;
/* The member "location" of a hit. */
void feather_put_location(struct out *o, const struct search_hit *h);
/* A UUID that the tables have checked. */
uuid feather_uuid(const struct request *q, str text, const char *prefix);

/* feather_bases.c */
struct base;
extern const struct model FEATHER_BASE;
void feather_put_base(struct out *o, const char *name, const struct base *b);

#endif
