/*
 * Installed models: packed files DATA/model/NAME.model. They are opened at
 * start or when they come, and stay mapped until the end, so that whoever has
 * found one may go on using it. One that is being sent is .UUID.tmp there; what
 * a server that was killed has left of such goes at the next start.
 */
#include "app/models.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app_priv.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "embed/folder.h"

#define SUFFIX STR(".model")
#define DEFAULT_MODEL STR("all-MiniLM-L6-v2")
#define FOLDER_NAMES_MAX ((size_t)4096)
#define TEMPORARY_END STR(".tmp")
/* Longer than a connection stays open to which nothing comes. */
#define STALE_MS ((int64_t)3600 * 1000)

struct installed {
    char *name;
    struct model *model;
    bool gone; /* replaced or removed */
};

struct models {
    char *dir;              /* NULL: none are used */
    pthread_mutex_t change; /* held by who adds or removes one, files and all */
    pthread_mutex_t lock;   /* guards all below; taken behind it */
    struct installed v[MODELS_INSTALLED_MAX];
    size_t n;
};

/* ---- what is installed ---- */

static bool name_valid(str name)
{
    return model_name_valid(name) && !str_eq(name, MODEL_NONE);
}

/* Under the lock; NULL: it isn't there. */
static struct installed *find(struct models *m, str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->v[i].gone && str_eq(str_of(m->v[i].name), name))
            return &m->v[i];
    return NULL;
}

const struct model *models_find(struct app *a, str name)
{
    struct models *m = a->models;
    const struct installed *i;

    (void)pthread_mutex_lock(&m->lock);
    i = find(m, name);
    (void)pthread_mutex_unlock(&m->lock);
    return i == NULL ? NULL : i->model;
}

/* Under the lock. */
static rc room(const struct models *m, struct err *e)
{
    return m->n < MODELS_INSTALLED_MAX
               ? RC_OK
               : err_set(e, RC_LIMIT,
                         "%d models were installed since the start; restart "
                         "the server to install more",
                         MODELS_INSTALLED_MAX);
}

/* Under the lock; there is room. */
static void put(struct models *m, str name, struct model *model)
{
    struct installed *old = find(m, name);
    char *copy;

    copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    if (old != NULL)
        old->gone = true;
    m->v[m->n++] = (struct installed){.name = copy, .model = model};
}

static str path_of(const struct models *m, str name, struct arena *out)
{
    return arena_fmt(out, "%s/" STR_FMT ".model", m->dir, STR_ARG(name));
}

/* One that can't be read is left alone, and said; its bases serve by words. */
static void found(struct models *m, str file, struct arena *tmp)
{
    str name = str_sub(file, 0, file.n - SUFFIX.n);
    struct err e = {0};
    struct model *model = NULL;
    rc code = room(m, &e);

    if (code == RC_OK)
        code = model_open(path_of(m, name, tmp).p, &model, &e);
    if (code == RC_OK)
        put(m, name, model);
    else
        log_error("models", "cannot use model=" STR_FMT " error=\"%s\"",
                  STR_ARG(name), e.text);
}

/* As app_model_temporary makes them, and nobody else. */
static bool is_temporary(str name, struct arena *tmp)
{
    str id;
    uuid u;

    if (!str_starts(name, STR(".")) || !str_ends(name, TEMPORARY_END) ||
        name.n != UUID_TEXT + TEMPORARY_END.n)
        return false;
    id = str_sub(name, 1, UUID_TEXT - 1);
    return uuid_parse(id, STR_NONE, &u, tmp, NULL) &&
           str_eq(id, uuid_str(tmp, u));
}

/* In a folder of several servers, one may be on its way to another: there it is
 * nobody's once nothing has been written to it for long. */
static void drop_temporary(const struct models *m, str name, bool shared,
                           struct arena *tmp)
{
    const char *path = arena_fmt(tmp, "%s/" STR_FMT, m->dir, STR_ARG(name)).p;
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        (shared &&
         clock_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000 <= STALE_MS))
        return;
    if (io_unlink(path) != 0)
        log_warn("models", "cannot remove path=%s", path);
}

rc models_open(struct app *a, const char *dir, bool shared, struct err *e)
{
    struct models *m = mem_alloc(sizeof *m);
    struct arena *tmp = arena_open();
    str *names = NULL;
    size_t n = 0;
    rc code = RC_OK;

    ASSERT(pthread_mutex_init(&m->change, NULL) == 0);
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    a->models = m;
    if (dir != NULL) {
        m->dir = mem_alloc(strlen(dir) + 1);
        memcpy(m->dir, dir, strlen(dir));
        code = file_list(dir, FOLDER_NAMES_MAX, tmp, &names, &n, e);
        if (code == RC_NOTFOUND) /* made with the first model */
            code = RC_OK;
    }
    for (size_t i = 0; code == RC_OK && i < n; i++)
        if (str_ends(names[i], SUFFIX) &&
            name_valid(str_sub(names[i], 0, names[i].n - SUFFIX.n)))
            found(m, names[i], tmp);
        else if (is_temporary(names[i], tmp))
            drop_temporary(m, names[i], shared, tmp);
    arena_close(tmp);
    return code;
}

void models_close(struct app *a)
{
    struct models *m = a->models;

    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n; i++) {
        model_close(m->v[i].model);
        mem_free(m->v[i].name);
    }
    (void)pthread_mutex_destroy(&m->lock);
    (void)pthread_mutex_destroy(&m->change);
    mem_free(m->dir);
    mem_free(m);
}

/* Under the lock: the one a new base gets; NULL: there is none. */
static const struct installed *preferred(struct models *m)
{
    const struct installed *best = find(m, DEFAULT_MODEL);

    for (size_t i = 0; i < m->n && best == NULL; i++)
        if (!m->v[i].gone)
            best = &m->v[i];
    return best;
}

str models_default(struct app *a)
{
    struct models *m = a->models;
    const struct installed *i;
    str name;

    (void)pthread_mutex_lock(&m->lock);
    i = preferred(m);
    /* Names live until the end. */
    name = i == NULL ? MODEL_NONE : str_of(i->name);
    (void)pthread_mutex_unlock(&m->lock);
    return name;
}

static struct app_model offer(str name, const struct model *model,
                              bool is_default)
{
    const struct model_info *info = model_info(model);

    return (struct app_model){.name = name,
                              .license = info->license,
                              .dims = info->dims,
                              .tokens_max = info->tokens_max,
                              .bytes = info->bytes,
                              .is_default = is_default};
}

void app_models_offered(struct app *a, struct arena *out, struct app_model **v,
                        size_t *n, size_t *at)
{
    struct models *m = a->models;
    const struct installed *first;

    *n = *at = 0;
    (void)pthread_mutex_lock(&m->lock);
    first = preferred(m);
    *v = ARENA_ARRAY(out, struct app_model, m->n);
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].gone)
            continue;
        if (&m->v[i] == first)
            *at = *n;
        (*v)[(*n)++] =
            offer(str_of(m->v[i].name), m->v[i].model, &m->v[i] == first);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

rc app_model_list(struct app *a, const struct caller *who, struct db *db,
                  struct arena *out, struct app_model **v, size_t *n, str *dir,
                  struct err *e)
{
    size_t at;
    rc code = app_allow(who, SCOPE_KB_READ, e);

    if (code != RC_OK)
        return code;
    *dir = a->models->dir == NULL ? STR_NONE : str_of(a->models->dir);
    app_models_offered(a, out, v, n, &at);
    for (size_t i = 0; code == RC_OK && i < *n; i++)
        code = db_base_count_model(db, who->tenant, (*v)[i].name,
                                   &(*v)[i].bases, e);
    return code;
}

/* ---- installing ---- */

struct due_write {
    struct write write;
    const struct caller *who;
    str name;
    uint32_t dims;
    struct arena *out;
};

/* Bases of any organization: each hears of its own, but only the one whose key
 * it was hears of that key. */
static rc due_run(struct write *w, struct db *db, struct err *e)
{
    const struct due_write *due = (const struct due_write *)w;
    struct caller who;
    uuid tenant;
    uuid *v;
    size_t n;
    rc code = db_model_keys_due(db, due->name, due->dims, clock_wall_ms(),
                                due->out, &v, &n, e);

    for (size_t i = 0; code == RC_OK && i < n; i++) {
        if ((code = db_base_tenant(db, v[i], &tenant, e)) != RC_OK)
            break;
        who =
            uuid_eq(tenant, due->who->tenant) ? *due->who : app_program(tenant);
        code = app_event(db, &who, v[i], v[i], "base.updated", e);
    }
    return code;
}

/* Models serve every organization: the first one's keys install them. */
static rc may_install(const struct app *a, const struct caller *who,
                      struct err *e)
{
    rc code = app_allow(who, SCOPE_ORG_MANAGE, e);

    if (code == RC_OK && !uuid_eq(who->tenant, a->first_tenant))
        return err_set(e, RC_DENIED,
                       "only the first organization installs models");
    return code;
}

static rc none_here(struct err *e)
{
    return err_set(e, RC_UNSUPPORTED,
                   "this server was started without models (--model none)");
}

rc app_model_temporary(struct app *a, const struct caller *who,
                       struct arena *out, str *path, struct err *e)
{
    char name[UUID_TEXT];
    rc code = may_install(a, who, e);

    if (code != RC_OK)
        return code;
    if (a->models->dir == NULL)
        return none_here(e);
    if ((code = file_mkdirs(a->models->dir, 0700, e)) != RC_OK)
        return code;
    uuid_text(uuid_new(), name);
    *path = arena_fmt(out, "%s/.%s" STR_FMT, a->models->dir, name,
                      STR_ARG(TEMPORARY_END));
    return RC_OK;
}

rc app_model_add(struct app *a, const struct caller *who, str name,
                 const char *path, struct arena *out, struct app_model *res,
                 struct err *e)
{
    struct models *m = a->models;
    struct due_write due = {
        .write = {.run = due_run}, .who = who, .name = name, .out = out};
    struct model *model = NULL;
    str to;
    rc code = may_install(a, who, e);

    if (code == RC_OK && m->dir == NULL)
        code = none_here(e);
    if (code == RC_OK && !name_valid(name)) {
        (void)err_set(e, RC_INVALID,
                      "a model's name has 1 to %d letters, digits, dots, "
                      "dashes and underscores",
                      MODEL_NAME_BYTES_MAX);
        code = err_name(e, "bad_request");
    }
    if (code == RC_OK && (code = model_open(path, &model, e)) != RC_OK &&
        (code == RC_CORRUPT || code == RC_UNSUPPORTED || code == RC_FORMAT)) {
        if (e != NULL)
            e->code = RC_INVALID;
        (void)err_name(e, "bad_request");
        code = RC_INVALID;
    }
    if (code != RC_OK) {
        (void)io_unlink(path);
        return code;
    }
    to = path_of(m, name, out);
    (void)pthread_mutex_lock(&m->change);
    (void)pthread_mutex_lock(&m->lock);
    code = room(m, e);
    (void)pthread_mutex_unlock(&m->lock);
    if (code == RC_OK && (code = file_move(path, to.p, e)) == RC_OK) {
        (void)pthread_mutex_lock(&m->lock);
        put(m, name, model);
        (void)pthread_mutex_unlock(&m->lock);
    }
    (void)pthread_mutex_unlock(&m->change);
    if (code != RC_OK) {
        (void)io_unlink(path);
        model_close(model);
        return code;
    }
    due.dims = model_info(model)->dims;
    /* Bases that name it may have been indexed without it, or with another.
     * Where this fails it is installed, and installing it again says so. */
    if ((code = store_write(a->store, &due.write, e)) != RC_OK)
        return code;
    *res = offer(name, model, str_eq(models_default(a), name));
    refiner_look(a);
    return RC_OK;
}

rc app_model_drop(struct app *a, const struct caller *who, str name,
                  struct err *e)
{
    struct models *m = a->models;
    struct arena *tmp;
    struct installed *i;
    rc code = may_install(a, who, e);

    if (code != RC_OK)
        return code;
    tmp = arena_open();
    (void)pthread_mutex_lock(&m->change);
    (void)pthread_mutex_lock(&m->lock);
    i = find(m, name);
    if (i == NULL)
        code = err_set(e, RC_NOTFOUND, "no such model");
    else if (io_unlink(path_of(m, name, tmp).p) != 0)
        code = err_set(e, RC_IO, "cannot remove the model's file");
    else {
        i->gone = true;
        if (io_fsync_dir(m->dir) != 0)
            code = err_set(e, RC_IO, "cannot sync the models' folder");
    }
    (void)pthread_mutex_unlock(&m->lock);
    (void)pthread_mutex_unlock(&m->change);
    arena_close(tmp);
    if (code == RC_OK)
        refiner_look(a); /* what waits for its vectors waits no more */
    return code;
}

/* ---- a base's model ---- */

rc app_base_model_set(struct app *a, const struct caller *who, struct db *db,
                      uuid base, str model, struct arena *out, struct base *b,
                      uuid *job, struct err *e)
{
    const struct model *m = models_find(a, model);
    struct base_row row;
    struct indexed_version *v;
    uuid *ids;
    size_t n;
    rc code;

    *job = UUID_NIL;
    if ((code = app_allow(who, SCOPE_KB_MANAGE, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &row, e)) != RC_OK)
        return code;
    if (m == NULL && !str_eq(model, MODEL_NONE)) {
        (void)err_set(e, RC_INVALID, "no model " STR_FMT " is installed",
                      STR_ARG(str_sub(model, 0, MODEL_NAME_BYTES_MAX)));
        return err_name(e, "bad_request");
    }
    *b = base_of_row(a, &row);
    if (str_eq(row.embedding_model, model))
        return RC_OK;
    row.embedding_model = model;
    row.embedding_dimensions = m == NULL ? 0 : model_info(m)->dims;
    row.updated_ms = clock_wall_ms();
    if ((code = db_base_update(db, &row, e)) != RC_OK ||
        (code = app_event(db, who, base, base, "base.updated", e)) != RC_OK ||
        (code = db_versions_indexed(db, base, out, &v, &n, e)) != RC_OK)
        return code;
    *b = base_of_row(a, &row);
    ids = ARENA_ARRAY(out, uuid, n);
    for (size_t i = 0; i < n; i++)
        ids[i] = v[i].version;
    return n == 0 ? RC_OK
                  : reindex_add(a, db, who->tenant, base, STR("another model"),
                                ids, n, job, e);
}

rc app_base_model(struct app *a, const struct caller *who, struct db *db,
                  uuid base, struct arena *out, struct base_model *m,
                  struct err *e)
{
    struct item_row *waiting;
    struct base_row row;
    size_t n = 0;
    rc code;

    if ((code = app_allow(who, SCOPE_KB_READ, e)) != RC_OK ||
        (code = base_row_get(who, db, base, out, &row, e)) != RC_OK ||
        (code = db_items_refining(db, base, 1, out, &waiting, &n, e)) != RC_OK)
        return code;
    *m = (struct base_model){.model = row.embedding_model,
                             .dims = row.embedding_dimensions};
    if (str_eq(row.embedding_model, MODEL_NONE))
        m->status = "none";
    else if (models_find(a, row.embedding_model) == NULL)
        m->status = "missing";
    else
        m->status = n > 0 ? "refining" : "ready";
    return RC_OK;
}
