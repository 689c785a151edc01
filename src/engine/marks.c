#include <stdlib.h>

#include "engine/engine_priv.h"
#include "text/utf8.h"

/* One analyser a thread: its cache of stems is warm at the second query. */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void analyser_free(void *a)
{
    analyser_close(a);
}

static void key_make(void)
{
    ASSERT(pthread_key_create(&key, analyser_free) == 0);
}

struct analyser *thread_analyser(void)
{
    struct analyser *a;

    (void)pthread_once(&key_once, key_make);
    a = pthread_getspecific(key);
    if (a == NULL) {
        a = analyser_open();
        ASSERT(pthread_setspecific(key, a) == 0);
    }
    return a;
}

static bool asked_for(const struct lex_query *q, str term)
{
    for (size_t i = 0; i < q->terms_n; i++)
        if (str_eq(q->terms[i].term, term))
            return true;
    return false;
}

void engine_marks(str query, str text, struct arena *out,
                  struct engine_mark **v, size_t *n)
{
    struct analyser *a = thread_analyser();
    struct lex_query q;
    struct token t;
    size_t cap = 0, byte = 0, cp = 0;

    *v = NULL;
    *n = 0;
    lex_query_parse(a, query, out, &q);
    analyser_begin(a, text);
    while (analyser_next(a, &t)) {
        struct engine_mark m;

        if (!asked_for(&q, t.term))
            continue;
        /* Tokens of one place (bigrams) begin where the last one ended, or
         * within it. */
        if (t.start < byte)
            continue;
        cp += utf8_count(str_sub(text, byte, t.start - byte));
        m.start_cp = cp;
        cp += utf8_count(str_sub(text, t.start, t.end - t.start));
        m.end_cp = cp;
        byte = t.end;
        ARENA_PUSH(out, *v, *n, cap, m);
    }
}
