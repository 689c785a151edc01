/* bases, jobs and keys: lists and small changes on a server. */
#include "cli/manage.h"

#include <stdio.h>

#include "base/clock.h"
#include "cli/print.h"
#include "cli/wait.h"

rc manage_run(struct run *r, const struct verb *verbs, size_t n, struct err *e)
{
    struct manage m = {.r = r, .json = option_flag(&r->o, OPT_JSON)};
    const struct verb *verb = &verbs[0];
    rc code;

    for (size_t i = 0; i < n && r->o.args_n > 0; i++) {
        if (strcmp(verbs[i].name, r->o.args[0]) == 0)
            verb = &verbs[i];
    }
    if (r->o.args_n > 0 && r->o.args_n - 1 != verb->args)
        return err_set(e, RC_INVALID, "usage: knowd %s %s",
                       COMMANDS[r->o.command].name,
                       COMMANDS[r->o.command].args);
    code = client_open(&r->o, r->arena, &m.c, e);
    if (code == RC_OK)
        code = verb->run(&m, e);
    client_close(m.c);
    return code;
}

/* {"<name>": [all items of the list]} on standard output. */
static bool append(void *arg, json_t *item)
{
    return json_array_append((json_t *)arg, item) == 0;
}

static rc print_list(struct manage *m, const char *name, const char *path,
                     struct err *e)
{
    json_t *list = json_array();
    rc code = client_each(m->c, path, append, list, e);

    if (code == RC_OK)
        return print_json(json_pack("{s:o}", name, list), e);
    json_decref(list);
    return code;
}

void manage_cell(str s, size_t width)
{
    size_t shown = 0;

    print_clean(s);
    for (size_t i = 0; i < s.n; i++)
        shown += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    print_fmt("%*s", shown < width ? (int)(width - shown) : 1, "");
}

const char *manage_path(struct manage *m, const char *before, const char *id,
                        const char *after)
{
    struct arena *a = m->r->arena;

    return arena_cstr(a,
                      arena_fmt(a, "%s" STR_FMT "%s", before,
                                STR_ARG(fetch_escape(a, str_of(id))), after));
}

/* ---- bases ---- */

static rc bases_list(struct manage *m, struct err *e)
{
    struct client_base *v;
    size_t n;
    rc code;

    if (m->json)
        return print_list(m, "bases", CLIENT_K "/knowledge-bases", e);
    code = client_bases(m->c, m->r->arena, &v, &n, e);
    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < n; i++) {
        manage_cell(v[i].id, 38);
        print_fmt("%9lld  ", (long long)v[i].documents);
        print_painted(PAINT_BOLD, v[i].name);
        print_fmt("\n");
    }
    for (size_t i = 0; i < n; i++)
        if (v[i].model_missing)
            say_note(STR_FMT " is searched by words: its model " STR_FMT
                             " is not installed",
                     STR_ARG(v[i].name), STR_ARG(v[i].model));
    if (n == 0)
        say_note("no bases yet: knowd add PATH makes one");
    return RC_OK;
}

static rc bases_create(struct manage *m, struct err *e)
{
    json_t *body =
        json_pack("{s:s, s:s*}", "name", m->r->o.args[1], "description",
                  option_text(&m->r->o, OPT_DESCRIPTION));
    json_t *answer;
    rc code;

    if (body == NULL)
        return err_set(e, RC_INVALID, "the name is not UTF-8");
    code = client_call(m->c, "POST", CLIENT_K "/knowledge-bases", body, &answer,
                       e);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_clean(js_str(answer, "id"));
    print_fmt("\n");
    json_decref(answer);
    return RC_OK;
}

static rc bases_delete(struct manage *m, struct err *e)
{
    struct client_base b;
    json_t *answer;
    rc code =
        client_base_find(m->c, m->r->arena, str_of(m->r->o.args[1]), &b, e);

    if (code != RC_OK)
        return code;
    code = client_call(m->c, "DELETE",
                       manage_path(m, CLIENT_K "/knowledge-bases/",
                                   arena_cstr(m->r->arena, b.id), ""),
                       NULL, &answer, e);
    json_decref(answer);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(json_pack("{s:s%}", "deleted", b.id.p, b.id.n), e);
    print_fmt("deleted ");
    print_clean(b.name);
    print_fmt(" (%lld documents)\n", (long long)b.documents);
    return RC_OK;
}

static rc bases_model(struct manage *m, struct err *e)
{
    const char *model = m->r->o.args[2];
    struct client_base b;
    json_t *answer = NULL, *body = json_pack("{s:s}", "model", model);
    rc code =
        client_base_find(m->c, m->r->arena, str_of(m->r->o.args[1]), &b, e);

    if (code == RC_OK && body == NULL)
        code = err_set(e, RC_INVALID, "the model's name is not UTF-8");
    if (code != RC_OK) {
        json_decref(body);
        return code;
    }
    code = client_call(m->c, "POST",
                       manage_path(m, "/knowd/v1/bases/",
                                   arena_cstr(m->r->arena, b.id), "/model"),
                       body, &answer, e);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_clean(b.name);
    print_fmt(" has the model ");
    print_clean(str_of(model));
    print_fmt("\n");
    if (js_str(answer, "job_id").n > 0) {
        say_note("its documents are cut for it anew: knowd jobs wait " STR_FMT,
                 STR_ARG(js_str(answer, "job_id")));
    }
    json_decref(answer);
    return RC_OK;
}

/* A number from 0 to 1, or none; NULL: neither. */
static json_t *alpha_parse(const char *text)
{
    double x;

    if (strcmp(text, "none") == 0)
        return json_null();
    return option_parse_real(text, &x) && x >= 0 && x <= 1 ? json_real(x)
                                                           : NULL;
}

static rc bases_alpha(struct manage *m, struct err *e)
{
    const char *text = m->r->o.args[2];
    struct client_base b;
    json_t *answer = NULL, *alpha = alpha_parse(text);
    rc code;

    if (alpha == NULL)
        return err_set(e, RC_INVALID, "alpha is a number from 0 to 1, or none");
    code = client_base_find(m->c, m->r->arena, str_of(m->r->o.args[1]), &b, e);
    if (code != RC_OK) {
        json_decref(alpha);
        return code;
    }
    code =
        client_call(m->c, "PUT",
                    manage_path(m, CLIENT_K "/knowledge-bases/",
                                arena_cstr(m->r->arena, b.id), ""),
                    json_pack("{s:o}", "retrieval_alpha", alpha), &answer, e);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_clean(b.name);
    print_fmt(json_is_null(json_object_get(answer, "retrieval_alpha"))
                  ? " weighs words and meaning alike\n"
                  : " has the alpha %s\n",
              text);
    json_decref(answer);
    return RC_OK;
}

rc cmd_bases(struct run *r, struct err *e)
{
    static const struct verb VERBS[] = {{"list", bases_list, 0},
                                        {"create", bases_create, 1},
                                        {"model", bases_model, 2},
                                        {"alpha", bases_alpha, 2},
                                        {"delete", bases_delete, 1}};

    return manage_run(r, VERBS, NELEMS(VERBS), e);
}

/* ---- jobs ---- */

struct job_list {
    json_t *v;
    size_t max;
};

static bool take_job(void *arg, json_t *item)
{
    struct job_list *list = arg;

    return json_array_append(list->v, item) == 0 &&
           json_array_size(list->v) < list->max;
}

/* Ids are made in the order of time: newest first is id descending. */
static int newer_first(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return str_cmp(js_str(*y, "id"), js_str(*x, "id"));
}

static void print_job_line(const json_t *job, str base)
{
    manage_cell(js_str(job, "id"), 38);
    manage_cell(js_str(job, "status"), 17);
    print_fmt(
        "%6.0f%%  %6lld documents  ",
        json_number_value(json_object_get(job, "progress_pct")),
        (long long)json_integer_value(json_object_get(job, "total_documents")));
    print_clean(str_sub(js_str(job, "created_at"), 0, 19));
    print_fmt("  ");
    print_clean(base);
    print_fmt("\n");
}

static str base_name_of(const struct client_base *v, size_t n, str id)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i].id, id))
            return v[i].name;
    }
    return id;
}

/* The newest jobs of the bases, at most max of each, in *all. */
static rc collect_jobs(struct manage *m, const struct client_base *v, size_t n,
                       json_t *all, struct err *e)
{
    const char *status = option_text(&m->r->o, OPT_STATUS);
    size_t max = option_count(&m->r->o, OPT_LIMIT);
    rc code = RC_OK;

    for (size_t i = 0; i < n && code == RC_OK; i++) {
        struct job_list list = {json_array(), max};
        str path = arena_fmt(
            m->r->arena,
            CLIENT_K "/knowledge-bases/" STR_FMT "/ingestion-jobs%s%s",
            STR_ARG(v[i].id),
            status == NULL ? "" : "?status=", status == NULL ? "" : status);

        code = client_each(m->c, arena_cstr(m->r->arena, path), take_job, &list,
                           e);
        if (code == RC_OK && json_array_extend(all, list.v) != 0)
            code = err_set(e, RC_NOMEM, "no memory for the list");
        json_decref(list.v);
    }
    return code;
}

static rc print_jobs(struct manage *m, const struct client_base *v, size_t n,
                     json_t *all, struct err *e)
{
    size_t max = option_count(&m->r->o, OPT_LIMIT), jobs_n;
    json_t **jobs, *first;

    jobs_n = json_array_size(all);
    jobs = ARENA_ARRAY(m->r->arena, json_t *, jobs_n);
    for (size_t i = 0; i < jobs_n; i++)
        jobs[i] = json_array_get(all, i);
    if (jobs_n > 1)
        qsort(jobs, jobs_n, sizeof *jobs, newer_first);
    if (jobs_n > max)
        jobs_n = max;
    if (m->json) {
        first = json_array();
        for (size_t i = 0; i < jobs_n; i++)
            (void)json_array_append(first, jobs[i]);
        return print_json(json_pack("{s:o}", "jobs", first), e);
    }
    for (size_t i = 0; i < jobs_n; i++)
        print_job_line(
            jobs[i], base_name_of(v, n, js_str(jobs[i], "knowledge_base_id")));
    if (jobs_n == 0)
        say_note("no jobs");
    return RC_OK;
}

static rc jobs_list(struct manage *m, struct err *e)
{
    const char *base = option_text(&m->r->o, OPT_BASE);
    struct client_base *v, one;
    size_t n = 1;
    json_t *all;
    rc code;

    if (base != NULL) {
        v = &one;
        code = client_base_find(m->c, m->r->arena, str_of(base), &one, e);
    } else {
        code = client_bases(m->c, m->r->arena, &v, &n, e);
    }
    if (code != RC_OK)
        return code;
    all = json_array();
    code = collect_jobs(m, v, n, all, e);
    if (code == RC_OK)
        code = print_jobs(m, v, n, all, e);
    json_decref(all);
    return code;
}

static bool print_failed(void *arg, json_t *item)
{
    struct manage *m = arg;

    if (str_eq(js_str(item, "status"), STR("failed"))) {
        print_fmt("  failed  ");
        print_clean(js_str(item, "title"));
        print_fmt(": ");
        print_clean(js_str(item, "error_message"));
        print_fmt("\n");
        m->r->status = EXIT_PARTIAL;
    }
    return true;
}

static const char *documents_path(struct manage *m)
{
    return manage_path(m, CLIENT_K "/ingestion-jobs/", m->r->o.args[1],
                       "/documents");
}

/* The job and, for people, the documents that failed. */
static rc show_job(struct manage *m, json_t *job, struct err *e)
{
    static const char *const COUNTS[] = {"queued", "processing", "completed",
                                         "duplicate", "failed"};
    rc code;

    if (m->json)
        return print_json(job, e);
    print_job_line(job, STR_NONE);
    for (size_t i = 0; i < NELEMS(COUNTS); i++)
        print_fmt(
            "  %s %lld", COUNTS[i],
            (long long)json_integer_value(json_object_get(job, COUNTS[i])));
    print_fmt("\n");
    json_decref(job);
    code = client_each(m->c, documents_path(m), print_failed, m, e);
    m->r->status = EXIT_DONE;
    return code;
}

static rc jobs_show(struct manage *m, struct err *e)
{
    json_t *job;
    rc code = client_get(
        m->c, manage_path(m, CLIENT_K "/ingestion-jobs/", m->r->o.args[1], ""),
        &job, e);

    return code == RC_OK ? show_job(m, job, e) : code;
}

static rc jobs_retry(struct manage *m, struct err *e)
{
    json_t *answer;
    rc code = client_call(
        m->c, "POST",
        manage_path(m, CLIENT_K "/ingestion-jobs/", m->r->o.args[1], "/retry"),
        NULL, &answer, e);

    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_fmt("queued again\n");
    json_decref(answer);
    return RC_OK;
}

static rc jobs_wait(struct manage *m, struct err *e)
{
    struct job_wait w = {.ids = &m->r->o.args[1], .ids_n = 1, .refined = true};
    json_t *job = NULL;
    rc code = wait_jobs(m->c, m->r->arena, &w, e);
    bool good;

    if (code == RC_OK)
        code = client_get(
            m->c,
            manage_path(m, CLIENT_K "/ingestion-jobs/", m->r->o.args[1], ""),
            &job, e);
    if (code != RC_OK)
        return code;
    good = str_eq(js_str(job, "status"), STR("completed")) ||
           str_eq(js_str(job, "status"), STR("duplicate"));
    code = show_job(m, job, e);
    m->r->status = good ? EXIT_DONE : EXIT_PARTIAL;
    return code;
}

rc cmd_jobs(struct run *r, struct err *e)
{
    static const struct verb VERBS[] = {{"list", jobs_list, 0},
                                        {"show", jobs_show, 1},
                                        {"retry", jobs_retry, 1},
                                        {"wait", jobs_wait, 1}};

    return manage_run(r, VERBS, NELEMS(VERBS), e);
}

/* ---- keys ---- */

#define KEYS_PATH "/v1/identity/api-keys"

static rc keys_list(struct manage *m, struct err *e)
{
    json_t *keys;
    rc code = client_get(m->c, KEYS_PATH, &keys, e);

    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(json_pack("{s:o}", "keys", keys), e);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        const json_t *scopes = json_object_get(key, "scopes");

        manage_cell(js_str(key, "id"), 38);
        manage_cell(js_str(key, "key_prefix"), 17);
        manage_cell(json_is_true(json_object_get(key, "is_active"))
                        ? STR("active")
                        : STR("revoked"),
                    9);
        print_clean(js_str(key, "name"));
        for (size_t s = 0; s < json_array_size(scopes); s++)
            print_fmt("%s%s", s == 0 ? "  " : ",",
                      json_string_value(json_array_get(scopes, s)));
        print_fmt("\n");
    }
    json_decref(keys);
    return RC_OK;
}

static json_t *new_key(const struct options *o)
{
    const struct option_value *scopes = &o->v[OPT_SCOPE];
    json_t *body = json_pack("{s:s, s:s*}", "name", o->args[1], "tenant",
                             option_text(o, OPT_TENANT));
    json_t *list;

    if (body == NULL || scopes->n == 0)
        return body;
    list = json_array();
    for (size_t i = 0; i < scopes->n; i++)
        (void)json_array_append_new(list, json_string(scopes->texts[i]));
    (void)json_object_set_new(body, "scopes", list);
    return body;
}

static rc keys_add(struct manage *m, struct err *e)
{
    json_t *body = new_key(&m->r->o), *answer;
    rc code;

    if (body == NULL)
        return err_set(e, RC_INVALID, "the name is not UTF-8");
    code = client_call(m->c, "POST", "/knowd/v1/keys", body, &answer, e);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(answer, e);
    print_clean(js_str(answer, "key"));
    print_fmt("\n");
    say_note("this is the only time the key is shown");
    json_decref(answer);
    return RC_OK;
}

static rc keys_revoke(struct manage *m, struct err *e)
{
    json_t *answer;
    rc code = client_call(m->c, "DELETE",
                          manage_path(m, KEYS_PATH "/", m->r->o.args[1], ""),
                          NULL, &answer, e);

    json_decref(answer);
    if (code != RC_OK)
        return code;
    if (m->json)
        return print_json(json_pack("{s:s}", "revoked", m->r->o.args[1]), e);
    print_fmt("revoked\n");
    return RC_OK;
}

rc cmd_keys(struct run *r, struct err *e)
{
    static const struct verb VERBS[] = {{"list", keys_list, 0},
                                        {"add", keys_add, 1},
                                        {"revoke", keys_revoke, 1}};

    return manage_run(r, VERBS, NELEMS(VERBS), e);
}
