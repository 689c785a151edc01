#include "store/vfs_priv.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/io.h"
#include "scratch.h"

#define ROWS 400 /* with their pages more than 64 KiB */

static sqlite3 *connect(void **state, const char *vfs, const char *settings)
{
    sqlite3 *conn;
    struct err e;

    assert_int_equal(vfs_register(&e), RC_OK);
    assert_int_equal(sqlite3_open_v2(scratch_path(state, "a.db"), &conn,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     vfs),
                     SQLITE_OK);
    (void)sqlite3_extended_result_codes(conn, 1);
    assert_int_equal(sqlite3_exec(conn, settings, NULL, NULL, NULL), SQLITE_OK);
    return conn;
}

static sqlite3 *writer_open(void **state)
{
    (void)remove(scratch_path(state, "a.db"));
    (void)remove(scratch_path(state, "a.db-wal"));
    (void)remove(scratch_path(state, "a.db-shm"));
    return connect(state, VFS_WRITER_NAME,
                   "PRAGMA page_size = 4096; PRAGMA journal_mode = wal;"
                   "PRAGMA synchronous = full; PRAGMA wal_autocheckpoint = 0;"
                   "PRAGMA cache_size = 10;" /* pages: the rest spills */
                   "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
}

static void run(sqlite3 *conn, const char *sql)
{
    if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
}

static void put_rows(sqlite3 *conn, const char *v)
{
    char sql[200];

    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                   " FROM n WHERE i < %d)"
                   "INSERT OR REPLACE INTO t SELECT i, %s FROM n",
                   ROWS, v);
    run(conn, sql);
}

static int int_of(sqlite3 *conn, const char *sql)
{
    sqlite3_stmt *st;
    int v;

    assert_int_equal(sqlite3_prepare_v2(conn, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st);
    return v;
}

/* Both of them see the same sound rows, and so does a third that begins with
 * the WAL alone. */
static void all_see(void **state, sqlite3 *writer, sqlite3 *reader, int rows)
{
    static const char SUM[] = "SELECT count(*) FROM t WHERE length(v) = 900";
    sqlite3 *third = connect(state, VFS_NAME, "PRAGMA synchronous = full");
    sqlite3 *const all[] = {writer, reader, third};

    for (size_t i = 0; i < NELEMS(all); i++) {
        assert_int_equal(int_of(all[i], SUM), rows);
        assert_int_equal(int_of(all[i],
                                "SELECT count(*) FROM pragma_integrity_check"
                                " WHERE integrity_check = 'ok'"),
                         1);
    }
    assert_int_equal(sqlite3_close(third), SQLITE_OK);
}

static void pages_of_a_wal_are_written_together(void **state)
{
    sqlite3 *w = writer_open(state), *r = connect(state, VFS_NAME, "");
    int pages;

    run(w, "PRAGMA cache_size = 1000");
    io_plan_set("exit@0:pwrite:path=a.db-wal");
    run(w, "BEGIN");
    put_rows(w, "randomblob(900)");
    run(w, "COMMIT");
    pages = int_of(w, "PRAGMA page_count");
    assert_true(pages > 64);
    assert_in_range(io_plan_count(), pages / 16, pages / 8);
    io_plan_set(NULL);
    all_see(state, w, r, ROWS);
    assert_int_equal(sqlite3_close(r), SQLITE_OK);
    assert_int_equal(sqlite3_close(w), SQLITE_OK);
}

static void a_transaction_reads_what_it_has_spilled(void **state)
{
    sqlite3 *w = writer_open(state), *r = connect(state, VFS_NAME, "");

    put_rows(w, "randomblob(900)");
    run(w, "BEGIN");
    for (int i = 0; i < 3; i++) { /* pages are written more than once */
        put_rows(w, "zeroblob(901)");
        assert_int_equal(
            int_of(w, "SELECT count(*) FROM t WHERE length(v) = 901"), ROWS);
    }
    all_see(state, r, r, ROWS); /* nothing of it */
    run(w, "ROLLBACK");
    all_see(state, w, r, ROWS);
    run(w, "DELETE FROM t WHERE id % 2 = 0");
    all_see(state, w, r, ROWS / 2);
    run(w, "PRAGMA wal_checkpoint(truncate)");
    all_see(state, w, r, ROWS / 2);
    assert_int_equal(sqlite3_close(r), SQLITE_OK);
    assert_int_equal(sqlite3_close(w), SQLITE_OK);
}

/* Of one big transaction, each call fails once in turn. */
static void a_write_that_fails_late_undoes_its_transaction(void **state)
{
    static const struct {
        const char *name;
        int code;
    } ERRORS[] = {{"EIO", SQLITE_IOERR_WRITE}, {"ENOSPC", SQLITE_FULL}};
    static const char SQL[] =
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 400) INSERT INTO t SELECT i, randomblob(900) FROM n;"
        " COMMIT";
    int code = SQLITE_ERROR;
    unsigned k;

    for (k = 0; code != SQLITE_OK; k++) {
        sqlite3 *w = writer_open(state), *r = connect(state, VFS_NAME, "");
        char plan[80];

        (void)snprintf(plan, sizeof plan, "fail@%u:%s:pwrite:path=a.db-wal",
                       k + 1, ERRORS[k % 2].name);
        io_plan_set(plan);
        code = sqlite3_exec(w, SQL, NULL, NULL, NULL);
        io_plan_set(NULL);
        if (code != SQLITE_OK)
            assert_int_equal(code, ERRORS[k % 2].code);
        if (sqlite3_get_autocommit(w) == 0)
            run(w, "ROLLBACK");
        all_see(state, w, r, code == SQLITE_OK ? ROWS : 0);
        put_rows(w, "randomblob(900)");
        all_see(state, w, r, ROWS);
        assert_int_equal(sqlite3_close(r), SQLITE_OK);
        assert_int_equal(sqlite3_close(w), SQLITE_OK);
    }
    assert_true(k > 4);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(pages_of_a_wal_are_written_together),
        cmocka_unit_test(a_transaction_reads_what_it_has_spilled),
        cmocka_unit_test(a_write_that_fails_late_undoes_its_transaction),
    };

    return cmocka_run_group_tests(TESTS, scratch_open, scratch_close);
}
