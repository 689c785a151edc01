#include "cli/eval.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/print.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define RANKED_MAX 1000 /* documents asked for a query */
#define NDCG_CUT 10
#define RECALL_CUT 100
#define MRR_CUT 10

/* ---- judgments ---- */

/* Cuts a line into fields at tabs and blanks; returns how many, at most 5. */
static size_t fields_of(str line, str fields[5])
{
    size_t n = 0;

    for (;;) {
        size_t end = 0;

        line = str_trim(line);
        if (line.n == 0 || n == 5)
            return n;
        while (end < line.n && line.p[end] != '\t' && line.p[end] != ' ')
            end++;
        fields[n++] = str_sub(line, 0, end);
        line = str_sub(line, end, line.n);
    }
}

static bool number_of(str s, double *v)
{
    char text[32], *end;

    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *v = strtod(text, &end);
    return *end == '\0' && isfinite(*v);
}

static void judge(struct qrels *q, struct arena *out, str query, str document,
                  double gain)
{
    bool made;
    uint64_t *at = map_slot(q->queries, query, &made);
    struct judged *to;

    if (made) {
        *at = q->n;
        ARENA_PUSH(out, q->v, q->n, q->cap, (struct judged){0});
    }
    ASSERT_SLOW(q->v != NULL);
    to = &q->v[*at];
    ARENA_PUSH(out, to->v, to->n, to->cap,
               ((struct judgment){arena_str(out, document), gain}));
}

rc qrels_parse(str text, struct arena *out, struct qrels *q, struct err *e)
{
    str line, f[5];
    double gain = 0;

    *q = (struct qrels){.queries = map_open()};
    for (unsigned number = 1; text.n > 0; number++) {
        size_t n;

        (void)str_cut(text, '\n', &line, &text);
        n = fields_of(line, f);
        if (n == 0)
            continue;
        if ((n != 3 && n != 4) || !number_of(f[n - 1], &gain)) {
            if (number == 1)
                continue; /* the header */
            return err_set(e, RC_INVALID,
                           "judgments, line %u: not query, document, score",
                           number);
        }
        if (gain > 0)
            judge(q, out, f[0], f[n - 2], gain);
    }
    return RC_OK;
}

void qrels_close(struct qrels *q)
{
    map_close(q->queries);
    *q = (struct qrels){0};
}

const struct judged *qrels_find(const struct qrels *q, str query)
{
    const uint64_t *at = map_find(q->queries, query);

    return at == NULL ? NULL : &q->v[*at];
}

/* ---- figures ---- */

static double gain_of(const struct judged *judged, str document)
{
    for (size_t i = 0; i < judged->n; i++) {
        if (str_eq(judged->v[i].document, document))
            return judged->v[i].gain;
    }
    return 0;
}

static int greater_first(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/* What rank (from 0) is worth. */
static double discount(size_t rank)
{
    return 1 / log2((double)rank + 2);
}

static double ideal_dcg(const struct judged *judged)
{
    struct arena *tmp = arena_open();
    double *gains = ARENA_ARRAY(tmp, double, judged->n), sum = 0;

    for (size_t i = 0; i < judged->n; i++)
        gains[i] = judged->v[i].gain;
    qsort(gains, judged->n, sizeof *gains, greater_first);
    for (size_t i = 0; i < judged->n && i < NDCG_CUT; i++)
        sum += gains[i] * discount(i);
    arena_close(tmp);
    return sum;
}

struct figures eval_ranking(const struct judged *judged, const str *ranked,
                            size_t n)
{
    struct figures f = {0};
    double dcg = 0;
    size_t found = 0;

    for (size_t i = 0; i < n && i < RECALL_CUT; i++) {
        double gain = gain_of(judged, ranked[i]);

        if (gain <= 0)
            continue;
        found++;
        if (i < NDCG_CUT)
            dcg += gain * discount(i);
        if (i < MRR_CUT && f.mrr10 == 0)
            f.mrr10 = 1 / ((double)i + 1);
    }
    f.ndcg10 = dcg / ideal_dcg(judged);
    f.recall100 = (double)found / (double)judged->n;
    return f;
}

/* ---- the command ---- */

struct evaluation {
    struct run *r;
    struct client *c;
    struct client_base base;
    struct qrels qrels;
    struct figures sum;
    size_t queries;
};

/* Asks one query and adds its figures. */
static rc evaluate(struct evaluation *ev, const struct judged *judged,
                   str query, struct err *e)
{
    json_t *body = client_search_request(&ev->r->o, &ev->base, 1, query);
    const json_t *results;
    json_t *answer;
    struct arena *tmp;
    struct figures f;
    str *ranked;
    size_t n;
    rc code;

    (void)json_object_set_new(body, "limit", json_integer(RANKED_MAX));
    (void)json_object_set_new(body, "group", json_string("document"));
    code = client_call(ev->c, "POST", "/knowd/v1/search", body, &answer, e);
    if (code != RC_OK)
        return code;
    tmp = arena_open();
    results = json_object_get(answer, "results");
    n = json_array_size(results);
    ranked = ARENA_ARRAY(tmp, str, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *hit = json_array_get(results, i);

        ranked[i] = js_str(hit, "external_id");
        if (ranked[i].n == 0)
            ranked[i] = js_str(hit, "document_id");
    }
    f = eval_ranking(judged, ranked, n);
    ev->sum.ndcg10 += f.ndcg10;
    ev->sum.recall100 += f.recall100;
    ev->sum.mrr10 += f.mrr10;
    ev->queries++;
    arena_close(tmp);
    json_decref(answer);
    return RC_OK;
}

static str id_of(struct arena *out, const json_t *line)
{
    const json_t *id = json_object_get(line, "_id");

    return json_is_integer(id)
               ? arena_fmt(out, "%lld", (long long)json_integer_value(id))
               : js_str(line, "_id");
}

static rc evaluate_line(struct evaluation *ev, str line, unsigned number,
                        struct err *e)
{
    const struct judged *judged;
    json_t *query;
    size_t offset;
    rc code = js_parse(line, (struct js_limits){0}, &query, &offset, e);

    if (code != RC_OK)
        return err_set(e, RC_INVALID, "queries, line %u: not JSON", number);
    judged = qrels_find(&ev->qrels, id_of(ev->r->arena, query));
    if (judged != NULL && js_str(query, "text").n > 0)
        code = evaluate(ev, judged, js_str(query, "text"), e);
    json_decref(query);
    return code;
}

static rc read_file(struct run *r, enum option_id id, str *text, struct err *e)
{
    const char *path = option_text(&r->o, id);

    if (path == NULL)
        return err_set(e, RC_INVALID, "eval wants --%s %s", OPTIONS[id].name,
                       OPTIONS[id].value);
    if (file_read(path, FILE_BYTES_MAX, r->arena, text, e) == RC_OK)
        return RC_OK;
    e->code = RC_INVALID;
    return e->code;
}

static rc evaluate_all(struct evaluation *ev, str queries, struct err *e)
{
    uint64_t all = queries.n;
    str line;
    rc code = RC_OK;

    for (unsigned number = 1; queries.n > 0 && code == RC_OK; number++) {
        (void)str_cut(queries, '\n', &line, &queries);
        if (!str_blank(line))
            code = evaluate_line(ev, line, number, e);
        progress_show("asking", all - queries.n, all);
    }
    progress_clear();
    if (code == RC_OK && ev->queries == 0)
        code = err_set(e, RC_INVALID,
                       "no query has a document judged as relevant");
    return code;
}

static rc print_figures(struct evaluation *ev, struct err *e)
{
    double n = (double)ev->queries;

    if (option_flag(&ev->r->o, OPT_JSON))
        return print_json(
            json_pack("{s:f, s:f, s:f, s:I}", "ndcg@10", ev->sum.ndcg10 / n,
                      "recall@100", ev->sum.recall100 / n, "mrr@10",
                      ev->sum.mrr10 / n, "queries", (json_int_t)ev->queries),
            e);
    print_fmt("nDCG@10 %.4f  recall@100 %.4f  MRR@10 %.4f  (%zu queries)\n",
              ev->sum.ndcg10 / n, ev->sum.recall100 / n, ev->sum.mrr10 / n,
              ev->queries);
    return RC_OK;
}

rc cmd_eval(struct run *r, struct err *e)
{
    struct evaluation ev = {.r = r};
    const char *base = option_text(&r->o, OPT_BASE);
    str queries = STR_NONE, qrels = STR_NONE;
    rc code;

    if (base == NULL)
        return err_set(e, RC_INVALID, "eval wants --base NAME|ID");
    code = read_file(r, OPT_QUERIES, &queries, e);
    if (code == RC_OK)
        code = read_file(r, OPT_QRELS, &qrels, e);
    if (code == RC_OK)
        code = qrels_parse(qrels, r->arena, &ev.qrels, e);
    if (code == RC_OK)
        code = client_open(&r->o, r->arena, &ev.c, e);
    if (code == RC_OK)
        code = client_base_find(ev.c, r->arena, str_of(base), &ev.base, e);
    if (code == RC_OK)
        code = evaluate_all(&ev, queries, e);
    if (code == RC_OK)
        code = print_figures(&ev, e);
    client_close(ev.c);
    qrels_close(&ev.qrels);
    return code;
}
