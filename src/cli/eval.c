#include "cli/eval.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/compare.h"
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

/* ---- settings ---- */

/* One way of asking: fields of the search request, and the base. */
struct setting {
    struct client_base base;
    json_t *fields;
    struct figures *v; /* [queries] */
    size_t n, cap;
    struct figures sum;
};
#define SETTINGS_MAX 2
struct evaluation {
    struct run *r;
    struct client *c;
    struct qrels qrels;
    struct setting settings[SETTINGS_MAX];
    size_t settings_n;
    str *queries; /* their ids */
    size_t queries_n, queries_cap;
};

/* What eval itself says in a request. */
static bool is_own(str name)
{
    return str_eq(name, STR("query")) || str_eq(name, STR("kb_ids")) ||
           str_eq(name, STR("limit")) || str_eq(name, STR("group"));
}

/* JSON, or else a text. */
static json_t *value_of(str text)
{
    json_t *v;
    size_t offset;
    struct err e;

    if (js_parse(text, (struct js_limits){0}, &v, &offset, &e) == RC_OK)
        return v;
    return js_of_str(text);
}

/* "alpha=0.5", "legs=dense", "base=NAME": one field, over what was there. alpha
 * and legs are one choice: either drops the other. */
static rc setting_change(struct evaluation *ev, struct setting *s,
                         const char *text, struct err *e)
{
    str name, value;
    json_t *v;

    if (!str_cut(str_of(text), '=', &name, &value) || name.n == 0 ||
        value.n == 0)
        return err_set(e, RC_INVALID, "%.80s: not of the form NAME=VALUE",
                       text);
    if (is_own(name))
        return err_set(e, RC_INVALID, "%.80s: eval sets that itself", text);
    if (str_eq(name, STR("base")))
        return client_base_find(ev->c, ev->r->arena, value, &s->base, e);
    v = value_of(value);
    if (str_eq(name, STR("alpha")) && json_is_number(v)) {
        client_alpha_set(s->fields, json_number_value(v));
        json_decref(v);
        return RC_OK;
    }
    if (str_eq(name, STR("legs")))
        (void)json_object_del(s->fields, "alpha");
    if (json_object_set_new(s->fields, arena_cstr(ev->r->arena, name), v) != 0)
        return err_set(e, RC_INVALID, "%.80s: not UTF-8", text);
    return RC_OK;
}

static rc settings_read(struct evaluation *ev, struct err *e)
{
    const struct options *o = &ev->r->o;
    const struct option_value *set = &o->v[OPT_SET],
                              *compare = &o->v[OPT_COMPARE];
    struct setting *first = &ev->settings[0], *second = &ev->settings[1];
    rc code = client_base_find(ev->c, ev->r->arena, option_str(o, OPT_BASE),
                               &first->base, e);

    ev->settings_n = 1;
    first->fields = json_object();
    if (option_given(o, OPT_ALPHA))
        client_alpha_set(first->fields, option_real(o, OPT_ALPHA));
    for (size_t i = 0; i < set->n && code == RC_OK; i++)
        code = setting_change(ev, first, set->texts[i], e);
    if (compare->n == 0 || code != RC_OK)
        return code;
    ev->settings_n = 2;
    second->base = first->base;
    second->fields = json_copy(first->fields);
    for (size_t i = 0; i < compare->n && code == RC_OK; i++)
        code = setting_change(ev, second, compare->texts[i], e);
    if (code == RC_OK && json_equal(first->fields, second->fields) &&
        str_eq(first->base.id, second->base.id))
        return err_set(e, RC_INVALID, "--compare asks for the same again");
    return code;
}

/* "base cranfield, alpha 0.5" */
static str setting_text(const struct setting *s, struct arena *out)
{
    str text =
        arena_fmt(out, "base " STR_FMT, STR_ARG(clean_text(out, s->base.name)));
    const char *name;
    json_t *v;

    json_object_foreach(s->fields, name, v)
    {
        str value =
            json_is_string(v) ? js_str(s->fields, name) : js_text(out, v);

        text = arena_fmt(out, STR_FMT ", %s " STR_FMT, STR_ARG(text), name,
                         STR_ARG(clean_text(out, value)));
    }
    return text;
}

/* ---- asking ---- */

static void setting_note(struct setting *s, struct arena *out, struct figures f)
{
    ARENA_PUSH(out, s->v, s->n, s->cap, f);
    s->sum.ndcg10 += f.ndcg10;
    s->sum.recall100 += f.recall100;
    s->sum.mrr10 += f.mrr10;
}

/* Asks one query in one way and notes its figures. */
static rc evaluate(struct evaluation *ev, struct setting *s,
                   const struct judged *judged, str query, struct err *e)
{
    json_t *body = client_search_request(&s->base, 1, query);
    const json_t *results;
    json_t *answer;
    struct arena *tmp;
    str *ranked;
    size_t n;
    rc code;

    (void)json_object_set_new(body, "limit", json_integer(RANKED_MAX));
    (void)json_object_set_new(body, "group", json_string("document"));
    (void)json_object_update(body, s->fields);
    code = client_call(ev->c, "POST", "/knowd/v1/search", body, &answer, e);
    if (code != RC_OK)
        return code;
    if (s->n == 0)
        client_notices_say(&s->base, 1, answer);
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
    setting_note(s, ev->r->arena, eval_ranking(judged, ranked, n));
    arena_close(tmp);
    json_decref(answer);
    return RC_OK;
}

static str id_of(struct arena *out, const json_t *line)
{
    const json_t *id = json_object_get(line, "_id");

    return json_is_integer(id)
               ? arena_fmt(out, "%lld", (long long)json_integer_value(id))
               : arena_str(out, js_str(line, "_id"));
}

static rc evaluate_line(struct evaluation *ev, str line, unsigned number,
                        struct err *e)
{
    const struct judged *judged;
    json_t *query;
    size_t offset;
    str id;
    rc code = js_parse(line, (struct js_limits){0}, &query, &offset, e);

    if (code != RC_OK)
        return err_set(e, RC_INVALID, "queries, line %u: not JSON", number);
    id = id_of(ev->r->arena, query);
    judged = qrels_find(&ev->qrels, id);
    if (judged != NULL && js_str(query, "text").n > 0) {
        ARENA_PUSH(ev->r->arena, ev->queries, ev->queries_n, ev->queries_cap,
                   id);
        for (size_t i = 0; i < ev->settings_n && code == RC_OK; i++)
            code = evaluate(ev, &ev->settings[i], judged, js_str(query, "text"),
                            e);
    }
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
    if (code == RC_OK && ev->queries_n == 0)
        code = err_set(e, RC_INVALID,
                       "no query has a document judged as relevant");
    return code;
}

/* ---- printing ---- */

static const struct metric {
    const char *name, *title;
    size_t at; /* in struct figures */
} METRICS[] = {
    {"ndcg@10", "nDCG@10", offsetof(struct figures, ndcg10)},
    {"recall@100", "recall@100", offsetof(struct figures, recall100)},
    {"mrr@10", "MRR@10", offsetof(struct figures, mrr10)},
};

static double metric_of(const struct metric *m, const struct figures *f)
{
    double v;

    memcpy(&v, (const char *)f + m->at, sizeof v);
    return v;
}

static double mean_of(const struct metric *m, const struct setting *s)
{
    return metric_of(m, &s->sum) / (double)s->n;
}

static json_t *means_json(const struct setting *s)
{
    json_t *v = json_object();

    for (size_t i = 0; i < NELEMS(METRICS); i++)
        (void)json_object_set_new(v, METRICS[i].name,
                                  json_real(mean_of(&METRICS[i], s)));
    return v;
}

static rc print_figures(const struct evaluation *ev, struct err *e)
{
    const struct setting *s = &ev->settings[0];
    json_t *v;

    if (!option_flag(&ev->r->o, OPT_JSON)) {
        for (size_t i = 0; i < NELEMS(METRICS); i++)
            print_fmt("%s %.4f  ", METRICS[i].title, mean_of(&METRICS[i], s));
        print_fmt("(%zu queries)\n", ev->queries_n);
        return RC_OK;
    }
    v = means_json(s);
    (void)json_object_set_new(v, "queries",
                              json_integer((json_int_t)ev->queries_n));
    return print_json(v, e);
}

/* Of each query, the second setting's figure less the first's. */
static double *differences_of(const struct evaluation *ev,
                              const struct metric *m)
{
    double *d = ARENA_ARRAY(ev->r->arena, double, ev->queries_n);

    for (size_t i = 0; i < ev->queries_n; i++)
        d[i] = metric_of(m, &ev->settings[1].v[i]) -
               metric_of(m, &ev->settings[0].v[i]);
    return d;
}

struct comparison {
    const double *differences[NELEMS(METRICS)]; /* [queries] */
    struct paired paired[NELEMS(METRICS)];
    double loss_max;
    bool lost;
};

static struct comparison compare(const struct evaluation *ev)
{
    struct comparison c = {.loss_max = option_real(&ev->r->o, OPT_LOSS_MAX)};

    for (size_t i = 0; i < NELEMS(METRICS); i++) {
        c.differences[i] = differences_of(ev, &METRICS[i]);
        c.paired[i] = paired_test(c.differences[i], ev->queries_n);
    }
    c.lost = c.paired[0].mean < -c.loss_max;
    return c;
}

static json_t *setting_json(const struct setting *s)
{
    json_t *v = means_json(s);

    (void)json_object_set_new(v, "base_id", js_of_str(s->base.id));
    (void)json_object_set(v, "request", s->fields);
    return v;
}

static rc print_comparison_json(const struct evaluation *ev,
                                const struct comparison *c, struct err *e)
{
    json_t *tests = json_object(), *queries = json_array();

    for (size_t i = 0; i < NELEMS(METRICS); i++)
        (void)json_object_set_new(
            tests, METRICS[i].name,
            json_pack("{s:f, s:I, s:I, s:f}", "difference", c->paired[i].mean,
                      "better", (json_int_t)c->paired[i].better, "worse",
                      (json_int_t)c->paired[i].worse, "p", c->paired[i].p));
    for (size_t q = 0; q < ev->queries_n; q++) {
        json_t *one = json_pack("{s:o}", "query", js_of_str(ev->queries[q]));

        for (size_t i = 0; i < NELEMS(METRICS); i++)
            (void)json_object_set_new(one, METRICS[i].name,
                                      json_real(c->differences[i][q]));
        (void)json_array_append_new(queries, one);
    }
    return print_json(json_pack("{s:o, s:o, s:o, s:f, s:b, s:I, s:o}", "first",
                                setting_json(&ev->settings[0]), "second",
                                setting_json(&ev->settings[1]), "compare",
                                tests, "loss_max", c->loss_max, "lost", c->lost,
                                "queries", (json_int_t)ev->queries_n,
                                "differences", queries),
                      e);
}

static void print_comparison(const struct evaluation *ev,
                             const struct comparison *c)
{
    for (size_t i = 0; i < ev->settings_n; i++) {
        print_str(i == 0 ? STR("first:  ") : STR("second: "));
        print_str(setting_text(&ev->settings[i], ev->r->arena));
        print_str(STR("\n"));
    }
    print_fmt("%-12s%8s%8s%12s%8s%8s%9s\n", "", "first", "second", "difference",
              "better", "worse", "p");
    for (size_t i = 0; i < NELEMS(METRICS); i++)
        print_fmt("%-12s%8.4f%8.4f%+12.4f%8zu%8zu%9.4f\n", METRICS[i].title,
                  mean_of(&METRICS[i], &ev->settings[0]),
                  mean_of(&METRICS[i], &ev->settings[1]), c->paired[i].mean,
                  c->paired[i].better, c->paired[i].worse, c->paired[i].p);
    print_fmt("(%zu queries)\n", ev->queries_n);
}

static rc print_result(const struct evaluation *ev, struct err *e)
{
    struct comparison c;
    rc code = RC_OK;

    if (ev->settings_n == 1)
        return print_figures(ev, e);
    c = compare(ev);
    if (option_flag(&ev->r->o, OPT_JSON))
        code = print_comparison_json(ev, &c, e);
    else
        print_comparison(ev, &c);
    if (code == RC_OK && c.lost) {
        say_error("nDCG@10 of the second is lower by %.4f, more than %.4f",
                  -c.paired[0].mean, c.loss_max);
        ev->r->status = EXIT_PARTIAL;
    }
    return code;
}

rc cmd_eval(struct run *r, struct err *e)
{
    struct evaluation ev = {.r = r};
    str queries = STR_NONE, qrels = STR_NONE;
    rc code;

    if (option_text(&r->o, OPT_BASE) == NULL)
        return err_set(e, RC_INVALID, "eval wants --base NAME|ID");
    code = read_file(r, OPT_QUERIES, &queries, e);
    if (code == RC_OK)
        code = read_file(r, OPT_QRELS, &qrels, e);
    if (code == RC_OK)
        code = qrels_parse(qrels, r->arena, &ev.qrels, e);
    if (code == RC_OK)
        code = client_open(&r->o, r->arena, &ev.c, e);
    if (code == RC_OK)
        code = settings_read(&ev, e);
    if (code == RC_OK)
        code = evaluate_all(&ev, queries, e);
    if (code == RC_OK)
        code = print_result(&ev, e);
    for (size_t i = 0; i < ev.settings_n; i++)
        json_decref(ev.settings[i].fields);
    client_close(ev.c);
    qrels_close(&ev.qrels);
    return code;
}
