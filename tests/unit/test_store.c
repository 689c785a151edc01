/* Rows of store/: what goes in comes back, counted, and only for its tenant. */
#include "store_fixture.h"

#include "store/store_priv.h"

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

/* ---- documents and versions ---- */

struct set_state {
    struct intake_doc *d;
    enum version_state version, document;
};

static rc set_states(struct db *db, void *arg, struct err *e)
{
    struct set_state *s = arg;
    struct version_row v = {0};
    struct document_row d = {0};
    rc code = db_version_get(db, f.tenant, f.base, s->d->version, f.a, &v, e);

    v.state = s->version;
    v.error = s->version == VERSION_FAILED ? STR("unreadable") : STR_NONE;
    if (code == RC_OK)
        code = db_version_update(db, &v, e);
    if (code == RC_OK)
        code =
            db_document_get(db, f.tenant, f.base, s->d->document, f.a, &d, e);
    d.state = s->document;
    d.active_version = s->version == VERSION_ACTIVE ? v.id : UUID_NIL;
    if (code == RC_OK)
        code = db_document_update(db, &d, e);
    return code;
}

static void documents_are_counted_by_state(void **state)
{
    uint64_t counts[VERSION_STATE_COUNT];
    struct intake_doc d[4];
    struct base_row b = {0};
    struct db *db;

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i++)
        intake(&f, &d[i], noise(&f, 10, i));
    for (size_t i = 0; i < 2; i++)
        must(
            do_write(f.s, set_states,
                     &(struct set_state){&d[i], VERSION_ACTIVE, VERSION_ACTIVE},
                     &f.e),
            &f.e);
    must(do_write(f.s, set_states,
                  &(struct set_state){&d[2], VERSION_FAILED, VERSION_FAILED},
                  &f.e),
         &f.e);
    must(do_write(f.s, delete_doc, &d[0], &f.e), &f.e);
    db = reading();
    must(db_document_states(db, f.tenant, f.base, counts, &f.e), &f.e);
    assert_int_equal(counts[VERSION_PENDING], 1);
    assert_int_equal(counts[VERSION_ACTIVE], 1);
    assert_int_equal(counts[VERSION_FAILED], 1);
    must(db_base_get(db, f.tenant, f.base, f.a, &b, &f.e), &f.e);
    assert_int_equal(b.document_count, 3);
    store_read_end(db);
    no_damage(true);
}

struct second {
    struct intake_doc *d;
    struct blob_writer *text, *blocks;
    struct blob_ref text_ref, blocks_ref;
    uuid version;
};

static rc add_text(struct db *db, void *arg, struct err *e)
{
    struct second *s = arg;
    struct version_row v = {0};
    rc code = blob_use(db, s->text, e);

    if (code == RC_OK)
        code = blob_use(db, s->blocks, e);
    if (code == RC_OK)
        code = db_version_get(db, f.tenant, f.base, s->d->version, f.a, &v, e);
    v.state = VERSION_ACTIVE;
    v.has_text = true;
    v.text = s->text_ref;
    v.blocks = s->blocks_ref;
    v.mime = STR("text/markdown");
    v.chunk_count = 7;
    v.token_count = 1234;
    if (code == RC_OK)
        code = db_version_update(db, &v, e);
    return code;
}

static struct blob_writer *body(str text, struct blob_ref *ref)
{
    struct blob_writer *w;

    must(blob_writer_open(f.s, &w, &f.e), &f.e);
    must(blob_put(w, text.p, text.n, &f.e), &f.e);
    must(blob_end(w, ref, &f.e), &f.e);
    return w;
}

static void give_text(struct intake_doc *d, str text)
{
    struct second s = {.d = d};

    s.text = body(text, &s.text_ref);
    s.blocks = body(STR("blocks"), &s.blocks_ref);
    must(do_write(f.s, add_text, &s, &f.e), &f.e);
    blob_writer_close(s.text);
    blob_writer_close(s.blocks);
}

static void a_new_text_replaces_the_old_one(void **state)
{
    sha256 old = sha256_of(STR("first text"));
    struct document_row row = {0};
    struct version_row v = {0};
    struct intake_doc d;
    struct db *db;
    str text;

    (void)state;
    intake(&f, &d, STR("raw"));
    give_text(&d, STR("first text"));
    give_text(&d, STR("first text"));
    no_damage(true);
    give_text(&d, STR("second text"));
    db = reading();
    must(db_version_get(db, f.tenant, f.base, d.version, f.a, &v, &f.e), &f.e);
    assert_true(v.has_text);
    assert_true(str_eq(v.mime, STR("text/markdown")));
    must(blob_read(db, &v.text.sha, 100, f.a, &text, &f.e), &f.e);
    assert_true(str_eq(text, STR("second text")));
    assert_int_equal(blob_read(db, &old, 100, f.a, &text, &f.e), RC_NOTFOUND);
    must(db_document_get(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    assert_true(row.has_text);
    assert_int_equal(row.chunk_count, 7);
    assert_int_equal(row.token_count, 1234);
    store_read_end(db);
    no_damage(true);
    must(do_write(f.s, delete_doc, &d, &f.e), &f.e);
    db = reading();
    assert_int_equal(blob_read(db, &v.text.sha, 100, f.a, &text, &f.e),
                     RC_NOTFOUND);
    store_read_end(db);
    no_damage(true);
}

struct more_versions {
    struct intake_doc *d;
    uuid ids[3];
};

/* Versions 2 to 4 of a document, drafts all. */
static rc add_versions(struct db *db, void *arg, struct err *e)
{
    struct more_versions *m = arg;
    struct version_row v = {0};
    rc code = db_version_get(db, f.tenant, f.base, m->d->version, f.a, &v, e);

    for (uint32_t i = 0; code == RC_OK && i < 3; i++) {
        v.id = m->ids[i] = uuid_new();
        v.number = 2 + i;
        v.state = VERSION_DRAFT;
        code = db_version_put(db, &v, e);
    }
    return code;
}

static rc drop_version(struct db *db, void *arg, struct err *e)
{
    return db_version_drop(db, f.tenant, f.base, *(uuid *)arg, e);
}

static void versions_are_listed_numbered_and_dropped(void **state)
{
    struct intake_doc d;
    struct more_versions m = {.d = &d};
    struct version_row *v, one = {0};
    struct indexed_version *iv;
    struct document_row row = {0};
    struct db *db;
    bool governs;
    size_t n;

    (void)state;
    intake(&f, &d, STR("raw"));
    must(do_write(f.s, add_versions, &m, &f.e), &f.e);
    assert_int_equal(do_write(f.s, add_versions, &m, &f.e), RC_CONFLICT);
    /* The refused write has put new ids into m; the rows have the old ones. */
    db = reading();
    must(db_version_list(db, f.tenant, f.base, d.document, f.a, &v, &n, &f.e),
         &f.e);
    assert_int_equal(n, 4);
    assert_int_equal(v[0].number, 4);
    must(db_version_by_number(db, f.tenant, f.base, d.document, 2, f.a, &one,
                              &f.e),
         &f.e);
    assert_true(uuid_eq(one.id, v[2].id));
    must(db_versions_draft(db, f.tenant, f.base, f.a, &iv, &n, &f.e), &f.e);
    assert_int_equal(n, 1);
    assert_true(uuid_eq(iv[0].version, v[0].id));
    assert_int_equal(iv[0].number, 4);
    must(db_versions_indexed(db, f.base, f.a, &iv, &n, &f.e), &f.e);
    assert_int_equal(n, 3);
    must(db_document_get(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    assert_true(uuid_eq(row.version, v[0].id));
    assert_int_equal(row.version_count, 4);
    must(db_document_row(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    assert_true(uuid_is_nil(row.version)); /* of the row alone */
    assert_true(row.title.n > 0);
    for (size_t i = 0; i < 4; i++) {
        must(db_document_governed(db, &row, v[i].id, &governs, &f.e), &f.e);
        assert_int_equal(governs, i == 0); /* the newest */
        row.active_version = v[2].id;
        must(db_document_governed(db, &row, v[i].id, &governs, &f.e), &f.e);
        assert_int_equal(governs, i == 2);
        row.active_version = UUID_NIL;
    }
    store_read_end(db);
    must(do_write(f.s, drop_version, &v[0].id, &f.e), &f.e);
    no_damage(true);
}

struct version_set {
    uuid id;
    enum version_state state;
    uint32_t extractor;
};

static rc set_version(struct db *db, void *arg, struct err *e)
{
    struct version_set *s = arg;
    struct version_row v = {0};
    rc code = db_version_get(db, f.tenant, f.base, s->id, f.a, &v, e);

    v.state = s->state;
    v.extractor_version = s->extractor;
    v.found_title = STR("A title");
    v.language = STR("de");
    v.doc_created = STR("2020-02-02");
    v.pages = 3;
    v.ocr_confidence = 90;
    v.flags = STR("[]");
    v.text_since = (uint64_t)1 << 40;
    return code == RC_OK ? db_version_update(db, &v, e) : code;
}

static void what_a_document_says_of_itself_is_kept(void **state)
{
    struct intake_doc d;
    struct version_row v = {0};
    struct version_set s = {.state = VERSION_ACTIVE, .extractor = 2};
    struct hit_row h;
    struct db *db;

    (void)state;
    intake(&f, &d, STR("hello"));
    s.id = d.version;
    must(do_write(f.s, set_version, &s, &f.e), &f.e);
    db = reading();
    must(db_version_get(db, f.tenant, f.base, d.version, f.a, &v, &f.e), &f.e);
    assert_true(str_eq(v.found_title, STR("A title")));
    assert_true(str_eq(v.language, STR("de")));
    assert_true(str_eq(v.doc_created, STR("2020-02-02")));
    assert_null(v.doc_modified.p);
    assert_int_equal(v.pages, 3);
    assert_int_equal(v.ocr_confidence, 90);
    assert_true(str_eq(v.flags, STR("[]")));
    must(db_hit(db, f.base, d.version, f.a, &h, &f.e), &f.e);
    store_read_end(db);
    assert_true(h.text_since == (uint64_t)1 << 40);
}

static void old_versions_come_in_slices_and_each_once(void **state)
{
    static const struct version_set SETS[] = {
        {{{0}}, VERSION_ACTIVE, 1},     {{{0}}, VERSION_ACTIVE, 2},
        {{{0}}, VERSION_PENDING, 0},    {{{0}}, VERSION_FAILED, 0},
        {{{0}}, VERSION_FAILED, 2},     {{{0}}, VERSION_ARCHIVED, 1},
        {{{0}}, VERSION_PROCESSING, 1}, {{{0}}, VERSION_DRAFT, 1}};
    struct intake_doc d[NELEMS(SETS) + 1];
    struct old_version *v;
    uuid got[NELEMS(SETS)], next = UUID_NIL;
    size_t n, got_n = 0, slices = 0;
    struct db *db;

    (void)state;
    for (size_t i = 0; i < NELEMS(SETS); i++) {
        struct version_set s = SETS[i];

        intake(&f, &d[i], arena_fmt(f.a, "text %zu", i));
        s.id = d[i].version;
        must(do_write(f.s, set_version, &s, &f.e), &f.e);
    }
    db = reading();
    do {
        must(db_versions_old(db, f.base, 2, next, 3, f.a, &v, &n, &next, &f.e),
             &f.e);
        for (size_t i = 0; i < n; i++)
            got[got_n++] = v[i].version;
        slices++;
    } while (!uuid_is_nil(next));
    assert_int_equal(slices, 3);
    assert_int_equal(got_n, 4);
    assert_true(uuid_eq(got[0], d[0].version));
    assert_true(uuid_eq(got[1], d[3].version));
    assert_true(uuid_eq(got[2], d[5].version));
    assert_true(uuid_eq(got[3], d[7].version));
    /* all of them, but none that is being read */
    must(
        db_versions_old(db, f.base, 0, UUID_NIL, 100, f.a, &v, &n, &next, &f.e),
        &f.e);
    assert_int_equal(n, 6);
    assert_true(str_eq(v[0].title, STR("a title of a document")));
    assert_true(uuid_eq(v[0].document, d[0].document));
    /* nor a failed one whose file came in once more */
    store_read_end(db);
    intake(&f, &d[NELEMS(SETS)], STR("text 3"));
    db = reading();
    must(
        db_versions_old(db, f.base, 2, UUID_NIL, 100, f.a, &v, &n, &next, &f.e),
        &f.e);
    assert_int_equal(n, 3);
    store_read_end(db);
}

static rc put_external(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct document_row row = {.id = d->document,
                               .base = f.base,
                               .tenant = f.tenant,
                               .title = STR("t"),
                               .metadata = STR("{}"),
                               .external_id = STR("their-1"),
                               .source_type = STR("text")};
    struct version_row v = {.id = d->version,
                            .document = d->document,
                            .base = f.base,
                            .tenant = f.tenant,
                            .number = 1,
                            .metadata = STR("{}"),
                            .original = d->ref};
    rc code = blob_use(db, d->body, e);

    if (code == RC_OK)
        code = db_document_put(db, &row, e);
    return code == RC_OK ? db_version_put(db, &v, e) : code;
}

static void content_is_found_again_unless_archived_failed_or_named(void **state)
{
    struct intake_doc d, named;
    struct version_row v = {0};
    struct document_row row = {0};
    struct db *db;

    (void)state;
    intake(&f, &d, STR("same"));
    intake_prepare(&f, &named, STR("named"));
    must(do_write(f.s, put_external, &named, &f.e), &f.e);
    db = reading();
    must(db_version_by_content(db, f.tenant, f.base, &d.ref.sha, f.a, &v, &f.e),
         &f.e);
    assert_true(uuid_eq(v.id, d.version));
    assert_int_equal(db_version_by_content(db, f.tenant, f.base, &named.ref.sha,
                                           f.a, &v, &f.e),
                     RC_NOTFOUND);
    must(db_document_by_external_id(db, f.tenant, f.base, STR("their-1"), f.a,
                                    &row, &f.e),
         &f.e);
    assert_true(uuid_eq(row.id, named.document));
    store_read_end(db);
    named.document = uuid_new();
    named.version = uuid_new();
    assert_int_equal(do_write(f.s, put_external, &named, &f.e), RC_CONFLICT);
    blob_writer_close(named.body);
    must(do_write(f.s, set_states,
                  &(struct set_state){&d, VERSION_FAILED, VERSION_FAILED},
                  &f.e),
         &f.e);
    db = reading();
    assert_int_equal(
        db_version_by_content(db, f.tenant, f.base, &d.ref.sha, f.a, &v, &f.e),
        RC_NOTFOUND);
    store_read_end(db);
}

static void a_hit_finds_its_document(void **state)
{
    struct intake_doc d;
    struct hit_row h = {0};
    struct db *db;

    (void)state;
    intake(&f, &d, STR("raw"));
    give_text(&d, STR("text"));
    db = reading();
    must(db_hit(db, f.base, d.version, f.a, &h, &f.e), &f.e);
    assert_true(uuid_eq(h.document, d.document));
    assert_int_equal(h.number, 1);
    assert_int_equal(h.sensitivity, 10);
    assert_null(h.external_id.p);
    store_read_end(db);
}

/* ---- jobs ---- */

static void a_jobs_status_follows_its_items(void **state)
{
    /* queued, processing, completed, partial, failed, duplicate, quarantined */
    static const struct {
        uint64_t counts[JOB_STATUS_COUNT];
        enum job_status is;
    } ROWS[] = {
        {{0}, JOB_QUEUED},
        {{3}, JOB_QUEUED},
        {{3, 0, 0, 0, 0, 2}, JOB_QUEUED},
        {{3, 0, 1}, JOB_PROCESSING},
        {{0, 1}, JOB_PROCESSING},
        {{2, 0, 0, 0, 1}, JOB_PROCESSING},
        {{0, 0, 4}, JOB_COMPLETED},
        {{0, 0, 3, 0, 0, 1}, JOB_COMPLETED},
        {{0, 0, 0, 0, 0, 5}, JOB_DUPLICATE},
        {{0, 0, 0, 0, 0, 0, 5}, JOB_QUARANTINED},
        {{0, 0, 0, 0, 2}, JOB_FAILED},
        {{0, 0, 1, 0, 2}, JOB_PARTIAL_FAILURE},
        {{0, 0, 0, 0, 2, 1}, JOB_PARTIAL_FAILURE},
        {{0, 0, 1, 0, 0, 0, 1}, JOB_COMPLETED},
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(ROWS); i++)
        assert_int_equal(job_status_of(ROWS[i].counts), ROWS[i].is);
}

struct job_spec {
    uuid id;
    const char *kind;
    size_t items, duplicates;
    int64_t run_at_ms;
    enum item_class class;
};

static rc put_job(struct db *db, void *arg, struct err *e)
{
    struct job_spec *s = arg;
    rc code = db_job_put(db,
                         &(struct job_row){.id = s->id,
                                           .base = f.base,
                                           .tenant = f.tenant,
                                           .kind = str_of(s->kind),
                                           .total = s->items,
                                           .created_ms = 1},
                         e);

    for (size_t i = 0; code == RC_OK && i < s->items; i++)
        code = db_item_put(db,
                           &(struct item_row){.job = s->id,
                                              .base = f.base,
                                              .tenant = f.tenant,
                                              .class = s->class,
                                              .index = (uint32_t)i,
                                              .run_at_ms = s->run_at_ms,
                                              .status = i < s->duplicates
                                                            ? JOB_DUPLICATE
                                                            : JOB_QUEUED},
                           e);
    return code;
}

struct lease {
    size_t max, shares;
    int64_t now_ms, next_ms;
    struct item_row *v;
    size_t n;
};

static rc lease(struct db *db, void *arg, struct err *e)
{
    struct lease *l = arg;

    return db_items_lease(db, l->max, l->shares, l->now_ms, f.a, &l->v, &l->n,
                          &l->next_ms, e);
}

static struct lease leased(size_t max, int64_t now_ms)
{
    struct lease l = {.max = max, .shares = 1, .now_ms = now_ms};

    must(do_write(f.s, lease, &l, &f.e), &f.e);
    return l;
}

static rc end_item(struct db *db, void *arg, struct err *e)
{
    return db_item_update(db, arg, e);
}

static void finish(struct item_row *i, enum job_status status)
{
    i->status = status;
    i->stage = STAGE_DONE;
    must(do_write(f.s, end_item, i, &f.e), &f.e);
}

static size_t leased_of_shares(size_t max, size_t shares)
{
    struct lease l = {.max = max, .shares = shares, .now_ms = 10};

    must(do_write(f.s, lease, &l, &f.e), &f.e);
    return l.n;
}

static void a_lease_leaves_the_others_their_share(void **state)
{
    struct job_spec job = {uuid_new(), "bulk", 7, 0, 0, ITEM_NEW};

    (void)state;
    must(do_write(f.s, put_job, &job, &f.e), &f.e);
    assert_int_equal(leased_of_shares(100, 2), 4); /* of 7, rounded up */
    assert_int_equal(leased_of_shares(1, 2), 1);
    assert_int_equal(leased_of_shares(100, 4), 1);
    assert_int_equal(leased_of_shares(100, 1), 1);
    assert_int_equal(leased_of_shares(100, 2), 0);
}

static void the_queue_gives_the_oldest_job_first_class_by_class(void **state)
{
    struct job_spec last = {uuid_new(), "reprocess", 1, 0, 0, ITEM_REPROCESS};
    struct job_spec late = {uuid_new(), "reindex", 1, 0, 0, ITEM_REINDEX};
    struct job_spec first = {uuid_new(), "bulk", 2, 0, 0, ITEM_NEW};
    struct job_spec second = {uuid_new(), "bulk", 2, 0, 0, ITEM_NEW};
    struct lease l;

    (void)state;
    must(do_write(f.s, put_job, &last, &f.e), &f.e);
    must(do_write(f.s, put_job, &late, &f.e), &f.e);
    must(do_write(f.s, put_job, &first, &f.e), &f.e);
    must(do_write(f.s, put_job, &second, &f.e), &f.e);
    l = leased(3, 10);
    assert_int_equal(l.n, 3);
    assert_true(uuid_eq(l.v[0].job, first.id));
    assert_int_equal(l.v[1].index, 1);
    assert_true(uuid_eq(l.v[2].job, second.id));
    assert_int_equal(l.v[0].attempts, 1);
    assert_int_equal(l.v[0].status, JOB_PROCESSING);
    assert_int_equal(l.v[0].started_ms, 10);
    l = leased(3, 10);
    assert_int_equal(l.n, 1);
    assert_true(uuid_eq(l.v[0].job, second.id));
    l = leased(3, 10);
    assert_int_equal(l.n, 1);
    assert_true(uuid_eq(l.v[0].job, late.id));
    assert_int_equal(l.v[0].class, ITEM_REINDEX);
    l = leased(3, 10);
    assert_int_equal(l.n, 1);
    assert_true(uuid_eq(l.v[0].job, last.id));
    assert_int_equal(l.v[0].class, ITEM_REPROCESS);
    l = leased(3, 10);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.next_ms, 0);
    no_damage(true);
}

static rc put_back(struct db *db, void *arg, struct err *e)
{
    struct item_row *i = arg;

    i->status = JOB_QUEUED;
    return db_item_update(db, i, e);
}

static void a_lease_passes_over_what_is_not_due(void **state)
{
    struct job_spec job = {uuid_new(), "bulk", 6, 2, 0, ITEM_NEW};
    struct lease first, l;

    (void)state;
    must(do_write(f.s, put_job, &job, &f.e), &f.e); /* 0 and 1: duplicates */
    first = leased(3, 10);
    assert_int_equal(first.n, 3);
    finish(&first.v[0], JOB_COMPLETED);
    must(do_write(f.s, put_back, &first.v[2], &f.e), &f.e);
    first.v[1].run_at_ms = 100;
    must(do_write(f.s, put_back, &first.v[1], &f.e), &f.e);
    l = leased(10, 20);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].index, 4);
    assert_int_equal(l.v[0].attempts, 2);
    assert_int_equal(l.v[1].index, 5);
    assert_int_equal(l.v[1].attempts, 1);
    l = leased(10, 100);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.v[0].index, 3);
    no_damage(true);
}

static void an_item_waits_for_its_time(void **state)
{
    struct job_spec s = {uuid_new(), "bulk", 1, 0, 5000, ITEM_NEW};
    struct lease l;

    (void)state;
    must(do_write(f.s, put_job, &s, &f.e), &f.e);
    l = leased(4, 4999);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.next_ms, 5000);
    l = leased(4, 5000);
    assert_int_equal(l.n, 1);
}

static rc unlease(struct db *db, void *arg, struct err *e)
{
    return db_items_unlease(db, arg, e);
}

static void what_a_dead_process_held_is_queued_again(void **state)
{
    struct job_spec s = {uuid_new(), "bulk", 3, 1, 0, ITEM_NEW};
    struct lease l;
    uint64_t n;

    (void)state;
    must(do_write(f.s, put_job, &s, &f.e), &f.e);
    assert_int_equal(job_of(s.id).status, JOB_QUEUED);
    l = leased(9, 10);
    assert_int_equal(l.n, 2);
    assert_int_equal(job_of(s.id).status, JOB_PROCESSING);
    must(do_write(f.s, unlease, &n, &f.e), &f.e);
    assert_int_equal(n, 2);
    l = leased(9, 20);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].attempts, 2);
    finish(&l.v[0], JOB_COMPLETED);
    finish(&l.v[1], JOB_COMPLETED);
    assert_int_equal(job_of(s.id).status, JOB_COMPLETED);
    assert_int_equal(job_of(s.id).counts[JOB_DUPLICATE], 1);
    assert_true(job_of(s.id).completed_ms > 0);
    no_damage(true);
}

static rc retry(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    uint64_t n;
    rc code = db_job_retry(db, f.tenant, f.base, d->job, &n, e);

    if (code == RC_OK)
        assert_int_equal(n, 1);
    return code;
}

static void a_retry_queues_failed_items_with_their_versions(void **state)
{
    uint64_t counts[VERSION_STATE_COUNT];
    struct intake_doc d;
    struct lease l;
    struct version_row v = {0};
    struct db *db;

    (void)state;
    intake(&f, &d, STR("bad file"));
    l = leased(1, 10);
    must(do_write(f.s, set_states,
                  &(struct set_state){&d, VERSION_FAILED, VERSION_FAILED},
                  &f.e),
         &f.e);
    l.v[0].error = STR("unreadable");
    finish(&l.v[0], JOB_FAILED);
    assert_int_equal(job_of(d.job).status, JOB_FAILED);
    must(do_write(f.s, retry, &d, &f.e), &f.e);
    assert_int_equal(job_of(d.job).status, JOB_QUEUED);
    assert_int_equal(job_of(d.job).completed_ms, 0);
    db = reading();
    must(db_version_get(db, f.tenant, f.base, d.version, f.a, &v, &f.e), &f.e);
    assert_int_equal(v.state, VERSION_PENDING);
    assert_null(v.error.p);
    must(db_document_states(db, f.tenant, f.base, counts, &f.e), &f.e);
    assert_int_equal(counts[VERSION_PENDING], 1);
    assert_int_equal(counts[VERSION_FAILED], 0);
    store_read_end(db);
    l = leased(1, 20);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.v[0].attempts, 1);
    assert_null(l.v[0].error.p);
    no_damage(true);
}

static void jobs_are_listed_by_status(void **state)
{
    struct job_spec s[3] = {{uuid_new(), "bulk", 1, 0, 0, ITEM_NEW},
                            {uuid_new(), "bulk", 1, 1, 0, ITEM_NEW},
                            {uuid_new(), "bulk", 1, 0, 0, ITEM_NEW}};
    struct page_req p = {.limit = 10};
    struct job_row *v;
    struct lease l;
    struct db *db;
    size_t n;
    bool more;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        must(do_write(f.s, put_job, &s[i], &f.e), &f.e);
    l = leased(1, 10);
    finish(&l.v[0], JOB_COMPLETED);
    db = reading();
    must(db_job_list(db, f.tenant, f.base, 0, p, f.a, &v, &n, &more, &f.e),
         &f.e);
    assert_int_equal(n, 3);
    assert_true(uuid_eq(v[0].id, s[2].id));
    must(db_job_list(db, f.tenant, f.base, 1u << JOB_COMPLETED, p, f.a, &v, &n,
                     &more, &f.e),
         &f.e);
    assert_int_equal(n, 1);
    assert_true(uuid_eq(v[0].id, s[0].id));
    must(db_job_list(db, f.tenant, f.base,
                     1u << JOB_QUEUED | 1u << JOB_PROCESSING, p, f.a, &v, &n,
                     &more, &f.e),
         &f.e);
    assert_int_equal(n, 1);
    assert_true(uuid_eq(v[0].id, s[2].id));
    store_read_end(db);
}

/* Two stages of a try; the second failed. */
static rc put_logs(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct log_row v[2] = {{.id = uuid_new(),
                            .base = d->f->base,
                            .tenant = d->f->tenant,
                            .job = d->job,
                            .document = d->document,
                            .task = STR("extract"),
                            .status = STR("completed"),
                            .input = STR("{\"bytes\":3}"),
                            .output = STR("{}"),
                            .started_ms = 1000,
                            .duration_us = 12000}};

    v[1] = v[0];
    v[1].task = STR("chunk");
    v[1].status = STR("failed");
    v[1].error = STR("it says \"no\"\n");
    return db_logs_put(db, v, NELEMS(v), e);
}

/* A row of one log, as the first version wrote them. */
static rc put_old_log(struct db *db, void *arg, struct err *e)
{
    struct intake_doc *d = arg;
    struct q q = q_open(
        db, "INSERT INTO log(base, job, id, tenant, document, task, status,"
            " input, output, error, started_ms, completed_ms, duration_us)"
            " VALUES(?1, ?2, ?3, ?4, ?5, 'index', 'completed', '{}', '{}',"
            " NULL, 5, 6, 7)");

    q_uuid(&q, d->f->base);
    q_uuid(&q, d->job);
    q_uuid(&q, uuid_new());
    q_uuid(&q, d->f->tenant);
    q_uuid(&q, d->document);
    return q_run(&q, NULL, e);
}

static void items_and_logs_of_a_job_are_listed(void **state)
{
    struct intake_doc d;
    struct item_row *items, one = {0};
    struct log_row *logs;
    struct db *db;
    size_t n;
    bool more;

    (void)state;
    intake(&f, &d, STR("text"));
    must(do_write(f.s, put_logs, &d, &f.e), &f.e);
    must(do_write(f.s, put_old_log, &d, &f.e), &f.e);
    db = reading();
    must(db_item_list(db, f.tenant, d.job, 0, 10, f.a, &items, &n, &more, &f.e),
         &f.e);
    assert_int_equal(n, 1);
    assert_true(uuid_eq(items[0].version, d.version));
    must(db_item_list(db, uuid_new(), d.job, 0, 10, f.a, &items, &n, &more,
                      &f.e),
         &f.e);
    assert_int_equal(n, 0);
    must(db_item_get(db, d.job, 0, f.a, &one, &f.e), &f.e);
    assert_int_equal(db_item_get(db, d.job, 1, f.a, &one, &f.e), RC_NOTFOUND);
    must(db_log_list(db, f.tenant, d.job, d.document, f.a, &logs, &n, &f.e),
         &f.e);
    assert_int_equal(n, 3);
    assert_false(uuid_eq(logs[0].id, logs[1].id));
    assert_true(uuid_eq(logs[1].document, d.document));
    assert_true(str_eq(logs[0].input, STR("{\"bytes\":3}")));
    assert_true(str_eq(logs[0].status, STR("completed")));
    assert_int_equal(logs[0].error.n, 0);
    assert_int_equal(logs[0].completed_ms, 1012);
    assert_true(str_eq(logs[1].task, STR("chunk")));
    assert_true(str_eq(logs[1].error, STR("it says \"no\"\n")));
    assert_true(str_eq(logs[2].task, STR("index")));
    assert_int_equal(logs[2].duration_us, 7);
    store_read_end(db);
}

/* ---- tenants, keys, bases ---- */

static rc put_keys(struct db *db, void *arg, struct err *e)
{
    uuid *ids = arg;
    struct key_row k = {.tenant = f.tenant,
                        .name = STR("ci"),
                        .prefix = STR("kn_ab"),
                        .scopes = 5,
                        .active = true};
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < 2; i++) {
        k.id = ids[i];
        k.hash = sha256_of((str){(const char *)ids[i].b, 16});
        code = db_key_put(db, &k, e);
    }
    return code == RC_OK ? db_key_touch(db, ids[0], 77, e) : code;
}

static rc drop_key(struct db *db, void *arg, struct err *e)
{
    return db_key_drop(db, f.tenant, *(uuid *)arg, e);
}

static void keys_are_found_by_hash_until_dropped(void **state)
{
    uuid ids[2] = {uuid_new(), uuid_new()};
    sha256 hash = sha256_of((str){(const char *)ids[0].b, 16});
    struct key_row k = {0}, *v;
    struct db *db;
    uint64_t count;
    size_t n;

    (void)state;
    must(do_write(f.s, put_keys, ids, &f.e), &f.e);
    db = reading();
    must(db_key_by_hash(db, &hash, f.a, &k, &f.e), &f.e);
    assert_true(uuid_eq(k.id, ids[0]));
    assert_int_equal(k.scopes, 5);
    assert_int_equal(k.last_used_ms, 77);
    must(db_key_list(db, f.tenant, f.a, &v, &n, &f.e), &f.e);
    assert_int_equal(n, 2);
    assert_true(uuid_eq(v[0].id, ids[1]));
    store_read_end(db);
    must(do_write(f.s, drop_key, &ids[0], &f.e), &f.e);
    assert_int_equal(do_write(f.s, drop_key, &ids[0], &f.e), RC_NOTFOUND);
    db = reading();
    assert_int_equal(db_key_by_hash(db, &hash, f.a, &k, &f.e), RC_NOTFOUND);
    must(db_key_count(db, &count, &f.e), &f.e);
    assert_int_equal(count, 1);
    store_read_end(db);
    no_damage(true);
}

static rc put_tenant_again(struct db *db, void *arg, struct err *e)
{
    struct tenant_row t = {.id = uuid_new(), .name = STR("acme")};

    (void)arg;
    return db_tenant_put(db, &t, e);
}

static void a_tenants_name_is_its_own(void **state)
{
    struct tenant_row t = {0};
    struct db *db;

    (void)state;
    assert_int_equal(do_write(f.s, put_tenant_again, NULL, &f.e), RC_CONFLICT);
    db = reading();
    must(db_tenant_by_name(db, STR("acme"), f.a, &t, &f.e), &f.e);
    assert_true(uuid_eq(t.id, f.tenant));
    must(db_tenant_get(db, f.tenant, f.a, &t, &f.e), &f.e);
    store_read_end(db);
}

static rc segments(struct db *db, void *arg, struct err *e)
{
    uint64_t *ids = arg;
    rc code = db_segment_next(db, f.base, &ids[0], e);

    if (code == RC_OK)
        code = db_segment_next(db, f.base, &ids[1], e);
    for (size_t i = 0; code == RC_OK && i < 2; i++)
        code = db_segment_put(
            db, &(struct segment_row){.base = f.base, .id = ids[i], .rows = 9},
            e);
    return code == RC_OK ? db_segment_drop(db, f.base, ids[0], e) : code;
}

static void segment_ids_ascend_and_are_listed(void **state)
{
    struct segment_row *v;
    struct db *db;
    uint64_t a[2], b[2];
    size_t n;

    (void)state;
    must(do_write(f.s, segments, a, &f.e), &f.e);
    must(do_write(f.s, segments, b, &f.e), &f.e);
    assert_true(a[0] < a[1] && a[1] < b[0] && b[0] < b[1]);
    db = reading();
    must(db_segment_list(db, f.base, f.a, &v, &n, &f.e), &f.e);
    assert_int_equal(n, 2);
    assert_int_equal(v[0].id, a[1]);
    assert_int_equal(v[1].rows, 9);
    store_read_end(db);
}

/* ---- a base goes ---- */

static rc delete_base(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_base_delete(db, f.tenant, f.base, e);
}

static rc purge(struct db *db, void *arg, struct err *e)
{
    return db_purge_slice(db, 2, arg, e);
}

static uint64_t rows_left(void)
{
    struct db *db = reading();
    struct q q = q_open(
        db, "SELECT (SELECT count(*) FROM base) +"
            " (SELECT count(*) FROM base_state) + (SELECT count(*) FROM job)"
            " + (SELECT count(*) FROM item) + (SELECT count(*) FROM log) +"
            " (SELECT count(*) FROM document) + (SELECT count(*) FROM version)"
            " + (SELECT count(*) FROM segment) + (SELECT count(*) FROM blob)"
            " + (SELECT count(*) FROM body)"
            " + (SELECT count(*) FROM object WHERE base IS NOT NULL)");
    uint64_t n = q_row(&q) ? q_get_uint(&q) : 0;

    must(q_end(&q, &f.e), &f.e);
    store_read_end(db);
    return n;
}

static void a_deleted_base_is_hidden_at_once_and_purged_in_slices(void **state)
{
    struct intake_doc d[5];
    struct base_row b = {0}, *list;
    struct lease l;
    struct db *db;
    uint64_t ids[2];
    uuid base, *all;
    size_t n, slices = 0;
    bool more = true;

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i++) {
        intake(&f, &d[i], noise(&f, i == 0 ? 100000 : 100, i));
        must(do_write(f.s, put_logs, &d[i], &f.e), &f.e);
    }
    must(do_write(f.s, segments, ids, &f.e), &f.e);
    must(do_write(f.s, delete_base, NULL, &f.e), &f.e);
    assert_int_equal(do_write(f.s, delete_base, NULL, &f.e), RC_NOTFOUND);
    db = reading();
    assert_int_equal(db_base_get(db, f.tenant, f.base, f.a, &b, &f.e),
                     RC_NOTFOUND);
    assert_int_equal(db_object_find(db, f.tenant, OBJECT_DOCUMENT,
                                    d[0].document, &base, &f.e),
                     RC_NOTFOUND);
    must(db_base_list(db, f.tenant, (struct page_req){.limit = 9}, f.a, &list,
                      &n, &more, &f.e),
         &f.e);
    assert_int_equal(n, 0);
    must(db_base_ids(db, f.a, &all, &n, &f.e), &f.e);
    assert_int_equal(n, 0);
    store_read_end(db);
    l = leased(5, INT64_MAX / 2);
    assert_int_equal(l.n, 0);
    assert_int_equal(l.next_ms, 0);
    for (more = true; more && slices < 100; slices++) {
        uint64_t was = rows_left();

        must(do_write(f.s, purge, &more, &f.e), &f.e);
        if (more)
            assert_true(rows_left() < was);
        no_damage(true);
        if (slices == 4)
            reopen(&f);
    }
    assert_false(more);
    assert_true(slices > 8);
    assert_int_equal(rows_left(), 0);
}

/* ---- the pool ---- */

static void readers_see_one_snapshot_and_wait_for_their_turn(void **state)
{
    struct intake_doc a, b;
    struct document_row row = {0};
    struct db *old, *new;

    (void)state;
    intake(&f, &a, STR("a"));
    old = reading();
    must(db_document_get(old, f.tenant, f.base, a.document, f.a, &row, &f.e),
         &f.e);
    intake(&f, &b, STR("b"));
    assert_int_equal(
        db_document_get(old, f.tenant, f.base, b.document, f.a, &row, &f.e),
        RC_NOTFOUND);
    new = reading();
    must(db_document_get(new, f.tenant, f.base, b.document, f.a, &row, &f.e),
         &f.e);
    store_read_end(new);
    store_read_end(old);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_document_comes_back_as_it_was_put),
        FACT(another_tenant_finds_nothing),
        FACT(a_list_is_newest_first_and_pages),
        FACT(documents_are_counted_by_state),
        FACT(a_new_text_replaces_the_old_one),
        FACT(versions_are_listed_numbered_and_dropped),
        FACT(what_a_document_says_of_itself_is_kept),
        FACT(old_versions_come_in_slices_and_each_once),
        FACT(content_is_found_again_unless_archived_failed_or_named),
        FACT(a_hit_finds_its_document),
        FACT(a_lease_leaves_the_others_their_share),
        cmocka_unit_test(a_jobs_status_follows_its_items),
        FACT(the_queue_gives_the_oldest_job_first_class_by_class),
        FACT(a_lease_passes_over_what_is_not_due),
        FACT(an_item_waits_for_its_time),
        FACT(what_a_dead_process_held_is_queued_again),
        FACT(a_retry_queues_failed_items_with_their_versions),
        FACT(jobs_are_listed_by_status),
        FACT(items_and_logs_of_a_job_are_listed),
        FACT(keys_are_found_by_hash_until_dropped),
        FACT(a_tenants_name_is_its_own),
        FACT(segment_ids_ascend_and_are_listed),
        FACT(a_deleted_base_is_hidden_at_once_and_purged_in_slices),
        FACT(readers_see_one_snapshot_and_wait_for_their_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
