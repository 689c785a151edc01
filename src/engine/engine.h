/*
 * engine: the index of bases: segments, snapshots, merges, search.
 *
 * Index files are derived data. A segment DATA/index/BASE/ID.seg is a base/seg
 * container with the inverted index, a table of chunks (version, place in the
 * text, headings, page, box) and a table of versions (id, document, number,
 * and which extractor, chunker and analyser made it). It becomes part of a
 * base by a row in the very transaction that turns its versions active.
 *
 * In memory each version of each segment has a state byte, loaded from the
 * store when the base is opened and changed after each commit, all of a commit
 * at once; a bitmap of live rows follows it, so that a delete is gone at the
 * next search. When two
 * segments hold one version, the newer wins. Versions that the store says are
 * indexed but no good segment holds are reported by engine_missing and indexed
 * again from the store: so a file damaged or lost when its base is opened is
 * never served and heals. One that is damaged while it is open is noticed when it
 * is verified again, about a day later (VERIFY_NS), and heals too.
 *
 * Bases are opened at first use and closed when idle (least recently used,
 * BASES_OPEN_MAX). A search takes references on the segments and a copy of
 * their live rows (a bit each): it sees one moment and holds no lock.
 *
 * Errors:  RC_NOTFOUND  no such base
 *          RC_BUSY      the index has not caught up within a second
 * Threads: any; a batch belongs to one.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdatomic.h>

#include "base/caller.h"
#include "base/err.h"
#include "doc/doc.h"
#include "embed/embed.h"
#include "store/store.h"
#include "text/chunk.h"

#define BASES_OPEN_MAX 256

#define EXACT_ROWS_MAX ((size_t)100000)
#define RESCORED ((size_t)3)
/* Disks lose bits in months, and what is verified once a day is read seldom
 * enough not to be noticed. */
#define VERIFY_NS ((int64_t)24 * 3600 * 1000000000)

struct engine;

struct engine_opts {
    struct store *store;
    bool merges; /* merge segments in the background */
    /* Up to so many rows a search looks at every vector; above, at those whose
     * one-bit codes promise most, so many times as many as are asked for. 0:
     * EXACT_ROWS_MAX, RESCORED. */
    size_t exact_rows_max, rescored;
    /* A file that stays open is verified again when it is so long since it was:
     * damaged, it is lost as one found so at opening. 0: VERIFY_NS. */
    int64_t verify_ns;
    /* Told, on the engine's own thread, that engine_missing has something to
     * say about a base; again after a minute while it has. NULL is fine. */
    void (*on_missing)(void *arg, uuid base);
    /* Told, on the thread that found it out, that rows of a base lack vectors:
     * engine_refine has something to do. Must not block. NULL is fine. */
    void (*on_lacking)(void *arg, uuid base);
    void *arg;
};
/* Registers itself as the store's observer, opens no base. Index files that no
 * row lists go when their base is opened. From now on a SIGBUS in a mapped file
 * ends the process with a note, which the next engine_open reads: the file is
 * rebuilt. */
rc engine_open(const struct engine_opts *o, struct engine **g,
               struct err *e) MUST_CHECK;
void engine_close(struct engine *g); /* ends merges; NULL is fine */

/* ---- indexing: one batch makes one segment of one base ---- */

struct engine_batch;
rc engine_batch_open(struct engine *g, uuid base, struct engine_batch **b,
                     struct err *e) MUST_CHECK;
/* Right behind the opening: rows get keys of this model's vectors, so that
 * engine_refine finds what lacks one. */
void engine_batch_keyed(struct engine_batch *b, const sha256 *identity);
struct engine_doc {
    uuid version, document;
    uint32_t number;
    str title;
    const struct doc *doc;
    const struct chunks *chunks;
    const struct chunk_counter *counter; /* the one they were cut with */
};
rc engine_batch_add(struct engine_batch *b, const struct engine_doc *d,
                    struct err *e) MUST_CHECK;
/* Memory the batch holds: the caller ends it at a bound of its own. */
size_t engine_batch_bytes(const struct engine_batch *b);
/* The segment file is written and durable. */
rc engine_batch_write(struct engine_batch *b, struct err *e) MUST_CHECK;
/* The id of what was written: the origin of its rows. */
uint64_t engine_batch_segment(const struct engine_batch *b);
/* Inside the write that turns its versions active: lists the segment. */
rc engine_batch_commit(struct engine_batch *b, struct db *db,
                       struct err *e) MUST_CHECK;
/* Frees it; what was not committed is removed. NULL is fine. */
void engine_batch_close(struct engine_batch *b);

/* Versions that should be in the index of this base but are in no good
 * segment. Opens the base. */
rc engine_missing(struct engine *g, uuid base, struct arena *out,
                  uuid **versions, size_t *n, struct err *e) MUST_CHECK;

/* Waits until nothing is to be merged or deadline (mono ns); tests, benches. */
rc engine_settle(struct engine *g, int64_t until_ns, struct err *e) MUST_CHECK;

/* ---- vectors ---- */

/* A base's vectors are files DATA/vectors/MODEL/BASE/ID.vec: derived data too,
 * keyed by model and embedded text, so that they outlive segments. A row
 * without one is found by its words. */
struct engine_refined {
    size_t rows; /* that got a vector */
    size_t left; /* that lack one and nobody embeds now */
};
/* Embeds up to rows_max rows that lack a vector, oldest segments first, and
 * takes the file in: durable and searched when it returns. Several threads may
 * refine one base. `stop` (may be NULL) ends it early, with what is done. */
rc engine_refine(struct engine *g, uuid base, const struct model_info *m,
                 struct embedder *x, size_t rows_max, const atomic_bool *stop,
                 struct engine_refined *done, struct err *e) MUST_CHECK;
/* Which versions are whole: every row of theirs that can have a vector has
 * one. What the index doesn't hold is not whole. */
rc engine_whole(struct engine *g, uuid base, const struct model_info *m,
                const uuid *versions, size_t n, bool *whole,
                struct err *e) MUST_CHECK;

/* Versions with rows that have no key to vectors of this model: they were
 * indexed without it, and get one by being indexed again. */
rc engine_unkeyed(struct engine *g, uuid base, const struct model_info *m,
                  struct arena *out, uuid **versions, size_t *n,
                  struct err *e) MUST_CHECK;

/* ---- search ---- */

enum engine_legs { LEGS_HYBRID, LEGS_LEXICAL, LEGS_DENSE };

/* This version of the document instead of its active one. */
struct engine_pin {
    uuid document, version;
};

struct engine_query {
    const uuid *bases;
    size_t bases_n;
    str text;
    enum engine_legs legs;
    /* The dense leg: a unit vector of this model; NULL: there is none. Bases of
     * other models are found by their words. vector_wait(vector_of), where set,
     * is asked when the words are found: the vector is there when it returns,
     * so that it can be made meanwhile. It may take milliseconds and ends by
     * itself. */
    const struct model_info *model;
    const float *vector;
    rc (*vector_wait)(void *of, struct err *e);
    void *vector_of;
    float dense_weight; /* 0 to 1, of a hybrid search; the rest is the words' */
    bool by_rank;       /* reciprocal rank instead of scaled scores */
    size_t hits_max;    /* how many to return */
    bool by_document;   /* best chunk of each document only */
    bool exhaustive;    /* the oracle: no skipping, no codes */
    bool explain;
    const struct engine_pin *pins;
    size_t pins_n;
    bool by_only; /* no other documents than these are searched */
    const uuid *only;
    size_t only_n;
    uuid why_not; /* a document whose fate is told too; nil: none */
};

/* Where a search lost a document. */
enum engine_lost {
    LOST_NOWHERE,    /* it is among the hits, at `rank` */
    LOST_INDEX,      /* these bases' index doesn't hold it */
    LOST_STATE,      /* no version of it may be found by this search */
    LOST_MATCH,      /* none of its chunks has a word or a vector to go by */
    LOST_CANDIDATES, /* others scored better in every leg's list */
    LOST_CODES, /* a vector of it is near enough; its code did not say so */
    LOST_LIMIT  /* it is ranked, at `rank`, behind the last hit */
};

struct engine_term {
    str term;
    float weight; /* what it adds to raw */
};
struct engine_leg_score {
    const char *leg; /* "lexical", "dense" */
    uint32_t rank;   /* 1-based; 0: the leg did not offer it */
    float raw, normalized, weight, contribution;
    float low, best; /* what raw is scaled between */
    bool beside;     /* normalized is the share of a neighbour's, not raw's */
    float beside_raw;
    struct engine_term *terms;
    size_t terms_n;
};
#define ENGINE_LEGS_MAX 2

struct engine_hit {
    uuid base, document, version;
    uint32_t version_number, chunk_index;
    uint64_t origin; /* the segment its row was first written to */
    uint64_t start, end, start_cp, end_cp; /* in the normalised text */
    uint32_t page;                         /* 0: unknown */
    float box[4];
    str *headings;
    size_t headings_n;
    float score;
    struct engine_leg_score legs[ENGINE_LEGS_MAX]; /* with explain */
    size_t legs_n;
};
struct engine_stage {
    /* "analyse", "lexical", "embed" (what was still to wait for the vector),
     * "dense", "rank" */
    const char *stage;
    double ms;
};
struct engine_result {
    struct engine_hit *hits; /* score descending, ties by chunk id */
    size_t hits_n;
    size_t
        candidates; /* gathered before hits_max cut the list, neighbours too */
    struct engine_stage stages[8];
    size_t stages_n;
    struct engine_why_not { /* of the document asked for */
        enum engine_lost lost;
        uint32_t rank; /* 1-based; 0: it has none */
        /* Its best chunk, unless the index has none: with explain's legs. */
        struct engine_hit best;
    } why_not;
};
/* Sees each base at one moment, not before the session's; afterwards the
 * session is at one not before the answer's, so that what hits name is in it
 * unless it was deleted meanwhile. At least 100 candidates a leg are gathered
 * where there are as many; a chunk that only one leg offers is scored by the
 * other too, so scores don't depend on hits_max. By ranks, the first 1,024 of
 * a leg count, and equal scores are ordered as they would be else (the one-bit
 * codes of a large base leave the vectors' list a matter of how many are asked
 * for). Score = the weighted sum of
 * each leg's raw score, scaled from a lower bound (words: 0, vectors: the
 * query's median similarity to a fixed sample of the bases) to the leg's best;
 * where both legs count, a chunk that has a vector has at least 0.8 of the scaled
 * similarity of the chunk before or behind it in its version. By ranks there is
 * no such share.
 * A leg whose scores are all equal gives each 1, one that offers nothing leaves
 * its weight to the other. Without a vector the lexical leg is the only one,
 * whatever `legs` says. */
rc engine_search(struct engine *g, struct db *db, const struct caller *who,
                 const struct engine_query *q, struct arena *out,
                 struct engine_result *res, struct err *e) MUST_CHECK;

/* Places in `text` (code points, end exclusive) that match the query's terms:
 * what a reader marks. */
struct engine_mark {
    uint64_t start_cp, end_cp;
};
void engine_marks(str query, str text, struct arena *out,
                  struct engine_mark **v, size_t *n);

/* ---- check, figures ---- */

/* Segments against rows: present, whole, every indexed version in one; deep:
 * every posting list decoded, every chunk inside its text. Read-only and
 * beside a running server: store may be opened read_only. */
rc engine_check(struct store *s, bool deep, check_report *report, void *arg,
                uint64_t *found, struct err *e) MUST_CHECK;

struct engine_stats {
    uint64_t bases_open, segments, rows, rows_dead, bytes, merges, rebuilt;
};
void engine_stats(struct engine *g, struct engine_stats *st);

#endif
