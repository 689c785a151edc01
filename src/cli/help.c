/* Help, man page and completions, all read off the two tables. */
#include "cli/options.h"

#include <stdio.h>

#define HELP_COLUMNS 79
#define DOC_INDENT 30

static bool belongs(size_t id, enum command_id command)
{
    return (OPTIONS[id].commands & 1u << command) != 0;
}

/* Puts words of text, broken at HELP_COLUMNS; the first line begins at
 * `column`, later ones at `indent`. */
static void put_wrapped(struct buf *out, str text, size_t column, size_t indent)
{
    str word;
    bool more = text.n > 0, first = true;

    while (more) {
        more = str_cut(text, ' ', &word, &text);
        if (!first && column + 1 + word.n > HELP_COLUMNS) {
            buf_fmt(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            buf_put_char(out, ' ');
            column++;
        }
        buf_put(out, word);
        column += word.n;
        first = false;
    }
    buf_put_char(out, '\n');
}

/* "-n, --limit N": plain. */
static void put_names(struct buf *out, const struct option *opt)
{
    if (opt->secret) {
        struct arena *tmp = arena_open();

        buf_fmt(out, "    %s", option_env_name(opt, tmp));
        arena_close(tmp);
        return;
    }
    if (opt->letter != 0)
        buf_fmt(out, "-%c, ", opt->letter);
    else
        buf_put(out, STR("    "));
    buf_fmt(out, "--%s", opt->name);
    if (opt->value != NULL)
        buf_fmt(out, " %s", opt->type == OPTION_CHOICE ? "WORD" : opt->value);
}

/* The doc with what the table knows beside it. */
static str doc_of(struct arena *tmp, const struct option *opt)
{
    str doc = str_of(opt->doc);

    if (opt->type == OPTION_CHOICE)
        doc = arena_fmt(tmp, STR_FMT ": %s", STR_ARG(doc), opt->value);
    if (opt->type == OPTION_REAL || (opt->type == OPTION_COUNT && opt->max > 0))
        doc = arena_fmt(tmp, STR_FMT ", %g to %g", STR_ARG(doc), opt->min,
                        opt->max);
    if (opt->fallback != NULL)
        doc = arena_fmt(tmp, STR_FMT " (%s)", STR_ARG(doc), opt->fallback);
    if (opt->many)
        doc = arena_fmt(tmp, STR_FMT "; repeatable", STR_ARG(doc));
    return doc;
}

void help_overview(struct buf *out)
{
    buf_put(out, STR("knowd: a knowledge-base server in one program\n\n"
                     "Usage: knowd COMMAND [OPTIONS] [ARGUMENTS]\n\n"));
    for (size_t i = 0; i < CMD_COUNT; i++)
        buf_fmt(out, "  %-12s %s\n", COMMANDS[i].name, COMMANDS[i].doc);
    buf_put(out,
            STR("\n`knowd help COMMAND` tells more; `knowd man | man -l -` is "
                "the manual page.\n"
                "An option's value comes from its flag, else the environment "
                "(--limit is\nKNOWD_LIMIT), else the file "
                "$XDG_CONFIG_HOME/knowd/config (limit = 5), else\nits "
                "default.\n"));
}

static void put_paragraphs(struct buf *out, const char *more)
{
    str rest = str_of(more);

    while (rest.n > 0) {
        size_t at = str_find(rest, STR("\n\n"));

        buf_put_char(out, '\n');
        put_wrapped(out, str_sub(rest, 0, at), 0, 0);
        rest = str_sub(rest, at + 2, rest.n);
    }
}

void help_command(struct buf *out, enum command_id id)
{
    const struct command *c = &COMMANDS[id];
    struct arena *tmp = arena_open();

    buf_fmt(out, "Usage: knowd %s [OPTIONS]%s%s\n\n%s.\n", c->name,
            *c->args == '\0' ? "" : " ", c->args, c->doc);
    put_paragraphs(out, c->more);
    buf_put(out, STR("\nOptions:\n"));
    for (size_t i = 0; i < OPT_COUNT; i++) {
        size_t start = out->n, used;

        if (!belongs(i, id))
            continue;
        buf_put(out, STR("  "));
        put_names(out, &OPTIONS[i]);
        used = out->n - start;
        if (used + 2 > DOC_INDENT) {
            buf_put_char(out, '\n');
            used = 0;
        }
        buf_fmt(out, "%*s", (int)(DOC_INDENT - used), "");
        put_wrapped(out, doc_of(tmp, &OPTIONS[i]), DOC_INDENT, DOC_INDENT);
    }
    arena_close(tmp);
}

/* ---- the manual page ---- */

/* troff: a backslash is doubled, a line must not begin with a dot or quote. */
static void put_troff(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (i == 0 && (s.p[i] == '.' || s.p[i] == '\''))
            buf_put(out, STR("\\&"));
        if (s.p[i] == '\\')
            buf_put(out, STR("\\e"));
        else if (s.p[i] == '-')
            buf_put(out, STR("\\-"));
        else
            buf_put_char(out, s.p[i]);
    }
}

static void put_man_option(struct buf *out, struct arena *tmp,
                           const struct option *opt)
{
    buf_put(out, STR(".TP\n"));
    if (opt->secret)
        buf_fmt(out, "\\fB%s\\fR", option_env_name(opt, tmp));
    else {
        if (opt->letter != 0)
            buf_fmt(out, "\\fB\\-%c\\fR, ", opt->letter);
        buf_put(out, STR("\\fB\\-\\-"));
        put_troff(out, str_of(opt->name));
        buf_put(out, STR("\\fR"));
    }
    if (opt->value != NULL && !opt->secret)
        buf_fmt(out, " \\fI%s\\fR",
                opt->type == OPTION_CHOICE ? "WORD" : opt->value);
    buf_put_char(out, '\n');
    put_troff(out, doc_of(tmp, opt));
    buf_put(out, STR(".\n"));
}

static void put_man_command(struct buf *out, const struct command *c)
{
    str rest = str_of(c->more);

    buf_fmt(out, ".TP\n\\fBknowd %s\\fR ", c->name);
    put_troff(out, str_of(c->args));
    buf_put_char(out, '\n');
    put_troff(out, str_of(c->doc));
    buf_put(out, STR(".\n"));
    while (rest.n > 0) {
        size_t at = str_find(rest, STR("\n\n"));

        buf_put(out, STR(".IP\n"));
        put_troff(out, str_sub(rest, 0, at));
        buf_put_char(out, '\n');
        rest = str_sub(rest, at + 2, rest.n);
    }
}

static const char MAN_END[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nDone.\n"
    ".TP\n1\nDone, but not everything succeeded (each failure is named), or "
    "\\fBcheck\\fR found damage.\n"
    ".TP\n2\nThe command line, the environment or the config file is wrong.\n"
    ".TP\n3\nThe server can't be reached, or it refused.\n"
    ".SH ENVIRONMENT\n"
    "Each option can be set by a variable: \\fB\\-\\-limit\\fR by "
    "\\fBKNOWD_LIMIT\\fR. A flag comes before it, the config file behind it. "
    "Values of repeatable options are separated by commas.\n"
    ".PP\n\\fBNO_COLOR\\fR, not empty: no colours on a terminal.\n"
    ".SH FILES\n"
    ".TP\n$XDG_CONFIG_HOME/knowd/config\n"
    "Lines \\fIname = value\\fR, with the options' long names; # begins a "
    "comment. \\fB./up\\fR keeps the server's address and key there.\n"
    ".TP\n$XDG_DATA_HOME/knowd\nThe data folder.\n";

void help_man(struct buf *out)
{
    struct arena *tmp = arena_open();

    buf_put(out, STR(".TH KNOWD 1 \"\" \"knowd " KNOWD_VERSION "\" \"User "
                     "commands\"\n"
                     ".SH NAME\nknowd \\- a knowledge\\-base server in one "
                     "program\n"
                     ".SH SYNOPSIS\n\\fBknowd\\fR \\fICOMMAND\\fR "
                     "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
                     ".SH COMMANDS\n"));
    for (size_t i = 0; i < CMD_COUNT; i++)
        put_man_command(out, &COMMANDS[i]);
    buf_put(out, STR(".SH OPTIONS\n"));
    for (size_t i = 0; i < OPT_COUNT; i++) {
        put_man_option(out, tmp, &OPTIONS[i]);
        if (OPTIONS[i].commands == (1u << CMD_COUNT) - 1)
            continue;
        buf_put(out, STR("Of"));
        for (size_t c = 0, n = 0; c < CMD_COUNT; c++) {
            if (belongs(i, (enum command_id)c))
                buf_fmt(out, "%s \\fB%s\\fR", n++ == 0 ? "" : ",",
                        COMMANDS[c].name);
        }
        buf_put(out, STR(".\n"));
    }
    buf_put(out, str_of(MAN_END));
    arena_close(tmp);
}

/* ---- completions ---- */

/* "bases list create" with `|` between choices turned to blanks. */
static void put_words(struct buf *out, const char *words)
{
    for (; words != NULL && *words != '\0'; words++)
        buf_put_char(out, *words == '|' ? ' ' : *words);
}

static void put_flags(struct buf *out, enum command_id id)
{
    for (size_t i = 0; i < OPT_COUNT; i++) {
        if (belongs(i, id) && !OPTIONS[i].secret)
            buf_fmt(out, " --%s", OPTIONS[i].name);
    }
}

static void complete_bash(struct buf *out)
{
    buf_put(out, STR("_knowd() {\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} "
                     "prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
                     "    case $prev in\n"));
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const struct option *opt = &OPTIONS[i];

        if (opt->value == NULL || opt->secret)
            continue;
        buf_fmt(out, "    --%s) ", opt->name);
        if (opt->type == OPTION_CHOICE) {
            buf_put(out, STR("mapfile -t COMPREPLY < <(compgen -W '"));
            put_words(out, opt->value);
            buf_put(out, STR("' -- \"$cur\"); "));
        } else if (opt->type == OPTION_DIR || opt->type == OPTION_FILE) {
            buf_fmt(out, "mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\"); ",
                    opt->type == OPTION_DIR ? 'd' : 'f');
        }
        buf_put(out, STR("return;;\n"));
    }
    buf_put(out,
            STR("    esac\n    if [ \"$COMP_CWORD\" -eq 1 ]; then words='"));
    for (size_t i = 0; i < CMD_COUNT; i++)
        buf_fmt(out, "%s%s", i == 0 ? "" : " ", COMMANDS[i].name);
    buf_put(out, STR("'\n    else case ${COMP_WORDS[1]} in\n"));
    for (size_t i = 0; i < CMD_COUNT; i++) {
        buf_fmt(out, "        %s) words='", COMMANDS[i].name);
        if (i == CMD_HELP) {
            for (size_t c = 0; c < CMD_COUNT; c++)
                buf_fmt(out, "%s ", COMMANDS[c].name);
        }
        put_words(out, COMMANDS[i].verbs);
        put_flags(out, (enum command_id)i);
        buf_put(out, STR("';;\n"));
    }
    buf_put(out, STR("    esac; fi\n"
                     "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
                     "\"$cur\")\n"
                     "    if [[ $cur != -* && ( ${COMP_WORDS[1]} = add || "
                     "( $COMP_CWORD -gt 2 && ${COMP_WORDS[*]:1:2} = "
                     "'model add' ) ) ]]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -f -- "
                     "\"$cur\")\n    fi\n}\n"
                     "complete -o filenames -F _knowd knowd\n"));
}

/* Inside single quotes of a shell: ' becomes '\''; zsh also wants [ ] and :
 * of a description escaped. */
static void put_quoted(struct buf *out, const char *s, bool zsh)
{
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            buf_put(out, STR("'\\''"));
        else if (zsh && strchr("[]:\\", *s) != NULL)
            buf_fmt(out, "\\%c", *s);
        else
            buf_put_char(out, *s);
    }
}

static void put_zsh_option(struct buf *out, const struct option *opt)
{
    buf_fmt(out, "            '%s--%s[", opt->many ? "*" : "", opt->name);
    put_quoted(out, opt->doc, true);
    buf_put_char(out, ']');
    if (opt->type == OPTION_CHOICE) {
        buf_fmt(out, ":%s:(", opt->name);
        put_words(out, opt->value);
        buf_put_char(out, ')');
    } else if (opt->value != NULL) {
        buf_fmt(out, ":%s:%s", opt->name,
                opt->type == OPTION_FILE  ? "_files"
                : opt->type == OPTION_DIR ? "_files -/"
                                          : " ");
    }
    buf_put(out, STR("' \\\n"));
}

static void complete_zsh(struct buf *out)
{
    buf_put(out, STR("#compdef knowd\n_knowd() {\n"
                     "    local -a commands=(\n"));
    for (size_t i = 0; i < CMD_COUNT; i++) {
        buf_fmt(out, "        '%s:", COMMANDS[i].name);
        put_quoted(out, COMMANDS[i].doc, true);
        buf_put(out, STR("'\n"));
    }
    buf_put(out, STR("    )\n    if (( CURRENT == 2 )); then\n"
                     "        _describe command commands\n        return\n"
                     "    fi\n    local command=$words[2]\n"
                     "    shift words\n    (( CURRENT-- ))\n"
                     "    case $command in\n"));
    for (size_t i = 0; i < CMD_COUNT; i++) {
        buf_fmt(out, "        %s) _arguments \\\n", COMMANDS[i].name);
        for (size_t o = 0; o < OPT_COUNT; o++) {
            if (belongs(o, (enum command_id)i) && !OPTIONS[o].secret)
                put_zsh_option(out, &OPTIONS[o]);
        }
        if (COMMANDS[i].verbs != NULL)
            buf_fmt(out, "            '1:verb:(%s)'%s", COMMANDS[i].verbs,
                    i == CMD_MODEL ? " '2:argument:_files'" : "");
        else
            buf_fmt(out, "            '*:argument:%s'",
                    i == CMD_ADD ? "_files" : " ");
        buf_put(out, STR(" ;;\n"));
    }
    buf_put(out, STR("    esac\n}\n_knowd \"$@\"\n"));
}

static void complete_fish(struct buf *out)
{
    buf_put(out, STR("complete -c knowd -f\n"));
    for (size_t i = 0; i < CMD_COUNT; i++) {
        buf_fmt(out, "complete -c knowd -n __fish_use_subcommand -a %s -d '",
                COMMANDS[i].name);
        put_quoted(out, COMMANDS[i].doc, false);
        buf_put(out, STR("'\n"));
        if (COMMANDS[i].verbs != NULL)
            buf_fmt(out,
                    "complete -c knowd -n '__fish_seen_subcommand_from %s' "
                    "-a '%s'\n",
                    COMMANDS[i].name, COMMANDS[i].verbs);
        for (size_t o = 0; o < OPT_COUNT; o++) {
            if (!belongs(o, (enum command_id)i) || OPTIONS[o].secret)
                continue;
            buf_fmt(out,
                    "complete -c knowd -n '__fish_seen_subcommand_from %s' "
                    "-l %s",
                    COMMANDS[i].name, OPTIONS[o].name);
            if (OPTIONS[o].letter != 0)
                buf_fmt(out, " -s %c", OPTIONS[o].letter);
            if (OPTIONS[o].type == OPTION_CHOICE) {
                buf_put(out, STR(" -xa '"));
                put_words(out, OPTIONS[o].value);
                buf_put_char(out, '\'');
            } else if (OPTIONS[o].value != NULL) {
                buf_put(out, OPTIONS[o].type == OPTION_FILE ||
                                     OPTIONS[o].type == OPTION_DIR
                                 ? STR(" -rF")
                                 : STR(" -x"));
            }
            buf_put(out, STR(" -d '"));
            put_quoted(out, OPTIONS[o].doc, false);
            buf_put(out, STR("'\n"));
        }
    }
    buf_put(out, STR("complete -c knowd -n '__fish_seen_subcommand_from add' "
                     "-F\n"));
}

rc help_completions(struct buf *out, const char *shell, struct err *e)
{
    static const struct {
        const char *shell;
        void (*put)(struct buf *out);
    } SHELLS[] = {{"bash", complete_bash},
                  {"zsh", complete_zsh},
                  {"fish", complete_fish}};

    for (size_t i = 0; i < NELEMS(SHELLS); i++) {
        if (strcmp(SHELLS[i].shell, shell) == 0) {
            SHELLS[i].put(out);
            return RC_OK;
        }
    }
    return err_set(e, RC_INVALID, "completions are for bash, zsh and fish");
}
