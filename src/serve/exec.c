#include "serve/exec_priv.h"

const struct field EXEC_ID_ITEM = {
    .name = "", .type = FIELD_STRING, .length_max = EXEC_ID_CHARS_MAX};

static const struct field PAGE_FIELDS[] = {EXEC_PAGE_FIELDS, {0}};
const struct model EXEC_PAGE_QUERY = {.name = "ExecPage",
                                      .fields = PAGE_FIELDS};

static const struct field PAGINATION_FIELDS[] = {
    OUT_INT("page"), OUT_INT("page_size"), OUT_INT("total_count"),
    OUT_INT("total_pages"), OUT_END};
const struct model EXEC_PAGINATION = {.name = "Pagination",
                                      .fields = PAGINATION_FIELDS};

static const struct field USER_FIELDS[] = {OUT_STR("id"), OUT_STR("email"),
                                           OUT_STR("first_name"),
                                           OUT_STR("last_name"), OUT_END};
const struct model EXEC_USER = {.name = "User", .fields = USER_FIELDS};

static const struct field FOLDER_REF_FIELDS[] = {
    OUT_STR("id"), OUT_STR("name"), OUT_STR_OR_NULL("emoji"), OUT_END};
static const struct model FOLDER_REF = {.name = "KnowledgeHubFolderRef",
                                        .fields = FOLDER_REF_FIELDS};
const struct field EXEC_FOLDER_REF_ITEM = {
    .name = "", .type = FIELD_MODEL, .model = &FOLDER_REF};

static const struct field DELETED_FIELDS[] = {OUT_STR("id"),
                                              OUT_BOOL("deleted"), OUT_END};
const struct model EXEC_DELETED = {.name = "DeleteResult",
                                   .fields = DELETED_FIELDS};

/* ---- reading a request ---- */

struct hub_window exec_window(const struct request *q)
{
    return (struct hub_window){
        .page = (size_t)in_int(q->query, "page", 1),
        .size = (size_t)in_int(q->query, "page_size", PAGE_ITEMS_DEFAULT),
    };
}

str exec_text(const json_t *o, const char *key)
{
    str s = in_str(o, key);

    return s.n > 0 ? s : STR_NONE;
}

bool exec_is_set(const json_t *o, const char *key)
{
    return json_object_get(o, key) != NULL;
}

const str *exec_texts(const struct request *q, const char *key, size_t *n)
{
    const json_t *list = json_object_get(q->body, key);
    str *v;

    *n = json_array_size(list);
    v = ARENA_ARRAY(q->arena, str, *n);
    for (size_t i = 0; i < *n; i++) {
        const json_t *item = json_array_get(list, i);

        v[i] = (str){json_string_value(item), json_string_length(item)};
    }
    return v;
}

const str *exec_split(const struct request *q, const char *key, size_t *n)
{
    str rest = in_str(q->query, key), one;
    size_t cap = 0;
    str *v = NULL;

    *n = 0;
    while (rest.n > 0) {
        (void)str_cut(rest, ',', &one, &rest);
        one = str_trim(one);
        if (one.n > 0)
            ARENA_PUSH(q->arena, v, *n, cap, one);
    }
    return v;
}

bool exec_includes(const struct request *q, const char *section)
{
    size_t n;
    const str *v = exec_split(q, "include", &n);

    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i], str_of(section)))
            return true;
    }
    return false;
}

size_t exec_place(const char *const *names, str s)
{
    size_t i = 0;

    while (names[i] != NULL && !str_eq(s, str_of(names[i])))
        i++;
    ASSERT(names[i] != NULL);
    return i;
}

/* ---- answering ---- */

struct out exec_out(struct reply *r)
{
    buf_clear(&r->body);
    r->headers_n = 0;
    return out_to(&r->body);
}

rc exec_end(struct reply *r, struct err *e)
{
    return buf_end(&r->body, e);
}

void exec_list(struct out *o)
{
    out_begin(o, NULL);
    out_begin_list(o, "data");
}

rc exec_list_end(const struct request *q, struct reply *r, struct out *o,
                 uint64_t total, struct err *e)
{
    uint64_t size = exec_window(q).size;

    out_end_list(o);
    out_begin(o, "pagination");
    out_int(o, "page", in_int(q->query, "page", 1));
    out_uint(o, "page_size", size);
    out_uint(o, "total_count", total);
    out_uint(o, "total_pages", total / size + (total % size > 0));
    out_end(o);
    out_end(o);
    return exec_end(r, e);
}

rc exec_deleted(struct reply *r, str id, struct err *e)
{
    struct out o = exec_out(r);

    out_begin(&o, NULL);
    out_str(&o, "id", id);
    out_bool(&o, "deleted", true);
    out_end(&o);
    return exec_end(r, e);
}

void exec_put_user(struct out *o, const char *name, bool there,
                   const struct hub_user *u)
{
    if (!there) {
        out_null(o, name);
        return;
    }
    out_begin(o, name);
    out_str(o, "id", u->id);
    out_str(o, "email", u->email);
    out_str(o, "first_name", u->first_name);
    out_str(o, "last_name", u->last_name);
    out_end(o);
}

void exec_put_folder_refs(struct out *o, const struct hub_folder_ref *v,
                          size_t n)
{
    out_begin_list(o, "folders");
    for (size_t i = 0; i < n; i++) {
        out_begin(o, NULL);
        out_str(o, "id", v[i].id);
        out_str(o, "name", v[i].name);
        out_str_or_null(o, "emoji", v[i].emoji);
        out_end(o);
    }
    out_end_list(o);
}
