/* Documents and versions, links, lists and who may see what. */
#include "app_fixture.h"

/* ---- short words ---- */

static struct fx_ingest next_version(struct fx *f, uuid base, uuid doc,
                                     const char *content, bool draft)
{
    struct intake_item it = fx_item("title", content);
    struct fx_ingest i;

    it.has_document = true;
    it.document = doc;
    it.draft = draft;
    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    return i;
}

struct promote {
    uuid document, version, previous;
};

static rc promote_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct promote *p = arg;

    return app_version_promote(f->app, &f->who, db, p->document, p->version,
                               &p->previous, e);
}

static rc version_delete_op(struct fx *f, struct db *db, void *arg,
                            struct err *e)
{
    struct promote *p = arg;

    return app_version_delete(f->app, &f->who, db, p->document, p->version, e);
}

static rc document_delete_op(struct fx *f, struct db *db, void *arg,
                             struct err *e)
{
    return app_document_delete(f->app, &f->who, db, *(uuid *)arg, e);
}

static rc base_delete_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    return app_base_delete(f->app, &f->who, db, *(uuid *)arg, e);
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

static rc retry_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    uint64_t n;

    return app_job_retry(f->app, &f->who, db, *(uuid *)arg, &n, e);
}

static rc counts_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct fx_get *g = arg;

    return app_base_counts(f->app, &f->who, db, g->id, g->to, e);
}

static struct base_counts counts(struct fx *f, uuid base)
{
    struct base_counts c;
    struct err e = {0};

    fx_ok(fx_read(f, counts_op, &(struct fx_get){base, &c}, &e), &e);
    return c;
}

/* ---- versions ---- */

static void a_new_version_takes_over_and_the_old_one_is_archived(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "old walrus");
    struct fx_versions l;

    (void)next_version(f, base, doc, "new narwhal", false);
    l = fx_versions(f, doc);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.v[0].state, "active");
    assert_int_equal(l.v[0].number, 2);
    assert_string_equal(l.v[1].state, "archived");
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 0);
    assert_int_equal(fx_search(f, base, "narwhal").hits_n, 1);
    assert_int_equal(fx_document(f, doc).version_count, 2);
    assert_int_equal(counts(f, base).active, 1);
    assert_int_equal(counts(f, base).archived, 0);
    /* What was archived may be sent again and makes the third. */
    assert_false(next_version(f, base, doc, "old walrus", false)
                     .call.results[0]
                     .duplicate);
    assert_int_equal(fx_versions(f, doc).n, 3);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 1);
}

static void a_draft_waits_until_it_is_promoted(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "old walrus");
    struct fx_found s = {.in = {.query = STR("narwhal"),
                                .bases = &base,
                                .bases_n = 1,
                                .limit = 10,
                                .alpha = -1}};
    struct promote p = {.document = doc};
    struct fx_versions l;
    struct err e = {0};
    uuid first = fx_document(f, doc).active_version;

    (void)next_version(f, base, doc, "new narwhal", true);
    l = fx_versions(f, doc);
    assert_string_equal(l.v[0].state, "draft");
    assert_string_equal(l.v[1].state, "active");
    assert_int_equal(fx_search(f, base, "narwhal").hits_n, 0);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 1);
    s.in.prefer_draft = true;
    fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
    assert_int_equal(s.out.hits_n, 1);
    p.version = l.v[0].id;
    fx_ok(fx_write(f, promote_op, &p, &e), &e);
    assert_true(uuid_eq(p.previous, first));
    assert_int_equal(fx_search(f, base, "narwhal").hits_n, 1);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 0);
    /* the old one by an override */
    s.in =
        (struct search_in){.query = STR("walrus"),
                           .bases = &base,
                           .bases_n = 1,
                           .limit = 10,
                           .alpha = -1,
                           .overrides = &(struct search_override){doc, first},
                           .overrides_n = 1};
    fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
    assert_int_equal(s.out.hits_n, 1);
    /* and back */
    p.version = first;
    fx_ok(fx_write(f, promote_op, &p, &e), &e);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 1);
}

static void a_new_draft_document_is_a_draft(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("t", "walrus");
    struct fx_ingest i;

    it.draft = true;
    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    assert_string_equal(fx_document(f, i.call.results[0].document).state,
                        "draft");
    assert_int_equal(counts(f, base).draft, 1);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 0);
}

static void an_override_of_a_foreign_version_is_refused(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), one = fx_text(f, base, "1", "walrus"),
         two = fx_text(f, base, "2", "narwhal");
    struct search_override o = {one, fx_document(f, two).active_version};
    struct fx_found s = {.in = {.query = STR("walrus"),
                                .bases = &base,
                                .bases_n = 1,
                                .limit = 10,
                                .alpha = -1,
                                .overrides = &o,
                                .overrides_n = 1}};
    struct err e = {0};

    assert_int_equal(fx_read(f, fx_search_op, &s, &e), RC_INVALID);
    assert_string_equal(e.name, "bad_request");
}

static void the_active_version_stays(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus");
    struct promote p = {.document = doc};
    struct err e = {0};

    p.version = fx_document(f, doc).active_version;
    assert_int_equal(fx_write(f, version_delete_op, &p, &e), RC_INVALID);
    assert_string_equal(e.name, "version_active");
    (void)next_version(f, base, doc, "narwhal", false);
    fx_ok(fx_write(f, version_delete_op, &p, &e), &e);
    assert_int_equal(fx_versions(f, doc).n, 1);
    assert_int_equal(fx_write(f, version_delete_op, &p, &e), RC_NOTFOUND);
}

static rc version_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct fx_get *g = arg;
    struct version v;
    rc code = app_version_get(f->app, &f->who, db, g->id, *(str *)g->to, f->out,
                              &v, e);

    if (code == RC_OK)
        *(str *)g->to = arena_fmt(f->out, "%u", v.number);
    return code;
}

static void a_version_answers_to_id_number_and_alias(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus");
    char id[UUID_TEXT];
    struct {
        str ref, number;
    } rows[] = {{STR("active"), STR("1")},
                {STR("draft"), STR("3")},
                {STR("latest"), STR("3")},
                {STR("2"), STR("2")},
                {STR_NONE, STR("1")}};
    str unknown[] = {STR("0"), STR("4"), STR("oldest"), STR("")};
    struct err e = {0};

    (void)next_version(f, base, doc, "one", true);
    (void)next_version(f, base, doc, "two", true);
    uuid_text(fx_document(f, doc).active_version, id);
    rows[4].ref = str_of(id);
    for (size_t i = 0; i < NELEMS(rows); i++) {
        fx_ok(fx_read(f, version_op, &(struct fx_get){doc, &rows[i].ref}, &e),
              &e);
        assert_true(str_eq(rows[i].ref, rows[i].number));
    }
    for (size_t i = 0; i < NELEMS(unknown); i++)
        assert_int_equal(
            fx_read(f, version_op, &(struct fx_get){doc, &unknown[i]}, &e),
            RC_NOTFOUND);
}

/* ---- changing and deleting ---- */

static void a_new_title_is_searched_by(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "before", "some words");
    struct patch p = {.id = doc,
                      .in = {.set_title = true, .title = STR("Quixotic")}};
    struct err e = {0};

    assert_int_equal(fx_search(f, base, "quixotic").hits_n, 0);
    fx_ok(fx_write(f, patch_op, &p, &e), &e);
    assert_true(str_eq(p.d.title, STR("Quixotic")));
    fx_settle(f);
    assert_int_equal(fx_search(f, base, "quixotic").hits_n, 1);
    assert_int_equal(fx_search(f, base, "before").hits_n, 0);
    assert_int_equal(fx_search(f, base, "words").hits_n, 1);
    assert_string_equal(fx_document(f, doc).state, "active");
}

static void a_deleted_document_is_gone_at_once(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus");
    struct document d;
    struct err e = {0};

    fx_ok(fx_write(f, document_delete_op, &doc, &e), &e);
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 0);
    assert_int_equal(fx_read(f, fx_document_op, &(struct fx_get){doc, &d}, &e),
                     RC_NOTFOUND);
    assert_int_equal(fx_write(f, document_delete_op, &doc, &e), RC_NOTFOUND);
    /* and may come again */
    (void)fx_text(f, base, "t", "walrus");
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 1);
}

static void a_deleted_base_takes_everything_along(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus");
    struct intake_item it = fx_item("u", "waits");
    struct fx_ingest i;
    struct document d;
    struct job j;
    struct err e = {0};
    uuid doomed = base;

    fx_ingest_items(f, base, &it, 1, &i); /* may still be at work */
    fx_ok(fx_write(f, base_delete_op, &doomed, &e), &e);
    assert_int_equal(fx_read(f, fx_document_op, &(struct fx_get){doc, &d}, &e),
                     RC_NOTFOUND);
    assert_int_equal(
        fx_read(f, fx_job_op, &(struct fx_get){i.call.job, &j}, &e),
        RC_NOTFOUND);
    fx_settle(f);
    /* the rest of the program goes on */
    base = fx_base(f);
    (void)fx_text(f, base, "t", "walrus");
    assert_int_equal(fx_search(f, base, "walrus").hits_n, 1);
}

static rc base_off_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct base_in in = {.set = {.active = true}, .active = false};
    struct base b;

    return app_base_update(f->app, &f->who, db, *(uuid *)arg, &in, f->out, &b,
                           e);
}

static void an_inactive_base_is_left_out(void **state)
{
    struct fx *f = *state;
    uuid bases[2];
    struct fx_found s = {.in = {.query = STR("walrus"),
                                .bases = bases,
                                .bases_n = 2,
                                .limit = 10,
                                .alpha = -1}};
    struct err e = {0};

    for (size_t i = 0; i < 2; i++) {
        bases[i] = fx_base(f);
        (void)fx_text(f, bases[i], "t", "walrus");
    }
    fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
    assert_int_equal(s.out.hits_n, 2);
    fx_ok(fx_write(f, base_off_op, &bases[1], &e), &e);
    fx_ok(fx_read(f, fx_search_op, &s, &e), &e);
    assert_int_equal(s.out.hits_n, 1);
    assert_true(uuid_eq(s.out.hits[0].base, bases[0]));
}

/* ---- what the index lost ---- */

static int segment_drop(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)st;
    (void)at;
    return type == FTW_F && str_ends(str_of(path), STR(".seg")) ? remove(path)
                                                                : 0;
}

static void a_lost_segment_is_made_again_from_the_store(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    int64_t until = clock_mono_ns() + FX_WAIT_NS;
    size_t hits = 0;

    (void)fx_text(f, base, "t", "walrus");
    (void)next_version(f, base, fx_text(f, base, "u", "narwhal"), "seal",
                       false);
    fx_stop(f);
    assert_int_equal(nftw(f->dir, segment_drop, 8, FTW_PHYS), 0);
    fx_start(f);
    /* The look over the indexes runs beside; it queues, then this settles. */
    while (hits == 0 && clock_mono_ns() < until) {
        fx_settle(f);
        hits = fx_search(f, base, "walrus").hits_n;
    }
    fx_settle(f);
    assert_int_equal(hits, 1);
    assert_int_equal(fx_search(f, base, "seal").hits_n, 1);
    assert_int_equal(fx_search(f, base, "narwhal").hits_n, 0);
}

/* ---- retry ---- */

static void only_failed_items_are_tried_again(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item items[] = {
        fx_item("a", "walrus"),
        {.type = INTAKE_FILE, .filename = STR("b.bin")}};
    struct upload *u;
    struct intake in = {.base = base,
                        .items = items,
                        .items_n = 2,
                        .uploads = &u,
                        .uploads_n = 1};
    struct fx_ingest i;
    struct job j;
    struct err e = {0};

    fx_ok(upload_open(f->app, &u, &e), &e);
    fx_ok(upload_put(u,
                     "\x7f"
                     "ELF\0\0\0",
                     7, &e),
          &e);
    fx_ok(fx_ingest(f, &in, &i, &e), &e);
    upload_close(u);
    fx_settle(f);
    assert_string_equal(fx_job(f, i.call.job).status, "partial_failure");
    fx_ok(fx_write(f, retry_op, &i.call.job, &e), &e);
    j = fx_job(f, i.call.job);
    assert_int_equal(j.completed, 1);
    fx_settle(f);
    j = fx_job(f, i.call.job);
    assert_string_equal(j.status, "partial_failure");
    assert_int_equal(j.completed, 1);
    assert_int_equal(j.failed, 1);
}

static void a_job_that_went_well_is_not_retried(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct intake_item it = fx_item("a", "walrus");
    struct fx_ingest i;
    struct err e = {0};

    fx_ingest_items(f, base, &it, 1, &i);
    fx_settle(f);
    assert_int_equal(fx_write(f, retry_op, &i.call.job, &e), RC_INVALID);
    assert_string_equal(e.name, "job_not_retryable");
}

/* ---- lists ---- */

struct list {
    uuid base;
    struct app_page page;
    struct document *v;
    size_t n;
    struct app_page_end end;
};

static rc list_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct list *l = arg;

    return app_document_list(f->app, &f->who, db, l->base, &l->page, f->out,
                             &l->v, &l->n, &l->end, e);
}

static void pages_go_newest_first_without_gap_or_repeat(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f);
    struct list l = {.base = base, .page = {.limit = 2}};
    struct intake_item items[5];
    struct fx_ingest i;
    struct err e = {0};
    size_t at = 5;

    for (size_t k = 0; k < 5; k++)
        items[k] = fx_item("t", arena_fmt(f->out, "text %zu", k).p);
    fx_ingest_items(f, base, items, 5, &i);
    do {
        fx_ok(fx_read(f, list_op, &l, &e), &e);
        for (size_t k = 0; k < l.n; k++)
            assert_true(uuid_eq(l.v[k].id, i.call.results[--at].document));
        assert_int_equal(l.end.more, l.end.next_cursor.n > 0);
        l.page.cursor = l.end.next_cursor;
    } while (l.end.more);
    assert_int_equal(at, 0);
    fx_settle(f);
}

static void a_cursor_is_good_for_its_own_list_only(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), other = fx_base(f);
    struct list l = {.base = base, .page = {.limit = 1}};
    struct err e = {0};
    char *bent;
    str good;

    (void)fx_text(f, base, "a", "one");
    (void)fx_text(f, base, "b", "two");
    fx_ok(fx_read(f, list_op, &l, &e), &e);
    good = l.end.next_cursor;
    l.page.cursor = good;
    fx_ok(fx_read(f, list_op, &l, &e), &e);
    for (size_t i = 0; i < good.n; i++) {
        bent = arena_cstr(f->out, good);
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        l.page.cursor = str_of(bent);
        e = (struct err){0};
        assert_int_equal(fx_read(f, list_op, &l, &e), RC_INVALID);
        assert_string_equal(e.name, "bad_request");
    }
    l.page.cursor = str_sub(good, 0, good.n - 1);
    assert_int_equal(fx_read(f, list_op, &l, &e), RC_INVALID);
    l.page.cursor = good;
    l.base = other;
    assert_int_equal(fx_read(f, list_op, &l, &e), RC_INVALID);
}

/* ---- links ---- */

struct linked {
    str path, expires, signature;
    struct download d;
};

static rc download_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct linked *l = arg;

    return app_download(f->app, db, l->path, l->signature, l->expires, f->out,
                        &l->d, e);
}

static rc body_op(struct fx *f, struct db *db, void *arg, struct err *e)
{
    struct linked *l = arg;

    return app_blob_read(f->app, db, l->d.blob, 0, 1000, f->out, &l->path, e);
}

static struct linked linked(str url)
{
    struct linked l = {0};
    str rest;

    assert_true(str_starts(url, STR("http://h:1/v1/")));
    assert_true(str_cut(str_sub(url, 10, url.n), '?', &l.path, &rest));
    assert_true(str_cut(rest, '&', &l.expires, &l.signature));
    l.expires = str_sub(l.expires, 8, l.expires.n);
    l.signature = str_sub(l.signature, 10, l.signature.n);
    return l;
}

static void links_lead_to_the_bytes(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "one\r\ntwo\n");
    struct document d = fx_document(f, doc);
    struct linked l = linked(d.download_url);
    struct err e = {0};

    fx_ok(fx_read(f, download_op, &l, &e), &e);
    assert_int_equal(l.d.bytes, 9);
    fx_ok(fx_read(f, body_op, &l, &e), &e);
    assert_true(str_eq(l.path, STR("one\r\ntwo\n")));
    l = linked(d.normalized_download_url);
    fx_ok(fx_read(f, download_op, &l, &e), &e);
    fx_ok(fx_read(f, body_op, &l, &e), &e);
    assert_true(str_starts(l.path, STR("one\ntwo")));
}

static void a_bent_or_old_link_leads_nowhere(void **state)
{
    struct fx *f = *state;
    uuid base = fx_base(f), doc = fx_text(f, base, "t", "walrus");
    struct linked good = linked(fx_document(f, doc).download_url);
    struct err e = {0};

    for (size_t i = 0; i < good.signature.n; i++) {
        struct linked l = good;
        char *bent = arena_cstr(f->out, good.signature);

        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        l.signature = str_of(bent);
        assert_int_equal(fx_read(f, download_op, &l, &e), RC_NOTFOUND);
    }
    for (size_t i = 0; i < good.path.n; i++) {
        struct linked l = good;
        char *bent = arena_cstr(f->out, good.path);

        bent[i] ^= 1;
        l.path = str_of(bent);
        assert_int_equal(fx_read(f, download_op, &l, &e), RC_NOTFOUND);
    }
    for (size_t i = 0; i < good.expires.n; i++) {
        struct linked l = good;
        char *bent = arena_cstr(f->out, good.expires);

        bent[i] = bent[i] == '9' ? '8' : '9';
        l.expires = str_of(bent);
        assert_int_equal(fx_read(f, download_op, &l, &e), RC_NOTFOUND);
    }
    fx_ok(fx_read(f, download_op, &good, &e), &e);
    clock_test_advance(3601 * 1000);
    assert_int_equal(fx_read(f, download_op, &good, &e), RC_NOTFOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_open, fx_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_version_takes_over_and_the_old_one_is_archived),
        TEST(a_draft_waits_until_it_is_promoted),
        TEST(a_new_draft_document_is_a_draft),
        TEST(an_override_of_a_foreign_version_is_refused),
        TEST(the_active_version_stays),
        TEST(a_version_answers_to_id_number_and_alias),
        TEST(a_new_title_is_searched_by),
        TEST(a_deleted_document_is_gone_at_once),
        TEST(a_deleted_base_takes_everything_along),
        TEST(an_inactive_base_is_left_out),
        TEST(a_lost_segment_is_made_again_from_the_store),
        TEST(only_failed_items_are_tried_again),
        TEST(a_job_that_went_well_is_not_retried),
        TEST(pages_go_newest_first_without_gap_or_repeat),
        TEST(a_cursor_is_good_for_its_own_list_only),
        TEST(links_lead_to_the_bytes),
        TEST(a_bent_or_old_link_leads_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
