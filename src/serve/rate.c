#include "serve/rate.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

#define NS_PER_S ((int64_t)1000000000)
/* Tenants at rest are looked for when so many more are known. */
#define SWEEP_TENANTS_MIN 64

struct tenant {
    uuid id;
    uint64_t slot; /* number of the newest slot, from the clock's begin */
    uint64_t sum;
    uint32_t counts[RATE_SLOTS];
};

struct rate {
    struct rate_rule rule;
    int64_t slot_ns;
    pthread_mutex_t lock; /* guards: all below */
    struct map *index;    /* tenant's id -> place in tenants */
    struct tenant *tenants;
    size_t n, cap, sweep_at;
};

rc rate_parse(str text, str *dialect, struct rate_rule *rule, struct err *e)
{
    static const struct {
        str name;
        unsigned seconds;
    } UNITS[] = {
        {STR_INIT("sec"), 1}, {STR_INIT("min"), 60}, {STR_INIT("hour"), 3600}};
    str rest, count, unit;

    *rule = (struct rate_rule){0};
    if (str_cut(text, '=', dialect, &rest) &&
        str_cut(rest, '/', &count, &unit) &&
        str_to_u64(count, RATE_COUNT_MAX, &rule->count) && rule->count > 0) {
        for (size_t i = 0; i < NELEMS(UNITS); i++) {
            if (str_eq(unit, UNITS[i].name)) {
                rule->window_s = UNITS[i].seconds;
                return RC_OK;
            }
        }
    }
    return err_set(e, RC_INVALID,
                   "a rate limit is DIALECT=COUNT/sec, /min or /hour, not "
                   "\"" STR_FMT "\"",
                   STR_ARG(str_sub(text, 0, 64)));
}

struct rate *rate_open(struct rate_rule rule)
{
    struct rate *r = mem_alloc(sizeof *r);

    r->rule = rule;
    r->slot_ns = rule.window_s * NS_PER_S / RATE_SLOTS;
    r->index = map_open();
    r->sweep_at = SWEEP_TENANTS_MIN;
    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void rate_close(struct rate *r)
{
    if (r == NULL)
        return;
    map_close(r->index);
    mem_free(r->tenants);
    (void)pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

/* Forgets the slots that have left the window. */
static void slide(struct tenant *t, uint64_t slot)
{
    uint64_t steps = slot > t->slot ? slot - t->slot : 0;

    if (steps >= RATE_SLOTS) {
        memset(t->counts, 0, sizeof t->counts);
        t->sum = 0;
    } else {
        for (uint64_t i = 1; i <= steps; i++) {
            uint32_t *count = &t->counts[(t->slot + i) % RATE_SLOTS];

            t->sum -= *count;
            *count = 0;
        }
    }
    if (slot > t->slot)
        t->slot = slot;
}

static str key_of(const uuid *id)
{
    return (str){(const char *)id->b, sizeof id->b};
}

/* Drops tenants at rest, moving the last into each gap. */
static void sweep(struct rate *r, uint64_t slot)
{
    for (size_t i = 0; i < r->n;) {
        struct tenant *t = &r->tenants[i];

        slide(t, slot);
        if (t->sum > 0) {
            i++;
            continue;
        }
        (void)map_drop(r->index, key_of(&t->id));
        *t = r->tenants[--r->n];
        if (i < r->n)
            *map_slot(r->index, key_of(&t->id), NULL) = i;
    }
    r->sweep_at = r->n * 2 + SWEEP_TENANTS_MIN;
}

static struct tenant *tenant_of(struct rate *r, uuid id, uint64_t slot)
{
    uint64_t *place = map_find(r->index, key_of(&id));

    if (place != NULL)
        return &r->tenants[*place];
    if (r->n >= r->sweep_at)
        sweep(r, slot);
    if (r->n == r->cap) {
        r->cap = r->cap * 2 + SWEEP_TENANTS_MIN;
        r->tenants = mem_resize(r->tenants, r->cap * sizeof *r->tenants);
    }
    *map_slot(r->index, key_of(&id), NULL) = r->n;
    r->tenants[r->n] = (struct tenant){.id = id, .slot = slot};
    return &r->tenants[r->n++];
}

/* Seconds until the oldest request leaves the window. */
static unsigned wait_s(const struct rate *r, const struct tenant *t,
                       int64_t now_ns)
{
    for (uint64_t back = RATE_SLOTS; back-- > 0;) {
        int64_t leaves_ns;

        if (back > t->slot || t->counts[(t->slot - back) % RATE_SLOTS] == 0)
            continue;
        leaves_ns = (int64_t)(t->slot - back + RATE_SLOTS) * r->slot_ns;
        return (unsigned)((leaves_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
    }
    return 0;
}

bool rate_take(struct rate *r, uuid tenant, int64_t now_ns,
               struct rate_state *state)
{
    uint64_t slot = (uint64_t)(now_ns / r->slot_ns);
    struct tenant *t;
    bool taken;

    (void)pthread_mutex_lock(&r->lock);
    t = tenant_of(r, tenant, slot);
    slide(t, slot);
    taken = t->sum < r->rule.count;
    if (taken) {
        t->counts[t->slot % RATE_SLOTS]++;
        t->sum++;
    }
    state->left = r->rule.count - t->sum;
    state->wait_s = wait_s(r, t, now_ns);
    if (state->wait_s == 0)
        state->wait_s = 1;
    (void)pthread_mutex_unlock(&r->lock);
    return taken;
}

struct rate_rule rate_rule_of(const struct rate *r)
{
    return r->rule;
}

size_t rate_tenants(struct rate *r)
{
    size_t n;

    (void)pthread_mutex_lock(&r->lock);
    n = r->n;
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}
