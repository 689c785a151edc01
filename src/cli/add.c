/* add: files, folders and web pages to a base, in requests within the
 * limits. */
#include <stdio.h>

#include "base/limits.h"
#include "base/map.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/wait.h"
#include "cli/walk.h"

/* What one request carries at most; a file larger than that goes alone. */
#define BATCH_ITEMS_MAX 1000
#define BATCH_FILES_MAX (MULTIPART_PARTS_MAX - 1) /* and the manifest */
#define BATCH_BYTES_MAX (8 * MIB)
#define BATCH_URLS_MAX 1000
/* JSON may write each character of a text as six. */
#define LINE_BYTES_MAX (6 * INLINE_CONTENT_BYTES_MAX)
#define DEFAULT_BASE "default"

/* One document to be: a manifest item, and the file where it is one. */
struct item {
    json_t *json;     /* owned; without file_index */
    str label;        /* path, or path:line */
    const char *path; /* NULL: the text stands in the manifest */
    uint64_t bytes;
    bool failed;
};

/* What came of a document that was queued. */
struct queued {
    str document, label;
};

struct adding {
    struct run *r;
    struct client *c;
    struct client_base base;
    const char *ingest_path;
    struct item batch[BATCH_ITEMS_MAX];
    size_t batch_n, batch_files;
    uint64_t batch_bytes;
    uint64_t bytes_done, bytes_all; /* for the bar */
    json_t *failed, *skipped;       /* lists of {path, reason} */
    struct queued *queued;
    size_t queued_n, queued_cap;
    const char **jobs;
    size_t jobs_n, jobs_cap;
    uint64_t duplicates, duplicates_in_jobs, unchanged;
    size_t failed_later; /* of those queued */
    const char **urls;
    size_t urls_n;
};

/* ---- what did not go in ---- */

static void note(json_t *list, str path, str reason)
{
    (void)json_array_append_new(list,
                                json_pack("{s:o, s:o}", "path", js_of_str(path),
                                          "reason", js_of_str(reason)));
}

static void fail(struct adding *a, str path, str reason)
{
    note(a->failed, path, reason);
    a->r->status = EXIT_PARTIAL;
}

static void fail_item(struct adding *a, struct item *item, str reason)
{
    if (!item->failed)
        fail(a, item->label, reason);
    item->failed = true;
}

static void on_skip(void *arg, const char *path, const char *reason,
                    bool wanted)
{
    struct adding *a = arg;

    if (wanted)
        fail(a, str_of(path), str_of(reason));
    else
        note(a->skipped, str_of(path), str_of(reason));
}

/* ---- sending ---- */

static bool on_sent(void *arg, uint64_t sent)
{
    struct adding *a = arg;

    progress_show("adding", a->bytes_done + sent, a->bytes_all);
    return true;
}

/* The manifest of the items of [from, end) that have not failed, and the parts
 * of the form: the manifest first. at[i] is the item behind manifest index i.*/
struct form {
    struct fetch_part *parts;
    size_t parts_n;
    size_t *at;
    size_t n;
    size_t *part_item; /* the item behind a part */
};

static struct form make_form(struct adding *a, size_t from, size_t end,
                             struct arena *tmp)
{
    struct form f = {.parts =
                         ARENA_ARRAY(tmp, struct fetch_part, end - from + 1),
                     .parts_n = 1,
                     .at = ARENA_ARRAY(tmp, size_t, end - from),
                     .part_item = ARENA_ARRAY(tmp, size_t, end - from + 1)};
    json_t *manifest = json_array();

    for (size_t i = from; i < end; i++) {
        struct item *item = &a->batch[i];

        if (item->failed)
            continue;
        if (item->path != NULL) {
            const char *name = strrchr(item->path, '/');

            (void)json_object_set_new(item->json, "file_index",
                                      json_integer((json_int_t)f.parts_n - 1));
            f.part_item[f.parts_n] = i;
            f.parts[f.parts_n++] = (struct fetch_part){
                .name = STR("files"),
                .path = item->path,
                .size = item->bytes,
                .filename = str_of(name == NULL ? item->path : name + 1)};
        }
        (void)json_array_append(manifest, item->json);
        f.at[f.n++] = i;
    }
    f.parts[0] = (struct fetch_part){.name = STR("manifest"),
                                     .bytes = js_text(tmp, manifest)};
    json_decref(manifest);
    return f;
}

static void take_results(struct adding *a, const struct form *f,
                         const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    struct arena *out = a->r->arena;

    ARENA_PUSH(out, a->jobs, a->jobs_n, a->jobs_cap,
               arena_cstr(out, js_str(answer, "ingestion_job_id")));
    for (size_t i = 0; i < json_array_size(items) && i < f->n; i++) {
        const json_t *item = json_array_get(items, i);

        if (str_eq(js_str(item, "result"), STR("duplicate"))) {
            a->duplicates++;
            a->duplicates_in_jobs++;
            continue;
        }
        ARENA_PUSH(out, a->queued, a->queued_n, a->queued_cap,
                   ((struct queued){arena_str(out, js_str(item, "document_id")),
                                    a->batch[f->at[i]].label}));
    }
}

/* Fails the items that a 422 names by ["body", "manifest", index, …]; false:
 * it names none. */
static bool take_faults(struct adding *a, const struct form *f,
                        const json_t *answer)
{
    const json_t *detail = json_object_get(answer, "detail");
    bool any = false;

    for (size_t i = 0; i < json_array_size(detail); i++) {
        const json_t *fault = json_array_get(detail, i);
        const json_t *loc = json_object_get(fault, "loc");
        const json_t *index = json_array_get(loc, 2);
        json_int_t at = json_integer_value(index);

        if (!json_is_integer(index) || at < 0 || (size_t)at >= f->n)
            continue;
        fail_item(a, &a->batch[f->at[at]], js_str(fault, "msg"));
        any = true;
    }
    return any;
}

/* What a request came to: is a part of the range still to be sent? */
enum sent { SENT_DONE, SENT_AGAIN, SENT_HALVES };

/* Handles the answer of a request for `f`. A refusal of one document is that
 * document's failure; one of all of them ends the command. */
static rc take_answer(struct adding *a, const struct form *f,
                      const struct client_form *form, enum sent *sent,
                      struct err *e)
{
    struct err why;

    *sent = SENT_DONE;
    if (form->status < 300) {
        take_results(a, f, form->answer);
        return RC_OK;
    }
    (void)client_refusal(form->status, form->answer, &why);
    if (form->status == 422 && take_faults(a, f, form->answer)) {
        *sent = SENT_AGAIN;
        return RC_OK;
    }
    if (form->status != 413 && form->status != 422 && form->status != 400) {
        *e = why;
        return why.code;
    }
    if (f->n > 1)
        *sent = SENT_HALVES;
    else
        fail_item(a, &a->batch[f->at[0]], str_of(why.text));
    return RC_OK;
}

static rc send_once(struct adding *a, size_t from, size_t end, enum sent *sent,
                    struct err *e)
{
    struct arena *tmp = arena_open();
    struct form f = make_form(a, from, end, tmp);
    struct client_form form = {
        .parts = f.parts, .parts_n = f.parts_n, .progress = on_sent, .arg = a};
    struct err why = {0};
    rc code = RC_OK;

    *sent = SENT_DONE;
    if (f.n == 0)
        goto done;
    code = client_post_form(a->c, a->ingest_path, &form, &why);
    if (code == RC_IO && form.part_failed < f.parts_n) {
        fail_item(a, &a->batch[f.part_item[form.part_failed]],
                  str_of(why.text));
        *sent = SENT_AGAIN;
        code = RC_OK;
    } else if (code == RC_OK) {
        code = take_answer(a, &f, &form, sent, e);
    } else {
        *e = why;
    }
    json_decref(form.answer);
done:
    arena_close(tmp);
    return code;
}

/* Sends the batch; ranges that are refused as a whole are halved until the
 * documents that cause it stand alone. */
static rc flush(struct adding *a, struct err *e)
{
    struct {
        size_t from, end;
    } todo[BATCH_ITEMS_MAX];
    size_t n = 0;
    rc code = RC_OK;

    if (a->batch_n > 0) {
        todo[n].from = 0;
        todo[n++].end = a->batch_n;
    }
    while (n > 0 && code == RC_OK) {
        size_t from = todo[n - 1].from, end = todo[n - 1].end;
        enum sent sent;

        code = send_once(a, from, end, &sent, e);
        if (sent == SENT_AGAIN)
            continue;
        n--;
        if (sent == SENT_HALVES) {
            todo[n].from = from + (end - from) / 2;
            todo[n++].end = end;
            todo[n].from = from;
            todo[n++].end = from + (end - from) / 2;
        }
    }
    for (size_t i = 0; i < a->batch_n; i++)
        json_decref(a->batch[i].json);
    a->bytes_done += a->batch_bytes;
    a->batch_n = a->batch_files = 0;
    a->batch_bytes = 0;
    return code;
}

/* Puts an item into the batch (whose json it takes), which is sent before
 * where it has no room. */
static rc put(struct adding *a, struct item item, struct err *e)
{
    rc code = RC_OK;

    if (a->batch_n == BATCH_ITEMS_MAX ||
        (item.path != NULL && a->batch_files == BATCH_FILES_MAX) ||
        (a->batch_n > 0 && a->batch_bytes + item.bytes > BATCH_BYTES_MAX))
        code = flush(a, e);
    if (code != RC_OK) {
        json_decref(item.json);
        return code;
    }
    a->batch[a->batch_n++] = item;
    a->batch_files += item.path != NULL;
    a->batch_bytes += item.bytes;
    return RC_OK;
}

/* ---- documents ---- */

/* A title of at most TITLE_CHARS_MAX characters, its end kept: of a path that
 * says most. */
static str short_title(str title)
{
    size_t from = title.n, chars = 0;

    while (from > 0 && chars < TITLE_CHARS_MAX) {
        from--;
        chars += ((unsigned char)title.p[from] & 0xc0) != 0x80;
    }
    return str_sub(title, from, title.n);
}

static rc add_file(struct adding *a, const struct walk_file *f, struct err *e)
{
    struct item item = {
        .label = str_of(f->path), .path = f->path, .bytes = f->size};

    item.json = json_pack("{s:s, s:o}", "type", "file", "title",
                          js_of_str(short_title(f->title)));
    return put(a, item, e);
}

/* _id as text: BEIR writes strings, others numbers. */
static str line_id(struct arena *tmp, const json_t *line)
{
    const json_t *id = json_object_get(line, "_id");

    return json_is_integer(id)
               ? arena_fmt(tmp, "%lld", (long long)json_integer_value(id))
               : js_str(line, "_id");
}

/* The manifest item of a line; NULL: *reason says why not. */
static json_t *item_of_line(const json_t *line, str label, struct arena *tmp,
                            const char **reason)
{
    str title = js_str(line, "title"), text = js_str(line, "text");
    json_t *metadata = json_object_get(line, "metadata"), *item;
    str id = line_id(tmp, line);

    *reason = "the line is not a JSON object";
    if (!json_is_object(line))
        return NULL;
    *reason = "neither title nor text";
    if (str_blank(title) && str_blank(text))
        return NULL;
    *reason = "metadata is not an object";
    if (metadata != NULL && !json_is_object(metadata) &&
        !json_is_null(metadata))
        return NULL;
    *reason = "_id is neither text nor a whole number";
    if (id.n == 0 && json_object_get(line, "_id") != NULL)
        return NULL;
    if (str_blank(text))
        text = title;
    if (str_blank(title))
        title = id.n > 0 ? id : short_title(label);
    item = json_pack("{s:s, s:o, s:o}", "type", "text", "title",
                     js_of_str(title), "content", js_of_str(text));
    if (id.n > 0)
        (void)json_object_set_new(item, "external_id", js_of_str(id));
    if (json_is_object(metadata))
        (void)json_object_set(item, "metadata", metadata);
    return item;
}

static rc add_line(struct adding *a, const char *path, unsigned number,
                   str text, bool too_long, struct err *e)
{
    static const struct js_limits LIMITS = {.string_bytes_max = LINE_BYTES_MAX};
    str label = arena_fmt(a->r->arena, "%s:%u", path, number);
    struct item item = {.label = label, .bytes = text.n};
    const char *reason = "the line is too long";
    struct arena *tmp;
    struct err why;
    json_t *line;
    size_t offset;
    rc code = RC_OK;

    if (too_long) {
        fail(a, label, str_of(reason));
        return RC_OK;
    }
    if (js_parse(text, LIMITS, &line, &offset, &why) != RC_OK) {
        fail(a, label, str_of(why.text));
        return RC_OK;
    }
    tmp = arena_open();
    item.json = item_of_line(line, label, tmp, &reason);
    if (item.json == NULL)
        fail(a, label, str_of(reason));
    else
        code = put(a, item, e);
    arena_close(tmp);
    json_decref(line);
    return code;
}

static rc add_lines(struct adding *a, const struct walk_file *f, struct err *e)
{
    struct lines l = {0};
    struct err why;
    bool too_long, more = true;
    str line;
    rc code = RC_OK;

    if (lines_open(&l, f->path, LINE_BYTES_MAX, &why) != RC_OK) {
        fail(a, str_of(f->path), str_of(why.text));
        return RC_OK;
    }
    while (code == RC_OK) {
        if (lines_next(&l, &line, &too_long, &more, &why) != RC_OK) {
            fail(a, str_of(f->path), str_of(why.text));
            break;
        }
        if (!more)
            break;
        if (too_long || !str_blank(line))
            code = add_line(a, f->path, l.number, line, too_long, e);
    }
    lines_close(&l);
    return code;
}

/* ---- web pages ---- */

static bool is_url(const char *s)
{
    return str_starts(str_of(s), STR("http://")) ||
           str_starts(str_of(s), STR("https://"));
}

static void take_urls(struct adding *a, const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    struct arena *out = a->r->arena;
    str job = js_str(answer, "job_id");

    if (job.n > 0)
        ARENA_PUSH(out, a->jobs, a->jobs_n, a->jobs_cap, arena_cstr(out, job));
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        str url = arena_str(out, js_str(item, "url")),
            status = js_str(item, "status");

        if (str_eq(status, STR("queued")))
            ARENA_PUSH(out, a->queued, a->queued_n, a->queued_cap,
                       ((struct queued){
                           arena_str(out, js_str(item, "document_id")), url}));
        else if (str_eq(status, STR("refused")))
            fail(a, url, js_str(item, "reason"));
        else
            a->duplicates++;
    }
}

/* The server fetches them. */
static rc add_urls(struct adding *a, struct err *e)
{
    const char *path = arena_cstr(
        a->r->arena, arena_fmt(a->r->arena, "/knowd/v1/bases/" STR_FMT "/urls",
                               STR_ARG(a->base.id)));
    rc code = RC_OK;

    for (size_t i = 0; i < a->urls_n && code == RC_OK; i += BATCH_URLS_MAX) {
        json_t *urls = json_array(), *answer = NULL;

        for (size_t k = i; k < a->urls_n && k < i + BATCH_URLS_MAX; k++)
            (void)json_array_append_new(
                urls, json_pack("{s:o}", "url", js_of_str(str_of(a->urls[k]))));
        code = client_call(a->c, "POST", path, json_pack("{s:o}", "urls", urls),
                           &answer, e);
        if (code == RC_OK)
            take_urls(a, answer);
        json_decref(answer);
    }
    return code;
}

/* ---- afterwards ---- */

struct blame {
    struct adding *a;
    struct map *labels; /* document id to index of queued */
};

static bool blame_failed(void *arg, json_t *item)
{
    struct blame *b = arg;
    str id = js_str(item, "document_id"), reason;
    const uint64_t *at = map_find(b->labels, id);

    if (str_eq(js_str(item, "status"), STR("failed"))) {
        reason = js_str(item, "error_message");
        b->a->failed_later++;
        fail(b->a, at == NULL ? js_str(item, "title") : b->a->queued[*at].label,
             reason.n > 0 ? reason : STR("failed"));
    }
    return true;
}

/* Names the documents that failed on the server by the paths they came from.*/
static rc name_failures(struct adding *a, struct err *e)
{
    struct blame b = {a, map_open()};
    rc code = RC_OK;

    for (size_t i = 0; i < a->queued_n; i++)
        *map_slot(b.labels, a->queued[i].document, NULL) = i;
    for (size_t i = 0; i < a->jobs_n && code == RC_OK; i++) {
        str path = arena_fmt(
            a->r->arena, CLIENT_K "/ingestion-jobs/%s/documents", a->jobs[i]);

        code = client_each(a->c, arena_cstr(a->r->arena, path), blame_failed,
                           &b, e);
    }
    map_close(b.labels);
    return code;
}

static rc wait_for_all(struct adding *a, struct err *e)
{
    struct job_wait w = {
        .ids = a->jobs,
        .refined = strcmp(option_text(&a->r->o, OPT_WAIT), "refined") == 0,
        .ids_n = a->jobs_n,
        .documents = a->queued_n + a->duplicates};
    rc code;

    if (strcmp(option_text(&a->r->o, OPT_WAIT), "none") == 0)
        return RC_OK;
    code = wait_jobs(a->c, a->r->arena, &w, e);
    if (w.duplicate > a->duplicates_in_jobs) /* pages as they were */
        a->unchanged = w.duplicate - a->duplicates_in_jobs;
    if (code == RC_OK && w.failed > 0)
        code = name_failures(a, e);
    return code;
}

static void print_named(const json_t *list, const char *what)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        say_note("%s %s: %s", what,
                 json_string_value(json_object_get(one, "path")),
                 json_string_value(json_object_get(one, "reason")));
    }
}

static rc print_json_result(struct adding *a, struct err *e)
{
    json_t *jobs = json_array();

    for (size_t i = 0; i < a->jobs_n; i++)
        (void)json_array_append_new(jobs, json_string(a->jobs[i]));
    return print_json(
        json_pack("{s:s%, s:o, s:I, s:I, s:O, s:O}", "base_id", a->base.id.p,
                  a->base.id.n, "job_ids", jobs, "queued",
                  (json_int_t)(a->queued_n - a->unchanged), "duplicate",
                  (json_int_t)(a->duplicates + a->unchanged), "failed",
                  a->failed, "skipped", a->skipped),
        e);
}

static rc print_result(struct adding *a, struct err *e)
{
    bool waited = strcmp(option_text(&a->r->o, OPT_WAIT), "none") != 0;
    size_t failed = json_array_size(a->failed);
    uint64_t there = a->duplicates + a->unchanged;

    print_named(a->skipped, "skipped");
    print_named(a->failed, "failed");
    if (option_flag(&a->r->o, OPT_JSON))
        return print_json_result(a, e);
    print_clean(a->base.name);
    print_fmt(": %zu %s", a->queued_n - (size_t)a->unchanged - a->failed_later,
              waited ? "added" : "queued");
    if (there > 0)
        print_fmt(", %llu already there", (unsigned long long)there);
    if (failed > 0)
        print_fmt(", %zu failed", failed);
    print_fmt("\n");
    return RC_OK;
}

/* ---- the command ---- */

static rc make_base(struct adding *a, const char *name, struct err *e)
{
    json_t *answer;
    rc code = client_call(a->c, "POST", CLIENT_K "/knowledge-bases",
                          json_pack("{s:o}", "name", js_of_str(str_of(name))),
                          &answer, e);

    if (code != RC_OK)
        return code;
    a->base.id = arena_str(a->r->arena, js_str(answer, "id"));
    a->base.name = arena_str(a->r->arena, js_str(answer, "name"));
    json_decref(answer);
    return RC_OK;
}

/* A name that is new makes a base; an id that is unknown does not. */
static rc find_base(struct adding *a, struct err *e)
{
    const char *name = option_text(&a->r->o, OPT_BASE);
    uuid id;
    rc code;

    if (name == NULL)
        name = DEFAULT_BASE;
    code = client_base_find(a->c, a->r->arena, str_of(name), &a->base, e);
    if (code == RC_NOTFOUND &&
        !uuid_parse(str_of(name), STR("kb"), &id, a->r->arena, NULL))
        code = make_base(a, name, e);
    if (code != RC_OK)
        return code;
    a->ingest_path = arena_cstr(
        a->r->arena,
        arena_fmt(a->r->arena, CLIENT_K "/knowledge-bases/" STR_FMT "/ingest",
                  STR_ARG(a->base.id)));
    return RC_OK;
}

static rc add_all(struct adding *a, const struct walk *w, struct err *e)
{
    rc code = RC_OK;

    for (size_t i = 0; i < w->n; i++)
        a->bytes_all += w->v[i].size;
    for (size_t i = 0; i < w->n && code == RC_OK; i++)
        code = w->v[i].lines ? add_lines(a, &w->v[i], e)
                             : add_file(a, &w->v[i], e);
    if (code == RC_OK)
        code = flush(a, e);
    if (code == RC_OK)
        code = add_urls(a, e);
    progress_clear();
    return code == RC_OK ? wait_for_all(a, e) : code;
}

static rc add(struct adding *a, struct err *e)
{
    struct walk w = {.out = a->r->arena, .skip = on_skip, .arg = a};
    struct err other;
    rc code = client_open(&a->r->o, a->r->arena, &a->c, e);

    a->urls = ARENA_ARRAY(a->r->arena, const char *, a->r->o.args_n);
    for (size_t i = 0; i < a->r->o.args_n && code == RC_OK; i++) {
        if (is_url(a->r->o.args[i]))
            a->urls[a->urls_n++] = a->r->o.args[i];
        else
            code = walk_path(&w, a->r->o.args[i], e);
    }
    if (code == RC_OK)
        code = find_base(a, e);
    if (code != RC_OK)
        return code;
    code = add_all(a, &w, e);
    /* What went in before the trouble is told too. */
    if (code == RC_OK)
        return print_result(a, e);
    if (print_result(a, &other) != RC_OK)
        return other.code;
    return code;
}

rc cmd_add(struct run *r, struct err *e)
{
    struct adding *a = ARENA_NEW(r->arena, struct adding);
    rc code;

    a->r = r;
    a->failed = json_array();
    a->skipped = json_array();
    code = add(a, e);
    for (size_t i = 0; i < a->batch_n; i++)
        json_decref(a->batch[i].json);
    json_decref(a->failed);
    json_decref(a->skipped);
    client_close(a->c);
    return code;
}
