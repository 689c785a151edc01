#include "app/web.h"

#include "app/web_priv.h"
#include "base/clock.h"
#include "net/addr.h"
#include "net/url.h"

#define SOURCE_TYPE_URL STR("url")

/* ---- reading a URL ---- */

static rc url_refused(struct err *e)
{
    e->code = RC_INVALID;
    return err_name(e, "invalid_url");
}

rc web_target_read(struct app *a, str text, struct arena *out,
                   struct web_target *t, struct err *e)
{
    const char *why = NULL;
    struct url u;
    rc code;

    if (str_blank(text)) {
        (void)err_set(e, RC_INVALID, "url is required");
        return err_name(e, "missing_field");
    }
    code = url_parse_given(text, out, &u, e);
    if (code != RC_OK)
        return code == RC_NOMEM ? code : url_refused(e);
    /* A name is judged when it is resolved; what needs no resolving, now. */
    if (u.addr.n > 0 &&
        !addr_is_allowed(&u.addr, u.port, fetcher_nets(a), &why)) {
        (void)err_set(e, RC_INVALID, "url: %.100s is not allowed: %s", u.host.p,
                      strcmp(why, "port") == 0 ? "only ports 80 and 443 are"
                                               : why);
        return url_refused(e);
    }
    t->url = url_text(&u, out);
    t->key = url_normal(&u, out);
    return RC_OK;
}

/* ---- queueing ---- */

static rc version_add(struct db *db, const struct document_row *d,
                      uint32_t number, int64_t now, uuid *version,
                      struct err *e)
{
    struct version_row v = {.id = uuid_new(),
                            .document = d->id,
                            .base = d->base,
                            .tenant = d->tenant,
                            .number = number,
                            .state = VERSION_PENDING,
                            .source_type = SOURCE_TYPE_URL,
                            .metadata = STR("{}"),
                            .created_ms = now};
    rc code = blob_add(db, STR(""), &v.original, e); /* until it is fetched */

    *version = v.id;
    return code == RC_OK ? db_version_put(db, &v, e) : code;
}

/* A document whose title is a URL takes the title that the page has. */
static rc document_add(const struct caller *who, struct db *db, uuid base,
                       const struct web_target *t, str title, str cover,
                       int64_t now, struct document_row *d, uuid *version,
                       struct err *e)
{
    rc code;

    *d = (struct document_row){.id = uuid_new(),
                               .base = base,
                               .tenant = who->tenant,
                               .title = str_blank(title) ? t->url : title,
                               .metadata = STR("{}"),
                               .external_id = STR_NONE,
                               .source_type = SOURCE_TYPE_URL,
                               .cover = cover.n > 0 ? cover : STR_NONE,
                               .state = VERSION_PENDING,
                               .created_ms = now,
                               .updated_ms = now};
    if ((code = document_enter(who, db, d, e)) != RC_OK ||
        (code = version_add(db, d, 1, now, version, e)) != RC_OK)
        return code;
    return db_web_put(db,
                      &(struct web_row){.base = base,
                                        .document = d->id,
                                        .tenant = who->tenant,
                                        .url = t->url,
                                        .key = t->key,
                                        .answered = STR_NONE,
                                        .etag = STR_NONE,
                                        .last_modified = STR_NONE},
                      e);
}

static rc fetches_add(struct app *a, const struct caller *who, struct db *db,
                      uuid base, const struct job_version *v, size_t n,
                      uuid *job, struct err *e)
{
    const struct job_new j = {.tenant = who->tenant,
                              .base = base,
                              .kind = STR("url"),
                              .class = ITEM_FETCH};
    rc code = job_add(a, db, &j, v, n, job, e);

    return code == RC_OK ? app_event(db, who, base, *job, "job.created", e)
                         : code;
}

/* *version nil: one waits to be fetched already. */
static rc again_version(struct db *db, const struct document_row *d,
                        int64_t now, struct arena *out, uuid *version,
                        struct err *e)
{
    struct document_row waits = *d;
    struct version_row *v;
    size_t n;
    rc code = db_version_list(db, d->tenant, d->base, d->id, out, &v, &n, e);

    *version = UUID_NIL;
    if (code != RC_OK || n == 0 || v[0].state == VERSION_PENDING ||
        v[0].state == VERSION_PROCESSING)
        return code;
    if (v[0].state == VERSION_FAILED && /* nothing came of it: once more */
        str_eq(v[0].source_type, SOURCE_TYPE_URL)) {
        v[0].state = VERSION_PENDING;
        v[0].error = STR_NONE;
        *version = v[0].id;
        code = db_version_update(db, &v[0], e);
    } else {
        code = version_add(db, d, v[0].number + 1, now, version, e);
    }
    if (code != RC_OK)
        return code;
    if (!uuid_is_nil(d->active_version))
        return RC_OK;
    waits.state = VERSION_PENDING;
    waits.updated_ms = now;
    return db_document_update(db, &waits, e);
}

rc web_document_add(struct app *a, const struct caller *who, struct db *db,
                    uuid base, const struct web_target *t, str title, str cover,
                    uuid *document, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_version it;
    struct document_row d;
    uuid job;
    rc code =
        document_add(who, db, base, t, title, cover, now, &d, &it.version, e);

    if (code != RC_OK)
        return code;
    *document = it.document = d.id;
    it.title = d.title;
    return fetches_add(a, who, db, base, &it, 1, &job, e);
}

rc web_fetch_again(struct app *a, const struct caller *who, struct db *db,
                   const struct document_row *d, struct arena *out,
                   struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_version it = {.document = d->id, .title = d->title};
    uuid job;
    rc code = again_version(db, d, now, out, &it.version, e);

    if (code != RC_OK || uuid_is_nil(it.version))
        return code;
    return fetches_add(a, who, db, d->base, &it, 1, &job, e);
}

/* ---- many at once ---- */

static rc url_add(struct app *a, const struct caller *who, struct db *db,
                  uuid base, const struct url_in *in, int64_t now,
                  struct arena *out, struct job_version *it, struct err *e)
{
    struct web_target t = {0};
    struct document_row d;
    struct web_row web;
    bool there;
    rc code;

    if ((code = web_target_read(a, in->url, out, &t, e)) != RC_OK ||
        (code = maybe(db_web_by_key(db, who->tenant, base, t.key, out, &web, e),
                      &there)) != RC_OK)
        return code;
    if (!there) {
        code = document_add(who, db, base, &t, in->title, STR_NONE, now, &d,
                            &it->version, e);
    } else if ((code = db_document_get(db, who->tenant, base, web.document, out,
                                       &d, e)) == RC_OK) {
        code = again_version(db, &d, now, out, &it->version, e);
    }
    if (code != RC_OK)
        return code;
    it->document = d.id;
    it->title = d.title;
    return RC_OK;
}

rc app_urls_add(struct app *a, const struct caller *who, struct db *db,
                uuid base, const struct url_in *v, size_t n, struct arena *out,
                struct url_added **added, uuid *job, size_t *queued,
                struct err *e)
{
    int64_t now = clock_wall_ms();
    struct job_version *items = ARENA_ARRAY(out, struct job_version, n);
    struct base_row b;
    rc code;

    *queued = 0;
    *job = UUID_NIL;
    *added = ARENA_ARRAY(out, struct url_added, n);
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &b, e)) != RC_OK)
        return code;
    if (n > URLS_MAX)
        return err_set(e, RC_LIMIT, "%zu URLs, at most %d at once", n,
                       URLS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct url_added *to = &(*added)[i];
        struct job_version it = {0};

        code = url_add(a, who, db, base, &v[i], now, out, &it, e);
        if (code == RC_INVALID) {
            to->refused = arena_fmt(out, "%s", e->text);
            continue;
        }
        if (code != RC_OK)
            return code;
        to->document = it.document;
        to->refused = STR_NONE;
        to->queued = !uuid_is_nil(it.version);
        if (to->queued)
            items[(*queued)++] = it;
    }
    if (*queued == 0)
        return RC_OK;
    return fetches_add(a, who, db, base, items, *queued, job, e);
}

/* ---- where fetches may go ---- */

rc app_allow_nets(struct app *a, const struct caller *who, struct arena *out,
                  str **v, size_t *n, struct err *e)
{
    const struct addr_nets *nets = fetcher_nets(a);
    rc code = app_allow(who, SCOPE_ORG_MANAGE, e);

    if (code != RC_OK)
        return code;
    if (!uuid_eq(who->tenant, a->first_tenant))
        return err_set(e, RC_DENIED,
                       "only the first organization is told of the server");
    *v = ARENA_ARRAY(out, str, nets->n);
    *n = nets->n;
    for (size_t i = 0; i < nets->n; i++) {
        char text[ADDR_TEXT];

        addr_text(&nets->v[i].at, text);
        (*v)[i] = arena_fmt(out, "%s/%u", text, nets->v[i].bits);
    }
    return RC_OK;
}
