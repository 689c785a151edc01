/* model: what is installed, and new ones: read and packed here, so that the
 * server never meets a foreign file, then streamed to it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/rng.h"
#include "cli/hub.h"
#include "cli/manage.h"
#include "cli/print.h"
#include "embed/embed.h"
#include "embed/folder.h"

#define MODELS_PATH "/knowd/v1/models"

/* ---- list, rm ---- */

static void print_size(uint64_t bytes)
{
    if (bytes < 1000000)
        print_fmt("%8.1f kB", (double)bytes / 1e3);
    else
        print_fmt("%8.1f MB", (double)bytes / 1e6);
}

static void print_model(const json_t *model)
{
    manage_cell(js_str(model, "name"), 28);
    print_fmt(
        "%5lld dimensions %6lld tokens ",
        (long long)json_integer_value(json_object_get(model, "dimensions")),
        (long long)json_integer_value(json_object_get(model, "tokens_max")));
    print_size((uint64_t)json_integer_value(json_object_get(model, "bytes")));
    print_fmt("  ");
    manage_cell(js_str(model, "license"), 12);
    print_fmt("%lld bases%s\n",
              (long long)json_integer_value(json_object_get(model, "bases")),
              json_is_true(json_object_get(model, "default")) ? "  (default)"
                                                              : "");
}

static rc model_list(struct manage *m, struct err *e)
{
    const json_t *models;
    json_t *answer;
    rc code = client_get(m->c, MODELS_PATH, &answer, e);

    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    models = json_object_get(answer, "models");
    for (size_t i = 0; i < json_array_size(models); i++)
        print_model(json_array_get(models, i));
    if (json_array_size(models) == 0)
        say_note("no models yet: knowd model add PATH installs one");
    json_decref(answer);
    return RC_OK;
}

static rc model_rm(struct manage *m, struct err *e)
{
    const char *name = m->r->o.args[1];
    json_t *answer;
    rc code =
        client_call(m->c, "DELETE", manage_path(m, MODELS_PATH "/", name, ""),
                    NULL, &answer, e);

    json_decref(answer);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(json_pack("{s:s}", "removed", name), e);
    print_fmt("removed\n");
    return RC_OK;
}

/* ---- add ---- */

/* The packed file. It loses its name as soon as it is open, so that it goes
 * with this process however that ends; `path` is where it was, for messages. */
struct packed {
    int fd;
    const char *path;
    uint64_t bytes;
};

static rc make_file(struct arena *a, struct packed *p, struct err *e)
{
    const char *base = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one
                                            thread */
    uint64_t chance;
    rc code;

    rng_bytes(&chance, sizeof chance);
    p->path = arena_cstr(
        a, arena_fmt(a, "%s/knowd-model-%016" PRIx64,
                     base == NULL || *base == '\0' ? "/tmp" : base, chance));
    p->fd = io_open(p->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (p->fd >= 0 && io_unlink(p->path) == 0)
        return RC_OK;
    code = err_errno(e, RC_IO, errno, "cannot make %.150s", p->path);
    if (p->fd >= 0)
        (void)io_close(p->fd);
    return code;
}

static void describe_prefix(const char *what, str prefix)
{
    if (prefix.n == 0)
        return;
    print_fmt("  put before %s: \"", what);
    print_clean(prefix);
    print_fmt("\"\n");
}

/* What the model is, said before it travels. */
static void describe(const struct bert *b)
{
    const struct bert_shape *s = &b->shape;

    print_painted(PAINT_BOLD, b->name);
    print_fmt(": %" PRIu32 " layers, %" PRIu32 " dimensions, texts of %" PRIu32
              " tokens, %s pooling%s\n",
              s->layers, s->dims, s->tokens_max,
              s->pooling == POOL_CLS ? "cls" : "mean",
              b->lowercase ? "" : ", upper and lower case");
    describe_prefix("queries", b->query_prefix);
    describe_prefix("passages", b->passage_prefix);
}

static void draw_packed(void *arg, unsigned done, unsigned all)
{
    (void)arg;
    progress_show("packing", done, all);
}

/* Reads and packs; the name is the one it will have. */
static rc pack(struct manage *m, const struct folder_opts *o, struct packed *p,
               const char **name, struct err *e)
{
    struct folder *f = NULL;
    struct stat st;
    rc code;

    progress_show("reading", 0, 100);
    code = folder_open(o, &f, e);
    progress_clear();
    if (code == RC_OK) {
        *name = arena_cstr(m->r->arena, folder_bert(f)->name);
        if (!m->json)
            describe(folder_bert(f));
        progress_show("packing", 0, 1);
        code = model_pack_on(folder_bert(f), p->fd, p->path,
                             &(struct pack_progress){.step = draw_packed}, e);
        progress_clear();
    }
    folder_close(f);
    if (code == RC_OK && fstat(p->fd, &st) != 0)
        return err_errno(e, RC_IO, errno, "cannot look at %.150s", p->path);
    if (code == RC_OK)
        p->bytes = (uint64_t)st.st_size;
    return code;
}

static bool draw_sent(void *arg, uint64_t sent)
{
    const struct packed *p = arg;

    progress_show("sending", sent, p->bytes);
    return true;
}

/* What opens the file again has no path but this one. */
static rc send(struct manage *m, struct packed *p, const char *name,
               struct err *e)
{
    struct arena *a = m->r->arena;
    struct client_file file = {
        .path = arena_cstr(a, arena_fmt(a, "/proc/self/fd/%d", p->fd)),
        .bytes = p->bytes,
        .progress = draw_sent,
        .arg = p};
    json_t *answer;
    rc code = client_put_file(m->c, manage_path(m, MODELS_PATH "/", name, ""),
                              &file, &answer, e);

    progress_clear();
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_fmt("installed");
    print_size((uint64_t)json_integer_value(json_object_get(answer, "bytes")));
    print_fmt("\n");
    json_decref(answer);
    return RC_OK;
}

/* A model that is refused is this command's own failure, not the server's. */
static rc add(struct manage *m, const struct folder_opts *o, struct err *e)
{
    struct packed p;
    const char *name = NULL;
    rc code = make_file(m->r->arena, &p, e);

    if (code != RC_OK)
        return code;
    code = pack(m, o, &p, &name, e);
    if (code == RC_OK) {
        code = send(m, &p, name, e);
    } else if (code != RC_INVALID) {
        say_error("%s", e->text);
        m->r->status = EXIT_PARTIAL;
        code = RC_OK;
    }
    (void)io_close(p.fd);
    return code;
}

static rc model_add(struct manage *m, struct err *e)
{
    return add(m,
               &(struct folder_opts){.path = m->r->o.args[1],
                                     .name = option_str(&m->r->o, OPT_NAME)},
               e);
}

static rc model_pull(struct manage *m, struct err *e)
{
    const char *cache = options_cache_dir(environ, m->r->arena);
    struct folder_opts o = {.name = option_str(&m->r->o, OPT_NAME)};
    rc code;

    if (cache == NULL)
        return err_set(e, RC_IO,
                       "no home folder is known to download into "
                       "(XDG_CACHE_HOME gives another)");
    code = hub_pull(
        option_text(&m->r->o, OPT_HUB), m->r->o.args[1],
        arena_cstr(m->r->arena, arena_fmt(m->r->arena, "%s/models", cache)),
        m->r->arena, &o.path, e);
    return code == RC_OK ? add(m, &o, e) : code;
}

rc cmd_model(struct run *r, struct err *e)
{
    static const struct verb VERBS[] = {{"list", model_list, 0},
                                        {"add", model_add, 1},
                                        {"pull", model_pull, 1},
                                        {"rm", model_rm, 1}};

    return manage_run(r, VERBS, NELEMS(VERBS), e);
}
