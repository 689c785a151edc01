/* From the lines a child gives to the page and box of a search's answer; and
 * children that lie about them. */
#include "app_fixture.h"

#include <ftw.h>

#include "base/file.h"

#define LINES_A_PAGE 3

/* Places line n of a text on page 1 + n / 3, in the box of its number there. */
static void lines_place(struct doc *d, struct arena *out)
{
    size_t cap = 0, n = 0;

    for (size_t at = 0; at < d->text.n; n++) {
        size_t bytes = str_find_char(str_sub(d->text, at, d->text.n), '\n');
        float k = (float)(n % LINES_A_PAGE);
        struct doc_line l = {.start = at,
                             .end = at + bytes,
                             .page = (uint32_t)(n / LINES_A_PAGE) + 1,
                             .box = {72, 100 + 20 * k, 500 + k, 112 + 20 * k}};

        if (bytes > 0)
            ARENA_PUSH(out, d->lines, d->lines_n, cap, l);
        at += bytes + 1;
    }
    d->pages = (uint32_t)(n / LINES_A_PAGE) + 1;
}

static rc paged_work(str input, struct said said, struct arena *arena,
                     struct buf *to, struct err *e)
{
    struct doc d;
    rc code = extract_bytes(input, said, arena, &d, e);

    if (code != RC_OK)
        return code;
    lines_place(&d, arena);
    if (str_starts(input, STR("LIE order")))
        d.lines[1].start = 0;
    if (str_starts(input, STR("LIE outside")))
        d.lines[d.lines_n - 1].end = d.text.n + 1;
    if (str_starts(input, STR("LIE page")))
        d.lines[0].page = d.pages + 1;
    if (str_starts(input, STR("LIE flag")))
        doc_flag_add(&d, (struct doc_flag){.kind = DOC_FLAG_COUNT}, arena);
    return doc_encode(&d, to, e);
}

static int paged_open(void **state)
{
    struct fx *f = calloc(1, sizeof *f);

    *state = f;
    if (f == NULL || scratch_open(&f->dir) != 0)
        return 1;
    f->out = arena_open();
    fx_start_with(f, paged_work);
    return 0;
}

/* Line 30, the first of page 11, is the heading "Pumps"; its passage begins
 * there and goes on over the next pages. */
#define PUMPS_LINE 30

static uuid book_add(struct fx *f, uuid base)
{
    struct buf b = {0};
    uuid doc;

    buf_put(&b, STR("# Manual\n\n"));
    for (unsigned i = 3; i < PUMPS_LINE; i++)
        buf_fmt(&b, "Valve number %u is closed by hand.\n", i);
    buf_put(&b, STR("\n## Pumps\n\n"));
    for (unsigned i = 0; i < 20; i++)
        buf_fmt(&b, "Pump number %u %s and is oiled.\n", i,
                i == 7 ? "drips" : "turns");
    doc = fx_text(f, base, "Book", arena_cstr(f->out, buf_str(&b)));
    buf_close(&b);
    return doc;
}

/* On its first page stand the heading, nothing, and one line. */
static void book_is_found(struct fx *f, uuid base)
{
    struct search_out res = fx_search(f, base, "drips");
    const struct search_hit *h = res.hits;

    assert_int_equal(res.hits_n, 1);
    assert_true(str_starts(h->content, STR("## Pumps\n\nPump number 0")));
    assert_int_equal(h->page, 1 + PUMPS_LINE / LINES_A_PAGE);
    assert_true(h->box[0] == 72 && h->box[1] == 100 && h->box[2] == 502 &&
                h->box[3] == 152);
    assert_int_equal(h->headings_n, 2);
    assert_true(str_eq(h->headings[0], STR("Manual")));
    assert_true(str_eq(h->headings[1], STR("Pumps")));
}

struct patch {
    uuid id;
    struct document_in in;
    struct document d;
};

static rc patch_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct patch *p = arg;

    return app_document_update(f->app, &f->who, db, p->id, &p->in, f->out,
                               &p->d, e);
}

static int segment_drop(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_F && str_ends(str_of(path), STR(".seg")) ? remove(path)
                                                                : 0;
}

static void line_print(void *arg, const char *line)
{
    (void)arg;
    print_error("check: %s\n", line);
}

static void a_passage_has_the_page_and_box_of_its_lines(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);

    (void)book_add(f, base);
    book_is_found(f, base);
}

/* A new title cuts and indexes the stored text and blocks again. */
static void indexed_again_it_has_the_same_place(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = book_add(f, base);
    struct patch p = {.id = doc,
                      .in = {.set_title = true, .title = STR("Tome")}};
    struct err e = {0};

    fx_ok(fx_write(f, patch_op, &p, &e), &e);
    fx_settle(f);
    assert_int_equal(fx_search(f, base, "tome").hits_n > 0, true);
    book_is_found(f, base);
}

static void merged_segments_keep_the_place(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct engine_stats st;
    struct err e = {0};

    (void)book_add(f, base);
    for (unsigned i = 0; i < 12; i++)
        (void)fx_text(f, base, "other",
                      arena_fmt(f->out, "Other text, number %u.", i).p);
    fx_ok(engine_settle(f->app->engine, clock_mono_ns() + FX_WAIT_NS, &e), &e);
    engine_stats(f->app->engine, &st);
    assert_true(st.merges > 0);
    book_is_found(f, base);
}

static void an_index_made_from_the_store_has_the_same_place(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    int64_t until = clock_mono_ns() + FX_WAIT_NS;
    struct err e = {0};
    uint64_t faults;
    str dir;

    (void)book_add(f, base);
    fx_stop(f);
    dir = arena_fmt(f->out, "%s/index", (const char *)f->dir);
    assert_int_equal(nftw(dir.p, segment_drop, 8, FTW_PHYS), 0);
    fx_start(f); /* no child reads a file now */
    /* The look over the indexes runs beside; it queues, then this settles. */
    while (fx_search(f, base, "drips").hits_n == 0 && clock_mono_ns() < until)
        fx_settle(f);
    fx_settle(f);
    book_is_found(f, base);
    /* the row of the lost one goes behind */
    fx_ok(engine_settle(f->app->engine, clock_mono_ns() + FX_WAIT_NS, &e), &e);
    fx_stop(f);
    fx_ok(app_check(f->dir, true, line_print, NULL, &faults, &e), &e);
    assert_int_equal(faults, 0);
    fx_start(f);
}

static void a_child_that_lies_costs_its_document_alone(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[] = {
        fx_item("a", "LIE order\nof lines"),
        fx_item("b", "LIE outside\nof the text"),
        fx_item("c", "LIE page\nthat is not there"),
        fx_item("d", "LIE flag\nof no kind"),
        fx_item("e", "An honest text\nbeside the others"),
    };
    struct fx_ingest i;
    struct job_item *v;

    fx_ingest_items(f, base, items, NELEMS(items), &i);
    fx_settle(f);
    v = fx_items(f, i.call.job);
    for (size_t k = 0; k + 1 < NELEMS(items); k++) {
        assert_string_equal(v[k].status, "failed");
        assert_true(str_eq(v[k].error, STR("The file made its reader fail")));
    }
    assert_string_equal(v[NELEMS(items) - 1].status, "completed");
    assert_int_equal(fx_search(f, base, "honest").hits_n, 1);
    assert_int_equal(fx_search(f, base, "lie").hits_n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_passage_has_the_page_and_box_of_its_lines, paged_open, fx_close),
        cmocka_unit_test_setup_teardown(indexed_again_it_has_the_same_place,
                                        paged_open, fx_close),
        cmocka_unit_test_setup_teardown(merged_segments_keep_the_place,
                                        paged_open, fx_close),
        cmocka_unit_test_setup_teardown(
            an_index_made_from_the_store_has_the_same_place, paged_open,
            fx_close),
        cmocka_unit_test_setup_teardown(
            a_child_that_lies_costs_its_document_alone, paged_open, fx_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
