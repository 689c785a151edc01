/* What the chapters of Exec's dialect share. */
#ifndef SERVE_EXEC_PRIV_H
#define SERVE_EXEC_PRIV_H

#include "app/hub.h"
#include "serve/route.h"
#include "serve/rows_priv.h"

#define EXEC_PREFIX "/rest/v1"
#define HUB_PREFIX EXEC_PREFIX "/knowledge-hub"

/* Names of the chapters, as the vendor's description has them. */
#define EXEC_TAG_WORKSPACE "Workspace"
#define EXEC_TAG_FOLDERS "Knowledge Hub - Folders"
#define EXEC_TAG_PAGES "Knowledge Hub - Pages"
#define EXEC_TAG_SOURCES "Knowledge Hub - Sources"

/* The query fields of every list. */
#define EXEC_PAGE_FIELDS                                         \
    {.name = "page",                                             \
     .type = FIELD_INT,                                          \
     .min = BOUND(1),                                            \
     .max = BOUND(EXEC_PAGE_NUMBER_MAX),                         \
     .preset = "1"},                                             \
    {                                                            \
        .name = "page_size", .type = FIELD_INT, .min = BOUND(1), \
        .max = BOUND(EXEC_PAGE_ITEMS_MAX), .preset = "50"        \
    }
extern const struct model EXEC_PAGE_QUERY; /* these alone */

/* A model that is one page of a list; `of` is a field of FIELD_MODEL. */
#define EXEC_LIST_MODEL(NAME, label, of)                                      \
    static const struct field NAME##_FIELDS[] = {OUT_LIST("data", (of)),      \
                                                 {.name = "pagination",       \
                                                  .type = FIELD_MODEL,        \
                                                  .required = true,           \
                                                  .model = &EXEC_PAGINATION}, \
                                                 OUT_END};                    \
    static const struct model NAME = {.name = (label), .fields = NAME##_FIELDS}

/* Ids in a request's body: in either spelling, so text. */
#define IN_IDS(n)                                               \
    {                                                           \
        .name = (n), .type = FIELD_LIST, .item = &EXEC_ID_ITEM, \
        .length_max = EXEC_IDS_MAX                              \
    }
#define OUT_USER_OR_NULL(n)                                                   \
    {                                                                         \
        .name = (n), .type = FIELD_MODEL, .required = true, .nullable = true, \
        .model = &EXEC_USER                                                   \
    }
extern const struct field EXEC_ID_ITEM, EXEC_FOLDER_REF_ITEM,
    EXEC_SOURCE_ITEM; /* of lists */
extern const struct model EXEC_PAGINATION, EXEC_USER, EXEC_DELETED;

/* The answer is built from nothing, also when a write runs again. */
struct out exec_out(struct reply *r);
rc exec_end(struct reply *r, struct err *e);

struct hub_window exec_window(const struct request *q);
/* {"data":[ was begun by exec_list; this ends it. */
void exec_list(struct out *o);
rc exec_list_end(const struct request *q, struct reply *r, struct out *o,
                 uint64_t total, struct err *e);
/* {"id","deleted":true} */
rc exec_deleted(struct reply *r, str id, struct err *e);

void exec_put_user(struct out *o, const char *name, bool there,
                   const struct hub_user *u);
void exec_put_folder_refs(struct out *o, const struct hub_folder_ref *v,
                          size_t n);
/* exec_sources.c: the members of a source; its content only where asked. */
void exec_put_source(struct out *o, const struct hub_source *s, bool content);

/* A field's text; p NULL where it is absent, null or empty. */
str exec_text(const json_t *o, const char *key);
/* Is the field there, even as null? */
bool exec_is_set(const json_t *o, const char *key);
/* The items of a checked list of texts. */
const str *exec_texts(const struct request *q, const char *key, size_t *n);
/* The parts of a comma list of the query, without empty ones. */
const str *exec_split(const struct request *q, const char *key, size_t *n);
bool exec_includes(const struct request *q, const char *section);
/* Where in `names` a text stands that the tables have checked. */
size_t exec_place(const char *const *names, str s);

#endif
