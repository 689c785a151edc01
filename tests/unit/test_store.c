/* Rows of store/: what goes in comes back, counted, and only for its tenant. */
#include "store_fixture.h"

static struct fix f;

static int set_up(void **state)
{
    (void)state;
    fix_open(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fix_close(&f);
    return 0;
}

static struct db *reading(void)
{
    struct db *db;

    must(store_read_begin(f.s, &db, &f.e), &f.e);
    return db;
}

static struct job_row job_of(uuid id)
{
    struct job_row j = {0};
    struct db *db = reading();

    must(db_job_get(db, f.tenant, f.base, id, f.a, &j, &f.e), &f.e);
    store_read_end(db);
    return j;
}

static void no_damage(bool deep);

static void say(void *arg, const char *line)
{
    (void)arg;
    print_error("%s\n", line);
}

static void no_damage(bool deep)
{
    uint64_t found = 1;

    must(store_check(f.s, deep, say, NULL, &found, &f.e), &f.e);
    assert_int_equal(found, 0);
}

static void a_document_comes_back_as_it_was_put(void **state)
{
    struct intake_doc d;
    struct document_row row = {0};
    struct version_row v = {0};
    struct db *db;
    str text;

    (void)state;
    intake(&f, &d, STR("hello world"));
    db = reading();
    must(db_document_get(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    assert_true(str_eq(row.title, STR("a title of a document")));
    assert_null(row.external_id.p);
    assert_int_equal(row.state, VERSION_PENDING);
    assert_int_equal(row.version_count, 1);
    assert_int_equal(row.version_number, 1);
    assert_true(uuid_eq(row.version, d.version));
    assert_true(uuid_is_nil(row.active_version));
    assert_false(row.has_text);
    must(db_version_get(db, f.tenant, f.base, d.version, f.a, &v, &f.e), &f.e);
    assert_true(sha256_eq(&v.original.sha, &d.ref.sha));
    assert_int_equal(v.original.bytes, 11);
    assert_null(v.filename.p);
    must(blob_read(db, &v.original.sha, 100, f.a, &text, &f.e), &f.e);
    assert_true(str_eq(text, STR("hello world")));
    store_read_end(db);
    no_damage(true);
}

static void another_tenant_finds_nothing(void **state)
{
    struct intake_doc d;
    uuid other = uuid_new(), base;
    struct document_row row = {0};
    struct version_row v = {0};
    struct job_row j = {0};
    struct base_row b = {0};
    struct db *db;

    (void)state;
    intake(&f, &d, STR("hello"));
    db = reading();
    assert_int_equal(
        db_document_get(db, other, f.base, d.document, f.a, &row, &f.e),
        RC_NOTFOUND);
    assert_int_equal(
        db_version_get(db, other, f.base, d.version, f.a, &v, &f.e),
        RC_NOTFOUND);
    assert_int_equal(db_job_get(db, other, f.base, d.job, f.a, &j, &f.e),
                     RC_NOTFOUND);
    assert_int_equal(db_base_get(db, other, f.base, f.a, &b, &f.e),
                     RC_NOTFOUND);
    assert_int_equal(
        db_object_find(db, other, OBJECT_DOCUMENT, d.document, &base, &f.e),
        RC_NOTFOUND);
    assert_int_equal(
        db_object_find(db, f.tenant, OBJECT_JOB, d.document, &base, &f.e),
        RC_NOTFOUND);
    must(db_object_find(db, f.tenant, OBJECT_DOCUMENT, d.document, &base, &f.e),
         &f.e);
    assert_true(uuid_eq(base, f.base));
    store_read_end(db);
}

static void a_list_is_newest_first_and_pages(void **state)
{
    struct intake_doc d[5];
    struct document_row *v;
    struct db *db;
    size_t n;
    bool more;

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i++)
        intake(&f, &d[i], noise(&f, 100, i));
    db = reading();
    must(db_document_list(db, f.tenant, f.base, (struct page_req){.limit = 3},
                          f.a, &v, &n, &more, &f.e),
         &f.e);
    assert_int_equal(n, 3);
    assert_true(more);
    assert_true(uuid_eq(v[0].id, d[4].document));
    must(db_document_list(db, f.tenant, f.base,
                          (struct page_req){.before = v[2].id, .limit = 3}, f.a,
                          &v, &n, &more, &f.e),
         &f.e);
    assert_int_equal(n, 2);
    assert_false(more);
    assert_true(uuid_eq(v[1].id, d[0].document));
    store_read_end(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document_comes_back_as_it_was_put,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_tenant_finds_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_list_is_newest_first_and_pages,
                                        set_up, tear_down),
    };

    (void)job_of;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
