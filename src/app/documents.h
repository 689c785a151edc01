/* documents: what is in a base, and its versions. */
#ifndef APP_DOCUMENTS_H
#define APP_DOCUMENTS_H

#include "app/app.h"

/* What reading the original came to. */
struct extraction {
    str outcome;                /* "ok", "partial", …; p NULL: not read yet */
    str note, mime;             /* p NULL: nothing to say; unknown */
    str title;                  /* found in it; p NULL: none */
    str language;               /* p NULL: unknown */
    str created, modified;      /* as it says itself, RFC 3339; p NULL: none */
    uint32_t pages;             /* 0: it has none */
    uint32_t ocr_confidence;    /* mean of 1 to 100; 0: nothing was read so */
    uint32_t images;            /* pictures it shows */
    str canonical;              /* URL it names as its own; p NULL: none */
    uint32_t extractor_version; /* 0: unknown */
    str flags; /* JSON: [{kind, dropped, count, page, sample}, …] */
};
struct version {
    uuid id, document;
    uint32_t number;
    const char *state;                            /* "pending" … */
    str source_type, filename, mime, note, error; /* p NULL: null */
    str source_url; /* it was fetched from; p NULL: from nowhere */
    str metadata;
    uint64_t chunk_count, token_count, bytes;
    bool has_text, processed;
    int64_t created_ms, processed_ms;
    str download_url; /* signed */
    struct extraction extraction;
};
struct document {
    uuid id, base, tenant;
    str title, metadata, external_id; /* external_id.p NULL: none */
    str source_type;
    const char *state;
    uuid active_version;     /* nil: none */
    uint32_t version_number; /* of the governing version */
    uint64_t version_count, chunk_count, token_count;
    bool processed; /* counts are known */
    int sensitivity;
    int64_t created_ms, updated_ms;
    str download_url, normalized_download_url; /* signed; p NULL: none */
    struct extraction extraction; /* of the governing version; not in lists */
};

rc app_document_get(struct app *a, const struct caller *who, struct db *db,
                    uuid id, struct arena *out, struct document *d,
                    struct err *e) MUST_CHECK;
rc app_document_list(struct app *a, const struct caller *who, struct db *db,
                     uuid base, const struct app_page *page, struct arena *out,
                     struct document **v, size_t *n, struct app_page_end *end,
                     struct err *e) MUST_CHECK;
struct document_in {
    bool set_title, set_metadata;
    str title, metadata;
};
/* A new title is also searched by: the document is indexed again behind. */
rc app_document_update(struct app *a, const struct caller *who, struct db *db,
                       uuid id, const struct document_in *in, struct arena *out,
                       struct document *d, struct err *e) MUST_CHECK;
rc app_document_delete(struct app *a, const struct caller *who, struct db *db,
                       uuid id, struct err *e) MUST_CHECK;

/* Newest first, all of them. */
rc app_version_list(struct app *a, const struct caller *who, struct db *db,
                    uuid document, struct arena *out, struct version **v,
                    size_t *n, struct err *e) MUST_CHECK;
/* ref: a version's id, its number, or active, latest, draft. */
rc app_version_get(struct app *a, const struct caller *who, struct db *db,
                   uuid document, str ref, struct arena *out, struct version *v,
                   struct err *e) MUST_CHECK;
/* RC_INVALID, err.name "version_active", for the active one. */
rc app_version_delete(struct app *a, const struct caller *who, struct db *db,
                      uuid document, uuid version, struct err *e) MUST_CHECK;
/* The version becomes active, the former one archived. RC_INVALID
 * "version_not_ready" for one without text. *previous may be nil. */
rc app_version_promote(struct app *a, const struct caller *who, struct db *db,
                       uuid document, uuid version, uuid *previous,
                       struct err *e) MUST_CHECK;

/* Signed links: what stands behind one, or RC_NOTFOUND (also when expired or
 * changed). `path_and_query` is the request's. */
struct download {
    str bytes_name; /* file name to offer */
    str mime;
    uint64_t bytes;
    uint8_t blob[32]; /* for app_blob_read */
};
rc app_download(struct app *a, struct db *db, str path, str signature,
                str expires, struct arena *out, struct download *d,
                struct err *e) MUST_CHECK;
/* A slice of a body, clamped. */
rc app_blob_read(struct app *a, struct db *db, const uint8_t blob[32],
                 uint64_t at, size_t n, struct arena *out, str *bytes,
                 struct err *e) MUST_CHECK;

#endif
