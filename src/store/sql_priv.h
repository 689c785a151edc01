/*
 * sql: prepared statements of one connection, as short as a call of printf.
 *
 *     struct q q = q_open(db, "SELECT name FROM tenant WHERE id = ?1");
 *     q_uuid(&q, id);
 *     if (q_row(&q))
 *         name = q_get_text(&q, out);
 *     return q_end_one(&q, e);
 *
 * Values are bound and read from left to right. The first failure sticks and
 * is told by q_end. The text must be a literal: its address is the key of the
 * connection's cache. One text is in use once at a time. A struct q stays where
 * it is from the first value on.
 */
#ifndef STORE_SQL_PRIV_H
#define STORE_SQL_PRIV_H

#include <sqlite3.h>

#include "store/store.h"

#define Q_UUIDS_MAX 8

struct q {
    struct db *db;
    sqlite3_stmt *st; /* NULL once it failed */
    int bound, column;
    size_t rows, uuids_n;
    rc code;
    uuid uuids[Q_UUIDS_MAX]; /* the bound ones, which SQLite borrows */
};

struct q q_open(struct db *db, const char *sql);
void q_int(struct q *q, int64_t v);
void q_uint(struct q *q, uint64_t v);
void q_uuid(struct q *q, uuid u);                  /* nil: NULL */
void q_sha(struct q *q, const sha256 *sha);        /* NULL: NULL */
void q_text(struct q *q, str s);                   /* empty stays text */
void q_text_or_null(struct q *q, str s);           /* s.p NULL: NULL */
void q_real_or_null(struct q *q, const double *v); /* NULL: NULL */
void q_blob(struct q *q, const void *p, size_t n);
/* For a function of ours, which asks for this kind; NULL to all others. */
void q_pointer(struct q *q, void *p, const char *kind);
/* A page's first row is below this id; nil: below none. */
void q_before(struct q *q, uuid before);

bool q_row(struct q *q); /* false: no more, or it failed */
int64_t q_get_int(struct q *q);
uint64_t q_get_uint(struct q *q);
uint32_t q_get_u32(struct q *q);
bool q_get_bool(struct q *q);
double q_get_real(struct q *q); /* NULL: 0 */
uuid q_get_uuid(struct q *q);   /* NULL: nil */
sha256 q_get_sha(struct q *q);
str q_get_text(struct q *q, struct arena *out); /* NULL: p NULL */
str q_get_blob(struct q *q, struct arena *out);
bool q_is_null(const struct q *q); /* the next column */

/* Lets the statement go and tells the first failure. */
rc q_end(struct q *q, struct err *e) MUST_CHECK;
/* The same; RC_NOTFOUND when no row came. */
rc q_end_one(struct q *q, const char *what, struct err *e) MUST_CHECK;
/* The same for a statement whose rows are one id each; the ids in `out`. */
rc q_end_uuids(struct q *q, struct arena *out, uuid **v, size_t *n,
               struct err *e) MUST_CHECK;
/* Steps to the end, for statements that give no rows. *changed may be NULL. */
rc q_run(struct q *q, uint64_t *changed, struct err *e) MUST_CHECK;

/* One row more than asked for was read to see whether there is one. */
void page_cut(size_t *n, size_t limit, bool *more);

/* One statement without values, through the cache. */
rc sql_run(struct db *db, const char *sql, struct err *e) MUST_CHECK;
/* What our statements call beside SQLite's own: fold(text), by which letter case
 * is put aside; has(text, folded), whether the text folded holds that; NULL
 * stays NULL; source_put (source_table.c). */
rc sql_functions(sqlite3 *conn, struct err *e) MUST_CHECK;
/* What SQLite's code means here; tells the system's errno where it has one. */
rc sql_error(sqlite3 *conn, int code, struct err *e);
/* Whether that was a failed fsync: nothing written can be trusted any more. */
bool sql_is_sync_failure(int code);

#endif
