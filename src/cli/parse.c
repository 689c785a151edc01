/* Command line, environment and config file to struct options. */
#include "cli/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/limits.h"
#include "net/addr.h"

#define CONFIG_BYTES_MAX (64 * KIB)
#define WORD_BYTES_MAX 40 /* of names that are compared for a hint */

struct parse {
    const struct options_in *in;
    struct arena *out;
    struct options *o;
};

/* ---- hints ---- */

/* Edits (insert, drop, change, swap of neighbours) from a to b: optimal string
 * alignment distance. */
static size_t distance(const char *a, const char *b)
{
    size_t d[3][WORD_BYTES_MAX + 1], n = strlen(a), m = strlen(b);

    if (n > WORD_BYTES_MAX || m > WORD_BYTES_MAX)
        return WORD_BYTES_MAX;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = d[i % 3], *up = d[(i + 2) % 3], *upup = d[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && upup[j - 2] + 1 < best)
                best = upup[j - 2] + 1;
            row[j] = best;
        }
    }
    return d[n % 3][m];
}

/* Keeps the nearer of *best and name; a beginning counts as near. */
static void nearer(const char *word, const char *name, size_t *best_distance,
                   const char **best)
{
    size_t d = distance(word, name), n = strlen(word);

    if (n >= 2 && strncmp(name, word, n) == 0)
        d = 1;
    if (d < *best_distance && d <= 1 + strlen(name) / 4) {
        *best_distance = d;
        *best = name;
    }
}

const char *command_nearest(const char *word)
{
    const char *best = NULL;
    size_t d = WORD_BYTES_MAX;

    for (size_t i = 0; i < CMD_COUNT; i++)
        nearer(word, COMMANDS[i].name, &d, &best);
    return best;
}

static const char *option_nearest(const char *word, uint32_t commands)
{
    const char *best = NULL;
    size_t d = WORD_BYTES_MAX;

    for (size_t i = 0; i < OPT_COUNT; i++) {
        if ((OPTIONS[i].commands & commands) != 0 && !OPTIONS[i].secret)
            nearer(word, OPTIONS[i].name, &d, &best);
    }
    return best;
}

/* ---- values ---- */

static bool parse_bytes(str s, uint64_t *v)
{
    static const char UNITS[] = "KMGT";
    unsigned shift = 0;
    const char *unit;

    if (str_ends(s, STR("iB")))
        s.n -= 2;
    unit = s.n == 0 ? NULL : strchr(UNITS, s.p[s.n - 1] & ~0x20);
    if (unit != NULL && *unit != '\0') {
        shift = 10 * (unsigned)(unit - UNITS + 1);
        s.n--;
    }
    if (!str_to_u64(s, UINT64_MAX >> shift, v))
        return false;
    *v <<= shift;
    return true;
}

bool option_parse_real(const char *text, double *v)
{
    char *end;

    *v = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*v);
}

static bool is_choice(const char *choices, const char *text)
{
    str rest = str_of(choices), one;
    bool more;

    do {
        more = str_cut(rest, '|', &one, &rest);
        if (str_eq(one, str_of(text)))
            return true;
    } while (more);
    return false;
}

static bool is_address(str s)
{
    size_t colon = s.n;
    uint64_t port;

    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    return colon > 1 && str_to_u64(str_sub(s, colon, s.n), 65535, &port) &&
           str_find_char(s, '/') == s.n;
}

static bool is_true(str s, bool *v)
{
    *v = str_eq_nocase(s, STR("1")) || str_eq_nocase(s, STR("true")) ||
         str_eq_nocase(s, STR("yes")) || str_eq_nocase(s, STR("on"));
    return *v || str_eq_nocase(s, STR("0")) || str_eq_nocase(s, STR("false")) ||
           str_eq_nocase(s, STR("no")) || str_eq_nocase(s, STR("off")) ||
           s.n == 0;
}

static rc in_bounds(const struct option *opt, const char *where, double v,
                    struct err *e)
{
    if (v >= opt->min && v <= opt->max)
        return RC_OK;
    return err_set(e, RC_INVALID, "%s must be from %.15g to %.15g", where,
                   opt->min, opt->max);
}

/* Fills the number, checks the kind. */
static rc take_value(const struct option *opt, struct option_value *v,
                     const char *text, const char *where, struct err *e)
{
    struct addr_net net;
    bool yes;

    switch (opt->type) {
    case OPTION_FLAG:
        if (!is_true(str_of(text), &yes))
            return err_set(e, RC_INVALID, "%s must be true or false", where);
        v->count = yes;
        return RC_OK;
    case OPTION_COUNT:
        if (!str_to_u64(str_of(text), UINT64_MAX, &v->count))
            return err_set(e, RC_INVALID, "%s must be a whole number", where);
        return in_bounds(opt, where, (double)v->count, e);
    case OPTION_BYTES:
        if (!parse_bytes(str_of(text), &v->count))
            return err_set(e, RC_INVALID,
                           "%s must be a size such as 512M or 1048576", where);
        return in_bounds(opt, where, (double)v->count, e);
    case OPTION_REAL:
        if (!option_parse_real(text, &v->real))
            return err_set(e, RC_INVALID, "%s must be a number", where);
        return in_bounds(opt, where, v->real, e);
    case OPTION_CHOICE:
        if (!is_choice(opt->value, text))
            return err_set(e, RC_INVALID, "%s must be %s%s", where,
                           strchr(opt->value, '|') != NULL ? "one of " : "",
                           opt->value);
        return RC_OK;
    case OPTION_ADDRESS:
        if (!is_address(str_of(text)))
            return err_set(e, RC_INVALID, "%s must be ADDR:PORT", where);
        return RC_OK;
    case OPTION_CIDR:
        if (addr_net_parse(str_of(text), &net, e) != RC_OK)
            return err_wrap(e, "%s", where);
        return RC_OK;
    case OPTION_URL:
        if (!str_starts(str_of(text), STR("http://")) &&
            !str_starts(str_of(text), STR("https://")))
            return err_set(e, RC_INVALID,
                           "%s must begin with http:// or https://", where);
        return RC_OK;
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_DIR:
        if (*text == '\0')
            return err_set(e, RC_INVALID, "%s must not be empty", where);
        return RC_OK;
    }
    return RC_OK;
}

/* Sets an option, unless something that comes before has set it. */
static rc set(struct parse *p, enum option_id id, const char *text,
              enum option_from from, const char *where, struct err *e)
{
    struct option_value *v = &p->o->v[id];
    size_t cap = v->n;
    rc code;

    if (v->from > from)
        return RC_OK;
    code = take_value(&OPTIONS[id], v, text, where, e);
    if (code != RC_OK)
        return code;
    if (!OPTIONS[id].many)
        v->n = cap = 0;
    v->from = from;
    ARENA_PUSH(p->out, v->texts, v->n, cap, text);
    return RC_OK;
}

/* ---- flags ---- */

static bool has(const struct parse *p, size_t id)
{
    return (OPTIONS[id].commands & 1u << p->o->command) != 0;
}

static rc unknown_flag(const struct parse *p, const char *flag,
                       const char *name, struct err *e)
{
    const char *near = option_nearest(name, 1u << p->o->command);

    if (near != NULL)
        return err_set(e, RC_INVALID, "no option %.60s, did you mean --%s?",
                       flag, near);
    return err_set(e, RC_INVALID, "no option %.60s, see: knowd help %s", flag,
                   COMMANDS[p->o->command].name);
}

/* --name, --name=value or --name value; *at moves on past what was used. */
static rc long_flag(struct parse *p, int *at, struct err *e)
{
    str name, value;
    bool joined = str_cut(str_of(p->in->argv[*at] + 2), '=', &name, &value);
    const char *where =
        arena_cstr(p->out, arena_fmt(p->out, "--" STR_FMT, STR_ARG(name)));
    const char *text = joined ? value.p : NULL;
    size_t id = 0;

    while (id < OPT_COUNT && !(has(p, id) && !OPTIONS[id].secret &&
                               str_eq(name, str_of(OPTIONS[id].name))))
        id++;
    if (id == OPT_COUNT)
        return unknown_flag(p, where, where + 2, e);
    if (text == NULL && OPTIONS[id].type == OPTION_FLAG)
        text = "1";
    if (text == NULL && *at + 1 < p->in->argc)
        text = p->in->argv[++*at];
    if (text == NULL)
        return err_set(e, RC_INVALID, "%s wants a value: %s", where,
                       OPTIONS[id].value);
    return set(p, (enum option_id)id, text, FROM_FLAG, where, e);
}

/* -x, -n5, -n 5, -xj */
static rc short_flags(struct parse *p, int *at, struct err *e)
{
    const char *letters = p->in->argv[*at] + 1;

    for (; *letters != '\0'; letters++) {
        char where[] = {'-', *letters, '\0'};
        const char *text = "1";
        size_t id = 0;
        rc code;

        while (id < OPT_COUNT &&
               !(has(p, id) && OPTIONS[id].letter == *letters))
            id++;
        if (id == OPT_COUNT)
            return unknown_flag(p, where, "", e);
        if (OPTIONS[id].type != OPTION_FLAG) {
            if (letters[1] != '\0')
                text = letters + 1;
            else if (*at + 1 < p->in->argc)
                text = p->in->argv[++*at];
            else
                return err_set(e, RC_INVALID, "%s wants a value: %s", where,
                               OPTIONS[id].value);
        }
        code = set(p, (enum option_id)id, text, FROM_FLAG, where, e);
        if (code != RC_OK || OPTIONS[id].type != OPTION_FLAG)
            return code;
    }
    return RC_OK;
}

static rc take_flags(struct parse *p, int from, struct err *e)
{
    bool only_args = false;
    size_t cap = 0;
    rc code = RC_OK;

    for (int at = from; at < p->in->argc && code == RC_OK; at++) {
        const char *arg = p->in->argv[at];

        if (only_args || arg[0] != '-' || arg[1] == '\0')
            ARENA_PUSH(p->out, p->o->args, p->o->args_n, cap, arg);
        else if (strcmp(arg, "--") == 0)
            only_args = true;
        else if (arg[1] == '-')
            code = long_flag(p, &at, e);
        else
            code = short_flags(p, &at, e);
    }
    return code;
}

/* ---- environment and file ---- */

static const char *env_get(char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env != NULL && *env != NULL; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    }
    return NULL;
}

static rc take_env(struct parse *p, struct err *e)
{
    rc code = RC_OK;

    for (size_t id = 0; id < OPT_COUNT && code == RC_OK; id++) {
        const char *name = option_env_name(&OPTIONS[id], p->out);
        const char *text = env_get(p->in->env, name);
        str one, rest = str_of(text);
        bool more = OPTIONS[id].many;

        if (!has(p, id) || id == OPT_HELP || text == NULL || *text == '\0')
            continue;
        if (!more)
            code = set(p, (enum option_id)id, text, FROM_ENVIRONMENT, name, e);
        while (more && code == RC_OK) {
            more = str_cut(rest, ',', &one, &rest);
            code = set(p, (enum option_id)id, arena_cstr(p->out, str_trim(one)),
                       FROM_ENVIRONMENT, name, e);
        }
    }
    return code;
}

static rc take_line(struct parse *p, str line, unsigned number, struct err *e)
{
    const char *where = arena_cstr(
        p->out, arena_fmt(p->out, "%.150s:%u", p->in->config, number));
    const char *key, *near;
    str name, value;
    size_t id = 0;

    if (!str_cut(line, '=', &name, &value))
        return err_set(e, RC_INVALID, "%s: not of the form name = value",
                       where);
    key = arena_cstr(p->out, str_trim(name));
    value = str_trim(value);
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = str_sub(value, 1, value.n - 2);
    while (id < OPT_COUNT && strcmp(OPTIONS[id].name, key) != 0)
        id++;
    if (id == OPT_COUNT) {
        near = option_nearest(key, UINT32_MAX);
        return near == NULL
                   ? err_set(e, RC_INVALID, "%s: no option %.40s", where, key)
                   : err_set(e, RC_INVALID,
                             "%s: no option %.40s, did you mean %s?", where,
                             key, near);
    }
    if (!has(p, id))
        return RC_OK;
    return set(p, (enum option_id)id, arena_cstr(p->out, value), FROM_FILE,
               arena_cstr(p->out, arena_fmt(p->out, "%s: %s", where, key)), e);
}

static rc take_file(struct parse *p, struct err *e)
{
    unsigned number = 0;
    str text, line;
    rc code;

    if (p->in->config == NULL || !file_exists(p->in->config))
        return RC_OK;
    code = file_read(p->in->config, CONFIG_BYTES_MAX, p->out, &text, e);
    while (code == RC_OK && text.n > 0) {
        (void)str_cut(text, '\n', &line, &text);
        line = str_trim(line);
        number++;
        if (line.n > 0 && line.p[0] != '#')
            code = take_line(p, line, number, e);
    }
    return code;
}

/* The folder an XDG variable names, or its usual place under the home. */
static const char *xdg_dir(char *const *env, const char *variable,
                           const char *usual, struct arena *out)
{
    const char *dir = env_get(env, variable), *home = env_get(env, "HOME");

    if (dir != NULL && dir[0] == '/')
        return dir;
    if (home == NULL || home[0] == '\0')
        return NULL;
    return arena_cstr(out, arena_fmt(out, "%s/%s", home, usual));
}

const char *options_config_dir(char *const *env, struct arena *out)
{
    const char *dir = xdg_dir(env, "XDG_CONFIG_HOME", ".config", out);

    return dir == NULL ? NULL
                       : arena_cstr(out, arena_fmt(out, "%s/knowd", dir));
}

const char *options_cache_dir(char *const *env, struct arena *out)
{
    const char *dir = xdg_dir(env, "XDG_CACHE_HOME", ".cache", out);

    return dir == NULL ? NULL
                       : arena_cstr(out, arena_fmt(out, "%s/knowd", dir));
}

static rc take_defaults(struct parse *p, struct err *e)
{
    static const char DATA_HOME[] = "$XDG_DATA_HOME";
    rc code = RC_OK;

    for (size_t id = 0; id < OPT_COUNT && code == RC_OK; id++) {
        const char *text = OPTIONS[id].fallback;

        if (!has(p, id) || text == NULL || p->o->v[id].from > FROM_DEFAULT)
            continue;
        if (str_starts(str_of(text), STR("$XDG_DATA_HOME"))) {
            const char *dir =
                xdg_dir(p->in->env, "XDG_DATA_HOME", ".local/share", p->out);

            if (dir == NULL)
                continue;
            text = arena_cstr(p->out, arena_fmt(p->out, "%s%s", dir,
                                                text + sizeof DATA_HOME - 1));
        }
        code =
            set(p, (enum option_id)id, text, FROM_DEFAULT, OPTIONS[id].name, e);
    }
    return code;
}

/* ---- the whole ---- */

/* Which command, and where its own arguments begin. */
static rc take_command(struct parse *p, int *from, struct err *e)
{
    const char *word = p->in->argc > 1 ? p->in->argv[1] : "help";
    const char *near;

    *from = 2;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        word = "version";
    p->o->command = command_find(word);
    if (p->o->command != CMD_COUNT)
        return RC_OK;
    near = command_nearest(word);
    if (near != NULL)
        return err_set(e, RC_INVALID, "no command %.60s, did you mean %s?",
                       word, near);
    return err_set(e, RC_INVALID, "no command %.60s, see: knowd help", word);
}

/* The right number of arguments, and a known verb. */
static rc check_args(const struct options *o, struct err *e)
{
    const struct command *c = &COMMANDS[o->command];
    str verb, rest = str_of(c->verbs);
    bool more = c->verbs != NULL && o->args_n > 0, known = !more;

    if (o->args_n < c->args_min || o->args_n > c->args_max)
        return err_set(e, RC_INVALID, "usage: knowd %s%s%s", c->name,
                       *c->args == '\0' ? "" : " ", c->args);
    while (more) {
        more = str_cut(rest, ' ', &verb, &rest);
        known = known || str_eq(verb, str_of(o->args[0]));
    }
    if (!known)
        return err_set(e, RC_INVALID, "%s %.40s: usage: knowd %s %s", c->name,
                       o->args[0], c->name, c->args);
    return RC_OK;
}

rc options_parse(const struct options_in *in, struct arena *out,
                 struct options *o, struct err *e)
{
    struct parse p = {.in = in, .out = out, .o = o};
    int from;
    rc code;

    *o = (struct options){0};
    code = take_command(&p, &from, e);
    if (code == RC_OK)
        code = take_flags(&p, from, e);
    if (code != RC_OK || option_flag(o, OPT_HELP))
        return code;
    code = take_env(&p, e);
    if (code == RC_OK)
        code = take_file(&p, e);
    if (code == RC_OK)
        code = take_defaults(&p, e);
    return code == RC_OK ? check_args(o, e) : code;
}
