/* What the files of extract/ share: the table of formats and the list of
 * blocks a parser fills. */
#ifndef EXTRACT_EXTRACT_PRIV_H
#define EXTRACT_EXTRACT_PRIV_H

#include <stdatomic.h>

#include "extract/extract.h"
#include "extract/zygote.h"

/* Blocks kept of one document: the last one takes in all that follows. Bounds
 * what hostile text makes of memory (a block is 72 bytes). */
#define BLOCKS_KEPT_MAX BLOCKS_MAX

/* The blocks of d->text, added in order. */
struct block_list {
    struct doc *d;
    struct arena *out;
    size_t cap;
    uint64_t at, at_cp; /* code points are counted up to here */
    uint32_t open[HEADING_DEPTH_MAX + 1]; /* last heading of each level */
    uint32_t heading;                     /* innermost */
};
void blocks_begin(struct block_list *l, struct doc *d, struct arena *out);
/* White space at both ends of [start, end) is left out, all but the first
 * line's indent of code; nothing else left: nothing is added. */
void blocks_add(struct block_list *l, enum block_kind kind, unsigned level,
                uint64_t start, uint64_t end);
bool blocks_full(const struct block_list *l);
void blocks_end(struct block_list *l); /* fills d->text_cp */

/* A parser: d->text is set; fills blocks and title. */
typedef void extract_fn(struct doc *d, struct arena *out);
extract_fn extract_text, extract_md;
/* A reader: fills all of d from the bytes of a file; mime is set. What is
 * wrong with the document is RC_OK with an outcome and a note. */
typedef rc extract_read(str bytes, struct said said, struct arena *out,
                        struct doc *d, struct err *e);
extract_read extract_html;
/* Whether a text is a page of HTML, by how it starts. */
bool is_html(str text, const struct said *said);

extract_read extract_package, extract_ole;
/* A plan, on the server's side: fills all of d from what jobs say. */
typedef rc extract_plan(struct extractor *x, const struct extract_in *in,
                        struct arena *out, struct doc *d, struct err *e);
extract_plan pdf_plan;
/* The plan of a file by its first HEAD_BYTES bytes; NULL: it takes none. */
#define HEAD_BYTES 1024
extract_plan *extract_plan_of(str head);
extract_plan *extract_plan_for(const struct extract_in *in);

/* extract_bytes for a child that reads documents one after the other: what is
 * neither text nor Markdown is RC_UNSUPPORTED before it is parsed. */
rc extract_bytes_shared(str bytes, struct said said, struct arena *out,
                        struct doc *d, struct err *e) MUST_CHECK;

/* The note of a document over TEXT_BYTES_MAX. */
str extract_too_long(void);

/* The server's side of the zygote. */
struct extractor {
    pid_t nanny;
    int fd;
    struct zygote_work work;
    struct zygote_facts facts;
    atomic_bool unsandboxed; /* allowed */
    atomic_bool cancelled;
    atomic_bool ended; /* the nanny is gone, nothing is read any more */
    bool ocr_off;
    unsigned ocr_pages_max;
    _Atomic uint64_t next_run;
    _Atomic uint64_t running, crashes, asks;
};

/* Something asked of the zygote, until it has ended. */
struct asked {
    struct extractor *x;
    struct request rq;
    int input;       /* borrowed */
    int64_t wall_ns; /* after so long it is killed */
    /* Ours; -1: none. */
    int output;   /* what the processes write */
    int messages; /* a job's: our end of its pipe */
    int status;   /* our end of the pipe */
    int64_t deadline_ns;
    bool killed; /* at the deadline */
    unsigned tries;
};
/* Fill x, rq, input and wall_ns first. Ended by asked_end, whatever the code.*/
rc asked_begin(struct asked *k, struct err *e) MUST_CHECK;
/* Until it has ended, killed at the deadline; s->n is 0 if nobody knows how.
 * When the zygote dies meanwhile, what it had under way is asked again. */
rc asked_wait(struct asked *k, struct status *s, struct err *e) MUST_CHECK;
void asked_end(struct asked *k);
rc extract_memory_file(str bytes, int *fd, struct err *e) MUST_CHECK;
rc extract_memory_put(int fd, str bytes, struct err *e) MUST_CHECK;
/* All of a file a child wrote; more than `bytes_max`: nothing. It is copied,
 * not mapped: should somebody cut the file, a mapping would kill the server. */
rc extract_copy(int fd, size_t bytes_max, struct buf *to,
                struct err *e) MUST_CHECK;
/* Wall time for a run of so many CPU seconds: machines are busy. */
int64_t extract_wall_ns(unsigned cpu_s, unsigned wall_ms);
/* Whether nothing may be read here, for want of walls; why is a sentence. */
bool extract_refused(struct extractor *x, str *why);

/* Sends the zygote a packet with descriptors. */
rc extract_ask(struct extractor *x, const struct request *rq, const int *fds,
               size_t fds_n, struct err *e) MUST_CHECK;
/* What a child is told of it. */
struct said_sent extract_said(const struct extract_in *in);

/* extract_start with other work for all; *work is copied, its table is not. */
rc extract_start_work(const struct zygote_work *work, struct extractor **x,
                      struct err *e) MUST_CHECK;

/* Whether a text holds Markdown's marks, by its first 64 KiB. */
bool md_sniff(str text);
/* A title as documents have it: one line, at most TITLE_CHARS_MAX. */
str title_clean(str s, struct arena *out);
/* The first heading of level 1, as a title; empty: there is none. */
str title_of_headings(const struct doc *d, struct arena *out);

/* The line that starts at text.p[at] without its newline; *next is the start
 * of the one behind it. */
str line_at(str text, size_t at, size_t *next);

#endif
