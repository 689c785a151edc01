/* Counters of bases and jobs: moved in memory while a write runs, written down
 * once at its end. A batch of documents costs one update a job, not one each. */
#include "store/store_priv.h"

static_assert(JOB_STATUS_COUNT == TALLY_COUNTS &&
                  VERSION_STATE_COUNT == TALLY_COUNTS,
              "one table serves both");

void tally_move(struct db *db, uuid base, uuid job, unsigned from, unsigned to)
{
    struct tally *t = NULL;

    if (from == to && !uuid_is_nil(job))
        return; /* of a base it tells that a document was touched */
    for (size_t i = db->tallies_n; t == NULL && i-- > 0;) {
        if (uuid_eq(db->tallies[i].base, base) &&
            uuid_eq(db->tallies[i].job, job))
            t = &db->tallies[i];
    }
    if (t == NULL) {
        struct tally fresh = {.base = base, .job = job};

        ARENA_PUSH(db->group, db->tallies, db->tallies_n, db->tallies_cap,
                   fresh);
        t = &db->tallies[db->tallies_n - 1];
    }
    if (from < TALLY_COUNTS)
        t->deltas[from]--;
    if (to < TALLY_COUNTS)
        t->deltas[to]++;
}

rc tallies_write(struct db *db, struct err *e)
{
    rc code = RC_OK;

    for (size_t i = 0; code == RC_OK && i < db->tallies_n; i++) {
        const struct tally *t = &db->tallies[i];

        code = uuid_is_nil(t->job) ? base_tally_write(db, t, e)
                                   : job_tally_write(db, t, e);
    }
    db->tallies_n = 0;
    return code;
}
