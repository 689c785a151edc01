#include "serve/feather_priv.h"

static const struct field JOB_FIELDS[] = {
    OUT_UUID("id"),
    OUT_STR("job_type"),
    OUT_STR("status"),
    OUT_UUID_OR_NULL("knowledge_base_id"),
    OUT_INT_OR_NULL("total_documents"),
    OUT_INT("completed"),
    OUT_INT("duplicate"),
    OUT_INT("failed"),
    OUT_INT("partial_failure"),
    OUT_INT("processing"),
    OUT_INT("queued"),
    {.name = "refining",
     .type = FIELD_INT,
     .doc = "An addition of knowd: how many of those processing are found by "
            "their words and wait for vectors."},
    OUT_INT_OR_NULL("segment_count"),
    OUT_INT("processed_segments"),
    OUT_NUM("progress_pct"),
    OUT_TIME("created_at"),
    OUT_TIME_OR_NULL("updated_at"),
    OUT_TIME_OR_NULL("started_at"),
    OUT_TIME_OR_NULL("completed_at"),
    OUT_END,
};
static const struct model JOB = {.name = "IngestionJobResponse",
                                 .fields = JOB_FIELDS};

static const struct field SUMMARY_FIELDS[] = {
    OUT_UUID("id"),
    OUT_STR("job_type"),
    OUT_STR("status"),
    OUT_UUID_OR_NULL("knowledge_base_id"),
    OUT_STR_OR_NULL("item_title"),
    OUT_INT_OR_NULL("total_documents"),
    OUT_INT("processed_count"),
    OUT_STR_OR_NULL("error_message"),
    OUT_NUM("progress_pct"),
    OUT_TIME("created_at"),
    OUT_TIME_OR_NULL("updated_at"),
    OUT_TIME_OR_NULL("started_at"),
    OUT_TIME_OR_NULL("completed_at"),
    OUT_END,
};
static const struct model SUMMARY = {.name = "IngestionJobSummaryResponse",
                                     .fields = SUMMARY_FIELDS};
static const struct field SUMMARY_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &SUMMARY};
PAGE_MODEL(SUMMARY_PAGE, "CursorPage_IngestionJobSummaryResponse_",
           &SUMMARY_ITEM);

static const struct field ITEM_FIELDS[] = {
    {.name = "document_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true},
    OUT_UUID_OR_NULL("version_id"),
    OUT_STR_OR_NULL("processing_stage"),
    OUT_UUID_OR_NULL("duplicate_of_document_id"),
    OUT_UUID_OR_NULL("duplicate_of_version_id"),
    OUT_STR_OR_NULL("title"),
    OUT_STR("status"),
    OUT_STR_OR_NULL("error_message"),
    OUT_INT_OR_NULL("segment_count"),
    OUT_INT("processed_segments"),
    OUT_STR_OR_NULL("pii_status"),
    OUT_STR_OR_NULL("sensitivity"),
    OUT_STR_OR_NULL("pii_coverage_status"),
    OUT_INT_OR_NULL("pii_detection_count"),
    OUT_TIME_OR_NULL("started_at"),
    OUT_TIME_OR_NULL("completed_at"),
    OUT_END,
};
static const struct model ITEM = {.name = "IngestionJobDocumentResponse",
                                  .fields = ITEM_FIELDS};
static const struct field ITEM_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &ITEM};
PAGE_MODEL(ITEM_PAGE, "CursorPage_IngestionJobDocumentResponse_", &ITEM_ITEM);

static const struct field LOG_FIELDS[] = {
    OUT_UUID("id"),
    OUT_UUID_OR_NULL("document_id"),
    OUT_STR("task_name"),
    OUT_STR("status"),
    OUT_OBJECT_OR_NULL("input_summary"),
    OUT_OBJECT_OR_NULL("output_summary"),
    OUT_STR_OR_NULL("error_message"),
    OUT_INT_OR_NULL("duration_ms"),
    OUT_TIME("started_at"),
    OUT_TIME_OR_NULL("completed_at"),
    OUT_END,
};
static const struct model LOG = {.name = "IngestionTaskLogResponse",
                                 .fields = LOG_FIELDS};
static const struct field LOG_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &LOG};

static const struct field GROUP_FIELDS[] = {
    {.name = "document_id",
     .type = FIELD_UUID,
     .required = true,
     .nullable = true},
    OUT_STR_OR_NULL("title"),
    OUT_STR("status"),
    OUT_LIST("logs", &LOG_ITEM),
    OUT_END,
};
static const struct model GROUP = {.name = "DocumentLogGroup",
                                   .fields = GROUP_FIELDS};
static const struct field GROUP_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &GROUP};
PAGE_MODEL(GROUP_PAGE, "CursorPage_DocumentLogGroup_", &GROUP_ITEM);

static const struct field RETRY_FIELDS[] = {
    OUT_UUID("job_id"),
    OUT_STR("status"),
    OUT_STR("message"),
    OUT_END,
};
static const struct model RETRY = {.name = "RetryResponse",
                                   .fields = RETRY_FIELDS};

static const struct field LIST_QUERY_FIELDS[] = {
    {.name = "status",
     .type = FIELD_STRING,
     .nullable = true,
     .doc = "queued, processing, completed, failed, partial_failure, or "
            "active (queued and processing)"},
    FEATHER_PAGE_FIELDS,
    {0},
};
static const struct model LIST_QUERY = {.name = "JobPage",
                                        .fields = LIST_QUERY_FIELDS};

static void put_times(struct out *o, const struct job *j)
{
    out_time(o, "created_at", j->created_ms);
    out_time_or_null(o, "updated_at", j->updated_ms);
    out_time_or_null(o, "started_at", j->started_ms);
    out_time_or_null(o, "completed_at", j->completed_ms);
}

static rc job_get(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    struct job j;
    rc code = app_job_get(q->app, &q->who, q->db, q->ids[0], q->arena, &j, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid(&o, "id", j.id);
    out_str(&o, "job_type", j.kind);
    out_cstr(&o, "status", j.status);
    out_uuid_or_null(&o, "knowledge_base_id", j.base);
    out_uint(&o, "total_documents", j.total);
    out_uint(&o, "completed", j.completed);
    if (j.refining > 0)
        out_uint(&o, "refining", j.refining);
    out_uint(&o, "duplicate", j.duplicate);
    out_uint(&o, "failed", j.failed);
    out_uint(&o, "partial_failure", 0);
    out_uint(&o, "processing", j.processing);
    out_uint(&o, "queued", j.queued);
    out_null(&o, "segment_count");
    out_uint(&o, "processed_segments", 0);
    out_num(&o, "progress_pct", j.progress_pct);
    put_times(&o, &j);
    out_end(&o);
    return feather_end(r, e);
}

static void put_summary(struct out *o, const struct job *j)
{
    out_begin(o, NULL);
    out_uuid(o, "id", j->id);
    out_str(o, "job_type", j->kind);
    out_cstr(o, "status", j->status);
    out_uuid_or_null(o, "knowledge_base_id", j->base);
    out_str_or_null(o, "item_title", j->title);
    out_uint(o, "total_documents", j->total);
    out_uint(o, "processed_count", j->completed + j->failed + j->duplicate);
    out_str_or_null(o, "error_message", j->error);
    out_num(o, "progress_pct", j->progress_pct);
    put_times(o, j);
    out_end(o);
}

static rc job_list(struct request *q, struct reply *r, struct err *e)
{
    struct app_page page = feather_page(q);
    struct app_page_end end;
    struct out o = feather_out(r);
    struct job *v;
    size_t n;
    rc code = app_job_list(q->app, &q->who, q->db, q->ids[0],
                           in_str(q->query, "status"), &page, q->arena, &v, &n,
                           &end, e);

    if (code != RC_OK)
        return code;
    feather_items(&o);
    for (size_t i = 0; i < n; i++)
        put_summary(&o, &v[i]);
    return feather_items_end(r, &o, &end, e);
}

static void put_item(struct out *o, const struct job_item *it)
{
    out_begin(o, NULL);
    out_uuid_or_null(o, "document_id", it->document);
    out_uuid_or_null(o, "version_id", it->version);
    out_cstr(o, "processing_stage", it->stage);
    out_uuid_or_null(o, "duplicate_of_document_id", it->duplicate_document);
    out_uuid_or_null(o, "duplicate_of_version_id", it->duplicate_version);
    out_str_or_null(o, "title", it->title);
    out_cstr(o, "status", it->status);
    out_str_or_null(o, "error_message", it->error);
    out_null(o, "segment_count");
    out_uint(o, "processed_segments", 0);
    out_null(o, "pii_status");
    out_null(o, "sensitivity");
    out_null(o, "pii_coverage_status");
    out_null(o, "pii_detection_count");
    out_time_or_null(o, "started_at", it->started_ms);
    out_time_or_null(o, "completed_at", it->completed_ms);
    out_end(o);
}

static void put_summary_json(struct out *o, const char *name, str json)
{
    if (json.n == 0)
        out_null(o, name);
    else
        out_json(o, name, json);
}

static void put_log(struct out *o, const struct job_log *l)
{
    out_begin(o, NULL);
    out_uuid(o, "id", l->id);
    out_uuid_or_null(o, "document_id", l->document);
    out_str(o, "task_name", l->task);
    out_str(o, "status", l->status);
    put_summary_json(o, "input_summary", l->input);
    put_summary_json(o, "output_summary", l->output);
    out_str_or_null(o, "error_message", l->error);
    out_int(o, "duration_ms", (int64_t)l->duration_ms);
    out_time(o, "started_at", l->started_ms);
    out_time_or_null(o, "completed_at", l->completed_ms);
    out_end(o);
}

static void put_group(struct out *o, const struct job_item *it)
{
    out_begin(o, NULL);
    out_uuid_or_null(o, "document_id", it->document);
    out_str_or_null(o, "title", it->title);
    out_cstr(o, "status", it->status);
    out_begin_list(o, "logs");
    for (size_t i = 0; i < it->logs_n; i++)
        put_log(o, &it->logs[i]);
    out_end_list(o);
    out_end(o);
}

/* A page of a job's items, read and written in one of two ways. */
static rc answer_items(struct request *q, struct reply *r,
                       app_job_items_fn *read,
                       void (*put)(struct out *o, const struct job_item *it),
                       struct err *e)
{
    struct app_page page = feather_page(q);
    struct app_page_end end;
    struct out o = feather_out(r);
    struct job_item *v;
    size_t n;
    rc code = read(q->app, &q->who, q->db, q->ids[0], &page, q->arena, &v, &n,
                   &end, e);

    if (code != RC_OK)
        return code;
    feather_items(&o);
    for (size_t i = 0; i < n; i++)
        put(&o, &v[i]);
    return feather_items_end(r, &o, &end, e);
}

static rc job_documents(struct request *q, struct reply *r, struct err *e)
{
    return answer_items(q, r, app_job_items, put_item, e);
}

static rc job_logs(struct request *q, struct reply *r, struct err *e)
{
    return answer_items(q, r, app_job_logs, put_group, e);
}

static rc job_retry(struct request *q, struct reply *r, struct err *e)
{
    struct out o = feather_out(r);
    uint64_t queued;
    rc code = app_job_retry(q->app, &q->who, q->db, q->ids[0], &queued, e);

    if (code != RC_OK)
        return code;
    out_begin(&o, NULL);
    out_uuid(&o, "job_id", q->ids[0]);
    out_cstr(&o, "status", "queued");
    out_str(&o, "message",
            arena_fmt(q->arena, "%llu failed document%s queued again",
                      (unsigned long long)queued, queued == 1 ? "" : "s"));
    out_end(&o);
    return feather_end(r, e);
}

#define JOB_ID                                                    \
    {                                                             \
        {                                                         \
            .name = "job_id", .type = FIELD_UUID, .prefix = "job" \
        }                                                         \
    }
#define JOB_PATH FEATHER_PREFIX "/ingestion-jobs/{job_id}"

const struct route FEATHER_JOB_ROUTES[] = {
    {
        .method = "GET",
        .pattern = FEATHER_PREFIX "/knowledge-bases/{kb_id}/ingestion-jobs",
        .params = {{.name = "kb_id", .type = FIELD_UUID, .prefix = "kb"}},
        .access = ACCESS_READ,
        .object = "base",
        .query = &LIST_QUERY,
        .answer = &SUMMARY_PAGE,
        .success = 200,
        .handle = job_list,
        .operation = "listIngestionJobs",
        .doc = "List ingestion jobs for a knowledge base",
    },
    {
        .method = "GET",
        .pattern = JOB_PATH,
        .params = JOB_ID,
        .access = ACCESS_READ,
        .object = "job",
        .answer = &JOB,
        .success = 200,
        .handle = job_get,
        .operation = "getIngestionJobProgress",
        .doc = "Get ingestion job progress",
    },
    {
        .method = "GET",
        .pattern = JOB_PATH "/documents",
        .params = JOB_ID,
        .access = ACCESS_READ,
        .object = "job",
        .query = &FEATHER_PAGE_QUERY,
        .answer = &ITEM_PAGE,
        .success = 200,
        .handle = job_documents,
        .operation = "listIngestionJobDocuments",
        .doc = "List documents in an ingestion job",
    },
    {
        .method = "GET",
        .pattern = JOB_PATH "/logs",
        .params = JOB_ID,
        .access = ACCESS_READ,
        .object = "job",
        .query = &FEATHER_PAGE_QUERY,
        .answer = &GROUP_PAGE,
        .success = 200,
        .handle = job_logs,
        .operation = "listIngestionJobLogs",
        .doc = "List ingestion job logs grouped by document",
    },
    {
        .method = "POST",
        .pattern = JOB_PATH "/retry",
        .params = JOB_ID,
        .access = ACCESS_MANAGE,
        .object = "job",
        .writes = true,
        .answer = &RETRY,
        .success = 202,
        .handle = job_retry,
        .operation = "retryIngestionJob",
        .doc = "Retry a failed ingestion job",
    },
    {0},
};
