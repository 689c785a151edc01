/*
 * intake: how documents come in. Uploads stream into uploads (never whole in
 * memory); the manifest is checked whole; then one write queues everything.
 */
#ifndef APP_INTAKE_H
#define APP_INTAKE_H

#include "app/app.h"

/* One file part as its bytes come. RC_LIMIT past the option. */
struct upload;
rc upload_open(struct app *a, struct upload **u, struct err *e) MUST_CHECK;
rc upload_put(struct upload *u, const void *p, size_t n,
              struct err *e) MUST_CHECK;
uint64_t upload_bytes(const struct upload *u);
void upload_close(struct upload *u); /* drops it unless used; NULL is fine */

enum intake_type { INTAKE_TEXT, INTAKE_FILE };
struct intake_item {
    enum intake_type type;
    str title;     /* empty: the file's name */
    str content;   /* INTAKE_TEXT */
    size_t upload; /* INTAKE_FILE: index into uploads */
    str filename;  /* INTAKE_FILE */
    bool has_document;
    uuid document;   /* make it the next version of this one */
    str external_id; /* empty: none */
    str metadata;    /* JSON object text; empty: none */
    bool draft;
};
struct intake {
    uuid base;
    struct intake_item *items;
    size_t items_n;
    struct upload **uploads;
    size_t uploads_n;
};

struct intake_result {
    bool duplicate;
    uuid document; /* nil for a duplicate */
    uuid duplicate_document, duplicate_version;
    str duplicate_title;
};

/* Makes bodies durable and queues the items, then calls done on an unnamed
 * thread. The faults of items name them by index under path [i, FIELD].
 * Everything `in` borrows must live until done. RC_OK: done will be called. */
struct intake_call {
    const struct caller *who;
    const struct intake *in;
    struct arena *out; /* only touched until done */
    void (*done)(struct intake_call *c);
    void *context;
    rc code;
    struct err err;
    struct faults faults;
    uuid job;
    struct intake_result *results; /* one an item */
    struct app_write write;        /* app's */
};
rc app_ingest(struct app *a, struct intake_call *c, struct err *e) MUST_CHECK;

#endif
