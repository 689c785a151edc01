/* Whose the data folder is, and that what is refused stays as it was. */
#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/io.h"
#include "store/store_priv.h"

static struct fix f;

static int set_up(void **state)
{
    (void)state;
    fix_open_empty(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fix_close(&f);
    return 0;
}

/* Names, sizes, times and contents of all files, as one hash. */
static sha256 picture(void)
{
    struct sha256_stream *h = sha256_open();
    char path[512];
    str *names, text;
    struct stat st;
    size_t n;
    sha256 sha;

    must(file_list(f.dir, 1000, f.a, &names, &n, &f.e), &f.e);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f.dir, names[i].p);
        sha256_put(h, names[i].p, names[i].n);
        assert_int_equal(stat(path, &st), 0);
        sha256_put(h, &st.st_mtim, sizeof st.st_mtim);
        if (S_ISREG(st.st_mode)) {
            must(file_read(path, MIB * 16, f.a, &text, &f.e), &f.e);
            sha256_put(h, text.p, text.n);
        }
    }
    sha = sha256_end(h);
    sha256_close(h);
    return sha;
}

static void put_file(const char *name, str bytes)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", f.dir, name);
    must(file_write_atomic(path, bytes, 0600, &f.e), &f.e);
}

static void is_refused(rc with)
{
    sha256 before = picture(), after;
    struct store *s;

    assert_int_equal(store_open(&(struct store_opts){.dir = f.dir}, &s, &f.e),
                     with);
    after = picture();
    assert_true(sha256_eq(&before, &after));
}

static void run_sql(const char *sql, bool leave_wal)
{
    char path[512];
    sqlite3 *conn;

    (void)snprintf(path, sizeof path, "%s/knowd.db", f.dir);
    assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                                       (int)leave_wal, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(conn, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(conn), SQLITE_OK);
}

static void a_folder_with_other_files_is_refused(void **state)
{
    (void)state;
    put_file("letter.txt", STR("dear"));
    is_refused(RC_UNSUPPORTED);
    assert_non_null(strstr(f.e.text, "nothing was changed"));
}

static void a_file_in_its_place_is_refused(void **state)
{
    struct store *s;
    char path[512];

    (void)state;
    put_file("letter.txt", STR("dear"));
    (void)snprintf(path, sizeof path, "%s/letter.txt", f.dir);
    assert_int_equal(store_open(&(struct store_opts){.dir = path}, &s, &f.e),
                     RC_UNSUPPORTED);
}

static void garbage_named_as_ours_is_refused(void **state)
{
    (void)state;
    put_file("knowd.db", STR("no database"));
    is_refused(RC_UNSUPPORTED);
    put_file("knowd.db", STR(""));
    is_refused(RC_UNSUPPORTED);
}

static void another_programs_database_is_refused(void **state)
{
    (void)state;
    run_sql("PRAGMA application_id = 77; PRAGMA user_version = 1;"
            "CREATE TABLE t(a)",
            false);
    is_refused(RC_UNSUPPORTED);
}

static void a_newer_schema_is_refused(void **state)
{
    (void)state;
    open_store(&f);
    store_close(f.s);
    f.s = NULL;
    run_sql("PRAGMA user_version = 9999", false);
    is_refused(RC_UNSUPPORTED);
    assert_non_null(strstr(f.e.text, "newer"));
}

static void a_newer_schema_only_in_the_wal_is_refused(void **state)
{
    char path[512];

    (void)state;
    open_store(&f);
    store_close(f.s);
    f.s = NULL;
    run_sql("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 9999", true);
    (void)snprintf(path, sizeof path, "%s/knowd.db-shm", f.dir);
    (void)unlink(path);
    is_refused(RC_UNSUPPORTED);
    assert_non_null(strstr(f.e.text, "newer"));
    (void)snprintf(path, sizeof path, "%s/lock", f.dir);
    assert_int_equal(unlink(path), 0);
    is_refused(RC_UNSUPPORTED);
}

static void a_second_server_is_refused(void **state)
{
    struct store *s;

    (void)state;
    open_store(&f);
    assert_int_equal(store_open(&(struct store_opts){.dir = f.dir}, &s, &f.e),
                     RC_BUSY);
    store_close(f.s);
    open_store(&f);
}

static void a_first_start_cut_short_is_taken_up_again(void **state)
{
    (void)state;
    put_file("knowd.db.new", STR("half"));
    put_file("lock", STR(""));
    open_store(&f);
}

static void a_reader_wants_a_folder_that_is_there(void **state)
{
    struct store *s;

    (void)state;
    assert_int_equal(
        store_open(&(struct store_opts){.dir = f.dir, .read_only = true}, &s,
                   &f.e),
        RC_NOTFOUND);
}

static rc no_write(struct db *db, void *arg, struct err *e)
{
    (void)db;
    (void)arg;
    (void)e;
    return RC_OK;
}

static void a_reader_works_beside_the_server_and_writes_nothing(void **state)
{
    struct intake_doc d;
    struct document_row row = {0};
    struct store *s;
    struct db *db;

    (void)state;
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, &d, STR("hello"));
    must(store_open(&(struct store_opts){.dir = f.dir, .read_only = true}, &s,
                    &f.e),
         &f.e);
    must(store_read_begin(s, &db, &f.e), &f.e);
    must(db_document_get(db, f.tenant, f.base, d.document, f.a, &row, &f.e),
         &f.e);
    store_read_end(db);
    assert_int_equal(do_write(s, no_write, NULL, &f.e), RC_UNSUPPORTED);
    store_close(s);
}

static void die(struct fix *x)
{
    struct intake_doc d;

    open_store(x);
    must(do_write(x->s, put_base, x, &x->e), &x->e);
    intake(x, &d, STR("hello"));
    _exit(0); /* as a kill would: the WAL stays */
}

static void no_line(void *arg, const char *line)
{
    (void)arg;
    fail_msg("%s", line);
}

static void a_check_after_a_kill_leaves_database_and_wal_alone(void **state)
{
    static const char *const NAMES[] = {"knowd.db", "knowd.db-wal"};
    str before[2], after;
    char path[512];
    struct store *s;
    uint64_t found;
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        die(&f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f.dir, NAMES[i]);
        must(file_read(path, MIB * 16, f.a, &before[i], &f.e), &f.e);
        assert_true(before[i].n > 0);
    }
    must(store_open(&(struct store_opts){.dir = f.dir, .read_only = true}, &s,
                    &f.e),
         &f.e);
    must(store_check(s, true, no_line, NULL, &found, &f.e), &f.e);
    store_close(s);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f.dir, NAMES[i]);
        must(file_read(path, MIB * 16, f.a, &after, &f.e), &f.e);
        assert_true(str_eq(before[i], after));
    }
}

static void the_secret_stays(void **state)
{
    char was[SECRET_BYTES];

    (void)state;
    open_store(&f);
    memcpy(was, store_secret(f.s).p, SECRET_BYTES);
    reopen(&f);
    assert_memory_equal(was, store_secret(f.s).p, SECRET_BYTES);
}

/* ---- migrations ---- */

static void missing_migrations_run_once_each_whole(void **state)
{
    static const char *const ONE[] = {"CREATE TABLE a(x)", NULL};
    static const char *const TWO[] = {"INSERT INTO a VALUES(2)", NULL};
    static const char *const BAD[] = {"INSERT INTO a VALUES(3)",
                                      "INSERT INTO nowhere VALUES(3)", NULL};
    const struct migration v[] = {{1, ONE}, {2, TWO}, {3, BAD}};
    sqlite3 *conn;
    int n = 0;

    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &conn), SQLITE_OK);
    must(migrations_run(conn, v, 1, &f.e), &f.e);
    must(migrations_run(conn, v, 2, &f.e), &f.e);
    must(migrations_run(conn, v, 2, &f.e), &f.e);
    assert_int_not_equal(migrations_run(conn, v, 3, &f.e), RC_OK);
    assert_non_null(strstr(f.e.text, "migration 3"));
    must(sql_int(conn, "PRAGMA user_version", &n, &f.e), &f.e);
    assert_int_equal(n, 2);
    must(sql_int(conn, "SELECT sum(x) FROM a", &n, &f.e), &f.e);
    assert_int_equal(n, 2);
    assert_int_equal(sqlite3_close(conn), SQLITE_OK);
}

/* A folder as schema 1 left it: what came later is dropped again. */
static void make_schema_1(struct intake_doc *d)
{
    open_store(&f);
    must(do_write(f.s, put_base, &f, &f.e), &f.e);
    intake(&f, d, STR("kept through the migration"));
    store_close(f.s);
    f.s = NULL;
    run_sql("DROP TABLE web; DROP TABLE folder; DROP TABLE folder_item;"
            "DROP TABLE article; DROP TABLE article_version;"
            "DROP TABLE article_source; DROP TABLE article_text;"
            "DROP INDEX object_code; DROP INDEX base_hub;"
            "ALTER TABLE object DROP COLUMN code;"
            "ALTER TABLE base DROP COLUMN hub;"
            "ALTER TABLE base DROP COLUMN alpha;"
            "ALTER TABLE document DROP COLUMN cover;"
            "ALTER TABLE document DROP COLUMN creator;"
            "ALTER TABLE version DROP COLUMN said_type;"
            "ALTER TABLE version DROP COLUMN summary;"
            "ALTER TABLE version DROP COLUMN canonical;"
            "ALTER TABLE version DROP COLUMN images;"
            "ALTER TABLE base_state DROP COLUMN document_changes;"
            "DROP INDEX item_refining;"
            "DROP INDEX base_state_keys_due;"
            "ALTER TABLE base_state DROP COLUMN keys_due;"
            "ALTER TABLE version DROP COLUMN found_title;"
            "ALTER TABLE version DROP COLUMN language;"
            "ALTER TABLE version DROP COLUMN doc_created;"
            "ALTER TABLE version DROP COLUMN doc_modified;"
            "ALTER TABLE version DROP COLUMN pages;"
            "ALTER TABLE version DROP COLUMN ocr_confidence;"
            "ALTER TABLE version DROP COLUMN flags;"
            "ALTER TABLE version DROP COLUMN text_since;"
            "PRAGMA user_version = 1;",
            false);
}

static void is_migrated(const struct intake_doc *d)
{
    struct version_row v = {0};
    uint64_t found;
    struct db *db;
    int version;
    str text;

    open_store(&f);
    must(store_read_begin(f.s, &db, &f.e), &f.e);
    must(sql_int(db->conn, "PRAGMA user_version", &version, &f.e), &f.e);
    assert_int_equal(version, migrations_version());
    must(db_version_get(db, f.tenant, f.base, d->version, f.a, &v, &f.e), &f.e);
    assert_null(v.found_title.p);
    assert_null(v.flags.p);
    assert_int_equal(v.pages + v.ocr_confidence + v.text_since, 0);
    must(blob_read(db, &v.original.sha, MIB, f.a, &text, &f.e), &f.e);
    assert_true(str_eq(text, STR("kept through the migration")));
    store_read_end(db);
    must(store_check(f.s, true, no_line, NULL, &found, &f.e), &f.e);
    store_close(f.s);
    f.s = NULL;
}

/* The exit status of a process that opens the folder under a plan. */
static int opened_with(const char *plan)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *s;

        io_plan_set(plan);
        if (store_open(&(struct store_opts){.dir = f.dir}, &s, &f.e) != RC_OK)
            _exit(3);
        store_close(s);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool in_folder(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", f.dir, name);
    return file_exists(path);
}

/* The copy is a database of its own, whole and of the former schema. */
static void is_kept(void)
{
    char path[512];
    sqlite3 *conn;
    sqlite3_stmt *st;
    int n = 0;

    (void)snprintf(path, sizeof path, "%s/knowd.db.schema-1", f.dir);
    assert_int_equal(sqlite3_open(path, &conn), SQLITE_OK);
    must(sql_int(conn, "PRAGMA user_version", &n, &f.e), &f.e);
    assert_int_equal(n, 1);
    must(sql_int(conn, "SELECT count(*) FROM version", &n, &f.e), &f.e);
    assert_int_equal(n, 1);
    assert_int_equal(
        sqlite3_prepare_v2(conn, "PRAGMA integrity_check", -1, &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(conn), SQLITE_OK);
}

static void the_database_is_copied_before_it_is_migrated(void **state)
{
    struct intake_doc d;

    (void)state;
    make_schema_1(&d);
    is_migrated(&d);
    is_kept();
    reopen(&f); /* nothing is migrated: the copy stays as it is */
    is_kept();
    assert_false(in_folder("knowd.db.schema-2"));
}

/* Going back: the copy in its place is what an older program would open. */
static void the_copy_can_be_put_back_and_migrated_again(void **state)
{
    struct intake_doc d;
    char from[512], to[512];

    (void)state;
    make_schema_1(&d);
    is_migrated(&d);
    (void)snprintf(from, sizeof from, "%s/knowd.db.schema-1", f.dir);
    (void)snprintf(to, sizeof to, "%s/knowd.db-wal", f.dir);
    (void)unlink(to);
    (void)snprintf(to, sizeof to, "%s/knowd.db", f.dir);
    assert_int_equal(rename(from, to), 0);
    is_migrated(&d);
    is_kept();
}

/* Each write of the copy fails in turn, as on a full disk. */
static void without_room_for_the_copy_nothing_is_migrated(void **state)
{
    static const char *const PLAN =
        "fail@%u:ENOSPC:sticky:write:path=knowd.db.schema";
    struct intake_doc d;
    unsigned k;
    int status = 3;

    (void)state;
    make_schema_1(&d);
    for (k = 1; k < 500 && status == 3; k++) {
        char plan[80];
        int version;
        enum folder_kind kind;

        (void)snprintf(plan, sizeof plan, PLAN, k);
        status = opened_with(plan);
        assert_true(status == 3 || status == 0);
        if (status != 3)
            break;
        assert_false(in_folder("knowd.db.schema-1"));
        must(folder_look(f.dir, 2, &kind, &version, &f.e), &f.e);
        assert_int_equal(version, 1);
    }
    assert_int_equal(status, 0);
    assert_true(k > 10);
    is_kept();
    assert_false(in_folder("knowd.db.schema-new"));
    is_migrated(&d);
}

static void a_copy_is_removed_when_two_weeks_have_passed(void **state)
{
    const int64_t day_ms = 24 * 3600 * 1000, now = clock_wall_ms();
    struct intake_doc d;

    (void)state;
    make_schema_1(&d);
    is_migrated(&d);
    must(folder_kept_drop(f.dir, now + 13 * day_ms, &f.e), &f.e);
    assert_true(in_folder("knowd.db.schema-1"));
    must(folder_kept_drop(f.dir, now + 15 * day_ms, &f.e), &f.e);
    assert_false(in_folder("knowd.db.schema-1"));
    assert_true(in_folder("knowd.db"));
}

static void a_migration_killed_at_any_write_is_done_by_the_next_start(
    void **state)
{
    unsigned kills = 0;
    int status;

    (void)state;
    for (unsigned k = 1; k < 400; k++) {
        struct intake_doc d;
        char plan[40];

        (void)tear_down(NULL);
        (void)set_up(NULL);
        make_schema_1(&d);
        (void)snprintf(plan, sizeof plan, "exit@%u:write", k);
        status = opened_with(plan);
        assert_true(status == 137 || status == 0);
        is_migrated(&d);
        is_kept();
        if (status == 0)
            break;
        kills++;
    }
    assert_int_equal(status, 0);
    assert_true(kills > 10);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_folder_with_other_files_is_refused),
        FACT(a_file_in_its_place_is_refused),
        FACT(garbage_named_as_ours_is_refused),
        FACT(another_programs_database_is_refused),
        FACT(a_newer_schema_is_refused),
        FACT(a_newer_schema_only_in_the_wal_is_refused),
        FACT(a_second_server_is_refused),
        FACT(a_first_start_cut_short_is_taken_up_again),
        FACT(a_reader_wants_a_folder_that_is_there),
        FACT(a_reader_works_beside_the_server_and_writes_nothing),
        FACT(a_check_after_a_kill_leaves_database_and_wal_alone),
        FACT(the_secret_stays),
        FACT(missing_migrations_run_once_each_whole),
        FACT(the_database_is_copied_before_it_is_migrated),
        FACT(the_copy_can_be_put_back_and_migrated_again),
        FACT(without_room_for_the_copy_nothing_is_migrated),
        FACT(a_copy_is_removed_when_two_weeks_have_passed),
        FACT(a_migration_killed_at_any_write_is_done_by_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
