#include "cli/wait.h"

#include "base/clock.h"
#include "cli/print.h"

#define POLL_MS_MIN 20
#define POLL_MS_MAX 100

static uint64_t number(const json_t *job, const char *name)
{
    json_int_t v = json_integer_value(json_object_get(job, name));

    return v < 0 ? 0 : (uint64_t)v;
}

struct state {
    uint64_t ended, failed, duplicate; /* of its documents */
    bool over;
};

/* One look at a job. */
static rc look(struct client *c, struct arena *tmp, const char *id,
               bool refined, struct state *s, struct err *e)
{
    str path = arena_fmt(tmp, CLIENT_K "/ingestion-jobs/" STR_FMT,
                         STR_ARG(fetch_escape(tmp, str_of(id))));
    json_t *job;
    str status;
    rc code = client_get(c, arena_cstr(tmp, path), &job, e);

    if (code != RC_OK)
        return code;
    status = js_str(job, "status");
    s->failed = number(job, "failed");
    s->duplicate = number(job, "duplicate");
    s->ended = number(job, "completed") + s->duplicate + s->failed;
    s->over =
        !str_eq(status, STR("queued")) && !str_eq(status, STR("processing"));
    if (!refined) {
        s->ended += number(job, "refining");
        s->over = s->over || s->ended == number(job, "total_documents");
    }
    json_decref(job);
    return RC_OK;
}

rc wait_jobs(struct client *c, struct arena *out, struct job_wait *w,
             struct err *e)
{
    uint64_t before = 0, last = 0;
    struct state s = {0};
    int64_t moved_ns = clock_mono_ns();
    unsigned poll_ms = POLL_MS_MIN;
    rc code = RC_OK;

    for (size_t i = 0; i < w->ids_n && code == RC_OK;) {
        struct arena_mark mark = arena_mark(out);

        s.over = false;
        code = look(c, out, w->ids[i], w->refined, &s, e);
        arena_rewind(out, mark);
        if (code != RC_OK)
            break;
        progress_show(w->refined ? "embedding" : "indexing", before + s.ended,
                      w->documents);
        if (s.over) {
            before += s.ended;
            w->failed += s.failed;
            w->duplicate += s.duplicate;
            last = 0;
            i++;
        } else {
            clock_sleep_ms(poll_ms);
        }
        if (s.over || s.ended != last) {
            last = s.over ? 0 : s.ended;
            moved_ns = clock_mono_ns();
            poll_ms = POLL_MS_MIN;
        } else if (clock_mono_ns() - moved_ns >
                   (int64_t)WAIT_STALL_MS * 1000000) {
            code = err_set(e, RC_TIMEOUT, "job %.40s has not moved for %d s",
                           w->ids[i], WAIT_STALL_MS / 1000);
        } else if (poll_ms < POLL_MS_MAX) {
            poll_ms += poll_ms / 2;
        }
    }
    progress_clear();
    return code;
}
