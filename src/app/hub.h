/*
 * hub: a tenant's one shared knowledge base, seen as a library: sources (its
 * documents), folders, articles, and who works with it. The base is made at the
 * first call that needs it; its documents are documents like any others.
 *
 * Ids are texts here: the UUID, or 12 characters, a letter and 11 of base 36;
 * either is taken, and what is shown is a setting (app_opts.short_ids).
 *
 * Owns:    results live in `out`.
 * Errors:  as app.h; RC_NOTFOUND with a sentence "<Thing> not found: <id>";
 *          RC_INVALID with err.name: "invalid_url", "folder_not_found",
 *          "source_not_found", "skill_not_found", "missing_field", …
 * Threads: any. What changes something runs inside a write.
 */
#ifndef APP_HUB_H
#define APP_HUB_H

#include "app/app.h"
#include "app/search.h"

struct hub_window {
    size_t page, size; /* page 1 is the first */
};

/* A key, as the person it stands for. */
struct hub_user {
    str id, email, first_name, last_name;
};
struct hub_folder_ref {
    str id, name, emoji; /* emoji.p NULL: none */
};

/* ---- sources ---- */

enum hub_type {
    HUB_UPLOAD,
    HUB_URL,
    HUB_NOTION,
    HUB_GOOGLE_DRIVE,
    HUB_GURU,
    HUB_PAGE,
    HUB_INTEGRATION,
    HUB_TYPE_COUNT
};
extern const char *const HUB_TYPE_NAMES[HUB_TYPE_COUNT + 1]; /* NULL at last */
enum hub_status {
    HUB_PENDING,
    HUB_PROCESSING,
    HUB_READY,
    HUB_FAILED,
    HUB_STATUS_COUNT
};
extern const char *const HUB_STATUS_NAMES[HUB_STATUS_COUNT + 1];

struct hub_source {
    uuid document;
    str id, title, url, summary, cover, error; /* url, summary, error: p NULL */
    enum hub_type type;
    enum hub_status status;
    const char *content_format; /* NULL: not known */
    uint64_t tokens;
    bool has_tokens, has_images, has_creator;
    struct hub_folder_ref *folders;
    size_t folders_n;
    struct hub_user creator;
    int64_t created_ms, updated_ms, processed_ms; /* 0: not yet */
    str content; /* when asked for; p NULL: there is none (yet) */
};

struct hub_source_filter {
    bool by_type, by_status;
    enum hub_type type;
    enum hub_status status;
    str folder, article, query; /* p NULL: any */
};
/* A folder or article that isn't there has no sources. */
rc app_source_list(struct app *a, const struct caller *who, struct db *db,
                   const struct hub_source_filter *f, struct hub_window w,
                   struct arena *out, struct hub_source **v, size_t *n,
                   uint64_t *total, struct err *e) MUST_CHECK;
rc app_source_get(struct app *a, const struct caller *who, struct db *db,
                  str id, bool content, struct arena *out, struct hub_source *s,
                  struct err *e) MUST_CHECK;

struct hub_source_in {
    bool set_title, set_cover, set_folders; /* of a change */
    str title, url, cover;
    const str *folders; /* ids */
    size_t folders_n;
};
/* *made false: the hub has a source of that URL already, which is the answer,
 * untouched; one that failed is fetched again. */
rc app_source_add(struct app *a, const struct caller *who, struct db *db,
                  const struct hub_source_in *in, struct arena *out,
                  struct hub_source *s, bool *made, struct err *e) MUST_CHECK;
rc app_source_update(struct app *a, const struct caller *who, struct db *db,
                     str id, const struct hub_source_in *in, struct arena *out,
                     struct hub_source *s, struct err *e) MUST_CHECK;
rc app_source_delete(struct app *a, const struct caller *who, struct db *db,
                     str id, struct arena *out, str *shown,
                     struct err *e) MUST_CHECK;

/* ---- search ---- */

/* app_search over the hub; folder (p NULL: everywhere) takes in those below it.
 * ids[i]: of the source that hit i stands in. */
rc app_hub_search(struct app *a, const struct caller *who, struct db *db,
                  str query, str folder, size_t limit, struct arena *out,
                  struct search_out *res, str **ids, struct err *e) MUST_CHECK;

/* ---- folders ---- */

extern const char *const VISIBILITY_NAMES[]; /* by enum visibility; NULL */

struct hub_folder {
    str id, name, emoji, parent; /* emoji, parent: p NULL: none */
    const char *visibility;
    uint64_t article_count, folder_count; /* direct, not archived */
    int64_t created_ms, updated_ms;
};
struct hub_folder_in {
    bool set_name, set_emoji, set_parent, set_visibility; /* of a change */
    str name, emoji, parent; /* emoji, parent: p NULL or empty: none */
    str visibility;          /* of a new one, p NULL: "workspace" */
};
/* parent p NULL: all folders, else its children. */
rc app_folder_list(struct app *a, const struct caller *who, struct db *db,
                   str parent, str query, struct hub_window w,
                   struct arena *out, struct hub_folder **v, size_t *n,
                   uint64_t *total, struct err *e) MUST_CHECK;
rc app_folder_get(struct app *a, const struct caller *who, struct db *db,
                  str id, struct arena *out, struct hub_folder *f,
                  struct err *e) MUST_CHECK;
rc app_folder_add(struct app *a, const struct caller *who, struct db *db,
                  const struct hub_folder_in *in, struct arena *out,
                  struct hub_folder *f, struct err *e) MUST_CHECK;
/* RC_INVALID "folder_cycle": under itself or one below it. */
rc app_folder_update(struct app *a, const struct caller *who, struct db *db,
                     str id, const struct hub_folder_in *in, struct arena *out,
                     struct hub_folder *f, struct err *e) MUST_CHECK;
/* What lies in it stays; its folders move up. */
rc app_folder_delete(struct app *a, const struct caller *who, struct db *db,
                     str id, struct arena *out, str *shown,
                     struct err *e) MUST_CHECK;

/* ---- articles ---- */

extern const char *const ARTICLE_STATUS_NAMES[]; /* by article_status; NULL */

struct hub_article {
    str id, title, cover;
    const char *status, *visibility;
    bool has_owner;
    struct hub_user owner;
    struct hub_folder_ref *folders;
    size_t folders_n;
    uint64_t source_count;
    uint32_t version; /* published; 0: none */
    int64_t published_ms, created_ms, updated_ms;
    /* not in lists: */
    str content;                    /* published; p NULL: never */
    str draft_title, draft_content; /* p NULL: there is no draft */
    struct hub_source *sources;
    size_t sources_n;
};
struct hub_article_filter {
    str folder, status, owner, skill, query; /* p NULL: any */
    int64_t updated_from_ms, updated_to_ms;  /* inclusive; 0: open */
    str sort; /* "updated_at" (p NULL), "created_at", "title" */
};
struct hub_article_in {
    bool set_title, set_content, set_folders, set_sources, set_skills;
    str title, content, cover;
    str status;     /* "draft", "published"; p NULL: as it is */
    str visibility; /* of a new one; p NULL: "workspace" */
    const str *folders, *sources, *skills; /* ids */
    size_t folders_n, sources_n, skills_n;
};
struct hub_article_version {
    uint32_t number;
    str title;
    const char *change;
    bool has_creator;
    struct hub_user creator;
    int64_t created_ms;
};
rc app_article_list(struct app *a, const struct caller *who, struct db *db,
                    const struct hub_article_filter *f, struct hub_window w,
                    struct arena *out, struct hub_article **v, size_t *n,
                    uint64_t *total, struct err *e) MUST_CHECK;
rc app_article_get(struct app *a, const struct caller *who, struct db *db,
                   str id, struct arena *out, struct hub_article *p,
                   struct err *e) MUST_CHECK;
/* A published one is a document of the hub, found by search. */
rc app_article_add(struct app *a, const struct caller *who, struct db *db,
                   const struct hub_article_in *in, struct arena *out,
                   struct hub_article *p, struct err *e) MUST_CHECK;
/* New content or a new title is a draft, until it is published. */
rc app_article_update(struct app *a, const struct caller *who, struct db *db,
                      str id, const struct hub_article_in *in,
                      struct arena *out, struct hub_article *p,
                      struct err *e) MUST_CHECK;
/* Gone from search at once; lists show it as archived. */
rc app_article_archive(struct app *a, const struct caller *who, struct db *db,
                       str id, struct arena *out, str *shown,
                       struct err *e) MUST_CHECK;
rc app_article_versions(struct app *a, const struct caller *who, struct db *db,
                        str id, struct hub_window w, struct arena *out,
                        struct hub_article_version **v, size_t *n,
                        uint64_t *total, struct err *e) MUST_CHECK;

/* ---- workspace ---- */

struct hub_workspace {
    str id, name, slug;
    int64_t created_ms;
};
/* A key is a member: its name, and a role by its scopes. */
struct hub_member {
    struct hub_user user;
    const char *role; /* "admin", "staff", "member" */
    int64_t created_ms;
};
/* Members of one role. */
struct hub_group {
    str id, name;
    int64_t created_ms;
};
rc app_workspace_get(struct app *a, const struct caller *who, struct db *db,
                     struct arena *out, struct hub_workspace *w,
                     struct err *e) MUST_CHECK;
/* groups: ids; none: all members. */
rc app_member_list(struct app *a, const struct caller *who, struct db *db,
                   const str *groups, size_t groups_n, struct hub_window w,
                   struct arena *out, struct hub_member **v, size_t *n,
                   uint64_t *total, struct err *e) MUST_CHECK;
rc app_group_list(struct app *a, const struct caller *who, struct db *db,
                  struct hub_window w, struct arena *out, struct hub_group **v,
                  size_t *n, uint64_t *total, struct err *e) MUST_CHECK;

#endif
