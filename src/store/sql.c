#include "store/sql_priv.h"

#include <errno.h>

#include "base/mem.h"
#include "store/store_priv.h"
#include "text/fold.h"

/* The sticky failure of a writer's transaction: from now on every statement
 * of this write fails, so that nothing runs outside of the savepoint SQLite
 * has already rolled back. */
static rc fail(struct q *q, int code)
{
    struct db *db = q->db;

    q->code = sql_error(db->conn, code, &db->err);
    if (db->writer && q->code != RC_CONFLICT) {
        db->hard = q->code;
        db->hard_err = db->err;
        db->sync_failed |= sql_is_sync_failure(code);
    }
    return q->code;
}

static struct stmt_slot *slot_of(struct db *db, const char *sql)
{
    size_t at = ((uintptr_t)sql >> 3) * 0x9E3779B9u % STMTS_MAX;

    while (db->stmts[at].sql != NULL && db->stmts[at].sql != sql)
        at = (at + 1) % STMTS_MAX;
    return &db->stmts[at];
}

struct q q_open(struct db *db, const char *sql)
{
    struct q q = {.db = db};
    struct stmt_slot *slot = slot_of(db, sql);
    int code;

    if (db->hard == RC_OK && db->in_group && sqlite3_get_autocommit(db->conn))
        db->hard = err_set(&db->hard_err, RC_IO,
                           "database: the transaction was rolled back");
    if (db->hard != RC_OK) {
        q.code = db->hard;
        db->err = db->hard_err;
        return q;
    }
    if (slot->sql == NULL) {
        ASSERT(db->stmts_n < STMTS_MAX / 2);
        code = sqlite3_prepare_v3(db->conn, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &slot->st, NULL);
        if (code != SQLITE_OK) {
            (void)fail(&q, code);
            return q;
        }
        slot->sql = sql;
        db->stmts_n++;
    }
    ASSERT(!sqlite3_stmt_busy(slot->st));
    q.st = slot->st;
    return q;
}

static void bound(struct q *q, int code)
{
    if (code != SQLITE_OK && q->code == RC_OK)
        (void)fail(q, code);
}

void q_int(struct q *q, int64_t v)
{
    if (q->st != NULL)
        bound(q, sqlite3_bind_int64(q->st, ++q->bound, v));
}

void q_uint(struct q *q, uint64_t v)
{
    ASSERT(v <= INT64_MAX);
    q_int(q, (int64_t)v);
}

void q_real_or_null(struct q *q, const double *v)
{
    if (q->st != NULL)
        bound(q, v == NULL ? sqlite3_bind_null(q->st, ++q->bound)
                           : sqlite3_bind_double(q->st, ++q->bound, *v));
}

void q_blob(struct q *q, const void *p, size_t n)
{
    if (q->st != NULL)
        bound(q, sqlite3_bind_blob64(q->st, ++q->bound, n == 0 ? "" : p, n,
                                     SQLITE_STATIC));
}

static void bind_null(struct q *q)
{
    if (q->st != NULL)
        bound(q, sqlite3_bind_null(q->st, ++q->bound));
}

void q_uuid(struct q *q, uuid u)
{
    uuid *kept = &q->uuids[q->uuids_n];

    if (uuid_is_nil(u)) {
        bind_null(q);
        return;
    }
    ASSERT(q->uuids_n < Q_UUIDS_MAX);
    q->uuids_n++;
    *kept = u;
    q_blob(q, kept->b, sizeof kept->b);
}

void q_pointer(struct q *q, void *p, const char *kind)
{
    if (q->st != NULL)
        bound(q, sqlite3_bind_pointer(q->st, ++q->bound, p, kind, NULL));
}

void q_before(struct q *q, uuid before)
{
    static const uuid LAST = {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                               255, 255, 255, 255, 255, 255}};

    q_uuid(q, uuid_is_nil(before) ? LAST : before);
}

void q_sha(struct q *q, const sha256 *sha)
{
    if (sha == NULL)
        bind_null(q);
    else
        q_blob(q, sha->b, sizeof sha->b);
}

void q_text(struct q *q, str s)
{
    if (q->st != NULL)
        bound(q, sqlite3_bind_text64(q->st, ++q->bound, s.n == 0 ? "" : s.p,
                                     s.n, SQLITE_STATIC, SQLITE_UTF8));
}

void q_text_or_null(struct q *q, str s)
{
    if (s.p == NULL)
        bind_null(q);
    else
        q_text(q, s);
}

bool q_row(struct q *q)
{
    int code;

    if (q->st == NULL || q->code != RC_OK)
        return false;
    ASSERT(q->bound == sqlite3_bind_parameter_count(q->st));
    q->column = 0;
    code = sqlite3_step(q->st);
    if (code == SQLITE_ROW) {
        q->rows++;
        return true;
    }
    if (code != SQLITE_DONE)
        (void)fail(q, sqlite3_extended_errcode(q->db->conn));
    return false;
}

int64_t q_get_int(struct q *q)
{
    return sqlite3_column_int64(q->st, q->column++);
}

uint64_t q_get_uint(struct q *q)
{
    int64_t v = q_get_int(q);

    return v < 0 ? 0 : (uint64_t)v;
}

uint32_t q_get_u32(struct q *q)
{
    return (uint32_t)q_get_int(q);
}

bool q_get_bool(struct q *q)
{
    return q_get_int(q) != 0;
}

double q_get_real(struct q *q)
{
    return sqlite3_column_double(q->st, q->column++);
}

/* Bytes of a fixed size; another size can only be damage. */
static void get_fixed(struct q *q, void *to, size_t n)
{
    const void *p = sqlite3_column_blob(q->st, q->column);
    size_t is = (size_t)sqlite3_column_bytes(q->st, q->column);

    q->column++;
    memset(to, 0, n);
    if (p != NULL && is == n)
        memcpy(to, p, n);
    else if (is != 0 && q->code == RC_OK)
        q->code =
            err_set(&q->db->err, RC_CORRUPT,
                    "database: a value of %zu bytes where %zu belong", is, n);
}

uuid q_get_uuid(struct q *q)
{
    uuid u = UUID_NIL;

    get_fixed(q, u.b, sizeof u.b);
    return u;
}

sha256 q_get_sha(struct q *q)
{
    sha256 sha = {0};

    get_fixed(q, sha.b, sizeof sha.b);
    return sha;
}

str q_get_text(struct q *q, struct arena *out)
{
    const unsigned char *p = sqlite3_column_text(q->st, q->column);
    str s = {(const char *)p, (size_t)sqlite3_column_bytes(q->st, q->column)};

    q->column++;
    return p == NULL ? STR_NONE : arena_str(out, s);
}

str q_get_blob(struct q *q, struct arena *out)
{
    const void *p = sqlite3_column_blob(q->st, q->column);
    str s = {p, (size_t)sqlite3_column_bytes(q->st, q->column)};

    q->column++;
    return arena_str(out, s);
}

bool q_is_null(const struct q *q)
{
    return sqlite3_column_type(q->st, q->column) == SQLITE_NULL;
}

rc q_end(struct q *q, struct err *e)
{
    if (q->st != NULL)
        (void)sqlite3_reset(q->st);
    q->st = NULL;
    if (q->code != RC_OK && e != NULL)
        *e = q->db->err;
    return q->code;
}

rc q_end_one(struct q *q, const char *what, struct err *e)
{
    rc code = q_end(q, e);

    if (code == RC_OK && q->rows == 0)
        return err_set(e, RC_NOTFOUND, "no such %s", what);
    return code;
}

rc q_end_uuids(struct q *q, struct arena *out, uuid **v, size_t *n,
               struct err *e)
{
    size_t cap = 0;

    *v = NULL;
    *n = 0;
    while (q_row(q)) {
        uuid id = q_get_uuid(q);

        ARENA_PUSH(out, *v, *n, cap, id);
    }
    return q_end(q, e);
}

rc q_run(struct q *q, uint64_t *changed, struct err *e)
{
    while (q_row(q))
        ;
    if (changed != NULL)
        *changed =
            q->code == RC_OK ? (uint64_t)sqlite3_changes64(q->db->conn) : 0;
    return q_end(q, e);
}

void page_cut(size_t *n, size_t limit, bool *more)
{
    *more = *n > limit;
    if (*more)
        *n = limit;
}

rc sql_run(struct db *db, const char *sql, struct err *e)
{
    struct q q = q_open(db, sql);

    return q_run(&q, NULL, e);
}

static str value_text(sqlite3_value *v)
{
    const unsigned char *p = sqlite3_value_text(v);

    return (str){(const char *)p, (size_t)sqlite3_value_bytes(v)};
}

/* fold(text) */
static void fold_call(sqlite3_context *c, int n, sqlite3_value **v)
{
    str s = value_text(v[0]);
    struct buf b = {0};

    (void)n;
    if (s.p == NULL)
        return; /* NULL is what a call gives that sets nothing */
    fold_case(s, &b);
    if (b.code == RC_OK)
        sqlite3_result_text64(c, b.n == 0 ? "" : b.p, b.n, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
    else
        sqlite3_result_error_nomem(c);
    buf_close(&b);
}

static bool is_ascii(str s)
{
    unsigned char all = 0;

    for (size_t i = 0; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return all < 0x80;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Of ASCII, which needs no memory to be folded. */
static bool ascii_has(str s, str folded)
{
    for (size_t i = 0; i + folded.n <= s.n; i++) {
        size_t k = 0;

        while (k < folded.n && lower(s.p[i + k]) == folded.p[k])
            k++;
        if (k == folded.n)
            return true;
    }
    return false;
}

/* has(text, folded): instr(fold(text), folded) > 0, for lists that look at
 * thousands of titles. */
static void has_call(sqlite3_context *c, int n, sqlite3_value **v)
{
    str s = value_text(v[0]), folded = value_text(v[1]);
    struct buf b = {0};

    (void)n;
    if (s.p == NULL || folded.p == NULL)
        return;
    if (is_ascii(s)) {
        sqlite3_result_int(c, ascii_has(s, folded));
        return;
    }
    fold_case(s, &b);
    if (b.code == RC_OK)
        sqlite3_result_int(c, str_find((str){b.p, b.n}, folded) < b.n ||
                                  folded.n == 0);
    else
        sqlite3_result_error_nomem(c);
    buf_close(&b);
}

rc sql_functions(sqlite3 *conn, struct err *e)
{
    static const struct {
        const char *name;
        int values, flags;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } V[] = {
        {"fold", 1, SQLITE_DETERMINISTIC, fold_call},
        {"has", 2, SQLITE_DETERMINISTIC, has_call},
        {"source_put", 5, SQLITE_DIRECTONLY, source_put_call},
    };
    int code = SQLITE_OK;

    for (size_t i = 0; code == SQLITE_OK && i < NELEMS(V); i++)
        code = sqlite3_create_function_v2(conn, V[i].name, V[i].values,
                                          SQLITE_UTF8 | V[i].flags, NULL,
                                          V[i].call, NULL, NULL, NULL);
    return code == SQLITE_OK ? RC_OK : sql_error(conn, code, e);
}

bool sql_is_sync_failure(int code)
{
    return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

/* What the program was about to do with the file when it failed. */
static const char *verb_of(int code)
{
    switch (code) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
        return "read";
    case SQLITE_IOERR_WRITE:
        return "write";
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return "sync";
    case SQLITE_IOERR_TRUNCATE:
        return "shorten";
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMMAP:
        return "map";
    default:
        return (code & 0xff) == SQLITE_CANTOPEN ? "open" : "use";
    }
}

rc sql_error(sqlite3 *conn, int code, struct err *e)
{
    int sys = sqlite3_system_errno(conn);

    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_errno(e, RC_NOSPACE, ENOSPC, "database: cannot write");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        if (code == SQLITE_IOERR_NOMEM)
            return err_set(e, RC_NOMEM, "database: out of memory");
        return err_errno(e, RC_IO, sys == 0 ? EIO : sys, "database: cannot %s",
                         verb_of(code));
    case SQLITE_NOMEM:
        return err_set(e, RC_NOMEM, "database: out of memory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, RC_BUSY, "database: another process holds it");
    case SQLITE_CONSTRAINT:
        return err_set(e, RC_CONFLICT, "database: %s", sqlite3_errmsg(conn));
    case SQLITE_TOOBIG:
        return err_set(e, RC_LIMIT, "database: a value is too large");
    default: /* CORRUPT, NOTADB, and what a damaged schema leads to */
        return err_set(e, RC_CORRUPT, "database: %s", sqlite3_errmsg(conn));
    }
}
