/* `knowd check`: seeded damage is found, a sound folder has none. */
#include "store_fixture.h"

#include <sqlite3.h>

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

static void count_line(void *arg, const char *line)
{
    uint64_t *lines = arg;

    assert_true(strlen(line) > 10);
    ++*lines;
}

static uint64_t findings(bool deep)
{
    uint64_t found = 0, lines = 0;

    must(store_check(f.s, deep, count_line, &lines, &found, &f.e), &f.e);
    assert_int_equal(found, lines);
    return found;
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

static void a_sound_folder_has_no_findings(void **state)
{
    struct intake_doc d[3];

    (void)state;
    for (size_t i = 0; i < NELEMS(d); i++)
        intake(&f, &d[i], noise(&f, i == 0 ? 200000 : 100, i));
    assert_int_equal(findings(false), 0);
    assert_int_equal(findings(true), 0);
}

static void every_kind_of_seeded_damage_is_found(void **state)
{
    static const char *const DAMAGE[] = {
        "DELETE FROM tenant",
        "DELETE FROM base",
        "DELETE FROM base_state",
        "DELETE FROM document",
        "DELETE FROM version",
        "DELETE FROM job",
        "DELETE FROM item",
        "DELETE FROM body",
        "DELETE FROM blob",
        "DELETE FROM object WHERE kind = 1",
        "DELETE FROM object WHERE kind = 3",
        "DELETE FROM object WHERE kind = 4",
        "DELETE FROM object WHERE kind = 5",
        "DELETE FROM object WHERE kind = 6",
        "UPDATE blob SET uses = uses + 1",
        "UPDATE blob SET uses = uses - 1",
        "UPDATE document SET state = 2",
        "UPDATE document SET active_version = randomblob(16)",
        "UPDATE document SET tenant = randomblob(16)",
        "UPDATE version SET tenant = randomblob(16)",
        "UPDATE version SET original_sha = randomblob(32)",
        "UPDATE job SET status = 4",
        "UPDATE job SET n2 = 1",
        "UPDATE item SET status = 2",
        "UPDATE base_state SET n0 = n0 - 1",
        "UPDATE body SET bytes = zeroblob(length(bytes))",
        "UPDATE body SET crc = 0",
        "UPDATE blob SET bytes = bytes + 1",
        "INSERT INTO segment VALUES(randomblob(16), 1, randomblob(16), 1, 1, 1,"
        " 1)",
        "INSERT INTO object(id, tenant, kind, base) VALUES(randomblob(16),"
        " randomblob(16), 4, randomblob(16))",
    };

    (void)state;
    for (size_t i = 0; i < NELEMS(DAMAGE); i++) {
        struct intake_doc d;

        intake(&f, &d, STR("a body"));
        damage(DAMAGE[i]);
        if (findings(true) == 0)
            fail_msg("not found: %s", DAMAGE[i]);
        fix_close(&f);
        fix_open(&f);
    }
}

static void a_torn_page_is_found_and_nothing_crashes(void **state)
{
    char path[128];

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        struct intake_doc d;

        intake(&f, &d, noise(&f, 3000, i));
    }
    store_close(f.s);
    (void)snprintf(path, sizeof path, "%s/knowd.db", f.dir);
    for (long page = 8; page < 24; page += 2) {
        FILE *db = fopen(path, "r+e");
        char zeros[4096] = {0}, was[4096];
        rc code;

        assert_non_null(db);
        assert_int_equal(fseek(db, page * 4096, SEEK_SET), 0);
        assert_int_equal(fread(was, 1, sizeof was, db), sizeof was);
        assert_int_equal(fseek(db, page * 4096, SEEK_SET), 0);
        assert_int_equal(fwrite(zeros, 1, sizeof zeros, db), sizeof zeros);
        assert_int_equal(fclose(db), 0);
        /* Where it is too bad to open, nothing is changed either. */
        code = store_open(&(struct store_opts){.dir = f.dir}, &f.s, &f.e);
        if (code == RC_OK) {
            assert_true(findings(true) > 0);
            store_close(f.s);
        } else {
            assert_int_equal(code, RC_CORRUPT);
        }
        db = fopen(path, "r+e");
        assert_non_null(db);
        assert_int_equal(fseek(db, page * 4096, SEEK_SET), 0);
        assert_int_equal(fwrite(was, 1, sizeof was, db), sizeof was);
        assert_int_equal(fclose(db), 0);
    }
    open_store(&f);
    assert_int_equal(findings(true), 0);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_sound_folder_has_no_findings),
        FACT(every_kind_of_seeded_damage_is_found),
        FACT(a_torn_page_is_found_and_nothing_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
