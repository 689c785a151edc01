/*
 * fetcher, inside: fetcher.c has the queue and the threads, fetcher_page.c what
 * becomes of one page.
 */
#ifndef APP_FETCHER_PRIV_H
#define APP_FETCHER_PRIV_H

#include "app/task.h"
#include "app/web_priv.h"
#include "base/rng.h"
#include "net/fetch.h"

/* Of one page, from its first try on: all tries and what is waited between them.
 * The last try ends with it. */
#define FETCH_MS_MAX 60000
/* After trouble of the server's own. */
#define FETCH_AGAIN_MS 2000

struct fetcher {
    struct app *app;
    struct addr_nets nets;
    struct addr_net *nets_v;
    pthread_t *threads;
    size_t threads_n;
    int64_t opened_ns; /* of the steady clock */
    /* The places of each host, wherever a page began: a redirect leads from one
     * host to another. */
    struct pace *pace;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct waiting *first, **end;
    size_t waiting_n;
    struct map *busy;         /* host to requests under way */
    struct map *held;         /* host to what waits in the list */
    struct fetch_place place; /* where the next look begins */
    bool leasing;
    bool more;         /* the last look left some that are due */
    int64_t look_ns;   /* when the queue is looked at next; INT64_MAX: not */
    struct rng chance; /* of fetcher_wait_ms */
};

/* A leased item. */
struct waiting {
    struct fetch_place at;
    bool again; /* not its first try */
    struct waiting *next;
    str host; /* in `text` */
    char text[];
};

/* Asks for the page, and writes down what came of it; *http is made at the
 * first. */
void fetcher_page(struct fetcher *r, struct fetch **http,
                  struct fetch_place at);
/* An item was put back, to be due in so long. */
void fetcher_due(struct fetcher *r, int64_t ms);
/* How long to wait before the next try: twice as long each time, or what the
 * answer's Retry-After said, and up to a quarter of the former on top, so that
 * pages that failed together do not come back together. tries: 1 and up. */
int64_t fetcher_wait_ms(unsigned tries, unsigned retry_ms, struct rng *chance);
/* Until the time has passed, or the end. */
void fetcher_pause(struct fetcher *r, int64_t ms);

#endif
