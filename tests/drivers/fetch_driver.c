/*
 * fetch_driver: net/fetch asked line by line, for tests/e2e/test_outgoing.py.
 *
 *   fetch_driver [NETWORK]…     networks that are allowed beside public ones
 *
 * A line is a URL (a JSON string) or an object: url, bytes_max, timeout_ms,
 * stall_ms, bytes_per_s, etag, last_modified, operator; or url and download, a
 * path. The answer is an object in a line.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/download.h"
#include "net/fetch.h"

#define LINE_BYTES_MAX ((size_t)64 << 10)
#define NETS_MAX 16

static const char *const FAULTS[] = {[FETCH_FINE] = "fine",
                                     [FETCH_BAD_URL] = "bad url",
                                     [FETCH_FORBIDDEN] = "forbidden",
                                     [FETCH_UNRESOLVED] = "unresolved",
                                     [FETCH_REFUSED] = "refused",
                                     [FETCH_BAD_TLS] = "bad tls",
                                     [FETCH_TIMED_OUT] = "timed out",
                                     [FETCH_TOO_LARGE] = "too large",
                                     [FETCH_REDIRECTS] = "redirects",
                                     [FETCH_BROKEN] = "broken",
                                     [FETCH_OURS] = "ours"};

struct driver {
    struct fetch *f;
    struct addr_net nets[NETS_MAX];
    struct addr_nets allowed;
};

static str text_at(const json_t *line, const char *name)
{
    return str_of(json_string_value(json_object_get(line, name)));
}

static unsigned number_at(const json_t *line, const char *name)
{
    return (unsigned)json_integer_value(json_object_get(line, name));
}

static struct fetch_opts opts_of(struct driver *d, const json_t *line)
{
    bool is_operator = json_is_true(json_object_get(line, "operator"));

    return (struct fetch_opts){
        .policy = is_operator ? FETCH_OPERATOR : FETCH_PUBLIC,
        .url = json_is_string(line) ? json_string_value(line)
                                    : text_at(line, "url").p,
        .allowed = &d->allowed,
        .etag = text_at(line, "etag"),
        .last_modified = text_at(line, "last_modified"),
        .answer_bytes_max = number_at(line, "bytes_max"),
        .timeout_ms = number_at(line, "timeout_ms"),
        .stall_ms = number_at(line, "stall_ms"),
        .bytes_per_s = number_at(line, "bytes_per_s")};
}

static json_t *js(str s)
{
    json_t *v = json_stringn(s.n == 0 ? "" : s.p, s.n);

    return v != NULL ? v : json_string("?"); /* no UTF-8 */
}

static void say(json_t *said)
{
    (void)json_dumpf(said, stdout, JSON_COMPACT);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
    json_decref(said);
}

static void run_download(struct driver *d, const json_t *line)
{
    struct download o = {.url = text_at(line, "url").p,
                         .path = text_at(line, "download").p,
                         .bytes_max = number_at(line, "bytes_max")};
    struct err e = {.code = RC_OK};
    rc code = download_run(d->f, &o, &e);

    say(json_pack("{s:s, s:s}", "rc", rc_name(code), "text",
                  code == RC_OK ? "" : e.text));
}

static void run(struct driver *d, const json_t *line)
{
    struct fetch_opts o = opts_of(d, line);
    struct arena *a = arena_open();
    int64_t began = clock_mono_ns();
    struct err e = {.code = RC_OK};
    struct fetch_answer answer;
    json_t *said;
    rc code;

    code = fetch_run(d->f, &o, a, &answer, &e);
    said = json_pack(
        "{s:s, s:s, s:i, s:i, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}",
        "rc", rc_name(code), "fault", FAULTS[answer.fault], "status",
        (int)answer.status, "hops", (int)answer.hops, "moved", answer.moved,
        "retry_ms", (json_int_t)answer.retry_ms, "body_bytes",
        (json_int_t)answer.body.n, "ms",
        (json_int_t)((clock_mono_ns() - began) / 1000000), "url",
        js(answer.url), "content_type", js(answer.content_type), "etag",
        js(answer.etag), "last_modified", js(answer.last_modified), "text",
        js(code == RC_OK ? STR_NONE : str_of(e.text)));
    say(said);
    arena_close(a);
}

int main(int argc, char **argv)
{
    static char text[LINE_BYTES_MAX];
    struct driver d = {.f = NULL};
    struct err e;

    d.allowed.v = d.nets;
    for (int i = 1; i < argc && d.allowed.n < NETS_MAX; i++) {
        if (addr_net_parse(str_of(argv[i]), &d.nets[d.allowed.n++], &e) !=
            RC_OK) {
            (void)fprintf(stderr, "%s\n", e.text);
            return 2;
        }
    }
    if (fetch_open(&d.f, &e) != RC_OK)
        return 1;
    while (fgets(text, (int)sizeof text, stdin) != NULL) {
        json_t *line = json_loads(text, JSON_DECODE_ANY, NULL);

        ASSERT(line != NULL);
        if (json_object_get(line, "download") != NULL)
            run_download(&d, line);
        else
            run(&d, line);
        json_decref(line);
    }
    fetch_close(d.f);
    return 0;
}
