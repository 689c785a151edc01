/* What an operator asks: is it alive, is it ready, how much of what. */
#include "serve/exchange_priv.h"
#include "serve/serve.h"

static rc healthz(struct request *q, struct reply *r, struct err *e)
{
    (void)q;
    (void)e;
    buf_put(&r->body,
            STR("{\"status\":\"ok\",\"version\":\"" KNOWD_VERSION "\"}"));
    return RC_OK;
}

static rc readyz(struct request *q, struct reply *r, struct err *e)
{
    bool draining = serve_draining(q->serve);
    bool ready = !draining && app_ready(q->app);
    struct out o = out_to(&r->body);

    (void)e;
    r->status = ready ? 200 : 503;
    out_begin(&o, NULL);
    out_cstr(&o, "status",
             ready      ? "ready"
             : draining ? "draining"
                        : "starting");
    out_end(&o);
    return RC_OK;
}

struct metric {
    const char *name, *type, *help;
    double value;
};

static void put_metric(struct buf *b, const struct metric *m)
{
    buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", m->name, m->help,
            m->name, m->type, m->name, m->value);
}

static rc metrics(struct request *q, struct reply *r, struct err *e)
{
    struct app_figures f = {0};
    struct serve_figures s = {0};

    (void)e;
    app_figures(q->app, &f);
    serve_figures(q->serve, &s);
    {
        const struct metric all[] = {
            {"knowd_http_requests_total", "counter", "Requests begun.",
             (double)s.requests},
            {"knowd_http_requests_in_flight", "gauge",
             "Requests begun and not answered.", (double)s.in_flight},
            {"knowd_http_connections", "gauge", "Connections open.",
             (double)s.connections},
            {"knowd_http_answers_2xx_total", "counter", "Answers 2xx.",
             (double)s.answers[2]},
            {"knowd_http_answers_4xx_total", "counter", "Answers 4xx.",
             (double)s.answers[4]},
            {"knowd_http_answers_5xx_total", "counter", "Answers 5xx.",
             (double)s.answers[5]},
            {"knowd_documents_indexed_total", "counter",
             "Documents that became searchable.", (double)f.documents_indexed},
            {"knowd_documents_failed_total", "counter",
             "Documents that failed.", (double)f.documents_failed},
            {"knowd_ingested_bytes_total", "counter",
             "Bytes of originals indexed.", (double)f.bytes_ingested},
            {"knowd_items_queued", "gauge", "Documents waiting for a worker.",
             (double)f.items_queued},
            {"knowd_items_processing", "gauge", "Documents being worked on.",
             (double)f.items_processing},
            {"knowd_searches_total", "counter", "Searches answered.",
             (double)f.searches},
            {"knowd_search_seconds_total", "counter", "Time spent searching.",
             f.search_seconds_sum},
            {"knowd_store_commits_total", "counter", "Transactions committed.",
             (double)f.store_commits},
            {"knowd_store_writes_total", "counter",
             "Writes inside these transactions.", (double)f.store_writes},
            {"knowd_store_fsync_failures_total", "counter",
             "Failed syncs: after one nothing is acknowledged until restart.",
             (double)f.fsync_failures},
            {"knowd_store_stopped", "gauge",
             "1 when nothing is acknowledged until a restart.",
             f.stopped ? 1 : 0},
            {"knowd_index_rows", "gauge", "Chunks in open bases.",
             (double)f.index_rows},
            {"knowd_index_segments", "gauge", "Segments of open bases.",
             (double)f.index_segments},
            {"knowd_index_bytes", "gauge", "Bytes of these segments.",
             (double)f.index_bytes},
            {"knowd_index_merges_total", "counter", "Merges done.",
             (double)f.index_merges},
            {"knowd_vectors_made_total", "counter", "Passages embedded.",
             (double)f.rows_refined},
            {"knowd_bases_open", "gauge", "Bases with an open index.",
             (double)f.bases_open},
            {"knowd_extract_running", "gauge", "Documents being read.",
             (double)f.extract_running},
            {"knowd_extract_crashes_total", "counter",
             "Extraction children that crashed.", (double)f.extract_crashes},
            {"knowd_extract_ended", "gauge",
             "1 when no document is read until a restart.",
             f.extract_ended ? 1 : 0},
        };

        for (size_t i = 0; i < NELEMS(all); i++)
            put_metric(&r->body, &all[i]);
    }
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    return RC_OK;
}

static rc openapi(struct request *q, struct reply *r, struct err *e)
{
    (void)q;
    (void)e;
    serve_openapi_json(&r->body);
    return RC_OK;
}

const struct route OPS_ROUTES[] = {
    {.method = "GET",
     .pattern = "/healthz",
     .access = ACCESS_OPEN,
     .success = 200,
     .dialect = DIALECT_PLAIN,
     .handle = healthz,
     .operation = "healthz",
     .doc = "200 once the process answers."},
    {.method = "GET",
     .pattern = "/readyz",
     .access = ACCESS_OPEN,
     .success = 200,
     .dialect = DIALECT_PLAIN,
     .handle = readyz,
     .operation = "readyz",
     .doc = "200 once recovery is done and search is served, else 503."},
    {.method = "GET",
     .pattern = "/metrics",
     .access = ACCESS_LOCAL,
     .success = 200,
     .dialect = DIALECT_PLAIN,
     .handle = metrics,
     .operation = "metrics",
     .doc = "Prometheus text; without a key on a loopback listener only."},
    {.method = "GET",
     .pattern = "/openapi.json",
     .access = ACCESS_OPEN,
     .success = 200,
     .dialect = DIALECT_PLAIN,
     .handle = openapi,
     .operation = "openapi",
     .doc = "This description."},
    {.method = NULL}};
