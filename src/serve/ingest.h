/*
 * ingest: the body of an upload as it streams in: the manifest part into a
 * bounded buffer, each file part into an upload of app/intake. It is filled
 * before the handler runs; the handler of the ingest route takes it over.
 */
#ifndef SERVE_INGEST_H
#define SERVE_INGEST_H

#include "app/intake.h"
#include "base/buf.h"

struct multipart_body {
    bool has_manifest;
    struct buf manifest;
    struct upload **uploads; /* in part order */
    str *filenames;
    size_t uploads_n, cap;
};

#endif
