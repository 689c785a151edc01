/*
 * engine_priv: what the files of engine/ share.
 *
 *   segment.c  one index file: opened, verified, its versions' states
 *   write.c    a segment's own sections, written
 *   base.c     bases: opened, shared, told of changes, closed
 *   batch.c    new documents into a segment
 *   vectors.c  a base's files of vectors, and where each row has its own
 *   refine.c   vectors for rows that have none yet
 *   merge.c    segments into one
 *   keeper.c   the thread that merges, cleans and closes
 *   scrub.c    its files that are open, verified again
 *   views.c    what a search looks at, at one moment
 *   search.c   both legs, and their lists into one
 *   marks.c, check.c, engine.c
 *
 * Locks:   engine.lock comes before base.lock; neither is held over a read or
 *          write of a disk. base.ids_lock stands alone; base.vectors_lock is
 *          held over reads and writes of vector files and comes before
 *          base.lock.
 */
#ifndef ENGINE_ENGINE_PRIV_H
#define ENGINE_ENGINE_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "embed/embed.h"
#include "engine/engine.h"
#include "lex/lex.h"
#include "vec/vec.h"

/* ---- the stored form, drawn in docs/formats.md; read in place ---- */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "stored numbers are read in place");

#define SEGMENT_VERSION 1
#define SECTION_INFO "SEGI"
#define SECTION_VERSIONS "VERS"
#define SECTION_SORTED "VIDX"
#define SECTION_CHUNKS "CHNK"
#define SECTION_HEADINGS "HEAD"
/* identity of the model (32 bytes), then a vec_key a row; zeros: none */
#define SECTION_KEYS "VKEY"

struct info_rec {
    uint32_t format, rows, versions, analyser;
    uuid base;
    uint64_t id;
    int64_t created_ms;
};
static_assert(sizeof(struct info_rec) == 48, "on disk");

struct version_rec {
    uuid version, document;
    uint64_t origin; /* id of the segment it was first written to */
    uint32_t number, first_row, rows, text_bytes;
    uint32_t extractor, chunker;
};
static_assert(sizeof(struct version_rec) == 64, "on disk");

#define HEADINGS_NONE UINT32_MAX
struct chunk_rec {
    uint32_t version; /* index in VERS */
    uint32_t start, end, start_cp, end_cp;
    uint32_t page;
    uint32_t headings; /* offset in HEAD, or HEADINGS_NONE */
    float box[4];
};
static_assert(sizeof(struct chunk_rec) == 44, "on disk");

/* ---- segment.c ---- */

/* Beside enum version_state, in a segment's state bytes: a newer segment holds
 * this version too. */
#define VERSION_SUPERSEDED 254

struct segment {
    uint64_t id;
    uuid base;
    char *path;
    struct seg *seg;
    struct lex *lex;
    const struct version_rec *versions;
    const uint32_t *sorted; /* [versions_n]: by version id, ascending */
    const struct chunk_rec *chunks;
    str headings;
    const struct vec_key *keys; /* [rows]; NULL: its rows have none */
    sha256 keys_of;             /* the model's identity */
    uint32_t versions_n, rows;
    int64_t verified_ns; /* when it was; the keeper's, once in a list */
    atomic_uint refs;    /* of lists of bases, searches, batches, merges */
    atomic_bool doomed;  /* the file goes with the last reference */
    /* Guarded by its base's lock once it is in the base's list: */
    uint8_t *state;                    /* [versions_n] */
    uint64_t *live;                    /* bit a row: of an active version */
    uint32_t rows_live;                /* bits set */
    uint32_t rows_dead, versions_dead; /* gone or superseded */
    struct places *places;             /* of vectors; NULL: not looked up yet */
};

#define SEGMENT_PATH_MAX 4096
/* DIR/index/BASE/ID.seg and what is above it. */
void segment_path(const char *dir, uuid base, uint64_t id,
                  char to[SEGMENT_PATH_MAX]);
void base_dir_path(const char *dir, uuid base, char to[SEGMENT_PATH_MAX]);

/* One reference. Every version is pending. RC_CORRUPT also for a file that is
 * sound but another one than (base, id). */
rc segment_open(const char *dir, uuid base, uint64_t id, struct segment **s,
                struct err *e) MUST_CHECK;
/* Of bytes that stay the caller's, 8-byte aligned: fuzzing. */
rc segment_open_bytes(str bytes, uuid base, uint64_t id, bool sums_ignore,
                      struct segment **s, struct err *e) MUST_CHECK;
struct segment *segment_ref(struct segment *s);
void segment_unref(struct segment *s); /* NULL is fine */
/* Whether what segment_open said means that the file is lost, not that the
 * machine is short of something. */
bool segment_lost(const struct err *e);
bool segment_find(const struct segment *s, uuid version, uint32_t *index);
void segment_state_set(struct segment *s, uint32_t version, uint8_t state);
size_t segment_live_words(const struct segment *s);
/* Sets or clears the bits of these rows. */
void rows_set(uint64_t *words, uint32_t first, uint32_t n, bool on);
/* The path of headings of a row; texts borrow the file. */
size_t segment_headings(const struct segment *s, uint32_t row,
                        str path[HEADING_DEPTH_MAX + 1]);

static inline bool state_dead(uint8_t state)
{
    return state == (uint8_t)VERSION_GONE || state == VERSION_SUPERSEDED;
}
/* What a pin may reach. */
static inline bool state_indexed(uint8_t state)
{
    return state == VERSION_ACTIVE || state == VERSION_DRAFT ||
           state == VERSION_ARCHIVED;
}

/* ---- write.c ---- */

struct base;

/* Orders indexes of versions by id: *sorted has n entries. */
rc write_sorted(struct seg_writer *w, const struct version_rec *v, uint32_t n,
                struct err *e) MUST_CHECK;
rc write_info(struct seg_writer *w, uuid base, uint64_t id, uint32_t rows,
              uint32_t versions, struct err *e) MUST_CHECK;
rc write_section(struct seg_writer *w, const char id[4], str bytes,
                 struct err *e) MUST_CHECK;
/* Ascending in the order of the calls, and never given out again: a write of
 * its own reserves IDS_AT_ONCE. */
#define IDS_AT_ONCE 16
rc segment_id_next(struct engine *g, struct base *b, uint64_t *id,
                   struct err *e) MUST_CHECK;
rc segment_row_put(struct db *db, const struct segment *s,
                   struct err *e) MUST_CHECK;
/* After a failed fsync nobody knows whether a commit is on disk: then its file
 * stays, and the next opening of the base decides. */
bool outcome_known(struct engine *g);

/* ---- base.c ---- */

/* What a commit makes of a base's list of segments: payload of
 * CHANGE_SEGMENTS. Lives until the write's outcome is known. */
struct place {
    uint32_t from, version;
};
struct publish {
    struct segment *add;   /* NULL: only drops */
    struct segment **drop; /* they go with their files */
    size_t drop_n;
    /* [add->versions_n]: where in drop each stood; NULL: from a batch */
    const struct place *places;
    bool committed; /* set by the observer */
};

enum base_phase { BASE_OPENING, BASE_OPEN, BASE_FAILED, BASE_GONE };

struct base_change { /* came while opening */
    uuid version;
    uint64_t generation;
    uint8_t state;
};

struct base {
    uuid id;
    /* guarded by engine.lock */
    size_t users;
    int64_t used_ns, rested_ns;
    bool detached; /* out of the table: freed with its last user */

    pthread_mutex_t ids_lock; /* guards id_next, id_end; held over the write
                                 that reserves more */
    uint64_t id_next, id_end; /* reserved and not given out */

    pthread_mutex_t vectors_lock; /* guards claimed, and who replaces vectors */
    struct map
        *claimed; /* keys being embedded, or that can't be (CLAIM_VOID) */
    uint64_t vectors_id; /* of the next file */

    pthread_mutex_t lock;    /* guards all below */
    pthread_cond_t moved;    /* phase or applied */
    struct vectors *vectors; /* NULL: nobody has asked for them yet */
    enum base_phase phase;
    struct err err;            /* BASE_FAILED: why */
    uint64_t applied;          /* generation */
    struct segment **segments; /* ascending ids */
    size_t segments_n, segments_cap;
    /* Versions the store has and no segment: id to state. */
    struct map *missing;
    int64_t told_ns; /* when the owner was told of missing ones; 0: not */
    int64_t
        bad_ns;    /* when the rows of lost ones could not be dropped; 0: not */
    uint64_t *bad; /* ids of lost segments whose rows are to go */
    size_t bad_n;
    struct base_change *early; /* while opening or losing */
    size_t early_n, early_cap;
    bool losing;           /* base_lose reads the store */
    int64_t changed_ns;    /* last change */
    int64_t rest_until_ns; /* no merging before: one has failed */
};

/* A file that is open, of either kind. */
struct open_file {
    uuid base;
    struct segment *segment; /* one of the two, referenced */
    struct vector_file *vectors;
    int64_t *verified_ns; /* its; NULL: there is no file */
};
/* The file that is verified again, and when to go on. */
struct scrub {
    struct open_file file;
    struct seg_verifier *verifier; /* NULL: none is */
    int64_t last_ns;               /* a slice was read */
    int64_t next_ns;               /* no file is due before */
};

#define ANALYSERS_IDLE_MAX 4 /* of a megabyte each */

struct engine {
    struct store *store;
    const char *dir; /* the store's */
    bool merges;
    size_t exact_rows_max, rescored;
    int64_t verify_ns;
    void (*on_missing)(void *arg, uuid base);
    void (*on_lacking)(void *arg, uuid base);
    void *arg;

    pthread_mutex_t lock; /* guards all below but the counters */
    pthread_cond_t wake;  /* the keeper; settle */
    struct map *bases;    /* id to struct base * */
    struct map *seen;     /* id to last generation observed */
    struct map *later;    /* closed bases that hold something deleted */
    struct map *gone;     /* deleted bases whose folder is to go */
    /* between two batches; their stems stay known */
    struct analyser *analysers[ANALYSERS_IDLE_MAX];
    size_t analysers_n;
    bool asked;      /* the keeper has something to do */
    size_t settling; /* how many wait in settle */
    uint64_t pass, settled_pass;

    atomic_bool ending; /* set under the lock; also stops a merge */
    pthread_t keeper;
    bool keeper_runs;
    struct scrub scrub; /* the keeper's alone */
    atomic_uint_fast64_t merges_n, rebuilt_n;
};

/* Lends an analyser; each belongs to one batch at a time. */
struct analyser *analyser_take(struct engine *g);
void analyser_give(struct engine *g, struct analyser *a);

/* How long anybody waits for a base that another thread is opening. */
#define OPEN_WAIT_NS ((int64_t)30 * 1000000000)

/* Opens the base if it isn't and keeps it open until base_release. session
 * may be NULL: then one is taken. Waits for one that another thread opens. */
rc base_acquire(struct engine *g, uuid id, struct db *session, int64_t until_ns,
                struct base **b, struct err *e) MUST_CHECK;
void base_release(struct engine *g, struct base *b);
/* The same for looking after it, which is not using it; NULL: it isn't open. It
 * may still be opening. */
struct base *base_hold(struct engine *g, uuid id);
void base_let_go(struct engine *g, struct base *b);
/* Waits until the base knows of all changes up to this generation. */
rc base_wait(struct base *b, uint64_t generation, int64_t until_ns,
             struct err *e) MUST_CHECK;
/* Closes those unused since before_ns, and the longest unused ones while more
 * than BASES_OPEN_MAX are open. */
void bases_close_idle(struct engine *g, int64_t before_ns);
/* The ids of those open or opening: mem_free. */
uuid *bases_list(struct engine *g, size_t *n);
void base_free(struct base *b);
/* Under its lock: the copy of a version that counts; false: no segment holds
 * it. */
bool base_version_find(const struct base *b, uuid version, struct segment **s,
                       uint32_t *index);
/* Under the base's lock: a lost segment, whose row and file are to go. */
void bad_put(struct base *b, uint64_t id);
/* A segment that was found damaged leaves the list without its mapping being
 * touched; what the store has and no other holds is missing. Nothing is done
 * if it isn't in the list. The keeper's; on failure it stays. */
rc base_lose(struct engine *g, struct base *b, struct segment *lost,
             const struct err *why, struct err *e) MUST_CHECK;
store_observer engine_observe;

/* ---- vectors.c ---- */

/* A file, shared by lists. */
struct vector_file {
    struct vec_file *f;
    char *path;
    uint64_t id;
    int64_t verified_ns; /* when it was; the keeper's, once in a list */
    atomic_uint refs;
    atomic_bool doomed; /* the file goes with the last reference */
};
struct vector_file *vector_file_ref(struct vector_file *f);
void vector_file_unref(struct vector_file *f); /* NULL is fine */

/* The files of a base for one model: never changed, replaced by a new list. */
#define VECTORS_SAMPLE 1024
struct vectors {
    atomic_uint refs;
    uint64_t number; /* of this list: places are of one */
    sha256 identity;
    uint32_t dims;
    struct vector_file **v;
    struct vec_file **files; /* [n]: those of v */
    size_t n;
    /* The rows with the lowest keys: a fixed sample, whatever files hold. */
    struct vec_place sample[VECTORS_SAMPLE];
    size_t sample_n;
};

/* Where the rows of a segment have their vectors in a list: never changed. */
struct places {
    atomic_uint refs;
    uint64_t number;  /* the list's */
    uint32_t missing; /* rows that have a key and no vector */
    struct vec_place v[];
};

/* Makes the base's list the model's, and every segment's places the list's.
 * Cheap when both are so. Without `wait` nothing is done while another does. */
rc vectors_sync(struct engine *g, struct base *b, const struct model_info *m,
                bool wait, struct err *e) MUST_CHECK;
/* The same, with a new file taken in; vectors_lock is held. */
rc vectors_take(struct engine *g, struct base *b, const struct model_info *m,
                uint64_t id, struct err *e) MUST_CHECK;
/* One merge of files that is due. *did: there was one. */
rc vectors_merge(struct engine *g, struct base *b, bool *did,
                 struct err *e) MUST_CHECK;
/* A file that was found damaged leaves the list and the disk, its mapping
 * untouched: its rows lack vectors. Nothing is done if it isn't in the list. */
void vectors_lose(struct engine *g, struct base *b, struct vector_file *lost,
                  const struct err *why);
void vectors_unref(struct vectors *v);          /* NULL is fine */
struct vectors *vectors_ref(struct vectors *v); /* NULL is fine */
void places_unref(struct places *p);            /* NULL is fine */
struct places *places_ref(struct places *p);
/* DIR/vectors/MODEL/BASE/ID.vec and what is above it. */
void vectors_path(const char *dir, const sha256 *identity, uuid base,
                  uint64_t id, char to[SEGMENT_PATH_MAX]);
void vectors_dir_path(const char *dir, const sha256 *identity, uuid base,
                      char to[SEGMENT_PATH_MAX]);
/* Removes what any model has of a base. */
void vectors_remove(struct engine *g, uuid base);
/* Every file of vectors a base has, of any model; path NULL: the end of one
 * folder. */
typedef void vectors_visit(void *arg, const char *folder, const char *path);
rc vectors_each(const char *dir, uuid base, struct arena *tmp,
                vectors_visit *visit, void *arg, struct err *e) MUST_CHECK;

/* Whether its rows have keys to the model's vectors. */
bool segment_has_keys(const struct segment *s, const sha256 *identity);
/* What a chunk is embedded as, and its key. */
str embedded_text(str context, str body, struct arena *out);
struct vec_key embedded_key(const sha256 *identity, str text);
static inline bool key_is_none(const struct vec_key *k)
{
    static const struct vec_key NONE;

    return memcmp(k, &NONE, sizeof NONE) == 0;
}

/* ---- merge.c ---- */

/* One merge that is due in this base, done. now: also what would wait for a
 * quiet moment. *did: there was one. */
rc merge_step(struct engine *g, struct base *b, bool now, bool *did,
              struct err *e) MUST_CHECK;

/* ---- keeper.c ---- */

rc keeper_start(struct engine *g, struct err *e) MUST_CHECK;
void keeper_end(struct engine *g);
void keeper_ask(struct engine *g); /* takes engine.lock */

/* ---- scrub.c ---- */

/* A slice of what is due. now: all that is due. */
void scrub_step(struct engine *g, bool now);
void scrub_end(struct engine *g);

/* ---- marks.c ---- */

struct analyser *thread_analyser(void); /* this thread's, freed with it */

#endif
