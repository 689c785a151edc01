/* bases: knowledge bases and what they can be set to. */
#ifndef APP_BASES_H
#define APP_BASES_H

#include "app/app.h"

#define CHUNK_SIZES_N 3
extern const uint32_t CHUNK_SIZES[CHUNK_SIZES_N]; /* 128, 256, 384 */
#define CHUNK_SIZE_DEFAULT 256
#define CHUNK_OVERLAPS_N 3
extern const uint32_t CHUNK_OVERLAPS[CHUNK_OVERLAPS_N]; /* 0, 32, 64 */
#define CHUNK_OVERLAP_DEFAULT 0
#define TOP_K_MIN 1
#define TOP_K_MAX 100
#define TOP_K_DEFAULT 30
#define SENSITIVITY_DEFAULT 10

struct base {
    uuid id, tenant;
    str name, description; /* description.p NULL: null */
    str metadata;          /* JSON object text */
    bool active;
    uint64_t document_count;
    str embedding_model; /* "none" */
    uint32_t embedding_dimensions, chunk_size, chunk_overlap, top_k;
    int sensitivity;
    bool has_alpha;
    double alpha; /* weight of the vectors where a search names none, 0 to 1 */
    /* "none"; "missing": not installed, so the base is searched by words;
     * "installed" */
    const char *model_status;
    int64_t created_ms, updated_ms;
};

/* Which fields of an update are given. */
struct base_set {
    bool name, description, metadata, active, chunk_size, chunk_overlap, top_k,
        sensitivity, alpha;
};
struct base_in {
    struct base_set set;
    str name, description, metadata;
    bool active;
    str embedding_model;          /* empty: the default */
    int64_t embedding_dimensions; /* -1: the default */
    int64_t chunk_size, chunk_overlap, top_k, sensitivity;
    double alpha; /* < 0: none of its own */
};

/* RC_INVALID (err.name "bad_request") for values the config doesn't offer. */
rc app_base_add(struct app *a, const struct caller *who, struct db *db,
                const struct base_in *in, struct arena *out, struct base *b,
                struct err *e) MUST_CHECK;
rc app_base_update(struct app *a, const struct caller *who, struct db *db,
                   uuid id, const struct base_in *in, struct arena *out,
                   struct base *b, struct err *e) MUST_CHECK;
rc app_base_get(struct app *a, const struct caller *who, struct db *db, uuid id,
                struct arena *out, struct base *b, struct err *e) MUST_CHECK;
rc app_base_list(struct app *a, const struct caller *who, struct db *db,
                 const struct app_page *page, struct arena *out,
                 struct base **v, size_t *n, struct app_page_end *end,
                 struct err *e) MUST_CHECK;
/* Gone from every list and search at once; its rows are purged behind. */
rc app_base_delete(struct app *a, const struct caller *who, struct db *db,
                   uuid id, struct err *e) MUST_CHECK;

struct base_counts { /* documents by the state of their governing version */
    uint64_t pending, processing, active, draft, archived, failed, quarantined;
};
rc app_base_counts(struct app *a, const struct caller *who, struct db *db,
                   uuid id, struct base_counts *c, struct err *e) MUST_CHECK;

#endif
