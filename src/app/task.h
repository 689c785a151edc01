/*
 * task: one leased item on its way from bytes to the index. The worker calls
 * task_read and task_index, then, inside a write, task_finish.
 *
 * Owns:    what outlives a document goes to the lease's arena (`keep`).
 */
#ifndef APP_TASK_H
#define APP_TASK_H

#include "app/app_priv.h"

enum fate {
    FATE_DONE,   /* until something else is said */
    FATE_FAILED, /* the document's own fault; `error` says which */
    FATE_AGAIN   /* ours: put back, due in retry_ms */
};

enum task_step {
    STEP_FETCH, /* fetcher.c */
    STEP_PREPARE,
    STEP_EXTRACT,
    STEP_CHUNK,
    STEP_INDEX,
    STEP_COUNT
};

struct task_log {
    int64_t began_ms, us; /* began_ms 0: it wasn't reached */
    str input, output;    /* JSON objects */
};

struct task {
    struct item_row item;
    struct version_row version; /* as leased, like the next */
    struct document_row document;
    const struct base_row *base; /* the lease's */
    bool gone;                   /* deleted since it was queued */
    enum fate fate;
    str error;
    bool blameless; /* with FATE_AGAIN: the try doesn't count */
    int64_t retry_ms;
    enum task_step step; /* the last one begun */
    struct task_log logs[STEP_COUNT];
    str input; /* read ahead, if has_input */
    bool has_input;
    uint64_t ticket;  /* of its text, if that was read ahead too */
    int64_t ahead_us; /* its share of reading several at once */
    /* what extraction said; of a new text only */
    enum extract_outcome outcome;
    str note, mime, title, language, created, modified, flags;
    uint32_t pages, ocr_confidence, extractor_version, images;
    str canonical;
    str summary;      /* of a hub's; p NULL: none */
    str retitle;      /* the title the page gives its document; p NULL: none */
    uint64_t segment; /* its rows were written to, when there are any */
    /* NULL: indexed again from the store; text also: it is the original */
    struct blob_writer *text, *blocks;
    struct blob_ref text_ref, blocks_ref;
    uint64_t chunks, tokens;
    bool refines;        /* its rows get vectors: it isn't completed before */
    uint32_t tokens_max; /* of a chunk, all that is embedded with it counted */
};

/* A document while it is worked on. */
struct task_text {
    struct doc doc;
    struct chunks chunks;
    const struct chunk_counter *counter;
};

/* Has the first of n tasks read at once, as far as they are small and have to be
 * extracted; how many were looked at. Bytes live in `ahead` until the last of
 * those was run. */
size_t tasks_ahead(struct app *a, struct task *tasks, size_t n,
                   struct extract_session *s, struct arena *ahead);
/* Extracts (or loads) and cuts, by the counter (NULL: the rule). RC_OK with a fate other than FATE_DONE: the
 * document failed. An error is the server's own. */
rc task_read(struct app *a, struct task *t, struct extract_session *s,
             const struct chunk_counter *counter, struct arena *doc,
             struct arena *keep, struct task_text *text,
             struct err *e) MUST_CHECK;
rc task_index(struct task *t, struct engine_batch *b,
              const struct task_text *text, struct arena *keep,
              struct err *e) MUST_CHECK;
/* Inside a write: every row that says what became of it. */
rc task_finish(struct app *a, struct db *db, struct task *t, struct arena *tmp,
               struct err *e) MUST_CHECK;
/* After the commit, for the figures. */
void task_count(struct app *a, const struct task *t);
void task_close(struct task *t);

/* A step's time, and what went in and came out of it (JSON objects). */
void task_step_begin(struct task *t, enum task_step step);
void task_step_end(struct task *t, str input, str output);
/* Inside a write: the logs of the steps so far. */
rc task_logs_put(struct db *db, const struct task *t, struct err *e) MUST_CHECK;

void task_failed(struct task *t, const char *why); /* static text */
void task_gave_up(struct task *t, const char *why, struct arena *keep);

#endif
