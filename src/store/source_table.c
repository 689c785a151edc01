/* The documents of a base in memory: what filters of its lists look at, so that
 * a list of thousands asks SQLite for the rows it shows alone.
 *
 * A table is of one `document_changes` of its base, which every write that
 * touches a document raises, and is never changed: a session whose snapshot has
 * the same number sees the same documents. A write's own session has none, as
 * its number may be taken back. */
#include "store/store_priv.h"

#include <endian.h>

#include "base/mem.h"
#include "text/fold.h"

#define TABLE_BYTES_MAX (8 * MIB)

/* One bit each, as in struct source_filter; type 0: none of SOURCE_TYPES. */
struct mark {
    uint8_t type, state;
};
static_assert(SOURCE_TYPE_COUNT <= 8 && VERSION_STATE_COUNT <= 8,
              "the bits of a mark");

struct source_table {
    uuid base;
    uint64_t changes;
    bool kept;        /* in the store, whose lock is held: others read it too */
    bool whole;       /* false: too large, or no memory; it holds nothing */
    size_t n;         /* documents, oldest first in all of: */
    struct buf ids;   /* uuid [n] */
    struct buf marks; /* struct mark [n] */
    struct buf ends;  /* uint32_t [n]: of each title in `titles` */
    struct buf titles; /* folded, one behind the other */
};

static void table_empty(struct source_table *t)
{
    buf_close(&t->ids);
    buf_close(&t->marks);
    buf_close(&t->ends);
    buf_close(&t->titles);
    t->n = 0;
}

static void table_free(struct source_table *t)
{
    if (t == NULL)
        return;
    table_empty(t);
    mem_free(t);
}

/* ---- making ---- */

static uint8_t type_bit(str name)
{
    for (unsigned i = 0; i < SOURCE_TYPE_COUNT; i++)
        if (str_eq(name, str_of(SOURCE_TYPE_NAMES[i])))
            return (uint8_t)(1u << i);
    return 0;
}

static bool has_room(const struct source_table *t)
{
    return t->ids.code == RC_OK && t->marks.code == RC_OK &&
           t->ends.code == RC_OK && t->titles.code == RC_OK &&
           t->ids.n + t->marks.n + t->ends.n + t->titles.n <= TABLE_BYTES_MAX;
}

static void row_put(struct source_table *t, str id, str type, unsigned state,
                    str title)
{
    struct mark m = {type_bit(type), (uint8_t)(1u << (state & 7u))};
    uint32_t end;

    fold_case(title, &t->titles);
    end = (uint32_t)t->titles.n;
    buf_put(&t->ids, id);
    buf_put(&t->marks, (str){(const char *)&m, sizeof m});
    buf_put(&t->ends, (str){(const char *)&end, sizeof end});
    t->n++;
}

static str value_bytes(sqlite3_value *v)
{
    const void *p = sqlite3_value_blob(v);

    return (str){p, (size_t)sqlite3_value_bytes(v)};
}

void source_put_call(sqlite3_context *c, int n, sqlite3_value **v)
{
    struct source_table *t = sqlite3_value_pointer(v[0], SOURCE_TABLE_POINTER);
    str id = value_bytes(v[1]);

    (void)n;
    if (t == NULL || id.n != sizeof(uuid)) {
        sqlite3_result_error(c, "a row of document is damaged", -1);
        return;
    }
    /* Of a text, too, bytes are asked for: sqlite3_value_text would copy it for
     * the sake of a NUL behind it. */
    row_put(t, id, value_bytes(v[2]), (unsigned)sqlite3_value_int(v[3]),
            value_bytes(v[4]));
    sqlite3_result_int(c, has_room(t));
}

/* A row comes out where there is no room for more. The others are taken inside
 * of SQLite: to step to each and read its columns takes a quarter longer. */
static rc rows_read(struct db *db, struct source_table *t, struct err *e)
{
    struct q q = q_open(db, "SELECT 1 FROM document WHERE base = ?1 AND NOT"
                            " source_put(?2, id, source_type, state, title)"
                            " ORDER BY id");

    q_uuid(&q, t->base);
    q_pointer(&q, t, SOURCE_TABLE_POINTER);
    (void)q_row(&q);
    return q_end(&q, e);
}

static rc table_make(struct db *db, const struct source_base *b,
                     struct source_table **out, struct err *e)
{
    struct source_table *t = mem_alloc(sizeof *t);
    rc code = RC_OK;

    t->base = b->id;
    t->changes = b->changes;
    if (b->documents <= SOURCE_TABLE_ROWS_MAX) {
        (void)buf_reserve(&t->ids, b->documents * sizeof(uuid));
        (void)buf_reserve(&t->marks, b->documents * sizeof(struct mark));
        (void)buf_reserve(&t->ends, b->documents * sizeof(uint32_t));
        code = rows_read(db, t, e);
        t->whole = has_room(t);
    }
    if (!t->whole)
        table_empty(t);
    if (code == RC_OK)
        *out = t;
    else
        table_free(t);
    return code;
}

/* ---- keeping ---- */

void source_tables_open(struct source_tables *k)
{
    ASSERT(pthread_rwlock_init(&k->lock, NULL) == 0);
    ASSERT(pthread_mutex_init(&k->making, NULL) == 0);
}

void source_tables_close(struct source_tables *k)
{
    for (size_t i = 0; i < SOURCE_TABLES_MAX; i++)
        table_free(k->v[i]);
    (void)pthread_mutex_destroy(&k->making);
    (void)pthread_rwlock_destroy(&k->lock);
}

/* With the lock held where there is one. */
static struct source_table *kept(struct source_tables *k,
                                 const struct source_base *b)
{
    (void)pthread_rwlock_rdlock(&k->lock);
    for (size_t i = 0; i < SOURCE_TABLES_MAX; i++) {
        struct source_table *t = k->v[i];

        if (t != NULL && t->changes == b->changes && uuid_eq(t->base, b->id))
            return t;
    }
    (void)pthread_rwlock_unlock(&k->lock);
    return NULL;
}

/* In the place of its base's, else of the one that came first. What an older
 * snapshot made doesn't push out what a newer one did. */
static void keep(struct source_tables *k, struct source_table *t)
{
    struct source_table *gone = t;
    size_t at = 0;

    (void)pthread_rwlock_wrlock(&k->lock);
    while (at < SOURCE_TABLES_MAX &&
           (k->v[at] == NULL || !uuid_eq(k->v[at]->base, t->base)))
        at++;
    if (at == SOURCE_TABLES_MAX)
        at = k->next++ % SOURCE_TABLES_MAX;
    else if (k->v[at]->changes > t->changes)
        at = SOURCE_TABLES_MAX;
    if (at < SOURCE_TABLES_MAX) {
        gone = k->v[at];
        k->v[at] = t;
        t->kept = true;
    }
    (void)pthread_rwlock_unlock(&k->lock);
    table_free(gone);
}

void source_tables_forget(struct source_tables *k, uuid base)
{
    (void)pthread_rwlock_wrlock(&k->lock);
    for (size_t i = 0; i < SOURCE_TABLES_MAX; i++)
        if (k->v[i] != NULL && uuid_eq(k->v[i]->base, base)) {
            table_free(k->v[i]);
            k->v[i] = NULL;
        }
    (void)pthread_rwlock_unlock(&k->lock);
}

void source_table_let_go(struct db *db, struct source_table *t)
{
    struct source_tables *k = &db->store->tables;

    if (t->kept) {
        (void)pthread_rwlock_unlock(&k->lock);
        return;
    }
    keep(k, t);
    (void)pthread_mutex_unlock(&k->making);
}

/* The one that makes a table is the first to use it, before it is kept: so the
 * lock is never held for as long as that takes. While another is being made
 * nobody waits for it: SQL answers. */
static rc kept_or_made(struct db *db, const struct source_base *b,
                       struct source_table **t, struct err *e)
{
    struct source_tables *k = &db->store->tables;
    rc code;

    if (pthread_mutex_trylock(&k->making) != 0)
        return RC_OK;
    *t = kept(k, b); /* made since we looked */
    code = *t == NULL ? table_make(db, b, t, e) : RC_OK;
    if (code != RC_OK || (*t)->kept)
        (void)pthread_mutex_unlock(&k->making);
    return code;
}

rc source_table_take(struct db *db, const struct source_base *b, bool make,
                     struct source_table **t, struct err *e)
{
    rc code = RC_OK;

    ASSERT(!db->writer);
    *t = kept(&db->store->tables, b);
    if (*t == NULL && make)
        code = kept_or_made(db, b, t, e);
    if (code == RC_OK && *t != NULL && !(*t)->whole) {
        source_table_let_go(db, *t);
        *t = NULL;
    }
    return code;
}

/* ---- filtering ---- */

size_t source_table_count(const struct source_table *t)
{
    return t->n;
}

uuid source_table_id(const struct source_table *t, size_t row)
{
    const uuid *ids = (const void *)t->ids.p;

    ASSERT(row < t->n);
    return ids[row];
}

static bool is_marked(const struct source_table *t, size_t row,
                      const struct source_filter *f)
{
    const struct mark *m = (const struct mark *)(const void *)t->marks.p + row;

    return (f->types == 0 || (f->types & m->type) != 0) &&
           (f->states == 0 || (f->states & m->state) != 0);
}

static size_t by_marks(const struct source_table *t,
                       const struct source_filter *f, uint32_t *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        if (is_marked(t, i, f))
            rows[n++] = (uint32_t)i;
    return n;
}

/* All titles are searched as one text. What is found in the first title and
 * ends in the next is nowhere in the first, as the search went from its
 * beginning: it goes on with the next either way. */
static size_t by_title(const struct source_table *t,
                       const struct source_filter *f, str folded,
                       uint32_t *rows)
{
    const uint32_t *ends = (const void *)t->ends.p;
    str all = buf_str(&t->titles);
    size_t n = 0, row = 0, at = 0;

    while (at < all.n) {
        const char *hit = memmem(all.p + at, all.n - at, folded.p, folded.n);

        if (hit == NULL)
            break;
        at = (size_t)(hit - all.p);
        while (ends[row] <= at)
            row++;
        if (at + folded.n <= ends[row] && is_marked(t, row, f))
            rows[n++] = (uint32_t)row;
        at = ends[row];
    }
    return n;
}

size_t source_table_match(const struct source_table *t,
                          const struct source_filter *f, str folded,
                          uint32_t *rows)
{
    return folded.n == 0 ? by_marks(t, f, rows) : by_title(t, f, folded, rows);
}

/* As numbers, which compare as the bytes do. */
struct id_key {
    uint64_t high, low;
};

static inline struct id_key key_of(const uuid *id)
{
    struct id_key k;

    memcpy(&k, id->b, sizeof k);
    return (struct id_key){be64toh(k.high), be64toh(k.low)};
}

static inline bool is_below(const uuid *id, struct id_key k)
{
    struct id_key is = key_of(id);

    return is.high != k.high ? is.high < k.high : is.low < k.low;
}

/* The first row from `row` on that isn't below the id: with steps that double,
 * as the next of a folder is seldom far. */
static size_t row_from(const struct source_table *t, size_t row, const uuid *id)
{
    const uuid *ids = (const void *)t->ids.p;
    struct id_key k = key_of(id);
    size_t step = 1, end;

    while (row + step <= t->n && is_below(&ids[row + step - 1], k)) {
        row += step;
        step *= 2;
    }
    end = row + step <= t->n ? row + step - 1 : t->n;
    while (row < end) {
        size_t mid = row + (end - row) / 2;

        if (is_below(&ids[mid], k))
            row = mid + 1;
        else
            end = mid;
    }
    return row;
}

static bool is_titled(const struct source_table *t, size_t row, str folded)
{
    const uint32_t *ends = (const void *)t->ends.p;
    size_t from = row == 0 ? 0 : ends[row - 1];

    str title = str_sub(buf_str(&t->titles), from, ends[row] - from);

    return folded.n == 0 || str_find(title, folded) < title.n;
}

size_t source_table_match_among(const struct source_table *t,
                                const struct source_filter *f, str folded,
                                const uuid *ids, size_t ids_n, uint32_t *rows)
{
    size_t n = 0, row = 0;

    for (size_t i = 0; i < ids_n; i++) {
        row = row_from(t, row, &ids[i]);
        if (row < t->n && uuid_eq(source_table_id(t, row), ids[i]) &&
            is_marked(t, row, f) && is_titled(t, row, folded))
            rows[n++] = (uint32_t)row;
    }
    return n;
}
