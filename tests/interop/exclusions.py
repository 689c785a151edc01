"""What the runs over Feather's published description leave out, and why.

Everything else of schemathesis' checks holds on every route we built.
"""

CHECKS = {
    # The description says less than the product does: names may not be blank,
    # embedding models and chunk sizes must be among those of the config, a
    # cursor must be one we gave, a patch must set something, the multipart
    # body of ingest is not described at all. Valid by the schema, refused
    # with a declared 400 or 422.
    "positive_data_acceptance",
    # DELETE …/versions/{version_id} and GET …/versions/{ref} are one path to
    # HTTP and two in the description, so a DELETE of the second is answered
    # 204 or 404 and not 405. tests/e2e/test_errors.py holds 405 and Allow.
    "unsupported_method",
    "allow_header_conformance",
}

# Statuses the description does not list but a client must expect: 403 (a key
# without the scope), 413 (over a limit), 429 (a rate limit that was set), 503
# (the server is stopping or its queue is full), 507 (the disk is full). The
# runs use an admin key, small bodies and no limits, so none of them occurs and
# none had to be allowed.
UNDECLARED_STATUSES = (403, 413, 429, 503, 507)
