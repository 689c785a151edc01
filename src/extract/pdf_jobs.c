#include "extract/pdf_jobs.h"

#include "base/mem.h"
#include "extract/pdf_about.h"
#include "extract/pdf_fonts.h"
#include "extract/pdf_html.h"
#include "extract/pdf_layout.h"
#include "extract/pdf_pages.h"
#include "extract/pdf_table.h"

#define BLOCK_BYTES (64 * KIB)
/* Grey values further apart than this are something drawn; less is paper. */
#define INK_CONTRAST 24
#define PGM_NUMBER_MAX 100000

static rc table_read(struct job_in *in, unsigned dpi, struct buf *to,
                     struct err *e)
{
    struct pdf_table *t = pdf_table_open(dpi, to);
    char *block = mem_alloc(BLOCK_BYTES);
    size_t n;
    rc code;

    while ((n = job_read(in, block, BLOCK_BYTES)) > 0)
        pdf_table_put(t, (str){block, n});
    code = pdf_table_end(t, e);
    pdf_table_close(t);
    mem_free(block);
    return code;
}

rc pdf_about_work(struct job_in *in, const struct job_params *p,
                  struct arena *arena, struct buf *to, struct err *e)
{
    str info;
    rc code = job_read_all(in, arena, &info, e);

    (void)p;
    return code == RC_OK ? pdf_about_make(info, to, e) : code;
}

rc pdf_text_work(struct job_in *in, const struct job_params *p,
                 struct arena *arena, struct buf *to, struct err *e)
{
    (void)p;
    (void)arena;
    return table_read(in, 0, to, e);
}

rc pdf_outline_work(struct job_in *in, const struct job_params *p,
                    struct arena *arena, struct buf *to, struct err *e)
{
    struct pdf_html *h = pdf_html_open(to);
    char *block = mem_alloc(BLOCK_BYTES);
    size_t n;
    rc code;

    (void)p;
    (void)arena;
    while ((n = job_read(in, block, BLOCK_BYTES)) > 0)
        pdf_html_put(h, (str){block, n});
    code = pdf_html_end(h, e);
    pdf_html_close(h);
    mem_free(block);
    return code;
}

rc pdf_fonts_work(struct job_in *in, const struct job_params *p,
                  struct arena *arena, struct buf *to, struct err *e)
{
    str file;
    rc code = job_read_all(in, arena, &file, e);

    (void)p;
    return code == RC_OK ? pdf_fonts_update(file, to, e) : code;
}

rc pdf_ocr_work(struct job_in *in, const struct job_params *p,
                struct arena *arena, struct buf *to, struct err *e)
{
    (void)arena;
    return table_read(in, p->dpi == 0 ? 72 : p->dpi, to, e);
}

/* ---- files in the file ---- */

/* Streams are never packed into other streams, so what says that one is a file
 * stands in plain bytes: "/Type /EmbeddedFile". */
#define FILE_TYPE STR("/EmbeddedFile")
#define FILE_TAIL_BYTES 64 /* more than the two words with white space */

static bool ends_name(char c)
{
    return (unsigned char)c <= ' ' || str_find_char(STR("()<>[]{}/%"), c) < 10;
}

static bool type_before(str s)
{
    return str_ends(str_trim(s), STR("/Type"));
}

/* The files s begins, but one whose next byte is not there yet; *used: bytes
 * that need not be seen again. */
static uint64_t files_in(str s, size_t *used)
{
    uint64_t n = 0;
    size_t at = 0, from = s.n < FILE_TAIL_BYTES ? 0 : s.n - FILE_TAIL_BYTES;

    while (at < s.n) {
        size_t found = at + str_find(str_sub(s, at, s.n), FILE_TYPE);

        if (found + FILE_TYPE.n >= s.n)
            break;
        at = found + FILE_TYPE.n;
        n += ends_name(s.p[at]) && type_before(str_sub(s, 0, found));
    }
    *used = at > from ? at : from;
    return n;
}

rc pdf_files_work(struct job_in *in, const struct job_params *p,
                  struct arena *arena, struct buf *to, struct err *e)
{
    char *block = mem_alloc(FILE_TAIL_BYTES + BLOCK_BYTES);
    size_t kept = 0, used, got;
    uint64_t n = 0;

    (void)p;
    (void)arena;
    while ((got = job_read(in, block + kept, BLOCK_BYTES)) > 0) {
        n += files_in((str){block, kept + got}, &used);
        kept = kept + got - used;
        memmove(block, block + used, kept);
    }
    mem_free(block);
    buf_put_varint(to, n);
    return buf_end(to, e);
}

/* ---- ink ---- */

/* The next number of a PGM's head; false: there is none. The byte behind it is
 * taken, too. */
static bool pgm_number(struct job_in *in, size_t *v)
{
    char c;
    bool any = false;

    *v = 0;
    while (job_read(in, &c, 1) == 1) {
        if (c >= '0' && c <= '9' && *v < PGM_NUMBER_MAX) {
            *v = *v * 10 + (size_t)(c - '0');
            any = true;
        } else if (any || (c != ' ' && c != '\n')) {
            return any;
        }
    }
    return false;
}

/* Whether the n pixels that come differ; false in *whole: some are missing. */
static bool has_ink(struct job_in *in, size_t n, bool *whole)
{
    unsigned char block[4096], low = 255, high = 0;

    while (n > 0 && *whole) {
        size_t got = job_read(in, block, n < sizeof block ? n : sizeof block);

        for (size_t i = 0; i < got; i++) {
            low = block[i] < low ? block[i] : low;
            high = block[i] > high ? block[i] : high;
        }
        *whole = got > 0;
        n -= got;
    }
    return high > low && high - low > INK_CONTRAST;
}

rc pdf_ink_work(struct job_in *in, const struct job_params *p,
                struct arena *arena, struct buf *to, struct err *e)
{
    char magic[2];
    bool whole = true;

    (void)p;
    (void)arena;
    while (whole && job_read(in, magic, 2) == 2 && magic[0] == 'P' &&
           magic[1] == '5') {
        size_t width, height, depth;
        bool ink;

        if (!pgm_number(in, &width) || !pgm_number(in, &height) ||
            !pgm_number(in, &depth) || depth != 255)
            break;
        ink = has_ink(in, width * height, &whole);
        if (whole)
            buf_put_char(to, ink ? 1 : 0);
    }
    return buf_end(to, e);
}

/* ---- the join ---- */

rc pdf_layout_work(struct job_in *in, const struct job_params *p,
                   struct arena *arena, struct buf *to, struct err *e)
{
    struct doc d;
    str parts;
    rc code;

    (void)p;
    if ((code = job_read_all(in, arena, &parts, e)) != RC_OK ||
        (code = pdf_layout(parts, arena, &d, e)) != RC_OK)
        return code;
    return doc_encode(&d, to, e);
}
