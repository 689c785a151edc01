#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

#define NAME_BYTES_MAX 255
#define STACK_BYTES ((size_t)512 << 10)

/* Shared by the caller and the thread; the last one to leave frees it. */
struct lookup {
    char name[NAME_BYTES_MAX + 1];
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    unsigned holders;
    bool is_done;
    int got; /* of getaddrinfo */
    size_t addrs_n;
    struct resolved found;
};

static atomic_uint lookups;

static void leave(struct lookup *l)
{
    bool last;

    ASSERT(pthread_mutex_lock(&l->lock) == 0);
    last = --l->holders == 0;
    ASSERT(pthread_mutex_unlock(&l->lock) == 0);
    if (!last)
        return;
    (void)pthread_cond_destroy(&l->ended);
    (void)pthread_mutex_destroy(&l->lock);
    mem_free(l);
    (void)atomic_fetch_sub(&lookups, 1);
}

static void take(struct lookup *l, const struct addrinfo *list)
{
    for (; list != NULL; list = list->ai_next) {
        struct addr a;

        if (!addr_of_sockaddr(list->ai_addr, &a, NULL))
            continue;
        if (l->addrs_n < RESOLVED_MAX)
            l->found.v[l->addrs_n] = a;
        l->addrs_n++;
    }
    l->found.n = l->addrs_n < RESOLVED_MAX ? l->addrs_n : RESOLVED_MAX;
}

static void *look_up(void *arg)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct lookup *l = arg;
    int got = getaddrinfo(l->name, NULL, &hints, &list);

    ASSERT(pthread_mutex_lock(&l->lock) == 0);
    l->got = got;
    if (got == 0)
        take(l, list);
    l->is_done = true;
    ASSERT(pthread_cond_broadcast(&l->ended) == 0);
    ASSERT(pthread_mutex_unlock(&l->lock) == 0);
    if (got == 0)
        freeaddrinfo(list);
    leave(l);
    return NULL;
}

static bool start(struct lookup *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    int sys;

    ASSERT(pthread_attr_init(&attr) == 0);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sys = pthread_create(&thread, &attr, look_up, l);
    (void)pthread_attr_destroy(&attr);
    return sys == 0;
}

static rc tell(const struct lookup *l, struct err *e)
{
    if (l->got == EAI_AGAIN)
        return err_set(e, RC_REMOTE, "no name server answers for %.100s",
                       l->name);
    if (l->got != 0 || l->addrs_n == 0)
        return err_set(e, RC_REMOTE, "%.100s has no address", l->name);
    if (l->addrs_n > RESOLVED_MAX)
        return err_set(e, RC_REMOTE, "%.100s has more than %d addresses",
                       l->name, RESOLVED_MAX);
    return RC_OK;
}

static rc wait_for(struct lookup *l, int64_t until_ns, struct resolved *to,
                   struct err *e)
{
    rc code;

    ASSERT(pthread_mutex_lock(&l->lock) == 0);
    while (!l->is_done && clock_cond_wait(&l->ended, &l->lock, until_ns))
        ;
    if (l->is_done)
        code = tell(l, e);
    else
        code = err_set(e, RC_TIMEOUT, "no name server answers for %.100s",
                       l->name);
    if (code == RC_OK)
        *to = l->found;
    ASSERT(pthread_mutex_unlock(&l->lock) == 0);
    return code;
}

rc resolve_name(str name, int64_t until_ns, struct resolved *to, struct err *e)
{
    struct lookup *l;
    rc code;

    to->n = 0;
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return err_set(e, RC_REMOTE, "a name of %zu bytes has no address",
                       name.n);
    if (atomic_fetch_add(&lookups, 1) >= LOOKUPS_MAX) {
        (void)atomic_fetch_sub(&lookups, 1);
        return err_set(e, RC_BUSY, "%d names are being looked up already",
                       LOOKUPS_MAX);
    }
    l = mem_alloc(sizeof *l);
    memcpy(l->name, name.p, name.n);
    ASSERT(pthread_mutex_init(&l->lock, NULL) == 0);
    clock_cond_init(&l->ended);
    l->holders = 2;
    if (!start(l)) {
        l->holders = 1;
        code = err_set(e, RC_BUSY, "no thread to look up a name in");
    } else {
        code = wait_for(l, until_ns, to, e);
    }
    leave(l);
    return code;
}
