#include "app/task.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "doc/blocks.h"
#include "text/summary.h"
#include "text/utf8.h"

static const char *const STEP_NAMES[STEP_COUNT] = {[STEP_FETCH] = "fetch",
                                                   [STEP_PREPARE] =
                                                       "prepare_document",
                                                   [STEP_EXTRACT] = "extract",
                                                   [STEP_CHUNK] = "chunk",
                                                   [STEP_INDEX] = "index"};

/* What the user reads of a document that gave no text; the extractor's note
 * says more where there is one. */
static const char *const OUTCOME_ERRORS[EXTRACT_OUTCOME_COUNT] = {
    [EXTRACT_OK] = "no text was found in it",
    [EXTRACT_PARTIAL] = "no text was found in it",
    [EXTRACT_ENCRYPTED] = "it is encrypted",
    [EXTRACT_UNSUPPORTED] = "files of this kind can't be read",
    [EXTRACT_MALFORMED] = "the file is damaged",
    [EXTRACT_LIMIT] = "it is over a limit",
    [EXTRACT_CRASHED] = "reading it failed"};

/* ---- steps ---- */

void task_step_begin(struct task *t, enum task_step step)
{
    t->step = step;
    t->logs[step].began_ms = clock_wall_ms();
    t->logs[step].us = clock_mono_ns() / 1000;
}

void task_step_end(struct task *t, str input, str output)
{
    struct task_log *l = &t->logs[t->step];

    l->us = clock_mono_ns() / 1000 - l->us;
    l->input = input;
    l->output = output;
}

void task_failed(struct task *t, const char *why)
{
    t->fate = FATE_FAILED;
    t->error = str_of(why);
}

void task_gave_up(struct task *t, const char *why, struct arena *keep)
{
    uint32_t tries = t->item.attempts;

    /* This lease counts as one only if it was a try. */
    if (t->logs[STEP_PREPARE].began_ms == 0)
        tries--;
    t->fate = FATE_FAILED;
    t->error = arena_fmt(keep, "gave up after %u tries: %s", tries, why);
}

/* Its text is there and may be searched: it is only indexed again. */
static bool version_is_indexed(const struct version_row *v)
{
    return v->has_text &&
           (v->state == VERSION_ACTIVE || v->state == VERSION_DRAFT ||
            v->state == VERSION_ARCHIVED);
}

/* ---- reading ---- */

static struct extract_in input_of(const struct task *t)
{
    return (struct extract_in){
        .fd = -1,
        .bytes = t->input,
        .said = {.filename = t->version.filename, .type = t->version.said_type},
        .plain = str_eq(t->version.source_type, STR("text")),
        .ticket = t->ticket};
}

/* The body: small ones in memory, others behind a descriptor; maybe it was read
 * ahead. */
static rc original_open(struct app *a, const struct task *t,
                        struct extract_in *in, struct arena *doc, struct err *e)
{
    const struct blob_ref *ref = &t->version.original;
    struct db *db;
    rc code;

    *in = input_of(t);
    if (t->has_input)
        return RC_OK;
    if ((code = store_read_begin(a->store, &db, e)) != RC_OK)
        return code;
    if (ref->bytes <= BLOB_INLINE_BYTES_MAX)
        code =
            blob_read(db, &ref->sha, BLOB_INLINE_BYTES_MAX, doc, &in->bytes, e);
    else
        code = blob_open_plain(db, &ref->sha, &in->fd, e);
    store_read_end(db);
    return code;
}

static rc blob_keep(struct app *a, str bytes, struct blob_writer **w,
                    struct blob_ref *ref, struct err *e)
{
    rc code;

    if ((code = blob_writer_open(a->store, w, e)) != RC_OK ||
        (code = blob_put(*w, bytes.p, bytes.n, e)) != RC_OK)
        return code;
    return blob_end(*w, ref, e);
}

/* Most texts are their originals to the byte. Of a large one the server has
 * only the hash. */
static bool is_original(const struct task *t, str original, str text)
{
    const struct blob_ref *ref = &t->version.original;
    sha256 sha;

    if (original.n > 0 || text.n != ref->bytes)
        return str_eq(original, text);
    sha = sha256_of(text);
    return sha256_eq(&sha, &ref->sha);
}

/* A text that is the original is the original's body once more. */
static rc text_keep(struct app *a, struct task *t, const struct doc *d,
                    str original, struct err *e)
{
    struct buf blocks = {0};
    rc code = RC_OK;

    if (is_original(t, original, d->text))
        t->text_ref = t->version.original;
    else
        code = blob_keep(a, d->text, &t->text, &t->text_ref, e);
    if (code == RC_OK && (code = doc_encode_blocks(d, &blocks, e)) == RC_OK)
        code = blob_keep(a, buf_str(&blocks), &t->blocks, &t->blocks_ref, e);
    buf_close(&blocks);
    return code;
}

/* [{kind, dropped, count, page, sample}, …], as the version's row has it. */
static str flags_text(const struct doc *d, struct arena *keep)
{
    json_t *list = json_array();
    str text;

    for (size_t i = 0; i < d->flags_n; i++) {
        const struct doc_flag *f = &d->flags[i];
        json_t *page =
            f->page == 0 ? json_null() : json_integer((json_int_t)f->page);

        (void)json_array_append_new(
            list, json_pack("{s:s, s:b, s:I, s:o, s:o}", "kind",
                            DOC_FLAG_NAMES[f->kind], "dropped", f->dropped,
                            "count", (json_int_t)f->count, "page", page,
                            "sample", js_of_str(f->sample)));
    }
    text = d->flags_n == 0 ? STR_NONE : js_text(keep, list);
    json_decref(list);
    return text;
}

/* Keeps what extraction said of the document, which the version will say. */
static void said_keep(struct task *t, const struct doc *d, struct arena *keep)
{
    t->outcome = d->outcome;
    t->note = arena_str(keep, d->note);
    t->mime = arena_str(keep, d->mime);
    t->title = arena_str(keep, d->title);
    t->language = arena_str(keep, d->language);
    t->created = arena_str(keep, d->created);
    t->modified = arena_str(keep, d->modified);
    t->pages = d->pages;
    t->ocr_confidence = d->ocr_confidence;
    t->flags = flags_text(d, keep);
    t->canonical = arena_str(keep, d->canonical);
    t->images = d->images;
    t->extractor_version = d->extractor_version;
}

static bool is_url(str s)
{
    return str_starts(s, STR("https://")) || str_starts(s, STR("http://"));
}

/* A document of the web that nobody has named takes the title of its page. */
static void retitle(struct task *t, const struct doc *d, struct arena *keep)
{
    str title = str_trim(d->title);

    if (!str_eq(t->document.source_type, STR("url")) ||
        !is_url(t->document.title) || title.n == 0)
        return;
    title = str_sub(title, 0, utf8_advance(title, TITLE_CHARS_MAX));
    t->retitle = arena_str(keep, title);
    t->document.title = t->retitle;
}

static rc text_extract(struct app *a, struct task *t, struct extract_session *s,
                       struct arena *doc, struct arena *keep, struct doc *d,
                       struct err *e)
{
    unsigned long long bytes = t->version.original.bytes;
    struct extract_in in;
    rc code;

    task_step_begin(t, STEP_PREPARE);
    if ((code = original_open(a, t, &in, doc, e)) != RC_OK)
        return code;
    task_step_end(t, arena_fmt(keep, "{\"bytes\":%llu}", bytes),
                  arena_fmt(keep, "{\"try\":%u}", t->item.attempts));
    task_step_begin(t, STEP_EXTRACT);
    t->logs[STEP_EXTRACT].us -= t->ahead_us;
    code = extract_session_run(s, &in, doc, d, e);
    if (in.fd >= 0)
        (void)close(in.fd);
    if (code != RC_OK)
        return code;
    said_keep(t, d, keep);
    if ((d->outcome != EXTRACT_OK && d->outcome != EXTRACT_PARTIAL) ||
        str_blank(d->text)) {
        task_failed(t, OUTCOME_ERRORS[d->outcome]);
        if (t->note.n > 0)
            t->error = t->note;
    } else if (d->text.n > a->limits.text_bytes_max) {
        t->outcome = EXTRACT_LIMIT;
        task_failed(t, arena_fmt(keep,
                                 "its text is longer than %zu bytes, the "
                                 "limit for one document",
                                 a->limits.text_bytes_max)
                           .p);
    } else if ((code = text_keep(a, t, d, in.bytes, e)) != RC_OK) {
        return code;
    } else {
        if (!version_is_indexed(&t->version))
            retitle(t, d, keep);
        if (t->base->hub) /* whose lists show it */
            t->summary = summary_make(d, keep);
    }
    task_step_end(t, arena_fmt(keep, "{\"bytes\":%llu}", bytes),
                  arena_fmt(keep,
                            "{\"outcome\":\"%s\",\"characters\":%llu,"
                            "\"blocks\":%zu}",
                            EXTRACT_OUTCOME_NAMES[d->outcome],
                            (unsigned long long)d->text_cp, d->blocks_n));
    return RC_OK;
}

/* What was extracted before, out of the store. */
static rc text_load(struct app *a, struct task *t, struct arena *doc,
                    struct arena *keep, struct doc *d, struct err *e)
{
    const struct version_row *v = &t->version;
    str text = {0}, blocks = {0};
    struct db *db;
    rc code;

    task_step_begin(t, STEP_PREPARE);
    if ((code = store_read_begin(a->store, &db, e)) != RC_OK)
        return code;
    if ((code = blob_read(db, &v->text.sha, TEXT_BYTES_MAX, doc, &text, e)) ==
        RC_OK)
        code = blob_read(db, &v->blocks.sha, (size_t)v->blocks.bytes, doc,
                         &blocks, e);
    store_read_end(db);
    if (code == RC_OK)
        code = doc_decode_blocks(blocks, text, doc, d, e);
    if (code == RC_CORRUPT || code == RC_FORMAT || code == RC_NOTFOUND) {
        log_error("pipeline", "the stored text of a version is damaged: %s",
                  e != NULL ? e->text : "");
        task_failed(t, "its stored text is damaged");
        return RC_OK;
    }
    if (code == RC_OK)
        task_step_end(t, arena_fmt(keep, "{\"again\":true}"),
                      arena_fmt(keep, "{\"characters\":%llu,\"blocks\":%zu}",
                                (unsigned long long)d->text_cp, d->blocks_n));
    return code;
}

static rc text_cut(struct task *t, struct arena *doc, struct arena *keep,
                   struct task_text *text, struct err *e)
{
    const struct chunk_opts o = {.tokens_max = t->tokens_max,
                                 .overlap_tokens = t->base->chunk_overlap,
                                 .title = t->document.title,
                                 .counter = text->counter};
    rc code;

    task_step_begin(t, STEP_CHUNK);
    doc_headings_read(&text->doc, doc);
    code = chunk_split(&text->doc, &o, doc, &text->chunks, e);
    if (code == RC_LIMIT) {
        task_failed(t, "its text gives more pieces than one document may have");
        return RC_OK;
    }
    if (code != RC_OK)
        return code;
    t->chunks = text->chunks.n;
    t->tokens = text->chunks.tokens;
    task_step_end(t,
                  arena_fmt(keep, "{\"chunk_size\":%u,\"chunk_overlap\":%u}",
                            o.tokens_max, o.overlap_tokens),
                  arena_fmt(keep, "{\"chunks\":%llu,\"tokens\":%llu}",
                            (unsigned long long)t->chunks,
                            (unsigned long long)t->tokens));
    return RC_OK;
}

static bool is_extracted(const struct task *t)
{
    return !version_is_indexed(&t->version) || t->item.class == ITEM_REPROCESS;
}

/* Enough to be read at once. */
#define AHEAD_BYTES (256 * KIB)

size_t tasks_ahead(struct app *a, struct task *tasks, size_t n,
                   struct extract_session *s, struct arena *ahead)
{
    struct extract_in in[SESSION_AHEAD_MAX];
    struct task *of[SESSION_AHEAD_MAX];
    size_t seen = 0, some = 0, bytes = 0;
    int64_t began_ns, share_us;
    struct db *db;

    if (store_read_begin(a->store, &db, NULL) != RC_OK)
        return n;
    for (; seen < n && some < SESSION_AHEAD_MAX && bytes < AHEAD_BYTES;
         seen++) {
        struct task *t = &tasks[seen];
        const struct blob_ref *ref = &t->version.original;

        if (t->gone || !is_extracted(t) || ref->bytes > SESSION_BYTES_MAX ||
            blob_read(db, &ref->sha, SESSION_BYTES_MAX, ahead, &t->input,
                      NULL) != RC_OK)
            continue;
        t->has_input = true;
        bytes += t->input.n;
        in[some] = input_of(t);
        of[some++] = t;
    }
    store_read_end(db);
    if (some < 2)
        return seen;
    began_ns = clock_mono_ns();
    extract_session_ahead(s, in, some);
    share_us = (clock_mono_ns() - began_ns) / 1000 / (int64_t)some;
    for (size_t i = 0; i < some; i++) {
        of[i]->ticket = in[i].ticket;
        of[i]->ahead_us = share_us;
    }
    return seen;
}

rc task_read(struct app *a, struct task *t, struct extract_session *s,
             const struct chunk_counter *counter, struct arena *doc,
             struct arena *keep, struct task_text *text, struct err *e)
{
    rc code = is_extracted(t) ? text_extract(a, t, s, doc, keep, &text->doc, e)
                              : text_load(a, t, doc, keep, &text->doc, e);

    if (code != RC_OK || t->fate != FATE_DONE)
        return code;
    text->counter = counter;
    return text_cut(t, doc, keep, text, e);
}

rc task_index(struct task *t, struct engine_batch *b,
              const struct task_text *text, struct arena *keep, struct err *e)
{
    const struct engine_doc d = {.version = t->version.id,
                                 .document = t->version.document,
                                 .number = t->version.number,
                                 .title = t->document.title,
                                 .doc = &text->doc,
                                 .chunks = &text->chunks,
                                 .counter = text->counter};
    rc code;

    task_step_begin(t, STEP_INDEX);
    if ((code = engine_batch_add(b, &d, e)) != RC_OK)
        return code;
    task_step_end(
        t, arena_fmt(keep, "{\"chunks\":%llu}", (unsigned long long)t->chunks),
        t->refines ? STR("{\"legs\":[\"lexical\",\"dense\"]}")
                   : STR("{\"legs\":[\"lexical\"]}"));
    return RC_OK;
}

/* ---- writing down ---- */

rc task_logs_put(struct db *db, const struct task *t, struct err *e)
{
    struct log_row rows[STEP_COUNT];
    uuid id = uuid_new();
    size_t n = 0;

    for (unsigned s = 0; s <= (unsigned)t->step; s++) {
        const struct task_log *l = &t->logs[s];
        bool failed = t->fate == FATE_FAILED && s == (unsigned)t->step;

        if (l->began_ms == 0)
            continue;
        rows[n++] = (struct log_row){
            .id = id,
            .base = t->item.base,
            .tenant = t->item.tenant,
            .job = t->item.job,
            .document = t->version.document,
            .task = str_of(STEP_NAMES[s]),
            .status = failed ? STR("failed") : STR("completed"),
            .input = l->input.n > 0 ? l->input : STR("{}"),
            .output = l->output.n > 0 ? l->output : STR("{}"),
            .error = failed ? t->error : STR_NONE,
            .started_ms = l->began_ms,
            .duration_us = l->us};
    }
    return db_logs_put(db, rows, n, e);
}

static rc item_ends(struct db *db, const struct task *t, enum job_status status,
                    str error, int64_t now, struct err *e)
{
    struct item_row it = t->item;

    it.status = status;
    it.stage = STAGE_DONE;
    it.error = error;
    it.chunk_count = status == JOB_COMPLETED ? t->chunks : 0;
    it.completed_ms = now;
    return db_item_update(db, &it, e);
}

/* Found by its words, and waiting for its vectors. */
static rc item_refines(struct db *db, const struct task *t, struct err *e)
{
    struct item_row it = t->item;

    it.stage = STAGE_REFINING;
    it.error = STR_NONE;
    it.chunk_count = t->chunks;
    return db_item_update(db, &it, e);
}

static rc finish_again(struct db *db, const struct task *t, int64_t now,
                       struct err *e)
{
    struct item_row it = t->item;

    it.status = JOB_QUEUED;
    it.stage = STAGE_QUEUED;
    it.run_at_ms = now + t->retry_ms;
    if (t->blameless && it.attempts > 0)
        it.attempts--;
    return db_item_update(db, &it, e);
}

static rc version_event(struct db *db, const struct version_row *v,
                        const char *kind, struct err *e)
{
    struct caller program = app_program(v->tenant);

    return app_event(db, &program, v->base, v->id, kind, e);
}

static str or_none(str s)
{
    return s.n > 0 ? s : STR_NONE;
}

static void said_put(const struct task *t, struct version_row *v)
{
    if (t->step == STEP_FETCH && t->logs[STEP_FETCH].began_ms != 0) /* unseen */
        return;
    v->outcome = str_of(EXTRACT_OUTCOME_NAMES[t->outcome]);
    v->note = or_none(t->note);
    v->mime = t->mime.n > 0 ? t->mime : v->mime;
    v->found_title = or_none(t->title);
    v->language = or_none(t->language);
    v->doc_created = or_none(t->created);
    v->doc_modified = or_none(t->modified);
    v->pages = t->pages;
    v->ocr_confidence = t->ocr_confidence;
    v->flags = or_none(t->flags);
    v->summary = or_none(t->summary);
    v->canonical = or_none(t->canonical);
    v->images = t->images;
    v->extractor_version = t->extractor_version;
}

static rc finish_failed(struct app *a, struct db *db, const struct task *t,
                        struct version_row *v, struct document_row *d,
                        int64_t now, struct err *e)
{
    bool as_before = v->state == VERSION_FAILED; /* tried once more */
    bool governs;
    rc code;

    v->state = VERSION_FAILED;
    v->error = t->error;
    said_put(t, v);
    v->processed_ms = now;
    if ((code = db_version_update(db, v, e)) != RC_OK || as_before ||
        (code = version_event(db, v, "version.failed", e)) != RC_OK)
        return code;
    /* The active version stays; its index may still say the former title, but
     * a fetch brings none. */
    if (!uuid_is_nil(d->active_version))
        return t->step == STEP_FETCH ? RC_OK : reindex_document(a, db, d, e);
    if ((code = db_document_governed(db, d, v->id, &governs, e)) != RC_OK ||
        !governs)
        return code;
    d->state = VERSION_FAILED;
    d->updated_ms = now;
    return db_document_update(db, d, e);
}

/* The state a version ends in; *former is archived when it turns active. A
 * version that a newer one has overtaken is archived at once. */
static rc state_decide(struct db *db, const struct version_row *v,
                       const struct document_row *d, struct arena *tmp,
                       struct version_row *former, enum version_state *state,
                       struct err *e)
{
    rc code;

    *state = v->draft ? VERSION_DRAFT : VERSION_ACTIVE;
    if (v->draft || uuid_is_nil(d->active_version))
        return RC_OK;
    if ((code = db_version_get(db, v->tenant, v->base, d->active_version, tmp,
                               former, e)) != RC_OK)
        return code;
    if (former->number > v->number)
        *state = VERSION_ARCHIVED;
    return RC_OK;
}

static const char *state_event(enum version_state s)
{
    return s == VERSION_ACTIVE  ? "version.active"
           : s == VERSION_DRAFT ? "version.draft"
                                : "version.archived";
}

/* The text that was extracted is the version's from now on. */
static rc text_put(struct db *db, const struct task *t, struct version_row *v,
                   int64_t now, struct err *e)
{
    rc code = RC_OK;

    if ((t->text != NULL && (code = blob_use(db, t->text, e)) != RC_OK) ||
        (code = blob_use(db, t->blocks, e)) != RC_OK)
        return code;
    v->text = t->text_ref;
    v->blocks = t->blocks_ref;
    v->has_text = true;
    v->text_since = t->segment;
    v->chunk_count = t->chunks;
    v->token_count = t->tokens;
    said_put(t, v);
    v->chunker_version = CHUNKER_VERSION;
    v->processed_ms = now;
    return RC_OK;
}

static rc finish_new(struct db *db, struct task *t, struct version_row *v,
                     struct document_row *d, struct arena *tmp, int64_t now,
                     struct err *e)
{
    struct version_row former = {0};
    enum version_state state;
    bool governs = true;
    rc code;

    if ((code = state_decide(db, v, d, tmp, &former, &state, e)) != RC_OK ||
        (code = text_put(db, t, v, now, e)) != RC_OK)
        return code;
    v->state = state;
    v->error = STR_NONE;
    if ((code = db_version_update(db, v, e)) != RC_OK ||
        (code = version_event(db, v, state_event(state), e)) != RC_OK)
        return code;
    if (state == VERSION_ACTIVE && former.number > 0) {
        former.state = VERSION_ARCHIVED;
        if ((code = db_version_update(db, &former, e)) != RC_OK)
            return code;
    }
    if (state == VERSION_ACTIVE)
        d->active_version = v->id;
    else if (!uuid_is_nil(d->active_version))
        governs = false;
    else
        code = db_document_governed(db, d, v->id, &governs, e);
    if (code != RC_OK || !governs) /* another version does */
        return code;
    d->state = state;
    d->updated_ms = now;
    return db_document_update(db, d, e);
}

/* The index learns the state a version has by now. */
static rc state_tell(struct db *db, const struct version_row *v, struct err *e)
{
    return db_change(db,
                     &(struct change){.kind = CHANGE_VERSION,
                                      .base = v->base,
                                      .version = v->id,
                                      .state = v->state},
                     e);
}

/* Extracted again: text, rows and what is said of them change at once. */
static rc finish_reprocessed(struct db *db, const struct task *t,
                             struct version_row *v, int64_t now, struct err *e)
{
    rc code;

    if ((code = text_put(db, t, v, now, e)) != RC_OK ||
        (code = db_version_update(db, v, e)) != RC_OK ||
        (code = version_event(db, v, "version.reprocessed", e)) != RC_OK)
        return code;
    return state_tell(db, v, e);
}

static rc finish_again_indexed(struct db *db, const struct task *t,
                               struct version_row *v, struct err *e)
{
    rc code;

    v->chunk_count = t->chunks;
    v->token_count = t->tokens;
    v->chunker_version = CHUNKER_VERSION;
    code = db_version_update(db, v, e);
    return code == RC_OK ? state_tell(db, v, e) : code;
}

static rc finish_done(struct app *a, struct db *db, struct task *t,
                      struct version_row *v, struct document_row *d,
                      struct arena *tmp, int64_t now, struct err *e)
{
    bool open = v->state == VERSION_PENDING || v->state == VERSION_PROCESSING ||
                (v->state == VERSION_FAILED && t->item.class == ITEM_REPROCESS);
    rc code = RC_OK;

    if (open && t->retitle.p != NULL && is_url(d->title))
        d->title = t->retitle;
    if (open && t->blocks != NULL)
        code = finish_new(db, t, v, d, tmp, now, e);
    else if (version_is_indexed(v) && t->blocks != NULL)
        code = finish_reprocessed(db, t, v, now, e);
    else if (version_is_indexed(v))
        code = finish_again_indexed(db, t, v, e);
    if (code != RC_OK || str_eq(d->title, t->document.title))
        return code;
    return reindex_document(a, db, d, e); /* it was renamed meanwhile */
}

rc task_finish(struct app *a, struct db *db, struct task *t, struct arena *tmp,
               struct err *e)
{
    int64_t now = clock_wall_ms();
    struct document_row d;
    struct version_row v;
    bool there;
    rc code;

    if (t->fate == FATE_AGAIN)
        return finish_again(db, t, now, e);
    code = maybe(db_version_get(db, t->item.tenant, t->item.base,
                                t->item.version, tmp, &v, e),
                 &there);
    if (code == RC_OK && there)
        code =
            maybe(db_document_row(db, v.tenant, v.base, v.document, tmp, &d, e),
                  &there);
    if (code != RC_OK)
        return code;
    if (!there)
        return item_ends(db, t, JOB_FAILED,
                         STR("it was deleted before it was indexed"), now, e);
    if (t->fate == FATE_DONE)
        code = finish_done(a, db, t, &v, &d, tmp, now, e);
    else if (!version_is_indexed(&v))
        code = finish_failed(a, db, t, &v, &d, now, e);
    if (code != RC_OK || (code = task_logs_put(db, t, e)) != RC_OK)
        return code;
    if (t->fate == FATE_DONE && t->refines && t->chunks > 0)
        return item_refines(db, t, e);
    return t->fate == FATE_DONE
               ? item_ends(db, t, JOB_COMPLETED, STR_NONE, now, e)
               : item_ends(db, t, JOB_FAILED, t->error, now, e);
}

void task_count(struct app *a, const struct task *t)
{
    if (t->fate == FATE_DONE && t->blocks != NULL)
        atomic_fetch_add(&a->count.documents_indexed, 1);
    else if (t->fate == FATE_FAILED)
        atomic_fetch_add(&a->count.documents_failed, 1);
}

void task_close(struct task *t)
{
    blob_writer_close(t->text);
    blob_writer_close(t->blocks);
    t->text = t->blocks = NULL;
}
