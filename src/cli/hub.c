#include "cli/hub.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "cli/print.h"
#include "net/download.h"

#define WEIGHTS_BYTES_MAX ((uint64_t)4 << 30)

static const struct hub_model {
    const char *name, *repository;
    bool dense; /* a layer behind the pooling */
} MODELS[] = {
    {"bge-small-en-v1.5", "BAAI/bge-small-en-v1.5", false},
    {"e5-small-v2", "intfloat/e5-small-v2", false},
    {"snowflake-arctic-embed-xs", "Snowflake/snowflake-arctic-embed-xs", false},
    {"snowflake-arctic-embed-s", "Snowflake/snowflake-arctic-embed-s", false},
    {"mdbr-leaf-ir", "MongoDB/mdbr-leaf-ir", true},
    {"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", false},
};

/* The small ones first: what can't be run is known before the large one. */
static const struct hub_file {
    const char *name;
    bool optional, dense;
    uint64_t bytes_max;
} FILES[] = {
    {"config.json", false, false, MIB},
    {"modules.json", false, false, MIB},
    {"1_Pooling/config.json", false, false, MIB},
    {"tokenizer.json", false, false, 64 * MIB},
    {"tokenizer_config.json", true, false, MIB},
    {"sentence_bert_config.json", true, false, MIB},
    {"config_sentence_transformers.json", true, false, MIB},
    {"README.md", true, false, 4 * MIB},
    {"2_Dense/config.json", false, true, MIB},
    {"2_Dense/model.safetensors", false, true, WEIGHTS_BYTES_MAX},
    {"model.safetensors", false, false, WEIGHTS_BYTES_MAX},
};

static const struct hub_model *find(const char *name, struct err *e)
{
    struct buf names = {0};

    for (size_t i = 0; i < NELEMS(MODELS); i++) {
        if (strcmp(MODELS[i].name, name) == 0)
            return &MODELS[i];
        buf_fmt(&names, "%s%s", i == 0 ? "" : ", ", MODELS[i].name);
    }
    (void)err_set(e, RC_INVALID, "no model %.60s to pull, there are: " STR_FMT,
                  name, STR_ARG(buf_str(&names)));
    buf_close(&names);
    return NULL;
}

static bool draw(void *arg, uint64_t done, uint64_t all)
{
    progress_show(arg, done, all);
    return true;
}

struct pull {
    const char *url, *folder;
    const struct hub_model *model;
    struct fetch *f;
    struct arena *tmp;
};

static rc pull_file(struct pull *p, const struct hub_file *file, struct err *e)
{
    str url = arena_fmt(p->tmp, "%s/%s/resolve/main/%s", p->url,
                        p->model->repository, file->name);
    str path = arena_fmt(p->tmp, "%s/%s", p->folder, file->name);
    str label = arena_fmt(p->tmp, "%s: %s", p->model->name, file->name);
    struct download d = {.url = url.p,
                         .path = path.p,
                         .bytes_max = file->bytes_max,
                         .progress = draw,
                         .arg = arena_cstr(p->tmp, label)};
    rc code = file_mkdirs(
        arena_cstr(p->tmp,
                   str_sub(path, 0, (size_t)(strrchr(path.p, '/') - path.p))),
        0700, e);

    if (code == RC_OK)
        code = download_run(p->f, &d, e);
    progress_clear();
    if (code == RC_NOTFOUND && file->optional)
        return RC_OK;
    if (code == RC_REMOTE || code == RC_TIMEOUT)
        return err_wrap(e, "%s does not come from the hub", p->model->name);
    return code;
}

rc hub_pull(const char *url, const char *name, const char *dir,
            struct arena *out, const char **folder, struct err *e)
{
    struct pull p = {.model = find(name, e), .tmp = out};
    str base = str_of(url);
    rc code;

    if (p.model == NULL)
        return RC_INVALID;
    while (str_ends(base, STR("/")))
        base.n--;
    p.url = arena_cstr(out, base);
    p.folder = arena_cstr(out, arena_fmt(out, "%s/%s", dir, name));
    code = fetch_open(&p.f, e);
    for (size_t i = 0; i < NELEMS(FILES) && code == RC_OK; i++) {
        if (!FILES[i].dense || p.model->dense)
            code = pull_file(&p, &FILES[i], e);
    }
    fetch_close(p.f);
    *folder = p.folder;
    return code;
}
