/*
 * How a PDF file is read: its outline and ranges of pages by poppler's
 * programs, pages without text by OCR, and all of it joined to a document. The
 * server only begins jobs, keeps what they say and hands it on; the one thing
 * it looks at itself is the head of a range, which pdf_range_read bounds.
 *
 * What a file says of its number of pages is never asked: ranges are read
 * until one comes back short.
 */
#include <stdlib.h>
#include <unistd.h>

#include "extract/extract_priv.h"
#include "extract/job_priv.h"
#include "extract/pdf_layout.h"
#include "extract/pdf_pages.h"

#define PAGES_MAX 10000
/* A range that fails is read again in smaller ones; so many failures in all
 * are borne, for each may take all of a budget. */
#define RANGE_PAGES_SMALL 20
#define FAILURES_MAX 3
/* pdftotext's and pdftohtml's exit codes. */
#define EXIT_OPEN 1
#define EXIT_PERMISSION 3
#define EXIT_USAGE 99 /* the first page lies behind the last */

#define INK_PIXELS 160 /* along the longer side of a page */
#define INK_PAGES_MAX 50
#define OCR_DPI 300
#define OCR_DPI_MIN 72
#define OCR_PIXELS_MAX 5000 /* along the longer side */

struct range {
    uint32_t first;
    unsigned pages_n;
    struct buf bytes;
};

struct empty_page {
    uint32_t number;
    uint32_t side; /* the longer one, in points */
};

struct plan {
    struct extractor *x;
    const struct extract_in *in;
    struct arena *out, *tmp;
    int text_fd; /* the file to read text from; -1: it is the input */
    struct buf outline, about, files;
    struct range *ranges;
    size_t ranges_n, ranges_cap;
    size_t bytes; /* of all ranges */
    struct empty_page *empty;
    size_t empty_n, empty_cap;
    struct buf pictures; /* parts of pages without text */
    unsigned failures;
    bool ended;                /* the last page was seen */
    bool cut;                  /* some pages are missing */
    bool full;                 /* there is more text than a document may have */
    unsigned unread;           /* pictures that were not read */
    str unread_why;            /* why the first was not */
    struct job_result opening; /* why nothing could be read at all */
};

/* ---- jobs ---- */

static rc begin(const struct plan *p, enum job_kind kind, uint32_t first,
                uint32_t last, uint32_t dpi, struct job **j, struct err *e)
{
    const struct job_opts o = {
        .kind = kind,
        .fd = kind == JOB_PDF_TEXT && p->text_fd >= 0 ? p->text_fd : p->in->fd,
        .bytes = p->in->bytes,
        .params = {.first = first, .last = last, .dpi = dpi},
        .wall_ms_max = p->in->wall_ms_max};

    return job_begin(p->x, &o, j, e);
}

/* Waits for it and lets it go; *j becomes NULL. */
static rc finish(const struct plan *p, struct job **j, struct job_result *r,
                 struct err *e)
{
    rc code = job_wait(*j, p->out, r, e);

    job_close(*j);
    *j = NULL;
    return code;
}

/* ---- ranges ---- */

static rc range_take(struct plan *p, uint32_t first, struct job_result *r,
                     unsigned *pages_n, struct err *e)
{
    struct pdf_range head;
    struct range made = {.first = first};

    *pages_n = 0;
    if (pdf_range_read(buf_str(&r->bytes), &head, NULL) != RC_OK)
        return RC_OK;
    *pages_n = head.pages_n;
    if (head.pages_n == 0)
        return RC_OK;
    if (p->bytes + r->bytes.n > PDF_PARTS_BYTES_MAX - 4 * MIB) {
        p->full = p->ended = true;
        return RC_OK;
    }
    p->full = p->full || head.full;
    p->cut = p->cut || head.cut;
    for (unsigned i = 0; i < head.empty_n; i++) {
        const struct pdf_empty *m = &head.empty[i];
        const struct empty_page page = {
            .number = first + m->page,
            .side = m->width > m->height ? m->width : m->height};

        ARENA_PUSH(p->tmp, p->empty, p->empty_n, p->empty_cap, page);
    }
    p->bytes += r->bytes.n;
    made.pages_n = head.pages_n;
    made.bytes = r->bytes;
    r->bytes = (struct buf){0};
    ARENA_PUSH(p->tmp, p->ranges, p->ranges_n, p->ranges_cap, made);
    return made.bytes.code == RC_OK
               ? RC_OK
               : err_set(e, made.bytes.code, "no memory for a PDF file");
}

enum range_end { RANGE_FULL, RANGE_LAST, RANGE_FAILED };

/* What a range's job came to. A program that could not even open the file has
 * nothing to say of any other range either. */
static rc range_judge(struct plan *p, uint32_t first, uint32_t last,
                      struct job_result *r, enum range_end *end, struct err *e)
{
    unsigned pages_n = 0;
    rc code = RC_OK;

    *end = RANGE_FAILED;
    if (r->end == JOB_OK || r->end == JOB_EXIT)
        code = range_take(p, first, r, &pages_n, e);
    if (r->end == JOB_OK)
        *end = pages_n < last - first + 1 ? RANGE_LAST : RANGE_FULL;
    else if (r->end == JOB_EXIT || r->end == JOB_ABSENT || r->end == JOB_UNSAFE)
        *end = RANGE_LAST;
    if (r->end == JOB_EXIT && r->exit_code != EXIT_USAGE) {
        p->cut = true;
        p->opening = *r;
    }
    if (*end == RANGE_FAILED || r->end == JOB_ABSENT || r->end == JOB_UNSAFE) {
        p->cut = true;
        p->failures++;
        p->opening = *r;
    }
    p->opening.bytes = (struct buf){0};
    buf_close(&r->bytes);
    if (p->failures >= FAILURES_MAX && *end == RANGE_FAILED)
        *end = RANGE_LAST;
    return code;
}

static rc range_run(struct plan *p, uint32_t first, uint32_t last,
                    enum range_end *end, struct err *e)
{
    struct job_result r;
    struct job *j = NULL;
    rc code = begin(p, JOB_PDF_TEXT, first, last, 0, &j, e);

    if (code == RC_OK && (code = finish(p, &j, &r, e)) == RC_OK)
        code = range_judge(p, first, last, &r, end, e);
    return code;
}

/* Reads a range that failed once more, a few pages at a time. */
static rc range_again(struct plan *p, uint32_t first, uint32_t last,
                      struct err *e)
{
    enum range_end end = RANGE_FULL;
    rc code = RC_OK;

    for (uint32_t at = first; at <= last && end != RANGE_LAST && code == RC_OK;
         at += RANGE_PAGES_SMALL)
        code = range_run(p, at, at + RANGE_PAGES_SMALL - 1, &end, e);
    p->ended = p->ended || end == RANGE_LAST;
    return code;
}

/* Two at a time, the older one first. */
static rc ranges_read(struct plan *p, struct job *first_job, struct err *e)
{
    struct job *jobs[2] = {first_job, NULL};
    uint32_t firsts[2] = {1, 0}, next = 1 + PDF_RANGE_PAGES_MAX;
    unsigned at = 0;
    rc code = RC_OK;

    while (code == RC_OK && jobs[at] != NULL) {
        uint32_t first = firsts[at], last = first + PDF_RANGE_PAGES_MAX - 1;
        struct job_result r;
        enum range_end end = RANGE_LAST;

        if ((code = finish(p, &jobs[at], &r, e)) == RC_OK)
            code = range_judge(p, first, last, &r, &end, e);
        p->ended = p->ended || (code == RC_OK && end == RANGE_LAST);
        if (code == RC_OK && end == RANGE_FAILED)
            code = range_again(p, first, last, e);
        while (code == RC_OK && !p->ended && next < PAGES_MAX &&
               (jobs[0] == NULL || jobs[1] == NULL)) {
            unsigned free = jobs[at] == NULL ? at : !at;

            firsts[free] = next;
            code = begin(p, JOB_PDF_TEXT, next, next + PDF_RANGE_PAGES_MAX - 1,
                         0, &jobs[free], e);
            next += PDF_RANGE_PAGES_MAX;
        }
        at = !at; /* the older of the two, or the only one */
        if (jobs[at] == NULL)
            at = !at;
    }
    p->full = p->full || (!p->ended && code == RC_OK);
    job_close(jobs[0]);
    job_close(jobs[1]);
    return code;
}

/* Text is read from a copy without the insides of fonts, if it has any. */
static rc fonts_leave(struct plan *p, struct err *e)
{
    struct job *j = NULL;
    struct job_result r = {0};
    rc code = begin(p, JOB_PDF_FONTS, 0, 0, 0, &j, e);

    if (code == RC_OK)
        code = finish(p, &j, &r, e);
    if (code == RC_OK && r.end == JOB_OK && r.bytes.n > 0)
        code = job_input_append(p->in->fd, p->in->bytes, buf_str(&r.bytes),
                                &p->text_fd, e);
    buf_close(&r.bytes);
    return code;
}

/* The outline, title, dates and the count of files beside the first range: most files have no
 * more. */
static rc text_read(struct plan *p, struct err *e)
{
    struct job *first = NULL, *outline = NULL, *about = NULL, *files = NULL;
    struct job_result r;
    rc code = fonts_leave(p, e);

    if (code == RC_OK)
        code = begin(p, JOB_PDF_TEXT, 1, PDF_RANGE_PAGES_MAX, 0, &first, e);
    if (code == RC_OK)
        code = begin(p, JOB_PDF_OUTLINE, 1, 1, 0, &outline, e);
    if (code == RC_OK)
        code = begin(p, JOB_PDF_INFO, 0, 0, 0, &about, e);
    if (code == RC_OK)
        code = begin(p, JOB_PDF_FILES, 0, 0, 0, &files, e);
    if (code == RC_OK) {
        code = ranges_read(p, first, e);
        first = NULL;
    }
    if (code == RC_OK && (code = finish(p, &outline, &r, e)) == RC_OK)
        p->outline = r.bytes; /* empty if it failed: there is none then */
    if (code == RC_OK && (code = finish(p, &about, &r, e)) == RC_OK)
        p->about = r.bytes; /* the same */
    if (code == RC_OK && (code = finish(p, &files, &r, e)) == RC_OK)
        p->files = r.bytes;
    job_close(first);
    job_close(outline);
    job_close(about);
    job_close(files);
    return code;
}

/* ---- pages without text ---- */

static void unread(struct plan *p, uint32_t page, str why)
{
    if (p->unread++ == 0)
        p->unread_why = why;
    pdf_part_put(&p->pictures, PDF_PART_PICTURE, page, STR_NONE);
}

static uint32_t dpi_for(uint32_t side_points, uint32_t pixels, uint32_t low,
                        uint32_t high)
{
    uint64_t dpi = (uint64_t)pixels * 72 / (side_points == 0 ? 1 : side_points);

    return dpi < low ? low : dpi > high ? high : (uint32_t)dpi;
}

/* How many of the pages from `at` on follow one another. */
static size_t run_of(const struct plan *p, size_t at)
{
    size_t n = 1;

    while (at + n < p->empty_n && n < INK_PAGES_MAX &&
           p->empty[at + n].number == p->empty[at].number + n)
        n++;
    return n;
}

/* Leaves in the list only the pages that show something. */
static rc blank_drop(struct plan *p, struct err *e)
{
    size_t kept = 0;

    for (size_t at = 0, n; at < p->empty_n; at += n) {
        uint32_t first = p->empty[at].number, side = 0;
        struct job *j = NULL;
        struct job_result r;
        rc code;

        n = run_of(p, at);
        for (size_t i = 0; i < n; i++)
            side = p->empty[at + i].side > side ? p->empty[at + i].side : side;
        code = begin(p, JOB_PAGE_INK, first, first + (uint32_t)n - 1,
                     dpi_for(side, INK_PIXELS, 1, 36), &j, e);
        if (code != RC_OK || (code = finish(p, &j, &r, e)) != RC_OK)
            return code;
        /* One that could not be drawn is blank for all that can be seen. */
        for (size_t i = 0; i < n && i < r.bytes.n; i++) {
            if (r.bytes.p[i] == 1)
                p->empty[kept++] = p->empty[at + i];
        }
        buf_close(&r.bytes);
    }
    p->empty_n = kept;
    return RC_OK;
}

static rc page_begin(const struct plan *p, const struct empty_page *m,
                     struct job **j, struct err *e)
{
    return begin(p, JOB_PAGE_OCR, m->number, m->number,
                 dpi_for(m->side, OCR_PIXELS_MAX, OCR_DPI_MIN, OCR_DPI), j, e);
}

static rc page_end(struct plan *p, const struct empty_page *m, struct job **j,
                   struct err *e)
{
    struct job_result r;
    rc code = finish(p, j, &r, e);

    if (code != RC_OK)
        return code;
    if (r.end == JOB_OK &&
        p->bytes + r.bytes.n < PDF_PARTS_BYTES_MAX - 4 * MIB) {
        p->bytes += r.bytes.n;
        pdf_part_put(&p->pictures, PDF_PART_OCR, m->number, buf_str(&r.bytes));
    } else {
        unread(p, m->number, r.end == JOB_ABSENT ? r.note : STR_NONE);
    }
    buf_close(&r.bytes);
    return code;
}

/* Two pages at a time, in their order. */
static rc pictures_ocr(struct plan *p, size_t pages_n, struct err *e)
{
    struct job *jobs[2] = {NULL, NULL};
    size_t begun = 0, ended = 0;
    rc code = RC_OK;

    while (code == RC_OK && ended < pages_n) {
        while (code == RC_OK && begun < pages_n && begun < ended + 2) {
            code = page_begin(p, &p->empty[begun], &jobs[begun % 2], e);
            begun++;
        }
        if (code == RC_OK) {
            code = page_end(p, &p->empty[ended], &jobs[ended % 2], e);
            ended++;
        }
    }
    job_close(jobs[0]);
    job_close(jobs[1]);
    return code;
}

static rc pictures_read(struct plan *p, struct err *e)
{
    size_t ocr_n;
    rc code;

    if (p->empty_n == 0)
        return RC_OK;
    if ((code = blank_drop(p, e)) != RC_OK)
        return code;
    ocr_n = p->x->ocr_off ? 0 : p->x->ocr_pages_max;
    ocr_n = p->empty_n < ocr_n ? p->empty_n : ocr_n;
    code = pictures_ocr(p, ocr_n, e);
    for (size_t i = ocr_n; i < p->empty_n; i++)
        unread(p, p->empty[i].number,
               p->x->ocr_off ? STR("OCR is off")
                             : arena_fmt(p->out, "OCR reads %u pages of a file",
                                         p->x->ocr_pages_max));
    return code;
}

/* ---- the join ---- */

static int by_first(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static void parts_put(struct plan *p, struct buf *parts)
{
    qsort(p->ranges, p->ranges_n, sizeof *p->ranges, by_first);
    if (p->outline.n > 0)
        pdf_part_put(parts, PDF_PART_OUTLINE, 0, buf_str(&p->outline));
    if (p->about.n > 0)
        pdf_part_put(parts, PDF_PART_ABOUT, 0, buf_str(&p->about));
    if (p->files.n > 0)
        pdf_part_put(parts, PDF_PART_FILES, 0, buf_str(&p->files));
    for (size_t i = 0; i < p->ranges_n; i++) {
        pdf_part_put(parts, PDF_PART_RANGE, p->ranges[i].first,
                     buf_str(&p->ranges[i].bytes));
        buf_close(&p->ranges[i].bytes);
    }
    buf_put(parts, buf_str(&p->pictures));
}

static void refuse(struct doc *d, enum extract_outcome outcome, str note)
{
    *d = (struct doc){.mime = STR("application/pdf"),
                      .outcome = outcome,
                      .note = note,
                      .extractor_version = EXTRACTOR_VERSION};
}

/* What to say of a job that gave nothing. */
static void refuse_for(struct doc *d, const struct job_result *r)
{
    bool password =
        str_find(r->messages, STR("ncorrect password")) < r->messages.n;

    switch (r->end) {
    case JOB_LIMIT:
        refuse(d, EXTRACT_LIMIT, r->note);
        return;
    case JOB_ABSENT:
    case JOB_UNSAFE:
        refuse(d, EXTRACT_UNSUPPORTED, r->note);
        return;
    case JOB_CRASHED:
        refuse(d, EXTRACT_CRASHED, r->note);
        return;
    case JOB_EXIT:
        if (password)
            refuse(d, EXTRACT_ENCRYPTED,
                   STR("The PDF file is encrypted and needs a password"));
        else if (r->exit_code == EXIT_PERMISSION)
            refuse(d, EXTRACT_ENCRYPTED,
                   STR("The PDF file does not allow its text to be copied"));
        else
            refuse(d, EXTRACT_MALFORMED,
                   STR("The PDF file is damaged and can't be opened"));
        return;
    case JOB_OK:
    case JOB_REFUSED:
    case JOB_END_COUNT:
        break;
    }
    refuse(d, EXTRACT_MALFORMED, STR("The PDF file holds no pages"));
}

static rc join(struct plan *p, struct doc *d, struct err *e)
{
    struct job_opts o = {.kind = JOB_PDF_LAYOUT, .fd = -1};
    struct buf parts;
    struct job_result r = {0};
    struct job *j = NULL;
    rc code;

    buf_open(&parts, PDF_PARTS_BYTES_MAX);
    parts_put(p, &parts);
    o.bytes = buf_str(&parts);
    code = buf_end(&parts, e);
    if (code == RC_OK)
        code = job_begin(p->x, &o, &j, e);
    buf_close(&parts);
    if (code == RC_OK)
        code = finish(p, &j, &r, e);
    if (code == RC_OK &&
        (r.end != JOB_OK ||
         doc_decode(buf_str(&r.bytes), p->out, d, NULL) != RC_OK)) {
        if (r.end == JOB_OK)
            r.end = JOB_CRASHED;
        refuse_for(d, &r);
    }
    buf_close(&r.bytes);
    return code;
}

/* What the user is told beside the text. */
static void notes_put(struct plan *p, struct doc *d)
{
    if (d->outcome != EXTRACT_OK && d->outcome != EXTRACT_PARTIAL)
        return;
    if (d->blocks_n == 0) {
        d->text = STR_NONE;
        d->text_cp = 0;
        if (p->unread > 0)
            d->outcome = EXTRACT_UNSUPPORTED;
        else
            d->outcome = EXTRACT_MALFORMED;
        d->note =
            p->unread > 0
                ? arena_fmt(
                      p->out,
                      "The pages are pictures and were not read%s" STR_FMT,
                      p->unread_why.n > 0 ? ": " : "", STR_ARG(p->unread_why))
                : STR("The file holds no text");
        return;
    }
    if (d->outcome == EXTRACT_OK && p->full) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = STR("The file has more text than one document may hold");
    } else if (d->outcome == EXTRACT_OK && p->cut) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = STR("Some pages of the PDF file are damaged and were left "
                      "out");
    } else if (d->outcome == EXTRACT_OK && p->unread > 0) {
        d->outcome = EXTRACT_PARTIAL;
        d->note = arena_fmt(
            p->out, "%u pages are pictures and were not read%s" STR_FMT,
            p->unread, p->unread_why.n > 0 ? ": " : "", STR_ARG(p->unread_why));
    }
}

rc pdf_plan(struct extractor *x, const struct extract_in *in, struct arena *out,
            struct doc *d, struct err *e)
{
    struct plan p = {
        .x = x, .in = in, .text_fd = -1, .out = out, .tmp = arena_open()};
    rc code = text_read(&p, e);

    if (code == RC_OK && p.ranges_n == 0) {
        refuse_for(d, &p.opening);
    } else if (code == RC_OK && (code = pictures_read(&p, e)) == RC_OK &&
               (code = join(&p, d, e)) == RC_OK) {
        notes_put(&p, d);
    }
    for (size_t i = 0; i < p.ranges_n; i++)
        buf_close(&p.ranges[i].bytes);
    buf_close(&p.outline);
    buf_close(&p.about);
    buf_close(&p.files);
    buf_close(&p.pictures);
    if (p.text_fd >= 0)
        (void)close(p.text_fd);
    arena_close(p.tmp);
    return code;
}
