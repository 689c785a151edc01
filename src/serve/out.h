/*
 * out: writes a JSON answer as it goes, commas and escapes included. A member
 * takes its name first; an item of an array takes NULL.
 *
 * Owns:    borrows the buffer; its error sticks there.
 * Threads: one at a time.
 */
#ifndef SERVE_OUT_H
#define SERVE_OUT_H

#include "base/buf.h"
#include "base/uuid.h"

struct out {
    struct buf *b;
    bool comma; /* something stands before the next member or item */
};

struct out out_to(struct buf *b);
void out_begin(struct out *o, const char *name); /* { */
void out_end(struct out *o);
void out_begin_list(struct out *o, const char *name); /* [ */
void out_end_list(struct out *o);
/* Bytes that aren't UTF-8 become U+FFFD. */
void out_str(struct out *o, const char *name, str s);
void out_str_or_null(struct out *o, const char *name, str s); /* p NULL: null */
void out_cstr(struct out *o, const char *name, const char *s); /* NULL: null */
void out_int(struct out *o, const char *name, int64_t v);
void out_uint(struct out *o, const char *name, uint64_t v);
/* Shortest text that reads back the same; not finite: null. */
void out_num(struct out *o, const char *name, double v);
void out_bool(struct out *o, const char *name, bool v);
void out_null(struct out *o, const char *name);
void out_uuid(struct out *o, const char *name, uuid u);
void out_uuid_or_null(struct out *o, const char *name, uuid u); /* nil: null */
void out_time(struct out *o, const char *name, int64_t wall_ms);
void out_time_or_null(struct out *o, const char *name, int64_t ms); /* 0 */
/* JSON text that we stored ourselves; empty: {}. */
void out_json(struct out *o, const char *name, str json);

#endif
