/*
 * options: one table of subcommands and one of options. Parsing, help, the
 * man page and completions are all made from them.
 *
 * A value comes from the first of: a flag (--upload-bytes-max 1G), the
 * environment (KNOWD_UPLOAD_BYTES_MAX), the file $XDG_CONFIG_HOME/knowd/config
 * (upload-bytes-max = 1G), the table's default. The three names of an option
 * are derived from one.
 *
 * Owns:    values live in the arena, or borrow argv and the environment.
 * Errors:  RC_INVALID  usage: unknown names (with the nearest one), values of
 *                      the wrong kind or out of bounds
 *          RC_IO       the config file is there but can't be read
 * Threads: pure.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum command_id {
    CMD_SERVE,
    CMD_ADD,
    CMD_SEARCH,
    CMD_EVAL,
    CMD_BASES,
    CMD_JOBS,
    CMD_REPROCESS,
    CMD_KEYS,
    CMD_MODEL,
    CMD_CHECK,
    CMD_DOCTOR,
    CMD_ROUTES,
    CMD_VERSION,
    CMD_HELP,
    CMD_MAN,
    CMD_COMPLETIONS,
    CMD_COUNT
};

struct command {
    const char *name;
    const char *args;  /* as help shows them; "" for none */
    const char *doc;   /* one line */
    const char *more;  /* paragraphs, separated by an empty line; or NULL */
    const char *verbs; /* what the first argument may be, by spaces; or NULL */
    size_t args_min, args_max;
};
extern const struct command COMMANDS[CMD_COUNT];

enum option_id {
    OPT_DATA,
    OPT_LISTEN,
    OPT_MODEL,
    OPT_PUBLIC_URL,
    OPT_ALLOW_NET,
    OPT_EXEC_IDS,
    OPT_KEY_FILE,
    OPT_ADMIN_KEY,
    OPT_UPLOAD_BYTES_MAX,
    OPT_TEXT_BYTES_MAX,
    OPT_CONTENT_BYTES_MAX,
    OPT_MANIFEST_BYTES_MAX,
    OPT_MANIFEST_ITEMS_MAX,
    OPT_JSON_BYTES_MAX,
    OPT_RATE_LIMIT,
    OPT_ALLOW_UNSANDBOXED,
    OPT_WORKERS,
    OPT_COMMIT_GROUP,
    OPT_OCR,
    OPT_OCR_PAGES_MAX,
    OPT_LOG,
    OPT_URL,
    OPT_KEY,
    OPT_BASE,
    OPT_WAIT,
    OPT_LIMIT,
    OPT_ALPHA,
    OPT_EXPLAIN,
    OPT_QUERIES,
    OPT_QRELS,
    OPT_SET,
    OPT_COMPARE,
    OPT_LOSS_MAX,
    OPT_DESCRIPTION,
    OPT_STATUS,
    OPT_TENANT,
    OPT_SCOPE,
    OPT_NAME,
    OPT_HUB,
    OPT_ALL,
    OPT_DEEP,
    OPT_JSON,
    OPT_HELP,
    OPT_COUNT
};

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_FILE,
    OPTION_DIR,
    OPTION_ADDRESS, /* ADDR:PORT */
    OPTION_CIDR,
    OPTION_URL, /* http:// or https:// */
    OPTION_COUNT,
    OPTION_BYTES, /* a count with K, M or G behind it (powers of 1024) */
    OPTION_REAL,
    OPTION_CHOICE /* `value` lists them: "none|debug" */
};

struct option {
    const char *name;
    char letter; /* 0: none */
    enum option_type type;
    const char *value;    /* what help shows behind the name */
    const char *fallback; /* the default, as if typed; NULL: none. A leading
                             $XDG_DATA_HOME is replaced */
    double min, max;      /* of counts, bytes and reals */
    uint32_t commands;    /* a bit for each enum command_id */
    bool many;            /* may be given several times */
    bool secret;          /* no flag: it would show in the process list */
    const char *doc;      /* one sentence, no full stop */
};
extern const struct option OPTIONS[OPT_COUNT];

enum option_from {
    FROM_NOWHERE,
    FROM_DEFAULT,
    FROM_FILE,
    FROM_ENVIRONMENT,
    FROM_FLAG
};
struct option_value {
    enum option_from from;
    const char **texts; /* more than one only where `many` */
    size_t n;
    uint64_t count; /* flags: 0 or 1; counts and bytes */
    double real;
};
struct options {
    enum command_id command;
    struct option_value v[OPT_COUNT];
    const char **args;
    size_t args_n;
};

struct options_in {
    int argc;
    char *const *argv;  /* argv[0] is the program */
    char *const *env;   /* as environ; NULL: empty */
    const char *config; /* path of the config file; NULL: none */
};
/* A finite number; false: it is none, or something stands behind it. */
bool option_parse_real(const char *text, double *v);
rc options_parse(const struct options_in *in, struct arena *out,
                 struct options *o, struct err *e) MUST_CHECK;

/* NULL where the option has no value. */
const char *option_text(const struct options *o, enum option_id id);
str option_str(const struct options *o, enum option_id id); /* n 0: none */
str option_url(const struct options *o); /* without "/" at its end */
bool option_flag(const struct options *o, enum option_id id);
uint64_t option_count(const struct options *o, enum option_id id);
double option_real(const struct options *o, enum option_id id);
bool option_given(const struct options *o, enum option_id id); /* no default */

/* $XDG_CONFIG_HOME/knowd or its usual place; NULL: no home is known. */
const char *options_config_dir(char *const *env, struct arena *out);
/* The same for what can be had again: $XDG_CACHE_HOME/knowd. */
const char *options_cache_dir(char *const *env, struct arena *out);
/* KNOWD_UPLOAD_BYTES_MAX of "upload-bytes-max". */
const char *option_env_name(const struct option *option, struct arena *out);

/* The name of the table nearest to `word`; NULL: none is near. */
const char *command_nearest(const char *word);
/* CMD_COUNT: no such command. */
enum command_id command_find(const char *name);

void help_overview(struct buf *out);
void help_command(struct buf *out, enum command_id id);
void help_man(struct buf *out); /* troff, section 1 */
/* RC_INVALID for another shell than bash, zsh and fish. */
rc help_completions(struct buf *out, const char *shell,
                    struct err *e) MUST_CHECK;

#endif
