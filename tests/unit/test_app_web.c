/* URLs to documents: queued, fetched from a server of this process, looked at
 * again, failed, and what a stop leaves behind. */
#include "app_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/fetcher_priv.h"
#include "app/hub.h"
#include "app/web.h"

/* ---- a site ---- */

#define CONNECTIONS_MAX 64

struct site {
    int fd;
    unsigned port;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint asked, not_modified, edition, flaky;
    atomic_bool lost, empty; /* /turns answers 404, or without words */
    atomic_bool busy;        /* /later says so; else it hangs */
    atomic_bool freed;       /* what hangs is told that it is gone */
    atomic_size_t kept_most; /* hung at once */
};

static str body_of(struct site *s, str path, struct arena *tmp)
{
    if (s->empty)
        return STR("<html><head><title>None</title></head><body></body>"
                   "</html>");
    return arena_fmt(tmp,
                     "<html lang=en><head><title>About " STR_FMT "</title>"
                     "</head><body><main><h1>A heading</h1><p>Edition %u of "
                     "what the page " STR_FMT " tells about the marble "
                     "quarries of the island.</p></main></body></html>",
                     STR_ARG(path), s->edition, STR_ARG(path));
}

static str page_of(struct site *s, str path, str request, struct arena *tmp)
{
    unsigned edition = s->edition;
    str etag = arena_fmt(tmp, "\"%u\"", edition), body;

    if (str_eq(path, STR("/gone")))
        return STR("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n");
    if (str_eq(path, STR("/turns")) && s->lost)
        return STR("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n");
    if (str_eq(path, STR("/flaky")) && s->flaky++ == 0)
        return STR("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n"
                   "Connection: close\r\n\r\n");
    if (str_starts(path, STR("/to-hangs")))
        return arena_fmt(tmp,
                         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u"
                         "/hangs\r\nContent-Length: 0\r\nConnection: close"
                         "\r\n\r\n",
                         s->port);
    if (str_eq(path, STR("/later")))
        return STR("HTTP/1.1 503 Busy\r\nRetry-After: 55\r\n"
                   "Content-Length: 0\r\nConnection: close\r\n\r\n");
    if (str_find(request, arena_fmt(tmp, "If-None-Match: " STR_FMT,
                                    STR_ARG(etag))) < request.n) {
        s->not_modified++;
        return STR("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
    }
    body = body_of(s, path, tmp);
    return arena_fmt(tmp,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                     "ETag: " STR_FMT "\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n" STR_FMT,
                     STR_ARG(etag), body.n, STR_ARG(body));
}

/* One request of a connection; false: it is to be kept without an answer. */
static bool site_answer(struct site *s, int c)
{
    struct arena *tmp = arena_open();
    char *to = arena_alloc(tmp, 8192);
    size_t n = 0;
    ssize_t got = 1;
    str request = {to, 0}, path, rest, answer;
    bool hangs;

    while (got > 0 && n < 8192 &&
           str_find(request, STR("\r\n\r\n")) == request.n) {
        got = recv(c, to + n, 8192 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        request.n = n;
    }
    (void)str_cut(str_sub(request, 4, request.n), ' ', &path, &rest);
    s->asked++;
    hangs = str_eq(path, STR("/hangs")) ||
            (str_eq(path, STR("/later")) && !s->busy);
    answer = hangs ? STR("") : page_of(s, path, request, tmp);
    (void)send(c, answer.p, answer.n, MSG_NOSIGNAL);
    arena_close(tmp);
    return !hangs;
}

static void site_free(int *kept, size_t *n)
{
    static const str GONE = STR_INIT("HTTP/1.1 410 Gone\r\n"
                                     "Content-Length: 0\r\n"
                                     "Connection: close\r\n\r\n");

    while (*n > 0) {
        (void)send(kept[--*n], GONE.p, GONE.n, MSG_NOSIGNAL);
        (void)close(kept[*n]);
    }
}

static void *site_serve(void *arg)
{
    struct site *s = arg;
    struct pollfd at = {.fd = s->fd, .events = POLLIN};
    int kept[CONNECTIONS_MAX];
    size_t n = 0;

    while (!s->stop) {
        int c;

        if (s->freed)
            site_free(kept, &n);
        if (poll(&at, 1, 5) != 1)
            continue;
        c = accept(s->fd, NULL, NULL);
        if (site_answer(s, c) || n == CONNECTIONS_MAX)
            (void)close(c);
        else
            kept[n++] = c;
        if (n > s->kept_most)
            s->kept_most = n;
    }
    while (n > 0)
        (void)close(kept[--n]);
    return NULL;
}

static void site_open(struct site *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof at;

    *s = (struct site){.edition = 1};
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_ANY); /* 127.0.0.2 is another host */
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, site_serve, s), 0);
}

static void site_close(struct site *s)
{
    s->stop = true;
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
}

/* ---- the app beside it ---- */

struct wx {
    struct fx *fx;
    struct site site;
    uuid base;
};

static void web_start(struct fx *f)
{
    static const char *const NETS[] = {"127.0.0.0/8"};
    struct err e = {0};
    str made;

    fx_ok(app_open(&(struct app_opts){.dir = f->dir,
                                      .workers = 2,
                                      .admin_key = STR(FX_KEY),
                                      .public_url = STR("http://h:1/"),
                                      .allow_nets = NETS,
                                      .allow_nets_n = 1},
                   f->out, &f->app, &made, &e),
          &e);
}

static int web_open(void **state)
{
    static struct wx w;
    void *fx = NULL;

    if (fx_open(&fx) != 0)
        return 1;
    w.fx = fx;
    fx_stop(w.fx);
    web_start(w.fx);
    site_open(&w.site);
    w.base = fx_base(w.fx);
    *state = &w;
    return 0;
}

static int web_close(void **state)
{
    struct wx *w = *state;
    void *fx = w->fx;

    site_close(&w->site);
    return fx_close(&fx);
}

/* ---- words ---- */

struct adding {
    uuid base, job;
    struct url_in *in;
    size_t n, queued;
    struct url_added *added;
};

static rc adding_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct adding *a = arg;

    return app_urls_add(f->app, &f->who, db, a->base, a->in, a->n, f->out,
                        &a->added, &a->job, &a->queued, e);
}

static str url_of(const struct wx *w, const char *path)
{
    return arena_fmt(w->fx->out, "http://127.0.0.1:%u%s", w->site.port, path);
}

static struct adding add_urls(struct wx *w, struct url_in *in, size_t n)
{
    struct adding a = {.base = w->base, .in = in, .n = n};
    struct err e = {0};

    fx_ok(fx_write(w->fx, adding_op, &a, &e), &e);
    return a;
}

static struct adding add_one(struct wx *w, const char *path)
{
    struct url_in in = {.url = url_of(w, path)};

    return add_urls(w, &in, 1);
}

struct looking {
    uuid job, document;
    struct job j;
    struct document d;
    struct version *versions;
    size_t versions_n;
};

static rc job_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct looking *l = arg;

    return app_job_get(f->app, &f->who, db, l->job, f->out, &l->j, e);
}

static struct job job_ended(struct wx *w, uuid job)
{
    struct looking l = {.job = job};
    int64_t until = clock_mono_ns() + FX_WAIT_NS;
    struct err e = {0};

    do {
        fx_ok(fx_read(w->fx, job_op, &l, &e), &e);
        if (strcmp(l.j.status, "queued") != 0 &&
            strcmp(l.j.status, "processing") != 0)
            return l.j;
        clock_sleep_ms(5);
    } while (clock_mono_ns() < until);
    fail_msg("a job has not ended");
    return l.j;
}

static rc document_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct looking *l = arg;
    rc code =
        app_document_get(f->app, &f->who, db, l->document, f->out, &l->d, e);

    return code == RC_OK
               ? app_version_list(f->app, &f->who, db, l->document, f->out,
                                  &l->versions, &l->versions_n, e)
               : code;
}

static struct looking look(struct wx *w, uuid document)
{
    struct looking l = {.document = document};
    struct err e = {0};

    fx_ok(fx_read(w->fx, document_op, &l, &e), &e);
    return l;
}

/* ---- tests ---- */

static void pages_become_documents(void **state)
{
    struct wx *w = *state;
    struct url_in in[42];
    struct looking l;
    struct adding a;

    for (size_t i = 0; i < 40; i++)
        in[i] = (struct url_in){.url = arena_fmt(w->fx->out,
                                                 "http://127.0.0.1:%u/page-%zu",
                                                 w->site.port, i)};
    in[0].title = STR("Named by hand");
    in[40] = (struct url_in){
        .url = arena_fmt(w->fx->out, "HTTP://127.0.0.1:%u/x/../page-7#there",
                         w->site.port)};
    in[41] = (struct url_in){.url = STR("http://10.0.0.1/")};
    a = add_urls(w, in, 42);
    assert_int_equal(a.queued, 40);
    assert_false(a.added[40].queued);
    assert_true(uuid_eq(a.added[40].document, a.added[7].document));
    assert_non_null(strstr(a.added[41].refused.p, "private"));
    assert_string_equal(job_ended(w, a.job).status, "completed");
    l = look(w, a.added[0].document);
    assert_string_equal(l.d.state, "active");
    assert_true(str_eq(l.d.title, STR("Named by hand")));
    assert_true(str_eq(l.d.source_type, STR("url")));
    l = look(w, a.added[7].document);
    assert_true(str_eq(l.d.title, STR("About /page-7")));
    assert_true(str_eq(l.versions[0].source_url, in[7].url));
    assert_int_equal(w->site.asked, 40);
}

static void a_page_as_it_was_costs_nothing(void **state)
{
    struct wx *w = *state;
    struct adding first = add_one(w, "/a"), again;
    struct job j = job_ended(w, first.job);
    struct looking l;

    assert_string_equal(j.status, "completed");
    again = add_one(w, "/a");
    assert_int_equal(again.queued, 1);
    assert_true(uuid_eq(again.added[0].document, first.added[0].document));
    j = job_ended(w, again.job);
    assert_string_equal(j.status, "duplicate");
    assert_int_equal(w->site.not_modified, 1);
    l = look(w, first.added[0].document);
    assert_int_equal(l.versions_n, 1);
    assert_string_equal(l.d.state, "active");

    w->site.edition = 2;
    again = add_one(w, "/a");
    assert_string_equal(job_ended(w, again.job).status, "completed");
    l = look(w, first.added[0].document);
    assert_int_equal(l.versions_n, 2);
    assert_int_equal(l.d.version_number, 2);
    assert_string_equal(l.versions[1].state, "archived");
}

static rc retry_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct adding *a = arg;

    return app_job_retry(f->app, &f->who, db, a->job, &a->queued, e);
}

static void what_fails_says_why_and_can_be_tried_again(void **state)
{
    struct wx *w = *state;
    struct adding a = add_one(w, "/gone");
    struct err e = {0};
    struct looking l;

    assert_string_equal(job_ended(w, a.job).status, "failed");
    l = look(w, a.added[0].document);
    assert_string_equal(l.d.state, "failed");
    assert_true(str_eq(l.versions[0].error,
                       STR("the page is gone for good (HTTP 410)")));
    assert_int_equal(w->site.asked, 1); /* that is final */
    clock_test_advance(120000);         /* and its minute is over */
    fx_ok(fx_write(w->fx, retry_op, &a, &e), &e);
    assert_int_equal(a.queued, 1);
    assert_string_equal(job_ended(w, a.job).status, "failed");
    assert_int_equal(w->site.asked, 2);
    /* Naming it again is another try of the same version. */
    a = add_one(w, "/gone");
    assert_string_equal(job_ended(w, a.job).status, "failed");
    l = look(w, a.added[0].document);
    assert_int_equal(l.versions_n, 1);
}

/* The version that a failed job was for was fetched by another one. */
static void a_job_that_was_overtaken_has_nothing_to_try(void **state)
{
    struct wx *w = *state;
    struct adding old, next;
    struct err e = {0};
    struct looking l;

    w->site.lost = true;
    old = add_one(w, "/turns");
    assert_string_equal(job_ended(w, old.job).status, "failed");
    w->site.lost = false;
    next = add_one(w, "/turns");
    assert_string_equal(job_ended(w, next.job).status, "completed");
    w->site.edition = 2;
    fx_ok(fx_write(w->fx, retry_op, &old, &e), &e);
    assert_int_equal(old.queued, 0);
    assert_int_equal(w->site.asked, 2);
    /* What changed since comes in by its own version. */
    next = add_one(w, "/turns");
    assert_string_equal(job_ended(w, next.job).status, "completed");
    l = look(w, next.added[0].document);
    assert_int_equal(l.versions_n, 2);
}

/* Validators are those of the active version, or none are sent. */
static void what_could_not_be_read_is_asked_for_whole(void **state)
{
    struct wx *w = *state;
    struct adding a = add_one(w, "/a");
    struct looking l;

    assert_string_equal(job_ended(w, a.job).status, "completed");
    w->site.edition = 2;
    w->site.empty = true;
    for (unsigned i = 0; i < 2; i++) {
        a = add_one(w, "/a");
        assert_string_equal(job_ended(w, a.job).status, "failed");
    }
    w->site.empty = false;
    a = add_one(w, "/a");
    assert_string_equal(job_ended(w, a.job).status, "completed");
    l = look(w, a.added[0].document);
    assert_string_equal(l.d.state, "active");
    assert_int_equal(l.d.version_number, 2);
}

/* Their deletions are independent, so an upload is never one with a page. */
static void an_upload_is_no_duplicate_of_a_page(void **state)
{
    struct wx *w = *state;
    struct adding a = add_one(w, "/a");
    str body = body_of(&w->site, STR("/a"), w->fx->out);
    struct intake_item item = {
        .type = INTAKE_TEXT, .title = STR("T"), .content = body};
    struct intake in = {.base = w->base, .items = &item, .items_n = 1};
    struct fx_ingest i;
    struct err e = {0};

    assert_string_equal(job_ended(w, a.job).status, "completed");
    fx_ok(fx_ingest(w->fx, &in, &i, &e), &e);
    assert_false(i.call.results[0].duplicate);
    fx_settle(w->fx);
}

static void a_server_in_trouble_is_asked_again(void **state)
{
    struct wx *w = *state;
    struct adding a = add_one(w, "/flaky");

    assert_string_equal(job_ended(w, a.job).status, "completed");
    assert_int_equal(w->site.asked, 2);
}

static rc delete_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    return app_document_delete(f->app, &f->who, db, *(uuid *)arg, e);
}

/* Until the site has been asked so often. */
static void asked(struct wx *w, unsigned n)
{
    int64_t until = clock_mono_ns() + FX_WAIT_NS;

    while (w->site.asked < n && clock_mono_ns() < until)
        clock_sleep_ms(2);
    assert_true(w->site.asked >= n);
}

/* A page whose first try was put off for 55 s, and would hang at the next. */
static struct adding add_later(struct wx *w)
{
    int64_t until = clock_mono_ns() + FX_WAIT_NS;
    struct adding a;
    struct looking l;
    struct err e = {0};

    w->site.busy = true;
    a = add_one(w, "/later");
    asked(w, 1);
    l = (struct looking){.job = a.job};
    do {
        clock_sleep_ms(2);
        fx_ok(fx_read(w->fx, job_op, &l, &e), &e);
    } while (l.j.queued == 0 && clock_mono_ns() < until);
    assert_int_equal(l.j.queued, 1);
    w->site.busy = false;
    return a;
}

/* It has two seconds left, where a try of its own might take thirty. */
static void the_last_try_ends_with_the_minute(void **state)
{
    struct wx *w = *state;
    struct adding a = add_later(w);
    int64_t began;

    clock_test_advance(58000);
    began = clock_mono_ns();
    assert_string_equal(job_ended(w, a.job).status, "failed");
    assert_in_range((clock_mono_ns() - began) / 1000000, 0, 6000);
    assert_in_range(w->site.asked, 1, 2);
}

static void a_turn_behind_the_minute_is_none(void **state)
{
    struct wx *w = *state;
    struct adding a = add_later(w);
    struct looking l;

    clock_test_advance(61000);
    assert_string_equal(job_ended(w, a.job).status, "failed");
    assert_int_equal(w->site.asked, 1);
    l = look(w, a.added[0].document);
    assert_true(str_eq(l.versions[0].error,
                       STR("the server failed to give the page (HTTP 503)")));
}

/* While the server was down, no minute went by. */
static void what_was_put_off_before_a_restart_has_its_time_anew(void **state)
{
    struct wx *w = *state;

    (void)add_later(w);
    fx_stop(w->fx);
    clock_test_advance(3600000);
    web_start(w->fx);
    asked(w, 2);
}

/* Of two hosts, sixteen that lead to one. */
static struct adding add_sixteen(struct wx *w)
{
    struct url_in in[16];

    for (unsigned i = 0; i < 16; i++)
        in[i] = (struct url_in){
            .url = arena_fmt(w->fx->out, "http://127.0.0.%u:%u/to-hangs?%u",
                             2 + i % 2, w->site.port, i)};
    return add_urls(w, in, 16);
}

/* Eight places of each host that URLs name, and eight where all of them lead. */
static void redirects_share_the_places_of_where_they_lead(void **state)
{
    struct wx *w = *state;
    struct adding a = add_sixteen(w);

    asked(w, 16 + 8);
    w->site.freed = true;
    assert_string_equal(job_ended(w, a.job).status, "failed");
    assert_int_equal(w->site.asked, 16 + 16);
    assert_in_range(w->site.kept_most, 1, 8);
}

/* Eight have the places of the host that all are led to; the others are put off
 * after a moment, so that threads are there for other pages. */
static void who_gets_no_place_is_put_off(void **state)
{
    struct wx *w = *state;
    struct looking l = {.job = add_sixteen(w).job};
    struct err e = {0};
    int64_t until;

    asked(w, 16 + 8);
    clock_test_advance(4000);
    /* Those that hang are given up, and their places with them, after 15 s. */
    until = clock_mono_ns() + (int64_t)12 * 1000000000;
    do {
        clock_sleep_ms(2);
        fx_ok(fx_read(w->fx, job_op, &l, &e), &e);
    } while (l.j.queued == 0 && clock_mono_ns() < until);
    assert_true(l.j.queued > 0);
    assert_string_equal(job_ended(w, add_one(w, "/good").job).status,
                        "completed");
    fx_stop(w->fx);
    web_start(w->fx);
}

/* Whoever waits for a place is no reason for a stop to wait. */
static void a_stop_waits_for_no_place(void **state)
{
    struct wx *w = *state;

    (void)add_sixteen(w);
    asked(w, 16 + 8);
    fx_stop(w->fx);
    assert_int_equal(w->site.asked, 16 + 8);
    web_start(w->fx);
}

static void tries_again_are_spread(void **state)
{
    struct rng chance = rng_seeded(1);

    (void)state;
    for (unsigned tries = 1; tries <= 8; tries++) {
        int64_t least = (int64_t)1000 << (tries < 6 ? tries - 1 : 5);
        int64_t from = INT64_MAX, to = 0;

        for (unsigned i = 0; i < 1000; i++) {
            int64_t ms = fetcher_wait_ms(tries, 0, &chance);

            assert_in_range(ms, least, least + least / 4);
            from = ms < from ? ms : from;
            to = ms > to ? ms : to;
            /* Never before the time that a server names. */
            assert_in_range(fetcher_wait_ms(tries, 90000, &chance), 90000,
                            90000 + least / 4);
        }
        assert_true(to - from > least / 5);
    }
}

static void a_stop_repeats_what_was_under_way(void **state)
{
    struct wx *w = *state;
    struct adding hung = add_one(w, "/hangs"), gone = add_one(w, "/hangs?2"),
                  good = add_one(w, "/good");
    struct err e = {0};

    (void)gone;
    assert_string_equal(job_ended(w, good.job).status, "completed");
    asked(w, 3);
    fx_ok(fx_delete(w->fx, delete_op, &hung.added[0].document, &e), &e);
    fx_stop(w->fx);
    web_start(w->fx);
    /* What was deleted under its fetch is not asked for again; the good one
     * is what it was. */
    assert_string_equal(look(w, good.added[0].document).d.state, "active");
    assert_string_equal(job_ended(w, hung.job).status, "failed");
}

static rc source_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct {
        struct hub_source_in in;
        struct hub_source s;
        bool made;
    } *x = arg;

    return app_source_add(f->app, &f->who, db, &x->in, f->out, &x->s, &x->made,
                          e);
}

static void a_hub_has_one_source_of_a_url(void **state)
{
    struct wx *w = *state;
    struct {
        struct hub_source_in in;
        struct hub_source s;
        bool made;
    } x = {.in = {.title = STR("T"), .url = url_of(w, "/s")}};
    struct err e = {0};
    uuid first;

    fx_ok(fx_write(w->fx, source_op, &x, &e), &e);
    assert_true(x.made);
    first = x.s.document;
    assert_int_equal(x.s.status, HUB_PENDING);
    x.in.url = arena_fmt(w->fx->out, "http://127.0.0.1:%u/%%73", w->site.port);
    fx_ok(fx_write(w->fx, source_op, &x, &e), &e);
    assert_false(x.made);
    assert_true(uuid_eq(first, x.s.document));
    fx_ok(fx_delete(w->fx, delete_op, &first, &e), &e);
    fx_ok(fx_write(w->fx, source_op, &x, &e), &e);
    assert_true(x.made);
    x.in.url = STR("http://u:p@example.org/");
    assert_int_equal(fx_write(w->fx, source_op, &x, &e), RC_INVALID);
    assert_string_equal(e.name, "invalid_url");
}

static void a_network_that_is_none_is_refused(void **state)
{
    static const char *const NETS[] = {"10.0.0.1/8"};
    struct wx *w = *state;
    struct app *a;
    struct err e = {0};
    str made;

    fx_stop(w->fx);
    assert_int_equal(app_open(&(struct app_opts){.dir = w->fx->dir,
                                                 .allow_nets = NETS,
                                                 .allow_nets_n = 1},
                              w->fx->out, &a, &made, &e),
                     RC_INVALID);
    web_start(w->fx);
}

#define T(f) cmocka_unit_test_setup_teardown(f, web_open, web_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pages_become_documents),
        T(a_page_as_it_was_costs_nothing),
        T(what_fails_says_why_and_can_be_tried_again),
        T(a_job_that_was_overtaken_has_nothing_to_try),
        T(what_could_not_be_read_is_asked_for_whole),
        T(an_upload_is_no_duplicate_of_a_page),
        T(a_server_in_trouble_is_asked_again),
        T(the_last_try_ends_with_the_minute),
        T(a_turn_behind_the_minute_is_none),
        T(what_was_put_off_before_a_restart_has_its_time_anew),
        T(redirects_share_the_places_of_where_they_lead),
        T(who_gets_no_place_is_put_off),
        T(a_stop_waits_for_no_place),
        cmocka_unit_test(tries_again_are_spread),
        T(a_stop_repeats_what_was_under_way),
        T(a_hub_has_one_source_of_a_url),
        T(a_network_that_is_none_is_refused),
    };

    clock_test_advance(0); /* who waits sees the clock being moved */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
