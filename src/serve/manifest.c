#include "serve/manifest.h"

#include "base/json.h"
#include "serve/fields.h"

/* Keys of every item, metadata's included. */
#define MANIFEST_KEYS_MAX ((size_t)1 << 20)

/* Fields that both kinds of item have. */
#define DOCUMENT_ID                                                        \
    {                                                                      \
        .name = "document_id", .type = FIELD_UUID, .nullable = true,       \
        .prefix = "doc", .doc = "Makes the next version of this document." \
    }
#define EXTERNAL_ID                                                    \
    {                                                                  \
        .name = "external_id", .type = FIELD_STRING, .nullable = true, \
        .length_min = 1, .length_max = EXTERNAL_ID_BYTES_MAX,          \
        .doc = "Your own id, unique in the knowledge base."            \
    }
#define METADATA                                                   \
    {                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .nullable = true \
    }
#define DRAFT                                                  \
    {                                                          \
        .name = "draft", .type = FIELD_BOOL, .nullable = true, \
        .doc = "Leaves the new version a draft."               \
    }

static const char *const TEXT_TYPE[] = {"text", NULL};
static const char *const FILE_TYPE[] = {"file", NULL};
static const char *const TYPES[] = {"text", "file", NULL};

static const struct field TEXT_FIELDS[] = {
    {.name = "type",
     .type = FIELD_LITERAL,
     .required = true,
     .values = TEXT_TYPE},
    {.name = "title",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true,
     .length_max = TITLE_CHARS_MAX},
    {.name = "content",
     .type = FIELD_STRING,
     .required = true,
     .nonblank = true},
    DOCUMENT_ID,
    EXTERNAL_ID,
    METADATA,
    DRAFT,
    {0},
};
const struct model MANIFEST_TEXT = {
    .name = "ManifestText", .fields = TEXT_FIELDS, .doc = "Inline text."};

static const struct field FILE_FIELDS[] = {
    {.name = "type",
     .type = FIELD_LITERAL,
     .required = true,
     .values = FILE_TYPE},
    {.name = "file_index",
     .type = FIELD_INT,
     .required = true,
     .min = BOUND(0),
     .doc = "Which of the `files` parts, from 0."},
    {.name = "title",
     .type = FIELD_STRING,
     .nullable = true,
     .length_max = TITLE_CHARS_MAX,
     .doc = "Default: the file's name."},
    DOCUMENT_ID,
    EXTERNAL_ID,
    METADATA,
    DRAFT,
    {0},
};
const struct model MANIFEST_FILE = {.name = "ManifestFile",
                                    .fields = FILE_FIELDS,
                                    .doc = "One of the uploaded files."};

static const struct field ANY_FIELDS[] = {
    {.name = "type", .type = FIELD_LITERAL, .required = true, .values = TYPES},
    {0},
};
static const struct model ANY = {.name = "Manifest", .fields = ANY_FIELDS};

static void rule_broken(struct faults *fs, const struct place *item,
                        const char *field, const char *rule,
                        const json_t *input)
{
    struct place at = place_in(item, str_of(field));

    fault_add(fs, &at, REASON_VALUE, 0, 0, str_of(rule), input);
}

/* What the tables can't say. `used` marks the parts that items named. */
static void item_rules(json_t *o, const struct place *at, bool is_file,
                       const str *filenames, size_t files_n, bool *used,
                       struct faults *fs)
{
    const json_t *index = json_object_get(o, "file_index");
    int64_t i = in_int(o, "file_index", -1);

    if (in_str(o, "external_id").n > EXTERNAL_ID_BYTES_MAX)
        rule_broken(fs, at, "external_id", "external_id is over 512 bytes",
                    json_object_get(o, "external_id"));
    if (in_str(o, "content").n > INLINE_CONTENT_BYTES_MAX)
        rule_broken(fs, at, "content",
                    "content is over 16 MiB: send it as a file", NULL);
    if (!is_file)
        return;
    if (i >= (int64_t)files_n) {
        rule_broken(fs, at, "file_index", "no file part has this index", index);
    } else if (used[i]) {
        rule_broken(fs, at, "file_index",
                    "another item names the same file part", index);
    } else {
        used[i] = true;
        if (str_blank(in_str(o, "title")) && str_blank(filenames[i]))
            rule_broken(fs, at, "title", "a file without a name needs a title",
                        NULL);
    }
}

static void item_read(json_t *o, size_t i, const struct place *manifest,
                      const str *filenames, size_t files_n, bool *used,
                      struct arena *out, struct intake_item *it,
                      struct faults *fs)
{
    struct place at = place_at(manifest, i);
    size_t before = fs->n;
    bool is_file;

    model_check(&ANY, o, &at, fs);
    if (fs->n != before)
        return;
    is_file = str_eq(in_str(o, "type"), STR("file"));
    model_check(is_file ? &MANIFEST_FILE : &MANIFEST_TEXT, o, &at, fs);
    if (fs->n != before)
        return;
    item_rules(o, &at, is_file, filenames, files_n, used, fs);
    if (fs->n != before)
        return;
    *it = (struct intake_item){
        .type = is_file ? INTAKE_FILE : INTAKE_TEXT,
        .title = in_str(o, "title"),
        .content = in_str(o, "content"),
        .external_id = in_str(o, "external_id"),
        .metadata = in_json(out, o, "metadata"),
        .draft = in_bool(o, "draft", false),
    };
    if (is_file) {
        it->upload = (size_t)in_int(o, "file_index", 0);
        it->filename = filenames[it->upload];
    }
    it->has_document = in_has(o, "document_id");
    if (it->has_document)
        ASSERT(uuid_parse(in_str(o, "document_id"), STR("doc"), &it->document,
                          out, NULL));
    if (it->metadata.n > METADATA_BYTES_MAX)
        rule_broken(fs, &at, "metadata", "metadata is over 64 KiB", NULL);
}

static rc not_json(str text, size_t offset, struct faults *fs, struct err *e)
{
    struct place body = place_of(STR("body"));
    struct place at = place_in(&body, STR("manifest"));
    json_t *input = js_of_str(str_sub(text, 0, KIB));

    if (e->code == RC_FORMAT) {
        fault_add(fs, &at, REASON_JSON, (double)offset, 0,
                  arena_fmt(fs->arena, "%s at character %zu", e->text, offset),
                  input);
        (void)err_set(e, RC_INVALID, "the manifest is not JSON");
    }
    json_decref(input);
    return e->code;
}

static rc items_read(json_t *list, const str *filenames, size_t files_n,
                     struct arena *out, struct intake *in, struct faults *fs,
                     struct err *e)
{
    struct place body = place_of(STR("body"));
    struct place at = place_in(&body, STR("manifest"));
    bool *used = ARENA_ARRAY(out, bool, files_n);
    size_t n = json_array_size(list);

    if (!json_is_array(list)) {
        fault_add(fs, &at, REASON_LIST_TYPE, 0, 0, STR_NONE, list);
        return err_set(e, RC_INVALID, "the manifest is not a list");
    }
    if (n == 0)
        fault_add(fs, &at, REASON_LIST_TOO_SHORT, 1, 0, STR_NONE, list);
    if (n > MANIFEST_ITEMS_MAX)
        return err_set(e, RC_LIMIT, "the manifest has %zu items, limit %d", n,
                       MANIFEST_ITEMS_MAX);
    in->items = ARENA_ARRAY(out, struct intake_item, n);
    in->items_n = n;
    for (size_t i = 0; i < n; i++)
        item_read(json_array_get(list, i), i, &at, filenames, files_n, used,
                  out, &in->items[i], fs);
    for (size_t i = 0; i < files_n && fs->n == 0; i++) {
        struct place files = place_in(&body, STR("files"));
        struct place part = place_at(&files, i);

        if (!used[i])
            fault_add(fs, &part, REASON_VALUE, 0, 0,
                      STR("no item of the manifest names this part"), NULL);
    }
    return fs->n == 0 ? RC_OK
                      : err_set(e, RC_INVALID, "the manifest has faults");
}

rc manifest_read(str text, const str *filenames, size_t files_n,
                 struct arena *out, json_t **root, struct intake *in,
                 struct faults *fs, struct err *e)
{
    static const struct js_limits LIMITS = {
        .keys_max = MANIFEST_KEYS_MAX,
        .string_bytes_max = MANIFEST_BYTES_MAX,
    };
    size_t offset;

    if (js_parse(text, LIMITS, root, &offset, e) != RC_OK)
        return not_json(text, offset, fs, e);
    return items_read(*root, filenames, files_n, out, in, fs, e);
}
