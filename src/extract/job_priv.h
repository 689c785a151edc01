/*
 * job: what reading a document takes besides one child: helper programs
 * (pdftotext, tesseract, …) and readers of ours that make sense of what those
 * say.
 *
 * A job is a row of a table. It runs as a chain of processes linked by pipes:
 * up to JOB_PROGRAMS_MAX programs, each with its input on descriptor 0 and its
 * result on 1, and behind them a reader of ours in the sandbox of parsers. A
 * row without programs is a reader alone; one without a reader gives what its
 * last program wrote. A new job is a new row in jobs.c.
 *
 *   job_begin(x, &(struct job_opts){.kind = JOB_PDF_TEXT, .fd = fd,
 *                                   .params = {.first = 1, .last = 200}},
 *             &j, e);                   another may be begun beside it
 *   job_wait(j, arena, &result, e);     result.bytes: what the reader wrote
 *   job_close(j);
 *
 * Owns:    the input's descriptor is borrowed until job_close; what the
 *          programs said and the note live in `out`, result.bytes is the
 *          caller's, to be closed by buf_close whatever the code.
 * Errors:  RC_BUSY, RC_IO, RC_NOMEM: trouble of the server's own, worth a
 *          retry. What comes of the document is RC_OK and result.end.
 * Limits:  the row's, for each process: CPU, memory, what it reads from a pipe,
 *          what it writes; for all of it wall time, after which it is killed.
 * Threads: a job is one thread's; any number of jobs at once.
 */
#ifndef EXTRACT_JOB_PRIV_H
#define EXTRACT_JOB_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

struct extractor;

enum job_kind {
    JOB_PDF_INFO,     /* title and dates */
    JOB_PDF_TEXT,     /* first, last: words with boxes */
    JOB_PDF_OUTLINE,  /* first, last: XML of pdftohtml with the outline */
    JOB_PDF_FONTS,    /* what to append before its text is read */
    JOB_PDF_FILES,    /* how many files it holds, as a varint */
    JOB_PDF_LAYOUT,   /* parts of pdf_layout.h to an extraction stream */
    JOB_PAGE_INK,     /* first, last, dpi: which pages show something */
    JOB_PAGE_PICTURE, /* first, last, dpi: grey PGMs, one behind the other */
    JOB_PAGE_OCR,     /* first (one page), dpi, language: words of tesseract */
    JOB_PICTURE_OCR,  /* a picture; dpi, language: TSV of tesseract */
    JOB_VERSIONS,     /* and on: what version each of PROGRAMS has */
    JOB_KIND_COUNT = JOB_VERSIONS + 5
};

#define JOB_PROGRAMS_MAX 2
#define JOB_STAGES_MAX (JOB_PROGRAMS_MAX + 1)
#define JOB_ARGS_MAX 20
#define JOB_LANGUAGE_BYTES_MAX 63
#define JOB_MESSAGES_BYTES_MAX (4 * KIB)

struct job_params {
    uint32_t first, last; /* pages, from 1 */
    uint32_t dpi;
    uint32_t any; /* a reader's own */
    /* Of tesseract: letters, '_' and '+' only; empty: eng. */
    char language[JOB_LANGUAGE_BYTES_MAX + 1];
};

/* ---- the reader's side ---- */

/* What a reader reads: the pipe or the file on its input, or bytes. */
struct job_in {
    int fd;
    str bytes;       /* when fd is -1 */
    size_t n, n_max; /* read so far, and at most; more ends the reader */
    bool over;       /* there was more than n_max */
};
struct job_in job_in_of(str bytes); /* for tests and fuzzers, in process */
/* Fills `to` as far as there is input; less than n: that was all. */
size_t job_read(struct job_in *in, void *to, size_t n);
/* All of it, in `out`. */
rc job_read_all(struct job_in *in, struct arena *out, str *bytes,
                struct err *e) MUST_CHECK;

/* Reads `in`, puts its result in `to`. RC_LIMIT is JOB_LIMIT, RC_NOMEM too;
 * any other failure is JOB_REFUSED with result.read as code. */
typedef rc job_work(struct job_in *in, const struct job_params *p,
                    struct arena *arena, struct buf *to, struct err *e);

/* ---- the table ---- */

struct job_row {
    const char *name;
    /* Each program's arguments; the first is its name in PROGRAMS. "@first",
     * "@last", "@dpi" and "@language" stand for the parameters, "@input" for
     * the name of what is on descriptor 0. */
    const char *argv[JOB_PROGRAMS_MAX][JOB_ARGS_MAX];
    job_work *work;          /* NULL: the last program's output as it is */
    unsigned cpu_s_max;      /* each process */
    size_t memory_bytes_max; /* a program's */
    size_t pipe_bytes_max;   /* what the reader reads */
    size_t result_bytes_max; /* what the job writes */
};
extern const struct job_row JOBS[JOB_KIND_COUNT];

/* A program that a job may start, and what it may see of this machine beside
 * its loader and its libraries. */
#define PROGRAM_READS_MAX 8
struct program_row {
    const char *name;    /* or a path; NULL ends the table */
    const char *package; /* Debian's, that brings it */
    unsigned calls;      /* of sandbox_calls, beyond SANDBOX_PROGRAM */
    const char *reads[PROGRAM_READS_MAX]; /* files and folders */
};
#define PROGRAM_ROWS_MAX 16
extern const struct program_row PROGRAMS[];
size_t job_programs(const struct job_row *row);

/* ---- the server's side ---- */

struct job_opts {
    unsigned kind; /* enum job_kind */
    int fd;        /* the input, from offset 0; -1: use bytes */
    str bytes;
    struct job_params params;
    unsigned wall_ms_max; /* 0: six times the CPU of the row */
};

enum job_end {
    JOB_OK,
    JOB_CRASHED,
    JOB_LIMIT,
    JOB_EXIT,    /* a program ended with result.exit_code, not 0 */
    JOB_ABSENT,  /* a program is not installed */
    JOB_REFUSED, /* the reader could make nothing of it: result.read */
    JOB_UNSAFE,  /* this machine has no sandbox, and that was not allowed */
    JOB_END_COUNT
};

struct job_result {
    enum job_end end;
    unsigned stage;   /* which process of the chain `end` is about */
    int exit_code;    /* JOB_EXIT: pdftotext's 1 is "cannot open", 3 "no
                         permission" */
    rc read;          /* JOB_REFUSED */
    str note;         /* a plain sentence; empty when all is well */
    str messages;     /* the start of what the programs said on stderr */
    struct buf bytes; /* the result; what there is of it if end is JOB_EXIT */
    uint64_t cpu_ms, memory_bytes; /* all together; the largest */
};

/* A memory file of an input, as job_opts has it, with bytes behind. */
rc job_input_append(int from, str bytes, str more, int *fd,
                    struct err *e) MUST_CHECK;

struct job;
/* Starts the processes and returns at once. */
rc job_begin(struct extractor *x, const struct job_opts *o, struct job **j,
             struct err *e) MUST_CHECK;
/* Until they have ended, by themselves or at the deadline; once. */
rc job_wait(struct job *j, struct arena *out, struct job_result *r,
            struct err *e) MUST_CHECK;
void job_close(struct job *j); /* kills what still runs; NULL is fine */

#endif
