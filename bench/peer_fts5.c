/* SQLite FTS5 with its Porter stemmer; contentless (it keeps only the index),
 * merged into one segment, everything in its page cache. ORDER BY rank is
 * bm25() by the shorter way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "peers.h"

struct fts5 {
    sqlite3 *db;
    sqlite3_stmt *insert, *select;
};

static void must(struct fts5 *f, int code, int wanted)
{
    if (code == wanted)
        return;
    fprintf(stderr, "fts5: %s\n", sqlite3_errmsg(f->db));
    exit(1);
}

static void run(struct fts5 *f, const char *sql)
{
    must(f, sqlite3_exec(f->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void *fts5_open(const char *path)
{
    struct fts5 *f = calloc(1, sizeof *f);

    if (f == NULL)
        abort();
    (void)unlink(path);
    must(f, sqlite3_open(path, &f->db), SQLITE_OK);
    run(f, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
           "PRAGMA cache_size=-1000000; PRAGMA mmap_size=2000000000;"
           "CREATE VIRTUAL TABLE f USING fts5(title, body, content='',"
           " tokenize='porter unicode61'); BEGIN");
    must(f,
         sqlite3_prepare_v2(f->db,
                            "INSERT INTO f(rowid,title,body) VALUES(?,?,?)", -1,
                            &f->insert, NULL),
         SQLITE_OK);
    return f;
}

static void fts5_add(void *peer, uint32_t row, const char *title,
                     size_t title_n, const char *body, size_t body_n)
{
    struct fts5 *f = peer;

    must(f, sqlite3_bind_int64(f->insert, 1, (int64_t)row + 1), SQLITE_OK);
    must(f,
         sqlite3_bind_text64(f->insert, 2, title, title_n, SQLITE_STATIC,
                             SQLITE_UTF8),
         SQLITE_OK);
    must(f,
         sqlite3_bind_text64(f->insert, 3, body, body_n, SQLITE_STATIC,
                             SQLITE_UTF8),
         SQLITE_OK);
    must(f, sqlite3_step(f->insert), SQLITE_DONE);
    must(f, sqlite3_reset(f->insert), SQLITE_OK);
}

static void fts5_ready(void *peer)
{
    struct fts5 *f = peer;

    run(f, "COMMIT; INSERT INTO f(f) VALUES('optimize'); VACUUM");
    must(f,
         sqlite3_prepare_v2(
             f->db, "SELECT rowid FROM f WHERE f MATCH ? ORDER BY rank LIMIT ?",
             -1, &f->select, NULL),
         SQLITE_OK);
}

static size_t fts5_ask(void *peer, const char *const *words, size_t words_n,
                       uint32_t *rows, size_t k)
{
    struct fts5 *f = peer;
    char match[512] = "";
    size_t n = 0, at = 0;
    int code;

    for (size_t i = 0; i < words_n; i++)
        at += (size_t)snprintf(match + at, sizeof match - at, "%s\"%s\"",
                               i > 0 ? " OR " : "", words[i]);
    must(f, sqlite3_bind_text(f->select, 1, match, (int)at, SQLITE_STATIC),
         SQLITE_OK);
    must(f, sqlite3_bind_int64(f->select, 2, (int64_t)k), SQLITE_OK);
    while ((code = sqlite3_step(f->select)) == SQLITE_ROW)
        rows[n++] = (uint32_t)(sqlite3_column_int64(f->select, 0) - 1);
    must(f, code, SQLITE_DONE);
    must(f, sqlite3_reset(f->select), SQLITE_OK);
    return n;
}

static void fts5_close(void *peer)
{
    struct fts5 *f = peer;

    (void)sqlite3_finalize(f->insert);
    (void)sqlite3_finalize(f->select);
    (void)sqlite3_close(f->db);
    free(f);
}

const struct peer peer_fts5 = {"SQLite FTS5", fts5_open, fts5_add,
                               fts5_ready,    fts5_ask,  fts5_close};
