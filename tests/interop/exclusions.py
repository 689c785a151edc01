"""Everything in which the built routes may differ from the vendors' two
descriptions, and all that a run leaves out, each with its reason: for the
answers, and for what /openapi.json says. Nothing else is excused;
test_exec_answers.py says one thing of Exec's description in other words, which
excuses nothing (`nullable` beside a $ref, which no reader of OpenAPI 3.0 looks
at).

Statuses 403, 413, 429 and 507 are not in the description; the contract names
them as ours. An admin's key within the limits doesn't meet them here.
"""

K = "/v1/knowledge-base"
VALID = "positive_data_acceptance"

# (method, path, checks, reason)
EXCLUSIONS = [
    ("POST", f"{K}/knowledge-bases/{{kb_id}}/ingest", [VALID],
     "the description declares no request body, so every request lacks the "
     "manifest"),
    ("POST", f"{K}/knowledge-bases", [VALID],
     "the config's values (chunk_size, top_k, ...) are not in the "
     "description; a blank name is refused; integers beyond 64 bits are"),
    ("PUT", f"{K}/knowledge-bases/{{kb_id}}", [VALID],
     "the same as where bases are made"),
    ("PATCH", f"{K}/documents/{{doc_id}}", [VALID],
     "title or metadata has to be given, and a title is not blank"),
    ("POST", f"{K}/documents/{{doc_id}}/promote", [VALID],
     "integers beyond 64 bits are refused, also where they aren't looked at"),
    ("POST", f"{K}/documents/{{doc_id}}/versions/{{version_id}}/release",
     [VALID], "nothing is ever in quarantine: 400 not_quarantined"),
    ("POST",
     f"{K}/documents/{{doc_id}}/versions/{{version_id}}/confirm-quarantine",
     [VALID], "nothing is ever in quarantine: 400 not_quarantined"),
    ("POST", f"{K}/ingestion-jobs/{{job_id}}/retry", [VALID],
     "a job that succeeded can't be retried: 400 job_not_retryable"),
    ("POST", f"{K}/search", [VALID],
     "an unknown base is 400, because search declares no 404; a blank query "
     "is refused, and one over 4 KiB"),
    ("POST", "/v1/identity/api-keys", [VALID],
     "scopes are ours; the description takes any text"),
    ("*", f"{K}/documents/{{doc_id}}/versions/{{ref}}",
     ["unsupported_method", "allow_header_conformance"],
     "the description has GET by ref and DELETE by version_id as two paths; "
     "to HTTP they are one, with both methods"),
    ("*", f"{K}/documents/{{doc_id}}/versions/{{version_id}}",
     ["unsupported_method", "allow_header_conformance"],
     "the other half of the same"),
]

# How schemathesis is run, where that leaves something out: (setting, reason)
CONFIGURED = [
    ("allow-x00 = false", "NUL is refused in most texts, which no description "
                          "says; test_bad_documents.py and test_exec_hub.py "
                          "have it"),
]
RUN = [
    (["--phases", "examples,coverage,fuzzing"],
     "the fourth, stateful, follows links of a description: neither has any"),
    (["--suppress-health-check", "all"],
     "they are about how long it takes to make data, not about answers"),
]
RUN_WITH_REAL_IDS = [
    (["--exclude-method", "DELETE"],
     "what is deleted would be missing for the rest; DELETE is run with "
     "random ids, and that it deletes is in test_documents.py, "
     "test_exec_sources.py and test_exec_hub.py"),
]

# Parameters that are left out: (name, reason)
LEFT_OUT = [
    ("cursor", "opaque: only a cursor that a page gave is taken, any other "
               "text is 400; test_documents.py covers them"),
    ("status", "any text by the description, the statuses by its words; "
               "test_jobs.py covers them"),
]

# Routes of ours that the description doesn't have: (method, path, reason)
UNDESCRIBED = [
    ("GET", f"{K}/downloads/{{version_id}}/{{kind}}",
     "what download_url points to; the vendor's links lead to a store of "
     "files"),
]

# ---- Exec: the same lists for its description, paths after /rest/v1 ----

H = "/knowledge-hub"

EXEC_EXCLUSIONS = [
    ("POST", f"{H}/sources", [VALID],
     "ids of folders that are none are 400 folder_not_found; a url is asked "
     "for where the description has it optional; its format `uri` takes "
     "schemes and addresses that nothing may be fetched from; a title is not "
     "blank"),
    ("POST", f"{H}/pages", [VALID],
     "ids of folders, sources and skills that are none are 400; a title is "
     "not blank; nothing is published without content"),
    ("PATCH", f"{H}/pages/{{page_id}}", [VALID],
     "the same as where pages are made"),
    ("PUT", f"{H}/pages/{{page_id}}", [VALID],
     "the same as where pages are made"),
    ("GET", f"{H}/pages/{{page_id}}/versions", ["status_code_conformance"],
     "pages of a list that can't be are 400, as in the lists that declare it"),
    ("GET", "/workspace/groups", ["status_code_conformance"],
     "the same"),
    *(("*", f"{H}/{path}", ["unsupported_method", "allow_header_conformance"],
       "our own methods on the vendor's paths, see EXEC_UNDESCRIBED")
      for path in ("folders", "folders/{folder_id}", "sources/{source_id}")),
]

EXEC_LEFT_OUT = []

# Parameters with a largest value of ours: (name, value, reason)
EXEC_BOUNDED = [
    ("page", 1_000_000_000, "so that a row's number is always one; the "
                            "description sets no bound"),
]

# Fields of a body that we ask for where the description's rules have them
# optional: (operationId, fields, reason)
EXEC_STRICTER = [
    ("createKnowledgeHubSource", {"url"},
     "required when the type is `url`, which is the only one there is"),
]

EXEC_UNDESCRIBED = [
    *((method, f"/rest/v1{H}/{path}", reason) for method, path, reason in (
        ("POST", "folders", "the vendor makes folders in its own interface"),
        ("PATCH", "folders/{folder_id}", "the same"),
        ("DELETE", "folders/{folder_id}", "the same"),
        ("PATCH", "sources/{source_id}", "the vendor can't change a source"),
        ("POST", "search", "the vendor has no search"))),
]
