/* From an ingest to its passages, and what becomes of duplicates. */
#include "app_fixture.h"

static void a_text_is_found_with_its_exact_place(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    uuid doc = fx_text(f, base, "Storms",
                       "# Storms\n\nA caf\xc3\xa9 by the sea.\n\n## Wind\n\n"
                       "The zephyrine gale blew over the harbour.\n");
    struct search_out out = fx_search(f, base, "zephyrine gale");
    struct document d = fx_document(f, doc);
    struct search_hit *h;
    char id[UUID_TEXT];

    assert_int_equal(out.hits_n, 1);
    h = &out.hits[0];
    uuid_text(doc, id);
    assert_true(uuid_eq(h->document, doc));
    assert_true(uuid_eq(h->base, base));
    assert_true(uuid_eq(h->version, d.active_version));
    assert_true(str_starts(h->chunk_id, str_of(id)));
    assert_true(str_find(h->content, STR("zephyrine gale")) < h->content.n);
    assert_true(str_eq(h->document_title, STR("Storms")));
    assert_true(str_eq(h->source_type, STR("text")));
    assert_true(h->end_char > h->start_char);
    assert_true(h->score > 0);
    assert_string_equal(d.state, "active");
    assert_true(d.chunk_count > 0);
    assert_int_equal(d.version_count, 1);
}

static void the_content_is_the_normalised_text_at_its_place(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    const char *text = "\xc3\xa9\xc3\xa9\xc3\xa9 one two\r\n\r\nthree quokka";
    struct search_out out;

    (void)fx_text(f, base, "t", text);
    out = fx_search(f, base, "quokka");
    assert_int_equal(out.hits_n, 1);
    /* \r\n became \n: 3 + 8 + 2 + 12 code points. */
    assert_int_equal(out.hits[0].start_char, 0);
    assert_int_equal(out.hits[0].end_char, 25);
    assert_true(
        str_eq(out.hits[0].content, STR("\xc3\xa9\xc3\xa9\xc3\xa9 one two\n\n"
                                        "three quokka")));
}

static struct upload *uploaded(struct fx *f, const char *bytes, size_t n)
{
    struct upload *u;
    struct err e = {0};

    fx_ok(upload_open(f->app, &u, &e), &e);
    for (size_t at = 0; at < n; at += 1000)
        fx_ok(upload_put(u, bytes + at, n - at < 1000 ? n - at : 1000, &e), &e);
    assert_int_equal(upload_bytes(u), n);
    return u;
}

static void a_large_file_is_streamed_and_found(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct buf text = {0};
    struct intake_item it = {.type = INTAKE_FILE, .filename = STR("big.txt")};
    struct intake in = {
        .base = base, .items = &it, .items_n = 1, .uploads_n = 1};
    struct fx_ingest i;
    struct upload *u;
    struct document d;
    struct search_out out;
    struct err e = {0};

    for (unsigned n = 0; n < 20000; n++)
        buf_fmt(&text, "Line %u of the file says word%u.\n\n", n, n);
    assert_int_equal(text.code, RC_OK);
    u = uploaded(f, text.p, text.n);
    in.uploads = &u;
    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    upload_close(u);
    fx_settle(f);
    d = fx_document(f, i.call.results[0].document);
    assert_string_equal(d.state, "active");
    assert_true(str_eq(d.title, STR("big.txt")));
    assert_true(str_eq(d.source_type, STR("file")));
    out = fx_search(f, base, "word19876");
    assert_int_equal(out.hits_n, 1);
    assert_true(str_find(out.hits[0].content, STR("word19876")) <
                out.hits[0].content.n);
    buf_close(&text);
}

static void an_upload_over_the_limit_is_refused(void **state)
{
    struct fx *f = *state;
    struct upload *u;
    struct err e = {0};

    fx_ok(upload_open(f->app, &u, &e), &e);
    f->app->limits.upload_bytes_max = 10;
    assert_int_equal(upload_put(u, "12345678", 8, &e), RC_OK);
    assert_int_equal(upload_put(u, "123", 3, &e), RC_LIMIT);
    upload_close(u);
    f->app->limits.upload_bytes_max = UPLOAD_BYTES_MAX;
}

static void the_same_text_again_is_a_duplicate(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), other = fx_base(f);
    uuid doc = fx_text(f, base, "first", "the same words");
    struct intake_item items[] = {fx_item("second", "the same words"),
                                  fx_item("third", "other words"),
                                  fx_item("fourth", "other words")};
    struct fx_ingest i;
    struct intake_result *r;
    struct job j;

    fx_ingest_items(f, base, items, NELEMS(items), &i);
    r = i.call.results;
    assert_true(r[0].duplicate);
    assert_true(uuid_is_nil(r[0].document));
    assert_true(uuid_eq(r[0].duplicate_document, doc));
    assert_true(
        uuid_eq(r[0].duplicate_version, fx_document(f, doc).active_version));
    assert_true(str_eq(r[0].duplicate_title, STR("first")));
    assert_false(r[1].duplicate);
    /* inside the manifest: the earlier item's document */
    assert_true(r[2].duplicate);
    assert_true(uuid_eq(r[2].duplicate_document, r[1].document));
    fx_settle(f);
    j = fx_job(f, i.call.job);
    assert_string_equal(j.status, "completed");
    assert_int_equal(j.total, 3);
    assert_int_equal(j.completed, 1);
    assert_int_equal(j.duplicate, 2);
    assert_true(j.progress_pct > 99.9);
    /* another base knows nothing of it */
    fx_ingest_items(f, other, items, 1, &i);
    assert_false(i.call.results[0].duplicate);
    fx_settle(f);
}

static void a_job_of_duplicates_ends_at_once(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("a", "words");
    struct fx_ingest i;
    struct job j;

    (void)fx_text(f, base, "a", "words");
    fx_ingest_items(f, base, &it, 1, &i);
    j = fx_job(f, i.call.job);
    assert_string_equal(j.status, "duplicate");
    assert_int_equal(j.duplicate, 1);
    assert_true(j.completed_ms != 0);
}

static void a_failed_document_can_be_sent_again(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = {.type = INTAKE_FILE, .filename = STR("a.bin")};
    struct upload *u = uploaded(f, "\x00\x01\x02\x7f\x45\x4c\x46\x00", 8);
    struct intake in = {.base = base,
                        .items = &it,
                        .items_n = 1,
                        .uploads = &u,
                        .uploads_n = 1};
    struct fx_ingest i;
    struct fx_versions l;
    struct err e = {0};

    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    upload_close(u);
    fx_settle(f);
    l = fx_versions(f, i.call.results[0].document);
    assert_int_equal(l.n, 1);
    assert_string_equal(l.v[0].state, "failed");
    assert_true(l.v[0].error.n > 0);
    assert_string_equal(fx_job(f, i.call.job).status, "failed");
    u = uploaded(f, "\x00\x01\x02\x7f\x45\x4c\x46\x00", 8);
    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    upload_close(u);
    assert_false(i.call.results[0].duplicate);
    fx_settle(f);
}

static void one_bad_document_leaves_its_neighbours_alone(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[3] = {
        fx_item("a", "aardvark"),
        {.type = INTAKE_FILE, .filename = STR("b.bin")},
        fx_item("c", "capybara")};
    struct upload *u = uploaded(f, "\x7f\x45\x4c\x46\x00\x00\x00\x01", 8);
    struct intake in = {.base = base,
                        .items = items,
                        .items_n = 3,
                        .uploads = &u,
                        .uploads_n = 1};
    struct fx_ingest i;
    struct job_item *v;
    struct job j;
    struct err e = {0};

    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    upload_close(u);
    fx_settle(f);
    j = fx_job(f, i.call.job);
    assert_string_equal(j.status, "partial_failure");
    assert_int_equal(j.completed, 2);
    assert_int_equal(j.failed, 1);
    assert_true(j.progress_pct > 99.9);
    v = fx_items(f, i.call.job);
    assert_string_equal(v[0].status, "completed");
    assert_string_equal(v[0].stage, "done");
    assert_string_equal(v[1].status, "failed");
    assert_true(v[1].error.n > 0);
    assert_int_equal(fx_search(f, base, "aardvark").hits_n, 1);
    assert_int_equal(fx_search(f, base, "capybara").hits_n, 1);
}

static void each_stage_leaves_a_log(void **state)
{
    static const char *const NAMES[] = {"prepare_document", "extract", "chunk",
                                        "index"};
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("a", "some words");
    struct fx_ingest i;
    struct job_item *v;

    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    v = fx_items(f, i.call.job);
    assert_int_equal(v[0].logs_n, 4);
    for (size_t k = 0; k < 4; k++) {
        json_t *in, *out;
        size_t at;

        assert_true(str_eq(v[0].logs[k].task, str_of(NAMES[k])));
        assert_true(str_eq(v[0].logs[k].status, STR("completed")));
        assert_int_equal(
            js_parse(v[0].logs[k].input, (struct js_limits){0}, &in, &at, NULL),
            RC_OK);
        assert_int_equal(js_parse(v[0].logs[k].output, (struct js_limits){0},
                                  &out, &at, NULL),
                         RC_OK);
        json_decref(in);
        json_decref(out);
    }
}

static void an_external_id_names_one_document(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[] = {fx_item("a", "first words"),
                                  fx_item("b", "first words"),
                                  fx_item("b", "second words")};
    struct fx_ingest i;
    struct fx_versions l;
    uuid doc;

    items[0].external_id = STR("ext");
    fx_ingest_items(f, base, items, 1, &i);
    fx_settle(f);
    doc = i.call.results[0].document;
    assert_true(str_eq(fx_document(f, doc).external_id, STR("ext")));
    /* the same text under the same id */
    fx_ingest_items(f, base, items, 1, &i);
    assert_true(i.call.results[0].duplicate);
    assert_true(uuid_eq(i.call.results[0].duplicate_document, doc));
    /* the same text under another id or none is another document */
    items[1].external_id = STR("ext2");
    fx_ingest_items(f, base, items + 1, 1, &i);
    assert_false(i.call.results[0].duplicate);
    assert_false(uuid_eq(i.call.results[0].document, doc));
    items[1].external_id = STR_NONE;
    fx_ingest_items(f, base, items + 1, 1, &i);
    assert_false(i.call.results[0].duplicate);
    /* new text under the same id is the next version */
    items[2].external_id = STR("ext");
    fx_ingest_items(f, base, items + 2, 1, &i);
    assert_false(i.call.results[0].duplicate);
    assert_true(uuid_eq(i.call.results[0].document, doc));
    fx_settle(f);
    l = fx_versions(f, doc);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].number, 2);
    assert_string_equal(l.v[0].state, "active");
    assert_string_equal(l.v[1].state, "archived");
    assert_true(str_eq(fx_document(f, doc).title, STR("b")));
}

static void versions_of_one_manifest_end_in_its_order(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[8];
    struct fx_ingest i;
    struct fx_versions l;

    for (size_t k = 0; k < NELEMS(items); k++) {
        items[k] = fx_item("a", arena_fmt(f->out, "text number %zu", k).p);
        items[k].external_id = STR("one");
    }
    fx_ingest_items(f, base, items, NELEMS(items), &i);
    fx_settle(f);
    l = fx_versions(f, i.call.results[0].document);
    assert_int_equal(l.n, NELEMS(items));
    assert_string_equal(l.v[0].state, "active");
    for (size_t k = 1; k < l.n; k++)
        assert_string_equal(l.v[k].state, "archived");
}

static void a_manifest_with_faults_queues_nothing(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[] = {fx_item("a", "words"), fx_item("", "words"),
                                  fx_item("c", "  \n")};
    struct intake in = {.base = base, .items = items, .items_n = 3};
    struct fx_ingest i;
    struct err e = {0};

    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_INVALID);
    assert_int_equal(i.call.faults.n, 2);
    assert_int_equal(i.call.faults.v[0].path[0].index, 1);
    assert_true(str_eq(i.call.faults.v[0].path[1].name, STR("title")));
    assert_int_equal(i.call.faults.v[1].path[0].index, 2);
    assert_true(str_eq(i.call.faults.v[1].path[1].name, STR("content")));
    /* a document that isn't there: the good item before it is not queued */
    items[1] = fx_item("b", "words b");
    items[1].has_document = true;
    items[1].document = uuid_new();
    in.items_n = 2;
    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_NOTFOUND);
    fx_settle(f);
    assert_int_equal(fx_search(f, base, "words").hits_n, 0);
}

static void an_unknown_base_is_not_there(void **state)
{
    struct fx *f = *state;
    struct intake_item it = fx_item("a", "words");
    struct intake in = {.base = uuid_new(), .items = &it, .items_n = 1};
    struct fx_ingest i;
    struct err e = {0};

    assert_int_equal(fx_ingest(f, &in, &i, &e), RC_NOTFOUND);
}

static void metadata_is_kept(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("a", "words");
    struct fx_ingest i;

    it.metadata = STR("{\"lang\":\"en\"}");
    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    assert_true(str_eq(fx_document(f, i.call.results[0].document).metadata,
                       STR("{\"lang\":\"en\"}")));
}

static void many_documents_all_become_active(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item *items = ARENA_ARRAY(f->out, struct intake_item, 500);
    struct fx_ingest i;

    for (unsigned k = 0; k < 500; k++)
        items[k] = fx_item("t", arena_fmt(f->out, "unique%u and more", k).p);
    fx_ingest_items(f, base, items, 500, &i);
    fx_settle(f);
    assert_int_equal(fx_job(f, i.call.job).completed, 500);
    for (unsigned k = 0; k < 500; k += 50)
        assert_int_equal(
            fx_search(f, base, arena_fmt(f->out, "unique%u", k).p).hits_n, 1);
}

/* Each has its own text, though they come from the child in bundles. */
static void documents_are_read_many_at_once(void **state)
{
    enum { MANY = 300 };
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item *items = ARENA_ARRAY(f->out, struct intake_item, MANY);
    struct extract_figures before, after;
    struct fx_ingest i;

    for (unsigned k = 0; k < MANY; k++) /* lengths come again, texts don't */
        items[k] = fx_item("t", arena_fmt(f->out, "only%03u in here", k).p);
    extract_figures(f->app->extractor, &before);
    fx_ingest_items(f, base, items, MANY, &i);
    fx_settle(f);
    extract_figures(f->app->extractor, &after);
    assert_int_equal(fx_job(f, i.call.job).completed, MANY);
    assert_in_range(after.asks - before.asks, 1, MANY / 4);
    for (unsigned k = 0; k < MANY; k++) {
        str word = arena_fmt(f->out, "only%03u", k);
        struct search_out out = fx_search(f, base, word.p);

        assert_int_equal(out.hits_n, 1);
        assert_true(uuid_eq(out.hits[0].document, i.call.results[k].document));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_open, fx_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_is_found_with_its_exact_place),
        TEST(the_content_is_the_normalised_text_at_its_place),
        TEST(a_large_file_is_streamed_and_found),
        TEST(an_upload_over_the_limit_is_refused),
        TEST(the_same_text_again_is_a_duplicate),
        TEST(a_job_of_duplicates_ends_at_once),
        TEST(a_failed_document_can_be_sent_again),
        TEST(one_bad_document_leaves_its_neighbours_alone),
        TEST(each_stage_leaves_a_log),
        TEST(an_external_id_names_one_document),
        TEST(versions_of_one_manifest_end_in_its_order),
        TEST(a_manifest_with_faults_queues_nothing),
        TEST(an_unknown_base_is_not_there),
        TEST(metadata_is_kept),
        TEST(many_documents_all_become_active),
        TEST(documents_are_read_many_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
