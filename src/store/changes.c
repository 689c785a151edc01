/* What a write tells: changes for the index, events for everybody else. */
#include "store/store_priv.h"

#include "base/clock.h"

void changes_begin_group(struct db *db)
{
    arena_rewind(db->group, (struct arena_mark){0});
    db->group_bytes = 0;
    db->changes = NULL;
    db->raised = NULL;
    db->tallies = NULL;
    db->touched = NULL;
    db->freed = NULL;
    db->changes_n = db->changes_cap = 0;
    db->raised_n = db->raised_cap = 0;
    db->tallies_n = db->tallies_cap = 0;
    db->touched_n = db->touched_cap = 0;
    db->freed_n = db->freed_cap = 0;
}

struct changes_mark changes_begin_write(struct db *db)
{
    db->raised_n = 0;
    db->tallies_n = 0;
    db->touched_n = 0;
    db->read = (struct just_read){0};
    return (struct changes_mark){db->changes_n, db->freed_n};
}

void changes_undo(struct db *db, struct changes_mark m)
{
    db->changes_n = m.changes;
    db->freed_n = m.freed;
}

/* Under the lock, so that store_observe returns only when the former observer
 * is no longer running. */
void changes_tell(struct db *db)
{
    struct store *s = db->store;

    if (db->changes_n == 0)
        return;
    (void)pthread_mutex_lock(&s->observer_lock);
    if (s->observer != NULL)
        s->observer(s->observer_arg, db->changes, db->changes_n);
    (void)pthread_mutex_unlock(&s->observer_lock);
}

void store_observe(struct store *s, store_observer *fn, void *arg)
{
    (void)pthread_mutex_lock(&s->observer_lock);
    s->observer = fn;
    s->observer_arg = arg;
    (void)pthread_mutex_unlock(&s->observer_lock);
}

/* Once a write and base; a write seldom touches more than one. */
rc base_raise(struct db *db, uuid base, uint64_t *generation, struct err *e)
{
    struct raised raised;
    struct q q;
    rc code;

    for (size_t i = db->raised_n; i-- > 0;) {
        if (uuid_eq(db->raised[i].base, base)) {
            *generation = db->raised[i].generation;
            return RC_OK;
        }
    }
    q = q_open(db, "UPDATE base_state SET generation = generation + 1"
                   " WHERE base = ?1 RETURNING generation");
    q_uuid(&q, base);
    while (q_row(&q))
        *generation = q_get_uint(&q);
    code = q_end_one(&q, "knowledge base", e);
    if (code != RC_OK)
        return code;
    raised = (struct raised){base, *generation};
    ARENA_PUSH(db->group, db->raised, db->raised_n, db->raised_cap, raised);
    return RC_OK;
}

rc db_change(struct db *db, const struct change *c, struct err *e)
{
    struct change noted = *c;
    rc code;

    ASSERT(db->writer);
    code = base_raise(db, c->base, &noted.generation, e);
    if (code != RC_OK)
        return code;
    ARENA_PUSH(db->group, db->changes, db->changes_n, db->changes_cap, noted);
    return RC_OK;
}

rc db_generation(struct db *db, uuid base, uint64_t *generation, struct err *e)
{
    struct q q = q_open(db, "SELECT generation FROM base_state"
                            " WHERE base = ?1 AND deleted = 0");

    q_uuid(&q, base);
    if (q_row(&q))
        *generation = q_get_uint(&q);
    return q_end_one(&q, "knowledge base", e);
}

rc db_event(struct db *db, const struct event *ev, struct err *e)
{
    struct q q = q_open(db, "INSERT INTO event(tenant, base, object, actor,"
                            " kind, detail, at_ms)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");

    q_uuid(&q, ev->tenant);
    q_uuid(&q, ev->base);
    q_uuid(&q, ev->object);
    q_uuid(&q, ev->actor);
    q_text(&q, str_of(ev->kind));
    q_text_or_null(&q, ev->detail.n == 0 ? STR_NONE : ev->detail);
    q_int(&q, clock_wall_ms());
    return q_run(&q, NULL, e);
}
