/*
 * package: a ZIP archive held in memory, read part by part within budgets
 * (APPNOTE.TXT 6.3.10; stored and deflated entries, as OPC, ODF and OCF allow).
 *
 * Opening looks at the whole directory and unpacks nothing. What is refused
 * there: a directory that lies about its size, two entries of one name, entries
 * that share bytes, archives in several files.
 *
 * Owns:    the list of parts lives in `out`; names borrow the bytes.
 * Errors:  RC_FORMAT  no ZIP archive, or a damaged one
 *          RC_LIMIT   more parts, bytes or tags than its budget
 *          RC_UNSUPPORTED  a part is packed some other way
 *          Texts are whole sentences: they become a document's note.
 * Threads: one at a time.
 * Limits:  counters in struct package, for all parts together.
 */
#ifndef EXTRACT_PACKAGE_H
#define EXTRACT_PACKAGE_H

#include "base/arena.h"
#include "base/limits.h"

#define PACKAGE_PARTS_MAX 10000
/* Unpacked, of all parts that are read. */
#define PACKAGE_BYTES_MAX (128 * MIB)
/* Tags of all parts that are read as XML (markup.h). */
#define PACKAGE_TAGS_MAX ((size_t)4 << 20)
#define PACKAGE_ATTRS_MAX ((size_t)6 << 20)

struct part {
    str name;
    size_t header; /* where its local header starts */
    str packed;
    uint64_t size;
    uint32_t crc;
    uint16_t method;
};

struct package {
    str bytes;
    struct part *parts; /* by name, ASCII case ignored */
    size_t parts_n;
    bool encrypted; /* one of the parts at least */
    size_t bytes_left, tags_left, attrs_left;
};

rc package_open(str bytes, struct arena *out, struct package *p,
                struct err *e) MUST_CHECK;
/* By its whole name, ASCII case ignored; NULL: there is none. */
const struct part *package_find(const struct package *p, str name);

/* A part as it unpacks. */
struct part_reader;
rc part_open(struct package *p, const struct part *part, struct part_reader **r,
             struct err *e) MUST_CHECK;
/* The next bytes, good until the next call; none: the end, and size and
 * checksum are as the directory says. */
rc part_next(struct part_reader *r, str *bytes, struct err *e) MUST_CHECK;
void part_close(struct part_reader *r); /* NULL is fine */

/* A whole part, of bytes_max at most (else RC_LIMIT). */
rc package_read(struct package *p, const struct part *part, size_t bytes_max,
                struct arena *out, str *bytes, struct err *e) MUST_CHECK;

#endif
