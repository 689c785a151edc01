#include "cli/client.h"

#include "base/clock.h"
#include "base/limits.h"
#include "cli/print.h"

#define TRIES_MAX 6
#define RETRY_MS_MAX 10000
#define ANSWER_BYTES_MAX (256 * MIB)
#define STALL_MS 120000 /* a base's first search may open many files */
#define PAGES_MAX 100000
#define PAGE_ITEMS 200

struct client {
    struct fetch *fetch;
    struct arena *arena; /* the command's */
    const char *url;     /* without a slash at its end */
    const char *headers[1];
    size_t headers_n;
};

rc client_open(const struct options *o, struct arena *out, struct client **c,
               struct err *e)
{
    struct client *made = ARENA_NEW(out, struct client);
    str url = option_url(o), key = option_str(o, OPT_KEY);

    *c = NULL;
    made->arena = out;
    made->url = arena_cstr(out, url);
    if (key.n > 0) {
        if (str_find_char(key, '\r') < key.n ||
            str_find_char(key, '\n') < key.n)
            return err_set(e, RC_INVALID, "the key holds a line break");
        made->headers[0] = arena_cstr(
            out, arena_fmt(out, "x-api-key: " STR_FMT, STR_ARG(key)));
        made->headers_n = 1;
    }
    if (fetch_open(&made->fetch, e) != RC_OK)
        return e->code;
    *c = made;
    return RC_OK;
}

void client_close(struct client *c)
{
    if (c != NULL)
        fetch_close(c->fetch);
}

/* ---- refusals ---- */

/* "manifest[2].file_index: Input should be …" of Pydantic's first fault. */
static void put_fault(struct buf *b, const json_t *fault)
{
    const json_t *loc = json_object_get(fault, "loc"), *step;
    bool first = true;

    for (size_t i = 0; i < json_array_size(loc); i++) {
        step = json_array_get(loc, i);
        if (json_is_integer(step))
            buf_fmt(b, "[%lld]", (long long)json_integer_value(step));
        else if (i > 0 || json_array_size(loc) == 1)
            buf_fmt(b, "%s%s", first ? "" : ".", json_string_value(step));
        first = first && i == 0;
    }
    if (json_array_size(loc) > 0)
        buf_put(b, STR(": "));
    buf_put(b, js_str(fault, "msg"));
}

static rc rc_of_status(unsigned status)
{
    switch (status) {
    case 401:
        return RC_UNAUTHENTICATED;
    case 403:
        return RC_DENIED;
    case 404:
        return RC_NOTFOUND;
    case 409:
        return RC_CONFLICT;
    case 413:
        return RC_LIMIT;
    case 429:
    case 503:
        return RC_BUSY;
    case 507:
        return RC_NOSPACE;
    default:
        return RC_REMOTE;
    }
}

rc client_refusal(unsigned status, const json_t *answer, struct err *e)
{
    const json_t *detail = json_object_get(answer, "detail");
    str message = js_str(answer, "message");
    struct buf text = {0};
    rc code = rc_of_status(status);

    if (json_array_size(detail) > 0)
        put_fault(&text, json_array_get(detail, 0));
    else if (message.n > 0)
        buf_put(&text, message);
    else if (json_is_string(detail))
        buf_fmt(&text, "%s", json_string_value(detail));
    if (status == 401)
        (void)err_set(e, code,
                      "the server wants a valid API key (--key, KNOWD_KEY, or "
                      "key in the config file): " STR_FMT,
                      STR_ARG(buf_str(&text)));
    else if (text.n > 0)
        (void)err_set(e, code, STR_FMT, STR_ARG(buf_str(&text)));
    else
        (void)err_set(e, code, "the server answers with status %u", status);
    if (e != NULL)
        e->upstream_status = (int)status;
    buf_close(&text);
    return code;
}

/* ---- requests ---- */

static bool is_busy(unsigned status)
{
    return status == 429 || status == 503;
}

static json_t *parse_answer(str body)
{
    return body.n == 0 ? NULL
                       : json_loadb(body.p, body.n, JSON_DECODE_ANY, NULL);
}

/* Runs a request, again while the server is busy; the answer's body lives in
 * `tmp`. */
static rc run(struct client *c, struct fetch_opts *o, const char *path,
              struct arena *tmp, struct fetch_answer *a, struct err *e)
{
    unsigned wait_ms = 200;
    rc code;

    o->policy = FETCH_OPERATOR;
    o->url = arena_cstr(tmp, arena_fmt(tmp, "%s%s", c->url, path));
    o->headers = c->headers;
    o->headers_n = c->headers_n;
    o->answer_bytes_max = ANSWER_BYTES_MAX;
    o->stall_ms = STALL_MS;
    for (unsigned try = 1;; try++) {
        code = fetch_run(c->fetch, o, tmp, a, e);
        if (code != RC_OK || !is_busy(a->status) || try == TRIES_MAX)
            break;
        if (a->retry_ms > wait_ms)
            wait_ms = a->retry_ms;
        clock_sleep_ms(wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX);
        wait_ms *= 2;
    }
    if (code == RC_REMOTE && e != NULL && a->status == 0)
        (void)err_wrap(e, "cannot reach the server");
    return code;
}

/* The answer of a request as JSON; one that refuses is an error. */
static rc run_json(struct client *c, struct fetch_opts *o, const char *path,
                   struct arena *tmp, json_t **answer, struct err *e)
{
    struct fetch_answer a;
    rc code = run(c, o, path, tmp, &a, e);

    *answer = NULL;
    if (code == RC_OK) {
        *answer = parse_answer(a.body);
        if (a.status >= 300)
            code = client_refusal(a.status, *answer, e);
        else if (*answer == NULL && a.body.n > 0)
            code = err_set(e, RC_REMOTE, "%.100s%.80s does not answer in JSON",
                           c->url, path);
    }
    if (code != RC_OK) {
        json_decref(*answer);
        *answer = NULL;
    }
    return code;
}

rc client_call(struct client *c, const char *method, const char *path,
               json_t *body, json_t **answer, struct err *e)
{
    struct arena *tmp = arena_open();
    struct fetch_opts o = {.method = method};
    rc code;

    if (body != NULL)
        o.body = js_text(tmp, body);
    json_decref(body);
    code = run_json(c, &o, path, tmp, answer, e);
    arena_close(tmp);
    return code;
}

rc client_put_file(struct client *c, const char *path,
                   const struct client_file *file, json_t **answer,
                   struct err *e)
{
    struct arena *tmp = arena_open();
    struct fetch_part part = {.path = file->path, .size = file->bytes};
    struct fetch_opts o = {
        .file = &part, .progress = file->progress, .arg = file->arg};
    rc code = run_json(c, &o, path, tmp, answer, e);

    arena_close(tmp);
    return code;
}

rc client_get(struct client *c, const char *path, json_t **answer,
              struct err *e)
{
    return client_call(c, "GET", path, NULL, answer, e);
}

rc client_post_form(struct client *c, const char *path, struct client_form *f,
                    struct err *e)
{
    struct arena *tmp = arena_open();
    struct fetch_opts o = {.parts = f->parts,
                           .parts_n = f->parts_n,
                           .progress = f->progress,
                           .arg = f->arg};
    struct fetch_answer a;
    rc code = run(c, &o, path, tmp, &a, e);

    f->status = a.status;
    f->part_failed = a.part_failed;
    f->answer = code == RC_OK ? parse_answer(a.body) : NULL;
    arena_close(tmp);
    return code;
}

/* Gives fn the items of one page; false: no more are wanted. */
static bool each_of_page(const json_t *page, client_item *fn, void *arg)
{
    const json_t *items = json_object_get(page, "items");

    for (size_t i = 0; i < json_array_size(items); i++) {
        if (!fn(arg, json_array_get(items, i)))
            return false;
    }
    return true;
}

rc client_each(struct client *c, const char *path, client_item *fn, void *arg,
               struct err *e)
{
    bool has_query = strchr(path, '?') != NULL, more = true;
    struct arena *tmp = arena_open();
    str cursor = STR_NONE;
    json_t *page;
    rc code = RC_OK;

    for (size_t n = 0; more && code == RC_OK && n < PAGES_MAX; n++) {
        str url = arena_fmt(tmp, "%s%climit=%d", path, has_query ? '&' : '?',
                            PAGE_ITEMS);

        if (cursor.n > 0)
            url = arena_fmt(tmp, STR_FMT "&cursor=" STR_FMT, STR_ARG(url),
                            STR_ARG(fetch_escape(tmp, cursor)));
        code = client_get(c, arena_cstr(tmp, url), &page, e);
        if (code != RC_OK)
            break;
        more = each_of_page(page, fn, arg);
        cursor = arena_str(tmp, js_str(page, "next_cursor"));
        more = more && cursor.n > 0;
        json_decref(page);
    }
    arena_close(tmp);
    return code;
}

/* ---- bases ---- */

struct base_list {
    struct arena *out;
    struct client_base *v;
    size_t n, cap;
};

static struct client_base base_of(struct arena *out, const json_t *item)
{
    return (struct client_base){
        .id = arena_str(out, js_str(item, "id")),
        .name = arena_str(out, js_str(item, "name")),
        .model = arena_str(out, js_str(item, "embedding_model")),
        .documents =
            json_integer_value(json_object_get(item, "document_count")),
        .model_missing =
            str_eq(js_str(item, "embedding_status"), STR("missing"))};
}

static bool take_base(void *arg, json_t *item)
{
    struct base_list *list = arg;

    ARENA_PUSH(list->out, list->v, list->n, list->cap,
               base_of(list->out, item));
    return list->n < CLIENT_BASES_MAX;
}

rc client_bases(struct client *c, struct arena *out, struct client_base **v,
                size_t *n, struct err *e)
{
    struct base_list list = {.out = out};
    rc code = client_each(c, CLIENT_K "/knowledge-bases", take_base, &list, e);

    *v = list.v;
    *n = list.n;
    return code;
}

rc client_base_find(struct client *c, struct arena *out, str name,
                    struct client_base *b, struct err *e)
{
    struct client_base *v;
    size_t n, found = 0;
    json_t *answer;
    uuid id;
    rc code;

    if (uuid_parse(name, STR("kb"), &id, out, NULL)) {
        str path = arena_fmt(out, CLIENT_K "/knowledge-bases/" STR_FMT,
                             STR_ARG(uuid_str(out, id)));

        code = client_get(c, arena_cstr(out, path), &answer, e);
        if (code == RC_OK)
            *b = base_of(out, answer);
        json_decref(answer);
        return code;
    }
    code = client_bases(c, out, &v, &n, e);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i].name, name)) {
            *b = v[i];
            found++;
        }
    }
    if (code != RC_OK)
        return code;
    if (found == 0)
        return err_set(e, RC_NOTFOUND,
                       "there is no base " STR_FMT " (see: knowd bases)",
                       STR_ARG(name));
    if (found > 1)
        return err_set(e, RC_CONFLICT,
                       "%zu bases are called " STR_FMT ": name one by its id",
                       found, STR_ARG(name));
    return RC_OK;
}

/* ---- search ---- */

static str base_name(const struct client_base *bases, size_t n, str id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(bases[i].id, id))
            return bases[i].name;
    return id;
}

void client_notices_say(const struct client_base *bases, size_t bases_n,
                        const json_t *answer)
{
    const json_t *notices = json_object_get(answer, "notices");

    for (size_t i = 0; i < json_array_size(notices); i++) {
        const json_t *notice = json_array_get(notices, i);

        say_note(STR_FMT ": " STR_FMT,
                 STR_ARG(base_name(bases, bases_n, js_str(notice, "kb_id"))),
                 STR_ARG(js_str(notice, "message")));
    }
}

void client_alpha_set(json_t *body, double alpha)
{
    (void)json_object_del(body, "alpha");
    (void)json_object_del(body, "legs");
    if (alpha <= 0)
        (void)json_object_set_new(body, "legs", json_string("lexical"));
    else
        (void)json_object_set_new(body, "alpha", json_real(alpha));
}

json_t *client_search_request(const struct client_base *bases, size_t bases_n,
                              str query)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < bases_n; i++)
        (void)json_array_append_new(ids,
                                    json_stringn(bases[i].id.p, bases[i].id.n));
    return json_pack("{s:o, s:o}", "query", js_of_str(query), "kb_ids", ids);
}
