/* models: the embedding models that are installed, and which a base uses. All
 * organizations share them; installing and removing them is the first's. */
#ifndef APP_MODELS_H
#define APP_MODELS_H

#include "app/app.h"
#include "app/bases.h"

#define MODELS_INSTALLED_MAX 64

struct app_model {
    str name, license;
    uint32_t dims, tokens_max;
    uint64_t bytes;
    uint64_t bases; /* of this tenant */
    bool is_default;
};
/* *dir: where they are; empty: the server was started without models. */
rc app_model_list(struct app *a, const struct caller *who, struct db *db,
                  struct arena *out, struct app_model **v, size_t *n, str *dir,
                  struct err *e) MUST_CHECK;
/* What K/config offers: the same without a caller. *at: the default's place. */
void app_models_offered(struct app *a, struct arena *out, struct app_model **v,
                        size_t *n, size_t *at);
/* Where a packed model is to be written before app_model_add: a fresh name in
 * the folder of models. One that stays there, since the server was killed, goes
 * at the next start. RC_UNSUPPORTED: no models here. */
rc app_model_temporary(struct app *a, const struct caller *who,
                       struct arena *out, str *path, struct err *e) MUST_CHECK;
/* Checks the packed file at `path` as a whole and installs it under the name,
 * in place of one that is there; durable when it returns. The file is moved, or
 * removed where it is refused (RC_INVALID). Not inside a write. */
rc app_model_add(struct app *a, const struct caller *who, str name,
                 const char *path, struct arena *out, struct app_model *m,
                 struct err *e) MUST_CHECK;
/* Bases that use it go on by their words. Not inside a write. */
rc app_model_drop(struct app *a, const struct caller *who, str name,
                  struct err *e) MUST_CHECK;
/* How it is with a base's model: "none", "missing" (not installed: the base is
 * searched by words), "refining" (some documents wait for vectors), "ready". */
struct base_model {
    str model;
    uint32_t dims;
    const char *status;
};
rc app_base_model(struct app *a, const struct caller *who, struct db *db,
                  uuid base, struct arena *out, struct base_model *m,
                  struct err *e) MUST_CHECK;
/* Gives a base a model ("none": takes it away) and has its documents cut and
 * indexed again by one job; *job is nil where it has none, or has that model.
 * Inside a write. */
rc app_base_model_set(struct app *a, const struct caller *who, struct db *db,
                      uuid base, str model, struct arena *out, struct base *b,
                      uuid *job, struct err *e) MUST_CHECK;

#endif
