/* reprocess: a base's originals are read once more by the server. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/wait.h"

struct again {
    struct run *r;
    struct client *c;
    struct client_base base;
    const char **jobs;
    size_t jobs_n, jobs_cap;
    uint64_t queued;
    json_t *failed; /* list of {title, reason} */
};

/* One call; *cursor is where the next one goes on, n 0 at the end. */
static rc ask(struct again *a, const char *path, str *cursor, struct err *e)
{
    struct arena *out = a->r->arena;
    json_t *body = json_pack("{s:b}", "all", option_flag(&a->r->o, OPT_ALL));
    json_t *answer;
    str job;
    rc code;

    if (cursor->n > 0)
        (void)json_object_set_new(body, "cursor", js_of_str(*cursor));
    if ((code = client_call(a->c, "POST", path, body, &answer, e)) != RC_OK)
        return code;
    job = js_str(answer, "job_id");
    if (job.n > 0)
        ARENA_PUSH(out, a->jobs, a->jobs_n, a->jobs_cap, arena_cstr(out, job));
    a->queued +=
        (uint64_t)json_integer_value(json_object_get(answer, "queued"));
    *cursor = arena_str(out, js_str(answer, "next_cursor"));
    json_decref(answer);
    return RC_OK;
}

static rc ask_all(struct again *a, struct err *e)
{
    struct arena *out = a->r->arena;
    const char *path =
        arena_cstr(out, arena_fmt(out, "/knowd/v1/bases/" STR_FMT "/reprocess",
                                  STR_ARG(a->base.id)));
    str cursor = STR_NONE;
    rc code;

    do
        code = ask(a, path, &cursor, e);
    while (code == RC_OK && cursor.n > 0);
    return code;
}

static bool note_failed(void *arg, json_t *item)
{
    struct again *a = arg;

    if (!str_eq(js_str(item, "status"), STR("failed")))
        return true;
    a->r->status = EXIT_PARTIAL;
    return json_array_append_new(
               a->failed,
               json_pack("{s:o, s:o, s:o}", "document_id",
                         js_of_str(js_str(item, "document_id")), "title",
                         js_of_str(js_str(item, "title")), "reason",
                         js_of_str(js_str(item, "error_message")))) == 0;
}

static rc wait_for_all(struct again *a, struct err *e)
{
    struct job_wait w = {
        .ids = a->jobs,
        .refined = strcmp(option_text(&a->r->o, OPT_WAIT), "refined") == 0,
        .ids_n = a->jobs_n,
        .documents = a->queued};
    struct arena *out = a->r->arena;
    rc code = wait_jobs(a->c, out, &w, e);

    for (size_t i = 0; code == RC_OK && w.failed > 0 && i < a->jobs_n; i++)
        code = client_each(
            a->c,
            arena_cstr(out,
                       arena_fmt(out, CLIENT_K "/ingestion-jobs/%s/documents",
                                 a->jobs[i])),
            note_failed, a, e);
    return code;
}

static rc print_result(struct again *a, bool waited, struct err *e)
{
    size_t failed = json_array_size(a->failed);
    json_t *jobs;

    if (option_flag(&a->r->o, OPT_JSON)) {
        jobs = json_array();
        for (size_t i = 0; i < a->jobs_n; i++)
            (void)json_array_append_new(jobs, json_string(a->jobs[i]));
        return print_json(json_pack("{s:s%, s:o, s:I, s:O}", "base_id",
                                    a->base.id.p, a->base.id.n, "job_ids", jobs,
                                    "queued", (json_int_t)a->queued, "failed",
                                    a->failed),
                          e);
    }
    for (size_t i = 0; i < failed; i++) {
        const json_t *one = json_array_get(a->failed, i);

        say_note("failed %s: %s",
                 clean_text(a->r->arena, js_str(one, "title")).p,
                 clean_text(a->r->arena, js_str(one, "reason")).p);
    }
    print_clean(a->base.name);
    if (a->queued == 0)
        print_fmt(": nothing to read again\n");
    else
        print_fmt(": %llu %s\n", (unsigned long long)(a->queued - failed),
                  waited ? "read again" : "queued");
    return RC_OK;
}

static rc reprocess(struct again *a, struct err *e)
{
    const struct option_value *base = &a->r->o.v[OPT_BASE];
    bool wait = strcmp(option_text(&a->r->o, OPT_WAIT), "none") != 0;
    rc code;

    if (base->n != 1)
        return err_set(e, RC_INVALID, "one base is to be named with --base");
    if ((code = client_open(&a->r->o, a->r->arena, &a->c, e)) != RC_OK ||
        (code = client_base_find(a->c, a->r->arena, str_of(base->texts[0]),
                                 &a->base, e)) != RC_OK ||
        (code = ask_all(a, e)) != RC_OK ||
        (wait && (code = wait_for_all(a, e)) != RC_OK))
        return code;
    return print_result(a, wait, e);
}

rc cmd_reprocess(struct run *r, struct err *e)
{
    struct again a = {.r = r, .failed = json_array()};
    rc code = reprocess(&a, e);

    json_decref(a.failed);
    client_close(a.c);
    return code;
}
