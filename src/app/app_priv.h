/*
 * What the files of app/ share.
 */
#ifndef APP_APP_PRIV_H
#define APP_APP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/app.h"
#include "app/bases.h"
#include "app/documents.h"
#include "app/intake.h"
#include "app/jobs.h"
#include "app/keys.h"
#include "app/models.h"
#include "app/search.h"
#include "engine/engine.h"
#include "extract/extract.h"
#include "store/store.h"

struct map;
struct pipeline;
struct maintenance;
struct fetcher;
struct queue;

#define INTAKE_THREADS 2

struct app_counters {
    atomic_uint_fast64_t documents_indexed, documents_failed, searches,
        bytes_ingested, search_us_sum, rows_refined;
};

struct app {
    struct store *store;
    struct engine *engine;
    struct extractor *extractor;
    /* Looked at by threads that were started before these are made. */
    _Atomic(struct pipeline *) pipeline;
    _Atomic(struct maintenance *) maintenance;
    struct models *models;
    struct query_vectors *query_vectors;
    struct refiner *refiner;
    _Atomic(struct fetcher *) fetcher;
    struct queue *intake;
    pthread_t intake_threads[INTAKE_THREADS];
    size_t intake_threads_n;
    struct app_limits limits;
    uuid first_tenant;
    atomic_bool ready;
    /* Set inside a write that queued items or left rows to purge, looked at
     * after its commit, when the threads concerned are woken. */
    atomic_bool items_queued, fetches_queued, rows_to_purge;
    struct app_counters count;
    pthread_mutex_t url_lock; /* guards: url */
    char *url;
    size_t url_n;
    bool short_ids;
};

/* The program itself, for what nobody asked for. */
struct caller app_program(uuid tenant);

/* After a commit: wakes whom the writes since the last call concern. */
void app_wake(struct app *a);

/* pipeline.c: the workers */
rc pipeline_open(struct app *a, unsigned workers, struct pipeline **p,
                 struct err *e) MUST_CHECK;
void pipeline_wake(struct pipeline *p);
/* Waits until no worker finds anything to do (what is due later doesn't
 * count) or until mono time; false: not yet. For tests and benches. */
bool pipeline_settle(struct pipeline *p, int64_t until_ns);
/* Lets them finish what they hold; what is left returns to the queue. */
void pipeline_stop(struct pipeline *p);
void pipeline_close(struct pipeline *p); /* after pipeline_stop */

/* models.c */
#define MODEL_NONE STR("none")
/* dir NULL: none are used. shared: it may be another server's too. */
rc models_open(struct app *a, const char *dir, bool shared,
               struct err *e) MUST_CHECK;
void models_close(struct app *a);
/* NULL: not installed. Lives until models_close. */
const struct model *models_find(struct app *a, str name);
str models_default(struct app *a); /* "none" where there is none */

/* query_vectors.c: what a query's text is in vectors, remembered */
struct query_vector;
rc query_vectors_open(struct app *a, struct err *e) MUST_CHECK;
void query_vectors_close(struct app *a); /* before models_close */
/* Asks for one, to be made beside the caller; it lives in `out` and is dropped
 * before that goes, whether it was waited for or not. text must live as long.
 */
struct query_vector *query_vector_ask(struct app *a, const struct model *model,
                                      str text, struct arena *out);
/* Where it stands once query_vector_wait(v) has returned RC_OK: [dims], of unit
 * length. */
const float *query_vector_place(const struct query_vector *v);
rc query_vector_wait(void *v, struct err *e) MUST_CHECK;
void query_vector_drop(struct query_vector *v);

/* refine.c: vectors for what is found by words */
rc refiner_open(struct app *a, unsigned threads, struct err *e) MUST_CHECK;
/* Something of this base waits for vectors. */
void refiner_note(struct app *a, uuid base);
/* The same of whatever bases the store says. */
void refiner_look(struct app *a);
void refiner_stop(struct app *a);
void refiner_close(struct app *a); /* after refiner_stop */

/* jobs.c */
/* Inside a write: a job that does the same with each of these versions, one at
 * least. Its threads are woken after the commit. */
struct job_new {
    uuid tenant, base;
    str kind;
    enum item_class class;
};
struct job_version {
    uuid document, version;
    str title; /* the first one's is the job's */
};
rc job_add(struct app *a, struct db *db, const struct job_new *j,
           const struct job_version *v, size_t n, uuid *job,
           struct err *e) MUST_CHECK;

/* reindex.c */
/* Inside a write: one job that indexes these versions again; its id goes to
 * *job (may be NULL). */
rc reindex_add(struct app *a, struct db *db, uuid tenant, uuid base, str title,
               const uuid *versions, size_t n, uuid *job,
               struct err *e) MUST_CHECK;
/* Inside a write: the versions of a document that a search may reach. */
rc reindex_document(struct app *a, struct db *db, const struct document_row *d,
                    struct err *e) MUST_CHECK;

/* intake.c */
rc intake_start(struct app *a, struct err *e) MUST_CHECK;
void intake_stop(struct app *a); /* finishes what was handed in */

/* maintain.c: purges, index repairs, times of last use */
rc maintenance_open(struct app *a, struct maintenance **m,
                    struct err *e) MUST_CHECK;
void maintenance_wake(struct maintenance *m);
void maintenance_touch_key(struct maintenance *m, uuid key, int64_t now_ms);
/* The engine misses documents of this base: they are indexed again. */
void maintenance_repair(struct maintenance *m, uuid base);
void maintenance_stop(struct maintenance *m);
void maintenance_close(struct maintenance *m); /* after maintenance_stop */

/* keys.c */
/* The first tenant and, in a folder without keys, the first key. */
rc keys_found(struct app *a, str admin_key, struct arena *out, str *made_key,
              struct err *e) MUST_CHECK;

/* cursor.c: opaque places in lists, bound to a tenant and a list */
enum cursor_kind {
    CURSOR_BASES = 1,
    CURSOR_DOCUMENTS,
    CURSOR_JOBS,
    CURSOR_ITEMS,
    CURSOR_REPROCESS
};
str cursor_make(struct app *a, enum cursor_kind kind, uuid tenant, uuid list,
                uuid at, struct arena *out);
/* An empty text gives the nil uuid. */
rc cursor_parse(struct app *a, enum cursor_kind kind, uuid tenant, uuid list,
                str text, uuid *at, struct err *e) MUST_CHECK;
/* Rows a page asks for: 0 is the default, more than the most is cut. */
size_t page_limit(const struct app_page *page);

/* links.c: signed addresses of bodies */
enum link_kind { LINK_ORIGINAL, LINK_NORMALIZED };
str link_make(struct app *a, enum link_kind kind, uuid tenant, uuid version,
              struct arena *out);

/* documents.c */
/* Inside a write: a new document, brought in by the caller; the hub's get a
 * short id. */
rc document_enter(const struct caller *who, struct db *db,
                  struct document_row *d, struct err *e) MUST_CHECK;

/* bases.c */
rc base_add(struct app *a, const struct caller *who, struct db *db,
            const struct base_in *in, bool hub, struct base *b,
            struct err *e) MUST_CHECK;
struct base base_of_row(struct app *a, const struct base_row *r);
rc base_row_get(const struct caller *who, struct db *db, uuid id,
                struct arena *out, struct base_row *b,
                struct err *e) MUST_CHECK;
/* versions.c */
struct extraction extraction_of_row(const struct version_row *r);
/* documents.c */
rc document_row_get(const struct caller *who, struct db *db, uuid id,
                    struct arena *out, struct document_row *d,
                    struct err *e) MUST_CHECK;

/* One event of a mutation; detail may be empty. */
rc app_event(struct db *db, const struct caller *who, uuid base, uuid object,
             const char *kind, struct err *e) MUST_CHECK;

/* A row that may be absent: RC_NOTFOUND becomes RC_OK and *there false. */
rc maybe(rc code, bool *there);

#endif
