/* Rows of a hub in store/: folders, articles, and what goes with what. */
#include "store_fixture.h"

#include "base/mem.h"
#include "base/rng.h"
#include "store/store_priv.h"
#include "text/fold.h"

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

static void say(void *arg, const char *line)
{
    (void)arg;
    print_error("%s\n", line);
}

static void no_damage(void)
{
    uint64_t found = 1;

    must(store_check(f.s, true, say, NULL, &found, &f.e), &f.e);
    assert_int_equal(found, 0);
}

static struct db *reading(void)
{
    struct db *db;

    must(store_read_begin(f.s, &db, &f.e), &f.e);
    return db;
}

/* ---- writes ---- */

static rc run_folder_put(struct db *db, void *arg, struct err *e)
{
    return db_folder_put(db, arg, e);
}

static rc run_folder_update(struct db *db, void *arg, struct err *e)
{
    return db_folder_update(db, arg, e);
}

static rc run_folder_drop(struct db *db, void *arg, struct err *e)
{
    const uuid *id = arg;

    return db_folder_drop(db, f.tenant, f.base, *id, e);
}

static rc run_article_put(struct db *db, void *arg, struct err *e)
{
    return db_article_put(db, arg, e);
}

static rc run_article_update(struct db *db, void *arg, struct err *e)
{
    return db_article_update(db, arg, e);
}

static rc run_version_put(struct db *db, void *arg, struct err *e)
{
    return db_article_version_put(db, arg, e);
}

struct put_in {
    uuid item;
    enum object_kind kind;
    const uuid *v;
    size_t n;
};

static rc run_folders_set(struct db *db, void *arg, struct err *e)
{
    const struct put_in *p = arg;

    return db_folders_set(db, f.base, p->item, p->kind, p->v, p->n, e);
}

static rc run_sources_set(struct db *db, void *arg, struct err *e)
{
    const struct put_in *p = arg;

    return db_article_sources_set(db, f.base, p->item, p->v, p->n, e);
}

static void put_in(uuid item, enum object_kind kind, uuid folder)
{
    struct put_in p = {item, kind, &folder, 1};

    must(do_write(f.s, run_folders_set, &p, &f.e), &f.e);
}

static void attach(uuid article, uuid document)
{
    struct put_in p = {.item = article, .v = &document, .n = 1};

    must(do_write(f.s, run_sources_set, &p, &f.e), &f.e);
}

static uuid folder_add(str name, uuid parent)
{
    struct folder_row r = {.id = uuid_new(),
                           .base = f.base,
                           .tenant = f.tenant,
                           .name = name,
                           .parent = parent,
                           .visibility = VISIBILITY_WORKSPACE,
                           .created_ms = 5,
                           .updated_ms = 6};

    must(do_write(f.s, run_folder_put, &r, &f.e), &f.e);
    return r.id;
}

static struct article_row article_of(str title, enum article_status status)
{
    static int64_t now = 1000;

    now++;
    return (struct article_row){.id = uuid_new(),
                                .base = f.base,
                                .tenant = f.tenant,
                                .title = title,
                                .cover = STR(""),
                                .status = status,
                                .visibility = VISIBILITY_WORKSPACE,
                                .created_ms = now,
                                .updated_ms = now};
}

static uuid article_add(str title, enum article_status status)
{
    struct article_row a = article_of(title, status);

    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    return a.id;
}

/* ---- reads ---- */

static struct folder_row folder_get(uuid id)
{
    struct folder_row r = {0};
    struct db *db = reading();

    must(db_folder_get(db, f.tenant, f.base, id, f.a, &r, &f.e), &f.e);
    store_read_end(db);
    return r;
}

static struct article_row article_get(uuid id)
{
    struct article_row a = {0};
    struct db *db = reading();

    must(db_article_get(db, f.tenant, f.base, id, f.a, &a, &f.e), &f.e);
    store_read_end(db);
    return a;
}

/* The names of a list of folders, one a line. */
static str folders_named(struct folder_filter filter, size_t offset,
                         size_t limit, uint64_t total_expected)
{
    struct folder_row *v;
    uint64_t total;
    size_t n;
    str names = STR("");
    struct db *db = reading();

    must(db_folder_list(db, f.tenant, f.base, &filter,
                        (struct window){offset, limit}, f.a, &v, &n, &total,
                        &f.e),
         &f.e);
    store_read_end(db);
    for (size_t i = 0; i < n; i++)
        names = arena_fmt(f.a, STR_FMT STR_FMT "\n", STR_ARG(names),
                          STR_ARG(v[i].name));
    assert_int_equal(total, total_expected);
    return names;
}

static str articles_titled(struct article_filter filter)
{
    struct article_row *v;
    uint64_t total;
    size_t n;
    str titles = STR("");
    struct db *db = reading();

    must(db_article_list(db, f.tenant, f.base, &filter, (struct window){0, 50},
                         f.a, &v, &n, &total, &f.e),
         &f.e);
    store_read_end(db);
    assert_int_equal(n, total);
    for (size_t i = 0; i < n; i++)
        titles = arena_fmt(f.a, STR_FMT STR_FMT "\n", STR_ARG(titles),
                           STR_ARG(v[i].title));
    return titles;
}

static void assert_text(str is, const char *should)
{
    if (!str_eq(is, str_of(should)))
        fail_msg("is \"" STR_FMT "\", not \"%s\"", STR_ARG(is), should);
}

static size_t documents_in(uuid folder, uuid first)
{
    uuid *v;
    size_t n;
    struct db *db = reading();

    must(db_folder_documents(db, f.tenant, f.base, folder, f.a, &v, &n, &f.e),
         &f.e);
    store_read_end(db);
    if (n > 0)
        assert_true(uuid_eq(v[0], first));
    return n;
}

static int64_t count(const char *sql)
{
    sqlite3_stmt *st;
    int64_t n;
    struct db *db = reading();

    assert_int_equal(sqlite3_prepare_v2(db->conn, sql, -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    store_read_end(db);
    return n;
}

/* ---- fold ---- */

static void sql_puts_letter_case_aside(void **state)
{
    (void)state;
    assert_int_equal(count("SELECT fold('STRASSE') = fold('stra\xC3\x9F"
                           "e')"),
                     1);
    assert_int_equal(count("SELECT fold(NULL) IS NULL"), 1);
    assert_int_equal(count("SELECT fold('') = ''"), 1);
    assert_int_equal(count("SELECT fold(12) = '12'"), 1);
    assert_int_equal(count("SELECT instr(fold('\xC3\x84RGER'),"
                           " fold('\xC3\xA4rg')) > 0"),
                     1);
    assert_int_equal(count("SELECT has('A Title', 'a tit')"), 1);
    assert_int_equal(count("SELECT has('Title', 'titles')"), 0);
    assert_int_equal(count("SELECT has('', '') AND has('x', '')"), 1);
    assert_int_equal(count("SELECT has('\xC3\x84RGER', fold('\xC3\xA4rg'))"),
                     1);
    assert_int_equal(count("SELECT has('\xC3\x84', '') AND NOT"
                           " has('\xC3\x84', 'a')"),
                     1);
    assert_int_equal(count("SELECT has(NULL, 'a') IS NULL"), 1);
}

/* ---- folders ---- */

static void a_folder_comes_back_as_it_was_put(void **state)
{
    struct folder_row r;
    uuid top = folder_add(STR("top"), UUID_NIL), base, below;
    struct db *db;

    (void)state;
    r = folder_get(top);
    assert_text(r.name, "top");
    assert_null(r.emoji.p);
    assert_true(uuid_is_nil(r.parent));
    assert_int_equal(r.visibility, VISIBILITY_WORKSPACE);
    assert_int_equal(r.created_ms, 5);
    assert_int_equal(r.updated_ms, 6);
    below = folder_add(STR("below"), top);
    r = folder_get(below);
    assert_true(uuid_eq(r.parent, top));
    r.name = STR("renamed");
    r.emoji = STR("\xF0\x9F\x93\x81");
    r.parent = UUID_NIL;
    r.visibility = VISIBILITY_GLOBAL;
    r.updated_ms = 7;
    must(do_write(f.s, run_folder_update, &r, &f.e), &f.e);
    r = folder_get(below);
    assert_text(r.name, "renamed");
    assert_text(r.emoji, "\xF0\x9F\x93\x81");
    assert_true(uuid_is_nil(r.parent));
    assert_int_equal(r.visibility, VISIBILITY_GLOBAL);
    assert_int_equal(r.updated_ms, 7);
    db = reading();
    must(db_object_find(db, f.tenant, OBJECT_FOLDER, top, &base, &f.e), &f.e);
    assert_int_equal(db_folder_get(db, uuid_new(), f.base, top, f.a, &r, &f.e),
                     RC_NOTFOUND);
    store_read_end(db);
    no_damage();
}

static void folders_are_listed_by_name_and_found_in_any_case(void **state)
{
    uuid top;

    (void)state;
    top = folder_add(STR("\xC3\x84pfel"), UUID_NIL);
    (void)folder_add(STR("beta"), top);
    (void)folder_add(STR("Alpha"), top);
    assert_text(folders_named((struct folder_filter){0}, 0, 10, 3),
                "Alpha\nbeta\n\xC3\x84pfel\n");
    assert_text(folders_named((struct folder_filter){0}, 1, 1, 3), "beta\n");
    assert_text(folders_named((struct folder_filter){0}, 3, 5, 3), "");
    assert_text(
        folders_named((struct folder_filter){.by_parent = true}, 0, 10, 1),
        "\xC3\x84pfel\n");
    assert_text(
        folders_named((struct folder_filter){.by_parent = true, .parent = top},
                      0, 10, 2),
        "Alpha\nbeta\n");
    assert_text(
        folders_named((struct folder_filter){.query = STR("ALP")}, 0, 10, 1),
        "Alpha\n");
    assert_text(
        folders_named((struct folder_filter){.query = STR("\xC3\xA4PF")}, 0, 10,
                      1),
        "\xC3\x84pfel\n");
    assert_text(
        folders_named((struct folder_filter){.query = STR("%")}, 0, 10, 0), "");
}

static void a_folder_counts_what_lies_in_it_directly(void **state)
{
    uuid top = folder_add(STR("top"), UUID_NIL);
    uuid below = folder_add(STR("below"), top);
    struct intake_doc d;
    struct folder_row r;

    (void)state;
    (void)folder_add(STR("deeper"), below);
    put_in(article_add(STR("a"), ARTICLE_DRAFT), OBJECT_ARTICLE, top);
    put_in(article_add(STR("b"), ARTICLE_PUBLISHED), OBJECT_ARTICLE, top);
    put_in(article_add(STR("c"), ARTICLE_ARCHIVED), OBJECT_ARTICLE, top);
    put_in(article_add(STR("d"), ARTICLE_DRAFT), OBJECT_ARTICLE, below);
    intake(&f, &d, STR("a document is no article"));
    put_in(d.document, OBJECT_DOCUMENT, top);
    r = folder_get(top);
    assert_int_equal(r.article_count, 2);
    assert_int_equal(r.folder_count, 1);
    no_damage();
}

static void setting_folders_replaces_them(void **state)
{
    uuid v[] = {folder_add(STR("b"), UUID_NIL), folder_add(STR("a"), UUID_NIL)};
    uuid page = article_add(STR("page"), ARTICLE_DRAFT);
    struct put_in both = {page, OBJECT_ARTICLE, v, 2},
                  none = {page, OBJECT_ARTICLE, NULL, 0};
    struct folder_row *rows;
    struct db *db;
    size_t n;

    (void)state;
    must(do_write(f.s, run_folders_set, &both, &f.e), &f.e);
    db = reading();
    must(db_folders_of(db, f.base, page, f.a, &rows, &n, &f.e), &f.e);
    store_read_end(db);
    assert_int_equal(n, 2);
    assert_text(rows[0].name, "a");
    assert_true(uuid_eq(rows[1].id, v[0]));
    put_in(page, OBJECT_ARTICLE, v[0]);
    assert_int_equal(count("SELECT count(*) FROM folder_item"), 1);
    must(do_write(f.s, run_folders_set, &none, &f.e), &f.e);
    assert_int_equal(count("SELECT count(*) FROM folder_item"), 0);
}

static void a_dropped_folder_leaves_what_lay_in_it(void **state)
{
    uuid top = folder_add(STR("top"), UUID_NIL), base;
    uuid mid = folder_add(STR("mid"), top), low = folder_add(STR("low"), mid);
    uuid page = article_add(STR("page"), ARTICLE_DRAFT);
    struct db *db;

    (void)state;
    put_in(page, OBJECT_ARTICLE, mid);
    must(do_write(f.s, run_folder_drop, &mid, &f.e), &f.e);
    assert_true(uuid_eq(folder_get(low).parent, top));
    assert_text(article_get(page).title, "page");
    db = reading();
    assert_int_equal(
        db_object_find(db, f.tenant, OBJECT_FOLDER, mid, &base, &f.e),
        RC_NOTFOUND);
    store_read_end(db);
    assert_int_equal(do_write(f.s, run_folder_drop, &mid, &f.e), RC_NOTFOUND);
    must(do_write(f.s, run_folder_drop, &top, &f.e), &f.e);
    assert_true(uuid_is_nil(folder_get(low).parent));
    no_damage();
}

static void a_folder_holds_the_documents_below_it(void **state)
{
    uuid top = folder_add(STR("top"), UUID_NIL);
    uuid low = folder_add(STR("low"), folder_add(STR("mid"), top));
    uuid aside = folder_add(STR("aside"), UUID_NIL);
    struct article_row a = article_of(STR("page"), ARTICLE_PUBLISHED);
    struct article_version_row v = {.base = f.base,
                                    .article = a.id,
                                    .number = 1,
                                    .title = STR("page"),
                                    .content = STR("text")};
    uuid both[2] = {top, low};
    struct intake_doc d, page;

    (void)state;
    intake(&f, &d, STR("one"));
    intake(&f, &page, STR("two"));
    assert_int_equal(documents_in(top, d.document), 0);
    put_in(d.document, OBJECT_DOCUMENT, low);
    assert_int_equal(documents_in(top, d.document), 1);
    assert_int_equal(documents_in(low, d.document), 1);
    assert_int_equal(documents_in(aside, d.document), 0);
    must(do_write(f.s, run_folders_set,
                  &(struct put_in){d.document, OBJECT_DOCUMENT, both, 2}, &f.e),
         &f.e);
    assert_int_equal(documents_in(top, d.document), 1); /* once */
    a.document = page.document;
    a.version = 1;
    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    must(do_write(f.s, run_version_put, &v, &f.e), &f.e);
    put_in(a.id, OBJECT_ARTICLE, aside);
    assert_int_equal(documents_in(aside, page.document), 1);
    put_in(article_add(STR("never published"), ARTICLE_DRAFT), OBJECT_ARTICLE,
           aside);
    assert_int_equal(documents_in(aside, page.document), 1);
    no_damage();
}

static size_t height_of(uuid id)
{
    struct db *db = reading();
    size_t levels;

    must(db_folder_height(db, f.base, id, &levels, &f.e), &f.e);
    store_read_end(db);
    return levels;
}

static void a_tree_is_walked_to_its_depth_and_no_further(void **state)
{
    uuid at = UUID_NIL, top = UUID_NIL, last = UUID_NIL;
    struct folder_row r;
    struct intake_doc d;

    (void)state;
    for (size_t i = 0; i < FOLDER_DEPTH_MAX; i++) {
        at = folder_add(STR("f"), at);
        if (i == 0)
            top = at;
        last = at;
    }
    intake(&f, &d, STR("deep"));
    put_in(d.document, OBJECT_DOCUMENT, last);
    assert_int_equal(documents_in(top, d.document), 1);
    assert_int_equal(height_of(top), FOLDER_DEPTH_MAX);
    assert_int_equal(height_of(last), 1);
    /* What can't be: a ring. It ends, and is found. */
    r = folder_get(top);
    r.parent = last;
    must(do_write(f.s, run_folder_update, &r, &f.e), &f.e);
    assert_int_equal(documents_in(top, d.document), 1);
    assert_int_equal(height_of(top), FOLDER_DEPTH_MAX);
}

/* ---- articles ---- */

static void an_article_comes_back_as_it_was_put(void **state)
{
    struct article_row a = article_of(STR("title"), ARTICLE_DRAFT), b;
    struct db *db;
    uuid base;

    (void)state;
    a.cover = STR("cover");
    a.visibility = VISIBILITY_PRIVATE;
    a.owner = uuid_new();
    a.draft_title = STR("title");
    a.draft_content = STR("");
    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    b = article_get(a.id);
    assert_text(b.title, "title");
    assert_text(b.cover, "cover");
    assert_int_equal(b.visibility, VISIBILITY_PRIVATE);
    assert_true(uuid_eq(b.owner, a.owner));
    assert_true(uuid_is_nil(b.document));
    assert_text(b.draft_title, "title");
    assert_non_null(b.draft_content.p);
    assert_int_equal(b.draft_content.n, 0);
    assert_int_equal(b.published_ms, 0);
    assert_int_equal(b.created_ms, a.created_ms);
    b.title = STR("other");
    b.draft_title = b.draft_content = STR_NONE;
    b.published_ms = 9;
    b.updated_ms = 10;
    must(do_write(f.s, run_article_update, &b, &f.e), &f.e);
    b = article_get(a.id);
    assert_text(b.title, "other");
    assert_null(b.draft_title.p);
    assert_null(b.draft_content.p);
    assert_int_equal(b.published_ms, 9);
    assert_true(uuid_eq(b.owner, a.owner));
    b.tenant = uuid_new();
    assert_int_equal(do_write(f.s, run_article_update, &b, &f.e), RC_NOTFOUND);
    db = reading();
    must(db_object_find(db, f.tenant, OBJECT_ARTICLE, a.id, &base, &f.e), &f.e);
    store_read_end(db);
    no_damage();
}

static void a_draft_has_one_text_and_none_when_it_is_gone(void **state)
{
    struct article_row a = article_of(STR("title"), ARTICLE_DRAFT);
    struct article_row other = a;

    (void)state;
    a.draft_title = STR("title");
    a.draft_content = STR("first");
    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    other.id = uuid_new();
    other.draft_title = a.draft_title;
    other.draft_content = STR("another's");
    must(do_write(f.s, run_article_put, &other, &f.e), &f.e);
    a.draft_content = STR("second, a longer one");
    must(do_write(f.s, run_article_update, &a, &f.e), &f.e);
    assert_text(article_get(a.id).draft_content, "second, a longer one");
    must(do_write(f.s, run_article_update, &a, &f.e), &f.e);
    assert_text(article_get(a.id).draft_content, "second, a longer one");
    assert_int_equal(count("SELECT count(*) FROM article_text"), 2);
    no_damage();
    a.draft_title = a.draft_content = STR_NONE;
    must(do_write(f.s, run_article_update, &a, &f.e), &f.e);
    assert_null(article_get(a.id).draft_content.p);
    assert_int_equal(count("SELECT count(*) FROM article_text"), 1);
    a.draft_title = a.draft_content = STR("third");
    must(do_write(f.s, run_article_update, &a, &f.e), &f.e);
    assert_text(article_get(a.id).draft_content, "third");
    assert_text(article_get(other.id).draft_content, "another's");
    no_damage();
}

static int64_t pages_read(struct db *db)
{
    int hits = 0, misses = 0, high;

    assert_int_equal(
        sqlite3_db_status(db->conn, SQLITE_DBSTATUS_CACHE_HIT, &hits, &high, 1),
        SQLITE_OK);
    assert_int_equal(sqlite3_db_status(db->conn, SQLITE_DBSTATUS_CACHE_MISS,
                                       &misses, &high, 1),
                     SQLITE_OK);
    return (int64_t)hits + misses;
}

/* 20 of each, 60 pages and more a text. */
static void a_list_reads_none_of_the_texts(void **state)
{
    char *text = arena_alloc(f.a, 256 * KIB);
    str content = {text, 256 * KIB};
    struct article_row a = {0}, *rows;
    struct article_version_row *versions;
    struct db *db;
    uint64_t total;
    size_t n;

    (void)state;
    memset(text, 'x', content.n);
    for (unsigned i = 0; i < 20; i++) {
        struct article_version_row v = {.base = f.base,
                                        .number = i + 1,
                                        .title = STR("page"),
                                        .content = content};

        a = article_of(STR("page"), ARTICLE_PUBLISHED);
        a.draft_title = a.title;
        a.draft_content = content;
        must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
        v.article = a.id;
        must(do_write(f.s, run_version_put, &v, &f.e), &f.e);
    }
    db = reading();
    (void)pages_read(db);
    must(db_article_list(db, f.tenant, f.base,
                         &(struct article_filter){.query = STR("age")},
                         (struct window){0, 1}, f.a, &rows, &n, &total, &f.e),
         &f.e);
    assert_int_equal(total, 20);
    assert_int_equal(n, 1);
    must(db_article_version_list(db, f.base, a.id, (struct window){0, 9}, f.a,
                                 &versions, &n, &total, &f.e),
         &f.e);
    assert_int_equal(n, 1);
    assert_null(versions[0].content.p);
    assert_true(pages_read(db) < 200);
    store_read_end(db);
}

static void articles_are_filtered_and_sorted(void **state)
{
    uuid folder = folder_add(STR("f"), UUID_NIL), beta;
    struct article_row owned = article_of(STR("Gamma"), ARTICLE_PUBLISHED);
    struct article_row b;

    (void)state;
    owned.owner = uuid_new();
    must(do_write(f.s, run_article_put, &owned, &f.e), &f.e);
    beta = article_add(STR("beta"), ARTICLE_DRAFT);
    (void)article_add(STR("ALPHA"), ARTICLE_DRAFT);
    (void)article_add(STR("gone"), ARTICLE_ARCHIVED);
    put_in(beta, OBJECT_ARTICLE, folder);
    b = article_get(beta);
    b.updated_ms += 1000;
    must(do_write(f.s, run_article_update, &b, &f.e), &f.e);
    assert_text(articles_titled((struct article_filter){0}),
                "beta\nALPHA\nGamma\n");
    assert_text(articles_titled((struct article_filter){.sort = SORT_CREATED}),
                "ALPHA\nbeta\nGamma\n");
    assert_text(articles_titled((struct article_filter){.sort = SORT_TITLE}),
                "ALPHA\nbeta\nGamma\n");
    assert_text(articles_titled((struct article_filter){
                    .by_status = true, .status = ARTICLE_ARCHIVED}),
                "gone\n");
    assert_text(articles_titled((struct article_filter){
                    .by_status = true, .status = ARTICLE_DRAFT}),
                "beta\nALPHA\n");
    assert_text(articles_titled((struct article_filter){.folder = folder}),
                "beta\n");
    assert_text(articles_titled((struct article_filter){.owner = owned.owner}),
                "Gamma\n");
    assert_text(articles_titled((struct article_filter){.query = STR("alp")}),
                "ALPHA\n");
    assert_text(articles_titled(
                    (struct article_filter){.updated_from_ms = b.updated_ms}),
                "beta\n");
    assert_text(articles_titled(
                    (struct article_filter){.updated_to_ms = owned.updated_ms}),
                "Gamma\n");
    assert_text(articles_titled((struct article_filter){
                    .updated_from_ms = owned.updated_ms + 1,
                    .updated_to_ms = b.updated_ms - 1}),
                "ALPHA\n");
}

static void versions_of_an_article_are_listed_newest_first(void **state)
{
    uuid page = article_add(STR("page"), ARTICLE_DRAFT);
    struct article_version_row v = {.base = f.base,
                                    .article = page,
                                    .title = STR("t"),
                                    .content = STR("text"),
                                    .creator = uuid_new(),
                                    .created_ms = 3},
                               *rows, one;
    struct db *db;
    uint64_t total;
    size_t n;

    (void)state;
    for (v.number = 1; v.number <= 3; v.number++) {
        v.change = v.number == 1 ? CHANGE_CREATED : CHANGE_MANUAL_EDIT;
        must(do_write(f.s, run_version_put, &v, &f.e), &f.e);
    }
    v.number = 3;
    assert_int_equal(do_write(f.s, run_version_put, &v, &f.e), RC_CONFLICT);
    db = reading();
    must(db_article_version_list(db, f.base, page, (struct window){1, 5}, f.a,
                                 &rows, &n, &total, &f.e),
         &f.e);
    must(db_article_version_get(db, f.base, page, 3, f.a, &one, &f.e), &f.e);
    assert_int_equal(
        db_article_version_get(db, f.base, page, 4, f.a, &one, &f.e),
        RC_NOTFOUND);
    store_read_end(db);
    assert_int_equal(total, 3);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].number, 2);
    assert_int_equal(rows[1].number, 1);
    assert_int_equal(rows[1].change, CHANGE_CREATED);
    assert_true(uuid_eq(rows[0].creator, v.creator));
    assert_null(rows[0].content.p);
}

/* ---- sources ---- */

static rc run_document_put(struct db *db, void *arg, struct err *e)
{
    return db_document_put(db, arg, e);
}

static rc put_another_base(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_base_put(db,
                       &(struct base_row){.id = f.base,
                                          .tenant = f.tenant,
                                          .name = STR("another"),
                                          .metadata = STR("{}"),
                                          .active = true,
                                          .embedding_model = STR("none"),
                                          .chunk_size = 256,
                                          .retrieval_top_k = 30,
                                          .sensitivity = 10},
                       e);
}

static uuid source_add(str title, const char *type, enum version_state st)
{
    struct document_row d = {.id = uuid_new(),
                             .base = f.base,
                             .tenant = f.tenant,
                             .title = title,
                             .metadata = STR("{}"),
                             .source_type = str_of(type),
                             .state = st};

    must(do_write(f.s, run_document_put, &d, &f.e), &f.e);
    return d.id;
}

/* The titles of one page and how many there are on all, in one line. */
static rc list_titled(struct db *db, struct source_filter by, struct window w,
                      str *line, struct err *e)
{
    struct source_row *v;
    uint64_t total;
    size_t n;
    rc code =
        db_source_list(db, f.tenant, f.base, &by, w, f.a, &v, &n, &total, e);

    *line = STR("");
    if (code != RC_OK)
        return code;
    for (size_t i = 0; i < n; i++)
        *line = arena_fmt(f.a, STR_FMT STR_FMT " ", STR_ARG(*line),
                          STR_ARG(v[i].document.title));
    *line = arena_fmt(f.a, STR_FMT "of %zu", STR_ARG(*line), (size_t)total);
    return RC_OK;
}

static str sources_titled_by(struct db *db, struct source_filter by,
                             struct window w)
{
    str line;

    must(list_titled(db, by, w, &line, &f.e), &f.e);
    return line;
}

static str sources_titled(struct source_filter by, struct window w)
{
    struct db *db = reading();
    str line = sources_titled_by(db, by, w);

    store_read_end(db);
    return line;
}

static void sources_are_filtered_newest_first(void **state)
{
    const struct window all = {.limit = 9};
    const unsigned text = 1u << SOURCE_TEXT, web = 1u << SOURCE_URL;
    const unsigned active = 1u << VERSION_ACTIVE, failed = 1u << VERSION_FAILED;
    uuid folder = folder_add(STR("f"), UUID_NIL),
         page = article_add(STR("page"), ARTICLE_DRAFT),
         a = source_add(STR("Alpha"), "text", VERSION_ACTIVE),
         b = source_add(STR("BETA"), "url", VERSION_FAILED),
         c = source_add(STR("\xC3\x84rger"), "url", VERSION_ACTIVE),
         d = source_add(STR("delta"), "file", VERSION_PENDING);

    (void)state;
    put_in(a, OBJECT_DOCUMENT, folder);
    put_in(c, OBJECT_DOCUMENT, folder);
    put_in(d, OBJECT_DOCUMENT, folder);
    put_in(page, OBJECT_ARTICLE, folder);
    attach(page, c);
#define LIST(...) sources_titled((struct source_filter){__VA_ARGS__}, all)
    assert_text(LIST(.types = 0), "delta \xC3\x84rger BETA Alpha of 4");
    assert_text(LIST(.types = text), "Alpha of 1");
    assert_text(LIST(.types = text | web), "\xC3\x84rger BETA Alpha of 3");
    assert_text(LIST(.states = active), "\xC3\x84rger Alpha of 2");
    assert_text(LIST(.states = active | failed),
                "\xC3\x84rger BETA Alpha of 3");
    assert_text(LIST(.states = 1u << VERSION_DRAFT), "of 0");
    assert_text(LIST(.query = STR("ET")), "BETA of 1");
    assert_text(LIST(.query = STR("\xC3\xA4R")), "\xC3\x84rger of 1");
    assert_text(LIST(.query = STR("")), "delta \xC3\x84rger BETA Alpha of 4");
    assert_text(LIST(.query = STR("gamma")), "of 0");
    assert_text(LIST(.folder = folder), "delta \xC3\x84rger Alpha of 3");
    assert_text(LIST(.folder = folder, .query = STR("a"), .states = active),
                "Alpha of 1");
    assert_text(LIST(.folder = uuid_new()), "of 0");
    assert_text(LIST(.article = page), "\xC3\x84rger of 1");
    assert_text(LIST(.article = page, .folder = folder), "\xC3\x84rger of 1");
    assert_text(LIST(.article = page, .folder = uuid_new()), "of 0");
    assert_text(LIST(.article = page, .types = text), "of 0");
#undef LIST
    (void)b;
}

/* The folders of an item, one a line. */
static str folders_of(uuid item)
{
    struct folder_row *rows;
    str names = STR("");
    size_t n;
    struct db *db = reading();

    must(db_folders_of(db, f.base, item, f.a, &rows, &n, &f.e), &f.e);
    store_read_end(db);
    for (size_t i = 0; i < n; i++)
        names = arena_fmt(f.a, STR_FMT STR_FMT "\n", STR_ARG(names),
                          STR_ARG(rows[i].name));
    return names;
}

static void an_articles_document_lies_where_the_article_does(void **state)
{
    const struct window all = {.limit = 9};
    uuid v[] = {folder_add(STR("b"), UUID_NIL), folder_add(STR("A"), UUID_NIL)};
    uuid aside = folder_add(STR("aside"), UUID_NIL);
    uuid page = source_add(STR("page"), "page", VERSION_ACTIVE);
    uuid other = source_add(STR("other"), "url", VERSION_ACTIVE);
    struct article_row a = article_of(STR("page"), ARTICLE_PUBLISHED);
    struct put_in both = {a.id, OBJECT_ARTICLE, v, 2};

    (void)state;
    a.document = page;
    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    must(do_write(f.s, run_folders_set, &both, &f.e), &f.e);
    put_in(article_add(STR("a draft"), ARTICLE_DRAFT), OBJECT_ARTICLE, v[0]);
    assert_text(folders_of(page), "A\nb\n");
    assert_text(folders_of(a.id), "A\nb\n");
    assert_text(folders_of(other), "");
#define LIST(w, ...) sources_titled((struct source_filter){__VA_ARGS__}, w)
    assert_text(LIST(all, .folder = v[0]), "page of 1");
    assert_text(LIST(all, .folder = aside), "of 0");
    /* Its own folders too, each once. */
    v[1] = aside;
    both = (struct put_in){page, OBJECT_DOCUMENT, v, 2};
    must(do_write(f.s, run_folders_set, &both, &f.e), &f.e);
    put_in(other, OBJECT_DOCUMENT, v[0]);
    assert_text(folders_of(page), "A\naside\nb\n");
    assert_text(folders_of(other), "b\n");
    assert_text(LIST(all, .folder = v[0]), "other page of 2");
    assert_text(LIST(all, .folder = aside), "page of 1");
    put_in(page, OBJECT_DOCUMENT, aside);
    assert_text(LIST(((struct window){0, 1}), .folder = v[0]), "other of 2");
    assert_text(LIST(((struct window){1, 1}), .folder = v[0]), "page of 2");
    assert_text(LIST(((struct window){2, 1}), .folder = v[0]), "of 2");
    assert_text(LIST(all, .folder = v[0], .query = STR("PAG")), "page of 1");
    assert_text(LIST(all, .folder = v[0], .types = 1u << SOURCE_URL),
                "other of 1");
    attach(a.id, page);
    assert_text(LIST(all, .folder = v[0], .article = a.id), "page of 1");
    assert_text(LIST(all, .folder = uuid_new(), .article = a.id), "of 0");
    a.document = UUID_NIL; /* archived, say */
    must(do_write(f.s, run_article_update, &a, &f.e), &f.e);
    assert_text(folders_of(page), "aside\n");
    assert_text(LIST(all, .folder = v[0]), "other of 1");
#undef LIST
}

static void a_page_of_sources_tells_how_many_there_are(void **state)
{
    static const struct source_filter FILTERS[] = {
        {0}, {.states = 1u << VERSION_ACTIVE}, {.query = STR_INIT("a")}};
    struct source_filter in = {.folder = folder_add(STR("f"), UUID_NIL)};

    (void)state;
    for (size_t i = 0; i < 6; i++)
        put_in(source_add(arena_fmt(f.a, "a%zu", i), "text", VERSION_ACTIVE),
               OBJECT_DOCUMENT, in.folder);
    for (size_t i = 0; i <= NELEMS(FILTERS); i++) {
        struct source_filter by = i < NELEMS(FILTERS) ? FILTERS[i] : in;
#define PAGE(at, n) sources_titled(by, (struct window){at, n})
        assert_text(PAGE(0, 2), "a5 a4 of 6");
        assert_text(PAGE(2, 2), "a3 a2 of 6");
        assert_text(PAGE(4, 2), "a1 a0 of 6");
        assert_text(PAGE(5, 5), "a0 of 6");
        assert_text(PAGE(0, 6), "a5 a4 a3 a2 a1 a0 of 6");
        assert_text(PAGE(6, 6), "of 6");
        assert_text(PAGE(9, 3), "of 6");
#undef PAGE
    }
}

/* ---- writes of documents ---- */

static rc run_retitle(struct db *db, void *arg, struct err *e)
{
    const struct document_row *d = arg;
    struct document_row row;
    rc code = db_document_row(db, f.tenant, f.base, d->id, f.a, &row, e);

    row.title = d->title;
    row.state = d->state;
    return code == RC_OK ? db_document_update(db, &row, e) : code;
}

static int64_t changes_now(void)
{
    return count("SELECT max(document_changes) FROM base_state");
}

static rc run_retitle_and_fail(struct db *db, void *arg, struct err *e)
{
    rc code = run_retitle(db, arg, e);

    return code == RC_OK ? err_set(e, RC_CONFLICT, "taken back") : code;
}

static rc run_drop(struct db *db, void *arg, struct err *e)
{
    const uuid *id = arg;

    return db_document_delete(db, f.tenant, f.base, *id, e);
}

static void writes_of_documents_are_counted_and_no_others(void **state)
{
    struct document_row d = {.state = VERSION_ACTIVE};
    int64_t was = changes_now();
    uuid folder;

    (void)state;
    d.id = source_add(STR("a"), "text", VERSION_ACTIVE);
    assert_true(changes_now() > was);
    was = changes_now();
    d.title = STR("only its title");
    must(do_write(f.s, run_retitle, &d, &f.e), &f.e);
    assert_true(changes_now() > was);
    was = changes_now();
    assert_int_equal(do_write(f.s, run_retitle_and_fail, &d, &f.e),
                     RC_CONFLICT);
    folder = folder_add(STR("f"), UUID_NIL);
    put_in(d.id, OBJECT_DOCUMENT, folder);
    assert_int_equal(changes_now(), was);
    must(do_write(f.s, run_drop, &d.id, &f.e), &f.e);
    assert_true(changes_now() > was);
}

/* ---- lists from memory: what SQL answers, and a plain filter ---- */

#define TRUTH_SOURCES_MAX 120
#define TRUTH_FOLDERS 2

static const char *const TITLES[] = {"",
                                     "a",
                                     "ab",
                                     "ba",
                                     "aba",
                                     "B",
                                     "A B",
                                     "\xC3\x84rger",
                                     "STRASSE",
                                     "stra\xC3\x9F"
                                     "e",
                                     "a\xff"
                                     "b",
                                     "bab",
                                     "\xC2\xAD",
                                     "ababab"};
static const char *const QUERIES[] = {
    "a",  "AB",       "ba",   "b",  "abab",        "\xC3\xA4",
    "ss", "\xC2\xAD", "\xff", "zz", "abababababab"};
static const char *const TYPES[] = {"file", "text", "url", "page", "other"};

struct truth {
    struct rng r;
    size_t n; /* sources, oldest first */
    struct {
        uuid id;
        str title;
        unsigned type, state;
        bool in[TRUTH_FOLDERS];
    } v[TRUTH_SOURCES_MAX];
    uuid folders[TRUTH_FOLDERS];
};

static unsigned chance(struct truth *t, size_t n)
{
    return (unsigned)rng_below(&t->r, n);
}

static bool title_has(str title, str query)
{
    struct buf in = {0}, part = {0};
    bool yes;

    fold_case(title, &in);
    fold_case(query, &part);
    yes = part.n == 0 || str_find(buf_str(&in), buf_str(&part)) < in.n;
    buf_close(&in);
    buf_close(&part);
    return yes;
}

static bool is_asked(const struct truth *t, size_t i,
                     const struct source_filter *by)
{
    if (by->types != 0 && (t->v[i].type >= SOURCE_TYPE_COUNT ||
                           (by->types >> t->v[i].type & 1u) == 0))
        return false;
    if (by->states != 0 && (by->states >> t->v[i].state & 1u) == 0)
        return false;
    for (size_t k = 0; k < TRUTH_FOLDERS; k++)
        if (uuid_eq(by->folder, t->folders[k]) && !t->v[i].in[k])
            return false;
    return by->query.n == 0 || title_has(t->v[i].title, by->query);
}

static str expected(const struct truth *t, const struct source_filter *by,
                    struct window w)
{
    str line = STR("");
    size_t total = 0;

    for (size_t i = t->n; i-- > 0;) {
        if (!is_asked(t, i, by))
            continue;
        if (total >= w.offset && total - w.offset < w.limit)
            line = arena_fmt(f.a, STR_FMT STR_FMT " ", STR_ARG(line),
                             STR_ARG(t->v[i].title));
        total++;
    }
    return arena_fmt(f.a, STR_FMT "of %zu", STR_ARG(line), total);
}

#define ASKED 16 /* every set of filters */

struct asked {
    struct source_filter by;
    struct window w;
    str line;
};

/* A write's session asks SQL. */
static rc run_lists(struct db *db, void *arg, struct err *e)
{
    struct asked *v = arg;
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < ASKED; i++)
        code = list_titled(db, v[i].by, v[i].w, &v[i].line, e);
    return code;
}

static struct asked asked_of(struct truth *t, unsigned filters)
{
    struct asked a = {.w = {chance(t, 9) * chance(t, 3), 1 + chance(t, 7)}};

    if ((filters & 1) != 0)
        a.by.types = 1 + chance(t, 15);
    if ((filters & 2) != 0)
        a.by.states = 1 + chance(t, 127);
    if ((filters & 4) != 0)
        a.by.query = str_of(QUERIES[chance(t, NELEMS(QUERIES))]);
    if ((filters & 8) != 0)
        a.by.folder = t->folders[chance(t, TRUTH_FOLDERS)];
    return a;
}

static void all_is_listed(struct truth *t)
{
    struct asked v[ASKED];

    for (unsigned i = 0; i < ASKED; i++)
        v[i] = asked_of(t, i);
    must(do_write(f.s, run_lists, v, &f.e), &f.e);
    for (unsigned i = 0; i < 2 * ASKED; i++) {
        const struct asked *a = &v[i % ASKED];
        str should = expected(t, &a->by, a->w),
            is = i < ASKED ? a->line : sources_titled(a->by, a->w);

        if (!str_eq(is, should))
            fail_msg("filters %u: \"" STR_FMT "\", not \"" STR_FMT "\"", i,
                     STR_ARG(is), STR_ARG(should));
    }
}

static void truth_add(struct truth *t)
{
    size_t i = t->n++;

    ASSERT(i < TRUTH_SOURCES_MAX);
    t->v[i].title = str_of(TITLES[chance(t, NELEMS(TITLES))]);
    t->v[i].type = chance(t, NELEMS(TYPES));
    t->v[i].state = chance(t, VERSION_STATE_COUNT);
    t->v[i].id = source_add(t->v[i].title, TYPES[t->v[i].type],
                            (enum version_state)t->v[i].state);
    memset(t->v[i].in, 0, sizeof t->v[i].in);
}

/* A new title, and now and then a new state. */
static void truth_update(struct truth *t, size_t i)
{
    struct document_row d = {.id = t->v[i].id};

    d.title = str_of(TITLES[chance(t, NELEMS(TITLES))]);
    d.state = (enum version_state)(
        chance(t, 2) == 0 ? t->v[i].state : chance(t, VERSION_STATE_COUNT));
    assert_int_equal(do_write(f.s, run_retitle_and_fail, &d, &f.e),
                     RC_CONFLICT);
    all_is_listed(t);
    must(do_write(f.s, run_retitle, &d, &f.e), &f.e);
    t->v[i].title = d.title;
    t->v[i].state = d.state;
}

static void truth_drop(struct truth *t, size_t i)
{
    must(do_write(f.s, run_drop, &t->v[i].id, &f.e), &f.e);
    t->n--;
    memmove(&t->v[i], &t->v[i + 1], (t->n - i) * sizeof t->v[0]);
}

static void truth_move(struct truth *t, size_t i)
{
    struct put_in p = {
        .item = t->v[i].id, .kind = OBJECT_DOCUMENT, .v = t->folders};
    unsigned into = chance(t, 4);
    uuid both[TRUTH_FOLDERS];

    for (size_t k = 0; k < TRUTH_FOLDERS; k++) {
        t->v[i].in[k] = (into >> k & 1u) != 0;
        if (t->v[i].in[k])
            both[p.n++] = t->folders[k];
    }
    p.v = both;
    must(do_write(f.s, run_folders_set, &p, &f.e), &f.e);
}

static void truth_change(struct truth *t)
{
    unsigned what = t->n == 0 ? 0 : chance(t, 8);
    size_t i = t->n == 0 ? 0 : chance(t, t->n);

    if (what <= 2)
        truth_add(t);
    else if (what <= 4)
        truth_update(t, i);
    else if (what == 5)
        truth_drop(t, i);
    else
        truth_move(t, i);
}

static void lists_are_what_a_plain_filter_gives_after_each_write(void **state)
{
    struct truth *t = ARENA_NEW(f.a, struct truth);

    (void)state;
    t->r = rng_seeded(5);
    for (size_t k = 0; k < TRUTH_FOLDERS; k++)
        t->folders[k] = folder_add(STR("f"), UUID_NIL);
    all_is_listed(t);
    for (size_t round = 0; round < 100; round++) {
        truth_change(t);
        all_is_listed(t);
        all_is_listed(t);
    }
}

static void an_older_snapshot_goes_on_with_its_own_documents(void **state)
{
    const struct source_filter by = {.query = STR("new")};
    const struct window all = {.limit = 9};
    struct document_row d = {.state = VERSION_ACTIVE, .title = STR("news")};
    struct db *old;

    (void)state;
    d.id = source_add(STR("olds"), "text", VERSION_ACTIVE);
    assert_text(sources_titled(by, all), "of 0");
    old = reading();
    assert_text(sources_titled_by(old, by, all), "of 0");
    must(do_write(f.s, run_retitle, &d, &f.e), &f.e);
    for (size_t i = 0; i < 3; i++) {
        assert_text(sources_titled_by(old, by, all), "of 0");
        assert_text(sources_titled(by, all), "news of 1");
    }
    store_read_end(old);
}

/* Twice as many as are kept, each with a source that is called like it. */
static void bases_take_turns_in_memory(void **state)
{
    uuid bases[2 * SOURCE_TABLES_MAX], first = f.base, tenant = f.tenant;

    (void)state;
    for (size_t i = 0; i < NELEMS(bases); i++) {
        f.base = bases[i] = uuid_new();
        must(do_write(f.s, put_another_base, NULL, &f.e), &f.e);
        (void)source_add(arena_fmt(f.a, "n%zu", i), "text", VERSION_ACTIVE);
    }
    for (size_t turn = 0; turn < 3 * NELEMS(bases); turn++) {
        size_t i = turn * 5 % NELEMS(bases);
        str should = arena_fmt(f.a, "n%zu of 1", i);

        f.base = bases[i];
        assert_true(
            str_eq(sources_titled((struct source_filter){.query = STR("N")},
                                  (struct window){.limit = 9}),
                   should));
        f.tenant = uuid_new(); /* not theirs */
        assert_text(sources_titled((struct source_filter){.query = STR("N")},
                                   (struct window){.limit = 9}),
                    "of 0");
        f.tenant = tenant;
    }
    f.base = first;
}

static void what_is_too_large_for_memory_is_listed_all_the_same(void **state)
{
    char *text = arena_alloc(f.a, MIB);
    const struct window two = {.limit = 2};

    (void)state;
    memset(text, 'x', MIB);
    for (size_t i = 0; i < 9; i++)
        (void)source_add((str){text, MIB}, "text", VERSION_ACTIVE);
    (void)source_add(STR("short"), "text", VERSION_ACTIVE);
    for (size_t i = 0; i < 2; i++) {
        assert_text(
            sources_titled((struct source_filter){.query = STR("OR")}, two),
            "short of 1");
        assert_text(
            sources_titled((struct source_filter){.query = STR("yx")}, two),
            "of 0");
    }
}

static rc run_many(struct db *db, void *arg, struct err *e)
{
    rc code = RC_OK;

    (void)arg;
    for (size_t i = 0; code == RC_OK && i < 1000; i++)
        code = db_document_put(
            db,
            &(struct document_row){.id = uuid_new(),
                                   .base = f.base,
                                   .tenant = f.tenant,
                                   .title = arena_fmt(f.a, "title %zu", i),
                                   .metadata = STR("{}"),
                                   .source_type = STR("text"),
                                   .state = VERSION_ACTIVE},
            e);
    return code;
}

/* Some 20 pages hold the documents. */
static void once_in_memory_a_list_reads_what_it_shows_alone(void **state)
{
    const struct source_filter by = {.query = STR("e 77"), .types = 15};
    const struct source_filter none = {.query = STR("none")};
    const struct window all = {.limit = 20}, two = {.offset = 9, .limit = 2};
    struct db *db;

    (void)state;
    must(do_write(f.s, run_many, NULL, &f.e), &f.e);
    assert_text(sources_titled(by, two), "title 770 title 77 of 11");
    db = reading();
    (void)pages_read(db);
    assert_text(sources_titled_by(db, none, all), "of 0");
    assert_true(pages_read(db) < 10);
    store_read_end(db);
}

#define LISTERS 4

static rc run_swap(struct db *db, void *arg, struct err *e)
{
    const struct document_row *d = arg;
    rc code = run_retitle(db, mem_unconst(&d[0]), e);

    return code == RC_OK ? run_retitle(db, mem_unconst(&d[1]), e) : code;
}

/* Both are called the same, at any time. */
static void *list_for_long(void *arg)
{
    struct arena *a = arena_open();
    const atomic_bool *stop = arg;
    size_t odd = 0;

    while (!atomic_load(stop)) {
        struct source_filter by = {.query = STR("even")};
        struct source_row *v;
        struct err e;
        struct db *db;
        uint64_t total;
        size_t n;

        if (store_read_begin(f.s, &db, &e) != RC_OK)
            continue;
        if (db_source_list(db, f.tenant, f.base, &by, (struct window){0, 9}, a,
                           &v, &n, &total, &e) != RC_OK ||
            n != total || (n != 0 && n != 2))
            odd++;
        store_read_end(db);
        arena_rewind(a, (struct arena_mark){0});
    }
    arena_close(a);
    return odd == 0 ? NULL : arg;
}

static void many_list_while_one_writes(void **state)
{
    struct document_row d[2] = {{.state = VERSION_ACTIVE},
                                {.state = VERSION_ACTIVE}};
    pthread_t threads[LISTERS];
    atomic_bool stop = false;
    void *odd;

    (void)state;
    d[0].id = source_add(STR("even"), "text", VERSION_ACTIVE);
    d[1].id = source_add(STR("even"), "text", VERSION_ACTIVE);
    for (size_t i = 0; i < LISTERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, list_for_long, &stop), 0);
    for (size_t i = 0; i < 100; i++) {
        d[0].title = d[1].title = i % 2 == 0 ? STR("odd") : STR("even");
        must(do_write(f.s, run_swap, d, &f.e), &f.e);
        assert_text(sources_titled((struct source_filter){.query = STR("ODD")},
                                   (struct window){.limit = 9}),
                    i % 2 == 0 ? "odd odd of 2" : "of 0");
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < LISTERS; i++) {
        assert_int_equal(pthread_join(threads[i], &odd), 0);
        assert_null(odd);
    }
}

/* ---- URLs ---- */

static rc run_web_put(struct db *db, void *arg, struct err *e)
{
    return db_web_put(db, arg, e);
}

/* A whole one, with a version and a job. */
static uuid document_add(str text)
{
    struct intake_doc d;

    intake(&f, &d, text);
    return d.document;
}

static struct web_row web_of(uuid document, str url, str key)
{
    return (struct web_row){.base = f.base,
                            .document = document,
                            .tenant = f.tenant,
                            .url = url,
                            .key = key};
}

/* The document that the base in hand has under the key; nil: none. */
static uuid document_by_key(str key)
{
    struct web_row w;
    struct db *db = reading();
    rc code = db_web_by_key(db, f.tenant, f.base, key, f.a, &w, &f.e);

    store_read_end(db);
    if (code == RC_NOTFOUND)
        return UUID_NIL;
    must(code, &f.e);
    return w.document;
}

static void the_database_refuses_a_second_url_of_one_key(void **state)
{
    uuid first = document_add(STR("first"));
    uuid second = document_add(STR("second"));
    struct web_row w = web_of(first, STR("http://a.test/"), STR("a.test/"));

    (void)state;
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    w = web_of(second, STR("https://A.test"), STR("a.test/"));
    assert_int_equal(do_write(f.s, run_web_put, &w, &f.e), RC_CONFLICT);
    assert_string_equal(f.e.text, "a document of that URL is there");
    assert_true(uuid_eq(document_by_key(w.key), first));
    assert_int_equal(count("SELECT count(*) FROM web"), 1);
    w.key = STR("a.test/other");
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    assert_true(uuid_eq(document_by_key(w.key), second));
    no_damage();
}

static void a_document_has_one_url(void **state)
{
    uuid only = document_add(STR("only"));
    struct web_row w = web_of(only, STR("http://a.test/"), STR("a.test/"));

    (void)state;
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    w = web_of(only, STR("http://b.test/"), STR("b.test/"));
    assert_int_equal(do_write(f.s, run_web_put, &w, &f.e), RC_CONFLICT);
    assert_true(uuid_is_nil(document_by_key(w.key)));
    no_damage();
}

static void each_base_has_a_url_of_its_own(void **state)
{
    const uuid base = f.base;
    uuid here = document_add(STR("here")), there;
    struct web_row w = web_of(here, STR("http://a.test/"), STR("a.test/"));

    (void)state;
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    f.base = uuid_new();
    must(do_write(f.s, put_another_base, NULL, &f.e), &f.e);
    there = document_add(STR("there"));
    w = web_of(there, w.url, w.key);
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    assert_true(uuid_eq(document_by_key(w.key), there));
    f.base = base;
    assert_true(uuid_eq(document_by_key(w.key), here));
    no_damage();
}

static void the_key_of_a_deleted_document_is_free(void **state)
{
    uuid gone = document_add(STR("gone"));
    uuid next = document_add(STR("next"));
    struct web_row w = web_of(gone, STR("http://a.test/"), STR("a.test/"));

    (void)state;
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    must(do_write(f.s, run_drop, &gone, &f.e), &f.e);
    assert_true(uuid_is_nil(document_by_key(w.key)));
    w.document = next;
    must(do_write(f.s, run_web_put, &w, &f.e), &f.e);
    assert_true(uuid_eq(document_by_key(w.key), next));
    no_damage();
}

/* ---- what goes with what ---- */

static rc put_web(struct db *db, void *arg, struct err *e)
{
    const uuid *document = arg;
    struct q q =
        q_open(db, "INSERT INTO web(base, document, tenant, url, key, tried_ms,"
                   " fetched_ms) VALUES(?1, ?2, ?3, 'u', 'k', 0, 0)");

    q_uuid(&q, f.base);
    q_uuid(&q, *document);
    q_uuid(&q, f.tenant);
    return q_run(&q, NULL, e);
}

/* One row of every table of a hub, about one document. */
struct hub {
    struct intake_doc d;
    uuid folder, article;
};

static void hub_put(struct hub *h)
{
    struct article_row a = article_of(STR("page"), ARTICLE_PUBLISHED);
    struct article_version_row v = {.base = f.base,
                                    .article = a.id,
                                    .number = 1,
                                    .title = STR("page"),
                                    .content = STR("text")};

    intake(&f, &h->d, STR("a document"));
    h->folder = folder_add(STR("folder"), UUID_NIL);
    h->article = a.id;
    a.document = h->d.document;
    a.version = 1;
    a.draft_title = a.draft_content = STR("draft");
    must(do_write(f.s, run_article_put, &a, &f.e), &f.e);
    must(do_write(f.s, run_version_put, &v, &f.e), &f.e);
    must(do_write(f.s, put_web, &h->d.document, &f.e), &f.e);
    put_in(h->d.document, OBJECT_DOCUMENT, h->folder);
    attach(a.id, h->d.document);
}

static void with_a_document_goes_all_that_names_it(void **state)
{
    struct hub h;
    struct article_row a;

    (void)state;
    hub_put(&h);
    no_damage();
    assert_int_equal(article_get(h.article).source_count, 1);
    must(do_write(f.s, delete_doc, &h.d, &f.e), &f.e);
    a = article_get(h.article);
    assert_int_equal(a.source_count, 0);
    assert_true(uuid_is_nil(a.document));
    assert_int_equal(a.version, 1);
    assert_int_equal(count("SELECT count(*) FROM web"), 0);
    assert_int_equal(count("SELECT count(*) FROM folder_item"), 0);
    assert_int_equal(count("SELECT count(*) FROM article_source"), 0);
    assert_int_equal(count("SELECT count(*) FROM folder"), 1);
    no_damage();
}

static rc delete_base(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_base_delete(db, f.tenant, f.base, e);
}

static size_t tables_kept(void)
{
    size_t n = 0;

    for (size_t i = 0; i < SOURCE_TABLES_MAX; i++)
        n += f.s->tables.v[i] != NULL;
    return n;
}

static void with_a_base_goes_what_is_in_memory_of_it(void **state)
{
    const struct source_filter by = {.query = STR("news")};
    size_t before;

    (void)state;
    (void)source_add(STR("news"), "text", VERSION_ACTIVE);
    assert_text(sources_titled(by, (struct window){.limit = 9}), "news of 1");
    before = tables_kept();
    assert_true(before > 0);
    must(do_write(f.s, delete_base, NULL, &f.e), &f.e);
    assert_int_equal(tables_kept(), before - 1);
}

static rc purge(struct db *db, void *arg, struct err *e)
{
    return db_purge_slice(db, 2, arg, e);
}

static void with_a_base_goes_all_of_its_hub(void **state)
{
    struct hub h;
    size_t slices = 0;
    bool more = true;

    (void)state;
    hub_put(&h);
    for (size_t i = 0; i < 5; i++)
        put_in(article_add(STR("page"), ARTICLE_DRAFT), OBJECT_ARTICLE,
               folder_add(STR("folder"), h.folder));
    must(do_write(f.s, delete_base, NULL, &f.e), &f.e);
    for (; more; slices++) {
        must(do_write(f.s, purge, &more, &f.e), &f.e);
        no_damage();
    }
    assert_true(slices > 10);
    assert_int_equal(count("SELECT (SELECT count(*) FROM web)"
                           " + (SELECT count(*) FROM folder)"
                           " + (SELECT count(*) FROM folder_item)"
                           " + (SELECT count(*) FROM article)"
                           " + (SELECT count(*) FROM article_version)"
                           " + (SELECT count(*) FROM article_text)"
                           " + (SELECT count(*) FROM article_source)"),
                     0);
    assert_int_equal(count("SELECT count(*) FROM object WHERE kind > 1"), 0);
}

static void count_line(void *arg, const char *line)
{
    (void)arg;
    assert_true(strlen(line) > 10);
}

/* With the store closed: what no run of the program would do. */
static void damage(const char *sql)
{
    char path[128];
    sqlite3 *conn;

    store_close(f.s);
    (void)snprintf(path, sizeof path, "%s/knowd.db", f.dir);
    assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
    if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
    assert_int_equal(sqlite3_close(conn), SQLITE_OK);
    open_store(&f);
}

static void damage_to_a_hub_is_found(void **state)
{
    static const char *const DAMAGE[] = {
        "DELETE FROM folder",
        "DELETE FROM article",
        "DELETE FROM article_version",
        "DELETE FROM object WHERE kind = 7",
        "DELETE FROM object WHERE kind = 8",
        "UPDATE web SET document = randomblob(16)",
        "UPDATE web SET tenant = randomblob(16)",
        "UPDATE folder SET tenant = randomblob(16)",
        "UPDATE folder SET parent = randomblob(16)",
        "UPDATE folder SET parent = id",
        "UPDATE folder_item SET item = randomblob(16)",
        "UPDATE folder_item SET folder = randomblob(16)",
        "UPDATE folder_item SET kind = 8",
        "UPDATE article SET tenant = randomblob(16)",
        "UPDATE article SET document = randomblob(16)",
        "UPDATE article SET version = 2",
        "UPDATE article SET draft_content = 99",
        "UPDATE article SET draft_content = NULL",
        "UPDATE article SET draft_content ="
        " (SELECT content FROM article_version)",
        "UPDATE article_version SET article = randomblob(16)",
        "UPDATE article_version SET content = 99",
        "DELETE FROM article_text",
        "UPDATE article_text SET base = randomblob(16)",
        "INSERT INTO article_text(base, text)"
        " SELECT base, 'nobody''s' FROM article",
        "UPDATE article_source SET article = randomblob(16)",
        "UPDATE article_source SET document = randomblob(16)",
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(DAMAGE); i++) {
        uint64_t found = 0;
        struct hub h;

        hub_put(&h);
        damage(DAMAGE[i]);
        must(store_check(f.s, false, count_line, NULL, &found, &f.e), &f.e);
        if (found == 0)
            fail_msg("not found: %s", DAMAGE[i]);
        fix_close(&f);
        fix_open(&f);
    }
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(sql_puts_letter_case_aside),
        FACT(a_folder_comes_back_as_it_was_put),
        FACT(folders_are_listed_by_name_and_found_in_any_case),
        FACT(a_folder_counts_what_lies_in_it_directly),
        FACT(setting_folders_replaces_them),
        FACT(a_dropped_folder_leaves_what_lay_in_it),
        FACT(a_folder_holds_the_documents_below_it),
        FACT(a_tree_is_walked_to_its_depth_and_no_further),
        FACT(an_article_comes_back_as_it_was_put),
        FACT(a_draft_has_one_text_and_none_when_it_is_gone),
        FACT(a_list_reads_none_of_the_texts),
        FACT(articles_are_filtered_and_sorted),
        FACT(versions_of_an_article_are_listed_newest_first),
        FACT(sources_are_filtered_newest_first),
        FACT(an_articles_document_lies_where_the_article_does),
        FACT(a_page_of_sources_tells_how_many_there_are),
        FACT(writes_of_documents_are_counted_and_no_others),
        FACT(lists_are_what_a_plain_filter_gives_after_each_write),
        FACT(an_older_snapshot_goes_on_with_its_own_documents),
        FACT(once_in_memory_a_list_reads_what_it_shows_alone),
        FACT(bases_take_turns_in_memory),
        FACT(what_is_too_large_for_memory_is_listed_all_the_same),
        FACT(many_list_while_one_writes),
        FACT(the_database_refuses_a_second_url_of_one_key),
        FACT(a_document_has_one_url),
        FACT(each_base_has_a_url_of_its_own),
        FACT(the_key_of_a_deleted_document_is_free),
        FACT(with_a_document_goes_all_that_names_it),
        FACT(with_a_base_goes_all_of_its_hub),
        FACT(with_a_base_goes_what_is_in_memory_of_it),
        FACT(damage_to_a_hub_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
