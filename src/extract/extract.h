/*
 * extract: bytes of a file in, one struct doc out, made by a child process.
 *
 * extract_start forks a single-threaded zygote before the server has threads;
 * one that dies is replaced. For each run the zygote forks a child that is
 * locked in (base/sandbox.h), reads the input descriptor, writes an extraction
 * stream (doc_encode) to the output descriptor and ends; the server trusts
 * nothing of it (doc_decode). Small texts of one base that come one after the
 * other may share a child (extract_session_run), which saves most of what a run
 * costs. A child that crashes, hangs, floods or lies is a typed outcome in
 * doc.outcome and a plain sentence in doc.note, never an error of the server.
 *
 * Formats are rows of a table (extract_format.c), sniffed by content; what is
 * said of a document only decides where its bytes leave it open. Those that
 * take programs of others (PDF) have a plan: jobs (job_priv.h), joined to one
 * document.
 *
 * Errors:  RC_IO, RC_NOMEM, RC_BUSY for what is the server's own trouble (no
 *          process, no descriptor): worth a retry; everything about the
 *          document itself is RC_OK with an outcome.
 * Threads: extract_run from any number of threads at once.
 * Limits:  per child: memory, CPU seconds, input and output bytes (zygote.h);
 *          wall time by a deadline after which it is killed.
 * Cost:    docs/performance.md has the price of a run.
 */
#ifndef EXTRACT_EXTRACT_H
#define EXTRACT_EXTRACT_H

#include "doc/doc.h"

#define EXTRACTOR_VERSION 5

struct extractor;

/* What whoever handed a document on says of it; each may be empty. The name
 * tells Markdown from text; the type tells too, that a fragment is HTML, and
 * which character set bytes are in that are no UTF. */
struct said {
    str filename;
    str type; /* a Content-Type with its parameters */
};
#define SAID_TYPE_BYTES_MAX 127 /* what is longer is ignored */

/* Call before any thread is started. */
rc extract_start(struct extractor **x, struct err *e) MUST_CHECK;
/* The same with other work for the children, which reads `input` and ends with
 * an extraction stream in `to`: tests. */
rc extract_start_with(rc (*work)(str input, struct said said,
                                 struct arena *arena, struct buf *to,
                                 struct err *e),
                      struct extractor **x, struct err *e) MUST_CHECK;
/* What walls the readers of documents in, of enum sandbox_wall. Where one of
 * SANDBOX_NEEDED is missing every document is `unsupported`, unless allowed. */
unsigned extract_walls(const struct extractor *x);
void extract_unsandboxed_allow(struct extractor *x);
/* The helper programs, each asked for its version as a document's reader would
 * start it; texts live in `out`. */
struct extract_program {
    const char *name, *package; /* package: Debian's */
    str version;                /* empty: it is not there, or does not run */
};
rc extract_programs(struct extractor *x, struct arena *out,
                    struct extract_program **list, size_t *n,
                    struct err *e) MUST_CHECK;
/* How pages that are pictures are read; before the first run. */
struct extract_ocr {
    bool off;
    unsigned pages_max; /* of one file; 0: OCR_PAGES_MAX */
};
#define OCR_PAGES_MAX 100
void extract_ocr_set(struct extractor *x, const struct extract_ocr *o);
/* Ends the zygote; no run may be under way. NULL is fine. */
void extract_stop(struct extractor *x);
/* Ends every run under way with RC_BUSY, and refuses more. Any thread. */
void extract_cancel(struct extractor *x);

struct extract_in {
    int fd;    /* the input, read from offset 0; -1: use bytes */
    str bytes; /* the input when fd is -1 */
    struct said said;
    bool plain; /* inline text of a manifest: never sniffed as Markdown…
                       by its name; it is Markdown if it has Markdown's marks */
    unsigned cpu_s_max;   /* 0: default */
    unsigned wall_ms_max; /* 0: default; past it the child is killed */
    uint64_t ticket;      /* of extract_session_ahead; 0: none */
};

rc extract_run(struct extractor *x, const struct extract_in *in,
               struct arena *out, struct doc *d, struct err *e) MUST_CHECK;

/* One thread's, for documents of one base; its child is forked at the first
 * and anew after SESSION_DOCS_MAX. A document the child fails at, or that is
 * large, gets a child of its own: outcomes are those of extract_run. */
#define SESSION_BYTES_MAX (256 * KIB) /* what is longer is large */
struct extract_session;
struct extract_session *extract_session_open(struct extractor *x);
rc extract_session_run(struct extract_session *s, const struct extract_in *in,
                       struct arena *out, struct doc *d,
                       struct err *e) MUST_CHECK;
/* Reads documents that will be asked for next in one go, so that server and
 * child don't wait for each other at each. Those that were read have a ticket
 * then, with which extract_session_run has them from here, once, until the next
 * call. Of more than SESSION_AHEAD_MAX or of many bytes the first are read, and
 * those alone that belong into a session; what is missing or goes wrong is read
 * when it is asked for. */
#define SESSION_AHEAD_MAX 32
void extract_session_ahead(struct extract_session *s, struct extract_in *in,
                           size_t n);
/* Lets the child go: what comes next has nothing to do with what was. */
void extract_session_rest(struct extract_session *s);
void extract_session_close(struct extract_session *s); /* NULL is fine */

struct extract_figures {
    uint64_t running; /* runs under way */
    uint64_t crashes; /* ended so, so far */
    uint64_t asks;    /* of sessions' children so far, each of some documents */
    bool ended;       /* somebody killed the nanny: RC_BUSY until a restart */
};
void extract_figures(struct extractor *x, struct extract_figures *f);

/* What the child does, callable in process for tests and fuzzers: input bytes
 * to a doc in `out`. */
rc extract_bytes(str bytes, struct said said, struct arena *out, struct doc *d,
                 struct err *e) MUST_CHECK;

#endif
