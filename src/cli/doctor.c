/* doctor: what this machine offers, and what is missing. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/app.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/sandbox.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "embed/embed.h"
#include "net/fetch.h"

#define FREE_BYTES_WANTED ((uint64_t)1 << 30)
#define PROBE_MS 2000
#define MODEL_NAMES_MAX ((size_t)4096)

/* ---- libraries ---- */

/* Asked by name, so that what is told is what is loaded, and no folder but
 * its own includes a library's header. */
static const struct {
    const char *library, *function;
    const char *package; /* Debian's, that brings it */
} LIBRARIES[] = {
    {"libmicrohttpd", "MHD_get_version", "libmicrohttpd12"},
    {"libcurl", "curl_version", "libcurl4"},
    {"sqlite", "sqlite3_libversion", "libsqlite3-0"},
    {"jansson", "jansson_version_str", "libjansson4"},
    {"cmark-gfm", "cmark_version_string", "libcmark-gfm0.29.0.gfm.6"},
    {"utf8proc", "utf8proc_version", "libutf8proc2"},
    {"libsodium", "sodium_version_string", "libsodium23"},
    {"zstd", "ZSTD_versionString", "libzstd1"},
};

static str library_version(size_t i)
{
    const char *(*version)(void);
    void *symbol = dlsym(RTLD_DEFAULT, LIBRARIES[i].function);
    str rest, head;

    if (symbol == NULL)
        return STR_NONE;
    memcpy(&version, &symbol, sizeof version); /* as POSIX shows it */
    /* curl tells all it is made of: "libcurl/7.88.1 OpenSSL/…". */
    (void)str_cut(str_of(version()), ' ', &head, &rest);
    return str_cut(head, '/', &rest, &head) ? head : rest;
}

/* ---- the kernel ---- */

static bool has_memfd(void)
{
    int fd = memfd_create("knowd", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static bool has_pidfd(void)
{
#ifdef SYS_pidfd_open
    long fd = syscall(SYS_pidfd_open, getpid(), 0);

    if (fd >= 0)
        (void)close((int)fd);
    return fd >= 0;
#else
    return false;
#endif
}

/* ---- findings ---- */

struct exam {
    struct run *r;
    json_t *report, *missing;
};

static void miss(struct exam *x, const char *what, str why, const char *how)
{
    (void)json_array_append_new(x->missing,
                                json_pack("{s:s, s:s%, s:s}", "what", what,
                                          "why", why.p, why.n, "how", how));
}

static void put(struct exam *x, const char *name, json_t *v)
{
    (void)json_object_set_new(x->report, name, v);
}

/* The nearest folder above the path that exists. */
static const char *existing(struct arena *tmp, const char *path)
{
    char *p = arena_cstr(tmp, str_of(path)), *slash;

    while (!file_exists(p)) {
        slash = strrchr(p, '/');
        if (slash == NULL)
            return ".";
        slash[slash == p] = '\0';
        if (strcmp(p, "/") == 0)
            break;
    }
    return p;
}

static void examine_data(struct exam *x)
{
    const char *dir = option_text(&x->r->o, OPT_DATA), *at;
    uint64_t free_bytes = 0;

    put(x, "data_dir", dir == NULL ? json_null() : json_string(dir));
    put(x, "data_dir_exists", json_boolean(dir != NULL && file_exists(dir)));
    if (dir == NULL) {
        miss(x, "data folder", STR("no home folder is known"),
             "set HOME or XDG_DATA_HOME, or give --data DIR");
        return;
    }
    at = existing(x->r->arena, dir);
    if (access(at, W_OK | X_OK) != 0)
        miss(x, "data folder", arena_fmt(x->r->arena, "%s is not writable", at),
             "give another with --data DIR, or change its owner");
    if (file_space_free(at, &free_bytes, NULL) != RC_OK)
        return;
    put(x, "free_bytes", json_integer((json_int_t)free_bytes));
    if (free_bytes < FREE_BYTES_WANTED)
        miss(x, "disk space",
             arena_fmt(x->r->arena, "%s has %llu MiB free", at,
                       (unsigned long long)(free_bytes / MIB)),
             "free at least 1 GiB, or give another folder with --data DIR");
}

/* Packed models in the folder: NAME.model. */
static void examine_models(struct exam *x)
{
    static const str SUFFIX = STR_INIT(".model");
    const char *given = option_text(&x->r->o, OPT_MODEL),
               *data = option_text(&x->r->o, OPT_DATA);
    json_t *models = json_array();
    str dir = STR_NONE, *names = NULL;
    size_t n = 0;

    if (given != NULL && strcmp(given, "none") != 0)
        dir = str_of(given);
    else if (given == NULL && data != NULL)
        dir = arena_fmt(x->r->arena, "%s/model", data);
    put(x, "model_dir", dir.n == 0 ? json_null() : js_of_str(dir));
    if (dir.n > 0 && file_list(dir.p, MODEL_NAMES_MAX, x->r->arena, &names, &n,
                               NULL) != RC_OK)
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (names[i].p[0] != '.' && str_ends(names[i], SUFFIX))
            (void)json_array_append_new(
                models, js_of_str(str_sub(names[i], 0, names[i].n - SUFFIX.n)));
    put(x, "models", models);
}

static void print_models(const struct exam *x)
{
    const json_t *dir = json_object_get(x->report, "model_dir"),
                 *models = json_object_get(x->report, "models");

    print_fmt("models      ");
    for (size_t i = 0; i < json_array_size(models); i++) {
        print_fmt(i == 0 ? "" : ", ");
        print_clean(str_of(json_string_value(json_array_get(models, i))));
    }
    if (json_is_null(dir))
        print_fmt("none, as --model says: search is by words\n");
    else if (json_array_size(models) == 0)
        print_fmt("none yet: search is by words; knowd model add FOLDER "
                  "installs one\n");
    else
        print_fmt(" in %s\n", json_string_value(dir));
}

/* What a server with these options would let its fetches reach. */
static void examine_nets(struct exam *x)
{
    const struct option_value *v = &x->r->o.v[OPT_ALLOW_NET];
    json_t *nets = json_array();

    for (size_t i = 0; i < v->n; i++)
        (void)json_array_append_new(nets, json_string(v->texts[i]));
    put(x, "allow_nets", nets);
}

static void print_reach(const char *title, const json_t *nets,
                        const char *whose)
{
    print_fmt("%-12spublic addresses", title);
    for (size_t i = 0; i < json_array_size(nets); i++) {
        print_fmt(", ");
        print_clean(str_of(json_string_value(json_array_get(nets, i))));
    }
    print_fmt("%s%s\n", json_array_size(nets) == 0 ? " only" : "", whose);
}

/* What the running server lets them reach, where it says so; what one with the
 * options given here would, where some are given or nothing else is known. */
static void print_nets(const struct exam *x)
{
    const json_t *server = json_object_get(x->report, "server"),
                 *given = json_object_get(x->report, "allow_nets"),
                 *nets = json_object_get(server, "allow_nets");

    if (json_is_array(nets)) {
        print_reach("fetches", nets, " (the running server)");
        if (json_array_size(given) > 0)
            print_reach("", given, " (by these options)");
    } else {
        print_reach("fetches", given,
                    json_is_true(json_object_get(server, "up"))
                        ? " (by these options; a running server tells its "
                          "own to an admin key of the first organization)"
                        : "");
    }
}

static void examine_libraries(struct exam *x)
{
    json_t *all = json_object();
    char how[128];

    for (size_t i = 0; i < NELEMS(LIBRARIES); i++) {
        str version = library_version(i);

        (void)json_object_set_new(
            all, LIBRARIES[i].library,
            version.n == 0 ? json_null() : json_stringn(version.p, version.n));
        (void)snprintf(how, sizeof how, "apt-get install %s",
                       LIBRARIES[i].package);
        if (version.n == 0)
            miss(x, LIBRARIES[i].library, STR("the library is not loaded"),
                 how);
    }
    put(x, "libraries", all);
}

/* By bit number, as SANDBOX_WALL_NAMES. */
static const struct {
    const char *why, *how;
} WALLS[SANDBOX_WALLS_MAX] = {
    {"the kernel has no seccomp filters: no document is read",
     "boot a kernel with CONFIG_SECCOMP_FILTER, or give --allow-unsandboxed"},
    {"the kernel has no Landlock: no document is read",
     "boot a kernel from 5.13 on with landlock among its LSMs "
     "(lsm=landlock,…), or give --allow-unsandboxed"},
    {"readers of documents run as root", "start the server as a user, or with "
                                         "the right to change its user"},
    {"readers of documents see other processes",
     "allow namespaces: sysctl user.max_user_namespaces=10000, "
     "kernel.unprivileged_userns_clone=1"},
    {"readers of documents share the network, though seccomp lets them make no "
     "socket",
     "allow namespaces, as above"},
    {"readers of documents share System V IPC, though seccomp lets them call "
     "none of it",
     "allow namespaces, as above"},
    {"readers of documents share the host's name",
     "allow namespaces, as above"},
};

static void examine_programs(struct exam *x, const struct app_sandbox *s)
{
    json_t *all = json_object();
    char how[128];

    for (size_t i = 0; i < s->programs_n; i++) {
        const struct app_program *p = &s->programs[i];

        (void)json_object_set_new(
            all, p->name,
            p->version.n == 0 ? json_null()
                              : json_stringn(p->version.p, p->version.n));
        (void)snprintf(how, sizeof how,
                       "apt-get install %s, and restart the server",
                       p->package);
        if (p->version.n == 0)
            miss(x, p->name, STR("the program is not there, or does not run"),
                 how);
    }
    put(x, "programs", all);
}

static void examine_sandbox(struct exam *x)
{
    struct arena *a = x->r->arena;
    struct app_sandbox s;
    struct err e = {0};
    json_t *walls = json_pack("{s:I, s:b, s:b}", "landlock_abi",
                              (json_int_t)sandbox_landlock_abi(), "memfd",
                              has_memfd(), "pidfd", has_pidfd());

    if (app_sandbox_examine(a, &s, &e) != RC_OK)
        miss(x, "sandbox", arena_fmt(a, "%s", e.text),
             "free memory, or allow more processes");
    for (size_t i = 0; i < SANDBOX_WALLS_MAX; i++) {
        bool there = (s.walls & 1u << i) != 0;

        (void)json_object_set_new(walls, SANDBOX_WALL_NAMES[i],
                                  json_boolean(there));
        if (!there)
            miss(x, SANDBOX_WALL_NAMES[i], str_of(WALLS[i].why), WALLS[i].how);
    }
    put(x, "sandbox", walls);
    examine_programs(x, &s);
}

/* GET, of a server that may be in trouble: one try, and not for long. */
static unsigned server_ask(struct exam *x, struct fetch *http, const char *path,
                           struct fetch_answer *answer)
{
    struct arena *a = x->r->arena;
    str url = option_url(&x->r->o), key = option_str(&x->r->o, OPT_KEY);
    const char *header =
        arena_cstr(a, arena_fmt(a, "x-api-key: " STR_FMT, STR_ARG(key)));
    struct fetch_opts o = {.policy = FETCH_OPERATOR,
                           .headers = &header,
                           .headers_n = key.n > 0,
                           .connect_ms = PROBE_MS,
                           .timeout_ms = PROBE_MS};
    struct err e = {0};

    o.url = arena_cstr(a, arena_fmt(a, STR_FMT "%s", STR_ARG(url), path));
    return fetch_run(http, &o, a, answer, &e) == RC_OK ? answer->status : 0;
}

/* The networks the running server was given; null: it does not tell this key,
 * or is too old for that question. */
static json_t *server_nets(struct exam *x, struct fetch *http)
{
    struct fetch_answer answer = {0};
    json_t *all, *nets = NULL;

    if (server_ask(x, http, "/knowd/v1/server", &answer) != 200)
        return json_null();
    all = json_loadb(answer.body.p, answer.body.n, 0, NULL);
    nets = json_object_get(all, "allow_nets");
    nets = json_is_array(nets) ? json_incref(nets) : json_null();
    json_decref(all);
    return nets;
}

static void examine_server(struct exam *x)
{
    struct fetch_answer answer = {0};
    struct fetch *http = NULL;
    struct err e = {0};
    str url = option_url(&x->r->o);
    bool up = fetch_open(&http, &e) == RC_OK &&
              server_ask(x, http, "/healthz", &answer) == 200;

    put(x, "server",
        json_pack("{s:s%, s:b, s:b, s:o}", "url", url.p, url.n, "up", up, "key",
                  option_str(&x->r->o, OPT_KEY).n > 0, "allow_nets",
                  up ? server_nets(x, http) : json_null()));
    fetch_close(http);
    if (!up)
        miss(x, "server", STR("none answers at this address"),
             "./up, or knowd serve");
}

static void print_object(const char *title, json_t *object)
{
    const char *name;
    json_t *v;

    print_fmt("%s\n", title);
    json_object_foreach(object, name, v)
    {
        char *text = json_dumps(v, JSON_ENCODE_ANY);

        print_fmt("  %-20s ", name);
        print_clean(json_is_string(v) ? str_of(json_string_value(v))
                                      : str_of(text));
        print_fmt("\n");
        free(text);
    }
}

static void print_report(const struct exam *x)
{
    const char *dir = option_text(&x->r->o, OPT_DATA);

    print_fmt("knowd %s\ndata folder %s%s\n", KNOWD_VERSION,
              dir == NULL ? "unknown" : dir,
              json_is_true(json_object_get(x->report, "data_dir_exists"))
                  ? ""
                  : " (not made yet)");
    print_models(x);
    print_fmt("embeds by   %s\n", json_string_value(json_object_get(
                                      x->report, "embedding_kernels")));
    print_nets(x);
    print_fmt("free        %lld MiB\n",
              (long long)(json_integer_value(
                              json_object_get(x->report, "free_bytes")) /
                          (json_int_t)MIB));
    print_object("server", json_object_get(x->report, "server"));
    print_object("sandbox", json_object_get(x->report, "sandbox"));
    print_object("programs", json_object_get(x->report, "programs"));
    print_object("libraries", json_object_get(x->report, "libraries"));
    for (size_t i = 0; i < json_array_size(x->missing); i++) {
        const json_t *m = json_array_get(x->missing, i);

        print_painted(PAINT_BAD, STR("missing "));
        print_fmt("%s: ", json_string_value(json_object_get(m, "what")));
        print_clean(str_of(json_string_value(json_object_get(m, "why"))));
        print_fmt(" (%s)\n", json_string_value(json_object_get(m, "how")));
    }
    if (json_array_size(x->missing) == 0)
        print_fmt("nothing is missing\n");
}

rc cmd_doctor(struct run *r, struct err *e)
{
    struct exam x = {r, json_object(), json_array()};

    put(&x, "version", json_string(KNOWD_VERSION));
    examine_data(&x);
    examine_models(&x);
    put(&x, "embedding_kernels", json_string(embed_kernels()));
    examine_nets(&x);
    examine_libraries(&x);
    examine_sandbox(&x);
    examine_server(&x);
    put(&x, "missing", x.missing);
    if (option_flag(&r->o, OPT_JSON))
        return print_json(x.report, e);
    print_report(&x);
    json_decref(x.report);
    return RC_OK;
}
