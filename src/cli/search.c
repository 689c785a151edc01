/* search: the passages found, for people or as the server's JSON. */
#include <stdio.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/snippet.h"

#define SNIPPET_LINES 3
#define INDENT 4

struct question {
    struct run *r;
    struct client *c;
    struct client_base *bases;
    size_t bases_n;
};

/* The bases named, else all that are there. */
static rc find_bases(struct question *q, struct err *e)
{
    const struct option_value *named = &q->r->o.v[OPT_BASE];
    rc code = RC_OK;

    if (named->n == 0)
        code = client_bases(q->c, q->r->arena, &q->bases, &q->bases_n, e);
    else
        q->bases = ARENA_ARRAY(q->r->arena, struct client_base, named->n);
    for (size_t i = 0; i < named->n && code == RC_OK; i++) {
        code = client_base_find(q->c, q->r->arena, str_of(named->texts[i]),
                                &q->bases[i], e);
        q->bases_n = i + 1;
    }
    if (code == RC_OK && q->bases_n > SEARCH_BASES_MAX)
        return err_set(e, RC_INVALID,
                       "there are %zu bases: name those to search with --base",
                       q->bases_n);
    return code;
}

/* ---- for people ---- */

static void print_place(const struct question *q, const json_t *hit)
{
    const json_t *position = json_object_get(hit, "position");
    const json_t *page =
        json_object_get(json_object_get(hit, "location"), "page");
    str id = js_str(hit, "kb_id");

    print_fmt("%*s", INDENT, "");
    for (size_t i = 0; q->bases_n > 1 && i < q->bases_n; i++) {
        if (str_eq(q->bases[i].id, id)) {
            print_painted(PAINT_DIM, q->bases[i].name);
            print_painted(PAINT_DIM, STR(" · "));
        }
    }
    if (json_is_integer(page))
        print_fmt("page %lld · ", (long long)json_integer_value(page));
    if (json_is_object(position)) {
        str place = arena_fmt(q->r->arena, "chars %lld-%lld",
                              (long long)json_integer_value(
                                  json_object_get(position, "start_char")),
                              (long long)json_integer_value(
                                  json_object_get(position, "end_char")));

        print_painted(PAINT_DIM, place);
    }
    print_painted(PAINT_DIM,
                  arena_fmt(q->r->arena, " · score %.3f",
                            json_number_value(json_object_get(hit, "score"))));
    print_fmt("\n");
}

static void print_headings(const json_t *hit)
{
    const json_t *headings =
        json_object_get(json_object_get(hit, "location"), "headings");

    for (size_t i = 0; i < json_array_size(headings); i++) {
        const char *one = json_string_value(json_array_get(headings, i));

        print_painted(PAINT_DIM, STR(" > "));
        print_clean(str_of(one));
    }
    print_fmt("\n");
}

static void print_snippet(const struct question *q, const json_t *hit)
{
    const json_t *list = json_object_get(hit, "marks"), *one;
    struct snippet_mark *marks =
        ARENA_ARRAY(q->r->arena, struct snippet_mark, json_array_size(list));
    struct snippet s = {.text = js_str(hit, "content"),
                        .marks = marks,
                        .marks_n = json_array_size(list),
                        .columns = print_columns() - INDENT,
                        .lines = SNIPPET_LINES};

    for (size_t i = 0; i < s.marks_n; i++) {
        one = json_array_get(list, i);
        marks[i].start =
            (size_t)json_integer_value(json_object_get(one, "start_char"));
        marks[i].end =
            (size_t)json_integer_value(json_object_get(one, "end_char"));
    }
    snippet_print(&s, q->r->arena, INDENT);
}

static void print_explained(const json_t *hit)
{
    const json_t *legs =
        json_object_get(json_object_get(hit, "explain"), "legs");

    for (size_t i = 0; i < json_array_size(legs); i++) {
        const json_t *leg = json_array_get(legs, i);
        const json_t *terms = json_object_get(leg, "terms");

        print_fmt("%*s", INDENT, "");
        print_clean(js_str(leg, "leg"));
        print_fmt(": rank %lld, raw %.4f, normalized %.4f%s x weight %.2f = "
                  "%.4f\n",
                  (long long)json_integer_value(json_object_get(leg, "rank")),
                  json_number_value(json_object_get(leg, "raw")),
                  json_number_value(json_object_get(leg, "normalized")),
                  json_is_number(json_object_get(leg, "neighbour_raw"))
                      ? " (of the passage beside it)"
                      : "",
                  json_number_value(json_object_get(leg, "weight")),
                  json_number_value(json_object_get(leg, "contribution")));
        for (size_t t = 0; t < json_array_size(terms); t++) {
            const json_t *term = json_array_get(terms, t);

            print_fmt("%*s", INDENT + 2, "");
            print_clean(js_str(term, "term"));
            print_fmt(" %.4f\n",
                      json_number_value(json_object_get(term, "weight")));
        }
    }
}

static size_t print_hits(const struct question *q, const json_t *results)
{
    size_t n = json_array_size(results);

    for (size_t i = 0; i < n; i++) {
        const json_t *hit = json_array_get(results, i);

        print_fmt("%s%2zu  ", i == 0 ? "" : "\n", i + 1);
        print_painted(PAINT_BOLD, js_str(hit, "document_title"));
        print_headings(hit);
        print_place(q, hit);
        print_snippet(q, hit);
        print_explained(hit);
    }
    return n;
}

/* Bases of several models: a ranking for each. */
static size_t print_groups(const struct question *q, const json_t *groups)
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);

        print_fmt("%sBases of the model ", i == 0 ? "" : "\n");
        print_clean(js_str(group, "embedding_model"));
        print_fmt(", ranked by themselves\n\n");
        n += print_hits(q, json_object_get(group, "results"));
    }
    return n;
}

static void print_answer(const struct question *q, const json_t *answer)
{
    const json_t *groups = json_object_get(answer, "grouped_results");
    size_t n = json_is_array(groups)
                   ? print_groups(q, groups)
                   : print_hits(q, json_object_get(answer, "results"));

    if (n == 0)
        say_note("nothing found");
    client_notices_say(q->bases, q->bases_n, answer);
}

static rc ask(struct question *q, struct err *e)
{
    const struct options *o = &q->r->o;
    bool json = option_flag(o, OPT_JSON);
    json_t *body, *answer;
    rc code = find_bases(q, e);

    if (code != RC_OK)
        return code;
    if (q->bases_n == 0)
        return err_set(e, RC_NOTFOUND,
                       "there are no bases yet: knowd add PATH makes one");
    body = client_search_request(q->bases, q->bases_n, str_of(o->args[0]));
    if (option_given(o, OPT_ALPHA))
        client_alpha_set(body, option_real(o, OPT_ALPHA));
    (void)json_object_set_new(
        body, "limit", json_integer((json_int_t)option_count(o, OPT_LIMIT)));
    if (option_flag(o, OPT_EXPLAIN))
        (void)json_object_set_new(body, "explain", json_true());
    if (!json)
        (void)json_object_set_new(body, "marks", json_true());
    code = client_call(q->c, "POST",
                       json ? CLIENT_K "/search" : "/knowd/v1/search", body,
                       &answer, e);
    if (code != RC_OK)
        return code;
    if (json)
        return print_json(answer, e);
    print_answer(q, answer);
    json_decref(answer);
    return RC_OK;
}

rc cmd_search(struct run *r, struct err *e)
{
    struct question q = {.r = r};
    rc code = client_open(&r->o, r->arena, &q.c, e);

    if (code == RC_OK)
        code = ask(&q, e);
    client_close(q.c);
    return code;
}
