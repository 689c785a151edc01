/*
 * doc: one parsed document: its normalised text (Markdown) and the blocks in
 * it, each with its place.
 *
 * The text is stored once; everything later is (offset, length) into it.
 * Blocks are in text order, don't overlap, and every block's bytes lie within
 * the text; the bytes between two blocks and behind the last are white space,
 * those before the first may be front matter too.
 *
 * Owns:    arrays and texts live in the arena the maker was given.
 * Units:   offsets in bytes and in code points of the normalised text, ends
 *          exclusive; pages are 1-based, 0 is unknown; boxes are points from
 *          the page's top left, all zero is unknown.
 */
#ifndef DOC_DOC_H
#define DOC_DOC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

/* Stored by value: append only. A code block is the whole of it, fences too. */
enum block_kind {
    BLOCK_HEADING,
    BLOCK_PARAGRAPH,
    BLOCK_LIST_ITEM,
    BLOCK_TABLE_ROW,
    BLOCK_CODE,
    BLOCK_QUOTE,
    BLOCK_LISTING, /* names what stands elsewhere: contents, an index */
    BLOCK_KIND_COUNT
};

#define HEADING_NONE UINT32_MAX

struct block {
    enum block_kind kind;
    unsigned level; /* of a heading 1 to 6, how deep a list item is; else 0 */
    uint64_t start, end;       /* bytes in doc.text */
    uint64_t start_cp, end_cp; /* code points in doc.text */
    /* Index of the innermost heading block above this one (for a heading: its
     * parent), HEADING_NONE at the top; the chain gives the heading path. */
    uint32_t heading;
    uint32_t page;
    float box[4];
};

/* Where some of the text stands: in text order, not overlapping. Only formats
 * with pages have lines; a block's page and box are those of its first page's
 * lines. A run of text that stands nowhere (a mark of Markdown's) is in none. */
struct doc_line {
    uint64_t start, end; /* bytes in doc.text */
    uint32_t page;       /* from 1 */
    float box[4];
};

/* What was left out of the text or is odd about it (stored by name). */
enum doc_flag_kind {
    FLAG_HIDDEN,       /* marked as not to be shown */
    FLAG_INVISIBLE,    /* in the colour of its ground, or not painted */
    FLAG_TINY,         /* too small to be read */
    FLAG_OFF_PAGE,     /* outside the page */
    FLAG_BIDI,         /* signs that turn the direction of text */
    FLAG_ZERO_WIDTH,   /* signs without width between letters */
    FLAG_DELETED,      /* a tracked deletion */
    FLAG_COMMENT,      /* a remark beside the text */
    FLAG_BOILERPLATE,  /* navigation, advertising, banners */
    FLAG_RUNNING_HEAD, /* heads and feet that come again on each page */
    FLAG_PAGE_NUMBER,
    FLAG_ATTACHMENT, /* a file inside the file; not read */
    FLAG_SCRIPT,     /* macros, scripts; not run */
    FLAG_NO_TEXT,    /* pages that are pictures only */
    FLAG_OCR,        /* pages read from a picture */
    FLAG_LISTING,    /* pages of a table of contents or an index */
    DOC_FLAG_COUNT
};
extern const char *const DOC_FLAG_NAMES[DOC_FLAG_COUNT];
#define DOC_FLAGS_MAX ((size_t)2 * DOC_FLAG_COUNT)
#define DOC_FLAG_SAMPLE_BYTES_MAX 200

struct doc_flag {
    enum doc_flag_kind kind;
    bool dropped;   /* else it is in the text */
    uint32_t count; /* runs, pages or files, by its kind */
    uint32_t page;  /* of the first; 0: unknown */
    str sample;     /* the start of the first */
};

/* How extraction ended (stored by name). */
enum extract_outcome {
    EXTRACT_OK,
    EXTRACT_PARTIAL, /* text is there, some was lost; note says what */
    EXTRACT_ENCRYPTED,
    EXTRACT_UNSUPPORTED,
    EXTRACT_MALFORMED,
    EXTRACT_LIMIT,
    EXTRACT_CRASHED,
    EXTRACT_OUTCOME_COUNT
};
extern const char *const EXTRACT_OUTCOME_NAMES[EXTRACT_OUTCOME_COUNT];

struct doc {
    str title; /* found in the document; empty: none */
    str text;  /* normalised: valid UTF-8, no NUL, lines end in \n */
    uint64_t text_cp;
    struct block *blocks;
    size_t blocks_n;
    enum extract_outcome outcome;
    str note;     /* plain sentence for the user; empty: nothing to say */
    str mime;     /* what it was taken for: text/plain, text/markdown */
    str language; /* BCP 47, empty: unknown */
    /* As the document itself says, RFC 3339 (a date alone is one too) */
    str created, modified;
    /* The address the page gives as its own; empty: none (doc_url_valid). */
    str canonical;
    uint32_t images; /* pictures it shows; of PDF, pages that are pictures */
    uint32_t pages;  /* 0: it has none */
    /* Of pages read by OCR: mean confidence, 1 to 100; 0: none was */
    unsigned ocr_confidence;
    struct doc_line *lines;
    size_t lines_n;
    struct doc_flag *flags; /* at most one of a kind and `dropped` */
    size_t flags_n;
    unsigned extractor_version;
    const str *headings; /* [blocks_n] by doc_headings_read; NULL: not read */
};

/* A run of Markdown without the marks of emphasis, code and links, on one line:
 * s itself where it has none, else in `out`. Linear. */
str doc_plain(str s, struct arena *out);
/* The text of a heading without its Markdown marks, on one line, of its first
 * HEADING_BYTES_MAX bytes: in d->text where it stands there so, else in `out`.*/
#define HEADING_BYTES_MAX 1000
str doc_heading_text(const struct doc *d, uint32_t heading, struct arena *out);
/* Has the texts of all headings at hand from now on, in `out`: worth it before
 * chunking and indexing, which ask for each several times. */
void doc_headings_read(struct doc *d, struct arena *out);
/* The path of headings above (and not including) block i, outermost first;
 * at most HEADING_DEPTH_MAX, in `out`. */
size_t doc_heading_path(const struct doc *d, uint32_t block, struct arena *out,
                        str **path);
/* Whether s is a date or a date and a time of RFC 3339 (year 1 to 9999). */
bool doc_date_valid(str s);
/* Whether s is an address of http or https that may be shown: no control
 * characters nor white space, at most DOC_URL_BYTES_MAX. */
#define DOC_URL_BYTES_MAX 2048
bool doc_url_valid(str s);
/* Adds to the flag of this kind, making it at the first. Flags live in `out`. */
void doc_flag_add(struct doc *d, struct doc_flag flag, struct arena *out);

/* Whether all holds that the head of this file promises (tests, fuzzers, and on
 * what a child sent): false and *why for the first thing that is not so. */
bool doc_check(const struct doc *d, const char **why);

/* The form a document takes between the extraction child and the server
 * (docs/formats.md, "extraction stream"): little endian, crc32c at the end. */
rc doc_encode(const struct doc *d, struct buf *to, struct err *e) MUST_CHECK;
/* Believes nothing: RC_FORMAT unless every bound holds. Texts are copied; with
 * the arrays they take no more than the stream's bytes, BLOCKS_MAX blocks and
 * LINES_MAX lines. */
rc doc_decode(str bytes, struct arena *out, struct doc *d,
              struct err *e) MUST_CHECK;

#endif
