#include "cli/options.h"

#include <stdlib.h>

#include "base/limits.h"

#define ON(id) (1u << CMD_##id)
#define CLIENTS                                                               \
    (ON(ADD) | ON(SEARCH) | ON(EVAL) | ON(BASES) | ON(JOBS) | ON(REPROCESS) | \
     ON(KEYS) | ON(MODEL) | ON(DOCTOR))
#define EVERY ((1u << CMD_COUNT) - 1)

const struct command COMMANDS[CMD_COUNT] = {
    [CMD_SERVE] = {"serve", "", "Run the server",
                   "The first line on standard output is `knowd listening on "
                   "http://ADDR:PORT`; the log goes to standard error.\n\n"
                   "SIGTERM or SIGINT ends it in order: it stops taking new "
                   "requests, finishes those it has accepted, closes its "
                   "files. A second one ends it at once, which loses nothing "
                   "that was acknowledged.\n\n"
                   "In an empty data folder a first admin key is made and "
                   "shown once on standard error, unless KNOWD_ADMIN_KEY gives "
                   "it (32 characters or more).",
                   NULL, 0, 0},
    [CMD_ADD] = {"add", "PATH|URL...",
                 "Add files, folders and web pages to a base",
                 "The server fetches a page that starts with http:// or "
                 "https://; naming it again looks whether it has changed. "
                 "Folders are walked. Hidden files are left out, and so are "
                 "files that are neither text nor a document that is read; "
                 "each is named. A file that is named is always tried. The "
                 "lines of a .jsonl "
                 "file are documents of their own: {\"_id\", \"title\", "
                 "\"text\", \"metadata\"}; _id becomes the document's "
                 "external_id, a title alone is the text.\n\n"
                 "Adding again is safe: what is there already counts as "
                 "duplicate. Exit status 1 means that something was not added; "
                 "each such path is named with the reason.",
                 NULL, 1, 100000},
    [CMD_SEARCH] = {"search", "QUERY", "Search, and show the passages found",
                    "Without --base, all bases are searched. With --json the "
                    "answer is the server's own, as POST "
                    "/v1/knowledge-base/search gives it.",
                    NULL, 1, 1},
    [CMD_EVAL] = {"eval", "", "Measure the ranking with judged queries",
                  "Queries are lines {\"_id\", \"text\"}; judgments are lines "
                  "of query, document and score, separated by tabs; a document "
                  "is named by its external_id and relevant where the score is "
                  "above 0.\n\n"
                  "A document ranks by its best passage. nDCG@10 has linear "
                  "gain and a base-2 logarithmic discount, its ideal is over "
                  "all judged documents (trec_eval's ndcg_cut); queries "
                  "without a relevant document are left out.\n\n"
                  "With --compare each query is asked in two ways: as --alpha "
                  "and --set say, then with what --compare changes. p is the "
                  "chance that rankings which are alike differ as much (paired "
                  "randomisation test, two-sided). Exit status 1 means that "
                  "nDCG@10 of the second is lower by more than --loss-max. For "
                  "example: knowd eval --base b --queries q.jsonl --qrels "
                  "r.tsv --set legs=lexical --compare legs=hybrid",
                  NULL, 0, 0},
    [CMD_BASES] = {"bases",
                   "[list | create NAME | model NAME|ID MODEL | alpha NAME|ID "
                   "A | delete NAME|ID]",
                   "List, create, change or delete knowledge bases",
                   "model gives a base the embedding model of that name, or "
                   "none; its documents are cut for it anew, and found by "
                   "words until they are embedded. alpha is the weight of "
                   "the vectors in searches of this base alone that name "
                   "none: 0 for the words alone, 1 for the vectors alone, "
                   "none for 0.5. Deleting takes the documents with it and "
                   "can't be undone.",
                   "list create model alpha delete", 0, 3},
    [CMD_JOBS] = {"jobs", "[list | show ID | retry ID | wait ID]",
                  "See what became of what was added",
                  "retry queues the failed documents of a job again; wait "
                  "returns when the job has ended, with exit status 1 unless "
                  "all of it succeeded.",
                  "list show retry wait", 0, 2},
    [CMD_REPROCESS] = {"reprocess", "",
                       "Read the documents of a base again from their "
                       "originals",
                       "When a new version of knowd reads more formats, or "
                       "reads them better: takes the documents that an older "
                       "one read or could not read, with --all every one. "
                       "What there is of a document is found until the new "
                       "text takes its place, and stays when that fails. Exit "
                       "status 1 means that a document failed; each is "
                       "named.",
                       NULL, 0, 0},
    [CMD_KEYS] = {"keys", "[list | add NAME | revoke ID]",
                  "List, make or revoke API keys",
                  "A new key is shown once and not stored. Scopes: "
                  "knowledge_bases:read, knowledge_bases:manage, org:manage "
                  "(which implies both). A tenant is made when its name is "
                  "new; each sees only its own bases and keys.",
                  "list add revoke", 0, 2},
    [CMD_MODEL] = {"model", "[list | add PATH | pull NAME | rm NAME]",
                   "See, install or remove embedding models",
                   "add takes a Hugging Face folder of a BERT-family embedder "
                   "(config.json, model.safetensors, tokenizer.json or "
                   "vocab.txt, modules.json, 1_Pooling), or an .onnx file "
                   "with its tokenizer.json beside it. It is read and packed "
                   "here, then sent to the server. What can't be computed "
                   "with is refused by the name of the field or tensor, with "
                   "exit status 1.\n\n"
                   "pull downloads one of bge-small-en-v1.5, e5-small-v2, "
                   "snowflake-arctic-embed-xs, snowflake-arctic-embed-s, "
                   "mdbr-leaf-ir and all-MiniLM-L6-v2 into "
                   "$XDG_CACHE_HOME/knowd/models, going on where an "
                   "interrupted download stopped, and adds it.",
                   "list add pull rm", 0, 2},
    [CMD_CHECK] = {"check", "", "Look for damage in a data folder",
                   "Reads only; a server may be running on the folder. Each "
                   "finding is a line; exit status 1 means that something was "
                   "found.",
                   NULL, 0, 0},
    [CMD_DOCTOR] = {"doctor", "", "Say what is installed, and what is missing",
                    NULL, NULL, 0, 0},
    [CMD_ROUTES] = {"routes", "", "List the HTTP routes of this version", NULL,
                    NULL, 0, 0},
    [CMD_VERSION] = {"version", "", "Show the version", NULL, NULL, 0, 0},
    [CMD_HELP] = {"help", "[COMMAND]", "Show help", NULL, NULL, 0, 1},
    [CMD_MAN] = {"man", "", "Write the manual page (troff)",
                 "Read it with: knowd man | man -l -", NULL, 0, 0},
    [CMD_COMPLETIONS] = {"completions", "bash|zsh|fish",
                         "Write completions for a shell",
                         "For bash: knowd completions bash > "
                         "~/.local/share/bash-completion/completions/knowd",
                         "bash zsh fish", 1, 1},
};

#define T OPTION_TEXT
const struct option OPTIONS[OPT_COUNT] = {
    [OPT_DATA] = {"data", 'd', OPTION_DIR, "DIR", "$XDG_DATA_HOME/knowd", 0, 0,
                  ON(SERVE) | ON(CHECK) | ON(DOCTOR), false, false,
                  "The data folder"},
    [OPT_LISTEN] = {"listen", 'l', OPTION_ADDRESS, "ADDR:PORT",
                    "127.0.0.1:7766", 0, 0, ON(SERVE), false, false,
                    "Where to listen; port 0 picks a free one"},
    [OPT_MODEL] = {"model", 0, OPTION_TEXT, "DIR|none", NULL, 0, 0,
                   ON(SERVE) | ON(DOCTOR), false, false,
                   "The folder of installed models, model/ in the data folder "
                   "when not given; none: search by words alone"},
    [OPT_PUBLIC_URL] = {"public-url", 0, OPTION_URL, "URL", NULL, 0, 0,
                        ON(SERVE), false, false,
                        "How clients reach this server, for the links it "
                        "gives out; the listen address when not given"},
    [OPT_ALLOW_NET] = {"allow-net", 0, OPTION_CIDR, "CIDR", NULL, 0, 0,
                       ON(SERVE) | ON(DOCTOR), true, false,
                       "A network that fetches of URLs may reach beside "
                       "public addresses, on any port, as 10.1.0.0/16; "
                       "without it they reach public ones on 80 and 443"},
    [OPT_EXEC_IDS] = {"exec-ids", 0, OPTION_CHOICE, "uuid|short", "uuid", 0, 0,
                      ON(SERVE), false, false,
                      "How ids are shown under /rest/v1: as UUIDs or as 12 "
                      "characters; both are always taken"},
    [OPT_KEY_FILE] = {"key-file", 0, OPTION_FILE, "FILE", NULL, 0, 0, ON(SERVE),
                      false, false,
                      "The file that encrypts connectors' credentials; this "
                      "version keeps none"},
    [OPT_ADMIN_KEY] = {"admin-key", 0, T, "TEXT", NULL, 0, 0, ON(SERVE), false,
                       true,
                       "The first admin key of an empty data folder, 32 "
                       "characters or more"},
    [OPT_UPLOAD_BYTES_MAX] = {"upload-bytes-max", 0, OPTION_BYTES, "BYTES",
                              "512M", 1024, 1099511627776.0, ON(SERVE), false,
                              false, "The largest upload taken in"},
    [OPT_TEXT_BYTES_MAX] = {"text-bytes-max", 0, OPTION_BYTES, "BYTES", "32M",
                            1024, TEXT_BYTES_MAX, ON(SERVE), false, false,
                            "The longest text of a document, whatever format "
                            "it came in"},
    [OPT_CONTENT_BYTES_MAX] = {"content-bytes-max", 0, OPTION_BYTES, "BYTES",
                               "16M", 1024, INLINE_CONTENT_BYTES_MAX, ON(SERVE),
                               false, false,
                               "The longest `content` of a text item"},
    [OPT_MANIFEST_BYTES_MAX] = {"manifest-bytes-max", 0, OPTION_BYTES, "BYTES",
                                "64M", 1024, MANIFEST_BYTES_MAX, ON(SERVE),
                                false, false, "The largest manifest"},
    [OPT_MANIFEST_ITEMS_MAX] = {"manifest-items-max", 0, OPTION_COUNT, "N",
                                "10000", 1, MANIFEST_ITEMS_MAX, ON(SERVE),
                                false, false, "The most items of a manifest"},
    [OPT_JSON_BYTES_MAX] = {"json-bytes-max", 0, OPTION_BYTES, "BYTES", "1M",
                            1024, JSON_BODY_BYTES_MAX, ON(SERVE), false, false,
                            "The largest body of any other request"},
    [OPT_RATE_LIMIT] = {"rate-limit", 0, T, "DIALECT=COUNT/min", NULL, 0, 0,
                        ON(SERVE), true, false,
                        "How many requests an organization may make in a "
                        "dialect (feather, knowd, exec), as feather=6000/min; "
                        "/sec, /hour and /day too; several of a dialect all "
                        "hold; none when not given"},
    [OPT_ALLOW_UNSANDBOXED] = {"allow-unsandboxed", 0, OPTION_FLAG, NULL, NULL,
                               0, 0, ON(SERVE), false, false,
                               "Read documents even where the kernel has no "
                               "seccomp or no Landlock to lock their readers "
                               "in; knowd doctor says what there is"},
    [OPT_WORKERS] = {"workers", 0, OPTION_COUNT, "N", "0", 0, 256, ON(SERVE),
                     false, false, "Worker threads; 0: one a core it may use"},
    [OPT_COMMIT_GROUP] = {"commit-group", 0, OPTION_COUNT, "N", "256", 1, 4096,
                          ON(SERVE), false, false,
                          "Writes committed together at most; 1 shows what "
                          "groups are worth"},
    [OPT_OCR] = {"ocr", 0, OPTION_CHOICE, "on|off", "on", 0, 0, ON(SERVE),
                 false, false,
                 "Whether pages that are pictures are read (by tesseract)"},
    [OPT_OCR_PAGES_MAX] = {"ocr-pages-max", 0, OPTION_COUNT, "N", "100", 1,
                           10000, ON(SERVE), false, false,
                           "Pages of one file that are read by OCR at most; a "
                           "page takes seconds"},
    [OPT_LOG] = {"log", 0, OPTION_CHOICE, "error|warn|info|debug", "info", 0, 0,
                 ON(SERVE), false, false, "How much to log"},
    [OPT_URL] = {"url", 0, OPTION_URL, "URL", "http://127.0.0.1:7766", 0, 0,
                 CLIENTS, false, false, "The server to talk to"},
    [OPT_KEY] = {"key", 0, T, "KEY", NULL, 0, 0, CLIENTS, false, false,
                 "The API key to use (better given as KNOWD_KEY or in the "
                 "config file: flags show in the process list)"},
    [OPT_BASE] = {"base", 'b', T, "NAME|ID", NULL, 0, 0,
                  ON(ADD) | ON(SEARCH) | ON(EVAL) | ON(JOBS) | ON(REPROCESS),
                  true, false,
                  "The knowledge base; add makes it if missing and takes "
                  "`default` when none is named, search may be given several"},
    [OPT_WAIT] = {"wait", 'w', OPTION_CHOICE, "none|searchable|refined",
                  "searchable", 0, 0, ON(ADD) | ON(REPROCESS), false, false,
                  "What to wait for: until all is found by its words, or "
                  "until it has its vectors, too"},
    [OPT_LIMIT] = {"limit", 'n', OPTION_COUNT, "N", "10", 1, SEARCH_LIMIT_MAX,
                   ON(SEARCH) | ON(JOBS), false, false,
                   "How many to show at most"},
    [OPT_ALPHA] = {"alpha", 'a', OPTION_REAL, "A", NULL, 0, 1,
                   ON(SEARCH) | ON(EVAL), false, false,
                   "Weight of vectors against words: 0 words only, 1 vectors "
                   "only; the base's own when not given"},
    [OPT_EXPLAIN] = {"explain", 'x', OPTION_FLAG, NULL, NULL, 0, 0, ON(SEARCH),
                     false, false, "Show how each score came about"},
    [OPT_QUERIES] = {"queries", 0, OPTION_FILE, "FILE", NULL, 0, 0, ON(EVAL),
                     false, false, "The queries, a .jsonl file"},
    [OPT_QRELS] = {"qrels", 0, OPTION_FILE, "FILE", NULL, 0, 0, ON(EVAL), false,
                   false, "The judgments, a .tsv file"},
    [OPT_SET] = {"set", 0, T, "NAME=VALUE", NULL, 0, 0, ON(EVAL), true, false,
                 "A field of the search request, as legs=dense or exact=true; "
                 "base=NAME is the base"},
    [OPT_COMPARE] = {"compare", 'c', T, "NAME=VALUE", NULL, 0, 0, ON(EVAL),
                     true, false,
                     "Ask a second time with this changed, and say whether the "
                     "rankings differ by more than chance"},
    [OPT_LOSS_MAX] = {"loss-max", 0, OPTION_REAL, "D", "0.005", 0, 1, ON(EVAL),
                      false, false,
                      "How much lower the second ranking's nDCG@10 may be "
                      "before the exit status is 1"},
    [OPT_DESCRIPTION] = {"description", 0, T, "TEXT", NULL, 0, 0, ON(BASES),
                         false, false, "Description of a new base"},
    [OPT_STATUS] = {"status", 0, OPTION_CHOICE,
                    "queued|processing|completed|failed|partial_failure|active",
                    NULL, 0, 0, ON(JOBS), false, false,
                    "Only jobs with this status; active: queued or "
                    "processing"},
    [OPT_TENANT] = {"tenant", 0, T, "NAME", NULL, 0, 0, ON(KEYS), false, false,
                    "Whose key it is; your own tenant when not given"},
    [OPT_SCOPE] = {"scope", 's', T, "SCOPE", NULL, 0, 0, ON(KEYS), true, false,
                   "What the key may do; all you may do when not given"},
    [OPT_NAME] = {"name", 0, T, "NAME", NULL, 0, 0, ON(MODEL), false, false,
                  "The name of the added model; the folder's or file's own "
                  "when not given"},
    [OPT_HUB] = {"hub", 0, OPTION_URL, "URL", "https://huggingface.co", 0, 0,
                 ON(MODEL), false, false, "Where pull downloads from"},
    [OPT_ALL] = {"all", 0, OPTION_FLAG, NULL, NULL, 0, 0, ON(REPROCESS), false,
                 false, "All documents, not only those an older version read"},
    [OPT_DEEP] = {"deep", 0, OPTION_FLAG, NULL, NULL, 0, 0, ON(CHECK), false,
                  false, "Read every byte, and compare index and documents"},
    [OPT_JSON] = {"json", 'j', OPTION_FLAG, NULL, NULL, 0, 0,
                  EVERY & ~(ON(SERVE) | ON(HELP) | ON(MAN) | ON(COMPLETIONS)),
                  false, false, "Print one JSON object"},
    [OPT_HELP] = {"help", 'h', OPTION_FLAG, NULL, NULL, 0, 0, EVERY, false,
                  false, "Show help"},
};

enum command_id command_find(const char *name)
{
    size_t id = 0;

    while (id < CMD_COUNT && strcmp(COMMANDS[id].name, name) != 0)
        id++;
    return (enum command_id)id;
}

const char *option_text(const struct options *o, enum option_id id)
{
    return o->v[id].n == 0 ? NULL : o->v[id].texts[o->v[id].n - 1];
}

str option_str(const struct options *o, enum option_id id)
{
    return str_of(option_text(o, id));
}

str option_url(const struct options *o)
{
    str url = option_str(o, OPT_URL);

    while (str_ends(url, STR("/")))
        url.n--;
    return url;
}

bool option_flag(const struct options *o, enum option_id id)
{
    ASSERT(OPTIONS[id].type == OPTION_FLAG);
    return o->v[id].count != 0;
}

uint64_t option_count(const struct options *o, enum option_id id)
{
    ASSERT(OPTIONS[id].type == OPTION_COUNT ||
           OPTIONS[id].type == OPTION_BYTES);
    return o->v[id].count;
}

double option_real(const struct options *o, enum option_id id)
{
    ASSERT(OPTIONS[id].type == OPTION_REAL);
    return o->v[id].real;
}

bool option_given(const struct options *o, enum option_id id)
{
    return o->v[id].from > FROM_DEFAULT;
}

const char *option_env_name(const struct option *option, struct arena *out)
{
    char *name = arena_cstr(out, arena_fmt(out, "KNOWD_%s", option->name));

    for (char *p = name; *p != '\0'; p++) {
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
        else if (*p == '-')
            *p = '_';
    }
    return name;
}
