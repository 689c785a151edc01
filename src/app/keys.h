/*
 * keys: who may call, and as whom. A key is PREFIX + 40 random base62
 * characters (or KNOWD_ADMIN_KEY); only the SHA-256 of its whole text is kept.
 * exec_live_ and fth_live_ before the same 40 are the same key, for clients that
 * look at how theirs begins.
 */
#ifndef APP_KEYS_H
#define APP_KEYS_H

#include "app/app.h"

struct scope_name {
    unsigned scope;
    str name;
};
#define SCOPES_N 3
extern const struct scope_name SCOPES[SCOPES_N];
bool scope_parse(str name, unsigned *scope);
/* With what it implies. */
unsigned scope_closure(unsigned scopes);

struct key {
    uuid id;
    str name, prefix;
    unsigned scopes;
    bool active;
    int64_t created_ms, expires_ms, last_used_ms; /* 0: never */
};

/* Fills tenant, key, scopes, clearance of *who: 30 with org:manage, 20 with
 * knowledge_bases:manage, else 10; told, not enforced while there are no access
 * lists. RC_UNAUTHENTICATED for what is unknown, revoked or expired, with one
 * and the same text. */
rc app_authenticate(struct app *a, struct db *db, str key_text,
                    struct caller *who, struct err *e) MUST_CHECK;
/* RC_DENIED unless the caller has the scope. */
rc app_allow(const struct caller *who, unsigned scope,
             struct err *e) MUST_CHECK;

struct key_new {
    str name;
    unsigned scopes;    /* 0: all the caller's */
    int64_t expires_ms; /* 0: never */
    str tenant_name;    /* empty: the caller's; else made if new, which takes
                           a key of the first tenant with org:manage */
};
/* *text is the key, given here only. *tenant: whose it is. */
rc app_key_add(struct app *a, const struct caller *who, struct db *db,
               const struct key_new *in, struct arena *out, struct key *k,
               str *text, uuid *tenant, struct err *e) MUST_CHECK;
rc app_key_list(struct app *a, const struct caller *who, struct db *db,
                struct arena *out, struct key **v, size_t *n,
                struct err *e) MUST_CHECK;
rc app_key_revoke(struct app *a, const struct caller *who, struct db *db,
                  uuid id, struct err *e) MUST_CHECK;

struct identity {
    uuid key, tenant;
    str key_name, tenant_name;
    unsigned scopes;
    int clearance;
};
rc app_whoami(struct app *a, const struct caller *who, struct db *db,
              struct arena *out, struct identity *id, struct err *e) MUST_CHECK;

#endif
