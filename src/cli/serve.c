/* serve: the server from its first line to its last. */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/app.h"
#include "base/crypto.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/print.h"

/* "127.0.0.1:80", "[::1]:80" or "localhost:80" to its two parts. */
static rc parse_listen(const char *listen, struct arena *out,
                       struct serve_opts *o, struct err *e)
{
    const char *colon = strrchr(listen, ':');
    uint8_t address[16];
    uint64_t port = 0;
    str host = {listen, (size_t)(colon - listen)};
    const char *text;

    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_sub(host, 1, host.n - 2);
    else if (str_eq_nocase(host, STR("localhost")))
        host = STR("127.0.0.1");
    text = arena_cstr(out, host);
    if ((inet_pton(AF_INET, text, address) != 1 &&
         inet_pton(AF_INET6, text, address) != 1) ||
        !str_to_u64(str_of(colon + 1), 65535, &port))
        return err_set(e, RC_INVALID,
                       "--listen wants an address in numbers, not %.60s",
                       listen);
    o->address = host;
    o->port = (uint16_t)port;
    return RC_OK;
}

static void set_log_level(const char *name)
{
    static const char *const NAMES[] = {[LOG_ERROR] = "error",
                                        [LOG_WARN] = "warn",
                                        [LOG_INFO] = "info",
                                        [LOG_DEBUG] = "debug"};

    for (size_t i = 0; i < NELEMS(NAMES); i++) {
        if (strcmp(NAMES[i], name) == 0)
            log_level_set((enum log_level)i);
    }
}

/* SIGTERM and SIGINT are blocked in every thread and taken by wait_for_end. */
static void ending_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
}

static void on_second_signal(int sig)
{
    _exit(128 + sig); /* what was acknowledged is durable */
}

/* Returns at the first signal; from then on one more ends the process. */
static void wait_for_end(void)
{
    struct sigaction act = {.sa_handler = on_second_signal};
    sigset_t set;
    int sig;

    ending_signals(&set);
    while (sigwait(&set, &sig) != 0)
        continue;
    log_info("serve", "ending signal=%d", sig);
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void show_key(str key)
{
    if (key.n == 0)
        return;
    (void)fprintf(stderr,
                  "\n  The first admin key (shown this once, keep it):\n\n"
                  "    " STR_FMT "\n\n",
                  STR_ARG(key));
}

static rc run(struct run *r, const struct app_opts *ao, struct serve_opts *so,
              struct err *e)
{
    struct app *app = NULL;
    struct serve *server;
    str url, key = STR_NONE;
    rc code = app_open(ao, r->arena, &app, &key, e);

    if (code != RC_OK)
        return code;
    show_key(key);
    code = serve_start(app, so, r->arena, &server, &url, e);
    if (code == RC_OK) {
        app_public_url_set(app, ao->public_url.n > 0 ? ao->public_url : url);
        print_fmt("knowd listening on " STR_FMT "\n", STR_ARG(url));
        (void)fflush(stdout);
        log_info("serve", "listening url=" STR_FMT " data=%s", STR_ARG(url),
                 ao->dir);
        wait_for_end();
        serve_drain_and_stop(server);
    }
    app_close(app);
    return code;
}

static struct app_limits limits_of(const struct options *o)
{
    return (struct app_limits){
        .upload_bytes_max = (size_t)option_count(o, OPT_UPLOAD_BYTES_MAX),
        .text_bytes_max = (size_t)option_count(o, OPT_TEXT_BYTES_MAX),
        .content_bytes_max = (size_t)option_count(o, OPT_CONTENT_BYTES_MAX),
        .manifest_bytes_max = (size_t)option_count(o, OPT_MANIFEST_BYTES_MAX),
        .manifest_items_max = (size_t)option_count(o, OPT_MANIFEST_ITEMS_MAX),
        .json_bytes_max = (size_t)option_count(o, OPT_JSON_BYTES_MAX),
    };
}

rc cmd_serve(struct run *r, struct err *e)
{
    const char *dir = option_text(&r->o, OPT_DATA);
    struct serve_opts so = {.rate_limits = r->o.v[OPT_RATE_LIMIT].texts,
                            .rate_limits_n = r->o.v[OPT_RATE_LIMIT].n};
    struct app_opts ao = {
        .dir = dir,
        .workers = (unsigned)option_count(&r->o, OPT_WORKERS),
        .group_max = (size_t)option_count(&r->o, OPT_COMMIT_GROUP),
        .admin_key = option_str(&r->o, OPT_ADMIN_KEY),
        .public_url = option_str(&r->o, OPT_PUBLIC_URL),
        .limits = limits_of(&r->o),
        .model_dir = option_text(&r->o, OPT_MODEL),
        .models_off = str_eq(option_str(&r->o, OPT_MODEL), STR("none")),
        .short_ids = str_eq(option_str(&r->o, OPT_EXEC_IDS), STR("short")),
        .allow_nets = r->o.v[OPT_ALLOW_NET].texts,
        .allow_nets_n = r->o.v[OPT_ALLOW_NET].n,
        .unsandboxed_allowed = option_flag(&r->o, OPT_ALLOW_UNSANDBOXED),
        .ocr_off = str_eq(option_str(&r->o, OPT_OCR), STR("off")),
        .ocr_pages_max = (unsigned)option_count(&r->o, OPT_OCR_PAGES_MAX)};
    sigset_t set;
    rc code;

    if (dir == NULL)
        return err_set(e, RC_INVALID, "serve wants --data DIR");
    code = parse_listen(option_text(&r->o, OPT_LISTEN), r->arena, &so, e);
    if (code == RC_OK)
        code = crypto_start(e);
    if (code != RC_OK)
        return code;
    set_log_level(option_text(&r->o, OPT_LOG));
    /* Before any thread, so that all inherit it. */
    ending_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return run(r, &ao, &so, e);
}
