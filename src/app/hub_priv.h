/*
 * What the chapters of the hub share: hub.c (the base, ids), sources.c,
 * folders.c, articles.c, workspace.c.
 */
#ifndef APP_HUB_PRIV_H
#define APP_HUB_PRIV_H

#include "app/app_priv.h"
#include "app/hub.h"

/* hub.c */
/* The caller may, and the hub's base. Reading: RC_NOTFOUND becomes RC_OK and a
 * nil base while there is none. */
rc hub_find(const struct caller *who, unsigned scope, struct db *db, uuid *base,
            struct err *e) MUST_CHECK;
/* The same inside a write: makes it. */
rc hub_make(struct app *a, const struct caller *who, struct db *db, uuid *base,
            struct err *e) MUST_CHECK;
/* An id in either spelling; RC_NOTFOUND "<Thing> not found: <id>" for what is
 * not an object of this kind in this base. thing: "Source", "Folder", "Page".*/
rc hub_id(const struct caller *who, struct db *db, uuid base,
          enum object_kind kind, const char *thing, str text, uuid *id,
          struct err *e) MUST_CHECK;
/* The same for a list of a body's, where one not there is RC_INVALID, err.name
 * `name`. Doubles are left out. */
rc hub_ids(const struct caller *who, struct db *db, uuid base,
           enum object_kind kind, const char *thing, const char *name,
           const str *texts, size_t n, struct arena *out, uuid **ids,
           size_t *ids_n, struct err *e) MUST_CHECK;
/* How an id is shown: by the setting. letter: of what has no stored code. */
rc hub_shown(struct app *a, struct db *db, uuid id, char letter,
             struct arena *out, str *text, struct err *e) MUST_CHECK;
struct window hub_window_of(struct hub_window w);
/* RC_INVALID under a name of the dialect's. */
rc hub_refused(struct err *e, const char *name, const char *text);

/* sources.c */
rc hub_source_of(struct app *a, struct db *db, const struct source_row *r,
                 struct arena *out, struct hub_source *s,
                 struct err *e) MUST_CHECK;
/* folders.c */
rc hub_folder_refs(struct app *a, struct db *db, uuid base, uuid item,
                   struct arena *out, struct hub_folder_ref **v, size_t *n,
                   struct err *e) MUST_CHECK;
/* RC_INVALID "invalid_visibility" for what is none. */
rc hub_visibility(str text, enum visibility *v, struct err *e) MUST_CHECK;
/* workspace.c: the key as a user; *there false: no key (any more) */
rc hub_user_of(struct app *a, struct db *db, uuid tenant, uuid key,
               struct arena *out, struct hub_user *u, bool *there,
               struct err *e) MUST_CHECK;
/* The key that a user's id, in either spelling, stands for. */
rc hub_user_id(const struct caller *who, struct db *db, str text,
               struct arena *out, uuid *key, bool *there,
               struct err *e) MUST_CHECK;

/* intake.c: inside a write: a text as a document's next version (document nil:
 * a new document of this source type), with a job of its own. A document that
 * isn't there any more is made anew. */
struct text_in {
    uuid base, document;
    str title, content;
    str filename, mime;      /* p NULL: none; as an upload's would be */
    const char *source_type; /* "page" */
};
rc intake_text(struct app *a, const struct caller *who, struct db *db,
               const struct text_in *in, uuid *document,
               struct err *e) MUST_CHECK;

#endif
