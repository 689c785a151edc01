#include "serve/rate.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

#define NS_PER_S ((int64_t)1000000000)
/* Tenants at rest are looked for when so many more are known. */
#define SWEEP_TENANTS_MIN 64

struct window {
    uint64_t slot; /* number of the newest slot, from the clock's begin */
    uint64_t sum;
    uint32_t counts[RATE_SLOTS];
};
struct tenant {
    uuid id;
    struct window windows[RATE_RULES_MAX]; /* one a rule */
};

struct rate {
    struct rate_rule rules[RATE_RULES_MAX];
    size_t rules_n;
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
    } UNITS[] = {{STR_INIT("sec"), 1},
                 {STR_INIT("min"), 60},
                 {STR_INIT("hour"), 3600},
                 {STR_INIT("day"), 86400}};
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
                   "a rate limit is DIALECT=COUNT/sec, /min, /hour or /day, "
                   "not \"" STR_FMT "\"",
                   STR_ARG(str_sub(text, 0, 64)));
}

struct rate *rate_open(const struct rate_rule *rules, size_t n)
{
    struct rate *r = mem_alloc(sizeof *r);

    ASSERT(n > 0 && n <= RATE_RULES_MAX);
    memcpy(r->rules, rules, n * sizeof *rules);
    r->rules_n = n;
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

static int64_t slot_ns(const struct rate_rule *rule)
{
    return rule->window_s * NS_PER_S / RATE_SLOTS;
}

/* Forgets the slots that have left the window. */
static void slide(struct window *w, uint64_t slot)
{
    uint64_t steps = slot > w->slot ? slot - w->slot : 0;

    if (steps >= RATE_SLOTS) {
        memset(w->counts, 0, sizeof w->counts);
        w->sum = 0;
    } else {
        for (uint64_t i = 1; i <= steps; i++) {
            uint32_t *count = &w->counts[(w->slot + i) % RATE_SLOTS];

            w->sum -= *count;
            *count = 0;
        }
    }
    if (slot > w->slot)
        w->slot = slot;
}

/* false: it is at rest. */
static bool slide_all(const struct rate *r, struct tenant *t, int64_t now_ns)
{
    bool counts = false;

    for (size_t i = 0; i < r->rules_n; i++) {
        slide(&t->windows[i], (uint64_t)(now_ns / slot_ns(&r->rules[i])));
        counts = counts || t->windows[i].sum > 0;
    }
    return counts;
}

static str key_of(const uuid *id)
{
    return (str){(const char *)id->b, sizeof id->b};
}

/* Drops tenants at rest, moving the last into each gap. */
static void sweep(struct rate *r, int64_t now_ns)
{
    for (size_t i = 0; i < r->n;) {
        struct tenant *t = &r->tenants[i];

        if (slide_all(r, t, now_ns)) {
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

static struct tenant *tenant_of(struct rate *r, uuid id, int64_t now_ns)
{
    uint64_t *place = map_find(r->index, key_of(&id));

    if (place != NULL)
        return &r->tenants[*place];
    if (r->n >= r->sweep_at)
        sweep(r, now_ns);
    if (r->n == r->cap) {
        r->cap = r->cap * 2 + SWEEP_TENANTS_MIN;
        r->tenants = mem_resize(r->tenants, r->cap * sizeof *r->tenants);
    }
    *map_slot(r->index, key_of(&id), NULL) = r->n;
    r->tenants[r->n] = (struct tenant){.id = id};
    return &r->tenants[r->n++];
}

/* Seconds until the oldest request leaves the window. */
static unsigned wait_s(const struct rate_rule *rule, const struct window *w,
                       int64_t now_ns)
{
    for (uint64_t back = RATE_SLOTS; back-- > 0;) {
        int64_t leaves_ns, wait;

        if (back > w->slot || w->counts[(w->slot - back) % RATE_SLOTS] == 0)
            continue;
        leaves_ns = (int64_t)(w->slot - back + RATE_SLOTS) * slot_ns(rule);
        wait = (leaves_ns - now_ns + NS_PER_S - 1) / NS_PER_S;
        return wait < 1 ? 1 : (unsigned)wait;
    }
    return 1;
}

static struct rate_state state_of(const struct rate_rule *rule,
                                  const struct window *w, int64_t now_ns)
{
    return (struct rate_state){.rule = *rule,
                               .left = rule->count - w->sum,
                               .wait_s = wait_s(rule, w, now_ns)};
}

/* Does a matter more to the caller than b? */
static bool is_tighter(const struct rate_state *a, const struct rate_state *b)
{
    return a->left < b->left || (a->left == b->left && a->wait_s > b->wait_s);
}

static struct rate_state tightest(const struct rate *r, const struct tenant *t,
                                  int64_t now_ns)
{
    struct rate_state best = state_of(&r->rules[0], &t->windows[0], now_ns);

    for (size_t i = 1; i < r->rules_n; i++) {
        struct rate_state s = state_of(&r->rules[i], &t->windows[i], now_ns);

        if (is_tighter(&s, &best))
            best = s;
    }
    return best;
}

bool rate_take(struct rate *r, uuid tenant, int64_t now_ns,
               struct rate_state *state)
{
    struct tenant *t;
    bool taken;

    (void)pthread_mutex_lock(&r->lock);
    t = tenant_of(r, tenant, now_ns);
    (void)slide_all(r, t, now_ns);
    *state = tightest(r, t, now_ns);
    taken = state->left > 0;
    for (size_t i = 0; taken && i < r->rules_n; i++) {
        struct window *w = &t->windows[i];

        w->counts[w->slot % RATE_SLOTS]++;
        w->sum++;
    }
    if (taken)
        *state = tightest(r, t, now_ns);
    (void)pthread_mutex_unlock(&r->lock);
    return taken;
}

size_t rate_tenants(struct rate *r)
{
    size_t n;

    (void)pthread_mutex_lock(&r->lock);
    n = r->n;
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}
